/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What wakes a VP, and what it takes when it is entered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/hypervisor/fake_engine.h"
#include "tests/hypervisor/small_host.h"

#define INTERRUPTS_ON (RFLAGS_IF | 2)

static struct small_host host;
static struct hv_vp *vp;

static int setup(void **state)
{
    (void)state;
    small_host_create(&host);
    vp = small_host_child_with_vp(&host)->vps[0];
    vp->lapic.svr = 0x1ff;
    vp->explicit_suspend = false;
    vp_reconsider(&host.context, vp);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    small_host_destroy(&host);
    return 0;
}

static void a_halted_vp_sleeps_until_it_takes_an_interrupt(void **state)
{
    (void)state;
    vp->engine->state.rflags = 2;
    vp_halt(&host.context, vp);
    vp_interrupt(&host.context, vp, 0x40);
    assert_false(vp_runnable(vp));
    vp_nmi(&host.context, vp);
    assert_true(vp_runnable(vp));
}

static void an_idle_guest_wakes_even_with_interrupts_disabled(void **state)
{
    (void)state;
    vp->engine->state.rflags = 2;
    vp_idle(&host.context, vp);
    assert_false(vp_runnable(vp));
    vp_interrupt(&host.context, vp, 0x40);
    assert_true(vp_runnable(vp));
    /* An interrupt that is pending already lets it not even sleep. */
    vp_idle(&host.context, vp);
    assert_true(vp_runnable(vp));
    /* HLT is HLT as before. */
    vp_halt(&host.context, vp);
    assert_false(vp_runnable(vp));
}

static void an_extint_wakes_and_comes_before_the_apics_interrupts(void **state)
{
    (void)state;
    vp->lapic.svr = 0xff; /* virtual wire mode */
    vp->engine->state.rflags = INTERRUPTS_ON;
    vp_halt(&host.context, vp);
    assert_true(vp_external_interrupt(&host.context, vp, 0x08));
    assert_true(vp_runnable(vp));

    vp->lapic.svr = 0x1ff;
    vp->lapic.lvt[4] = 0x700; /* LINT0: ExtINT */
    vp_interrupt(&host.context, vp, 0xf0);
    vp_prepare_entry(&host.context, vp);
    assert_int_equal(vp->engine->interrupts, 1);
    assert_int_equal(vp->engine->interrupt_vector, 0x08);
    assert_true(vp->engine->window_wanted); /* for the other */
    assert_true(vp_external_interrupt(&host.context, vp, 0x09));

    vp->lapic.lvt[4] = 0x10700; /* masked: it has to wait */
    vp->engine->state.rflags = INTERRUPTS_ON;
    vp_prepare_entry(&host.context, vp);
    assert_int_equal(vp->engine->interrupt_vector, 0xf0);
    vp->engine->state.rflags = INTERRUPTS_ON;
    vp_prepare_entry(&host.context, vp);
    assert_int_equal(vp->engine->interrupts, 2);
    assert_false(vp->engine->window_wanted);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_halted_vp_sleeps_until_it_takes_an_interrupt),
        T(an_idle_guest_wakes_even_with_interrupts_disabled),
        T(an_extint_wakes_and_comes_before_the_apics_interrupts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
