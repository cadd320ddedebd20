/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "sim/scenario/scenario_private.h"
#include "sim/scenario/suggest.h"

static enum sim_status bad_path(const struct scenario_override *override,
                                struct sim_error *error, const char *why)
{
    char path[DOCUMENT_QUOTE_BYTES];

    return sim_fail(error, SIM_BAD_USAGE, "%s: %s %s", override->written,
                    document_quote(override->path, path), why);
}

static enum sim_status out_of_memory(const struct scenario_override *override,
                                     struct sim_error *error)
{
    return sim_fail(error, SIM_NO_MEMORY, "%s: out of memory",
                    override->written);
}

/** `[...]` and `{...}` are YAML; anything else stands for itself. */
static enum sim_status parse_value(struct document_node **value,
                                   const struct scenario_override *override,
                                   struct sim_error *error)
{
    struct document_mark mark = {.source = override->written};

    if (override->value[0] == '[' || override->value[0] == '{')
        return document_parse_option(value, override->written, override->value,
                                     error);
    *value = document_new_scalar(mark, override->value);
    return *value ? SIM_OK : out_of_memory(override, error);
}

/** "; did you mean 'web'?", or else "; there are: web, clock". */
static void offer_names(char *text, size_t bytes,
                        const struct document_node *list, const char *key)
{
    struct suggestion near = {0};
    size_t used;

    text[0] = '\0';
    for (const struct document_node *item = list->child; item;
         item = item->next) {
        const struct document_node *name = document_get(item, "name");

        if (!name || !name->text)
            continue;
        suggest_offer(&near, key, name->text);
        used = strlen(text);
        snprintf(text + used, bytes - used, "%s%s",
                 used == 0 ? "; there are: " : ", ", name->text);
    }
    if (near.word)
        snprintf(text, bytes, "; did you mean '%s'?", near.word);
}

/** There is no `step` at `at`, and none can be added. */
static enum sim_status refuse_step(const struct scenario_override *override,
                                   struct sim_error *error,
                                   const struct document_node *at,
                                   const struct document_step *step)
{
    char why[SIM_ERROR_BYTES_MAX / 2];
    char names[SIM_ERROR_BYTES_MAX / 4];
    char quoted[DOCUMENT_QUOTE_BYTES];

    if (step->is_index && at->kind == DOCUMENT_SEQUENCE) {
        snprintf(why, sizeof why,
                 "leads nowhere: the list has %zu items, from [0]",
                 at->child_count);
        return bad_path(override, error, why);
    }
    if (step->is_index || at->kind == DOCUMENT_SCALAR)
        return bad_path(override, error,
                        step->is_index ? "leads nowhere: there is no list"
                                       : "leads nowhere: there is one value");
    offer_names(names, sizeof names, at, step->key);
    snprintf(why, sizeof why, "leads nowhere: there is no %s%s",
             document_quote(step->key, quoted), names);
    return bad_path(override, error, why);
}

/** Whether `step` could name a child of `node` that is not there yet. */
static bool can_add(const struct document_node *node,
                    const struct document_step *step)
{
    if (step->is_index)
        return node->kind == DOCUMENT_SEQUENCE &&
               step->index == node->child_count;
    return node->kind == DOCUMENT_MAPPING;
}

/** Gives `value` to `parent` as its new child `step`; frees it on failure. */
static enum sim_status add_child(struct document_node *parent,
                                 const struct document_step *step,
                                 struct document_node *value,
                                 const struct scenario_override *override,
                                 struct sim_error *error)
{
    struct document_mark mark = {.source = override->written};

    if (!value)
        return out_of_memory(override, error);
    if (!step->is_index && !document_set_key(value, step->key, mark)) {
        document_free(value);
        return out_of_memory(override, error);
    }
    document_append(parent, value);
    return SIM_OK;
}

/** Follows `step`, adding the collection that the rest of the path needs. */
static enum sim_status descend(struct document_node **at,
                               const struct document_step *step,
                               const char *rest,
                               const struct scenario_override *override,
                               struct sim_error *error)
{
    struct document_mark mark = {.source = override->written};
    struct document_node *child = document_follow(*at, step);

    if (child) {
        *at = child;
        return SIM_OK;
    }
    if (!can_add(*at, step))
        return refuse_step(override, error, *at, step);

    enum document_kind kind =
        *rest == '[' ? DOCUMENT_SEQUENCE : DOCUMENT_MAPPING;
    enum sim_status status =
        add_child(*at, step, document_new(kind, mark), override, error);

    if (status == SIM_OK)
        *at = (*at)->last_child;
    return status;
}

enum sim_status
scenario_override_apply(struct document_node *root,
                        const struct scenario_override *override,
                        struct sim_error *error)
{
    const char *rest = override->path;
    struct document_node *at = root;
    struct document_step step;
    struct document_node *value;
    enum sim_status status = SIM_OK;

    for (size_t depth = 0;; depth++) {
        if (!document_path_next(&rest, &step) || depth == DOCUMENT_DEPTH_MAX)
            return bad_path(override, error,
                            "is not a path such as vms.web.weight or "
                            "host.nodes[0].lps");
        if (*rest == '\0')
            break;
        status = descend(&at, &step, rest, override, error);
        if (status != SIM_OK)
            return status;
    }

    struct document_node *old = document_follow(at, &step);

    if (!old && !can_add(at, &step))
        return refuse_step(override, error, at, &step);
    status = parse_value(&value, override, error);
    if (status != SIM_OK)
        return status;
    if (!old)
        return add_child(at, &step, value, override, error);
    document_replace(at, old, value);
    return SIM_OK;
}
