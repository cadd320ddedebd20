/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/machine/wait_book_private.h"

/* Laws */

static uint64_t rule_time(const struct vp_waits *vp, enum sched_rule rule)
{
    return vp->rules[rule].time.v;
}

static uint64_t contention_of(const struct vp_waits *vp)
{
    return rule_time(vp, SCHED_RULE_SLICE) +
           rule_time(vp, SCHED_RULE_AFFINITY) + rule_time(vp, SCHED_RULE_NUMA) +
           rule_time(vp, SCHED_RULE_SIBLING);
}

static uint64_t holders_time(const struct vp_waits *vp)
{
    uint64_t sum = vp->rest.time.v;

    for (unsigned i = 0; i < WAIT_BOOK_HOLDERS; i++)
        sum += vp->holders[i].time.v;
    return sum;
}

static uint64_t dispatches_of(const struct vp_waits *vp)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < SCHED_RULE_COUNT; i++)
        sum += vp->rules[i].dispatches;
    return sum;
}

static uint64_t histogram_sum(const struct vp_waits *vp)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < WAIT_BOOK_BUCKETS; i++)
        sum += vp->histogram[i];
    return sum;
}

static enum sim_status check_vp(const struct vp_waits *vp,
                                struct sim_error *error)
{
    const struct wait_counted *counted = &vp->counted;
    const struct {
        const char *what;
        uint64_t booked, counted;
    } laws[] = {
        {"wake-up time", rule_time(vp, SCHED_RULE_WAKE), counted->wake_up},
        {"contention", contention_of(vp), counted->contention},
        {"time held back by limits",
         rule_time(vp, SCHED_RULE_CAP) + rule_time(vp, SCHED_RULE_GROUP),
         counted->held_back},
        {"dispatches", dispatches_of(vp), counted->dispatches},
        {"dispatches in the histogram", histogram_sum(vp), counted->dispatches},
        {"holders' time", holders_time(vp), counted->contention},
    };

    for (size_t i = 0; i < sizeof(laws) / sizeof(laws[0]); i++) {
        if (laws[i].booked != laws[i].counted)
            return sim_fail(error, SIM_RUN_FAILED,
                            "waits of VP %" PRIu32 " of %s: %s: %" PRIu64
                            " by its waits, %" PRIu64 " by its counters",
                            vp->index, vp->name, laws[i].what, laws[i].booked,
                            laws[i].counted);
    }
    return SIM_OK;
}

enum sim_status wait_book_check(const struct wait_book *book,
                                struct sim_error *error)
{
    for (uint32_t i = 0; i < book->count; i++) {
        if (check_vp(book->vps[i], error) != SIM_OK)
            return error->status;
    }
    return SIM_OK;
}

/* Rows */

static enum sim_status put_rules(const struct wait_book *book,
                                 const struct vp_waits *vp,
                                 struct results *results,
                                 struct sim_error *error)
{
    enum sim_status status = SIM_OK;

    for (unsigned i = 0; i < SCHED_RULE_COUNT && status == SIM_OK; i++) {
        const struct wait_by_rule *rule = &vp->rules[i];
        struct results_wait row = {
            .vp = vp->number,
            .rule = sched_rule_name((enum sched_rule)i),
            .dispatches = rule->dispatches,
            .wait_ns = clock_to_ns(book->clock, rule->time),
            .longest_ns = clock_to_ns(book->clock, rule->longest),
            .undispatched = rule->undispatched,
            .undispatched_ns =
                clock_to_ns(book->clock, rule->undispatched_time),
        };

        if (rule->dispatches || rule->time.v || rule->undispatched ||
            rule->undispatched_time.v)
            status = results_put_wait(results, &row, error);
    }
    return status;
}

/* Longest first; of equals the VP that came first. */
static int compare_holders(const void *a, const void *b)
{
    const struct wait_by_holder *left = a, *right = b;

    if (left->time.v != right->time.v)
        return left->time.v > right->time.v ? -1 : 1;
    return left->holder < right->holder ? -1 : left->holder > right->holder;
}

static enum sim_status put_holder(const struct wait_book *book,
                                  const struct vp_waits *vp, uint32_t holder,
                                  const struct wait_by_holder *from,
                                  struct results *results,
                                  struct sim_error *error)
{
    struct results_wait_holder row = {
        .vp = vp->number,
        .holder = holder,
        .dispatches = from->dispatches,
        .wait_ns = clock_to_ns(book->clock, from->time),
    };

    if (from->dispatches == 0)
        return SIM_OK;
    return results_put_wait_holder(results, &row, error);
}

static enum sim_status put_holders(const struct wait_book *book,
                                   const struct vp_waits *vp,
                                   struct results *results,
                                   struct sim_error *error)
{
    struct wait_by_holder holders[WAIT_BOOK_HOLDERS];
    enum sim_status status = SIM_OK;

    memcpy(holders, vp->holders, sizeof(holders));
    qsort(holders, WAIT_BOOK_HOLDERS, sizeof(holders[0]), compare_holders);
    for (unsigned i = 0; i < WAIT_BOOK_HOLDERS && status == SIM_OK; i++)
        status = put_holder(book, vp, holders[i].holder, &holders[i], results,
                            error);
    if (status == SIM_OK)
        status =
            put_holder(book, vp, RESULTS_NOBODY, &vp->rest, results, error);
    return status;
}

static enum sim_status put_histogram(const struct vp_waits *vp,
                                     struct results *results,
                                     struct sim_error *error)
{
    enum sim_status status = SIM_OK;

    for (unsigned i = 0; i < WAIT_BOOK_BUCKETS && status == SIM_OK; i++) {
        bool last = i + 1 == WAIT_BOOK_BUCKETS;
        struct results_wait_bucket row = {
            .vp = vp->number,
            .from_ns = wait_book_bound_ns(i),
            .to_ns = last ? UINT64_MAX : wait_book_bound_ns(i + 1),
            .dispatches = vp->histogram[i],
        };

        if (row.dispatches)
            status = results_put_wait_bucket(results, &row, error);
    }
    return status;
}

static int compare_cases(const void *a, const void *b)
{
    if (wait_case_before(a, b))
        return -1;
    return wait_case_before(b, a) ? 1 : 0;
}

static enum sim_status put_case(const struct wait_book *book,
                                const struct vp_waits *vp, uint32_t rank,
                                const struct wait_case *from,
                                struct results *results,
                                struct sim_error *error)
{
    struct results_wait_case row = {
        .vp = vp->number,
        .rank = rank,
        .ready_ns = clock_to_ns(book->clock, from->ready),
        .wait_ns = clock_to_ns(book->clock, from->wait),
        .lp = from->lp,
        .rule = sched_rule_name(from->rule),
        .holder = from->holder,
    };
    enum sim_status status = results_put_wait_case(results, &row, error);

    for (unsigned i = 0; i < SCHED_RULE_COUNT && status == SIM_OK; i++) {
        struct results_wait_part part = {
            .vp = vp->number,
            .rank = rank,
            .rule = sched_rule_name((enum sched_rule)i),
            .wait_ns = clock_to_ns(book->clock, from->by_rule[i]),
        };

        if (from->by_rule[i].v)
            status = results_put_wait_part(results, &part, error);
    }
    return status;
}

static enum sim_status put_worst(const struct wait_book *book,
                                 const struct vp_waits *vp,
                                 struct results *results,
                                 struct sim_error *error)
{
    struct wait_case worst[WAIT_BOOK_WORST];
    enum sim_status status = SIM_OK;

    memcpy(worst, vp->worst, sizeof(worst));
    qsort(worst, vp->worst_count, sizeof(worst[0]), compare_cases);
    for (unsigned i = 0; i < vp->worst_count && status == SIM_OK; i++)
        status = put_case(book, vp, i + 1, &worst[i], results, error);
    return status;
}

/* All VPs come first, for others name them as holders. */
enum sim_status wait_book_put(const struct wait_book *book,
                              struct results *results, struct sim_error *error)
{
    enum sim_status status = SIM_OK;

    for (uint32_t i = 0; i < book->count && status == SIM_OK; i++)
        status = results_put_wait_vp(results, i, book->vps[i]->name,
                                     book->vps[i]->index, error);
    for (uint32_t i = 0; i < book->count && status == SIM_OK; i++) {
        const struct vp_waits *vp = book->vps[i];

        status = put_rules(book, vp, results, error);
        if (status == SIM_OK)
            status = put_holders(book, vp, results, error);
        if (status == SIM_OK)
            status = put_histogram(vp, results, error);
        if (status == SIM_OK)
            status = put_worst(book, vp, results, error);
    }
    return status;
}
