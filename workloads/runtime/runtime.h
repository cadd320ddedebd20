/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_RUNTIME_RUNTIME_H
#define HVSIM_WORKLOADS_RUNTIME_RUNTIME_H

/**
 * The start of every guest: boot.S enters runtime_main() on the first
 * processor, which sets everything up and calls the guest's own program.
 */

#include <stdint.h>

/** Entered by boot.S with the loader's EAX and EBX. */
_Noreturn void runtime_main(uint32_t magic, uint32_t info);

/** Each guest defines this one. Runs on the first processor with interrupts
 *  on; when it returns, that processor idles for ever. */
void guest_main(void);

#endif
