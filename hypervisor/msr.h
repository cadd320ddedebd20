/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_MSR_H
#define HVSIM_HYPERVISOR_MSR_H

/**
 * Every MSR that reaches the hypervisor: the synthetic ones (TLFS), the x2APIC
 * range and the architectural ones that a VP has beyond the engine's own.
 * Works on context->vp.
 */

#include "hypervisor/hypervisor.h"

/** False: #GP(0), and nothing has changed. */
bool msr_read(struct hv_context *context, uint32_t index, uint64_t *value);
bool msr_write(struct hv_context *context, uint32_t index, uint64_t value);

#endif
