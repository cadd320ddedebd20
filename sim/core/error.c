/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/core/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim/core/check.h"

static const struct {
    const char *text;
    int exit_code;
} statuses[] = {
#define SIM_STATUS(name, exit_code, text) [SIM_##name] = {text, exit_code},
#include "sim/core/error.def"
#undef SIM_STATUS
};

#define STATUS_COUNT (sizeof(statuses) / sizeof(statuses[0]))

/** Drops a UTF-8 sequence that cutting a string to its buffer left half. */
static void drop_half_character(char *text)
{
    size_t length = strlen(text);
    size_t tail = 0; /* continuation bytes at the end */

    while (tail < 3 && tail < length &&
           ((unsigned char)text[length - 1 - tail] & 0xc0) == 0x80)
        tail++;
    if (tail == length)
        return;

    unsigned char lead = (unsigned char)text[length - 1 - tail];
    size_t expected = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0;

    if (tail < expected)
        text[length - 1 - tail] = '\0';
}

static void format_message(char *message, const char *format, va_list args)
{
    int length = vsnprintf(message, SIM_ERROR_BYTES_MAX, format, args);

    if (length < 0)
        message[0] = '\0';
    else if (length >= SIM_ERROR_BYTES_MAX)
        drop_half_character(message);
}

enum sim_status sim_fail(struct sim_error *error, enum sim_status status,
                         const char *format, ...)
{
    /* Formatted aside, since an argument may be the old message. */
    char message[SIM_ERROR_BYTES_MAX];
    va_list args;

    CHECK(status != SIM_OK);
    va_start(args, format);
    format_message(message, format, args);
    va_end(args);

    error->status = status;
    memcpy(error->message, message, strlen(message) + 1);
    return status;
}

enum sim_status sim_prefix(struct sim_error *error, const char *format, ...)
{
    char context[SIM_ERROR_BYTES_MAX];
    va_list args;

    va_start(args, format);
    format_message(context, format, args);
    va_end(args);
    return sim_fail(error, error->status, "%s: %s", context, error->message);
}

const char *sim_status_text(enum sim_status status)
{
    CHECK((size_t)status < STATUS_COUNT);
    return statuses[status].text;
}

int sim_status_exit_code(enum sim_status status)
{
    CHECK((size_t)status < STATUS_COUNT);
    return statuses[status].exit_code;
}
