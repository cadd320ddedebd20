/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups and controls: whether the host has what they name, and whether the
 * scheduler heeds them. */
#include <inttypes.h>
#include <string.h>

#include "hypervisor/sched.h"
#include "sim/core/check.h"
#include "sim/scenario/lp_list.h"
#include "sim/scenario/scenario_private.h"
#include "sim/scenario/suggest.h"
#include "sim/scenario/units.h"

static const char *control_name(unsigned flag)
{
    if (flag == SCHED_WEIGHTS)
        return "weights";
    return flag == SCHED_RESERVES ? "reserves" : "limits or groups";
}

/* "; expected one of the schedulers that do: classic, core" */
static void name_heeding(unsigned flag, char *text, size_t bytes)
{
    const struct hv_sched_ops *ops;
    size_t length = 0;

    text[0] = '\0';
    for (unsigned i = 0; (ops = sched_by_index(i)); i++) {
        if (!(ops->flags & flag) || length >= bytes)
            continue;
        length += (size_t)snprintf(
            &text[length], bytes - length, "%s%s",
            length > 0 ? ", " : "; expected one of the schedulers that do: ",
            ops->name);
    }
}

enum sim_status scenario_check_heeded(const struct scenario *scenario,
                                      const struct document_node *root,
                                      struct sim_error *error, const char *path,
                                      unsigned flag)
{
    const char *name = scenario->hypervisor.scheduler;
    const struct hv_sched_ops *ops = sched_find(name);
    char others[SIM_ERROR_BYTES_MAX / 2];

    CHECK(ops);
    if (ops->flags & flag)
        return SIM_OK;
    name_heeding(flag, others, sizeof others);
    return scenario_refuse(root, error, path, "the scheduler %s heeds no %s%s",
                           name, control_name(flag), others);
}

enum sim_status scenario_check_lps(const struct scenario *scenario,
                                   const struct document_node *root,
                                   struct sim_error *error, const char *path,
                                   const struct lp_set *lps)
{
    uint32_t count = scenario_lp_count(scenario);
    int beyond = count < LP_COUNT_MAX ? lp_set_next(lps, count) : -1;

    if (beyond < 0)
        return SIM_OK;
    return scenario_refuse(root, error, path,
                           "the host has no LP %d; expected LPs from 0 to "
                           "%" PRIu32,
                           beyond, count - 1);
}

enum sim_status scenario_check_group(const struct scenario *scenario,
                                     const struct document_node *root,
                                     struct sim_error *error, const char *path,
                                     const char *name, int *index)
{
    struct suggestion near = {0};

    *index = scenario_group_find(scenario, name);
    if (*index >= 0)
        return SIM_OK;
    for (size_t i = 0; i < scenario->group_count; i++)
        suggest_offer(&near, name, scenario->groups[i].name);
    return scenario_refuse(root, error, path, "'%s' is none of groups%s%s%s",
                           name, near.word ? "; did you mean '" : "",
                           near.word ? near.word : "", near.word ? "'?" : "");
}

static enum sim_status check_group(const struct scenario *scenario,
                                   size_t index,
                                   const struct document_node *root,
                                   struct sim_error *error)
{
    const struct scenario_group *group = &scenario->groups[index];
    char path[SCENARIO_PATH_BYTES];

    snprintf(path, sizeof path, "groups[%zu]", index);
    if (scenario_check_heeded(scenario, root, error, path, SCHED_LIMITS) !=
        SIM_OK)
        return error->status;
    snprintf(path, sizeof path, "groups[%zu].name", index);
    if (strcmp(group->name, SCENARIO_NO_GROUP) == 0)
        return scenario_refuse(root, error, path,
                               "'none' takes a VM out of its group; expected "
                               "another name");
    if (scenario_group_find(scenario, group->name) != (int)index)
        return scenario_refuse(root, error, path,
                               "'%s' is the name of groups[%d] already; "
                               "expected a name of its own",
                               group->name,
                               scenario_group_find(scenario, group->name));
    snprintf(path, sizeof path, "groups[%zu].lps", index);
    return scenario_check_lps(scenario, root, error, path, &group->lps);
}

/* The policy heeds what is given of a VM. */
static enum sim_status check_controls(const struct scenario *scenario,
                                      size_t index,
                                      const struct document_node *root,
                                      struct sim_error *error)
{
    const struct scenario_vm *vm = &scenario->vms[index];
    const struct {
        const char *key;
        bool given;
        unsigned flag;
    } controls[] = {
        {"weight", vm->weight != SCENARIO_WEIGHT_DEFAULT, SCHED_WEIGHTS},
        {"reserve", vm->reserve != 0, SCHED_RESERVES},
        {"limit", vm->limit != SCENARIO_FRACTION_ONE, SCHED_LIMITS},
    };
    char path[SCENARIO_PATH_BYTES];

    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        if (controls[i].given &&
            scenario_check_heeded(
                scenario, root, error,
                scenario_vm_path(path, index, controls[i].key),
                controls[i].flag) != SIM_OK)
            return error->status;
    }
    return SIM_OK;
}

/* Affinity and group leave the VM something to run on. */
static enum sim_status check_placement(const struct scenario *scenario,
                                       size_t index,
                                       const struct document_node *root,
                                       struct sim_error *error)
{
    const struct scenario_vm *vm = &scenario->vms[index];
    const struct scenario_group *group;
    char path[SCENARIO_PATH_BYTES];
    int number;

    if (scenario_check_lps(scenario, root, error,
                           scenario_vm_path(path, index, "affinity"),
                           &vm->affinity) != SIM_OK)
        return error->status;
    if (*vm->group == '\0')
        return SIM_OK;
    if (scenario_check_group(scenario, root, error,
                             scenario_vm_path(path, index, "group"), vm->group,
                             &number) != SIM_OK)
        return error->status;
    group = &scenario->groups[number];
    if (!lp_set_is_empty(&vm->affinity) && !lp_set_is_empty(&group->lps) &&
        lp_set_first_in_both(&vm->affinity, &group->lps) < 0)
        return scenario_refuse(root, error,
                               scenario_vm_path(path, index, "affinity"),
                               "none of these LPs is one of the group '%s'; "
                               "expected one at least that is",
                               group->name);
    return SIM_OK;
}

/* VPs that the timeline adds to the VM of the entry that gets most. */
static uint64_t added_vps(const struct scenario *scenario,
                          const struct scenario_vm *vm)
{
    uint64_t most = 0;

    for (uint32_t n = 0; n < vm->count; n++) {
        uint64_t added = 0;

        for (size_t i = 0; i < scenario->at_count; i++) {
            const struct scenario_add_vps *add = &scenario->at[i].add_vps;

            if (add->count != SCENARIO_NOT_SET &&
                scenario_vm_is_named(vm, n, add->vm))
                added += add->count;
        }
        if (added > most)
            most = added;
    }
    return most;
}

static enum sim_status check_vps_max(const struct scenario *scenario,
                                     size_t index,
                                     const struct document_node *root,
                                     struct sim_error *error)
{
    struct scenario_vm *vm = &scenario->vms[index];
    char path[SCENARIO_PATH_BYTES];

    if (vm->vps_max == 0) {
        uint64_t all = vm->vps + added_vps(scenario, vm);

        vm->vps_max = all < SCENARIO_VPS_MAX ? (uint32_t)all : SCENARIO_VPS_MAX;
    }
    if (vm->vps_max >= vm->vps)
        return SIM_OK;
    return scenario_refuse(root, error,
                           scenario_vm_path(path, index, "vps_max"),
                           "%" PRIu32 " at most, but there are %" PRIu32
                           " (vps); expected no fewer",
                           vm->vps_max, vm->vps);
}

/* As many threads to a core as the host has, where that goes. */
static enum sim_status check_threads(const struct scenario *scenario,
                                     size_t index,
                                     const struct document_node *root,
                                     struct sim_error *error)
{
    struct scenario_vm *vm = &scenario->vms[index];
    char path[SCENARIO_PATH_BYTES];
    uint32_t smt = scenario->host.smt;

    scenario_vm_path(path, index, "threads_per_core");
    if (vm->threads_per_core == 0)
        vm->threads_per_core =
            vm->vps % smt == 0 && vm->vps_max % smt == 0 ? smt : 1;
    if (vm->threads_per_core > smt)
        return scenario_refuse(root, error, path,
                               "%" PRIu32 ", but the host has %" PRIu32
                               " (host.smt); expected no more",
                               vm->threads_per_core, smt);
    if (vm->vps % vm->threads_per_core != 0 ||
        vm->vps_max % vm->threads_per_core != 0)
        return scenario_refuse(root, error, path,
                               "%" PRIu32 " VPs, and %" PRIu32 " at most, are "
                               "no whole cores; expected 1 or another number "
                               "of VPs",
                               vm->vps, vm->vps_max);
    return SIM_OK;
}

enum sim_status scenario_check_sched(struct scenario *scenario,
                                     const struct document_node *root,
                                     struct sim_error *error)
{
    enum sim_status status = SIM_OK;

    for (size_t i = 0; i < scenario->group_count && status == SIM_OK; i++)
        status = check_group(scenario, i, root, error);
    for (size_t i = 0; i < scenario->vm_count && status == SIM_OK; i++) {
        status = check_controls(scenario, i, root, error);
        if (status == SIM_OK)
            status = check_placement(scenario, i, root, error);
        if (status == SIM_OK)
            status = check_vps_max(scenario, i, root, error);
        if (status == SIM_OK)
            status = check_threads(scenario, i, root, error);
    }
    return status;
}
