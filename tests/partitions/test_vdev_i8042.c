/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "partitions/platform.h"
#include "partitions/vdev_i8042.h"

enum { DATA, COMMAND, PORT_A };

#define FULL 0x01u
#define LAST_WAS_COMMAND 0x08u
#define AUXILIARY 0x20u

struct heard {
    unsigned resets;
    bool irq;
};

static struct heard heard;
static struct vdev *kbc;

static void on_reset(void *context)
{
    ((struct heard *)context)->resets++;
}

static void on_irq(void *context, unsigned gsi, bool level)
{
    assert_int_equal(gsi, PLATFORM_KEYBOARD_GSI);
    ((struct heard *)context)->irq = level;
}

static const struct vdev_irq_sink irqs = {&heard, on_irq};

static int create(void **state)
{
    (void)state;
    heard = (struct heard){0};
    kbc = vdev_i8042_create(on_reset, &heard);
    kbc->irq_sink = &irqs;
    return 0;
}

static int destroy(void **state)
{
    (void)state;
    kbc->ops->free(kbc);
    return 0;
}

static uint8_t get(uint32_t offset)
{
    return (uint8_t)kbc->ops->read(kbc, 0, offset, 1);
}

static void put(uint32_t offset, uint8_t value)
{
    kbc->ops->write(kbc, 0, offset, 1, value);
}

/* What the command answers; it must answer. */
static uint8_t answer(uint8_t command)
{
    put(COMMAND, command);
    assert_int_equal(get(COMMAND) & FULL, FULL);
    return get(DATA);
}

/* Guests wait for ever where the bus is open: all bits would be set. */
static void it_takes_commands_and_has_nothing_to_say(void **state)
{
    (void)state;
    assert_int_equal(get(COMMAND), 0x14); /* tested, and not locked */
    put(DATA, 0xf4);                      /* to a keyboard */
    assert_int_equal(get(COMMAND) & (FULL | 2u), 0);
    put(COMMAND, 0xae);
    assert_int_equal(get(COMMAND) & LAST_WAS_COMMAND, LAST_WAS_COMMAND);
    assert_int_equal(get(COMMAND) & FULL, 0);
}

static void its_tests_pass(void **state)
{
    (void)state;
    assert_int_equal(answer(0xaa), 0x55);
    assert_int_equal(answer(0xab), 0x00);
    assert_int_equal(answer(0xa9), 0x00);
    assert_int_equal(answer(0xc0), 0x80);
    assert_int_equal(get(COMMAND) & FULL, 0);
}

static void its_memory_holds_what_is_written(void **state)
{
    (void)state;
    assert_int_equal(answer(0x20), 0x34);
    put(COMMAND, 0x60);
    put(DATA, 0x65);
    assert_int_equal(answer(0x20), 0x65);
    put(COMMAND, 0x7f);
    put(DATA, 0x99);
    assert_int_equal(answer(0x3f), 0x99);
    put(COMMAND, 0xad); /* keyboard off */
    assert_int_equal(answer(0x20), 0x75);
    put(COMMAND, 0xae);
    put(COMMAND, 0xa8); /* mouse on */
    assert_int_equal(answer(0x20), 0x45);
    put(COMMAND, 0x60);
    put(COMMAND, 0xd0); /* another command instead of its byte */
    put(DATA, 0x11);
    assert_int_equal(answer(0x20), 0x45);
}

static void the_a20_gate_is_open(void **state)
{
    (void)state;
    assert_int_equal(answer(0xd0) & 3, 3);
    put(COMMAND, 0xd1);
    put(DATA, 0xdf); /* as boot loaders write it */
    put(COMMAND, 0xd1);
    put(DATA, 0xdd); /* closing it has no effect */
    assert_int_equal(answer(0xd0) & 3, 3);
    assert_int_equal(get(PORT_A), 2);
    put(PORT_A, 2);
    assert_int_equal(heard.resets, 0);
}

static void the_reset_line_can_be_pulled_in_three_ways(void **state)
{
    (void)state;
    put(COMMAND, 0xff); /* pulses nothing */
    assert_int_equal(heard.resets, 0);
    put(COMMAND, 0xfe);
    assert_int_equal(heard.resets, 1);
    put(COMMAND, 0xd1);
    put(DATA, 0xfe);
    assert_int_equal(heard.resets, 2);
    put(PORT_A, 3);
    assert_int_equal(heard.resets, 3);
}

static void what_is_put_in_for_the_keyboard_interrupts_if_wanted(void **state)
{
    (void)state;
    put(COMMAND, 0xd2);
    put(DATA, 0x1c);
    assert_false(heard.irq);
    assert_int_equal(get(DATA), 0x1c);
    put(COMMAND, 0x60);
    put(DATA, 0x25);
    put(COMMAND, 0xd2);
    put(DATA, 0x1d);
    assert_true(heard.irq);
    assert_int_equal(get(DATA), 0x1d);
    assert_false(heard.irq);
    put(COMMAND, 0xd3); /* for the mouse */
    put(DATA, 0x1e);
    assert_false(heard.irq);
    assert_int_equal(get(COMMAND) & (FULL | AUXILIARY), FULL | AUXILIARY);
    put(COMMAND, 0xd4); /* to the mouse, which is not there */
    put(DATA, 0xf2);
    assert_int_equal(get(DATA), 0x1e);
    assert_int_equal(get(COMMAND) & (FULL | AUXILIARY), 0);
}

static void power_on_forgets(void **state)
{
    (void)state;
    put(COMMAND, 0x60);
    put(DATA, 0x01);
    put(COMMAND, 0xaa);
    put(COMMAND, 0xd1);
    kbc->ops->reset(kbc);
    assert_int_equal(get(COMMAND), 0x14);
    put(DATA, 0x00); /* no command waits for it */
    assert_int_equal(heard.resets, 0);
    assert_int_equal(answer(0x20), 0x34);
}

#define T(test) cmocka_unit_test_setup_teardown(test, create, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_takes_commands_and_has_nothing_to_say),
        T(its_tests_pass),
        T(its_memory_holds_what_is_written),
        T(the_a20_gate_is_open),
        T(the_reset_line_can_be_pulled_in_three_ways),
        T(what_is_put_in_for_the_keyboard_interrupts_if_wanted),
        T(power_on_forgets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
