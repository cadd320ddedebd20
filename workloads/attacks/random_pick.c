/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/attacks/random.h"
#include "workloads/runtime/apic.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"

uint64_t random_next(struct random_area *area)
{
    area->state ^= area->state << 13;
    area->state ^= area->state >> 7;
    area->state ^= area->state << 17;
    return area->state * UINT64_C(0x2545f4914f6cdd1d);
}

/* 0 .. count - 1 */
uint32_t random_below(struct random_area *area, uint32_t count)
{
    return (uint32_t)((random_next(area) >> 32) * count >> 32);
}

bool random_one_in(struct random_area *area, uint32_t count)
{
    return random_below(area, count) == 0;
}

/* Whether to do what few machines survive. */
bool random_is_lethal(struct random_area *area)
{
    return area->lethal_one_in > 0 && random_one_in(area, area->lethal_one_in);
}

/* The APIC's page, which is not there for an x2APIC. */
uint64_t random_apic_page(struct random_area *area)
{
    if (apic_is_x2apic() && !random_is_lethal(area))
        return (uintptr_t)area->entries;
    return APIC_PHYSICAL;
}

/* An address that something is, or ought not to be, at. */
uint64_t random_address(struct random_area *area)
{
    const uint64_t places[] = {
        area->sandbox,
        area->sandbox,
        area->sandbox + (uint64_t)random_below(area, 8) * PAGE_BYTES,
        area->sandbox + (uint64_t)random_below(area, 8) * PAGE_BYTES,
        (uintptr_t)area->page,
        random_apic_page(area),
        random_apic_page(area),
        (uintptr_t)hyperv_hypercall_page,
        paging_root(),
        (uintptr_t)area->entries,
        memory_end(),
        memory_end() - PAGE_BYTES,
        0,
        0xa0000,
        0xfec00000,
        UINT64_C(1) << 32,
        UINT64_C(1) << 45,
        UINT64_C(0x000ffffffffff000),
        UINT64_C(0x00007ffffffff000),
        UINT64_C(0x0000800000000000),
        UINT64_C(0xffff800000000000),
        UINT64_C(0xfffffffffffff000),
    };
    uint64_t place = RANDOM_PICK(area, places);

    switch (random_below(area, 4)) {
    case 0:
        return place + random_below(area, PAGE_BYTES);
    case 1:
        return place + PAGE_BYTES - 1 - random_below(area, 16);
    case 2:
        return place + (uint64_t)random_below(area, 64) * 16;
    default:
        return place;
    }
}

uint64_t random_value(struct random_area *area)
{
    switch (random_below(area, 8)) {
    case 0:
        return 0;
    case 1:
        return 1;
    case 2:
        return UINT64_MAX - random_below(area, 2);
    case 3:
        return UINT64_C(1) << random_below(area, 64);
    case 4:
        return (random_address(area) & ~UINT64_C(0xfff)) | 1;
    case 5:
        return random_address(area);
    case 6:
        return random_below(area, 256);
    default:
        return random_next(area);
    }
}
