/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_EVENT_PRIVATE_H
#define HVSIM_CPU_EVENT_PRIVATE_H

/**
 * What event*.c share: the delivery of one event in progress, and the steps
 * that the modes have in common. For no other file. A step that returns false
 * has filled delivery->fault with the event that takes this one's place.
 */

#include "cpu/event.h"

/* Error codes: which table the index is of, and whether the event that was
 * being delivered is external to the program. */
#define ERROR_EXT 0x1u
#define ERROR_IDT 0x2u

#define SELECTOR_TI 0x4u
#define SELECTOR_INDEX 0xfff8u
#define SELECTOR_RPL 0x3u

/* Types of gates. */
#define TYPE_TASK_GATE 0x5
#define TYPE_INTERRUPT_GATE16 0x6
#define TYPE_TRAP_GATE16 0x7
#define TYPE_INTERRUPT_GATE 0xe
#define TYPE_TRAP_GATE 0xf

/* Type bits of code and data segments. */
#define TYPE_ACCESSED 0x1
#define TYPE_WRITABLE 0x2 /* data */
#define TYPE_CONFORMING 0x4
#define TYPE_EXPAND_DOWN 0x4 /* data */
#define TYPE_CODE 0x8

#define FRAME_ITEMS_MAX 10

enum event_result { RESULT_DELIVERED, RESULT_FAULTED, RESULT_TASK_GATE };

/** The delivery of one event of a chain. */
struct event_delivery {
    struct x86_state *state; /* changed only by the last step of a delivery */
    const struct event_memory *memory;
    const struct cpu_event *event;
    struct cpu_event *fault; /* the event that replaces this one */
    uint32_t ext;            /* ERROR_EXT or 0 */
};

/** A gate of the IDT. */
struct event_gate {
    uint64_t offset;
    uint16_t selector;
    uint8_t type; /* TYPE_*_GATE, checked */
    uint8_t dpl;
    uint8_t ist; /* long mode: 1 to 7 choose a stack of the TSS */
    bool present;
};

/** A code or data segment of the GDT or LDT. */
struct event_descriptor {
    gva_t at;                   /* where the descriptor lies */
    struct x86_segment segment; /* selector as loaded, accessed bit set */
    bool accessed;              /* in memory */
};

/** What is pushed, first item first, all of `item_bytes`. */
struct event_frame {
    uint64_t items[FRAME_ITEMS_MAX];
    unsigned count;
    unsigned item_bytes; /* 2, 4 or 8 */
};

/** RFLAGS.VM means nothing in long mode, where only a host can set it. */
static inline bool event_in_vm86(const struct x86_state *state)
{
    return (state->rflags & RFLAGS_VM) && !x86_long_mode(state);
}

/** The privilege level that a code segment made ready by event_load_code()
 *  runs at. */
static inline unsigned event_new_cpl(const struct event_descriptor *code)
{
    return code->segment.selector & SELECTOR_RPL;
}

/** True if bit `vector` of `set` is set; vectors above 31 are in no set. */
static inline bool event_vector_in(uint8_t vector, uint32_t set)
{
    return vector < 32 && ((set >> vector) & 1);
}

/** Makes delivery->fault the exception `vector` and returns false. */
bool event_raise(struct event_delivery *delivery, uint8_t vector,
                 uint32_t code);

/** The error code that names `selector`. */
uint32_t event_selector_error(const struct event_delivery *delivery,
                              uint16_t selector);

/** A descriptor table or TSS reference: an implicit supervisor access. */
bool event_read_system(struct event_delivery *delivery, uint64_t at, void *to,
                       uint32_t bytes);

/* event_segments.c */

/** The handler's code segment, checked; its RPL becomes the new CPL. */
bool event_load_code(struct event_delivery *delivery, uint16_t selector,
                     struct event_descriptor *out);

/** The stack segment for ring `cpl`, as a TSS of legacy mode names it. */
bool event_load_stack(struct event_delivery *delivery, uint16_t selector,
                      unsigned cpl, struct event_descriptor *out);

/** The processor notes in the table that it has loaded a segment. */
bool event_mark_accessed(struct event_delivery *delivery,
                         const struct event_descriptor *descriptor);

/** `bytes` of the TSS at `offset`; beyond its limit #TS. */
bool event_read_tss(struct event_delivery *delivery, uint32_t offset, void *to,
                    uint32_t bytes);

/* event_frame.c */

/** The whole frame but for real mode's; `with_stack`: SS and RSP too. */
void event_build_frame(const struct event_delivery *delivery, bool with_stack,
                       struct event_frame *frame);

/** The frame of real mode: three words, never an error code. */
void event_build_real_frame(const struct event_delivery *delivery,
                            struct event_frame *frame);

/** RFLAGS at the handler's first instruction. */
void event_enter_flags(struct x86_state *state, const struct event_gate *gate);

/* event_legacy.c, event_long.c: the last step changes delivery->state. */
enum event_result event_deliver_real(struct event_delivery *delivery);
enum event_result event_deliver_protected(struct event_delivery *delivery,
                                          const struct event_gate *gate);
enum event_result event_deliver_long(struct event_delivery *delivery,
                                     const struct event_gate *gate);

#endif
