/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_INTERCEPT_H
#define HVSIM_HYPERVISOR_INTERCEPT_H

/**
 * The intercept path: a table from exit kind to handler. What the hypervisor
 * does not answer itself and the parent has asked for (HvCallInstallIntercept)
 * suspends the VP and becomes a message to the parent (intercept_message.c).
 */

#include "hypervisor/hypervisor.h"
#include "perfcounters/pc_feed.h"

/** Handles an exit of context->vp and says whether it goes on. */
enum engine_verdict intercept_handle(struct hv_context *context,
                                     const struct vm_exit *exit);

/** The counters' class of an intercept. */
enum pc_intercept intercept_class(enum vm_exit_kind kind);

/** "HLT", "CPUID", ... */
const char *intercept_name(enum vm_exit_kind kind);

/* Message types (TLFS, "Intercept Messages"). */
#define INTERCEPT_UNMAPPED_GPA 0x80000000u
#define INTERCEPT_UNRECOVERABLE_EXCEPTION 0x80000021u
#define INTERCEPT_UNSUPPORTED_FEATURE 0x80000022u
#define INTERCEPT_IO_PORT 0x80010000u
#define INTERCEPT_MSR 0x80010001u
#define INTERCEPT_CPUID 0x80010002u
#define INTERCEPT_EXCEPTION 0x80010003u

/** HvInterceptType, as HvCallInstallIntercept takes it. */
#define INTERCEPT_TYPE_IO_PORT 0u
#define INTERCEPT_TYPE_MSR 1u
#define INTERCEPT_TYPE_CPUID 2u
#define INTERCEPT_TYPE_EXCEPTION 3u

/** The SINT on which a parent receives its children's intercepts. */
#define INTERCEPT_SINT 0u

/**
 * Suspends context->vp (intercept_suspend) and posts the message that
 * describes `exit` to the parent's SynIC on the root VP that serves this
 * child. The parent resumes it by clearing InterceptSuspend.
 */
void intercept_send(struct hv_context *context, uint32_t message_type,
                    const struct vm_exit *exit);

/** The VP goes away: frees what intercept_send() kept for it. */
void intercept_forget(struct hv_vp *vp);

#endif
