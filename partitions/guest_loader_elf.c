/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * ELF executables of x86, 32 and 64 bits (System V ABI): each loadable segment
 * goes to its physical address. A 64-bit one is told as a 32-bit one is: its
 * first instructions are its own affair.
 */
#include <elf.h>
#include <inttypes.h>
#include <string.h>

#include "partitions/guest_loader_private.h"

/* The fields that matter, of either class. */
struct elf_file {
    bool is_64;
    uint64_t entry;
    uint64_t headers; /* offset of the program headers */
    unsigned header_count;
    unsigned header_bytes;
};

struct elf_segment {
    uint32_t type;
    uint64_t offset, bytes, memory_bytes;
    uint64_t physical, virtual;
};

static enum sim_status bad_elf(struct guest_loading *loading, const char *what)
{
    return guest_loader_refuse(loading, "bad ELF file: %s", what);
}

static void take_32(struct elf_file *file, const Elf32_Ehdr *header)
{
    file->entry = header->e_entry;
    file->headers = header->e_phoff;
    file->header_count = header->e_phnum;
    file->header_bytes = header->e_phentsize;
}

static void take_64(struct elf_file *file, const Elf64_Ehdr *header)
{
    file->entry = header->e_entry;
    file->headers = header->e_phoff;
    file->header_count = header->e_phnum;
    file->header_bytes = header->e_phentsize;
}

static enum sim_status read_file(struct guest_loading *loading,
                                 struct elf_file *file)
{
    const struct guest_image *image = loading->image;
    Elf32_Ehdr header_32;
    Elf64_Ehdr header_64;

    if (image->size < sizeof(header_32) ||
        memcmp(image->bytes, ELFMAG, SELFMAG) != 0)
        return guest_loader_refuse(
            loading, "the multiboot header has no load addresses (flag 16), "
                     "and it is no ELF file, which would have them");
    file->is_64 = image->bytes[EI_CLASS] == ELFCLASS64;
    if (file->is_64 && image->size < sizeof(header_64))
        return bad_elf(loading, "it ends within its header");
    memcpy(&header_32, image->bytes, sizeof(header_32));
    if (image->bytes[EI_DATA] != ELFDATA2LSB ||
        header_32.e_machine != (file->is_64 ? EM_X86_64 : EM_386))
        return bad_elf(loading, "it is not for x86");
    if (header_32.e_type != ET_EXEC)
        return bad_elf(loading, "it is not an executable with fixed addresses");
    if (file->is_64) {
        memcpy(&header_64, image->bytes, sizeof(header_64));
        take_64(file, &header_64);
    } else {
        take_32(file, &header_32);
    }
    if (file->header_bytes !=
        (file->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)))
        return bad_elf(loading, "its program headers have a strange size");
    if (file->headers > image->size ||
        (uint64_t)file->header_count * file->header_bytes >
            image->size - file->headers)
        return bad_elf(loading, "its program headers lie behind its end");
    return SIM_OK;
}

static struct elf_segment read_segment(const struct guest_image *image,
                                       const struct elf_file *file,
                                       unsigned number)
{
    const uint8_t *at =
        image->bytes + file->headers + (uint64_t)number * file->header_bytes;
    Elf32_Phdr s32;
    Elf64_Phdr s64;

    if (file->is_64) {
        memcpy(&s64, at, sizeof(s64));
        return (struct elf_segment){s64.p_type,  s64.p_offset, s64.p_filesz,
                                    s64.p_memsz, s64.p_paddr,  s64.p_vaddr};
    }
    memcpy(&s32, at, sizeof(s32));
    return (struct elf_segment){s32.p_type,  s32.p_offset, s32.p_filesz,
                                s32.p_memsz, s32.p_paddr,  s32.p_vaddr};
}

static enum sim_status add_segment(struct guest_loading *loading,
                                   const struct elf_segment *segment,
                                   uint64_t least)
{
    const struct guest_image *image = loading->image;

    if (segment->offset > image->size ||
        segment->bytes > image->size - segment->offset)
        return bad_elf(loading, "a segment lies behind its end");
    if (segment->memory_bytes < segment->bytes)
        return bad_elf(loading, "a segment has more bytes than memory");
    if (segment->physical < least)
        return guest_loader_refuse(loading,
                                   "bad ELF file: a segment is for 0x%" PRIx64
                                   ", below 64 KiB",
                                   segment->physical);
    return guest_loader_add(
        loading, (struct guest_piece){
                     .to = gpa(segment->physical),
                     .from = image->bytes + segment->offset,
                     .bytes = segment->bytes,
                     .zero_bytes = segment->memory_bytes - segment->bytes,
                 });
}

/* The physical address of the entry, which may be given as a virtual one. */
static bool find_entry(const struct elf_segment *segment, uint64_t entry,
                       uint64_t *physical)
{
    if (entry >= segment->physical &&
        entry - segment->physical < segment->bytes) {
        *physical = entry;
        return true;
    }
    if (entry >= segment->virtual &&
        entry - segment->virtual < segment->bytes) {
        *physical = entry - segment->virtual + segment->physical;
        return true;
    }
    return false;
}

enum sim_status guest_loader_elf(struct guest_loading *loading, uint64_t least,
                                 uint64_t *entry)
{
    struct elf_file file = {0};
    bool has_entry = false;

    if (read_file(loading, &file) != SIM_OK)
        return loading->error->status;
    for (unsigned i = 0; i < file.header_count; i++) {
        struct elf_segment segment = read_segment(loading->image, &file, i);

        if (segment.type != PT_LOAD || segment.memory_bytes == 0)
            continue;
        if (add_segment(loading, &segment, least) != SIM_OK)
            return loading->error->status;
        if (!has_entry)
            has_entry = find_entry(&segment, file.entry, entry);
    }
    if (!has_entry)
        return bad_elf(loading, "its entry lies outside what is loaded");
    return SIM_OK;
}
