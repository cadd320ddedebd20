/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The calls that move pages between partitions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/memory.h"
#include "tests/hypervisor/small_host.h"

#define REPS(n) ((uint64_t)(n) << HYPERCALL_REP_COUNT_SHIFT)
#define GONE UINT64_MAX /* what lookup() says of a GPA that is not mapped */

static uint64_t lookup(const struct hv_partition *partition, uint64_t page)
{
    bool writable;
    spa_t at;

    return gpa_space_lookup(&partition->gpa, gpa(page << PAGE_SHIFT), &at,
                            &writable)
               ? at.raw >> PAGE_SHIFT
               : GONE;
}

static uint64_t deposit(struct small_host *host, uint64_t id, uint64_t page)
{
    struct hv_input_deposit_memory input = {id};

    return hypercall_status(
        small_host_call(host, hypercall_rep(HVCALL_DEPOSIT_MEMORY, 1), &input,
                        sizeof(input), &page, sizeof(page)));
}

static uint64_t withdraw(struct small_host *host, uint64_t id, uint32_t count,
                         struct hv_proximity proximity)
{
    struct hv_input_withdraw_memory input = {id, proximity};

    return small_host_call(host, hypercall_rep(HVCALL_WITHDRAW_MEMORY, count),
                           &input, sizeof(input), NULL, 0);
}

static uint64_t map(struct small_host *host,
                    const struct hv_input_map_gpa_pages *input,
                    const uint64_t *pages, uint32_t count)
{
    return small_host_call(host, hypercall_rep(HVCALL_MAP_GPA_PAGES, count),
                           input, sizeof(*input), pages,
                           count * sizeof(pages[0]));
}

static uint64_t unmap(struct small_host *host, uint64_t id, uint64_t page,
                      uint32_t flags, uint32_t count)
{
    struct hv_input_unmap_gpa_pages input = {id, page, flags, 0};

    return small_host_call(host, hypercall_rep(HVCALL_UNMAP_GPA_PAGES, count),
                           &input, sizeof(input), NULL, 0);
}

static void a_deposited_page_leaves_its_owner(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child(host);

    assert_int_equal(lookup(host->hv->root, 0x600), 0x600);
    assert_int_equal(deposit(host, child->id.v, 0x600), HV_STATUS_SUCCESS);
    assert_int_equal(lookup(host->hv->root, 0x600), GONE);
    assert_int_equal(lookup(host->hv->root, 0x601), 0x601);
    assert_int_equal(memory_pool_available(child->pool), 1);
}

static void only_exclusive_ram_with_all_rights_can_be_deposited(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_active_child(host);
    struct hv_input_map_gpa_pages input = {
        .partition_id = child->id.v, .target_page = 0, .flags = GPA_MAP_READ};
    uint64_t shared = 0x700;
    spa_t overlay;

    map(host, &input, &shared, 1);
    gpa_space_map(&host->hv->root->gpa, gpa(0x701000), spa(0x701000), false,
                  GPA_MAP_READ);
    gpa_space_overlay(&host->hv->root->gpa, host, gpa(0x702000), true,
                      &overlay);

    const struct {
        const char *what;
        uint64_t id, page;
        uint16_t status;
    } cases[] = {
        {"shared with a child", child->id.v, 0x700, HV_STATUS_OPERATION_DENIED},
        {"read-only", child->id.v, 0x701, HV_STATUS_OPERATION_DENIED},
        {"under an overlay", child->id.v, 0x702, HV_STATUS_OBJECT_IN_USE},
        {"no page of the root", child->id.v, SMALL_HOST_NODE_BYTES >> 12,
         HV_STATUS_OPERATION_DENIED},
        {"no GPA", child->id.v, UINT64_C(1) << 36, HV_STATUS_OPERATION_DENIED},
        {"no number", child->id.v, UINT64_MAX, HV_STATUS_OPERATION_DENIED},
        {"no partition", 99, 0x710, HV_STATUS_INVALID_PARTITION_ID},
        {"a good page", child->id.v, 0x710, HV_STATUS_SUCCESS},
        {"the same again", child->id.v, 0x710, HV_STATUS_OPERATION_DENIED},
        {"its own pool", PARTITION_ID_SELF, 0x711, HV_STATUS_SUCCESS},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t status = deposit(host, cases[i].id, cases[i].page);

        if (status != cases[i].status)
            fail_msg("%s: %s", cases[i].what, hv_status_name((uint16_t)status));
    }
    gpa_space_remove_overlay(&host->hv->root->gpa, host);

    partition_finalize(&host->context, child);
    assert_int_equal(deposit(host, child->id.v, 0x712),
                     HV_STATUS_INVALID_PARTITION_STATE);
}

static void an_empty_root_pool_is_refilled_by_the_root_itself(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child(host);
    spa_t page;

    while (memory_pool_take(host->hv, host->hv->root->pool, &page))
        ;
    /* Taking a page out of 2 MiB needs a table. */
    assert_int_equal(deposit(host, child->id.v, 0x600),
                     HV_STATUS_INSUFFICIENT_ROOT_MEMORY);
    assert_int_equal(lookup(host->hv->root, 0x600), 0x600);
    assert_int_equal(deposit(host, PARTITION_ID_SELF, 0x600),
                     HV_STATUS_SUCCESS);
    assert_int_equal(lookup(host->hv->root, 0x600), GONE);
    assert_int_equal(deposit(host, child->id.v, 0x601), HV_STATUS_SUCCESS);
}

static void a_withdrawn_page_is_back_where_it_was_and_zero(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_active_child(host);
    struct hv_proximity anywhere = {0, 0};
    uint64_t available = memory_pool_available(child->pool);
    uint64_t numbers[3];
    uint64_t secret = 0x5ec4e7;
    uint64_t result;

    arena_store64(host->hv->arena, spa(0x7ff000), secret);
    assert_int_equal(deposit(host, child->id.v, 0x7ff), HV_STATUS_SUCCESS);
    result = withdraw(host, child->id.v, 1, anywhere);
    assert_int_equal(result, REPS(1));
    small_host_peek(host, SMALL_HOST_OUTPUT, numbers, 8);
    assert_int_equal(numbers[0], 0x7ff);
    assert_int_equal(lookup(host->hv->root, 0x7ff), 0x7ff);
    small_host_peek(host, 0x7ff000, &secret, 8);
    assert_int_equal(secret, 0);

    /* As many as there are, and then the reason. */
    result = withdraw(host, child->id.v, 500, anywhere);
    assert_int_equal(hypercall_status(result), HV_STATUS_NO_RESOURCES);
    assert_int_equal(hypercall_reps_done(result), available);
    assert_int_equal(memory_pool_available(child->pool), 0);
}

static void withdrawing_is_checked(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *fresh = small_host_child(host);
    struct hv_partition *child = small_host_active_child(host);
    const struct {
        uint64_t id;
        struct hv_proximity proximity;
        uint16_t status;
    } cases[] = {
        {99, {0, 0}, HV_STATUS_INVALID_PARTITION_ID},
        {fresh->id.v, {0, 0}, HV_STATUS_INVALID_PARTITION_STATE},
        {child->id.v, {0, 4}, HV_STATUS_INVALID_PARAMETER},
        {child->id.v,
         {7, HV_PROXIMITY_VALID},
         HV_STATUS_INVALID_PROXIMITY_DOMAIN_INFO},
        {child->id.v, {0, HV_PROXIMITY_VALID}, HV_STATUS_SUCCESS},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(hypercall_status(withdraw(host, cases[i].id, 1,
                                                   cases[i].proximity)),
                         cases[i].status);

    /* A child must not get at what its parent has deposited for it. */
    child->privileges = PRIVILEGES_KNOWN;
    child->guest_os_id = 1;
    partition_add_vp(&host->context, child, (vp_index_t){0}, 0);

    struct hypercall call = {
        .memory = gpa_space_memory(&host->hv->root->gpa),
        .control = hypercall_rep(HVCALL_WITHDRAW_MEMORY, 1),
        .input = gpa(SMALL_HOST_INPUT),
        .output = gpa(SMALL_HOST_OUTPUT),
    };
    uint64_t input[2] = {PARTITION_ID_SELF, 0};

    small_host_poke(host, SMALL_HOST_INPUT, input, sizeof(input));
    host->context.vp = child->vps[0];
    hypercall_dispatch(&host->context, &call);
    host->context.vp = host->root_vp;
    assert_int_equal(call.result, HV_STATUS_ACCESS_DENIED);
}

static void the_balance_counts_free_and_used_pages(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_active_child(host);
    struct hv_input_get_memory_balance input = {child->id.v, {0, 0}};
    struct hv_output_get_memory_balance balance;

    assert_int_equal(small_host_call(host, HVCALL_GET_MEMORY_BALANCE, &input,
                                     sizeof(input), NULL, 0),
                     HV_STATUS_SUCCESS);
    small_host_peek(host, SMALL_HOST_OUTPUT, &balance, sizeof(balance));
    assert_int_equal(balance.pages_available, 31);
    assert_int_equal(balance.pages_in_use, 1);
    input.partition_id = 99;
    assert_int_equal(small_host_call(host, HVCALL_GET_MEMORY_BALANCE, &input,
                                     sizeof(input), NULL, 0),
                     HV_STATUS_INVALID_PARTITION_ID);
    input = (struct hv_input_get_memory_balance){child->id.v, {0, 8}};
    assert_int_equal(small_host_call(host, HVCALL_GET_MEMORY_BALANCE, &input,
                                     sizeof(input), NULL, 0),
                     HV_STATUS_INVALID_PARAMETER);
}

static void pages_are_mapped_one_after_the_other(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_active_child(host);
    struct hv_input_map_gpa_pages input = {.partition_id = child->id.v,
                                           .target_page = 0x1fe,
                                           .flags = GPA_MAP_ALL};
    uint64_t pages[300];

    for (unsigned i = 0; i < 300; i++)
        pages[i] = 0x400 + 2 * i; /* whole 2 MiB and more, in no order */
    assert_int_equal(map(host, &input, pages, 300), REPS(300));
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(lookup(child, 0x1fe + i), 0x400 + 2 * i);
    assert_int_equal(cost_count(&host->bill, COST_GPA_MAP_PAGE), 300 + 32);
    assert_int_equal(unmap(host, child->id.v, 0x1ff, 0, 299), REPS(299));
    assert_int_equal(lookup(child, 0x1fe), 0x400);
    assert_int_equal(child->gpa.pages_4k, 1);
}

static void mapping_is_checked(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_active_child(host);
    struct hv_partition *fresh = small_host_child(host);
    uint64_t id = child->id.v;
    uint64_t top = (UINT64_C(1) << 36) - 1;
    uint32_t large = HV_MAP_GPA_LARGE_PAGE;
    const struct {
        const char *what;
        struct hv_input_map_gpa_pages input;
        uint64_t source;
        uint16_t status;
    } cases[] = {
        {"active only",
         {fresh->id.v, 0, 1, 0},
         0x600,
         HV_STATUS_INVALID_PARTITION_STATE},
        {"padding", {id, 0, 1, 1}, 0x600, HV_STATUS_INVALID_PARAMETER},
        {"an unknown flag",
         {id, 0, 0x11, 0},
         0x600,
         HV_STATUS_INVALID_PARAMETER},
        {"write only", {id, 0, 2, 0}, 0x600, HV_STATUS_INVALID_PARAMETER},
        {"execute only", {id, 0, 0xc, 0}, 0x600, HV_STATUS_INVALID_PARAMETER},
        {"access and none",
         {id, 0, 0x10001, 0},
         0x600,
         HV_STATUS_INVALID_PARAMETER},
        {"the last page", {id, top, 1, 0}, 0x600, HV_STATUS_SUCCESS},
        {"past the end",
         {id, top + 1, 1, 0},
         0x600,
         HV_STATUS_INVALID_PARAMETER},
        {"far past the end",
         {id, UINT64_MAX, 1, 0},
         0x600,
         HV_STATUS_INVALID_PARAMETER},
        {"a source that is not there",
         {id, 0, 1, 0},
         0x2000,
         HV_STATUS_OPERATION_DENIED},
        {"a source out of the space",
         {id, 0, 1, 0},
         UINT64_MAX,
         HV_STATUS_OPERATION_DENIED},
        {"large, target unaligned",
         {id, 1, large | 1, 0},
         0x600,
         HV_STATUS_INVALID_PARAMETER},
        {"large, source unaligned",
         {id, 0x200, large | 1, 0},
         0x601,
         HV_STATUS_INVALID_PARAMETER},
        {"large, target out",
         {id, top + 1, large | 1, 0},
         0x600,
         HV_STATUS_INVALID_PARAMETER},
        {"large, source not there",
         {id, 0x200, large | 1, 0},
         0x4000,
         HV_STATUS_OPERATION_DENIED},
        {"large", {id, 0x200, large | 15, 0}, 0x600, HV_STATUS_SUCCESS},
        {"no access", {id, 0x200, 0x10000, 0}, 0, HV_STATUS_SUCCESS},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t result = map(host, &cases[i].input, &cases[i].source, 1);

        if (hypercall_status(result) != cases[i].status)
            fail_msg("%s: %s", cases[i].what,
                     hv_status_name(hypercall_status(result)));
        assert_int_equal(hypercall_reps_done(result),
                         cases[i].status == HV_STATUS_SUCCESS);
    }
    assert_int_equal(lookup(child, 0x200), GONE);
    assert_int_equal(lookup(child, 0x201), 0x601);
    assert_int_equal(lookup(child, top), 0x600);
}

static void nobody_gives_rights_that_he_has_not(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_active_child(host);
    struct hv_input_map_gpa_pages input = {.partition_id = child->id.v,
                                           .flags = 3};
    uint64_t page = 0x701;

    gpa_space_map(&host->hv->root->gpa, gpa(0x701000), spa(0x701000), false,
                  GPA_MAP_READ);
    assert_int_equal(map(host, &input, &page, 1), HV_STATUS_OPERATION_DENIED);
    input.flags = 5;
    assert_int_equal(map(host, &input, &page, 1), HV_STATUS_OPERATION_DENIED);
    input.flags = 1;
    assert_int_equal(map(host, &input, &page, 1), REPS(1));
}

static void large_pages_come_in_one_piece(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_active_child(host);
    struct hv_input_map_gpa_pages input = {
        .partition_id = child->id.v,
        .target_page = 0x10000,
        .flags = HV_MAP_GPA_LARGE_PAGE | GPA_MAP_ALL,
    };
    uint64_t pages[] = {0x600, 0xa00};

    assert_int_equal(map(host, &input, pages, 2), REPS(2));
    assert_int_equal(child->gpa.pages_2m, 2);
    assert_int_equal(lookup(child, 0x10000 + 0x3ff), 0xa00 + 0x1ff);
    assert_int_equal(unmap(host, child->id.v, 0x10000, 2, 2), REPS(2));
    assert_int_equal(child->gpa.pages_2m, 0);

    /* Small pages of the root that lie side by side will do, */
    gpa_space_unmap(&host->hv->root->gpa, gpa(0x605000), false);
    gpa_space_map(&host->hv->root->gpa, gpa(0x605000), spa(0x605000), false,
                  GPA_MAP_ALL);
    assert_int_equal(map(host, &input, pages, 1), REPS(1));
    /* but not with a hole, or with a page from elsewhere. */
    gpa_space_unmap(&host->hv->root->gpa, gpa(0x605000), false);
    assert_int_equal(map(host, &input, pages, 1), HV_STATUS_OPERATION_DENIED);
    gpa_space_map(&host->hv->root->gpa, gpa(0x605000), spa(0x604000), false,
                  GPA_MAP_ALL);
    assert_int_equal(map(host, &input, pages, 1), HV_STATUS_OPERATION_DENIED);
}

static void a_child_without_table_pages_says_so(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child(host);
    struct hv_input_map_gpa_pages input = {.partition_id = child->id.v,
                                           .flags = GPA_MAP_ALL};
    uint64_t pages[] = {0x700, 0x701, 0x702};

    small_host_deposit(host, child->id.v, 0x600, 4);
    partition_initialize(&host->context, child);
    input.target_page = 0x1fe; /* the third page needs a fifth table */
    assert_int_equal(map(host, &input, pages, 3),
                     HV_STATUS_INSUFFICIENT_MEMORY | REPS(2));
    small_host_deposit(host, child->id.v, 0x604, 1);

    /* The caller goes on where it was, as Linux does. */
    uint64_t result =
        small_host_call(host,
                        hypercall_rep(HVCALL_MAP_GPA_PAGES, 3) |
                            UINT64_C(2) << HYPERCALL_REP_START_SHIFT,
                        &input, sizeof(input), pages, sizeof(pages));

    assert_int_equal(result, REPS(3));
    assert_int_equal(lookup(child, 0x200), 0x702);
}

static void unmapping_is_checked(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_active_child(host);
    uint64_t id = child->id.v;
    uint64_t top = (UINT64_C(1) << 36) - 1;

    assert_int_equal(unmap(host, id, 0, 1, 1), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(unmap(host, id, 1, 2, 1), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(unmap(host, id, top, 0, 1), REPS(1));
    assert_int_equal(unmap(host, id, top, 0, 2),
                     HV_STATUS_INVALID_PARAMETER | REPS(1));
    assert_int_equal(unmap(host, id, UINT64_MAX, 0, 4095),
                     HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(unmap(host, id, 0, 0, 4095), REPS(4095));
    assert_int_equal(unmap(host, small_host_child(host)->id.v, 0, 0, 1),
                     HV_STATUS_INVALID_PARTITION_STATE);
}

static void sparse_pairs_are_mapped(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_active_child(host);
    struct hv_input_map_sparse_gpa_pages input = {.partition_id = child->id.v,
                                                  .flags = GPA_MAP_ALL};
    struct hv_gpa_pair pairs[] = {{5, 0x700}, {9, 0x701}, {5, 0x702}, {1, 1}};
    uint64_t control = hypercall_rep(HVCALL_MAP_SPARSE_GPA_PAGES, 4);

    pairs[3].target_page = UINT64_MAX;
    assert_int_equal(small_host_call(host, control, &input, sizeof(input),
                                     pairs, sizeof(pairs)),
                     HV_STATUS_INVALID_PARAMETER | REPS(3));
    assert_int_equal(lookup(child, 5), 0x702);
    assert_int_equal(lookup(child, 9), 0x701);
    assert_false(memory_is_shared(host->hv->memory, spa(0x700000)));
    input.flags = 2;
    assert_int_equal(small_host_call(host, control, &input, sizeof(input),
                                     pairs, sizeof(pairs)),
                     HV_STATUS_INVALID_PARAMETER);
}

#define T(name)                                                                \
    cmocka_unit_test_setup_teardown(name, small_host_setup, small_host_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_deposited_page_leaves_its_owner),
        T(only_exclusive_ram_with_all_rights_can_be_deposited),
        T(an_empty_root_pool_is_refilled_by_the_root_itself),
        T(a_withdrawn_page_is_back_where_it_was_and_zero),
        T(withdrawing_is_checked),
        T(the_balance_counts_free_and_used_pages),
        T(pages_are_mapped_one_after_the_other),
        T(mapping_is_checked),
        T(nobody_gives_rights_that_he_has_not),
        T(large_pages_come_in_one_piece),
        T(a_child_without_table_pages_says_so),
        T(unmapping_is_checked),
        T(sparse_pairs_are_mapped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
