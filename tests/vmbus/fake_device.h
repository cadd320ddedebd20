/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_VMBUS_FAKE_DEVICE_H
#define HVSIM_TESTS_VMBUS_FAKE_DEVICE_H

/**
 * A device that notes what it is told, and completes what wants a completion
 * with what it was sent.
 */

#include "vmbus/channel.h"

#define FAKE_DEVICE_BYTES 8192

struct fake_device {
    unsigned opened, closed, packets, rooms, expired, reset, freed;
    struct vmbus_channel *channel; /* that it was called for last */

    bool refuse; /* the next packet breaks the protocol */
    bool stuck;  /* a completion was refused, and is tried in room() */

    enum vmbus_packet_type type; /* of the last packet */
    uint64_t transaction_id;
    bool completion_wanted;
    uint32_t bytes;
    uint8_t payload[FAKE_DEVICE_BYTES];
    uint64_t range_bytes;        /* 0: it had none */
    uint8_t first[16], last[16]; /* of its ranges */
};

extern const struct vmbus_device_ops fake_device_ops;

#endif
