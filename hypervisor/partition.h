/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_PARTITION_H
#define HVSIM_HYPERVISOR_PARTITION_H

/**
 * A partition: identity, privileges, properties, life cycle, GPA space, memory
 * pool and VPs (TLFS, "Partition Management"). Owned by the hypervisor.
 */

#include "hypervisor/gpa_space.h"
#include "hypervisor/hv_status.h"
#include "hypervisor/hypervisor.h"
#include "hypervisor/port.h"
#include "hypervisor/sched_period.h"

/** TLFS 2.0a, "Partition Life Cycle". */
enum partition_state {
    PARTITION_UNINITIALIZED,
    PARTITION_ACTIVE,
    PARTITION_FINALIZING,
    PARTITION_FINALIZED,
};

#define PARTITION_VP_COUNT_MAX 64
#define PARTITION_ID_SELF UINT64_MAX
#define PARTITION_INTERCEPT_COUNT_MAX 64

/** Privileges, by bit (TLFS, "Partition Privilege Flags"). */
#define PRIVILEGE(bit) (UINT64_C(1) << (bit))
#define PRIVILEGE_ACCESS_VP_RUN_TIME PRIVILEGE(0)
#define PRIVILEGE_ACCESS_REFERENCE_COUNTER PRIVILEGE(1)
#define PRIVILEGE_ACCESS_SYNIC PRIVILEGE(2)
#define PRIVILEGE_ACCESS_SYNTHETIC_TIMERS PRIVILEGE(3)
#define PRIVILEGE_ACCESS_APIC_MSRS PRIVILEGE(4)
#define PRIVILEGE_ACCESS_HYPERCALL_MSRS PRIVILEGE(5)
#define PRIVILEGE_ACCESS_VP_INDEX PRIVILEGE(6)
#define PRIVILEGE_ACCESS_RESET PRIVILEGE(7)
#define PRIVILEGE_ACCESS_REFERENCE_TSC PRIVILEGE(9)
#define PRIVILEGE_ACCESS_GUEST_IDLE PRIVILEGE(10)
#define PRIVILEGE_ACCESS_FREQUENCY PRIVILEGE(11)
#define PRIVILEGE_ACCESS_REENLIGHTENMENT PRIVILEGE(13)
#define PRIVILEGE_ACCESS_TSC_INVARIANT PRIVILEGE(15)
#define PRIVILEGE_CREATE_PARTITIONS PRIVILEGE(32)
#define PRIVILEGE_ACCESS_PARTITION_ID PRIVILEGE(33)
#define PRIVILEGE_ACCESS_MEMORY_POOL PRIVILEGE(34)
#define PRIVILEGE_POST_MESSAGES PRIVILEGE(36)
#define PRIVILEGE_SIGNAL_EVENTS PRIVILEGE(37)
#define PRIVILEGE_CREATE_PORT PRIVILEGE(38)
#define PRIVILEGE_CONNECT_PORT PRIVILEGE(39)
#define PRIVILEGE_CPU_MANAGEMENT PRIVILEGE(44)
#define PRIVILEGE_EXTENDED_GVA_RANGES PRIVILEGE(47)
#define PRIVILEGE_ACCESS_VP_REGISTERS PRIVILEGE(49)
#define PRIVILEGE_FAST_HYPERCALL_OUTPUT PRIVILEGE(51)
#define PRIVILEGE_EXTENDED_HYPERCALLS PRIVILEGE(52)
#define PRIVILEGE_START_VIRTUAL_PROCESSOR PRIVILEGE(53)

/** Every privilege that has a name: what the root has, and what a property
 *  may set at most (its parent's mask limits it further). */
#define PRIVILEGES_KNOWN                                                       \
    (UINT64_C(0x000000000000ffff) | UINT64_C(0x007bf9ff00000000))

/** What a new partition has until its parent says otherwise. */
#define PRIVILEGES_DEFAULT                                                     \
    (PRIVILEGE_ACCESS_VP_RUN_TIME | PRIVILEGE_ACCESS_REFERENCE_COUNTER |       \
     PRIVILEGE_ACCESS_SYNIC | PRIVILEGE_ACCESS_SYNTHETIC_TIMERS |              \
     PRIVILEGE_ACCESS_APIC_MSRS | PRIVILEGE_ACCESS_HYPERCALL_MSRS |            \
     PRIVILEGE_ACCESS_VP_INDEX | PRIVILEGE_ACCESS_RESET |                      \
     PRIVILEGE_ACCESS_REFERENCE_TSC | PRIVILEGE_ACCESS_GUEST_IDLE |            \
     PRIVILEGE_ACCESS_FREQUENCY | PRIVILEGE_ACCESS_REENLIGHTENMENT |           \
     PRIVILEGE_ACCESS_TSC_INVARIANT | PRIVILEGE_START_VIRTUAL_PROCESSOR |      \
     PRIVILEGE_POST_MESSAGES | PRIVILEGE_SIGNAL_EVENTS |                       \
     PRIVILEGE_EXTENDED_GVA_RANGES | PRIVILEGE_FAST_HYPERCALL_OUTPUT |         \
     PRIVILEGE_EXTENDED_HYPERCALLS)

/**
 * What a partition is offered that is no privilege, by bit
 * (HV_PARTITION_SYNTHETIC_PROCESSOR_FEATURES). The last ones have no public
 * number: theirs are ours.
 */
#define FEATURE(bit) (UINT64_C(1) << (bit))
#define FEATURE_HYPERVISOR_PRESENT                                             \
    FEATURE(0) /* else: no leaf, no bit of it                                  \
                */
#define FEATURE_DIRECT_TIMERS FEATURE(22)
#define FEATURE_EXTENDED_PROCESSOR_MASKS FEATURE(24)
#define FEATURE_TLB_FLUSH FEATURE(25)
#define FEATURE_CLUSTER_IPI FEATURE(26)
#define FEATURE_LONG_SPIN_WAIT FEATURE(27)
#define FEATURE_EOI_ASSIST FEATURE(61)
#define FEATURE_CRASH_MSRS FEATURE(62)
#define FEATURE_X2APIC FEATURE(63)

#define FEATURES_KNOWN                                                         \
    (FEATURE_HYPERVISOR_PRESENT | FEATURE_DIRECT_TIMERS |                      \
     FEATURE_EXTENDED_PROCESSOR_MASKS | FEATURE_TLB_FLUSH |                    \
     FEATURE_CLUSTER_IPI | FEATURE_LONG_SPIN_WAIT | FEATURE_EOI_ASSIST |       \
     FEATURE_CRASH_MSRS | FEATURE_X2APIC)

/** Property codes (TLFS, "Partition Properties"). */
#define PARTITION_PROPERTY_PRIVILEGES 0x00010000u
#define PARTITION_PROPERTY_SYNTHETIC_FEATURES 0x00010001u
#define PARTITION_PROPERTY_SUSPEND 0x00020000u
#define PARTITION_PROPERTY_CPU_RESERVE 0x00020001u
#define PARTITION_PROPERTY_CPU_CAP 0x00020002u
#define PARTITION_PROPERTY_CPU_WEIGHT 0x00020003u
#define PARTITION_PROPERTY_CPU_GROUP_ID 0x00020004u

#define PARTITION_PROPERTY_PROCESSORS_PER_SOCKET 0x00050003u
/* Of no public number: ours. */
#define PARTITION_PROPERTY_THREADS_PER_CORE 0x0005ff00u

#define PARTITION_CPU_SHARE_MAX 0x10000u /* one LP: of reserve and cap */
#define PARTITION_CPU_WEIGHT_MAX 10000u
#define PARTITION_CPU_WEIGHT_DEFAULT 100u

/** Scheduling controls (TLFS, "Scheduler"): kept for every policy to read. */
struct partition_sched {
    uint64_t reserve;        /* 1/65536 of an LP per VP */
    uint64_t cap;            /* likewise */
    uint16_t weight;         /* 1..10000 */
    bool has_accounts;       /* of what its VPs use: see sched_period.h */
    struct cpu_group *group; /* borrowed from the hypervisor; NULL: none */
    uint32_t wanting_vps;    /* those ready or running */
    struct lp_set affinity;
    struct hv_partition *group_next;    /* of the group's members */
    struct sched_account group_account; /* what it has used of the group's cap;
                                           by sched_period.c, as */
};

/** How its VPs are numbered as threads, cores and a package (CPUID). */
struct partition_topology {
    uint64_t vps_max;          /* VPs to come too; 0: those that there are */
    uint64_t threads_per_core; /* 1 or 2 */
};

struct partition_intercept {
    uint32_t type;      /* HvInterceptType */
    uint32_t access;    /* mask: 1 read, 2 write, 4 execute; 0: free slot */
    uint64_t parameter; /* port, CPUID leaf, vector */
};

/* What every dispatch of a VP needs stands in front, together. */
struct hv_partition {
    struct hypervisor *hv; /* borrowed */
    partition_id_t id;
    enum partition_state state;
    bool suspended; /* property 0x20000: time and VPs stand still */
    struct partition_sched sched;
    struct hv_partition *parent; /* borrowed; NULL for the root */
    uint64_t privileges;
    uint64_t features;
    struct partition_topology topology;
    struct gpa_space gpa;
    spa_t page; /* of the parent's pool: what creating this one took */
    spa_t vp_pages[PARTITION_VP_COUNT_MAX];    /* of the own pool, by VP */
    struct hv_vp *vps[PARTITION_VP_COUNT_MAX]; /* owns; NULL where absent */
    uint32_t vp_count;
    struct partition_intercept intercepts[PARTITION_INTERCEPT_COUNT_MAX];
    struct port_lists port_lists; /* written by port.c */
    cycles_t created_at;          /* reference time 0 */

    /* Partition-wide synthetic MSRs; written by msr.c. */
    uint64_t guest_os_id;
    uint64_t hypercall_msr;
    uint64_t reference_tsc_msr;
    uint32_t reference_tsc_sequence; /* of the last page; by reftime.c */
    uint64_t crash[6];
    uint64_t tsc_invariant_control;
    uint64_t reenlightenment_control, tsc_emulation_control;

    /* Deposited pages not in use; written by memory.c. */
    struct memory_pool *pool; /* owns */
};

/** Makes the root partition, active, all memory mapped one to one. */
MUST_USE enum sim_status partition_create_root(struct hypervisor *hv,
                                               struct sim_error *error);

/* The life-cycle calls; each is one hypercall's body. The caller has checked
 * that it is the parent who asks. */
enum hv_status partition_create(struct hv_context *context,
                                struct hv_partition *parent, uint64_t flags,
                                struct hv_partition **out);
enum hv_status partition_initialize(struct hv_context *context,
                                    struct hv_partition *partition);
/**
 * Deletes all VPs and the GPA space. A VP that is running on an LP is stopped,
 * which takes until that LP's next step: CALL_PENDING says to call again, and
 * the partition stays FINALIZING.
 */
enum hv_status partition_finalize(struct hv_context *context,
                                  struct hv_partition *partition);
/** Frees `partition`. OPERATION_DENIED while pages are left in its pool. */
enum hv_status partition_delete(struct hv_context *context,
                                struct hv_partition *partition);

/** A property by its code. INVALID_PARTITION_STATE unless active,
 *  UNKNOWN_PROPERTY; to set, also PROPERTY_VALUE_OUT_OF_RANGE. */
enum hv_status partition_get_property(struct hv_partition *partition,
                                      uint32_t code, uint64_t *value);
enum hv_status partition_set_property(struct hv_context *context,
                                      struct hv_partition *partition,
                                      uint32_t code, uint64_t value);

/** Charges those of its VPs that run with what they have used until now: before
 *  their controls change (partition_sched.c). */
void partition_charge(struct hv_partition *partition);

/* partition_sched.c: the scheduling controls, as properties. They may change
 * while the VPs run. OPERATION_DENIED for one that the policy does not heed,
 * but not for its default. PROPERTY_VALUE_OUT_OF_RANGE for a reserve above the
 * cap, and one that cannot be promised (admission.h). */
enum hv_status partition_set_reserve(struct hv_context *context,
                                     struct hv_partition *partition,
                                     uint64_t value);
enum hv_status partition_set_cap(struct hv_context *context,
                                 struct hv_partition *partition,
                                 uint64_t value);
enum hv_status partition_set_weight(struct hv_context *context,
                                    struct hv_partition *partition,
                                    uint64_t value);
enum hv_status partition_set_group(struct hv_context *context,
                                   struct hv_partition *partition,
                                   uint64_t value);
/** LPs that its VPs may run on. INVALID_PARAMETER if one could run nowhere,
 *  OPERATION_DENIED if its reserve could not be kept. */
enum hv_status partition_set_affinity(struct hv_context *context,
                                      struct hv_partition *partition,
                                      const struct lp_set *lps);
/** True if every VP could run on some LP with these two. */
bool partition_could_run(const struct hv_partition *partition,
                         const struct lp_set *affinity,
                         const struct lp_set *group_lps);

/** Creates and deletes a VP, which takes a page of the pool. OPERATION_DENIED
 *  if the partition's reserve could not be promised to one more; if with one
 *  fewer a reserve would count that did not, it is reset. The state of the
 *  VP to delete is INVALID_VP_STATE until it has left its LP; asking has told
 *  it to. */
enum hv_status partition_add_vp(struct hv_context *context,
                                struct hv_partition *partition,
                                vp_index_t index, uint32_t node);
enum hv_status partition_remove_vp(struct hv_context *context,
                                   struct hv_vp *vp);

/** Installs or (access 0) removes an intercept for the parent. */
enum hv_status partition_install_intercept(struct hv_partition *partition,
                                           uint32_t type, uint32_t access,
                                           uint64_t parameter);

/** The exception vectors that the parent wants to see, one bit each: what a
 *  new VP's engine has to be told. */
uint32_t partition_intercepted_vectors(const struct hv_partition *partition);

/** "active" */
const char *partition_state_name(enum partition_state state);

/** The access mask that the parent has installed for this intercept. */
uint32_t partition_intercept_access(const struct hv_partition *partition,
                                    uint32_t type, uint64_t parameter);

static inline bool partition_has(const struct hv_partition *partition,
                                 uint64_t privilege)
{
    return (partition->privileges & privilege) == privilege;
}

static inline bool partition_offers(const struct hv_partition *partition,
                                    uint64_t feature)
{
    return (partition->features & feature) == feature;
}

/** Frees everything at the end of a run, whatever the state. */
void partition_free(struct hv_partition *partition);

#endif
