/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/results/outputs.h"
#include "tests/results/query.h"

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
    outputs_put_text("out.db", "precious");
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
        outputs_write_run(names[i], false);
        assert_true(query_exists(names[i]));
        outputs_must(results_open(&db, names[i], &error), &error);
        sqlite3_close(db);
        unlink(names[i]);
    }
}

static void a_symbolic_link_stays_one_when_its_file_is_replaced(void **state)
{
    struct stat link;

    (void)state;
    outputs_put_text("out-target.db", "old");
    assert_int_equal(symlink("out-target.db", "out-link.db"), 0);
    outputs_write_run("out-link.db", true);
    assert_int_equal(lstat("out-link.db", &link), 0);
    assert_true(S_ISLNK(link.st_mode));
    query_expect("out-target.db", "SELECT name FROM run", "heavy-load\n");
}

static void an_abandoned_run_without_intervals_leaves_no_file(void **state)
{
    struct feed feed;
    struct results *results = outputs_begin_run("out.db", &feed);

    (void)state;
    results_abandon(results);
    feed_free(&feed);
    assert_int_equal(query_count_files("out"), 0);
    results_abandon(NULL);
}

static void an_abandoned_run_keeps_its_committed_intervals(void **state)
{
    struct feed feed;
    struct results *results = outputs_begin_run("out.db", &feed);
    struct sim_error error = {0};

    (void)state;
    outputs_must(
        results_put_sample(results, feed_interval(&feed, true), &error),
        &error);
    outputs_must(results_commit(results, &error), &error);
    outputs_must(
        results_put_sample(results, feed_interval(&feed, true), &error),
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
    outputs_put_text("out.db", "precious");
    outputs_must(results_create(&results, "out.db", true, &error), &error);
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
    outputs_must(results_open(&db, "out.db", &error), &error);
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
    outputs_write_run("out.db", false);
    run_killed("out.db", true);
    query_expect("out.db", "SELECT sim_ns, trace_hash FROM run",
                 "400000000|0000feedfacecafe\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OUTPUTS_TEST(an_existing_file_is_refused_and_left_alone),
        OUTPUTS_TEST(a_missing_directory_is_named),
        OUTPUTS_TEST(what_is_not_a_file_is_never_replaced),
        OUTPUTS_TEST(names_that_sqlite_reads_differently_are_files),
        OUTPUTS_TEST(a_symbolic_link_stays_one_when_its_file_is_replaced),
        OUTPUTS_TEST(an_abandoned_run_without_intervals_leaves_no_file),
        OUTPUTS_TEST(an_abandoned_run_keeps_its_committed_intervals),
        OUTPUTS_TEST(an_abandoned_replacement_leaves_the_old_file),
        OUTPUTS_TEST(a_killed_run_keeps_its_committed_intervals),
        OUTPUTS_TEST(a_killed_replacement_leaves_the_old_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
