/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/hypervisor/fake_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/hypercall.h"
#include "sim/core/host_line.h"

#define OVERLAYS 32
#define OVERLAY_FIRST_SPA 0x80000

struct overlay {
    const void *owner;
    gpa_t at;
};

struct engine {
    struct fake_engine fake;
};

/* Beside the world, because the faked interfaces have no argument for it. */
static struct fake_vp noted[FAKE_VP_COUNT + FAKE_PARENT_VP_COUNT];
static struct engine engines[FAKE_VP_COUNT];
static struct overlay overlays[OVERLAYS];
static bool overlays_fail;

struct fake_vp *fake_of(const struct hv_vp *vp)
{
    return &noted[vp->number];
}

struct fake_engine *fake_engine_of(const struct hv_vp *vp)
{
    return &vp->engine->fake;
}

static void make_vp(struct fake_world *world, struct hv_partition *partition,
                    struct hv_vp *vp, uint32_t index, uint32_t number)
{
    vp->hv = &world->hv;
    vp->partition = partition;
    vp->index.v = index;
    vp->apic_id = index;
    vp->number = number;
    partition->gpa.partition = partition;
    lapic_init(&vp->lapic, vp);
    for (uint8_t i = 0; i < STIMER_COUNT; i++)
        stimer_init(&vp->stimers[i], vp, i);
    synic_init(&vp->synic, vp);
    msr_init(vp);
    partition->vps[index] = vp;
    partition->vp_count++;
}

int fake_world_setup(void **state)
{
    struct fake_world *world = host_line_calloc(sizeof(*world));

    memset(noted, 0, sizeof(noted));
    memset(engines, 0, sizeof(engines));
    memset(overlays, 0, sizeof(overlays));
    overlays_fail = false;
    world->arena.base = calloc(1, FAKE_MEMORY_BYTES);
    world->arena.bytes = FAKE_MEMORY_BYTES;
    world->hv.clock.hz = FAKE_HZ;
    world->hv.events = event_queue_create();
    world->hv.arena = &world->arena;
    world->hv.lp_count = 4;
    world->parent.hv = &world->hv;
    world->parent.id.v = 1;
    world->parent.privileges = UINT64_MAX;
    world->child.hv = &world->hv;
    world->child.id.v = 7;
    world->child.parent = &world->parent;
    world->child.privileges = UINT64_MAX;
    world->child.features = FEATURES_KNOWN;
    world->child.topology.threads_per_core = 1;
    for (uint32_t i = 0; i < FAKE_VP_COUNT; i++) {
        world->vps[i].engine = &engines[i];
        make_vp(world, &world->child, &world->vps[i], i, i);
        lapic_attach(&world->vps[i].lapic);
    }
    for (uint32_t i = 0; i < FAKE_PARENT_VP_COUNT; i++)
        make_vp(world, &world->parent, &world->parent_vps[i], i,
                FAKE_VP_COUNT + i);
    world->context = fake_context(world, &world->vps[0]);
    *state = world;
    return 0;
}

int fake_world_teardown(void **state)
{
    struct fake_world *world = *state;

    for (uint32_t i = 0; i < FAKE_VP_COUNT + FAKE_PARENT_VP_COUNT; i++) {
        struct hv_vp *vp = i < FAKE_VP_COUNT
                               ? &world->vps[i]
                               : &world->parent_vps[i - FAKE_VP_COUNT];

        for (unsigned t = 0; t < STIMER_COUNT; t++)
            stimer_fini(&vp->stimers[t]);
        synic_fini(&vp->synic);
        msr_fini(vp);
        lapic_fini(&vp->lapic);
        intercept_forget(vp);
    }
    event_queue_free(world->hv.events);
    free(world->arena.base);
    free(world);
    return 0;
}

struct hv_context fake_context(struct fake_world *world, struct hv_vp *vp)
{
    return (struct hv_context){
        .hv = &world->hv,
        .vp = vp,
        .now = world->context.now,
        .bill = &world->bill,
    };
}

void fake_run_until(struct fake_world *world, cycles_t now)
{
    while (!cycles_before(now, event_queue_next(world->hv.events)))
        event_queue_fire_next(world->hv.events);
    world->context.now = now;
}

cycles_t fake_us(uint64_t us)
{
    return cycles(us * (FAKE_HZ / 1000000));
}

void fake_overlay_fails(bool fails)
{
    overlays_fail = fails;
}

void fake_enable_lapic(struct hv_vp *vp)
{
    vp->lapic.svr = 0x1ff;
}

uint32_t fake_read32(const struct fake_world *world, spa_t at)
{
    uint32_t value;

    arena_read(&world->arena, at, &value, sizeof(value));
    return value;
}

uint64_t fake_read64(const struct fake_world *world, spa_t at)
{
    uint64_t value;

    arena_read(&world->arena, at, &value, sizeof(value));
    return value;
}

void fake_write32(struct fake_world *world, spa_t at, uint32_t value)
{
    arena_write(&world->arena, at, &value, sizeof(value));
}

/* cpu/arena.h */

void arena_read(const struct arena *arena, spa_t from, void *to, size_t bytes)
{
    assert_true(arena_contains(arena, from, bytes));
    memcpy(to, arena->base + from.raw, bytes);
}

void arena_write(struct arena *arena, spa_t to, const void *from, size_t bytes)
{
    assert_true(arena_contains(arena, to, bytes));
    memcpy(arena->base + to.raw, from, bytes);
}

/* cpu/engine.h */

void engine_set_apic_page(struct engine *engine, bool on, gpa_t page)
{
    engine->fake.apic_page_on = on;
    engine->fake.apic_page = page;
}

void engine_set_tsc_offset(struct engine *engine, uint64_t offset)
{
    engine->fake.tsc_offset = offset;
}

void engine_get_state(struct engine *engine, struct x86_state *state)
{
    *state = engine->fake.state;
}

uint32_t engine_fetch(struct engine *engine, uint8_t bytes[16])
{
    memcpy(bytes, engine->fake.instruction, 16);
    return engine->fake.instruction_bytes;
}

/* hypervisor/gpa_space.h */

static struct overlay *find_overlay(const void *owner)
{
    for (unsigned i = 0; i < OVERLAYS; i++) {
        if (overlays[i].owner == owner)
            return &overlays[i];
    }
    return NULL;
}

static spa_t overlay_spa(const struct overlay *overlay)
{
    return spa(OVERLAY_FIRST_SPA + (uint64_t)(overlay - overlays) * PAGE_BYTES);
}

enum hv_status gpa_space_overlay(struct gpa_space *space, const void *owner,
                                 gpa_t at, bool writable, spa_t *page)
{
    struct overlay *overlay = find_overlay(owner);
    static const uint8_t zeros[PAGE_BYTES];

    (void)writable;
    if (overlays_fail)
        return HV_STATUS_INSUFFICIENT_MEMORY;
    if (at.raw >> SLAT_GPA_BITS != 0)
        return HV_STATUS_INVALID_PARAMETER;
    if (!overlay)
        overlay = find_overlay(NULL);
    assert_non_null(overlay);
    *overlay = (struct overlay){owner, at};
    *page = overlay_spa(overlay);
    arena_write(space->partition->hv->arena, *page, zeros, sizeof(zeros));
    return HV_STATUS_SUCCESS;
}

void gpa_space_remove_overlay(struct gpa_space *space, const void *owner)
{
    struct overlay *overlay = find_overlay(owner);

    (void)space;
    if (overlay)
        *overlay = (struct overlay){0};
}

bool gpa_space_lookup(const struct gpa_space *space, gpa_t at, spa_t *out,
                      bool *writable)
{
    (void)space;
    *writable = true;
    for (unsigned i = 0; i < OVERLAYS; i++) {
        if (overlays[i].owner && overlays[i].at.raw == gpa_page(at).raw) {
            *out = spa_add(overlay_spa(&overlays[i]), at.raw & PAGE_MASK);
            return true;
        }
    }
    *out = spa(at.raw);
    return at.raw < OVERLAY_FIRST_SPA;
}

/* hypervisor/hypercall.h */

void hypercall_write_page(struct arena *arena, spa_t page)
{
    static const uint8_t vmcall_ret[] = {0x0f, 0x01, 0xc1, 0xc3};

    arena_write(arena, page, vmcall_ret, sizeof(vmcall_ret));
}

/* hypervisor/hypervisor.h */

void hypervisor_trace(const struct hv_context *context, enum trace_kind kind,
                      uint64_t detail)
{
    (void)context;
    (void)kind;
    (void)detail;
}

/* hypervisor/vp.h */

void vp_foresee(const struct hv_vp *vp)
{
    (void)vp;
}

void vp_interrupt(struct hv_context *context, struct hv_vp *vp, uint8_t vector)
{
    (void)context;
    fake_of(vp)->interrupts++;
    fake_of(vp)->last_vector = vector;
    lapic_set_irr(&vp->lapic, vector, false, false);
}

void vp_interrupt_level(struct hv_context *context, struct hv_vp *vp,
                        uint8_t vector)
{
    (void)context;
    fake_of(vp)->interrupts++;
    fake_of(vp)->last_vector = vector;
    lapic_set_irr(&vp->lapic, vector, true, false);
}

bool vp_external_interrupt(struct hv_context *context, struct hv_vp *vp,
                           uint8_t vector)
{
    bool taken = !vp->external_pending;

    (void)context;
    vp->external_pending = true;
    if (taken)
        vp->external_vector = vector;
    return taken;
}

void vp_nmi(struct hv_context *context, struct hv_vp *vp)
{
    (void)context;
    fake_of(vp)->nmis++;
}

void vp_init(struct hv_context *context, struct hv_vp *vp)
{
    (void)context;
    fake_of(vp)->inits++;
}

void vp_startup(struct hv_context *context, struct hv_vp *vp, uint8_t vector)
{
    (void)context;
    fake_of(vp)->startups++;
    fake_of(vp)->startup_vector = vector;
}

void vp_idle(struct hv_context *context, struct hv_vp *vp)
{
    (void)context;
    vp->halted = true;
}

void vp_check_interrupts(struct hv_vp *vp)
{
    fake_of(vp)->checks++;
}

void vp_reconsider(struct hv_context *context, struct hv_vp *vp)
{
    (void)context;
    fake_of(vp)->reconsiders++;
}

struct hv_context vp_event_context(struct hv_vp *vp, cycles_t now)
{
    return (struct hv_context){
        .hv = vp->hv, .vp = vp, .now = now, .bill = &vp->owed};
}
