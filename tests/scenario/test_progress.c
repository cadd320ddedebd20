/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/cli/progress.h"

#define MS UINT64_C(1000000)
#define S (1000 * MS)

static void assert_line(uint64_t sim_ns, uint64_t end_ns, uint64_t host_ns,
                        const char *expected)
{
    char line[PROGRESS_LINE_BYTES];

    progress_format(line, sim_ns, end_ns, host_ns);
    assert_string_equal(line, expected);
}

static void tells_speed_and_time_left(void **state)
{
    (void)state;
    assert_line(500 * MS, 2 * S, 250 * MS,
                "0.50 s of 2.00 s simulated, 2.00 x real time, 0 s left");
    assert_line(500 * MS, 10 * S, 5 * S,
                "0.50 s of 10.00 s simulated, 0.10 x real time, 95 s left");
}

static void tells_no_speed_before_there_is_one(void **state)
{
    (void)state;
    assert_line(0, 2 * S, 0, "0.00 s of 2.00 s simulated");
    assert_line(0, 2 * S, 3 * S, "0.00 s of 2.00 s simulated");
}

static void survives_the_largest_times(void **state)
{
    char line[PROGRESS_LINE_BYTES];

    (void)state;
    progress_format(line, 1, UINT64_MAX, UINT64_MAX);
    progress_format(line, UINT64_MAX, UINT64_MAX, 1);
    assert_line(86400 * S, 86400 * S, S / 2,
                "86400.00 s of 86400.00 s simulated, 172800.00 x real time, 0 "
                "s left");
}

/** Reads what has been written to `file` since its beginning. */
static long written_bytes(FILE *file)
{
    fflush(file);
    return ftell(file);
}

static void is_silent_unless_shown(void **state)
{
    FILE *out = tmpfile();
    struct progress progress;

    (void)state;
    assert_non_null(out);
    progress_start(&progress, out, false, 2 * S);
    progress_update(&progress, S);
    progress_clear(&progress);
    assert_int_equal(written_bytes(out), 0);
    fclose(out);
}

static void writes_no_second_line_at_once(void **state)
{
    FILE *out = tmpfile();
    struct progress progress;

    (void)state;
    assert_non_null(out);
    progress_start(&progress, out, true, 2 * S);
    progress_update(&progress, S / 2);

    long first = written_bytes(out);

    assert_true(first > 0);
    /* As if it had been written just now, however slow the host is. */
    progress.written_ns = UINT64_MAX / 2;
    progress_update(&progress, S);
    assert_int_equal(written_bytes(out), first);
    progress_clear(&progress);
    assert_true(written_bytes(out) > first);
    fclose(out);
}

static void a_file_is_no_terminal(void **state)
{
    FILE *out = tmpfile();

    (void)state;
    assert_non_null(out);
    assert_false(progress_is_possible(out));
    fclose(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_speed_and_time_left),
        cmocka_unit_test(tells_no_speed_before_there_is_one),
        cmocka_unit_test(survives_the_largest_times),
        cmocka_unit_test(is_silent_unless_shown),
        cmocka_unit_test(writes_no_second_line_at_once),
        cmocka_unit_test(a_file_is_no_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
