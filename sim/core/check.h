/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CORE_CHECK_H
#define HVSIM_SIM_CORE_CHECK_H

/**
 * CHECK is for our own bugs only: it holds in every build, prints what was
 * expected and where, and aborts. Never use it on anything that a guest, a
 * scenario or a file can cause; those get an enum hv_status, an injected
 * fault or a struct sim_error.
 */
#define CHECK(condition)                                                       \
    ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

/** Prints the failed expectation to standard error and aborts. */
_Noreturn void check_failed(const char *condition, const char *file, int line);

#endif
