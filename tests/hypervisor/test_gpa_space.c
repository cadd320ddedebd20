/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/memory.h"
#include "sim/core/rng.h"
#include "tests/hypervisor/fake_engine.h"
#include "tests/hypervisor/small_host.h"

#define LARGE GPA_LARGE_BYTES

/** A child with a VP, whose GPA space the tests work on. */
struct fixture {
    struct small_host host;
    struct hv_partition *child;
    struct gpa_space *space;
    struct engine *engine;
};

static int setup(void **state)
{
    static struct fixture f;

    small_host_create(&f.host);
    f.child = small_host_child_with_vp(&f.host);
    f.space = &f.child->gpa;
    f.engine = f.child->vps[0]->engine;
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    small_host_destroy(&((struct fixture *)*state)->host);
    return 0;
}

static uint64_t lookup(const struct gpa_space *space, uint64_t at)
{
    bool writable;
    spa_t page;

    return gpa_space_lookup(space, gpa(at), &page, &writable) ? page.raw
                                                              : UINT64_MAX;
}

static void map(struct fixture *f, uint64_t at, uint64_t to, bool large,
                uint32_t rights)
{
    assert_int_equal(gpa_space_map(f->space, gpa(at), spa(to), large, rights),
                     HV_STATUS_SUCCESS);
}

static void the_processor_walks_what_was_mapped(void **state)
{
    struct fixture *f = *state;
    struct slat_translation page;

    map(f, 0x7fffffff000, 0x12000, false, GPA_MAP_READ);
    assert_true(slat_translate(f->host.hv->arena, f->space->root,
                               gpa(0x7fffffff123), true, &page));
    assert_int_equal(page.spa.raw, 0x12123);
    assert_int_equal(page.references, 4);
    assert_false(page.writable);
    assert_false(page.executable);

    map(f, 4 * LARGE, LARGE, true, GPA_MAP_ALL);
    assert_true(slat_translate(f->host.hv->arena, f->space->root,
                               gpa(4 * LARGE + 0x12345), false, &page));
    assert_int_equal(page.spa.raw, LARGE + 0x12345);
    assert_int_equal(page.references, 3);
    assert_true(page.writable && page.executable);
    assert_int_equal(f->space->pages_4k, 1);
    assert_int_equal(f->space->pages_2m, 1);
}

static void either_execute_right_lets_code_run(void **state)
{
    struct fixture *f = *state;
    struct gpa_mapping mapping;

    map(f, 0x1000, 0x1000, false, GPA_MAP_READ | GPA_MAP_USER_EXECUTE);
    assert_true(gpa_space_find(f->space, gpa(0x1000), &mapping));
    assert_true(mapping.executable);
    map(f, 0x1000, 0x1000, false, GPA_MAP_READ | GPA_MAP_WRITE);
    assert_true(gpa_space_find(f->space, gpa(0x1000), &mapping));
    assert_false(mapping.executable);
    assert_true(mapping.writable);
}

static void addresses_out_of_place_are_refused(void **state)
{
    static const struct {
        uint64_t at, to;
        bool large;
    } cases[] = {
        {0x1001, 0x1000, false},
        {0x1000, 0x1001, false},
        {UINT64_C(1) << 48, 0x1000, false},
        {UINT64_MAX & ~PAGE_MASK, 0x1000, false},
        {0x1000, 0, true},
        {0, 0x1000, true},
        {UINT64_C(1) << 48, 0, true},
    };
    struct fixture *f = *state;
    bool writable;
    spa_t page;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(gpa_space_map(f->space, gpa(cases[i].at),
                                       spa(cases[i].to), cases[i].large,
                                       GPA_MAP_ALL),
                         HV_STATUS_INVALID_PARAMETER);
    assert_false(
        gpa_space_lookup(f->space, gpa(UINT64_C(1) << 48), &page, &writable));
    assert_false(gpa_space_lookup(f->space, gpa(UINT64_MAX), &page, &writable));
    assert_int_equal(f->space->pages_4k + f->space->pages_2m, 0);
}

static void unmapping_part_of_a_large_page_keeps_the_rest(void **state)
{
    struct fixture *f = *state;
    uint64_t in_use = memory_pool_in_use(f->child->pool);

    map(f, 2 * LARGE, LARGE, true, GPA_MAP_READ | GPA_MAP_WRITE);
    assert_int_equal(gpa_space_unmap(f->space, gpa(2 * LARGE + 0x5000), false),
                     HV_STATUS_SUCCESS);
    assert_int_equal(lookup(f->space, 2 * LARGE + 0x5000), UINT64_MAX);
    assert_int_equal(lookup(f->space, 2 * LARGE + 0x4fff), LARGE + 0x4fff);
    assert_int_equal(lookup(f->space, 3 * LARGE - 1), 2 * LARGE - 1);
    assert_int_equal(f->space->pages_2m, 0);
    assert_int_equal(f->space->pages_4k, 511);

    /* A large page over the pieces takes their table away again. */
    uint64_t with_table = memory_pool_in_use(f->child->pool);

    map(f, 2 * LARGE, LARGE, true, GPA_MAP_ALL);
    assert_int_equal(memory_pool_in_use(f->child->pool), with_table - 1);
    assert_int_equal(f->space->pages_2m, 1);
    assert_int_equal(f->space->pages_4k, 0);
    assert_true(in_use < with_table);
}

static void what_is_not_mapped_can_be_unmapped(void **state)
{
    struct fixture *f = *state;
    uint64_t in_use = memory_pool_in_use(f->child->pool);

    assert_int_equal(gpa_space_unmap(f->space, gpa(0x5000), false),
                     HV_STATUS_SUCCESS);
    assert_int_equal(gpa_space_unmap(f->space, gpa(9 * LARGE), true),
                     HV_STATUS_SUCCESS);
    assert_int_equal(memory_pool_in_use(f->child->pool), in_use);
    assert_int_equal(f->engine->flushes, 0);
}

static void an_empty_pool_says_so_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    spa_t page;

    map(f, 2 * LARGE, LARGE, true, GPA_MAP_ALL);
    while (memory_pool_take(f->host.hv, f->child->pool, &page))
        ;
    assert_int_equal(gpa_space_map(f->space, gpa(UINT64_C(1) << 40), spa(0),
                                   false, GPA_MAP_ALL),
                     HV_STATUS_INSUFFICIENT_MEMORY);
    assert_int_equal(gpa_space_unmap(f->space, gpa(2 * LARGE), false),
                     HV_STATUS_INSUFFICIENT_MEMORY);
    assert_int_equal(gpa_space_overlay(f->space, f, gpa(0x1000), true, &page),
                     HV_STATUS_INSUFFICIENT_MEMORY);
    assert_int_equal(lookup(f->space, 2 * LARGE), LARGE);
    assert_int_equal(lookup(f->space, UINT64_C(1) << 40), UINT64_MAX);

    memory_pool_give(f->child->pool, page); /* for the teardown's balance */
}

static void only_a_changed_translation_is_flushed(void **state)
{
    struct fixture *f = *state;

    map(f, 0x1000, 0x1000, false, GPA_MAP_ALL);
    assert_int_equal(f->engine->flushes, 0);
    map(f, 0x1000, 0x2000, false, GPA_MAP_ALL);
    assert_int_equal(f->engine->flushes, 1);
    assert_int_equal(gpa_space_unmap(f->space, gpa(0x1000), false),
                     HV_STATUS_SUCCESS);
    assert_int_equal(f->engine->flushes, 2);
}

static void an_overlay_hides_ram_until_it_goes(void **state)
{
    struct fixture *f = *state;
    struct gpa_mapping mapping;
    spa_t page;

    map(f, 0x3000, 0x9000, false, GPA_MAP_ALL);
    assert_int_equal(gpa_space_overlay(f->space, f, gpa(0x3fff), false, &page),
                     HV_STATUS_SUCCESS);
    assert_int_equal(lookup(f->space, 0x3010), page.raw + 0x10);
    assert_int_equal(arena_load64(f->host.hv->arena, page), 0);
    assert_true(gpa_space_find(f->space, gpa(0x3000), &mapping));
    assert_true(mapping.overlay && !mapping.writable && mapping.executable);
    assert_int_equal(f->space->pages_4k, 1);
    gpa_space_remove_overlay(f->space, f);
    assert_int_equal(lookup(f->space, 0x3010), 0x9010);
    assert_true(gpa_space_find(f->space, gpa(0x3000), &mapping));
    assert_false(mapping.overlay);
}

static void mapping_under_an_overlay_shows_when_it_goes(void **state)
{
    struct fixture *f = *state;
    spa_t page;

    assert_int_equal(gpa_space_overlay(f->space, f, gpa(0x3000), true, &page),
                     HV_STATUS_SUCCESS);
    map(f, 0x3000, 0x9000, false, GPA_MAP_ALL);
    assert_int_equal(lookup(f->space, 0x3000), page.raw);
    map(f, 0, LARGE, true, GPA_MAP_ALL); /* and large ones around it */
    assert_int_equal(lookup(f->space, 0x3000), page.raw);
    assert_int_equal(lookup(f->space, 0x4000), LARGE + 0x4000);
    assert_int_equal(f->space->pages_4k, 512);
    gpa_space_remove_overlay(f->space, f);
    assert_int_equal(lookup(f->space, 0x3000), LARGE + 0x3000);
    assert_int_equal(gpa_space_unmap(f->space, gpa(0), true),
                     HV_STATUS_SUCCESS);
    assert_int_equal(lookup(f->space, 0x3000), UINT64_MAX);
    assert_int_equal(f->space->pages_4k, 0);
}

static void overlays_stack_and_the_newest_shows(void **state)
{
    struct fixture *f = *state;
    int old_owner, new_owner;
    spa_t old_page, new_page;

    map(f, 0x3000, 0x9000, false, GPA_MAP_ALL);
    gpa_space_overlay(f->space, &old_owner, gpa(0x3000), true, &old_page);
    gpa_space_overlay(f->space, &new_owner, gpa(0x3000), true, &new_page);
    assert_int_equal(lookup(f->space, 0x3000), new_page.raw);
    gpa_space_remove_overlay(f->space, &old_owner);
    assert_int_equal(lookup(f->space, 0x3000), new_page.raw);
    gpa_space_remove_overlay(f->space, &new_owner);
    assert_int_equal(lookup(f->space, 0x3000), 0x9000);
}

static void an_owner_has_one_overlay_which_moves(void **state)
{
    struct fixture *f = *state;
    uint64_t in_use;
    spa_t page;

    map(f, 0x3000, 0x9000, false, GPA_MAP_ALL);
    gpa_space_overlay(f->space, f, gpa(0x3000), true, &page);
    in_use = memory_pool_in_use(f->child->pool);
    assert_int_equal(gpa_space_overlay(f->space, f, gpa(0x5000), true, &page),
                     HV_STATUS_SUCCESS);
    assert_int_equal(lookup(f->space, 0x3000), 0x9000);
    assert_int_equal(lookup(f->space, 0x5000), page.raw);
    assert_int_equal(memory_pool_in_use(f->child->pool), in_use);
    gpa_space_remove_overlay(f->space, f);
    gpa_space_remove_overlay(f->space, f);
    assert_int_equal(lookup(f->space, 0x5000), UINT64_MAX);
}

static void memory_is_read_and_written_across_pages(void **state)
{
    struct fixture *f = *state;
    struct guest_memory memory = gpa_space_memory(f->space);
    char text[] = "from one page into the next, which lies elsewhere";
    char back[sizeof(text)];

    map(f, 0x1000, 0x8000, false, GPA_MAP_ALL);
    map(f, 0x2000, 0x4000, false, GPA_MAP_ALL);
    assert_true(guest_memory_write(memory, gpa(0x1ff0), text, sizeof(text)));
    assert_true(guest_memory_read(memory, gpa(0x1ff0), back, sizeof(back)));
    assert_memory_equal(text, back, sizeof(text));
    arena_read(f->host.hv->arena, spa(0x4000), back, 8);
    assert_memory_equal(text + 16, back, 8);
}

static void a_write_is_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    struct guest_memory memory = gpa_space_memory(f->space);
    uint8_t ones[32];
    uint8_t back[32];

    memset(ones, 0xff, sizeof(ones));
    memset(back, 0x55, sizeof(back));
    map(f, 0x1000, 0x8000, false, GPA_MAP_ALL);
    map(f, 0x2000, 0x4000, false, GPA_MAP_READ);
    assert_false(guest_memory_write(memory, gpa(0x1ff0), ones, 32));
    assert_int_equal(arena_load64(f->host.hv->arena, spa(0x8ff0)), 0);
    assert_true(guest_memory_read(memory, gpa(0x1ff0), back, 32));
    assert_int_equal(back[0], 0);

    /* The page behind is not there at all: nothing is read either. */
    memset(back, 0x55, sizeof(back));
    assert_false(guest_memory_read(memory, gpa(0x2ff0), back, 32));
    assert_int_equal(back[0], 0x55);
    assert_false(guest_memory_read(memory, gpa(UINT64_MAX - 8), back, 32));
    assert_false(guest_memory_write(memory, gpa(UINT64_MAX - 8), ones, 32));
    assert_true(guest_memory_read(memory, gpa(0x2fff), back, 0));
}

static void a_write_marks_the_mapping_dirty(void **state)
{
    struct fixture *f = *state;
    struct slat_translation page;
    uint8_t byte = 1;

    map(f, 0x1000, 0x8000, false, GPA_MAP_ALL);
    slat_translate(f->host.hv->arena, f->space->root, gpa(0x1000), false,
                   &page);
    assert_false(page.dirty);
    assert_true(
        guest_memory_write(gpa_space_memory(f->space), gpa(0x1000), &byte, 1));
    slat_translate(f->host.hv->arena, f->space->root, gpa(0x1000), false,
                   &page);
    assert_true(page.dirty);
}

static void a_space_that_ends_gives_everything_back(void **state)
{
    struct fixture *f = *state;
    int owner;
    spa_t page;

    map(f, 0x1000, 0x8000, false, GPA_MAP_ALL);
    map(f, UINT64_C(0xffff) << 32, 0x8000, false, GPA_MAP_ALL);
    map(f, 8 * LARGE, LARGE, true, GPA_MAP_ALL);
    gpa_space_overlay(f->space, &owner, gpa(8 * LARGE), true, &page);
    assert_true(memory_is_shared(f->host.hv->memory, spa(0x8000)));
    gpa_space_fini(f->space);
    assert_int_equal(memory_pool_in_use(f->child->pool), 1); /* the VP's */
    assert_int_equal(f->space->pages_4k + f->space->pages_2m, 0);
    assert_false(memory_is_shared(f->host.hv->memory, spa(0x8000)));
    assert_false(memory_is_shared(f->host.hv->memory, spa(LARGE)));
    assert_int_equal(lookup(f->space, 0x1000), UINT64_MAX);
    gpa_space_fini(f->space);
}

/* A plain array is the model of 16 MiB of GPA space. */
#define LAW_PAGES 4096
#define LAW_STEPS 3000

static void law_step(struct fixture *f, struct rng *rng, uint64_t *model)
{
    uint64_t page = rng_below(rng, LAW_PAGES);
    bool large = rng_below(rng, 8) == 0;
    bool unmap = rng_below(rng, 3) == 0;
    uint64_t pages = large ? 512 : 1;
    uint64_t first = page & ~(pages - 1);
    uint64_t to = rng_below(rng, large ? 6 : 3072) * pages * PAGE_BYTES;
    enum hv_status status =
        unmap ? gpa_space_unmap(f->space, gpa(first << PAGE_SHIFT), large)
              : gpa_space_map(f->space, gpa(first << PAGE_SHIFT), spa(to),
                              large, GPA_MAP_ALL);

    assert_int_equal(status, HV_STATUS_SUCCESS);
    for (uint64_t i = 0; i < pages; i++)
        model[first + i] = unmap ? UINT64_MAX : to + i * PAGE_BYTES;
}

static void any_sequence_of_changes_agrees_with_a_plain_array(void **state)
{
    static uint64_t model[LAW_PAGES];
    struct fixture *f = *state;
    struct rng rng = rng_from_seed(5);
    uint64_t mapped = 0;

    memset(model, 0xff, sizeof(model));
    for (unsigned i = 0; i < LAW_STEPS; i++)
        law_step(f, &rng, model);
    for (uint64_t i = 0; i < LAW_PAGES; i++) {
        assert_int_equal(lookup(f->space, i << PAGE_SHIFT), model[i]);
        mapped += model[i] != UINT64_MAX;
    }
    assert_int_equal(f->space->pages_4k + 512 * f->space->pages_2m, mapped);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_processor_walks_what_was_mapped),
        T(either_execute_right_lets_code_run),
        T(addresses_out_of_place_are_refused),
        T(unmapping_part_of_a_large_page_keeps_the_rest),
        T(what_is_not_mapped_can_be_unmapped),
        T(an_empty_pool_says_so_and_changes_nothing),
        T(only_a_changed_translation_is_flushed),
        T(an_overlay_hides_ram_until_it_goes),
        T(mapping_under_an_overlay_shows_when_it_goes),
        T(overlays_stack_and_the_newest_shows),
        T(an_owner_has_one_overlay_which_moves),
        T(memory_is_read_and_written_across_pages),
        T(a_write_is_all_or_nothing),
        T(a_write_marks_the_mapping_dirty),
        T(a_space_that_ends_gives_everything_back),
        T(any_sequence_of_changes_agrees_with_a_plain_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
