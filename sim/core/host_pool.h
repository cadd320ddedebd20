/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CORE_HOST_POOL_H
#define HVSIM_SIM_CORE_HOST_POOL_H

/**
 * Memory for objects of one size, for those that are there by the thousand and
 * touched all the time.
 *
 * Design. An allocator for all sizes rounds them up to some that are multiples
 * of large powers of two. Then the lines that all objects need, each at the
 * same place of its object, have a few sets of the host's caches between them,
 * and drive each other out while the rest is empty. Here objects lie close
 * together, an odd number of lines apart, which no power of two divides: their
 * lines go round all sets.
 */

#include <stddef.h>

struct host_pool_chunk;
struct host_pool_place;

/** Made by host_pool(). */
struct host_pool {
    /* Private to host_pool.c. */
    size_t bytes;                   /* of an object */
    size_t stride;                  /* bytes from one to the next */
    struct host_pool_chunk *chunks; /* owns */
    struct host_pool_place *free;
};

/** A pool of objects of `bytes`. It has none. */
struct host_pool host_pool(size_t bytes);

/** Frees it with all objects. */
void host_pool_fini(struct host_pool *pool);

/** An object, all zero, at the beginning of a line. NULL: out of memory. */
void *host_pool_calloc(struct host_pool *pool);

/** The object, one of the pool or NULL, is not used any more. */
void host_pool_free(struct host_pool *pool, void *object);

#endif
