/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "partitions/vdev_pic.h"

enum { COMMAND, DATA, COMMAND2, DATA2, ELCR, ELCR2 };

#define EOI 0x20
#define READ_IRR 0x0a
#define READ_ISR 0x0b

static struct vdev *pic;

static uint8_t get(uint32_t at)
{
    return (uint8_t)pic->ops->read(pic, 0, at, 1);
}

static void put(uint32_t at, uint8_t value)
{
    pic->ops->write(pic, 0, at, 1, value);
}

static void initialize(uint8_t icw4)
{
    put(COMMAND, 0x11);
    put(DATA, 0x20);
    put(DATA, 0x04);
    put(DATA, icw4);
    put(COMMAND2, 0x11);
    put(DATA2, 0x28);
    put(DATA2, 0x02);
    put(DATA2, icw4);
}

static int create(void **state)
{
    (void)state;
    pic = vdev_pic_create();
    initialize(0x01);
    return 0;
}

static int destroy(void **state)
{
    (void)state;
    pic->ops->free(pic);
    return 0;
}

static void takes(uint8_t vector)
{
    assert_true(vdev_pic_pending(pic));
    assert_int_equal(vdev_pic_vector(pic), vector);
    vdev_pic_acknowledge(pic);
}

static void masks_keep_what_is_written(void **state)
{
    (void)state;
    assert_int_equal(get(DATA), 0);
    put(DATA, 0xfb);
    put(DATA2, 0x5a);
    assert_int_equal(get(DATA), 0xfb);
    assert_int_equal(get(DATA2), 0x5a);
    pic->ops->reset(pic);
    assert_int_equal(get(DATA), 0xff);
}

static void an_edge_is_taken_once(void **state)
{
    (void)state;
    vdev_pic_set_irq(pic, 4, true);
    takes(0x24);
    assert_false(vdev_pic_pending(pic));
    put(COMMAND, READ_ISR);
    assert_int_equal(get(COMMAND), 0x10);
    put(COMMAND, EOI);
    assert_int_equal(get(COMMAND), 0);
    assert_false(vdev_pic_pending(pic));
    vdev_pic_set_irq(pic, 4, false);
    vdev_pic_set_irq(pic, 4, true);
    takes(0x24);
}

static void a_level_comes_again_after_its_eoi(void **state)
{
    (void)state;
    put(ELCR2, 0x02); /* IRQ 9 */
    vdev_pic_set_irq(pic, 9, true);
    takes(0x29);
    assert_false(vdev_pic_pending(pic));
    put(COMMAND2, EOI);
    put(COMMAND, EOI);
    takes(0x29);
    vdev_pic_set_irq(pic, 9, false);
    put(COMMAND2, EOI);
    put(COMMAND, EOI);
    assert_false(vdev_pic_pending(pic));
}

static void only_inputs_of_cards_can_be_levels(void **state)
{
    (void)state;
    put(ELCR, 0xff);
    put(ELCR2, 0xff);
    assert_int_equal(get(ELCR), 0xf8);
    assert_int_equal(get(ELCR2), 0xde);
}

static void a_higher_priority_interrupts_a_lower_one(void **state)
{
    (void)state;
    vdev_pic_set_irq(pic, 4, true);
    takes(0x24);
    vdev_pic_set_irq(pic, 6, true);
    assert_false(vdev_pic_pending(pic));
    vdev_pic_set_irq(pic, 1, true);
    takes(0x21);
    put(COMMAND, EOI); /* of 1 */
    assert_false(vdev_pic_pending(pic));
    put(COMMAND, 0x64); /* of 4, by name */
    takes(0x26);
}

static void the_second_controller_comes_through_input_2(void **state)
{
    (void)state;
    vdev_pic_set_irq(pic, 3, true);
    vdev_pic_set_irq(pic, 8, true);
    takes(0x28);
    put(COMMAND, READ_ISR);
    put(COMMAND2, READ_ISR);
    assert_int_equal(get(COMMAND), 0x04);
    assert_int_equal(get(COMMAND2), 0x01);
    put(COMMAND2, EOI);
    put(COMMAND, EOI);
    takes(0x23);
}

static void a_masked_input_waits(void **state)
{
    (void)state;
    put(DATA, 0x01);
    vdev_pic_set_irq(pic, 0, true);
    assert_false(vdev_pic_pending(pic));
    assert_int_equal(get(COMMAND), 0x01); /* requested all the same */
    put(DATA, 0x00);
    takes(0x20);
    put(DATA, 0x04); /* the way of all of the second one's */
    vdev_pic_set_irq(pic, 12, true);
    put(COMMAND, EOI);
    assert_false(vdev_pic_pending(pic));
}

static void an_edge_that_goes_too_soon_is_spurious(void **state)
{
    (void)state;
    vdev_pic_set_irq(pic, 5, true);
    vdev_pic_set_irq(pic, 5, false);
    assert_false(vdev_pic_pending(pic));
    assert_int_equal(vdev_pic_vector(pic), 0x27);
    vdev_pic_acknowledge(pic);
    put(COMMAND, READ_ISR);
    assert_int_equal(get(COMMAND), 0);
}

static void auto_eoi_leaves_nothing_in_service(void **state)
{
    (void)state;
    initialize(0x03);
    vdev_pic_set_irq(pic, 0, true);
    takes(0x20);
    put(COMMAND, READ_ISR);
    assert_int_equal(get(COMMAND), 0);
    vdev_pic_set_irq(pic, 1, true);
    takes(0x21);
}

static void a_poll_acknowledges(void **state)
{
    (void)state;
    put(COMMAND, 0x0c);
    assert_int_equal(get(COMMAND), 0);
    vdev_pic_set_irq(pic, 6, true);
    put(COMMAND, 0x0c);
    assert_int_equal(get(COMMAND), 0x86);
    put(COMMAND, READ_ISR);
    assert_int_equal(get(COMMAND), 0x40);
}

static void rotation_makes_the_served_one_the_lowest(void **state)
{
    (void)state;
    vdev_pic_set_irq(pic, 3, true);
    takes(0x23);
    put(COMMAND, 0xa0); /* EOI, and rotate */
    vdev_pic_set_irq(pic, 0, true);
    vdev_pic_set_irq(pic, 4, true);
    takes(0x24);
    put(COMMAND, 0xc7); /* the usual order */
    takes(0x20);
}

static void special_mask_mode_lets_lower_ones_in(void **state)
{
    (void)state;
    vdev_pic_set_irq(pic, 1, true);
    takes(0x21);
    put(COMMAND, 0x68);
    put(DATA, 0x02);
    vdev_pic_set_irq(pic, 5, true);
    takes(0x25);
}

static void nothing_interrupts_during_initialization(void **state)
{
    (void)state;
    vdev_pic_set_irq(pic, 1, true);
    put(COMMAND, 0x11);
    assert_false(vdev_pic_pending(pic));
    put(DATA, 0x33);
    put(DATA, 0x04);
    put(DATA, 0x01);
    assert_false(vdev_pic_pending(pic)); /* the edge is forgotten */
    vdev_pic_set_irq(pic, 1, false);
    vdev_pic_set_irq(pic, 1, true);
    takes(0x31);
    /* Without ICW4, and without ICW3. */
    put(COMMAND, 0x12);
    put(DATA, 0x40);
    put(DATA, 0xf0);
    assert_int_equal(get(DATA), 0xf0);
}

static void nonsense_does_no_harm(void **state)
{
    uint64_t seed = 3;

    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        put((uint32_t)(seed >> 33) % 6, (uint8_t)(seed >> 40));
        (void)get((uint32_t)(seed >> 50) % 6);
        vdev_pic_set_irq(pic, (unsigned)(seed >> 53) % 20, seed >> 63);
        (void)vdev_pic_vector(pic);
        vdev_pic_acknowledge(pic);
    }
}

#define T(test) cmocka_unit_test_setup_teardown(test, create, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(masks_keep_what_is_written),
        T(an_edge_is_taken_once),
        T(a_level_comes_again_after_its_eoi),
        T(only_inputs_of_cards_can_be_levels),
        T(a_higher_priority_interrupts_a_lower_one),
        T(the_second_controller_comes_through_input_2),
        T(a_masked_input_waits),
        T(an_edge_that_goes_too_soon_is_spurious),
        T(auto_eoi_leaves_nothing_in_service),
        T(a_poll_acknowledges),
        T(rotation_makes_the_served_one_the_lowest),
        T(special_mask_mode_lets_lower_ones_in),
        T(nothing_interrupts_during_initialization),
        T(nonsense_does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
