/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_CODE_DENSITY_H
#define HVSIM_CPU_CODE_DENSITY_H

/**
 * Finds pages of code that Unicorn cannot translate: for some instructions it
 * leaks temporaries, and crashes, in 2.1.1 and 2.1.4, when there are too many
 * in one block (233 x87 instructions, fewer PUSHFs). A guest must not be able
 * to do that, so such pages are run in small pieces (engine_step.c). Pure over
 * the page's bytes. The list of such instructions is by experiment.
 */

#include "cpu/decode.h"

/** True if from any byte of the page, in any mode, a straight line leads
 *  through CODE_DENSITY_LEAKY_MAX leaky instructions or more. */
bool code_density_is_high(struct decoder *decoder, const uint8_t *page);

#define CODE_DENSITY_LEAKY_MAX 100

#endif
