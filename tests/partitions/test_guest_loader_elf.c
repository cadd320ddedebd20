/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Multiboot images without load addresses: ELF files. */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/partitions/plan_view.h"

#define TEXT_GPA 0x100000
#define DATA_GPA 0x200000
#define HIGH_HALF UINT64_C(0xc0000000)

/* Two segments; the multiboot header is the first thing in the text. */
struct elf_32 {
    Elf32_Ehdr header;
    Elf32_Phdr segments[3];
    uint32_t multiboot[3];
    uint8_t text[52];
    uint8_t data[16];
};

struct elf_64 {
    Elf64_Ehdr header;
    Elf64_Phdr segments[1];
    uint32_t multiboot[3];
    uint8_t text[52];
};

#define MULTIBOOT_HEADER                                                       \
    {                                                                          \
        0x1badb002, 0x3, -(0x1badb002u + 0x3)                                  \
    }

static struct elf_32 good_32(void)
{
    struct elf_32 file = {
        .header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32,
                               ELFDATA2LSB, EV_CURRENT},
                   .e_type = ET_EXEC,
                   .e_machine = EM_386,
                   .e_entry = TEXT_GPA + 12,
                   .e_phoff = offsetof(struct elf_32, segments),
                   .e_phentsize = sizeof(Elf32_Phdr),
                   .e_phnum = 3},
        .multiboot = MULTIBOOT_HEADER,
    };

    file.segments[0] = (Elf32_Phdr){
        .p_type = PT_LOAD,
        .p_offset = offsetof(struct elf_32, multiboot),
        .p_vaddr = TEXT_GPA,
        .p_paddr = TEXT_GPA,
        .p_filesz = 64,
        .p_memsz = 64,
    };
    file.segments[1] = (Elf32_Phdr){.p_type = PT_NOTE, .p_offset = UINT32_MAX};
    file.segments[2] = (Elf32_Phdr){
        .p_type = PT_LOAD,
        .p_offset = offsetof(struct elf_32, data),
        .p_vaddr = DATA_GPA,
        .p_paddr = DATA_GPA,
        .p_filesz = 16,
        .p_memsz = 0x3000,
    };
    return file;
}

static struct elf_64 good_64(void)
{
    struct elf_64 file = {
        .header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
                               ELFDATA2LSB, EV_CURRENT},
                   .e_type = ET_EXEC,
                   .e_machine = EM_X86_64,
                   .e_entry = HIGH_HALF + 12,
                   .e_phoff = offsetof(struct elf_64, segments),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 1},
        .multiboot = MULTIBOOT_HEADER,
    };

    file.segments[0] = (Elf64_Phdr){
        .p_type = PT_LOAD,
        .p_offset = offsetof(struct elf_64, multiboot),
        .p_vaddr = HIGH_HALF,
        .p_paddr = TEXT_GPA,
        .p_filesz = 64,
        .p_memsz = 64,
    };
    return file;
}

static struct guest_image guest_of(const void *file, size_t bytes)
{
    return (struct guest_image){
        .name = "kernel.elf", .bytes = file, .size = bytes};
}

static void segments_go_to_their_physical_addresses(void **state)
{
    struct elf_32 file = good_32();
    struct guest_image image = guest_of(&file, sizeof(file));
    static struct guest_plan plan;

    (void)state;
    plan_view_make_good(&plan, &image, 16 * MIB);
    assert_ptr_equal(plan_view_at(&plan, TEXT_GPA, 64), file.multiboot);
    assert_ptr_equal(plan_view_at(&plan, DATA_GPA, 16), file.data);
    assert_int_equal(plan.pieces[2].zero_bytes, 0x3000 - 16);
    assert_int_equal(plan.state.rip, TEXT_GPA + 12);
    assert_int_equal(plan.state.gpr[X86_RAX], 0x2badb002);
}

static void
a_64_bit_file_starts_in_protected_mode_at_its_physical_entry(void **state)
{
    struct elf_64 file = good_64();
    struct guest_image image = guest_of(&file, sizeof(file));
    static struct guest_plan plan;

    (void)state;
    plan_view_make_good(&plan, &image, 16 * MIB);
    assert_int_equal(plan.state.rip, TEXT_GPA + 12);
    assert_false(x86_long_mode(&plan.state));
}

#define DAMAGE(field, wrong, message)                                          \
    do {                                                                       \
        struct elf_32 file = good_32();                                        \
        struct guest_image image = guest_of(&file, sizeof(file));              \
                                                                               \
        file.field = (wrong);                                                  \
        plan_view_refused(&image, 16 * MIB, SIM_NO_INPUT, message);            \
    } while (0)

static void a_damaged_file_is_refused_with_the_reason(void **state)
{
    (void)state;
    DAMAGE(header.e_ident[0], 0, "no ELF file");
    DAMAGE(header.e_ident[EI_DATA], ELFDATA2MSB, "not for x86");
    DAMAGE(header.e_ident[EI_CLASS], ELFCLASS64, "not for x86");
    DAMAGE(header.e_machine, EM_ARM, "not for x86");
    DAMAGE(header.e_type, ET_DYN, "fixed addresses");
    DAMAGE(header.e_phentsize, 0, "strange size");
    DAMAGE(header.e_phoff, UINT32_MAX, "program headers lie behind");
    DAMAGE(header.e_phnum, UINT16_MAX, "program headers lie behind");
    DAMAGE(header.e_phnum, 0, "entry lies outside");
    DAMAGE(header.e_entry, TEXT_GPA + 64, "entry lies outside");
    DAMAGE(header.e_entry, DATA_GPA + 16, "entry lies outside");
    DAMAGE(segments[0].p_offset, UINT32_MAX, "a segment lies behind");
    DAMAGE(segments[0].p_filesz, UINT32_MAX, "a segment lies behind");
    DAMAGE(segments[0].p_memsz, 63, "more bytes than memory");
    DAMAGE(segments[0].p_paddr, 0x1000, "below 64 KiB");
    DAMAGE(segments[2].p_paddr, TEXT_GPA + 63, "another part of it");
    DAMAGE(segments[2].p_memsz, UINT32_MAX, "does not fit");
}

static void every_cut_of_a_file_is_refused(void **state)
{
    struct elf_32 file = good_32();
    struct elf_64 wide = good_64();

    (void)state;
    for (size_t bytes = 0; bytes < sizeof(file); bytes++) {
        struct guest_image image = guest_of(&file, bytes);

        plan_view_refused(&image, 16 * MIB, SIM_NO_INPUT, "");
    }
    for (size_t bytes = 0; bytes < sizeof(wide); bytes++) {
        struct guest_image image = guest_of(&wide, bytes);

        plan_view_refused(&image, 16 * MIB, SIM_NO_INPUT, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_go_to_their_physical_addresses),
        cmocka_unit_test(
            a_64_bit_file_starts_in_protected_mode_at_its_physical_entry),
        cmocka_unit_test(a_damaged_file_is_refused_with_the_reason),
        cmocka_unit_test(every_cut_of_a_file_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
