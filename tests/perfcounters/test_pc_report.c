/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "perfcounters/pc_report.h"

#define LP PC_OBJECT_LP
#define VP PC_OBJECT_VP
#define ROOT PC_OBJECT_ROOT_VP
#define NIC PC_OBJECT_NIC
#define DISK PC_OBJECT_DISK

/* 1 GHz makes a cycle a nanosecond, so figures can be checked by eye. */
static const struct sim_clock ghz = {.hz = UINT64_C(1000000000)};
static const struct sim_clock two_ghz = {.hz = UINT64_C(2000000000)};

#define MS UINT64_C(1000000)

static const struct pc_row *find_row(const struct pc_sample *sample,
                                     enum pc_object_id object, const char *name)
{
    for (size_t i = 0; i < sample->row_count; i++)
        if (sample->rows[i].object == object &&
            strcmp(sample->rows[i].name, name) == 0)
            return &sample->rows[i];
    return NULL;
}

static double value(const struct pc_sample *sample, enum pc_object_id object,
                    const char *instance, const char *counter)
{
    const struct pc_row *row = find_row(sample, object, instance);
    int index = pc_counters_find(object, counter);

    if (row == NULL || index < 0)
        fail_msg("no \"%s\" of \"%s\"", counter, instance);
    return row->values[index];
}

static void percent_is_the_share_of_the_time_elapsed(void **state)
{
    struct pc_report *report = pc_report_create(ghz, PC_TOTAL_MEAN);
    struct pc_lp lp = {0};

    (void)state;
    pc_report_add_lp(report, (lp_id_t){0}, &lp);
    pc_lp_add_time(&lp, PC_LP_GUEST_TIME, cycles(90 * MS));
    pc_lp_add_time(&lp, PC_LP_HYPERVISOR_TIME, cycles(5 * MS));
    pc_lp_add_time(&lp, PC_LP_IDLE_TIME, cycles(5 * MS));
    const struct pc_sample *s = pc_report_sample(report, cycles(100 * MS));

    assert_true(value(s, LP, "Hv LP 0", "% Guest Run Time") == 90.0);
    assert_true(value(s, LP, "Hv LP 0", "% Hypervisor Run Time") == 5.0);
    assert_true(value(s, LP, "Hv LP 0", "% Total Run Time") == 95.0);
    assert_true(value(s, LP, "Hv LP 0", "% Idle Time") == 5.0);
    pc_report_free(report);
}

/* The published example: 95 % on one LP and 0 % on the other is 47.5 %. */
static void total_of_lps_is_their_mean(void **state)
{
    struct pc_report *report = pc_report_create(ghz, PC_TOTAL_SUM);
    struct pc_lp lp[2] = {0};

    (void)state;
    pc_report_add_lp(report, (lp_id_t){0}, &lp[0]);
    pc_report_add_lp(report, (lp_id_t){1}, &lp[1]);
    pc_lp_add_time(&lp[0], PC_LP_GUEST_TIME, cycles(95 * MS));
    pc_lp_add_time(&lp[0], PC_LP_IDLE_TIME, cycles(5 * MS));
    pc_lp_add_time(&lp[1], PC_LP_IDLE_TIME, cycles(100 * MS));
    pc_lp_set(&lp[0], PC_LP_FREQUENCY, 1000);
    pc_lp_set(&lp[1], PC_LP_FREQUENCY, 2000);
    pc_lp_add(&lp[0], PC_LP_CONTEXT_SWITCHES, 30);
    pc_lp_add(&lp[1], PC_LP_CONTEXT_SWITCHES, 10);
    const struct pc_sample *s = pc_report_sample(report, cycles(100 * MS));

    assert_true(value(s, LP, "_Total", "% Total Run Time") == 47.5);
    assert_true(value(s, LP, "_Total", "% Idle Time") == 52.5);
    assert_true(value(s, LP, "_Total", "Frequency") == 1500.0);
    assert_true(value(s, LP, "_Total", "Context Switches/sec") == 400.0);
    pc_report_free(report);
}

static void total_of_vps_is_mean_or_sum_as_configured(void **state)
{
    static const struct {
        enum pc_total_rule rule;
        double expected;
    } cases[] = {{PC_TOTAL_MEAN, 40.0}, {PC_TOTAL_SUM, 80.0}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct pc_report *report = pc_report_create(ghz, cases[i].rule);
        struct pc_vp vp[2] = {0};

        pc_report_add_vp(report, "a", (vp_index_t){0}, &vp[0]);
        pc_report_add_vp(report, "b", (vp_index_t){0}, &vp[1]);
        pc_vp_add_time(&vp[0], PC_VP_GUEST_TIME, cycles(60 * MS));
        pc_vp_add_time(&vp[1], PC_VP_GUEST_TIME, cycles(20 * MS));
        const struct pc_sample *s = pc_report_sample(report, cycles(100 * MS));

        assert_true(value(s, VP, "_Total", "% Guest Run Time") ==
                    cases[i].expected);
        assert_true(value(s, VP, "a:Hv VP 0", "% Guest Run Time") == 60.0);
        pc_report_free(report);
    }
}

static void rates_are_per_second_of_simulated_time(void **state)
{
    struct pc_report *report = pc_report_create(two_ghz, PC_TOTAL_MEAN);
    struct pc_vp vp = {0};

    (void)state;
    pc_report_add_root_vp(report, (vp_index_t){3}, &vp);
    pc_vp_add(&vp, PC_VP_DISPATCHES, 7);
    /* 200e6 cycles of 2 GHz are 0.1 s */
    const struct pc_sample *s = pc_report_sample(report, cycles(200 * MS));

    assert_int_equal(s->end_ns, 100 * MS);
    assert_true(value(s, ROOT, "Root VP 3",
                      "Logical Processor Dispatches/sec") == 70.0);
    pc_report_free(report);
}

static void adapters_add_up_and_are_no_processors(void **state)
{
    struct pc_report *report = pc_report_create(two_ghz, PC_TOTAL_MEAN);
    struct pc_nic nic[2] = {0};
    struct sim_error error;

    (void)state;
    pc_report_add_nic(report, "web", 0, &nic[0]);
    pc_report_add_nic(report, "web", 1, &nic[1]);
    pc_nic_add(&nic[0], PC_NIC_DIRECTED_SENT, 3);
    pc_nic_add(&nic[0], PC_NIC_BROADCAST_SENT, 1);
    pc_nic_add(&nic[1], PC_NIC_MULTICAST_RECEIVED, 5);
    const struct pc_sample *s = pc_report_sample(report, cycles(200 * MS));

    assert_true(value(s, NIC, "web_Network Adapter_0", "Packets Sent/sec") ==
                40.0);
    assert_true(value(s, NIC, "web_Network Adapter_1",
                      "Multicast Packets Received/sec") == 50.0);
    assert_true(value(s, NIC, "_Total", "Packets/sec") == 90.0);
    assert_int_equal(pc_report_check(report, cycles(200 * MS), &error),
                     SIM_OK); /* the laws are about time */
    pc_report_free(report);
}

static void disks_add_up_and_latency_is_of_reads_and_writes(void **state)
{
    struct pc_report *report = pc_report_create(two_ghz, PC_TOTAL_MEAN);
    struct pc_disk disk[2] = {0};
    struct sim_error error;

    (void)state;
    pc_report_add_disk(report, "web", 0, &disk[0]);
    pc_report_add_disk(report, "web", 63, &disk[1]);
    pc_disk_add(&disk[0], PC_DISK_READS, 3);
    pc_disk_add(&disk[0], PC_DISK_WRITES, 1);
    pc_disk_add_time(&disk[0], PC_DISK_TIME, cycles(8000));
    pc_disk_add(&disk[0], PC_DISK_ERRORS, 2);
    pc_disk_add(&disk[1], PC_DISK_ERRORS, 5);
    const struct pc_sample *s = pc_report_sample(report, cycles(200 * MS));

    assert_true(value(s, DISK, "web_Hard Drive_0", "Read Operations/Sec") ==
                30.0);
    assert_true(value(s, DISK, "web_Hard Drive_0", "Latency") == 1000.0);
    assert_true(value(s, DISK, "web_Hard Drive_63", "Latency") == 0.0);
    assert_true(value(s, DISK, "_Total", "Error Count") == 7.0);
    assert_int_equal(pc_report_check(report, cycles(200 * MS), &error),
                     SIM_OK); /* the laws are about processors */
    pc_report_free(report);
}

static void cost_is_mean_ns_of_the_interval_and_0_without_events(void **state)
{
    struct pc_report *report = pc_report_create(two_ghz, PC_TOTAL_MEAN);
    struct pc_vp vp[2] = {0};
    const struct pc_sample *s;

    (void)state;
    pc_report_add_vp(report, "web", (vp_index_t){0}, &vp[0]);
    pc_report_add_vp(report, "web", (vp_index_t){1}, &vp[1]);
    pc_vp_add_intercept(&vp[0], PC_INTERCEPT_CPUID, cycles(3000));
    pc_vp_add_intercept(&vp[0], PC_INTERCEPT_CPUID, cycles(1001));
    pc_vp_add_intercept(&vp[0], PC_INTERCEPT_HLT, cycles(999));
    pc_vp_add_intercept(&vp[1], PC_INTERCEPT_CPUID, cycles(2000));
    s = pc_report_sample(report, cycles(20000));

    /* 4001 cycles / 2 events at 2 GHz */
    assert_true(value(s, VP, "web:Hv VP 0", "CPUID Instructions Cost") ==
                1000.25);
    assert_true(value(s, VP, "web:Hv VP 0", "CPUID Instructions/sec") == 2e5);
    assert_true(value(s, VP, "web:Hv VP 0", "MSR Accesses Cost") == 0.0);
    /* 5000 cycles / 3 events */
    assert_true(value(s, VP, "web:Hv VP 0", "Total Intercepts Cost") ==
                2500.0 / 3.0);
    assert_true(value(s, VP, "web:Hv VP 0", "Total Intercepts/sec") == 3e5);
    /* The total weighs by events: 6001 cycles / 3, not a mean of means. */
    assert_true(value(s, VP, "_Total", "CPUID Instructions Cost") ==
                6001.0 / 6.0);

    s = pc_report_sample(report, cycles(40000));
    assert_true(value(s, VP, "web:Hv VP 0", "CPUID Instructions Cost") == 0.0);
    pc_report_free(report);
}

/* ns per dispatch x dispatches per second / 1e6 = ms of waiting per second */
static void wait_per_dispatch_times_dispatches_is_time_waited(void **state)
{
    struct pc_report *report = pc_report_create(ghz, PC_TOTAL_MEAN);
    struct pc_vp vp = {0};

    (void)state;
    pc_report_add_vp(report, "web", (vp_index_t){0}, &vp);
    pc_vp_add(&vp, PC_VP_DISPATCHES, 40);
    pc_vp_add_time(&vp, PC_VP_WAKE_UP_TIME, cycles(1 * MS));
    pc_vp_add_time(&vp, PC_VP_CONTENTION_TIME, cycles(7 * MS));
    const struct pc_sample *s = pc_report_sample(report, cycles(500 * MS));
    double wait = value(s, VP, "web:Hv VP 0", "CPU Wait Time Per Dispatch");
    double rate =
        value(s, VP, "web:Hv VP 0", "Logical Processor Dispatches/sec");

    assert_true(wait == 200e3);
    assert_true(value(s, VP, "web:Hv VP 0", "CPU Wake Up Time Per Dispatch") ==
                25e3);
    assert_true(value(s, VP, "web:Hv VP 0",
                      "CPU Contention Time Per Dispatch") == 175e3);
    assert_true(wait * rate / 1e6 == 16.0); /* 8 ms in half a second */
    pc_report_free(report);
}

static void
a_sample_shows_its_interval_and_the_total_the_whole_run(void **state)
{
    struct pc_report *report = pc_report_create(ghz, PC_TOTAL_MEAN);
    struct pc_lp lp = {0};
    const struct pc_sample *s;

    (void)state;
    pc_report_add_lp(report, (lp_id_t){0}, &lp);
    pc_lp_add_time(&lp, PC_LP_GUEST_TIME, cycles(80 * MS));
    s = pc_report_sample(report, cycles(100 * MS));
    assert_int_equal(s->start_ns, 0);
    pc_lp_add_time(&lp, PC_LP_GUEST_TIME, cycles(25 * MS));
    s = pc_report_sample(report, cycles(200 * MS));
    assert_int_equal(s->start_ns, 100 * MS);
    assert_int_equal(s->end_ns, 200 * MS);
    assert_true(value(s, LP, "Hv LP 0", "% Guest Run Time") == 25.0);

    s = pc_report_total(report, cycles(210 * MS));
    assert_int_equal(s->start_ns, 0);
    assert_int_equal(s->end_ns, 210 * MS);
    assert_true(value(s, LP, "Hv LP 0", "% Guest Run Time") == 50.0);

    /* Asking for the total has not disturbed the interval. */
    pc_lp_add_time(&lp, PC_LP_GUEST_TIME, cycles(10 * MS));
    s = pc_report_sample(report, cycles(300 * MS));
    assert_true(value(s, LP, "Hv LP 0", "% Guest Run Time") == 10.0);
    pc_report_free(report);
}

static void a_gauge_shows_what_it_holds(void **state)
{
    struct pc_report *report = pc_report_create(two_ghz, PC_TOTAL_MEAN);
    struct pc_lp lp = {0};
    const struct pc_sample *s;

    (void)state;
    pc_report_add_lp(report, (lp_id_t){0}, &lp);
    pc_lp_set(&lp, PC_LP_MONITOR_TRANSITION, 1501);
    for (uint64_t i = 1; i <= 3; i++) {
        s = pc_report_sample(report, cycles(i * MS));
        assert_true(value(s, LP, "Hv LP 0", "Monitor Transition Cost") ==
                    750.5);
    }
    s = pc_report_total(report, cycles(4 * MS));
    assert_true(value(s, LP, "_Total", "Monitor Transition Cost") == 750.5);
    pc_report_free(report);
}

static void a_gauge_may_be_below_zero(void **state)
{
    struct pc_report *report = pc_report_create(two_ghz, PC_TOTAL_MEAN);
    struct pc_lp lps[4] = {0};
    const struct pc_sample *s;

    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        pc_report_add_lp(report, (lp_id_t){i}, &lps[i]);
        pc_lp_set_signed(&lps[i], PC_LP_ROOT_VP_INDEX, i == 0 ? 1 : -1);
    }
    s = pc_report_sample(report, cycles(MS));
    assert_true(value(s, LP, "Hv LP 0", "Root Vp Index") == 1);
    assert_true(value(s, LP, "Hv LP 3", "Root Vp Index") == -1);
    assert_true(value(s, LP, "_Total", "Root Vp Index") == -0.5);
    pc_report_free(report);
}

static void a_retired_vp_has_one_more_sample_and_its_total(void **state)
{
    struct pc_report *report = pc_report_create(ghz, PC_TOTAL_SUM);
    struct pc_vp stays = {0};
    struct pc_vp *goes = calloc(1, sizeof(*goes));
    const struct pc_sample *s;

    (void)state;
    pc_report_add_vp(report, "stays", (vp_index_t){0}, &stays);
    pc_report_add_vp(report, "goes", (vp_index_t){0}, goes);
    pc_vp_add_time(goes, PC_VP_GUEST_TIME, cycles(50 * MS));
    pc_report_retire_vp(report, goes);
    free(goes);

    s = pc_report_sample(report, cycles(100 * MS));
    assert_true(value(s, VP, "goes:Hv VP 0", "% Guest Run Time") == 50.0);
    assert_true(value(s, VP, "_Total", "% Guest Run Time") == 50.0);
    s = pc_report_sample(report, cycles(200 * MS));
    assert_null(find_row(s, VP, "goes:Hv VP 0"));
    assert_true(value(s, VP, "_Total", "% Guest Run Time") == 0.0);
    s = pc_report_total(report, cycles(200 * MS));
    assert_true(value(s, VP, "goes:Hv VP 0", "% Guest Run Time") == 25.0);
    assert_true(value(s, VP, "_Total", "% Guest Run Time") == 25.0);
    pc_report_free(report);
}

static void a_vp_that_comes_back_is_the_instance_that_it_was(void **state)
{
    struct pc_report *report = pc_report_create(ghz, PC_TOTAL_MEAN);
    struct pc_vp lives[2] = {0};
    struct pc_vp other = {0};
    const struct pc_sample *s;
    uint32_t number;

    (void)state;
    pc_report_add_vp(report, "web", (vp_index_t){0}, &lives[0]);
    pc_vp_add_time(&lives[0], PC_VP_GUEST_TIME, cycles(50 * MS));
    s = pc_report_sample(report, cycles(100 * MS));
    number = find_row(s, VP, "web:Hv VP 0")->instance;
    pc_vp_add_time(&lives[0], PC_VP_GUEST_TIME, cycles(30 * MS));
    pc_report_retire_vp(report, &lives[0]);
    s = pc_report_sample(report, cycles(200 * MS));
    assert_true(value(s, VP, "web:Hv VP 0", "% Guest Run Time") == 30.0);
    s = pc_report_sample(report, cycles(300 * MS));
    assert_null(find_row(s, VP, "web:Hv VP 0"));

    /* Others of the VM's are not it. */
    pc_report_add_vp(report, "web", (vp_index_t){1}, &other);
    pc_report_add_vp(report, "web", (vp_index_t){0}, &lives[1]);
    pc_vp_add_time(&lives[1], PC_VP_GUEST_TIME, cycles(20 * MS));
    s = pc_report_sample(report, cycles(400 * MS));
    assert_int_equal(s->row_count, 3); /* with "_Total" */
    assert_int_equal(find_row(s, VP, "web:Hv VP 0")->instance, number);
    assert_true(value(s, VP, "web:Hv VP 0", "% Guest Run Time") == 20.0);
    assert_true(value(s, VP, "_Total", "% Guest Run Time") == 10.0);

    s = pc_report_total(report, cycles(400 * MS));
    assert_int_equal(s->row_count, 3);
    assert_true(value(s, VP, "web:Hv VP 0", "% Guest Run Time") == 25.0);
    assert_true(value(s, VP, "_Total", "% Guest Run Time") == 12.5);
    pc_report_free(report);
}

static void a_vp_that_comes_back_at_once_misses_no_sample(void **state)
{
    struct pc_report *report = pc_report_create(ghz, PC_TOTAL_MEAN);
    struct pc_vp vp = {0};
    const struct pc_sample *s;

    (void)state;
    pc_report_add_vp(report, "web", (vp_index_t){0}, &vp);
    for (uint64_t i = 1; i <= 3; i++) {
        pc_vp_add(&vp, PC_VP_DISPATCHES, 6);
        pc_report_retire_vp(report, &vp);
        vp = (struct pc_vp){0}; /* a new one, as it happens in its place */
        pc_report_add_vp(report, "web", (vp_index_t){0}, &vp);
        pc_vp_add(&vp, PC_VP_DISPATCHES, 4);
        s = pc_report_sample(report, cycles(i * 100 * MS));
        assert_true(value(s, VP, "web:Hv VP 0",
                          "Logical Processor Dispatches/sec") == 100.0);
    }
    s = pc_report_total(report, cycles(300 * MS));
    assert_true(value(s, VP, "web:Hv VP 0",
                      "Logical Processor Dispatches/sec") == 100.0);
    pc_report_free(report);
}

static void an_instance_keeps_its_number(void **state)
{
    struct pc_report *report = pc_report_create(ghz, PC_TOTAL_MEAN);
    struct pc_lp lp[20] = {0};
    struct pc_vp vp = {0};
    const struct pc_sample *s;
    uint32_t number;

    (void)state;
    for (uint32_t i = 0; i < 20; i++)
        pc_report_add_lp(report, (lp_id_t){i}, &lp[i]);
    s = pc_report_sample(report, cycles(MS));
    assert_int_equal(s->row_count, 21); /* with "_Total" */
    number = find_row(s, LP, "Hv LP 13")->instance;
    pc_report_add_vp(report, "late", (vp_index_t){0}, &vp);
    s = pc_report_sample(report, cycles(2 * MS));
    assert_int_equal(find_row(s, LP, "Hv LP 13")->instance, number);
    for (size_t i = 1; i < s->row_count; i++)
        assert_true(s->rows[i - 1].instance < s->rows[i].instance);
    pc_report_free(report);
}

static void a_run_without_time_shows_zeros(void **state)
{
    struct pc_report *report = pc_report_create(ghz, PC_TOTAL_MEAN);
    struct pc_lp lp = {0};

    (void)state;
    pc_report_add_lp(report, (lp_id_t){0}, &lp);
    const struct pc_sample *s = pc_report_total(report, cycles(0));
    assert_true(value(s, LP, "Hv LP 0", "% Idle Time") == 0.0);
    pc_report_free(report);
}

/* Laws */

struct laws {
    struct pc_report *report;
    struct pc_lp lp;
    struct pc_vp vp;
};

/** One LP, one VP, 100 cycles: 60 guest, 10 hypervisor, 30 idle. */
static void balanced(struct laws *laws)
{
    *laws = (struct laws){.report = pc_report_create(ghz, PC_TOTAL_MEAN)};
    pc_report_add_lp(laws->report, (lp_id_t){0}, &laws->lp);
    pc_report_add_vp(laws->report, "web", (vp_index_t){0}, &laws->vp);
    pc_lp_add_time(&laws->lp, PC_LP_GUEST_TIME, cycles(60));
    pc_lp_add_time(&laws->lp, PC_LP_HYPERVISOR_TIME, cycles(10));
    pc_lp_add_time(&laws->lp, PC_LP_IDLE_TIME, cycles(30));
    pc_vp_add_time(&laws->vp, PC_VP_GUEST_TIME, cycles(60));
    pc_vp_add_time(&laws->vp, PC_VP_HYPERVISOR_TIME, cycles(8));
    pc_vp_add_time(&laws->vp, PC_VP_IDLE_TIME, cycles(30));
    pc_vp_add_time(&laws->vp, PC_VP_WAKE_UP_TIME, cycles(2));
}

static void assert_broken(struct laws *laws, const char *where)
{
    struct sim_error error = {0};

    assert_int_equal(pc_report_check(laws->report, cycles(100), &error),
                     SIM_RUN_FAILED);
    if (strstr(error.message, where) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.message, where);
    pc_report_free(laws->report);
}

static void laws_hold_for_a_balanced_run(void **state)
{
    struct sim_error error = {0};
    struct laws laws;

    (void)state;
    balanced(&laws);
    assert_int_equal(pc_report_check(laws.report, cycles(100), &error), SIM_OK);
    pc_report_retire_vp(laws.report, &laws.vp);
    assert_int_equal(pc_report_check(laws.report, cycles(100), &error), SIM_OK);
    pc_report_free(laws.report);
}

static void a_cycle_missing_on_an_lp_breaks_a_law(void **state)
{
    struct laws laws;

    (void)state;
    balanced(&laws);
    laws.lp.cell[PC_LP_IDLE_TIME]--;
    assert_broken(&laws, "Hv LP 0: guest + hypervisor + idle time is 99");
}

/* Both lives together: neither alone has more than the time elapsed. */
static void a_vp_of_two_lives_has_no_more_than_the_time_elapsed(void **state)
{
    struct sim_error error = {0};
    struct pc_vp second = {0};
    struct laws laws;

    (void)state;
    balanced(&laws);
    pc_report_retire_vp(laws.report, &laws.vp);
    pc_report_add_vp(laws.report, "web", (vp_index_t){0}, &second);
    pc_vp_add_time(&second, PC_VP_IDLE_TIME, cycles(2));
    assert_int_equal(pc_report_check(laws.report, cycles(100), &error), SIM_OK);
    pc_vp_add_time(&second, PC_VP_IDLE_TIME, cycles(1));
    assert_broken(&laws, "web:Hv VP 0: guest + hypervisor + idle time is 101");
}

static void guest_time_that_no_lp_spent_breaks_a_law(void **state)
{
    struct laws laws;

    (void)state;
    balanced(&laws);
    laws.vp.cell[PC_VP_IDLE_TIME]--;
    laws.vp.cell[PC_VP_GUEST_TIME]++;
    assert_broken(&laws, "guest time is 60 cycles summed over LPs, but 61");
}

static void hypervisor_time_that_no_lp_spent_breaks_a_law(void **state)
{
    struct laws laws;

    (void)state;
    balanced(&laws);
    laws.vp.cell[PC_VP_IDLE_TIME] -= 3;
    laws.vp.cell[PC_VP_HYPERVISOR_TIME] += 3;
    assert_broken(&laws, "hypervisor time is 10 cycles");
}

static void a_vp_with_more_time_than_elapsed_breaks_a_law(void **state)
{
    struct laws laws;

    (void)state;
    balanced(&laws);
    laws.vp.cell[PC_VP_IDLE_TIME] = 100; /* beside the time it ran */
    assert_broken(&laws, "web:Hv VP 0: guest + hypervisor + idle time");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percent_is_the_share_of_the_time_elapsed),
        cmocka_unit_test(total_of_lps_is_their_mean),
        cmocka_unit_test(total_of_vps_is_mean_or_sum_as_configured),
        cmocka_unit_test(rates_are_per_second_of_simulated_time),
        cmocka_unit_test(adapters_add_up_and_are_no_processors),
        cmocka_unit_test(disks_add_up_and_latency_is_of_reads_and_writes),
        cmocka_unit_test(cost_is_mean_ns_of_the_interval_and_0_without_events),
        cmocka_unit_test(wait_per_dispatch_times_dispatches_is_time_waited),
        cmocka_unit_test(
            a_sample_shows_its_interval_and_the_total_the_whole_run),
        cmocka_unit_test(a_gauge_shows_what_it_holds),
        cmocka_unit_test(a_gauge_may_be_below_zero),
        cmocka_unit_test(a_retired_vp_has_one_more_sample_and_its_total),
        cmocka_unit_test(a_vp_that_comes_back_is_the_instance_that_it_was),
        cmocka_unit_test(a_vp_that_comes_back_at_once_misses_no_sample),
        cmocka_unit_test(an_instance_keeps_its_number),
        cmocka_unit_test(a_run_without_time_shows_zeros),
        cmocka_unit_test(laws_hold_for_a_balanced_run),
        cmocka_unit_test(a_cycle_missing_on_an_lp_breaks_a_law),
        cmocka_unit_test(a_vp_of_two_lives_has_no_more_than_the_time_elapsed),
        cmocka_unit_test(guest_time_that_no_lp_spent_breaks_a_law),
        cmocka_unit_test(hypervisor_time_that_no_lp_spent_breaks_a_law),
        cmocka_unit_test(a_vp_with_more_time_than_elapsed_breaks_a_law),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
