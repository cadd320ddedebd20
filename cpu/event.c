/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/event.h"

#include <string.h>

#include "cpu/event_private.h"

#define DR7_GD (UINT64_C(1) << 13)

/* A chain of events has at most four links: benign, contributory, #PF, #DF. */
#define CHAIN_MAX 8

/* Vectors that push an error code: #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX. */
#define ERROR_CODE_VECTORS                                                     \
    (1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 |          \
     1u << 17 | 1u << 21 | 1u << 29 | 1u << 30)

/* #DE #TS #NP #SS #GP #CP: two in a row make a double fault. */
#define CONTRIBUTORY_VECTORS                                                   \
    (1u << 0 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 21)

bool event_has_error_code(uint8_t vector)
{
    return event_vector_in(vector, ERROR_CODE_VECTORS);
}

/* INT n, INT3 and INTO may only use gates that the program may use. */
static bool is_checked(const struct cpu_event *event)
{
    return event->type == EVENT_TYPE_SOFTWARE_INTERRUPT ||
           event->type == EVENT_TYPE_SOFTWARE_EXCEPTION;
}

bool event_raise(struct event_delivery *delivery, uint8_t vector, uint32_t code)
{
    *delivery->fault = (struct cpu_event){
        .type = EVENT_TYPE_EXCEPTION,
        .vector = vector,
        .has_error_code = true,
        .error_code = code,
    };
    return false;
}

uint32_t event_selector_error(const struct event_delivery *delivery,
                              uint16_t selector)
{
    return (selector & (SELECTOR_INDEX | SELECTOR_TI)) | delivery->ext;
}

static uint32_t gate_error(const struct event_delivery *delivery)
{
    return delivery->event->vector * 8u | ERROR_IDT | delivery->ext;
}

bool event_read_system(struct event_delivery *delivery, uint64_t at, void *to,
                       uint32_t bytes)
{
    const struct event_memory *memory = delivery->memory;

    if (!x86_long_mode(delivery->state))
        at = (uint32_t)at;
    else if (!x86_canonical(at) || !x86_canonical(at + bytes - 1))
        return event_raise(delivery, X86_VECTOR_GP, delivery->ext);
    return memory->read(memory->context, gva(at), to, bytes, false,
                        delivery->fault);
}

static void decode_gate(const uint8_t raw[16], bool long_mode,
                        struct event_gate *gate)
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

static bool load_gate(struct event_delivery *delivery, struct event_gate *gate)
{
    const struct x86_state *state = delivery->state;
    bool long_mode = x86_long_mode(state);
    uint32_t bytes = long_mode ? 16 : 8;
    uint32_t offset = delivery->event->vector * bytes;
    uint8_t raw[16] = {0};

    if (offset + bytes - 1 > state->idtr.limit)
        return event_raise(delivery, X86_VECTOR_GP, gate_error(delivery));
    if (!event_read_system(delivery, state->idtr.base + offset, raw, bytes))
        return false;
    decode_gate(raw, long_mode, gate);
    if (!gate_type_valid(gate->type, long_mode))
        return event_raise(delivery, X86_VECTOR_GP, gate_error(delivery));
    if (is_checked(delivery->event) && gate->dpl < x86_cpl(state))
        return event_raise(delivery, X86_VECTOR_GP, gate_error(delivery));
    if (!gate->present)
        return event_raise(delivery, X86_VECTOR_NP, gate_error(delivery));
    return true;
}

/* INT n of virtual-8086 mode belongs to its monitor unless IOPL is 3. */
static bool vm86_traps(const struct event_delivery *delivery)
{
    uint64_t iopl = (delivery->state->rflags >> RFLAGS_IOPL_SHIFT) & 3;

    return delivery->event->type == EVENT_TYPE_SOFTWARE_INTERRUPT &&
           event_in_vm86(delivery->state) && iopl < 3;
}

static enum event_result deliver_one(struct event_delivery *delivery)
{
    struct event_gate gate;

    if ((delivery->state->cr0 & CR0_PE) == 0)
        return event_deliver_real(delivery);
    if (vm86_traps(delivery)) {
        event_raise(delivery, X86_VECTOR_GP, 0);
        return RESULT_FAULTED;
    }
    if (!load_gate(delivery, &gate))
        return RESULT_FAULTED;
    if (gate.type == TYPE_TASK_GATE)
        return RESULT_TASK_GATE;
    if (x86_long_mode(delivery->state))
        return event_deliver_long(delivery, &gate);
    return event_deliver_protected(delivery, &gate);
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
    return event_vector_in(event->vector, CONTRIBUTORY_VECTORS) ? CONTRIBUTORY
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
    enum event_result result = RESULT_FAULTED;

    for (unsigned link = 0; link < CHAIN_MAX; link++) {
        struct cpu_event fault = {.type = EVENT_TYPE_EXCEPTION};
        struct event_delivery delivery = {
            .state = &work,
            .memory = memory,
            .event = &current,
            .fault = &fault,
            .ext = is_checked(&current) ? 0 : ERROR_EXT,
        };

        note_event(&work, &current);
        result = deliver_one(&delivery);
        if (result != RESULT_FAULTED)
            break;
        note_event(&work, &fault);
        if (!combine(&current, &fault))
            break;
    }
    if (delivered != NULL)
        *delivered = current;
    if (result == RESULT_FAULTED)
        return EVENT_SHUTDOWN;
    if (result == RESULT_TASK_GATE)
        return EVENT_TASK_GATE;
    work.interrupt_shadow = false;
    *state = work;
    return EVENT_DELIVERED;
}
