/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/machine/wait_book.h"

#include <inttypes.h>
#include <stdlib.h>

#include "hypervisor/lp.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "perfcounters/pc_report.h"
#include "sim/core/check.h"
#include "sim/machine/wait_book_private.h"

struct wait_book *wait_book_create(struct sim_clock clock)
{
    struct wait_book *book = calloc(1, sizeof(*book));

    if (!book)
        return NULL;
    book->clock = clock;
    for (unsigned i = 1; i < WAIT_BOOK_BUCKETS; i++)
        book->bounds[i] = clock_from_ns(clock, wait_book_bound_ns(i));
    return book;
}

void wait_book_free(struct wait_book *book)
{
    if (!book)
        return;
    for (uint32_t i = 0; i < book->count; i++)
        free(book->vps[i]);
    free(book->vps);
    free(book->by_number);
    free(book);
}

uint64_t wait_book_bound_ns(unsigned bucket)
{
    return bucket == 0 ? 0 : UINT64_C(1000) << (bucket - 1);
}

/* VPs */

static void *grow(void *old, uint32_t *capacity, uint32_t wanted, size_t bytes)
{
    uint32_t more = *capacity * 2 + 64;
    void *grown;

    if (wanted <= *capacity)
        return old;
    more = more < wanted ? wanted : more;
    grown = reallocarray(old, more, bytes);
    CHECK(grown);
    *capacity = more;
    return grown;
}

/* The same VP of the same VM, if it has been there before. */
static struct vp_waits *find_or_add(struct wait_book *book, uint32_t vm,
                                    const char *name, uint32_t index)
{
    struct vp_waits *vp;

    for (uint32_t i = 0; i < book->count; i++) {
        if (book->vps[i]->vm == vm && book->vps[i]->index == index)
            return book->vps[i];
    }
    book->vps = grow(book->vps, &book->capacity, book->count + 1,
                     sizeof(struct vp_waits *));
    vp = calloc(1, sizeof(*vp));
    CHECK(vp);
    vp->number = book->count;
    vp->vm = vm;
    vp->name = name;
    vp->index = index;
    book->vps[book->count++] = vp;
    return vp;
}

void wait_book_add_vp(struct wait_book *book, uint32_t vm, const char *name,
                      const struct hv_vp *vp)
{
    uint32_t known = book->number_capacity;

    book->by_number = grow(book->by_number, &book->number_capacity,
                           vp->number + 1, sizeof(struct vp_waits *));
    for (; known < book->number_capacity; known++)
        book->by_number[known] = NULL;
    book->by_number[vp->number] = find_or_add(book, vm, name, vp->index.v);
}

static struct vp_waits *of_number(const struct wait_book *book, uint32_t number)
{
    return number < book->number_capacity ? book->by_number[number] : NULL;
}

/* What its counters say at the end of its life. */
static void add_counted(struct wait_counted *counted, const struct pc_vp *cells)
{
    counted->dispatches += pc_report_vp_cell(cells, PC_VP_DISPATCHES);
    counted->wake_up += pc_report_vp_cell(cells, PC_VP_WAKE_UP_TIME);
    counted->contention += pc_report_vp_cell(cells, PC_VP_CONTENTION_TIME);
    counted->held_back += pc_report_vp_cell(cells, PC_VP_HELD_BACK_TIME);
}

void wait_book_vp_gone(struct wait_book *book, const struct hv_vp *vp)
{
    struct vp_waits *waits = of_number(book, vp->number);

    if (waits)
        add_counted(&waits->counted, &vp->counters);
}

/* A wait */

static unsigned bucket_of(const struct wait_book *book, cycles_t wait)
{
    unsigned least = 0, most = WAIT_BOOK_BUCKETS;

    while (most - least > 1) {
        unsigned middle = (least + most) / 2;

        if (cycles_before(wait, book->bounds[middle]))
            most = middle;
        else
            least = middle;
    }
    return least;
}

static void add_rules(struct vp_waits *vp, const struct sched_waited *waited)
{
    for (unsigned i = 0; i < SCHED_RULE_COUNT; i++) {
        struct wait_by_rule *rule = &vp->rules[i];

        rule->time = cycles_add(rule->time, waited->by_rule[i]);
        rule->longest = cycles_max(rule->longest, waited->by_rule[i]);
    }
    vp->rules[waited->rule].dispatches++;
}

static void add_undispatched(struct vp_waits *vp,
                             const struct sched_waited *waited)
{
    for (unsigned i = 0; i < SCHED_RULE_COUNT; i++)
        vp->rules[i].undispatched_time =
            cycles_add(vp->rules[i].undispatched_time, waited->by_rule[i]);
    vp->rules[waited->rule].undispatched++;
}

/* The place of `holder`, a VP's number in the book: its own, a free one, or
 * that of the smallest of those that share its set, which becomes part of the
 * rest. So the busiest keep theirs. */
static struct wait_by_holder *place_of(struct vp_waits *vp, uint32_t holder)
{
    struct wait_by_holder *set =
        &vp->holders[holder % HOLDER_SETS * HOLDER_WAYS];
    struct wait_by_holder *smallest = set;

    for (unsigned i = 0; i < HOLDER_WAYS; i++) {
        if (set[i].dispatches == 0) {
            set[i].holder = holder;
            return &set[i];
        }
        if (set[i].holder == holder)
            return &set[i];
        if (cycles_before(set[i].time, smallest->time))
            smallest = &set[i];
    }
    vp->rest.time = cycles_add(vp->rest.time, smallest->time);
    vp->rest.dispatches += smallest->dispatches;
    *smallest = (struct wait_by_holder){.holder = holder};
    return smallest;
}

static void add_holders(const struct wait_book *book, struct vp_waits *vp,
                        const struct sched_waited *waited)
{
    cycles_t left = sched_waited_contention(waited);

    for (unsigned i = 0; i < waited->holder_count; i++) {
        const struct sched_holder *holder = &waited->holders[i];
        const struct vp_waits *who = of_number(book, holder->number);
        struct wait_by_holder *place;

        if (!who)
            continue;
        place = place_of(vp, who->number);
        place->time = cycles_add(place->time, holder->time);
        place->dispatches++;
        left = cycles_sub(left, holder->time);
    }
    if (left.v > 0) {
        vp->rest.time = cycles_add(vp->rest.time, left);
        vp->rest.dispatches++;
    }
}

/* The one to be forgotten first: the shortest, and the last of equals. */
static unsigned least_worst(const struct vp_waits *vp)
{
    unsigned least = 0;

    for (unsigned i = 1; i < vp->worst_count; i++) {
        if (wait_case_before(&vp->worst[least], &vp->worst[i]))
            least = i;
    }
    return least;
}

static void add_worst(const struct wait_book *book, struct vp_waits *vp,
                      const struct sched_waited *waited, cycles_t wait)
{
    bool full = vp->worst_count == WAIT_BOOK_WORST;
    struct wait_case *place = &vp->worst[full ? vp->least : vp->worst_count];

    if (wait.v == 0 || (full && !cycles_before(place->wait, wait)))
        return;

    const struct vp_waits *holder =
        waited->holder_count ? of_number(book, waited->holders[0].number)
                             : NULL;

    *place = (struct wait_case){
        .ready = waited->ready,
        .wait = wait,
        .lp = waited->lp ? waited->lp->id.v : RESULTS_NOBODY,
        .rule = waited->rule,
        .holder = holder ? holder->number : RESULTS_NOBODY,
    };
    for (unsigned i = 0; i < SCHED_RULE_COUNT; i++)
        place->by_rule[i] = waited->by_rule[i];
    vp->worst_count += !full;
    if (vp->worst_count == WAIT_BOOK_WORST)
        vp->least = least_worst(vp);
}

void wait_book_post(struct wait_book *book, const struct sched_waited *waited)
{
    struct vp_waits *vp = of_number(book, waited->vp->number);
    cycles_t wait = cycles_sub(waited->dispatched, waited->ready);

    if (!vp)
        return;
    add_worst(book, vp, waited, wait);
    if (!waited->lp) {
        add_undispatched(vp, waited);
        return;
    }
    add_rules(vp, waited);
    add_holders(book, vp, waited);
    vp->histogram[bucket_of(book, wait)]++;
}

/* The end */

typedef void visit_fn(struct wait_book *book, const struct hv_vp *vp,
                      cycles_t now);

static void for_each_vp(struct wait_book *book, const struct hypervisor *hv,
                        visit_fn *visit, cycles_t now)
{
    for (uint32_t p = 0; p < hv->partition_count; p++) {
        for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
            if (hv->partitions[p]->vps[i])
                visit(book, hv->partitions[p]->vps[i], now);
        }
    }
}

static void close_vp(struct wait_book *book, const struct hv_vp *vp,
                     cycles_t now)
{
    struct vp_waits *waits = of_number(book, vp->number);
    struct sched_waited waited;

    if (!waits)
        return;
    add_counted(&waits->counted, &vp->counters);
    if (vp->state != VP_READY || !cycles_before(vp->state_since, now))
        return;
    sched_wait_end(vp, NULL, now, &waited);
    wait_book_post(book, &waited);
}

void wait_book_close(struct wait_book *book, const struct hypervisor *hv,
                     cycles_t now)
{
    for_each_vp(book, hv, close_vp, now);
}
