/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/hypervisor/sched_host.h"

#define SWITCH_COST sched_us(2)

static const struct sched_plan always_busy = {0};

/* Hundredths of a per cent. */
#define POINT 100
#define assert_share(task, elapsed, share, tolerance)                          \
    assert_in_range(sched_host_share(task, elapsed), (share) - (tolerance),    \
                    (share) + (tolerance))

static void create(struct sched_host *host, uint32_t nodes, uint32_t lps)
{
    struct sched_host_config config = {
        .policy = "classic",
        .nodes = nodes,
        .lps_per_node = lps,
        .switch_cost = SWITCH_COST,
    };

    sched_host_create(host, &config);
}

static void set_reserve(struct sched_host *host, struct sched_task *task,
                        uint64_t reserve)
{
    struct hv_context context = sched_host_context(host);

    assert_int_equal(
        partition_set_reserve(&context, task->vp->partition, reserve),
        HV_STATUS_SUCCESS);
}

static void set_weight(struct sched_host *host, struct sched_task *task,
                       uint64_t weight)
{
    struct hv_context context = sched_host_context(host);

    assert_int_equal(
        partition_set_weight(&context, task->vp->partition, weight),
        HV_STATUS_SUCCESS);
}

/* TLFS 2.0a, "CPU Weight". */
static void weights_of_100_200_and_700_give_10_20_and_70_per_cent(void **state)
{
    struct sched_host host;
    struct sched_task *vms[3];

    (void)state;
    create(&host, 1, 1);
    vms[0] = sched_host_vm(&host, 100, always_busy);
    vms[1] = sched_host_vm(&host, 200, always_busy);
    vms[2] = sched_host_vm(&host, 700, always_busy);
    sched_host_run_until(&host, sched_ms(1000));
    assert_share(vms[0], sched_ms(1000), 1000, POINT / 2);
    assert_share(vms[1], sched_ms(1000), 2000, POINT / 2);
    assert_share(vms[2], sched_ms(1000), 7000, POINT / 2);
    sched_host_destroy(&host);
}

static void equal_weights_give_equal_shares(void **state)
{
    struct sched_host host;
    struct sched_task *vms[3];

    (void)state;
    create(&host, 1, 1);
    for (unsigned i = 0; i < 3; i++)
        vms[i] = sched_host_vm(&host, 4321, always_busy);
    sched_host_run_until(&host, sched_ms(1000));
    for (unsigned i = 0; i < 3; i++)
        assert_share(vms[i], sched_ms(1000), 3333, POINT);
    sched_host_destroy(&host);
}

static void the_least_and_the_greatest_weight_share_10000_to_1(void **state)
{
    struct sched_host host;
    struct sched_task *small, *large;

    (void)state;
    create(&host, 1, 1);
    small = sched_host_vm(&host, 1, always_busy);
    large = sched_host_vm(&host, 10000, always_busy);
    sched_host_run_until(&host, sched_ms(10000));
    assert_in_range(small->ran.v, sched_us(800).v, sched_us(1300).v);
    assert_share(large, sched_ms(10000), 9999, 2);
    sched_host_destroy(&host);
}

static void vps_that_do_not_divide_evenly_share_fairly(unsigned lps,
                                                       unsigned vps)
{
    struct sched_host host;
    unsigned share = 10000 * lps / vps;

    create(&host, 1, lps);
    for (unsigned i = 0; i < vps; i++)
        sched_host_vm(&host, 100, always_busy);
    for (unsigned window = 1; window <= 5; window++) {
        sched_host_forget(&host);
        sched_host_run_until(&host, sched_ms(200 * window));
        for (unsigned i = 0; i < vps; i++)
            assert_share(host.tasks[i], sched_ms(200), share, 12 * POINT);
    }
    sched_host_destroy(&host);
}

static void three_on_two_lps_share_fairly(void **state)
{
    (void)state;
    vps_that_do_not_divide_evenly_share_fairly(2, 3);
}

static void five_on_four_lps_share_fairly(void **state)
{
    (void)state;
    vps_that_do_not_divide_evenly_share_fairly(4, 5);
}

/* Of two of the least weight each turn is a debt of a second at weight 100. */
static void who_gets_more_weight_need_not_wait_for_it(void **state)
{
    for (unsigned turns = 40; turns < 48; turns++) {
        struct sched_host host;
        struct sched_task *vms[2];

        (void)state;
        create(&host, 1, 1);
        for (unsigned i = 0; i < 2; i++)
            vms[i] = sched_host_vm(&host, 1, always_busy);
        sched_host_run_until(&host, sched_ms(turns * 5));
        for (unsigned i = 0; i < 2; i++)
            set_weight(&host, vms[i], 100);
        sched_host_forget(&host);
        sched_host_run_until(&host, sched_ms(turns * 5 + 200));
        for (unsigned i = 0; i < 2; i++)
            assert_share(vms[i], sched_ms(200), 5000, 6 * POINT);
        sched_host_destroy(&host);
    }
}

static void a_new_weight_counts_from_then_on(void **state)
{
    struct sched_host host;
    struct sched_task *vms[2];

    (void)state;
    create(&host, 1, 1);
    for (unsigned i = 0; i < 2; i++)
        vms[i] = sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, sched_ms(500));
    set_weight(&host, vms[0], 300);
    sched_host_forget(&host);
    sched_host_run_until(&host, sched_ms(1500));
    assert_share(vms[0], sched_ms(1000), 7500, POINT);
    assert_share(vms[1], sched_ms(1000), 2500, POINT);
    sched_host_destroy(&host);
}

/* TLFS 2.0a, "CPU Reserve": 0xC000 is 75 %. */
static void a_reserve_holds_against_any_weights(void **state)
{
    struct sched_host host;
    struct sched_task *reserved, *others[3];

    (void)state;
    create(&host, 1, 1);
    reserved = sched_host_vm(&host, 1, always_busy);
    for (unsigned i = 0; i < 3; i++)
        others[i] = sched_host_vm(&host, 10000, always_busy);
    set_reserve(&host, reserved, 0xc000);
    sched_host_run_until(&host, sched_ms(1000));
    assert_share(reserved, sched_ms(1000), 7500, 2);
    for (unsigned i = 0; i < 3; i++)
        assert_share(others[i], sched_ms(1000), 833, POINT);
    sched_host_destroy(&host);
}

/* Each of them on one LP, the third would find its part in two pieces. */
static void reserves_are_kept_that_lps_must_divide(void **state)
{
    static const struct {
        unsigned lps, count;
        uint64_t reserve[5]; /* of 1,000 */
    } cases[] = {
        {2, 3, {600, 600, 600}},           {2, 3, {600, 600, 500}},
        {2, 3, {660, 660, 660}},           {3, 4, {740, 740, 740, 740}},
        {3, 5, {590, 590, 590, 590, 590}}, {4, 5, {900, 900, 900, 900, 300}},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sched_host host;
        struct sched_task *vms[5];

        create(&host, 1, cases[i].lps);
        for (unsigned k = 0; k < cases[i].count; k++) {
            vms[k] = sched_host_vm(&host, 1, always_busy);
            set_reserve(&host, vms[k], cases[i].reserve[k] * 0x10000 / 1000);
        }
        for (unsigned k = 0; k < cases[i].lps; k++)
            sched_host_vm(&host, 10000, always_busy);
        sched_host_run_until(&host, sched_ms(1000));
        for (unsigned k = 0; k < cases[i].count; k++)
            assert_in_range(sched_host_share(vms[k], sched_ms(1000)),
                            cases[i].reserve[k] * 10 - 30,
                            cases[i].reserve[k] * 10 + 150);
        sched_host_destroy(&host);
    }
}

static void what_a_reserve_does_not_use_reaches_others(void **state)
{
    struct sched_plan plan = {.busy = sched_ms(1), .sleep = sched_ms(9)};
    struct sched_host host;
    struct sched_task *reserved, *other;

    (void)state;
    create(&host, 1, 1);
    reserved = sched_host_vm(&host, 1, plan);
    other = sched_host_vm(&host, 10000, always_busy);
    set_reserve(&host, reserved, 0xc000);
    sched_host_run_until(&host, sched_ms(1000));
    assert_share(reserved, sched_ms(1000), 1000, POINT / 4);
    assert_share(other, sched_ms(1000), 9000, POINT / 4);
    /* It interrupts at once. */
    assert_in_range(reserved->longest_wait.v, 1, sched_us(10).v);
    sched_host_destroy(&host);
}

static void reserves_find_lps_that_are_not_reserved(void **state)
{
    struct sched_host host;
    struct sched_task *reserved[4];

    (void)state;
    create(&host, 1, 4);
    for (unsigned i = 0; i < 12; i++)
        sched_host_vm(&host, 10000, always_busy);
    for (unsigned i = 0; i < 4; i++) {
        reserved[i] = sched_host_vm(&host, 1, always_busy);
        set_reserve(&host, reserved[i], 0xe000);
    }
    sched_host_run_until(&host, sched_ms(1000));
    for (unsigned i = 0; i < 4; i++)
        assert_share(reserved[i], sched_ms(1000), 8750, POINT / 4);
    sched_host_destroy(&host);
}

/* A waking VP comes before one that has run for long, not at once before one
 * that has just begun. */
static void a_vp_that_wakes_interrupts_after_a_while(void **state)
{
    struct sched_plan plan = {.busy = sched_us(50), .sleep = sched_us(3111)};
    struct sched_host host;
    struct sched_task *wakes, *busy[2];

    (void)state;
    create(&host, 1, 1);
    host.sched->params.preempt_after = sched_ms(4);
    wakes = sched_host_vm(&host, 100, plan);
    for (unsigned i = 0; i < 2; i++)
        busy[i] = sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, sched_ms(1000));
    assert_in_range(wakes->longest_wait.v, sched_us(500).v, sched_us(8040).v);
    assert_int_equal(wakes->waited.rule, SCHED_RULE_SLICE);
    assert_share(busy[0], sched_ms(1000), 4920, POINT);
    assert_share(busy[1], sched_ms(1000), 4920, POINT);
    sched_host_destroy(&host);
}

static void a_vp_that_wakes_takes_an_idle_lp(void **state)
{
    struct sched_plan plan = {
        .busy = sched_us(300), .sleep = sched_us(700), .random = true};
    struct sched_host host;
    struct sched_task *wakes;

    (void)state;
    create(&host, 1, 4);
    for (unsigned i = 0; i < 3; i++)
        sched_host_vm(&host, 100, always_busy);
    wakes = sched_host_vm(&host, 100, plan);
    sched_host_run_until(&host, sched_ms(500));
    assert_in_range(wakes->longest_wait.v, 1, sched_us(2).v);
    assert_int_equal(wakes->migrations, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_share(host.tasks[i], sched_ms(500), 9999, 2);
    sched_host_destroy(&host);
}

/* A root VP is pinned; the guest's VP that has its LP can go elsewhere. */
static void a_pinned_vp_sends_the_other_to_an_idle_lp(void **state)
{
    struct sched_plan plan = {.busy = sched_us(500), .sleep = sched_us(2500)};
    struct sched_host host;
    struct sched_task *root;

    (void)state;
    create(&host, 1, 2);
    sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, sched_ms(1));
    root = sched_host_root_vp(&host, host.tasks[0]->vp->sched.lp->id.v, plan);
    sched_host_run_until(&host, sched_ms(100));
    assert_in_range(root->longest_wait.v, 1, sched_us(10).v);
    assert_share(host.tasks[0], sched_ms(100), 9999, 5);
    sched_host_destroy(&host);
}

static void a_vp_waits_for_its_node_no_longer_than_it_should(void **state)
{
    struct sched_plan plan = {.busy = sched_us(100), .sleep = sched_ms(4)};
    struct sched_host host;
    struct sched_task *wakes, *root;

    (void)state;
    create(&host, 2, 1);
    root = sched_host_root_vp(&host, 0, always_busy);
    wakes = sched_host_vm(&host, 100, plan);
    /* So that it cannot interrupt. */
    host.sched->params.preempt_after = sched_ms(100);
    sched_host_run_until(&host, sched_ms(100));
    assert_in_range(wakes->longest_wait.v, sched_us(500).v, sched_us(520).v);
    assert_int_equal(wakes->waited.rule, SCHED_RULE_NUMA);
    assert_int_equal(wakes->waited.by_rule[SCHED_RULE_NUMA].v, sched_us(500).v);
    assert_int_equal(wakes->vp->sched.lp->id.v, 1);
    assert_share(root, sched_ms(100), 10000, 30);
    sched_host_destroy(&host);
}

static void an_lp_that_may_not_be_used_is_told(void **state)
{
    struct sched_plan plan = {.busy = sched_us(100), .sleep = sched_ms(1)};
    struct sched_host host;
    struct sched_task *root, *guest;

    (void)state;
    create(&host, 1, 2);
    host.sched->params.preempt_after = sched_ms(2);
    root = sched_host_root_vp(&host, 0, always_busy);
    guest = sched_host_vm(&host, 100, plan);
    guest->vp->sched.affinity = (struct lp_set){{1}};
    sched_controls_changed(guest->vp->partition, host.now);
    sched_host_run_until(&host, sched_ms(100));
    assert_int_equal(guest->waited.rule, SCHED_RULE_AFFINITY);
    assert_int_equal(guest->waited.holder_partition, root->vp->partition->id.v);
    sched_host_destroy(&host);
}

static struct sched_task *running_on(struct sched_host *host, uint32_t lp)
{
    for (uint32_t i = 0; i < host->task_count; i++) {
        if (host->tasks[i]->vp == host->hv->lps[lp].vp)
            return host->tasks[i];
    }
    return NULL;
}

/* However little it has had: it would come first of the three. */
static void a_vp_that_spins_goes_behind_all_that_wait(void **state)
{
    struct sched_host host;
    struct sched_task *spins;
    cycles_t now = sched_us(100500);

    (void)state;
    create(&host, 1, 1);
    for (unsigned i = 0; i < 3; i++)
        sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, now);
    spins = running_on(&host, 0);
    sched_host_forget(&host);
    sched_spin(host.sched, spins->vp, now);
    sched_host_run_until(&host, cycles_add(now, sched_us(10)));
    assert_ptr_not_equal(running_on(&host, 0), spins);
    for (unsigned ms = 1; spins->ran.v < sched_us(20).v; ms++) {
        assert_in_range(ms, 1, 21);
        sched_host_run_until(&host, cycles_add(now, sched_ms(ms)));
    }
    for (uint32_t i = 0; i < 3; i++)
        assert_true(host.tasks[i]->ran.v > 0);
    sched_host_destroy(&host);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(weights_of_100_200_and_700_give_10_20_and_70_per_cent),
        T(equal_weights_give_equal_shares),
        T(the_least_and_the_greatest_weight_share_10000_to_1),
        T(three_on_two_lps_share_fairly),
        T(five_on_four_lps_share_fairly),
        T(who_gets_more_weight_need_not_wait_for_it),
        T(a_new_weight_counts_from_then_on),
        T(a_reserve_holds_against_any_weights),
        T(reserves_are_kept_that_lps_must_divide),
        T(what_a_reserve_does_not_use_reaches_others),
        T(reserves_find_lps_that_are_not_reserved),
        T(a_vp_that_wakes_interrupts_after_a_while),
        T(a_vp_that_wakes_takes_an_idle_lp),
        T(a_pinned_vp_sends_the_other_to_an_idle_lp),
        T(a_vp_waits_for_its_node_no_longer_than_it_should),
        T(an_lp_that_may_not_be_used_is_told),
        T(a_vp_that_spins_goes_behind_all_that_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
