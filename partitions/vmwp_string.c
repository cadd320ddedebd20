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

/* The base of the segment: from the message where it is there, else asked
 * for. In 64-bit code only FS and GS have one. */
static uint64_t segment_base(struct vmwp_vp *vp, struct hv_context *context,
                             int segment)
{
    struct winhv_register r = {.name = HV_REGISTER_ES + (uint32_t)segment};

    if (vmwp_is_64bit(vp) && segment != X86_FS && segment != X86_GS)
        return 0;
    if (segment == X86_ES)
        return vmwp_field(vp, VMWP_IO_ES_BASE, 8);
    if (segment == X86_DS)
        return vmwp_field(vp, VMWP_IO_DS_BASE, 8);
    winhv_get_register(vp->vmwp->winhv, context, vp->vmwp->partition, vp->index,
                       &r);
    return r.value[0];
}

void vmwp_string_begin(struct vmwp_vp *vp, struct hv_context *context)
{
    struct vmwp_string *s = &vp->string;
    struct prefixes prefixes = read_prefixes(vp);
    int segment = X86_ES; /* of INS, whatever the prefix */

    *s = (struct vmwp_string){0};
    if (!vmwp_io_is_in(vp))
        segment = prefixes.segment >= 0 ? prefixes.segment : X86_DS;
    s->mask = address_mask(vp, prefixes.address_size);
    s->base = segment_base(vp, context, segment);
    s->index = vmwp_field(vp, vmwp_io_is_in(vp) ? VMWP_IO_RDI : VMWP_IO_RSI, 8);
    s->count = vmwp_field(vp, VMWP_IO_RCX, 8);
    s->repeated = vmwp_field(vp, VMWP_IO_INFO, 1) & VMWP_IO_REPEATED;
}

/* The guest's fault at `at`, as the translation's result describes it. */
static void note_fault(struct vmwp_vp *vp, uint64_t at, bool write,
                       uint32_t result)
{
    uint32_t error_code = write ? PF_WRITE : 0;

    if ((vmwp_field(vp, VMWP_STATE, 2) & VMWP_STATE_CPL_MASK) == 3)
        error_code |= PF_USER;
    if (result == HV_TRANSLATE_PRIVILEGE_VIOLATION)
        error_code |= PF_PRESENT;
    if (result == HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS)
        error_code |= PF_PRESENT | PF_RESERVED;
    vp->string.faulted = true;
    vp->string.fault_vector = X86_VECTOR_PF;
    vp->string.fault_address = at;
    vp->string.error_code = error_code;
}

/* An address that 64-bit code cannot have, in whatever segment but SS. */
static void note_bad_address(struct vmwp_vp *vp)
{
    bool stack = !vmwp_io_is_in(vp) && read_prefixes(vp).segment == X86_SS;

    vp->string.faulted = true;
    vp->string.fault_vector = stack ? X86_VECTOR_SS : X86_VECTOR_GP;
    vp->string.error_code = 0;
}

/* Translates one byte's address; notes the guest's fault if it has one. */
static bool reach(struct vmwp_vp *vp, struct hv_context *context, uint64_t at,
                  bool write, gpa_t *out)
{
    gpa_t page;
    uint32_t result;

    if (vmwp_is_64bit(vp) && !x86_canonical(at)) {
        note_bad_address(vp);
        return false;
    }
    result = winhv_translate(vp->vmwp->winhv, context, vp->vmwp->partition,
                             vp->index, gva(at), write, &page);
    if (result != HV_TRANSLATE_SUCCESS) {
        note_fault(vp, at, write, result);
        return false;
    }
    *out = gpa_add(page, at & PAGE_MASK);
    return true;
}

/* Copies one element between the guest's memory and `value`, a byte at a time
 * where it lies on two pages. */
static bool move_element(struct vmwp_vp *vp, struct hv_context *context,
                         uint64_t at, uint32_t bytes, bool write,
                         uint32_t *value)
{
    uint32_t step = (at & PAGE_MASK) + bytes <= PAGE_BYTES ? bytes : 1;

    for (uint32_t done = 0; done < bytes; done += step) {
        gpa_t where;

        if (!reach(vp, context, at + done, write, &where))
            return false;
        winhv_access_gpa(vp->vmwp->winhv, context, vp->vmwp->partition,
                         vp->index, where, write, (uint8_t *)value + done,
                         step);
    }
    return true;
}

/* INS: the device is read only when the memory can take what it gives. */
static bool input_element(struct vmwp_vp *vp, struct hv_context *context,
                          uint64_t at, uint32_t bytes)
{
    gpa_t ignored;

    if (!reach(vp, context, at, true, &ignored) ||
        !reach(vp, context, at + bytes - 1, true, &ignored))
        return false;

    uint32_t value = vmwp_io_read(vp, context);

    return move_element(vp, context, at, bytes, true, &value);
}

static bool output_element(struct vmwp_vp *vp, struct hv_context *context,
                           uint64_t at, uint32_t bytes)
{
    uint32_t value = 0;

    if (!move_element(vp, context, at, bytes, false, &value))
        return false;
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
    bool in = vmwp_io_is_in(vp);
    bool down = vmwp_field(vp, VMWP_RFLAGS, 8) & RFLAGS_DF;
    uint64_t at = s->base + (s->index & s->mask);

    if (is_over(s) || s->moved == ELEMENTS_AT_ONCE)
        return false;
    if (!vmwp_is_64bit(vp))
        at &= UINT32_MAX;
    if (!(in ? input_element(vp, context, at, bytes)
             : output_element(vp, context, at, bytes)))
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
    if (s->faulted) {
        uint64_t event =
            HV_INTERRUPTION_PENDING |
            HV_INTERRUPTION_TYPE_EXCEPTION << HV_INTERRUPTION_TYPE_SHIFT |
            HV_INTERRUPTION_HAS_ERROR_CODE |
            (uint64_t)s->fault_vector << HV_INTERRUPTION_VECTOR_SHIFT;

        event |= (uint64_t)s->error_code << HV_INTERRUPTION_ERROR_CODE_SHIFT;
        if (s->fault_vector == X86_VECTOR_PF)
            r[n++] =
                (struct winhv_register){HV_REGISTER_CR2, {s->fault_address, 0}};
        r[n++] = (struct winhv_register){HV_REGISTER_PENDING_INTERRUPTION,
                                         {event, 0}};
    } else if (is_over(s)) {
        uint64_t rip = vmwp_field(vp, VMWP_RIP, 8) +
                       (vmwp_field(vp, VMWP_LENGTH, 1) & 0x0f);

        r[n++] = (struct winhv_register){HV_REGISTER_RIP, {rip, 0}};
    }
    r[n++] = (struct winhv_register){HV_REGISTER_INTERCEPT_SUSPEND, {0, 0}};
    winhv_set_registers(vp->vmwp->winhv, context, vp->vmwp->partition,
                        vp->index, r, n);
}
