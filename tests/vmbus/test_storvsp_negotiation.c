/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a guest and the storage provider come together, and part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vmbus/storage.h"

static void all_versions_of_windows_are_spoken(void **state)
{
    static const uint16_t versions[] = {0x0200, 0x0402, 0x0501, 0x0600, 0x0602};

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(storvsp_version(storage.storvsp), 0);
        storage_negotiate(versions[i]);
        assert_int_equal(storvsp_version(storage.storvsp), versions[i]);
        fake_close(storage.channel);
        fake_open(storage.channel);
    }
}

static void a_version_that_is_not_may_be_followed_by_one_that_is(void **state)
{
    (void)state;
    assert_int_equal(storage_operate(STORVSP_BEGIN_INITIALIZATION, 0), 0);
    assert_int_equal(storage_operate(STORVSP_QUERY_PROTOCOL_VERSION, 0x0703),
                     STORVSP_STATUS_REVISION_MISMATCH);
    assert_int_equal(storage.reply.version.version, 0x0703);
    assert_int_equal(storage_operate(STORVSP_QUERY_PROPERTIES, 0),
                     STORVSP_STATUS_INVALID_DEVICE_STATE);
    assert_int_equal(storage_operate(STORVSP_QUERY_PROTOCOL_VERSION, 0x0600),
                     0);
}

static void properties_tell_limits(void **state)
{
    (void)state;
    assert_int_equal(storage_operate(STORVSP_BEGIN_INITIALIZATION, 0), 0);
    assert_int_equal(storage_operate(STORVSP_QUERY_PROTOCOL_VERSION, 0x0602),
                     0);
    assert_int_equal(storage_operate(STORVSP_QUERY_PROPERTIES, 0), 0);
    assert_int_equal(storage.reply.properties.sub_channels_max,
                     STORAGE_SUB_CHANNELS);
    assert_int_equal(storage.reply.properties.flags, STORVSP_MULTI_CHANNEL);
    assert_int_equal(storage.reply.properties.transfer_bytes_max, 0x40000);
}

static void steps_out_of_order_are_refused(void **state)
{
    (void)state;
    assert_int_equal(storage_operate(STORVSP_QUERY_PROPERTIES, 0),
                     STORVSP_STATUS_INVALID_DEVICE_STATE);
    assert_int_equal(storage_operate(STORVSP_EXECUTE_SRB, 0),
                     STORVSP_STATUS_INVALID_DEVICE_STATE);
    storage_negotiate(0x0602);
    assert_int_equal(storage_operate(STORVSP_BEGIN_INITIALIZATION, 0),
                     STORVSP_STATUS_INVALID_DEVICE_STATE);
    assert_int_equal(storage_operate(STORVSP_FCHBA_DATA, 0),
                     STORVSP_STATUS_INVALID_DEVICE_STATE);
    assert_int_equal(storage_operate(4711, 0),
                     STORVSP_STATUS_INVALID_DEVICE_STATE);
    assert_int_equal(storage_operate(STORVSP_RESET_BUS, 0), 0);
    assert_true(storage_execute(0, STORVSP_DATA_NONE, 0, TEST_UNIT_READY));
}

static void closing_begins_anew(void **state)
{
    (void)state;
    storage_negotiate(0x0602);
    storage_submit(storage.channel, 1, 0, STORVSP_DATA_NONE, 0, FLUSH);
    fake_close(storage.channel);
    fake_open(storage.channel);
    storage_run_for(storage.channel, 1000000);
    assert_int_equal(storage_answers(storage.channel), 0);
    assert_int_equal(storage_operate(STORVSP_END_INITIALIZATION, 0),
                     STORVSP_STATUS_INVALID_DEVICE_STATE);
    storage_negotiate(0x0602);
}

static void a_reset_is_as_after_power_on(void **state)
{
    (void)state;
    storage_negotiate(0x0602);
    assert_true(storage_execute(0, STORVSP_DATA_NONE, 0, CDB(0x1b))); /* stop */
    storage.channel->open = false;
    storage.channel->offer.ops->reset(storage.channel->offer.device);
    fake_open(storage.channel);
    storage_negotiate(0x0602);
    assert_true(storage_execute(0, STORVSP_DATA_NONE, 0, TEST_UNIT_READY));
    for (unsigned i = 0; i < 100; i++)
        storage_submit(storage.channel, i, 0, STORVSP_DATA_IN,
                       64 * DISK_SECTOR_BYTES, CDB(0x28, [8] = 64));
    storage.channel->open = false;
    storage.channel->offer.ops->reset(storage.channel->offer.device);
    fake_open(storage.channel);
    storage_negotiate(0x0602);
    /* There is no queue in front of it. */
    storage_submit(storage.channel, 1, 0, STORVSP_DATA_NONE, 0, FLUSH);
    storage_run_for(storage.channel, STORAGE_LATENCY);
    assert_int_equal(storage_answers(storage.channel), 1);
}

static void packets_that_are_none_end_the_channel(void **state)
{
    struct storvsp_packet request =
        storage_srb(0, STORVSP_DATA_NONE, 0, TEST_UNIT_READY);
    struct vmbus_packet silent = {.type = VMBUS_PACKET_IN_BAND,
                                  .payload = (const uint8_t *)&request,
                                  .bytes = sizeof(request)};

    (void)state;
    storage_negotiate(0x0602);
    assert_false(fake_packet(storage.channel, 1, &request, 0));
    assert_false(fake_packet(storage.channel, 1, &request, 8));
    assert_false(fake_packet(storage.channel, 1, &request, 40));
    assert_false(storage.channel->offer.ops->packet(
        storage.channel->offer.device, storage.channel, &fake.context,
        &silent));
    assert_true(fake_packet(storage.channel, 1, &request, 48));
}

/* Sub-channels. */

static void sub_channels_are_offered_once_and_share_the_disks(void **state)
{
    (void)state;
    storage_negotiate(0x0602);
    assert_int_equal(storage_operate(STORVSP_CREATE_SUB_CHANNELS, 2), 0);
    assert_int_equal(fake.channel_count, 3);
    assert_int_equal(fake.channels[1].offer.sub_channel_index, 1);
    assert_int_equal(fake.channels[2].offer.sub_channel_index, 2);
    assert_memory_equal(&fake.channels[2].offer.instance_id,
                        &storage.channel->offer.instance_id, 16);
    assert_int_equal(storage_operate(STORVSP_CREATE_SUB_CHANNELS, 1),
                     STORVSP_STATUS_INVALID_PARAMETER);

    fake_open(&fake.channels[2]);
    fake.memory[STORAGE_BUFFER] = 0x77;
    storage_submit(&fake.channels[2], 8, 0, STORVSP_DATA_OUT, DISK_SECTOR_BYTES,
                   WRITE_ONE);
    storage_run_for(&fake.channels[2], 1000000);
    assert_int_equal(storage_answers(&fake.channels[2]), 1);
    assert_int_equal(storage_answers(storage.channel), 0);
    fake.memory[STORAGE_BUFFER] = 0;
    assert_true(
        storage_execute(0, STORVSP_DATA_IN, DISK_SECTOR_BYTES, READ_ONE));
    assert_int_equal(fake.memory[STORAGE_BUFFER], 0x77);
}

static void sub_channels_do_not_negotiate(void **state)
{
    struct storvsp_packet request = {.operation = STORVSP_RESET_BUS};

    (void)state;
    storage_negotiate(0x0602);
    assert_int_equal(storage_operate(STORVSP_CREATE_SUB_CHANNELS, 1), 0);
    fake_open(&fake.channels[1]);
    assert_true(fake_packet(&fake.channels[1], 1, &request, sizeof(request)));
    assert_int_equal(storage_answers(&fake.channels[1]), 1);
    assert_int_equal(storage.reply.status, STORVSP_STATUS_INVALID_DEVICE_STATE);
}

static void more_sub_channels_than_allowed_are_refused(void **state)
{
    (void)state;
    storage_negotiate(0x0602);
    assert_int_equal(
        storage_operate(STORVSP_CREATE_SUB_CHANNELS, STORAGE_SUB_CHANNELS + 1),
        STORVSP_STATUS_INVALID_PARAMETER);
    assert_int_equal(storage_operate(STORVSP_CREATE_SUB_CHANNELS, 0xffff),
                     STORVSP_STATUS_INVALID_PARAMETER);
    fake.offers_left = 2; /* the bus is nearly full */
    assert_int_equal(
        storage_operate(STORVSP_CREATE_SUB_CHANNELS, STORAGE_SUB_CHANNELS),
        STORVSP_STATUS_INVALID_PARAMETER);
    assert_int_equal(fake.channel_count, 1);
    assert_int_equal(storage_operate(STORVSP_CREATE_SUB_CHANNELS, 2), 0);
}

static void old_protocols_have_no_sub_channels(void **state)
{
    (void)state;
    assert_int_equal(storage_operate(STORVSP_BEGIN_INITIALIZATION, 0), 0);
    assert_int_equal(storage_operate(STORVSP_QUERY_PROTOCOL_VERSION, 0x0402),
                     0);
    assert_int_equal(storage_operate(STORVSP_QUERY_PROPERTIES, 0), 0);
    assert_int_equal(storage.reply.properties.flags, 0);
    assert_int_equal(storage.reply.properties.sub_channels_max, 0);
    assert_int_equal(storage_operate(STORVSP_CREATE_SUB_CHANNELS, 1),
                     STORVSP_STATUS_INVALID_PARAMETER);
}

#define T(test)                                                                \
    cmocka_unit_test_setup_teardown(test, storage_setup, storage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(all_versions_of_windows_are_spoken),
        T(a_version_that_is_not_may_be_followed_by_one_that_is),
        T(properties_tell_limits),
        T(steps_out_of_order_are_refused),
        T(closing_begins_anew),
        T(a_reset_is_as_after_power_on),
        T(packets_that_are_none_end_the_channel),
        T(sub_channels_are_offered_once_and_share_the_disks),
        T(sub_channels_do_not_negotiate),
        T(more_sub_channels_than_allowed_are_refused),
        T(old_protocols_have_no_sub_channels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
