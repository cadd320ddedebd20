/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What scheduling costs the host, with VPs that are models.
 *
 *   bench_sched [policy...]
 *
 * For each policy, medians of repeats, which take turns:
 *
 * - Host nanoseconds per dispatch, by numbers of LPs and VPs: choosing,
 *   accounting, queueing, waking and pre-empting, as the run loop has it done,
 *   but nothing else of a machine. VPs compute for a while and then sleep, or
 *   compute until their slice ends (cells.c).
 * - Dispatches per second through the whole run loop, by VPs that only tick:
 *   timer, interrupt, dispatch, two microseconds of work, halt; every one of
 *   them priced, counted and in the trace's hash (ticks.c).
 *
 * Nothing here is a test.
 */

#include <stdio.h>
#include <string.h>

#include "hypervisor/sched.h"
#include "tests/bench/cells.h"
#include "tests/bench/ticks.h"

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return true;
    }
    return argc == 1;
}

int main(int argc, char **argv)
{
    const struct hv_sched_ops *ops;

    for (int i = 1; i < argc; i++) {
        if (!sched_find(argv[i])) {
            fprintf(stderr, "bench_sched: there is no scheduler \"%s\"\n",
                    argv[i]);
            return 2;
        }
    }
    for (unsigned i = 0; (ops = sched_by_index(i)); i++) {
        if (!is_wanted(ops->name, argc, argv))
            continue;
        cells_print(ops);
        ticks_print(ops);
    }
    return 0;
}
