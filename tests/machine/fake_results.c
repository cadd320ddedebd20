/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/machine/fake_results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"

void fake_results_clear(struct results *results)
{
    for (size_t i = 0; i < results->total_count; i++) {
        free(results->totals[i].name);
        free(results->totals[i].values);
    }
    free(results->totals);
    free(results->events);
    *results = (struct results){0};
}

double fake_results_total(const struct results *results,
                          enum pc_object_id object, const char *instance,
                          const char *counter)
{
    int at = pc_counters_find(object, counter);

    CHECK(at >= 0);
    for (size_t i = 0; i < results->total_count; i++) {
        const struct fake_row *row = &results->totals[i];

        if (row->object == object && strcmp(row->name, instance) == 0)
            return row->values[at];
    }
    fprintf(stderr, "no instance \"%s\"\n", instance);
    abort();
}

static double value_of(const struct pc_row *row, const char *counter)
{
    int at = pc_counters_find(row->object, counter);

    CHECK(at >= 0);
    return row->values[at];
}

static void look_at_row(struct results *results, const struct pc_row *row)
{
    if (row->object == PC_OBJECT_LP) {
        double error = value_of(row, "% Guest Run Time") +
                       value_of(row, "% Hypervisor Run Time") +
                       value_of(row, "% Idle Time") - 100;

        error = error < 0 ? -error : error;
        if (error > results->lp_error)
            results->lp_error = error;
    } else if (value_of(row, "% Total Run Time") > results->vp_most) {
        results->vp_most = value_of(row, "% Total Run Time");
    }
}

enum sim_status results_put_sample(struct results *results,
                                   const struct pc_sample *sample,
                                   struct sim_error *error)
{
    (void)error;
    for (size_t i = 0; i < sample->row_count; i++)
        look_at_row(results, &sample->rows[i]);
    results->samples++;
    return SIM_OK;
}

enum sim_status results_put_total(struct results *results,
                                  const struct pc_sample *sample,
                                  struct sim_error *error)
{
    (void)error;
    CHECK(!results->totals);
    results->totals = calloc(sample->row_count, sizeof(*results->totals));
    CHECK(results->totals);
    results->total_count = sample->row_count;
    for (size_t i = 0; i < sample->row_count; i++) {
        const struct pc_row *from = &sample->rows[i];
        struct fake_row *to = &results->totals[i];
        size_t bytes = pc_counters_object(from->object)->counter_count *
                       sizeof(*to->values);

        to->object = from->object;
        to->name = strdup(from->name);
        to->values = malloc(bytes);
        CHECK(to->name && to->values);
        memcpy(to->values, from->values, bytes);
    }
    return SIM_OK;
}

enum sim_status results_put_partition(struct results *results,
                                      uint64_t partition, const char *vm,
                                      struct sim_error *error)
{
    (void)results;
    (void)partition;
    (void)vm;
    (void)error;
    return SIM_OK;
}

enum sim_status results_put_image(struct results *results, const char *name,
                                  uint64_t bytes, uint64_t hash,
                                  struct sim_error *error)
{
    (void)name;
    (void)bytes;
    (void)hash;
    (void)error;
    results->images++;
    return SIM_OK;
}

enum sim_status results_put_result(struct results *results, const char *vm,
                                   uint64_t time_ns, const char *name,
                                   const char *value, const char *unit,
                                   struct sim_error *error)
{
    (void)vm;
    (void)time_ns;
    (void)name;
    (void)value;
    (void)unit;
    (void)error;
    results->reports++;
    return SIM_OK;
}

enum sim_status results_put_failure(struct results *results, const char *vm,
                                    uint64_t time_ns, const char *reason,
                                    const char *text, struct sim_error *error)
{
    (void)vm;
    (void)time_ns;
    (void)reason;
    (void)text;
    (void)error;
    results->failures++;
    return SIM_OK;
}

enum sim_status results_put_console(struct results *results, const char *vm,
                                    uint64_t time_ns, const char *line,
                                    struct sim_error *error)
{
    (void)vm;
    (void)time_ns;
    (void)error;
    results->console_lines++;
    results->console_bytes += strlen(line);
    snprintf(results->last_line, sizeof(results->last_line), "%s", line);
    return SIM_OK;
}

enum sim_status results_put_input(struct results *results, const char *vm,
                                  uint64_t time_ns, const uint8_t *bytes,
                                  size_t count, struct sim_error *error)
{
    (void)vm;
    (void)time_ns;
    (void)bytes;
    (void)error;
    results->typed_bytes += count;
    return SIM_OK;
}

void results_put_event(void *context, const struct trace_record *record)
{
    struct results *results = context;

    if (results->event_count == results->event_capacity) {
        size_t capacity =
            results->event_capacity ? results->event_capacity * 2 : 4096;

        results->events =
            reallocarray(results->events, capacity, sizeof(*results->events));
        CHECK(results->events);
        results->event_capacity = capacity;
    }
    results->events[results->event_count++] = *record;
}

enum sim_status results_commit(struct results *results, struct sim_error *error)
{
    (void)error;
    results->commits++;
    return SIM_OK;
}
