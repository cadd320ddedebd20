/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * YAML text to tree. libyaml reports what it sees as a flat stream of events;
 * a stack of the collections that are open turns it into nodes. The text is
 * checked for bad bytes first, because libyaml says only at which byte it
 * stumbled, and a person wants line and column.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "sim/core/check.h"
#include "sim/scenario/document.h"
#include "sim/text/text.h"

#define BYTE_ORDER_MARK 0xfeff /* may stand at the start of a file */

struct builder {
    const char *source;
    bool has_lines; /* false: marks have no line, see struct document_mark */
    struct sim_error *error;
    struct document_node *root; /* owned until the parse has succeeded */
    struct document_node *open[DOCUMENT_DEPTH_MAX]; /* outermost first */
    size_t depth;
    size_t node_count;
    /* The key that waits for its value in the innermost mapping. */
    char *key; /* owned; NULL: none */
    struct document_mark key_mark;
};

static enum sim_status out_of_memory(struct builder *builder)
{
    return sim_fail(builder->error, SIM_NO_MEMORY, "%s: out of memory",
                    builder->source);
}

static struct document_mark mark_of(const struct builder *builder,
                                    yaml_mark_t mark)
{
    return (struct document_mark){
        .source = builder->source,
        .line = builder->has_lines ? (uint32_t)mark.line + 1 : 0,
        .column = (uint32_t)mark.column + 1,
    };
}

static struct document_mark first_mark(const struct builder *builder)
{
    return mark_of(builder, (yaml_mark_t){0});
}

bool document_is_printable(uint32_t c)
{
    if (c < 0x20)
        return c == '\t' || c == '\n' || c == '\r';
    if (c < 0xa0)
        return c < 0x7f || c == 0x85;
    return c != BYTE_ORDER_MARK && c != 0xfffe && c != 0xffff;
}

static enum sim_status check_characters(struct builder *builder,
                                        const char *text, size_t bytes)
{
    struct document_mark mark = first_mark(builder);

    for (size_t i = 0; i < bytes;) {
        uint32_t character = 0;
        size_t length = text_decode(&text[i], bytes - i, &character);

        if (length == 0)
            return document_fail(&mark, builder->error,
                                 "byte 0x%02x is not UTF-8 text; expected a "
                                 "YAML file in UTF-8",
                                 (unsigned char)text[i]);
        if (character == 0)
            return document_fail(&mark, builder->error,
                                 "a NUL byte; expected a YAML file in UTF-8 "
                                 "(is this UTF-16, or no text at all?)");
        if (!document_is_printable(character) &&
            (character != BYTE_ORDER_MARK || i > 0))
            return document_fail(&mark, builder->error,
                                 "control character U+%04" PRIX32 "; expected "
                                 "text",
                                 character);
        i += length;
        mark.column++;
        if (character == '\n' ||
            (character == '\r' && (i == bytes || text[i] != '\n'))) {
            mark.line += builder->has_lines;
            mark.column = 1;
        }
    }
    return SIM_OK;
}

static enum sim_status yaml_failure(struct builder *builder,
                                    const yaml_parser_t *yaml)
{
    struct document_mark mark = mark_of(builder, yaml->problem_mark);
    const char *problem = yaml->problem ? yaml->problem : "unknown problem";

    if (yaml->error == YAML_MEMORY_ERROR)
        return out_of_memory(builder);
    /* The classic among YAML's mistakes deserves plain words. */
    if (strcmp(problem, "found character that cannot start any token") == 0 &&
        yaml->buffer.pointer < yaml->buffer.last &&
        *yaml->buffer.pointer == '\t')
        return document_fail(&mark, builder->error,
                             "a tab; YAML is indented with spaces");
    return document_fail(&mark, builder->error, "not valid YAML: %s%s%s",
                         problem, yaml->context ? " " : "",
                         yaml->context ? yaml->context : "");
}

static enum sim_status take_key(struct builder *builder,
                                struct document_node *mapping, const char *text,
                                struct document_mark mark)
{
    char quoted[DOCUMENT_QUOTE_BYTES];
    const struct document_node *twin = document_get(mapping, text);

    if (*text == '\0')
        return document_fail(&mark, builder->error, "a key is missing here");
    if (twin && twin->key_mark.line == 0) /* an option has no lines */
        return document_fail(&mark, builder->error,
                             "duplicate key %s; expected it once",
                             document_quote(text, quoted));
    if (twin)
        return document_fail(&mark, builder->error,
                             "duplicate key %s; it stands in line %" PRIu32
                             " already",
                             document_quote(text, quoted), twin->key_mark.line);
    if (mapping->child_count >= DOCUMENT_KEYS_MAX)
        return document_fail(&mark, builder->error,
                             "too many keys in one mapping; at most %d",
                             DOCUMENT_KEYS_MAX);
    builder->key = strdup(text);
    builder->key_mark = mark;
    return builder->key ? SIM_OK : out_of_memory(builder);
}

/** Puts a finished scalar or a newly opened collection into its place. */
static void place(struct builder *builder, struct document_node *node)
{
    CHECK(builder->depth > 0 || !builder->root);
    if (builder->depth == 0) {
        builder->root = node;
        return;
    }
    node->key = builder->key;
    node->key_mark = builder->key_mark;
    builder->key = NULL;
    document_append(builder->open[builder->depth - 1], node);
}

/** The innermost mapping if it waits for a key, else NULL. */
static struct document_node *waits_for_key(const struct builder *builder)
{
    struct document_node *inner =
        builder->depth > 0 ? builder->open[builder->depth - 1] : NULL;

    if (inner && inner->kind == DOCUMENT_MAPPING && !builder->key)
        return inner;
    return NULL;
}

static enum sim_status refuse_decoration(struct builder *builder,
                                         const yaml_event_t *event,
                                         const yaml_char_t *anchor,
                                         const yaml_char_t *tag)
{
    struct document_mark mark = mark_of(builder, event->start_mark);

    if (anchor)
        return document_fail(&mark, builder->error,
                             "an anchor ('&'); scenarios have no anchors and "
                             "aliases: write the value out, or use 'count' "
                             "for VMs alike");
    if (tag)
        return document_fail(&mark, builder->error,
                             "a tag ('!'); scenarios have no tags: leave it "
                             "out, types follow from the key");
    if (++builder->node_count > DOCUMENT_NODES_MAX)
        return document_fail(&mark, builder->error,
                             "too many values; at most %d", DOCUMENT_NODES_MAX);
    return SIM_OK;
}

static enum sim_status take_scalar(struct builder *builder,
                                   const yaml_event_t *event)
{
    struct document_mark mark = mark_of(builder, event->start_mark);
    const char *text = (const char *)event->data.scalar.value;
    struct document_node *mapping = waits_for_key(builder);
    enum sim_status status = refuse_decoration(
        builder, event, event->data.scalar.anchor, event->data.scalar.tag);

    if (status != SIM_OK)
        return status;
    if (strlen(text) != event->data.scalar.length)
        return document_fail(&mark, builder->error,
                             "a NUL character ('\\0') in a text");
    if (mapping)
        return take_key(builder, mapping, text, mark);

    struct document_node *node = document_new_scalar(mark, text);

    if (!node)
        return out_of_memory(builder);
    place(builder, node);
    return SIM_OK;
}

static enum sim_status open_collection(struct builder *builder,
                                       const yaml_event_t *event,
                                       enum document_kind kind)
{
    struct document_mark mark = mark_of(builder, event->start_mark);
    bool mapping = kind == DOCUMENT_MAPPING;
    enum sim_status status =
        refuse_decoration(builder, event,
                          mapping ? event->data.mapping_start.anchor
                                  : event->data.sequence_start.anchor,
                          mapping ? event->data.mapping_start.tag
                                  : event->data.sequence_start.tag);

    if (status != SIM_OK)
        return status;
    if (waits_for_key(builder))
        return document_fail(&mark, builder->error,
                             "a %s as a key; expected a plain word",
                             mapping ? "mapping" : "list");
    if (builder->depth == DOCUMENT_DEPTH_MAX)
        return document_fail(&mark, builder->error,
                             "nested too deeply; at most %d levels",
                             DOCUMENT_DEPTH_MAX);

    struct document_node *node = document_new(kind, mark);

    if (!node)
        return out_of_memory(builder);
    place(builder, node);
    builder->open[builder->depth++] = node;
    return SIM_OK;
}

static enum sim_status take_event(struct builder *builder,
                                  const yaml_event_t *event)
{
    struct document_mark mark = mark_of(builder, event->start_mark);

    switch (event->type) {
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return SIM_OK;
    case YAML_DOCUMENT_START_EVENT:
        if (!builder->root)
            return SIM_OK;
        return document_fail(&mark, builder->error,
                             "a second document; expected one scenario in a "
                             "file");
    case YAML_ALIAS_EVENT:
        return document_fail(&mark, builder->error,
                             "an alias ('*'); scenarios have no anchors and "
                             "aliases: write the value out (a text that "
                             "begins with '*' needs quotes)");
    case YAML_SCALAR_EVENT:
        return take_scalar(builder, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_collection(builder, event, DOCUMENT_SEQUENCE);
    case YAML_MAPPING_START_EVENT:
        return open_collection(builder, event, DOCUMENT_MAPPING);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        builder->depth--;
        return SIM_OK;
    }
    return SIM_OK;
}

static enum sim_status take_all_events(struct builder *builder,
                                       yaml_parser_t *yaml)
{
    for (;;) {
        yaml_event_t event;

        if (!yaml_parser_parse(yaml, &event))
            return yaml_failure(builder, yaml);

        enum sim_status status = take_event(builder, &event);
        bool done = event.type == YAML_STREAM_END_EVENT;

        yaml_event_delete(&event);
        if (status != SIM_OK || done)
            return status;
    }
}

static enum sim_status build(struct builder *builder, const char *text,
                             size_t bytes)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    struct document_mark top = first_mark(builder);
    yaml_parser_t yaml;
    enum sim_status status;

    if (bytes > DOCUMENT_BYTES_MAX)
        return document_fail(&top, builder->error,
                             "larger than %zu KiB; is this a scenario?",
                             DOCUMENT_BYTES_MAX >> 10);
    status = check_characters(builder, text, bytes);
    if (status != SIM_OK)
        return status;
    if (!yaml_parser_initialize(&yaml))
        return out_of_memory(builder);
    if (bytes >= 3 && memcmp(text, byte_order_mark, 3) == 0) {
        text += 3;
        bytes -= 3;
    }
    yaml_parser_set_encoding(&yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&yaml, (const unsigned char *)text, bytes);
    status = take_all_events(builder, &yaml);
    yaml_parser_delete(&yaml);
    if (status == SIM_OK && !builder->root)
        status = document_fail(&top, builder->error,
                               "nothing but comments or "
                               "blanks");
    return status;
}

static enum sim_status finish(struct builder *builder,
                              struct document_node **out,
                              enum sim_status status)
{
    free(builder->key);
    *out = builder->root;
    if (status != SIM_OK) {
        document_free(builder->root);
        *out = NULL;
    }
    return status;
}

enum sim_status document_parse(struct document_node **out, const char *source,
                               const char *text, size_t bytes,
                               struct sim_error *error)
{
    struct builder builder = {
        .source = source, .has_lines = true, .error = error};

    return finish(&builder, out, build(&builder, text, bytes));
}

enum sim_status document_parse_option(struct document_node **out,
                                      const char *source, const char *text,
                                      struct sim_error *error)
{
    struct builder builder = {.source = source, .error = error};

    return finish(&builder, out, build(&builder, text, strlen(text)));
}
