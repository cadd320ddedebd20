/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/scenario/suggest.h"

#include <string.h>

#include "sim/core/types.h"

#define PART_BYTES_MIN 4

static char fold(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    if (c == '-')
        return '_';
    return c;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/**
 * Optimal string alignment distance (Levenshtein with swaps of neighbours), by
 * the usual table of which only the last three rows are kept.
 */
static size_t distance(const char *a, size_t a_bytes, const char *b,
                       size_t b_bytes)
{
    size_t rows[3][SUGGEST_WORD_BYTES_MAX + 1];

    for (size_t j = 0; j <= b_bytes; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_bytes; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            bool same = fold(a[i - 1]) == fold(b[j - 1]);

            row[j] =
                least(least(above[j], row[j - 1]) + 1, above[j - 1] + !same);
            if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
                fold(a[i - 2]) == fold(b[j - 1]))
                row[j] = least(row[j], rows[(i - 2) % 3][j - 2] + 1);
        }
    }
    return rows[a_bytes % 3][b_bytes];
}

/** Whether `part`, which is long enough to mean something, is in `whole`. */
static bool contains(const char *whole, size_t whole_bytes, const char *part,
                     size_t part_bytes)
{
    if (part_bytes < PART_BYTES_MIN)
        return false;
    for (size_t at = 0; at + part_bytes <= whole_bytes; at++) {
        size_t same = 0;

        while (same < part_bytes && fold(whole[at + same]) == fold(part[same]))
            same++;
        if (same == part_bytes)
            return true;
    }
    return false;
}

void suggest_offer(struct suggestion *best, const char *written,
                   const char *candidate)
{
    size_t written_bytes = strlen(written);
    size_t candidate_bytes = strlen(candidate);

    if (written_bytes > SUGGEST_WORD_BYTES_MAX ||
        candidate_bytes > SUGGEST_WORD_BYTES_MAX)
        return;

    size_t far = distance(written, written_bytes, candidate, candidate_bytes);

    /* One letter is forgiven in words of two, not in a word of one. */
    if (far > 0 && far > (candidate_bytes + 1) / 3 &&
        !contains(candidate, candidate_bytes, written, written_bytes))
        return;
    if (!best->word || far < best->distance)
        *best = (struct suggestion){candidate, far};
}
