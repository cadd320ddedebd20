/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/core/types.h"
#include "vmbus/ranges.h"

/* Memory of which each byte tells its page, and in which only some pages are:
 * page numbers from 0, of which 5 is missing. */
#define PAGES 8
#define MISSING 5

struct world {
    uint8_t bytes[PAGES * 4096];
    struct guest_memory memory;
};

static bool is_there(gpa_t at, size_t bytes)
{
    return at.raw + bytes <= PAGES * PAGE_BYTES &&
           at.raw >> PAGE_SHIFT != MISSING;
}

static bool world_read(void *context, gpa_t from, void *to, size_t bytes)
{
    const struct world *world = context;

    if (!is_there(from, bytes))
        return false;
    memcpy(to, world->bytes + from.raw, bytes);
    return true;
}

static bool world_write(void *context, gpa_t to, const void *from, size_t bytes)
{
    struct world *world = context;

    if (!is_there(to, bytes))
        return false;
    memcpy(world->bytes + to.raw, from, bytes);
    return true;
}

static const struct guest_memory_ops world_ops = {world_read, world_write};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    for (size_t i = 0; i < sizeof(world->bytes); i++)
        world->bytes[i] = (uint8_t)(i >> 12);
    world->memory = (struct guest_memory){&world_ops, world};
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static uint64_t range(uint32_t bytes, uint32_t offset)
{
    return (uint64_t)offset << 32 | bytes;
}

#define PARSE(count, ...)                                                      \
    vmbus_ranges_parse((const uint64_t[]){__VA_ARGS__},                        \
                       sizeof((const uint64_t[]){__VA_ARGS__}), count)

static void a_range_has_pages_for_all_its_bytes(void **state)
{
    struct vmbus_ranges *ranges = PARSE(1, range(8192, 1), 2, 3, 4);

    (void)state;
    assert_non_null(ranges);
    assert_int_equal(vmbus_ranges_bytes(ranges), 8192);
    assert_int_equal(vmbus_ranges_count(ranges), 1);
    assert_false(vmbus_ranges_is_contiguous(ranges));
    vmbus_ranges_free(ranges);
    assert_null(PARSE(1, range(8192, 1), 2, 3));
    assert_null(PARSE(1, range(8192, 0), 2, 3, 4));
}

static void what_is_no_range_is_refused(void **state)
{
    (void)state;
    assert_null(PARSE(1, range(0, 0)));
    assert_null(PARSE(1, range(0, 0), 1));
    assert_null(PARSE(0, range(4096, 0), 1));
    assert_null(PARSE(2, range(4096, 0), 1));
    assert_null(PARSE(1, range(1, 4096), 1, 2));
    assert_null(PARSE(1, range(UINT32_MAX, 4095), 1));
    assert_null(PARSE(1, range(4096, 0), UINT64_MAX));
    assert_null(PARSE(1, range(4096, 0), UINT64_C(1) << 52));
    assert_null(vmbus_ranges_parse((const uint64_t[]){1, 1}, 15, 1));
    assert_null(vmbus_ranges_parse(NULL, 0, 0));
    assert_null(vmbus_ranges_parse(NULL, 0, UINT32_MAX));
}

static void whole_pages_in_one_range_are_contiguous(void **state)
{
    struct vmbus_ranges *one = PARSE(1, range(8192, 0), 2, 3);
    struct vmbus_ranges *two = PARSE(2, range(4096, 0), 2, range(4096, 0), 3);

    (void)state;
    assert_true(vmbus_ranges_is_contiguous(one));
    assert_false(vmbus_ranges_is_contiguous(two));
    vmbus_ranges_free(one);
    vmbus_ranges_free(two);
}

static void offsets_count_through_all_ranges(void **state)
{
    struct world *world = *state;
    struct vmbus_ranges *ranges =
        PARSE(3, range(16, 4088), 7, 2, range(1, 0), 3, range(5000, 100), 4, 6);
    uint8_t bytes[5017];

    assert_true(vmbus_ranges_read(ranges, world->memory, 0, bytes, 5017));
    assert_int_equal(bytes[7], 7);
    assert_int_equal(bytes[8], 2);
    assert_int_equal(bytes[15], 2);
    assert_int_equal(bytes[16], 3);
    assert_int_equal(bytes[17], 4);
    assert_int_equal(bytes[17 + 3995], 4);
    assert_int_equal(bytes[17 + 3996], 6);
    assert_int_equal(bytes[5016], 6);
    assert_true(vmbus_ranges_read(ranges, world->memory, 4000, bytes, 14));
    assert_memory_equal(bytes, "\4\4\4\4\4\4\4\4\4\4\4\4\4\6", 14);

    assert_true(vmbus_ranges_write(ranges, world->memory, 14, "abcd", 4));
    assert_memory_equal(world->bytes + 0x2006, "ab\2", 3);
    assert_memory_equal(world->bytes + 0x3000, "c\3", 2);
    assert_memory_equal(world->bytes + 0x4063, "\4d\4", 3);
    vmbus_ranges_free(ranges);
}

static void nothing_lies_behind_the_ranges(void **state)
{
    struct world *world = *state;
    struct vmbus_ranges *ranges = PARSE(1, range(4096, 0), 1);
    uint8_t bytes[2] = {0xaa, 0xaa};

    assert_true(vmbus_ranges_read(ranges, world->memory, 4095, bytes, 1));
    assert_true(vmbus_ranges_read(ranges, world->memory, 4096, bytes, 0));
    assert_false(vmbus_ranges_read(ranges, world->memory, 4095, bytes, 2));
    assert_false(vmbus_ranges_read(ranges, world->memory, 4097, bytes, 0));
    assert_false(
        vmbus_ranges_read(ranges, world->memory, UINT64_MAX, bytes, 1));
    assert_false(vmbus_ranges_read(ranges, world->memory, 1, bytes, SIZE_MAX));
    assert_int_equal(bytes[1], 0xaa);
    vmbus_ranges_free(ranges);
}

static void a_page_that_is_not_there_shows_when_it_is_touched(void **state)
{
    struct world *world = *state;
    struct vmbus_ranges *ranges = PARSE(1, range(8192, 0), 4, MISSING);
    uint8_t bytes[8192];

    assert_true(vmbus_ranges_read(ranges, world->memory, 0, bytes, 4096));
    assert_false(vmbus_ranges_read(ranges, world->memory, 0, bytes, 4097));
    assert_false(vmbus_ranges_write(ranges, world->memory, 4096, bytes, 1));
    vmbus_ranges_free(ranges);
}

static void a_copy_outlives_its_original(void **state)
{
    struct world *world = *state;
    struct vmbus_ranges *ranges = PARSE(1, range(4, 8), 3);
    struct vmbus_ranges *copy = vmbus_ranges_copy(ranges);
    uint8_t bytes[4];

    vmbus_ranges_free(ranges);
    assert_int_equal(vmbus_ranges_bytes(copy), 4);
    assert_true(vmbus_ranges_read(copy, world->memory, 0, bytes, 4));
    assert_memory_equal(bytes, "\3\3\3\3", 4);
    vmbus_ranges_free(copy);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_range_has_pages_for_all_its_bytes),
        TEST(what_is_no_range_is_refused),
        TEST(whole_pages_in_one_range_are_contiguous),
        TEST(offsets_count_through_all_ranges),
        TEST(nothing_lies_behind_the_ranges),
        TEST(a_page_that_is_not_there_shows_when_it_is_touched),
        TEST(a_copy_outlives_its_original),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
