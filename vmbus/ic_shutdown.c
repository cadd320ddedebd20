/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "vmbus/ic_private.h"

#define FLAG_FORCE 0x1u
#define FLAG_RESTART 0x2u
#define FLAG_HIBERNATE 0x4u
#define REASON_PLANNED 0x80000000u /* Windows' SHTDN_REASON_FLAG_PLANNED */

struct shutdown_body {
    uint32_t reason;
    uint32_t timeout_s;
    uint32_t flags;
    uint8_t text[2048]; /* for people; Linux does not show it */
};

static_assert(sizeof(struct shutdown_body) == IC_BODY_BYTES_MAX,
              "integration components");

struct ic_shutdown {
    struct ic ic;
    ic_shutdown_fn *done;
    void *owner; /* borrowed */
    enum ic_shutdown_outcome outcome;
    uint32_t status;
    uint32_t flags, timeout_s; /* of the request */
    bool sent;                 /* and not only wanted: there was room */
    cycles_t deadline;         /* for its answer */
};

static struct ic_shutdown *from_ic(struct ic *ic)
{
    return (struct ic_shutdown *)ic;
}

static void end(struct ic_shutdown *shutdown, struct hv_context *context,
                enum ic_shutdown_outcome outcome, uint32_t status)
{
    shutdown->outcome = outcome;
    shutdown->status = status;
    if (shutdown->done && context)
        shutdown->done(shutdown->owner, context, outcome, status);
}

/* Sends what is wanted, unless it is too late for that or for an answer. */
static void act(struct ic *ic, struct hv_context *context)
{
    struct ic_shutdown *shutdown = from_ic(ic);
    struct shutdown_body body = {.reason = REASON_PLANNED,
                                 .timeout_s = shutdown->timeout_s,
                                 .flags = shutdown->flags};

    if (shutdown->outcome != IC_SHUTDOWN_ASKED)
        return;
    if (!cycles_before(context->now, shutdown->deadline)) {
        ic->asked = false;
        end(shutdown, context, IC_SHUTDOWN_NO_ANSWER, 0);
        return;
    }
    if (!shutdown->sent)
        shutdown->sent = ic_ask(ic, context, &body, sizeof(body));
}

static void take_answer(struct ic *ic, struct hv_context *context,
                        uint32_t status, const uint8_t *body, uint32_t bytes)
{
    (void)body;
    (void)bytes;
    vmbus_channel_wake_at(ic->channel, CYCLES_NEVER);
    end(from_ic(ic), context,
        status == 0 ? IC_SHUTDOWN_ACCEPTED : IC_SHUTDOWN_REFUSED, status);
}

static void forget(struct ic *ic, struct hv_context *context)
{
    struct ic_shutdown *shutdown = from_ic(ic);

    if (shutdown->outcome == IC_SHUTDOWN_ASKED)
        end(shutdown, context, IC_SHUTDOWN_NO_ANSWER, 0);
}

static const struct ic_service service = {
    .type = IC_SHUTDOWN,
    .versions = {{1, 0}, {3, 0}, {3, 1}, {3, 2}},
    .version_count = 4,
    .act = act,
    .answer = take_answer,
    .closed = forget,
};

struct ic *ic_shutdown_create(struct sim_clock clock, ic_shutdown_fn *done,
                              void *owner)
{
    struct ic_shutdown *shutdown = calloc(1, sizeof(*shutdown));

    if (!shutdown)
        return NULL;
    shutdown->ic = (struct ic){
        .service = &service,
        .clock = clock,
        .class_id = VMBUS_GUID(0x0e0b6031, 0x5213, 0x4934, 0x81, 0x8b, 0x38,
                               0xd9, 0x0c, 0xed, 0x39, 0xdb),
        .instance_id = VMBUS_GUID(0xb6650ff7, 0x33bc, 0x4840, 0x80, 0x48, 0xe0,
                                  0x67, 0x67, 0x86, 0xf3, 0x93),
    };
    shutdown->done = done;
    shutdown->owner = owner;
    return &shutdown->ic;
}

bool ic_shutdown_request(struct ic *ic, struct hv_context *context,
                         enum ic_shutdown_kind kind, bool force,
                         uint32_t timeout_s)
{
    static const uint32_t flags[] = {
        [IC_SHUTDOWN_POWER_OFF] = 0,
        [IC_SHUTDOWN_RESTART] = FLAG_RESTART,
        [IC_SHUTDOWN_HIBERNATE] = FLAG_HIBERNATE,
    };
    struct ic_shutdown *shutdown = from_ic(ic);

    if (ic->state != IC_READY || shutdown->outcome == IC_SHUTDOWN_ASKED)
        return false;
    shutdown->outcome = IC_SHUTDOWN_ASKED;
    shutdown->status = 0;
    shutdown->flags = flags[kind] | (force ? FLAG_FORCE : 0);
    shutdown->timeout_s = timeout_s;
    shutdown->sent = false;
    shutdown->deadline =
        cycles_add(context->now, clock_from_ns(ic->clock, IC_ANSWER_NS));
    vmbus_channel_wake_at(ic->channel, shutdown->deadline);
    act(ic, context);
    return true;
}

enum ic_shutdown_outcome ic_shutdown_outcome(const struct ic *ic,
                                             uint32_t *status)
{
    const struct ic_shutdown *shutdown = (const struct ic_shutdown *)ic;

    if (status)
        *status = shutdown->status;
    return shutdown->outcome;
}
