/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_RUNTIME_CPU_H
#define HVSIM_WORKLOADS_RUNTIME_CPU_H

/**
 * The processors of the guest: who am I, start the others, idle, and how long
 * each was idle by the guest's own clock: what the guest *believes*.
 */

#include <stdbool.h>
#include <stdint.h>

#include "workloads/runtime/segments.h"

#define CPU_COUNT_MAX 64

struct thread;

struct cpu {
    struct cpu *self; /* must be first: cpu_current() reads it by GS */
    uint32_t index;   /* VP index and APIC id */
    bool is_idle;
    uint64_t idle_since_ns; /* valid while is_idle */
    uint64_t idle_ns;       /* sum of all finished idle times */
    uint32_t is_online;     /* atomic */
    void (*main)(void);
    struct segments segments;
};

/** The processor this runs on; valid with interrupts off, or where threads
 *  do not move between processors (they never do here). */
static inline struct cpu *cpu_current(void)
{
    struct cpu *cpu;

    __asm__ volatile("movq %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

/** Makes the first processor's struct current. Before anything else. */
void cpu_init_first(void);

/** Loads GDT, TSS and IDT and enables the local APIC, on the caller. */
void cpu_load(void);

/** How many processors there are: argument `vps`, else CPUID leaf 0xB, else
 *  leaf 1. */
uint32_t cpu_count(void);

/** Starts every other processor, one after the other, each in `main` with
 *  interrupts on; when `main` returns, that processor idles for ever. */
void cpu_start_all(void (*main)(void));

/** Which processors are there now, a bit for each, where some may be added
 *  while the guest runs (workloads/README.md); ~0 where none can be. */
uint64_t cpu_present(void);

/** Starts processor `index`, which has not been started, in the same way. */
void cpu_start(uint32_t index, void (*main)(void));

/** How long processor `index`, which must have been started (or be the first),
 *  has been idle so far. */
uint64_t cpu_idle_ns(uint32_t index);

/** Waits for one interrupt, accounting the time. Called with interrupts off;
 *  returns with them on. */
void cpu_idle(void);

/** Serves interrupts and does nothing else any more. */
_Noreturn void cpu_idle_forever(void);

/** Ends an idle period; trap.c calls it first thing in every trap. */
void cpu_note_wakeup(void);

/** Stops this processor for good: interrupts off, halted. */
_Noreturn void cpu_stop(void);

/** Entered by boot.S on a started processor. */
_Noreturn void cpu_application_main(struct cpu *cpu);

#endif
