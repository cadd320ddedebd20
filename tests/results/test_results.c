/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/results/results_schema.h"
#include "tests/results/outputs.h"
#include "tests/results/query.h"

#define LP "'Hyper-V Hypervisor Logical Processor'"

/* The stable face */

static void assert_columns(const char *view, const char *expected)
{
    char sql[128];

    snprintf(sql, sizeof(sql),
             "SELECT group_concat(name, ', ') FROM pragma_table_info('%s')",
             view);
    query_expect("out.db", sql, expected);
}

static void views_have_exactly_the_columns_of_the_design(void **state)
{
    (void)state;
    outputs_write_run("out.db", false);
    assert_columns("run", "name, scenario_yaml, seed, version, engine_version, "
                          "profile, sim_ns, host_ns, trace_hash\n");
    assert_columns("image", "name, bytes, hash\n");
    assert_columns("partition", "partition, vm\n");
    assert_columns("perf", "time_ns, object, instance, counter, value\n");
    assert_columns("perf_total", "object, instance, counter, value\n");
    assert_columns("result", "vm, name, value, unit\n");
    assert_columns("guest_view",
                   "vm, start_ns, end_ns, believed_busy, believed_stolen, "
                   "guest_run, total_run, waiting, clock_ahead_ns\n");
    assert_columns("console", "time_ns, vm, line\n");
    assert_columns("input", "time_ns, vm, bytes\n");
    assert_columns("failure", "time_ns, vm, reason, text\n");
    assert_columns("event", "time_ns, lp, partition, vp, kind, detail\n");
    assert_columns("wait", "vm, vp, rule, dispatches, wait_ns, longest_ns, "
                           "undispatched, undispatched_ns\n");
    assert_columns("wait_holder",
                   "vm, vp, holder_vm, holder_vp, dispatches, wait_ns\n");
    assert_columns("wait_histogram", "vm, vp, from_ns, to_ns, dispatches\n");
    assert_columns("wait_worst", "vm, vp, rank, ready_ns, wait_ns, lp, rule, "
                                 "holder_vm, holder_vp\n");
    assert_columns("wait_worst_part", "vm, vp, rank, rule, wait_ns\n");
    query_expect(
        "out.db",
        "SELECT name FROM sqlite_schema WHERE type = 'view'"
        " ORDER BY name",
        "console\nevent\nfailure\nguest_view\nimage\ninput\npartition\n"
        "perf\nperf_total\nresult\nrun\nwait\nwait_histogram\n"
        "wait_holder\nwait_worst\nwait_worst_part\n");
}

static void the_header_says_whose_file_it_is(void **state)
{
    (void)state;
    outputs_write_run("out.db", false);
    query_expect("out.db", "PRAGMA application_id", "1752593261\n"); /* hvsm */
    query_expect("out.db", "PRAGMA user_version", "5\n");
    query_expect("out.db", "PRAGMA journal_mode", "delete\n");
    query_expect("out.db", "PRAGMA integrity_check", "ok\n");
    query_expect("out.db", "PRAGMA foreign_key_check", "");
    query_expect("out.db",
                 "SELECT count(*) FROM pragma_table_list WHERE NOT strict"
                 " AND type = 'table' AND name NOT LIKE 'sqlite_%'",
                 "0\n");
}

static void a_finished_run_is_a_single_file(void **state)
{
    (void)state;
    outputs_write_run("out.db", false);
    assert_int_equal(query_count_files("out"), 1);
}

static void the_run_row_is_complete(void **state)
{
    (void)state;
    outputs_write_run("out.db", false);
    query_expect("out.db", "SELECT * FROM run",
                 "heavy-load|hvsim: 1\nname: heavy-load\n|1|0.1.0|2.1.1|"
                 "reference-2020|400000000|1000|0000feedfacecafe\n");
}

static void perf_shows_what_performance_monitor_would(void **state)
{
    (void)state;
    outputs_write_run("out.db", false);
    query_expect("out.db",
                 "SELECT time_ns, value FROM perf WHERE instance = 'Hv LP 1'"
                 " AND counter = '% Total Run Time' AND object = " LP
                 " ORDER BY time_ns",
                 "100000000|99.5\n200000000|99.5\n"
                 "300000000|0.0\n400000000|0.0\n");
    query_expect("out.db",
                 "SELECT value FROM perf WHERE instance = 'tick:Hv VP 0'"
                 " AND counter = 'HLT Instructions Cost' LIMIT 1",
                 "1500.0\n");
    query_expect("out.db",
                 "SELECT value FROM perf WHERE instance = 'tick:Hv VP 0'"
                 " AND counter = 'HLT Instructions/sec' LIMIT 1",
                 "100.0\n");
}

static void perf_has_a_row_for_every_value_zeros_included(void **state)
{
    char expected[64];
    int lp = pc_counters_object(PC_OBJECT_LP)->counter_count;
    int vp = pc_counters_object(PC_OBJECT_VP)->counter_count;

    (void)state;
    outputs_write_run("out.db", false);
    /* 4 LPs, 1 root VP, 2 VPs, a "_Total" of each object; 4 intervals */
    snprintf(expected, sizeof(expected), "%d|%d\n", 4 * (5 * lp + 5 * vp),
             4 * (5 * lp + 5 * vp));
    query_expect("out.db",
                 "SELECT count(*), count(DISTINCT"
                 " time_ns || object || instance || counter) FROM perf",
                 expected);
    snprintf(expected, sizeof(expected), "%d\n", 5 * lp + 5 * vp);
    query_expect("out.db", "SELECT count(*) FROM perf_total", expected);
}

static void every_view_is_described_as_it_is(void **state)
{
    size_t count;
    const struct results_view *views = results_schema_views(&count);
    char listed[256] = "";

    (void)state;
    outputs_write_run("out.db", false);
    for (size_t i = 0; i < count; i++) {
        char sql[128];
        char columns[256];

        snprintf(listed + strlen(listed), sizeof(listed) - strlen(listed),
                 "%s\n", views[i].name);
        snprintf(sql, sizeof(sql),
                 "SELECT group_concat(name, ', ') FROM pragma_table_info('%s')",
                 views[i].name);
        snprintf(columns, sizeof(columns), "%s\n", views[i].columns);
        query_expect("out.db", sql, columns);
    }
    query_expect("out.db",
                 "SELECT name FROM sqlite_schema WHERE type = 'view'"
                 " ORDER BY rowid",
                 listed);
}

static void perf_total_is_over_the_whole_run(void **state)
{
    (void)state;
    outputs_write_run("out.db", false);
    query_expect("out.db",
                 "SELECT value FROM perf_total WHERE instance = 'Hv LP 1'"
                 " AND counter = '% Total Run Time'",
                 "49.75\n");
    query_expect("out.db",
                 "SELECT value FROM perf_total WHERE instance = '_Total'"
                 " AND counter = '% Guest Run Time' AND object = " LP,
                 "12.65\n");
}

static void results_keep_the_decimals_of_the_guest(void **state)
{
    struct feed feed;
    struct results *results = outputs_begin_run("out.db", &feed);
    struct sim_error error = {0};
    static const char *const values[] = {"99.98", "-0.000000001",
                                         "123456789012345678", "3.000", "-7"};

    (void)state;
    for (size_t i = 0; i < 5; i++)
        outputs_must(
            results_put_result(results, "web", 0, "x", values[i], "%", &error),
            &error);
    outputs_end_run(results, &feed);
    query_expect("out.db", "SELECT typeof(value), value FROM result",
                 "real|99.98\nreal|-1.0e-09\ninteger|123456789012345678\n"
                 "integer|3\ninteger|-7\n");
}

static void results_out_of_form_are_refused_and_harm_nothing(void **state)
{
    struct feed feed;
    struct results *results = outputs_begin_run("out.db", &feed);
    struct sim_error error = {0};

    (void)state;
    assert_int_equal(
        results_put_result(results, "web", 0, "x", "1; DROP", "%", &error),
        SIM_RUN_FAILED);
    assert_string_equal(error.message, "VM \"web\": reported a result that is "
                                       "not of the form NAME NUMBER UNIT");
    assert_int_equal(
        results_put_result(results, "web", 0, "\033[2J", "1", "%", &error),
        SIM_RUN_FAILED);
    assert_int_equal(
        results_put_result(results, "web", 0, "x", "1", "", &error),
        SIM_RUN_FAILED);
    outputs_must(results_put_result(results, "web", 0, "x", "1", "%", &error),
                 &error);
    outputs_end_run(results, &feed);
    query_expect("out.db", "SELECT * FROM result", "web|x|1|%\n");
}

static void console_lines_are_shown_in_their_order(void **state)
{
    struct feed feed;
    struct results *results = outputs_begin_run("out.db", &feed);
    struct sim_error error = {0};

    (void)state;
    outputs_must(results_put_console(results, "web", 7,
                                     "booting, 100 % \"ready\"", &error),
                 &error);
    outputs_must(results_put_console(results, "tick", 5, "", &error), &error);
    outputs_end_run(results, &feed);
    query_expect("out.db", "SELECT * FROM console",
                 "7|web|booting, 100 % \"ready\"\n5|tick|\n");
}

static void input_is_kept_to_the_byte(void **state)
{
    static const uint8_t bytes[] = {'a', 0, 0xff, '\n'};
    struct feed feed;
    struct results *results = outputs_begin_run("out.db", &feed);
    struct sim_error error = {0};

    (void)state;
    outputs_must(
        results_put_input(results, "web", 7, bytes, sizeof(bytes), &error),
        &error);
    outputs_must(results_put_input(results, "tick", 7, bytes, 1, &error),
                 &error);
    outputs_end_run(results, &feed);
    query_expect("out.db", "SELECT time_ns, vm, hex(bytes) FROM input",
                 "7|web|6100FF0A\n7|tick|61\n");
}

static void failures_are_shown_in_their_order_with_what_was_said(void **state)
{
    struct feed feed;
    struct results *results = outputs_begin_run("out.db", &feed);
    struct sim_error error = {0};

    (void)state;
    outputs_must(results_put_failure(results, "web", 7, "a crash",
                                     "Oops\nCall Trace:\n", &error),
                 &error);
    outputs_must(
        results_put_failure(results, "tick", 5, "triple fault", "", &error),
        &error);
    outputs_end_run(results, &feed);
    query_expect("out.db", "SELECT * FROM failure",
                 "7|web|a crash|Oops\nCall Trace:\n\n"
                 "5|tick|triple fault|NULL\n");
}

/* One report of how busy the guest "web" believes to be. */
static void put_report(struct results *results, uint64_t time_ns,
                       const char *clock, const char *busy, const char *idle)
{
    struct sim_error error = {0};
    const char *const rows[][3] = {{"clock", clock, "ns"},
                                   {"stat_busy", busy, "ms"},
                                   {"stat_idle", idle, "ms"},
                                   {"stat_stolen", "0", "ms"}};

    for (size_t i = 0; i < 4; i++)
        outputs_must(results_put_result(results, "web", time_ns, rows[i][0],
                                        rows[i][1], rows[i][2], &error),
                     &error);
}

/* Its clocks begin anew: between its lives there is no span. */
static void a_guest_that_starts_again_is_told_from_what_it_was(void **state)
{
    struct feed feed;
    struct results *results = outputs_begin_run("out.db", &feed);
    struct sim_error error = {0};

    (void)state;
    outputs_must(results_put_partition(results, 2, "web", &error), &error);
    put_report(results, 100000000, "1000000000", "0", "0");
    put_report(results, 200000000, "1100000000", "25", "75");
    outputs_must(results_put_partition(results, 3, "web", &error), &error);
    put_report(results, 300000000, "2000000000", "100", "200");
    put_report(results, 400000000, "2100000007", "190", "210");
    for (unsigned i = 0; i < 4; i++)
        outputs_must(
            results_put_sample(results, feed_interval(&feed, true), &error),
            &error);
    outputs_end_run(results, &feed);
    query_expect("out.db",
                 "SELECT vm, start_ns / 1000000, end_ns / 1000000,"
                 " believed_busy, guest_run, clock_ahead_ns FROM guest_view",
                 "web|100|200|25.0|99.0|0\nweb|300|400|90.0|99.0|7\n");
}

static void images_are_shown_with_all_digits_of_their_hash(void **state)
{
    struct feed feed;
    struct results *results = outputs_begin_run("out.db", &feed);
    struct sim_error error = {0};

    (void)state;
    outputs_must(results_put_image(results, "web", 4096, UINT64_MAX, &error),
                 &error);
    outputs_must(results_put_image(results, "empty", 0, 0xfe, &error), &error);
    outputs_end_run(results, &feed);
    query_expect("out.db", "SELECT * FROM image",
                 "web|4096|ffffffffffffffff\nempty|0|00000000000000fe\n");
}

static void a_partition_is_named_once(void **state)
{
    struct feed feed;
    struct results *results = outputs_begin_run("out.db", &feed);
    struct sim_error error = {0};

    (void)state;
    outputs_must(results_put_partition(results, 3, "web", &error), &error);
    outputs_must(results_put_partition(results, 2, "tick", &error), &error);
    outputs_must(results_put_partition(results, 3, "web", &error), &error);
    outputs_end_run(results, &feed);
    query_expect("out.db", "SELECT * FROM partition", "2|tick\n3|web\n");
}

static void waits_are_shown_with_the_names_of_vps(void **state)
{
    (void)state;
    outputs_write_run("out.db", false);
    query_expect("out.db", "SELECT * FROM wait",
                 "web|0|wake|2|10000|5000|0|0\n"
                 "web|0|slice|3|80000000|50000000|0|0\n"
                 "tick|0|cap|0|0|0|1|7000000\n");
    query_expect("out.db", "SELECT * FROM wait_holder",
                 "web|0|Root|0|3|79000000\n"
                 "web|0|NULL|NULL|1|1000000\n");
    query_expect("out.db", "SELECT * FROM wait_histogram",
                 "web|0|4000|8000|2\n"
                 "web|0|8388608000|NULL|3\n");
    query_expect("out.db", "SELECT * FROM wait_worst",
                 "web|0|1|3000000|50000000|1|slice|Root|0\n"
                 "tick|0|1|393000000|7000000|NULL|cap|NULL|NULL\n");
    query_expect("out.db", "SELECT * FROM wait_worst_part",
                 "web|0|1|wake|5000\n"
                 "web|0|1|slice|49995000\n"
                 "tick|0|1|cap|7000000\n");
}

static void events_are_shown_in_their_order_with_exact_details(void **state)
{
    (void)state;
    outputs_write_run("out.db", false);
    query_expect("out.db", "SELECT * FROM event",
                 "7|1|2|0|exit|18446744073709551615\n"
                 "100000007|NULL|NULL|NULL|idle|0\n"
                 "200000007|1|2|0|exit|18446744073709551615\n"
                 "300000007|NULL|NULL|NULL|idle|0\n");
}

static void a_seed_beyond_sqlites_integers_is_exact(void **state)
{
    struct results *results;
    struct results_run run;
    struct sim_error error = {0};
    struct feed feed;

    (void)state;
    feed_create(&feed, 3);
    run = feed_run(&feed);
    run.seed = UINT64_MAX;
    outputs_must(results_create(&results, "out.db", false, &error), &error);
    outputs_must(results_put_run(results, &run, &error), &error);
    outputs_end_run(results, &feed);
    query_expect("out.db", "SELECT seed FROM run", "18446744073709551615\n");
}

/* Instances that come and go */

static void an_instance_has_rows_only_while_it_exists(void **state)
{
    struct feed feed;
    struct results *results = outputs_begin_run("out.db", &feed);
    struct sim_error error = {0};
    struct pc_vp late = {0};

    (void)state;
    outputs_must(
        results_put_sample(results, feed_interval(&feed, true), &error),
        &error);
    pc_report_add_vp(feed.report, "late", (vp_index_t){0}, &late);
    outputs_must(
        results_put_sample(results, feed_interval(&feed, true), &error),
        &error);
    pc_report_retire_vp(feed.report, &feed.web);
    outputs_must(
        results_put_sample(results, feed_interval(&feed, false), &error),
        &error);
    outputs_must(
        results_put_sample(results, feed_interval(&feed, false), &error),
        &error);
    outputs_end_run(results, &feed);
    query_expect("out.db",
                 "SELECT instance, group_concat(time_ns / 100000000) FROM perf"
                 " WHERE counter = '% Guest Idle Time' AND instance IN"
                 " ('web:Hv VP 0', 'late:Hv VP 0') GROUP BY instance",
                 "late:Hv VP 0|2,3,4\nweb:Hv VP 0|1,2,3\n");
}

/* A VP that is there for a part of an interval and has a quarter of it. */
static void have_a_short_life(struct feed *feed)
{
    struct pc_vp vp = {0};

    pc_report_add_vp(feed->report, "short", (vp_index_t){0}, &vp);
    pc_vp_add_time(&vp, PC_VP_GUEST_TIME, cycles(FEED_INTERVAL_NS / 4));
    pc_report_retire_vp(feed->report, &vp);
}

static void an_instance_that_comes_back_has_no_rows_meanwhile(void **state)
{
    static const bool lives[] = {true, false, true, true, false};
    struct feed feed;
    struct results *results = outputs_begin_run("out.db", &feed);
    struct sim_error error = {0};

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        if (lives[i])
            have_a_short_life(&feed);
        outputs_must(
            results_put_sample(results, feed_interval(&feed, true), &error),
            &error);
    }
    outputs_must(
        results_put_total(
            results, pc_report_total(feed.report, cycles(feed.now_ns)), &error),
        &error);
    outputs_end_run(results, &feed);
    query_expect("out.db",
                 "SELECT group_concat(time_ns / 100000000), min(value),"
                 " max(value) FROM perf WHERE counter = '% Guest Run Time'"
                 " AND instance = 'short:Hv VP 0'",
                 "1,3,4|25.0|25.0\n");
    query_expect("out.db",
                 "SELECT value FROM perf_total WHERE counter ="
                 " '% Guest Run Time' AND instance = 'short:Hv VP 0'",
                 "15.0\n");
}

static void a_vp_younger_than_the_last_interval_is_in_the_total(void **state)
{
    struct feed feed;
    struct results *results = outputs_begin_run("out.db", &feed);
    struct sim_error error = {0};
    struct pc_vp late = {0};

    (void)state;
    outputs_must(
        results_put_sample(results, feed_interval(&feed, true), &error),
        &error);
    pc_report_add_vp(feed.report, "late", (vp_index_t){0}, &late);
    outputs_must(
        results_put_total(
            results, pc_report_total(feed.report, cycles(feed.now_ns)), &error),
        &error);
    outputs_end_run(results, &feed);
    query_expect("out.db",
                 "SELECT count(*) FROM perf WHERE instance = 'late:Hv VP 0'",
                 "0\n");
    query_expect("out.db",
                 "SELECT count(*) > 0 FROM perf_total"
                 " WHERE instance = 'late:Hv VP 0'",
                 "1\n");
}

/* Bytes */

static void equal_feeding_makes_equal_bytes(void **state)
{
    struct sim_error error = {0};
    long a_size, b_size;
    char *a, *b;

    (void)state;
    outputs_must(feed_whole_run("out-a.db", false, 8, 30, 55, &error), &error);
    outputs_must(feed_whole_run("out-b.db", false, 8, 30, 55, &error), &error);
    a = query_bytes("out-a.db", &a_size);
    b = query_bytes("out-b.db", &b_size);
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a, b, (size_t)a_size);
    free(a);
    free(b);
}

/* Whatever its magnitude, host_ns changes its own page and no other. */
static void host_time_stays_on_one_page(void **state)
{
    struct sim_error error = {0};
    long a_size, b_size;
    int different = 0;
    char *a, *b;

    (void)state;
    outputs_must(feed_whole_run("out-a.db", false, 8, 30, 1, &error), &error);
    outputs_must(
        feed_whole_run("out-b.db", false, 8, 30, UINT64_C(1) << 60, &error),
        &error);
    a = query_bytes("out-a.db", &a_size);
    b = query_bytes("out-b.db", &b_size);
    assert_int_equal(a_size, b_size);
    for (long page = 0; page < a_size; page += 4096)
        different += memcmp(a + page, b + page, 4096) != 0;
    assert_int_equal(different, 1);
    free(a);
    free(b);
}

static void replacing_makes_the_bytes_of_a_new_file(void **state)
{
    long a_size, b_size;
    char *a, *b;

    (void)state;
    outputs_put_text("out-b.db", "something else");
    outputs_write_run("out-a.db", false);
    outputs_write_run("out-b.db", true);
    a = query_bytes("out-a.db", &a_size);
    b = query_bytes("out-b.db", &b_size);
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a, b, (size_t)a_size);
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OUTPUTS_TEST(views_have_exactly_the_columns_of_the_design),
        OUTPUTS_TEST(the_header_says_whose_file_it_is),
        OUTPUTS_TEST(a_finished_run_is_a_single_file),
        OUTPUTS_TEST(the_run_row_is_complete),
        OUTPUTS_TEST(perf_shows_what_performance_monitor_would),
        OUTPUTS_TEST(perf_has_a_row_for_every_value_zeros_included),
        OUTPUTS_TEST(every_view_is_described_as_it_is),
        OUTPUTS_TEST(perf_total_is_over_the_whole_run),
        OUTPUTS_TEST(results_keep_the_decimals_of_the_guest),
        OUTPUTS_TEST(results_out_of_form_are_refused_and_harm_nothing),
        OUTPUTS_TEST(console_lines_are_shown_in_their_order),
        OUTPUTS_TEST(input_is_kept_to_the_byte),
        OUTPUTS_TEST(failures_are_shown_in_their_order_with_what_was_said),
        OUTPUTS_TEST(a_guest_that_starts_again_is_told_from_what_it_was),
        OUTPUTS_TEST(images_are_shown_with_all_digits_of_their_hash),
        OUTPUTS_TEST(a_partition_is_named_once),
        OUTPUTS_TEST(waits_are_shown_with_the_names_of_vps),
        OUTPUTS_TEST(events_are_shown_in_their_order_with_exact_details),
        OUTPUTS_TEST(a_seed_beyond_sqlites_integers_is_exact),
        OUTPUTS_TEST(an_instance_has_rows_only_while_it_exists),
        OUTPUTS_TEST(an_instance_that_comes_back_has_no_rows_meanwhile),
        OUTPUTS_TEST(a_vp_younger_than_the_last_interval_is_in_the_total),
        OUTPUTS_TEST(equal_feeding_makes_equal_bytes),
        OUTPUTS_TEST(host_time_stays_on_one_page),
        OUTPUTS_TEST(replacing_makes_the_bytes_of_a_new_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
