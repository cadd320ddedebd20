/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/scenario/scenario_keys.h"

#define MIB (UINT64_C(1) << 20)

static const char LEAST[] = "hvsim: 1\n"
                            "name: least\n"
                            "vms:\n"
                            "  - name: web\n"
                            "    guest: {workload: tick-idle}\n";

static struct scenario *read_with(const char *text,
                                  const struct scenario_override *overrides,
                                  size_t count)
{
    struct scenario *scenario;
    struct sim_error error;

    if (scenario_read_text(&scenario, "test.yaml", text, strlen(text),
                           overrides, count, &error) != SIM_OK)
        fail_msg("%s", error.message);
    return scenario;
}

static void fills_in_every_default(void **state)
{
    struct scenario *s = read_with(LEAST, NULL, 0);

    (void)state;
    assert_string_equal(s->name, "least");
    assert_int_equal(s->seed, 1);
    assert_int_equal(s->duration_ns, 2000000000);
    assert_string_equal(s->host.profile, "reference-2020");
    assert_int_equal(s->host.frequency_hz, 2000000000);
    assert_int_equal(s->host.node_count, 1);
    assert_int_equal(s->host.nodes[0].lps, 4);
    assert_int_equal(s->host.nodes[0].memory_bytes, 8192 * MIB);
    assert_string_equal(s->hypervisor.scheduler, "classic");
    assert_string_equal(s->hypervisor.translation, "slat");
    assert_string_equal(s->hypervisor.timing, "table");
    assert_int_equal(s->hypervisor.sync_quantum_ns, 10000);
    assert_int_equal(s->hypervisor.timeslice_ns, 10000000);
    assert_int_equal(s->hypervisor.preempt_after_ns, 1000000);
    assert_int_equal(s->hypervisor.wake_boost_ns, 2000000);
    assert_int_equal(s->hypervisor.migrate_after_ns, 2000000);
    assert_int_equal(s->hypervisor.node_patience_ns, 500000);
    assert_int_equal(s->hypervisor.control_period_ns, 10000000);
    assert_string_equal(s->hypervisor.long_spin_wait, "yield");
    assert_true(s->hypervisor.numa_spanning);
    assert_int_equal(s->group_count, 0);
    assert_int_equal(s->at_count, 0);
    assert_int_equal(s->root.vps, 4);
    assert_int_equal(s->root.memory_bytes, 2048 * MIB);
    assert_int_equal(s->vm_count, 1);
    assert_int_equal(s->vms[0].count, 1);
    assert_int_equal(s->vms[0].vps, 1);
    assert_int_equal(s->vms[0].vps_max, 1);
    assert_int_equal(s->vms[0].threads_per_core, 1);
    assert_int_equal(s->vms[0].weight, 100);
    assert_string_equal(s->vms[0].group, "");
    assert_true(lp_set_is_empty(&s->vms[0].affinity));
    assert_int_equal(s->vms[0].reserve, 0);
    assert_int_equal(s->vms[0].limit, SCENARIO_FRACTION_ONE);
    assert_string_equal(s->vms[0].guest.workload, "tick-idle");
    assert_int_equal(s->vms[0].guest.arg_count, 0);
    assert_int_equal(s->counters.interval_ns, 100000000);
    assert_false(s->counters.trace);
    assert_null(s->notes);
    scenario_free(s);
}

static void keeps_arguments_in_the_order_of_the_file(void **state)
{
    struct scenario *s = read_with(
        "{hvsim: 1, name: a, vms: [{name: b, guest: {workload: threads,"
        " args: {work: 10, threads: 0755, memory: no}}}]}",
        NULL, 0);
    const struct scenario_guest *guest = &s->vms[0].guest;

    (void)state;
    assert_int_equal(guest->arg_count, 3);
    assert_string_equal(guest->args[0].key, "work");
    assert_string_equal(guest->args[1].key, "threads");
    assert_string_equal(guest->args[1].value, "0755");
    assert_string_equal(guest->args[2].key, "memory");
    assert_string_equal(guest->args[2].value, "no");
    scenario_free(s);
}

static void names_alike_vms_by_number_and_a_single_one_plainly(void **state)
{
    struct scenario_vm vm = {.name = "web", .count = 12};
    char name[SCENARIO_NAME_BYTES_MAX + 1];

    (void)state;
    scenario_vm_name(&vm, 0, name);
    assert_string_equal(name, "web-1");
    scenario_vm_name(&vm, 11, name);
    assert_string_equal(name, "web-12");
    vm.count = 1;
    scenario_vm_name(&vm, 0, name);
    assert_string_equal(name, "web");
}

static void sums_over_nodes_and_vms(void **state)
{
    struct scenario *s =
        read_with("{hvsim: 1, name: a, host: {nodes: [{lps: 2, memory: 1GiB},"
                  " {lps: 6, memory: 3GiB}]}, vms: [{name: b, count: 3, guest:"
                  " {workload: c}}, {name: d, guest: {workload: c}}]}",
                  NULL, 0);

    (void)state;
    assert_int_equal(scenario_lp_count(s), 8);
    assert_int_equal(scenario_memory_bytes(s), 4096 * MIB);
    assert_int_equal(scenario_vm_total(s), 4);
    scenario_free(s);
}

static void overrides_replace_add_and_reach_vms_by_name(void **state)
{
    static const struct scenario_override overrides[] = {
        {"vms.web.memory", "32MiB", "--set"},
        {"vms[0].guest.args.hz", "250", "--set"},
        {"host.nodes[0].lps", "2", "--set"},
        {"host.nodes[1].lps", "3", "--set"},
        {"counters", "{interval: 10ms, trace: true}", "--set"},
        {"seed", "7", "--seed 7"},
        {"seed", "8", "--seed 8"},
    };
    struct scenario *s =
        read_with(LEAST, overrides, sizeof overrides / sizeof overrides[0]);

    (void)state;
    assert_int_equal(s->vms[0].memory_bytes, 32 * MIB);
    assert_string_equal(s->vms[0].guest.args[0].key, "hz");
    assert_string_equal(s->vms[0].guest.args[0].value, "250");
    assert_int_equal(s->host.node_count, 2);
    assert_int_equal(s->host.nodes[0].lps, 2);
    assert_int_equal(s->host.nodes[1].lps, 3);
    assert_int_equal(s->counters.interval_ns, 10000000);
    assert_true(s->counters.trace);
    assert_int_equal(s->seed, 8); /* the last one wins */
    scenario_free(s);
}

static void a_replaced_list_item_keeps_its_place(void **state)
{
    static const struct scenario_override override = {
        "vms[0]", "{name: other, guest: {workload: threads}}", "--set"};
    struct scenario *s =
        read_with("{hvsim: 1, name: a, vms: [{name: b, guest: {workload: c}},"
                  " {name: d, guest: {workload: c}}]}",
                  &override, 1);

    (void)state;
    assert_int_equal(s->vm_count, 2);
    assert_string_equal(s->vms[0].name, "other");
    assert_string_equal(s->vms[1].name, "d");
    scenario_free(s);
}

static const char TEXTS[] =
    "{hvsim: 1, name: a, vms: [{name: web, guest: {multiboot: x, cmdline: ''},"
    "                           console: [{send: x}]}]}";

/* NULL, or why it is refused. */
static void try_text(const char *path, const char *value, const char *why)
{
    const struct scenario_override override = {path, value, "--set"};
    struct scenario *s;
    struct scenario *again;
    struct sim_error error;
    char *yaml;

    if (why) {
        assert_int_equal(scenario_read_text(&s, "test.yaml", TEXTS,
                                            strlen(TEXTS), &override, 1,
                                            &error),
                         SIM_BAD_USAGE);
        assert_non_null(strstr(error.message, why));
        return;
    }
    s = read_with(TEXTS, &override, 1);
    yaml = scenario_resolved_yaml(s);
    again = read_with(yaml, NULL, 0);
    assert_string_equal(again->vms[0].guest.cmdline, s->vms[0].guest.cmdline);
    assert_string_equal(again->vms[0].console[0].send,
                        s->vms[0].console[0].send);
    scenario_free(again);
    scenario_free(s);
    free(yaml);
}

/* An option may hold any bytes. */
static void a_text_reads_back_or_is_refused(void **state)
{
    static const char *const texts[] = {"\xff", "x\xed\xa0\x80", "x\xc3"};
    static const char *const controls[] = {"\t",           "\x7f",
                                           "x\xc2\x85y",   "\xef\xbb\xbfx",
                                           "\xef\xbf\xbe", " \xe2\x80\xa8"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        try_text("vms.web.guest.cmdline", texts[i], "is not UTF-8 text");
        try_text("vms.web.console[0].send", texts[i], "is not UTF-8 text");
    }
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        try_text("vms.web.guest.cmdline", controls[i], "a control character");
        try_text("vms.web.console[0].send", controls[i], NULL);
    }
    try_text("vms.web.guest.cmdline", "\xc3\xa9 \"\\", NULL);
}

static void resolved_yaml_shows_all_and_reads_back(void **state)
{
    static const char expected[] = "hvsim: 1\n"
                                   "name: \"least\"\n"
                                   "seed: 1\n"
                                   "duration: 2s\n"
                                   "host:\n"
                                   "  profile: reference-2020\n"
                                   "  frequency: 2GHz\n"
                                   "  nodes:\n"
                                   "    -\n"
                                   "      lps: 4\n"
                                   "      memory: 8GiB\n"
                                   "  smt: 1\n"
                                   "  smt_speed: 62%\n"
                                   "  remote_speed: 85%\n"
                                   "hypervisor:\n"
                                   "  scheduler: classic\n"
                                   "  translation: slat\n"
                                   "  timing: table\n"
                                   "  sync_quantum: 10us\n"
                                   "  timeslice: 10ms\n"
                                   "  preempt_after: 1ms\n"
                                   "  wake_boost: 2ms\n"
                                   "  migrate_after: 2ms\n"
                                   "  node_patience: 500us\n"
                                   "  control_period: 10ms\n"
                                   "  long_spin_wait: yield\n"
                                   "  pause_filter: 0\n"
                                   "  numa_spanning: true\n"
                                   "root:\n"
                                   "  vps: 4\n"
                                   "  memory: 2GiB\n"
                                   "vms:\n"
                                   "  -\n"
                                   "    name: \"web\"\n"
                                   "    count: 1\n"
                                   "    vps: 1\n"
                                   "    vps_max: 1\n"
                                   "    threads_per_core: 1\n"
                                   "    memory: 64MiB\n"
                                   "    numa_nodes: 1\n"
                                   "    weight: 100\n"
                                   "    reserve: 0%\n"
                                   "    limit: 100%\n"
                                   "    guest:\n"
                                   "      workload: \"tick-idle\"\n"
                                   "      args:\n"
                                   "        \"say\": \"\\\"\\\\\"\n"
                                   "    enlightenments:\n"
                                   "      hypervisor: true\n"
#define ENLIGHTENMENT(key, privileges, features, help) "      " #key ": true\n"
#include "sim/scenario/enlightenments.def"
#undef ENLIGHTENMENT
                                   "    vmbus: true\n"
                                   "    integration:\n"
                                   "      heartbeat: true\n"
                                   "      shutdown: true\n"
                                   "      timesync: true\n"
                                   "    console_baud: 115200\n"
                                   "counters:\n"
                                   "  interval: 100ms\n"
                                   "  trace: false\n";
    static const struct scenario_override override = {"vms.web.guest.args.say",
                                                      "\"\\", "--set"};
    struct scenario *s = read_with(LEAST, &override, 1);
    char *yaml = scenario_resolved_yaml(s);
    struct scenario *again = read_with(yaml, NULL, 0);
    char *yaml_again = scenario_resolved_yaml(again);

    (void)state;
    assert_string_equal(yaml, expected);
    assert_string_equal(yaml_again, expected);
    free(yaml);
    free(yaml_again);
    scenario_free(s);
    scenario_free(again);
}

#define TIMELINE                                                               \
    "hvsim: 1\nname: a\nhost: {smt: 2}\n"                                      \
    "groups: [{name: gold, cap: 12.5%, lps: [0-1, 3]}, {name: all}]\n"         \
    "vms: [{name: b, vps: 2, count: 2, group: gold, affinity: [0, 3],\n"       \
    "       guest: {workload: c}}]\n"                                          \
    "at: [{time: 2s, set: {vm: b, reserve: 0%, group: none, affinity: 1}},\n"  \
    "     {time: 1s, start: b-2}, {time: 1500ms, stop: b-2},\n"                \
    "     {time: 1s, add_vps: {vm: b-1, count: 4}},\n"                         \
    "     {time: 1s, set: {group: all, cap: 50%, lps: [2-3]}}]\n"

#define GUEST(form) "hvsim: 1\nname: a\nvms: [{name: b, guest: {" form "}}]\n"

static void resolved_yaml_of_guests_and_of_a_timeline_reads_back(void **state)
{
    static const char *const texts[] = {
        GUEST("linux: a b, initrd: /c, cmdline: 'x=\"1 2\" \\', args: {d: e}"),
        GUEST("multiboot: a, modules: [{file: b}, {file: c, cmdline: 'd e'}]"),
        GUEST("flat: a, bits: 16"),
        GUEST("flat: a, bits: '64', load: 1048576, entry: 0x100010"),
        TIMELINE,
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct scenario *s = read_with(texts[i], NULL, 0);
        char *yaml = scenario_resolved_yaml(s);
        struct scenario *again = read_with(yaml, NULL, 0);
        char *yaml_again = scenario_resolved_yaml(again);

        assert_string_equal(yaml, yaml_again);
        free(yaml);
        free(yaml_again);
        scenario_free(s);
        scenario_free(again);
    }
}

static void reads_groups_and_the_timeline(void **state)
{
    static const struct scenario_override override = {"hypervisor.scheduler",
                                                      "round-robin", "--set"};
    struct scenario *s = read_with(TIMELINE, &override, 1);
    const struct scenario_vm *vm = &s->vms[0];

    (void)state;
    assert_int_equal(s->group_count, 2);
    assert_int_equal(s->groups[0].cap, SCENARIO_FRACTION_ONE / 8);
    assert_int_equal(s->groups[0].lps.words[0], 0xb);
    assert_true(lp_set_is_empty(&s->groups[1].lps));
    assert_string_equal(vm->group, "gold");
    assert_int_equal(vm->affinity.words[0], 0x9);
    assert_int_equal(vm->threads_per_core, 2);
    assert_int_equal(vm->vps_max, 6); /* with what b-1 gets */
    assert_false(scenario_vm_starts_off(s, vm, 0));
    assert_true(scenario_vm_starts_off(s, vm, 1));
    assert_int_equal(s->at_count, 5);
    assert_int_equal(s->at[0].set.weight, SCENARIO_NOT_SET);
    assert_int_equal(s->at[0].set.reserve, 0);
    assert_int_equal(s->at[0].set.affinity.words[0], 2);
    assert_string_equal(s->at[1].place, "test.yaml:8:6: at[1]");
    assert_string_equal(scenario_event_vm(&s->at[3]), "b-1");
    assert_string_equal(scenario_event_vm(&s->at[4]), "");
    assert_null(strstr(s->notes, "at[1]"));
    assert_non_null(strstr(s->notes, "at[0].time: note: not done"));
    scenario_free(s);
}

static void reads_a_guest_of_files(void **state)
{
    struct scenario *s = read_with(
        GUEST("multiboot: a, modules: [{file: b}, {file: c, cmdline: 'd e'}]"),
        NULL, 0);
    const struct scenario_guest *guest = &s->vms[0].guest;

    (void)state;
    assert_string_equal(guest->multiboot, "a");
    assert_string_equal(guest->workload, "");
    assert_int_equal(guest->module_count, 2);
    assert_string_equal(guest->modules[0].cmdline, "");
    assert_string_equal(guest->modules[1].file, "c");
    assert_string_equal(guest->modules[1].cmdline, "d e");
    assert_int_equal(guest->load, SCENARIO_NO_ADDRESS);
    scenario_free(s);
    s = read_with(GUEST("flat: a, bits: 64, load: 4096, entry: 0x1F00"), NULL,
                  0);
    assert_string_equal(s->vms[0].guest.bits, "64");
    assert_int_equal(s->vms[0].guest.load, 4096);
    assert_int_equal(s->vms[0].guest.entry, 0x1f00);
    scenario_free(s);
}

static void files_are_looked_for_from_the_scenarios_folder(void **state)
{
    static const struct {
        const char *scenario, *file, *path;
    } cases[] = {
        {"a.yaml", "k", "k"},     {"<stdin>", "../k", "../k"},
        {"x/a.yaml", "k", "x/k"}, {"/x/y/a.yaml", "../k", "/x/y/../k"},
        {"x/a.yaml", "/k", "/k"},
    };
    static const char text[] = GUEST("linux: k");

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scenario *s;
        struct sim_error error;
        char *path;

        assert_int_equal(scenario_read_text(&s, cases[i].scenario, text,
                                            strlen(text), NULL, 0, &error),
                         SIM_OK);
        path = scenario_path(s, cases[i].file);
        assert_string_equal(path, cases[i].path);
        free(path);
        scenario_free(s);
    }
}

/** Every default of the table must itself be valid. */
static void every_default_of_the_table_is_valid(void **state)
{
    (void)state;
    for (enum scenario_section section = 0; section < SCENARIO_SECTION_COUNT;
         section++) {
        const struct scenario_key *key = NULL;

        while ((key = scenario_key_next(section, key))) {
            struct scenario_value value;
            char why[SCENARIO_WHY_BYTES] = "";

            if (!key->standard || key->type >= SCENARIO_PART)
                continue;
            if (!scenario_key_parse(key, key->standard, &value, why))
                fail_msg("%s: %s", key->name, why);
        }
    }
}

static void assert_fails(const char *path, enum sim_status status,
                         const char *message)
{
    struct scenario *scenario = (void *)1;
    struct sim_error error;

    assert_int_equal(scenario_read_file(&scenario, path, NULL, 0, &error),
                     status);
    assert_null(scenario);
    assert_int_equal(error.status, status);
    assert_string_equal(error.message, message);
}

static void says_why_a_file_cannot_be_read(void **state)
{
    (void)state;
    assert_fails("no-such-file.yaml", SIM_NO_INPUT,
                 "no-such-file.yaml: cannot be opened: No such file or "
                 "directory");
    assert_fails(".", SIM_NO_INPUT, ".: cannot be read: Is a directory");
    assert_fails("/dev/zero", SIM_BAD_SCENARIO,
                 "/dev/zero:1:1: larger than 1024 KiB; is this a scenario?");
    assert_fails("/dev/null", SIM_BAD_SCENARIO,
                 "/dev/null:1:1: nothing but comments or blanks");
}

static void reads_a_file(void **state)
{
    struct scenario *scenario;
    struct sim_error error;
    FILE *file = fopen("least.yaml", "w");

    (void)state;
    assert_non_null(file);
    fputs(LEAST, file);
    fclose(file);
    assert_int_equal(
        scenario_read_file(&scenario, "least.yaml", NULL, 0, &error), SIM_OK);
    assert_string_equal(scenario->name, "least");
    scenario_free(scenario);
    unlink("least.yaml");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_in_every_default),
        cmocka_unit_test(keeps_arguments_in_the_order_of_the_file),
        cmocka_unit_test(names_alike_vms_by_number_and_a_single_one_plainly),
        cmocka_unit_test(sums_over_nodes_and_vms),
        cmocka_unit_test(overrides_replace_add_and_reach_vms_by_name),
        cmocka_unit_test(a_replaced_list_item_keeps_its_place),
        cmocka_unit_test(a_text_reads_back_or_is_refused),
        cmocka_unit_test(resolved_yaml_shows_all_and_reads_back),
        cmocka_unit_test(resolved_yaml_of_guests_and_of_a_timeline_reads_back),
        cmocka_unit_test(reads_groups_and_the_timeline),
        cmocka_unit_test(reads_a_guest_of_files),
        cmocka_unit_test(files_are_looked_for_from_the_scenarios_folder),
        cmocka_unit_test(every_default_of_the_table_is_valid),
        cmocka_unit_test(says_why_a_file_cannot_be_read),
        cmocka_unit_test(reads_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
