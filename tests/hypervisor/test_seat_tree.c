/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hypervisor/seat_tree.h"
#include "sim/core/rng.h"

#define MARKED_MOST 40

/* The pool has the nodes of so many seats, and no more: whoever takes another
 * one ends the test. `marks` says what the tree should. */
struct world {
    struct seat_pool pool;
    struct seat_tree tree;
    run_mark_t marks[LP_COUNT_MAX];
    uint32_t marked;
};

static int create(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    assert_true(seat_pool_grow(&world->pool, MARKED_MOST));
    world->tree = seat_tree_empty(LP_COUNT_MAX);
    for (uint32_t i = 0; i < LP_COUNT_MAX; i++)
        world->marks[i] = RUN_MARK_NONE;
    *state = world;
    return 0;
}

static void set(struct world *world, uint32_t seat, uint64_t key,
                uint64_t number)
{
    world->marked += world->marks[seat] == RUN_MARK_NONE;
    world->marks[seat] = run_mark(key, number);
    seat_tree_set(&world->pool, &world->tree, seat, world->marks[seat],
                  &world->marks[seat]);
}

static void unset(struct world *world, uint32_t seat)
{
    world->marked--;
    world->marks[seat] = RUN_MARK_NONE;
    seat_tree_remove(&world->pool, &world->tree, seat);
}

/* All nodes have come back. */
static int destroy(void **state)
{
    struct world *world = *state;

    for (uint32_t i = 0; i < LP_COUNT_MAX; i++) {
        if (world->marks[i] != RUN_MARK_NONE)
            unset(world, i);
    }
    assert_null(world->tree.root);
    seat_pool_shrink(&world->pool, MARKED_MOST);
    assert_null(world->pool.free);
    free(world);
    return 0;
}

static void assert_least(const struct world *world)
{
    uint32_t least = 0;

    for (uint32_t i = 1; i < LP_COUNT_MAX; i++) {
        if (world->marks[i] < world->marks[least])
            least = i;
    }
    assert_true(world->tree.least == world->marks[least]);
    assert_ptr_equal(world->tree.first,
                     world->marked > 0 ? &world->marks[least] : NULL);
}

static void assert_walk(const struct world *world)
{
    uint32_t from = 0, seen = 0;
    const run_mark_t *mark;

    for (; (mark = seat_tree_next(&world->tree, &from)) != NULL; from++) {
        assert_ptr_equal(mark, &world->marks[from]);
        assert_true(*mark != RUN_MARK_NONE);
        seen++;
    }
    assert_int_equal(seen, world->marked);
}

static void an_empty_tree_has_no_least(void **state)
{
    struct world *world = *state;
    uint32_t from = 0;

    assert_least(world);
    assert_null(seat_tree_next(&world->tree, &from));
}

static void of_equal_keys_the_least_number_is_first(void **state)
{
    struct world *world = *state;

    set(world, 511, 20, 3);
    set(world, 0, 20, 4);
    set(world, 64, 20, 5);
    assert_ptr_equal(world->tree.first, &world->marks[511]);
    unset(world, 511);
    assert_ptr_equal(world->tree.first, &world->marks[0]);
}

static void one_mark_may_come_to_stand_for_another(void **state)
{
    struct world *world = *state;
    int other;

    set(world, 7, 20, 3);
    seat_tree_set(&world->pool, &world->tree, 7, world->marks[7], &other);
    assert_ptr_equal(world->tree.first, &other);
}

static void whatever_changes_the_least_is_known(void **state)
{
    struct world *world = *state;
    struct rng rng = rng_from_seed(1);

    for (unsigned i = 0; i < 20000; i++) {
        /* Neighbours, and seats that are far from each other. */
        uint32_t seat =
            (uint32_t)(rng_below(&rng, 8) * 73 + rng_below(&rng, 9)) %
            LP_COUNT_MAX;
        bool marked = world->marks[seat] != RUN_MARK_NONE;

        if (marked && rng_below(&rng, 2) == 0)
            unset(world, seat);
        else if (marked || world->marked < MARKED_MOST)
            set(world, seat, rng_below(&rng, 50), i);
        assert_least(world);
        if (i % 16 == 0)
            assert_walk(world);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, create, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_tree_has_no_least),
        TEST(of_equal_keys_the_least_number_is_first),
        TEST(one_mark_may_come_to_stand_for_another),
        TEST(whatever_changes_the_least_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
