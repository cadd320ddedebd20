/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VMs of a scenario, and what becomes of what they say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"
#include "sim/machine/machine_private.h"

/* What the guest is offered. One from whom all is withheld finds no hypervisor
 * either. */
static void offer(struct vm_config *config,
                  const struct scenario_enlightenments *enlightenments)
{
    const struct {
        bool offered;
        uint64_t privileges, features;
    } list[] = {
#define ENLIGHTENMENT(key, privileges, features, help)                         \
    {enlightenments->key, (privileges), (features)},
#include "sim/scenario/enlightenments.def"
#undef ENLIGHTENMENT
    };
    bool anything = false;

    config->privileges = PRIVILEGES_DEFAULT;
    config->features = FEATURES_KNOWN;
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        anything |= list[i].offered;
        if (list[i].offered)
            continue;
        config->privileges &= ~list[i].privileges;
        config->features &= ~list[i].features;
    }
    if (!enlightenments->hypervisor || !anything) {
        config->privileges = 0;
        config->features &= FEATURE_X2APIC;
    }
}

static enum sim_status add_module(struct machine *m, struct guest_image *image,
                                  struct guest_module *module, const char *file,
                                  const char *command_line,
                                  struct sim_error *error)
{
    const struct machine_image_name name = {file, false};
    const struct machine_image *from;

    if (machine_images_find(m, name, &from, error) != SIM_OK)
        return error->status;
    *module = (struct guest_module){.name = file,
                                    .bytes = from->bytes,
                                    .size = from->size,
                                    .command_line = command_line};
    image->module_count++;
    return SIM_OK;
}

static enum sim_status add_modules(struct machine *m, struct machine_vm *vm,
                                   const struct scenario_guest *guest,
                                   struct guest_image *image,
                                   struct sim_error *error)
{
    vm->modules = calloc(guest->module_count + 1, sizeof(*vm->modules));
    if (!vm->modules)
        return sim_fail(error, SIM_NO_MEMORY, "no memory for modules");
    image->modules = vm->modules;
    if (*guest->initrd && add_module(m, image, &vm->modules[0], guest->initrd,
                                     NULL, error) != SIM_OK)
        return error->status;
    for (size_t i = 0; i < guest->module_count; i++) {
        if (add_module(m, image, &vm->modules[i], guest->modules[i].file,
                       guest->modules[i].cmdline, error) != SIM_OK)
            return error->status;
    }
    return SIM_OK;
}

#define FLAT_LOAD_REAL 0x7c00 /* where a boot sector goes */
#define FLAT_LOAD 0x100000

static void set_flat(struct guest_image *image,
                     const struct scenario_guest *guest)
{
    image->bits = (unsigned)strtoul(guest->bits, NULL, 10);
    image->load = guest->load;
    if (image->load == SCENARIO_NO_ADDRESS)
        image->load = image->bits == 16 ? FLAT_LOAD_REAL : FLAT_LOAD;
    image->entry =
        guest->entry == SCENARIO_NO_ADDRESS ? image->load : guest->entry;
}

/* Reads what the VM starts from. */
static enum sim_status make_image(struct machine *m, struct machine_vm *vm,
                                  const struct scenario_guest *guest,
                                  struct guest_image *image,
                                  struct sim_error *error)
{
    const struct machine_image *from;

    if (machine_images_find(m, machine_images_main(guest), &from, error) !=
        SIM_OK)
        return error->status;
    vm->command_line = machine_command_line(guest, m->scenario->seed, vm->name);
    if (!vm->command_line)
        return sim_fail(error, SIM_NO_MEMORY, "no memory for its command line");
    *image = (struct guest_image){.name = from->name.text,
                                  .bytes = from->bytes,
                                  .size = from->size,
                                  .command_line = vm->command_line};
    if (*guest->kernel)
        image->format = GUEST_LINUX;
    if (*guest->flat) {
        image->format = GUEST_FLAT;
        set_flat(image, guest);
    }
    return add_modules(m, vm, guest, image, error);
}

/* A VM's devices as VMMS wants them; owns its arrays and paths. */
struct devices {
    struct vm_disk *disks;
    char **paths; /* one for each disk, or NULL */
    struct vm_nic *nics;
};

static void free_devices(struct devices *devices, size_t disk_count)
{
    for (size_t i = 0; devices->paths && i < disk_count; i++)
        free(devices->paths[i]);
    free(devices->paths);
    free(devices->disks);
    free(devices->nics);
}

static bool make_devices(const struct scenario *scenario,
                         const struct scenario_vm *from,
                         struct devices *devices)
{
    devices->disks = calloc(from->disk_count + 1, sizeof(*devices->disks));
    devices->paths = calloc(from->disk_count + 1, sizeof(*devices->paths));
    devices->nics = calloc(from->nic_count + 1, sizeof(*devices->nics));
    if (!devices->disks || !devices->paths || !devices->nics)
        return false;
    for (size_t i = 0; i < from->disk_count; i++) {
        const struct scenario_disk *disk = &from->disks[i];

        if (*disk->file) {
            devices->paths[i] = scenario_path(scenario, disk->file);
            if (!devices->paths[i])
                return false;
        }
        devices->disks[i] = (struct vm_disk){
            .image_path = devices->paths[i],
            .bytes = disk->bytes == SCENARIO_NO_SIZE ? 0 : disk->bytes,
            .latency_ns = disk->latency_ns,
        };
    }
    for (size_t i = 0; i < from->nic_count; i++)
        devices->nics[i].vswitch = from->nics[i].vswitch;
    return true;
}

/* Completes `config` by what the VM finds on VMBus, and has VMMS add it. */
static enum sim_status add_with_devices(struct machine *m,
                                        const struct scenario_vm *from,
                                        struct vm_config *config,
                                        uint32_t *number,
                                        struct sim_error *error)
{
    struct devices devices = {0};
    enum sim_status status;

    config->vmbus = from->vmbus;
    config->heartbeat = from->integration.heartbeat;
    config->shutdown = from->integration.shutdown;
    config->timesync = from->integration.timesync;
    config->disk_count = from->disk_count;
    config->nic_count = from->nic_count;
    if (make_devices(m->scenario, from, &devices)) {
        config->disks = devices.disks;
        config->nics = devices.nics;
        status = vmms_add(m->vmms, config, number, error);
    } else {
        status = sim_fail(error, SIM_NO_MEMORY, "no memory for VM \"%s\"",
                          config->name);
    }
    free_devices(&devices, from->disk_count);
    return status;
}

static void on_shutdown(void *context, cycles_t now)
{
    struct machine_vm *vm = context;

    vmms_shutdown(vm->machine->vmms, vm->number, now);
}

static enum sim_status add_vm(struct machine *m, const struct scenario_vm *from,
                              uint32_t index, struct sim_error *error)
{
    struct machine_vm *vm = &m->vms[m->vm_count];
    struct guest_image image;

    vm->machine = m;
    vm->number = m->vm_count;
    vm->from = from;
    vm->index = index;
    vm->starts_to_come = machine_timeline_starts(m, vm);
    scenario_vm_name(from, index, vm->name);
    if (make_image(m, vm, &from->guest, &image, error) != SIM_OK)
        return sim_prefix(error, "VM \"%s\"", vm->name);

    struct vm_config config = {
        .name = vm->name,
        .vp_count = from->vps,
        .vp_count_max = from->vps_max,
        .threads_per_core = from->threads_per_core,
        .node_count = from->numa_nodes,
        .one_node = !m->scenario->hypervisor.numa_spanning,
        .memory_bytes = from->memory_bytes,
        .weight = from->weight,
        .reserve = from->reserve,
        .cap = from->limit,
        .group = machine_timeline_group(m, from->group),
        .affinity = from->affinity,
        .image = image,
        .console_baud = from->console_baud,
    };
    uint32_t number = 0;

    vm->shutdown_at_ns = from->shutdown_at_ns;
    vm->shutdown = (struct event){.kind = EVENT_TIMELINE,
                                  .name = "shutdown",
                                  .fire = on_shutdown,
                                  .context = vm};
    console_script_init(&vm->script, from->console, from->console_count);
    offer(&config, &from->enlightenments);
    m->vm_count++;
    if (add_with_devices(m, from, &config, &number, error) != SIM_OK)
        return error->status;
    CHECK(number == vm->number);
    return SIM_OK;
}

enum sim_status machine_vms_create(struct machine *m, struct sim_error *error)
{
    const struct scenario *scenario = m->scenario;

    m->vms = calloc(scenario_vm_total(scenario) + 1, sizeof(*m->vms));
    if (!m->vms)
        return sim_fail(error, SIM_NO_MEMORY, "no memory for VMs");
    for (size_t i = 0; i < scenario->vm_count; i++) {
        for (uint32_t n = 0; n < scenario->vms[i].count; n++) {
            if (add_vm(m, &scenario->vms[i], n, error) != SIM_OK)
                return error->status;
        }
    }
    return SIM_OK;
}

void machine_vms_free(struct machine *m)
{
    for (uint32_t i = 0;
         m->vms && i <= m->vm_count && i < scenario_vm_total(m->scenario);
         i++) {
        free(m->vms[i].command_line);
        free(m->vms[i].modules);
    }
    free(m->vms);
}

void machine_vms_start(struct machine *m)
{
    for (uint32_t i = 0; i < m->vm_count; i++) {
        struct machine_vm *vm = &m->vms[i];

        if (!scenario_vm_starts_off(m->scenario, vm->from, vm->index))
            vmms_start(m->vmms, i, cycles(0));
        if (vm->shutdown_at_ns != SCENARIO_NO_TIME)
            event_schedule(m->events, &vm->shutdown,
                           clock_from_ns(m->clock, vm->shutdown_at_ns));
    }
}

static void note(struct machine *m, enum sim_status status,
                 const struct sim_error *error)
{
    if (status != SIM_OK)
        machine_note_failure(m, status, "%s", error->message);
}

static void put_partition(struct machine *m, uint32_t vm_number)
{
    struct sim_error error;

    if (m->results)
        note(m,
             results_put_partition(m->results,
                                   vmms_partition(m->vmms, vm_number).v,
                                   m->vms[vm_number].name, &error),
             &error);
}

void machine_vms_report(struct machine *m, struct hv_vp *vp)
{
    partition_id_t id = vp->partition->id;

    if (vp->partition == m->hv->root) {
        pc_report_add_root_vp(m->report, vp->index, &vp->counters);
        wait_book_add_vp(m->waits, WAIT_BOOK_ROOT, "Root", vp);
        return;
    }
    for (uint32_t i = 0; i < m->vm_count; i++) {
        if (vmms_partition(m->vmms, i).v != id.v)
            continue;
        put_partition(m, i);
        pc_report_add_vp(m->report, m->vms[i].name, vp->index, &vp->counters);
        wait_book_add_vp(m->waits, i, m->vms[i].name, vp);
    }
}

/* The VM has nothing more to do. When all have not, the run may end. */
static void vm_finish(struct machine_vm *vm)
{
    struct machine *m = vm->machine;

    if (vm->finished || vm->starts_to_come > 0)
        return;
    vm->finished = true;
    m->finished_count++;
    if (m->finished_count == m->vm_count)
        run_end_early(m);
}

static void on_state(void *context, uint32_t vm_number, enum vm_state state,
                     cycles_t now)
{
    struct machine *m = context;
    struct machine_vm *vm = &m->vms[vm_number];

    if (state == VM_FAILED)
        vm->starts_to_come = 0; /* in vain */
    if (state == VM_OFF && vm->start_when_off) {
        vm->start_when_off = false;
        vmms_start(m->vmms, vm_number, now);
    } else if (state == VM_OFF || state == VM_FAILED) {
        vm_finish(vm);
    }
}

/*
 * A guest may talk for ever, and what it says is kept in a file: so there is
 * an end to what is kept of one VM (workloads/README.md says so to guests).
 * The line that tells of it comes on top. A console line counts with what
 * keeping it takes besides its text, or empty lines would be free.
 */
#define RESULTS_KEPT_MAX 4096
#define CONSOLE_KEPT_BYTES_MAX (UINT64_C(8) << 20)
#define CONSOLE_LINE_EXTRA_BYTES 128

#define RESULTS_END                                                            \
    "hvsim: 4096 results are kept of a VM; there are no more from here on"
#define CONSOLE_END                                                            \
    "hvsim: 8 MiB are kept of a console; there is no more from here on"

static cycles_t vm_now(const struct machine *m)
{
    return m->stepping ? m->stepping->now : m->now;
}

static void keep_line(struct machine_vm *vm, const char *line)
{
    struct machine *m = vm->machine;
    struct sim_error error;

    if (m->results)
        note(m,
             results_put_console(m->results, vm->name,
                                 clock_to_ns(m->clock, vm_now(m)), line,
                                 &error),
             &error);
}

static void put_console_line(struct machine_vm *vm)
{
    const char *line = console_log_line(&vm->console);
    bool is_open = vm->console_kept <= CONSOLE_KEPT_BYTES_MAX;

    if (is_open)
        vm->console_kept += strlen(line) + CONSOLE_LINE_EXTRA_BYTES;
    if (vm->console_kept <= CONSOLE_KEPT_BYTES_MAX)
        keep_line(vm, line);
    else if (is_open)
        keep_line(vm, CONSOLE_END);
    snprintf(vm->last_line, sizeof(vm->last_line), "%s", line);
    console_log_clear(&vm->console);
}

static void on_result(void *context, uint32_t vm_number, const char *name,
                      const char *value, const char *unit)
{
    struct machine *m = context;
    struct machine_vm *vm = &m->vms[vm_number];
    struct sim_error error;

    if (vm->results_kept > RESULTS_KEPT_MAX)
        return;
    vm->results_kept++;
    if (vm->results_kept > RESULTS_KEPT_MAX)
        keep_line(vm, RESULTS_END);
    else if (m->results)
        note(m,
             results_put_result(m->results, vm->name,
                                clock_to_ns(m->clock, vm->line_at), name, value,
                                unit, &error),
             &error);
}

static void on_done(void *context, uint32_t vm_number)
{
    struct machine *m = context;

    vm_finish(&m->vms[vm_number]);
}

void machine_vms_fail(struct machine_vm *vm, const char *why, const char *text)
{
    struct machine *m = vm->machine;
    struct sim_error error;

    if (vm->failed)
        return;
    vm->failed = true;
    machine_note_failure(m, SIM_RUN_FAILED, "VM \"%s\": %s", vm->name, why);
    if (m->results)
        note(m,
             results_put_failure(m->results, vm->name,
                                 clock_to_ns(m->clock, vm_now(m)), why, text,
                                 &error),
             &error);
}

static void on_adapter(void *context, uint32_t vm_number, uint32_t index,
                       const struct pc_nic *counters)
{
    struct machine *m = context;

    pc_report_add_nic(m->report, m->vms[vm_number].name, index, counters);
}

static void on_disk(void *context, uint32_t vm_number, uint32_t index,
                    const struct pc_disk *counters)
{
    struct machine *m = context;

    pc_report_add_disk(m->report, m->vms[vm_number].name, index, counters);
}

static void on_memory(void *context, uint32_t vm_number,
                      const struct pc_vid *counters)
{
    struct machine *m = context;

    pc_report_add_vid(m->report, m->vms[vm_number].name, counters);
}

static void on_fail(void *context, uint32_t vm_number, const char *why,
                    const char *text)
{
    struct machine *m = context;

    machine_vms_fail(&m->vms[vm_number], why, text);
    /* One that is being turned off because of it finishes when it is off. */
    if (vmms_state(m->vmms, vm_number) != VM_STOPPING)
        vm_finish(&m->vms[vm_number]);
}

static void on_group_fail(void *context, const char *why)
{
    machine_note_failure(context, SIM_RUN_FAILED, "%s", why);
}

static void on_console(void *context, uint32_t vm_number, uint8_t byte)
{
    struct machine *m = context;
    struct machine_vm *vm = &m->vms[vm_number];

    trace_add(m->trace, &(struct trace_record){
                            .time = vm_now(m),
                            .lp = TRACE_NO_LP,
                            .vp = TRACE_NO_VP,
                            .partition = vmms_partition(m->vmms, vm_number).v,
                            .kind = TRACE_CONSOLE,
                            .detail = byte,
                        });
    if (console_log_is_empty(&vm->console))
        vm->line_at = vm_now(m);
    if (console_log_add(&vm->console, byte))
        put_console_line(vm);
    machine_console_see(vm, byte, vm_now(m));
}

void machine_vms_flush_consoles(struct machine *m)
{
    for (uint32_t i = 0; i < m->vm_count; i++) {
        if (!console_log_is_empty(&m->vms[i].console))
            put_console_line(&m->vms[i]);
    }
}

struct vmms_listener machine_vms_listener(struct machine *machine)
{
    return (struct vmms_listener){
        .context = machine,
        .on_state = on_state,
        .on_console = on_console,
        .on_result = on_result,
        .on_done = on_done,
        .on_memory = on_memory,
        .on_fail = on_fail,
        .on_group_fail = on_group_fail,
        .on_adapter = on_adapter,
        .on_disk = on_disk,
    };
}
