/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_VMBUSR_PRIVATE_H
#define HVSIM_PARTITIONS_VMBUSR_PRIVATE_H

/** Shared by vmbusr*.c: what the driver keeps of VMs and their channels. */

#include "hypervisor/port.h"
#include "hypervisor/synic.h"
#include "partitions/vmbusr.h"

/** Which numbers are in use, of the root's ports or of its connections; 0 is
 *  given to nobody. */
struct vmbusr_ids {
    uint64_t used[PORT_COUNT_MAX / 64];
};

/** What the guest sends to one of its connections: a port of the root's. */
struct vmbusr_inlet {
    uint32_t port;       /* the root's; 0: none */
    uint32_t connection; /* the guest's, to it */
};

/** What is sent to the guest: a port of its partition. */
struct vmbusr_outlet {
    uint32_t connection; /* the root's, to it; 0: none */
    uint32_t port;       /* the partition's */
    uint32_t vp;         /* that it is for */
};

struct vmbusr {
    struct root *root;   /* borrowed */
    struct winhv *winhv; /* borrowed */
    struct vmbusr_bus *buses;
    struct vmbusr_ids ports, connections; /* the root's */
    /* Whose event flag it is: SYNIC_EVENT_FLAG_COUNT for each root VP. */
    struct vmbusr_channel **flags; /* owns the array */
    uint32_t next_vp;              /* of the root, for the next channel */
};

/** A message that waits, on its way in or out. */
struct vmbusr_message {
    struct vmbusr_message *next;
    uint32_t where; /* in: the connection; out: the VP */
    uint32_t bytes;
    uint8_t payload[VMBUS_MESSAGE_BYTES];
};

struct vmbusr_queue {
    struct vmbusr_message *first, *last; /* owns all */
    uint32_t count;
};

/** Connections for messages: of older versions, and of newer ones. */
#define VMBUSR_INLETS 2

struct vmbusr_bus {
    struct vmbusr_bus *next;
    struct vmbusr *vmbusr; /* borrowed: its owner */
    struct vmbus *vmbus;   /* owns */
    uint32_t vp_count;
    /* While the VM is on. */
    partition_id_t partition;   /* 0: none */
    struct hv_partition *guest; /* borrowed: the same; NULL: it is off, or
                                   on its way there */
    uint32_t node;
    struct vmbusr_inlet inlets[VMBUSR_INLETS];
    struct vmbusr_outlet outlet;
    struct vmbusr_queue in, out;
    bool flooded; /* the guest has sent more than is kept */
    struct root_work dpc, thread;
    struct event retry;              /* of what waits in `out` */
    uint64_t retry_ns;               /* how long the next wait is */
    struct vmbusr_channel *channels; /* owns; also those not in use */
};

/** What there is of a channel. It outlives the channel, since its work may be
 *  queued, and is used for another one then. */
struct vmbusr_channel {
    struct vmbusr_channel *next;
    struct vmbusr_bus *bus;        /* borrowed: its owner */
    struct vmbus_channel *channel; /* borrowed; NULL: not in use */
    struct vmbusr_inlet inlet;
    uint32_t root_vp, flag; /* which the inlet's signals set */
    bool signalled;         /* it is set, and the thread knows */
    struct vmbusr_outlet outlet;
    struct root_work dpc, thread;
    struct event timer;
};

/* vmbusr_port.c: each is some hypercalls. One that fails for want of memory is
 * made again after a deposit. */

/** Makes a port of the root's and connects the guest to it, by the number
 *  `connection`. On failure there is nothing. */
enum hv_status vmbusr_open_inlet(struct vmbusr_bus *bus,
                                 struct hv_context *context,
                                 struct vmbusr_inlet *inlet,
                                 uint32_t connection,
                                 const struct hv_port_info *info);
/** Makes port `port` of the guest's partition and connects the root to it. On
 *  failure there is nothing. */
enum hv_status vmbusr_open_outlet(struct vmbusr_bus *bus,
                                  struct hv_context *context,
                                  struct vmbusr_outlet *outlet, uint32_t port,
                                  const struct hv_port_info *info);
/* Nothing happens to what is not open. */
void vmbusr_close_inlet(struct vmbusr_bus *bus, struct hv_context *context,
                        struct vmbusr_inlet *inlet);
void vmbusr_close_outlet(struct vmbusr_bus *bus, struct hv_context *context,
                         struct vmbusr_outlet *outlet);

/* vmbusr_channel.c */

/** The parts of struct vmbus_host_ops that are about a channel. */
enum hv_status vmbusr_channel_listen(void *host, struct hv_context *context,
                                     struct vmbus_channel *channel,
                                     uint32_t vp);
void vmbusr_channel_unlisten(void *host, struct hv_context *context,
                             struct vmbus_channel *channel);
void vmbusr_channel_signal(void *host, struct hv_context *context,
                           struct vmbus_channel *channel);
void vmbusr_channel_serve(void *host, struct hv_context *context,
                          struct vmbus_channel *channel);
void vmbusr_channel_wake_at(void *host, struct vmbus_channel *channel,
                            cycles_t at);
void vmbusr_channel_forget(void *host, struct vmbus_channel *channel);

/** Looks at the event flags of a root VP, in its service routine. Returns how
 *  many have risen. */
uint32_t vmbusr_channel_interrupt(struct vmbusr *vmbusr,
                                  struct hv_context *context, uint32_t root_vp);

/** Takes back the ports and connections of one channel; false if none has
 *  any. */
bool vmbusr_channel_close_one(struct vmbusr_bus *bus,
                              struct hv_context *context);
void vmbusr_channel_free_all(struct vmbusr_bus *bus);

#endif
