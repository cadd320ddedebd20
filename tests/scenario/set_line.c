/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/scenario/set_line.h"

#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"

static const char SET[] = "#set ";

struct set_line set_line_take(const void *text, size_t bytes)
{
    size_t prefix = sizeof SET - 1;
    struct set_line line = {0};

    if (bytes < prefix || memcmp(text, SET, prefix) != 0)
        return line;

    const char *from = (const char *)text + prefix;
    const char *newline = memchr(from, '\n', bytes - prefix);

    line.path =
        strndup(from, newline ? (size_t)(newline - from) : bytes - prefix);
    CHECK(line.path);

    char *equals = strchr(line.path, '=');

    if (equals) {
        *equals = '\0';
        line.override = (struct scenario_override){
            .path = line.path, .value = equals + 1, .written = "--set"};
        line.count = 1;
    }
    return line;
}

void set_line_free(struct set_line *line)
{
    free(line->path);
}
