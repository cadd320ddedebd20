/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/admission.h"

#include "hypervisor/cpu_group.h"

struct lp_set admission_lps(const struct hv_partition *partition)
{
    const struct partition_sched *sched = &partition->sched;

    return sched->group ? lp_set_and(&sched->affinity, &sched->group->lps)
                        : sched->affinity;
}

uint64_t admission_sum(const struct hv_partition *partition, uint32_t vp_count,
                       const struct lp_set *lps)
{
    return vp_count > lp_set_count(lps) ? 0
                                        : partition->sched.reserve * vp_count;
}

uint64_t admission_reserve(const struct hv_partition *partition)
{
    if (partition->sched.reserve == 0)
        return 0;

    struct lp_set lps = admission_lps(partition);

    return partition->vp_count > lp_set_count(&lps) ? 0
                                                    : partition->sched.reserve;
}

/* Of the LPs of `set`, what is not promised to those confined to it. */
static uint64_t left_of(const struct hypervisor *hv, const struct lp_set *set,
                        const struct hv_partition *besides)
{
    uint64_t all = (uint64_t)lp_set_count(set) * PARTITION_CPU_SHARE_MAX;
    uint64_t promised = 0;

    for (uint32_t i = 0; i < hv->partition_count; i++) {
        const struct hv_partition *partition = hv->partitions[i];
        struct lp_set lps = admission_lps(partition);

        if (partition != besides && lp_set_includes(set, &lps))
            promised += admission_sum(partition, partition->vp_count, &lps);
    }
    return all > promised ? all - promised : 0;
}

uint64_t admission_left(const struct hypervisor *hv, const struct lp_set *lps,
                        const struct hv_partition *besides)
{
    struct lp_set all = lp_set_first_of(hv->lp_count);
    uint64_t least = left_of(hv, &all, besides);
    uint64_t left = left_of(hv, lps, besides);

    least = left < least ? left : least;
    for (uint32_t i = 0; i < hv->partition_count; i++) {
        struct lp_set set = admission_lps(hv->partitions[i]);

        if (hv->partitions[i] == besides ||
            hv->partitions[i]->sched.reserve == 0 ||
            !lp_set_includes(&set, lps))
            continue;
        left = left_of(hv, &set, besides);
        least = left < least ? left : least;
    }
    return least;
}

bool admission_fits(const struct hv_partition *partition,
                    const struct lp_set *lps)
{
    uint64_t sum = admission_sum(partition, partition->vp_count, lps);

    return sum == 0 || sum <= admission_left(partition->hv, lps, partition);
}
