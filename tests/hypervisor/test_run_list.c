/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hypervisor/run_list.h"
#include "sim/core/rng.h"

#define COUNT 500

struct world {
    struct run_list list;
    struct run_entry entries[COUNT];
};

static void add(struct world *world, uint32_t number, uint64_t key)
{
    struct run_entry *entry = &world->entries[number];

    *entry = (struct run_entry){.owner = entry, .key = key, .number = number};
    run_list_add(&world->list, entry);
}

/* The list holds those that say so, each before the next. */
static void assert_in_order(const struct world *world)
{
    const struct run_entry *entry = run_list_first(&world->list);
    uint32_t listed = 0, seen = 0;

    for (uint32_t i = 0; i < COUNT; i++)
        listed += run_list_has(&world->list, &world->entries[i]);
    for (; entry; entry = run_list_next(entry)) {
        const struct run_entry *next = run_list_next(entry);

        assert_ptr_equal(entry->owner, entry);
        assert_true(run_list_has(&world->list, entry));
        assert_true(!next || run_list_before(entry, next));
        seen++;
    }
    assert_int_equal(seen, listed);
    assert_int_equal(world->list.count, listed);
}

static void an_empty_list_has_no_first(void **state)
{
    struct run_list list = {0};

    (void)state;
    assert_null(run_list_first(&list));
    assert_null(run_list_last(&list));
}

static void the_least_key_is_first_and_equals_stand_by_number(void **state)
{
    static const uint32_t expected[] = {3, 0, 1, 4, 2};
    struct world world = {0};
    const struct run_entry *entry;

    (void)state;
    add(&world, 4, 20);
    add(&world, 2, UINT64_MAX);
    add(&world, 0, 20);
    add(&world, 3, 10);
    add(&world, 1, 20);
    assert_int_equal(run_list_last(&world.list)->number, 2);
    entry = run_list_first(&world.list);
    for (unsigned i = 0; i < 5; i++, entry = run_list_next(entry))
        assert_int_equal(entry->number, expected[i]);
    assert_null(entry);
}

static void what_is_removed_can_be_added_to_another(void **state)
{
    struct world world = {0};
    struct run_list other = {0};

    (void)state;
    add(&world, 0, 1);
    add(&world, 1, 2);
    run_list_remove(&world.entries[0]);
    run_list_add(&other, &world.entries[0]);
    assert_ptr_equal(run_list_first(&world.list), &world.entries[1]);
    assert_ptr_equal(run_list_first(&other), &world.entries[0]);
    assert_false(run_list_has(&world.list, &world.entries[0]));
}

static void any_order_of_additions_and_removals_keeps_it_sorted(void **state)
{
    struct world world = {0};
    struct rng rng = rng_from_seed(1);

    (void)state;
    for (unsigned step = 0; step < 5000; step++) {
        uint32_t number = (uint32_t)rng_below(&rng, COUNT);

        if (world.entries[number].list)
            run_list_remove(&world.entries[number]);
        else
            add(&world, number, rng_below(&rng, 40));
        if (step % 50 == 0)
            assert_in_order(&world);
    }
    while (run_list_first(&world.list))
        run_list_remove(run_list_first(&world.list));
    assert_in_order(&world);
}

static unsigned depth_of(const struct run_entry *entry)
{
    unsigned depth = 0;

    for (; entry; entry = entry->parent)
        depth++;
    return depth;
}

/* What comes in the order of keys must not make a list of the tree. */
static void a_sorted_stream_makes_no_deep_tree(void **state)
{
    struct world world = {0};
    unsigned deepest = 0;

    (void)state;
    for (uint32_t i = 0; i < COUNT; i++)
        add(&world, i, i);
    for (uint32_t i = 0; i < COUNT; i++) {
        unsigned depth = depth_of(&world.entries[i]);

        deepest = depth > deepest ? depth : deepest;
    }
    assert_in_range(deepest, 9, 36); /* log2(500) is 9 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_list_has_no_first),
        cmocka_unit_test(the_least_key_is_first_and_equals_stand_by_number),
        cmocka_unit_test(what_is_removed_can_be_added_to_another),
        cmocka_unit_test(any_order_of_additions_and_removals_keeps_it_sorted),
        cmocka_unit_test(a_sorted_stream_makes_no_deep_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
