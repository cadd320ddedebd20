/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/core/check.h"

/** What a child that runs CHECK(value == 1) prints to standard error. */
static int run_check(int value, char *text, size_t text_bytes)
{
    int ends[2];
    int status = 0;

    assert_int_equal(pipe(ends), 0);

    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL); /* not cmocka's handler */
        CHECK(value == 1);
        _exit(0);
    }
    close(ends[1]);

    ssize_t length = read(ends[0], text, text_bytes - 1);

    assert_true(length >= 0);
    text[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void a_check_that_holds_is_silent(void **state)
{
    char text[256];
    int status = run_check(1, text, sizeof(text));

    (void)state;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_string_equal(text, "");
}

static void
a_check_that_fails_names_expectation_and_place_and_aborts(void **state)
{
    char text[256];
    int status = run_check(2, text, sizeof(text));

    (void)state;
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(text, "value == 1"));
    /* The place is written from the root of the tree, wherever that lies. */
    assert_non_null(strstr(text, " tests/core/test_check.c:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_that_holds_is_silent),
        cmocka_unit_test(
            a_check_that_fails_names_expectation_and_place_and_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
