/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/linux/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 256

static void put_line(const char *line)
{
    /* A console that takes no more leaves nobody to tell. */
    if (write(STDOUT_FILENO, line, strlen(line)) < 0)
        return;
}

void report_result(const char *name, uint64_t value, const char *unit)
{
    char line[LINE_BYTES];

    snprintf(line, sizeof(line), "hvsim: result %s %" PRIu64 " %s\n", name,
             value, unit);
    put_line(line);
}

void report_hundredths(const char *name, uint64_t hundredths, const char *unit)
{
    char line[LINE_BYTES];

    snprintf(line, sizeof(line),
             "hvsim: result %s %" PRIu64 ".%02" PRIu64 " %s\n", name,
             hundredths / 100, hundredths % 100, unit);
    put_line(line);
}

void report_fail(const char *format, ...)
{
    char text[LINE_BYTES - sizeof("hvsim: fail \n")];
    char line[LINE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    snprintf(line, sizeof(line), "hvsim: fail %s\n", text);
    put_line(line);
}

void report_flush(void)
{
    tcdrain(STDOUT_FILENO);
}

uint64_t report_clock_ns(void)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
