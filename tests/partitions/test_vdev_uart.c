/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "partitions/vdev_uart.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCRATCH };

struct line {
    char text[64];
};

static void sink(void *context, uint8_t byte)
{
    struct line *line = context;
    size_t used = strlen(line->text);

    assert_true(used + 1 < sizeof(line->text));
    line->text[used] = (char)byte;
}

static uint32_t get(struct vdev *uart, uint16_t offset)
{
    return uart->ops->read(uart, 0, offset, 1);
}

static void put(struct vdev *uart, uint16_t offset, uint8_t value)
{
    uart->ops->write(uart, 0, offset, 1, value);
}

static void sent_bytes_come_out_in_order(void **state)
{
    struct line line = {0};
    struct vdev *uart = vdev_uart_create(VDEV_UART_COM1, 4, sink, &line);

    (void)state;
    for (const char *c = "hello"; *c; c++) {
        assert_int_equal(get(uart, LSR) & 0x20, 0x20);
        put(uart, DATA, (uint8_t)*c);
    }
    assert_string_equal(line.text, "hello");
    uart->ops->free(uart);
}

static void the_divisor_latch_hides_data_and_interrupt_enable(void **state)
{
    struct line line = {0};
    struct vdev *uart = vdev_uart_create(VDEV_UART_COM1, 4, sink, &line);

    (void)state;
    put(uart, IER, 0xff);
    put(uart, LCR, 0x83);
    put(uart, DATA, 0x34);
    put(uart, IER, 0x12);
    assert_int_equal(get(uart, DATA), 0x34);
    assert_int_equal(get(uart, IER), 0x12);
    put(uart, LCR, 0x03);
    assert_int_equal(get(uart, IER), 0x0f); /* only four bits exist */
    assert_string_equal(line.text, "");
    uart->ops->free(uart);
}

static void fifos_show_when_they_are_enabled(void **state)
{
    struct line line = {0};
    struct vdev *uart = vdev_uart_create(VDEV_UART_COM1, 4, sink, &line);

    (void)state;
    assert_int_equal(get(uart, IIR), 0x01);
    put(uart, IIR, 0x01);
    assert_int_equal(get(uart, IIR), 0xc1);
    uart->ops->free(uart);
}

static void loopback_returns_bytes_and_modem_lines(void **state)
{
    struct line line = {0};
    struct vdev *uart = vdev_uart_create(VDEV_UART_COM1, 4, sink, &line);

    (void)state;
    put(uart, MCR, 0x10 | 0x0a); /* as drivers probe: RTS and OUT2 */
    assert_int_equal(get(uart, MSR) & 0xf0, 0x90);
    put(uart, DATA, 'a');
    assert_int_equal(get(uart, LSR) & 1, 1);
    put(uart, DATA, 'b'); /* the first one has not been read: overrun */
    assert_int_equal(get(uart, LSR) & 3, 3);
    assert_int_equal(get(uart, LSR) & 3, 1); /* reading LSR clears it */
    assert_int_equal(get(uart, DATA), 'b');
    assert_int_equal(get(uart, LSR) & 1, 0);
    assert_string_equal(line.text, "");
    uart->ops->free(uart);
}

static void the_scratch_register_keeps_and_status_registers_ignore(void **state)
{
    struct line line = {0};
    struct vdev *uart = vdev_uart_create(VDEV_UART_COM1, 4, sink, &line);

    (void)state;
    put(uart, SCRATCH, 0xa5);
    put(uart, LSR, 0xff);
    put(uart, MSR, 0xff);
    assert_int_equal(get(uart, SCRATCH), 0xa5);
    assert_int_equal(get(uart, LSR), 0x60);
    assert_int_equal(get(uart, MSR), 0xb0);
    uart->ops->free(uart);
}

/* The line's level, and how often it rose. */
struct wire {
    bool level;
    unsigned rises;
};

static void on_wire(void *context, unsigned gsi, bool level)
{
    struct wire *wire = context;

    assert_int_equal(gsi, 4);
    wire->level = level;
    wire->rises += level;
}

struct bench {
    struct line line;
    struct wire wire;
    struct vdev_irq_sink irqs;
    struct vdev *uart;
};

static int connect(void **state)
{
    static struct bench bench;

    bench = (struct bench){.irqs = {&bench.wire, on_wire}};
    bench.uart = vdev_uart_create(VDEV_UART_COM1, 4, sink, &bench.line);
    bench.uart->irq_sink = &bench.irqs;
    put(bench.uart, MCR, 0x08); /* OUT2 */
    *state = &bench;
    return 0;
}

static int disconnect(void **state)
{
    struct bench *bench = *state;

    bench->uart->ops->free(bench->uart);
    return 0;
}

static void enabling_the_transmitter_interrupt_raises_it_at_once(void **state)
{
    struct bench *bench = *state;

    put(bench->uart, IER, 0x02);
    assert_true(bench->wire.level);
    assert_int_equal(get(bench->uart, IIR), 0x02);
    /* Reading says it, and ends it; the next byte that is gone begins it. */
    assert_false(bench->wire.level);
    assert_int_equal(get(bench->uart, IIR), 0x01);
    put(bench->uart, DATA, 'x');
    assert_true(bench->wire.level);
    assert_int_equal(bench->wire.rises, 2);
    put(bench->uart, IER, 0x00);
    assert_false(bench->wire.level);
}

static void no_interrupt_leaves_a_uart_without_out2_or_in_loopback(void **state)
{
    struct bench *bench = *state;

    put(bench->uart, MCR, 0x00);
    put(bench->uart, IER, 0x02);
    assert_false(bench->wire.level);
    put(bench->uart, MCR, 0x18);
    assert_false(bench->wire.level);
    put(bench->uart, MCR, 0x08);
    assert_true(bench->wire.level);
}

static void received_bytes_interrupt_until_they_are_read(void **state)
{
    struct bench *bench = *state;

    put(bench->uart, IER, 0x01);
    put(bench->uart, IIR, 0x41); /* FIFOs, from four bytes on */
    for (const char *c = "abc"; *c; c++)
        vdev_uart_receive(bench->uart, (uint8_t)*c);
    assert_true(bench->wire.level);
    assert_int_equal(get(bench->uart, IIR), 0xcc); /* timed out */
    vdev_uart_receive(bench->uart, 'd');
    assert_int_equal(get(bench->uart, IIR), 0xc4);
    for (const char *c = "abcd"; *c; c++) {
        assert_int_equal(get(bench->uart, LSR), 0x61);
        assert_int_equal(get(bench->uart, DATA), *c);
    }
    assert_false(bench->wire.level);
    assert_int_equal(get(bench->uart, LSR), 0x60);
    assert_int_equal(get(bench->uart, DATA), 0);
}

static void a_full_fifo_loses_the_new_byte_and_says_so(void **state)
{
    struct bench *bench = *state;

    put(bench->uart, IIR, 0x01);
    put(bench->uart, IER, 0x05);
    put(bench->uart, MCR, 0x02); /* RTS */
    assert_int_equal(vdev_uart_room(bench->uart), 16);
    for (unsigned i = 0; i < 17; i++)
        vdev_uart_receive(bench->uart, (uint8_t)('A' + i));
    assert_int_equal(vdev_uart_room(bench->uart), 0);
    assert_int_equal(get(bench->uart, IIR), 0xc6); /* before all else */
    assert_int_equal(get(bench->uart, LSR), 0x63);
    assert_int_equal(get(bench->uart, IIR), 0xc4);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(get(bench->uart, DATA), 'A' + i);
    assert_int_equal(get(bench->uart, LSR), 0x60);
}

static void without_fifos_the_new_byte_takes_the_old_ones_place(void **state)
{
    struct bench *bench = *state;

    put(bench->uart, MCR, 0x02); /* RTS */
    assert_int_equal(vdev_uart_room(bench->uart), 1);
    vdev_uart_receive(bench->uart, 'a');
    vdev_uart_receive(bench->uart, 'b');
    assert_int_equal(get(bench->uart, LSR), 0x63);
    assert_int_equal(get(bench->uart, DATA), 'b');
}

static void there_is_room_only_for_a_guest_that_requests_to_send(void **state)
{
    struct bench *bench = *state;

    put(bench->uart, IIR, 0x01);
    put(bench->uart, MCR, 0x0d); /* all but RTS */
    assert_int_equal(vdev_uart_room(bench->uart), 0);
    put(bench->uart, MCR, 0x12); /* RTS, in loopback */
    assert_int_equal(vdev_uart_room(bench->uart), 0);
    put(bench->uart, MCR, 0x02);
    assert_int_equal(vdev_uart_room(bench->uart), 16);
}

static void a_modem_line_that_changes_interrupts_once(void **state)
{
    struct bench *bench = *state;

    put(bench->uart, IER, 0x08);
    put(bench->uart, MCR, 0x18); /* loopback takes CTS, DSR away */
    put(bench->uart, MCR, 0x08); /* and leaves it */
    assert_true(bench->wire.level);
    assert_int_equal(get(bench->uart, IIR), 0x00);
    assert_int_equal(get(bench->uart, MSR), 0xb3);
    assert_false(bench->wire.level);
    assert_int_equal(get(bench->uart, MSR), 0xb0);
}

static void reset_forgets_everything(void **state)
{
    struct bench *bench = *state;

    put(bench->uart, IER, 0x03);
    vdev_uart_receive(bench->uart, 'z');
    bench->uart->ops->reset(bench->uart);
    assert_int_equal(get(bench->uart, IER), 0);
    assert_int_equal(get(bench->uart, LSR), 0x60);
    assert_int_equal(get(bench->uart, MCR), 0);
    assert_false(bench->uart->irq_level);
}

#define BENCH(test) cmocka_unit_test_setup_teardown(test, connect, disconnect)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sent_bytes_come_out_in_order),
        cmocka_unit_test(the_divisor_latch_hides_data_and_interrupt_enable),
        cmocka_unit_test(fifos_show_when_they_are_enabled),
        cmocka_unit_test(loopback_returns_bytes_and_modem_lines),
        cmocka_unit_test(
            the_scratch_register_keeps_and_status_registers_ignore),
        BENCH(enabling_the_transmitter_interrupt_raises_it_at_once),
        BENCH(no_interrupt_leaves_a_uart_without_out2_or_in_loopback),
        BENCH(received_bytes_interrupt_until_they_are_read),
        BENCH(a_full_fifo_loses_the_new_byte_and_says_so),
        BENCH(without_fifos_the_new_byte_takes_the_old_ones_place),
        BENCH(there_is_room_only_for_a_guest_that_requests_to_send),
        BENCH(a_modem_line_that_changes_interrupts_once),
        BENCH(reset_forgets_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
