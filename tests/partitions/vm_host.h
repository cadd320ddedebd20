/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_PARTITIONS_VM_HOST_H
#define HVSIM_TESTS_PARTITIONS_VM_HOST_H

/**
 * A machine whose VMs are the test's: it adds, starts and turns them off by a
 * VMMS of its own, at the times that it wants, and hears what that tells.
 */

#include "tests/partitions/root_host.h"

#define VM_HOST_VMS_MAX 4
#define VM_HOST_TEXT_MAX 2048

struct vm_host;

/** What to ask of a VM when. */
struct vm_host_order {
    struct vm_host *host;
    uint32_t vm;
    bool start; /* else: turn off */
    struct event event;
};

struct vm_host {
    struct root_host root;
    struct vmms *vmms; /* owns */
    struct script_vm scripts[VM_HOST_VMS_MAX];
    uint8_t images[VM_HOST_VMS_MAX][SCRIPT_IMAGE_BYTES_MAX];
    struct vm_host_order orders[16];
    unsigned order_count;
    uint32_t numa_nodes; /* of each VM that is added; 0: one */
    bool one_node;       /* likewise: it may not span nodes */
    bool vmbus;          /* likewise: with all integration services */
    uint64_t free_bytes; /* of the root, before anything */
    /* What the first VM is asked for as soon as it is in that state. */
    bool off_when_running, start_when_off;
    /* Heard, by VM. */
    char states[VM_HOST_VMS_MAX][256]; /* "starting running " */
    char console[VM_HOST_VMS_MAX][VM_HOST_TEXT_MAX];
    char failure[VM_HOST_VMS_MAX][256]; /* the last one */
    unsigned failures, results, dones;
};

void vm_host_create(struct vm_host *host, const struct script_config *config);
void vm_host_destroy(struct vm_host *host);

/** Adds VM number 0, 1, ... with the script scripts[number]. */
void vm_host_add(struct vm_host *host, uint32_t vp_count,
                 uint64_t memory_bytes);

/** Asks for it at `ns`, which has not come yet. */
void vm_host_order(struct vm_host *host, uint64_t ns, uint32_t vm, bool start);

void vm_host_run(struct vm_host *host);

/** How much memory the root lacks now, compared with the beginning. */
uint64_t vm_host_missing_bytes(const struct vm_host *host);

#endif
