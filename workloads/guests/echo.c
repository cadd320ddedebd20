/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * echo: somebody to talk to at the console. It says "ready", and then of every
 * line that is typed "echo: LINE", until that is "bye".
 *
 * Arguments: poll=DURATION (default 1ms): how often it looks for input;
 * mode=deaf: it never looks; mode=flood: it never stops talking either.
 * Results: lines, bytes (count).
 */

#include "workloads/runtime/args.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/console.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/thread.h"

#define POLL_DEFAULT_NS 1000000
#define LINE_BYTES_MAX 400 /* what is longer is echoed in pieces */

static char line[LINE_BYTES_MAX + 1];
static size_t length;
static uint64_t lines, bytes;

static void put_line(void)
{
    line[length] = '\0';
    console_printf("echo: %s\n", line);
    length = 0;
}

/* True for a line that says "bye". */
static bool take(int c)
{
    bool is_end = c == '\n' || c == '\r';

    bytes++;
    if (!is_end)
        line[length++] = (char)c;
    if (!is_end && length < LINE_BYTES_MAX)
        return false;
    put_line();
    lines += is_end;
    return is_end && strcmp(line, "bye") == 0;
}

static void listen(void *argument)
{
    const uint64_t *poll_ns = argument;

    for (;;) {
        int c = console_read();

        if (c < 0)
            thread_sleep(*poll_ns);
        else if (take(c))
            break;
    }
    report_result("lines", lines, "count");
    report_result("bytes", bytes, "count");
    report_done();
}

static void be_deaf(void)
{
    for (;;)
        __asm__ volatile("sti; hlt" : : : "memory");
}

static void flood(void)
{
    for (uint64_t i = 0;; i++)
        console_printf("flood %lu\n", i);
}

void guest_main(void)
{
    static uint64_t poll_ns;
    const char *mode = args_text("mode", "echo");

    poll_ns = args_duration_ns("poll", POLL_DEFAULT_NS);
    console_printf("ready\n");
    if (strcmp(mode, "deaf") == 0)
        be_deaf();
    if (strcmp(mode, "flood") == 0)
        flood();
    if (strcmp(mode, "echo") != 0)
        report_fail("argument mode=%s: echo, deaf or flood is expected", mode);
    thread_create(0, listen, &poll_ns);
    thread_run_all();
}
