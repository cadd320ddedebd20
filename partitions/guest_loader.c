/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/guest_loader.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "partitions/firmware.h"
#include "partitions/guest_loader_private.h"
#include "partitions/platform.h"
#include "sim/core/check.h"

typedef enum sim_status guest_loader_fn(struct guest_loading *loading);

static guest_loader_fn *const guest_loaders[GUEST_FORMAT_COUNT] = {
    [GUEST_MULTIBOOT] = guest_loader_multiboot,
    [GUEST_LINUX] = guest_loader_linux,
    [GUEST_FLAT] = guest_loader_flat,
};

#define LEAST_BYTES (UINT64_C(2) << 20)

static enum sim_status add_firmware(struct guest_loading *loading)
{
    const struct guest_machine *machine = loading->machine;
    uint64_t low_bytes = guest_loader_low_bytes(machine);
    const struct firmware_config config = {
        .vp_count = machine->vp_count,
        .vp_count_max =
            machine->vp_count_max ? machine->vp_count_max : machine->vp_count,
        .node_count = machine->node_count,
        .low_bytes = low_bytes,
        .high_bytes = machine->memory_bytes - low_bytes,
    };
    uint8_t *tables = guest_loader_scratch(loading, FIRMWARE_BYTES_MAX);

    CHECK(tables);
    return guest_loader_add(loading,
                            (struct guest_piece){
                                .to = gpa(PLATFORM_TABLES_GPA),
                                .from = tables,
                                .bytes = firmware_build(&config, tables),
                            });
}

enum sim_status guest_loader_plan(const struct guest_image *image,
                                  const struct guest_machine *machine,
                                  struct guest_plan *plan,
                                  struct sim_error *error)
{
    struct guest_loading loading = {image, machine, plan, error};

    CHECK(image->module_count <= GUEST_MODULES_MAX);
    *plan = (struct guest_plan){0};
    if (machine->memory_bytes < LEAST_BYTES)
        return sim_fail(error, SIM_BAD_SCENARIO,
                        "%s: a guest needs at least 2 MiB of memory",
                        image->name);
    if (add_firmware(&loading) != SIM_OK)
        return error->status;
    return guest_loaders[image->format](&loading);
}

enum sim_status guest_loader_refuse(const struct guest_loading *loading,
                                    const char *format, ...)
{
    char message[SIM_ERROR_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    return sim_fail(loading->error, SIM_NO_INPUT, "%s: %s",
                    loading->image->name, message);
}

uint8_t *guest_loader_scratch(struct guest_loading *loading, size_t bytes)
{
    struct guest_plan *plan = loading->plan;
    size_t at = (plan->scratch_used + 7) & ~(size_t)7;

    if (at > sizeof(plan->scratch) || bytes > sizeof(plan->scratch) - at)
        return NULL;
    plan->scratch_used = at + bytes;
    return plan->scratch + at;
}

static uint64_t piece_end(const struct guest_piece *piece)
{
    return piece->to.raw + piece->bytes + piece->zero_bytes;
}

enum sim_status guest_loader_add(struct guest_loading *loading,
                                 struct guest_piece piece)
{
    struct guest_plan *plan = loading->plan;
    uint64_t low_bytes = guest_loader_low_bytes(loading->machine);
    uint64_t at = piece.to.raw;

    if (at > low_bytes || piece.bytes > low_bytes - at ||
        piece.zero_bytes > low_bytes - at - piece.bytes)
        return guest_loader_refuse(
            loading,
            "does not fit: it wants memory from 0x%" PRIx64 " to 0x%" PRIx64
            ", but the VM has %" PRIu64 " MiB",
            at, piece_end(&piece), low_bytes >> 20);
    for (unsigned i = 0; i < plan->piece_count; i++) {
        const struct guest_piece *other = &plan->pieces[i];

        if (at < piece_end(other) && other->to.raw < piece_end(&piece))
            return guest_loader_refuse(
                loading,
                "wants memory from 0x%" PRIx64 " to 0x%" PRIx64
                ", but what lies from 0x%" PRIx64 " to 0x%" PRIx64
                " is another part of it or the loader's own",
                at, piece_end(&piece), other->to.raw, piece_end(other));
    }
    if (plan->piece_count == GUEST_PIECES_MAX)
        return guest_loader_refuse(loading, "has more than %d parts to load",
                                   GUEST_PIECES_MAX);
    plan->pieces[plan->piece_count++] = piece;
    return SIM_OK;
}

uint64_t guest_loader_low_bytes(const struct guest_machine *machine)
{
    return machine->memory_bytes < GUEST_LOW_BYTES_MAX ? machine->memory_bytes
                                                       : GUEST_LOW_BYTES_MAX;
}

#define MIB_1 UINT64_C(0x100000)

size_t guest_loader_ranges(const struct guest_machine *machine,
                           struct guest_range ranges[GUEST_RANGES_MAX])
{
    uint64_t low = guest_loader_low_bytes(machine);
    size_t n = 0;

    ranges[n++] =
        (struct guest_range){0, GUEST_CONVENTIONAL_BYTES, GUEST_RANGE_USABLE};
    ranges[n++] = (struct guest_range){GUEST_CONVENTIONAL_BYTES,
                                       0xa0000 - GUEST_CONVENTIONAL_BYTES,
                                       GUEST_RANGE_RESERVED};
    ranges[n++] = (struct guest_range){
        PLATFORM_TABLES_GPA, PLATFORM_TABLES_BYTES, GUEST_RANGE_RESERVED};
    ranges[n++] = (struct guest_range){MIB_1, low - MIB_1, GUEST_RANGE_USABLE};
    if (machine->memory_bytes > low)
        ranges[n++] = (struct guest_range){
            GUEST_HIGH_GPA, machine->memory_bytes - low, GUEST_RANGE_USABLE};
    return n;
}

/* Selectors of the GDT: flat code, flat data. */
#define CODE_SELECTOR 0x10
#define DATA_SELECTOR 0x18
#define CODE_64_DESCRIPTOR UINT64_C(0x00af9b000000ffff)
#define CODE_32_ATTRIBUTES 0xc09b
#define CODE_64_ATTRIBUTES 0xa09b
#define DATA_DESCRIPTOR UINT64_C(0x00cf93000000ffff)
#define DATA_ATTRIBUTES 0xc093

static void start_flat(struct x86_state *state, uint16_t code_attributes)
{
    const struct x86_segment code = {.limit = UINT32_MAX,
                                     .selector = CODE_SELECTOR,
                                     .attributes = code_attributes};
    const struct x86_segment data = {.limit = UINT32_MAX,
                                     .selector = DATA_SELECTOR,
                                     .attributes = DATA_ATTRIBUTES};

    x86_reset(state);
    for (unsigned i = 0; i < X86_SEGMENT_COUNT; i++)
        state->segment[i] = i == X86_CS ? code : data;
    state->rflags = RFLAGS_FIXED;
}

void guest_loader_start_protected(struct guest_loading *loading, uint64_t entry)
{
    struct x86_state *state = &loading->plan->state;

    start_flat(state, CODE_32_ATTRIBUTES);
    state->cr0 = CR0_PE | CR0_ET;
    state->rip = entry;
}

#define ENTRIES_PER_TABLE 512ul
#define DIRECTORIES 4 /* of 1 GiB each */
#define LARGE_PAGES (DIRECTORIES * ENTRIES_PER_TABLE)
#define ENTRY_PRESENT_WRITABLE UINT64_C(0x03)
#define ENTRY_LARGE UINT64_C(0x80)
#define LARGE_PAGE_SHIFT 21

/* As they lie in guest memory. */
struct long_mode_tables {
    uint64_t pml4[ENTRIES_PER_TABLE];
    uint64_t pdpt[ENTRIES_PER_TABLE];
    uint64_t pd[LARGE_PAGES];
    uint64_t gdt[4];
};

_Static_assert(GUEST_LONG_MODE_GPA + sizeof(struct long_mode_tables) <=
                   GUEST_LONG_MODE_END,
               "tables end where the header says");

static void fill_tables(struct long_mode_tables *tables)
{
    uint64_t pdpt_gpa =
        GUEST_LONG_MODE_GPA + offsetof(struct long_mode_tables, pdpt);
    uint64_t pd_gpa =
        GUEST_LONG_MODE_GPA + offsetof(struct long_mode_tables, pd);

    tables->pml4[0] = pdpt_gpa | ENTRY_PRESENT_WRITABLE;
    for (uint64_t i = 0; i < DIRECTORIES; i++)
        tables->pdpt[i] = (pd_gpa + i * PAGE_BYTES) | ENTRY_PRESENT_WRITABLE;
    for (uint64_t i = 0; i < LARGE_PAGES; i++)
        tables->pd[i] =
            i << LARGE_PAGE_SHIFT | ENTRY_LARGE | ENTRY_PRESENT_WRITABLE;
    tables->gdt[CODE_SELECTOR / 8] = CODE_64_DESCRIPTOR;
    tables->gdt[DATA_SELECTOR / 8] = DATA_DESCRIPTOR;
}

enum sim_status guest_loader_start_long(struct guest_loading *loading,
                                        uint64_t entry)
{
    struct x86_state *state = &loading->plan->state;
    uint8_t *bytes =
        guest_loader_scratch(loading, sizeof(struct long_mode_tables));

    CHECK(bytes);
    fill_tables((struct long_mode_tables *)(void *)bytes);
    start_flat(state, CODE_64_ATTRIBUTES);
    state->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_PG;
    state->cr3 = GUEST_LONG_MODE_GPA;
    state->cr4 = CR4_PAE;
    state->efer = EFER_LME | EFER_LMA;
    state->gdtr = (struct x86_table){
        .base = GUEST_LONG_MODE_GPA + offsetof(struct long_mode_tables, gdt),
        .limit = sizeof(((struct long_mode_tables *)NULL)->gdt) - 1,
    };
    state->rip = entry;
    return guest_loader_add(loading,
                            (struct guest_piece){
                                .to = gpa(GUEST_LONG_MODE_GPA),
                                .from = bytes,
                                .bytes = sizeof(struct long_mode_tables),
                            });
}
