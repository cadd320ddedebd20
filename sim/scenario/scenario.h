/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_SCENARIO_SCENARIO_H
#define HVSIM_SIM_SCENARIO_SCENARIO_H

/**
 * A scenario: the machine to build and what runs on it, read from a YAML file
 * into plain numbers with every default filled in. Whoever holds a struct
 * scenario need not check it again: what the file can get wrong has been
 * refused with file, line and column before this struct exists.
 *
 * The parameters, their types, limits, defaults and help stand in
 * scenario_keys.def, once.
 */

#include <stddef.h>

#include "hypervisor/lp_set.h"
#include "sim/core/error.h"
#include "sim/core/types.h"

/** A share of a processor or of anything else: 65536 is all of it. */
#define SCENARIO_FRACTION_ONE 65536

struct document_node;

#define SCENARIO_NAME_BYTES_MAX 64 /* of scenarios, VMs and workloads */
#define SCENARIO_FILE_BYTES_MAX 4096
#define SCENARIO_CMDLINE_BYTES_MAX 4096
#define SCENARIO_MODULES_MAX 16 /* per VM */
#define SCENARIO_ADDRESS_MAX UINT64_C(0xffffffff)
#define SCENARIO_NO_ADDRESS UINT64_MAX /* not given */
#define SCENARIO_VPS_MAX 64            /* per VM */
#define SCENARIO_VMS_MAX 1024          /* per host, as Hyper-V */
#define SCENARIO_LPS_MAX 512           /* per host, as Windows Server 2019 */

#define SCENARIO_NO_SIZE UINT64_MAX /* not given */

#define SCENARIO_GROUPS_MAX 256
#define SCENARIO_EVENTS_MAX 10000
#define SCENARIO_NOT_SET UINT64_MAX /* a control that is left as it is */
#define SCENARIO_NO_GROUP "none"
#define SCENARIO_WEIGHT_DEFAULT 100

/* What is typed at consoles. */
#define SCENARIO_NO_TIME UINT64_MAX /* not given */
#define SCENARIO_EXPECT_BYTES_MAX 1024
#define SCENARIO_SEND_BYTES_MAX 4096         /* of one step */
#define SCENARIO_TYPED_BYTES_MAX (256 << 10) /* of all steps of a VM */
#define SCENARIO_STEPS_MAX 10000             /* of a VM */

/** A NUMA node. */
struct scenario_node {
    uint32_t lps;
    uint64_t memory_bytes;
};

struct scenario_host {
    const char *profile; /* prices, caches and TLBs of an LP */
    uint64_t frequency_hz;
    struct scenario_node *nodes;
    size_t node_count;     /* at least 1 */
    uint32_t smt;          /* LPs of a core; each node has whole cores */
    uint32_t smt_speed;    /* of each while both are busy, in 1/65536 */
    uint32_t remote_speed; /* of a VP outside its NUMA node, likewise */
};

struct scenario_hypervisor {
    const char *scheduler;   /* a name of sched_find() */
    const char *translation; /* "slat" */
    const char *timing;      /* "table", "unit" or "null" */
    uint64_t sync_quantum_ns;
    uint64_t timeslice_ns;
    uint64_t preempt_after_ns;
    uint64_t wake_boost_ns;
    uint64_t migrate_after_ns;
    uint64_t node_patience_ns;
    uint64_t control_period_ns;
    const char *long_spin_wait; /* "yield" or "ignore" */
    uint32_t pause_filter;      /* PAUSEs; 0: off */
    bool numa_spanning;
};

struct scenario_root {
    uint32_t vps; /* 1 .. LPs of the host */
    uint64_t memory_bytes;
};

/** One word KEY=VALUE of a guest's command line. */
struct scenario_argument {
    const char *key;
    const char *value;
};

/** A file beside a multiboot guest. */
struct scenario_module {
    const char *file;
    const char *cmdline;
};

/** What a VM runs: one of `workload`, `kernel`, `multiboot` and `flat` is
 *  given. What is not given is empty. Files are as the scenario names them:
 *  see scenario_path(). */
struct scenario_guest {
    const char *workload; /* name of a built-in guest program; not a path */
    struct scenario_argument *args; /* in the order of the file */
    size_t arg_count;
    const char *kernel; /* of Linux */
    const char *initrd;
    const char *cmdline;
    const char *multiboot;
    struct scenario_module *modules;
    size_t module_count;
    const char *flat;
    const char *bits;     /* "16", "32" or "64" */
    uint64_t load, entry; /* SCENARIO_NO_ADDRESS: not given */
};

/** One step of what is typed at a VM's console: when, then what. */
struct scenario_step {
    const char *expect;  /* type when the guest has printed this; or "" */
    uint64_t timeout_ns; /* it has that much time to; SCENARIO_NO_TIME */
    uint64_t after_ns;   /* and wait this long */
    uint64_t at_ns;      /* or type at this time; SCENARIO_NO_TIME */
    const char *send;    /* text, or */
    const char *hex;     /* bytes, two digits each; or both "" */
};

/** What a guest is offered: see enlightenments.def. */
struct scenario_enlightenments {
    bool hypervisor;
#define ENLIGHTENMENT(key, privileges, features, help) bool key;
#include "sim/scenario/enlightenments.def"
#undef ENLIGHTENMENT
};

#define SCENARIO_DISKS_MAX 64 /* of a VM, as a SCSI controller has */
#define SCENARIO_NICS_MAX 8   /* of a VM, as Hyper-V allows */

/** A disk, on VMBus. */
struct scenario_disk {
    uint64_t bytes;   /* SCENARIO_NO_SIZE: not given; then there is a file */
    const char *file; /* its image, or "" */
    uint64_t latency_ns;
};

/** A network adapter, on VMBus. */
struct scenario_nic {
    const char *vswitch; /* its name */
};

/** Integration services, by VMBus. */
struct scenario_integration {
    bool heartbeat, shutdown, timesync;
};

/** `count` VMs alike; see scenario_vm_name(). */
struct scenario_vm {
    const char *name;
    uint32_t count;
    uint32_t vps;              /* 1 .. SCENARIO_VPS_MAX */
    uint32_t vps_max;          /* at least vps and what the timeline adds */
    uint32_t threads_per_core; /* 1 or 2; divides vps and vps_max */
    uint64_t memory_bytes;
    uint32_t numa_nodes; /* 1 .. vps */
    uint32_t weight;     /* 1 .. 10000 */
    uint32_t reserve;    /* of each VP's time, in 1/65536; at most limit */
    uint32_t limit;
    const char *group;      /* of scenario.groups, or "" */
    struct lp_set affinity; /* none: all LPs */
    bool vmbus;
    /* With vmbus alone: */
    struct scenario_integration integration;
    uint64_t shutdown_at_ns; /* SCENARIO_NO_TIME: not asked */
    struct scenario_disk *disks;
    size_t disk_count;
    struct scenario_nic *nics;
    size_t nic_count;
    struct scenario_enlightenments enlightenments;
    struct scenario_guest guest;
    struct scenario_step *console;
    size_t console_count;
    uint32_t console_baud; /* bits a second, ten to a byte */
};

/** A CPU group. */
struct scenario_group {
    const char *name;
    uint32_t cap;      /* of its LPs' time, in 1/65536 */
    struct lp_set lps; /* none: all LPs */
};

/** Controls to change: of `vm`, or else of `group`. What is left as it is:
 *  SCENARIO_NOT_SET, "" or no LPs. */
struct scenario_set {
    const char *vm;
    uint64_t weight, reserve, limit;
    struct lp_set affinity;
    const char *group; /* SCENARIO_NO_GROUP: out of its group */
    uint64_t cap;
    struct lp_set lps;
};

struct scenario_add_vps {
    const char *vm; /* "": nothing is added */
    uint64_t count;
};

/** An entry of the timeline: one of its kinds is given. */
struct scenario_event {
    uint64_t time_ns;
    struct scenario_set set;
    const char *start, *stop; /* a VM, or "" */
    struct scenario_add_vps add_vps;
    char *place; /* "file:line:column: at[2]", for messages; owned */
};

struct scenario_counters {
    uint64_t interval_ns;
    bool trace; /* fill the event view */
};

/* What hvsim validate holds runs against. */
#define SCENARIO_ROWS_MAX 16
#define SCENARIO_RUNS_MAX 8    /* of a row */
#define SCENARIO_CHECKS_MAX 16 /* of a row */

/** A run that a row needs: the scenario, with parameters changed. */
struct scenario_validation_run {
    const char *name; /* not "main" or "temp" */
    bool may_fail;
    struct scenario_argument *set;
    size_t set_count;
};

/** A figure and its bounds. Numbers are as they were written; "": not given.
 *  `from` or `to` is, and `published` lies between them. */
struct scenario_validation_check {
    const char *name;
    const char *unit;
    const char *published;
    const char *from;
    const char *to;
    const char *measure; /* SQL */
};

struct scenario_validation {
    uint32_t row;
    const char *statement;
    const char *source;
    const char *kind; /* "definitional" or "calibration" */
    const char *fitted;
    const char *note;
    struct scenario_validation_run *runs; /* none: the scenario as it is */
    size_t run_count;
    struct scenario_validation_check *checks;
    size_t check_count; /* at least 1 */
};

struct scenario {
    uint32_t version; /* of the file format */
    const char *name;
    uint64_t seed;
    uint64_t duration_ns;
    struct scenario_host host;
    struct scenario_hypervisor hypervisor;
    struct scenario_root root;
    struct scenario_vm *vms;
    size_t vm_count; /* entries, each standing for `count` VMs */
    struct scenario_group *groups;
    size_t group_count;
    struct scenario_event *at; /* in the order of the file */
    size_t at_count;
    struct scenario_counters counters;
    struct scenario_validation *validation;
    size_t validation_count;
    /** What is valid but will not do what it seems to, one note a line with
     *  its place, each line ended; NULL if there is nothing to say. */
    char *notes;
    struct document_node *document; /* what was read; owns the strings */
    char *folder; /* of the scenario's file, with the last '/'; or "" */
};

/** The path of a file that the scenario names: relative to the folder of the
 *  scenario's own file. The caller owns it (free()); NULL: no memory. */
char *scenario_path(const struct scenario *scenario, const char *file);

/** `--set PATH=VALUE`: a value that takes the place of the file's. */
struct scenario_override {
    const char *path;    /* "vms.web.weight", "host.nodes[0].lps" */
    const char *value;   /* a scalar, or a YAML flow collection: "{lps: 2}" */
    const char *written; /* as its author wrote it, for error messages */
};

/**
 * Reads the scenario in file `path` ("-" is standard input) and gives it to
 * the caller in `*out`, with the overrides applied in order. The overrides are
 * borrowed for the call. On failure `*out` is NULL and `error` says where and
 * why: SIM_BAD_SCENARIO, SIM_NO_INPUT, SIM_IO_ERROR or SIM_NO_MEMORY;
 * SIM_BAD_USAGE when an override is to blame.
 */
MUST_USE enum sim_status
scenario_read_file(struct scenario **out, const char *path,
                   const struct scenario_override *overrides,
                   size_t override_count, struct sim_error *error);

/** The same for `bytes` bytes of text; `file` names them in messages. */
MUST_USE enum sim_status
scenario_read_text(struct scenario **out, const char *file, const char *text,
                   size_t bytes, const struct scenario_override *overrides,
                   size_t override_count, struct sim_error *error);

/** Does nothing for NULL. */
void scenario_free(struct scenario *scenario);

/**
 * Every parameter with the value it has got, as YAML that reads back to an
 * equal scenario. The caller owns the text (free()).
 */
char *scenario_resolved_yaml(const struct scenario *scenario);

/**
 * Writes the name of the VM `index` (0 .. count - 1) of `vm`: "web" if there
 * is one such VM, else "web-1", "web-2", ...
 */
void scenario_vm_name(const struct scenario_vm *vm, uint32_t index,
                      char name[static SCENARIO_NAME_BYTES_MAX + 1]);

/** Whether the timeline's `name` stands for that VM: its own name, or that of
 *  the entry it comes from. */
bool scenario_vm_is_named(const struct scenario_vm *vm, uint32_t index,
                          const char *name);

/** Whether that VM is off until the timeline starts it. */
bool scenario_vm_starts_off(const struct scenario *scenario,
                            const struct scenario_vm *vm, uint32_t index);

/** The VM or group that an event is about, whatever it does. */
const char *scenario_event_vm(const struct scenario_event *event); /* or "" */

/** Whether the run is over by then: nothing comes of the event. */
bool scenario_event_is_late(const struct scenario *scenario,
                            const struct scenario_event *event);

/** The index of the group of that name; -1 if there is none. */
int scenario_group_find(const struct scenario *scenario, const char *name);

uint32_t scenario_lp_count(const struct scenario *scenario);
uint64_t scenario_memory_bytes(const struct scenario *scenario);

/** VMs, with each entry of `vms` counted `count` times. */
uint32_t scenario_vm_total(const struct scenario *scenario);

#endif
