/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hypervisor/seat_tree.h"
#include "sim/core/rng.h"

#define MARKED_MOST 40 /* few, so that groups are often empty */

/* `marks` says what the tree should. */
struct world {
    struct seat_tree tree;
    run_mark_t marks[LP_COUNT_MAX];
    uint32_t marked;
};

static int create(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    assert_true(seat_tree_init(&world->tree, LP_COUNT_MAX));
    seat_tree_clear(&world->tree);
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
    seat_tree_set(&world->tree, seat, world->marks[seat], &world->marks[seat]);
}

static void unset(struct world *world, uint32_t seat)
{
    world->marked--;
    world->marks[seat] = RUN_MARK_NONE;
    seat_tree_remove(&world->tree, seat);
}

static int destroy(void **state)
{
    struct world *world = *state;

    seat_tree_fini(&world->tree);
    free(world);
    return 0;
}

static void assert_second(const struct world *world, uint32_t first)
{
    const run_mark_t *second = NULL;

    for (uint32_t i = 0; i < LP_COUNT_MAX; i++) {
        const run_mark_t *mark = &world->marks[i];

        assert_int_equal(seat_tree_has(&world->tree, i),
                         *mark != RUN_MARK_NONE);
        if (i != first && *mark != RUN_MARK_NONE &&
            (!second || *mark < *second))
            second = mark;
    }
    assert_ptr_equal(seat_tree_second(&world->tree), second);
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
    assert_second(world, least);
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
    seat_tree_set(&world->tree, 7, world->marks[7], &other);
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

/* Whatever the number of seats, each of them can be first, and last. */
static void trees_of_all_sizes_have_room(void **state)
{
    (void)state;
    for (uint32_t seats = 1; seats <= LP_COUNT_MAX; seats++) {
        struct seat_tree tree;
        int owners[2];

        assert_true(seat_tree_init(&tree, seats));
        seat_tree_clear(&tree);
        for (uint32_t seat = 0; seat < seats; seat++) {
            seat_tree_set(&tree, seat, run_mark(2, seat), &owners[0]);
            assert_true(tree.least == run_mark(2, 0));
        }
        for (uint32_t seat = 0; seat < seats; seat++) {
            seat_tree_set(&tree, seat, run_mark(1, UINT32_MAX), &owners[1]);
            assert_true(tree.least == run_mark(1, UINT32_MAX));
            assert_ptr_equal(tree.first, &owners[1]);
            seat_tree_set(&tree, seat, run_mark(3, seat), &owners[0]);
        }
        for (uint32_t seat = 0; seat < seats; seat++) {
            assert_true(tree.least == run_mark(3, seat));
            seat_tree_remove(&tree, seat);
        }
        assert_true(tree.least == RUN_MARK_NONE);
        assert_null(tree.first);
        seat_tree_fini(&tree);
    }
}

static void a_tree_that_is_cleared_is_empty(void **state)
{
    struct world *world = *state;

    set(world, 3, 20, 3);
    seat_tree_clear(&world->tree);
    world->marks[3] = RUN_MARK_NONE;
    world->marked = 0;
    assert_least(world);
    assert_walk(world);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, create, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_tree_has_no_least),
        TEST(of_equal_keys_the_least_number_is_first),
        TEST(one_mark_may_come_to_stand_for_another),
        TEST(whatever_changes_the_least_is_known),
        TEST(a_tree_that_is_cleared_is_empty),
        cmocka_unit_test(trees_of_all_sizes_have_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
