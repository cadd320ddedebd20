/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_IC_H
#define HVSIM_VMBUS_IC_H

/**
 * Integration components: services of the host that talk to the guest's
 * operating system, each on a channel of its own. Heartbeat asks whether it is
 * alive, shutdown asks it to stop, timesync tells it the time.
 *
 *     struct ic *ic = ic_heartbeat_create(clock);
 *     struct vmbus_offer offer = ic_offer(ic);
 *     vmbus_offer(bus, NULL, &offer);
 *
 * From vmbus_offer() on the bus owns it; whoever created it may go on asking
 * it until the bus is freed. Whatever the guest answers, or whether it does at
 * all, changes nothing but what these functions return.
 *
 * The host asks, with one question under way at a time, and the guest answers
 * with an in-band packet. First of all versions are agreed on. Layouts are
 * those that Linux' hv_util.c and OpenVMM's hyperv_ic share.
 */

#include "sim/core/clock.h"
#include "vmbus/channel.h"
#include "vmbus/vmbus.h"

struct ic;

/** How long the guest may take to agree on versions, or to answer a request to
 *  shut down. Ours; what Hyper-V waits is not documented. */
#define IC_ANSWER_NS UINT64_C(30000000000)

enum ic_state {
    IC_CLOSED,      /* no driver has opened the channel */
    IC_NEGOTIATING, /* it has, and was asked for versions */
    IC_SILENT, /* likewise, and it has not answered in time; it still may */
    IC_READY,
    IC_UNSUPPORTED, /* it has no version that we have */
};

enum ic_state ic_state(const struct ic *ic);
/** Of the component's messages, major in bits 31:16; 0 unless IC_READY. */
uint32_t ic_version(const struct ic *ic);

/** What went over the channel, versions included; for ever. */
struct ic_counts {
    uint64_t asked;
    uint64_t answered;
    uint64_t ignored; /* packets that answer nothing */
};

const struct ic_counts *ic_counts(const struct ic *ic);

struct vmbus_offer ic_offer(struct ic *ic);
/** For who did not offer it; else the bus does. */
void ic_free(struct ic *ic);

/* Heartbeat. */

/** "Every two seconds, Hyper-V send us a heartbeat request" (Linux). */
#define IC_HEARTBEAT_NS UINT64_C(2000000000)
/** Without an answer to so many in a row contact is lost. Ours. */
#define IC_HEARTBEATS_LOST 5

/** As Hyper-V's manager shows it. */
enum ic_contact {
    IC_NO_CONTACT, /* there has never been an answer */
    IC_OK,
    IC_LOST_COMMUNICATION, /* there was, and is no more */
};

/** NULL: no memory. */
struct ic *ic_heartbeat_create(struct sim_clock clock);
enum ic_contact ic_heartbeat_contact(const struct ic *ic);
/** What the guest said of itself last: 0 unknown, 1 healthy, 2 critical, 3
 *  stopped, or any other number. */
uint32_t ic_heartbeat_application_state(const struct ic *ic);

/* Shutdown. */

enum ic_shutdown_kind {
    IC_SHUTDOWN_POWER_OFF,
    IC_SHUTDOWN_RESTART,
    IC_SHUTDOWN_HIBERNATE,
};

enum ic_shutdown_outcome {
    IC_SHUTDOWN_NOT_ASKED,
    IC_SHUTDOWN_ASKED, /* and not answered yet */
    IC_SHUTDOWN_ACCEPTED,
    IC_SHUTDOWN_REFUSED,
    IC_SHUTDOWN_NO_ANSWER, /* in time, or before the channel was closed */
};

/** Called when a request has its outcome: one of the last three. May be NULL.
 *  `status` is the guest's, 0 or an HRESULT, or 0 without an answer. Not
 *  called when the VM is switched off, which its owner knows. */
typedef void ic_shutdown_fn(void *owner, struct hv_context *context,
                            enum ic_shutdown_outcome outcome, uint32_t status);

/** `owner` is borrowed. NULL: no memory. */
struct ic *ic_shutdown_create(struct sim_clock clock, ic_shutdown_fn *done,
                              void *owner);

/** Asks the guest's operating system to stop. False, and nothing happens, if
 *  it is not IC_READY or a request is under way. An accepted one ends, some
 *  time later, with what the guest then does: nothing here waits for it. */
bool ic_shutdown_request(struct ic *ic, struct hv_context *context,
                         enum ic_shutdown_kind kind, bool force,
                         uint32_t timeout_s);

/** Of the latest request. `status` may be NULL. */
enum ic_shutdown_outcome ic_shutdown_outcome(const struct ic *ic,
                                             uint32_t *status);

/* Timesync. */

/** OpenVMM's period. */
#define IC_TIMESYNC_NS UINT64_C(5000000000)

/** The VM's reference time (hypervisor/reftime.h) at `now`. */
typedef reftime_t ic_timesync_fn(void *owner, cycles_t now);

/** `start_seconds`: the host's clock at time 0, since 1970; not before 1601.
 *  `owner` is borrowed. NULL: no memory. */
struct ic *ic_timesync_create(struct sim_clock clock, int64_t start_seconds,
                              ic_timesync_fn *reference_time, void *owner);

#endif
