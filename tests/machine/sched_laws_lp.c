/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Laws about logical processors. */
#include <inttypes.h>
#include <stdlib.h>

#include "sim/core/check.h"
#include "tests/machine/sched_laws_private.h"

static int by_lp_and_time(const void *a, const void *b)
{
    const struct story_idle *x = a, *y = b;

    if (x->lp != y->lp)
        return x->lp < y->lp ? -1 : 1;
    return (x->from > y->from) - (x->from < y->from);
}

/* The longest time within [from, to) that `lp` idled at a stretch; `idles` are
 * sorted. */
static uint64_t longest_idle(const struct story_idle *idles, size_t count,
                             uint32_t lp, uint64_t from, uint64_t to)
{
    size_t low = 0, high = count;
    uint64_t most = 0;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct story_idle *idle = &idles[middle];

        if (idle->lp < lp || (idle->lp == lp && idle->to <= from))
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < count && idles[low].lp == lp && idles[low].from < to; low++) {
        uint64_t start = idles[low].from > from ? idles[low].from : from;
        uint64_t end = idles[low].to < to ? idles[low].to : to;

        most = end > start && end - start > most ? end - start : most;
    }
    return most;
}

/* By how much more than the quantum LPs' clocks may have been apart meanwhile:
 * one that a VP takes ahead of the others at a stretch may call, or be chosen
 * for, another from then on. */
static uint64_t clocks_apart(const struct story *story,
                             const struct story_wait *wait)
{
    uint64_t most = 0;

    for (size_t i = 0; i < story->run_count; i++) {
        const struct story_run *run = &story->runs[i];
        uint64_t owed = law_owed(run);

        if (run->from <= wait->to && run->from + owed >= wait->from)
            most = owed > most ? owed : most;
    }
    return most;
}

static bool idles_in_vain(const struct story *story,
                          const struct story_idle *idles,
                          const struct story_wait *wait, char *text)
{
    uint64_t patience =
        story->node_count > 1 ? story->params.node_patience.v : 0;
    uint64_t most =
        story->quantum + LAW_SWITCH_MOST + law_parked(wait) + patience;
    const struct story_control *control;
    size_t at;

    if (wait->to - wait->from <= most ||
        !law_controls_constant(story, wait->from, wait->to, &at))
        return false;
    control = &story->controls[at].of[wait->vm];
    if (!wait->ended && law_may_be_parked(control))
        return false;
    for (uint32_t lp = 0; lp < story->lp_count; lp++) {
        uint64_t idle =
            longest_idle(idles, story->idle_count, lp, wait->from, wait->to);

        if (idle > most && law_may_run(control, wait->vp, lp) &&
            idle > most + clocks_apart(story, wait))
            return !law_broken(
                text,
                "%" PRIu64 ": VM %u VP %u has waited since %" PRIu64
                " while LP %u idled for %" PRIu64 " ns",
                wait->to, wait->vm, wait->vp, wait->from, lp, idle);
    }
    return false;
}

bool law_no_lp_idles_in_vain(const struct story *story, char *text)
{
    size_t bytes = story->idle_count * sizeof(struct story_idle);
    struct story_idle *idles = malloc(bytes + 1);
    bool holds = true;

    if (!(story->flags & SCHED_WORK_CONSERVING)) {
        free(idles);
        return true;
    }
    CHECK(idles);
    for (size_t i = 0; i < story->idle_count; i++)
        idles[i] = story->idles[i];
    qsort(idles, story->idle_count, sizeof(*idles), by_lp_and_time);
    for (size_t i = 0; holds && i < story->wait_count; i++)
        holds = !idles_in_vain(story, idles, &story->waits[i], text);
    free(idles);
    return holds;
}

/* What an LP does in [from, to): a run or, if `vm` is -1, idling. */
struct span {
    uint32_t lp;
    int vm;
    uint64_t from, to;
};

/* Spans of LPs that divide into the same number are neighbours. */
static int by_time(const struct span *a, const struct span *b)
{
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return (a->to > b->to) - (a->to < b->to);
}

static int by_lp(const void *a, const void *b)
{
    const struct span *x = a, *y = b;

    if (x->lp != y->lp)
        return x->lp < y->lp ? -1 : 1;
    return by_time(x, y);
}

static int by_time_alone(const void *a, const void *b)
{
    return by_time(a, b);
}

static struct span *runs_as_spans(const struct story *story, size_t room)
{
    struct span *spans = calloc(room + 1, sizeof(*spans));

    CHECK(spans && room >= story->run_count);
    for (size_t i = 0; i < story->run_count; i++) {
        const struct story_run *run = &story->runs[i];

        spans[i] = (struct span){run->lp, (int)run->vm, run->from, run->to};
    }
    return spans;
}

/* Between two spans an LP switches. */
bool law_lps_lose_no_time(const struct story *story, char *text)
{
    size_t count = story->run_count + story->idle_count;
    struct span *spans = runs_as_spans(story, count);
    uint64_t gap_most = LAW_SWITCH_MOST + story->quantum;
    bool holds = true;

    for (size_t i = 0; i < story->idle_count; i++)
        spans[story->run_count + i] = (struct span){
            story->idles[i].lp, -1, story->idles[i].from, story->idles[i].to};
    qsort(spans, count, sizeof(*spans), by_lp);
    for (size_t i = 0; holds && i + 1 < count; i++) {
        const struct span *span = &spans[i], *next = &spans[i + 1];
        uint64_t until = next->lp == span->lp ? next->from : story->end;

        if (next->lp == span->lp && until < span->to)
            holds = law_broken(text,
                               "%" PRIu64 ": LP %u does something else until "
                               "%" PRIu64,
                               until, span->lp, span->to);
        else if (until > span->to && until - span->to > gap_most)
            holds = law_broken(text,
                               "%" PRIu64 ": LP %u has done nothing since "
                               "%" PRIu64 ", and does not say that it idles",
                               until, span->lp, span->to);
    }
    free(spans);
    return holds;
}

/* In order of time, a run can only meet the last of each sibling. */
bool law_one_vm_on_a_core(const struct story *story, char *text)
{
    struct span *spans = runs_as_spans(story, story->run_count);
    const struct span *last[LP_COUNT_MAX] = {0};
    uint32_t threads = story->threads_per_core;
    bool holds = true;

    qsort(spans, story->run_count, sizeof(*spans), by_time_alone);
    for (size_t i = 0; holds && i < story->run_count; i++) {
        const struct span *span = &spans[i];
        uint32_t first = span->lp / threads * threads;

        for (uint32_t lp = first; holds && lp < first + threads; lp++) {
            if (lp == span->lp || !last[lp] || last[lp]->vm == span->vm ||
                last[lp]->to <= span->from)
                continue;
            holds = law_broken(text,
                               "%" PRIu64 ": VM %d begins on LP %u while VM "
                               "%d is on LP %u until %" PRIu64,
                               span->from, span->vm, span->lp, last[lp]->vm, lp,
                               last[lp]->to);
        }
        last[span->lp] = span;
    }
    free(spans);
    return holds;
}
