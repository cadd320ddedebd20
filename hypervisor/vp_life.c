/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How VPs come to be and go, and what ties one that executes code to its
 * engine. */
#include <stdlib.h>

#include "hypervisor/cpuid.h"
#include "hypervisor/intercept.h"
#include "hypervisor/lp.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"
#include "sim/core/host_line.h"

/* What the engine asks of its VP. */

static uint32_t vp_price_block(void *context, const struct cost_bill *bill)
{
    struct hypervisor *hv = ((struct hv_vp *)context)->hv;

    return hv->host.price_block(hv->host.context, bill);
}

static bool vp_stop_wanted(void *context)
{
    struct hypervisor *hv = ((struct hv_vp *)context)->hv;

    return hv->host.stop_wanted && hv->host.stop_wanted(hv->host.context);
}

static enum engine_verdict vp_on_exit(void *context, const struct vm_exit *exit)
{
    struct hv_vp *vp = context;

    return vp->hv->host.on_exit(vp->hv->host.context, vp, exit);
}

/* An access to the APIC page is no intercept: nothing has been settled, but
 * the guest's time has gone on, and the access itself is on its bill. */
static struct hv_context *vp_apic_context(struct hv_vp *vp)
{
    struct hv_context *context = vp->hv->current;

    context->now = cycles_max(context->now, engine_now(vp->engine));
    return context;
}

static uint32_t vp_apic_read(void *context, uint32_t offset, uint32_t bytes)
{
    struct hv_vp *vp = context;

    return lapic_mmio_read(vp_apic_context(vp), &vp->lapic, offset, bytes);
}

static void vp_apic_write(void *context, uint32_t offset, uint32_t bytes,
                          uint32_t value)
{
    struct hv_vp *vp = context;

    lapic_mmio_write(vp_apic_context(vp), &vp->lapic, offset, bytes, value);
    vp_check_interrupts(vp);
    vp->hv->host.limit_changed(vp->hv->host.context, vp);
}

/* The engine as a runner. */

static enum vm_exit_kind vp_engine_run(void *runner, struct engine_run *run)
{
    return engine_run(runner, run);
}

static cycles_t vp_engine_take_elapsed(void *runner)
{
    return engine_take_elapsed(runner);
}

static void vp_engine_advance(void *runner, cycles_t spent)
{
    engine_advance(runner, spent);
}

static void vp_engine_set_limit(void *runner, cycles_t limit)
{
    engine_set_limit(runner, limit);
}

static bool vp_engine_interruptible(void *runner)
{
    return engine_interruptible(runner);
}

static void vp_engine_inject(void *runner, uint8_t vector)
{
    engine_inject_interrupt(runner, vector);
}

static void vp_engine_request_window(void *runner, bool wanted)
{
    engine_request_window(runner, wanted);
}

static void vp_engine_inject_nmi(void *runner)
{
    engine_inject_nmi(runner);
}

static void vp_engine_reset(void *runner)
{
    engine_reset(runner);
}

static void vp_engine_startup(void *runner, uint8_t vector)
{
    struct x86_state state;

    engine_get_state(runner, &state);
    x86_startup(&state, vector);
    engine_set_state(runner, &state);
}

static const struct vp_runner_ops engine_runner_ops = {
    .run = vp_engine_run,
    .take_elapsed = vp_engine_take_elapsed,
    .advance = vp_engine_advance,
    .set_limit = vp_engine_set_limit,
    .interruptible = vp_engine_interruptible,
    .inject = vp_engine_inject,
    .request_window = vp_engine_request_window,
    .inject_nmi = vp_engine_inject_nmi,
    .reset = vp_engine_reset,
    .startup = vp_engine_startup,
};

/* All of a VP's buffer for translated code is touched sooner or later, so it
 * should be no larger than its guest needs. In a guest that has room for a
 * kernel there may be one: Debian's makes 40 MiB of it until it has booted, and
 * what does not fit is all translated again. */
#define TRANSLATION_BYTES_LEAST (UINT64_C(1) << 20)
#define TRANSLATION_BYTES_OF_KERNEL (UINT64_C(64) << 20)
#define GUEST_BYTES_PER_TRANSLATION_BYTE 16
#define KERNEL_GUEST_BYTES_MIN (UINT64_C(128) << 20)

static uint32_t vp_translation_bytes(const struct gpa_space *gpa)
{
    uint64_t memory =
        gpa->pages_4k * PAGE_BYTES + gpa->pages_2m * (PAGE_BYTES * 512);
    uint64_t bytes = TRANSLATION_BYTES_LEAST;

    if (memory >= KERNEL_GUEST_BYTES_MIN)
        return (uint32_t)TRANSLATION_BYTES_OF_KERNEL;
    while (bytes * GUEST_BYTES_PER_TRANSLATION_BYTE < memory)
        bytes *= 2;
    return (uint32_t)bytes;
}

/* PAUSEs of one loop are closer together than this, in cycles: one takes up to
 * 140, and what is between them looks at a few words of memory. */
#define PAUSE_GAP 1024

/* VPs' ideal processors go round their node's LPs; 0 if it has none. */
static uint32_t ideal_lp(const struct hypervisor *hv, uint32_t node,
                         vp_index_t index)
{
    const struct lp_set *lps = &hv->node_lps[node];
    uint32_t count = lp_set_count(lps);

    return count ? lp_set_nth(lps, (hv->vp_names.count + index.v) % count) : 0;
}

void vp_init_pool(struct hypervisor *hv)
{
    size_t front = sched_front_bytes(hv->sched.ops->vp_bytes);

    hv->vp_pool = host_pool(front + sizeof(struct hv_vp));
}

/* Everything of a new VP but what it executes. */
static struct hv_vp *vp_allocate(struct hv_partition *partition,
                                 vp_index_t index, uint32_t node)
{
    struct hypervisor *hv = partition->hv;
    size_t front = sched_front_bytes(hv->sched.ops->vp_bytes);
    char *memory = host_pool_calloc(&hv->vp_pool);
    uint32_t number = hv->vp_names.count;
    struct hv_vp *vp;

    if (!memory ||
        !vp_names_add(&hv->vp_names, (struct vp_name){
                                         .partition = partition->id.v,
                                         .vp = index.v,
                                     })) {
        host_pool_free(&hv->vp_pool, memory);
        return NULL;
    }
    vp = (struct hv_vp *)(memory + front);
    vp->sched.policy = front > 0 ? memory : NULL;
    vp->hv = hv;
    vp->partition = partition;
    vp->index = index;
    vp->apic_id = index.v;
    vp->node = (uint16_t)node;
    vp->number = number;
    vp->sched.affinity = lp_set_first_of(hv->lp_count);
    vp->sched.ideal_lp = ideal_lp(hv, node, index);
    vp->state = VP_SUSPENDED;
    lapic_init(&vp->lapic, vp);
    for (uint8_t i = 0; i < STIMER_COUNT; i++)
        stimer_init(&vp->stimers[i], vp, i);
    synic_init(&vp->synic, vp);
    msr_init(vp);
    return vp;
}

/* The VP is complete: its partition and the scheduler know it from now on. */
static bool vp_register(struct hv_vp *vp)
{
    if (!sched_vp_add(&vp->hv->sched, vp))
        return false;
    vp->partition->vps[vp->index.v] = vp;
    vp->partition->vp_count++;
    vp->hv->host.vp_added(vp->hv->host.context, vp);
    return true;
}

static void vp_discard(struct hv_vp *vp)
{
    for (unsigned i = 0; i < STIMER_COUNT; i++)
        stimer_fini(&vp->stimers[i]);
    synic_fini(&vp->synic);
    msr_fini(vp);
    lapic_fini(&vp->lapic);
    if (vp->engine)
        engine_free(vp->engine);
    intercept_forget(vp);
    host_pool_free(&vp->hv->vp_pool,
                   (char *)vp - sched_front_bytes(vp->hv->sched.ops->vp_bytes));
}

enum hv_status vp_create(struct hv_context *context,
                         struct hv_partition *partition, vp_index_t index,
                         uint32_t node, struct hv_vp **out)
{
    if (index.v >= PARTITION_VP_COUNT_MAX)
        return HV_STATUS_INVALID_VP_INDEX;
    if (partition->vps[index.v])
        return HV_STATUS_INVALID_VP_STATE;

    struct hv_vp *vp = vp_allocate(partition, index, node);

    if (!vp)
        return HV_STATUS_NO_RESOURCES;
    vp->explicit_suspend = true;
    vp->wait_for_sipi = index.v != 0;
    vp->engine_host = (struct engine_host){
        .context = vp,
        .translation_buffer_bytes = vp_translation_bytes(&partition->gpa),
        .price_block = vp_price_block,
        .stop_wanted = vp_stop_wanted,
        .on_exit = vp_on_exit,
        .apic_read = vp_apic_read,
        .apic_write = vp_apic_write,
    };

    struct sim_error error;

    if (engine_create(&vp->engine, vp->hv->engines, &vp->engine_host,
                      partition->gpa.root, &error) != SIM_OK) {
        vp_discard(vp);
        return HV_STATUS_NO_RESOURCES;
    }

    struct engine_features features;

    cpuid_engine_features(&features);
    engine_set_features(vp->engine, &features);
    engine_filter_pause(vp->engine, vp->hv->sched.params.pause_filter,
                        cycles(PAUSE_GAP));
    vp->runner = (struct vp_runner){&engine_runner_ops, vp->engine};
    lapic_attach(&vp->lapic);
    vp->state_since = context->now;
    if (!vp_register(vp)) {
        vp_discard(vp);
        return HV_STATUS_NO_RESOURCES;
    }
    cost_note(context->bill, COST_VP_CREATE, 1);
    *out = vp;
    return HV_STATUS_SUCCESS;
}

struct hv_vp *vp_create_model(struct hypervisor *hv,
                              struct hv_partition *partition, vp_index_t index,
                              struct vp_runner runner, lp_id_t pinned)
{
    CHECK(index.v < PARTITION_VP_COUNT_MAX && !partition->vps[index.v]);
    CHECK(pinned.v < hv->lp_count);

    struct hv_vp *vp = vp_allocate(partition, index, hv->lps[pinned.v].node);

    if (!vp)
        return NULL;
    vp->runner = runner;
    vp->sched.affinity = (struct lp_set){0};
    lp_set_add(&vp->sched.affinity, pinned.v);
    vp->sched.ideal_lp = pinned.v;
    vp->halted = true;
    vp->state = VP_IDLE;
    if (!vp_register(vp)) {
        vp_discard(vp);
        return NULL;
    }
    if (partition == hv->root && !hv->lps[pinned.v].root_vp)
        hv->lps[pinned.v].root_vp = vp;
    return vp;
}

void vp_free(struct hv_context *context, struct hv_vp *vp)
{
    struct hv_partition *partition = vp->partition;

    CHECK(vp->state != VP_RUNNING);
    if (vp->state == VP_READY) {
        sched_dequeue(&vp->hv->sched, vp);
        vp_set_state(context, vp, VP_SUSPENDED);
    }
    sched_vp_remove(&vp->hv->sched, vp);
    if (vp->hv->lps[vp->sched.ideal_lp].root_vp == vp)
        vp->hv->lps[vp->sched.ideal_lp].root_vp = NULL;
    partition->vps[vp->index.v] = NULL;
    partition->vp_count--;
    vp_count_up_to(vp, context->now);
    vp_take_up(vp, CYCLES_NEVER);
    vp->hv->host.vp_gone(vp->hv->host.context, vp);
    vp_discard(vp);
}
