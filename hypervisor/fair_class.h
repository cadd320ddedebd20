/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_FAIR_CLASS_H
#define HVSIM_HYPERVISOR_FAIR_CLASS_H

/**
 * Who waits, by class and seat: for fair_share.c. Entities that may use the
 * same seats and prefer the same NUMA node are of one class; those of a class
 * that wait at one seat are a cell, in the order of their keys. A class knows
 * which of its cells has the least, so that a seat finds whoever waits
 * elsewhere and may run here by one look at each class.
 *
 * Nothing here fails once an entity exists: it brings what it may need
 * (fair_classes_grow()).
 */

#include "hypervisor/lp_set.h"
#include "hypervisor/run_list.h"
#include "hypervisor/seat_tree.h"

struct fair_class {
    struct lp_set seats;
    uint32_t node; /* preferred */
    uint32_t members;
    struct seat_tree waiting; /* cells, by their firsts */
    struct run_list owed;     /* written by fair_share.c */
    struct fair_class *next, *previous;
};

/** One that is there has an entity. */
struct fair_cell {
    struct run_list list; /* the first: what an entry's list is part of */
    struct fair_class *class;
    struct fair_cell *next; /* of the seat; of a spare one, the next spare */
};

/** Made by fair_classes_init(). */
struct fair_classes {
    uint32_t seat_count, node_count;
    struct fair_class **of_node; /* owns; those that have members, by node: so
                                    that who looks for its own need not guess */
    struct run_pool pool;        /* owns; of all lists */

    /* Private to fair_class.c. */
    struct fair_class *spare;      /* owns; as many as may be needed yet */
    struct fair_cell *spare_cells; /* likewise */
};

/** False if out of memory. */
bool fair_classes_init(struct fair_classes *classes, uint32_t seat_count,
                       uint32_t node_count);
/** All entities have gone. */
void fair_classes_fini(struct fair_classes *classes);

/** Of the nodes, the one that is `steps` after that, round about. */
static inline uint32_t fair_classes_node(const struct fair_classes *classes,
                                         uint32_t node, uint32_t steps)
{
    uint32_t after = node + steps;

    return after < classes->node_count ? after : after - classes->node_count;
}

/** An entity comes, which may be on so many lists at once; it goes again. False
 *  if out of memory, and nothing has changed. */
bool fair_classes_grow(struct fair_classes *classes, uint32_t lists);
void fair_classes_shrink(struct fair_classes *classes, uint32_t lists);

/** An entity that has no class is one of that class from now on. */
struct fair_class *fair_classes_join(struct fair_classes *classes,
                                     const struct lp_set *seats, uint32_t node);
/** It has none any more; it does not wait. */
void fair_classes_leave(struct fair_classes *classes, struct fair_class *class);

bool fair_class_is(const struct fair_class *class, const struct lp_set *seats,
                   uint32_t node);

/** The entry waits at the seat, `cells` being those that are there. */
void fair_cell_add(struct fair_classes *classes, struct fair_class *class,
                   struct fair_cell **cells, uint32_t seat,
                   struct run_entry *entry);
/** It does not any more. */
void fair_cell_remove(struct fair_classes *classes, struct fair_cell **cells,
                      uint32_t seat, struct run_entry *entry);

/** The first of the class at any seat, which is there. */
struct run_entry *fair_class_first(const struct fair_class *class);

/** Its cell at the seat *from or the first one after, which *from is then;
 * NULL: there is none. */
struct fair_cell *fair_class_next_cell(const struct fair_class *class,
                                       uint32_t *from);

#endif
