/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Reserves: whether what a VM asks for can be promised, told before anything is
 * taken for it, and what is said where it cannot.
 */
#include <inttypes.h>

#include "hypervisor/admission.h"
#include "hypervisor/cpu_group.h"
#include "hypervisor/partition.h"
#include "partitions/vm_private.h"

/* In thousandths of an LP, up or down. */
#define MILLI_LP(share, round)                                                 \
    (((share)*1000 + (round)) / PARTITION_CPU_SHARE_MAX)

static enum vm_phase_result
refuse_reserve(struct vm *vm, struct hv_context *context, uint64_t reserve,
               const struct lp_set *lps, uint64_t left)
{
    uint32_t vps = vm->config.vp_count;
    uint64_t asked = MILLI_LP(vps * reserve, PARTITION_CPU_SHARE_MAX - 1);

    left = MILLI_LP(left, 0);
    return vmms_fail(
        vm, context,
        "its reserve cannot be promised: %" PRIu32 " x %" PRIu64 ".%02" PRIu64
        " %% ask for %" PRIu64 ".%03" PRIu64 " LPs, and %" PRIu64 ".%03" PRIu64
        " of %" PRIu32 " are left",
        vps, reserve * 100 / PARTITION_CPU_SHARE_MAX,
        reserve * 10000 / PARTITION_CPU_SHARE_MAX % 100, asked / 1000,
        asked % 1000, left / 1000, left % 1000, lp_set_count(lps));
}

enum vm_phase_result
vmms_refuse_reserve(struct vm *vm, struct hv_context *context, uint64_t reserve)
{
    const struct hv_partition *partition =
        hypervisor_find_partition(context->hv, vm->partition);
    struct lp_set lps = admission_lps(partition);

    return refuse_reserve(vm, context, reserve, &lps,
                          admission_left(context->hv, &lps, partition));
}

/* Where its VPs will be allowed to run. */
static struct lp_set future_lps(const struct vm *vm)
{
    struct hypervisor *hv = vm->vmms->root->hv;
    const struct cpu_group *group = cpu_group_find(hv, vm->config.group);
    struct lp_set lps = lp_set_first_of(hv->lp_count);

    if (group)
        lps = lp_set_and(&lps, &group->lps);
    if (!lp_set_is_empty(&vm->config.affinity))
        lps = lp_set_and(&lps, &vm->config.affinity);
    return lps;
}

/* If a VM with more VPs than it has LPs were to ask, its first VPs, while there
 * are no more of them than LPs, might be refused. */
uint64_t vmms_reserve_to_ask(const struct vm *vm)
{
    struct lp_set lps = future_lps(vm);

    return vm->config.vp_count > lp_set_count(&lps) ? 0 : vm->config.reserve;
}

/* What the VMs under way that are confined to `set` will be promised when their
 * VPs are created. */
static uint64_t reserves_under_way(const struct vmms *vmms,
                                   const struct lp_set *set)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < vmms->vm_count; i++) {
        const struct vm *vm = vmms->vms[i];
        struct lp_set lps = future_lps(vm);

        if (vm->state == VM_STARTING && vm->phase > 0 &&
            lp_set_includes(set, &lps))
            sum += (vm->config.vp_count - vm->vps_created) *
                   vmms_reserve_to_ask(vm);
    }
    return sum;
}

static uint64_t left_on(const struct vmms *vmms, const struct lp_set *lps)
{
    uint64_t left = admission_left(vmms->root->hv, lps, NULL);
    uint64_t promised = reserves_under_way(vmms, lps);

    return left > promised ? left - promised : 0;
}

/* The hypervisor decides when the VPs are created: what is refused here it
 * would refuse then. So VMs under way count where they compete: on the LPs of
 * this one, and on all. */
enum vm_phase_result vmms_check_reserve(struct vm *vm,
                                        struct hv_context *context)
{
    const struct vm_config *config = &vm->config;
    struct lp_set all = lp_set_first_of(context->hv->lp_count);
    struct lp_set lps = future_lps(vm);
    uint64_t left = left_on(vm->vmms, &lps);
    uint64_t left_of_all = left_on(vm->vmms, &all);

    left = left < left_of_all ? left : left_of_all;
    return config->vp_count * vmms_reserve_to_ask(vm) > left
               ? refuse_reserve(vm, context, config->reserve, &lps, left)
               : PHASE_NEXT;
}
