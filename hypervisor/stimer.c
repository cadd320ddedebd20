/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Design. A timer expires at the first cycle at which the reference time has
 * reached its due time, never before. A message that finds its slot occupied
 * waits, and with it the timer; the SynIC calls stimer_retry().
 *
 * Periodic timers that have fallen behind (TLFS, "Periodic Timers"): a lazy
 * one skips to its next period; any other one catches up at twice its rate,
 * and if it is more than CATCH_UP_PERIODS_MAX behind, skips what is beyond. In
 * direct mode an expiry that finds its vector still pending merges with it.
 */
#include "hypervisor/stimer.h"

#include "hypervisor/expiry.h"
#include "hypervisor/partition.h"
#include "hypervisor/reftime.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

#define CONFIG_ENABLE (UINT64_C(1) << 0)
#define CONFIG_PERIODIC (UINT64_C(1) << 1)
#define CONFIG_LAZY (UINT64_C(1) << 2)
#define CONFIG_AUTO_ENABLE (UINT64_C(1) << 3)
#define CONFIG_DIRECT (UINT64_C(1) << 12)
#define CONFIG_RESERVED UINT64_C(0xfffffffffff0e000)

#define CATCH_UP_PERIODS_MAX 8

/* A periodic timer expires no more often than every 10 us, or a guest could
 * make its host do nothing else; the specification lets us skip expiries. */
#define PERIOD_REFTIME_MIN 100

/** HV_TIMER_MESSAGE_PAYLOAD */
struct timer_payload {
    uint32_t index;
    uint32_t reserved;
    uint64_t expiration;
    uint64_t delivery;
};

static uint8_t vector_of(const struct stimer *timer)
{
    return (uint8_t)(timer->config >> 4);
}

static uint32_t sint_of(const struct stimer *timer)
{
    return (uint32_t)(timer->config >> 16 & 0xf);
}

/** The time of an expiry's signal. The LP on which it happens may be behind
 *  the event queue by up to a quantum; nobody shall see that. */
static reftime_t signal_time(const struct stimer *timer, cycles_t now)
{
    reftime_t time = reftime_now(timer->vp->partition, now);

    return time.v < timer->due.v ? timer->due : time;
}

/** Saturating: what overflows is never reached. */
static reftime_t after(reftime_t time, uint64_t duration)
{
    return (reftime_t){time.v > UINT64_MAX - duration ? UINT64_MAX
                                                      : time.v + duration};
}

static void cancel(struct stimer *timer)
{
    event_cancel(timer->vp->hv->events, &timer->event);
    timer->message_waiting = false;
}

static void schedule(struct stimer *timer, cycles_t now)
{
    cycles_t at = reftime_to_cycles(timer->vp->partition, timer->due);

    if (at.v != CYCLES_NEVER.v)
        event_schedule(timer->vp->hv->events, &timer->event,
                       cycles_max(at, now));
}

/** The due time of a periodic timer after the expiry that was just signalled:
 *  see the top of this file. */
static reftime_t next_due(const struct stimer *timer, reftime_t now)
{
    uint64_t period = timer->count;
    uint64_t gap = period < PERIOD_REFTIME_MIN ? PERIOD_REFTIME_MIN : period;
    reftime_t due = timer->due;
    uint64_t behind = now.v - due.v;

    CHECK(period != 0); /* a timer without a count never starts */
    if (behind < period)
        return after(due, period < gap ? gap : period);
    if ((timer->config & CONFIG_LAZY) != 0 || period < gap)
        return after((reftime_t){now.v - behind % period}, gap);
    if (behind / period > CATCH_UP_PERIODS_MAX)
        due.v = now.v - behind % period - CATCH_UP_PERIODS_MAX * period;
    return after(due, period);
}

static bool send_message(struct hv_context *context, struct stimer *timer)
{
    const struct timer_payload payload = {
        .index = timer->index,
        .expiration = timer->due.v,
        .delivery = signal_time(timer, context->now).v,
    };

    return synic_place_message(context, &timer->vp->synic, sint_of(timer),
                               SYNIC_MESSAGE_TIMER_EXPIRED, 0, &payload,
                               sizeof(payload));
}

static bool send(struct hv_context *context, struct stimer *timer)
{
    if ((timer->config & CONFIG_DIRECT) == 0)
        return send_message(context, timer);
    pc_vp_add(&timer->vp->counters, PC_VP_SYNTHETIC_INTERRUPTS, 1);
    vp_interrupt(context, timer->vp, vector_of(timer));
    return true;
}

/** A catching-up timer's next expiry is not before half a period from now. */
static void go_on(struct stimer *timer, cycles_t now)
{
    reftime_t time = signal_time(timer, now);

    timer->due = next_due(timer, time);

    cycles_t earliest = timer->due.v > time.v
                            ? now
                            : reftime_to_cycles(timer->vp->partition,
                                                after(time, timer->count / 2));

    schedule(timer, earliest);
}

/** Signals the expiry that is due, or leaves it waiting for its slot. */
static void expire(struct hv_context *context, struct stimer *timer)
{
    timer->message_waiting = false;
    if (!send(context, timer))
        timer->message_waiting = true;
    if ((timer->config & CONFIG_PERIODIC) == 0)
        timer->config &= ~CONFIG_ENABLE;
    else if (!timer->message_waiting)
        go_on(timer, context->now);
}

static void fire(void *context, cycles_t now)
{
    struct stimer *timer = context;
    struct hv_context expiry = expiry_begin(timer->vp, now, timer->index);

    expire(&expiry, timer);
}

static void foresee(const void *context)
{
    const struct stimer *timer = context;

    vp_foresee(timer->vp);
}

static void start(struct hv_context *context, struct stimer *timer)
{
    reftime_t now = reftime_now(timer->vp->partition, context->now);

    if ((timer->config & CONFIG_ENABLE) == 0 || timer->count == 0)
        return;
    cost_note(context->bill, COST_TIMER_PROGRAM, 1);
    if ((timer->config & CONFIG_PERIODIC) != 0)
        timer->due = after(now, timer->count);
    else
        timer->due = (reftime_t){timer->count};
    if (timer->due.v <= now.v)
        expire(context, timer);
    else
        schedule(timer, context->now);
}

void stimer_init(struct stimer *timer, struct hv_vp *vp, uint8_t index)
{
    *timer = (struct stimer){
        .vp = vp,
        .index = index,
        .event = {.kind = EVENT_TIMER,
                  .name = "synthetic-timer",
                  .fire = fire,
                  .context = timer,
                  .foresee = foresee},
    };
}

void stimer_fini(struct stimer *timer)
{
    cancel(timer);
}

void stimer_reset(struct hv_context *context, struct stimer *timer)
{
    (void)context;
    cancel(timer);
    timer->config = 0;
    timer->count = 0;
}

bool stimer_write_config(struct hv_context *context, struct stimer *timer,
                         uint64_t value)
{
    if ((value & CONFIG_RESERVED) != 0)
        return false;
    if ((value & CONFIG_DIRECT) != 0 &&
        !partition_offers(timer->vp->partition, FEATURE_DIRECT_TIMERS))
        return false;
    cancel(timer);
    timer->config = value;
    /* SINT 0 is the hypervisor's own. */
    if ((value & CONFIG_DIRECT) == 0 && sint_of(timer) == 0)
        timer->config &= ~CONFIG_ENABLE;
    start(context, timer);
    return true;
}

bool stimer_write_count(struct hv_context *context, struct stimer *timer,
                        uint64_t value)
{
    bool usable = (timer->config & CONFIG_DIRECT) != 0 || sint_of(timer) != 0;

    cancel(timer);
    timer->count = value;
    if (value == 0)
        timer->config &= ~CONFIG_ENABLE;
    else if ((timer->config & CONFIG_AUTO_ENABLE) != 0 && usable)
        timer->config |= CONFIG_ENABLE;
    start(context, timer);
    return true;
}

bool stimer_waits_for(const struct stimer *timer, uint32_t sint)
{
    return timer->message_waiting && sint_of(timer) == sint;
}

void stimer_retry(struct hv_context *context, struct stimer *timer)
{
    if (timer->message_waiting)
        expire(context, timer);
}
