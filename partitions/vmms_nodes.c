/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * NUMA: from which node of the host a VM has its memory, and which one its VPs
 * prefer. Each node that the guest sees is from a node of the host, as far as
 * that has memory; the others follow the one that the VM prefers.
 */
#include <inttypes.h>

#include "partitions/firmware.h"
#include "partitions/vm_private.h"

/* The host's node for the VM's virtual node: they go round from the one that
 * the VM prefers. */
static uint32_t host_node(const struct vm *vm, uint32_t virtual_node)
{
    return (vm->node + virtual_node) % vm->vmms->root->hv->node_count;
}

/* The first block of a virtual node; as many as there are nodes: the end. */
static uint64_t first_block(const struct vm *vm, uint32_t virtual_node)
{
    uint32_t count = vm->config.node_count;
    uint64_t bytes =
        virtual_node * firmware_node_bytes(count, vm->config.memory_bytes);

    return virtual_node < count
               ? (bytes + ROOT_MEMORY_BLOCK_BYTES - 1) / ROOT_MEMORY_BLOCK_BYTES
               : vm->block_count;
}

/* How many of the VM's blocks from `taken` on are to lie in the host's node. */
static uint64_t blocks_to_take(const struct vm *vm, uint32_t node,
                               uint64_t taken)
{
    uint64_t blocks = 0;

    for (uint32_t i = 0; i < vm->config.node_count; i++) {
        uint64_t from = first_block(vm, i);
        uint64_t to = first_block(vm, i + 1);

        if (host_node(vm, i) == node && to > taken)
            blocks += to - (from > taken ? from : taken);
    }
    return blocks;
}

/* What the VMs under way will take of the node, and have not taken yet. */
static uint64_t promised_bytes(const struct vmms *vmms, uint32_t node)
{
    uint64_t blocks = 0;

    for (uint32_t i = 0; i < vmms->vm_count; i++) {
        const struct vm *vm = vmms->vms[i];

        if (vm->state == VM_STARTING && vm->phase > 0)
            blocks += blocks_to_take(vm, node, vm->blocks_taken);
    }
    return blocks * ROOT_MEMORY_BLOCK_BYTES;
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
    struct share share = {.blocks = blocks_to_take(vm, node, 0)};

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
