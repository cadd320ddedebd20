/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What no parameter can tell alone: names that clash, sums that do not fit,
 * and values that are valid but without effect.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/scenario/scenario_private.h"
#include "sim/scenario/units.h"

#define SAMPLES_MAX 1000000

static enum sim_status check_processors(struct scenario *scenario,
                                        const struct document_node *root,
                                        struct sim_error *error)
{
    uint32_t lps = scenario_lp_count(scenario);

    if (lps > SCENARIO_LPS_MAX)
        return scenario_refuse(root, error, "host.nodes",
                               "%" PRIu32
                               " logical processors in all; expected at "
                               "most %d",
                               lps, SCENARIO_LPS_MAX);
    if (scenario->root.vps == 0)
        scenario->root.vps = lps < SCENARIO_VPS_MAX ? lps : SCENARIO_VPS_MAX;
    if (scenario->root.vps > lps)
        return scenario_refuse(root, error, "root.vps",
                               "%" PRIu32 " root VPs on %" PRIu32 " logical "
                               "processors; expected at most %" PRIu32,
                               scenario->root.vps, lps, lps);
    for (size_t i = 0; i < scenario->host.node_count; i++) {
        char path[SCENARIO_PATH_BYTES];

        snprintf(path, sizeof path, "host.nodes[%zu].lps", i);
        if (scenario->host.nodes[i].lps % scenario->host.smt != 0)
            return scenario_refuse(root, error, path,
                                   "%" PRIu32 " logical processors are no "
                                   "whole cores; expected a multiple of "
                                   "host.smt, %" PRIu32,
                                   scenario->host.nodes[i].lps,
                                   scenario->host.smt);
    }
    return SIM_OK;
}

/** A key that is given, but goes with other forms of guests. */
struct misplaced_key {
    const char *key;
    bool is_misplaced;
    const char *with;
};

static enum sim_status check_guest_form(const struct scenario_guest *guest,
                                        const char *path,
                                        const struct document_node *root,
                                        struct sim_error *error)
{
    const char *const forms[] = {guest->workload, guest->kernel,
                                 guest->multiboot, guest->flat};
    unsigned given = 0;

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        given += *forms[i] != '\0';
    if (given != 1)
        return scenario_refuse(
            root, error, path,
            "%s of workload, linux, multiboot and flat %s; expected "
            "one of them, such as {workload: heavy-load}",
            given == 0 ? "none" : "more than one",
            given == 0 ? "is given" : "are given");
    return SIM_OK;
}

/** A key that does not go with the guest's form would be without effect. */
static enum sim_status check_guest(const struct scenario_guest *guest,
                                   size_t index,
                                   const struct document_node *root,
                                   struct sim_error *error)
{
    bool is_linux = *guest->kernel != '\0';
    bool is_multiboot = *guest->multiboot != '\0';
    bool is_flat = *guest->flat != '\0';
    const struct misplaced_key keys[] = {
        {"args", guest->arg_count > 0 && is_flat,
         "workload, linux or multiboot"},
        {"initrd", *guest->initrd && !is_linux, "linux"},
        {"cmdline", *guest->cmdline && !is_linux && !is_multiboot,
         "linux or multiboot"},
        {"modules", guest->module_count > 0 && !is_multiboot, "multiboot"},
        {"bits", *guest->bits && !is_flat, "flat"},
        {"load", guest->load != SCENARIO_NO_ADDRESS && !is_flat, "flat"},
        {"entry", guest->entry != SCENARIO_NO_ADDRESS && !is_flat, "flat"},
    };
    char path[SCENARIO_PATH_BYTES];
    char key[SCENARIO_PATH_BYTES];

    if (check_guest_form(guest, scenario_vm_path(path, index, "guest"), root,
                         error) != SIM_OK)
        return error->status;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        snprintf(key, sizeof key, "guest.%s", keys[i].key);
        if (keys[i].is_misplaced)
            return scenario_refuse(
                root, error, scenario_vm_path(path, index, key),
                "goes with a guest of the form %s only", keys[i].with);
    }
    if (is_flat && *guest->bits == '\0')
        return scenario_refuse(
            root, error, scenario_vm_path(path, index, "guest.bits"),
            "is missing; expected 16, 32 or 64: the mode in which a "
            "flat guest starts");
    return SIM_OK;
}

#define NODE_BYTES_LEAST (UINT64_C(8) << 20)

static enum sim_status check_nodes(const struct scenario_vm *vm, size_t index,
                                   const struct document_node *root,
                                   struct sim_error *error)
{
    char path[SCENARIO_PATH_BYTES];

    scenario_vm_path(path, index, "numa_nodes");
    if (vm->numa_nodes > vm->vps)
        return scenario_refuse(
            root, error, path,
            "%" PRIu32 " nodes for %" PRIu32 " VP%s; expected at "
            "least one VP for each",
            vm->numa_nodes, vm->vps, vm->vps == 1 ? "" : "s");
    if (vm->memory_bytes / vm->numa_nodes < NODE_BYTES_LEAST)
        return scenario_refuse(root, error, path,
                               "%" PRIu32 " nodes for %" PRIu64
                               " MiB; expected at "
                               "least 8 MiB for each",
                               vm->numa_nodes, vm->memory_bytes >> 20);
    return SIM_OK;
}

/* What is wrong with a step, or NULL. `*key`: of it, or "" for all of it. */
static const char *step_fault(const struct scenario_step *step,
                              const char **key)
{
    bool is_timed = step->at_ns != SCENARIO_NO_TIME;

    *key = "";
    if (!*step->expect && !*step->send && !*step->hex)
        return "neither expect nor send is given; expected at least one of "
               "them, such as {expect: \"login: \", send: \"root\\n\"}";
    *key = ".hex";
    if (*step->send && *step->hex)
        return "send is given already; expected one of them";
    *key = ".at";
    if (is_timed && (*step->expect || step->after_ns != 0))
        return "goes without expect and after; expected either a time or what "
               "to wait for";
    *key = ".timeout";
    if (step->timeout_ns != SCENARIO_NO_TIME && !*step->expect)
        return "goes with expect only";
    return NULL;
}

static size_t step_bytes(const struct scenario_step *step)
{
    return strlen(step->send) + strlen(step->hex) / 2;
}

static enum sim_status check_console(const struct scenario_vm *vm, size_t index,
                                     const struct document_node *root,
                                     struct sim_error *error)
{
    char path[SCENARIO_PATH_BYTES];
    char item[SCENARIO_PATH_BYTES / 2];
    uint64_t last_ns = 0;
    size_t bytes = 0;

    for (size_t i = 0; i < vm->console_count; i++) {
        const struct scenario_step *step = &vm->console[i];
        const char *key;
        const char *fault = step_fault(step, &key);

        bytes += step_bytes(step);
        if (!fault && bytes > SCENARIO_TYPED_BYTES_MAX) {
            fault = "with this, more than 256 KiB are typed at one console";
            key = *step->send ? ".send" : ".hex";
        }
        if (!fault && step->at_ns < last_ns) {
            fault = "is before a step above; expected times in order";
            key = ".at";
        }
        if (step->at_ns != SCENARIO_NO_TIME)
            last_ns = step->at_ns;
        if (!fault)
            continue;
        snprintf(item, sizeof item, "console[%zu]%s", i, key);
        return scenario_refuse(root, error, scenario_vm_path(path, index, item),
                               "%s", fault);
    }
    return SIM_OK;
}

/* Devices need a bus, and a disk needs a size. */
static enum sim_status check_devices(const struct scenario_vm *vm, size_t index,
                                     const struct document_node *root,
                                     struct sim_error *error)
{
    char path[SCENARIO_PATH_BYTES];
    char item[SCENARIO_PATH_BYTES / 2];

    if (!vm->vmbus && (vm->disk_count > 0 || vm->nic_count > 0))
        return scenario_refuse(
            root, error,
            scenario_vm_path(path, index,
                             vm->disk_count > 0 ? "disks" : "nics"),
            "the VM has no VMBus; expected vmbus: true");
    if (vm->shutdown_at_ns != SCENARIO_NO_TIME &&
        (!vm->vmbus || !vm->integration.shutdown))
        return scenario_refuse(
            root, error, scenario_vm_path(path, index, "shutdown_at"),
            "the guest has no service for it; expected vmbus: true "
            "and integration.shutdown: true");
    for (size_t i = 0; i < vm->disk_count; i++) {
        if (vm->disks[i].bytes != SCENARIO_NO_SIZE || *vm->disks[i].file)
            continue;
        snprintf(item, sizeof item, "disks[%zu]", i);
        return scenario_refuse(
            root, error, scenario_vm_path(path, index, item),
            "neither size nor file is given; expected at least one "
            "of them, such as {size: 64MiB}");
    }
    return SIM_OK;
}

static enum sim_status check_vm(const struct scenario_vm *vm, size_t index,
                                const struct document_node *root,
                                struct sim_error *error)
{
    char path[SCENARIO_PATH_BYTES];
    char name[SCENARIO_NAME_BYTES_MAX + 16];
    char reserve[UNITS_TEXT_BYTES];
    char limit[UNITS_TEXT_BYTES];

    units_print(UNITS_FRACTION, vm->reserve, reserve);
    units_print(UNITS_FRACTION, vm->limit, limit);
    if (vm->reserve > vm->limit)
        return scenario_refuse(
            root, error, scenario_vm_path(path, index, "reserve"),
            "a reserve of %s is more than the limit of %s; expected "
            "at most the limit",
            reserve, limit);
    if (vm->count > 1 && snprintf(name, sizeof name, "%s-%" PRIu32, vm->name,
                                  vm->count) > SCENARIO_NAME_BYTES_MAX)
        return scenario_refuse(
            root, error, scenario_vm_path(path, index, "name"),
            "'%s' is too long; expected a name of at most %d "
            "characters with its number",
            name, SCENARIO_NAME_BYTES_MAX);
    if (check_nodes(vm, index, root, error) != SIM_OK ||
        check_devices(vm, index, root, error) != SIM_OK ||
        check_console(vm, index, root, error) != SIM_OK)
        return error->status;
    return check_guest(&vm->guest, index, root, error);
}

static enum sim_status check_memory(const struct scenario *scenario,
                                    const struct document_node *root,
                                    struct sim_error *error)
{
    uint64_t free_bytes = scenario_memory_bytes(scenario);
    char wanted[UNITS_TEXT_BYTES];
    char left[UNITS_TEXT_BYTES];
    char path[SCENARIO_PATH_BYTES];

    units_print(UNITS_BYTES, free_bytes, left);
    if (scenario->root.memory_bytes > free_bytes) {
        units_print(UNITS_BYTES, scenario->root.memory_bytes, wanted);
        return scenario_refuse(
            root, error, "root.memory",
            "%s, but the host's nodes have %s; expected no more", wanted, left);
    }
    free_bytes -= scenario->root.memory_bytes;
    for (size_t i = 0; i < scenario->vm_count; i++) {
        const struct scenario_vm *vm = &scenario->vms[i];
        /* At most 2^10 VMs of 2^42 bytes. */
        uint64_t bytes = vm->count * vm->memory_bytes;

        units_print(UNITS_BYTES, bytes, wanted);
        units_print(UNITS_BYTES, free_bytes, left);
        if (bytes > free_bytes)
            return scenario_refuse(
                root, error, scenario_vm_path(path, i, "memory"),
                "%s in all, but root.memory and the VMs above "
                "leave %s of the host's memory; expected no more "
                "than that (host.nodes[].memory is the host's)",
                wanted, left);
        free_bytes -= bytes;
    }
    return SIM_OK;
}

struct vm_name {
    char text[SCENARIO_NAME_BYTES_MAX + 1];
    size_t vm; /* index of the entry it comes from */
};

static int compare_names(const void *a, const void *b)
{
    const struct vm_name *left = a;
    const struct vm_name *right = b;
    int order = strcmp(left->text, right->text);

    if (order != 0)
        return order;
    return (left->vm > right->vm) - (left->vm < right->vm);
}

static enum sim_status check_names(const struct scenario *scenario,
                                   const struct document_node *root,
                                   struct sim_error *error)
{
    uint32_t total = scenario_vm_total(scenario);
    struct vm_name *names = calloc(total + 1, sizeof *names);
    char path[SCENARIO_PATH_BYTES];
    enum sim_status status = SIM_OK;
    uint32_t filled = 0;

    if (!names)
        return sim_fail(error, SIM_NO_MEMORY, "vms: out of memory");
    for (size_t i = 0; i < scenario->vm_count; i++) {
        for (uint32_t n = 0; n < scenario->vms[i].count; n++, filled++) {
            scenario_vm_name(&scenario->vms[i], n, names[filled].text);
            names[filled].vm = i;
        }
    }
    qsort(names, total, sizeof *names, compare_names);
    for (uint32_t i = 1; i < total && status == SIM_OK; i++) {
        if (strcmp(names[i - 1].text, names[i].text) == 0)
            status = scenario_refuse(
                root, error, scenario_vm_path(path, names[i].vm, "name"),
                "'%s' is the name of a VM of vms[%zu] already; "
                "expected a name of its own",
                names[i].text, names[i - 1].vm);
    }
    free(names);
    return status;
}

static enum sim_status check_vms(const struct scenario *scenario,
                                 const struct document_node *root,
                                 struct sim_error *error)
{
    enum sim_status status = SIM_OK;
    uint64_t total = 0;

    for (size_t i = 0; i < scenario->vm_count && status == SIM_OK; i++) {
        total += scenario->vms[i].count;
        status = check_vm(&scenario->vms[i], i, root, error);
    }
    if (status == SIM_OK && total > SCENARIO_VMS_MAX)
        status = scenario_refuse(root, error, "vms",
                                 "%" PRIu64 " VMs in all; expected at most %d",
                                 total, SCENARIO_VMS_MAX);
    if (status == SIM_OK)
        status = check_names(scenario, root, error);
    return status;
}

static enum sim_status check_samples(const struct scenario *scenario,
                                     const struct document_node *root,
                                     struct sim_error *error)
{
    uint64_t samples = scenario->duration_ns / scenario->counters.interval_ns;

    if (samples > SAMPLES_MAX)
        return scenario_refuse(root, error, "counters.interval",
                               "%" PRIu64
                               " samples over the duration; expected at "
                               "most %d",
                               samples, SAMPLES_MAX);
    return SIM_OK;
}

static enum sim_status write_notes(struct scenario *scenario,
                                   const struct document_node *root,
                                   struct sim_error *error)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *notes = open_memstream(&text, &bytes);

    if (!notes)
        return sim_fail(error, SIM_NO_MEMORY, "notes: out of memory");
    scenario_note_timeline(scenario, root, notes);
    if (fclose(notes) != 0) {
        free(text);
        return sim_fail(error, SIM_NO_MEMORY, "notes: out of memory");
    }
    if (bytes > 0) {
        scenario->notes = text;
        return SIM_OK;
    }
    free(text);
    return SIM_OK;
}

enum sim_status scenario_check(struct scenario *scenario,
                               const struct document_node *root,
                               struct sim_error *error)
{
    enum sim_status status = check_processors(scenario, root, error);

    if (status == SIM_OK)
        status = check_vms(scenario, root, error);
    if (status == SIM_OK)
        status = check_memory(scenario, root, error);
    if (status == SIM_OK)
        status = check_samples(scenario, root, error);
    if (status == SIM_OK)
        status = scenario_validation_check(scenario, root, error);
    if (status == SIM_OK)
        status = scenario_check_sched(scenario, root, error);
    if (status == SIM_OK)
        status = scenario_check_timeline(scenario, root, error);
    if (status == SIM_OK)
        status = write_notes(scenario, root, error);
    return status;
}
