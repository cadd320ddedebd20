/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/cli/terminal.h"

/* Both ends; a bare folder without /dev/pts has no terminals. */
static void open_pair(int *ours, int *theirs)
{
    if (openpty(ours, theirs, NULL, NULL, NULL) != 0)
        skip();
}

static void a_terminal_is_given_back_as_it_was(void **state)
{
    struct sim_error error = {0};
    struct termios now;
    int ours, theirs;
    tcflag_t before;

    (void)state;
    open_pair(&ours, &theirs);
    assert_int_equal(tcgetattr(theirs, &now), 0);
    before = now.c_lflag;
    assert_int_equal(terminal_make_raw(theirs, &error), SIM_OK);
    assert_int_equal(tcgetattr(theirs, &now), 0);
    assert_int_equal(now.c_lflag & (ECHO | ICANON | ISIG), 0);
    terminal_restore();
    assert_int_equal(tcgetattr(theirs, &now), 0);
    assert_int_equal(now.c_lflag, before);
    close(ours);
    close(theirs);
}

static void a_terminal_that_has_gone_is_no_error(void **state)
{
    struct sim_error error = {0};
    int ours, theirs;

    (void)state;
    open_pair(&ours, &theirs);
    close(ours);
    assert_int_equal(terminal_make_raw(theirs, &error), SIM_OK);
    terminal_restore();
    close(theirs);
}

static void what_is_not_a_terminal_is_an_error(void **state)
{
    struct sim_error error = {0};
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(terminal_make_raw(ends[0], &error), SIM_IO_ERROR);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terminal_is_given_back_as_it_was),
        cmocka_unit_test(a_terminal_that_has_gone_is_no_error),
        cmocka_unit_test(what_is_not_a_terminal_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
