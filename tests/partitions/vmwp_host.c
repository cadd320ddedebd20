/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/partitions/vmwp_host.h"

#include <stdlib.h>
#include <string.h>

#include "hypervisor/intercept.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

#define TABLES 0x1000u /* four levels, a page each */
#define RIP 0x5000u
#define PRESENT_WRITE_USER 7u

static void on_byte(void *context, uint8_t byte)
{
    struct vmwp_host *host = context;

    CHECK(host->console_bytes + 1 < sizeof(host->console));
    host->console[host->console_bytes++] = (char)byte;
}

static void on_result(void *context, const char *name, const char *value,
                      const char *unit)
{
    (void)context;
    (void)name;
    (void)value;
    (void)unit;
}

static void on_done(void *context)
{
    (void)context;
}

static void on_fail(void *context, const char *text)
{
    (void)context;
    (void)text;
}

static void on_stopped(void *context, struct hv_context *hv_context,
                       enum vmwp_end end, const char *why)
{
    struct vmwp_host *host = context;

    (void)hv_context;
    host->stopped = why;
    host->end = end;
    host->ends++;
}

static void create_partition(struct vmwp_host *host, struct hv_context *context)
{
    struct winhv *winhv = &host->winhv;
    struct root_memory *memory = host->root.root->memory;
    spa_t pages[16];
    uint32_t done;

    CHECK(winhv_create_partition(winhv, context, &host->partition) ==
          HV_STATUS_SUCCESS);
    for (size_t i = 0; i < 16; i++)
        CHECK(root_memory_take_page(memory, 0, &pages[i]));
    CHECK(winhv_deposit_memory(winhv, context, host->partition, pages, 16,
                               &done) == HV_STATUS_SUCCESS);
    CHECK(winhv_initialize_partition(winhv, context, host->partition) ==
          HV_STATUS_SUCCESS);
    CHECK(winhv_map_pages(winhv, context, host->partition, gpa(0),
                          &host->memory, 1, true, &done) == HV_STATUS_SUCCESS);
    CHECK(winhv_create_vp(winhv, context, host->partition, 0, 0) ==
          HV_STATUS_SUCCESS);
    host->vmwp->partition = host->partition;
    for (uint32_t i = 0; i < context->hv->partition_count; i++) {
        if (context->hv->partitions[i]->id.v == host->partition.v)
            host->vp = context->hv->partitions[i]->vps[0];
    }
    engine_set_state(host->vp->engine, &host->state);
}

/* Sets up; then a message at a time, when the VP waits for none. */
static void drive(struct root_job *job, struct hv_context *context,
                  unsigned step)
{
    struct vmwp_host *host = job->context;

    if (step == 0) {
        create_partition(host, context);
    } else if (host->sent < host->message_count) {
        if (host->vmwp->vps[0].message_waiting)
            return;
        if (host->before)
            host->before(host, host->sent);
        host->vp->intercept_suspend = true;
        vmwp_receive(host->vmwp, context,
                     (const uint8_t *)&host->messages[host->sent++]);
    }
}

static void set_up_state(struct x86_state *state)
{
    const struct x86_segment code = {
        .limit = UINT32_MAX, .selector = 0x08, .attributes = 0xa09b};
    const struct x86_segment data = {
        .limit = UINT32_MAX, .selector = 0x10, .attributes = 0xc093};

    x86_reset(state);
    for (unsigned i = 0; i < X86_SEGMENT_COUNT; i++)
        state->segment[i] = i == X86_CS ? code : data;
    state->cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_ET;
    state->cr3 = TABLES;
    state->cr4 = CR4_PAE;
    state->efer = EFER_LME | EFER_LMA;
    state->rflags = RFLAGS_FIXED;
    state->rip = RIP;
}

void vmwp_host_create(struct vmwp_host *host)
{
    const struct console_listener listener = {.context = host,
                                              .on_byte = on_byte,
                                              .on_result = on_result,
                                              .on_done = on_done,
                                              .on_fail = on_fail};
    struct script_config config;
    struct sim_error error;

    memset(host, 0, sizeof(*host));
    script_config_init(&config);
    root_host_create(&host->root, &config);
    CHECK(winhv_init(&host->winhv, host->root.root, &error) == SIM_OK);
    host->vmwp = vmwp_create(host->root.root, &host->winhv, 1, 1, &listener,
                             on_stopped, host);
    CHECK(host->vmwp);
    CHECK(root_memory_take_block(host->root.root->memory, 0, &host->memory));
    set_up_state(&host->state);
    for (uint64_t level = 0; level < 3; level++) {
        uint64_t entry =
            (TABLES + (level + 1) * PAGE_BYTES) | PRESENT_WRITE_USER;

        vmwp_host_write(host, TABLES + level * PAGE_BYTES, &entry,
                        sizeof(entry));
    }
    host->job = root_job('j', 100, COST_VMWP_COMPLETE, drive, host);
    root_host_add(&host->root, &host->job);
    root_host_wake(&host->root, &host->job);
}

void vmwp_host_destroy(struct vmwp_host *host)
{
    vmwp_free(host->vmwp);
    root_host_destroy(&host->root);
}

int vmwp_host_setup(void **state)
{
    vmwp_host_create(*state);
    return 0;
}

int vmwp_host_teardown(void **state)
{
    vmwp_host_destroy(*state);
    return 0;
}

static spa_t entry_at(const struct vmwp_host *host, uint64_t page)
{
    CHECK(page < 512);
    return spa_add(host->memory, TABLES + 3 * PAGE_BYTES + page * 8);
}

void vmwp_host_map(struct vmwp_host *host, uint64_t page, uint64_t to,
                   uint64_t flags)
{
    uint64_t entry = to | flags;

    arena_write(host->root.machine->hv->arena, entry_at(host, page), &entry,
                sizeof(entry));
}

uint64_t vmwp_host_entry(struct vmwp_host *host, uint64_t page)
{
    uint64_t entry;

    arena_read(host->root.machine->hv->arena, entry_at(host, page), &entry,
               sizeof(entry));
    return entry;
}

void vmwp_host_write(struct vmwp_host *host, uint64_t to, const void *bytes,
                     size_t count)
{
    arena_write(host->root.machine->hv->arena, spa_add(host->memory, to), bytes,
                count);
}

void vmwp_host_read(struct vmwp_host *host, uint64_t from, void *bytes,
                    size_t count)
{
    arena_read(host->root.machine->hv->arena, spa_add(host->memory, from),
               bytes, count);
}

static struct vmwp_host_segment segment(const struct x86_segment *from)
{
    return (struct vmwp_host_segment){from->base, from->limit, from->selector,
                                      from->attributes};
}

struct vmwp_host_message *vmwp_host_io(struct vmwp_host *host, uint16_t port,
                                       uint8_t bytes, bool in)
{
    const struct x86_state *state = &host->state;

    CHECK(host->message_count < VMWP_HOST_MESSAGES_MAX);

    struct vmwp_host_message *message = &host->messages[host->message_count++];

    *message = (struct vmwp_host_message){
        .type = INTERCEPT_IO_PORT,
        .instruction_bytes = 2,
        .access = !in,
        .execution_state = (uint16_t)(0x4u | x86_cpl(state) |
                                      (x86_long_mode(state) ? 0x10u : 0)),
        .cs = segment(&state->segment[X86_CS]),
        .rip = state->rip,
        .rflags = state->rflags,
        .port = port,
        .info = bytes,
        .fetched_bytes = 2,
        .rax = state->gpr[X86_RAX],
        .fetched = {0xf3, 0x6e},
        .ds = segment(&state->segment[X86_DS]),
        .es = segment(&state->segment[X86_ES]),
        .rcx = state->gpr[X86_RCX],
        .rsi = state->gpr[X86_RSI],
        .rdi = state->gpr[X86_RDI],
    };
    return message;
}

uint8_t *vmwp_host_access(struct vmwp_host *host, uint64_t gpa, uint64_t gva,
                          uint8_t access, const char *code, uint8_t length)
{
    struct vmwp_host_message *message = vmwp_host_io(host, 0, 1, true);
    uint8_t *p = (uint8_t *)message + 16;

    message->type = INTERCEPT_UNMAPPED_GPA;
    message->instruction_bytes = length;
    message->access = access;
    memset(p + 0x28, 0, 240 - 0x28);
    p[VMWP_HOST_FETCHED_BYTES] = 16;
    p[VMWP_HOST_FLAGS] = 3;
    memcpy(p + VMWP_HOST_GVA, &gva, sizeof(gva));
    memcpy(p + VMWP_HOST_GPA, &gpa, sizeof(gpa));
    memcpy(p + VMWP_HOST_FETCHED, code, length);
    memset(p + VMWP_HOST_FETCHED + length, 0x90, 16u - length);
    return p;
}

void vmwp_host_run(struct vmwp_host *host)
{
    root_host_run(&host->root);
    CHECK(host->sent == host->message_count && host->job.runs == 1);
    engine_get_state(host->vp->engine, &host->state);
}
