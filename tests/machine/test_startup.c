/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Starting a processor over, at any moment of what it does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/machine/script_host.h"

#define MSR_X2APIC_ICR 0x830u
#define ICR_INIT 0x4500u
#define ICR_STARTUP 0x4600u
#define SECOND_ENTRY ((SCRIPT_ENTRY >> PAGE_SHIFT) + 1)

static unsigned printed(const struct script_host *host, char what)
{
    unsigned count = 0;

    for (size_t i = 0; i < host->results.event_count; i++)
        count += host->results.events[i].kind == TRACE_CONSOLE &&
                 host->results.events[i].detail == (uint64_t)what;
    return count;
}

/* VP 1 says 'S' when it starts, and 'x' from then on; VP 0 starts it over
 * `after` ns. */
static void make_vm(struct script_vm *vm, uint32_t after)
{
    struct script *first = &vm->script[0], *second = &vm->script[1];

    vm->vps = 2;
    first->count = second->count = 0;
    script_begin(first, 0, 2);
    script_add(first, SCRIPT_RUN, after, 0, 0);
    script_add(first, SCRIPT_WRMSR, MSR_X2APIC_ICR, ICR_INIT, 1);
    script_add(first, SCRIPT_WRMSR, MSR_X2APIC_ICR, ICR_STARTUP | SECOND_ENTRY,
               1);
    script_add(first, SCRIPT_HLT, 0, 0, 0);
    script_repeat(first, first->count - 1);

    script_begin(second, 1, 2);
    script_print(second, "S");
    script_print(second, "x");
    script_repeat(second, second->count - 1);
}

/* An instruction that its parent emulates is done before INIT comes, as an
 * instruction is: what the parent then sets is the old processor's. */
static void a_vp_starts_over_whatever_it_is_doing(void **state)
{
    (void)state;
    for (uint32_t after = 300000; after < 400000; after += 1973) {
        static struct script_config config;
        struct script_host host;

        script_config_init(&config);
        config.lps = 4;
        config.root_vps = 1;
        config.duration_ns = 5000000;
        config.vm_count = 1;
        make_vm(&config.vms[0], after);
        script_host_create(&host, &config);
        assert_int_equal(script_host_run(&host), SIM_OK);
        assert_int_equal(printed(&host, 'S'), 2);
        assert_true(printed(&host, 'x') > 10);
        script_host_destroy(&host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vp_starts_over_whatever_it_is_doing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
