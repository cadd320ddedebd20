/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command about consoles: what VMs wrote, and what was typed at them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cli_private.h"
#include "sim/results/results.h"
#include "sim/scenario/units.h"
#include "sim/text/text.h"

const char *cli_text_column(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    return text ? text : "";
}

/** Executes `sql`, in which ?1 is `vm` (may be NULL), and hands each row to
 *  `print`. Counts them in `*rows`. */
static enum sim_status for_each_row(sqlite3 *db, const char *path,
                                    const char *sql, const char *vm,
                                    void (*print)(sqlite3_stmt *row),
                                    size_t *rows, struct sim_error *error)
{
    sqlite3_stmt *query = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &query, NULL);

    *rows = 0;
    if (code == SQLITE_OK && vm)
        sqlite3_bind_text(query, 1, vm, -1, SQLITE_STATIC);
    while (code == SQLITE_OK && sqlite3_step(query) == SQLITE_ROW) {
        print(query);
        ++*rows;
    }
    code = sqlite3_finalize(query);
    if (code != SQLITE_OK)
        return sim_fail(error, SIM_IO_ERROR, "%s: cannot be read: %s", path,
                        sqlite3_errmsg(db));
    return SIM_OK;
}

static void print_line(sqlite3_stmt *row)
{
    text_print(stdout, cli_text_column(row, 0));
    printf("\n");
}

static void print_named_line(sqlite3_stmt *row)
{
    text_print(stdout, cli_text_column(row, 1));
    printf(": ");
    print_line(row);
}

static enum sim_status print_lines(sqlite3 *db, const char *path,
                                   const char *vm, struct sim_error *error)
{
    size_t rows;

    if (for_each_row(db, path,
                     "SELECT line, vm FROM console"
                     " WHERE ?1 IS NULL OR vm = ?1",
                     vm, vm ? print_line : print_named_line, &rows,
                     error) != SIM_OK)
        return error->status;
    if (vm && rows == 0)
        return sim_fail(error, SIM_NO_INPUT,
                        "%s: no VM \"%s\" has written to a console", path, vm);
    return SIM_OK;
}

/* Text that YAML can hold: UTF-8 without a NUL. */
static bool is_text(const char *bytes, size_t count)
{
    while (count > 0) {
        uint32_t character = 0;
        size_t length = text_decode(bytes, count, &character);

        if (length == 0 || character == 0)
            return false;
        bytes += length;
        count -= length;
    }
    return true;
}

static void print_step(sqlite3_stmt *row)
{
    const char *blob = sqlite3_column_blob(row, 1); /* NULL: of no bytes */
    size_t count = (size_t)sqlite3_column_bytes(row, 1);
    const char *bytes = blob ? blob : "";
    char *text = strndup(bytes, count);
    char at[UNITS_TEXT_BYTES];

    units_print(UNITS_DURATION, (uint64_t)sqlite3_column_int64(row, 0), at);
    printf("      - {at: %s, ", at);
    if (text && is_text(bytes, count)) {
        printf("send: ");
        text_print_quoted(stdout, text);
    } else {
        printf("hex: \"");
        for (size_t i = 0; i < count; i++)
            printf("%02x", (unsigned char)bytes[i]);
        printf("\"");
    }
    printf("}\n");
    free(text);
}

static void print_duration(sqlite3_stmt *row)
{
    char duration[UNITS_TEXT_BYTES];

    units_print(UNITS_DURATION, (uint64_t)sqlite3_column_int64(row, 0),
                duration);
    printf("# Ended by hand, the run has ended with duration: %s\n", duration);
}

static void print_vm(sqlite3_stmt *row)
{
    printf("    # What was typed at ");
    text_print(stdout, cli_text_column(row, 0));
    printf("\n    console:\n");
}

/* One VM's block, as it stands in a scenario's list of VMs. */
static enum sim_status print_block(sqlite3 *db, const char *path,
                                   const char *vm, struct sim_error *error)
{
    size_t rows;

    if (for_each_row(db, path, "SELECT ?1", vm, print_vm, &rows, error) !=
        SIM_OK)
        return error->status;
    return for_each_row(db, path,
                        "SELECT time_ns, bytes FROM input WHERE vm = ?1", vm,
                        print_step, &rows, error);
}

static enum sim_status print_blocks(sqlite3 *db, const char *path,
                                    struct sim_error *error)
{
    sqlite3_stmt *vms = NULL;
    enum sim_status status = SIM_OK;
    int code = sqlite3_prepare_v2(db,
                                  "SELECT DISTINCT vm FROM input"
                                  " ORDER BY vm COLLATE by_number",
                                  -1, &vms, NULL);

    while (code == SQLITE_OK && status == SIM_OK &&
           sqlite3_step(vms) == SQLITE_ROW)
        status = print_block(db, path, cli_text_column(vms, 0), error);
    code = sqlite3_finalize(vms);
    if (status == SIM_OK && code != SQLITE_OK)
        return sim_fail(error, SIM_IO_ERROR, "%s: cannot be read: %s", path,
                        sqlite3_errmsg(db));
    return status;
}

static void ignore(sqlite3_stmt *row)
{
    (void)row;
}

static enum sim_status check_input(sqlite3 *db, const char *path,
                                   const char *vm, struct sim_error *error)
{
    size_t rows;

    if (for_each_row(db, path,
                     "SELECT 1 FROM input WHERE ?1 IS NULL OR vm = ?1 LIMIT 1",
                     vm, ignore, &rows, error) != SIM_OK)
        return error->status;
    if (rows == 0)
        return sim_fail(error, SIM_NO_INPUT, "%s: nothing was typed at %s%s%s",
                        path, vm ? "the console of a VM \"" : "a console",
                        vm ? vm : "", vm ? "\"" : "");
    return SIM_OK;
}

static enum sim_status print_script(sqlite3 *db, const char *path,
                                    const char *vm, struct sim_error *error)
{
    size_t rows;

    if (check_input(db, path, vm, error) != SIM_OK ||
        for_each_row(db, path, "SELECT sim_ns FROM run", NULL, print_duration,
                     &rows, error) != SIM_OK)
        return error->status;
    return vm ? print_block(db, path, vm, error)
              : print_blocks(db, path, error);
}

enum sim_status cli_console(const struct cli_invocation *invocation,
                            struct sim_error *error)
{
    const char *path = invocation->operands[0];
    const char *vm = invocation->operands[1];
    sqlite3 *db;
    enum sim_status status = results_open(&db, path, error);

    if (status != SIM_OK)
        return status;
    status = cli_given(invocation, CLI_SCRIPT, NULL)
                 ? print_script(db, path, vm, error)
                 : print_lines(db, path, vm, error);
    sqlite3_close(db);
    return status;
}
