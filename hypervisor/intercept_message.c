/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intercept messages: what a parent learns of its child's intercept. Layouts
 * are those of the current interface (HV_X64_INTERCEPT_MESSAGE_HEADER and the
 * structures that begin with it).
 */
#include <string.h>

#include "hypervisor/cpuid.h"
#include "hypervisor/intercept.h"
#include "hypervisor/lp.h"
#include "hypervisor/partition.h"
#include "hypervisor/synic.h"
#include "hypervisor/vector_map.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

/* The access that was intercepted: a value here, where an installed intercept
 * has a mask. */
enum access {
    ACCESS_READ = 0,
    ACCESS_WRITE = 1,
    ACCESS_EXECUTE = 2,
};

struct segment {
    uint64_t base;
    uint32_t limit;
    uint16_t selector;
    uint16_t attributes;
};

struct header {
    uint32_t vp_index;
    uint8_t length_and_cr8; /* instruction length 3:0, CR8 7:4 */
    uint8_t access;
    uint16_t execution_state;
    struct segment cs;
    uint64_t rip;
    uint64_t rflags;
};

#define STATE_PE (1u << 2)
#define STATE_AM (1u << 3)
#define STATE_LMA (1u << 4)
#define STATE_DEBUG (1u << 5)
#define STATE_SHADOW (1u << 12)

#define DR7_ENABLES 0xffu

struct io_message {
    struct header header;
    uint16_t port;
    uint8_t access_info; /* size 2:0, string 3, rep 4 */
    uint8_t instruction_count;
    uint32_t reserved;
    uint64_t rax;
    uint8_t instruction[16];
    struct segment ds, es;
    uint64_t rcx, rsi, rdi;
};

struct memory_message {
    struct header header;
    uint32_t cache_type;
    uint8_t instruction_count;
    uint8_t flags; /* GVA valid 0, GVA to GPA mapping valid 1 */
    uint8_t tpr;
    uint8_t reserved;
    uint64_t gva;
    uint64_t gpa;
    uint8_t instruction[16];
};

#define CACHE_WRITE_BACK 6

struct msr_message {
    struct header header;
    uint32_t index;
    uint32_t reserved;
    uint64_t rdx, rax;
};

struct cpuid_message {
    struct header header;
    uint64_t rax, rcx, rdx, rbx;
    uint64_t default_rax, default_rcx, default_rdx, default_rbx;
};

struct exception_message {
    struct header header;
    uint16_t vector;
    uint8_t flags; /* error code valid 0 */
    uint8_t instruction_count;
    uint32_t error_code;
    uint64_t parameter; /* CR2 */
    uint64_t reserved;
    uint8_t instruction[16];
    struct segment ds, ss;
    /* RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8..R15: as numbered */
    uint64_t gpr[X86_GPR_COUNT];
};

struct unsupported_message {
    uint32_t vp_index;
    uint32_t feature;
    uint64_t parameter;
};

#define UNSUPPORTED_TASK_SWITCH 2

struct eoi_message {
    uint32_t vp_index;
    uint32_t vector;
};

union payload {
    struct header header;
    struct io_message io;
    struct memory_message memory;
    struct msr_message msr;
    struct cpuid_message cpuid;
    struct exception_message exception;
    struct unsupported_message unsupported;
};

_Static_assert(sizeof(struct header) == 0x28, "as public");
_Static_assert(sizeof(struct io_message) == 0x80, "as public");
_Static_assert(sizeof(struct memory_message) == 0x50, "as public");
_Static_assert(sizeof(struct msr_message) == 0x40, "as public");
_Static_assert(sizeof(struct cpuid_message) == 0x68, "as public");
_Static_assert(sizeof(struct exception_message) == SYNIC_PAYLOAD_BYTES_MAX,
               "as public");
_Static_assert(sizeof(union payload) <= INTERCEPT_PAYLOAD_BYTES_MAX,
               "a message holds any payload");

static struct segment make_segment(const struct x86_segment *from)
{
    return (struct segment){from->base, from->limit, from->selector,
                            from->attributes};
}

static uint16_t execution_state(const struct x86_state *state)
{
    unsigned bits = x86_cpl(state);

    bits |= (state->cr0 & CR0_PE) != 0 ? STATE_PE : 0;
    bits |= (state->cr0 & CR0_AM) != 0 ? STATE_AM : 0;
    bits |= x86_long_mode(state) ? STATE_LMA : 0;
    bits |= (state->dr[7] & DR7_ENABLES) != 0 ? STATE_DEBUG : 0;
    bits |= state->interrupt_shadow ? STATE_SHADOW : 0;
    return (uint16_t)bits;
}

static enum access access_of(const struct vm_exit *exit)
{
    switch (exit->kind) {
    case VM_EXIT_IO:
        return exit->u.io.in ? ACCESS_READ : ACCESS_WRITE;
    case VM_EXIT_RDMSR:
        return ACCESS_READ;
    case VM_EXIT_WRMSR:
        return ACCESS_WRITE;
    case VM_EXIT_GPA:
        if (exit->u.gpa.fetch)
            return ACCESS_EXECUTE;
        return exit->u.gpa.write ? ACCESS_WRITE : ACCESS_READ;
    case VM_EXIT_LIMIT:
    case VM_EXIT_INTERRUPT_WINDOW:
    case VM_EXIT_STOPPED:
    case VM_EXIT_HLT:
    case VM_EXIT_CPUID:
    case VM_EXIT_HYPERCALL:
    case VM_EXIT_CR8:
    case VM_EXIT_PAUSE:
    case VM_EXIT_EXCEPTION:
    case VM_EXIT_TASK_GATE:
    case VM_EXIT_SHUTDOWN:
    case VM_EXIT_KIND_COUNT:
        break;
    }
    return ACCESS_EXECUTE;
}

static struct header make_header(const struct hv_vp *vp,
                                 const struct vm_exit *exit,
                                 const struct x86_state *state)
{
    unsigned cr8 = (unsigned)lapic_tpr(&vp->lapic) & 0xf0;

    return (struct header){
        .vp_index = vp->index.v,
        .length_and_cr8 = (uint8_t)((exit->instruction_bytes & 0xfu) | cr8),
        .access = (uint8_t)access_of(exit),
        .execution_state = execution_state(state),
        .cs = make_segment(&state->segment[X86_CS]),
        .rip = state->rip,
        .rflags = state->rflags,
    };
}

static uint8_t fetch(const struct hv_vp *vp, uint8_t instruction[16])
{
    return (uint8_t)engine_fetch(vp->engine, instruction);
}

static uint32_t fill_io(struct io_message *io, const struct hv_vp *vp,
                        const struct vm_exit *exit,
                        const struct x86_state *state)
{
    io->port = exit->u.io.port;
    io->access_info = (uint8_t)(exit->u.io.bytes | exit->u.io.string << 3 |
                                exit->u.io.repeated << 4);
    io->instruction_count = fetch(vp, io->instruction);
    io->rax = state->gpr[X86_RAX];
    io->ds = make_segment(&state->segment[X86_DS]);
    io->es = make_segment(&state->segment[X86_ES]);
    io->rcx = state->gpr[X86_RCX];
    io->rsi = state->gpr[X86_RSI];
    io->rdi = state->gpr[X86_RDI];
    return sizeof(*io);
}

static uint32_t fill_memory(struct memory_message *memory,
                            const struct hv_vp *vp, const struct vm_exit *exit)
{
    memory->cache_type = CACHE_WRITE_BACK;
    memory->instruction_count = fetch(vp, memory->instruction);
    memory->flags = exit->u.gpa.in_walk ? 0x1 : 0x3;
    memory->tpr = (uint8_t)lapic_tpr(&vp->lapic);
    memory->gva = exit->u.gpa.gva.raw;
    memory->gpa = exit->u.gpa.gpa.raw;
    return sizeof(*memory);
}

static uint32_t fill_msr(struct msr_message *msr, const struct vm_exit *exit,
                         const struct x86_state *state)
{
    msr->index = exit->u.msr.index;
    msr->rdx = state->gpr[X86_RDX];
    msr->rax = state->gpr[X86_RAX];
    return sizeof(*msr);
}

static uint32_t fill_cpuid(struct cpuid_message *cpuid, const struct hv_vp *vp,
                           const struct vm_exit *exit,
                           const struct x86_state *state)
{
    struct cpuid_result result =
        cpuid_query(vp, exit->u.cpuid.leaf, exit->u.cpuid.subleaf);

    cpuid->rax = state->gpr[X86_RAX];
    cpuid->rcx = state->gpr[X86_RCX];
    cpuid->rdx = state->gpr[X86_RDX];
    cpuid->rbx = state->gpr[X86_RBX];
    cpuid->default_rax = result.eax;
    cpuid->default_rcx = result.ecx;
    cpuid->default_rdx = result.edx;
    cpuid->default_rbx = result.ebx;
    return sizeof(*cpuid);
}

static uint32_t fill_exception(struct exception_message *exception,
                               const struct hv_vp *vp,
                               const struct vm_exit *exit,
                               const struct x86_state *state)
{
    exception->vector = exit->u.exception.vector;
    exception->flags = exit->u.exception.has_error_code ? 0x1 : 0;
    exception->instruction_count = fetch(vp, exception->instruction);
    exception->error_code = exit->u.exception.error_code;
    exception->parameter = exit->u.exception.cr2;
    exception->ds = make_segment(&state->segment[X86_DS]);
    exception->ss = make_segment(&state->segment[X86_SS]);
    memcpy(exception->gpr, state->gpr, sizeof(exception->gpr));
    return sizeof(*exception);
}

/** Fills the payload for `type` and returns its size. */
static uint32_t fill(union payload *payload, uint32_t type,
                     const struct hv_vp *vp, const struct vm_exit *exit)
{
    struct x86_state state;

    memset(payload, 0, sizeof(*payload));
    if (type == INTERCEPT_UNSUPPORTED_FEATURE) {
        payload->unsupported.vp_index = vp->index.v;
        payload->unsupported.feature = UNSUPPORTED_TASK_SWITCH;
        return sizeof(payload->unsupported);
    }
    engine_get_state(vp->engine, &state);
    payload->header = make_header(vp, exit, &state);
    switch (type) {
    case INTERCEPT_IO_PORT:
        return fill_io(&payload->io, vp, exit, &state);
    case INTERCEPT_UNMAPPED_GPA:
        return fill_memory(&payload->memory, vp, exit);
    case INTERCEPT_MSR:
        return fill_msr(&payload->msr, exit, &state);
    case INTERCEPT_CPUID:
        return fill_cpuid(&payload->cpuid, vp, exit, &state);
    case INTERCEPT_EXCEPTION:
        return fill_exception(&payload->exception, vp, exit, &state);
    default: /* INTERCEPT_UNRECOVERABLE_EXCEPTION */
        return sizeof(payload->header);
    }
}

/** The parent's VP that is pinned to the LP the child has just left: it can run
 *  there at once, and no other LP has to be woken. */
static struct hv_vp *receiver_here(const struct hv_vp *vp)
{
    struct hv_partition *parent = vp->partition->parent;

    for (uint32_t i = 0; vp->sched.lp && i < PARTITION_VP_COUNT_MAX; i++) {
        struct hv_vp *of_parent = parent->vps[i];

        if (of_parent && of_parent->sched.ideal_lp == vp->sched.lp->id.v &&
            sched_allows(of_parent, vp->sched.lp))
            return of_parent;
    }
    return NULL;
}

/* The parent's VP number `skip` of those of `node`, or of all for -1. */
static struct hv_vp *parent_vp(const struct hv_partition *parent, int64_t node,
                               uint32_t skip)
{
    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        struct hv_vp *of_parent = parent->vps[i];

        if (!of_parent || (node >= 0 && of_parent->node != node))
            continue;
        if (skip-- == 0)
            return of_parent;
    }
    return NULL;
}

static uint32_t vps_of_node(const struct hv_partition *parent, uint32_t node)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++)
        count += parent->vps[i] && parent->vps[i]->node == node;
    return count;
}

/** The parent's VP that receives the intercepts of `vp`; NULL if it has none
 *  (any more). Where no VP of the parent shares the LP, children are spread by
 *  their number over the parent's VPs of that LP's node, or over all if it has
 *  none there. */
static struct hv_vp *receiver(const struct hv_vp *vp)
{
    struct hv_partition *parent = vp->partition->parent;

    if (!parent || parent->vp_count == 0)
        return NULL;

    struct hv_vp *here = receiver_here(vp);

    if (here)
        return here;

    uint32_t node = vp->sched.lp ? vp->sched.lp->node : vp->node;
    uint32_t there = vps_of_node(parent, node);

    return there > 0 ? parent_vp(parent, node, vp->number % there)
                     : parent_vp(parent, -1, vp->number % parent->vp_count);
}

static bool post(struct hv_context *context, struct synic *synic,
                 const struct vp_intercept *intercept)
{
    return synic_post_message(context, synic, INTERCEPT_SINT, intercept->type,
                              intercept->vp->partition->id.v,
                              intercept->payload, intercept->bytes);
}

static bool post_eois(struct hv_context *context, struct synic *synic,
                      struct vp_eois *eois)
{
    struct vp_intercept *message = &eois->message;
    int vector;

    while ((vector = vector_map_lowest(eois->vectors)) >= 0) {
        const struct eoi_message payload = {message->vp->index.v,
                                            (uint32_t)vector};

        message->bytes = sizeof(payload);
        memcpy(message->payload, &payload, sizeof(payload));
        if (!post(context, synic, message))
            return false;
        vector_map_clear(eois->vectors, (uint8_t)vector);
    }
    return true;
}

/** Posts what has waited. A VP resumed in the meantime has no intercept to
 *  report. */
static bool post_waiting(struct hv_context *context, struct synic *synic,
                         struct vp_intercept *intercept)
{
    if (intercept->type == INTERCEPT_APIC_EOI)
        return post_eois(context, synic, &intercept->vp->eois);
    return !intercept->vp->intercept_suspend || post(context, synic, intercept);
}

static void link_last(struct synic *synic, struct vp_intercept *intercept)
{
    struct vp_intercept **end = &synic->senders;

    while (*end)
        end = &(*end)->next;
    *end = intercept;
    intercept->next = NULL;
    intercept->at = synic;
}

void intercept_unlink(struct vp_intercept *intercept)
{
    if (!intercept->at)
        return;
    for (struct vp_intercept **link = &intercept->at->senders; *link;
         link = &(*link)->next) {
        if (*link == intercept) {
            *link = intercept->next;
            break;
        }
    }
    intercept->at = NULL;
    intercept->next = NULL;
}

void intercept_resend(struct hv_context *context, struct synic *synic)
{
    while (synic->senders) {
        struct vp_intercept *first = synic->senders;
        struct vp_intercept *rest = first->next;

        /* Off the list while it is posted: it does not wait for itself. */
        synic->senders = rest;
        if (!post_waiting(context, synic, first)) {
            synic->senders = first;
            return;
        }
        first->at = NULL;
        first->next = NULL;
    }
}

static void count_message(struct hv_vp *vp, uint32_t type)
{
    enum pc_vp_cell cell = PC_VP_OTHER_MESSAGES;

    if (type == INTERCEPT_IO_PORT)
        cell = PC_VP_IO_MESSAGES;
    else if (type == INTERCEPT_UNMAPPED_GPA)
        cell = PC_VP_MEMORY_MESSAGES;
    pc_vp_add(&vp->counters, cell, 1);
}

void intercept_send(struct hv_context *context, uint32_t message_type,
                    const struct vm_exit *exit)
{
    struct hv_vp *vp = context->vp;
    struct vp_intercept *intercept = &vp->intercept;
    struct hv_vp *to = receiver(vp);
    union payload payload;

    CHECK(vp->engine);
    intercept_unlink(intercept);
    intercept->vp = vp;
    intercept->type = message_type;
    intercept->bytes = fill(&payload, message_type, vp, exit);
    memcpy(intercept->payload, &payload, intercept->bytes);

    cost_note(context->bill, COST_INTERCEPT_MESSAGE, 1);
    count_message(vp, message_type);
    vp->intercept_suspend = true;
    vp_reconsider(context, vp);
    /* Behind those that wait already, so that none is overtaken. */
    if (to && (to->synic.senders || !post(context, &to->synic, intercept)))
        link_last(&to->synic, intercept);
}

void intercept_send_eoi(struct hv_context *context, struct hv_vp *vp,
                        uint8_t vector)
{
    struct vp_eois *eois = &vp->eois;
    struct hv_vp *to = receiver(vp);

    if (!to)
        return;
    cost_note(context->bill, COST_INTERCEPT_MESSAGE, 1);
    count_message(vp, INTERCEPT_APIC_EOI);
    vector_map_set(eois->vectors, vector);
    if (eois->message.at)
        return; /* goes with those that wait */
    eois->message.vp = vp;
    eois->message.type = INTERCEPT_APIC_EOI;
    if (to->synic.senders || !post_eois(context, &to->synic, eois))
        link_last(&to->synic, &eois->message);
}

void intercept_forget(struct hv_vp *vp)
{
    intercept_unlink(&vp->intercept);
    intercept_unlink(&vp->eois.message);
}
