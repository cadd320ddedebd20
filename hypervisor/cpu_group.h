/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_CPU_GROUP_H
#define HVSIM_HYPERVISOR_CPU_GROUP_H

/**
 * A CPU group: partitions that share a cap, and LPs that they may run on
 * (Microsoft, "Virtual Machine Resource Controls": a group of n LPs with a cap
 * of C has n x C). Owned by the hypervisor.
 */

#include "hypervisor/hv_status.h"
#include "hypervisor/hypervisor.h"
#include "hypervisor/sched_period.h"

#define CPU_GROUP_NONE 0
#define CPU_GROUP_CAP_MAX 0x10000u /* all LPs of the group */

struct cpu_group {
    uint64_t id;                /* not CPU_GROUP_NONE */
    uint64_t cap;               /* of the time of its LPs, in 1/65536 */
    struct lp_set lps;          /* that its partitions may use; at first all */
    struct hv_partition *first; /* its members, by sched.group_next */
    uint32_t parked;            /* VPs that wait for a limit or the cap */
    struct sched_account account;
    struct cpu_group *next;
};

/** NULL if there is none. */
struct cpu_group *cpu_group_find(struct hypervisor *hv, uint64_t id);

/** Makes a group of all LPs without a cap. INVALID_CPU_GROUP_ID if the id is
 *  taken or CPU_GROUP_NONE; NO_RESOURCES. */
enum hv_status cpu_group_create(struct hypervisor *hv, uint64_t id);
/** INVALID_CPU_GROUP_STATE while it has members. */
enum hv_status cpu_group_delete(struct hypervisor *hv, uint64_t id);

enum hv_status cpu_group_set_cap(struct hv_context *context,
                                 struct cpu_group *group, uint64_t cap);
/** LPs that the host has not are left out. INVALID_PARAMETER if none is left,
 *  or a VP of a member could run nowhere then; OPERATION_DENIED if a reserve
 *  could not be kept. */
enum hv_status cpu_group_set_lps(struct hv_context *context,
                                 struct cpu_group *group,
                                 const struct lp_set *lps);

/** Puts `partition` into `group` (NULL: into none). INVALID_CPU_GROUP_STATE if
 *  it is in another one: it must leave that first. INVALID_PARAMETER if a VP of
 *  its could run nowhere then; OPERATION_DENIED if its reserve could not be
 *  kept. */
enum hv_status cpu_group_join(struct hv_context *context,
                              struct hv_partition *partition,
                              struct cpu_group *group);

/** Out of its group, if it is in one. Its VPs stay where they are: for a
 *  partition that goes away. */
void cpu_group_leave(struct hv_partition *partition);

/** Frees all groups at the end of a run. */
void cpu_group_free_all(struct hypervisor *hv);

#endif
