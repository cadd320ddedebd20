/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest asks for about its own other processors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/lp.h"
#include "tests/hypervisor/fake_engine.h"
#include "tests/hypervisor/small_host.h"

#define VPS 4
#define VARIABLE(n) ((uint64_t)(n) << HYPERCALL_VARIABLE_SHIFT)

struct guest {
    struct small_host host;
    struct hv_partition *child;
    unsigned flushes[VPS]; /* before the call */
};

static int setup(void **state)
{
    static struct guest guest;
    struct small_host *host = &guest.host;

    small_host_create(host);
    guest.child = small_host_child_with_vp(host);
    for (uint32_t i = 1; i < VPS; i++)
        assert_int_equal(
            partition_add_vp(&host->context, guest.child, (vp_index_t){i}, 0),
            HV_STATUS_SUCCESS);
    for (uint32_t i = 0; i < VPS; i++)
        guest.child->vps[i]->lapic.svr = 0x1ff;
    host->context.vp = guest.child->vps[0];
    host->context.lp = &host->hv->lps[0];
    *state = &guest;
    return 0;
}

static int teardown(void **state)
{
    struct guest *guest = *state;

    guest->host.context.vp = guest->host.root_vp;
    small_host_destroy(&guest->host);
    return 0;
}

/* The words stand in the root's memory, which is as good as any. */
static uint64_t make_call(struct guest *guest, uint64_t control,
                          const uint64_t *words, size_t count)
{
    struct hypercall call = {
        .memory = gpa_space_memory(&guest->host.hv->root->gpa),
        .control = control,
        .input = gpa(SMALL_HOST_INPUT),
    };
    enum hypercall_outcome outcome;

    small_host_poke(&guest->host, SMALL_HOST_INPUT, words,
                    count * sizeof(*words));
    for (uint32_t i = 0; i < VPS; i++)
        guest->flushes[i] = guest->child->vps[i]->engine->flushes;
    do
        outcome = hypercall_dispatch(&guest->host.context, &call);
    while (outcome == HYPERCALL_CONTINUE);
    assert_int_equal(outcome, HYPERCALL_DONE);
    return call.result;
}

#define CALL(guest, control, ...)                                              \
    make_call(guest, control, (const uint64_t[]){__VA_ARGS__},                 \
              sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/* The VPs that have flushed since the call began, one bit each. */
static unsigned flushed(const struct guest *guest)
{
    unsigned mask = 0;

    for (uint32_t i = 0; i < VPS; i++) {
        if (guest->child->vps[i]->engine->flushes > guest->flushes[i])
            mask |= 1u << i;
    }
    return mask;
}

static unsigned interrupted(const struct guest *guest, uint8_t vector)
{
    unsigned mask = 0;

    for (uint32_t i = 0; i < VPS; i++) {
        const struct lapic *lapic = &guest->child->vps[i]->lapic;

        mask |= (lapic->irr[vector / 32] >> (vector % 32) & 1) << i;
    }
    return mask;
}

static void a_flush_reaches_the_processors_of_its_mask(void **state)
{
    struct guest *guest = *state;

    assert_int_equal(CALL(guest, HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE, 0x1000,
                          HV_FLUSH_ALL_ADDRESS_SPACES, 0x6),
                     HV_STATUS_SUCCESS);
    assert_int_equal(flushed(guest), 0x6);
    assert_int_equal(CALL(guest, HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE, 0x1000,
                          HV_FLUSH_ALL_PROCESSORS, 0x2),
                     HV_STATUS_SUCCESS);
    assert_int_equal(flushed(guest), 0xf);
}

static void a_flush_of_no_processor_is_one_of_all(void **state)
{
    struct guest *guest = *state;

    assert_int_equal(
        CALL(guest, HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE, 0x1000, 0, 0),
        HV_STATUS_SUCCESS);
    assert_int_equal(flushed(guest), 0xf);
}

static void a_list_counts_every_element_even_when_continued(void **state)
{
    enum { ELEMENTS = 505 };
    struct guest *guest = *state;
    uint64_t words[3 + ELEMENTS] = {0x1000, 0, 0x8};

    for (uint64_t i = 0; i < ELEMENTS; i++)
        words[3 + i] = i << 12 | 0xfff; /* 4096 pages each */
    assert_int_equal(
        make_call(guest,
                  hypercall_rep(HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST, ELEMENTS),
                  words, 3 + ELEMENTS),
        (uint64_t)ELEMENTS << HYPERCALL_REP_COUNT_SHIFT);
    assert_int_equal(flushed(guest), 0x8);
}

#define LIST(n) hypercall_rep(HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST, n)
#define DONE(n) ((uint64_t)(n) << HYPERCALL_REP_COUNT_SHIFT)

static void a_short_list_flushes_its_pages_and_no_others(void **state)
{
    struct guest *guest = *state;
    const struct engine *engine = guest->child->vps[1]->engine;

    assert_int_equal(CALL(guest, LIST(2), 0, 0, 0x2, 0x7000, 0x40000002),
                     DONE(2));
    assert_int_equal(engine->page_flushes, 4);
    assert_int_equal(engine->flushed_page.raw, 0x40002000);
    assert_int_equal(flushed(guest), 0);
    /* 64 in all are flushed one by one, 65 at once. */
    assert_int_equal(CALL(guest, LIST(2), 0, 0, 0x2, 0x103e, 0x100000),
                     DONE(2));
    assert_int_equal(engine->page_flushes, 4 + 64);
    assert_int_equal(flushed(guest), 0);
    assert_int_equal(CALL(guest, LIST(2), 0, 0, 0x2, 0x103e, 0x100001),
                     DONE(2));
    assert_int_equal(engine->page_flushes, 4 + 64);
    assert_int_equal(flushed(guest), 0x2);
    assert_false(engine->kept_global);
}

static void the_extended_form_has_large_pages(void **state)
{
    struct guest *guest = *state;
    const struct engine *engine = guest->child->vps[1]->engine;

    /* Without a large page, bit 11 is no part of the count. */
    assert_int_equal(
        CALL(guest, LIST(1), 0, HV_FLUSH_EXTENDED_RANGES, 0x2, 0x7001),
        DONE(1));
    assert_int_equal(engine->page_flushes, 2);
    assert_int_equal(
        CALL(guest, LIST(1), 0, HV_FLUSH_EXTENDED_RANGES, 0x2, 0x200800),
        DONE(1));
    assert_int_equal(flushed(guest), 0x2);

    guest->child->privileges &= ~PRIVILEGE_EXTENDED_GVA_RANGES;
    assert_int_equal(
        CALL(guest, LIST(1), 0, HV_FLUSH_EXTENDED_RANGES, 0x2, 0x7001),
        HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(CALL(guest, HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE, 0,
                          HV_FLUSH_EXTENDED_RANGES, 0x2),
                     HV_STATUS_INVALID_PARAMETER); /* it has no ranges */
    assert_int_equal(flushed(guest), 0);
}

static void a_list_cannot_spare_global_pages(void **state)
{
    struct guest *guest = *state;

    assert_int_equal(CALL(guest,
                          hypercall_rep(HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST, 1),
                          0x1000, HV_FLUSH_NON_GLOBAL_ONLY, 1, 0x5000),
                     HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(flushed(guest), 0);
    assert_int_equal(CALL(guest, HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE, 0x1000,
                          HV_FLUSH_NON_GLOBAL_ONLY, 1),
                     HV_STATUS_SUCCESS);
    assert_true(guest->child->vps[0]->engine->kept_global);
}

static void a_set_names_processors_by_banks(void **state)
{
    struct guest *guest = *state;

    assert_int_equal(CALL(guest,
                          HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX | VARIABLE(1),
                          0, 0, HV_VP_SET_SPARSE, 1, 0xa),
                     HV_STATUS_SUCCESS);
    assert_int_equal(flushed(guest), 0xa);
    /* Bank 1 has nobody, and an empty set has nothing to do. */
    assert_int_equal(CALL(guest,
                          HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX | VARIABLE(1),
                          0, 0, HV_VP_SET_SPARSE, 2, UINT64_MAX),
                     HV_STATUS_SUCCESS);
    assert_int_equal(flushed(guest), 0);
    assert_int_equal(CALL(guest, HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX, 0, 0,
                          HV_VP_SET_ALL, 0),
                     HV_STATUS_SUCCESS);
    assert_int_equal(flushed(guest), 0xf);
    /* Elements stand behind the banks. */
    assert_int_equal(
        CALL(guest,
             hypercall_rep(HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX, 2) |
                 VARIABLE(2),
             0, 0, HV_VP_SET_SPARSE, 3, 1, 0, 0x1000, 0x2000),
        UINT64_C(2) << HYPERCALL_REP_COUNT_SHIFT);
    assert_int_equal(guest->child->vps[0]->engine->page_flushes, 2);
    assert_int_equal(guest->child->vps[1]->engine->page_flushes, 0);
    assert_int_equal(flushed(guest), 0);
}

static void the_variable_header_has_a_word_for_each_bank(void **state)
{
    struct guest *guest = *state;

    assert_int_equal(CALL(guest,
                          HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX | VARIABLE(2),
                          0, 0, HV_VP_SET_SPARSE, 1, 1, 1),
                     HV_STATUS_INVALID_HYPERCALL_INPUT);
    /* Even where the set is all processors. */
    assert_int_equal(CALL(guest, HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX, 0, 0,
                          HV_VP_SET_ALL, 1),
                     HV_STATUS_INVALID_HYPERCALL_INPUT);
    assert_int_equal(
        CALL(guest, HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX, 0, 0, 2, 0),
        HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(CALL(guest,
                          HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE | VARIABLE(1), 0,
                          0, 0, 0),
                     HV_STATUS_INVALID_HYPERCALL_INPUT);
    assert_int_equal(flushed(guest), 0);
}

static void only_a_processor_that_runs_elsewhere_is_disturbed(void **state)
{
    struct guest *guest = *state;
    struct hv_vp *elsewhere = guest->child->vps[1];

    elsewhere->state = VP_RUNNING;
    elsewhere->sched.lp = &guest->host.hv->lps[1];
    guest->host.bill = (struct cost_bill){0};
    CALL(guest, HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE, 0, 0, 0xf);
    assert_int_equal(cost_count(&guest->host.bill, COST_PHYSICAL_IPI), 1);
    assert_int_equal(cost_count(&elsewhere->owed, COST_VMEXIT), 1);
    assert_int_equal(cost_count(&guest->child->vps[2]->owed, COST_VMEXIT), 0);
    elsewhere->state = VP_SUSPENDED;
}

static void an_ipi_reaches_the_processors_of_its_mask_or_set(void **state)
{
    struct guest *guest = *state;

    assert_int_equal(CALL(guest, HVCALL_SEND_SYNTHETIC_CLUSTER_IPI, 0x40, 0x5),
                     HV_STATUS_SUCCESS);
    assert_int_equal(interrupted(guest, 0x40), 0x5);
    assert_int_equal(CALL(guest,
                          HVCALL_SEND_SYNTHETIC_CLUSTER_IPI_EX | VARIABLE(1),
                          0x41, HV_VP_SET_SPARSE, 1, 0xc),
                     HV_STATUS_SUCCESS);
    assert_int_equal(interrupted(guest, 0x41), 0xc);
    assert_int_equal(CALL(guest, HVCALL_SEND_SYNTHETIC_CLUSTER_IPI_EX, 0x42,
                          HV_VP_SET_ALL, 0),
                     HV_STATUS_SUCCESS);
    assert_int_equal(interrupted(guest, 0x42), 0xf);
}

static void an_ipi_is_checked(void **state)
{
    struct guest *guest = *state;
    const struct {
        uint64_t word;
        enum hv_status status;
    } cases[] = {
        {0x0f, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {0x10, HV_STATUS_SUCCESS},
        {0x100, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {UINT64_C(1) << 32 | 0x40, HV_STATUS_INVALID_VTL_STATE},
        {UINT64_C(1) << 40 | 0x40, HV_STATUS_INVALID_HYPERCALL_INPUT},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(
            CALL(guest, HVCALL_SEND_SYNTHETIC_CLUSTER_IPI, cases[i].word, 1),
            cases[i].status);
}

static void what_is_withheld_is_refused(void **state)
{
    static const struct {
        uint64_t feature, control;
    } cases[] = {
        {FEATURE_TLB_FLUSH, HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE},
        {FEATURE_TLB_FLUSH, HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX},
        {FEATURE_EXTENDED_PROCESSOR_MASKS,
         HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX},
        {FEATURE_CLUSTER_IPI, HVCALL_SEND_SYNTHETIC_CLUSTER_IPI},
        {FEATURE_EXTENDED_PROCESSOR_MASKS,
         HVCALL_SEND_SYNTHETIC_CLUSTER_IPI_EX},
        {FEATURE_LONG_SPIN_WAIT, HVCALL_NOTIFY_LONG_SPIN_WAIT},
    };
    struct guest *guest = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        guest->child->features = FEATURES_KNOWN & ~cases[i].feature;
        assert_int_equal(
            CALL(guest, cases[i].control, 0x40, 0, HV_VP_SET_ALL, 0),
            HV_STATUS_ACCESS_DENIED);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_flush_reaches_the_processors_of_its_mask),
        T(a_flush_of_no_processor_is_one_of_all),
        T(a_list_counts_every_element_even_when_continued),
        T(a_short_list_flushes_its_pages_and_no_others),
        T(the_extended_form_has_large_pages),
        T(a_list_cannot_spare_global_pages),
        T(a_set_names_processors_by_banks),
        T(the_variable_header_has_a_word_for_each_bank),
        T(only_a_processor_that_runs_elsewhere_is_disturbed),
        T(an_ipi_reaches_the_processors_of_its_mask_or_set),
        T(an_ipi_is_checked),
        T(what_is_withheld_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
