/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/core/host_line.h"
#include "sim/core/host_pool.h"

#define MANY 1000u
#define BYTES 200u

/* Each is the object's own, all of it, while others come and go. */
static void objects_are_zero_and_apart(void **state)
{
    struct host_pool pool = host_pool(BYTES);
    static unsigned char *objects[MANY];
    static const unsigned char zero[BYTES];

    (void)state;
    for (unsigned turn = 0; turn < 3; turn++) {
        for (unsigned i = turn; i < MANY; i++) {
            objects[i] = host_pool_calloc(&pool);
            assert_non_null(objects[i]);
            assert_int_equal((uintptr_t)objects[i] % HOST_LINE_BYTES, 0);
            assert_memory_equal(objects[i], zero, BYTES);
            memset(objects[i], (int)(i % 255) + 1, BYTES);
        }
        for (unsigned i = 0; i < MANY; i++) {
            for (unsigned at = 0; at < BYTES; at++)
                assert_int_equal(objects[i][at], i % 255 + 1);
        }
        for (unsigned i = turn + 1; i < MANY; i++)
            host_pool_free(&pool, objects[i]);
    }
    host_pool_fini(&pool);
}

static void what_is_freed_is_had_again(void **state)
{
    struct host_pool pool = host_pool(BYTES);
    void *first = host_pool_calloc(&pool);
    void *second = host_pool_calloc(&pool);

    (void)state;
    host_pool_free(&pool, NULL);
    host_pool_free(&pool, first);
    assert_ptr_equal(host_pool_calloc(&pool), first);
    assert_ptr_not_equal(host_pool_calloc(&pool), second);
    host_pool_fini(&pool);
}

/* Those that follow each other begin in other sets of a cache, whatever power
 * of two it has of them. */
static void objects_are_an_odd_number_of_lines_apart(void **state)
{
    static const size_t sizes[] = {8, 64, 65, 128, 1024, 3264, 4096};

    (void)state;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct host_pool pool = host_pool(sizes[i]);
        const char *first = host_pool_calloc(&pool);
        const char *second = host_pool_calloc(&pool);
        size_t apart = (size_t)(second - first);

        assert_true(second > first && apart >= sizes[i]);
        assert_int_equal(apart % HOST_LINE_BYTES, 0);
        assert_int_equal(apart / HOST_LINE_BYTES % 2, 1);
        host_pool_fini(&pool);
    }
}

static void a_pool_that_nobody_used_is_empty(void **state)
{
    struct host_pool pool = host_pool(BYTES);

    (void)state;
    host_pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_zero_and_apart),
        cmocka_unit_test(what_is_freed_is_had_again),
        cmocka_unit_test(objects_are_an_odd_number_of_lines_apart),
        cmocka_unit_test(a_pool_that_nobody_used_is_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
