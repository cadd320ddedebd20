/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hypervisor/run_list.h"
#include "sim/core/rng.h"

#define COUNT 500

/* The pool has a node for each entry, and no more: whoever takes another one
 * ends the test. */
struct world {
    struct run_pool pool;
    struct run_list list;
    struct run_entry entries[COUNT];
};

static int create(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    assert_true(run_pool_grow(&world->pool, COUNT));
    world->list.pool = &world->pool;
    *state = world;
    return 0;
}

/* All nodes have come back. */
static int destroy(void **state)
{
    struct world *world = *state;

    while (run_list_first(&world->list))
        run_list_remove(run_list_first(&world->list));
    run_pool_shrink(&world->pool, COUNT);
    free(world);
    return 0;
}

static void add(struct world *world, uint32_t number, uint64_t key)
{
    struct run_entry *entry = &world->entries[number];

    *entry = (struct run_entry){.owner = entry, .key = key, .number = number};
    run_list_add(&world->list, entry);
}

/* The first few are known without a search, others perhaps. */
static void assert_peeks(const struct world *world)
{
    const struct run_entry *entry = run_list_first(&world->list);
    uint32_t n = 0;

    for (; entry; entry = run_list_next(entry), n++) {
        const struct run_entry *peeked = run_list_peek(&world->list, n);

        assert_true(peeked == entry || (!peeked && n >= 4));
    }
    assert_null(run_list_peek(&world->list, n));
}

/* The list holds those that say so, each before the next. */
static void assert_in_order(const struct world *world)
{
    const struct run_entry *entry = run_list_first(&world->list);
    const struct run_entry *last = NULL;
    uint32_t listed = 0, seen = 0;

    for (uint32_t i = 0; i < COUNT; i++)
        listed += run_list_has(&world->list, &world->entries[i]);
    for (; entry; entry = run_list_next(entry)) {
        const struct run_entry *next = run_list_next(entry);

        assert_ptr_equal(entry->owner, entry);
        assert_true(run_list_has(&world->list, entry));
        assert_true(!next || run_entry_mark(entry) < run_entry_mark(next));
        last = entry;
        seen++;
    }
    assert_int_equal(seen, listed);
    assert_ptr_equal(run_list_last(&world->list), last);
    if (last)
        assert_true(run_list_first_mark(&world->list) ==
                    run_entry_mark(run_list_first(&world->list)));
    assert_peeks(world);
}

static void an_empty_list_has_no_first(void **state)
{
    struct world *world = *state;

    assert_null(run_list_first(&world->list));
    assert_null(run_list_last(&world->list));
}

static void the_least_key_is_first_and_equals_stand_by_number(void **state)
{
    static const uint32_t expected[] = {3, 0, 1, 4, 2};
    struct world *world = *state;
    const struct run_entry *entry;

    add(world, 4, 20);
    add(world, 2, UINT64_MAX);
    add(world, 0, 20);
    add(world, 3, 10);
    add(world, 1, 20);
    assert_int_equal(run_list_last(&world->list)->number, 2);
    entry = run_list_first(&world->list);
    for (unsigned i = 0; i < 5; i++, entry = run_list_next(entry))
        assert_int_equal(entry->number, expected[i]);
    assert_null(entry);
}

static void what_is_removed_can_be_added_to_another(void **state)
{
    struct world *world = *state;
    struct run_list other = {.pool = &world->pool};

    add(world, 0, 1);
    add(world, 1, 2);
    run_list_remove(&world->entries[0]);
    run_list_add(&other, &world->entries[0]);
    assert_ptr_equal(run_list_first(&world->list), &world->entries[1]);
    assert_ptr_equal(run_list_first(&other), &world->entries[0]);
    assert_false(run_list_has(&world->list, &world->entries[0]));
    run_list_remove(&world->entries[0]);
}

static void any_order_of_additions_and_removals_keeps_it_sorted(void **state)
{
    struct world *world = *state;
    struct rng rng = rng_from_seed(1);

    for (unsigned step = 0; step < 20000; step++) {
        uint32_t number = (uint32_t)rng_below(&rng, COUNT);

        if (run_list_is_listed(&world->entries[number]))
            run_list_remove(&world->entries[number]);
        else
            add(world, number, rng_below(&rng, 40));
        if (step % 50 == 0)
            assert_in_order(world);
    }
}

/* The least and the greatest are the nodes' own marks, too. Of so few keys most
 * are equals. */
static void the_least_and_the_greatest_key_are_like_others(void **state)
{
    static const uint64_t keys[] = {0, 1, UINT64_MAX - 1, UINT64_MAX};
    struct world *world = *state;
    struct rng rng = rng_from_seed(3);

    for (unsigned step = 0; step < 20000; step++) {
        uint32_t number = (uint32_t)rng_below(&rng, COUNT);

        if (run_list_is_listed(&world->entries[number]))
            run_list_remove(&world->entries[number]);
        else
            add(world, number, keys[rng_below(&rng, step / 5000 + 1)]);
        if (step % 50 == 0)
            assert_in_order(world);
    }
}

/* As virtual times and deadlines come. */
static void a_stream_of_growing_keys_keeps_it_sorted(void **state)
{
    struct world *world = *state;
    uint64_t key = 0;

    for (uint32_t number = 0; number < COUNT; number++)
        add(world, number, key++);
    assert_in_order(world);
    for (unsigned turn = 0; turn < 3 * COUNT; turn++) {
        uint32_t number = run_list_first(&world->list)->number;

        assert_int_equal(number, turn % COUNT);
        run_list_remove(&world->entries[number]);
        add(world, number, key++);
    }
    assert_in_order(world);
}

static void a_stream_of_falling_keys_keeps_it_sorted(void **state)
{
    struct world *world = *state;

    for (uint32_t number = 0; number < COUNT; number++)
        add(world, number, COUNT - number);
    assert_in_order(world);
    for (uint32_t number = 0; number < COUNT; number++) {
        assert_int_equal(run_list_last(&world->list)->number, number);
        run_list_remove(&world->entries[number]);
    }
}

/* Each brings one node, and none is needed twice. */
static void many_lists_share_a_pool(void **state)
{
    struct world *world = *state;
    struct run_list lists[COUNT];
    struct rng rng = rng_from_seed(2);

    for (uint32_t i = 0; i < COUNT; i++)
        lists[i] = (struct run_list){.pool = &world->pool};
    for (uint32_t few = 1; few <= COUNT; few *= 5) {
        for (uint32_t number = 0; number < COUNT; number++) {
            world->entries[number] = (struct run_entry){
                .key = rng_below(&rng, COUNT), .number = number};
            run_list_add(&lists[rng_below(&rng, few)], &world->entries[number]);
        }
        for (uint32_t number = 0; number < COUNT; number++)
            run_list_remove(&world->entries[number]);
    }
    for (uint32_t number = 0; number < COUNT; number++)
        run_list_add(&lists[number], &world->entries[number]);
    for (uint32_t number = 0; number < COUNT; number++)
        run_list_remove(&world->entries[number]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, create, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_list_has_no_first),
        TEST(the_least_key_is_first_and_equals_stand_by_number),
        TEST(what_is_removed_can_be_added_to_another),
        TEST(any_order_of_additions_and_removals_keeps_it_sorted),
        TEST(the_least_and_the_greatest_key_are_like_others),
        TEST(a_stream_of_growing_keys_keeps_it_sorted),
        TEST(a_stream_of_falling_keys_keeps_it_sorted),
        TEST(many_lists_share_a_pool),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
