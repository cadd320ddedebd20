/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Instructions on a device's memory: each is executed by the engine on RAM,
 * and then by us where the RAM was taken away. Nothing may differ.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/mmio.h"
#include "tests/cpu/engine_fixture.h"

#define OPERAND (GUEST_DATA + 0x100)
#define HLT 0xf4

#define FLAGS UINT64_C(0x8d5) /* OF SF ZF AF PF CF */
#define FLAGS_OF_LOGIC UINT64_C(0x8c5)
#define FLAGS_OF_BITS UINT64_C(0x041)

#define XMM_COUNT 16

struct sample {
    const char *what;
    uint8_t code[16];
    uint8_t length;
    uint64_t flags; /* that are defined afterwards */
};

#define BYTES(...) {__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__})

/* RBX points to the operand, RSI and RDI too; R9 lies 0x40 below it. */
static const struct sample samples[] = {
    {"mov [rbx], cl", BYTES(0x88, 0x0b), FLAGS},
    {"mov [rbx], ch", BYTES(0x88, 0x2b), FLAGS},
    {"mov [rbx], bpl", BYTES(0x40, 0x88, 0x2b), FLAGS},
    {"mov [rbx], cx", BYTES(0x66, 0x89, 0x0b), FLAGS},
    {"mov [rbx], ecx", BYTES(0x89, 0x0b), FLAGS},
    {"mov [rbx], r10", BYTES(0x4c, 0x89, 0x13), FLAGS},
    {"mov ah, [rbx]", BYTES(0x8a, 0x23), FLAGS},
    {"mov r8b, [rbx]", BYTES(0x44, 0x8a, 0x03), FLAGS},
    {"mov dx, [rbx]", BYTES(0x66, 0x8b, 0x13), FLAGS},
    {"mov edx, [rbx]", BYTES(0x8b, 0x13), FLAGS},
    {"mov rdx, [rbx]", BYTES(0x48, 0x8b, 0x13), FLAGS},
    {"mov edx, [rbx+0]", BYTES(0x8b, 0x53, 0x00), FLAGS},
    {"mov edx, [r9+0x40]", BYTES(0x41, 0x8b, 0x51, 0x40), FLAGS},
    {"mov edx, [r9+r12*4]", BYTES(0x43, 0x8b, 0x14, 0xa1), FLAGS},
    {"mov edx, [abs]", BYTES(0x8b, 0x14, 0x25, 0x00, 0x01, 0x02, 0x00), FLAGS},
    {"mov edx, [rip+x]", BYTES(0x8b, 0x15, 0xfa, 0x00, 0x01, 0x00), FLAGS},
    {"mov edx, [ebx]", BYTES(0x67, 0x8b, 0x13), FLAGS},
    {"mov edx, fs:[rbx]", BYTES(0x64, 0x8b, 0x13), FLAGS},
    {"mov byte [rbx], 7", BYTES(0xc6, 0x03, 0x07), FLAGS},
    {"mov word [rbx], x", BYTES(0x66, 0xc7, 0x03, 0x34, 0x12), FLAGS},
    {"mov qword [rbx], -2", BYTES(0x48, 0xc7, 0x03, 0xfe, 0xff, 0xff, 0xff),
     FLAGS},
    {"movabs eax, [x]", BYTES(0xa1, 0x00, 0x01, 0x02, 0, 0, 0, 0, 0), FLAGS},
    {"movabs [x], al", BYTES(0xa2, 0x00, 0x01, 0x02, 0, 0, 0, 0, 0), FLAGS},
    {"movzx ecx, byte [rbx]", BYTES(0x0f, 0xb6, 0x0b), FLAGS},
    {"movzx rcx, word [rbx]", BYTES(0x48, 0x0f, 0xb7, 0x0b), FLAGS},
    {"movzx cx, byte [rbx]", BYTES(0x66, 0x0f, 0xb6, 0x0b), FLAGS},
    {"movsx ecx, byte [rbx]", BYTES(0x0f, 0xbe, 0x0b), FLAGS},
    {"movsx rcx, word [rbx]", BYTES(0x48, 0x0f, 0xbf, 0x0b), FLAGS},
    {"movsxd rcx, dword [rbx]", BYTES(0x48, 0x63, 0x0b), FLAGS},
    {"add [rbx], ecx", BYTES(0x01, 0x0b), FLAGS},
    {"add cl, [rbx]", BYTES(0x02, 0x0b), FLAGS},
    {"or [rbx], rcx", BYTES(0x48, 0x09, 0x0b), FLAGS_OF_LOGIC},
    {"adc ecx, [rbx]", BYTES(0x13, 0x0b), FLAGS},
    {"adc [rbx], cl", BYTES(0x10, 0x0b), FLAGS},
    {"sbb [rbx], cx", BYTES(0x66, 0x19, 0x0b), FLAGS},
    {"sbb rcx, [rbx]", BYTES(0x48, 0x1b, 0x0b), FLAGS},
    {"and ecx, [rbx]", BYTES(0x23, 0x0b), FLAGS_OF_LOGIC},
    {"sub ecx, [rbx]", BYTES(0x2b, 0x0b), FLAGS},
    {"sub [rbx], rcx", BYTES(0x48, 0x29, 0x0b), FLAGS},
    {"xor [rbx], cl", BYTES(0x30, 0x0b), FLAGS_OF_LOGIC},
    {"cmp [rbx], ecx", BYTES(0x39, 0x0b), FLAGS},
    {"cmp rcx, [rbx]", BYTES(0x48, 0x3b, 0x0b), FLAGS},
    {"add byte [rbx], 0x80", BYTES(0x80, 0x03, 0x80), FLAGS},
    {"or dword [rbx], x", BYTES(0x81, 0x0b, 0x01, 0x80, 0, 0x80),
     FLAGS_OF_LOGIC},
    {"and qword [rbx], -16", BYTES(0x48, 0x83, 0x23, 0xf0), FLAGS_OF_LOGIC},
    {"cmp word [rbx], -1", BYTES(0x66, 0x83, 0x3b, 0xff), FLAGS},
    {"test [rbx], cl", BYTES(0x84, 0x0b), FLAGS_OF_LOGIC},
    {"test dword [rbx], x", BYTES(0xf7, 0x03, 0x01, 0, 0, 0x80),
     FLAGS_OF_LOGIC},
    {"not dword [rbx]", BYTES(0xf7, 0x13), FLAGS},
    {"neg qword [rbx]", BYTES(0x48, 0xf7, 0x1b), FLAGS},
    {"inc byte [rbx]", BYTES(0xfe, 0x03), FLAGS},
    {"dec dword [rbx]", BYTES(0xff, 0x0b), FLAGS},
    {"lock inc qword [rbx]", BYTES(0xf0, 0x48, 0xff, 0x03), FLAGS},
    {"xchg [rbx], ecx", BYTES(0x87, 0x0b), FLAGS},
    {"xchg [rbx], dh", BYTES(0x86, 0x33), FLAGS},
    {"stosb", BYTES(0xaa), FLAGS},
    {"stosq", BYTES(0x48, 0xab), FLAGS},
    {"lodsw", BYTES(0x66, 0xad), FLAGS},
    {"lodsd", BYTES(0xad), FLAGS},
    {"rep stosd", BYTES(0xf3, 0xab), FLAGS},
    {"rep lodsb", BYTES(0xf3, 0xac), FLAGS},
    {"scasb", BYTES(0xae), FLAGS},
    {"scasq", BYTES(0x48, 0xaf), FLAGS},
    {"repe scasd", BYTES(0xf3, 0xaf), FLAGS},
    {"repne scasw", BYTES(0x66, 0xf2, 0xaf), FLAGS},
    {"cmpsb", BYTES(0xa6), FLAGS},
    {"cmpsq", BYTES(0x48, 0xa7), FLAGS},
    {"repe cmpsd", BYTES(0xf3, 0xa7), FLAGS},
    {"repne cmpsb", BYTES(0xf2, 0xa6), FLAGS},
    {"xadd [rbx], ecx", BYTES(0x0f, 0xc1, 0x0b), FLAGS},
    {"lock xadd [rbx], r10", BYTES(0xf0, 0x4c, 0x0f, 0xc1, 0x13), FLAGS},
    {"xadd [rbx], ch", BYTES(0x0f, 0xc0, 0x2b), FLAGS},
    {"cmpxchg [rbx], ecx", BYTES(0x0f, 0xb1, 0x0b), FLAGS},
    {"cmpxchg [rbx], r10", BYTES(0x4c, 0x0f, 0xb1, 0x13), FLAGS},
    {"cmpxchg [rbx], dh", BYTES(0x0f, 0xb0, 0x33), FLAGS},
    {"lock cmpxchg [rbx], cx", BYTES(0xf0, 0x66, 0x0f, 0xb1, 0x0b), FLAGS},
    {"movnti [rbx], ecx", BYTES(0x0f, 0xc3, 0x0b), FLAGS},
    {"movnti [rbx], rcx", BYTES(0x48, 0x0f, 0xc3, 0x0b), FLAGS},
    {"movbe ecx, [rbx]", BYTES(0x0f, 0x38, 0xf0, 0x0b), FLAGS},
    {"movbe [rbx], cx", BYTES(0x66, 0x0f, 0x38, 0xf1, 0x0b), FLAGS},
    {"movbe [rbx], r10", BYTES(0x4c, 0x0f, 0x38, 0xf1, 0x13), FLAGS},
    {"seto [rbx]", BYTES(0x0f, 0x90, 0x03), FLAGS},
    {"setc [rbx]", BYTES(0x0f, 0x92, 0x03), FLAGS},
    {"setbe [rbx]", BYTES(0x0f, 0x96, 0x03), FLAGS},
    {"setnp [rbx]", BYTES(0x0f, 0x9b, 0x03), FLAGS},
    {"setl [rbx]", BYTES(0x0f, 0x9c, 0x03), FLAGS},
    {"setg [rbx]", BYTES(0x0f, 0x9f, 0x03), FLAGS},
    {"cmovz ecx, [rbx]", BYTES(0x0f, 0x44, 0x0b), FLAGS},
    {"cmovns cx, [rbx]", BYTES(0x66, 0x0f, 0x49, 0x0b), FLAGS},
    {"cmovle rcx, [rbx]", BYTES(0x48, 0x0f, 0x4e, 0x0b), FLAGS},
    {"bt [rbx], r12", BYTES(0x4c, 0x0f, 0xa3, 0x23), FLAGS_OF_BITS},
    {"bts [rbx], r12d", BYTES(0x44, 0x0f, 0xab, 0x23), FLAGS_OF_BITS},
    {"btr dword [rbx], 31", BYTES(0x0f, 0xba, 0x33, 31), FLAGS_OF_BITS},
    {"btc qword [rbx], 63", BYTES(0x48, 0x0f, 0xba, 0x3b, 63), FLAGS_OF_BITS},
    {"lock bts word [rbx], 33", BYTES(0xf0, 0x66, 0x0f, 0xba, 0x2b, 33),
     FLAGS_OF_BITS},
    {"movd xmm1, [rbx]", BYTES(0x66, 0x0f, 0x6e, 0x0b), FLAGS},
    {"movq xmm9, [rbx]", BYTES(0x66, 0x4c, 0x0f, 0x6e, 0x0b), FLAGS},
    {"movd [rbx], xmm1", BYTES(0x66, 0x0f, 0x7e, 0x0b), FLAGS},
    {"movq xmm1, [rbx]", BYTES(0xf3, 0x0f, 0x7e, 0x0b), FLAGS},
    {"movq [rbx], xmm9", BYTES(0x66, 0x44, 0x0f, 0xd6, 0x0b), FLAGS},
    {"movss xmm1, [rbx]", BYTES(0xf3, 0x0f, 0x10, 0x0b), FLAGS},
    {"movsd [rbx], xmm1", BYTES(0xf2, 0x0f, 0x11, 0x0b), FLAGS},
    {"movups xmm9, [rbx]", BYTES(0x44, 0x0f, 0x10, 0x0b), FLAGS},
    {"movapd [rbx], xmm1", BYTES(0x66, 0x0f, 0x29, 0x0b), FLAGS},
    {"movdqu xmm1, [rbx]", BYTES(0xf3, 0x0f, 0x6f, 0x0b), FLAGS},
    {"movdqa [rbx], xmm9", BYTES(0x66, 0x44, 0x0f, 0x7f, 0x0b), FLAGS},
    {"movntdq [rbx], xmm1", BYTES(0x66, 0x0f, 0xe7, 0x0b), FLAGS},
    {"lddqu xmm1, [rbx]", BYTES(0xf2, 0x0f, 0xf0, 0x0b), FLAGS},
};

/* A device: sixteen bytes that are memory. */
struct device {
    uint64_t value, high;
    unsigned reads, writes, exits;
};

static uint64_t mask_of(unsigned bytes)
{
    return bytes == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * bytes)) - 1;
}

/* A move of an XMM register: 4, 8 or 16 bytes. */
static void carry_out_vector(struct fixture *f, const struct decode_mmio *insn)
{
    struct device *device = f->extra;
    uint8_t xmm[16] = {0};
    uint8_t memory[16];

    memcpy(memory, &device->value, 8);
    memcpy(memory + 8, &device->high, 8);
    if (insn->writes) {
        engine_get_xmm(f->engine, insn->gpr, xmm);
        memcpy(memory, xmm, insn->bytes);
        memcpy(&device->value, memory, 8);
        memcpy(&device->high, memory + 8, 8);
    } else {
        memcpy(xmm, memory, insn->bytes);
        engine_set_xmm(f->engine, insn->gpr, xmm);
    }
}

/* Stands for the worker process: the engine has stopped. */
static void carry_out(struct fixture *f, const struct vm_exit *exit)
{
    struct device *device = f->extra;
    struct decode_mmio insn;
    struct mmio_state m;
    struct x86_state s;
    uint8_t code[16];
    uint64_t memory = 0;

    device->exits++;
    engine_get_state(f->engine, &s);
    assert_true(
        decode_mmio(CODE_64, code, engine_fetch(f->engine, code), &insn));
    assert_int_equal(insn.length, exit->instruction_bytes);
    assert_int_equal(decode_mmio_offset(&insn, s.gpr, s.rip),
                     exit->u.gpa.gva.raw);

    unsigned shift = (unsigned)(exit->u.gpa.gpa.raw - OPERAND) * 8;

    memcpy(m.gpr, s.gpr, sizeof(m.gpr));
    m.rip = s.rip;
    m.rflags = s.rflags;
    if (insn.op == MMIO_VECTOR)
        carry_out_vector(f, &insn);
    else if (insn.reads && shift < 64)
        memory = device->value >> shift & mask_of(insn.bytes);
    m.other = memory;
    memory = mmio_execute(&insn, &m, memory);
    if (insn.writes && shift < 64 && insn.op != MMIO_VECTOR)
        device->value =
            (device->value & ~(mask_of(insn.bytes) << shift)) | memory << shift;
    device->reads += insn.reads;
    device->writes += insn.writes;
    memcpy(s.gpr, m.gpr, sizeof(m.gpr));
    s.rip = m.rip;
    s.rflags = m.rflags;
    engine_set_state(f->engine, &s);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return *seed >> 11 ^ *seed << 31;
}

/* Values among which borders are frequent. */
static uint64_t pick(uint64_t *seed)
{
    static const uint64_t borders[] = {
        0,      1,          UINT64_MAX, 0x7f,
        0x80,   0x7fff,     0x8000,     0x7fffffff,
        0xffff, 0x80000000, 0xffffffff, UINT64_C(0x8000000000000000)};
    uint64_t r = next_random(seed);

    return r & 1 ? borders[(r >> 8) % 12] : next_random(seed);
}

static void start_at(struct fixture *f, uint64_t *seed)
{
    struct x86_state s;

    engine_get_state(f->engine, &s);
    for (unsigned i = 0; i < X86_GPR_COUNT; i++)
        s.gpr[i] = pick(seed);
    s.gpr[X86_RBX] = s.gpr[X86_RSI] = s.gpr[X86_RDI] = OPERAND;
    s.gpr[X86_R9] = OPERAND - 0x40;
    s.gpr[X86_R12] = 0x10;
    s.gpr[X86_RSP] = GUEST_STACK0;
    if (next_random(seed) & 1)
        s.gpr[X86_RCX] = 2; /* of repeated ones, and not for long */
    s.rip = GUEST_CODE;
    s.rflags = RFLAGS_FIXED | (next_random(seed) & FLAGS);
    engine_set_state(f->engine, &s);
    for (unsigned i = 0; i < XMM_COUNT; i++) {
        const uint64_t xmm[2] = {pick(seed), pick(seed)};

        engine_set_xmm(f->engine, i, (const uint8_t *)xmm);
    }
}

static void finish(struct fixture *f, struct x86_state *state)
{
    assert_int_equal(fixture_run(f, 100000), VM_EXIT_STOPPED);
    while (f->exits[f->exit_count - 1].kind == VM_EXIT_GPA) {
        carry_out(f, &f->exits[f->exit_count - 1]);
        assert_int_equal(fixture_run(f, 100000), VM_EXIT_STOPPED);
    }
    assert_int_equal(f->exits[f->exit_count - 1].kind, VM_EXIT_HLT);
    f->exit_count = 0;
    engine_get_state(f->engine, state);
}

static bool is_repeated(const struct sample *sample)
{
    struct decode_mmio insn;

    return decode_mmio(CODE_64, sample->code, sample->length, &insn) &&
           insn.repeated;
}

static void get_all_xmm(struct fixture *f, uint8_t out[XMM_COUNT][16])
{
    for (unsigned i = 0; i < XMM_COUNT; i++)
        engine_get_xmm(f->engine, i, out[i]);
}

static void compare(struct fixture *f, const struct sample *sample,
                    uint64_t seed)
{
    struct device device = {.value = pick(&seed), .high = pick(&seed)};
    uint64_t again = seed;
    struct x86_state native, ours;
    uint8_t native_xmm[XMM_COUNT][16], our_xmm[XMM_COUNT][16];
    uint64_t value, high;
    bool repeated = is_repeated(sample);

    f->extra = &device;
    fixture_write64(f, OPERAND, device.value);
    fixture_write64(f, OPERAND + 8, device.high);
    start_at(f, &seed);
    if (repeated)
        engine_set_gpr(f->engine, X86_RCX, 2);
    finish(f, &native);
    get_all_xmm(f, native_xmm);
    value = fixture_read64(f, OPERAND);
    high = fixture_read64(f, OPERAND + 8);

    fixture_set_slat(f, GUEST_DATA, false);
    start_at(f, &again);
    if (repeated)
        engine_set_gpr(f->engine, X86_RCX, 2);
    finish(f, &ours);
    get_all_xmm(f, our_xmm);
    fixture_set_slat(f, GUEST_DATA, true);

    assert_in_range(device.exits, 1, repeated ? 2 : 1);
    assert_memory_equal(our_xmm, native_xmm, sizeof(our_xmm));
    assert_true(device.high == high);
    assert_true(device.reads + device.writes > 0);
    assert_true(device.value == value);
    assert_memory_equal(ours.gpr, native.gpr, sizeof(ours.gpr));
    assert_true(ours.rip == native.rip);
    assert_true((ours.rflags & sample->flags) ==
                (native.rflags & sample->flags));
}

static void instructions_do_to_a_device_what_they_do_to_memory(void **state)
{
    static struct fixture f;

    (void)state;
    fixture_open(&f);
    fixture_long_mode(&f);
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        uint8_t hlt = HLT;

        fixture_write(&f, GUEST_CODE, samples[i].code, samples[i].length);
        fixture_write(&f, GUEST_CODE + samples[i].length, &hlt, 1);
        engine_flush_translations(f.engine);
        print_message("%s\n", samples[i].what);
        for (uint64_t seed = 1; seed <= 24; seed++)
            compare(&f, &samples[i], seed);
    }
    fixture_close(&f);
}

static void what_is_not_known_is_refused(void **state)
{
    static const struct sample others[] = {
        {"mov ebx, ecx", BYTES(0x89, 0xcb), 0},
        {"push [rbx]", BYTES(0xff, 0x33), 0},
        {"call [rbx]", BYTES(0xff, 0x13), 0},
        {"mul [rbx]", BYTES(0xf7, 0x23), 0},
        {"lea eax, [rbx]", BYTES(0x8d, 0x03), 0},
        {"c7 /1", BYTES(0xc7, 0x0b, 0, 0, 0, 0), 0},
        {"movhps xmm0, [rbx]", BYTES(0x0f, 0x16, 0x03), 0},
        {"movq mm0, [rbx]", BYTES(0x0f, 0x6f, 0x03), 0},
        {"66 movnti", BYTES(0x66, 0x0f, 0xc3, 0x03), 0},
        {"crc32 eax, [rbx]", BYTES(0xf2, 0x0f, 0x38, 0xf1, 0x03), 0},
        {"0f ba /3", BYTES(0x0f, 0xba, 0x1b, 1), 0},
        {"cmpxchg8b [rbx]", BYTES(0x0f, 0xc7, 0x0b), 0},
        {"in al, dx", BYTES(0xec), 0},
        {"xor al, 1", BYTES(0x34, 0x01), 0},
        {"nop", BYTES(0x90), 0},
    };
    struct decode_mmio insn;

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(
            decode_mmio(CODE_64, others[i].code, others[i].length, &insn));
    assert_false(decode_mmio(CODE_32, (const uint8_t[]){0x63, 0x03}, 2, &insn));
}

/* Every truncation of every sample, and nonsense of every length. */
static void no_bytes_are_read_beyond_those_given(void **state)
{
    uint64_t seed = 7;
    struct decode_mmio insn;

    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        for (uint8_t length = 0; length < samples[i].length; length++)
            assert_false(decode_mmio(CODE_64, samples[i].code, length, &insn));
    }
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t code[16];

        for (unsigned k = 0; k < sizeof(code); k++)
            code[k] = (uint8_t)next_random(&seed);
        if (!decode_mmio((enum code_mode)(i % 3), code, 1 + i % 16, &insn))
            continue;
        assert_true(insn.length > 0 && insn.length <= 1 + i % 16);
        assert_true(insn.length <= 15);
        assert_true(insn.gpr < X86_GPR_COUNT);
        assert_true(insn.reads || insn.writes);
    }
}

static void addresses_of_16_bits_wrap(void **state)
{
    const uint8_t load[] = {0x8b, 0x00};        /* mov ax, [bx+si] */
    const uint8_t fixed[] = {0x8b, 0x16, 2, 1}; /* mov dx, [0x102] */
    const uint8_t frame[] = {0x8a, 0x46, 0xff}; /* mov al, [bp-1] */
    uint64_t gpr[X86_GPR_COUNT] = {0};
    struct decode_mmio insn;

    (void)state;
    gpr[X86_RBX] = 0xfff0;
    gpr[X86_RSI] = 0x20;
    assert_true(decode_mmio(CODE_16, load, sizeof(load), &insn));
    assert_int_equal(insn.bytes, 2);
    assert_int_equal(insn.segment, X86_DS);
    assert_int_equal(decode_mmio_offset(&insn, gpr, 0), 0x10);
    assert_true(decode_mmio(CODE_16, fixed, sizeof(fixed), &insn));
    assert_int_equal(decode_mmio_offset(&insn, gpr, 0), 0x102);
    assert_true(decode_mmio(CODE_16, frame, sizeof(frame), &insn));
    assert_int_equal(insn.segment, X86_SS);
    assert_int_equal(decode_mmio_offset(&insn, gpr, 0), 0xffff);
}

static void a_bit_string_begins_before_its_address_too(void **state)
{
    const uint8_t bts[] = {0x0f, 0xab, 0x0b};        /* bts [rbx], ecx */
    const uint8_t wide[] = {0x48, 0x0f, 0xab, 0x0b}; /* bts [rbx], rcx */
    uint64_t gpr[X86_GPR_COUNT] = {0};
    struct decode_mmio insn;

    (void)state;
    gpr[X86_RBX] = 0x1000;
    assert_true(decode_mmio(CODE_64, bts, sizeof(bts), &insn));
    gpr[X86_RCX] = 31;
    assert_int_equal(decode_mmio_offset(&insn, gpr, 0), 0x1000);
    gpr[X86_RCX] = 32;
    assert_int_equal(decode_mmio_offset(&insn, gpr, 0), 0x1004);
    gpr[X86_RCX] = UINT32_MAX; /* -1, whatever is above */
    assert_int_equal(decode_mmio_offset(&insn, gpr, 0), 0xffc);
    assert_true(decode_mmio(CODE_64, wide, sizeof(wide), &insn));
    gpr[X86_RCX] = (uint64_t)-65;
    assert_int_equal(decode_mmio_offset(&insn, gpr, 0), 0xff0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions_do_to_a_device_what_they_do_to_memory),
        cmocka_unit_test(what_is_not_known_is_refused),
        cmocka_unit_test(no_bytes_are_read_beyond_those_given),
        cmocka_unit_test(addresses_of_16_bits_wrap),
        cmocka_unit_test(a_bit_string_begins_before_its_address_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
