/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Who types at the VMs' consoles: the scenario's scripts, and whoever is at one
 * of them while the machine runs.
 *
 * Typing is an event of its own, at a whole nanosecond that no LP has reached
 * yet when it is put into the queue. So everything until then has gone as it
 * would have gone with the event in the queue from the start, and a run whose
 * scenario says `at` that nanosecond is the same run: what an `expect` has led
 * to, and what a person has typed, can be repeated exactly. It also is why
 * asking the outside, which depends on the host's time, changes nothing as long
 * as nothing is typed.
 */
#include <stdio.h>
#include <string.h>

#include "sim/machine/machine_private.h"
#include "sim/scenario/document.h"
#include "sim/scenario/units.h"

#define REASON_BYTES (2 * DOCUMENT_QUOTE_BYTES + 160)

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Who is at a console; NULL: nobody. */
static const struct machine_console *visitor(const struct machine *m)
{
    return m->options ? m->options->console : NULL;
}

static bool has_visitor(const struct machine_vm *vm)
{
    const struct machine_console *console = visitor(vm->machine);

    return console && console->vm == vm->number;
}

/* The event comes when the first of all wants it. */
static void schedule(struct machine *m)
{
    uint64_t due_ns = CONSOLE_SCRIPT_NEVER;

    for (uint32_t i = 0; i < m->vm_count; i++)
        due_ns = earlier(due_ns, m->vms[i].script_due_ns);
    if (m->live.count > 0)
        due_ns = earlier(due_ns, m->live.due_ns);
    if (due_ns == CONSOLE_SCRIPT_NEVER)
        event_cancel(m->events, &m->typing);
    else
        event_schedule(m->events, &m->typing, clock_from_ns(m->clock, due_ns));
}

/* The VM's script has begun another step, or has seen what it waited for. */
static void schedule_script(struct machine_vm *vm)
{
    uint64_t due_ns = console_script_due(&vm->script);

    vm->script_due_ns = due_ns == CONSOLE_SCRIPT_NEVER
                            ? due_ns
                            : later(due_ns, run_first_free_ns(vm->machine));
    schedule(vm->machine);
}

static void type(struct machine_vm *vm, const uint8_t *bytes, size_t count,
                 uint64_t now_ns, cycles_t now)
{
    struct machine *m = vm->machine;
    struct sim_error error;

    if (!vmms_type(m->vmms, vm->number, bytes, count, now))
        machine_note_failure(m, SIM_NO_MEMORY,
                             "no memory for what is typed at VM \"%s\"",
                             vm->name);
    if (m->results && results_put_input(m->results, vm->name, now_ns, bytes,
                                        count, &error) != SIM_OK)
        machine_note_failure(m, error.status, "%s", error.message);
}

/* The last line that is on the console, whether it has ended or not. */
static const char *last_line(const struct machine_vm *vm,
                             char quoted[static DOCUMENT_QUOTE_BYTES])
{
    return document_quote(console_log_is_empty(&vm->console)
                              ? vm->last_line
                              : console_log_line(&vm->console),
                          quoted);
}

static void fail_overdue(struct machine_vm *vm)
{
    const struct scenario_step *step = console_script_step(&vm->script);
    char expected[DOCUMENT_QUOTE_BYTES];
    char line[DOCUMENT_QUOTE_BYTES];
    char timeout[UNITS_TEXT_BYTES];
    char why[REASON_BYTES];

    units_print(UNITS_DURATION, step->timeout_ns, timeout);
    snprintf(why, sizeof(why),
             "console[%zu]: its guest has not printed %s within %s; the last "
             "line is %s",
             vm->script.at, document_quote(step->expect, expected), timeout,
             last_line(vm, line));
    machine_vms_fail(vm, why, "");
    vm->script_due_ns = CONSOLE_SCRIPT_NEVER;
    run_end_early(vm->machine);
}

static void act(struct machine_vm *vm, cycles_t now)
{
    uint8_t bytes[SCENARIO_SEND_BYTES_MAX];
    uint64_t now_ns = vm->script_due_ns;
    size_t count;

    switch (console_script_act(&vm->script, now_ns, bytes, &count)) {
    case CONSOLE_OVERDUE:
        fail_overdue(vm);
        return;
    case CONSOLE_TYPE:
        type(vm, bytes, count, now_ns, now);
        break;
    case CONSOLE_NOTHING:
        break;
    }
    schedule_script(vm);
}

static bool is_due(const struct machine *m, uint64_t due_ns, cycles_t now)
{
    return due_ns != CONSOLE_SCRIPT_NEVER &&
           !cycles_before(now, clock_from_ns(m->clock, due_ns));
}

/* One after another in the order of the VMs: that is the order of what happens
 * at one time, whoever was heard of first. */
static void on_typing(void *context, cycles_t now)
{
    struct machine *m = context;

    m->now = now;
    for (uint32_t i = 0; i < m->vm_count; i++) {
        struct machine_vm *vm = &m->vms[i];

        if (is_due(m, vm->script_due_ns, now))
            act(vm, now);
        if (m->live.count > 0 && has_visitor(vm) &&
            is_due(m, m->live.due_ns, now)) {
            type(vm, m->live.bytes, m->live.count, m->live.due_ns, now);
            m->live.count = 0;
        }
    }
    schedule(m);
}

void machine_console_start(struct machine *m)
{
    m->typing = (struct event){.kind = EVENT_TIMELINE,
                               .name = "typing",
                               .fire = on_typing,
                               .context = m};
    for (uint32_t i = 0; i < m->vm_count; i++) {
        struct machine_vm *vm = &m->vms[i];
        const struct scenario_step *steps = vm->script.steps;
        size_t bytes = 0;

        schedule_script(vm);
        if (!has_visitor(vm))
            continue;
        /* All that is typed at a VM must fit into a scenario. */
        for (size_t n = 0; n < vm->script.count; n++)
            bytes += strlen(steps[n].send) + strlen(steps[n].hex) / 2;
        m->live.bytes_left = SCENARIO_TYPED_BYTES_MAX - bytes;
        m->live.inputs_left = SCENARIO_STEPS_MAX - vm->script.count;
    }
}

void machine_console_see(struct machine_vm *vm, uint8_t byte, cycles_t now)
{
    struct machine *m = vm->machine;
    uint64_t due_ns = console_script_due(&vm->script);

    if (has_visitor(vm))
        visitor(m)->put(visitor(m)->context, byte);
    console_script_see(&vm->script, byte, clock_to_ns(m->clock, now));
    if (console_script_due(&vm->script) != due_ns)
        schedule_script(vm);
}

/* Takes what has been typed, for when simulated time has come as far as
 * `until_ns`. What the UART has not taken yet comes before it. */
static void take_input(struct machine *m, uint64_t until_ns)
{
    const struct machine_console *console = visitor(m);
    size_t most = earlier(m->live.bytes_left, sizeof(m->live.bytes));

    if (m->live.count > 0 || vmms_untyped(m->vmms, console->vm) > 0)
        return;
    if (m->live.inputs_left == 0)
        most = 0;
    m->live.count = console->get(console->context, m->live.bytes, most);
    if (m->live.count == 0)
        return;
    m->live.bytes_left -= m->live.count;
    m->live.inputs_left--;
    m->live.due_ns = later(until_ns, run_first_free_ns(m));
    schedule(m);
}

bool machine_console_poll(struct machine *m, cycles_t next)
{
    const struct machine_console *console = visitor(m);

    if (!console || m->stopping)
        return true;

    uint64_t next_ns = clock_to_ns(m->clock, next);
    uint64_t now_ns = clock_to_ns(m->clock, m->now);
    uint64_t until_ns = next_ns > now_ns
                            ? console->wait(console->context, now_ns, next_ns)
                            : now_ns;

    take_input(m, until_ns);
    return until_ns >= next_ns || m->live.count > 0;
}

bool machine_console_is_left(const struct machine *m)
{
    const struct machine_console *console = visitor(m);

    return console && console->is_left(console->context);
}

bool machine_console_must_end(const struct machine *m)
{
    const struct machine_console *console = visitor(m);

    return console && console->must_end(console->context);
}

/* A step that the run has not come to. */
static void fail_unreached(struct machine_vm *vm)
{
    const struct scenario_step *step = console_script_step(&vm->script);
    char expected[DOCUMENT_QUOTE_BYTES];
    char line[DOCUMENT_QUOTE_BYTES];
    char why[REASON_BYTES];

    if (vm->script.is_waiting)
        snprintf(why, sizeof(why),
                 "console[%zu]: the run has ended before its guest printed %s; "
                 "the last line is %s",
                 vm->script.at, document_quote(step->expect, expected),
                 last_line(vm, line));
    else
        snprintf(why, sizeof(why),
                 "console[%zu]: the run has ended before it was time to type "
                 "this",
                 vm->script.at);
    machine_vms_fail(vm, why, "");
}

void machine_console_finish(struct machine *m)
{
    for (uint32_t i = 0; i < m->vm_count && !m->stopping; i++) {
        if (console_script_step(&m->vms[i].script))
            fail_unreached(&m->vms[i]);
    }
}

size_t machine_unread(const struct machine *m, uint32_t vm, const char **name)
{
    if (vm >= m->vm_count)
        return SIZE_MAX;
    *name = m->vms[vm].name;
    return vmms_untyped(m->vmms, vm);
}
