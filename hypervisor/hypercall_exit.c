/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The side of a hypercall that an x86 guest sees: its registers, and the page
 * that it calls. */
#include <stddef.h>
#include <string.h>

#include "hypervisor/hypercall.h"
#include "hypervisor/hypercall_private.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"

#define GPR_BYTES 16 /* fast: RDX and R8, and then one XMM register each */
#define XMM_COUNT 6
#define XMM_BYTES 16

/* Hypercalls are for kernels that have said who they are (TLFS, "Establishing
 * the Hypercall Interface"), in protected mode, at CPL 0. */
static bool caller_allowed(const struct hv_vp *vp)
{
    if (vp->partition->guest_os_id == 0 || engine_cpl(vp->engine) != 0)
        return false;
    if (engine_64bit_code(vp->engine))
        return true;

    struct x86_state state;

    engine_get_state(vp->engine, &state);
    return (state.cr0 & CR0_PE) != 0;
}

static uint64_t gpr_pair(struct engine *engine, enum x86_gpr high,
                         enum x86_gpr low)
{
    return engine_gpr(engine, high) << 32 | (uint32_t)engine_gpr(engine, low);
}

static void set_gpr_pair(struct engine *engine, enum x86_gpr high,
                         enum x86_gpr low, uint64_t value)
{
    engine_set_gpr(engine, high, value >> 32);
    engine_set_gpr(engine, low, (uint32_t)value);
}

static void load_call(struct hv_vp *vp, struct hypercall *call)
{
    struct engine *engine = vp->engine;

    call->memory = gpa_space_memory(&vp->partition->gpa);
    call->narrow = !engine_64bit_code(engine);
    if (call->narrow) {
        call->control = gpr_pair(engine, X86_RDX, X86_RAX);
        call->input = gpa(gpr_pair(engine, X86_RBX, X86_RCX));
        call->output = gpa(gpr_pair(engine, X86_RDI, X86_RSI));
    } else {
        call->control = engine_gpr(engine, X86_RCX);
        call->input = gpa(engine_gpr(engine, X86_RDX));
        call->output = gpa(engine_gpr(engine, X86_R8));
    }
    memcpy(call->fast, &call->input.raw, 8);
    memcpy(call->fast + 8, &call->output.raw, 8);
}

/* Where an XMM register stands among the fast parameters. */
static size_t xmm_at(size_t index)
{
    return GPR_BYTES + index * XMM_BYTES;
}

static void load_xmm(struct engine *engine, struct hypercall *call)
{
    for (unsigned i = 0; i < XMM_COUNT; i++)
        engine_get_xmm(engine, i, call->fast + xmm_at(i));
}

/* Only registers that hold output change: a caller may keep others in use. */
static void store_xmm(struct engine *engine, const struct hypercall *call,
                      const struct hypercall *before)
{
    for (unsigned i = 0; i < XMM_COUNT; i++) {
        size_t at = xmm_at(i);

        if (memcmp(call->fast + at, before->fast + at, XMM_BYTES) != 0)
            engine_set_xmm(engine, i, call->fast + at);
    }
}

static void store_result(struct engine *engine, const struct hypercall *call)
{
    if (call->narrow)
        set_gpr_pair(engine, X86_RDX, X86_RAX, call->result);
    else
        engine_set_gpr(engine, X86_RAX, call->result);
}

static void store_control(struct engine *engine, const struct hypercall *call)
{
    if (call->narrow)
        set_gpr_pair(engine, X86_RDX, X86_RAX, call->control);
    else
        engine_set_gpr(engine, X86_RCX, call->control);
}

static enum engine_verdict undefined(struct engine *engine)
{
    engine_inject_exception(engine, X86_VECTOR_UD, false, 0);
    return ENGINE_RESUME;
}

enum engine_verdict hypercall_exit(struct hv_context *context,
                                   const struct vm_exit *exit)
{
    struct hv_vp *vp = context->vp;
    struct hypercall call = {0};

    if (!caller_allowed(vp))
        return undefined(vp->engine);
    load_call(vp, &call);

    bool xmm = hypercall_uses_xmm(call.control);

    if (xmm)
        load_xmm(vp->engine, &call);

    struct hypercall before = call;
    enum hypercall_outcome outcome = hypercall_dispatch(context, &call);

    if (outcome == HYPERCALL_UNDEFINED)
        return undefined(vp->engine);
    if (xmm)
        store_xmm(vp->engine, &call, &before);
    if (outcome == HYPERCALL_CONTINUE) {
        store_control(vp->engine, &call);
        return ENGINE_RESUME;
    }
    store_result(vp->engine, &call);
    engine_skip_instruction(vp->engine, exit);
    return ENGINE_RESUME;
}

void hypercall_write_page(struct arena *arena, spa_t page)
{
    static const uint8_t vmcall_ret[] = {0x0f, 0x01, 0xc1, 0xc3};
    uint8_t code[PAGE_BYTES];

    /* CPUID shows an Intel processor, so VMCALL; whoever jumps elsewhere into
     * the page meets a breakpoint. */
    memset(code, 0xcc, sizeof(code));
    memcpy(code, vmcall_ret, sizeof(vmcall_ret));
    arena_write(arena, page, code, sizeof(code));
}
