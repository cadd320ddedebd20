/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/results/results_value.h"

#include <stdlib.h>
#include <string.h>

#define NAME_BYTES_MAX 64
#define UNIT_BYTES_MAX 16
#define WHOLE_DIGITS_MAX 18 /* always within int64_t */
#define FRACTION_DIGITS_MAX 9

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/** Reads the digits at `*at`; false if there are none or too many. */
static bool parse_whole(const char **at, int64_t *whole)
{
    const char *start = *at;
    int digits = 0; /* without leading zeros */

    *whole = 0;
    for (; is_digit(**at); (*at)++) {
        digits += digits > 0 || **at != '0';
        if (digits > WHOLE_DIGITS_MAX)
            return false;
        *whole = *whole * 10 + (**at - '0');
    }
    return *at > start;
}

/** Reads the digits after a point; says if all of them are zeros. */
static bool parse_fraction(const char **at, bool *zero)
{
    size_t digits = strspn(*at, "0123456789");

    *zero = strspn(*at, "0") == digits;
    *at += digits;
    return digits >= 1 && digits <= FRACTION_DIGITS_MAX;
}

bool results_value_parse(const char *text, struct results_value *value)
{
    bool negative = text[0] == '-';
    const char *at = text + negative;

    *value = (struct results_value){.integral = true};
    if (!parse_whole(&at, &value->whole))
        return false;
    if (*at == '.') {
        at++;
        if (!parse_fraction(&at, &value->integral))
            return false;
    }
    if (*at != '\0')
        return false;
    if (negative)
        value->whole = -value->whole;
    value->real = strtod(text, NULL);
    return true;
}

bool results_value_is_name(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.-");

    return length >= 1 && length <= NAME_BYTES_MAX && text[length] == '\0';
}

bool results_value_is_unit(const char *text)
{
    size_t length = 0;

    while (text[length] > ' ' && text[length] <= '~')
        length++;
    return length >= 1 && length <= UNIT_BYTES_MAX && text[length] == '\0';
}
