/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/linux/job.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workloads/linux/report.h"

#define ROUNDS 100000

/* What the processes have in common. */
struct board {
    _Atomic uint64_t next; /* the first item that nobody has taken */
    _Atomic uint64_t done;
    _Atomic uint64_t checksum; /* a sum: in whatever order it is added to */
};

uint64_t job_item(uint64_t number)
{
    uint64_t x = number + 1;

    /* xorshift64, Marsaglia 2003 */
    for (unsigned round = 0; round < ROUNDS; round++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    return x & 0xffffffff;
}

static void work(struct board *board, uint64_t items)
{
    uint64_t item;

    while ((item = atomic_fetch_add(&board->next, 1)) < items) {
        atomic_fetch_add(&board->checksum, job_item(item));
        atomic_fetch_add(&board->done, 1);
    }
}

int job_run(unsigned workers, uint64_t items)
{
    struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t start = report_clock_ns();

    if (board == MAP_FAILED)
        return EXIT_FAILURE;
    for (unsigned i = 0; i < workers; i++) {
        pid_t child = fork();

        if (child < 0)
            return EXIT_FAILURE;
        if (child == 0) {
            work(board, items);
            _exit(EXIT_SUCCESS);
        }
    }
    while (wait(NULL) > 0)
        continue;

    report_result("elapsed", report_clock_ns() - start, "ns");
    report_result("items", board->done, "count");
    report_result("checksum", board->checksum, "count");
    return board->done == items ? EXIT_SUCCESS : EXIT_FAILURE;
}
