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
#define INTERCEPT_APIC_EOI 0x80010004u /* no intercept: suspends nothing */

/** HvInterceptType, as HvCallInstallIntercept takes it. */
#define INTERCEPT_TYPE_IO_PORT 0u
#define INTERCEPT_TYPE_MSR 1u
#define INTERCEPT_TYPE_CPUID 2u
#define INTERCEPT_TYPE_EXCEPTION 3u

/** The accesses that a parent asks for: read 1, write 2, execute 4. */
#define INTERCEPT_ACCESS_READ_WRITE 3u
#define INTERCEPT_ACCESS_EXECUTE 4u

/** The SINT on which a parent receives its children's intercepts. */
#define INTERCEPT_SINT 0u

#define INTERCEPT_PAYLOAD_BYTES_MAX 240

struct synic;

/** The message about a VP's last intercept; written by intercept_message.c. */
struct vp_intercept {
    struct hv_vp *vp; /* borrowed: its owner */
    struct synic *at; /* whose queue was full: sent when there is room; NULL:
                         the message is on its way */
    struct vp_intercept *next; /* among at->senders */
    uint32_t type;
    uint32_t bytes;
    uint8_t payload[INTERCEPT_PAYLOAD_BYTES_MAX];
};

/** EOIs of level-triggered vectors that the parent has not been told of. */
struct vp_eois {
    struct vp_intercept message; /* the one that waits for room */
    uint32_t vectors[8];         /* one message each */
};

/**
 * Suspends context->vp (intercept_suspend) and posts the message that
 * describes `exit` to the SynIC of a VP of the parent: the one that is pinned
 * to this LP, else one by the child's number. If the message cannot be posted
 * now, it is sent as soon as it can. The parent resumes the VP by clearing
 * InterceptSuspend.
 */
void intercept_send(struct hv_context *context, uint32_t message_type,
                    const struct vm_exit *exit);

/** Tells the parent of `vp` that a level-triggered interrupt has ended, as soon
 *  as its SynIC has room. The VP goes on. */
void intercept_send_eoi(struct hv_context *context, struct hv_vp *vp,
                        uint8_t vector);

/** The queue of `synic` may have room: sends what waits for it, in order. */
void intercept_resend(struct hv_context *context, struct synic *synic);

/** The message is not wanted any more: its receiver goes away. */
void intercept_unlink(struct vp_intercept *intercept);

/** The VP goes away: frees what intercept_send() kept for it. */
void intercept_forget(struct hv_vp *vp);

#endif
