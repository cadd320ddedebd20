/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmbus/scsi.h"

#include <string.h>

#include "vmbus/scsi_private.h"

void scsi_store_sense(uint8_t *to, enum scsi_sense sense)
{
    memset(to, 0, SCSI_SENSE_BYTES);
    to[0] = 0x70; /* current error, fixed format */
    to[2] = (uint8_t)(sense >> 16);
    to[7] = SCSI_SENSE_BYTES - 8;
    to[12] = (uint8_t)(sense >> 8);
    to[13] = (uint8_t)sense;
}

void scsi_fail(struct scsi_command *command, enum scsi_sense sense)
{
    command->result.status = SCSI_CHECK_CONDITION;
    command->result.bytes = 0;
    scsi_store_sense(command->result.sense, sense);
}

void scsi_answer(struct scsi_command *command, const uint8_t *bytes,
                 uint32_t size, uint32_t allocation_length)
{
    const struct scsi_data *data = command->data;
    uint32_t n =
        scsi_smaller(scsi_smaller(size, allocation_length), data->bytes);

    if (n && !data->write(data->context, 0, bytes, n)) {
        scsi_fail(command, SCSI_DATA_PHASE_ERROR);
        return;
    }
    command->result.bytes = n;
}

/* The unit's state */

static void test_unit_ready(struct scsi_command *command)
{
    (void)command; /* whether the unit is stopped has been looked at */
}

static void request_sense(struct scsi_command *command)
{
    uint8_t sense[SCSI_SENSE_BYTES];

    if (command->cdb[1] & 1) { /* in the descriptor format */
        scsi_fail(command, SCSI_INVALID_FIELD_IN_CDB);
        return;
    }
    scsi_store_sense(sense, command->lun->stopped ? SCSI_NOT_READY_STOPPED
                                                  : SCSI_NO_SENSE);
    scsi_answer(command, sense, sizeof(sense), command->cdb[4]);
}

#define LOAD_OR_EJECT 0x02
#define POWER_CONDITION 0xf0

static void start_stop_unit(struct scsi_command *command)
{
    uint8_t how = command->cdb[4];

    if (how & (LOAD_OR_EJECT | POWER_CONDITION)) {
        scsi_fail(command, SCSI_INVALID_FIELD_IN_CDB);
        return;
    }
    command->lun->stopped = !(how & 1);
}

static const struct {
    void (*execute)(struct scsi_command *command);
    enum scsi_work work;
    bool needs_unit; /* which must not be stopped */
} commands[256] = {
    [SCSI_OP_TEST_UNIT_READY] = {test_unit_ready, SCSI_NO_MEDIUM, true},
    [SCSI_OP_REQUEST_SENSE] = {request_sense, SCSI_NO_MEDIUM, false},
    [SCSI_OP_INQUIRY] = {scsi_inquiry, SCSI_NO_MEDIUM, false},
    [SCSI_OP_MODE_SENSE_6] = {scsi_mode_sense, SCSI_NO_MEDIUM, false},
    [SCSI_OP_START_STOP_UNIT] = {start_stop_unit, SCSI_NO_MEDIUM, false},
    [SCSI_OP_READ_CAPACITY_10] = {scsi_read_capacity_10, SCSI_NO_MEDIUM, true},
    [SCSI_OP_READ_10] = {scsi_read, SCSI_READ, true},
    [SCSI_OP_WRITE_10] = {scsi_write, SCSI_WRITE, true},
    [SCSI_OP_SYNCHRONIZE_CACHE_10] = {scsi_synchronize_cache, SCSI_FLUSH, true},
    [SCSI_OP_UNMAP] = {scsi_unmap, SCSI_UNMAP, true},
    [SCSI_OP_MODE_SENSE_10] = {scsi_mode_sense, SCSI_NO_MEDIUM, false},
    [SCSI_OP_READ_16] = {scsi_read, SCSI_READ, true},
    [SCSI_OP_WRITE_16] = {scsi_write, SCSI_WRITE, true},
    [SCSI_OP_SYNCHRONIZE_CACHE_16] = {scsi_synchronize_cache, SCSI_FLUSH, true},
    [SCSI_OP_SERVICE_ACTION_IN_16] = {scsi_service_action_in_16, SCSI_NO_MEDIUM,
                                      true},
};

struct scsi_result scsi_execute(struct scsi_lun *lun,
                                const uint8_t cdb[SCSI_CDB_BYTES],
                                const struct scsi_data *data)
{
    struct scsi_command command = {.lun = lun, .cdb = cdb, .data = data};
    uint8_t op = cdb[0];

    if (!commands[op].execute)
        scsi_fail(&command, SCSI_INVALID_OPCODE);
    else if (commands[op].needs_unit && lun->stopped)
        scsi_fail(&command, SCSI_NOT_READY_STOPPED);
    else
        commands[op].execute(&command);
    if (command.result.status == SCSI_GOOD)
        command.result.work = commands[op].work;
    return command.result;
}

struct scsi_result scsi_execute_absent(const uint8_t cdb[SCSI_CDB_BYTES],
                                       const struct scsi_data *data)
{
    struct scsi_command command = {.cdb = cdb, .data = data};

    if (cdb[0] == SCSI_OP_INQUIRY) {
        scsi_inquiry(&command);
    } else {
        scsi_fail(&command, SCSI_NO_SUCH_LUN);
        command.result.no_unit = true;
    }
    return command.result;
}

#define LUN_BYTES 8
#define LUN_LIST_HEADER_BYTES 8
#define SELECT_WELL_KNOWN 1
#define SELECT_ALL 2

struct scsi_result scsi_report_luns(const uint8_t *luns, uint32_t count,
                                    const uint8_t cdb[SCSI_CDB_BYTES],
                                    const struct scsi_data *data)
{
    struct scsi_command command = {.cdb = cdb, .data = data};
    uint8_t bytes[LUN_LIST_HEADER_BYTES + SCSI_LUNS_MAX * LUN_BYTES] = {0};
    uint32_t allocation_length = scsi_get_be32(&cdb[6]);

    if (cdb[2] > SELECT_ALL || allocation_length < 16) {
        scsi_fail(&command, SCSI_INVALID_FIELD_IN_CDB);
        return command.result;
    }
    if (cdb[2] == SELECT_WELL_KNOWN)
        count = 0;
    count = scsi_smaller(count, SCSI_LUNS_MAX);
    scsi_put_be32(&bytes[0], (uint64_t)count * LUN_BYTES);
    for (uint32_t i = 0; i < count; i++)
        bytes[LUN_LIST_HEADER_BYTES + i * LUN_BYTES + 1] = luns[i];
    scsi_answer(&command, bytes, LUN_LIST_HEADER_BYTES + count * LUN_BYTES,
                allocation_length);
    return command.result;
}
