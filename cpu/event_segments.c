/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/event_private.h"

static bool is_null(uint16_t selector)
{
    return (selector & (SELECTOR_INDEX | SELECTOR_TI)) == 0;
}

static unsigned dpl_of(const struct x86_segment *segment)
{
    return (segment->attributes >> X86_ATTR_DPL_SHIFT) & 3u;
}

static void decode_descriptor(uint64_t raw, uint16_t selector,
                              struct event_descriptor *out)
{
    uint32_t limit = (uint32_t)((raw & 0xffff) | ((raw >> 32) & 0xf0000));
    uint16_t attributes = (uint16_t)((raw >> 40) & 0xf0ff);

    if (attributes & X86_ATTR_G)
        limit = limit << 12 | 0xfff;
    out->accessed = (attributes & TYPE_ACCESSED) != 0;
    out->segment = (struct x86_segment){
        .base = ((raw >> 16) & 0xffffff) | ((raw >> 32) & 0xff000000),
        .limit = limit,
        .selector = selector,
        .attributes = attributes | TYPE_ACCESSED,
    };
}

/* Reads what `selector` names; beyond its table's limit it is `vector`. */
static bool load_descriptor(struct event_delivery *delivery, uint16_t selector,
                            uint8_t vector, struct event_descriptor *out)
{
    const struct x86_state *state = delivery->state;
    uint32_t offset = selector & SELECTOR_INDEX;
    uint64_t base = state->gdtr.base;
    uint32_t limit = state->gdtr.limit;
    uint64_t raw;

    if (selector & SELECTOR_TI) {
        if (is_null(state->ldtr.selector) ||
            (state->ldtr.attributes & X86_ATTR_P) == 0)
            return event_raise(delivery, vector,
                               event_selector_error(delivery, selector));
        base = state->ldtr.base;
        limit = state->ldtr.limit;
    }
    if (offset + 7 > limit)
        return event_raise(delivery, vector,
                           event_selector_error(delivery, selector));
    if (!event_read_system(delivery, base + offset, &raw, sizeof(raw)))
        return false;
    out->at = gva(base + offset);
    decode_descriptor(raw, selector, out);
    return true;
}

bool event_mark_accessed(struct event_delivery *delivery,
                         const struct event_descriptor *descriptor)
{
    const struct event_memory *memory = delivery->memory;
    uint8_t access = (uint8_t)descriptor->segment.attributes;
    uint64_t at = descriptor->at.raw + 5;

    if (descriptor->accessed)
        return true;
    if (!x86_long_mode(delivery->state))
        at = (uint32_t)at;
    return memory->write(memory->context, gva(at), &access, 1, false,
                         delivery->fault);
}

bool event_load_code(struct event_delivery *delivery, uint16_t selector,
                     struct event_descriptor *out)
{
    unsigned cpl = x86_cpl(delivery->state);
    uint32_t error = event_selector_error(delivery, selector);
    struct x86_segment *code = &out->segment;
    unsigned new_cpl;

    if (is_null(selector))
        return event_raise(delivery, X86_VECTOR_GP, delivery->ext);
    if (!load_descriptor(delivery, selector, X86_VECTOR_GP, out))
        return false;
    if (!(code->attributes & X86_ATTR_S) || !(code->attributes & TYPE_CODE) ||
        dpl_of(code) > cpl)
        return event_raise(delivery, X86_VECTOR_GP, error);
    if (x86_long_mode(delivery->state) &&
        (code->attributes & (X86_ATTR_L | X86_ATTR_DB)) != X86_ATTR_L)
        return event_raise(delivery, X86_VECTOR_GP, error);
    if (!(code->attributes & X86_ATTR_P))
        return event_raise(delivery, X86_VECTOR_NP, error);
    new_cpl = code->attributes & TYPE_CONFORMING ? cpl : dpl_of(code);
    if (event_in_vm86(delivery->state) && new_cpl != 0)
        return event_raise(delivery, X86_VECTOR_GP, error);
    code->selector = (uint16_t)((selector & ~SELECTOR_RPL) | new_cpl);
    return true;
}

bool event_read_tss(struct event_delivery *delivery, uint32_t offset, void *to,
                    uint32_t bytes)
{
    const struct x86_segment *tr = &delivery->state->tr;

    if (offset + bytes - 1 > tr->limit)
        return event_raise(delivery, X86_VECTOR_TS,
                           event_selector_error(delivery, tr->selector));
    return event_read_system(delivery, tr->base + offset, to, bytes);
}

bool event_load_stack(struct event_delivery *delivery, uint16_t selector,
                      unsigned cpl, struct event_descriptor *out)
{
    uint32_t error = event_selector_error(delivery, selector);
    const struct x86_segment *segment = &out->segment;

    if (is_null(selector))
        return event_raise(delivery, X86_VECTOR_TS, delivery->ext);
    if (!load_descriptor(delivery, selector, X86_VECTOR_TS, out))
        return false;
    if ((selector & SELECTOR_RPL) != cpl || dpl_of(segment) != cpl ||
        !(segment->attributes & X86_ATTR_S) ||
        (segment->attributes & TYPE_CODE) ||
        !(segment->attributes & TYPE_WRITABLE))
        return event_raise(delivery, X86_VECTOR_TS, error);
    if (!(segment->attributes & X86_ATTR_P))
        return event_raise(delivery, X86_VECTOR_SS, error);
    return true;
}
