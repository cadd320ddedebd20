/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The timer of the local APIC. The count is not kept but computed: it was
 * `timer_first` at `timer_started`, has lost one every divisor / LAPIC_TIMER_HZ
 * since, and in periodic mode begins again at `timer_initial`. Due times are
 * computed from the start of the countdown, so rounding to cycles never adds
 * up.
 */
#include "hypervisor/expiry.h"
#include "hypervisor/lapic_private.h"
#include "hypervisor/vp.h"

#define MODE_ONE_SHOT 0
#define MODE_PERIODIC 1
#define MODE_TSC_DEADLINE 2

/* A periodic timer expires no more often than this; expiries in between are
 * skipped. Otherwise a guest could make its host do nothing else. KVM's limit,
 * its parameter min_timer_period_us, is 200 us. */
#define PERIOD_NS_MIN 10000

__extension__ typedef unsigned __int128 wide_t;

static uint32_t mode(const struct lapic *lapic)
{
    return lapic->lvt[LVT_TIMER] >> 17 & 3;
}

static bool counts_down(const struct lapic *lapic)
{
    return mode(lapic) == MODE_ONE_SHOT || mode(lapic) == MODE_PERIODIC;
}

/** Bits 3, 1 and 0 encode 2, 4, .. 128, and 1. */
static uint32_t divisor(const struct lapic *lapic)
{
    uint32_t code = (lapic->divide >> 1 & 4) | (lapic->divide & 3);

    return 1u << ((code + 1) & 7);
}

/** The first cycle by which `count` counts have passed. */
static cycles_t after_counts(const struct lapic *lapic, wide_t count)
{
    uint64_t hz = lapic->vp->hv->clock.hz;
    wide_t passed =
        (count * divisor(lapic) * hz + LAPIC_TIMER_HZ - 1) / LAPIC_TIMER_HZ;

    if (passed > UINT64_MAX - lapic->timer_started.v)
        return CYCLES_NEVER;
    return cycles_add(lapic->timer_started, cycles((uint64_t)passed));
}

/** Whole counts from the start of the countdown to `now`. */
static uint64_t counts_at(const struct lapic *lapic, cycles_t now)
{
    if (cycles_before(now, lapic->timer_started))
        return 0;

    uint64_t passed = cycles_sub(now, lapic->timer_started).v;
    uint64_t hz = lapic->vp->hv->clock.hz;

    return (uint64_t)((wide_t)passed * LAPIC_TIMER_HZ / hz / divisor(lapic));
}

uint32_t lapic_timer_current(const struct lapic *lapic, cycles_t now)
{
    if (!counts_down(lapic) || lapic->timer_first == 0)
        return 0;

    uint64_t passed = counts_at(lapic, now);

    if (passed < lapic->timer_first)
        return lapic->timer_first - (uint32_t)passed;
    if (mode(lapic) == MODE_ONE_SHOT || lapic->timer_initial == 0)
        return 0;
    return lapic->timer_initial -
           (uint32_t)((passed - lapic->timer_first) % lapic->timer_initial);
}

/** When the TSC reaches the deadline; `now` if it has. */
static cycles_t deadline_due(const struct lapic *lapic, cycles_t now)
{
    uint64_t tsc = now.v + lapic->vp->msrs.tsc_offset;

    if (lapic->tsc_deadline <= tsc)
        return now;
    if (lapic->tsc_deadline - tsc > UINT64_MAX - now.v)
        return CYCLES_NEVER;
    return cycles(now.v + (lapic->tsc_deadline - tsc));
}

/** When the timer expires next; CYCLES_NEVER if it is not running. */
static cycles_t next_due(const struct lapic *lapic, cycles_t now)
{
    switch (mode(lapic)) {
    case MODE_ONE_SHOT:
    case MODE_PERIODIC:
        if (lapic->timer_first == 0)
            return CYCLES_NEVER;
        return after_counts(lapic, (wide_t)lapic->timer_periods *
                                           lapic->timer_initial +
                                       lapic->timer_first);
    case MODE_TSC_DEADLINE:
        return lapic->tsc_deadline != 0 ? deadline_due(lapic, now)
                                        : CYCLES_NEVER;
    default: /* reserved by the SDM: nothing runs */
        return CYCLES_NEVER;
    }
}

static void schedule(struct lapic *lapic, cycles_t now)
{
    struct event_queue *events = lapic->vp->hv->events;
    cycles_t due = next_due(lapic, now);

    if (due.v == CYCLES_NEVER.v)
        event_cancel(events, &lapic->timer);
    else
        event_schedule(events, &lapic->timer, cycles_max(due, now));
}

static void program(struct hv_context *context, struct lapic *lapic)
{
    cost_note(context->bill, COST_TIMER_PROGRAM, 1);
    schedule(lapic, context->now);
}

static void start(struct lapic *lapic, uint32_t count, cycles_t now)
{
    lapic->timer_first = count;
    lapic->timer_started = now;
    lapic->timer_periods = 0;
}

/** Goes on to the first expiry that is far enough in the future. */
static void next_period(struct lapic *lapic, cycles_t now)
{
    cycles_t gap = clock_from_ns(lapic->vp->hv->clock, PERIOD_NS_MIN);
    uint64_t passed = counts_at(lapic, cycles_add(now, gap));
    uint64_t periods = lapic->timer_periods + 1;

    if (passed > lapic->timer_first) {
        uint64_t skipped = (passed - lapic->timer_first) / lapic->timer_initial;

        if (skipped > periods)
            periods = skipped;
    }
    lapic->timer_periods = periods;
}

static void fire(void *context, cycles_t now)
{
    struct lapic *lapic = context;
    struct hv_vp *vp = lapic->vp;
    struct hv_context expiry = expiry_begin(vp, now, EXPIRY_LAPIC_TIMER);
    uint32_t lvt = lapic->lvt[LVT_TIMER];

    switch (mode(lapic)) {
    case MODE_PERIODIC:
        if (lapic->timer_initial == 0) {
            lapic->timer_first = 0;
        } else {
            next_period(lapic, now);
            schedule(lapic, now);
        }
        break;
    case MODE_ONE_SHOT:
        lapic->timer_first = 0;
        break;
    default:
        lapic->tsc_deadline = 0;
        break;
    }
    if ((lvt & LVT_MASKED) == 0)
        vp_interrupt(&expiry, vp, (uint8_t)(lvt & LVT_VECTOR));
}

static void foresee(const void *context)
{
    const struct lapic *lapic = context;

    vp_foresee(lapic->vp);
}

void lapic_timer_init(struct lapic *lapic)
{
    lapic->timer = (struct event){
        .kind = EVENT_TIMER,
        .name = "apic-timer",
        .fire = fire,
        .context = lapic,
        .foresee = foresee,
    };
}

void lapic_timer_stop(struct lapic *lapic)
{
    event_cancel(lapic->vp->hv->events, &lapic->timer);
    lapic->timer_first = 0;
}

void lapic_timer_write_initial(struct hv_context *context, struct lapic *lapic,
                               uint32_t value)
{
    /* SDM 3A, "TSC-Deadline Mode": such writes are ignored. */
    if (mode(lapic) == MODE_TSC_DEADLINE)
        return;
    lapic->timer_initial = value;
    start(lapic, value, context->now);
    program(context, lapic);
}

void lapic_timer_write_divide(struct hv_context *context, struct lapic *lapic,
                              uint32_t value)
{
    uint32_t current = lapic_timer_current(lapic, context->now);

    lapic->divide = value;
    if (!counts_down(lapic) || current == 0)
        return;
    /* The count goes on from where it is, at the new rate. */
    start(lapic, current, context->now);
    program(context, lapic);
}

void lapic_timer_write_lvt(struct hv_context *context, struct lapic *lapic,
                           uint32_t value)
{
    uint32_t current = lapic_timer_current(lapic, context->now);
    uint32_t old_mode = mode(lapic);

    lapic->lvt[LVT_TIMER] = value;
    if (mode(lapic) == old_mode)
        return;
    if (old_mode == MODE_TSC_DEADLINE || !counts_down(lapic)) {
        lapic->timer_initial = 0;
        lapic->tsc_deadline = 0;
        current = 0;
    }
    start(lapic, current, context->now);
    program(context, lapic);
}

uint64_t lapic_timer_read_deadline(const struct lapic *lapic)
{
    return mode(lapic) == MODE_TSC_DEADLINE ? lapic->tsc_deadline : 0;
}

void lapic_timer_write_deadline(struct hv_context *context, struct lapic *lapic,
                                uint64_t value)
{
    if (mode(lapic) != MODE_TSC_DEADLINE)
        return;
    lapic->tsc_deadline = value;
    program(context, lapic);
}

void lapic_tsc_moved(struct hv_context *context, struct lapic *lapic)
{
    if (mode(lapic) == MODE_TSC_DEADLINE && lapic->tsc_deadline != 0)
        program(context, lapic);
}
