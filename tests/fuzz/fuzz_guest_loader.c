/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest loaders on arbitrary images: they may refuse one, and then say
 * why; of one that they take, every piece must come from the image or the
 * plan, and lie in the VM's memory where no other does. The first two bytes are
 * the memory's size in MiB, but for their upper two bits, which choose the
 * form: multiboot, Linux with an initrd, flat, or multiboot with a module,
 * where what lies beside the image is the image again. The third byte is how
 * much of what follows is the command line. A flat image has its bits, its
 * address and its entry before it.
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
    for (unsigned i = 0; &plan->pieces[i] < piece; i++) {
        const struct guest_piece *other = &plan->pieces[i];

        CHECK(end <= other->to.raw ||
              other->to.raw + other->bytes + other->zero_bytes <=
                  piece->to.raw);
    }
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
    uint64_t at = plan->state.segment[X86_CS].base + plan->state.rip;

    return at >= piece->to.raw && at < piece->to.raw + piece->bytes;
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

enum form { MULTIBOOT, LINUX_WITH_INITRD, FLAT, MULTIBOOT_WITH_MODULE };

#define FLAT_HEAD_BYTES 9

/* Takes what a flat image needs off its front; false: it is not all there. */
static bool make_flat(struct guest_image *image)
{
    static const unsigned bits[] = {16, 32, 64};
    uint32_t words[2];

    if (image->size < FLAT_HEAD_BYTES)
        return false;
    memcpy(words, image->bytes + 1, sizeof(words));
    image->format = GUEST_FLAT;
    image->bits = bits[image->bytes[0] % 3];
    image->load = words[0];
    image->entry = words[1];
    image->bytes += FLAT_HEAD_BYTES;
    image->size -= FLAT_HEAD_BYTES;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct guest_plan plan;
    struct sim_error error = {0};

    if (bytes < HEAD_BYTES)
        return 0;

    enum form form = data[1] >> 6;
    struct guest_machine machine = {
        .memory_bytes = (uint64_t)(data[0] | (data[1] & 0x3f) << 8) << 20,
        .vp_count = data[0] % 64 + 1u,
        .node_count = data[0] % 4 == 3 ? 2 : 1,
    };
    size_t line_bytes = data[2];

    if (line_bytes > bytes - HEAD_BYTES)
        line_bytes = bytes - HEAD_BYTES;

    char *line = strndup((const char *)data + HEAD_BYTES, line_bytes);
    struct guest_image image = {
        .name = "image",
        .bytes = data + HEAD_BYTES + line_bytes,
        .size = bytes - HEAD_BYTES - line_bytes,
        .format = form == LINUX_WITH_INITRD ? GUEST_LINUX : GUEST_MULTIBOOT,
        .command_line = line,
    };
    const struct guest_module module = {"module", image.bytes, image.size,
                                        line};

    CHECK(line);
    if (form == LINUX_WITH_INITRD || form == MULTIBOOT_WITH_MODULE) {
        image.modules = &module;
        image.module_count = 1;
    }
    if (form == FLAT && !make_flat(&image))
        goto out;
    if (guest_loader_plan(&image, &machine, &plan, &error) == SIM_OK)
        check_plan(&plan, &image, machine.memory_bytes);
    else
        CHECK(error.message[0] != '\0');
out:
    free(line);
    return 0;
}
