/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/console.h"

#include <string.h>

#define PREFIX "hvsim: "
/* What is longer is console text: it could not be kept as a result
 * (sim/results/results.h), and a guest's typing error must not fail a run. */
#define NAME_BYTES_MAX 64
#define UNIT_BYTES_MAX 16
#define INTEGER_DIGITS_MAX 18
#define FRACTION_DIGITS_MAX 9

void console_init(struct console *console,
                  const struct console_listener *listener)
{
    *console = (struct console){.listener = *listener};
}

void console_reset(struct console *console)
{
    console->line_bytes = 0;
}

static size_t count_of(const char *text, const char *set)
{
    return strspn(text, set);
}

#define DIGITS "0123456789"
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyz" DIGITS "_.-"

static bool is_name(const char *text)
{
    size_t bytes = strlen(text);

    return bytes > 0 && bytes <= NAME_BYTES_MAX &&
           count_of(text, NAME_CHARACTERS) == bytes;
}

static bool is_value(const char *text)
{
    if (*text == '-')
        text++;

    size_t digits = count_of(text, DIGITS);

    if (digits == 0 || digits > INTEGER_DIGITS_MAX)
        return false;
    text += digits;
    if (*text == '\0')
        return true;
    if (*text != '.')
        return false;
    text++;
    digits = count_of(text, DIGITS);
    return digits > 0 && digits <= FRACTION_DIGITS_MAX && text[digits] == '\0';
}

static bool is_unit(const char *text)
{
    size_t bytes = strlen(text);

    for (size_t i = 0; i < bytes; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return bytes > 0 && bytes <= UNIT_BYTES_MAX;
}

/* Cuts the first word off `*text`. */
static char *next_word(char **text)
{
    char *word = *text;
    char *end = strchr(word, ' ');

    if (end) {
        *end = '\0';
        *text = end + 1;
    } else {
        *text = word + strlen(word);
    }
    return word;
}

static void console_result(struct console *console, char *rest)
{
    const char *name = next_word(&rest);
    const char *value = next_word(&rest);
    const char *unit = rest;

    if (is_name(name) && is_value(value) && is_unit(unit))
        console->listener.on_result(console->listener.context, name, value,
                                    unit);
}

/* What follows "fail " is for people: only printable characters pass. */
static void console_fail(struct console *console, char *text)
{
    for (char *c = text; *c; c++) {
        if (*c < ' ' || *c > '~')
            *c = '?';
    }
    console->listener.on_fail(console->listener.context, text);
}

static void console_line(struct console *console, char *line)
{
    if (strncmp(line, PREFIX, strlen(PREFIX)) != 0)
        return;
    line += strlen(PREFIX);
    if (strcmp(line, "done") == 0)
        console->listener.on_done(console->listener.context);
    else if (strncmp(line, "result ", 7) == 0)
        console_result(console, line + 7);
    else if (strncmp(line, "fail ", 5) == 0)
        console_fail(console, line + 5);
    else if (strcmp(line, "fail") == 0)
        console_fail(console, line + 4);
}

void console_put(struct console *console, uint8_t byte)
{
    console->listener.on_byte(console->listener.context, byte);
    if (byte != '\n') {
        if (console->line_bytes < sizeof(console->line))
            console->line[console->line_bytes] = (char)byte;
        console->line_bytes += console->line_bytes <= sizeof(console->line);
        return;
    }

    size_t bytes = console->line_bytes;

    console->line_bytes = 0;
    if (bytes >= sizeof(console->line))
        return; /* too long for a report */
    if (bytes > 0 && console->line[bytes - 1] == '\r')
        bytes--;
    console->line[bytes] = '\0';
    /* A NUL inside would hide the rest of the line from the checks. */
    if (strlen(console->line) == bytes)
        console_line(console, console->line);
}
