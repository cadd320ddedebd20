/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "partitions/platform.h"
#include "partitions/vdev_pm.h"

enum { STATUS = 0, ENABLE = 2, CONTROL = 4, TIMER = 8, RESET = 12 };

#define SECOND UINT64_C(1000000000)
/* The timer's highest bit changes after 2^31 ticks. */
#define HALF_NS UINT64_C(599932015941)

struct heard {
    unsigned offs, resets;
    bool sci;
};

static struct heard heard;
static struct vdev *pm;

static void on_request(void *context, enum vdev_pm_request request)
{
    struct heard *h = context;

    h->offs += request == VDEV_PM_POWER_OFF;
    h->resets += request == VDEV_PM_RESET;
}

static void on_irq(void *context, unsigned gsi, bool level)
{
    struct heard *h = context;

    assert_int_equal(gsi, PLATFORM_SCI_GSI);
    h->sci = level;
}

static const struct vdev_irq_sink irqs = {&heard, on_irq};

static int create(void **state)
{
    (void)state;
    heard = (struct heard){0};
    pm = vdev_pm_create(on_request, &heard);
    pm->irq_sink = &irqs;
    return 0;
}

static int destroy(void **state)
{
    (void)state;
    pm->ops->free(pm);
    return 0;
}

static uint16_t get16(uint64_t now_ns, uint32_t at)
{
    return (uint16_t)pm->ops->read(pm, now_ns, at, 2);
}

static void put(uint32_t at, uint32_t bytes, uint32_t value)
{
    pm->ops->write(pm, 0, at, bytes, value);
}

static void the_timer_counts_simulated_time(void **state)
{
    (void)state;
    assert_int_equal(pm->ops->read(pm, 0, TIMER, 4), 0);
    assert_int_equal(pm->ops->read(pm, SECOND, TIMER, 4), 3579545);
    assert_int_equal(pm->ops->read(pm, SECOND, TIMER + 1, 1) & 0xff,
                     3579545 >> 8 & 0xff);
    /* After 1,200 s it has gone round. */
    assert_int_equal(pm->ops->read(pm, 1200 * SECOND, TIMER, 4),
                     (uint32_t)(1200 * UINT64_C(3579545)));
    put(TIMER, 4, 77);
    assert_int_equal(pm->ops->read(pm, 0, TIMER, 4), 0);
}

static void only_s5_with_sleep_enable_powers_off(void **state)
{
    (void)state;
    for (uint32_t type = 0; type < 8; type++) {
        put(CONTROL, 2, type << 10);
        assert_int_equal(get16(0, CONTROL), type << 10 | 1);
        assert_int_equal(heard.offs, 0);
    }
    for (uint32_t type = 0; type < 8; type++) {
        if (type != 5)
            put(CONTROL, 2, type << 10 | 0x2000);
    }
    assert_int_equal(heard.offs, 0);
    put(CONTROL, 2, 5u << 10 | 0x2000);
    assert_int_equal(heard.offs, 1);
    assert_int_equal(get16(0, CONTROL), 5u << 10 | 1);
    /* By bytes too. */
    put(CONTROL + 1, 1, (5u << 10 | 0x2000) >> 8);
    assert_int_equal(heard.offs, 2);
}

static void the_reset_port_takes_its_value_alone(void **state)
{
    (void)state;
    for (uint32_t value = 0; value < 256; value++)
        put(RESET, 1, value);
    assert_int_equal(heard.resets, 1);
    assert_int_equal(pm->ops->read(pm, 0, RESET, 1), 0);
}

enum { GPE_STATUS = 13, GPE_ENABLE = 15, PRESENT = 17, ADDED = 25 };

static void a_new_processor_raises_the_sci_once_it_is_enabled(void **state)
{
    (void)state;
    vdev_pm_tell_processors(pm);
    vdev_pm_set_processors(pm, 2);
    assert_int_equal(pm->range_count, 3);
    assert_int_equal(pm->ranges[2].first, PLATFORM_GPE0_PORT);
    assert_int_equal(pm->ranges[2].count, 20);
    assert_int_equal(pm->ops->read(pm, 0, PRESENT, 1) & 0xff, 0x3);
    vdev_pm_add_processor(pm, 0, 2);
    vdev_pm_add_processor(pm, 0, 63);
    assert_false(heard.sci);
    put(GPE_ENABLE, 2, 0xffff);
    assert_int_equal(get16(0, GPE_ENABLE), 1u << PLATFORM_PROCESSORS_GPE);
    assert_true(heard.sci);
    assert_int_equal(get16(0, GPE_STATUS), 1u << PLATFORM_PROCESSORS_GPE);
    put(GPE_STATUS, 2, 0xffff);
    assert_false(heard.sci);
    assert_int_equal(pm->ops->read(pm, 0, PRESENT, 1) & 0xff, 0x7);
    assert_int_equal(pm->ops->read(pm, 0, PRESENT + 7, 1) & 0xff, 0x80);
    assert_int_equal(pm->ops->read(pm, 0, ADDED, 1) & 0xff, 0x4);
    assert_int_equal(pm->ops->read(pm, 0, ADDED + 7, 1) & 0xff, 0x80);
    /* What is there cannot be written; what is new is cleared by a one. */
    put(PRESENT, 4, 0);
    put(ADDED, 1, 0x4);
    assert_int_equal(pm->ops->read(pm, 0, PRESENT, 1) & 0xff, 0x7);
    assert_int_equal(pm->ops->read(pm, 0, ADDED, 1) & 0xff, 0);
    assert_int_equal(pm->ops->read(pm, 0, ADDED + 7, 1) & 0xff, 0x80);
    /* A VM that is off keeps its processors. */
    pm->ops->reset(pm);
    assert_int_equal(pm->ops->read(pm, 0, PRESENT, 1) & 0xff, 0x7);
    assert_int_equal(pm->ops->read(pm, 0, ADDED + 7, 1) & 0xff, 0);
    assert_int_equal(get16(0, GPE_ENABLE), 0);
}

static void the_timers_overflow_raises_the_sci_if_enabled(void **state)
{
    (void)state;
    put(ENABLE, 2, 1);
    assert_int_equal(pm->deadline_ns, HALF_NS);
    pm->ops->expire(pm, HALF_NS - 1);
    assert_false(heard.sci);
    pm->ops->expire(pm, HALF_NS);
    assert_true(heard.sci);
    assert_int_equal(get16(HALF_NS, STATUS), 1);
    assert_true(pm->deadline_ns == VDEV_NEVER);
    /* Writing 1 clears it, and the next one is waited for. */
    pm->ops->write(pm, HALF_NS, STATUS, 2, 0xffff);
    assert_false(heard.sci);
    assert_int_equal(get16(HALF_NS, STATUS), 0);
    assert_int_equal(pm->deadline_ns, 2 * HALF_NS);
}

static void status_does_not_need_the_interrupt(void **state)
{
    (void)state;
    assert_int_equal(get16(HALF_NS, STATUS), 1);
    assert_false(heard.sci);
    pm->ops->write(pm, HALF_NS, ENABLE, 1, 1);
    assert_true(heard.sci);
    pm->ops->write(pm, HALF_NS, ENABLE, 1, 0);
    assert_false(heard.sci);
}

static void enable_keeps_the_bits_that_exist(void **state)
{
    (void)state;
    put(STATUS, 4, UINT32_MAX);
    assert_int_equal(get16(0, ENABLE), 0x0521);
    assert_int_equal(get16(0, STATUS), 0);
    assert_int_equal(pm->ops->read(pm, 0, STATUS, 4), 0x05210000);
    pm->ops->reset(pm);
    assert_int_equal(get16(0, ENABLE), 0);
    assert_true(pm->deadline_ns == VDEV_NEVER);
}

#define T(test) cmocka_unit_test_setup_teardown(test, create, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_timer_counts_simulated_time),
        T(only_s5_with_sleep_enable_powers_off),
        T(the_reset_port_takes_its_value_alone),
        T(a_new_processor_raises_the_sci_once_it_is_enabled),
        T(the_timers_overflow_raises_the_sci_if_enabled),
        T(status_does_not_need_the_interrupt),
        T(enable_keeps_the_bits_that_exist),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
