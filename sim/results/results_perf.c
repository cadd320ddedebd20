/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters: the tables behind the views perf and perf_total. */
#include <stdlib.h>

#include "sim/core/check.h"
#include "sim/results/results_private.h"
#include "sim/results/results_schema.h"

static enum sim_status put_interval(struct results *results,
                                    const struct pc_sample *sample,
                                    struct sim_error *error)
{
    sqlite3_stmt *row = results->statement[INSERT_INTERVAL];

    sqlite3_bind_int64(row, 1, results->interval);
    results_bind_time(row, 2, sample->start_ns);
    results_bind_time(row, 3, sample->end_ns);
    return results_put_row(results, row, error);
}

/* Instances, by their number in a report, which counts from 0; in the tables
 * they count from 1. */

static void bind_instance(sqlite3_stmt *row, int column, uint32_t instance)
{
    sqlite3_bind_int64(row, column, (int64_t)instance + 1);
}

static void make_room_for_known(struct results *results)
{
    uint32_t capacity = results->known_capacity * 2 + 64;

    if (results->known_count < results->known_capacity)
        return;
    results->known =
        realloc(results->known, capacity * sizeof(*results->known));
    CHECK(results->known != NULL);
    results->known_capacity = capacity;
}

/** Makes the instances of `sample` known to the file. */
static enum sim_status note_instances(struct results *results,
                                      const struct pc_sample *sample,
                                      struct sim_error *error)
{
    sqlite3_stmt *row = results->statement[INSERT_INSTANCE];
    enum sim_status status = SIM_OK;

    for (size_t i = 0; i < sample->row_count && status == SIM_OK; i++) {
        const struct pc_row *from = &sample->rows[i];

        if (from->instance < results->known_count)
            continue;
        /* A report gives out instance numbers in order. */
        CHECK(from->instance == results->known_count);
        make_room_for_known(results);
        results->known[results->known_count++] = (struct known_instance){0};
        bind_instance(row, 1, from->instance);
        sqlite3_bind_int(row, 2, (int)from->object + 1);
        results_bind_text(row, 3, from->name);
        status = results_put_row(results, row, error);
    }
    return status;
}

/** Notes from which interval on instances of `sample` are there (again). */
static enum sim_status begin_presences(struct results *results,
                                       const struct pc_sample *sample,
                                       struct sim_error *error)
{
    sqlite3_stmt *row = results->statement[BEGIN_PRESENCE];
    enum sim_status status = SIM_OK;

    for (size_t i = 0; i < sample->row_count && status == SIM_OK; i++) {
        uint32_t instance = sample->rows[i].instance;
        struct known_instance *known = &results->known[instance];

        known->last_seen = results->interval;
        if (known->present)
            continue;
        known->present = true;
        known->first_seen = results->interval;
        bind_instance(row, 1, instance);
        sqlite3_bind_int64(row, 2, known->first_seen);
        status = results_put_row(results, row, error);
    }
    return status;
}

/** Notes which instances were in the sample before but are not in this. */
static enum sim_status end_presences(struct results *results,
                                     struct sim_error *error)
{
    sqlite3_stmt *row = results->statement[END_PRESENCE];
    enum sim_status status = SIM_OK;

    for (uint32_t i = 0; i < results->known_count && status == SIM_OK; i++) {
        struct known_instance *known = &results->known[i];

        if (!known->present || known->last_seen == results->interval)
            continue;
        known->present = false;
        bind_instance(row, 1, i);
        sqlite3_bind_int64(row, 2, known->first_seen);
        sqlite3_bind_int64(row, 3, known->last_seen);
        status = results_put_row(results, row, error);
    }
    return status;
}

/* Values */

static enum sim_status put_values(struct results *results,
                                  const struct pc_row *from,
                                  struct sim_error *error)
{
    sqlite3_stmt *row = results->statement[INSERT_SAMPLE];
    size_t count = pc_counters_object(from->object)->counter_count;
    int64_t first_id = results_schema_counter_id(from->object, 0);
    enum sim_status status = SIM_OK;

    sqlite3_bind_int64(row, 1, results->interval);
    bind_instance(row, 2, from->instance);
    for (size_t i = 0; i < count && status == SIM_OK; i++) {
        if (from->values[i] == 0)
            continue;
        sqlite3_bind_int64(row, 3, first_id + (int64_t)i);
        sqlite3_bind_double(row, 4, from->values[i]);
        status = results_put_row(results, row, error);
    }
    return status;
}

static enum sim_status put_totals(struct results *results,
                                  const struct pc_row *from,
                                  struct sim_error *error)
{
    sqlite3_stmt *row = results->statement[INSERT_TOTAL];
    size_t count = pc_counters_object(from->object)->counter_count;
    int64_t first_id = results_schema_counter_id(from->object, 0);
    enum sim_status status = SIM_OK;

    bind_instance(row, 1, from->instance);
    for (size_t i = 0; i < count && status == SIM_OK; i++) {
        sqlite3_bind_int64(row, 2, first_id + (int64_t)i);
        sqlite3_bind_double(row, 3, from->values[i]);
        status = results_put_row(results, row, error);
    }
    return status;
}

enum sim_status results_put_sample(struct results *results,
                                   const struct pc_sample *sample,
                                   struct sim_error *error)
{
    enum sim_status status;

    results->interval++;
    status = put_interval(results, sample, error);
    if (status == SIM_OK)
        status = note_instances(results, sample, error);
    if (status == SIM_OK)
        status = begin_presences(results, sample, error);
    if (status == SIM_OK)
        status = end_presences(results, error);
    for (size_t i = 0; i < sample->row_count && status == SIM_OK; i++)
        status = put_values(results, &sample->rows[i], error);
    if (status == SIM_OK)
        results->sim_ns = sample->end_ns;
    return status;
}

/* An instance younger than the last interval is in none of them. */
enum sim_status results_put_total(struct results *results,
                                  const struct pc_sample *sample,
                                  struct sim_error *error)
{
    enum sim_status status = note_instances(results, sample, error);

    for (size_t i = 0; i < sample->row_count && status == SIM_OK; i++)
        status = put_totals(results, &sample->rows[i], error);
    return status;
}
