/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cpu/price_cache.h"

static void put(struct near_prices *near, uint64_t pc, uint32_t bytes,
                uint32_t subcycles)
{
    *near_slot(near, pc) = (struct near_price){
        .pc = pc, .bytes = (uint16_t)bytes, .subcycles = subcycles};
}

static bool has(const struct near_prices *near, uint64_t pc, uint32_t bytes)
{
    return near_is(near_slot(near, pc), pc, bytes);
}

static void a_price_is_for_one_address_and_size(void **state)
{
    struct near_prices near;
    const uint64_t pc = UINT64_C(0xffffffff81234567);

    (void)state;
    assert_true(price_cache_near_init(&near));
    put(&near, pc, 17, 5);
    assert_true(has(&near, pc, 17));
    assert_false(has(&near, pc, 18));
    assert_false(has(&near, pc & 0xffffffff, 17));
    price_cache_near_free(&near);
}

/* Whether a block is still known after a page has expired. */
static bool survives(struct near_prices *near, uint64_t pc, uint32_t bytes,
                     uint64_t page)
{
    put(near, pc, bytes, 1);
    assert_true(has(near, pc, bytes));
    price_cache_near_expire(near, page);
    return has(near, pc, bytes);
}

static void an_expired_page_is_never_found_again(void **state)
{
    struct near_prices near;

    (void)state;
    assert_true(price_cache_near_init(&near));
    for (uint64_t page = 0x400000; page < 0x500000; page += PAGE_BYTES) {
        assert_false(survives(&near, page, 9, page));
        assert_false(survives(&near, page + 0xfff, 1, page));
        assert_false(survives(&near, page - 4, 9, page)); /* runs into it */
        assert_false(survives(&near, page - 0xfff, 0x1000, page));
        assert_true(survives(&near, page - 20, 20, page));
        assert_true(survives(&near, page + PAGE_BYTES, 9, page));
    }
    price_cache_near_free(&near);
}

static void the_first_and_the_last_page_expire(void **state)
{
    const uint64_t last = UINT64_MAX - PAGE_MASK;
    struct near_prices near;

    (void)state;
    assert_true(price_cache_near_init(&near));
    assert_false(survives(&near, last + 8, 9, last));
    assert_false(survives(&near, UINT64_MAX, 9, last));
    assert_true(survives(&near, 0, 9, last));
    assert_false(survives(&near, 0, 9, 0));
    price_cache_near_free(&near);
}

static void many_misses_make_the_cache_larger(void **state)
{
    struct near_prices near;
    uint32_t mask;

    (void)state;
    assert_true(price_cache_near_init(&near));
    mask = near.index_mask;
    for (unsigned i = 0; i < 1000000; i++)
        price_cache_near_missed(&near);
    assert_true(near.index_mask > mask);
    assert_true(near.index_mask < 1u << NEAR_INDEX_BITS_MAX);
    put(&near, 0x1000, 1, 1);
    assert_true(has(&near, 0x1000, 1));
    price_cache_near_free(&near);
}

static void far_prices_answer_for_what_was_decoded_only(void **state)
{
    struct far_prices *far = price_cache_far_create();
    struct far_key key = {.start = {0x1234}, .version = 1, .bytes = 20};
    struct block_price price = {.subcycles = 77, .instructions = 3};
    struct block_price found;

    (void)state;
    assert_non_null(far);
    price_cache_far_add(far, &key, &price);
    assert_true(price_cache_far_find(far, &key, &found));
    assert_int_equal(found.subcycles, 77);
    assert_int_equal(found.instructions, 3);
    key.version = 2;
    assert_false(price_cache_far_find(far, &key, &found));
    key.version = 1;
    key.mode = CODE_64;
    assert_false(price_cache_far_find(far, &key, &found));
    price_cache_far_free(far);
}

static void far_prices_survive_growth(void **state)
{
    struct far_prices *far = price_cache_far_create();
    unsigned kept = 0;

    (void)state;
    for (uint32_t i = 0; i < 20000; i++) {
        struct far_key key = {.start = {i * 7u}, .bytes = 5};
        struct block_price price = {.subcycles = i};

        price_cache_far_add(far, &key, &price);
    }
    for (uint32_t i = 0; i < 20000; i++) {
        struct far_key key = {.start = {i * 7u}, .bytes = 5};
        struct block_price price;

        if (!price_cache_far_find(far, &key, &price))
            continue;
        assert_int_equal(price.subcycles, i);
        kept++;
    }
    assert_true(kept > 10000);
    price_cache_far_free(far);
}

static void content_is_known_by_all_of_its_bytes_and_its_mode(void **state)
{
    struct far_prices *far = price_cache_far_create();
    const struct block_price price = {.subcycles = 77, .instructions = 3};
    struct block_price got = {0};
    uint8_t code[PRICE_CACHE_CONTENT_BYTES + 1];

    (void)state;
    for (uint32_t i = 0; i < sizeof(code); i++)
        code[i] = (uint8_t)i;
    for (uint32_t bytes = 1; bytes <= PRICE_CACHE_CONTENT_BYTES; bytes++) {
        price_cache_content_add(far, CODE_64, code, bytes, &price);
        assert_true(price_cache_content_find(far, CODE_64, code, bytes, &got));
        assert_int_equal(got.subcycles, 77);
        assert_int_equal(got.instructions, 3);
        assert_false(price_cache_content_find(far, CODE_32, code, bytes, &got));
        code[bytes - 1] ^= 1;
        assert_false(price_cache_content_find(far, CODE_64, code, bytes, &got));
        code[bytes - 1] ^= 1;
    }
    price_cache_content_add(far, CODE_64, code, sizeof(code), &price);
    assert_false(
        price_cache_content_find(far, CODE_64, code, sizeof(code), &got));
    price_cache_far_free(far);
}

static void a_loop_is_forgotten_with_the_code_it_may_be(void **state)
{
    struct near_prices near;
    const uint64_t pc = 0x401010;

    (void)state;
    assert_true(price_cache_near_init(&near));
    assert_int_equal(near.loop_pc, NEAR_NO_LOOP);
    put(&near, pc, 23, 7);
    price_cache_near_loop(&near, near_slot(&near, pc));
    assert_int_equal(near.loop_pc, pc);
    assert_int_equal(near.loop.bytes, 23);
    assert_int_equal(near.loop.subcycles, 7);
    price_cache_near_expire(&near, 0x401000);
    assert_int_equal(near.loop_pc, NEAR_NO_LOOP);
    assert_int_equal(near.loop.subcycles, 7); /* it may be under way */

    put(&near, pc, 23, 7);
    price_cache_near_loop(&near, near_slot(&near, pc));
    price_cache_near_clear(&near);
    assert_int_equal(near.loop_pc, NEAR_NO_LOOP);
    price_cache_near_free(&near);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_price_is_for_one_address_and_size),
        cmocka_unit_test(an_expired_page_is_never_found_again),
        cmocka_unit_test(the_first_and_the_last_page_expire),
        cmocka_unit_test(many_misses_make_the_cache_larger),
        cmocka_unit_test(a_loop_is_forgotten_with_the_code_it_may_be),
        cmocka_unit_test(far_prices_answer_for_what_was_decoded_only),
        cmocka_unit_test(far_prices_survive_growth),
        cmocka_unit_test(content_is_known_by_all_of_its_bytes_and_its_mode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
