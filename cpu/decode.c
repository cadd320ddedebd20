/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/decode.h"

#include <stdlib.h>

#include "cpu/decode_private.h"

#define REX_W 0x08
#define REPEAT_NOT_EQUAL 0xf2
#define REPEAT 0xf3
#define LOCK 0xf0

enum code_mode decode_mode(const struct x86_state *state)
{
    if (x86_64bit_code(state))
        return CODE_64;
    return state->segment[X86_CS].attributes & X86_ATTR_DB ? CODE_32 : CODE_16;
}

struct decoder *decode_create(void)
{
    static const cs_mode modes[CODE_MODE_COUNT] = {
        [CODE_16] = CS_MODE_16,
        [CODE_32] = CS_MODE_32,
        [CODE_64] = CS_MODE_64,
    };
    struct decoder *decoder;

    if (cs_version(NULL, NULL) < CS_MAKE_VERSION(5, 0))
        return NULL;
    decoder = calloc(1, sizeof(*decoder));
    if (decoder == NULL)
        return NULL;
    for (unsigned i = 0; i < CODE_MODE_COUNT; i++) {
        csh *handle = &decoder->handles[i];

        if (cs_open(CS_ARCH_X86, modes[i], handle) != CS_ERR_OK ||
            cs_option(*handle, CS_OPT_DETAIL, CS_OPT_ON) != CS_ERR_OK)
            goto fail;
    }
    decoder->insn = cs_malloc(decoder->handles[CODE_64]);
    if (decoder->insn == NULL)
        goto fail;
    return decoder;

fail:
    decode_free(decoder);
    return NULL;
}

void decode_free(struct decoder *decoder)
{
    if (decoder == NULL)
        return;
    if (decoder->insn != NULL)
        cs_free(decoder->insn, 1);
    for (unsigned i = 0; i < CODE_MODE_COUNT; i++) {
        if (decoder->handles[i] != 0)
            cs_close(&decoder->handles[i]);
    }
    free(decoder);
}

/* True if the byte is a legacy prefix, which has then been noted. */
static bool note_prefix(struct decode_prefixes *out, uint8_t byte,
                        bool *operand_size, bool *address_size)
{
    switch (byte) {
    case 0x26:
        out->segment = X86_ES;
        break;
    case 0x2e:
        out->segment = X86_CS;
        break;
    case 0x36:
        out->segment = X86_SS;
        break;
    case 0x3e:
        out->segment = X86_DS;
        break;
    case 0x64:
        out->segment = X86_FS;
        break;
    case 0x65:
        out->segment = X86_GS;
        break;
    case 0x66:
        *operand_size = true;
        return true;
    case 0x67:
        *address_size = true;
        return true;
    case LOCK:
        out->lock = true;
        return true;
    case REPEAT_NOT_EQUAL:
    case REPEAT:
        out->repeat = true;
        return true;
    default:
        return false;
    }
    out->has_segment = true;
    return true;
}

void decode_read_prefixes(enum code_mode mode, const uint8_t *code,
                          uint32_t bytes, struct decode_prefixes *out)
{
    bool operand_size = false;
    bool address_size = false;
    uint8_t at = 0;

    *out = (struct decode_prefixes){.mode = mode};
    for (; at < bytes && at < INSTRUCTION_BYTES_MAX; at++) {
        if (mode == CODE_64 && (code[at] & 0xf0) == 0x40) {
            out->rex = code[at];
            continue;
        }
        if (!note_prefix(out, code[at], &operand_size, &address_size))
            break;
        out->rex = 0; /* it counts only right before the opcode */
    }
    out->opcode_at = at;

    switch (mode) {
    case CODE_16:
        out->operand_bytes = operand_size ? 4 : 2;
        out->address_bytes = address_size ? 4 : 2;
        break;
    case CODE_32:
        out->operand_bytes = operand_size ? 2 : 4;
        out->address_bytes = address_size ? 2 : 4;
        break;
    case CODE_64:
        out->operand_bytes = operand_size ? 2 : 4;
        if (out->rex & REX_W)
            out->operand_bytes = 8;
        out->address_bytes = address_size ? 4 : 8;
        break;
    }
}

bool decode_next(struct decoder *decoder, enum code_mode mode,
                 const uint8_t *code, uint32_t bytes)
{
    const uint8_t *at = code;
    size_t left = bytes < INSTRUCTION_BYTES_MAX ? bytes : INSTRUCTION_BYTES_MAX;
    uint64_t address = 0;

    return cs_disasm_iter(decoder->handles[mode], &at, &left, &address,
                          decoder->insn);
}

uint32_t decode_length(struct decoder *decoder, enum code_mode mode,
                       const uint8_t *code, uint32_t bytes)
{
    return decode_next(decoder, mode, code, bytes) ? decoder->insn->size : 0;
}

/* Fills what the opcode alone says; false if it is no I/O instruction. */
static bool io_form(uint8_t opcode, struct decode_io *out, bool *immediate)
{
    *immediate = false;
    switch (opcode & 0xfe) {
    case 0xe4: /* IN imm8 */
    case 0xe6: /* OUT imm8 */
        *immediate = true;
        out->in = (opcode & 2) == 0;
        return true;
    case 0xec: /* IN DX */
    case 0xee: /* OUT DX */
        out->in = (opcode & 2) == 0;
        return true;
    case 0x6c: /* INS */
    case 0x6e: /* OUTS */
        out->in = (opcode & 2) == 0;
        out->string = true;
        return true;
    default:
        return false;
    }
}

bool decode_io(const struct x86_state *state, const uint8_t *code,
               uint32_t bytes, struct decode_io *out)
{
    struct decode_prefixes prefixes;
    bool immediate;
    uint8_t opcode;

    *out = (struct decode_io){0};
    decode_read_prefixes(decode_mode(state), code, bytes, &prefixes);
    if (prefixes.opcode_at >= bytes)
        return false;
    opcode = code[prefixes.opcode_at];
    if (prefixes.lock || !io_form(opcode, out, &immediate))
        return false;
    out->length = (uint8_t)(prefixes.opcode_at + 1 + immediate);
    if (out->length > bytes || out->length > INSTRUCTION_BYTES_MAX)
        return false;
    out->port = immediate ? code[prefixes.opcode_at + 1]
                          : (uint16_t)state->gpr[X86_RDX];
    if ((opcode & 1) == 0)
        out->bytes = 1;
    else
        out->bytes = prefixes.operand_bytes == 2 ? 2 : 4;
    if (out->string) {
        out->repeated = prefixes.repeat;
        out->address_bytes = prefixes.address_bytes;
        out->segment = out->in                ? X86_ES
                       : prefixes.has_segment ? prefixes.segment
                                              : X86_DS;
    }
    return true;
}
