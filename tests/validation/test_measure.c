/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/results/measure.h"
#include "tests/results/outputs.h"

static struct measure *open_runs(const struct measure_run *runs, size_t count)
{
    struct sim_error error = {0};
    struct measure *measure;

    outputs_must(measure_open(&measure, runs, count, &error), &error);
    return measure;
}

/* A run with results, and one that has not been. */
static struct measure *open_two(void)
{
    const struct measure_run runs[] = {{"one", "out-1.db", 0, ""},
                                       {"two", NULL, 65, "no such VM"}};

    outputs_write_run("out-1.db", false);
    return open_runs(runs, 2);
}

static void a_measure_reads_the_views_of_each_run(void **state)
{
    static const struct {
        const char *sql;
        double value;
    } cases[] = {
        {"SELECT count(*) FROM one.perf_total WHERE counter = '% Idle Time' AND"
         " object = 'Hyper-V Hypervisor Logical Processor'",
         5},
        {"SELECT count(*) FROM two.perf_total", 0},
        {"SELECT count(*) FROM run -- the first", 1},
        {"SELECT exit_code FROM outcome WHERE message LIKE '%no such%'", 65},
        {"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE"
         " i < 10) SELECT sum(i) FROM n;\n",
         55},
        {"SELECT (SELECT count(*) FROM one.run) -"
         " (SELECT count(*) FROM two.run) * 0.5",
         1},
    };
    struct measure *measure = open_two();
    struct sim_error error = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double value = -1;

        outputs_must(measure_evaluate(measure, cases[i].sql, &value, &error),
                     &error);
        if (value != cases[i].value)
            fail_msg("%s: %g", cases[i].sql, value);
    }
    measure_close(measure);
}

static void sql_that_does_more_than_read_the_views_is_refused(void **state)
{
    static const char *const cases[] = {
        "SELECT sim_ns FROM one.run_info",
        "SELECT count(*) FROM sqlite_master",
        "WITH perf AS (SELECT sql FROM sqlite_master) SELECT max(sql) FROM "
        "perf",
        "SELECT count(*) FROM pragma_database_list",
        "DELETE FROM one.run_info",
        "CREATE TABLE a (b)",
        "PRAGMA user_version",
        "SELECT user_version FROM pragma_user_version",
        "ATTACH 'out-3.db' AS three",
        "DETACH one",
        "SELECT random()",
        "SELECT load_extension('x')",
        "SELECT julianday('now')",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP VIEW run",
        "SELECT 1, 2",
        "",
        "-- nothing",
        "BEGIN",
        "VACUUM INTO 'out-3.db'",
    };
    struct measure *measure = open_two();
    struct sim_error error;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (measure_check(measure, cases[i], &error) != SIM_BAD_SCENARIO)
            fail_msg("%s: is accepted", cases[i]);
        assert_true(error.message[0] != '\0');
    }
    measure_close(measure);
}

static void what_is_wrong_with_sql_is_said_with_its_place(void **state)
{
    struct measure *measure = open_two();
    struct sim_error error;

    (void)state;
    assert_int_equal(
        measure_check(measure, "SELECT 1\n  + valu FROM two.result", &error),
        SIM_BAD_SCENARIO);
    assert_string_equal(error.message,
                        "no such column: valu (line 2, column 5 of it)");
    assert_int_equal(
        measure_check(measure, "SELECT value FROM three.result", &error),
        SIM_BAD_SCENARIO);
    assert_non_null(strstr(error.message, "three.result"));
    measure_close(measure);
}

static void a_measure_that_gives_no_single_number_is_none(void **state)
{
    static const struct {
        const char *sql;
        enum sim_status status;
        const char *message;
    } cases[] = {
        {"SELECT value FROM two.result", SIM_RUN_FAILED, "gives no number"},
        {"SELECT NULL", SIM_RUN_FAILED, "gives no number"},
        {"SELECT 'many'", SIM_RUN_FAILED, "gives no number"},
        {"SELECT 9e999", SIM_RUN_FAILED, "gives no number"},
        {"SELECT 1 UNION SELECT 2", SIM_BAD_SCENARIO,
         "gives more than one row; expected one number"},
        {"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
         " SELECT max(i) FROM n",
         SIM_BAD_SCENARIO, "takes too long"},
        {"SELECT length(printf('%.*c', 100000, 'x'))", SIM_RUN_FAILED,
         "gives no number"},
        {"WITH RECURSIVE n(i, t) AS (SELECT 1, '' UNION"
         " SELECT i + 1, printf('%.*c', 65000, i % 10) FROM n)"
         " SELECT max(i) FROM n",
         SIM_BAD_SCENARIO, "takes too much memory"},
    };
    struct measure *measure = open_two();
    struct sim_error error;
    double value;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(
            measure_evaluate(measure, cases[i].sql, &value, &error),
            cases[i].status);
        assert_string_equal(error.message, cases[i].message);
    }
    measure_close(measure);
}

static void as_many_runs_as_are_allowed_can_be_opened(void **state)
{
    struct measure_run runs[MEASURE_RUNS_MAX];
    char names[MEASURE_RUNS_MAX][8];
    struct measure *measure;
    struct sim_error error = {0};

    (void)state;
    for (size_t i = 0; i < MEASURE_RUNS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "run-%zu", i);
        runs[i] = (struct measure_run){.name = names[i]};
    }
    measure = open_runs(runs, MEASURE_RUNS_MAX);
    outputs_must(
        measure_check(measure, "SELECT count(*) FROM \"run-7\".perf", &error),
        &error);
    measure_close(measure);
}

static void a_file_that_is_no_result_is_refused_by_name(void **state)
{
    const struct measure_run run = {.name = "one", .path = "out-none.db"};
    struct measure *measure;
    struct sim_error error;

    (void)state;
    assert_int_equal(measure_open(&measure, &run, 1, &error), SIM_NO_INPUT);
    assert_null(measure);
    assert_non_null(strstr(error.message, "out-none.db"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OUTPUTS_TEST(a_measure_reads_the_views_of_each_run),
        OUTPUTS_TEST(sql_that_does_more_than_read_the_views_is_refused),
        OUTPUTS_TEST(what_is_wrong_with_sql_is_said_with_its_place),
        OUTPUTS_TEST(a_measure_that_gives_no_single_number_is_none),
        OUTPUTS_TEST(as_many_runs_as_are_allowed_can_be_opened),
        OUTPUTS_TEST(a_file_that_is_no_result_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
