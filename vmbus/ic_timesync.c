/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "sim/core/check.h"
#include "vmbus/ic_private.h"

#define SECONDS_1601_TO_1970 INT64_C(11644473600)
#define UNITS_PER_SECOND 10000000u /* of 100 ns */

#define FLAG_SYNC 0x1u   /* set your clock */
#define FLAG_SAMPLE 0x2u /* for your information */

struct timesync_body { /* up to version 3.0 */
    uint64_t host_time;
    uint64_t guest_time;
    uint64_t round_trip;
    uint8_t flags;
};

struct timesync_reference_body { /* from version 4.0 on */
    uint64_t host_time;
    uint64_t reference_time; /* of the VM, when host_time was read */
    uint8_t flags;
    uint8_t leap_indicator;
    uint8_t stratum;
    uint8_t reserved[5];
};

#define TIMESYNC_BYTES 25 /* without what pads it here */

static_assert(offsetof(struct timesync_body, flags) + 1 == TIMESYNC_BYTES,
              "integration components");
static_assert(sizeof(struct timesync_reference_body) == 24,
              "integration components");

struct ic_timesync {
    struct ic ic;
    uint64_t start; /* the host's clock at time 0: 100 ns since 1601 */
    ic_timesync_fn *reference_time;
    void *owner; /* borrowed */
    bool synced; /* the guest has been told to set its clock */
};

static struct ic_timesync *from_ic(struct ic *ic)
{
    return (struct ic_timesync *)ic;
}

static bool send_time(struct ic_timesync *timesync, struct hv_context *context,
                      uint8_t flags)
{
    struct ic *ic = &timesync->ic;
    uint64_t host_time =
        timesync->start + clock_to_reftime(ic->clock, context->now).v;

    if (ic->message_version.major < 4) {
        struct timesync_body body = {.host_time = host_time, .flags = flags};

        return ic_ask(ic, context, &body, TIMESYNC_BYTES);
    }

    struct timesync_reference_body body = {
        .host_time = host_time,
        .reference_time =
            timesync->reference_time(timesync->owner, context->now).v,
        .flags = flags,
    };

    return ic_ask(ic, context, &body, sizeof(body));
}

/* Without room the next time is sent then, and not this one. */
static void act(struct ic *ic, struct hv_context *context)
{
    struct ic_timesync *timesync = from_ic(ic);

    if (send_time(timesync, context,
                  timesync->synced ? FLAG_SAMPLE : FLAG_SYNC))
        timesync->synced = true;
    ic_wake_in(ic, context, IC_TIMESYNC_NS);
}

/* The guest has the time, or does not want it. */
static void take_answer(struct ic *ic, struct hv_context *context,
                        uint32_t status, const uint8_t *body, uint32_t bytes)
{
    (void)ic;
    (void)context;
    (void)status;
    (void)body;
    (void)bytes;
}

static void forget(struct ic *ic, struct hv_context *context)
{
    (void)context;
    from_ic(ic)->synced = false;
}

static const struct ic_service service = {
    .type = IC_TIMESYNC,
    .versions = {{1, 0}, {3, 0}, {4, 0}},
    .version_count = 3,
    .act = act,
    .answer = take_answer,
    .closed = forget,
};

struct ic *ic_timesync_create(struct sim_clock clock, int64_t start_seconds,
                              ic_timesync_fn *reference_time, void *owner)
{
    struct ic_timesync *timesync = calloc(1, sizeof(*timesync));

    CHECK(start_seconds >= -SECONDS_1601_TO_1970);
    if (!timesync)
        return NULL;
    timesync->ic = (struct ic){
        .service = &service,
        .clock = clock,
        .class_id = VMBUS_GUID(0x9527e630, 0xd0ae, 0x497b, 0xad, 0xce, 0xe8,
                               0x0a, 0xb0, 0x17, 0x5c, 0xaf),
        .instance_id = VMBUS_GUID(0x2dd1ce17, 0x079e, 0x403c, 0xb3, 0x52, 0xa1,
                                  0x92, 0x1e, 0xe2, 0x07, 0xee),
    };
    timesync->start =
        (uint64_t)(start_seconds + SECONDS_1601_TO_1970) * UNITS_PER_SECOND;
    timesync->reference_time = reference_time;
    timesync->owner = owner;
    return &timesync->ic;
}
