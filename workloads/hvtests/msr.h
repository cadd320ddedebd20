/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_HVTESTS_MSR_H
#define HVSIM_WORKLOADS_HVTESTS_MSR_H

/**
 * MSR accesses that may be refused. Need probe_init().
 */

#include <stdint.h>

#define MSR_OK 0x100u /* no exception: no vector has this number */

/** RDMSR: MSR_OK and the value in `*value`, or the vector of the exception,
 *  whose error code and RIP are checked. */
unsigned msr_read(uint32_t msr, uint64_t *value);

/** WRMSR, likewise. */
unsigned msr_write(uint32_t msr, uint64_t value);

#endif
