/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/partitions/plan_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum sim_status plan_view_make(struct guest_plan *plan,
                               const struct guest_image *image,
                               uint64_t memory_bytes, struct sim_error *error)
{
    const struct guest_machine machine = {
        .memory_bytes = memory_bytes, .vp_count = 1, .node_count = 1};

    return guest_loader_plan(image, &machine, plan, error);
}

void plan_view_make_good(struct guest_plan *plan,
                         const struct guest_image *image, uint64_t memory_bytes)
{
    struct sim_error error = {0};

    if (plan_view_make(plan, image, memory_bytes, &error) != SIM_OK)
        fail_msg("%s", error.message);
}

void plan_view_refused(const struct guest_image *image, uint64_t memory_bytes,
                       enum sim_status status, const char *words)
{
    static struct guest_plan plan;
    struct sim_error error = {0};

    assert_int_equal(plan_view_make(&plan, image, memory_bytes, &error),
                     status);
    if (!strstr(error.message, image->name) || !strstr(error.message, words))
        fail_msg("\"%s\" does not say \"%s\"", error.message, words);
}

const void *plan_view_at(const struct guest_plan *plan, uint64_t gpa,
                         size_t bytes)
{
    for (unsigned i = 0; i < plan->piece_count; i++) {
        const struct guest_piece *piece = &plan->pieces[i];

        if (gpa >= piece->to.raw && gpa - piece->to.raw < piece->bytes) {
            assert_true(bytes <= piece->bytes - (gpa - piece->to.raw));
            return piece->from + (gpa - piece->to.raw);
        }
    }
    fail_msg("nothing is loaded at 0x%llx", (unsigned long long)gpa);
    return NULL;
}

uint64_t plan_view_number(const struct guest_plan *plan, uint64_t gpa,
                          size_t bytes)
{
    uint64_t value = 0;

    memcpy(&value, plan_view_at(plan, gpa, bytes), bytes);
    return value;
}
