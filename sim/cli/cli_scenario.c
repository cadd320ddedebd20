/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands about scenarios: check, schema. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cli_private.h"
#include "sim/machine/machine.h"
#include "sim/scenario/document.h"
#include "sim/scenario/scenario_schema.h"
#include "sim/scenario/units.h"
#include "sim/text/text.h"

/** An override and the texts that it borrows. */
struct request {
    char *path;    /* owned */
    char *written; /* owned */
};

/** Makes an override of --set PATH=VALUE or --seed N; or of one value of
 *  --vary PATH=VALUES. */
static enum sim_status make_override(const struct cli_setting *setting,
                                     struct scenario_override *override,
                                     struct request *request,
                                     struct sim_error *error)
{
    bool seed = setting->id == CLI_SEED;
    const char *equals = strchr(setting->value, '=');
    char quoted[DOCUMENT_QUOTE_BYTES];

    if (!seed && !equals)
        return sim_fail(error, SIM_BAD_USAGE,
                        "--set %s: expected PATH=VALUE, such as "
                        "vms.web.weight=200",
                        document_quote(setting->value, quoted));
    request->path =
        seed ? strdup("seed")
             : strndup(setting->value, (size_t)(equals - setting->value));
    if (!request->path || asprintf(&request->written, "%s %s",
                                   seed                      ? "--seed"
                                   : setting->id == CLI_VARY ? "--vary"
                                                             : "--set",
                                   setting->value) < 0) {
        request->written = NULL;
        return sim_fail(error, SIM_NO_MEMORY, "out of memory");
    }
    *override = (struct scenario_override){
        .path = request->path,
        .value = seed ? setting->value : equals + 1,
        .written = request->written,
    };
    return SIM_OK;
}

/** Notes are lines, each of which may name a file. */
void cli_print_notes(const char *notes)
{
    while (*notes != '\0') {
        size_t bytes = strcspn(notes, "\n");
        char *line = strndup(notes, bytes);

        if (line)
            text_print(stderr, line);
        fputc('\n', stderr);
        free(line);
        notes += bytes + (notes[bytes] != '\0');
    }
}

enum sim_status cli_read_scenario(const struct cli_invocation *invocation,
                                  const char *file, struct scenario **out,
                                  struct sim_error *error)
{
    size_t most = invocation->setting_count + 1;
    struct scenario_override *overrides = calloc(most, sizeof *overrides);
    struct request *requests = calloc(most, sizeof *requests);
    enum sim_status status = SIM_OK;
    size_t count = 0;

    *out = NULL;
    if (!overrides || !requests) {
        status = sim_fail(error, SIM_NO_MEMORY, "out of memory");
        goto out;
    }
    for (size_t i = 0; i < invocation->setting_count; i++) {
        const struct cli_setting *setting = &invocation->settings[i];

        if (setting->id != CLI_SET && setting->id != CLI_SEED &&
            setting->id != CLI_VARY)
            continue;
        status =
            make_override(setting, &overrides[count], &requests[count], error);
        count++;
        if (status != SIM_OK)
            goto out;
    }
    status = scenario_read_file(out, file, overrides, count, error);
    if (status == SIM_OK && (*out)->notes &&
        !cli_given(invocation, CLI_QUIET, NULL))
        cli_print_notes((*out)->notes);
out:
    for (size_t i = 0; i < count; i++) {
        free(requests[i].path);
        free(requests[i].written);
    }
    free(requests);
    free(overrides);
    return status;
}

static void print_file(FILE *out, const char *file)
{
    text_print(out, strcmp(file, "-") == 0 ? "<stdin>" : file);
}

/** "1 VM", "2 VMs" */
static void print_count(uint32_t count, const char *what, const char *then)
{
    printf("%" PRIu32 " %s%s%s", count, what, count == 1 ? "" : "s", then);
}

static void print_valid(const char *file, const struct scenario *scenario)
{
    char duration[UNITS_TEXT_BYTES];
    uint32_t vps = 0;

    units_print(UNITS_DURATION, scenario->duration_ns, duration);
    for (size_t i = 0; i < scenario->vm_count; i++)
        vps += scenario->vms[i].count * scenario->vms[i].vps;
    print_file(stdout, file);
    printf(": valid: %s: ", scenario->name);
    print_count(scenario_lp_count(scenario), "LP", ", ");
    print_count(scenario_vm_total(scenario), "VM", " with ");
    print_count(vps, "VP", ", ");
    printf("%s\n", duration);
}

/** A scenario may be meant for another machine, so this makes it no less
 *  valid. */
static void note_missing_guests(const char *file,
                                const struct scenario *scenario)
{
    struct sim_error error;

    if (machine_images_check(scenario, &error) == SIM_OK)
        return;
    print_file(stderr, file);
    fputs(": note: ", stderr);
    text_print(stderr, error.message);
    fputc('\n', stderr);
}

static enum sim_status check_file(const struct cli_invocation *invocation,
                                  const char *file, struct sim_error *error)
{
    struct scenario *scenario;
    enum sim_status status =
        cli_read_scenario(invocation, file, &scenario, error);

    if (status != SIM_OK)
        return status;
    if (cli_given(invocation, CLI_RESOLVED, NULL)) {
        char *yaml = scenario_resolved_yaml(scenario);

        if (yaml)
            printf("%s", yaml);
        else
            status = sim_fail(error, SIM_NO_MEMORY, "out of memory");
        free(yaml);
    } else if (!cli_given(invocation, CLI_QUIET, NULL)) {
        print_valid(file, scenario);
        note_missing_guests(file, scenario);
    }
    scenario_free(scenario);
    return status;
}

enum sim_status cli_check(const struct cli_invocation *invocation,
                          struct sim_error *error)
{
    enum sim_status first = SIM_OK;

    for (size_t i = 0; i < invocation->operand_count; i++) {
        enum sim_status status =
            check_file(invocation, invocation->operands[i], error);

        if (status != SIM_OK)
            cli_report(error);
        if (first == SIM_OK)
            first = status;
    }
    error->message[0] = '\0'; /* each has been reported */
    return first;
}

enum sim_status cli_schema(const struct cli_invocation *invocation,
                           struct sim_error *error)
{
    (void)invocation;
    (void)error;
    scenario_schema_print(stdout);
    return SIM_OK;
}
