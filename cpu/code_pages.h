/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_CODE_PAGES_H
#define HVSIM_CPU_CODE_PAGES_H

/**
 * Which SPA pages hold translated code, for all engines over one arena:
 * software "write xor execute". The emulator detects a store to code only
 * through the address that the code was translated at; aliases, other engines
 * and host stores leave it with stale translations. So no page is ever
 * writable and executable at once in any engine's TLB:
 *
 *   DATA   may be mapped writable, by anyone; no engine has blocks of it
 *   CODE   may be mapped executable, by anyone, and is writable nowhere
 *
 * An engine's *epoch* is the number of its TLB flushes: what was mapped in an
 * earlier epoch is gone from its TLB. Epochs are kept modulo 2^16; a false
 * match costs a needless flush.
 *
 * A CODE page may have a *copy* with traps: the page as fetched, with INT3 in
 * place of the first byte of instructions that the emulator would execute
 * without asking (IN, OUT, RDRAND and their like). Fetches go to the copy,
 * loads to the page. The copy goes when the page becomes DATA.
 */

#include <stddef.h>

#include "sim/core/types.h"

struct code_pages;

/** Engines are numbered from 1. */
#define CODE_PAGES_NOBODY 0
#define CODE_PAGES_EVERYBODY UINT16_MAX

/** How the table reaches the engines. `engine` may be EVERYBODY. */
struct code_pages_ops {
    /** Forget the blocks translated from the page at `page` (an SPA of the
     *  arena, or of a copy). */
    void (*forget_blocks)(void *context, uint16_t engine, spa_t page);
    /** Flush the engine's TLB if it is still in `epoch` (for EVERYBODY: in
     *  any case) before it executes or accesses anything further. */
    void (*forget_mappings)(void *context, uint16_t engine, uint16_t epoch);
};

/** For an arena of `bytes`; NULL if there is not enough memory. The caller
 *  owns it. Costs 16 bytes a page, and only for pages that were executed or
 *  written. */
struct code_pages *code_pages_create(uint64_t bytes);
void code_pages_free(struct code_pages *code);

/** Connects the engines; `context` is borrowed until replaced by NULL. */
void code_pages_attach(struct code_pages *code,
                       const struct code_pages_ops *ops, void *context);

/** Makes the page CODE: writable mappings go, which may end an epoch. */
void code_pages_to_code(struct code_pages *code, spa_t page);

/** What code_density.h says of a page, remembered for as long as it is CODE. */
enum code_density {
    CODE_DENSITY_UNKNOWN,
    CODE_DENSITY_USUAL,
    CODE_DENSITY_HIGH,
};
enum code_density code_pages_density(const struct code_pages *code, spa_t page);
void code_pages_set_density(struct code_pages *code, spa_t page,
                            enum code_density density);

/**
 * `engine`, in `epoch`, maps the page executable: it is CODE by now. Returns
 * the SPA to fetch from: the page itself or its copy.
 */
spa_t code_pages_map_executable(struct code_pages *code, spa_t page,
                                uint16_t engine, uint16_t epoch);

/** `engine` wants to map the page writable. False if it is CODE: then
 *  code_pages_to_data() first. */
bool code_pages_map_writable(struct code_pages *code, spa_t page,
                             uint16_t engine, uint16_t epoch);

bool code_pages_is_code(const struct code_pages *code, spa_t page);

/** Makes the page DATA: blocks, executable mappings and the copy go. */
void code_pages_to_data(struct code_pages *code, spa_t page);

/** A store by anything but an engine's own instructions is about to happen. */
void code_pages_before_store(struct code_pages *code, spa_t at, uint64_t bytes);

/** Changes whenever the page's bytes, or its traps, may have changed since it
 *  was last CODE. */
uint32_t code_pages_version(const struct code_pages *code, spa_t page);

/**
 * Puts a trap at `at` in the copy of its page (made now if there is none),
 * which is CODE. `bytes` are the page's. False if there is no room for one
 * more copy.
 */
bool code_pages_trap(struct code_pages *code, spa_t at,
                     const uint8_t bytes[PAGE_BYTES]);

/** True if there is a trap in the copy at `at`. */
bool code_pages_is_trap(const struct code_pages *code, spa_t at);

/** True if the page has a copy at all: a quick test. */
bool code_pages_has_traps(const struct code_pages *code, spa_t page);

/** The memory of all copies, to be mapped by each engine at CODE_COPIES_SPA. */
void *code_pages_copies(const struct code_pages *code);

#define CODE_COPIES_SPA (UINT64_C(1) << 46)
#define CODE_COPIES_BYTES (UINT64_C(128) << 20)

#endif
