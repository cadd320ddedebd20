/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/vdev_i8042.h"

#include <stdlib.h>
#include <string.h>

#include "partitions/platform.h"

#define DATA_PORT 0x60
#define COMMAND_PORT 0x64
#define PORT_A 0x92

/* Offsets: the two ports of the controller, then port A. */
enum { OFFSET_DATA, OFFSET_COMMAND, OFFSET_PORT_A };

#define STATUS_OUTPUT_FULL 0x01
#define STATUS_SYSTEM 0x04 /* it has passed its test */
#define STATUS_COMMAND 0x08
#define STATUS_UNLOCKED 0x10
#define STATUS_AUXILIARY 0x20

#define CONFIG_KEYBOARD_INTERRUPT 0x01
#define CONFIG_SYSTEM 0x04
#define CONFIG_KEYBOARD_OFF 0x10
#define CONFIG_AUXILIARY_OFF 0x20
#define CONFIG_RESET                                                           \
    (CONFIG_SYSTEM | CONFIG_KEYBOARD_OFF | CONFIG_AUXILIARY_OFF)

#define RAM_BYTES 32 /* byte 0 is the configuration */

/* Commands; those that end in _DATA take the byte that is written next. */
#define COMMAND_READ_RAM 0x20  /* to 3Fh */
#define COMMAND_WRITE_RAM 0x60 /* to 7Fh */
#define COMMAND_AUXILIARY_OFF 0xa7
#define COMMAND_AUXILIARY_ON 0xa8
#define COMMAND_TEST_AUXILIARY 0xa9
#define COMMAND_TEST 0xaa
#define COMMAND_TEST_KEYBOARD 0xab
#define COMMAND_KEYBOARD_OFF 0xad
#define COMMAND_KEYBOARD_ON 0xae
#define COMMAND_READ_INPUT 0xc0
#define COMMAND_READ_OUTPUT 0xd0
#define COMMAND_OUTPUT_DATA 0xd1
#define COMMAND_KEYBOARD_DATA 0xd2
#define COMMAND_AUXILIARY_DATA 0xd3
#define COMMAND_TO_AUXILIARY_DATA 0xd4
#define COMMAND_PULSE 0xf0 /* to FFh: the lines whose bits are 0 */

#define TEST_PASSED 0x55
#define PORT_TEST_PASSED 0x00
#define INPUT_UNLOCKED 0x80

/* The output port, and the bits that a pulse means. */
#define OUTPUT_NO_RESET 0x01
#define OUTPUT_A20 0x02
#define OUTPUT_FULL 0x10

#define PORT_A_RESET 0x01
#define PORT_A_A20 0x02

struct vdev_i8042 {
    struct vdev vdev;
    vdev_i8042_reset_fn *on_reset;
    void *context;
    uint8_t ram[RAM_BYTES];
    uint8_t status;
    uint8_t output;  /* valid with STATUS_OUTPUT_FULL */
    uint8_t pending; /* the command that waits for its byte; 0: none */
};

static struct vdev_i8042 *from_vdev(struct vdev *vdev)
{
    return (struct vdev_i8042 *)vdev;
}

/* Only what is to come from the keyboard interrupts. */
static void give(struct vdev_i8042 *kbc, uint8_t value, bool keyboards)
{
    kbc->output = value;
    kbc->status |= STATUS_OUTPUT_FULL;
    kbc->status &= (uint8_t)~STATUS_AUXILIARY;
    vdev_set_irq(&kbc->vdev,
                 keyboards && (kbc->ram[0] & CONFIG_KEYBOARD_INTERRUPT));
}

static uint8_t take(struct vdev_i8042 *kbc)
{
    kbc->status &= (uint8_t) ~(STATUS_OUTPUT_FULL | STATUS_AUXILIARY);
    vdev_set_irq(&kbc->vdev, false);
    return kbc->output;
}

static uint8_t output_port(const struct vdev_i8042 *kbc)
{
    bool full = kbc->status & STATUS_OUTPUT_FULL;

    return OUTPUT_NO_RESET | OUTPUT_A20 | (full ? OUTPUT_FULL : 0);
}

static void run_test(struct vdev_i8042 *kbc)
{
    kbc->ram[0] = CONFIG_RESET;
    kbc->status |= STATUS_SYSTEM;
    give(kbc, TEST_PASSED, false);
}

static void set_config(struct vdev_i8042 *kbc, uint8_t bit, bool on)
{
    kbc->ram[0] = on ? kbc->ram[0] | bit : kbc->ram[0] & (uint8_t)~bit;
}

/* Those that are not listed do nothing, as on the chip. */
static void write_named_command(struct vdev_i8042 *kbc, uint8_t value)
{
    switch (value) {
    case COMMAND_AUXILIARY_OFF:
    case COMMAND_AUXILIARY_ON:
        set_config(kbc, CONFIG_AUXILIARY_OFF, value == COMMAND_AUXILIARY_OFF);
        break;
    case COMMAND_KEYBOARD_OFF:
    case COMMAND_KEYBOARD_ON:
        set_config(kbc, CONFIG_KEYBOARD_OFF, value == COMMAND_KEYBOARD_OFF);
        break;
    case COMMAND_TEST:
        run_test(kbc);
        break;
    case COMMAND_TEST_AUXILIARY:
    case COMMAND_TEST_KEYBOARD:
        give(kbc, PORT_TEST_PASSED, false);
        break;
    case COMMAND_READ_INPUT:
        give(kbc, INPUT_UNLOCKED, false);
        break;
    case COMMAND_READ_OUTPUT:
        give(kbc, output_port(kbc), false);
        break;
    case COMMAND_OUTPUT_DATA:
    case COMMAND_KEYBOARD_DATA:
    case COMMAND_AUXILIARY_DATA:
    case COMMAND_TO_AUXILIARY_DATA:
        kbc->pending = value;
        break;
    default:
        break;
    }
}

static void write_command(struct vdev_i8042 *kbc, uint8_t value)
{
    kbc->status |= STATUS_COMMAND;
    kbc->pending = 0;
    if (value >= COMMAND_PULSE) {
        if (!(value & OUTPUT_NO_RESET))
            kbc->on_reset(kbc->context);
    } else if ((value & 0xe0) == COMMAND_READ_RAM) {
        give(kbc, kbc->ram[value % RAM_BYTES], false);
    } else if ((value & 0xe0) == COMMAND_WRITE_RAM) {
        kbc->pending = value;
    } else {
        write_named_command(kbc, value);
    }
}

/* Without a command it is for the keyboard, which is not there to answer. */
static void write_data(struct vdev_i8042 *kbc, uint8_t value)
{
    uint8_t command = kbc->pending;

    kbc->status &= (uint8_t)~STATUS_COMMAND;
    kbc->pending = 0;
    if ((command & 0xe0) == COMMAND_WRITE_RAM) {
        kbc->ram[command % RAM_BYTES] = value;
    } else if (command == COMMAND_OUTPUT_DATA) {
        if (!(value & OUTPUT_NO_RESET))
            kbc->on_reset(kbc->context);
    } else if (command == COMMAND_KEYBOARD_DATA) {
        give(kbc, value, true);
    } else if (command == COMMAND_AUXILIARY_DATA) {
        give(kbc, value, false);
        kbc->status |= STATUS_AUXILIARY;
    }
}

static uint32_t i8042_read(struct vdev *vdev, uint64_t now_ns, uint32_t offset,
                           uint32_t bytes)
{
    struct vdev_i8042 *kbc = from_vdev(vdev);

    (void)now_ns;
    (void)bytes;
    if (offset == OFFSET_DATA)
        return take(kbc);
    return offset == OFFSET_COMMAND ? kbc->status : PORT_A_A20;
}

static void i8042_write(struct vdev *vdev, uint64_t now_ns, uint32_t offset,
                        uint32_t bytes, uint32_t value)
{
    struct vdev_i8042 *kbc = from_vdev(vdev);

    (void)now_ns;
    (void)bytes;
    if (offset == OFFSET_DATA)
        write_data(kbc, (uint8_t)value);
    else if (offset == OFFSET_COMMAND)
        write_command(kbc, (uint8_t)value);
    else if (value & PORT_A_RESET)
        kbc->on_reset(kbc->context);
}

/* As firmware leaves it: tested. */
static void i8042_reset(struct vdev *vdev)
{
    struct vdev_i8042 *kbc = from_vdev(vdev);

    memset(kbc->ram, 0, sizeof(kbc->ram));
    kbc->ram[0] = CONFIG_RESET;
    kbc->status = STATUS_SYSTEM | STATUS_UNLOCKED;
    kbc->output = 0;
    kbc->pending = 0;
    kbc->vdev.irq_level = false;
}

static void i8042_free(struct vdev *vdev)
{
    free(vdev);
}

static const struct vdev_ops i8042_ops = {
    .name = "8042 keyboard controller",
    .width = 1,
    .read = i8042_read,
    .write = i8042_write,
    .reset = i8042_reset,
    .free = i8042_free,
};

struct vdev *vdev_i8042_create(vdev_i8042_reset_fn *on_reset, void *context)
{
    struct vdev_i8042 *kbc = calloc(1, sizeof(*kbc));

    if (!kbc)
        return NULL;
    kbc->vdev.ops = &i8042_ops;
    kbc->vdev.ranges[0] = (struct vdev_range){VDEV_PORTS, DATA_PORT, 1};
    kbc->vdev.ranges[1] = (struct vdev_range){VDEV_PORTS, COMMAND_PORT, 1};
    kbc->vdev.ranges[2] = (struct vdev_range){VDEV_PORTS, PORT_A, 1};
    kbc->vdev.range_count = 3;
    kbc->vdev.gsi = PLATFORM_KEYBOARD_GSI;
    kbc->vdev.deadline_ns = VDEV_NEVER;
    kbc->on_reset = on_reset;
    kbc->context = context;
    i8042_reset(&kbc->vdev);
    return &kbc->vdev;
}
