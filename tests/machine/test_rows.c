/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * What is true of Hyper-V by definition, as far as scheduling goes, for every
 * policy that claims it by its flags (hypervisor/sched.h). Numbers, sources and
 * tolerances are those of the table of validation targets; parameters are the
 * scenario's defaults, alike in all rows. A failure names the policy.
 */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/cpu_group.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "tests/machine/sched_laws.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define SHARE_ONE 65536 /* of an LP, or of the host */

/* What is measured: a second, when all VMs have been started. */
#define FROM (200 * MS)
#define TO (FROM + SECOND)

#define MSR_STIMER0_CONFIG 0x400000b0u
#define MSR_STIMER0_COUNT 0x400000b1u
#define STIMER_PERIODIC_DIRECT 0x140au /* vector 0x40, enabled by a count */

struct row {
    const struct hv_sched_ops *ops;
    struct script_config config;
    struct script_host host;
    struct story story;
};

/* One machine under way at a time. */
static struct row row;

static void begin(const struct hv_sched_ops *ops, uint32_t lps, uint32_t vms)
{
    struct script_config *config = &row.config;

    row.ops = ops;
    script_config_init(config);
    config->scheduler = ops->name;
    config->lps = lps;
    config->root_vps = 1;
    config->vm_count = vms;
    config->slice_ns = 10 * MS;
    config->preempt_after_ns = 1 * MS;
    config->wake_boost_ns = 2 * MS;
    config->migrate_after_ns = 2 * MS;
    config->node_patience_ns = MS / 2;
    config->period_ns = 10 * MS;
    config->spin_yields = true;
    config->interval_ns = 100 * MS;
    config->duration_ns = TO + 10 * MS;
}

static void always_busy(uint32_t vm, uint32_t vps)
{
    row.config.vms[vm].vps = vps;
    for (uint32_t vp = 0; vp < vps; vp++) {
        struct script *script = &row.config.vms[vm].script[vp];

        script_begin(script, vp, vps);
        script_add(script, SCRIPT_RUN, MS, 0, 0);
        script_repeat(script, script->count - 1);
    }
}

static void create(void)
{
    script_host_create(&row.host, &row.config);
    story_begin(&row.story, &row.host);
}

static void run(void)
{
    if (script_host_run(&row.host) != SIM_OK)
        fail_msg("%s: %s", row.ops->name, row.host.error.message);
    story_end(&row.story);
}

static void end(void)
{
    story_free(&row.story);
    script_host_destroy(&row.host);
}

/* Of one LP's time, what VM `vm` had in the second that is measured; in %. */
static double had(uint32_t vm)
{
    uint64_t ran = 0;

    for (uint32_t vp = 0; vp < row.config.vms[vm].vps; vp++)
        ran += story_ran(&row.story, vm + 1, vp, FROM, TO);
    return (double)ran * 100 / (double)SECOND;
}

static double all_had(void)
{
    double sum = 0;

    for (uint32_t vm = 0; vm < row.config.vm_count; vm++)
        sum += had(vm);
    return sum;
}

static void expect(const char *what, double value, double least, double most)
{
    if (value < least || value > most)
        fail_msg("%s: %s is %.3f, and should be from %.3f to %.3f",
                 row.ops->name, what, value, least, most);
}

typedef void row_test(const struct hv_sched_ops *ops);

/* Every policy that claims all of `flags`; there must be one. */
static void for_each_policy(unsigned flags, row_test *test)
{
    const struct hv_sched_ops *ops;
    unsigned count = 0;

    for (unsigned i = 0; (ops = sched_by_index(i)); i++) {
        if ((ops->flags & flags) != flags)
            continue;
        test(ops);
        count++;
    }
    print_message("%u policies\n", count);
    assert_true(count > 0);
}

/* Row 1: TLFS 18.2.3, +-1 point. */

static void shares_are_as_weights(const struct hv_sched_ops *ops)
{
    static const uint32_t weights[] = {100, 200, 700};

    begin(ops, 1, 3);
    for (uint32_t vm = 0; vm < 3; vm++) {
        always_busy(vm, 1);
        row.config.vms[vm].weight = weights[vm];
    }
    create();
    run();
    for (uint32_t vm = 0; vm < 3; vm++)
        expect("a share", had(vm) * 100 / all_had(), weights[vm] / 10.0 - 1,
               weights[vm] / 10.0 + 1);
    end();
}

static void row_01_weights_of_100_200_700_share_an_lp(void **state)
{
    (void)state;
    for_each_policy(SCHED_WEIGHTS, shares_are_as_weights);
}

/* Row 2: TLFS, +-1 point. */

static void shares_are_equal(const struct hv_sched_ops *ops)
{
    begin(ops, 1, 3);
    for (uint32_t vm = 0; vm < 3; vm++)
        always_busy(vm, 1);
    create();
    run();
    for (uint32_t vm = 0; vm < 3; vm++)
        expect("a share", had(vm) * 100 / all_had(), 100 / 3.0 - 1,
               100 / 3.0 + 1);
    end();
}

static void row_02_equal_weights_share_an_lp_equally(void **state)
{
    (void)state;
    for_each_policy(0, shares_are_equal);
}

/* Row 3: TLFS, +0/-1 point over a second, on a host that idles otherwise. */

static void a_limit_holds_each_vp(const struct hv_sched_ops *ops)
{
    begin(ops, 4, 1);
    always_busy(0, 2);
    row.config.vms[0].limit = SHARE_ONE / 2;
    create();
    run();
    for (uint32_t vp = 0; vp < 2; vp++) {
        uint64_t ran = story_ran(&row.story, 1, vp, FROM, TO);

        expect("a VP's time", (double)ran * 100 / (double)SECOND, 49, 50);
    }
    end();
}

static void row_03_a_limit_of_half_an_lp_holds_each_vp(void **state)
{
    (void)state;
    for_each_policy(SCHED_LIMITS, a_limit_holds_each_vp);
}

/* Row 4: TLFS, -1 point. */

static void a_reserve_is_there_on_demand(const struct hv_sched_ops *ops)
{
    begin(ops, 1, 4);
    for (uint32_t vm = 0; vm < 4; vm++)
        always_busy(vm, 1);
    row.config.vms[0].reserve = SHARE_ONE * 3 / 4;
    for (uint32_t vm = 1; vm < 4 && (ops->flags & SCHED_WEIGHTS); vm++)
        row.config.vms[vm].weight = 10000;
    create();
    run();
    expect("the time of the VM with a reserve", had(0), 74, 100);
    end();
}

static void a_reserve_that_is_not_used_is_lent(const struct hv_sched_ops *ops)
{
    struct script *script = &row.config.vms[0].script[0];

    begin(ops, 1, 2);
    row.config.vms[0].vps = 1;
    script_begin(script, 0, 1);
    script_sleep(script);
    row.config.vms[0].reserve = SHARE_ONE * 3 / 4;
    always_busy(1, 1);
    create();
    run();
    expect("the time of the other VM", had(1), 99, 100);
    end();
}

static void row_04_a_reserve_is_there_on_demand_and_lent_else(void **state)
{
    (void)state;
    for_each_policy(SCHED_RESERVES, a_reserve_is_there_on_demand);
    for_each_policy(SCHED_RESERVES, a_reserve_that_is_not_used_is_lent);
}

/* Row 5: TLFS; exact. Asked at run time, of VMs that are there. */

static enum hv_status ask_reserve(uint32_t vm, uint64_t reserve)
{
    struct machine *m = row.host.machine;
    struct cost_bill bill = {0};
    struct hv_context root = {.hv = m->hv, .now = m->now, .bill = &bill};
    struct hv_partition *partition =
        hypervisor_find_partition(m->hv, vmms_partition(m->vmms, vm));

    assert_non_null(partition);
    return partition_set_reserve(&root, partition, reserve);
}

static void ask_for_reserves(void *context, cycles_t now)
{
    (void)context;
    (void)now;
    /* Not more than the limit. */
    assert_int_equal(ask_reserve(2, SHARE_ONE / 2 + 1),
                     HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE);
    /* Two LPs: 2 x 60 % + 80 %, and nothing beyond. */
    assert_int_equal(ask_reserve(0, SHARE_ONE * 6 / 10), HV_STATUS_SUCCESS);
    assert_int_equal(ask_reserve(1, 2 * SHARE_ONE - 2 * (SHARE_ONE * 6 / 10)),
                     HV_STATUS_SUCCESS);
    assert_int_not_equal(ask_reserve(2, 1), HV_STATUS_SUCCESS);
    assert_int_equal(ask_reserve(1, 0), HV_STATUS_SUCCESS);
    assert_int_equal(ask_reserve(2, 1), HV_STATUS_SUCCESS);
    /* More VPs than LPs: it may be asked, and is not guaranteed. */
    assert_int_equal(ask_reserve(3, SHARE_ONE), HV_STATUS_SUCCESS);
    assert_int_equal(ask_reserve(1, SHARE_ONE * 3 / 10), HV_STATUS_SUCCESS);
}

static void reserves_are_no_more_than_lps(const struct hv_sched_ops *ops)
{
    static const uint32_t vps[] = {2, 1, 1, 3};
    static struct event ask;

    begin(ops, 2, 4);
    for (uint32_t vm = 0; vm < 4; vm++)
        always_busy(vm, vps[vm]);
    row.config.vms[2].limit = SHARE_ONE / 2;
    create();
    ask = (struct event){
        .kind = EVENT_TIMELINE, .name = "reserves", .fire = ask_for_reserves};
    event_schedule(row.host.machine->events, &ask, cycles(FROM / 2));
    run();
    expect("the time of each VP with a reserve of 60 %", had(0) / 2, 59, 100);
    end();
}

static void row_05_reserves_are_no_more_than_there_are_lps(void **state)
{
    (void)state;
    for_each_policy(SCHED_RESERVES, reserves_are_no_more_than_lps);
}

/* Row 6: WSD, "Virtual Machine Resource Controls"; +-2 %. */

struct joining {
    struct event event;
    uint32_t vms;
};

/* As soon as there are partitions. */
static void join(void *context, cycles_t now)
{
    const struct joining *joining = context;
    struct machine *m = row.host.machine;
    struct cost_bill bill = {0};
    struct hv_context root = {.hv = m->hv, .now = now, .bill = &bill};

    for (uint32_t vm = 0; vm < joining->vms; vm++) {
        struct hv_partition *partition =
            hypervisor_find_partition(m->hv, vmms_partition(m->vmms, vm));

        assert_non_null(partition);
        assert_int_equal(partition_set_group(&root, partition, 1),
                         HV_STATUS_SUCCESS);
    }
    story_note_controls(&row.story, now.v);
}

static void group_is_shared(const struct hv_sched_ops *ops, uint32_t vms)
{
    static struct joining joining;
    struct cost_bill bill = {0};
    struct hv_context root = {.bill = &bill};
    char text[LAW_TEXT_BYTES];

    begin(ops, 8, vms);
    for (uint32_t vm = 0; vm < vms; vm++)
        always_busy(vm, 8);
    create();
    root.hv = row.host.machine->hv;
    assert_int_equal(cpu_group_create(root.hv, 1), HV_STATUS_SUCCESS);
    assert_int_equal(
        cpu_group_set_cap(&root, cpu_group_find(root.hv, 1), SHARE_ONE / 2),
        HV_STATUS_SUCCESS);
    joining = (struct joining){
        .vms = vms,
        .event = {.kind = EVENT_TIMELINE,
                  .name = "join",
                  .fire = join,
                  .context = &joining},
    };
    event_schedule(row.host.machine->events, &joining.event, cycles(100 * MS));
    run();
    for (uint32_t vm = 0; vm < vms; vm++)
        expect("a VM's time", had(vm), 400.0 / vms * 0.98, 400.0 / vms * 1.02);
    if (!law_group_caps(&row.story, text))
        fail_msg("%s: %s", ops->name, text);
    end();
}

static void one_vm_has_the_group(const struct hv_sched_ops *ops)
{
    group_is_shared(ops, 1);
}

static void two_vms_share_the_group(const struct hv_sched_ops *ops)
{
    group_is_shared(ops, 2);
}

static void row_06_a_group_of_half_of_8_lps_is_4_lps(void **state)
{
    (void)state;
    for_each_policy(SCHED_LIMITS, one_vm_has_the_group);
    for_each_policy(SCHED_LIMITS, two_vms_share_the_group);
}

/* Rows 7 and 8: what counters mean. A VP that rests most of the time, one that
 * is busy, and a root that does little. */

static void add_ticking_vm(uint32_t vm, uint32_t tenths_of_us, uint32_t busy_ns,
                           uint64_t *random)
{
    struct script *script = &row.config.vms[vm].script[0];
    unsigned first;

    row.config.vms[vm].vps = 1;
    script_begin(script, 0, 1);
    script_add(script, SCRIPT_WRMSR, MSR_STIMER0_CONFIG, STIMER_PERIODIC_DIRECT,
               0);
    script_add(script, SCRIPT_WRMSR, MSR_STIMER0_COUNT, tenths_of_us, 0);
    first = script->count;
    /* Half as much to half as much again. */
    for (unsigned i = 0; i < 100; i++) {
        *random = *random * UINT64_C(6364136223846793005) + 1;
        script_add(script, SCRIPT_HLT, 0, 0, 0);
        script_add(script, SCRIPT_RUN,
                   busy_ns / 2 + (uint32_t)((*random >> 33) % busy_ns), 0, 0);
    }
    script_repeat(script, first);
}

static double lp_counter(const char *instance, const char *counter)
{
    return fake_results_total(&row.host.results, PC_OBJECT_LP, instance,
                              counter);
}

static void lp_times_make_up_the_whole(const struct hv_sched_ops *ops)
{
    static const char *const shares[] = {"% Total Run Time", "% Idle Time"};
    double of_lp[2][2];
    uint64_t random = 1;

    begin(ops, 2, 2);
    always_busy(0, 1);
    add_ticking_vm(1, 20000, 100000, &random);
    create();
    run();
    for (unsigned lp = 0; lp < 2; lp++) {
        char name[16];

        snprintf(name, sizeof(name), "Hv LP %u", lp);
        for (unsigned i = 0; i < 2; i++)
            of_lp[lp][i] = lp_counter(name, shares[i]);

        double total = lp_counter(name, "% Guest Run Time") +
                       lp_counter(name, "% Hypervisor Run Time");

        expect("an LP's Total less its parts", of_lp[lp][0] - total, -1e-9,
               1e-9);
        expect("an LP's Total and Idle", of_lp[lp][0] + of_lp[lp][1],
               100 - 1e-9, 100 + 1e-9);
    }
    for (unsigned i = 0; i < 2; i++) {
        double mean = (of_lp[0][i] + of_lp[1][i]) / 2;

        expect("_Total less the mean", lp_counter("_Total", shares[i]) - mean,
               -1e-9, 1e-9);
    }
    expect("the difference between the LPs", fabs(of_lp[0][0] - of_lp[1][0]),
           10, 100);
    end();
}

static void row_07_an_lps_counters_make_up_its_time(void **state)
{
    (void)state;
    for_each_policy(0, lp_times_make_up_the_whole);
}

/* In % of one LP. */
static double vps_total(void)
{
    double sum = 0;
    char name[32];

    for (uint32_t i = 0; i < row.config.root_vps; i++) {
        snprintf(name, sizeof(name), "Root VP %u", (unsigned)i);
        sum += fake_results_total(&row.host.results, PC_OBJECT_ROOT_VP, name,
                                  "% Total Run Time");
    }
    for (uint32_t vm = 0; vm < row.config.vm_count; vm++) {
        for (uint32_t vp = 0; vp < row.config.vms[vm].vps; vp++) {
            snprintf(name, sizeof(name), "vm%u:Hv VP %u", (unsigned)vm,
                     (unsigned)vp);
            sum += fake_results_total(&row.host.results, PC_OBJECT_VP, name,
                                      "% Total Run Time");
        }
    }
    return sum;
}

static void
lps_spend_what_vps_get_and_little_more(const struct hv_sched_ops *ops)
{
    double lps;
    uint64_t random = 1;

    begin(ops, 4, 5);
    for (uint32_t vm = 0; vm < 3; vm++)
        always_busy(vm, 2);
    add_ticking_vm(3, 20000, 500000, &random);
    add_ticking_vm(4, 30000, 500000, &random);
    create();
    run();
    lps = 4 * lp_counter("_Total", "% Total Run Time");
    expect("what no VP is charged for, in % of what is busy",
           (lps - vps_total()) * 100 / lps, 0, 1);
    end();
}

static void row_08_lps_spend_what_vps_are_charged_for(void **state)
{
    (void)state;
    for_each_policy(0, lps_spend_what_vps_get_and_little_more);
}

/* Row 16: MF-4, +-0.1 point. Four LPs, each busy for a quarter of the time by
 * itself: a VM each, whose ticks have nothing to do with the others'. */

struct edge {
    uint64_t at;
    int change; /* of how many LPs are busy */
};

static int by_time(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;

    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->change - y->change;
}

/* How long all LPs run VPs, in % of the time. */
static double all_busy(void)
{
    static struct edge edges[1 << 17];
    size_t count = 0;
    uint64_t sum = 0, since = 0;
    int busy = 0;

    for (size_t i = 0; i < row.story.run_count; i++) {
        const struct story_run *r = &row.story.runs[i];

        assert_true(count + 2 <= sizeof(edges) / sizeof(edges[0]));
        edges[count].at = r->from;
        edges[count++].change = 1;
        edges[count].at = r->to;
        edges[count++].change = -1;
    }
    qsort(edges, count, sizeof(edges[0]), by_time);
    for (size_t i = 0; i < count; i++) {
        if (busy == 4 && edges[i].at > FROM)
            sum += edges[i].at - (since > FROM ? since : FROM);
        busy += edges[i].change;
        since = edges[i].at;
    }
    return (double)sum * 100 / (double)(row.story.end - FROM);
}

static void a_quarter_each_is_seldom_all(const struct hv_sched_ops *ops)
{
    static const uint32_t periods[] = {10000, 11310, 12730, 14110};
    uint64_t random = 1;

    begin(ops, 4, 4);
    for (uint32_t vm = 0; vm < 4; vm++)
        add_ticking_vm(vm, periods[vm], periods[vm] * 100 / 4, &random);
    row.config.duration_ns = 4 * SECOND;
    create();
    run();
    expect("the time in which all LPs are busy", all_busy(), 0.29, 0.49);
    end();
}

static void row_16_four_lps_at_a_quarter_are_seldom_all_busy(void **state)
{
    (void)state;
    for_each_policy(SCHED_WORK_CONSERVING, a_quarter_each_is_seldom_all);
}

/* Row 18: exact. */

static void contention_is_what_waits_are(const struct hv_sched_ops *ops)
{
    uint64_t random = 1, all = 0;

    begin(ops, 2, 3);
    always_busy(0, 2);
    always_busy(1, 2);
    add_ticking_vm(2, 20000, 500000, &random);
    create();
    run();
    for (uint32_t vm = 0; vm < 3; vm++) {
        uint64_t contention = 0;
        double per_dispatch, rate;
        char name[32];

        for (size_t i = 0; i < row.story.wait_count; i++) {
            const struct story_wait *wait = &row.story.waits[i];

            if (wait->vm == vm + 1 && wait->vp == 0 && wait->ended)
                contention += wait->to - wait->from -
                              wait->by_rule[SCHED_RULE_WAKE] -
                              wait->by_rule[SCHED_RULE_CAP] -
                              wait->by_rule[SCHED_RULE_GROUP];
        }
        snprintf(name, sizeof(name), "vm%u:Hv VP 0", (unsigned)vm);
        per_dispatch = fake_results_total(&row.host.results, PC_OBJECT_VP, name,
                                          "CPU Contention Time Per Dispatch");
        rate = fake_results_total(&row.host.results, PC_OBJECT_VP, name,
                                  "Logical Processor Dispatches/sec");
        expect("ms per second, less what the waits were",
               per_dispatch * rate / 1e6 -
                   (double)contention / 1e6 /
                       ((double)row.story.end / (double)SECOND),
               -1e-6, 1e-6);
        all += contention;
    }
    expect("the contention, in ns", (double)all, 1, 1e18);
    end();
}

static void row_18_contention_is_dispatches_by_wait_per_dispatch(void **state)
{
    (void)state;
    for_each_policy(0, contention_is_what_waits_are);
}

/* Row 34: WSD; exact. Four root VPs over four nodes of two LPs. */

static void root_vps_are_spread(const struct hv_sched_ops *ops)
{
    begin(ops, 2, 1);
    row.config.nodes = 4;
    row.config.root_vps = 4;
    row.config.duration_ns = 20 * MS;
    always_busy(0, 2);
    create();
    run();
    for (unsigned lp = 0; lp < 8; lp++) {
        double wanted = lp % 2 ? -1.0 : lp / 2.0;
        char name[16];

        snprintf(name, sizeof(name), "Hv LP %u", lp);
        expect("an LP's Root Vp Index", lp_counter(name, "Root Vp Index"),
               wanted, wanted);
    }
    for (size_t i = 0; i < row.story.run_count; i++) {
        const struct story_run *r = &row.story.runs[i];

        if (r->vm == 0)
            expect("a root VP's LP", r->lp, r->vp * 2, r->vp * 2);
    }
    end();
}

static void row_34_root_vps_are_spread_over_the_nodes(void **state)
{
    (void)state;
    for_each_policy(0, root_vps_are_spread);
}

/* Row 35: WSD; exact. Two cores of two LPs; the root is one VM too. */

static double whole_core(uint32_t vm)
{
    return had(vm) / row.config.vms[vm].vps;
}

static void row_35_a_core_is_never_shared_by_two_vms(void **state)
{
    const struct hv_sched_ops *ops = sched_find("core");
    char text[LAW_TEXT_BYTES];

    (void)state;
    assert_non_null(ops);
    begin(ops, 4, 4);
    row.config.smt = 2;
    for (uint32_t vm = 0; vm < 4; vm++) {
        always_busy(vm, vm < 2 ? 1 : 2);
        row.config.vms[vm].threads_per_core = vm < 2 ? 1 : 2;
    }
    create();
    run();
    if (!law_one_vm_on_a_core(&row.story, text))
        fail_msg("%s", text);
    /* Four cores' worth of VMs on two: each has a core half of the time, the
     * one with a single VP as well, whose core has a sibling that idles. */
    for (uint32_t vm = 0; vm < 4; vm++)
        expect("a VM's time of a core", whole_core(vm), 48, 52);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_01_weights_of_100_200_700_share_an_lp),
        cmocka_unit_test(row_02_equal_weights_share_an_lp_equally),
        cmocka_unit_test(row_03_a_limit_of_half_an_lp_holds_each_vp),
        cmocka_unit_test(row_04_a_reserve_is_there_on_demand_and_lent_else),
        cmocka_unit_test(row_05_reserves_are_no_more_than_there_are_lps),
        cmocka_unit_test(row_06_a_group_of_half_of_8_lps_is_4_lps),
        cmocka_unit_test(row_07_an_lps_counters_make_up_its_time),
        cmocka_unit_test(row_08_lps_spend_what_vps_are_charged_for),
        cmocka_unit_test(row_16_four_lps_at_a_quarter_are_seldom_all_busy),
        cmocka_unit_test(row_18_contention_is_dispatches_by_wait_per_dispatch),
        cmocka_unit_test(row_34_root_vps_are_spread_over_the_nodes),
        cmocka_unit_test(row_35_a_core_is_never_shared_by_two_vms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
