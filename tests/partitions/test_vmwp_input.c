/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What is typed, on its way to the UART. A cycle is a nanosecond here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/partitions/vmwp_host.h"

#define COM1 0x3f8u
#define FCR 0x3fau
#define MCR 0x3fcu
#define SCRATCH 0x3ffu
#define MCR_RTS 0x02u
#define FCR_ENABLE 0x01u

#define BYTE_NS UINT64_C(86805) /* at 115200 bits a second */
#define WAKE_NS UINT64_C(10000)

static struct vmwp_host host;

static void write_port(uint16_t port, uint8_t value)
{
    vmwp_host_io(&host, port, 1, false)->rax = value;
}

static void type(const char *text)
{
    assert_true(
        vmwp_type(host.vmwp, (const uint8_t *)text, strlen(text), cycles(0)));
}

/* The event number `index` of its kind; NULL if there are not so many. */
static const struct trace_record *event(enum trace_kind kind, size_t index)
{
    const struct results *results = &host.root.script.results;

    for (size_t i = 0; i < results->event_count; i++) {
        if (results->events[i].kind == kind && index-- == 0)
            return &results->events[i];
    }
    return NULL;
}

static size_t count(enum trace_kind kind)
{
    size_t found = 0;

    while (event(kind, found))
        found++;
    return found;
}

static void bytes_come_in_order_as_fast_as_the_line(void **state)
{
    (void)state;
    type("in ");
    type("order");
    write_port(FCR, FCR_ENABLE);
    write_port(MCR, MCR_RTS);
    vmwp_host_run(&host);
    assert_int_equal(count(TRACE_TYPED), 8);
    for (size_t i = 0; i < 8; i++) {
        const struct trace_record *typed = event(TRACE_TYPED, i);

        assert_int_equal(typed->detail, "in order"[i]);
        assert_int_equal(typed->partition, host.partition.v);

        uint64_t since = cycles_sub(typed->time, event(TRACE_TYPED, 0)->time).v;

        /* The worker is woken for each, which takes more or less long. */
        assert_in_range(since + WAKE_NS, i * BYTE_NS,
                        i * BYTE_NS + 2 * WAKE_NS);
    }
    assert_int_equal(vmwp_untyped(host.vmwp), 0);
}

static void the_line_waits_for_room(void **state)
{
    (void)state;
    vmwp_set_baud(host.vmwp, 4000000);
    type("a FIFO has sixteen bytes");
    write_port(FCR, FCR_ENABLE);
    write_port(MCR, MCR_RTS);
    vmwp_host_run(&host);
    assert_int_equal(count(TRACE_TYPED), 16);
    assert_int_equal(vmwp_untyped(host.vmwp), 8);
}

static void a_read_makes_room(void **state)
{
    (void)state;
    vmwp_set_baud(host.vmwp, 1000000000);
    type("abc");
    write_port(MCR, MCR_RTS);
    vmwp_host_io(&host, SCRATCH, 1, true); /* meanwhile the first comes */
    vmwp_host_io(&host, COM1, 1, true);
    vmwp_host_run(&host);
    assert_int_equal(host.state.gpr[X86_RAX], 'a');
    assert_int_equal(count(TRACE_TYPED), 2);
    assert_int_equal(vmwp_untyped(host.vmwp), 1);
}

static void nothing_comes_that_was_not_requested(void **state)
{
    (void)state;
    type("x");
    write_port(FCR, FCR_ENABLE);
    write_port(MCR, (uint8_t)~MCR_RTS);
    vmwp_host_run(&host);
    assert_int_equal(count(TRACE_TYPED), 0);
    assert_int_equal(vmwp_untyped(host.vmwp), 1);
}

static size_t root_work_when_typed(const char *text)
{
    size_t pieces;

    vmwp_host_create(&host);
    type(text);
    write_port(FCR, FCR_ENABLE);
    write_port(MCR, MCR_RTS);
    vmwp_host_run(&host);
    pieces = count(TRACE_ROOT_WORK);
    vmwp_host_destroy(&host);
    return pieces;
}

static void each_byte_is_work_of_the_root(void **state)
{
    (void)state;
    vmwp_host_destroy(&host);
    assert_int_equal(root_work_when_typed("nine more"),
                     root_work_when_typed("") + 9);
    vmwp_host_create(&host);
}

/* As what is still in a terminal that keeps to flow control. */
static void what_is_typed_outlives_a_reset(void **state)
{
    (void)state;
    type("still");
    vmwp_reset(host.vmwp, 1);
    assert_int_equal(vmwp_untyped(host.vmwp), 5);
    host.message_count = 0;
    vmwp_host_run(&host);
    assert_int_equal(vmwp_untyped(host.vmwp), 5);
}

/* However it is handed over. */
static void any_amount_waits(void **state)
{
    size_t bytes = 0;

    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        type("some more of it");
        bytes += strlen("some more of it");
    }
    assert_int_equal(vmwp_untyped(host.vmwp), bytes);
    vmwp_set_baud(host.vmwp, 1000000000);
    write_port(FCR, FCR_ENABLE);
    write_port(MCR, MCR_RTS);
    vmwp_host_run(&host);
    assert_int_equal(vmwp_untyped(host.vmwp), bytes - 16);
    type("!");
    assert_int_equal(vmwp_untyped(host.vmwp), bytes - 15);
}

#define INPUT_TEST(test) VMWP_HOST_TEST(test, &host)

int main(void)
{
    const struct CMUnitTest tests[] = {
        INPUT_TEST(bytes_come_in_order_as_fast_as_the_line),
        INPUT_TEST(the_line_waits_for_room),
        INPUT_TEST(a_read_makes_room),
        INPUT_TEST(nothing_comes_that_was_not_requested),
        INPUT_TEST(each_byte_is_work_of_the_root),
        INPUT_TEST(what_is_typed_outlives_a_reset),
        INPUT_TEST(any_amount_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
