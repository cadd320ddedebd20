/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/vmbusr.h"

#include <stdlib.h>
#include <string.h>

#include "hypervisor/gpa_space.h"
#include "hypervisor/partition.h"
#include "partitions/vmbusr_private.h"
#include "sim/core/check.h"

/* A SynIC message (TLFS): offsets from its start. */
#define MESSAGE_TYPE 0
#define MESSAGE_BYTES 4
#define MESSAGE_PORT 8
#define MESSAGE_PAYLOAD 16

/* Of the message port in a guest's partition. */
#define MESSAGE_PORT_ID 1

/** Guests' messages arrive at the first root VP. */
#define MESSAGE_ROOT_VP 0

/* Messages of a guest that may wait. Honest ones send some hundred at once, of
 * large GPADLs; who sends more than this is not listened to any more. */
#define IN_MESSAGES_MAX 4096

/* How soon what a guest had no room for is sent again. */
#define RETRY_NS_FIRST UINT64_C(1000000)
#define RETRY_NS_LAST UINT64_C(128000000)

static const uint32_t inlet_connections[VMBUSR_INLETS] = {VMBUS_CONNECTION_OLD,
                                                          VMBUS_CONNECTION_NEW};

/* Queues */

static bool enqueue(struct vmbusr_queue *queue, uint32_t where,
                    const void *payload, uint32_t bytes)
{
    struct vmbusr_message *message = malloc(sizeof(*message));

    if (!message)
        return false;
    CHECK(bytes <= sizeof(message->payload));
    message->next = NULL;
    message->where = where;
    message->bytes = bytes;
    memcpy(message->payload, payload, bytes);
    if (queue->last)
        queue->last->next = message;
    else
        queue->first = message;
    queue->last = message;
    queue->count++;
    return true;
}

static void drop_first(struct vmbusr_queue *queue)
{
    struct vmbusr_message *first = queue->first;

    queue->first = first->next;
    if (!queue->first)
        queue->last = NULL;
    queue->count--;
    free(first);
}

static void drop_all(struct vmbusr_queue *queue)
{
    while (queue->first)
        drop_first(queue);
}

/* From the guest */

static struct vmbusr_bus *find_inlet(struct vmbusr *vmbusr, uint64_t port,
                                     uint32_t *connection)
{
    struct vmbusr_bus *bus = vmbusr->buses;

    for (; bus; bus = bus->next) {
        for (unsigned i = 0; i < VMBUSR_INLETS; i++) {
            *connection = bus->inlets[i].connection;
            if (bus->inlets[i].port == port)
                return bus;
        }
    }
    return NULL;
}

/* In the service routine: to the bus that it is for, if that is there still. */
static void receive(struct vmbusr *vmbusr, struct hv_context *context,
                    const uint8_t message[ROOT_MESSAGE_BYTES])
{
    uint8_t bytes = message[MESSAGE_BYTES];
    struct vmbusr_bus *bus;
    uint32_t type;
    uint32_t connection;
    uint64_t port;

    memcpy(&type, message + MESSAGE_TYPE, sizeof(type));
    memcpy(&port, message + MESSAGE_PORT, sizeof(port));
    bus = port != 0 ? find_inlet(vmbusr, port, &connection) : NULL;
    if (!bus || !bus->guest || type != VMBUS_MESSAGE_TYPE ||
        bytes > VMBUS_MESSAGE_BYTES)
        return;
    if (bus->in.count == IN_MESSAGES_MAX ||
        !enqueue(&bus->in, connection, message + MESSAGE_PAYLOAD, bytes))
        bus->flooded = true;
    root_queue_dpc(vmbusr->root, context, &bus->dpc);
}

static uint32_t on_interrupt(void *context, struct hv_context *hv_context,
                             uint32_t vp)
{
    struct vmbusr *vmbusr = context;
    uint8_t message[ROOT_MESSAGE_BYTES];
    uint32_t messages = 0;

    for (; root_take_message(vmbusr->root, hv_context, vp, message); messages++)
        receive(vmbusr, hv_context, message);
    return messages + vmbusr_channel_interrupt(vmbusr, hv_context, vp);
}

/* The DPC of a bus. */
static enum root_step route(void *context, struct hv_context *hv_context)
{
    struct vmbusr_bus *bus = context;

    root_wake_thread(bus->vmbusr->root, hv_context, &bus->thread);
    return ROOT_DONE;
}

/* To the guest */

/* The port is for the VP that the messages are for. */
static enum hv_status aim(struct vmbusr_bus *bus, struct hv_context *context,
                          uint32_t vp)
{
    const struct hv_port_info info = {
        .type = HV_PORT_MESSAGE, .sint = VMBUS_SINT, .vp = vp};

    if (bus->outlet.connection != 0 && bus->outlet.vp == vp)
        return HV_STATUS_SUCCESS;
    vmbusr_close_outlet(bus, context, &bus->outlet);
    return vmbusr_open_outlet(bus, context, &bus->outlet, MESSAGE_PORT_ID,
                              &info);
}

/* The guest has no room, or its SynIC is off: it may be another day. */
static bool is_worth_waiting(enum hv_status status)
{
    return status == HV_STATUS_INSUFFICIENT_BUFFERS ||
           status == HV_STATUS_INVALID_SYNIC_STATE ||
           status == HV_STATUS_INSUFFICIENT_MEMORY;
}

/* Sends the first message. False: it has to wait, and the thread is woken when
 * it is time. */
static bool send_first(struct vmbusr_bus *bus, struct hv_context *context)
{
    const struct vmbusr_message *message = bus->out.first;
    struct hypervisor *hv = bus->vmbusr->root->hv;
    enum hv_status status = aim(bus, context, message->where);

    if (status == HV_STATUS_SUCCESS)
        status = winhv_post_message(bus->vmbusr->winhv, context,
                                    bus->outlet.connection, VMBUS_MESSAGE_TYPE,
                                    message->payload, message->bytes);
    if (!is_worth_waiting(status)) {
        drop_first(&bus->out);
        bus->retry_ns = RETRY_NS_FIRST;
        return true;
    }
    event_schedule(
        hv->events, &bus->retry,
        cycles_add(context->now, clock_from_ns(hv->clock, bus->retry_ns)));
    if (bus->retry_ns < RETRY_NS_LAST)
        bus->retry_ns *= 2;
    return false;
}

static void on_retry(void *context, cycles_t now)
{
    struct vmbusr_bus *bus = context;
    struct hv_context event = root_event_context(bus->vmbusr->root, now);

    root_wake_thread(bus->vmbusr->root, &event, &bus->thread);
}

/* Only the bus's own thread sends: what is posted elsewhere calls for it. */
static void post(void *host, struct hv_context *context, uint32_t vp,
                 const void *message, uint32_t bytes)
{
    struct vmbusr_bus *bus = host;

    if (!bus->guest || vp >= bus->vp_count)
        return;
    if (enqueue(&bus->out, vp, message, bytes))
        root_wake_thread(bus->vmbusr->root, context, &bus->thread);
}

static void close_inlets(struct vmbusr_bus *bus, struct hv_context *context)
{
    for (unsigned i = 0; i < VMBUSR_INLETS; i++)
        vmbusr_close_inlet(bus, context, &bus->inlets[i]);
}

/* The thread of a bus: answers go out before the next question is read, so
 * that a guest that does not take them has no more than those of one. */
static enum root_step serve(void *context, struct hv_context *hv_context)
{
    struct vmbusr_bus *bus = context;
    const struct vmbusr_message *message = bus->in.first;

    if (!bus->guest)
        return ROOT_DONE;
    if (bus->flooded)
        close_inlets(bus, hv_context);
    bus->flooded = false;
    if (bus->out.first)
        return send_first(bus, hv_context) ? ROOT_AGAIN : ROOT_DONE;
    if (!message)
        return ROOT_DONE;
    vmbus_message(bus->vmbus, hv_context, message->where, message->payload,
                  message->bytes);
    drop_first(&bus->in);
    return ROOT_AGAIN;
}

/* The guest's memory, as its partition has it. */

static bool read_guest(void *context, gpa_t from, void *to, size_t bytes)
{
    const struct vmbusr_bus *bus = context;

    return bus->guest && guest_memory_read(gpa_space_memory(&bus->guest->gpa),
                                           from, to, bytes);
}

static bool write_guest(void *context, gpa_t to, const void *from, size_t bytes)
{
    const struct vmbusr_bus *bus = context;

    return bus->guest && guest_memory_write(gpa_space_memory(&bus->guest->gpa),
                                            to, from, bytes);
}

struct guest_memory vmbusr_memory(struct vmbusr_bus *bus)
{
    static const struct guest_memory_ops ops = {.read = read_guest,
                                                .write = write_guest};

    return (struct guest_memory){.ops = &ops, .context = bus};
}

/* Life */

struct vmbusr *vmbusr_create(struct root *root, struct winhv *winhv)
{
    struct vmbusr *vmbusr = calloc(1, sizeof(*vmbusr));

    if (!vmbusr)
        return NULL;
    vmbusr->root = root;
    vmbusr->winhv = winhv;
    vmbusr->flags = calloc((size_t)root->vp_count * SYNIC_EVENT_FLAG_COUNT,
                           sizeof(struct vmbusr_channel *));
    if (!vmbusr->flags) {
        free(vmbusr);
        return NULL;
    }
    root_set_vmbus_handler(root, on_interrupt, vmbusr);
    return vmbusr;
}

void vmbusr_free(struct vmbusr *vmbusr)
{
    if (!vmbusr)
        return;
    free(vmbusr->flags);
    free(vmbusr);
}

struct vmbusr_bus *vmbusr_add(struct vmbusr *vmbusr, uint32_t vp_count)
{
    static const struct vmbus_host_ops ops = {
        .post = post,
        .listen = vmbusr_channel_listen,
        .unlisten = vmbusr_channel_unlisten,
        .signal = vmbusr_channel_signal,
        .serve = vmbusr_channel_serve,
        .wake_at = vmbusr_channel_wake_at,
        .forget = vmbusr_channel_forget,
    };
    struct vmbusr_bus *bus = calloc(1, sizeof(*bus));

    if (!bus)
        return NULL;
    *bus = (struct vmbusr_bus){
        .next = vmbusr->buses,
        .vmbusr = vmbusr,
        .vp_count = vp_count,
        .dpc = {.name = "vmbus-message", .step = route, .context = bus},
        .thread = {.name = "vmbus", .step = serve, .context = bus},
        .retry = {.kind = EVENT_DEVICE,
                  .name = "vmbus-retry",
                  .fire = on_retry,
                  .context = bus},
        .retry_ns = RETRY_NS_FIRST,
    };
    bus->vmbus = vmbus_create(&ops, bus, vmbusr_memory(bus));
    if (!bus->vmbus) {
        free(bus);
        return NULL;
    }
    vmbusr->buses = bus;
    return bus;
}

void vmbusr_remove(struct vmbusr_bus *bus)
{
    struct vmbusr_bus **link;

    if (!bus)
        return;
    link = &bus->vmbusr->buses;
    while (*link != bus)
        link = &(*link)->next;
    *link = bus->next;
    bus->guest = NULL;
    vmbus_free(bus->vmbus);
    if (event_is_scheduled(&bus->retry))
        event_cancel(bus->vmbusr->root->hv->events, &bus->retry);
    vmbusr_channel_free_all(bus);
    drop_all(&bus->in);
    drop_all(&bus->out);
    free(bus);
}

struct vmbus *vmbusr_vmbus(struct vmbusr_bus *bus)
{
    return bus->vmbus;
}

enum hv_status vmbusr_start(struct vmbusr_bus *bus, struct hv_context *context,
                            partition_id_t partition, uint32_t node, bool *done)
{
    const struct hv_port_info info = {
        .type = HV_PORT_MESSAGE, .sint = VMBUS_SINT, .vp = MESSAGE_ROOT_VP};
    unsigned next = 0;

    bus->partition = partition;
    bus->guest = hypervisor_find_partition(context->hv, partition);
    bus->node = node;
    while (next < VMBUSR_INLETS && bus->inlets[next].port != 0)
        next++;
    *done = next == VMBUSR_INLETS;
    if (*done)
        return HV_STATUS_SUCCESS;
    return vmbusr_open_inlet(bus, context, &bus->inlets[next],
                             inlet_connections[next], &info);
}

bool vmbusr_stop(struct vmbusr_bus *bus, struct hv_context *context)
{
    if (bus->guest) {
        /* Whatever runs after this finds nothing to do. */
        bus->guest = NULL;
        vmbus_reset(bus->vmbus);
        drop_all(&bus->in);
        drop_all(&bus->out);
        event_cancel(context->hv->events, &bus->retry);
        bus->retry_ns = RETRY_NS_FIRST;
        bus->flooded = false;
    }
    if (vmbusr_channel_close_one(bus, context))
        return false;
    if (bus->outlet.connection != 0) {
        vmbusr_close_outlet(bus, context, &bus->outlet);
        return false;
    }
    close_inlets(bus, context);
    bus->partition = (partition_id_t){0};
    return true;
}
