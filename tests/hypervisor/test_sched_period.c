/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits and reserves within their periods, under every policy that has them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hypervisor/sched_period.h"
#include "tests/hypervisor/sched_host.h"

#define PERIODS 200

static const struct sched_plan always_busy = {0};

/* A host of so many LPs under the policy of that index; false after the last.
 * Those that do not have all of `flags` are passed over. */
static bool next_host_with(struct sched_host *host, unsigned *index,
                           uint32_t lps, unsigned flags,
                           struct hv_sched_params params)
{
    const struct hv_sched_ops *ops = sched_by_index(*index);
    struct sched_host_config config = {
        .lps_per_node = lps,
        .switch_cost = sched_us(1),
        .params = params,
    };

    while (ops && (ops->flags & flags) != flags)
        ops = sched_by_index(++*index);
    if (!ops)
        return false;
    ++*index;
    config.policy = ops->name;
    sched_host_create(host, &config);
    return true;
}

/* Likewise, of those with limits, and with short slices. */
static bool next_host(struct sched_host *host, unsigned *index, uint32_t lps,
                      cycles_t period)
{
    struct hv_sched_params params = sched_host_params();

    params.period = period;
    params.slice = sched_ms(1);
    return next_host_with(host, index, lps, SCHED_LIMITS, params);
}

static void set_cap(struct sched_host *host, const struct sched_task *task,
                    uint64_t cap)
{
    struct hv_context context = sched_host_context(host);

    assert_int_equal(partition_set_cap(&context, task->vp->partition, cap),
                     HV_STATUS_SUCCESS);
}

static void a_limit_holds_on_an_idle_host_for_any_period(void **state)
{
    static const uint64_t periods_us[] = {100, 1000, 10000, 100000, 1000000};
    struct sched_host host;

    (void)state;
    for (unsigned p = 0; p < 5; p++) {
        for (unsigned index = 0;
             next_host(&host, &index, 4, sched_us(periods_us[p]));) {
            struct hv_partition *vm = sched_host_partition(&host, 100);
            const struct sched_task *one =
                sched_host_vp(&host, vm, always_busy);
            const struct sched_task *other =
                sched_host_vp(&host, vm, always_busy);

            set_cap(&host, one, 0x8000);
            sched_host_run_until(&host, sched_ms(1000));
            assert_in_range(one->ran.v, sched_ms(490).v, sched_ms(500).v);
            assert_in_range(other->ran.v, sched_ms(490).v, sched_ms(500).v);
            sched_host_destroy(&host);
        }
    }
}

/* Of any number of whole periods, one after another. */
static void no_window(const uint64_t *ran, uint64_t limit)
{
    for (unsigned from = 0; from < PERIODS; from++) {
        for (unsigned to = from + 1; to <= PERIODS; to++) {
            if (ran[to] - ran[from] > (to - from) * limit)
                fail_msg("periods %u to %u: %llu of %llu", from, to,
                         (unsigned long long)(ran[to] - ran[from]),
                         (unsigned long long)((to - from) * limit));
        }
    }
}

static void no_window_of_whole_periods_exceeds_a_limit(void **state)
{
    static const uint64_t caps[] = {1, 0x100, 0x3333, 0x8000, 0xffff};
    struct sched_plan now_and_then = {
        .busy = sched_us(300), .sleep = sched_us(200), .random = true};
    struct sched_host host;

    (void)state;
    for (unsigned c = 0; c < 5; c++) {
        for (unsigned index = 0; next_host(&host, &index, 2, sched_ms(1));) {
            struct sched_task *vms[3];
            uint64_t ran[3][PERIODS + 1] = {0};

            for (unsigned i = 0; i < 3; i++) {
                vms[i] = sched_host_vm(&host, 100,
                                       i == 1 ? now_and_then : always_busy);
                set_cap(&host, vms[i], caps[c]);
            }
            for (unsigned p = 1; p <= PERIODS; p++) {
                sched_host_run_until(&host, sched_ms(p));
                for (unsigned i = 0; i < 3; i++)
                    ran[i][p] = vms[i]->ran.v;
            }
            for (unsigned i = 0; i < 3; i++)
                no_window(ran[i], sched_ms(1).v * caps[c] / 0x10000);
            sched_host_destroy(&host);
        }
    }
}

static void limits_leave_the_rest_to_others(void **state)
{
    struct sched_host host;

    (void)state;
    for (unsigned index = 0; next_host(&host, &index, 1, sched_ms(10));) {
        struct sched_task *vms[3];

        for (unsigned i = 0; i < 3; i++)
            vms[i] = sched_host_vm(&host, 100, always_busy);
        set_cap(&host, vms[0], 0x2000); /* 12.5 % */
        set_cap(&host, vms[1], 0x4000); /* 25 % */
        sched_host_run_until(&host, sched_ms(1000));
        assert_in_range(vms[0]->ran.v, sched_ms(120).v, sched_ms(125).v);
        assert_in_range(vms[1]->ran.v, sched_ms(235).v, sched_ms(250).v);
        assert_in_range(vms[2]->ran.v, sched_ms(610).v, sched_ms(640).v);
        sched_host_destroy(&host);
    }
}

/* What the VP gets from one time (ms) to the next. Its first period is a little
 * short, and what a switch took of one part is there for the next. */
static void gets(struct sched_host *host, struct sched_task *task, uint64_t end,
                 uint64_t wanted_us)
{
    uint64_t before = task->ran.v;
    uint64_t got;

    sched_host_run_until(host, sched_ms(end));
    got = task->ran.v - before;
    if (got + sched_us(45).v < sched_us(wanted_us).v ||
        got > sched_us(wanted_us + 2).v)
        fail_msg("%s: until %llu ms: %llu instead of %llu us",
                 host->sched->ops->name, (unsigned long long)end,
                 (unsigned long long)(got / sched_us(1).v),
                 (unsigned long long)wanted_us);
}

static void a_limit_changes_while_its_vp_runs(void **state)
{
    struct sched_host host;

    (void)state;
    for (unsigned index = 0; next_host(&host, &index, 1, sched_ms(10));) {
        struct sched_task *task = sched_host_vm(&host, 100, always_busy);

        set_cap(&host, task, 0x8000);
        gets(&host, task, 3, 3000);
        set_cap(&host, task, 0x2000); /* less than it has had: no more, */
        gets(&host, task, 10, 0);     /* and no debt */
        gets(&host, task, 20, 1250);
        gets(&host, task, 21, 1000);
        set_cap(&host, task, 0x8000);
        gets(&host, task, 30, 4000);
        set_cap(&host, task, 0x10000);
        gets(&host, task, 47, 17000);
        set_cap(&host, task, 0xc000); /* of which 7 ms have been used */
        gets(&host, task, 50, 500);
        gets(&host, task, 60, 7500);
        sched_host_destroy(&host);
    }
}

static void a_limit_changes_while_its_vp_waits_for_it(void **state)
{
    struct sched_host host;

    (void)state;
    for (unsigned index = 0; next_host(&host, &index, 1, sched_ms(10));) {
        struct sched_task *task = sched_host_vm(&host, 100, always_busy);

        set_cap(&host, task, 0x8000);
        gets(&host, task, 6, 5000);
        assert_true(task->vp->sched.parked);
        set_cap(&host, task, 0xc000); /* 7.5 ms */
        assert_false(task->vp->sched.parked);
        gets(&host, task, 10, 2500);
        gets(&host, task, 18, 7500);
        assert_true(task->vp->sched.parked);
        set_cap(&host, task, 0x4000); /* lower: still */
        assert_true(task->vp->sched.parked);
        gets(&host, task, 20, 0);
        gets(&host, task, 29, 2500);
        set_cap(&host, task, 0x10000);
        gets(&host, task, 40, 11000);
        sched_host_destroy(&host);
    }
}

static void setting_a_limit_again_gives_nothing(void **state)
{
    struct sched_host host;

    (void)state;
    for (unsigned index = 0; next_host(&host, &index, 1, sched_ms(10));) {
        struct sched_task *task = sched_host_vm(&host, 100, always_busy);

        for (uint64_t ms = 1; ms <= 1000; ms++) {
            set_cap(&host, task, 0x4000);
            sched_host_run_until(&host, sched_ms(ms));
        }
        assert_in_range(task->ran.v, sched_ms(235).v, sched_ms(250).v);
        sched_host_destroy(&host);
    }
}

/* Nobody has counted before; but it has run all the while. */
static void a_first_limit_counts_what_its_vp_has_just_run(void **state)
{
    struct sched_host host;

    (void)state;
    for (unsigned index = 0; next_host(&host, &index, 1, sched_ms(10));) {
        struct sched_task *task = sched_host_vm(&host, 100, always_busy);

        gets(&host, task, 27, 27000);
        set_cap(&host, task, 0xc000); /* of which 7 ms have been used */
        gets(&host, task, 30, 500);
        gets(&host, task, 40, 7500);
        sched_host_destroy(&host);
    }
}

static void a_limit_of_zero_stops_a_vp(void **state)
{
    struct sched_host host;

    (void)state;
    for (unsigned index = 0; next_host(&host, &index, 1, sched_ms(10));) {
        struct sched_task *task = sched_host_vm(&host, 100, always_busy);

        gets(&host, task, 13, 12999);
        set_cap(&host, task, 0);
        gets(&host, task, 100, 0);
        set_cap(&host, task, 0x8000);
        gets(&host, task, 110, 5000);
        sched_host_destroy(&host);
    }
}

static void a_vp_goes_while_it_waits_for_its_limit(void **state)
{
    struct sched_host host;

    (void)state;
    for (unsigned index = 0; next_host(&host, &index, 1, sched_ms(10));) {
        struct sched_task *vms[3];

        for (unsigned i = 0; i < 3; i++) {
            vms[i] = sched_host_vm(&host, 100, always_busy);
            set_cap(&host, vms[i], 0x2000);
        }
        sched_host_run_until(&host, sched_ms(8));
        for (unsigned i = 0; i < 3; i++)
            assert_true(vms[i]->vp->sched.parked);
        sched_host_remove_vp(vms[1]);
        gets(&host, vms[0], 20, 1250);
        sched_host_remove_vp(vms[0]);
        gets(&host, vms[2], 30, 1250);
        sched_host_remove_vp(vms[2]);
        sched_host_run_until(&host, sched_ms(50));
        sched_host_destroy(&host);
    }
}

/* A VP that runs by a limit is looked at when the period ends. Reserves begin
 * anew then: it must not go on with its slice. */
static void a_reserve_is_kept_beside_a_limit(void **state)
{
    const struct hv_sched_params params = sched_host_params();
    struct sched_host host;

    (void)state;
    for (unsigned index = 0; next_host_with(
             &host, &index, 1, SCHED_LIMITS | SCHED_RESERVES, params);) {
        struct sched_task *owed = sched_host_vm(&host, 100, always_busy);
        struct sched_task *limited = sched_host_vm(&host, 100, always_busy);
        struct hv_context context = sched_host_context(&host);

        assert_int_equal(partition_set_reserve(&context, owed->vp->partition,
                                               0xc000), /* 7.5 ms */
                         HV_STATUS_SUCCESS);
        set_cap(&host, limited, 0xf000);
        for (uint64_t ms = 10; ms <= 500; ms += 10) {
            uint64_t before = owed->ran.v;

            sched_host_run_until(&host, sched_ms(ms));
            assert_in_range(owed->ran.v - before, sched_us(7450).v,
                            sched_ms(10).v);
        }
        sched_host_destroy(&host);
    }
}

/* How long a VP waits that wakes shortly before a period ends, while another
 * one runs, with a limit or without; 0 after the last policy. */
static uint64_t wait_beside(unsigned *index, bool limited)
{
    struct sched_plan late = {.start = sched_us(8000)};
    struct sched_plan wakes = {.busy = sched_us(100),
                               .sleep = sched_ms(1000),
                               .start = sched_us(9500)};
    struct hv_sched_params params = sched_host_params();
    struct sched_host host;
    struct sched_task *runs;
    const struct sched_task *woken;
    uint64_t wait;

    params.preempt_after = sched_ms(3);
    if (!next_host_with(&host, index, 1, SCHED_LIMITS, params))
        return 0;
    runs = sched_host_vm(&host, 100, late);
    woken = sched_host_vm(&host, 100, wakes);
    if (limited)
        set_cap(&host, runs, 0x8000);
    sched_host_run_until(&host, sched_ms(40));
    assert_int_equal(woken->dispatches, 1);
    wait = woken->longest_wait.v;
    sched_host_destroy(&host);
    return wait;
}

static void a_limit_does_not_keep_out_who_wakes(void **state)
{
    unsigned of_limited = 0;
    unsigned of_free = 0;
    uint64_t most;

    (void)state;
    while ((most = wait_beside(&of_free, false)) > 0)
        assert_in_range(wait_beside(&of_limited, true), 1, most);
}

/* Accounts by themselves: a VP that the host never runs. */

struct accounts {
    struct sched_host host;
    struct sched_task *task;
};

static void accounts_create(struct accounts *accounts)
{
    struct sched_plan never = {.start = sched_ms(100000000)};
    unsigned index = 0;

    assert_true(next_host(&accounts->host, &index, 2, sched_ms(10)));
    accounts->task = sched_host_vm(&accounts->host, 100, never);
    sched_period_open_accounts(accounts->task->vp->partition);
}

static void use(struct accounts *accounts, uint64_t ran_us, uint64_t until_us)
{
    sched_period_charge(accounts->host.sched, accounts->task->vp,
                        sched_us(ran_us), sched_us(until_us));
}

/* How long it may run from then on, in us. */
static uint64_t may_run(struct accounts *accounts, uint64_t at_us)
{
    struct hv_sched *sched = accounts->host.sched;
    struct hv_vp *vp = accounts->task->vp;
    cycles_t left = sched_period_start(sched, vp, sched_us(at_us));

    sched_period_stop(sched, vp, sched_us(at_us));
    assert_int_equal(sched_period_may_run(sched, vp, sched_us(at_us)),
                     left.v != 0);
    return left.v / sched_us(1).v;
}

static void what_was_used_too_much_is_paid_back(void **state)
{
    struct accounts accounts;

    (void)state;
    accounts_create(&accounts);
    accounts.task->vp->partition->sched.cap = 0x4000; /* 2.5 ms */
    may_run(&accounts, 0);
    accounts.task->vp->sched.account.debt = 0; /* of the first period */
    use(&accounts, 2600, 2600);
    assert_int_equal(may_run(&accounts, 2600), 0);
    assert_int_equal(may_run(&accounts, 10000), 2400);
    use(&accounts, 9500, 19500); /* 7.1 ms too much */
    assert_int_equal(may_run(&accounts, 20000), 0);
    assert_int_equal(may_run(&accounts, 30000), 0);
    assert_int_equal(may_run(&accounts, 40000), 400);
    /* What is not used is lost, and a period ends what it speaks of. */
    assert_int_equal(may_run(&accounts, 5000000), 2500);
    assert_int_equal(may_run(&accounts, 5009000), 1000);
    sched_host_destroy(&accounts.host);
}

static void a_debt_is_paid_in_far_away_periods_too(void **state)
{
    struct accounts accounts;

    (void)state;
    accounts_create(&accounts);
    accounts.task->vp->partition->sched.cap = 1; /* 305 cycles a period */
    may_run(&accounts, 0);
    use(&accounts, 5000, 5000); /* 32786 periods' worth */
    assert_int_equal(may_run(&accounts, UINT64_C(327700000)), 0);
    assert_true(sched_period_may_run(accounts.host.sched, accounts.task->vp,
                                     sched_us(UINT64_C(327900000))));
    assert_true(sched_period_may_run(accounts.host.sched, accounts.task->vp,
                                     sched_us(UINT64_C(1) << 50)));
    sched_host_destroy(&accounts.host);
}

static uint64_t reserve_left(struct accounts *accounts, uint64_t at_us)
{
    return sched_period_reserve_left(accounts->host.sched, accounts->task->vp,
                                     sched_us(at_us))
               .v /
           sched_us(1).v;
}

static void a_reserve_counts_what_ran_in_its_period(void **state)
{
    struct accounts accounts;

    (void)state;
    accounts_create(&accounts);
    assert_int_equal(reserve_left(&accounts, 0), 0);
    accounts.task->vp->partition->sched.reserve = 0xc000; /* 7.5 ms */
    assert_int_equal(reserve_left(&accounts, 0), 7500);
    use(&accounts, 2000, 4000);
    assert_int_equal(reserve_left(&accounts, 4000), 5500);
    /* A run over the border: 3 ms before it and 4 ms after. */
    use(&accounts, 7000, 14000);
    assert_int_equal(reserve_left(&accounts, 14000), 3500);
    /* Over several: the last counts. */
    use(&accounts, 33000, 47000);
    assert_int_equal(reserve_left(&accounts, 47000), 500);
    assert_int_equal(reserve_left(&accounts, 50000), 7500);
    /* Exactly up to a border. */
    use(&accounts, 10000, 60000);
    assert_int_equal(reserve_left(&accounts, 60000), 7500);
    sched_host_destroy(&accounts.host);
}

static void a_reserve_of_more_vps_than_lps_is_none(void **state)
{
    struct accounts accounts;
    struct hv_partition *vm;

    (void)state;
    accounts_create(&accounts);
    vm = accounts.task->vp->partition;
    vm->sched.reserve = 0x1000;
    sched_host_vp(&accounts.host, vm, accounts.task->plan);
    assert_int_equal(reserve_left(&accounts, 0), 625);
    sched_host_vp(&accounts.host, vm, accounts.task->plan);
    assert_int_equal(reserve_left(&accounts, 0), 0);
    sched_host_destroy(&accounts.host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_holds_on_an_idle_host_for_any_period),
        cmocka_unit_test(no_window_of_whole_periods_exceeds_a_limit),
        cmocka_unit_test(limits_leave_the_rest_to_others),
        cmocka_unit_test(a_limit_changes_while_its_vp_runs),
        cmocka_unit_test(a_limit_changes_while_its_vp_waits_for_it),
        cmocka_unit_test(setting_a_limit_again_gives_nothing),
        cmocka_unit_test(a_first_limit_counts_what_its_vp_has_just_run),
        cmocka_unit_test(a_limit_of_zero_stops_a_vp),
        cmocka_unit_test(a_vp_goes_while_it_waits_for_its_limit),
        cmocka_unit_test(a_reserve_is_kept_beside_a_limit),
        cmocka_unit_test(a_limit_does_not_keep_out_who_wakes),
        cmocka_unit_test(what_was_used_too_much_is_paid_back),
        cmocka_unit_test(a_debt_is_paid_in_far_away_periods_too),
        cmocka_unit_test(a_reserve_counts_what_ran_in_its_period),
        cmocka_unit_test(a_reserve_of_more_vps_than_lps_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
