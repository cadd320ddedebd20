/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scenario reader on arbitrary bytes: it may refuse them, and then says
 * why; what it accepts must print as YAML that it reads back to the same
 * scenario. A first line "#set PATH=VALUE" is handed to it as an override too.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "tests/scenario/set_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_reads_back(const struct scenario *scenario)
{
    char *yaml = scenario_resolved_yaml(scenario);
    struct scenario *again = NULL;
    struct sim_error error;

    CHECK(yaml);
    enum sim_status status = scenario_read_text(&again, "resolved", yaml,
                                                strlen(yaml), NULL, 0, &error);
    CHECK(status == SIM_OK);

    char *yaml_again = scenario_resolved_yaml(again);

    CHECK(yaml_again && strcmp(yaml, yaml_again) == 0);
    free(yaml_again);
    free(yaml);
    scenario_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct scenario *scenario = NULL;
    struct set_line set = set_line_take(data, bytes);
    struct sim_error error = {0};
    enum sim_status status =
        scenario_read_text(&scenario, "fuzz", (const char *)data, bytes,
                           &set.override, set.count, &error);

    CHECK((status == SIM_OK) == (scenario != NULL));
    if (status == SIM_OK)
        check_reads_back(scenario);
    else
        CHECK(error.message[0] != '\0' && error.status == status);
    scenario_free(scenario);
    set_line_free(&set);
    return 0;
}
