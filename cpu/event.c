/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/event.h"

#include <string.h>

/* Error codes: which table the index is of, and whether the event that was
 * being delivered is external to the program. */
#define ERROR_EXT 0x1u
#define ERROR_IDT 0x2u

#define SELECTOR_TI 0x4u
#define SELECTOR_INDEX 0xfff8u
#define SELECTOR_RPL 0x3u

#define TYPE_TSS16 0x1
#define TYPE_TASK_GATE 0x5
#define TYPE_INTERRUPT_GATE16 0x6
#define TYPE_TRAP_GATE16 0x7
#define TYPE_TSS32 0x9
#define TYPE_INTERRUPT_GATE 0xe
#define TYPE_TRAP_GATE 0xf
#define TYPE_BUSY 0x2 /* of a TSS */
#define TYPE_ACCESSED 0x1
#define TYPE_WRITABLE 0x2 /* data */
#define TYPE_CONFORMING 0x4
#define TYPE_EXPAND_DOWN 0x4 /* data */
#define TYPE_CODE 0x8

#define DR6_BD (UINT64_C(1) << 13)
#define DR7_GD (UINT64_C(1) << 13)

#define FRAME_ITEMS_MAX 10
#define LONG_FRAME_ITEMS_MAX 6

/* A chain of events has at most four links: benign, contributory, #PF, #DF. */
#define CHAIN_MAX 8

enum result { DELIVERED, FAULTED, TASK_GATE };

/* The delivery of one event of a chain. */
struct delivery {
    struct x86_state *state; /* changed only by the last step of a delivery */
    const struct event_memory *memory;
    const struct cpu_event *event;
    struct cpu_event *fault; /* the event that replaces this one */
    uint32_t ext;            /* ERROR_EXT or 0 */
};

struct gate {
    uint64_t offset;
    uint16_t selector;
    uint8_t type;
    uint8_t dpl;
    uint8_t ist;
    bool present;
};

struct descriptor {
    gva_t at;
    struct x86_segment segment; /* selector as loaded, accessed bit set */
    bool accessed;              /* in memory */
};

/* A stack of legacy mode, to be pushed on. */
struct stack {
    struct x86_segment segment;
    uint32_t pointer;
    uint32_t error_code; /* of the #SS when it is full */
    bool user;
};

/* What is pushed, first item first, all of `item_bytes`. */
struct frame {
    uint64_t items[FRAME_ITEMS_MAX];
    unsigned count;
    unsigned item_bytes; /* 2, 4 or 8 */
};

/* Vectors that push an error code: #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX. */
#define ERROR_CODE_VECTORS                                                     \
    (1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 |          \
     1u << 17 | 1u << 21 | 1u << 29 | 1u << 30)

/* #DE #TS #NP #SS #GP #CP: two in a row make a double fault. */
#define CONTRIBUTORY_VECTORS                                                   \
    (1u << 0 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 21)

/* Fault class, which returns to the instruction and so with RF set: #DE #BR
 * #UD #NM #TS #NP #SS #GP #PF #MF #AC #XM #VE #CP. Not #DB: see
 * pushed_rflags(). */
#define FAULT_VECTORS                                                          \
    (1u << 0 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 10 | 1u << 11 | 1u << 12 |  \
     1u << 13 | 1u << 14 | 1u << 16 | 1u << 17 | 1u << 19 | 1u << 20 |         \
     1u << 21)

static bool vector_in(uint8_t vector, uint32_t set)
{
    return vector < 32 && ((set >> vector) & 1);
}

bool event_has_error_code(uint8_t vector)
{
    return vector_in(vector, ERROR_CODE_VECTORS);
}

static bool is_software(const struct cpu_event *event)
{
    return event->type == EVENT_TYPE_SOFTWARE_INTERRUPT ||
           event->type == EVENT_TYPE_SOFTWARE_EXCEPTION ||
           event->type == EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION;
}

/* INT n, INT3 and INTO may only use gates that the program may use. */
static bool is_checked(const struct cpu_event *event)
{
    return event->type == EVENT_TYPE_SOFTWARE_INTERRUPT ||
           event->type == EVENT_TYPE_SOFTWARE_EXCEPTION;
}

static bool raise_fault(struct delivery *delivery, uint8_t vector,
                        uint32_t code)
{
    *delivery->fault = (struct cpu_event){
        .type = EVENT_TYPE_EXCEPTION,
        .vector = vector,
        .has_error_code = true,
        .error_code = code,
    };
    return false;
}

/* The error code that names `selector`. */
static uint32_t selector_error(const struct delivery *delivery,
                               uint16_t selector)
{
    return (selector & (SELECTOR_INDEX | SELECTOR_TI)) | delivery->ext;
}

static uint32_t gate_error(const struct delivery *delivery)
{
    return delivery->event->vector * 8u | ERROR_IDT | delivery->ext;
}

static bool is_null(uint16_t selector)
{
    return (selector & (SELECTOR_INDEX | SELECTOR_TI)) == 0;
}

static unsigned dpl_of(const struct x86_segment *segment)
{
    return (segment->attributes >> X86_ATTR_DPL_SHIFT) & 3u;
}

static bool in_vm86(const struct x86_state *state)
{
    return (state->rflags & RFLAGS_VM) != 0;
}

/* A descriptor table or TSS reference: an implicit supervisor access. */
static bool read_system(struct delivery *delivery, uint64_t at, void *to,
                        uint32_t bytes)
{
    const struct event_memory *memory = delivery->memory;

    if (!x86_long_mode(delivery->state))
        at = (uint32_t)at;
    else if (!x86_canonical(at) || !x86_canonical(at + bytes - 1))
        return raise_fault(delivery, X86_VECTOR_GP, delivery->ext);
    return memory->read(memory->context, gva(at), to, bytes, false,
                        delivery->fault);
}

/* Gates. */

static void decode_gate(const uint8_t raw[16], bool long_mode,
                        struct gate *gate)
{
    gate->offset = (uint64_t)(raw[0] | raw[1] << 8);
    gate->selector = (uint16_t)(raw[2] | raw[3] << 8);
    gate->type = raw[5] & 0x1f; /* with S: a segment is no gate */
    gate->dpl = (raw[5] >> 5) & 3;
    gate->present = (raw[5] & 0x80) != 0;
    gate->ist = long_mode ? raw[4] & 7 : 0;
    if (gate->type != TYPE_INTERRUPT_GATE16 && gate->type != TYPE_TRAP_GATE16)
        gate->offset |= (uint64_t)(raw[6] | raw[7] << 8) << 16;
    if (long_mode) {
        uint32_t high;

        memcpy(&high, raw + 8, sizeof(high));
        gate->offset |= (uint64_t)high << 32;
    }
}

static bool gate_type_valid(uint8_t type, bool long_mode)
{
    if (type == TYPE_INTERRUPT_GATE || type == TYPE_TRAP_GATE)
        return true;
    return !long_mode && (type == TYPE_INTERRUPT_GATE16 ||
                          type == TYPE_TRAP_GATE16 || type == TYPE_TASK_GATE);
}

static bool load_gate(struct delivery *delivery, struct gate *gate)
{
    const struct x86_state *state = delivery->state;
    bool long_mode = x86_long_mode(state);
    uint32_t bytes = long_mode ? 16 : 8;
    uint32_t offset = delivery->event->vector * bytes;
    uint8_t raw[16] = {0};

    if (offset + bytes - 1 > state->idtr.limit)
        return raise_fault(delivery, X86_VECTOR_GP, gate_error(delivery));
    if (!read_system(delivery, state->idtr.base + offset, raw, bytes))
        return false;
    decode_gate(raw, long_mode, gate);
    if (!gate_type_valid(gate->type, long_mode))
        return raise_fault(delivery, X86_VECTOR_GP, gate_error(delivery));
    if (is_checked(delivery->event) && gate->dpl < x86_cpl(state))
        return raise_fault(delivery, X86_VECTOR_GP, gate_error(delivery));
    if (!gate->present)
        return raise_fault(delivery, X86_VECTOR_NP, gate_error(delivery));
    return true;
}

/* Descriptors. */

static void decode_descriptor(uint64_t raw, uint16_t selector,
                              struct descriptor *out)
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
static bool load_descriptor(struct delivery *delivery, uint16_t selector,
                            uint8_t vector, struct descriptor *out)
{
    const struct x86_state *state = delivery->state;
    uint32_t offset = selector & SELECTOR_INDEX;
    uint64_t base = state->gdtr.base;
    uint32_t limit = state->gdtr.limit;
    uint64_t raw;

    if (selector & SELECTOR_TI) {
        if (is_null(state->ldtr.selector) ||
            (state->ldtr.attributes & X86_ATTR_P) == 0)
            return raise_fault(delivery, vector,
                               selector_error(delivery, selector));
        base = state->ldtr.base;
        limit = state->ldtr.limit;
    }
    if (offset + 7 > limit)
        return raise_fault(delivery, vector,
                           selector_error(delivery, selector));
    if (!read_system(delivery, base + offset, &raw, sizeof(raw)))
        return false;
    out->at = gva(base + offset);
    decode_descriptor(raw, selector, out);
    return true;
}

/* The processor notes in the table that it has loaded a segment. */
static bool mark_accessed(struct delivery *delivery,
                          const struct descriptor *descriptor)
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

/* The handler's code segment; its RPL becomes the new CPL. */
static bool load_code_segment(struct delivery *delivery, uint16_t selector,
                              struct descriptor *out)
{
    unsigned cpl = x86_cpl(delivery->state);
    uint32_t error = selector_error(delivery, selector);
    struct x86_segment *code = &out->segment;
    unsigned new_cpl;

    if (is_null(selector))
        return raise_fault(delivery, X86_VECTOR_GP, delivery->ext);
    if (!load_descriptor(delivery, selector, X86_VECTOR_GP, out))
        return false;
    if (!(code->attributes & X86_ATTR_S) || !(code->attributes & TYPE_CODE) ||
        dpl_of(code) > cpl)
        return raise_fault(delivery, X86_VECTOR_GP, error);
    if (x86_long_mode(delivery->state) &&
        (code->attributes & (X86_ATTR_L | X86_ATTR_DB)) != X86_ATTR_L)
        return raise_fault(delivery, X86_VECTOR_GP, error);
    if (!(code->attributes & X86_ATTR_P))
        return raise_fault(delivery, X86_VECTOR_NP, error);
    new_cpl = code->attributes & TYPE_CONFORMING ? cpl : dpl_of(code);
    if (in_vm86(delivery->state) && new_cpl != 0)
        return raise_fault(delivery, X86_VECTOR_GP, error);
    code->selector = (uint16_t)((selector & ~SELECTOR_RPL) | new_cpl);
    return true;
}

static unsigned new_cpl_of(const struct descriptor *code)
{
    return code->segment.selector & SELECTOR_RPL;
}

/* The frame. */

static uint64_t return_rip(const struct delivery *delivery)
{
    uint64_t rip = delivery->state->rip;

    if (is_software(delivery->event))
        rip += delivery->event->instruction_bytes;
    return rip;
}

/* SDM 3B, "Debug Exceptions": RF lets the instruction run on return. */
static uint64_t pushed_rflags(const struct delivery *delivery)
{
    const struct cpu_event *event = delivery->event;
    uint64_t rflags = delivery->state->rflags | RFLAGS_FIXED;

    if (event->type != EVENT_TYPE_EXCEPTION)
        return rflags;
    if (vector_in(event->vector, FAULT_VECTORS))
        return rflags | RFLAGS_RF;
    /* Of the debug exceptions only "general detect" is a fault of a kind that
     * the handler does not mark itself. */
    if (event->vector == X86_VECTOR_DB && (event->dr6 & DR6_BD))
        return rflags | RFLAGS_RF;
    return rflags;
}

static bool pushes_error_code(const struct cpu_event *event)
{
    return event->type == EVENT_TYPE_EXCEPTION && event->has_error_code;
}

static void frame_add(struct frame *frame, uint64_t item)
{
    frame->items[frame->count++] = item;
}

static void build_frame(const struct delivery *delivery, bool with_stack,
                        struct frame *frame)
{
    const struct x86_state *state = delivery->state;
    const struct x86_segment *segment = state->segment;

    if (in_vm86(state)) {
        frame_add(frame, segment[X86_GS].selector);
        frame_add(frame, segment[X86_FS].selector);
        frame_add(frame, segment[X86_DS].selector);
        frame_add(frame, segment[X86_ES].selector);
    }
    if (with_stack) {
        frame_add(frame, segment[X86_SS].selector);
        frame_add(frame, state->gpr[X86_RSP]);
    }
    frame_add(frame, pushed_rflags(delivery));
    frame_add(frame, segment[X86_CS].selector);
    frame_add(frame, return_rip(delivery));
    if (pushes_error_code(delivery->event))
        frame_add(frame, delivery->event->error_code);
}

/* Legacy stacks. */

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
static bool check_room(struct delivery *delivery, const struct stack *stack,
                       const struct frame *frame)
{
    uint32_t pointer = stack->pointer;

    for (unsigned i = 0; i < frame->count; i++) {
        pointer = (pointer - frame->item_bytes) & stack_mask(stack);
        if (!stack_allows(stack, pointer, frame->item_bytes))
            return raise_fault(delivery, X86_VECTOR_SS, stack->error_code);
    }
    return true;
}

/* Item by item, since a 16-bit stack pointer may come round in between. */
static bool push_frame(struct delivery *delivery, struct stack *stack,
                       const struct frame *frame)
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

/* TSS. */

/* `bytes` of the TSS at `offset`; beyond its limit #TS. */
static bool read_tss(struct delivery *delivery, uint32_t offset, void *to,
                     uint32_t bytes)
{
    const struct x86_segment *tr = &delivery->state->tr;

    if (offset + bytes - 1 > tr->limit)
        return raise_fault(delivery, X86_VECTOR_TS,
                           selector_error(delivery, tr->selector));
    return read_system(delivery, tr->base + offset, to, bytes);
}

/* The stack for `cpl` as the TSS of legacy mode names it. */
static bool read_tss_stack(struct delivery *delivery, unsigned cpl,
                           uint16_t *selector, uint32_t *pointer)
{
    const struct x86_segment *tr = &delivery->state->tr;
    uint8_t raw[6];

    switch (tr->attributes & X86_ATTR_TYPE_MASK & ~TYPE_BUSY) {
    case TYPE_TSS32:
        if (!read_tss(delivery, cpl * 8 + 4, raw, 6))
            return false;
        memcpy(pointer, raw, 4);
        memcpy(selector, raw + 4, 2);
        return true;
    case TYPE_TSS16:
        if (!read_tss(delivery, cpl * 4 + 2, raw, 4))
            return false;
        *pointer = (uint32_t)(raw[0] | raw[1] << 8);
        memcpy(selector, raw + 2, 2);
        return true;
    default:
        return raise_fault(delivery, X86_VECTOR_TS,
                           selector_error(delivery, tr->selector));
    }
}

static bool load_stack_segment(struct delivery *delivery, uint16_t selector,
                               unsigned cpl, struct descriptor *out)
{
    uint32_t error = selector_error(delivery, selector);
    const struct x86_segment *segment = &out->segment;

    if (is_null(selector))
        return raise_fault(delivery, X86_VECTOR_TS, delivery->ext);
    if (!load_descriptor(delivery, selector, X86_VECTOR_TS, out))
        return false;
    if ((selector & SELECTOR_RPL) != cpl || dpl_of(segment) != cpl ||
        !(segment->attributes & X86_ATTR_S) ||
        (segment->attributes & TYPE_CODE) ||
        !(segment->attributes & TYPE_WRITABLE))
        return raise_fault(delivery, X86_VECTOR_TS, error);
    if (!(segment->attributes & X86_ATTR_P))
        return raise_fault(delivery, X86_VECTOR_SS, error);
    return true;
}

/* Entering the handler. */

static void clear_flags(struct x86_state *state, bool interrupt_gate)
{
    state->rflags &= ~(RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM);
    if (interrupt_gate)
        state->rflags &= ~RFLAGS_IF;
}

static bool is_interrupt_gate(const struct gate *gate)
{
    return gate->type == TYPE_INTERRUPT_GATE ||
           gate->type == TYPE_INTERRUPT_GATE16;
}

/* Virtual-8086 data segments mean nothing to the handler. */
static void clear_data_segments(struct x86_state *state)
{
    state->segment[X86_GS] = (struct x86_segment){0};
    state->segment[X86_FS] = (struct x86_segment){0};
    state->segment[X86_DS] = (struct x86_segment){0};
    state->segment[X86_ES] = (struct x86_segment){0};
}

static enum result deliver_real(struct delivery *delivery)
{
    struct x86_state *state = delivery->state;
    struct x86_segment *code = &state->segment[X86_CS];
    struct frame frame = {.item_bytes = 2};
    struct stack stack = {.segment = state->segment[X86_SS],
                          .pointer = (uint32_t)state->gpr[X86_RSP],
                          .error_code = delivery->ext};
    uint32_t offset = delivery->event->vector * 4u;
    uint16_t entry[2]; /* IP, CS */

    if (offset + sizeof(entry) - 1 > state->idtr.limit) {
        raise_fault(delivery, X86_VECTOR_GP, gate_error(delivery));
        return FAULTED;
    }
    if (!read_system(delivery, state->idtr.base + offset, entry, sizeof(entry)))
        return FAULTED;
    frame_add(&frame, pushed_rflags(delivery));
    frame_add(&frame, code->selector);
    frame_add(&frame, return_rip(delivery));
    if (!check_room(delivery, &stack, &frame))
        return FAULTED;
    if (entry[0] > code->limit) {
        raise_fault(delivery, X86_VECTOR_GP, delivery->ext);
        return FAULTED;
    }
    if (!push_frame(delivery, &stack, &frame))
        return FAULTED;

    state->gpr[X86_RSP] = stack.pointer;
    code->selector = entry[1];
    code->base = (uint64_t)entry[1] << 4;
    state->rip = entry[0];
    state->rflags &= ~(RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_RF);
    return DELIVERED;
}

/* The stack that the handler starts on; `new_segment` is filled, and has to
 * be loaded, only if the privilege changes. */
static bool choose_stack(struct delivery *delivery, unsigned new_cpl,
                         struct descriptor *new_segment, struct stack *stack)
{
    const struct x86_state *state = delivery->state;
    uint16_t selector;

    *stack = (struct stack){.segment = state->segment[X86_SS],
                            .pointer = (uint32_t)state->gpr[X86_RSP],
                            .error_code = delivery->ext,
                            .user = new_cpl == 3};
    if (new_cpl == x86_cpl(state))
        return true;
    if (!read_tss_stack(delivery, new_cpl, &selector, &stack->pointer) ||
        !load_stack_segment(delivery, selector, new_cpl, new_segment))
        return false;
    stack->segment = new_segment->segment;
    stack->error_code = selector_error(delivery, selector);
    return true;
}

static enum result deliver_protected(struct delivery *delivery,
                                     const struct gate *gate)
{
    struct x86_state *state = delivery->state;
    struct frame frame = {.item_bytes = gate->type == TYPE_INTERRUPT_GATE16 ||
                                                gate->type == TYPE_TRAP_GATE16
                                            ? 2
                                            : 4};
    struct descriptor code;
    struct descriptor stack_segment = {.accessed = true};
    struct stack stack;

    if (!load_code_segment(delivery, gate->selector, &code) ||
        !choose_stack(delivery, new_cpl_of(&code), &stack_segment, &stack))
        return FAULTED;
    build_frame(delivery, new_cpl_of(&code) != x86_cpl(state), &frame);
    if (!check_room(delivery, &stack, &frame))
        return FAULTED;
    if (gate->offset > code.segment.limit) {
        raise_fault(delivery, X86_VECTOR_GP, delivery->ext);
        return FAULTED;
    }
    if (!mark_accessed(delivery, &code) ||
        !mark_accessed(delivery, &stack_segment) ||
        !push_frame(delivery, &stack, &frame))
        return FAULTED;

    if (in_vm86(state))
        clear_data_segments(state);
    state->segment[X86_SS] = stack.segment;
    state->gpr[X86_RSP] = stack.pointer;
    state->segment[X86_CS] = code.segment;
    state->rip = gate->offset;
    clear_flags(state, is_interrupt_gate(gate));
    return DELIVERED;
}

/* Where the handler's frame ends (its highest address) in long mode. */
static bool choose_long_stack(struct delivery *delivery,
                              const struct gate *gate, unsigned new_cpl,
                              uint64_t *top)
{
    const struct x86_state *state = delivery->state;

    if (gate->ist != 0) {
        if (!read_tss(delivery, 28u + gate->ist * 8u, top, sizeof(*top)))
            return false;
    } else if (new_cpl != x86_cpl(state)) {
        if (!read_tss(delivery, 4 + new_cpl * 8, top, sizeof(*top)))
            return false;
    } else {
        *top = state->gpr[X86_RSP];
    }
    *top &= ~UINT64_C(15);
    return true;
}

static bool push_long_frame(struct delivery *delivery,
                            const struct frame *frame, bool user, uint64_t *rsp)
{
    const struct event_memory *memory = delivery->memory;
    uint64_t raw[LONG_FRAME_ITEMS_MAX];
    uint32_t bytes = frame->count * 8;
    uint64_t bottom = *rsp - bytes;

    if (!x86_canonical(bottom) || !x86_canonical(*rsp - 1))
        return raise_fault(delivery, X86_VECTOR_SS, delivery->ext);
    for (unsigned i = 0; i < frame->count; i++)
        raw[i] = frame->items[frame->count - 1 - i];
    *rsp = bottom;
    return memory->write(memory->context, gva(bottom), raw, bytes, user,
                         delivery->fault);
}

static enum result deliver_long(struct delivery *delivery,
                                const struct gate *gate)
{
    struct x86_state *state = delivery->state;
    struct frame frame = {.item_bytes = 8};
    struct descriptor code;
    unsigned new_cpl;
    uint64_t rsp;

    if (!load_code_segment(delivery, gate->selector, &code))
        return FAULTED;
    new_cpl = new_cpl_of(&code);
    if (!choose_long_stack(delivery, gate, new_cpl, &rsp))
        return FAULTED;
    if (!x86_canonical(gate->offset)) {
        raise_fault(delivery, X86_VECTOR_GP, delivery->ext);
        return FAULTED;
    }
    build_frame(delivery, true, &frame);
    if (!mark_accessed(delivery, &code) ||
        !push_long_frame(delivery, &frame, new_cpl == 3, &rsp))
        return FAULTED;

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
    clear_flags(state, is_interrupt_gate(gate));
    return DELIVERED;
}

/* INT n of virtual-8086 mode belongs to its monitor unless IOPL is 3. */
static bool vm86_traps(const struct delivery *delivery)
{
    uint64_t iopl = (delivery->state->rflags >> RFLAGS_IOPL_SHIFT) & 3;

    return delivery->event->type == EVENT_TYPE_SOFTWARE_INTERRUPT &&
           in_vm86(delivery->state) && iopl < 3;
}

static enum result deliver_one(struct delivery *delivery)
{
    struct gate gate;

    if ((delivery->state->cr0 & CR0_PE) == 0)
        return deliver_real(delivery);
    if (vm86_traps(delivery)) {
        raise_fault(delivery, X86_VECTOR_GP, 0);
        return FAULTED;
    }
    if (!load_gate(delivery, &gate))
        return FAULTED;
    if (gate.type == TYPE_TASK_GATE)
        return TASK_GATE;
    if (x86_long_mode(delivery->state))
        return deliver_long(delivery, &gate);
    return deliver_protected(delivery, &gate);
}

/* Chains of events. */

enum fault_class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

static enum fault_class class_of(const struct cpu_event *event)
{
    if (event->type != EVENT_TYPE_EXCEPTION)
        return BENIGN;
    if (event->vector == X86_VECTOR_DF)
        return DOUBLE_FAULT;
    if (event->vector == X86_VECTOR_PF)
        return PAGE_FAULT;
    return vector_in(event->vector, CONTRIBUTORY_VECTORS) ? CONTRIBUTORY
                                                          : BENIGN;
}

/* Makes `current` what comes after `fault` was met on its delivery; false:
 * nothing does. SDM 3A, "Conditions for Generating a Double Fault". */
static bool combine(struct cpu_event *current, const struct cpu_event *fault)
{
    enum fault_class first = class_of(current);
    enum fault_class second = class_of(fault);
    bool both_bad = (first == CONTRIBUTORY && second == CONTRIBUTORY) ||
                    (first == PAGE_FAULT && second != BENIGN);

    if (first == DOUBLE_FAULT && second != BENIGN)
        return false;
    *current = *fault;
    if (both_bad)
        *current = (struct cpu_event){.type = EVENT_TYPE_EXCEPTION,
                                      .vector = X86_VECTOR_DF,
                                      .has_error_code = true};
    return true;
}

/* What an event leaves in the processor even if another is delivered. */
static void note_event(struct x86_state *state, const struct cpu_event *event)
{
    if (event->type == EVENT_TYPE_NMI)
        state->nmi_masked = true;
    if (event->type != EVENT_TYPE_EXCEPTION)
        return;
    if (event->vector == X86_VECTOR_PF)
        state->cr2 = event->cr2;
    if (event->vector == X86_VECTOR_DB) {
        state->dr[6] |= event->dr6;
        state->dr[7] &= ~DR7_GD;
    }
}

enum event_outcome event_deliver(struct x86_state *state,
                                 const struct event_memory *memory,
                                 const struct cpu_event *event,
                                 struct cpu_event *delivered)
{
    struct x86_state work = *state;
    struct cpu_event current = *event;
    enum result result = FAULTED;

    for (unsigned link = 0; link < CHAIN_MAX; link++) {
        struct cpu_event fault = {.type = EVENT_TYPE_EXCEPTION};
        struct delivery delivery = {
            .state = &work,
            .memory = memory,
            .event = &current,
            .fault = &fault,
            .ext = is_checked(&current) ? 0 : ERROR_EXT,
        };

        note_event(&work, &current);
        result = deliver_one(&delivery);
        if (result != FAULTED)
            break;
        note_event(&work, &fault);
        if (!combine(&current, &fault))
            break;
    }
    if (delivered != NULL)
        *delivered = current;
    if (result == FAULTED)
        return EVENT_SHUTDOWN;
    if (result == TASK_GATE)
        return EVENT_TASK_GATE;
    work.interrupt_shadow = false;
    *state = work;
    return EVENT_DELIVERED;
}
