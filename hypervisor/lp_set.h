/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_LP_SET_H
#define HVSIM_HYPERVISOR_LP_SET_H

/** A set of logical processors, by number. */

#include "sim/core/types.h"

#define LP_COUNT_MAX 512 /* per host, as Windows Server 2019 */
#define LP_SET_WORDS (LP_COUNT_MAX / 64)

struct lp_set {
    uint64_t words[LP_SET_WORDS];
};

static inline bool lp_set_has(const struct lp_set *set, uint32_t lp)
{
    return (set->words[lp / 64] >> (lp % 64) & 1) != 0;
}

static inline void lp_set_add(struct lp_set *set, uint32_t lp)
{
    set->words[lp / 64] |= UINT64_C(1) << (lp % 64);
}

static inline void lp_set_remove(struct lp_set *set, uint32_t lp)
{
    set->words[lp / 64] &= ~(UINT64_C(1) << (lp % 64));
}

/** LPs 0 .. count - 1. */
static inline struct lp_set lp_set_first_of(uint32_t count)
{
    struct lp_set set = {0};

    for (uint32_t lp = 0; lp < count; lp++)
        lp_set_add(&set, lp);
    return set;
}

static inline struct lp_set lp_set_and(const struct lp_set *a,
                                       const struct lp_set *b)
{
    struct lp_set both;

    for (unsigned i = 0; i < LP_SET_WORDS; i++)
        both.words[i] = a->words[i] & b->words[i];
    return both;
}

static inline struct lp_set lp_set_or(const struct lp_set *a,
                                      const struct lp_set *b)
{
    struct lp_set either;

    for (unsigned i = 0; i < LP_SET_WORDS; i++)
        either.words[i] = a->words[i] | b->words[i];
    return either;
}

/** The lowest LP from `from` on, or -1. */
static inline int lp_set_next(const struct lp_set *set, uint32_t from)
{
    for (uint32_t i = from / 64; i < LP_SET_WORDS; i++) {
        uint64_t word = set->words[i];

        if (i == from / 64)
            word &= ~UINT64_C(0) << (from % 64);
        if (word != 0)
            return (int)(i * 64) + __builtin_ctzll(word);
    }
    return -1;
}

/** The lowest LP of both sets, or -1. */
static inline int lp_set_first_in_both(const struct lp_set *a,
                                       const struct lp_set *b)
{
    for (uint32_t i = 0; i < LP_SET_WORDS; i++) {
        uint64_t word = a->words[i] & b->words[i];

        if (word != 0)
            return (int)(i * 64) + __builtin_ctzll(word);
    }
    return -1;
}

static inline bool lp_set_is_empty(const struct lp_set *set)
{
    return lp_set_next(set, 0) < 0;
}

/** True if all of `part` are in `set`. */
static inline bool lp_set_includes(const struct lp_set *set,
                                   const struct lp_set *part)
{
    for (unsigned i = 0; i < LP_SET_WORDS; i++) {
        if ((part->words[i] & ~set->words[i]) != 0)
            return false;
    }
    return true;
}

static inline uint32_t lp_set_count(const struct lp_set *set)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < LP_SET_WORDS; i++)
        count += (uint32_t)__builtin_popcountll(set->words[i]);
    return count;
}

/** The member that `index` others are below, which must exist. */
static inline uint32_t lp_set_nth(const struct lp_set *set, uint32_t index)
{
    int lp = lp_set_next(set, 0);

    while (index-- > 0)
        lp = lp_set_next(set, (uint32_t)lp + 1);
    return (uint32_t)lp;
}

#endif
