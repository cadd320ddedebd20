/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_VMMS_H
#define HVSIM_PARTITIONS_VMMS_H

/**
 * The VM management service: the state machine of each VM, and the work of
 * starting and turning it off, done by a root thread through hypercalls.
 * Created and owned by the machine.
 *
 *   OFF --start--> STARTING --> RUNNING --turn off--> STOPPING --> OFF
 *                     |  \--------------turn off-------^   |
 *          ^          \--what fails is reported--------^ | \--> FAILED
 *          \-----------the guest resets its VM-----------/
 *
 * A VM prefers the NUMA node that has the most memory left when it is started:
 * from there comes its memory, as far as it goes, and there its VPs run if they
 * can. Whichever way a VM was left, all memory that it had is the root's again.
 * One that failed is not started again.
 */

#include "partitions/guest_loader.h"
#include "partitions/root.h"
#include "partitions/vmwp.h"
#include "perfcounters/pc_feed.h"

enum vm_state { VM_OFF, VM_STARTING, VM_RUNNING, VM_STOPPING, VM_FAILED };

/** A disk, at the LUN that is its place in the list. */
struct vm_disk {
    const char *image_path; /* NULL: none */
    uint64_t bytes;         /* 0: the image's */
    uint64_t latency_ns;    /* of a request */
};

struct vm_nic {
    const char *vswitch; /* the name of its switch, made if it is new */
};

struct vm_config {
    const char *name;    /* borrowed */
    uint32_t vp_count;   /* 1 .. 64 */
    uint32_t node_count; /* of virtual NUMA: 1 .. vp_count */
    uint64_t memory_bytes;
    uint64_t weight, reserve, cap; /* TLFS scheduling properties */
    uint64_t privileges;
    uint64_t features;        /* TLFS, synthetic processor features */
    struct guest_image image; /* borrowed parts */
    uint32_t console_baud;    /* see vmwp_set_baud(); 0: as usual */
    bool vmbus;               /* the guest finds a VMBus server, and there: */
    bool heartbeat, shutdown, timesync; /* integration services */
    const struct vm_disk *disks;        /* borrowed until vmms_add() returns */
    size_t disk_count;
    const struct vm_nic *nics; /* likewise */
    size_t nic_count;
};

struct vm;
struct vmms;

/** What the outside learns of VMs. `vm_number`: in the order of adding. */
struct vmms_listener {
    void *context; /* borrowed */
    void (*on_state)(void *context, uint32_t vm_number, enum vm_state state,
                     cycles_t now);
    void (*on_console)(void *context, uint32_t vm_number, uint8_t byte);
    void (*on_result)(void *context, uint32_t vm_number, const char *name,
                      const char *value, const char *unit);
    void (*on_done)(void *context, uint32_t vm_number);
    /** While the VM is added: its network adapter `index` counts in `counters`,
     *  which live as long as the service. May be NULL. */
    void (*on_adapter)(void *context, uint32_t vm_number, uint32_t index,
                       const struct pc_nic *counters);
    /** Likewise its disk with unit number `index`. May be NULL. */
    void (*on_disk)(void *context, uint32_t vm_number, uint32_t index,
                    const struct pc_disk *counters);
    /** The guest says that it failed, or the VM cannot go on. `text`: what
     *  the guest had to say besides, lines of printable ASCII; "" if nothing.
     */
    void (*on_fail)(void *context, uint32_t vm_number, const char *why,
                    const char *text);
};

/** Takes over the messages that `root` gets. `root` outlives the service;
 *  `listener` is copied. SIM_NO_MEMORY. */
MUST_USE enum sim_status vmms_create(struct vmms **out, struct root *root,
                                     const struct vmms_listener *listener,
                                     struct sim_error *error);
void vmms_free(struct vmms *vmms);

/** Defines a VM, which is off. Fails if its image cannot be loaded, or that of
 *  a disk be opened. */
MUST_USE enum sim_status vmms_add(struct vmms *vmms,
                                  const struct vm_config *config,
                                  uint32_t *vm_number, struct sim_error *error);

/** Asks for a VM to be started / turned off; does nothing if it is in no
 *  state for that. The work is done by a root thread from `now` on. A start
 *  under way is turned back. */
void vmms_start(struct vmms *vmms, uint32_t vm_number, cycles_t now);
void vmms_turn_off(struct vmms *vmms, uint32_t vm_number, cycles_t now);

/** Has the guest asked to shut down, by its integration service, by a root
 *  thread from `now` on. That it cannot be asked, refuses or does not answer is
 *  told as a failure; what it does then is its own affair. */
void vmms_shutdown(struct vmms *vmms, uint32_t vm_number, cycles_t now);

/** Types at the VM's console; what is still to come of it. See vmwp_type(),
 *  vmwp_untyped(). */
MUST_USE bool vmms_type(struct vmms *vmms, uint32_t vm_number,
                        const uint8_t *bytes, size_t count, cycles_t now);
size_t vmms_untyped(const struct vmms *vmms, uint32_t vm_number);

enum vm_state vmms_state(const struct vmms *vmms, uint32_t vm_number);
const char *vmms_state_name(enum vm_state state);

/** The VM's partition; id 0 while it has none. */
partition_id_t vmms_partition(const struct vmms *vmms, uint32_t vm_number);

#endif
