/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmbus/storvsp.h"

#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "vmbus/scsi.h"
#include "vmbus/storvsp_abi.h"

/* ba6163d9-04a1-4d29-b605-72e2ffb1dc7f: synthetic SCSI controllers. */
#define SCSI_CLASS                                                             \
    VMBUS_GUID(0xba6163d9, 0x04a1, 0x4d29, 0xb6, 0x05, 0x72, 0xe2, 0xff, 0xb1, \
               0xdc, 0x7f)
/* f8b3781a-1e82-4818-a1c3-63d806ec15bb and up: the controllers of VMs of
 * generation 2, as Azure's udev rules know them. */
#define CONTROLLER_INSTANCE(number)                                            \
    VMBUS_GUID(0xf8b3781a + (number), 0x1e82, 0x4818, 0xa1, 0xc3, 0x63, 0xd8,  \
               0x06, 0xec, 0x15, 0xbb)

#define VERSION_5_1 0x0501 /* the first with sub-channels */
static const uint16_t versions[] = {0x0200, 0x0402, VERSION_5_1, 0x0600,
                                    0x0602};

/* A request's answer, due when its disk is done. */
struct pending {
    cycles_t due;
    uint64_t transaction_id;
    struct storvsp_packet packet;
};

/* The answers that one channel owes: a ring, by due time. */
struct queue {
    struct vmbus_channel *channel; /* borrowed; NULL: not open */
    bool blocked; /* the host's ring is full: room() will be called */
    bool held;    /* as many as can be: no more packets are taken */
    uint32_t first, count;
    struct pending pending[STORVSP_PENDING_MAX];
};

/* Of the negotiation, on the primary channel. */
enum state { BEGIN, VERSION, PROPERTIES, END, READY };

struct lun {
    struct scsi_lun scsi; /* its disk is owned; NULL: there is none */
    struct pc_disk counters;
};

struct storvsp {
    struct guest_memory memory;
    struct vmbus_guid instance_id;
    enum state state;
    uint16_t version;
    bool bus_changed; /* and the guest has not been told */
    struct lun luns[STORVSP_LUNS_MAX];
    uint16_t sub_channel_count, sub_channels_max;
    struct queue queues[]; /* the primary's, then sub_channels_max */
};

static struct queue *queue_of(struct storvsp *storvsp,
                              const struct vmbus_channel *channel)
{
    uint16_t index = vmbus_channel_sub_channel_index(channel);

    CHECK(index <= storvsp->sub_channels_max);
    return &storvsp->queues[index];
}

/* Answers */

static struct pending *pending_at(struct queue *queue, uint32_t index)
{
    return &queue->pending[(queue->first + index) % STORVSP_PENDING_MAX];
}

static void enqueue(struct queue *queue, const struct pending *pending)
{
    uint32_t at = queue->count;

    CHECK(queue->count < STORVSP_PENDING_MAX);
    for (;
         at > 0 && cycles_before(pending->due, pending_at(queue, at - 1)->due);
         at--)
        *pending_at(queue, at) = *pending_at(queue, at - 1);
    *pending_at(queue, at) = *pending;
    queue->count++;
}

static void set_held(struct queue *queue, struct hv_context *context, bool held)
{
    if (queue->held == held)
        return;
    queue->held = held;
    vmbus_channel_hold(queue->channel, context, held);
}

/* Tells the guest to look at the bus again, once it can be told. */
static void send_change(struct storvsp *storvsp, struct hv_context *context)
{
    struct storvsp_packet packet = {.operation = STORVSP_ENUMERATE_BUS};
    struct queue *queue = &storvsp->queues[0];

    if (!storvsp->bus_changed || storvsp->state != READY || queue->blocked)
        return;
    if (vmbus_channel_send(queue->channel, context, VMBUS_PACKET_IN_BAND, 0, 0,
                           &packet, sizeof(packet)))
        storvsp->bus_changed = false;
    else
        queue->blocked = true;
}

/* Sends the first answer if it is due, and asks to be called for the next. */
static void send_answer(struct queue *queue, struct hv_context *context)
{
    const struct pending *pending = pending_at(queue, 0);

    if (queue->blocked)
        return;
    if (queue->count && !cycles_before(context->now, pending->due)) {
        if (!vmbus_channel_complete(queue->channel, context,
                                    pending->transaction_id, &pending->packet,
                                    sizeof(pending->packet))) {
            queue->blocked = true;
            return;
        }
        cost_note(context->bill, COST_STORVSP_COMPLETION, 1);
        queue->first = (queue->first + 1) % STORVSP_PENDING_MAX;
        queue->count--;
        set_held(queue, context, false);
    }
    vmbus_channel_wake_at(queue->channel, queue->count
                                              ? pending_at(queue, 0)->due
                                              : CYCLES_NEVER);
}

/* Negotiation */

static uint32_t query_version(struct storvsp *storvsp,
                              struct hv_context *context,
                              const struct storvsp_packet *request,
                              struct storvsp_packet *reply)
{
    (void)context;
    reply->version.version = request->version.version;
    for (unsigned i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        if (versions[i] == request->version.version) {
            storvsp->version = request->version.version;
            return STORVSP_STATUS_SUCCESS;
        }
    }
    return STORVSP_STATUS_REVISION_MISMATCH;
}

static uint32_t query_properties(struct storvsp *storvsp,
                                 struct hv_context *context,
                                 const struct storvsp_packet *request,
                                 struct storvsp_packet *reply)
{
    (void)context;
    (void)request;
    reply->properties.transfer_bytes_max = SCSI_TRANSFER_BYTES_MAX;
    if (storvsp->version >= VERSION_5_1) {
        reply->properties.flags = STORVSP_MULTI_CHANNEL;
        reply->properties.sub_channels_max = storvsp->sub_channels_max;
    }
    return STORVSP_STATUS_SUCCESS;
}

/* All of them, or none. */
static uint32_t create_sub_channels(struct storvsp *storvsp,
                                    struct hv_context *context,
                                    const struct storvsp_packet *request,
                                    struct storvsp_packet *reply)
{
    struct vmbus *bus = vmbus_channel_bus(storvsp->queues[0].channel);
    struct vmbus_channel *offered[STORVSP_SUB_CHANNELS_MAX];
    struct vmbus_offer offer = storvsp_offer(storvsp);
    uint16_t count = request->sub_channel_count;
    uint16_t i;

    (void)reply;
    if (storvsp->version < VERSION_5_1 || storvsp->sub_channel_count ||
        count > storvsp->sub_channels_max)
        return STORVSP_STATUS_INVALID_PARAMETER;
    for (i = 0; i < count; i++) {
        offer.sub_channel_index = (uint16_t)(i + 1);
        offered[i] = vmbus_offer(bus, context, &offer);
        if (!offered[i])
            break;
    }
    if (i < count) {
        while (i > 0)
            vmbus_rescind(offered[--i], context);
        return STORVSP_STATUS_INVALID_PARAMETER;
    }
    storvsp->sub_channel_count = count;
    return STORVSP_STATUS_SUCCESS;
}

/* What may be asked when, and what comes after it. Requests always end, so a
 * reset has nothing to do. */
static const struct {
    uint32_t operation;
    enum state from, to;
    uint32_t (*execute)(struct storvsp *storvsp, struct hv_context *context,
                        const struct storvsp_packet *request,
                        struct storvsp_packet *reply); /* NULL: succeeds */
} operations[] = {
    {STORVSP_BEGIN_INITIALIZATION, BEGIN, VERSION, NULL},
    {STORVSP_QUERY_PROTOCOL_VERSION, VERSION, PROPERTIES, query_version},
    {STORVSP_QUERY_PROPERTIES, PROPERTIES, END, query_properties},
    {STORVSP_CREATE_SUB_CHANNELS, END, END, create_sub_channels},
    {STORVSP_END_INITIALIZATION, END, READY, NULL},
    {STORVSP_CREATE_SUB_CHANNELS, READY, READY, create_sub_channels},
    {STORVSP_RESET_LUN, READY, READY, NULL},
    {STORVSP_RESET_ADAPTER, READY, READY, NULL},
    {STORVSP_RESET_BUS, READY, READY, NULL},
};

static uint32_t operate(struct storvsp *storvsp, struct hv_context *context,
                        const struct storvsp_packet *request,
                        struct storvsp_packet *reply)
{
    for (unsigned i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        uint32_t status = STORVSP_STATUS_SUCCESS;

        if (operations[i].operation != request->operation ||
            operations[i].from != storvsp->state)
            continue;
        if (operations[i].execute)
            status = operations[i].execute(storvsp, context, request, reply);
        if (status == STORVSP_STATUS_SUCCESS)
            storvsp->state = operations[i].to;
        return status;
    }
    return STORVSP_STATUS_INVALID_DEVICE_STATE;
}

/* SCSI requests */

/* A packet's memory, which the guest lends one way. The storage adapter would
 * reach it without the processor's help: pages are billed, and not bytes. */
struct transfer {
    struct guest_memory memory;
    const struct vmbus_ranges *ranges;
    uint8_t direction;
};

static bool read_guest(void *context, uint32_t offset, void *to, uint32_t size)
{
    const struct transfer *transfer = context;

    return transfer->direction != STORVSP_DATA_IN &&
           vmbus_ranges_read(transfer->ranges, transfer->memory, offset, to,
                             size);
}

static bool write_guest(void *context, uint32_t offset, const void *from,
                        uint32_t size)
{
    const struct transfer *transfer = context;

    return transfer->direction != STORVSP_DATA_OUT &&
           vmbus_ranges_write(transfer->ranges, transfer->memory, offset, from,
                              size);
}

static uint32_t transfer_bytes(const struct storvsp_srb *srb,
                               const struct vmbus_ranges *ranges)
{
    uint64_t bytes = ranges ? vmbus_ranges_bytes(ranges) : 0;

    return bytes < srb->transfer_bytes ? (uint32_t)bytes : srb->transfer_bytes;
}

static struct lun *find_lun(struct storvsp *storvsp,
                            const struct storvsp_srb *srb)
{
    if (srb->path || srb->target || srb->lun >= STORVSP_LUNS_MAX ||
        !storvsp->luns[srb->lun].scsi.disk)
        return NULL;
    return &storvsp->luns[srb->lun];
}

static struct scsi_result report_luns(const struct storvsp *storvsp,
                                      const struct storvsp_srb *srb,
                                      const uint8_t *cdb,
                                      const struct scsi_data *data)
{
    uint8_t luns[STORVSP_LUNS_MAX];
    uint32_t count = 0;

    for (uint8_t i = 0; i < STORVSP_LUNS_MAX; i++) {
        if (storvsp->luns[i].scsi.disk && !srb->path && !srb->target)
            luns[count++] = i;
    }
    return scsi_report_luns(luns, count, cdb, data);
}

static struct scsi_result execute_cdb(struct storvsp *storvsp, struct lun *lun,
                                      const struct storvsp_srb *srb,
                                      const struct vmbus_ranges *ranges)
{
    struct transfer transfer = {storvsp->memory, ranges, srb->direction};
    struct scsi_data data = {&transfer, transfer_bytes(srb, ranges), read_guest,
                             write_guest};
    uint8_t cdb[SCSI_CDB_BYTES] = {0};

    memcpy(cdb, srb->cdb_or_sense,
           srb->cdb_bytes < sizeof(cdb) ? srb->cdb_bytes : sizeof(cdb));
    if (cdb[0] == SCSI_OP_REPORT_LUNS)
        return report_luns(storvsp, srb, cdb, &data);
    return lun ? scsi_execute(&lun->scsi, cdb, &data)
               : scsi_execute_absent(cdb, &data);
}

/* How Windows' storage stack names what SCSI reported. */
static uint8_t srb_status(const struct scsi_result *result)
{
    uint8_t sense_key = result->sense[2];

    if (result->status == SCSI_GOOD)
        return STORVSP_SRB_SUCCESS;
    if (result->overrun)
        return STORVSP_SRB_DATA_OVERRUN | STORVSP_SRB_AUTOSENSE_VALID;
    if (result->no_unit)
        return STORVSP_SRB_INVALID_LUN | STORVSP_SRB_AUTOSENSE_VALID;
    return (sense_key == SCSI_ILLEGAL_REQUEST ? STORVSP_SRB_INVALID_REQUEST
                                              : STORVSP_SRB_ERROR) |
           STORVSP_SRB_AUTOSENSE_VALID;
}

static uint32_t packet_status(uint8_t srb_status)
{
    switch (srb_status & ~STORVSP_SRB_AUTOSENSE_VALID) {
    case STORVSP_SRB_SUCCESS:
        return STORVSP_STATUS_SUCCESS;
    case STORVSP_SRB_DATA_OVERRUN:
        return STORVSP_STATUS_BUFFER_OVERFLOW;
    case STORVSP_SRB_INVALID_LUN:
        return STORVSP_STATUS_DEVICE_DOES_NOT_EXIST;
    default:
        return STORVSP_STATUS_IO_DEVICE_ERROR;
    }
}

static void count_request(struct pc_disk *counters,
                          const struct scsi_result *result, cycles_t time)
{
    if (result->status != SCSI_GOOD)
        pc_disk_add(counters, PC_DISK_ERRORS, 1);
    if (result->work == SCSI_FLUSH)
        pc_disk_add(counters, PC_DISK_FLUSHES, 1);
    if (result->work == SCSI_READ) {
        pc_disk_add(counters, PC_DISK_READS, 1);
        pc_disk_add(counters, PC_DISK_READ_BYTES, result->bytes);
        pc_disk_add_time(counters, PC_DISK_TIME, time);
    }
    if (result->work == SCSI_WRITE) {
        pc_disk_add(counters, PC_DISK_WRITES, 1);
        pc_disk_add(counters, PC_DISK_WRITTEN_BYTES, result->bytes);
        pc_disk_add_time(counters, PC_DISK_TIME, time);
    }
}

static uint64_t medium_bytes(const struct scsi_result *result)
{
    bool moves_data = result->work == SCSI_READ || result->work == SCSI_WRITE;

    return moves_data ? result->bytes : 0;
}

/* Returns when the answer is due. */
static cycles_t execute_srb(struct storvsp *storvsp, struct hv_context *context,
                            const struct storvsp_srb *srb,
                            const struct vmbus_ranges *ranges,
                            struct storvsp_packet *reply)
{
    struct lun *lun = find_lun(storvsp, srb);
    struct scsi_result result = execute_cdb(storvsp, lun, srb, ranges);
    cycles_t due = context->now;

    cost_note(context->bill, COST_STORVSP_PAGE,
              (uint32_t)((result.bytes + PAGE_MASK) >> PAGE_SHIFT));
    if (result.work != SCSI_NO_MEDIUM)
        due = disk_serve(lun->scsi.disk, due, medium_bytes(&result));
    if (lun)
        count_request(&lun->counters, &result, cycles_sub(due, context->now));
    reply->srb = *srb;
    reply->srb.scsi_status = (uint8_t)result.status;
    reply->srb.srb_status = srb_status(&result);
    reply->srb.transfer_bytes = result.bytes;
    reply->srb.sense_bytes = 0;
    if (result.status == SCSI_CHECK_CONDITION) {
        reply->srb.sense_bytes = SCSI_SENSE_BYTES;
        memcpy(reply->srb.cdb_or_sense, result.sense, SCSI_SENSE_BYTES);
    }
    reply->status = packet_status(reply->srb.srb_status);
    return due;
}

/* The device */

static void on_opened(void *device, struct vmbus_channel *channel,
                      struct hv_context *context)
{
    (void)context;
    queue_of(device, channel)->channel = channel;
}

static void forget_queue(struct queue *queue)
{
    queue->channel = NULL;
    queue->blocked = false;
    queue->held = false;
    queue->first = 0;
    queue->count = 0;
}

static void on_closed(void *device, struct vmbus_channel *channel,
                      struct hv_context *context)
{
    struct storvsp *storvsp = device;

    (void)context;
    forget_queue(queue_of(storvsp, channel));
    if (vmbus_channel_sub_channel_index(channel) == 0) {
        storvsp->state = BEGIN;
        storvsp->version = 0;
        storvsp->sub_channel_count = 0;
        storvsp->bus_changed = false;
    }
}

static bool on_packet(void *device, struct vmbus_channel *channel,
                      struct hv_context *context,
                      const struct vmbus_packet *packet)
{
    struct storvsp *storvsp = device;
    struct queue *queue = queue_of(storvsp, channel);
    struct storvsp_packet request = {0};
    struct pending pending = {.due = context->now,
                              .transaction_id = packet->transaction_id,
                              .packet.operation = STORVSP_COMPLETE_IO};

    cost_note(context->bill, COST_STORVSP_REQUEST, 1);
    if (!packet->completion_wanted || packet->bytes < STORVSP_PACKET_BYTES_MIN)
        return false;
    memcpy(&request, packet->payload,
           packet->bytes < sizeof(request) ? packet->bytes : sizeof(request));
    if (request.operation == STORVSP_EXECUTE_SRB && storvsp->state == READY) {
        if (packet->bytes < STORVSP_SRB_PACKET_BYTES_MIN)
            return false;
        pending.due = execute_srb(storvsp, context, &request.srb,
                                  packet->ranges, &pending.packet);
    } else if (queue == &storvsp->queues[0]) {
        pending.packet.status =
            operate(storvsp, context, &request, &pending.packet);
    } else {
        pending.packet.status = STORVSP_STATUS_INVALID_DEVICE_STATE;
    }
    enqueue(queue, &pending);
    if (queue->count == STORVSP_PENDING_MAX)
        set_held(queue, context, true);
    send_answer(queue, context);
    send_change(storvsp, context);
    return true;
}

static void on_expire(void *device, struct vmbus_channel *channel,
                      struct hv_context *context)
{
    send_answer(queue_of(device, channel), context);
}

static void on_room(void *device, struct vmbus_channel *channel,
                    struct hv_context *context)
{
    struct queue *queue = queue_of(device, channel);

    queue->blocked = false;
    send_answer(queue, context);
    send_change(device, context);
}

static void on_reset(void *device)
{
    struct storvsp *storvsp = device;

    for (unsigned i = 0; i <= storvsp->sub_channels_max; i++)
        forget_queue(&storvsp->queues[i]);
    for (unsigned i = 0; i < STORVSP_LUNS_MAX; i++) {
        storvsp->luns[i].scsi.stopped = false;
        if (storvsp->luns[i].scsi.disk)
            disk_forget_requests(storvsp->luns[i].scsi.disk);
    }
    storvsp->state = BEGIN;
    storvsp->version = 0;
    storvsp->sub_channel_count = 0;
    storvsp->bus_changed = false;
}

static void on_free(void *device)
{
    storvsp_free(device);
}

static const struct vmbus_device_ops storvsp_ops = {
    .name = "storvsp",
    .opened = on_opened,
    .closed = on_closed,
    .packet = on_packet,
    .room = on_room,
    .expire = on_expire,
    .reset = on_reset,
    .free = on_free,
};

struct storvsp *storvsp_create(struct guest_memory memory, uint32_t number,
                               uint16_t sub_channels_max)
{
    struct storvsp *storvsp;

    CHECK(number < STORVSP_CONTROLLERS_MAX);
    CHECK(sub_channels_max <= STORVSP_SUB_CHANNELS_MAX);
    storvsp = calloc(1, sizeof(*storvsp) + (sub_channels_max + 1u) *
                                               sizeof(storvsp->queues[0]));
    if (!storvsp)
        return NULL;
    storvsp->memory = memory;
    storvsp->instance_id = CONTROLLER_INSTANCE(number);
    storvsp->sub_channels_max = sub_channels_max;
    return storvsp;
}

void storvsp_free(struct storvsp *storvsp)
{
    if (!storvsp)
        return;
    for (unsigned i = 0; i < STORVSP_LUNS_MAX; i++)
        disk_free(storvsp->luns[i].scsi.disk);
    free(storvsp);
}

struct vmbus_offer storvsp_offer(struct storvsp *storvsp)
{
    return (struct vmbus_offer){
        .class_id = SCSI_CLASS,
        .instance_id = storvsp->instance_id,
        .flags = VMBUS_OFFER_ENUMERATE_INTERFACE,
        .ops = &storvsp_ops,
        .device = storvsp,
    };
}

bool storvsp_attach(struct storvsp *storvsp, struct hv_context *context,
                    uint32_t lun, struct disk *disk)
{
    struct lun *at;

    if (lun >= STORVSP_LUNS_MAX || storvsp->luns[lun].scsi.disk)
        return false;
    at = &storvsp->luns[lun];
    at->scsi = (struct scsi_lun){.disk = disk};
    memcpy(at->scsi.identity, storvsp->instance_id.bytes,
           sizeof(at->scsi.identity));
    at->scsi.identity[15] = (uint8_t)lun;
    storvsp->bus_changed = storvsp->state == READY;
    send_change(storvsp, context);
    return true;
}

bool storvsp_detach(struct storvsp *storvsp, struct hv_context *context,
                    uint32_t lun)
{
    if (lun >= STORVSP_LUNS_MAX || !storvsp->luns[lun].scsi.disk)
        return false;
    disk_free(storvsp->luns[lun].scsi.disk);
    storvsp->luns[lun].scsi.disk = NULL;
    storvsp->bus_changed = storvsp->state == READY;
    send_change(storvsp, context);
    return true;
}

const struct pc_disk *storvsp_counters(const struct storvsp *storvsp,
                                       uint32_t lun)
{
    CHECK(lun < STORVSP_LUNS_MAX);
    return &storvsp->luns[lun].counters;
}

const struct disk *storvsp_disk(const struct storvsp *storvsp, uint32_t lun)
{
    return lun < STORVSP_LUNS_MAX ? storvsp->luns[lun].scsi.disk : NULL;
}

uint16_t storvsp_version(const struct storvsp *storvsp)
{
    return storvsp->version;
}
