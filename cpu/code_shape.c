/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/code_shape.h"

#include <string.h>

/* What follows an opcode, by one letter for each:
 *   .  nothing             m  ModRM                r  ModRM without address
 *   b  1 byte              B  ModRM, 1 byte        f  far pointer
 *   w  2 bytes             Z  ModRM, z             a  address
 *   e  3 bytes (ENTER)     t  as m; TEST: as B     R  as r, 1 byte
 *   z  2 or 4 bytes        T  as m; TEST: as Z     x  as r; with 66, F2: and 2
 *   v  as z, or 8 bytes    q  as m; with F2, F3 without 66: as r
 */
static const char one_byte[] = "mmmmbz..mmmmbz.." /* 00 */
                               "mmmmbz..mmmmbz.." /* 10 */
                               "mmmmbz..mmmmbz.." /* 20 */
                               "mmmmbz..mmmmbz.." /* 30 */
                               "................" /* 40 */
                               "................" /* 50 */
                               "..mm....zZbB...." /* 60 */
                               "bbbbbbbbbbbbbbbb" /* 70 */
                               "BZBBmmmmmmmmmmmm" /* 80 */
                               "..........f....." /* 90 */
                               "aaaa....bz......" /* a0 */
                               "bbbbbbbbvvvvvvvv" /* b0 */
                               "BBw.mmBZe.w..b.." /* c0 */
                               "mmmmbb..mmmmmmmm" /* d0 */
                               "bbbbbbbbzzfb...." /* e0 */
                               "......tT......mm" /* f0 */;

static const char two_byte[] = "mmmm.........m.B" /* 00 */
                               "mmmmmmmmmmmmmmmm" /* 10 */
                               "rrrrrrrrmmmmmmmm" /* 20 */
                               "................" /* 30 */
                               "mmmmmmmmmmmmmmmm" /* 40 */
                               "rmmmmmmmmmmmmmmm" /* 50 */
                               "mmmmmmmmmmmmmmmm" /* 60 */
                               "BRRRmmm.xmmmmmmm" /* 70 */
                               "zzzzzzzzzzzzzzzz" /* 80 */
                               "mmmmmmmmmmmmmmmm" /* 90 */
                               "...mBm.....mBmmm" /* a0 */
                               "mmmmmmmmmmBmmmmm" /* b0 */
                               "mmBmBBBm........" /* c0 */
                               "mmmmmmqmmmmmmmmm" /* d0 */
                               "mmmmmmmmmmmmmmmm" /* e0 */
                               "mmmmmmmmmmmmmmmm" /* f0 */;

/* So many bytes are looked at: 15 prefixes at most, and what follows them. */
#define READ_BYTES_MAX 24

/* The code, how much of it has been read, and the prefixes seen. */
struct reader {
    const uint8_t *code; /* READ_BYTES_MAX bytes */
    uint32_t at;
    uint32_t pattern; /* where displacement and immediate begin */
    enum code_mode mode;
    bool operand_size;
    bool address_size;
    bool wide;      /* REX.W */
    bool repeat;    /* F2 or F3 */
    bool insertion; /* 66 or F2 */
};

static uint8_t peek(const struct reader *r, uint32_t ahead)
{
    return r->code[r->at + ahead];
}

static bool is_legacy_prefix(uint8_t byte)
{
    switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0xf0:
    case 0xf2:
    case 0xf3:
        return true;
    default:
        return false;
    }
}

bool code_shape_is_prefix(enum code_mode mode, uint8_t byte)
{
    return is_legacy_prefix(byte) ||
           (mode == CODE_64 && (byte & 0xf0) == 0x40); /* REX */
}

static void skip_prefixes(struct reader *r)
{
    for (; r->at < CODE_INSTRUCTION_BYTES_MAX; r->at++) {
        uint8_t byte = peek(r, 0);

        if (r->mode == CODE_64 && (byte & 0xf0) == 0x40) {
            r->wide = (byte & 8) != 0;
            continue;
        }
        if (!is_legacy_prefix(byte))
            return;
        r->wide = false; /* REX counts only in front of the opcode */
        r->operand_size |= byte == 0x66;
        r->address_size |= byte == 0x67;
        r->repeat |= byte == 0xf2 || byte == 0xf3;
        r->insertion |= byte == 0x66 || byte == 0xf2;
    }
}

/* Elsewhere C4 and C5 are LES and LDS. `next` is the byte that follows. */
static bool is_vex(enum code_mode mode, uint8_t byte, uint8_t next)
{
    return (byte & 0xfe) == 0xc4 &&
           (mode == CODE_64 || (mode == CODE_32 && next >= 0xc0));
}

/* Returns the map of the opcode that follows: 1 for 0F, 2 for 0F 38, 3 for
 * 0F 3A. */
static uint8_t skip_vex(struct reader *r)
{
    bool three = peek(r, 0) == 0xc4;
    uint8_t first = peek(r, 1);
    uint8_t last = three ? peek(r, 2) : first;

    r->repeat |= (last & 2) != 0;                       /* F3, F2 */
    r->insertion |= (last & 3) == 1 || (last & 3) == 3; /* 66, F2 */
    r->operand_size |= (last & 3) == 1;
    r->at += three ? 3 : 2;
    return three ? first & 0x1f : 1;
}

static uint32_t address_bytes(const struct reader *r)
{
    switch (r->mode) {
    case CODE_16:
        return r->address_size ? 4 : 2;
    case CODE_32:
        return r->address_size ? 2 : 4;
    case CODE_64:
        break;
    }
    return r->address_size ? 4 : 8;
}

/* Of an operand that has a 4-byte form at most. */
static uint32_t operand_bytes(const struct reader *r)
{
    if (r->mode == CODE_64 && r->wide)
        return 4;
    return (r->mode == CODE_16) != r->operand_size ? 2 : 4;
}

static uint8_t skip_modrm(struct reader *r, bool address)
{
    uint8_t modrm = peek(r, 0);
    uint8_t mod = modrm >> 6;
    uint8_t rm = modrm & 7;
    bool short_address = address_bytes(r) == 2;

    r->at++;
    r->pattern = r->at;
    if (mod == 3 || !address)
        return modrm;
    if (!short_address && rm == 4) {
        rm = peek(r, 0) & 7; /* the SIB byte's base */
        r->at++;
        r->pattern = r->at;
    }
    if (mod == 1)
        r->at += 1;
    else if (mod == 2 || rm == (short_address ? 6 : 5))
        r->at += short_address ? 2 : 4;
    return modrm;
}

static void skip_operands(struct reader *r, char what)
{
    uint8_t modrm;

    switch (what) {
    case 'm':
        skip_modrm(r, true);
        break;
    case 'r':
        skip_modrm(r, false);
        break;
    case 'B':
        skip_modrm(r, true);
        r->at += 1;
        break;
    case 'Z':
        skip_modrm(r, true);
        r->at += operand_bytes(r);
        break;
    case 'q':
        skip_modrm(r, r->operand_size || !r->repeat);
        break;
    case 'R':
        skip_modrm(r, false);
        r->at += 1;
        break;
    case 'x':
        skip_modrm(r, false);
        r->at += r->insertion ? 2 : 0;
        break;
    case 't':
    case 'T':
        modrm = skip_modrm(r, true);
        if ((modrm & 0x30) == 0) /* TEST: /0, and /1 */
            r->at += what == 't' ? 1 : operand_bytes(r);
        break;
    case 'b':
        r->at += 1;
        break;
    case 'w':
        r->at += 2;
        break;
    case 'e':
        r->at += 3;
        break;
    case 'z':
        r->at += operand_bytes(r);
        break;
    case 'f':
        r->at += operand_bytes(r) + 2;
        break;
    case 'a':
        r->at += address_bytes(r);
        break;
    case 'v':
        r->at += r->mode == CODE_64 && r->wide ? 8 : operand_bytes(r);
        break;
    default:
        break;
    }
}

/* The jumps, calls and returns that always end a block. */
static bool one_byte_ends_block(uint8_t opcode)
{
    switch (opcode) {
    case 0xc2:
    case 0xc3:
    case 0xcc:
    case 0xe0:
    case 0xe1:
    case 0xe2:
    case 0xe3:
    case 0xe8:
    case 0xe9:
    case 0xeb:
        return true;
    default:
        return (opcode & 0xf0) == 0x70;
    }
}

/* Leaks, as measured. Of maps that are hardly used, and of all 0F 3A, what
 * was not seen to leak is taken to be like its neighbours. */

static uint8_t leak_0f(uint8_t opcode, uint8_t next)
{
    switch (opcode) {
    case 0x00: /* SLDT, STR, LLDT, LTR, VERR, VERW */
    case 0x01: /* SGDT .. SWAPGS */
    case 0x08: /* INVD */
    case 0x09: /* WBINVD */
    case 0x21: /* MOV from DR */
    case 0x78: /* EXTRQ, INSERTQ */
        return 2;
    case 0x20: /* MOV from CR */
    case 0x70: /* PSHUFW, PSHUFD and their like */
    case 0xa1: /* POP FS */
    case 0xa9: /* POP GS */
    case 0xb2: /* LSS */
    case 0xb4: /* LFS */
    case 0xb5: /* LGS */
    case 0xc6: /* SHUFPS, SHUFPD */
        return 1;
    case 0x38:
        return (next & 0xfe) == 0xf0 ? 1 : 0; /* MOVBE, CRC32 */
    case 0x3a:
        return next == 0x21 ? 4 : 1; /* INSERTPS; all else */
    default:
        return 0;
    }
}

static uint8_t leak_vex(const uint8_t *opcode)
{
    if (opcode[0] == 0xc5)
        return leak_0f(opcode[2], opcode[3]);
    switch (opcode[1] & 0x1f) { /* the map */
    case 1:
        return leak_0f(opcode[3], 0xf0);
    case 2:
        return leak_0f(0x38, opcode[3]);
    default:
        return leak_0f(0x3a, opcode[3]);
    }
}

const bool code_shape_may_leak[256] = {
    [0x07] = true, [0x0f] = true, [0x1f] = true, [0x8e] = true, [0x9c] = true,
    [0xc4] = true, [0xc5] = true, [0xce] = true, [0xd4] = true, [0xd5] = true,
    [0xd8] = true, [0xd9] = true, [0xda] = true, [0xdb] = true, [0xdc] = true,
    [0xdd] = true, [0xde] = true, [0xdf] = true,
};

uint8_t code_shape_leak(enum code_mode mode, const uint8_t *opcode)
{
    switch (opcode[0]) {
    case 0x07: /* POP ES */
    case 0x1f: /* POP DS */
        return mode == CODE_16 ? 1 : 0;
    case 0x0f:
        return leak_0f(opcode[1], opcode[2]);
    case 0x8e: /* MOV to a segment register */
        return 1;
    case 0x9c: /* PUSHF */
        return 2;
    case 0xc4: /* LES */
    case 0xc5: /* LDS */
        if (is_vex(mode, opcode[0], opcode[1]))
            return leak_vex(opcode);
        return mode == CODE_16 ? 1 : 0;
    case 0xce: /* INTO */
    case 0xd4: /* AAM */
    case 0xd5: /* AAD */
        return mode != CODE_64 ? 1 : 0;
    default:
        if ((opcode[0] & 0xf8) != 0xd8)
            return 0;
        return opcode[1] < 0xc0 ? 1 : 2; /* x87, with memory and without */
    }
}

/* True if an immediate tells what an instruction does, or how often. To the
 * disassembler 62 and 8F may begin EVEX and XOP, which are longer. */
static bool says_by_immediate(uint8_t map, uint8_t opcode)
{
    switch (map) {
    case 0:
        return opcode == 0xc8 /* ENTER */ || opcode == 0x62 || opcode == 0x8f;
    case 1:
        return two_byte[opcode] == 'B' || two_byte[opcode] == 'R' ||
               two_byte[opcode] == 'x';
    default:
        return map == 3;
    }
}

/* The opcode of a map, and all behind it. */
static void skip_opcode(struct reader *r, uint8_t map, struct code_shape *shape)
{
    uint8_t opcode = peek(r, 0);

    r->at++;
    if (map == 1 && (opcode == 0x38 || opcode == 0x3a)) {
        map = opcode == 0x38 ? 2 : 3;
        r->at++;
    }
    r->pattern = r->at;
    switch (map) {
    case 0:
        shape->ends_block = one_byte_ends_block(opcode);
        skip_operands(r, one_byte[opcode]);
        break;
    case 1:
        shape->ends_block = (opcode & 0xf0) == 0x80;
        skip_operands(r, two_byte[opcode]);
        break;
    default:
        skip_operands(r, map == 2 ? 'm' : 'B');
        break;
    }
    if (says_by_immediate(map, opcode))
        r->pattern = r->at;
}

struct code_shape code_shape(enum code_mode mode, const uint8_t *code,
                             uint32_t bytes)
{
    uint8_t padded[READ_BYTES_MAX] = {0};
    struct reader r = {.code = code, .mode = mode};
    struct code_shape shape = {0};
    uint8_t map = 0;

    if (bytes < READ_BYTES_MAX) {
        memcpy(padded, code, bytes);
        r.code = padded;
    }
    skip_prefixes(&r);
    shape.leak = code_shape_leak(mode, r.code + r.at);
    if (is_vex(mode, peek(&r, 0), peek(&r, 1))) {
        map = skip_vex(&r);
    } else if (peek(&r, 0) == 0x0f) {
        map = 1;
        r.at++;
    }
    skip_opcode(&r, map, &shape);
    if (r.at > CODE_INSTRUCTION_BYTES_MAX)
        r.at = CODE_INSTRUCTION_BYTES_MAX;
    shape.length = r.at <= bytes ? (uint8_t)r.at : 0;
    shape.pattern = (uint8_t)(r.pattern < r.at ? r.pattern : r.at);
    return shape;
}

bool code_shape_is_fatal(enum code_mode mode, const uint8_t *code,
                         uint32_t bytes, bool unsure)
{
    bool locked = false;
    uint32_t at = 0;

    if (bytes > CODE_INSTRUCTION_BYTES_MAX)
        bytes = CODE_INSTRUCTION_BYTES_MAX;
    for (; at < bytes && code_shape_is_prefix(mode, code[at]); at++)
        locked |= code[at] == 0xf0;
    if (!locked)
        return false;
    if (at + 3 > CODE_INSTRUCTION_BYTES_MAX) /* too long: #GP */
        return false;
    if (at < bytes && code[at] != 0x0f)
        return false;
    if (at + 1 < bytes && (code[at + 1] & 0xe7) != 0xa3 && code[at + 1] != 0xba)
        return false;
    if (at + 2 < bytes)
        return code[at + 2] >= 0xc0;
    return unsure;
}
