/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/hypervisor/sched_host.h"

static const struct sched_plan always_busy = {0};

/* Hundredths of a per cent. */
#define assert_share(task, elapsed, share, tolerance)                          \
    assert_in_range(sched_host_share(task, elapsed), (share) - (tolerance),    \
                    (share) + (tolerance))

/* From dispatch to the end of a run, by LP: never two VMs on one core. */
struct watch {
    uint32_t width;
    struct {
        uint64_t partition; /* 0: nobody */
        cycles_t since, until;
        uint64_t last; /* who left at `until` */
    } lps[64];
    unsigned together; /* dispatches beside one of the same VM */
};

static void watch_dispatch(struct watch *watch,
                           const struct trace_record *record)
{
    uint32_t first = record->lp - record->lp % watch->width;

    for (uint32_t lp = first; lp < first + watch->width; lp++) {
        if (lp == record->lp)
            continue;
        if (watch->lps[lp].partition)
            assert_int_equal(watch->lps[lp].partition, record->partition);
        if (watch->lps[lp].last != record->partition)
            assert_false(cycles_before(record->time, watch->lps[lp].until));
        watch->together += watch->lps[lp].partition != 0;
    }
}

static void watch_trace(void *context, const struct trace_record *record)
{
    struct watch *watch = context;

    if (record->kind == TRACE_DISPATCH) {
        watch_dispatch(watch, record);
        watch->lps[record->lp].partition = record->partition;
        watch->lps[record->lp].since = record->time;
    } else if (record->kind == TRACE_UNDISPATCH) {
        watch->lps[record->lp].partition = 0;
        watch->lps[record->lp].last = record->partition;
        watch->lps[record->lp].until = record->time;
    }
}

static void create(struct sched_host *host, struct watch *watch, uint32_t cores)
{
    struct sched_host_config config = {
        .policy = "core",
        .lps_per_node = cores * 2,
        .threads_per_core = 2,
        .switch_cost = sched_us(2),
        .sink = watch_trace,
        .sink_context = watch,
    };

    *watch = (struct watch){.width = 2};
    sched_host_create(host, &config);
}

/* A VM whose guest knows of SMT. */
static struct hv_partition *smt_vm(struct sched_host *host, uint64_t weight)
{
    struct hv_partition *vm = sched_host_partition(host, weight);

    vm->topology.threads_per_core = 2;
    return vm;
}

static void vps_of_a_core_run_together_and_vms_in_turn(void **state)
{
    struct sched_host host;
    struct watch watch;
    unsigned dispatches = 0;

    (void)state;
    create(&host, &watch, 1);
    for (unsigned i = 0; i < 2; i++) {
        struct hv_partition *vm = smt_vm(&host, 100);

        sched_host_vp(&host, vm, always_busy);
        sched_host_vp(&host, vm, always_busy);
    }
    sched_host_run_until(&host, sched_ms(1000));
    for (unsigned i = 0; i < 4; i++) {
        assert_share(host.tasks[i], sched_ms(1000), 5000, 100);
        assert_int_equal(host.tasks[i]->vp->sched.lp->id.v, i % 2);
        dispatches += (unsigned)host.tasks[i]->dispatches;
    }
    /* Of each pair the second finds the first there. */
    assert_in_range(watch.together, dispatches / 2 - 2, dispatches / 2);
    sched_host_destroy(&host);
}

static void a_vm_of_one_vp_has_the_core(void **state)
{
    struct sched_host host;
    struct sched_task *one, *two;
    struct watch watch;

    (void)state;
    create(&host, &watch, 1);
    one = sched_host_vm(&host, 100, always_busy);
    two = sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, sched_ms(1000));
    assert_share(one, sched_ms(1000), 5000, 100);
    assert_share(two, sched_ms(1000), 5000, 100);
    assert_int_equal(watch.together, 0);
    assert_int_equal(two->waited.rule, SCHED_RULE_SIBLING);
    assert_int_equal(two->waited.holder_partition, one->vp->partition->id.v);
    sched_host_destroy(&host);
}

/* Threads-per-core 1: its VPs are virtual cores of their own. */
static void vps_of_a_guest_without_smt_share_no_core(void **state)
{
    struct sched_host host;
    struct hv_partition *vm;
    struct watch watch;

    (void)state;
    create(&host, &watch, 2);
    vm = sched_host_partition(&host, 100);
    sched_host_vp(&host, vm, always_busy);
    sched_host_vp(&host, vm, always_busy);
    sched_host_run_until(&host, sched_ms(100));
    for (unsigned i = 0; i < 2; i++)
        assert_share(host.tasks[i], sched_ms(100), 9999, 3);
    assert_int_equal(watch.together, 0);
    sched_host_destroy(&host);
}

static void weights_count_by_core(void **state)
{
    static const uint64_t weights[] = {100, 200, 700};
    struct sched_host host;
    struct watch watch;

    (void)state;
    create(&host, &watch, 1);
    for (unsigned i = 0; i < 3; i++) {
        struct hv_partition *vm = smt_vm(&host, weights[i]);

        for (unsigned vp = 0; vp < i + 1 && vp < 2; vp++)
            sched_host_vp(&host, vm, always_busy);
    }
    sched_host_run_until(&host, sched_ms(2000));
    assert_share(host.tasks[0], sched_ms(2000), 1000, 60);
    assert_share(host.tasks[1], sched_ms(2000), 2000, 60);
    assert_share(host.tasks[2], sched_ms(2000), 2000, 60);
    assert_share(host.tasks[3], sched_ms(2000), 7000, 60);
    sched_host_destroy(&host);
}

static void a_reserve_holds(void **state)
{
    struct sched_host host;
    struct sched_task *reserved;
    struct hv_context context;
    struct watch watch;

    (void)state;
    create(&host, &watch, 1);
    reserved = sched_host_vm(&host, 1, always_busy);
    for (unsigned i = 0; i < 3; i++)
        sched_host_vm(&host, 10000, always_busy);
    context = sched_host_context(&host);
    assert_int_equal(
        partition_set_reserve(&context, reserved->vp->partition, 0xc000),
        HV_STATUS_SUCCESS);
    sched_host_run_until(&host, sched_ms(1000));
    assert_share(reserved, sched_ms(1000), 7500, 5);
    sched_host_destroy(&host);
}

/* Its VPs use the reserve up at the same time, each on its own LP. */
static void a_reserve_of_both_threads_is_no_more_than_that(void **state)
{
    struct sched_host host;
    struct hv_partition *vms[2];
    struct hv_context context;
    struct watch watch;

    (void)state;
    create(&host, &watch, 1);
    for (unsigned i = 0; i < 2; i++) {
        vms[i] = smt_vm(&host, 100);
        sched_host_vp(&host, vms[i], always_busy);
        sched_host_vp(&host, vms[i], always_busy);
    }
    context = sched_host_context(&host);
    assert_int_equal(partition_set_reserve(&context, vms[0], 0xc000),
                     HV_STATUS_SUCCESS);
    sched_host_run_until(&host, sched_ms(1000));
    for (unsigned i = 0; i < 4; i++)
        assert_share(host.tasks[i], sched_ms(1000), i < 2 ? 7500 : 2500, 20);
    /* Of each of 100 periods: its begin, and when the reserve is used up. */
    for (unsigned i = 0; i < 2; i++)
        assert_in_range(host.hv->lps[i].counters.cell[PC_LP_TIMER_INTERRUPTS],
                        100, 400);
    sched_host_destroy(&host);
}

/* Two cores, three VMs of two VPs: the third finds its part in two pieces. */
static void reserves_are_kept_that_cores_must_divide(void **state)
{
    struct sched_host host;
    struct hv_context context;
    struct watch watch;

    (void)state;
    create(&host, &watch, 2);
    context = sched_host_context(&host);
    for (unsigned i = 0; i < 5; i++) {
        struct hv_partition *vm = smt_vm(&host, i < 3 ? 1 : 10000);

        sched_host_vp(&host, vm, always_busy);
        sched_host_vp(&host, vm, always_busy);
        if (i < 3)
            assert_int_equal(partition_set_reserve(&context, vm, 0xa000),
                             HV_STATUS_SUCCESS);
    }
    sched_host_run_until(&host, sched_ms(1000));
    for (unsigned i = 0; i < 6; i++)
        assert_share(host.tasks[i], sched_ms(1000), 6250, 80);
    sched_host_destroy(&host);
}

/* Three VPs: the third has a core alone. */
static void an_odd_vp_has_a_core_alone(void **state)
{
    struct sched_host host;
    struct hv_partition *vm;
    struct watch watch;

    (void)state;
    create(&host, &watch, 2);
    vm = smt_vm(&host, 100);
    for (unsigned i = 0; i < 3; i++)
        sched_host_vp(&host, vm, always_busy);
    sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, sched_ms(1500));
    for (unsigned i = 0; i < 4; i++)
        assert_share(host.tasks[i], sched_ms(1500), 6666, 300);
    sched_host_destroy(&host);
}

static void vps_that_may_use_one_thread_take_turns(void **state)
{
    struct lp_set lps = {{UINT64_C(1) << 3}};
    struct sched_host host;
    struct hv_context context;
    struct hv_partition *vm;
    struct watch watch;

    (void)state;
    create(&host, &watch, 2);
    vm = smt_vm(&host, 100);
    sched_host_vp(&host, vm, always_busy);
    sched_host_vp(&host, vm, always_busy);
    context = sched_host_context(&host);
    assert_int_equal(partition_set_affinity(&context, vm, &lps),
                     HV_STATUS_SUCCESS);
    sched_host_run_until(&host, sched_ms(1000));
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(host.tasks[i]->vp->sched.lp->id.v, 3);
        assert_share(host.tasks[i], sched_ms(1000), 5000, 100);
    }
    sched_host_destroy(&host);
}

static void a_vm_that_is_confined_while_it_runs_changes_its_core(void **state)
{
    struct lp_set lps = {{UINT64_C(3) << 4}}; /* core 2 */
    struct sched_host host;
    struct hv_context context;
    struct hv_partition *vm;
    struct watch watch;

    (void)state;
    create(&host, &watch, 3);
    vm = smt_vm(&host, 100);
    sched_host_vp(&host, vm, always_busy);
    sched_host_vp(&host, vm, always_busy);
    sched_host_run_until(&host, sched_ms(100));
    assert_int_equal(host.tasks[0]->vp->sched.lp->core, 0);
    context = sched_host_context(&host);
    assert_int_equal(partition_set_affinity(&context, vm, &lps),
                     HV_STATUS_SUCCESS);
    sched_host_forget(&host);
    sched_host_run_until(&host, sched_ms(1100));
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(host.tasks[i]->vp->sched.lp->core, 2);
        assert_share(host.tasks[i], sched_ms(1000), 9990, 20);
    }
    sched_host_destroy(&host);
}

/* Root VPs 0 and 1 are pinned to a core's threads, as a pair; minroot leaves
 * one alone. A guest moves out of their way. */
static void root_vps_form_cores_by_their_lps(void **state)
{
    struct sched_plan plan = {
        .busy = sched_us(200), .sleep = sched_us(800), .random = true};
    struct sched_host host;
    struct sched_task *guest;
    struct watch watch;

    (void)state;
    create(&host, &watch, 3);
    sched_host_root_vp(&host, 0, plan);
    sched_host_root_vp(&host, 1, plan);
    sched_host_root_vp(&host, 4, plan);
    guest = sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, sched_ms(1000));
    assert_share(guest, sched_ms(1000), 9990, 20);
    for (unsigned i = 0; i < 3; i++) {
        assert_share(host.tasks[i], sched_ms(1000), 2000, 200);
        assert_in_range(host.tasks[i]->longest_wait.v, 1, sched_us(30).v);
    }
    assert_true(watch.together > 0);
    sched_host_destroy(&host);
}

static void vms_that_wake_and_sleep_never_share_a_core(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sched_plan plan = {
            .busy = sched_us(700), .sleep = sched_us(900), .random = true};
        struct sched_host host;
        struct watch watch;

        create(&host, &watch, 3);
        host.config.seed = seed;
        for (unsigned i = 0; i < 6; i++) {
            struct hv_partition *vm = smt_vm(&host, 100 << i % 3);

            for (unsigned vp = 0; vp < 1 + i % 4; vp++)
                sched_host_vp(&host, vm, vp == 3 ? always_busy : plan);
        }
        sched_host_run_until(&host, sched_ms(200));
        for (uint32_t i = 0; i < host.task_count; i++)
            assert_true(host.tasks[i]->ran.v > sched_ms(5).v);
        assert_true(watch.together > 0);
        sched_host_destroy(&host);
    }
}

/* Its thread takes the place of the first in their virtual core. */
static void who_waits_goes_on_waiting_when_its_sibling_is_removed(void **state)
{
    struct sched_host host;
    struct watch watch;
    struct sched_task *tasks[2][2];
    unsigned waits;

    (void)state;
    create(&host, &watch, 1);
    for (unsigned i = 0; i < 2; i++) {
        struct hv_partition *vm = smt_vm(&host, 100);

        for (unsigned vp = 0; vp < 2; vp++)
            tasks[i][vp] = sched_host_vp(&host, vm, always_busy);
    }
    sched_host_run_until(&host, sched_ms(50));
    waits = tasks[0][0]->vp->state == VP_READY ? 0 : 1;
    assert_int_equal(tasks[waits][0]->vp->state, VP_READY);
    assert_int_equal(tasks[waits][1]->vp->state, VP_READY);
    sched_host_remove_vp(tasks[waits][0]);
    sched_host_forget(&host);
    sched_host_run_until(&host, sched_ms(450));
    assert_share(tasks[waits][1], sched_ms(400), 5000, 200);
    assert_share(tasks[!waits][0], sched_ms(400), 5000, 200);
    sched_host_destroy(&host);
}

static uint64_t hash_of_run(const char *policy, uint64_t seed)
{
    struct sched_plan plan = {
        .busy = sched_us(700), .sleep = sched_us(900), .random = true};
    struct sched_host_config config = {
        .policy = policy, .lps_per_node = 3, .seed = seed};
    struct sched_host host;
    uint64_t hash;

    sched_host_create(&host, &config);
    for (unsigned i = 0; i < 6; i++)
        sched_host_vm(&host, 100 << i, i % 2 ? plan : always_busy);
    sched_host_run_until(&host, sched_ms(100));
    hash = trace_hash(host.trace);
    sched_host_destroy(&host);
    return hash;
}

static void without_smt_it_is_classic(void **state)
{
    (void)state;
    assert_true(hash_of_run("core", 1) == hash_of_run("classic", 1));
    assert_true(hash_of_run("core", 1) != hash_of_run("classic", 2));
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(vps_of_a_core_run_together_and_vms_in_turn),
        T(a_vm_of_one_vp_has_the_core),
        T(vps_of_a_guest_without_smt_share_no_core),
        T(weights_count_by_core),
        T(a_reserve_holds),
        T(a_reserve_of_both_threads_is_no_more_than_that),
        T(reserves_are_kept_that_cores_must_divide),
        T(an_odd_vp_has_a_core_alone),
        T(vps_that_may_use_one_thread_take_turns),
        T(a_vm_that_is_confined_while_it_runs_changes_its_core),
        T(root_vps_form_cores_by_their_lps),
        T(vms_that_wake_and_sleep_never_share_a_core),
        T(who_waits_goes_on_waiting_when_its_sibling_is_removed),
        T(without_smt_it_is_classic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
