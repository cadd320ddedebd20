/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command plot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cli_private.h"
#include "sim/compare/compare.h"
#include "sim/plot/plot.h"
#include "sim/results/results.h"
#include "sim/scenario/document.h"
#include "sim/scenario/units.h"

/** What is to be drawn. */
struct request {
    const char *file;
    const char *what;
    const char *output;
    enum plot_format format;
    struct plot_span span;
    bool has_span; /* --from or --to was given */
};

/** A simulated time such as 1.5ms; `*time_ns` stays if it is not given. */
static enum sim_status read_time(const struct cli_invocation *invocation,
                                 enum cli_option_id id, const char *name,
                                 uint64_t *time_ns, struct sim_error *error)
{
    enum units_status status;
    char quoted[DOCUMENT_QUOTE_BYTES];
    const char *text;

    if (!cli_given(invocation, id, &text))
        return SIM_OK;
    status = units_parse(UNITS_DURATION, text, time_ns);
    if (status == UNITS_OK)
        return SIM_OK;
    return sim_fail(error, SIM_BAD_USAGE,
                    "plot: --%s %s %s; expected a time such as 1.5ms", name,
                    document_quote(text, quoted), units_status_text(status));
}

static enum sim_status read_request(const struct cli_invocation *invocation,
                                    struct request *request,
                                    struct sim_error *error)
{
    *request = (struct request){
        .file = invocation->operands[0],
        .what = invocation->operands[1],
        .span = {.to_ns = UINT64_MAX},
        .has_span = cli_given(invocation, CLI_FROM, NULL) ||
                    cli_given(invocation, CLI_TO, NULL),
    };
    if (!cli_given(invocation, CLI_OUTPUT, &request->output))
        return sim_fail(error, SIM_BAD_USAGE,
                        "plot: expected -o FILE.svg, FILE.png or FILE.gp");
    if (plot_find_format(request->output, &request->format, error) != SIM_OK ||
        read_time(invocation, CLI_FROM, "from", &request->span.from_ns,
                  error) != SIM_OK ||
        read_time(invocation, CLI_TO, "to", &request->span.to_ns, error) !=
            SIM_OK)
        return error->status;
    return SIM_OK;
}

/** Writes the script for the kind of file that it is. */
static enum sim_status write_script(const struct request *request,
                                    const struct plot *plot,
                                    struct sim_error *error)
{
    bool is_comparison = compare_is_stored(request->file);
    enum sim_status status;
    sqlite3 *db;

    status = is_comparison ? compare_open(&db, request->file, error)
                           : results_open(&db, request->file, error);
    if (status != SIM_OK)
        return status;
    if (is_comparison && request->has_span)
        status = sim_fail(error, SIM_BAD_USAGE,
                          "plot: --from and --to are for a run, but %s is a "
                          "comparison",
                          request->file);
    else if (is_comparison)
        status = plot_bars(plot, db, request->what, error);
    else if (strcmp(request->what, "timeline") == 0)
        status = plot_timeline(plot, db, request->span, error);
    else
        status = plot_counter(plot, db, request->what, request->span, error);
    sqlite3_close(db);
    return status;
}

enum sim_status cli_plot(const struct cli_invocation *invocation,
                         struct sim_error *error)
{
    struct request request;
    struct plot plot;
    char *script = NULL;
    size_t bytes;
    enum sim_status status = read_request(invocation, &request, error);

    if (status != SIM_OK)
        return status;
    plot = (struct plot){open_memstream(&script, &bytes), request.format};
    if (!plot.out)
        return sim_fail(error, SIM_NO_MEMORY, "out of memory");
    status = write_script(&request, &plot, error);
    if (fclose(plot.out) != 0 && status == SIM_OK)
        status = sim_fail(error, SIM_NO_MEMORY, "out of memory");
    if (status == SIM_OK)
        status = plot_draw(script, request.format, request.output,
                           cli_given(invocation, CLI_FORCE, NULL), error);
    free(script);
    return status;
}
