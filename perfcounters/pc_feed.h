/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PERFCOUNTERS_PC_FEED_H
#define HVSIM_PERFCOUNTERS_PC_FEED_H

/**
 * How all parts of the simulator count: they own the cells of their processor
 * and add to them. Nothing here reads a cell, so no feature can decide
 * anything by a counter; pc_report.h, for sim/ and tests, reads.
 *
 * Zero-initialise a set. Times are fed in cycles.
 */

#include "sim/core/types.h"

/** Cells of a logical processor; what each counts stands in counters.def. */
enum pc_lp_cell {
#define PC_LP(id, name, raw, formula, unit, feeder, help) PC_LP_##id,
#include "perfcounters/counters.def"
    PC_LP_CELL_COUNT,
    PC_LP_NONE = PC_LP_CELL_COUNT, /* no cell: only in counters.def */
};

/** A class of intercepts, counted together with the time it takes. */
enum pc_intercept {
#define PC_VP_PAIR(id, name, feeder, help) PC_INTERCEPT_##id,
#include "perfcounters/counters.def"
    PC_INTERCEPT_COUNT,
};

/** Cells of a virtual processor, a VM's or the root's. */
enum pc_vp_cell {
#define PC_VP(id, name, raw, formula, unit, feeder, help) PC_VP_##id,
#define PC_VP_CELL(id, raw, feeder, help) PC_VP_##id,
#include "perfcounters/counters.def"
    PC_VP_PAIR_COUNT_FIRST,
    PC_VP_PAIR_COUNT_LAST = PC_VP_PAIR_COUNT_FIRST + PC_INTERCEPT_COUNT - 1,
    PC_VP_PAIR_TIME_FIRST,
    PC_VP_PAIR_TIME_LAST = PC_VP_PAIR_TIME_FIRST + PC_INTERCEPT_COUNT - 1,
    PC_VP_CELL_COUNT,
    PC_VP_NONE = PC_VP_CELL_COUNT, /* no cell: only in counters.def */
};

/** Cells of a network adapter. */
enum pc_nic_cell {
#define PC_NIC(id, name, raw, formula, unit, feeder, help) PC_NIC_##id,
#include "perfcounters/counters.def"
    PC_NIC_CELL_COUNT,
    PC_NIC_NONE = PC_NIC_CELL_COUNT, /* no cell: only in counters.def */
};

/** Cells of a disk. */
enum pc_disk_cell {
#define PC_DISK(id, name, raw, formula, unit, feeder, help) PC_DISK_##id,
#define PC_DISK_CELL(id, raw, feeder, help) PC_DISK_##id,
#include "perfcounters/counters.def"
    PC_DISK_CELL_COUNT,
    PC_DISK_NONE = PC_DISK_CELL_COUNT, /* no cell: only in counters.def */
};

/** Cells of a VM's memory. */
enum pc_vid_cell {
#define PC_VID(id, name, raw, formula, unit, feeder, help) PC_VID_##id,
#include "perfcounters/counters.def"
    PC_VID_CELL_COUNT,
    PC_VID_NONE = PC_VID_CELL_COUNT, /* no cell: only in counters.def */
};

struct pc_lp {
    uint64_t cell[PC_LP_CELL_COUNT]; /* private to perfcounters/ */
};

struct pc_vp {
    uint64_t cell[PC_VP_CELL_COUNT]; /* private to perfcounters/ */
};

struct pc_nic {
    uint64_t cell[PC_NIC_CELL_COUNT]; /* private to perfcounters/ */
};

struct pc_disk {
    uint64_t cell[PC_DISK_CELL_COUNT]; /* private to perfcounters/ */
};

struct pc_vid {
    uint64_t cell[PC_VID_CELL_COUNT]; /* private to perfcounters/ */
};

/** `n` more occurrences. */
static inline void pc_lp_add(struct pc_lp *lp, enum pc_lp_cell cell, uint64_t n)
{
    lp->cell[cell] += n;
}

static inline void pc_vp_add(struct pc_vp *vp, enum pc_vp_cell cell, uint64_t n)
{
    vp->cell[cell] += n;
}

static inline void pc_nic_add(struct pc_nic *nic, enum pc_nic_cell cell,
                              uint64_t n)
{
    nic->cell[cell] += n;
}

static inline void pc_disk_add(struct pc_disk *disk, enum pc_disk_cell cell,
                               uint64_t n)
{
    disk->cell[cell] += n;
}

/** `time` more spent. */
static inline void pc_lp_add_time(struct pc_lp *lp, enum pc_lp_cell cell,
                                  cycles_t time)
{
    lp->cell[cell] += time.v;
}

static inline void pc_vp_add_time(struct pc_vp *vp, enum pc_vp_cell cell,
                                  cycles_t time)
{
    vp->cell[cell] += time.v;
}

static inline void pc_disk_add_time(struct pc_disk *disk,
                                    enum pc_disk_cell cell, cycles_t time)
{
    disk->cell[cell] += time.v;
}

/** One intercept of `class`, for which the hypervisor took `time`. */
static inline void pc_vp_add_intercept(struct pc_vp *vp,
                                       enum pc_intercept class, cycles_t time)
{
    vp->cell[PC_VP_PAIR_COUNT_FIRST + class] += 1;
    vp->cell[PC_VP_PAIR_TIME_FIRST + class] += time.v;
}

/** Sets a gauge: a cell whose formula is VALUE. Cycles for a time. */
static inline void pc_lp_set(struct pc_lp *lp, enum pc_lp_cell cell,
                             uint64_t value)
{
    lp->cell[cell] = value;
}

/** The same where a value may be below 0, such as an index that there may not
 *  be. */
static inline void pc_lp_set_signed(struct pc_lp *lp, enum pc_lp_cell cell,
                                    int64_t value)
{
    lp->cell[cell] = (uint64_t)value;
}

static inline void pc_vid_set(struct pc_vid *vid, enum pc_vid_cell cell,
                              uint64_t value)
{
    vid->cell[cell] = value;
}

#endif
