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
    return uart->ops->read(uart, offset, 1);
}

static void put(struct vdev *uart, uint16_t offset, uint8_t value)
{
    uart->ops->write(uart, offset, 1, value);
}

static void sent_bytes_come_out_in_order(void **state)
{
    struct line line = {0};
    struct vdev *uart = vdev_uart_create(VDEV_UART_COM1, sink, &line);

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
    struct vdev *uart = vdev_uart_create(VDEV_UART_COM1, sink, &line);

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
    struct vdev *uart = vdev_uart_create(VDEV_UART_COM1, sink, &line);

    (void)state;
    assert_int_equal(get(uart, IIR), 0x01);
    put(uart, IIR, 0x01);
    assert_int_equal(get(uart, IIR), 0xc1);
    uart->ops->free(uart);
}

static void loopback_returns_bytes_and_modem_lines(void **state)
{
    struct line line = {0};
    struct vdev *uart = vdev_uart_create(VDEV_UART_COM1, sink, &line);

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
    struct vdev *uart = vdev_uart_create(VDEV_UART_COM1, sink, &line);

    (void)state;
    put(uart, SCRATCH, 0xa5);
    put(uart, LSR, 0xff);
    put(uart, MSR, 0xff);
    assert_int_equal(get(uart, SCRATCH), 0xa5);
    assert_int_equal(get(uart, LSR), 0x60);
    assert_int_equal(get(uart, MSR), 0xb0);
    uart->ops->free(uart);
}

static void a_wide_access_reaches_the_registers_in_order(void **state)
{
    struct line line = {0};
    struct vdev *uart = vdev_uart_create(VDEV_UART_COM1, sink, &line);

    (void)state;
    uart->ops->write(uart, LCR, 2, 0x0503); /* LCR, then MCR */
    assert_int_equal(get(uart, LCR), 0x03);
    assert_int_equal(get(uart, MCR), 0x05);
    assert_int_equal(uart->ops->read(uart, LCR, 4), 0xb0600503);
    /* Behind the last register there is nothing. */
    assert_int_equal(uart->ops->read(uart, SCRATCH, 4), 0xffffff00);
    uart->ops->free(uart);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sent_bytes_come_out_in_order),
        cmocka_unit_test(the_divisor_latch_hides_data_and_interrupt_enable),
        cmocka_unit_test(fifos_show_when_they_are_enabled),
        cmocka_unit_test(loopback_returns_bytes_and_modem_lines),
        cmocka_unit_test(
            the_scratch_register_keeps_and_status_registers_ignore),
        cmocka_unit_test(a_wide_access_reaches_the_registers_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
