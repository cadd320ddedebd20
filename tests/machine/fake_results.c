/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/machine/fake_results.h"

#include <inttypes.h>
#include <stdarg.h>
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
    free(results->waits);
    *results = (struct results){0};
}

double fake_results_total(const struct results *results,
                          enum pc_object_id object, const char *instance,
                          const char *counter)
{
    int at = pc_counters_find(object, counter);
    const struct fake_row *found = NULL;

    CHECK(at >= 0);
    for (size_t i = 0; i < results->total_count; i++) {
        const struct fake_row *row = &results->totals[i];

        if (row->object != object || strcmp(row->name, instance) != 0)
            continue;
        CHECK(!found);
        found = row;
    }
    if (found)
        return found->values[at];
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
    } else if (row->object != PC_OBJECT_VID &&
               value_of(row, "% Total Run Time") > results->vp_most) {
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

/* Why VPs waited */

PRINTF_LIKE(2, 3)
static void add_wait_line(struct results *results, const char *format, ...)
{
    char line[200];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);

    size_t bytes = strlen(line);

    results->waits = realloc(results->waits, results->waits_bytes + bytes + 1);
    CHECK(results->waits);
    memcpy(results->waits + results->waits_bytes, line, bytes + 1);
    results->waits_bytes += bytes;
}

static const char *wait_vp(const struct results *results, uint32_t number)
{
    return number == RESULTS_NOBODY ? "nobody" : results->wait_vps[number];
}

enum sim_status results_put_wait_vp(struct results *results, uint32_t number,
                                    const char *vm, uint32_t index,
                                    struct sim_error *error)
{
    (void)error;
    CHECK(number < FAKE_WAIT_VPS);
    snprintf(results->wait_vps[number], sizeof(results->wait_vps[number]),
             "%.8s/vp%u", vm, (unsigned)index % 100);
    return SIM_OK;
}

enum sim_status results_put_wait(struct results *results,
                                 const struct results_wait *wait,
                                 struct sim_error *error)
{
    (void)error;
    add_wait_line(results,
                  "%s %s: %" PRIu64 " dispatches, %" PRIu64
                  " ns, longest %" PRIu64 " ns",
                  wait_vp(results, wait->vp), wait->rule, wait->dispatches,
                  wait->wait_ns, wait->longest_ns);
    if (wait->undispatched || wait->undispatched_ns)
        add_wait_line(results, "; undispatched %" PRIu64 ", %" PRIu64 " ns",
                      wait->undispatched, wait->undispatched_ns);
    add_wait_line(results, "\n");
    return SIM_OK;
}

enum sim_status
results_put_wait_holder(struct results *results,
                        const struct results_wait_holder *holder,
                        struct sim_error *error)
{
    (void)error;
    add_wait_line(
        results, "%s because of %s: %" PRIu64 " dispatches, %" PRIu64 " ns\n",
        wait_vp(results, holder->vp), wait_vp(results, holder->holder),
        holder->dispatches, holder->wait_ns);
    return SIM_OK;
}

enum sim_status
results_put_wait_bucket(struct results *results,
                        const struct results_wait_bucket *bucket,
                        struct sim_error *error)
{
    (void)error;
    add_wait_line(results, "%s from %" PRIu64 " ns on: %" PRIu64 " waits\n",
                  wait_vp(results, bucket->vp), bucket->from_ns,
                  bucket->dispatches);
    return SIM_OK;
}

enum sim_status results_put_wait_case(struct results *results,
                                      const struct results_wait_case *worst,
                                      struct sim_error *error)
{
    (void)error;
    add_wait_line(results,
                  "%s worst %" PRIu32 ": %" PRIu64 " ns from %" PRIu64
                  " on, LP %d, %s, %s\n",
                  wait_vp(results, worst->vp), worst->rank, worst->wait_ns,
                  worst->ready_ns,
                  worst->lp == RESULTS_NOBODY ? -1 : (int)worst->lp,
                  worst->rule, wait_vp(results, worst->holder));
    return SIM_OK;
}

enum sim_status results_put_wait_part(struct results *results,
                                      const struct results_wait_part *part,
                                      struct sim_error *error)
{
    (void)error;
    add_wait_line(results, "%s   of it %s %" PRIu64 " ns\n",
                  wait_vp(results, part->vp), part->rule, part->wait_ns);
    return SIM_OK;
}

enum sim_status results_commit(struct results *results, struct sim_error *error)
{
    (void)error;
    results->commits++;
    return SIM_OK;
}
