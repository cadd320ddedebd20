/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/machine/trace_laws.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "hypervisor/vp.h"
#include "sim/core/check.h"

_Static_assert(VM_EXIT_KIND_COUNT <= LAWS_EXIT_KINDS, "a count for each");

void laws_begin(struct laws *laws)
{
    CHECK(laws->lp_count <= LAWS_LPS_MAX);
    for (uint32_t i = 0; i < LAWS_LPS_MAX; i++)
        laws->lps[i] = (struct laws_lp){.vp = -1, .last_vp = -1};
    for (uint32_t i = 0; i < LAWS_PARTITIONS_MAX * LAWS_VPS_MAX; i++)
        laws->vps[i] = (struct laws_vp){.lp = -1, .last_lp = -1};
    laws->records = 0;
    laws->broken[0] = '\0';
}

PRINTF_LIKE(3, 4)
static void broken(struct laws *laws, const struct trace_record *r,
                   const char *format, ...)
{
    char text[160];
    va_list args;

    if (laws->broken[0])
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    snprintf(laws->broken, sizeof(laws->broken),
             "record %zu, %" PRIu64 " ns, %s, lp %d, partition %" PRIu64
             ", vp %d: %s",
             laws->records, r->time.v, trace_kind_name(r->kind), (int)r->lp,
             r->partition, (int)r->vp, text);
}

static int vp_at(const struct trace_record *r)
{
    CHECK(r->partition < LAWS_PARTITIONS_MAX && r->vp < LAWS_VPS_MAX);
    return (int)(r->partition * LAWS_VPS_MAX + r->vp);
}

const struct laws_vp *laws_vp(const struct laws *laws, uint64_t partition,
                              uint32_t vp)
{
    CHECK(partition < LAWS_PARTITIONS_MAX && vp < LAWS_VPS_MAX);
    return &laws->vps[partition * LAWS_VPS_MAX + vp];
}

static int is_root(const struct laws *laws, const struct trace_record *r)
{
    return r->partition == laws->root_partition;
}

/* How much of [from, to) LP `lp` said that it had nothing to run. */
static uint64_t idle_within(const struct laws_lp *lp, uint64_t from,
                            uint64_t to)
{
    unsigned remembered = lp->idle_count < LAWS_IDLE_REMEMBERED
                              ? lp->idle_count
                              : LAWS_IDLE_REMEMBERED;
    uint64_t most = 0;

    for (unsigned i = 0; i <= remembered; i++) {
        uint64_t start = i < remembered ? lp->idle_from[i] : lp->idle_since;
        uint64_t end = i < remembered ? lp->idle_to[i] : to;

        if (i == remembered && !lp->idle)
            break;
        start = start > from ? start : from;
        end = end < to ? end : to;
        if (end > start && end - start > most)
            most = end - start;
    }
    return most;
}

static void see_dispatch(struct laws *laws, const struct trace_record *r)
{
    struct laws_lp *lp = &laws->lps[r->lp];
    int index = vp_at(r);
    struct laws_vp *vp = &laws->vps[index];

    if (vp->lp >= 0)
        broken(laws, r, "the VP is on LP %d already", vp->lp);
    if (lp->vp >= 0)
        broken(laws, r, "the LP has not been left by the VP before");
    if (r->time.v < vp->left_at)
        broken(laws, r, "the VP left another LP only at %" PRIu64, vp->left_at);
    if (vp->state != VP_READY)
        broken(laws, r, "the VP was not ready");
    if (r->time.v < vp->ready_since || r->detail != r->time.v - vp->ready_since)
        broken(laws, r,
               "it says it waited %" PRIu64 ", but was ready at %" PRIu64,
               r->detail, vp->ready_since);
    if (is_root(laws, r) && vp->last_lp >= 0 && (int)r->lp != vp->last_lp)
        broken(laws, r, "a pinned root VP has moved");
    if (r->detail > laws->wait_max)
        broken(laws, r, "it waited for %" PRIu64 " ns: starved", r->detail);
    for (uint32_t i = 0; i < laws->lp_count; i++) {
        uint64_t idle;

        if (is_root(laws, r) && i != r->lp)
            continue;
        idle = idle_within(&laws->lps[i], vp->ready_since, r->time.v);
        if (idle > laws->quantum + laws->wake)
            broken(laws, r, "it waited while LP %u idled for %" PRIu64 " ns", i,
                   idle);
    }
    if (lp->idle) {
        unsigned at = lp->idle_count++ % LAWS_IDLE_REMEMBERED;

        lp->idle_from[at] = lp->idle_since;
        lp->idle_to[at] = r->time.v;
        lp->idle = 0;
    }
    vp->dispatches++;
    vp->migrations += vp->last_lp >= 0 && vp->last_lp != (int)r->lp;
    vp->waited += r->detail;
    vp->waited_most = r->detail > vp->waited_most ? r->detail : vp->waited_most;
    vp->lp = vp->last_lp = (int)r->lp;
    vp->dispatched_at = r->time.v;
    lp->switches += lp->last_vp != index;
    lp->vp = lp->last_vp = index;
}

/* Says why, right behind the dispatch. */
static void see_wait(struct laws *laws, const struct trace_record *r)
{
    const struct laws_vp *vp = &laws->vps[vp_at(r)];

    if (vp->lp != (int)r->lp || vp->dispatched_at != r->time.v)
        broken(laws, r, "no dispatch is what it explains");
    if ((r->detail & 0xff) >= SCHED_RULE_COUNT)
        broken(laws, r, "there is no rule %d", (int)(r->detail & 0xff));
    if (r->detail >> 32 == r->partition && (r->detail >> 8 & 0xffffff) == r->vp)
        broken(laws, r, "the VP kept itself out");
}

static void see_undispatch(struct laws *laws, const struct trace_record *r)
{
    struct laws_lp *lp = &laws->lps[r->lp];
    struct laws_vp *vp = &laws->vps[vp_at(r)];

    if (lp->vp != vp_at(r) || vp->lp != (int)r->lp)
        broken(laws, r, "the VP is not on this LP");
    if (r->detail != r->time.v - vp->dispatched_at)
        broken(laws, r,
               "it says it ran %" PRIu64 ", but was dispatched at %" PRIu64,
               r->detail, vp->dispatched_at);
    lp->vp = -1;
    lp->ran += r->detail;
    vp->lp = -1;
    vp->left_at = r->time.v;
    vp->ran += r->detail;
}

static void see_idle(struct laws *laws, const struct trace_record *r)
{
    struct laws_lp *lp = &laws->lps[r->lp];

    lp->idles++;
    if (lp->vp >= 0)
        broken(laws, r, "an LP idles with a VP on it");
    if (lp->idle)
        return;
    lp->idle = 1;
    lp->idle_since = r->time.v;
}

static void see_state(struct laws *laws, const struct trace_record *r)
{
    struct laws_vp *vp = &laws->vps[vp_at(r)];

    vp->seen = 1;
    vp->state = (unsigned)r->detail;
    if (r->detail == VP_READY)
        vp->ready_since = r->time.v;
    if (r->detail == VP_RUNNING && vp->lp < 0)
        broken(laws, r, "it runs without having been dispatched");
}

/* Guest code is seen to execute only by a VP that is on that LP. */
static void see_execution(struct laws *laws, const struct trace_record *r)
{
    struct laws_vp *vp = &laws->vps[vp_at(r)];

    if (r->kind == TRACE_INTERRUPT)
        vp->interrupts++;
    else
        vp->exits[r->detail & (LAWS_EXIT_KINDS - 1)]++;
    if (laws->lps[r->lp].vp != vp_at(r))
        broken(laws, r, "a VP executes that is not on the LP");
}

void laws_see(struct laws *laws, const struct trace_record *r)
{
    int of_lp = r->kind == TRACE_DISPATCH || r->kind == TRACE_UNDISPATCH ||
                r->kind == TRACE_LP_IDLE || r->kind == TRACE_EXIT ||
                r->kind == TRACE_INTERRUPT;

    laws->records++;
    if (of_lp) {
        CHECK(r->lp < laws->lp_count);
        if (r->time.v < laws->lps[r->lp].last)
            broken(laws, r, "time goes back: it was %" PRIu64,
                   laws->lps[r->lp].last);
        laws->lps[r->lp].last = r->time.v;
    }
    if (r->kind == TRACE_DISPATCH)
        see_dispatch(laws, r);
    else if (r->kind == TRACE_WAIT)
        see_wait(laws, r);
    else if (r->kind == TRACE_UNDISPATCH)
        see_undispatch(laws, r);
    else if (r->kind == TRACE_LP_IDLE)
        see_idle(laws, r);
    else if (r->kind == TRACE_VP_STATE)
        see_state(laws, r);
    else if (r->kind == TRACE_EXIT || r->kind == TRACE_INTERRUPT)
        see_execution(laws, r);
}
