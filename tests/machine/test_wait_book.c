/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The book of waits: fed by hand, and by a machine whose waits are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/host_line.h"
#include "sim/machine/wait_book_private.h"
#include "tests/machine/script_host.h"

#define GOLDEN HVSIM_SOURCE_DIR "/tests/machine/golden/"
#define VPS 100

/* A book of VPs that do nothing but wait, on one LP. */
struct fixture {
    struct wait_book *book;
    struct hv_vp *vps; /* VPS of VM 0 */
    struct hv_lp lp;
    struct results results;
};

static int setup(void **state)
{
    struct fixture *f = host_line_calloc(sizeof(*f));

    assert_non_null(f);
    f->book = wait_book_create((struct sim_clock){1000000000});
    f->vps = host_line_calloc(VPS * sizeof(*f->vps));
    assert_true(f->book && f->vps);
    for (uint32_t i = 0; i < VPS; i++) {
        f->vps[i].number = i;
        f->vps[i].index.v = i;
        wait_book_add_vp(f->book, 0, "web", &f->vps[i]);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fake_results_clear(&f->results);
    wait_book_free(f->book);
    free(f->vps);
    free(f);
    return 0;
}

/* Of VP 0, from `ready` on: `ns` because of `rule`, when VP `holder` ran. */
static struct sched_waited a_wait(struct fixture *f, uint64_t ready,
                                  uint64_t ns, enum sched_rule rule,
                                  uint32_t holder)
{
    struct sched_waited waited = {
        .vp = &f->vps[0],
        .lp = &f->lp,
        .ready = cycles(ready),
        .dispatched = cycles(ready + ns),
        .rule = rule,
    };

    waited.by_rule[rule] = cycles(ns);
    if (sched_waited_contention(&waited).v > 0) {
        waited.holders[0] =
            (struct sched_holder){.number = holder, .time = cycles(ns)};
        waited.holder_count = 1;
    }
    return waited;
}

static void post(struct fixture *f, uint64_t ready, uint64_t ns,
                 enum sched_rule rule, uint32_t holder)
{
    struct sched_waited waited = a_wait(f, ready, ns, rule, holder);

    wait_book_post(f->book, &waited);
}

/* What the counters of VP 0 would have. */
static void count(struct fixture *f, uint64_t dispatches, uint64_t wake_up,
                  uint64_t contention, uint64_t held_back)
{
    f->book->vps[0]->counted = (struct wait_counted){
        dispatches,
        wake_up,
        contention,
        held_back,
    };
}

static void assert_lawful(struct fixture *f)
{
    struct sim_error error = {0};

    if (wait_book_check(f->book, &error) != SIM_OK)
        fail_msg("%s", error.message);
}

static void assert_broken(struct fixture *f, const char *law)
{
    struct sim_error error = {0};

    assert_int_equal(wait_book_check(f->book, &error), SIM_RUN_FAILED);
    if (!strstr(error.message, law))
        fail_msg("\"%s\" does not say \"%s\"", error.message, law);
}

static uint64_t time_of_holder(const struct vp_waits *vp, uint32_t holder)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < WAIT_BOOK_HOLDERS; i++) {
        if (vp->holders[i].holder == holder)
            sum += vp->holders[i].time.v;
    }
    return sum;
}

static void a_wait_is_booked_by_rule_and_by_holder(void **state)
{
    struct fixture *f = *state;
    const struct vp_waits *vp = f->book->vps[0];

    post(f, 100, 30, SCHED_RULE_SLICE, 7);
    post(f, 200, 50, SCHED_RULE_SLICE, 7);
    post(f, 260, 3, SCHED_RULE_AFFINITY, 8);
    post(f, 300, 5, SCHED_RULE_CAP, 0);
    assert_int_equal(vp->rules[SCHED_RULE_SLICE].dispatches, 2);
    assert_int_equal(vp->rules[SCHED_RULE_SLICE].time.v, 80);
    assert_int_equal(vp->rules[SCHED_RULE_SLICE].longest.v, 50);
    assert_int_equal(vp->rules[SCHED_RULE_CAP].time.v, 5);
    assert_int_equal(time_of_holder(vp, 7), 80);
    assert_int_equal(time_of_holder(vp, 8), 3);
    assert_int_equal(vp->rest.time.v, 0);
    count(f, 4, 0, 83, 5);
    assert_lawful(f);
}

static void a_book_that_differs_from_the_counters_is_broken(void **state)
{
    struct fixture *f = *state;

    post(f, 100, 30, SCHED_RULE_SLICE, 7);
    post(f, 200, 9, SCHED_RULE_WAKE, 0);
    post(f, 300, 5, SCHED_RULE_GROUP, 0);
    count(f, 3, 9, 30, 5);
    assert_lawful(f);
    count(f, 3, 8, 30, 5);
    assert_broken(f, "wake-up time: 9 by its waits, 8 by its counters");
    count(f, 3, 9, 31, 5);
    assert_broken(f, "VP 0 of web: contention");
    count(f, 3, 9, 30, 4);
    assert_broken(f, "held back");
    count(f, 4, 9, 30, 5);
    assert_broken(f, "dispatches");
}

static void a_wait_is_in_the_bucket_that_begins_at_or_below_it(void **state)
{
    static const struct {
        uint64_t ns;
        unsigned bucket;
    } waits[] = {
        {0, 0},           {999, 0},
        {1000, 1},        {1999, 1},
        {2000, 2},        {8388607999, 23},
        {8388608000, 24}, {UINT64_C(1000000000000), 24},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        uint64_t *counts = f->book->vps[0]->histogram;
        uint64_t before = counts[waits[i].bucket];

        post(f, 0, waits[i].ns, SCHED_RULE_SLICE, 1);
        assert_int_equal(counts[waits[i].bucket], before + 1);
    }
}

/* Whatever there is no room for is the rest: nothing is lost. */
static void many_holders_leave_the_busiest_and_the_rest(void **state)
{
    struct fixture *f = *state;
    const struct vp_waits *vp = f->book->vps[0];
    uint64_t total = 0, told = 0;

    for (unsigned round = 0; round < 10; round++) {
        for (uint32_t i = 1; i < VPS; i++) {
            uint64_t ns = i % 30 == 0 ? 1000 : 1;

            post(f, 0, ns, SCHED_RULE_SLICE, i);
            total += ns;
        }
    }
    for (unsigned i = 0; i < WAIT_BOOK_HOLDERS; i++) {
        if (vp->holders[i].holder % 30 == 0)
            assert_int_equal(vp->holders[i].time.v, 10000);
        told += vp->holders[i].time.v;
    }
    assert_true(vp->rest.time.v > 0);
    assert_int_equal(told + vp->rest.time.v, total);
    count(f, 990, 0, total, 0);
    assert_lawful(f);
}

static void the_worst_are_the_longest_and_of_equals_the_earliest(void **state)
{
    struct fixture *f = *state;
    struct sim_error error;
    char first[64], last[64];

    for (uint64_t i = 0; i < 40; i++)
        post(f, 1000 + i, i == 33 ? 900 : 500 + i / 30, SCHED_RULE_SLICE, 3);
    assert_int_equal(wait_book_put(f->book, &f->results, &error), SIM_OK);
    snprintf(first, sizeof(first), "worst 1: 900 ns from 1033 on");
    snprintf(last, sizeof(last), "worst 20: 500 ns from 1009 on");
    assert_non_null(strstr(f->results.waits, first));
    assert_non_null(strstr(f->results.waits, "worst 2: 501 ns from 1030 on"));
    assert_non_null(strstr(f->results.waits, last));
    assert_null(strstr(f->results.waits, "worst 21"));
}

static void a_wait_without_a_dispatch_is_told_apart(void **state)
{
    struct fixture *f = *state;
    struct sched_waited waited = a_wait(f, 100, 77, SCHED_RULE_SLICE, 3);
    struct sim_error error;

    waited.lp = NULL;
    wait_book_post(f->book, &waited);
    assert_lawful(f); /* the counters have no dispatch */
    assert_int_equal(wait_book_put(f->book, &f->results, &error), SIM_OK);
    assert_string_equal(f->results.waits,
                        "web/vp0 slice: 0 dispatches, 0 ns, longest 0 ns; "
                        "undispatched 1, 77 ns\n"
                        "web/vp0 worst 1: 77 ns from 100 on, LP -1, slice, "
                        "web/vp3\n"
                        "web/vp0   of it slice 77 ns\n");
}

static void a_vp_that_comes_back_is_the_same(void **state)
{
    struct fixture *f = *state;
    struct hv_vp *again = calloc(1, sizeof(*again));

    assert_non_null(again);
    post(f, 100, 30, SCHED_RULE_SLICE, 7);
    wait_book_vp_gone(f->book, &f->vps[0]);
    again->number = 500;
    wait_book_add_vp(f->book, 0, "web", again);
    assert_int_equal(f->book->count, VPS);

    struct sched_waited waited = a_wait(f, 900, 20, SCHED_RULE_SLICE, 7);

    waited.vp = again;
    wait_book_post(f->book, &waited);
    assert_int_equal(f->book->vps[0]->rules[SCHED_RULE_SLICE].time.v, 50);
    free(again);
}

/* A machine: two VMs that are always busy, on one LP with 1 ms slices, and the
 * root, which has little to do. */
static void the_waits_of_a_small_machine_are_known(void **state)
{
    static struct script_config config;
    struct script_host host;
    FILE *file = fopen("waits.golden", "w");

    (void)state;
    script_config_init(&config);
    config.lps = config.root_vps = 1;
    config.vm_count = 2;
    config.duration_ns = 14000000;
    for (uint32_t i = 0; i < config.vm_count; i++) {
        struct script *script = &config.vms[i].script[0];

        config.vms[i].vps = 1;
        script_begin(script, 0, 1);
        script_add(script, SCRIPT_RUN, 1000000, 0, 0);
        script_repeat(script, script->count - 1);
    }
    script_host_create(&host, &config);
    assert_int_equal(script_host_run(&host), SIM_OK);
    assert_non_null(file);
    assert_true(fputs(host.results.waits, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(
        system("diff -u '" GOLDEN "waits.golden' waits.golden >&2"), 0);
    script_host_destroy(&host);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_wait_is_booked_by_rule_and_by_holder),
        T(a_book_that_differs_from_the_counters_is_broken),
        T(a_wait_is_in_the_bucket_that_begins_at_or_below_it),
        T(many_holders_leave_the_busiest_and_the_rest),
        T(the_worst_are_the_longest_and_of_equals_the_earliest),
        T(a_wait_without_a_dispatch_is_told_apart),
        T(a_vp_that_comes_back_is_the_same),
        cmocka_unit_test(the_waits_of_a_small_machine_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
