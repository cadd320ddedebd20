/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_MACHINE_SCRIPT_HOST_H
#define HVSIM_TESTS_MACHINE_SCRIPT_HOST_H

/**
 * A whole machine, real from the loader to the counters, whose VMs execute
 * scripts (script_engine.h). Clocks run at 1 GHz: a cycle is a nanosecond.
 */

#include "sim/machine/machine_private.h"
#include "tests/machine/fake_results.h"
#include "tests/machine/script_engine.h"

#define SCRIPT_OPS_MAX 340 /* a page of them */
#define SCRIPT_VPS_MAX 8
#define SCRIPT_VMS_MAX 6
#define SCRIPT_EVENTS_MAX 8

struct script {
    struct script_op ops[SCRIPT_OPS_MAX];
    unsigned count;
};

void script_add(struct script *script, enum script_code code, uint32_t a,
                uint32_t b, uint8_t high);

/** What a VP's script begins with: the x2APIC on, an identity that allows
 *  hypercalls and, on VP 0, the start of the others; then interrupts. */
void script_begin(struct script *script, uint32_t vp, uint32_t vp_count);

/** Starts over at operation `first`. */
void script_repeat(struct script *script, unsigned first);

/** HLT, for ever. */
void script_sleep(struct script *script);

/** OUT of each character to COM1. */
void script_print(struct script *script, const char *text);

struct script_vm {
    uint32_t vps;
    uint32_t vps_at_first;           /* the others come later; 0: vps */
    const char *group;               /* NULL: none */
    struct lp_set affinity;          /* none: all */
    uint64_t memory_bytes;           /* 0: 2 MiB */
    uint32_t threads_per_core;       /* 0: 1 */
    uint32_t weight, reserve, limit; /* 0: the default */
    struct script script[SCRIPT_VPS_MAX];
};

/** The guest program of one VM: a multiboot image as any other. Returns its
 *  size. */
#define SCRIPT_IMAGE_BYTES_MAX ((2 + SCRIPT_VPS_MAX) * 4096)
size_t script_image(const struct script_vm *vm, uint8_t *image);

struct script_config {
    uint32_t nodes; /* with `lps` each */
    uint32_t lps, root_vps;
    uint32_t smt;                     /* LPs of a core */
    uint32_t smt_speed, remote_speed; /* as in struct scenario_host */
    uint64_t node_memory_bytes;       /* 0: 64 MiB */
    uint64_t slice_ns, quantum_ns, interval_ns, duration_ns;
    const char *timing;
    const char *scheduler;
    /* As in struct scenario_hypervisor. */
    uint64_t preempt_after_ns, wake_boost_ns, migrate_after_ns;
    uint64_t node_patience_ns, period_ns;
    bool spin_yields;
    uint32_t vm_count; /* named "vm0", "vm1", ... */
    struct script_vm vms[SCRIPT_VMS_MAX];
    uint32_t group_count;
    struct scenario_group groups[2];
    uint32_t at_count;
    struct scenario_event at[SCRIPT_EVENTS_MAX]; /* of script_at() */
};

/** Two LPs, as many root VPs, no VM; 1 ms slices, 10 us quantum, 20 ms. What
 *  a policy has besides is a tenth of the scenario's default, as the slice is,
 *  but for the period of limits: 10 ms. */
void script_config_init(struct script_config *config);

/** An entry of the timeline that does nothing yet. */
struct scenario_event *script_at(struct script_config *config,
                                 uint64_t time_ns);

struct script_host {
    struct scenario scenario;
    struct scenario_group groups[2];
    struct scenario_event at[SCRIPT_EVENTS_MAX];
    struct scenario_node nodes[8];
    struct scenario_vm vms[SCRIPT_VMS_MAX];
    char names[SCRIPT_VMS_MAX][8];
    struct machine *machine;
    struct results results;
    struct sim_error error;
};

/** Builds the machine; aborts if it cannot be built. */
void script_host_create(struct script_host *host,
                        const struct script_config *config);
/** Runs it to its end. */
enum sim_status script_host_run(struct script_host *host);
void script_host_destroy(struct script_host *host);

#endif
