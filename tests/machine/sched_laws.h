/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_MACHINE_SCHED_LAWS_H
#define HVSIM_TESTS_MACHINE_SCHED_LAWS_H

/**
 * What every scheduling policy must keep to, as judges that know a story
 * (sched_story.h) and nothing of how policies work. Each judge writes the
 * first thing that is wrong, with its time, and returns false.
 */

#include "tests/machine/sched_story.h"

#define LAW_TEXT_BYTES 256

struct sched_law {
    const char *name; /* as a sentence */
    bool (*holds)(const struct story *story, char text[LAW_TEXT_BYTES]);
};

/** The most that switching to a VP takes, an idle LP's waking included; and
 *  what one intercept takes, or the cold caches of another LP, by which a VP
 *  leaves late. */
#define LAW_SWITCH_MOST 32000
#define LAW_INTERCEPT_MOST 40000
/** The most that an expired timer of a VP takes, its interrupt included. */
#define LAW_EXPIRY_MOST 1000
/** The most that one step of the root's work takes. */
#define LAW_ROOT_STEP_MOST 2000000

bool law_one_lp_at_a_time(const struct story *story, char *text);
bool law_only_where_allowed(const struct story *story, char *text);
bool law_no_lp_idles_in_vain(const struct story *story, char *text);
bool law_limits(const struct story *story, char *text);
bool law_group_caps(const struct story *story, char *text);
bool law_waits_add_up(const struct story *story, char *text);
bool law_nobody_starves(const struct story *story, char *text);
bool law_lps_lose_no_time(const struct story *story, char *text);
bool law_one_vm_on_a_core(const struct story *story, char *text);

/** All of them but the last, which is the policy "core"'s alone; ends with a
 *  NULL name. */
extern const struct sched_law sched_laws[];

#endif
