/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Accesses to devices through memory: the worker process carries out the
 * instruction in place of the processor, with the registers that it asks for.
 * The address is the message's: what the guest has changed since, its page
 * tables included, makes no difference. A repeated instruction is carried out
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

static bool is_write(const struct vmwp_vp *vp)
{
    return vmwp_field(vp, VMWP_ACCESS, 1) == VMWP_ACCESS_WRITE;
}

/* The linear address of the memory operand; of MOVS, that of its source, or
 * of its destination, which is always in ES. */
static uint64_t operand_address(struct vmwp_vp *vp, struct hv_context *context,
                                bool destination)
{
    const struct decode_mmio *insn = &vp->mmio.insn;
    const struct mmio_state *state = &vp->mmio.state;
    struct decode_mmio operand = *insn;
    uint64_t at;

    if (destination) {
        operand.base = X86_RDI;
        operand.segment = X86_ES;
    }
    at = vmwp_memory_base(vp, context, operand.segment) +
         decode_mmio_offset(&operand, state->gpr, state->rip);
    return vmwp_is_64bit(vp) ? at : at & UINT32_MAX;
}

/* Whether the operand lies on more than the page that the message is about. At
 * the page's first byte, it may have begun on the page before. */
static bool crosses_page(struct vmwp_vp *vp, struct hv_context *context)
{
    const struct decode_mmio *insn = &vp->mmio.insn;
    uint64_t at = vmwp_field(vp, VMWP_MEMORY_GVA, 8) & PAGE_MASK;

    if (at + insn->bytes > PAGE_BYTES)
        return true;
    if (at != 0 || insn->bytes == 1)
        return false;

    return (operand_address(vp, context,
                            insn->op == MMIO_MOVS && is_write(vp)) &
            PAGE_MASK) != 0;
}

/* MOVS between the device and memory. The memory can fault, and then nothing
 * has happened. False if it faults. */
static bool move_string(struct vmwp_vp *vp, struct hv_context *context)
{
    const struct decode_mmio *insn = &vp->mmio.insn;
    const struct vdev_bus *bus = &vp->vmwp->bus;
    uint64_t now_ns = vmwp_now_ns(vp->vmwp, context);
    uint64_t device = vmwp_field(vp, VMWP_MEMORY_GPA, 8);
    bool to_device = is_write(vp);
    uint64_t at = operand_address(vp, context, !to_device);
    uint64_t value = 0;

    if (to_device) {
        if (!vmwp_memory_copy(vp, context, insn->segment, at, false, &value,
                              insn->bytes))
            return false;
        vdev_bus_write(bus, now_ns, VDEV_MEMORY, device, insn->bytes, value);
    } else {
        if (!vmwp_memory_can_write(vp, context, X86_ES, at, insn->bytes))
            return false;
        value = vdev_bus_read(bus, now_ns, VDEV_MEMORY, device, insn->bytes);
        (void)vmwp_memory_copy(vp, context, X86_ES, at, true, &value,
                               insn->bytes);
    }
    (void)mmio_execute(insn, &vp->mmio.state, value);
    return true;
}

static void make_accesses(struct vmwp_vp *vp, struct hv_context *context)
{
    const struct decode_mmio *insn = &vp->mmio.insn;
    const struct vdev_bus *bus = &vp->vmwp->bus;
    uint64_t now_ns = vmwp_now_ns(vp->vmwp, context);
    uint64_t at = vmwp_field(vp, VMWP_MEMORY_GPA, 8);
    uint64_t value = 0;

    if (insn->reads)
        value = vdev_bus_read(bus, now_ns, VDEV_MEMORY, at, insn->bytes);
    value = mmio_execute(insn, &vp->mmio.state, value);
    if (insn->writes)
        vdev_bus_write(bus, now_ns, VDEV_MEMORY, at, insn->bytes, value);
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
    if (crosses_page(vp, context))
        return "access to a device, or to memory that is not there, across "
               "the border of a page";
    if (vp->mmio.insn.op != MMIO_MOVS)
        make_accesses(vp, context);
    else if (!move_string(vp, context) && vp->fault.unmapped)
        return not_served(vp);
    return NULL;
}

void vmwp_mmio_resume(struct vmwp_vp *vp, struct hv_context *context)
{
    const struct mmio_state *state = &vp->mmio.state;
    struct winhv_register r[X86_GPR_COUNT + 5];
    uint32_t n = 0;

    if (vp->fault.taken)
        n += vmwp_memory_fault(vp, r);
    for (uint32_t i = 0; i < X86_GPR_COUNT; i++)
        r[n++] =
            (struct winhv_register){HV_REGISTER_RAX + i, {state->gpr[i], 0}};
    r[n++] = (struct winhv_register){HV_REGISTER_RFLAGS, {state->rflags, 0}};
    r[n++] = (struct winhv_register){HV_REGISTER_RIP, {state->rip, 0}};
    r[n++] = (struct winhv_register){HV_REGISTER_INTERCEPT_SUSPEND, {0, 0}};
    winhv_set_registers(vp->vmwp->winhv, context, vp->vmwp->partition,
                        vp->index, r, n);
}
