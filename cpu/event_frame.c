/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/event_private.h"

#define DR6_BD (UINT64_C(1) << 13)

/* Fault class, which returns to the instruction and so with RF set: #DE #BR
 * #UD #NM #TS #NP #SS #GP #PF #MF #AC #XM #VE #CP. Not #DB: see
 * pushed_rflags(). */
#define FAULT_VECTORS                                                          \
    (1u << 0 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 10 | 1u << 11 | 1u << 12 |  \
     1u << 13 | 1u << 14 | 1u << 16 | 1u << 17 | 1u << 19 | 1u << 20 |         \
     1u << 21)

static bool is_software(const struct cpu_event *event)
{
    return event->type == EVENT_TYPE_SOFTWARE_INTERRUPT ||
           event->type == EVENT_TYPE_SOFTWARE_EXCEPTION ||
           event->type == EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION;
}

static uint64_t return_rip(const struct event_delivery *delivery)
{
    uint64_t rip = delivery->state->rip;

    if (is_software(delivery->event))
        rip += delivery->event->instruction_bytes;
    return rip;
}

/* SDM 3B, "Debug Exceptions": RF lets the instruction run on return. */
static uint64_t pushed_rflags(const struct event_delivery *delivery)
{
    const struct cpu_event *event = delivery->event;
    uint64_t rflags = delivery->state->rflags | RFLAGS_FIXED;

    if (event->type != EVENT_TYPE_EXCEPTION ||
        delivery->memory->keeps_resume_flag)
        return rflags;
    if (event_vector_in(event->vector, FAULT_VECTORS))
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

static void frame_add(struct event_frame *frame, uint64_t item)
{
    frame->items[frame->count++] = item;
}

void event_build_frame(const struct event_delivery *delivery, bool with_stack,
                       struct event_frame *frame)
{
    const struct x86_state *state = delivery->state;
    const struct x86_segment *segment = state->segment;

    if (event_in_vm86(state)) {
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

void event_build_real_frame(const struct event_delivery *delivery,
                            struct event_frame *frame)
{
    frame->item_bytes = 2;
    frame_add(frame, pushed_rflags(delivery));
    frame_add(frame, delivery->state->segment[X86_CS].selector);
    frame_add(frame, return_rip(delivery));
}

void event_enter_flags(struct x86_state *state, const struct event_gate *gate)
{
    state->rflags &= ~(RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM);
    if (gate->type == TYPE_INTERRUPT_GATE ||
        gate->type == TYPE_INTERRUPT_GATE16)
        state->rflags &= ~RFLAGS_IF;
}
