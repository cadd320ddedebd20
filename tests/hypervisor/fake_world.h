/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_HYPERVISOR_FAKE_WORLD_H
#define HVSIM_TESTS_HYPERVISOR_FAKE_WORLD_H

/**
 * A partition with a few VPs, and its parent with two, for tests of the
 * virtual interrupt hardware. The files under test, the event queue and the
 * clock are real; VPs note what is done to them, memory is an array, a GPA is
 * its own SPA unless an overlay hides it, and engines hold one x86_state.
 */

#include "hypervisor/partition.h"
#include "hypervisor/vp.h"

#define FAKE_VP_COUNT 20
#define FAKE_PARENT_VP_COUNT 2
#define FAKE_MEMORY_BYTES (UINT64_C(1) << 20)
#define FAKE_HZ UINT64_C(2000000000)

struct fake_vp {
    unsigned interrupts, nmis, inits, startups, checks, reconsiders;
    uint8_t last_vector, startup_vector;
};

struct fake_world {
    struct hypervisor hv;
    struct arena arena;
    struct hv_partition parent, child;
    struct hv_vp vps[FAKE_VP_COUNT];
    struct hv_vp parent_vps[FAKE_PARENT_VP_COUNT];
    struct cost_bill bill;
    struct hv_context context; /* of vps[0] */
};

/** For cmocka: *state is a struct fake_world afterwards. */
int fake_world_setup(void **state);
int fake_world_teardown(void **state);

/** What was done to the VP since the start. */
struct fake_vp *fake_of(const struct hv_vp *vp);

/** A context for the VP at the world's time. */
struct hv_context fake_context(struct fake_world *world, struct hv_vp *vp);

/** Lets time pass, firing events; afterwards it is `now` everywhere. */
void fake_run_until(struct fake_world *world, cycles_t now);
cycles_t fake_us(uint64_t us);

/** Makes the next overlay fail for lack of memory. */
void fake_overlay_fails(bool fails);

/** Software-enables the APIC of the VP. */
void fake_enable_lapic(struct hv_vp *vp);

/** Reads 4 or 8 bytes of simulated memory. */
uint32_t fake_read32(const struct fake_world *world, spa_t at);
uint64_t fake_read64(const struct fake_world *world, spa_t at);
void fake_write32(struct fake_world *world, spa_t at, uint32_t value);

/** What the fake engines last heard. */
struct fake_engine {
    struct x86_state state;
    bool apic_page_on;
    gpa_t apic_page;
    uint64_t tsc_offset;
    uint8_t instruction[16];
    uint32_t instruction_bytes;
};
struct fake_engine *fake_engine_of(const struct hv_vp *vp);

#endif
