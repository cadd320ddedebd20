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

bool arguments_duration(const char *text, uint64_t *ns)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
    uint64_t count = 0;

    if (!isdigit((unsigned char)*text))
        return false;
    for (; isdigit((unsigned char)*text); text++) {
        count = count * 10 + (uint64_t)(*text - '0');
        if (count > DURATION_NS_MAX)
            return false;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text, units[i].name) == 0) {
            *ns = count * units[i].ns;
            return count > 0 && *ns <= DURATION_NS_MAX;
        }
    }
    return false;
}
