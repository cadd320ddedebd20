/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/scenario/scenario.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/scenario/document.h"
#include "sim/scenario/scenario_keys.h"
#include "sim/text/encode.h"

void scenario_free(struct scenario *scenario)
{
    if (!scenario)
        return;
    for (size_t i = 0; i < scenario->vm_count; i++) {
        free(scenario->vms[i].guest.args);
        free(scenario->vms[i].guest.modules);
        free(scenario->vms[i].disks);
        free(scenario->vms[i].nics);
        free(scenario->vms[i].console);
    }
    for (size_t i = 0; i < scenario->validation_count; i++) {
        for (size_t j = 0; j < scenario->validation[i].run_count; j++)
            free(scenario->validation[i].runs[j].set);
        free(scenario->validation[i].runs);
        free(scenario->validation[i].checks);
    }
    free(scenario->validation);
    free(scenario->vms);
    for (size_t i = 0; i < scenario->at_count; i++)
        free(scenario->at[i].place);
    free(scenario->at);
    free(scenario->groups);
    free(scenario->host.nodes);
    free(scenario->notes);
    free(scenario->folder);
    document_free(scenario->document);
    free(scenario);
}

char *scenario_path(const struct scenario *scenario, const char *file)
{
    char *path;

    if (asprintf(&path, "%s%s", *file == '/' ? "" : scenario->folder, file) < 0)
        return NULL;
    return path;
}

void scenario_vm_name(const struct scenario_vm *vm, uint32_t index,
                      char name[static SCENARIO_NAME_BYTES_MAX + 1])
{
    CHECK(index < vm->count);
    if (vm->count == 1)
        snprintf(name, SCENARIO_NAME_BYTES_MAX + 1, "%s", vm->name);
    else
        snprintf(name, SCENARIO_NAME_BYTES_MAX + 1, "%s-%" PRIu32, vm->name,
                 index + 1);
}

bool scenario_vm_is_named(const struct scenario_vm *vm, uint32_t index,
                          const char *name)
{
    char full[SCENARIO_NAME_BYTES_MAX + 1];
    size_t bytes = strlen(vm->name);

    if (strncmp(name, vm->name, bytes) != 0)
        return false;
    if (name[bytes] == '\0')
        return true;
    scenario_vm_name(vm, index, full);
    return strcmp(name, full) == 0;
}

bool scenario_vm_starts_off(const struct scenario *scenario,
                            const struct scenario_vm *vm, uint32_t index)
{
    uint64_t first_ns = SCENARIO_NO_TIME;
    bool off = false;

    for (size_t i = 0; i < scenario->at_count; i++) {
        const struct scenario_event *event = &scenario->at[i];
        bool starts = scenario_vm_is_named(vm, index, event->start);
        bool stops = scenario_vm_is_named(vm, index, event->stop);

        if ((!starts && !stops) || event->time_ns >= first_ns)
            continue;
        first_ns = event->time_ns;
        off = starts;
    }
    return off;
}

const char *scenario_event_vm(const struct scenario_event *event)
{
    if (*event->start)
        return event->start;
    if (*event->stop)
        return event->stop;
    return *event->add_vps.vm ? event->add_vps.vm : event->set.vm;
}

bool scenario_event_is_late(const struct scenario *scenario,
                            const struct scenario_event *event)
{
    return event->time_ns >= scenario->duration_ns;
}

int scenario_group_find(const struct scenario *scenario, const char *name)
{
    for (size_t i = 0; i < scenario->group_count; i++) {
        if (strcmp(scenario->groups[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

uint32_t scenario_lp_count(const struct scenario *scenario)
{
    uint32_t count = 0;

    for (size_t i = 0; i < scenario->host.node_count; i++)
        count += scenario->host.nodes[i].lps;
    return count;
}

uint64_t scenario_memory_bytes(const struct scenario *scenario)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < scenario->host.node_count; i++)
        bytes += scenario->host.nodes[i].memory_bytes;
    return bytes;
}

uint32_t scenario_vm_total(const struct scenario *scenario)
{
    uint32_t count = 0;

    for (size_t i = 0; i < scenario->vm_count; i++)
        count += scenario->vms[i].count;
    return count;
}

static void print_section(enum scenario_section section, const void *from,
                          unsigned indent, FILE *out);

static void *items_of(const struct scenario_key *key, const void *from,
                      size_t *count)
{
    void *items;

    memcpy(&items, (const char *)from + key->offset, sizeof items);
    memcpy(count, (const char *)from + key->count_offset, sizeof *count);
    return items;
}

static void print_list(const struct scenario_key *key, const void *from,
                       unsigned indent, FILE *out)
{
    size_t count;
    const char *items = items_of(key, from, &count);
    size_t item_bytes = scenario_section_bytes(key->part);

    if (count == 0)
        fprintf(out, " []");
    fprintf(out, "\n");
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%*s-\n", (int)indent, "");
        print_section(key->part, &items[i * item_bytes], indent + 2, out);
    }
}

static void print_words(const struct scenario_key *key, const void *from,
                        unsigned indent, FILE *out)
{
    size_t count;
    const struct scenario_argument *words = items_of(key, from, &count);

    if (count == 0)
        fprintf(out, " {}");
    fprintf(out, "\n");
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%*s", (int)indent, "");
        encode_json(out, words[i].key);
        fprintf(out, ": ");
        encode_json(out, words[i].value);
        fprintf(out, "\n");
    }
}

static void print_section(enum scenario_section section, const void *from,
                          unsigned indent, FILE *out)
{
    const struct scenario_key *key = NULL;

    while ((key = scenario_key_next(section, key))) {
        if (key->type == SCENARIO_PLANNED || !scenario_key_is_given(key, from))
            continue;
        fprintf(out, "%*s%s:", (int)indent, "", key->name);
        if (key->type == SCENARIO_PART) {
            fprintf(out, "\n");
            print_section(key->part, (const char *)from + key->offset,
                          indent + 2, out);
        } else if (key->type == SCENARIO_LIST) {
            print_list(key, from, indent + 2, out);
        } else if (key->type == SCENARIO_WORDS) {
            print_words(key, from, indent + 2, out);
        } else {
            fprintf(out, " ");
            scenario_key_print(key, scenario_key_load(key, from), out);
            fprintf(out, "\n");
        }
    }
}

char *scenario_resolved_yaml(const struct scenario *scenario)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    if (!out)
        return NULL;
    print_section(SCENARIO_SECTION_SCENARIO, scenario, 0, out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
