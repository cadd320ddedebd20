/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Multiboot version 1 ("Multiboot Specification version 0.6.96"), for images
 * that give their load addresses in the header (flag 16), as the guest
 * programs of workloads/ do. ELF images without addresses, and modules, are
 * not loaded yet: such an image is refused with a message.
 */
#include <inttypes.h>
#include <string.h>

#include "partitions/guest_loader.h"

#define HEADER_MAGIC 0x1badb002u
#define BOOT_MAGIC 0x2badb002u
#define SEARCH_BYTES 8192

#define FLAG_PAGE_ALIGN_MODULES 0x00000001u
#define FLAG_MEMORY_INFO 0x00000002u
#define FLAG_VIDEO_MODE 0x00000004u
#define FLAG_ADDRESSES 0x00010000u
#define FLAGS_MUST_UNDERSTAND 0x0000ffffu

/* Where the information structure goes: in the first page frame above the
 * real-mode vectors and the BIOS data area, below the usual trampolines. */
#define INFO_GPA 0x1000u

#define INFO_FLAG_MEMORY 0x001u
#define INFO_FLAG_COMMAND_LINE 0x004u
#define INFO_FLAG_MEMORY_MAP 0x040u
#define INFO_FLAG_LOADER_NAME 0x200u

#define CONVENTIONAL_KIB 639u /* up to the extended BIOS data area */

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
    uint32_t type; /* 1: usable */
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

static bool multiboot_recognizes(const struct guest_image *image)
{
    size_t offset;

    return find_header(image, &offset);
}

static enum sim_status read_header(const struct guest_image *image,
                                   struct multiboot_header *header,
                                   size_t *offset, struct sim_error *error)
{
    uint32_t understood =
        FLAG_PAGE_ALIGN_MODULES | FLAG_MEMORY_INFO | FLAG_VIDEO_MODE;

    find_header(image, offset);
    memcpy(header, image->bytes + *offset, 12);
    if (header->flags & FLAGS_MUST_UNDERSTAND & ~understood)
        return sim_fail(error, SIM_NO_INPUT,
                        "%s: the multiboot header wants features that are not "
                        "known (flags 0x%08" PRIx32 ")",
                        image->name, header->flags);
    if (!(header->flags & FLAG_ADDRESSES))
        return sim_fail(error, SIM_NO_INPUT,
                        "%s: the multiboot header has no load addresses (flag "
                        "16), and loading by ELF headers is not built yet",
                        image->name);
    if (image->size - *offset < sizeof(*header))
        return sim_fail(error, SIM_NO_INPUT,
                        "%s: ends within the multiboot header", image->name);
    memcpy(header, image->bytes + *offset, sizeof(*header));
    return SIM_OK;
}

static enum sim_status bad_header(const struct guest_image *image,
                                  const char *what, struct sim_error *error)
{
    return sim_fail(error, SIM_NO_INPUT, "%s: bad multiboot header: %s",
                    image->name, what);
}

/* The image's own bytes, as the header's addresses say. */
static enum sim_status plan_image(const struct guest_image *image,
                                  const struct multiboot_header *header,
                                  size_t offset, uint64_t memory_bytes,
                                  struct guest_plan *plan,
                                  struct sim_error *error)
{
    if (header->load_addr > header->header_addr)
        return bad_header(image, "load address above the header's", error);

    uint64_t before = header->header_addr - header->load_addr;

    if (before > offset)
        return bad_header(image, "text starts before the file does", error);

    uint64_t start = offset - before;
    uint64_t bytes = image->size - start;

    if (header->load_end_addr) {
        if (header->load_end_addr < header->load_addr)
            return bad_header(image, "load end before load address", error);
        if (header->load_end_addr - header->load_addr > bytes)
            return bad_header(image, "data end lies behind the file's", error);
        bytes = header->load_end_addr - header->load_addr;
    }

    uint64_t load_end = header->load_addr + bytes;
    uint64_t zero_bytes = 0;

    if (header->bss_end_addr) {
        if (header->bss_end_addr < load_end)
            return bad_header(image, "bss ends before the data does", error);
        zero_bytes = header->bss_end_addr - load_end;
    }
    if (header->entry_addr < header->load_addr ||
        header->entry_addr >= load_end)
        return bad_header(image, "entry address outside what is loaded", error);
    /* Below 64 KiB lies what the loader itself writes. */
    if (header->load_addr < 0x10000)
        return bad_header(image, "load address below 64 KiB", error);
    return guest_loader_add(plan, image, memory_bytes,
                            (struct guest_piece){
                                .to = gpa(header->load_addr),
                                .from = image->bytes + start,
                                .bytes = bytes,
                                .zero_bytes = zero_bytes,
                            },
                            error);
}

/* The information structure, and behind it the command line, the loader's
 * name and the memory map, all in one piece at INFO_GPA. */
static enum sim_status plan_info(const struct guest_image *image,
                                 uint64_t memory_bytes, struct guest_plan *plan,
                                 struct sim_error *error)
{
    static const char name[] = "hvsim";
    const char *line = image->command_line ? image->command_line : "";
    size_t line_bytes = strlen(line) + 1;
    uint64_t low =
        memory_bytes < GUEST_LOW_BYTES_MAX ? memory_bytes : GUEST_LOW_BYTES_MAX;
    struct multiboot_region map[] = {
        {20, 0, CONVENTIONAL_KIB * UINT64_C(1024), 1},
        {20, 0x100000, low - 0x100000, 1},
        {20, GUEST_HIGH_GPA, memory_bytes - low, 1},
    };
    size_t map_bytes = memory_bytes > low ? sizeof(map) : 2 * sizeof(map[0]);
    uint32_t map_at = INFO_GPA + sizeof(struct multiboot_info);
    uint32_t name_at = map_at + sizeof(map);
    uint32_t line_at = name_at + sizeof(name);
    uint64_t upper_kib = (low - 0x100000) >> 10;
    struct multiboot_info info = {
        .flags = INFO_FLAG_MEMORY | INFO_FLAG_COMMAND_LINE |
                 INFO_FLAG_MEMORY_MAP | INFO_FLAG_LOADER_NAME,
        .mem_lower = CONVENTIONAL_KIB,
        .mem_upper = (uint32_t)upper_kib,
        .cmdline = line_at,
        .mmap_length = (uint32_t)map_bytes,
        .mmap_addr = map_at,
        .boot_loader_name = name_at,
    };
    uint8_t *at = guest_loader_scratch(plan, &info, sizeof(info));

    if (!guest_loader_scratch(plan, map, sizeof(map)) ||
        !guest_loader_scratch(plan, name, sizeof(name)) ||
        !guest_loader_scratch(plan, line, line_bytes))
        return sim_fail(error, SIM_BAD_SCENARIO,
                        "%s: the arguments are too long: %zu bytes, at most "
                        "%d fit",
                        image->name, line_bytes, GUEST_SCRATCH_BYTES - 256);
    return guest_loader_add(plan, image, memory_bytes,
                            (struct guest_piece){
                                .to = gpa(INFO_GPA),
                                .from = at,
                                .bytes = plan->scratch_used,
                            },
                            error);
}

/* "Machine state" of the specification: protected mode, flat 32-bit segments,
 * paging off, interrupts off. */
static void plan_state(const struct multiboot_header *header,
                       struct guest_plan *plan)
{
    const struct x86_segment code = {
        .limit = UINT32_MAX, .selector = 0x08, .attributes = 0xc09b};
    const struct x86_segment data = {
        .limit = UINT32_MAX, .selector = 0x10, .attributes = 0xc093};
    struct x86_state *state = &plan->state;

    x86_reset(state);
    for (unsigned i = 0; i < X86_SEGMENT_COUNT; i++)
        state->segment[i] = i == X86_CS ? code : data;
    state->cr0 = CR0_PE | CR0_ET;
    state->rflags = RFLAGS_FIXED;
    state->gpr[X86_RAX] = BOOT_MAGIC;
    state->gpr[X86_RBX] = INFO_GPA;
    state->rip = header->entry_addr;
}

static enum sim_status multiboot_plan(const struct guest_image *image,
                                      uint64_t memory_bytes,
                                      struct guest_plan *plan,
                                      struct sim_error *error)
{
    struct multiboot_header header = {0};
    size_t offset = 0;

    if (memory_bytes < UINT64_C(2) << 20)
        return sim_fail(error, SIM_BAD_SCENARIO,
                        "%s: a multiboot guest needs at least 2 MiB of memory",
                        image->name);
    if (read_header(image, &header, &offset, error) != SIM_OK ||
        plan_image(image, &header, offset, memory_bytes, plan, error) !=
            SIM_OK ||
        plan_info(image, memory_bytes, plan, error) != SIM_OK)
        return error->status;
    plan_state(&header, plan);
    return SIM_OK;
}

const struct guest_loader_ops guest_loader_multiboot = {
    .name = "multiboot",
    .recognizes = multiboot_recognizes,
    .plan = multiboot_plan,
};
