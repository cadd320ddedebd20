/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command explain wait: why the VPs of a run waited. */
#include <string.h>

#include "sim/cli/cli_private.h"
#include "sim/core/check.h"
#include "sim/results/explain_wait.h"
#include "sim/results/export.h"
#include "sim/results/results.h"
#include "sim/results/summary.h"
#include "sim/scenario/document.h"

#define WAIT_COLUMNS                                                           \
    "vm, vp, rule, dispatches, wait_ns, longest_ns, undispatched, "            \
    "undispatched_ns"

/* The rows of the view wait, of those in the scope. */
static enum sim_status export_rows(const struct export_format *format,
                                   const char *path,
                                   const struct explain_wait_scope *scope,
                                   struct sim_error *error)
{
    char *vm = scope->vm ? sqlite3_mprintf("vm = %Q", scope->vm)
                         : sqlite3_mprintf("1");
    char *rows = scope->one_vp ? sqlite3_mprintf("wait WHERE %s AND vp = %u",
                                                 vm, scope->vp)
                               : sqlite3_mprintf("wait WHERE %s", vm);
    const struct results_view view = {.name = rows, .columns = WAIT_COLUMNS};
    enum sim_status status;

    CHECK(vm && rows);
    status = export_file(format, &view, path, NULL, false, error);
    sqlite3_free(rows);
    sqlite3_free(vm);
    return status;
}

static enum sim_status explain(const struct cli_invocation *invocation,
                               sqlite3 *db, struct sim_error *error)
{
    const char *path = invocation->operands[1];
    const char *vm = NULL, *vp = NULL, *name = "text";
    const struct export_format *format = NULL;
    char buffer[EXPLAIN_WAIT_NAME_BYTES];
    char quoted[DOCUMENT_QUOTE_BYTES];
    struct explain_wait_scope scope;

    cli_given(invocation, CLI_VM, &vm);
    cli_given(invocation, CLI_VP, &vp);
    cli_given(invocation, CLI_FORMAT, &name);
    if (strcmp(name, "text") != 0 &&
        export_find_format(&format, name, error) != SIM_OK)
        return sim_fail(error, SIM_BAD_USAGE,
                        "explain wait: --format %s: expected text, csv or json",
                        document_quote(name, quoted));
    if (explain_wait_find(&scope, buffer, db, vm, vp, error) != SIM_OK)
        return error->status;
    if (format)
        return export_rows(format, path, &scope, error);
    return explain_wait_print(stdout, db, &scope, summary_width(stdout), error);
}

enum sim_status cli_explain_wait(const struct cli_invocation *invocation,
                                 struct sim_error *error)
{
    enum sim_status status;
    sqlite3 *db;

    if (results_open(&db, invocation->operands[1], error) != SIM_OK)
        return error->status;
    status = explain(invocation, db, error);
    sqlite3_close(db);
    return status;
}
