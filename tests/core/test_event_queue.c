/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/core/event_queue.h"
#include "sim/core/rng.h"

#define EVENT_COUNT 100
#define KIND_COUNT (EVENT_END + 1)

/** What fired, in order. */
struct log {
    size_t count;
    const struct event *fired[EVENT_COUNT];
    cycles_t at[EVENT_COUNT];
    const struct event *foreseen; /* the last */
    size_t fired_before;          /* when that was */
};

/** An event that reports to a log when it fires. */
struct probe {
    struct event event;
    struct log *log;
};

static void probe_fire(void *context, cycles_t now)
{
    struct probe *probe = context;
    struct log *log = probe->log;

    assert_false(event_is_scheduled(&probe->event));
    assert_true(log->count < EVENT_COUNT);
    log->fired[log->count] = &probe->event;
    log->at[log->count++] = now;
}

static void probe_init(struct probe *probe, enum event_kind kind,
                       struct log *log)
{
    *probe = (struct probe){
        .event = {.kind = kind, .name = "probe", .fire = probe_fire},
        .log = log,
    };
    probe->event.context = probe;
}

static void fire_all(struct event_queue *queue)
{
    while (event_queue_next(queue).v != CYCLES_NEVER.v)
        event_queue_fire_next(queue);
}

static void an_empty_queue_is_due_never(void **state)
{
    struct event_queue *queue = event_queue_create();

    (void)state;
    assert_int_equal(event_queue_next(queue).v, CYCLES_NEVER.v);
    event_queue_free(queue);
}

static void
events_fire_by_due_time_then_kind_then_order_of_scheduling(void **state)
{
    struct event_queue *queue = event_queue_create();
    struct log log = {0};
    struct probe p[5];

    (void)state;
    probe_init(&p[0], EVENT_END, &log);
    probe_init(&p[1], EVENT_TIMER, &log);
    probe_init(&p[2], EVENT_TIMER, &log);
    probe_init(&p[3], EVENT_DEVICE, &log);
    probe_init(&p[4], EVENT_SAMPLE, &log);
    event_schedule(queue, &p[0].event, cycles(10));
    event_schedule(queue, &p[1].event, cycles(10));
    event_schedule(queue, &p[2].event, cycles(10));
    event_schedule(queue, &p[3].event, cycles(10));
    event_schedule(queue, &p[4].event, cycles(9));
    fire_all(queue);

    static const int expected[] = {4, 3, 1, 2, 0};

    assert_int_equal(log.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_ptr_equal(log.fired[i], &p[expected[i]].event);
    assert_int_equal(log.at[0].v, 9);
    assert_int_equal(log.at[4].v, 10);
    event_queue_free(queue);
}

static void a_rescheduled_event_moves_behind_its_equals(void **state)
{
    struct event_queue *queue = event_queue_create();
    struct log log = {0};
    struct probe p[2];

    (void)state;
    probe_init(&p[0], EVENT_WAKE, &log);
    probe_init(&p[1], EVENT_WAKE, &log);
    event_schedule(queue, &p[0].event, cycles(5));
    event_schedule(queue, &p[1].event, cycles(5));
    event_schedule(queue, &p[0].event, cycles(5));
    fire_all(queue);
    assert_int_equal(log.count, 2);
    assert_ptr_equal(log.fired[0], &p[1].event);
    event_queue_free(queue);
}

static void
a_cancelled_event_does_not_fire_and_may_be_cancelled_again(void **state)
{
    struct event_queue *queue = event_queue_create();
    struct log log = {0};
    struct probe probe;

    (void)state;
    probe_init(&probe, EVENT_TIMER, &log);
    event_cancel(queue, &probe.event);
    event_schedule(queue, &probe.event, cycles(1));
    assert_true(event_is_scheduled(&probe.event));
    event_cancel(queue, &probe.event);
    event_cancel(queue, &probe.event);
    assert_false(event_is_scheduled(&probe.event));
    fire_all(queue);
    assert_int_equal(log.count, 0);
    event_queue_free(queue);
}

/** A timer that fires three times by scheduling itself. */
struct periodic {
    struct event event;
    struct event_queue *queue;
    unsigned fired;
};

static void note_foreseen(const void *context)
{
    const struct probe *probe = context;
    struct log *log = probe->log;

    log->foreseen = &probe->event;
    log->fired_before = log->count;
}

static void what_fires_next_is_foreseen_before_the_first_fires(void **state)
{
    struct event_queue *queue = event_queue_create();
    struct log log = {0};
    struct probe probes[3];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        probe_init(&probes[i], EVENT_TIMER, &log);
        probes[i].event.foresee = note_foreseen;
        event_schedule(queue, &probes[i].event, cycles(30 - 10 * i));
    }
    event_queue_fire_next(queue);
    assert_ptr_equal(log.fired[0], &probes[2].event);
    assert_ptr_equal(log.foreseen, &probes[1].event);
    assert_int_equal(log.fired_before, 0);
    fire_all(queue);
    assert_ptr_equal(log.foreseen, &probes[0].event);
    assert_int_equal(log.fired_before, 1);
    event_queue_free(queue);
}

static void periodic_fire(void *context, cycles_t now)
{
    struct periodic *timer = context;

    if (++timer->fired < 3)
        event_schedule(timer->queue, &timer->event,
                       cycles_add(now, cycles(100)));
}

static void an_event_may_schedule_itself_while_it_fires(void **state)
{
    struct event_queue *queue = event_queue_create();
    struct periodic timer = {
        .event = {.kind = EVENT_TIMER, .name = "tick", .fire = periodic_fire},
        .queue = queue,
    };

    (void)state;
    timer.event.context = &timer;
    event_schedule(queue, &timer.event, cycles(100));
    event_queue_fire_next(queue);
    event_queue_fire_next(queue);
    assert_int_equal(event_queue_next(queue).v, 300);
    event_queue_fire_next(queue);
    assert_int_equal(timer.fired, 3);
    assert_int_equal(event_queue_next(queue).v, CYCLES_NEVER.v);
    event_queue_free(queue);
}

/** The order of the header, on an unsorted array: right by inspection. */
struct model {
    struct {
        bool queued;
        uint64_t due;
        uint64_t sequence;
    } entry[EVENT_COUNT];
    uint64_t sequence;
};

static bool model_before(const struct model *model, const struct probe *probes,
                         size_t a, size_t b)
{
    if (model->entry[a].due != model->entry[b].due)
        return model->entry[a].due < model->entry[b].due;
    if (probes[a].event.kind != probes[b].event.kind)
        return probes[a].event.kind < probes[b].event.kind;
    return model->entry[a].sequence < model->entry[b].sequence;
}

/** The index of the first entry; EVENT_COUNT if none is queued. */
static size_t model_first(const struct model *model, const struct probe *probes)
{
    size_t first = EVENT_COUNT;

    for (size_t i = 0; i < EVENT_COUNT; i++) {
        if (model->entry[i].queued &&
            (first == EVENT_COUNT || model_before(model, probes, i, first)))
            first = i;
    }
    return first;
}

static void fire_both(struct event_queue *queue, struct model *model,
                      const struct probe *probes, struct log *log)
{
    size_t first = model_first(model, probes);

    if (first == EVENT_COUNT) {
        assert_int_equal(event_queue_next(queue).v, CYCLES_NEVER.v);
        return;
    }
    log->count = 0;
    assert_int_equal(event_queue_next(queue).v, model->entry[first].due);
    event_queue_fire_next(queue);
    assert_int_equal(log->count, 1);
    assert_ptr_equal(log->fired[0], &probes[first].event);
    assert_int_equal(log->at[0].v, model->entry[first].due);
    model->entry[first].queued = false;
}

static void random_step(struct rng *rng, struct event_queue *queue,
                        struct model *model, struct probe *probes,
                        struct log *log)
{
    size_t i = (size_t)rng_below(rng, EVENT_COUNT);
    uint64_t choice = rng_below(rng, 10);

    if (choice < 6) {
        /* Few distinct times, so that ties are the rule. */
        uint64_t due = rng_below(rng, 20);

        event_schedule(queue, &probes[i].event, cycles(due));
        model->entry[i].queued = true;
        model->entry[i].due = due;
        model->entry[i].sequence = model->sequence++;
    } else if (choice < 8) {
        event_cancel(queue, &probes[i].event);
        model->entry[i].queued = false;
    } else {
        fire_both(queue, model, probes, log);
    }
    assert_int_equal(event_is_scheduled(&probes[i].event),
                     model->entry[i].queued);
}

static void any_program_fires_in_the_order_of_a_sorted_list(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct rng rng = rng_from_seed(seed);
        struct event_queue *queue = event_queue_create();
        struct model model = {0};
        struct log log = {0};
        struct probe probes[EVENT_COUNT];

        for (size_t i = 0; i < EVENT_COUNT; i++)
            probe_init(&probes[i], (enum event_kind)rng_below(&rng, KIND_COUNT),
                       &log);
        for (unsigned step = 0; step < 2000; step++)
            random_step(&rng, queue, &model, probes, &log);
        while (model_first(&model, probes) != EVENT_COUNT)
            fire_both(queue, &model, probes, &log);
        assert_int_equal(event_queue_next(queue).v, CYCLES_NEVER.v);
        event_queue_free(queue);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_queue_is_due_never),
        cmocka_unit_test(
            events_fire_by_due_time_then_kind_then_order_of_scheduling),
        cmocka_unit_test(a_rescheduled_event_moves_behind_its_equals),
        cmocka_unit_test(
            a_cancelled_event_does_not_fire_and_may_be_cancelled_again),
        cmocka_unit_test(what_fires_next_is_foreseen_before_the_first_fires),
        cmocka_unit_test(an_event_may_schedule_itself_while_it_fires),
        cmocka_unit_test(any_program_fires_in_the_order_of_a_sorted_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
