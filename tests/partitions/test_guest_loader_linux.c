/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "partitions/platform.h"
#include "tests/partitions/plan_view.h"

#define SETUP_BYTES 1024 /* the boot sector and one more */
#define CODE_BYTES 4096
#define KERNEL_BYTES (SETUP_BYTES + CODE_BYTES)
#define PREF_ADDRESS 0x1000000
#define INIT_SIZE 0x300000

struct kernel {
    uint8_t bytes[KERNEL_BYTES];
};

static void put(struct kernel *kernel, size_t offset, uint64_t value,
                size_t bytes)
{
    memcpy(kernel->bytes + offset, &value, bytes);
}

/* A kernel by Documentation/arch/x86/boot.rst, of protocol 2.15. */
static struct kernel good_kernel(void)
{
    struct kernel kernel = {{0}};

    put(&kernel, 0x1f1, 1, 1);               /* setup_sects */
    put(&kernel, 0x1f4, CODE_BYTES / 16, 4); /* syssize */
    put(&kernel, 0x1fe, 0xaa55, 2);
    put(&kernel, 0x200, 0x6aeb, 2); /* jump: the header ends at 0x26c */
    put(&kernel, 0x202, 0x53726448, 4);
    put(&kernel, 0x206, 0x020f, 2);
    put(&kernel, 0x211, 0x01, 1);       /* loaded high */
    put(&kernel, 0x22c, 0x7fffffff, 4); /* initrd_addr_max */
    put(&kernel, 0x230, 0x200000, 4);   /* alignment */
    put(&kernel, 0x234, 1, 1);
    put(&kernel, 0x236, 0x3f, 2); /* xloadflags */
    put(&kernel, 0x238, 2047, 4); /* cmdline_size */
    put(&kernel, 0x250, 0x1234, 8);
    put(&kernel, 0x258, PREF_ADDRESS, 8);
    put(&kernel, 0x260, INIT_SIZE, 4);
    put(&kernel, 0x264, 0xabcd, 4); /* handover_offset */
    return kernel;
}

static struct guest_image guest_of(const struct kernel *kernel)
{
    return (struct guest_image){.name = "vmlinuz",
                                .bytes = kernel->bytes,
                                .size = KERNEL_BYTES,
                                .format = GUEST_LINUX,
                                .command_line = "console=ttyS0"};
}

/* A field of the zero page. */
static uint64_t zero_page(const struct guest_plan *plan, size_t offset,
                          size_t bytes)
{
    return plan_view_number(plan, plan->state.gpr[X86_RSI] + offset, bytes);
}

static void
a_kernel_is_entered_in_64_bit_mode_where_it_prefers_to_be(void **state)
{
    struct kernel kernel = good_kernel();
    struct guest_image image = guest_of(&kernel);
    static struct guest_plan plan;

    (void)state;
    plan_view_make_good(&plan, &image, 64 * MIB);
    assert_ptr_equal(plan_view_at(&plan, PREF_ADDRESS, CODE_BYTES),
                     kernel.bytes + SETUP_BYTES);
    assert_int_equal(plan.state.rip, PREF_ADDRESS + 0x200);
    assert_true(x86_64bit_code(&plan.state));
    assert_int_equal(plan.state.rflags & RFLAGS_IF, 0);
    assert_int_equal(plan.state.segment[X86_CS].selector, 0x10); /* BOOT_CS */
    assert_int_equal(plan.state.segment[X86_DS].selector, 0x18); /* BOOT_DS */
}

static void
the_zero_page_has_the_setup_header_and_what_the_loader_adds(void **state)
{
    struct kernel kernel = good_kernel();
    struct guest_image image = guest_of(&kernel);
    static struct guest_plan plan;

    (void)state;
    plan_view_make_good(&plan, &image, 64 * MIB);
    assert_int_equal(zero_page(&plan, 0x202, 4), 0x53726448);
    assert_int_equal(zero_page(&plan, 0x264, 4), 0xabcd);
    assert_int_equal(zero_page(&plan, 0x1ef, 1), 0); /* sentinel */
    assert_int_equal(zero_page(&plan, 0x210, 1), 0xff);
    assert_int_equal(zero_page(&plan, 0x250, 8), 0); /* no setup_data */
    assert_int_equal(zero_page(&plan, 0x070, 8), PLATFORM_TABLES_GPA);
    assert_int_equal(zero_page(&plan, 0x218, 4), 0);
    assert_int_equal(zero_page(&plan, 0x21c, 4), 0);
    assert_string_equal(plan_view_at(&plan, zero_page(&plan, 0x228, 4), 14),
                        "console=ttyS0");
    assert_memory_equal(plan_view_at(&plan, PLATFORM_TABLES_GPA, 8), "RSD PTR ",
                        8);
}

static void a_header_that_runs_into_the_memory_map_is_cut(void **state)
{
    struct kernel kernel = good_kernel();
    struct guest_image image = guest_of(&kernel);
    static struct guest_plan plan;

    (void)state;
    memset(kernel.bytes + 0x268, 0xee, 0x100);
    put(&kernel, 0x201, 0xff, 1);
    plan_view_make_good(&plan, &image, 64 * MIB);
    assert_int_equal(zero_page(&plan, 0x28f, 1), 0xee);
    assert_int_equal(zero_page(&plan, 0x290, 8), 0);
    assert_int_equal(zero_page(&plan, 0x2d0, 8), 0);
}

static void
the_memory_map_has_the_hole_below_4_gib_and_what_is_above(void **state)
{
    static const uint64_t ranges[][3] = {
        {0, 0x9fc00, 1},
        {0x9fc00, 0x400, 2},
        {0xe0000, 0x20000, 2},
        {MIB, 3071 * MIB, 1},
        {4096 * MIB, 62464 * MIB, 1},
    };
    struct kernel kernel = good_kernel();
    struct guest_image image = guest_of(&kernel);
    static struct guest_plan plan;

    (void)state;
    plan_view_make_good(&plan, &image, 65536 * MIB);
    assert_int_equal(zero_page(&plan, 0x1e8, 1), 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(zero_page(&plan, 0x2d0 + 20 * i, 8), ranges[i][0]);
        assert_int_equal(zero_page(&plan, 0x2d8 + 20 * i, 8), ranges[i][1]);
        assert_int_equal(zero_page(&plan, 0x2e0 + 20 * i, 4), ranges[i][2]);
    }
    plan_view_make_good(&plan, &image, 64 * MIB);
    assert_int_equal(zero_page(&plan, 0x1e8, 1), 4);
    assert_int_equal(zero_page(&plan, 0x2d8 + 20 * 3, 8), 63 * MIB);
}

static void the_ram_disk_lies_as_high_as_the_kernel_can_take_it(void **state)
{
    static uint8_t bytes[6000];
    const struct guest_module initrd = {"initrd", bytes, sizeof(bytes), NULL};
    const struct {
        uint64_t memory, at;
    } cases[] = {
        {64 * MIB, 64 * MIB - 0x2000},
        {1024 * MIB, 1024 * MIB - 0x2000},
        {8192 * MIB, 0x7fffe000}, /* initrd_addr_max */
    };
    struct kernel kernel = good_kernel();
    struct guest_image image = guest_of(&kernel);
    static struct guest_plan plan;

    (void)state;
    image.modules = &initrd;
    image.module_count = 1;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        plan_view_make_good(&plan, &image, cases[i].memory);
        assert_int_equal(zero_page(&plan, 0x218, 4), cases[i].at);
        assert_int_equal(zero_page(&plan, 0x21c, 4), sizeof(bytes));
        assert_ptr_equal(plan_view_at(&plan, cases[i].at, sizeof(bytes)),
                         bytes);
    }
}

static void a_ram_disk_never_lies_where_the_kernel_unpacks_itself(void **state)
{
    static const uint8_t bytes[1];
    struct guest_module initrd = {"initrd", bytes, 0, NULL};
    struct kernel kernel = good_kernel();
    struct guest_image image = guest_of(&kernel);
    uint64_t room = 64 * MIB - PREF_ADDRESS - INIT_SIZE;
    static struct guest_plan plan;

    (void)state;
    image.modules = &initrd;
    image.module_count = 1;
    initrd.size = room;
    plan_view_make_good(&plan, &image, 64 * MIB);
    assert_int_equal(zero_page(&plan, 0x218, 4), PREF_ADDRESS + INIT_SIZE);
    initrd.size = room + 1;
    plan_view_refused(&image, 64 * MIB, SIM_NO_INPUT, "no room for the initrd");
    initrd.size = SIZE_MAX;
    plan_view_refused(&image, 64 * MIB, SIM_NO_INPUT, "no room for the initrd");
    put(&kernel, 0x22c, 0, 4); /* initrd_addr_max */
    initrd.size = 1;
    plan_view_refused(&image, 64 * MIB, SIM_NO_INPUT, "no room for the initrd");
}

static void a_command_line_may_be_as_long_as_the_kernel_says(void **state)
{
    static char line[16384];
    struct kernel kernel = good_kernel();
    struct guest_image image = guest_of(&kernel);
    static struct guest_plan plan;

    (void)state;
    memset(line, 'a', 2047);
    image.command_line = line;
    plan_view_make_good(&plan, &image, 64 * MIB);
    line[2047] = 'a';
    plan_view_refused(&image, 64 * MIB, SIM_BAD_SCENARIO, "2047 at most");
    put(&kernel, 0x238, UINT32_MAX, 4);
    memset(line, 'a', sizeof(line) - 1);
    plan_view_refused(&image, 64 * MIB, SIM_BAD_SCENARIO, "8191 at most");
    image.command_line = NULL;
    plan_view_make_good(&plan, &image, 64 * MIB);
}

static void a_damaged_kernel_is_refused_with_the_reason(void **state)
{
    static const struct {
        size_t offset;
        uint64_t value;
        size_t bytes;
        const char *words;
    } damages[] = {
        {0x1fe, 0, 2, "not a Linux kernel"},
        {0x202, 0, 4, "not a Linux kernel"},
        {0x206, 0x020b, 2, "boot protocol is 2.11"},
        {0x211, 0, 1, "a zImage"},
        {0x236, 0, 2, "a 32-bit kernel"},
        {0x1f1, 63, 1, "is cut short"},
        {0x1f4, CODE_BYTES / 16 + 1, 4, "is cut short"},
        {0x1f4, UINT32_MAX, 4, "is cut short"},
        {0x1f4, 0, 4, "syssize"},
        {0x1f4, 0x20, 4, "syssize"},
        {0x201, 0x61, 1, "before init_size"},
        {0x258, 0x1000001, 8, "pref_address"},
        {0x258, 0, 8, "pref_address"},
        {0x258, UINT64_MAX & ~UINT64_C(0xfff), 8, "does not fit"},
        {0x258, 0x10000000, 8, "does not fit"},
        {0x260, CODE_BYTES - 1, 4, "init_size"},
        {0x260, UINT32_MAX, 4, "does not fit"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        struct kernel kernel = good_kernel();
        struct guest_image image = guest_of(&kernel);

        put(&kernel, damages[i].offset, damages[i].value, damages[i].bytes);
        plan_view_refused(&image, 64 * MIB, SIM_NO_INPUT, damages[i].words);
    }
}

static void every_cut_of_a_kernel_is_refused(void **state)
{
    struct kernel kernel = good_kernel();
    struct guest_image image = guest_of(&kernel);

    (void)state;
    for (image.size = 0; image.size < KERNEL_BYTES; image.size++)
        plan_view_refused(&image, 64 * MIB, SIM_NO_INPUT, "");
}

/* A setup_sects of 0 means 4. */
static void an_old_count_of_setup_sectors_is_understood(void **state)
{
    static struct {
        struct kernel kernel;
        uint8_t more[3 * 512];
    } file;
    static struct guest_plan plan;
    struct guest_image image;

    (void)state;
    file.kernel = good_kernel();
    put(&file.kernel, 0x1f1, 0, 1);
    image = guest_of(&file.kernel);
    image.size = sizeof(file);
    plan_view_make_good(&plan, &image, 64 * MIB);
    assert_ptr_equal(plan_view_at(&plan, PREF_ADDRESS, CODE_BYTES),
                     &file.kernel.bytes[2560]); /* 5 sectors on */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_kernel_is_entered_in_64_bit_mode_where_it_prefers_to_be),
        cmocka_unit_test(
            the_zero_page_has_the_setup_header_and_what_the_loader_adds),
        cmocka_unit_test(a_header_that_runs_into_the_memory_map_is_cut),
        cmocka_unit_test(
            the_memory_map_has_the_hole_below_4_gib_and_what_is_above),
        cmocka_unit_test(the_ram_disk_lies_as_high_as_the_kernel_can_take_it),
        cmocka_unit_test(a_ram_disk_never_lies_where_the_kernel_unpacks_itself),
        cmocka_unit_test(a_command_line_may_be_as_long_as_the_kernel_says),
        cmocka_unit_test(a_damaged_kernel_is_refused_with_the_reason),
        cmocka_unit_test(every_cut_of_a_kernel_is_refused),
        cmocka_unit_test(an_old_count_of_setup_sectors_is_understood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
