/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The channels of a VM as the root's driver sees them: an event port each way,
 * and a thread in which the VSP is served. */
#include <stdlib.h>

#include "hypervisor/partition.h"
#include "partitions/vmbusr_private.h"
#include "sim/core/check.h"

/* A channel's port in the guest's partition has one of two numbers, so that
 * the next one can be there before this one goes. */
#define EVENT_PORT(relid, which) (0x1000u + 2 * (relid) + (which))

static struct vmbusr_channel **owner_of(struct vmbusr *vmbusr, uint32_t root_vp,
                                        uint32_t flag)
{
    CHECK(root_vp < vmbusr->root->vp_count && flag < SYNIC_EVENT_FLAG_COUNT);
    return &vmbusr->flags[root_vp * SYNIC_EVENT_FLAG_COUNT + flag];
}

/* The DPC: the service routine has found the channel's flag set. */
static enum root_step route(void *context, struct hv_context *hv_context)
{
    struct vmbusr_channel *c = context;

    root_wake_thread(c->bus->vmbusr->root, hv_context, &c->thread);
    return ROOT_DONE;
}

/* The thread. From where the flag is cleared, another signal interrupts. */
static enum root_step serve(void *context, struct hv_context *hv_context)
{
    struct vmbusr_channel *c = context;

    if (c->signalled)
        root_clear_event_flag(c->bus->vmbusr->root, c->root_vp, c->flag);
    c->signalled = false;
    if (!c->channel)
        return ROOT_DONE;
    return vmbus_channel_step(c->channel, hv_context) == VMBUS_AGAIN
               ? ROOT_AGAIN
               : ROOT_DONE;
}

static void wake(struct vmbusr_channel *c, cycles_t now)
{
    struct hv_context context = root_event_context(c->bus->vmbusr->root, now);

    root_wake_thread(c->bus->vmbusr->root, &context, &c->thread);
}

static void on_timer(void *context, cycles_t now)
{
    wake(context, now);
}

/* Also when the machine is being taken apart, and has no events any more. */
static void cancel_timer(struct vmbusr_channel *c)
{
    if (event_is_scheduled(&c->timer))
        event_cancel(c->bus->vmbusr->root->hv->events, &c->timer);
}

static struct vmbusr_channel *find_unused(struct vmbusr_bus *bus)
{
    struct vmbusr_channel *c = bus->channels;

    while (c && (c->channel || c->thread.queued || c->dpc.queued))
        c = c->next;
    return c;
}

static struct vmbusr_channel *add(struct vmbusr_bus *bus)
{
    struct vmbusr_channel *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->bus = bus;
    c->dpc =
        (struct root_work){.name = "vmbus-signal", .step = route, .context = c};
    c->thread = (struct root_work){
        .name = "vmbus-channel", .step = serve, .context = c};
    c->timer = (struct event){.kind = EVENT_DEVICE,
                              .name = "vmbus-channel",
                              .fire = on_timer,
                              .context = c};
    c->next = bus->channels;
    bus->channels = c;
    return c;
}

/* What is kept of the channel; NULL if out of memory. */
static struct vmbusr_channel *keep(struct vmbusr_bus *bus,
                                   struct vmbus_channel *channel)
{
    struct vmbusr_channel *c = vmbus_channel_host_data(channel);

    if (c)
        return c;
    c = find_unused(bus);
    if (!c)
        c = add(bus);
    if (c) {
        c->channel = channel;
        vmbus_channel_set_host_data(channel, c);
    }
    return c;
}

/* A flag for the guest's signals, on the root VPs in turn: a port's VP is where
 * its interrupts are served. */
static bool take_flag(struct vmbusr_channel *c)
{
    struct vmbusr *vmbusr = c->bus->vmbusr;
    uint32_t vp_count = vmbusr->root->vp_count;

    for (uint32_t i = 0; i < vp_count; i++) {
        uint32_t vp = vmbusr->next_vp;

        vmbusr->next_vp = (vp + 1) % vp_count;
        for (uint32_t flag = 0; flag < SYNIC_EVENT_FLAG_COUNT; flag++) {
            if (*owner_of(vmbusr, vp, flag))
                continue;
            c->root_vp = vp;
            c->flag = flag;
            *owner_of(vmbusr, vp, flag) = c;
            return true;
        }
    }
    return false;
}

/* The next owner does not find it set. */
static void give_flag(struct vmbusr_channel *c)
{
    struct vmbusr *vmbusr = c->bus->vmbusr;

    root_clear_event_flag(vmbusr->root, c->root_vp, c->flag);
    *owner_of(vmbusr, c->root_vp, c->flag) = NULL;
    c->signalled = false;
}

static enum hv_status open_inlet(struct vmbusr_channel *c,
                                 struct hv_context *context)
{
    struct hv_port_info info = {
        .type = HV_PORT_EVENT, .sint = VMBUS_SINT, .flag_count = 1};
    uint32_t relid = vmbus_channel_relid(c->channel);
    enum hv_status status;

    if (!take_flag(c))
        return HV_STATUS_NO_RESOURCES;
    info.vp = c->root_vp;
    info.base_flag = (uint16_t)c->flag;
    status = vmbusr_open_inlet(c->bus, context, &c->inlet,
                               VMBUS_EVENT_CONNECTION(relid), &info);
    if (status != HV_STATUS_SUCCESS)
        give_flag(c);
    return status;
}

static void close_inlet(struct vmbusr_channel *c, struct hv_context *context)
{
    if (c->inlet.port == 0)
        return;
    vmbusr_close_inlet(c->bus, context, &c->inlet);
    give_flag(c);
}

/* To the VP, in place of another one; or to none. */
static enum hv_status move_outlet(struct vmbusr_channel *c,
                                  struct hv_context *context, uint32_t vp)
{
    uint32_t relid = vmbus_channel_relid(c->channel);
    const struct hv_port_info info = {.type = HV_PORT_EVENT,
                                      .sint = VMBUS_SINT,
                                      .vp = vp,
                                      .base_flag = (uint16_t)relid,
                                      .flag_count = 1};
    uint32_t port = EVENT_PORT(relid, 0);
    struct vmbusr_outlet old = c->outlet;
    enum hv_status status = HV_STATUS_SUCCESS;

    if (old.connection != 0 && old.port == port)
        port = EVENT_PORT(relid, 1);
    if (vp == VMBUS_NO_VP)
        c->outlet = (struct vmbusr_outlet){0};
    else
        status = vmbusr_open_outlet(c->bus, context, &c->outlet, port, &info);
    if (status == HV_STATUS_SUCCESS)
        vmbusr_close_outlet(c->bus, context, &old);
    return status;
}

enum hv_status vmbusr_channel_listen(void *host, struct hv_context *context,
                                     struct vmbus_channel *channel, uint32_t vp)
{
    struct vmbusr_bus *bus = host;
    struct vmbusr_channel *c = keep(bus, channel);
    enum hv_status status = HV_STATUS_SUCCESS;
    bool fresh;

    if (!c)
        return HV_STATUS_NO_RESOURCES;
    if (vp != VMBUS_NO_VP && vp >= bus->vp_count)
        return HV_STATUS_INVALID_VP_INDEX;
    fresh = c->inlet.port == 0;
    if (fresh)
        status = open_inlet(c, context);
    if (status == HV_STATUS_SUCCESS)
        status = move_outlet(c, context, vp);
    if (status != HV_STATUS_SUCCESS && fresh)
        close_inlet(c, context);
    return status;
}

/* Without a context the VM is being turned off, and vmbusr_stop() goes on. */
void vmbusr_channel_unlisten(void *host, struct hv_context *context,
                             struct vmbus_channel *channel)
{
    struct vmbusr_bus *bus = host;
    struct vmbusr_channel *c = vmbus_channel_host_data(channel);

    if (!c || !context)
        return;
    close_inlet(c, context);
    vmbusr_close_outlet(bus, context, &c->outlet);
}

/* A guest that masks its SINT or turns its SynIC off is not told. */
void vmbusr_channel_signal(void *host, struct hv_context *context,
                           struct vmbus_channel *channel)
{
    struct vmbusr_bus *bus = host;
    struct vmbusr_channel *c = vmbus_channel_host_data(channel);

    if (c && c->outlet.connection != 0)
        winhv_signal_event(bus->vmbusr->winhv, context, c->outlet.connection,
                           0);
}

void vmbusr_channel_serve(void *host, struct hv_context *context,
                          struct vmbus_channel *channel)
{
    struct vmbusr_bus *bus = host;
    struct vmbusr_channel *c = keep(bus, channel);

    if (c)
        root_wake_thread(bus->vmbusr->root, context, &c->thread);
}

void vmbusr_channel_wake_at(void *host, struct vmbus_channel *channel,
                            cycles_t at)
{
    struct vmbusr_bus *bus = host;
    struct vmbusr_channel *c = keep(bus, channel);
    struct hypervisor *hv = bus->vmbusr->root->hv;

    if (!c)
        return;
    if (at.v == CYCLES_NEVER.v)
        cancel_timer(c);
    else
        event_schedule(hv->events, &c->timer,
                       hv->current ? cycles_max(at, hv->current->now) : at);
}

/* Its ports, if it still has any, are taken back by vmbusr_stop(). */
void vmbusr_channel_forget(void *host, struct vmbus_channel *channel)
{
    struct vmbusr_channel *c = vmbus_channel_host_data(channel);

    (void)host;
    if (!c)
        return;
    cancel_timer(c);
    c->channel = NULL;
}

/* A flag stays set until the thread begins; one that is nobody's is stale.
 * True if it has risen. */
static bool see_flag(struct vmbusr *vmbusr, struct hv_context *context,
                     uint32_t root_vp, uint32_t flag)
{
    struct vmbusr_channel *c = *owner_of(vmbusr, root_vp, flag);

    if (!c) {
        root_clear_event_flag(vmbusr->root, root_vp, flag);
        return true;
    }
    if (c->signalled)
        return false;
    c->signalled = true;
    root_queue_dpc(vmbusr->root, context, &c->dpc);
    return true;
}

uint32_t vmbusr_channel_interrupt(struct vmbusr *vmbusr,
                                  struct hv_context *context, uint32_t root_vp)
{
    uint64_t flags[ROOT_EVENT_WORDS];
    uint32_t risen = 0;

    root_read_event_flags(vmbusr->root, root_vp, flags);
    for (uint32_t word = 0; word < ROOT_EVENT_WORDS; word++) {
        for (uint32_t bit = 0; flags[word] != 0; bit++, flags[word] >>= 1) {
            if ((flags[word] & 1) != 0)
                risen += see_flag(vmbusr, context, root_vp, word * 64 + bit);
        }
    }
    return risen;
}

bool vmbusr_channel_close_one(struct vmbusr_bus *bus,
                              struct hv_context *context)
{
    struct vmbusr_channel *c = bus->channels;

    while (c && c->inlet.port == 0 && c->outlet.connection == 0)
        c = c->next;
    if (!c)
        return false;
    close_inlet(c, context);
    vmbusr_close_outlet(bus, context, &c->outlet);
    return true;
}

void vmbusr_channel_free_all(struct vmbusr_bus *bus)
{
    while (bus->channels) {
        struct vmbusr_channel *c = bus->channels;

        bus->channels = c->next;
        cancel_timer(c);
        free(c);
    }
}
