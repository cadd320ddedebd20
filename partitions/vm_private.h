/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_VM_PRIVATE_H
#define HVSIM_PARTITIONS_VM_PRIVATE_H

/** VMs and CPU groups, shared by vmms.c (states) and vmms_*.c (work). */

#include "partitions/vmbusr.h"
#include "partitions/vmms.h"
#include "vmbus/ic.h"
#include "vmbus/vswitch.h"

/** A change of a VM that is still to be made. */
struct vm_order {
    struct vm_change change;
    struct vm_order *next;
};

/** The same of a group. */
struct vmms_group_order {
    uint64_t id, cap;
    struct lp_set lps;
    const char *order; /* borrowed */
    struct vmms_group_order *next;
};

/** The CPU groups, whose ids count from 1, and the thread that makes them. */
struct vmms_groups {
    struct vmms_group *list; /* owns */
    size_t count;
    size_t made;
    unsigned step; /* of the next to make, or of the order at hand */
    struct vmms_group_order *orders; /* owns; the first is at hand */
    struct root_work thread;
};

struct vmms {
    struct root *root; /* borrowed */
    struct winhv winhv;
    struct vmbusr *vmbusr; /* owns */
    struct vmms_listener listener;
    struct vm **vms; /* owns, by number */
    uint32_t vm_count;
    struct vmms_groups groups;
    struct vswitch **vswitches; /* owns */
    size_t vswitch_count;
};

struct vm {
    struct vmms *vmms; /* borrowed: its owner */
    uint32_t number;
    struct vm_config config;
    struct guest_plan plan;
    enum vm_state state;
    bool failed;             /* when all is taken back: FAILED, not OFF */
    bool restart;            /* then: STARTING, as the guest has asked */
    struct root_work thread; /* starts or stops it */
    unsigned phase;          /* of that work */
    uint64_t progress;       /* within the phase */
    uint32_t node;           /* that it prefers */
    struct vm_order *orders; /* owns; the first is at hand */
    uint32_t planned_vps;    /* that the plan's firmware tells of */
    /* What there is of it: all that stopping has to take back. */
    partition_id_t partition; /* 0: none */
    bool initialized;         /* the partition */
    uint32_t vps_created, vps_resumed;
    uint32_t vps_told;      /* that the guest knows of */
    struct vmwp *vmwp;      /* owns */
    struct vmbusr_bus *bus; /* owns; NULL: the VM has no VMBus */
    struct ic *shutdown;    /* borrowed from the bus; NULL: not offered */
    bool shutdown_wanted;   /* and the guest has not been asked yet */
    spa_t *blocks;          /* owns: 2 MiB of memory each, in GPA order */
    uint64_t block_count;
    uint64_t blocks_taken, blocks_remote;
    struct pc_vid memory;
};

/** What a phase of the work says when it returns. */
enum vm_phase_result {
    PHASE_NEXT,   /* done: the next phase follows */
    PHASE_REPEAT, /* again, after what was noted has been spent */
    PHASE_WAIT,   /* again, when the thread is woken */
    PHASE_FAILED, /* vmms_fail() has been called */
};

typedef enum vm_phase_result vm_phase_fn(struct vm *vm,
                                         struct hv_context *context);

/** The phases of starting and of turning off, in order; NULL ends the list. */
extern vm_phase_fn *const vmms_start_phases[];
extern vm_phase_fn *const vmms_stop_phases[];
/** Likewise of the first order of a VM that runs. */
extern vm_phase_fn *const vmms_change_phases[];

/** Lays the guest and its firmware out, for the VPs that the VM has now. */
MUST_USE enum sim_status vmms_plan(struct vm *vm, struct sim_error *error);

/** vmms_nodes.c: the node with the most memory left, the first of equals; and
 *  by vm->node, the nodes from which block `index` of the VM's memory is to
 *  come, and that VP `vp` prefers. */
uint32_t vmms_choose_node(const struct vmms *vmms);
uint32_t vmms_block_node(const struct vm *vm, uint64_t index);
uint32_t vmms_vp_node(const struct vm *vm, uint32_t vp);
/** Fails unless each node of the VM fits into one of the host. */
enum vm_phase_result vmms_check_nodes(struct vm *vm,
                                      struct hv_context *context);

/** Phases of a start that serve VPs which are added later, too. */
enum vm_phase_result vmms_create_vps(struct vm *vm, struct hv_context *context);
enum vm_phase_result vmms_provide(struct vm *vm, struct hv_context *context);
enum vm_phase_result vmms_resume_vps(struct vm *vm, struct hv_context *context);

/** The first order is done, or cannot be. */
void vmms_end_order(struct vm *vm);
void vmms_give_up(struct vm *vm, const char *why);
/** The VM does not run: what was still to be changed is so at its next start,
 *  but for VPs that were to be added: that is told as a failure. */
void vmms_fold_orders(struct vm *vm);

/** True when all groups have been made. */
bool vmms_has_groups(const struct vmms *vmms);
void vmms_free_groups(struct vmms *vmms);

/** The VM cannot be started or go on: reports why. One that runs goes on, and
 *  only the order at hand is given up. */
enum vm_phase_result vmms_fail(struct vm *vm, struct hv_context *context,
                               const char *format, ...) PRINTF_LIKE(3, 4);

/** vmms_reserve.c: fails, before anything is taken for the VM, if its reserve
 *  cannot be promised. */
enum vm_phase_result vmms_check_reserve(struct vm *vm,
                                        struct hv_context *context);
/** What to ask for each of its VPs: one with more VPs than LPs gets nothing. */
uint64_t vmms_reserve_to_ask(const struct vm *vm);
/** vmms_fail() of a VM that has a partition: so much for each of its VPs is
 *  more than can be promised. Says how much is left. */
enum vm_phase_result vmms_refuse_reserve(struct vm *vm,
                                         struct hv_context *context,
                                         uint64_t reserve);

/** Offers the devices of the VM's configuration on its bus. On failure what was
 *  offered is the bus's. */
MUST_USE enum sim_status vmms_offer_devices(struct vm *vm,
                                            struct sim_error *error);
/** Asks the guest to shut down. */
void vmms_ask_shutdown(struct vm *vm, struct hv_context *context);
void vmms_free_vswitches(struct vmms *vmms);

/** The VM goes on, but something that was wanted of it cannot be. */
void vmms_report(struct vm *vm, const char *why);

/** Deposits some more pages for the VM's partition, or for the root's while
 *  it has none; false if that cannot be. */
bool vmms_deposit(struct vm *vm, struct hv_context *context);

#endif
