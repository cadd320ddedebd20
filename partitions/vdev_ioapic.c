/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/vdev_ioapic.h"

#include <stdlib.h>

#include "partitions/platform.h"

#define IOAPIC_BYTES 0x1000u
#define WINDOW_INDEX 0x00u
#define WINDOW_DATA 0x10u

/* Registers behind the window. */
enum {
    REGISTER_ID = 0x00,
    REGISTER_VERSION = 0x01,
    REGISTER_ARBITRATION = 0x02,
    REGISTER_REDIRECTION = 0x10,
    REGISTER_END = REGISTER_REDIRECTION + 2 * PLATFORM_IOAPIC_PINS,
};

#define VERSION (0x11u | (PLATFORM_IOAPIC_PINS - 1u) << 16)
#define ID_MASK 0x0f000000u

/* A redirection entry. */
#define ENTRY_DELIVERY_SHIFT 8
#define ENTRY_DELIVERY_MASK 0x7u
#define ENTRY_LOGICAL UINT64_C(0x800)
#define ENTRY_REMOTE_IRR UINT64_C(0x4000)
#define ENTRY_LEVEL UINT64_C(0x8000)
#define ENTRY_MASKED UINT64_C(0x10000)
#define ENTRY_DESTINATION_SHIFT 56
/* Delivery status (bit 12) and remote IRR are read only. */
#define ENTRY_WRITABLE UINT64_C(0xff0000000001afff)

struct vdev_ioapic {
    struct vdev vdev;
    uint8_t index;
    uint32_t id;
    uint32_t levels;  /* of the pins */
    uint32_t waiting; /* pins with an edge that has not been sent */
    uint64_t entries[PLATFORM_IOAPIC_PINS];
};

static struct vdev_ioapic *from_vdev(struct vdev *vdev)
{
    return (struct vdev_ioapic *)vdev;
}

static uint32_t ioapic_read_register(const struct vdev_ioapic *ioapic)
{
    uint8_t index = ioapic->index;

    if (index == REGISTER_ID || index == REGISTER_ARBITRATION)
        return ioapic->id;
    if (index == REGISTER_VERSION)
        return VERSION;
    if (index < REGISTER_REDIRECTION || index >= REGISTER_END)
        return 0;

    unsigned half = index - REGISTER_REDIRECTION;

    return (uint32_t)(ioapic->entries[half / 2] >> (half % 2 * 32));
}

static void ioapic_write_entry(struct vdev_ioapic *ioapic, unsigned half,
                               uint32_t value)
{
    uint64_t *entry = &ioapic->entries[half / 2];
    unsigned shift = half % 2 * 32;
    uint64_t writable = ENTRY_WRITABLE & (UINT64_C(0xffffffff) << shift);

    *entry = (*entry & ~writable) | ((uint64_t)value << shift & writable);
    /* An edge does not know of remote IRR; guests without another way to end
     * a level interrupt switch to edge and back for this effect. */
    if (!(*entry & ENTRY_LEVEL))
        *entry &= ~ENTRY_REMOTE_IRR;
}

static void ioapic_write_register(struct vdev_ioapic *ioapic, uint32_t value)
{
    uint8_t index = ioapic->index;

    if (index == REGISTER_ID)
        ioapic->id = value & ID_MASK;
    else if (index >= REGISTER_REDIRECTION && index < REGISTER_END)
        ioapic_write_entry(ioapic, index - REGISTER_REDIRECTION, value);
}

/* Only the index takes bytes; the data window is for whole registers, and
 * parts of it are read as such and not written. */
static uint32_t ioapic_read(struct vdev *vdev, uint64_t now_ns, uint32_t offset,
                            uint32_t bytes)
{
    const struct vdev_ioapic *ioapic = from_vdev(vdev);
    uint32_t at = offset & ~3u;
    uint32_t value = 0;

    (void)now_ns;
    (void)bytes;
    if (at == WINDOW_INDEX)
        value = ioapic->index;
    else if (at == WINDOW_DATA)
        value = ioapic_read_register(ioapic);
    return value >> (8 * (offset & 3u));
}

static void ioapic_write(struct vdev *vdev, uint64_t now_ns, uint32_t offset,
                         uint32_t bytes, uint32_t value)
{
    struct vdev_ioapic *ioapic = from_vdev(vdev);

    (void)now_ns;
    if (offset == WINDOW_INDEX)
        ioapic->index = (uint8_t)value;
    else if (offset == WINDOW_DATA && bytes == 4)
        ioapic_write_register(ioapic, value);
}

static void ioapic_reset(struct vdev *vdev)
{
    struct vdev_ioapic *ioapic = from_vdev(vdev);

    ioapic->index = 0;
    ioapic->id = 0;
    ioapic->levels = 0;
    ioapic->waiting = 0;
    for (unsigned i = 0; i < PLATFORM_IOAPIC_PINS; i++)
        ioapic->entries[i] = ENTRY_MASKED;
}

static void ioapic_free(struct vdev *vdev)
{
    free(vdev);
}

static const struct vdev_ops ioapic_ops = {
    .name = "82093AA I/O APIC",
    .width = 4,
    .read = ioapic_read,
    .write = ioapic_write,
    .reset = ioapic_reset,
    .free = ioapic_free,
};

struct vdev *vdev_ioapic_create(void)
{
    struct vdev_ioapic *ioapic = calloc(1, sizeof(*ioapic));

    if (!ioapic)
        return NULL;
    ioapic->vdev.ops = &ioapic_ops;
    ioapic->vdev.ranges[0] =
        (struct vdev_range){VDEV_MEMORY, PLATFORM_IOAPIC_GPA, IOAPIC_BYTES};
    ioapic->vdev.range_count = 1;
    ioapic->vdev.deadline_ns = VDEV_NEVER;
    ioapic_reset(&ioapic->vdev);
    return &ioapic->vdev;
}

/* An edge on a masked pin is lost, as on the 82093AA. All lines are active
 * high here: the polarity bit is kept and changes nothing, since what it
 * describes, the voltage, does not exist. */
void vdev_ioapic_set_pin(struct vdev *vdev, unsigned pin, bool level)
{
    struct vdev_ioapic *ioapic = from_vdev(vdev);

    if (pin >= PLATFORM_IOAPIC_PINS)
        return;

    uint32_t bit = 1u << pin;
    bool was = (ioapic->levels & bit) != 0;

    ioapic->levels = level ? ioapic->levels | bit : ioapic->levels & ~bit;
    if (level && !was && !(ioapic->entries[pin] & (ENTRY_MASKED | ENTRY_LEVEL)))
        ioapic->waiting |= bit;
}

static bool pin_pending(const struct vdev_ioapic *ioapic, unsigned pin)
{
    uint64_t entry = ioapic->entries[pin];

    if (entry & ENTRY_MASKED)
        return false;
    if (entry & ENTRY_LEVEL)
        return (ioapic->levels >> pin & 1) && !(entry & ENTRY_REMOTE_IRR);
    return ioapic->waiting >> pin & 1;
}

static int first_pending(const struct vdev_ioapic *ioapic)
{
    for (unsigned pin = 0; pin < PLATFORM_IOAPIC_PINS; pin++) {
        if (pin_pending(ioapic, pin))
            return (int)pin;
    }
    return -1;
}

bool vdev_ioapic_pending(const struct vdev *vdev)
{
    return first_pending((const struct vdev_ioapic *)vdev) >= 0;
}

bool vdev_ioapic_take(struct vdev *vdev, struct vdev_ioapic_interrupt *out)
{
    struct vdev_ioapic *ioapic = from_vdev(vdev);
    int pin = first_pending(ioapic);

    if (pin < 0)
        return false;

    uint64_t *entry = &ioapic->entries[pin];

    *out = (struct vdev_ioapic_interrupt){
        .delivery =
            (unsigned)(*entry >> ENTRY_DELIVERY_SHIFT) & ENTRY_DELIVERY_MASK,
        .vector = (uint8_t)*entry,
        .destination = (uint8_t)(*entry >> ENTRY_DESTINATION_SHIFT),
        .logical = (*entry & ENTRY_LOGICAL) != 0,
        .level = (*entry & ENTRY_LEVEL) != 0,
    };
    if (out->level)
        *entry |= ENTRY_REMOTE_IRR;
    ioapic->waiting &= ~(1u << pin);
    return true;
}

void vdev_ioapic_eoi(struct vdev *vdev, uint8_t vector)
{
    struct vdev_ioapic *ioapic = from_vdev(vdev);

    for (unsigned pin = 0; pin < PLATFORM_IOAPIC_PINS; pin++) {
        if ((uint8_t)ioapic->entries[pin] == vector)
            ioapic->entries[pin] &= ~ENTRY_REMOTE_IRR;
    }
}
