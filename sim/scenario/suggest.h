/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_SCENARIO_SUGGEST_H
#define HVSIM_SIM_SCENARIO_SUGGEST_H

/**
 * "Did you mean ...?": which of the words that would have been right is
 * nearest to the one that was written.
 */

#include <stddef.h>

/** Words longer than this are nobody's typing error. */
#define SUGGEST_WORD_BYTES_MAX 64

/** Best so far; zero-initialise, offer the candidates, read `word`. */
struct suggestion {
    const char *word; /* borrowed from the candidates; NULL: nothing near */
    size_t distance;
};

/**
 * Offers `candidate` for the misspelt `written`. The nearest wins by the
 * number of letters added, left out, changed or swapped with their neighbour;
 * the first of equals. Case, '-' and '_' do not count. A word that differs in
 * more than a third of its letters is not near, unless all that was written,
 * at least four letters, stands in it as it is.
 */
void suggest_offer(struct suggestion *best, const char *written,
                   const char *candidate);

#endif
