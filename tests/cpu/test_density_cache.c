/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/code_density.h"
#include "cpu/density_cache.h"

#define PAGES 2000

/* NOPs and, in every third page, a line of PUSHFs. */
static void make_page(uint8_t page[PAGE_BYTES], unsigned number)
{
    memset(page, 0x90, PAGE_BYTES);
    if (number % 3 == 0)
        memset(page + 100, 0x9c, 600);
    memcpy(page + PAGE_BYTES - sizeof(number), &number, sizeof(number));
}

/* More pages than it has room for, each asked about several times. */
static void the_answer_is_always_that_page_s(void **state)
{
    struct density_cache *cache = density_cache_create();
    uint8_t page[PAGE_BYTES];

    (void)state;
    assert_non_null(cache);
    for (unsigned i = 0; i < 2 * PAGES; i++) {
        make_page(page, i / 2 % 2 ? i % 100 : i % PAGES);
        assert_int_equal(density_cache_ask(cache, page),
                         code_density_is_high(page));
    }
    density_cache_free(cache);
}

static void a_page_that_changes_is_another(void **state)
{
    struct density_cache *cache = density_cache_create();
    uint8_t page[PAGE_BYTES];

    (void)state;
    assert_non_null(cache);
    make_page(page, 1);
    assert_false(density_cache_ask(cache, page));
    memset(page + 100, 0x9c, 600);
    assert_true(density_cache_ask(cache, page));
    make_page(page, 1);
    assert_false(density_cache_ask(cache, page));
    density_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_is_always_that_page_s),
        cmocka_unit_test(a_page_that_changes_is_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
