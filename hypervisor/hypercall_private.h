/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_HYPERCALL_PRIVATE_H
#define HVSIM_HYPERVISOR_HYPERCALL_PRIVATE_H

/**
 * Between hypercall.c, hypercall_exit.c and the handlers in hc_*.c; nobody
 * else includes this.
 *
 * A handler finds its privilege checked and its parameters copied, and writes
 * output to a buffer of ours: no guest can change them under its hands.
 */

#include <string.h>

#include "hypervisor/hv_status.h"
#include "hypervisor/hypercall.h"
#include "hypervisor/hypercall_abi.h"
#include "hypervisor/hypervisor.h"
#include "perfcounters/pc_feed.h"

/** True for an input value whose parameters do not fit the two general
 *  registers: fast, and long or with output. */
bool hypercall_uses_xmm(uint64_t control);

struct hc_call {
    const void *input;       /* the header, as long as the table says, */
    uint32_t variable_bytes; /* and its variable part behind it */
    const void *elements;    /* rep: from element `first` on */
    void *output;            /* zeroed; rep: from element `first` on */
    uint32_t first;          /* rep: which elements to do now */
    uint32_t count;
    uint32_t done; /* rep: the handler counts up to `count`, or fails */
};

typedef enum hv_status hc_handler(struct hv_context *context,
                                  struct hc_call *call);

/* Element `call->done`, copied out: elements need not be aligned. */
static inline uint64_t hc_element64(const struct hc_call *call)
{
    uint64_t value;

    memcpy(&value, (const uint8_t *)call->elements + call->done * sizeof(value),
           sizeof(value));
    return value;
}

static inline uint32_t hc_element32(const struct hc_call *call)
{
    uint32_t value;

    memcpy(&value, (const uint8_t *)call->elements + call->done * sizeof(value),
           sizeof(value));
    return value;
}

/* hc_target.c: whom a call is about, and whether the caller may. */

/** The partition of that id (or the caller's own, for PARTITION_ID_SELF).
 *  INVALID_PARTITION_ID; ACCESS_DENIED unless the caller is its parent. */
enum hv_status hc_target_child(struct hv_context *context, uint64_t id,
                               struct hv_partition **out);

/** Likewise, or the caller itself if it has all of `privilege`. */
enum hv_status hc_target_child_or_self(struct hv_context *context, uint64_t id,
                                       uint64_t privilege,
                                       struct hv_partition **out);

/** A child's VP (or an own one, with `self_privilege`); the partition must be
 *  active. INVALID_PARTITION_STATE, INVALID_VP_INDEX. */
enum hv_status hc_target_vp(struct hv_context *context, uint64_t id,
                            uint32_t index, bool self, uint64_t privilege,
                            struct hv_vp **out);

/** The node of a proximity hint, 0 if there is none. */
enum hv_status hc_target_node(const struct hv_context *context,
                              struct hv_proximity proximity, uint32_t *node);

/** INVALID_VTL_STATE for any level but 0: there is no other. */
enum hv_status hc_target_vtl(uint8_t vtl);

/** hc_direct.c: carries out such a call. ACCESS_DENIED without the privilege
 *  CpuManagement (groups), or unless the caller is the parent (affinity);
 *  *counter is where it counts. */
enum hv_status hc_direct(struct hv_context *context,
                         const struct hypercall_direct *direct,
                         enum pc_vp_cell *counter);

hc_handler hc_partition_create;
hc_handler hc_partition_initialize;
hc_handler hc_partition_finalize;
hc_handler hc_partition_delete;
hc_handler hc_partition_get_property;
hc_handler hc_partition_set_property;
hc_handler hc_partition_get_id;
hc_handler hc_partition_get_next_child;
hc_handler hc_partition_install_intercept;
hc_handler hc_partition_query_capabilities;

hc_handler hc_memory_deposit;
hc_handler hc_memory_withdraw;
hc_handler hc_memory_get_balance;
hc_handler hc_memory_map;
hc_handler hc_memory_map_sparse;
hc_handler hc_memory_unmap;

hc_handler hc_vp_create;
hc_handler hc_vp_delete;
hc_handler hc_vp_get_registers;
hc_handler hc_vp_set_registers;
hc_handler hc_vp_assert_interrupt;
hc_handler hc_vp_clear_interrupt;
hc_handler hc_vp_notify_long_spin_wait;

hc_handler hc_start_processor;
hc_handler hc_start_find_index;

hc_handler hc_remote_flush_space;
hc_handler hc_remote_flush_list;
hc_handler hc_remote_flush_space_ex;
hc_handler hc_remote_flush_list_ex;
hc_handler hc_remote_send_ipi;
hc_handler hc_remote_send_ipi_ex;

hc_handler hc_port_create;
hc_handler hc_port_delete;
hc_handler hc_port_connect;
hc_handler hc_port_connect_legacy;
hc_handler hc_port_disconnect;
hc_handler hc_port_post_message;
hc_handler hc_port_signal_event;
hc_handler hc_port_notify_ring_empty;

hc_handler hc_access_translate;
hc_handler hc_access_read;
hc_handler hc_access_write;

#endif
