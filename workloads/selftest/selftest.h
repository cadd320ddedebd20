/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_SELFTEST_SELFTEST_H
#define HVSIM_WORKLOADS_SELFTEST_SELFTEST_H

/**
 * What the in-guest tests share: named cases, counted checks, results. Each
 * case reports `<name>.checks` and `<name>.wrong`; a guest with any wrong
 * check, or a case without checks, ends in `hvsim: fail`.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct selftest_case {
    const char *name;
    void (*run)(void);
};

/** Runs the cases in order, or the one that the argument `test` names. */
void selftest_run(const struct selftest_case *cases, size_t count);

/** One check of the running case: prints both values where they differ. The
 *  format names what was compared. */
void selftest_equal(uint64_t got, uint64_t expected, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Where an implementation is known to depart from processors in a check. */
enum selftest_departure {
    EXACT,     /* nowhere */
    ON_ENGINE, /* in the simulator's engine and in QEMU's TCG, its ancestor */
    ON_TCG,    /* in TCG alone */
};

/** Whether the argument `quirks` (engine or tcg; default: none) asks to leave
 *  out a check with that departure. */
bool selftest_leaves_out(enum selftest_departure departure);

/** A pseudo-random number; the same sequence in every run. */
uint64_t selftest_random(void);

#endif
