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
        report_fail("%lu checks went wrong", wrong_sum);
    report_done();
}

void selftest_equal(uint64_t got, uint64_t expected, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list arguments;

    checks++;
    if (got == expected)
        return;
    wrong++;
    if (wrong > DIFFERENCES_PRINTED_MAX)
        return;
    va_start(arguments, format);
    console_format(text, sizeof(text), format, arguments);
    va_end(arguments);
    console_printf("selftest: %s: got 0x%lx, expected 0x%lx\n", text, got,
                   expected);
}

bool selftest_runs_on_tcg(void)
{
    return strcmp(args_text("quirks", ""), "tcg") == 0;
}

uint64_t selftest_random(void)
{
    static uint64_t state = 0x9e3779b97f4a7c15;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}
