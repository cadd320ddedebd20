/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/scenario/lp_list.h"

#include <stdio.h>

static const char NOT_A_LIST[] = "is not a list of LPs";

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits without a leading zero, which some readers take for octal. */
static const char *take_number(const char **at, uint32_t *number)
{
    const char *first = *at;

    *number = 0;
    for (; is_digit(**at); ++*at) {
        if (*number < LP_COUNT_MAX)
            *number = *number * 10 + (uint32_t)(**at - '0');
    }
    if (*at == first)
        return NOT_A_LIST;
    if (*first == '0' && *at - first > 1)
        return "has a leading zero";
    if (*number >= LP_COUNT_MAX)
        return "has an LP beyond the last that a host can have";
    return NULL;
}

static void skip_blanks(const char **at)
{
    while (**at == ' ')
        ++*at;
}

/* "6" or "0-3" */
static const char *take_range(const char **at, struct lp_set *lps)
{
    uint32_t first, last;
    const char *wrong = take_number(at, &first);

    last = first;
    if (!wrong && **at == '-') {
        ++*at;
        wrong = take_number(at, &last);
    }
    if (!wrong && last < first)
        wrong = "has a range that goes backwards";
    for (uint32_t lp = first; !wrong && lp <= last; lp++)
        lp_set_add(lps, lp);
    return wrong;
}

const char *lp_list_parse(const char *text, struct lp_set *lps)
{
    for (;;) {
        const char *wrong;

        skip_blanks(&text);
        wrong = take_range(&text, lps);
        if (wrong)
            return wrong;
        skip_blanks(&text);
        if (*text == '\0')
            return NULL;
        if (*text++ != ',')
            return NOT_A_LIST;
    }
}

void lp_list_print(const struct lp_set *lps,
                   char text[static LP_LIST_TEXT_BYTES])
{
    size_t length = 0;
    int first;

    text[0] = '\0';
    for (uint32_t from = 0;
         from < LP_COUNT_MAX && (first = lp_set_next(lps, from)) >= 0;) {
        uint32_t last = (uint32_t)first;

        while (last + 1 < LP_COUNT_MAX && lp_set_has(lps, last + 1))
            last++;
        length += (size_t)snprintf(&text[length], LP_LIST_TEXT_BYTES - length,
                                   "%s%d", length > 0 ? "," : "", first);
        if (last > (uint32_t)first)
            length +=
                (size_t)snprintf(&text[length], LP_LIST_TEXT_BYTES - length,
                                 "-%u", (unsigned)last);
        from = last + 1;
    }
}
