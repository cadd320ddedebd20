/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event delivery over arbitrary processor states, descriptor tables and
 * stacks: it ends, touches memory only through its interface and never at a
 * non-canonical address in long mode, and leaves the state alone unless it
 * delivers.
 *
 * Input: the state as it lies in memory, an event, then the bytes that memory
 * repeats for ever; every reference to a page whose number the first of them
 * hits is a page fault.
 */
#include <string.h>

#include "cpu/event.h"
#include "sim/core/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct input {
    struct x86_state cpu;
    uint8_t type;
    uint8_t vector;
    uint8_t error_code;
    uint8_t instruction_bytes;
};

struct memory {
    const struct x86_state *cpu;
    const uint8_t *bytes; /* the input's */
    size_t count;
};

static bool touch(const struct memory *memory, gva_t at, uint32_t bytes,
                  bool write, struct cpu_event *fault)
{
    CHECK(bytes > 0 && bytes <= 64);
    if (x86_long_mode(memory->cpu))
        CHECK(x86_canonical(at.raw) && x86_canonical(at.raw + bytes - 1));
    else
        CHECK(at.raw <= UINT32_MAX);
    if (memory->count == 0 ||
        ((at.raw >> PAGE_SHIFT) & 15) != (memory->bytes[0] & 31u))
        return true;
    *fault = (struct cpu_event){.type = EVENT_TYPE_EXCEPTION,
                                .vector = X86_VECTOR_PF,
                                .has_error_code = true,
                                .error_code = write ? PF_WRITE : 0,
                                .cr2 = at.raw};
    return false;
}

static bool read_memory(void *context, gva_t from, void *to, uint32_t bytes,
                        bool user, struct cpu_event *fault)
{
    const struct memory *memory = context;
    uint8_t *out = to;

    (void)user;
    for (uint32_t i = 0; i < bytes; i++)
        out[i] = memory->count == 0
                     ? 0
                     : memory->bytes[(from.raw + i) % memory->count];
    return touch(memory, from, bytes, false, fault);
}

static bool write_memory(void *context, gva_t to, const void *from,
                         uint32_t bytes, bool user, struct cpu_event *fault)
{
    (void)from;
    (void)user;
    return touch(context, to, bytes, true, fault);
}

/* Bytes that are no bool would make the comparison below undefined. */
static void make_valid(struct x86_state *cpu)
{
    uint8_t shadow;
    uint8_t masked;

    memcpy(&shadow, &cpu->interrupt_shadow, 1);
    memcpy(&masked, &cpu->nmi_masked, 1);
    cpu->interrupt_shadow = shadow & 1;
    cpu->nmi_masked = masked & 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input;

    if (bytes < sizeof(input))
        return 0;
    memcpy(&input, data, sizeof(input));
    make_valid(&input.cpu);

    struct x86_state cpu = input.cpu;
    struct memory memory = {.cpu = &cpu,
                            .bytes = data + sizeof(input),
                            .count = bytes - sizeof(input)};
    const struct event_memory access = {
        .context = &memory, .read = read_memory, .write = write_memory};
    const struct cpu_event event = {
        .type = (enum event_type)(input.type % 6),
        .vector = input.vector,
        .has_error_code = event_has_error_code(input.vector),
        .error_code = input.error_code,
        .instruction_bytes = input.instruction_bytes % 16,
    };
    struct cpu_event delivered;

    if (event_deliver(&cpu, &access, &event, &delivered) != EVENT_DELIVERED)
        CHECK(memcmp(&cpu, &input.cpu, sizeof(cpu)) == 0);
    else
        CHECK(!cpu.interrupt_shadow && !(cpu.rflags & RFLAGS_TF));
    return 0;
}
