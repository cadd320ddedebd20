/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/cli/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <termios.h>

/* Mutable and of file scope, because signal handlers have no other way to it.
 * `is_raw` is written last and read first. */
static struct {
    int fd;
    struct termios before, raw;
    volatile sig_atomic_t is_raw;
} terminal_state;

/* What ends a process without a chance to clean up. SIGINT and SIGTERM end the
 * run in good order first: see cli_run.c. */
static const int fatal_signals[] = {
    SIGABRT, SIGSEGV, SIGBUS,  SIGILL,  SIGFPE,  SIGSYS,
    SIGHUP,  SIGQUIT, SIGPIPE, SIGALRM, SIGXCPU,
};

#define FATAL_COUNT (sizeof(fatal_signals) / sizeof(fatal_signals[0]))

void terminal_restore(void)
{
    int saved_errno = errno;

    if (terminal_state.is_raw) {
        terminal_state.is_raw = 0;
        tcsetattr(terminal_state.fd, TCSANOW, &terminal_state.before);
    }
    errno = saved_errno;
}

void terminal_die(int signal_number)
{
    terminal_restore();
    /* It is blocked until the handler returns, and then pending. */
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* The shell has had the terminal meanwhile. */
static void on_continue(int signal_number)
{
    int saved_errno = errno;

    (void)signal_number;
    if (terminal_state.is_raw)
        tcsetattr(terminal_state.fd, TCSANOW, &terminal_state.raw);
    errno = saved_errno;
}

/* What the parent has told to be ignored (nohup) stays so. */
static void catch_signal(int signal_number, void (*handler)(int))
{
    struct sigaction now;
    struct sigaction ours = {.sa_handler = handler, .sa_flags = SA_RESTART};

    if (sigaction(signal_number, NULL, &now) == 0 && now.sa_handler != SIG_IGN)
        sigaction(signal_number, &ours, NULL);
}

/* The user may hang up at any time. */
static enum sim_status failure(struct sim_error *error)
{
    if (errno == EIO)
        return SIM_OK;
    return sim_fail(error, SIM_IO_ERROR, "the terminal: %s", strerror(errno));
}

enum sim_status terminal_make_raw(int fd, struct sim_error *error)
{
    if (tcgetattr(fd, &terminal_state.before) < 0)
        return failure(error);
    terminal_state.fd = fd;
    terminal_state.raw = terminal_state.before;
    cfmakeraw(&terminal_state.raw);
    for (size_t i = 0; i < FATAL_COUNT; i++)
        catch_signal(fatal_signals[i], terminal_die);
    catch_signal(SIGCONT, on_continue);
    terminal_state.is_raw = 1;
    if (tcsetattr(fd, TCSANOW, &terminal_state.raw) == 0)
        return SIM_OK;
    terminal_state.is_raw = 0;
    return failure(error);
}
