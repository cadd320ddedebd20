/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_ATTACKS_ATTACK_H
#define HVSIM_WORKLOADS_ATTACKS_ATTACK_H

/**
 * Guests that attack the machine under them. Each case is one attack; it
 * either returns, having survived, or ends its machine in a way that
 * tests/attacks/attacks.py knows. None may harm anybody else.
 */

#include <stddef.h>
#include <stdint.h>

struct attack_case {
    const char *name;
    void (*run)(void); /* on the first processor, interrupts off */
};

extern const struct attack_case attack_memory_cases[];
extern const struct attack_case attack_interface_cases[];
extern const struct attack_case attack_interrupt_cases[];
extern const struct attack_case attack_device_cases[];
extern const struct attack_case attack_code_cases[];
extern const struct attack_case attack_vmbus_cases[];

/** Maps the guest physical page of `physical` at an address of its own, for
 *  reading, writing and executing, and returns where `physical` is then. */
void *attack_window(uint64_t physical);

/** The vector by which code at `address`, called in ring 0, trapped; its
 *  argument is in RBX. */
unsigned attack_call(const void *address, uint64_t argument);

/** Code that reads 8 bytes at RBX, then traps by ATTACK_NO_TRAP. */
extern const char attack_code_read[];

/** The vector of a read of 8 bytes, of a write; ATTACK_NO_TRAP if none. */
unsigned attack_read(const volatile void *address);
unsigned attack_write(volatile void *address, uint64_t value);

#define ATTACK_NO_TRAP 0x81u /* the probes' own exit */

/** The argument `seed`'s sequence of pseudo-random numbers. */
uint64_t attack_random(void);

#endif
