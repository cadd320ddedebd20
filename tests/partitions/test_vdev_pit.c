/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "partitions/vdev_pit.h"

#define CONTROL 3
#define PORT_B 4
#define OUT2 0x20

static struct vdev *pit;
static bool line;
static unsigned rises;

static void on_irq(void *context, unsigned gsi, bool level)
{
    (void)context;
    assert_int_equal(gsi, 2);
    line = level;
    rises += level;
}

static const struct vdev_irq_sink irqs = {NULL, on_irq};

static int create(void **state)
{
    (void)state;
    line = false;
    rises = 0;
    pit = vdev_pit_create();
    pit->irq_sink = &irqs;
    return 0;
}

static int destroy(void **state)
{
    (void)state;
    pit->ops->free(pit);
    return 0;
}

static uint64_t at(uint64_t tick)
{
    return vdev_ticks_to_ns(tick, VDEV_PIT_HZ);
}

static uint8_t get(uint64_t tick, uint32_t offset)
{
    return (uint8_t)pit->ops->read(pit, at(tick), offset, 1);
}

static void put(uint64_t tick, uint32_t offset, uint8_t value)
{
    pit->ops->write(pit, at(tick), offset, 1, value);
}

/* Control word and both bytes of a count. */
static void program(uint64_t tick, unsigned counter, unsigned mode,
                    uint16_t count)
{
    put(tick, CONTROL, (uint8_t)(counter << 6 | 0x30 | mode << 1));
    put(tick, counter, (uint8_t)count);
    put(tick, counter, (uint8_t)(count >> 8));
}

static unsigned count_at(uint64_t tick, unsigned counter)
{
    unsigned low;

    put(tick, CONTROL, (uint8_t)(counter << 6));
    low = get(tick, counter);
    return low | (unsigned)get(tick, counter) << 8;
}

static void mode_0_interrupts_once_at_its_end(void **state)
{
    (void)state;
    program(100, 0, 0, 1000);
    rises = 0; /* whatever the output was before */
    assert_int_equal(count_at(100, 0), 1000);
    assert_int_equal(count_at(600, 0), 500);
    assert_int_equal(pit->deadline_ns, at(1100));
    pit->ops->expire(pit, at(1100) - 1);
    assert_false(line);
    pit->ops->expire(pit, at(1100));
    assert_true(line);
    assert_true(pit->deadline_ns == VDEV_NEVER);
    pit->ops->expire(pit, at(90000));
    assert_int_equal(rises, 1);
    /* It goes on counting, round its end. */
    assert_int_equal(count_at(1101, 0), 0xffff);
    program(90000, 0, 0, 10);
    assert_false(line);
}

static void a_rate_interrupts_once_a_period(void **state)
{
    (void)state;
    for (unsigned mode = 2; mode <= 7; mode++) {
        if (mode == 4 || mode == 5)
            continue;
        pit->ops->reset(pit);
        program(0, 0, mode, 1193);
        rises = 0;
        for (unsigned i = 1; i <= 50; i++) {
            assert_int_equal(pit->deadline_ns, at(1193 * i));
            pit->ops->expire(pit, pit->deadline_ns);
            assert_int_equal(rises, i);
        }
        /* What nobody saw is one interrupt. */
        pit->ops->expire(pit, at(1193 * 100));
        assert_int_equal(rises, 51);
        assert_int_equal(pit->deadline_ns, at(1193 * 101));
    }
}

static void a_count_of_zero_is_the_longest(void **state)
{
    (void)state;
    program(0, 0, 2, 0);
    assert_int_equal(pit->deadline_ns, at(65536));
    assert_int_equal(count_at(0, 0), 0);
    assert_int_equal(count_at(1, 0), 0xffff);
}

static void counts_can_be_decimal(void **state)
{
    (void)state;
    put(0, CONTROL, 0x31); /* mode 0, BCD */
    put(0, 0, 0x00);
    put(0, 0, 0x10);
    assert_int_equal(pit->deadline_ns, at(1000));
    put(1, CONTROL, 0x00);
    assert_int_equal(get(1, 0), 0x99);
    assert_int_equal(get(1, 0), 0x09);
}

static void a_latch_keeps_until_both_bytes_are_read(void **state)
{
    (void)state;
    program(0, 0, 2, 0x8000);
    put(0x1234, CONTROL, 0x00);
    put(0x2000, CONTROL, 0x00); /* ignored: not read yet */
    assert_int_equal(get(0x3000, 0), 0xcc);
    assert_int_equal(get(0x3000, 0), 0x6d);
    assert_int_equal(get(0x3000, 0), 0x00); /* not latched: 0x5000 */
    assert_int_equal(get(0x3000, 0), 0x50);
}

static void read_back_gives_status_and_count(void **state)
{
    (void)state;
    program(0, 0, 3, 100);
    put(0, CONTROL, 0x80 | 0x30); /* another counter's count: 2, low byte... */
    put(10, CONTROL, 0xc2);
    assert_int_equal(get(10, 0), 0xb6); /* out, both bytes, mode 3 */
    assert_int_equal(get(10, 0), 80);
    assert_int_equal(get(10, 0), 0);
    put(60, CONTROL, 0xe2); /* status alone: the second half */
    assert_int_equal(get(60, 0), 0x36);
    put(60, CONTROL, 0xe8); /* counter 2 has no count yet */
    assert_int_equal(get(60, 2) & 0x7f, 0x70);
}

static void counter_2_runs_while_its_gate_is_open(void **state)
{
    (void)state;
    program(0, 2, 0, 1000);
    assert_int_equal(get(5000, PORT_B) & (OUT2 | 3), 0);
    put(5000, PORT_B, 0x03);
    assert_int_equal(get(5999, PORT_B) & (OUT2 | 3), 3);
    assert_int_equal(get(6000, PORT_B) & (OUT2 | 3), OUT2 | 3);
    program(7000, 2, 0, 1000);
    put(7400, PORT_B, 0);
    assert_int_equal(count_at(9000, 2), 600);
    put(9000, PORT_B, 1);
    assert_int_equal(get(9599, PORT_B) & OUT2, 0);
    assert_int_equal(get(9600, PORT_B) & OUT2, OUT2);
    assert_int_equal(rises, 0);
}

static void a_gate_triggers_the_one_shot(void **state)
{
    (void)state;
    program(0, 2, 1, 100);
    assert_int_equal(get(500, PORT_B) & OUT2, OUT2);
    put(1000, PORT_B, 1);
    assert_int_equal(get(1099, PORT_B) & OUT2, 0);
    assert_int_equal(get(1100, PORT_B) & OUT2, OUT2);
}

static void one_byte_counts_load_at_once(void **state)
{
    (void)state;
    put(0, CONTROL, 0x10); /* counter 0, low byte, mode 0 */
    put(0, 0, 50);
    assert_int_equal(pit->deadline_ns, at(50));
    assert_int_equal(get(10, 0), 40);
    put(10, CONTROL, 0x20); /* high byte */
    put(10, 0, 1);
    assert_int_equal(pit->deadline_ns, at(266));
}

static void nonsense_does_no_harm(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;

        uint32_t offset = (uint32_t)(seed >> 33) % 5;

        put(i * 7u, offset, (uint8_t)(seed >> 40));
        (void)get(i * 7u, (uint32_t)(seed >> 50) % 5);
        assert_true(pit->deadline_ns > at(i * 7u));
    }
}

#define T(test) cmocka_unit_test_setup_teardown(test, create, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(mode_0_interrupts_once_at_its_end),
        T(a_rate_interrupts_once_a_period),
        T(a_count_of_zero_is_the_longest),
        T(counts_can_be_decimal),
        T(a_latch_keeps_until_both_bytes_are_read),
        T(read_back_gives_status_and_count),
        T(counter_2_runs_while_its_gate_is_open),
        T(a_gate_triggers_the_one_shot),
        T(one_byte_counts_load_at_once),
        T(nonsense_does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
