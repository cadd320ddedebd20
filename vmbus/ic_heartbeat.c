/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "vmbus/ic_private.h"

struct heartbeat_body {
    uint64_t sequence;
    uint32_t application_state;
    uint32_t reserved;
};

struct ic_heartbeat {
    struct ic ic;
    uint64_t sequence; /* of the one sent last */
    bool waiting;      /* for its answer, or for that of one before */
    cycles_t period_end;
    unsigned missed; /* in a row */
    bool contact;    /* there has been an answer */
    uint32_t application_state;
};

static struct ic_heartbeat *from_ic(struct ic *ic)
{
    return (struct ic_heartbeat *)ic;
}

static const struct ic_heartbeat *from_const_ic(const struct ic *ic)
{
    return (const struct ic_heartbeat *)ic;
}

/* One that is not answered is not waited for: a guest that was away answers
 * all of them when it is back, and the last one counts. */
static void beat(struct ic *ic, struct hv_context *context)
{
    struct ic_heartbeat *heartbeat = from_ic(ic);
    struct heartbeat_body body = {.sequence = heartbeat->sequence + 1};

    /* Once a period, though it may be there is room for it in between. */
    if (heartbeat->waiting &&
        !cycles_before(context->now, heartbeat->period_end) &&
        heartbeat->missed < IC_HEARTBEATS_LOST)
        heartbeat->missed++;
    if (ic_ask(ic, context, &body, sizeof(body))) {
        heartbeat->sequence++;
        heartbeat->waiting = true;
    }
    heartbeat->period_end =
        cycles_add(context->now, clock_from_ns(ic->clock, IC_HEARTBEAT_NS));
    vmbus_channel_wake_at(ic->channel, heartbeat->period_end);
}

/* The guest counts, to show that it is it who answers. */
static void take_answer(struct ic *ic, struct hv_context *context,
                        uint32_t status, const uint8_t *body, uint32_t bytes)
{
    struct ic_heartbeat *heartbeat = from_ic(ic);
    struct heartbeat_body answer = {0};

    (void)context;
    memcpy(&answer, body, bytes < sizeof(answer) ? bytes : sizeof(answer));
    if (status != 0 || answer.sequence != heartbeat->sequence + 1)
        return;
    heartbeat->waiting = false;
    heartbeat->missed = 0;
    heartbeat->contact = true;
    heartbeat->application_state = answer.application_state;
}

static void forget(struct ic *ic, struct hv_context *context)
{
    struct ic_heartbeat *heartbeat = from_ic(ic);

    (void)context;
    heartbeat->waiting = false;
    heartbeat->missed = 0;
    heartbeat->contact = false;
    heartbeat->application_state = 0;
}

static const struct ic_service service = {
    .type = IC_HEARTBEAT,
    .versions = {{1, 0}, {3, 0}},
    .version_count = 2,
    .act = beat,
    .answer = take_answer,
    .closed = forget,
};

struct ic *ic_heartbeat_create(struct sim_clock clock)
{
    struct ic_heartbeat *heartbeat = calloc(1, sizeof(*heartbeat));

    if (!heartbeat)
        return NULL;
    heartbeat->ic = (struct ic){
        .service = &service,
        .clock = clock,
        .class_id = VMBUS_GUID(0x57164f39, 0x9115, 0x4e78, 0xab, 0x55, 0x38,
                               0x2f, 0x3b, 0xd5, 0x42, 0x2d),
        .instance_id = VMBUS_GUID(0xfd149e91, 0x82e0, 0x4a7d, 0xaf, 0xa6, 0x2a,
                                  0x41, 0x66, 0xcb, 0xd7, 0xc0),
    };
    return &heartbeat->ic;
}

enum ic_contact ic_heartbeat_contact(const struct ic *ic)
{
    const struct ic_heartbeat *heartbeat = from_const_ic(ic);

    if (!heartbeat->contact)
        return IC_NO_CONTACT;
    return heartbeat->missed < IC_HEARTBEATS_LOST ? IC_OK
                                                  : IC_LOST_COMMUNICATION;
}

uint32_t ic_heartbeat_application_state(const struct ic *ic)
{
    return from_const_ic(ic)->application_state;
}
