/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/rng.h"
#include "sim/machine/machine_private.h"

/* Short enough to be read, and to be written again by hand. */
#define GUEST_SEED_BOUND 1000000000
#define GUEST_SEED_DIGITS 10

/* `seed: auto`, or that of a part of the guest, such as `hvsim.seed: auto`. */
static bool is_seed_wanted(const struct scenario_argument *argument)
{
    const char *dot = strrchr(argument->key, '.');

    return strcmp(dot ? dot + 1 : argument->key, "seed") == 0 &&
           strcmp(argument->value, "auto") == 0;
}

/* A guest's own randomness: from the run's seed and the VM's name, so that VMs
 * alike differ, and no other VM's changes when one is added. */
static uint64_t guest_seed(uint64_t run_seed, const char *vm)
{
    struct rng root = rng_from_seed(run_seed);
    struct rng guests = rng_fork(&root, "guest seeds");
    struct rng own = rng_fork(&guests, vm);

    return rng_below(&own, GUEST_SEED_BOUND);
}

char *machine_command_line(const struct scenario_guest *guest,
                           uint64_t run_seed, const char *vm)
{
    size_t bytes = strlen(guest->cmdline) + 1;
    char own[GUEST_SEED_DIGITS + 1];
    char *line;
    char *at;

    snprintf(own, sizeof(own), "%" PRIu64, guest_seed(run_seed, vm));
    for (size_t i = 0; i < guest->arg_count; i++)
        bytes += strlen(guest->args[i].key) + strlen(guest->args[i].value) +
                 sizeof(own) + 2;
    line = calloc(1, bytes);
    if (!line)
        return NULL;
    at = stpcpy(line, guest->cmdline);
    for (size_t i = 0; i < guest->arg_count; i++)
        at += sprintf(at, "%s%s=%s", at > line ? " " : "", guest->args[i].key,
                      is_seed_wanted(&guest->args[i]) ? own
                                                      : guest->args[i].value);
    return line;
}
