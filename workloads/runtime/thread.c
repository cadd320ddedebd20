/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/runtime/thread.h"

#include "workloads/runtime/apic.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/spinlock.h"
#include "workloads/runtime/timer.h"
#include "workloads/runtime/trap.h"

/* Sent to the first processor when another has run all its threads. */
#define VECTOR_FINISHED 0xeb
/* Sent to a processor whose thread is to be unparked. */
#define VECTOR_UNPARK 0xea
#define STACK_PAGES 4
#define NEVER UINT64_MAX

enum thread_state {
    THREAD_READY,
    THREAD_SLEEPING,
    THREAD_PARKED,
    THREAD_ENDED,
};

struct thread {
    struct thread *next;
    uint64_t stack_pointer; /* while not running */
    enum thread_state state;
    uint64_t wake_ns; /* while sleeping */
    void (*function)(void *);
    void *argument;
    uint32_t home;             /* the processor that it belongs to */
    bool is_unparked;          /* by thread_unpark(); under the inbox's lock */
    struct thread *inbox_next; /* likewise */
};

/* One per processor; only that processor touches it once it runs, but for the
 * inbox, into which all of them put the threads that they unpark. */
struct scheduler {
    struct spinlock inbox_lock;
    struct thread *inbox; /* threads with is_unparked that were not yet seen */
    uint64_t stack_pointer; /* of the loop, while a thread runs */
    struct thread *current; /* NULL while the loop runs */
    struct thread *ready_first, *ready_last;
    struct thread *sleeping; /* by wake_ns, earliest first */
    uint32_t live_count;
    uint64_t armed_ns; /* the deadline that the timer is set to, or NEVER */
};

static struct scheduler schedulers[CPU_COUNT_MAX];
static uint32_t busy_processors;

/* Pushes the registers a C function must keep, saves RSP at `*from`, takes
 * `to` as RSP and pops the same. */
void thread_switch(uint64_t *from, uint64_t to);
__asm__(
    ".pushsection .text\n"
    ".globl thread_switch\n"
    "thread_switch:\n"
    "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
    "mov %rsp, (%rdi)\n"
    "mov %rsi, %rsp\n"
    "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
    "ret\n"
    ".popsection");
#define SWITCH_FRAME_REGISTERS 6

static struct scheduler *scheduler_here(void)
{
    return &schedulers[cpu_current()->index];
}

static void enqueue(struct scheduler *s, struct thread *thread)
{
    thread->next = NULL;
    if (s->ready_first == NULL)
        s->ready_first = thread;
    else
        s->ready_last->next = thread;
    s->ready_last = thread;
}

static struct thread *dequeue(struct scheduler *s)
{
    struct thread *thread = s->ready_first;

    if (thread != NULL)
        s->ready_first = thread->next;
    return thread;
}

static void insert_sleeper(struct scheduler *s, struct thread *thread)
{
    struct thread **at = &s->sleeping;

    while (*at != NULL && (*at)->wake_ns <= thread->wake_ns)
        at = &(*at)->next;
    thread->next = *at;
    *at = thread;
}

static void wake_due(struct scheduler *s, uint64_t now)
{
    while (s->sleeping != NULL && s->sleeping->wake_ns <= now) {
        struct thread *thread = s->sleeping;

        s->sleeping = thread->next;
        enqueue(s, thread);
    }
}

/* The next moment at which the loop must run: a sleeper is due, or, where
 * others wait for the processor, the slice is over. */
static void arm_timer(struct scheduler *s, uint64_t slice_end_ns)
{
    uint64_t due = s->sleeping != NULL ? s->sleeping->wake_ns : NEVER;

    if (s->ready_first != NULL && slice_end_ns < due)
        due = slice_end_ns;
    if (due == s->armed_ns)
        return;
    s->armed_ns = due;
    if (due == NEVER)
        timer_stop();
    else
        timer_set_deadline(due);
}

/* Back to the loop, which looks at the state. Interrupts off. */
static void leave(enum thread_state state)
{
    struct scheduler *s = scheduler_here();

    s->current->state = state;
    thread_switch(&s->current->stack_pointer, s->stack_pointer);
}

/* Makes ready what others have unparked. A thread that has not parked yet keeps
 * its flag. Under the inbox's lock. */
static void take_inbox(struct scheduler *s)
{
    while (s->inbox != NULL) {
        struct thread *thread = s->inbox;

        s->inbox = thread->inbox_next;
        if (thread->state != THREAD_PARKED)
            continue;
        thread->is_unparked = false;
        thread->state = THREAD_READY;
        enqueue(s, thread);
    }
}

static void empty_inbox(struct scheduler *s)
{
    bool irq = spinlock_acquire(&s->inbox_lock);

    take_inbox(s);
    spinlock_release(&s->inbox_lock, irq);
}

/* The loop looks into the inbox by itself; a thread that runs must from now on
 * share the processor. */
static void handle_unpark(struct trap_frame *frame)
{
    struct scheduler *s = scheduler_here();

    (void)frame;
    apic_eoi();
    if (s->current == NULL)
        return;
    empty_inbox(s);
    arm_timer(s, clock_ns() + THREAD_SLICE_NS);
}

static void handle_timer(void)
{
    struct scheduler *s = scheduler_here();

    s->armed_ns = NEVER; /* it has fired */
    if (s->current != NULL)
        leave(THREAD_READY);
}

static void handle_finished(struct trap_frame *frame)
{
    (void)frame;
    apic_eoi(); /* ending the halt is all it is for */
}

static void thread_entry(void)
{
    struct thread *thread = scheduler_here()->current;

    x86_sti();
    thread->function(thread->argument);
    x86_cli();
    leave(THREAD_ENDED);
    __builtin_unreachable();
}

struct thread *thread_create(uint32_t index, void (*function)(void *),
                             void *argument)
{
    struct scheduler *s = &schedulers[index];
    /* The thread's record lies on top of its own stack. */
    uint64_t top = paging_new_stack(STACK_PAGES) - 128;
    struct thread *thread = (struct thread *)top;
    uint64_t *frame = (uint64_t *)top - SWITCH_FRAME_REGISTERS - 2;

    _Static_assert(sizeof(*thread) <= 128, "the record does not fit");
    frame[SWITCH_FRAME_REGISTERS] = (uintptr_t)thread_entry;
    thread->stack_pointer = (uintptr_t)frame;
    thread->function = function;
    thread->argument = argument;
    thread->home = index;
    enqueue(s, thread);
    s->live_count++;
    return thread;
}

static void run_one(struct scheduler *s, struct thread *thread, uint64_t now)
{
    arm_timer(s, now + THREAD_SLICE_NS);
    s->current = thread;
    thread_switch(&s->stack_pointer, thread->stack_pointer);
    s->current = NULL;
    switch (thread->state) {
    case THREAD_READY:
        enqueue(s, thread);
        break;
    case THREAD_SLEEPING:
        insert_sleeper(s, thread);
        break;
    case THREAD_PARKED:
        break;
    case THREAD_ENDED:
        s->live_count--;
        break;
    }
}

static void run_processor(void)
{
    struct scheduler *s = scheduler_here();

    s->armed_ns = NEVER;
    x86_cli();
    while (s->live_count > 0) {
        uint64_t now = clock_ns();
        struct thread *thread;

        wake_due(s, now);
        empty_inbox(s);
        thread = dequeue(s);
        if (thread != NULL) {
            run_one(s, thread, now);
        } else {
            arm_timer(s, NEVER);
            cpu_idle();
            x86_cli();
        }
    }
    timer_stop();
    x86_sti();
    if (__atomic_sub_fetch(&busy_processors, 1, __ATOMIC_ACQ_REL) == 0)
        apic_send(0, APIC_ICR_FIXED | APIC_ICR_ASSERT | VECTOR_FINISHED);
}

void thread_run_all(void)
{
    busy_processors = cpu_count();
    timer_set_handler(handle_timer);
    trap_set_handler(VECTOR_FINISHED, handle_finished);
    trap_set_handler(VECTOR_UNPARK, handle_unpark);
    cpu_start_all(run_processor);
    run_processor();
    x86_cli();
    while (__atomic_load_n(&busy_processors, __ATOMIC_ACQUIRE) > 0) {
        cpu_idle();
        x86_cli();
    }
    x86_sti();
}

void thread_sleep(uint64_t ns)
{
    struct thread *thread = scheduler_here()->current;

    x86_cli();
    thread->wake_ns = clock_ns() + ns;
    leave(THREAD_SLEEPING);
    x86_sti();
}

/* Who unparks after the lock has been given back finds the thread parked as
 * soon as the loop looks into the inbox, with interrupts off until then. */
void thread_park(void)
{
    struct scheduler *s = scheduler_here();
    struct thread *thread = s->current;
    bool irq = spinlock_acquire(&s->inbox_lock);
    bool is_unparked;

    take_inbox(s);
    is_unparked = thread->is_unparked;
    thread->is_unparked = false;
    spinlock_release(&s->inbox_lock, false);
    if (!is_unparked)
        leave(THREAD_PARKED);
    x86_irq_restore(irq);
}

void thread_unpark(struct thread *thread)
{
    struct scheduler *home = &schedulers[thread->home];
    bool irq = spinlock_acquire(&home->inbox_lock);
    bool is_first = home->inbox == NULL;
    bool is_news = !thread->is_unparked;

    if (is_news) {
        thread->is_unparked = true;
        thread->inbox_next = home->inbox;
        home->inbox = thread;
    }
    spinlock_release(&home->inbox_lock, irq);
    if (is_news && is_first)
        apic_send(thread->home,
                  APIC_ICR_FIXED | APIC_ICR_ASSERT | VECTOR_UNPARK);
}
