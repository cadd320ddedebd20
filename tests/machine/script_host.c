/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/machine/script_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim/core/check.h"

#define FOLDER "scripts"
#define IMAGE_GPA 0x10000u
#define PAGE 4096u

#define MSR_APIC_BASE 0x1bu
#define MSR_X2APIC_EOI 0x80bu
#define MSR_X2APIC_SVR 0x80fu
#define MSR_X2APIC_ICR 0x830u
#define MSR_GUEST_OS_ID 0x40000000u
#define COM1 0x3f8u

void script_add(struct script *script, enum script_code code, uint32_t a,
                uint32_t b, uint8_t high)
{
    CHECK(script->count < SCRIPT_OPS_MAX);
    script->ops[script->count++] =
        (struct script_op){.code = (uint8_t)code, .high = high, .a = a, .b = b};
}

void script_begin(struct script *script, uint32_t vp, uint32_t vp_count)
{
    script_add(script, SCRIPT_WRMSR, MSR_APIC_BASE,
               0xfee00c00u | (vp == 0 ? 0x100u : 0), 0);
    script_add(script, SCRIPT_WRMSR, MSR_X2APIC_SVR, 0x1ff, 0);
    if (vp == 0)
        script_add(script, SCRIPT_WRMSR, MSR_GUEST_OS_ID, 1, 0);
    for (uint32_t i = 1; vp == 0 && i < vp_count; i++) {
        uint32_t page = (SCRIPT_ENTRY >> PAGE_SHIFT) + i;

        script_add(script, SCRIPT_WRMSR, MSR_X2APIC_ICR, 0x4500, (uint8_t)i);
        script_add(script, SCRIPT_WRMSR, MSR_X2APIC_ICR, 0x4600 | page,
                   (uint8_t)i);
    }
    script_add(script, SCRIPT_STI, 0, 0, 0);
}

void script_repeat(struct script *script, unsigned first)
{
    script_add(script, SCRIPT_JUMP, first - script->count, 0, 0);
}

void script_sleep(struct script *script)
{
    script_add(script, SCRIPT_HLT, 0, 0, 0);
    script_repeat(script, script->count - 1);
}

void script_print(struct script *script, const char *text)
{
    for (; *text; text++)
        script_add(script, SCRIPT_OUT, COM1, (uint8_t)*text, 1);
}

void script_config_init(struct script_config *config)
{
    *config = (struct script_config){
        .nodes = 1,
        .lps = 2,
        .root_vps = 2,
        .smt = 1,
        .smt_speed = SCENARIO_FRACTION_ONE,
        .remote_speed = SCENARIO_FRACTION_ONE,
        .slice_ns = 1000000,
        .quantum_ns = 10000,
        .interval_ns = 5000000,
        .duration_ns = 20000000,
        .timing = "table",
        .scheduler = "round-robin",
        .preempt_after_ns = 100000,
        .wake_boost_ns = 200000,
        .migrate_after_ns = 200000,
        .node_patience_ns = 50000,
        .period_ns = 10000000,
    };
}

size_t script_image(const struct script_vm *vm, uint8_t *image)
{
    const uint32_t magic = 0x1badb002u, flags = 0x10000u;
    const uint32_t end = IMAGE_GPA + (2 + vm->vps) * PAGE;
    const uint32_t header[] = {magic,     flags,       0 - magic - flags,
                               IMAGE_GPA, IMAGE_GPA,   end,
                               0,         SCRIPT_ENTRY};
    const struct script_op handler[] = {
        {.code = SCRIPT_RUN, .a = 300},
        {.code = SCRIPT_WRMSR, .a = MSR_X2APIC_EOI},
        {.code = SCRIPT_IRET},
    };

    CHECK(vm->vps <= SCRIPT_VPS_MAX);
    memset(image, 0, SCRIPT_IMAGE_BYTES_MAX);
    memcpy(image, header, sizeof(header));
    memcpy(image + PAGE, handler, sizeof(handler));
    for (uint32_t i = 0; i < vm->vps; i++)
        memcpy(image + (2 + i) * PAGE, vm->script[i].ops,
               vm->script[i].count * sizeof(struct script_op));
    return end - IMAGE_GPA;
}

static void write_image(const struct script_vm *vm, const char *name)
{
    uint8_t image[SCRIPT_IMAGE_BYTES_MAX];
    size_t bytes = script_image(vm, image);
    char path[64];

    mkdir(FOLDER, 0777);
    snprintf(path, sizeof(path), FOLDER "/%s", name);

    FILE *file = fopen(path, "wb");

    CHECK(file);
    CHECK(fwrite(image, 1, bytes, file) == bytes);
    CHECK(fclose(file) == 0);
}

static const struct scenario_enlightenments enlightened = {
    .hypervisor = true,
#define ENLIGHTENMENT(key, privileges, features, help) .key = true,
#include "sim/scenario/enlightenments.def"
#undef ENLIGHTENMENT
};

static void fill_vm(struct script_host *host,
                    const struct script_config *config, uint32_t index)
{
    const struct script_vm *from = &config->vms[index];
    char *name = host->names[index];

    snprintf(name, sizeof(host->names[index]), "vm%u", (unsigned)index);
    write_image(from, name);
    host->vms[index] = (struct scenario_vm){
        .shutdown_at_ns = SCENARIO_NO_TIME,
        .name = name,
        .count = 1,
        .vps = from->vps_at_first ? from->vps_at_first : from->vps,
        .memory_bytes =
            from->memory_bytes ? from->memory_bytes : UINT64_C(2) << 20,
        .vps_max = from->vps,
        .threads_per_core = from->threads_per_core ? from->threads_per_core : 1,
        .weight = from->weight ? from->weight : 100,
        .reserve = from->reserve,
        .limit = from->limit ? from->limit : SCENARIO_FRACTION_ONE,
        .group = from->group ? from->group : "",
        .affinity = from->affinity,
        .enlightenments = enlightened,
        .numa_nodes = 1,
        .guest = {.workload = name,
                  .kernel = "",
                  .initrd = "",
                  .cmdline = "",
                  .multiboot = "",
                  .flat = "",
                  .bits = ""},
    };
}

struct scenario_event *script_at(struct script_config *config, uint64_t time_ns)
{
    static char place[] = "script.yaml:1:1: at[0]";

    CHECK(config->at_count < SCRIPT_EVENTS_MAX);

    struct scenario_event *event = &config->at[config->at_count++];

    *event = (struct scenario_event){
        .time_ns = time_ns,
        .set = {.vm = "",
                .group = "",
                .weight = SCENARIO_NOT_SET,
                .reserve = SCENARIO_NOT_SET,
                .limit = SCENARIO_NOT_SET,
                .cap = SCENARIO_NOT_SET},
        .start = "",
        .stop = "",
        .add_vps = {.vm = "", .count = SCENARIO_NOT_SET},
        .place = place,
    };
    return event;
}

static void fill_scenario(struct script_host *host,
                          const struct script_config *config)
{
    CHECK(config->nodes <= 8);
    for (uint32_t i = 0; i < config->nodes; i++)
        host->nodes[i] = (struct scenario_node){
            config->lps, config->node_memory_bytes ? config->node_memory_bytes
                                                   : UINT64_C(64) << 20};
    host->scenario = (struct scenario){
        .version = 1,
        .name = "script",
        .seed = 1,
        .duration_ns = config->duration_ns,
        .host = {.profile = "reference-2020",
                 .smt = config->smt,
                 .smt_speed = config->smt_speed,
                 .remote_speed = config->remote_speed,
                 .frequency_hz = 1000000000,
                 .nodes = host->nodes,
                 .node_count = config->nodes},
        .hypervisor = {.scheduler = config->scheduler,
                       .translation = "slat",
                       .timing = config->timing,
                       .sync_quantum_ns = config->quantum_ns,
                       .timeslice_ns = config->slice_ns,
                       .preempt_after_ns = config->preempt_after_ns,
                       .wake_boost_ns = config->wake_boost_ns,
                       .migrate_after_ns = config->migrate_after_ns,
                       .node_patience_ns = config->node_patience_ns,
                       .control_period_ns = config->period_ns,
                       .long_spin_wait =
                           config->spin_yields ? "yield" : "ignore",
                       .numa_spanning = true},
        .root = {.vps = config->root_vps, .memory_bytes = 8 << 20},
        .vms = host->vms,
        .vm_count = config->vm_count,
        .groups = host->groups,
        .group_count = config->group_count,
        .at = host->at,
        .at_count = config->at_count,
        .counters = {.interval_ns = config->interval_ns, .trace = true},
    };
}

void script_host_create(struct script_host *host,
                        const struct script_config *config)
{
    *host = (struct script_host){0};
    fill_scenario(host, config);
    memcpy(host->groups, config->groups, sizeof(host->groups));
    memcpy(host->at, config->at, sizeof(host->at));
    for (uint32_t i = 0; i < config->vm_count; i++)
        fill_vm(host, config, i);
    CHECK(setenv("HVSIM_WORKLOADS", FOLDER, 1) == 0);
    if (machine_create(&host->machine, &host->scenario, &host->results,
                       &host->error) != SIM_OK) {
        fprintf(stderr, "%s\n", host->error.message);
        abort();
    }
}

enum sim_status script_host_run(struct script_host *host)
{
    const struct machine_run_options options = {0};

    return machine_run(host->machine, &options, &host->error);
}

void script_host_destroy(struct script_host *host)
{
    machine_free(host->machine);
    fake_results_clear(&host->results);
}
