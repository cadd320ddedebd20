/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine, and the name of an engine, for tests of the command line. It does
 * nothing for the duration of the scenario, interval by interval, unless the
 * scenario's name asks for more:
 *
 *   "interrupted"  it is sent SIGINT in its third interval
 *   "failed"       its run fails a check at the end
 *   "refused"      it cannot be built
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/engine.h"
#include "sim/core/check.h"
#include "sim/machine/machine.h"
#include "sim/results/results.h"
#include "sim/scenario/scenario.h"

struct machine {
    const struct scenario *scenario;
    struct results *results;
    uint64_t now_ns;
};

enum sim_status machine_create(struct machine **out,
                               const struct scenario *scenario,
                               struct results *results, struct sim_error *error)
{
    *out = NULL;
    if (strcmp(scenario->name, "refused") == 0)
        return sim_fail(error, SIM_NO_INPUT, "no such workload");
    *out = calloc(1, sizeof **out);
    CHECK(*out);
    **out = (struct machine){.scenario = scenario, .results = results};
    return SIM_OK;
}

void machine_free(struct machine *machine)
{
    free(machine);
}

static bool is_called(const struct machine *machine, const char *name)
{
    return strcmp(machine->scenario->name, name) == 0;
}

enum sim_status machine_run(struct machine *machine,
                            const struct machine_run_options *options,
                            struct sim_error *error)
{
    uint64_t interval_ns = machine->scenario->counters.interval_ns;

    while (machine->now_ns < machine->scenario->duration_ns) {
        machine->now_ns += interval_ns;
        if (is_called(machine, "interrupted") &&
            machine->now_ns == 3 * interval_ns)
            raise(SIGINT);
        options->progress(options->progress_context, machine->now_ns);

        enum sim_status status = results_commit(machine->results, error);

        if (status != SIM_OK)
            return status;
        if (*options->stop)
            return sim_fail(error, SIM_INTERRUPTED, "stopped");
    }
    if (is_called(machine, "failed"))
        return sim_fail(error, SIM_RUN_FAILED, "time was lost");
    return SIM_OK;
}

uint64_t machine_now_ns(const struct machine *machine)
{
    return machine->now_ns;
}

size_t machine_unread(const struct machine *machine, uint32_t vm,
                      const char **name)
{
    (void)machine;
    (void)vm;
    *name = NULL;
    return SIZE_MAX;
}

uint64_t machine_trace_hash(const struct machine *machine)
{
    return machine->now_ns;
}

void engine_version(char *buffer, size_t bytes)
{
    snprintf(buffer, bytes, "no engine 1.0");
}
