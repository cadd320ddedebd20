/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/results/results_wait.h"

#include "sim/results/results_private.h"

/* VPs count from 1 in the tables. */
static void bind_vp(sqlite3_stmt *row, int column, uint32_t number)
{
    if (number == RESULTS_NOBODY)
        sqlite3_bind_null(row, column);
    else
        sqlite3_bind_int64(row, column, (int64_t)number + 1);
}

enum sim_status results_put_wait_vp(struct results *results, uint32_t number,
                                    const char *vm, uint32_t index,
                                    struct sim_error *error)
{
    sqlite3_stmt *row = results->statement[INSERT_WAIT_VP];

    bind_vp(row, 1, number);
    results_bind_text(row, 2, vm);
    results_bind_u64(row, 3, index);
    return results_put_row(results, row, error);
}

enum sim_status results_put_wait(struct results *results,
                                 const struct results_wait *wait,
                                 struct sim_error *error)
{
    sqlite3_stmt *row = results->statement[INSERT_WAIT_RULE];

    bind_vp(row, 1, wait->vp);
    results_bind_text(row, 2, wait->rule);
    results_bind_u64(row, 3, wait->dispatches);
    results_bind_u64(row, 4, wait->wait_ns);
    results_bind_u64(row, 5, wait->longest_ns);
    results_bind_u64(row, 6, wait->undispatched);
    results_bind_u64(row, 7, wait->undispatched_ns);
    return results_put_row(results, row, error);
}

enum sim_status
results_put_wait_holder(struct results *results,
                        const struct results_wait_holder *holder,
                        struct sim_error *error)
{
    sqlite3_stmt *row = results->statement[INSERT_WAIT_HOLDER];

    bind_vp(row, 1, holder->vp);
    bind_vp(row, 2, holder->holder);
    results_bind_u64(row, 3, holder->dispatches);
    results_bind_u64(row, 4, holder->wait_ns);
    return results_put_row(results, row, error);
}

enum sim_status
results_put_wait_bucket(struct results *results,
                        const struct results_wait_bucket *bucket,
                        struct sim_error *error)
{
    sqlite3_stmt *row = results->statement[INSERT_WAIT_BUCKET];

    bind_vp(row, 1, bucket->vp);
    results_bind_u64(row, 2, bucket->from_ns);
    if (bucket->to_ns == UINT64_MAX)
        sqlite3_bind_null(row, 3);
    else
        results_bind_u64(row, 3, bucket->to_ns);
    results_bind_u64(row, 4, bucket->dispatches);
    return results_put_row(results, row, error);
}

enum sim_status results_put_wait_case(struct results *results,
                                      const struct results_wait_case *worst,
                                      struct sim_error *error)
{
    sqlite3_stmt *row = results->statement[INSERT_WAIT_CASE];

    bind_vp(row, 1, worst->vp);
    results_bind_u64(row, 2, worst->rank);
    results_bind_u64(row, 3, worst->ready_ns);
    results_bind_u64(row, 4, worst->wait_ns);
    if (worst->lp == RESULTS_NOBODY)
        sqlite3_bind_null(row, 5);
    else
        results_bind_u64(row, 5, worst->lp);
    results_bind_text(row, 6, worst->rule);
    bind_vp(row, 7, worst->holder);
    return results_put_row(results, row, error);
}

enum sim_status results_put_wait_part(struct results *results,
                                      const struct results_wait_part *part,
                                      struct sim_error *error)
{
    sqlite3_stmt *row = results->statement[INSERT_WAIT_PART];

    bind_vp(row, 1, part->vp);
    results_bind_u64(row, 2, part->rank);
    results_bind_text(row, 3, part->rule);
    results_bind_u64(row, 4, part->wait_ns);
    return results_put_row(results, row, error);
}
