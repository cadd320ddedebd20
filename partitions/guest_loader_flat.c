/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Bytes without a format: they go to one address and start at another, in
 * real, protected or 64-bit mode. Real mode starts with segments of 0, or, at
 * an entry above 64 KiB, with a CS for the entry's 64 KiB.
 */
#include <inttypes.h>

#include "partitions/guest_loader_private.h"
#include "sim/core/check.h"

#define REAL_MODE_END UINT64_C(0x100000)

static void start_real(struct x86_state *state, uint64_t entry)
{
    const struct x86_segment data = {.limit = 0xffff, .attributes = 0x93};
    struct x86_segment code = {.limit = 0xffff, .attributes = 0x9b};

    x86_reset(state);
    code.base = entry & ~UINT64_C(0xffff);
    code.selector = (uint16_t)(code.base >> 4);
    for (unsigned i = 0; i < X86_SEGMENT_COUNT; i++)
        state->segment[i] = i == X86_CS ? code : data;
    state->cr0 = CR0_ET;
    state->rip = entry & 0xffff;
}

enum sim_status guest_loader_flat(struct guest_loading *loading)
{
    const struct guest_image *image = loading->image;
    enum sim_status status;

    if (image->size == 0)
        return guest_loader_refuse(loading, "is empty");
    status = guest_loader_add(loading, (struct guest_piece){
                                           .to = gpa(image->load),
                                           .from = image->bytes,
                                           .bytes = image->size,
                                       });
    if (status != SIM_OK)
        return status;
    if (image->entry < image->load || image->entry - image->load >= image->size)
        return guest_loader_refuse(
            loading,
            "starts at 0x%" PRIx64 ", outside what is loaded: 0x%" PRIx64
            " to 0x%" PRIx64,
            image->entry, image->load, image->load + image->size);
    switch (image->bits) {
    case 16:
        if (image->entry >= REAL_MODE_END)
            return guest_loader_refuse(loading,
                                       "starts at 0x%" PRIx64
                                       ", which real mode does not reach",
                                       image->entry);
        start_real(&loading->plan->state, image->entry);
        return SIM_OK;
    case 32:
        guest_loader_start_protected(loading, image->entry);
        return SIM_OK;
    default:
        CHECK(image->bits == 64);
        return guest_loader_start_long(loading, image->entry);
    }
}
