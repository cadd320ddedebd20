/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/event_private.h"

#define FRAME_ITEMS_LONG_MAX 6

/* Where the handler's frame ends (its highest address) in long mode. */
static bool choose_long_stack(struct event_delivery *delivery,
                              const struct event_gate *gate, unsigned new_cpl,
                              uint64_t *top)
{
    const struct x86_state *state = delivery->state;

    if (gate->ist != 0) {
        if (!event_read_tss(delivery, 28u + gate->ist * 8u, top, sizeof(*top)))
            return false;
    } else if (new_cpl != x86_cpl(state)) {
        if (!event_read_tss(delivery, 4 + new_cpl * 8, top, sizeof(*top)))
            return false;
    } else {
        *top = state->gpr[X86_RSP];
    }
    *top &= ~UINT64_C(15);
    return true;
}

static bool push_long_frame(struct event_delivery *delivery,
                            const struct event_frame *frame, bool user,
                            uint64_t *rsp)
{
    const struct event_memory *memory = delivery->memory;
    uint64_t raw[FRAME_ITEMS_LONG_MAX];
    uint32_t bytes = frame->count * 8;
    uint64_t bottom = *rsp - bytes;

    if (!x86_canonical(bottom) || !x86_canonical(*rsp - 1))
        return event_raise(delivery, X86_VECTOR_SS, delivery->ext);
    for (unsigned i = 0; i < frame->count; i++)
        raw[i] = frame->items[frame->count - 1 - i];
    *rsp = bottom;
    return memory->write(memory->context, gva(bottom), raw, bytes, user,
                         delivery->fault);
}

enum event_result event_deliver_long(struct event_delivery *delivery,
                                     const struct event_gate *gate)
{
    struct x86_state *state = delivery->state;
    struct event_frame frame = {.item_bytes = 8};
    struct event_descriptor code;
    unsigned new_cpl;
    uint64_t rsp;

    if (!event_load_code(delivery, gate->selector, &code))
        return RESULT_FAULTED;
    new_cpl = event_new_cpl(&code);
    if (!choose_long_stack(delivery, gate, new_cpl, &rsp))
        return RESULT_FAULTED;
    if (!x86_canonical(gate->offset)) {
        event_raise(delivery, X86_VECTOR_GP, delivery->ext);
        return RESULT_FAULTED;
    }
    event_build_frame(delivery, true, &frame);
    if (!event_mark_accessed(delivery, &code) ||
        !push_long_frame(delivery, &frame, new_cpl == 3, &rsp))
        return RESULT_FAULTED;

    if (new_cpl != x86_cpl(state)) {
        /* A null selector; its hidden part keeps the CPL, and is flat. */
        state->segment[X86_SS] = (struct x86_segment){
            .limit = UINT32_MAX,
            .selector = (uint16_t)new_cpl,
            .attributes = (uint16_t)(X86_ATTR_G | X86_ATTR_DB |
                                     new_cpl << X86_ATTR_DPL_SHIFT),
        };
    }
    state->gpr[X86_RSP] = rsp;
    state->segment[X86_CS] = code.segment;
    state->rip = gate->offset;
    event_enter_flags(state, gate);
    return RESULT_DELIVERED;
}
