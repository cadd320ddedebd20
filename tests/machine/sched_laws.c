/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "hypervisor/cpu_group.h"
#include "hypervisor/partition.h"
#include "sim/core/check.h"
#include "tests/machine/sched_laws_private.h"

const struct sched_law sched_laws[] = {
    {"a VP is on one LP at a time, and an LP has one VP", law_one_lp_at_a_time},
    {"a VP runs only where it may", law_only_where_allowed},
    {"no LP idles while a ready VP may use it", law_no_lp_idles_in_vain},
    {"no VP has more than its limit", law_limits},
    {"no CPU group has more than its cap", law_group_caps},
    {"the parts of a wait add up to it", law_waits_add_up},
    {"nobody starves", law_nobody_starves},
    {"an LP runs, idles or switches, and no time is lost",
     law_lps_lose_no_time},
    {NULL, NULL},
};

bool law_broken(char *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(text, LAW_TEXT_BYTES, format, args);
    va_end(args);
    return false;
}

#define VP_KEYS (STORY_VMS_MAX * PARTITION_VP_COUNT_MAX)

static uint32_t vp_key(uint32_t vm, uint32_t vp)
{
    CHECK(vm < STORY_VMS_MAX && vp < PARTITION_VP_COUNT_MAX);
    return vm * PARTITION_VP_COUNT_MAX + vp;
}

/* The run before, of each VP and LP, must have ended. */
bool law_one_lp_at_a_time(const struct story *story, char *text)
{
    uint64_t vp_until[VP_KEYS] = {0}, lp_until[LP_COUNT_MAX] = {0};

    for (size_t i = 0; i < story->run_count; i++) {
        const struct story_run *run = &story->runs[i];
        uint64_t *vp = &vp_until[vp_key(run->vm, run->vp)];
        uint64_t *lp = &lp_until[run->lp];

        if (run->from < *vp)
            return law_broken(text,
                              "%" PRIu64
                              ": VM %u VP %u begins on LP %u, and is "
                              "on another until %" PRIu64,
                              run->from, run->vm, run->vp, run->lp, *vp);
        if (run->from < *lp)
            return law_broken(text,
                              "%" PRIu64 ": VM %u VP %u begins on LP %u, which "
                              "has another until %" PRIu64,
                              run->from, run->vm, run->vp, run->lp, *lp);
        *vp = *lp = run->to;
    }
    return true;
}

/* What was in force when record `position` came. */
static size_t controls_at(const struct story *story, size_t position)
{
    size_t i = 0;

    while (i + 1 < story->control_count &&
           story->controls[i + 1].position <= position)
        i++;
    return i;
}

uint64_t law_owed(const struct story_run *run)
{
    return run->expiries * LAW_EXPIRY_MOST;
}

bool law_may_run(const struct story_control *control, uint32_t vp, uint32_t lp)
{
    return control->is_root ? control->root_lps[vp] == lp
                            : lp_set_has(&control->affinity, lp);
}

/* One that is told to leave as its LP switches to it begins all the same. */
bool law_only_where_allowed(const struct story *story, char *text)
{
    uint64_t leaves = story->quantum + LAW_SWITCH_MOST + LAW_INTERCEPT_MOST;

    for (size_t i = 0; i < story->run_count; i++) {
        const struct story_run *run = &story->runs[i];
        size_t at = controls_at(story, run->position);

        if (!law_may_run(&story->controls[at].of[run->vm], run->vp, run->lp))
            return law_broken(text,
                              "%" PRIu64
                              ": VM %u VP %u runs on LP %u, where it "
                              "may not",
                              run->from, run->vm, run->vp, run->lp);
        for (at++; at < story->control_count; at++) {
            const struct story_controls *after = &story->controls[at];

            if (after->position > run->end)
                break;
            if (law_may_run(&after->of[run->vm], run->vp, run->lp))
                continue;
            if (run->to > after->time + leaves + law_owed(run))
                return law_broken(text,
                                  "%" PRIu64 ": VM %u VP %u is still on LP %u, "
                                  "from which it was banned at %" PRIu64,
                                  run->to, run->vm, run->vp, run->lp,
                                  after->time);
        }
    }
    return true;
}

/* True if no control changed in [from, to]; then `*at` is which were in force.
 */
bool law_controls_constant(const struct story *story, uint64_t from,
                           uint64_t to, size_t *at)
{
    *at = 0;
    for (size_t i = 0; i < story->control_count; i++) {
        if (story->controls[i].time < from)
            *at = i;
        else if (story->controls[i].time <= to && i > 0)
            return false;
    }
    return true;
}

uint64_t law_parked(const struct story_wait *wait)
{
    return wait->by_rule[SCHED_RULE_CAP] + wait->by_rule[SCHED_RULE_GROUP];
}

/* Nobody knows of a wait that has not ended whether it was parked. */
bool law_may_be_parked(const struct story_control *control)
{
    return control->cap < PARTITION_CPU_SHARE_MAX ||
           control->group_cap < CPU_GROUP_CAP_MAX;
}

/* How long those whose runs are added ran in each period. */
struct usage {
    uint64_t *ran; /* by period */
    size_t periods;
    uint64_t period;
};

static void usage_add(struct usage *usage, const struct story_run *run)
{
    for (uint64_t from = run->from; from < run->to;) {
        uint64_t k = from / usage->period;
        uint64_t next = (k + 1) * usage->period;
        uint64_t end = next < run->to ? next : run->to;

        if (k < usage->periods)
            usage->ran[k] += end - from;
        from = end;
    }
}

static void usage_begin(struct usage *usage, const struct story *story)
{
    usage->period = story->params.period.v;
    usage->periods = story->end / usage->period; /* whole ones */
    usage->ran = calloc(usage->periods + 1, sizeof(*usage->ran));
    CHECK(usage->ran);
}

struct quota {
    uint64_t fraction, lps; /* of 65536; of how many LPs. 0 LPs: no quota */
    uint64_t late;          /* so much later may be left than allowed */
};

/* In each whole period, and in any row of them in which no control changes, no
 * more was used than the quota, but for what is late: once, since it is missing
 * from the next period. */
static bool within(const struct story *story, const struct usage *usage,
                   struct quota (*quota_of)(const struct story *story,
                                            const struct story_controls *all,
                                            uint64_t of),
                   uint64_t of, const char *what, char *text)
{
    uint64_t ran = 0, allowed = 0;

    for (size_t k = 0; k < usage->periods; k++) {
        uint64_t from = k * usage->period;
        struct quota quota = {0};
        size_t at;

        if (law_controls_constant(
                story, from > story->quantum ? from - story->quantum : 0,
                from + usage->period - 1, &at))
            quota = quota_of(story, &story->controls[at], of);
        if (quota.lps == 0) {
            ran = allowed = 0;
            continue;
        }
        ran += usage->ran[k];
        allowed += usage->period * quota.fraction * quota.lps / 65536;
        if (ran > allowed + quota.late)
            return law_broken(text,
                              "%" PRIu64 ": %s %" PRIu64 " has run for %" PRIu64
                              " of %" PRIu64 " ns that it may have",
                              from + usage->period, what, of, ran, allowed);
    }
    return true;
}

static struct quota limit_of(const struct story *story,
                             const struct story_controls *all, uint64_t of)
{
    const struct story_control *control = &all->of[of / PARTITION_VP_COUNT_MAX];

    (void)story;
    if (control->cap >= PARTITION_CPU_SHARE_MAX)
        return (struct quota){0};
    return (struct quota){control->cap, 1, LAW_INTERCEPT_MOST};
}

bool law_limits(const struct story *story, char *text)
{
    bool holds = true;

    for (uint32_t key = 0;
         holds && key < story->vm_count * PARTITION_VP_COUNT_MAX; key++) {
        struct usage usage;
        bool seen = false;

        usage_begin(&usage, story);
        for (size_t i = 0; i < story->run_count; i++) {
            if (vp_key(story->runs[i].vm, story->runs[i].vp) != key)
                continue;
            usage_add(&usage, &story->runs[i]);
            seen = true;
        }
        holds = !seen || within(story, &usage, limit_of, key, "VP", text);
        free(usage.ran);
    }
    return holds;
}

/* Each LP may leave late. */
static struct quota group_cap_of(const struct story *story,
                                 const struct story_controls *all, uint64_t of)
{
    for (uint32_t vm = 0; vm < story->vm_count; vm++) {
        const struct story_control *control = &all->of[vm];

        if (control->group == of && control->group_cap < CPU_GROUP_CAP_MAX)
            return (struct quota){control->group_cap, control->group_lps,
                                  story->lp_count * LAW_INTERCEPT_MOST};
    }
    return (struct quota){0};
}

bool law_group_caps(const struct story *story, char *text)
{
    bool holds = true;

    for (uint64_t group = 1; holds && group <= STORY_VMS_MAX; group++) {
        struct usage usage;

        usage_begin(&usage, story);
        for (size_t i = 0; i < story->run_count; i++) {
            const struct story_run *run = &story->runs[i];
            size_t at = controls_at(story, run->position);

            if (story->controls[at].of[run->vm].group == group)
                usage_add(&usage, run);
        }
        holds = within(story, &usage, group_cap_of, group, "group", text);
        free(usage.ran);
    }
    return holds;
}

/* Some control in force during the wait explains the rule. */
static bool explains(const struct story *story, const struct story_wait *wait,
                     bool group)
{
    for (size_t i = 0; i < story->control_count; i++) {
        const struct story_control *control = &story->controls[i].of[wait->vm];
        bool over = i + 1 < story->control_count &&
                    story->controls[i + 1].time + story->quantum < wait->from;

        if (over || story->controls[i].time > wait->to + story->quantum)
            continue;
        if (group ? control->group_cap < CPU_GROUP_CAP_MAX
                  : control->cap < PARTITION_CPU_SHARE_MAX)
            return true;
    }
    return false;
}

bool law_waits_add_up(const struct story *story, char *text)
{
    for (size_t i = 0; i < story->wait_count; i++) {
        const struct story_wait *wait = &story->waits[i];
        uint64_t sum = 0;

        if (!wait->ended)
            continue;
        for (unsigned rule = 0; rule < SCHED_RULE_COUNT; rule++)
            sum += wait->by_rule[rule];
        if (sum != wait->to - wait->from)
            return law_broken(text,
                              "%" PRIu64 ": VM %u VP %u has waited for %" PRIu64
                              " ns, but the parts make %" PRIu64,
                              wait->to, wait->vm, wait->vp,
                              wait->to - wait->from, sum);
        if ((wait->by_rule[SCHED_RULE_CAP] && !explains(story, wait, false)) ||
            (wait->by_rule[SCHED_RULE_GROUP] && !explains(story, wait, true)))
            return law_broken(text,
                              "%" PRIu64 ": VM %u VP %u has waited for a limit "
                              "that it does not have",
                              wait->to, wait->vm, wait->vp);
    }
    return true;
}

bool law_nobody_starves(const struct story *story, char *text)
{
    for (size_t i = 0; i < story->wait_count; i++) {
        const struct story_wait *wait = &story->waits[i];
        const struct story_control *last =
            &story->controls[story->control_count - 1].of[wait->vm];

        if (!wait->ended && law_may_be_parked(last))
            continue;
        if (wait->to - wait->from - law_parked(wait) > story->wait_most)
            return law_broken(
                text,
                "%" PRIu64 ": VM %u VP %u has waited since %" PRIu64
                ", and %" PRIu64 " ns is the most",
                wait->to, wait->vm, wait->vp, wait->from, story->wait_most);
    }
    return true;
}
