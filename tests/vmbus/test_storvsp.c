/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vmbus/fake_channel.h"
#include "vmbus/storvsp.h"
#include "vmbus/storvsp_abi.h"

#define SUB_CHANNELS 3
#define SECTOR DISK_SECTOR_BYTES
#define LATENCY 1000u
#define BUFFER (PAGE_BYTES + 512) /* where requests have their data */

static struct storvsp *storvsp;
static struct vmbus_channel *channel;
/* The latest answer. */
static struct storvsp_packet reply;

static struct disk *make_disk(void)
{
    struct disk_config config = {.bytes = 4096 * SECTOR,
                                 .latency_ns = LATENCY,
                                 .bytes_per_second = 1000000000};
    struct disk *disk = NULL;
    struct sim_error error;

    assert_int_equal(
        disk_create(&disk, &config, (struct sim_clock){1000000000}, &error),
        SIM_OK);
    return disk;
}

static int create(void **state)
{
    struct vmbus_offer offer;

    (void)state;
    fake_reset();
    storvsp = storvsp_create(fake_memory(), 0, SUB_CHANNELS);
    assert_non_null(storvsp);
    assert_true(storvsp_attach(storvsp, NULL, 0, make_disk()));
    offer = storvsp_offer(storvsp);
    channel = vmbus_offer(NULL, NULL, &offer);
    fake_open(channel);
    return 0;
}

static int destroy(void **state)
{
    (void)state;
    channel->offer.ops->free(channel->offer.device);
    return 0;
}

/* The answers that have come since the last time. */
static unsigned answers(struct vmbus_channel *of)
{
    unsigned count = of->sent_count;

    of->sent_count = 0;
    if (count) {
        const struct fake_sent *last = &of->sent[count - 1];

        assert_int_equal(last->bytes, sizeof(reply));
        memcpy(&reply, last->payload, sizeof(reply));
    }
    return count;
}

/* Asks for an operation and expects its answer at once. */
static uint32_t operate(uint32_t operation, uint16_t argument)
{
    struct storvsp_packet request = {
        .operation = operation, .flags = 1, .version.version = argument};

    assert_true(fake_packet(channel, 77, &request, sizeof(request)));
    assert_int_equal(answers(channel), 1);
    assert_int_equal(reply.operation, STORVSP_COMPLETE_IO);
    assert_int_equal(channel->sent[0].transaction_id, 77);
    return reply.status;
}

static void negotiate(uint16_t version)
{
    assert_int_equal(operate(STORVSP_BEGIN_INITIALIZATION, 0), 0);
    assert_int_equal(operate(STORVSP_QUERY_PROTOCOL_VERSION, version), 0);
    assert_int_equal(operate(STORVSP_QUERY_PROPERTIES, 0), 0);
    assert_int_equal(operate(STORVSP_END_INITIALIZATION, 0), 0);
}

static struct storvsp_packet srb_of(uint8_t lun, uint8_t direction,
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

/* Sends a request without waiting for its answer. */
static void submit(struct vmbus_channel *to, uint64_t id, uint8_t lun,
                   uint8_t direction, uint32_t bytes, const uint8_t cdb[16])
{
    struct storvsp_packet request = srb_of(lun, direction, bytes, cdb);

    if (bytes)
        assert_true(fake_packet_about(to, id, &request, sizeof(request), BUFFER,
                                      bytes));
    else
        assert_true(fake_packet(to, id, &request, sizeof(request)));
}

#define CDB(...) ((const uint8_t[16]){__VA_ARGS__})
#define READ_ONE CDB(0x28, [8] = 1)
#define WRITE_ONE CDB(0x2a, [8] = 1)
#define FLUSH CDB(0x35)
#define TEST_UNIT_READY CDB(0)

static void run_for(struct vmbus_channel *of, uint64_t time)
{
    fake_run_until(of, cycles_add(fake.context.now, cycles(time)));
}

/* Executes one request; true if it ended well. */
static bool execute(uint8_t lun, uint8_t direction, uint32_t bytes,
                    const uint8_t cdb[16])
{
    submit(channel, 5, lun, direction, bytes, cdb);
    run_for(channel, 1000000);
    assert_int_equal(answers(channel), 1);
    assert_int_equal(reply.operation, STORVSP_COMPLETE_IO);
    return reply.status == 0 && reply.srb.srb_status == STORVSP_SRB_SUCCESS &&
           reply.srb.scsi_status == 0;
}

/* Rule 37. */

static void rule_37_every_answer_completes_under_its_id(void **state)
{
    (void)state;
    negotiate(0x0602);
    submit(channel, UINT64_C(0x123456789abcdef0), 0, STORVSP_DATA_IN, SECTOR,
           READ_ONE);
    submit(channel, 2, 0, STORVSP_DATA_NONE, 0, TEST_UNIT_READY);
    run_for(channel, 1000000);
    assert_int_equal(channel->sent_count, 2);
    assert_int_equal(channel->sent[0].transaction_id, 2);
    assert_true(channel->sent[1].transaction_id ==
                UINT64_C(0x123456789abcdef0));
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(channel->sent[i].type, VMBUS_PACKET_COMPLETION);
        assert_int_equal(channel->sent[i].flags, 0);
        memcpy(&reply, channel->sent[i].payload, sizeof(reply));
        assert_int_equal(reply.operation, STORVSP_COMPLETE_IO);
        assert_int_equal(reply.status, 0);
    }
}

/* Below 5.1 the guest sends 48 bytes; it gets 64 all the same. */
static void rule_37_an_answer_has_64_bytes(void **state)
{
    static const uint32_t operations[] = {
        STORVSP_BEGIN_INITIALIZATION, STORVSP_QUERY_PROTOCOL_VERSION,
        STORVSP_QUERY_PROPERTIES, STORVSP_END_INITIALIZATION};
    struct storvsp_packet request = {0};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        request.operation = operations[i];
        request.version.version = 0x0402;
        assert_true(fake_packet(channel, i + 1, &request, 48));
        assert_int_equal(channel->sent[i].bytes, 64);
    }
    request = srb_of(0, STORVSP_DATA_NONE, 0, TEST_UNIT_READY);
    assert_true(fake_packet(channel, 9, &request, 48));
    assert_int_equal(channel->sent[4].bytes, 64);
    assert_int_equal(answers(channel), 5);
    assert_int_equal(reply.status, 0);
}

static void rule_37_only_a_change_of_the_bus_has_no_id(void **state)
{
    (void)state;
    assert_true(storvsp_attach(storvsp, &fake.context, 1, make_disk()));
    assert_int_equal(channel->sent_count, 0); /* nobody has looked yet */
    negotiate(0x0602);
    assert_true(storvsp_attach(storvsp, &fake.context, 2, make_disk()));
    assert_int_equal(channel->sent_count, 1);
    assert_int_equal(channel->sent[0].type, VMBUS_PACKET_IN_BAND);
    assert_int_equal(channel->sent[0].flags, 0);
    assert_int_equal(channel->sent[0].transaction_id, 0);
    assert_int_equal(answers(channel), 1);
    assert_int_equal(reply.operation, STORVSP_ENUMERATE_BUS);
    assert_int_equal(reply.status, 0);
    assert_true(storvsp_detach(storvsp, &fake.context, 1));
    assert_int_equal(answers(channel), 1);
    assert_int_equal(reply.operation, STORVSP_ENUMERATE_BUS);
}

/* Negotiation. */

static void all_versions_of_windows_are_spoken(void **state)
{
    static const uint16_t versions[] = {0x0200, 0x0402, 0x0501, 0x0600, 0x0602};

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(storvsp_version(storvsp), 0);
        negotiate(versions[i]);
        assert_int_equal(storvsp_version(storvsp), versions[i]);
        fake_close(channel);
        fake_open(channel);
    }
}

static void a_version_that_is_not_may_be_followed_by_one_that_is(void **state)
{
    (void)state;
    assert_int_equal(operate(STORVSP_BEGIN_INITIALIZATION, 0), 0);
    assert_int_equal(operate(STORVSP_QUERY_PROTOCOL_VERSION, 0x0703),
                     STORVSP_STATUS_REVISION_MISMATCH);
    assert_int_equal(reply.version.version, 0x0703);
    assert_int_equal(operate(STORVSP_QUERY_PROPERTIES, 0),
                     STORVSP_STATUS_INVALID_DEVICE_STATE);
    assert_int_equal(operate(STORVSP_QUERY_PROTOCOL_VERSION, 0x0600), 0);
}

static void properties_tell_limits(void **state)
{
    (void)state;
    assert_int_equal(operate(STORVSP_BEGIN_INITIALIZATION, 0), 0);
    assert_int_equal(operate(STORVSP_QUERY_PROTOCOL_VERSION, 0x0602), 0);
    assert_int_equal(operate(STORVSP_QUERY_PROPERTIES, 0), 0);
    assert_int_equal(reply.properties.sub_channels_max, SUB_CHANNELS);
    assert_int_equal(reply.properties.flags, STORVSP_MULTI_CHANNEL);
    assert_int_equal(reply.properties.transfer_bytes_max, 0x40000);
}

static void steps_out_of_order_are_refused(void **state)
{
    (void)state;
    assert_int_equal(operate(STORVSP_QUERY_PROPERTIES, 0),
                     STORVSP_STATUS_INVALID_DEVICE_STATE);
    assert_int_equal(operate(STORVSP_EXECUTE_SRB, 0),
                     STORVSP_STATUS_INVALID_DEVICE_STATE);
    negotiate(0x0602);
    assert_int_equal(operate(STORVSP_BEGIN_INITIALIZATION, 0),
                     STORVSP_STATUS_INVALID_DEVICE_STATE);
    assert_int_equal(operate(STORVSP_FCHBA_DATA, 0),
                     STORVSP_STATUS_INVALID_DEVICE_STATE);
    assert_int_equal(operate(4711, 0), STORVSP_STATUS_INVALID_DEVICE_STATE);
    assert_int_equal(operate(STORVSP_RESET_BUS, 0), 0);
    assert_true(execute(0, STORVSP_DATA_NONE, 0, TEST_UNIT_READY));
}

static void closing_begins_anew(void **state)
{
    (void)state;
    negotiate(0x0602);
    submit(channel, 1, 0, STORVSP_DATA_NONE, 0, FLUSH);
    fake_close(channel);
    fake_open(channel);
    run_for(channel, 1000000);
    assert_int_equal(answers(channel), 0);
    assert_int_equal(operate(STORVSP_END_INITIALIZATION, 0),
                     STORVSP_STATUS_INVALID_DEVICE_STATE);
    negotiate(0x0602);
}

static void a_reset_is_as_after_power_on(void **state)
{
    (void)state;
    negotiate(0x0602);
    assert_true(execute(0, STORVSP_DATA_NONE, 0, CDB(0x1b))); /* stop */
    channel->open = false;
    channel->offer.ops->reset(channel->offer.device);
    fake_open(channel);
    negotiate(0x0602);
    assert_true(execute(0, STORVSP_DATA_NONE, 0, TEST_UNIT_READY));
    for (unsigned i = 0; i < 100; i++)
        submit(channel, i, 0, STORVSP_DATA_IN, 64 * SECTOR,
               CDB(0x28, [8] = 64));
    channel->open = false;
    channel->offer.ops->reset(channel->offer.device);
    fake_open(channel);
    negotiate(0x0602);
    submit(channel, 1, 0, STORVSP_DATA_NONE, 0, FLUSH); /* has no queue */
    run_for(channel, LATENCY);
    assert_int_equal(answers(channel), 1);
}

static void packets_that_are_none_end_the_channel(void **state)
{
    struct storvsp_packet request =
        srb_of(0, STORVSP_DATA_NONE, 0, TEST_UNIT_READY);
    struct vmbus_packet silent = {.type = VMBUS_PACKET_IN_BAND,
                                  .payload = (const uint8_t *)&request,
                                  .bytes = sizeof(request)};

    (void)state;
    negotiate(0x0602);
    assert_false(fake_packet(channel, 1, &request, 0));
    assert_false(fake_packet(channel, 1, &request, 8));
    assert_false(fake_packet(channel, 1, &request, 40));
    assert_false(channel->offer.ops->packet(channel->offer.device, channel,
                                            &fake.context, &silent));
    assert_true(fake_packet(channel, 1, &request, 48));
}

/* Requests. */

static void each_disk_has_a_name_of_its_own(void **state)
{
    uint8_t first[32];

    (void)state;
    negotiate(0x0602);
    assert_true(storvsp_attach(storvsp, &fake.context, 1, make_disk()));
    (void)answers(channel);
    assert_true(
        execute(0, STORVSP_DATA_IN, 255, CDB(0x12, 1, 0x80, [4] = 255)));
    memcpy(first, &fake.memory[BUFFER + 4], sizeof(first));
    assert_true(
        execute(1, STORVSP_DATA_IN, 255, CDB(0x12, 1, 0x80, [4] = 255)));
    assert_memory_not_equal(first, &fake.memory[BUFFER + 4], sizeof(first));
}

static void data_goes_to_disk_and_back(void **state)
{
    (void)state;
    negotiate(0x0602);
    for (unsigned i = 0; i < 8 * SECTOR; i++)
        fake.memory[BUFFER + i] = (uint8_t)(i * 3 + 1);
    assert_true(execute(0, STORVSP_DATA_OUT, 8 * SECTOR,
                        CDB(0x2a, [5] = 100, [8] = 8)));
    assert_int_equal(reply.srb.transfer_bytes, 8 * SECTOR);
    memset(fake.memory, 0, sizeof(fake.memory));
    assert_true(
        execute(0, STORVSP_DATA_IN, 4 * SECTOR, CDB(0x28, [5] = 102, [8] = 4)));
    assert_int_equal(reply.srb.transfer_bytes, 4 * SECTOR);
    assert_int_equal(fake.memory[BUFFER - 1], 0);
    assert_int_equal(fake.memory[BUFFER + 4 * SECTOR], 0);
    for (unsigned i = 0; i < 4 * SECTOR; i++)
        assert_int_equal(fake.memory[BUFFER + i],
                         (uint8_t)((i + 2 * SECTOR) * 3 + 1));
}

static void errors_bring_their_sense(void **state)
{
    (void)state;
    negotiate(0x0602);
    assert_false(
        execute(0, STORVSP_DATA_IN, SECTOR, CDB(0x28, [2] = 1, [8] = 1)));
    assert_int_equal(reply.srb.scsi_status, 2);
    assert_int_equal(reply.srb.srb_status, 0x86);
    assert_int_equal(reply.srb.sense_bytes, 18);
    assert_int_equal(reply.srb.transfer_bytes, 0);
    assert_int_equal(reply.srb.cdb_or_sense[2], 5);
    assert_int_equal(reply.srb.cdb_or_sense[12], 0x21);
    assert_true(execute(0, STORVSP_DATA_NONE, 0, CDB(0x1b)));
    assert_false(execute(0, STORVSP_DATA_NONE, 0, TEST_UNIT_READY));
    assert_int_equal(reply.srb.srb_status, 0x84); /* not ready: an error */
    assert_int_equal(reply.status, STORVSP_STATUS_IO_DEVICE_ERROR);
}

static void a_request_for_more_than_its_buffer_overruns(void **state)
{
    struct storvsp_packet request =
        srb_of(0, STORVSP_DATA_IN, 8 * SECTOR, CDB(0x28, [8] = 8));

    (void)state;
    negotiate(0x0602);
    assert_false(execute(0, STORVSP_DATA_IN, SECTOR, CDB(0x28, [8] = 2)));
    assert_int_equal(reply.srb.srb_status, 0x92);
    /* It says that it has a buffer, and lends less. */
    assert_true(fake_packet_about(channel, 1, &request, sizeof(request), BUFFER,
                                  SECTOR));
    assert_int_equal(answers(channel), 1);
    assert_int_equal(reply.srb.srb_status, 0x92);
    assert_true(fake_packet(channel, 1, &request, sizeof(request)));
    assert_int_equal(answers(channel), 1);
    assert_int_equal(reply.srb.srb_status, 0x92);
}

static void data_goes_the_way_that_was_agreed(void **state)
{
    (void)state;
    negotiate(0x0602);
    assert_false(execute(0, STORVSP_DATA_OUT, SECTOR, READ_ONE));
    assert_int_equal(reply.srb.cdb_or_sense[2], 0xb);
    assert_false(execute(0, STORVSP_DATA_IN, SECTOR, WRITE_ONE));
    assert_int_equal(reply.srb.cdb_or_sense[2], 0xb);
}

static void memory_that_is_not_there_is_an_error(void **state)
{
    struct storvsp_packet request =
        srb_of(0, STORVSP_DATA_IN, SECTOR, READ_ONE);

    (void)state;
    negotiate(0x0602);
    assert_true(fake_packet_about(channel, 1, &request, sizeof(request),
                                  UINT64_C(1) << 50, SECTOR));
    run_for(channel, 1000000);
    assert_int_equal(answers(channel), 1);
    assert_int_equal(reply.srb.srb_status, 0x84);
}

static void luns_that_are_not_there_say_so(void **state)
{
    struct storvsp_packet request =
        srb_of(0, STORVSP_DATA_NONE, 0, TEST_UNIT_READY);

    (void)state;
    negotiate(0x0602);
    assert_true(storvsp_attach(storvsp, &fake.context, 5, make_disk()));
    (void)answers(channel);
    assert_true(execute(5, STORVSP_DATA_NONE, 0, TEST_UNIT_READY));
    assert_false(execute(1, STORVSP_DATA_NONE, 0, TEST_UNIT_READY));
    assert_int_equal(reply.srb.srb_status, 0xa0);
    assert_int_equal(reply.status, STORVSP_STATUS_DEVICE_DOES_NOT_EXIST);
    assert_false(execute(255, STORVSP_DATA_NONE, 0, TEST_UNIT_READY));
    assert_true(execute(1, STORVSP_DATA_IN, 36, CDB(0x12, [4] = 36)));
    assert_int_equal(fake.memory[BUFFER], 0x7f);
    assert_true(execute(9, STORVSP_DATA_IN, 256, CDB(0xa0, [8] = 1)));
    assert_int_equal(fake.memory[BUFFER + 3], 16);
    assert_int_equal(fake.memory[BUFFER + 9], 0);
    assert_int_equal(fake.memory[BUFFER + 17], 5);
    request.srb.target = 1;
    assert_true(fake_packet(channel, 1, &request, sizeof(request)));
    assert_int_equal(answers(channel), 1);
    assert_int_equal(reply.srb.srb_status, 0xa0);
}

static void a_detached_disk_still_answers_what_it_was_asked(void **state)
{
    (void)state;
    negotiate(0x0602);
    submit(channel, 1, 0, STORVSP_DATA_IN, SECTOR, READ_ONE);
    assert_true(storvsp_detach(storvsp, &fake.context, 0));
    assert_false(storvsp_detach(storvsp, &fake.context, 0));
    (void)answers(channel);
    run_for(channel, 1000000);
    assert_int_equal(answers(channel), 1);
    assert_int_equal(reply.srb.srb_status, STORVSP_SRB_SUCCESS);
    assert_null(storvsp_disk(storvsp, 0));
    assert_null(storvsp_counts(storvsp, 0));
}

static void a_lun_holds_one_disk(void **state)
{
    struct disk *disk = make_disk();

    (void)state;
    assert_false(storvsp_attach(storvsp, NULL, 0, disk));
    assert_false(storvsp_attach(storvsp, NULL, STORVSP_LUNS_MAX, disk));
    assert_true(storvsp_attach(storvsp, NULL, STORVSP_LUNS_MAX - 1, disk));
    assert_ptr_equal(storvsp_disk(storvsp, STORVSP_LUNS_MAX - 1), disk);
}

/* Time. */

static void an_answer_comes_when_the_medium_is_done(void **state)
{
    (void)state;
    negotiate(0x0602);
    fake.context.now = cycles(5000);
    submit(channel, 1, 0, STORVSP_DATA_IN, SECTOR, READ_ONE);
    fake_run_until(channel, cycles(5000 + LATENCY + SECTOR - 1));
    assert_int_equal(answers(channel), 0);
    fake_run_until(channel, cycles(5000 + LATENCY + SECTOR));
    assert_int_equal(answers(channel), 1);
    submit(channel, 2, 0, STORVSP_DATA_NONE, 0, TEST_UNIT_READY);
    assert_int_equal(answers(channel), 1); /* needs no medium */
}

static void answers_come_in_the_order_in_which_they_are_due(void **state)
{
    (void)state;
    negotiate(0x0602);
    assert_true(storvsp_attach(storvsp, &fake.context, 1, make_disk()));
    (void)answers(channel);
    submit(channel, 1, 0, STORVSP_DATA_IN, 64 * SECTOR, CDB(0x28, [8] = 64));
    submit(channel, 2, 0, STORVSP_DATA_IN, 64 * SECTOR, CDB(0x28, [8] = 64));
    submit(channel, 3, 1, STORVSP_DATA_NONE, 0, FLUSH);
    submit(channel, 4, 1, STORVSP_DATA_NONE, 0, FLUSH);
    run_for(channel, 1000000);
    assert_int_equal(channel->sent_count, 4);
    assert_int_equal(channel->sent[0].transaction_id, 3);
    assert_int_equal(channel->sent[1].transaction_id, 4);
    assert_int_equal(channel->sent[2].transaction_id, 1);
    assert_int_equal(channel->sent[3].transaction_id, 2);
}

static void a_full_ring_delays_answers_and_loses_none(void **state)
{
    (void)state;
    negotiate(0x0602);
    for (unsigned i = 1; i <= 5; i++)
        submit(channel, i, 0, STORVSP_DATA_NONE, 0, FLUSH);
    channel->room = 2;
    run_for(channel, 1000000);
    assert_int_equal(channel->sent_count, 2);
    assert_true(channel->waiting);
    assert_true(storvsp_attach(storvsp, &fake.context, 7, make_disk()));
    assert_int_equal(channel->sent_count, 2);
    fake_make_room(channel, 3);
    run_for(channel, 1);
    assert_int_equal(channel->sent_count, 5);
    fake_make_room(channel, 10);
    run_for(channel, 1);
    assert_int_equal(channel->sent_count, 6);
    /* The change is told between the answers, once there is room. */
    assert_int_equal(channel->sent[0].transaction_id, 1);
    assert_int_equal(channel->sent[1].transaction_id, 2);
    for (unsigned i = 0, id = 1; i < 6; i++) {
        if (channel->sent[i].type == VMBUS_PACKET_COMPLETION)
            assert_int_equal(channel->sent[i].transaction_id, id++);
        else
            assert_int_equal(channel->sent[i].transaction_id, 0);
    }
}

static void nothing_is_tried_before_there_is_room(void **state)
{
    (void)state;
    negotiate(0x0602);
    submit(channel, 1, 0, STORVSP_DATA_NONE, 0, FLUSH);
    channel->room = 0;
    assert_true(storvsp_attach(storvsp, &fake.context, 7, make_disk()));
    run_for(channel, 1000000);
    assert_int_equal(channel->refused, 1);
    fake_make_room(channel, 10);
    assert_int_equal(channel->sent_count, 2);
}

static void fill_queue(void)
{
    for (unsigned i = 1; i <= STORVSP_PENDING_MAX; i++) {
        assert_false(channel->held);
        submit(channel, i, 0, STORVSP_DATA_NONE, 0, FLUSH);
    }
    assert_true(channel->held);
}

static void no_more_is_taken_than_can_be_owed(void **state)
{
    (void)state;
    negotiate(0x0602);
    fill_queue();
    fake_close(channel);
    fake_open(channel);
    negotiate(0x0602);
    fill_queue();
    run_for(channel, 1000000);
    assert_false(channel->held);
    assert_int_equal(channel->sent_count, STORVSP_PENDING_MAX);
    for (unsigned i = 0; i < STORVSP_PENDING_MAX; i++)
        assert_int_equal(channel->sent[i].transaction_id, i + 1);
}

/* Sub-channels. */

static void sub_channels_are_offered_once_and_share_the_disks(void **state)
{
    (void)state;
    negotiate(0x0602);
    assert_int_equal(operate(STORVSP_CREATE_SUB_CHANNELS, 2), 0);
    assert_int_equal(fake.channel_count, 3);
    assert_int_equal(fake.channels[1].offer.sub_channel_index, 1);
    assert_int_equal(fake.channels[2].offer.sub_channel_index, 2);
    assert_memory_equal(&fake.channels[2].offer.instance_id,
                        &channel->offer.instance_id, 16);
    assert_int_equal(operate(STORVSP_CREATE_SUB_CHANNELS, 1),
                     STORVSP_STATUS_INVALID_PARAMETER);

    fake_open(&fake.channels[2]);
    fake.memory[BUFFER] = 0x77;
    submit(&fake.channels[2], 8, 0, STORVSP_DATA_OUT, SECTOR, WRITE_ONE);
    run_for(&fake.channels[2], 1000000);
    assert_int_equal(answers(&fake.channels[2]), 1);
    assert_int_equal(answers(channel), 0);
    fake.memory[BUFFER] = 0;
    assert_true(execute(0, STORVSP_DATA_IN, SECTOR, READ_ONE));
    assert_int_equal(fake.memory[BUFFER], 0x77);
}

static void sub_channels_do_not_negotiate(void **state)
{
    struct storvsp_packet request = {.operation = STORVSP_RESET_BUS};

    (void)state;
    negotiate(0x0602);
    assert_int_equal(operate(STORVSP_CREATE_SUB_CHANNELS, 1), 0);
    fake_open(&fake.channels[1]);
    assert_true(fake_packet(&fake.channels[1], 1, &request, sizeof(request)));
    assert_int_equal(answers(&fake.channels[1]), 1);
    assert_int_equal(reply.status, STORVSP_STATUS_INVALID_DEVICE_STATE);
}

static void more_sub_channels_than_allowed_are_refused(void **state)
{
    (void)state;
    negotiate(0x0602);
    assert_int_equal(operate(STORVSP_CREATE_SUB_CHANNELS, SUB_CHANNELS + 1),
                     STORVSP_STATUS_INVALID_PARAMETER);
    assert_int_equal(operate(STORVSP_CREATE_SUB_CHANNELS, 0xffff),
                     STORVSP_STATUS_INVALID_PARAMETER);
    fake.offers_left = 2; /* the bus is nearly full */
    assert_int_equal(operate(STORVSP_CREATE_SUB_CHANNELS, SUB_CHANNELS),
                     STORVSP_STATUS_INVALID_PARAMETER);
    assert_int_equal(fake.channel_count, 1);
    assert_int_equal(operate(STORVSP_CREATE_SUB_CHANNELS, 2), 0);
}

static void old_protocols_have_no_sub_channels(void **state)
{
    (void)state;
    assert_int_equal(operate(STORVSP_BEGIN_INITIALIZATION, 0), 0);
    assert_int_equal(operate(STORVSP_QUERY_PROTOCOL_VERSION, 0x0402), 0);
    assert_int_equal(operate(STORVSP_QUERY_PROPERTIES, 0), 0);
    assert_int_equal(reply.properties.flags, 0);
    assert_int_equal(reply.properties.sub_channels_max, 0);
    assert_int_equal(operate(STORVSP_CREATE_SUB_CHANNELS, 1),
                     STORVSP_STATUS_INVALID_PARAMETER);
}

/* What it costs and counts. */

static void requests_are_billed_and_counted(void **state)
{
    const struct storvsp_counts *counts = storvsp_counts(storvsp, 0);

    (void)state;
    negotiate(0x0602);
    cost_bill_clear(&fake.bill);
    assert_true(execute(0, STORVSP_DATA_OUT, 16 * SECTOR, CDB(0x2a, [8] = 16)));
    assert_int_equal(cost_count(&fake.bill, COST_STORVSP_REQUEST), 1);
    assert_int_equal(cost_count(&fake.bill, COST_STORVSP_COMPLETION), 1);
    assert_int_equal(cost_count(&fake.bill, COST_STORVSP_PAGE), 2);
    assert_true(execute(0, STORVSP_DATA_IN, SECTOR, READ_ONE));
    assert_true(execute(0, STORVSP_DATA_NONE, 0, FLUSH));
    assert_false(
        execute(0, STORVSP_DATA_IN, SECTOR, CDB(0x28, [2] = 1, [8] = 1)));
    assert_int_equal(counts->writes, 1);
    assert_int_equal(counts->written_bytes, 16 * SECTOR);
    assert_int_equal(counts->reads, 1);
    assert_int_equal(counts->read_bytes, SECTOR);
    assert_int_equal(counts->flushes, 1);
    assert_int_equal(counts->errors, 1);
    assert_int_equal(counts->time.v, 3 * LATENCY + 17 * SECTOR);
}

#define T(test) cmocka_unit_test_setup_teardown(test, create, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rule_37_every_answer_completes_under_its_id),
        T(rule_37_an_answer_has_64_bytes),
        T(rule_37_only_a_change_of_the_bus_has_no_id),
        T(all_versions_of_windows_are_spoken),
        T(a_version_that_is_not_may_be_followed_by_one_that_is),
        T(properties_tell_limits),
        T(steps_out_of_order_are_refused),
        T(closing_begins_anew),
        T(a_reset_is_as_after_power_on),
        T(packets_that_are_none_end_the_channel),
        T(each_disk_has_a_name_of_its_own),
        T(data_goes_to_disk_and_back),
        T(errors_bring_their_sense),
        T(a_request_for_more_than_its_buffer_overruns),
        T(data_goes_the_way_that_was_agreed),
        T(memory_that_is_not_there_is_an_error),
        T(luns_that_are_not_there_say_so),
        T(a_detached_disk_still_answers_what_it_was_asked),
        T(a_lun_holds_one_disk),
        T(an_answer_comes_when_the_medium_is_done),
        T(answers_come_in_the_order_in_which_they_are_due),
        T(a_full_ring_delays_answers_and_loses_none),
        T(nothing_is_tried_before_there_is_room),
        T(no_more_is_taken_than_can_be_owed),
        T(sub_channels_are_offered_once_and_share_the_disks),
        T(sub_channels_do_not_negotiate),
        T(more_sub_channels_than_allowed_are_refused),
        T(old_protocols_have_no_sub_channels),
        T(requests_are_billed_and_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
