/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/hypervisor/fake_world.h"

#define SCONTROL 0x40000080u
#define SVERSION 0x40000081u
#define SIEFP 0x40000082u
#define SIMP 0x40000083u
#define EOM 0x40000084u
#define SIRBP 0x40000085u
#define SINT0 0x40000090u

#define MASKED UINT64_C(0x10000)
#define AUTO_EOI UINT64_C(0x20000)
#define POLLING UINT64_C(0x40000)

#define MESSAGE_PAGE UINT64_C(0x3000)
#define SINT 2
#define TYPE 0x1234u

static struct synic *synic_of(struct fake_world *world)
{
    return &world->vps[0].synic;
}

static struct fake_vp *noted(const struct fake_world *world)
{
    return fake_of(&world->vps[0]);
}

static bool rdmsr(struct fake_world *world, uint32_t index, uint64_t *value)
{
    return synic_msr_read(&world->context, synic_of(world), index, value);
}

static bool wrmsr(struct fake_world *world, uint32_t index, uint64_t value)
{
    return synic_msr_write(&world->context, synic_of(world), index, value);
}

static void enable(struct fake_world *world, uint64_t sint)
{
    fake_enable_lapic(&world->vps[0]);
    assert_true(wrmsr(world, SIMP, MESSAGE_PAGE | 1));
    assert_true(wrmsr(world, SCONTROL, 1));
    assert_true(wrmsr(world, SINT0 + SINT, sint));
}

static bool post(struct fake_world *world, uint64_t number)
{
    return synic_post_message(&world->context, synic_of(world), SINT, TYPE, 99,
                              &number, sizeof(number));
}

static spa_t slot(struct fake_world *world)
{
    return spa_add(synic_of(world)->message_page, SINT * 256);
}

static uint32_t slot_type(struct fake_world *world)
{
    return fake_read32(world, slot(world));
}

static bool slot_pending(struct fake_world *world)
{
    return (fake_read32(world, spa_add(slot(world), 4)) >> 8 & 1) != 0;
}

static uint64_t slot_number(struct fake_world *world)
{
    return fake_read64(world, spa_add(slot(world), 16));
}

static void free_slot(struct fake_world *world)
{
    fake_write32(world, slot(world), 0);
}

static void registers_reset_as_specified(void **state)
{
    struct fake_world *world = *state;
    uint64_t value;

    assert_true(rdmsr(world, SCONTROL, &value) && value == 0);
    assert_true(rdmsr(world, SVERSION, &value) && value == 1);
    assert_true(rdmsr(world, SIEFP, &value) && value == 0);
    assert_true(rdmsr(world, SIMP, &value) && value == 0);
    assert_true(rdmsr(world, EOM, &value) && value == 0);
    for (uint32_t i = 0; i < SYNIC_SINT_COUNT; i++)
        assert_true(rdmsr(world, SINT0 + i, &value) && value == MASKED);
}

static void registers_read_back_what_may_be_written(void **state)
{
    static const struct {
        uint32_t index;
        uint64_t value, reads;
        bool accepted;
    } cases[] = {
        {SCONTROL, UINT64_C(0xf00000000000000f), UINT64_C(0xf00000000000000f),
         true},
        {SVERSION, 2, 1, false},
        {SIEFP, 0x7ffe, 0x7ffe, true},
        {SIEFP, 0x7fff, 0x7fff, true},
        {SIMP, 0x5ffe, 0x5ffe, true},
        {SIMP, UINT64_C(0xfffffffffffff001), UINT64_C(0xfffffffffffff001),
         true},
        {EOM, 77, 0, true},
        {SINT0, MASKED, MASKED, true},
        {SINT0, MASKED | 3, MASKED | 3, true},
        {SINT0 + 15, 16, 16, true},
        {SINT0 + 15, 15, 16, false},
        {SINT0 + 15, AUTO_EOI, 16, false},
        {SINT0 + 15, POLLING | 15, POLLING | 15, true},
        {SINT0 + 1, UINT64_C(0x100ff), UINT64_C(0x100ff), true},
        {SIRBP, 0x6ffe, 0x6ffe, true},
        {0x40000086, 0, 0, false},
    };
    struct fake_world *world = *state;

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t value = 0;

        assert_int_equal(wrmsr(world, cases[i].index, cases[i].value),
                         cases[i].accepted);
        if (cases[i].index != 0x40000086)
            assert_true(rdmsr(world, cases[i].index, &value));
        else
            assert_false(rdmsr(world, cases[i].index, &value));
        assert_int_equal(value, cases[i].reads);
    }
}

static void
enabling_a_page_shows_zeros_and_disabling_takes_it_away(void **state)
{
    struct fake_world *world = *state;
    bool writable;
    spa_t at;

    assert_true(wrmsr(world, SIMP, MESSAGE_PAGE | 1));
    assert_true(
        gpa_space_lookup(&world->child.gpa, gpa(MESSAGE_PAGE), &at, &writable));
    assert_int_equal(at.raw, synic_of(world)->message_page.raw);
    assert_int_not_equal(at.raw, MESSAGE_PAGE);
    fake_write32(world, spa_add(at, 64), 5);
    assert_true(wrmsr(world, SIMP, MESSAGE_PAGE | 1)); /* no change */
    assert_int_equal(fake_read32(world, spa_add(at, 64)), 5);
    assert_true(wrmsr(world, SIMP, MESSAGE_PAGE));
    assert_true(
        gpa_space_lookup(&world->child.gpa, gpa(MESSAGE_PAGE), &at, &writable));
    assert_int_equal(at.raw, MESSAGE_PAGE);
    assert_true(wrmsr(world, SIMP, MESSAGE_PAGE | 1));
    assert_int_equal(
        fake_read32(world, spa_add(synic_of(world)->message_page, 64)), 0);
    assert_true(wrmsr(world, SIEFP, 0x4001));
    assert_int_not_equal(synic_of(world)->event_flags_page.raw,
                         synic_of(world)->message_page.raw);
}

static void a_page_that_cannot_be_had_leaves_the_guest_without(void **state)
{
    struct fake_world *world = *state;

    enable(world, 0xf3);
    fake_overlay_fails(true);
    assert_true(wrmsr(world, SIMP, 0x5001));
    fake_overlay_fails(false);
    assert_false(post(world, 1));
    assert_true(wrmsr(world, SIMP, UINT64_C(0xfffffffffffff001)));
    assert_false(post(world, 1));
    assert_true(wrmsr(world, SIMP, 0x5001));
    assert_true(post(world, 1));
}

static void a_message_fills_its_slot_and_interrupts(void **state)
{
    struct fake_world *world = *state;

    enable(world, 0xf3);
    assert_true(post(world, 0x1122334455667788));
    assert_int_equal(slot_type(world), TYPE);
    assert_int_equal(fake_read32(world, spa_add(slot(world), 4)), 8);
    assert_int_equal(fake_read64(world, spa_add(slot(world), 8)), 99);
    assert_int_equal(slot_number(world), 0x1122334455667788);
    assert_int_equal(noted(world)->interrupts, 1);
    assert_int_equal(noted(world)->last_vector, 0xf3);
}

static void the_largest_message_fits(void **state)
{
    struct fake_world *world = *state;
    uint8_t payload[SYNIC_PAYLOAD_BYTES_MAX];

    enable(world, 0xf3);
    memset(payload, 0xa5, sizeof(payload));
    assert_true(synic_post_message(&world->context, synic_of(world), SINT, TYPE,
                                   0, payload, sizeof(payload)));
    assert_int_equal(fake_read32(world, spa_add(slot(world), 252)), 0xa5a5a5a5);
    assert_int_equal(fake_read32(world, spa_add(slot(world), 256)), 0);
    assert_int_equal(fake_read32(world, spa_add(slot(world), 4)), 240);
}

static void nothing_is_received_while_disabled(void **state)
{
    struct fake_world *world = *state;

    enable(world, 0xf3);
    assert_true(wrmsr(world, SCONTROL, 0));
    assert_false(post(world, 1));
    assert_true(wrmsr(world, SCONTROL, 1));
    assert_true(wrmsr(world, SIMP, MESSAGE_PAGE));
    assert_false(post(world, 1));
    assert_int_equal(noted(world)->interrupts, 0);
}

static void a_busy_slot_queues_without_an_interrupt(void **state)
{
    struct fake_world *world = *state;

    enable(world, 0xf3);
    assert_true(post(world, 1));
    assert_false(slot_pending(world));
    assert_true(post(world, 2));
    assert_true(post(world, 3));
    assert_int_equal(slot_number(world), 1);
    assert_true(slot_pending(world));
    assert_int_equal(noted(world)->interrupts, 1);

    free_slot(world);
    assert_true(wrmsr(world, EOM, 0));
    assert_int_equal(slot_number(world), 2);
    assert_true(slot_pending(world)); /* one more is queued */
    assert_int_equal(noted(world)->interrupts, 2);
    free_slot(world);
    assert_true(wrmsr(world, EOM, 0));
    assert_int_equal(slot_number(world), 3);
    assert_false(slot_pending(world)); /* the last */
    free_slot(world);
    assert_true(wrmsr(world, EOM, 0));
    assert_int_equal(slot_type(world), 0);
    assert_int_equal(noted(world)->interrupts, 3);
}

static void an_eom_with_the_slot_occupied_changes_nothing(void **state)
{
    struct fake_world *world = *state;

    enable(world, 0xf3);
    assert_true(post(world, 1));
    assert_true(post(world, 2));
    assert_true(wrmsr(world, EOM, 0));
    assert_int_equal(slot_number(world), 1);
    assert_true(slot_pending(world));
    assert_int_equal(noted(world)->interrupts, 1);
}

static void the_queue_holds_sixteen_and_refuses_more(void **state)
{
    struct fake_world *world = *state;

    enable(world, 0xf3);
    for (unsigned i = 0; i <= SYNIC_QUEUE_MAX; i++)
        assert_true(post(world, i));
    assert_false(post(world, 99));
    for (unsigned i = 0; i <= SYNIC_QUEUE_MAX; i++) {
        assert_int_equal(slot_number(world), i);
        free_slot(world);
        assert_true(wrmsr(world, EOM, 0));
    }
    assert_int_equal(slot_type(world), 0);
    assert_true(post(world, 99));
}

static void a_new_post_rescans_and_does_not_overtake(void **state)
{
    struct fake_world *world = *state;

    enable(world, 0xf3);
    assert_true(post(world, 1));
    assert_true(post(world, 2));
    free_slot(world); /* and no EOM */
    assert_true(post(world, 3));
    assert_int_equal(slot_number(world), 2);
    assert_true(slot_pending(world));
}

static void the_eoi_of_its_vector_rescans(void **state)
{
    struct fake_world *world = *state;
    struct lapic *lapic = &world->vps[0].lapic;

    enable(world, 0xf3);
    assert_true(post(world, 1));
    assert_true(post(world, 2));
    free_slot(world);
    synic_eoi(&world->context, synic_of(world), 0x44); /* another vector */
    assert_int_equal(slot_type(world), 0);
    assert_int_equal(lapic_accept(&world->context, lapic), 0xf3);
    lapic_eoi(&world->context, lapic);
    assert_int_equal(slot_number(world), 2);
}

static void a_freed_slot_is_noticed_within_two_ms_in_any_case(void **state)
{
    struct fake_world *world = *state;

    enable(world, 0xf3);
    assert_true(post(world, 1));
    assert_true(post(world, 2));
    fake_run_until(world, fake_us(10500)); /* retries find it occupied */
    assert_int_equal(slot_number(world), 1);
    free_slot(world);
    fake_run_until(world, fake_us(11500));
    assert_int_equal(slot_number(world), 2);
    /* Nothing waits: nothing is retried any more. */
    fake_run_until(world, fake_us(20000));
    assert_int_equal(event_queue_next(world->hv.events).v, CYCLES_NEVER.v);
}

static void
to_a_masked_sint_the_message_comes_and_the_interrupt_is_lost(void **state)
{
    struct fake_world *world = *state;

    enable(world, MASKED | 0xf3);
    assert_true(post(world, 1));
    assert_int_equal(slot_type(world), TYPE);
    assert_int_equal(noted(world)->interrupts, 0);
    assert_true(wrmsr(world, SINT0 + SINT, 0xf3));
    assert_int_equal(noted(world)->interrupts, 0);
}

static void a_polled_sint_gets_messages_without_interrupts(void **state)
{
    struct fake_world *world = *state;

    enable(world, POLLING | 0xf3);
    assert_true(post(world, 1));
    assert_int_equal(slot_type(world), TYPE);
    assert_int_equal(noted(world)->interrupts, 0);
}

static void
auto_eoi_belongs_to_the_vector_while_a_sint_asks_for_it(void **state)
{
    struct fake_world *world = *state;
    struct lapic *lapic = &world->vps[0].lapic;

    enable(world, AUTO_EOI | 0xf3);
    assert_true(wrmsr(world, SINT0 + 5, AUTO_EOI | 0xf3));
    assert_true(post(world, 1));
    lapic_accept(&world->context, lapic);
    assert_int_equal(lapic->isr[7], 0);
    /* The other SINT still asks for it. */
    assert_true(wrmsr(world, SINT0 + SINT, 0xf3));
    lapic_set_irr(lapic, 0xf3, false, false);
    lapic_accept(&world->context, lapic);
    assert_int_equal(lapic->isr[7], 0);
    assert_true(wrmsr(world, SINT0 + 5, MASKED));
    lapic_set_irr(lapic, 0xf3, false, false);
    lapic_accept(&world->context, lapic);
    assert_int_not_equal(lapic->isr[7], 0);
}

static void slots_of_different_sints_are_independent(void **state)
{
    struct fake_world *world = *state;
    uint64_t number = 7;

    enable(world, 0xf3);
    assert_true(wrmsr(world, SINT0 + 4, 0xf4));
    assert_true(post(world, 1));
    assert_true(synic_post_message(&world->context, synic_of(world), 4, TYPE, 0,
                                   &number, sizeof(number)));
    assert_int_equal(noted(world)->interrupts, 2);
    assert_int_equal(noted(world)->last_vector, 0xf4);
}

static void messages_survive_a_disabled_synic_in_the_queue(void **state)
{
    struct fake_world *world = *state;

    enable(world, 0xf3);
    assert_true(post(world, 1));
    assert_true(post(world, 2));
    assert_true(wrmsr(world, SCONTROL, 0));
    free_slot(world);
    assert_true(wrmsr(world, EOM, 0));
    assert_int_equal(slot_type(world), 0);
    assert_true(wrmsr(world, SCONTROL, 1));
    assert_int_equal(slot_number(world), 2);
}

static void a_model_takes_messages_in_order(void **state)
{
    struct fake_world *world = *state;
    uint8_t message[SYNIC_MESSAGE_BYTES];
    uint64_t number;

    assert_false(
        synic_take_message(&world->context, synic_of(world), SINT, message));
    enable(world, 0xf3);
    for (unsigned i = 0; i < 5; i++)
        assert_true(post(world, i));
    for (unsigned i = 0; i < 5; i++) {
        assert_true(synic_take_message(&world->context, synic_of(world), SINT,
                                       message));
        memcpy(&number, message + 16, sizeof(number));
        assert_int_equal(number, i);
        assert_int_equal(noted(world)->interrupts, i < 4 ? i + 2 : 5);
    }
    assert_false(
        synic_take_message(&world->context, synic_of(world), SINT, message));
}

static void a_message_that_must_not_queue_is_placed_or_refused(void **state)
{
    struct fake_world *world = *state;
    uint64_t number = 1;

    assert_false(synic_place_message(&world->context, synic_of(world), SINT,
                                     TYPE, 0, &number, sizeof(number)));
    enable(world, 0xf3);
    assert_true(synic_place_message(&world->context, synic_of(world), SINT,
                                    TYPE, 0, &number, sizeof(number)));
    assert_false(synic_place_message(&world->context, synic_of(world), SINT,
                                     TYPE, 0, &number, sizeof(number)));
    assert_true(slot_pending(world));
    free_slot(world);
    assert_true(wrmsr(world, EOM, 0));
    assert_int_equal(slot_type(world), 0);
}

static void reset_empties_the_queues_and_masks(void **state)
{
    struct fake_world *world = *state;
    uint64_t value;

    enable(world, AUTO_EOI | 0xf3);
    assert_true(post(world, 1));
    assert_true(post(world, 2));
    synic_reset(&world->context, synic_of(world));
    registers_reset_as_specified(state);
    enable(world, 0xf3);
    assert_int_equal(slot_type(world), 0);
    assert_true(rdmsr(world, SINT0 + SINT, &value) && value == 0xf3);
}

static void a_vp_that_goes_away_leaves_no_page_behind(void **state)
{
    struct fake_world *world = *state;
    bool writable;
    spa_t at;

    enable(world, 0xf3);
    assert_true(wrmsr(world, SIEFP, 0x4001));
    assert_true(post(world, 1));
    assert_true(post(world, 2));
    synic_fini(synic_of(world));
    assert_true(
        gpa_space_lookup(&world->child.gpa, gpa(MESSAGE_PAGE), &at, &writable));
    assert_int_equal(at.raw, MESSAGE_PAGE);
    assert_true(
        gpa_space_lookup(&world->child.gpa, gpa(0x4000), &at, &writable));
    assert_int_equal(at.raw, 0x4000);
    assert_int_equal(event_queue_next(world->hv.events).v, CYCLES_NEVER.v);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fake_world_setup, fake_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(registers_reset_as_specified),
        TEST(registers_read_back_what_may_be_written),
        TEST(enabling_a_page_shows_zeros_and_disabling_takes_it_away),
        TEST(a_page_that_cannot_be_had_leaves_the_guest_without),
        TEST(a_message_fills_its_slot_and_interrupts),
        TEST(the_largest_message_fits),
        TEST(nothing_is_received_while_disabled),
        TEST(a_busy_slot_queues_without_an_interrupt),
        TEST(an_eom_with_the_slot_occupied_changes_nothing),
        TEST(the_queue_holds_sixteen_and_refuses_more),
        TEST(a_new_post_rescans_and_does_not_overtake),
        TEST(the_eoi_of_its_vector_rescans),
        TEST(a_freed_slot_is_noticed_within_two_ms_in_any_case),
        TEST(to_a_masked_sint_the_message_comes_and_the_interrupt_is_lost),
        TEST(a_polled_sint_gets_messages_without_interrupts),
        TEST(auto_eoi_belongs_to_the_vector_while_a_sint_asks_for_it),
        TEST(slots_of_different_sints_are_independent),
        TEST(messages_survive_a_disabled_synic_in_the_queue),
        TEST(a_model_takes_messages_in_order),
        TEST(a_message_that_must_not_queue_is_placed_or_refused),
        TEST(reset_empties_the_queues_and_masks),
        TEST(a_vp_that_goes_away_leaves_no_page_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
