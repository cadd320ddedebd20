/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "cpu/event_private.h"

#define TYPE_TSS16 0x1
#define TYPE_TSS32 0x9
#define TYPE_BUSY 0x2 /* of a TSS */

/* A stack of legacy mode, to be pushed on. */
struct stack {
    struct x86_segment segment;
    uint32_t pointer;
    uint32_t error_code; /* of the #SS when it is full */
    bool user;
};

static uint32_t stack_mask(const struct stack *stack)
{
    return stack->segment.attributes & X86_ATTR_DB ? UINT32_MAX : 0xffff;
}

/* Whether [offset, offset + bytes) lies within the stack segment. */
static bool stack_allows(const struct stack *stack, uint32_t offset,
                         unsigned bytes)
{
    const struct x86_segment *segment = &stack->segment;
    uint64_t last = (uint64_t)offset + bytes - 1;

    if ((segment->attributes & (TYPE_CODE | TYPE_EXPAND_DOWN)) ==
        TYPE_EXPAND_DOWN)
        return offset > segment->limit && last <= stack_mask(stack);
    return last <= segment->limit;
}

/* Before anything is pushed: a full stack leaves no trace. */
static bool check_room(struct event_delivery *delivery,
                       const struct stack *stack,
                       const struct event_frame *frame)
{
    uint32_t pointer = stack->pointer;

    for (unsigned i = 0; i < frame->count; i++) {
        pointer = (pointer - frame->item_bytes) & stack_mask(stack);
        if (!stack_allows(stack, pointer, frame->item_bytes))
            return event_raise(delivery, X86_VECTOR_SS, stack->error_code);
    }
    return true;
}

/* Item by item, since a 16-bit stack pointer may come round in between. */
static bool push_frame(struct event_delivery *delivery, struct stack *stack,
                       const struct event_frame *frame)
{
    const struct event_memory *memory = delivery->memory;
    uint32_t mask = stack_mask(stack);
    uint32_t pointer = stack->pointer;

    for (unsigned i = 0; i < frame->count; i++) {
        uint32_t linear;

        pointer = (pointer - frame->item_bytes) & mask;
        linear = (uint32_t)(stack->segment.base + pointer);
        if (!memory->write(memory->context, gva(linear), &frame->items[i],
                           frame->item_bytes, stack->user, delivery->fault))
            return false;
    }
    stack->pointer = (stack->pointer & ~mask) | pointer;
    return true;
}

/* The stack for `cpl` as the TSS of legacy mode names it. */
static bool read_tss_stack(struct event_delivery *delivery, unsigned cpl,
                           uint16_t *selector, uint32_t *pointer)
{
    const struct x86_segment *tr = &delivery->state->tr;
    uint8_t raw[6];

    switch (tr->attributes & X86_ATTR_TYPE_MASK & ~TYPE_BUSY) {
    case TYPE_TSS32:
        if (!event_read_tss(delivery, cpl * 8 + 4, raw, 6))
            return false;
        memcpy(pointer, raw, 4);
        memcpy(selector, raw + 4, 2);
        return true;
    case TYPE_TSS16:
        if (!event_read_tss(delivery, cpl * 4 + 2, raw, 4))
            return false;
        *pointer = (uint32_t)(raw[0] | raw[1] << 8);
        memcpy(selector, raw + 2, 2);
        return true;
    default:
        return event_raise(delivery, X86_VECTOR_TS,
                           event_selector_error(delivery, tr->selector));
    }
}

/* Virtual-8086 data segments mean nothing to the handler. */
static void clear_data_segments(struct x86_state *state)
{
    state->segment[X86_GS] = (struct x86_segment){0};
    state->segment[X86_FS] = (struct x86_segment){0};
    state->segment[X86_DS] = (struct x86_segment){0};
    state->segment[X86_ES] = (struct x86_segment){0};
}

enum event_result event_deliver_real(struct event_delivery *delivery)
{
    struct x86_state *state = delivery->state;
    struct x86_segment *code = &state->segment[X86_CS];
    struct event_frame frame = {.count = 0};
    struct stack stack = {.segment = state->segment[X86_SS],
                          .pointer = (uint32_t)state->gpr[X86_RSP],
                          .error_code = delivery->ext};
    uint32_t offset = delivery->event->vector * 4u;
    uint16_t entry[2]; /* IP, CS */

    if (offset + sizeof(entry) - 1 > state->idtr.limit) {
        event_raise(delivery, X86_VECTOR_GP, delivery->ext);
        return RESULT_FAULTED;
    }
    if (!event_read_system(delivery, state->idtr.base + offset, entry,
                           sizeof(entry)))
        return RESULT_FAULTED;
    event_build_real_frame(delivery, &frame);
    if (!check_room(delivery, &stack, &frame))
        return RESULT_FAULTED;
    if (entry[0] > code->limit) {
        event_raise(delivery, X86_VECTOR_GP, delivery->ext);
        return RESULT_FAULTED;
    }
    if (!push_frame(delivery, &stack, &frame))
        return RESULT_FAULTED;

    state->gpr[X86_RSP] = stack.pointer;
    code->selector = entry[1];
    code->base = (uint64_t)entry[1] << 4;
    state->rip = entry[0];
    state->rflags &= ~(RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_RF);
    return RESULT_DELIVERED;
}

/* The stack that the handler starts on; `new_segment` is filled, and has to
 * be loaded, only if the privilege changes. */
static bool choose_stack(struct event_delivery *delivery, unsigned new_cpl,
                         struct event_descriptor *new_segment,
                         struct stack *stack)
{
    const struct x86_state *state = delivery->state;
    uint16_t selector = 0;

    *stack = (struct stack){.segment = state->segment[X86_SS],
                            .pointer = (uint32_t)state->gpr[X86_RSP],
                            .error_code = delivery->ext,
                            .user = new_cpl == 3};
    if (new_cpl == x86_cpl(state))
        return true;
    if (!read_tss_stack(delivery, new_cpl, &selector, &stack->pointer) ||
        !event_load_stack(delivery, selector, new_cpl, new_segment))
        return false;
    stack->segment = new_segment->segment;
    stack->error_code = event_selector_error(delivery, selector);
    return true;
}

static unsigned item_bytes(const struct event_gate *gate)
{
    return gate->type == TYPE_INTERRUPT_GATE16 || gate->type == TYPE_TRAP_GATE16
               ? 2
               : 4;
}

enum event_result event_deliver_protected(struct event_delivery *delivery,
                                          const struct event_gate *gate)
{
    struct x86_state *state = delivery->state;
    struct event_frame frame = {.item_bytes = item_bytes(gate)};
    struct event_descriptor code;
    struct event_descriptor stack_segment = {.accessed = true};
    struct stack stack;

    if (!event_load_code(delivery, gate->selector, &code) ||
        !choose_stack(delivery, event_new_cpl(&code), &stack_segment, &stack))
        return RESULT_FAULTED;
    event_build_frame(delivery, event_new_cpl(&code) != x86_cpl(state), &frame);
    if (!check_room(delivery, &stack, &frame))
        return RESULT_FAULTED;
    if (gate->offset > code.segment.limit) {
        event_raise(delivery, X86_VECTOR_GP, delivery->ext);
        return RESULT_FAULTED;
    }
    if (!event_mark_accessed(delivery, &code) ||
        !event_mark_accessed(delivery, &stack_segment) ||
        !push_frame(delivery, &stack, &frame))
        return RESULT_FAULTED;

    if (event_in_vm86(state))
        clear_data_segments(state);
    state->segment[X86_SS] = stack.segment;
    state->gpr[X86_RSP] = stack.pointer;
    state->segment[X86_CS] = code.segment;
    state->rip = gate->offset;
    event_enter_flags(state, gate);
    return RESULT_DELIVERED;
}
