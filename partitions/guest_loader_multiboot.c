/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Multiboot version 1 ("Multiboot Specification version 0.6.96"): images that
 * give their load addresses in the header (flag 16), as the guest programs of
 * workloads/ do, and ELF files; with modules.
 */
#include <inttypes.h>
#include <string.h>

#include "partitions/guest_loader_private.h"
#include "partitions/platform.h"

#define HEADER_MAGIC 0x1badb002u
#define BOOT_MAGIC 0x2badb002u
#define SEARCH_BYTES 8192

#define FLAG_PAGE_ALIGN_MODULES 0x00000001u
#define FLAG_MEMORY_INFO 0x00000002u
#define FLAG_VIDEO_MODE 0x00000004u
#define FLAG_ADDRESSES 0x00010000u
#define FLAGS_MUST_UNDERSTAND 0x0000ffffu

/* Where the information structure goes: in the first page frame above the
 * real-mode vectors and the BIOS data area. An image starts behind it. */
#define INFO_GPA 0x1000u
#define IMAGE_GPA_LEAST 0x10000u

#define INFO_FLAG_MEMORY 0x001u
#define INFO_FLAG_COMMAND_LINE 0x004u
#define INFO_FLAG_MODULES 0x008u
#define INFO_FLAG_MEMORY_MAP 0x040u
#define INFO_FLAG_LOADER_NAME 0x200u

struct multiboot_header {
    uint32_t magic, flags, checksum;
    uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

struct multiboot_info {
    uint32_t flags;
    uint32_t mem_lower, mem_upper; /* KiB */
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t mods_count, mods_addr;
    uint32_t syms[4];
    uint32_t mmap_length, mmap_addr;
    uint32_t drives_length, drives_addr;
    uint32_t config_table;
    uint32_t boot_loader_name;
    uint32_t apm_table;
};

struct __attribute__((packed)) multiboot_region {
    uint32_t size; /* of the rest */
    uint64_t base, length;
    uint32_t type;
};

struct multiboot_module {
    uint32_t start, end;
    uint32_t string;
    uint32_t reserved;
};

/* Offset of the header, which is 4-byte aligned; false if there is none. */
static bool find_header(const struct guest_image *image, size_t *offset)
{
    for (size_t at = 0; at + 12 <= image->size && at + 12 <= SEARCH_BYTES;
         at += 4) {
        uint32_t words[3];

        memcpy(words, image->bytes + at, sizeof(words));
        if (words[0] == HEADER_MAGIC && words[0] + words[1] + words[2] == 0) {
            *offset = at;
            return true;
        }
    }
    return false;
}

static enum sim_status read_header(struct guest_loading *loading,
                                   struct multiboot_header *header,
                                   size_t *offset)
{
    const struct guest_image *image = loading->image;
    uint32_t understood =
        FLAG_PAGE_ALIGN_MODULES | FLAG_MEMORY_INFO | FLAG_VIDEO_MODE;

    if (!find_header(image, offset))
        return guest_loader_refuse(loading, "not a guest image: expected a "
                                            "multiboot image");
    memcpy(header, image->bytes + *offset, 12);
    if (header->flags & FLAGS_MUST_UNDERSTAND & ~understood)
        return guest_loader_refuse(loading,
                                   "the multiboot header wants features that "
                                   "are not known (flags 0x%08" PRIx32 ")",
                                   header->flags);
    if (!(header->flags & FLAG_ADDRESSES))
        return SIM_OK;
    if (image->size - *offset < sizeof(*header))
        return guest_loader_refuse(loading, "ends within the multiboot header");
    memcpy(header, image->bytes + *offset, sizeof(*header));
    return SIM_OK;
}

static enum sim_status bad_header(struct guest_loading *loading,
                                  const char *what)
{
    return guest_loader_refuse(loading, "bad multiboot header: %s", what);
}

/* The image's own bytes, as the header's addresses say. */
static enum sim_status add_image(struct guest_loading *loading,
                                 const struct multiboot_header *header,
                                 size_t offset)
{
    const struct guest_image *image = loading->image;

    if (header->load_addr > header->header_addr)
        return bad_header(loading, "load address above the header's");

    uint64_t before = header->header_addr - header->load_addr;

    if (before > offset)
        return bad_header(loading, "text starts before the file does");

    uint64_t start = offset - before;
    uint64_t bytes = image->size - start;

    if (header->load_end_addr) {
        if (header->load_end_addr < header->load_addr)
            return bad_header(loading, "load end before load address");
        if (header->load_end_addr - header->load_addr > bytes)
            return bad_header(loading, "data end lies behind the file's");
        bytes = header->load_end_addr - header->load_addr;
    }

    uint64_t load_end = header->load_addr + bytes;
    uint64_t zero_bytes = 0;

    if (header->bss_end_addr) {
        if (header->bss_end_addr < load_end)
            return bad_header(loading, "bss ends before the data does");
        zero_bytes = header->bss_end_addr - load_end;
    }
    if (header->entry_addr < header->load_addr ||
        header->entry_addr >= load_end)
        return bad_header(loading, "entry address outside what is loaded");
    if (header->load_addr < IMAGE_GPA_LEAST)
        return bad_header(loading, "load address below 64 KiB");
    guest_loader_start_protected(loading, header->entry_addr);
    return guest_loader_add(loading, (struct guest_piece){
                                         .to = gpa(header->load_addr),
                                         .from = image->bytes + start,
                                         .bytes = bytes,
                                         .zero_bytes = zero_bytes,
                                     });
}

static enum sim_status add_elf(struct guest_loading *loading)
{
    uint64_t entry;

    if (guest_loader_elf(loading, IMAGE_GPA_LEAST, &entry) != SIM_OK)
        return loading->error->status;
    guest_loader_start_protected(loading, entry);
    return SIM_OK;
}

/* Page by page above all that there is, and the firmware's area. */
static enum sim_status add_modules(struct guest_loading *loading,
                                   uint32_t starts[GUEST_MODULES_MAX])
{
    const struct guest_image *image = loading->image;
    const struct guest_plan *plan = loading->plan;
    uint64_t at = PLATFORM_TABLES_GPA + PLATFORM_TABLES_BYTES;

    for (unsigned i = 0; i < plan->piece_count; i++) {
        const struct guest_piece *piece = &plan->pieces[i];
        uint64_t end = piece->to.raw + piece->bytes + piece->zero_bytes;

        at = end > at ? end : at;
    }
    for (size_t i = 0; i < image->module_count; i++) {
        const struct guest_module *module = &image->modules[i];
        const struct guest_piece piece = {
            .to = gpa((at + PAGE_MASK) & ~PAGE_MASK),
            .from = module->bytes,
            .bytes = module->size,
        };

        if (guest_loader_add(loading, piece) != SIM_OK)
            return sim_prefix(loading->error, "module %s", module->name);
        starts[i] = (uint32_t)piece.to.raw;
        at = piece.to.raw + piece.bytes;
    }
    return SIM_OK;
}

/* The information structure and all that it points to, in one block. */
struct info_block {
    uint8_t *bytes; /* NULL: only counting */
    size_t used;
};

/* Appends, and returns where it will be in the guest's memory. */
static uint32_t info_put(struct info_block *block, const void *from,
                         size_t bytes)
{
    size_t at = block->used;

    if (block->bytes)
        memcpy(block->bytes + at, from, bytes);
    block->used += bytes;
    return INFO_GPA + (uint32_t)at;
}

static uint32_t info_put_text(struct info_block *block, const char *text)
{
    return info_put(block, text ? text : "", strlen(text ? text : "") + 1);
}

static uint32_t info_put_map(struct info_block *block,
                             const struct guest_machine *machine,
                             uint32_t *bytes)
{
    struct guest_range ranges[GUEST_RANGES_MAX];
    struct multiboot_region map[GUEST_RANGES_MAX];
    size_t count = guest_loader_ranges(machine, ranges);

    for (size_t i = 0; i < count; i++)
        map[i] = (struct multiboot_region){sizeof(map[i]) - sizeof(map[i].size),
                                           ranges[i].base, ranges[i].bytes,
                                           ranges[i].type};
    *bytes = (uint32_t)(count * sizeof(map[0]));
    return info_put(block, map, *bytes);
}

static void fill_info(struct info_block *block,
                      const struct guest_loading *loading,
                      const uint32_t starts[GUEST_MODULES_MAX])
{
    const struct guest_image *image = loading->image;
    uint64_t low = guest_loader_low_bytes(loading->machine);
    struct multiboot_module modules[GUEST_MODULES_MAX] = {0};
    struct multiboot_info info = {
        .flags = INFO_FLAG_MEMORY | INFO_FLAG_COMMAND_LINE | INFO_FLAG_MODULES |
                 INFO_FLAG_MEMORY_MAP | INFO_FLAG_LOADER_NAME,
        .mem_lower = (uint32_t)(GUEST_CONVENTIONAL_BYTES >> 10),
        .mem_upper = (uint32_t)((low - 0x100000) >> 10),
        .mods_count = (uint32_t)image->module_count,
    };

    block->used = sizeof(info);
    info.mmap_addr = info_put_map(block, loading->machine, &info.mmap_length);
    info.boot_loader_name = info_put_text(block, "hvsim");
    info.cmdline = info_put_text(block, image->command_line);
    for (size_t i = 0; i < image->module_count; i++) {
        modules[i].start = starts[i];
        modules[i].end = starts[i] + (uint32_t)image->modules[i].size;
        modules[i].string =
            info_put_text(block, image->modules[i].command_line);
    }
    block->used = (block->used + 3) & ~(size_t)3;
    info.mods_addr =
        info_put(block, modules, image->module_count * sizeof(modules[0]));
    if (block->bytes)
        memcpy(block->bytes, &info, sizeof(info));
}

static enum sim_status add_info(struct guest_loading *loading,
                                const uint32_t starts[GUEST_MODULES_MAX])
{
    struct info_block block = {0};

    fill_info(&block, loading, starts);
    if (block.used <= IMAGE_GPA_LEAST - INFO_GPA)
        block.bytes = guest_loader_scratch(loading, block.used);
    if (!block.bytes)
        return sim_fail(loading->error, SIM_BAD_SCENARIO,
                        "%s: the arguments are too long: with the rest of what "
                        "the guest is told they take %zu bytes",
                        loading->image->name, block.used);
    fill_info(&block, loading, starts);
    loading->plan->state.gpr[X86_RAX] = BOOT_MAGIC;
    loading->plan->state.gpr[X86_RBX] = INFO_GPA;
    return guest_loader_add(loading, (struct guest_piece){
                                         .to = gpa(INFO_GPA),
                                         .from = block.bytes,
                                         .bytes = block.used,
                                     });
}

enum sim_status guest_loader_multiboot(struct guest_loading *loading)
{
    struct multiboot_header header = {0};
    uint32_t starts[GUEST_MODULES_MAX] = {0};
    size_t offset = 0;
    enum sim_status status = read_header(loading, &header, &offset);

    if (status == SIM_OK && header.flags & FLAG_ADDRESSES)
        status = add_image(loading, &header, offset);
    else if (status == SIM_OK)
        status = add_elf(loading);
    if (status == SIM_OK)
        status = add_modules(loading, starts);
    if (status == SIM_OK)
        status = add_info(loading, starts);
    return status;
}
