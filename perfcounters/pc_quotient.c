/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "perfcounters/pc_quotient.h"

#include <math.h>
#include <stdint.h>

#define EXACT_MAX (UINT64_C(1) << 53) /* doubles hold integers up to here */

/**
 * Long division in binary until the quotient has more bits than a double
 * keeps; a remainder is noted in the lowest one, which then is not a tie.
 */
static double divide_long(pc_wide_t numerator, pc_wide_t denominator)
{
    pc_wide_t quotient = numerator / denominator;
    pc_wide_t rest = numerator % denominator;
    int scale = 0;

    while (rest != 0 && quotient < (UINT64_C(1) << 62)) {
        rest <<= 1;
        quotient <<= 1;
        if (rest >= denominator) {
            rest -= denominator;
            quotient |= 1;
        }
        scale++;
    }
    if (rest != 0)
        quotient |= 1;
    return ldexp((double)quotient, -scale);
}

double pc_quotient(pc_wide_t numerator, pc_wide_t denominator)
{
    if (numerator == 0 || denominator == 0)
        return 0;
    if (numerator <= EXACT_MAX && denominator <= EXACT_MAX)
        return (double)(uint64_t)numerator / (double)(uint64_t)denominator;
    return divide_long(numerator, denominator);
}
