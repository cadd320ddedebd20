/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/intercept.h"

#include "hypervisor/cpuid.h"
#include "hypervisor/hypercall.h"
#include "hypervisor/msr.h"
#include "hypervisor/partition.h"
#include "hypervisor/port.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

typedef enum engine_verdict intercept_handler(struct hv_context *context,
                                              const struct vm_exit *exit);

struct intercept_def {
    const char *name;
    enum pc_intercept class;
    intercept_handler *handler;
};

/* The instruction is done: go on behind it, unless the VP stopped. */
static enum engine_verdict intercept_done(struct hv_context *context,
                                          const struct vm_exit *exit)
{
    engine_skip_instruction(context->vp->engine, exit);
    return vp_runnable(context->vp) ? ENGINE_RESUME : ENGINE_STOP;
}

static enum engine_verdict intercept_gp(struct hv_context *context)
{
    engine_inject_exception(context->vp->engine, X86_VECTOR_GP, true, 0);
    return ENGINE_RESUME;
}

/* Passes the exit to the parent, which answers in its own time. */
static enum engine_verdict intercept_to_parent(struct hv_context *context,
                                               uint32_t message_type,
                                               const struct vm_exit *exit)
{
    intercept_send(context, message_type, exit);
    return ENGINE_STOP;
}

static enum engine_verdict handle_hlt(struct hv_context *context,
                                      const struct vm_exit *exit)
{
    struct hv_vp *vp = context->vp;

    engine_skip_instruction(vp->engine, exit);
    vp_halt(context, vp);
    return vp_runnable(vp) ? ENGINE_RESUME : ENGINE_STOP;
}

static enum engine_verdict handle_cpuid(struct hv_context *context,
                                        const struct vm_exit *exit)
{
    struct hv_vp *vp = context->vp;
    uint32_t leaf = exit->u.cpuid.leaf;

    if (partition_intercept_access(vp->partition, INTERCEPT_TYPE_CPUID, leaf))
        return intercept_to_parent(context, INTERCEPT_CPUID, exit);

    struct cpuid_result result = cpuid_query(vp, leaf, exit->u.cpuid.subleaf);

    cost_note(context->bill, COST_CPUID_BODY, 1);
    engine_set_gpr(vp->engine, X86_RAX, result.eax);
    engine_set_gpr(vp->engine, X86_RBX, result.ebx);
    engine_set_gpr(vp->engine, X86_RCX, result.ecx);
    engine_set_gpr(vp->engine, X86_RDX, result.edx);
    return intercept_done(context, exit);
}

/* MSRs that the hypervisor does not have go to the parent if it asked; what one
 * that it has does not allow is the guest's fault. */
static enum engine_verdict refused_msr(struct hv_context *context,
                                       const struct vm_exit *exit)
{
    if (!msr_name(exit->u.msr.index) &&
        partition_intercept_access(context->vp->partition, INTERCEPT_TYPE_MSR,
                                   0))
        return intercept_to_parent(context, INTERCEPT_MSR, exit);
    return intercept_gp(context);
}

static enum engine_verdict handle_rdmsr(struct hv_context *context,
                                        const struct vm_exit *exit)
{
    struct engine *engine = context->vp->engine;
    uint64_t value;

    cost_note(context->bill, COST_MSR_BODY, 1);
    if (!msr_read(context, exit->u.msr.index, &value))
        return refused_msr(context, exit);
    engine_set_gpr(engine, X86_RAX, (uint32_t)value);
    engine_set_gpr(engine, X86_RDX, value >> 32);
    return intercept_done(context, exit);
}

static enum engine_verdict handle_wrmsr(struct hv_context *context,
                                        const struct vm_exit *exit)
{
    cost_note(context->bill, COST_MSR_BODY, 1);
    if (!msr_write(context, exit->u.msr.index, exit->u.msr.value))
        return refused_msr(context, exit);
    if (context->vp->partition->parent &&
        msr_concerns_parent(exit->u.msr.index, exit->u.msr.value))
        return intercept_to_parent(context, INTERCEPT_MSR, exit);
    return intercept_done(context, exit);
}

/* What a port that nobody has reads: all ones, as an open bus. */
static enum engine_verdict unclaimed_io(struct hv_context *context,
                                        const struct vm_exit *exit)
{
    struct engine *engine = context->vp->engine;
    uint32_t value = UINT32_MAX;

    if (exit->u.io.string) {
        bool more = false;

        if (engine_io_string(engine, exit, &value, &more) && !more)
            return intercept_done(context, exit);
        return ENGINE_RESUME;
    }
    if (exit->u.io.in) {
        unsigned bits = exit->u.io.bytes * 8;
        uint64_t mask = bits == 32 ? UINT32_MAX : (UINT64_C(1) << bits) - 1;
        uint64_t old = bits == 32 ? 0 : engine_gpr(engine, X86_RAX);

        engine_set_gpr(engine, X86_RAX, (old & ~mask) | mask);
    }
    return intercept_done(context, exit);
}

static enum engine_verdict handle_io(struct hv_context *context,
                                     const struct vm_exit *exit)
{
    cost_note(context->bill, COST_IO_BODY, 1);
    if (partition_intercept_access(context->vp->partition,
                                   INTERCEPT_TYPE_IO_PORT, exit->u.io.port))
        return intercept_to_parent(context, INTERCEPT_IO_PORT, exit);
    return unclaimed_io(context, exit);
}

static enum engine_verdict handle_hypercall(struct hv_context *context,
                                            const struct vm_exit *exit)
{
    enum engine_verdict verdict = hypercall_exit(context, exit);

    return vp_runnable(context->vp) ? verdict : ENGINE_STOP;
}

static enum engine_verdict handle_cr8(struct hv_context *context,
                                      const struct vm_exit *exit)
{
    struct hv_vp *vp = context->vp;

    cost_note(context->bill, COST_CR_BODY, 1);
    if (!exit->u.cr8.write) {
        engine_set_gpr(vp->engine, (enum x86_gpr)exit->u.cr8.gpr,
                       lapic_read_cr8(&vp->lapic));
        return intercept_done(context, exit);
    }
    if (exit->u.cr8.value > 15)
        return intercept_gp(context);
    lapic_write_cr8(context, &vp->lapic, exit->u.cr8.value);
    return intercept_done(context, exit);
}

/* The processor's filter has seen a loop that waits for something. */
static enum engine_verdict handle_pause(struct hv_context *context,
                                        const struct vm_exit *exit)
{
    sched_spin(&context->hv->sched, context->vp, context->now);
    return intercept_done(context, exit);
}

/* A store of the guest's to an overlay page that it may only read (TLFS,
 * "Establishing the Hypercall Interface"). One by a page walk or by the
 * delivery of an event is undefined there, and goes to the parent. */
static bool is_overlay_store(const struct hv_context *context,
                             const struct vm_exit *exit)
{
    struct gpa_mapping mapping;

    return exit->u.gpa.write && !exit->u.gpa.in_walk &&
           exit->instruction_bytes > 0 &&
           gpa_space_find(&context->vp->partition->gpa, exit->u.gpa.gpa,
                          &mapping) &&
           mapping.overlay && !mapping.writable;
}

static enum engine_verdict handle_gpa(struct hv_context *context,
                                      const struct vm_exit *exit)
{
    if (is_overlay_store(context, exit))
        return intercept_gp(context);
    if (port_doorbell_ring(context, exit))
        return intercept_done(context, exit);
    return intercept_to_parent(context, INTERCEPT_UNMAPPED_GPA, exit);
}

static enum engine_verdict handle_exception(struct hv_context *context,
                                            const struct vm_exit *exit)
{
    return intercept_to_parent(context, INTERCEPT_EXCEPTION, exit);
}

static enum engine_verdict handle_task_gate(struct hv_context *context,
                                            const struct vm_exit *exit)
{
    return intercept_to_parent(context, INTERCEPT_UNSUPPORTED_FEATURE, exit);
}

static enum engine_verdict handle_shutdown(struct hv_context *context,
                                           const struct vm_exit *exit)
{
    context->vp->shut_down = true;
    return intercept_to_parent(context, INTERCEPT_UNRECOVERABLE_EXCEPTION,
                               exit);
}

static const struct intercept_def intercepts[VM_EXIT_KIND_COUNT] = {
    [VM_EXIT_HLT] = {"HLT", PC_INTERCEPT_HLT, handle_hlt},
    [VM_EXIT_CPUID] = {"CPUID", PC_INTERCEPT_CPUID, handle_cpuid},
    [VM_EXIT_RDMSR] = {"RDMSR", PC_INTERCEPT_MSR, handle_rdmsr},
    [VM_EXIT_WRMSR] = {"WRMSR", PC_INTERCEPT_MSR, handle_wrmsr},
    [VM_EXIT_IO] = {"IO", PC_INTERCEPT_IO, handle_io},
    [VM_EXIT_HYPERCALL] = {"HYPERCALL", PC_INTERCEPT_HYPERCALL,
                           handle_hypercall},
    [VM_EXIT_CR8] = {"CR8", PC_INTERCEPT_CONTROL_REGISTER, handle_cr8},
    [VM_EXIT_PAUSE] = {"PAUSE", PC_INTERCEPT_OTHER, handle_pause},
    [VM_EXIT_GPA] = {"GPA", PC_INTERCEPT_NESTED_PAGE_FAULT, handle_gpa},
    [VM_EXIT_EXCEPTION] = {"EXCEPTION", PC_INTERCEPT_OTHER, handle_exception},
    [VM_EXIT_TASK_GATE] = {"TASK-GATE", PC_INTERCEPT_OTHER, handle_task_gate},
    [VM_EXIT_SHUTDOWN] = {"SHUTDOWN", PC_INTERCEPT_OTHER, handle_shutdown},
    /* The rest are reasons to return, not intercepts. */
    [VM_EXIT_LIMIT] = {"LIMIT", PC_INTERCEPT_EXTERNAL_INTERRUPT, NULL},
    [VM_EXIT_INTERRUPT_WINDOW] = {"INTERRUPT-WINDOW",
                                  PC_INTERCEPT_PENDING_INTERRUPT, NULL},
    [VM_EXIT_STOPPED] = {"STOPPED", PC_INTERCEPT_OTHER, NULL},
};

/* What the trace keeps of an exit: the kind, and a number that tells more. */
static uint64_t intercept_detail(const struct vm_exit *exit)
{
    uint64_t number = 0;

    switch (exit->kind) {
    case VM_EXIT_CPUID:
        number = exit->u.cpuid.leaf;
        break;
    case VM_EXIT_RDMSR:
    case VM_EXIT_WRMSR:
        number = exit->u.msr.index;
        break;
    case VM_EXIT_IO:
        number = exit->u.io.port;
        break;
    case VM_EXIT_GPA:
        number = exit->u.gpa.gpa.raw >> PAGE_SHIFT;
        break;
    case VM_EXIT_EXCEPTION:
        number = exit->u.exception.vector;
        break;
    case VM_EXIT_CR8:
        number = exit->u.cr8.write;
        break;
    case VM_EXIT_LIMIT:
    case VM_EXIT_INTERRUPT_WINDOW:
    case VM_EXIT_STOPPED:
    case VM_EXIT_HLT:
    case VM_EXIT_HYPERCALL:
    case VM_EXIT_PAUSE:
    case VM_EXIT_TASK_GATE:
    case VM_EXIT_SHUTDOWN:
    case VM_EXIT_KIND_COUNT:
        break;
    }
    return number << 8 | (uint64_t)exit->kind;
}

enum engine_verdict intercept_handle(struct hv_context *context,
                                     const struct vm_exit *exit)
{
    const struct intercept_def *def = &intercepts[exit->kind];

    CHECK(def->handler);
    cost_note(context->bill, COST_VMEXIT, 1);
    cost_note(context->bill, COST_EXIT_DISPATCH, 1);
    hypervisor_trace(context, TRACE_EXIT, intercept_detail(exit));
    return def->handler(context, exit);
}

enum pc_intercept intercept_class(enum vm_exit_kind kind)
{
    return intercepts[kind].class;
}

const char *intercept_name(enum vm_exit_kind kind)
{
    return intercepts[kind].name;
}
