/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "perfcounters/pc_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "perfcounters/pc_quotient.h"
#include "sim/core/check.h"

#define NS_PER_S UINT64_C(1000000000)

struct instance {
    enum pc_object_id object;
    char *name;            /* owned */
    const uint64_t *cells; /* borrowed; NULL for "_Total" and while retired */
    bool total;            /* is the object's "_Total" */
    bool gone;        /* retired, and the sample after that has been taken */
    uint64_t *kept;   /* what the cells of earlier lives held, added up */
    uint64_t *now;    /* as last read, kept ones included; or the sum over the
                       * instances */
    uint64_t *before; /* cells as of the sample before */
    uint64_t *change; /* what the interval added to each, or its sum */
    double *values;   /* one per counter */
    uint64_t members; /* instances in the sums; 1 but for "_Total" */
};

struct pc_report {
    struct sim_clock clock;
    enum pc_total_rule total_rule[PC_OBJECT_COUNT];
    struct instance *instances; /* owned, in order of registration */
    uint32_t instance_count;
    uint32_t instance_capacity;
    int64_t total_of[PC_OBJECT_COUNT]; /* index of "_Total", or -1 */
    struct pc_row *rows;               /* owned; room for every instance */
    struct pc_sample sample;
    cycles_t sampled; /* when the last sample was taken */
};

static void *allocate(size_t count, size_t bytes)
{
    void *memory = calloc(count, bytes);

    CHECK(memory != NULL);
    return memory;
}

struct pc_report *pc_report_create(struct sim_clock clock,
                                   enum pc_total_rule vp_total)
{
    struct pc_report *report = allocate(1, sizeof(*report));

    report->clock = clock;
    report->total_rule[PC_OBJECT_LP] = PC_TOTAL_MEAN;
    report->total_rule[PC_OBJECT_VP] = vp_total;
    report->total_rule[PC_OBJECT_ROOT_VP] = vp_total;
    report->total_rule[PC_OBJECT_NIC] = PC_TOTAL_MEAN;
    report->total_rule[PC_OBJECT_DISK] = PC_TOTAL_SUM;
    report->total_rule[PC_OBJECT_VID] = PC_TOTAL_SUM;
    for (int i = 0; i < PC_OBJECT_COUNT; i++)
        report->total_of[i] = -1;
    return report;
}

void pc_report_free(struct pc_report *report)
{
    if (report == NULL)
        return;
    for (uint32_t i = 0; i < report->instance_count; i++) {
        struct instance *instance = &report->instances[i];

        free(instance->name);
        free(instance->kept);
        free(instance->now);
        free(instance->before);
        free(instance->change);
        free(instance->values);
    }
    free(report->instances);
    free(report->rows);
    free(report);
}

/* Registration */

static void make_room(struct pc_report *report)
{
    uint32_t capacity = report->instance_capacity * 2 + 8;

    if (report->instance_count < report->instance_capacity)
        return;
    report->instances =
        realloc(report->instances, capacity * sizeof(*report->instances));
    report->rows = realloc(report->rows, capacity * sizeof(*report->rows));
    CHECK(report->instances != NULL && report->rows != NULL);
    report->instance_capacity = capacity;
}

/** Takes `name`. */
static struct instance *new_instance(struct pc_report *report,
                                     enum pc_object_id id, char *name,
                                     const uint64_t *cells)
{
    const struct pc_object *object = pc_counters_object(id);

    CHECK(name != NULL);
    make_room(report);
    struct instance *instance = &report->instances[report->instance_count++];
    *instance = (struct instance){
        .object = id,
        .cells = cells,
        .kept = allocate(object->cell_count, sizeof(uint64_t)),
        .now = allocate(object->cell_count, sizeof(uint64_t)),
        .before = allocate(object->cell_count, sizeof(uint64_t)),
        .change = allocate(object->cell_count, sizeof(uint64_t)),
        .values = allocate(object->counter_count, sizeof(double)),
        .members = 1,
    };
    instance->name = name;
    return instance;
}

static bool is_retired(const struct instance *instance)
{
    return !instance->total && instance->cells == NULL;
}

/** The instance of that name that has been retired; NULL: there is none. */
static struct instance *find_retired(struct pc_report *report,
                                     enum pc_object_id id, const char *name)
{
    for (uint32_t i = 0; i < report->instance_count; i++) {
        struct instance *instance = &report->instances[i];

        if (is_retired(instance) && instance->object == id &&
            strcmp(instance->name, name) == 0)
            return instance;
    }
    return NULL;
}

/** Takes `name`. */
static void add_instance(struct pc_report *report, enum pc_object_id id,
                         char *name, const uint64_t *cells)
{
    struct instance *again = find_retired(report, id, name);

    if (again != NULL) {
        again->cells = cells;
        again->gone = false;
        free(name);
        return;
    }
    if (report->total_of[id] < 0) {
        report->total_of[id] = report->instance_count;
        new_instance(report, id, strdup("_Total"), NULL)->total = true;
    }
    new_instance(report, id, name, cells);
}

static char *PRINTF_LIKE(1, 2) format_name(const char *format, ...)
{
    char *name = NULL;
    va_list arguments;

    va_start(arguments, format);
    CHECK(vasprintf(&name, format, arguments) >= 0);
    va_end(arguments);
    return name;
}

void pc_report_add_lp(struct pc_report *report, lp_id_t lp,
                      const struct pc_lp *cells)
{
    add_instance(report, PC_OBJECT_LP, format_name("Hv LP %u", lp.v),
                 cells->cell);
}

void pc_report_add_vp(struct pc_report *report, const char *vm_name,
                      vp_index_t vp, const struct pc_vp *cells)
{
    CHECK(strchr(vm_name, ':') == NULL);
    add_instance(report, PC_OBJECT_VP,
                 format_name("%s:Hv VP %u", vm_name, vp.v), cells->cell);
}

void pc_report_add_root_vp(struct pc_report *report, vp_index_t vp,
                           const struct pc_vp *cells)
{
    add_instance(report, PC_OBJECT_ROOT_VP, format_name("Root VP %u", vp.v),
                 cells->cell);
}

void pc_report_add_nic(struct pc_report *report, const char *vm_name,
                       uint32_t index, const struct pc_nic *cells)
{
    add_instance(report, PC_OBJECT_NIC,
                 format_name("%s_Network Adapter_%u", vm_name, index),
                 cells->cell);
}

void pc_report_add_disk(struct pc_report *report, const char *vm_name,
                        uint32_t index, const struct pc_disk *cells)
{
    add_instance(report, PC_OBJECT_DISK,
                 format_name("%s_Hard Drive_%u", vm_name, index), cells->cell);
}

void pc_report_add_vid(struct pc_report *report, const char *vm_name,
                       const struct pc_vid *cells)
{
    add_instance(report, PC_OBJECT_VID, format_name("%s", vm_name),
                 cells->cell);
}

static struct instance *find_instance(struct pc_report *report,
                                      const uint64_t *cells)
{
    for (uint32_t i = 0; i < report->instance_count; i++)
        if (report->instances[i].cells == cells)
            return &report->instances[i];
    return NULL;
}

void pc_report_retire_vp(struct pc_report *report, const struct pc_vp *cells)
{
    struct instance *instance = find_instance(report, cells->cell);

    CHECK(instance != NULL);
    /* None of a VP's cells is a gauge, which could not be added up. */
    for (int i = 0; i < PC_VP_CELL_COUNT; i++)
        instance->kept[i] += cells->cell[i];
    instance->cells = NULL;
}

uint64_t pc_report_vp_cell(const struct pc_vp *cells, enum pc_vp_cell cell)
{
    return cells->cell[cell];
}

/* Derivation */

static uint64_t sum_of(struct pc_cells cells, const uint64_t *of)
{
    uint64_t sum = 0;

    for (uint16_t i = cells.first; i < cells.end; i++)
        sum += of[i];
    return sum;
}

/** By what a percentage or a value of `instance` is divided besides. */
static uint64_t shared_by(const struct pc_report *report,
                          const struct instance *instance)
{
    bool summed = report->total_rule[instance->object] == PC_TOTAL_SUM;

    return summed ? 1 : instance->members;
}

/** A plain number may be below 0: it is held as its two's complement, and so is
 *  a sum of such. */
static double plain_value(uint64_t held, uint64_t shared)
{
    if (held > INT64_MAX)
        return -pc_quotient(0 - held, shared);
    return pc_quotient(held, shared);
}

/** What `counter` shows for `instance` over an interval of `elapsed`. */
static double derive(const struct pc_report *report,
                     const struct instance *instance,
                     const struct pc_counter *counter, cycles_t elapsed)
{
    pc_wide_t hz = report->clock.hz;
    pc_wide_t change = sum_of(counter->sum, instance->change);
    pc_wide_t held = sum_of(counter->sum, instance->now);

    switch (counter->formula) {
    case PC_FORMULA_PERCENT:
        return pc_quotient(change * 100,
                           (pc_wide_t)elapsed.v * shared_by(report, instance));
    case PC_FORMULA_RATE:
        return pc_quotient(change * hz, elapsed.v);
    case PC_FORMULA_COST:
        return pc_quotient(change * NS_PER_S,
                           hz * sum_of(counter->base, instance->change));
    case PC_FORMULA_VALUE:
        if (counter->raw == PC_RAW_CYCLES)
            return pc_quotient(held * NS_PER_S,
                               hz * shared_by(report, instance));
        return plain_value((uint64_t)held, shared_by(report, instance));
    }
    return 0;
}

static void derive_all(const struct pc_report *report,
                       struct instance *instance, cycles_t elapsed)
{
    const struct pc_object *object = pc_counters_object(instance->object);

    for (uint16_t i = 0; i < object->counter_count; i++)
        instance->values[i] =
            derive(report, instance, &object->counters[i], elapsed);
}

/* Samples */

static void clear_totals(struct pc_report *report)
{
    for (int id = 0; id < PC_OBJECT_COUNT; id++) {
        const struct pc_object *object =
            pc_counters_object((enum pc_object_id)id);

        if (report->total_of[id] < 0)
            continue;
        struct instance *total = &report->instances[report->total_of[id]];
        memset(total->now, 0, object->cell_count * sizeof(*total->now));
        memset(total->change, 0, object->cell_count * sizeof(*total->change));
        total->members = 0;
    }
}

static void add_to_total(struct pc_report *report,
                         const struct instance *instance)
{
    struct instance *total =
        &report->instances[report->total_of[instance->object]];
    uint16_t cell_count = pc_counters_object(instance->object)->cell_count;

    for (uint16_t i = 0; i < cell_count; i++) {
        total->now[i] += instance->now[i];
        total->change[i] += instance->change[i];
    }
    total->members++;
}

/** What `cell` has come to, over all lives of `instance`. */
static uint64_t read_cell(const struct instance *instance, unsigned cell)
{
    return instance->kept[cell] +
           (instance->cells != NULL ? instance->cells[cell] : 0);
}

/** Reads the cells; the change is since `before`, which may be NULL for 0. */
static void read_cells(struct instance *instance, const uint64_t *before)
{
    uint16_t cell_count = pc_counters_object(instance->object)->cell_count;

    for (uint16_t i = 0; i < cell_count; i++) {
        instance->now[i] = read_cell(instance, i);
        instance->change[i] = instance->now[i] - (before ? before[i] : 0);
    }
}

static void add_row(struct pc_report *report, uint32_t index)
{
    const struct instance *instance = &report->instances[index];

    report->rows[report->sample.row_count++] = (struct pc_row){
        .object = instance->object,
        .instance = index,
        .name = instance->name,
        .values = instance->values,
    };
}

static void make_rows(struct pc_report *report, cycles_t elapsed, bool of_gone)
{
    report->sample.row_count = 0;
    for (uint32_t i = 0; i < report->instance_count; i++) {
        struct instance *instance = &report->instances[i];

        if (instance->gone && !of_gone)
            continue;
        derive_all(report, instance, elapsed);
        add_row(report, i);
    }
    report->sample.rows = report->rows;
}

static void advance(struct instance *instance)
{
    uint16_t cell_count = pc_counters_object(instance->object)->cell_count;

    memcpy(instance->before, instance->now, cell_count * sizeof(uint64_t));
}

const struct pc_sample *pc_report_sample(struct pc_report *report, cycles_t now)
{
    CHECK(cycles_before(report->sampled, now));
    clear_totals(report);
    for (uint32_t i = 0; i < report->instance_count; i++) {
        struct instance *instance = &report->instances[i];

        if (instance->total || instance->gone)
            continue;
        read_cells(instance, instance->before);
        add_to_total(report, instance);
        advance(instance);
    }
    make_rows(report, cycles_sub(now, report->sampled), false);
    for (uint32_t i = 0; i < report->instance_count; i++)
        report->instances[i].gone = is_retired(&report->instances[i]);

    report->sample.start_ns = clock_to_ns(report->clock, report->sampled);
    report->sample.end_ns = clock_to_ns(report->clock, now);
    report->sampled = now;
    return &report->sample;
}

const struct pc_sample *pc_report_total(struct pc_report *report, cycles_t now)
{
    clear_totals(report);
    for (uint32_t i = 0; i < report->instance_count; i++) {
        struct instance *instance = &report->instances[i];

        if (instance->total)
            continue;
        read_cells(instance, NULL);
        add_to_total(report, instance);
    }
    make_rows(report, now, true);
    report->sample.start_ns = 0;
    report->sample.end_ns = clock_to_ns(report->clock, now);
    return &report->sample;
}

/* Laws */

static enum sim_status check_lp(const struct instance *lp, cycles_t elapsed,
                                struct sim_error *error)
{
    uint64_t accounted = read_cell(lp, PC_LP_GUEST_TIME) +
                         read_cell(lp, PC_LP_HYPERVISOR_TIME) +
                         read_cell(lp, PC_LP_IDLE_TIME);

    if (accounted == elapsed.v)
        return SIM_OK;
    return sim_fail(error, SIM_RUN_FAILED,
                    "%s: guest + hypervisor + idle time is %llu cycles, but "
                    "%llu have elapsed",
                    lp->name, (unsigned long long)accounted,
                    (unsigned long long)elapsed.v);
}

/* Waiting is not among them: all of a wait is counted when it ends, which may
 * be a little after the end of the run. */
static enum sim_status check_vp(const struct instance *vp, cycles_t elapsed,
                                struct sim_error *error)
{
    uint64_t accounted = read_cell(vp, PC_VP_GUEST_TIME) +
                         read_cell(vp, PC_VP_HYPERVISOR_TIME) +
                         read_cell(vp, PC_VP_IDLE_TIME);

    if (accounted <= elapsed.v)
        return SIM_OK;
    return sim_fail(error, SIM_RUN_FAILED,
                    "%s: guest + hypervisor + idle time is %llu "
                    "cycles, but only %llu have elapsed",
                    vp->name, (unsigned long long)accounted,
                    (unsigned long long)elapsed.v);
}

struct run_times {
    uint64_t guest;
    uint64_t hypervisor;
};

static enum sim_status check_sums(struct run_times lps, struct run_times vps,
                                  struct sim_error *error)
{
    if (lps.guest != vps.guest)
        return sim_fail(error, SIM_RUN_FAILED,
                        "guest time is %llu cycles summed over LPs, but %llu "
                        "summed over VPs",
                        (unsigned long long)lps.guest,
                        (unsigned long long)vps.guest);
    if (lps.hypervisor < vps.hypervisor)
        return sim_fail(error, SIM_RUN_FAILED,
                        "hypervisor time is %llu cycles summed over LPs, but "
                        "%llu, which is more, summed over VPs",
                        (unsigned long long)lps.hypervisor,
                        (unsigned long long)vps.hypervisor);
    return SIM_OK;
}

enum sim_status pc_report_check(const struct pc_report *report, cycles_t now,
                                struct sim_error *error)
{
    struct run_times lps = {0};
    struct run_times vps = {0};
    enum sim_status status = SIM_OK;

    for (uint32_t i = 0; i < report->instance_count && status == SIM_OK; i++) {
        const struct instance *instance = &report->instances[i];

        if (instance->total)
            continue;
        if (instance->object == PC_OBJECT_LP) {
            status = check_lp(instance, now, error);
            lps.guest += read_cell(instance, PC_LP_GUEST_TIME);
            lps.hypervisor += read_cell(instance, PC_LP_HYPERVISOR_TIME);
        } else if (instance->object == PC_OBJECT_VP ||
                   instance->object == PC_OBJECT_ROOT_VP) {
            status = check_vp(instance, now, error);
            vps.guest += read_cell(instance, PC_VP_GUEST_TIME);
            vps.hypervisor += read_cell(instance, PC_VP_HYPERVISOR_TIME);
        }
    }
    return status == SIM_OK ? check_sums(lps, vps, error) : status;
}
