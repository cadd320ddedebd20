/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/results/export.h"
#include "sim/results/results.h"
#include "tests/results/outputs.h"
#include "tests/results/query.h"

static const struct export_format *csv(void)
{
    const struct export_format *format;
    struct sim_error error = {0};

    outputs_must(export_find_format(&format, "csv", &error), &error);
    return format;
}

static const struct results_view *view(const char *name)
{
    const struct results_view *found;
    struct sim_error error = {0};

    outputs_must(export_find_view(&found, name, &error), &error);
    return found;
}

/** Exports out.db and gives the bytes. */
static char *export_csv(long *size)
{
    struct sim_error error = {0};

    outputs_must(
        export_file(csv(), view("perf"), "out.db", "out.csv", false, &error),
        &error);
    return query_bytes("out.csv", size);
}

static void write_run(void)
{
    struct sim_error error = {0};

    outputs_must(feed_whole_run("out.db", false, 12, 2, 1, &error), &error);
}

static void csv_begins_with_the_columns_and_ends_lines_with_crlf(void **state)
{
    static const char beginning[] =
        "time_ns,object,instance,counter,value\r\n"
        "100000000,Hyper-V Hypervisor Logical Processor,Hv LP 0,"
        "% Guest Run Time,1\r\n"
        "100000000,Hyper-V Hypervisor Logical Processor,Hv LP 0,"
        "% Hypervisor Run Time,0.25\r\n"
        "100000000,Hyper-V Hypervisor Logical Processor,Hv LP 0,"
        "% Idle Time,98.75\r\n"
        "100000000,Hyper-V Hypervisor Logical Processor,Hv LP 0,"
        "% Total Run Time,1.25\r\n";
    long size;
    char *bytes;

    (void)state;
    write_run();
    bytes = export_csv(&size);
    assert_memory_equal(bytes, beginning, sizeof(beginning) - 1);
    assert_string_equal(bytes + size - 2, "\r\n");
    free(bytes);
}

static void csv_has_a_line_for_every_row_of_perf(void **state)
{
    char expected[32];
    int lines = -1; /* but for the header */
    long size;
    char *bytes;

    (void)state;
    write_run();
    bytes = export_csv(&size);
    for (char *at = bytes; (at = strstr(at, "\r\n")) != NULL; at += 2)
        lines++;
    snprintf(expected, sizeof(expected), "%d\n", lines);
    query_expect("out.db", "SELECT count(*) FROM perf", expected);
    free(bytes);
}

static void instances_are_in_the_order_of_their_numbers(void **state)
{
    long size;
    char *bytes;

    (void)state;
    write_run();
    bytes = export_csv(&size);
    assert_true(strstr(bytes, ",Hv LP 2,") < strstr(bytes, ",Hv LP 10,"));
    free(bytes);
}

static void fields_with_commas_quotes_and_breaks_are_quoted(void **state)
{
    struct results *results;
    struct sim_error error = {0};
    struct pc_vp odd = {0};
    struct feed feed;
    long size;
    char *bytes;

    (void)state;
    feed_create(&feed, 3);
    struct results_run run = feed_run(&feed);
    pc_report_add_vp(feed.report, "a,\"b\"\nc", (vp_index_t){0}, &odd);
    outputs_must(results_create(&results, "out.db", false, &error), &error);
    outputs_must(results_put_run(results, &run, &error), &error);
    outputs_must(
        results_put_sample(results, feed_interval(&feed, true), &error),
        &error);
    outputs_must(results_finish(results, &(struct results_end){0}, &error),
                 &error);
    feed_free(&feed);
    bytes = export_csv(&size);
    assert_non_null(strstr(bytes, ",\"a,\"\"b\"\"\nc:Hv VP 0\",% Guest"));
    free(bytes);
}

static void numbers_read_back_to_the_same_value(void **state)
{
    struct results *results;
    struct sim_error error = {0};
    struct feed feed;
    long size;
    char *bytes, *at;

    (void)state;
    feed_create(&feed, 3);
    struct results_run run = feed_run(&feed);
    outputs_must(results_create(&results, "out.db", false, &error), &error);
    outputs_must(results_put_run(results, &run, &error), &error);
    /* A third of the interval: no decimal is exact. */
    pc_lp_add_time(&feed.lps[0], PC_LP_GUEST_TIME, cycles(32333333));
    outputs_must(
        results_put_sample(results, feed_interval(&feed, true), &error),
        &error);
    outputs_must(results_finish(results, &(struct results_end){0}, &error),
                 &error);
    feed_free(&feed);
    bytes = export_csv(&size);
    at = strstr(bytes, "Hv LP 0,% Guest Run Time,");
    assert_non_null(at);
    assert_true(strtod(strrchr(strtok(at, "\r"), ',') + 1, NULL) ==
                3333333300.0 / 100000000.0);
    free(bytes);
}

static void every_view_can_be_exported(void **state)
{
    size_t count;
    const struct results_view *views = results_schema_views(&count);
    struct sim_error error = {0};
    long size;
    char *bytes;

    (void)state;
    write_run();
    for (size_t i = 0; i < count; i++) {
        outputs_must(
            export_file(csv(), &views[i], "out.db", "out.csv", i > 0, &error),
            &error);
        bytes = query_bytes("out.csv", &size);
        /* The header of the CSV, without the blanks behind commas. */
        assert_int_equal(strcspn(bytes, ","), strcspn(views[i].columns, ","));
        assert_int_equal(strncmp(bytes, views[i].columns, strcspn(bytes, ",")),
                         0);
        free(bytes);
    }
}

static void json_is_an_array_of_objects(void **state)
{
    const struct export_format *format;
    struct sim_error error = {0};
    long size;
    char *bytes;

    (void)state;
    write_run();
    outputs_must(export_find_format(&format, "json", &error), &error);
    outputs_must(export_file(format, view("result"), "out.db", "out.json",
                             false, &error),
                 &error);
    bytes = query_bytes("out.json", &size);
    assert_string_equal(bytes,
                        "[\n{\"vm\": \"web\", \"name\": \"cpu_utilization\", "
                        "\"value\": 99.98, \"unit\": \"%\"},\n"
                        "{\"vm\": \"web\", \"name\": \"iterations\", "
                        "\"value\": 123456, \"unit\": \"count\"}\n]\n");
    free(bytes);
}

static void json_text_is_escaped_and_nothing_is_null(void **state)
{
    const struct export_format *format;
    struct sim_error error = {0};
    struct feed feed;
    struct results *results = outputs_begin_run("out.db", &feed);
    long size;
    char *bytes;

    (void)state;
    outputs_must(results_put_failure(results, "a\"b\\", 7, "x\ny", "", &error),
                 &error);
    outputs_end_run(results, &feed);
    outputs_must(export_find_format(&format, "json", &error), &error);
    outputs_must(export_file(format, view("failure"), "out.db", "out.json",
                             false, &error),
                 &error);
    bytes = query_bytes("out.json", &size);
    assert_string_equal(bytes, "[\n{\"time_ns\": 7, \"vm\": "
                               "\"a\\\"b\\\\\", \"reason\": "
                               "\"x\\u000ay\", \"text\": null}\n]\n");
    free(bytes);
}

static void an_unknown_view_is_refused_with_those_there_are(void **state)
{
    const struct results_view *found;
    struct sim_error error = {0};

    (void)state;
    assert_int_equal(export_find_view(&found, "perf; DROP", &error),
                     SIM_BAD_USAGE);
    assert_string_equal(error.message,
                        "there is no view \"perf; DROP\"; there are: run, "
                        "image, partition, perf, perf_total, result, console, "
                        "failure, input, event, guest_view, wait, "
                        "wait_holder, wait_histogram, wait_worst, "
                        "wait_worst_part");
}

static void an_unknown_format_is_refused_with_those_there_are(void **state)
{
    const struct export_format *format;
    struct sim_error error = {0};

    (void)state;
    assert_int_equal(export_find_format(&format, "xlsx", &error),
                     SIM_BAD_USAGE);
    assert_string_equal(error.message,
                        "there is no format \"xlsx\"; there is: csv, json");
}

static void what_is_not_a_result_file_is_refused(void **state)
{
    struct sim_error error = {0};

    (void)state;
    assert_int_equal(
        export_file(csv(), view("perf"), "/dev/null", "out.csv", false, &error),
        SIM_NO_INPUT);
    assert_int_equal(
        export_file(csv(), view("perf"), "out.db", "out.csv", false, &error),
        SIM_NO_INPUT);
    assert_string_equal(error.message,
                        "out.db: cannot be read: No such file or directory");
    assert_false(query_exists("out.csv"));
}

static void results_are_never_replaced_by_their_export(void **state)
{
    struct sim_error error = {0};
    sqlite3 *db;

    (void)state;
    write_run();
    assert_int_equal(symlink("out.db", "out.link"), 0);
    assert_int_equal(
        export_file(csv(), view("perf"), "out.db", "out.db", true, &error),
        SIM_BAD_USAGE);
    assert_int_equal(
        export_file(csv(), view("perf"), "out.db", "out.link", true, &error),
        SIM_BAD_USAGE);
    assert_non_null(strstr(error.message, "out.link"));
    outputs_must(results_open(&db, "out.db", &error), &error);
    sqlite3_close(db);
}

static void an_existing_output_is_kept_unless_it_is_to_be_replaced(void **state)
{
    struct sim_error error = {0};
    FILE *old = fopen("out.csv", "w");
    long size;
    char *bytes;

    (void)state;
    assert_non_null(old);
    fputs("precious", old);
    fclose(old);
    write_run();
    assert_int_equal(
        export_file(csv(), view("perf"), "out.db", "out.csv", false, &error),
        SIM_NO_OUTPUT);
    bytes = query_bytes("out.csv", &size);
    assert_string_equal(bytes, "precious");
    free(bytes);
    outputs_must(
        export_file(csv(), view("perf"), "out.db", "out.csv", true, &error),
        &error);
    bytes = query_bytes("out.csv", &size);
    assert_memory_equal(bytes, "time_ns,", 8);
    free(bytes);
    assert_int_equal(query_count_files("out"), 2);
}

/** Standard output as a shell would set it, onto `path`, for one export. */
static enum sim_status export_to_stdout_at(const char *path,
                                           struct sim_error *error)
{
    enum sim_status status;
    int kept = dup(STDOUT_FILENO);

    fflush(stdout);
    assert_non_null(freopen(path, "w", stdout));
    status = export_file(csv(), view("perf"), "out.db", NULL, false, error);
    clearerr(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    return status;
}

static void a_full_disk_behind_standard_output_is_noticed(void **state)
{
    struct sim_error error = {0};

    (void)state;
    write_run();
    assert_int_equal(export_to_stdout_at("/dev/full", &error), SIM_IO_ERROR);
    assert_string_equal(
        error.message,
        "standard output: cannot be written: No space left on device");
}

static void standard_output_gets_the_same_bytes_as_a_file(void **state)
{
    struct sim_error error = {0};
    long a_size, b_size;
    char *a, *b;

    (void)state;
    write_run();
    outputs_must(export_to_stdout_at("out-stdout.csv", &error), &error);
    a = query_bytes("out-stdout.csv", &a_size);
    b = export_csv(&b_size);
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a, b, (size_t)a_size);
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OUTPUTS_TEST(csv_begins_with_the_columns_and_ends_lines_with_crlf),
        OUTPUTS_TEST(csv_has_a_line_for_every_row_of_perf),
        OUTPUTS_TEST(instances_are_in_the_order_of_their_numbers),
        OUTPUTS_TEST(fields_with_commas_quotes_and_breaks_are_quoted),
        OUTPUTS_TEST(numbers_read_back_to_the_same_value),
        OUTPUTS_TEST(an_unknown_view_is_refused_with_those_there_are),
        OUTPUTS_TEST(json_text_is_escaped_and_nothing_is_null),
        OUTPUTS_TEST(json_is_an_array_of_objects),
        OUTPUTS_TEST(every_view_can_be_exported),
        OUTPUTS_TEST(an_unknown_format_is_refused_with_those_there_are),
        OUTPUTS_TEST(what_is_not_a_result_file_is_refused),
        OUTPUTS_TEST(an_existing_output_is_kept_unless_it_is_to_be_replaced),
        OUTPUTS_TEST(results_are_never_replaced_by_their_export),
        OUTPUTS_TEST(a_full_disk_behind_standard_output_is_noticed),
        OUTPUTS_TEST(standard_output_gets_the_same_bytes_as_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
