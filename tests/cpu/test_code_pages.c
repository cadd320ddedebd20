/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/code_pages.h"

#define PAGES 64
#define PAGE(n) spa((uint64_t)(n) << PAGE_SHIFT)

/* What the table asked the engines to do. */
struct requests {
    unsigned blocks, mappings;
    uint16_t block_engine, mapping_engine, epoch;
    spa_t page;
};

static void forget_blocks(void *context, uint16_t engine, spa_t page)
{
    struct requests *r = context;

    r->blocks++;
    r->block_engine = engine;
    r->page = page;
}

static void forget_mappings(void *context, uint16_t engine, uint16_t epoch)
{
    struct requests *r = context;

    r->mappings++;
    r->mapping_engine = engine;
    r->epoch = epoch;
}

static const struct code_pages_ops ops = {
    .forget_blocks = forget_blocks,
    .forget_mappings = forget_mappings,
};

static struct code_pages *open_table(struct requests *r)
{
    struct code_pages *code = code_pages_create(PAGES * PAGE_BYTES);

    memset(r, 0, sizeof(*r));
    assert_non_null(code);
    code_pages_attach(code, &ops, r);
    return code;
}

static spa_t fetch(struct code_pages *code, spa_t page, uint16_t engine,
                   uint16_t epoch)
{
    code_pages_to_code(code, page);
    return code_pages_map_executable(code, page, engine, epoch);
}

static void a_page_is_never_writable_and_executable(void **state)
{
    struct requests r;
    struct code_pages *code = open_table(&r);

    (void)state;
    assert_true(code_pages_map_writable(code, PAGE(3), 1, 7));
    assert_int_equal(fetch(code, PAGE(3), 2, 9).raw, PAGE(3).raw);
    assert_int_equal(r.mappings, 1);
    assert_int_equal(r.mapping_engine, 1);
    assert_int_equal(r.epoch, 7);
    assert_false(code_pages_map_writable(code, PAGE(3), 1, 8));
    code_pages_to_data(code, PAGE(3));
    assert_int_equal(r.blocks, 1);
    assert_int_equal(r.block_engine, 2);
    assert_int_equal(r.mapping_engine, 2);
    assert_int_equal(r.epoch, 9);
    assert_true(code_pages_map_writable(code, PAGE(3), 1, 8));
    code_pages_free(code);
}

static void two_executors_are_everybody(void **state)
{
    struct requests r;
    struct code_pages *code = open_table(&r);

    (void)state;
    fetch(code, PAGE(5), 1, 1);
    fetch(code, PAGE(5), 4, 1);
    code_pages_to_data(code, PAGE(5));
    assert_int_equal(r.block_engine, CODE_PAGES_EVERYBODY);
    assert_int_equal(r.mapping_engine, CODE_PAGES_EVERYBODY);
    code_pages_free(code);
}

static void a_store_from_outside_touches_code_pages_alone(void **state)
{
    struct requests r;
    struct code_pages *code = open_table(&r);
    uint32_t version = code_pages_version(code, PAGE(8));

    (void)state;
    fetch(code, PAGE(8), 1, 1);
    code_pages_before_store(code, spa(PAGE(9).raw), 3 * PAGE_BYTES);
    assert_int_equal(r.blocks, 0);
    assert_int_equal(code_pages_version(code, PAGE(8)), version);
    code_pages_before_store(code, spa(PAGE(8).raw - 4), 8);
    assert_int_equal(r.blocks, 1);
    assert_false(code_pages_is_code(code, PAGE(8)));
    assert_int_not_equal(code_pages_version(code, PAGE(8)), version);
    code_pages_free(code);
}

static void traps_live_in_a_copy_that_goes_with_the_code(void **state)
{
    struct requests r;
    struct code_pages *code = open_table(&r);
    uint8_t bytes[PAGE_BYTES];
    spa_t from;
    const uint8_t *copy;

    (void)state;
    memset(bytes, 0x90, sizeof(bytes));
    fetch(code, PAGE(2), 1, 1);
    assert_true(code_pages_trap(code, spa(PAGE(2).raw + 100), bytes));
    from = fetch(code, PAGE(2), 1, 2);
    assert_int_not_equal(from.raw, PAGE(2).raw);
    copy =
        (const uint8_t *)code_pages_copies(code) + (from.raw - CODE_COPIES_SPA);
    assert_int_equal(copy[100], 0xcc);
    assert_int_equal(copy[99], 0x90);
    assert_int_equal(bytes[100], 0x90);
    assert_true(code_pages_is_trap(code, spa(PAGE(2).raw + 100)));
    assert_false(code_pages_is_trap(code, spa(PAGE(2).raw + 101)));
    code_pages_to_data(code, PAGE(2));
    assert_false(code_pages_has_traps(code, PAGE(2)));
    assert_int_equal(fetch(code, PAGE(2), 1, 3).raw, PAGE(2).raw);
    code_pages_free(code);
}

static void copies_are_used_again(void **state)
{
    struct requests r;
    struct code_pages *code = open_table(&r);
    uint8_t bytes[PAGE_BYTES] = {0};

    (void)state;
    for (unsigned i = 0; i < 2 * (CODE_COPIES_BYTES >> PAGE_SHIFT); i++) {
        fetch(code, PAGE(2), 1, 1);
        assert_true(code_pages_trap(code, spa(PAGE(2).raw + i % 4096), bytes));
        assert_true(code_pages_is_trap(code, spa(PAGE(2).raw + i % 4096)));
        code_pages_to_data(code, PAGE(2));
    }
    code_pages_free(code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_is_never_writable_and_executable),
        cmocka_unit_test(two_executors_are_everybody),
        cmocka_unit_test(a_store_from_outside_touches_code_pages_alone),
        cmocka_unit_test(traps_live_in_a_copy_that_goes_with_the_code),
        cmocka_unit_test(copies_are_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
