/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_SCENARIO_DOCUMENT_H
#define HVSIM_SIM_SCENARIO_DOCUMENT_H

/**
 * A YAML document as a tree of nodes that know their place in the file, built
 * from libyaml's events. It holds texts only: what a text means is decided by
 * whoever knows what should stand there, never by YAML's implicit types.
 *
 * Of YAML it takes mappings, sequences and scalars of every style. Anchors,
 * aliases and tags are refused (a scenario has no use for them, and an alias
 * can blow a small file up without end), as are several documents, a key that
 * stands twice, a key that is not a scalar, NUL bytes, control characters and
 * bytes that are not UTF-8. Size, depth and node count are limited.
 */

#include <stddef.h>

#include "sim/core/error.h"
#include "sim/core/types.h"

#define DOCUMENT_BYTES_MAX ((size_t)1 << 20)
#define DOCUMENT_DEPTH_MAX 16
#define DOCUMENT_NODES_MAX 50000
#define DOCUMENT_KEYS_MAX 256 /* of one mapping */

enum document_kind {
    DOCUMENT_SCALAR,
    DOCUMENT_MAPPING,
    DOCUMENT_SEQUENCE,
};

/** A place in a source, for messages. */
struct document_mark {
    const char *source; /* borrowed: a file's name, or an option's text */
    uint32_t line;      /* from 1; 0: the source has no lines */
    uint32_t column;    /* from 1, in characters */
};

struct document_node {
    enum document_kind kind;
    struct document_mark mark;
    char *text; /* of a scalar: owned, without NUL inside; else NULL */
    char *key;  /* in a mapping: owned, not empty; else NULL */
    struct document_mark key_mark;
    struct document_node *child; /* first of them, owned; in file order */
    struct document_node *last_child;
    size_t child_count;
    struct document_node *next; /* sibling */
};

/**
 * Parses `bytes` bytes of text and gives the tree to the caller in `*out`.
 * `source` is borrowed for as long as the tree lives. On failure `*out` is
 * NULL and the message begins with the place: "file:line:column: ".
 */
MUST_USE enum sim_status document_parse(struct document_node **out,
                                        const char *source, const char *text,
                                        size_t bytes, struct sim_error *error);

/** The same for YAML in an option of the command line, `source`. */
MUST_USE enum sim_status document_parse_option(struct document_node **out,
                                               const char *source,
                                               const char *text,
                                               struct sim_error *error);

/** Whether YAML lets the character stand in a text as it is. */
bool document_is_printable(uint32_t c);

/** Frees the whole tree; does nothing for NULL. */
void document_free(struct document_node *node);

/** A scalar node of its own; takes no ownership. NULL if memory is short. */
struct document_node *document_new_scalar(struct document_mark mark,
                                          const char *text);

/** An empty mapping or sequence. NULL if memory is short. */
struct document_node *document_new(enum document_kind kind,
                                   struct document_mark mark);

/** Names `node` for its place in a mapping; false if memory is short. */
MUST_USE bool document_set_key(struct document_node *node, const char *key,
                               struct document_mark mark);

/** Puts `node` at the end of `parent`'s children, who owns it from now on. */
void document_append(struct document_node *parent, struct document_node *node);

/** Puts `node` in the place of `old`, a child of `parent`, and frees `old`.
 *  `node` inherits the key. */
void document_replace(struct document_node *parent, struct document_node *old,
                      struct document_node *node);

/** The value under `key`, or NULL; also NULL if `node` is no mapping. */
struct document_node *document_get(const struct document_node *node,
                                   const char *key);

/** The item `index` of a sequence, or NULL. */
struct document_node *document_item(const struct document_node *node,
                                    size_t index);

/** One step of a path such as "vms[0].guest.workload". */
struct document_step {
    bool is_index;
    size_t index;
    char key[64];
};

/**
 * Takes one step off the front of `*path`: a key, a '.' and a key, or an index
 * in brackets. False at the end of the path, and where it is not well-formed:
 * then `**path` is not '\0'.
 */
bool document_path_next(const char **path, struct document_step *step);

/**
 * The node that `step` leads to from `node`, or NULL. In a sequence a key
 * stands for the item whose "name" it is.
 */
struct document_node *document_follow(const struct document_node *node,
                                      const struct document_step *step);

/**
 * Records SIM_BAD_SCENARIO with "<place>: <message>" and returns it; but
 * SIM_BAD_USAGE if the place is an option of the command line.
 */
enum sim_status document_fail(const struct document_mark *mark,
                              struct sim_error *error, const char *format, ...)
    PRINTF_LIKE(3, 4);

#define DOCUMENT_QUOTE_BYTES 64

/** Puts `text` in single quotes, fit for a terminal as text.h has it; a long
 *  text is cut to its beginning. */
const char *document_quote(const char *text,
                           char quoted[static DOCUMENT_QUOTE_BYTES]);

#endif
