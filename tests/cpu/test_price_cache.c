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
    uint64_t key = near_key(near, pc, bytes);

    *near_slot(near, pc, bytes) =
        (struct near_price){.key = key, .subcycles = subcycles};
}

static bool has(const struct near_prices *near, uint64_t pc, uint32_t bytes)
{
    uint64_t key = near_key(near, pc, bytes);

    return near_slot(near, pc, bytes)->key == key;
}

static void a_key_tells_address_and_size(void **state)
{
    struct near_prices near;
    const uint64_t pc = UINT64_C(0xffffffff81234567);

    (void)state;
    assert_true(price_cache_near_init(&near));
    put(&near, pc, 17, 5);
    assert_true(has(&near, pc, 17));
    assert_false(has(&near, pc, 18));
    assert_false(has(&near, pc & 0xffffffff, 17));
    assert_int_equal(near_address(near_key(&near, pc, 17)), pc);
    assert_int_equal(near_bytes(near_key(&near, pc, 17)), 17);
    price_cache_near_free(&near);
}

/* However often: numbers of generations come round. */
static void an_expired_page_is_never_found_again(void **state)
{
    struct near_prices near;

    (void)state;
    assert_true(price_cache_near_init(&near));
    for (unsigned i = 0; i < 100; i++) {
        put(&near, 0x401000, 9, i);
        put(&near, 0x400ffc, 9, i); /* runs into the page */
        put(&near, 0x7f0000, 9, i);
        price_cache_near_expire(&near, 0x401000);
        assert_false(has(&near, 0x401000, 9));
        assert_false(has(&near, 0x400ffc, 9));
    }
    price_cache_near_free(&near);
}

static void many_misses_make_the_cache_larger(void **state)
{
    struct near_prices near;
    uint32_t shift;

    (void)state;
    assert_true(price_cache_near_init(&near));
    shift = near.index_shift;
    for (unsigned i = 0; i < 1000000; i++)
        price_cache_near_missed(&near);
    assert_true(near.index_shift < shift);
    assert_true(near.index_shift >= 64 - NEAR_INDEX_BITS_MAX);
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
    price_cache_near_loop(&near, near_slot(&near, pc, 23));
    assert_int_equal(near.loop_pc, pc);
    assert_int_equal(near_bytes(near.loop.key), 23);
    assert_int_equal(near.loop.subcycles, 7);
    price_cache_near_expire(&near, 0x401000);
    assert_int_equal(near.loop_pc, NEAR_NO_LOOP);
    assert_int_equal(near.loop.subcycles, 7); /* it may be under way */

    put(&near, pc, 23, 7);
    price_cache_near_loop(&near, near_slot(&near, pc, 23));
    price_cache_near_clear(&near);
    assert_int_equal(near.loop_pc, NEAR_NO_LOOP);
    price_cache_near_free(&near);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_tells_address_and_size),
        cmocka_unit_test(an_expired_page_is_never_found_again),
        cmocka_unit_test(many_misses_make_the_cache_larger),
        cmocka_unit_test(a_loop_is_forgotten_with_the_code_it_may_be),
        cmocka_unit_test(far_prices_answer_for_what_was_decoded_only),
        cmocka_unit_test(far_prices_survive_growth),
        cmocka_unit_test(content_is_known_by_all_of_its_bytes_and_its_mode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
