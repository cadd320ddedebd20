/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * selftest-classes: every class of exception, a case each, from rings 0 and 3,
 * in 64-, 32- and 16-bit code: vector, error code, RIP, CS, RSP, and RF, which
 * faults save set and traps clear. What one class has of its own comes with
 * it: CR2, DR6, the privilege of gates.
 *
 * Arguments: test=NAME; quirks=NAME (see selftest.h).
 */

#include "workloads/runtime/apic.h"
#include "workloads/runtime/boot.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/segments.h"
#include "workloads/runtime/x86.h"
#include "workloads/selftest/probe.h"
#include "workloads/selftest/selftest.h"

#define TRAP_MF 16
#define TRAP_XM 19
#define TRAP_SOFTWARE 0x90
#define TRAP_REFUSED 0x91

#define CR0_TS (UINT64_C(1) << 3)
#define CR0_AM (UINT64_C(1) << 18)
#define DR6_BD (UINT64_C(1) << 13)
#define DR6_BS (UINT64_C(1) << 14)
#define DR7_GD (UINT64_C(1) << 13)
#define DR7_FIXED (UINT64_C(1) << 10)
#define RFLAGS_OF (UINT64_C(1) << 11)
#define RFLAGS_NT (UINT64_C(1) << 14)
#define ERROR_IN_IDT 2u
#define ERROR_EXTERNAL 1u

#define SELECTOR_NOT_PRESENT (SEGMENT_SPARE + 16)
#define SELECTOR_BEYOND 0xf00
#define CODE16_USER (SEGMENT_SPARE + 3)
#define CODE16_KERNEL (SEGMENT_SPARE + 8)
#define CODE16 UINT64_C(0x00009b000000ffff)
#define DPL3 (UINT64_C(3) << 45)
#define TSS_BUSY (UINT64_C(1) << 41)
#define DATA_NOT_PRESENT UINT64_C(0x00cf13000000ffff)

/* Between the probes' stacks and their code, below 4 GiB. */
#define ABSENT (PROBE_COMPAT_STACK + UINT64_C(0x8000))
#define NON_CANONICAL UINT64_C(0x0000800000000000)

enum bits { BITS_64, BITS_32, BITS_16, BITS_COUNT };

struct piece {
    const char *code[BITS_COUNT], *at[BITS_COUNT];
};

/* classes_code.S */
#define PIECE(name)                                                            \
    extern const char class_##name##_64[], class_##name##_32[],                \
        class_##name##_16[];                                                   \
    extern const char class_##name##_64_at[], class_##name##_32_at[],          \
        class_##name##_16_at[];
#include "workloads/selftest/classes.def"
#undef PIECE

#define PIECE(name)                                                            \
    static const struct piece name = {                                         \
        {class_##name##_64, class_##name##_32, class_##name##_16},             \
        {class_##name##_64_at, class_##name##_32_at, class_##name##_16_at}};
#include "workloads/selftest/classes.def"
#undef PIECE

/* Where a piece runs. */
struct place {
    const char *name;
    enum bits bits;
    unsigned ring;
    uint16_t code;
    uint64_t base; /* of the image, within the code segment's addresses */
};

#define KERNEL64 1u
#define USER64 2u
#define KERNEL32 4u
#define USER32 8u
#define KERNEL16 16u
#define USER16 32u
#define PLACE_COUNT 6
#define EVERYWHERE 63u
#define IN_64 (KERNEL64 | USER64)
#define NOT_IN_64 (EVERYWHERE & ~IN_64)
#define IN_RING_3 (USER64 | USER32 | USER16)
#define IN_RING_0 (KERNEL64 | KERNEL32 | KERNEL16)

static const struct place places[PLACE_COUNT] = {
    {"64-bit, ring 0", BITS_64, 0, SEGMENT_CODE64, 0},
    {"64-bit, ring 3", BITS_64, 3, SEGMENT_USER_CODE64, PROBE_USER_TEXT},
    {"32-bit, ring 0", BITS_32, 0, SEGMENT_CODE32, 0},
    {"32-bit, ring 3", BITS_32, 3, SEGMENT_USER_CODE32, PROBE_COMPAT_TEXT},
    {"16-bit, ring 0", BITS_16, 0, CODE16_KERNEL, 0},
    {"16-bit, ring 3", BITS_16, 3, CODE16_USER, 0},
};

/* In 16-bit code addresses count from the segment's base, image_start. */
static uint64_t address_of(const char *code, const struct place *place)
{
    if (place->bits == BITS_16)
        return (uint64_t)(code - image_start);
    return (uintptr_t)code + place->base;
}

/* A stack below 4 GiB that the ring may use. */
static uint64_t stack_of(const struct place *place)
{
    return PROBE_COMPAT_STACK - (place->ring == 3 ? 64 : 0x1000 + 64);
}

static struct probe probe_at(const struct piece *piece,
                             const struct place *place)
{
    struct probe probe = probe_make(NULL, place->ring);

    probe.frame.rip = address_of(piece->code[place->bits], place);
    probe.frame.cs = place->code;
    probe.frame.rsp = stack_of(place);
    return probe;
}

struct expected {
    unsigned vector;
    uint64_t error;
    enum { SAVES_FAULT, SAVES_TRAP, SAVES_EITHER } rf;
};

static void check(const char *class, const struct piece *piece,
                  const struct place *place, const struct probe *probe,
                  struct expected expected)
{
    uint64_t rip = address_of(piece->at[place->bits], place);
    uint64_t rf = probe->frame.rflags & RFLAGS_RF;

    selftest_equal(probe->frame.vector, expected.vector, "%s, %s: vector",
                   class, place->name);
    selftest_equal(probe->frame.error, expected.error, "%s, %s: error code",
                   class, place->name);
    selftest_equal(probe->frame.rip, rip, "%s, %s: RIP", class, place->name);
    selftest_equal(probe->frame.cs, place->code, "%s, %s: CS", class,
                   place->name);
    selftest_equal(probe->frame.rsp, stack_of(place), "%s, %s: RSP", class,
                   place->name);
    if (expected.rf == SAVES_TRAP)
        selftest_equal(rf, 0, "%s, %s: RF", class, place->name);
    if (expected.rf == SAVES_FAULT && !selftest_leaves_out(ON_ENGINE))
        selftest_equal(rf, RFLAGS_RF, "%s, %s: RF", class, place->name);
}

/* What a piece finds when it starts. */
struct start {
    uint64_t rax, rbx, rflags;
    uint32_t on_stack;
};

static struct probe run_at(const char *class, const struct piece *piece,
                           const struct place *place, struct start start,
                           struct expected expected)
{
    struct probe probe = probe_at(piece, place);

    probe.frame.rax = start.rax;
    probe.frame.rbx = start.rbx;
    probe.frame.rflags |= start.rflags;
    *(uint32_t *)probe.frame.rsp = start.on_stack;
    probe_run(&probe, NULL);
    check(class, piece, place, &probe, expected);
    return probe;
}

static void run_in(unsigned where, const char *class, const struct piece *piece,
                   struct start start, struct expected expected)
{
    for (unsigned i = 0; i < PLACE_COUNT; i++) {
        if ((where >> i & 1) != 0)
            run_at(class, piece, &places[i], start, expected);
    }
}

/* No exception: the piece comes to its end. */
static void go_on_in(unsigned where, const char *class,
                     const struct piece *piece, struct start start)
{
    for (unsigned i = 0; i < PLACE_COUNT; i++) {
        struct probe probe = probe_at(piece, &places[i]);

        if ((where >> i & 1) == 0)
            continue;
        probe.frame.rax = start.rax;
        probe.frame.rflags |= start.rflags;
        *(uint32_t *)probe.frame.rsp = start.on_stack;
        probe_run(&probe, NULL);
        selftest_equal(probe.frame.vector, PROBE_EXIT, "%s, %s: vector", class,
                       places[i].name);
    }
}

#define FAULTS(vector, error) ((struct expected){vector, error, SAVES_FAULT})
#define TRAPS(vector) ((struct expected){vector, 0, SAVES_TRAP})
#define NOTHING ((struct start){0})

static void run_de(void)
{
    run_in(EVERYWHERE, "#DE", &divide, NOTHING, FAULTS(TRAP_DE, 0));
}

/* Single step, a trap; general detect, a fault. Breakpoints by DR0 to DR3 are
 * not what this machine has. */
static void run_db(void)
{
    const struct start stepping = {.rflags = RFLAGS_TF};

    for (unsigned i = 0; i < PLACE_COUNT; i++) {
        struct probe probe =
            run_at("#DB, step", &step, &places[i], stepping, TRAPS(TRAP_DB));

        selftest_equal(probe.dr6 & (DR6_BS | DR6_BD), DR6_BS, "%s: DR6",
                       places[i].name);
        selftest_equal(probe.frame.rflags & RFLAGS_TF, RFLAGS_TF, "%s: TF",
                       places[i].name);
    }
    run_in(IN_RING_3, "MOV to DR7", &write_dr7, NOTHING, FAULTS(TRAP_GP, 0));
    if (selftest_leaves_out(ON_TCG))
        return;
    for (unsigned i = 0; i < PLACE_COUNT; i += 2) {
        struct probe probe = run_at("#DB, general detect", &detect, &places[i],
                                    (struct start){.rax = DR7_GD | DR7_FIXED},
                                    FAULTS(TRAP_DB, 0));

        selftest_equal(probe.dr6 & (DR6_BS | DR6_BD), DR6_BD, "%s: DR6",
                       places[i].name);
        __asm__ volatile("mov %0, %%dr7" : : "r"(DR7_FIXED));
    }
}

static struct trap_frame nmi_frame;
static unsigned nmis;

/* The breakpoint's handler sends an NMI to itself. */
static bool note_nmi(struct trap_frame *frame)
{
    if (frame->vector == TRAP_BP) {
        apic_send(cpu_current()->index, APIC_ICR_NMI | APIC_ICR_ASSERT);
        for (volatile int i = 0; i < 1000; i++)
            continue;
        return true;
    }
    if (frame->vector != TRAP_NMI)
        return false;
    nmi_frame = *frame;
    nmis++;
    return true;
}

/* With interrupts off, from every place: where it comes is not laid down. */
static void run_nmi(void)
{
    for (unsigned i = 0; i < PLACE_COUNT; i++) {
        struct probe probe = probe_at(&breakpoint, &places[i]);

        nmis = 0;
        probe_run(&probe, note_nmi);
        selftest_equal(probe.frame.vector, PROBE_EXIT, "%s: goes on",
                       places[i].name);
        selftest_equal(nmis, 1, "%s: NMIs", places[i].name);
        selftest_equal(nmi_frame.error, 0, "%s: error code", places[i].name);
    }
}

static void run_bp(void)
{
    run_in(EVERYWHERE, "#BP", &breakpoint, NOTHING, TRAPS(TRAP_BP));
}

static void run_of(void)
{
    const struct start overflown = {.rflags = RFLAGS_OF};

    run_in(NOT_IN_64, "#OF", &overflow, overflown, TRAPS(TRAP_OF));
    go_on_in(NOT_IN_64, "INTO without OF", &overflow, NOTHING);
    run_in(IN_64, "INTO", &overflow, overflown, FAULTS(TRAP_UD, 0));
}

/* The bounds, 10 and 20, are on the stack, as 16-bit numbers. */
static void run_br(void)
{
    const uint32_t bounds = 20u << 16 | 10;

    for (unsigned i = 0; i < PLACE_COUNT; i++) {
        const struct place *place = &places[i];

        if (place->bits == BITS_64)
            continue;
        run_at("#BR, below", &bound, place, (struct start){9, 0, 0, bounds},
               FAULTS(TRAP_BR, 0));
        run_at("#BR, above", &bound, place, (struct start){21, 0, 0, bounds},
               FAULTS(TRAP_BR, 0));
    }
    go_on_in(NOT_IN_64, "BOUND, within", &bound,
             (struct start){.rax = 20, .on_stack = bounds});
}

static void run_ud(void)
{
    run_in(EVERYWHERE, "#UD", &undefined, NOTHING, FAULTS(TRAP_UD, 0));
}

static void run_nm(void)
{
    x86_write_cr0(x86_read_cr0() | CR0_TS);
    run_in(EVERYWHERE, "#NM", &device, NOTHING, FAULTS(TRAP_NM, 0));
    x86_write_cr0(x86_read_cr0() & ~CR0_TS);
}

/* A fault whose gate is not there, within a fault that allows no other. */
static void run_df(void)
{
    const struct start absent = {.rbx = ABSENT};

    trap_set_present(TRAP_PF, false);
    run_in(EVERYWHERE, "#DF", &read_ebx, absent,
           (struct expected){TRAP_DF, 0, SAVES_EITHER});
    trap_set_present(TRAP_PF, true);
}

/* A TSS that ends before the stack that a gate asks for. LTR wants one that is
 * not busy. */
static void set_tss_limit(uint64_t limit)
{
    uint64_t *descriptor =
        &cpu_current()->segments.gdt[SEGMENT_TSS / sizeof(uint64_t)];

    *descriptor = (*descriptor & ~(TSS_BUSY | UINT64_C(0xffff))) | limit;
    __asm__ volatile("ltr %w0" : : "r"(SEGMENT_TSS));
}

static void run_ts(void)
{
    trap_set_gate(TRAP_UD, 0, TRAP_IST_NMI); /* IST 2, behind IST 1 */
    trap_set_gate(TRAP_SOFTWARE, 3, TRAP_IST_NMI);
    set_tss_limit(offsetof(struct segments_tss, ist[1]) - 1);
    if (!selftest_leaves_out(ON_TCG))
        run_in(EVERYWHERE, "#TS, by a fault", &undefined, NOTHING,
               FAULTS(TRAP_TS, SEGMENT_TSS | ERROR_EXTERNAL));
    for (unsigned i = 0; i < PLACE_COUNT; i++) {
        struct probe probe = probe_at(&software, &places[i]);

        probe_run(&probe, NULL);
        selftest_equal(probe.frame.vector, TRAP_TS, "#TS, by INT, %s: vector",
                       places[i].name);
        selftest_equal(probe.frame.error, SEGMENT_TSS,
                       "#TS, by INT, %s: error code", places[i].name);
        selftest_equal(probe.frame.rip,
                       address_of(software.code[places[i].bits], &places[i]),
                       "#TS, by INT, %s: RIP", places[i].name);
    }
    set_tss_limit(sizeof(struct segments_tss) - 1);
    trap_set_gate(TRAP_UD, 0, TRAP_IST_DOUBLE_FAULT);
    trap_set_gate(TRAP_SOFTWARE, 3, TRAP_IST_DOUBLE_FAULT);
}

/* The segment, or the gate, is there but not present. */
static void run_np(void)
{
    const struct start selector = {.rax = SELECTOR_NOT_PRESENT | 3};

    run_in(EVERYWHERE, "#NP, segment", &load_ds, selector,
           FAULTS(TRAP_NP, SELECTOR_NOT_PRESENT));
    trap_set_present(TRAP_SOFTWARE, false);
    for (unsigned i = 0; i < PLACE_COUNT; i++) {
        struct probe probe = probe_at(&software, &places[i]);

        probe_run(&probe, NULL);
        selftest_equal(probe.frame.vector, TRAP_NP, "#NP, gate, %s: vector",
                       places[i].name);
        if (!selftest_leaves_out(ON_TCG))
            selftest_equal(probe.frame.error, TRAP_SOFTWARE * 8 + ERROR_IN_IDT,
                           "#NP, gate, %s: error code", places[i].name);
    }
    trap_set_present(TRAP_SOFTWARE, true);
}

static void run_ss(void)
{
    for (unsigned i = 0; i < PLACE_COUNT; i++) {
        uint64_t selector = SELECTOR_NOT_PRESENT | places[i].ring;

        cpu_current()->segments.gdt[SELECTOR_NOT_PRESENT / 8] =
            DATA_NOT_PRESENT | (places[i].ring == 3 ? DPL3 : 0);
        run_at("#SS, segment", &load_ss, &places[i],
               (struct start){.rax = selector},
               FAULTS(TRAP_SS, SELECTOR_NOT_PRESENT));
    }
    cpu_current()->segments.gdt[SELECTOR_NOT_PRESENT / 8] =
        DATA_NOT_PRESENT | DPL3;
}

static void run_gp(void)
{
    run_in(IN_RING_3, "#GP, HLT", &halt, NOTHING, FAULTS(TRAP_GP, 0));
    run_in(EVERYWHERE, "#GP, selector", &load_ds,
           (struct start){.rax = SELECTOR_BEYOND | 3},
           FAULTS(TRAP_GP, SELECTOR_BEYOND));
    run_in(IN_RING_3, "#GP, privilege", &load_ds,
           (struct start){.rax = SEGMENT_DATA}, FAULTS(TRAP_GP, SEGMENT_DATA));
}

#define PAGE_WRITE 2u
#define PAGE_USER 4u
#define PAGE_FETCH 16u
#define PAGE_PRESENT 1u

/* Nothing there, for a read, a write and a fetch; and what ring 3 may not. */
static void run_pf(void)
{
    for (unsigned i = 0; i < PLACE_COUNT; i++) {
        const struct place *place = &places[i];
        const struct start absent = {.rbx = ABSENT};
        uint64_t user = place->ring == 3 ? PAGE_USER : 0;
        struct probe probe = run_at("#PF, read", &read_ebx, place, absent,
                                    FAULTS(TRAP_PF, user));

        selftest_equal(probe.cr2, ABSENT, "read, %s: CR2", place->name);
        probe = run_at("#PF, write", &write_ebx, place, absent,
                       FAULTS(TRAP_PF, PAGE_WRITE | user));
        selftest_equal(probe.cr2, ABSENT, "write, %s: CR2", place->name);
        if (place->ring == 3) {
            probe = run_at("#PF, kernel's", &read_ebx, place,
                           (struct start){.rbx = (uintptr_t)image_start},
                           FAULTS(TRAP_PF, PAGE_PRESENT | PAGE_USER));
            selftest_equal(probe.cr2, (uintptr_t)image_start,
                           "kernel's, %s: CR2", place->name);
        }
        if (place->bits == BITS_16)
            continue; /* its jumps stay within the image */
        probe = probe_at(&jump_ebx, place);
        probe.frame.rbx = ABSENT;
        probe_run(&probe, NULL);
        selftest_equal(probe.frame.vector, TRAP_PF, "fetch, %s: vector",
                       place->name);
        selftest_equal(probe.frame.error, PAGE_FETCH | user,
                       "fetch, %s: error code", place->name);
        selftest_equal(probe.frame.rip, ABSENT, "fetch, %s: RIP", place->name);
        selftest_equal(probe.cr2, ABSENT, "fetch, %s: CR2", place->name);
    }
}

/* A division by zero of the x87 is told by the next instruction that waits. */
static void run_mf(void)
{
    const struct start unmasked = {.on_stack = 0x0340};

    run_in(EVERYWHERE, "#MF", &x87, unmasked, FAULTS(TRAP_MF, 0));
    go_on_in(EVERYWHERE, "x87, masked", &x87,
             (struct start){.on_stack = 0x037f});
    __asm__ volatile("fninit");
}

/* In ring 3 alone, and only if both the kernel and the program want it. */
static void run_ac(void)
{
    const struct start checking = {.rflags = RFLAGS_AC};

    go_on_in(EVERYWHERE, "without CR0.AM", &misaligned, checking);
    x86_write_cr0(x86_read_cr0() | CR0_AM);
    go_on_in(EVERYWHERE, "without AC", &misaligned, NOTHING);
    go_on_in(IN_RING_0, "in ring 0", &misaligned, checking);
    if (!selftest_leaves_out(ON_ENGINE))
        run_in(IN_RING_3, "#AC", &misaligned, checking, FAULTS(TRAP_AC, 0));
    x86_write_cr0(x86_read_cr0() & ~CR0_AM);
}

static void run_xm(void)
{
    go_on_in(EVERYWHERE, "SSE, masked", &simd,
             (struct start){.on_stack = 0x1f80});
    if (!selftest_leaves_out(ON_ENGINE))
        run_in(EVERYWHERE, "#XM", &simd, (struct start){.on_stack = 0x1d80},
               FAULTS(TRAP_XM, 0));
}

/* INT n looks at the gate's privilege, where exceptions do not. */
static void run_int_n(void)
{
    run_in(EVERYWHERE, "INT", &software, NOTHING, TRAPS(TRAP_SOFTWARE));
    for (unsigned i = 1; i < PLACE_COUNT; i += 2) {
        struct probe probe = probe_at(&software_refused, &places[i]);

        probe_run(&probe, NULL);
        selftest_equal(probe.frame.vector, TRAP_GP, "INT, refused, %s: vector",
                       places[i].name);
        if (!selftest_leaves_out(ON_TCG))
            selftest_equal(probe.frame.error, TRAP_REFUSED * 8 + ERROR_IN_IDT,
                           "INT, refused, %s: error code", places[i].name);
        selftest_equal(
            probe.frame.rip,
            address_of(software_refused.at[places[i].bits], &places[i]),
            "INT, refused, %s: RIP", places[i].name);
    }
    trap_set_gate(TRAP_BP, 0, TRAP_IST_DOUBLE_FAULT);
    for (unsigned i = 1; i < PLACE_COUNT; i += 2) {
        struct probe probe = probe_at(&breakpoint, &places[i]);

        probe_run(&probe, NULL);
        selftest_equal(probe.frame.vector, TRAP_GP, "INT3, refused, %s: vector",
                       places[i].name);
        selftest_equal(probe.frame.rip,
                       address_of(breakpoint.code[places[i].bits], &places[i]),
                       "INT3, refused, %s: RIP", places[i].name);
    }
    trap_set_gate(TRAP_BP, 3, TRAP_IST_DOUBLE_FAULT);
}

/* The gates that ring 3 may use; the segments of 16-bit code; and stacks below
 * 4 GiB for ring 0, which a page below the user's is. */
static void prepare(void)
{
    uint64_t *gdt = cpu_current()->segments.gdt;
    uint64_t kernel = (uintptr_t)image_start;
    uint64_t user = PROBE_COMPAT_TEXT + kernel;

    gdt[CODE16_KERNEL / 8] = CODE16 | kernel << 16;
    gdt[CODE16_USER / 8] =
        CODE16 | DPL3 | (user & 0xffffff) << 16 | (user >> 24 & 0xff) << 56;
    gdt[SELECTOR_NOT_PRESENT / 8] = DATA_NOT_PRESENT | DPL3;
    trap_set_gate(TRAP_BP, 3, TRAP_IST_DOUBLE_FAULT);
    trap_set_gate(TRAP_OF, 3, TRAP_IST_DOUBLE_FAULT);
    probe_catch_software(TRAP_SOFTWARE);
}

void guest_main(void)
{
    static const struct selftest_case cases[] = {
        {"classes.de", run_de},   {"classes.db", run_db},
        {"classes.nmi", run_nmi}, {"classes.bp", run_bp},
        {"classes.of", run_of},   {"classes.br", run_br},
        {"classes.ud", run_ud},   {"classes.nm", run_nm},
        {"classes.df", run_df},   {"classes.ts", run_ts},
        {"classes.np", run_np},   {"classes.ss", run_ss},
        {"classes.gp", run_gp},   {"classes.pf", run_pf},
        {"classes.mf", run_mf},   {"classes.ac", run_ac},
        {"classes.xm", run_xm},   {"classes.int_n", run_int_n},
    };

    probe_init();
    prepare();
    selftest_run(cases, sizeof(cases) / sizeof(cases[0]));
}
