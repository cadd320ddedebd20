/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/cpu/tables.h"

#include "cpu/x86.h"
#include "sim/core/check.h"

#define SLAT_TABLES_SPA (UINT64_C(1) << 20)
#define GUEST_TABLES_GPA (UINT64_C(8) << 20)

static uint64_t load(const struct tables *tables, uint64_t at, unsigned bytes)
{
    uint64_t value = 0;

    arena_read(tables->arena, spa(at), &value, bytes);
    return value;
}

static void store(struct tables *tables, uint64_t at, uint64_t value,
                  unsigned bytes)
{
    arena_write(tables->arena, spa(at), &value, bytes);
}

static uint64_t index_of(uint64_t address, unsigned shift, unsigned bits)
{
    return (address >> shift) & ((UINT64_C(1) << bits) - 1);
}

static uint64_t slat_slot(const struct tables *tables, uint64_t table, gpa_t at,
                          unsigned shift)
{
    (void)tables;
    return table + index_of(at.raw, shift, 9) * 8;
}

void tables_map_gpa(struct tables *tables, gpa_t at, spa_t to, unsigned shift,
                    uint64_t flags)
{
    uint64_t table = tables->slat.table.raw;
    uint64_t slot;

    for (unsigned level = 39; level > shift; level -= 9) {
        slot = slat_slot(tables, table, at, level);
        if (load(tables, slot, 8) == 0) {
            store(tables, slot,
                  tables->next_slat_page | SLAT_P | SLAT_W | SLAT_U, 8);
            tables->next_slat_page += PAGE_BYTES;
        }
        table = load(tables, slot, 8) & SLAT_ADDRESS;
    }
    slot = slat_slot(tables, table, at, shift);
    store(tables, slot, to.raw | flags | (shift > 12 ? SLAT_LARGE : 0), 8);
}

spa_t tables_slat_entry(const struct tables *tables, gpa_t at, unsigned shift)
{
    uint64_t table = tables->slat.table.raw;

    for (unsigned level = 39; level > shift; level -= 9) {
        uint64_t entry = load(tables, slat_slot(tables, table, at, level), 8);

        CHECK((entry & SLAT_P) && !(entry & SLAT_LARGE));
        table = entry & SLAT_ADDRESS;
    }
    return spa(slat_slot(tables, table, at, shift));
}

void tables_create(struct tables *tables, unsigned slat_shift)
{
    struct sim_error error;
    uint64_t step = UINT64_C(1) << slat_shift;

    *tables = (struct tables){.next_slat_page = SLAT_TABLES_SPA + PAGE_BYTES,
                              .next_guest_page = GUEST_TABLES_GPA};
    CHECK(arena_create(&tables->arena, TABLES_ARENA_BYTES, &error) == SIM_OK);
    tables->slat.table = spa(SLAT_TABLES_SPA);
    for (uint64_t at = 0; at < TABLES_GUEST_BYTES; at += step)
        tables_map_gpa(tables, gpa(at), spa(TABLES_GUEST_SPA + at), slat_shift,
                       SLAT_P | SLAT_W | SLAT_U);
    tables->context = (struct mmu_context){
        .arena = tables->arena,
        .slat = tables->slat,
        .cr0 = CR0_PE | CR0_PG | CR0_WP,
        .cr3 = tables->next_guest_page,
        .cr4 = CR4_PAE | CR4_PGE,
        .efer = EFER_LME | EFER_LMA | EFER_NXE,
        .physical_bits = 40,
        .pages_1g = true,
    };
    tables->next_guest_page += PAGE_BYTES;
}

void tables_free(struct tables *tables)
{
    arena_free(tables->arena);
}

/* The shape of the guest's tables: long mode, PAE below its PDPTEs, 32-bit. */
struct shape {
    uint64_t table; /* GPA */
    unsigned top_shift;
    unsigned bits;
    unsigned bytes;
};

static struct shape shape_of(const struct tables *tables, gva_t at)
{
    const struct mmu_context *context = &tables->context;

    if (!(context->cr4 & CR4_PAE))
        return (struct shape){context->cr3, 22, 10, 4};
    if (context->efer & EFER_LMA)
        return (struct shape){context->cr3 & SLAT_ADDRESS, 39, 9, 8};
    return (struct shape){context->pdpte[at.raw >> 30] & SLAT_ADDRESS, 21, 9,
                          8};
}

static uint64_t guest_spa(uint64_t at)
{
    CHECK(at < TABLES_GUEST_BYTES);
    return TABLES_GUEST_SPA + at;
}

/* Descends to the level of `shift`, making tables if `make` is set. */
static uint64_t find_slot(struct tables *tables, gva_t at, unsigned shift,
                          bool make)
{
    struct shape shape = shape_of(tables, at);
    uint64_t table = shape.table;

    for (unsigned level = shape.top_shift; level > shift; level -= shape.bits) {
        uint64_t slot =
            table + index_of(at.raw, level, shape.bits) * shape.bytes;
        uint64_t entry = load(tables, guest_spa(slot), shape.bytes);

        if (!(entry & PTE_P)) {
            CHECK(make);
            entry = tables->next_guest_page | PTE_P | PTE_W | PTE_U;
            tables->next_guest_page += PAGE_BYTES;
            store(tables, guest_spa(slot), entry, shape.bytes);
        }
        table = entry & SLAT_ADDRESS;
    }
    return table + index_of(at.raw, shift, shape.bits) * shape.bytes;
}

gpa_t tables_entry_gpa(const struct tables *tables, gva_t at, unsigned shift)
{
    struct tables walked = *tables; /* nothing is made, nothing changes */

    return gpa(find_slot(&walked, at, shift, false));
}

uint64_t tables_entry(const struct tables *tables, gva_t at, unsigned shift)
{
    return load(tables, guest_spa(tables_entry_gpa(tables, at, shift).raw),
                shape_of(tables, at).bytes);
}

void tables_set_entry(struct tables *tables, gva_t at, unsigned shift,
                      uint64_t entry)
{
    store(tables, guest_spa(find_slot(tables, at, shift, true)), entry,
          shape_of(tables, at).bytes);
}

void tables_map(struct tables *tables, gva_t at, uint64_t to, unsigned shift,
                uint64_t flags)
{
    tables_set_entry(tables, at, shift, to | flags | (shift > 12 ? PTE_PS : 0));
}

void tables_use_32bit(struct tables *tables)
{
    tables->context.cr4 = CR4_PSE | CR4_PGE;
    tables->context.efer = 0;
    tables->context.cr3 = tables->next_guest_page;
    tables->next_guest_page += PAGE_BYTES;
}

void tables_use_pae(struct tables *tables, uint64_t pdpte[4])
{
    tables->context.efer = EFER_NXE;
    tables->context.cr3 = tables->next_guest_page + 0x20;
    for (unsigned i = 0; i < 4; i++) {
        tables->next_guest_page += PAGE_BYTES;
        pdpte[i] = tables->next_guest_page | PTE_P;
        store(tables, guest_spa(tables->context.cr3 + i * 8), pdpte[i], 8);
    }
    tables->next_guest_page += PAGE_BYTES;
    tables->context.pdpte = pdpte;
}
