/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Starting a VM: the work of a VMMS thread, phase by phase. Every phase makes
 * its hypercalls and notes its price; long phases go in pieces, so that root
 * VPs can be pre-empted and other work comes in between.
 */
#include <inttypes.h>
#include <string.h>

#include "hypervisor/intercept.h"
#include "hypervisor/memory.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp_registers.h"
#include "partitions/firmware.h"
#include "partitions/vm_private.h"
#include "sim/core/check.h"

#define PAGES_PER_BLOCK ((uint32_t)(ROOT_MEMORY_BLOCK_BYTES / PAGE_BYTES))
#define BLOCKS_PER_CALL 16
#define COPY_BYTES (UINT64_C(1) << 20)

/* A call that failed for want of memory is made again after a deposit. */
static enum vm_phase_result after_call(struct vm *vm,
                                       struct hv_context *context,
                                       const char *what, enum hv_status status)
{
    if (status == HV_STATUS_SUCCESS)
        return PHASE_NEXT;
    if (status != HV_STATUS_INSUFFICIENT_MEMORY)
        return vmms_fail(vm, context, "cannot %s: %s", what,
                         hv_status_name(status));
    if (!vmms_deposit(vm, context))
        return vmms_fail(vm, context,
                         "cannot %s: the root has no memory left to deposit",
                         what);
    return PHASE_REPEAT;
}

/* The same where the phase has more calls to make, and counts them. */
static enum vm_phase_result after_each(struct vm *vm,
                                       struct hv_context *context,
                                       const char *what, enum hv_status status)
{
    enum vm_phase_result result = after_call(vm, context, what, status);

    if (result == PHASE_NEXT)
        vm->progress++;
    return result == PHASE_FAILED ? PHASE_FAILED : PHASE_REPEAT;
}

/* Firmware tells of the VPs that there are when the VM starts: those that were
 * added before it was turned off are among them. */
static bool plan_again(struct vm *vm)
{
    struct sim_error error;

    if (vm->planned_vps == vm->config.vp_count)
        return true;
    return vmms_plan(vm, &error) == SIM_OK;
}

static enum vm_phase_result begin(struct vm *vm, struct hv_context *context)
{
    if (vm->config.group != 0 && !vmms_has_groups(vm->vmms))
        return PHASE_WAIT;
    if (!plan_again(vm))
        return vmms_fail(vm, context, "its firmware cannot be laid out anew");
    if (vmms_check_reserve(vm, context) == PHASE_FAILED)
        return PHASE_FAILED;
    vm->vps_resumed = 0;
    vm->vps_told = vm->config.vp_count;
    vm->node = vmms_choose_node(vm->vmms);
    pc_vid_set(&vm->memory, PC_VID_PREFERRED_NODE, vm->node);
    cost_note(context->bill, COST_VMMS_OPERATION, 1);
    return vm->config.one_node ? vmms_check_nodes(vm, context) : PHASE_NEXT;
}

static enum vm_phase_result create_partition(struct vm *vm,
                                             struct hv_context *context)
{
    enum vm_phase_result result = after_call(
        vm, context, "create the partition",
        winhv_create_partition(&vm->vmms->winhv, context, &vm->partition));

    vm->vmwp->partition = vm->partition;
    return result;
}

/* Where its VPs may run: before there are any. */
static enum vm_phase_result place(struct vm *vm, struct hv_context *context)
{
    const struct vm_config *config = &vm->config;
    struct winhv *winhv = &vm->vmms->winhv;
    enum hv_status status = HV_STATUS_SUCCESS;

    if (config->group != 0)
        status =
            winhv_set_property(winhv, context, vm->partition,
                               PARTITION_PROPERTY_CPU_GROUP_ID, config->group);
    if (status != HV_STATUS_SUCCESS)
        return vmms_fail(vm, context, "cannot put it into its CPU group: %s",
                         hv_status_name(status));
    if (!lp_set_is_empty(&config->affinity))
        status = winhv_set_affinity(winhv, context, vm->partition,
                                    &config->affinity);
    if (status != HV_STATUS_SUCCESS)
        return vmms_fail(vm, context, "cannot set its affinity: %s",
                         hv_status_name(status));
    return PHASE_NEXT;
}

static enum vm_phase_result set_properties(struct vm *vm,
                                           struct hv_context *context)
{
    const struct vm_config *config = &vm->config;
    uint64_t reserve = vmms_reserve_to_ask(vm);
    /* A new partition has the usual values: a call is made for others. */
    const struct {
        const char *what;
        uint32_t code;
        uint64_t value;
        bool is_usual;
    } properties[] = {
        {"privileges", PARTITION_PROPERTY_PRIVILEGES, config->privileges,
         false},
        {"weight", PARTITION_PROPERTY_CPU_WEIGHT, config->weight, false},
        {"limit", PARTITION_PROPERTY_CPU_CAP, config->cap, false},
        {"reserve", PARTITION_PROPERTY_CPU_RESERVE, reserve, false},
        {"features", PARTITION_PROPERTY_SYNTHETIC_FEATURES, config->features,
         config->features == FEATURES_KNOWN},
        {"number of VPs", PARTITION_PROPERTY_PROCESSORS_PER_SOCKET,
         config->vp_count_max, config->vp_count_max == config->vp_count},
        {"threads per core", PARTITION_PROPERTY_THREADS_PER_CORE,
         config->threads_per_core, config->threads_per_core <= 1},
    };

    for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++) {
        enum hv_status status = HV_STATUS_SUCCESS;

        if (!properties[i].is_usual)
            status =
                winhv_set_property(&vm->vmms->winhv, context, vm->partition,
                                   properties[i].code, properties[i].value);
        if (status != HV_STATUS_SUCCESS)
            return vmms_fail(vm, context, "cannot set its %s: %s",
                             properties[i].what, hv_status_name(status));
    }
    return place(vm, context);
}

static enum vm_phase_result initialize(struct vm *vm,
                                       struct hv_context *context)
{
    enum hv_status status =
        winhv_initialize_partition(&vm->vmms->winhv, context, vm->partition);

    vm->initialized = status == HV_STATUS_SUCCESS;
    return after_call(vm, context, "initialize the partition", status);
}

/* Whether block `index` has come from the node that it should. */
static bool is_at_home(const struct vm *vm, const struct hv_context *context,
                       uint64_t index)
{
    return memory_node_of(context->hv->memory, vm->blocks[index]) ==
           vmms_block_node(vm, index);
}

/* For the counters. */
static void note_block(struct vm *vm, bool is_remote)
{
    vm->blocks_remote += is_remote;
    pc_vid_set(&vm->memory, PC_VID_PAGES, vm->blocks_taken * PAGES_PER_BLOCK);
    pc_vid_set(&vm->memory, PC_VID_REMOTE_PAGES,
               vm->blocks_remote * PAGES_PER_BLOCK);
}

/* Takes and clears a few blocks at a time: the root writes every page. */
static enum vm_phase_result take_memory(struct vm *vm,
                                        struct hv_context *context)
{
    if (vm->blocks_taken == vm->block_count)
        return PHASE_NEXT;
    if (!root_memory_take_block(vm->vmms->root->memory,
                                vmms_block_node(vm, vm->blocks_taken),
                                &vm->blocks[vm->blocks_taken]))
        return vmms_fail(vm, context,
                         "not enough memory: %" PRIu64 " of %" PRIu64
                         " MiB could be had, since the hypervisor keeps some "
                         "of each node",
                         vm->blocks_taken * 2, vm->block_count * 2);
    if (vm->config.one_node && !is_at_home(vm, context, vm->blocks_taken)) {
        vm->blocks_taken++; /* to be given back */
        return vmms_fail(vm, context,
                         "a NUMA node has too little memory in one piece; it "
                         "may not span nodes");
    }
    arena_zero_pages(context->hv->arena, vm->blocks[vm->blocks_taken],
                     PAGES_PER_BLOCK);
    vm->blocks_taken++;
    note_block(vm, !is_at_home(vm, context, vm->blocks_taken - 1));
    cost_note(context->bill, COST_ROOT_PAGE_CLEAR, PAGES_PER_BLOCK);
    return PHASE_REPEAT;
}

/* Where block `index` of the VM's memory lies: below the hole for devices, or
 * above 4 GiB. */
static gpa_t block_gpa(uint64_t index)
{
    uint64_t at = index * ROOT_MEMORY_BLOCK_BYTES;

    return gpa(at < GUEST_LOW_BYTES_MAX
                   ? at
                   : at - GUEST_LOW_BYTES_MAX + GUEST_HIGH_GPA);
}

static enum vm_phase_result map_memory(struct vm *vm,
                                       struct hv_context *context)
{
    uint64_t left = vm->block_count - vm->progress;
    uint64_t low_blocks = GUEST_LOW_BYTES_MAX / ROOT_MEMORY_BLOCK_BYTES;
    uint32_t count;
    uint32_t done = 0;
    enum hv_status status;

    if (left == 0)
        return PHASE_NEXT;
    if (vm->progress < low_blocks && left > low_blocks - vm->progress)
        left = low_blocks - vm->progress;
    count = left < BLOCKS_PER_CALL ? (uint32_t)left : BLOCKS_PER_CALL;
    status = winhv_map_pages(&vm->vmms->winhv, context, vm->partition,
                             block_gpa(vm->progress), &vm->blocks[vm->progress],
                             count, true, &done);
    vm->progress += done;
    return after_call(vm, context, "map its memory", status) == PHASE_FAILED
               ? PHASE_FAILED
               : PHASE_REPEAT;
}

enum vm_phase_result vmms_create_vps(struct vm *vm, struct hv_context *context)
{
    const struct vm_config *config = &vm->config;
    enum hv_status status;

    if (vm->vps_created == config->vp_count)
        return PHASE_NEXT;
    status =
        winhv_create_vp(&vm->vmms->winhv, context, vm->partition,
                        vm->vps_created, vmms_vp_node(vm, vm->vps_created));
    vm->vps_created += status == HV_STATUS_SUCCESS;
    /* The reserve that is set cannot be promised to one more. */
    if (status == HV_STATUS_OPERATION_DENIED)
        return vmms_refuse_reserve(vm, context, config->reserve);
    return after_each(vm, context, "create a VP", status);
}

/* Ports and connections for the guest's messages to VMBus. */
static enum vm_phase_result connect_bus(struct vm *vm,
                                        struct hv_context *context)
{
    enum hv_status status;
    bool done = true;

    if (!vm->bus)
        return PHASE_NEXT;
    status = vmbusr_start(vm->bus, context, vm->partition, vm->node, &done);
    if (status != HV_STATUS_SUCCESS)
        return vmms_fail(vm, context, "cannot connect it to VMBus: %s",
                         hv_status_name(status));
    return done ? PHASE_NEXT : PHASE_REPEAT;
}

/* Pages that a guest lays over its memory by itself. */
#define OVERLAYS_OF_PARTITION 2 /* hypercalls, reference TSC */
#define OVERLAYS_OF_VP 3        /* SIMP, SIEFP, VP assist */
#define PAGES_PER_OVERLAY 2     /* itself, and a table where it is */

/* What VMBus takes when the guest asks for it: buffers of the port for its
 * messages, and records of ports and connections of some sixty channels. */
#define PAGES_OF_BUS 3

/* The VM has what its guest will need of the hypervisor's memory: an MSR write
 * that fails for want of a page cannot ask for a deposit. */
enum vm_phase_result vmms_provide(struct vm *vm, struct hv_context *context)
{
    uint64_t needed =
        PAGES_PER_OVERLAY * (OVERLAYS_OF_PARTITION +
                             OVERLAYS_OF_VP * (uint64_t)vm->vps_created) +
        (vm->bus ? PAGES_OF_BUS : 0);
    uint64_t available;
    enum hv_status status = winhv_get_memory_balance(&vm->vmms->winhv, context,
                                                     vm->partition, &available);

    if (status == HV_STATUS_SUCCESS && available < needed)
        status = HV_STATUS_INSUFFICIENT_MEMORY;
    return after_call(vm, context, "provide for its guest", status);
}

/* One port of the devices at a time. Their memory needs none: it is not
 * mapped. */
static enum vm_phase_result install_intercepts(struct vm *vm,
                                               struct hv_context *context)
{
    uint16_t port;

    if (!vdev_bus_port(&vm->vmwp->bus, vm->progress, &port))
        return PHASE_NEXT;
    return after_each(
        vm, context, "install an I/O intercept",
        winhv_install_intercept(&vm->vmms->winhv, context, vm->partition,
                                INTERCEPT_TYPE_IO_PORT,
                                INTERCEPT_ACCESS_READ_WRITE, port));
}

/* Where the root sees the VM's memory at `at`, and how much lies together. */
static spa_t vm_memory_at(const struct vm *vm, gpa_t at, uint64_t *room)
{
    uint64_t linear = at.raw < GUEST_LOW_BYTES_MAX
                          ? at.raw
                          : at.raw - GUEST_HIGH_GPA + GUEST_LOW_BYTES_MAX;
    uint64_t block = linear / ROOT_MEMORY_BLOCK_BYTES;

    CHECK(block < vm->block_count);
    *room = ROOT_MEMORY_BLOCK_BYTES - linear % ROOT_MEMORY_BLOCK_BYTES;
    return spa_add(vm->blocks[block], linear % ROOT_MEMORY_BLOCK_BYTES);
}

/* Copies a part of the piece, from `done` on, and returns its bytes. */
static uint64_t copy_part(struct vm *vm, struct hv_context *context,
                          const struct guest_piece *piece, uint64_t done)
{
    uint64_t bytes = piece->bytes - done;
    uint64_t room;
    spa_t to = vm_memory_at(vm, gpa_add(piece->to, done), &room);

    if (bytes > COPY_BYTES)
        bytes = COPY_BYTES;
    if (bytes > room)
        bytes = room;
    arena_write(context->hv->arena, to, piece->from + done, bytes);
    cost_note(context->bill, COST_ROOT_PAGE_COPY,
              (uint32_t)((bytes + PAGE_BYTES - 1) / PAGE_BYTES));
    return bytes;
}

/* A part of a piece at a time; `progress` counts their bytes. What follows a
 * piece in zeros is zero already: the memory is fresh. */
static enum vm_phase_result load_image(struct vm *vm,
                                       struct hv_context *context)
{
    uint64_t done = vm->progress;

    for (unsigned i = 0; i < vm->plan.piece_count; i++) {
        const struct guest_piece *piece = &vm->plan.pieces[i];

        if (done < piece->bytes) {
            vm->progress += copy_part(vm, context, piece, done);
            return PHASE_REPEAT;
        }
        done -= piece->bytes;
    }
    return PHASE_NEXT;
}

static struct winhv_register segment_register(uint32_t name,
                                              const struct x86_segment *s)
{
    return (struct winhv_register){
        name,
        {s->base, s->limit | (uint64_t)s->selector << 32 |
                      (uint64_t)s->attributes << 48}};
}

static struct winhv_register table_register(uint32_t name,
                                            const struct x86_table *t)
{
    return (struct winhv_register){
        name, {(uint64_t)(uint16_t)t->limit << 48, t->base}};
}

/* All that the loader decided about VP 0. */
static enum vm_phase_result set_registers(struct vm *vm,
                                          struct hv_context *context)
{
    const struct x86_state *s = &vm->plan.state;
    struct winhv_register r[WINHV_REGISTERS_MAX];
    uint32_t n = 0;

    for (uint32_t i = 0; i < X86_GPR_COUNT; i++)
        r[n++] = (struct winhv_register){HV_REGISTER_RAX + i, {s->gpr[i], 0}};
    r[n++] = (struct winhv_register){HV_REGISTER_RIP, {s->rip, 0}};
    r[n++] = (struct winhv_register){HV_REGISTER_RFLAGS, {s->rflags, 0}};
    r[n++] = (struct winhv_register){HV_REGISTER_EFER, {s->efer, 0}};
    r[n++] = (struct winhv_register){HV_REGISTER_CR4, {s->cr4, 0}};
    r[n++] = (struct winhv_register){HV_REGISTER_CR3, {s->cr3, 0}};
    r[n++] = (struct winhv_register){HV_REGISTER_CR0, {s->cr0, 0}};
    for (uint32_t i = 0; i < X86_SEGMENT_COUNT; i++)
        r[n++] = segment_register(HV_REGISTER_ES + i, &s->segment[i]);
    r[n++] = segment_register(HV_REGISTER_LDTR, &s->ldtr);
    r[n++] = segment_register(HV_REGISTER_TR, &s->tr);
    r[n++] = table_register(HV_REGISTER_IDTR, &s->idtr);
    r[n++] = table_register(HV_REGISTER_GDTR, &s->gdtr);
    return after_call(
        vm, context, "set the registers of VP 0",
        winhv_set_registers(&vm->vmms->winhv, context, vm->partition, 0, r, n));
}

/* Lets the VPs go; the others wait for their start-up IPI. */
enum vm_phase_result vmms_resume_vps(struct vm *vm, struct hv_context *context)
{
    const struct winhv_register r = {HV_REGISTER_EXPLICIT_SUSPEND, {0, 0}};

    if (vm->vps_resumed == vm->config.vp_count)
        return PHASE_NEXT;

    uint32_t vp_index = vm->vps_resumed++;
    enum hv_status status = winhv_set_registers(&vm->vmms->winhv, context,
                                                vm->partition, vp_index, &r, 1);

    if (status != HV_STATUS_SUCCESS)
        return vmms_fail(vm, context, "cannot start VP %" PRIu32 ": %s",
                         vp_index, hv_status_name(status));
    return PHASE_REPEAT;
}

vm_phase_fn *const vmms_start_phases[] = {
    begin,
    create_partition,
    initialize,
    set_properties,
    take_memory,
    map_memory,
    install_intercepts,
    vmms_create_vps,
    connect_bus,
    vmms_provide,
    load_image,
    set_registers,
    vmms_resume_vps,
    NULL,
};
