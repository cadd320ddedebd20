/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/results/results_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/core/check.h"

static char *copy_of(const char *text)
{
    char *copy = strdup(text);

    CHECK(copy != NULL);
    return copy;
}

char *results_file_anchor(const char *path)
{
    char *copy = NULL;

    CHECK(asprintf(&copy, "%s%s", path[0] == '/' ? "" : "./", path) >= 0);
    return copy;
}

/** Creates an empty file that was not there; 0 or an errno. */
static int create_empty(const char *path)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);

    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

/** The directory part of `path` if it is one that does not exist, else NULL.
 *  The caller frees it. */
static char *missing_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory;

    if (slash == NULL || slash == path)
        return NULL;
    directory = strndup(path, (size_t)(slash - path));
    CHECK(directory != NULL);
    if (access(directory, F_OK) != 0 && errno == ENOENT)
        return directory;
    free(directory);
    return NULL;
}

static enum sim_status refuse(const char *path, int reason,
                              struct sim_error *error)
{
    char *directory = missing_directory(path);

    if (directory != NULL) {
        sim_fail(error, SIM_NO_OUTPUT,
                 "%s: cannot be created: there is no directory \"%s\"", path,
                 directory);
        free(directory);
        return error->status;
    }
    if (reason == EEXIST)
        return sim_fail(error, SIM_NO_OUTPUT,
                        "%s: exists already; give another name with -o, or "
                        "--force to replace it",
                        path);
    return sim_fail(error, SIM_NO_OUTPUT, "%s: cannot be created: %s", path,
                    strerror(reason));
}

/** Makes room for a file that is to replace the one at `path`. */
static enum sim_status claim_beside(struct results_file *file, const char *path,
                                    struct sim_error *error)
{
    struct stat old;
    char *target = NULL; /* where a symbolic link leads, so that it stays one */
    char *work_path = NULL;
    int reason;

    if (stat(path, &old) != 0 || (target = realpath(path, NULL)) == NULL)
        return refuse(path, errno, error);
    if (!S_ISREG(old.st_mode)) {
        free(target);
        return sim_fail(error, SIM_NO_OUTPUT,
                        "%s: cannot be replaced: it is not a regular file",
                        path);
    }
    CHECK(asprintf(&work_path, "%s.partial-%ld", target, (long)getpid()) >= 0);
    reason = create_empty(work_path);
    if (reason != 0) {
        refuse(work_path, reason, error);
        free(target);
        free(work_path);
        return error->status;
    }
    *file = (struct results_file){copy_of(path), target, work_path};
    return SIM_OK;
}

enum sim_status results_file_claim(struct results_file *file, const char *path,
                                   bool replace, struct sim_error *error)
{
    int reason;

    *file = (struct results_file){0};
    if (path[0] == '\0')
        return sim_fail(error, SIM_NO_OUTPUT, "the output file has no name");
    reason = create_empty(path);
    if (reason == EEXIST && replace)
        return claim_beside(file, path, error);
    if (reason != 0)
        return refuse(path, reason, error);
    *file = (struct results_file){
        .path = copy_of(path),
        .target = results_file_anchor(path),
        .work_path = results_file_anchor(path),
    };
    return SIM_OK;
}

bool results_file_replaces(const struct results_file *file)
{
    return strcmp(file->target, file->work_path) != 0;
}

/** 0 or an errno. */
static int force_to_disk(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int reason = 0;

    if (fd < 0)
        return errno;
    if (fsync(fd) != 0)
        reason = errno;
    close(fd);
    return reason;
}

static enum sim_status finish_failed(struct results_file *file, int reason,
                                     struct sim_error *error)
{
    sim_fail(error, SIM_IO_ERROR, "%s: cannot be completed: %s", file->path,
             strerror(reason));
    if (results_file_replaces(file))
        results_file_discard(file);
    else
        results_file_leave(file);
    return error->status;
}

enum sim_status results_file_finish(struct results_file *file,
                                    struct sim_error *error)
{
    int reason = force_to_disk(file->work_path);

    if (reason == 0 && results_file_replaces(file) &&
        rename(file->work_path, file->target) != 0)
        reason = errno;
    if (reason != 0)
        return finish_failed(file, reason, error);
    results_file_leave(file);
    return SIM_OK;
}

void results_file_leave(struct results_file *file)
{
    free(file->path);
    free(file->target);
    free(file->work_path);
    *file = (struct results_file){0};
}

void results_file_discard(struct results_file *file)
{
    char *journal = NULL;

    /* SQLite leaves its journal behind where it cannot even undo a write. */
    CHECK(asprintf(&journal, "%s-journal", file->work_path) >= 0);
    unlink(journal);
    free(journal);
    unlink(file->work_path);
    results_file_leave(file);
}
