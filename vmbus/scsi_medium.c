/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done to a unit's sectors. */
#include "vmbus/scsi_private.h"

#define CHUNK_SECTORS 16u
#define PROTECTION 0xe0

/* Which sectors the command is about, checked to exist. */
static bool sector_range(struct scsi_command *command, uint64_t *first,
                         uint32_t *count)
{
    const uint8_t *cdb = command->cdb;
    uint64_t sectors = disk_sectors(command->lun->disk);

    if (cdb[0] & 0x80) { /* 16 bytes, not 10 */
        *first = scsi_get_be64(&cdb[2]);
        *count = scsi_get_be32(&cdb[10]);
    } else {
        *first = scsi_get_be32(&cdb[2]);
        *count = scsi_get_be16(&cdb[7]);
    }
    if (*first <= sectors && *count <= sectors - *first)
        return true;
    scsi_fail(command, SCSI_LBA_OUT_OF_RANGE);
    return false;
}

static bool transfer_range(struct scsi_command *command, uint64_t *first,
                           uint32_t *count)
{
    if (!sector_range(command, first, count))
        return false;
    if (command->cdb[1] & PROTECTION ||
        *count > SCSI_TRANSFER_BYTES_MAX / DISK_SECTOR_BYTES) {
        scsi_fail(command, SCSI_INVALID_FIELD_IN_CDB);
        return false;
    }
    if (*count > command->data->bytes / DISK_SECTOR_BYTES) {
        scsi_fail(command, SCSI_INVALID_FIELD_IN_CDB);
        command->result.overrun = true;
        return false;
    }
    return true;
}

void scsi_read(struct scsi_command *command)
{
    const struct scsi_data *data = command->data;
    uint8_t bytes[CHUNK_SECTORS * DISK_SECTOR_BYTES];
    uint32_t count;
    uint32_t moved = 0;
    uint64_t first;

    if (!transfer_range(command, &first, &count))
        return;
    for (uint32_t n; count > 0; count -= n, first += n) {
        n = scsi_smaller(count, CHUNK_SECTORS);
        if (disk_read(command->lun->disk, first, n, bytes) != DISK_OK) {
            scsi_fail(command, SCSI_READ_ERROR);
            return;
        }
        if (!data->write(data->context, moved, bytes, n * DISK_SECTOR_BYTES)) {
            scsi_fail(command, SCSI_DATA_PHASE_ERROR);
            return;
        }
        moved += n * DISK_SECTOR_BYTES;
    }
    command->result.bytes = moved;
}

static enum scsi_sense write_failure(enum disk_result result)
{
    return result == DISK_FULL ? SCSI_SPACE_ALLOCATION_FAILED
                               : SCSI_WRITE_FAULT;
}

void scsi_write(struct scsi_command *command)
{
    const struct scsi_data *data = command->data;
    uint8_t bytes[CHUNK_SECTORS * DISK_SECTOR_BYTES];
    uint32_t count;
    uint32_t moved = 0;
    uint64_t first;

    if (!transfer_range(command, &first, &count))
        return;
    for (uint32_t n; count > 0; count -= n, first += n) {
        enum disk_result result;

        n = scsi_smaller(count, CHUNK_SECTORS);
        if (!data->read(data->context, moved, bytes, n * DISK_SECTOR_BYTES)) {
            scsi_fail(command, SCSI_DATA_PHASE_ERROR);
            return;
        }
        result = disk_write(command->lun->disk, first, n, bytes);
        if (result != DISK_OK) {
            scsi_fail(command, write_failure(result));
            return;
        }
        moved += n * DISK_SECTOR_BYTES;
    }
    command->result.bytes = moved;
}

/* What was written is on the disk already: only the range can be wrong. */
void scsi_synchronize_cache(struct scsi_command *command)
{
    uint64_t first;
    uint32_t count;

    (void)sector_range(command, &first, &count);
}

#define UNMAP_HEADER_BYTES 8
#define UNMAP_DESCRIPTOR_BYTES 16
#define UNMAP_LIST_BYTES_MAX                                                   \
    (UNMAP_HEADER_BYTES + SCSI_UNMAP_DESCRIPTORS_MAX * UNMAP_DESCRIPTOR_BYTES)

/* The parameter list, copied once: how many descriptors it has, or -1. */
static int unmap_list(struct scsi_command *command, uint8_t *list)
{
    const struct scsi_data *data = command->data;
    uint32_t size = scsi_get_be16(&command->cdb[7]);
    uint32_t copied = scsi_smaller(size, UNMAP_LIST_BYTES_MAX);
    uint32_t descriptors;

    if (size == 0)
        return 0;
    if (size < UNMAP_HEADER_BYTES || size > data->bytes) {
        scsi_fail(command, SCSI_LIST_LENGTH_ERROR);
        return -1;
    }
    if (!data->read(data->context, 0, list, copied)) {
        scsi_fail(command, SCSI_DATA_PHASE_ERROR);
        return -1;
    }
    descriptors = scsi_get_be16(&list[2]) / UNMAP_DESCRIPTOR_BYTES;
    if (descriptors > SCSI_UNMAP_DESCRIPTORS_MAX) {
        scsi_fail(command, SCSI_INVALID_FIELD_IN_LIST);
        return -1;
    }
    if (UNMAP_HEADER_BYTES + descriptors * UNMAP_DESCRIPTOR_BYTES > copied) {
        scsi_fail(command, SCSI_LIST_LENGTH_ERROR);
        return -1;
    }
    command->result.bytes = copied;
    return (int)descriptors;
}

static const uint8_t *unmap_descriptor(const uint8_t *list, int index)
{
    return list + UNMAP_HEADER_BYTES + (size_t)index * UNMAP_DESCRIPTOR_BYTES;
}

static bool unmap_allowed(struct scsi_command *command, const uint8_t *list,
                          int descriptors)
{
    uint64_t sectors = disk_sectors(command->lun->disk);
    uint64_t total = 0;

    for (int i = 0; i < descriptors; i++) {
        const uint8_t *at = unmap_descriptor(list, i);
        uint64_t first = scsi_get_be64(at);
        uint32_t count = scsi_get_be32(at + 8);

        if (first > sectors || count > sectors - first) {
            scsi_fail(command, SCSI_LBA_OUT_OF_RANGE);
            return false;
        }
        total += count;
    }
    if (total <= SCSI_UNMAP_SECTORS_MAX)
        return true;
    scsi_fail(command, SCSI_INVALID_FIELD_IN_LIST);
    return false;
}

void scsi_unmap(struct scsi_command *command)
{
    uint8_t list[UNMAP_LIST_BYTES_MAX];
    int descriptors = -1;

    if (command->cdb[1] & 1) { /* anchored */
        scsi_fail(command, SCSI_INVALID_FIELD_IN_CDB);
        return;
    }
    descriptors = unmap_list(command, list);
    if (descriptors < 0 || !unmap_allowed(command, list, descriptors))
        return;
    for (int i = 0; i < descriptors; i++) {
        const uint8_t *at = unmap_descriptor(list, i);
        enum disk_result result = disk_unmap(
            command->lun->disk, scsi_get_be64(at), scsi_get_be32(at + 8));

        if (result != DISK_OK) {
            scsi_fail(command, write_failure(result));
            return;
        }
    }
}
