/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * What instructions that the worker process carries out reach: the guest's
 * memory, by HvCallTranslateVirtualAddress and HvCallReadGpa or HvCallWriteGpa
 * with the rights of the code that was intercepted, and the devices. A fault
 * on the way is the guest's.
 */
#include "cpu/x86.h"
#include "hypervisor/hypercall_abi.h"
#include "hypervisor/intercept.h"
#include "hypervisor/vp_registers.h"
#include "partitions/vmwp_private.h"

uint64_t vmwp_memory_base(struct vmwp_vp *vp, struct hv_context *context,
                          int segment)
{
    struct winhv_register r = {.name = HV_REGISTER_ES + (uint32_t)segment};

    if (vmwp_is_64bit(vp) && segment != X86_FS && segment != X86_GS)
        return 0;
    winhv_get_register(vp->vmwp->winhv, context, vp->vmwp->partition, vp->index,
                       &r);
    return r.value[0];
}

static void fault_protection(struct vmwp_vp *vp, int segment)
{
    vp->fault = (struct vmwp_fault){
        .taken = true,
        .vector = segment == X86_SS ? X86_VECTOR_SS : X86_VECTOR_GP};
}

/* The guest's page fault at `at`, as the translation's result describes it. */
static void fault_page(struct vmwp_vp *vp, uint64_t at, bool write,
                       uint32_t result)
{
    uint32_t error_code = write ? PF_WRITE : 0;

    if ((vmwp_field(vp, VMWP_STATE, 2) & VMWP_STATE_CPL_MASK) == 3)
        error_code |= PF_USER;
    if (result == HV_TRANSLATE_PRIVILEGE_VIOLATION)
        error_code |= PF_PRESENT;
    if (result == HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS)
        error_code |= PF_PRESENT | PF_RESERVED;
    vp->fault = (struct vmwp_fault){.taken = true,
                                    .vector = X86_VECTOR_PF,
                                    .address = at,
                                    .error_code = error_code};
}

/* The page that the message at hand is about: its GPA is the message's. */
static bool is_intercepted_page(const struct vmwp_vp *vp, uint64_t at)
{
    return vmwp_field(vp, VMWP_TYPE, 4) == INTERCEPT_UNMAPPED_GPA &&
           ((at ^ vmwp_field(vp, VMWP_MEMORY_GVA, 8)) & ~PAGE_MASK) == 0;
}

/* Where the byte at `at` is; notes the guest's fault if it has one. */
static bool find_byte(struct vmwp_vp *vp, struct hv_context *context,
                      int segment, uint64_t at, bool write,
                      struct vmwp_piece *out)
{
    gpa_t page = gpa(vmwp_field(vp, VMWP_MEMORY_GPA, 8) & ~PAGE_MASK);
    uint32_t result = HV_TRANSLATE_GPA_UNMAPPED;

    if (vmwp_is_64bit(vp) && !x86_canonical(at)) {
        fault_protection(vp, segment);
        return false;
    }
    if (!is_intercepted_page(vp, at))
        result = winhv_translate(vp->vmwp->winhv, context, vp->vmwp->partition,
                                 vp->index, gva(at), write, &page);
    out->gpa = gpa_add(page, at & PAGE_MASK);
    out->memory = result == HV_TRANSLATE_SUCCESS;
    switch ((enum hv_translate_result)result) {
    case HV_TRANSLATE_SUCCESS:
        return true;
    case HV_TRANSLATE_GPA_UNMAPPED:
        if (page.raw >> PAGE_SHIFT != HV_INVALID_GPA_PAGE)
            return true;
        vp->fault = (struct vmwp_fault){.taken = true, .unmapped = true};
        return false;
    case HV_TRANSLATE_GPA_NO_READ_ACCESS:
    case HV_TRANSLATE_GPA_NO_WRITE_ACCESS:
    case HV_TRANSLATE_GPA_ILLEGAL_OVERLAY_ACCESS:
        fault_protection(vp, segment); /* as for a store of the processor's */
        return false;
    case HV_TRANSLATE_PAGE_NOT_PRESENT:
    case HV_TRANSLATE_PRIVILEGE_VIOLATION:
    case HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS:
        break;
    }
    fault_page(vp, at, write, result);
    return false;
}

bool vmwp_memory_find(struct vmwp_vp *vp, struct hv_context *context,
                      int segment, uint64_t at, uint32_t bytes, bool write,
                      struct vmwp_operand *out)
{
    uint64_t room = PAGE_BYTES - (at & PAGE_MASK);

    *out = (struct vmwp_operand){.count = bytes > room ? 2 : 1};
    out->pieces[0].bytes = bytes > room ? (uint32_t)room : bytes;
    out->pieces[1].bytes = bytes - out->pieces[0].bytes;
    if (!find_byte(vp, context, segment, at, write, &out->pieces[0]))
        return false;
    at += room;
    if (!vmwp_is_64bit(vp))
        at &= UINT32_MAX;
    return out->count == 1 ||
           find_byte(vp, context, segment, at, write, &out->pieces[1]);
}

#define BUS_BYTES_MAX 8

static void access_device(struct vmwp_vp *vp, struct hv_context *context,
                          gpa_t at, bool write, uint8_t *value, uint32_t bytes)
{
    const struct vdev_bus *bus = &vp->vmwp->bus;
    uint64_t now_ns = vmwp_now_ns(vp->vmwp, context);
    uint64_t word = 0;

    if (write) {
        memcpy(&word, value, bytes);
        vdev_bus_write(bus, now_ns, VDEV_MEMORY, at.raw, bytes, word);
    } else {
        word = vdev_bus_read(bus, now_ns, VDEV_MEMORY, at.raw, bytes);
        memcpy(value, &word, bytes);
    }
}

static void access_piece(struct vmwp_vp *vp, struct hv_context *context,
                         const struct vmwp_piece *piece, bool write,
                         uint8_t *value)
{
    if (piece->memory) {
        (void)winhv_access_gpa(vp->vmwp->winhv, context, vp->vmwp->partition,
                               vp->index, piece->gpa, write, value,
                               piece->bytes);
        return;
    }
    for (uint32_t done = 0, step; done < piece->bytes; done += step) {
        step = piece->bytes - done;
        if (step > BUS_BYTES_MAX)
            step = BUS_BYTES_MAX;
        access_device(vp, context, gpa_add(piece->gpa, done), write,
                      value + done, step);
    }
}

void vmwp_memory_access(struct vmwp_vp *vp, struct hv_context *context,
                        const struct vmwp_operand *operand, bool write,
                        void *value)
{
    access_piece(vp, context, &operand->pieces[0], write, value);
    if (operand->count == 2)
        access_piece(vp, context, &operand->pieces[1], write,
                     (uint8_t *)value + operand->pieces[0].bytes);
}

uint32_t vmwp_memory_fault(const struct vmwp_vp *vp, struct winhv_register *r)
{
    const struct vmwp_fault *fault = &vp->fault;
    uint64_t event =
        HV_INTERRUPTION_PENDING |
        HV_INTERRUPTION_TYPE_EXCEPTION << HV_INTERRUPTION_TYPE_SHIFT |
        HV_INTERRUPTION_HAS_ERROR_CODE |
        (uint64_t)fault->vector << HV_INTERRUPTION_VECTOR_SHIFT |
        (uint64_t)fault->error_code << HV_INTERRUPTION_ERROR_CODE_SHIFT;
    uint32_t n = 0;

    if (fault->vector == X86_VECTOR_PF)
        r[n++] = (struct winhv_register){HV_REGISTER_CR2, {fault->address, 0}};
    r[n++] =
        (struct winhv_register){HV_REGISTER_PENDING_INTERRUPTION, {event, 0}};
    return n;
}
