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
#define IER_RECEIVED 0x01
#define IER_TRANSMITTER 0x02
#define IER_LINE_STATUS 0x04
#define IER_MODEM_STATUS 0x08
#define IIR_NONE 0x01
#define IIR_MODEM_STATUS 0x00
#define IIR_TRANSMITTER 0x02
#define IIR_RECEIVED 0x04
#define IIR_LINE_STATUS 0x06
#define IIR_TIMEOUT 0x0c
#define IIR_FIFOS 0xc0
#define FCR_ENABLE 0x01
#define FCR_CLEAR_RECEIVER 0x02
#define FCR_TRIGGER_SHIFT 6
#define LCR_DLAB 0x80
#define MCR_MASK 0x1f
#define MCR_RTS 0x02
#define MCR_OUT2 0x08 /* on a PC: lets the interrupt through */
#define MCR_LOOP 0x10
#define LSR_DATA_READY 0x01
#define LSR_OVERRUN 0x02
#define LSR_TRANSMITTER_EMPTY 0x60
#define MSR_CONNECTED 0xb0 /* DCD, DSR and CTS: a terminal is there */
#define MSR_RI 0x40

#define DIVISOR_9600_BAUD 12
#define FIFO_BYTES 16

struct uart_registers {
    uint8_t ier, fcr, lcr, mcr, scratch;
    uint16_t divisor;
    uint8_t line_errors;        /* LSR bits that reading it clears */
    uint8_t modem_delta;        /* MSR bits 3:0 */
    bool transmitter_interrupt; /* THRE, not yet read from IIR */
    uint8_t fifo[FIFO_BYTES];   /* received; without FIFOs the first counts */
    uint8_t fifo_count;
};

struct vdev_uart {
    struct vdev vdev;
    vdev_uart_sink_fn *sink;
    void *sink_context;
    struct uart_registers r;
};

static unsigned uart_capacity(const struct vdev_uart *uart)
{
    return uart->r.fcr & FCR_ENABLE ? FIFO_BYTES : 1;
}

static unsigned uart_trigger(const struct vdev_uart *uart)
{
    static const uint8_t levels[] = {1, 4, 8, 14};

    return uart->r.fcr & FCR_ENABLE ? levels[uart->r.fcr >> FCR_TRIGGER_SHIFT]
                                    : 1;
}

/* The interrupt of the highest priority, as IIR names it. */
static uint8_t uart_pending(const struct vdev_uart *uart)
{
    const struct uart_registers *r = &uart->r;

    if ((r->ier & IER_LINE_STATUS) && r->line_errors)
        return IIR_LINE_STATUS;
    if ((r->ier & IER_RECEIVED) && r->fifo_count > 0)
        return r->fifo_count >= uart_trigger(uart) ? IIR_RECEIVED : IIR_TIMEOUT;
    if ((r->ier & IER_TRANSMITTER) && r->transmitter_interrupt)
        return IIR_TRANSMITTER;
    if ((r->ier & IER_MODEM_STATUS) && r->modem_delta)
        return IIR_MODEM_STATUS;
    return IIR_NONE;
}

/* In loopback the modem outputs are inactive at the pins, and OUT2 with them.
 */
static void uart_update_irq(struct vdev_uart *uart)
{
    bool connected = (uart->r.mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;

    vdev_set_irq(&uart->vdev, connected && uart_pending(uart) != IIR_NONE);
}

static uint8_t uart_modem_lines(const struct vdev_uart *uart)
{
    if (!(uart->r.mcr & MCR_LOOP))
        return MSR_CONNECTED;
    /* Loopback: RTS -> CTS, DTR -> DSR, OUT1 -> RI, OUT2 -> DCD. */
    return (uint8_t)((uart->r.mcr & 0x02) << 3 | (uart->r.mcr & 0x01) << 5 |
                     (uart->r.mcr & 0x04) << 4 | (uart->r.mcr & 0x08) << 4);
}

static void uart_write_mcr(struct vdev_uart *uart, uint8_t value)
{
    uint8_t before = uart_modem_lines(uart);

    uart->r.mcr = value & MCR_MASK;

    uint8_t changed = before ^ uart_modem_lines(uart);

    /* RI counts only when it ends. */
    if ((changed & MSR_RI) && !(before & MSR_RI))
        changed &= (uint8_t)~MSR_RI;
    uart->r.modem_delta |= changed >> 4;
}

static uint8_t uart_read_modem_status(struct vdev_uart *uart)
{
    uint8_t status = uart_modem_lines(uart) | uart->r.modem_delta;

    uart->r.modem_delta = 0;
    return status;
}

/* Without FIFOs the new byte takes the place of the one not read. With them
 * it is the new one that is lost. */
static void uart_put_received(struct vdev_uart *uart, uint8_t byte)
{
    struct uart_registers *r = &uart->r;

    if (r->fifo_count < uart_capacity(uart)) {
        r->fifo[r->fifo_count++] = byte;
        return;
    }
    r->line_errors |= LSR_OVERRUN;
    if (!(r->fcr & FCR_ENABLE))
        r->fifo[0] = byte;
}

static uint8_t uart_read_data(struct vdev_uart *uart)
{
    struct uart_registers *r = &uart->r;

    if (r->lcr & LCR_DLAB)
        return (uint8_t)r->divisor;
    if (r->fifo_count == 0)
        return 0;

    uint8_t byte = r->fifo[0];

    r->fifo_count--;
    for (unsigned i = 0; i < r->fifo_count; i++)
        r->fifo[i] = r->fifo[i + 1];
    return byte;
}

static uint8_t uart_read_line_status(struct vdev_uart *uart)
{
    uint8_t status = LSR_TRANSMITTER_EMPTY | uart->r.line_errors |
                     (uart->r.fifo_count > 0 ? LSR_DATA_READY : 0);

    uart->r.line_errors = 0;
    return status;
}

/* Reading it ends the transmitter's interrupt, if that is what it tells. */
static uint8_t uart_read_iir(struct vdev_uart *uart)
{
    uint8_t pending = uart_pending(uart);

    if (pending == IIR_TRANSMITTER)
        uart->r.transmitter_interrupt = false;
    return pending | (uart->r.fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static uint8_t uart_read_register(struct vdev_uart *uart, uint32_t offset)
{
    switch (offset) {
    case UART_DATA:
        return uart_read_data(uart);
    case UART_IER:
        return uart->r.lcr & LCR_DLAB ? (uint8_t)(uart->r.divisor >> 8)
                                      : uart->r.ier;
    case UART_IIR_FCR:
        return uart_read_iir(uart);
    case UART_LCR:
        return uart->r.lcr;
    case UART_MCR:
        return uart->r.mcr;
    case UART_LSR:
        return uart_read_line_status(uart);
    case UART_MSR:
        return uart_read_modem_status(uart);
    default:
        return uart->r.scratch;
    }
}

static void uart_write_data(struct vdev_uart *uart, uint8_t value)
{
    if (uart->r.lcr & LCR_DLAB) {
        uart->r.divisor = (uint16_t)((uart->r.divisor & 0xff00) | value);
        return;
    }
    if (uart->r.mcr & MCR_LOOP)
        uart_put_received(uart, value);
    else
        uart->sink(uart->sink_context, value);
    /* The byte is gone at once: the transmitter is empty again. */
    uart->r.transmitter_interrupt = true;
}

static void uart_write_ier(struct vdev_uart *uart, uint8_t value)
{
    if (uart->r.lcr & LCR_DLAB) {
        uart->r.divisor = (uint16_t)((uart->r.divisor & 0x00ff) | value << 8);
        return;
    }
    /* Enabled while the transmitter is empty: it says so at once. */
    if (value & ~uart->r.ier & IER_TRANSMITTER)
        uart->r.transmitter_interrupt = true;
    uart->r.ier = value & IER_MASK;
}

/* A change of the enable bit empties the FIFOs, and so does asking for it. */
static void uart_write_fcr(struct vdev_uart *uart, uint8_t value)
{
    if (((value ^ uart->r.fcr) & FCR_ENABLE) || (value & FCR_CLEAR_RECEIVER))
        uart->r.fifo_count = 0;
    uart->r.fcr = value & FCR_ENABLE ? value : 0;
}

static void uart_write_register(struct vdev_uart *uart, uint32_t offset,
                                uint8_t value)
{
    switch (offset) {
    case UART_DATA:
        uart_write_data(uart, value);
        break;
    case UART_IER:
        uart_write_ier(uart, value);
        break;
    case UART_IIR_FCR:
        uart_write_fcr(uart, value);
        break;
    case UART_LCR:
        uart->r.lcr = value;
        break;
    case UART_MCR:
        uart_write_mcr(uart, value);
        break;
    case UART_SCRATCH:
        uart->r.scratch = value;
        break;
    default: /* LSR and MSR are read only */
        break;
    }
}

static uint32_t uart_read(struct vdev *vdev, uint64_t now_ns, uint32_t offset,
                          uint32_t bytes)
{
    struct vdev_uart *uart = (struct vdev_uart *)vdev;
    uint32_t value = uart_read_register(uart, offset);

    (void)now_ns;
    (void)bytes;
    uart_update_irq(uart);
    return value;
}

static void uart_write(struct vdev *vdev, uint64_t now_ns, uint32_t offset,
                       uint32_t bytes, uint32_t value)
{
    struct vdev_uart *uart = (struct vdev_uart *)vdev;

    (void)now_ns;
    (void)bytes;
    uart_write_register(uart, offset, (uint8_t)value);
    uart_update_irq(uart);
}

static void uart_reset(struct vdev *vdev)
{
    struct vdev_uart *uart = (struct vdev_uart *)vdev;

    uart->r = (struct uart_registers){.divisor = DIVISOR_9600_BAUD};
    uart->vdev.irq_level = false;
}

unsigned vdev_uart_room(const struct vdev *vdev)
{
    const struct vdev_uart *uart = (const struct vdev_uart *)vdev;

    if ((uart->r.mcr & (MCR_RTS | MCR_LOOP)) != MCR_RTS)
        return 0;
    return uart_capacity(uart) - uart->r.fifo_count;
}

void vdev_uart_receive(struct vdev *vdev, uint8_t byte)
{
    struct vdev_uart *uart = (struct vdev_uart *)vdev;

    if (uart->r.mcr & MCR_LOOP)
        return;
    uart_put_received(uart, byte);
    uart_update_irq(uart);
}

static void uart_free(struct vdev *vdev)
{
    free(vdev);
}

static const struct vdev_ops uart_ops = {
    .name = "16550 UART",
    .width = 1, /* wider accesses reach one register after another */
    .read = uart_read,
    .write = uart_write,
    .reset = uart_reset,
    .free = uart_free,
};

struct vdev *vdev_uart_create(uint16_t first_port, unsigned gsi,
                              vdev_uart_sink_fn *sink, void *context)
{
    struct vdev_uart *uart = calloc(1, sizeof(*uart));

    if (!uart)
        return NULL;
    uart->vdev.ops = &uart_ops;
    uart->vdev.ranges[0] =
        (struct vdev_range){VDEV_PORTS, first_port, VDEV_UART_PORTS};
    uart->vdev.range_count = 1;
    uart->vdev.gsi = gsi;
    uart->vdev.deadline_ns = VDEV_NEVER;
    uart->sink = sink;
    uart->sink_context = context;
    uart_reset(&uart->vdev);
    return &uart->vdev;
}
