/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runs of a validation. Each is `hvsim run` in a process of its own; its
 * results go to a file, which the row's measures then read.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/cli/cli_private.h"
#include "sim/cli/cli_validate_private.h"
#include "sim/cli/farm.h"
#include "sim/cli/progress.h"
#include "sim/core/check.h"
#include "sim/results/measure.h"
#include "sim/scenario/document.h"

#define TICK_MS 200
#define NAME_BYTES 160

/* What a row without runs needs. */
static const struct scenario_validation_run plain_run = {.name = "run"};

/** One run of a row. */
struct trial {
    const struct validate_row *row;
    const struct scenario_validation_run *about;
    char *path;       /* owned; of its results */
    char **arguments; /* owned, as are the texts */
    int exit_code;
    bool is_killed;
    char *message; /* owned: what it said as it failed; NULL: it did not */
};

/** All of them, in the order of the rows. */
struct trials {
    struct trial *trials; /* owned */
    size_t count;
    const char *folder;
    struct progress progress;
};

static size_t run_count(const struct validate_row *row)
{
    return row->about->run_count > 0 ? row->about->run_count : 1;
}

static const struct scenario_validation_run *
run_at(const struct validate_row *row, size_t index)
{
    return row->about->run_count > 0 ? &row->about->runs[index] : &plain_run;
}

/* Before anything runs */

/** The node of the row, and its index. */
static const struct document_node *row_node(const struct validate_row *row,
                                            size_t *index)
{
    *index = (size_t)(row->about - row->scenario->validation);
    return document_item(document_get(row->scenario->document, "validation"),
                         *index);
}

static enum sim_status refuse_run(const struct validate_row *row, size_t run,
                                  struct sim_error *error)
{
    size_t index;
    const struct document_node *item =
        document_item(document_get(row_node(row, &index), "runs"), run);
    char message[SIM_ERROR_BYTES_MAX];

    snprintf(message, sizeof(message), "%s", error->message);
    return document_fail(&document_get(item, "set")->mark, error,
                         "validation[%zu].runs[%zu].set: %.*s", index, run,
                         SIM_ERROR_BYTES_MAX / 2, message);
}

/** What the run has changed must be valid, unless it is there to be refused. */
static enum sim_status check_run(const struct validate_row *row, size_t index,
                                 struct sim_error *error)
{
    const struct scenario_validation_run *run = run_at(row, index);
    struct scenario_override *overrides;
    struct scenario *scenario = NULL;
    enum sim_status status;

    if (run->set_count == 0 || run->may_fail)
        return SIM_OK;
    overrides = calloc(run->set_count, sizeof(*overrides));
    CHECK(overrides);
    for (size_t i = 0; i < run->set_count; i++)
        overrides[i] = (struct scenario_override){
            .path = run->set[i].key,
            .value = run->set[i].value,
            .written = run->set[i].key,
        };
    status = scenario_read_file(&scenario, row->file, overrides, run->set_count,
                                error);
    scenario_free(scenario);
    free(overrides);
    return status == SIM_OK ? SIM_OK : refuse_run(row, index, error);
}

static enum sim_status check_measures(const struct validate_row *row,
                                      struct measure *measure,
                                      struct sim_error *error)
{
    size_t index;
    const struct document_node *checks =
        document_get(row_node(row, &index), "checks");
    char message[SIM_ERROR_BYTES_MAX];

    for (size_t i = 0; i < row->about->check_count; i++) {
        if (measure_check(measure, row->about->checks[i].measure, error) ==
            SIM_OK)
            continue;
        snprintf(message, sizeof(message), "%s", error->message);
        return document_fail(
            &document_get(document_item(checks, i), "measure")->mark, error,
            "validation[%zu].checks[%zu].measure: %.*s", index, i,
            SIM_ERROR_BYTES_MAX / 2, message);
    }
    return SIM_OK;
}

static enum sim_status check_row(const struct validate_row *row,
                                 struct sim_error *error)
{
    struct measure_run runs[MEASURE_RUNS_MAX] = {0};
    struct measure *measure = NULL;
    enum sim_status status = SIM_OK;

    for (size_t i = 0; i < run_count(row) && status == SIM_OK; i++) {
        runs[i].name = run_at(row, i)->name;
        status = check_run(row, i, error);
    }
    if (status == SIM_OK)
        status = measure_open(&measure, runs, run_count(row), error);
    if (status == SIM_OK)
        status = check_measures(row, measure, error);
    measure_close(measure);
    return status;
}

enum sim_status cli_validate_check(const struct validation *validation,
                                   struct sim_error *error)
{
    enum sim_status status = SIM_OK;

    for (size_t i = 0; i < validation->row_count && status == SIM_OK; i++)
        status = check_row(&validation->rows[i], error);
    return status;
}

/* The runs */

/** `row` is the `twin`th of its number. */
static char *name_results(const char *folder, const struct validate_row *row,
                          size_t twin, const char *run)
{
    char *path;

    if (twin == 0)
        CHECK(asprintf(&path, "%s/row-%" PRIu32 "-%s.db", folder,
                       row->about->row, run) >= 0);
    else
        CHECK(asprintf(&path, "%s/row-%" PRIu32 ".%zu-%s.db", folder,
                       row->about->row, twin, run) >= 0);
    return path;
}

/** Adds a copy of `text` to the arguments, which have room. */
static void add_argument(struct trial *trial, size_t *count, const char *text)
{
    trial->arguments[*count] = strdup(text);
    CHECK(trial->arguments[*count]);
    ++*count;
}

static void write_arguments(struct trial *trial)
{
    static const char *const fixed[] = {"--force", "--quiet", "--output"};
    size_t count = 0;
    char *set;

    trial->arguments =
        calloc(2 * trial->about->set_count + 16, sizeof(*trial->arguments));
    CHECK(trial->arguments);
    add_argument(trial, &count, "hvsim");
    add_argument(trial, &count, "run");
    for (size_t i = 0; i < trial->about->set_count; i++) {
        const struct scenario_argument *change = &trial->about->set[i];

        CHECK(asprintf(&set, "%s=%s", change->key, change->value) >= 0);
        add_argument(trial, &count, "--set");
        add_argument(trial, &count, set);
        free(set);
    }
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        add_argument(trial, &count, fixed[i]);
    add_argument(trial, &count, trial->path);
    add_argument(trial, &count, "--");
    add_argument(trial, &count, trial->row->file);
}

static void add_trials(struct trials *trials, const struct validate_row *row,
                       size_t twin)
{
    for (size_t i = 0; i < run_count(row); i++) {
        struct trial *trial = &trials->trials[trials->count++];

        trial->row = row;
        trial->about = run_at(row, i);
        trial->path =
            name_results(trials->folder, row, twin, trial->about->name);
        write_arguments(trial);
    }
}

static void plan_trials(struct trials *trials,
                        const struct validation *validation)
{
    size_t count = 0;
    size_t twin = 0;

    for (size_t i = 0; i < validation->row_count; i++)
        count += run_count(&validation->rows[i]);
    trials->trials = calloc(count + 1, sizeof(*trials->trials));
    CHECK(trials->trials);
    for (size_t i = 0; i < validation->row_count; i++) {
        const struct validate_row *row = &validation->rows[i];

        twin = i > 0 && row->about->row == row[-1].about->row ? twin + 1 : 0;
        add_trials(trials, row, twin);
    }
}

/** Also the journal that SQLite has no time to remove where a run is killed. */
static void remove_trial(const struct trial *trial)
{
    char *journal;

    CHECK(asprintf(&journal, "%s-journal", trial->path) >= 0);
    unlink(trial->path);
    unlink(journal);
    free(journal);
}

/** A run that fails leaves what there is: results of an earlier validation must
 *  not be taken for its own. */
static char *const *start_trial(void *context, size_t index)
{
    struct trials *trials = context;

    remove_trial(&trials->trials[index]);
    return trials->trials[index].arguments;
}

/** Takes the first line of what a failed process said. */
static char *describe_failure(int wait_status, const char *said)
{
    static const char front[] = "hvsim: ";
    char *text = NULL;

    if (strncmp(said, front, strlen(front)) == 0)
        said += strlen(front);
    if (WIFSIGNALED(wait_status))
        CHECK(asprintf(&text, "killed by signal %d", WTERMSIG(wait_status)) >=
              0);
    else if (*said == '\0')
        CHECK(asprintf(&text, "exit code %d", WEXITSTATUS(wait_status)) >= 0);
    else
        text = strndup(said, strcspn(said, "\n"));
    CHECK(text);
    return text;
}

static void end_trial(void *context, size_t index, int wait_status,
                      const char *said)
{
    struct trials *trials = context;
    struct trial *trial = &trials->trials[index];

    trial->is_killed = WIFSIGNALED(wait_status);
    trial->exit_code = trial->is_killed ? -1 : WEXITSTATUS(wait_status);
    if (trial->exit_code != 0)
        trial->message = describe_failure(wait_status, said);
}

static void show_progress(void *context, size_t ended, size_t running)
{
    struct trials *trials = context;
    char line[80];

    snprintf(line, sizeof(line), "%zu of %zu runs done, %zu running", ended,
             trials->count, running);
    progress_show(&trials->progress, line);
}

static enum sim_status run_trials(struct trials *trials,
                                  const struct cli_validate_request *request,
                                  struct sim_error *error)
{
    bool shown = !request->quiet && progress_is_possible(stderr);
    const struct farm farm = {
        .count = trials->count,
        .at_once = request->jobs,
        .stop = cli_stop_catch(),
        .tick_ms = shown ? TICK_MS : -1,
        .context = trials,
        .start = start_trial,
        .end = end_trial,
        .tick = show_progress,
    };
    enum sim_status status;

    progress_start(&trials->progress, stderr, shown, 0);
    status = farm_run(&farm, error);
    progress_clear(&trials->progress);
    return status;
}

/* Afterwards */

static void skip_row(struct validate_row *row, const char *why)
{
    for (size_t i = 0; i < row->about->check_count; i++)
        validate_not_measured(&row->checks[i], why);
}

static void measure_row(struct validate_row *row, struct measure *measure)
{
    struct sim_error error;

    for (size_t i = 0; i < row->about->check_count; i++) {
        struct validate_check *check = &row->checks[i];
        double value;

        if (measure_evaluate(measure, check->about->measure, &value, &error) ==
            SIM_OK)
            validate_measured(row, check, value);
        else
            validate_not_measured(check, error.message);
    }
}

/** The first run that has failed though it may not, or NULL. */
static const struct trial *find_failed(const struct trial *trials, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (trials[i].is_killed ||
            (trials[i].exit_code != 0 && !trials[i].about->may_fail))
            return &trials[i];
    }
    return NULL;
}

/** `trials` are the row's. */
static void finish_row(struct validate_row *row, const struct trial *trials)
{
    const struct trial *failed = find_failed(trials, run_count(row));
    struct measure_run runs[MEASURE_RUNS_MAX] = {0};
    struct measure *measure;
    struct sim_error error;
    char *why;

    if (failed) {
        CHECK(asprintf(&why, "run %s: %s", failed->about->name,
                       failed->message) >= 0);
        skip_row(row, why);
        free(why);
        return;
    }
    for (size_t i = 0; i < run_count(row); i++)
        runs[i] = (struct measure_run){
            .name = trials[i].about->name,
            .path = access(trials[i].path, F_OK) == 0 ? trials[i].path : NULL,
            .exit_code = trials[i].exit_code,
            .message = trials[i].message,
        };
    if (measure_open(&measure, runs, run_count(row), &error) == SIM_OK) {
        measure_row(row, measure);
        measure_close(measure);
    } else {
        skip_row(row, error.message);
    }
}

static void finish_rows(struct validation *validation,
                        const struct trials *trials)
{
    const struct trial *next = trials->trials;

    for (size_t i = 0; i < validation->row_count; i++) {
        finish_row(&validation->rows[i], next);
        next += run_count(&validation->rows[i]);
    }
}

static void free_trials(struct trials *trials)
{
    for (size_t i = 0; i < trials->count; i++) {
        struct trial *trial = &trials->trials[i];

        for (size_t j = 0; trial->arguments[j]; j++)
            free(trial->arguments[j]);
        free(trial->arguments);
        free(trial->path);
        free(trial->message);
    }
    free(trials->trials);
}

/** A folder for results that nobody keeps. NULL and a message if there can be
 *  none. The caller frees it. */
static char *make_folder(struct sim_error *error)
{
    const char *where = getenv("TMPDIR");
    char *folder;

    if (asprintf(&folder, "%s/hvsim-validate-XXXXXX",
                 where && *where ? where : "/tmp") < 0) {
        sim_fail(error, SIM_NO_MEMORY, "no memory for the name of a folder");
        return NULL;
    }
    if (mkdtemp(folder))
        return folder;
    sim_fail(error, SIM_NO_OUTPUT, "%s: cannot be created: %s", folder,
             strerror(errno));
    free(folder);
    return NULL;
}

static void remove_results(const struct trials *trials)
{
    for (size_t i = 0; i < trials->count; i++)
        remove_trial(&trials->trials[i]);
    rmdir(trials->folder);
}

enum sim_status cli_validate_runs(struct validation *validation,
                                  const struct cli_validate_request *request,
                                  struct sim_error *error)
{
    struct trials trials = {.folder = request->folder};
    char *temporary = NULL;
    enum sim_status status;

    if (request->folder) {
        if (mkdir(request->folder, 0777) < 0 && errno != EEXIST)
            return sim_fail(error, SIM_NO_OUTPUT, "%s: cannot be created: %s",
                            request->folder, strerror(errno));
    } else {
        temporary = make_folder(error);
        if (!temporary)
            return error->status;
        trials.folder = temporary;
    }
    plan_trials(&trials, validation);
    status = run_trials(&trials, request, error);
    if (status == SIM_OK)
        finish_rows(validation, &trials);
    if (temporary)
        remove_results(&trials);
    free_trials(&trials);
    free(temporary);
    return status;
}
