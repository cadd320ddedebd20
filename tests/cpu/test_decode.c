/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/decode.h"

/*
 * Each general register holds 0x1000 times its number plus one: RAX 0x1000,
 * RCX 0x2000, RDX 0x3000, RBX 0x4000, RSP 0x5000, RBP 0x6000, RSI 0x7000,
 * RDI 0x8000, R8 0x9000 ... In 16- and 32-bit code the segments have bases,
 * in 64-bit code only FS and GS.
 */
#define FS_BASE 0x700000u
#define GS_BASE 0x800000u
#define DS_BASE 0x100000u
#define ES_BASE 0x200000u
#define SS_BASE 0x300000u
#define RIP 0x10000u

#define R true, false
#define W false, true
#define RW true, true

struct expectation {
    const char *name;
    enum code_mode mode;
    uint8_t bytes;
    uint8_t code[15];
    struct {
        enum cost_kind kind;
        uint32_t count;
    } bill[3];
    struct decode_operand operands[3];
};

#define CODE(...)                                                              \
    sizeof((uint8_t[]){__VA_ARGS__}),                                          \
    {                                                                          \
        __VA_ARGS__                                                            \
    }

/* clang-format off */
static const struct expectation expectations[] = {
    {"mov [rbx], eax", CODE_64, CODE(0x89, 0x03),
     {{COST_INSN_ALU, 1}, {COST_INSN_STORE, 1}}, {{{0x4000}, 4, W}}},
    {"mov eax, [rbx]", CODE_64, CODE(0x8b, 0x03),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}}, {{{0x4000}, 4, R}}},
    {"add [rbx], eax", CODE_64, CODE(0x01, 0x03),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}, {COST_INSN_STORE, 1}},
     {{{0x4000}, 4, RW}}},
    {"cmp dword [rbx], 5", CODE_64, CODE(0x83, 0x3b, 0x05),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}}, {{{0x4000}, 4, R}}},
    {"test [rbx], eax", CODE_64, CODE(0x85, 0x03),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}}, {{{0x4000}, 4, R}}},
    {"lea rcx, [rax + rbx*4 + 5]", CODE_64,
     CODE(0x48, 0x8d, 0x4c, 0x98, 0x05), {{COST_INSN_ALU, 1}}, {{{0}, 0, R}}},
    {"mov rax, [rax + rcx*8 - 16]", CODE_64,
     CODE(0x48, 0x8b, 0x44, 0xc8, 0xf0),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}}, {{{0x10ff0}, 8, R}}},
    {"mov eax, [rip + 8]", CODE_64, CODE(0x8b, 0x05, 8, 0, 0, 0),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}}, {{{RIP + 6 + 8}, 4, R}}},
    {"mov rax, fs:[0x28]", CODE_64,
     CODE(0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}}, {{{FS_BASE + 0x28}, 8, R}}},
    {"mov eax, gs:[rax]", CODE_64, CODE(0x65, 0x8b, 0x00),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}}, {{{GS_BASE + 0x1000}, 4, R}}},
    {"mov eax, ss:[rax]", CODE_64, CODE(0x36, 0x8b, 0x00),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}}, {{{0x1000}, 4, R}}},
    {"mov ebx, [eax - 0x2000]", CODE_64,
     CODE(0x67, 0x8b, 0x98, 0x00, 0xe0, 0xff, 0xff),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}}, {{{0xfffff000}, 4, R}}},
    {"movabs [...], rax", CODE_64,
     CODE(0x48, 0xa3, 8, 7, 6, 5, 4, 3, 2, 1),
     {{COST_INSN_ALU, 1}, {COST_INSN_STORE, 1}},
     {{{UINT64_C(0x0102030405060708)}, 8, W}}},
    {"push rax", CODE_64, CODE(0x50),
     {{COST_INSN_ALU, 1}, {COST_INSN_STORE, 1}}, {{{0x4ff8}, 8, W}}},
    {"push ax", CODE_64, CODE(0x66, 0x50),
     {{COST_INSN_ALU, 1}, {COST_INSN_STORE, 1}}, {{{0x4ffe}, 2, W}}},
    {"push qword [rsp]", CODE_64, CODE(0xff, 0x34, 0x24),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}, {COST_INSN_STORE, 1}},
     {{{0x5000}, 8, R}, {{0x4ff8}, 8, W}}},
    {"pop qword [rsp + 8]: RSP moves first", CODE_64,
     CODE(0x8f, 0x44, 0x24, 0x08),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}, {COST_INSN_STORE, 1}},
     {{{0x5000}, 8, R}, {{0x5010}, 8, W}}},
    {"call rel", CODE_64, CODE(0xe8, 0, 0, 0, 0),
     {{COST_INSN_BRANCH, 1}, {COST_INSN_STORE, 1}}, {{{0x4ff8}, 8, W}}},
    {"call [rax]", CODE_64, CODE(0xff, 0x10),
     {{COST_INSN_BRANCH, 1}, {COST_INSN_LOAD, 1}, {COST_INSN_STORE, 1}},
     {{{0x1000}, 8, R}, {{0x4ff8}, 8, W}}},
    {"call far [rax]", CODE_64, CODE(0xff, 0x18),
     {{COST_INSN_BRANCH, 1}, {COST_INSN_LOAD, 1}, {COST_INSN_STORE, 2}},
     {{{0x1000}, 6, R}, {{0x4ff8}, 8, W}}},
    {"ret", CODE_64, CODE(0xc3),
     {{COST_INSN_BRANCH, 1}, {COST_INSN_LOAD, 1}}, {{{0x5000}, 8, R}}},
    {"retfq 8", CODE_64, CODE(0x48, 0xca, 8, 0),
     {{COST_INSN_BRANCH, 1}, {COST_INSN_LOAD, 2}},
     {{{0x5000}, 16, R}, {{0x5018}, 16, R}}},
    {"iretq", CODE_64, CODE(0x48, 0xcf),
     {{COST_INSN_SYSTEM, 1}, {COST_INSN_LOAD, 5}}, {{{0x5000}, 40, R}}},
    {"enter 16, 3", CODE_64, CODE(0xc8, 16, 0, 3),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 2}, {COST_INSN_STORE, 4}},
     {{{0x4fe0}, 32, W}, {{0x5ff0}, 16, R}}},
    {"leave", CODE_64, CODE(0xc9),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}}, {{{0x6000}, 8, R}}},
    {"je", CODE_64, CODE(0x74, 0), {{COST_INSN_BRANCH, 1}}, {{{0}, 0, R}}},
    {"rep movsq: one iteration", CODE_64, CODE(0xf3, 0x48, 0xa5),
     {{COST_INSN_STRING, 1}, {COST_INSN_LOAD, 1}, {COST_INSN_STORE, 1}},
     {{{0x7000}, 8, R}, {{0x8000}, 8, W}}},
    {"fs lodsb", CODE_64, CODE(0x64, 0xac),
     {{COST_INSN_STRING, 1}, {COST_INSN_LOAD, 1}}, {{{FS_BASE + 0x7000}, 1, R}}},
    {"movsd (string)", CODE_64, CODE(0xa5),
     {{COST_INSN_STRING, 1}, {COST_INSN_LOAD, 1}, {COST_INSN_STORE, 1}},
     {{{0x7000}, 4, R}, {{0x8000}, 4, W}}},
    {"cmpsb", CODE_64, CODE(0xa6),
     {{COST_INSN_STRING, 1}, {COST_INSN_LOAD, 2}},
     {{{0x7000}, 1, R}, {{0x8000}, 1, R}}},
    {"insd", CODE_64, CODE(0x6d),
     {{COST_INSN_STRING, 1}, {COST_INSN_STORE, 1}}, {{{0x8000}, 4, W}}},
    {"xlat", CODE_64, CODE(0xd7),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}}, {{{0x4000}, 1, R}}},
    {"xchg [rbx], eax: locked", CODE_64, CODE(0x87, 0x03),
     {{COST_INSN_LOCKED, 1}, {COST_INSN_LOAD, 1}, {COST_INSN_STORE, 1}},
     {{{0x4000}, 4, RW}}},
    {"lock cmpxchg8b [rbx]", CODE_64, CODE(0xf0, 0x0f, 0xc7, 0x0b),
     {{COST_INSN_LOCKED, 1}, {COST_INSN_LOAD, 1}, {COST_INSN_STORE, 1}},
     {{{0x4000}, 8, RW}}},
    {"cmpxchg16b [rbx]", CODE_64, CODE(0x48, 0x0f, 0xc7, 0x0b),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}, {COST_INSN_STORE, 1}},
     {{{0x4000}, 16, RW}}},
    {"bts [rbx], ecx: bit 0x2000", CODE_64, CODE(0x0f, 0xab, 0x0b),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}, {COST_INSN_STORE, 1}},
     {{{0x4400}, 4, RW}}},
    {"bt qword [rbx], 3", CODE_64, CODE(0x48, 0x0f, 0xba, 0x23, 3),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}}, {{{0x4000}, 8, R}}},
    {"mul qword [rbx]", CODE_64, CODE(0x48, 0xf7, 0x23),
     {{COST_INSN_MUL, 1}, {COST_INSN_LOAD, 1}}, {{{0x4000}, 8, R}}},
    {"div ecx", CODE_64, CODE(0xf7, 0xf1), {{COST_INSN_DIV, 1}}, {{{0}, 0, R}}},
    {"movups [rbx], xmm0", CODE_64, CODE(0x0f, 0x11, 0x03),
     {{COST_INSN_VECTOR, 1}, {COST_INSN_STORE, 1}}, {{{0x4000}, 16, W}}},
    {"movsd [rbx], xmm0", CODE_64, CODE(0xf2, 0x0f, 0x11, 0x03),
     {{COST_INSN_FLOAT, 1}, {COST_INSN_STORE, 1}}, {{{0x4000}, 8, W}}},
    {"addpd xmm0, [rbx]", CODE_64, CODE(0x66, 0x0f, 0x58, 0x03),
     {{COST_INSN_VECTOR, 1}, {COST_INSN_LOAD, 1}}, {{{0x4000}, 16, R}}},
    {"addsd xmm0, xmm1", CODE_64, CODE(0xf2, 0x0f, 0x58, 0xc1),
     {{COST_INSN_FLOAT, 1}}, {{{0}, 0, R}}},
    {"divps xmm0, xmm1", CODE_64, CODE(0x0f, 0x5e, 0xc1),
     {{COST_INSN_FLOAT_DIV, 1}}, {{{0}, 0, R}}},
    {"cmpleps xmm0, [rbx]", CODE_64, CODE(0x0f, 0xc2, 0x03, 2),
     {{COST_INSN_VECTOR, 1}, {COST_INSN_LOAD, 1}}, {{{0x4000}, 16, R}}},
    {"cmpltsd xmm0, [rbx]", CODE_64, CODE(0xf2, 0x0f, 0xc2, 0x03, 1),
     {{COST_INSN_FLOAT, 1}, {COST_INSN_LOAD, 1}}, {{{0x4000}, 8, R}}},
    {"comisd xmm0, [rbx]", CODE_64, CODE(0x66, 0x0f, 0x2f, 0x03),
     {{COST_INSN_FLOAT, 1}, {COST_INSN_LOAD, 1}}, {{{0x4000}, 8, R}}},
    {"maskmovdqu xmm0, xmm1", CODE_64, CODE(0x66, 0x0f, 0xf7, 0xc1),
     {{COST_INSN_VECTOR, 1}, {COST_INSN_STORE, 1}}, {{{0x8000}, 16, W}}},
    {"fadd dword [rbx]", CODE_64, CODE(0xd8, 0x03),
     {{COST_INSN_FLOAT, 1}, {COST_INSN_LOAD, 1}}, {{{0x4000}, 4, R}}},
    {"fstp tbyte [rbx]", CODE_64, CODE(0xdb, 0x3b),
     {{COST_INSN_FLOAT, 1}, {COST_INSN_STORE, 1}}, {{{0x4000}, 10, W}}},
    {"fnstenv [rbx]", CODE_64, CODE(0xd9, 0x33),
     {{COST_INSN_FLOAT, 1}, {COST_INSN_STORE, 1}}, {{{0x4000}, 28, W}}},
    {"fxsave [rbx]", CODE_64, CODE(0x0f, 0xae, 0x03),
     {{COST_INSN_SYSTEM, 1}, {COST_INSN_STORE, 1}}, {{{0x4000}, 512, W}}},
    {"xrstor [rbx]", CODE_64, CODE(0x0f, 0xae, 0x2b),
     {{COST_INSN_SYSTEM, 1}, {COST_INSN_LOAD, 1}}, {{{0x4000}, 576, R}}},
    {"lgdt [rbx]", CODE_64, CODE(0x0f, 0x01, 0x13),
     {{COST_INSN_SYSTEM, 1}, {COST_INSN_LOAD, 1}}, {{{0x4000}, 10, R}}},
    {"invlpg [rbx]: billed by the engine", CODE_64, CODE(0x0f, 0x01, 0x3b),
     {{COST_INSN_ALU, 1}}, {{{0}, 0, R}}},
    {"prefetcht0 [rax]", CODE_64, CODE(0x0f, 0x18, 0x08),
     {{COST_INSN_ALU, 1}}, {{{0}, 0, R}}},
    {"mfence", CODE_64, CODE(0x0f, 0xae, 0xf0), {{COST_INSN_LOCKED, 1}},
     {{{0}, 0, R}}},
    {"pause", CODE_64, CODE(0xf3, 0x90), {{COST_INSN_PAUSE, 1}}, {{{0}, 0, R}}},
    {"cpuid", CODE_64, CODE(0x0f, 0xa2), {{COST_INSN_SYSTEM, 1}},
     {{{0}, 0, R}}},
    {"mov cr3, rax", CODE_64, CODE(0x0f, 0x22, 0xd8), {{COST_INSN_SYSTEM, 1}},
     {{{0}, 0, R}}},
    {"rdtsc: billed by the engine", CODE_64, CODE(0x0f, 0x31),
     {{COST_INSN_ALU, 1}}, {{{0}, 0, R}}},

    {"mov [ebx], eax", CODE_32, CODE(0x89, 0x03),
     {{COST_INSN_ALU, 1}, {COST_INSN_STORE, 1}}, {{{DS_BASE + 0x4000}, 4, W}}},
    {"mov eax, [ebp - 4]: on the stack", CODE_32, CODE(0x8b, 0x45, 0xfc),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}}, {{{SS_BASE + 0x5ffc}, 4, R}}},
    {"mov eax, es:[ebp]", CODE_32, CODE(0x26, 0x8b, 0x45, 0x00),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}}, {{{ES_BASE + 0x6000}, 4, R}}},
    {"mov al, [bx + si]", CODE_32, CODE(0x67, 0x8a, 0x00),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}}, {{{DS_BASE + 0xb000}, 1, R}}},
    {"pushad", CODE_32, CODE(0x60),
     {{COST_INSN_ALU, 1}, {COST_INSN_STORE, 8}}, {{{SS_BASE + 0x4fe0}, 32, W}}},
    {"popad", CODE_32, CODE(0x61),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 8}}, {{{SS_BASE + 0x5000}, 32, R}}},
    {"movsb", CODE_32, CODE(0xa4),
     {{COST_INSN_STRING, 1}, {COST_INSN_LOAD, 1}, {COST_INSN_STORE, 1}},
     {{{DS_BASE + 0x7000}, 1, R}, {{ES_BASE + 0x8000}, 1, W}}},
    {"iretd", CODE_32, CODE(0xcf),
     {{COST_INSN_SYSTEM, 1}, {COST_INSN_LOAD, 3}},
     {{{SS_BASE + 0x5000}, 12, R}, {{SS_BASE + 0x500c}, 24, R}}},
    {"les eax, [ebx]", CODE_32, CODE(0xc4, 0x03),
     {{COST_INSN_SYSTEM, 1}, {COST_INSN_LOAD, 1}}, {{{DS_BASE + 0x4000}, 6, R}}},
    {"bound eax, [ebx]", CODE_32, CODE(0x62, 0x03),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}}, {{{DS_BASE + 0x4000}, 8, R}}},
    {"call far imm", CODE_32, CODE(0x9a, 0, 0, 0, 0, 8, 0),
     {{COST_INSN_BRANCH, 1}, {COST_INSN_STORE, 2}},
     {{{SS_BASE + 0x4ff8}, 8, W}}},

    {"mov [bx + di - 1], ax", CODE_16, CODE(0x89, 0x41, 0xff),
     {{COST_INSN_ALU, 1}, {COST_INSN_STORE, 1}}, {{{DS_BASE + 0xbfff}, 2, W}}},
    {"mov ax, [bp + si + 0x7000]: wraps", CODE_16,
     CODE(0x8b, 0x82, 0x00, 0x70),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}}, {{{SS_BASE + 0x4000}, 2, R}}},
    {"mov eax, [ebx + 0x10000]", CODE_16,
     CODE(0x66, 0x67, 0x8b, 0x83, 0, 0, 1, 0),
     {{COST_INSN_ALU, 1}, {COST_INSN_LOAD, 1}}, {{{DS_BASE + 0x14000}, 4, R}}},
    {"pusha", CODE_16, CODE(0x60),
     {{COST_INSN_ALU, 1}, {COST_INSN_STORE, 8}}, {{{SS_BASE + 0x4ff0}, 16, W}}},
    {"retf", CODE_16, CODE(0xcb),
     {{COST_INSN_BRANCH, 1}, {COST_INSN_LOAD, 2}},
     {{{SS_BASE + 0x5000}, 4, R}, {{SS_BASE + 0x5004}, 4, R}}},
};
/* clang-format on */

#define EXPECTATION_COUNT (sizeof(expectations) / sizeof(expectations[0]))

static struct x86_state state_for(enum code_mode mode)
{
    struct x86_state cpu;

    x86_reset(&cpu);
    cpu.rip = RIP;
    for (unsigned i = 0; i < X86_GPR_COUNT; i++)
        cpu.gpr[i] = 0x1000 * (i + 1);
    cpu.segment[X86_DS].base = DS_BASE;
    cpu.segment[X86_ES].base = ES_BASE;
    cpu.segment[X86_SS].base = SS_BASE;
    cpu.segment[X86_FS].base = FS_BASE;
    cpu.segment[X86_GS].base = GS_BASE;
    if (mode != CODE_16)
        cpu.cr0 |= CR0_PE;
    if (mode == CODE_32) {
        cpu.segment[X86_CS].attributes |= X86_ATTR_DB;
        cpu.segment[X86_SS].attributes |= X86_ATTR_DB;
    }
    if (mode == CODE_64) {
        cpu.efer = EFER_LMA | EFER_LME;
        cpu.segment[X86_CS].attributes |= X86_ATTR_L;
    }
    return cpu;
}

static struct decoder *decoder_of(void **state)
{
    return *state;
}

static int create_decoder(void **state)
{
    *state = decode_create();
    return *state == NULL ? -1 : 0;
}

static int free_decoder(void **state)
{
    decode_free(*state);
    return 0;
}

static uint32_t expected_count(const struct expectation *expected,
                               enum cost_kind kind)
{
    for (unsigned i = 0; i < 3; i++) {
        if (expected->bill[i].count > 0 && expected->bill[i].kind == kind)
            return expected->bill[i].count;
    }
    return 0;
}

static void instructions_are_billed_by_class_and_by_memory_item(void **state)
{
    for (unsigned i = 0; i < EXPECTATION_COUNT; i++) {
        const struct expectation *expected = &expectations[i];
        struct cost_bill bill = {0};

        if (decode_block(decoder_of(state), expected->mode, expected->code,
                         expected->bytes, &bill) != 1)
            fail_msg("%s: not one instruction", expected->name);
        for (unsigned kind = 0; kind < COST_KIND_COUNT; kind++) {
            if (cost_count(&bill, kind) != expected_count(expected, kind))
                fail_msg("%s: %u of %s", expected->name,
                         cost_count(&bill, kind), cost_kind_name(kind));
        }
    }
}

static void
memory_operands_have_the_addresses_that_the_registers_say(void **state)
{
    for (unsigned i = 0; i < EXPECTATION_COUNT; i++) {
        const struct expectation *expected = &expectations[i];
        struct x86_state cpu = state_for(expected->mode);
        struct decode_operand found[DECODE_OPERANDS_MAX];
        uint32_t count = decode_operands(
            decoder_of(state), &cpu, expected->code, expected->bytes, found);

        for (uint32_t k = 0; k < 3; k++) {
            const struct decode_operand *wanted = &expected->operands[k];

            if (wanted->bytes == 0) {
                if (count != k)
                    fail_msg("%s: %u operands", expected->name, count);
                break;
            }
            if (k >= count || found[k].start.raw != wanted->start.raw ||
                found[k].bytes != wanted->bytes ||
                found[k].read != wanted->read ||
                found[k].write != wanted->write)
                fail_msg("%s: operand %u of %u is %#llx + %u", expected->name,
                         k, count, (unsigned long long)found[k].start.raw,
                         found[k].bytes);
        }
    }
}

static void a_length_needs_all_bytes(void **state)
{
    for (unsigned i = 0; i < EXPECTATION_COUNT; i++) {
        const struct expectation *expected = &expectations[i];

        assert_int_equal(decode_length(decoder_of(state), expected->mode,
                                       expected->code, 15),
                         expected->bytes);
        assert_int_equal(decode_length(decoder_of(state), expected->mode,
                                       expected->code, expected->bytes - 1u),
                         0);
    }
}

/* The law that lets the engine cut blocks where it likes. */
static void the_bill_of_a_block_is_the_sum_of_its_instructions(void **state)
{
    uint8_t code[sizeof(expectations) / 2];
    struct cost_bill sum = {0};
    struct cost_bill whole = {0};
    uint32_t bytes = 0;
    uint32_t count = 0;

    for (unsigned i = 0; i < EXPECTATION_COUNT; i++) {
        const struct expectation *expected = &expectations[i];

        if (expected->mode != CODE_64)
            continue;
        memcpy(code + bytes, expected->code, expected->bytes);
        bytes += expected->bytes;
        count += decode_block(decoder_of(state), CODE_64, expected->code,
                              expected->bytes, &sum);
    }
    assert_int_equal(
        decode_block(decoder_of(state), CODE_64, code, bytes, &whole), count);
    for (unsigned kind = 0; kind < COST_KIND_COUNT; kind++)
        assert_int_equal(cost_count(&whole, kind), cost_count(&sum, kind));
}

static void bytes_that_do_not_decode_count_as_system(void **state)
{
    const uint8_t code[] = {0x90, 0x06, 0x90}; /* NOP, PUSH ES, NOP */
    struct cost_bill bill = {0};

    assert_int_equal(
        decode_block(decoder_of(state), CODE_64, code, sizeof(code), &bill), 3);
    assert_int_equal(cost_count(&bill, COST_INSN_ALU), 2);
    assert_int_equal(cost_count(&bill, COST_INSN_SYSTEM), 1);
    assert_int_equal(decode_length(decoder_of(state), CODE_64, code + 1, 2), 0);
    assert_int_equal(decode_block(decoder_of(state), CODE_64, code, 0, &bill),
                     0);
}

static void a_repetition_of_no_iterations_touches_nothing(void **state)
{
    const uint8_t code[] = {0xf3, 0xa4};
    struct x86_state cpu = state_for(CODE_16);
    struct decode_operand found[DECODE_OPERANDS_MAX];

    cpu.gpr[X86_RCX] = 0x10000; /* CX is 0 */
    assert_int_equal(
        decode_operands(decoder_of(state), &cpu, code, sizeof(code), found), 0);
    cpu.gpr[X86_RCX] = 1;
    assert_int_equal(
        decode_operands(decoder_of(state), &cpu, code, sizeof(code), found), 2);
}

static void a_negative_bit_offset_reaches_below_the_operand(void **state)
{
    const uint8_t code[] = {0x0f, 0xa3, 0x0b}; /* BT [RBX], ECX */
    struct x86_state cpu = state_for(CODE_64);
    struct decode_operand found[DECODE_OPERANDS_MAX];

    cpu.gpr[X86_RCX] = 0xffffffff; /* bit -1 */
    assert_int_equal(
        decode_operands(decoder_of(state), &cpu, code, sizeof(code), found), 1);
    assert_int_equal(found[0].start.raw, 0x3ffc);
}

static void the_code_segment_decides_the_mode(void **state)
{
    struct x86_state cpu = state_for(CODE_64);

    (void)state;
    assert_int_equal(decode_mode(&cpu), CODE_64);
    cpu.segment[X86_CS].attributes ^= X86_ATTR_L | X86_ATTR_DB;
    assert_int_equal(decode_mode(&cpu), CODE_32);
    cpu.segment[X86_CS].attributes ^= X86_ATTR_DB;
    assert_int_equal(decode_mode(&cpu), CODE_16);
}

/* I/O. */

static struct decode_io io_of(enum code_mode mode, const uint8_t *code,
                              uint32_t bytes)
{
    struct x86_state cpu = state_for(mode);
    struct decode_io io;

    assert_true(decode_io(&cpu, code, bytes, &io));
    assert_int_equal(io.length, bytes);
    assert_false(decode_io(&cpu, code, bytes - 1, &io));
    assert_true(decode_io(&cpu, code, bytes, &io));
    return io;
}

#define IO(mode, ...)                                                          \
    io_of(mode, (const uint8_t[]){__VA_ARGS__},                                \
          sizeof((uint8_t[]){__VA_ARGS__}))

static void port_instructions_say_port_size_and_direction(void **state)
{
    struct decode_io io = IO(CODE_64, 0xe4, 0x60); /* IN AL, 0x60 */

    (void)state;
    assert_true(io.in && !io.string);
    assert_int_equal(io.port, 0x60);
    assert_int_equal(io.bytes, 1);
    io = IO(CODE_64, 0xe7, 0x80); /* OUT 0x80, EAX */
    assert_false(io.in);
    assert_int_equal(io.port, 0x80);
    assert_int_equal(io.bytes, 4);
    io = IO(CODE_64, 0x66, 0xed); /* IN AX, DX */
    assert_true(io.in);
    assert_int_equal(io.port, 0x3000);
    assert_int_equal(io.bytes, 2);
    io = IO(CODE_16, 0xef); /* OUT DX, AX */
    assert_int_equal(io.bytes, 2);
    io = IO(CODE_64, 0x48, 0xef); /* REX.W does not widen it */
    assert_int_equal(io.bytes, 4);
}

static void string_port_instructions_say_how_they_address(void **state)
{
    struct decode_io io = IO(CODE_64, 0xf3, 0x6c); /* REP INSB */

    (void)state;
    assert_true(io.in && io.string && io.repeated);
    assert_int_equal(io.segment, X86_ES);
    assert_int_equal(io.address_bytes, 8);
    io = IO(CODE_32, 0x64, 0x67, 0x6f); /* OUTSD DX, FS:[SI] */
    assert_true(!io.in && io.string && !io.repeated);
    assert_int_equal(io.segment, X86_FS);
    assert_int_equal(io.address_bytes, 2);
    assert_int_equal(io.bytes, 4);
    io = IO(CODE_64, 0x67, 0x6e);
    assert_int_equal(io.segment, X86_DS);
    assert_int_equal(io.address_bytes, 4);
}

static void other_instructions_are_no_io(void **state)
{
    const uint8_t nop[] = {0x90};
    const uint8_t locked[] = {0xf0, 0xec};
    const uint8_t prefixes[15] = {0x66, 0x66, 0x66, 0x66, 0x66,
                                  0x66, 0x66, 0x66, 0x66, 0x66,
                                  0x66, 0x66, 0x66, 0x66, 0x66};
    struct x86_state cpu = state_for(CODE_64);
    struct decode_io io;

    (void)state;
    assert_false(decode_io(&cpu, nop, sizeof(nop), &io));
    assert_false(decode_io(&cpu, locked, sizeof(locked), &io));
    assert_false(decode_io(&cpu, prefixes, sizeof(prefixes), &io));
    assert_false(decode_io(&cpu, nop, 0, &io));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions_are_billed_by_class_and_by_memory_item),
        cmocka_unit_test(
            memory_operands_have_the_addresses_that_the_registers_say),
        cmocka_unit_test(a_length_needs_all_bytes),
        cmocka_unit_test(the_bill_of_a_block_is_the_sum_of_its_instructions),
        cmocka_unit_test(bytes_that_do_not_decode_count_as_system),
        cmocka_unit_test(a_repetition_of_no_iterations_touches_nothing),
        cmocka_unit_test(a_negative_bit_offset_reaches_below_the_operand),
        cmocka_unit_test(the_code_segment_decides_the_mode),
        cmocka_unit_test(port_instructions_say_port_size_and_direction),
        cmocka_unit_test(string_port_instructions_say_how_they_address),
        cmocka_unit_test(other_instructions_are_no_io),
    };

    return cmocka_run_group_tests(tests, create_decoder, free_decoder);
}
