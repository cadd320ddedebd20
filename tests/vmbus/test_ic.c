/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vmbus/fake_channel.h"
#include "vmbus/ic.h"
#include "vmbus/ic_abi.h"

#define SECOND UINT64_C(1000000000) /* in ns, and in cycles */
#define HEADERS (sizeof(struct ic_pipe_header) + sizeof(struct ic_header))
#define E_FAIL 0x80004005u
#define START_SECONDS INT64_C(1704067200)        /* 2024-01-01 */
#define START_UNITS UINT64_C(133485408000000000) /* the same since 1601 */

static const struct sim_clock clock_1ghz = {SECOND};

static struct ic *ic;
static struct vmbus_channel *channel;

/* What the host sent last. */
static struct message {
    struct ic_pipe_header pipe;
    struct ic_header header;
    uint8_t body[IC_BODY_BYTES_MAX];
} asked;

static struct {
    unsigned count;
    enum ic_shutdown_outcome outcome;
    uint32_t status;
    bool again; /* asks for the next one at once */
} done;

static void on_done(void *owner, struct hv_context *context,
                    enum ic_shutdown_outcome outcome, uint32_t status)
{
    assert_ptr_equal(owner, &done);
    assert_non_null(context);
    done.count++;
    done.outcome = outcome;
    done.status = status;
    if (done.again)
        assert_true(
            ic_shutdown_request(ic, context, IC_SHUTDOWN_POWER_OFF, true, 0));
}

static reftime_t vm_time(void *owner, cycles_t now)
{
    assert_ptr_equal(owner, &done);
    return (reftime_t){now.v / 100 - 7};
}

/* What has been sent since the last time, the latest in `asked`. */
static unsigned questions(void)
{
    unsigned count = channel->sent_count;

    for (unsigned i = 0; i < count; i++) {
        const struct fake_sent *sent = &channel->sent[i];

        assert_int_equal(sent->type, VMBUS_PACKET_IN_BAND);
        assert_int_equal(sent->flags, 0); /* no completion is wanted */
        memset(&asked, 0, sizeof(asked));
        memcpy(&asked, sent->payload, sent->bytes);
        assert_int_equal(asked.pipe.type, IC_PIPE_DATA);
        assert_int_equal(asked.pipe.bytes, sent->bytes - sizeof(asked.pipe));
        assert_int_equal(asked.header.bytes, sent->bytes - HEADERS);
        assert_int_equal(asked.header.flags,
                         IC_FLAG_TRANSACTION | IC_FLAG_REQUEST);
    }
    channel->sent_count = 0;
    return count;
}

/* As Linux answers: in the place of the question, marked as a response. */
static void answer(const struct message *message)
{
    struct message response = *message;

    response.header.flags = IC_FLAG_TRANSACTION | IC_FLAG_RESPONSE;
    assert_true(
        fake_packet(channel, 0, &response,
                    (uint32_t)sizeof(response.pipe) + response.pipe.bytes));
}

static void put_versions(uint8_t *body, uint16_t framework_count,
                         uint16_t message_count, struct ic_wire_version fw,
                         struct ic_wire_version message)
{
    struct ic_negotiate head = {framework_count, message_count, 0};

    memcpy(body, &head, sizeof(head));
    memcpy(body + sizeof(head), &fw, sizeof(fw));
    memcpy(body + sizeof(head) + sizeof(fw), &message, sizeof(message));
}

/* The guest chooses among the versions in `asked`. */
static void answer_versions(uint16_t framework_count, uint16_t message_count,
                            uint16_t major, uint16_t minor)
{
    assert_int_equal(asked.header.type, IC_NEGOTIATE);
    put_versions(asked.body, framework_count, message_count, IC_VERSION(3, 0),
                 IC_VERSION(major, minor));
    asked.header.bytes = 16;
    answer(&asked);
}

static void offer_and_open(struct ic *component)
{
    struct vmbus_offer offer;

    assert_non_null(component);
    ic = component;
    offer = ic_offer(ic);
    channel = vmbus_offer(NULL, NULL, &offer);
    assert_int_equal(ic_state(ic), IC_CLOSED);
    fake_open(channel);
    assert_int_equal(ic_state(ic), IC_NEGOTIATING);
    assert_int_equal(questions(), 1);
}

static void begin(struct ic *component, uint16_t major, uint16_t minor)
{
    offer_and_open(component);
    answer_versions(1, 1, major, minor);
    assert_int_equal(ic_state(ic), IC_READY);
    assert_int_equal(ic_version(ic), (uint32_t)major << 16 | minor);
}

static int create(void **state)
{
    (void)state;
    fake_reset();
    memset(&done, 0, sizeof(done));
    ic = NULL;
    return 0;
}

static int destroy(void **state)
{
    (void)state;
    channel->offer.ops->free(channel->offer.device);
    return 0;
}

static void wait_ns(uint64_t ns)
{
    fake_run_until(channel, cycles_add(fake.context.now, cycles(ns)));
}

/* Rule 39. */

static void rule_39_answers_are_in_band_and_not_completions(void **state)
{
    struct vmbus_packet completion = {.type = VMBUS_PACKET_COMPLETION,
                                      .payload = (const uint8_t *)&asked,
                                      .bytes = HEADERS + 16};

    (void)state;
    offer_and_open(ic_heartbeat_create(clock_1ghz));
    put_versions(asked.body, 1, 1, IC_VERSION(3, 0), IC_VERSION(3, 0));
    asked.header.bytes = 16;
    asked.header.flags = IC_FLAG_TRANSACTION | IC_FLAG_RESPONSE;
    assert_true(channel->offer.ops->packet(channel->offer.device, channel,
                                           &fake.context, &completion));
    assert_int_equal(ic_state(ic), IC_NEGOTIATING);
    assert_int_equal(ic_counts(ic)->ignored, 1);
    answer(&asked);
    assert_int_equal(ic_state(ic), IC_READY);
}

static void rule_39_counts_of_none_mean_failure(void **state)
{
    (void)state;
    offer_and_open(ic_heartbeat_create(clock_1ghz));
    answer_versions(0, 0, 3, 0);
    assert_int_equal(ic_state(ic), IC_UNSUPPORTED);
    assert_int_equal(ic_version(ic), 0);
    wait_ns(60 * SECOND);
    assert_int_equal(questions(), 0); /* it is left alone */
    assert_int_equal(ic_state(ic), IC_UNSUPPORTED);
}

static void rule_39_a_request_is_marked_as_one(void **state)
{
    (void)state;
    begin(ic_heartbeat_create(clock_1ghz), 3, 0);
    assert_int_equal(questions(), 1); /* which looks at the flags */
    asked.header.flags = IC_FLAG_TRANSACTION | IC_FLAG_REQUEST;
    assert_true(fake_packet(channel, 0, &asked,
                            (uint32_t)sizeof(asked.pipe) + asked.pipe.bytes));
    assert_int_equal(ic_counts(ic)->ignored, 1);
    assert_int_equal(ic_counts(ic)->answered, 1);
}

/* Negotiation. */

static void versions_are_offered_framework_first(void **state)
{
    static const struct ic_wire_version versions[] = {{1, 0}, {3, 0}, {1, 0},
                                                      {3, 0}, {3, 1}, {3, 2}};

    (void)state;
    offer_and_open(ic_shutdown_create(clock_1ghz, NULL, NULL));
    assert_int_equal(asked.body[0], 2);
    assert_int_equal(asked.body[2], 4);
    assert_int_equal(asked.header.bytes, 8 + sizeof(versions));
    assert_memory_equal(asked.body + 8, versions, sizeof(versions));
}

static void a_version_that_was_not_offered_is_none(void **state)
{
    (void)state;
    offer_and_open(ic_heartbeat_create(clock_1ghz));
    answer_versions(1, 1, 3, 1);
    assert_int_equal(ic_state(ic), IC_UNSUPPORTED);
}

static void a_choice_that_is_cut_off_is_none(void **state)
{
    (void)state;
    offer_and_open(ic_heartbeat_create(clock_1ghz));
    put_versions(asked.body, 1, 1, IC_VERSION(3, 0), IC_VERSION(3, 0));
    asked.header.bytes = 12;
    answer(&asked);
    assert_int_equal(ic_state(ic), IC_UNSUPPORTED);
}

static void a_guest_that_never_answers_is_silent(void **state)
{
    (void)state;
    offer_and_open(ic_heartbeat_create(clock_1ghz));
    wait_ns(IC_ANSWER_NS - 1);
    assert_int_equal(ic_state(ic), IC_NEGOTIATING);
    wait_ns(1);
    assert_int_equal(ic_state(ic), IC_SILENT);
    assert_int_equal(questions(), 0);
    answer_versions(1, 1, 1, 0); /* late, and welcome */
    assert_int_equal(ic_state(ic), IC_READY);
}

static void a_ring_without_room_is_waited_for(void **state)
{
    struct vmbus_offer offer;

    (void)state;
    ic = ic_timesync_create(clock_1ghz, START_SECONDS, vm_time, &done);
    offer = ic_offer(ic);
    channel = vmbus_offer(NULL, NULL, &offer);
    fake_open(channel);
    (void)questions();
    fake_close(channel);

    channel->open = true;
    channel->room = 0;
    channel->offer.ops->opened(ic, channel, &fake.context);
    assert_true(channel->waiting);
    fake_make_room(channel, 1);
    assert_int_equal(questions(), 1);
    fake.context.now = cycles(SECOND);
    answer_versions(1, 1, 4, 0);
    assert_int_equal(questions(), 0);
    fake.context.now = cycles(2 * SECOND);
    fake_make_room(channel, 1);
    assert_int_equal(questions(), 1);
    /* The time of now, and not of when it was wanted. */
    assert_memory_equal(asked.body, &(uint64_t){START_UNITS + 20000000}, 8);
}

static void packets_that_answer_nothing_are_ignored(void **state)
{
    struct message wrong;

    (void)state;
    begin(ic_heartbeat_create(clock_1ghz), 3, 0);
    assert_int_equal(questions(), 1);
    assert_true(fake_packet(channel, 0, &asked, 0));
    assert_true(fake_packet(channel, 0, &asked, HEADERS - 8));
    wrong = asked;
    wrong.header.type = IC_SHUTDOWN;
    answer(&wrong);
    wrong = asked;
    wrong.header.transaction_id++;
    answer(&wrong);
    wrong = asked;
    wrong.header.bytes = 100; /* more than there is */
    answer(&wrong);
    wrong = asked;
    wrong.pipe.type = 2;
    answer(&wrong);
    assert_int_equal(ic_counts(ic)->ignored, 6);
    assert_int_equal(ic_heartbeat_contact(ic), IC_NO_CONTACT);
    asked.body[0]++;
    answer(&asked);
    assert_int_equal(ic_heartbeat_contact(ic), IC_OK);
    answer(&asked); /* once */
    assert_int_equal(ic_counts(ic)->ignored, 7);
}

static void closing_and_reset_begin_anew(void **state)
{
    (void)state;
    begin(ic_heartbeat_create(clock_1ghz), 3, 0);
    fake_close(channel);
    assert_int_equal(ic_state(ic), IC_CLOSED);
    fake_open(channel);
    assert_int_equal(questions(), 1);
    answer_versions(1, 1, 3, 0);
    assert_int_equal(questions(), 1);
    asked.body[0]++;
    answer(&asked);
    assert_int_equal(ic_heartbeat_contact(ic), IC_OK);
    channel->open = false;
    channel->offer.ops->reset(ic);
    assert_int_equal(ic_state(ic), IC_CLOSED);
    assert_int_equal(ic_heartbeat_contact(ic), IC_NO_CONTACT);
}

static void an_offer_is_a_pipe_of_messages(void **state)
{
    (void)state;
    offer_and_open(ic_shutdown_create(clock_1ghz, NULL, NULL));
    assert_true(channel->offer.flags & VMBUS_OFFER_NAMED_PIPE);
    assert_int_equal(channel->offer.user_data[0], VMBUS_PIPE_MESSAGE);
    assert_memory_equal(&channel->offer.class_id,
                        "\x31\x60\x0b\x0e\x13\x52\x34\x49\x81\x8b", 10);
}

/* Heartbeat. */

/* The guest counts on, and says that it is healthy. */
static void answer_heartbeat(void)
{
    asked.body[0]++;
    asked.body[8] = 1;
    answer(&asked);
}

static void a_heart_beats_every_two_seconds(void **state)
{
    (void)state;
    begin(ic_heartbeat_create(clock_1ghz), 3, 0);
    assert_int_equal(questions(), 1);
    assert_int_equal(asked.header.type, IC_HEARTBEAT);
    assert_int_equal(asked.header.message_version.major, 3);
    assert_int_equal(ic_heartbeat_contact(ic), IC_NO_CONTACT);
    for (unsigned i = 0; i < 10; i++) {
        answer_heartbeat();
        assert_int_equal(ic_heartbeat_contact(ic), IC_OK);
        wait_ns(IC_HEARTBEAT_NS - 1);
        assert_int_equal(questions(), 0);
        wait_ns(1);
        assert_int_equal(questions(), 1);
    }
    assert_int_equal(ic_heartbeat_application_state(ic), 1);
    assert_int_equal(ic_counts(ic)->asked, 12);
    assert_int_equal(ic_counts(ic)->answered, 11);
}

static void contact_is_lost_and_found(void **state)
{
    (void)state;
    begin(ic_heartbeat_create(clock_1ghz), 3, 0);
    assert_int_equal(questions(), 1);
    answer_heartbeat();
    wait_ns(IC_HEARTBEAT_NS * IC_HEARTBEATS_LOST);
    assert_int_equal(ic_heartbeat_contact(ic), IC_OK);
    wait_ns(IC_HEARTBEAT_NS);
    assert_int_equal(ic_heartbeat_contact(ic), IC_LOST_COMMUNICATION);
    assert_int_equal(questions(), IC_HEARTBEATS_LOST + 1);
    answer_heartbeat();
    assert_int_equal(ic_heartbeat_contact(ic), IC_OK);
}

static void an_echo_is_no_heartbeat(void **state)
{
    (void)state;
    begin(ic_heartbeat_create(clock_1ghz), 3, 0);
    assert_int_equal(questions(), 1);
    answer(&asked); /* without counting on */
    assert_int_equal(ic_heartbeat_contact(ic), IC_NO_CONTACT);
    wait_ns(IC_HEARTBEAT_NS);
    assert_int_equal(questions(), 1);
    asked.header.status = E_FAIL;
    answer_heartbeat();
    assert_int_equal(ic_heartbeat_contact(ic), IC_NO_CONTACT);
}

/* Shutdown. */

static uint32_t body32(unsigned at)
{
    uint32_t value;

    memcpy(&value, asked.body + at, sizeof(value));
    return value;
}

static void a_guest_is_asked_to_stop(void **state)
{
    uint32_t status;

    (void)state;
    begin(ic_shutdown_create(clock_1ghz, on_done, &done), 3, 2);
    assert_int_equal(questions(), 0);
    assert_int_equal(ic_shutdown_outcome(ic, NULL), IC_SHUTDOWN_NOT_ASKED);
    assert_true(ic_shutdown_request(ic, &fake.context, IC_SHUTDOWN_POWER_OFF,
                                    false, 300));
    assert_int_equal(questions(), 1);
    assert_int_equal(asked.header.type, IC_SHUTDOWN);
    assert_int_equal(asked.header.bytes, 12 + 2048);
    assert_int_equal(body32(4), 300);
    assert_int_equal(body32(8), 0);
    assert_int_equal(ic_shutdown_outcome(ic, NULL), IC_SHUTDOWN_ASKED);
    answer(&asked);
    assert_int_equal(ic_shutdown_outcome(ic, &status), IC_SHUTDOWN_ACCEPTED);
    assert_int_equal(status, 0);
    assert_int_equal(done.count, 1);
    assert_true(channel->wake_at.v == CYCLES_NEVER.v);
    wait_ns(2 * IC_ANSWER_NS);
    assert_int_equal(done.count, 1);
    assert_int_equal(ic_shutdown_outcome(ic, NULL), IC_SHUTDOWN_ACCEPTED);
}

static void what_is_asked_for_is_in_the_flags(void **state)
{
    static const uint32_t flags[] = {0, 2, 4};

    (void)state;
    begin(ic_shutdown_create(clock_1ghz, NULL, NULL), 3, 2);
    for (unsigned i = 0; i < 6; i++) {
        assert_true(ic_shutdown_request(
            ic, &fake.context, (enum ic_shutdown_kind)(i / 2), i % 2 == 1, 0));
        assert_int_equal(questions(), 1);
        assert_int_equal(body32(8), flags[i / 2] | i % 2);
        answer(&asked);
    }
}

static void a_refusal_is_told(void **state)
{
    (void)state;
    begin(ic_shutdown_create(clock_1ghz, on_done, &done), 3, 2);
    assert_true(ic_shutdown_request(ic, &fake.context, IC_SHUTDOWN_HIBERNATE,
                                    false, 0));
    assert_int_equal(questions(), 1);
    asked.header.status = E_FAIL;
    answer(&asked);
    assert_int_equal(done.count, 1);
    assert_int_equal(done.outcome, IC_SHUTDOWN_REFUSED);
    assert_true(done.status == E_FAIL);
}

static void no_answer_is_one_after_a_time(void **state)
{
    (void)state;
    begin(ic_shutdown_create(clock_1ghz, on_done, &done), 3, 2);
    assert_true(ic_shutdown_request(ic, &fake.context, IC_SHUTDOWN_POWER_OFF,
                                    false, 0));
    assert_int_equal(questions(), 1);
    wait_ns(IC_ANSWER_NS - 1);
    assert_int_equal(done.count, 0);
    wait_ns(1);
    assert_int_equal(done.count, 1);
    assert_int_equal(done.outcome, IC_SHUTDOWN_NO_ANSWER);
    answer(&asked); /* too late */
    assert_int_equal(done.count, 1);
    assert_true(ic_shutdown_request(ic, &fake.context, IC_SHUTDOWN_POWER_OFF,
                                    false, 0));
}

static void a_question_that_finds_no_room_has_an_outcome_too(void **state)
{
    (void)state;
    begin(ic_shutdown_create(clock_1ghz, on_done, &done), 3, 2);
    channel->room = 0;
    assert_true(ic_shutdown_request(ic, &fake.context, IC_SHUTDOWN_POWER_OFF,
                                    false, 0));
    wait_ns(IC_ANSWER_NS - 1);
    assert_int_equal(done.count, 0);
    wait_ns(1);
    assert_int_equal(done.count, 1);
    assert_int_equal(done.outcome, IC_SHUTDOWN_NO_ANSWER);
    fake_make_room(channel, 5);
    assert_int_equal(questions(), 0); /* nobody wants it any more */
    assert_true(ic_shutdown_request(ic, &fake.context, IC_SHUTDOWN_POWER_OFF,
                                    false, 0));
    assert_int_equal(questions(), 1);
}

/* The ring has emptied, and room() is still to be called. */
static void room_that_is_waited_for_brings_one_question(void **state)
{
    (void)state;
    begin(ic_heartbeat_create(clock_1ghz), 3, 0);
    assert_int_equal(questions(), 1);
    answer_heartbeat();
    channel->room = 0;
    wait_ns(IC_HEARTBEAT_NS);
    assert_int_equal(questions(), 0);
    channel->room = 5;
    wait_ns(IC_HEARTBEAT_NS);
    assert_int_equal(questions(), 0);
    fake_make_room(channel, 1);
    assert_int_equal(questions(), 1);
}

static void a_channel_that_closes_does_not_answer(void **state)
{
    (void)state;
    begin(ic_shutdown_create(clock_1ghz, on_done, &done), 3, 2);
    assert_true(ic_shutdown_request(ic, &fake.context, IC_SHUTDOWN_POWER_OFF,
                                    false, 0));
    fake_close(channel);
    assert_int_equal(done.count, 1);
    assert_int_equal(done.outcome, IC_SHUTDOWN_NO_ANSWER);
}

static void switching_off_is_no_answer_to_tell(void **state)
{
    (void)state;
    begin(ic_shutdown_create(clock_1ghz, on_done, &done), 3, 2);
    assert_true(ic_shutdown_request(ic, &fake.context, IC_SHUTDOWN_POWER_OFF,
                                    false, 0));
    channel->open = false;
    channel->offer.ops->reset(ic);
    assert_int_equal(done.count, 0);
    assert_int_equal(ic_shutdown_outcome(ic, NULL), IC_SHUTDOWN_NO_ANSWER);
}

static void one_request_at_a_time_and_only_when_ready(void **state)
{
    (void)state;
    offer_and_open(ic_shutdown_create(clock_1ghz, on_done, &done));
    assert_false(ic_shutdown_request(ic, &fake.context, IC_SHUTDOWN_POWER_OFF,
                                     false, 0));
    answer_versions(1, 1, 3, 2);
    channel->room = 0; /* it goes out when there is room */
    assert_true(ic_shutdown_request(ic, &fake.context, IC_SHUTDOWN_POWER_OFF,
                                    false, 0));
    assert_int_equal(questions(), 0);
    assert_false(
        ic_shutdown_request(ic, &fake.context, IC_SHUTDOWN_RESTART, false, 0));
    fake_make_room(channel, 5);
    assert_int_equal(questions(), 1);
    done.again = true;
    answer(&asked);
    done.again = false;
    assert_int_equal(questions(), 1);
    assert_int_equal(body32(8), 1);
    answer(&asked);
    assert_int_equal(done.count, 2);
    assert_int_equal(done.outcome, IC_SHUTDOWN_ACCEPTED);
}

/* Timesync. */

static uint64_t body64(unsigned at)
{
    uint64_t value;

    memcpy(&value, asked.body + at, sizeof(value));
    return value;
}

static void the_time_is_told_at_once_and_then_sampled(void **state)
{
    (void)state;
    fake.context.now = cycles(3 * SECOND);
    begin(ic_timesync_create(clock_1ghz, START_SECONDS, vm_time, &done), 4, 0);
    assert_int_equal(questions(), 1);
    assert_int_equal(asked.header.type, IC_TIMESYNC);
    assert_int_equal(asked.header.bytes, 24);
    assert_true(body64(0) == START_UNITS + 30000000);
    assert_true(body64(8) == 30000000 - 7);
    assert_int_equal(asked.body[16], 1);
    answer(&asked);
    wait_ns(IC_TIMESYNC_NS);
    assert_int_equal(questions(), 1);
    assert_true(body64(0) == START_UNITS + 80000000);
    assert_int_equal(asked.body[16], 2);
    wait_ns(IC_TIMESYNC_NS); /* whether it answers or not */
    assert_int_equal(questions(), 1);
    assert_true(body64(0) == START_UNITS + 130000000);
    fake_close(channel); /* the next one has to set its clock */
    fake_open(channel);
    assert_int_equal(questions(), 1);
    answer_versions(1, 1, 4, 0);
    assert_int_equal(questions(), 1);
    assert_int_equal(asked.body[16], 1);
}

static void old_versions_have_the_older_layout(void **state)
{
    (void)state;
    begin(ic_timesync_create(clock_1ghz, START_SECONDS, vm_time, &done), 3, 0);
    assert_int_equal(questions(), 1);
    assert_int_equal(asked.header.bytes, 25);
    assert_true(body64(0) == START_UNITS);
    assert_int_equal(asked.body[24], 1);
}

#define T(test) cmocka_unit_test_setup_teardown(test, create, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rule_39_answers_are_in_band_and_not_completions),
        T(rule_39_counts_of_none_mean_failure),
        T(rule_39_a_request_is_marked_as_one),
        T(versions_are_offered_framework_first),
        T(a_version_that_was_not_offered_is_none),
        T(a_choice_that_is_cut_off_is_none),
        T(a_guest_that_never_answers_is_silent),
        T(a_ring_without_room_is_waited_for),
        T(packets_that_answer_nothing_are_ignored),
        T(closing_and_reset_begin_anew),
        T(an_offer_is_a_pipe_of_messages),
        T(a_heart_beats_every_two_seconds),
        T(contact_is_lost_and_found),
        T(an_echo_is_no_heartbeat),
        T(a_guest_is_asked_to_stop),
        T(what_is_asked_for_is_in_the_flags),
        T(a_refusal_is_told),
        T(no_answer_is_one_after_a_time),
        T(a_question_that_finds_no_room_has_an_outcome_too),
        T(room_that_is_waited_for_brings_one_question),
        T(a_channel_that_closes_does_not_answer),
        T(switching_off_is_no_answer_to_tell),
        T(one_request_at_a_time_and_only_when_ready),
        T(the_time_is_told_at_once_and_then_sampled),
        T(old_versions_have_the_older_layout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
