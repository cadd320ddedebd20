/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vmbus/storage.h"

static void rule_37_every_answer_completes_under_its_id(void **state)
{
    (void)state;
    storage_negotiate(0x0602);
    storage_submit(storage.channel, UINT64_C(0x123456789abcdef0), 0,
                   STORVSP_DATA_IN, DISK_SECTOR_BYTES, READ_ONE);
    storage_submit(storage.channel, 2, 0, STORVSP_DATA_NONE, 0,
                   TEST_UNIT_READY);
    storage_run_for(storage.channel, 1000000);
    assert_int_equal(storage.channel->sent_count, 2);
    assert_int_equal(storage.channel->sent[0].transaction_id, 2);
    assert_true(storage.channel->sent[1].transaction_id ==
                UINT64_C(0x123456789abcdef0));
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(storage.channel->sent[i].type,
                         VMBUS_PACKET_COMPLETION);
        assert_int_equal(storage.channel->sent[i].flags, 0);
        memcpy(&storage.reply, storage.channel->sent[i].payload,
               sizeof(storage.reply));
        assert_int_equal(storage.reply.operation, STORVSP_COMPLETE_IO);
        assert_int_equal(storage.reply.status, 0);
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
        assert_true(fake_packet(storage.channel, i + 1, &request, 48));
        assert_int_equal(storage.channel->sent[i].bytes, 64);
    }
    request = storage_srb(0, STORVSP_DATA_NONE, 0, TEST_UNIT_READY);
    assert_true(fake_packet(storage.channel, 9, &request, 48));
    assert_int_equal(storage.channel->sent[4].bytes, 64);
    assert_int_equal(storage_answers(storage.channel), 5);
    assert_int_equal(storage.reply.status, 0);
}

static void rule_37_only_a_change_of_the_bus_has_no_id(void **state)
{
    (void)state;
    assert_true(
        storvsp_attach(storage.storvsp, &fake.context, 1, storage_make_disk()));
    assert_int_equal(storage.channel->sent_count, 0); /* nobody has looked */
    storage_negotiate(0x0602);
    assert_true(
        storvsp_attach(storage.storvsp, &fake.context, 2, storage_make_disk()));
    assert_int_equal(storage.channel->sent_count, 1);
    assert_int_equal(storage.channel->sent[0].type, VMBUS_PACKET_IN_BAND);
    assert_int_equal(storage.channel->sent[0].flags, 0);
    assert_int_equal(storage.channel->sent[0].transaction_id, 0);
    assert_int_equal(storage_answers(storage.channel), 1);
    assert_int_equal(storage.reply.operation, STORVSP_ENUMERATE_BUS);
    assert_int_equal(storage.reply.status, 0);
    assert_true(storvsp_detach(storage.storvsp, &fake.context, 1));
    assert_int_equal(storage_answers(storage.channel), 1);
    assert_int_equal(storage.reply.operation, STORVSP_ENUMERATE_BUS);
}

#define T(test)                                                                \
    cmocka_unit_test_setup_teardown(test, storage_setup, storage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rule_37_every_answer_completes_under_its_id),
        T(rule_37_an_answer_has_64_bytes),
        T(rule_37_only_a_change_of_the_bus_has_no_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
