/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the reader says about each file of the fuzzer's corpus, word for word,
 * as tests/scenario/corpus.golden has it. After a change on purpose:
 *
 *   test_scenario_corpus --print > tests/scenario/corpus.golden
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/core/check.h"
#include "tests/scenario/set_line.h"

#define CORPUS HVSIM_SOURCE_DIR "/tests/fuzz/corpus/scenario"
#define GOLDEN HVSIM_SOURCE_DIR "/tests/scenario/corpus.golden"

static char *read_whole(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    FILE *copy = open_memstream(&text, bytes);
    int c;

    CHECK(file && copy);
    while ((c = fgetc(file)) != EOF)
        fputc(c, copy);
    fclose(file);
    fclose(copy);
    return text;
}

static void print_verdict(const char *name, FILE *out)
{
    char path[512];
    size_t bytes;
    struct scenario *scenario;
    struct sim_error error;

    snprintf(path, sizeof path, "%s/%s", CORPUS, name);

    char *text = read_whole(path, &bytes);
    struct set_line set = set_line_take(text, bytes);

    if (scenario_read_text(&scenario, name, text, bytes, &set.override,
                           set.count, &error) == SIM_OK)
        fprintf(out, "%s: ok\n%s", name,
                scenario->notes ? scenario->notes : "");
    else if (error.status == SIM_BAD_USAGE)
        fprintf(out, "%s: %s %s=%s: %s\n", name, "usage:", set.override.path,
                set.override.value, error.message);
    else
        fprintf(out, "%s\n", error.message);
    scenario_free(scenario);
    set_line_free(&set);
    free(text);
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void print_verdicts(FILE *out)
{
    struct dirent **entries;
    int count = scandir(CORPUS, &entries, is_input, by_bytes);

    CHECK(count > 0);
    for (int i = 0; i < count; i++) {
        print_verdict(entries[i]->d_name, out);
        free(entries[i]);
    }
    free(entries);
}

static void says_what_is_wrong_where_and_what_was_expected(void **state)
{
    char *actual = NULL;
    size_t bytes;
    FILE *out = open_memstream(&actual, &bytes);
    size_t golden_bytes;
    char *golden = read_whole(GOLDEN, &golden_bytes);
    char *actual_rest;
    char *golden_rest;

    (void)state;
    print_verdicts(out);
    fclose(out);

    char *actual_line = strtok_r(actual, "\n", &actual_rest);
    char *golden_line = strtok_r(golden, "\n", &golden_rest);

    while (actual_line && golden_line) {
        assert_string_equal(actual_line, golden_line);
        actual_line = strtok_r(NULL, "\n", &actual_rest);
        golden_line = strtok_r(NULL, "\n", &golden_rest);
    }
    assert_null(actual_line);
    assert_null(golden_line);
    free(actual);
    free(golden);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_is_wrong_where_and_what_was_expected),
    };

    if (argc > 1 && strcmp(argv[1], "--print") == 0) {
        print_verdicts(stdout);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
