/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "partitions/vdev_ioapic.h"

#define INDEX 0x00
#define WINDOW 0x10

#define MASKED 0x10000u
#define LEVEL 0x8000u
#define REMOTE_IRR 0x4000u
#define LOGICAL 0x800u

static struct vdev *ioapic;

static int create(void **state)
{
    (void)state;
    ioapic = vdev_ioapic_create();
    return ioapic ? 0 : -1;
}

static int destroy(void **state)
{
    (void)state;
    ioapic->ops->free(ioapic);
    return 0;
}

static uint32_t get(uint8_t index)
{
    ioapic->ops->write(ioapic, 0, INDEX, 4, index);
    return ioapic->ops->read(ioapic, 0, WINDOW, 4);
}

static void put(uint8_t index, uint32_t value)
{
    ioapic->ops->write(ioapic, 0, INDEX, 4, index);
    ioapic->ops->write(ioapic, 0, WINDOW, 4, value);
}

static void put_entry(unsigned pin, uint32_t low, uint32_t high)
{
    put((uint8_t)(0x11 + 2 * pin), high);
    put((uint8_t)(0x10 + 2 * pin), low);
}

static void nothing_waits(void)
{
    struct vdev_ioapic_interrupt interrupt;

    assert_false(vdev_ioapic_pending(ioapic));
    assert_false(vdev_ioapic_take(ioapic, &interrupt));
}

static struct vdev_ioapic_interrupt take(void)
{
    struct vdev_ioapic_interrupt interrupt;

    assert_true(vdev_ioapic_pending(ioapic));
    assert_true(vdev_ioapic_take(ioapic, &interrupt));
    return interrupt;
}

static void it_is_version_11_with_24_masked_pins(void **state)
{
    (void)state;
    assert_int_equal(get(1), 0x00170011);
    assert_int_equal(get(0), 0);
    for (unsigned pin = 0; pin < 24; pin++) {
        assert_int_equal(get((uint8_t)(0x10 + 2 * pin)), MASKED);
        assert_int_equal(get((uint8_t)(0x11 + 2 * pin)), 0);
    }
}

static void the_id_has_four_bits_and_shows_as_arbitration_too(void **state)
{
    (void)state;
    put(0, UINT32_MAX);
    assert_int_equal(get(0), 0x0f000000);
    assert_int_equal(get(2), 0x0f000000);
    put(2, 0);
    put(1, 0);
    assert_int_equal(get(2), 0x0f000000);
    assert_int_equal(get(1), 0x00170011);
}

static void status_bits_of_an_entry_cannot_be_written(void **state)
{
    (void)state;
    put_entry(5, UINT32_MAX, UINT32_MAX);
    assert_int_equal(get(0x1a), 0x0001afff);
    assert_int_equal(get(0x1b), 0xff000000);
}

static void registers_that_do_not_exist_read_zero(void **state)
{
    (void)state;
    for (unsigned index = 0x40; index < 0x100; index++) {
        put((uint8_t)index, UINT32_MAX);
        assert_int_equal(get((uint8_t)index), 0);
    }
    for (unsigned index = 3; index < 0x10; index++)
        assert_int_equal(get((uint8_t)index), 0);
    for (uint32_t at = 0x14; at < 0x1000; at += 4) {
        ioapic->ops->write(ioapic, 0, at, 4, UINT32_MAX);
        assert_int_equal(ioapic->ops->read(ioapic, 0, at, 4), 0);
    }
}

static void parts_of_the_window_are_read_and_not_written(void **state)
{
    (void)state;
    put_entry(0, MASKED | 0x21, 0);
    ioapic->ops->write(ioapic, 0, INDEX, 1, 0x10);
    assert_int_equal(ioapic->ops->read(ioapic, 0, WINDOW + 2, 1) & 0xff, 1);
    ioapic->ops->write(ioapic, 0, WINDOW, 1, 0xff);
    ioapic->ops->write(ioapic, 0, WINDOW + 2, 2, 0);
    assert_int_equal(get(0x10), MASKED | 0x21);
}

static void an_edge_interrupts_once_as_its_entry_says(void **state)
{
    struct vdev_ioapic_interrupt interrupt;

    (void)state;
    put_entry(4, LOGICAL | 0x100 | 0x34, 0x03000000);
    vdev_ioapic_set_pin(ioapic, 4, true);
    interrupt = take();
    assert_int_equal(interrupt.vector, 0x34);
    assert_int_equal(interrupt.delivery, IOAPIC_LOWEST_PRIORITY);
    assert_int_equal(interrupt.destination, 3);
    assert_true(interrupt.logical);
    assert_false(interrupt.level);
    nothing_waits();
    vdev_ioapic_set_pin(ioapic, 4, true); /* no edge */
    nothing_waits();
    vdev_ioapic_set_pin(ioapic, 4, false);
    vdev_ioapic_set_pin(ioapic, 4, true);
    take();
}

static void an_edge_on_a_masked_pin_is_lost(void **state)
{
    (void)state;
    vdev_ioapic_set_pin(ioapic, 4, true);
    put_entry(4, 0x34, 0);
    nothing_waits();
}

static void an_edge_waits_while_its_pin_is_masked_afterwards(void **state)
{
    (void)state;
    put_entry(4, 0x34, 0);
    vdev_ioapic_set_pin(ioapic, 4, true);
    put_entry(4, MASKED | 0x34, 0);
    nothing_waits();
    put_entry(4, 0x35, 0);
    assert_int_equal(take().vector, 0x35);
}

static void a_level_interrupts_again_after_its_eoi(void **state)
{
    (void)state;
    put_entry(9, LEVEL | 0x40, 0);
    vdev_ioapic_set_pin(ioapic, 9, true);
    assert_true(take().level);
    assert_int_equal(get(0x22), LEVEL | REMOTE_IRR | 0x40);
    nothing_waits();
    vdev_ioapic_eoi(ioapic, 0x41); /* another's */
    nothing_waits();
    vdev_ioapic_eoi(ioapic, 0x40);
    take();
    vdev_ioapic_set_pin(ioapic, 9, false);
    vdev_ioapic_eoi(ioapic, 0x40);
    assert_int_equal(get(0x22), LEVEL | 0x40);
    nothing_waits();
}

static void a_level_that_ends_before_it_is_taken_was_never_there(void **state)
{
    (void)state;
    put_entry(9, LEVEL | 0x40, 0);
    vdev_ioapic_set_pin(ioapic, 9, true);
    vdev_ioapic_set_pin(ioapic, 9, false);
    nothing_waits();
}

static void a_level_on_a_masked_pin_comes_when_it_is_unmasked(void **state)
{
    (void)state;
    put_entry(9, MASKED | LEVEL | 0x40, 0);
    vdev_ioapic_set_pin(ioapic, 9, true);
    nothing_waits();
    put_entry(9, LEVEL | 0x40, 0);
    take();
}

static void switching_to_edge_forgets_remote_irr(void **state)
{
    (void)state;
    put_entry(9, LEVEL | 0x40, 0);
    vdev_ioapic_set_pin(ioapic, 9, true);
    take();
    put_entry(9, MASKED | 0x40, 0);
    put_entry(9, LEVEL | 0x40, 0);
    take();
}

static void the_lowest_pin_comes_first(void **state)
{
    (void)state;
    put_entry(23, 0x50, 0);
    put_entry(2, 0x51, 0);
    vdev_ioapic_set_pin(ioapic, 23, true);
    vdev_ioapic_set_pin(ioapic, 2, true);
    vdev_ioapic_set_pin(ioapic, 24, true); /* is not there */
    vdev_ioapic_set_pin(ioapic, 99, true);
    assert_int_equal(take().vector, 0x51);
    assert_int_equal(take().vector, 0x50);
    nothing_waits();
}

static void reset_masks_and_forgets(void **state)
{
    (void)state;
    put(0, UINT32_MAX);
    put_entry(4, 0x34, 0);
    vdev_ioapic_set_pin(ioapic, 4, true);
    ioapic->ops->reset(ioapic);
    nothing_waits();
    assert_int_equal(get(0), 0);
    assert_int_equal(get(0x18), MASKED);
    put_entry(4, 0x34, 0);
    nothing_waits();
}

#define T(test) cmocka_unit_test_setup_teardown(test, create, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_is_version_11_with_24_masked_pins),
        T(the_id_has_four_bits_and_shows_as_arbitration_too),
        T(status_bits_of_an_entry_cannot_be_written),
        T(registers_that_do_not_exist_read_zero),
        T(parts_of_the_window_are_read_and_not_written),
        T(an_edge_interrupts_once_as_its_entry_says),
        T(an_edge_on_a_masked_pin_is_lost),
        T(an_edge_waits_while_its_pin_is_masked_afterwards),
        T(a_level_interrupts_again_after_its_eoi),
        T(a_level_that_ends_before_it_is_taken_was_never_there),
        T(a_level_on_a_masked_pin_comes_when_it_is_unmasked),
        T(switching_to_edge_forgets_remote_irr),
        T(the_lowest_pin_comes_first),
        T(reset_masks_and_forgets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
