/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmbus/netvsp.h"

#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/core/cost.h"
#include "vmbus/netvsp_private.h"

#define LINK_BITS UINT64_C(10000000000) /* what Hyper-V's adapters tell */
#define NO_VERSION UINT32_MAX
#define CHAIN_LENGTH 34u /* pages of a frame; nobody reads it */

struct vswitch_address netvsp_address(uint32_t vm_number, uint32_t index)
{
    uint32_t low = vm_number << 4 | index;

    CHECK(vm_number < NETVSP_VMS_MAX && index < NETVSP_ADAPTERS_MAX);
    return (struct vswitch_address){{0x00, 0x15, 0x5d, (uint8_t)(low >> 16),
                                     (uint8_t)(low >> 8), (uint8_t)low}};
}

/* The guest's messages, each answered by a completion if it wants one. */

typedef void handler_fn(struct netvsp *netvsp, struct hv_context *context,
                        const struct vmbus_packet *packet,
                        const struct netvsp_message *message);

static void handle_init(struct netvsp *netvsp, struct hv_context *context,
                        const struct vmbus_packet *packet,
                        const struct netvsp_message *message)
{
    static const uint32_t versions[] = {
        NETVSP_VERSION_1, NETVSP_VERSION_2, NETVSP_VERSION_4,
        NETVSP_VERSION_5, NETVSP_VERSION_6, NETVSP_VERSION_61,
    };
    struct netvsp_message answer = {
        .type = NETVSP_INIT_COMPLETE,
        .body = {[NETVSP_INIT_COMPLETE_VERSION] = NO_VERSION,
                 [NETVSP_INIT_COMPLETE_CHAIN] = CHAIN_LENGTH,
                 [NETVSP_INIT_COMPLETE_STATUS] = NETVSP_STATUS_FAILURE},
    };

    for (unsigned i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        if (message->body[NETVSP_INIT_LOW] == versions[i] &&
            message->body[NETVSP_INIT_HIGH] == versions[i]) {
            netvsp->version = versions[i];
            answer.body[NETVSP_INIT_COMPLETE_STATUS] = NETVSP_STATUS_SUCCESS;
        }
    }
    netvsp_complete(netvsp, context, packet, &answer);
}

static void handle_ndis_version(struct netvsp *netvsp,
                                struct hv_context *context,
                                const struct vmbus_packet *packet,
                                const struct netvsp_message *message)
{
    netvsp->rndis.ndis_version = message->body[NETVSP_NDIS_MAJOR] << 16 |
                                 message->body[NETVSP_NDIS_MINOR];
    netvsp_complete(netvsp, context, packet, NULL);
}

/* What asks for nothing that there is: a larger MTU and capabilities, which the
 * guest finds out by asking for the frame size and for each of the others; or
 * a data path beside this one. */
static void handle_nothing(struct netvsp *netvsp, struct hv_context *context,
                           const struct vmbus_packet *packet,
                           const struct netvsp_message *message)
{
    (void)message;
    netvsp_complete(netvsp, context, packet, NULL);
}

/* Divides a buffer that the guest lends. False: one is lent already, or there
 * is none, or not a section of it. */
static bool borrow(struct netvsp *netvsp, struct netvsp_buffer *buffer,
                   const struct netvsp_message *message, uint32_t section_bytes)
{
    uint32_t id = message->body[NETVSP_BUFFER_GPADL];
    const struct vmbus_gpadl *gpadl = vmbus_channel_gpadl(netvsp->channel, id);
    uint64_t sections = gpadl ? vmbus_gpadl_bytes(gpadl) / section_bytes : 0;

    if (buffer->lent || sections == 0)
        return false;
    if (sections > NETVSP_SLOTS_MAX)
        sections = NETVSP_SLOTS_MAX;
    *buffer = (struct netvsp_buffer){
        .lent = true,
        .gpadl_id = id,
        .id = (uint16_t)message->body[NETVSP_BUFFER_ID],
        .sections = (uint32_t)sections,
    };
    return true;
}

static void handle_receive_buffer(struct netvsp *netvsp,
                                  struct hv_context *context,
                                  const struct vmbus_packet *packet,
                                  const struct netvsp_message *message)
{
    struct netvsp_buffer *buffer = &netvsp->receive;
    struct netvsp_message answer = {
        .type = NETVSP_SEND_RECEIVE_BUFFER_COMPLETE,
        .body = {[NETVSP_RECEIVE_STATUS] = NETVSP_STATUS_FAILURE},
    };

    if (borrow(netvsp, buffer, message, NETVSP_RECEIVE_SECTION_BYTES)) {
        answer.body[NETVSP_RECEIVE_STATUS] = NETVSP_STATUS_SUCCESS;
        answer.body[NETVSP_RECEIVE_PARTS] = 1;
        answer.body[NETVSP_RECEIVE_OFFSET] = 0;
        answer.body[NETVSP_RECEIVE_SIZE] = NETVSP_RECEIVE_SECTION_BYTES;
        answer.body[NETVSP_RECEIVE_SECTIONS] = buffer->sections;
        answer.body[NETVSP_RECEIVE_END] =
            buffer->sections * NETVSP_RECEIVE_SECTION_BYTES;
    }
    netvsp_complete(netvsp, context, packet, &answer);
}

static void handle_send_buffer(struct netvsp *netvsp,
                               struct hv_context *context,
                               const struct vmbus_packet *packet,
                               const struct netvsp_message *message)
{
    struct netvsp_message answer = {
        .type = NETVSP_SEND_SEND_BUFFER_COMPLETE,
        .body = {[NETVSP_SEND_STATUS] = NETVSP_STATUS_FAILURE},
    };

    if (borrow(netvsp, &netvsp->send, message, NETVSP_SEND_SECTION_BYTES)) {
        answer.body[NETVSP_SEND_STATUS] = NETVSP_STATUS_SUCCESS;
        answer.body[NETVSP_SEND_SIZE] = NETVSP_SEND_SECTION_BYTES;
    }
    netvsp_complete(netvsp, context, packet, &answer);
}

static void handle_revoke_receive(struct netvsp *netvsp,
                                  struct hv_context *context,
                                  const struct vmbus_packet *packet,
                                  const struct netvsp_message *message)
{
    (void)message;
    netvsp->receive = (struct netvsp_buffer){0};
    netvsp_forget_slots(netvsp);
    netvsp_complete(netvsp, context, packet, NULL);
}

static void handle_revoke_send(struct netvsp *netvsp,
                               struct hv_context *context,
                               const struct vmbus_packet *packet,
                               const struct netvsp_message *message)
{
    (void)message;
    netvsp->send = (struct netvsp_buffer){0};
    netvsp_complete(netvsp, context, packet, NULL);
}

static void handle_rndis(struct netvsp *netvsp, struct hv_context *context,
                         const struct vmbus_packet *packet,
                         const struct netvsp_message *message)
{
    struct netvsp_message answer = {.type = NETVSP_SEND_RNDIS_PACKET_COMPLETE};

    answer.body[NETVSP_RNDIS_STATUS] =
        netvsp_take_rndis(netvsp, context, packet, message);
    netvsp_complete(netvsp, context, packet, &answer);
}

static void handle_oid_query(struct netvsp *netvsp, struct hv_context *context,
                             const struct vmbus_packet *packet,
                             const struct netvsp_message *message)
{
    struct netvsp_message answer = {.type = NETVSP_OID_QUERY_COMPLETE,
                                    .body = {RNDIS_STATUS_NOT_SUPPORTED}};

    (void)message;
    netvsp_complete(netvsp, context, packet, &answer);
}

/* There is one channel, and it is enough. */
static void handle_sub_channel(struct netvsp *netvsp,
                               struct hv_context *context,
                               const struct vmbus_packet *packet,
                               const struct netvsp_message *message)
{
    struct netvsp_message answer = {.type = NETVSP_SUB_CHANNEL,
                                    .body = {NETVSP_STATUS_FAILURE}};

    (void)message;
    netvsp_complete(netvsp, context, packet, &answer);
}

/* With how many words have to be there; a guest may send more. */
static const struct {
    uint32_t type, words;
    handler_fn *handle;
} messages[] = {
    {NETVSP_INIT, 2, handle_init},
    {NETVSP_SEND_NDIS_VERSION, 2, handle_ndis_version},
    {NETVSP_SEND_RECEIVE_BUFFER, 2, handle_receive_buffer},
    {NETVSP_REVOKE_RECEIVE_BUFFER, 1, handle_revoke_receive},
    {NETVSP_SEND_SEND_BUFFER, 2, handle_send_buffer},
    {NETVSP_REVOKE_SEND_BUFFER, 1, handle_revoke_send},
    {NETVSP_SEND_RNDIS_PACKET, 3, handle_rndis},
    {NETVSP_SEND_NDIS_CONFIG, 4, handle_nothing},
    {NETVSP_SWITCH_DATA_PATH, 1, handle_nothing},
    {NETVSP_OID_QUERY, 2, handle_oid_query},
    {NETVSP_SUB_CHANNEL, 2, handle_sub_channel},
};

/* False: it is none of the above, too short, or out of turn: INIT comes first,
 * until a version is agreed on, and never again. */
static bool take_message(struct netvsp *netvsp, struct hv_context *context,
                         const struct vmbus_packet *packet)
{
    struct netvsp_message message = {0};
    size_t bytes =
        packet->bytes < sizeof(message) ? packet->bytes : sizeof(message);

    memcpy(&message, packet->payload, bytes);
    if ((message.type == NETVSP_INIT) != (netvsp->version == 0))
        return false;
    for (unsigned i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        if (messages[i].type != message.type)
            continue;
        if (bytes < (1 + messages[i].words) * sizeof(uint32_t))
            return false;
        messages[i].handle(netvsp, context, packet, &message);
        return true;
    }
    return false;
}

/* As the device of a channel. */

static bool netvsp_packet(void *device, struct vmbus_channel *channel,
                          struct hv_context *context,
                          const struct vmbus_packet *packet)
{
    struct netvsp *netvsp = device;
    bool understood = false;

    (void)channel;
    cost_note(context->bill, COST_NETVSP_MESSAGE, 1);
    switch (packet->type) {
    case VMBUS_PACKET_COMPLETION:
        understood = netvsp_take_completion(netvsp, packet->transaction_id);
        break;
    case VMBUS_PACKET_IN_BAND:
    case VMBUS_PACKET_GPA_DIRECT:
        understood = take_message(netvsp, context, packet);
        break;
    case VMBUS_PACKET_TRANSFER_PAGES: /* never comes */
        break;
    }
    netvsp_schedule(netvsp, context->now);
    return understood;
}

static void netvsp_room(void *device, struct vmbus_channel *channel,
                        struct hv_context *context)
{
    struct netvsp *netvsp = device;

    (void)channel;
    netvsp->refused = false;
    netvsp_send_next(netvsp, context);
}

static void netvsp_expire(void *device, struct vmbus_channel *channel,
                          struct hv_context *context)
{
    struct netvsp *netvsp = device;

    (void)channel;
    netvsp->wake = CYCLES_NEVER;
    if (!netvsp->refused)
        netvsp_send_next(netvsp, context);
}

static void netvsp_arrived(void *owner, cycles_t at)
{
    netvsp_schedule(owner, at);
}

/* As after power-on. */
static void netvsp_reset(void *device)
{
    struct netvsp *netvsp = device;

    vswitch_set_filter(netvsp->port, 0);
    rndis_reset(&netvsp->rndis);
    netvsp->rndis.ndis_version = 0;
    netvsp->channel = NULL;
    netvsp->version = 0;
    netvsp->receive = netvsp->send = (struct netvsp_buffer){0};
    netvsp_forget_slots(netvsp);
    netvsp->refused = netvsp->completing = netvsp->tell_link = false;
    netvsp->answer_count = 0;
    netvsp->wake = CYCLES_NEVER;
}

static void netvsp_opened(void *device, struct vmbus_channel *channel,
                          struct hv_context *context)
{
    struct netvsp *netvsp = device;

    (void)context;
    netvsp->channel = channel;
}

static void netvsp_closed(void *device, struct vmbus_channel *channel,
                          struct hv_context *context)
{
    (void)channel;
    (void)context;
    netvsp_reset(device);
}

static void netvsp_free(void *device)
{
    struct netvsp *netvsp = device;

    vswitch_disconnect(netvsp->port);
    free(netvsp);
}

static const struct vmbus_device_ops netvsp_ops = {
    .name = "netvsp",
    .opened = netvsp_opened,
    .closed = netvsp_closed,
    .packet = netvsp_packet,
    .room = netvsp_room,
    .expire = netvsp_expire,
    .reset = netvsp_reset,
    .free = netvsp_free,
};

bool netvsp_offer(struct vmbus_offer *offer, struct vswitch *vswitch,
                  uint32_t vm_number, uint32_t index)
{
    struct vswitch_address address = netvsp_address(vm_number, index);
    const uint8_t *byte = address.byte;
    struct netvsp *netvsp = calloc(1, sizeof(*netvsp));

    if (!netvsp)
        return false;
    netvsp->rndis.address = address;
    netvsp->rndis.link_bits = LINK_BITS;
    netvsp->port = vswitch_connect(vswitch, address, netvsp_arrived, netvsp);
    if (!netvsp->port) {
        free(netvsp);
        return false;
    }
    netvsp_reset(netvsp);
    *offer = (struct vmbus_offer){
        .class_id = VMBUS_GUID(0xf8615163, 0xdf3e, 0x46c5, 0x91, 0x3f, 0xf2,
                               0xd2, 0xf9, 0x65, 0xed, 0x0e),
        /* Any that is the same in every run will do: this ends in the
         * adapter's address. */
        .instance_id =
            VMBUS_GUID(0x6e657476, 0x7370, 0x4000, 0x80, 0x00, byte[0], byte[1],
                       byte[2], byte[3], byte[4], byte[5]),
        .flags = VMBUS_OFFER_ENUMERATE_INTERFACE,
        .ops = &netvsp_ops,
        .device = netvsp,
    };
    return true;
}

struct vswitch_counts netvsp_counts(const void *device)
{
    const struct netvsp *netvsp = device;

    return vswitch_counts(netvsp->port);
}

const struct pc_nic *netvsp_counters(const void *device)
{
    const struct netvsp *netvsp = device;

    return vswitch_counters(netvsp->port);
}
