/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest loaders on arbitrary images: they may refuse one, and then say
 * why; of one that they take, every piece must come from the image or the
 * plan, and lie in the VM's memory. The first two bytes are the memory's size
 * in MiB, the third how much of what follows is the command line.
 */
#include <stdlib.h>
#include <string.h>

#include "partitions/guest_loader.h"
#include "sim/core/check.h"

#define HEAD_BYTES 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static bool lies_in(const uint8_t *from, uint64_t count, const uint8_t *whole,
                    uint64_t size)
{
    return from >= whole && count <= size &&
           (uint64_t)(from - whole) <= size - count;
}

static void check_piece(const struct guest_plan *plan,
                        const struct guest_image *image, uint64_t memory_bytes,
                        const struct guest_piece *piece)
{
    uint64_t end = piece->to.raw + piece->bytes + piece->zero_bytes;

    CHECK(end >= piece->to.raw && end <= memory_bytes);
    CHECK(end <= GUEST_LOW_BYTES_MAX);
    if (piece->bytes == 0)
        return;
    CHECK(
        lies_in(piece->from, piece->bytes, image->bytes, image->size) ||
        lies_in(piece->from, piece->bytes, plan->scratch, plan->scratch_used));
}

static bool starts_in(const struct guest_plan *plan,
                      const struct guest_piece *piece)
{
    return plan->state.rip >= piece->to.raw &&
           plan->state.rip < piece->to.raw + piece->bytes;
}

static void check_plan(const struct guest_plan *plan,
                       const struct guest_image *image, uint64_t memory_bytes)
{
    bool starts = false;

    CHECK(plan->piece_count > 0 && plan->piece_count <= GUEST_PIECES_MAX);
    for (unsigned i = 0; i < plan->piece_count; i++) {
        check_piece(plan, image, memory_bytes, &plan->pieces[i]);
        starts |= starts_in(plan, &plan->pieces[i]);
    }
    CHECK(starts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct guest_plan plan;
    struct sim_error error = {0};

    if (bytes < HEAD_BYTES)
        return 0;

    uint64_t memory_bytes = (uint64_t)(data[0] | data[1] << 8) << 20;
    size_t line_bytes = data[2];

    if (line_bytes > bytes - HEAD_BYTES)
        line_bytes = bytes - HEAD_BYTES;

    char *line = strndup((const char *)data + HEAD_BYTES, line_bytes);
    struct guest_image image = {
        .name = "image",
        .bytes = data + HEAD_BYTES + line_bytes,
        .size = bytes - HEAD_BYTES - line_bytes,
        .command_line = line,
    };

    CHECK(line);
    if (guest_loader_plan(&image, memory_bytes, &plan, &error) == SIM_OK)
        check_plan(&plan, &image, memory_bytes);
    else
        CHECK(error.message[0] != '\0');
    free(line);
    return 0;
}
