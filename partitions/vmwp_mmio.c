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

static uint64_t segment_base(struct vmwp_vp *vp, struct hv_context *context,
                             uint8_t segment)
{
    struct winhv_register r = {.name = HV_REGISTER_ES + segment};

    if (vmwp_is_64bit(vp) && segment != X86_FS && segment != X86_GS)
        return 0;
    winhv_get_register(vp->vmwp->winhv, context, vp->vmwp->partition, vp->index,
                       &r);
    return r.value[0];
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

    uint64_t offset =
        decode_mmio_offset(insn, vp->mmio.state.gpr, vp->mmio.state.rip);

    return ((segment_base(vp, context, insn->segment) + offset) & PAGE_MASK) !=
           0;
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
    if (!decode(vp) || vp->mmio.insn.op == MMIO_MOVS)
        return not_served(vp);
    if (!read_registers(vp, context))
        return "its registers cannot be read";
    if (crosses_page(vp, context))
        return "access to a device, or to memory that is not there, across "
               "the border of a page";
    make_accesses(vp, context);
    return NULL;
}

void vmwp_mmio_resume(struct vmwp_vp *vp, struct hv_context *context)
{
    const struct mmio_state *state = &vp->mmio.state;
    struct winhv_register r[X86_GPR_COUNT + 3];
    uint32_t n = 0;

    for (uint32_t i = 0; i < X86_GPR_COUNT; i++)
        r[n++] =
            (struct winhv_register){HV_REGISTER_RAX + i, {state->gpr[i], 0}};
    r[n++] = (struct winhv_register){HV_REGISTER_RFLAGS, {state->rflags, 0}};
    r[n++] = (struct winhv_register){HV_REGISTER_RIP, {state->rip, 0}};
    r[n++] = (struct winhv_register){HV_REGISTER_INTERCEPT_SUSPEND, {0, 0}};
    winhv_set_registers(vp->vmwp->winhv, context, vp->vmwp->partition,
                        vp->index, r, n);
}
