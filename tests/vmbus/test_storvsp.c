/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vmbus/storage.h"

static void each_disk_has_a_name_of_its_own(void **state)
{
    uint8_t first[32];

    (void)state;
    storage_negotiate(0x0602);
    assert_true(
        storvsp_attach(storage.storvsp, &fake.context, 1, storage_make_disk()));
    (void)storage_answers(storage.channel);
    assert_true(storage_execute(0, STORVSP_DATA_IN, 255,
                                CDB(0x12, 1, 0x80, [4] = 255)));
    memcpy(first, &fake.memory[STORAGE_BUFFER + 4], sizeof(first));
    assert_true(storage_execute(1, STORVSP_DATA_IN, 255,
                                CDB(0x12, 1, 0x80, [4] = 255)));
    assert_memory_not_equal(first, &fake.memory[STORAGE_BUFFER + 4],
                            sizeof(first));
}

static void data_goes_to_disk_and_back(void **state)
{
    (void)state;
    storage_negotiate(0x0602);
    for (unsigned i = 0; i < 8 * DISK_SECTOR_BYTES; i++)
        fake.memory[STORAGE_BUFFER + i] = (uint8_t)(i * 3 + 1);
    assert_true(storage_execute(0, STORVSP_DATA_OUT, 8 * DISK_SECTOR_BYTES,
                                CDB(0x2a, [5] = 100, [8] = 8)));
    assert_int_equal(storage.reply.srb.transfer_bytes, 8 * DISK_SECTOR_BYTES);
    memset(fake.memory, 0, sizeof(fake.memory));
    assert_true(storage_execute(0, STORVSP_DATA_IN, 4 * DISK_SECTOR_BYTES,
                                CDB(0x28, [5] = 102, [8] = 4)));
    assert_int_equal(storage.reply.srb.transfer_bytes, 4 * DISK_SECTOR_BYTES);
    assert_int_equal(fake.memory[STORAGE_BUFFER - 1], 0);
    assert_int_equal(fake.memory[STORAGE_BUFFER + 4 * DISK_SECTOR_BYTES], 0);
    for (unsigned i = 0; i < 4 * DISK_SECTOR_BYTES; i++)
        assert_int_equal(fake.memory[STORAGE_BUFFER + i],
                         (uint8_t)((i + 2 * DISK_SECTOR_BYTES) * 3 + 1));
}

static void errors_bring_their_sense(void **state)
{
    (void)state;
    storage_negotiate(0x0602);
    assert_false(storage_execute(0, STORVSP_DATA_IN, DISK_SECTOR_BYTES,
                                 CDB(0x28, [2] = 1, [8] = 1)));
    assert_int_equal(storage.reply.srb.scsi_status, 2);
    assert_int_equal(storage.reply.srb.srb_status, 0x86);
    assert_int_equal(storage.reply.srb.sense_bytes, 18);
    assert_int_equal(storage.reply.srb.transfer_bytes, 0);
    assert_int_equal(storage.reply.srb.cdb_or_sense[2], 5);
    assert_int_equal(storage.reply.srb.cdb_or_sense[12], 0x21);
    assert_true(storage_execute(0, STORVSP_DATA_NONE, 0, CDB(0x1b)));
    assert_false(storage_execute(0, STORVSP_DATA_NONE, 0, TEST_UNIT_READY));
    /* Not ready: an error, and not an illegal request. */
    assert_int_equal(storage.reply.srb.srb_status, 0x84);
    assert_int_equal(storage.reply.status, STORVSP_STATUS_IO_DEVICE_ERROR);
}

static void a_request_for_more_than_its_buffer_overruns(void **state)
{
    struct storvsp_packet request = storage_srb(
        0, STORVSP_DATA_IN, 8 * DISK_SECTOR_BYTES, CDB(0x28, [8] = 8));

    (void)state;
    storage_negotiate(0x0602);
    assert_false(storage_execute(0, STORVSP_DATA_IN, DISK_SECTOR_BYTES,
                                 CDB(0x28, [8] = 2)));
    assert_int_equal(storage.reply.srb.srb_status, 0x92);
    /* It says that it has a buffer, and lends less. */
    assert_true(fake_packet_about(storage.channel, 1, &request, sizeof(request),
                                  STORAGE_BUFFER, DISK_SECTOR_BYTES));
    assert_int_equal(storage_answers(storage.channel), 1);
    assert_int_equal(storage.reply.srb.srb_status, 0x92);
    assert_true(fake_packet(storage.channel, 1, &request, sizeof(request)));
    assert_int_equal(storage_answers(storage.channel), 1);
    assert_int_equal(storage.reply.srb.srb_status, 0x92);
}

static void data_goes_the_way_that_was_agreed(void **state)
{
    (void)state;
    storage_negotiate(0x0602);
    assert_false(
        storage_execute(0, STORVSP_DATA_OUT, DISK_SECTOR_BYTES, READ_ONE));
    assert_int_equal(storage.reply.srb.cdb_or_sense[2], 0xb);
    assert_false(
        storage_execute(0, STORVSP_DATA_IN, DISK_SECTOR_BYTES, WRITE_ONE));
    assert_int_equal(storage.reply.srb.cdb_or_sense[2], 0xb);
}

static void memory_that_is_not_there_is_an_error(void **state)
{
    struct storvsp_packet request =
        storage_srb(0, STORVSP_DATA_IN, DISK_SECTOR_BYTES, READ_ONE);

    (void)state;
    storage_negotiate(0x0602);
    assert_true(fake_packet_about(storage.channel, 1, &request, sizeof(request),
                                  UINT64_C(1) << 50, DISK_SECTOR_BYTES));
    storage_run_for(storage.channel, 1000000);
    assert_int_equal(storage_answers(storage.channel), 1);
    assert_int_equal(storage.reply.srb.srb_status, 0x84);
}

static void luns_that_are_not_there_say_so(void **state)
{
    struct storvsp_packet request =
        storage_srb(0, STORVSP_DATA_NONE, 0, TEST_UNIT_READY);

    (void)state;
    storage_negotiate(0x0602);
    assert_true(
        storvsp_attach(storage.storvsp, &fake.context, 5, storage_make_disk()));
    (void)storage_answers(storage.channel);
    assert_true(storage_execute(5, STORVSP_DATA_NONE, 0, TEST_UNIT_READY));
    assert_false(storage_execute(1, STORVSP_DATA_NONE, 0, TEST_UNIT_READY));
    assert_int_equal(storage.reply.srb.srb_status, 0xa0);
    assert_int_equal(storage.reply.status,
                     STORVSP_STATUS_DEVICE_DOES_NOT_EXIST);
    assert_false(storage_execute(255, STORVSP_DATA_NONE, 0, TEST_UNIT_READY));
    assert_true(storage_execute(1, STORVSP_DATA_IN, 36, CDB(0x12, [4] = 36)));
    assert_int_equal(fake.memory[STORAGE_BUFFER], 0x7f);
    assert_true(storage_execute(9, STORVSP_DATA_IN, 256, CDB(0xa0, [8] = 1)));
    assert_int_equal(fake.memory[STORAGE_BUFFER + 3], 16);
    assert_int_equal(fake.memory[STORAGE_BUFFER + 9], 0);
    assert_int_equal(fake.memory[STORAGE_BUFFER + 17], 5);
    request.srb.target = 1;
    assert_true(fake_packet(storage.channel, 1, &request, sizeof(request)));
    assert_int_equal(storage_answers(storage.channel), 1);
    assert_int_equal(storage.reply.srb.srb_status, 0xa0);
}

static void a_detached_disk_still_answers_what_it_was_asked(void **state)
{
    (void)state;
    storage_negotiate(0x0602);
    storage_submit(storage.channel, 1, 0, STORVSP_DATA_IN, DISK_SECTOR_BYTES,
                   READ_ONE);
    assert_true(storvsp_detach(storage.storvsp, &fake.context, 0));
    assert_false(storvsp_detach(storage.storvsp, &fake.context, 0));
    (void)storage_answers(storage.channel);
    storage_run_for(storage.channel, 1000000);
    assert_int_equal(storage_answers(storage.channel), 1);
    assert_int_equal(storage.reply.srb.srb_status, STORVSP_SRB_SUCCESS);
    assert_null(storvsp_disk(storage.storvsp, 0));
}

static void a_lun_holds_one_disk(void **state)
{
    struct disk *disk = storage_make_disk();

    (void)state;
    assert_false(storvsp_attach(storage.storvsp, NULL, 0, disk));
    assert_false(storvsp_attach(storage.storvsp, NULL, STORVSP_LUNS_MAX, disk));
    assert_true(
        storvsp_attach(storage.storvsp, NULL, STORVSP_LUNS_MAX - 1, disk));
    assert_ptr_equal(storvsp_disk(storage.storvsp, STORVSP_LUNS_MAX - 1), disk);
}

/* Time. */

static void an_answer_comes_when_the_medium_is_done(void **state)
{
    (void)state;
    storage_negotiate(0x0602);
    fake.context.now = cycles(5000);
    storage_submit(storage.channel, 1, 0, STORVSP_DATA_IN, DISK_SECTOR_BYTES,
                   READ_ONE);
    fake_run_until(storage.channel,
                   cycles(5000 + STORAGE_LATENCY + DISK_SECTOR_BYTES - 1));
    assert_int_equal(storage_answers(storage.channel), 0);
    fake_run_until(storage.channel,
                   cycles(5000 + STORAGE_LATENCY + DISK_SECTOR_BYTES));
    assert_int_equal(storage_answers(storage.channel), 1);
    storage_submit(storage.channel, 2, 0, STORVSP_DATA_NONE, 0,
                   TEST_UNIT_READY);
    assert_int_equal(storage_answers(storage.channel), 1); /* needs no medium */
}

static void answers_come_in_the_order_in_which_they_are_due(void **state)
{
    (void)state;
    storage_negotiate(0x0602);
    assert_true(
        storvsp_attach(storage.storvsp, &fake.context, 1, storage_make_disk()));
    (void)storage_answers(storage.channel);
    storage_submit(storage.channel, 1, 0, STORVSP_DATA_IN,
                   64 * DISK_SECTOR_BYTES, CDB(0x28, [8] = 64));
    storage_submit(storage.channel, 2, 0, STORVSP_DATA_IN,
                   64 * DISK_SECTOR_BYTES, CDB(0x28, [8] = 64));
    storage_submit(storage.channel, 3, 1, STORVSP_DATA_NONE, 0, FLUSH);
    storage_submit(storage.channel, 4, 1, STORVSP_DATA_NONE, 0, FLUSH);
    storage_run_for(storage.channel, 1000000);
    assert_int_equal(storage.channel->sent_count, 4);
    assert_int_equal(storage.channel->sent[0].transaction_id, 3);
    assert_int_equal(storage.channel->sent[1].transaction_id, 4);
    assert_int_equal(storage.channel->sent[2].transaction_id, 1);
    assert_int_equal(storage.channel->sent[3].transaction_id, 2);
}

static void a_full_ring_delays_answers_and_loses_none(void **state)
{
    (void)state;
    storage_negotiate(0x0602);
    for (unsigned i = 1; i <= 5; i++)
        storage_submit(storage.channel, i, 0, STORVSP_DATA_NONE, 0, FLUSH);
    storage.channel->room = 2;
    storage_run_for(storage.channel, 1000000);
    assert_int_equal(storage.channel->sent_count, 2);
    assert_true(storage.channel->waiting);
    assert_true(
        storvsp_attach(storage.storvsp, &fake.context, 7, storage_make_disk()));
    assert_int_equal(storage.channel->sent_count, 2);
    fake_make_room(storage.channel, 3);
    storage_run_for(storage.channel, 1);
    assert_int_equal(storage.channel->sent_count, 5);
    fake_make_room(storage.channel, 10);
    storage_run_for(storage.channel, 1);
    assert_int_equal(storage.channel->sent_count, 6);
    /* The change is told between the answers, once there is room. */
    assert_int_equal(storage.channel->sent[0].transaction_id, 1);
    assert_int_equal(storage.channel->sent[1].transaction_id, 2);
    for (unsigned i = 0, id = 1; i < 6; i++) {
        if (storage.channel->sent[i].type == VMBUS_PACKET_COMPLETION)
            assert_int_equal(storage.channel->sent[i].transaction_id, id++);
        else
            assert_int_equal(storage.channel->sent[i].transaction_id, 0);
    }
}

static void nothing_is_tried_before_there_is_room(void **state)
{
    (void)state;
    storage_negotiate(0x0602);
    storage_submit(storage.channel, 1, 0, STORVSP_DATA_NONE, 0, FLUSH);
    storage.channel->room = 0;
    assert_true(
        storvsp_attach(storage.storvsp, &fake.context, 7, storage_make_disk()));
    storage_run_for(storage.channel, 1000000);
    assert_int_equal(storage.channel->refused, 1);
    fake_make_room(storage.channel, 10);
    assert_int_equal(storage.channel->sent_count, 2);
}

static void fill_queue(void)
{
    for (unsigned i = 1; i <= STORVSP_PENDING_MAX; i++) {
        assert_false(storage.channel->held);
        storage_submit(storage.channel, i, 0, STORVSP_DATA_NONE, 0, FLUSH);
    }
    assert_true(storage.channel->held);
}

static void no_more_is_taken_than_can_be_owed(void **state)
{
    (void)state;
    storage_negotiate(0x0602);
    fill_queue();
    fake_close(storage.channel);
    fake_open(storage.channel);
    storage_negotiate(0x0602);
    fill_queue();
    storage_run_for(storage.channel, 1000000);
    assert_false(storage.channel->held);
    assert_int_equal(storage.channel->sent_count, STORVSP_PENDING_MAX);
    for (unsigned i = 0; i < STORVSP_PENDING_MAX; i++)
        assert_int_equal(storage.channel->sent[i].transaction_id, i + 1);
}

/* What it costs and counts. */

static void counting_goes_on_with_the_next_disk(void **state)
{
    const struct pc_disk *counters = storvsp_counters(storage.storvsp, 0);

    (void)state;
    storage_negotiate(0x0602);
    assert_true(
        storage_execute(0, STORVSP_DATA_IN, DISK_SECTOR_BYTES, READ_ONE));
    assert_true(storvsp_detach(storage.storvsp, &fake.context, 0));
    assert_true(
        storvsp_attach(storage.storvsp, &fake.context, 0, storage_make_disk()));
    (void)storage_answers(storage.channel);
    assert_true(
        storage_execute(0, STORVSP_DATA_IN, DISK_SECTOR_BYTES, READ_ONE));
    assert_int_equal(counters->cell[PC_DISK_READS], 2);
}

static void requests_are_billed_and_counted(void **state)
{
    const struct pc_disk *counters = storvsp_counters(storage.storvsp, 0);

    (void)state;
    storage_negotiate(0x0602);
    cost_bill_clear(&fake.bill);
    assert_true(storage_execute(0, STORVSP_DATA_OUT, 16 * DISK_SECTOR_BYTES,
                                CDB(0x2a, [8] = 16)));
    assert_int_equal(cost_count(&fake.bill, COST_STORVSP_REQUEST), 1);
    assert_int_equal(cost_count(&fake.bill, COST_STORVSP_COMPLETION), 1);
    assert_int_equal(cost_count(&fake.bill, COST_STORVSP_PAGE), 2);
    assert_true(
        storage_execute(0, STORVSP_DATA_IN, DISK_SECTOR_BYTES, READ_ONE));
    assert_true(storage_execute(0, STORVSP_DATA_NONE, 0, FLUSH));
    assert_false(storage_execute(0, STORVSP_DATA_IN, DISK_SECTOR_BYTES,
                                 CDB(0x28, [2] = 1, [8] = 1)));
    assert_int_equal(counters->cell[PC_DISK_WRITES], 1);
    assert_int_equal(counters->cell[PC_DISK_WRITTEN_BYTES],
                     16 * DISK_SECTOR_BYTES);
    assert_int_equal(counters->cell[PC_DISK_READS], 1);
    assert_int_equal(counters->cell[PC_DISK_READ_BYTES], DISK_SECTOR_BYTES);
    assert_int_equal(counters->cell[PC_DISK_FLUSHES], 1);
    assert_int_equal(counters->cell[PC_DISK_ERRORS], 1);
    assert_int_equal(counters->cell[PC_DISK_TIME],
                     2 * STORAGE_LATENCY + 17 * DISK_SECTOR_BYTES);
}

#define T(test)                                                                \
    cmocka_unit_test_setup_teardown(test, storage_setup, storage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        T(counting_goes_on_with_the_next_disk),
        T(requests_are_billed_and_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
