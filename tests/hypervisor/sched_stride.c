/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Stride: a policy of one's own, as hypervisor/README.md explains it
 * (C. Waldspurger, W. Weihl, "Stride Scheduling", 1995).
 *
 * Design. One run list for all LPs. Each VP has a pass, which grows as it runs,
 * the slower the greater its weight; the least pass goes first. A VP that wakes
 * starts no earlier than the last one that was chosen, so sleeping earns
 * nothing.
 *
 * What this does not do: reserves, pre-emption on wake, warm caches, hints of
 * VPs that spin, a pass of its own for LPs that affinities set apart: who wakes
 * beside one that has had less than others elsewhere waits for that to catch
 * up.
 */
#include "tests/hypervisor/sched_stride.h"

#include <stdlib.h>

#include "hypervisor/lp.h"
#include "hypervisor/partition.h"
#include "hypervisor/run_list.h"
#include "hypervisor/vp.h"

struct stride_vp {
    struct run_entry entry; /* key: its pass when it began to wait */
    uint64_t pass;          /* cycles that it has run, by its weight */
    struct hv_lp *called;   /* the idle LP that comes for it; NULL: none */
};

struct stride {
    struct run_pool pool; /* of room on the list, one for each VP */
    struct run_list waiting;
    uint64_t pass;            /* the greatest that has been chosen */
    struct stride_vp **comes; /* by LP: for whom it has been called, or NULL */
};

static bool stride_init(struct hv_sched *sched)
{
    struct stride *stride = calloc(1, sizeof(*stride));

    sched->policy = stride;
    if (!stride)
        return false;
    stride->waiting.pool = &stride->pool;
    stride->comes = calloc(sched->hv->lp_count, sizeof(struct stride_vp *));
    return stride->comes != NULL;
}

static void stride_fini(struct hv_sched *sched)
{
    struct stride *stride = sched->policy;

    if (stride)
        free(stride->comes);
    free(stride);
}

static bool stride_vp_add(struct hv_sched *sched, struct hv_vp *vp)
{
    struct stride *stride = sched->policy;
    struct stride_vp *s = vp->sched.policy;

    s->entry = (struct run_entry){.owner = vp, .number = vp->number};
    return run_pool_grow(&stride->pool, 1);
}

static void stride_vp_remove(struct hv_sched *sched, struct hv_vp *vp)
{
    struct stride *stride = sched->policy;

    (void)vp;
    run_pool_shrink(&stride->pool, 1);
}

static void stride_enqueue(struct hv_sched *sched, struct hv_vp *vp,
                           cycles_t now)
{
    struct stride *stride = sched->policy;
    struct stride_vp *s = vp->sched.policy;

    if (s->pass < stride->pass && !sched_has_just_run(vp, now))
        s->pass = stride->pass;
    s->called = sched_idle_lp(sched, vp);
    if (s->called) {
        stride->comes[s->called->id.v] = s;
        sched_poke(sched, s->called, now);
        return;
    }
    s->entry.key = s->pass;
    run_list_add(&stride->waiting, &s->entry);
    sched_wait(vp, SCHED_RULE_SLICE, NULL, now);
}

static void stride_dequeue(struct hv_sched *sched, struct hv_vp *vp)
{
    struct stride *stride = sched->policy;
    struct stride_vp *s = vp->sched.policy;

    if (s->called)
        stride->comes[s->called->id.v] = NULL;
    else
        run_list_remove(&s->entry);
    s->called = NULL;
}

/* The first that waits and may run on `lp`, or NULL. */
static struct hv_vp *first_for(const struct stride *stride,
                               const struct hv_lp *lp)
{
    struct run_entry *entry = run_list_first(&stride->waiting);

    while (entry && !sched_allows(entry->owner, lp))
        entry = run_list_next(entry);
    return entry ? entry->owner : NULL;
}

/* `s` runs from `now` on: until when? */
static cycles_t run_from(struct hv_sched *sched, const struct stride_vp *s,
                         cycles_t now)
{
    struct stride *stride = sched->policy;

    stride->pass = s->pass > stride->pass ? s->pass : stride->pass;
    return cycles_add(now, sched->params.slice);
}

static struct sched_choice stride_pick(struct hv_sched *sched, struct hv_lp *lp,
                                       cycles_t now)
{
    struct stride *stride = sched->policy;
    struct stride_vp *s = stride->comes[lp->id.v];
    struct hv_vp *vp = s ? s->entry.owner : first_for(stride, lp);

    if (!vp)
        return (struct sched_choice){0};
    stride_dequeue(sched, vp);
    return (struct sched_choice){
        .vp = vp,
        .slice_end = run_from(sched, vp->sched.policy, now),
    };
}

static bool stride_must_yield(struct hv_sched *sched, struct hv_lp *lp,
                              struct hv_vp *vp, cycles_t now,
                              cycles_t *slice_end)
{
    const struct stride_vp *s = vp->sched.policy;
    const struct hv_vp *other = first_for(sched->policy, lp);
    const struct stride_vp *o = other ? other->sched.policy : NULL;

    if (o && o->pass < s->pass)
        return true;
    *slice_end = run_from(sched, s, now);
    return false;
}

static void stride_charge(struct hv_sched *sched, struct hv_vp *vp,
                          cycles_t ran, cycles_t now)
{
    struct stride_vp *s = vp->sched.policy;

    (void)sched;
    (void)now;
    s->pass += ran.v * PARTITION_CPU_WEIGHT_MAX / vp->partition->sched.weight;
}

const struct hv_sched_ops sched_stride = {
    .name = "stride",
    .help = "the VP that has had the least for its weight goes first",
    .flags = SCHED_WEIGHTS | SCHED_LIMITS | SCHED_WORK_CONSERVING,
    .vp_bytes = sizeof(struct stride_vp),
    .init = stride_init,
    .fini = stride_fini,
    .vp_add = stride_vp_add,
    .vp_remove = stride_vp_remove,
    .enqueue = stride_enqueue,
    .dequeue = stride_dequeue,
    .pick = stride_pick,
    .must_yield = stride_must_yield,
    .charge = stride_charge,
};
