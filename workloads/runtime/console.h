/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_RUNTIME_CONSOLE_H
#define HVSIM_WORKLOADS_RUNTIME_CONSOLE_H

/**
 * The guest's only voice and ear: a 16550 UART on COM1 (I/O ports 0x3f8..0x3ff),
 * driven by polling. Lines of several processors do not mix: one call of
 * console_printf() is written as a whole.
 */

#include <stdarg.h>
#include <stddef.h>

/** 115200 8N1, FIFOs on. To be called once, before anything is printed. */
void console_init(void);

/**
 * Understands %d %u %x %c %s %p %% with the length `l` and a width with or
 * without leading zero. A "\n" goes out as it is.
 */
void console_printf(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

void console_vprintf(const char *format, va_list arguments)
    __attribute__((format(printf, 1, 0)));

/** The next byte that was typed, 0 to 255; -1 if there is none yet. What is
 *  typed waits for that, first in the UART and then on the line. */
int console_read(void);

/** Writes at most `size` bytes including the final NUL; returns the length
 *  written without it. */
size_t console_format(char *text, size_t size, const char *format,
                      va_list arguments) __attribute__((format(printf, 3, 0)));

#endif
