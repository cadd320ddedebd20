/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/fair_class.h"

#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/core/host_line.h"

/* What an entity brings. */

static void class_push(struct fair_class **list, struct fair_class *class)
{
    class->previous = NULL;
    class->next = *list;
    if (*list)
        (*list)->previous = class;
    *list = class;
}

static void class_pop(struct fair_class **list, struct fair_class *class)
{
    if (class->previous)
        class->previous->next = class->next;
    else
        *list = class->next;
    if (class->next)
        class->next->previous = class->previous;
}

static void cell_push(struct fair_cell **list, struct fair_cell *cell)
{
    cell->next = *list;
    *list = cell;
}

static struct fair_cell *cell_pop(struct fair_cell **list)
{
    struct fair_cell *cell = *list;

    CHECK(cell);
    *list = cell->next;
    return cell;
}

bool fair_classes_init(struct fair_classes *classes, uint32_t seat_count,
                       uint32_t node_count)
{
    *classes = (struct fair_classes){
        .seat_count = seat_count,
        .node_count = node_count,
        .of_node = calloc(node_count, sizeof(*classes->of_node)),
    };
    return classes->of_node != NULL;
}

void fair_classes_fini(struct fair_classes *classes)
{
    free(classes->of_node);
}

bool fair_classes_grow(struct fair_classes *classes, uint32_t lists)
{
    struct fair_class *class = calloc(1, sizeof(*class));
    struct fair_cell *cell = host_line_calloc(sizeof(*cell));

    if (!class || !cell ||
        !seat_tree_init(&class->waiting, classes->seat_count))
        goto fail;
    if (!run_pool_grow(&classes->pool, lists)) {
        seat_tree_fini(&class->waiting);
        goto fail;
    }
    class_push(&classes->spare, class);
    cell_push(&classes->spare_cells, cell);
    return true;

fail:
    free(class);
    free(cell);
    return false;
}

void fair_classes_shrink(struct fair_classes *classes, uint32_t lists)
{
    struct fair_class *class = classes->spare;

    CHECK(class);
    class_pop(&classes->spare, class);
    seat_tree_fini(&class->waiting);
    free(class);
    free(cell_pop(&classes->spare_cells));
    run_pool_shrink(&classes->pool, lists);
}

/* Classes. */

bool fair_class_is(const struct fair_class *class, const struct lp_set *seats,
                   uint32_t node)
{
    return class->node == node &&
           memcmp(&class->seats, seats, sizeof(*seats)) == 0;
}

struct fair_class *fair_classes_join(struct fair_classes *classes,
                                     const struct lp_set *seats, uint32_t node)
{
    struct fair_class *class = classes->of_node[node];

    while (class && !fair_class_is(class, seats, node))
        class = class->next;
    if (!class) {
        class = classes->spare;
        CHECK(class);
        class_pop(&classes->spare, class);
        class->seats = *seats;
        class->node = node;
        class->owed = (struct run_list){.pool = &classes->pool};
        seat_tree_clear(&class->waiting);
        class_push(&classes->of_node[node], class);
    }
    class->members++;
    return class;
}

void fair_classes_leave(struct fair_classes *classes, struct fair_class *class)
{
    if (--class->members > 0)
        return;
    class_pop(&classes->of_node[class->node], class);
    class_push(&classes->spare, class);
}

/* Cells. */

static struct fair_cell *find_cell(struct fair_classes *classes,
                                   struct fair_class *class,
                                   struct fair_cell **cells)
{
    struct fair_cell *cell = *cells;

    while (cell && cell->class != class)
        cell = cell->next;
    if (cell)
        return cell;
    cell = cell_pop(&classes->spare_cells);
    *cell =
        (struct fair_cell){.list = {.pool = &classes->pool}, .class = class};
    cell_push(cells, cell);
    return cell;
}

void fair_cell_add(struct fair_classes *classes, struct fair_class *class,
                   struct fair_cell **cells, uint32_t seat,
                   struct run_entry *entry)
{
    struct fair_cell *cell = find_cell(classes, class, cells);

    run_list_add(&cell->list, entry);
    if (run_list_first(&cell->list) == entry)
        seat_tree_set(&class->waiting, seat, run_list_first_mark(&cell->list),
                      cell);
}

static void end_cell(struct fair_classes *classes, struct fair_cell *cell,
                     struct fair_cell **cells, uint32_t seat)
{
    while (*cells != cell)
        cells = &(*cells)->next;
    *cells = cell->next;
    seat_tree_remove(&cell->class->waiting, seat);
    cell_push(&classes->spare_cells, cell);
}

void fair_cell_remove(struct fair_classes *classes, struct fair_cell **cells,
                      uint32_t seat, struct run_entry *entry)
{
    struct fair_cell *cell = (struct fair_cell *)run_list_of(entry);
    bool was_first = run_list_first(&cell->list) == entry;

    run_list_remove(entry);
    if (!run_list_first(&cell->list))
        end_cell(classes, cell, cells, seat);
    else if (was_first)
        seat_tree_set(&cell->class->waiting, seat,
                      run_list_first_mark(&cell->list), cell);
}

struct run_entry *fair_class_first(const struct fair_class *class)
{
    const struct fair_cell *cell = class->waiting.first;

    CHECK(cell);
    return run_list_first(&cell->list);
}

struct fair_cell *fair_class_next_cell(const struct fair_class *class,
                                       uint32_t *from)
{
    return seat_tree_next(&class->waiting, from);
}
