/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that VMs start from, each read once. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "sim/machine/machine_private.h"
#include "sim/scenario/suggest.h"

#define IMAGE_MIB_MAX 256
#define IMAGE_BYTES_MAX ((size_t)IMAGE_MIB_MAX << 20)
#define READ_BYTES 65536

static enum sim_status out_of_memory(struct sim_error *error)
{
    return sim_fail(error, SIM_NO_MEMORY, "no memory for guest images");
}

/* The folder beside an installed hvsim, if there is one. The caller frees it.
 */
static char *installed_folder(void)
{
    char program[4096];
    ssize_t bytes = readlink("/proc/self/exe", program, sizeof(program) - 1);
    char *folder = NULL;

    if (bytes < 0)
        return NULL;
    program[bytes] = '\0';
    *(strrchr(program, '/') + 1) = '\0'; /* a link there is an absolute path */
    if (asprintf(&folder, "%s%s", program, HVSIM_WORKLOADS_FROM_PROGRAM) < 0)
        return NULL;
    if (access(folder, F_OK) == 0)
        return folder;
    free(folder);
    return NULL;
}

/* Where guest programs lie: where the environment says, else where they were
 * installed, else where they were built. The caller frees it. */
static char *workload_folder(void)
{
    const char *named = getenv("HVSIM_WORKLOADS");
    char *installed;

    if (named && *named)
        return strdup(named);
    installed = installed_folder();
    return installed ? installed : strdup(HVSIM_WORKLOADS_BUILT);
}

/* Where the file lies. The caller frees it; NULL: no memory. */
static char *image_path(const struct scenario *scenario,
                        struct machine_image_name name)
{
    char *folder;
    char *path = NULL;

    if (!name.is_workload)
        return scenario_path(scenario, name.text);
    folder = workload_folder();
    if (folder && asprintf(&path, "%s/%s", folder, name.text) < 0)
        path = NULL;
    free(folder);
    return path;
}

/* The program at `path` is not there: which one has nearly its name? */
static enum sim_status refuse_workload(const char *path, const char *workload,
                                       int reason, struct sim_error *error)
{
    char *folder = strndup(path, strlen(path) - strlen(workload));
    struct dirent **entries = NULL;
    int count = folder ? scandir(folder, &entries, NULL, alphasort) : 0;
    struct suggestion near = {0};

    for (int i = 0; i < count; i++)
        suggest_offer(&near, workload, entries[i]->d_name);
    sim_fail(error, SIM_NO_INPUT,
             "there is no guest program \"%s\"%s%s%s: %s: %s", workload,
             near.word ? "; did you mean \"" : "", near.word ? near.word : "",
             near.word ? "\"?" : "", path, strerror(reason));
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    free(folder);
    return error->status;
}

/* The scenarios' Linux guests are files that the build fetches, when asked. */
#define FETCHED "build/linux/"
#define HOW_TO_FETCH                                                           \
    "; to fetch Debian's kernels: "                                            \
    "cmake --build build/release --target linux-guests"

static enum sim_status refuse(const char *path, struct machine_image_name name,
                              int reason, struct sim_error *error)
{
    if (name.is_workload)
        return refuse_workload(path, name.text, reason, error);

    bool is_to_fetch = reason == ENOENT && strstr(path, FETCHED);

    return sim_fail(error, SIM_NO_INPUT, "%s: cannot be opened: %s%s", path,
                    strerror(reason), is_to_fetch ? HOW_TO_FETCH : "");
}

static enum sim_status read_all(FILE *file, const char *path,
                                struct machine_image *image,
                                struct sim_error *error)
{
    size_t capacity = 0;
    size_t got;

    do {
        if (image->size == capacity) {
            size_t larger = capacity ? capacity * 2 : READ_BYTES;
            uint8_t *bytes = realloc(image->bytes, larger);

            if (!bytes)
                return out_of_memory(error);
            image->bytes = bytes;
            capacity = larger;
        }
        got =
            fread(image->bytes + image->size, 1, capacity - image->size, file);
        image->size += got;
        if (image->size > IMAGE_BYTES_MAX)
            return sim_fail(error, SIM_NO_INPUT,
                            "%s: larger than %d MiB; is this a guest program?",
                            path, IMAGE_MIB_MAX);
    } while (got > 0);
    if (ferror(file))
        return sim_fail(error, SIM_NO_INPUT, "%s: cannot be read: %s", path,
                        strerror(errno));
    return SIM_OK;
}

/* NULL and errno if it cannot be opened; EINVAL if it is no regular file: a
 * pipe, say, might wait for ever for its other end. */
static FILE *open_regular(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat about;
    FILE *file = NULL;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode))
        file = fdopen(fd, "rb");
    else
        errno = EINVAL;
    if (!file) {
        int reason = errno;

        close(fd);
        errno = reason;
    }
    return file;
}

static enum sim_status read_image(const struct scenario *scenario,
                                  struct machine_image *image,
                                  struct sim_error *error)
{
    enum sim_status status;
    char *path = image_path(scenario, image->name);
    FILE *file;

    if (!path)
        return out_of_memory(error);
    file = open_regular(path);
    if (file) {
        status = read_all(file, path, image, error);
        fclose(file);
    } else if (errno == EINVAL) {
        status =
            sim_fail(error, SIM_NO_INPUT, "%s: is not a regular file", path);
    } else {
        status = refuse(path, image->name, errno, error);
    }
    free(path);
    return status;
}

static void image_free(struct machine_image *image)
{
    if (!image)
        return;
    free(image->bytes);
    free(image);
}

/* NULL if it cannot be had; `error` says why. */
static struct machine_image *make_image(const struct scenario *scenario,
                                        struct machine_image_name name,
                                        struct sim_error *error)
{
    struct machine_image *image = calloc(1, sizeof(*image));

    if (!image) {
        out_of_memory(error);
        return NULL;
    }
    image->name = name;
    if (read_image(scenario, image, error) == SIM_OK)
        return image;
    image_free(image);
    return NULL;
}

static enum sim_status check_image(const struct scenario *scenario,
                                   struct machine_image_name name,
                                   struct sim_error *error)
{
    enum sim_status status = SIM_OK;
    char *path = image_path(scenario, name);

    if (!path)
        return out_of_memory(error);
    if (access(path, R_OK) != 0)
        status = refuse(path, name, errno, error);
    free(path);
    return status;
}

struct machine_image_name
machine_images_main(const struct scenario_guest *guest)
{
    const char *const files[] = {guest->kernel, guest->multiboot, guest->flat};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (*files[i])
            return (struct machine_image_name){files[i], false};
    }
    return (struct machine_image_name){guest->workload, true};
}

/* The guest's files, one after another. */
static enum sim_status check_guest(const struct scenario *scenario,
                                   const struct scenario_guest *guest,
                                   struct sim_error *error)
{
    enum sim_status status =
        check_image(scenario, machine_images_main(guest), error);

    if (status == SIM_OK && *guest->initrd)
        status = check_image(
            scenario, (struct machine_image_name){guest->initrd, false}, error);
    for (size_t i = 0; i < guest->module_count && status == SIM_OK; i++)
        status = check_image(
            scenario,
            (struct machine_image_name){guest->modules[i].file, false}, error);
    return status;
}

static enum sim_status check_disks(const struct scenario *scenario,
                                   const struct scenario_vm *vm,
                                   struct sim_error *error)
{
    enum sim_status status = SIM_OK;

    for (size_t i = 0; i < vm->disk_count && status == SIM_OK; i++) {
        if (*vm->disks[i].file)
            status = check_image(
                scenario, (struct machine_image_name){vm->disks[i].file, false},
                error);
    }
    return status;
}

enum sim_status machine_images_check(const struct scenario *scenario,
                                     struct sim_error *error)
{
    for (size_t i = 0; i < scenario->vm_count; i++) {
        const struct scenario_vm *vm = &scenario->vms[i];

        if (check_guest(scenario, &vm->guest, error) != SIM_OK ||
            check_disks(scenario, vm, error) != SIM_OK)
            return sim_prefix(error, "VM \"%s\"", vm->name);
    }
    return SIM_OK;
}

/* Whether the view image has this one, or none of its name: a VM that was never
 * started has read none. */
static bool is_recorded(const struct machine_image *image, sqlite3 *db)
{
    sqlite3_stmt *row = NULL;
    bool recorded = false;
    char hash[17];

    snprintf(hash, sizeof(hash), "%016" PRIx64,
             (uint64_t)XXH64(image->bytes, image->size, 0));
    if (sqlite3_prepare_v2(db,
                           "SELECT coalesce(max(bytes = ?2 AND hash = ?3), 1)"
                           " FROM image WHERE name = ?1",
                           -1, &row, NULL) != SQLITE_OK)
        return false;
    sqlite3_bind_text(row, 1, image->name.text, -1, SQLITE_STATIC);
    sqlite3_bind_int64(row, 2, (int64_t)image->size);
    sqlite3_bind_text(row, 3, hash, -1, SQLITE_STATIC);
    if (sqlite3_step(row) == SQLITE_ROW)
        recorded = sqlite3_column_int(row, 0) != 0;
    sqlite3_finalize(row);
    return recorded;
}

static bool match_image(const struct scenario *scenario, sqlite3 *db,
                        struct machine_image_name name)
{
    struct sim_error ignored;
    struct machine_image *image = make_image(scenario, name, &ignored);
    bool same = image && is_recorded(image, db);

    image_free(image);
    return same;
}

static bool match_guest(const struct scenario *scenario, sqlite3 *db,
                        const struct scenario_guest *guest)
{
    bool same = match_image(scenario, db, machine_images_main(guest));

    if (same && *guest->initrd)
        same = match_image(scenario, db,
                           (struct machine_image_name){guest->initrd, false});
    for (size_t i = 0; i < guest->module_count && same; i++)
        same = match_image(
            scenario, db,
            (struct machine_image_name){guest->modules[i].file, false});
    return same;
}

/* The contents of disks are not kept with the results, nor a hash of them. An
 * image that is put there may say that it is old: by its status it cannot. */
static bool is_older(const struct scenario *scenario, const char *file,
                     struct timespec than)
{
    struct stat about;
    char *path = scenario_path(scenario, file);
    bool older = path && stat(path, &about) == 0 &&
                 (about.st_ctim.tv_sec < than.tv_sec ||
                  (about.st_ctim.tv_sec == than.tv_sec &&
                   about.st_ctim.tv_nsec < than.tv_nsec));

    free(path);
    return older;
}

bool machine_images_match(const struct scenario *scenario, sqlite3 *db,
                          struct timespec made_at)
{
    for (size_t i = 0; i < scenario->vm_count; i++) {
        const struct scenario_vm *vm = &scenario->vms[i];

        if (!match_guest(scenario, db, &vm->guest))
            return false;
        for (size_t k = 0; k < vm->disk_count; k++)
            if (*vm->disks[k].file &&
                !is_older(scenario, vm->disks[k].file, made_at))
                return false;
    }
    return true;
}

static bool is_name(const struct machine_image *image,
                    struct machine_image_name name)
{
    return image->name.is_workload == name.is_workload &&
           strcmp(image->name.text, name.text) == 0;
}

enum sim_status machine_images_find(struct machine *m,
                                    struct machine_image_name name,
                                    const struct machine_image **out,
                                    struct sim_error *error)
{
    struct machine_image *image = m->images;

    while (image && !is_name(image, name))
        image = image->next;
    *out = image;
    if (image)
        return SIM_OK;
    image = make_image(m->scenario, name, error);
    if (!image)
        return error->status;
    image->next = m->images;
    m->images = image;
    *out = image;
    if (!m->results)
        return SIM_OK;
    return results_put_image(m->results, name.text, image->size,
                             XXH64(image->bytes, image->size, 0), error);
}

void machine_images_free(struct machine *m)
{
    while (m->images) {
        struct machine_image *next = m->images->next;

        image_free(m->images);
        m->images = next;
    }
}
