/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runs of a comparison. Each is `hvsim run` in a process of its own, whose
 * results go to a file beside their place, and are moved there when the run has
 * come to its end: a file in its place is complete. Its name says what it is
 * of, and what is in it says so again, with the versions and the guest
 * programs; what fits, and is newer than hvsim, is not run again.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpu/engine.h"
#include "sim/cli/cli_compare_private.h"
#include "sim/cli/farm.h"
#include "sim/cli/progress.h"
#include "sim/core/check.h"
#include "sim/machine/machine.h"
#include "sim/results/results.h"
#include "sim/scenario/document.h"
#include "sim/text/text.h"

#define TICK_MS 200
#define NS_PER_S UINT64_C(1000000000)

struct runs {
    struct cli_compare_plan plan;
    char *folder; /* owned */
    int folder_fd;
    size_t *waiting; /* owned; the trials to be run, in order */
    size_t waiting_count;
    char **arguments; /* owned; of the last one started */
    struct progress progress;
    uint64_t ended_ns; /* host time, when the last run ended */
};

/* The folder */

static char *in_folder(const struct runs *runs, const char *file,
                       const char *more)
{
    char *path = NULL;

    CHECK(asprintf(&path, "%s/%s%s", runs->folder, file, more) >= 0);
    return path;
}

/** One comparison at a time works in it. */
static enum sim_status open_folder(struct runs *runs, struct sim_error *error)
{
    const char *folder = runs->plan.request->folder;

    if (folder != NULL)
        CHECK((runs->folder = strdup(folder)) != NULL);
    else
        CHECK(asprintf(&runs->folder, "%s.runs", runs->plan.comparison->name) >=
              0);
    if (mkdir(runs->folder, 0777) != 0 && errno != EEXIST)
        return sim_fail(error, SIM_NO_OUTPUT, "%s: cannot be made: %s",
                        runs->folder, strerror(errno));
    runs->folder_fd = open(runs->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (runs->folder_fd < 0)
        return sim_fail(error, SIM_NO_OUTPUT, "%s: cannot be used: %s",
                        runs->folder, strerror(errno));
    if (flock(runs->folder_fd, LOCK_EX | LOCK_NB) != 0)
        return sim_fail(error, SIM_NO_OUTPUT,
                        "%s: another hvsim compare works there; expected "
                        "another folder, by --runs",
                        runs->folder);
    return SIM_OK;
}

/* What is there */

static bool has_text(sqlite3_stmt *row, int column, const char *text)
{
    const char *found = (const char *)sqlite3_column_text(row, column);

    return found != NULL && strcmp(found, text) == 0;
}

/** Whether the results are of that scenario, to its end, by this hvsim. */
static bool is_of_trial(sqlite3 *db, const struct cli_compare_trial *trial)
{
    sqlite3_stmt *row = NULL;
    char engine[64];
    bool is_it = false;

    engine_version(engine, sizeof(engine));
    if (sqlite3_prepare_v2(db,
                           "SELECT scenario_yaml, version, engine_version"
                           " FROM run WHERE trace_hash IS NOT NULL",
                           -1, &row, NULL) == SQLITE_OK &&
        sqlite3_step(row) == SQLITE_ROW)
        is_it = has_text(row, 0, trial->yaml) &&
                has_text(row, 1, HVSIM_VERSION) && has_text(row, 2, engine);
    sqlite3_finalize(row);
    return is_it;
}

/** Whether results made at that time are by the program that is there now: two
 *  builds of one version may differ. Its contents cannot be newer than the
 *  status of its file, however it got there. */
static bool is_of_program(struct timespec made_at)
{
    struct stat program;

    return stat("/proc/self/exe", &program) == 0 &&
           (program.st_ctim.tv_sec < made_at.tv_sec ||
            (program.st_ctim.tv_sec == made_at.tv_sec &&
             program.st_ctim.tv_nsec < made_at.tv_nsec));
}

static bool is_there(const struct runs *runs,
                     const struct cli_compare_trial *trial)
{
    char *path = in_folder(runs, trial->file, "");
    struct sim_error ignored;
    struct stat about;
    sqlite3 *db = NULL;
    bool there = stat(path, &about) == 0 && is_of_program(about.st_mtim) &&
                 results_open(&db, path, &ignored) == SIM_OK;

    there = there && is_of_trial(db, trial) &&
            machine_images_match(runs->plan.scenarios[trial->variant], db,
                                 about.st_mtim);
    sqlite3_close(db);
    free(path);
    return there;
}

static void list_waiting(struct runs *runs)
{
    const struct cli_compare_plan *plan = &runs->plan;

    runs->waiting = calloc(plan->count, sizeof(*runs->waiting));
    CHECK(runs->waiting != NULL);
    for (size_t i = 0; i < plan->count; i++)
        if (plan->request->again || !is_there(runs, &plan->trials[i]))
            runs->waiting[runs->waiting_count++] = i;
}

/** All may be there in a folder that nobody is to write to. */
static enum sim_status check_folder(const struct runs *runs,
                                    struct sim_error *error)
{
    if (runs->waiting_count == 0 || access(runs->folder, W_OK | X_OK) == 0)
        return SIM_OK;
    return sim_fail(error, SIM_NO_OUTPUT, "%s: cannot be written to: %s",
                    runs->folder, strerror(errno));
}

/* Running */

/** What a run that has not come to its end leaves: SQLite's journal too. */
static void remove_partial(const char *partial)
{
    char *journal = NULL;

    CHECK(asprintf(&journal, "%s-journal", partial) >= 0);
    unlink(journal);
    unlink(partial);
    free(journal);
}

static char *const *start_run(void *context, size_t index)
{
    struct runs *runs = context;
    const struct cli_compare_trial *trial =
        &runs->plan.trials[runs->waiting[index]];
    char *partial = in_folder(runs, trial->file, ".partial");

    remove_partial(partial); /* of a comparison that was killed */
    free(runs->arguments);
    runs->arguments = cli_compare_plan_arguments(&runs->plan, trial, partial);
    free(partial);
    return runs->arguments;
}

/** Whether the results of a run that failed say so themselves. */
static bool has_failure(const char *path)
{
    struct sim_error ignored;
    sqlite3_stmt *row = NULL;
    sqlite3 *db;
    bool found = false;

    if (results_open(&db, path, &ignored) != SIM_OK)
        return false;
    if (sqlite3_prepare_v2(db, "SELECT 1 FROM failure", -1, &row, NULL) ==
        SQLITE_OK)
        found = sqlite3_step(row) == SQLITE_ROW;
    sqlite3_finalize(row);
    sqlite3_close(db);
    return found;
}

/** The first line of what a process said, or else how it ended. */
static char *describe_end(int wait_status, const char *said)
{
    static const char front[] = "hvsim: ";
    char *reason = NULL;

    if (strncmp(said, front, strlen(front)) == 0)
        said += strlen(front);
    if (WIFSIGNALED(wait_status))
        CHECK(asprintf(&reason, "killed by signal %d (%s)",
                       WTERMSIG(wait_status),
                       strsignal(WTERMSIG(wait_status))) >= 0);
    else if (*said != '\0')
        CHECK((reason = strndup(said, strcspn(said, "\n"))) != NULL);
    else
        CHECK(asprintf(&reason, "exit code %d", WEXITSTATUS(wait_status)) >= 0);
    return reason;
}

static void end_run(void *context, size_t index, int wait_status,
                    const char *said)
{
    struct runs *runs = context;
    struct cli_compare_trial *trial = &runs->plan.trials[runs->waiting[index]];
    char *partial = in_folder(runs, trial->file, ".partial");
    char *path = in_folder(runs, trial->file, "");
    int code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
    bool keep =
        code == sim_status_exit_code(SIM_OK) ||
        (code == sim_status_exit_code(SIM_RUN_FAILED) && has_failure(partial));

    runs->ended_ns = progress_host_ns(&runs->progress);
    if (keep && rename(partial, path) != 0)
        CHECK(asprintf(&trial->failure, "%s: %s", path, strerror(errno)) >= 0);
    else if (!keep)
        trial->failure = describe_end(wait_status, said);
    if (!keep)
        remove_partial(partial);
    free(partial);
    free(path);
}

/** From how long the runs took until the last that ended: what those that run
 *  now have taken is of what is left. 0: nobody knows. */
static uint64_t estimate_s(const struct runs *runs, size_t ended)
{
    size_t left = runs->waiting_count - ended;
    uint64_t since_ns = progress_host_ns(&runs->progress) - runs->ended_ns;
    uint64_t all_ns = ended > 0 ? runs->ended_ns / ended * left : 0;

    return all_ns > since_ns ? (all_ns - since_ns + NS_PER_S - 1) / NS_PER_S
                             : 0;
}

/** "12 of 40 runs done, 2 running, 26 to come, 95 s left" */
static void show_progress(void *context, size_t ended, size_t running)
{
    struct runs *runs = context;
    char line[PROGRESS_LINE_BYTES * 2];
    size_t there = runs->plan.count - runs->waiting_count;
    size_t left = runs->waiting_count - ended;
    uint64_t left_s = estimate_s(runs, ended);
    int length = snprintf(
        line, sizeof(line), "%zu of %zu runs done, %zu running, %zu to come",
        there + ended, runs->plan.count, running, left - running);

    if (left_s > 0)
        snprintf(&line[length], sizeof(line) - (size_t)length,
                 ", %" PRIu64 " s left", left_s);
    progress_show(&runs->progress, line);
}

static enum sim_status run_waiting(struct runs *runs, struct sim_error *error)
{
    bool shown = !runs->plan.request->quiet && progress_is_possible(stderr);
    const struct farm farm = {
        .count = runs->waiting_count,
        .at_once = runs->plan.request->jobs,
        .stop = cli_stop_catch(),
        .tick_ms = shown ? TICK_MS : -1,
        .context = runs,
        .start = start_run,
        .end = end_run,
        .tick = show_progress,
    };
    enum sim_status status;

    progress_start(&runs->progress, stderr, shown, 0);
    status = farm_run(&farm, error);
    progress_clear(&runs->progress);
    return status;
}

/* Afterwards */

static enum sim_status read_trial(struct runs *runs,
                                  const struct cli_compare_trial *trial,
                                  struct compare_selection *selection,
                                  struct sim_error *error)
{
    struct comparison *comparison = runs->plan.comparison;
    struct compare_run *run = compare_add_run(
        &comparison->variants[trial->variant], trial->seed, trial->file);
    enum sim_status status;
    char *path;
    sqlite3 *db;

    if (trial->failure != NULL) {
        CHECK((run->failure = strdup(trial->failure)) != NULL);
        return SIM_OK;
    }
    path = in_folder(runs, trial->file, "");
    status = results_open(&db, path, error);
    if (status == SIM_OK) {
        if (is_of_trial(db, trial))
            status = compare_read(comparison, run, selection, db, path, error);
        else
            CHECK((run->failure = strdup("the scenario's file has changed "
                                         "since it was read")) != NULL);
        sqlite3_close(db);
    }
    free(path);
    return status;
}

static enum sim_status read_trials(struct runs *runs,
                                   struct compare_selection *selection,
                                   struct sim_error *error)
{
    enum sim_status status = SIM_OK;

    for (size_t i = 0; i < runs->plan.count && status == SIM_OK; i++)
        status = read_trial(runs, &runs->plan.trials[i], selection, error);
    return status;
}

static enum sim_status describe_interruption(const struct runs *runs,
                                             struct sim_error *error)
{
    size_t complete = 0;

    for (size_t i = 0; i < runs->plan.count; i++)
        complete += is_there(runs, &runs->plan.trials[i]);
    return sim_fail(error, SIM_INTERRUPTED,
                    "interrupted: %zu of %zu runs are complete, in %s; the "
                    "same command%s runs the others",
                    complete, runs->plan.count, runs->folder,
                    runs->plan.request->again ? ", without --again," : "");
}

static void note_reuse(const struct runs *runs)
{
    size_t there = runs->plan.count - runs->waiting_count;

    if (there == 0 || runs->plan.request->quiet)
        return;
    fprintf(stderr, "note: %zu of %zu runs were there already, in ", there,
            runs->plan.count);
    text_print(stderr, runs->folder);
    fputc('\n', stderr);
}

enum sim_status cli_compare_runs(struct comparison **out,
                                 const struct cli_compare_request *request,
                                 struct compare_selection *selection,
                                 struct sim_error *error)
{
    struct runs runs = {.folder_fd = -1};
    enum sim_status status = cli_compare_plan_make(&runs.plan, request, error);

    *out = NULL;
    if (status == SIM_OK)
        status = open_folder(&runs, error);
    if (status == SIM_OK) {
        list_waiting(&runs);
        note_reuse(&runs);
        status = check_folder(&runs, error);
    }
    if (status == SIM_OK) {
        status = run_waiting(&runs, error);
        if (status == SIM_INTERRUPTED)
            describe_interruption(&runs, error);
    }
    if (status == SIM_OK)
        status = read_trials(&runs, selection, error);
    if (status == SIM_OK) {
        *out = runs.plan.comparison;
        runs.plan.comparison = NULL;
    }
    if (runs.folder_fd >= 0)
        close(runs.folder_fd);
    free(runs.arguments);
    free(runs.waiting);
    free(runs.folder);
    cli_compare_plan_free(&runs.plan);
    return status;
}
