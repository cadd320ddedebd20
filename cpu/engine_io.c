/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/engine_private.h"
#include "sim/core/check.h"

/* TSS, SDM volume 1, "I/O Permission Bit Map". */
#define TSS_IO_MAP_BASE 0x66
#define TSS32_TYPE_MASK 0x9 /* available or busy 32- or 64-bit TSS: 9, 11 */

static uint64_t address_mask(unsigned bytes)
{
    return bytes == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * bytes)) - 1;
}

/* The bit map is read two bytes at a time, as the processor does. Anything
 * that cannot be read denies. */
static bool map_allows(struct engine *engine, const struct x86_state *state,
                       uint16_t port, unsigned bytes)
{
    const struct x86_segment *tr = &state->tr;
    struct cpu_event ignored;
    uint16_t base;
    uint16_t bits;
    uint32_t at;

    if ((tr->attributes & X86_ATTR_P) == 0 ||
        (tr->attributes & TSS32_TYPE_MASK) != TSS32_TYPE_MASK ||
        tr->limit < TSS_IO_MAP_BASE + 1 ||
        !engine_memory_access(engine, gva(tr->base + TSS_IO_MAP_BASE), &base,
                              sizeof(base), false, false, true, &ignored))
        return false;
    at = base + port / 8u;
    if (at + 1 > tr->limit ||
        !engine_memory_access(engine, gva(tr->base + at), &bits, sizeof(bits),
                              false, false, true, &ignored))
        return false;
    return (bits >> (port % 8) & ((1u << bytes) - 1)) == 0;
}

static bool is_allowed(struct engine *engine, const struct x86_state *state,
                       const struct decode_io *io)
{
    unsigned iopl = state->rflags >> RFLAGS_IOPL_SHIFT & 3;

    if ((state->cr0 & CR0_PE) == 0)
        return true;
    if ((state->rflags & RFLAGS_VM) == 0 && x86_cpl(state) <= iopl)
        return true;
    return map_allows(engine, state, io->port, io->bytes);
}

static bool decode_here(struct engine *engine, const struct x86_state *state,
                        struct decode_io *io)
{
    uint8_t code[16];
    uint32_t have = engine_fetch(engine, code);

    return decode_io(state, code, have, io);
}

/* RIP is at an instruction that has a trap, with all registers exact. */
void engine_io_exit(struct engine *engine)
{
    struct x86_state state;
    struct decode_io io;
    struct vm_exit exit = {.kind = VM_EXIT_IO};

    engine_image_get(engine, &state);
    if (!decode_here(engine, &state, &io)) {
        engine_event_fault(engine, X86_VECTOR_UD, 0); /* RDRAND and its like */
        return;
    }
    if (!is_allowed(engine, &state, &io)) {
        engine_event_fault(engine, X86_VECTOR_GP, 0);
        return;
    }
    if (io.repeated &&
        (state.gpr[X86_RCX] & address_mask(io.address_bytes)) == 0) {
        engine_exit_skip(engine, io.length);
        return;
    }
    exit.instruction_bytes = io.length;
    exit.u.io.port = io.port;
    exit.u.io.bytes = io.bytes;
    exit.u.io.in = io.in;
    exit.u.io.string = io.string;
    exit.u.io.repeated = io.repeated;
    if (!io.in && !io.string)
        exit.u.io.value =
            (uint32_t)(state.gpr[X86_RAX] & address_mask(io.bytes));
    engine_exit_to_host(engine, &exit);
}

/* Adds to a register as wide as the instruction's addresses are. */
static void advance(struct x86_state *state, enum x86_gpr gpr,
                    unsigned address_bytes, uint64_t amount)
{
    uint64_t mask = address_mask(address_bytes);
    uint64_t moved = (state->gpr[gpr] + amount) & mask;

    state->gpr[gpr] =
        address_bytes == 2 ? (state->gpr[gpr] & ~mask) | moved : moved;
}

static gva_t operand_address(const struct x86_state *state,
                             const struct decode_io *io)
{
    enum x86_gpr index = io->in ? X86_RDI : X86_RSI;
    const struct x86_segment *segment = &state->segment[io->segment];
    uint64_t offset = state->gpr[index] & address_mask(io->address_bytes);

    if (!x86_64bit_code(state))
        return gva((uint32_t)(segment->base + offset));
    if (io->segment == X86_FS || io->segment == X86_GS)
        offset += segment->base;
    return gva(offset);
}

bool engine_io_string(struct engine *engine, const struct vm_exit *exit,
                      uint32_t *value, bool *more)
{
    struct x86_state state;
    struct decode_io io;
    struct cpu_event fault;
    uint64_t step;
    gva_t at;

    *more = false;
    engine_image_get(engine, &state);
    if (!decode_here(engine, &state, &io) || !io.string ||
        io.bytes != exit->u.io.bytes)
        return false;
    at = operand_address(&state, &io);
    if (x86_long_mode(&state) && !x86_canonical(at.raw)) {
        engine_event_fault(engine, X86_VECTOR_GP, 0);
        return false;
    }
    if (!io.in)
        *value = 0;
    fault = (struct cpu_event){0};
    if (!engine_memory_access(engine, at, value, io.bytes, io.in,
                              x86_cpl(&state) == 3, false, &fault)) {
        bool second_level = engine->delivery_aborted;

        engine->delivery_aborted = false;
        if (second_level)
            engine_trouble_to_host(engine);
        else
            engine_event_raise(engine, &fault);
        return false;
    }
    step = state.rflags & RFLAGS_DF ? (uint64_t)0 - io.bytes : io.bytes;
    advance(&state, io.in ? X86_RDI : X86_RSI, io.address_bytes, step);
    if (io.repeated) {
        advance(&state, X86_RCX, io.address_bytes, UINT64_MAX);
        *more = (state.gpr[X86_RCX] & address_mask(io.address_bytes)) != 0;
    }
    if (*more) /* the last one is charged when it is skipped */
        engine_block_charge(engine, engine_image_pc(engine), io.length);
    for (unsigned i = X86_RCX; i <= X86_RDI; i++)
        image_store64(engine, engine->layout->regs + 8 * i, state.gpr[i]);
    return true;
}
