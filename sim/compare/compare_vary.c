/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/compare/compare_vary.h"

#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/scenario/document.h"
#include "sim/text/text.h"

/** One --vary. */
struct dimension {
    char *path;    /* owned */
    char **values; /* owned */
    size_t count;
};

struct compare_vary {
    struct dimension *dimensions; /* owned */
    size_t count;
};

struct compare_vary *compare_vary_create(void)
{
    struct compare_vary *vary = calloc(1, sizeof(*vary));

    CHECK(vary != NULL);
    return vary;
}

void compare_vary_free(struct compare_vary *vary)
{
    if (vary == NULL)
        return;
    for (size_t i = 0; i < vary->count; i++) {
        for (size_t k = 0; k < vary->dimensions[i].count; k++)
            free(vary->dimensions[i].values[k]);
        free(vary->dimensions[i].values);
        free(vary->dimensions[i].path);
    }
    free(vary->dimensions);
    free(vary);
}

/** How many bytes of `text` are one value. */
static size_t value_bytes(const char *text)
{
    size_t bytes = 0;
    int depth = 0;
    bool quoted = false;

    for (; text[bytes] != '\0'; bytes++) {
        char c = text[bytes];

        if (c == '\\' && quoted && text[bytes + 1] != '\0')
            bytes++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{'))
            depth++;
        else if (!quoted && (c == ']' || c == '}'))
            depth--;
        else if (c == ',' && !quoted && depth <= 0)
            break;
    }
    return bytes;
}

static char *copy_of(const char *text, size_t bytes)
{
    char *copy = strndup(text, bytes);

    CHECK(copy != NULL);
    return copy;
}

static enum sim_status refuse(const char *text, struct sim_error *error,
                              const char *why)
{
    char quoted[DOCUMENT_QUOTE_BYTES];

    return sim_fail(error, SIM_BAD_USAGE, "--vary %s: %s",
                    document_quote(text, quoted), why);
}

static enum sim_status add_value(struct dimension *dimension, const char *text,
                                 const char *value, size_t bytes,
                                 struct sim_error *error)
{
    char *copy = copy_of(value, bytes);

    dimension->values = reallocarray(dimension->values, dimension->count + 1,
                                     sizeof(*dimension->values));
    CHECK(dimension->values != NULL);
    dimension->values[dimension->count++] = copy;
    if (bytes == 0)
        return refuse(text, error, "an empty value; expected PATH=V1,V2,...");
    for (size_t i = 0; i + 1 < dimension->count; i++)
        if (strcmp(dimension->values[i], copy) == 0)
            return refuse(text, error, "has a value twice");
    return SIM_OK;
}

static enum sim_status read_values(struct dimension *dimension,
                                   const char *text, const char *values,
                                   struct sim_error *error)
{
    enum sim_status status;

    for (;;) {
        size_t bytes = value_bytes(values);

        status = add_value(dimension, text, values, bytes, error);
        values += bytes;
        if (status != SIM_OK || *values == '\0')
            return status;
        values++;
    }
}

enum sim_status compare_vary_add(struct compare_vary *vary, const char *text,
                                 struct sim_error *error)
{
    const char *equals = strchr(text, '=');
    struct dimension *dimension;
    enum sim_status status;

    if (equals == NULL || equals == text)
        return refuse(
            text, error,
            "expected PATH=V1,V2,..., such as vms.web.weight=100,200");
    vary->dimensions = reallocarray(vary->dimensions, vary->count + 1,
                                    sizeof(*vary->dimensions));
    CHECK(vary->dimensions != NULL);
    dimension = &vary->dimensions[vary->count++];
    *dimension =
        (struct dimension){.path = copy_of(text, (size_t)(equals - text))};
    if (strcmp(dimension->path, "seed") == 0)
        return refuse(text, error, "seeds are varied by --seeds N");
    for (size_t i = 0; i + 1 < vary->count; i++)
        if (strcmp(vary->dimensions[i].path, dimension->path) == 0)
            return refuse(text, error, "varies what another --vary varies");
    status = read_values(dimension, text, equals + 1, error);
    if (status == SIM_OK && compare_vary_count(vary) > COMPARE_VARIANTS_MAX)
        return refuse(text, error, "makes more than 10000 variants");
    return status;
}

size_t compare_vary_count(const struct compare_vary *vary)
{
    size_t count = 1;

    for (size_t i = 0; i < vary->count; i++) {
        count *= vary->dimensions[i].count;
        if (count > COMPARE_VARIANTS_MAX)
            return COMPARE_VARIANTS_MAX + 1;
    }
    return count;
}

/** The end of `path`, from its `steps`th last '.' on. */
static const char *last_steps(const char *path, size_t steps)
{
    const char *at = path + strlen(path);

    while (at > path && (at[-1] != '.' || --steps > 0))
        at--;
    return at;
}

/** The least end of the dimension's path that no other path has. */
static const char *short_path(const struct compare_vary *vary, size_t index)
{
    const char *path = vary->dimensions[index].path;

    for (size_t steps = 1;; steps++) {
        const char *end = last_steps(path, steps);
        bool taken = false;

        for (size_t i = 0; i < vary->count; i++)
            if (i != index &&
                strcmp(last_steps(vary->dimensions[i].path, steps), end) == 0)
                taken = true;
        if (!taken || end == path)
            return end;
    }
}

static const char *value_of(const struct compare_vary *vary, size_t index,
                            size_t dimension)
{
    for (size_t i = vary->count; i-- > dimension + 1;)
        index /= vary->dimensions[i].count;
    return vary->dimensions[dimension]
        .values[index % vary->dimensions[dimension].count];
}

struct compare_variant *compare_vary_variant(const struct compare_vary *vary,
                                             size_t index,
                                             struct comparison *comparison)
{
    struct compare_variant *variant;
    char *label = NULL;
    size_t bytes;
    FILE *out = open_memstream(&label, &bytes);

    CHECK(out != NULL);
    for (size_t i = 0; i < vary->count; i++) {
        fputs(i > 0 ? " " : "", out);
        text_print(out, short_path(vary, i));
        putc('=', out);
        text_print(out, value_of(vary, index, i));
    }
    if (vary->count == 0)
        fputs("as it is", out);
    CHECK(fclose(out) == 0);
    variant = compare_add_variant(comparison, label);
    free(label);
    for (size_t i = 0; i < vary->count; i++)
        compare_add_parameter(variant, vary->dimensions[i].path,
                              value_of(vary, index, i));
    return variant;
}
