/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/scenario/document.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/text/text.h"

struct document_node *document_new(enum document_kind kind,
                                   struct document_mark mark)
{
    struct document_node *node = calloc(1, sizeof *node);

    if (!node)
        return NULL;
    node->kind = kind;
    node->mark = mark;
    return node;
}

struct document_node *document_new_scalar(struct document_mark mark,
                                          const char *text)
{
    struct document_node *node = document_new(DOCUMENT_SCALAR, mark);

    if (!node)
        return NULL;
    node->text = strdup(text);
    if (!node->text) {
        document_free(node);
        return NULL;
    }
    return node;
}

void document_free(struct document_node *node)
{
    if (!node)
        return;
    for (struct document_node *child = node->child; child;) {
        struct document_node *next = child->next;

        document_free(child);
        child = next;
    }
    free(node->text);
    free(node->key);
    free(node);
}

bool document_set_key(struct document_node *node, const char *key,
                      struct document_mark mark)
{
    node->key = strdup(key);
    node->key_mark = mark;
    return node->key;
}

void document_append(struct document_node *parent, struct document_node *node)
{
    CHECK(parent->kind != DOCUMENT_SCALAR);
    CHECK(!node->next);
    if (parent->last_child)
        parent->last_child->next = node;
    else
        parent->child = node;
    parent->last_child = node;
    parent->child_count++;
}

void document_replace(struct document_node *parent, struct document_node *old,
                      struct document_node *node)
{
    struct document_node **link = &parent->child;

    CHECK(!node->key);
    while (*link != old)
        link = &(*link)->next;
    *link = node;
    node->next = old->next;
    node->key = old->key;
    node->key_mark = old->key_mark;
    if (parent->last_child == old)
        parent->last_child = node;
    old->key = NULL;
    document_free(old);
}

struct document_node *document_get(const struct document_node *node,
                                   const char *key)
{
    if (node->kind != DOCUMENT_MAPPING)
        return NULL;
    for (struct document_node *child = node->child; child;
         child = child->next) {
        if (strcmp(child->key, key) == 0)
            return child;
    }
    return NULL;
}

struct document_node *document_item(const struct document_node *node,
                                    size_t index)
{
    struct document_node *child = node->child;

    if (node->kind != DOCUMENT_SEQUENCE)
        return NULL;
    while (child && index-- > 0)
        child = child->next;
    return child;
}

/** "[12]" */
static bool take_index(const char **path, struct document_step *step)
{
    const char *at = *path + 1;
    size_t index = 0;

    if (*at == ']')
        return false;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (index > DOCUMENT_NODES_MAX)
            return false;
        index = index * 10 + (size_t)(*at - '0');
    }
    if (*at != ']')
        return false;
    *step = (struct document_step){.is_index = true, .index = index};
    *path = at + 1;
    if (**path == '.' && (*path)[1] != '\0')
        ++*path;
    return true;
}

bool document_path_next(const char **path, struct document_step *step)
{
    if (**path == '[')
        return take_index(path, step);

    size_t bytes = strcspn(*path, ".[]");

    if (bytes == 0 || bytes >= sizeof step->key)
        return false;
    *step = (struct document_step){0};
    memcpy(step->key, *path, bytes);
    *path += bytes;
    if (**path == '.' && (*path)[1] != '\0' && (*path)[1] != '[')
        ++*path;
    return true;
}

struct document_node *document_follow(const struct document_node *node,
                                      const struct document_step *step)
{
    if (step->is_index)
        return document_item(node, step->index);
    if (node->kind != DOCUMENT_SEQUENCE)
        return document_get(node, step->key);
    for (struct document_node *item = node->child; item; item = item->next) {
        const struct document_node *name = document_get(item, "name");

        if (name && name->text && strcmp(name->text, step->key) == 0)
            return item;
    }
    return NULL;
}

enum sim_status document_fail(const struct document_mark *mark,
                              struct sim_error *error, const char *format, ...)
{
    char message[SIM_ERROR_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (mark->line == 0)
        return sim_fail(error, SIM_BAD_USAGE, "%s: %s", mark->source, message);
    return sim_fail(error, SIM_BAD_SCENARIO, "%s:%" PRIu32 ":%" PRIu32 ": %s",
                    mark->source, mark->line, mark->column, message);
}

const char *document_quote(const char *text,
                           char quoted[static DOCUMENT_QUOTE_BYTES])
{
    static const char ellipsis[] = "...'";
    char piece[TEXT_PIECE_BYTES];
    size_t length = 0;

    quoted[length++] = '\'';
    while (*text != '\0') {
        size_t bytes = text_next(&text, piece);

        if (length + bytes + sizeof ellipsis > DOCUMENT_QUOTE_BYTES) {
            memcpy(&quoted[length], ellipsis, sizeof ellipsis);
            return quoted;
        }
        memcpy(&quoted[length], piece, bytes);
        length += bytes;
    }
    quoted[length++] = '\'';
    quoted[length] = '\0';
    return quoted;
}
