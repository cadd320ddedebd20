/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The bus of a VM's devices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "partitions/vdev.h"

/* A device that writes down what it is asked. */
struct recorder {
    struct vdev vdev;
    char log[256];
    bool freed;
};

static struct recorder devices[VDEV_BUS_MAX + 1];
static struct vdev_bus bus;

static void note(struct vdev *vdev, const char *what, unsigned a, unsigned b,
                 unsigned c)
{
    struct recorder *recorder = (struct recorder *)vdev;
    size_t used = strlen(recorder->log);

    snprintf(recorder->log + used, sizeof(recorder->log) - used, "%s %x %u %x;",
             what, a, b, c);
}

static uint32_t on_read(struct vdev *vdev, uint64_t now_ns, uint32_t offset,
                        uint32_t bytes)
{
    (void)now_ns;
    note(vdev, "r", offset, bytes, 0);
    return 0xa0b0c0d0u + offset;
}

static void on_write(struct vdev *vdev, uint64_t now_ns, uint32_t offset,
                     uint32_t bytes, uint32_t value)
{
    (void)now_ns;
    note(vdev, "w", offset, bytes, value);
}

static void on_expire(struct vdev *vdev, uint64_t now_ns)
{
    note(vdev, "x", (unsigned)now_ns, 0, 0);
    vdev->deadline_ns = VDEV_NEVER;
}

static void on_reset(struct vdev *vdev)
{
    note(vdev, "0", 0, 0, 0);
}

static void on_free(struct vdev *vdev)
{
    ((struct recorder *)vdev)->freed = true;
}

#define OPS(bytes)                                                             \
    {                                                                          \
        .width = (bytes), .read = on_read, .write = on_write,                  \
        .expire = on_expire, .reset = on_reset, .free = on_free                \
    }

static const struct vdev_ops byte_ops = OPS(1);
static const struct vdev_ops wide_ops = OPS(4);

static struct recorder *add(unsigned index, const struct vdev_ops *ops,
                            enum vdev_space space, uint64_t first,
                            uint32_t count)
{
    devices[index] =
        (struct recorder){.vdev = {.ops = ops,
                                   .ranges = {{space, first, count}},
                                   .range_count = 1,
                                   .deadline_ns = VDEV_NEVER}};
    assert_true(vdev_bus_add(&bus, &devices[index].vdev));
    return &devices[index];
}

static int create(void **state)
{
    (void)state;
    bus = (struct vdev_bus){0};
    return 0;
}

static uint64_t read_port(uint64_t port, uint32_t bytes)
{
    return vdev_bus_read(&bus, 0, VDEV_PORTS, port, bytes);
}

static void where_no_device_is_a_bus_reads_ones(void **state)
{
    (void)state;
    add(0, &byte_ops, VDEV_PORTS, 0x100, 2);
    assert_true(read_port(0x80, 1) == 0xff);
    assert_true(read_port(0x80, 4) == UINT32_MAX);
    assert_true(vdev_bus_read(&bus, 0, VDEV_MEMORY, 0x100, 8) == UINT64_MAX);
    vdev_bus_write(&bus, 0, VDEV_MEMORY, UINT64_MAX - 3, 8, 1);
    assert_string_equal(devices[0].log, "");
}

static void a_wide_access_reaches_a_byte_device_byte_by_byte(void **state)
{
    struct recorder *device = add(0, &byte_ops, VDEV_PORTS, 0x100, 8);

    (void)state;
    assert_true(read_port(0x102, 2) == 0xd3d2);
    vdev_bus_write(&bus, 0, VDEV_PORTS, 0x104, 4, 0x44332211);
    assert_string_equal(device->log, "r 2 1 0;r 3 1 0;w 4 1 11;w 5 1 22;"
                                     "w 6 1 33;w 7 1 44;");
}

static void behind_the_last_register_there_is_nothing(void **state)
{
    struct recorder *device = add(0, &byte_ops, VDEV_PORTS, 0x100, 8);

    (void)state;
    assert_true(read_port(0x107, 4) == 0xffffffd7);
    assert_true(read_port(0xff, 2) == 0xd0ff);
    assert_string_equal(device->log, "r 7 1 0;r 0 1 0;");
}

static void an_access_may_reach_two_devices(void **state)
{
    (void)state;
    add(0, &byte_ops, VDEV_PORTS, 0x20, 2);
    add(1, &byte_ops, VDEV_PORTS, 0x22, 1);
    vdev_bus_write(&bus, 0, VDEV_PORTS, 0x21, 2, 0xbbaa);
    assert_string_equal(devices[0].log, "w 1 1 aa;");
    assert_string_equal(devices[1].log, "w 0 1 bb;");
}

static void what_is_not_aligned_arrives_in_aligned_pieces(void **state)
{
    struct recorder *device = add(0, &wide_ops, VDEV_MEMORY, 0xfec00000, 4096);

    (void)state;
    vdev_bus_write(&bus, 0, VDEV_MEMORY, 0xfec00003, 8,
                   UINT64_C(0x8877665544332211));
    assert_string_equal(device->log, "w 3 1 11;w 4 4 55443322;w 8 2 7766;"
                                     "w a 1 88;");
}

static void offsets_count_through_all_ranges(void **state)
{
    struct recorder *device = add(0, &byte_ops, VDEV_PORTS, 0x20, 2);
    uint16_t port;

    (void)state;
    device->vdev.ranges[1] = (struct vdev_range){VDEV_MEMORY, 0x5000, 4};
    device->vdev.ranges[2] = (struct vdev_range){VDEV_PORTS, 0xa0, 2};
    device->vdev.range_count = 3;
    (void)read_port(0xa1, 1);
    assert_string_equal(device->log, "r 7 1 0;");
    assert_true(vdev_bus_port(&bus, 1, &port));
    assert_int_equal(port, 0x21);
    assert_true(vdev_bus_port(&bus, 2, &port));
    assert_int_equal(port, 0xa0);
    assert_false(vdev_bus_port(&bus, 4, &port));
}

static void devices_are_called_when_their_time_has_come(void **state)
{
    (void)state;
    add(0, &byte_ops, VDEV_PORTS, 0x20, 2)->vdev.deadline_ns = 30;
    add(1, &byte_ops, VDEV_PORTS, 0x30, 2)->vdev.deadline_ns = 20;
    assert_int_equal(vdev_bus_deadline(&bus), 20);
    vdev_bus_expire(&bus, 25);
    assert_string_equal(devices[0].log, "");
    assert_string_equal(devices[1].log, "x 19 0 0;");
    assert_int_equal(vdev_bus_deadline(&bus), 30);
    vdev_bus_expire(&bus, 30);
    assert_true(vdev_bus_deadline(&bus) == VDEV_NEVER);
}

static void a_full_bus_takes_no_more(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VDEV_BUS_MAX; i++)
        add(i, &byte_ops, VDEV_PORTS, 0x20 + i, 1);
    devices[VDEV_BUS_MAX] =
        (struct recorder){.vdev = {.ops = &byte_ops}, .freed = false};
    assert_false(vdev_bus_add(&bus, &devices[VDEV_BUS_MAX].vdev));
    assert_true(devices[VDEV_BUS_MAX].freed);
    assert_false(vdev_bus_add(&bus, NULL));
    vdev_bus_free(&bus);
    assert_true(devices[0].freed);
}

static void ticks_and_their_times_agree(void **state)
{
    static const uint64_t rates[] = {32768, 1193182, 3579545, 1000000000};

    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        for (uint64_t ticks = 1; ticks < UINT64_C(1) << 40; ticks *= 3) {
            uint64_t ns = vdev_ticks_to_ns(ticks, rates[i]);

            assert_true(vdev_ticks(ns, rates[i]) >= ticks);
            assert_true(vdev_ticks(ns - 1, rates[i]) < ticks);
        }
    }
    assert_true(vdev_ticks_to_ns(UINT64_MAX, 1) == VDEV_NEVER);
}

#define T(test) cmocka_unit_test_setup(test, create)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(where_no_device_is_a_bus_reads_ones),
        T(a_wide_access_reaches_a_byte_device_byte_by_byte),
        T(behind_the_last_register_there_is_nothing),
        T(an_access_may_reach_two_devices),
        T(what_is_not_aligned_arrives_in_aligned_pieces),
        T(offsets_count_through_all_ranges),
        T(devices_are_called_when_their_time_has_come),
        T(a_full_bus_takes_no_more),
        T(ticks_and_their_times_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
