/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The timeline: first each entry for itself, then all of them played through
 * in the order of their times, on a picture of the VMs that knows only what
 * the scenario decides: whether a VM has been started, its VPs, its controls.
 * What a guest does besides, the run must show.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/sched.h"
#include "sim/core/check.h"
#include "sim/scenario/scenario_keys.h"
#include "sim/scenario/scenario_private.h"
#include "sim/scenario/suggest.h"
#include "sim/scenario/units.h"

/* A VM, as the entries so far have left it. */
struct played_vm {
    const struct scenario_vm *from;
    uint32_t index;
    bool on;
    uint64_t vps;
    uint64_t reserve, limit;
    struct lp_set affinity;
    int group; /* -1: none */
};

struct timeline {
    const struct scenario *scenario;
    const struct document_node *root;
    struct sim_error *error;
    struct played_vm *vms; /* vm_count */
    uint32_t vm_count;
    struct lp_set *group_lps;
    size_t *order; /* indices of entries, by time */
};

/* Fails at a key of entry `entry`; "" is all of it. */
static enum sim_status refuse_entry(const struct timeline *t, size_t entry,
                                    const char *key, const char *format, ...)
    PRINTF_LIKE(4, 5);

static enum sim_status refuse_entry(const struct timeline *t, size_t entry,
                                    const char *key, const char *format, ...)
{
    char message[SIM_ERROR_BYTES_MAX];
    char path[SCENARIO_PATH_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    snprintf(path, sizeof path, "at[%zu]%s%s", entry, *key ? "." : "", key);
    return scenario_refuse(t->root, t->error, path, "%s", message);
}

static bool is_given(const struct scenario_event *event, const char *key)
{
    return scenario_key_is_given(scenario_key_find(SCENARIO_SECTION_EVENT, key),
                                 event);
}

/* One thing is done at a time: else their order would be a guess. */
static enum sim_status check_kind(const struct timeline *t, size_t entry)
{
    static const char *const kinds[] = {"set", "start", "stop", "add_vps"};
    unsigned given = 0;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        given += is_given(&t->scenario->at[entry], kinds[i]);
    if (given == 1)
        return SIM_OK;
    return refuse_entry(t, entry, "",
                        "%s of set, start, stop and add_vps %s; expected one "
                        "of them, such as {time: 2s, set: {vm: web, weight: "
                        "200}}",
                        given == 0 ? "none" : "more than one",
                        given == 0 ? "is given" : "are given");
}

/* The key under which an entry names its VM. */
static const char *vm_key(const struct scenario_event *event)
{
    if (*event->start)
        return "start";
    if (*event->stop)
        return "stop";
    return is_given(event, "add_vps") ? "add_vps.vm" : "set.vm";
}

static enum sim_status check_name(const struct timeline *t, size_t entry)
{
    const struct scenario_event *event = &t->scenario->at[entry];
    const char *name = scenario_event_vm(event);
    struct suggestion near = {0};

    for (uint32_t i = 0; i < t->vm_count; i++) {
        if (scenario_vm_is_named(t->vms[i].from, t->vms[i].index, name))
            return SIM_OK;
        suggest_offer(&near, name, t->vms[i].from->name);
    }
    return refuse_entry(t, entry, vm_key(event), "'%s' is none of vms%s%s%s",
                        name, near.word ? "; did you mean '" : "",
                        near.word ? near.word : "", near.word ? "'?" : "");
}

/* Controls that are given go with what they are set of. */
static enum sim_status check_set_form(const struct timeline *t, size_t entry)
{
    const struct scenario_set *set = &t->scenario->at[entry].set;
    bool has_vm = *set->vm != '\0';
    const struct {
        const char *key;
        bool given, of_vm;
    } controls[] = {
        {"set.weight", set->weight != SCENARIO_NOT_SET, true},
        {"set.reserve", set->reserve != SCENARIO_NOT_SET, true},
        {"set.limit", set->limit != SCENARIO_NOT_SET, true},
        {"set.affinity", !lp_set_is_empty(&set->affinity), true},
        {"set.group", has_vm && *set->group, true},
        {"set.cap", set->cap != SCENARIO_NOT_SET, false},
        {"set.lps", !lp_set_is_empty(&set->lps), false},
    };
    unsigned given = 0;

    if (!has_vm && !*set->group)
        return refuse_entry(t, entry, "set",
                            "neither vm nor group is given; expected one of "
                            "them");
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        given += controls[i].given;
        if (controls[i].given && controls[i].of_vm != has_vm)
            return refuse_entry(t, entry, controls[i].key,
                                has_vm ? "is a group's; expected group alone, "
                                         "without vm"
                                       : "is a VM's; expected vm");
    }
    if (given == 0)
        return refuse_entry(t, entry, "set",
                            has_vm ? "nothing to set; expected weight, "
                                     "reserve, limit, affinity or group"
                                   : "nothing to set; expected cap or lps");
    return SIM_OK;
}

/* A value other than that of a VM of which nothing is said. */
static bool differs(uint64_t value, uint64_t standard)
{
    return value != SCENARIO_NOT_SET && value != standard;
}

/* The host and the scheduler have what is set. */
static enum sim_status check_set(const struct timeline *t, size_t entry)
{
    const struct scenario *scenario = t->scenario;
    const struct scenario_set *set = &scenario->at[entry].set;
    bool is_none = *set->vm && strcmp(set->group, SCENARIO_NO_GROUP) == 0;
    const struct {
        const char *key;
        bool given;
        unsigned flag;
    } controls[] = {
        {"weight", differs(set->weight, SCENARIO_WEIGHT_DEFAULT),
         SCHED_WEIGHTS},
        {"reserve", differs(set->reserve, 0), SCHED_RESERVES},
        {"limit", differs(set->limit, SCENARIO_FRACTION_ONE), SCHED_LIMITS},
    };
    char path[SCENARIO_PATH_BYTES];
    int group;

    if (check_set_form(t, entry) != SIM_OK)
        return t->error->status;
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        snprintf(path, sizeof path, "at[%zu].set.%s", entry, controls[i].key);
        if (controls[i].given &&
            scenario_check_heeded(scenario, t->root, t->error, path,
                                  controls[i].flag) != SIM_OK)
            return t->error->status;
    }
    snprintf(path, sizeof path, "at[%zu].set.affinity", entry);
    if (scenario_check_lps(scenario, t->root, t->error, path, &set->affinity) !=
        SIM_OK)
        return t->error->status;
    snprintf(path, sizeof path, "at[%zu].set.lps", entry);
    if (scenario_check_lps(scenario, t->root, t->error, path, &set->lps) !=
        SIM_OK)
        return t->error->status;
    snprintf(path, sizeof path, "at[%zu].set.group", entry);
    if (*set->group && !is_none)
        return scenario_check_group(scenario, t->root, t->error, path,
                                    set->group, &group);
    return SIM_OK;
}

static enum sim_status check_add_form(const struct timeline *t, size_t entry)
{
    const struct scenario_add_vps *add = &t->scenario->at[entry].add_vps;

    if (!*add->vm)
        return refuse_entry(t, entry, "add_vps",
                            "vm is missing; expected the "
                            "VM that gets them");
    if (add->count == SCENARIO_NOT_SET)
        return refuse_entry(t, entry, "add_vps",
                            "count is missing; expected how many VPs to add");
    return SIM_OK;
}

static enum sim_status check_entry(const struct timeline *t, size_t entry)
{
    const struct scenario_event *event = &t->scenario->at[entry];
    bool adds = is_given(event, "add_vps");

    if (check_kind(t, entry) != SIM_OK)
        return t->error->status;
    if (adds && check_add_form(t, entry) != SIM_OK)
        return t->error->status;
    if (is_given(event, "set") && check_set(t, entry) != SIM_OK)
        return t->error->status;
    return *scenario_event_vm(event) ? check_name(t, entry) : SIM_OK;
}

/* Now in time. */

static struct lp_set lps_or_all(const struct lp_set *lps)
{
    return lp_set_is_empty(lps) ? lp_set_first_of(LP_COUNT_MAX) : *lps;
}

static const char *name_of(const struct played_vm *vm,
                           char name[static SCENARIO_NAME_BYTES_MAX + 1])
{
    scenario_vm_name(vm->from, vm->index, name);
    return name;
}

/* The VM still has an LP that it may run on. */
static enum sim_status check_lps_left(const struct timeline *t, size_t entry,
                                      const char *key,
                                      const struct played_vm *vm)
{
    char name[SCENARIO_NAME_BYTES_MAX + 1];

    if (vm->group < 0 ||
        lp_set_first_in_both(&vm->affinity, &t->group_lps[vm->group]) >= 0)
        return SIM_OK;
    return refuse_entry(t, entry, key,
                        "the VM '%s' has no LP left that its group '%s' may "
                        "use too; expected one at least",
                        name_of(vm, name), t->scenario->groups[vm->group].name);
}

static enum sim_status play_set_vm(const struct timeline *t, size_t entry,
                                   struct played_vm *vm)
{
    const struct scenario_set *set = &t->scenario->at[entry].set;
    char reserve[UNITS_TEXT_BYTES];
    char limit[UNITS_TEXT_BYTES];

    if (set->reserve != SCENARIO_NOT_SET)
        vm->reserve = set->reserve;
    if (set->limit != SCENARIO_NOT_SET)
        vm->limit = set->limit;
    units_print(UNITS_FRACTION, vm->reserve, reserve);
    units_print(UNITS_FRACTION, vm->limit, limit);
    if (vm->reserve > vm->limit)
        return refuse_entry(
            t, entry,
            set->reserve != SCENARIO_NOT_SET ? "set.reserve" : "set.limit",
            "the reserve would be %s then, and the limit %s; expected a "
            "reserve of at most the limit",
            reserve, limit);
    if (!lp_set_is_empty(&set->affinity))
        vm->affinity = set->affinity;
    if (*set->group)
        vm->group = scenario_group_find(t->scenario, set->group);
    return check_lps_left(
        t, entry,
        lp_set_is_empty(&set->affinity) ? "set.group" : "set.affinity", vm);
}

static enum sim_status play_set_group(const struct timeline *t, size_t entry)
{
    const struct scenario_set *set = &t->scenario->at[entry].set;
    int group = scenario_group_find(t->scenario, set->group);

    CHECK(group >= 0);
    if (lp_set_is_empty(&set->lps))
        return SIM_OK;
    t->group_lps[group] = set->lps;
    for (uint32_t i = 0; i < t->vm_count; i++) {
        if (t->vms[i].group == group &&
            check_lps_left(t, entry, "set.lps", &t->vms[i]) != SIM_OK)
            return t->error->status;
    }
    return SIM_OK;
}

static enum sim_status play_add(const struct timeline *t, size_t entry,
                                struct played_vm *vm)
{
    const struct scenario_event *event = &t->scenario->at[entry];
    char name[SCENARIO_NAME_BYTES_MAX + 1];

    if (!vm->on)
        return refuse_entry(t, entry, "add_vps.vm",
                            "the VM '%s' is off at that time; expected one "
                            "that runs",
                            name_of(vm, name));
    vm->vps += event->add_vps.count;
    if (vm->vps > vm->from->vps_max)
        return refuse_entry(t, entry, "add_vps.count",
                            "the VM '%s' would have %" PRIu64 " VPs then; "
                            "expected at most %" PRIu32 " (vps_max)",
                            name_of(vm, name), vm->vps, vm->from->vps_max);
    return SIM_OK;
}

static enum sim_status play_vm(const struct timeline *t, size_t entry,
                               struct played_vm *vm)
{
    const struct scenario_event *event = &t->scenario->at[entry];
    char name[SCENARIO_NAME_BYTES_MAX + 1];

    if (*event->start) {
        if (vm->on)
            return refuse_entry(t, entry, "start",
                                "the VM '%s' has been started already and not "
                                "stopped; expected one that is off",
                                name_of(vm, name));
        vm->on = true;
    } else if (*event->stop) {
        if (!vm->on)
            return refuse_entry(t, entry, "stop",
                                "the VM '%s' has been stopped already; "
                                "expected one that runs",
                                name_of(vm, name));
        vm->on = false;
    } else if (*event->add_vps.vm) {
        return play_add(t, entry, vm);
    } else {
        return play_set_vm(t, entry, vm);
    }
    return SIM_OK;
}

static enum sim_status play(const struct timeline *t, size_t entry)
{
    const char *name = scenario_event_vm(&t->scenario->at[entry]);
    enum sim_status status = SIM_OK;

    if (*name == '\0')
        return play_set_group(t, entry);
    for (uint32_t i = 0; i < t->vm_count && status == SIM_OK; i++) {
        struct played_vm *vm = &t->vms[i];

        if (scenario_vm_is_named(vm->from, vm->index, name))
            status = play_vm(t, entry, vm);
    }
    return status;
}

static int compare_times(const void *a, const void *b, void *context)
{
    const struct scenario_event *at = context;
    size_t left = *(const size_t *)a;
    size_t right = *(const size_t *)b;

    if (at[left].time_ns != at[right].time_ns)
        return at[left].time_ns < at[right].time_ns ? -1 : 1;
    return left < right ? -1 : left > right;
}

static bool make_timeline(struct timeline *t)
{
    const struct scenario *s = t->scenario;

    t->vms = calloc(scenario_vm_total(s) + 1, sizeof *t->vms);
    t->group_lps = calloc(s->group_count + 1, sizeof *t->group_lps);
    t->order = calloc(s->at_count + 1, sizeof *t->order);
    if (!t->vms || !t->group_lps || !t->order)
        return false;
    for (size_t i = 0; i < s->group_count; i++)
        t->group_lps[i] = lps_or_all(&s->groups[i].lps);
    for (size_t i = 0; i < s->vm_count; i++) {
        const struct scenario_vm *from = &s->vms[i];

        for (uint32_t n = 0; n < from->count; n++)
            t->vms[t->vm_count++] = (struct played_vm){
                .from = from,
                .index = n,
                .on = !scenario_vm_starts_off(s, from, n),
                .vps = from->vps,
                .reserve = from->reserve,
                .limit = from->limit,
                .affinity = lps_or_all(&from->affinity),
                .group = scenario_group_find(s, from->group),
            };
    }
    for (size_t i = 0; i < s->at_count; i++)
        t->order[i] = i;
    qsort_r(t->order, s->at_count, sizeof *t->order, compare_times, s->at);
    return true;
}

/* "file:line:column: at[2]" */
static bool fill_places(struct scenario *scenario,
                        const struct document_node *root)
{
    bool filled = true;

    for (size_t i = 0; i < scenario->at_count; i++) {
        size_t bytes;
        char path[SCENARIO_PATH_BYTES];
        FILE *out = open_memstream(&scenario->at[i].place, &bytes);

        if (!out)
            return false;
        snprintf(path, sizeof path, "at[%zu]", i);
        scenario_print_place(root, path, out);
        fputs(path, out);
        filled &= fclose(out) == 0;
    }
    return filled;
}

enum sim_status scenario_check_timeline(struct scenario *scenario,
                                        const struct document_node *root,
                                        struct sim_error *error)
{
    struct timeline t = {.scenario = scenario, .root = root, .error = error};
    enum sim_status status = SIM_OK;

    if (scenario->at_count == 0)
        return SIM_OK;
    if (!make_timeline(&t) || !fill_places(scenario, root))
        status = sim_fail(error, SIM_NO_MEMORY, "at: out of memory");
    for (size_t i = 0; i < scenario->at_count && status == SIM_OK; i++)
        status = check_entry(&t, i);
    for (size_t i = 0; i < scenario->at_count && status == SIM_OK; i++)
        status = play(&t, t.order[i]);
    free(t.vms);
    free(t.group_lps);
    free(t.order);
    return status;
}

void scenario_note_timeline(const struct scenario *scenario,
                            const struct document_node *root, FILE *notes)
{
    for (size_t i = 0; i < scenario->at_count; i++) {
        char path[SCENARIO_PATH_BYTES];

        if (!scenario_event_is_late(scenario, &scenario->at[i]))
            continue;
        snprintf(path, sizeof path, "at[%zu].time", i);
        scenario_print_place(root, path, notes);
        fprintf(notes, "%s: note: not done: the run is over by then\n", path);
    }
}
