/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_VDEV_UART_H
#define HVSIM_PARTITIONS_VDEV_UART_H

/**
 * A 16550A UART (National Semiconductor PC16550D data sheet): registers,
 * divisor latch, loopback, FIFO control. Transmission takes no simulated time
 * (the transmitter is always empty), and nothing is ever received. It has no
 * interrupt line yet: IER keeps what is written, IIR says that none is
 * pending.
 */

#include "partitions/vdev.h"

#define VDEV_UART_COM1 0x3f8
#define VDEV_UART_PORTS 8

/** Where transmitted bytes go. */
typedef void vdev_uart_sink_fn(void *context, uint8_t byte);

/** NULL if out of memory. `context` is borrowed. */
struct vdev *vdev_uart_create(uint16_t first_port, vdev_uart_sink_fn *sink,
                              void *context);

#endif
