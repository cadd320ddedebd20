/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/machine/scenario_keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/machine/document.h"
#include "sim/machine/suggest.h"
#include "sim/machine/text.h"

/* What is not built yet is listed too: to say so is kinder than "unknown". */

static const struct scenario_word PROFILES[] = {
    {"reference-2020", true},
    {"native-2020", true},
    {NULL, false},
};

static const struct scenario_word SCHEDULERS[] = {
    {"round-robin", true}, {"classic", false}, {"core", false},
    {"root", false},       {NULL, false},
};

static const struct scenario_word TRANSLATIONS[] = {
    {"slat", true},
    {"shadow", false},
    {NULL, false},
};

static const struct scenario_word TIMINGS[] = {
    {"table", true},
    {"unit", true},
    {"null", true},
    {NULL, false},
};

static const struct scenario_word VALIDATION_KINDS[] = {
    {"definitional", true},
    {"calibration", true},
    {NULL, false},
};

static const struct scenario_word GUEST_BITS[] = {
    {"16", true},
    {"32", true},
    {"64", true},
    {NULL, false},
};

struct section {
    size_t bytes;
    const char *help;
};

static const struct section sections[SCENARIO_SECTION_COUNT] = {
#define SECTION(id, type, help) [SCENARIO_SECTION_##id] = {sizeof(type), help},
#include "sim/machine/scenario_keys.def"
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
     .words = (list),                                                          \
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
#include "sim/machine/scenario_keys.def"
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

static void print_expected_words(const struct scenario_word *words,
                                 char *expected)
{
    const char *separator = "";
    size_t length = 0;

    for (; words->text; words++) {
        size_t room = SCENARIO_EXPECTED_BYTES - length;

        if (!words->built || strlen(words->text) + strlen(separator) >= room)
            continue;
        length += (size_t)snprintf(&expected[length], room, "%s%s", separator,
                                   words->text);
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
        print_expected_words(key->words, expected);
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

/** "'20ks' has an unknown unit; expected a time ... (units: ns, us, ...)" */
static bool refuse(const struct scenario_key *key, const char *text,
                   const char *wrong, const char *hint, char *why)
{
    char quoted[DOCUMENT_QUOTE_BYTES];
    char expected[SCENARIO_EXPECTED_BYTES];

    scenario_key_expected(key, expected);
    if (*text == '\0')
        snprintf(why, SCENARIO_WHY_BYTES, "is empty; expected %s%s", expected,
                 hint);
    else
        snprintf(why, SCENARIO_WHY_BYTES, "%s %s; expected %s%s",
                 document_quote(text, quoted), wrong, expected, hint);
    return false;
}

#define HINT_BYTES 96

/** What helps with a quantity: an example, and the units if one is missing. */
static void hint_at_quantity(const struct scenario_key *key,
                             enum units_status status,
                             char hint[static HINT_BYTES])
{
    enum units_kind kind = scenario_key_units(key);
    bool unit = status == UNITS_NO_UNIT || status == UNITS_UNKNOWN_UNIT;

    hint[0] = '\0';
    if (kind == UNITS_PLAIN || !key->standard)
        return;
    snprintf(hint, HINT_BYTES, "%s%s%s%s%s", *key->standard ? ", such as " : "",
             key->standard, unit ? " (units: " : "",
             unit ? units_list(kind) : "", unit ? ")" : "");
}

static bool parse_quantity(const struct scenario_key *key, const char *text,
                           uint64_t *number, char *why)
{
    enum units_kind kind = scenario_key_units(key);
    enum units_status status = units_parse(kind, text, number);
    char hint[HINT_BYTES];

    hint_at_quantity(key, status, hint);
    if (status == UNITS_TOO_FINE && kind == UNITS_PLAIN)
        return refuse(key, text, "is not a whole number", hint, why);
    if (status != UNITS_OK)
        return refuse(key, text, units_status_text(status), hint, why);
    if (*number < key->least)
        return refuse(key, text, "is too small", hint, why);
    if (*number > key->most)
        return refuse(key, text, "is too large", hint, why);
    if (key->type == SCENARIO_BYTES && *number % (UINT64_C(1) << 20) != 0)
        return refuse(key, text, "is not a whole number of MiB", hint, why);
    return true;
}

static bool parse_switch(const struct scenario_key *key, const char *text,
                         uint64_t *number, char *why)
{
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return refuse(key, text, "is neither", "", why);
    *number = *text == 't';
    return true;
}

static bool is_name(const char *text, const char *punctuation)
{
    static const char alphanumeric[] = "abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

    if (*text == '\0' || !strchr(alphanumeric, *text))
        return false;
    while (*text != '\0' &&
           (strchr(alphanumeric, *text) || strchr(punctuation, *text)))
        text++;
    return *text == '\0';
}

static bool parse_name(const struct scenario_key *key, const char *text,
                       char *why)
{
    bool vm = key->type == SCENARIO_VM_NAME;

    if (vm && strcmp(text, "_Total") == 0)
        return refuse(key, text, "is what counters call the sum of all", "",
                      why);
    if (vm && strchr(text, ':'))
        return refuse(key, text,
                      "has a ':', which separates VM and VP in counters", "",
                      why);
    if (strlen(text) > key->most)
        return refuse(key, text, "is too long", "", why);
    if (!is_name(text, vm ? "-_" : "-_."))
        return refuse(key, text, "is not a name", "", why);
    return true;
}

/* Of a path or a text. */
static bool parse_text(const struct scenario_key *key, const char *text,
                       char *why)
{
    if (strlen(text) > key->most)
        return refuse(key, text, "is too long", "", why);
    for (const char *at = text; *at; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return refuse(key, text, "has a control character", "", why);
    }
    return true;
}

static bool parse_string(const struct scenario_key *key, const char *text,
                         char *why)
{
    if (strlen(text) > key->most)
        return refuse(key, text, "is too long", "", why);
    return true;
}

#define HEX_DIGITS "0123456789abcdefABCDEF"

static bool parse_hex(const struct scenario_key *key, const char *text,
                      char *why)
{
    size_t digits = strlen(text);

    if (strspn(text, HEX_DIGITS) != digits || digits % 2 != 0)
        return refuse(key, text, "are no bytes", "", why);
    if (digits / 2 > key->most)
        return refuse(key, text, "is too long", "", why);
    return true;
}

size_t scenario_key_parse_hex(const char *digits, uint8_t *bytes, size_t most)
{
    size_t count = 0;

    for (; count < most && digits[0] && digits[1]; digits += 2) {
        const char two[] = {digits[0], digits[1], '\0'};

        bytes[count++] = (uint8_t)strtoul(two, NULL, 16);
    }
    return count;
}

static bool parse_address(const struct scenario_key *key, const char *text,
                          uint64_t *address, char *why)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hex ? text + 2 : text;
    size_t length =
        strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789");

    if (length == 0 || digits[length] != '\0')
        return refuse(key, text, "is not an address", "", why);
    if (!hex && length > 1 && digits[0] == '0')
        return refuse(key, text, "has a leading zero", "", why);
    errno = 0;
    *address = strtoull(digits, NULL, hex ? 16 : 10);
    if (errno != 0 || *address > key->most)
        return refuse(key, text, "is too large", "", why);
    return true;
}

static bool parse_decimal(const struct scenario_key *key, const char *text,
                          char *why)
{
    static const char digits[] = "0123456789";
    const char *at = *text == '-' ? text + 1 : text;
    size_t whole = strspn(at, digits);

    if (strlen(text) > key->most)
        return refuse(key, text, "is too long", "", why);
    at += whole;
    if (whole > 0 && *at == '.' && strspn(at + 1, digits) > 0)
        at += 1 + strspn(at + 1, digits);
    if (whole == 0 || *at != '\0')
        return refuse(key, text, "is not a number", "", why);
    return true;
}

static bool parse_choice(const struct scenario_key *key, const char *text,
                         const char **choice, char *why)
{
    struct suggestion near = {0};
    char hint[SUGGEST_WORD_BYTES_MAX + 32] = "";

    for (const struct scenario_word *word = key->words; word->text; word++) {
        if (strcmp(word->text, text) == 0 && !word->built)
            return refuse(key, text, "is not built yet", "", why);
        if (strcmp(word->text, text) == 0) {
            *choice = word->text;
            return true;
        }
        if (word->built)
            suggest_offer(&near, text, word->text);
    }
    if (near.word)
        snprintf(hint, sizeof hint, "; did you mean '%s'?", near.word);
    return refuse(key, text, "is not known", hint, why);
}

bool scenario_key_parse(const struct scenario_key *key, const char *text,
                        struct scenario_value *value,
                        char why[static SCENARIO_WHY_BYTES])
{
    *value = (struct scenario_value){.text = text};
    if (*text == '\0' && key->standard && *key->standard == '\0') {
        value->number = SCENARIO_NO_ADDRESS;
        return true;
    }
    switch (key->type) {
    case SCENARIO_NUMBER_OR_AUTO:
        if (strcmp(text, "auto") == 0)
            return true;
        return parse_quantity(key, text, &value->number, why);
    case SCENARIO_NUMBER:
    case SCENARIO_DURATION:
    case SCENARIO_BYTES:
    case SCENARIO_FREQUENCY:
    case SCENARIO_FRACTION:
        return parse_quantity(key, text, &value->number, why);
    case SCENARIO_SWITCH:
        return parse_switch(key, text, &value->number, why);
    case SCENARIO_NAME:
    case SCENARIO_VM_NAME:
        return parse_name(key, text, why);
    case SCENARIO_FILE:
        if (*text == '\0')
            return refuse(key, text, "is empty", "", why);
        return parse_text(key, text, why);
    case SCENARIO_TEXT:
        return parse_text(key, text, why);
    case SCENARIO_STRING:
        return parse_string(key, text, why);
    case SCENARIO_HEX:
        return parse_hex(key, text, why);
    case SCENARIO_DECIMAL:
        return parse_decimal(key, text, why);
    case SCENARIO_ADDRESS:
        return parse_address(key, text, &value->number, why);
    case SCENARIO_CHOICE:
        return parse_choice(key, text, &value->text, why);
    case SCENARIO_PART:
    case SCENARIO_LIST:
    case SCENARIO_WORDS:
    case SCENARIO_PLANNED:
        break;
    }
    return refuse(key, text, "is a single value", "", why);
}

static bool holds_text(const struct scenario_key *key)
{
    return key->type == SCENARIO_NAME || key->type == SCENARIO_VM_NAME ||
           key->type == SCENARIO_FILE || key->type == SCENARIO_TEXT ||
           key->type == SCENARIO_STRING || key->type == SCENARIO_HEX ||
           key->type == SCENARIO_DECIMAL || key->type == SCENARIO_CHOICE;
}

void scenario_key_store(const struct scenario_key *key, void *section,
                        struct scenario_value value)
{
    char *field = (char *)section + key->offset;

    if (holds_text(key)) {
        CHECK(key->bytes == sizeof value.text);
        memcpy(field, &value.text, sizeof value.text);
    } else if (key->type == SCENARIO_SWITCH) {
        CHECK(key->bytes == sizeof(bool));
        *(bool *)field = value.number != 0;
    } else if (key->bytes == sizeof(uint32_t)) {
        CHECK(value.number <= UINT32_MAX);
        *(uint32_t *)(void *)field = (uint32_t)value.number;
    } else {
        CHECK(key->bytes == sizeof(uint64_t));
        *(uint64_t *)(void *)field = value.number;
    }
}

struct scenario_value scenario_key_load(const struct scenario_key *key,
                                        const void *section)
{
    const char *field = (const char *)section + key->offset;
    struct scenario_value value = {0};

    if (holds_text(key))
        memcpy(&value.text, field, sizeof value.text);
    else if (key->type == SCENARIO_SWITCH)
        value.number = *(const bool *)field;
    else if (key->bytes == sizeof(uint32_t))
        value.number = *(const uint32_t *)(const void *)field;
    else
        value.number = *(const uint64_t *)(const void *)field;
    return value;
}

bool scenario_key_is_given(const struct scenario_key *key, const void *section)
{
    size_t count;

    if (key->type == SCENARIO_LIST) {
        memcpy(&count, (const char *)section + key->count_offset, sizeof count);
        return count > 0 || !key->standard;
    }
    if (!key->standard || *key->standard != '\0')
        return true;

    struct scenario_value value = scenario_key_load(key, section);

    return holds_text(key) ? *value.text != '\0'
                           : value.number != SCENARIO_NO_ADDRESS;
}

void scenario_key_print_quoted(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

void scenario_key_print(const struct scenario_key *key,
                        struct scenario_value value, FILE *out)
{
    char text[UNITS_TEXT_BYTES];

    if (key->type == SCENARIO_CHOICE) {
        fprintf(out, "%s", value.text);
    } else if (key->type == SCENARIO_STRING) {
        text_print_quoted(out, value.text);
    } else if (holds_text(key)) {
        scenario_key_print_quoted(value.text, out);
    } else if (key->type == SCENARIO_ADDRESS) {
        fprintf(out, "0x%" PRIx64, value.number);
    } else if (key->type == SCENARIO_SWITCH) {
        fprintf(out, "%s", value.number ? "true" : "false");
    } else {
        units_print(scenario_key_units(key), value.number, text);
        fprintf(out, "%s", text);
    }
}
