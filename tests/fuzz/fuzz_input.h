/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_FUZZ_FUZZ_INPUT_H
#define HVSIM_TESTS_FUZZ_FUZZ_INPUT_H

/**
 * A fuzzer's input, taken piece by piece; behind its end there are zeroes. Two
 * pieces are not to be taken in one expression: compilers differ about which
 * comes first, and a corpus is to mean the same to all.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct fuzz_input {
    const uint8_t *data;
    size_t bytes;
};

static inline void fuzz_input_take(struct fuzz_input *input, void *to,
                                   size_t bytes)
{
    size_t taken = input->bytes < bytes ? input->bytes : bytes;

    if (bytes > 0)
        memset(to, 0, bytes);
    if (taken > 0)
        memcpy(to, input->data, taken);
    input->data += taken;
    input->bytes -= taken;
}

static inline uint8_t fuzz_input_byte(struct fuzz_input *input)
{
    uint8_t byte;

    fuzz_input_take(input, &byte, 1);
    return byte;
}

#endif
