/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a comparison is to run. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "sim/cli/cli_compare_private.h"
#include "sim/compare/compare_files.h"
#include "sim/core/check.h"
#include "sim/machine/machine.h"

#define SEED_BYTES 24

/** The settings of one variant, and the texts that they borrow. */
struct changes {
    struct cli_setting *settings; /* owned */
    size_t count;
    char *texts; /* owned */
};

/** In the order in which they apply: what is changed for all, then what is
 *  varied, then the seed, unless NULL. There is room for one more. */
static struct changes list_changes(const struct cli_compare_plan *plan,
                                   size_t variant, const char *seed)
{
    const struct cli_invocation *from = plan->request->invocation;
    const struct compare_variant *about = &plan->comparison->variants[variant];
    struct changes changes = {0};
    size_t bytes = 1;
    char *at;

    for (size_t i = 0; i < about->parameter_count; i++)
        bytes += strlen(about->parameters[i].path) +
                 strlen(about->parameters[i].value) + 2;
    changes.texts = at = malloc(bytes);
    changes.settings = calloc(from->setting_count + about->parameter_count + 2,
                              sizeof(*changes.settings));
    CHECK(at != NULL && changes.settings != NULL);
    for (size_t i = 0; i < from->setting_count; i++)
        if (from->settings[i].id == CLI_SET || from->settings[i].id == CLI_SEED)
            changes.settings[changes.count++] = from->settings[i];
    for (size_t i = 0; i < about->parameter_count; i++) {
        changes.settings[changes.count++] = (struct cli_setting){CLI_VARY, at};
        at += sprintf(at, "%s=%s", about->parameters[i].path,
                      about->parameters[i].value) +
              1;
    }
    if (seed != NULL)
        changes.settings[changes.count++] =
            (struct cli_setting){CLI_SEED, seed};
    return changes;
}

static void free_changes(struct changes *changes)
{
    free(changes->settings);
    free(changes->texts);
}

/** Says which variant a scenario is refused for; its place stays in front. */
static enum sim_status name_variant(const struct cli_compare_plan *plan,
                                    size_t variant, struct sim_error *error)
{
    char message[SIM_ERROR_BYTES_MAX];

    if (plan->comparison->variant_count == 1)
        return error->status;
    snprintf(message, sizeof(message), "%s", error->message);
    return sim_fail(error, error->status, "%.*s (variant %s)",
                    SIM_ERROR_BYTES_MAX / 2, message,
                    plan->comparison->variants[variant].label);
}

static enum sim_status read_scenario(const struct cli_compare_plan *plan,
                                     size_t variant, const char *seed,
                                     struct scenario **out,
                                     struct sim_error *error)
{
    struct changes changes = list_changes(plan, variant, seed);
    struct cli_invocation invocation = {
        .command = plan->request->invocation->command,
        .settings = changes.settings,
        .setting_count = changes.count,
    };
    enum sim_status status;

    /* Notes are printed by note(), once. */
    changes.settings[invocation.setting_count++] =
        (struct cli_setting){CLI_QUIET, NULL};
    status = cli_read_scenario(&invocation, plan->request->file, out, error);
    free_changes(&changes);
    return status == SIM_OK ? SIM_OK : name_variant(plan, variant, error);
}

static enum sim_status add_trial(struct cli_compare_plan *plan, size_t variant,
                                 const struct scenario *scenario,
                                 struct sim_error *error)
{
    struct cli_compare_trial *trial = &plan->trials[plan->count];
    char *without_seed;

    *trial = (struct cli_compare_trial){
        .variant = variant,
        .seed = scenario->seed,
        .yaml = scenario_resolved_yaml(scenario),
    };
    if (trial->yaml == NULL)
        return sim_fail(error, SIM_NO_MEMORY, "out of memory");
    plan->count++;
    without_seed = compare_files_without_seed(trial->yaml);
    CHECK(asprintf(&trial->file, "%016" PRIx64 "-seed%" PRIu64 ".db",
                   (uint64_t)XXH64(without_seed, strlen(without_seed), 0),
                   trial->seed) >= 0);
    free(without_seed);
    return SIM_OK;
}

/** The seeds after the first. */
static enum sim_status add_seeds(struct cli_compare_plan *plan, size_t variant,
                                 struct sim_error *error)
{
    uint64_t first = plan->scenarios[variant]->seed;
    enum sim_status status = SIM_OK;

    for (uint64_t i = 1; i < plan->request->seed_count && status == SIM_OK;
         i++) {
        struct scenario *scenario;
        char seed[SEED_BYTES];

        snprintf(seed, sizeof(seed), "%" PRIu64, first + i);
        status = read_scenario(plan, variant, seed, &scenario, error);
        if (status == SIM_OK)
            status = add_trial(plan, variant, scenario, error);
        scenario_free(scenario);
    }
    return status;
}

/** What there is to note of a variant, unless another had the same. */
static void note(const struct cli_compare_plan *plan, size_t variant)
{
    const char *notes = plan->scenarios[variant]->notes;

    if (notes == NULL || plan->request->quiet)
        return;
    for (size_t i = 0; i < variant; i++)
        if (plan->scenarios[i]->notes != NULL &&
            strcmp(plan->scenarios[i]->notes, notes) == 0)
            return;
    cli_print_notes(notes);
}

/** Two ways to write a value are one variant. */
static enum sim_status refuse_twin(const struct cli_compare_plan *plan,
                                   size_t variant, struct sim_error *error)
{
    const struct compare_variant *variants = plan->comparison->variants;
    size_t stride = plan->request->seed_count;

    for (size_t i = 0; i < variant; i++)
        if (strcmp(plan->trials[i * stride].yaml,
                   plan->trials[variant * stride].yaml) == 0)
            return sim_fail(error, SIM_BAD_USAGE,
                            "compare: --vary: the variants %s and %s are the "
                            "same scenario",
                            variants[i].label, variants[variant].label);
    return SIM_OK;
}

static enum sim_status add_variant(struct cli_compare_plan *plan,
                                   size_t variant, struct sim_error *error)
{
    struct scenario **scenario = &plan->scenarios[variant];
    enum sim_status status =
        read_scenario(plan, variant, NULL, scenario, error);

    if (status == SIM_OK && machine_images_check(*scenario, error) != SIM_OK)
        status = name_variant(plan, variant, error);
    if (status == SIM_OK)
        status = add_trial(plan, variant, *scenario, error);
    if (status == SIM_OK)
        status = add_seeds(plan, variant, error);
    if (status == SIM_OK)
        status = refuse_twin(plan, variant, error);
    return status;
}

enum sim_status cli_compare_plan_make(struct cli_compare_plan *plan,
                                      const struct cli_compare_request *request,
                                      struct sim_error *error)
{
    size_t variants = compare_vary_count(request->vary);
    enum sim_status status = SIM_OK;

    *plan = (struct cli_compare_plan){.request = request};
    if (request->seed_count > CLI_COMPARE_RUNS_MAX / variants)
        return sim_fail(error, SIM_BAD_USAGE,
                        "compare: %zu variants with %" PRIu64
                        " seeds are more than %d runs",
                        variants, request->seed_count, CLI_COMPARE_RUNS_MAX);
    plan->comparison = compare_create("");
    plan->scenarios = calloc(variants, sizeof(*plan->scenarios));
    plan->trials =
        calloc(variants * request->seed_count, sizeof(*plan->trials));
    CHECK(plan->scenarios != NULL && plan->trials != NULL);
    for (size_t i = 0; i < variants; i++)
        compare_vary_variant(request->vary, i, plan->comparison);
    status = cli_compare_baseline(request->invocation, plan->comparison, error);
    for (size_t i = 0; i < variants && status == SIM_OK; i++)
        status = add_variant(plan, i, error);
    for (size_t i = 0; i < variants && status == SIM_OK; i++)
        note(plan, i);
    if (status == SIM_OK)
        compare_rename(plan->comparison, plan->scenarios[0]->name);
    return status;
}

void cli_compare_plan_free(struct cli_compare_plan *plan)
{
    size_t variants =
        plan->scenarios != NULL ? compare_vary_count(plan->request->vary) : 0;

    for (size_t i = 0; i < variants; i++)
        scenario_free(plan->scenarios[i]);
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->trials[i].yaml);
        free(plan->trials[i].file);
        free(plan->trials[i].failure);
    }
    free(plan->scenarios);
    free(plan->trials);
    compare_free(plan->comparison);
}

/* Arguments */

/** The list and, behind it, what it points to. */
struct arguments {
    char **list;
    size_t count;
    char *end;
};

static void put_argument(struct arguments *arguments, const char *text)
{
    arguments->list[arguments->count++] = arguments->end;
    arguments->end = stpcpy(arguments->end, text) + 1;
}

char **cli_compare_plan_arguments(const struct cli_compare_plan *plan,
                                  const struct cli_compare_trial *trial,
                                  const char *output)
{
    char seed[SEED_BYTES];
    struct changes changes;
    struct arguments arguments = {0};
    size_t bytes = strlen(output) + strlen(plan->request->file) + 64;
    size_t most;

    snprintf(seed, sizeof(seed), "%" PRIu64, trial->seed);
    changes = list_changes(plan, trial->variant, seed);
    for (size_t i = 0; i < changes.count; i++)
        bytes += sizeof("--seed") + strlen(changes.settings[i].value) + 1;
    most = 2 * changes.count + 8;
    arguments.list = calloc(1, most * sizeof(char *) + bytes);
    CHECK(arguments.list != NULL);
    arguments.end = (char *)&arguments.list[most];
    put_argument(&arguments, "hvsim");
    put_argument(&arguments, "run");
    put_argument(&arguments, "--quiet");
    put_argument(&arguments, "--output");
    put_argument(&arguments, output);
    for (size_t i = 0; i < changes.count; i++) {
        bool is_seed = changes.settings[i].id == CLI_SEED;

        put_argument(&arguments, is_seed ? "--seed" : "--set");
        put_argument(&arguments, changes.settings[i].value);
    }
    put_argument(&arguments, "--");
    put_argument(&arguments, plan->request->file);
    free_changes(&changes);
    return arguments.list;
}
