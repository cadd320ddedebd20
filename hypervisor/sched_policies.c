/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policies to choose from. A program that is linked with another list has
 * others: see tests/hypervisor/sched_policies_stride.c. */
#include "hypervisor/sched_policies.h"

#include <string.h>

static const struct hv_sched_ops *const sched_policies[] = {
    &sched_classic,     /* Hyper-V's types 1 and 2: the default */
    &sched_round_robin, /* of the literature */
    &sched_core,        /* Hyper-V's type 3 */
    &sched_credit,      /* Xen's */
    &sched_edf,         /* of real-time systems */
    &sched_root,        /* Hyper-V's type 4 */
};

#define POLICY_COUNT (sizeof(sched_policies) / sizeof(sched_policies[0]))

const struct hv_sched_ops *sched_by_index(unsigned index)
{
    return index < POLICY_COUNT ? sched_policies[index] : NULL;
}

const struct hv_sched_ops *sched_find(const char *name)
{
    for (unsigned i = 0; i < POLICY_COUNT; i++) {
        if (strcmp(sched_policies[i]->name, name) == 0)
            return sched_policies[i];
    }
    return NULL;
}
