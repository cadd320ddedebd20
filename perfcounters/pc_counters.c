/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "perfcounters/pc_counters.h"

#include <string.h>

#include "perfcounters/pc_feed.h"
#include "sim/core/check.h"

/** One entry of a table of counters. */
#define COUNTER(name_, formula_, raw_, unit_, help_, feeder_, sum_, base_)     \
    {.name = (name_),                                                          \
     .formula = PC_FORMULA_##formula_,                                         \
     .raw = (raw_),                                                            \
     .sum = sum_,                                                              \
     .base = base_,                                                            \
     .unit = (unit_),                                                          \
     .help = (help_),                                                          \
     .feeder = (feeder_)},

/** The cells from..to; none where `from` is the set's "no cell". */
#define CELLS(from, to, none)                                                  \
    {                                                                          \
        .first = (from), .end = (from) == (none) ? (from) : (to) + 1           \
    }
#define LP_CELLS(from, to) CELLS(from, to, PC_LP_NONE)
#define VP_CELLS(from, to) CELLS(from, to, PC_VP_NONE)
#define NIC_CELLS(from, to) CELLS(from, to, PC_NIC_NONE)
#define DISK_CELLS(from, to) CELLS(from, to, PC_DISK_NONE)
#define VID_CELLS(from, to) CELLS(from, to, PC_VID_NONE)
#define NO_CELLS                                                               \
    {                                                                          \
        0, 0                                                                   \
    }

/* What a sum adds up: a rate's cells are occurrences, the others' times. */
#define RAW_OF_RATE PC_RAW_COUNT
#define RAW_OF_PERCENT PC_RAW_CYCLES
#define RAW_OF_COST PC_RAW_CYCLES

static const struct pc_counter lp_counters[] = {
#define PC_LP(id, name, raw, formula, unit, feeder, help)                      \
    COUNTER(name, formula, PC_RAW_##raw, unit, help, feeder,                   \
            LP_CELLS(PC_LP_##id, PC_LP_##id), NO_CELLS)
#define PC_LP_SUM(name, formula, unit, help, first, last, per_first, per_last) \
    COUNTER(name, formula, RAW_OF_##formula, unit, help, "derived",            \
            LP_CELLS(first, last), LP_CELLS(per_first, per_last))
#include "perfcounters/counters.def"
};

#define PAIR_COUNT(id) (PC_VP_PAIR_COUNT_FIRST + (int)PC_INTERCEPT_##id)
#define PAIR_TIME(id) (PC_VP_PAIR_TIME_FIRST + (int)PC_INTERCEPT_##id)

static const struct pc_counter vp_counters[] = {
#define PC_VP(id, name, raw, formula, unit, feeder, help)                      \
    COUNTER(name, formula, PC_RAW_##raw, unit, help, feeder,                   \
            VP_CELLS(PC_VP_##id, PC_VP_##id), NO_CELLS)
#define PC_VP_PAIR(id, name, feeder, help)                                     \
    COUNTER(name "/sec", RATE, PC_RAW_COUNT, "1/s", help, feeder,              \
            VP_CELLS(PAIR_COUNT(id), PAIR_COUNT(id)), NO_CELLS)                \
    COUNTER(name " Cost", COST, PC_RAW_CYCLES, "ns",                           \
            "mean hypervisor time of one of them: " help, feeder,              \
            VP_CELLS(PAIR_TIME(id), PAIR_TIME(id)),                            \
            VP_CELLS(PAIR_COUNT(id), PAIR_COUNT(id)))
#define PC_VP_SUM(name, formula, unit, help, first, last, per_first, per_last) \
    COUNTER(name, formula, RAW_OF_##formula, unit, help, "derived",            \
            VP_CELLS(first, last), VP_CELLS(per_first, per_last))
#include "perfcounters/counters.def"
};

static const struct pc_counter nic_counters[] = {
#define PC_NIC(id, name, raw, formula, unit, feeder, help)                     \
    COUNTER(name, formula, PC_RAW_##raw, unit, help, feeder,                   \
            NIC_CELLS(PC_NIC_##id, PC_NIC_##id), NO_CELLS)
#define PC_NIC_SUM(name, formula, unit, help, first, last, per_first,          \
                   per_last)                                                   \
    COUNTER(name, formula, RAW_OF_##formula, unit, help, "derived",            \
            NIC_CELLS(first, last), NIC_CELLS(per_first, per_last))
#include "perfcounters/counters.def"
};

static const struct pc_counter disk_counters[] = {
#define PC_DISK(id, name, raw, formula, unit, feeder, help)                    \
    COUNTER(name, formula, PC_RAW_##raw, unit, help, feeder,                   \
            DISK_CELLS(PC_DISK_##id, PC_DISK_##id), NO_CELLS)
#define PC_DISK_SUM(name, formula, unit, help, first, last, per_first,         \
                    per_last)                                                  \
    COUNTER(name, formula, RAW_OF_##formula, unit, help, "derived",            \
            DISK_CELLS(first, last), DISK_CELLS(per_first, per_last))
#include "perfcounters/counters.def"
};

static const struct pc_counter vid_counters[] = {
#define PC_VID(id, name, raw, formula, unit, feeder, help)                     \
    COUNTER(name, formula, PC_RAW_##raw, unit, help, feeder,                   \
            VID_CELLS(PC_VID_##id, PC_VID_##id), NO_CELLS)
#include "perfcounters/counters.def"
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct pc_object objects[PC_OBJECT_COUNT] = {
#define LP_TABLE lp_counters
#define VP_TABLE vp_counters
#define NIC_TABLE nic_counters
#define DISK_TABLE disk_counters
#define VID_TABLE vid_counters
#define PC_OBJECT(id, set, name_, help_)                                       \
    [PC_OBJECT_##id] = {.name = (name_),                                       \
                        .help = (help_),                                       \
                        .cell_count = PC_##set##_CELL_COUNT,                   \
                        .counter_count = LENGTH(set##_TABLE),                  \
                        .counters = set##_TABLE},
#include "perfcounters/counters.def"
};

const struct pc_object *pc_counters_object(enum pc_object_id id)
{
    CHECK(id < PC_OBJECT_COUNT);
    return &objects[id];
}

int pc_counters_find(enum pc_object_id id, const char *name)
{
    const struct pc_object *object = pc_counters_object(id);

    for (int i = 0; i < object->counter_count; i++)
        if (strcmp(object->counters[i].name, name) == 0)
            return i;
    return -1;
}

const char *pc_counters_formula_name(enum pc_formula formula)
{
    static const char *const names[] = {
        [PC_FORMULA_PERCENT] = "percent",
        [PC_FORMULA_RATE] = "rate",
        [PC_FORMULA_COST] = "cost",
        [PC_FORMULA_VALUE] = "value",
    };

    CHECK(formula < LENGTH(names));
    return names[formula];
}
