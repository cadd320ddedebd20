/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM's console on arbitrary bytes: each of them is passed on, and what comes
 * out as a report has the form that console.h promises, however it is written.
 */
#include <ctype.h>
#include <string.h>

#include "partitions/console.h"
#include "sim/core/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct heard {
    const uint8_t *expected;
    size_t bytes;
    size_t reports, line_ends;
};

static void on_byte(void *context, uint8_t byte)
{
    struct heard *heard = context;

    CHECK(byte == heard->expected[heard->bytes++]);
    heard->line_ends += byte == '\n';
}

/* -?[0-9]+(\.[0-9]{1,9})? */
static bool is_number(const char *text)
{
    unsigned whole = 0, fraction = 0;

    text += *text == '-';
    for (; isdigit((unsigned char)*text); text++)
        whole++;
    if (*text == '\0')
        return whole > 0;
    if (*text++ != '.')
        return false;
    for (; isdigit((unsigned char)*text); text++)
        fraction++;
    return whole > 0 && *text == '\0' && fraction >= 1 && fraction <= 9;
}

static void check_printable(const char *text)
{
    CHECK(strlen(text) < CONSOLE_LINE_BYTES_MAX);
    for (; *text; text++)
        CHECK(*text >= ' ' && *text <= '~');
}

static void on_result(void *context, const char *name, const char *value,
                      const char *unit)
{
    struct heard *heard = context;

    heard->reports++;
    CHECK(is_number(value));
    CHECK(*name && !strpbrk(name, " ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
    CHECK(*unit && !strchr(unit, ' '));
    check_printable(name);
    check_printable(unit);
}

static void on_done(void *context)
{
    struct heard *heard = context;

    heard->reports++;
}

static void on_fail(void *context, const char *text)
{
    struct heard *heard = context;

    heard->reports++;
    check_printable(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct heard heard = {.expected = data};
    struct console_listener listener = {
        .context = &heard,
        .on_byte = on_byte,
        .on_result = on_result,
        .on_done = on_done,
        .on_fail = on_fail,
    };
    struct console console;

    console_init(&console, &listener);
    for (size_t i = 0; i < bytes; i++)
        console_put(&console, data[i]);
    CHECK(heard.bytes == bytes);
    CHECK(heard.reports <= heard.line_ends);
    return 0;
}
