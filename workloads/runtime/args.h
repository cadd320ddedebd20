/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_RUNTIME_ARGS_H
#define HVSIM_WORKLOADS_RUNTIME_ARGS_H

/**
 * The guest's arguments: the words `key=value` of its multiboot command line,
 * as a scenario's `args` gives them. A value that does not read as what is
 * asked for ends the guest with a `hvsim: fail` line that names it.
 */

#include <stdbool.h>
#include <stdint.h>

/** Copies the command line; without one there are no arguments. */
void args_init(const char *command_line);

/** The text of `key`, or `otherwise` when it was not given. */
const char *args_text(const char *key, const char *otherwise);

/** A decimal number. */
uint64_t args_number(const char *key, uint64_t otherwise);

/** A number with unit ns, us, ms or s; returns nanoseconds. */
uint64_t args_duration_ns(const char *key, uint64_t otherwise_ns);

/** A number with unit B, KiB, MiB or GiB; returns bytes. */
uint64_t args_bytes(const char *key, uint64_t otherwise_bytes);

#endif
