/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/host_core.h"

#include "hypervisor/partition.h"

struct hv_lp *host_core_used(const struct host_core *core)
{
    for (uint32_t i = 0; i < core->width; i++) {
        if (core->lps[i].vp)
            return &core->lps[i];
    }
    return NULL;
}

void host_core_call(struct hv_sched *sched, const struct host_core *core,
                    const struct hv_lp *except, cycles_t now)
{
    for (uint32_t i = 0; i < core->width; i++) {
        struct hv_lp *lp = &core->lps[i];

        if (lp->vp && lp != except)
            sched_poke(sched, lp, now);
    }
}

static cycles_t uncharged(const struct host_core *core, cycles_t now)
{
    return cycles_before(core->charged_at, now)
               ? cycles_sub(now, core->charged_at)
               : cycles(0);
}

void host_core_charge(struct host_core *core, cycles_t now)
{
    struct virtual_core *holder = core->holder;

    if (!holder)
        return;
    fair_share_charge(&holder->entity, uncharged(core, now));
    core->charged_at = cycles_max(core->charged_at, now);
}

uint64_t host_core_time(const struct host_core *core, cycles_t now)
{
    if (!core->holder)
        return UINT64_MAX;
    return fair_share_after(&core->holder->entity, uncharged(core, now));
}

bool host_core_is_over(const struct host_core *core)
{
    const struct hv_vp *vp = NULL;

    if (core->leaving)
        return true;
    if (host_core_used(core))
        return false;
    while ((vp = virtual_core_next_ready(core->holder, vp)) != NULL) {
        if (virtual_core_lp(vp, core->number))
            return false;
    }
    return true;
}

void host_core_vacate(struct host_core *core)
{
    for (uint32_t i = 0; i < core->width; i++)
        core->free_since =
            cycles_max(core->free_since, core->lps[i].free_since);
    host_core_charge(core, core->free_since);
    core->holder->on = NULL;
    core->holder = NULL;
    core->leaving = false;
}

struct hv_vp *host_core_next(const struct host_core *core,
                             const struct hv_lp *lp)
{
    struct hv_vp *vp = NULL;

    do {
        vp = virtual_core_next_ready(core->holder, vp);
    } while (vp && virtual_core_lp(vp, core->number) != lp);
    return vp;
}

bool host_core_is_short(const struct host_core *core)
{
    const struct hv_vp *vp = NULL;

    while ((vp = virtual_core_next_ready(core->holder, vp)) != NULL) {
        const struct hv_lp *lp = virtual_core_lp(vp, core->number);

        if (!lp || lp->vp)
            return true;
    }
    return false;
}

bool host_core_idles(const struct hv_sched *sched, const struct host_core *core)
{
    for (uint32_t i = 0; i < core->width; i++) {
        if (lp_set_has(&sched->idle, core->lps[i].id.v))
            return true;
    }
    return false;
}
