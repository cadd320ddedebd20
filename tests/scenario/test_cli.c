/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line from outside: a program with the real command line, the
 * real result files and fake_machine.c, run as a person would.
 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT_BYTES 16384
#define ARGUMENTS_MAX 12

struct outcome {
    int exit_code; /* -1: killed by a signal */
    char out[TEXT_BYTES];
    char err[TEXT_BYTES];
};

static void read_text(const char *path, char text[static TEXT_BYTES])
{
    FILE *file = fopen(path, "r");
    size_t bytes;

    assert_non_null(file);
    bytes = fread(text, 1, TEXT_BYTES - 1, file);
    text[bytes] = '\0';
    fclose(file);
}

static void redirect(int fd, const char *path, int flags)
{
    int file = open(path, flags, 0600);

    if (file < 0 || dup2(file, fd) < 0)
        _exit(99);
}

/** Splits `command` at blanks and runs it, where '' is an empty argument and a
 *  '_' stands for a blank; `out` NULL is a file to read. */
static void run(struct outcome *outcome, const char *command, const char *out)
{
    char words[512];
    char *arguments[ARGUMENTS_MAX + 1] = {HVSIM_PROGRAM};
    size_t count = 1;
    char *rest = words;
    int status;

    snprintf(words, sizeof words, "%s", command);
    for (char *word; (word = strsep(&rest, " "));) {
        assert_true(count < ARGUMENTS_MAX);
        if (strcmp(word, "''") == 0)
            *word = '\0';
        else if (*word == '\0')
            continue;
        for (char *c = word; (c = strchr(c, '_'));)
            *c = ' ';
        arguments[count++] = word;
    }

    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        redirect(STDIN_FILENO, "stdin", O_RDONLY | O_CREAT);
        redirect(STDOUT_FILENO, out ? out : "stdout",
                 O_WRONLY | O_CREAT | O_TRUNC);
        redirect(STDERR_FILENO, "stderr", O_WRONLY | O_CREAT | O_TRUNC);
        execv(HVSIM_PROGRAM, arguments);
        _exit(99);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    outcome->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    outcome->out[0] = '\0';
    if (!out)
        read_text("stdout", outcome->out);
    read_text("stderr", outcome->err);
}

static void assert_outcome(const char *command, int exit_code, const char *out,
                           const char *err)
{
    struct outcome outcome;

    run(&outcome, command, NULL);
    assert_string_equal(outcome.err, err);
    assert_string_equal(outcome.out, out);
    assert_int_equal(outcome.exit_code, exit_code);
}

static void assert_says(const char *command, int exit_code, const char *out,
                        const char *err)
{
    struct outcome outcome;

    run(&outcome, command, NULL);
    if (!strstr(outcome.out, out))
        fail_msg("'%s' is not in: %s", out, outcome.out);
    if (!strstr(outcome.err, err))
        fail_msg("'%s' is not in: %s", err, outcome.err);
    assert_int_equal(outcome.exit_code, exit_code);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/** A scenario file NAME.yaml of that name, with an empty host. */
static void write_scenario(const char *name)
{
    char path[64];
    char text[128];

    snprintf(path, sizeof path, "%s.yaml", name);
    snprintf(text, sizeof text, "hvsim: 1\nname: %s\nvms: []\n", name);
    write_text(path, text);
}

static int clean_up(void **state)
{
    DIR *folder = opendir(".");
    const struct dirent *entry;

    (void)state;
    if (!folder)
        return -1;
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] != '.')
            unlink(entry->d_name);
    }
    return closedir(folder);
}

static void usage_is_an_error_only_when_it_was_not_asked_for(void **state)
{
    (void)state;
    assert_says("", 2, "", "Usage: hvsim COMMAND");
    assert_says("--help", 0, "Usage: hvsim COMMAND", "");
    assert_says("run --help", 0, "Usage: hvsim run [OPTIONS] FILE", "");
    assert_says("help run", 0, "Usage: hvsim run [OPTIONS] FILE", "");
    assert_says("help rum", 2, "", "did you mean 'run'?");
    assert_says("run -h x y z", 0, "-o, --output OUT.db", "");
    assert_says("schema --help", 0, "Usage: hvsim schema [OPTIONS]\n", "");
}

static void bad_usage_says_what_is_wrong_and_what_was_meant(void **state)
{
    static const struct {
        const char *command;
        const char *err;
    } cases[] = {
        {"chekc", "hvsim: no such command: 'chekc'; did you mean 'check'?\n"},
        {"dance", "hvsim: no such command: 'dance'\n"},
        {"run ", "hvsim: run: missing FILE\n"},
        {"run a b", "hvsim: run: unexpected argument 'b'\n"},
        {"run a --sed=1", "hvsim: run: no such option: '--sed=1'\n"},
        {"run a --quite",
         "hvsim: run: no such option: '--quite'; did you mean '--quiet'?\n"},
        {"run a -x", "hvsim: run: no such option: '-x'\n"},
        {"run a --quiet=yes", "hvsim: run: no such option: '--quiet=yes'\n"},
        {"run a -o", "hvsim: run: option '-o' needs a value\n"},
        {"run a --seed", "hvsim: run: option '--seed' needs a value\n"},
        {"run ''", "hvsim: run: an empty argument; expected FILE\n"},
        {"console a.db ''",
         "hvsim: console: an empty argument; expected OUT.db [VM]\n"},
        {"run a.yaml -o -",
         "hvsim: run: results cannot go to standard output; expected a file, "
         "such as ./- for one of that name\n"},
        {"check a --set b", "hvsim: --set 'b': expected PATH=VALUE, such as "
                            "vms.web.weight=200\n"},
        {"export a --format xml",
         "hvsim: there is no format \"xml\"; there is: csv, json\n"},
        {"explain wieght", "hvsim: explain: nothing is called "
                           "'wieght'; did you mean 'weight'?\n"},
        {"explain vms.web.wieght",
         "hvsim: explain: nothing is called "
         "'vms.web.wieght'; did you mean 'weight'?\n"},
        {"explain guest_run",
         "hvsim: explain: nothing is called 'guest run'; did "
         "you mean '% Guest Run Time'?\n"},
    };

    (void)state;
    write_scenario("a");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome outcome;
        char expected[512];
        const char *command = cases[i].command;
        int length = (int)strcspn(command, " ") + 1;

        /* The first two are no commands, and have no help of their own. */
        if (i < 2)
            length = 0;
        snprintf(expected, sizeof expected, "%sTry 'hvsim %.*s--help'.\n",
                 cases[i].err, length, command);
        run(&outcome, cases[i].command, NULL);
        assert_string_equal(outcome.err, expected);
        assert_string_equal(outcome.out, "");
        assert_int_equal(outcome.exit_code, 2);
    }
}

static void check_accepts_what_is_valid(void **state)
{
    (void)state;
    write_scenario("a");
    assert_outcome("check a.yaml", 0,
                   "a.yaml: valid: a: 4 LPs, 0 VMs with 0 VPs, 2s\n", "");
    assert_outcome("check --quiet a.yaml", 0, "", "");
    write_text("one.yaml", "hvsim: 1\nname: one\nhost: {nodes: [{lps: 1}]}\n"
                           "vms: [{name: v, guest: {workload: w}}]\n");
    assert_says("check one.yaml", 0,
                "one.yaml: valid: one: 1 LP, 1 VM with 1 VP, 2s\n",
                "one.yaml: note: VM \"v\": there is no guest program \"w\": ");
    assert_outcome("check --quiet one.yaml", 0, "", "");
    assert_says("check --resolved --seed 9 --set duration=3s a.yaml", 0,
                "name: \"a\"\nseed: 9\nduration: 3s\nhost:\n", "");
}

static void check_points_at_each_file_that_is_not(void **state)
{
    (void)state;
    write_scenario("good");
    write_text("bad.yaml", "hvsim: 1\nname: bad\nvm: []\n");
    assert_outcome("check bad.yaml good.yaml none.yaml", 65,
                   "good.yaml: valid: good: 4 LPs, 0 VMs with 0 VPs, 2s\n",
                   "bad.yaml:3:1: unknown key 'vm'; did you mean 'vms'?\n"
                   "hvsim: none.yaml: cannot be opened: No such file or "
                   "directory\n");
    assert_outcome("check none.yaml", 66, "",
                   "hvsim: none.yaml: cannot be opened: No such file or "
                   "directory\n");
}

static void overrides_are_to_blame_for_themselves(void **state)
{
    (void)state;
    write_scenario("a");
    assert_says("check a.yaml --seed x", 2, "",
                "hvsim: --seed x: seed: 'x' is not a number; expected ");
    assert_says("check a.yaml --set root.vps=5", 2, "",
                "hvsim: --set root.vps=5: root.vps: 5 root VPs on 4 logical "
                "processors; expected at most 4\n");
}

static void no_message_hands_a_terminal_what_it_would_act_on(void **state)
{
    (void)state;
    write_scenario("a");
    assert_says("check a.yaml --set name=\x1b[2J", 2, "",
                "hvsim: --set name=\\x1b[2J: name: '\\x1b[2J' is not a name");
    assert_says("check a.yaml --set \x1b[2J=1", 2, "", "--set \\x1b[2J=1: ");
    assert_says("check \x1b[2J", 66, "", "hvsim: \\x1b[2J: cannot be opened");
    assert_says("run \x9b\n", 66, "", "hvsim: \\x9b\\x0a: cannot be opened");
    write_text("\x1b.yaml", "hvsim: 1\nname: a\nvms:\n"
                            "- {name: v, guest: {workload: w}}\n"
                            "at: [{time: 9s, stop: v}]\n");
    assert_says("check \x1b.yaml", 0, "\\x1b.yaml: valid: a",
                "\\x1b.yaml:5:13: at[0].time: note: not done");
    assert_says("run -o \x1b.db a.yaml", 0, "Results: \\x1b.db\n", "");
}

static void a_scenario_may_come_from_standard_input(void **state)
{
    (void)state;
    write_text("stdin", "hvsim: 1\nname: piped\nvms: []\n");
    assert_says("check -", 0, "<stdin>: valid: piped", "");
    write_text("stdin", "hvsim: 1\n");
    assert_says("check -", 65, "", "<stdin>:1:1: name: is missing");
}

static void notes_go_to_standard_error_unless_quiet(void **state)
{
    (void)state;
    write_text("a.yaml", "hvsim: 1\nname: a\nvms:\n"
                         "- {name: v, guest: {workload: w}}\n"
                         "at: [{time: 9s, stop: v}]\n");
    assert_says("check a.yaml", 0, "valid",
                "a.yaml:5:13: at[0].time: note: not done");
    assert_outcome("check -q a.yaml", 0, "", "");
}

static void run_writes_results_named_after_the_scenario(void **state)
{
    (void)state;
    write_scenario("a");
    assert_says("run a.yaml", 0, "Results: a.db\n", "");
    assert_int_equal(access("a.db", R_OK), 0);
    assert_outcome("run --quiet -o other.db a.yaml", 0, "", "");
    assert_int_equal(access("other.db", R_OK), 0);
}

static void run_says_what_its_prices_rest_on(void **state)
{
    (void)state;
    write_scenario("a");
    assert_says("run a.yaml", 0, ", prices: reference-2020, ", "");
    assert_says("run --force a.yaml", 0,
                " are estimates; hvsim explain "
                "reference-2020 lists them\n",
                "");
    assert_says("run --force --set hypervisor.timing=unit a.yaml", 0,
                ", prices: unit, seed 1\n", "");
    assert_says("run --force --set hypervisor.timing=unit a.yaml", 0,
                "\n\nResults: a.db\n", "");
}

static void run_replaces_results_only_when_told_to(void **state)
{
    (void)state;
    write_scenario("a");
    write_text("a.db", "precious");
    assert_says("run a.yaml", 73, "", "hvsim: a.db");
    assert_says("run a.yaml", 73, "", "--force");

    char text[TEXT_BYTES];

    read_text("a.db", text);
    assert_string_equal(text, "precious");
    assert_says("run --force a.yaml", 0, "Results: a.db", "");
    read_text("a.db", text);
    assert_memory_equal(text, "SQLite format 3", 15);
}

static void run_never_replaces_its_scenario(void **state)
{
    (void)state;
    write_scenario("a");
    assert_says("run --force -o ./a.yaml a.yaml", 2, "",
                "hvsim: run: ./a.yaml is the scenario itself");
    assert_says("check a.yaml", 0, "valid", "");
}

static void run_leaves_nothing_where_nothing_can_be_written(void **state)
{
    (void)state;
    write_scenario("a");
    assert_says("run -o no/such/folder.db a.yaml", 73, "",
                "hvsim: no/such/folder.db");
    assert_says("run -o /dev/null a.yaml", 73, "", "hvsim: /dev/null");
}

static void an_interrupted_run_keeps_its_results(void **state)
{
    (void)state;
    write_scenario("interrupted");
    assert_says("run interrupted.yaml", 130, "Results: interrupted.db",
                "hvsim: interrupted at 300ms of 2s; what was simulated until "
                "then is in interrupted.db\n");
    assert_says("export interrupted.db", 0, "time_ns,", "");
    assert_says("export interrupted.db --out -", 0, "time_ns,", "");
    assert_int_equal(access("-", F_OK), -1);
}

static void a_failed_run_keeps_its_results_and_says_so(void **state)
{
    (void)state;
    write_scenario("failed");
    assert_says("run failed.yaml", 1, "Results: failed.db",
                "hvsim: time was lost\n");
}

static void a_machine_that_cannot_be_built_leaves_no_file(void **state)
{
    (void)state;
    write_scenario("refused");
    assert_outcome("run refused.yaml", 66, "", "hvsim: no such workload\n");
    assert_int_equal(access("refused.db", F_OK), -1);
}

static void a_bad_scenario_leaves_no_file(void **state)
{
    (void)state;
    write_text("a.yaml", "hvsim: 1\nname: a\n");
    assert_says("run a.yaml", 65, "", "a.yaml:1:1: vms: is missing");
    assert_int_equal(access("a.db", F_OK), -1);
}

static void a_full_disk_is_reported(void **state)
{
    struct rlimit before;
    struct rlimit small = {4096, RLIM_INFINITY};
    struct outcome outcome;

    (void)state;
    write_scenario("a");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    run(&outcome, "run a.yaml", NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(outcome.exit_code, 74);
    assert_non_null(strstr(outcome.err, "hvsim: a.db"));
    assert_int_equal(access("a.db", F_OK), -1);
}

static void output_that_does_not_get_out_is_an_error(void **state)
{
    struct outcome outcome;

    (void)state;
    run(&outcome, "schema", "/dev/full");
    assert_int_equal(outcome.exit_code, 74);
    assert_string_equal(outcome.err,
                        "hvsim: standard output: No space left on device\n");
}

static void explain_finds_parameters_and_counters(void **state)
{
    static const char weight[] = "vms[].weight: a whole number from 1 to "
                                 "10000; default 100\n";

    (void)state;
    assert_says("explain weight", 0, weight, "");
    assert_says("explain vms[].weight", 0, weight, "");
    assert_says("explain vms.web.weight", 0, weight, "");
    assert_says("explain VMs.web.Weight", 0, weight, "");
    assert_says("explain %_guest_RUN_time", 0,
                "Hyper-V Hypervisor Logical Processor\\% Guest Run Time: ", "");
    assert_says("explain counters", 0, "counters.interval: a time", "");
    assert_says("explain", 0, weight, "");
    assert_says("explain Hardware%", 2, "", "nothing is called");
}

static void explain_finds_what_results_and_prices_are_made_of(void **state)
{
    (void)state;
    assert_says("explain perf", 0,
                "view perf: what a row is, and its columns\n    one counter of "
                "one instance over the sample interval that ends at\n",
                "");
    assert_says("explain perf", 0,
                "\n    time_ns, object, instance, counter, value\n", "");
    assert_says("explain dispatch", 0,
                "event dispatch: what happened, and what its detail is\n"
                "    a VP was put on an LP: cycles it had waited\n",
                "");
    assert_says("explain vmexit", 0,
                "cost VMEXIT: hardware transition guest -> hypervisor; "
                "hypervisor time\n    reference-2020             800.00  "
                "published  KVM 2021: ",
                "");
    assert_says(
        "explain reference-2020", 0,
        "    INSN_ALU                     0.30  estimated  Agner 2020: ", "");
}

static void version_names_the_engine(void **state)
{
    (void)state;
    assert_outcome("version", 0, "hvsim " HVSIM_VERSION " (no engine 1.0)\n",
                   "");
    assert_says("--version", 0, "hvsim ", "");
}

#define TEST(name) cmocka_unit_test_setup(name, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(usage_is_an_error_only_when_it_was_not_asked_for),
        TEST(bad_usage_says_what_is_wrong_and_what_was_meant),
        TEST(check_accepts_what_is_valid),
        TEST(check_points_at_each_file_that_is_not),
        TEST(overrides_are_to_blame_for_themselves),
        TEST(no_message_hands_a_terminal_what_it_would_act_on),
        TEST(a_scenario_may_come_from_standard_input),
        TEST(notes_go_to_standard_error_unless_quiet),
        TEST(run_writes_results_named_after_the_scenario),
        TEST(run_says_what_its_prices_rest_on),
        TEST(run_replaces_results_only_when_told_to),
        TEST(run_never_replaces_its_scenario),
        TEST(run_leaves_nothing_where_nothing_can_be_written),
        TEST(an_interrupted_run_keeps_its_results),
        TEST(a_failed_run_keeps_its_results_and_says_so),
        TEST(a_machine_that_cannot_be_built_leaves_no_file),
        TEST(a_bad_scenario_leaves_no_file),
        TEST(a_full_disk_is_reported),
        TEST(output_that_does_not_get_out_is_an_error),
        TEST(explain_finds_parameters_and_counters),
        TEST(explain_finds_what_results_and_prices_are_made_of),
        TEST(version_names_the_engine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
