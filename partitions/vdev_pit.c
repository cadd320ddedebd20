/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/vdev_pit.h"

#include <stdlib.h>
#include <string.h>

#include "partitions/platform.h"

#define PIT_PORT 0x40
#define PIT_COUNTERS 3
#define PORT_B 0x61

/* Offsets: the counters, the control word, port 61h. */
enum { OFFSET_CONTROL = 3, OFFSET_PORT_B = 4 };

/* The control word. */
#define CONTROL_COUNTER_SHIFT 6
#define CONTROL_ACCESS_SHIFT 4
#define CONTROL_MODE_SHIFT 1
#define CONTROL_BCD 0x01
#define READ_BACK 3 /* in place of a counter */
#define READ_BACK_NO_COUNT 0x20
#define READ_BACK_NO_STATUS 0x10

enum access { ACCESS_LATCH, ACCESS_LOW, ACCESS_HIGH, ACCESS_BOTH };

#define STATUS_OUT 0x80
#define STATUS_NULL_COUNT 0x40

#define PORT_B_GATE 0x01
#define PORT_B_SPEAKER 0x02
#define PORT_B_REFRESH 0x10
#define PORT_B_OUT 0x20
#define REFRESH_NS 15085 /* half of its period */

struct counter {
    uint8_t mode; /* 0 to 5 */
    uint8_t access;
    bool bcd;
    bool loaded;  /* a whole count has been written */
    bool running; /* its time goes on: gate, and trigger */
    bool gate;
    uint32_t count;             /* 1 to 65536, or 10000 in BCD */
    uint64_t started;           /* the tick at which it was `count` */
    uint64_t held;              /* ticks since, while it does not run */
    uint64_t told;              /* ends that have interrupted */
    uint8_t written_low;        /* of two bytes, the first */
    bool write_high, read_high; /* the second one is next */
    bool latched, status_latched;
    uint16_t latch;
    uint8_t status;
};

struct vdev_pit {
    struct vdev vdev;
    struct counter counters[PIT_COUNTERS];
    bool speaker;
};

static struct vdev_pit *from_vdev(struct vdev *vdev)
{
    return (struct vdev_pit *)vdev;
}

static uint64_t tick_of(uint64_t now_ns)
{
    return vdev_ticks(now_ns, VDEV_PIT_HZ);
}

static bool is_periodic(const struct counter *c)
{
    return c->mode == 2 || c->mode == 3;
}

static uint64_t elapsed(const struct counter *c, uint64_t tick)
{
    return c->running ? tick - c->started : c->held;
}

static uint32_t modulus(const struct counter *c)
{
    return c->bcd ? 10000 : 0x10000;
}

static uint32_t to_bcd(uint32_t value)
{
    return value / 1000 % 10 << 12 | value / 100 % 10 << 8 |
           value / 10 % 10 << 4 | value % 10;
}

static uint32_t from_bcd(uint32_t value)
{
    return (value >> 12) * 1000 + (value >> 8 & 15) * 100 +
           (value >> 4 & 15) * 10 + (value & 15);
}

/* What the counting element holds. Mode 3 counts by two. */
static uint16_t current(const struct counter *c, uint64_t tick)
{
    uint64_t e = elapsed(c, tick);
    uint32_t value;

    if (!c->loaded)
        return 0;
    if (c->mode == 2)
        value = c->count - (uint32_t)(e % c->count);
    else if (c->mode == 3)
        value = c->count - (uint32_t)(2 * e % c->count);
    else
        value =
            (uint32_t)((c->count + modulus(c) - e % modulus(c)) % modulus(c));
    return (uint16_t)(c->bcd ? to_bcd(value) : value);
}

/* Modes 2 and 3 hold their output high without gate. */
static bool output(const struct counter *c, uint64_t tick)
{
    uint64_t e = elapsed(c, tick);

    switch (c->mode) {
    case 0:
        return c->loaded && e >= c->count;
    case 1:
        return !c->loaded || !c->running || e >= c->count;
    case 2:
        return !c->running || e % c->count != c->count - 1;
    case 3:
        return !c->running || e % c->count < (c->count + 1) / 2;
    default:
        return !c->running || e != c->count;
    }
}

/* How often the output has risen at the end of a count. */
static uint64_t ends(const struct counter *c, uint64_t tick)
{
    uint64_t e = elapsed(c, tick);

    if (!c->loaded || !c->running)
        return c->told;
    if (is_periodic(c))
        return e / c->count;
    return e >= c->count;
}

/* The interrupt is counter 0's output; of periods its rising edge is what
 * counts, which is given as a pulse. */
static void pit_update(struct vdev_pit *pit, uint64_t now_ns)
{
    struct counter *c = &pit->counters[0];
    uint64_t tick = tick_of(now_ns);
    uint64_t now_ended = ends(c, tick);

    if (now_ended != c->told) {
        c->told = now_ended;
        vdev_set_irq(&pit->vdev, false);
        vdev_set_irq(&pit->vdev, true);
    }
    if (c->mode == 0 && now_ended == 0)
        vdev_set_irq(&pit->vdev, false);
    pit->vdev.deadline_ns = VDEV_NEVER;
    if (c->loaded && c->running && (is_periodic(c) || now_ended == 0))
        pit->vdev.deadline_ns = vdev_ticks_to_ns(
            c->started + (now_ended + 1) * c->count, VDEV_PIT_HZ);
}

static void start(struct counter *c, uint64_t tick)
{
    c->started = tick;
    c->held = 0;
    c->told = 0;
    /* Modes 1 and 5 wait for a trigger. */
    c->running = c->gate && c->mode != 1 && c->mode != 5;
}

static void load(struct counter *c, uint64_t tick, uint32_t value)
{
    if (c->bcd)
        value = from_bcd(value);
    if (value == 0)
        value = modulus(c);
    /* A new count of a periodic mode is for the next period; here it begins
     * at once, which guests that program a rate do not see. */
    c->count = value;
    c->loaded = true;
    start(c, tick);
}

static void write_count(struct counter *c, uint64_t tick, uint8_t value)
{
    if (c->access == ACCESS_LOW) {
        load(c, tick, value);
    } else if (c->access == ACCESS_HIGH) {
        load(c, tick, (uint32_t)value << 8);
    } else if (!c->write_high) {
        c->written_low = value;
        c->write_high = true;
        if (c->mode == 0) /* the first byte stops the count */
            c->loaded = false;
    } else {
        c->write_high = false;
        load(c, tick, (uint32_t)value << 8 | c->written_low);
    }
}

static uint8_t read_count(struct counter *c, uint64_t tick)
{
    uint16_t value = c->latched ? c->latch : current(c, tick);

    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    if (c->access == ACCESS_LOW ||
        (c->access == ACCESS_BOTH && !c->read_high)) {
        c->read_high = c->access == ACCESS_BOTH;
        c->latched = c->latched && c->read_high;
        return (uint8_t)value;
    }
    c->read_high = false;
    c->latched = false;
    return (uint8_t)(value >> 8);
}

/* A latch that has not been read stays as it is. */
static void latch_count(struct counter *c, uint64_t tick)
{
    if (c->latched)
        return;
    c->latch = current(c, tick);
    c->latched = true;
}

static void latch_status(struct counter *c, uint64_t tick)
{
    if (c->status_latched)
        return;
    c->status =
        (uint8_t)((output(c, tick) ? STATUS_OUT : 0) |
                  (c->loaded ? 0 : STATUS_NULL_COUNT) |
                  c->access << CONTROL_ACCESS_SHIFT |
                  c->mode << CONTROL_MODE_SHIFT | (c->bcd ? CONTROL_BCD : 0));
    c->status_latched = true;
}

static void read_back(struct vdev_pit *pit, uint64_t tick, uint8_t value)
{
    for (unsigned i = 0; i < PIT_COUNTERS; i++) {
        if (!(value >> (i + 1) & 1))
            continue;
        if (!(value & READ_BACK_NO_COUNT))
            latch_count(&pit->counters[i], tick);
        if (!(value & READ_BACK_NO_STATUS))
            latch_status(&pit->counters[i], tick);
    }
}

static void write_control(struct vdev_pit *pit, uint64_t tick, uint8_t value)
{
    unsigned index = value >> CONTROL_COUNTER_SHIFT;
    uint8_t access = value >> CONTROL_ACCESS_SHIFT & 3;
    uint8_t mode = value >> CONTROL_MODE_SHIFT & 7;

    if (index == READ_BACK) {
        read_back(pit, tick, value);
        return;
    }
    if (access == ACCESS_LATCH) {
        latch_count(&pit->counters[index], tick);
        return;
    }
    pit->counters[index] = (struct counter){
        .mode = mode > 5 ? mode - 4 : mode, /* 6 and 7 are 2 and 3 */
        .access = access,
        .bcd = (value & CONTROL_BCD) != 0,
        .count = 1,
        .gate = pit->counters[index].gate,
    };
    /* The output goes to where the mode begins: low for mode 0. */
    if (index == 0)
        vdev_set_irq(&pit->vdev, mode != 0);
}

/* Counter 2 alone has a gate that moves. Its rising edge triggers modes 1 and
 * 5, and starts the periodic ones again. */
static void set_gate(struct counter *c, uint64_t tick, bool gate)
{
    if (gate == c->gate)
        return;
    c->gate = gate;
    if (!c->loaded)
        return;
    if (c->mode == 1 || c->mode == 5) {
        if (!gate)
            return;
        start(c, tick);
        c->running = true;
    } else if (is_periodic(c)) {
        start(c, tick);
    } else if (gate) {
        c->started = tick - c->held;
        c->running = true;
    } else {
        c->held = elapsed(c, tick);
        c->running = false;
    }
}

static uint8_t read_port_b(const struct vdev_pit *pit, uint64_t now_ns)
{
    const struct counter *c = &pit->counters[2];

    return (uint8_t)((c->gate ? PORT_B_GATE : 0) |
                     (pit->speaker ? PORT_B_SPEAKER : 0) |
                     (now_ns / REFRESH_NS % 2 ? PORT_B_REFRESH : 0) |
                     (output(c, tick_of(now_ns)) ? PORT_B_OUT : 0));
}

static uint32_t pit_read(struct vdev *vdev, uint64_t now_ns, uint32_t offset,
                         uint32_t bytes)
{
    struct vdev_pit *pit = from_vdev(vdev);

    (void)bytes;
    pit_update(pit, now_ns);
    if (offset == OFFSET_PORT_B)
        return read_port_b(pit, now_ns);
    if (offset == OFFSET_CONTROL)
        return 0xff; /* write only */
    return read_count(&pit->counters[offset], tick_of(now_ns));
}

static void pit_write(struct vdev *vdev, uint64_t now_ns, uint32_t offset,
                      uint32_t bytes, uint32_t value)
{
    struct vdev_pit *pit = from_vdev(vdev);
    uint64_t tick = tick_of(now_ns);

    (void)bytes;
    pit_update(pit, now_ns);
    if (offset == OFFSET_PORT_B) {
        pit->speaker = (value & PORT_B_SPEAKER) != 0;
        set_gate(&pit->counters[2], tick, (value & PORT_B_GATE) != 0);
    } else if (offset == OFFSET_CONTROL) {
        write_control(pit, tick, (uint8_t)value);
    } else {
        write_count(&pit->counters[offset], tick, (uint8_t)value);
    }
    pit_update(pit, now_ns);
}

static void pit_expire(struct vdev *vdev, uint64_t now_ns)
{
    pit_update(from_vdev(vdev), now_ns);
}

static void pit_reset(struct vdev *vdev)
{
    struct vdev_pit *pit = from_vdev(vdev);

    memset(pit->counters, 0, sizeof(pit->counters));
    for (unsigned i = 0; i < PIT_COUNTERS; i++) {
        pit->counters[i].access = ACCESS_BOTH;
        pit->counters[i].count = 1;
        pit->counters[i].gate = i < 2;
    }
    pit->speaker = false;
    pit->vdev.irq_level = false;
    pit->vdev.deadline_ns = VDEV_NEVER;
}

static void pit_free(struct vdev *vdev)
{
    free(vdev);
}

static const struct vdev_ops pit_ops = {
    .name = "8254 interval timer",
    .width = 1,
    .read = pit_read,
    .write = pit_write,
    .expire = pit_expire,
    .reset = pit_reset,
    .free = pit_free,
};

struct vdev *vdev_pit_create(void)
{
    struct vdev_pit *pit = calloc(1, sizeof(*pit));

    if (!pit)
        return NULL;
    pit->vdev.ops = &pit_ops;
    pit->vdev.ranges[0] = (struct vdev_range){VDEV_PORTS, PIT_PORT, 4};
    pit->vdev.ranges[1] = (struct vdev_range){VDEV_PORTS, PORT_B, 1};
    pit->vdev.range_count = 2;
    pit->vdev.gsi = PLATFORM_PIT_GSI;
    pit_reset(&pit->vdev);
    return &pit->vdev;
}
