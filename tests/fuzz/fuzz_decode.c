/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decoder over arbitrary code bytes and registers, in the three modes:
 * lengths stay within the code, operands have bytes, and the bill of a block
 * is the sum of those of its instructions wherever it is cut.
 *
 * Input: a mode byte, 16 registers of 8 bytes, code.
 */
#include <string.h>

#include "cpu/code_shape.h"
#include "cpu/decode.h"
#include "sim/core/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define CODE_BYTES_MAX 4096u

static struct x86_state state_of(enum code_mode mode, const uint8_t *registers)
{
    struct x86_state cpu;

    x86_reset(&cpu);
    memcpy(cpu.gpr, registers, sizeof(cpu.gpr));
    cpu.segment[X86_FS].base = cpu.gpr[X86_RAX];
    if (mode == CODE_32)
        cpu.segment[X86_CS].attributes |= X86_ATTR_DB;
    if (mode == CODE_64) {
        cpu.efer = EFER_LMA;
        cpu.segment[X86_CS].attributes |= X86_ATTR_L;
    }
    return cpu;
}

static void check_operands(struct decoder *decoder, const struct x86_state *cpu,
                           const uint8_t *code, uint32_t bytes)
{
    struct decode_operand operands[DECODE_OPERANDS_MAX];
    uint32_t count = decode_operands(decoder, cpu, code, bytes, operands);

    CHECK(count <= DECODE_OPERANDS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        CHECK(operands[i].bytes > 0 && operands[i].bytes <= 1024);
        CHECK(operands[i].read || operands[i].write);
        CHECK(x86_64bit_code(cpu) || operands[i].start.raw <= UINT32_MAX);
    }
}

static void check_io(const struct x86_state *cpu, const uint8_t *code,
                     uint32_t bytes, uint32_t length)
{
    struct decode_io io;

    if (!decode_io(cpu, code, bytes, &io))
        return;
    CHECK(io.bytes == 1 || io.bytes == 2 || io.bytes == 4);
    CHECK(io.length <= bytes);
    /* The disassembler refuses some runs of prefixes; never the length. */
    CHECK(length == 0 || io.length == length);
}

/* Cuts the block at every instruction that Unicorn executes. */
static void check_sum(struct decoder *decoder, enum code_mode mode,
                      const uint8_t *code, uint32_t bytes)
{
    struct cost_bill whole = {0};
    struct cost_bill sum = {0};
    uint32_t count = decode_block(decoder, mode, code, bytes, &whole);
    uint32_t at = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t length = code_shape(mode, code + at, bytes - at).length;

        CHECK(length <= CODE_INSTRUCTION_BYTES_MAX && length <= bytes - at);
        CHECK(length > 0 || i + 1 == count);
        CHECK(decode_block(decoder, mode, code + at,
                           length > 0 ? length : bytes - at, &sum) == 1);
        at += length;
    }
    for (unsigned kind = 0; kind < COST_KIND_COUNT; kind++)
        CHECK(cost_count(&whole, kind) == cost_count(&sum, kind));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const size_t header = 1 + X86_GPR_COUNT * sizeof(uint64_t);
    struct decoder *decoder;
    enum code_mode mode;

    if (bytes < header || bytes > header + CODE_BYTES_MAX)
        return 0;
    decoder = decode_create();
    CHECK(decoder != NULL);
    mode = (enum code_mode)(data[0] % 3);

    struct x86_state cpu = state_of(mode, data + 1);
    const uint8_t *code = data + header;
    uint32_t code_bytes = (uint32_t)(bytes - header);

    CHECK(decode_mode(&cpu) == mode);
    check_operands(decoder, &cpu, code, code_bytes);
    check_io(&cpu, code, code_bytes,
             decode_length(decoder, mode, code, code_bytes));
    check_sum(decoder, mode, code, code_bytes);
    decode_free(decoder);
    return 0;
}
