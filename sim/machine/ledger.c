/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/machine/ledger.h"

#include <inttypes.h>
#include <stdlib.h>

#include "sim/core/check.h"

struct ledger {
    struct ledger_lp *lps;
    uint32_t lp_count;
    struct ledger_vp *vps;
    uint32_t vp_count;
    cycles_t switching; /* charged to no VP */
    uint64_t kinds[COST_KIND_COUNT];
};

struct ledger *ledger_create(uint32_t lp_count)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));

    if (!ledger)
        return NULL;
    ledger->lps = calloc(lp_count, sizeof(*ledger->lps));
    if (!ledger->lps) {
        free(ledger);
        return NULL;
    }
    ledger->lp_count = lp_count;
    return ledger;
}

void ledger_free(struct ledger *ledger)
{
    if (!ledger)
        return;
    free(ledger->lps);
    free(ledger->vps);
    free(ledger);
}

static void ledger_add(cycles_t *sum, cycles_t amount)
{
    *sum = cycles_add(*sum, amount);
}

static struct ledger_vp *ledger_vp_entry(struct ledger *ledger, uint32_t vp)
{
    if (vp >= ledger->vp_count) {
        uint32_t count = vp + 64;
        struct ledger_vp *vps = reallocarray(ledger->vps, count, sizeof(*vps));

        CHECK(vps);
        for (uint32_t i = ledger->vp_count; i < count; i++)
            vps[i] = (struct ledger_vp){0};
        ledger->vps = vps;
        ledger->vp_count = count;
    }
    return &ledger->vps[vp];
}

void ledger_post(struct ledger *ledger, lp_id_t lp, uint32_t vp, cycles_t guest,
                 cycles_t hypervisor)
{
    struct ledger_vp *of_vp = ledger_vp_entry(ledger, vp);

    CHECK(lp.v < ledger->lp_count);
    ledger_add(&ledger->lps[lp.v].guest, guest);
    ledger_add(&ledger->lps[lp.v].hypervisor, hypervisor);
    ledger_add(&of_vp->guest, guest);
    ledger_add(&of_vp->hypervisor, hypervisor);
}

void ledger_post_switch(struct ledger *ledger, lp_id_t lp, cycles_t hypervisor)
{
    CHECK(lp.v < ledger->lp_count);
    ledger_add(&ledger->lps[lp.v].hypervisor, hypervisor);
    ledger_add(&ledger->switching, hypervisor);
}

void ledger_post_idle(struct ledger *ledger, lp_id_t lp, cycles_t idle)
{
    CHECK(lp.v < ledger->lp_count);
    ledger_add(&ledger->lps[lp.v].idle, idle);
}

void ledger_count(struct ledger *ledger, const struct cost_bill *bill)
{
    for (unsigned word = 0; word < COST_BILL_WORDS; word++) {
        for (uint64_t used = bill->used[word]; used; used &= used - 1) {
            unsigned kind = word * 64 + (unsigned)__builtin_ctzll(used);

            ledger->kinds[kind] += bill->count[kind];
        }
    }
}

uint64_t ledger_kind(const struct ledger *ledger, enum cost_kind kind)
{
    return ledger->kinds[kind];
}

struct ledger_lp ledger_lp(const struct ledger *ledger, lp_id_t lp)
{
    CHECK(lp.v < ledger->lp_count);
    return ledger->lps[lp.v];
}

struct ledger_vp ledger_vp(const struct ledger *ledger, uint32_t vp)
{
    return vp < ledger->vp_count ? ledger->vps[vp] : (struct ledger_vp){0};
}

enum sim_status ledger_check(const struct ledger *ledger,
                             const cycles_t *elapsed, uint32_t lp_count,
                             struct sim_error *error)
{
    uint64_t by_lp = 0;
    uint64_t by_vp = 0;

    for (uint32_t i = 0; i < lp_count; i++) {
        const struct ledger_lp *lp = &ledger->lps[i];
        uint64_t sum = lp->guest.v + lp->hypervisor.v + lp->idle.v;

        by_lp += lp->guest.v + lp->hypervisor.v;
        if (sum != elapsed[i].v)
            return sim_fail(error, SIM_RUN_FAILED,
                            "the time of Hv LP %" PRIu32 " does not add up: "
                            "guest %" PRIu64 " + hypervisor %" PRIu64
                            " + idle %" PRIu64 " = %" PRIu64
                            " cycles, but %" PRIu64 " passed",
                            i, lp->guest.v, lp->hypervisor.v, lp->idle.v, sum,
                            elapsed[i].v);
    }
    for (uint32_t i = 0; i < ledger->vp_count; i++)
        by_vp += ledger->vps[i].guest.v + ledger->vps[i].hypervisor.v;
    if (by_lp != by_vp + ledger->switching.v)
        return sim_fail(error, SIM_RUN_FAILED,
                        "LPs spent %" PRIu64 " cycles, but VPs were charged "
                        "%" PRIu64 " and %" PRIu64 " went into switching",
                        by_lp, by_vp, ledger->switching.v);
    return SIM_OK;
}
