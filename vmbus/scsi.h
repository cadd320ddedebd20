/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_SCSI_H
#define HVSIM_VMBUS_SCSI_H

/**
 * A SCSI direct-access device on a virtual hard disk: what SPC-4 and SBC-3 ask
 * of a disk that Linux and Windows can use, as Hyper-V's virtual disks answer.
 * Driven by storvsp.c, which knows who sent the command and where its data is.
 *
 * INQUIRY (and VPD pages 00, 80, 83, B0, B1, B2), TEST UNIT READY, REQUEST
 * SENSE, READ CAPACITY (10, 16), READ and WRITE (10, 16), MODE SENSE (6, 10),
 * REPORT LUNS, START STOP UNIT, SYNCHRONIZE CACHE (10, 16), UNMAP. All else is
 * INVALID COMMAND OPERATION CODE. There are no reservations, no unit
 * attentions and no mode parameters to select; the cache never holds anything
 * that is not on the disk.
 *
 * The command comes from a guest: no byte of it is trusted. Data moves when
 * the command is executed; how long the medium takes for it is the caller's to
 * model, from what the result says.
 */

#include <stddef.h>

#include "vmbus/disk.h"

#define SCSI_CDB_BYTES 16
#define SCSI_SENSE_BYTES 18 /* fixed format, as SPC-4 has it */

/** Hyper-V's SCSI controllers have as many disks. */
#define SCSI_LUNS_MAX 64u
/** The most that one command may read or write: 256 KiB. */
#define SCSI_TRANSFER_BYTES_MAX 0x40000u
/** The most that one UNMAP may: 1 GiB, in this many descriptors. */
#define SCSI_UNMAP_SECTORS_MAX 0x200000u
#define SCSI_UNMAP_DESCRIPTORS_MAX 64u

struct scsi_lun {
    struct disk *disk;    /* borrowed */
    uint8_t identity[16]; /* tells it from all others; any bytes */
    bool stopped;         /* by START STOP UNIT */
};

/** Where a command's data is: memory of the guest. */
struct scsi_data {
    void *context; /* borrowed */
    uint32_t bytes;
    /** Copy from and to it; `offset` and `size` lie within `bytes`. False if
     *  the guest's memory is not there. */
    bool (*read)(void *context, uint32_t offset, void *to, uint32_t size);
    bool (*write)(void *context, uint32_t offset, const void *from,
                  uint32_t size);
};

enum scsi_status {
    SCSI_GOOD = 0x00,
    SCSI_CHECK_CONDITION = 0x02,
};

#define SCSI_ILLEGAL_REQUEST 0x05 /* a sense key */

/** What kind of work it was, for who counts and models time. */
enum scsi_work {
    SCSI_NO_MEDIUM, /* answered without the medium */
    SCSI_READ,
    SCSI_WRITE,
    SCSI_FLUSH,
    SCSI_UNMAP,
};

struct scsi_result {
    enum scsi_status status;
    bool overrun;   /* the command's data is more than the guest has room for */
    bool no_unit;   /* there is no such logical unit */
    uint32_t bytes; /* moved from or to the guest */
    enum scsi_work work;
    uint8_t sense[SCSI_SENSE_BYTES]; /* with CHECK CONDITION; byte 2: key */
};

/** Executes a command; `cdb` beyond the command's own length is not looked at,
 *  so there are always SCSI_CDB_BYTES of it. */
struct scsi_result scsi_execute(struct scsi_lun *lun,
                                const uint8_t cdb[SCSI_CDB_BYTES],
                                const struct scsi_data *data);

/** Executes a command for a logical unit that does not exist: INQUIRY says so,
 *  all else is LOGICAL UNIT NOT SUPPORTED. */
struct scsi_result scsi_execute_absent(const uint8_t cdb[SCSI_CDB_BYTES],
                                       const struct scsi_data *data);

/** REPORT LUNS, which any logical unit answers, existing or not: `luns` are
 *  those of the target, ascending, at most SCSI_LUNS_MAX. */
struct scsi_result scsi_report_luns(const uint8_t *luns, uint32_t count,
                                    const uint8_t cdb[SCSI_CDB_BYTES],
                                    const struct scsi_data *data);

#define SCSI_OP_INQUIRY 0x12
#define SCSI_OP_REPORT_LUNS 0xa0

#endif
