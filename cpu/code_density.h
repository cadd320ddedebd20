/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_CODE_DENSITY_H
#define HVSIM_CPU_CODE_DENSITY_H

/**
 * Finds code on which Unicorn would take the process down, before Unicorn sees
 * it. Pure over the bytes of a page. There are two kinds.
 *
 * Dense code. Some instructions leak temporaries in Unicorn's translator
 * (code_shape.h). A block may have 512 of them, of which 68 are in use without
 * leaks; and 128 places on the stack, checked by an abort, of which a leaked
 * one takes one when registers are short (110 have been seen to, with 7 more).
 * A block has at most 512 instructions and 4078 bytes, so it lies in two pages
 * at most. It is safe if no line inside a page leaks more than
 * CODE_DENSITY_LEAK_MAX, and none that comes from another page, or goes on into
 * one, more than half of it; 2 * 4 more are for the instructions that cross.
 * Pages that have such a line are run in small pieces (engine_step.c).
 *
 * Fatal instructions, code_shape_is_fatal(). Only a byte that no fetch may see
 * helps: these are replaced by traps (code_pages.h), which end as #UD.
 */

#include "cpu/code_shape.h"

#define CODE_DENSITY_LEAK_MAX 104

/** True if from any byte of the page, in any mode, a straight line leaks more
 *  than that. */
bool code_density_is_high(const uint8_t page[PAGE_BYTES]);

/** The offset of the first byte at or behind `from` where a fatal instruction
 *  begins, or may begin that runs into the next page; PAGE_BYTES if none. */
uint32_t code_density_next_fatal(const uint8_t page[PAGE_BYTES], uint32_t from);

#endif
