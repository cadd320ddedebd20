/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/expiry.h"

#include "hypervisor/lp.h"
#include "hypervisor/vp.h"

struct hv_context expiry_begin(struct hv_vp *vp, cycles_t now,
                               uint64_t timer_number)
{
    struct hv_context context = vp_event_context(vp, now);

    cost_note(context.bill, COST_TIMER_EXPIRY, 1);
    if (vp->sched.lp)
        pc_lp_add(&vp->sched.lp->counters, PC_LP_TIMER_INTERRUPTS, 1);
    hypervisor_trace(&context, TRACE_TIMER, timer_number);
    return context;
}
