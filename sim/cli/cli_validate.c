/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command validate. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/cli/cli_private.h"
#include "sim/cli/cli_validate_private.h"
#include "sim/core/check.h"
#include "sim/scenario/document.h"
#include "sim/scenario/units.h"

#define JOBS_MAX 1024
#define EXTENSION ".yaml"

/** One `hvsim validate` on its way. */
struct session {
    const struct cli_invocation *invocation;
    char *folder; /* owned: where rows are looked for by their numbers */
    char **files; /* owned, as are the texts */
    struct scenario **scenarios; /* owned; one for each file */
    size_t file_count;
    struct validation validation;
};

/* The files */

/** Beside an installed hvsim, else where it was built from. */
static char *default_folder(void)
{
    char program[4096];
    ssize_t bytes = readlink("/proc/self/exe", program, sizeof(program) - 1);
    char *folder = NULL;

    if (bytes > 0) {
        program[bytes] = '\0';
        *(strrchr(program, '/') + 1) = '\0'; /* that path is absolute */
        CHECK(asprintf(&folder, "%s%s", program,
                       HVSIM_SCENARIOS_FROM_PROGRAM "/validation") >= 0);
        if (access(folder, F_OK) == 0)
            return folder;
        free(folder);
    }
    folder = strdup(HVSIM_SCENARIOS_BUILT "/validation");
    CHECK(folder);
    return folder;
}

/** Takes `path`. */
static void add_file(struct session *session, char *path)
{
    CHECK(path);
    session->files = reallocarray(session->files, session->file_count + 1,
                                  sizeof(*session->files));
    CHECK(session->files);
    session->files[session->file_count++] = path;
}

static int is_scenario(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot && strcmp(dot, EXTENSION) == 0;
}

/* By bytes: alphasort() asks the locale. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static enum sim_status add_folder(struct session *session,
                                  struct sim_error *error)
{
    struct dirent **entries = NULL;
    int count = scandir(session->folder, &entries, is_scenario, compare_names);
    char *path;

    if (count < 0)
        return sim_fail(error, SIM_NO_INPUT, "%s: cannot be read: %s",
                        session->folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        CHECK(asprintf(&path, "%s/%s", session->folder, entries[i]->d_name) >=
              0);
        add_file(session, path);
        free(entries[i]);
    }
    free(entries);
    if (count == 0)
        return sim_fail(error, SIM_NO_INPUT,
                        "%s: has no scenarios; expected some with a key "
                        "validation",
                        session->folder);
    return SIM_OK;
}

/** An operand is the number of a row, or a file. */
static bool is_row(const char *operand)
{
    return operand[strspn(operand, "0123456789")] == '\0';
}

/** The files that are named; those of the folder, where rows are wanted by
 *  their numbers, or all of them. */
static enum sim_status find_files(struct session *session,
                                  struct sim_error *error)
{
    const struct cli_invocation *invocation = session->invocation;
    bool folder_is_wanted = invocation->operand_count == 0;

    for (size_t i = 0; i < invocation->operand_count; i++) {
        if (is_row(invocation->operands[i]))
            folder_is_wanted = true;
        else if (strcmp(invocation->operands[i], "-") == 0)
            return sim_fail(error, SIM_BAD_USAGE,
                            "validate: a scenario is read for each run; "
                            "expected a file instead of standard input");
        else
            add_file(session, strdup(invocation->operands[i]));
    }
    return folder_is_wanted ? add_folder(session, error) : SIM_OK;
}

static enum sim_status read_files(struct session *session,
                                  struct sim_error *error)
{
    session->scenarios =
        calloc(session->file_count + 1, sizeof(*session->scenarios));
    CHECK(session->scenarios);
    for (size_t i = 0; i < session->file_count; i++) {
        const char *file = session->files[i];
        struct scenario **scenario = &session->scenarios[i];

        if (scenario_read_file(scenario, file, NULL, 0, error) != SIM_OK)
            return error->status;
        if ((*scenario)->validation_count == 0)
            return sim_fail(error, SIM_BAD_SCENARIO,
                            "%s:1:1: has nothing to validate; expected a key "
                            "validation ('hvsim explain validation')",
                            file);
        validate_add(&session->validation, *scenario, file);
    }
    return SIM_OK;
}

/* The rows */

static bool is_named(const struct session *session, const char *file)
{
    const struct cli_invocation *invocation = session->invocation;

    for (size_t i = 0; i < invocation->operand_count; i++) {
        if (strcmp(invocation->operands[i], file) == 0)
            return true;
    }
    return false;
}

static bool is_wanted(const struct session *session,
                      const struct validate_row *row)
{
    const struct cli_invocation *invocation = session->invocation;

    if (invocation->operand_count == 0 || is_named(session, row->file))
        return true;
    for (size_t i = 0; i < invocation->operand_count; i++) {
        if (is_row(invocation->operands[i]) &&
            strtoul(invocation->operands[i], NULL, 10) == row->about->row)
            return true;
    }
    return false;
}

static enum sim_status check_row_numbers(const struct session *session,
                                         struct sim_error *error)
{
    const struct cli_invocation *invocation = session->invocation;
    const struct validation *validation = &session->validation;

    for (size_t i = 0; i < invocation->operand_count; i++) {
        unsigned long number = strtoul(invocation->operands[i], NULL, 10);
        bool found = !is_row(invocation->operands[i]);

        for (size_t j = 0; j < validation->row_count; j++)
            found = found || validation->rows[j].about->row == number;
        if (!found)
            return sim_fail(error, SIM_BAD_USAGE,
                            "validate: there is no row %s in %s; --list says "
                            "which there are",
                            invocation->operands[i], session->folder);
    }
    return SIM_OK;
}

/** Leaves the rows that are wanted. */
static enum sim_status select_rows(struct session *session,
                                   struct sim_error *error)
{
    struct validation *all = &session->validation;
    struct validation unwanted = {calloc(all->row_count, sizeof(*all->rows)),
                                  0};
    size_t kept = 0;

    CHECK(unwanted.rows);
    if (check_row_numbers(session, error) != SIM_OK) {
        validate_free(&unwanted);
        return error->status;
    }
    for (size_t i = 0; i < all->row_count; i++) {
        if (is_wanted(session, &all->rows[i]))
            all->rows[kept++] = all->rows[i];
        else
            unwanted.rows[unwanted.row_count++] = all->rows[i];
    }
    all->row_count = kept;
    validate_free(&unwanted);
    return SIM_OK;
}

/* The command */

static enum sim_status read_format(const struct cli_invocation *invocation,
                                   enum validate_format *format,
                                   struct sim_error *error)
{
    const char *name = "text";
    char quoted[DOCUMENT_QUOTE_BYTES];

    cli_given(invocation, CLI_FORMAT, &name);
    if (validate_find_format(name, format))
        return SIM_OK;
    return sim_fail(error, SIM_BAD_USAGE,
                    "validate: no such format: %s; expected text, json or csv",
                    document_quote(name, quoted));
}

/** As many as there are processors, unless --jobs says otherwise. */
static enum sim_status read_jobs(const struct cli_invocation *invocation,
                                 size_t *jobs, struct sim_error *error)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const char *text;
    char quoted[DOCUMENT_QUOTE_BYTES];
    uint64_t number;

    *jobs = processors > 0 ? (size_t)processors : 1;
    if (!cli_given(invocation, CLI_JOBS, &text))
        return SIM_OK;
    if (units_parse(UNITS_PLAIN, text, &number) != UNITS_OK || number < 1 ||
        number > JOBS_MAX)
        return sim_fail(error, SIM_BAD_USAGE,
                        "validate: --jobs %s: expected a number from 1 to %d",
                        document_quote(text, quoted), JOBS_MAX);
    *jobs = (size_t)number;
    return SIM_OK;
}

static void end_session(struct session *session)
{
    validate_free(&session->validation);
    for (size_t i = 0; i < session->file_count; i++) {
        if (session->scenarios)
            scenario_free(session->scenarios[i]);
        free(session->files[i]);
    }
    free(session->scenarios);
    free(session->files);
    free(session->folder);
}

static enum sim_status begin_session(struct session *session,
                                     struct sim_error *error)
{
    const char *folder;
    enum sim_status status;

    if (cli_given(session->invocation, CLI_SCENARIOS, &folder))
        session->folder = strdup(folder);
    else
        session->folder = default_folder();
    CHECK(session->folder);
    status = find_files(session, error);
    if (status == SIM_OK)
        status = read_files(session, error);
    if (status == SIM_OK)
        status = select_rows(session, error);
    if (status == SIM_OK)
        status = cli_validate_check(&session->validation, error);
    return status;
}

static enum sim_status run_session(struct session *session,
                                   enum validate_format format,
                                   struct sim_error *error)
{
    const struct cli_invocation *invocation = session->invocation;
    struct cli_validate_request request = {
        .quiet = cli_given(invocation, CLI_QUIET, NULL),
    };
    enum sim_status status = read_jobs(invocation, &request.jobs, error);

    cli_given(invocation, CLI_RUNS, &request.folder);
    if (status == SIM_OK)
        status = cli_validate_runs(&session->validation, &request, error);
    if (status != SIM_OK)
        return status;
    validate_print(&session->validation, format, stdout);
    if (validate_holds(&session->validation,
                       cli_given(invocation, CLI_STRICT, NULL)))
        return SIM_OK;
    return sim_fail(error, SIM_RUN_FAILED,
                    "not all that is published holds here; see above");
}

enum sim_status cli_validate(const struct cli_invocation *invocation,
                             struct sim_error *error)
{
    struct session session = {.invocation = invocation};
    enum validate_format format = VALIDATE_TEXT;
    enum sim_status status = read_format(invocation, &format, error);

    if (status == SIM_OK)
        status = begin_session(&session, error);
    if (status == SIM_OK && cli_given(invocation, CLI_LIST, NULL))
        validate_print_list(&session.validation, stdout);
    else if (status == SIM_OK)
        status = run_session(&session, format, error);
    end_session(&session);
    return status;
}
