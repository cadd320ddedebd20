/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_RESULTS_OUTPUTS_H
#define HVSIM_TESTS_RESULTS_OUTPUTS_H

/**
 * Runs written into files of the current folder whose names begin with "out",
 * for tests: what fails here fails the test.
 */

#include "sim/results/results.h"
#include "tests/results/feed.h"

/** A test with these files removed before and after. */
#define OUTPUTS_TEST(name)                                                     \
    cmocka_unit_test_setup_teardown(name, outputs_remove, outputs_remove)

int outputs_remove(void **state);

/** `status` is SIM_OK, or the test fails with the message of `error`. */
void outputs_must(enum sim_status status, const struct sim_error *error);

/** A whole run of 4 LPs and 4 intervals. */
void outputs_write_run(const char *path, bool replace);

/** A new file with its run row and nothing else. */
struct results *outputs_begin_run(const char *path, struct feed *feed);

/** Finishes the file at the feed's time, and frees the feed. */
void outputs_end_run(struct results *results, struct feed *feed);

/** A file that holds `text`. */
void outputs_put_text(const char *path, const char *text);

#endif
