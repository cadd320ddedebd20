/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hypervisor/memory.h"

#define MIB (UINT64_C(1) << 20)

/** Two nodes of unequal size, and enough of a hypervisor for pools. */
struct fixture {
    struct hypervisor hv;
    struct memory_pool *pool;
};

static const struct hv_node_config two_nodes[] = {
    {.lp_count = 1, .memory_bytes = 64 * MIB},
    {.lp_count = 1, .memory_bytes = 16 * MIB + 4095}, /* not in whole pages */
};

static int setup(void **state)
{
    static struct fixture fixture;
    struct sim_error error;

    fixture = (struct fixture){0};
    assert_int_equal(memory_create(&fixture.hv.memory, two_nodes, 2, &error),
                     SIM_OK);
    assert_int_equal(arena_create(&fixture.hv.arena,
                                  memory_total_bytes(fixture.hv.memory),
                                  &error),
                     SIM_OK);
    fixture.pool = memory_pool_create();
    assert_non_null(fixture.pool);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    memory_pool_free(fixture->pool);
    memory_free(fixture->hv.memory);
    arena_free(fixture->hv.arena);
    return 0;
}

static void nodes_follow_each_other_in_whole_large_pages(void **state)
{
    struct fixture *f = *state;
    spa_t first;
    uint64_t pages;

    assert_int_equal(memory_total_bytes(f->hv.memory), 80 * MIB);
    assert_int_equal(memory_node_of(f->hv.memory, spa(0)), 0);
    assert_int_equal(memory_node_of(f->hv.memory, spa(64 * MIB - 1)), 0);
    assert_int_equal(memory_node_of(f->hv.memory, spa(64 * MIB)), 1);
    memory_root_range(f->hv.memory, 1, &first, &pages);
    assert_int_equal(first.raw, 64 * MIB);
    assert_true(pages * PAGE_BYTES < 16 * MIB);
    assert_int_equal(pages % 512, 0);
}

static void own_pages_are_never_the_roots(void **state)
{
    struct fixture *f = *state;
    uint64_t taken = 0;
    spa_t page;

    while (memory_take_own(f->hv.memory, &page)) {
        spa_t first;
        uint64_t pages;

        memory_root_range(f->hv.memory, memory_node_of(f->hv.memory, page),
                          &first, &pages);
        assert_true(page.raw >= first.raw + pages * PAGE_BYTES);
        assert_int_equal(memory_pool_deposit(&f->hv, f->pool, page),
                         HV_STATUS_OBJECT_IN_USE);
        taken++;
    }
    /* Tables for 80 MiB by 4 KiB are 40 pages and a few more. */
    assert_true(taken >= 40 + 8);
}

static void absurd_nodes_are_refused_with_a_message(void **state)
{
    static const struct {
        struct hv_node_config node;
        uint32_t count;
    } cases[] = {
        {{.memory_bytes = 0}, 1},
        {{.memory_bytes = 8 * MIB - 1}, 1},
        {{.memory_bytes = MEMORY_NODE_BYTES_MAX + 1}, 1},
        {{.memory_bytes = UINT64_MAX}, 1},
        {{.memory_bytes = 64 * MIB}, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hv_memory *memory = NULL;
        struct sim_error error = {0};

        assert_int_equal(
            memory_create(&memory, &cases[i].node, cases[i].count, &error),
            SIM_BAD_SCENARIO);
        assert_null(memory);
        assert_true(error.message[0] != '\0');
    }
}

static void a_page_is_in_one_pool_at_most(void **state)
{
    struct fixture *f = *state;
    struct memory_pool *other = memory_pool_create();

    assert_int_equal(memory_pool_deposit(&f->hv, f->pool, spa(0x5000)),
                     HV_STATUS_SUCCESS);
    assert_int_equal(memory_pool_deposit(&f->hv, f->pool, spa(0x5000)),
                     HV_STATUS_OBJECT_IN_USE);
    assert_int_equal(memory_pool_deposit(&f->hv, other, spa(0x5000)),
                     HV_STATUS_OBJECT_IN_USE);
    assert_int_equal(memory_pool_available(f->pool), 1);
    assert_int_equal(memory_pool_available(other), 0);
    memory_pool_free(other);
}

static void a_page_taken_is_zero_whatever_was_in_it(void **state)
{
    struct fixture *f = *state;
    struct cost_bill bill = {0};
    struct hv_context context = {.hv = &f->hv, .bill = &bill};
    spa_t page;

    arena_store64(f->hv.arena, spa(0x7008), 0x1234);
    memory_pool_deposit(&f->hv, f->pool, spa(0x7000));
    f->hv.current = &context;
    assert_true(memory_pool_take(&f->hv, f->pool, &page));
    f->hv.current = NULL;
    assert_int_equal(page.raw, 0x7000);
    assert_int_equal(arena_load64(f->hv.arena, spa(0x7008)), 0);
    assert_int_equal(cost_count(&bill, COST_PAGE_CLEAR), 1);
    assert_int_equal(memory_pool_available(f->pool), 0);
    assert_int_equal(memory_pool_in_use(f->pool), 1);
    assert_false(memory_pool_take(&f->hv, f->pool, &page));
}

static void a_page_withdrawn_carries_no_secrets(void **state)
{
    struct fixture *f = *state;
    spa_t page;

    memory_pool_deposit(&f->hv, f->pool, spa(0x7000));
    assert_true(memory_pool_take(&f->hv, f->pool, &page));
    arena_store64(f->hv.arena, page, 0xdead);
    memory_pool_give(f->pool, page);
    assert_true(memory_pool_withdraw(&f->hv, f->pool, &page));
    assert_int_equal(arena_load64(f->hv.arena, page), 0);
    assert_int_equal(page.raw, 0x7000);
    assert_false(memory_pool_withdraw(&f->hv, f->pool, &page));
    assert_int_equal(memory_pool_deposit(&f->hv, f->pool, page),
                     HV_STATUS_SUCCESS);
}

static void a_pool_holds_thousands_and_balances(void **state)
{
    struct fixture *f = *state;
    spa_t page;

    for (uint64_t i = 0; i < 4000; i++)
        assert_int_equal(
            memory_pool_deposit(&f->hv, f->pool, spa(i * PAGE_BYTES)),
            HV_STATUS_SUCCESS);
    for (unsigned i = 0; i < 1500; i++)
        assert_true(memory_pool_take(&f->hv, f->pool, &page));
    memory_pool_give(f->pool, page);
    assert_int_equal(memory_pool_available(f->pool), 2501);
    assert_int_equal(memory_pool_in_use(f->pool), 1499);
}

static void sharing_counts_small_and_large_mappings(void **state)
{
    struct hv_memory *memory = ((struct fixture *)*state)->hv.memory;

    memory_share(memory, spa(0x200000), true);
    assert_true(memory_is_shared(memory, spa(0x3ff000)));
    assert_false(memory_is_shared(memory, spa(0x400000)));
    memory_share(memory, spa(0x201000), false);
    memory_share(memory, spa(0x201000), false);
    memory_unshare(memory, spa(0x200000), true);
    assert_false(memory_is_shared(memory, spa(0x200000)));
    memory_unshare(memory, spa(0x201000), false);
    assert_true(memory_is_shared(memory, spa(0x201000)));
    memory_unshare(memory, spa(0x201000), false);
    assert_false(memory_is_shared(memory, spa(0x201000)));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(nodes_follow_each_other_in_whole_large_pages),
        T(own_pages_are_never_the_roots),
        T(absurd_nodes_are_refused_with_a_message),
        T(a_page_is_in_one_pool_at_most),
        T(a_page_taken_is_zero_whatever_was_in_it),
        T(a_page_withdrawn_carries_no_secrets),
        T(a_pool_holds_thousands_and_balances),
        T(sharing_counts_small_and_large_mappings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
