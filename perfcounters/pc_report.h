/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PERFCOUNTERS_PC_REPORT_H
#define HVSIM_PERFCOUNTERS_PC_REPORT_H

/**
 * Reads the cells that pc_feed.h feeds: knows every instance of every object,
 * takes samples at interval ends and makes Performance Monitor's values of
 * them. For sim/ and tests only; nobody else may read a counter.
 *
 * Values are exact: each is one quotient of integers, rounded once to the
 * nearest double, so they depend on no order of summation and no compiler.
 *
 * There is one instance of a name. A VP that goes and comes back, as its VM is
 * started again, is the same one: it has no rows while it is away, and its
 * total is over all of its lives.
 *
 * "_Total", an instance of each object that has any other:
 *   PERCENT  the mean over the instances; the VP objects can be set to the sum
 *            instead, because the published descriptions of them disagree
 *   RATE     the sum
 *   COST     all time / all occurrences
 *   VALUE    the mean
 */

#include <stddef.h>

#include "perfcounters/pc_counters.h"
#include "perfcounters/pc_feed.h"
#include "sim/core/clock.h"
#include "sim/core/error.h"
#include "sim/core/types.h"

enum pc_total_rule {
    PC_TOTAL_MEAN,
    PC_TOTAL_SUM,
};

struct pc_report;

/**
 * One instance in a sample. `instance` numbers instances of all objects from
 * 0 in the order in which they came to be, "_Total" included; it names the
 * same instance in every sample of a report.
 */
struct pc_row {
    enum pc_object_id object;
    uint32_t instance;
    const char *name;     /* "Hv LP 0", "web:Hv VP 0", "Root VP 0", "_Total" */
    const double *values; /* one per counter of the object, in its order */
};

/** What the counters showed over one interval; rows are in `instance` order. */
struct pc_sample {
    uint64_t start_ns;
    uint64_t end_ns;
    size_t row_count;
    const struct pc_row *rows;
};

/**
 * The caller owns the report. The run starts at cycle 0 of `clock`;
 * `vp_total` is how the VP objects' percentages make their "_Total".
 */
struct pc_report *pc_report_create(struct sim_clock clock,
                                   enum pc_total_rule vp_total);
void pc_report_free(struct pc_report *report);

/**
 * Registers an instance, or goes on with a retired one of that name. The cells
 * are borrowed until pc_report_retire_vp() or the report's end; `vm_name` is
 * copied and may be anything but must not hold a ':', which would make the
 * instance's name ambiguous.
 */
void pc_report_add_lp(struct pc_report *report, lp_id_t lp,
                      const struct pc_lp *cells);
void pc_report_add_vp(struct pc_report *report, const char *vm_name,
                      vp_index_t vp, const struct pc_vp *cells);
void pc_report_add_root_vp(struct pc_report *report, vp_index_t vp,
                           const struct pc_vp *cells);
void pc_report_add_nic(struct pc_report *report, const char *vm_name,
                       uint32_t index, const struct pc_nic *cells);
void pc_report_add_disk(struct pc_report *report, const char *vm_name,
                        uint32_t index, const struct pc_disk *cells);

void pc_report_add_vid(struct pc_report *report, const char *vm_name,
                       const struct pc_vid *cells);

/** What a cell of a VP holds, for the laws of sim/machine. */
uint64_t pc_report_vp_cell(const struct pc_vp *cells, enum pc_vp_cell cell);

/**
 * The processor that owns `cells` goes away: their last values are kept for
 * the sample of this interval, for the total and for the next of that name, and
 * the cells may be freed.
 */
void pc_report_retire_vp(struct pc_report *report, const struct pc_vp *cells);

/**
 * The values since the sample before (or since the start), as of `now`, which
 * must be later. The sample is the report's, valid until its next call.
 */
const struct pc_sample *pc_report_sample(struct pc_report *report,
                                         cycles_t now);

/** The values from the start to `now`, over all instances that ever were. */
const struct pc_sample *pc_report_total(struct pc_report *report, cycles_t now);

/**
 * The laws that hold at the end of a run, to the cycle: on each LP, guest,
 * hypervisor and idle time make up the time elapsed; the VPs' guest time is
 * the LPs'; the VPs' hypervisor time is within the LPs'; no VP has more guest,
 * hypervisor and idle time than elapsed. SIM_RUN_FAILED says which one is
 * broken, where.
 */
MUST_USE enum sim_status pc_report_check(const struct pc_report *report,
                                         cycles_t now, struct sim_error *error);

#endif
