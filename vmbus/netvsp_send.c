/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To the guest: completions, RNDIS answers, frames. One thing at a time, and
 * when the ring is full nothing else before it; so there is at most one
 * completion to keep, as no packet is taken meanwhile.
 */
#include <assert.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/core/cost.h"
#include "vmbus/netvsp_private.h"

/** Sections that frames leave to what is said about the adapter. */
#define SLOTS_RESERVED 16u

static_assert(RNDIS_PACKET_HEADER_BYTES_MAX + VSWITCH_FRAME_BYTES_MAX <=
                  NETVSP_RECEIVE_SECTION_BYTES - 36,
              "Windows' NetVSC cannot use the last 36 bytes of a section");
static_assert(RNDIS_REPLY_BYTES_MAX <= NETVSP_RECEIVE_SECTION_BYTES,
              "an answer fits into a section");

static bool has_slot(const struct netvsp *netvsp, bool for_answer)
{
    const struct netvsp_buffer *buffer = &netvsp->receive;
    uint32_t reserved = 0;

    if (!for_answer) {
        reserved = buffer->sections / 4;
        reserved = reserved < SLOTS_RESERVED ? reserved : SLOTS_RESERVED;
    }
    return buffer->lent && netvsp->busy_count + reserved < buffer->sections;
}

void netvsp_schedule(struct netvsp *netvsp, cycles_t now)
{
    cycles_t at = CYCLES_NEVER;

    if (!netvsp->channel || netvsp->refused)
        return;
    if ((netvsp->answer_count > 0 || netvsp->tell_link) &&
        has_slot(netvsp, true))
        at = now;
    else if (has_slot(netvsp, false))
        at = vswitch_next(netvsp->port);
    if (!cycles_before(at, netvsp->wake))
        return; /* in vain at worst */
    netvsp->wake = at;
    vmbus_channel_wake_at(netvsp->channel, at);
}

static uint32_t message_bytes(const struct netvsp *netvsp)
{
    return netvsp->version >= NETVSP_VERSION_61 ? NETVSP_MESSAGE_BYTES
                                                : NETVSP_MESSAGE_BYTES_OLD;
}

static void send_completion(struct netvsp *netvsp, struct hv_context *context)
{
    netvsp->completing =
        !vmbus_channel_complete(netvsp->channel, context, netvsp->completion_id,
                                &netvsp->completion, netvsp->completion_bytes);
    netvsp->refused = netvsp->completing;
}

void netvsp_complete(struct netvsp *netvsp, struct hv_context *context,
                     const struct vmbus_packet *packet,
                     const struct netvsp_message *message)
{
    if (!packet->completion_wanted)
        return;
    CHECK(!netvsp->completing); /* no packet comes before there was room */
    netvsp->completion_id = packet->transaction_id;
    netvsp->completion_bytes = message ? message_bytes(netvsp) : 0;
    netvsp->completion = message ? *message : (struct netvsp_message){0};
    send_completion(netvsp, context);
}

void netvsp_forget_slots(struct netvsp *netvsp)
{
    memset(netvsp->busy, 0, sizeof(netvsp->busy));
    netvsp->busy_count = 0;
    netvsp->next_slot = 0;
    netvsp->buffer_number++;
}

bool netvsp_take_completion(struct netvsp *netvsp, uint64_t transaction_id)
{
    uint32_t slot = (uint32_t)transaction_id;
    uint32_t number = (uint32_t)(transaction_id >> 32);
    uint64_t bit = UINT64_C(1) << slot % 64;

    if (number != netvsp->buffer_number)
        return number < netvsp->buffer_number;
    if (slot >= netvsp->receive.sections || !(netvsp->busy[slot / 64] & bit))
        return false;
    netvsp->busy[slot / 64] &= ~bit;
    netvsp->busy_count--;
    return true;
}

/* The next section that the guest does not have: there is one. */
static uint32_t find_slot(const struct netvsp *netvsp)
{
    uint32_t slot = netvsp->next_slot;

    while (netvsp->busy[slot / 64] >> slot % 64 & 1)
        slot = (slot + 1) % netvsp->receive.sections;
    return slot;
}

enum sent {
    SENT,
    SENT_NOWHERE, /* the guest's buffer is gone: lost */
    SENT_LATER,   /* there is no room: to be tried again */
};

/** Puts an RNDIS message of two parts into a section and tells the guest. */
static enum sent send_rndis(struct netvsp *netvsp, struct hv_context *context,
                            uint32_t channel_type, const void *head,
                            uint32_t head_bytes, const void *rest,
                            uint32_t rest_bytes)
{
    const struct vmbus_gpadl *gpadl =
        vmbus_channel_gpadl(netvsp->channel, netvsp->receive.gpadl_id);
    const struct netvsp_message message = {
        .type = NETVSP_SEND_RNDIS_PACKET,
        .body = {[NETVSP_RNDIS_CHANNEL] = channel_type,
                 [NETVSP_RNDIS_SECTION] = NETVSP_NO_SECTION},
    };
    uint32_t slot = find_slot(netvsp);
    struct vmbus_transfer_range range = {
        .bytes = head_bytes + rest_bytes,
        .offset = slot * NETVSP_RECEIVE_SECTION_BYTES,
    };

    cost_note(context->bill, COST_NETVSP_MESSAGE, 1);
    cost_note(context->bill, COST_NETVSP_RNDIS, 1);
    if (!gpadl ||
        !vmbus_gpadl_write(gpadl, context, range.offset, head, head_bytes) ||
        !vmbus_gpadl_write(gpadl, context, range.offset + head_bytes, rest,
                           rest_bytes))
        return SENT_NOWHERE;
    netvsp->refused = !vmbus_channel_send_transfer_pages(
        netvsp->channel, context, netvsp->receive.id, &range, 1,
        (uint64_t)netvsp->buffer_number << 32 | slot, &message,
        message_bytes(netvsp));
    if (netvsp->refused)
        return SENT_LATER;
    netvsp->busy[slot / 64] |= UINT64_C(1) << slot % 64;
    netvsp->busy_count++;
    netvsp->next_slot = (slot + 1) % netvsp->receive.sections;
    return SENT;
}

static void send_answer(struct netvsp *netvsp, struct hv_context *context)
{
    const struct netvsp_answer *answer = &netvsp->answers[netvsp->first_answer];

    if (send_rndis(netvsp, context, NETVSP_CHANNEL_CONTROL, answer->data,
                   answer->bytes, NULL, 0) == SENT_LATER)
        return;
    netvsp->first_answer = (netvsp->first_answer + 1) % NETVSP_ANSWERS_MAX;
    netvsp->answer_count--;
}

static void send_link(struct netvsp *netvsp, struct hv_context *context)
{
    uint8_t data[RNDIS_REPLY_BYTES_MAX];
    uint32_t bytes = rndis_indicate(RNDIS_STATUS_CONNECT, data);

    if (send_rndis(netvsp, context, NETVSP_CHANNEL_CONTROL, data, bytes, NULL,
                   0) != SENT_LATER)
        netvsp->tell_link = false;
}

static void send_frame(struct netvsp *netvsp, struct hv_context *context)
{
    const struct vswitch_frame *frame =
        vswitch_peek(netvsp->port, context->now);
    uint8_t head[RNDIS_PACKET_HEADER_BYTES_MAX];
    uint32_t head_bytes;

    if (!frame)
        return;
    head_bytes =
        rndis_build_packet(frame->bytes, frame->tagged, frame->tag, head);
    switch (send_rndis(netvsp, context, NETVSP_CHANNEL_DATA, head, head_bytes,
                       frame->data, frame->bytes)) {
    case SENT:
        vswitch_take(netvsp->port);
        break;
    case SENT_NOWHERE:
        vswitch_lose(netvsp->port);
        break;
    case SENT_LATER:
        break;
    }
}

void netvsp_send_next(struct netvsp *netvsp, struct hv_context *context)
{
    if (netvsp->completing)
        send_completion(netvsp, context);
    else if (netvsp->answer_count > 0 && has_slot(netvsp, true))
        send_answer(netvsp, context);
    else if (netvsp->tell_link && has_slot(netvsp, true))
        send_link(netvsp, context);
    else if (has_slot(netvsp, false))
        send_frame(netvsp, context);
    netvsp_schedule(netvsp, context->now);
}
