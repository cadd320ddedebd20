/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/partitions/vm_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/partition.h"
#include "sim/core/check.h"

static void append(char *text, size_t bytes, const char *more)
{
    size_t length = strlen(text);

    CHECK(length + strlen(more) < bytes);
    snprintf(text + length, bytes - length, "%s", more);
}

static void on_state(void *context, uint32_t vm, enum vm_state state,
                     cycles_t now)
{
    struct vm_host *host = context;

    append(host->states[vm], sizeof(host->states[vm]), vmms_state_name(state));
    append(host->states[vm], sizeof(host->states[vm]), " ");
    if (vm != 0)
        return;
    if (state == VM_RUNNING && host->off_when_running)
        vmms_turn_off(host->vmms, vm, now);
    if (state == VM_OFF && host->start_when_off) {
        host->start_when_off = false;
        vmms_start(host->vmms, vm, now);
    }
}

static void on_console(void *context, uint32_t vm, uint8_t byte)
{
    struct vm_host *host = context;
    const char text[] = {(char)byte, '\0'};

    append(host->console[vm], sizeof(host->console[vm]), text);
}

static void on_result(void *context, uint32_t vm, const char *name,
                      const char *value, const char *unit)
{
    struct vm_host *host = context;

    (void)vm;
    (void)name;
    (void)value;
    (void)unit;
    host->results++;
}

static void on_done(void *context, uint32_t vm)
{
    struct vm_host *host = context;

    (void)vm;
    host->dones++;
}

static void on_fail(void *context, uint32_t vm, const char *why,
                    const char *text)
{
    struct vm_host *host = context;

    (void)text;
    host->failures++;
    snprintf(host->failure[vm], sizeof(host->failure[vm]), "%s", why);
}

void vm_host_create(struct vm_host *host, const struct script_config *config)
{
    struct vmms_listener listener = {.context = host,
                                     .on_state = on_state,
                                     .on_console = on_console,
                                     .on_result = on_result,
                                     .on_done = on_done,
                                     .on_fail = on_fail};
    struct sim_error error;

    memset(host, 0, sizeof(*host));
    root_host_create(&host->root, config);
    if (vmms_create(&host->vmms, host->root.root, &listener, &error) != SIM_OK)
        abort();
    host->free_bytes = root_memory_free_bytes(host->root.root->memory);
}

void vm_host_destroy(struct vm_host *host)
{
    /* The machine's hypervisor still runs what is in these VMs. */
    root_host_destroy(&host->root);
    vmms_free(host->vmms);
}

void vm_host_add(struct vm_host *host, uint32_t vp_count, uint64_t memory_bytes)
{
    static const char *const names[VM_HOST_VMS_MAX] = {"vm0", "vm1", "vm2",
                                                       "vm3"};
    uint32_t number = 0;
    struct sim_error error;

    while (host->scripts[number].vps)
        number++;
    CHECK(number < VM_HOST_VMS_MAX);

    struct script_vm *script = &host->scripts[number];

    script->vps = vp_count < SCRIPT_VPS_MAX ? vp_count : SCRIPT_VPS_MAX;

    struct vm_config config = {
        .name = names[number],
        .vp_count = vp_count,
        .node_count = host->numa_nodes ? host->numa_nodes : 1,
        .one_node = host->one_node,
        .memory_bytes = memory_bytes,
        .weight = 100,
        .cap = PARTITION_CPU_SHARE_MAX,
        .reserve = script->reserve,
        .affinity = script->affinity,
        .privileges = PRIVILEGES_DEFAULT,
        .features = FEATURES_KNOWN,
        .vmbus = host->vmbus,
        .heartbeat = true,
        .shutdown = true,
        .timesync = true,
        .image = {.name = names[number],
                  .bytes = host->images[number],
                  .size = script_image(script, host->images[number]),
                  .command_line = ""},
    };
    uint32_t got;

    if (vmms_add(host->vmms, &config, &got, &error) != SIM_OK) {
        fprintf(stderr, "%s\n", error.message);
        abort();
    }
    CHECK(got == number);
}

static void carry_out(void *context, cycles_t now)
{
    struct vm_host_order *order = context;

    if (order->start)
        vmms_start(order->host->vmms, order->vm, now);
    else
        vmms_turn_off(order->host->vmms, order->vm, now);
}

void vm_host_order(struct vm_host *host, uint64_t ns, uint32_t vm, bool start)
{
    CHECK(host->order_count < sizeof(host->orders) / sizeof(host->orders[0]));

    struct vm_host_order *order = &host->orders[host->order_count++];

    *order = (struct vm_host_order){
        .host = host,
        .vm = vm,
        .start = start,
        .event = {.kind = EVENT_TIMELINE,
                  .name = "order",
                  .fire = carry_out,
                  .context = order},
    };
    event_schedule(host->root.machine->events, &order->event, cycles(ns));
}

void vm_host_run(struct vm_host *host)
{
    root_host_run(&host->root);
}

uint64_t vm_host_missing_bytes(const struct vm_host *host)
{
    return host->free_bytes - root_memory_free_bytes(host->root.root->memory);
}
