/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/sched_period.h"

#include <stdlib.h>

#include "hypervisor/cpu_group.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

/* A slice ends a little after its time, by an instruction and an intercept.
 * The first period of an account is shorter by so much of it, so that the sum
 * over any number of whole periods stays within the limit. */
#define MARGIN 256

/* VPs of a group that run at the same time share what is left. So that they do
 * not come back for ever smaller shares, no share is smaller than this part of
 * a period. */
#define SHARE_LEAST 256

struct sched_period {
    struct hv_vp *head, *tail; /* parked, in order; by vp->sched.next */
    struct event release;
};

static uint64_t period_cycles(const struct hv_sched *sched)
{
    return sched->params.period.v;
}

static uint64_t period_number(const struct hv_sched *sched, cycles_t at)
{
    return at.v / period_cycles(sched);
}

cycles_t sched_period_next(const struct hv_sched *sched, cycles_t now)
{
    return cycles((period_number(sched, now) + 1) * period_cycles(sched));
}

/* `fraction` of 65536, of the period of `lps` LPs: below 2^60 for periods of up
 * to a second. */
static int64_t quota(const struct hv_sched *sched, uint64_t fraction,
                     uint64_t lps)
{
    return (int64_t)(period_cycles(sched) * fraction * lps /
                     PARTITION_CPU_SHARE_MAX);
}

/* Brings the account into the period of `now`, unless it is past that. */
static void account_turn(const struct hv_sched *sched,
                         struct sched_account *account, int64_t per_period,
                         cycles_t now)
{
    uint64_t period = period_number(sched, now) + 1;

    if (account->period == 0) {
        account->period = period;
        account->left = per_period - per_period / MARGIN;
        return;
    }
    if (account->period >= period)
        return;

    /* A debt is paid off by whole periods, of which there may be many. */
    uint64_t passed = period - account->period;
    int64_t owed = account->left < 0 ? -account->left : 0;
    uint64_t to_pay = per_period > 0 ? (uint64_t)(owed / per_period) + 1 : 0;

    if (per_period > 0 && passed > to_pay)
        account->left = per_period;
    else
        account->left += per_period * (int64_t)passed;
    if (account->left > per_period)
        account->left = per_period;
    account->period = period;
    account->used = 0;
}

static void turn_vp(const struct hv_sched *sched, struct hv_vp *vp,
                    cycles_t now)
{
    account_turn(sched, &vp->sched.account,
                 quota(sched, vp->partition->sched.cap, 1), now);
}

static void turn_group(const struct hv_sched *sched, struct cpu_group *group,
                       cycles_t now)
{
    account_turn(sched, &group->account,
                 quota(sched, group->cap, sched->hv->lp_count), now);
}

static bool has_limit(const struct hv_vp *vp)
{
    return vp->partition->sched.cap < PARTITION_CPU_SHARE_MAX;
}

static struct cpu_group *capped_group(const struct hv_vp *vp)
{
    struct cpu_group *group = vp->partition->sched.group;

    return group && group->cap < CPU_GROUP_CAP_MAX ? group : NULL;
}

static cycles_t vp_left(const struct hv_sched *sched, struct hv_vp *vp,
                        cycles_t now)
{
    if (!has_limit(vp))
        return CYCLES_NEVER;
    turn_vp(sched, vp, now);
    return cycles(vp->sched.account.left > 0 ? (uint64_t)vp->sched.account.left
                                             : 0);
}

static cycles_t group_left(const struct hv_sched *sched, const struct hv_vp *vp,
                           cycles_t now)
{
    struct cpu_group *group = capped_group(vp);

    if (!group)
        return CYCLES_NEVER;
    turn_group(sched, group, now);
    if (group->account.left <= 0)
        return cycles(0);

    uint32_t sharing = group->running + (vp->state != VP_RUNNING);
    uint64_t share = (uint64_t)group->account.left / (sharing ? sharing : 1);

    return cycles_max(cycles(share),
                      cycles(period_cycles(sched) / SHARE_LEAST + 1));
}

cycles_t sched_period_left(struct hv_sched *sched, struct hv_vp *vp,
                           cycles_t now)
{
    cycles_t left =
        cycles_min(vp_left(sched, vp, now), group_left(sched, vp, now));

    if (left.v == CYCLES_NEVER.v)
        return left;
    return cycles_min(left, cycles_sub(sched_period_next(sched, now), now));
}

cycles_t sched_period_reserve_left(struct hv_sched *sched, struct hv_vp *vp,
                                   cycles_t now)
{
    uint64_t reserve = vp->partition->sched.reserve;

    /* TLFS: with more VPs than LPs a reserve is not guaranteed. */
    if (reserve == 0 || vp->partition->vp_count > sched->hv->lp_count)
        return cycles(0);
    turn_vp(sched, vp, now);

    uint64_t owed = (uint64_t)quota(sched, reserve, 1);
    uint64_t used = vp->sched.account.used;

    return cycles(owed > used ? owed - used : 0);
}

void sched_period_charge(struct hv_sched *sched, struct hv_vp *vp, cycles_t ran,
                         cycles_t now)
{
    struct cpu_group *group = capped_group(vp);
    cycles_t start = cycles_sub(now, ran);

    /* It belongs to the period in which it began: a slice ends with the
     * period, so what lies behind is little. */
    turn_vp(sched, vp, start);
    vp->sched.account.left -= (int64_t)ran.v;
    vp->sched.account.used += ran.v;
    if (!group)
        return;
    turn_group(sched, group, start);
    group->account.left -= (int64_t)ran.v;
    group->account.used += ran.v;
}

static void append(struct sched_period *period, struct hv_vp *vp)
{
    vp->sched.parked = true;
    vp->sched.next = NULL;
    vp->sched.previous = period->tail;
    if (period->tail)
        period->tail->sched.next = vp;
    else
        period->head = vp;
    period->tail = vp;
}

void sched_period_park(struct hv_sched *sched, struct hv_vp *vp, cycles_t now)
{
    struct sched_period *period = sched->period;
    cycles_t next = sched_period_next(sched, now);
    bool own = vp_left(sched, vp, now).v == 0;

    append(period, vp);
    sched_wait(vp, own ? SCHED_RULE_CAP : SCHED_RULE_GROUP, NULL, now);
    if (!event_is_scheduled(&period->release) ||
        cycles_before(next, period->release.due))
        event_schedule(sched->hv->events, &period->release, next);
}

void sched_period_unpark(struct hv_sched *sched, struct hv_vp *vp)
{
    struct sched_period *period = sched->period;
    struct vp_sched *links = &vp->sched;

    CHECK(links->parked);
    if (links->previous)
        links->previous->sched.next = links->next;
    else
        period->head = links->next;
    if (links->next)
        links->next->sched.previous = links->previous;
    else
        period->tail = links->previous;
    links->next = links->previous = NULL;
    links->parked = false;
}

/* A new period: those that may run again go back to the policy, in the order
 * in which they came. The others are parked anew. */
static void release(void *context, cycles_t now)
{
    struct hv_sched *sched = context;
    struct hv_vp *last = sched->period->tail;
    bool more = last != NULL;

    while (more) {
        struct hv_vp *vp = sched->period->head;

        more = vp != last;
        sched_period_unpark(sched, vp);
        sched_enqueue(sched, vp, cycles_max(now, vp->sched.ready_since));
    }
}

bool sched_period_init(struct hv_sched *sched)
{
    struct sched_period *period = calloc(1, sizeof(*period));

    if (!period)
        return false;
    period->release = (struct event){
        .kind = EVENT_TIMER,
        .name = "sched-period",
        .fire = release,
        .context = sched,
    };
    sched->period = period;
    return true;
}

void sched_period_fini(struct hv_sched *sched)
{
    if (sched->period)
        event_cancel(sched->hv->events, &sched->period->release);
    free(sched->period);
    sched->period = NULL;
}
