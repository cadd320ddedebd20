/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/scenario/scenario_keys.h"

#include <inttypes.h>
#include <string.h>

#include "hypervisor/sched.h"
#include "sim/core/check.h"

/* What is not built yet is listed too: to say so is kinder than "unknown". */

static struct scenario_word profile_word(unsigned index)
{
    static const struct scenario_word words[] = {
        {"reference-2020", true, NULL},
        {"native-2020", true, NULL},
        {NULL, false, NULL},
    };

    return words[index];
}

/* Whichever policies there are. */
static struct scenario_word scheduler_word(unsigned index)
{
    const struct hv_sched_ops *ops = sched_by_index(index);

    return ops ? (struct scenario_word){ops->name, true, ops->help}
               : (struct scenario_word){NULL, false, NULL};
}

static struct scenario_word translation_word(unsigned index)
{
    static const struct scenario_word words[] = {
        {"slat", true, NULL},
        {"shadow", false, NULL},
        {NULL, false, NULL},
    };

    return words[index];
}

static struct scenario_word timing_word(unsigned index)
{
    static const struct scenario_word words[] = {
        {"table", true, NULL},
        {"unit", true, NULL},
        {"null", true, NULL},
        {NULL, false, NULL},
    };

    return words[index];
}

static struct scenario_word spin_word(unsigned index)
{
    static const struct scenario_word words[] = {
        {"yield", true, NULL},
        {"ignore", true, NULL},
        {NULL, false, NULL},
    };

    return words[index];
}

static struct scenario_word validation_word(unsigned index)
{
    static const struct scenario_word words[] = {
        {"definitional", true, NULL},
        {"calibration", true, NULL},
        {NULL, false, NULL},
    };

    return words[index];
}

static struct scenario_word bits_word(unsigned index)
{
    static const struct scenario_word words[] = {
        {"16", true, NULL},
        {"32", true, NULL},
        {"64", true, NULL},
        {NULL, false, NULL},
    };

    return words[index];
}

struct section {
    size_t bytes;
    const char *help;
};

static const struct section sections[SCENARIO_SECTION_COUNT] = {
#define SECTION(id, type, help) [SCENARIO_SECTION_##id] = {sizeof(type), help},
#include "sim/scenario/scenario_keys.def"
};

/* The struct of each section, for offsetof(). */
typedef struct scenario STRUCT_SCENARIO;
typedef struct scenario_host STRUCT_HOST;
typedef struct scenario_node STRUCT_NODE;
typedef struct scenario_hypervisor STRUCT_HYPERVISOR;
typedef struct scenario_root STRUCT_ROOT;
typedef struct scenario_vm STRUCT_VM;
typedef struct scenario_step STRUCT_STEP;
typedef struct scenario_disk STRUCT_DISK;
typedef struct scenario_nic STRUCT_NIC;
typedef struct scenario_integration STRUCT_INTEGRATION;
typedef struct scenario_enlightenments STRUCT_ENLIGHTENMENTS;
typedef struct scenario_guest STRUCT_GUEST;
typedef struct scenario_module STRUCT_MODULE;
typedef struct scenario_group STRUCT_GROUP;
typedef struct scenario_event STRUCT_EVENT;
typedef struct scenario_set STRUCT_SET;
typedef struct scenario_add_vps STRUCT_ADD_VPS;
typedef struct scenario_counters STRUCT_COUNTERS;
typedef struct scenario_validation STRUCT_VALIDATION;
typedef struct scenario_validation_run STRUCT_VALIDATION_RUN;
typedef struct scenario_validation_check STRUCT_VALIDATION_CHECK;

#define FIELD(in, field)                                                       \
    .offset = offsetof(STRUCT_##in, field),                                    \
    .bytes = sizeof(((STRUCT_##in *)NULL)->field)
#define COUNT(in, field) .count_offset = offsetof(STRUCT_##in, field)

static const struct scenario_key keys[] = {
#define VALUE(in, key, field, kind, standard_text, low, high, text)            \
    {.section = SCENARIO_SECTION_##in,                                         \
     .name = (key),                                                            \
     .type = SCENARIO_##kind,                                                  \
     .standard = (standard_text),                                              \
     .least = (low),                                                           \
     .most = (high),                                                           \
     .help = (text),                                                           \
     FIELD(in, field)},
#define CHOICE(in, key, field, list, standard_text, text)                      \
    {.section = SCENARIO_SECTION_##in,                                         \
     .name = (key),                                                            \
     .type = SCENARIO_CHOICE,                                                  \
     .standard = (standard_text),                                              \
     .word_at = (list),                                                        \
     .help = (text),                                                           \
     FIELD(in, field)},
#define PART(in, key, field, inner, standard_text, text)                       \
    {.section = SCENARIO_SECTION_##in,                                         \
     .name = (key),                                                            \
     .type = SCENARIO_PART,                                                    \
     .standard = (standard_text),                                              \
     .part = SCENARIO_SECTION_##inner,                                         \
     .help = (text),                                                           \
     FIELD(in, field)},
#define LIST(in, key, items, count, inner, standard_text, low, high, text)     \
    {.section = SCENARIO_SECTION_##in,                                         \
     .name = (key),                                                            \
     .type = SCENARIO_LIST,                                                    \
     .standard = (standard_text),                                              \
     .least = (low),                                                           \
     .most = (high),                                                           \
     .part = SCENARIO_SECTION_##inner,                                         \
     .help = (text),                                                           \
     FIELD(in, items),                                                         \
     COUNT(in, count)},
#define WORDS(in, key, items, count, standard_text, high, text)                \
    {.section = SCENARIO_SECTION_##in,                                         \
     .name = (key),                                                            \
     .type = SCENARIO_WORDS,                                                   \
     .standard = (standard_text),                                              \
     .most = (high),                                                           \
     .help = (text),                                                           \
     FIELD(in, items),                                                         \
     COUNT(in, count)},
#define PLANNED(in, key, instead)                                              \
    {.section = SCENARIO_SECTION_##in,                                         \
     .name = (key),                                                            \
     .type = SCENARIO_PLANNED,                                                 \
     .help = (instead)},
#include "sim/scenario/scenario_keys.def"
};

#define KEY_COUNT (sizeof keys / sizeof keys[0])

size_t scenario_section_bytes(enum scenario_section section)
{
    CHECK(section < SCENARIO_SECTION_COUNT);
    return sections[section].bytes;
}

const char *scenario_section_help(enum scenario_section section)
{
    CHECK(section < SCENARIO_SECTION_COUNT);
    return sections[section].help;
}

const struct scenario_key *scenario_key_next(enum scenario_section section,
                                             const struct scenario_key *after)
{
    for (size_t i = after ? (size_t)(after - keys) + 1 : 0; i < KEY_COUNT;
         i++) {
        if (keys[i].section == section)
            return &keys[i];
    }
    return NULL;
}

const struct scenario_key *scenario_key_find(enum scenario_section section,
                                             const char *name)
{
    const struct scenario_key *key = NULL;

    while ((key = scenario_key_next(section, key))) {
        if (strcmp(key->name, name) == 0)
            return key;
    }
    return NULL;
}

enum units_kind scenario_key_units(const struct scenario_key *key)
{
    switch (key->type) {
    case SCENARIO_DURATION:
        return UNITS_DURATION;
    case SCENARIO_BYTES:
        return UNITS_BYTES;
    case SCENARIO_FREQUENCY:
        return UNITS_FREQUENCY;
    case SCENARIO_FRACTION:
        return UNITS_FRACTION;
    case SCENARIO_NUMBER:
    case SCENARIO_NUMBER_OR_AUTO:
    case SCENARIO_SWITCH:
    case SCENARIO_NAME:
    case SCENARIO_VM_NAME:
    case SCENARIO_FILE:
    case SCENARIO_TEXT:
    case SCENARIO_STRING:
    case SCENARIO_HEX:
    case SCENARIO_DECIMAL:
    case SCENARIO_ADDRESS:
    case SCENARIO_LPS:
    case SCENARIO_CHOICE:
    case SCENARIO_PART:
    case SCENARIO_LIST:
    case SCENARIO_WORDS:
    case SCENARIO_PLANNED:
        break;
    }
    return UNITS_PLAIN;
}

static void print_expected_range(const struct scenario_key *key,
                                 const char *what, char *expected)
{
    enum units_kind units = scenario_key_units(key);
    char least[UNITS_TEXT_BYTES];
    char most[UNITS_TEXT_BYTES];

    units_print(units, key->least, least);
    units_print(units, key->most, most);
    if (key->least == key->most)
        snprintf(expected, SCENARIO_EXPECTED_BYTES, "%s", least);
    else
        snprintf(expected, SCENARIO_EXPECTED_BYTES, "%s from %s to %s", what,
                 least, most);
}

static void print_expected_words(const struct scenario_key *key, char *expected)
{
    const char *separator = "";
    size_t length = 0;
    struct scenario_word word;

    for (unsigned i = 0; word = key->word_at(i), word.text; i++) {
        size_t room = SCENARIO_EXPECTED_BYTES - length;

        if (!word.built || strlen(word.text) + strlen(separator) >= room)
            continue;
        length += (size_t)snprintf(&expected[length], room, "%s%s", separator,
                                   word.text);
        separator = " or ";
    }
}

void scenario_key_expected(const struct scenario_key *key,
                           char expected[static SCENARIO_EXPECTED_BYTES])
{
    const char *text = "";

    switch (key->type) {
    case SCENARIO_NUMBER:
        print_expected_range(key, "a whole number", expected);
        return;
    case SCENARIO_NUMBER_OR_AUTO:
        print_expected_range(key, "auto or a whole number", expected);
        return;
    case SCENARIO_DURATION:
        print_expected_range(key, "a time", expected);
        return;
    case SCENARIO_BYTES:
        print_expected_range(key, "a size", expected);
        return;
    case SCENARIO_FREQUENCY:
        print_expected_range(key, "a frequency", expected);
        return;
    case SCENARIO_FRACTION:
        print_expected_range(key, "a percentage", expected);
        return;
    case SCENARIO_CHOICE:
        print_expected_words(key, expected);
        return;
    case SCENARIO_SWITCH:
        text = "true or false";
        break;
    case SCENARIO_NAME:
        text = "a name: a letter or digit, then letters, digits, '-', '_' or "
               "'.'; at most 64 of them";
        break;
    case SCENARIO_VM_NAME:
        text = "a name: a letter or digit, then letters, digits, '-' or '_'; "
               "at most 64 of them";
        break;
    case SCENARIO_FILE:
        text = "the path of a file";
        break;
    case SCENARIO_TEXT:
    case SCENARIO_STRING:
        snprintf(expected, SCENARIO_EXPECTED_BYTES,
                 "a text of at most %" PRIu64 " bytes", key->most);
        return;
    case SCENARIO_HEX:
        snprintf(expected, SCENARIO_EXPECTED_BYTES,
                 "two hexadecimal digits for each of at most %" PRIu64 " bytes",
                 key->most);
        return;
    case SCENARIO_DECIMAL:
        text = "a number, such as 10 or -0.39";
        break;
    case SCENARIO_ADDRESS:
        snprintf(expected, SCENARIO_EXPECTED_BYTES,
                 "an address up to 0x%" PRIx64 ", such as 0x100000", key->most);
        return;
    case SCENARIO_LPS:
        text = "logical processors, such as [0-3, 6] or 0-3,6";
        break;
    case SCENARIO_PART:
        text = "a mapping {KEY: VALUE, ...}";
        break;
    case SCENARIO_LIST:
        text = "a list of mappings [{KEY: VALUE, ...}, ...]";
        break;
    case SCENARIO_WORDS:
        text = "a mapping {KEY: VALUE, ...} of words without blanks";
        break;
    case SCENARIO_PLANNED:
        text = "nothing; it is not built yet";
        break;
    }
    snprintf(expected, SCENARIO_EXPECTED_BYTES, "%s", text);
}
