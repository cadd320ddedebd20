/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_CPUID_H
#define HVSIM_HYPERVISOR_CPUID_H

/**
 * What a guest's CPUID reads: an Intel server part of 2020, less what the
 * engine cannot do, and the hypervisor's leaves (TLFS, "Feature and Interface
 * Discovery") by the partition's privileges.
 */

#include "hypervisor/hypervisor.h"

/** MAXPHYADDR: also what MSRs and page tables check addresses against. */
#define CPUID_PHYSICAL_BITS 46

struct cpuid_result {
    uint32_t eax, ebx, ecx, edx;
};

/** What CPUID reads on `vp`, EAX being `leaf` and ECX `subleaf`. */
struct cpuid_result cpuid_query(const struct hv_vp *vp, uint32_t leaf,
                                uint32_t subleaf);

/** The engine features that go with these leaves. */
void cpuid_engine_features(struct engine_features *features);

#endif
