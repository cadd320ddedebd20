/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of keys as JSON Schema, draft-07: what editors' YAML support
 * understands. It says what the reader says, except for the relations between
 * parameters, which a schema cannot express.
 */
#include "sim/scenario/scenario_schema.h"

#include <inttypes.h>
#include <string.h>

#include "sim/scenario/scenario_keys.h"
#include "sim/text/encode.h"

static void print_object(enum scenario_section section, unsigned indent,
                         FILE *out);

static void print_default(const struct scenario_key *key, FILE *out)
{
    if (!key->standard)
        return;
    fprintf(out, ", \"default\": ");
    if (*key->standard == '\0')
        fprintf(out, key->type == SCENARIO_PART ? "{}" : "\"\"");
    else if (key->type == SCENARIO_NUMBER || key->type == SCENARIO_SWITCH ||
             key->type >= SCENARIO_PART)
        fprintf(out, "%s", key->standard);
    else
        encode_json(out, key->standard);
}

static void print_integer(const struct scenario_key *key, FILE *out)
{
    fprintf(out,
            "\"type\": \"integer\", \"minimum\": %" PRIu64
            ", \"maximum\": %" PRIu64,
            key->least, key->most);
}

static void print_pattern(const char *pattern, FILE *out)
{
    fprintf(out, "\"type\": \"string\", \"pattern\": ");
    encode_json(out, pattern);
}

/** A plain `null` is a text to us, but the null value to other readers; and
 *  so with a number. */
static void print_enum(const struct scenario_key *key, FILE *out)
{
    const char *separator = "";
    struct scenario_word word;

    fprintf(out, "\"enum\": [");
    for (unsigned i = 0; word = key->word_at(i), word.text; i++) {
        if (!word.built)
            continue;
        fprintf(out, "%s", separator);
        encode_json(out, word.text);
        separator = ", ";
        if (strcmp(word.text, "null") == 0)
            fprintf(out, ", null");
        if (strspn(word.text, "0123456789") == strlen(word.text))
            fprintf(out, ", %s", word.text);
    }
    fprintf(out, "]");
}

/** Digits alone are a number to other readers. */
static void print_hex(FILE *out)
{
    fprintf(out, "\"type\": [\"string\", \"integer\"], \"pattern\": ");
    encode_json(out, "^([0-9a-fA-F]{2})*$");
}

/** One LP alone is a number to other readers. */
static void print_lps(FILE *out)
{
    static const char range[] = "\"type\": [\"string\", \"integer\"], "
                                "\"pattern\": \"^[0-9]+(-[0-9]+)?$\"";

    fprintf(out,
            "\"anyOf\": [{\"type\": [\"string\", \"integer\"], "
            "\"pattern\": \"^[-0-9, ]*$\"}, {\"type\": \"array\", "
            "\"minItems\": 1, \"items\": {%s}}]",
            range);
}

/** The part of a schema that depends on the type. */
static void print_type(const struct scenario_key *key, unsigned indent,
                       FILE *out)
{
    switch (key->type) {
    case SCENARIO_NUMBER:
        print_integer(key, out);
        break;
    case SCENARIO_NUMBER_OR_AUTO:
        fprintf(out, "\"anyOf\": [{\"const\": \"auto\"}, {");
        print_integer(key, out);
        fprintf(out, "}]");
        break;
    case SCENARIO_DURATION:
    case SCENARIO_BYTES:
    case SCENARIO_FREQUENCY:
    case SCENARIO_FRACTION:
        print_pattern(units_pattern(scenario_key_units(key)), out);
        break;
    case SCENARIO_SWITCH:
        fprintf(out, "\"type\": \"boolean\"");
        break;
    case SCENARIO_NAME:
        print_pattern("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", out);
        break;
    case SCENARIO_VM_NAME:
        print_pattern("^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", out);
        break;
    case SCENARIO_FILE:
    case SCENARIO_TEXT:
    case SCENARIO_STRING:
        fprintf(out, "\"type\": \"string\", \"maxLength\": %" PRIu64,
                key->most);
        break;
    case SCENARIO_HEX:
        print_hex(out);
        break;
    case SCENARIO_DECIMAL:
        fprintf(out, "\"type\": [\"number\", \"string\"], "
                     "\"pattern\": \"^(-?[0-9]+([.][0-9]+)?)?$\"");
        break;
    case SCENARIO_ADDRESS:
        fprintf(out,
                "\"type\": [\"integer\", \"string\"], "
                "\"minimum\": %" PRIu64 ", \"maximum\": %" PRIu64
                ", \"pattern\": \"^(0[xX][0-9a-fA-F]+|0|[1-9][0-9]*)?$\"",
                key->least, key->most);
        break;
    case SCENARIO_LPS:
        print_lps(out);
        break;
    case SCENARIO_CHOICE:
        print_enum(key, out);
        break;
    case SCENARIO_PART:
        print_object(key->part, indent, out);
        break;
    case SCENARIO_LIST:
        fprintf(out,
                "\"type\": \"array\", \"minItems\": %" PRIu64
                ", \"maxItems\": %" PRIu64 ", \"items\": {",
                key->least, key->most);
        print_object(key->part, indent, out);
        fprintf(out, "}");
        break;
    case SCENARIO_WORDS:
        fprintf(out,
                "\"type\": \"object\", \"maxProperties\": %" PRIu64
                ", \"additionalProperties\": "
                "{\"type\": [\"string\", \"number\", \"boolean\", \"null\"]}",
                key->most);
        break;
    case SCENARIO_PLANNED:
        break;
    }
}

static void print_required(enum scenario_section section, unsigned indent,
                           FILE *out)
{
    const struct scenario_key *key = NULL;
    bool any = false;

    while ((key = scenario_key_next(section, key))) {
        if (key->standard || key->type == SCENARIO_PLANNED)
            continue;
        if (any)
            fprintf(out, ", ");
        else
            fprintf(out, ",\n%*s\"required\": [", (int)indent, "");
        encode_json(out, key->name);
        any = true;
    }
    if (any)
        fprintf(out, "]");
}

static void print_object(enum scenario_section section, unsigned indent,
                         FILE *out)
{
    const struct scenario_key *key = NULL;
    const char *separator = "";

    fprintf(out,
            "\"type\": \"object\", \"additionalProperties\": false,\n"
            "%*s\"properties\": {",
            (int)indent, "");
    while ((key = scenario_key_next(section, key))) {
        if (key->type == SCENARIO_PLANNED)
            continue;
        fprintf(out, "%s\n%*s", separator, (int)indent + 2, "");
        encode_json(out, key->name);
        fprintf(out, ": {\"description\": ");
        encode_json(out, key->help);
        print_default(key, out);
        fprintf(out, ",\n%*s", (int)indent + 4, "");
        print_type(key, indent + 4, out);
        fprintf(out, "}");
        separator = ",";
    }
    fprintf(out, "\n%*s}", (int)indent, "");
    print_required(section, indent, out);
}

void scenario_schema_print(FILE *out)
{
    fprintf(out, "{\n  \"$schema\": "
                 "\"http://json-schema.org/draft-07/schema#\",\n"
                 "  \"title\": \"hvsim scenario\",\n  \"description\": ");
    encode_json(out, scenario_section_help(SCENARIO_SECTION_SCENARIO));
    fprintf(out, ",\n  ");
    print_object(SCENARIO_SECTION_SCENARIO, 2, out);
    fprintf(out, "\n}\n");
}
