/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * VPs that are always busy get their shares, by weight where the policy heeds
 * weights, to within the bound that its file states; and none of them starves.
 * On many random hosts: fewer LPs than VPs. A failure names policy and seed;
 *
 *   test_shares POLICY SEED
 *
 * repeats that one alone.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/machine/sched_laws.h"
#include "tests/machine/script_random.h"

#define SEEDS 25

#define MS UINT64_C(1000000)
#define FROM (100 * MS) /* all VMs have been started */
#define TO (400 * MS)

static const char *only_policy;
static uint64_t first_seed = 1, last_seed = SEEDS;

/* How far a VP may be from its share over any span of time: what the policy
 * states of its order, for each end of the span. */

static uint64_t least_weight(const struct script_config *config)
{
    uint64_t least = UINT64_MAX;

    for (uint32_t vm = 0; vm < config->vm_count; vm++) {
        if (config->vms[vm].weight < least)
            least = config->vms[vm].weight;
    }
    return least;
}

static uint64_t two_slices(const struct script_config *config, uint64_t weight)
{
    (void)weight;
    return 2 * config->slice_ns;
}

/* "virtual times differ by at most 2 * (slice * 100 / least weight +
 * migrate_after)" */
static uint64_t by_virtual_time(const struct script_config *config,
                                uint64_t weight)
{
    return 2 *
           (config->slice_ns * 100 / least_weight(config) +
            config->migrate_after_ns) *
           weight / 100;
}

/* "two accounting periods", of three slices each, "over any span of time" */
static uint64_t two_accounting_periods(const struct script_config *config,
                                       uint64_t weight)
{
    (void)weight;
    return 3 * config->slice_ns;
}

/* "a slice and preempt_after each" */
static uint64_t slice_and_preempt_after(const struct script_config *config,
                                        uint64_t weight)
{
    (void)weight;
    return config->slice_ns + config->preempt_after_ns;
}

/* Who should have nearly a whole LP must hardly wait at all: who goes to an LP
 * only when its turn there comes is further off then. */
static const struct bound {
    const char *policy;
    uint64_t (*of)(const struct script_config *config, uint64_t weight);
    unsigned lp_percent; /* only where shares are no more of an LP */
    uint32_t lps_most;   /* nothing is promised on more LPs; 0: on any */
} bounds[] = {
    {"round-robin", two_slices, 100, 0},
    {"classic", by_virtual_time, 100, 0},
    {"core", by_virtual_time, 100, 0},
    {"credit", two_accounting_periods, 75, 0},
    {"edf", slice_and_preempt_after, 75, 0},
    {"root", two_slices, 100, 4},
    {NULL, two_slices, 100, 0},
};

static const struct bound *bound_of(const struct hv_sched_ops *ops)
{
    const struct bound *bound = bounds;

    while (bound->policy && strcmp(bound->policy, ops->name) != 0)
        bound++;
    return bound;
}

static uint64_t off_most(const struct hv_sched_ops *ops,
                         const struct script_config *config, uint64_t weight)
{
    return 2 * bound_of(ops)->of(config, weight) + LAW_SWITCH_MOST;
}

static void make_config(struct script_config *config, struct rng *rng,
                        const struct hv_sched_ops *ops)
{
    script_config_init(config);
    config->scheduler = ops->name;
    config->lps = (uint32_t)script_random_between(rng, 1, 4);
    if (bound_of(ops)->lps_most > 0 && config->lps > bound_of(ops)->lps_most)
        config->lps = bound_of(ops)->lps_most;
    config->root_vps = 1;
    config->vm_count =
        (uint32_t)script_random_between(rng, config->lps + 1, SCRIPT_VMS_MAX);
    config->slice_ns = script_random_between(rng, 200000, 2000000);
    config->migrate_after_ns = script_random_between(rng, 0, 1000000);
    config->preempt_after_ns = script_random_between(rng, 0, 1000000);
    config->quantum_ns = script_random_between(rng, 1000, 50000);
    config->duration_ns = TO + 5 * MS;
    for (uint32_t i = 0; i < config->vm_count; i++) {
        struct script *script = &config->vms[i].script[0];

        config->vms[i].vps = 1;
        config->vms[i].weight =
            ops->flags & SCHED_WEIGHTS
                ? (uint32_t)script_random_between(rng, 50, 400)
                : 100;
        script_begin(script, 0, 1);
        script_add(script, SCRIPT_RUN, MS, 0, 0);
        script_repeat(script, script->count - 1);
    }
}

/* What each should have of `all`, which is what all had: by weight, but no one
 * more than an LP's time, and then the others share the rest. */
static void fill_shares(const struct script_config *config, uint64_t all,
                        uint64_t *shares)
{
    uint64_t lp = all / config->lps;
    bool full[SCRIPT_VMS_MAX] = {false};
    bool again = true;

    while (again) {
        uint64_t weights = 0, left = all;

        again = false;
        for (uint32_t vm = 0; vm < config->vm_count; vm++) {
            weights += full[vm] ? 0 : config->vms[vm].weight;
            left -= full[vm] ? lp : 0;
        }
        for (uint32_t vm = 0; vm < config->vm_count; vm++) {
            if (full[vm])
                continue;
            shares[vm] = left * config->vms[vm].weight / weights;
            if (shares[vm] <= lp)
                continue;
            shares[vm] = lp;
            full[vm] = again = true;
        }
    }
}

/* False where the policy promises nothing. */
static bool is_promised(const struct hv_sched_ops *ops,
                        const struct script_config *config, uint64_t all,
                        const uint64_t *shares)
{
    uint64_t most = all / config->lps * bound_of(ops)->lp_percent / 100;

    for (uint32_t vm = 0; vm < config->vm_count; vm++) {
        if (shares[vm] > most)
            return false;
    }
    return true;
}

static bool law_shares(const struct story *story,
                       const struct hv_sched_ops *ops,
                       const struct script_config *config, bool *promised,
                       char *text)
{
    uint64_t ran[SCRIPT_VMS_MAX], shares[SCRIPT_VMS_MAX], all = 0;

    for (uint32_t vm = 0; vm < config->vm_count; vm++) {
        ran[vm] = story_ran(story, vm + 1, 0, FROM, TO);
        all += ran[vm];
    }
    fill_shares(config, all, shares);
    *promised = is_promised(ops, config, all, shares);
    if (!*promised)
        return true;
    for (uint32_t vm = 0; vm < config->vm_count; vm++) {
        uint64_t off =
            ran[vm] > shares[vm] ? ran[vm] - shares[vm] : shares[vm] - ran[vm];
        uint64_t most = off_most(ops, config, config->vms[vm].weight);

        if (off <= most)
            continue;
        snprintf(text, LAW_TEXT_BYTES,
                 "VM %u of weight %u ran for %" PRIu64
                 " ns, and its share is %" PRIu64 ": %" PRIu64
                 " off, and %" PRIu64 " is the most",
                 vm + 1, config->vms[vm].weight, ran[vm], shares[vm], off,
                 most);
        return false;
    }
    return true;
}

/* Who has used a slice waits until the others have used as much by weight. */
static uint64_t wait_most(const struct hv_sched_ops *ops,
                          const struct script_config *config)
{
    uint64_t weights = 0;

    for (uint32_t vm = 0; vm < config->vm_count; vm++)
        weights += config->vms[vm].weight;
    return (config->slice_ns +
            2 * off_most(ops, config, least_weight(config))) *
               weights / least_weight(config) +
           config->vm_count * config->slice_ns + LAW_ROOT_STEP_MOST;
}

/* Runs the host of that seed. */
static void run_seed(const struct hv_sched_ops *ops, uint64_t seed,
                     struct script_config *config, struct story *story)
{
    static struct script_host host;
    struct rng rng = rng_from_seed(seed);

    make_config(config, &rng, ops);
    script_host_create(&host, config);
    story_begin(story, &host);
    if (script_host_run(&host) != SIM_OK)
        fail_msg("%s, seed %" PRIu64 ": %s", ops->name, seed,
                 host.error.message);
    story_end(story);
    story->wait_most = wait_most(ops, config);
    script_host_destroy(&host);
}

/* True if the policy promises shares on that host. */
static bool judge_seed(const struct hv_sched_ops *ops, uint64_t seed)
{
    static struct script_config config;
    char text[LAW_TEXT_BYTES];
    struct story story;
    bool promised;

    run_seed(ops, seed, &config, &story);
    if (!law_shares(&story, ops, &config, &promised, text) ||
        !law_nobody_starves(&story, text))
        fail_msg("%s, seed %" PRIu64 ": %s", ops->name, seed, text);
    story_free(&story);
    return promised;
}

static void busy_vps_get_their_shares(void **state)
{
    const struct hv_sched_ops *ops;

    (void)state;
    for (unsigned i = 0; (ops = sched_by_index(i)); i++) {
        unsigned promised = 0;

        if (only_policy && strcmp(only_policy, ops->name) != 0)
            continue;
        for (uint64_t seed = first_seed; seed <= last_seed; seed++)
            promised += judge_seed(ops, seed);
        print_message("%s: shares of %u hosts\n", ops->name, promised);
        assert_true(promised > 0 || first_seed == last_seed);
    }
}

/* To whom a policy gives what another should have: the law can be broken. */
static void a_share_that_is_not_given_is_seen(void **state)
{
    static struct script_config config;
    char text[LAW_TEXT_BYTES] = "";
    const struct hv_sched_ops *ops = sched_find("round-robin");
    struct story story;
    bool promised;

    (void)state;
    run_seed(ops, 1, &config, &story);
    assert_true(law_shares(&story, ops, &config, &promised, text));
    config.vms[0].weight = 130;
    assert_false(law_shares(&story, ops, &config, &promised, text));
    assert_non_null(strstr(text, "VM 1 of weight 130 ran for"));
    story_free(&story);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(busy_vps_get_their_shares),
        cmocka_unit_test(a_share_that_is_not_given_is_seen),
    };

    only_policy = argc > 1 ? argv[1] : NULL;
    if (argc > 2)
        first_seed = last_seed = strtoull(argv[2], NULL, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
