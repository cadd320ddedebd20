/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * NUMA: from which node of the host a VM has its memory, and which one its VPs
 * prefer. Each node that the guest sees is from a node of the host, as far as
 * that has memory; the others follow the one that the VM prefers.
 */
#include <inttypes.h>

#include "partitions/firmware.h"
#include "partitions/vm_private.h"

/* What the VMs under way have chosen the node for, and not taken yet. */
static uint64_t promised_bytes(const struct vmms *vmms, uint32_t node)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < vmms->vm_count; i++) {
        const struct vm *vm = vmms->vms[i];

        if (vm->state == VM_STARTING && vm->phase > 0 && vm->node == node)
            bytes +=
                (vm->block_count - vm->blocks_taken) * ROOT_MEMORY_BLOCK_BYTES;
    }
    return bytes;
}

/* The node with the most memory left; the first one of equals. */
uint32_t vmms_choose_node(const struct vmms *vmms)
{
    const struct root *root = vmms->root;
    uint64_t most = 0;
    uint32_t best = 0;

    for (uint32_t node = 0; node < root->hv->node_count; node++) {
        uint64_t bytes = root_memory_node_free_bytes(root->memory, node);
        uint64_t promised = promised_bytes(vmms, node);
        uint64_t left = bytes > promised ? bytes - promised : 0;

        if (left > most) {
            most = left;
            best = node;
        }
    }
    return best;
}

/* The host's node for the VM's virtual node: they go round from the one that
 * the VM prefers. */
static uint32_t host_node(const struct vm *vm, uint32_t virtual_node)
{
    return (vm->node + virtual_node) % vm->vmms->root->hv->node_count;
}

uint32_t vmms_block_node(const struct vm *vm, uint64_t index)
{
    uint32_t count = vm->config.node_count;
    uint64_t node_bytes = firmware_node_bytes(count, vm->config.memory_bytes);
    uint64_t node = index * ROOT_MEMORY_BLOCK_BYTES / node_bytes;

    return host_node(vm, node < count ? (uint32_t)node : count - 1);
}

uint32_t vmms_vp_node(const struct vm *vm, uint32_t vp)
{
    const struct vm_config *config = &vm->config;

    return host_node(
        vm, firmware_vp_node(config->node_count, config->vp_count_max, vp));
}

/* What of a VM that may not span nodes is to lie in one of the host's. */
struct share {
    uint64_t blocks;
    uint32_t vps;
};

static struct share share_of(const struct vm *vm, uint32_t node)
{
    const struct vm_config *config = &vm->config;
    struct share share = {0};

    for (uint64_t i = 0; i < vm->block_count; i++)
        share.blocks += vmms_block_node(vm, i) == node;
    for (uint32_t i = 0; i < config->vp_count; i++)
        share.vps += vmms_vp_node(vm, i) == node;
    return share;
}

/* Why the VM cannot have its share of `node`; PHASE_NEXT if it can. */
static enum vm_phase_result
check_node(struct vm *vm, struct hv_context *context, uint32_t node)
{
    const struct root *root = vm->vmms->root;
    uint32_t lps = lp_set_count(&root->hv->node_lps[node]);
    uint64_t left = root_memory_node_free_bytes(root->memory, node);
    uint64_t promised = promised_bytes(vm->vmms, node);
    struct share share = share_of(vm, node);

    left = left > promised ? left - promised : 0;
    if (share.vps > lps)
        return vmms_fail(vm, context,
                         "%" PRIu32 " VPs do not fit into NUMA node %" PRIu32
                         ", which has %" PRIu32 " LPs; it may not span nodes",
                         share.vps, node, lps);
    if (share.blocks * ROOT_MEMORY_BLOCK_BYTES > left)
        return vmms_fail(vm, context,
                         "%" PRIu64 " MiB do not fit into NUMA node %" PRIu32
                         ", which has %" PRIu64 " MiB left; it may not span "
                         "nodes",
                         share.blocks * (ROOT_MEMORY_BLOCK_BYTES >> 20), node,
                         left >> 20);
    return PHASE_NEXT;
}

enum vm_phase_result vmms_check_nodes(struct vm *vm, struct hv_context *context)
{
    enum vm_phase_result result = PHASE_NEXT;
    uint32_t count = vm->vmms->root->hv->node_count;

    for (uint32_t node = 0; node < count && result == PHASE_NEXT; node++)
        result = check_node(vm, context, node);
    return result;
}
