/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/vdev_uart.h"

#include <stdlib.h>

/* Register offsets. */
enum {
    UART_DATA,
    UART_IER,
    UART_IIR_FCR,
    UART_LCR,
    UART_MCR,
    UART_LSR,
    UART_MSR,
    UART_SCRATCH,
};

#define IER_MASK 0x0f
#define IIR_NONE 0x01
#define IIR_FIFOS 0xc0
#define FCR_ENABLE 0x01
#define LCR_DLAB 0x80
#define MCR_MASK 0x1f
#define MCR_LOOP 0x10
#define LSR_DATA_READY 0x01
#define LSR_OVERRUN 0x02
#define LSR_TRANSMITTER_EMPTY 0x60
#define MSR_CONNECTED 0xb0 /* DCD, DSR and CTS: a terminal is there */

#define DIVISOR_9600_BAUD 12

struct uart_registers {
    uint8_t ier, fcr, lcr, mcr, scratch;
    uint16_t divisor;
    uint8_t loop_byte;   /* what loopback has received */
    uint8_t loop_status; /* LSR bits that it set */
};

struct vdev_uart {
    struct vdev vdev;
    vdev_uart_sink_fn *sink;
    void *sink_context;
    struct uart_registers r;
};

static uint8_t uart_modem_status(const struct vdev_uart *uart)
{
    if (!(uart->r.mcr & MCR_LOOP))
        return MSR_CONNECTED;
    /* Loopback: RTS -> CTS, DTR -> DSR, OUT1 -> RI, OUT2 -> DCD. */
    return (uint8_t)((uart->r.mcr & 0x02) << 3 | (uart->r.mcr & 0x01) << 5 |
                     (uart->r.mcr & 0x04) << 4 | (uart->r.mcr & 0x08) << 4);
}

static uint8_t uart_read_data(struct vdev_uart *uart)
{
    if (uart->r.lcr & LCR_DLAB)
        return (uint8_t)uart->r.divisor;
    if (!(uart->r.loop_status & LSR_DATA_READY))
        return 0;
    uart->r.loop_status &= (uint8_t)~LSR_DATA_READY;
    return uart->r.loop_byte;
}

static uint8_t uart_read_line_status(struct vdev_uart *uart)
{
    uint8_t status = uart->r.loop_status | LSR_TRANSMITTER_EMPTY;

    uart->r.loop_status &= (uint8_t)~LSR_OVERRUN;
    return status;
}

static uint8_t uart_read_register(struct vdev_uart *uart, uint16_t offset)
{
    switch (offset) {
    case UART_DATA:
        return uart_read_data(uart);
    case UART_IER:
        return uart->r.lcr & LCR_DLAB ? (uint8_t)(uart->r.divisor >> 8)
                                      : uart->r.ier;
    case UART_IIR_FCR:
        return IIR_NONE | (uart->r.fcr & FCR_ENABLE ? IIR_FIFOS : 0);
    case UART_LCR:
        return uart->r.lcr;
    case UART_MCR:
        return uart->r.mcr;
    case UART_LSR:
        return uart_read_line_status(uart);
    case UART_MSR:
        return uart_modem_status(uart);
    case UART_SCRATCH:
        return uart->r.scratch;
    default:
        return 0xff;
    }
}

static void uart_write_data(struct vdev_uart *uart, uint8_t value)
{
    if (uart->r.lcr & LCR_DLAB) {
        uart->r.divisor = (uint16_t)((uart->r.divisor & 0xff00) | value);
        return;
    }
    if (!(uart->r.mcr & MCR_LOOP)) {
        uart->sink(uart->sink_context, value);
        return;
    }
    if (uart->r.loop_status & LSR_DATA_READY)
        uart->r.loop_status |= LSR_OVERRUN;
    uart->r.loop_status |= LSR_DATA_READY;
    uart->r.loop_byte = value;
}

static void uart_write_register(struct vdev_uart *uart, uint16_t offset,
                                uint8_t value)
{
    switch (offset) {
    case UART_DATA:
        uart_write_data(uart, value);
        break;
    case UART_IER:
        if (uart->r.lcr & LCR_DLAB)
            uart->r.divisor =
                (uint16_t)((uart->r.divisor & 0x00ff) | value << 8);
        else
            uart->r.ier = value & IER_MASK;
        break;
    case UART_IIR_FCR:
        uart->r.fcr = value;
        break;
    case UART_LCR:
        uart->r.lcr = value;
        break;
    case UART_MCR:
        uart->r.mcr = value & MCR_MASK;
        break;
    case UART_SCRATCH:
        uart->r.scratch = value;
        break;
    default: /* LSR and MSR are read only */
        break;
    }
}

/* A wide access reaches the registers one after another, as on an 8-bit bus. */
static uint32_t uart_read(struct vdev *vdev, uint16_t offset, uint32_t bytes)
{
    struct vdev_uart *uart = (struct vdev_uart *)vdev;
    uint32_t value = 0;

    for (uint32_t i = 0; i < bytes; i++)
        value |= (uint32_t)uart_read_register(uart, (uint16_t)(offset + i))
                 << (8 * i);
    return value;
}

static void uart_write(struct vdev *vdev, uint16_t offset, uint32_t bytes,
                       uint32_t value)
{
    struct vdev_uart *uart = (struct vdev_uart *)vdev;

    for (uint32_t i = 0; i < bytes; i++)
        uart_write_register(uart, (uint16_t)(offset + i),
                            (uint8_t)(value >> (8 * i)));
}

static void uart_reset(struct vdev *vdev)
{
    struct vdev_uart *uart = (struct vdev_uart *)vdev;

    uart->r = (struct uart_registers){.divisor = DIVISOR_9600_BAUD};
}

static void uart_free(struct vdev *vdev)
{
    free(vdev);
}

static const struct vdev_ops uart_ops = {
    .name = "16550 UART",
    .read = uart_read,
    .write = uart_write,
    .reset = uart_reset,
    .free = uart_free,
};

struct vdev *vdev_uart_create(uint16_t first_port, vdev_uart_sink_fn *sink,
                              void *context)
{
    struct vdev_uart *uart = calloc(1, sizeof(*uart));

    if (!uart)
        return NULL;
    uart->vdev.ops = &uart_ops;
    uart->vdev.first_port = first_port;
    uart->vdev.port_count = VDEV_UART_PORTS;
    uart->sink = sink;
    uart->sink_context = context;
    uart_reset(&uart->vdev);
    return &uart->vdev;
}
