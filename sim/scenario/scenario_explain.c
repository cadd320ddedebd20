/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/scenario/scenario_explain.h"

#include <string.h>
#include <strings.h>

#include "sim/text/text.h"

#define PATH_BYTES 128
#define HELP_INDENT 4

struct explanation {
    const char *wanted; /* without indices; NULL: all */
    struct suggestion *near;
    size_t count;
    FILE *out;
};

/** "vms[0].guest" to "vms.guest". */
static void without_indices(const char *path, char plain[static PATH_BYTES])
{
    size_t length = 0;

    for (; *path && length < PATH_BYTES - 1; path++) {
        if (*path == '[')
            path += strcspn(path, "]");
        if (*path == '\0')
            break;
        if (*path != ']')
            plain[length++] = *path;
    }
    plain[length] = '\0';
}

/** Whether `path` ends in `wanted`, or goes on below where it does. */
static bool names(const char *wanted, const char *path)
{
    size_t bytes = strlen(wanted);

    if (bytes == 0)
        return false;
    for (const char *at = path; at; at = strchr(at, '.')) {
        at += *at == '.';
        if (strncasecmp(at, wanted, bytes) == 0 &&
            (at[bytes] == '\0' || at[bytes] == '.'))
            return true;
    }
    return false;
}

/** The same for "vms.web.weight", whose second word is a VM's own name. */
static bool names_by_vm(const char *wanted, const char *path)
{
    static const char vms[] = "vms.";
    char shorter[PATH_BYTES];
    const char *rest = wanted;

    if (strncasecmp(wanted, vms, sizeof vms - 1) != 0)
        return false;
    rest = strchr(wanted + sizeof vms - 1, '.');
    if (!rest)
        return false;
    snprintf(shorter, sizeof shorter, "vms%s", rest);
    return names(shorter, path);
}

/** What each word of a choice means, where that has been said. */
static void explain_words(const struct explanation *explanation,
                          const struct scenario_key *key)
{
    struct scenario_word word;

    for (unsigned i = 0; word = key->word_at(i), word.text; i++) {
        if (word.built && word.help)
            fprintf(explanation->out, "%*s%s: %s\n", HELP_INDENT, "", word.text,
                    word.help);
    }
}

static void explain_key(struct explanation *explanation,
                        const struct scenario_key *key, const char *path)
{
    char expected[SCENARIO_EXPECTED_BYTES];

    if (explanation->count++ > 0)
        fputc('\n', explanation->out);
    scenario_key_expected(key, expected);
    fprintf(explanation->out, "%s: %s; %s%s", path, expected,
            !key->standard   ? "required"
            : *key->standard ? "default "
                             : "optional",
            key->standard ? key->standard : "");
    fputc('\n', explanation->out);
    text_print_wrapped(explanation->out, key->help, HELP_INDENT);
    if (key->type == SCENARIO_CHOICE)
        explain_words(explanation, key);
}

/** What is near the last word of what was wanted. */
static void suggest_key(const struct explanation *explanation,
                        const struct scenario_key *key)
{
    const char *last = strrchr(explanation->wanted, '.');

    suggest_offer(explanation->near, last ? last + 1 : explanation->wanted,
                  key->name);
}

static void explain_section(struct explanation *explanation,
                            enum scenario_section section, const char *prefix)
{
    const struct scenario_key *key = NULL;

    while ((key = scenario_key_next(section, key))) {
        const char *wanted = explanation->wanted;
        char path[PATH_BYTES];
        char plain[PATH_BYTES];

        if (key->type == SCENARIO_PLANNED)
            continue;
        snprintf(path, sizeof path, "%s%s%s", prefix, key->name,
                 key->type == SCENARIO_LIST ? "[]" : "");
        without_indices(path, plain);
        if (!wanted || names(wanted, plain) || names_by_vm(wanted, plain))
            explain_key(explanation, key, path);
        else
            suggest_key(explanation, key);
        if (key->type == SCENARIO_PART || key->type == SCENARIO_LIST) {
            strncat(path, ".", sizeof path - strlen(path) - 1);
            explain_section(explanation, key->part, path);
        }
    }
}

size_t scenario_explain(const char *what, struct suggestion *near, FILE *out)
{
    struct explanation explanation = {.near = near, .out = out};
    char wanted[PATH_BYTES];

    if (what) {
        without_indices(what, wanted);
        explanation.wanted = wanted;
    }
    explain_section(&explanation, SCENARIO_SECTION_SCENARIO, "");
    return explanation.count;
}
