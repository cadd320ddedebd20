/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CLI_TERMINAL_H
#define HVSIM_SIM_CLI_TERMINAL_H

/**
 * The terminal as a guest's console: every key reaches the guest, Ctrl-C too,
 * and nothing is echoed. Whatever ends the process, but SIGKILL, gives the
 * terminal back as it was. There is one terminal of a process, and this is
 * where its state is kept.
 */

#include "sim/core/error.h"

/** Makes the terminal `fd` raw, for output too: "\n" alone goes down, and not
 *  to the left. One whose user has hung up is left alone: its input is at its
 *  end. SIM_IO_ERROR. */
MUST_USE enum sim_status terminal_make_raw(int fd, struct sim_error *error);

/** Gives it back; does nothing if it is not raw. */
void terminal_restore(void);

/** In a signal's handler: gives it back, and then the signal does what it does
 *  by default. */
void terminal_die(int signal_number);

#endif
