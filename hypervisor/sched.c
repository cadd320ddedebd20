/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/sched.h"

#include <string.h>

#include "hypervisor/sched_policies.h"

static const struct hv_sched_ops *const sched_policies[] = {
    &sched_round_robin,
};

#define POLICY_COUNT (sizeof(sched_policies) / sizeof(sched_policies[0]))

const struct hv_sched_ops *sched_find(const char *name)
{
    for (unsigned i = 0; i < POLICY_COUNT; i++) {
        if (strcmp(sched_policies[i]->name, name) == 0)
            return sched_policies[i];
    }
    return NULL;
}

bool sched_init(struct hv_sched *sched, const struct hv_sched_ops *ops,
                struct hv_sched_params params, struct hypervisor *hv)
{
    *sched = (struct hv_sched){.ops = ops, .params = params, .hv = hv};
    return ops->init(sched);
}

void sched_fini(struct hv_sched *sched)
{
    if (sched->ops)
        sched->ops->fini(sched);
    sched->ops = NULL;
}

bool sched_vp_add(struct hv_sched *sched, struct hv_vp *vp)
{
    return !sched->ops->vp_add || sched->ops->vp_add(sched, vp);
}

void sched_vp_remove(struct hv_sched *sched, struct hv_vp *vp)
{
    if (sched->ops->vp_remove)
        sched->ops->vp_remove(sched, vp);
}

struct hv_lp *sched_enqueue(struct hv_sched *sched, struct hv_vp *vp,
                            cycles_t now)
{
    return sched->ops->enqueue(sched, vp, now);
}

void sched_dequeue(struct hv_sched *sched, struct hv_vp *vp)
{
    sched->ops->dequeue(sched, vp);
}

struct hv_vp *sched_pick(struct hv_sched *sched, struct hv_lp *lp, cycles_t now,
                         cycles_t *slice_end)
{
    return sched->ops->pick(sched, lp, now, slice_end);
}

bool sched_must_yield(struct hv_sched *sched, struct hv_lp *lp,
                      struct hv_vp *vp, cycles_t now, cycles_t *slice_end)
{
    return sched->ops->must_yield(sched, lp, vp, now, slice_end);
}

void sched_account(struct hv_sched *sched, struct hv_vp *vp, cycles_t ran)
{
    if (sched->ops->account)
        sched->ops->account(sched, vp, ran);
}
