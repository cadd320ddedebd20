/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/selftest/selftest.h"

#include "workloads/runtime/args.h"
#include "workloads/runtime/console.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/string.h"

#define DIFFERENCES_PRINTED_MAX 10
#define NAME_BYTES 64
#define TEXT_BYTES 160

static uint64_t checks;
static uint64_t wrong;
static char first_difference[TEXT_BYTES + 64]; /* of the whole run */

static void report_case(const char *name, const char *suffix, uint64_t value)
{
    char full[NAME_BYTES];
    size_t length = strlen(name);

    memcpy(full, name, length);
    memcpy(full + length, suffix, strlen(suffix) + 1);
    report_result(full, value, "count");
}

void selftest_run(const struct selftest_case *cases, size_t count)
{
    const char *only = args_text("test", NULL);
    uint64_t wrong_sum = 0;
    size_t run_count = 0;

    for (size_t i = 0; i < count; i++) {
        if (only != NULL && strcmp(args_text("test", ""), cases[i].name) != 0)
            continue;
        checks = 0;
        wrong = 0;
        cases[i].run();
        if (checks == 0)
            report_fail("case %s checked nothing", cases[i].name);
        report_case(cases[i].name, ".checks", checks);
        report_case(cases[i].name, ".wrong", wrong);
        wrong_sum += wrong;
        run_count++;
    }
    if (run_count == 0)
        report_fail("no case is called %s", only == NULL ? "so" : only);
    if (wrong_sum > 0)
        report_fail("%lu checks went wrong, first: %s", wrong_sum,
                    first_difference);
    report_done();
}

static void format_text(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void format_text(char *text, size_t size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    console_format(text, size, format, arguments);
    va_end(arguments);
}

void selftest_equal(uint64_t got, uint64_t expected, const char *format, ...)
{
    char what[TEXT_BYTES];
    char text[sizeof(first_difference)];
    va_list arguments;

    checks++;
    if (got == expected)
        return;
    wrong++;
    if (wrong > DIFFERENCES_PRINTED_MAX)
        return;
    va_start(arguments, format);
    console_format(what, sizeof(what), format, arguments);
    va_end(arguments);
    format_text(text, sizeof(text), "%s: got 0x%lx, expected 0x%lx", what, got,
                expected);
    console_printf("selftest: %s\n", text);
    if (first_difference[0] == '\0')
        memcpy(first_difference, text, sizeof(text));
}

bool selftest_leaves_out(enum selftest_departure departure)
{
    const char *quirks = args_text("quirks", "none");

    switch (departure) {
    case EXACT:
        break;
    case ON_ENGINE:
        return strcmp(quirks, "engine") == 0 || strcmp(quirks, "tcg") == 0;
    case ON_TCG:
        return strcmp(quirks, "tcg") == 0;
    }
    return false;
}

uint64_t selftest_random(void)
{
    static uint64_t state = 0x9e3779b97f4a7c15;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}
