/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_HYPERVISOR_FAKE_ENGINE_H
#define HVSIM_TESTS_HYPERVISOR_FAKE_ENGINE_H

/**
 * An engine that executes nothing: registers that can be set and read, and a
 * record of what the hypervisor asked for. Linked in place of cpu/engine*.c,
 * so that tests of the hypervisor need no emulator.
 */

#include "cpu/engine.h"

struct engine {
    struct x86_state state;
    uint8_t xmm[16][16];
    struct engine_host host;
    struct slat_root slat;
    struct engine_features features;
    uint64_t tsc_offset;
    bool window_wanted;
    bool apic_on;
    gpa_t apic_page;
    uint32_t intercepted_vectors;
    uint8_t code[16]; /* what engine_fetch() finds */

    /* How often, and with what the last time. */
    unsigned flushes;
    bool kept_global;
    unsigned page_flushes;
    gva_t flushed_page;
    unsigned skips;
    unsigned nmis;
    unsigned resets;
    unsigned interrupts;
    uint8_t interrupt_vector;
    unsigned exceptions;
    uint8_t exception_vector;
    bool exception_has_error_code;
    uint32_t exception_error_code;
};

#endif
