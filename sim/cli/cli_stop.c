/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ctrl-C. */
#include <signal.h>

#include "sim/cli/cli_private.h"
#include "sim/cli/terminal.h"

/* What a signal handler can reach; with the terminal's state (terminal.c) all
 * that is mutable and not on a stack or in a machine. */
static volatile sig_atomic_t stop_requested;

static void request_stop(int signal_number)
{
    if (stop_requested)
        terminal_die(signal_number);
    stop_requested = 1;
}

const volatile sig_atomic_t *cli_stop_catch(void)
{
    struct sigaction stop = {.sa_handler = request_stop,
                             .sa_flags = SA_RESTART};

    stop_requested = 0;
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    /* A file that may not grow is an error to report, not a reason to die. */
    signal(SIGXFSZ, SIG_IGN);
    return &stop_requested;
}
