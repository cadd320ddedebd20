/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands about runs: run, summary, export, console, version. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cpu/engine.h"
#include "sim/cli/cli_private.h"
#include "sim/cli/progress.h"
#include "sim/machine/cost_model.h"
#include "sim/machine/machine.h"
#include "sim/results/export.h"
#include "sim/results/results.h"
#include "sim/results/summary.h"
#include "sim/scenario/units.h"
#include "sim/text/text.h"

#define MILLISECOND_NS UINT64_C(1000000)

/** One `hvsim run` on its way. */
struct run {
    struct scenario *scenario; /* owned */
    struct results *results;   /* owned */
    const char *path;          /* of the results; borrowed */
    char default_path[SCENARIO_NAME_BYTES_MAX + sizeof ".db"];
    struct progress progress;
    struct cli_live *live; /* owned; NULL: nobody is at a console */
    FILE *text;            /* for people: where a console does not go */
    const volatile sig_atomic_t *stop;
    bool quiet;
};

static void show_progress(void *context, uint64_t sim_ns)
{
    struct run *run = context;

    progress_update(&run->progress, sim_ns);
}

/** What the run's prices are: of the models, only the table has a profile. */
static const char *name_prices(const struct scenario *scenario)
{
    if (strcmp(scenario->hypervisor.timing, "table") == 0)
        return scenario->host.profile;
    return scenario->hypervisor.timing;
}

static enum sim_status describe_run(const struct run *run,
                                    struct sim_error *error)
{
    const struct scenario *scenario = run->scenario;
    char *yaml = scenario_resolved_yaml(scenario);
    char engine[64];
    enum sim_status status;

    if (!yaml)
        return sim_fail(error, SIM_NO_MEMORY, "out of memory");
    engine_version(engine, sizeof engine);
    status = results_put_run(
        run->results,
        &(struct results_run){.name = scenario->name,
                              .scenario_yaml = yaml,
                              .seed = scenario->seed,
                              .version = HVSIM_VERSION,
                              .engine_version = engine,
                              .profile = name_prices(scenario),
                              .clock = {scenario->host.frequency_hz}},
        error);
    free(yaml);
    return status;
}

/** Whether what a run has recorded is worth keeping when it ends like this. */
static bool is_complete(enum sim_status status)
{
    return status == SIM_OK || status == SIM_RUN_FAILED ||
           status == SIM_INTERRUPTED;
}

static enum sim_status finish_results(struct run *run,
                                      const struct machine *machine,
                                      enum sim_status status,
                                      struct sim_error *error)
{
    struct results_end end = {
        .sim_ns = machine_now_ns(machine),
        .host_ns = progress_host_ns(&run->progress),
        .trace_hash = machine_trace_hash(machine),
    };
    struct sim_error finish_error;
    enum sim_status finished =
        results_finish(run->results, &end, &finish_error);

    run->results = NULL;
    if (finished == SIM_OK)
        return status;
    *error = finish_error;
    return finished;
}

static void describe_interruption(const struct run *run, uint64_t now_ns,
                                  struct sim_error *error)
{
    char now[UNITS_TEXT_BYTES];
    char end[UNITS_TEXT_BYTES];

    if (now_ns >= 10 * MILLISECOND_NS)
        now_ns -= now_ns % MILLISECOND_NS; /* where it stopped is chance */
    units_print(UNITS_DURATION, now_ns, now);
    units_print(UNITS_DURATION, run->scenario->duration_ns, end);
    sim_fail(error, SIM_INTERRUPTED,
             "interrupted at %s of %s; what was simulated until then is in %s",
             now, end, run->path);
}

/** Whoever has typed in vain should know. */
static void note_unread(const struct machine *machine)
{
    const char *vm;
    size_t bytes;

    for (uint32_t i = 0; (bytes = machine_unread(machine, i, &vm)) != SIZE_MAX;
         i++) {
        if (bytes > 0)
            fprintf(stderr,
                    "note: VM \"%s\": its guest has not read the last %zu "
                    "byte%s typed at its console\n",
                    vm, bytes, bytes == 1 ? "" : "s");
    }
}

static enum sim_status run_machine(struct run *run, struct machine *machine,
                                   struct sim_error *error)
{
    struct machine_run_options options = {
        .stop = run->stop,
        .progress = show_progress,
        .progress_context = run,
        .console = cli_live_console(run->live),
    };
    enum sim_status status = cli_live_begin(run->live, error);

    if (status == SIM_OK)
        status = machine_run(machine, &options, error);
    cli_live_end(run->live);
    progress_clear(&run->progress);
    return status;
}

static enum sim_status simulate(struct run *run, struct sim_error *error)
{
    struct machine *machine;
    enum sim_status status = describe_run(run, error);

    if (status != SIM_OK)
        return status;
    progress_start(&run->progress, stderr,
                   !run->quiet && !run->live && progress_is_possible(stderr),
                   run->scenario->duration_ns);
    status = machine_create(&machine, run->scenario, run->results, error);
    if (status != SIM_OK)
        return status;
    status = run_machine(run, machine, error);
    if (status == SIM_INTERRUPTED)
        describe_interruption(run, machine_now_ns(machine), error);
    else if (is_complete(status) && !run->quiet)
        note_unread(machine);
    if (is_complete(status))
        status = finish_results(run, machine, status, error);
    machine_free(machine);
    return status;
}

/** Figures are as good as the prices that they rest on. */
static void print_basis(const struct scenario *scenario, FILE *out)
{
    const struct cost_profile *profile =
        cost_profile_find(name_prices(scenario));

    if (profile)
        fprintf(out,
                "Prices: %u of %u are estimates; hvsim explain %s lists them\n",
                cost_profile_estimates(profile), COST_KIND_COUNT,
                profile->name);
}

static enum sim_status print_tables(const char *path, FILE *out,
                                    struct sim_error *error)
{
    sqlite3 *db;
    enum sim_status status = results_open(&db, path, error);

    if (status != SIM_OK)
        return status;
    status = summary_print(out, db, summary_width(out), error);
    sqlite3_close(db);
    return status;
}

static enum sim_status print_summary(const struct run *run,
                                     struct sim_error *error)
{
    enum sim_status status = print_tables(run->path, run->text, error);

    fprintf(run->text, "\n");
    print_basis(run->scenario, run->text);
    fprintf(run->text, "Results: ");
    text_print(run->text, run->path);
    fprintf(run->text, "\n");
    return status;
}

/** Reports `error`, then the VMs that failed besides. */
static void report_failures(sqlite3 *db, const struct sim_error *error)
{
    sqlite3_stmt *row = NULL;
    struct sim_error other;

    cli_report(error);
    if (sqlite3_prepare_v2(db, "SELECT vm, reason FROM failure", -1, &row,
                           NULL) != SQLITE_OK)
        return;
    while (sqlite3_step(row) == SQLITE_ROW) {
        sim_fail(&other, SIM_RUN_FAILED, "VM \"%s\": %s",
                 cli_text_column(row, 0), cli_text_column(row, 1));
        if (strcmp(other.message, error->message) != 0)
            cli_report(&other);
    }
    sqlite3_finalize(row);
}

/** `error` is the first failure of a run whose results have been written. All
 *  are reported here, after the summary, if the results can be read. */
static void report_all(const struct run *run, struct sim_error *error)
{
    struct sim_error ignored;
    sqlite3 *db;

    fflush(stdout);
    if (results_open(&db, run->path, &ignored) != SIM_OK)
        return;
    report_failures(db, error);
    sqlite3_close(db);
    error->message[0] = '\0';
}

/** The summary of a run that failed a check is shown too; its failure is what
 *  counts. */
static enum sim_status summarise(const struct run *run, enum sim_status status,
                                 struct sim_error *error)
{
    struct sim_error summary_error = {0};

    if (run->quiet || !is_complete(status))
        return status;
    if (print_summary(run, &summary_error) != SIM_OK && status == SIM_OK) {
        *error = summary_error;
        return summary_error.status;
    }
    return status;
}

static void name_results(const struct cli_invocation *invocation,
                         struct run *run)
{
    snprintf(run->default_path, sizeof run->default_path, "%s.db",
             run->scenario->name);
    run->path = run->default_path;
    cli_given(invocation, CLI_OUTPUT, &run->path);
}

/** --force is about old results, not about what one has written oneself. */
static enum sim_status spare_scenario(const char *scenario, const char *output,
                                      struct sim_error *error)
{
    struct stat from;
    struct stat to;

    if (stat(scenario, &from) == 0 && stat(output, &to) == 0 &&
        from.st_dev == to.st_dev && from.st_ino == to.st_ino)
        return sim_fail(error, SIM_BAD_USAGE,
                        "run: %s is the scenario itself; expected another "
                        "file for the results",
                        output);
    return SIM_OK;
}

static enum sim_status check_output(const char *scenario, const char *output,
                                    struct sim_error *error)
{
    /* A database is not written from its beginning to its end. */
    if (strcmp(output, "-") == 0)
        return sim_fail(error, SIM_BAD_USAGE,
                        "run: results cannot go to standard output; expected "
                        "a file, such as ./- for one of that name");
    return spare_scenario(scenario, output, error);
}

enum sim_status cli_run(const struct cli_invocation *invocation,
                        struct sim_error *error)
{
    struct run run = {.quiet = cli_given(invocation, CLI_QUIET, NULL)};
    enum sim_status status = cli_read_scenario(
        invocation, invocation->operands[0], &run.scenario, error);

    if (status != SIM_OK)
        return status;
    run.stop = cli_stop_catch();
    name_results(invocation, &run);
    status = check_output(invocation->operands[0], run.path, error);
    if (status == SIM_OK)
        status = cli_live_create(&run.live, invocation, run.scenario, error);
    run.text = run.live ? stderr : stdout;
    if (status == SIM_OK)
        status = results_create(&run.results, run.path,
                                cli_given(invocation, CLI_FORCE, NULL), error);
    if (status == SIM_OK)
        status = simulate(&run, error);
    results_abandon(run.results);
    status = summarise(&run, status, error);
    if (status == SIM_RUN_FAILED)
        report_all(&run, error);
    free(run.live);
    scenario_free(run.scenario);
    return status;
}

enum sim_status cli_summary(const struct cli_invocation *invocation,
                            struct sim_error *error)
{
    return print_tables(invocation->operands[0], stdout, error);
}

enum sim_status cli_export(const struct cli_invocation *invocation,
                           struct sim_error *error)
{
    const struct export_format *format;
    const struct results_view *view;
    const char *name = "csv";
    const char *view_name = "perf";
    const char *to = NULL;
    enum sim_status status;

    cli_given(invocation, CLI_FORMAT, &name);
    cli_given(invocation, CLI_VIEW, &view_name);
    cli_given(invocation, CLI_OUTPUT, &to);
    if (to && strcmp(to, "-") == 0)
        to = NULL;
    status = export_find_format(&format, name, error);
    if (status == SIM_OK)
        status = export_find_view(&view, view_name, error);
    if (status != SIM_OK)
        return status;
    return export_file(format, view, invocation->operands[0], to,
                       cli_given(invocation, CLI_FORCE, NULL), error);
}

enum sim_status cli_version(const struct cli_invocation *invocation,
                            struct sim_error *error)
{
    char engine[64];

    (void)invocation;
    (void)error;
    engine_version(engine, sizeof engine);
    printf("hvsim %s (%s)\n", HVSIM_VERSION, engine);
    return SIM_OK;
}
