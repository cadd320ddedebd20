/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/guest_loader.h"

#include <inttypes.h>
#include <string.h>

static const struct guest_loader_ops *const guest_loaders[] = {
    &guest_loader_multiboot,
};

enum sim_status guest_loader_plan(const struct guest_image *image,
                                  uint64_t memory_bytes,
                                  struct guest_plan *plan,
                                  struct sim_error *error)
{
    for (size_t i = 0; i < sizeof(guest_loaders) / sizeof(guest_loaders[0]);
         i++) {
        if (!guest_loaders[i]->recognizes(image))
            continue;
        *plan = (struct guest_plan){0};
        return guest_loaders[i]->plan(image, memory_bytes, plan, error);
    }
    return sim_fail(error, SIM_NO_INPUT,
                    "%s: not a guest image: expected a multiboot image",
                    image->name);
}

uint8_t *guest_loader_scratch(struct guest_plan *plan, const void *bytes,
                              size_t size)
{
    if (size > sizeof(plan->scratch) - plan->scratch_used)
        return NULL;

    uint8_t *at = plan->scratch + plan->scratch_used;

    memcpy(at, bytes, size);
    plan->scratch_used += size;
    return at;
}

enum sim_status guest_loader_add(struct guest_plan *plan,
                                 const struct guest_image *image,
                                 uint64_t memory_bytes,
                                 struct guest_piece piece,
                                 struct sim_error *error)
{
    uint64_t at = piece.to.raw;

    /* Loaders place things below the device hole. */
    if (memory_bytes > GUEST_LOW_BYTES_MAX)
        memory_bytes = GUEST_LOW_BYTES_MAX;

    if (at > memory_bytes || piece.bytes > memory_bytes - at ||
        piece.zero_bytes > memory_bytes - at - piece.bytes)
        return sim_fail(error, SIM_NO_INPUT,
                        "%s: does not fit: it wants memory from 0x%" PRIx64
                        " to 0x%" PRIx64 ", but the VM has %" PRIu64 " MiB",
                        image->name, at, at + piece.bytes + piece.zero_bytes,
                        memory_bytes >> 20);
    if (plan->piece_count == GUEST_PIECES_MAX)
        return sim_fail(error, SIM_NO_INPUT,
                        "%s: has more than %d parts to load", image->name,
                        GUEST_PIECES_MAX);
    plan->pieces[plan->piece_count++] = piece;
    return SIM_OK;
}
