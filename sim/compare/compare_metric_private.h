/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_COMPARE_COMPARE_METRIC_PRIVATE_H
#define HVSIM_SIM_COMPARE_COMPARE_METRIC_PRIVATE_H

/**
 * What a selection of metrics is: for compare_metric.c, which makes it, and
 * compare_read.c, which goes by it.
 */

#include "perfcounters/pc_counters.h"
#include "sim/compare/compare_metric.h"

/** A --metric, or a default: one of `counter` and `name` is set. */
struct compare_pattern {
    const char *written;        /* borrowed; NULL: a default */
    enum compare_better better; /* COMPARE_UNKNOWN: not said */
    enum pc_object_id object;
    const struct pc_counter *counter;
    char *instance; /* owned */
    bool is_mean;   /* of a result, over the VMs that have it */
    char *vm;       /* owned; NULL of a mean */
    char *name;     /* owned */
    bool met;       /* some run had it */
};

struct compare_selection {
    struct compare_pattern *patterns; /* owned */
    size_t count;
};

/** An object without what all have in front: "Logical Processor". */
const char *compare_metric_short_object(const char *name);

#endif
