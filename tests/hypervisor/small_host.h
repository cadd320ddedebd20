/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_HYPERVISOR_SMALL_HOST_H
#define HVSIM_TESTS_HYPERVISOR_SMALL_HOST_H

/**
 * A hypervisor as small as it gets, on the fake engine: one node of 32 MiB,
 * two LPs, a root with one model VP. Tests call hypercalls as that VP.
 */

#include "hypervisor/gpa_space.h"
#include "hypervisor/hypercall.h"
#include "hypervisor/hypervisor.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"

#define SMALL_HOST_NODE_BYTES (UINT64_C(32) << 20)

/* Pages of the root that its hypercalls use. */
#define SMALL_HOST_INPUT 0x1000u
#define SMALL_HOST_OUTPUT 0x2000u

struct small_host {
    struct hypervisor *hv;
    struct event_queue *events;
    struct trace *trace;
    struct hv_vp *root_vp;
    struct cost_bill bill;
    struct hv_context context; /* of the root VP */
    unsigned ready_lps;        /* calls of lp_ready */
};

/** Aborts where the hypervisor cannot be made. */
void small_host_create(struct small_host *host);
void small_host_destroy(struct small_host *host);

/** For cmocka: *state is a struct small_host afterwards. */
int small_host_setup(void **state);
int small_host_teardown(void **state);

/** Writes to, and reads from, the root's memory; aborts if that fails. */
void small_host_poke(struct small_host *host, uint64_t at, const void *from,
                     size_t bytes);
void small_host_peek(struct small_host *host, uint64_t at, void *to,
                     size_t bytes);

/**
 * A memory-based call by the root VP: `input` and then `list` at
 * SMALL_HOST_INPUT, the output page at SMALL_HOST_OUTPUT. Continues a call that
 * was interrupted until it is done. Returns the result value.
 */
uint64_t small_host_call(struct small_host *host, uint64_t control,
                         const void *input, size_t input_bytes,
                         const void *list, size_t list_bytes);

/** Deposits `count` pages of the root, from page number `first` on. Aborts if
 *  that fails. */
void small_host_deposit(struct small_host *host, uint64_t id, uint64_t first,
                        uint32_t count);

/** A child that has been created; one that has been initialised, with pages
 *  in its pool; and one with a VP 0 besides. Each the id's partition. */
struct hv_partition *small_host_child(struct small_host *host);
struct hv_partition *small_host_active_child(struct small_host *host);
struct hv_partition *small_host_child_with_vp(struct small_host *host);

#endif
