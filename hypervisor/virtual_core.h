/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_VIRTUAL_CORE_H
#define HVSIM_HYPERVISOR_VIRTUAL_CORE_H

/**
 * Virtual cores: the VPs of a partition in groups of the size that its guest
 * believes in (threads_per_core of its topology); VP i is thread i mod that
 * size. VPs that are pinned to an LP, as the root's are, form one with those
 * that are pinned to the same core. Owned by the policy "core".
 *
 * A VP joins its virtual core when it is first ready: then its affinity and its
 * partition's topology are settled.
 */

#include "hypervisor/fair_share.h"
#include "sim/core/host_pool.h"

#define VIRTUAL_CORE_WIDTH_MAX 8

struct host_core;
struct virtual_core;

/** The vp->sched.policy of its VPs. The members in front are one line of the
 *  host's caches, if it has two VPs. */
struct virtual_core {
    struct fair_entity entity; /* waits for a core of the host */
    alignas(HOST_LINE_BYTES) struct hv_partition *partition; /* borrowed */
    struct host_core *on; /* it has that core; NULL: none */
    uint8_t vp_count;
    uint8_t restricted;                      /* so many of them are */
    bool yields;                             /* one of its VPs spins */
    uint8_t threads[VIRTUAL_CORE_WIDTH_MAX]; /* of its VPs; on a host's core
                                                each prefers that one */
    struct virtual_slot {
        struct hv_vp *vp; /* borrowed */
        /* Since when it waits for an LP, in some order; 0: it does not. Here,
         * so that who is next is found without a look at each. */
        uint64_t since;
    } slots[VIRTUAL_CORE_WIDTH_MAX];
    struct virtual_place {
        bool restricted;     /* `cores` are not all cores */
        struct lp_set cores; /* of the host, by number, on which it may run */
    } places[VIRTUAL_CORE_WIDTH_MAX]; /* of its VPs */
    uint64_t key;                     /* which of its partition's */
    struct virtual_core *next;        /* in the pool */
};

/** Virtual cores that have no VPs: as many as VPs might need. Made by
 *  virtual_core_pool(). */
struct virtual_core_pool {
    struct host_pool memory; /* owns; of those and of the others */
    struct virtual_core *first;
    struct lp_set cores; /* all of the host, by number */
};

/** For a host that has these cores, by number. */
struct virtual_core_pool virtual_core_pool(struct lp_set cores);
void virtual_core_pool_fini(struct virtual_core_pool *pool);

/** A VP comes, and has a virtual core if it needs one; false if out of memory.
 *  It goes again, with one that nobody needs any more. */
bool virtual_core_vp_add(struct virtual_core_pool *pool,
                         struct fair_share *share, struct hv_vp *vp);
void virtual_core_vp_remove(struct virtual_core_pool *pool,
                            struct fair_share *share, struct hv_vp *vp);

/** Makes the VP a thread of its virtual core, if it is not. */
void virtual_core_join(struct virtual_core_pool *pool, struct hv_vp *vp);

/** The LPs on which the VP may run are others now; it does not wait. */
void virtual_core_set_allowed(const struct hv_vp *vp);

/** The VP waits for an LP from now on, and longer than all that get a greater
 *  `order` (at least 1). */
void virtual_core_wait(const struct hv_vp *vp, uint64_t order);
void virtual_core_end_wait(const struct hv_vp *vp);

/** The VP that waits for longest of those that wait, and come after `after`
 *  (or NULL), which waits, in that order; NULL: none. */
struct hv_vp *virtual_core_next_ready(const struct virtual_core *core,
                                      const struct hv_vp *after);

/** The cores that suit all VPs that wait; where there is none, as many of those
 *  that wait for longest as can be. */
struct lp_set virtual_core_seats(const struct virtual_core_pool *pool,
                                 const struct virtual_core *core);

/** True if one of those cores, of which there are some, suits the VP. */
bool virtual_core_finds(const struct hv_vp *vp, const struct lp_set *cores);

/** The LP of that core of the host where the VP runs, by its affinity; one of
 *  no other core. NULL: it may not run there. */
struct hv_lp *virtual_core_lp(const struct hv_vp *vp, uint32_t host_core);

#endif
