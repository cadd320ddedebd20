/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/machine/timed_trace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/intercept.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

/* A bill, and which record of the trace it comes before. */
struct timed_bill {
    size_t position;
    uint64_t time;
    uint32_t lp, vp;
    uint64_t partition;
    struct cost_bill bill;
};

static struct {
    struct script_host *host;
    struct timed_bill *bills;
    size_t count, capacity;
} timed;

void __real_ledger_count(struct ledger *ledger, const struct cost_bill *bill);
void __wrap_ledger_count(struct ledger *ledger, const struct cost_bill *bill);

static bool is_empty(const struct cost_bill *bill)
{
    for (unsigned i = 0; i < COST_BILL_WORDS; i++) {
        if (bill->used[i])
            return false;
    }
    return true;
}

/* The machine's own call, with a note of what passes. */
void __wrap_ledger_count(struct ledger *ledger, const struct cost_bill *bill)
{
    const struct machine *m = timed.host->machine;

    __real_ledger_count(ledger, bill);
    if (is_empty(bill))
        return;
    if (timed.count == timed.capacity) {
        timed.capacity = timed.capacity ? timed.capacity * 2 : 1024;
        timed.bills =
            reallocarray(timed.bills, timed.capacity, sizeof(*timed.bills));
        CHECK(timed.bills);
    }
    timed.bills[timed.count++] = (struct timed_bill){
        .position = timed.host->results.event_count,
        .time = m->stepping->now.v,
        .lp = m->stepping->id.v,
        .vp = m->stepping->vp->index.v,
        .partition = m->stepping->vp->partition->id.v,
        .bill = *bill,
    };
}

void timed_trace_begin(struct script_host *host)
{
    timed_trace_end();
    timed.host = host;
}

void timed_trace_end(void)
{
    free(timed.bills);
    memset(&timed, 0, sizeof(timed));
}

/* "[    12 345 ns] lp0 ": thousands apart, so that eyes can subtract. */
static void put_place(FILE *to, uint64_t ns, uint32_t lp)
{
    char time[32];

    if (ns >= 1000000)
        snprintf(time, sizeof(time), "%" PRIu64 " %03u %03u", ns / 1000000,
                 (unsigned)(ns / 1000 % 1000), (unsigned)(ns % 1000));
    else
        snprintf(time, sizeof(time), "%u %03u", (unsigned)(ns / 1000),
                 (unsigned)(ns % 1000));
    fprintf(to, "[%12s ns] ", time);
    if (lp == TRACE_NO_LP)
        fprintf(to, "--  ");
    else
        fprintf(to, "lp%u ", (unsigned)lp);
}

static void name_vp(const struct script_host *host, uint64_t partition,
                    uint64_t vp, char text[static 32])
{
    const struct machine *m = host->machine;

    text[0] = '\0';
    if (partition == m->hv->root->id.v)
        snprintf(text, 32, "root");
    for (uint32_t i = 0; i < m->vm_count; i++) {
        if (vmms_partition(m->vmms, i).v == partition)
            snprintf(text, 32, "%s", host->names[i]);
    }
    if (vp != TRACE_NO_VP)
        snprintf(text + strlen(text), 32 - strlen(text), "/vp%u", (unsigned)vp);
}

static void put_vp(FILE *to, const struct script_host *host, uint64_t partition,
                   uint32_t vp)
{
    char text[32];

    name_vp(host, partition, vp, text);
    fprintf(to, "%-9s ", text);
}

static void put_exit(FILE *to, uint64_t detail)
{
    enum vm_exit_kind kind = (enum vm_exit_kind)(detail & 0xff);

    fprintf(to, "exit %s", intercept_name(kind));
    if (detail >> 8)
        fprintf(to, " 0x%" PRIx64, detail >> 8);
}

/* What kept it out longest, and who had the LP. */
static void put_wait(FILE *to, const struct script_host *host, uint64_t detail)
{
    char holder[32];

    name_vp(host, detail >> 32, detail >> 8 & 0xffffff, holder);
    fprintf(to, "  because of %s%s%s",
            sched_rule_name((enum sched_rule)(detail & 0xff)),
            detail >> 32 ? ": " : "", detail >> 32 ? holder : "");
}

static void put_event(FILE *to, const struct script_host *host,
                      const struct trace_record *r)
{
    switch (r->kind) {
    case TRACE_VP_STATE:
        fprintf(to, "is %s", vp_state_name((enum vp_state)r->detail));
        break;
    case TRACE_DISPATCH:
        fprintf(to, "dispatch, waited %" PRIu64 " ns", r->detail);
        break;
    case TRACE_WAIT:
        put_wait(to, host, r->detail);
        break;
    case TRACE_UNDISPATCH:
        fprintf(to, "undispatch, ran %" PRIu64 " ns", r->detail);
        break;
    case TRACE_EXIT:
        put_exit(to, r->detail);
        break;
    case TRACE_INTERRUPT:
        fprintf(to, "interrupt 0x%" PRIx64, r->detail);
        break;
    case TRACE_MESSAGE:
        fprintf(to, "message 0x%08" PRIx64, r->detail);
        break;
    case TRACE_CONSOLE:
        fprintf(to, "console '%c'", (int)r->detail);
        break;
    case TRACE_TYPED:
        fprintf(to, "typed '%c'", (int)r->detail);
        break;
    case TRACE_LP_IDLE:
        fprintf(to, "idle");
        break;
    case TRACE_ROOT_WORK:
        fprintf(to, "work done, began %" PRIu64 " ns ago", r->detail);
        break;
    case TRACE_PARTITION:
    case TRACE_TIMER:
    case TRACE_IPI:
    case TRACE_VMBUS:
    case TRACE_KIND_COUNT:
        fprintf(to, "%s %" PRIu64, trace_kind_name(r->kind), r->detail);
        break;
    }
    fputc('\n', to);
}

static void put_bill(FILE *to, const struct script_host *host,
                     const struct timed_bill *b)
{
    struct cost_total total = cost_model_price(&host->machine->cost, &b->bill);
    uint64_t guest = total.guest_subcycles / SUBCYCLES_PER_CYCLE;
    uint64_t hypervisor = total.hypervisor_subcycles / SUBCYCLES_PER_CYCLE;
    uint64_t idle = total.idle_subcycles / SUBCYCLES_PER_CYCLE;
    const char *separator = ": ";

    fprintf(to, "  + ");
    if (guest)
        fprintf(to, "%" PRIu64 " ns own", guest);
    if (guest && hypervisor)
        fprintf(to, ", ");
    if (hypervisor)
        fprintf(to, "%" PRIu64 " ns hypervisor", hypervisor);
    if (idle)
        fprintf(to, "%s%" PRIu64 " ns idle", guest || hypervisor ? ", " : "",
                idle);
    for (unsigned kind = 0; kind < COST_KIND_COUNT; kind++) {
        uint32_t count = cost_count(&b->bill, (enum cost_kind)kind);

        if (count == 0)
            continue;
        fprintf(to, "%s%s", separator, cost_kind_name((enum cost_kind)kind));
        if (count > 1)
            fprintf(to, " x %" PRIu32, count);
        separator = ", ";
    }
    fputc('\n', to);
}

static bool is_exit(const struct script_host *host,
                    const struct trace_record *r, enum vm_exit_kind kind)
{
    return r->kind == TRACE_EXIT && (r->detail & 0xff) == (uint64_t)kind &&
           r->partition != host->machine->hv->root->id.v;
}

void timed_trace_write(FILE *to, const struct script_host *host,
                       enum vm_exit_kind from, unsigned skip)
{
    const struct results *results = &host->results;
    size_t at = 0, bill = 0;

    while (at < results->event_count &&
           (!is_exit(host, &results->events[at], from) || skip-- > 0))
        at++;
    while (bill < timed.count && timed.bills[bill].position <= at)
        bill++;
    for (; at < results->event_count; at++) {
        const struct trace_record *r = &results->events[at];

        for (; bill < timed.count && timed.bills[bill].position == at; bill++) {
            const struct timed_bill *b = &timed.bills[bill];

            put_place(to, b->time, b->lp);
            put_vp(to, host, b->partition, b->vp);
            put_bill(to, host, b);
        }
        put_place(to, r->time.v, r->lp);
        put_vp(to, host, r->partition, r->vp);
        put_event(to, host, r);
        if (is_exit(host, r, VM_EXIT_CPUID))
            return;
    }
}
