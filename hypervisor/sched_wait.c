/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Why a VP waits: the time from ready to dispatched, in parts by what kept it
 * out, and by who had the LP meanwhile.
 *
 * Design. Policies say what a VP waits for as they learn it (sched_wait()).
 * What they cannot know is worked out here, when the wait is over: from when
 * the LP has chosen the VP it waits for the LP alone; and whether another LP
 * was idle meanwhile, which tells AFFINITY from SLICE, is a difference of two
 * readings of one clock, that of the time in which any LP idled.
 *
 * Exactness. The parts make up the wait to the cycle. LPs' clocks differ by up
 * to the synchronisation quantum, so a VP may be dispatched at a time that is
 * before what a faster LP has said of it; that is taken back then.
 */
#include "hypervisor/lp.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

static const struct hv_sched *sched_of(const struct hv_vp *vp)
{
    return &vp->partition->hv->sched;
}

/* How long at least one LP has been idle until `at`. */
static cycles_t idle_time(const struct hv_sched *sched, cycles_t at)
{
    if (sched->idle_count == 0 || !cycles_before(sched->idle_since, at))
        return sched->idle_time;
    return cycles_add(sched->idle_time, cycles_sub(at, sched->idle_since));
}

/* A wait, and where its parts stand: in the VP, or on the stack, so that what
 * it comes to can be worked out without a change. */
struct booking {
    const struct hv_vp *vp;
    struct vp_wait *wait;
    struct vp_wait_parts *parts;
};

/* Those whose part stands in the wait itself, by bits. */
#define RULES_OF_WAIT (1u << SCHED_RULE_SLICE | 1u << SCHED_RULE_SIBLING)

/* Where a rule's part stands. */
static cycles_t *part_of(const struct booking *booking, enum sched_rule rule)
{
    if (rule == SCHED_RULE_SLICE)
        return &booking->wait->slice;
    if (rule == SCHED_RULE_SIBLING)
        return &booking->wait->sibling;
    return &booking->parts->time[rule];
}

static bool is_booked(const struct vp_wait *wait, enum sched_rule rule)
{
    return (wait->booked >> rule & 1) != 0;
}

static void book(const struct booking *booking, enum sched_rule rule,
                 cycles_t time)
{
    cycles_t *part = part_of(booking, rule);

    if (time.v == 0)
        return;
    *part = is_booked(booking->wait, rule) ? cycles_add(*part, time) : time;
    booking->wait->booked |= (uint8_t)(1u << rule);
}

/* Books `length` that ends at `end`. A VP that may not run everywhere waits
 * because of that while an LP idles. */
static void book_turn(const struct booking *booking, cycles_t length,
                      cycles_t end)
{
    cycles_t beside = cycles(0);

    if (booking->vp->sched.restricted) {
        cycles_t since = booking->parts->idle_time;
        cycles_t idle = idle_time(sched_of(booking->vp), end);

        if (cycles_before(since, idle))
            beside = cycles_min(cycles_sub(idle, since), length);
    }
    book(booking, SCHED_RULE_AFFINITY, beside);
    book(booking, SCHED_RULE_SLICE, cycles_sub(length, beside));
}

static void book_holder(const struct booking *booking, cycles_t length)
{
    struct vp_wait *wait = booking->wait;

    if (!wait->is_named)
        return;
    if (wait->is_held && wait->held == wait->named) {
        wait->held_time = cycles_add(wait->held_time, length);
    } else if (!wait->is_held || cycles_before(wait->held_time, length)) {
        wait->held = wait->named;
        wait->held_time = length;
    }
    wait->is_held = true;
}

/* Books what has passed under the rule that has held until `now`. */
static void close_wait(const struct booking *booking, cycles_t now)
{
    struct vp_wait *wait = booking->wait;
    cycles_t length;

    if (!cycles_before(wait->since, now))
        return;
    length = cycles_sub(now, wait->since);
    if (wait->rule == SCHED_RULE_SLICE || wait->rule == SCHED_RULE_AFFINITY)
        book_turn(booking, length, now);
    else
        book(booking, wait->rule, length);
    book_holder(booking, length);
    wait->before = wait->rule;
    wait->since = now;
}

/* From which the next turn is worked out: that is of other LPs' idling only
 * where the VP may not use them. */
static void note_idle_time(struct hv_vp *vp)
{
    if (vp->sched.restricted)
        vp->sched.wait_parts.idle_time =
            idle_time(sched_of(vp), vp->sched.wait.since);
}

void sched_wait_begin(struct hv_vp *vp, cycles_t now)
{
    vp->sched.wait = (struct vp_wait){.rule = SCHED_RULE_WAKE, .since = now};
    note_idle_time(vp);
}

void sched_wait(struct hv_vp *vp, enum sched_rule rule,
                const struct hv_vp *holder, cycles_t now)
{
    struct vp_wait *wait = &vp->sched.wait;
    struct booking booking = {vp, wait, &vp->sched.wait_parts};

    close_wait(&booking, now);
    wait->rule = rule;
    note_idle_time(vp);
    wait->is_named = holder != NULL;
    if (holder)
        wait->named = holder->number;
}

cycles_t sched_wait_booked(const struct hv_vp *vp, enum sched_rule rule)
{
    const struct vp_wait *wait = &vp->sched.wait;

    if (!is_booked(wait, rule))
        return cycles(0);
    if (rule == SCHED_RULE_SLICE)
        return wait->slice;
    return rule == SCHED_RULE_SIBLING ? wait->sibling
                                      : vp->sched.wait_parts.time[rule];
}

/* The VP started before what has been booked last. */
static void take_back(const struct booking *booking, cycles_t now)
{
    const struct vp_wait *wait = booking->wait;
    cycles_t excess = cycles(0);

    if (cycles_before(now, wait->since))
        excess = cycles_sub(wait->since, now);
    for (unsigned i = 0; i < SCHED_RULE_COUNT && excess.v > 0; i++) {
        enum sched_rule rule = (wait->before + i) % SCHED_RULE_COUNT;
        cycles_t *part = part_of(booking, rule);
        cycles_t less =
            is_booked(wait, rule) ? cycles_min(*part, excess) : cycles(0);

        if (less.v == 0)
            continue;
        *part = cycles_sub(*part, less);
        excess = cycles_sub(excess, less);
    }
    CHECK(excess.v == 0);
}

/* Up to when it was not the LP alone that the VP waited for. */
static cycles_t chosen_at(const struct hv_lp *lp, const struct vp_wait *wait)
{
    /* An LP was called for it, and then another one took it that was in use
     * until then. */
    if (wait->rule == SCHED_RULE_WAKE)
        return lp->free_since;
    return cycles_max(lp->chosen_at, lp->not_before);
}

/* An LP that has been called takes its VP at once; one that nobody called has
 * others to run. */
static bool none_idles_for(const struct hv_vp *vp)
{
    return sched_first_idle_lp(sched_of(vp), vp) == NULL;
}

static void end_rules(const struct booking *booking, const struct hv_lp *lp,
                      cycles_t now)
{
    struct vp_wait *wait = booking->wait;
    cycles_t chosen = lp ? chosen_at(lp, wait) : now;

    if (wait->rule == SCHED_RULE_WAKE && (lp || none_idles_for(booking->vp)))
        wait->rule = SCHED_RULE_SLICE;
    close_wait(booking, cycles_min(chosen, now));
    wait->rule = SCHED_RULE_WAKE;
    wait->is_named = false;
    close_wait(booking, now);
    take_back(booking, now);
}

/* What came of each rule, and which of them came to most. */
static void tell_rules(struct sched_waited *waited,
                       const struct booking *booking)
{
    unsigned longest = 0;

    for (unsigned i = 0; i < SCHED_RULE_COUNT; i++)
        waited->by_rule[i] = cycles(0);
    for (unsigned left = booking->wait->booked; left; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);

        waited->by_rule[i] = *part_of(booking, i);
        if (cycles_before(waited->by_rule[longest], waited->by_rule[i]))
            longest = i;
    }
    waited->rule = (enum sched_rule)longest;
}

struct lp_run sched_wait_run(const struct hv_lp *lp, cycles_t now)
{
    return (struct lp_run){
        .partition = lp->vp->partition->id.v,
        .vp = lp->vp->index.v,
        .number = lp->vp->number,
        .from = lp->dispatched_at,
        .to = now,
    };
}

/* Those who held a VP up, as they are found. */
struct holding {
    struct sched_waited *waited;
    cycles_t left; /* of the contention: nobody yet */
    uint64_t seen; /* a bit for the numbers there are, modulo 64: most VPs are
                      found once, and need not be looked for */
};

static struct sched_holder *find_holder(const struct holding *holding,
                                        uint32_t number)
{
    struct sched_waited *waited = holding->waited;

    if ((holding->seen >> number % 64 & 1) == 0)
        return NULL;
    for (unsigned i = 0; i < waited->holder_count; i++) {
        if (waited->holders[i].number == number)
            return &waited->holders[i];
    }
    return NULL;
}

/* No more of its time than is left. */
static void add_holder(struct holding *holding, struct sched_holder holder)
{
    struct sched_waited *waited = holding->waited;
    struct sched_holder *known = find_holder(holding, holder.number);

    holder.time = cycles_min(holder.time, holding->left);
    holding->left = cycles_sub(holding->left, holder.time);
    if (known) {
        known->time = cycles_add(known->time, holder.time);
        return;
    }
    holding->seen |= UINT64_C(1) << holder.number % 64;
    waited->holders[waited->holder_count++] = holder;
}

/* Adds what of `run` lies within the wait. False if it ended before. */
static bool add_run(struct holding *holding, const struct lp_run *run)
{
    const struct sched_waited *waited = holding->waited;
    cycles_t from = cycles_max(run->from, waited->ready);
    cycles_t to = cycles_min(run->to, waited->dispatched);

    if (!cycles_before(from, to))
        return false;
    add_holder(holding, (struct sched_holder){.partition = run->partition,
                                              .vp = run->vp,
                                              .number = run->number,
                                              .time = cycles_sub(to, from)});
    return true;
}

/* Who was on `lp` while the VP waited, from the last one back, until all of
 * the contention is told. */
static void add_runs(struct holding *holding, const struct hv_lp *lp)
{
    uint64_t count = lp->run_count;

    if (lp->vp && lp->vp != holding->waited->vp) {
        const struct lp_run now =
            sched_wait_run(lp, holding->waited->dispatched);

        add_run(holding, &now);
    }
    for (unsigned i = 1; i <= LP_RUNS && i <= count && holding->left.v > 0;
         i++) {
        if (!add_run(holding, &lp->runs[(count - i) % LP_RUNS]))
            return;
    }
}

/* The LP whose runs kept it out: that on which it started; but that where it
 * ran last, or would have begun, if it started on none, or on one of another
 * node because those of its own were in use. NULL: nobody knows. */
static const struct hv_lp *waited_for(const struct sched_waited *waited)
{
    const struct hv_vp *vp = waited->vp;
    const struct hv_lp *ideal = &sched_of(vp)->hv->lps[vp->sched.ideal_lp];
    const struct hv_lp *home = vp->sched.lp ? vp->sched.lp : ideal;
    bool far = waited->rule == SCHED_RULE_NUMA;

    if (waited->lp && (!far || waited->lp->node == vp->node))
        return waited->lp;
    if (far && home->node != vp->node)
        home = ideal;
    return sched_allows(vp, home) ? home : waited->lp;
}

static void longest_first(struct sched_waited *waited)
{
    struct sched_holder *holders = waited->holders;
    unsigned longest = 0;

    for (unsigned i = 1; i < waited->holder_count; i++) {
        if (cycles_before(holders[longest].time, holders[i].time))
            longest = i;
    }
    if (longest > 0) {
        struct sched_holder first = holders[0];

        holders[0] = holders[longest];
        holders[longest] = first;
    }
}

/* The VP that the policy named. */
static void add_held(struct holding *holding, const struct vp_wait *wait)
{
    const struct vp_names *names = &sched_of(holding->waited->vp)->hv->vp_names;
    const struct vp_name *name = &names->names[wait->held];

    if (wait->held_time.v > 0 && holding->left.v > 0)
        add_holder(holding, (struct sched_holder){.partition = name->partition,
                                                  .vp = name->vp,
                                                  .number = wait->held,
                                                  .time = wait->held_time});
}

static void name_holders(struct sched_waited *waited,
                         const struct booking *booking)
{
    struct holding holding = {
        .waited = waited,
        .left = sched_waited_contention(waited),
    };
    const struct hv_lp *lp = waited_for(waited);

    if (booking->wait->is_held)
        add_held(&holding, booking->wait);
    if (lp)
        add_runs(&holding, lp);
    longest_first(waited);
    if (waited->holder_count == 0)
        return;
    waited->holder_partition = waited->holders[0].partition;
    waited->holder_vp = waited->holders[0].vp;
}

/* Only what there is of it: the rest would be fetched in vain. */
static void copy_parts(const struct hv_vp *vp, struct vp_wait_parts *parts)
{
    const struct vp_wait_parts *from = &vp->sched.wait_parts;
    unsigned left = vp->sched.wait.booked & ~RULES_OF_WAIT;

    for (; left; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);

        parts->time[i] = from->time[i];
    }
    if (vp->sched.restricted)
        parts->idle_time = from->idle_time;
}

void sched_wait_end(const struct hv_vp *vp, const struct hv_lp *lp,
                    cycles_t now, struct sched_waited *waited)
{
    struct vp_wait wait = vp->sched.wait;
    struct vp_wait_parts parts;
    struct booking booking = {vp, &wait, &parts};

    copy_parts(vp, &parts);
    waited->vp = vp;
    waited->lp = lp;
    waited->ready = vp->state_since;
    waited->dispatched = now;
    waited->holder_partition = 0;
    waited->holder_vp = 0;
    waited->holder_count = 0;
    end_rules(&booking, lp, now);
    tell_rules(waited, &booking);
    name_holders(waited, &booking);
}

cycles_t sched_waited_wake_up(const struct sched_waited *waited)
{
    return waited->by_rule[SCHED_RULE_WAKE];
}

cycles_t sched_waited_held_back(const struct sched_waited *waited)
{
    return cycles_add(waited->by_rule[SCHED_RULE_CAP],
                      waited->by_rule[SCHED_RULE_GROUP]);
}

cycles_t sched_waited_contention(const struct sched_waited *waited)
{
    cycles_t wait = cycles_sub(waited->dispatched, waited->ready);

    wait = cycles_sub(wait, sched_waited_wake_up(waited));
    return cycles_sub(wait, sched_waited_held_back(waited));
}
