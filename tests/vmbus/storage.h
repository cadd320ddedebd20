/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_VMBUS_STORAGE_H
#define HVSIM_TESTS_VMBUS_STORAGE_H

/**
 * A storage controller with a disk at LUN 0, on a channel without rings
 * (fake_channel.h), and what a guest does with it.
 */

#include "tests/vmbus/fake_channel.h"
#include "vmbus/storvsp.h"
#include "vmbus/storvsp_abi.h"

#define STORAGE_SUB_CHANNELS 3
#define STORAGE_LATENCY 1000u /* ns, and cycles, as a byte takes one */
#define STORAGE_BUFFER (PAGE_BYTES + 512) /* where requests have their data */

/** What there is; made anew for each test. */
extern struct storage {
    struct storvsp *storvsp;
    struct vmbus_channel *channel; /* the first; open */
    struct storvsp_packet reply;   /* the latest that storage_answers() saw */
} storage;

int storage_setup(void **state);
int storage_teardown(void **state);

/** A disk of 4,096 sectors. */
struct disk *storage_make_disk(void);

/** How many answers have come on that channel since the last time. */
unsigned storage_answers(struct vmbus_channel *channel);

/** Asks for an operation and expects its answer at once: its status. */
uint32_t storage_operate(uint32_t operation, uint16_t argument);
/** The whole negotiation, which succeeds. */
void storage_negotiate(uint16_t version);

struct storvsp_packet storage_srb(uint8_t lun, uint8_t direction,
                                  uint32_t bytes, const uint8_t cdb[16]);
/** Sends a request without waiting for its answer. */
void storage_submit(struct vmbus_channel *channel, uint64_t id, uint8_t lun,
                    uint8_t direction, uint32_t bytes, const uint8_t cdb[16]);
/** Time passes. */
void storage_run_for(struct vmbus_channel *channel, uint64_t cycle_count);
/** Executes one request; true if it ended well. */
bool storage_execute(uint8_t lun, uint8_t direction, uint32_t bytes,
                     const uint8_t cdb[16]);

#define CDB(...) ((const uint8_t[16]){__VA_ARGS__})
#define READ_ONE CDB(0x28, [8] = 1)
#define WRITE_ONE CDB(0x2a, [8] = 1)
#define FLUSH CDB(0x35)
#define TEST_UNIT_READY CDB(0)

#endif
