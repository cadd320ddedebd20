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
 * can. One that may not span nodes starts only if all of it fits. Whichever way
 * a VM was left, all memory that it had is the root's again. One that failed is
 * not started again.
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
    const char *name;          /* borrowed */
    uint32_t vp_count;         /* 1 .. 64 */
    uint32_t vp_count_max;     /* with those that are added while it runs; 0: as
                                  many as vp_count */
    uint32_t threads_per_core; /* that the guest sees; 0: 1 */
    uint32_t node_count;       /* of virtual NUMA: 1 .. vp_count */
    bool one_node; /* each of them must fit into a NUMA node of the host */
    uint64_t memory_bytes;
    uint64_t weight, reserve, cap; /* TLFS scheduling properties */
    uint64_t group;                /* of vmms_add_group(); 0: none */
    struct lp_set affinity;        /* none: all LPs */
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

/** A control that a change leaves as it is. */
#define VM_KEEP UINT64_MAX

/** What to change of a VM, all by one order. */
struct vm_change {
    const char *order; /* who asks for it, for messages; borrowed until done */
    uint64_t weight, reserve, cap; /* or VM_KEEP */
    uint64_t group;                /* 0: out of its group; or VM_KEEP */
    struct lp_set affinity;        /* none: as it is */
    uint32_t add_vps;
};

/** A CPU group, as VMMS (on Windows the host compute service) makes it. */
struct vmms_group {
    uint64_t cap;      /* of its LPs' time, in 1/65536 */
    struct lp_set lps; /* none: all */
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
    /** Likewise the VM's memory. May be NULL. */
    void (*on_memory)(void *context, uint32_t vm_number,
                      const struct pc_vid *counters);
    /** The guest says that it failed, or the VM cannot go on. `text`: what
     *  the guest had to say besides, lines of printable ASCII; "" if nothing.
     */
    void (*on_fail)(void *context, uint32_t vm_number, const char *why,
                    const char *text);
    /** What was wanted of a group cannot be. May be NULL if there is none. */
    void (*on_group_fail)(void *context, const char *why);
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

/** Defines a CPU group, whose id *id becomes; false if out of memory. All
 *  groups are made by a root thread from the call of vmms_make_groups() on; the
 *  start of a VM that is in one waits for them. */
MUST_USE bool vmms_add_group(struct vmms *vmms, const struct vmms_group *group,
                             uint64_t *id);
void vmms_make_groups(struct vmms *vmms, cycles_t now);

/** The order of the change to a VM, or to a group, that a root thread should
 *  have made before all others and has not made yet; NULL: there is none. */
const char *vmms_change_to_come(const struct vmms *vmms, uint32_t vm_number);
const char *vmms_group_change_to_come(const struct vmms *vmms);

/** Has a group's cap (or VM_KEEP) and LPs (or none, as they are) changed by a
 *  root thread from `now` on. `order`: as in struct vm_change. False if out of
 *  memory. */
MUST_USE bool vmms_change_group(struct vmms *vmms, uint64_t id, uint64_t cap,
                                const struct lp_set *lps, const char *order,
                                cycles_t now);

/**
 * Has a VM's controls changed, and VPs added to it, by a root thread from `now`
 * on, or as soon as the VM's start is over. The controls of a VM that is off
 * are those of its next start; VPs cannot be added to it, but those that were
 * being added when it stopped are there at its next start. What cannot be is
 * told as a failure. False if out of memory.
 */
MUST_USE bool vmms_change(struct vmms *vmms, uint32_t vm_number,
                          const struct vm_change *change, cycles_t now);

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
