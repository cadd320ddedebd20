/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/core/rng.h"

#include <Random123/philox.h>
#include <string.h>
#include <xxhash.h>

#include "sim/core/check.h"

/* The counter's third word keeps apart what one key is used for. */
enum purpose {
    PURPOSE_NUMBERS = 0,
    PURPOSE_FORK = 1,
};

__extension__ typedef unsigned __int128 wide_t;

static philox4x64_ctr_t block(const struct rng *rng, uint64_t low,
                              uint64_t high, enum purpose purpose)
{
    philox4x64_ctr_t counter = {{low, high, (uint64_t)purpose, 0}};
    philox4x64_key_t key = {{rng->key[0], rng->key[1]}};

    return philox4x64(counter, key);
}

struct rng rng_from_seed(uint64_t seed)
{
    return (struct rng){.key = {seed, 0}};
}

struct rng rng_fork(const struct rng *parent, const char *name)
{
    size_t bytes = strlen(name);
    philox4x64_ctr_t key = block(parent, XXH64(name, bytes, 0),
                                 XXH64(name, bytes, 1), PURPOSE_FORK);

    return (struct rng){.key = {key.v[0], key.v[1]}};
}

uint64_t rng_next(struct rng *rng)
{
    return block(rng, rng->counter++, 0, PURPOSE_NUMBERS).v[0];
}

/* D. Lemire, "Fast Random Integer Generation in an Interval", 2019: the high
 * word of a product, redrawn while the low word lies in the short remainder
 * that would favour some results. */
uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    CHECK(bound > 0);

    uint64_t remainder = (0 - bound) % bound; /* 2^64 mod bound */
    wide_t product;

    do {
        product = (wide_t)rng_next(rng) * bound;
    } while ((uint64_t)product < remainder);
    return (uint64_t)(product >> 64);
}
