/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hypervisor/lp.h"
#include "tests/hypervisor/small_host.h"

/* Lets VP 0 of `child` run on an LP of its own until it halts; returns how
 * often a switch was charged. */
static uint32_t run_and_halt(struct small_host *host,
                             struct hv_partition *child)
{
    struct hv_vp *vp = child->vps[0];
    struct hv_context context = host->context;
    struct cost_bill bill = {0};

    vp->sched.allowed = (struct lp_set){0};
    lp_set_add(&vp->sched.allowed, 1);
    vp->sched.restricted = true;
    vp->explicit_suspend = false;
    vp->halted = false;
    vp_reconsider(&host->context, vp);
    context.lp = &host->hv->lps[1];
    context.bill = &bill;
    assert_true(lp_dispatch(&context));
    assert_ptr_equal(context.lp->vp, vp);
    context.lp->now = cycles_max(context.lp->now, vp->state_since);
    lp_start(&context);
    vp->halted = true;
    lp_undispatch(&context);
    return cost_count(&bill, COST_VP_SWITCH);
}

static void a_vp_that_comes_back_to_its_lp_is_no_switch(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);

    assert_int_equal(run_and_halt(host, child), 1);
    assert_int_equal(run_and_halt(host, child), 0);
}

/* The memory of the one that is gone may well be the new one's. */
static void a_vp_after_one_that_is_gone_is_a_switch(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);

    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(run_and_halt(host, child), 1);
        child->vps[0]->explicit_suspend = true;
        vp_reconsider(&host->context, child->vps[0]);
        assert_int_equal(partition_remove_vp(&host->context, child->vps[0]),
                         HV_STATUS_SUCCESS);
        assert_int_equal(
            partition_add_vp(&host->context, child, (vp_index_t){0}, 0),
            HV_STATUS_SUCCESS);
    }
}

#define T(name)                                                                \
    cmocka_unit_test_setup_teardown(name, small_host_setup, small_host_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_vp_that_comes_back_to_its_lp_is_no_switch),
        T(a_vp_after_one_that_is_gone_is_a_switch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
