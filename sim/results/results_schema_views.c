/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the views are for people: results_schema.c has them for SQLite. */
#include "sim/results/results_schema.h"

static const struct results_view descriptions[] = {
    {"run",
     "name, scenario_yaml, seed, version, engine_version, profile, sim_ns, "
     "host_ns, trace_hash",
     "the run itself, with every parameter of its scenario; a run that "
     "was killed has no trace_hash; host_ns alone differs between equal runs",
     NULL},
    {"image", "name, bytes, hash",
     "a guest program that VMs ran: its size, and a hash (XXH64) that tells "
     "it from others of its name",
     NULL},
    {"partition", "partition, vm",
     "which VM a partition is, by its number as the view event has it; a VM "
     "gets its number when it starts, and 1 is the root",
     NULL},
    {"perf", "time_ns, object, instance, counter, value",
     "one counter of one instance over the sample interval that ends at "
     "time_ns: rates per second, shares in percent, costs in ns; a VP has "
     "none while its VM is off",
     "time_ns, object, instance COLLATE by_number, counter"},
    {"perf_total", "object, instance, counter, value",
     "one counter of one instance over the whole run, however often its VM was "
     "started",
     "object, instance COLLATE by_number, counter"},
    {"result", "vm, name, value, unit",
     "what a guest program reported about itself", NULL},
    {"console", "time_ns, vm, line", "a line that a VM wrote to its console",
     NULL},
    {"failure", "time_ns, vm, reason, text",
     "a VM that failed the run, and why; text is what its guest said when it "
     "crashed, such as the end of Linux's log",
     NULL},
    {"input", "time_ns, vm, bytes",
     "what was typed at a VM's console at once, by its scenario or by hand; "
     "hvsim console --script prints it for a scenario; hvsim export writes the "
     "bytes as hexadecimal digits",
     NULL},
    {"event", "time_ns, lp, partition, vp, kind, detail",
     "one step of the schedule, an intercept or an interrupt, if the scenario "
     "says counters: {trace: true}; detail depends on the kind",
     NULL},
    {"guest_view",
     "vm, start_ns, end_ns, believed_busy, believed_stolen, guest_run, "
     "total_run, waiting, clock_ahead_ns",
     "what a guest believed between two of its reports (hvsim.report of a "
     "Linux guest), and what the host counted of its VPs meanwhile, both in "
     "percent of the VPs' time; clock_ahead_ns is how much further its clock "
     "has come since its first report than simulated time; all begins anew "
     "when its VM is started again",
     NULL},
    {"wait",
     "vm, vp, rule, dispatches, wait_ns, longest_ns, undispatched, "
     "undispatched_ns",
     "how long a VP was ready and had to wait, by the rule that kept it from "
     "running ('hvsim explain slice' says what one means): wait_ns and "
     "longest_ns are of waits that ended with a dispatch, and of all rules "
     "together are its CPU Wait Time; dispatches counts a wait for the rule "
     "that took most of it; undispatched are waits that ended otherwise, or "
     "not before the run. The vm of root VPs is Root. 'hvsim explain wait "
     "RUN.db' tells it in words",
     NULL},
    {"wait_holder", "vm, vp, holder_vm, holder_vp, dispatches, wait_ns",
     "who had the LP while a VP waited for one in use, and in how many of its "
     "dispatches; without a holder: nobody in particular, such as switches, "
     "and the many who had it for the shortest time",
     NULL},
    {"wait_histogram", "vm, vp, from_ns, to_ns, dispatches",
     "how many waits of a VP were at least from_ns and below to_ns long: "
     "powers of two of a microsecond; waits that no dispatch ended do not "
     "count, and what is left out is 0",
     NULL},
    {"wait_worst",
     "vm, vp, rank, ready_ns, wait_ns, lp, rule, holder_vm, holder_vp",
     "the 20 longest waits of a VP: since when, how long, which LP ran it "
     "then (NULL: none, it stopped being ready or the run ended), the rule "
     "that took most of it, and who had the LP longest meanwhile",
     NULL},
    {"wait_worst_part", "vm, vp, rank, rule, wait_ns",
     "the parts of such a wait, by rule", NULL},
};

const struct results_view *results_schema_views(size_t *count)
{
    *count = sizeof(descriptions) / sizeof(descriptions[0]);
    return descriptions;
}
