/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/validate.h"
#include "sim/core/check.h"
#include "sim/results/summary_table.h"
#include "sim/text/encode.h"
#include "sim/text/text.h"

#define INDENT 4
#define BOUNDS_BYTES 96

const char *validate_verdict_name(enum validate_verdict verdict)
{
    switch (verdict) {
    case VALIDATE_PASS:
        return "pass";
    case VALIDATE_FAIL:
        return "FAIL";
    case VALIDATE_AGREES:
        return "agrees";
    case VALIDATE_DIFFERS:
        return "differs";
    case VALIDATE_NOT_MEASURED:
        break;
    }
    return "not measured";
}

bool validate_find_format(const char *name, enum validate_format *format)
{
    static const char *const names[] = {
        [VALIDATE_TEXT] = "text",
        [VALIDATE_JSON] = "json",
        [VALIDATE_CSV] = "csv",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            *format = (enum validate_format)i;
            return true;
        }
    }
    return false;
}

/* Text */

/** "9 to 11", "at least 75", "at most 1" */
static void describe_bounds(const struct scenario_validation_check *about,
                            char bounds[static BOUNDS_BYTES])
{
    if (!*about->to)
        snprintf(bounds, BOUNDS_BYTES, "at least %s", about->from);
    else if (!*about->from)
        snprintf(bounds, BOUNDS_BYTES, "at most %s", about->to);
    else if (strcmp(about->from, about->to) == 0)
        snprintf(bounds, BOUNDS_BYTES, "%s", about->to);
    else
        snprintf(bounds, BOUNDS_BYTES, "%s to %s", about->from, about->to);
}

/** `head` and then `text`, which came from outside, fit for a terminal. The
 *  caller frees it. */
static char *clean(const char *head, const char *text)
{
    char *line = NULL;
    size_t bytes;
    FILE *out = open_memstream(&line, &bytes);

    CHECK(out);
    fputs(head, out);
    text_print(out, text);
    CHECK(fclose(out) == 0);
    return line;
}

static void print_paragraph(const char *head, const char *text, FILE *out)
{
    char *line = clean(head, text);

    if (*text != '\0')
        text_print_wrapped(out, line, INDENT);
    free(line);
}

static void print_fitted(const struct validate_row *row, FILE *out)
{
    if (validate_is_definitional(row))
        return;
    print_paragraph("Fitted: ",
                    *row->about->fitted ? row->about->fitted
                                        : "nothing; this is a prediction.",
                    out);
}

static void add_check(struct summary_table *table,
                      const struct validate_check *check)
{
    const struct scenario_validation_check *about = check->about;
    char bounds[BOUNDS_BYTES];
    char *name = clean("", *about->name ? about->name : "measured");
    char *unit = clean("", about->unit);

    describe_bounds(about, bounds);
    summary_table_add(table, "%*s%s", INDENT, "", name);
    if (check->verdict == VALIDATE_NOT_MEASURED)
        summary_table_add(table, "-");
    else
        summary_table_add(table, "%.5g", check->value);
    summary_table_add(table, "%s", unit);
    summary_table_add(table, "%s", *about->published ? about->published : "-");
    summary_table_add(table, "%s", bounds);
    summary_table_add(table, "%s", validate_verdict_name(check->verdict));
    free(name);
    free(unit);
}

/** Which figure there is not, where it has a name, and why. */
static void print_failure(const struct validate_check *check, FILE *out)
{
    if (!check->failure)
        return;
    fprintf(out, "%*snot measured: ", INDENT, "");
    if (*check->about->name) {
        text_print(out, check->about->name);
        fputs(": ", out);
    }
    text_print(out, check->failure);
    fputc('\n', out);
}

static void print_checks(const struct validate_row *row, FILE *out)
{
    struct summary_table *table = summary_table_create(6);

    summary_table_add(table, "%*sfigure", INDENT, "");
    summary_table_add(table, "measured");
    summary_table_add(table, "unit");
    summary_table_add(table, "published");
    summary_table_add(table, "expected");
    summary_table_add(table, "verdict");
    for (size_t i = 0; i < row->about->check_count; i++)
        add_check(table, &row->checks[i]);
    summary_table_print(table, out, 0);
    summary_table_free(table);
    for (size_t i = 0; i < row->about->check_count; i++)
        print_failure(&row->checks[i], out);
}

static void print_row(const struct validate_row *row, FILE *out)
{
    fprintf(out, "Row %" PRIu32 ", %s\n", row->about->row, row->about->kind);
    print_paragraph("", row->about->statement, out);
    print_paragraph("Source: ", row->about->source, out);
    print_fitted(row, out);
    print_paragraph("Note: ", row->about->note, out);
    print_checks(row, out);
    fputc('\n', out);
}

/** The worst verdict on a row is the row's. */
static enum validate_verdict judge_row(const struct validate_row *row)
{
    enum validate_verdict worst = row->checks[0].verdict;

    for (size_t i = 1; i < row->about->check_count; i++) {
        if (row->checks[i].verdict > worst)
            worst = row->checks[i].verdict;
    }
    return worst;
}

/** "Calibration: 3 agree, 1 differs (rows 9, 11)" */
static void print_tally(const struct validation *validation,
                        enum validate_verdict verdict, const char *what,
                        FILE *out)
{
    unsigned count = 0;

    for (size_t i = 0; i < validation->row_count; i++) {
        const struct validate_row *row = &validation->rows[i];

        if (judge_row(row) == verdict)
            fprintf(out, "%s%" PRIu32, count++ ? ", " : what, row->about->row);
    }
    if (count > 0)
        fputc('\n', out);
}

static void print_text(const struct validation *validation, FILE *out)
{
    for (size_t i = 0; i < validation->row_count; i++)
        print_row(&validation->rows[i], out);
    print_tally(validation, VALIDATE_PASS, "Definitional, pass:    ", out);
    print_tally(validation, VALIDATE_FAIL, "Definitional, FAIL:    ", out);
    print_tally(validation, VALIDATE_AGREES, "Calibration, agree:    ", out);
    print_tally(validation, VALIDATE_DIFFERS, "Calibration, differ:   ", out);
    print_tally(validation, VALIDATE_NOT_MEASURED,
                "Not measured:          ", out);
}

/* For programs */

static void print_json_member(const char *name, const char *text, FILE *out)
{
    fprintf(out, "\"%s\": ", name);
    encode_json(out, text);
    fprintf(out, ", ");
}

/** A number as the scenario has it, or null. */
static void print_json_number(const char *name, const char *number, FILE *out)
{
    fprintf(out, "\"%s\": ", name);
    if (*number)
        encode_real(out, strtod(number, NULL));
    else
        fprintf(out, "null");
    fprintf(out, ", ");
}

static void print_json_check(const struct validate_check *check, FILE *out)
{
    fprintf(out, "{");
    print_json_member("name", check->about->name, out);
    print_json_member("unit", check->about->unit, out);
    print_json_number("published", check->about->published, out);
    print_json_number("from", check->about->from, out);
    print_json_number("to", check->about->to, out);
    fprintf(out, "\"measured\": ");
    if (check->verdict == VALIDATE_NOT_MEASURED)
        fprintf(out, "null");
    else
        encode_real(out, check->value);
    fprintf(out, ", ");
    if (check->failure)
        print_json_member("failure", check->failure, out);
    fprintf(out, "\"verdict\": \"%s\"}", validate_verdict_name(check->verdict));
}

static void print_json(const struct validation *validation, FILE *out)
{
    fprintf(out, "[");
    for (size_t i = 0; i < validation->row_count; i++) {
        const struct validate_row *row = &validation->rows[i];

        fprintf(out, "%s\n  {\"row\": %" PRIu32 ", ", i ? "," : "",
                row->about->row);
        print_json_member("kind", row->about->kind, out);
        print_json_member("statement", row->about->statement, out);
        print_json_member("source", row->about->source, out);
        print_json_member("fitted", row->about->fitted, out);
        print_json_member("note", row->about->note, out);
        print_json_member("file", row->file, out);
        fprintf(out, "\"checks\": [");
        for (size_t j = 0; j < row->about->check_count; j++) {
            fprintf(out, "%s\n    ", j ? "," : "");
            print_json_check(&row->checks[j], out);
        }
        fprintf(out, "]}");
    }
    fprintf(out, "\n]\n");
}

static void print_csv_check(const struct validate_row *row,
                            const struct validate_check *check, FILE *out)
{
    const char *const texts[] = {
        row->about->kind,   row->about->statement,   check->about->name,
        check->about->unit, check->about->published, check->about->from,
        check->about->to,
    };

    fprintf(out, "%" PRIu32 ",", row->about->row);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        encode_csv(out, texts[i]);
        fputc(',', out);
    }
    if (check->verdict != VALIDATE_NOT_MEASURED)
        encode_real(out, check->value);
    fprintf(out, ",%s,", validate_verdict_name(check->verdict));
    encode_csv(out, row->about->source);
    fputc(',', out);
    encode_csv(out, row->about->fitted);
    fprintf(out, "\r\n");
}

static void print_csv(const struct validation *validation, FILE *out)
{
    fprintf(out, "row,kind,statement,figure,unit,published,from,to,measured,"
                 "verdict,source,fitted\r\n");
    for (size_t i = 0; i < validation->row_count; i++) {
        const struct validate_row *row = &validation->rows[i];

        for (size_t j = 0; j < row->about->check_count; j++)
            print_csv_check(row, &row->checks[j], out);
    }
}

void validate_print(const struct validation *validation,
                    enum validate_format format, FILE *out)
{
    switch (format) {
    case VALIDATE_TEXT:
        print_text(validation, out);
        break;
    case VALIDATE_JSON:
        print_json(validation, out);
        break;
    case VALIDATE_CSV:
        print_csv(validation, out);
        break;
    }
}

void validate_print_list(const struct validation *validation, FILE *out)
{
    for (size_t i = 0; i < validation->row_count; i++) {
        const struct scenario_validation *about = validation->rows[i].about;

        fprintf(out, "%3" PRIu32 "  %-12s  ", about->row, about->kind);
        text_print(out, about->statement);
        fputc('\n', out);
    }
}
