/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From document to struct scenario, driven by the table of keys: for each
 * section, first every key that stands in the file is looked up (so a typing
 * error is reported where it is, and not as something missing elsewhere), then
 * every key of the table gets its value from the file or its default.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/core/check.h"
#include "sim/scenario/scenario_keys.h"
#include "sim/scenario/scenario_private.h"
#include "sim/scenario/suggest.h"

#define PATH_BYTES 160

struct reader {
    struct sim_error *error;
    char path[PATH_BYTES]; /* of the value being read: "vms[0].weight" */
};

/** Where a path stood before something was added to it. */
struct path_length {
    size_t bytes;
};

static struct path_length path_enter(struct reader *reader, const char *key)
{
    struct path_length before = {strlen(reader->path)};

    snprintf(&reader->path[before.bytes], PATH_BYTES - before.bytes, "%s%s",
             before.bytes > 0 ? "." : "", key);
    return before;
}

static struct path_length path_enter_item(struct reader *reader, size_t index)
{
    struct path_length before = {strlen(reader->path)};

    snprintf(&reader->path[before.bytes], PATH_BYTES - before.bytes, "[%zu]",
             index);
    return before;
}

static void path_leave(struct reader *reader, struct path_length before)
{
    reader->path[before.bytes] = '\0';
}

/** Fails with "place: path: message". */
static enum sim_status refuse(const struct reader *reader,
                              const struct document_mark *mark,
                              const char *format, ...) PRINTF_LIKE(3, 4);

static enum sim_status refuse(const struct reader *reader,
                              const struct document_mark *mark,
                              const char *format, ...)
{
    char message[SIM_ERROR_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return document_fail(mark, reader->error, "%s%s%s", reader->path,
                         reader->path[0] ? ": " : "", message);
}

static enum sim_status out_of_memory(const struct reader *reader)
{
    return sim_fail(reader->error, SIM_NO_MEMORY, "%s: out of memory",
                    reader->path);
}

static enum sim_status read_section(struct reader *reader,
                                    const struct document_node *node,
                                    const struct document_mark *mark,
                                    enum scenario_section section, void *to);

/** `expected` says what a value should be when `node` is of another kind. */
static enum sim_status refuse_kind(const struct reader *reader,
                                   const struct document_node *node,
                                   const struct scenario_key *key)
{
    char expected[SCENARIO_EXPECTED_BYTES];
    char quoted[DOCUMENT_QUOTE_BYTES];

    scenario_key_expected(key, expected);
    switch (node->kind) {
    case DOCUMENT_MAPPING:
        return refuse(reader, &node->mark, "a mapping; expected %s", expected);
    case DOCUMENT_SEQUENCE:
        return refuse(reader, &node->mark, "a list; expected %s", expected);
    case DOCUMENT_SCALAR:
        break;
    }
    if (node->text[0] == '\0')
        return refuse(reader, &node->mark, "is empty; expected %s%s", expected,
                      key->standard ? ", or leave the key out" : "");
    return refuse(reader, &node->mark, "%s; expected %s",
                  document_quote(node->text, quoted), expected);
}

static enum sim_status refuse_unknown(const struct reader *reader,
                                      const struct document_node *node,
                                      enum scenario_section section)
{
    char quoted[DOCUMENT_QUOTE_BYTES];
    char list[SIM_ERROR_BYTES_MAX / 2] = "";
    struct suggestion near = {0};
    const struct scenario_key *key = NULL;

    while ((key = scenario_key_next(section, key))) {
        size_t length = strlen(list);

        if (key->type == SCENARIO_PLANNED)
            continue;
        suggest_offer(&near, node->key, key->name);
        snprintf(&list[length], sizeof list - length, "%s%s",
                 length > 0 ? ", " : "", key->name);
    }
    if (near.word)
        return refuse(reader, &node->key_mark,
                      "unknown key %s; did you mean '%s'?",
                      document_quote(node->key, quoted), near.word);
    return refuse(reader, &node->key_mark,
                  "unknown key %s; expected one of: %s",
                  document_quote(node->key, quoted), list);
}

/** Every key in the file must be one of the section's. */
static enum sim_status check_keys(struct reader *reader,
                                  const struct document_node *node,
                                  enum scenario_section section)
{
    for (const struct document_node *child = node->child; child;
         child = child->next) {
        const struct scenario_key *key = scenario_key_find(section, child->key);

        if (!key)
            return refuse_unknown(reader, child, section);
        if (key->type == SCENARIO_PLANNED)
            return refuse(reader, &child->key_mark,
                          "'%s' is not built yet; what there is: %s", key->name,
                          key->help);
    }
    return SIM_OK;
}

static enum sim_status read_scalar(struct reader *reader,
                                   const struct document_node *node,
                                   const struct scenario_key *key, void *to)
{
    const char *text = node ? node->text : key->standard;
    struct scenario_value value;
    char why[SCENARIO_WHY_BYTES];

    if (node && node->kind != DOCUMENT_SCALAR)
        return refuse_kind(reader, node, key);
    if (!scenario_key_parse(key, text, &value, why)) {
        CHECK(node); /* a default of the table is always valid */
        return refuse(reader, &node->mark, "%s", why);
    }
    scenario_key_store(key, to, value);
    return SIM_OK;
}

/** `[0-3, 6]`; or the same in one text. */
static enum sim_status read_lps(struct reader *reader,
                                const struct document_node *node,
                                const struct scenario_key *key, void *to)
{
    struct scenario_value all = {0};

    if (!node || node->kind != DOCUMENT_SEQUENCE)
        return read_scalar(reader, node, key, to);
    if (node->child_count == 0)
        return refuse(reader, &node->mark,
                      "no logical processor; expected at least one");
    for (const struct document_node *child = node->child; child;
         child = child->next) {
        struct lp_set lps;
        enum sim_status status;

        if (child->kind == DOCUMENT_SCALAR && child->text[0] == '\0')
            return refuse_kind(reader, child, key);
        status = read_scalar(reader, child, key, to);
        if (status != SIM_OK)
            return status;
        lps = scenario_key_load(key, to).lps;
        all.lps = lp_set_or(&all.lps, &lps);
    }
    scenario_key_store(key, to, all);
    return SIM_OK;
}

/** Puts a new array of `count` zeroed items in the key's field. */
static void *make_items(const struct scenario_key *key, void *to, size_t count,
                        size_t item_bytes)
{
    void *items = calloc(count > 0 ? count : 1, item_bytes);

    CHECK(key->bytes == sizeof items);
    if (!items)
        return NULL;
    memcpy((char *)to + key->offset, &items, sizeof items);
    memcpy((char *)to + key->count_offset, &count, sizeof count);
    return items;
}

/** An absent list is empty, or has one item, all defaults ("[]" and "[{}]" in
 *  the table). */
static enum sim_status read_list(struct reader *reader,
                                 const struct document_node *node,
                                 const struct document_mark *mark,
                                 const struct scenario_key *key, void *to)
{
    size_t item_bytes = scenario_section_bytes(key->part);
    const struct document_node *child = node ? node->child : NULL;
    size_t count = node ? node->child_count : strcmp(key->standard, "[]") != 0;
    enum sim_status status = SIM_OK;

    if (node && node->kind != DOCUMENT_SEQUENCE)
        return refuse_kind(reader, node, key);
    if (count < key->least || count > key->most)
        return refuse(reader, &node->mark,
                      "%zu items; expected %" PRIu64 " to %" PRIu64, count,
                      key->least, key->most);

    char *items = make_items(key, to, count, item_bytes);

    if (!items)
        return out_of_memory(reader);
    for (size_t i = 0; i < count && status == SIM_OK; i++) {
        struct path_length before = path_enter_item(reader, i);

        status = read_section(reader, child, child ? &child->mark : mark,
                              key->part, &items[i * item_bytes]);
        path_leave(reader, before);
        child = child ? child->next : NULL;
    }
    return status;
}

static bool is_word(const char *text, size_t bytes_max)
{
    size_t bytes = strlen(text);

    for (size_t i = 0; i < bytes; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return bytes > 0 && bytes <= bytes_max;
}

#define WORD_KEY_BYTES_MAX 32
#define WORD_VALUE_BYTES_MAX 128

/** Arguments become KEY=VALUE words, so neither part may break a word. */
static enum sim_status read_word(struct reader *reader,
                                 const struct document_node *node,
                                 struct scenario_argument *argument)
{
    char quoted[DOCUMENT_QUOTE_BYTES];

    if (!is_word(node->key, WORD_KEY_BYTES_MAX) || strchr(node->key, '='))
        return refuse(reader, &node->key_mark,
                      "%s is not a key; expected up to %d ASCII characters "
                      "without blanks or '='",
                      document_quote(node->key, quoted), WORD_KEY_BYTES_MAX);
    if (!node->text)
        return refuse(reader, &node->mark,
                      "the value of '%s' is a %s; expected a single word",
                      node->key,
                      node->kind == DOCUMENT_MAPPING ? "mapping" : "list");
    if (!is_word(node->text, WORD_VALUE_BYTES_MAX))
        return refuse(reader, &node->mark,
                      "the value %s of '%s' is not a word; expected up to %d "
                      "ASCII characters without blanks",
                      document_quote(node->text, quoted), node->key,
                      WORD_VALUE_BYTES_MAX);
    *argument = (struct scenario_argument){node->key, node->text};
    return SIM_OK;
}

static enum sim_status read_words(struct reader *reader,
                                  const struct document_node *node,
                                  const struct scenario_key *key, void *to)
{
    const struct document_node *child = node ? node->child : NULL;
    size_t count = node ? node->child_count : 0;
    enum sim_status status = SIM_OK;

    if (node && node->kind != DOCUMENT_MAPPING)
        return refuse_kind(reader, node, key);
    if (count > key->most)
        return refuse(reader, &node->mark,
                      "%zu keys; expected at most %" PRIu64, count, key->most);

    struct scenario_argument *items = make_items(key, to, count, sizeof *items);

    if (!items)
        return out_of_memory(reader);
    for (; child && status == SIM_OK; child = child->next)
        status = read_word(reader, child, items++);
    return status;
}

/** The one key that everybody copies and nobody chooses. */
static bool is_version(const struct scenario_key *key)
{
    return key->type == SCENARIO_NUMBER && key->least == 1 && key->most == 1;
}

/** `node` is NULL where the file says nothing; `mark` is then of what is
 *  around it. */
static enum sim_status read_value(struct reader *reader,
                                  const struct document_node *node,
                                  const struct document_mark *mark,
                                  const struct scenario_key *key, void *to)
{
    if (!node && !key->standard && key->type != SCENARIO_PLANNED)
        return refuse(reader, mark, "is missing; expected '%s: %s' here (%s)",
                      key->name, is_version(key) ? "1" : "...", key->help);
    switch (key->type) {
    case SCENARIO_PLANNED:
        return SIM_OK;
    case SCENARIO_PART:
        if (node && node->kind != DOCUMENT_MAPPING)
            return refuse_kind(reader, node, key);
        return read_section(reader, node, mark, key->part,
                            (char *)to + key->offset);
    case SCENARIO_LIST:
        return read_list(reader, node, mark, key, to);
    case SCENARIO_WORDS:
        return read_words(reader, node, key, to);
    case SCENARIO_LPS:
        return read_lps(reader, node, key, to);
    case SCENARIO_NUMBER:
    case SCENARIO_NUMBER_OR_AUTO:
    case SCENARIO_DURATION:
    case SCENARIO_BYTES:
    case SCENARIO_FREQUENCY:
    case SCENARIO_FRACTION:
    case SCENARIO_SWITCH:
    case SCENARIO_NAME:
    case SCENARIO_VM_NAME:
    case SCENARIO_FILE:
    case SCENARIO_TEXT:
    case SCENARIO_STRING:
    case SCENARIO_HEX:
    case SCENARIO_DECIMAL:
    case SCENARIO_ADDRESS:
    case SCENARIO_CHOICE:
        break;
    }
    return read_scalar(reader, node, key, to);
}

static enum sim_status read_section(struct reader *reader,
                                    const struct document_node *node,
                                    const struct document_mark *mark,
                                    enum scenario_section section, void *to)
{
    const struct scenario_key *key = NULL;
    enum sim_status status = SIM_OK;

    if (node && node->kind != DOCUMENT_MAPPING)
        return refuse(reader, &node->mark,
                      "expected a mapping {KEY: VALUE, ...}: %s",
                      scenario_section_help(section));
    if (node)
        status = check_keys(reader, node, section);
    while (status == SIM_OK && (key = scenario_key_next(section, key))) {
        const struct document_node *child =
            node ? document_get(node, key->name) : NULL;
        struct path_length before = path_enter(reader, key->name);

        status =
            read_value(reader, child, child ? &child->mark : mark, key, to);
        path_leave(reader, before);
    }
    return status;
}

static enum sim_status read_document(struct scenario *scenario,
                                     const struct scenario_override *overrides,
                                     size_t override_count,
                                     struct sim_error *error)
{
    struct document_node *root = scenario->document;
    struct reader reader = {.error = error};
    enum sim_status status = SIM_OK;

    for (size_t i = 0; i < override_count && status == SIM_OK; i++)
        status = scenario_override_apply(root, &overrides[i], error);
    if (status == SIM_OK)
        status = read_section(&reader, root, &root->mark,
                              SCENARIO_SECTION_SCENARIO, scenario);
    if (status == SIM_OK)
        status = scenario_check(scenario, root, error);
    return status;
}

static char *folder_of(const char *file)
{
    const char *slash = strrchr(file, '/');

    return strndup(file, slash ? (size_t)(slash - file) + 1 : 0);
}

enum sim_status scenario_read_text(struct scenario **out, const char *file,
                                   const char *text, size_t bytes,
                                   const struct scenario_override *overrides,
                                   size_t override_count,
                                   struct sim_error *error)
{
    struct scenario *scenario = calloc(1, sizeof *scenario);
    enum sim_status status;

    *out = NULL;
    if (scenario)
        scenario->folder = folder_of(file);
    if (!scenario || !scenario->folder) {
        scenario_free(scenario);
        return sim_fail(error, SIM_NO_MEMORY, "%s: out of memory", file);
    }
    status = document_parse(&scenario->document, file, text, bytes, error);
    if (status == SIM_OK)
        status = read_document(scenario, overrides, override_count, error);
    if (status == SIM_OK)
        *out = scenario;
    else
        scenario_free(scenario);
    return status;
}

/** Reads all there is, up to one byte more than a document may have. */
static enum sim_status read_all(int fd, const char *name, char *buffer,
                                size_t *bytes, struct sim_error *error)
{
    *bytes = 0;
    while (*bytes <= DOCUMENT_BYTES_MAX) {
        ssize_t got =
            read(fd, &buffer[*bytes], DOCUMENT_BYTES_MAX + 1 - *bytes);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sim_fail(error, SIM_NO_INPUT, "%s: cannot be read: %s", name,
                            strerror(errno));
        if (got == 0)
            break;
        *bytes += (size_t)got;
    }
    return SIM_OK;
}

enum sim_status scenario_read_file(struct scenario **out, const char *path,
                                   const struct scenario_override *overrides,
                                   size_t override_count,
                                   struct sim_error *error)
{
    bool standard_input = strcmp(path, "-") == 0;
    const char *name = standard_input ? "<stdin>" : path;
    char *text = NULL;
    size_t bytes;
    enum sim_status status;

    *out = NULL;
    int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return sim_fail(error, SIM_NO_INPUT, "%s: cannot be opened: %s", name,
                        strerror(errno));
    text = malloc(DOCUMENT_BYTES_MAX + 1);
    if (!text) {
        status = sim_fail(error, SIM_NO_MEMORY, "%s: out of memory", name);
        goto out;
    }
    status = read_all(fd, name, text, &bytes, error);
    if (status == SIM_OK)
        status = scenario_read_text(out, name, text, bytes, overrides,
                                    override_count, error);
out:
    free(text);
    if (!standard_input)
        close(fd);
    return status;
}
