/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmbus/scsi.h"

#include <string.h>

enum {
    OP_TEST_UNIT_READY = 0x00,
    OP_REQUEST_SENSE = 0x03,
    OP_INQUIRY = SCSI_OP_INQUIRY,
    OP_MODE_SENSE_6 = 0x1a,
    OP_START_STOP_UNIT = 0x1b,
    OP_READ_CAPACITY_10 = 0x25,
    OP_READ_10 = 0x28,
    OP_WRITE_10 = 0x2a,
    OP_SYNCHRONIZE_CACHE_10 = 0x35,
    OP_UNMAP = 0x42,
    OP_MODE_SENSE_10 = 0x5a,
    OP_READ_16 = 0x88,
    OP_WRITE_16 = 0x8a,
    OP_SYNCHRONIZE_CACHE_16 = 0x91,
    OP_SERVICE_ACTION_IN_16 = 0x9e,
};

#define SERVICE_ACTION_READ_CAPACITY_16 0x10

/* Sense key, additional sense code and qualifier (SPC-4, "Sense key and
 * additional sense code definitions"), as one number. */
enum sense {
    NO_SENSE = 0x00000,
    NOT_READY_STOPPED = 0x20402,
    READ_ERROR = 0x31100,
    WRITE_FAULT = 0x30300,
    LIST_LENGTH_ERROR = 0x51a00,
    INVALID_OPCODE = 0x52000,
    LBA_OUT_OF_RANGE = 0x52100,
    INVALID_FIELD_IN_CDB = 0x52400,
    NO_SUCH_LUN = 0x52500,
    INVALID_FIELD_IN_LIST = 0x52600,
    SAVING_NOT_SUPPORTED = 0x53900,
    SPACE_ALLOCATION_FAILED = 0x72707,
    DATA_PHASE_ERROR = 0xb4b00,
};

struct command {
    struct scsi_lun *lun;
    const uint8_t *cdb;
    const struct scsi_data *data;
    struct scsi_result result;
};

static void put_be16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static void put_be32(uint8_t *to, uint64_t value)
{
    put_be16(to, (uint32_t)(value >> 16));
    put_be16(to + 2, (uint32_t)value);
}

static void put_be64(uint8_t *to, uint64_t value)
{
    put_be32(to, value >> 32);
    put_be32(to + 4, value);
}

static uint32_t get_be16(const uint8_t *from)
{
    return (uint32_t)from[0] << 8 | from[1];
}

static uint32_t get_be32(const uint8_t *from)
{
    return get_be16(from) << 16 | get_be16(from + 2);
}

static uint64_t get_be64(const uint8_t *from)
{
    return (uint64_t)get_be32(from) << 32 | get_be32(from + 4);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void store_sense(uint8_t *to, enum sense sense)
{
    memset(to, 0, SCSI_SENSE_BYTES);
    to[0] = 0x70; /* current error, fixed format */
    to[2] = (uint8_t)(sense >> 16);
    to[7] = SCSI_SENSE_BYTES - 8;
    to[12] = (uint8_t)(sense >> 8);
    to[13] = (uint8_t)sense;
}

static void fail(struct command *command, enum sense sense)
{
    command->result.status = SCSI_CHECK_CONDITION;
    command->result.bytes = 0;
    store_sense(command->result.sense, sense);
}

/* What the guest gets of an answer: as much as it allows and has room for. */
static void answer(struct command *command, const uint8_t *bytes, uint32_t size,
                   uint32_t allocation_length)
{
    const struct scsi_data *data = command->data;
    uint32_t n = smaller(smaller(size, allocation_length), data->bytes);

    if (n && !data->write(data->context, 0, bytes, n)) {
        fail(command, DATA_PHASE_ERROR);
        return;
    }
    command->result.bytes = n;
}

/* INQUIRY */

#define INQUIRY_BYTES 96
#define NO_DEVICE_HERE 0x7f
#define VERSION_SPC_3 5
#define RESPONSE_FORMAT 2
#define COMMAND_QUEUING 0x02

static void inquiry_data(uint8_t bytes[INQUIRY_BYTES], uint8_t device_type)
{
    /* Vendor, product and revision: Linux' storage driver knows Hyper-V's disks
     * by them. The terminating zero is the first of the vendor's own bytes. */
    static const char names[] = "Msft    Virtual Disk    1.0 ";

    memset(bytes, 0, INQUIRY_BYTES);
    bytes[0] = device_type;
    bytes[2] = VERSION_SPC_3;
    bytes[3] = RESPONSE_FORMAT;
    bytes[4] = INQUIRY_BYTES - 5;
    if (device_type == NO_DEVICE_HERE)
        return;
    bytes[7] = COMMAND_QUEUING;
    memcpy(&bytes[8], names, sizeof(names));
}

#define VPD_BYTES_MAX 64
#define VPD_HEADER_BYTES 4

enum vpd_page {
    VPD_SUPPORTED = 0x00,
    VPD_SERIAL_NUMBER = 0x80,
    VPD_IDENTIFICATION = 0x83,
    VPD_BLOCK_LIMITS = 0xb0,
    VPD_CHARACTERISTICS = 0xb1,
    VPD_PROVISIONING = 0xb2,
};

static uint32_t vpd_supported(const struct command *command, uint8_t *to)
{
    static const uint8_t pages[] = {
        VPD_SUPPORTED,    VPD_SERIAL_NUMBER,   VPD_IDENTIFICATION,
        VPD_BLOCK_LIMITS, VPD_CHARACTERISTICS, VPD_PROVISIONING,
    };

    (void)command;
    memcpy(to, pages, sizeof(pages));
    return sizeof(pages);
}

static uint32_t vpd_serial_number(const struct command *command, uint8_t *to)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *identity = command->lun->identity;

    for (size_t i = 0; i < sizeof(command->lun->identity); i++) {
        to[2 * i] = (uint8_t)digits[identity[i] >> 4];
        to[2 * i + 1] = (uint8_t)digits[identity[i] & 0xf];
    }
    return 2 * sizeof(command->lun->identity);
}

/* As Hyper-V's disks identify themselves: once by a vendor's name and 16
 * bytes, once by an NAA name of type 6 under Microsoft's OUI, 00-22-48. */
static uint32_t vpd_identification(const struct command *command, uint8_t *to)
{
    static const uint8_t vendor[] = {0x01, 0x01, 0x00, 24,  'M', 'S',
                                     'F',  'T',  ' ',  ' ', ' ', ' '};
    static const uint8_t naa[] = {0x01, 0x03, 0x00, 16, 0x60, 0x02, 0x24, 0x80};
    const uint8_t *identity = command->lun->identity;
    uint8_t *at = to;

    memcpy(at, vendor, sizeof(vendor));
    at += sizeof(vendor);
    memcpy(at, identity, 16);
    at += 16;
    memcpy(at, naa, sizeof(naa));
    at += sizeof(naa);
    memcpy(at, identity, 6);
    memcpy(at + 6, identity + 10, 6);
    at += 12;
    return (uint32_t)(at - to);
}

#define BLOCK_SECTORS 8 /* of 4 KiB: what the medium is made of */

static uint32_t vpd_block_limits(const struct command *command, uint8_t *to)
{
    uint8_t *page = to - VPD_HEADER_BYTES; /* offsets as SBC-3 has them */

    (void)command;
    put_be16(&page[6], BLOCK_SECTORS);
    put_be32(&page[8], SCSI_TRANSFER_BYTES_MAX / DISK_SECTOR_BYTES);
    put_be32(&page[20], SCSI_UNMAP_SECTORS_MAX);
    put_be32(&page[24], SCSI_UNMAP_DESCRIPTORS_MAX);
    put_be32(&page[28], BLOCK_SECTORS);
    put_be32(&page[32], 0x80000000); /* the alignment is valid: 0 */
    return 60;
}

static uint32_t vpd_characteristics(const struct command *command, uint8_t *to)
{
    (void)command;
    put_be16(to, 1); /* does not rotate */
    return 60;
}

static uint32_t vpd_provisioning(const struct command *command, uint8_t *to)
{
    (void)command;
    to[1] = 0x84; /* UNMAP works, and reads as zeroes afterwards */
    to[2] = 2;    /* thin */
    return 4;
}

/* Each writes at most VPD_BYTES_MAX - VPD_HEADER_BYTES to zeroes. */
static const struct {
    enum vpd_page page;
    uint32_t (*fill)(const struct command *command, uint8_t *to);
} vpd_pages[] = {
    {VPD_SUPPORTED, vpd_supported},
    {VPD_SERIAL_NUMBER, vpd_serial_number},
    {VPD_IDENTIFICATION, vpd_identification},
    {VPD_BLOCK_LIMITS, vpd_block_limits},
    {VPD_CHARACTERISTICS, vpd_characteristics},
    {VPD_PROVISIONING, vpd_provisioning},
};

static void inquiry_vpd(struct command *command, uint8_t page)
{
    uint8_t bytes[VPD_BYTES_MAX] = {0, page};

    for (unsigned i = 0; i < sizeof(vpd_pages) / sizeof(vpd_pages[0]); i++) {
        if (vpd_pages[i].page == page) {
            uint32_t size =
                vpd_pages[i].fill(command, bytes + VPD_HEADER_BYTES);

            put_be16(&bytes[2], size);
            answer(command, bytes, VPD_HEADER_BYTES + size,
                   get_be16(&command->cdb[3]));
            return;
        }
    }
    fail(command, INVALID_FIELD_IN_CDB);
}

static void inquiry(struct command *command)
{
    const uint8_t *cdb = command->cdb;
    bool vital_product_data = cdb[1] & 1;
    uint8_t bytes[INQUIRY_BYTES];

    if (cdb[1] & 0xfe || (!vital_product_data && cdb[2]) ||
        (vital_product_data && !command->lun)) {
        fail(command, INVALID_FIELD_IN_CDB);
        return;
    }
    if (vital_product_data) {
        inquiry_vpd(command, cdb[2]);
        return;
    }
    inquiry_data(bytes, command->lun ? 0 : NO_DEVICE_HERE);
    answer(command, bytes, sizeof(bytes), get_be16(&cdb[3]));
}

/* The unit's state */

static void test_unit_ready(struct command *command)
{
    (void)command; /* whether the unit is stopped has been looked at */
}

static void request_sense(struct command *command)
{
    uint8_t sense[SCSI_SENSE_BYTES];

    if (command->cdb[1] & 1) { /* in the descriptor format */
        fail(command, INVALID_FIELD_IN_CDB);
        return;
    }
    store_sense(sense, command->lun->stopped ? NOT_READY_STOPPED : NO_SENSE);
    answer(command, sense, sizeof(sense), command->cdb[4]);
}

#define LOAD_OR_EJECT 0x02
#define POWER_CONDITION 0xf0

static void start_stop_unit(struct command *command)
{
    uint8_t how = command->cdb[4];

    if (how & (LOAD_OR_EJECT | POWER_CONDITION)) {
        fail(command, INVALID_FIELD_IN_CDB);
        return;
    }
    command->lun->stopped = !(how & 1);
}

static void read_capacity_10(struct command *command)
{
    uint64_t last = disk_sectors(command->lun->disk) - 1;
    uint8_t bytes[8];

    put_be32(&bytes[0], last < UINT32_MAX ? last : UINT32_MAX);
    put_be32(&bytes[4], DISK_SECTOR_BYTES);
    answer(command, bytes, sizeof(bytes), sizeof(bytes));
}

static void service_action_in_16(struct command *command)
{
    uint8_t bytes[32] = {0};

    if ((command->cdb[1] & 0x1f) != SERVICE_ACTION_READ_CAPACITY_16) {
        fail(command, INVALID_FIELD_IN_CDB);
        return;
    }
    put_be64(&bytes[0], disk_sectors(command->lun->disk) - 1);
    put_be32(&bytes[8], DISK_SECTOR_BYTES);
    bytes[13] = 3;    /* 2^3 sectors are one block of the medium */
    bytes[14] = 0xc0; /* thin, and what is unmapped reads as zeroes */
    answer(command, bytes, sizeof(bytes), get_be32(&command->cdb[10]));
}

/* Mode pages */

#define MODE_BYTES_MAX 64
#define PAGE_CACHING 0x08
#define PAGE_CONTROL 0x0a
#define PAGE_ALL 0x3f
#define SUBPAGE_ALL 0xff
#define DISABLE_DESCRIPTORS 0x08
#define DPO_AND_FUA 0x10
#define WRITE_CACHE 0x04
#define NO_RESTRICTION_ON_REORDERING 0x10

enum page_control { CURRENT, CHANGEABLE, DEFAULT, SAVED };

static uint32_t mode_page(uint8_t *to, uint8_t page, uint8_t length,
                          unsigned byte, uint8_t value)
{
    to[0] = page;
    to[1] = length;
    to[byte] = value;
    return 2u + length;
}

/* 0: no such page. Nothing is changeable. */
static uint32_t mode_pages(const uint8_t *cdb, uint8_t *to)
{
    uint8_t page = cdb[2] & 0x3f;
    bool values = cdb[2] >> 6 != CHANGEABLE;
    uint32_t size = 0;

    if (cdb[3] != 0 && !(page == PAGE_ALL && cdb[3] == SUBPAGE_ALL))
        return 0;
    if (page == PAGE_CACHING || page == PAGE_ALL)
        size +=
            mode_page(to + size, PAGE_CACHING, 18, 2, values ? WRITE_CACHE : 0);
    if (page == PAGE_CONTROL || page == PAGE_ALL)
        size += mode_page(to + size, PAGE_CONTROL, 10, 3,
                          values ? NO_RESTRICTION_ON_REORDERING : 0);
    return size;
}

static void block_descriptor(const struct disk *disk, uint8_t *to)
{
    uint64_t sectors = disk_sectors(disk);

    put_be32(to, sectors < UINT32_MAX ? sectors : UINT32_MAX);
    put_be32(to + 4, DISK_SECTOR_BYTES);
}

static void mode_sense(struct command *command)
{
    const uint8_t *cdb = command->cdb;
    bool ten = cdb[0] == OP_MODE_SENSE_10;
    uint32_t header = ten ? 8 : 4;
    uint32_t descriptor = cdb[1] & DISABLE_DESCRIPTORS ? 0 : 8;
    uint8_t bytes[MODE_BYTES_MAX] = {0};
    uint32_t pages = mode_pages(cdb, bytes + header + descriptor);
    uint32_t size = header + descriptor + pages;

    if (cdb[2] >> 6 == SAVED || pages == 0) {
        fail(command, pages ? SAVING_NOT_SUPPORTED : INVALID_FIELD_IN_CDB);
        return;
    }
    if (ten) {
        put_be16(&bytes[0], size - 2);
        bytes[3] = DPO_AND_FUA;
        put_be16(&bytes[6], descriptor);
    } else {
        bytes[0] = (uint8_t)(size - 1);
        bytes[2] = DPO_AND_FUA;
        bytes[3] = (uint8_t)descriptor;
    }
    if (descriptor)
        block_descriptor(command->lun->disk, bytes + header);
    answer(command, bytes, size, ten ? get_be16(&cdb[7]) : cdb[4]);
}

/* The medium */

#define CHUNK_SECTORS 16u
#define PROTECTION 0xe0

/* Which sectors the command is about, checked to exist. */
static bool sector_range(struct command *command, uint64_t *first,
                         uint32_t *count)
{
    const uint8_t *cdb = command->cdb;
    uint64_t sectors = disk_sectors(command->lun->disk);

    if (cdb[0] & 0x80) { /* 16 bytes, not 10 */
        *first = get_be64(&cdb[2]);
        *count = get_be32(&cdb[10]);
    } else {
        *first = get_be32(&cdb[2]);
        *count = get_be16(&cdb[7]);
    }
    if (*first <= sectors && *count <= sectors - *first)
        return true;
    fail(command, LBA_OUT_OF_RANGE);
    return false;
}

static bool transfer_range(struct command *command, uint64_t *first,
                           uint32_t *count)
{
    if (!sector_range(command, first, count))
        return false;
    if (command->cdb[1] & PROTECTION ||
        *count > SCSI_TRANSFER_BYTES_MAX / DISK_SECTOR_BYTES) {
        fail(command, INVALID_FIELD_IN_CDB);
        return false;
    }
    if (*count > command->data->bytes / DISK_SECTOR_BYTES) {
        fail(command, INVALID_FIELD_IN_CDB);
        command->result.overrun = true;
        return false;
    }
    return true;
}

static void read_sectors(struct command *command)
{
    const struct scsi_data *data = command->data;
    uint8_t bytes[CHUNK_SECTORS * DISK_SECTOR_BYTES];
    uint32_t count;
    uint32_t moved = 0;
    uint64_t first;

    if (!transfer_range(command, &first, &count))
        return;
    for (uint32_t n; count > 0; count -= n, first += n) {
        n = smaller(count, CHUNK_SECTORS);
        if (disk_read(command->lun->disk, first, n, bytes) != DISK_OK) {
            fail(command, READ_ERROR);
            return;
        }
        if (!data->write(data->context, moved, bytes, n * DISK_SECTOR_BYTES)) {
            fail(command, DATA_PHASE_ERROR);
            return;
        }
        moved += n * DISK_SECTOR_BYTES;
    }
    command->result.bytes = moved;
}

static enum sense write_failure(enum disk_result result)
{
    return result == DISK_FULL ? SPACE_ALLOCATION_FAILED : WRITE_FAULT;
}

static void write_sectors(struct command *command)
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

        n = smaller(count, CHUNK_SECTORS);
        if (!data->read(data->context, moved, bytes, n * DISK_SECTOR_BYTES)) {
            fail(command, DATA_PHASE_ERROR);
            return;
        }
        result = disk_write(command->lun->disk, first, n, bytes);
        if (result != DISK_OK) {
            fail(command, write_failure(result));
            return;
        }
        moved += n * DISK_SECTOR_BYTES;
    }
    command->result.bytes = moved;
}

/* What was written is on the disk already: only the range can be wrong. */
static void synchronize_cache(struct command *command)
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
static int unmap_list(struct command *command, uint8_t *list)
{
    const struct scsi_data *data = command->data;
    uint32_t size = get_be16(&command->cdb[7]);
    uint32_t copied = smaller(size, UNMAP_LIST_BYTES_MAX);
    uint32_t descriptors;

    if (size == 0)
        return 0;
    if (size < UNMAP_HEADER_BYTES || size > data->bytes) {
        fail(command, LIST_LENGTH_ERROR);
        return -1;
    }
    if (!data->read(data->context, 0, list, copied)) {
        fail(command, DATA_PHASE_ERROR);
        return -1;
    }
    descriptors = get_be16(&list[2]) / UNMAP_DESCRIPTOR_BYTES;
    if (descriptors > SCSI_UNMAP_DESCRIPTORS_MAX) {
        fail(command, INVALID_FIELD_IN_LIST);
        return -1;
    }
    if (UNMAP_HEADER_BYTES + descriptors * UNMAP_DESCRIPTOR_BYTES > copied) {
        fail(command, LIST_LENGTH_ERROR);
        return -1;
    }
    command->result.bytes = size;
    return (int)descriptors;
}

static const uint8_t *unmap_descriptor(const uint8_t *list, int index)
{
    return list + UNMAP_HEADER_BYTES + (size_t)index * UNMAP_DESCRIPTOR_BYTES;
}

static bool unmap_allowed(struct command *command, const uint8_t *list,
                          int descriptors)
{
    uint64_t sectors = disk_sectors(command->lun->disk);
    uint64_t total = 0;

    for (int i = 0; i < descriptors; i++) {
        const uint8_t *at = unmap_descriptor(list, i);
        uint64_t first = get_be64(at);
        uint32_t count = get_be32(at + 8);

        if (first > sectors || count > sectors - first) {
            fail(command, LBA_OUT_OF_RANGE);
            return false;
        }
        total += count;
    }
    if (total <= SCSI_UNMAP_SECTORS_MAX)
        return true;
    fail(command, INVALID_FIELD_IN_LIST);
    return false;
}

static void unmap(struct command *command)
{
    uint8_t list[UNMAP_LIST_BYTES_MAX];
    int descriptors = -1;

    if (command->cdb[1] & 1) { /* anchored */
        fail(command, INVALID_FIELD_IN_CDB);
        return;
    }
    descriptors = unmap_list(command, list);
    if (descriptors < 0 || !unmap_allowed(command, list, descriptors))
        return;
    for (int i = 0; i < descriptors; i++) {
        const uint8_t *at = unmap_descriptor(list, i);
        enum disk_result result =
            disk_unmap(command->lun->disk, get_be64(at), get_be32(at + 8));

        if (result != DISK_OK) {
            fail(command, write_failure(result));
            return;
        }
    }
}

static const struct {
    void (*execute)(struct command *command);
    enum scsi_work work;
    bool needs_unit; /* which must not be stopped */
} commands[256] = {
    [OP_TEST_UNIT_READY] = {test_unit_ready, SCSI_NO_MEDIUM, true},
    [OP_REQUEST_SENSE] = {request_sense, SCSI_NO_MEDIUM, false},
    [OP_INQUIRY] = {inquiry, SCSI_NO_MEDIUM, false},
    [OP_MODE_SENSE_6] = {mode_sense, SCSI_NO_MEDIUM, false},
    [OP_START_STOP_UNIT] = {start_stop_unit, SCSI_NO_MEDIUM, false},
    [OP_READ_CAPACITY_10] = {read_capacity_10, SCSI_NO_MEDIUM, true},
    [OP_READ_10] = {read_sectors, SCSI_READ, true},
    [OP_WRITE_10] = {write_sectors, SCSI_WRITE, true},
    [OP_SYNCHRONIZE_CACHE_10] = {synchronize_cache, SCSI_FLUSH, true},
    [OP_UNMAP] = {unmap, SCSI_UNMAP, true},
    [OP_MODE_SENSE_10] = {mode_sense, SCSI_NO_MEDIUM, false},
    [OP_READ_16] = {read_sectors, SCSI_READ, true},
    [OP_WRITE_16] = {write_sectors, SCSI_WRITE, true},
    [OP_SYNCHRONIZE_CACHE_16] = {synchronize_cache, SCSI_FLUSH, true},
    [OP_SERVICE_ACTION_IN_16] = {service_action_in_16, SCSI_NO_MEDIUM, true},
};

struct scsi_result scsi_execute(struct scsi_lun *lun,
                                const uint8_t cdb[SCSI_CDB_BYTES],
                                const struct scsi_data *data)
{
    struct command command = {.lun = lun, .cdb = cdb, .data = data};
    uint8_t op = cdb[0];

    if (!commands[op].execute)
        fail(&command, INVALID_OPCODE);
    else if (commands[op].needs_unit && lun->stopped)
        fail(&command, NOT_READY_STOPPED);
    else
        commands[op].execute(&command);
    if (command.result.status == SCSI_GOOD)
        command.result.work = commands[op].work;
    return command.result;
}

struct scsi_result scsi_execute_absent(const uint8_t cdb[SCSI_CDB_BYTES],
                                       const struct scsi_data *data)
{
    struct command command = {.cdb = cdb, .data = data};

    if (cdb[0] == OP_INQUIRY) {
        inquiry(&command);
    } else {
        fail(&command, NO_SUCH_LUN);
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
    struct command command = {.cdb = cdb, .data = data};
    uint8_t bytes[LUN_LIST_HEADER_BYTES + SCSI_LUNS_MAX * LUN_BYTES] = {0};
    uint32_t allocation_length = get_be32(&cdb[6]);

    if (cdb[2] > SELECT_ALL || allocation_length < 16) {
        fail(&command, INVALID_FIELD_IN_CDB);
        return command.result;
    }
    if (cdb[2] == SELECT_WELL_KNOWN)
        count = 0;
    count = smaller(count, SCSI_LUNS_MAX);
    put_be32(&bytes[0], (uint64_t)count * LUN_BYTES);
    for (uint32_t i = 0; i < count; i++)
        bytes[LUN_LIST_HEADER_BYTES + i * LUN_BYTES + 1] = luns[i];
    answer(&command, bytes, LUN_LIST_HEADER_BYTES + count * LUN_BYTES,
           allocation_length);
    return command.result;
}
