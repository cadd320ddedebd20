/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/partitions/plan_view.h"

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

static struct guest_image guest_of(const struct image *image, size_t bytes)
{
    return (struct guest_image){.name = "test.img",
                                .bytes = (const uint8_t *)image,
                                .size = bytes,
                                .command_line = "busy=1s"};
}

static void a_good_image_is_placed_as_its_header_says(void **state)
{
    struct image image = good_image();
    struct guest_image guest = guest_of(&image, sizeof(image));
    static struct guest_plan plan;

    (void)state;
    plan_view_make_good(&plan, &guest, 16 * MIB);
    assert_ptr_equal(plan_view_at(&plan, 0x100000, sizeof(image)), &image);
    assert_int_equal(plan.pieces[1].bytes, sizeof(image));
    assert_int_equal(plan.pieces[1].zero_bytes, 0x2000 - sizeof(image));
    assert_int_equal(plan.state.rip, 0x100020);
    assert_int_equal(plan.state.gpr[X86_RAX], 0x2badb002);
    assert_int_equal(plan.state.cr0 & (CR0_PE | CR0_PG), CR0_PE);
    assert_int_equal(plan.state.rflags & RFLAGS_IF, 0);
}

/* A field of the information structure. */
static uint32_t info(const struct guest_plan *plan, uint32_t offset)
{
    return (uint32_t)plan_view_number(plan, plan->state.gpr[X86_RBX] + offset,
                                      4);
}

static const char *text_at(const struct guest_plan *plan, uint32_t address)
{
    return plan_view_at(plan, address, 1);
}

static void
the_information_structure_tells_of_memory_and_arguments(void **state)
{
    struct image image = good_image();
    struct guest_image guest = guest_of(&image, sizeof(image));
    static struct guest_plan plan;

    (void)state;
    plan_view_make_good(&plan, &guest, 16 * MIB);
    assert_int_equal(info(&plan, 0), 0x24d);     /* flags */
    assert_int_equal(info(&plan, 4), 639);       /* lower KiB */
    assert_int_equal(info(&plan, 8), 15 * 1024); /* upper KiB */
    assert_string_equal(text_at(&plan, info(&plan, 16)), "busy=1s");
    assert_int_equal(info(&plan, 20), 0); /* no modules */
}

struct region {
    uint64_t base, length;
    uint32_t type;
};

static void check_map(const struct guest_plan *plan,
                      const struct region *regions, size_t count)
{
    uint32_t at = info(plan, 48);

    assert_int_equal(info(plan, 44), count * 24);
    for (size_t i = 0; i < count; i++, at += 24) {
        assert_int_equal(plan_view_number(plan, at, 4), 20);
        assert_int_equal(plan_view_number(plan, at + 4, 8), regions[i].base);
        assert_int_equal(plan_view_number(plan, at + 12, 8), regions[i].length);
        assert_int_equal(plan_view_number(plan, at + 20, 4), regions[i].type);
    }
}

static void the_memory_map_has_the_holes_that_there_are(void **state)
{
    static const struct region regions[] = {
        {0, 0x9fc00, 1},       {0x9fc00, 0x400, 2},
        {0xe0000, 0x20000, 2}, /* the firmware's tables */
        {MIB, 3071 * MIB, 1},  {4096 * MIB, 2048 * MIB, 1},
    };
    struct image image = good_image();
    struct guest_image guest = guest_of(&image, sizeof(image));
    static struct guest_plan plan;

    (void)state;
    plan_view_make_good(&plan, &guest, 5120 * MIB);
    check_map(&plan, regions, 5);
    plan_view_make_good(&plan, &guest, 3072 * MIB);
    check_map(&plan, regions, 4);
}

static void modules_lie_on_pages_of_their_own_with_their_texts(void **state)
{
    static const uint8_t first[5000] = {1};
    static const uint8_t second[1] = {2};
    static const struct guest_module modules[] = {
        {"a", first, sizeof(first), "root=here"},
        {"b", second, sizeof(second), NULL},
    };
    static const char *const texts[] = {"root=here", ""};
    struct image image = good_image();
    struct guest_image guest = guest_of(&image, sizeof(image));
    static struct guest_plan plan;
    uint32_t list;

    (void)state;
    guest.modules = modules;
    guest.module_count = 2;
    plan_view_make_good(&plan, &guest, 16 * MIB);
    assert_int_equal(info(&plan, 20), 2);
    list = info(&plan, 24);
    for (size_t i = 0; i < 2; i++, list += 16) {
        uint64_t start = plan_view_number(&plan, list, 4);

        assert_int_equal(start % 4096, 0);
        assert_true(start >= 0x102000); /* behind the image's bss */
        assert_int_equal(plan_view_number(&plan, list + 4, 4) - start,
                         modules[i].size);
        assert_ptr_equal(plan_view_at(&plan, start, modules[i].size),
                         modules[i].bytes);
        assert_string_equal(
            text_at(&plan, (uint32_t)plan_view_number(&plan, list + 8, 4)),
            texts[i]);
    }
}

static void a_module_without_room_is_named(void **state)
{
    static const uint8_t bytes[1] = {0};
    static const struct guest_module module = {"huge.img", bytes, 64 * MIB,
                                               NULL};
    struct image image = good_image();
    struct guest_image guest = guest_of(&image, sizeof(image));

    (void)state;
    guest.modules = &module;
    guest.module_count = 1;
    plan_view_refused(&guest, 16 * MIB, SIM_NO_INPUT, "module huge.img");
}

static void a_command_line_without_room_is_the_scenarios_fault(void **state)
{
    static char line[70000];
    struct image image = good_image();
    struct guest_image guest = guest_of(&image, sizeof(image));

    (void)state;
    memset(line, 'a', sizeof(line) - 1);
    guest.command_line = line;
    plan_view_refused(&guest, 16 * MIB, SIM_BAD_SCENARIO, "too long");
    guest.command_line = NULL;
    plan_view_refused(&guest, 1 * MIB, SIM_BAD_SCENARIO, "at least 2 MiB");
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

static void upon_the_firmware(struct image *i)
{
    uint32_t down = i->load_addr - 0xdfff0;

    i->header_addr -= down;
    i->load_addr -= down;
    i->load_end_addr -= down;
    i->bss_end_addr -= down;
    i->entry_addr -= down;
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
        {no_addresses, "no ELF file"},
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
        {upon_the_firmware, "the loader's own"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        struct image image = good_image();
        struct guest_image guest = guest_of(&image, sizeof(image));

        damages[i].apply(&image);
        plan_view_refused(&guest, 16 * MIB, SIM_NO_INPUT, damages[i].message);
    }
}

static void every_cut_of_a_good_image_is_refused_or_loaded(void **state)
{
    struct image image = good_image();

    (void)state;
    image.load_end_addr = 0; /* "all of the file" */
    for (size_t bytes = 0; bytes <= sizeof(image); bytes++) {
        struct guest_image guest = guest_of(&image, bytes);
        static struct guest_plan plan;
        struct sim_error error;

        if (plan_view_make(&plan, &guest, 16 * MIB, &error) == SIM_OK)
            assert_true(bytes > 0x20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_image_is_placed_as_its_header_says),
        cmocka_unit_test(
            the_information_structure_tells_of_memory_and_arguments),
        cmocka_unit_test(the_memory_map_has_the_holes_that_there_are),
        cmocka_unit_test(modules_lie_on_pages_of_their_own_with_their_texts),
        cmocka_unit_test(a_module_without_room_is_named),
        cmocka_unit_test(a_command_line_without_room_is_the_scenarios_fault),
        cmocka_unit_test(a_damaged_image_is_refused_with_the_reason),
        cmocka_unit_test(every_cut_of_a_good_image_is_refused_or_loaded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
