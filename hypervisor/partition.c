/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/partition.h"

#include <stdlib.h>

#include "hypervisor/admission.h"
#include "hypervisor/cpu_group.h"
#include "hypervisor/intercept.h"
#include "hypervisor/lp.h"
#include "hypervisor/memory.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

/* Only the root has children: a grandchild's memory would have to follow all
 * that its grandparent does to its parent's. */
#define DEPTH_MAX 1

#define EXCEPTION_VECTOR_COUNT 32

static const char *const state_names[] = {
    [PARTITION_UNINITIALIZED] = "uninitialized",
    [PARTITION_ACTIVE] = "active",
    [PARTITION_FINALIZING] = "finalizing",
    [PARTITION_FINALIZED] = "finalized",
};

const char *partition_state_name(enum partition_state state)
{
    return state_names[state];
}

static void set_state(const struct hv_context *context,
                      struct hv_partition *partition, enum partition_state to)
{
    struct trace_record record = {
        .time = context->now,
        .lp = context->lp ? context->lp->id.v : TRACE_NO_LP,
        .vp = TRACE_NO_VP,
        .partition = partition->id.v,
        .kind = TRACE_PARTITION,
        .detail = to,
    };

    partition->state = to;
    trace_add(context->hv->trace, &record);
}

/* A partition that its hypervisor knows, in no state yet worth tracing. */
static struct hv_partition *allocate(struct hypervisor *hv,
                                     struct hv_partition *parent)
{
    size_t count = hv->partition_count + 1;
    struct hv_partition **partitions =
        realloc(hv->partitions, count * sizeof(struct hv_partition *));
    struct hv_partition *partition;

    if (!partitions)
        return NULL;
    hv->partitions = partitions;
    partition = host_pool_calloc(&hv->partition_pool);
    if (!partition)
        return NULL;
    partition->pool = memory_pool_create();
    if (!partition->pool) {
        host_pool_free(&hv->partition_pool, partition);
        return NULL;
    }
    partition->hv = hv;
    partition->parent = parent;
    partition->id = (partition_id_t){++hv->next_partition_id};
    partition->gpa.root = SLAT_IDENTITY;
    partition->topology.threads_per_core = 1;
    partition->sched = (struct partition_sched){
        .cap = PARTITION_CPU_SHARE_MAX,
        .weight = PARTITION_CPU_WEIGHT_DEFAULT,
        .affinity = lp_set_first_of(hv->lp_count),
    };
    hv->partitions[hv->partition_count++] = partition;
    return partition;
}

/* Takes the partition off its hypervisor's list. */
static void forget(struct hv_partition *partition)
{
    struct hypervisor *hv = partition->hv;
    uint32_t i = 0;

    cpu_group_leave(partition);
    while (hv->partitions[i] != partition)
        i++;
    for (hv->partition_count--; i < hv->partition_count; i++)
        hv->partitions[i] = hv->partitions[i + 1];
    memory_pool_free(partition->pool);
    host_pool_free(&hv->partition_pool, partition);
}

static void free_vps(struct hv_context *context, struct hv_partition *partition)
{
    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        struct hv_vp *vp = partition->vps[i];

        if (!vp)
            continue;
        if (vp->engine)
            memory_pool_give(partition->pool, partition->vp_pages[i]);
        vp_free(context, vp);
    }
}

void partition_free(struct hv_partition *partition)
{
    struct cost_bill bill = {0};
    struct hv_context context = {.hv = partition->hv, .bill = &bill};

    port_delete_all(partition);
    free_vps(&context, partition);
    gpa_space_fini(&partition->gpa);
    forget(partition);
}

/* All pages that the hypervisor keeps go to the root's pool. */
static bool fill_root_pool(struct hv_partition *root)
{
    spa_t page;

    while (memory_take_own(root->hv->memory, &page)) {
        if (!memory_pool_adopt(root->pool, page))
            return false;
    }
    return true;
}

/* gpa == spa for all that is not the hypervisor's. */
static enum hv_status map_root(struct hv_partition *root)
{
    for (uint32_t node = 0; node < root->hv->node_count; node++) {
        spa_t at;
        uint64_t pages;

        memory_root_range(root->hv->memory, node, &at, &pages);
        for (spa_t end = spa_add(at, pages * PAGE_BYTES); at.raw < end.raw;
             at = spa_add(at, GPA_LARGE_BYTES)) {
            enum hv_status status =
                gpa_space_map(&root->gpa, gpa(at.raw), at, true, GPA_MAP_ALL);

            if (status != HV_STATUS_SUCCESS)
                return status;
        }
    }
    return HV_STATUS_SUCCESS;
}

enum sim_status partition_create_root(struct hypervisor *hv,
                                      struct sim_error *error)
{
    CHECK(!hv->root);

    struct hv_partition *root = allocate(hv, NULL);

    if (!root)
        return sim_fail(error, SIM_NO_MEMORY, "no memory for a partition");
    if (!fill_root_pool(root)) {
        partition_free(root);
        return sim_fail(error, SIM_NO_MEMORY, "no memory for a partition");
    }
    /* memory_create() has kept enough pages for this. */
    CHECK(gpa_space_init(&root->gpa, root) == HV_STATUS_SUCCESS);
    CHECK(map_root(root) == HV_STATUS_SUCCESS);
    root->privileges = PRIVILEGES_KNOWN;
    root->features = FEATURES_KNOWN;
    root->state = PARTITION_ACTIVE;
    hv->root = root;
    return SIM_OK;
}

static unsigned depth_of(const struct hv_partition *partition)
{
    unsigned depth = 0;

    while (partition->parent) {
        partition = partition->parent;
        depth++;
    }
    return depth;
}

enum hv_status partition_create(struct hv_context *context,
                                struct hv_partition *parent, uint64_t flags,
                                struct hv_partition **out)
{
    spa_t page;

    if (flags != 0)
        return HV_STATUS_INVALID_PARAMETER;
    if (depth_of(parent) >= DEPTH_MAX)
        return HV_STATUS_PARTITION_TOO_DEEP;
    if (!memory_pool_take(context->hv, parent->pool, &page))
        return HV_STATUS_INSUFFICIENT_MEMORY;

    struct hv_partition *partition = allocate(context->hv, parent);

    if (!partition) {
        memory_pool_give(parent->pool, page);
        return HV_STATUS_NO_RESOURCES;
    }
    partition->page = page;
    partition->privileges = PRIVILEGES_DEFAULT & parent->privileges;
    partition->features = FEATURES_KNOWN;
    partition->created_at = context->now;
    cost_note(context->bill, COST_PARTITION_CREATE, 1);
    set_state(context, partition, PARTITION_UNINITIALIZED);
    *out = partition;
    return HV_STATUS_SUCCESS;
}

enum hv_status partition_initialize(struct hv_context *context,
                                    struct hv_partition *partition)
{
    if (partition->state != PARTITION_UNINITIALIZED)
        return HV_STATUS_INVALID_PARTITION_STATE;

    enum hv_status status = gpa_space_init(&partition->gpa, partition);

    if (status == HV_STATUS_SUCCESS)
        set_state(context, partition, PARTITION_ACTIVE);
    return status;
}

static bool has_children(const struct hv_partition *partition)
{
    const struct hypervisor *hv = partition->hv;

    for (uint32_t i = 0; i < hv->partition_count; i++) {
        if (hv->partitions[i]->parent == partition)
            return true;
    }
    return false;
}

/* Suspends the VP for good. True if it is on no LP any more. */
static bool stop_vp(struct hv_context *context, struct hv_vp *vp)
{
    vp->explicit_suspend = true;
    vp_reconsider(context, vp);
    return vp->state != VP_RUNNING;
}

static bool stop_vps(struct hv_context *context, struct hv_partition *partition)
{
    bool stopped = true;

    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        if (partition->vps[i] && !stop_vp(context, partition->vps[i]))
            stopped = false;
    }
    return stopped;
}

enum hv_status partition_finalize(struct hv_context *context,
                                  struct hv_partition *partition)
{
    if (partition->state != PARTITION_ACTIVE &&
        partition->state != PARTITION_FINALIZING)
        return HV_STATUS_INVALID_PARTITION_STATE;
    if (has_children(partition))
        return HV_STATUS_OPERATION_DENIED;
    if (partition->state == PARTITION_ACTIVE)
        set_state(context, partition, PARTITION_FINALIZING);
    if (!stop_vps(context, partition))
        return HV_STATUS_CALL_PENDING;
    port_delete_all(partition);
    free_vps(context, partition);
    gpa_space_fini(&partition->gpa);
    cost_note(context->bill, COST_PARTITION_CREATE, 1);
    set_state(context, partition, PARTITION_FINALIZED);
    return HV_STATUS_SUCCESS;
}

enum hv_status partition_delete(struct hv_context *context,
                                struct hv_partition *partition)
{
    if (partition->state != PARTITION_UNINITIALIZED &&
        partition->state != PARTITION_FINALIZED)
        return HV_STATUS_INVALID_PARTITION_STATE;
    if (memory_pool_available(partition->pool) != 0)
        return HV_STATUS_OPERATION_DENIED;
    CHECK(memory_pool_in_use(partition->pool) == 0);
    memory_pool_give(partition->parent->pool, partition->page);
    cost_note(context->bill, COST_PARTITION_CREATE, 1);
    forget(partition);
    return HV_STATUS_SUCCESS;
}

/* True if its reserve can be promised to so many VPs. */
static bool may_have_vps(const struct hv_partition *partition, uint32_t count)
{
    struct lp_set lps = admission_lps(partition);
    uint64_t sum = admission_sum(partition, count, &lps);

    return sum == 0 || sum <= admission_left(partition->hv, &lps, partition);
}

enum hv_status partition_add_vp(struct hv_context *context,
                                struct hv_partition *partition,
                                vp_index_t index, uint32_t node)
{
    struct hv_vp *vp;
    spa_t page;

    if (partition->state != PARTITION_ACTIVE)
        return HV_STATUS_INVALID_PARTITION_STATE;
    if (index.v >= PARTITION_VP_COUNT_MAX || partition->vps[index.v])
        return HV_STATUS_INVALID_VP_INDEX;
    if (!may_have_vps(partition, partition->vp_count + 1))
        return HV_STATUS_OPERATION_DENIED;
    if (!memory_pool_take(context->hv, partition->pool, &page))
        return HV_STATUS_INSUFFICIENT_MEMORY;

    enum hv_status status = vp_create(context, partition, index, node, &vp);

    if (status != HV_STATUS_SUCCESS) {
        memory_pool_give(partition->pool, page);
        return status;
    }
    partition->vp_pages[index.v] = page;
    engine_intercept_exceptions(vp->engine,
                                partition_intercepted_vectors(partition));
    return HV_STATUS_SUCCESS;
}

enum hv_status partition_remove_vp(struct hv_context *context, struct hv_vp *vp)
{
    struct hv_partition *partition = vp->partition;

    if (partition->state != PARTITION_ACTIVE)
        return HV_STATUS_INVALID_PARTITION_STATE;
    if (vp == context->vp || !vp->engine)
        return HV_STATUS_OPERATION_DENIED;
    if (!stop_vp(context, vp))
        return HV_STATUS_INVALID_VP_STATE;
    /* With fewer VPs a reserve may count that did not: TLFS lets it be reset.
     */
    if (!may_have_vps(partition, partition->vp_count - 1))
        partition->sched.reserve = 0;
    memory_pool_give(partition->pool, partition->vp_pages[vp->index.v]);
    vp_free(context, vp);
    return HV_STATUS_SUCCESS;
}

/* Properties: one row each. A setter finds a value that its row allows. */

struct property {
    uint32_t code;
    uint64_t min, max;
    uint64_t (*get)(const struct hv_partition *partition);
    enum hv_status (*set)(struct hv_context *context,
                          struct hv_partition *partition, uint64_t value);
};

static uint64_t get_privileges(const struct hv_partition *partition)
{
    return partition->privileges;
}

static enum hv_status set_privileges(struct hv_context *context,
                                     struct hv_partition *partition,
                                     uint64_t value)
{
    (void)context;
    /* What CPUID has told a guest once must stay true. */
    if (partition->vp_count != 0)
        return HV_STATUS_INVALID_PARTITION_STATE;
    /* Who may manage processors takes itself for the root. */
    if ((value & (~partition->parent->privileges | PRIVILEGE_CPU_MANAGEMENT)) !=
        0)
        return HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE;
    partition->privileges = value;
    return HV_STATUS_SUCCESS;
}

static uint64_t get_features(const struct hv_partition *partition)
{
    return partition->features;
}

static enum hv_status set_features(struct hv_context *context,
                                   struct hv_partition *partition,
                                   uint64_t value)
{
    (void)context;
    if (partition->vp_count != 0)
        return HV_STATUS_INVALID_PARTITION_STATE;
    if ((value & ~FEATURES_KNOWN) != 0)
        return HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE;
    partition->features = value;
    return HV_STATUS_SUCCESS;
}

static uint64_t get_suspend(const struct hv_partition *partition)
{
    return partition->suspended;
}

static enum hv_status set_suspend(struct hv_context *context,
                                  struct hv_partition *partition,
                                  uint64_t value)
{
    partition->suspended = value != 0;
    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        if (partition->vps[i])
            vp_reconsider(context, partition->vps[i]);
    }
    return HV_STATUS_SUCCESS;
}

static uint64_t get_vps_max(const struct hv_partition *partition)
{
    return partition->topology.vps_max;
}

static enum hv_status set_vps_max(struct hv_context *context,
                                  struct hv_partition *partition,
                                  uint64_t value)
{
    (void)context;
    partition->topology.vps_max = value;
    return HV_STATUS_SUCCESS;
}

static uint64_t get_threads(const struct hv_partition *partition)
{
    return partition->topology.threads_per_core;
}

/* No VP may have looked yet. */
static enum hv_status set_threads(struct hv_context *context,
                                  struct hv_partition *partition,
                                  uint64_t value)
{
    if (value > context->hv->threads_per_core)
        return HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE;
    if (partition->vp_count > 0)
        return HV_STATUS_INVALID_PARTITION_STATE;
    partition->topology.threads_per_core = value;
    return HV_STATUS_SUCCESS;
}

static uint64_t get_reserve(const struct hv_partition *partition)
{
    return partition->sched.reserve;
}

static uint64_t get_cap(const struct hv_partition *partition)
{
    return partition->sched.cap;
}

static uint64_t get_weight(const struct hv_partition *partition)
{
    return partition->sched.weight;
}

static uint64_t get_group(const struct hv_partition *partition)
{
    const struct cpu_group *group = partition->sched.group;

    return group ? group->id : CPU_GROUP_NONE;
}

static const struct property properties[] = {
    {PARTITION_PROPERTY_PRIVILEGES, 0, UINT64_MAX, get_privileges,
     set_privileges},
    {PARTITION_PROPERTY_SYNTHETIC_FEATURES, 0, UINT64_MAX, get_features,
     set_features},
    {PARTITION_PROPERTY_SUSPEND, 0, 1, get_suspend, set_suspend},
    {PARTITION_PROPERTY_CPU_RESERVE, 0, PARTITION_CPU_SHARE_MAX, get_reserve,
     partition_set_reserve},
    {PARTITION_PROPERTY_CPU_CAP, 0, PARTITION_CPU_SHARE_MAX, get_cap,
     partition_set_cap},
    {PARTITION_PROPERTY_CPU_WEIGHT, 1, PARTITION_CPU_WEIGHT_MAX, get_weight,
     partition_set_weight},
    {PARTITION_PROPERTY_CPU_GROUP_ID, 0, UINT64_MAX, get_group,
     partition_set_group},
    {PARTITION_PROPERTY_PROCESSORS_PER_SOCKET, 0, PARTITION_VP_COUNT_MAX,
     get_vps_max, set_vps_max},
    {PARTITION_PROPERTY_THREADS_PER_CORE, 1, 2, get_threads, set_threads},
};

#define PROPERTY_COUNT (sizeof(properties) / sizeof(properties[0]))

static const struct property *find_property(uint32_t code)
{
    for (size_t i = 0; i < PROPERTY_COUNT; i++) {
        if (properties[i].code == code)
            return &properties[i];
    }
    return NULL;
}

enum hv_status partition_get_property(struct hv_partition *partition,
                                      uint32_t code, uint64_t *value)
{
    const struct property *property = find_property(code);

    if (partition->state != PARTITION_ACTIVE)
        return HV_STATUS_INVALID_PARTITION_STATE;
    if (!property)
        return HV_STATUS_UNKNOWN_PROPERTY;
    *value = property->get(partition);
    return HV_STATUS_SUCCESS;
}

enum hv_status partition_set_property(struct hv_context *context,
                                      struct hv_partition *partition,
                                      uint32_t code, uint64_t value)
{
    const struct property *property = find_property(code);

    if (partition->state != PARTITION_ACTIVE)
        return HV_STATUS_INVALID_PARTITION_STATE;
    if (!property)
        return HV_STATUS_UNKNOWN_PROPERTY;
    if (value < property->min || value > property->max)
        return HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE;
    return property->set(context, partition, value);
}

/* What a parent may ask for: the accesses, all or none, and the numbers. */
static bool intercept_valid(uint32_t type, uint32_t access, uint64_t parameter)
{
    static const struct {
        uint32_t access;
        uint64_t parameter_max;
    } rules[] = {
        [INTERCEPT_TYPE_IO_PORT] = {INTERCEPT_ACCESS_READ_WRITE, UINT16_MAX},
        [INTERCEPT_TYPE_MSR] = {INTERCEPT_ACCESS_READ_WRITE, 0},
        [INTERCEPT_TYPE_CPUID] = {INTERCEPT_ACCESS_EXECUTE, UINT32_MAX},
        [INTERCEPT_TYPE_EXCEPTION] = {INTERCEPT_ACCESS_EXECUTE,
                                      EXCEPTION_VECTOR_COUNT - 1},
    };

    return type < sizeof(rules) / sizeof(rules[0]) &&
           (access == 0 || access == rules[type].access) &&
           parameter <= rules[type].parameter_max;
}

/* The number of the slot with that intercept; the count of slots if none. */
static uint32_t find_intercept(const struct hv_partition *partition,
                               uint32_t type, uint64_t parameter)
{
    uint32_t i = 0;

    for (; i < PARTITION_INTERCEPT_COUNT_MAX; i++) {
        const struct partition_intercept *slot = &partition->intercepts[i];

        if (slot->access && slot->type == type && slot->parameter == parameter)
            break;
    }
    return i;
}

static uint32_t free_intercept(const struct hv_partition *partition)
{
    uint32_t i = 0;

    while (i < PARTITION_INTERCEPT_COUNT_MAX && partition->intercepts[i].access)
        i++;
    return i;
}

/* The engines filter exceptions themselves. */
static void tell_engines(struct hv_partition *partition)
{
    uint32_t vectors = partition_intercepted_vectors(partition);

    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        if (partition->vps[i] && partition->vps[i]->engine)
            engine_intercept_exceptions(partition->vps[i]->engine, vectors);
    }
}

enum hv_status partition_install_intercept(struct hv_partition *partition,
                                           uint32_t type, uint32_t access,
                                           uint64_t parameter)
{
    uint32_t slot;

    if (partition->state != PARTITION_ACTIVE)
        return HV_STATUS_INVALID_PARTITION_STATE;
    if (!intercept_valid(type, access, parameter))
        return HV_STATUS_INVALID_PARAMETER;
    slot = find_intercept(partition, type, parameter);
    if (slot == PARTITION_INTERCEPT_COUNT_MAX) {
        if (access == 0)
            return HV_STATUS_SUCCESS;
        slot = free_intercept(partition);
    }
    if (slot == PARTITION_INTERCEPT_COUNT_MAX)
        return HV_STATUS_NO_RESOURCES;
    partition->intercepts[slot] = (struct partition_intercept){
        .type = type,
        .access = access,
        .parameter = parameter,
    };
    if (type == INTERCEPT_TYPE_EXCEPTION)
        tell_engines(partition);
    return HV_STATUS_SUCCESS;
}

uint32_t partition_intercepted_vectors(const struct hv_partition *partition)
{
    uint32_t vectors = 0;

    for (uint32_t i = 0; i < PARTITION_INTERCEPT_COUNT_MAX; i++) {
        const struct partition_intercept *slot = &partition->intercepts[i];

        if (slot->access && slot->type == INTERCEPT_TYPE_EXCEPTION)
            vectors |= 1u << slot->parameter;
    }
    return vectors;
}

uint32_t partition_intercept_access(const struct hv_partition *partition,
                                    uint32_t type, uint64_t parameter)
{
    uint32_t slot = find_intercept(partition, type, parameter);

    if (slot == PARTITION_INTERCEPT_COUNT_MAX)
        return 0;
    return partition->intercepts[slot].access;
}
