/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * The root's allocator against a model that remembers, page by page, what is
 * out: whatever is asked for and given back in whatever order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "partitions/root_memory.h"
#include "sim/core/rng.h"

#define NODES 3
#define MIB (UINT64_C(1) << 20)
#define BLOCK_BYTES (2 * MIB)
#define BLOCK_PAGES 512
#define PAGES_MAX 32768
#define OUT_MAX 20000

static const struct hv_node_config nodes[NODES] = {
    {1, 24 * MIB}, {2, 40 * MIB}, {1, 16 * MIB}};

struct model {
    struct hv_memory *memory;
    struct root_memory *rm;
    uint8_t out[PAGES_MAX]; /* 1: a page of its own, 2: part of a block */
    spa_t pages[OUT_MAX], blocks[64];
    size_t page_count, block_count;
    uint64_t all_bytes;
};

static struct model model;

static void build(uint64_t reserved)
{
    struct sim_error error;

    memset(&model, 0, sizeof(model));
    assert_int_equal(memory_create(&model.memory, nodes, NODES, &error),
                     SIM_OK);
    model.rm = root_memory_create(model.memory, NODES, reserved);
    assert_non_null(model.rm);
    model.all_bytes = root_memory_free_bytes(model.rm);
}

static int destroy(void **state)
{
    (void)state;
    root_memory_free(model.rm);
    memory_free(model.memory);
    return 0;
}

static int is_in_root_range(spa_t at, uint64_t bytes)
{
    spa_t first;
    uint64_t pages;

    memory_root_range(model.memory, memory_node_of(model.memory, at), &first,
                      &pages);
    return at.raw >= first.raw &&
           at.raw + bytes <= first.raw + pages * PAGE_BYTES;
}

static void take_out(spa_t at, uint64_t count, uint8_t as)
{
    assert_true(at.raw % (count * PAGE_BYTES) == 0);
    assert_true(is_in_root_range(at, count * PAGE_BYTES));
    for (uint64_t i = 0; i < count; i++) {
        uint8_t *page = &model.out[at.raw / PAGE_BYTES + i];

        assert_int_equal(*page, 0);
        *page = as;
    }
}

static void put_back(spa_t at, uint64_t count)
{
    memset(&model.out[at.raw / PAGE_BYTES], 0, count);
}

static bool take_page(uint32_t node)
{
    spa_t page;

    if (!root_memory_take_page(model.rm, node, &page))
        return false;
    take_out(page, 1, 1);
    model.pages[model.page_count++] = page;
    return true;
}

static bool take_block(uint32_t node)
{
    spa_t block;

    if (!root_memory_take_block(model.rm, node, &block))
        return false;
    take_out(block, BLOCK_PAGES, 2);
    model.blocks[model.block_count++] = block;
    return true;
}

static void give_page(size_t which)
{
    spa_t page = model.pages[which];

    model.pages[which] = model.pages[--model.page_count];
    put_back(page, 1);
    assert_true(root_memory_give_page(model.rm, page));
}

static void give_block(size_t which)
{
    spa_t block = model.blocks[which];

    model.blocks[which] = model.blocks[--model.block_count];
    put_back(block, BLOCK_PAGES);
    assert_true(root_memory_give_block(model.rm, block));
}

static void check_free_bytes(void)
{
    uint64_t out =
        model.page_count * PAGE_BYTES + model.block_count * BLOCK_BYTES;

    assert_true(root_memory_free_bytes(model.rm) == model.all_bytes - out);
}

static void do_something(struct rng *rng)
{
    uint32_t node = (uint32_t)rng_below(rng, NODES);

    switch (rng_below(rng, 8)) {
    case 0:
        take_block(node);
        break;
    case 1:
        if (model.block_count)
            give_block(rng_below(rng, model.block_count));
        break;
    case 2:
    case 3:
    case 4:
        for (uint64_t i = rng_below(rng, 300); i > 0; i--)
            take_page(node);
        break;
    default:
        for (uint64_t i = rng_below(rng, 300); i > 0 && model.page_count; i--)
            give_page(rng_below(rng, model.page_count));
        break;
    }
}

static void nothing_is_handed_out_twice_or_lost(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct rng rng = rng_from_seed(seed);

        build(rng_below(&rng, 8 * MIB));
        for (unsigned i = 0; i < 400; i++) {
            do_something(&rng);
            check_free_bytes();
        }
        while (model.page_count)
            give_page(0);
        while (model.block_count)
            give_block(0);
        assert_true(root_memory_free_bytes(model.rm) == model.all_bytes);
        destroy(NULL);
    }
    build(0);
}

static void every_byte_that_is_free_can_be_had(void **state)
{
    (void)state;
    build(5 * MIB);
    while (take_block(1))
        continue;
    assert_true(root_memory_free_bytes(model.rm) == 0);
    assert_true(model.block_count * BLOCK_BYTES == model.all_bytes);
    while (model.block_count)
        give_block(0);
    while (take_page(2))
        continue;
    assert_true(root_memory_free_bytes(model.rm) == 0);
    assert_true(model.page_count * PAGE_BYTES == model.all_bytes);
}

static void the_wanted_node_is_used_up_before_others(void **state)
{
    (void)state;
    build(0);
    for (uint32_t node = 0; node < NODES; node++) {
        uint64_t of_node = 0;

        while (take_block(node) &&
               memory_node_of(model.memory,
                              model.blocks[model.block_count - 1]) == node)
            of_node++;
        assert_true(of_node > 0);
        /* The one too many is of the node behind it. */
        assert_int_equal(
            memory_node_of(model.memory, model.blocks[model.block_count - 1]),
            (node + 1) % NODES);
        while (model.block_count)
            give_block(0);
    }
}

static void what_is_reserved_is_never_handed_out(void **state)
{
    uint64_t without;

    (void)state;
    build(0);
    without = model.all_bytes;
    destroy(NULL);
    build(3 * 6 * MIB);
    assert_true(model.all_bytes == without - 3 * 6 * MIB);
    while (take_page(0))
        continue;
    for (size_t i = 0; i < model.page_count; i++) {
        uint32_t node = memory_node_of(model.memory, model.pages[i]);
        spa_t first;
        uint64_t pages;

        memory_root_range(model.memory, node, &first, &pages);
        assert_true(model.pages[i].raw >= first.raw + 6 * MIB);
    }
}

static void all_reserved_leaves_nothing(void **state)
{
    (void)state;
    build(4096 * MIB);
    assert_true(model.all_bytes == 0);
    assert_false(take_page(0));
    assert_false(take_block(2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_is_handed_out_twice_or_lost, destroy),
        cmocka_unit_test_teardown(every_byte_that_is_free_can_be_had, destroy),
        cmocka_unit_test_teardown(the_wanted_node_is_used_up_before_others,
                                  destroy),
        cmocka_unit_test_teardown(what_is_reserved_is_never_handed_out,
                                  destroy),
        cmocka_unit_test_teardown(all_reserved_leaves_nothing, destroy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
