/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/machine/cost_model.h"

#include <string.h>

#include "sim/core/check.h"

/* Profiles in the order in which they are offered. A price is given in
 * hundredths of a cycle; a line without a source does not compile. */
#define PRICE(kind, hundredths, how, where)                                    \
    [COST_##kind] = {                                                          \
        .subcycles =                                                           \
            ((hundredths)*UINT64_C(1) * SUBCYCLES_PER_CYCLE + 50) / 100,       \
        .basis = COST_##how,                                                   \
        .source = where "",                                                    \
    },

static const struct cost_profile cost_profiles[] = {
    {
        .name = "reference-2020",
        .help = "a two-socket x86 server of about 2020, by published figures",
        .price =
            {
#include "sim/machine/cost_profiles/reference-2020.def"
            },
    },
#undef PRICE
/* What a guest would cost on the bare machine, for comparison: its own code and
 * what the processor does for it, and an idle processor's way back to work. */
#define IS_NATIVE(kind)                                                        \
    ((COST_##kind < COST_VMEXIT && COST_##kind != COST_SLAT_WALK_REF) ||       \
     COST_##kind == COST_LP_WAKE)
#define PRICE(kind, hundredths, how, where)                                    \
    [COST_##kind] = {                                                          \
        .subcycles =                                                           \
            IS_NATIVE(kind)                                                    \
                ? ((hundredths)*UINT64_C(1) * SUBCYCLES_PER_CYCLE + 50) / 100  \
                : 0,                                                           \
        .basis = COST_##how,                                                   \
        .source = IS_NATIVE(kind) ? where "" : "nothing: no hypervisor",       \
    },
    {
        .name = "native-2020",
        .help = "the same server without a hypervisor: what it and its root "
                "partition do is free, and there are no second-level tables",
        .price =
            {
#include "sim/machine/cost_profiles/reference-2020.def"
            },
    },
};

#undef PRICE
#undef IS_NATIVE

#define PROFILE_COUNT (sizeof(cost_profiles) / sizeof(cost_profiles[0]))

const struct cost_profile *cost_profile_find(const char *name)
{
    for (unsigned i = 0; i < PROFILE_COUNT; i++) {
        if (strcmp(cost_profiles[i].name, name) == 0)
            return &cost_profiles[i];
    }
    return NULL;
}

const struct cost_profile *cost_profile_next(const struct cost_profile *after)
{
    size_t next = after ? (size_t)(after - cost_profiles) + 1 : 0;

    return next < PROFILE_COUNT ? &cost_profiles[next] : NULL;
}

unsigned cost_profile_estimates(const struct cost_profile *profile)
{
    unsigned count = 0;

    for (unsigned i = 0; i < COST_KIND_COUNT; i++)
        count += profile->price[i].basis == COST_ESTIMATED;
    return count;
}

const char *cost_basis_name(enum cost_basis basis)
{
    switch (basis) {
    case COST_MEASURED:
        return "measured";
    case COST_PUBLISHED:
        return "published";
    case COST_ESTIMATED:
        break;
    }
    return "estimated";
}

static uint32_t null_unit(const struct cost_profile *profile,
                          enum cost_kind kind)
{
    (void)profile;
    (void)kind;
    return 0;
}

static uint32_t unit_unit(const struct cost_profile *profile,
                          enum cost_kind kind)
{
    (void)profile;
    (void)kind;
    return SUBCYCLES_PER_CYCLE;
}

static uint32_t table_unit(const struct cost_profile *profile,
                           enum cost_kind kind)
{
    return profile->price[kind].subcycles;
}

static const struct timing {
    const char *name;
    /** The price of one unit of `kind`, in subcycles. */
    uint32_t (*unit)(const struct cost_profile *profile, enum cost_kind kind);
} timings[] = {
    {.name = "null", .unit = null_unit},
    {.name = "unit", .unit = unit_unit},
    {.name = "table", .unit = table_unit},
};

static const struct timing *find_timing(const char *name)
{
    for (unsigned i = 0; i < sizeof(timings) / sizeof(timings[0]); i++) {
        if (strcmp(timings[i].name, name) == 0)
            return &timings[i];
    }
    return NULL;
}

enum sim_status cost_model_init(struct cost_model *model, const char *timing,
                                const char *profile, struct sim_error *error)
{
    const struct timing *by = find_timing(timing);

    *model = (struct cost_model){.profile = cost_profile_find(profile)};
    if (!by)
        return sim_fail(error, SIM_BAD_SCENARIO,
                        "there is no timing model \"%s\"; expected \"table\", "
                        "\"unit\" or \"null\"",
                        timing);
    if (!model->profile)
        return sim_fail(error, SIM_BAD_SCENARIO,
                        "there is no price profile \"%s\"; expected \"%s\"",
                        profile, cost_profiles[0].name);
    for (unsigned i = 0; i < COST_KIND_COUNT; i++) {
        CHECK(model->profile->price[i].source);
        model->kinds[i].subcycles = by->unit(model->profile, i);
        model->kinds[i].party = cost_kind_party(i);
    }
    return SIM_OK;
}

struct cost_total cost_model_price(const struct cost_model *model,
                                   const struct cost_bill *bill)
{
    uint64_t sums[COST_PARTY_COUNT] = {0};

    for (unsigned word = 0; word < COST_BILL_WORDS; word++) {
        for (uint64_t used = bill->used[word]; used; used &= used - 1) {
            unsigned kind = word * 64 + (unsigned)__builtin_ctzll(used);

            sums[model->kinds[kind].party] +=
                (uint64_t)bill->count[kind] * model->kinds[kind].subcycles;
        }
    }
    return (struct cost_total){
        .guest_subcycles = sums[COST_PARTY_GUEST],
        .hypervisor_subcycles = sums[COST_PARTY_HYPERVISOR],
        .idle_subcycles = sums[COST_PARTY_IDLE],
    };
}
