/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk that fills up or goes away at every point of a run, one after the
 * other: what was committed stays readable, the failure is told with the path,
 * and nothing else is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/results/fault_vfs.h"
#include "tests/results/feed.h"
#include "tests/results/query.h"

#define INTERVALS 6

/** One run with a fault in it; false if it got through without meeting it. */
static bool run_into_fault(struct fault *fault, enum fault_kind kind,
                           int countdown, bool replace)
{
    struct sim_error error = {0};
    enum sim_status status;

    *fault = (struct fault){.kind = kind, .countdown = countdown};
    status = feed_whole_run("out.db", replace, 16, INTERVALS, 1, &error);
    fault->kind = FAULT_NONE;
    if (!fault->struck) {
        assert_int_equal(status, SIM_OK);
        return false;
    }
    assert_int_equal(status, SIM_IO_ERROR);
    assert_non_null(
        strstr(error.message, "out.db: the results cannot be written: "));
    return true;
}

/** The file is whole and its intervals are the first ones, without a gap. */
static void assert_readable_prefix(void)
{
    sqlite3 *db;
    struct sim_error error = {0};
    char *text;

    if (results_open(&db, "out.db", &error) != SIM_OK)
        fail_msg("%s", error.message);
    text = query_text(db, "PRAGMA integrity_check");
    assert_string_equal(text, "ok\n");
    free(text);
    text = query_text(db, "SELECT count(*) BETWEEN 1 AND 6,"
                          " max(time_ns) = count(*) * 100000000,"
                          " (SELECT sim_ns FROM run) = max(time_ns),"
                          " (SELECT trace_hash FROM run) IS NULL"
                          " FROM (SELECT DISTINCT time_ns FROM perf)");
    assert_string_equal(text, "1|1|1|1\n");
    free(text);
    sqlite3_close(db);
    assert_int_equal(query_count_files("out"), 1);
}

/** Tries a fault at each write of a run; says how many left a file. */
static int fail_everywhere(struct fault *fault, enum fault_kind kind)
{
    int kept = 0;

    for (int countdown = 0;; countdown++) {
        query_remove_files("out");
        if (!run_into_fault(fault, kind, countdown, false))
            return kept;
        if (query_exists("out.db")) {
            assert_readable_prefix();
            kept++;
        } else {
            assert_int_equal(query_count_files("out"), 0);
        }
    }
}

static void a_full_disk_costs_the_interval_at_hand(void **state)
{
    assert_true(fail_everywhere(*state, FAULT_FULL) > 0);
}

static void a_disk_that_goes_away_costs_the_interval_at_hand(void **state)
{
    assert_true(fail_everywhere(*state, FAULT_READ_ONLY) > 0);
}

static void a_failed_replacement_leaves_the_old_file(void **state)
{
    long size;
    char *bytes;

    for (int countdown = 0;; countdown += 7) {
        FILE *old = fopen("out.db", "w");

        assert_non_null(old);
        fputs("precious", old);
        fclose(old);
        if (!run_into_fault(*state, FAULT_FULL, countdown, true))
            break;
        bytes = query_bytes("out.db", &size);
        assert_string_equal(bytes, "precious");
        free(bytes);
        assert_int_equal(query_count_files("out"), 1);
    }
    query_remove_files("out");
}

static void a_full_disk_is_called_so(void **state)
{
    struct fault *fault = *state;
    struct sim_error error = {0};

    *fault = (struct fault){.kind = FAULT_FULL, .countdown = 3};
    assert_int_equal(feed_whole_run("out.db", false, 16, 2, 1, &error),
                     SIM_IO_ERROR);
    fault->kind = FAULT_NONE;
    assert_string_equal(
        error.message,
        "out.db: the results cannot be written: the disk is full");
}

static void after_a_failure_every_call_fails_the_same_way(void **state)
{
    struct fault *fault = *state;
    struct results *results;
    struct sim_error error = {0};
    struct feed feed;

    *fault = (struct fault){0};
    feed_create(&feed, 16);
    struct results_run run = feed_run(&feed);
    assert_int_equal(results_create(&results, "out.db", false, &error), SIM_OK);
    assert_int_equal(results_put_run(results, &run, &error), SIM_OK);
    *fault = (struct fault){.kind = FAULT_FULL};
    assert_int_equal(
        results_put_sample(results, feed_interval(&feed, true), &error),
        SIM_IO_ERROR);
    fault->kind = FAULT_NONE;
    results_put_event(results, &(struct trace_record){0});
    assert_int_equal(
        results_put_sample(results, feed_interval(&feed, true), &error),
        SIM_IO_ERROR);
    assert_int_equal(results_commit(results, &error), SIM_IO_ERROR);
    assert_int_equal(
        results_put_result(results, "web", 0, "x", "1", "%", &error),
        SIM_IO_ERROR);
    assert_int_equal(results_put_image(results, "web", 1, 1, &error),
                     SIM_IO_ERROR);
    assert_int_equal(results_put_partition(results, 2, "web", &error),
                     SIM_IO_ERROR);
    assert_int_equal(results_finish(results, &(struct results_end){0}, &error),
                     SIM_IO_ERROR);
    assert_non_null(strstr(error.message, "the disk is full"));
    feed_free(&feed);
    assert_int_equal(query_count_files("out"), 0);
}

int main(void)
{
    struct fault fault = {0};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(a_full_disk_costs_the_interval_at_hand,
                                  &fault),
        cmocka_unit_test_prestate(
            a_disk_that_goes_away_costs_the_interval_at_hand, &fault),
        cmocka_unit_test_prestate(a_failed_replacement_leaves_the_old_file,
                                  &fault),
        cmocka_unit_test_prestate(a_full_disk_is_called_so, &fault),
        cmocka_unit_test_prestate(after_a_failure_every_call_fails_the_same_way,
                                  &fault),
    };

    query_remove_files("out");
    fault_vfs_install(&fault);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
