/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the keys of a published statement cannot tell alone. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sim/scenario/scenario_private.h"

/** A row being checked, and what a message about it starts from. */
struct place {
    const struct document_node *node;
    size_t row;
    struct sim_error *error;
};

/** Fails at the key of item `index` of a list of the row, or at the item, where
 *  the key is not given. */
static enum sim_status refuse(const struct place *place, const char *list,
                              size_t index, const char *key, const char *format,
                              ...) PRINTF_LIKE(5, 6);

static enum sim_status refuse(const struct place *place, const char *list,
                              size_t index, const char *key, const char *format,
                              ...)
{
    const struct document_node *item =
        document_item(document_get(place->node, list), index);
    const struct document_node *value = document_get(item, key);
    char message[SIM_ERROR_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return document_fail(value ? &value->mark : &item->mark, place->error,
                         "validation[%zu].%s[%zu].%s: %s", place->row, list,
                         index, key, message);
}

/** Two runs of one name, or one that SQLite knows a database by. */
static enum sim_status check_runs(const struct scenario_validation *row,
                                  const struct place *place)
{
    for (size_t i = 0; i < row->run_count; i++) {
        const char *name = row->runs[i].name;

        if (strcasecmp(name, "main") == 0 || strcasecmp(name, "temp") == 0)
            return refuse(place, "runs", i, "name",
                          "'%s' is what SQLite calls a database of its own; "
                          "expected another name",
                          name);
        for (size_t j = 0; j < i; j++) {
            if (strcasecmp(name, row->runs[j].name) == 0)
                return refuse(place, "runs", i, "name",
                              "'%s' is the name of a run above", name);
        }
    }
    return SIM_OK;
}

static bool is_given(const char *number)
{
    return *number != '\0';
}

static enum sim_status check_bounds(const struct scenario_validation *row,
                                    size_t index, const struct place *place)
{
    const struct scenario_validation_check *check = &row->checks[index];
    double published = strtod(check->published, NULL);
    double from = strtod(check->from, NULL);
    double to = strtod(check->to, NULL);

    if (!is_given(check->from) && !is_given(check->to))
        return refuse(place, "checks", index, "from",
                      "is missing, and so is to; expected one of them");
    if (is_given(check->from) && is_given(check->to) && from > to)
        return refuse(place, "checks", index, "from", "%s is more than to: %s",
                      check->from, check->to);
    if (is_given(check->published) &&
        ((is_given(check->from) && published < from) ||
         (is_given(check->to) && published > to)))
        return refuse(place, "checks", index, "published",
                      "%s does not lie between from and to", check->published);
    return SIM_OK;
}

static enum sim_status check_row(const struct scenario_validation *row,
                                 const struct place *place)
{
    enum sim_status status = check_runs(row, place);

    if (status == SIM_OK && *row->fitted &&
        strcmp(row->kind, "definitional") == 0)
        return document_fail(&document_get(place->node, "fitted")->mark,
                             place->error,
                             "validation[%zu].fitted: nothing can be fitted to "
                             "what is definitional",
                             place->row);
    for (size_t i = 0; i < row->check_count && status == SIM_OK; i++)
        status = check_bounds(row, i, place);
    return status;
}

enum sim_status scenario_validation_check(const struct scenario *scenario,
                                          const struct document_node *root,
                                          struct sim_error *error)
{
    const struct document_node *rows = document_get(root, "validation");
    enum sim_status status = SIM_OK;

    for (size_t i = 0; i < scenario->validation_count && status == SIM_OK;
         i++) {
        const struct place place = {document_item(rows, i), i, error};

        status = check_row(&scenario->validation[i], &place);
    }
    return status;
}
