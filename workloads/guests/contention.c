/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * contention: the benchmark of the literature. A dispatcher starts `tasks`
 * tasks at once, waits for all of them, and does so `iterations` times. Worker
 * threads, dealt to the processors in turn, take the tasks: each allocates a
 * collection, fills it with random data, searches it and frees it, and sleeps
 * now and then. With lock=PERCENT, so much of the searching is done by one
 * worker at a time, under a spin lock.
 *
 * Arguments: workloads/contention/plan.def; spin_notify=off keeps a worker that
 * spins from telling the hypervisor. Results: workloads/contention/score.h,
 * and cpu (ns): the time that the processors had, as the hypervisor says, if
 * it does; cpu_utilization (%): what the guest believes.
 */

#include "workloads/contention/score.h"
#include "workloads/contention/task.h"
#include "workloads/runtime/args.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/spinlock.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/thread.h"

/* Where collections are mapped, by small pages as a heap's are: far from all
 * else. A worker has a gibibyte. */
#define HEAP_ADDRESS (UINT64_C(1) << 42)
#define HEAP_BYTES (UINT64_C(1) << 30)

struct worker {
    struct thread *thread;
    uint64_t heap;   /* GVA of its collection */
    uint64_t frames; /* the memory behind it */
    struct score score;
} __attribute__((aligned(64)));

static struct task_plan plan;
static uint64_t processors;
static struct worker workers[TASK_WORKERS_MAX];
static struct thread *dispatcher;
static uint64_t elapsed_ns; /* of the dispatcher, with all processors there */

/* Tasks are numbered through all iterations. */
static uint64_t *task_ns;
static uint64_t released; /* tasks below this may be taken; atomic */
static uint64_t taken;    /* the next to take; atomic */
static uint64_t finished; /* atomic */

static struct spinlock shared_lock;
static uint64_t shared_found; /* under the lock: makes it worth having */

/* One processor's: when its first worker began, when its last ended. */
struct span {
    uint64_t runtime_begin, runtime_end; /* 100 ns, of the VP */
    uint64_t idle_begin_ns, idle_end_ns;
    bool has_begun;
} __attribute__((aligned(64)));

static struct span spans[CPU_COUNT_MAX];

static uint64_t collection_pages(void)
{
    return (task_slots(plan.memory) * sizeof(uint64_t) + PAGE_BYTES - 1) /
           PAGE_BYTES;
}

/* As a heap does with what is larger than it keeps: pages from the system,
 * which come cleared. */
static uint64_t *allocate(const struct worker *worker)
{
    uint64_t bytes = collection_pages() * PAGE_BYTES;

    for (uint64_t at = 0; at < bytes; at += PAGE_BYTES)
        paging_map(worker->heap + at, worker->frames + at,
                   PTE_PRESENT | PTE_WRITE | PTE_NX);
    return memset((void *)worker->heap, 0, bytes);
}

/* No other processor has seen these pages: each worker stays on its own. */
static void release(const struct worker *worker)
{
    uint64_t bytes = collection_pages() * PAGE_BYTES;

    for (uint64_t at = 0; at < bytes; at += PAGE_BYTES) {
        *paging_entry(worker->heap + at, PAGING_4K) = 0;
        x86_invlpg(worker->heap + at);
    }
}

static void search_locked(struct worker *worker, struct task *task,
                          uint64_t count)
{
    struct score *score = &worker->score;
    uint64_t wanted = clock_ns(), had, wait_ns;
    bool irq = spinlock_acquire(&shared_lock);

    had = clock_ns();
    task_search(task, count);
    shared_found += task->found;
    score->lock_held_ns += clock_ns() - had;
    spinlock_release(&shared_lock, irq);
    wait_ns = had - wanted;
    score->lock_acquisitions++;
    score->lock_wait_ns += wait_ns;
    if (wait_ns > score->lock_wait_max_ns)
        score->lock_wait_max_ns = wait_ns;
}

static void do_step(struct worker *worker, struct task *task, uint64_t step)
{
    uint64_t locked = task_locked_searches(&plan, step);
    uint64_t rest_ns;

    if (locked > 0)
        search_locked(worker, task, locked);
    task_search(task, task_free_searches(&plan, step));
    rest_ns = task_rest_ns(task, &plan);
    worker->score.slept_ns += rest_ns;
    if (rest_ns > 0)
        thread_sleep(rest_ns);
}

static void do_task(struct worker *worker, uint64_t number)
{
    uint64_t start = clock_ns();
    struct task task = task_start(&plan, number, allocate(worker));

    for (uint64_t step = 0; step < plan.steps; step++)
        do_step(worker, &task, step);
    release(worker);
    worker->score.tasks++;
    worker->score.found += task.found;
    task_ns[number] = clock_ns() - start;
}

/* False if there is none to take now. */
static bool take(uint64_t *number)
{
    uint64_t next = __atomic_load_n(&taken, __ATOMIC_ACQUIRE);

    while (next < __atomic_load_n(&released, __ATOMIC_ACQUIRE)) {
        if (__atomic_compare_exchange_n(&taken, &next, next + 1, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            *number = next;
            return true;
        }
    }
    return false;
}

static uint64_t vp_runtime(void)
{
    return hyperv_privileges() & HV_PRIVILEGE_VP_RUNTIME
               ? x86_rdmsr(HV_MSR_VP_RUNTIME)
               : 0;
}

static void begin_span(void)
{
    struct span *span = &spans[cpu_current()->index];

    if (span->has_begun)
        return;
    span->has_begun = true;
    span->runtime_begin = vp_runtime();
    span->idle_begin_ns = cpu_current()->idle_ns;
}

static void end_span(void)
{
    struct span *span = &spans[cpu_current()->index];

    span->runtime_end = vp_runtime();
    span->idle_end_ns = cpu_current()->idle_ns;
}

static void work(void *argument)
{
    struct worker *worker = argument;
    uint64_t count = plan.tasks * plan.iterations, number;

    begin_span();
    while (__atomic_load_n(&finished, __ATOMIC_ACQUIRE) < count) {
        if (!take(&number)) {
            thread_park();
            continue;
        }
        do_task(worker, number);
        if (__atomic_add_fetch(&finished, 1, __ATOMIC_ACQ_REL) ==
            __atomic_load_n(&released, __ATOMIC_ACQUIRE))
            thread_unpark(dispatcher);
    }
    end_span();
}

static void dispatch(void *argument)
{
    uint64_t start_ns = clock_ns();

    (void)argument;
    for (uint64_t i = 1; i <= plan.iterations; i++) {
        __atomic_store_n(&released, i * plan.tasks, __ATOMIC_RELEASE);
        for (uint64_t w = 0; w < plan.workers; w++)
            thread_unpark(workers[w].thread);
        while (__atomic_load_n(&finished, __ATOMIC_ACQUIRE) < i * plan.tasks)
            thread_park();
    }
    elapsed_ns = clock_ns() - start_ns;
    for (uint64_t w = 0; w < plan.workers; w++)
        thread_unpark(workers[w].thread);
}

static void read_plan(void)
{
    const char *fault;

#define PLAN(name, kind, standard)                                             \
    plan.name = args_##kind(#name, UINT64_C(standard));
#include "workloads/contention/plan.def"
#undef PLAN
    fault = task_plan_complete(&plan, processors);
    if (fault)
        report_fail("argument %s", fault);
    spinlock_set_notify(strcmp(args_text("spin_notify", "on"), "off") != 0);
}

static void make_workers(void)
{
    uint64_t pages = collection_pages();

    for (uint64_t i = 0; i < plan.workers; i++) {
        struct worker *worker = &workers[i];

        worker->heap = HEAP_ADDRESS + i * HEAP_BYTES;
        worker->frames = (uintptr_t)memory_pages(pages);
        /* The tables are shared: they are made before there are others. */
        allocate(worker);
        release(worker);
        worker->thread =
            thread_create((uint32_t)(i % processors), work, worker);
    }
    dispatcher = thread_create(0, dispatch, NULL);
}

/* Of the tasks' time. A worker has begun before the first of them, and may have
 * idled; a processor without a worker has done nothing else. */
static uint64_t idle_ns_of(uint32_t processor)
{
    const struct span *span = &spans[processor];
    uint64_t idle_ns = span->has_begun ? span->idle_end_ns - span->idle_begin_ns
                                       : cpu_idle_ns(processor);

    return idle_ns < elapsed_ns ? idle_ns : elapsed_ns;
}

static void report(void)
{
    struct score_end end = {elapsed_ns, task_ns, plan.tasks * plan.iterations};
    struct score sum = {0};
    uint64_t runtime = 0, idle_ns = 0;

    for (uint64_t i = 0; i < plan.workers; i++)
        score_add(&sum, &workers[i].score);
    for (uint32_t i = 0; i < processors; i++) {
        runtime += spans[i].runtime_end - spans[i].runtime_begin;
        idle_ns += idle_ns_of(i);
    }
    score_report(&sum, &end, report_result);
    if (hyperv_privileges() & HV_PRIVILEGE_VP_RUNTIME)
        report_result("cpu", runtime * 100, "ns");
    report_hundredths("cpu_utilization",
                      10000 - idle_ns * 10000 / (elapsed_ns * processors), "%");
}

void guest_main(void)
{
    uint64_t count;

    processors = cpu_count();
    read_plan();
    count = plan.tasks * plan.iterations;
    task_ns =
        memory_pages((count * sizeof(*task_ns) + PAGE_BYTES - 1) / PAGE_BYTES);
    make_workers();
    thread_run_all();
    report();
    report_done();
}
