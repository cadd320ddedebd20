/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/machine/sched_story.h"

#include <stdlib.h>

#include "hypervisor/cpu_group.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

/* Who listens to the machine that runs, and who has before. */
static struct {
    struct story *story;
    void (*before)(void *context, const struct sched_waited *waited);
} telling;

static void *grow(void *items, size_t count, size_t *room, size_t bytes)
{
    if (count < *room)
        return items;
    *room = *room ? *room * 2 : 64;
    items = reallocarray(items, *room, bytes);
    CHECK(items);
    return items;
}

static const struct hv_partition *partition_of(const struct story *story,
                                               uint32_t vm)
{
    const struct machine *m = story->host->machine;

    if (vm == 0)
        return m->hv->root;
    return hypervisor_find_partition(m->hv, vmms_partition(m->vmms, vm - 1));
}

/* The VM that has partition `id`. */
static uint32_t vm_of(const struct story *story, uint64_t id)
{
    for (uint32_t vm = 0; vm < story->vm_count; vm++) {
        const struct hv_partition *partition = partition_of(story, vm);

        if (partition && partition->id.v == id)
            return vm;
    }
    CHECK(!"a VM that has gone");
    return 0;
}

static void hear_wait(void *context, const struct sched_waited *waited)
{
    struct story *story = telling.story;

    if (telling.before)
        telling.before(context, waited);
    story->waits = grow(story->waits, story->wait_count, &story->wait_room,
                        sizeof(*story->waits));

    struct story_wait *wait = &story->waits[story->wait_count++];

    *wait = (struct story_wait){
        .lp = waited->lp->id.v,
        .vm = vm_of(story, waited->vp->partition->id.v),
        .vp = waited->vp->index.v,
        .from = waited->ready.v,
        .to = waited->dispatched.v,
        .ended = true,
    };
    for (unsigned i = 0; i < SCHED_RULE_COUNT; i++)
        wait->by_rule[i] = waited->by_rule[i].v;
}

void story_begin(struct story *story, struct script_host *host)
{
    struct hypervisor *hv = host->machine->hv;

    *story = (struct story){
        .lp_count = hv->lp_count,
        .node_count = hv->node_count,
        .threads_per_core = hv->threads_per_core,
        .vm_count = host->machine->vm_count + 1,
        .quantum = host->scenario.hypervisor.sync_quantum_ns,
        .params = hv->sched.params,
        .flags = hv->sched.ops->flags,
        .host = host,
    };
    CHECK(story->vm_count <= STORY_VMS_MAX);
    telling.story = story;
    telling.before = hv->host.vp_waited;
    hv->host.vp_waited = hear_wait;
    story_note_controls(story, 0);
}

static struct story_control control_of(const struct hypervisor *hv,
                                       const struct hv_partition *partition)
{
    const struct partition_sched *sched = &partition->sched;
    const struct cpu_group *group = sched->group;

    struct story_control control = {
        .weight = sched->weight,
        .reserve = sched->reserve,
        .cap = sched->cap,
        .group = group ? group->id : 0,
        .group_cap = group ? group->cap : CPU_GROUP_CAP_MAX,
        .group_lps = group ? lp_set_count(&group->lps) : 0,
        .affinity =
            group ? lp_set_and(&sched->affinity, &group->lps) : sched->affinity,
        .is_root = partition == hv->root,
    };

    for (uint32_t i = 0; control.is_root && i < partition->vp_count; i++)
        control.root_lps[i] = (uint16_t)partition->vps[i]->sched.ideal_lp;
    return control;
}

/* What a VM will have when it has been started. */
static struct story_control control_to_be(const struct story *story,
                                          uint32_t vm)
{
    const struct scenario_vm *is = &story->host->vms[vm - 1];

    return (struct story_control){
        .weight = is->weight,
        .reserve = is->reserve,
        .cap = is->limit,
        .group_cap = CPU_GROUP_CAP_MAX,
        .affinity = lp_set_first_of(story->lp_count),
    };
}

void story_note_controls(struct story *story, uint64_t now)
{
    const struct hypervisor *hv = story->host->machine->hv;

    story->controls = grow(story->controls, story->control_count,
                           &story->control_room, sizeof(*story->controls));

    struct story_controls *all = &story->controls[story->control_count++];

    *all = (struct story_controls){
        .time = now, .position = story->host->results.event_count};
    for (uint32_t vm = 0; vm < story->vm_count; vm++) {
        const struct hv_partition *partition = partition_of(story, vm);

        all->of[vm] =
            partition ? control_of(hv, partition) : control_to_be(story, vm);
    }
}

/* What is under way while the trace is read. */
struct reading {
    struct story *story;
    long running[LP_COUNT_MAX]; /* index of runs, or -1 */
    long idling[LP_COUNT_MAX];  /* index of idles, or -1 */
    struct {
        uint64_t ready_since;
        uint64_t expiries; /* since then */
        bool ready;
    } vps[STORY_VMS_MAX][PARTITION_VP_COUNT_MAX];
};

static void read_dispatch(struct reading *reading, size_t position,
                          const struct trace_record *r, uint32_t vm)
{
    struct story *story = reading->story;
    long idle = reading->idling[r->lp];

    if (idle >= 0)
        story->idles[idle].to = r->time.v;
    reading->idling[r->lp] = -1;
    reading->running[r->lp] = (long)story->run_count;
    story->runs[story->run_count++] = (struct story_run){
        .lp = r->lp,
        .vm = vm,
        .vp = r->vp,
        .from = r->time.v,
        .to = story->end,
        .position = position,
        .end = SIZE_MAX,
        .expiries = reading->vps[vm][r->vp].expiries,
    };
    reading->vps[vm][r->vp].ready = false;
}

static void read_undispatch(struct reading *reading, size_t position,
                            const struct trace_record *r)
{
    long run = reading->running[r->lp];

    CHECK(run >= 0);
    reading->story->runs[run].to = r->time.v;
    reading->story->runs[run].end = position;
    reading->running[r->lp] = -1;
}

static void read_idle(struct reading *reading, const struct trace_record *r)
{
    struct story *story = reading->story;

    if (reading->idling[r->lp] >= 0)
        return;
    reading->idling[r->lp] = (long)story->idle_count;
    story->idles[story->idle_count++] =
        (struct story_idle){.lp = r->lp, .from = r->time.v, .to = story->end};
}

static void read_record(struct reading *reading, size_t position)
{
    const struct trace_record *r =
        &reading->story->host->results.events[position];

    if (r->kind == TRACE_DISPATCH) {
        read_dispatch(reading, position, r,
                      vm_of(reading->story, r->partition));
    } else if (r->kind == TRACE_UNDISPATCH) {
        read_undispatch(reading, position, r);
    } else if (r->kind == TRACE_LP_IDLE) {
        read_idle(reading, r);
    } else if (r->kind == TRACE_VP_STATE && r->vp < PARTITION_VP_COUNT_MAX) {
        uint32_t vm = vm_of(reading->story, r->partition);

        reading->vps[vm][r->vp].ready = r->detail == VP_READY;
        reading->vps[vm][r->vp].ready_since = r->time.v;
        reading->vps[vm][r->vp].expiries = 0;
    } else if (r->kind == TRACE_TIMER && r->vp < PARTITION_VP_COUNT_MAX) {
        reading->vps[vm_of(reading->story, r->partition)][r->vp].expiries++;
    }
}

/* Who is ready at the end has waited, too. */
static void read_unended(const struct reading *reading)
{
    struct story *story = reading->story;

    for (uint32_t vm = 0; vm < story->vm_count; vm++) {
        for (uint32_t vp = 0; vp < PARTITION_VP_COUNT_MAX; vp++) {
            uint64_t since = reading->vps[vm][vp].ready_since;

            if (!reading->vps[vm][vp].ready || since >= story->end)
                continue;
            story->waits = grow(story->waits, story->wait_count,
                                &story->wait_room, sizeof(*story->waits));
            story->waits[story->wait_count++] = (struct story_wait){
                .vm = vm, .vp = vp, .from = since, .to = story->end};
        }
    }
}

void story_end(struct story *story)
{
    static struct reading reading;
    const struct results *results = &story->host->results;

    story->end = machine_now_ns(story->host->machine);
    story->runs = calloc(results->event_count + 1, sizeof(*story->runs));
    story->idles = calloc(results->event_count + 1, sizeof(*story->idles));
    CHECK(story->runs && story->idles);
    reading = (struct reading){.story = story};
    for (uint32_t lp = 0; lp < LP_COUNT_MAX; lp++)
        reading.running[lp] = reading.idling[lp] = -1;
    for (size_t i = 0; i < results->event_count; i++)
        read_record(&reading, i);
    read_unended(&reading);
    story->host->machine->hv->host.vp_waited = telling.before;
    telling.story = NULL;
}

void story_free(struct story *story)
{
    free(story->runs);
    free(story->waits);
    free(story->idles);
    free(story->controls);
    *story = (struct story){0};
}

uint64_t story_ran(const struct story *story, uint32_t vm, uint32_t vp,
                   uint64_t from, uint64_t to)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < story->run_count; i++) {
        const struct story_run *run = &story->runs[i];
        uint64_t start = run->from > from ? run->from : from;
        uint64_t end = run->to < to ? run->to : to;

        if (run->vm == vm && run->vp == vp && start < end)
            sum += end - start;
    }
    return sum;
}
