/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scenario's groups and its timeline: what is asked of VMMS, and when. */
#include <stdio.h>
#include <stdlib.h>

#include "sim/core/check.h"
#include "sim/machine/machine_private.h"

static void out_of_memory(struct machine *m, const struct scenario_event *from)
{
    machine_note_failure(m, SIM_NO_MEMORY, "%s: no memory", from->place);
}

static void start(struct machine_vm *vm, const struct scenario_event *from,
                  cycles_t now)
{
    struct machine *m = vm->machine;
    enum vm_state state = vmms_state(m->vmms, vm->number);
    char why[SIM_ERROR_BYTES_MAX];

    vm->starts_to_come--;
    if (state == VM_OFF) {
        vmms_start(m->vmms, vm->number, now);
    } else if (state == VM_STOPPING) {
        vm->start_when_off = true;
    } else {
        snprintf(why, sizeof(why), "%s: cannot start it: it is %s", from->place,
                 vmms_state_name(state));
        machine_vms_fail(vm, why, "");
    }
}

/* Also a start that waits for the VM to be off. */
static void stop(struct machine_vm *vm, cycles_t now)
{
    vm->start_when_off = false;
    vmms_turn_off(vm->machine->vmms, vm->number, now);
}

static uint64_t control(uint64_t value)
{
    return value == SCENARIO_NOT_SET ? VM_KEEP : value;
}

static void change(struct machine_vm *vm, const struct scenario_event *from,
                   cycles_t now)
{
    struct machine *m = vm->machine;
    const struct scenario_set *set = &from->set;
    struct vm_change change = {
        .order = from->place,
        .weight = control(set->weight),
        .reserve = control(set->reserve),
        .cap = control(set->limit),
        .group = *set->group ? machine_timeline_group(m, set->group) : VM_KEEP,
        .affinity = set->affinity,
        .add_vps = *from->add_vps.vm ? (uint32_t)from->add_vps.count : 0,
    };

    if (!vmms_change(m->vmms, vm->number, &change, now))
        out_of_memory(m, from);
}

static void change_group(struct machine *m, const struct scenario_event *from,
                         cycles_t now)
{
    const struct scenario_set *set = &from->set;

    if (!vmms_change_group(m->vmms, machine_timeline_group(m, set->group),
                           control(set->cap), &set->lps, from->place, now))
        out_of_memory(m, from);
}

static void fire(void *context, cycles_t now)
{
    const struct machine_event *event = context;
    struct machine *m = event->machine;
    const struct scenario_event *from = event->from;
    const char *name = scenario_event_vm(from);

    if (*name == '\0')
        change_group(m, from, now);
    for (uint32_t i = 0; i < m->vm_count; i++) {
        struct machine_vm *vm = &m->vms[i];

        if (!scenario_vm_is_named(vm->from, vm->index, name))
            continue;
        if (*from->start)
            start(vm, from, now);
        else if (*from->stop)
            stop(vm, now);
        else
            change(vm, from, now);
    }
}

uint64_t machine_timeline_group(const struct machine *m, const char *name)
{
    return (uint64_t)(scenario_group_find(m->scenario, name) + 1);
}

enum sim_status machine_timeline_create(struct machine *m,
                                        struct sim_error *error)
{
    const struct scenario *scenario = m->scenario;

    m->timeline = calloc(scenario->at_count + 1, sizeof(*m->timeline));
    if (!m->timeline)
        return sim_fail(error, SIM_NO_MEMORY, "no memory for the timeline");
    for (size_t i = 0; i < scenario->at_count; i++) {
        struct machine_event *event = &m->timeline[i];

        event->machine = m;
        event->from = &scenario->at[i];
        event->event = (struct event){.kind = EVENT_TIMELINE,
                                      .name = "timeline",
                                      .fire = fire,
                                      .context = event};
    }
    for (size_t i = 0; i < scenario->group_count; i++) {
        const struct vmms_group group = {.cap = scenario->groups[i].cap,
                                         .lps = scenario->groups[i].lps};
        uint64_t id;

        if (!vmms_add_group(m->vmms, &group, &id))
            return sim_fail(error, SIM_NO_MEMORY, "no memory for CPU groups");
        CHECK(id == i + 1);
    }
    return SIM_OK;
}

uint32_t machine_timeline_starts(const struct machine *m,
                                 const struct machine_vm *vm)
{
    uint32_t count = 0;

    for (size_t i = 0; i < m->scenario->at_count; i++)
        count +=
            scenario_vm_is_named(vm->from, vm->index, m->scenario->at[i].start);
    return count;
}

void machine_timeline_start(struct machine *m)
{
    vmms_make_groups(m->vmms, cycles(0));
    for (size_t i = 0; i < m->scenario->at_count; i++) {
        const struct scenario_event *from = &m->scenario->at[i];

        if (!scenario_event_is_late(m->scenario, from))
            event_schedule(m->events, &m->timeline[i].event,
                           clock_from_ns(m->clock, from->time_ns));
    }
}

/* What a root without time leaves undone must not look like done; but when all
 * VMs have finished, which ends a run early, nobody is left whom it concerns.
 */
#define NOT_DONE "%s: the run has ended before the root had the time to do it"

void machine_timeline_finish(struct machine *m)
{
    const char *order = vmms_group_change_to_come(m->vmms);
    char why[SIM_ERROR_BYTES_MAX];

    if (m->stopping || m->finished_count == m->vm_count)
        return;
    if (order)
        machine_note_failure(m, SIM_RUN_FAILED, NOT_DONE, order);
    for (uint32_t i = 0; i < m->vm_count; i++) {
        order = vmms_change_to_come(m->vmms, i);
        if (!order)
            continue;
        snprintf(why, sizeof(why), NOT_DONE, order);
        machine_vms_fail(&m->vms[i], why, "");
    }
}
