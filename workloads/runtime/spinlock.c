/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/runtime/spinlock.h"

#include "workloads/runtime/hyperv.h"

static bool is_silent;

void spinlock_set_notify(bool is_wanted)
{
    is_silent = !is_wanted;
}

void spinlock_wait(const struct spinlock *lock)
{
    uint32_t retries = is_silent ? HV_SPIN_NEVER : hyperv_spin_retries();
    uint32_t spins = 0;
    uint32_t left = retries;

    while (__atomic_load_n(&lock->taken, __ATOMIC_RELAXED) != 0) {
        x86_pause();
        if (retries == HV_SPIN_NEVER || --left > 0)
            continue;
        left = retries;
        /* The call counts in 32 bits; more is as long as it can say. */
        if (__builtin_add_overflow(spins, retries, &spins))
            spins = UINT32_MAX;
        hyperv_notify_long_spin_wait(spins);
    }
}
