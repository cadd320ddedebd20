/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/core/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "hvsim: internal error: expected %s at %s:%d\n", condition,
            file, line);
    abort();
}
