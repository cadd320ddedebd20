/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unicorn's own state is not found where a process may not look for it. That
 * costs time and nothing else.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cpu/engine.h"

#define ARENA_BYTES UINT64_C(0x4000000)

/* From now on process_vm_readv() fails, as in some containers. */
static bool forbid_looking(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Makes a pool, whose creation tests the library. */
static bool library_is_accepted(void)
{
    struct engine_pool *pool = NULL;
    struct arena *arena = NULL;
    struct sim_error error;
    bool accepted = arena_create(&arena, ARENA_BYTES, &error) == SIM_OK &&
                    engine_pool_create(&pool, arena, &error) == SIM_OK;

    if (accepted)
        engine_pool_free(pool);
    else
        fprintf(stderr, "%s\n", error.message);
    arena_free(arena);
    return accepted;
}

static void the_library_is_accepted_where_looking_is_forbidden(void **state)
{
    pid_t child = fork();
    int status;

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        if (!forbid_looking())
            _exit(77);
        _exit(library_is_accepted() ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_library_is_accepted_where_looking_is_forbidden),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
