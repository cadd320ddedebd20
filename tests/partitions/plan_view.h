/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_PARTITIONS_PLAN_VIEW_H
#define HVSIM_TESTS_PARTITIONS_PLAN_VIEW_H

/** A plan of the guest loader as the guest finds it: memory with something in
 *  it. */

#include "partitions/guest_loader.h"

#define MIB (UINT64_C(1) << 20)

/** Plans `image` for a VM with one VP. */
enum sim_status plan_view_make(struct guest_plan *plan,
                               const struct guest_image *image,
                               uint64_t memory_bytes, struct sim_error *error);

/** The same, where it must work. */
void plan_view_make_good(struct guest_plan *plan,
                         const struct guest_image *image,
                         uint64_t memory_bytes);

/** Fails the test unless planning does, with `words` in the message. */
void plan_view_refused(const struct guest_image *image, uint64_t memory_bytes,
                       enum sim_status status, const char *words);

/** The bytes at `gpa`; fails the test unless one piece has them all. */
const void *plan_view_at(const struct guest_plan *plan, uint64_t gpa,
                         size_t bytes);

/** The little-endian number of `bytes` bytes at `gpa`. */
uint64_t plan_view_number(const struct guest_plan *plan, uint64_t gpa,
                          size_t bytes);

#endif
