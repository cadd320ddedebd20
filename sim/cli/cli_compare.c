/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command compare. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/cli/cli_compare_private.h"
#include "sim/cli/progress.h"
#include "sim/compare/compare_files.h"
#include "sim/core/check.h"
#include "sim/results/results_file.h"
#include "sim/results/summary.h"
#include "sim/scenario/document.h"
#include "sim/scenario/suggest.h"
#include "sim/scenario/units.h"
#include "sim/text/text.h"

#define JOBS_MAX 4096

enum format {
    FORMAT_TEXT,
    FORMAT_CSV,
    FORMAT_JSON,
    FORMAT_COUNT,
};

static const char *const formats[FORMAT_COUNT] = {
    [FORMAT_TEXT] = "text",
    [FORMAT_CSV] = "csv",
    [FORMAT_JSON] = "json",
};

/* The command line */

static enum sim_status read_format(const struct cli_invocation *invocation,
                                   enum format *format, struct sim_error *error)
{
    const char *name = formats[FORMAT_TEXT];
    char quoted[DOCUMENT_QUOTE_BYTES];

    cli_given(invocation, CLI_FORMAT, &name);
    for (*format = 0; *format < FORMAT_COUNT; (*format)++)
        if (strcmp(formats[*format], name) == 0)
            return SIM_OK;
    return sim_fail(error, SIM_BAD_USAGE,
                    "compare: --format %s: expected text, csv or json",
                    document_quote(name, quoted));
}

/** A number of at least 1; `*number` stays if it is not given. */
static enum sim_status read_number(const struct cli_invocation *invocation,
                                   enum cli_option_id id, const char *name,
                                   uint64_t most, uint64_t *number,
                                   struct sim_error *error)
{
    const char *text;
    char quoted[DOCUMENT_QUOTE_BYTES];

    if (!cli_given(invocation, id, &text))
        return SIM_OK;
    if (units_parse(UNITS_PLAIN, text, number) == UNITS_OK && *number >= 1 &&
        *number <= most)
        return SIM_OK;
    return sim_fail(error, SIM_BAD_USAGE,
                    "compare: --%s %s: expected a number from 1 to %llu", name,
                    document_quote(text, quoted), (unsigned long long)most);
}

static enum sim_status read_metrics(const struct cli_invocation *invocation,
                                    struct compare_selection *selection,
                                    struct sim_error *error)
{
    enum sim_status status = SIM_OK;

    for (size_t i = 0; i < invocation->setting_count && status == SIM_OK; i++)
        if (invocation->settings[i].id == CLI_METRIC)
            status = compare_metric_add(selection,
                                        invocation->settings[i].value, error);
    if (status == SIM_OK && cli_given(invocation, CLI_ONLY, NULL) &&
        !cli_given(invocation, CLI_METRIC, NULL))
        return sim_fail(error, SIM_BAD_USAGE,
                        "compare: --only leaves nothing to be compared; "
                        "expected --metric too");
    return status;
}

static enum sim_status read_vary(const struct cli_invocation *invocation,
                                 struct compare_vary *vary,
                                 struct sim_error *error)
{
    enum sim_status status = SIM_OK;

    for (size_t i = 0; i < invocation->setting_count && status == SIM_OK; i++)
        if (invocation->settings[i].id == CLI_VARY)
            status =
                compare_vary_add(vary, invocation->settings[i].value, error);
    return status;
}

static bool is_label(const struct compare_variant *variant, const char *text)
{
    if (strcmp(variant->label, text) == 0)
        return true;
    for (size_t i = 0; i < variant->run_count; i++)
        if (strcmp(variant->runs[i].file, text) == 0)
            return true;
    return false;
}

enum sim_status cli_compare_baseline(const struct cli_invocation *invocation,
                                     struct comparison *comparison,
                                     struct sim_error *error)
{
    struct suggestion near = {0};
    char quoted[DOCUMENT_QUOTE_BYTES];
    const char *text;
    uint64_t number;

    if (!cli_given(invocation, CLI_BASELINE, &text))
        return SIM_OK;
    for (size_t i = 0; i < comparison->variant_count; i++) {
        if (is_label(&comparison->variants[i], text)) {
            comparison->baseline = i;
            return SIM_OK;
        }
        suggest_offer(&near, text, comparison->variants[i].label);
    }
    if (units_parse(UNITS_PLAIN, text, &number) == UNITS_OK && number >= 1 &&
        number <= comparison->variant_count) {
        comparison->baseline = (size_t)number - 1;
        return SIM_OK;
    }
    return sim_fail(error, SIM_BAD_USAGE,
                    "compare: --baseline %s: expected a number from 1 to %zu, "
                    "or a label%s%s%s",
                    document_quote(text, quoted), comparison->variant_count,
                    near.word ? "; did you mean '" : "",
                    near.word ? near.word : "", near.word ? "'?" : "");
}

/* Getting a comparison */

static size_t online_processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);

    if (count < 1)
        return 1;
    return count > JOBS_MAX ? JOBS_MAX : (size_t)count;
}

static enum sim_status compare_variants(const struct cli_invocation *invocation,
                                        struct compare_selection *selection,
                                        struct comparison **out,
                                        struct sim_error *error)
{
    struct compare_vary *vary = compare_vary_create();
    struct cli_compare_request request = {
        .invocation = invocation,
        .file = invocation->operands[0],
        .vary = vary,
        .seed_count = 1,
        .again = cli_given(invocation, CLI_AGAIN, NULL),
        .quiet = cli_given(invocation, CLI_QUIET, NULL),
    };
    uint64_t jobs = online_processors();
    enum sim_status status = read_vary(invocation, vary, error);

    if (status == SIM_OK)
        status = read_number(invocation, CLI_SEEDS, "seeds",
                             CLI_COMPARE_RUNS_MAX, &request.seed_count, error);
    if (status == SIM_OK)
        status =
            read_number(invocation, CLI_JOBS, "jobs", JOBS_MAX, &jobs, error);
    request.jobs = jobs;
    if (status == SIM_OK && cli_given(invocation, CLI_RUNS, &request.folder) &&
        *request.folder == '\0')
        status = sim_fail(error, SIM_BAD_USAGE,
                          "compare: --runs: expected the name of a folder");
    if (status == SIM_OK)
        status = cli_compare_runs(out, &request, selection, error);
    compare_vary_free(vary);
    return status;
}

/** What only makes sense with a scenario. */
static enum sim_status
refuse_scenario_options(const struct cli_invocation *invocation,
                        struct sim_error *error)
{
    static const struct {
        enum cli_option_id id;
        const char *name;
    } options[] = {
        {CLI_VARY, "vary"},   {CLI_SEEDS, "seeds"}, {CLI_SET, "set"},
        {CLI_SEED, "seed"},   {CLI_JOBS, "jobs"},   {CLI_RUNS, "runs"},
        {CLI_AGAIN, "again"},
    };
    char quoted[DOCUMENT_QUOTE_BYTES];

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (cli_given(invocation, options[i].id, NULL))
            return sim_fail(error, SIM_BAD_USAGE,
                            "compare: --%s is for a scenario, but %s is a "
                            "result file",
                            options[i].name,
                            document_quote(invocation->operands[0], quoted));
    return SIM_OK;
}

static enum sim_status get_comparison(const struct cli_invocation *invocation,
                                      struct compare_selection *selection,
                                      struct comparison **out,
                                      struct sim_error *error)
{
    char quoted[DOCUMENT_QUOTE_BYTES];

    if (compare_files_is_database(invocation->operands[0])) {
        if (refuse_scenario_options(invocation, error) != SIM_OK)
            return error->status;
        if (compare_files_read(out, invocation->operands,
                               invocation->operand_count, selection,
                               error) != SIM_OK)
            return error->status;
        return cli_compare_baseline(invocation, *out, error);
    }
    if (invocation->operand_count > 1)
        return sim_fail(error, SIM_BAD_USAGE,
                        "compare: %s is not a result file; expected result "
                        "files, or one scenario",
                        document_quote(invocation->operands[0], quoted));
    if (strcmp(invocation->operands[0], "-") == 0)
        return sim_fail(error, SIM_BAD_USAGE,
                        "compare: standard input can be read once, but each "
                        "run reads the scenario; expected a file");
    return compare_variants(invocation, selection, out, error);
}

/* Writing it */

static bool wants_colours(void)
{
    const char *refused = getenv("NO_COLOR");

    return progress_is_possible(stdout) &&
           (refused == NULL || *refused == '\0');
}

static void print(const struct comparison *comparison, enum format format)
{
    switch (format) {
    case FORMAT_TEXT:
        compare_print_text(comparison, stdout,
                           isatty(STDOUT_FILENO) ? summary_width(stdout) : 0,
                           wants_colours());
        break;
    case FORMAT_CSV:
        compare_print_csv(comparison, stdout);
        break;
    case FORMAT_JSON:
    case FORMAT_COUNT:
        compare_print_json(comparison, stdout);
        break;
    }
}

/** Whoever asked for a metric in vain should know. */
static void note_unmet(const struct compare_selection *selection)
{
    const char *text;
    size_t at = 0;

    while ((text = compare_metric_unmet(selection, &at)) != NULL) {
        fputs("note: no run has a metric ", stderr);
        text_print(stderr, text);
        fputc('\n', stderr);
    }
}

static enum sim_status count_failures(const struct comparison *comparison,
                                      struct sim_error *error)
{
    size_t failures = 0;
    size_t runs = 0;

    for (size_t i = 0; i < comparison->variant_count; i++) {
        failures += compare_failures(&comparison->variants[i]);
        runs += comparison->variants[i].run_count;
    }
    if (failures == 0)
        return SIM_OK;
    return sim_fail(error, SIM_RUN_FAILED, "%zu of %zu runs failed", failures,
                    runs);
}

static enum sim_status put_out(const struct cli_invocation *invocation,
                               struct comparison *comparison,
                               enum format format, struct sim_error *error)
{
    const char *output = NULL;
    enum sim_status status = SIM_OK;

    compare_summarise(comparison);
    /* First: whoever reads the table from a pipe may stop reading. */
    if (cli_given(invocation, CLI_OUTPUT, &output))
        status = compare_store(comparison, output,
                               cli_given(invocation, CLI_FORCE, NULL), error);
    print(comparison, format);
    if (status == SIM_OK)
        status = count_failures(comparison, error);
    return status;
}

/** Before hours of runs: whether OUT.db can be had. */
static enum sim_status check_output(const struct cli_invocation *invocation,
                                    struct sim_error *error)
{
    struct results_file file;
    struct stat from;
    struct stat to;
    const char *output;

    if (!cli_given(invocation, CLI_OUTPUT, &output))
        return SIM_OK;
    if (strcmp(output, "-") == 0)
        return sim_fail(error, SIM_BAD_USAGE,
                        "compare: a database cannot go to standard output; "
                        "expected a file, or --format csv or json");
    for (size_t i = 0; i < invocation->operand_count; i++)
        if (stat(output, &to) == 0 &&
            stat(invocation->operands[i], &from) == 0 &&
            from.st_dev == to.st_dev && from.st_ino == to.st_ino)
            return sim_fail(error, SIM_BAD_USAGE,
                            "compare: %s is compared itself; expected another "
                            "file for the comparison",
                            output);
    if (results_file_claim(&file, output,
                           cli_given(invocation, CLI_FORCE, NULL),
                           error) != SIM_OK)
        return error->status;
    results_file_discard(&file);
    return SIM_OK;
}

enum sim_status cli_compare(const struct cli_invocation *invocation,
                            struct sim_error *error)
{
    struct compare_selection *selection =
        compare_metric_select(!cli_given(invocation, CLI_ONLY, NULL));
    struct comparison *comparison = NULL;
    enum format format;
    enum sim_status status = read_format(invocation, &format, error);

    if (status == SIM_OK)
        status = read_metrics(invocation, selection, error);
    if (status == SIM_OK)
        status = check_output(invocation, error);
    if (status == SIM_OK)
        status = get_comparison(invocation, selection, &comparison, error);
    if (status == SIM_OK) {
        CHECK(comparison != NULL);
        note_unmet(selection);
        status = put_out(invocation, comparison, format, error);
    }
    compare_free(comparison);
    compare_metric_free(selection);
    return status;
}
