/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The value of a key: from text to field, and back. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/scenario/document.h"
#include "sim/scenario/lp_list.h"
#include "sim/scenario/scenario_keys.h"
#include "sim/scenario/suggest.h"
#include "sim/text/encode.h"
#include "sim/text/text.h"

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
    if (vm && strcmp(text, "Root") == 0)
        return refuse(key, text, "is what results call the root partition", "",
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

/* What YAML takes for the end of a line, and folds. */
static bool is_break(uint32_t c)
{
    return c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

/* What is wrong with the text, or NULL. An option may hold any bytes, and a
 * file any characters, escaped: what is kept must read back. */
static const char *text_fault(const char *text, bool is_string)
{
    const char *end = text + strlen(text);
    uint32_t c;

    while (text < end) {
        size_t length = text_decode(text, (size_t)(end - text), &c);

        if (length == 0)
            return "is not UTF-8 text";
        if (!is_string &&
            (c == '\t' || is_break(c) || !document_is_printable(c)))
            return "has a control character";
        text += length;
    }
    return NULL;
}

/* A path or a text; or a string, whose control characters are meant. */
static bool parse_text(const struct scenario_key *key, const char *text,
                       char *why)
{
    const char *fault = text_fault(text, key->type == SCENARIO_STRING);

    if (strlen(text) > key->most)
        return refuse(key, text, "is too long", "", why);
    return !fault || refuse(key, text, fault, "", why);
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
    struct scenario_word word;

    for (unsigned i = 0; word = key->word_at(i), word.text; i++) {
        if (strcmp(word.text, text) == 0 && !word.built)
            return refuse(key, text, "is not built yet", "", why);
        if (strcmp(word.text, text) == 0) {
            *choice = word.text;
            return true;
        }
        if (word.built)
            suggest_offer(&near, text, word.text);
    }
    if (near.word)
        snprintf(hint, sizeof hint, "; did you mean '%s'?", near.word);
    return refuse(key, text, "is not known", hint, why);
}

static bool parse_lps(const struct scenario_key *key, const char *text,
                      struct lp_set *lps, char *why)
{
    const char *wrong = *text ? lp_list_parse(text, lps) : "";

    return !wrong || refuse(key, text, wrong, "", why);
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
    case SCENARIO_STRING:
        return parse_text(key, text, why);
    case SCENARIO_HEX:
        return parse_hex(key, text, why);
    case SCENARIO_DECIMAL:
        return parse_decimal(key, text, why);
    case SCENARIO_ADDRESS:
        return parse_address(key, text, &value->number, why);
    case SCENARIO_LPS:
        return parse_lps(key, text, &value->lps, why);
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
    } else if (key->type == SCENARIO_LPS) {
        CHECK(key->bytes == sizeof value.lps);
        memcpy(field, &value.lps, sizeof value.lps);
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
    else if (key->type == SCENARIO_LPS)
        memcpy(&value.lps, field, sizeof value.lps);
    else if (key->type == SCENARIO_SWITCH)
        value.number = *(const bool *)field;
    else if (key->bytes == sizeof(uint32_t))
        value.number = *(const uint32_t *)(const void *)field;
    else
        value.number = *(const uint64_t *)(const void *)field;
    return value;
}

static bool is_value_given(const struct scenario_key *key, const void *section)
{
    struct scenario_value value = scenario_key_load(key, section);

    if (key->type == SCENARIO_LPS)
        return !lp_set_is_empty(&value.lps);
    return holds_text(key) ? *value.text != '\0'
                           : value.number != SCENARIO_NO_ADDRESS;
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
    if (key->type != SCENARIO_PART)
        return is_value_given(key, section);

    const struct scenario_key *inner = NULL;

    while ((inner = scenario_key_next(key->part, inner))) {
        if (scenario_key_is_given(inner, (const char *)section + key->offset))
            return true;
    }
    return false;
}

static void print_lps(const struct lp_set *lps, FILE *out)
{
    char text[LP_LIST_TEXT_BYTES];

    lp_list_print(lps, text);
    fputs(text, out);
}

void scenario_key_print(const struct scenario_key *key,
                        struct scenario_value value, FILE *out)
{
    char text[UNITS_TEXT_BYTES];

    if (key->type == SCENARIO_CHOICE) {
        fprintf(out, "%s", value.text);
    } else if (key->type == SCENARIO_STRING) {
        text_print_quoted(out, value.text);
    } else if (holds_text(key)) { /* a string of JSON is one of YAML */
        encode_json(out, value.text);
    } else if (key->type == SCENARIO_LPS) {
        print_lps(&value.lps, out);
    } else if (key->type == SCENARIO_ADDRESS) {
        fprintf(out, "0x%" PRIx64, value.number);
    } else if (key->type == SCENARIO_SWITCH) {
        fprintf(out, "%s", value.number ? "true" : "false");
    } else {
        units_print(scenario_key_units(key), value.number, text);
        fprintf(out, "%s", text);
    }
}
