/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/cli/farm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/core/check.h"

#define PROGRAM "/proc/self/exe"
#define SAID_BYTES 4096

/** One process that runs. */
struct worker {
    pid_t pid;
    size_t index;
    size_t said_bytes;
    char said[SAID_BYTES];
};

/** Workers stand in front, and so do the ends of their pipes. */
struct crew {
    const struct farm *farm;
    struct worker *workers; /* owned */
    struct pollfd *pipes;   /* owned; `fd` is the crew's */
    size_t running;
    size_t started;
    size_t ended;
    bool ending;      /* no more are started */
    sigset_t waiting; /* the signals to let in while waiting */
};

/* The child's side, between fork() and exec. */

static void redirect(int from, int to)
{
    if (dup2(from, to) < 0)
        _exit(127);
}

/** A process group of its own: Ctrl-C at the terminal is for us to pass on, so
 *  that no child gets it twice. */
static void become(const struct crew *crew, char *const *arguments, int said,
                   pid_t parent)
{
    int nothing = open("/dev/null", O_RDWR);

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent || nothing < 0)
        _exit(127);
    redirect(nothing, STDIN_FILENO);
    redirect(nothing, STDOUT_FILENO);
    redirect(said, STDERR_FILENO);
    /* Our handlers would keep a signal that comes before exec to themselves. */
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigprocmask(SIG_SETMASK, &crew->waiting, NULL);
    execv(PROGRAM, arguments);
    dprintf(STDERR_FILENO, "cannot be started: %s\n", strerror(errno));
    _exit(127);
}

/* Ours */

static enum sim_status refuse(struct crew *crew, struct sim_error *error)
{
    int reason = errno;

    crew->ending = true;
    return sim_fail(error, SIM_UNAVAILABLE, "a process cannot be started: %s%s",
                    strerror(reason),
                    crew->running > 0 ? "; expected fewer at once, by --jobs"
                                      : "");
}

static enum sim_status start_worker(struct crew *crew, struct sim_error *error)
{
    char *const *arguments =
        crew->farm->start(crew->farm->context, crew->started);
    pid_t parent = getpid();
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return refuse(crew, error);
    pid = fork();
    if (pid == 0)
        become(crew, arguments, ends[1], parent);
    close(ends[1]);
    if (pid < 0) {
        refuse(crew, error);
        close(ends[0]);
        return error->status;
    }
    crew->workers[crew->running] =
        (struct worker){.pid = pid, .index = crew->started};
    crew->pipes[crew->running] = (struct pollfd){ends[0], POLLIN, 0};
    crew->running++;
    crew->started++;
    return SIM_OK;
}

static void end_worker(struct crew *crew, size_t at)
{
    struct worker *worker = &crew->workers[at];
    int status = 0;

    while (waitpid(worker->pid, &status, 0) < 0)
        CHECK(errno == EINTR);
    close(crew->pipes[at].fd);
    worker->said[worker->said_bytes] = '\0';
    crew->ended++;
    crew->farm->end(crew->farm->context, worker->index, status, worker->said);
    crew->running--;
    crew->workers[at] = crew->workers[crew->running];
    crew->pipes[at] = crew->pipes[crew->running];
}

/** False at the end. What is more than there is room for is read and lost. */
static bool read_pipe(struct crew *crew, size_t at)
{
    struct worker *worker = &crew->workers[at];
    char rest[SAID_BYTES];
    size_t room = SAID_BYTES - 1 - worker->said_bytes;
    bool has_room = room > 0;
    ssize_t got = read(crew->pipes[at].fd,
                       has_room ? &worker->said[worker->said_bytes] : rest,
                       has_room ? room : sizeof(rest));

    if (got > 0 && has_room)
        worker->said_bytes += (size_t)got;
    return got > 0 || (got < 0 && errno == EINTR);
}

static void wait_for_workers(struct crew *crew)
{
    struct timespec tick = {
        .tv_sec = crew->farm->tick_ms / 1000,
        .tv_nsec = crew->farm->tick_ms % 1000 * 1000000L,
    };
    int ready = ppoll(crew->pipes, crew->running,
                      crew->farm->tick_ms < 0 ? NULL : &tick, &crew->waiting);

    /* From the last on, whose place an ended one's takes. */
    for (size_t i = crew->running; ready > 0 && i-- > 0;)
        if (crew->pipes[i].revents != 0 && !read_pipe(crew, i))
            end_worker(crew, i);
}

static void tell_to_end(const struct crew *crew)
{
    for (size_t i = 0; i < crew->running; i++)
        kill(crew->workers[i].pid, SIGINT);
}

static enum sim_status work(struct crew *crew, struct sim_error *error)
{
    const struct farm *farm = crew->farm;
    enum sim_status status = SIM_OK;
    bool told = false;

    for (;;) {
        if (*farm->stop != 0 && !crew->ending) {
            crew->ending = true;
            status = sim_fail(error, SIM_INTERRUPTED, "interrupted");
        }
        while (!crew->ending && crew->running < farm->at_once &&
               crew->started < farm->count)
            status = start_worker(crew, error);
        if (crew->ending && !told) {
            tell_to_end(crew);
            told = true;
        }
        if (farm->tick_ms >= 0)
            farm->tick(farm->context, crew->ended, crew->running);
        if (crew->running == 0)
            return status;
        wait_for_workers(crew);
    }
}

enum sim_status farm_run(const struct farm *farm, struct sim_error *error)
{
    struct crew crew = {
        .farm = farm,
        .workers = calloc(farm->at_once, sizeof(*crew.workers)),
        .pipes = calloc(farm->at_once, sizeof(*crew.pipes)),
    };
    enum sim_status status;
    sigset_t stops;

    CHECK(farm->at_once >= 1 && crew.workers != NULL && crew.pipes != NULL);
    /* They come in between two looks at `stop`, and nowhere else. */
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    sigprocmask(SIG_BLOCK, &stops, &crew.waiting);
    status = work(&crew, error);
    sigprocmask(SIG_SETMASK, &crew.waiting, NULL);
    free(crew.workers);
    free(crew.pipes);
    return status;
}
