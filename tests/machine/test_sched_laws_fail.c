/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Each law of sched_laws.h can be broken: by a story in which it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/cpu_group.h"
#include "hypervisor/partition.h"
#include "tests/machine/sched_laws.h"

#define MS UINT64_C(1000000)

/* Two cores of two LPs each; the root and two VMs; 40 ms, four periods. */
struct tale {
    struct story story;
    struct story_run runs[8];
    struct story_wait waits[8];
    struct story_idle idles[8];
    struct story_controls controls[4];
};

static void tell(struct tale *tale)
{
    struct story_controls *controls = &tale->controls[0];

    *tale = (struct tale){
        .story = {
            .lp_count = 4,
            .node_count = 1,
            .threads_per_core = 2,
            .vm_count = 3,
            .quantum = 10000,
            .params = {.slice = cycles(10 * MS), .period = cycles(10 * MS)},
            .flags = SCHED_WORK_CONSERVING,
            .end = 40 * MS,
            .wait_most = 20 * MS,
        }};
    tale->story.runs = tale->runs;
    tale->story.waits = tale->waits;
    tale->story.idles = tale->idles;
    tale->story.controls = tale->controls;
    tale->story.control_count = 1;
    for (uint32_t vm = 0; vm < 3; vm++)
        controls->of[vm] = (struct story_control){
            .weight = 100,
            .cap = PARTITION_CPU_SHARE_MAX,
            .group_cap = CPU_GROUP_CAP_MAX,
            .affinity = lp_set_first_of(4),
            .is_root = vm == 0,
            .root_lps = {0, 1, 2, 3},
        };
}

static void runs(struct tale *tale, uint32_t lp, uint32_t vm, uint64_t from,
                 uint64_t to)
{
    size_t at = tale->story.run_count++;

    tale->runs[at] = (struct story_run){.lp = lp,
                                        .vm = vm,
                                        .from = from,
                                        .to = to,
                                        .position = 2 * at + 1,
                                        .end = 2 * at + 2};
}

static void idles(struct tale *tale, uint32_t lp, uint64_t from, uint64_t to)
{
    tale->idles[tale->story.idle_count++] = (struct story_idle){lp, from, to};
}

static struct story_wait *waits(struct tale *tale, uint32_t vm, uint64_t from,
                                uint64_t to)
{
    struct story_wait *wait = &tale->waits[tale->story.wait_count++];

    *wait =
        (struct story_wait){.vm = vm, .from = from, .to = to, .ended = true};
    wait->by_rule[SCHED_RULE_SLICE] = to - from;
    return wait;
}

/* A change of VM 1's controls, before the run that comes next. */
static struct story_control *changes(struct tale *tale, uint64_t at)
{
    struct story_controls *all = &tale->controls[tale->story.control_count++];

    *all = all[-1];
    all->time = at;
    all->position = 2 * tale->story.run_count;
    return &all->of[1];
}

typedef bool law_holds(const struct story *story, char *text);

static void expect_kept(const struct tale *tale, law_holds *holds)
{
    char text[LAW_TEXT_BYTES] = "";

    if (!holds(&tale->story, text))
        fail_msg("it is kept, but is said to be broken: %s", text);
}

static void expect_broken(const struct tale *tale, law_holds *holds,
                          const char *why)
{
    char text[LAW_TEXT_BYTES] = "";

    assert_false(holds(&tale->story, text));
    if (!strstr(text, why))
        fail_msg("it is broken otherwise: %s", text);
}

static void a_vp_on_two_lps_is_seen(void **state)
{
    struct tale tale;

    (void)state;
    tell(&tale);
    runs(&tale, 0, 1, 0, 5 * MS);
    runs(&tale, 1, 1, 5 * MS, 6 * MS);
    expect_kept(&tale, law_one_lp_at_a_time);
    runs(&tale, 0, 1, 6 * MS - 1, 7 * MS);
    expect_broken(&tale, law_one_lp_at_a_time, "is on another");

    tell(&tale);
    runs(&tale, 0, 1, 0, 5 * MS);
    runs(&tale, 0, 2, 5 * MS - 1, 6 * MS);
    expect_broken(&tale, law_one_lp_at_a_time, "LP 0, which has another");
}

static void a_vp_where_it_may_not_is_seen(void **state)
{
    struct tale tale;

    (void)state;
    tell(&tale);
    runs(&tale, 0, 1, 0, 5 * MS);
    changes(&tale, 6 * MS)->affinity = (struct lp_set){{2}}; /* LP 1 */
    runs(&tale, 1, 1, 6 * MS, 7 * MS);
    expect_kept(&tale, law_only_where_allowed);
    runs(&tale, 0, 1, 7 * MS, 8 * MS);
    expect_broken(&tale, law_only_where_allowed, "may not");

    tell(&tale);
    runs(&tale, 1, 0, 0, 5 * MS); /* the root's VP 0 is on LP 0 */
    expect_broken(&tale, law_only_where_allowed, "VM 0 VP 0 runs on LP 1");
}

static void a_vp_that_stays_where_it_may_not_is_seen(void **state)
{
    struct tale tale;

    (void)state;
    tell(&tale);
    runs(&tale, 0, 1, 0, 5 * MS);
    changes(&tale, 4 * MS)->affinity = (struct lp_set){{2}};
    expect_broken(&tale, law_only_where_allowed, "banned");
    tale.runs[0].to = 4 * MS + 10000;
    expect_kept(&tale, law_only_where_allowed);
}

static void an_lp_that_idles_in_vain_is_seen(void **state)
{
    struct tale tale;

    (void)state;
    tell(&tale);
    waits(&tale, 1, 0, 5 * MS);
    idles(&tale, 3, 2 * MS, 2 * MS + 40000);
    expect_kept(&tale, law_no_lp_idles_in_vain);
    idles(&tale, 2, 2 * MS, 2 * MS + 50000);
    expect_broken(&tale, law_no_lp_idles_in_vain, "LP 2 idled for 50000");

    /* Unless it may not use it, */
    tale.controls[0].of[1].affinity = (struct lp_set){{8}};
    expect_kept(&tale, law_no_lp_idles_in_vain);
    /* or the wait is for a limit, */
    tale.controls[0].of[1].affinity = lp_set_first_of(4);
    tale.waits[0].by_rule[SCHED_RULE_CAP] = 5 * MS;
    expect_kept(&tale, law_no_lp_idles_in_vain);
    /* or the policy does not promise it. */
    tale.waits[0].by_rule[SCHED_RULE_CAP] = 0;
    tale.story.flags = 0;
    expect_kept(&tale, law_no_lp_idles_in_vain);
}

static void more_than_a_limit_is_seen(void **state)
{
    struct tale tale;

    (void)state;
    tell(&tale);
    tale.controls[0].of[1].cap = PARTITION_CPU_SHARE_MAX / 2;
    runs(&tale, 0, 1, 0, 5 * MS + LAW_INTERCEPT_MOST);
    runs(&tale, 0, 1, 12 * MS, 17 * MS);
    expect_kept(&tale, law_limits);
    /* What was too much is missing from the next period, */
    runs(&tale, 0, 1, 17 * MS, 17 * MS + 10);
    expect_broken(&tale, law_limits, "has run for");
    /* and a change begins a new account. */
    tale.story.run_count = 2;
    changes(&tale, 15 * MS);
    runs(&tale, 0, 1, 20 * MS, 25 * MS + LAW_INTERCEPT_MOST);
    expect_kept(&tale, law_limits);
    runs(&tale, 0, 1, 29 * MS, 29 * MS + 10);
    expect_broken(&tale, law_limits, "has run for");
}

static void more_than_a_groups_cap_is_seen(void **state)
{
    struct tale tale;

    (void)state;
    tell(&tale);
    for (uint32_t vm = 1; vm < 3; vm++) {
        tale.controls[0].of[vm].group = 1;
        tale.controls[0].of[vm].group_cap = CPU_GROUP_CAP_MAX / 4; /* an LP */
        tale.controls[0].of[vm].group_lps = 4;
    }
    runs(&tale, 0, 1, 0, 5 * MS);
    runs(&tale, 1, 2, 0, 5 * MS);
    expect_kept(&tale, law_group_caps);
    runs(&tale, 1, 2, 6 * MS, 7 * MS);
    expect_broken(&tale, law_group_caps, "group 1 has run for 11000000");
}

static void a_wait_whose_parts_are_less_is_seen(void **state)
{
    struct tale tale;

    (void)state;
    tell(&tale);
    waits(&tale, 1, 0, 5 * MS);
    expect_kept(&tale, law_waits_add_up);
    waits(&tale, 1, 6 * MS, 7 * MS)->by_rule[SCHED_RULE_SLICE]--;
    expect_broken(&tale, law_waits_add_up, "the parts make 999999");

    tell(&tale);
    waits(&tale, 1, 0, 5 * MS)->by_rule[SCHED_RULE_SLICE] = 0;
    tale.waits[0].by_rule[SCHED_RULE_CAP] = 5 * MS;
    expect_broken(&tale, law_waits_add_up, "does not have");
    tale.controls[0].of[1].cap = 1;
    expect_kept(&tale, law_waits_add_up);
}

static void a_vp_that_starves_is_seen(void **state)
{
    struct tale tale;

    (void)state;
    tell(&tale);
    waits(&tale, 1, 0, 20 * MS);
    expect_kept(&tale, law_nobody_starves);
    waits(&tale, 2, 0, 20 * MS + 1);
    expect_broken(&tale, law_nobody_starves, "VM 2");
    /* Waiting for its limit is none of that, */
    tale.waits[1].by_rule[SCHED_RULE_CAP] = 1;
    expect_kept(&tale, law_nobody_starves);
    /* and one who still waits at the end is not forgotten. */
    waits(&tale, 1, 10 * MS, 40 * MS)->ended = false;
    expect_broken(&tale, law_nobody_starves, "VM 1");
}

static void time_that_an_lp_loses_is_seen(void **state)
{
    struct tale tale;

    (void)state;
    tell(&tale);
    runs(&tale, 0, 1, 0, 5 * MS);
    idles(&tale, 0, 5 * MS, 6 * MS);
    runs(&tale, 0, 1, 6 * MS, 40 * MS);
    expect_kept(&tale, law_lps_lose_no_time);
    tale.runs[1].from = 6 * MS + LAW_SWITCH_MOST + 10001;
    expect_broken(&tale, law_lps_lose_no_time, "done nothing");
    tale.runs[1].from = 6 * MS - 1;
    expect_broken(&tale, law_lps_lose_no_time, "something else");
}

static void two_vms_on_a_core_are_seen(void **state)
{
    struct tale tale;

    (void)state;
    tell(&tale);
    runs(&tale, 0, 1, 0, 5 * MS);
    runs(&tale, 1, 1, 1 * MS, 4 * MS);
    runs(&tale, 2, 2, 0, 5 * MS);
    runs(&tale, 1, 2, 5 * MS, 6 * MS);
    expect_kept(&tale, law_one_vm_on_a_core);
    runs(&tale, 0, 1, 6 * MS - 1, 7 * MS);
    expect_broken(&tale, law_one_vm_on_a_core, "VM 1 begins on LP 0");

    tell(&tale);
    runs(&tale, 3, 1, 0, 10 * MS);
    runs(&tale, 2, 2, 4 * MS, 5 * MS);
    expect_broken(&tale, law_one_vm_on_a_core, "VM 2 begins on LP 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vp_on_two_lps_is_seen),
        cmocka_unit_test(a_vp_where_it_may_not_is_seen),
        cmocka_unit_test(a_vp_that_stays_where_it_may_not_is_seen),
        cmocka_unit_test(an_lp_that_idles_in_vain_is_seen),
        cmocka_unit_test(more_than_a_limit_is_seen),
        cmocka_unit_test(more_than_a_groups_cap_is_seen),
        cmocka_unit_test(a_wait_whose_parts_are_less_is_seen),
        cmocka_unit_test(a_vp_that_starves_is_seen),
        cmocka_unit_test(time_that_an_lp_loses_is_seen),
        cmocka_unit_test(two_vms_on_a_core_are_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
