/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * How fast a whole machine is simulated, and what it takes of the host.
 *
 *   bench_machine SCENARIO [repeats]
 *
 * Prints, with the medians of the repeats: seconds to build the machine, host
 * seconds per simulated second of the run, guest MIPS, and the peak of
 * resident memory beside the budget of 100 MiB + touched guest memory + 8 MiB
 * a VP. Times are the machine's; nothing here is a test.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "sim/machine/machine.h"
#include "tests/bench/timing.h"

#define REPEATS_MAX 99
#define MIB (1024.0 * 1024.0)

static void die(const struct sim_error *error)
{
    fprintf(stderr, "bench_machine: %s\n", error->message);
    exit(sim_status_exit_code(error->status));
}

struct figures {
    double build_s, run_s, simulated_s, instructions;
    double touched_mib;
};

static struct figures measure(const struct scenario *scenario)
{
    const struct machine_run_options options = {0};
    struct figures figures;
    struct machine *machine;
    struct sim_error error;
    double start = timing_cpu_s(), built;

    if (machine_create(&machine, scenario, NULL, &error) != SIM_OK)
        die(&error);
    built = timing_cpu_s();
    if (machine_run(machine, &options, &error) != SIM_OK)
        die(&error);
    figures = (struct figures){
        .build_s = built - start,
        .run_s = timing_cpu_s() - built,
        .simulated_s = (double)machine_now_ns(machine) / 1e9,
        .instructions = (double)machine_instructions(machine),
        .touched_mib = (double)machine_touched_bytes(machine) / MIB,
    };
    machine_free(machine);
    return figures;
}

static uint32_t vp_count(const struct scenario *scenario)
{
    uint32_t count = 0;

    for (size_t i = 0; i < scenario->vm_count; i++)
        count += scenario->vms[i].vps * scenario->vms[i].count;
    return count;
}

static void print(const struct scenario *scenario, const struct figures *last,
                  double build_s, double ratio)
{
    struct rusage usage;
    uint32_t vps = vp_count(scenario);
    double budget_mib = 100 + last->touched_mib + 8.0 * vps;

    getrusage(RUSAGE_SELF, &usage);
    printf("%s: %" PRIu32 " LPs, %" PRIu32 " VPs\n", scenario->name,
           scenario_lp_count(scenario), vps);
    printf("  building the machine          %8.2f s of CPU\n", build_s);
    printf("  host s per simulated s        %8.3f (%.1f times real time)\n",
           ratio, 1 / ratio);
    printf("  guest instructions            %8.0f MIPS\n",
           last->instructions / last->simulated_s / ratio / 1e6);
    printf("  peak memory                   %8.0f MiB (budget %.0f: 100 + "
           "%.0f touched + 8 a VP)\n",
           (double)usage.ru_maxrss / 1024, budget_mib, last->touched_mib);
}

int main(int argc, char **argv)
{
    unsigned repeats = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 3;
    double build[REPEATS_MAX], ratio[REPEATS_MAX];
    struct figures last = {0};
    struct scenario *scenario;
    struct sim_error error;

    if (argc < 2 || repeats < 1 || repeats > REPEATS_MAX) {
        fprintf(stderr, "usage: bench_machine SCENARIO [repeats, 1..%d]\n",
                REPEATS_MAX);
        return 2;
    }
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* as hvsim does */
    if (scenario_read_file(&scenario, argv[1], NULL, 0, &error) != SIM_OK)
        die(&error);
    for (unsigned i = 0; i < repeats; i++) {
        last = measure(scenario);
        build[i] = last.build_s;
        ratio[i] = last.run_s / last.simulated_s;
    }
    print(scenario, &last, timing_median(build, repeats),
          timing_median(ratio, repeats));
    scenario_free(scenario);
    return 0;
}
