/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/vmbus/storage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct storage storage;

struct disk *storage_make_disk(void)
{
    struct disk_config config = {.bytes = 4096 * DISK_SECTOR_BYTES,
                                 .latency_ns = STORAGE_LATENCY,
                                 .bytes_per_second = 1000000000};
    struct disk *disk = NULL;
    struct sim_error error;

    assert_int_equal(
        disk_create(&disk, &config, (struct sim_clock){1000000000}, &error),
        SIM_OK);
    return disk;
}

int storage_setup(void **state)
{
    struct vmbus_offer offer;

    (void)state;
    fake_reset();
    storage.storvsp = storvsp_create(fake_memory(), 0, STORAGE_SUB_CHANNELS);
    assert_non_null(storage.storvsp);
    assert_true(storvsp_attach(storage.storvsp, NULL, 0, storage_make_disk()));
    offer = storvsp_offer(storage.storvsp);
    storage.channel = vmbus_offer(NULL, NULL, &offer);
    fake_open(storage.channel);
    return 0;
}

int storage_teardown(void **state)
{
    (void)state;
    storage.channel->offer.ops->free(storage.channel->offer.device);
    return 0;
}

unsigned storage_answers(struct vmbus_channel *channel)
{
    unsigned count = channel->sent_count;

    channel->sent_count = 0;
    if (count) {
        const struct fake_sent *last = &channel->sent[count - 1];

        assert_int_equal(last->bytes, sizeof(storage.reply));
        memcpy(&storage.reply, last->payload, sizeof(storage.reply));
    }
    return count;
}

uint32_t storage_operate(uint32_t operation, uint16_t argument)
{
    struct storvsp_packet request = {
        .operation = operation, .flags = 1, .version.version = argument};

    assert_true(fake_packet(storage.channel, 77, &request, sizeof(request)));
    assert_int_equal(storage_answers(storage.channel), 1);
    assert_int_equal(storage.reply.operation, STORVSP_COMPLETE_IO);
    assert_int_equal(storage.channel->sent[0].transaction_id, 77);
    return storage.reply.status;
}

void storage_negotiate(uint16_t version)
{
    assert_int_equal(storage_operate(STORVSP_BEGIN_INITIALIZATION, 0), 0);
    assert_int_equal(storage_operate(STORVSP_QUERY_PROTOCOL_VERSION, version),
                     0);
    assert_int_equal(storage_operate(STORVSP_QUERY_PROPERTIES, 0), 0);
    assert_int_equal(storage_operate(STORVSP_END_INITIALIZATION, 0), 0);
}

struct storvsp_packet storage_srb(uint8_t lun, uint8_t direction,
                                  uint32_t bytes, const uint8_t cdb[16])
{
    struct storvsp_packet request = {
        .operation = STORVSP_EXECUTE_SRB,
        .flags = 1,
        .srb = {.length = sizeof(struct storvsp_srb),
                .lun = lun,
                .cdb_bytes = 16,
                .sense_bytes = 20,
                .direction = direction,
                .transfer_bytes = bytes},
    };

    memcpy(request.srb.cdb_or_sense, cdb, 16);
    return request;
}

void storage_submit(struct vmbus_channel *channel, uint64_t id, uint8_t lun,
                    uint8_t direction, uint32_t bytes, const uint8_t cdb[16])
{
    struct storvsp_packet request = storage_srb(lun, direction, bytes, cdb);

    if (bytes)
        assert_true(fake_packet_about(channel, id, &request, sizeof(request),
                                      STORAGE_BUFFER, bytes));
    else
        assert_true(fake_packet(channel, id, &request, sizeof(request)));
}

void storage_run_for(struct vmbus_channel *channel, uint64_t cycle_count)
{
    fake_run_until(channel, cycles_add(fake.context.now, cycles(cycle_count)));
}

bool storage_execute(uint8_t lun, uint8_t direction, uint32_t bytes,
                     const uint8_t cdb[16])
{
    storage_submit(storage.channel, 5, lun, direction, bytes, cdb);
    storage_run_for(storage.channel, 1000000);
    assert_int_equal(storage_answers(storage.channel), 1);
    assert_int_equal(storage.reply.operation, STORVSP_COMPLETE_IO);
    return storage.reply.status == 0 &&
           storage.reply.srb.srb_status == STORVSP_SRB_SUCCESS &&
           storage.reply.srb.scsi_status == 0;
}
