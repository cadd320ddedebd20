/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/linux/arguments.h"

#include <ctype.h>
#include <string.h>

#define DURATION_NS_MAX UINT64_C(3600000000000)

/* The end of the word at `word`: the blank after it, or the line's end. */
static const char *word_end(const char *word)
{
    bool is_quoted = false;

    for (; *word; word++) {
        if (*word == '"')
            is_quoted = !is_quoted;
        else if (isspace((unsigned char)*word) && !is_quoted)
            break;
    }
    return word;
}

/* Copies without quotes; false if it does not fit. */
static bool unquote(const char *from, const char *end, char *to, size_t bytes)
{
    size_t used = 0;

    for (; from < end; from++) {
        if (*from == '"')
            continue;
        if (used + 1 >= bytes)
            return false;
        to[used++] = *from;
    }
    to[used] = '\0';
    return true;
}

/* Where the value of the word at `word` starts, if it is NAME=VALUE; quotes
 * may stand before the name or behind the "=". */
static const char *value_of(const char *word, const char *name)
{
    size_t name_bytes = strlen(name);

    if (*word == '"')
        word++;
    if (strncmp(word, name, name_bytes) != 0 || word[name_bytes] != '=')
        return NULL;
    return word + name_bytes + 1;
}

bool arguments_find(const char *line, const char *name, char *value,
                    size_t bytes)
{
    bool is_found = false;

    value[0] = '\0';
    while (*line) {
        const char *end = word_end(line);
        const char *start = value_of(line, name);

        if (start)
            is_found = unquote(start, end, value, bytes);
        line = *end ? end + 1 : end;
    }
    if (!is_found)
        value[0] = '\0';
    return is_found;
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* A whole number with one of the units, at most `most` in all. */
static bool read_quantity(const char *text, const struct unit *units,
                          size_t unit_count, uint64_t most, uint64_t *value)
{
    uint64_t count = 0;

    if (!isdigit((unsigned char)*text))
        return false;
    for (; isdigit((unsigned char)*text); text++) {
        if (__builtin_mul_overflow(count, 10, &count) ||
            __builtin_add_overflow(count, (uint64_t)(*text - '0'), &count))
            return false;
    }
    for (size_t i = 0; i < unit_count; i++) {
        if (strcmp(text, units[i].name) == 0)
            return !__builtin_mul_overflow(count, units[i].factor, value) &&
                   *value <= most;
    }
    return false;
}

#define READ_QUANTITY(text, units, most, value)                                \
    read_quantity(text, units, sizeof(units) / sizeof((units)[0]), most, value)

bool arguments_duration(const char *text, uint64_t *ns)
{
    static const struct unit units[] = {
        {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};

    return READ_QUANTITY(text, units, DURATION_NS_MAX, ns);
}

bool arguments_number(const char *text, uint64_t *number)
{
    static const struct unit units[] = {{"", 1}};

    return READ_QUANTITY(text, units, UINT64_MAX, number);
}

bool arguments_bytes(const char *text, uint64_t *bytes)
{
    static const struct unit units[] = {
        {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};

    return READ_QUANTITY(text, units, UINT64_MAX, bytes);
}
