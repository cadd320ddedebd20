/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/machine/sched_trace.h"

#include <inttypes.h>
#include <string.h>

#include "hypervisor/partition.h"
#include "hypervisor/vp.h"

/* 12 345 678: thousands apart, so that eyes can subtract. */
static const char *spaced(uint64_t value, char text[32])
{
    char digits[24];
    int count = snprintf(digits, sizeof(digits), "%" PRIu64, value);
    char *at = text;

    for (int i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0)
            *at++ = ' ';
        *at++ = digits[i];
    }
    *at = '\0';
    return text;
}

static const char *vp_name(const struct script_host *host, uint64_t partition,
                           uint64_t vp, char text[32])
{
    const struct machine *m = host->machine;
    const char *vm = partition == m->hv->root->id.v ? "root" : "?";

    for (uint32_t i = 0; i < m->vm_count; i++) {
        if (vmms_partition(m->vmms, i).v == partition)
            vm = host->names[i];
    }
    snprintf(text, 32, "%s/vp%" PRIu64, vm, vp);
    return text;
}

static void put_place(FILE *to, const struct script_host *host,
                      const struct trace_record *r)
{
    char text[32];

    fprintf(to, "[%13s ns] ", spaced(r->time.v, text));
    if (r->lp == TRACE_NO_LP || r->kind == TRACE_VP_STATE)
        fprintf(to, "--  ");
    else
        fprintf(to, "lp%-2u", (unsigned)r->lp);
    fprintf(to, " %-9s",
            r->vp == TRACE_NO_VP ? ""
                                 : vp_name(host, r->partition, r->vp, text));
}

/* The record that belongs to `r`, of that kind and next for its VP. */
static const struct trace_record *next_of(const struct script_host *host,
                                          const struct trace_record *r,
                                          enum trace_kind kind)
{
    const struct trace_record *end =
        host->results.events + host->results.event_count;

    for (const struct trace_record *next = r + 1; next < end; next++) {
        if (next->kind == kind && next->partition == r->partition &&
            next->vp == r->vp)
            return next;
    }
    return NULL;
}

/* The wait's detail: see lp.c. */
static void put_dispatch(FILE *to, const struct script_host *host,
                         const struct trace_record *r)
{
    const struct trace_record *wait = next_of(host, r, TRACE_WAIT);
    uint64_t detail = wait ? wait->detail : 0;
    char text[32];

    fprintf(to, " runs, waited %s: %s", spaced(r->detail, text),
            sched_rule_name((enum sched_rule)(detail & 0xff)));
    if (detail >> 32)
        fprintf(to, ", for %s",
                vp_name(host, detail >> 32, detail >> 8 & 0xffffff, text));
}

static void put_undispatch(FILE *to, const struct script_host *host,
                           const struct trace_record *r)
{
    const struct trace_record *state = next_of(host, r, TRACE_VP_STATE);
    char text[32];

    fprintf(to, " leaves after %s, %s", spaced(r->detail, text),
            state ? vp_state_name((enum vp_state)state->detail) : "?");
}

/* A VP that becomes ready without having left an LP: it wakes. */
static bool wakes(const struct script_host *host, const struct trace_record *r)
{
    const struct trace_record *before = r;

    if (r->kind != TRACE_VP_STATE || r->detail != VP_READY)
        return false;
    while (before-- > host->results.events) {
        if (before->partition == r->partition && before->vp == r->vp &&
            before->kind != TRACE_TIMER)
            return before->kind != TRACE_UNDISPATCH;
    }
    return true;
}

static void put(FILE *to, const struct script_host *host,
                const struct trace_record *r)
{
    bool wakes_up = wakes(host, r);
    bool spins =
        r->kind == TRACE_EXIT && (r->detail & 0xff) == VM_EXIT_HYPERCALL;

    if (r->kind != TRACE_DISPATCH && r->kind != TRACE_UNDISPATCH &&
        r->kind != TRACE_LP_IDLE && !wakes_up && !spins)
        return;
    put_place(to, host, r);
    if (r->kind == TRACE_DISPATCH)
        put_dispatch(to, host, r);
    else if (r->kind == TRACE_UNDISPATCH)
        put_undispatch(to, host, r);
    else if (r->kind == TRACE_LP_IDLE)
        fprintf(to, " idles");
    else if (wakes_up)
        fprintf(to, " wakes");
    else
        fprintf(to, " says that it spins");
    fputc('\n', to);
}

void sched_trace_write(FILE *to, const struct script_host *host,
                       uint64_t from_ns, uint64_t to_ns)
{
    const struct results *results = &host->results;

    for (size_t i = 0; i < results->event_count; i++) {
        const struct trace_record *r = &results->events[i];

        if (r->time.v >= from_ns && r->time.v < to_ns)
            put(to, host, r);
    }
}
