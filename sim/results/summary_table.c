/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/results/summary_table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"

#define GAP 2 /* blanks between columns */
#define FIRST_WIDTH_MIN 12

struct summary_table {
    unsigned columns;
    char **cells; /* owned, row by row */
    size_t count;
    size_t capacity;
};

struct summary_table *summary_table_create(unsigned columns)
{
    struct summary_table *table = calloc(1, sizeof(*table));

    CHECK(table != NULL && columns >= 1);
    table->columns = columns;
    return table;
}

void summary_table_free(struct summary_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
}

void summary_table_add(struct summary_table *table, const char *format, ...)
{
    va_list arguments;

    if (table->count == table->capacity) {
        table->capacity = table->capacity * 2 + 16;
        table->cells =
            realloc(table->cells, table->capacity * sizeof(*table->cells));
        CHECK(table->cells != NULL);
    }
    va_start(arguments, format);
    CHECK(vasprintf(&table->cells[table->count], format, arguments) >= 0);
    va_end(arguments);
    table->count++;
}

static unsigned column_width(const struct summary_table *table, unsigned column)
{
    size_t width = 0;

    for (size_t i = column; i < table->count; i += table->columns)
        if (strlen(table->cells[i]) > width)
            width = strlen(table->cells[i]);
    return (unsigned)width;
}

unsigned summary_table_width(const struct summary_table *table)
{
    unsigned width = GAP * (table->columns - 1);

    for (unsigned i = 0; i < table->columns; i++)
        width += column_width(table, i);
    return width;
}

static unsigned first_width(const struct summary_table *table, unsigned width)
{
    unsigned wanted = column_width(table, 0);
    unsigned others = summary_table_width(table) - wanted;

    if (width == 0 || wanted + others <= width || wanted <= FIRST_WIDTH_MIN)
        return wanted;
    if (others + FIRST_WIDTH_MIN >= width)
        return FIRST_WIDTH_MIN;
    return width - others;
}

static void print_first(FILE *out, const char *text, unsigned width)
{
    if (strlen(text) <= width)
        fprintf(out, "%-*s", (int)width, text);
    else
        fprintf(out, "%.*s~", (int)width - 1, text);
}

void summary_table_print(const struct summary_table *table, FILE *out,
                         unsigned width)
{
    unsigned first = first_width(table, width);

    for (size_t row = 0; row + table->columns <= table->count;
         row += table->columns) {
        print_first(out, table->cells[row], first);
        for (unsigned i = 1; i < table->columns; i++)
            fprintf(out, "%*s", (int)(column_width(table, i) + GAP),
                    table->cells[row + i]);
        putc('\n', out);
    }
}
