/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/vdev_pic.h"

#include <stdlib.h>
#include <string.h>

#define PRIMARY_PORT 0x20
#define SECONDARY_PORT 0xa0
#define ELCR_PORT 0x4d0
#define CASCADE 2  /* the primary's input that the secondary has */
#define SPURIOUS 7 /* what an interrupt that has gone is taken for */

/* Offsets: command and data of each, then the edge/level registers. */
enum { OFFSET_SECONDARY = 2, OFFSET_ELCR = 4 };

#define ICW1 0x10 /* in a command: begins initialization */
#define ICW1_ICW4 0x01
#define ICW1_SINGLE 0x02
#define ICW4_AUTO_EOI 0x02
#define OCW3 0x08
#define OCW3_READ 0x02 /* the next bit counts */
#define OCW3_READ_ISR 0x01
#define OCW3_POLL 0x04
#define OCW3_SPECIAL_MASK 0x40 /* the next bit counts */
#define OCW3_SPECIAL_MASK_ON 0x20
#define OCW2_EOI 0x20
#define OCW2_SPECIFIC 0x40
#define OCW2_ROTATE 0x80
#define POLL_PENDING 0x80

/* Inputs that cannot be level-triggered: 0, 1, 2; 8 and 13. */
static const uint8_t elcr_masks[] = {0xf8, 0xde};

struct chip {
    uint8_t irr, isr, imr;
    uint8_t lines; /* as they are */
    uint8_t elcr;
    uint8_t base;        /* vector of input 0 */
    uint8_t initialized; /* 0, or the next of ICW2 to ICW4; see below */
    uint8_t lowest;      /* the input with the lowest priority */
    bool single, wants_icw4;
    bool auto_eoi, special_mask, read_isr, poll;
};

struct vdev_pic {
    struct vdev vdev;
    struct chip chips[2]; /* primary, secondary */
};

static struct vdev_pic *from_vdev(struct vdev *vdev)
{
    return (struct vdev_pic *)vdev;
}

/* The position of the highest of `bits` in the order of priority, 0 to 7; 8
 * if there is none. */
static unsigned highest(const struct chip *chip, uint8_t bits)
{
    for (unsigned i = 0; i < 8; i++) {
        if (bits >> ((chip->lowest + 1u + i) & 7u) & 1)
            return i;
    }
    return 8;
}

static unsigned input_at(const struct chip *chip, unsigned position)
{
    return (chip->lowest + 1u + position) & 7u;
}

/* The input that interrupts, or -1. What is in service holds back its own
 * priority and those below; in special mask mode only if it is not masked. */
static int requested(const struct chip *chip)
{
    uint8_t blocking =
        chip->special_mask ? chip->isr & (uint8_t)~chip->imr : chip->isr;
    unsigned request = highest(chip, chip->irr & (uint8_t)~chip->imr);

    if (chip->initialized || request >= highest(chip, blocking))
        return -1;
    return (int)input_at(chip, request);
}

static void set_line(struct chip *chip, unsigned input, bool level)
{
    uint8_t bit = (uint8_t)(1u << input);
    bool was = (chip->lines & bit) != 0;

    chip->lines = level ? chip->lines | bit : chip->lines & (uint8_t)~bit;
    /* An edge whose line falls before it is taken is gone as well. */
    if (!level)
        chip->irr &= (uint8_t)~bit;
    else if (!was || (chip->elcr & bit))
        chip->irr |= bit;
}

/* The secondary's output is an input of the primary. */
static void cascade(struct vdev_pic *pic)
{
    set_line(&pic->chips[0], CASCADE, requested(&pic->chips[1]) >= 0);
}

/* INTA: the input goes from requested to in service. */
static void acknowledge(struct chip *chip, unsigned input)
{
    uint8_t bit = (uint8_t)(1u << input);

    if (!(chip->elcr & bit))
        chip->irr &= (uint8_t)~bit;
    if (!chip->auto_eoi)
        chip->isr |= bit;
}

static void write_icw1(struct chip *chip, uint8_t value)
{
    uint8_t lines = chip->lines;
    uint8_t elcr = chip->elcr;

    *chip = (struct chip){
        .lines = lines,
        .elcr = elcr,
        .irr = lines & elcr, /* edges are forgotten */
        .initialized = 2,    /* ICW2 is next */
        .lowest = 7,
        .single = (value & ICW1_SINGLE) != 0,
        .wants_icw4 = (value & ICW1_ICW4) != 0,
    };
}

/* ICW2 to ICW4, as far as ICW1 has announced them. ICW3 says how the two are
 * wired, which they are. */
static void write_icw(struct chip *chip, uint8_t value)
{
    if (chip->initialized == 2)
        chip->base = value & 0xf8;
    else if (chip->initialized == 4)
        chip->auto_eoi = (value & ICW4_AUTO_EOI) != 0;
    chip->initialized++;
    if (chip->initialized == 3 && chip->single)
        chip->initialized++;
    if (chip->initialized == 4 && !chip->wants_icw4)
        chip->initialized++;
    if (chip->initialized > 4)
        chip->initialized = 0;
}

/* EOI of the highest in service or of the named one, and rotation: what was
 * served gets the lowest priority. */
static void write_ocw2(struct chip *chip, uint8_t value)
{
    unsigned input = value & 7u;

    if (!(value & OCW2_SPECIFIC)) {
        unsigned position = highest(chip, chip->isr);

        if (position == 8)
            return;
        input = input_at(chip, position);
    }
    if (value & OCW2_EOI)
        chip->isr &= (uint8_t) ~(1u << input);
    if ((value & OCW2_ROTATE) && (value & (OCW2_EOI | OCW2_SPECIFIC)))
        chip->lowest = (uint8_t)input;
}

static void write_ocw3(struct chip *chip, uint8_t value)
{
    if (value & OCW3_SPECIAL_MASK)
        chip->special_mask = (value & OCW3_SPECIAL_MASK_ON) != 0;
    if (value & OCW3_POLL)
        chip->poll = true;
    else if (value & OCW3_READ)
        chip->read_isr = (value & OCW3_READ_ISR) != 0;
}

static void write_command(struct chip *chip, uint8_t value)
{
    if (value & ICW1)
        write_icw1(chip, value);
    else if (value & OCW3)
        write_ocw3(chip, value);
    else
        write_ocw2(chip, value);
}

static void write_data(struct chip *chip, uint8_t value)
{
    if (chip->initialized)
        write_icw(chip, value);
    else
        chip->imr = value;
}

/* A poll is an acknowledgement by a read. */
static uint8_t read_poll(struct chip *chip)
{
    int input = requested(chip);

    chip->poll = false;
    if (input < 0)
        return 0;
    acknowledge(chip, (unsigned)input);
    return (uint8_t)(POLL_PENDING | input);
}

static uint8_t read_chip(struct chip *chip, bool data)
{
    if (chip->poll)
        return read_poll(chip);
    if (data)
        return chip->imr;
    return chip->read_isr ? chip->isr : chip->irr;
}

static uint32_t pic_read(struct vdev *vdev, uint64_t now_ns, uint32_t offset,
                         uint32_t bytes)
{
    struct vdev_pic *pic = from_vdev(vdev);
    uint8_t value;

    (void)now_ns;
    (void)bytes;
    if (offset >= OFFSET_ELCR)
        return pic->chips[offset - OFFSET_ELCR].elcr;
    value = read_chip(&pic->chips[offset / OFFSET_SECONDARY], offset & 1);
    cascade(pic);
    return value;
}

static void write_elcr(struct chip *chip, uint8_t value)
{
    chip->elcr = value;
    chip->irr |= chip->lines & chip->elcr;
}

static void pic_write(struct vdev *vdev, uint64_t now_ns, uint32_t offset,
                      uint32_t bytes, uint32_t value)
{
    struct vdev_pic *pic = from_vdev(vdev);
    struct chip *chip;

    (void)now_ns;
    (void)bytes;
    if (offset >= OFFSET_ELCR) {
        unsigned which = offset - OFFSET_ELCR;

        write_elcr(&pic->chips[which], (uint8_t)value & elcr_masks[which]);
    } else {
        chip = &pic->chips[offset / OFFSET_SECONDARY];
        if (offset & 1)
            write_data(chip, (uint8_t)value);
        else
            write_command(chip, (uint8_t)value);
    }
    cascade(pic);
}

void vdev_pic_set_irq(struct vdev *vdev, unsigned irq, bool level)
{
    struct vdev_pic *pic = from_vdev(vdev);

    if (irq == CASCADE || irq > 15)
        return;
    set_line(&pic->chips[irq / 8], irq % 8, level);
    cascade(pic);
}

bool vdev_pic_pending(const struct vdev *vdev)
{
    return requested(&((const struct vdev_pic *)vdev)->chips[0]) >= 0;
}

/* The inputs that would be acknowledged; *second: the secondary's, or -1. */
static unsigned to_take(const struct vdev_pic *pic, int *second)
{
    int first = requested(&pic->chips[0]);

    *second = -1;
    if (first == CASCADE) {
        *second = requested(&pic->chips[1]);
        if (*second < 0)
            *second = SPURIOUS;
    }
    return first < 0 ? SPURIOUS : (unsigned)first;
}

uint8_t vdev_pic_vector(const struct vdev *vdev)
{
    const struct vdev_pic *pic = (const struct vdev_pic *)vdev;
    int second;
    unsigned first = to_take(pic, &second);

    if (second >= 0)
        return (uint8_t)(pic->chips[1].base + second);
    return (uint8_t)(pic->chips[0].base + first);
}

void vdev_pic_acknowledge(struct vdev *vdev)
{
    struct vdev_pic *pic = from_vdev(vdev);
    int first = requested(&pic->chips[0]);
    int second = requested(&pic->chips[1]);

    if (first < 0)
        return; /* spurious: nothing is in service */
    acknowledge(&pic->chips[0], (unsigned)first);
    if (first == CASCADE && second >= 0)
        acknowledge(&pic->chips[1], (unsigned)second);
    cascade(pic);
}

static void pic_reset(struct vdev *vdev)
{
    struct vdev_pic *pic = from_vdev(vdev);

    memset(pic->chips, 0, sizeof(pic->chips));
    for (unsigned i = 0; i < 2; i++) {
        pic->chips[i].lowest = 7;
        pic->chips[i].imr = 0xff; /* as firmware leaves them */
    }
}

static void pic_free(struct vdev *vdev)
{
    free(vdev);
}

static const struct vdev_ops pic_ops = {
    .name = "8259A interrupt controllers",
    .width = 1,
    .read = pic_read,
    .write = pic_write,
    .reset = pic_reset,
    .free = pic_free,
};

struct vdev *vdev_pic_create(void)
{
    struct vdev_pic *pic = calloc(1, sizeof(*pic));

    if (!pic)
        return NULL;
    pic->vdev.ops = &pic_ops;
    pic->vdev.ranges[0] = (struct vdev_range){VDEV_PORTS, PRIMARY_PORT, 2};
    pic->vdev.ranges[1] = (struct vdev_range){VDEV_PORTS, SECONDARY_PORT, 2};
    pic->vdev.ranges[2] = (struct vdev_range){VDEV_PORTS, ELCR_PORT, 2};
    pic->vdev.range_count = 3;
    pic->vdev.deadline_ns = VDEV_NEVER;
    pic_reset(&pic->vdev);
    return &pic->vdev;
}
