/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/runtime/args.h"

#include "workloads/runtime/report.h"
#include "workloads/runtime/string.h"

#define COMMAND_LINE_BYTES 1024

static char command_line[COMMAND_LINE_BYTES];
/* What args_text() gave last; it is a word, the command line has many. */
static char word[COMMAND_LINE_BYTES];

struct unit {
    const char *name;
    uint64_t factor;
};

void args_init(const char *text)
{
    size_t length = 0;

    while (text != NULL && text[length] != '\0' &&
           length < sizeof(command_line) - 1) {
        command_line[length] = text[length];
        length++;
    }
    command_line[length] = '\0';
}

/* The character after `key=` at the start of the word at `at`, or NULL. */
static const char *value_of(const char *at, const char *key)
{
    while (*key != '\0' && *at == *key) {
        at++;
        key++;
    }
    return *key == '\0' && *at == '=' ? at + 1 : NULL;
}

const char *args_text(const char *key, const char *otherwise)
{
    const char *at = command_line;

    while (*at != '\0') {
        const char *value = value_of(at, key);

        if (value != NULL) {
            size_t length = 0;

            while (value[length] != '\0' && value[length] != ' ')
                length++;
            memcpy(word, value, length);
            word[length] = '\0';
            return word;
        }
        while (*at != '\0' && *at != ' ')
            at++;
        while (*at == ' ')
            at++;
    }
    return otherwise;
}

static uint64_t number_with_unit(const char *key, uint64_t otherwise,
                                 const struct unit *units, size_t unit_count)
{
    const char *text = args_text(key, NULL);
    const char *at = text;
    uint64_t value = 0;

    if (text == NULL)
        return otherwise;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            report_fail("argument %s=%s is too large", key, text);
    }
    for (size_t i = 0; at != text && i < unit_count; i++) {
        if (strcmp(at, units[i].name) == 0) {
            if (__builtin_mul_overflow(value, units[i].factor, &value))
                report_fail("argument %s=%s is too large", key, text);
            return value;
        }
    }
    report_fail("argument %s=%s: a whole number%s%s is expected", key, text,
                units[0].name[0] == '\0' ? "" : " with a unit such as ",
                units[0].name);
}

uint64_t args_number(const char *key, uint64_t otherwise)
{
    static const struct unit units[] = {{"", 1}};

    return number_with_unit(key, otherwise, units, 1);
}

uint64_t args_duration_ns(const char *key, uint64_t otherwise_ns)
{
    static const struct unit units[] = {
        {"ms", 1000000}, {"s", 1000000000}, {"us", 1000}, {"ns", 1}};

    return number_with_unit(key, otherwise_ns, units, 4);
}

uint64_t args_bytes(const char *key, uint64_t otherwise_bytes)
{
    static const struct unit units[] = {
        {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GiB", 1 << 30}, {"B", 1}};

    return number_with_unit(key, otherwise_bytes, units, 4);
}
