/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_LINUX_ARGUMENTS_H
#define HVSIM_WORKLOADS_LINUX_ARGUMENTS_H

/**
 * Arguments on the kernel's command line, by the kernel's own rules
 * (lib/cmdline.c, next_arg()): words are separated by blanks, and a double
 * quote switches off and on what a blank means. There is no way to write a
 * double quote itself.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * The value of the last word NAME=VALUE of `line`, without quotes, in `value`
 * of `bytes`. False, and an empty value, if there is none or it does not fit.
 */
bool arguments_find(const char *line, const char *name, char *value,
                    size_t bytes);

/** A whole number with ns, us, ms or s, as in "100ms", up to an hour. False if
 *  the text is anything else. */
bool arguments_duration(const char *text, uint64_t *ns);

/** A whole number; the same with B, KiB, MiB or GiB. */
bool arguments_number(const char *text, uint64_t *number);
bool arguments_bytes(const char *text, uint64_t *bytes);

#endif
