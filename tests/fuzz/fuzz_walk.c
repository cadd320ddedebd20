/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page walks over arbitrary tables, in all paging modes and with both kinds of
 * second level: whatever the tables hold, a walk ends, stays inside the arena,
 * and either yields a page that the same access may then use again or a fault
 * that its error code describes.
 *
 * Input: a header (struct header), then 8-byte words that fill memory from
 * page 0 on, again and again. Of their address bits only the low ones are
 * kept, so that tables point to tables.
 */
#include <string.h>

#include "cpu/mmu.h"
#include "cpu/x86.h"
#include "sim/core/check.h"

#define ARENA_BYTES (UINT64_C(2) << 20)
#define PAGES_FILLED 8
#define ADDRESS_BITS_KEPT UINT64_C(0x7fff) /* of PAGES_FILLED pages */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct header {
    uint64_t at;
    uint32_t cr4;
    uint8_t access;
    uint8_t mode;  /* bit 0 PG, 1 WP, 2 LMA, 3 NXE, 4 a second level */
    uint8_t who;   /* bit 0 user, 1 AC, 2 implicit, 3 1 GiB pages */
    uint8_t width; /* MAXPHYADDR */
};

/* Bit 62 asks for an entry as it stands, reserved bits and all. */
static uint64_t tame(uint64_t word)
{
    return word >> 62 & 1 ? word : word & (~SLAT_ADDRESS | ADDRESS_BITS_KEPT);
}

static void fill(struct arena *arena, const uint8_t *data, size_t bytes)
{
    size_t words = bytes / sizeof(uint64_t);
    uint64_t page[PAGE_BYTES / sizeof(uint64_t)];

    if (words == 0)
        return;
    for (uint64_t i = 0; i < PAGES_FILLED * PAGE_BYTES; i += PAGE_BYTES) {
        for (size_t k = 0; k < PAGE_BYTES / sizeof(uint64_t); k++) {
            uint64_t word;

            memcpy(&word, data + (i / 8 + k) % words * 8, sizeof(word));
            page[k] = tame(word);
        }
        arena_write(arena, spa(i), page, sizeof(page));
    }
}

static struct mmu_context context_of(const struct header *header,
                                     struct arena *arena)
{
    return (struct mmu_context){
        .arena = arena,
        .slat = header->mode & 16 ? (struct slat_root){spa(PAGE_BYTES)}
                                  : SLAT_IDENTITY,
        .cr0 = CR0_PE | (header->mode & 1 ? CR0_PG : 0) |
               (header->mode & 2 ? CR0_WP : 0),
        .cr3 = header->mode & 0xe0 ? 0 : 2 * PAGE_BYTES,
        .cr4 = header->cr4,
        .efer = (header->mode & 4 && header->cr4 & CR4_PAE ? EFER_LMA : 0) |
                (header->mode & 8 ? EFER_NXE : 0),
        .user = header->who & 1,
        .alignment_check = header->who & 2,
        .implicit = !(header->who & 1) && (header->who & 4),
        .physical_bits = header->width % 64,
        .pages_1g = header->who & 8,
    };
}

static void check_page(const struct mmu_context *context, gva_t at,
                       enum mmu_access access,
                       const struct mmu_translation *page)
{
    struct mmu_translation again;
    struct mmu_fault fault;

    CHECK(arena_contains(context->arena, page->spa, 1));
    CHECK((page->spa.raw & PAGE_MASK) == 0 && (page->gpa.raw & PAGE_MASK) == 0);
    CHECK(page->guest_references <= 4);
    CHECK(page->slat_references <= 20);
    CHECK(!page->writable || page->slat_writable);
    /* Tables may map themselves: only then can a walk change what the next
     * one reads, so that a page is clean again. */
    if (access != MMU_WRITE || page->dirty)
        CHECK(mmu_allows(context, page, access));
    if (mmu_translate(context, at, access, &again, &fault) == MMU_OK)
        CHECK(again.shift == page->shift);
}

static void check_fault(enum mmu_result result, const struct mmu_fault *fault)
{
    CHECK(fault->guest_references <= 4);
    CHECK(fault->slat_references <= 20);
    if (result == MMU_SLAT_FAULT)
        return;
    CHECK((fault->error_code & ~0x1fu) == 0);
    CHECK(!(fault->error_code & PF_RESERVED) ||
          (fault->error_code & PF_PRESENT));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct arena *arena = NULL;
    struct sim_error error;
    struct header header;
    uint64_t pdpte[4];

    if (bytes < sizeof(header))
        return 0;
    memcpy(&header, data, sizeof(header));
    CHECK(arena_create(&arena, ARENA_BYTES, &error) == SIM_OK);
    fill(arena, data + sizeof(header), bytes - sizeof(header));

    struct mmu_context context = context_of(&header, arena);
    enum mmu_access access = (enum mmu_access)(header.access % 3);
    gva_t at = gva((uint64_t)((int64_t)(header.at << 16) >> 16));
    struct mmu_translation page;
    struct mmu_fault fault;
    enum mmu_result result;

    for (unsigned i = 0; i < 4; i++)
        pdpte[i] = arena_load64(arena, spa(3 * PAGE_BYTES + i * 8));
    (void)mmu_load_pdptes(&context, pdpte);
    context.pdpte = pdpte;
    result = mmu_translate(&context, at, access, &page, &fault);
    if (result == MMU_OK)
        check_page(&context, at, access, &page);
    else
        check_fault(result, &fault);
    arena_free(arena);
    return 0;
}
