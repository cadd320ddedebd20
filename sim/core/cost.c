/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/core/cost.h"

#include "sim/core/check.h"

struct kind_info {
    const char *name;
    const char *help;
    enum cost_party party;
};

static const struct kind_info kinds[COST_KIND_COUNT] = {
#define COST(id, party, help) [COST_##id] = {#id, help, COST_PARTY_##party},
#include "sim/core/cost_kinds.def"
#undef COST
};

static const struct kind_info *kind_info(enum cost_kind kind)
{
    CHECK((unsigned)kind < COST_KIND_COUNT);
    return &kinds[kind];
}

uint32_t cost_count(const struct cost_bill *bill, enum cost_kind kind)
{
    CHECK((unsigned)kind < COST_KIND_COUNT);
    return bill->used[kind / 64] >> (kind % 64) & 1 ? bill->count[kind] : 0;
}

void cost_bill_add(struct cost_bill *to, const struct cost_bill *from)
{
    for (unsigned word = 0; word < COST_BILL_WORDS; word++) {
        for (uint64_t left = from->used[word]; left; left &= left - 1) {
            unsigned bit = (unsigned)__builtin_ctzll(left);
            enum cost_kind kind = (enum cost_kind)(word * 64 + bit);

            cost_note(to, kind, from->count[kind]);
        }
    }
}

const char *cost_kind_name(enum cost_kind kind)
{
    return kind_info(kind)->name;
}

const char *cost_kind_help(enum cost_kind kind)
{
    return kind_info(kind)->help;
}

enum cost_party cost_kind_party(enum cost_kind kind)
{
    return kind_info(kind)->party;
}
