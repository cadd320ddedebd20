/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A comparison as CSV and JSON: what the view summary has, and in JSON also
 * what it rests on. Values are in the unit of their metric, and exact. */
#include <inttypes.h>

#include "sim/compare/compare.h"
#include "sim/text/encode.h"

/* CSV */

static void put_optional(FILE *out, bool known, double value)
{
    putc(',', out);
    if (known)
        encode_real(out, value);
}

static void put_row(const struct comparison *comparison, size_t metric,
                    size_t variant, FILE *out)
{
    const struct compare_metric *about = &comparison->metrics[metric];
    const struct compare_cell *cell = compare_cell(comparison, metric, variant);
    const struct stats_estimate *mean = &cell->mean;
    const struct stats_estimate *difference = &cell->difference;

    encode_csv(out, about->name);
    putc(',', out);
    encode_csv(out, about->unit);
    fprintf(out, ",%s,%zu,", compare_better_name(about->better), variant + 1);
    encode_csv(out, comparison->variants[variant].label);
    fprintf(out, ",%zu", mean->count);
    put_optional(out, mean->count >= 1, mean->mean);
    put_optional(out, mean->count >= 2, mean->half);
    put_optional(out, difference->count >= 1, difference->mean);
    put_optional(out, difference->count >= 2, difference->half);
    fprintf(out, ",%s,%s\r\n",
            difference->count < 2                 ? ""
            : stats_differs_from_zero(difference) ? "1"
                                                  : "0",
            compare_mark_name(cell->mark));
}

void compare_print_csv(const struct comparison *comparison, FILE *out)
{
    fputs("metric,unit,better,variant,label,seeds,mean,half_interval,"
          "difference,difference_half_interval,differs,mark\r\n",
          out);
    for (size_t metric = 0; metric < comparison->metric_count; metric++)
        for (size_t i = 0; i < comparison->variant_count; i++)
            put_row(comparison, comparison->order[metric], i, out);
}

/* JSON */

static void put_text(FILE *out, const char *key, const char *text)
{
    fprintf(out, "\"%s\": ", key);
    if (text != NULL && *text != '\0')
        encode_json(out, text);
    else
        fputs("null", out);
}

static void put_real(FILE *out, const char *key, bool known, double value)
{
    fprintf(out, "\"%s\": ", key);
    if (known)
        encode_real(out, value);
    else
        fputs("null", out);
}

static void put_parameters(const struct compare_variant *variant, FILE *out)
{
    fputs("\"parameters\": {", out);
    for (size_t i = 0; i < variant->parameter_count; i++) {
        fputs(i > 0 ? ", " : "", out);
        encode_json(out, variant->parameters[i].path);
        fputs(": ", out);
        encode_json(out, variant->parameters[i].value);
    }
    fputs("}", out);
}

static void put_variant(const struct compare_variant *variant, FILE *out)
{
    fputs("  {", out);
    put_text(out, "label", variant->label);
    fputs(", ", out);
    put_parameters(variant, out);
    fputs(", \"runs\": [", out);
    for (size_t i = 0; i < variant->run_count; i++) {
        const struct compare_run *run = &variant->runs[i];

        /* 2^53 and beyond are no numbers of JSON's that all readers keep. */
        fprintf(out, "%s\n    {\"seed\": \"%" PRIu64 "\", ", i > 0 ? "," : "",
                run->seed);
        put_text(out, "file", run->file);
        fputs(", ", out);
        put_text(out, "failure", run->failure);
        fputs("}", out);
    }
    fputs("]}", out);
}

static void put_values(const struct compare_variant *variant, size_t metric,
                       FILE *out)
{
    fputs("\"values\": [", out);
    for (size_t i = 0; i < variant->run_count; i++) {
        const struct compare_run *run = &variant->runs[i];

        fputs(i > 0 ? ", " : "", out);
        if (metric < run->value_count && run->values[metric].known)
            encode_real(out, run->values[metric].value);
        else
            fputs("null", out);
    }
    fputs("]", out);
}

static void put_cell(const struct comparison *comparison, size_t metric,
                     size_t variant, FILE *out)
{
    const struct compare_cell *cell = compare_cell(comparison, metric, variant);
    const struct stats_estimate *mean = &cell->mean;
    const struct stats_estimate *difference = &cell->difference;

    fprintf(out, "\n    {\"variant\": %zu, \"seeds\": %zu, ", variant + 1,
            mean->count);
    put_real(out, "mean", mean->count >= 1, mean->mean);
    fputs(", ", out);
    put_real(out, "half_interval", mean->count >= 2, mean->half);
    fputs(", ", out);
    put_real(out, "difference", difference->count >= 1, difference->mean);
    fputs(", ", out);
    put_real(out, "difference_half_interval", difference->count >= 2,
             difference->half);
    fprintf(out, ", \"differs\": %s, ",
            difference->count < 2                 ? "null"
            : stats_differs_from_zero(difference) ? "true"
                                                  : "false");
    put_text(out, "mark", compare_mark_name(cell->mark));
    fputs(", ", out);
    put_values(&comparison->variants[variant], metric, out);
    fputs("}", out);
}

static void put_metric(const struct comparison *comparison, size_t index,
                       FILE *out)
{
    const struct compare_metric *metric = &comparison->metrics[index];

    fputs("  {", out);
    put_text(out, "metric", metric->name);
    fputs(", ", out);
    put_text(out, "unit", metric->unit);
    fputs(", ", out);
    put_text(out, "better", compare_better_name(metric->better));
    fputs(", \"summary\": [", out);
    for (size_t i = 0; i < comparison->variant_count; i++) {
        fputs(i > 0 ? "," : "", out);
        put_cell(comparison, index, i, out);
    }
    fputs("]}", out);
}

void compare_print_json(const struct comparison *comparison, FILE *out)
{
    fputs("{\"name\": ", out);
    encode_json(out, comparison->name);
    fprintf(out, ", \"baseline\": %zu, \"confidence\": 0.95,\n",
            comparison->baseline + 1);
    fputs("\"variants\": [\n", out);
    for (size_t i = 0; i < comparison->variant_count; i++) {
        fputs(i > 0 ? ",\n" : "", out);
        put_variant(&comparison->variants[i], out);
    }
    fputs("],\n\"metrics\": [\n", out);
    for (size_t i = 0; i < comparison->metric_count; i++) {
        fputs(i > 0 ? ",\n" : "", out);
        put_metric(comparison, comparison->order[i], out);
    }
    fputs("]}\n", out);
}
