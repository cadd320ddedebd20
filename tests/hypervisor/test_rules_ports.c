/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules that implementers get wrong, of messages and events between partitions:
 * the root sends to a child. See workloads/hvtests/rule.def for the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/msr.h"
#include "hypervisor/port.h"
#include "tests/hypervisor/small_host.h"

#define CONNECTION_MESSAGES 0x201u
#define CONNECTION_EVENTS 0x202u
#define CONNECTION_NONE 0x203u
#define SINT 2 /* VMBus's */
#define VECTOR 0xf3u
#define FLAG_COUNT 16

#define MSR_SCONTROL 0x40000080u
#define MSR_SIEFP 0x40000082u
#define MSR_SIMP 0x40000083u
#define MSR_EOM 0x40000084u
#define MSR_SINT (0x40000090u + SINT)
#define MSR_STIMER0_CONFIG 0x400000b0u
#define MSR_STIMER0_COUNT 0x400000b1u
#define SINT_MASKED 0x10000u
#define STIMER_AUTO_ENABLE 8u
#define TIMER_EXPIRED 0x80000010u

#define MESSAGE_PAGE 0x40000u
#define FLAGS_PAGE 0x41000u
#define MESSAGE_TYPE 1
#define MESSAGE_BYTES_MAX 240
#define MESSAGE_BUFFERS 16

/* Status codes, as the specification numbers them. */
#define OK 0x00
#define INVALID_PARAMETER 0x05
#define INVALID_CONNECTION 0x12
#define INSUFFICIENT_BUFFERS 0x13
#define INVALID_SYNIC_STATE 0x18

static struct small_host host;
static struct hv_partition *child;
static struct hv_vp *vp;

static void set_msr(uint32_t index, uint64_t value)
{
    struct hv_context context = host.context;

    context.vp = vp;
    assert_true(msr_write(&context, index, value));
}

static uint16_t call(uint64_t code, const void *input, size_t bytes)
{
    return hypercall_status(
        small_host_call(&host, code, input, bytes, NULL, 0));
}

static void open_connection(uint32_t id, const struct hv_port_info *info)
{
    const struct hv_input_create_port port = {
        .base = {.port_partition = child->id.v,
                 .port_id = id,
                 .connection_partition = host.hv->root->id.v,
                 .info = *info}};
    const struct hv_input_connect_port connection = {
        .base = {.connection_partition = PARTITION_ID_SELF,
                 .connection_id = id,
                 .port_partition = child->id.v,
                 .port_id = id,
                 .type = info->type}};

    assert_int_equal(call(HVCALL_CREATE_PORT, &port, sizeof(port)), OK);
    assert_int_equal(call(HVCALL_CONNECT_PORT, &connection, sizeof(connection)),
                     OK);
}

static int setup(void **state)
{
    static const struct hv_port_info messages = {.type = HV_PORT_MESSAGE,
                                                 .sint = SINT};
    static const struct hv_port_info events = {
        .type = HV_PORT_EVENT, .sint = SINT, .flag_count = FLAG_COUNT};

    (void)state;
    small_host_create(&host);
    child = small_host_child_with_vp(&host);
    vp = child->vps[0];
    vp->lapic.svr = 0x1ff;
    set_msr(MSR_SIMP, MESSAGE_PAGE + 1);
    set_msr(MSR_SIEFP, FLAGS_PAGE + 1);
    set_msr(MSR_SINT, VECTOR);
    set_msr(MSR_SCONTROL, 1);
    open_connection(CONNECTION_MESSAGES, &messages);
    open_connection(CONNECTION_EVENTS, &events);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    small_host_destroy(&host);
    return 0;
}

static uint16_t post(uint32_t connection, uint32_t type, uint32_t bytes)
{
    const struct hv_input_post_message input = {
        .connection_id = connection, .type = type, .payload_bytes = bytes};

    return call(HVCALL_POST_MESSAGE, &input, sizeof(input));
}

static uint16_t signal_flag(uint32_t connection, uint16_t flag)
{
    const struct hv_input_signal_event input = {.connection_id = connection,
                                                .flag = flag};

    return call(HVCALL_SIGNAL_EVENT, &input, sizeof(input));
}

/* Whether the vector is pending; it is not afterwards. */
static bool take_interrupt(void)
{
    uint32_t *word = &vp->lapic.irr[VECTOR / 32];
    bool pending = *word >> (VECTOR % 32) & 1;

    *word &= ~(UINT32_C(1) << (VECTOR % 32));
    return pending;
}

struct slot {
    uint32_t type;
    uint8_t bytes, flags;
};

static struct slot look_at_slot(void)
{
    struct slot slot;

    arena_read(host.hv->arena,
               spa_add(vp->synic.message_page, SINT * SYNIC_MESSAGE_BYTES),
               &slot, sizeof(slot));
    return slot;
}

static void free_slot(void)
{
    const uint32_t type = 0;

    arena_write(host.hv->arena,
                spa_add(vp->synic.message_page, SINT * SYNIC_MESSAGE_BYTES),
                &type, sizeof(type));
}

static void rule_16_a_bad_message_is_a_bad_parameter(void **state)
{
    (void)state;
    assert_int_equal(post(CONNECTION_MESSAGES, 1, MESSAGE_BYTES_MAX + 1),
                     INVALID_PARAMETER);
    assert_int_equal(post(CONNECTION_MESSAGES, 0, 8), INVALID_PARAMETER);
    assert_int_equal(post(CONNECTION_MESSAGES, 0x80000001, 8),
                     INVALID_PARAMETER);
    for (unsigned i = 0; i < 1 + MESSAGE_BUFFERS; i++)
        assert_int_equal(post(CONNECTION_MESSAGES, 1, MESSAGE_BYTES_MAX), OK);
    assert_int_equal(post(CONNECTION_MESSAGES, 1, MESSAGE_BYTES_MAX),
                     INSUFFICIENT_BUFFERS);
}

static void rule_17_who_cannot_hear_is_no_unknown_connection(void **state)
{
    (void)state;
    set_msr(MSR_SINT, SINT_MASKED | VECTOR);
    assert_int_equal(signal_flag(CONNECTION_EVENTS, 0), INVALID_SYNIC_STATE);
    set_msr(MSR_SINT, VECTOR);
    set_msr(MSR_SCONTROL, 0);
    assert_int_equal(signal_flag(CONNECTION_EVENTS, 0), INVALID_SYNIC_STATE);
    set_msr(MSR_SCONTROL, 1);
    set_msr(MSR_SIEFP, 0);
    assert_int_equal(signal_flag(CONNECTION_EVENTS, 0), INVALID_SYNIC_STATE);
    assert_int_equal(signal_flag(CONNECTION_NONE, 0), INVALID_CONNECTION);
    assert_int_equal(signal_flag(UINT32_MAX, 0), INVALID_CONNECTION);
}

static void rule_19_a_busy_slot_queues_in_silence(void **state)
{
    (void)state;
    assert_int_equal(post(CONNECTION_MESSAGES, MESSAGE_TYPE, 3), OK);
    assert_true(take_interrupt());
    assert_int_equal(look_at_slot().flags, 0);

    assert_int_equal(post(CONNECTION_MESSAGES, MESSAGE_TYPE, 4), OK);
    assert_false(take_interrupt());
    assert_int_equal(look_at_slot().bytes, 3);
    assert_int_equal(look_at_slot().flags, 1);

    free_slot();
    set_msr(MSR_EOM, 0);
    assert_true(take_interrupt());
    assert_int_equal(look_at_slot().bytes, 4);
    assert_int_equal(look_at_slot().flags, 0); /* it was the last */
}

static void rule_22_a_flag_interrupts_when_it_rises(void **state)
{
    (void)state;
    assert_int_equal(signal_flag(CONNECTION_EVENTS, 5), OK);
    assert_true(take_interrupt());
    assert_int_equal(signal_flag(CONNECTION_EVENTS, 5), OK);
    assert_false(take_interrupt());
    assert_int_equal(signal_flag(CONNECTION_EVENTS, 6), OK);
    assert_true(take_interrupt());
}

/* Linux's timer 0, where it is not direct, and VMBus send to one SINT: none
 * may be lost, whichever has the slot. */
static void rule_23_timers_and_ports_share_a_slot(void **state)
{
    const uint64_t config = STIMER_AUTO_ENABLE | SINT << 16;

    (void)state;
    host.context.now = cycles(1000000);
    assert_int_equal(post(CONNECTION_MESSAGES, MESSAGE_TYPE, 3), OK);
    set_msr(MSR_STIMER0_CONFIG, config);
    set_msr(MSR_STIMER0_COUNT, 1); /* long past */
    assert_int_equal(post(CONNECTION_MESSAGES, MESSAGE_TYPE, 4), OK);
    take_interrupt();

    unsigned timers = 0, messages = 0;

    for (unsigned i = 0; i < 3; i++) {
        struct slot slot = look_at_slot();

        timers += slot.type == TIMER_EXPIRED;
        messages += slot.type == MESSAGE_TYPE;
        assert_int_equal(slot.flags, i < 2); /* more is pending */
        free_slot();
        set_msr(MSR_EOM, 0);
        assert_int_equal(take_interrupt(), i < 2);
    }
    assert_int_equal(timers, 1);
    assert_int_equal(messages, 2);
    assert_int_equal(look_at_slot().type, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rule_16_a_bad_message_is_a_bad_parameter),
        T(rule_17_who_cannot_hear_is_no_unknown_connection),
        T(rule_19_a_busy_slot_queues_in_silence),
        T(rule_22_a_flag_interrupts_when_it_rises),
        T(rule_23_timers_and_ports_share_a_slot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
