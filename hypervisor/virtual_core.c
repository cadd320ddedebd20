/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/virtual_core.h"

#include "hypervisor/lp.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

struct virtual_core_pool virtual_core_pool(struct lp_set cores)
{
    return (struct virtual_core_pool){
        .memory = host_pool(sizeof(struct virtual_core)),
        .cores = cores,
    };
}

void virtual_core_pool_fini(struct virtual_core_pool *pool)
{
    host_pool_fini(&pool->memory);
}

bool virtual_core_vp_add(struct virtual_core_pool *pool,
                         struct fair_share *share, struct hv_vp *vp)
{
    struct virtual_core *core = host_pool_calloc(&pool->memory);

    if (!core || !fair_share_join(share, &core->entity)) {
        host_pool_free(&pool->memory, core);
        return false;
    }
    vp->sched.policy = NULL;
    core->next = pool->first;
    pool->first = core;
    return true;
}

/* Its number among the VPs of its virtual core. */
static uint32_t index_of(const struct virtual_core *core,
                         const struct hv_vp *vp)
{
    uint32_t i = 0;

    while (core->slots[i].vp != vp)
        i++;
    return i;
}

static void leave(struct virtual_core_pool *pool, struct hv_vp *vp)
{
    struct virtual_core *core = vp->sched.policy;
    uint32_t at, last;

    if (!core)
        return;
    at = index_of(core, vp);
    last = --core->vp_count;
    core->restricted -= core->places[at].restricted;
    core->slots[at] = core->slots[last];
    core->threads[at] = core->threads[last];
    core->places[at] = core->places[last];
    vp->sched.policy = NULL;
    if (core->vp_count > 0)
        return;
    CHECK(!core->on && !fair_share_waits(&core->entity));
    core->next = pool->first;
    pool->first = core;
}

void virtual_core_vp_remove(struct virtual_core_pool *pool,
                            struct fair_share *share, struct hv_vp *vp)
{
    struct virtual_core *core;

    leave(pool, vp);
    core = pool->first;
    CHECK(core);
    pool->first = core->next;
    fair_share_leave(share, &core->entity);
    host_pool_free(&pool->memory, core);
}

/* Which VPs belong together: `key` is the same for those. */
struct placing {
    uint64_t key;
    uint8_t thread;
};

static struct placing placing_of(const struct hv_vp *vp)
{
    uint32_t host_width = vp->hv->threads_per_core;
    uint64_t width = vp->partition->topology.threads_per_core;
    int pinned = lp_set_next(&vp->sched.affinity, 0);

    if (lp_set_next(&vp->sched.affinity, (uint32_t)pinned + 1) < 0)
        return (struct placing){
            .key = UINT64_C(1) << 32 | (uint32_t)pinned / host_width,
            .thread = (uint8_t)((uint32_t)pinned % host_width),
        };
    if (width > host_width)
        width = host_width;
    return (struct placing){
        .key = vp->index.v / width,
        .thread = (uint8_t)(vp->index.v % width),
    };
}

static struct virtual_core *find(const struct hv_partition *partition,
                                 uint64_t key)
{
    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        const struct hv_vp *vp = partition->vps[i];
        struct virtual_core *core = vp ? vp->sched.policy : NULL;

        if (core && core->key == key && core->vp_count < VIRTUAL_CORE_WIDTH_MAX)
            return core;
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
    core->vp_count = 0;
    core->restricted = 0;
    core->yields = false;
    core->entity.local.owner = core;
    core->entity.local.number = vp->number;
    core->entity.weight = vp->partition->sched.weight;
    core->entity.virtual_time = 0;
    core->entity.local.remark = vp->hv->lps[vp->sched.ideal_lp].core;
    return core;
}

void virtual_core_set_allowed(const struct hv_vp *vp)
{
    struct virtual_core *core = vp->sched.policy;
    uint32_t count = vp->hv->lp_count / vp->hv->threads_per_core;
    int lp = lp_set_next(&vp->sched.allowed, 0);
    struct virtual_place *place;

    if (!core)
        return;
    place = &core->places[index_of(core, vp)];
    core->restricted -= place->restricted;
    place->cores = (struct lp_set){0};
    for (; lp >= 0; lp = lp_set_next(&vp->sched.allowed, (uint32_t)lp + 1))
        lp_set_add(&place->cores, vp->hv->lps[lp].core);
    place->restricted = lp_set_count(&place->cores) < count;
    core->restricted += place->restricted;
}

void virtual_core_join(struct virtual_core_pool *pool, struct hv_vp *vp)
{
    struct virtual_core *core = vp->sched.policy;
    struct placing placing;

    if (core)
        return;
    placing = placing_of(vp);
    core = find(vp->partition, placing.key);
    if (!core)
        core = take(pool, vp, placing.key);
    core->threads[core->vp_count] = placing.thread;
    core->places[core->vp_count].restricted = false;
    core->slots[core->vp_count++] = (struct virtual_slot){.vp = vp};
    vp->sched.policy = core;
    virtual_core_set_allowed(vp);
}

void virtual_core_wait(const struct hv_vp *vp, uint64_t order)
{
    struct virtual_core *core = vp->sched.policy;

    core->slots[index_of(core, vp)].since = order;
}

void virtual_core_end_wait(const struct hv_vp *vp)
{
    virtual_core_wait(vp, 0);
}

struct hv_vp *virtual_core_next_ready(const struct virtual_core *core,
                                      const struct hv_vp *after)
{
    uint64_t from = after ? core->slots[index_of(core, after)].since : 0;
    uint64_t least = UINT64_MAX;
    struct hv_vp *next = NULL;

    for (uint32_t i = 0; i < core->vp_count; i++) {
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
        const struct lp_set *cores = &core->places[index_of(core, vp)].cores;
        struct lp_set both = lp_set_and(&seats, cores);

        if (!lp_set_is_empty(&both))
            seats = both;
    }
    return seats;
}

bool virtual_core_finds(const struct hv_vp *vp, const struct lp_set *cores)
{
    const struct virtual_core *core = vp->sched.policy;

    return core->restricted == 0 ||
           lp_set_first_in_both(&core->places[index_of(core, vp)].cores,
                                cores) >= 0;
}

struct hv_lp *virtual_core_lp(const struct hv_vp *vp, uint32_t host_core)
{
    const struct virtual_core *core = vp->sched.policy;
    struct hypervisor *hv = core->partition->hv;
    uint32_t width = hv->threads_per_core;
    struct hv_lp *first = &hv->lps[host_core * width];
    uint32_t thread = core->threads[index_of(core, vp)];

    if (sched_allows(vp, &first[thread]))
        return &first[thread];
    for (uint32_t i = 0; i < width; i++) {
        if (sched_allows(vp, &first[i]))
            return &first[i];
    }
    return NULL;
}
