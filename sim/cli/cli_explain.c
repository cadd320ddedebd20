/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command explain: whatever name somebody has met in a scenario or in
 * results. The texts are those of the tables that the program works by. */
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "hypervisor/sched.h"
#include "perfcounters/pc_counters.h"
#include "sim/cli/cli_private.h"
#include "sim/compare/compare.h"
#include "sim/machine/cost_model.h"
#include "sim/results/results_schema.h"
#include "sim/scenario/document.h"
#include "sim/scenario/scenario_explain.h"
#include "sim/text/text.h"

/** What is looked for, and what has come of it. */
struct search {
    const char *name;
    size_t found;
    struct suggestion near;
};

/** Case does not count. */
static bool is_wanted(struct search *search, const char *name)
{
    suggest_offer(&search->near, search->name, name);
    if (strcasecmp(search->name, name) != 0)
        return false;
    search->found++;
    return true;
}

static void print_help(const char *help)
{
    text_print_wrapped(stdout, help, 4);
}

/** A counter is explained for each object that has it. */
static void explain_counters(struct search *search)
{
    for (enum pc_object_id id = 0; id < PC_OBJECT_COUNT; id++) {
        const struct pc_object *object = pc_counters_object(id);

        for (uint16_t i = 0; i < object->counter_count; i++) {
            const struct pc_counter *counter = &object->counters[i];

            if (!is_wanted(search, counter->name))
                continue;
            printf("%s\\%s: in %s\n", object->name, counter->name,
                   counter->unit);
            print_help(counter->help);
        }
    }
}

static void explain_list(struct search *search,
                         const struct results_view *views, size_t count,
                         const char *whose)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_wanted(search, views[i].name))
            continue;
        printf("view %s%s: what a row is, and its columns\n", views[i].name,
               whose);
        print_help(views[i].help);
        print_help(views[i].columns);
    }
}

static void explain_views(struct search *search)
{
    size_t count;
    const struct results_view *views = results_schema_views(&count);

    explain_list(search, views, count, "");
    views = compare_views(&count);
    explain_list(search, views, count, " of a comparison");
}

static void explain_events(struct search *search)
{
    static const char *const texts[][2] = {
#define TRACE(id, name, help) {name, help},
#include "sim/core/trace_kinds.def"
#undef TRACE
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (!is_wanted(search, texts[i][0]))
            continue;
        printf("event %s: what happened, and what its detail is\n",
               texts[i][0]);
        print_help(texts[i][1]);
    }
}

static void print_price(const char *name, const struct cost_price *price)
{
    uint64_t hundredths =
        ((uint64_t)price->subcycles * 100 + SUBCYCLES_PER_CYCLE / 2) /
        SUBCYCLES_PER_CYCLE;

    printf("    %-22s%8" PRIu64 ".%02u  %-11s%s\n", name, hundredths / 100,
           (unsigned)(hundredths % 100), cost_basis_name(price->basis),
           price->source);
}

static const char *party_name(enum cost_party party)
{
    switch (party) {
    case COST_PARTY_GUEST:
        return "guest time";
    case COST_PARTY_HYPERVISOR:
        return "hypervisor time";
    case COST_PARTY_IDLE:
        return "idle time";
    }
    return "";
}

static void explain_costs(struct search *search)
{
    for (enum cost_kind kind = 0; kind < COST_KIND_COUNT; kind++) {
        const struct cost_profile *profile = NULL;

        if (!is_wanted(search, cost_kind_name(kind)))
            continue;
        printf("cost %s: %s; %s\n", cost_kind_name(kind), cost_kind_help(kind),
               party_name(cost_kind_party(kind)));
        while ((profile = cost_profile_next(profile)))
            print_price(profile->name, &profile->price[kind]);
    }
}

static void explain_profiles(struct search *search)
{
    const struct cost_profile *profile = NULL;

    while ((profile = cost_profile_next(profile))) {
        if (!is_wanted(search, profile->name))
            continue;
        printf("profile %s: %s\nPrices in cycles, how each was come by, and "
               "where from:\n",
               profile->name, profile->help);
        for (enum cost_kind kind = 0; kind < COST_KIND_COUNT; kind++)
            print_price(cost_kind_name(kind), &profile->price[kind]);
    }
}

static void explain_rules(struct search *search)
{
    for (unsigned i = 0; i < SCHED_RULE_COUNT; i++) {
        enum sched_rule rule = (enum sched_rule)i;

        if (!is_wanted(search, sched_rule_name(rule)))
            continue;
        printf("rule %s: what kept a VP that was ready from running\n",
               sched_rule_name(rule));
        print_help(sched_rule_help(rule));
    }
}

/* A result file is for `wait` alone, and so are the options. */
static enum sim_status check_wait(const struct cli_invocation *invocation,
                                  bool *is_wait, struct sim_error *error)
{
    const char *name = invocation->operands[0];
    bool wait = name && strcasecmp(name, "wait") == 0;
    bool file = invocation->operand_count == 2;
    char quoted[DOCUMENT_QUOTE_BYTES];

    *is_wait = wait && file;
    if (*is_wait)
        return SIM_OK;
    if (file)
        return sim_fail(error, SIM_BAD_USAGE,
                        "explain: a result file explains 'wait' alone, not %s",
                        document_quote(name, quoted));
    if (invocation->setting_count > 0)
        return sim_fail(error, SIM_BAD_USAGE,
                        "explain: --vm, --vp and --format are for "
                        "'hvsim explain wait OUT.db'");
    return SIM_OK;
}

enum sim_status cli_explain(const struct cli_invocation *invocation,
                            struct sim_error *error)
{
    struct search search = {.name = invocation->operands[0]};
    char quoted[DOCUMENT_QUOTE_BYTES];
    bool is_wait;

    if (check_wait(invocation, &is_wait, error) != SIM_OK)
        return error->status;
    if (is_wait)
        return cli_explain_wait(invocation, error);
    search.found = scenario_explain(search.name, &search.near, stdout);
    if (!search.name)
        return SIM_OK;
    explain_counters(&search);
    explain_views(&search);
    explain_events(&search);
    explain_rules(&search);
    explain_costs(&search);
    explain_profiles(&search);
    if (search.found > 0)
        return SIM_OK;
    return sim_fail(error, SIM_BAD_USAGE, "explain: nothing is called %s%s%s%s",
                    document_quote(search.name, quoted),
                    search.near.word ? "; did you mean '" : "",
                    search.near.word ? search.near.word : "",
                    search.near.word ? "'?" : "");
}
