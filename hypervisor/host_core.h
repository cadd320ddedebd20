/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_HOST_CORE_H
#define HVSIM_HYPERVISOR_HOST_CORE_H

/** A core of the host, which one virtual core has at a time. Owned by the
 * policy "core", which writes it. */

#include "hypervisor/lp.h"
#include "hypervisor/virtual_core.h"

/** A line of the host's caches. */
struct host_core {
    alignas(HOST_LINE_BYTES) uint32_t number;
    uint32_t width;              /* so many threads: */
    struct hv_lp *lps;           /* borrowed */
    struct virtual_core *holder; /* NULL: free, or about to be given */
    bool leaving;                /* the holder's turn is over */
    cycles_t since;              /* the holder has it, */
    cycles_t charged_at;         /* has been charged for it until then, */
    cycles_t slice_end;          /* and leaves then */
    cycles_t free_since;         /* when the last of the holder before left */
};

/** A thread that runs a VP; NULL: there is none. */
struct hv_lp *host_core_used(const struct host_core *core);

/** Has all threads but `except` that run a VP choose again. */
void host_core_call(struct hv_sched *sched, const struct host_core *core,
                    const struct hv_lp *except, cycles_t now);

/** Charges the holder for the time that it has had the core. */
void host_core_charge(struct host_core *core, cycles_t now);

/** The holder's virtual time at `now`; UINT64_MAX: there is none. */
uint64_t host_core_time(const struct host_core *core, cycles_t now);

/** True if the holder has nothing left to do on the core, or must leave. */
bool host_core_is_over(const struct host_core *core);

/** The holder has left: nobody has the core. */
void host_core_vacate(struct host_core *core);

/** The holder's VP that runs on that thread next; NULL: none. */
struct hv_vp *host_core_next(const struct host_core *core,
                             const struct hv_lp *lp);

/** True if a VP of the holder is ready and has no thread to run on. */
bool host_core_is_short(const struct host_core *core);

/** True if a thread has found nothing to run. */
bool host_core_idles(const struct hv_sched *sched,
                     const struct host_core *core);

#endif
