/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/compare/compare_files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/core/check.h"
#include "sim/results/results.h"
#include "sim/scenario/document.h"
#include "sim/text/text.h"

/** One parameter of a scenario, by its whole path; or a version, or a guest
 *  program. */
struct setting {
    char *path;  /* owned */
    char *value; /* owned */
};

/** The resolved scenario of a variant. */
struct origin {
    char *yaml;               /* owned; without the seed */
    struct setting *settings; /* owned; in the order of the scenario, and what
                                 else the run is a function of */
    size_t count;
};

/** A comparison on its way. */
struct gathering {
    struct comparison *comparison;
    struct compare_selection *selection;
    struct origin *origins; /* owned; by variant */
    bool is_mixed;          /* the scenarios have several names */
};

bool compare_files_is_database(const char *path)
{
    static const char magic[16] = "SQLite format 3";
    char bytes[sizeof(magic)];
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ssize_t got;

    if (fd < 0)
        return false;
    got = read(fd, bytes, sizeof(bytes));
    close(fd);
    return got == (ssize_t)sizeof(bytes) &&
           memcmp(bytes, magic, sizeof(magic)) == 0;
}

static char *copy_of(const char *text)
{
    char *copy = strdup(text);

    CHECK(copy != NULL);
    return copy;
}

/* Scenarios */

char *compare_files_without_seed(const char *yaml)
{
    static const char key[] = "\nseed: ";
    char *copy = copy_of(yaml);
    char *line = strstr(copy, key);
    size_t bytes;

    if (line == NULL)
        return copy;
    line++;
    bytes = strcspn(line, "\n");
    memmove(line, &line[bytes], strlen(&line[bytes]) + 1);
    return copy;
}

static void add_setting(struct origin *origin, const char *path,
                        const char *value)
{
    origin->settings = reallocarray(origin->settings, origin->count + 1,
                                    sizeof(*origin->settings));
    CHECK(origin->settings != NULL);
    origin->settings[origin->count++] =
        (struct setting){copy_of(path), copy_of(value)};
}

/** Adds the scalars below `node`, whose path is `path`. */
static void flatten(struct origin *origin, const struct document_node *node,
                    const char *path)
{
    size_t index = 0;

    if (node->kind == DOCUMENT_SCALAR)
        add_setting(origin, path, node->text);
    for (const struct document_node *child = node->child; child;
         child = child->next, index++) {
        const struct document_node *name = document_get(child, "name");
        const char *dot = *path != '\0' ? "." : "";
        char *below;

        if (child->key != NULL)
            CHECK(asprintf(&below, "%s%s%s", path, dot, child->key) >= 0);
        else if (name != NULL && name->text != NULL)
            CHECK(asprintf(&below, "%s%s%s", path, dot, name->text) >= 0);
        else
            CHECK(asprintf(&below, "%s[%zu]", path, index) >= 0);
        flatten(origin, child, below);
        free(below);
    }
}

static enum sim_status read_origin(struct origin *origin, const char *path,
                                   const char *yaml, struct sim_error *error)
{
    struct document_node *document;

    *origin = (struct origin){.yaml = compare_files_without_seed(yaml)};
    if (document_parse(&document, path, origin->yaml, strlen(origin->yaml),
                       error) != SIM_OK)
        return sim_fail(error, SIM_NO_INPUT,
                        "%s: the scenario within cannot be read", path);
    flatten(origin, document, "");
    document_free(document);
    return SIM_OK;
}

/** Adds what besides the scenario a run is a function of. */
static enum sim_status read_programs(struct origin *origin, sqlite3 *db,
                                     const char *path, struct sim_error *error)
{
    sqlite3_stmt *row = NULL;

    if (sqlite3_prepare_v2(db,
                           "SELECT 'version of hvsim', version FROM run"
                           " UNION ALL"
                           " SELECT 'its engine', engine_version FROM run"
                           " UNION ALL"
                           " SELECT 'guest program ' || name, hash FROM image",
                           -1, &row, NULL) == SQLITE_OK)
        while (sqlite3_step(row) == SQLITE_ROW &&
               sqlite3_column_type(row, 0) != SQLITE_NULL &&
               sqlite3_column_type(row, 1) != SQLITE_NULL)
            add_setting(origin, (const char *)sqlite3_column_text(row, 0),
                        (const char *)sqlite3_column_text(row, 1));
    if (row != NULL && sqlite3_finalize(row) == SQLITE_OK)
        return SIM_OK;
    return sim_fail(error, SIM_NO_INPUT, "%s: cannot be read: %s", path,
                    sqlite3_errmsg(db));
}

static void free_origin(struct origin *origin)
{
    for (size_t i = 0; i < origin->count; i++) {
        free(origin->settings[i].path);
        free(origin->settings[i].value);
    }
    free(origin->settings);
    free(origin->yaml);
}

/* Differences */

/** The value of `path`, which is most likely to stand at `likely`; NULL. */
static const char *find_setting(const struct origin *origin, const char *path,
                                size_t likely)
{
    if (likely < origin->count &&
        strcmp(origin->settings[likely].path, path) == 0)
        return origin->settings[likely].value;
    for (size_t i = 0; i < origin->count; i++)
        if (strcmp(origin->settings[i].path, path) == 0)
            return origin->settings[i].value;
    return NULL;
}

static bool is_different(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a != b : strcmp(a, b) != 0;
}

/** Tells every variant's value of a parameter that is not the same in all; one
 *  that was told for an earlier variant is left out. */
static void tell_setting(struct gathering *gathering, size_t of, size_t at)
{
    size_t count = gathering->comparison->variant_count;
    const struct setting *setting = &gathering->origins[of].settings[at];
    bool differs = false;

    for (size_t i = 0; i < count; i++) {
        const char *value =
            find_setting(&gathering->origins[i], setting->path, at);

        if (i < of && value != NULL)
            return;
        differs = differs || is_different(value, setting->value);
    }
    for (size_t i = 0; i < count && differs; i++) {
        const char *value =
            find_setting(&gathering->origins[i], setting->path, at);

        if (value != NULL)
            compare_add_parameter(&gathering->comparison->variants[i],
                                  setting->path, value);
    }
}

static void tell_differences(struct gathering *gathering)
{
    for (size_t i = 0; i < gathering->comparison->variant_count; i++)
        for (size_t k = 0; k < gathering->origins[i].count; k++)
            tell_setting(gathering, i, k);
}

/* Files */

/** What the view run says of a file. */
struct about {
    char *name; /* owned */
    char *yaml; /* owned */
    uint64_t seed;
};

static enum sim_status read_about(struct about *about, sqlite3 *db,
                                  const char *path, struct sim_error *error)
{
    sqlite3_stmt *row = NULL;

    if (sqlite3_prepare_v2(db, "SELECT name, scenario_yaml, seed FROM run", -1,
                           &row, NULL) != SQLITE_OK ||
        sqlite3_step(row) != SQLITE_ROW ||
        sqlite3_column_type(row, 0) == SQLITE_NULL ||
        sqlite3_column_type(row, 1) == SQLITE_NULL) {
        sqlite3_finalize(row);
        return sim_fail(error, SIM_NO_INPUT, "%s: does not say what was run",
                        path);
    }
    *about = (struct about){
        .name = copy_of((const char *)sqlite3_column_text(row, 0)),
        .yaml = copy_of((const char *)sqlite3_column_text(row, 1)),
        /* A seed that exceeds an INTEGER is TEXT. */
        .seed = sqlite3_column_type(row, 2) == SQLITE_INTEGER
                    ? (uint64_t)sqlite3_column_int64(row, 2)
                    : strtoull(sqlite3_column_type(row, 2) == SQLITE_NULL
                                   ? "0"
                                   : (const char *)sqlite3_column_text(row, 2),
                               NULL, 10),
    };
    sqlite3_finalize(row);
    return SIM_OK;
}

/** The file's name, without its folder and ".db". The caller frees it. */
static char *label_of(const char *path)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    char *bare = copy_of(name);
    size_t length = strlen(bare);
    char *label = NULL;
    size_t bytes;
    FILE *out = open_memstream(&label, &bytes);

    CHECK(out != NULL);
    if (length > 3 && strcmp(&bare[length - 3], ".db") == 0)
        bare[length - 3] = '\0';
    text_print(out, bare);
    CHECK(fclose(out) == 0);
    free(bare);
    return label;
}

static bool has_seed(const struct compare_variant *variant, uint64_t seed)
{
    for (size_t i = 0; i < variant->run_count; i++)
        if (variant->runs[i].seed == seed)
            return true;
    return false;
}

/** Whether the two differ in the seed alone, and not in a program either: but a
 *  VM that was never started has left no guest program. */
static bool is_same_origin(const struct origin *a, const struct origin *b)
{
    if (strcmp(a->yaml, b->yaml) != 0)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const char *other = find_setting(b, a->settings[i].path, i);

        if (other != NULL && strcmp(other, a->settings[i].value) != 0)
            return false;
    }
    return true;
}

/** The variant of that origin in which the seed is free: a second run of the
 *  same seed is of another variant. Takes `origin`. */
static struct compare_variant *choose_variant(struct gathering *gathering,
                                              struct origin *origin,
                                              const char *path, uint64_t seed)
{
    struct comparison *comparison = gathering->comparison;
    struct compare_variant *variant;
    char *label;

    for (size_t i = 0; i < comparison->variant_count; i++) {
        CHECK(gathering->origins != NULL);
        if (is_same_origin(&gathering->origins[i], origin) &&
            !has_seed(&comparison->variants[i], seed)) {
            free_origin(origin);
            return &comparison->variants[i];
        }
    }
    label = label_of(path);
    variant = compare_add_variant(comparison, label);
    free(label);
    gathering->origins =
        reallocarray(gathering->origins, comparison->variant_count,
                     sizeof(*gathering->origins));
    CHECK(gathering->origins != NULL);
    gathering->origins[comparison->variant_count - 1] = *origin;
    return variant;
}

static enum sim_status add_file(struct gathering *gathering, const char *path,
                                sqlite3 *db, const struct about *about,
                                struct sim_error *error)
{
    struct origin origin;
    struct compare_run *run;
    enum sim_status status = read_origin(&origin, path, about->yaml, error);

    if (status == SIM_OK)
        status = read_programs(&origin, db, path, error);
    if (status != SIM_OK) {
        free_origin(&origin);
        return status;
    }
    if (gathering->comparison == NULL) {
        gathering->comparison = compare_create(about->name);
        gathering->comparison->of_files = true;
    }
    gathering->is_mixed = gathering->is_mixed ||
                          strcmp(gathering->comparison->name, about->name) != 0;
    run = compare_add_run(choose_variant(gathering, &origin, path, about->seed),
                          about->seed, path);
    return compare_read(gathering->comparison, run, gathering->selection, db,
                        path, error);
}

static enum sim_status read_file(struct gathering *gathering, const char *path,
                                 struct sim_error *error)
{
    struct about about = {0};
    sqlite3 *db;
    enum sim_status status;

    if (compare_is_stored(path))
        return sim_fail(error, SIM_NO_INPUT,
                        "%s: is a comparison itself; expected result files of "
                        "runs",
                        path);
    status = results_open(&db, path, error);
    if (status != SIM_OK)
        return status;
    status = read_about(&about, db, path, error);
    if (status == SIM_OK)
        status = add_file(gathering, path, db, &about, error);
    free(about.name);
    free(about.yaml);
    sqlite3_close(db);
    return status;
}

/** The first scenario's name alone would be that of none of the others. */
static void name_mixture(struct comparison *comparison)
{
    char *name;

    CHECK(asprintf(&name, "%s and others", comparison->name) >= 0);
    compare_rename(comparison, name);
    free(name);
}

enum sim_status compare_files_read(struct comparison **out, char *const *paths,
                                   size_t count,
                                   struct compare_selection *selection,
                                   struct sim_error *error)
{
    struct gathering gathering = {.selection = selection};
    enum sim_status status = SIM_OK;

    CHECK(count > 0);
    *out = NULL;
    for (size_t i = 0; i < count && status == SIM_OK; i++)
        status = read_file(&gathering, paths[i], error);
    if (status == SIM_OK) {
        CHECK(gathering.comparison != NULL);
        tell_differences(&gathering);
        if (gathering.is_mixed)
            name_mixture(gathering.comparison);
    }
    if (gathering.comparison != NULL)
        for (size_t i = 0; i < gathering.comparison->variant_count; i++)
            free_origin(&gathering.origins[i]);
    free(gathering.origins);
    if (status == SIM_OK)
        *out = gathering.comparison;
    else
        compare_free(gathering.comparison);
    return status;
}
