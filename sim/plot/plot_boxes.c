/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A timeline as boxes. An LP is a row, and what ran on it a box from its
 * dispatch to its end. A run of many thousand dispatches has more boxes than
 * the picture has points: then each row is cut into slots, and a slot is
 * divided among those who ran in it, by the share of time that they had.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/plot/plot_timeline_private.h"

#define BOXES_MAX 12000 /* beyond, slots */
#define SLOTS_MAX 600   /* of a row */
#define SLOT_BOXES_MAX 60000
#define BAR 0.42 /* half of a row's height that is used */

/** One box in the block of its group. */
static void put_box(const struct plot *plot, const struct plot_unit *unit,
                    double from_ns, double to_ns, double low, double high)
{
    fprintf(plot->out, "%.12g %.12g %.6g %.6g\n", from_ns / unit->divisor,
            to_ns / unit->divisor, low, high);
}

static void put_boxes(const struct plot *plot,
                      const struct plot_timeline *timeline,
                      const struct plot_unit *unit, size_t group)
{
    for (size_t i = 0; i < timeline->box_count; i++) {
        const struct plot_box *box = &timeline->boxes[i];

        if (box->who->group == group)
            put_box(plot, unit, (double)box->from_ns, (double)box->to_ns,
                    box->lp - BAR, box->lp + BAR);
    }
}

/** How the row of each LP is divided, slot by slot, in ns by group. */
struct slots {
    size_t count;
    double ns;    /* the length of one */
    double *used; /* owned; [lp][slot][group] */
};

static double *slot_of(const struct slots *slots,
                       const struct plot_timeline *timeline, uint32_t lp,
                       size_t slot)
{
    return &slots->used[(lp * slots->count + slot) * timeline->group_count];
}

static void fill_slots(struct slots *slots,
                       const struct plot_timeline *timeline)
{
    double start = (double)timeline->span.from_ns;

    for (size_t i = 0; i < timeline->box_count; i++) {
        const struct plot_box *box = &timeline->boxes[i];
        size_t group = box->who->group;
        double from = (double)box->from_ns - start;
        double to = (double)box->to_ns - start;

        for (size_t slot = (size_t)(from / slots->ns);
             slot < slots->count && (double)slot * slots->ns < to; slot++) {
            double first = fmax(from, (double)slot * slots->ns);
            double last = fmin(to, (double)(slot + 1) * slots->ns);

            slot_of(slots, timeline, box->lp, slot)[group] += last - first;
        }
    }
}

static struct slots make_slots(const struct plot_timeline *timeline)
{
    struct slots slots = {.count = SLOTS_MAX};
    size_t rows = (size_t)timeline->lp_count * timeline->group_count;

    if (slots.count * timeline->lp_count > SLOT_BOXES_MAX)
        slots.count = SLOT_BOXES_MAX / timeline->lp_count;
    slots.ns = (double)(timeline->span.to_ns - timeline->span.from_ns) /
               (double)slots.count;
    slots.used = calloc(rows * slots.count + 1, sizeof(*slots.used));
    CHECK(slots.used != NULL);
    fill_slots(&slots, timeline);
    return slots;
}

/** The part of each slot that is the group's, above those of the groups
 *  before it. */
static void put_slots(const struct plot *plot,
                      const struct plot_timeline *timeline,
                      const struct plot_unit *unit, const struct slots *slots,
                      size_t group)
{
    double start = (double)timeline->span.from_ns;

    for (uint32_t lp = 0; lp < timeline->lp_count; lp++) {
        for (size_t slot = 0; slot < slots->count; slot++) {
            const double *used = slot_of(slots, timeline, lp, slot);
            double below = 0;

            if (used[group] <= 0)
                continue;
            for (size_t i = 0; i < group; i++)
                below += used[i];
            put_box(plot, unit, start + (double)slot * slots->ns,
                    start + (double)(slot + 1) * slots->ns,
                    lp + BAR - 2 * BAR * below / slots->ns,
                    lp + BAR - 2 * BAR * (below + used[group]) / slots->ns);
        }
    }
}

static void put_axes(const struct plot *plot,
                     const struct plot_timeline *timeline,
                     const struct plot_unit *unit)
{
    uint32_t step = 1;

    while (timeline->lp_count / step > 32)
        step *= 2;
    plot_put_time_axis(plot, timeline->span, unit);
    fprintf(plot->out,
            "set yrange [%u.5:-0.5]\n"
            "set grid xtics\n"
            "set style fill solid noborder\n"
            "set ytics scale 0 (",
            timeline->lp_count - 1);
    for (uint32_t i = 0; i < timeline->lp_count; i += step)
        fprintf(plot->out, "%s'LP %u' %u", i > 0 ? ", " : "", i, i);
    fprintf(plot->out, ")\n");
}

static bool is_other(const struct plot_group *group)
{
    return strcmp(group->colour, PLOT_COLOUR_OTHERS) == 0;
}

/** Plots the group, as `others` of them if that is not 0; without a place in
 *  the legend if it is one of these, and not the first. */
static void put_group(const struct plot *plot,
                      const struct plot_timeline *timeline, size_t index,
                      size_t others)
{
    const struct plot_group *group = &timeline->groups[index];

    fprintf(plot->out,
            "$g%zu using (($1+$2)/2):(($3+$4)/2):1:2:3:4 with boxxyerror "
            "lc rgb '%s' ",
            index, group->colour);
    if (!is_other(group)) {
        fprintf(plot->out, "title ");
        plot_put_text(plot, group->name, 24);
    } else if (others > 0) {
        fprintf(plot->out, "title '%zu other%s'", others,
                others == 1 ? "" : "s");
    } else {
        fprintf(plot->out, "notitle");
    }
}

/** The others come last, and in the legend once. */
static void put_plots(const struct plot *plot,
                      const struct plot_timeline *timeline)
{
    size_t others = 0;
    size_t put = 0;

    for (size_t i = 0; i < timeline->group_count; i++)
        others += is_other(&timeline->groups[i]);
    fprintf(plot->out, "plot ");
    for (int last = 0; last <= 1; last++) {
        for (size_t i = 0; i < timeline->group_count; i++) {
            if (is_other(&timeline->groups[i]) != (last == 1))
                continue;
            fputs(put++ > 0 ? ", \\\n  " : "", plot->out);
            put_group(plot, timeline, i, others);
            others = last == 1 ? 0 : others;
        }
    }
    fprintf(plot->out, "\n");
}

static unsigned height_of(const struct plot_timeline *timeline)
{
    unsigned rows = timeline->lp_count;
    unsigned row = rows <= 16 ? 32 : rows <= 64 ? 16 : rows <= 256 ? 6 : 3;
    unsigned height = 140 + rows * row;

    return height < 320 ? 320 : height > 2400 ? 2400 : height;
}

enum sim_status plot_boxes_put(const struct plot *plot,
                               const struct plot_timeline *timeline,
                               struct sim_error *error)
{
    struct plot_unit unit = plot_choose_unit((double)timeline->span.to_ns);
    bool in_slots = timeline->box_count > BOXES_MAX;
    struct slots slots = {0};

    plot_put_head(plot, height_of(timeline));
    if (plot_put_run_title(plot, timeline->db, "who ran on which LP",
                           in_slots ? "each slot is divided by the shares of "
                                      "time in it"
                                    : "",
                           error) != SIM_OK)
        return error->status;
    put_axes(plot, timeline, &unit);
    if (in_slots)
        slots = make_slots(timeline);
    for (size_t i = 0; i < timeline->group_count; i++) {
        fprintf(plot->out, "$g%zu << EOD\n", i);
        if (in_slots)
            put_slots(plot, timeline, &unit, &slots, i);
        else
            put_boxes(plot, timeline, &unit, i);
        fprintf(plot->out, "EOD\n");
    }
    free(slots.used);
    put_plots(plot, timeline);
    return SIM_OK;
}
