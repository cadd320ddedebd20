/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/vdev_pm.h"

#include <stdlib.h>

#include "partitions/platform.h"
#include "sim/core/check.h"

/* Offsets: the block at PM1, then the reset port. */
enum {
    PM_STATUS = 0,
    PM_ENABLE = 2,
    PM_CONTROL = PLATFORM_PM1_CONTROL_PORT - PLATFORM_PM1_EVENT_PORT,
    PM_TIMER = PLATFORM_PM_TIMER_PORT - PLATFORM_PM1_EVENT_PORT,
    PM_BLOCK_BYTES = PM_TIMER + 4,
    PM_RESET = PM_BLOCK_BYTES,
    /* And where processors may be added: */
    PM_GPE_STATUS,
    PM_GPE_ENABLE = PM_GPE_STATUS + 2,
    PM_PRESENT = PM_GPE_STATUS + PLATFORM_GPE0_BYTES,
    PM_ADDED = PM_PRESENT + 8,
    PM_END = PM_ADDED + 8,
};

_Static_assert(PM_PRESENT - PM_GPE_STATUS ==
                       PLATFORM_PROCESSORS_PORT - PLATFORM_GPE0_PORT &&
                   PM_END - PM_PRESENT == PLATFORM_PROCESSORS_BYTES,
               "one range");

#define EVENT_TIMER 0x0001u
#define ENABLE_MASK 0x0521u /* timer, global, power and RTC */
#define EVENT_PROCESSOR (1u << PLATFORM_PROCESSORS_GPE)
#define CONTROL_SCI_EN 0x0001u
#define CONTROL_SLEEP_TYPE_SHIFT 10
#define CONTROL_SLEEP_TYPE_MASK 0x7u
#define CONTROL_SLEEP_ENABLE 0x2000u
#define CONTROL_MASK 0x1c02u /* what is kept: sleep type, bus master reload */

/* The timer's status is set whenever its highest bit changes. */
#define TIMER_HALF (UINT64_C(1) << 31)

struct vdev_pm {
    struct vdev vdev;
    vdev_pm_request_fn *on_request;
    void *context;
    uint64_t halves_seen; /* changes of the timer's highest bit */
    uint16_t status, enable, control;
    uint16_t gpe_status, gpe_enable;
    uint64_t processors, added; /* a bit for each */
};

static struct vdev_pm *from_vdev(struct vdev *vdev)
{
    return (struct vdev_pm *)vdev;
}

/* Brings the status up to date, and with it the SCI. */
static void pm_update(struct vdev_pm *pm, uint64_t now_ns)
{
    uint64_t halves = vdev_ticks(now_ns, PLATFORM_PM_TIMER_HZ) / TIMER_HALF;

    if (halves != pm->halves_seen) {
        pm->halves_seen = halves;
        pm->status |= EVENT_TIMER;
    }
    pm->vdev.deadline_ns = VDEV_NEVER;
    if ((pm->enable & EVENT_TIMER) && !(pm->status & EVENT_TIMER))
        pm->vdev.deadline_ns =
            vdev_ticks_to_ns((halves + 1) * TIMER_HALF, PLATFORM_PM_TIMER_HZ);
    vdev_set_irq(&pm->vdev, ((pm->status & pm->enable) |
                             (pm->gpe_status & pm->gpe_enable)) != 0);
}

/* The block as its bytes lie. */
static uint64_t pm_register(const struct vdev_pm *pm, uint64_t now_ns,
                            uint32_t offset, uint32_t *from)
{
    if (offset >= PM_ADDED) {
        *from = PM_ADDED;
        return pm->added;
    }
    if (offset >= PM_PRESENT) {
        *from = PM_PRESENT;
        return pm->processors;
    }
    if (offset >= PM_GPE_STATUS) {
        *from = PM_GPE_STATUS;
        return pm->gpe_status | (uint64_t)pm->gpe_enable << 16;
    }
    if (offset >= PM_TIMER) {
        *from = PM_TIMER;
        return (uint32_t)vdev_ticks(now_ns, PLATFORM_PM_TIMER_HZ);
    }
    if (offset >= PM_CONTROL) {
        *from = PM_CONTROL;
        return pm->control | CONTROL_SCI_EN;
    }
    *from = PM_STATUS;
    return pm->status | (uint64_t)pm->enable << 16;
}

static uint32_t pm_read(struct vdev *vdev, uint64_t now_ns, uint32_t offset,
                        uint32_t bytes)
{
    struct vdev_pm *pm = from_vdev(vdev);
    uint32_t from;

    (void)bytes;
    if (offset == PM_RESET)
        return 0;
    pm_update(pm, now_ns);

    uint64_t value = pm_register(pm, now_ns, offset, &from);

    return (uint32_t)(value >> (8 * (offset - from)));
}

/* SLP_EN is not kept: it starts the transition, and reads 0. */
static void pm_write_control(struct vdev_pm *pm, uint16_t value)
{
    pm->control = value & CONTROL_MASK;
    if ((value & CONTROL_SLEEP_ENABLE) &&
        (value >> CONTROL_SLEEP_TYPE_SHIFT & CONTROL_SLEEP_TYPE_MASK) ==
            PLATFORM_S5_SLEEP_TYPE)
        pm->on_request(pm->context, VDEV_PM_POWER_OFF);
}

/* One byte into the 16-bit register that it is part of. */
static uint16_t with_byte(uint16_t old, uint32_t offset, uint8_t value)
{
    return offset & 1 ? (uint16_t)((old & 0x00ff) | value << 8)
                      : (uint16_t)((old & 0xff00) | value);
}

/* What tells of processors: bits are cleared by writing ones. */
static void pm_write_event_byte(struct vdev_pm *pm, uint32_t offset,
                                uint8_t value)
{
    uint32_t at = offset - PM_GPE_STATUS;

    if (offset >= PM_ADDED)
        pm->added &= ~((uint64_t)value << (8 * (offset - PM_ADDED)));
    else if (offset >= PM_PRESENT)
        return;
    else if (offset >= PM_GPE_ENABLE)
        pm->gpe_enable = with_byte(pm->gpe_enable, at, value) & EVENT_PROCESSOR;
    else
        pm->gpe_status &= (uint16_t)~with_byte(0, at, value);
}

static void pm_write_byte(struct vdev_pm *pm, uint32_t offset, uint8_t value)
{
    if (offset >= PM_GPE_STATUS) {
        pm_write_event_byte(pm, offset, value);
        return;
    }
    if (offset < PM_ENABLE)
        pm->status &= (uint16_t)~with_byte(0, offset, value);
    else if (offset < PM_CONTROL)
        pm->enable = with_byte(pm->enable, offset, value) & ENABLE_MASK;
    else if (offset < PM_CONTROL + 2)
        pm_write_control(pm, with_byte(pm->control, offset, value));
    else if (offset == PM_RESET && value == PLATFORM_RESET_VALUE)
        pm->on_request(pm->context, VDEV_PM_RESET);
}

static void pm_write(struct vdev *vdev, uint64_t now_ns, uint32_t offset,
                     uint32_t bytes, uint32_t value)
{
    struct vdev_pm *pm = from_vdev(vdev);

    pm_update(pm, now_ns);
    for (uint32_t i = 0; i < bytes; i++)
        pm_write_byte(pm, offset + i, (uint8_t)(value >> (8 * i)));
    pm_update(pm, now_ns);
}

static void pm_expire(struct vdev *vdev, uint64_t now_ns)
{
    pm_update(from_vdev(vdev), now_ns);
}

static void pm_reset(struct vdev *vdev)
{
    struct vdev_pm *pm = from_vdev(vdev);

    pm->halves_seen = 0;
    pm->status = 0;
    pm->enable = 0;
    pm->control = 0;
    pm->gpe_status = 0;
    pm->gpe_enable = 0;
    pm->added = 0;
    pm->vdev.irq_level = false;
    pm->vdev.deadline_ns = VDEV_NEVER;
}

static void pm_free(struct vdev *vdev)
{
    free(vdev);
}

static const struct vdev_ops pm_ops = {
    .name = "ACPI power management",
    .width = 4,
    .read = pm_read,
    .write = pm_write,
    .expire = pm_expire,
    .reset = pm_reset,
    .free = pm_free,
};

struct vdev *vdev_pm_create(vdev_pm_request_fn *on_request, void *context)
{
    struct vdev_pm *pm = calloc(1, sizeof(*pm));

    if (!pm)
        return NULL;
    pm->vdev.ops = &pm_ops;
    pm->vdev.ranges[0] = (struct vdev_range){
        VDEV_PORTS, PLATFORM_PM1_EVENT_PORT, PM_BLOCK_BYTES};
    pm->vdev.ranges[1] =
        (struct vdev_range){VDEV_PORTS, PLATFORM_RESET_PORT, 1};
    pm->vdev.range_count = 2;
    pm->vdev.gsi = PLATFORM_SCI_GSI;
    pm->on_request = on_request;
    pm->context = context;
    pm_reset(&pm->vdev);
    return &pm->vdev;
}

void vdev_pm_tell_processors(struct vdev *vdev)
{
    CHECK(vdev->range_count == 2);
    vdev->ranges[vdev->range_count++] = (struct vdev_range){
        VDEV_PORTS, PLATFORM_GPE0_PORT, PM_END - PM_GPE_STATUS};
}

void vdev_pm_set_processors(struct vdev *vdev, uint32_t count)
{
    CHECK(count >= 1 && count <= 64);
    from_vdev(vdev)->processors = UINT64_MAX >> (64 - count);
}

void vdev_pm_add_processor(struct vdev *vdev, uint64_t now_ns, uint32_t index)
{
    struct vdev_pm *pm = from_vdev(vdev);

    CHECK(vdev->range_count > 2 && index < 64);
    pm->processors |= UINT64_C(1) << index;
    pm->added |= UINT64_C(1) << index;
    pm->gpe_status |= EVENT_PROCESSOR;
    pm_update(pm, now_ns);
}
