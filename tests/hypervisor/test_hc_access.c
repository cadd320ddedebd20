/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The calls that look into a child's memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/hypervisor/fake_engine.h"
#include "tests/hypervisor/small_host.h"

#define PTE_P 0x1u
#define PTE_W 0x2u
#define PTE_U 0x4u
#define PTE_A 0x20u
#define PTE_D 0x40u
#define PTE_RESERVED (UINT64_C(1) << 51)
#define CPL3_SS_ATTRIBUTES 0xf3u

/* The child's GPAs: tables, and pages with all rights and fewer. */
#define PML4 0x1000u
#define PDPT 0x2000u
#define PD 0x3000u
#define PT 0x4000u
#define RAM 0x5000u
#define READ_ONLY 0x6000u
#define OVERLAY 0x7000u
#define NOTHING 0x9000u
#define CHILD_SPA 0x800000u /* where its RAM lies */

struct fixture {
    struct small_host host;
    struct hv_partition *child;
    struct engine *engine;
};

static void poke(struct fixture *f, uint64_t at, uint64_t value)
{
    arena_store64(f->host.hv->arena, spa(CHILD_SPA + at), value);
}

static uint64_t peek(struct fixture *f, uint64_t at)
{
    return arena_load64(f->host.hv->arena, spa(CHILD_SPA + at));
}

/* 4-level tables for the GVAs 0x0000 to 0x9fff, in which page n is GPA n. */
static void make_tables(struct fixture *f)
{
    poke(f, PML4, PDPT | PTE_P | PTE_W | PTE_U);
    poke(f, PDPT, PD | PTE_P | PTE_W | PTE_U);
    poke(f, PD, PT | PTE_P | PTE_W | PTE_U);
    poke(f, PT + 8 * 3, PTE_RESERVED | PD | PTE_P);
    poke(f, PT + 8 * 4, PT | PTE_P); /* supervisor, read-only */
    poke(f, PT + 8 * 5, RAM | PTE_P | PTE_W | PTE_U);
    poke(f, PT + 8 * 6, READ_ONLY | PTE_P | PTE_W | PTE_U);
    poke(f, PT + 8 * 7, OVERLAY | PTE_P | PTE_W | PTE_U);
    poke(f, PT + 8 * 9, NOTHING | PTE_P | PTE_W | PTE_U);
    f->engine->state.cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_ET;
    f->engine->state.cr3 = PML4;
    f->engine->state.cr4 = CR4_PAE;
    f->engine->state.efer = EFER_LME | EFER_LMA;
}

static int setup(void **state)
{
    static struct fixture f;
    spa_t overlay;

    small_host_create(&f.host);
    f.child = small_host_child_with_vp(&f.host);
    f.engine = f.child->vps[0]->engine;
    for (uint64_t at = 0; at < NOTHING; at += PAGE_BYTES)
        assert_int_equal(
            gpa_space_map(&f.child->gpa, gpa(at), spa(CHILD_SPA + at), false,
                          at == READ_ONLY ? GPA_MAP_READ : GPA_MAP_ALL),
            HV_STATUS_SUCCESS);
    assert_int_equal(
        gpa_space_overlay(&f.child->gpa, &f, gpa(OVERLAY), false, &overlay),
        HV_STATUS_SUCCESS);
    arena_store64(f.host.hv->arena, overlay, 0x0eeb);
    make_tables(&f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    gpa_space_remove_overlay(&f->child->gpa, f);
    small_host_destroy(&f->host);
    return 0;
}

static uint16_t call(struct fixture *f, enum hypercall_code code,
                     const void *input, size_t input_bytes, void *output,
                     size_t output_bytes)
{
    uint64_t result =
        small_host_call(&f->host, code, input, input_bytes, NULL, 0);

    small_host_peek(&f->host, SMALL_HOST_OUTPUT, output, output_bytes);
    return hypercall_status(result);
}

static struct hv_output_translate_gva translate(struct fixture *f, uint64_t at,
                                                uint64_t flags)
{
    struct hv_input_translate_gva input = {
        .partition_id = f->child->id.v,
        .flags = flags,
        .gva_page = at >> PAGE_SHIFT,
    };
    struct hv_output_translate_gva output;

    assert_int_equal(call(f, HVCALL_TRANSLATE_VIRTUAL_ADDRESS, &input,
                          sizeof(input), &output, sizeof(output)),
                     HV_STATUS_SUCCESS);
    return output;
}

static void addresses_are_translated_as_the_vp_would(void **state)
{
    static const struct {
        const char *what;
        uint64_t at;
        uint64_t flags;
        bool user;
        enum hv_translate_result result;
    } cases[] = {
        {"RAM", 0x5000, HV_TRANSLATE_READ, true, HV_TRANSLATE_SUCCESS},
        {"no access is a read", 0x5000, 0, true, HV_TRANSLATE_SUCCESS},
        {"all accesses", 0x5000, 7, true, HV_TRANSLATE_SUCCESS},
        {"no entry", 0x8000, HV_TRANSLATE_READ, false,
         HV_TRANSLATE_PAGE_NOT_PRESENT},
        {"no table", UINT64_C(1) << 40, HV_TRANSLATE_READ, false,
         HV_TRANSLATE_PAGE_NOT_PRESENT},
        {"not canonical", UINT64_C(1) << 47, HV_TRANSLATE_READ, false,
         HV_TRANSLATE_PAGE_NOT_PRESENT},
        {"reserved bits", 0x3000, HV_TRANSLATE_READ, false,
         HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS},
        {"supervisor's, to the kernel", 0x4000, HV_TRANSLATE_READ, false,
         HV_TRANSLATE_SUCCESS},
        {"supervisor's, to a user", 0x4000, HV_TRANSLATE_READ, true,
         HV_TRANSLATE_PRIVILEGE_VIOLATION},
        {"supervisor's, to a debugger", 0x4000,
         HV_TRANSLATE_READ | HV_TRANSLATE_PRIVILEGE_EXEMPT, true,
         HV_TRANSLATE_SUCCESS},
        {"a write to a read-only page", 0x4000, HV_TRANSLATE_WRITE, false,
         HV_TRANSLATE_PRIVILEGE_VIOLATION},
        {"no GPA", 0x9000, HV_TRANSLATE_READ, false, HV_TRANSLATE_GPA_UNMAPPED},
        {"a GPA that is read-only", 0x6000,
         HV_TRANSLATE_READ | HV_TRANSLATE_WRITE, false,
         HV_TRANSLATE_GPA_NO_WRITE_ACCESS},
        {"a GPA without code", 0x6000, HV_TRANSLATE_EXECUTE, false,
         HV_TRANSLATE_GPA_NO_READ_ACCESS},
        {"an overlay", 0x7000, HV_TRANSLATE_READ, false, HV_TRANSLATE_SUCCESS},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hv_output_translate_gva output;

        f->engine->state.segment[X86_SS].attributes =
            cases[i].user ? CPL3_SS_ATTRIBUTES : 0x93;
        output = translate(f, cases[i].at, cases[i].flags);
        if (output.result != cases[i].result)
            fail_msg("%s: %u", cases[i].what, output.result);
        if (output.result == HV_TRANSLATE_SUCCESS)
            assert_int_equal(output.gpa_page, cases[i].at >> PAGE_SHIFT);
    }
}

static void what_is_not_mapped_has_its_place_all_the_same(void **state)
{
    struct fixture *f = *state;
    struct hv_output_translate_gva output =
        translate(f, 0x9000, HV_TRANSLATE_READ);

    assert_int_equal(output.result, HV_TRANSLATE_GPA_UNMAPPED);
    assert_int_equal(output.gpa_page, NOTHING >> PAGE_SHIFT);
    poke(f, PML4, NOTHING | PTE_P | PTE_W); /* now of a table */
    output = translate(f, 0x9000, HV_TRANSLATE_READ);
    assert_int_equal(output.result, HV_TRANSLATE_GPA_UNMAPPED);
    assert_true(output.gpa_page == HV_INVALID_GPA_PAGE);
}

static void an_overlay_is_named_as_such(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(translate(f, 0x7000, 0).cache_type,
                     HV_CACHE_TYPE_WRITE_BACK | HV_TRANSLATE_OVERLAY_PAGE);
    assert_int_equal(translate(f, 0x5000, 0).cache_type,
                     HV_CACHE_TYPE_WRITE_BACK);
}

static void page_table_bits_are_set_only_if_asked(void **state)
{
    struct fixture *f = *state;

    translate(f, 0x5000, HV_TRANSLATE_WRITE);
    assert_int_equal(peek(f, PT + 8 * 5) & (PTE_A | PTE_D), 0);
    assert_int_equal(peek(f, PML4) & PTE_A, 0);
    translate(f, 0x5000, HV_TRANSLATE_WRITE | HV_TRANSLATE_SET_PAGE_TABLE_BITS);
    assert_int_equal(peek(f, PT + 8 * 5) & (PTE_A | PTE_D), PTE_A | PTE_D);
    assert_int_equal(peek(f, PML4) & PTE_A, PTE_A);
    assert_true(cost_count(&f->host.bill, COST_GUEST_WALK_REF) >= 8);
}

static void pae_and_no_paging_are_translated_too(void **state)
{
    struct fixture *f = *state;

    f->engine->state.efer = 0;
    f->engine->state.cr3 = PDPT;
    poke(f, PDPT, PD | PTE_P); /* a PDPTE has no rights */
    assert_int_equal(translate(f, 0x5000, 3).result, HV_TRANSLATE_SUCCESS);
    poke(f, PDPT, PD | PTE_P | PTE_W); /* reserved: it would not load */
    assert_int_equal(translate(f, 0x5000, 3).result,
                     HV_TRANSLATE_PAGE_NOT_PRESENT);
    f->engine->state.cr0 = CR0_ET;
    assert_int_equal(translate(f, 0x8000, 3).gpa_page, 8);
}

static void translating_is_checked(void **state)
{
    struct fixture *f = *state;
    uint64_t id = f->child->id.v;
    const struct {
        const char *what;
        struct hv_input_translate_gva input;
        uint16_t status;
    } cases[] = {
        {"no partition", {99, 0, 0, 0, 0}, HV_STATUS_INVALID_PARTITION_ID},
        {"no VP", {id, 1, 0, 0, 0}, HV_STATUS_INVALID_VP_INDEX},
        {"padding", {id, 0, 1, 0, 0}, HV_STATUS_INVALID_PARAMETER},
        {"a flag", {id, 0, 0, 0x40, 0}, HV_STATUS_INVALID_PARAMETER},
        {"a flag that needs a lock",
         {id, 0, 0, HV_TRANSLATE_TLB_FLUSH_INHIBIT, 0},
         HV_STATUS_INVALID_PARAMETER},
        {"no page",
         {id, 0, 0, 0, UINT64_C(1) << 52},
         HV_STATUS_INVALID_PARAMETER},
        {"a model",
         {PARTITION_ID_SELF, 0, 0, 0, 0},
         HV_STATUS_OPERATION_DENIED},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hv_output_translate_gva output;
        uint16_t status =
            call(f, HVCALL_TRANSLATE_VIRTUAL_ADDRESS, &cases[i].input,
                 sizeof(cases[i].input), &output, sizeof(output));

        if (status != cases[i].status)
            fail_msg("%s: %s", cases[i].what, hv_status_name(status));
    }
}

static void up_to_16_bytes_are_read(void **state)
{
    struct fixture *f = *state;
    struct hv_input_read_gpa input = {f->child->id.v, 0, 16, RAM + 0xff0, 6};
    struct hv_output_read_gpa output;
    uint64_t words[2];

    poke(f, RAM + 0xff0, 0x1111);
    poke(f, RAM + 0xff8, 0x2222);
    assert_int_equal(call(f, HVCALL_READ_GPA, &input, sizeof(input), &output,
                          sizeof(output)),
                     HV_STATUS_SUCCESS);
    assert_int_equal(output.result, HV_ACCESS_GPA_SUCCESS);
    memcpy(words, output.data, sizeof(words));
    assert_int_equal(words[0], 0x1111);
    assert_int_equal(words[1], 0x2222);
    input.bytes = 1; /* the rest is zero */
    call(f, HVCALL_READ_GPA, &input, sizeof(input), &output, sizeof(output));
    memcpy(words, output.data, sizeof(words));
    assert_int_equal(words[0], 0x11);
    assert_int_equal(words[1], 0);
    input.gpa = OVERLAY;
    input.bytes = 8;
    call(f, HVCALL_READ_GPA, &input, sizeof(input), &output, sizeof(output));
    memcpy(words, output.data, sizeof(words));
    assert_int_equal(words[0], 0x0eeb);
    input.gpa = NOTHING;
    call(f, HVCALL_READ_GPA, &input, sizeof(input), &output, sizeof(output));
    assert_int_equal(output.result, HV_ACCESS_GPA_UNMAPPED);
}

static void writes_respect_what_the_mapping_allows(void **state)
{
    static const struct {
        uint64_t at;
        enum hv_access_gpa_result result;
    } cases[] = {
        {RAM, HV_ACCESS_GPA_SUCCESS},
        {READ_ONLY, HV_ACCESS_GPA_WRITE_INTERCEPT},
        {OVERLAY, HV_ACCESS_GPA_ILLEGAL_OVERLAY_ACCESS},
        {NOTHING, HV_ACCESS_GPA_UNMAPPED},
        {UINT64_MAX & ~UINT64_C(0xfff), HV_ACCESS_GPA_UNMAPPED},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hv_input_write_gpa input = {
            .partition_id = f->child->id.v,
            .bytes = 3,
            .gpa = cases[i].at,
            .data = {0xaa, 0xbb, 0xcc, 0xdd},
        };
        struct hv_output_write_gpa output;

        assert_int_equal(call(f, HVCALL_WRITE_GPA, &input, sizeof(input),
                              &output, sizeof(output)),
                         HV_STATUS_SUCCESS);
        assert_int_equal(output.result, cases[i].result);
    }
    assert_int_equal(peek(f, RAM), 0xccbbaa);
    assert_int_equal(peek(f, READ_ONLY), 0);
}

static void accesses_are_checked(void **state)
{
    struct fixture *f = *state;
    uint64_t id = f->child->id.v;
    const struct {
        const char *what;
        struct hv_input_read_gpa input;
        uint16_t status;
    } cases[] = {
        {"no partition", {99, 0, 1, 0, 0}, HV_STATUS_INVALID_PARTITION_ID},
        {"no VP", {id, 1, 1, 0, 0}, HV_STATUS_INVALID_VP_INDEX},
        {"no bytes", {id, 0, 0, 0, 0}, HV_STATUS_INVALID_PARAMETER},
        {"17 bytes", {id, 0, 17, 0, 0}, HV_STATUS_INVALID_PARAMETER},
        {"all bytes", {id, 0, UINT32_MAX, 0, 0}, HV_STATUS_INVALID_PARAMETER},
        {"two pages", {id, 0, 2, 0xfff, 0}, HV_STATUS_INVALID_PARAMETER},
        {"flags", {id, 0, 1, 0, 0x100}, HV_STATUS_INVALID_PARAMETER},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hv_input_write_gpa write = {0};
        struct hv_output_read_gpa output;

        assert_int_equal(call(f, HVCALL_READ_GPA, &cases[i].input,
                              sizeof(cases[i].input), &output, sizeof(output)),
                         cases[i].status);
        memcpy(&write, &cases[i].input, sizeof(cases[i].input));
        assert_int_equal(call(f, HVCALL_WRITE_GPA, &write, sizeof(write),
                              &output, sizeof(struct hv_output_write_gpa)),
                         cases[i].status);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(addresses_are_translated_as_the_vp_would),
        T(what_is_not_mapped_has_its_place_all_the_same),
        T(an_overlay_is_named_as_such),
        T(page_table_bits_are_set_only_if_asked),
        T(pae_and_no_paging_are_translated_too),
        T(translating_is_checked),
        T(up_to_16_bytes_are_read),
        T(writes_respect_what_the_mapping_allows),
        T(accesses_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
