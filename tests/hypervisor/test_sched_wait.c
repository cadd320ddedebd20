/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The parts of a wait, on hosts where each cycle of it is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hypervisor/cpu_group.h"
#include "tests/hypervisor/sched_host.h"

static const struct sched_plan always_busy = {0};

static void create(struct sched_host *host, uint32_t lps)
{
    struct sched_host_config config = {.policy = "round-robin",
                                       .lps_per_node = lps};

    sched_host_create(host, &config);
}

static void pin(struct sched_host *host, struct sched_task *task, uint32_t lp)
{
    task->vp->sched.affinity = (struct lp_set){0};
    lp_set_add(&task->vp->sched.affinity, lp);
    sched_controls_changed(task->vp->partition, host->now);
}

static void assert_part(const struct sched_waited *waited, enum sched_rule rule,
                        cycles_t time)
{
    assert_int_equal(waited->by_rule[rule].v, time.v);
}

/* Every other part is 0. */
static void assert_only(const struct sched_waited *waited, enum sched_rule rule,
                        cycles_t time)
{
    assert_int_equal(waited->rule, rule);
    assert_int_equal(waited->dispatched.v - waited->ready.v, time.v);
    for (enum sched_rule other = 0; other < SCHED_RULE_COUNT; other++)
        assert_part(waited, other, other == rule ? time : cycles(0));
}

static void who_had_the_lp_is_told_one_by_one(void **state)
{
    struct sched_host host;
    struct sched_task *vms[3];

    (void)state;
    create(&host, 1);
    for (unsigned i = 0; i < 3; i++)
        vms[i] = sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, sched_ms(100));

    const struct sched_waited *waited = &vms[0]->waited;

    assert_only(waited, SCHED_RULE_SLICE, sched_ms(20));
    assert_int_equal(waited->holder_count, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(waited->holders[i].time.v, sched_ms(10).v);
        assert_int_equal(waited->holders[i].number, vms[2 - i]->vp->number);
    }
    assert_int_equal(waited->holder_partition, waited->holders[0].partition);
    sched_host_destroy(&host);
}

static void a_pinned_vp_waits_for_its_turn_or_beside_an_idle_lp(void **state)
{
    const struct sched_plan some = {.busy = sched_ms(3), .sleep = sched_ms(7)};
    struct sched_host host;
    struct sched_task *first, *second, *third;

    (void)state;
    create(&host, 2);
    first = sched_host_vm(&host, 100, always_busy);
    second = sched_host_vm(&host, 100, always_busy);
    third = sched_host_vm(&host, 100, some);
    pin(&host, first, 0);
    pin(&host, second, 0);
    pin(&host, third, 1);
    sched_host_run_until(&host, sched_ms(55));
    assert_int_equal(second->waited.rule, SCHED_RULE_AFFINITY);
    assert_part(&second->waited, SCHED_RULE_AFFINITY, sched_ms(7));
    assert_part(&second->waited, SCHED_RULE_SLICE, sched_ms(3));
    assert_int_equal(second->waited.holders[0].number, first->vp->number);
    assert_int_equal(second->waited.holders[0].time.v, sched_ms(10).v);
    sched_host_destroy(&host);
}

static void a_vp_at_its_limit_waits_for_the_next_period(void **state)
{
    struct sched_host host;
    struct sched_task *vm;

    (void)state;
    create(&host, 1);
    vm = sched_host_vm(&host, 100, always_busy);

    struct hv_context context = sched_host_context(&host);

    assert_int_equal(partition_set_cap(&context, vm->vp->partition, 0x8000),
                     HV_STATUS_SUCCESS);
    sched_host_run_until(&host, sched_ms(95));
    assert_only(&vm->waited, SCHED_RULE_CAP, sched_ms(5));
    assert_int_equal(vm->waited.holder_count, 0);
    assert_int_equal(vm->waited_by_rule[SCHED_RULE_WAKE].v, 0);
    sched_host_destroy(&host);
}

/* When the period begins another VP has the LP: that part is its turn. */
static void a_limit_and_a_turn_make_up_a_wait(void **state)
{
    const struct sched_plan late = {.start = sched_ms(6)};
    struct sched_host host;
    struct sched_task *vm, *other;

    (void)state;
    create(&host, 1);
    vm = sched_host_vm(&host, 100, always_busy);
    other = sched_host_vm(&host, 100, late);

    struct hv_context context = sched_host_context(&host);

    /* An account's first period is shorter by its 256th part: 4.98 ms. */
    assert_int_equal(partition_set_cap(&context, vm->vp->partition, 0x8000),
                     HV_STATUS_SUCCESS);
    sched_host_run_until(&host, sched_ms(17));
    assert_int_equal(vm->dispatches, 2);
    assert_int_equal(vm->waited.ready.v, sched_ms(5).v - sched_ms(5).v / 256);
    assert_part(&vm->waited, SCHED_RULE_CAP,
                cycles_sub(sched_ms(10), vm->waited.ready));
    assert_part(&vm->waited, SCHED_RULE_SLICE, sched_ms(6));
    assert_int_equal(vm->waited.holder_count, 1);
    assert_int_equal(vm->waited.holders[0].number, other->vp->number);
    assert_int_equal(vm->waited.holders[0].time.v, sched_ms(6).v);
    sched_host_destroy(&host);
}

static void a_groups_cap_is_told_from_a_vps_limit(void **state)
{
    struct sched_host host;
    struct sched_task *vm;
    struct cpu_group *group;

    (void)state;
    create(&host, 1);
    vm = sched_host_vm(&host, 100, always_busy);

    struct hv_context context = sched_host_context(&host);

    assert_int_equal(cpu_group_create(host.hv, 7), HV_STATUS_SUCCESS);
    group = cpu_group_find(host.hv, 7);
    assert_int_equal(cpu_group_set_cap(&context, group, 0x8000),
                     HV_STATUS_SUCCESS);
    assert_int_equal(cpu_group_join(&context, vm->vp->partition, group),
                     HV_STATUS_SUCCESS);
    sched_host_run_until(&host, sched_ms(95));
    assert_only(&vm->waited, SCHED_RULE_GROUP, sched_ms(5));
    assert_int_equal(sched_waited_held_back(&vm->waited).v, sched_ms(5).v);
    assert_int_equal(sched_waited_contention(&vm->waited).v, 0);
    sched_host_destroy(&host);
}

static void what_an_lp_takes_to_switch_is_waking(void **state)
{
    struct sched_host_config config = {.policy = "round-robin",
                                       .switch_cost = sched_us(3)};
    struct sched_host host;
    struct sched_task *vms[2];

    (void)state;
    sched_host_create(&host, &config);
    for (unsigned i = 0; i < 2; i++)
        vms[i] = sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, sched_ms(100));
    assert_int_equal(vms[0]->waited.rule, SCHED_RULE_SLICE);
    assert_part(&vms[0]->waited, SCHED_RULE_WAKE, sched_us(3));
    /* The other's slice, from when it was chosen on. */
    assert_part(&vms[0]->waited, SCHED_RULE_SLICE, sched_ms(10));
    assert_int_equal(vms[0]->waited.holders[0].time.v, sched_us(9997).v);
    sched_host_destroy(&host);
}

static void a_vp_that_stops_being_ready_has_waited_for_nothing(void **state)
{
    struct sched_host host;
    struct sched_task *vms[2];

    (void)state;
    create(&host, 1);
    for (unsigned i = 0; i < 2; i++)
        vms[i] = sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, sched_ms(4));
    assert_int_equal(vms[1]->vp->state, VP_READY);

    struct hv_context context = sched_host_context(&host);

    vms[1]->vp->explicit_suspend = true;
    vp_reconsider(&context, vms[1]->vp);
    assert_int_equal(vms[1]->dispatches, 0);
    assert_null(vms[1]->given_up.lp);
    assert_only(&vms[1]->given_up, SCHED_RULE_SLICE,
                cycles_sub(context.now, vms[1]->given_up.ready));
    sched_host_destroy(&host);
}

/* Below, a wait is told step by step. */

static struct hv_vp *waiting_vp(struct sched_host *host, uint64_t since)
{
    create(host, 2);

    struct hv_vp *vp = sched_host_vm(host, 100, always_busy)->vp;

    vp->state_since = cycles(since);
    sched_wait_begin(vp, cycles(since));
    return vp;
}

static void an_lp_that_starts_it_earlier_takes_back_what_was_said(void **state)
{
    struct sched_waited waited;
    struct sched_host host;
    struct hv_vp *vp = waiting_vp(&host, 100);

    (void)state;
    sched_wait(vp, SCHED_RULE_CAP, NULL, cycles(120));
    sched_wait(vp, SCHED_RULE_NUMA, NULL, cycles(150));
    sched_wait_end(vp, NULL, cycles(140), &waited);
    assert_int_equal(waited.rule, SCHED_RULE_WAKE);
    assert_part(&waited, SCHED_RULE_WAKE, cycles(20));
    assert_part(&waited, SCHED_RULE_CAP, cycles(20));
    assert_part(&waited, SCHED_RULE_NUMA, cycles(0));
    sched_wait_end(vp, NULL, cycles(110), &waited);
    assert_only(&waited, SCHED_RULE_WAKE, cycles(10));
    sched_host_destroy(&host);
}

static void an_lp_called_for_it_may_have_been_taken_by_another(void **state)
{
    struct sched_waited waited;
    struct sched_host host;
    struct hv_vp *vp = waiting_vp(&host, 100);
    struct hv_lp *lp = &host.hv->lps[1];

    (void)state;
    lp->free_since = lp->chosen_at = cycles(150);
    sched_wait_end(vp, lp, cycles(160), &waited);
    assert_part(&waited, SCHED_RULE_SLICE, cycles(50));
    assert_part(&waited, SCHED_RULE_WAKE, cycles(10));
    sched_host_destroy(&host);
}

/* The LP has idled all the while: it was not what the VP waited for. */
static void what_the_policy_said_holds_until_an_lp_chooses(void **state)
{
    struct sched_waited waited;
    struct sched_host host;
    struct hv_vp *vp = waiting_vp(&host, 100);
    struct hv_lp *lp = &host.hv->lps[1];
    const struct hv_vp *sibling = sched_host_vm(&host, 100, always_busy)->vp;

    (void)state;
    sched_wait(vp, SCHED_RULE_SIBLING, sibling, cycles(100));
    lp->chosen_at = cycles(180);
    lp->not_before = cycles(190);
    sched_wait_end(vp, lp, cycles(193), &waited);
    assert_int_equal(waited.rule, SCHED_RULE_SIBLING);
    assert_part(&waited, SCHED_RULE_SIBLING, cycles(90));
    assert_part(&waited, SCHED_RULE_WAKE, cycles(3));
    assert_int_equal(waited.holder_count, 1);
    assert_int_equal(waited.holder_partition, sibling->partition->id.v);
    assert_int_equal(waited.holders[0].time.v, 90);
    sched_host_destroy(&host);
}

/* It is remembered by its number, which outlives it. */
static void who_kept_it_out_may_be_gone_when_that_is_told(void **state)
{
    struct sched_waited waited;
    struct sched_host host;
    struct hv_vp *vp = waiting_vp(&host, 100);
    struct hv_lp *lp = &host.hv->lps[1];
    struct sched_task *sibling = sched_host_vm(&host, 100, always_busy);
    uint64_t partition = sibling->vp->partition->id.v;
    uint32_t number = sibling->vp->number;

    (void)state;
    sched_host_vp(&host, sibling->vp->partition, always_busy);
    sched_wait(vp, SCHED_RULE_SIBLING, sibling->vp, cycles(100));
    sched_host_remove_vp(sibling);
    sched_host_vm(&host, 100, always_busy);
    lp->chosen_at = lp->not_before = cycles(190);
    sched_wait_end(vp, lp, cycles(193), &waited);
    assert_int_equal(waited.holder_partition, partition);
    assert_int_equal(waited.holder_vp, 0);
    assert_int_equal(waited.holders[0].number, number);
    assert_int_equal(waited.holders[0].time.v, 90);
    sched_host_destroy(&host);
}

/* Of those named, each for a while, the one that was for longest. */
static void it_is_told_who_kept_it_out_for_longest(void **state)
{
    struct sched_waited waited;
    struct sched_host host;
    struct hv_vp *vp = waiting_vp(&host, 100);
    struct hv_lp *lp = &host.hv->lps[1];
    const struct hv_vp *first = sched_host_vm(&host, 100, always_busy)->vp;
    const struct hv_vp *second = sched_host_vm(&host, 100, always_busy)->vp;

    (void)state;
    sched_wait(vp, SCHED_RULE_SIBLING, first, cycles(100));
    sched_wait(vp, SCHED_RULE_SIBLING, second, cycles(130));
    sched_wait(vp, SCHED_RULE_SIBLING, second, cycles(180));
    lp->chosen_at = lp->not_before = cycles(190);
    sched_wait_end(vp, lp, cycles(190), &waited);
    assert_only(&waited, SCHED_RULE_SIBLING, cycles(90));
    assert_int_equal(waited.holders[0].number, second->number);
    assert_int_equal(waited.holders[0].time.v, 60);
    sched_host_destroy(&host);
}

/* LP 1 idles all the while; only from when the VP is kept from it that counts.
 */
static void
a_vp_that_is_confined_has_waited_for_its_turn_until_then(void **state)
{
    struct lp_set lps = {{1}};
    struct sched_waited waited;
    struct sched_host host;
    struct hv_vp *vp = waiting_vp(&host, 100);
    struct hv_context context = sched_host_context(&host);

    (void)state;
    context.now = cycles(140);
    vp->state = VP_READY;
    host.hv->sched.ops->enqueue(&host.hv->sched, vp, cycles(100));
    sched_wait(vp, SCHED_RULE_SLICE, NULL, cycles(100));
    assert_int_equal(partition_set_affinity(&context, vp->partition, &lps),
                     HV_STATUS_SUCCESS);
    sched_wait(vp, SCHED_RULE_SLICE, NULL, cycles(140));
    sched_wait(vp, SCHED_RULE_CAP, NULL, cycles(170));
    sched_wait_end(vp, NULL, cycles(170), &waited);
    assert_part(&waited, SCHED_RULE_SLICE, cycles(40));
    assert_part(&waited, SCHED_RULE_AFFINITY, cycles(30));
    sched_host_destroy(&host);
}

/* It has started on another node's LP, which idled: those who had its own
 * node's kept it out, the one that is on that now too. */
static void
a_vp_that_gave_up_its_node_waited_for_those_who_are_there(void **state)
{
    struct sched_host_config config = {
        .policy = "round-robin", .nodes = 2, .lps_per_node = 1};
    struct sched_host host;
    struct sched_waited waited;
    struct sched_task *there;
    struct hv_vp *vp;

    (void)state;
    sched_host_create(&host, &config);
    there = sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, sched_ms(3));
    assert_int_equal(there->vp->sched.lp->id.v, 0);
    vp = sched_host_vm(&host, 100, always_busy)->vp;
    vp->state_since = sched_ms(1);
    sched_wait_begin(vp, sched_ms(1));
    sched_wait(vp, SCHED_RULE_NUMA, NULL, sched_ms(1));
    host.hv->lps[1].chosen_at = sched_ms(3);
    sched_wait_end(vp, &host.hv->lps[1], sched_ms(3), &waited);
    assert_only(&waited, SCHED_RULE_NUMA, sched_ms(2));
    assert_int_equal(waited.holder_count, 1);
    assert_int_equal(waited.holders[0].number, there->vp->number);
    assert_int_equal(waited.holders[0].time.v, sched_ms(2).v);
    sched_host_destroy(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_had_the_lp_is_told_one_by_one),
        cmocka_unit_test(a_pinned_vp_waits_for_its_turn_or_beside_an_idle_lp),
        cmocka_unit_test(a_vp_at_its_limit_waits_for_the_next_period),
        cmocka_unit_test(a_limit_and_a_turn_make_up_a_wait),
        cmocka_unit_test(a_groups_cap_is_told_from_a_vps_limit),
        cmocka_unit_test(what_an_lp_takes_to_switch_is_waking),
        cmocka_unit_test(a_vp_that_stops_being_ready_has_waited_for_nothing),
        cmocka_unit_test(an_lp_that_starts_it_earlier_takes_back_what_was_said),
        cmocka_unit_test(an_lp_called_for_it_may_have_been_taken_by_another),
        cmocka_unit_test(
            a_vp_that_gave_up_its_node_waited_for_those_who_are_there),
        cmocka_unit_test(what_the_policy_said_holds_until_an_lp_chooses),
        cmocka_unit_test(who_kept_it_out_may_be_gone_when_that_is_told),
        cmocka_unit_test(it_is_told_who_kept_it_out_for_longest),
        cmocka_unit_test(
            a_vp_that_is_confined_has_waited_for_its_turn_until_then),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
