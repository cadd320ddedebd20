/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * The walks of ARCHITECTURE.md as golden traces: every event and every bill,
 * with its time. What differs is shown as a diff; when it should differ, the
 * new trace lies in this test's working directory and is to be explained in
 * the commit that takes it over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/machine/timed_trace.h"

#define GOLDEN HVSIM_SOURCE_DIR "/tests/machine/golden/"

#define MSR_STIMER0_CONFIG 0x400000b0u
#define MSR_STIMER0_COUNT 0x400000b1u
#define STIMER_PERIODIC_DIRECT 0x140au /* vector 0x40, enabled by a count */
#define TENTHS_OF_US 3000u             /* 300 us */

#define COM1 0x3f8u
#define CALL_LONG_SPIN_WAIT 8u

static void run(struct script_host *host, const struct script_config *config)
{
    script_host_create(host, config);
    timed_trace_begin(host);
    assert_int_equal(script_host_run(host), SIM_OK);
}

static void compare(const struct script_host *host, const char *name,
                    enum vm_exit_kind from)
{
    char command[512];
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    timed_trace_write(file, host, from, 0);
    assert_true(ftell(file) > 0);
    assert_int_equal(fclose(file), 0);
    snprintf(command, sizeof(command), "diff -u '" GOLDEN "%s' '%s' >&2", name,
             name);
    assert_int_equal(system(command), 0);
}

static struct script *one_vm(struct script_config *config)
{
    struct script *script = &config->vms[0].script[0];

    script_config_init(config);
    config->vm_count = 1;
    config->vms[0].vps = 1;
    script_begin(script, 0, 1);
    return script;
}

static void end(struct script *script)
{
    script_add(script, SCRIPT_CPUID, 0x40000000, 0, 0);
    script_sleep(script);
}

static void a_halted_vp_is_woken_by_its_timer(void **state)
{
    static struct script_config config;
    struct script *script = one_vm(&config);
    struct script_host host;

    (void)state;
    script_add(script, SCRIPT_WRMSR, MSR_STIMER0_CONFIG, STIMER_PERIODIC_DIRECT,
               0);
    script_add(script, SCRIPT_WRMSR, MSR_STIMER0_COUNT, TENTHS_OF_US, 0);
    script_add(script, SCRIPT_RUN, 5000, 0, 0);
    script_add(script, SCRIPT_HLT, 0, 0, 0);
    end(script);
    run(&host, &config);
    compare(&host, "hlt.trace", VM_EXIT_HLT);
    script_host_destroy(&host);
}

static void an_io_intercept_goes_to_the_worker_and_back(void **state)
{
    static struct script_config config;
    struct script *script = one_vm(&config);
    struct script_host host;

    (void)state;
    /* Late enough for the root to have gone to sleep. */
    script_add(script, SCRIPT_RUN, 200000, 0, 0);
    script_add(script, SCRIPT_OUT, COM1, 'x', 1);
    end(script);
    run(&host, &config);
    compare(&host, "io.trace", VM_EXIT_IO);
    script_host_destroy(&host);
}

static void a_guests_hypercall_is_dispatched(void **state)
{
    static struct script_config config;
    struct script *script = one_vm(&config);
    struct script_host host;

    (void)state;
    script_add(script, SCRIPT_CALL, CALL_LONG_SPIN_WAIT, 1000, 0);
    end(script);
    run(&host, &config);
    compare(&host, "hypercall.trace", VM_EXIT_HYPERCALL);
    script_host_destroy(&host);
}

static int forget(void **state)
{
    (void)state;
    timed_trace_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_halted_vp_is_woken_by_its_timer),
        cmocka_unit_test(an_io_intercept_goes_to_the_worker_and_back),
        cmocka_unit_test(a_guests_hypercall_is_dispatched),
    };

    return cmocka_run_group_tests(tests, NULL, forget);
}
