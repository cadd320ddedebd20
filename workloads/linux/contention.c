/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/linux/contention.h"

#include <errno.h>
#include <immintrin.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "workloads/contention/score.h"
#include "workloads/contention/task.h"
#include "workloads/linux/arguments.h"
#include "workloads/linux/report.h"

#define NS_PER_S 1000000000
#define NS_PER_US 1000

/* What the processes have in common. Tasks are numbered through all
 * iterations. */
struct board {
    _Atomic uint32_t released; /* tasks below this may be taken; a futex */
    _Atomic uint32_t taken;    /* the next to take */
    _Atomic uint32_t finished; /* a futex */
    _Atomic uint32_t is_locked;
    uint64_t shared_found; /* under the lock: makes it worth having */
    struct score scores[TASK_WORKERS_MAX];
    uint64_t task_ns[];
};

static void *map(size_t bytes, int sharing)
{
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS,
                -1, 0);
}

/* Returns at once if *word is not `value` any more. */
static void wait_while(_Atomic uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

static void wake_all(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static void search_locked(struct board *board, struct score *score,
                          struct task *task, uint64_t count)
{
    uint64_t wanted = report_clock_ns(), had, wait_ns;

    while (
        atomic_exchange_explicit(&board->is_locked, 1, memory_order_acquire)) {
        while (atomic_load_explicit(&board->is_locked, memory_order_relaxed))
            _mm_pause();
    }
    had = report_clock_ns();
    task_search(task, count);
    board->shared_found += task->found;
    score->lock_held_ns += report_clock_ns() - had;
    atomic_store_explicit(&board->is_locked, 0, memory_order_release);
    wait_ns = had - wanted;
    score->lock_acquisitions++;
    score->lock_wait_ns += wait_ns;
    if (wait_ns > score->lock_wait_max_ns)
        score->lock_wait_max_ns = wait_ns;
}

static void sleep_ns(uint64_t ns)
{
    struct timespec left = {.tv_sec = (time_t)(ns / NS_PER_S),
                            .tv_nsec = (long)(ns % NS_PER_S)};

    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        continue;
}

static void do_step(struct board *board, const struct task_plan *plan,
                    struct score *score, struct task *task, uint64_t step)
{
    uint64_t locked = task_locked_searches(plan, step);
    uint64_t rest_ns;

    if (locked > 0)
        search_locked(board, score, task, locked);
    task_search(task, task_free_searches(plan, step));
    rest_ns = task_rest_ns(task, plan);
    score->slept_ns += rest_ns;
    if (rest_ns > 0)
        sleep_ns(rest_ns);
}

/* False if there is no memory. */
static bool do_task(struct board *board, const struct task_plan *plan,
                    struct score *score, uint64_t number)
{
    size_t bytes = task_slots(plan->memory) * sizeof(uint64_t);
    uint64_t start = report_clock_ns();
    uint64_t *slots = map(bytes, MAP_PRIVATE);
    struct task task;

    if (slots == MAP_FAILED)
        return false;
    task = task_start(plan, number, slots);
    for (uint64_t step = 0; step < plan->steps; step++)
        do_step(board, plan, score, &task, step);
    munmap(slots, bytes);
    score->tasks++;
    score->found += task.found;
    board->task_ns[number] = report_clock_ns() - start;
    return true;
}

/* A worker's process; its exit code. A task that cannot be done is missing in
 * the score, but nobody waits for it. */
static int work(struct board *board, const struct task_plan *plan,
                struct score *score)
{
    uint32_t count = (uint32_t)(plan->tasks * plan->iterations);
    uint32_t number = atomic_load(&board->taken);

    while (number < count) {
        uint32_t released = atomic_load(&board->released);

        if (number >= released) {
            wait_while(&board->released, released);
            number = atomic_load(&board->taken);
        } else if (atomic_compare_exchange_weak(&board->taken, &number,
                                                number + 1)) {
            if (!do_task(board, plan, score, number))
                report_fail("no memory for a task");
            if (atomic_fetch_add(&board->finished, 1) + 1 == released)
                wake_all(&board->finished);
            number = atomic_load(&board->taken);
        }
    }
    return EXIT_SUCCESS;
}

static void dispatch(struct board *board, const struct task_plan *plan)
{
    for (uint64_t i = 1; i <= plan->iterations; i++) {
        uint32_t wanted = (uint32_t)(i * plan->tasks), finished;

        atomic_store(&board->released, wanted);
        wake_all(&board->released);
        while ((finished = atomic_load(&board->finished)) < wanted)
            wait_while(&board->finished, finished);
    }
}

/* Whether all of them could be started. */
static bool start_workers(struct board *board, const struct task_plan *plan)
{
    for (uint64_t i = 0; i < plan->workers; i++) {
        pid_t child = fork();

        if (child < 0) {
            report_fail("no process for a worker: %s", strerror(errno));
            return false;
        }
        if (child == 0)
            _exit(work(board, plan, &board->scores[i]));
    }
    return true;
}

static uint64_t cpu_ns(int whose)
{
    struct rusage usage = {0};

    getrusage(whose, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) *
               NS_PER_S +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) *
               NS_PER_US;
}

static int run_plan(const struct task_plan *plan)
{
    uint64_t count = plan->tasks * plan->iterations;
    struct board *board =
        map(sizeof(*board) + count * sizeof(board->task_ns[0]), MAP_SHARED);
    struct score_end end = {.task_count = count};
    struct score sum = {0};
    uint64_t start;

    if (board == MAP_FAILED || !start_workers(board, plan))
        return EXIT_FAILURE;
    start = report_clock_ns();
    dispatch(board, plan);
    end.elapsed_ns = report_clock_ns() - start;
    end.task_ns = board->task_ns;
    while (wait(NULL) > 0)
        continue;
    for (uint64_t i = 0; i < plan->workers; i++)
        score_add(&sum, &board->scores[i]);
    score_report(&sum, &end, report_result);
    report_result("cpu", cpu_ns(RUSAGE_SELF) + cpu_ns(RUSAGE_CHILDREN), "ns");
    return sum.tasks == count ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Takes one argument NAME=VALUE; false if it is none. */
static bool set_argument(struct task_plan *plan, const char *word)
{
#define PLAN(name, kind, standard)                                             \
    if (strncmp(word, #name "=", sizeof(#name)) == 0)                          \
        return READ_##kind(word + sizeof(#name), &plan->name);
#define READ_number arguments_number
#define READ_bytes arguments_bytes
#define READ_duration_ns arguments_duration
#include "workloads/contention/plan.def"
#undef PLAN
    return false;
}

/* hvsim.seed=N on the kernel's command line: what the scenario says. */
static void read_seed(struct task_plan *plan)
{
    char line[2048] = "", value[32];
    FILE *file = fopen("/proc/cmdline", "re");

    if (!file)
        return;
    if (fgets(line, sizeof(line), file) &&
        arguments_find(line, "hvsim.seed", value, sizeof(value)) &&
        !arguments_number(value, &plan->seed))
        report_fail("hvsim.seed=%s is no number", value);
    fclose(file);
}

int contention_run(int count, char **words)
{
    struct task_plan plan = {
#define PLAN(name, kind, standard) .name = (standard),
#include "workloads/contention/plan.def"
#undef PLAN
    };
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const char *fault;

    read_seed(&plan);
    for (int i = 0; i < count; i++) {
        if (!set_argument(&plan, words[i])) {
            fprintf(stderr,
                    "hvsim-contention: %s: expected NAME=VALUE, such as "
                    "workers=8 or sleep=1ms\n",
                    words[i]);
            return 2;
        }
    }
    fault =
        task_plan_complete(&plan, processors > 0 ? (uint64_t)processors : 1);
    if (fault) {
        fprintf(stderr, "hvsim-contention: %s\n", fault);
        return 2;
    }
    return run_plan(&plan);
}
