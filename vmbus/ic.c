/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "vmbus/ic_private.h"

static const struct ic_wire_version framework_versions[] = {{1, 0}, {3, 0}};
#define FRAMEWORK_VERSION_COUNT 2

static bool same_version(struct ic_wire_version a, struct ic_wire_version b)
{
    return a.major == b.major && a.minor == b.minor;
}

static bool has_version(const struct ic_wire_version *list, unsigned count,
                        struct ic_wire_version version)
{
    for (unsigned i = 0; i < count; i++) {
        if (same_version(list[i], version))
            return true;
    }
    return false;
}

/* Puts the headers in front of a body and sends it. */
static bool send_message(struct ic *ic, struct hv_context *context,
                         enum ic_message_type type, const void *body,
                         uint32_t bytes)
{
    struct {
        struct ic_pipe_header pipe;
        struct ic_header header;
        uint8_t body[IC_BODY_BYTES_MAX];
    } message = {
        .pipe = {IC_PIPE_DATA, (uint32_t)sizeof(struct ic_header) + bytes},
        .header = {.framework_version = ic->framework_version,
                   .type = (uint16_t)type,
                   .message_version = ic->message_version,
                   .bytes = (uint16_t)bytes,
                   .transaction_id = (uint8_t)(ic->transaction_id + 1),
                   .flags = IC_FLAG_TRANSACTION | IC_FLAG_REQUEST},
    };

    CHECK(bytes <= sizeof(message.body));
    memcpy(message.body, body, bytes);
    /* Else the room that is waited for would bring a second question. */
    if (ic->refused)
        return false;
    ic->refused = !vmbus_channel_send(
        ic->channel, context, VMBUS_PACKET_IN_BAND, 0, 0, &message,
        (uint32_t)(sizeof(message.pipe) + sizeof(message.header)) + bytes);
    if (ic->refused)
        return false;
    cost_note(context->bill, COST_IC_MESSAGE, 1);
    ic->transaction_id++;
    ic->asked = true;
    ic->counts.asked++;
    return true;
}

bool ic_ask(struct ic *ic, struct hv_context *context, const void *body,
            uint32_t bytes)
{
    CHECK(ic->state == IC_READY);
    return send_message(ic, context, ic->service->type, body, bytes);
}

void ic_wake_in(struct ic *ic, struct hv_context *context, uint64_t ns)
{
    vmbus_channel_wake_at(
        ic->channel, cycles_add(context->now, clock_from_ns(ic->clock, ns)));
}

static void negotiate(struct ic *ic, struct hv_context *context)
{
    struct {
        struct ic_negotiate head;
        struct ic_wire_version
            versions[FRAMEWORK_VERSION_COUNT + IC_VERSIONS_MAX];
    } body = {
        .head = {.framework_count = FRAMEWORK_VERSION_COUNT,
                 .message_count = (uint16_t)ic->service->version_count},
    };
    unsigned count = FRAMEWORK_VERSION_COUNT + ic->service->version_count;

    memcpy(body.versions, framework_versions, sizeof(framework_versions));
    memcpy(body.versions + FRAMEWORK_VERSION_COUNT, ic->service->versions,
           ic->service->version_count * sizeof(body.versions[0]));
    (void)send_message(
        ic, context, IC_NEGOTIATE, &body,
        (uint32_t)(sizeof(body.head) + count * sizeof(body.versions[0])));
}

/* One of each, and one that we offered: else there is none. */
static bool agree(struct ic *ic, const uint8_t *body, uint32_t bytes)
{
    struct {
        struct ic_negotiate head;
        struct ic_wire_version framework, message;
    } answer;

    if (bytes < sizeof(answer))
        return false;
    memcpy(&answer, body, sizeof(answer));
    if (answer.head.framework_count != 1 || answer.head.message_count != 1 ||
        !has_version(framework_versions, FRAMEWORK_VERSION_COUNT,
                     answer.framework) ||
        !has_version(ic->service->versions, ic->service->version_count,
                     answer.message))
        return false;
    ic->framework_version = answer.framework;
    ic->message_version = answer.message;
    return true;
}

static void on_opened(void *device, struct vmbus_channel *channel,
                      struct hv_context *context)
{
    struct ic *ic = device;

    ic->channel = channel;
    ic->state = IC_NEGOTIATING;
    negotiate(ic, context);
    ic_wake_in(ic, context, IC_ANSWER_NS);
}

static void forget_channel(struct ic *ic, struct hv_context *context)
{
    ic->channel = NULL;
    ic->state = IC_CLOSED;
    ic->refused = false;
    ic->asked = false;
    ic->framework_version = IC_VERSION(0, 0);
    ic->message_version = IC_VERSION(0, 0);
    if (ic->service->closed)
        ic->service->closed(ic, context);
}

static void on_closed(void *device, struct vmbus_channel *channel,
                      struct hv_context *context)
{
    (void)channel;
    forget_channel(device, context);
}

static void on_reset(void *device)
{
    forget_channel(device, NULL);
}

static void take_versions(struct ic *ic, struct hv_context *context,
                          const struct ic_header *header, const uint8_t *body)
{
    vmbus_channel_wake_at(ic->channel, CYCLES_NEVER);
    ic->state = agree(ic, body, header->bytes) ? IC_READY : IC_UNSUPPORTED;
    if (ic->state == IC_READY)
        ic->service->act(ic, context);
}

/* The question is answered before whoever asked hears of it: it may ask the
 * next one at once. */
static void take_answer(struct ic *ic, struct hv_context *context,
                        const struct ic_header *header, const uint8_t *body)
{
    ic->asked = false;
    ic->counts.answered++;
    if (ic->state == IC_READY)
        ic->service->answer(ic, context, header->status, body, header->bytes);
    else
        take_versions(ic, context, header, body);
}

/* Whether it answers what was asked last. */
static bool is_answer(const struct ic *ic, const struct vmbus_packet *packet,
                      const struct ic_pipe_header *pipe,
                      const struct ic_header *header)
{
    enum ic_message_type asked =
        ic->state == IC_READY ? ic->service->type : IC_NEGOTIATE;

    return ic->asked && packet->type == VMBUS_PACKET_IN_BAND &&
           pipe->type == IC_PIPE_DATA && (header->flags & IC_FLAG_RESPONSE) &&
           header->type == asked &&
           header->transaction_id == ic->transaction_id &&
           header->bytes <= packet->bytes - sizeof(*pipe) - sizeof(*header);
}

/* What is no answer does no harm: the guest may still answer an older question,
 * or answer in a way that we do not know. */
static bool on_packet(void *device, struct vmbus_channel *channel,
                      struct hv_context *context,
                      const struct vmbus_packet *packet)
{
    struct ic *ic = device;
    struct ic_pipe_header pipe;
    struct ic_header header;

    (void)channel;
    cost_note(context->bill, COST_IC_MESSAGE, 1);
    if (packet->bytes < sizeof(pipe) + sizeof(header)) {
        ic->counts.ignored++;
        return true;
    }
    memcpy(&pipe, packet->payload, sizeof(pipe));
    memcpy(&header, packet->payload + sizeof(pipe), sizeof(header));
    if (is_answer(ic, packet, &pipe, &header))
        take_answer(ic, context, &header,
                    packet->payload + sizeof(pipe) + sizeof(header));
    else
        ic->counts.ignored++;
    return true;
}

static void on_room(void *device, struct vmbus_channel *channel,
                    struct hv_context *context)
{
    struct ic *ic = device;

    (void)channel;
    ic->refused = false;
    if (ic->state == IC_READY)
        ic->service->act(ic, context);
    else
        negotiate(ic, context);
}

static void on_expire(void *device, struct vmbus_channel *channel,
                      struct hv_context *context)
{
    struct ic *ic = device;

    (void)channel;
    if (ic->state == IC_READY)
        ic->service->act(ic, context);
    else
        ic->state = IC_SILENT;
}

static void on_free(void *device)
{
    ic_free(device);
}

static const struct vmbus_device_ops ic_ops = {
    .name = "ic",
    .opened = on_opened,
    .closed = on_closed,
    .packet = on_packet,
    .room = on_room,
    .expire = on_expire,
    .reset = on_reset,
    .free = on_free,
};

struct vmbus_offer ic_offer(struct ic *ic)
{
    return (struct vmbus_offer){
        .class_id = ic->class_id,
        .instance_id = ic->instance_id,
        .flags = VMBUS_OFFER_ENUMERATE_INTERFACE | VMBUS_OFFER_NAMED_PIPE,
        .user_data = {VMBUS_PIPE_MESSAGE},
        .ops = &ic_ops,
        .device = ic,
    };
}

void ic_free(struct ic *ic)
{
    free(ic);
}

enum ic_state ic_state(const struct ic *ic)
{
    return ic->state;
}

uint32_t ic_version(const struct ic *ic)
{
    return (uint32_t)ic->message_version.major << 16 |
           ic->message_version.minor;
}

const struct ic_counts *ic_counts(const struct ic *ic)
{
    return &ic->counts;
}
