/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Message delivery (TLFS, "Inter-Partition Communication"). A slot is free if
 * its type is 0, and is never overwritten. What finds it occupied waits, and
 * sets MessagePending in it, so that the guest writes EOM when it has freed
 * the slot. Queued messages go first, then expired timers, then intercepts
 * that found the queue full.
 */
#include "hypervisor/synic.h"

#include <stdlib.h>
#include <string.h>

#include "hypervisor/hypercall_abi.h"
#include "hypervisor/intercept.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

#define MSR_SCONTROL 0x40000080u
#define MSR_SVERSION 0x40000081u
#define MSR_SIEFP 0x40000082u
#define MSR_SIMP 0x40000083u
#define MSR_EOM 0x40000084u
#define MSR_SIRBP 0x40000085u
#define MSR_SINT0 0x40000090u
#define MSR_SINT15 0x4000009fu

#define VERSION 1
#define ENABLE UINT64_C(1)
#define SINT_VECTOR UINT64_C(0xff)
#define SINT_MASKED (UINT64_C(1) << 16)
#define SINT_AUTO_EOI (UINT64_C(1) << 17)
#define SINT_POLLING (UINT64_C(1) << 18)
#define SINT_AS_INTERCEPT (UINT64_C(1) << 19)
#define VECTOR_FIRST_LEGAL 16

#define RETRY_NS 1000000

/** HV_MESSAGE; a slot of the message page holds one. */
struct message {
    uint32_t type;
    uint8_t payload_bytes;
    uint8_t flags;
    uint16_t reserved;
    uint64_t origin;
    uint8_t payload[SYNIC_PAYLOAD_BYTES_MAX];
};

_Static_assert(sizeof(struct message) == SYNIC_MESSAGE_BYTES,
               "a message fills its slot");

#define FLAG_PENDING 0x01

/** HV_SYNIC_EVENT_RING: one for each SINT. */
#define RING_ENTRIES 63

struct ring {
    uint8_t signal_masked;
    uint8_t full;
    uint16_t reserved;
    uint32_t entries[RING_ENTRIES]; /* 0: empty */
};

_Static_assert(sizeof(struct ring) * SYNIC_SINT_COUNT == PAGE_BYTES,
               "rings fill their page");

struct synic_queued {
    struct synic_queued *next;
    struct message message;
};

static struct arena *arena_of(const struct synic *synic)
{
    return synic->vp->hv->arena;
}

static bool has_page(spa_t page)
{
    return page.raw != SYNIC_NO_PAGE.raw;
}

static bool receives(const struct synic *synic)
{
    return (synic->scontrol & ENABLE) != 0 && has_page(synic->message_page);
}

static spa_t slot_of(const struct synic *synic, uint32_t sint)
{
    return spa_add(synic->message_page, (uint64_t)sint * SYNIC_MESSAGE_BYTES);
}

static bool slot_is_free(const struct synic *synic, uint32_t sint)
{
    uint32_t type;

    arena_read(arena_of(synic), slot_of(synic, sint), &type, sizeof(type));
    return type == 0;
}

/** Whether anything waits for the slot of `sint`. */
static bool waits(const struct synic *synic, uint32_t sint)
{
    if (synic->queue[sint] || (sint == INTERCEPT_SINT && synic->senders))
        return true;
    for (unsigned i = 0; i < STIMER_COUNT; i++) {
        if (stimer_waits_for(&synic->vp->stimers[i], sint))
            return true;
    }
    return false;
}

static bool anything_waits(const struct synic *synic)
{
    for (uint32_t sint = 0; sint < SYNIC_SINT_COUNT; sint++) {
        if (waits(synic, sint))
            return true;
    }
    return false;
}

static void schedule_retry(struct hv_context *context, struct synic *synic)
{
    struct hypervisor *hv = synic->vp->hv;

    if (!event_is_scheduled(&synic->retry))
        event_schedule(
            hv->events, &synic->retry,
            cycles_add(context->now, clock_from_ns(hv->clock, RETRY_NS)));
}

static void interrupt(struct hv_context *context, struct synic *synic,
                      uint32_t sint)
{
    uint64_t value = synic->sint[sint];

    /* To a masked SINT the interrupt is lost; unmasking brings none back. */
    if ((value & (SINT_MASKED | SINT_POLLING)) != 0)
        return;
    pc_vp_add(&synic->vp->counters, PC_VP_SYNTHETIC_INTERRUPTS, 1);
    vp_interrupt(context, synic->vp, (uint8_t)(value & SINT_VECTOR));
}

/** Writes into the free slot, the type last: guests poll it. */
static void fill_slot(struct hv_context *context, struct synic *synic,
                      uint32_t sint, const struct message *message)
{
    const size_t type_bytes = sizeof(message->type);
    spa_t slot = slot_of(synic, sint);

    arena_write(arena_of(synic), spa_add(slot, type_bytes),
                (const uint8_t *)message + type_bytes,
                sizeof(*message) - type_bytes);
    arena_write(arena_of(synic), slot, &message->type, type_bytes);

    struct hv_context of_vp = *context;

    of_vp.vp = synic->vp;
    hypervisor_trace(&of_vp, TRACE_MESSAGE, message->type);
    interrupt(context, synic, sint);
}

/** Tells the guest that EOM is wanted once it has freed the slot. */
static void set_pending(struct synic *synic, uint32_t sint)
{
    spa_t at = spa_add(slot_of(synic, sint), offsetof(struct message, flags));
    uint8_t flags;

    arena_read(arena_of(synic), at, &flags, sizeof(flags));
    flags |= FLAG_PENDING;
    arena_write(arena_of(synic), at, &flags, sizeof(flags));
}

/** Moves the oldest queued message into its slot if that is free. */
static void advance(struct hv_context *context, struct synic *synic,
                    uint32_t sint)
{
    struct synic_queued *first = synic->queue[sint];

    if (!first || !receives(synic) || !slot_is_free(synic, sint))
        return;
    synic->queue[sint] = first->next;
    first->message.flags = waits(synic, sint) ? FLAG_PENDING : 0;
    fill_slot(context, synic, sint, &first->message);
    free(first);
}

static bool is_hypervisors(const struct message *message)
{
    return (message->type & HV_MESSAGE_TYPE_HYPERVISOR) != 0;
}

static bool same_origin(const struct message *a, const struct message *b)
{
    return is_hypervisors(a) == is_hypervisors(b) &&
           (is_hypervisors(a) || a->origin == b->origin);
}

static bool enqueue(struct synic *synic, uint32_t sint,
                    const struct message *message)
{
    struct synic_queued **end = &synic->queue[sint];
    struct synic_queued *queued;
    unsigned buffers = 0;

    for (; *end; end = &(*end)->next) {
        if (same_origin(&(*end)->message, message))
            buffers++;
    }
    if (buffers == SYNIC_QUEUE_MAX)
        return false;
    queued = malloc(sizeof(*queued));
    if (!queued)
        return false;
    *queued = (struct synic_queued){.message = *message};
    *end = queued;
    return true;
}

static struct message make_message(uint32_t type, uint64_t origin,
                                   const void *payload, uint32_t bytes)
{
    struct message message = {
        .type = type,
        .payload_bytes = (uint8_t)bytes,
        .origin = origin,
    };

    CHECK(type != 0 && bytes <= SYNIC_PAYLOAD_BYTES_MAX);
    memcpy(message.payload, payload, bytes);
    return message;
}

/** Places the message if its slot is free and no queued one is before it;
 *  otherwise sees to it that the slot's next emptying is noticed. */
static bool place(struct hv_context *context, struct synic *synic,
                  uint32_t sint, struct message *message)
{
    advance(context, synic, sint);
    if (synic->queue[sint] || !slot_is_free(synic, sint)) {
        set_pending(synic, sint);
        schedule_retry(context, synic);
        return false;
    }
    message->flags = waits(synic, sint) ? FLAG_PENDING : 0;
    fill_slot(context, synic, sint, message);
    return true;
}

bool synic_post_message(struct hv_context *context, struct synic *synic,
                        uint32_t sint, uint32_t type, uint64_t origin,
                        const void *payload, uint32_t bytes)
{
    struct message message = make_message(type, origin, payload, bytes);

    CHECK(sint < SYNIC_SINT_COUNT);
    if (!receives(synic))
        return false;
    cost_note(context->bill, COST_SYNIC_MESSAGE, 1);
    return place(context, synic, sint, &message) ||
           enqueue(synic, sint, &message);
}

bool synic_place_message(struct hv_context *context, struct synic *synic,
                         uint32_t sint, uint32_t type, uint64_t origin,
                         const void *payload, uint32_t bytes)
{
    struct message message = make_message(type, origin, payload, bytes);

    CHECK(sint < SYNIC_SINT_COUNT);
    if (!receives(synic))
        return false;
    cost_note(context->bill, COST_SYNIC_MESSAGE, 1);
    return place(context, synic, sint, &message);
}

bool synic_takes_messages(const struct synic *synic)
{
    return receives(synic);
}

bool synic_takes_events(const struct synic *synic, uint32_t sint)
{
    return (synic->scontrol & ENABLE) != 0 &&
           has_page(synic->event_flags_page) &&
           (synic->sint[sint] & SINT_MASKED) == 0;
}

void synic_signal_event(struct hv_context *context, struct synic *synic,
                        uint32_t sint, uint32_t flag)
{
    spa_t at = spa_add(synic->event_flags_page,
                       sint * (SYNIC_EVENT_FLAG_COUNT / 8) + flag / 8);
    uint8_t bit = (uint8_t)(1u << flag % 8);
    uint8_t flags;

    CHECK(synic_takes_events(synic, sint) && flag < SYNIC_EVENT_FLAG_COUNT);
    arena_read(arena_of(synic), at, &flags, sizeof(flags));
    if ((flags & bit) != 0)
        return;
    flags |= bit;
    arena_write(arena_of(synic), at, &flags, sizeof(flags));
    interrupt(context, synic, sint);
}

bool synic_takes_ring(const struct synic *synic)
{
    return (synic->scontrol & ENABLE) != 0 && has_page(synic->ring_page);
}

/* Tells software of its ring, unless it is at it. */
static void signal_ring(struct hv_context *context, struct synic *synic,
                        uint32_t sint, struct ring *ring)
{
    if (ring->signal_masked)
        return;
    ring->signal_masked = 1;
    if ((synic->sint[sint] & SINT_AS_INTERCEPT) != 0)
        (void)synic_post_message(
            context, synic, INTERCEPT_SINT, SYNIC_MESSAGE_SINT_INTERCEPT,
            synic->vp->partition->id.v, &sint, sizeof(sint));
    else
        interrupt(context, synic, sint);
}

bool synic_put_on_ring(struct hv_context *context, struct synic *synic,
                       uint32_t sint, uint32_t entry)
{
    spa_t at = spa_add(synic->ring_page, sint * sizeof(struct ring));
    uint8_t *head = &synic->ring_head[sint];
    struct ring ring;
    bool room;

    CHECK(synic_takes_ring(synic) && sint < SYNIC_SINT_COUNT && entry != 0);
    arena_read(arena_of(synic), at, &ring, sizeof(ring));
    room = ring.entries[*head] == 0;
    if (room) {
        ring.entries[*head] = entry;
        *head = (uint8_t)((*head + 1) % RING_ENTRIES);
    } else {
        ring.full = 1;
    }
    signal_ring(context, synic, sint, &ring);
    arena_write(arena_of(synic), at, &ring, sizeof(ring));
    return room;
}

bool synic_take_message(struct hv_context *context, struct synic *synic,
                        uint32_t sint, uint8_t message[SYNIC_MESSAGE_BYTES])
{
    const uint32_t free_type = 0;
    struct message taken;

    CHECK(sint < SYNIC_SINT_COUNT);
    if (!has_page(synic->message_page) || slot_is_free(synic, sint))
        return false;
    arena_read(arena_of(synic), slot_of(synic, sint), &taken, sizeof(taken));
    memcpy(message, &taken, sizeof(taken));
    arena_write(arena_of(synic), slot_of(synic, sint), &free_type,
                sizeof(free_type));
    if ((taken.flags & FLAG_PENDING) != 0)
        synic_rescan(context, synic);
    return true;
}

void synic_rescan(struct hv_context *context, struct synic *synic)
{
    if (!receives(synic))
        return;
    for (uint32_t sint = 0; sint < SYNIC_SINT_COUNT; sint++)
        advance(context, synic, sint);
    for (unsigned i = 0; i < STIMER_COUNT; i++)
        stimer_retry(context, &synic->vp->stimers[i]);
    if (synic->senders)
        intercept_resend(context, synic);
    if (anything_waits(synic))
        schedule_retry(context, synic);
}

void synic_eoi(struct hv_context *context, struct synic *synic, uint8_t vector)
{
    if (!receives(synic))
        return;
    for (uint32_t sint = 0; sint < SYNIC_SINT_COUNT; sint++) {
        if ((synic->sint[sint] & SINT_VECTOR) == vector &&
            (synic->sint[sint] & SINT_MASKED) == 0) {
            synic_rescan(context, synic);
            return;
        }
    }
}

static void retry(void *context, cycles_t now)
{
    struct synic *synic = context;
    struct hv_context event = vp_event_context(synic->vp, now);

    synic_rescan(&event, synic);
}

/* Registers */

/** SIMP, SIEFP or SIRBP. A GPA that cannot be had leaves the register as
 * written and the guest without its page (TLFS, "SIMP Register"). */
static void write_page_register(struct synic *synic, uint64_t *msr, spa_t *page,
                                uint64_t value)
{
    struct gpa_space *space = &synic->vp->partition->gpa;
    bool moves = ((*msr ^ value) & (~PAGE_MASK | ENABLE)) != 0;

    *msr = value;
    if (!moves)
        return;
    if (has_page(*page))
        gpa_space_remove_overlay(space, msr);
    *page = SYNIC_NO_PAGE;
    if ((value & ENABLE) != 0 &&
        gpa_space_overlay(space, msr, gpa_page(gpa(value)), true, page) !=
            HV_STATUS_SUCCESS)
        *page = SYNIC_NO_PAGE;
}

static void update_auto_eoi(struct synic *synic, uint8_t old_vector)
{
    struct lapic *lapic = &synic->vp->lapic;

    lapic_set_auto_eoi(lapic, old_vector, false);
    for (uint32_t sint = 0; sint < SYNIC_SINT_COUNT; sint++) {
        uint64_t value = synic->sint[sint];

        if ((value & SINT_MASKED) == 0 && (value & SINT_AUTO_EOI) != 0)
            lapic_set_auto_eoi(lapic, (uint8_t)(value & SINT_VECTOR), true);
    }
}

/** The unmasked vectors below 16 are #GP, unless nothing is asserted. */
static bool write_sint(struct synic *synic, uint32_t sint, uint64_t value)
{
    uint8_t old_vector = (uint8_t)(synic->sint[sint] & SINT_VECTOR);

    if ((value & (SINT_MASKED | SINT_POLLING)) == 0 &&
        (value & SINT_VECTOR) < VECTOR_FIRST_LEGAL)
        return false;
    synic->sint[sint] = value;
    update_auto_eoi(synic, old_vector);
    return true;
}

bool synic_msr_read(struct hv_context *context, struct synic *synic,
                    uint32_t index, uint64_t *value)
{
    (void)context;
    if (index >= MSR_SINT0 && index <= MSR_SINT15) {
        *value = synic->sint[index - MSR_SINT0];
        return true;
    }
    switch (index) {
    case MSR_SCONTROL:
        *value = synic->scontrol;
        return true;
    case MSR_SVERSION:
        *value = VERSION;
        return true;
    case MSR_SIEFP:
        *value = synic->siefp;
        return true;
    case MSR_SIMP:
        *value = synic->simp;
        return true;
    case MSR_SIRBP:
        *value = synic->sirbp;
        return true;
    case MSR_EOM:
        *value = 0;
        return true;
    default:
        return false;
    }
}

bool synic_msr_write(struct hv_context *context, struct synic *synic,
                     uint32_t index, uint64_t value)
{
    if (index >= MSR_SINT0 && index <= MSR_SINT15)
        return write_sint(synic, index - MSR_SINT0, value);
    switch (index) {
    case MSR_SCONTROL:
        synic->scontrol = value;
        break;
    case MSR_SIEFP:
        write_page_register(synic, &synic->siefp, &synic->event_flags_page,
                            value);
        return true;
    case MSR_SIRBP:
        write_page_register(synic, &synic->sirbp, &synic->ring_page, value);
        memset(synic->ring_head, 0, sizeof(synic->ring_head));
        return true;
    case MSR_SIMP:
        write_page_register(synic, &synic->simp, &synic->message_page, value);
        break;
    case MSR_EOM:
        break;
    default: /* MSR_SVERSION: read only */
        return false;
    }
    synic_rescan(context, synic);
    return true;
}

/* Life */

void synic_init(struct synic *synic, struct hv_vp *vp)
{
    *synic = (struct synic){
        .vp = vp,
        .message_page = SYNIC_NO_PAGE,
        .event_flags_page = SYNIC_NO_PAGE,
        .ring_page = SYNIC_NO_PAGE,
        .retry = {.kind = EVENT_TIMER,
                  .name = "synic-retry",
                  .fire = retry,
                  .context = synic},
    };
    for (uint32_t sint = 0; sint < SYNIC_SINT_COUNT; sint++)
        synic->sint[sint] = SINT_MASKED;
}

static void drop_pages(struct synic *synic)
{
    write_page_register(synic, &synic->siefp, &synic->event_flags_page, 0);
    write_page_register(synic, &synic->simp, &synic->message_page, 0);
    write_page_register(synic, &synic->sirbp, &synic->ring_page, 0);
}

static void drop_queues(struct synic *synic)
{
    for (uint32_t sint = 0; sint < SYNIC_SINT_COUNT; sint++) {
        while (synic->queue[sint]) {
            struct synic_queued *first = synic->queue[sint];

            synic->queue[sint] = first->next;
            free(first);
        }
    }
}

void synic_reset(struct hv_context *context, struct synic *synic)
{
    (void)context;
    event_cancel(synic->vp->hv->events, &synic->retry);
    drop_queues(synic);
    drop_pages(synic);
    synic->scontrol = 0;
    for (uint32_t sint = 0; sint < SYNIC_SINT_COUNT; sint++) {
        uint8_t vector = (uint8_t)(synic->sint[sint] & SINT_VECTOR);

        synic->sint[sint] = SINT_MASKED;
        lapic_set_auto_eoi(&synic->vp->lapic, vector, false);
    }
}

void synic_fini(struct synic *synic)
{
    event_cancel(synic->vp->hv->events, &synic->retry);
    drop_queues(synic);
    drop_pages(synic);
    while (synic->senders)
        intercept_unlink(synic->senders);
}
