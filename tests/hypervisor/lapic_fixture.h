/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_HYPERVISOR_LAPIC_FIXTURE_H
#define HVSIM_TESTS_HYPERVISOR_LAPIC_FIXTURE_H

/**
 * What tests of the local APIC share: the ways by which the guest on VP 0 of
 * the fake world reaches its own.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/hypervisor/fake_world.h"

#define APIC_BASE 0x1bu
#define TSC_DEADLINE 0x6e0u
#define HV_EOI 0x40000070u
#define HV_ICR 0x40000071u
#define HV_TPR 0x40000072u

#define DIVIDE_BY_1 0xbu
#define PERIODIC 0x20000u
#define DEADLINE 0x40000u
#define MASKED 0x10000u

/** For cmocka: *state is a struct fake_world. */
#define ON_LAPIC(name)                                                         \
    cmocka_unit_test_setup_teardown(name, fake_world_setup, fake_world_teardown)

static inline struct lapic *lapic_of(struct fake_world *world, unsigned vp)
{
    return &world->vps[vp].lapic;
}

static inline uint32_t mmio(struct fake_world *world, uint32_t offset)
{
    return lapic_mmio_read(&world->context, lapic_of(world, 0), offset, 4);
}

static inline void set_mmio(struct fake_world *world, uint32_t offset,
                            uint32_t value)
{
    lapic_mmio_write(&world->context, lapic_of(world, 0), offset, 4, value);
}

static inline bool rdmsr(struct fake_world *world, uint32_t index,
                         uint64_t *value)
{
    return lapic_msr_read(&world->context, lapic_of(world, 0), index, value);
}

static inline bool wrmsr(struct fake_world *world, uint32_t index,
                         uint64_t value)
{
    return lapic_msr_write(&world->context, lapic_of(world, 0), index, value);
}

static inline void all_to_x2apic(struct fake_world *world)
{
    for (unsigned i = 0; i < FAKE_VP_COUNT; i++) {
        struct lapic *lapic = lapic_of(world, i);

        assert_true(lapic_msr_write(&world->context, lapic, APIC_BASE,
                                    lapic->base_msr | 0x400));
    }
}

static inline void enable_all(struct fake_world *world)
{
    for (unsigned i = 0; i < FAKE_VP_COUNT; i++)
        fake_enable_lapic(&world->vps[i]);
}

static inline bool pend(struct fake_world *world, uint8_t vector)
{
    return lapic_set_irr(lapic_of(world, 0), vector, false, false);
}

#endif
