/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_SCENARIO_LP_LIST_H
#define HVSIM_SIM_SCENARIO_LP_LIST_H

/** A set of logical processors as people write it: "0-3,6", and back. */

#include <stddef.h>

#include "hypervisor/lp_set.h"

/** Adds the LPs that `text` lists to `*lps`. What is wrong with it, to follow
 *  the quoted text ("is not a list ..."), or NULL. */
const char *lp_list_parse(const char *text, struct lp_set *lps);

/* At most: pairs with one LP between them, "100-101,103-104,...". */
#define LP_LIST_TEXT_BYTES (LP_COUNT_MAX * 3)

/** Writes the set so that lp_list_parse() gives it back; "" for none. */
void lp_list_print(const struct lp_set *lps,
                   char text[static LP_LIST_TEXT_BYTES]);

#endif
