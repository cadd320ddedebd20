/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Accesses to devices through memory: the worker process carries out the
 * instruction in place of the processor, with the registers that it asks for.
 * The address is the message's: what the guest has changed since, its page
 * tables included, makes no difference. What lies on another page, because the
 * operand crosses a border or the instruction has two, is found by the tables
 * as they are. A repeated instruction is carried out
 * once, and again when the VP comes back to it, so that interrupts and other
 * memory on its way are the processor's business.
 */
#include "cpu/x86.h"
#include "hypervisor/vp_registers.h"
#include "partitions/vmwp_private.h"

static enum code_mode mode_of(const struct vmwp_vp *vp)
{
    if (vmwp_is_64bit(vp))
        return CODE_64;
    return vmwp_field(vp, VMWP_CS_ATTRIBUTES, 2) & VMWP_ATTRIBUTES_DB ? CODE_32
                                                                      : CODE_16;
}

static bool decode(struct vmwp_vp *vp)
{
    unsigned bytes = (unsigned)vmwp_field(vp, VMWP_MEMORY_INSTRUCTION_BYTES, 1);

    return decode_mmio(mode_of(vp), vp->message + VMWP_MEMORY_INSTRUCTION,
                       bytes < 16 ? bytes : 16, &vp->mmio.insn);
}

/* The general registers, as they will have to be known. */
static bool read_registers(struct vmwp_vp *vp, struct hv_context *context)
{
    struct vmwp *vmwp = vp->vmwp;
    struct mmio_state *state = &vp->mmio.state;
    struct winhv_register r[X86_GPR_COUNT];

    for (uint32_t i = 0; i < X86_GPR_COUNT; i++)
        r[i] = (struct winhv_register){.name = HV_REGISTER_RAX + i};
    if (winhv_get_registers(vmwp->winhv, context, vmwp->partition, vp->index, r,
                            X86_GPR_COUNT) != HV_STATUS_SUCCESS)
        return false;
    for (uint32_t i = 0; i < X86_GPR_COUNT; i++)
        state->gpr[i] = r[i].value[0];
    state->rip = vmwp_field(vp, VMWP_RIP, 8);
    state->rflags = vmwp_field(vp, VMWP_RFLAGS, 8);
    return true;
}

static bool has_two_operands(const struct decode_mmio *insn)
{
    return insn->op == MMIO_MOVS || insn->op == MMIO_CMPS;
}

static uint64_t linear(const struct vmwp_vp *vp, uint64_t address)
{
    return vmwp_is_64bit(vp) ? address : address & UINT32_MAX;
}

/* The address of the memory operand; of MOVS and CMPS, that of their source.
 * The segment's base is asked for only where the message leaves open where
 * the operand begins: it may have been on the page before. */
static uint64_t source_address(struct vmwp_vp *vp, struct hv_context *context)
{
    const struct decode_mmio *insn = &vp->mmio.insn;
    const struct mmio_state *state = &vp->mmio.state;
    uint64_t at = vmwp_field(vp, VMWP_MEMORY_GVA, 8);

    if (!has_two_operands(insn) && ((at & PAGE_MASK) != 0 || insn->bytes == 1))
        return at;
    return linear(vp, vmwp_memory_base(vp, context, insn->segment) +
                          decode_mmio_offset(insn, state->gpr, state->rip));
}

static uint64_t destination_address(struct vmwp_vp *vp,
                                    struct hv_context *context)
{
    struct decode_mmio operand = vp->mmio.insn;

    operand.base = X86_RDI;
    return linear(vp, vmwp_memory_base(vp, context, X86_ES) +
                          decode_mmio_offset(&operand, vp->mmio.state.gpr,
                                             vp->mmio.state.rip));
}

static bool find_source(struct vmwp_vp *vp, struct hv_context *context,
                        bool write, struct vmwp_operand *out)
{
    const struct decode_mmio *insn = &vp->mmio.insn;

    return vmwp_memory_find(vp, context, insn->segment,
                            source_address(vp, context), insn->bytes, write,
                            out);
}

static bool find_destination(struct vmwp_vp *vp, struct hv_context *context,
                             bool write, struct vmwp_operand *out)
{
    return vmwp_memory_find(vp, context, X86_ES,
                            destination_address(vp, context),
                            vp->mmio.insn.bytes, write, out);
}

/* MOVS and CMPS. Both sides are found before either is touched: where one
 * faults, nothing has happened. */
static bool access_two(struct vmwp_vp *vp, struct hv_context *context)
{
    const struct decode_mmio *insn = &vp->mmio.insn;
    bool moves = insn->op == MMIO_MOVS;
    struct vmwp_operand from;
    struct vmwp_operand to;
    uint64_t value = 0;

    if (!find_source(vp, context, false, &from) ||
        !find_destination(vp, context, moves, &to))
        return false;
    vmwp_memory_access(vp, context, &from, false, &value);
    if (moves) {
        vmwp_memory_access(vp, context, &to, true, &value);
    } else {
        vp->mmio.state.other = 0;
        vmwp_memory_access(vp, context, &to, false, &vp->mmio.state.other);
    }
    (void)mmio_execute(insn, &vp->mmio.state, value);
    return true;
}

static struct winhv_register *xmm(struct vmwp_vp *vp)
{
    struct winhv_register *r = &vp->mmio.xmm;

    *r = (struct winhv_register){.name = HV_REGISTER_XMM0 + vp->mmio.insn.gpr};
    return r;
}

/* Moves of an XMM register: one that is loaded is cleared beyond what is. */
static bool access_vector(struct vmwp_vp *vp, struct hv_context *context)
{
    const struct decode_mmio *insn = &vp->mmio.insn;
    struct winhv_register *r = xmm(vp);
    struct vmwp_operand operand;

    if (!find_source(vp, context, insn->writes, &operand))
        return false;
    if (insn->writes)
        winhv_get_register(vp->vmwp->winhv, context, vp->vmwp->partition,
                           vp->index, r);
    vmwp_memory_access(vp, context, &operand, insn->writes, r->value);
    (void)mmio_execute(insn, &vp->mmio.state, 0);
    return true;
}

static bool access_one(struct vmwp_vp *vp, struct hv_context *context)
{
    const struct decode_mmio *insn = &vp->mmio.insn;
    struct vmwp_operand operand;
    uint64_t value = 0;

    if (!find_source(vp, context, insn->writes, &operand))
        return false;
    if (insn->reads)
        vmwp_memory_access(vp, context, &operand, false, &value);
    value = mmio_execute(insn, &vp->mmio.state, value);
    if (insn->writes)
        vmwp_memory_access(vp, context, &operand, true, &value);
    return true;
}

static bool make_accesses(struct vmwp_vp *vp, struct hv_context *context)
{
    if (has_two_operands(&vp->mmio.insn))
        return access_two(vp, context);
    if (vp->mmio.insn.op == MMIO_VECTOR)
        return access_vector(vp, context);
    return access_one(vp, context);
}

/* What the VM ends by, where the instruction is none that can be served. */
static const char *not_served(const struct vmwp_vp *vp)
{
    uint32_t offset;

    if (vdev_bus_find(&vp->vmwp->bus, VDEV_MEMORY,
                      vmwp_field(vp, VMWP_MEMORY_GPA, 8), &offset))
        return "access to a device by an instruction that its worker process "
               "cannot carry out";
    return "access to guest physical memory that is not there";
}

const char *vmwp_mmio_access(struct vmwp_vp *vp, struct hv_context *context)
{
    cost_note(context->bill, COST_VMWP_EMULATE, 1);
    vp->fault = (struct vmwp_fault){0};
    if (!decode(vp))
        return not_served(vp);
    if (!read_registers(vp, context))
        return "its registers cannot be read";
    if (!make_accesses(vp, context) && vp->fault.unmapped)
        return VMWP_TABLES_NOWHERE;
    return NULL;
}

void vmwp_mmio_resume(struct vmwp_vp *vp, struct hv_context *context)
{
    const struct mmio_state *state = &vp->mmio.state;
    const struct decode_mmio *insn = &vp->mmio.insn;
    struct winhv_register r[X86_GPR_COUNT + 6];
    uint32_t n = 0;

    if (vp->fault.taken)
        n += vmwp_memory_fault(vp, r);
    else if (insn->op == MMIO_VECTOR && !insn->writes)
        r[n++] = vp->mmio.xmm;
    for (uint32_t i = 0; i < X86_GPR_COUNT; i++)
        r[n++] =
            (struct winhv_register){HV_REGISTER_RAX + i, {state->gpr[i], 0}};
    r[n++] = (struct winhv_register){HV_REGISTER_RFLAGS, {state->rflags, 0}};
    r[n++] = (struct winhv_register){HV_REGISTER_RIP, {state->rip, 0}};
    r[n++] = (struct winhv_register){HV_REGISTER_INTERCEPT_SUSPEND, {0, 0}};
    winhv_set_registers(vp->vmwp->winhv, context, vp->vmwp->partition,
                        vp->index, r, n);
}
