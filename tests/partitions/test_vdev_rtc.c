/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "partitions/vdev_rtc.h"

#define SECOND UINT64_C(1000000000)
#define DAY (86400 * SECOND)

static struct vdev *rtc;
static bool irq;

static void on_irq(void *context, unsigned gsi, bool level)
{
    (void)context;
    assert_int_equal(gsi, 8);
    irq = level;
}

static const struct vdev_irq_sink irqs = {NULL, on_irq};

static int create(void **state)
{
    (void)state;
    irq = false;
    rtc = vdev_rtc_create();
    rtc->irq_sink = &irqs;
    return 0;
}

static int destroy(void **state)
{
    (void)state;
    rtc->ops->free(rtc);
    return 0;
}

static uint8_t get(uint64_t now_ns, uint8_t index)
{
    rtc->ops->write(rtc, now_ns, 0, 1, index);
    return (uint8_t)rtc->ops->read(rtc, now_ns, 1, 1);
}

static void put(uint64_t now_ns, uint8_t index, uint8_t value)
{
    rtc->ops->write(rtc, now_ns, 0, 1, index);
    rtc->ops->write(rtc, now_ns, 1, 1, value);
}

/* "24-01-01 1 00:00:00" in digits. */
static void it_is(uint64_t now_ns, uint8_t year, uint8_t month, uint8_t day,
                  uint8_t weekday, uint32_t time)
{
    assert_int_equal(get(now_ns, 9), year);
    assert_int_equal(get(now_ns, 8), month);
    assert_int_equal(get(now_ns, 7), day);
    assert_int_equal(get(now_ns, 6), weekday);
    assert_int_equal(
        get(now_ns, 4) << 16 | get(now_ns, 2) << 8 | get(now_ns, 0), time);
}

static void it_counts_simulated_time_from_a_fixed_date(void **state)
{
    (void)state;
    it_is(0, 0x24, 0x01, 0x01, 2, 0x000000);
    it_is(SECOND - 1, 0x24, 0x01, 0x01, 2, 0x000000);
    it_is(3661 * SECOND, 0x24, 0x01, 0x01, 2, 0x010101);
    it_is(59 * DAY, 0x24, 0x02, 0x29, 5, 0x000000);
    it_is(60 * DAY, 0x24, 0x03, 0x01, 6, 0x000000);
    it_is(366 * DAY - SECOND, 0x24, 0x12, 0x31, 3, 0x235959);
    it_is(366 * DAY, 0x25, 0x01, 0x01, 4, 0x000000);
}

static void formats_are_as_register_b_says(void **state)
{
    const uint64_t at = (13 * 3600 + 45 * 60) * SECOND;

    (void)state;
    assert_int_equal(get(at, 4), 0x13);
    put(at, 11, 0x06);
    assert_int_equal(get(at, 4), 13);
    assert_int_equal(get(at, 2), 45);
    put(at, 11, 0x00); /* 12 hours, BCD */
    assert_int_equal(get(at, 4), 0x81);
    assert_int_equal(get(0, 4), 0x12);
    assert_int_equal(get(at - 3600 * SECOND, 4), 0x92);
}

static void a_guest_can_set_the_time(void **state)
{
    (void)state;
    put(0, 11, 0x82);
    put(0, 9, 0x99);
    put(0, 8, 0x12);
    put(0, 7, 0x31);
    put(0, 4, 0x23);
    put(0, 2, 0x59);
    put(0, 0, 0x58);
    it_is(100 * SECOND, 0x99, 0x12, 0x31, 2, 0x235958); /* stopped */
    put(100 * SECOND, 11, 0x02);
    it_is(101 * SECOND, 0x99, 0x12, 0x31, 6, 0x235959);
    it_is(102 * SECOND, 0x00, 0x01, 0x01, 7, 0x000000);
    /* And without SET, a register at a time. */
    put(102 * SECOND, 0, 0x30);
    it_is(103 * SECOND, 0x00, 0x01, 0x01, 7, 0x000031);
}

static void an_update_is_announced(void **state)
{
    (void)state;
    assert_int_equal(get(SECOND / 2, 10), 0x26);
    assert_int_equal(get(SECOND - 2000000, 10), 0xa6);
    assert_int_equal(get(SECOND, 10), 0x26);
}

static void each_second_interrupts_until_register_c_is_read(void **state)
{
    (void)state;
    put(0, 11, 0x12);
    assert_int_equal(rtc->deadline_ns, SECOND);
    rtc->ops->expire(rtc, SECOND);
    assert_true(irq);
    assert_true(rtc->deadline_ns == VDEV_NEVER);
    assert_int_equal(get(SECOND, 12) & 0x90, 0x90);
    assert_false(irq);
    assert_int_equal(get(SECOND, 12), 0);
    assert_int_equal(rtc->deadline_ns, 2 * SECOND);
}

static void the_alarm_goes_off_at_its_time(void **state)
{
    const uint64_t at = (6 * 3600 + 30 * 60) * SECOND;

    (void)state;
    put(0, 5, 0x06);
    put(0, 3, 0x30);
    put(0, 1, 0x00);
    put(0, 11, 0x22);
    assert_int_equal(rtc->deadline_ns, at);
    rtc->ops->expire(rtc, at - SECOND);
    assert_false(irq);
    rtc->ops->expire(rtc, at);
    assert_true(irq);
    assert_int_equal(get(at, 12) & 0xa0, 0xa0);
    assert_int_equal(rtc->deadline_ns, at + DAY);
    /* Every minute: hours and minutes do not matter. */
    put(at, 5, 0xff);
    put(at, 3, 0xc0);
    assert_int_equal(rtc->deadline_ns, at + 60 * SECOND);
    /* Never: there is no such second. */
    put(at, 1, 0x61);
    assert_true(rtc->deadline_ns == VDEV_NEVER);
}

static void periodic_interrupts_have_their_rate(void **state)
{
    unsigned count = 0;

    (void)state;
    (void)get(0, 12);
    put(0, 11, 0x42);
    while (rtc->deadline_ns < SECOND) {
        uint64_t now_ns = rtc->deadline_ns;

        rtc->ops->expire(rtc, now_ns);
        assert_true(irq);
        assert_int_equal(get(now_ns, 12) & 0xc0, 0xc0);
        count++;
    }
    assert_int_equal(count, 1023); /* and one at the second itself */
    put(SECOND, 10, 0x20);
    assert_true(rtc->deadline_ns == VDEV_NEVER);
}

static void memory_keeps_and_status_does_not(void **state)
{
    (void)state;
    for (unsigned i = 14; i < 128; i++)
        put(0, (uint8_t)i, (uint8_t)(i * 3));
    for (unsigned i = 14; i < 128; i++)
        assert_int_equal(get(0, (uint8_t)(i | 0x80)), (uint8_t)(i * 3));
    put(0, 13, 0);
    put(0, 12, 0xff);
    assert_int_equal(get(0, 13), 0x80);
    assert_int_equal(get(0, 12), 0);
    rtc->ops->reset(rtc);
    assert_int_equal(get(0, 20), 0);
}

static void nonsense_in_the_date_is_a_date(void **state)
{
    (void)state;
    for (unsigned value = 0; value < 256; value++) {
        for (uint8_t index = 0; index < 12; index++)
            put(5 * SECOND, index, (uint8_t)(value * 7 + index));
        put(5 * SECOND, 11, (uint8_t)(value & 0x77));
        for (uint8_t index = 0; index < 14; index++)
            (void)get(6 * SECOND, index);
        put(6 * SECOND, 11, 0x02);
        assert_in_range(get(6 * SECOND, 8), 0x01, 0x12);
        assert_in_range(get(6 * SECOND, 7), 0x01, 0x31);
        assert_in_range(get(6 * SECOND, 4), 0x00, 0x23);
    }
}

#define T(test) cmocka_unit_test_setup_teardown(test, create, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_counts_simulated_time_from_a_fixed_date),
        T(formats_are_as_register_b_says),
        T(a_guest_can_set_the_time),
        T(an_update_is_announced),
        T(each_second_interrupts_until_register_c_is_read),
        T(the_alarm_goes_off_at_its_time),
        T(periodic_interrupts_have_their_rate),
        T(memory_keeps_and_status_does_not),
        T(nonsense_in_the_date_is_a_date),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
