/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_HYPERCALL_H
#define HVSIM_HYPERVISOR_HYPERCALL_H

/**
 * The hypercall engine (TLFS, "Hypercall Interface"): decodes the input value,
 * checks the privilege, copies parameters in and out, and does rep progress
 * and continuation, once for all calls. Handlers (hc_*.c) see parsed input.
 *
 * Two callers: the intercept of a VP that executes VMCALL, and WinHv, whose
 * root VPs are models; both fill a struct hypercall.
 */

#include "hypervisor/hv_status.h"
#include "hypervisor/hypercall_abi.h"
#include "hypervisor/hypervisor.h"
#include "sim/core/guest_memory.h"

#define HYPERCALL_FAST_BYTES_MAX 112 /* RDX, R8, XMM0..XMM5 */

/** What one entry of a rep call may take before it continues later. Counted in
 *  elements, by the time that each kind is allowed (the table in hypercall.c):
 *  no clock decides where a call breaks off. */
#define HYPERCALL_ENTRY_NS 50000u

/**
 * Calls whose codes are public (CPU groups: 0xb5..0xbb) or known to exist (a
 * property of a VP: its affinity), but not their parameter blocks. So no guest
 * can make them; the host compute service of the root, a model, passes what
 * such a block would hold. They are priced and counted as any call.
 */
enum hypercall_direct_code {
    HYPERCALL_CREATE_CPU_GROUP,  /* id */
    HYPERCALL_DELETE_CPU_GROUP,  /* id */
    HYPERCALL_SET_CPU_GROUP_CAP, /* id, cap */
    HYPERCALL_SET_CPU_GROUP_LPS, /* id, lps */
    HYPERCALL_SET_AFFINITY,      /* id of a partition, lps: for all its VPs */
    HYPERCALL_DIRECT_COUNT,
};

struct hypercall_direct {
    enum hypercall_direct_code code;
    uint64_t id;
    uint64_t cap; /* of the time of the group's LPs, in 1/65536 */
    struct lp_set lps;
};

struct hypercall {
    const struct hypercall_direct *direct; /* then the rest counts for nothing
                                              but `result`; else NULL */
    struct guest_memory memory;            /* of the caller */
    uint64_t control;                      /* input value; rep start moves on */
    gpa_t input;                           /* memory-based form */
    gpa_t output;
    uint8_t fast[HYPERCALL_FAST_BYTES_MAX]; /* fast form: input, and output
                                               from the next 16 bytes on */
    bool narrow;     /* a 32-bit caller: no output in XMM registers */
    uint64_t result; /* out: the result value */
};

enum hypercall_outcome {
    HYPERCALL_DONE,      /* result is valid: the caller goes on */
    HYPERCALL_CONTINUE,  /* out of its time: the same instruction again, with
                            the rep start index in `control` moved on */
    HYPERCALL_UNDEFINED, /* #UD: not allowed in this mode */
};

/**
 * Carries out a call on behalf of context->vp. Checks, in this order: reserved
 * bits of the input value (INVALID_HYPERCALL_INPUT), the call code, the
 * privilege, rep count and form, alignment and page straddling
 * (INVALID_ALIGNMENT), access to the parameters (INVALID_HYPERCALL_INPUT, as
 * the TLFS leaves open), and then what the call itself says.
 */
enum hypercall_outcome hypercall_dispatch(struct hv_context *context,
                                          struct hypercall *call);

/** A VMCALL of an x86 guest: fills a struct hypercall from the registers,
 *  dispatches, writes the registers back, moves RIP or injects #UD. */
enum engine_verdict hypercall_exit(struct hv_context *context,
                                   const struct vm_exit *exit);

/** "HvCallPostMessage", or NULL: the name of a call code. */
const char *hypercall_name(uint16_t code);

/** Writes the code of the hypercall page for the vendor that CPUID shows. */
void hypercall_write_page(struct arena *arena, spa_t page);

#endif
