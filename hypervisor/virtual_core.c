/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/virtual_core.h"

#include <stdlib.h>

#include "hypervisor/lp.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"
#include "sim/core/host_line.h"

bool virtual_core_vp_add(struct virtual_core_pool *pool,
                         struct fair_share *share, struct hv_vp *vp)
{
    struct virtual_core *core = host_line_calloc(sizeof(*core));

    if (!core || !fair_share_join(share, &core->entity)) {
        free(core);
        return false;
    }
    virtual_thread_set_allowed(vp);
    core->next = pool->first;
    pool->first = core;
    return true;
}

static void leave(struct virtual_core_pool *pool, struct virtual_thread *thread)
{
    struct virtual_core *core = thread->core;
    struct virtual_thread *moved;
    uint32_t last;

    if (!core)
        return;
    last = --core->thread_count;
    core->restricted -= thread->restricted;
    core->slots[thread->place] = core->slots[last];
    moved = core->slots[thread->place].vp->sched.policy;
    moved->place = thread->place;
    if (core->thread_count > 0)
        return;
    CHECK(!core->on && !fair_share_waits(&core->entity));
    core->next = pool->first;
    pool->first = core;
}

void virtual_core_vp_remove(struct virtual_core_pool *pool,
                            struct fair_share *share, struct hv_vp *vp)
{
    struct virtual_thread *thread = vp->sched.policy;
    struct virtual_core *core;

    leave(pool, thread);
    core = pool->first;
    CHECK(core);
    pool->first = core->next;
    fair_share_leave(share, &core->entity);
    free(core);
}

/* Which VPs belong together: `key` is the same for those. */
struct placing {
    uint64_t key;
    uint32_t thread;
};

static struct placing placing_of(const struct hv_vp *vp)
{
    uint32_t host_width = vp->hv->threads_per_core;
    uint64_t width = vp->partition->topology.threads_per_core;
    int pinned = lp_set_next(&vp->sched.affinity, 0);

    if (lp_set_next(&vp->sched.affinity, (uint32_t)pinned + 1) < 0)
        return (struct placing){
            .key = UINT64_C(1) << 32 | (uint32_t)pinned / host_width,
            .thread = (uint32_t)pinned % host_width,
        };
    if (width > host_width)
        width = host_width;
    return (struct placing){
        .key = vp->index.v / width,
        .thread = (uint32_t)(vp->index.v % width),
    };
}

static struct virtual_core *find(const struct hv_partition *partition,
                                 uint64_t key)
{
    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        const struct hv_vp *vp = partition->vps[i];
        const struct virtual_thread *thread = vp ? vp->sched.policy : NULL;

        if (thread && thread->core && thread->core->key == key &&
            thread->core->thread_count < VIRTUAL_CORE_WIDTH_MAX)
            return thread->core;
    }
    return NULL;
}

static struct virtual_core *take(struct virtual_core_pool *pool,
                                 struct hv_vp *vp, uint64_t key)
{
    struct virtual_core *core = pool->first;

    CHECK(core);
    pool->first = core->next;
    core->partition = vp->partition;
    core->key = key;
    core->thread_count = 0;
    core->restricted = 0;
    core->yields = false;
    core->entity.local.owner = core;
    core->entity.local.number = vp->number;
    core->entity.weight = vp->partition->sched.weight;
    core->entity.virtual_time = 0;
    core->entity.local.remark = vp->hv->lps[vp->sched.ideal_lp].core;
    return core;
}

void virtual_thread_set_allowed(struct hv_vp *vp)
{
    struct virtual_thread *thread = vp->sched.policy;
    uint32_t count = vp->hv->lp_count / vp->hv->threads_per_core;
    int lp = lp_set_next(&vp->sched.allowed, 0);

    if (thread->core)
        thread->core->restricted -= thread->restricted;
    thread->cores = (struct lp_set){0};
    for (; lp >= 0; lp = lp_set_next(&vp->sched.allowed, (uint32_t)lp + 1))
        lp_set_add(&thread->cores, vp->hv->lps[lp].core);
    thread->restricted = lp_set_count(&thread->cores) < count;
    if (thread->core)
        thread->core->restricted += thread->restricted;
}

void virtual_core_join(struct virtual_core_pool *pool, struct hv_vp *vp)
{
    struct virtual_thread *thread = vp->sched.policy;
    struct virtual_core *core;
    struct placing placing;

    if (thread->core)
        return;
    placing = placing_of(vp);
    core = find(vp->partition, placing.key);
    if (!core)
        core = take(pool, vp, placing.key);
    thread->core = core;
    thread->thread = placing.thread;
    thread->place = core->thread_count++;
    core->restricted += thread->restricted;
    core->slots[thread->place] = (struct virtual_slot){.vp = vp};
}

void virtual_core_wait(const struct hv_vp *vp, uint64_t order)
{
    const struct virtual_thread *thread = vp->sched.policy;

    thread->core->slots[thread->place].since = order;
}

void virtual_core_end_wait(const struct hv_vp *vp)
{
    virtual_core_wait(vp, 0);
}

/* Without a look at the VP. */
static uint64_t since_of(const struct virtual_core *core,
                         const struct hv_vp *vp)
{
    uint32_t i = 0;

    while (core->slots[i].vp != vp)
        i++;
    return core->slots[i].since;
}

struct hv_vp *virtual_core_next_ready(const struct virtual_core *core,
                                      const struct hv_vp *after)
{
    uint64_t from = after ? since_of(core, after) : 0;
    uint64_t least = UINT64_MAX;
    struct hv_vp *next = NULL;

    for (uint32_t i = 0; i < core->thread_count; i++) {
        const struct virtual_slot *slot = &core->slots[i];

        if (slot->since > from && slot->since < least) {
            least = slot->since;
            next = slot->vp;
        }
    }
    return next;
}

struct lp_set virtual_core_seats(const struct virtual_core_pool *pool,
                                 const struct virtual_core *core)
{
    const struct hv_vp *vp = NULL;
    struct lp_set seats = pool->cores;

    if (core->restricted == 0)
        return seats;
    while ((vp = virtual_core_next_ready(core, vp)) != NULL) {
        const struct virtual_thread *thread = vp->sched.policy;
        struct lp_set both = lp_set_and(&seats, &thread->cores);

        if (!lp_set_is_empty(&both))
            seats = both;
    }
    return seats;
}

bool virtual_thread_finds(const struct hv_vp *vp, const struct lp_set *cores)
{
    const struct virtual_thread *thread = vp->sched.policy;

    if (lp_set_is_empty(cores))
        return false;
    return !thread->restricted ||
           lp_set_first_in_both(&thread->cores, cores) >= 0;
}

struct hv_lp *virtual_thread_lp(const struct hv_vp *vp, uint32_t host_core)
{
    const struct virtual_thread *thread = vp->sched.policy;
    struct hypervisor *hv = vp->hv;
    uint32_t width = hv->threads_per_core;
    struct hv_lp *first = &hv->lps[host_core * width];

    if (sched_allows(vp, &first[thread->thread]))
        return &first[thread->thread];
    for (uint32_t i = 0; i < width; i++) {
        if (sched_allows(vp, &first[i]))
            return &first[i];
    }
    return NULL;
}
