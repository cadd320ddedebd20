/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * The guest's memory, for instructions that the worker process carries out: by
 * HvCallTranslateVirtualAddress and HvCallReadGpa or HvCallWriteGpa, with the
 * rights of the code that was intercepted. A fault on the way is the guest's.
 */
#include "cpu/x86.h"
#include "hypervisor/hypercall_abi.h"
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
    vp->fault =
        (struct vmwp_fault){.taken = true,
                            .unmapped = result == HV_TRANSLATE_GPA_UNMAPPED,
                            .vector = X86_VECTOR_PF,
                            .address = at,
                            .error_code = error_code};
}

/* Translates one byte's address; notes the guest's fault if it has one. One
 * that 64-bit code cannot have is a fault of its segment. */
static bool reach(struct vmwp_vp *vp, struct hv_context *context, int segment,
                  uint64_t at, bool write, gpa_t *out)
{
    gpa_t page;
    uint32_t result;

    if (vmwp_is_64bit(vp) && !x86_canonical(at)) {
        vp->fault = (struct vmwp_fault){
            .taken = true,
            .vector = segment == X86_SS ? X86_VECTOR_SS : X86_VECTOR_GP};
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

bool vmwp_memory_can_write(struct vmwp_vp *vp, struct hv_context *context,
                           int segment, uint64_t at, uint32_t bytes)
{
    gpa_t ignored;

    return reach(vp, context, segment, at, true, &ignored) &&
           reach(vp, context, segment, at + bytes - 1, true, &ignored);
}

/* A byte at a time where it lies on two pages. */
bool vmwp_memory_copy(struct vmwp_vp *vp, struct hv_context *context,
                      int segment, uint64_t at, bool write, void *value,
                      uint32_t bytes)
{
    uint32_t step = (at & PAGE_MASK) + bytes <= PAGE_BYTES ? bytes : 1;

    for (uint32_t done = 0; done < bytes; done += step) {
        gpa_t where;

        if (!reach(vp, context, segment, at + done, write, &where))
            return false;
        winhv_access_gpa(vp->vmwp->winhv, context, vp->vmwp->partition,
                         vp->index, where, write, (uint8_t *)value + done,
                         step);
    }
    return true;
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
