/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "hypervisor/sched.h"
#include "sim/results/explain_wait_private.h"

static const struct {
    const char *phrase, *advice;
    bool contention;
} words[SCHED_RULE_COUNT] = {
    [SCHED_RULE_WAKE] =
        {"for an LP that was free to wake up or to switch to it",
         "What an LP takes to wake and to switch is a matter of the price "
         "profile, host.profile ('hvsim explain LP_WAKE', 'hvsim explain "
         "VP_SWITCH').",
         false},
    [SCHED_RULE_SLICE] =
        {"for its turn on LPs that others used",
         "There is more work than LPs: host.nodes[].lps gives the host more of "
         "them, vms[].weight and vms[].reserve a VM a larger share of them "
         "where hypervisor.scheduler heeds these, and hypervisor.timeslice "
         "says how long a turn lasts.",
         true},
    [SCHED_RULE_AFFINITY] =
        {"for the LPs that it is bound to, while others idled",
         "It may not use the LPs that idled: vms[].affinity and groups[].lps "
         "say which it may; a root VP is bound to one.",
         true},
    [SCHED_RULE_NUMA] =
        {"for an LP of its own NUMA node, while another node's idled",
         "hypervisor.node_patience says how long a VP waits for its own node; "
         "host.nodes and vms[].numa_nodes lay out who is where.",
         true},
    [SCHED_RULE_SIBLING] =
        {"for a core of its own, while an LP beside another VM idled",
         "A core is one VM's at a time under hypervisor.scheduler: core; "
         "classic shares cores, and without host.smt: 2 there is nothing to "
         "share. A VM with an even number of VPs fills its cores.",
         true},
    [SCHED_RULE_CAP] =
        {"for the next period, having used up its own limit",
         "vms[].limit is what each of its VPs may use of an LP in each "
         "hypervisor.control_period; a shorter period makes shorter waits of "
         "the same share.",
         false},
    [SCHED_RULE_GROUP] =
        {"for the next period, its CPU group having used up its cap",
         "groups[].cap is what all members of the group may use together in "
         "each hypervisor.control_period; vms[].group says who is in it.",
         false},
};

/* A file may come from a later hvsim with more rules. */
static int find_rule(const char *rule)
{
    for (int i = 0; i < SCHED_RULE_COUNT; i++) {
        if (strcmp(sched_rule_name((enum sched_rule)i), rule) == 0 &&
            words[i].phrase)
            return i;
    }
    return -1;
}

const char *explain_wait_phrase(const char *rule)
{
    int at = find_rule(rule);

    return at < 0 ? "for another reason" : words[at].phrase;
}

bool explain_wait_is_contention(const char *rule)
{
    int at = find_rule(rule);

    return at >= 0 && words[at].contention;
}

const char *explain_wait_meaning(const char *rule)
{
    int at = find_rule(rule);

    return at < 0 ? "" : sched_rule_help((enum sched_rule)at);
}

const char *explain_wait_advice(const char *rule)
{
    int at = find_rule(rule);

    return at < 0 ? "" : words[at].advice;
}

void explain_wait_vp_name(const char *vm, uint32_t vp,
                          char text[static WAIT_VP_BYTES])
{
    if (!vm)
        snprintf(text, WAIT_VP_BYTES, "nobody");
    else if (strcmp(vm, "Root") == 0)
        snprintf(text, WAIT_VP_BYTES, "Root VP %" PRIu32, vp);
    else
        snprintf(text, WAIT_VP_BYTES, "%.256s:Hv VP %" PRIu32, vm, vp);
}
