/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_SCENARIO_SCENARIO_KEYS_H
#define HVSIM_SIM_SCENARIO_SCENARIO_KEYS_H

/**
 * The parameters of a scenario as data: scenario_keys.def in a form that one
 * can walk. Whatever reads, prints or explains scenarios is driven by this
 * table, so none of them can disagree with another.
 */

#include <stdio.h>

#include "sim/scenario/scenario.h"
#include "sim/scenario/units.h"

enum scenario_section {
#define SECTION(id, type, help) SCENARIO_SECTION_##id,
#include "sim/scenario/scenario_keys.def"
    SCENARIO_SECTION_COUNT,
};

enum scenario_type {
    /* One scalar each. */
    SCENARIO_NUMBER,
    SCENARIO_NUMBER_OR_AUTO, /* 0 is stored for "auto" */
    SCENARIO_DURATION,       /* ns */
    SCENARIO_BYTES,          /* bytes; whole MiB */
    SCENARIO_FREQUENCY,      /* Hz */
    SCENARIO_FRACTION,       /* 1/65536 */
    SCENARIO_SWITCH,         /* true or false */
    SCENARIO_NAME,           /* letters, digits, '-', '_' and '.' */
    SCENARIO_VM_NAME,        /* the same without '.' */
    SCENARIO_FILE,           /* a path */
    SCENARIO_TEXT,           /* printable characters */
    SCENARIO_STRING,         /* any characters but NUL */
    SCENARIO_HEX,            /* bytes as digits: 00ff */
    SCENARIO_DECIMAL,        /* a number as it is written: -0.39 */
    SCENARIO_ADDRESS,        /* 0x100000 or decimal */
    SCENARIO_LPS,            /* a list of LPs: a set; or a sequence of them */
    SCENARIO_CHOICE,
    /* Collections. */
    SCENARIO_PART,  /* a mapping: another section */
    SCENARIO_LIST,  /* a sequence of mappings */
    SCENARIO_WORDS, /* a mapping with free keys */
    /* Known by name only. */
    SCENARIO_PLANNED,
};

/** A word of a choice. */
struct scenario_word {
    const char *text; /* NULL: there are no more */
    bool built;       /* false: planned, and refused until it is there */
    const char *help; /* what it means; NULL: the key's help says so */
};

/** The words of a choice, from 0 on. Not to be asked for one after the last. */
typedef struct scenario_word scenario_word_fn(unsigned index);

struct scenario_key {
    enum scenario_section section; /* in which the key stands */
    const char *name;
    enum scenario_type type;
    const char *standard; /* the default as text; NULL: must be given; "":
                             none, and as good as not given */
    uint64_t least; /* values, bytes of a name, or items of a collection */
    uint64_t most;
    const char *help;           /* of a planned key: what is instead */
    enum scenario_section part; /* PART and LIST: what is inside */
    scenario_word_fn *word_at;  /* CHOICE */
    size_t offset;              /* of the field in the section's struct */
    size_t count_offset;        /* LIST and WORDS: of the item count (size_t) */
    size_t bytes;               /* of the field */
};

/** The struct that a section fills, its size, and what it describes. */
size_t scenario_section_bytes(enum scenario_section section);
const char *scenario_section_help(enum scenario_section section);

/** Keys of `section` in order: start with NULL; NULL at the end. */
const struct scenario_key *scenario_key_next(enum scenario_section section,
                                             const struct scenario_key *after);

/** The key called `name` in `section`, or NULL. */
const struct scenario_key *scenario_key_find(enum scenario_section section,
                                             const char *name);

/** A value on its way from text to field. */
struct scenario_value {
    uint64_t number;
    const char *text; /* names and choices */
    struct lp_set lps;
};

#define SCENARIO_WHY_BYTES 512
#define SCENARIO_EXPECTED_BYTES 200

/**
 * Reads the scalar `text` as `key` wants it. On failure `why` says what is
 * wrong with it and what was expected: to be put behind the key's path.
 */
MUST_USE bool scenario_key_parse(const struct scenario_key *key,
                                 const char *text, struct scenario_value *value,
                                 char why[static SCENARIO_WHY_BYTES]);

/** Stores `value` in the key's field of the struct at `section`. */
void scenario_key_store(const struct scenario_key *key, void *section,
                        struct scenario_value value);

/** The reverse: what the key's field holds. For scalar types. */
struct scenario_value scenario_key_load(const struct scenario_key *key,
                                        const void *section);

/** Writes `value` as scenario_key_parse() reads it. */
void scenario_key_print(const struct scenario_key *key,
                        struct scenario_value value, FILE *out);

/** Whether the key holds something: false for one of default "" that has not
 *  been given. */
bool scenario_key_is_given(const struct scenario_key *key, const void *section);

/** What hexadecimal digits, which have been checked, stand for: writes at most
 *  `most` bytes and returns how many. */
size_t scenario_key_parse_hex(const char *digits, uint8_t *bytes, size_t most);

/** "a whole number from 1 to 10000": what may stand behind the key. */
void scenario_key_expected(const struct scenario_key *key,
                           char expected[static SCENARIO_EXPECTED_BYTES]);

/** How quantities of the key's type are written; UNITS_PLAIN for the rest. */
enum units_kind scenario_key_units(const struct scenario_key *key);

#endif
