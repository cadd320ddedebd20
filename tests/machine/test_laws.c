/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Many machines with many guests, made by a random stream, and the laws that
 * every one of them must keep. A failure names its seed; running the test with
 * that seed as its argument repeats it alone.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/intercept.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/rng.h"
#include "tests/machine/script_random.h"
#include "tests/machine/trace_laws.h"

#define SEEDS 400
#define VPS_MAX 4              /* of a VM */
#define DISPATCH_MOST_NS 32000 /* SCHEDULE to LP_MIGRATION at 1 GHz */
#define STEP_MOST_NS 2000000   /* VMMS_OPERATION and more in one root step */

static void make_config(struct script_config *config, struct rng *rng)
{
    static const char *const timings[] = {"table", "table", "table", "unit"};

    script_config_init(config);
    config->nodes = (uint32_t)script_random_between(rng, 1, 2);
    config->lps =
        (uint32_t)script_random_between(rng, 1, config->nodes == 1 ? 8 : 4);
    config->root_vps =
        (uint32_t)script_random_between(rng, 1, config->nodes * config->lps);
    config->slice_ns = script_random_between(rng, 100000, 10000000);
    config->quantum_ns = script_random_between(rng, 1000, 1000000);
    config->interval_ns = script_random_between(rng, 100000, 5000000);
    config->duration_ns = script_random_between(rng, 5000000, 30000000);
    config->timing = timings[rng_below(rng, 4)];
    /* Where each thing takes a cycle, much happens in little time. */
    if (strcmp(config->timing, "unit") == 0)
        config->duration_ns /= 8;
    config->vm_count = (uint32_t)script_random_between(rng, 1, SCRIPT_VMS_MAX);
    for (uint32_t i = 0; i < config->vm_count; i++) {
        struct script_vm *vm = &config->vms[i];

        vm->vps = (uint32_t)script_random_between(rng, 1, VPS_MAX);
        for (uint32_t vp = 0; vp < vm->vps; vp++)
            script_random(&vm->script[vp], rng, vp, vm->vps, true);
    }
}

static void judge(const struct script_host *host,
                  const struct script_config *config, struct laws *laws)
{
    uint32_t vps = config->root_vps;

    for (uint32_t i = 0; i < config->vm_count; i++)
        vps += config->vms[i].vps;
    *laws = (struct laws){
        .lp_count = config->nodes * config->lps,
        .root_vp_count = config->root_vps,
        .root_partition = host->machine->hv->root->id.v,
        .quantum = config->quantum_ns,
        .wake = DISPATCH_MOST_NS,
        .wait_max = vps * (config->slice_ns + STEP_MOST_NS),
    };
    laws_begin(laws);
    for (size_t i = 0; i < host->results.event_count; i++)
        laws_see(laws, &host->results.events[i]);
}

/* The quotient that a counter must show: one division, rounded once. */
static double rate(uint64_t count, uint64_t elapsed_ns)
{
    return (double)(count * UINT64_C(1000000000)) / (double)elapsed_ns;
}

static void compare_vp(const struct results *results, enum pc_object_id object,
                       const char *instance, const struct laws_vp *seen,
                       uint64_t elapsed_ns)
{
    double wait = fake_results_total(results, object, instance,
                                     "CPU Wait Time Per Dispatch");
    double dispatches = fake_results_total(results, object, instance,
                                           "Logical Processor Dispatches/sec");
    double migrations = fake_results_total(results, object, instance,
                                           "Logical Processor Migrations/sec");

    assert_true(dispatches == rate(seen->dispatches, elapsed_ns));
    assert_true(migrations == rate(seen->migrations, elapsed_ns));
    assert_true(fake_results_total(results, object, instance,
                                   "Virtual Interrupts/sec") ==
                rate(seen->interrupts, elapsed_ns));
    if (seen->dispatches > 0)
        assert_true(wait == (double)seen->waited / (double)seen->dispatches);
}

/* Each exit is counted in its class, and the classes of a VM's VP count
 * nothing else but interrupts, which are no exits. */
static void compare_exits(const struct results *results, const char *instance,
                          const struct laws_vp *seen, uint64_t elapsed_ns)
{
    static const struct {
        const char *counter;
        enum pc_intercept class;
    } classes[] = {
        {"Hypercalls/sec", PC_INTERCEPT_HYPERCALL},
        {"Control Register Accesses/sec", PC_INTERCEPT_CONTROL_REGISTER},
        {"IO Instructions/sec", PC_INTERCEPT_IO},
        {"HLT Instructions/sec", PC_INTERCEPT_HLT},
        {"CPUID Instructions/sec", PC_INTERCEPT_CPUID},
        {"MSR Accesses/sec", PC_INTERCEPT_MSR},
        {"Nested Page Fault Intercepts/sec", PC_INTERCEPT_NESTED_PAGE_FAULT},
        {"Other Intercepts/sec", PC_INTERCEPT_OTHER},
    };

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        uint64_t exits = 0;

        for (unsigned kind = 0; kind < VM_EXIT_KIND_COUNT; kind++) {
            if (intercept_class((enum vm_exit_kind)kind) == classes[i].class)
                exits += seen->exits[kind];
        }
        assert_true(fake_results_total(results, PC_OBJECT_VP, instance,
                                       classes[i].counter) ==
                    rate(exits, elapsed_ns));
    }
}

static void compare_lps(const struct results *results, const struct laws *laws,
                        uint64_t elapsed_ns)
{
    double sent = 0, received = 0;

    for (uint32_t i = 0; i < laws->lp_count; i++) {
        char name[32];

        snprintf(name, sizeof(name), "Hv LP %u", (unsigned)i);
        assert_true(fake_results_total(results, PC_OBJECT_LP, name,
                                       "Context Switches/sec") ==
                    rate(laws->lps[i].switches, elapsed_ns));
        assert_true(fake_results_total(results, PC_OBJECT_LP, name,
                                       "C1 Transitions/sec") ==
                    rate(laws->lps[i].idles, elapsed_ns));
        sent += fake_results_total(results, PC_OBJECT_LP, name,
                                   "Inter-Processor Interrupts Sent/sec");
        received += fake_results_total(results, PC_OBJECT_LP, name,
                                       "Inter-Processor Interrupts/sec");
    }
    /* Sums of quotients: equal but for their roundings. */
    assert_true(sent - received < 1e-3 && received - sent < 1e-3);
}

/* The counters, which are fed elsewhere, show what the trace tells. */
static void compare_counters(const struct script_host *host,
                             const struct script_config *config,
                             const struct laws *laws)
{
    uint64_t elapsed = machine_now_ns(host->machine);
    char instance[32];

    for (uint32_t i = 0; i < config->root_vps; i++) {
        snprintf(instance, sizeof(instance), "Root VP %u", (unsigned)i);
        compare_vp(&host->results, PC_OBJECT_ROOT_VP, instance,
                   laws_vp(laws, laws->root_partition, i), elapsed);
    }
    for (uint32_t i = 0; i < config->vm_count; i++) {
        uint64_t id = vmms_partition(host->machine->vmms, i).v;

        if (vmms_state(host->machine->vmms, i) != VM_RUNNING)
            continue;
        for (uint32_t vp = 0; vp < config->vms[i].vps; vp++) {
            snprintf(instance, sizeof(instance), "vm%u:Hv VP %u", (unsigned)i,
                     (unsigned)vp);
            compare_vp(&host->results, PC_OBJECT_VP, instance,
                       laws_vp(laws, id, vp), elapsed);
            compare_exits(&host->results, instance, laws_vp(laws, id, vp),
                          elapsed);
        }
    }
    compare_lps(&host->results, laws, elapsed);
}

/* Builds and runs the machine of `seed`; a guest may fail, the machine not. */
static void run_seed(uint64_t seed, struct script_host *host,
                     struct script_config *config)
{
    struct rng rng = rng_from_seed(seed);
    enum sim_status status;

    make_config(config, &rng);
    script_host_create(host, config);
    status = script_host_run(host);
    if (status != SIM_OK && !strstr(host->error.message, "triple fault"))
        fail_msg("seed %" PRIu64 ": %s", seed, host->error.message);
}

static uint64_t first_seed, last_seed;

static void every_machine_keeps_the_laws(void **state)
{
    uint64_t dispatches = 0;

    (void)state;
    for (uint64_t seed = first_seed; seed <= last_seed; seed++) {
        static struct script_config config;
        static struct laws laws;
        struct script_host host;

        run_seed(seed, &host, &config);
        judge(&host, &config, &laws);
        if (laws.broken[0])
            fail_msg("seed %" PRIu64 ": %s", seed, laws.broken);
        compare_counters(&host, &config, &laws);
        /* In each interval, and not just in all; quotients are rounded. */
        assert_true(host.results.lp_error < 1e-9);
        assert_true(host.results.vp_most < 100 + 1e-9);
        for (unsigned i = 0; i < LAWS_PARTITIONS_MAX * LAWS_VPS_MAX; i++)
            dispatches += laws.vps[i].dispatches;
        script_host_destroy(&host);
    }
    print_message("%" PRIu64 " dispatches\n", dispatches);
    assert_true(dispatches > 0);
}

/* What somebody asks of VMMS while the machine runs. */
struct order {
    struct machine *machine;
    uint32_t vm;
    bool start;
    struct event event;
};

static void carry_out(void *context, cycles_t now)
{
    const struct order *order = context;

    if (order->start)
        vmms_start(order->machine->vmms, order->vm, now);
    else
        vmms_turn_off(order->machine->vmms, order->vm, now);
}

#define ORDERS 12

static void give_orders(struct order orders[ORDERS], struct machine *machine,
                        const struct script_config *config, struct rng *rng)
{
    for (unsigned i = 0; i < ORDERS; i++) {
        struct order *order = &orders[i];

        *order = (struct order){
            .machine = machine,
            .vm = (uint32_t)rng_below(rng, config->vm_count),
            .start = rng_below(rng, 3) == 0,
            .event = {.kind = EVENT_TIMELINE,
                      .name = "order",
                      .fire = carry_out,
                      .context = order},
        };
        event_schedule(machine->events, &order->event,
                       cycles(rng_below(rng, config->duration_ns)));
    }
}

static void vms_that_come_and_go_break_no_law(void **state)
{
    unsigned gone = 0;

    (void)state;
    for (uint64_t seed = first_seed; seed <= last_seed; seed++) {
        static struct script_config config;
        static struct laws laws;
        static struct order orders[ORDERS];
        struct rng rng = rng_from_seed(seed);
        struct script_host host;
        enum sim_status status;

        make_config(&config, &rng);
        if (seed % 8 == 0) {
            config.timing = "null";
            config.duration_ns = 2000000;
        }
        script_host_create(&host, &config);
        give_orders(orders, host.machine, &config, &rng);
        status = script_host_run(&host);
        if (status != SIM_OK && !strstr(host.error.message, "triple fault"))
            fail_msg("seed %" PRIu64 ": %s", seed, host.error.message);
        judge(&host, &config, &laws);
        if (laws.broken[0])
            fail_msg("seed %" PRIu64 ": %s", seed, laws.broken);
        for (uint32_t vm = 0; vm < config.vm_count; vm++)
            gone += vmms_state(host.machine->vmms, vm) == VM_OFF;
        assert_true(host.results.lp_error < 1e-9);
        assert_true(host.results.vp_most < 100 + 1e-9);
        script_host_destroy(&host);
    }
    assert_true(gone > 0);
}

static void equal_seeds_have_equal_traces(void **state)
{
    static struct script_config config;

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t hash[2];

        for (unsigned i = 0; i < 2; i++) {
            struct script_host host;

            run_seed(seed, &host, &config);
            hash[i] = machine_trace_hash(host.machine);
            script_host_destroy(&host);
        }
        assert_true(hash[0] == hash[1]);
    }
}

/* How long the VP 0 of `partition` was on an LP within [from, to). */
static uint64_t ran_within(const struct results *results, uint64_t partition,
                           uint64_t from, uint64_t to)
{
    uint64_t on = 0, sum = 0;

    for (size_t i = 0; i < results->event_count; i++) {
        const struct trace_record *r = &results->events[i];
        uint64_t at = r->time.v < from ? from : r->time.v > to ? to : r->time.v;

        if (r->partition != partition)
            continue;
        if (r->kind == TRACE_DISPATCH)
            on = at;
        else if (r->kind == TRACE_UNDISPATCH)
            sum += at - on;
    }
    return sum;
}

static void make_busy_host(struct script_config *config, uint32_t lps,
                           uint32_t vms)
{
    script_config_init(config);
    config->lps = config->root_vps = lps;
    config->vm_count = vms;
    config->duration_ns = 200000000;
    for (uint32_t i = 0; i < vms; i++) {
        struct script *script = &config->vms[i].script[0];

        config->vms[i].vps = 1;
        script_begin(script, 0, 1);
        script_add(script, SCRIPT_RUN, 1000000, 0, 0);
        script_repeat(script, script->count - 1);
    }
}

/* How much more one VM runs than another, while all want to. */
static uint64_t unfairness(const struct script_config *config)
{
    struct script_host host;
    uint64_t least = UINT64_MAX, most = 0;

    script_host_create(&host, config);
    assert_int_equal(script_host_run(&host), SIM_OK);
    for (uint32_t vm = 0; vm < config->vm_count; vm++) {
        uint64_t id = vmms_partition(host.machine->vmms, vm).v;
        uint64_t ran = ran_within(&host.results, id, 50000000, 190000000);

        least = ran < least ? ran : least;
        most = ran > most ? ran : most;
    }
    assert_true(least > 0);
    script_host_destroy(&host);
    return most - least;
}

static void busy_vps_get_equal_time(void **state)
{
    static const struct {
        uint32_t lps, vms;
    } hosts[] = {{1, 2}, {1, 3}, {2, 3}, {3, 5}, {4, 6}};

    (void)state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        static struct script_config config;

        make_busy_host(&config, hosts[i].lps, hosts[i].vms);
        assert_true(unfairness(&config) <=
                    2 * config.slice_ns + DISPATCH_MOST_NS);
    }
}

/* An engine that comes back without time having passed holds nobody up: its
 * VP is like any other that spins. */
static void a_vp_that_cannot_go_on_is_one_that_spins(void **state)
{
    (void)state;
    for (uint32_t lps = 1; lps <= 2; lps++) {
        static struct script_config config;
        struct script *script = &config.vms[0].script[0];

        make_busy_host(&config, lps, 3);
        script->count = 0;
        script_begin(script, 0, 1);
        script_add(script, SCRIPT_STUCK, 0, 0, 0);
        assert_true(unfairness(&config) <=
                    2 * config.slice_ns + DISPATCH_MOST_NS);
    }
}

/* With nothing priced no time passes but in guests: that must not stop the
 * rest of the machine. */
static void a_machine_without_prices_reaches_its_end(void **state)
{
    static struct script_config config;

    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct rng rng = rng_from_seed(seed);
        struct script_host host;
        enum sim_status status;

        make_config(&config, &rng);
        config.timing = "null";
        config.duration_ns = 2000000;
        script_host_create(&host, &config);
        status = script_host_run(&host);
        if (status != SIM_OK && !strstr(host.error.message, "triple fault"))
            fail_msg("seed %" PRIu64 ": %s", seed, host.error.message);
        script_host_destroy(&host);
    }
}

/* Turning off a VM waits for a VP that another LP runs, which must not depend
 * on the waiting taking time. */
static void a_vm_is_turned_off_while_its_other_vps_run(void **state)
{
    static const char *const timings[] = {"null", "unit", "table"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        static struct script_config config;
        struct script_host host;

        make_busy_host(&config, 4, 1);
        config.timing = timings[i];
        config.duration_ns = 10000000;
        config.vms[0].vps = 3;
        for (uint32_t vp = 0; vp < 3; vp++) {
            struct script *script = &config.vms[0].script[vp];

            script->count = 0;
            script_begin(script, vp, 3);
            script_add(script, SCRIPT_RUN, 1000000, 0, 0);
            if (vp == 0)
                script_add(script, SCRIPT_TRIPLE_FAULT, 0, 0, 0);
            script_repeat(script, script->count - 1);
        }
        script_host_create(&host, &config);
        assert_int_equal(script_host_run(&host), SIM_RUN_FAILED);
        assert_non_null(strstr(host.error.message, "triple fault"));
        assert_int_equal(vmms_state(host.machine->vmms, 0), VM_OFF);
        script_host_destroy(&host);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_machine_keeps_the_laws),
        cmocka_unit_test(vms_that_come_and_go_break_no_law),
        cmocka_unit_test(equal_seeds_have_equal_traces),
        cmocka_unit_test(busy_vps_get_equal_time),
        cmocka_unit_test(a_vp_that_cannot_go_on_is_one_that_spins),
        cmocka_unit_test(a_machine_without_prices_reaches_its_end),
        cmocka_unit_test(a_vm_is_turned_off_while_its_other_vps_run),
    };

    first_seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    last_seed = argc > 1 ? first_seed : SEEDS;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
