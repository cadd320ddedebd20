/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_FAIR_SHARE_PRIVATE_H
#define HVSIM_HYPERVISOR_FAIR_SHARE_PRIVATE_H

/** Shared by fair_share.c (who waits where, and what it has used) and
 *  fair_share_choice.c (who goes next, and for how long). */

#include <stddef.h>

#include "hypervisor/fair_share.h"

#define FAIR_SHARE_WEIGHT_MAX 10000

/** Whose `local` that is: by where it stands, without a look at it. */
static inline struct fair_entity *
fair_share_entity_of(const struct run_entry *local)
{
    return (struct fair_entity *)((char *)(uintptr_t)local -
                                  offsetof(struct fair_entity, local));
}

/** Where the first stands of those that wait at the seat. */
static inline run_mark_t fair_share_local_mark(const struct fair_seat *seat)
{
    run_mark_t least = run_list_first_mark(&seat->own);

    for (const struct fair_cell *cell = seat->cells; cell; cell = cell->next) {
        run_mark_t mark = run_list_first_mark(&cell->list);

        least = mark < least ? mark : least;
    }
    return least;
}

#endif
