/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "partitions/guest_loader.h"

#define MIB (UINT64_C(1) << 20)

/* A multiboot image of 64 bytes at 1 MiB, its header first. */
struct image {
    uint32_t magic, flags, checksum;
    uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
    uint8_t code[32];
};

static struct image good_image(void)
{
    return (struct image){
        .magic = 0x1badb002,
        .flags = 0x00010003,
        .checksum = -(0x1badb002u + 0x00010003u),
        .header_addr = 0x100000,
        .load_addr = 0x100000,
        .load_end_addr = 0x100000 + sizeof(struct image),
        .bss_end_addr = 0x102000,
        .entry_addr = 0x100020,
    };
}

static enum sim_status plan_of(const struct image *image, size_t bytes,
                               uint64_t memory, struct guest_plan *plan,
                               struct sim_error *error)
{
    struct guest_image guest = {.name = "test.img",
                                .bytes = (const uint8_t *)image,
                                .size = bytes,
                                .command_line = "busy=1s"};

    return guest_loader_plan(&guest, memory, plan, error);
}

static void a_good_image_is_placed_as_its_header_says(void **state)
{
    struct image image = good_image();
    struct guest_plan plan;
    struct sim_error error;

    (void)state;
    assert_int_equal(plan_of(&image, sizeof(image), 16 * MIB, &plan, &error),
                     SIM_OK);
    assert_int_equal(plan.pieces[0].to.raw, 0x100000);
    assert_int_equal(plan.pieces[0].bytes, sizeof(image));
    assert_int_equal(plan.pieces[0].zero_bytes, 0x2000 - sizeof(image));
    assert_ptr_equal(plan.pieces[0].from, &image);
    assert_int_equal(plan.state.rip, 0x100020);
    assert_int_equal(plan.state.gpr[X86_RAX], 0x2badb002);
    assert_int_equal(plan.state.cr0 & (CR0_PE | CR0_PG), CR0_PE);
    assert_int_equal(plan.state.rflags & RFLAGS_IF, 0);
}

static uint32_t word(const struct guest_piece *piece, uint32_t offset)
{
    uint32_t value;

    assert_true(offset + 4 <= piece->bytes);
    memcpy(&value, piece->from + offset, 4);
    return value;
}

static void
the_information_structure_tells_of_memory_and_arguments(void **state)
{
    struct image image = good_image();
    struct guest_plan plan;
    struct sim_error error;

    (void)state;
    assert_int_equal(plan_of(&image, sizeof(image), 16 * MIB, &plan, &error),
                     SIM_OK);

    const struct guest_piece *info = &plan.pieces[1];
    uint32_t base = (uint32_t)info->to.raw;

    assert_int_equal(plan.state.gpr[X86_RBX], base);
    assert_int_equal(word(info, 0), 0x245);     /* flags */
    assert_int_equal(word(info, 8), 15 * 1024); /* upper KiB */
    assert_string_equal((const char *)info->from + word(info, 16) - base,
                        "busy=1s");
    assert_int_equal(word(info, 44), 2 * 24); /* two regions */
}

static void memory_above_the_device_hole_is_a_third_region(void **state)
{
    struct image image = good_image();
    static struct guest_plan plan;
    struct sim_error error;

    (void)state;
    assert_int_equal(
        plan_of(&image, sizeof(image), 5 * 1024 * MIB, &plan, &error), SIM_OK);
    assert_int_equal(word(&plan.pieces[1], 44), 3 * 24);
}

struct damage {
    void (*apply)(struct image *image);
    const char *message;
};

static void no_addresses(struct image *i)
{
    i->flags = 3;
    i->checksum = -(0x1badb002u + 3);
}

static void unknown_feature(struct image *i)
{
    i->flags |= 0x20;
    i->checksum -= 0x20;
}

static void bad_checksum(struct image *i)
{
    i->checksum++;
}

static void load_above_header(struct image *i)
{
    i->load_addr = i->header_addr + 4;
}

static void text_before_file(struct image *i)
{
    i->load_addr = i->header_addr - 4;
}

static void end_before_start(struct image *i)
{
    i->load_end_addr = i->load_addr - 1;
}

static void end_behind_file(struct image *i)
{
    i->load_end_addr++;
}

static void bss_before_end(struct image *i)
{
    i->bss_end_addr = i->load_end_addr - 1;
}

static void entry_outside(struct image *i)
{
    i->entry_addr = i->load_end_addr;
}

static void too_large(struct image *i)
{
    i->bss_end_addr = 0xffffffff;
}

static void too_low(struct image *i)
{
    uint32_t down = i->load_addr - 0x8000;

    i->header_addr -= down;
    i->load_addr -= down;
    i->load_end_addr -= down;
    i->bss_end_addr -= down;
    i->entry_addr -= down;
}

static void a_damaged_image_is_refused_with_the_reason(void **state)
{
    static const struct damage damages[] = {
        {no_addresses, "no load addresses"},
        {unknown_feature, "features that are not known"},
        {bad_checksum, "not a guest image"},
        {load_above_header, "load address above the header's"},
        {text_before_file, "text starts before the file"},
        {end_before_start, "load end before load address"},
        {end_behind_file, "data end lies behind the file's"},
        {bss_before_end, "bss ends before the data does"},
        {entry_outside, "entry address outside"},
        {too_large, "does not fit"},
        {too_low, "below 64 KiB"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        struct image image = good_image();
        struct guest_plan plan;
        struct sim_error error = {0};

        damages[i].apply(&image);
        assert_int_equal(
            plan_of(&image, sizeof(image), 16 * MIB, &plan, &error),
            SIM_NO_INPUT);
        assert_non_null(strstr(error.message, "test.img: "));
        assert_non_null(strstr(error.message, damages[i].message));
    }
}

static void every_cut_of_a_good_image_is_refused_or_loaded(void **state)
{
    struct image image = good_image();

    (void)state;
    image.load_end_addr = 0; /* "all of the file" */
    for (size_t bytes = 0; bytes <= sizeof(image); bytes++) {
        struct guest_plan plan;
        struct sim_error error;

        if (plan_of(&image, bytes, 16 * MIB, &plan, &error) == SIM_OK)
            assert_true(bytes > 0x20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_image_is_placed_as_its_header_says),
        cmocka_unit_test(
            the_information_structure_tells_of_memory_and_arguments),
        cmocka_unit_test(memory_above_the_device_hole_is_a_third_region),
        cmocka_unit_test(a_damaged_image_is_refused_with_the_reason),
        cmocka_unit_test(every_cut_of_a_good_image_is_refused_or_loaded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
