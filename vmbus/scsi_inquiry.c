/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a unit tells of itself: INQUIRY, capacity, mode pages. */
#include <string.h>

#include "vmbus/scsi_private.h"

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

static uint32_t vpd_supported(const struct scsi_command *command, uint8_t *to)
{
    static const uint8_t pages[] = {
        VPD_SUPPORTED,    VPD_SERIAL_NUMBER,   VPD_IDENTIFICATION,
        VPD_BLOCK_LIMITS, VPD_CHARACTERISTICS, VPD_PROVISIONING,
    };

    (void)command;
    memcpy(to, pages, sizeof(pages));
    return sizeof(pages);
}

static uint32_t vpd_serial_number(const struct scsi_command *command,
                                  uint8_t *to)
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
static uint32_t vpd_identification(const struct scsi_command *command,
                                   uint8_t *to)
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

static uint32_t vpd_block_limits(const struct scsi_command *command,
                                 uint8_t *to)
{
    uint8_t *page = to - VPD_HEADER_BYTES; /* offsets as SBC-3 has them */

    (void)command;
    scsi_put_be16(&page[6], BLOCK_SECTORS);
    scsi_put_be32(&page[8], SCSI_TRANSFER_BYTES_MAX / DISK_SECTOR_BYTES);
    scsi_put_be32(&page[20], SCSI_UNMAP_SECTORS_MAX);
    scsi_put_be32(&page[24], SCSI_UNMAP_DESCRIPTORS_MAX);
    scsi_put_be32(&page[28], BLOCK_SECTORS);
    scsi_put_be32(&page[32], 0x80000000); /* the alignment is valid: 0 */
    return 60;
}

static uint32_t vpd_characteristics(const struct scsi_command *command,
                                    uint8_t *to)
{
    (void)command;
    scsi_put_be16(to, 1); /* does not rotate */
    return 60;
}

static uint32_t vpd_provisioning(const struct scsi_command *command,
                                 uint8_t *to)
{
    (void)command;
    to[1] = 0x84; /* UNMAP works, and reads as zeroes afterwards */
    to[2] = 2;    /* thin */
    return 4;
}

/* Each writes at most VPD_BYTES_MAX - VPD_HEADER_BYTES to zeroes. */
static const struct {
    enum vpd_page page;
    uint32_t (*fill)(const struct scsi_command *command, uint8_t *to);
} vpd_pages[] = {
    {VPD_SUPPORTED, vpd_supported},
    {VPD_SERIAL_NUMBER, vpd_serial_number},
    {VPD_IDENTIFICATION, vpd_identification},
    {VPD_BLOCK_LIMITS, vpd_block_limits},
    {VPD_CHARACTERISTICS, vpd_characteristics},
    {VPD_PROVISIONING, vpd_provisioning},
};

static void inquiry_vpd(struct scsi_command *command, uint8_t page)
{
    uint8_t bytes[VPD_BYTES_MAX] = {0, page};

    for (unsigned i = 0; i < sizeof(vpd_pages) / sizeof(vpd_pages[0]); i++) {
        if (vpd_pages[i].page == page) {
            uint32_t size =
                vpd_pages[i].fill(command, bytes + VPD_HEADER_BYTES);

            scsi_put_be16(&bytes[2], size);
            scsi_answer(command, bytes, VPD_HEADER_BYTES + size,
                        scsi_get_be16(&command->cdb[3]));
            return;
        }
    }
    scsi_fail(command, SCSI_INVALID_FIELD_IN_CDB);
}

void scsi_inquiry(struct scsi_command *command)
{
    const uint8_t *cdb = command->cdb;
    bool vital_product_data = cdb[1] & 1;
    uint8_t bytes[INQUIRY_BYTES];

    if (cdb[1] & 0xfe || (!vital_product_data && cdb[2]) ||
        (vital_product_data && !command->lun)) {
        scsi_fail(command, SCSI_INVALID_FIELD_IN_CDB);
        return;
    }
    if (vital_product_data) {
        inquiry_vpd(command, cdb[2]);
        return;
    }
    inquiry_data(bytes, command->lun ? 0 : NO_DEVICE_HERE);
    scsi_answer(command, bytes, sizeof(bytes), scsi_get_be16(&cdb[3]));
}

/* Capacity */

void scsi_read_capacity_10(struct scsi_command *command)
{
    uint64_t last = disk_sectors(command->lun->disk) - 1;
    uint8_t bytes[8];

    scsi_put_be32(&bytes[0], last < UINT32_MAX ? last : UINT32_MAX);
    scsi_put_be32(&bytes[4], DISK_SECTOR_BYTES);
    scsi_answer(command, bytes, sizeof(bytes), sizeof(bytes));
}

void scsi_service_action_in_16(struct scsi_command *command)
{
    uint8_t bytes[32] = {0};

    if ((command->cdb[1] & 0x1f) != SCSI_SERVICE_ACTION_READ_CAPACITY_16) {
        scsi_fail(command, SCSI_INVALID_FIELD_IN_CDB);
        return;
    }
    scsi_put_be64(&bytes[0], disk_sectors(command->lun->disk) - 1);
    scsi_put_be32(&bytes[8], DISK_SECTOR_BYTES);
    bytes[13] = 3;    /* 2^3 sectors are one block of the medium */
    bytes[14] = 0xc0; /* thin, and what is unmapped reads as zeroes */
    scsi_answer(command, bytes, sizeof(bytes),
                scsi_get_be32(&command->cdb[10]));
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

    scsi_put_be32(to, sectors < UINT32_MAX ? sectors : UINT32_MAX);
    scsi_put_be32(to + 4, DISK_SECTOR_BYTES);
}

void scsi_mode_sense(struct scsi_command *command)
{
    const uint8_t *cdb = command->cdb;
    bool ten = cdb[0] == SCSI_OP_MODE_SENSE_10;
    uint32_t header = ten ? 8 : 4;
    uint32_t descriptor = cdb[1] & DISABLE_DESCRIPTORS ? 0 : 8;
    uint8_t bytes[MODE_BYTES_MAX] = {0};
    uint32_t pages = mode_pages(cdb, bytes + header + descriptor);
    uint32_t size = header + descriptor + pages;

    if (cdb[2] >> 6 == SAVED || pages == 0) {
        scsi_fail(command, pages ? SCSI_SAVING_NOT_SUPPORTED
                                 : SCSI_INVALID_FIELD_IN_CDB);
        return;
    }
    if (ten) {
        scsi_put_be16(&bytes[0], size - 2);
        bytes[3] = DPO_AND_FUA;
        scsi_put_be16(&bytes[6], descriptor);
    } else {
        bytes[0] = (uint8_t)(size - 1);
        bytes[2] = DPO_AND_FUA;
        bytes[3] = (uint8_t)descriptor;
    }
    if (descriptor)
        block_descriptor(command->lun->disk, bytes + header);
    scsi_answer(command, bytes, size, ten ? scsi_get_be16(&cdb[7]) : cdb[4]);
}
