/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/core/host_line.h"

#include <stdlib.h>
#include <string.h>

void *host_line_calloc(size_t bytes)
{
    size_t lines = (bytes + HOST_LINE_BYTES - 1) / HOST_LINE_BYTES;
    void *at = aligned_alloc(HOST_LINE_BYTES, lines * HOST_LINE_BYTES);

    return at ? memset(at, 0, bytes) : NULL;
}
