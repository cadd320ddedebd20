/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_CPU_MMU_WALK_H
#define HVSIM_TESTS_CPU_MMU_WALK_H

/** A walk and all that it says, for tests of page walks. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cpu/x86.h"
#include "tests/cpu/tables.h"

#define PAGE UINT64_C(0xffff888000123000)
#define TARGET UINT64_C(0x400000)
#define ALL (PTE_P | PTE_W | PTE_U)

/* What a walk gave; the fault's fields are 0 where there was none. */
struct outcome {
    enum mmu_result result;
    struct mmu_translation page;
    struct mmu_fault fault;
};

static inline struct outcome walk(const struct tables *tables, uint64_t at,
                                  enum mmu_access access)
{
    struct outcome outcome;

    outcome.result = mmu_translate(&tables->context, gva(at), access,
                                   &outcome.page, &outcome.fault);
    return outcome;
}

static inline void assert_reaches(const struct tables *tables, uint64_t at,
                                  enum mmu_access access, uint64_t page)
{
    struct outcome outcome = walk(tables, at, access);

    assert_int_equal(outcome.result, MMU_OK);
    assert_int_equal(outcome.page.gpa.raw, page);
    assert_int_equal(outcome.page.spa.raw, TABLES_GUEST_SPA + page);
}

static inline void assert_page_fault(const struct tables *tables, uint64_t at,
                                     enum mmu_access access, uint32_t code)
{
    struct outcome outcome = walk(tables, at, access);

    assert_int_equal(outcome.result, MMU_PAGE_FAULT);
    assert_int_equal(outcome.fault.error_code, code);
}

#endif
