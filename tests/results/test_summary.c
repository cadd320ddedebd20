/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/results/results.h"
#include "sim/results/summary.h"
#include "tests/results/outputs.h"
#include "tests/results/query.h"

#define GOLDEN HVSIM_SOURCE_DIR "/tests/results/golden/"

/** The summary of out.db; the caller frees it. */
static char *summary(unsigned width)
{
    struct sim_error error = {0};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    sqlite3 *db;

    outputs_must(results_open(&db, "out.db", &error), &error);
    outputs_must(summary_print(out, db, width, &error), &error);
    sqlite3_close(db);
    fclose(out);
    return text;
}

/** Compares with the file in golden/; what came out is left beside the test
 *  so that a wanted change can be reviewed and copied. */
static void assert_golden(const char *name, const char *text)
{
    char path[4096];
    char *expected;
    long size;
    FILE *actual;

    snprintf(path, sizeof(path), "actual-%s", name);
    actual = fopen(path, "w");
    assert_non_null(actual);
    fputs(text, actual);
    fclose(actual);
    snprintf(path, sizeof(path), GOLDEN "%s", name);
    expected = query_bytes(path, &size);
    assert_string_equal(text, expected);
    free(expected);
}

static void assert_lines_at_most(const char *text, size_t width)
{
    for (const char *line = text; *line != '\0';) {
        size_t length = strcspn(line, "\n");

        if (length > width)
            fail_msg("%zu characters: %.*s", length, (int)length, line);
        line += length + (line[length] == '\n');
    }
}

static void a_small_host_is_shown_in_full(void **state)
{
    struct sim_error error = {0};
    char *text;

    (void)state;
    outputs_must(feed_whole_run("out.db", false, 4, 20, 1, &error), &error);
    text = summary(80);
    assert_golden("summary-small.out", text);
    assert_lines_at_most(text, 80);
    free(text);
}

static void a_large_host_is_shown_by_its_busiest_and_its_range(void **state)
{
    struct sim_error error = {0};
    char *text;

    (void)state;
    outputs_must(feed_whole_run("out.db", false, 64, 7, 1, &error), &error);
    text = summary(80);
    assert_golden("summary-large.out", text);
    assert_lines_at_most(text, 80);
    free(text);
}

static void a_wide_terminal_shows_more_lps_over_time(void **state)
{
    struct sim_error error = {0};
    char *narrow, *wide;

    (void)state;
    outputs_must(feed_whole_run("out.db", false, 16, 4, 1, &error), &error);
    narrow = summary(80);
    wide = summary(200);
    assert_non_null(strstr(narrow, "busiest LP"));
    assert_null(strstr(narrow, "LP 14  LP 15"));
    assert_null(strstr(wide, "busiest LP"));
    assert_non_null(strstr(wide, "LP 14  LP 15"));
    free(narrow);
    free(wide);
}

static void long_names_are_cut_to_fit(void **state)
{
    struct results *results;
    struct sim_error error = {0};
    struct pc_vp vp = {0};
    struct feed feed;
    char name[65];
    char *text;

    (void)state;
    memset(name, 'n', 64);
    name[64] = '\0';
    feed_create(&feed, 3);
    struct results_run run = feed_run(&feed);
    pc_report_add_vp(feed.report, name, (vp_index_t){0}, &vp);
    outputs_must(results_create(&results, "out.db", false, &error), &error);
    outputs_must(results_put_run(results, &run, &error), &error);
    outputs_must(
        results_put_sample(results, feed_interval(&feed, true), &error),
        &error);
    outputs_must(
        results_put_total(
            results, pc_report_total(feed.report, cycles(feed.now_ns)), &error),
        &error);
    outputs_must(results_finish(results,
                                &(struct results_end){.sim_ns = feed.now_ns},
                                &error),
                 &error);
    feed_free(&feed);
    text = summary(80);
    assert_lines_at_most(text, 80);
    assert_non_null(strstr(text, "nnn~"));
    free(text);
}

static void an_interrupted_run_has_a_timeline_and_says_so(void **state)
{
    struct results *results;
    struct sim_error error = {0};
    struct feed feed;
    char *text;

    (void)state;
    feed_create(&feed, 3);
    struct results_run run = feed_run(&feed);
    outputs_must(results_create(&results, "out.db", false, &error), &error);
    outputs_must(results_put_run(results, &run, &error), &error);
    outputs_must(
        results_put_sample(results, feed_interval(&feed, true), &error),
        &error);
    outputs_must(results_commit(results, &error), &error);
    results_abandon(results);
    feed_free(&feed);
    text = summary(80);
    assert_golden("summary-interrupted.out", text);
    free(text);
}

static void put_ms(struct results *results, const char *vm, uint64_t time_ms,
                   const char *name, uint64_t ms)
{
    bool is_clock = strcmp(name, "clock") == 0;
    struct sim_error error = {0};
    char value[32];

    snprintf(value, sizeof(value), "%" PRIu64,
             is_clock ? ms * UINT64_C(1000000) : ms);
    outputs_must(results_put_result(results, vm, time_ms * UINT64_C(1000000),
                                    name, value, is_clock ? "ns" : "ms",
                                    &error),
                 &error);
}

/** What the Linux guests' init reports at `time_ms`. */
static void put_report(struct results *results, const char *vm,
                       uint64_t time_ms, uint64_t clock_ms, uint64_t busy_ms,
                       uint64_t idle_ms)
{
    put_ms(results, vm, time_ms, "clock", clock_ms);
    put_ms(results, vm, time_ms, "stat_busy", busy_ms);
    put_ms(results, vm, time_ms, "stat_idle", idle_ms);
    put_ms(results, vm, time_ms, "stat_stolen", time_ms / 10);
}

/** Intervals of 100 ms, in the first `busy` of which "web" is busy. */
static void put_intervals(struct results *results, struct feed *feed,
                          unsigned count, unsigned busy)
{
    struct sim_error error = {0};

    for (unsigned i = 0; i < count; i++)
        outputs_must(
            results_put_sample(results, feed_interval(feed, i < busy), &error),
            &error);
}

/* "web" is busy for 200 ms: that is a half of its second span, which begins
 * and ends within a sample interval, and a quarter of its third. */
static void what_guests_report_stands_beside_what_the_host_counted(void **state)
{
    struct feed feed;
    struct results *results = outputs_begin_run("out.db", &feed);
    char *text;

    (void)state;
    put_intervals(results, &feed, 4, 2);
    put_report(results, "web", 20, 5, 0, 0);
    put_report(results, "tick", 100, 1000, 50, 1000);
    put_report(results, "web", 50, 35, 27, 0);
    put_report(results, "web", 150, 135, 117, 0);
    put_report(results, "tick", 300, 1203, 50, 1180);
    put_report(results, "web", 350, 333, 197, 100);
    put_ms(results, "tick", 399, "clock", 1302); /* the run ends in a report */
    outputs_end_run(results, &feed);
    text = summary(80);
    assert_golden("summary-guests.out", text);
    assert_lines_at_most(text, 80);
    free(text);
}

static void many_reports_are_put_together(void **state)
{
    struct feed feed;
    struct results *results = outputs_begin_run("out.db", &feed);
    char *text;

    (void)state;
    put_intervals(results, &feed, 3, 0);
    for (uint64_t i = 0; i <= 25; i++)
        put_report(results, "web", i * 10, i * 10, i < 5 ? i * 9 : 45,
                   i < 5 ? 0 : i * 9 - 45);
    outputs_end_run(results, &feed);
    text = summary(80);
    /* 25 spans, three to a line; the second line is busy for two of three. */
    assert_non_null(strstr(text, "web     0.030  90.00   10.00"));
    assert_non_null(strstr(text, "web     0.060  60.00   10.00"));
    assert_non_null(strstr(text, "web     0.240   0.00   10.00"));
    assert_non_null(strstr(text, "web     0.250   0.00   10.00"));
    assert_null(strstr(text, "web     0.010"));
    free(text);
}

static void every_vm_that_failed_is_named_with_its_reason(void **state)
{
    struct sim_error error = {0};
    struct feed feed;
    struct results *results = outputs_begin_run("out.db", &feed);
    char *text;

    (void)state;
    outputs_must(results_put_failure(results, "web", 1500000000,
                                     "its guest reports a crash: parameters "
                                     "0x0, 0x0, 0x0; it says: [ 1.1] Kernel "
                                     "panic - not syncing: by me",
                                     "Call Trace:\n", &error),
                 &error);
    outputs_must(results_put_failure(results, "tick", 1600000000,
                                     "triple fault", "", &error),
                 &error);
    outputs_end_run(results, &feed);
    text = summary(80);
    assert_non_null(
        strstr(text, "VM \"web\" failed at 1.500 s:\n"
                     "  its guest reports a crash: parameters 0x0, 0x0, 0x0; "
                     "it says: [ 1.1] Kernel panic - not syncing: by me\n"
                     "VM \"tick\" failed at 1.600 s:\n"
                     "  triple fault\n"));
    free(text);
}

static void what_a_file_says_cannot_steer_a_terminal(void **state)
{
    struct sim_error error = {0};
    sqlite3 *db;
    char *text;

    (void)state;
    outputs_must(feed_whole_run("out.db", false, 3, 2, 1, &error), &error);
    db = query_open("out.db");
    assert_int_equal(
        sqlite3_exec(db,
                     "UPDATE run_info SET name = char(27) || '[2J';"
                     "UPDATE instance SET name = char(155) || name",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    text = summary(80);
    assert_memory_equal(text, "\\x1b[2J: ", strlen("\\x1b[2J: "));
    assert_non_null(strstr(text, "\\xc2\\x9b"));
    assert_null(strchr(text, 0x1b));
    assert_null(strstr(text, "\xc2\x9b"));
    free(text);
}

static void a_run_without_intervals_is_no_reason_to_fail(void **state)
{
    struct sim_error error = {0};
    char *text;

    (void)state;
    outputs_must(feed_whole_run("out.db", false, 3, 0, 1, &error), &error);
    text = summary(0);
    assert_non_null(strstr(text, "heavy-load: 0.000 s simulated"));
    assert_null(strstr(text, "nan"));
    free(text);
}

static void a_file_that_cannot_be_read_is_reported(void **state)
{
    struct sim_error error = {0};
    sqlite3 *db;

    (void)state;
    outputs_must(feed_whole_run("out.db", false, 3, 2, 1, &error), &error);
    db = query_open("out.db");
    sqlite3_exec(db, "DROP VIEW perf", NULL, NULL, NULL);
    sqlite3_close(db);
    outputs_must(results_open(&db, "out.db", &error), &error);
    FILE *out = fopen("/dev/null", "w");
    assert_int_equal(summary_print(out, db, 80, &error), SIM_IO_ERROR);
    fclose(out);
    sqlite3_close(db);
    assert_string_equal(error.message,
                        "the results cannot be read: no such table: perf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OUTPUTS_TEST(a_small_host_is_shown_in_full),
        OUTPUTS_TEST(a_large_host_is_shown_by_its_busiest_and_its_range),
        OUTPUTS_TEST(a_wide_terminal_shows_more_lps_over_time),
        OUTPUTS_TEST(long_names_are_cut_to_fit),
        OUTPUTS_TEST(an_interrupted_run_has_a_timeline_and_says_so),
        OUTPUTS_TEST(what_guests_report_stands_beside_what_the_host_counted),
        OUTPUTS_TEST(many_reports_are_put_together),
        OUTPUTS_TEST(every_vm_that_failed_is_named_with_its_reason),
        OUTPUTS_TEST(what_a_file_says_cannot_steer_a_terminal),
        OUTPUTS_TEST(a_run_without_intervals_is_no_reason_to_fail),
        OUTPUTS_TEST(a_file_that_cannot_be_read_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
