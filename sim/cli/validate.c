/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/cli/validate.h"

#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"

static int compare_rows(const void *a, const void *b)
{
    const struct validate_row *left = a;
    const struct validate_row *right = b;

    if (left->about->row != right->about->row)
        return left->about->row < right->about->row ? -1 : 1;
    return strcmp(left->file, right->file);
}

void validate_add(struct validation *validation,
                  const struct scenario *scenario, const char *file)
{
    size_t count = validation->row_count + scenario->validation_count;

    validation->rows =
        reallocarray(validation->rows, count, sizeof(*validation->rows));
    CHECK(validation->rows || count == 0);
    for (size_t i = 0; i < scenario->validation_count; i++) {
        const struct scenario_validation *about = &scenario->validation[i];
        struct validate_row row = {
            .about = about, .scenario = scenario, .file = file};

        row.checks = calloc(about->check_count, sizeof(*row.checks));
        CHECK(row.checks);
        for (size_t j = 0; j < about->check_count; j++) {
            row.checks[j].about = &about->checks[j];
            row.checks[j].verdict = VALIDATE_NOT_MEASURED;
        }
        validation->rows[validation->row_count++] = row;
    }
    if (count > 0)
        qsort(validation->rows, count, sizeof(*validation->rows), compare_rows);
}

void validate_free(struct validation *validation)
{
    for (size_t i = 0; i < validation->row_count; i++) {
        struct validate_row *row = &validation->rows[i];

        for (size_t j = 0; j < row->about->check_count; j++)
            free(row->checks[j].failure);
        free(row->checks);
    }
    free(validation->rows);
    *validation = (struct validation){0};
}

bool validate_is_definitional(const struct validate_row *row)
{
    return strcmp(row->about->kind, "definitional") == 0;
}

static bool is_within(const struct scenario_validation_check *about,
                      double value)
{
    if (*about->from && value < strtod(about->from, NULL))
        return false;
    return !*about->to || value <= strtod(about->to, NULL);
}

void validate_measured(const struct validate_row *row,
                       struct validate_check *check, double value)
{
    bool within = is_within(check->about, value);

    check->value = value;
    if (validate_is_definitional(row))
        check->verdict = within ? VALIDATE_PASS : VALIDATE_FAIL;
    else
        check->verdict = within ? VALIDATE_AGREES : VALIDATE_DIFFERS;
}

void validate_not_measured(struct validate_check *check, const char *why)
{
    free(check->failure);
    check->failure = strdup(why);
    CHECK(check->failure);
    check->verdict = VALIDATE_NOT_MEASURED;
}

bool validate_holds(const struct validation *validation, bool strict)
{
    for (size_t i = 0; i < validation->row_count; i++) {
        const struct validate_row *row = &validation->rows[i];

        for (size_t j = 0; j < row->about->check_count; j++) {
            enum validate_verdict verdict = row->checks[j].verdict;

            if (verdict == VALIDATE_FAIL || verdict == VALIDATE_NOT_MEASURED ||
                (strict && verdict == VALIDATE_DIFFERS))
                return false;
        }
    }
    return true;
}
