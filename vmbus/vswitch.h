/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_VSWITCH_H
#define HVSIM_VMBUS_VSWITCH_H

/**
 * A virtual switch of the root: Ethernet frames between the network adapters
 * of VMs. It owns the table of addresses and a bounded queue for each port;
 * the adapters' device models (vmbus/netvsp.h) send into it and take frames
 * out.
 *
 * Order. A frame is queued at each port that is to have it, behind all that
 * were sent at the same simulated time or before, however far apart the
 * senders' processors were in the host's order. Nothing is handed over from
 * within vswitch_send(): the receiver is told when there will be something to
 * take, and comes for it in its own thread, at that time.
 *
 * Addresses. A port's own address belongs to it for good: a frame that names
 * it as its source and comes from elsewhere is dropped, as Hyper-V does while
 * MAC address spoofing is not allowed. Other addresses, such as those behind a
 * guest's own bridge, are learned; when the table is full, the one that was
 * not seen for the longest time makes room. A unicast to an address that is
 * not known goes to all ports, as broadcast and multicast do.
 *
 * Not modelled: ageing of learned addresses, VLAN modes of ports (all are
 * trunks: a frame keeps its tag), an uplink, bandwidth limits. A frame takes
 * the time that the root's processors need for it, and no more.
 */

#include "perfcounters/pc_feed.h"
#include "sim/core/types.h"

struct hv_context;

#define VSWITCH_ADDRESS_BYTES 6
#define VSWITCH_HEADER_BYTES 14      /* two addresses and a type */
#define VSWITCH_FRAME_BYTES_MAX 1518 /* 1,500, a header and a tag */
#define VSWITCH_QUEUE_FRAMES 256     /* that wait at a port; then drops */
#define VSWITCH_LEARNED_MAX 1024     /* addresses, without the ports' own */

struct vswitch_address {
    uint8_t byte[VSWITCH_ADDRESS_BYTES];
};

/** A frame under way; nobody changes it any more. */
struct vswitch_frame {
    uint32_t bytes;
    bool tagged; /* 802.1Q, beside the data: */
    uint16_t tag;
    uint32_t holders; /* queues that it is in; private to vswitch.c */
    uint8_t data[];
};

/** What a port receives; none: nothing, and nothing is queued either. */
#define VSWITCH_DIRECTED 0x1u  /* to the port's own address */
#define VSWITCH_MULTICAST 0x2u /* to any group but all */
#define VSWITCH_BROADCAST 0x4u
#define VSWITCH_PROMISCUOUS 0x8u /* whatever the switch sends to this port */

struct vswitch_counts {
    uint64_t frames_sent, bytes_sent; /* by the port's owner into the switch */
    uint64_t frames_received, bytes_received; /* taken by the owner */
    uint64_t sends_refused; /* too short, too long, a false source; and those
                               that the owner refused */
    uint64_t drops;         /* for this port: its queue was full, or its owner
                               could not receive them */
};

struct vswitch;
struct vswitch_port;

/** There is, or will be, a frame for the port at `at`. Called from within
 *  another port's vswitch_send(), so it must not call the switch; it sees to
 *  it that the owner looks at its port at that time. */
typedef void vswitch_arrived_fn(void *owner, cycles_t at);

/** The caller owns the switch, and disconnects all ports before freeing it.
 *  NULL if out of memory. `name` is copied. */
struct vswitch *vswitch_create(const char *name);
void vswitch_free(struct vswitch *vswitch);

const char *vswitch_name(const struct vswitch *vswitch);

/**
 * Connects a port with an address of its own, which receives nothing until
 * vswitch_set_filter(). The switch owns the port until vswitch_disconnect();
 * `owner` is borrowed. NULL if out of memory, if `address` is a group's, or if
 * another port has it.
 */
struct vswitch_port *vswitch_connect(struct vswitch *vswitch,
                                     struct vswitch_address address,
                                     vswitch_arrived_fn *arrived, void *owner);
/** What waits at the port is lost, what was learned from it forgotten. */
void vswitch_disconnect(struct vswitch_port *port);

/** What the port receives from now on. Without any, what waits is lost. */
void vswitch_set_filter(struct vswitch_port *port, uint32_t filter);

/**
 * Sends a frame from `port` at the context's time and notes the work on the
 * context's bill. `tag` is its 802.1Q control information if `tagged`. False if
 * the frame is none: too short for a header, longer than the switch carries, or
 * from an address that is another port's or a group's.
 */
bool vswitch_send(struct vswitch_port *port, struct hv_context *context,
                  const uint8_t *frame, uint32_t bytes, bool tagged,
                  uint16_t tag);

/** The first frame that has arrived by `now`, or NULL. Stays the port's and
 *  valid until vswitch_take() or anything that loses it. */
const struct vswitch_frame *vswitch_peek(const struct vswitch_port *port,
                                         cycles_t now);
/** The owner does not let a frame into the switch; counted as refused. */
void vswitch_refuse(struct vswitch_port *port);

/** The frame that vswitch_peek() returned is received, or lost. */
void vswitch_take(struct vswitch_port *port);
void vswitch_lose(struct vswitch_port *port);

/** When the first frame that waits has arrived; CYCLES_NEVER: none waits. */
cycles_t vswitch_next(const struct vswitch_port *port);

struct vswitch_counts vswitch_counts(const struct vswitch_port *port);

/** The same for Performance Monitor; the port's, as long as it lives. */
const struct pc_nic *vswitch_counters(const struct vswitch_port *port);

#endif
