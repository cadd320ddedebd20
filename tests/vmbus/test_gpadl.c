/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vmbus/fake_guest.h"
#include "vmbus/gpadl.h"

struct world {
    struct fake_guest guest; /* its memory, and its bill */
    struct vmbus_gpadl_table *table;
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    fake_guest_setup(&world->guest);
    world->table = vmbus_gpadl_table_create(world->guest.guest_memory);
    assert_non_null(world->table);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    vmbus_gpadl_table_free(world->table);
    fake_guest_teardown(&world->guest);
    free(world);
    return 0;
}

/** A header that announces `total` bytes, with `bytes` of them. */
static enum vmbus_gpadl_state begin(struct world *world, uint32_t relid,
                                    uint32_t id, uint32_t total,
                                    const void *data, size_t bytes)
{
    struct vmbus_gpadl_header header = {
        .relid = relid,
        .gpadl_id = id,
        .range_bytes = (uint16_t)total,
        .range_count = 1,
    };

    return vmbus_gpadl_begin(world->table, &header, data, bytes);
}

static const uint64_t two_pages[] = {8192, 7, 9};

static void one_that_fits_its_header_is_ready_at_once(void **state)
{
    struct world *world = *state;

    assert_int_equal(begin(world, 3, 42, 24, two_pages, 24), VMBUS_GPADL_READY);
    const struct vmbus_gpadl *gpadl = vmbus_gpadl_find(world->table, 42);
    assert_int_equal(vmbus_gpadl_relid(gpadl), 3);
    assert_int_equal(vmbus_gpadl_bytes(gpadl), 8192);
    assert_true(vmbus_ranges_is_contiguous(vmbus_gpadl_ranges(gpadl)));
    assert_null(vmbus_gpadl_find(world->table, 42 + 256));
}

static void bodies_complete_it(void **state)
{
    struct world *world = *state;

    assert_int_equal(begin(world, 1, 5, 24, two_pages, 8),
                     VMBUS_GPADL_INCOMPLETE);
    struct vmbus_gpadl *gpadl = vmbus_gpadl_find(world->table, 5);
    assert_int_equal(vmbus_gpadl_state(gpadl), VMBUS_GPADL_INCOMPLETE);
    assert_null(vmbus_gpadl_ranges(gpadl));
    assert_int_equal(vmbus_gpadl_append(world->table, gpadl, two_pages + 1, 4),
                     VMBUS_GPADL_INCOMPLETE);
    /* The last message may be longer than what is missing. */
    uint8_t rest[64] = {0};
    memcpy(rest, (const uint8_t *)two_pages + 12, 12);
    assert_int_equal(vmbus_gpadl_append(world->table, gpadl, rest, 64),
                     VMBUS_GPADL_READY);
    assert_int_equal(vmbus_gpadl_bytes(gpadl), 8192);
}

static void one_that_makes_no_sense_is_not_kept(void **state)
{
    struct world *world = *state;
    const uint64_t no_bytes[] = {0, 7, 9};

    assert_int_equal(begin(world, 1, 5, 0, two_pages, 0), VMBUS_GPADL_REFUSED);
    assert_int_equal(begin(world, 1, 5, 24, no_bytes, 24), VMBUS_GPADL_REFUSED);
    assert_int_equal(begin(world, 1, 5, 20, two_pages, 24),
                     VMBUS_GPADL_REFUSED);
    assert_null(vmbus_gpadl_find(world->table, 5));
    /* Nor one that shows it only with its last body. */
    assert_int_equal(begin(world, 1, 5, 24, no_bytes, 8),
                     VMBUS_GPADL_INCOMPLETE);
    assert_int_equal(vmbus_gpadl_append(world->table,
                                        vmbus_gpadl_find(world->table, 5),
                                        no_bytes + 1, 16),
                     VMBUS_GPADL_REFUSED);
    assert_null(vmbus_gpadl_find(world->table, 5));
}

static void a_number_is_taken_until_it_is_dropped(void **state)
{
    struct world *world = *state;

    assert_int_equal(begin(world, 1, 5, 24, two_pages, 24), VMBUS_GPADL_READY);
    assert_int_equal(begin(world, 2, 5, 24, two_pages, 24),
                     VMBUS_GPADL_REFUSED);
    assert_int_equal(vmbus_gpadl_relid(vmbus_gpadl_find(world->table, 5)), 1);
    vmbus_gpadl_drop(world->table, vmbus_gpadl_find(world->table, 5));
    assert_int_equal(begin(world, 2, 5, 24, two_pages, 24), VMBUS_GPADL_READY);
}

static void a_channel_takes_its_own_with_it(void **state)
{
    struct world *world = *state;

    /* All in one bucket. */
    for (uint32_t i = 0; i < 6; i++)
        begin(world, 1 + i % 2, i * 256, 24, two_pages, 24);
    vmbus_gpadl_drop_channel(world->table, 2);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(vmbus_gpadl_find(world->table, i * 256) != NULL,
                         i % 2 == 0);
    vmbus_gpadl_drop_all(world->table);
    assert_null(vmbus_gpadl_find(world->table, 0));
}

static void a_flood_of_them_is_stemmed(void **state)
{
    struct world *world = *state;
    uint32_t id = 0;

    while (begin(world, 1, id, 24, two_pages, 24) == VMBUS_GPADL_READY)
        id++;
    assert_int_equal(id, VMBUS_GPADLS_MAX);
    vmbus_gpadl_drop(world->table, vmbus_gpadl_find(world->table, 0));
    assert_int_equal(begin(world, 1, id, 24, two_pages, 24), VMBUS_GPADL_READY);
}

static void a_flood_of_promises_is_stemmed(void **state)
{
    struct world *world = *state;
    uint32_t id = 0;

    while (begin(world, 1, id, 65528, two_pages, 8) == VMBUS_GPADL_INCOMPLETE)
        id++;
    assert_int_equal(id, VMBUS_GPADL_DESCRIPTION_BYTES_MAX / 65528);
    vmbus_gpadl_drop_all(world->table);
    assert_int_equal(begin(world, 1, id, 65528, two_pages, 8),
                     VMBUS_GPADL_INCOMPLETE);
}

static void what_it_names_is_read_and_written(void **state)
{
    struct world *world = *state;
    char text[6] = "";

    begin(world, 1, 5, 24, two_pages, 24);
    const struct vmbus_gpadl *gpadl = vmbus_gpadl_find(world->table, 5);
    assert_true(
        vmbus_gpadl_write(gpadl, &world->guest.context, 4093, "hello", 5));
    assert_memory_equal(world->guest.memory + 0x7ffd, "hel", 3);
    assert_memory_equal(world->guest.memory + 0x9000, "lo", 2);
    assert_true(vmbus_gpadl_read(gpadl, &world->guest.context, 4093, text, 5));
    assert_string_equal(text, "hello");
    assert_false(vmbus_gpadl_read(gpadl, &world->guest.context, 8190, text, 5));
}

static void copies_are_billed(void **state)
{
    struct world *world = *state;
    uint8_t bytes[130];

    begin(world, 1, 5, 24, two_pages, 24);
    vmbus_gpadl_read(vmbus_gpadl_find(world->table, 5), &world->guest.context,
                     0, bytes, sizeof(bytes));
    assert_int_equal(cost_count(&world->guest.bill, COST_VMBUS_COPY), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_that_fits_its_header_is_ready_at_once),
        TEST(bodies_complete_it),
        TEST(one_that_makes_no_sense_is_not_kept),
        TEST(a_number_is_taken_until_it_is_dropped),
        TEST(a_channel_takes_its_own_with_it),
        TEST(a_flood_of_them_is_stemmed),
        TEST(a_flood_of_promises_is_stemmed),
        TEST(what_it_names_is_read_and_written),
        TEST(copies_are_billed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
