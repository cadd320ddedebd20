/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/machine/results.h"
#include "tests/results/feed.h"
#include "tests/results/query.h"

#define LP "'Hyper-V Hypervisor Logical Processor'"

static int remove_outputs(void **state)
{
    (void)state;
    query_remove_files("out");
    return 0;
}

static void must(enum sim_status status, const struct sim_error *error)
{
    if (status != SIM_OK)
        fail_msg("%s", error->message);
}

static void write_run(const char *path, bool replace)
{
    struct sim_error error = {0};

    must(feed_whole_run(path, replace, 4, 4, 1000, &error), &error);
}

static void put_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

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
    write_run("out.db", false);
    assert_columns("run", "name, scenario_yaml, seed, version, engine_version, "
                          "profile, sim_ns, host_ns, trace_hash\n");
    assert_columns("perf", "time_ns, object, instance, counter, value\n");
    assert_columns("perf_total", "object, instance, counter, value\n");
    assert_columns("result", "vm, name, value, unit\n");
    assert_columns("console", "time_ns, vm, line\n");
    assert_columns("console", "time_ns, vm, line\n");
    assert_columns("event", "time_ns, lp, partition, vp, kind, detail\n");
    query_expect("out.db",
                 "SELECT name FROM sqlite_schema WHERE type = 'view'"
                 " ORDER BY name",
                 "console\nevent\nperf\nperf_total\nresult\nrun\n");
}

static void the_header_says_whose_file_it_is(void **state)
{
    (void)state;
    write_run("out.db", false);
    query_expect("out.db", "PRAGMA application_id", "1752593261\n"); /* hvsm */
    query_expect("out.db", "PRAGMA user_version", "1\n");
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
    write_run("out.db", false);
    assert_int_equal(query_count_files("out"), 1);
}

static void the_run_row_is_complete(void **state)
{
    (void)state;
    write_run("out.db", false);
    query_expect("out.db", "SELECT * FROM run",
                 "heavy-load|hvsim: 1\nname: heavy-load\n|1|0.1.0|2.1.1|"
                 "reference-2020|400000000|1000|0000feedfacecafe\n");
}

static void perf_shows_what_performance_monitor_would(void **state)
{
    (void)state;
    write_run("out.db", false);
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
    write_run("out.db", false);
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

static void perf_total_is_over_the_whole_run(void **state)
{
    (void)state;
    write_run("out.db", false);
    query_expect("out.db",
                 "SELECT value FROM perf_total WHERE instance = 'Hv LP 1'"
                 " AND counter = '% Total Run Time'",
                 "49.75\n");
    query_expect("out.db",
                 "SELECT value FROM perf_total WHERE instance = '_Total'"
                 " AND counter = '% Guest Run Time' AND object = " LP,
                 "12.65\n");
}

/** A new file with its run row and nothing else. */
static struct results *begin_run(const char *path, struct feed *feed)
{
    struct results *results;
    struct results_run run;
    struct sim_error error = {0};

    feed_create(feed, 3);
    run = feed_run(feed);
    must(results_create(&results, path, false, &error), &error);
    must(results_put_run(results, &run, &error), &error);
    return results;
}

static void end_run(struct results *results, struct feed *feed)
{
    struct sim_error error = {0};

    must(results_finish(results, &(struct results_end){.sim_ns = feed->now_ns},
                        &error),
         &error);
    feed_free(feed);
}

static void results_keep_the_decimals_of_the_guest(void **state)
{
    struct feed feed;
    struct results *results = begin_run("out.db", &feed);
    struct sim_error error = {0};
    static const char *const values[] = {"99.98", "-0.000000001",
                                         "123456789012345678", "3.000", "-7"};

    (void)state;
    for (size_t i = 0; i < 5; i++)
        must(results_put_result(results, "web", "x", values[i], "%", &error),
             &error);
    end_run(results, &feed);
    query_expect("out.db", "SELECT typeof(value), value FROM result",
                 "real|99.98\nreal|-1.0e-09\ninteger|123456789012345678\n"
                 "integer|3\ninteger|-7\n");
}

static void results_out_of_form_are_refused_and_harm_nothing(void **state)
{
    struct feed feed;
    struct results *results = begin_run("out.db", &feed);
    struct sim_error error = {0};

    (void)state;
    assert_int_equal(
        results_put_result(results, "web", "x", "1; DROP", "%", &error),
        SIM_RUN_FAILED);
    assert_string_equal(error.message, "VM \"web\": reported a result that is "
                                       "not of the form NAME NUMBER UNIT");
    assert_int_equal(
        results_put_result(results, "web", "\033[2J", "1", "%", &error),
        SIM_RUN_FAILED);
    assert_int_equal(results_put_result(results, "web", "x", "1", "", &error),
                     SIM_RUN_FAILED);
    must(results_put_result(results, "web", "x", "1", "%", &error), &error);
    end_run(results, &feed);
    query_expect("out.db", "SELECT * FROM result", "web|x|1|%\n");
}

static void console_lines_are_shown_in_their_order(void **state)
{
    struct feed feed;
    struct results *results = begin_run("out.db", &feed);
    struct sim_error error = {0};

    (void)state;
    must(results_put_console(results, "web", 7, "booting, 100 % \"ready\"",
                             &error),
         &error);
    must(results_put_console(results, "tick", 5, "", &error), &error);
    end_run(results, &feed);
    query_expect("out.db", "SELECT * FROM console",
                 "7|web|booting, 100 % \"ready\"\n5|tick|\n");
}

static void events_are_shown_in_their_order_with_exact_details(void **state)
{
    (void)state;
    write_run("out.db", false);
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
    must(results_create(&results, "out.db", false, &error), &error);
    must(results_put_run(results, &run, &error), &error);
    end_run(results, &feed);
    query_expect("out.db", "SELECT seed FROM run", "18446744073709551615\n");
}

/* Instances that come and go */

static void an_instance_has_rows_only_while_it_exists(void **state)
{
    struct feed feed;
    struct results *results = begin_run("out.db", &feed);
    struct sim_error error = {0};
    struct pc_vp late = {0};

    (void)state;
    must(results_put_sample(results, feed_interval(&feed, true), &error),
         &error);
    pc_report_add_vp(feed.report, "late", (vp_index_t){0}, &late);
    must(results_put_sample(results, feed_interval(&feed, true), &error),
         &error);
    pc_report_retire_vp(feed.report, &feed.web);
    must(results_put_sample(results, feed_interval(&feed, false), &error),
         &error);
    must(results_put_sample(results, feed_interval(&feed, false), &error),
         &error);
    end_run(results, &feed);
    query_expect("out.db",
                 "SELECT instance, group_concat(time_ns / 100000000) FROM perf"
                 " WHERE counter = '% Guest Idle Time' AND instance IN"
                 " ('web:Hv VP 0', 'late:Hv VP 0') GROUP BY instance",
                 "late:Hv VP 0|2,3,4\nweb:Hv VP 0|1,2,3\n");
}

static void a_vp_younger_than_the_last_interval_is_in_the_total(void **state)
{
    struct feed feed;
    struct results *results = begin_run("out.db", &feed);
    struct sim_error error = {0};
    struct pc_vp late = {0};

    (void)state;
    must(results_put_sample(results, feed_interval(&feed, true), &error),
         &error);
    pc_report_add_vp(feed.report, "late", (vp_index_t){0}, &late);
    must(results_put_total(results,
                           pc_report_total(feed.report, cycles(feed.now_ns)),
                           &error),
         &error);
    end_run(results, &feed);
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
    must(feed_whole_run("out-a.db", false, 8, 30, 55, &error), &error);
    must(feed_whole_run("out-b.db", false, 8, 30, 55, &error), &error);
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
    must(feed_whole_run("out-a.db", false, 8, 30, 1, &error), &error);
    must(feed_whole_run("out-b.db", false, 8, 30, UINT64_C(1) << 60, &error),
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
    put_text("out-b.db", "something else");
    write_run("out-a.db", false);
    write_run("out-b.db", true);
    a = query_bytes("out-a.db", &a_size);
    b = query_bytes("out-b.db", &b_size);
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a, b, (size_t)a_size);
    free(a);
    free(b);
}

/* Where a file may go */

static void assert_refused(const char *path, bool replace, const char *message)
{
    struct results *results;
    struct sim_error error = {0};

    assert_int_equal(results_create(&results, path, replace, &error),
                     SIM_NO_OUTPUT);
    assert_null(results);
    assert_string_equal(error.message, message);
}

static void an_existing_file_is_refused_and_left_alone(void **state)
{
    long size;
    char *bytes;

    (void)state;
    put_text("out.db", "precious");
    assert_refused("out.db", false,
                   "out.db: exists already; give another name with -o, or "
                   "--force to replace it");
    bytes = query_bytes("out.db", &size);
    assert_string_equal(bytes, "precious");
    free(bytes);
}

static void a_missing_directory_is_named(void **state)
{
    (void)state;
    assert_refused("nowhere/at/all/out.db", false,
                   "nowhere/at/all/out.db: cannot be created: there is no "
                   "directory \"nowhere/at/all\"");
    assert_refused("nowhere/out.db", true,
                   "nowhere/out.db: cannot be created: there is no directory "
                   "\"nowhere\"");
}

static void what_is_not_a_file_is_never_replaced(void **state)
{
    (void)state;
    assert_refused("/dev/null", true,
                   "/dev/null: cannot be replaced: it is not a regular file");
    assert_refused(".", true,
                   ".: cannot be replaced: it is not a regular file");
    assert_refused("", false, "the output file has no name");
}

static void names_that_sqlite_reads_differently_are_files(void **state)
{
    static const char *const names[] = {":memory:", "file:out-uri.db?mode=ro"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        sqlite3 *db;
        struct sim_error error = {0};

        unlink(names[i]);
        write_run(names[i], false);
        assert_true(query_exists(names[i]));
        must(results_open(&db, names[i], &error), &error);
        sqlite3_close(db);
        unlink(names[i]);
    }
}

static void a_symbolic_link_stays_one_when_its_file_is_replaced(void **state)
{
    struct stat link;

    (void)state;
    put_text("out-target.db", "old");
    assert_int_equal(symlink("out-target.db", "out-link.db"), 0);
    write_run("out-link.db", true);
    assert_int_equal(lstat("out-link.db", &link), 0);
    assert_true(S_ISLNK(link.st_mode));
    query_expect("out-target.db", "SELECT name FROM run", "heavy-load\n");
}

/* Runs that do not end well */

static void an_abandoned_run_without_intervals_leaves_no_file(void **state)
{
    struct feed feed;
    struct results *results = begin_run("out.db", &feed);

    (void)state;
    results_abandon(results);
    feed_free(&feed);
    assert_int_equal(query_count_files("out"), 0);
    results_abandon(NULL);
}

static void an_abandoned_run_keeps_its_committed_intervals(void **state)
{
    struct feed feed;
    struct results *results = begin_run("out.db", &feed);
    struct sim_error error = {0};

    (void)state;
    must(results_put_sample(results, feed_interval(&feed, true), &error),
         &error);
    must(results_commit(results, &error), &error);
    must(results_put_sample(results, feed_interval(&feed, true), &error),
         &error);
    results_abandon(results);
    feed_free(&feed);
    query_expect("out.db", "SELECT DISTINCT time_ns FROM perf", "100000000\n");
    query_expect("out.db", "SELECT sim_ns, host_ns, trace_hash FROM run",
                 "100000000|NULL|NULL\n");
}

static void an_abandoned_replacement_leaves_the_old_file(void **state)
{
    struct results *results;
    struct sim_error error = {0};
    long size;
    char *bytes;

    (void)state;
    put_text("out.db", "precious");
    must(results_create(&results, "out.db", true, &error), &error);
    results_abandon(results);
    bytes = query_bytes("out.db", &size);
    assert_string_equal(bytes, "precious");
    free(bytes);
    assert_int_equal(query_count_files("out"), 1);
}

/** Commits two intervals, puts a third and kills itself with SIGKILL. */
static void die_in_the_third_interval(const char *path, bool replace)
{
    struct results *results;
    struct sim_error error = {0};
    struct results_run run;
    struct feed feed;

    feed_create(&feed, 100);
    run = feed_run(&feed);
    if (results_create(&results, path, replace, &error) != SIM_OK ||
        results_put_run(results, &run, &error) != SIM_OK)
        _exit(1);
    for (int i = 0; i < 3; i++) {
        /* Enough events to make the open interval spill to the file. */
        for (int j = 0; i == 2 && j < 1000000; j++)
            results_put_event(results,
                              &(struct trace_record){.detail = UINT64_MAX});
        if (results_put_sample(results, feed_interval(&feed, true), &error) !=
                SIM_OK ||
            (i < 2 && results_commit(results, &error) != SIM_OK))
            _exit(2);
    }
    raise(SIGKILL);
}

static void run_killed(const char *path, bool replace)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        die_in_the_third_interval(path, replace);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void a_killed_run_keeps_its_committed_intervals(void **state)
{
    sqlite3 *db;
    struct sim_error error = {0};
    char *text;

    (void)state;
    run_killed("out.db", false);
    assert_true(query_exists("out.db-journal")); /* it was in the middle */
    must(results_open(&db, "out.db", &error), &error);
    text = query_text(db, "SELECT DISTINCT time_ns FROM perf ORDER BY time_ns");
    assert_string_equal(text, "100000000\n200000000\n");
    free(text);
    text = query_text(db, "SELECT sim_ns, trace_hash FROM run");
    assert_string_equal(text, "200000000|NULL\n");
    free(text);
    text = query_text(db, "SELECT count(*) FROM event");
    assert_string_equal(text, "0\n");
    free(text);
    sqlite3_close(db);
    query_expect("out.db", "PRAGMA integrity_check", "ok\n");
    assert_int_equal(query_count_files("out"), 1);
}

static void a_killed_replacement_leaves_the_old_file(void **state)
{
    (void)state;
    write_run("out.db", false);
    run_killed("out.db", true);
    query_expect("out.db", "SELECT sim_ns, trace_hash FROM run",
                 "400000000|0000feedfacecafe\n");
}

/** Another program may look at the file of a run that goes on. */
static void a_reader_sees_what_is_committed_while_the_run_goes_on(void **state)
{
    struct feed feed;
    struct results *results = begin_run("out.db", &feed);
    struct sim_error error = {0};

    (void)state;
    for (int i = 1; i <= 3; i++) {
        char expected[16];

        must(results_put_sample(results, feed_interval(&feed, true), &error),
             &error);
        must(results_commit(results, &error), &error);
        snprintf(expected, sizeof(expected), "%d\n", i);
        query_expect("out.db", "SELECT count(DISTINCT time_ns) FROM perf",
                     expected);
    }
    end_run(results, &feed);
}

/* Opening */

static void assert_unreadable(const char *path, const char *message)
{
    sqlite3 *db;
    struct sim_error error = {0};

    assert_int_equal(results_open(&db, path, &error), SIM_NO_INPUT);
    assert_null(db);
    assert_string_equal(error.message, message);
}

static void only_result_files_of_this_format_are_opened(void **state)
{
    sqlite3 *db;

    (void)state;
    assert_unreadable("out-none.db",
                      "out-none.db: cannot be read: No such file or directory");
    assert_false(query_exists("out-none.db"));
    assert_unreadable(".", ".: is not a file");
    put_text("out-text.db", "This is a text and by no means a database, "
                            "although it is called one.\n");
    assert_unreadable("out-text.db",
                      "out-text.db: is not a result file of hvsim");
    put_text("out-empty.db", "");
    assert_unreadable("out-empty.db",
                      "out-empty.db: is not a result file of hvsim");
    assert_int_equal(sqlite3_open("out-other.db", &db), SQLITE_OK);
    sqlite3_exec(db, "CREATE TABLE t (x)", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_unreadable("out-other.db",
                      "out-other.db: is not a result file of hvsim");
    write_run("out-newer.db", false);
    db = query_open("out-newer.db");
    sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_unreadable("out-newer.db", "out-newer.db: has format 99, but this "
                                      "hvsim reads format 1");
}

static void an_opened_file_cannot_be_changed(void **state)
{
    sqlite3 *db;
    struct sim_error error = {0};

    (void)state;
    write_run("out.db", false);
    must(results_open(&db, "out.db", &error), &error);
    assert_int_equal(sqlite3_exec(db, "DELETE FROM sample", NULL, NULL, NULL),
                     SQLITE_READONLY);
    sqlite3_close(db);
}

static void by_number_sorts_as_people_do(void **state)
{
    sqlite3 *db;
    struct sim_error error = {0};
    char *text;

    (void)state;
    write_run("out.db", false);
    must(results_open(&db, "out.db", &error), &error);
    text = query_text(
        db, "WITH t(x) AS (VALUES ('a10'), ('a2'), ('a'), ('b1'), ('a02'),"
            " ('a2b'), (''), ('10'), ('9'), ('a99999999999999999999999'))"
            " SELECT group_concat(x, ' ') FROM"
            " (SELECT x FROM t ORDER BY x COLLATE by_number)");
    assert_string_equal(text,
                        " 9 10 a a2 a02 a2b a10 a99999999999999999999999 b1\n");
    free(text);
    sqlite3_close(db);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, remove_outputs, remove_outputs)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(views_have_exactly_the_columns_of_the_design),
        TEST(the_header_says_whose_file_it_is),
        TEST(a_finished_run_is_a_single_file),
        TEST(the_run_row_is_complete),
        TEST(perf_shows_what_performance_monitor_would),
        TEST(perf_has_a_row_for_every_value_zeros_included),
        TEST(perf_total_is_over_the_whole_run),
        TEST(results_keep_the_decimals_of_the_guest),
        TEST(results_out_of_form_are_refused_and_harm_nothing),
        TEST(console_lines_are_shown_in_their_order),
        TEST(events_are_shown_in_their_order_with_exact_details),
        TEST(a_seed_beyond_sqlites_integers_is_exact),
        TEST(an_instance_has_rows_only_while_it_exists),
        TEST(a_vp_younger_than_the_last_interval_is_in_the_total),
        TEST(equal_feeding_makes_equal_bytes),
        TEST(host_time_stays_on_one_page),
        TEST(replacing_makes_the_bytes_of_a_new_file),
        TEST(an_existing_file_is_refused_and_left_alone),
        TEST(a_missing_directory_is_named),
        TEST(what_is_not_a_file_is_never_replaced),
        TEST(names_that_sqlite_reads_differently_are_files),
        TEST(a_symbolic_link_stays_one_when_its_file_is_replaced),
        TEST(an_abandoned_run_without_intervals_leaves_no_file),
        TEST(an_abandoned_run_keeps_its_committed_intervals),
        TEST(an_abandoned_replacement_leaves_the_old_file),
        TEST(a_killed_run_keeps_its_committed_intervals),
        TEST(a_killed_replacement_leaves_the_old_file),
        TEST(a_reader_sees_what_is_committed_while_the_run_goes_on),
        TEST(only_result_files_of_this_format_are_opened),
        TEST(an_opened_file_cannot_be_changed),
        TEST(by_number_sorts_as_people_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
