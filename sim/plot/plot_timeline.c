/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who ran on which LP: read from the view event, and given colours. */
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/plot/plot_timeline_private.h"

#define LP_MAX 4096
#define ROOT_PARTITION 1

static void *grow(void *items, size_t count, size_t item_bytes)
{
    /* Doubles, so that it is not copied each time. */
    if ((count & (count - 1)) != 0)
        return items;
    items = reallocarray(items, count == 0 ? 1 : count * 2, item_bytes);
    CHECK(items != NULL);
    return items;
}

/* Reading */

static int compare_lives(const void *a, const void *b)
{
    const struct plot_life *left = a;
    const struct plot_life *right = b;

    return (left->partition > right->partition) -
           (left->partition < right->partition);
}

static enum sim_status read_lives(struct plot_timeline *timeline,
                                  struct sim_error *error)
{
    sqlite3_stmt *row =
        plot_query(timeline->db,
                   "SELECT partition, min(partition) OVER (PARTITION BY vm)"
                   " FROM partition ORDER BY partition",
                   error);

    if (row == NULL)
        return error->status;
    while (sqlite3_step(row) == SQLITE_ROW) {
        timeline->lives = grow(timeline->lives, timeline->life_count,
                               sizeof(*timeline->lives));
        timeline->lives[timeline->life_count++] = (struct plot_life){
            .partition = (uint64_t)sqlite3_column_int64(row, 0),
            .first = (uint64_t)sqlite3_column_int64(row, 1),
        };
    }
    return plot_end_query(timeline->db, row, error);
}

/** The first partition of its VM; itself, if it is of none that is known. */
static uint64_t first_life(const struct plot_timeline *timeline,
                           uint64_t partition)
{
    const struct plot_life wanted = {.partition = partition};
    const struct plot_life *life = NULL;

    if (timeline->life_count > 0)
        life = bsearch(&wanted, timeline->lives, timeline->life_count,
                       sizeof(wanted), compare_lives);
    return life != NULL ? life->first : partition;
}

/** Orders runners by partition, then VP. */
static int compare_runners(const void *a, const void *b)
{
    const struct plot_runner *left = a;
    const struct plot_runner *right = b;

    if (left->partition != right->partition)
        return left->partition < right->partition ? -1 : 1;
    return (left->vp > right->vp) - (left->vp < right->vp);
}

/** Puts them into order, each once. */
static void sort_runners(struct plot_timeline *timeline)
{
    struct plot_runner *runners = timeline->runners;
    size_t count = 0;

    if (timeline->runner_count == 0)
        return;
    qsort(runners, timeline->runner_count, sizeof(*runners), compare_runners);
    for (size_t i = 0; i < timeline->runner_count; i++)
        if (count == 0 || compare_runners(&runners[count - 1], &runners[i]))
            runners[count++] = runners[i];
    timeline->runner_count = count;
}

/** All that were ever dispatched, in order. */
static enum sim_status read_runners(struct plot_timeline *timeline,
                                    struct sim_error *error)
{
    sqlite3_stmt *row = plot_query(timeline->db,
                                   "SELECT DISTINCT partition, vp FROM event"
                                   " WHERE kind = 'dispatch'",
                                   error);

    if (row == NULL)
        return error->status;
    while (sqlite3_step(row) == SQLITE_ROW) {
        timeline->runners = grow(timeline->runners, timeline->runner_count,
                                 sizeof(*timeline->runners));
        timeline->runners[timeline->runner_count++] = (struct plot_runner){
            .partition =
                first_life(timeline, (uint64_t)sqlite3_column_int64(row, 0)),
            .vp = (uint64_t)sqlite3_column_int64(row, 1),
        };
    }
    sort_runners(timeline);
    return plot_end_query(timeline->db, row, error);
}

/** NULL if there is none, as in a damaged file. */
static struct plot_runner *find_runner(const struct plot_timeline *timeline,
                                       uint64_t partition, uint64_t vp)
{
    const struct plot_runner wanted = {
        .partition = first_life(timeline, partition), .vp = vp};

    if (timeline->runner_count == 0)
        return NULL;
    return bsearch(&wanted, timeline->runners, timeline->runner_count,
                   sizeof(wanted), compare_runners);
}

/** What was running on the LP stops; what of it lies in the span is kept. */
static void end_box(struct plot_timeline *timeline, struct plot_box *open,
                    uint64_t at_ns)
{
    struct plot_box box = *open;

    open->from_ns = UINT64_MAX;
    if (box.from_ns == UINT64_MAX)
        return;
    box.to_ns = at_ns < timeline->span.to_ns ? at_ns : timeline->span.to_ns;
    if (box.from_ns < timeline->span.from_ns)
        box.from_ns = timeline->span.from_ns;
    if (box.from_ns >= box.to_ns)
        return;
    timeline->boxes =
        grow(timeline->boxes, timeline->box_count, sizeof(*timeline->boxes));
    timeline->boxes[timeline->box_count++] = box;
    CHECK(box.who != NULL);
    box.who->ns += box.to_ns - box.from_ns;
}

static void take_event(struct plot_timeline *timeline, sqlite3_stmt *row)
{
    uint64_t time_ns = (uint64_t)sqlite3_column_int64(row, 0);
    int64_t lp = sqlite3_column_int64(row, 1);
    struct plot_box *open;
    struct plot_runner *who;

    /* In a damaged file texts may stand there, of which '9' is the greatest. */
    if (lp < 0 || lp >= timeline->lp_count)
        return;
    open = &timeline->open[lp];
    end_box(timeline, open, time_ns);
    if (sqlite3_column_int(row, 4) == 0)
        return;
    who = find_runner(timeline, (uint64_t)sqlite3_column_int64(row, 2),
                      (uint64_t)sqlite3_column_int64(row, 3));
    if (who != NULL)
        *open = (struct plot_box){
            .from_ns = time_ns, .lp = (uint32_t)lp, .who = who};
}

/** How many LPs there are: the busy ones are in events, all are in counters. */
static enum sim_status count_lps(struct plot_timeline *timeline,
                                 struct sim_error *error)
{
    sqlite3_stmt *row = plot_query(
        timeline->db,
        "SELECT count(*), max(max(lp), (SELECT count(DISTINCT instance) - 2"
        "   FROM perf_total WHERE instance = '_Total'"
        "   OR object = 'Hyper-V Hypervisor Logical Processor'))"
        " FROM event WHERE kind IN ('dispatch', 'undispatch')",
        error);
    int64_t most = 0;

    if (row == NULL)
        return error->status;
    if (sqlite3_step(row) == SQLITE_ROW) {
        timeline->had_events = sqlite3_column_int64(row, 0) > 0;
        most = sqlite3_column_int64(row, 1);
    }
    if (plot_end_query(timeline->db, row, error) != SIM_OK)
        return error->status;
    if (!timeline->had_events)
        return sim_fail(error, SIM_NO_INPUT,
                        "plot: this run was not traced; expected one with "
                        "counters: {trace: true} in its scenario, as by hvsim "
                        "run --set counters.trace=true");
    if (most < 0 || most >= LP_MAX)
        return sim_fail(error, SIM_NO_INPUT, "plot: there is no LP %lld",
                        (long long)most);
    timeline->lp_count = (uint32_t)most + 1;
    return SIM_OK;
}

static enum sim_status read_events(struct plot_timeline *timeline,
                                   struct sim_error *error)
{
    sqlite3_stmt *row;
    enum sim_status status = count_lps(timeline, error);

    if (status == SIM_OK)
        status = read_lives(timeline, error);
    if (status == SIM_OK)
        status = read_runners(timeline, error);
    if (status != SIM_OK)
        return status;
    timeline->open = calloc(timeline->lp_count, sizeof(*timeline->open));
    CHECK(timeline->open != NULL);
    for (uint32_t i = 0; i < timeline->lp_count; i++)
        timeline->open[i].from_ns = UINT64_MAX;
    row = plot_query(timeline->db,
                     "SELECT time_ns, lp, partition, vp, kind = 'dispatch'"
                     " FROM event WHERE kind IN ('dispatch', 'undispatch')"
                     " AND lp IS NOT NULL AND time_ns BETWEEN 0 AND ?1",
                     error);
    if (row == NULL)
        return error->status;
    sqlite3_bind_int64(row, 1, (int64_t)timeline->span.to_ns);
    while (sqlite3_step(row) == SQLITE_ROW)
        take_event(timeline, row);
    for (uint32_t i = 0; i < timeline->lp_count; i++)
        end_box(timeline, &timeline->open[i], timeline->span.to_ns);
    return plot_end_query(timeline->db, row, error);
}

/* Colours */

static void name_partition(const struct plot_timeline *timeline,
                           uint64_t partition,
                           char name[static PLOT_NAME_BYTES])
{
    sqlite3_stmt *row = NULL;

    snprintf(name, PLOT_NAME_BYTES, "partition %llu",
             (unsigned long long)partition);
    if (partition == ROOT_PARTITION)
        snprintf(name, PLOT_NAME_BYTES, "root");
    if (sqlite3_prepare_v2(timeline->db,
                           "SELECT vm FROM partition WHERE partition = ?1", -1,
                           &row, NULL) != SQLITE_OK)
        return;
    sqlite3_bind_int64(row, 1, (int64_t)partition);
    if (sqlite3_step(row) == SQLITE_ROW)
        snprintf(name, PLOT_NAME_BYTES, "%.64s", plot_text_of(row, 0));
    sqlite3_finalize(row);
}

static struct plot_group *add_group(struct plot_timeline *timeline,
                                    const char *name, uint64_t partition)
{
    struct plot_group *group;

    timeline->groups = grow(timeline->groups, timeline->group_count,
                            sizeof(*timeline->groups));
    group = &timeline->groups[timeline->group_count++];
    *group = (struct plot_group){.partition = partition};
    snprintf(group->name, sizeof(group->name), "%s", name);
    return group;
}

/** VPs have colours of their own if there are enough for all. */
static bool has_colour_per_vp(const struct plot_timeline *timeline)
{
    size_t guests = 0;

    for (size_t i = 0; i < timeline->runner_count; i++)
        guests += timeline->runners[i].partition != ROOT_PARTITION;
    return guests <= PLOT_COLOUR_COUNT;
}

/** Whether a VM has no other VP that ran. */
static bool is_alone(const struct plot_timeline *timeline, size_t runner)
{
    const struct plot_runner *about = &timeline->runners[runner];

    return (runner == 0 || about[-1].partition != about->partition) &&
           (runner + 1 == timeline->runner_count ||
            about[1].partition != about->partition);
}

/** The group of a runner, whose partition's others came just before. */
static size_t find_group(struct plot_timeline *timeline, size_t runner,
                         bool per_vp)
{
    const struct plot_runner *about = &timeline->runners[runner];
    size_t count = timeline->group_count;
    char name[PLOT_NAME_BYTES];
    size_t length;

    per_vp = per_vp && about->partition != ROOT_PARTITION &&
             !is_alone(timeline, runner);
    if (!per_vp && count > 0 &&
        timeline->groups[count - 1].partition == about->partition)
        return count - 1;
    name_partition(timeline, about->partition, name);
    length = strlen(name);
    if (per_vp)
        snprintf(&name[length], sizeof(name) - length, " VP %u",
                 (unsigned)about->vp);
    add_group(timeline, name, about->partition);
    return count;
}

/** The others of a group: longer than it, or as long and before it. */
static size_t rank_of(const struct plot_timeline *timeline, size_t index)
{
    const struct plot_group *groups = timeline->groups;
    size_t rank = 0;

    for (size_t i = 0; i < timeline->group_count; i++)
        if (groups[i].partition != ROOT_PARTITION &&
            (groups[i].ns > groups[index].ns ||
             (groups[i].ns == groups[index].ns && i < index)))
            rank++;
    return rank;
}

/** The busiest have colours; what is left shares a grey. */
static void choose_colours(struct plot_timeline *timeline)
{
    size_t next = 0;

    for (size_t i = 0; i < timeline->group_count; i++) {
        struct plot_group *group = &timeline->groups[i];

        if (group->partition == ROOT_PARTITION)
            group->colour = PLOT_COLOUR_ROOT;
        else if (rank_of(timeline, i) < PLOT_COLOUR_COUNT)
            group->colour = plot_colours[next++];
        else
            group->colour = PLOT_COLOUR_OTHERS;
    }
}

/** Groups stand in the order of partitions and VPs. */
static void make_groups(struct plot_timeline *timeline)
{
    bool per_vp = has_colour_per_vp(timeline);

    for (size_t i = 0; i < timeline->runner_count; i++) {
        struct plot_runner *runner = &timeline->runners[i];

        runner->group = find_group(timeline, i, per_vp);
        timeline->groups[runner->group].ns += runner->ns;
    }
    choose_colours(timeline);
}

enum sim_status plot_timeline(const struct plot *plot, sqlite3 *db,
                              struct plot_span span, struct sim_error *error)
{
    struct plot_timeline timeline = {.db = db, .span = span};
    enum sim_status status = plot_read_end(db, &timeline.span, error);

    if (status == SIM_OK)
        status = read_events(&timeline, error);
    if (status == SIM_OK && timeline.box_count == 0)
        status = sim_fail(error, SIM_BAD_USAGE,
                          "plot: nothing ran between --from and --to");
    if (status == SIM_OK) {
        make_groups(&timeline);
        status = plot_boxes_put(plot, &timeline, error);
    }
    free(timeline.open);
    free(timeline.groups);
    free(timeline.runners);
    free(timeline.lives);
    free(timeline.boxes);
    return status;
}
