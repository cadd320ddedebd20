/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/linux/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "workloads/linux/report.h"

#define MS_PER_TICK 10 /* USER_HZ is 100 on x86, whatever HZ is */

bool watch_parse(const char *line, struct watch_times *times)
{
    uint64_t user, nice, system, idle, iowait, irq, softirq, steal;

    if (sscanf(line,
               "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
               " %" SCNu64 " %" SCNu64 " %" SCNu64,
               &user, &nice, &system, &idle, &iowait, &irq, &softirq,
               &steal) != 8)
        return false;
    *times = (struct watch_times){
        .busy = user + nice + system + irq + softirq,
        .idle = idle + iowait,
        .stolen = steal,
    };
    return true;
}

uint64_t watch_utilization(const struct watch_times *from,
                           const struct watch_times *to)
{
    uint64_t busy = to->busy - from->busy;
    uint64_t all = busy + (to->idle - from->idle) + (to->stolen - from->stolen);

    return all ? busy * 10000 / all : 0;
}

static bool read_times(struct watch_times *times)
{
    char text[512];
    int file = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    ssize_t bytes;

    if (file < 0)
        return false;
    bytes = read(file, text, sizeof(text) - 1);
    close(file);
    if (bytes <= 0)
        return false;
    text[bytes] = '\0';
    return watch_parse(text, times);
}

/* On the interval's own grid, so that what the report takes does not add up. */
static void sleep_until(uint64_t ns)
{
    struct timespec until = {
        .tv_sec = (time_t)(ns / 1000000000),
        .tv_nsec = (long)(ns % 1000000000),
    };

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) ==
           EINTR)
        continue;
}

/* The clock comes first: when its line begins is when the host takes the report
 * to have been made. */
static bool report_times(struct watch_times *now)
{
    uint64_t clock_ns = report_clock_ns();

    if (!read_times(now))
        return false;
    report_result("clock", clock_ns, "ns");
    report_result("stat_busy", now->busy * MS_PER_TICK, "ms");
    report_result("stat_idle", now->idle * MS_PER_TICK, "ms");
    report_result("stat_stolen", now->stolen * MS_PER_TICK, "ms");
    return true;
}

void watch_run(uint64_t interval_ns)
{
    struct watch_times before, now;
    uint64_t due = report_clock_ns();

    if (!report_times(&before))
        return;
    for (;;) {
        due += interval_ns;
        sleep_until(due);
        if (!report_times(&now))
            return;
        report_hundredths("cpu_utilization", watch_utilization(&before, &now),
                          "%");
        before = now;
    }
}
