/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/sched_period.h"

#include <stdlib.h>

#include "hypervisor/admission.h"
#include "hypervisor/cpu_group.h"
#include "hypervisor/lp.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

/* A slice ends a little after its time, by an instruction and an intercept.
 * The first period of an account is shorter by so much of it, so that the sum
 * over any number of whole periods stays within the limit. */
#define MARGIN 256

/* So that VPs of a group do not come back for ever smaller parts of what is
 * left, none is smaller than this part of its cap; less than that is lost. */
#define PART_LEAST 1024

/* Those parked come back within a period when so much of their group's cap has
 * been given back. */
#define GIVEN_BACK_LEAST 64

/* To have an LP switch takes less than this part of a period. */
#define SWITCH_PARTS 128

struct sched_period {
    struct hv_vp *head, *tail; /* parked, in order; by vp->sched.next */
    struct event release;
};

static uint64_t period_cycles(const struct hv_sched *sched)
{
    return sched->params.period.v;
}

/* As in struct sched_account. */
static uint64_t period_of(const struct hv_sched *sched, cycles_t at)
{
    return at.v / period_cycles(sched) + 1;
}

cycles_t sched_period_next(const struct hv_sched *sched, cycles_t now)
{
    return cycles(period_of(sched, now) * period_cycles(sched));
}

/* `fraction` of 65536, of the period of `lps` LPs: below 2^60 for periods of up
 * to a second. */
static uint64_t quota(const struct hv_sched *sched, uint64_t fraction,
                      uint64_t lps)
{
    return period_cycles(sched) * fraction * lps / PARTITION_CPU_SHARE_MAX;
}

/* What is over when the account's period ends is paid off by that period and
 * the whole ones after it, of which there may be many. */
static void account_pass(struct sched_account *account, uint64_t period)
{
    uint64_t later = period - account->period - 1;
    int64_t over =
        (int64_t)account->used + account->debt - (int64_t)account->quota;

    if (over <= 0)
        over = 0;
    else if (account->quota > 0 && (uint64_t)over / account->quota < later)
        over = 0;
    else
        over -= (int64_t)(later * account->quota);
    account->debt = over < 0 ? 0 : over;
    account->used = 0;
    account->period = period;
}

/* Brings the account into the period of `now`, unless it is past that. */
static void account_turn(const struct hv_sched *sched,
                         struct sched_account *account, uint64_t per_period,
                         cycles_t now)
{
    uint64_t period = period_of(sched, now);

    if (account->period == 0)
        *account = (struct sched_account){
            .period = period,
            .quota = per_period,
            .debt = (int64_t)(per_period / MARGIN),
        };
    if (account->period < period)
        account_pass(account, period);
    if (per_period < account->quota &&
        (int64_t)account->used + account->debt > (int64_t)per_period)
        account->debt = (int64_t)per_period - (int64_t)account->used;
    account->quota = per_period;
}

static uint64_t account_left(const struct sched_account *account)
{
    int64_t left =
        (int64_t)account->quota - account->debt - (int64_t)account->used;

    return left > 0 ? (uint64_t)left : 0;
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
                 quota(sched, group->cap, lp_set_count(&group->lps)), now);
}

/* A VM's account in its group only says what it has used of this period. */
static uint64_t used_in_group(const struct hv_partition *partition)
{
    const struct sched_account *account = &partition->sched.group_account;

    return account->period == partition->sched.group->account.period
               ? account->used
               : 0;
}

static void use_in_group(struct hv_partition *partition, uint64_t used)
{
    struct sched_account *account = &partition->sched.group_account;
    struct sched_account *whole = &partition->sched.group->account;

    account->used = used_in_group(partition) + used;
    account->period = whole->period;
    whole->used += used;
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

static cycles_t limit_left(const struct hv_sched *sched, struct hv_vp *vp,
                           cycles_t now)
{
    if (!has_limit(vp))
        return CYCLES_NEVER;
    turn_vp(sched, vp, now);
    return cycles(account_left(&vp->sched.account));
}

/* How many VPs of the partition would take a part now: those that wait for an
 * LP, and those that run by a part of a period that is over. */
static uint32_t due_for_part(const struct hv_partition *partition,
                             const struct hv_vp *besides)
{
    uint64_t period = partition->sched.group->account.period;
    uint32_t count = 0;
    uint32_t seen = 0;

    for (uint32_t i = 0; seen < partition->vp_count; i++) {
        const struct hv_vp *vp = partition->vps[i];

        if (!vp)
            continue;
        seen++;
        if (vp == besides)
            continue;
        if (vp->state == VP_READY)
            count += !vp->sched.parked;
        else if (vp->state == VP_RUNNING)
            count += vp->sched.grant.period != period;
    }
    return count;
}

/* VMs among whom the cap is divided: those that want to run now, or have run in
 * this period or the one before and may want to again. */
static bool takes_part(const struct hv_partition *partition)
{
    uint64_t last = partition->sched.group_account.period;

    return partition->sched.wanting_vps > 0 ||
           (last != 0 && last + 1 >= partition->sched.group->account.period);
}

static uint32_t vms_taking_part(const struct cpu_group *group)
{
    uint32_t count = 0;

    for (const struct hv_partition *vm = group->first; vm;
         vm = vm->sched.group_next)
        count += takes_part(vm);
    return count;
}

/* What is kept of the even part `each` for a VM that is none of the caller's:
 * all that it has not had yet while a VP waits for an LP; for those that sleep,
 * as much as they could use until the period ends, and not more than the even
 * part of that time. */
static uint64_t kept_for(const struct hv_sched *sched,
                         const struct hv_partition *vm, uint64_t each,
                         uint64_t time)
{
    uint64_t used = used_in_group(vm);
    uint64_t asleep = vm->vp_count - vm->sched.wanting_vps;

    if (used >= each || !takes_part(vm))
        return 0;
    if (due_for_part(vm, NULL) > 0)
        return each - used;

    /* In two steps: the product of the two could be too large. */
    uint64_t fraction = time * 65536 / period_cycles(sched);
    uint64_t kept = each * fraction / 65536;

    kept = kept < asleep * time ? kept : asleep * time;
    return kept < each - used ? kept : each - used;
}

/* What `vp` would get of its group's cap if it began to run at `now`: of its
 * VM's even part, or else of what is kept for nobody. */
static cycles_t group_part(const struct hv_sched *sched, const struct hv_vp *vp,
                           cycles_t now)
{
    struct cpu_group *group = capped_group(vp);
    const struct hv_partition *partition = vp->partition;

    if (!group)
        return CYCLES_NEVER;
    turn_group(sched, group, now);

    uint64_t left = account_left(&group->account);
    uint64_t least = group->account.quota / PART_LEAST + 1;
    uint32_t vms = vms_taking_part(group);
    uint64_t each = (left + group->account.used) / (vms ? vms : 1);
    uint64_t used = used_in_group(partition);
    uint64_t part;

    if (used < each) {
        part = (each - used) / (due_for_part(partition, vp) + 1);
    } else {
        uint64_t time = sched_period_next(sched, now).v - now.v;
        uint64_t kept = 0;

        for (const struct hv_partition *other = group->first; other;
             other = other->sched.group_next)
            kept += other == partition ? 0 : kept_for(sched, other, each, time);
        left = left > kept ? left - kept : 0;
        part = left /
               ((uint64_t)(vms ? vms : 1) * (due_for_part(partition, vp) + 1));
    }
    if (left < least)
        return cycles(0);
    part = part < least ? least : part;
    return cycles(part < left ? part : left);
}

bool sched_period_may_run(struct hv_sched *sched, struct hv_vp *vp,
                          cycles_t now)
{
    return limit_left(sched, vp, now).v != 0 &&
           group_part(sched, vp, now).v != 0;
}

cycles_t sched_period_start(struct hv_sched *sched, struct hv_vp *vp,
                            cycles_t now)
{
    struct cpu_group *group = capped_group(vp);
    cycles_t left =
        cycles_min(limit_left(sched, vp, now), group_part(sched, vp, now));

    if (left.v == CYCLES_NEVER.v)
        return left;
    left = cycles_min(left, cycles_sub(sched_period_next(sched, now), now));
    if (group) {
        vp->sched.grant = (struct sched_grant){group->account.period, left.v};
        use_in_group(vp->partition, left.v);
    }
    return left;
}

static void release_at(struct hv_sched *sched, cycles_t at)
{
    struct event *release = &sched->period->release;

    if (!event_is_scheduled(release) || cycles_before(at, release->due))
        event_schedule(sched->hv->events, release, at);
}

void sched_period_stop(struct hv_sched *sched, struct hv_vp *vp, cycles_t now)
{
    struct cpu_group *group = vp->partition->sched.group;
    struct sched_grant grant;

    if (!group)
        return;
    grant = vp->sched.grant;
    vp->sched.grant = (struct sched_grant){0};
    if (grant.left == 0 || grant.period != group->account.period)
        return;
    group->account.used -= grant.left;
    vp->partition->sched.group_account.used -= grant.left;
    if (group->parked > 0 && account_left(&group->account) >=
                                 group->account.quota / GIVEN_BACK_LEAST)
        release_at(sched, now);
}

cycles_t sched_period_reserve_left(struct hv_sched *sched, struct hv_vp *vp,
                                   cycles_t now)
{
    uint64_t reserve = admission_reserve(vp->partition);

    if (reserve == 0)
        return cycles(0);
    turn_vp(sched, vp, now);

    uint64_t owed = quota(sched, reserve, 1);
    uint64_t used = vp->sched.account.used;

    return cycles(owed > used ? owed - used : 0);
}

/* One that waits and is owed so much gets it in this period if it begins at
 * this time and then keeps its LP: a little sooner, for what a switch takes. 0:
 * it is too late. */
static cycles_t last_start(const struct hv_sched *sched, cycles_t owed,
                           cycles_t now)
{
    cycles_t end = sched_period_next(sched, now);
    cycles_t needed =
        cycles_add(owed, cycles(period_cycles(sched) / SWITCH_PARTS));

    return cycles_before(needed, end) ? cycles_sub(end, needed) : cycles(0);
}

cycles_t sched_period_owed_end(const struct hv_sched *sched, cycles_t owed,
                               cycles_t next, cycles_t now)
{
    cycles_t end =
        cycles_min(cycles_add(now, owed), sched_period_next(sched, now));
    cycles_t start = last_start(sched, next, now);

    if (next.v == 0 || !cycles_before(now, start))
        return end;
    return cycles_min(end, start);
}

bool sched_period_owed_yields(const struct hv_sched *sched, cycles_t owed,
                              cycles_t next, cycles_t now)
{
    return cycles_before(owed, next) &&
           !cycles_before(now, last_start(sched, next, now));
}

static void open_account(const struct hv_sched *sched, struct hv_vp *vp)
{
    cycles_t now = vp->sched.lp->charged_at;
    cycles_t begin = cycles((period_of(sched, now) - 1) * period_cycles(sched));
    cycles_t since = cycles_max(begin, vp->sched.lp->dispatched_at);

    turn_vp(sched, vp, now);
    vp->sched.account.used = cycles_sub(now, since).v;
}

void sched_period_open_accounts(struct hv_partition *partition)
{
    if (partition->sched.has_accounts)
        return;
    partition->sched.has_accounts = true;
    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        struct hv_vp *vp = partition->vps[i];

        if (vp && vp->state == VP_RUNNING)
            open_account(&partition->hv->sched, vp);
    }
}

static void charge_vp(struct hv_sched *sched, struct hv_vp *vp, cycles_t ran,
                      cycles_t now)
{
    struct sched_account *account = &vp->sched.account;
    uint64_t in_last;

    if (!vp->partition->sched.has_accounts)
        return;
    in_last = now.v % period_cycles(sched);
    if (in_last > ran.v)
        in_last = ran.v;
    turn_vp(sched, vp, cycles_sub(now, ran));
    account->used += ran.v - in_last;
    if (in_last == 0)
        return;
    turn_vp(sched, vp, now);
    account->used += in_last;
}

void sched_period_charge(struct hv_sched *sched, struct hv_vp *vp, cycles_t ran,
                         cycles_t now)
{
    struct cpu_group *group = vp->partition->sched.group;
    struct sched_grant *grant = &vp->sched.grant;
    uint64_t granted;

    charge_vp(sched, vp, ran, now);
    if (!group)
        return;
    granted = ran.v < grant->left ? ran.v : grant->left;
    grant->left -= granted;
    if (granted == ran.v)
        return;
    turn_group(sched, group, now);
    use_in_group(vp->partition, ran.v - granted);
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
    struct cpu_group *group = vp->partition->sched.group;
    uint64_t time = sched_period_next(sched, now).v - now.v;
    bool own = limit_left(sched, vp, now).v == 0;

    append(period, vp);
    sched_wait(vp, own ? SCHED_RULE_CAP : SCHED_RULE_GROUP, NULL, now);
    if (group)
        group->parked++;
    /* What is kept for others becomes less as the period passes. */
    if (!own && account_left(&group->account) > 0) {
        uint64_t wait = time / 4 + period_cycles(sched) / 64;

        time = wait < time ? wait : time;
    }
    release_at(sched, cycles(now.v + time));
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
    if (vp->partition->sched.group)
        vp->partition->sched.group->parked--;
}

/* A new period, or a group got time back: those that may run again go back to
 * the policy, in the order in which they came. The others are parked anew. */
static void release(void *context, cycles_t now)
{
    struct hv_sched *sched = context;
    struct hv_vp *last = sched->period->tail;
    bool more = last != NULL;

    while (more) {
        struct hv_vp *vp = sched->period->head;

        more = vp != last;
        sched_period_unpark(sched, vp);
        sched_enqueue(sched, vp, cycles_max(now, vp->state_since));
    }
}

void sched_period_note_wish(struct hv_vp *vp, bool wants)
{
    struct partition_sched *of = &vp->partition->sched;

    if (wants)
        of->wanting_vps++;
    else
        of->wanting_vps--;
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
