/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmbus/vswitch.h"

#include <stdlib.h>
#include <string.h>

#include "hypervisor/hypervisor.h"
#include "sim/core/check.h"
#include "sim/core/cost.h"

#define ADDRESS_GROUP (UINT64_C(1) << 40) /* the first byte's lowest bit */
#define ADDRESS_BROADCAST UINT64_C(0xffffffffffff)
#define COPY_BYTES 64 /* of one VSWITCH_COPY */

struct vswitch_arrival {
    struct vswitch_frame *frame;
    cycles_t at;
};

struct vswitch_port {
    struct vswitch *vswitch; /* borrowed */
    struct vswitch_port *next;
    vswitch_arrived_fn *arrived;
    void *owner; /* borrowed */
    uint64_t address;
    uint32_t filter;
    struct vswitch_counts counts;
    struct pc_nic counters;
    uint32_t first, count; /* of the queue, a ring */
    struct vswitch_arrival queue[VSWITCH_QUEUE_FRAMES];
};

struct vswitch_entry {
    uint64_t address;
    struct vswitch_port *port; /* borrowed */
    uint64_t seen;             /* the frame that named it last, by number */
};

struct vswitch {
    char *name;
    struct vswitch_port *ports;   /* owns: in the order of connecting */
    struct vswitch_entry *own;    /* the ports' own, by address */
    uint32_t own_count, own_room; /* of `own` */
    uint64_t frames;              /* sent so far: what `seen` counts */
    uint32_t learned_count;       /* of: */
    struct vswitch_entry learned[VSWITCH_LEARNED_MAX]; /* by address */
};

/* Big endian, so that the group bit and the order are as people read it. */
static uint64_t address_number(const uint8_t *byte)
{
    uint64_t number = 0;

    for (unsigned i = 0; i < VSWITCH_ADDRESS_BYTES; i++)
        number = number << 8 | byte[i];
    return number;
}

struct vswitch *vswitch_create(const char *name)
{
    struct vswitch *vswitch = calloc(1, sizeof(*vswitch));

    if (!vswitch)
        return NULL;
    vswitch->name = strdup(name);
    if (!vswitch->name) {
        free(vswitch);
        return NULL;
    }
    return vswitch;
}

void vswitch_free(struct vswitch *vswitch)
{
    if (!vswitch)
        return;
    CHECK(!vswitch->ports);
    free(vswitch->own);
    free(vswitch->name);
    free(vswitch);
}

const char *vswitch_name(const struct vswitch *vswitch)
{
    return vswitch->name;
}

/* The index of the first entry that is not below `address`. */
static uint32_t lower_bound(const struct vswitch_entry *entries, uint32_t count,
                            uint64_t address)
{
    uint32_t low = 0;

    while (count > 0) {
        uint32_t half = count / 2;

        if (entries[low + half].address < address) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return low;
}

static struct vswitch_entry *find(struct vswitch_entry *entries, uint32_t count,
                                  uint64_t address)
{
    uint32_t at = lower_bound(entries, count, address);

    return at < count && entries[at].address == address ? &entries[at] : NULL;
}

/* There is room for one more. */
static void insert(struct vswitch_entry *entries, uint32_t *count,
                   struct vswitch_entry entry)
{
    uint32_t at = lower_bound(entries, *count, entry.address);

    memmove(&entries[at + 1], &entries[at], (*count - at) * sizeof(entry));
    entries[at] = entry;
    ++*count;
}

static void remove_at(struct vswitch_entry *entries, uint32_t *count,
                      uint32_t at)
{
    --*count;
    memmove(&entries[at], &entries[at + 1], (*count - at) * sizeof(*entries));
}

static void forget_port(struct vswitch_entry *entries, uint32_t *count,
                        const struct vswitch_port *port)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < *count; i++)
        if (entries[i].port != port)
            entries[kept++] = entries[i];
    *count = kept;
}

static struct vswitch_port *find_port(struct vswitch *vswitch, uint64_t address)
{
    struct vswitch_entry *entry =
        find(vswitch->own, vswitch->own_count, address);

    return entry ? entry->port : NULL;
}

static bool reserve_own(struct vswitch *vswitch)
{
    uint32_t room = vswitch->own_room ? 2 * vswitch->own_room : 8;
    struct vswitch_entry *grown;

    if (vswitch->own_count < vswitch->own_room)
        return true;
    grown = realloc(vswitch->own, room * sizeof(*grown));
    if (!grown)
        return false;
    vswitch->own = grown;
    vswitch->own_room = room;
    return true;
}

struct vswitch_port *vswitch_connect(struct vswitch *vswitch,
                                     struct vswitch_address address,
                                     vswitch_arrived_fn *arrived, void *owner)
{
    uint64_t number = address_number(address.byte);
    struct vswitch_entry *learned =
        find(vswitch->learned, vswitch->learned_count, number);
    struct vswitch_port **last = &vswitch->ports;
    struct vswitch_port *port;

    if (number & ADDRESS_GROUP || find_port(vswitch, number) ||
        !reserve_own(vswitch))
        return NULL;
    port = calloc(1, sizeof(*port));
    if (!port)
        return NULL;
    if (learned)
        remove_at(vswitch->learned, &vswitch->learned_count,
                  (uint32_t)(learned - vswitch->learned));
    port->vswitch = vswitch;
    port->arrived = arrived;
    port->owner = owner;
    port->address = number;
    insert(vswitch->own, &vswitch->own_count,
           (struct vswitch_entry){.address = number, .port = port});
    while (*last)
        last = &(*last)->next;
    *last = port;
    return port;
}

static void release(struct vswitch_frame *frame)
{
    CHECK(frame->holders > 0);
    if (--frame->holders == 0)
        free(frame);
}

/* A frame for `destination` has passed the port, in a direction that the cells
 * tell. */
static void count_frame(struct vswitch_port *port, enum pc_nic_cell directed,
                        enum pc_nic_cell broadcast, enum pc_nic_cell multicast,
                        uint64_t destination)
{
    enum pc_nic_cell cell = directed;

    if (destination == ADDRESS_BROADCAST)
        cell = broadcast;
    else if (destination & ADDRESS_GROUP)
        cell = multicast;
    pc_nic_add(&port->counters, cell, 1);
}

static void count_drop(struct vswitch_port *port)
{
    port->counts.drops++;
    pc_nic_add(&port->counters, PC_NIC_DROPPED_INCOMING, 1);
}

static void lose_queue(struct vswitch_port *port)
{
    for (uint32_t i = 0; i < port->count; i++)
        release(port->queue[(port->first + i) % VSWITCH_QUEUE_FRAMES].frame);
    port->count = 0;
}

void vswitch_disconnect(struct vswitch_port *port)
{
    struct vswitch *vswitch = port->vswitch;
    struct vswitch_port **link = &vswitch->ports;

    lose_queue(port);
    forget_port(vswitch->own, &vswitch->own_count, port);
    forget_port(vswitch->learned, &vswitch->learned_count, port);
    while (*link != port)
        link = &(*link)->next;
    *link = port->next;
    free(port);
}

void vswitch_set_filter(struct vswitch_port *port, uint32_t filter)
{
    port->filter = filter;
    if (!filter)
        lose_queue(port);
}

static void learn(struct vswitch_port *port, uint64_t address)
{
    struct vswitch *vswitch = port->vswitch;
    struct vswitch_entry *known =
        find(vswitch->learned, vswitch->learned_count, address);
    uint32_t oldest = 0;

    if (known) {
        known->port = port;
        known->seen = vswitch->frames;
        return;
    }
    if (vswitch->learned_count == VSWITCH_LEARNED_MAX) {
        for (uint32_t i = 1; i < VSWITCH_LEARNED_MAX; i++)
            if (vswitch->learned[i].seen < vswitch->learned[oldest].seen)
                oldest = i;
        remove_at(vswitch->learned, &vswitch->learned_count, oldest);
    }
    insert(vswitch->learned, &vswitch->learned_count,
           (struct vswitch_entry){
               .address = address, .port = port, .seen = vswitch->frames});
}

static bool accepts(const struct vswitch_port *port, uint64_t destination)
{
    uint32_t wanted = VSWITCH_PROMISCUOUS;

    if (destination == ADDRESS_BROADCAST)
        wanted |= VSWITCH_BROADCAST;
    else if (destination & ADDRESS_GROUP)
        wanted |= VSWITCH_MULTICAST;
    else if (destination == port->address)
        wanted |= VSWITCH_DIRECTED;
    return (port->filter & wanted) != 0;
}

/* Behind all that were sent at that time or before. */
static void enqueue(struct vswitch_port *port, struct vswitch_frame *frame,
                    cycles_t at)
{
    uint32_t place = port->count;

    if (port->count == VSWITCH_QUEUE_FRAMES) {
        count_drop(port);
        return;
    }
    while (place > 0) {
        uint32_t before = (port->first + place - 1) % VSWITCH_QUEUE_FRAMES;

        if (!cycles_before(at, port->queue[before].at))
            break;
        port->queue[(before + 1) % VSWITCH_QUEUE_FRAMES] = port->queue[before];
        place--;
    }
    port->queue[(port->first + place) % VSWITCH_QUEUE_FRAMES] =
        (struct vswitch_arrival){.frame = frame, .at = at};
    port->count++;
    frame->holders++;
    if (place == 0)
        port->arrived(port->owner, at);
}

static void deliver(struct vswitch_port *port, struct hv_context *context,
                    struct vswitch_frame *frame, uint64_t destination)
{
    if (!accepts(port, destination))
        return;
    cost_note(context->bill, COST_VSWITCH_DELIVERY, 1);
    enqueue(port, frame, context->now);
}

/* To the one port that has the address, or to all but the sender. */
static void forward(struct vswitch_port *from, struct hv_context *context,
                    struct vswitch_frame *frame)
{
    struct vswitch *vswitch = from->vswitch;
    uint64_t destination = address_number(frame->data);
    struct vswitch_port *to = find_port(vswitch, destination);
    const struct vswitch_entry *learned =
        find(vswitch->learned, vswitch->learned_count, destination);

    if (!to && learned)
        to = learned->port;
    if (to) {
        if (to != from)
            deliver(to, context, frame, destination);
        return;
    }
    for (struct vswitch_port *port = vswitch->ports; port; port = port->next)
        if (port != from)
            deliver(port, context, frame, destination);
}

static struct vswitch_frame *copy_frame(const uint8_t *data, uint32_t bytes,
                                        bool tagged, uint16_t tag)
{
    struct vswitch_frame *frame = malloc(sizeof(*frame) + bytes);

    if (!frame)
        return NULL;
    *frame = (struct vswitch_frame){
        .bytes = bytes, .tagged = tagged, .tag = tag, .holders = 1};
    memcpy(frame->data, data, bytes);
    return frame;
}

void vswitch_refuse(struct vswitch_port *port)
{
    port->counts.sends_refused++;
    pc_nic_add(&port->counters, PC_NIC_DROPPED_OUTGOING, 1);
}

static bool refuse(struct vswitch_port *port)
{
    vswitch_refuse(port);
    return false;
}

bool vswitch_send(struct vswitch_port *port, struct hv_context *context,
                  const uint8_t *data, uint32_t bytes, bool tagged,
                  uint16_t tag)
{
    struct vswitch_frame *frame;
    struct vswitch_port *real;
    uint64_t source;

    cost_note(context->bill, COST_VSWITCH_FRAME, 1);
    if (bytes < VSWITCH_HEADER_BYTES || bytes > VSWITCH_FRAME_BYTES_MAX)
        return refuse(port);
    source = address_number(data + VSWITCH_ADDRESS_BYTES);
    real = find_port(port->vswitch, source);
    if (source & ADDRESS_GROUP || (real && real != port))
        return refuse(port);
    port->vswitch->frames++;
    port->counts.frames_sent++;
    port->counts.bytes_sent += bytes;
    count_frame(port, PC_NIC_DIRECTED_SENT, PC_NIC_BROADCAST_SENT,
                PC_NIC_MULTICAST_SENT, address_number(data));
    pc_nic_add(&port->counters, PC_NIC_BYTES_SENT, bytes);
    if (!real)
        learn(port, source);
    frame = copy_frame(data, bytes, tagged, tag);
    if (!frame)
        return true; /* lost on the way, as frames may be */
    cost_note(context->bill, COST_VSWITCH_COPY,
              (bytes + COPY_BYTES - 1) / COPY_BYTES);
    forward(port, context, frame);
    release(frame);
    return true;
}

const struct vswitch_frame *vswitch_peek(const struct vswitch_port *port,
                                         cycles_t now)
{
    const struct vswitch_arrival *head = &port->queue[port->first];

    return port->count > 0 && !cycles_before(now, head->at) ? head->frame
                                                            : NULL;
}

static void remove_first(struct vswitch_port *port)
{
    release(port->queue[port->first].frame);
    port->first = (port->first + 1) % VSWITCH_QUEUE_FRAMES;
    port->count--;
}

void vswitch_take(struct vswitch_port *port)
{
    const struct vswitch_frame *frame;

    CHECK(port->count > 0);
    frame = port->queue[port->first].frame;
    port->counts.frames_received++;
    port->counts.bytes_received += frame->bytes;
    count_frame(port, PC_NIC_DIRECTED_RECEIVED, PC_NIC_BROADCAST_RECEIVED,
                PC_NIC_MULTICAST_RECEIVED, address_number(frame->data));
    pc_nic_add(&port->counters, PC_NIC_BYTES_RECEIVED, frame->bytes);
    remove_first(port);
}

void vswitch_lose(struct vswitch_port *port)
{
    CHECK(port->count > 0);
    count_drop(port);
    remove_first(port);
}

cycles_t vswitch_next(const struct vswitch_port *port)
{
    return port->count > 0 ? port->queue[port->first].at : CYCLES_NEVER;
}

struct vswitch_counts vswitch_counts(const struct vswitch_port *port)
{
    return port->counts;
}

const struct pc_nic *vswitch_counters(const struct vswitch_port *port)
{
    return &port->counters;
}
