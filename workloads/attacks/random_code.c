/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Blocks of random code. Each instruction is one of a kind that reaches into
 * the hypervisor, the emulated processor or the virtual devices, with operands
 * near the edges of what is legal, and now and then plain noise.
 */

#include "workloads/attacks/random.h"
#include "workloads/runtime/apic.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/string.h"

#define BLOCK_INSTRUCTIONS_MAX 8
#define INSTRUCTION_BYTES_MAX 96 /* with the operands' set-up */

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 };

struct writer {
    struct random_area *area;
    uint8_t *at;
};

static void put(struct writer *w, const void *bytes, size_t count)
{
    memcpy(w->at, bytes, count);
    w->at += count;
}

static void put_byte(struct writer *w, unsigned byte)
{
    *w->at++ = (uint8_t)byte;
}

/* mov $value, %reg */
static void put_load(struct writer *w, unsigned reg, uint64_t value)
{
    put_byte(w, reg >= R8 ? 0x49 : 0x48);
    put_byte(w, 0xb8 | (reg & 7));
    put(w, &value, sizeof(value));
}

static void put_noise(struct writer *w)
{
    for (uint32_t count = 1 + random_below(w->area, 15); count > 0; count--)
        put_byte(w, (uint8_t)random_next(w->area));
}

static uint32_t pick_msr(struct random_area *area)
{
    static const uint32_t firsts[] = {
        0x10,       0x1b,       0x140,      0x174,      0x1a0,
        0x200,      0x250,      0x277,      0x2ff,      0x6e0,
        0x800,      0x830,      0x838,      0x40000000, 0x40000010,
        0x40000020, 0x40000070, 0x40000073, 0x40000080, 0x40000090,
        0x400000b0, 0x40000100, 0xc0000080, 0xc0000100, 0xc0010000,
    };

    if (random_one_in(area, 8))
        return (uint32_t)random_next(area);
    return RANDOM_PICK(area, firsts) +
           random_below(area, random_one_in(area, 4) ? 64 : 4);
}

static void put_msr(struct writer *w)
{
    uint64_t value = random_value(w->area);

    put_load(w, RCX, pick_msr(w->area));
    put_load(w, RAX, value);
    put_load(w, RDX, value >> 32);
    put_byte(w, 0x0f);
    put_byte(w, random_one_in(w->area, 3) ? 0x32 : 0x30);
}

static void put_port(struct writer *w)
{
    static const uint16_t ports[] = {0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd,
                                     0x3fe, 0x3ff, 0x20,  0x40,  0x60,  0x64,
                                     0x70,  0xcf8, 0xcfc, 0xffff};
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf2, 0xf3,
                                       0x64, 0x48, 0x2e};
    static const uint8_t opcodes[] = {0xe4, 0xe5, 0xe6, 0xe7, 0xec, 0xed,
                                      0xee, 0xef, 0x6c, 0x6d, 0x6e, 0x6f};
    uint8_t opcode = RANDOM_PICK(w->area, opcodes);

    put_load(w, RDX, RANDOM_PICK(w->area, ports));
    put_load(w, RCX,
             random_one_in(w->area, 16) ? random_value(w->area)
                                        : random_below(w->area, 16));
    put_load(w, RSI, random_address(w->area));
    put_load(w, RDI, random_address(w->area));
    for (uint32_t count = random_below(w->area, 3); count > 0; count--)
        put_byte(w, RANDOM_PICK(w->area, prefixes));
    put_byte(w, opcode);
    if (opcode >= 0xe4 && opcode <= 0xe7)
        put_byte(w, 0xf8);
}

static void put_hypercall(struct writer *w)
{
    uint64_t control = random_next(w->area);

    if (!random_one_in(w->area,
                       4)) /* a call that may exist, and no reserved bits */
        control = (control & UINT64_C(0x0fff0fff00010000)) |
                  (random_one_in(w->area, 2) ? 0 : control & 0xffff) |
                  random_below(w->area, 0x100);
    if (random_one_in(w->area, 2))
        control &= UINT64_C(0x0003000300ffffff);
    put_load(w, RCX, control);
    put_load(w, RDX, random_value(w->area));
    put_load(w, R8, random_value(w->area));
    switch (random_below(w->area, 4)) {
    case 0:
        put(w, "\x0f\x01\xc1", 3); /* vmcall */
        break;
    case 1:
        put(w, "\x0f\x01\xd9", 3); /* vmmcall */
        break;
    default:
        put_load(w, RAX, (uintptr_t)hyperv_hypercall_page);
        put(w, "\xff\xd0", 2);
        break;
    }
}

/* mov %crN, %rax; btc $bit, %rax; mov %rax, %crN; or a value at random */
static void put_control_register(struct writer *w)
{
    static const uint8_t registers[] = {2, 4, 4, 8}, lethal[] = {0, 0, 3, 4};
    bool dies = random_is_lethal(w->area);
    uint8_t reg =
        dies ? RANDOM_PICK(w->area, lethal) : RANDOM_PICK(w->area, registers);
    uint8_t modrm = (uint8_t)(0xc0 | (reg & 7) << 3);

    if (dies && random_one_in(w->area, 4)) {
        put_load(w, RAX, random_value(w->area));
    } else {
        put_byte(w, reg >= 8 ? 0x44 : 0x40);
        put(w, "\x0f\x20", 2);
        put_byte(w, modrm);
        put(w, "\x48\x0f\xba\xf8", 4);
        put_byte(w, random_below(w->area, dies ? 64 : 32));
    }
    put_byte(w, reg >= 8 ? 0x44 : 0x40);
    put(w, "\x0f\x22", 2);
    put_byte(w, modrm);
}

static void put_debug_register(struct writer *w)
{
    put_load(w, RAX,
             random_one_in(w->area, 2) ? random_address(w->area)
                                       : random_value(w->area) & 0xffffffff);
    put_byte(w, 0x0f);
    put_byte(w, random_one_in(w->area, 4) ? 0x21 : 0x23);
    put_byte(w, 0xc0 | random_below(w->area, 8) << 3);
}

/* Instructions without operands, or with RAX as their only one. */
static void put_system(struct writer *w)
{
    static const struct {
        uint8_t count, bytes[4];
    } instructions[] = {
        {1, {0xf4}},                   /* hlt */
        {1, {0xfa}},                   /* cli */
        {1, {0xfb}},                   /* sti */
        {2, {0xfb, 0xf4}},             /* sti; hlt */
        {2, {0xf3, 0x90}},             /* pause */
        {2, {0x0f, 0xa2}},             /* cpuid */
        {2, {0x0f, 0x31}},             /* rdtsc */
        {3, {0x0f, 0x01, 0xf9}},       /* rdtscp */
        {2, {0x0f, 0x33}},             /* rdpmc */
        {3, {0x0f, 0x01, 0xd0}},       /* xgetbv */
        {3, {0x0f, 0x01, 0xd1}},       /* xsetbv */
        {3, {0x0f, 0x01, 0xc8}},       /* monitor */
        {3, {0x0f, 0x01, 0xc9}},       /* mwait */
        {3, {0x0f, 0x01, 0xf8}},       /* swapgs */
        {2, {0x0f, 0x05}},             /* syscall */
        {3, {0x48, 0x0f, 0x07}},       /* sysretq */
        {2, {0x0f, 0x07}},             /* sysret */
        {2, {0x0f, 0x34}},             /* sysenter */
        {2, {0x0f, 0x35}},             /* sysexit */
        {1, {0xf1}},                   /* icebp */
        {2, {0xcd, 0x80}},             /* int */
        {2, {0xcd, 0x02}},             /* int 2 */
        {2, {0xcd, 0x08}},             /* int 8 */
        {2, {0x0f, 0x0b}},             /* ud2 */
        {2, {0x0f, 0xaa}},             /* rsm */
        {3, {0x0f, 0x01, 0xca}},       /* clac */
        {3, {0x0f, 0x01, 0xcb}},       /* stac */
        {2, {0x0f, 0x06}},             /* clts */
        {2, {0x0f, 0x08}},             /* invd */
        {2, {0x0f, 0x09}},             /* wbinvd */
        {3, {0x0f, 0x01, 0xd8}},       /* vmrun */
        {3, {0x0f, 0x01, 0xda}},       /* vmload */
        {3, {0x0f, 0x01, 0xdb}},       /* vmsave */
        {3, {0x0f, 0x01, 0xdc}},       /* stgi */
        {3, {0x0f, 0x01, 0xdd}},       /* clgi */
        {3, {0x0f, 0x01, 0xde}},       /* skinit */
        {3, {0x0f, 0x01, 0xdf}},       /* invlpga */
        {3, {0x0f, 0x01, 0xc2}},       /* vmlaunch */
        {3, {0x0f, 0x00, 0xd8}},       /* ltr %ax */
        {3, {0x0f, 0x00, 0xd0}},       /* lldt %ax */
        {2, {0x8e, 0xd8}},             /* mov %eax, %ds */
        {2, {0x8e, 0xd0}},             /* mov %eax, %ss */
        {2, {0x8e, 0xe0}},             /* mov %eax, %fs */
        {3, {0x0f, 0x01, 0xf0}},       /* lmsw %ax */
        {3, {0x0f, 0xc7, 0xf0}},       /* rdrand */
        {4, {0xf3, 0x0f, 0xae, 0xd0}}, /* wrfsbase */
        {4, {0x66, 0x0f, 0xae, 0xf8}}, /* pcommit, or nothing */
        {2, {0xeb, 0xfe}},             /* jmp . */
        {2, {0xff, 0xe0}},             /* jmp *%rax */
        {2, {0xff, 0xd0}},             /* call *%rax */
        {1, {0x9b}},                   /* fwait */
        {2, {0x0f, 0x77}},             /* emms */
        {4, {0xf3, 0x0f, 0xc7, 0xf8}}, /* rdpid */
    };
    uint32_t i =
        random_below(w->area, sizeof(instructions) / sizeof(instructions[0]));

    if (random_one_in(w->area, 2))
        put_load(w, RAX, random_value(w->area));
    put(w, instructions[i].bytes, instructions[i].count);
}

/* Instructions with a memory operand, here (%rbx). */
static void put_memory(struct writer *w)
{
    static const struct {
        uint8_t count, bytes[5];
    } instructions[] = {
        {3, {0x48, 0x8b, 0x03}},             /* mov (%rbx), %rax */
        {3, {0x48, 0x89, 0x03}},             /* mov %rax, (%rbx) */
        {2, {0x8b, 0x03}},                   /* mov (%rbx), %eax */
        {2, {0x89, 0x03}},                   /* mov %eax, (%rbx) */
        {2, {0x88, 0x03}},                   /* mov %al, (%rbx) */
        {5, {0xf0, 0x48, 0x0f, 0xc1, 0x03}}, /* lock xadd */
        {3, {0x48, 0x87, 0x03}},             /* xchg */
        {4, {0x48, 0x0f, 0xc7, 0x0b}},       /* cmpxchg16b */
        {2, {0xff, 0x33}},                   /* push */
        {2, {0x8f, 0x03}},                   /* pop */
        {2, {0xff, 0x23}},                   /* jmp *(%rbx) */
        {2, {0xff, 0xe3}},                   /* jmp *%rbx */
        {2, {0xff, 0xd3}},                   /* call *%rbx */
        {3, {0x48, 0xff, 0x2b}},             /* ljmp *(%rbx) */
        {3, {0x48, 0xff, 0x1b}},             /* lcall *(%rbx) */
        {3, {0x0f, 0xae, 0x03}},             /* fxsave */
        {3, {0x0f, 0xae, 0x0b}},             /* fxrstor */
        {3, {0x0f, 0xae, 0x23}},             /* xsave */
        {3, {0x0f, 0xae, 0x2b}},             /* xrstor */
        {3, {0x0f, 0xae, 0x13}},             /* ldmxcsr */
        {3, {0x0f, 0xae, 0x3b}},             /* clflush */
        {3, {0x0f, 0x01, 0x3b}},             /* invlpg */
        {3, {0x0f, 0x01, 0x03}},             /* sgdt */
        {3, {0x0f, 0x01, 0x0b}},             /* sidt */
        {3, {0x0f, 0x0f, 0x03}},             /* 3DNow! */
        {4, {0xf3, 0x0f, 0x6f, 0x03}},       /* movdqu */
        {4, {0xf3, 0x0f, 0x7f, 0x03}},       /* movdqu to memory */
        {2, {0xdd, 0x33}},                   /* fnsave */
        {2, {0xdd, 0x23}},                   /* frstor */
        {2, {0xd9, 0x23}},                   /* fldenv */
        {3, {0xf3, 0x48, 0xa5}},             /* rep movsq */
        {3, {0xf3, 0x48, 0xab}},             /* rep stosq */
        {2, {0xf3, 0xa4}},                   /* rep movsb */
        {3, {0x48, 0x8b, 0xe3}},             /* mov %rbx, %rsp */
        {3, {0x0f, 0xc7, 0x33}},             /* vmptrld, rdrand's neighbour */
        {4, {0x0f, 0x38, 0xf6, 0x03}},       /* wrss */
        {5, {0x66, 0x0f, 0x38, 0x82, 0x03}}, /* invpcid */
    };
    uint32_t i =
        random_below(w->area, sizeof(instructions) / sizeof(instructions[0]));

    put_load(w, RBX, random_address(w->area));
    if (random_one_in(w->area, 2)) {
        put_load(w, RSI, random_address(w->area));
        put_load(w, RDI, random_address(w->area));
        put_load(w, RCX, random_below(w->area, 2048));
    }
    put(w, instructions[i].bytes, instructions[i].count);
}

/* The tables that everything stands on, loaded from anywhere. */
static void put_tables(struct writer *w)
{
    static const uint8_t modrms[] = {0x13, 0x1b}; /* lgdt, lidt (%rbx) */

    if (!random_is_lethal(w->area))
        return;
    put_load(w, RBX, random_address(w->area));
    put(w, "\x0f\x01", 2);
    put_byte(w, RANDOM_PICK(w->area, modrms));
}

static void put_apic(struct writer *w)
{
    static const uint32_t registers[] = {
        0x20,  0x80,  0xb0,  0xd0,  0xe0,  0xf0,  0x280, 0x2f0,
        0x300, 0x300, 0x300, 0x310, 0x320, 0x330, 0x340, 0x350,
        0x360, 0x370, 0x380, 0x390, 0x3e0, 0x3f0, 0x400};
    uint32_t reg = RANDOM_PICK(w->area, registers);
    uint64_t value = random_one_in(w->area, 2) ? random_value(w->area)
                                               : random_next(w->area);

    /* INIT stops a processor for good, here: let it be rare. */
    if (reg == 0x300 && (value >> 8 & 7) == 5 && !random_one_in(w->area, 64))
        value ^= 0x100;
    put_load(w, RAX, value);
    put_load(w, RDX,
             random_one_in(w->area, 2) ? random_below(w->area, 4)
                                       : value >> 32);
    if (apic_is_x2apic() || random_one_in(w->area, 4)) {
        put_load(w, RCX, 0x800 + (reg >> 4));
        put(w, "\x0f\x30", 2);
        return;
    }
    put_load(w, RBX, APIC_PHYSICAL + reg + (random_one_in(w->area, 8) ? 2 : 0));
    if (random_one_in(w->area, 2))
        put(w, "\x89\x03", 2);
    else
        put(w, "\x8b\x03", 2);
}

/* A page that is there: RAM, tables, code, or an overlay. */
static uint64_t pick_backed(struct random_area *area)
{
    const uint64_t pages[] = {
        random_apic_page(area),
        random_apic_page(area),
        (uintptr_t)hyperv_hypercall_page,
        paging_root(),
        (uintptr_t)area->entries,
        memory_end() - PAGE_BYTES,
        0,
        0x9f000,
    };

    return RANDOM_PICK(area, pages) & PTE_ADDRESS;
}

/* An entry of the sandbox's page table, then an access to its page. */
static void put_entry(struct writer *w)
{
    uint32_t page = 1 + random_below(w->area, 7);
    uint64_t frame = (uintptr_t)w->area->page + page * PAGE_BYTES;
    uint64_t rights = random_next(w->area) & (PTE_NX | 0x1ff);

    if (random_is_lethal(w->area))
        frame = random_next(w->area) & PTE_ADDRESS;
    else if (random_one_in(w->area, 2))
        frame = pick_backed(w->area);
    put_load(w, RBX, (uintptr_t)&w->area->entries[page]);
    put_load(w, RAX, frame | rights);
    put(w, "\x48\x89\x03", 3); /* mov %rax, (%rbx) */
    put_load(w, RBX, w->area->sandbox + page * PAGE_BYTES);
    if (random_one_in(w->area, 2))
        put(w, "\x0f\x01\x3b", 3); /* invlpg (%rbx) */
    if (random_one_in(w->area, 3))
        put(w, "\xff\xe3", 2); /* jmp *%rbx */
    else
        put(w, "\x48\x87\x03", 3); /* xchg %rax, (%rbx) */
}

static uint64_t pick_selector(struct random_area *area)
{
    static const uint16_t selectors[] = {
        0,
        SEGMENT_CODE64,
        SEGMENT_DATA,
        SEGMENT_USER_CODE32,
        SEGMENT_USER_DATA,
        SEGMENT_USER_CODE64,
        SEGMENT_TSS,
        SEGMENT_CODE32,
        SEGMENT_CODE16,
        SEGMENT_DATA16,
        SEGMENT_SPARE,
        0xfff8,
    };

    return RANDOM_PICK(area, selectors) ^
           (random_one_in(area, 8) ? random_below(area, 8) : 0);
}

static uint64_t pick_flags(struct random_area *area)
{
    uint64_t flags = random_next(area) & 0x3fffff;

    if (!random_one_in(area, 4))
        flags &= ~(UINT64_C(1) << 17 | UINT64_C(1) << 14); /* VM, NT */
    return flags;
}

static void put_flags(struct writer *w)
{
    put_load(w, RAX, pick_flags(w->area));
    put(w, "\x50\x9d", 2); /* push %rax; popfq */
}

/* IRETQ, or a far return, to anywhere. */
static void put_far(struct writer *w)
{
    static const uint8_t ends[][2] = {{0x48, 0xcf}, {0x48, 0xcb}, {0x90, 0xcf}};
    uint64_t code = random_one_in(w->area, 2)
                        ? random_address(w->area)
                        : w->area->sandbox + 256 + random_below(w->area, 512);
    const uint64_t frame[] = {
        pick_selector(w->area),
        w->area->sandbox + 2048,
        pick_flags(w->area),
        pick_selector(w->area),
        code,
    };

    for (unsigned i = 0; i < 5; i++) {
        put_load(w, RAX, frame[i]);
        put_byte(w, 0x50);
    }
    put(w, RANDOM_PICK(w->area, ends), 2);
}

static void put_floating_point(struct writer *w)
{
    static const uint8_t prefixes[] = {0x90, 0x66, 0xf2, 0xf3};

    put_load(w, RBX, random_address(w->area));
    if (random_one_in(w->area, 2)) {
        put_byte(w, 0xd8 + random_below(w->area, 8));
    } else {
        put_byte(w, RANDOM_PICK(w->area, prefixes));
        put_byte(w, 0x0f);
        put_byte(w, 0x10 + random_below(w->area, 0xf0));
    }
    put_byte(w, random_one_in(w->area, 2) ? 0x03
                                          : 0xc0 + random_below(w->area, 64));
}

/* A store into the block itself, ahead of or behind where it stands. */
static void put_patch(struct writer *w)
{
    put_load(w, RBX, w->area->sandbox + random_below(w->area, 1024));
    put_load(w, RAX, random_next(w->area));
    put(w, "\x48\x89\x03", 3);
}

static void (*const kinds[])(struct writer *) = {
    put_noise,
    put_msr,
    put_msr,
    put_port,
    put_port,
    put_hypercall,
    put_hypercall,
    put_control_register,
    put_system,
    put_system,
    put_system,
    put_memory,
    put_memory,
    put_memory,
    put_apic,
    put_apic,
    put_entry,
    put_entry,
    put_flags,
    put_far,
    put_patch,
    put_tables,
    put_debug_register,
    put_floating_point,
};

void random_code(struct random_area *area)
{
    struct writer writer = {.area = area, .at = area->page};
    uint32_t count = 1 + random_below(area, BLOCK_INSTRUCTIONS_MAX);

    memset(area->page, RANDOM_FILL, PAGE_BYTES);
    for (unsigned i = 0; i < RANDOM_REGISTER_COUNT; i++)
        area->registers[i] = random_value(area);
    area->registers[RSP] = area->sandbox + 3072;
    area->flags = random_one_in(area, 8) ? pick_flags(area)
                                         : 2 | random_below(area, 2) << 9;
    put_load(&writer, RDI, random_value(area));
    while (count-- > 0)
        RANDOM_PICK(area, kinds)(&writer);
}
