/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Linux, by the 64-bit boot protocol (Linux, Documentation/arch/x86/boot.rst
 * and zero-page.rst): the kernel's protected-mode code goes to the address
 * that it prefers and is entered at 0x200 of it, with the zero page in RSI.
 */
#include <inttypes.h>
#include <string.h>

#include "partitions/guest_loader_private.h"
#include "partitions/platform.h"
#include "sim/core/check.h"

/* Offsets in the file and in the zero page alike. */
#define OFFSET_ACPI_RSDP_ADDR 0x070
#define OFFSET_E820_ENTRIES 0x1e8
#define OFFSET_SETUP_SECTS 0x1f1
#define OFFSET_SYSSIZE 0x1f4
#define OFFSET_BOOT_FLAG 0x1fe
#define OFFSET_JUMP_LENGTH 0x201
#define OFFSET_HEADER 0x202
#define OFFSET_VERSION 0x206
#define OFFSET_TYPE_OF_LOADER 0x210
#define OFFSET_LOADFLAGS 0x211
#define OFFSET_RAMDISK_IMAGE 0x218
#define OFFSET_RAMDISK_SIZE 0x21c
#define OFFSET_CMD_LINE_PTR 0x228
#define OFFSET_INITRD_ADDR_MAX 0x22c
#define OFFSET_XLOADFLAGS 0x236
#define OFFSET_CMDLINE_SIZE 0x238
#define OFFSET_SETUP_DATA 0x250
#define OFFSET_PREF_ADDRESS 0x258
#define OFFSET_INIT_SIZE 0x260
#define HEADER_START 0x1f1
#define HEADER_END_LEAST 0x264 /* with init_size */
#define HEADER_END_MOST 0x290
#define OFFSET_E820_TABLE 0x2d0
#define E820_ENTRY_BYTES 20

#define BOOT_FLAG 0xaa55
#define HEADER_MAGIC UINT32_C(0x53726448) /* "HdrS" */
#define VERSION_LEAST 0x020c
#define LOADED_HIGH 0x01
#define XLF_KERNEL_64 0x0001
#define LOADER_UNDEFINED 0xff
#define ENTRY_64_OFFSET 0x200
#define SECTOR_BYTES 512

/* The zero page and the command line go behind the tables of 64-bit mode. */
#define ZERO_PAGE_GPA GUEST_LONG_MODE_END
#define ZERO_PAGE_BYTES 4096
#define COMMAND_LINE_GPA (ZERO_PAGE_GPA + ZERO_PAGE_BYTES)
#define COMMAND_LINE_MOST 8191 /* what we have room for */

/* What the loader reads of the setup header. */
struct kernel {
    const uint8_t *code; /* the protected-mode part */
    uint64_t code_bytes;
    uint64_t load; /* where it goes */
    uint64_t init_size;
    uint32_t command_line_max;
    uint32_t initrd_addr_max;
    size_t header_end;
};

static uint64_t field(const struct guest_image *image, size_t offset,
                      size_t bytes)
{
    uint64_t value = 0;

    CHECK(offset + bytes <= image->size);
    memcpy(&value, image->bytes + offset, bytes);
    return value;
}

static enum sim_status check_header(struct guest_loading *loading)
{
    const struct guest_image *image = loading->image;

    if (image->size < HEADER_END_MOST ||
        field(image, OFFSET_BOOT_FLAG, 2) != BOOT_FLAG ||
        field(image, OFFSET_HEADER, 4) != HEADER_MAGIC)
        return guest_loader_refuse(loading,
                                   "not a Linux kernel: expected a bzImage, "
                                   "with \"HdrS\" at offset 0x202");

    uint64_t version = field(image, OFFSET_VERSION, 2);

    if (version < VERSION_LEAST)
        return guest_loader_refuse(
            loading,
            "its boot protocol is %u.%02u; the 64-bit entry needs 2.12",
            (unsigned)version >> 8, (unsigned)version & 0xff);
    if (!(field(image, OFFSET_LOADFLAGS, 1) & LOADED_HIGH))
        return guest_loader_refuse(
            loading, "a zImage (loadflags bit 0 is clear); expected a bzImage");
    if (!(field(image, OFFSET_XLOADFLAGS, 2) & XLF_KERNEL_64))
        return guest_loader_refuse(
            loading, "a 32-bit kernel (xloadflags bit 0 is clear); expected "
                     "one with a 64-bit entry");
    return SIM_OK;
}

static enum sim_status read_code(struct guest_loading *loading,
                                 struct kernel *kernel)
{
    const struct guest_image *image = loading->image;
    uint64_t sectors = field(image, OFFSET_SETUP_SECTS, 1);
    uint64_t start = ((sectors ? sectors : 4) + 1) * SECTOR_BYTES;
    uint64_t bytes = field(image, OFFSET_SYSSIZE, 4) * 16;

    if (bytes <= ENTRY_64_OFFSET)
        return guest_loader_refuse(
            loading, "bad setup header: syssize says %" PRIu64 " bytes of code",
            bytes);
    if (start > image->size || bytes > image->size - start)
        return guest_loader_refuse(
            loading,
            "is cut short: %zu bytes, but its setup header speaks of %" PRIu64,
            image->size, start + bytes);
    kernel->code = image->bytes + start;
    kernel->code_bytes = bytes;
    return SIM_OK;
}

static enum sim_status read_placement(struct guest_loading *loading,
                                      struct kernel *kernel)
{
    const struct guest_image *image = loading->image;

    kernel->header_end = OFFSET_HEADER + field(image, OFFSET_JUMP_LENGTH, 1);
    if (kernel->header_end < HEADER_END_LEAST)
        return guest_loader_refuse(
            loading, "bad setup header: it ends at 0x%zx, before init_size",
            kernel->header_end);
    if (kernel->header_end > HEADER_END_MOST)
        kernel->header_end = HEADER_END_MOST;
    kernel->load = field(image, OFFSET_PREF_ADDRESS, 8);
    kernel->init_size = field(image, OFFSET_INIT_SIZE, 4);
    kernel->command_line_max = (uint32_t)field(image, OFFSET_CMDLINE_SIZE, 4);
    if (kernel->command_line_max > COMMAND_LINE_MOST)
        kernel->command_line_max = COMMAND_LINE_MOST;
    kernel->initrd_addr_max = (uint32_t)field(image, OFFSET_INITRD_ADDR_MAX, 4);
    if (kernel->load < UINT64_C(0x100000) || kernel->load & PAGE_MASK)
        return guest_loader_refuse(loading,
                                   "bad setup header: pref_address 0x%" PRIx64
                                   " is not a page above 1 MiB",
                                   kernel->load);
    if (kernel->init_size < kernel->code_bytes)
        return guest_loader_refuse(loading,
                                   "bad setup header: init_size %" PRIu64
                                   " is less than the code's %" PRIu64 " bytes",
                                   kernel->init_size, kernel->code_bytes);
    return SIM_OK;
}

static enum sim_status add_code(struct guest_loading *loading,
                                const struct kernel *kernel)
{
    return guest_loader_add(
        loading, (struct guest_piece){
                     .to = gpa(kernel->load),
                     .from = kernel->code,
                     .bytes = kernel->code_bytes,
                     .zero_bytes = kernel->init_size - kernel->code_bytes,
                 });
}

/* As high as the kernel can take it, clear of where it unpacks itself. */
static enum sim_status add_ramdisk(struct guest_loading *loading,
                                   const struct kernel *kernel,
                                   const struct guest_module *initrd,
                                   uint64_t *at)
{
    uint64_t top = guest_loader_low_bytes(loading->machine);
    uint64_t kernel_end = kernel->load + kernel->init_size;

    if (top > kernel->initrd_addr_max)
        top = (uint64_t)kernel->initrd_addr_max + 1;
    if (top < kernel_end || initrd->size > top - kernel_end ||
        ((top - initrd->size) & ~PAGE_MASK) < kernel_end)
        return guest_loader_refuse(
            loading,
            "no room for the initrd %s of %zu bytes: the kernel takes memory "
            "up to %" PRIu64 " MiB, and %" PRIu64 " MiB can be used",
            initrd->name, initrd->size, kernel_end >> 20, top >> 20);
    *at = (top - initrd->size) & ~PAGE_MASK;
    return guest_loader_add(loading, (struct guest_piece){
                                         .to = gpa(*at),
                                         .from = initrd->bytes,
                                         .bytes = initrd->size,
                                     });
}

static void put(uint8_t *zero_page, size_t offset, uint64_t value, size_t bytes)
{
    memcpy(zero_page + offset, &value, bytes);
}

static void put_memory_map(const struct guest_loading *loading,
                           uint8_t *zero_page)
{
    struct guest_range ranges[GUEST_RANGES_MAX];
    size_t count = guest_loader_ranges(loading->machine, ranges);

    put(zero_page, OFFSET_E820_ENTRIES, count, 1);
    for (size_t i = 0; i < count; i++) {
        size_t at = OFFSET_E820_TABLE + i * E820_ENTRY_BYTES;

        put(zero_page, at, ranges[i].base, 8);
        put(zero_page, at + 8, ranges[i].bytes, 8);
        put(zero_page, at + 16, ranges[i].type, 4);
    }
}

/* The zero page with the command line behind it. */
static enum sim_status add_zero_page(struct guest_loading *loading,
                                     const struct kernel *kernel,
                                     uint64_t ramdisk, uint64_t ramdisk_bytes)
{
    const struct guest_image *image = loading->image;
    const char *line = image->command_line ? image->command_line : "";
    size_t length = strlen(line);

    if (length > kernel->command_line_max)
        return sim_fail(loading->error, SIM_BAD_SCENARIO,
                        "%s: the command line has %zu bytes; the kernel takes "
                        "%" PRIu32 " at most",
                        image->name, length, kernel->command_line_max);

    uint8_t *page = guest_loader_scratch(loading, ZERO_PAGE_BYTES + length + 1);

    CHECK(page);
    memcpy(page + HEADER_START, image->bytes + HEADER_START,
           kernel->header_end - HEADER_START);
    put(page, OFFSET_TYPE_OF_LOADER, LOADER_UNDEFINED, 1);
    put(page, OFFSET_RAMDISK_IMAGE, ramdisk, 4);
    put(page, OFFSET_RAMDISK_SIZE, ramdisk_bytes, 4);
    put(page, OFFSET_CMD_LINE_PTR, COMMAND_LINE_GPA, 4);
    put(page, OFFSET_SETUP_DATA, 0, 8);
    put(page, OFFSET_ACPI_RSDP_ADDR, PLATFORM_TABLES_GPA, 8);
    put_memory_map(loading, page);
    memcpy(page + ZERO_PAGE_BYTES, line, length + 1);
    loading->plan->state.gpr[X86_RSI] = ZERO_PAGE_GPA;
    return guest_loader_add(loading, (struct guest_piece){
                                         .to = gpa(ZERO_PAGE_GPA),
                                         .from = page,
                                         .bytes = ZERO_PAGE_BYTES + length + 1,
                                     });
}

enum sim_status guest_loader_linux(struct guest_loading *loading)
{
    const struct guest_image *image = loading->image;
    struct kernel kernel = {0};
    uint64_t ramdisk = 0;
    uint64_t ramdisk_bytes = 0;

    CHECK(image->module_count <= 1);
    if (check_header(loading) != SIM_OK ||
        read_code(loading, &kernel) != SIM_OK ||
        read_placement(loading, &kernel) != SIM_OK ||
        add_code(loading, &kernel) != SIM_OK)
        return loading->error->status;
    if (image->module_count > 0) {
        ramdisk_bytes = image->modules[0].size;
        if (add_ramdisk(loading, &kernel, &image->modules[0], &ramdisk) !=
            SIM_OK)
            return loading->error->status;
    }
    if (guest_loader_start_long(loading, kernel.load + ENTRY_64_OFFSET) !=
        SIM_OK)
        return loading->error->status;
    return add_zero_page(loading, &kernel, ramdisk, ramdisk_bytes);
}
