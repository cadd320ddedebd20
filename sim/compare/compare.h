/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_COMPARE_COMPARE_H
#define HVSIM_SIM_COMPARE_COMPARE_H

/**
 * A comparison of runs: variants of a scenario, each run with some seeds, and
 * what was measured of each run. The command line fills it, variant by variant
 * and seed by seed; then it is summarised, and written as text, CSV, JSON or
 * SQLite. Nothing of the host enters it, so that the same runs make the same
 * bytes, whoever ran them in which order.
 */

#include <sqlite3.h>
#include <stdio.h>

#include "sim/compare/stats.h"
#include "sim/core/error.h"
#include "sim/results/results_schema.h"

/** Whether more of a metric is better. */
enum compare_better {
    COMPARE_UNKNOWN,
    COMPARE_LESS,
    COMPARE_MORE,
};

/** What a comparison measures of each run. */
struct compare_metric {
    char *group; /* owned; the VM that reported it; "" for a counter */
    char *name;  /* owned; as --metric takes it: "result:web:elapsed" */
    char *title; /* owned; for people: "web elapsed" */
    char *unit;  /* owned */
    enum compare_better better;
    /* A mean over VMs that no run has of several, and that nobody asked for: it
     * repeats the VM's own result. */
    bool is_repetition;
};

struct compare_value {
    bool known;
    double value; /* at most STATS_VALUE_MAX in size */
};

/** One run of a variant. */
struct compare_run {
    uint64_t seed;
    char *file;    /* owned; its results */
    char *failure; /* owned; why it has none; NULL: it succeeded */
    struct compare_value *values; /* owned; by metric */
    size_t value_count;           /* metrics beyond are not known */
};

/** A parameter in which variants differ. */
struct compare_parameter {
    char *path;  /* owned; "hypervisor.timeslice" */
    char *value; /* owned */
};

struct compare_variant {
    char *label;                          /* owned; "timeslice=1ms" */
    struct compare_parameter *parameters; /* owned */
    size_t parameter_count;
    struct compare_run *runs; /* owned; by seed */
    size_t run_count;
};

/** Of the variants with the least and the greatest mean, and those that equal
 *  them; of none if the two may differ by chance alone, which one run each of
 *  the same seed leaves open. */
enum compare_mark {
    COMPARE_NO_MARK,
    COMPARE_BEST,
    COMPARE_WORST,
    COMPARE_HIGHEST, /* where nobody knows which is better */
    COMPARE_LOWEST,
};

/** One metric of one variant. */
struct compare_cell {
    struct stats_estimate mean;
    struct stats_estimate difference; /* from the baseline's, seed by seed */
    enum compare_mark mark;
};

struct comparison {
    char *name;    /* owned; of the scenario; "NAME and others" of several */
    bool of_files; /* labels are files' names, and parameters are to be told */
    struct compare_variant *variants; /* owned */
    size_t variant_count;
    size_t baseline;                /* a variant */
    struct compare_metric *metrics; /* owned */
    size_t metric_count;
    size_t *order;              /* owned; of the metrics, to be shown in */
    struct compare_cell *cells; /* owned; metric by metric; compare_cell() */
    size_t last_metric; /* private to compare.c: the last one asked for */
};

/** The caller owns it. */
struct comparison *compare_create(const char *name);
void compare_free(struct comparison *comparison);

void compare_rename(struct comparison *comparison, const char *name);

/** A new variant, valid until the next is added. */
struct compare_variant *compare_add_variant(struct comparison *comparison,
                                            const char *label);
void compare_add_parameter(struct compare_variant *variant, const char *path,
                           const char *value);

/** A new run, put where its seed belongs; valid until the next is added. */
struct compare_run *compare_add_run(struct compare_variant *variant,
                                    uint64_t seed, const char *file);

/** The metric of that name and unit, which is added if it is not there: in the
 *  order behind others of its group, and counters last. */
size_t compare_add_metric(struct comparison *comparison, const char *group,
                          const char *name, const char *title, const char *unit,
                          enum compare_better better);

void compare_set_value(struct compare_run *run, size_t metric, double value);

/** Fills the cells, once all is there; metrics that are repetitions go. */
void compare_summarise(struct comparison *comparison);

const struct compare_cell *compare_cell(const struct comparison *comparison,
                                        size_t metric, size_t variant);

/** Runs of `variant` that failed. */
size_t compare_failures(const struct compare_variant *variant);

const char *compare_better_name(enum compare_better better); /* "less", "" */
const char *compare_mark_name(enum compare_mark mark);       /* "best", "" */

/* compare_text.c, compare_export.c, compare_store.c: what becomes of it. */

/** A table for people, at most `width` columns wide (0: no limit), unless the
 *  figures need more; in colours if `colours`. */
void compare_print_text(const struct comparison *comparison, FILE *out,
                        unsigned width, bool colours);
void compare_print_csv(const struct comparison *comparison, FILE *out);
void compare_print_json(const struct comparison *comparison, FILE *out);

#define COMPARE_APPLICATION_ID 0x68767363 /* "hvsc", in the file's header */
#define COMPARE_SCHEMA_VERSION 1          /* raised when a view changes */

/**
 * Writes it as an SQLite file, whose views are its stable face: comparison,
 * variant, parameter, run, measurement and summary. A file that is there is
 * refused (SIM_NO_OUTPUT) unless `replace` is set; then it is replaced when
 * the new one is complete.
 */
MUST_USE enum sim_status compare_store(const struct comparison *comparison,
                                       const char *path, bool replace,
                                       struct sim_error *error);

/** Its views, for people. */
const struct results_view *compare_views(size_t *count);

/** Opens such a file for reading; as results_open(). */
MUST_USE enum sim_status compare_open(sqlite3 **out, const char *path,
                                      struct sim_error *error);

/** Whether the file at `path` is one; false too if it cannot be read. */
bool compare_is_stored(const char *path);

#endif
