/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_DISK_H
#define HVSIM_VMBUS_DISK_H

/**
 * A virtual hard disk: sectors of 512 bytes, and a model of how long its
 * medium takes. Driven by scsi.c for the bytes and by storvsp.c for the time.
 *
 * Bytes. The disk begins as zeroes or as a raw image file, which is opened for
 * reading only: what is written lives in host memory, in blocks of 4 KiB that
 * are there once written, and is gone with the disk. That memory has a bound.
 * Reading and writing take effect at once.
 *
 * Time. Each request takes `latency_ns`, and after it passes its bytes through
 * one path of `bytes_per_second`. Up to `queue_depth` requests are worked on at
 * once; more wait until one of them is complete. So requests complete in the
 * order in which they were made. There are no seeks, and no caches.
 */

#include <stddef.h>

#include "sim/core/clock.h"
#include "sim/core/error.h"

#define DISK_SECTOR_BYTES 512

/** 64 TiB: the largest VHDX (Windows Server 2016 to 2022). */
#define DISK_BYTES_MAX (UINT64_C(64) << 40)

/** Data sheets of NVMe SSDs for servers, 2018 to 2020: reading 4 KiB takes 77
 *  to 90 us, reading in a row goes at 3 GB/s or a little more. */
#define DISK_LATENCY_NS_DEFAULT UINT64_C(80000)
#define DISK_BYTES_PER_SECOND_DEFAULT UINT64_C(3000000000)
#define DISK_QUEUE_DEPTH_DEFAULT 128
#define DISK_QUEUE_DEPTH_MAX 1024
/** How much of the host's memory what was written may take. */
#define DISK_MEMORY_BYTES_DEFAULT (UINT64_C(1) << 30)

/** Zero in a field means its default. */
struct disk_config {
    /** NULL: zeroes at first. Else a regular file of a whole number of
     *  sectors, which must not change while the disk is there. Borrowed. */
    const char *image_path;
    /** Without an image: the disk's size, a positive multiple of 512, at most
     *  DISK_BYTES_MAX. With one: 0 (the image's size), or more than it has;
     *  what the image does not have is zero. */
    uint64_t bytes;
    uint64_t memory_bytes_max;
    uint64_t latency_ns; /* at most an hour */
    uint64_t bytes_per_second;
    uint32_t queue_depth; /* at most DISK_QUEUE_DEPTH_MAX */
};

struct disk;

/** Gives the disk to the caller. SIM_BAD_SCENARIO, SIM_NO_INPUT (the image),
 *  SIM_NO_MEMORY. */
MUST_USE enum sim_status disk_create(struct disk **out,
                                     const struct disk_config *config,
                                     struct sim_clock clock,
                                     struct sim_error *error);
void disk_free(struct disk *disk);

uint64_t disk_sectors(const struct disk *disk);

enum disk_result {
    DISK_OK,
    DISK_FULL,  /* no more memory for what is written; part of it may be */
    DISK_FAULT, /* the image could not be read */
};

/** `count` sectors from `first` on. CHECKed to lie within the disk. */
enum disk_result disk_read(const struct disk *disk, uint64_t first,
                           uint32_t count, void *to);
enum disk_result disk_write(struct disk *disk, uint64_t first, uint32_t count,
                            const void *from);
/** The sectors read as zeroes from now on, and whole blocks among them take no
 *  memory (but a little, where an image shows through). */
enum disk_result disk_unmap(struct disk *disk, uint64_t first, uint64_t count);

/** Host memory that holds what was written. */
uint64_t disk_memory_bytes(const struct disk *disk);

/** When a request of `bytes` that is made at `now` will be complete; never
 *  before one that was made earlier. `now` never goes back. */
cycles_t disk_serve(struct disk *disk, cycles_t now, uint64_t bytes);

/** The VM is off: nobody waits for requests any more. What was written stays,
 *  as it does on any disk. */
void disk_forget_requests(struct disk *disk);

#endif
