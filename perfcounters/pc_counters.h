/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PERFCOUNTERS_PC_COUNTERS_H
#define HVSIM_PERFCOUNTERS_PC_COUNTERS_H

/**
 * counters.def as data: what each performance object shows and how each
 * counter is computed from cells. Read-only tables; for sim/ and tests.
 */

#include <stddef.h>
#include <stdint.h>

enum pc_object_id {
#define PC_OBJECT(id, set, name, help) PC_OBJECT_##id,
#include "perfcounters/counters.def"
    PC_OBJECT_COUNT,
};

/** How a value is made of cells; the text is in counters.def. */
enum pc_formula {
    PC_FORMULA_PERCENT,
    PC_FORMULA_RATE,
    PC_FORMULA_COST,
    PC_FORMULA_VALUE,
};

enum pc_raw {
    PC_RAW_COUNT,
    PC_RAW_CYCLES,
};

/** Neighbouring cells, `first` up to and excluding `end`; empty if equal. */
struct pc_cells {
    uint16_t first;
    uint16_t end;
};

struct pc_counter {
    const char *name; /* as Windows spells it */
    enum pc_formula formula;
    enum pc_raw raw;      /* of the cells in `sum` */
    struct pc_cells sum;  /* added up */
    struct pc_cells base; /* what a COST is divided by; empty otherwise */
    const char *unit;     /* "%", "1/s", "ns", "MHz" */
    const char *help;
    const char *feeder; /* the file that feeds it; "derived" for a sum */
};

struct pc_object {
    const char *name; /* as Windows spells it */
    const char *help;
    uint16_t cell_count;
    uint16_t counter_count;
    const struct pc_counter *counters; /* in the order of counters.def */
};

const struct pc_object *pc_counters_object(enum pc_object_id id);

/** The place of `name` among the counters of `id`, or -1. */
int pc_counters_find(enum pc_object_id id, const char *name);

/** "percent", "rate", "cost" or "value". */
const char *pc_counters_formula_name(enum pc_formula formula);

#endif
