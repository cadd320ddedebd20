/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/results/outputs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/results/query.h"

int outputs_remove(void **state)
{
    (void)state;
    query_remove_files("out");
    return 0;
}

void outputs_must(enum sim_status status, const struct sim_error *error)
{
    if (status != SIM_OK)
        fail_msg("%s", error->message);
}

void outputs_write_run(const char *path, bool replace)
{
    struct sim_error error = {0};

    outputs_must(feed_whole_run(path, replace, 4, 4, 1000, &error), &error);
}

void outputs_put_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

struct results *outputs_begin_run(const char *path, struct feed *feed)
{
    struct results *results;
    struct results_run run;
    struct sim_error error = {0};

    feed_create(feed, 3);
    run = feed_run(feed);
    outputs_must(results_create(&results, path, false, &error), &error);
    outputs_must(results_put_run(results, &run, &error), &error);
    return results;
}

void outputs_end_run(struct results *results, struct feed *feed)
{
    struct sim_error error = {0};

    outputs_must(results_finish(results,
                                &(struct results_end){.sim_ns = feed->now_ns},
                                &error),
                 &error);
    feed_free(feed);
}
