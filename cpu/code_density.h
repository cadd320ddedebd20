/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_CODE_DENSITY_H
#define HVSIM_CPU_CODE_DENSITY_H

/**
 * Finds code on which Unicorn would take the process down, before Unicorn sees
 * it. Pure over the bytes of a page. There are two kinds.
 *
 * Dense code. Unicorn's translator has a table of 512 temporaries for each
 * block and no check of its bound. 36 are registers, 16 are taken at the start
 * of a block, and an instruction needs up to 16 for a while; some instructions
 * leak (code_shape.h), so that 222 x87 instructions, or 222 PUSHFs, in a line
 * are too many. A block has at most 512 instructions and 4078 bytes, and lies
 * in two pages at most; so it is safe if no line in any page leaks more than
 * CODE_DENSITY_LEAK_MAX: 36 + 16 + 16 + 2 * (200 + 4) <= 512, with 4 for an
 * instruction that crosses the end of its page. Pages that have such a line
 * are run in small pieces (engine_step.c).
 *
 * Fatal instructions, code_shape_is_fatal(). Only a byte that no fetch may see
 * helps: these are replaced by traps (code_pages.h), which end as #UD.
 */

#include "cpu/code_shape.h"

#define CODE_DENSITY_LEAK_MAX 200

/** True if from any byte of the page, in any mode, a straight line inside the
 *  page leaks more than CODE_DENSITY_LEAK_MAX. */
bool code_density_is_high(const uint8_t page[PAGE_BYTES]);

/** The offset of the first byte at or behind `from` where a fatal instruction
 *  begins, or may begin that runs into the next page; PAGE_BYTES if none. */
uint32_t code_density_next_fatal(const uint8_t page[PAGE_BYTES], uint32_t from);

#endif
