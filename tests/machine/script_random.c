/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/machine/script_random.h"

#define MSR_TIME_REF_COUNT 0x40000020u
#define MSR_STIMER0_CONFIG 0x400000b0u
#define MSR_STIMER0_COUNT 0x400000b1u
#define MSR_X2APIC_ICR 0x830u
#define CALL_LONG_SPIN_WAIT 8u

#define STIMER_PERIODIC_DIRECT 0x140au /* vector 0x40, enabled by a count */

uint64_t script_random_between(struct rng *rng, uint64_t least, uint64_t most)
{
    return least + rng_below(rng, most - least + 1);
}

/* So that short and long are equally likely. */
static uint32_t some_time(struct rng *rng, unsigned bits_most)
{
    uint64_t bits = script_random_between(rng, 1, bits_most);

    return (uint32_t)script_random_between(rng, 1, (UINT64_C(1) << bits) - 1);
}

static void add_something(struct script *script, struct rng *rng,
                          uint32_t vp_count)
{
    switch (rng_below(rng, 14)) {
    case 0:
    case 1:
    case 2:
        script_add(script, SCRIPT_RUN, some_time(rng, 21), 0, 0);
        break;
    case 3:
    case 4:
        script_add(script, SCRIPT_HLT, 0, 0, 0);
        break;
    case 5:
        script_add(script, SCRIPT_CPUID, 0x40000001, 0, 0);
        break;
    case 6:
        script_add(script, SCRIPT_RDMSR, MSR_TIME_REF_COUNT, 0, 0);
        break;
    case 7:
        script_add(script, SCRIPT_OUT, 0x3f8,
                   (uint32_t)script_random_between(rng, 'a', 'z'), 1);
        break;
    case 8:
        script_add(script, SCRIPT_IN, rng_below(rng, 2) ? 0x3fd : 0x80, 0,
                   (uint8_t)(UINT64_C(1) << rng_below(rng, 3)));
        break;
    case 9:
        script_add(script, SCRIPT_WRMSR, MSR_X2APIC_ICR, 0x50,
                   (uint8_t)rng_below(rng, vp_count + 1));
        break;
    case 10:
        script_add(script, SCRIPT_CALL, CALL_LONG_SPIN_WAIT, 1000, 0);
        break;
    case 11:
        script_add(script, SCRIPT_PAUSE, 0, 0, 0);
        break;
    case 12:
        script_add(script, SCRIPT_CR8, 0, 0, 0);
        break;
    default:
        script_add(script, SCRIPT_CLI, 0, 0, 0);
        script_add(script, SCRIPT_RUN, some_time(rng, 18), 0, 0);
        script_add(script, SCRIPT_STI, 0, 0, 0);
        break;
    }
}

void script_random(struct script *script, struct rng *rng, uint32_t vp,
                   uint32_t vp_count, bool mortal)
{
    script_begin(script, vp, vp_count);
    script_add(script, SCRIPT_WRMSR, MSR_STIMER0_CONFIG, STIMER_PERIODIC_DIRECT,
               0);
    script_add(script, SCRIPT_WRMSR, MSR_STIMER0_COUNT,
               (uint32_t)script_random_between(rng, 100, 30000), 0);

    unsigned first = script->count;
    uint64_t count = script_random_between(rng, 1, 40);
    bool busy = rng_below(rng, 4) == 0;

    for (uint64_t i = 0; i < count; i++) {
        if (busy)
            script_add(script, SCRIPT_RUN, 100000, 0, 0);
        else
            add_something(script, rng, vp_count);
    }
    if (mortal && rng_below(rng, 40) == 0)
        script_add(script, SCRIPT_TRIPLE_FAULT, 0, 0, 0);
    script_add(script, SCRIPT_RUN, 10, 0, 0);
    script_repeat(script, first);
}
