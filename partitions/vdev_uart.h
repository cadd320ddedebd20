/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_VDEV_UART_H
#define HVSIM_PARTITIONS_VDEV_UART_H

/**
 * A 16550A UART (National Semiconductor PC16550D data sheet): registers,
 * divisor latch, loopback, receive FIFO, interrupts. Bytes take no simulated
 * time: the transmitter is always empty, and what is received is there at
 * once. So there are no character time-outs; whatever is in the FIFO and below
 * its trigger level counts as timed out.
 */

#include "partitions/vdev.h"

#define VDEV_UART_COM1 0x3f8
#define VDEV_UART_PORTS 8

/** Where transmitted bytes go. */
typedef void vdev_uart_sink_fn(void *context, uint8_t byte);

/** NULL if out of memory. `context` is borrowed. */
struct vdev *vdev_uart_create(uint16_t first_port, unsigned gsi,
                              vdev_uart_sink_fn *sink, void *context);

/** How many bytes the UART can receive now without an overrun: 1, or up to 16
 *  with the FIFOs enabled; none in loopback, nor while its guest does not
 *  request any to be sent (RTS), which a terminal with hardware flow control
 *  keeps to. */
unsigned vdev_uart_room(const struct vdev *vdev);

/** A byte arrives from the line. Lost in loopback; an overrun if there is no
 *  room. */
void vdev_uart_receive(struct vdev *vdev, uint8_t byte);

#endif
