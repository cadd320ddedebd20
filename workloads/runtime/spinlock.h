/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_RUNTIME_SPINLOCK_H
#define HVSIM_WORKLOADS_RUNTIME_SPINLOCK_H

/** A lock between processors. Its holder runs with interrupts off, so that an
 *  interrupt handler may take it too. Zero is free. */

#include "workloads/runtime/x86.h"

struct spinlock {
    uint32_t taken;
};

/** Waits until the lock looks free, telling the hypervisor as often as it wants
 *  to be told (TLFS, HvCallNotifyLongSpinWait). */
void spinlock_wait(const struct spinlock *lock);

/** Whether spinlock_wait() tells the hypervisor at all, where it asks for that;
 *  it does, unless this says no. */
void spinlock_set_notify(bool is_wanted);

/** Returns what spinlock_release() is to be given back. */
static inline bool spinlock_acquire(struct spinlock *lock)
{
    bool irq = x86_irq_save();

    while (__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE) != 0)
        spinlock_wait(lock);
    return irq;
}

static inline void spinlock_release(struct spinlock *lock, bool irq)
{
    __atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
    x86_irq_restore(irq);
}

#endif
