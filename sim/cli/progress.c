/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/cli/progress.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)
#define WRITE_INTERVAL_NS (NS_PER_S / 5)

__extension__ typedef unsigned __int128 wide_t;

static uint64_t host_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

bool progress_is_possible(FILE *out)
{
    const char *terminal = getenv("TERM");

    return isatty(fileno(out)) && terminal && strcmp(terminal, "dumb") != 0;
}

void progress_start(struct progress *progress, FILE *out, bool shown,
                    uint64_t end_ns)
{
    *progress = (struct progress){
        .out = out,
        .shown = shown,
        .end_ns = end_ns,
        .started_ns = host_now_ns(),
    };
}

uint64_t progress_host_ns(const struct progress *progress)
{
    return host_now_ns() - progress->started_ns;
}

void progress_format(char line[static PROGRESS_LINE_BYTES], uint64_t sim_ns,
                     uint64_t end_ns, uint64_t host_ns)
{
    uint64_t centiseconds = sim_ns / (NS_PER_S / 100);
    uint64_t end_centiseconds = end_ns / (NS_PER_S / 100);
    int length =
        snprintf(line, PROGRESS_LINE_BYTES,
                 "%" PRIu64 ".%02u s of %" PRIu64 ".%02u s simulated",
                 centiseconds / 100, (unsigned)(centiseconds % 100),
                 end_centiseconds / 100, (unsigned)(end_centiseconds % 100));

    if (sim_ns == 0 || host_ns == 0 || sim_ns > end_ns)
        return;

    uint64_t percent = (uint64_t)((wide_t)sim_ns * 100 / host_ns);
    uint64_t left_s =
        (uint64_t)((wide_t)(end_ns - sim_ns) * host_ns / sim_ns / NS_PER_S);

    snprintf(&line[length], PROGRESS_LINE_BYTES - (size_t)length,
             ", %" PRIu64 ".%02u x real time, %" PRIu64 " s left",
             percent / 100, (unsigned)(percent % 100), left_s);
}

/** Whether it is time for a new line. */
static bool is_due(struct progress *progress, uint64_t now_ns)
{
    if (!progress->shown || (progress->written_ns != 0 &&
                             now_ns < progress->written_ns + WRITE_INTERVAL_NS))
        return false;
    progress->written_ns = now_ns;
    return true;
}

static void write_line(const struct progress *progress, const char *line)
{
    /* Erasing behind the text, not before it, so that it does not flicker. */
    fprintf(progress->out, "\r%s\x1b[K", line);
    fflush(progress->out);
}

void progress_update(struct progress *progress, uint64_t sim_ns)
{
    char line[PROGRESS_LINE_BYTES];
    uint64_t now_ns = progress->shown ? host_now_ns() : 0;

    if (!is_due(progress, now_ns))
        return;
    progress_format(line, sim_ns, progress->end_ns,
                    now_ns - progress->started_ns);
    write_line(progress, line);
}

void progress_show(struct progress *progress, const char *line)
{
    if (is_due(progress, host_now_ns()))
        write_line(progress, line);
}

void progress_clear(struct progress *progress)
{
    if (progress->written_ns == 0)
        return;
    fprintf(progress->out, "\r\x1b[K");
    fflush(progress->out);
    progress->written_ns = 0;
}
