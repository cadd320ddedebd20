/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_HV_STATUS_H
#define HVSIM_HYPERVISOR_HV_STATUS_H

/** The guest's errors as data. Converted into a hypercall's result value in
 *  one place, at the end of hypercall_dispatch(). */
enum hv_status {
#define HV_STATUS(name, value, text) HV_STATUS_##name = value,
#include "hypervisor/hv_status.def"
#undef HV_STATUS
};

/** "HV_STATUS_ACCESS_DENIED"; for traces and messages. */
const char *hv_status_name(enum hv_status status);

/** "the caller lacks the privilege"; for people. */
const char *hv_status_text(enum hv_status status);

#endif
