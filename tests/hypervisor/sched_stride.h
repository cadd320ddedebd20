/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_HYPERVISOR_SCHED_STRIDE_H
#define HVSIM_TESTS_HYPERVISOR_SCHED_STRIDE_H

/** The example of hypervisor/README.md. */

#include "hypervisor/sched.h"

extern const struct hv_sched_ops sched_stride;

#endif
