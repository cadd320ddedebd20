/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_SCHED_POLICIES_H
#define HVSIM_HYPERVISOR_SCHED_POLICIES_H

/** The policies, one file each: sched_<name>.c. Listed in sched_policies.c. */

#include "hypervisor/sched.h"

extern const struct hv_sched_ops sched_classic;
extern const struct hv_sched_ops sched_core;
extern const struct hv_sched_ops sched_round_robin;
extern const struct hv_sched_ops sched_credit;
extern const struct hv_sched_ops sched_edf;
extern const struct hv_sched_ops sched_root;

#endif
