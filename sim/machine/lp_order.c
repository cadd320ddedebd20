/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/machine/lp_order.h"

#include <stdlib.h>

#include "hypervisor/seat_tree.h"
#include "sim/core/check.h"

struct lp_order {
    struct seat_tree tree; /* by LP number; a mark's key is the clock */
};

struct lp_order *lp_order_create(uint32_t lp_count)
{
    struct lp_order *order = calloc(1, sizeof(*order));

    if (!order || !seat_tree_init(&order->tree, lp_count)) {
        free(order);
        return NULL;
    }
    seat_tree_clear(&order->tree);
    return order;
}

void lp_order_free(struct lp_order *order)
{
    if (order)
        seat_tree_fini(&order->tree);
    free(order);
}

struct hv_lp *lp_order_first(const struct lp_order *order)
{
    return order->tree.first;
}

struct hv_lp *lp_order_second(const struct lp_order *order)
{
    return seat_tree_second(&order->tree);
}

bool lp_order_contains(const struct lp_order *order, const struct hv_lp *lp)
{
    return seat_tree_has(&order->tree, lp->id.v);
}

static void set(struct lp_order *order, struct hv_lp *lp)
{
    seat_tree_set(&order->tree, lp->id.v, run_mark(lp->now.v, lp->id.v), lp);
}

void lp_order_add(struct lp_order *order, struct hv_lp *lp)
{
    CHECK(!lp_order_contains(order, lp));
    set(order, lp);
}

void lp_order_settle(struct lp_order *order, struct hv_lp *lp)
{
    CHECK(lp_order_contains(order, lp));
    set(order, lp);
}

void lp_order_remove(struct lp_order *order, struct hv_lp *lp)
{
    seat_tree_remove(&order->tree, lp->id.v);
}
