/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_RUNTIME_REPORT_H
#define HVSIM_WORKLOADS_RUNTIME_REPORT_H

/**
 * The results channel: console lines with a fixed form that the simulator
 * picks out of everything else (workloads/README.md is the contract).
 */

#include <stdint.h>

/** "hvsim: result NAME VALUE UNIT" */
void report_result(const char *name, uint64_t value, const char *unit);

/** As above with VALUE = hundredths / 100, two fraction digits. */
void report_hundredths(const char *name, uint64_t hundredths, const char *unit);

/** "hvsim: done": the work is finished; the guest may idle on. */
void report_done(void);

/** "hvsim: fail TEXT": the run is to fail. Stops this processor for ever. */
_Noreturn void report_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

#endif
