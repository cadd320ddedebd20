/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arbitrary commands on a disk that has an end, little memory, and a guest
 * whose memory is sometimes not there. Input: records of 20 bytes, a CDB, how
 * much room there is for data (in units of 64 bytes) and flags; then what the
 * guest's memory begins with.
 *
 * Whatever they are, no command reaches beyond disk or room, each ends well or
 * with sense, and INQUIRY works in the end.
 */
#include <string.h>

#include "sim/core/check.h"
#include "vmbus/scsi.h"

#define SECTORS 2048u
#define RECORD_BYTES 20u
#define RECORDS_MAX 64u
#define GUEST_BYTES (512u << 10)

#define MEMORY_ABSENT 0x01u
#define UNIT_ABSENT 0x02u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct guest {
    uint8_t memory[GUEST_BYTES];
    uint32_t room;
    bool absent;
};

static void check_in_room(const struct guest *guest, uint32_t offset,
                          uint32_t size)
{
    CHECK(offset <= guest->room && size <= guest->room - offset);
}

static bool read_guest(void *context, uint32_t offset, void *to, uint32_t size)
{
    const struct guest *guest = context;

    check_in_room(guest, offset, size);
    if (guest->absent)
        return false;
    memcpy(to, guest->memory + offset, size);
    return true;
}

static bool write_guest(void *context, uint32_t offset, const void *from,
                        uint32_t size)
{
    struct guest *guest = context;

    check_in_room(guest, offset, size);
    if (guest->absent)
        return false;
    memcpy(guest->memory + offset, from, size);
    return true;
}

static void check_result(const struct scsi_result *result, uint32_t room)
{
    CHECK(result->bytes <= room);
    if (result->status == SCSI_GOOD) {
        CHECK(!result->overrun && !result->no_unit);
        return;
    }
    CHECK(result->status == SCSI_CHECK_CONDITION);
    CHECK(result->bytes == 0 && result->work == SCSI_NO_MEDIUM);
    CHECK(result->sense[0] == 0x70 && result->sense[7] == 10);
    CHECK(result->sense[2] != 0 && result->sense[12] != 0);
}

static struct scsi_result execute(struct scsi_lun *lun, struct guest *guest,
                                  const uint8_t record[RECORD_BYTES])
{
    struct scsi_data memory = {guest, 0, read_guest, write_guest};

    guest->room = ((uint32_t)record[16] | (uint32_t)record[17] << 8) * 64 %
                  (GUEST_BYTES + 1);
    guest->absent = record[18] & MEMORY_ABSENT;
    memory.bytes = guest->room;
    if (record[18] & UNIT_ABSENT)
        return record[0] == SCSI_OP_REPORT_LUNS
                   ? scsi_report_luns(record, 16, record, &memory)
                   : scsi_execute_absent(record, &memory);
    return scsi_execute(lun, record, &memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const uint8_t inquiry[RECORD_BYTES] = {0x12, [4] = 36, [16] = 1};
    static struct guest guest;
    struct disk_config config = {.bytes = SECTORS * DISK_SECTOR_BYTES,
                                 .memory_bytes_max = 256 << 10};
    struct scsi_lun lun = {0};
    struct sim_error error;
    struct scsi_result result;
    size_t records = bytes / RECORD_BYTES;

    if (records > RECORDS_MAX)
        records = RECORDS_MAX;
    bytes -= records * RECORD_BYTES;
    CHECK(disk_create(&lun.disk, &config, (struct sim_clock){1000000000},
                      &error) == SIM_OK);
    memset(guest.memory, 0, sizeof(guest.memory));
    if (bytes)
        memcpy(guest.memory, data + records * RECORD_BYTES,
               bytes < GUEST_BYTES ? bytes : GUEST_BYTES);
    for (size_t i = 0; i < records; i++) {
        result = execute(&lun, &guest, data + i * RECORD_BYTES);
        check_result(&result, guest.room);
        CHECK(disk_memory_bytes(lun.disk) <= config.memory_bytes_max);
    }
    result = execute(&lun, &guest, inquiry);
    CHECK(result.status == SCSI_GOOD && result.bytes == 36);
    disk_free(lun.disk);
    return 0;
}
