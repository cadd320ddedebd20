/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sim/compare/compare_metric_private.h"
#include "sim/core/check.h"
#include "sim/scenario/document.h"
#include "sim/scenario/suggest.h"

static struct compare_pattern *add_pattern(struct compare_selection *selection)
{
    struct compare_pattern *pattern;

    selection->patterns =
        reallocarray(selection->patterns, selection->count + 1,
                     sizeof(*selection->patterns));
    CHECK(selection->patterns != NULL);
    pattern = &selection->patterns[selection->count++];
    *pattern = (struct compare_pattern){0};
    return pattern;
}

static char *copy_of(const char *text, size_t bytes)
{
    char *copy = strndup(text, bytes);

    CHECK(copy != NULL);
    return copy;
}

static void add_results(struct compare_selection *selection, const char *vm,
                        size_t vm_bytes, const char *name)
{
    struct compare_pattern *pattern = add_pattern(selection);

    pattern->vm = copy_of(vm, vm_bytes);
    pattern->name = copy_of(name, strlen(name));
}

static void add_mean(struct compare_selection *selection, const char *name)
{
    struct compare_pattern *pattern = add_pattern(selection);

    pattern->is_mean = true;
    pattern->name = copy_of(name, strlen(name));
}

static void add_counter(struct compare_selection *selection,
                        enum pc_object_id object, const char *name)
{
    struct compare_pattern *pattern = add_pattern(selection);
    int at = pc_counters_find(object, name);

    CHECK(at >= 0);
    pattern->object = object;
    pattern->counter = &pc_counters_object(object)->counters[at];
    pattern->instance = copy_of("_Total", 6);
}

struct compare_selection *compare_metric_select(bool defaults)
{
    struct compare_selection *selection = calloc(1, sizeof(*selection));

    CHECK(selection != NULL);
    if (!defaults)
        return selection;
    add_mean(selection, "*");
    add_results(selection, "*", 1, "*");
    add_counter(selection, PC_OBJECT_LP, "% Total Run Time");
    add_counter(selection, PC_OBJECT_LP, "Context Switches/sec");
    add_counter(selection, PC_OBJECT_VP, "CPU Wait Time Per Dispatch");
    add_counter(selection, PC_OBJECT_VP, "Logical Processor Dispatches/sec");
    add_counter(selection, PC_OBJECT_VP, "Logical Processor Migrations/sec");
    return selection;
}

void compare_metric_free(struct compare_selection *selection)
{
    if (selection == NULL)
        return;
    for (size_t i = 0; i < selection->count; i++) {
        free(selection->patterns[i].instance);
        free(selection->patterns[i].vm);
        free(selection->patterns[i].name);
    }
    free(selection->patterns);
    free(selection);
}

/* Reading --metric */

const char *compare_metric_short_object(const char *name)
{
    static const char *const fronts[] = {"Hyper-V Hypervisor ", "Hyper-V "};

    for (size_t i = 0; i < sizeof(fronts) / sizeof(fronts[0]); i++)
        if (strncmp(name, fronts[i], strlen(fronts[i])) == 0)
            return name + strlen(fronts[i]);
    return name;
}

static enum sim_status find_object(const char *name, enum pc_object_id *object,
                                   struct suggestion *near)
{
    for (enum pc_object_id id = 0; id < PC_OBJECT_COUNT; id++) {
        const char *full = pc_counters_object(id)->name;

        if (strcasecmp(name, full) == 0 ||
            strcasecmp(name, compare_metric_short_object(full)) == 0) {
            *object = id;
            return SIM_OK;
        }
        suggest_offer(near, name, compare_metric_short_object(full));
    }
    return SIM_BAD_USAGE;
}

static enum sim_status find_counter(struct compare_pattern *pattern,
                                    const char *name, struct suggestion *near)
{
    const struct pc_object *object = pc_counters_object(pattern->object);

    for (uint16_t i = 0; i < object->counter_count; i++) {
        if (strcasecmp(name, object->counters[i].name) == 0) {
            pattern->counter = &object->counters[i];
            return SIM_OK;
        }
        suggest_offer(near, name, object->counters[i].name);
    }
    return SIM_BAD_USAGE;
}

static enum sim_status refuse(const char *what, const char *name,
                              const struct suggestion *near,
                              struct sim_error *error)
{
    char quoted[DOCUMENT_QUOTE_BYTES];

    return sim_fail(error, SIM_BAD_USAGE, "there is no %s %s%s%s%s", what,
                    document_quote(name, quoted),
                    near->word ? "; did you mean '" : "",
                    near->word ? near->word : "", near->word ? "'?" : "");
}

/** Takes "(instance)" off the end of `text`; NULL if there is none. */
static char *cut_instance(char *text)
{
    size_t length = strlen(text);
    char *open = strrchr(text, '(');

    if (open == NULL || text[length - 1] != ')')
        return NULL;
    text[length - 1] = '\0';
    *open = '\0';
    return open + 1;
}

/** `text`, which is cut up, is "Object(Instance)\Counter"; the instance may
 *  stand at the end instead, and is NULL if there is none. */
static enum sim_status read_counter(struct compare_pattern *pattern, char *text,
                                    struct sim_error *error)
{
    struct suggestion near = {0};
    char *object = text + (*text == '\\');
    char *counter = strchr(object, '\\');
    char *instance;

    if (counter == NULL)
        counter = &object[strlen(object)];
    else
        *counter++ = '\0';
    instance = cut_instance(object);
    if (instance == NULL)
        instance = cut_instance(counter);
    pattern->instance = instance ? copy_of(instance, strlen(instance)) : NULL;
    if (find_object(object, &pattern->object, &near) != SIM_OK)
        return refuse("object", object, &near, error);
    if (find_counter(pattern, counter, &near) != SIM_OK)
        return refuse("counter", counter, &near, error);
    return SIM_OK;
}

/** "result:VM:NAME", or NAME of every VM, or "mean:NAME" of all. */
static enum sim_status read_result(struct compare_pattern *pattern,
                                   const char *text, struct sim_error *error)
{
    static const char result[] = "result:";
    static const char mean[] = "mean:";
    const char *vm = "*";
    size_t vm_bytes = 1;

    if (strncmp(text, mean, strlen(mean)) == 0) {
        pattern->is_mean = true;
        text += strlen(mean);
    } else if (strncmp(text, result, strlen(result)) == 0) {
        vm = text + strlen(result);
        vm_bytes = strcspn(vm, ":");
        text = vm[vm_bytes] == ':' ? &vm[vm_bytes + 1] : "";
    }
    if (vm_bytes == 0 || *text == '\0' || strchr(text, ':') != NULL)
        return sim_fail(error, SIM_BAD_USAGE,
                        "--metric %s: expected NAME, result:VM:NAME, mean:NAME "
                        "or OBJECT(INSTANCE)\\COUNTER, and then perhaps :less "
                        "or :more",
                        pattern->written);
    if (!pattern->is_mean)
        pattern->vm = copy_of(vm, vm_bytes);
    pattern->name = copy_of(text, strlen(text));
    return SIM_OK;
}

/** Takes ":less" or ":more" off the end of `text`. */
static enum compare_better cut_better(char *text)
{
    char *colon = strrchr(text, ':');

    for (enum compare_better i = COMPARE_LESS; i <= COMPARE_MORE; i++) {
        if (colon != NULL && strcmp(colon + 1, compare_better_name(i)) == 0) {
            *colon = '\0';
            return i;
        }
    }
    return COMPARE_UNKNOWN;
}

enum sim_status compare_metric_add(struct compare_selection *selection,
                                   const char *text, struct sim_error *error)
{
    struct compare_pattern *pattern = add_pattern(selection);
    char *copy = copy_of(text, strlen(text));
    enum sim_status status;

    pattern->written = text;
    pattern->better = cut_better(copy);
    if (strchr(copy, '\\') == NULL)
        status = read_result(pattern, copy, error);
    else if ((status = read_counter(pattern, copy, error)) != SIM_OK)
        sim_prefix(error, "--metric %s", text);
    else if (pattern->instance == NULL)
        pattern->instance = copy_of("_Total", 6);
    free(copy);
    return status;
}

/** A counter's name alone means the first object that has it. */
static enum sim_status find_anywhere(struct compare_pattern *pattern,
                                     const char *name, struct sim_error *error)
{
    struct suggestion near = {0};

    for (enum pc_object_id id = 0; id < PC_OBJECT_COUNT; id++) {
        pattern->object = id;
        if (find_counter(pattern, name, &near) == SIM_OK)
            return SIM_OK;
    }
    return refuse("counter", name, &near, error);
}

enum sim_status compare_metric_counter(struct compare_counter *counter,
                                       const char *text,
                                       struct sim_error *error)
{
    struct compare_pattern pattern = {0};
    char *copy = copy_of(text, strlen(text));
    enum sim_status status = strchr(copy, '\\') != NULL
                                 ? read_counter(&pattern, copy, error)
                                 : find_anywhere(&pattern, copy, error);

    free(copy);
    *counter = (struct compare_counter){.instance = pattern.instance};
    if (status != SIM_OK)
        return status;
    CHECK(pattern.counter != NULL);
    counter->object = pc_counters_object(pattern.object)->name;
    counter->name = pattern.counter->name;
    counter->unit = pattern.counter->unit;
    return SIM_OK;
}

const char *compare_metric_unmet(const struct compare_selection *selection,
                                 size_t *at)
{
    while (*at < selection->count) {
        const struct compare_pattern *pattern = &selection->patterns[(*at)++];

        if (!pattern->met && pattern->written != NULL)
            return pattern->written;
    }
    return NULL;
}
