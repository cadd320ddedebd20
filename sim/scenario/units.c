/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/scenario/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/core/check.h"

__extension__ typedef unsigned __int128 wide_t;

#define FRACTION_ONE 65536

/* 19 digits always fit 64 bits, and times the largest unit 128. */
#define DIGITS_MAX 19

struct unit {
    const char *name;
    uint64_t scale; /* base units in one of this */
};

struct unit_family {
    const char *list;
    const char *pattern;
    struct unit units[6]; /* from small to large; ends with a NULL name */
};

#define DIGITS "(0|[1-9][0-9]*)"
#define DECIMAL DIGITS "(\\.[0-9]+)?"

static const struct unit_family families[UNITS_KIND_COUNT] = {
    [UNITS_PLAIN] = {"", "^" DIGITS "$", {{"", 1}}},
    [UNITS_DURATION] = {"ns, us, ms, s, min, h",
                        "^" DECIMAL "(ns|us|ms|s|min|h)$",
                        {{"ns", 1},
                         {"us", 1000},
                         {"ms", 1000000},
                         {"s", UINT64_C(1000000000)},
                         {"min", UINT64_C(60000000000)},
                         {"h", UINT64_C(3600000000000)}}},
    [UNITS_BYTES] = {"B, KiB, MiB, GiB, TiB",
                     "^" DECIMAL "(B|KiB|MiB|GiB|TiB)$",
                     {{"B", 1},
                      {"KiB", UINT64_C(1) << 10},
                      {"MiB", UINT64_C(1) << 20},
                      {"GiB", UINT64_C(1) << 30},
                      {"TiB", UINT64_C(1) << 40}}},
    [UNITS_FREQUENCY] = {"Hz, kHz, MHz, GHz",
                         "^" DECIMAL "(Hz|kHz|MHz|GHz)$",
                         {{"Hz", 1},
                          {"kHz", 1000},
                          {"MHz", 1000000},
                          {"GHz", UINT64_C(1000000000)}}},
    [UNITS_FRACTION] = {"%", "^" DECIMAL "%$", {{"%", 1}}},
};

#define UNITS_MAX (sizeof families[0].units / sizeof families[0].units[0])

/** digits / 10^decimals */
struct decimal {
    uint64_t digits;
    unsigned decimals;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/** Takes a decimal number off the front of `*text`. */
static enum units_status take_decimal(const char **text, struct decimal *number)
{
    const char *at = *text;
    unsigned length = 0; /* significant digits */
    bool fraction = false;

    *number = (struct decimal){0};
    if (*at == '\0')
        return UNITS_EMPTY;
    if (!is_digit(*at))
        return UNITS_NOT_A_NUMBER;
    if (at[0] == '0' && is_digit(at[1]))
        return UNITS_LEADING_ZERO;
    for (;; at++) {
        if (*at == '.' && !fraction && is_digit(at[1])) {
            fraction = true;
            continue;
        }
        if (!is_digit(*at))
            break;
        length += length > 0 || *at != '0';
        number->decimals += fraction;
        if (length > DIGITS_MAX || number->decimals > DIGITS_MAX)
            return UNITS_TOO_LARGE;
        number->digits = number->digits * 10 + (uint64_t)(*at - '0');
    }
    *text = at;
    return UNITS_OK;
}

static wide_t power_of_ten(unsigned exponent)
{
    wide_t power = 1;

    while (exponent-- > 0)
        power *= 10;
    return power;
}

static enum units_status scale_exactly(struct decimal number, uint64_t scale,
                                       uint64_t *value)
{
    wide_t product = (wide_t)number.digits * scale;
    wide_t divisor = power_of_ten(number.decimals);

    if (product / divisor > UINT64_MAX)
        return UNITS_TOO_LARGE;
    if (product % divisor != 0)
        return UNITS_TOO_FINE;
    *value = (uint64_t)(product / divisor);
    return UNITS_OK;
}

/** Percent to 1/65536, the nearest; halves up. */
static enum units_status scale_percent(struct decimal number, uint64_t *value)
{
    wide_t product = (wide_t)number.digits * FRACTION_ONE;
    wide_t divisor = power_of_ten(number.decimals) * 100;
    wide_t quotient = (product + divisor / 2) / divisor;

    if (quotient > UINT32_MAX)
        return UNITS_TOO_LARGE;
    *value = (uint64_t)quotient;
    return UNITS_OK;
}

static const struct unit *find_unit(enum units_kind kind, const char *name)
{
    const struct unit *units = families[kind].units;

    for (size_t i = 0; i < UNITS_MAX && units[i].name; i++) {
        if (strcmp(units[i].name, name) == 0)
            return &units[i];
    }
    return NULL;
}

enum units_status units_parse(enum units_kind kind, const char *text,
                              uint64_t *value)
{
    const char *rest = text;
    struct decimal number;
    enum units_status status = take_decimal(&rest, &number);

    if (status != UNITS_OK)
        return status;

    const struct unit *unit = find_unit(kind, rest);

    if (!unit && kind == UNITS_PLAIN)
        return UNITS_NOT_A_NUMBER;
    if (!unit)
        return *rest == '\0' ? UNITS_NO_UNIT : UNITS_UNKNOWN_UNIT;
    if (kind == UNITS_PLAIN && number.decimals > 0)
        return UNITS_TOO_FINE;
    if (kind == UNITS_FRACTION)
        return scale_percent(number, value);
    return scale_exactly(number, unit->scale, value);
}

/** The fewest decimals that still mean `value`; four always do, because
 *  1/65536 is more than 0.001 %. */
static void print_percent(uint64_t value, char *text)
{
    uint64_t back = 0;

    for (unsigned decimals = 0; decimals <= 4; decimals++) {
        uint64_t power = (uint64_t)power_of_ten(decimals);
        wide_t steps =
            ((wide_t)value * 100 * power + FRACTION_ONE / 2) / FRACTION_ONE;
        struct decimal number = {(uint64_t)steps, decimals};

        snprintf(text, UNITS_TEXT_BYTES, "%" PRIu64 "%s%.*" PRIu64 "%%",
                 number.digits / power, decimals > 0 ? "." : "", (int)decimals,
                 decimals > 0 ? number.digits % power : 0);
        if (scale_percent(number, &back) == UNITS_OK && back == value)
            return;
    }
}

void units_print(enum units_kind kind, uint64_t value,
                 char text[static UNITS_TEXT_BYTES])
{
    const struct unit *units = families[kind].units;
    size_t best = 0;

    CHECK(kind < UNITS_KIND_COUNT);
    if (kind == UNITS_FRACTION) {
        print_percent(value, text);
        return;
    }
    for (size_t i = 1; i < UNITS_MAX && units[i].name; i++) {
        if (value != 0 && value % units[i].scale == 0)
            best = i;
    }
    snprintf(text, UNITS_TEXT_BYTES, "%" PRIu64 "%s", value / units[best].scale,
             units[best].name);
}

const char *units_status_text(enum units_status status)
{
    switch (status) {
    case UNITS_OK:
        return "is fine";
    case UNITS_EMPTY:
        return "is empty";
    case UNITS_NOT_A_NUMBER:
        return "is not a number";
    case UNITS_LEADING_ZERO:
        return "begins with a zero";
    case UNITS_NO_UNIT:
        return "has no unit";
    case UNITS_UNKNOWN_UNIT:
        return "has an unknown unit";
    case UNITS_TOO_FINE:
        return "is not a whole number of the smallest unit";
    case UNITS_TOO_LARGE:
        return "is too large or has too many digits";
    }
    return "is not valid";
}

const char *units_list(enum units_kind kind)
{
    CHECK(kind < UNITS_KIND_COUNT);
    return families[kind].list;
}

const char *units_pattern(enum units_kind kind)
{
    CHECK(kind < UNITS_KIND_COUNT);
    return families[kind].pattern;
}
