/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/runtime/report.h"

#include "workloads/runtime/console.h"
#include "workloads/runtime/cpu.h"

#define FAIL_TEXT_BYTES 400

void report_result(const char *name, uint64_t value, const char *unit)
{
    console_printf("hvsim: result %s %lu %s\n", name, value, unit);
}

void report_hundredths(const char *name, uint64_t hundredths, const char *unit)
{
    console_printf("hvsim: result %s %lu.%02lu %s\n", name, hundredths / 100,
                   hundredths % 100, unit);
}

void report_done(void)
{
    console_printf("hvsim: done\n");
}

_Noreturn void report_fail(const char *format, ...)
{
    char text[FAIL_TEXT_BYTES];
    va_list arguments;

    va_start(arguments, format);
    console_format(text, sizeof(text), format, arguments);
    va_end(arguments);
    console_printf("hvsim: fail %s\n", text);
    cpu_stop();
}
