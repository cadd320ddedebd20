/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where something stands in the document, for the messages of checks. */
#include <inttypes.h>
#include <stdarg.h>

#include "sim/core/check.h"
#include "sim/scenario/scenario_private.h"

/** The deepest node on the way along `path`: the nearest place to point at. */
static const struct document_node *nearest(const struct document_node *root,
                                           const char *path)
{
    struct document_step step;

    while (document_path_next(&path, &step)) {
        const struct document_node *child = document_follow(root, &step);

        if (!child)
            break;
        root = child;
    }
    return root;
}

enum sim_status scenario_refuse(const struct document_node *root,
                                struct sim_error *error, const char *path,
                                const char *format, ...)
{
    char message[SIM_ERROR_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return document_fail(&nearest(root, path)->mark, error, "%s: %s", path,
                         message);
}

void scenario_print_place(const struct document_node *root, const char *path,
                          FILE *out)
{
    struct document_mark mark = nearest(root, path)->mark;

    if (mark.line > 0)
        fprintf(out, "%s:%" PRIu32 ":%" PRIu32 ": ", mark.source, mark.line,
                mark.column);
    else
        fprintf(out, "%s: ", mark.source);
}

const char *scenario_vm_path(char path[static SCENARIO_PATH_BYTES], size_t vm,
                             const char *key)
{
    int length = snprintf(path, SCENARIO_PATH_BYTES, "vms[%zu].%s", vm, key);

    CHECK(length > 0 && length < SCENARIO_PATH_BYTES);
    return path;
}
