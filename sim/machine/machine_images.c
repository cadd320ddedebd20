/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest programs that VMs start from: files, each read once. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "sim/machine/machine_private.h"
#include "sim/machine/suggest.h"

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

/* The file is not there: which one has nearly its name? */
static enum sim_status refuse(const char *folder, const char *workload,
                              int reason, struct sim_error *error)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, NULL, alphasort);
    struct suggestion near = {0};

    for (int i = 0; i < count; i++)
        suggest_offer(&near, workload, entries[i]->d_name);
    sim_fail(error, SIM_NO_INPUT,
             "there is no guest program \"%s\"%s%s%s: %s/%s: %s", workload,
             near.word ? "; did you mean \"" : "", near.word ? near.word : "",
             near.word ? "\"?" : "", folder, workload, strerror(reason));
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    return error->status;
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

static enum sim_status read_image(const char *folder,
                                  struct machine_image *image,
                                  struct sim_error *error)
{
    enum sim_status status;
    char *path = NULL;
    FILE *file;

    if (asprintf(&path, "%s/%s", folder, image->name) < 0)
        return out_of_memory(error);
    file = fopen(path, "rbe");
    if (file) {
        status = read_all(file, path, image, error);
        fclose(file);
    } else {
        status = refuse(folder, image->name, errno, error);
    }
    free(path);
    return status;
}

static void image_free(struct machine_image *image)
{
    if (!image)
        return;
    free(image->name);
    free(image->bytes);
    free(image);
}

static enum sim_status make_image(const char *workload,
                                  struct machine_image **out,
                                  struct sim_error *error)
{
    struct machine_image *image = calloc(1, sizeof(*image));
    char *folder = workload_folder();
    enum sim_status status;

    *out = NULL;
    if (image)
        image->name = strdup(workload);
    if (image && image->name && folder)
        status = read_image(folder, image, error);
    else
        status = out_of_memory(error);
    free(folder);
    if (status == SIM_OK)
        *out = image;
    else
        image_free(image);
    return status;
}

static enum sim_status check_image(const char *folder, const char *workload,
                                   struct sim_error *error)
{
    enum sim_status status = SIM_OK;
    char *path = NULL;

    if (asprintf(&path, "%s/%s", folder, workload) < 0)
        return out_of_memory(error);
    if (access(path, R_OK) != 0)
        status = refuse(folder, workload, errno, error);
    free(path);
    return status;
}

enum sim_status machine_images_check(const struct scenario *scenario,
                                     struct sim_error *error)
{
    char *folder = workload_folder();
    enum sim_status status = folder ? SIM_OK : out_of_memory(error);

    for (size_t i = 0; i < scenario->vm_count && status == SIM_OK; i++) {
        const struct scenario_vm *vm = &scenario->vms[i];

        if (check_image(folder, vm->guest.workload, error) != SIM_OK)
            status = sim_prefix(error, "VM \"%s\"", vm->name);
    }
    free(folder);
    return status;
}

enum sim_status machine_images_find(struct machine *m, const char *workload,
                                    const struct machine_image **out,
                                    struct sim_error *error)
{
    struct machine_image *image = m->images;

    while (image && strcmp(image->name, workload) != 0)
        image = image->next;
    *out = image;
    if (image)
        return SIM_OK;
    if (make_image(workload, &image, error) != SIM_OK)
        return error->status;
    image->next = m->images;
    m->images = image;
    *out = image;
    if (!m->results)
        return SIM_OK;
    return results_put_image(m->results, workload, image->size,
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
