/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `hvsim run --console VM`: standard output shows what the VM's guest prints,
 * and what comes from standard input is typed at it. At a terminal every key
 * goes to the guest but the one that ends the run.
 *
 * While standard input is open and nothing has come from it that waits to be
 * typed, simulated time goes no faster than real time. The host's clock decides
 * nothing else, and what it decides shows only in when something was typed,
 * which the results record. (Who leaves a machine that is in a step of more
 * than a second cuts that step, which nothing can repeat.)
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sim/cli/cli_private.h"
#include "sim/cli/pace.h"
#include "sim/cli/terminal.h"
#include "sim/machine/machine.h"
#include "sim/scenario/document.h"
#include "sim/scenario/suggest.h"
#include "sim/text/text.h"

#define KEY_END 0x1d /* Ctrl-] */
#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
/* How often the outside is asked while the machine runs, and for how long the
 * machine can wait for it at once. */
#define LOOK_INTERVAL_NS (5 * NS_PER_MS)
#define WAIT_MS_MAX 100
/* For how long who leaves waits for a step to end. */
#define PATIENCE_NS NS_PER_S

struct cli_live {
    struct machine_console console;
    bool is_terminal; /* standard input */
    bool is_open;     /* it has not ended */
    bool is_left;     /* by the key */
    bool is_full;     /* nothing more is typed */
    bool is_quiet;
    bool is_shown_raw; /* standard output is the terminal, which is raw */
    uint8_t last;      /* byte that the guest has printed */
    bool has_started;  /* the pace has */
    const char *name;  /* of the VM; borrowed */
    struct pace pace;
    uint64_t looked_ns, left_ns; /* host time */
    uint8_t bytes[SCENARIO_SEND_BYTES_MAX];
    size_t count; /* of them, not taken yet */
};

static uint64_t host_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* At a terminal, takes the key out that ends the run. */
static size_t look_for_end(struct cli_live *live, const uint8_t *bytes,
                           size_t count)
{
    const uint8_t *end =
        live->is_terminal ? memchr(bytes, KEY_END, count) : NULL;

    if (!end)
        return count;
    live->is_left = true;
    live->left_ns = host_now_ns();
    return (size_t)(end - bytes);
}

/* Reads what is there. Where the buffer is full, only the end is looked for:
 * a pipe can wait, but who is at a terminal must be able to leave. */
static void read_input(struct cli_live *live)
{
    uint8_t spare[256];
    size_t room = sizeof live->bytes - live->count;
    ssize_t got = room > 0 ? read(STDIN_FILENO, &live->bytes[live->count], room)
                           : read(STDIN_FILENO, spare, sizeof spare);

    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0)
        live->is_open = false;
    else if (room > 0)
        live->count +=
            look_for_end(live, &live->bytes[live->count], (size_t)got);
    else
        look_for_end(live, spare, (size_t)got);
}

/* Looks at standard input, for `wait_ms` at most. */
static void look(struct cli_live *live, int wait_ms)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

    fflush(stdout);
    if (!live->is_open || (!live->is_terminal && live->count > 0))
        return;
    if (poll(&input, 1, wait_ms) > 0)
        read_input(live);
    live->looked_ns = host_now_ns();
}

static void put(void *context, uint8_t byte)
{
    struct cli_live *live = context;

    /* Not every guest sends a return before it. */
    if (live->is_shown_raw && byte == '\n' && live->last != '\r')
        putchar('\r');
    putchar(byte);
    live->last = byte;
}

static void say_full(struct cli_live *live)
{
    if (!live->is_full && !live->is_quiet)
        fprintf(stderr, "hvsim: no more is typed: a run keeps 256 KiB of input "
                        "in 10,000 pieces\r\n");
    live->is_full = true;
    live->count = 0;
    if (!live->is_terminal)
        live->is_open = false;
}

static size_t get(void *context, uint8_t *bytes, size_t most)
{
    struct cli_live *live = context;
    size_t count;

    /* A file is always ready: to ask at every step makes its input come at the
     * same times in every run. */
    if (!live->is_terminal)
        look(live, 0);
    if (most == 0 && live->count > 0)
        say_full(live);
    count = live->count < most ? live->count : most;
    if (count == 0)
        return 0;
    memcpy(bytes, live->bytes, count);
    memmove(live->bytes, &live->bytes[count], live->count - count);
    live->count -= count;
    return count;
}

static uint64_t wait_until(void *context, uint64_t now_ns, uint64_t next_ns)
{
    struct cli_live *live = context;
    uint64_t host_ns = host_now_ns();
    uint64_t limit_ns;

    if (!live->has_started)
        pace_start(&live->pace, now_ns, host_ns);
    live->has_started = true;
    if (!live->is_terminal)
        look(live, 0);
    if (!live->is_open || live->count > 0)
        return next_ns;
    limit_ns = pace_limit(&live->pace, now_ns, host_ns);
    if (limit_ns < next_ns) {
        uint64_t wait_ms = (next_ns - limit_ns) / NS_PER_MS;

        look(live, wait_ms < WAIT_MS_MAX ? (int)wait_ms : WAIT_MS_MAX);
        limit_ns = pace_limit(&live->pace, now_ns, host_now_ns());
    }
    return limit_ns < next_ns ? limit_ns : next_ns;
}

static bool is_left(void *context)
{
    struct cli_live *live = context;

    /* Who is at a terminal is heard also by a machine that wants no input. */
    if (live->is_terminal &&
        host_now_ns() - live->looked_ns >= LOOK_INTERVAL_NS)
        look(live, 0);
    return live->is_left;
}

static bool must_end(void *context)
{
    const struct cli_live *live = context;

    return is_left(context) && host_now_ns() - live->left_ns > PATIENCE_NS;
}

/* The number of the VM called `name`. */
static enum sim_status find_vm(const struct scenario *scenario,
                               const char *name, uint32_t *number,
                               struct sim_error *error)
{
    char vm[SCENARIO_NAME_BYTES_MAX + 1];
    char quoted[DOCUMENT_QUOTE_BYTES];
    struct suggestion near = {0};

    *number = 0;
    for (size_t i = 0; i < scenario->vm_count; i++) {
        for (uint32_t n = 0; n < scenario->vms[i].count; n++, ++*number) {
            scenario_vm_name(&scenario->vms[i], n, vm);
            if (strcmp(vm, name) == 0)
                return SIM_OK;
        }
        suggest_offer(&near, name, scenario->vms[i].name);
    }
    return sim_fail(
        error, SIM_BAD_USAGE, "run: --console: there is no VM %s%s%s%s",
        document_quote(name, quoted), near.word ? "; did you mean '" : "",
        near.word ? near.word : "", near.word ? "'?" : "");
}

enum sim_status cli_live_create(struct cli_live **out,
                                const struct cli_invocation *invocation,
                                const struct scenario *scenario,
                                struct sim_error *error)
{
    struct cli_live *live;
    uint32_t number;
    const char *vm;

    *out = NULL;
    if (!cli_given(invocation, CLI_CONSOLE, &vm))
        return SIM_OK;
    if (strcmp(invocation->operands[0], "-") == 0)
        return sim_fail(error, SIM_BAD_USAGE,
                        "run: --console: standard input is the scenario "
                        "already; expected a scenario in a file");
    if (find_vm(scenario, vm, &number, error) != SIM_OK)
        return error->status;
    live = calloc(1, sizeof *live);
    if (!live)
        return sim_fail(error, SIM_NO_MEMORY, "out of memory");
    live->console = (struct machine_console){.vm = number,
                                             .context = live,
                                             .put = put,
                                             .get = get,
                                             .wait = wait_until,
                                             .is_left = is_left,
                                             .must_end = must_end};
    live->name = vm;
    live->is_terminal = isatty(STDIN_FILENO);
    live->is_shown_raw = live->is_terminal && isatty(STDOUT_FILENO);
    live->last = '\n';
    live->is_quiet = cli_given(invocation, CLI_QUIET, NULL);
    live->is_open = true;
    *out = live;
    return SIM_OK;
}

const struct machine_console *cli_live_console(const struct cli_live *live)
{
    return live ? &live->console : NULL;
}

enum sim_status cli_live_begin(const struct cli_live *live,
                               struct sim_error *error)
{
    if (!live || !live->is_terminal)
        return SIM_OK;
    if (!live->is_quiet) {
        fprintf(stderr, "hvsim: the console of ");
        text_print(stderr, live->name);
        fprintf(stderr, "; Ctrl-] ends the run\n");
    }
    return terminal_make_raw(STDIN_FILENO, error);
}

void cli_live_end(const struct cli_live *live)
{
    if (!live)
        return;
    fflush(stdout);
    terminal_restore();
    if (live->last != '\n' && isatty(STDOUT_FILENO))
        putchar('\n');
}
