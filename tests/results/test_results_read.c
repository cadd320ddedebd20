/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/results/outputs.h"
#include "tests/results/query.h"

/** Another program may look at the file of a run that goes on. */
static void a_reader_sees_what_is_committed_while_the_run_goes_on(void **state)
{
    struct feed feed;
    struct results *results = outputs_begin_run("out.db", &feed);
    struct sim_error error = {0};

    (void)state;
    for (int i = 1; i <= 3; i++) {
        char expected[16];

        outputs_must(
            results_put_sample(results, feed_interval(&feed, true), &error),
            &error);
        outputs_must(results_commit(results, &error), &error);
        snprintf(expected, sizeof(expected), "%d\n", i);
        query_expect("out.db", "SELECT count(DISTINCT time_ns) FROM perf",
                     expected);
    }
    outputs_end_run(results, &feed);
}

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
    outputs_put_text("out-text.db",
                     "This is a text and by no means a database, "
                     "although it is called one.\n");
    assert_unreadable("out-text.db",
                      "out-text.db: is not a result file of hvsim");
    outputs_put_text("out-empty.db", "");
    assert_unreadable("out-empty.db",
                      "out-empty.db: is not a result file of hvsim");
    assert_int_equal(sqlite3_open("out-other.db", &db), SQLITE_OK);
    sqlite3_exec(db, "CREATE TABLE t (x)", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_unreadable("out-other.db",
                      "out-other.db: is not a result file of hvsim");
    outputs_write_run("out-newer.db", false);
    db = query_open("out-newer.db");
    sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_unreadable("out-newer.db", "out-newer.db: has format 99, but this "
                                      "hvsim reads format 5");
}

static void an_opened_file_cannot_be_changed(void **state)
{
    sqlite3 *db;
    struct sim_error error = {0};

    (void)state;
    outputs_write_run("out.db", false);
    outputs_must(results_open(&db, "out.db", &error), &error);
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
    outputs_write_run("out.db", false);
    outputs_must(results_open(&db, "out.db", &error), &error);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        OUTPUTS_TEST(a_reader_sees_what_is_committed_while_the_run_goes_on),
        OUTPUTS_TEST(only_result_files_of_this_format_are_opened),
        OUTPUTS_TEST(an_opened_file_cannot_be_changed),
        OUTPUTS_TEST(by_number_sorts_as_people_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
