/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hypervisor/lp.h"
#include "hypervisor/lp_queues.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/host_line.h"

#define LPS 2
#define ANY LP_QUEUES_LEVELS_MAX

/* Two LPs of one node, and VPs that may run on both. */
struct world {
    struct hypervisor hv;
    struct hv_sched sched;
    struct hv_lp lps[LPS];
    struct lp_set node;
    struct lp_queues queues;
    struct lp_queues_place places[2];
    struct hv_partition partition;
    struct hv_vp vps[2];
};

static int create(void **state)
{
    struct world *world = host_line_calloc(sizeof(*world));

    assert_non_null(world);
    *state = world;
    world->node = lp_set_first_of(LPS);
    world->hv.lps = world->lps;
    world->hv.lp_count = LPS;
    world->hv.node_lps = &world->node;
    world->sched.hv = &world->hv;
    world->partition.hv = &world->hv;
    for (uint32_t i = 0; i < LPS; i++)
        world->lps[i].id = (lp_id_t){i};
    for (unsigned i = 0; i < 2; i++) {
        world->vps[i].partition = &world->partition;
        world->vps[i].sched.allowed = world->node;
        world->vps[i].sched.policy = &world->places[i];
    }
    assert_true(lp_queues_init(&world->queues, &world->sched));
    return 0;
}

static int destroy(void **state)
{
    struct world *world = *state;

    lp_queues_fini(&world->queues);
    free(world);
    return 0;
}

static void the_lower_level_goes_first_wherever_it_waits(void **state)
{
    struct world *world = *state;

    lp_queues_append(&world->queues, &world->vps[0], &world->lps[0], 2);
    lp_queues_append(&world->queues, &world->vps[1], &world->lps[1], 1);
    assert_ptr_equal(lp_queues_best(&world->queues, &world->lps[0]),
                     &world->vps[1]);
    lp_queues_move(&world->queues, &world->vps[0], 1);
    assert_ptr_equal(lp_queues_best(&world->queues, &world->lps[0]),
                     &world->vps[0]);
}

static void whom_an_lp_was_called_for_no_other_takes(void **state)
{
    struct world *world = *state;

    lp_queues_append(&world->queues, &world->vps[0], &world->lps[0], 2);
    assert_ptr_equal(lp_queues_elsewhere(&world->queues, &world->lps[1], ANY),
                     &world->vps[0]);
    lp_queues_claim(&world->queues, &world->lps[0], &world->vps[0]);
    assert_null(lp_queues_elsewhere(&world->queues, &world->lps[1], ANY));
    lp_queues_move(&world->queues, &world->vps[0], 1);
    assert_null(lp_queues_elsewhere(&world->queues, &world->lps[1], ANY));
    assert_ptr_equal(lp_queues_own(&world->queues, &world->lps[0], ANY),
                     &world->vps[0]);
}

static void who_is_left_behind_is_free_for_others(void **state)
{
    struct world *world = *state;

    lp_queues_append(&world->queues, &world->vps[0], &world->lps[0], 2);
    lp_queues_claim(&world->queues, &world->lps[0], &world->vps[0]);
    lp_queues_append(&world->queues, &world->vps[1], &world->lps[0], 1);
    lp_queues_remove(&world->queues, &world->vps[1]);
    assert_ptr_equal(lp_queues_chose(&world->queues, &world->lps[0]),
                     &world->vps[0]);
    assert_false(world->vps[0].sched.queued);
    assert_null(lp_queues_chose(&world->queues, &world->lps[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            the_lower_level_goes_first_wherever_it_waits, create, destroy),
        cmocka_unit_test_setup_teardown(
            whom_an_lp_was_called_for_no_other_takes, create, destroy),
        cmocka_unit_test_setup_teardown(who_is_left_behind_is_free_for_others,
                                        create, destroy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
