/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_SCSI_PRIVATE_H
#define HVSIM_VMBUS_SCSI_PRIVATE_H

/**
 * What the parts of the SCSI device share: a command on its way, and how it
 * ends. For vmbus/scsi*.c.
 */

#include "vmbus/scsi.h"

/* Operation codes that scsi.h does not have. */
enum scsi_op {
    SCSI_OP_TEST_UNIT_READY = 0x00,
    SCSI_OP_REQUEST_SENSE = 0x03,
    SCSI_OP_MODE_SENSE_6 = 0x1a,
    SCSI_OP_START_STOP_UNIT = 0x1b,
    SCSI_OP_READ_CAPACITY_10 = 0x25,
    SCSI_OP_READ_10 = 0x28,
    SCSI_OP_WRITE_10 = 0x2a,
    SCSI_OP_SYNCHRONIZE_CACHE_10 = 0x35,
    SCSI_OP_UNMAP = 0x42,
    SCSI_OP_MODE_SENSE_10 = 0x5a,
    SCSI_OP_READ_16 = 0x88,
    SCSI_OP_WRITE_16 = 0x8a,
    SCSI_OP_SYNCHRONIZE_CACHE_16 = 0x91,
    SCSI_OP_SERVICE_ACTION_IN_16 = 0x9e,
};

#define SCSI_SERVICE_ACTION_READ_CAPACITY_16 0x10

/* Sense key, additional sense code and qualifier (SPC-4, "Sense key and
 * additional sense code definitions"), as one number. */
enum scsi_sense {
    SCSI_NO_SENSE = 0x00000,
    SCSI_NOT_READY_STOPPED = 0x20402,
    SCSI_READ_ERROR = 0x31100,
    SCSI_WRITE_FAULT = 0x30300,
    SCSI_LIST_LENGTH_ERROR = 0x51a00,
    SCSI_INVALID_OPCODE = 0x52000,
    SCSI_LBA_OUT_OF_RANGE = 0x52100,
    SCSI_INVALID_FIELD_IN_CDB = 0x52400,
    SCSI_NO_SUCH_LUN = 0x52500,
    SCSI_INVALID_FIELD_IN_LIST = 0x52600,
    SCSI_SAVING_NOT_SUPPORTED = 0x53900,
    SCSI_SPACE_ALLOCATION_FAILED = 0x72707,
    SCSI_DATA_PHASE_ERROR = 0xb4b00,
};

struct scsi_command {
    struct scsi_lun *lun;
    const uint8_t *cdb;
    const struct scsi_data *data;
    struct scsi_result result;
};

/** Ends the command with CHECK CONDITION. */
void scsi_fail(struct scsi_command *command, enum scsi_sense sense);

/** Gives the guest as much of an answer as it allows and has room for. */
void scsi_answer(struct scsi_command *command, const uint8_t *bytes,
                 uint32_t size, uint32_t allocation_length);

/** Stores sense data in the fixed format: SCSI_SENSE_BYTES. */
void scsi_store_sense(uint8_t *to, enum scsi_sense sense);

/* scsi_inquiry.c: what a unit tells of itself. */

void scsi_inquiry(struct scsi_command *command);
void scsi_read_capacity_10(struct scsi_command *command);
void scsi_service_action_in_16(struct scsi_command *command);
void scsi_mode_sense(struct scsi_command *command);

/* scsi_medium.c: what is done to its sectors. */

void scsi_read(struct scsi_command *command);
void scsi_write(struct scsi_command *command);
void scsi_synchronize_cache(struct scsi_command *command);
void scsi_unmap(struct scsi_command *command);

/* Numbers as SCSI has them: the most significant byte first. */

static inline void scsi_put_be16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static inline void scsi_put_be32(uint8_t *to, uint64_t value)
{
    scsi_put_be16(to, (uint32_t)(value >> 16));
    scsi_put_be16(to + 2, (uint32_t)value);
}

static inline void scsi_put_be64(uint8_t *to, uint64_t value)
{
    scsi_put_be32(to, value >> 32);
    scsi_put_be32(to + 4, value);
}

static inline uint32_t scsi_get_be16(const uint8_t *from)
{
    return (uint32_t)from[0] << 8 | from[1];
}

static inline uint32_t scsi_get_be32(const uint8_t *from)
{
    return scsi_get_be16(from) << 16 | scsi_get_be16(from + 2);
}

static inline uint64_t scsi_get_be64(const uint8_t *from)
{
    return (uint64_t)scsi_get_be32(from) << 32 | scsi_get_be32(from + 4);
}

static inline uint32_t scsi_smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

#endif
