/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * INS and OUTS on an emulated device: the worker process carries out the
 * instruction itself, element by element, reaching the guest's memory by
 * HvCallTranslateVirtualAddress and HvCallReadGpa or HvCallWriteGpa. A fault
 * on the way is handed to the guest, with the registers where the instruction
 * has got to, so that it goes on from there.
 */
#include "cpu/x86.h"
#include "hypervisor/hypercall_abi.h"
#include "hypervisor/vp_registers.h"
#include "partitions/vmwp_private.h"

/* What the prefixes of the instruction say. */
struct prefixes {
    bool address_size;
    int segment; /* enum x86_segment_register, or -1: none */
};

static struct prefixes read_prefixes(const struct vmwp_vp *vp)
{
    struct prefixes prefixes = {.segment = -1};
    unsigned count = (unsigned)vmwp_field(vp, VMWP_IO_INSTRUCTION_BYTES, 1);

    for (unsigned i = 0; i < count && i < 15; i++) {
        switch (vp->message[VMWP_IO_INSTRUCTION + i]) {
        case 0x26:
            prefixes.segment = X86_ES;
            break;
        case 0x2e:
            prefixes.segment = X86_CS;
            break;
        case 0x36:
            prefixes.segment = X86_SS;
            break;
        case 0x3e:
            prefixes.segment = X86_DS;
            break;
        case 0x64:
            prefixes.segment = X86_FS;
            break;
        case 0x65:
            prefixes.segment = X86_GS;
            break;
        case 0x67:
            prefixes.address_size = true;
            break;
        case 0x66: /* said by the message already */
        case 0xf2:
        case 0xf3:
            break;
        default: /* REX or the opcode: there are no more prefixes */
            return prefixes;
        }
    }
    return prefixes;
}

static uint64_t address_mask(const struct vmwp_vp *vp, bool prefix)
{
    if (vmwp_is_64bit(vp))
        return prefix ? UINT32_MAX : UINT64_MAX;

    bool wide =
        (vmwp_field(vp, VMWP_CS_ATTRIBUTES, 2) & VMWP_ATTRIBUTES_DB) != 0;

    return wide != prefix ? UINT32_MAX : UINT16_MAX;
}

/* The base of the segment: from the message where it is there. */
static uint64_t segment_base(struct vmwp_vp *vp, struct hv_context *context,
                             int segment)
{
    if (!vmwp_is_64bit(vp) && segment == X86_ES)
        return vmwp_field(vp, VMWP_IO_ES_BASE, 8);
    if (!vmwp_is_64bit(vp) && segment == X86_DS)
        return vmwp_field(vp, VMWP_IO_DS_BASE, 8);
    return vmwp_memory_base(vp, context, segment);
}

void vmwp_string_begin(struct vmwp_vp *vp, struct hv_context *context)
{
    struct vmwp_string *s = &vp->string;
    struct prefixes prefixes = read_prefixes(vp);
    int segment = X86_ES; /* of INS, whatever the prefix */

    *s = (struct vmwp_string){0};
    vp->fault = (struct vmwp_fault){0};
    if (!vmwp_io_is_in(vp))
        segment = prefixes.segment >= 0 ? prefixes.segment : X86_DS;
    s->segment = segment;
    s->mask = address_mask(vp, prefixes.address_size);
    s->base = segment_base(vp, context, segment);
    s->index = vmwp_field(vp, vmwp_io_is_in(vp) ? VMWP_IO_RDI : VMWP_IO_RSI, 8);
    s->count = vmwp_field(vp, VMWP_IO_RCX, 8);
    s->repeated = vmwp_field(vp, VMWP_IO_INFO, 1) & VMWP_IO_REPEATED;
}

/* INS: the device is read only when the memory can take what it gives. */
static bool move_element(struct vmwp_vp *vp, struct hv_context *context,
                         uint64_t at, uint32_t bytes)
{
    bool in = vmwp_io_is_in(vp);
    struct vmwp_operand operand;
    uint32_t value = 0;

    if (!vmwp_memory_find(vp, context, vp->string.segment, at, bytes, in,
                          &operand))
        return false;
    if (in)
        value = vmwp_io_read(vp, context);
    vmwp_memory_access(vp, context, &operand, in, &value);
    if (!in)
        vmwp_io_write(vp, context, value);
    return true;
}

/* A register's new value: 16 bits leave the rest alone, 32 bits clear it. */
static uint64_t narrow(const struct vmwp_string *s, uint64_t old,
                       uint64_t value)
{
    uint64_t kept = s->mask == UINT16_MAX ? old & ~s->mask : 0;

    return kept | (value & s->mask);
}

/* A processor takes interrupts between the elements of a repeated instruction.
 * So after some of them the VP gets its registers back as far as it has come,
 * executes the instruction again, and its interrupts come before that. */
#define ELEMENTS_AT_ONCE 64

static bool is_over(const struct vmwp_string *s)
{
    return s->repeated ? (s->count & s->mask) == 0 : s->done;
}

bool vmwp_string_step(struct vmwp_vp *vp, struct hv_context *context)
{
    struct vmwp_string *s = &vp->string;
    uint32_t bytes = vmwp_io_bytes(vp);
    bool down = vmwp_field(vp, VMWP_RFLAGS, 8) & RFLAGS_DF;
    uint64_t at = s->base + (s->index & s->mask);

    if (is_over(s) || s->moved == ELEMENTS_AT_ONCE)
        return false;
    if (!vmwp_is_64bit(vp))
        at &= UINT32_MAX;
    if (!move_element(vp, context, at, bytes))
        return false;

    uint64_t next = down ? s->index - bytes : s->index + bytes;

    s->index = narrow(s, s->index, next);
    if (s->repeated)
        s->count = narrow(s, s->count, s->count - 1);
    else
        s->done = true;
    s->moved++;
    return true;
}

void vmwp_string_resume(struct vmwp_vp *vp, struct hv_context *context)
{
    const struct vmwp_string *s = &vp->string;
    struct winhv_register r[6];
    uint32_t n = 0;
    uint32_t index_register = vmwp_io_is_in(vp) ? X86_RDI : X86_RSI;

    r[n++] = (struct winhv_register){HV_REGISTER_RAX + index_register,
                                     {s->index, 0}};
    r[n++] = (struct winhv_register){HV_REGISTER_RAX + X86_RCX, {s->count, 0}};
    if (vp->fault.taken) {
        n += vmwp_memory_fault(vp, &r[n]);
    } else if (is_over(s)) {
        uint64_t rip = vmwp_field(vp, VMWP_RIP, 8) +
                       (vmwp_field(vp, VMWP_LENGTH, 1) & 0x0f);

        r[n++] = (struct winhv_register){HV_REGISTER_RIP, {rip, 0}};
    }
    r[n++] = (struct winhv_register){HV_REGISTER_INTERCEPT_SUSPEND, {0, 0}};
    winhv_set_registers(vp->vmwp->winhv, context, vp->vmwp->partition,
                        vp->index, r, n);
}
