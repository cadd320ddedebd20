/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Small cases of each policy as golden traces: golden/sched/POLICY-CASE.trace.
 * What differs is shown as a diff; when it should differ, the new trace lies in
 * this test's working directory and is to be explained in the commit that takes
 * it over.
 *
 * Slices are 1 ms, limits and reserves of periods of 5 ms; the first
 * milliseconds, in which VMs are started, are not shown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/machine/sched_trace.h"

#define GOLDEN HVSIM_SOURCE_DIR "/tests/machine/golden/sched/"

#define MS UINT64_C(1000000)
#define SHARE_ONE 65536
#define MSR_STIMER0_CONFIG 0x400000b0u
#define MSR_STIMER0_COUNT 0x400000b1u
#define STIMER_PERIODIC_DIRECT 0x140au /* vector 0x40, enabled by a count */
#define CALL_LONG_SPIN_WAIT 8u

static struct script *add_vm(struct script_config *config, uint32_t vps)
{
    struct script_vm *vm = &config->vms[config->vm_count++];

    vm->vps = vps;
    for (uint32_t vp = 0; vp < vps; vp++)
        script_begin(&vm->script[vp], vp, vps);
    return &vm->script[0];
}

static struct script_vm *add_busy(struct script_config *config, uint32_t vps)
{
    struct script_vm *vm;

    add_vm(config, vps);
    vm = &config->vms[config->vm_count - 1];
    for (uint32_t vp = 0; vp < vps; vp++) {
        script_add(&vm->script[vp], SCRIPT_RUN, MS, 0, 0);
        script_repeat(&vm->script[vp], vm->script[vp].count - 1);
    }
    return vm;
}

/* Two that are always busy; the second has three times the weight of the
 * first, where weights are heeded. */
static void make_turns(struct script_config *config)
{
    config->lps = 1;
    add_busy(config, 1);
    add_busy(config, 1);
    if (sched_find(config->scheduler)->flags & SCHED_WEIGHTS)
        config->vms[1].weight = 300;
}

/* One is always busy, one wakes every 2 ms for 0.2 ms. */
static void make_wake(struct script_config *config)
{
    struct script *script;

    config->lps = 1;
    add_busy(config, 1);
    script = add_vm(config, 1);
    script_add(script, SCRIPT_WRMSR, MSR_STIMER0_CONFIG, STIMER_PERIODIC_DIRECT,
               0);
    script_add(script, SCRIPT_WRMSR, MSR_STIMER0_COUNT, 20000, 0);
    script_add(script, SCRIPT_HLT, 0, 0, 0);
    script_add(script, SCRIPT_RUN, 200000, 0, 0);
    script_repeat(script, script->count - 2);
}

/* The first of two may have 30 % of an LP. */
static void make_limit(struct script_config *config)
{
    config->lps = 1;
    add_busy(config, 1)->limit = SHARE_ONE * 3 / 10;
    add_busy(config, 1);
}

/* The first of three has a reserve of 60 % of an LP. */
static void make_reserve(struct script_config *config)
{
    config->lps = 1;
    add_busy(config, 1)->reserve = SHARE_ONE * 6 / 10;
    add_busy(config, 1);
    add_busy(config, 1);
}

/* The first of two computes for 0.3 ms and then says that it spins. */
static void make_spin(struct script_config *config)
{
    struct script *script;

    config->lps = 1;
    config->spin_yields = true;
    script = add_vm(config, 1);
    script_add(script, SCRIPT_RUN, 300000, 0, 0);
    script_add(script, SCRIPT_CALL, CALL_LONG_SPIN_WAIT, 1000, 0);
    script_repeat(script, script->count - 2);
    add_busy(config, 1);
}

/* Three that are always busy on two LPs. */
static void make_balance(struct script_config *config)
{
    config->lps = 2;
    for (unsigned i = 0; i < 3; i++)
        add_busy(config, 1);
}

/* A core of two LPs: a VM of two VPs that are threads of a core, and one of one
 * VP. */
static void make_core(struct script_config *config)
{
    config->lps = 2;
    config->smt = 2;
    add_busy(config, 2)->threads_per_core = 2;
    add_busy(config, 1);
}

static const struct golden_case {
    const char *policy, *name;
    void (*make)(struct script_config *config);
    uint64_t shown_ns;
} cases[] = {
    {"round-robin", "turns", make_turns, 5 * MS},
    {"round-robin", "wake", make_wake, 5 * MS},
    {"round-robin", "limit", make_limit, 10 * MS},
    {"classic", "turns", make_turns, 10 * MS},
    {"classic", "wake", make_wake, 5 * MS},
    {"classic", "reserve", make_reserve, 10 * MS},
    {"classic", "spin", make_spin, 4 * MS},
    {"classic", "balance", make_balance, 5 * MS},
    {"credit", "turns", make_turns, 10 * MS},
    {"credit", "wake", make_wake, 5 * MS},
    {"credit", "balance", make_balance, 5 * MS},
    {"edf", "turns", make_turns, 10 * MS},
    {"edf", "reserve", make_reserve, 10 * MS},
    {"core", "turns", make_turns, 10 * MS},
    {"core", "core", make_core, 10 * MS},
    {"root", "turns", make_turns, 10 * MS},
    {"root", "wake", make_wake, 5 * MS},
};

#define SHOWN_FROM (30 * MS)

static void write_trace(const struct golden_case *c, const char *name)
{
    static struct script_config config;
    struct script_host host;
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    script_config_init(&config);
    config.scheduler = c->policy;
    config.root_vps = 1;
    config.period_ns = 5 * MS;
    config.duration_ns = SHOWN_FROM + c->shown_ns + 1 * MS;
    c->make(&config);
    script_host_create(&host, &config);
    assert_int_equal(script_host_run(&host), SIM_OK);
    sched_trace_write(file, &host, SHOWN_FROM, SHOWN_FROM + c->shown_ns);
    assert_true(ftell(file) > 0);
    assert_int_equal(fclose(file), 0);
    script_host_destroy(&host);
}

static void each_case_is_as_it_was(void **state)
{
    unsigned different = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char name[64], command[512];

        snprintf(name, sizeof(name), "%s-%s.trace", cases[i].policy,
                 cases[i].name);
        write_trace(&cases[i], name);
        snprintf(command, sizeof(command), "diff -u '" GOLDEN "%s' '%s' >&2",
                 name, name);
        different += system(command) != 0;
    }
    assert_int_equal(different, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case_is_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
