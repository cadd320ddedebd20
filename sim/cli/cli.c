/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cli_private.h"
#include "sim/core/check.h"
#include "sim/scenario/document.h"
#include "sim/scenario/suggest.h"
#include "sim/text/text.h"

#define OPTIONS_MAX 24

#define HELP                                                                   \
    {                                                                          \
        CLI_HELP, "help", NULL, "show this help"                               \
    }
#define END                                                                    \
    {                                                                          \
        CLI_HELP, NULL, NULL, NULL                                             \
    }

static const struct cli_option run_options[] = {
    {CLI_OUTPUT, "output", "OUT.db",
     "where the results go; default: the scenario's NAME.db"},
    {CLI_SET, "set", "PATH=VALUE",
     "change a parameter (vms.web.weight=200); repeatable"},
    {CLI_SEED, "seed", "N", "the same as --set seed=N"},
    {CLI_CONSOLE, "console", "VM", "be at the console of a VM while it runs"},
    {CLI_FORCE, "force", NULL, "replace the output if it exists"},
    {CLI_QUIET, "quiet", NULL, "no progress, notes or summary"},
    HELP,
    END,
};

static const struct cli_option check_options[] = {
    {CLI_SET, "set", "PATH=VALUE", "change a parameter first; repeatable"},
    {CLI_SEED, "seed", "N", "the same as --set seed=N"},
    {CLI_RESOLVED, "resolved", NULL,
     "print the scenario with every parameter filled in"},
    {CLI_QUIET, "quiet", NULL, "say nothing but errors"},
    HELP,
    END,
};

static const struct cli_option compare_options[] = {
    {CLI_VARY, "vary", "PATH=V1,V2...",
     "vary a parameter; with others, all combinations"},
    {CLI_SEEDS, "seeds", "N", "run each variant with N seeds; default: 1"},
    {CLI_SET, "set", "PATH=VALUE", "change a parameter of all variants"},
    {CLI_SEED, "seed", "N", "the first seed; the same as --set seed=N"},
    {CLI_METRIC, "metric", "METRIC",
     "compare this too; ends in :less or :more: is better"},
    {CLI_ONLY, "only", NULL, "compare nothing but what --metric says"},
    {CLI_BASELINE, "baseline", "VARIANT",
     "what to differ from, number or label; default: 1"},
    {CLI_FORMAT, "format", "FORMAT", "text, the default, csv or json"},
    {CLI_OUTPUT, "output", "OUT.db", "write the comparison as a database too"},
    {CLI_FORCE, "force", NULL, "replace OUT.db if it exists"},
    {CLI_JOBS, "jobs", "N", "runs at once; default: one for each processor"},
    {CLI_RUNS, "runs", "DIR",
     "where the runs' results are kept; default: NAME.runs"},
    {CLI_AGAIN, "again", NULL, "run all again, whatever DIR has"},
    {CLI_QUIET, "quiet", NULL, "no progress and no notes"},
    HELP,
    END,
};

static const struct cli_option plot_options[] = {
    {CLI_OUTPUT, "output", "FILE",
     "FILE.svg, FILE.png, or FILE.gp: the script"},
    {CLI_FROM, "from", "TIME", "begin at this simulated time, such as 1.5ms"},
    {CLI_TO, "to", "TIME", "end there; default: the whole run"},
    {CLI_FORCE, "force", NULL, "replace the file if it exists"},
    HELP,
    END,
};

static const struct cli_option export_options[] = {
    {CLI_FORMAT, "format", "FORMAT", "csv (RFC 4180), the default, or json"},
    {CLI_VIEW, "view", "VIEW", "which view of the results; default: perf"},
    {CLI_OUTPUT, "out", "FILE",
     "where to write; - or nothing: standard output"},
    {CLI_FORCE, "force", NULL, "replace the file if it exists"},
    HELP,
    END,
};

static const struct cli_option console_options[] = {
    {CLI_SCRIPT, "script", NULL, "print what was typed, as a scenario has it"},
    HELP,
    END,
};

static const struct cli_option explain_options[] = {
    {CLI_VM, "vm", "VM", "wait: of this VM; Root for the root's VPs"},
    {CLI_VP, "vp", "VP", "wait: of this VP (web:0, \"Root VP 0\")"},
    {CLI_FORMAT, "format", "FORMAT",
     "wait: text, the default; csv or json: its view"},
    HELP,
    END,
};

static const struct cli_option validate_options[] = {
    {CLI_LIST, "list", NULL, "print which rows there are, and run nothing"},
    {CLI_JOBS, "jobs", "N", "runs at once; default: one for each processor"},
    {CLI_FORMAT, "format", "FORMAT", "text, the default, csv or json"},
    {CLI_STRICT, "strict", NULL, "fail for calibrations that differ, too"},
    {CLI_SCENARIOS, "scenarios", "DIR", "where the rows' scenarios are"},
    {CLI_RUNS, "runs", "DIR", "keep the runs' results in DIR"},
    {CLI_QUIET, "quiet", NULL, "no progress"},
    HELP,
    END,
};

static const struct cli_option no_options[] = {
    HELP,
    END,
};

static const struct cli_command commands[] = {
    {"run", "FILE", 1, 1, "run a scenario and write its results",
     "FILE is a scenario in YAML; - is standard input. Interrupting a run\n"
     "(Ctrl-C) ends it early, and keeps what has been simulated until then;\n"
     "doing so again kills it.\n\n"
     "With --console, standard output is the VM's console, and what comes\n"
     "from standard input, a terminal or a pipe, is typed at it; the summary\n"
     "goes to standard error. At a terminal all keys are the guest's but\n"
     "Ctrl-], which ends the run; what the guest prints reaches the terminal\n"
     "as it is, escape sequences too. While input can come, simulated time\n"
     "goes no faster than real time. hvsim console --script prints what was\n"
     "typed and when, for a scenario that repeats the run.",
     run_options, cli_run},
    {"check", "FILE...", 1, SIZE_MAX, "say whether scenarios are valid", NULL,
     check_options, cli_check},
    {"compare", "FILE...", 1, SIZE_MAX,
     "compare runs, or variants of a scenario",
     "FILE is a scenario, of which each variant is run with each seed, or "
     "each\n"
     "FILE is the result file of a run; those that differ in their seed alone\n"
     "are one variant. Runs are processes of their own; what they leave in "
     "DIR\n"
     "is not run again: after Ctrl-C, the same command goes on.\n\n"
     "A table has a line per metric and variant: the mean over the seeds, and\n"
     "the difference from the baseline, paired by seed, both with intervals "
     "of\n"
     "95 % confidence. METRIC is a result: NAME, of each VM, result:VM:NAME, "
     "or\n"
     "mean:NAME, over VMs; or a counter: 'OBJECT(INSTANCE)\\COUNTER'. VM, "
     "NAME\n"
     "and INSTANCE may have * in them. Without it: all results, and some\n"
     "counters. The manual page says more (\"COMPARING\").",
     compare_options, cli_compare},
    {"plot", "OUT.db WHAT", 2, 2, "draw a run or a comparison",
     "Of a run, WHAT is timeline, who ran on which LP (the run has to be\n"
     "traced: --set counters.trace=true), or a counter over time, by its name\n"
     "or as 'OBJECT(INSTANCE)\\COUNTER', where INSTANCE may have * in it. Of "
     "a\n"
     "comparison (hvsim compare -o), WHAT is a metric, such as elapsed or\n"
     "result:web:elapsed: bars with their intervals. gnuplot draws; -o "
     "FILE.gp\n"
     "writes the script for it instead.",
     plot_options, cli_plot},
    {"summary", "OUT.db", 1, 1, "print the summary of a run once more", NULL,
     no_options, cli_summary},
    {"export", "OUT.db", 1, 1, "write the counters of a run for other tools",
     "One line per interval, instance and counter: what the view perf has;\n"
     "or the rows of another view, such as perf_total, result or guest_view\n"
     "('hvsim explain guest_view' says what is in it).",
     export_options, cli_export},
    {"console", "OUT.db [VM]", 1, 2, "print what VMs wrote to their consoles",
     "Without VM, the lines of all, each after the VM's name. With --script,\n"
     "what was typed at the console of VM, or of all, with its simulated\n"
     "times: with that in the scenario, the same is typed again.",
     console_options, cli_console},
    {"validate", "[ROW|FILE]...", 0, SIZE_MAX,
     "hold runs against what is published of Hyper-V",
     "ROW is the number of a published statement, each of which is a scenario\n"
     "in the folder validation of the scenarios; FILE is a scenario of your\n"
     "own with a key validation. Without either, all rows. Each is run, and\n"
     "what is measured is printed beside what is published.\n\n"
     "A definitional row follows from what Hyper-V is defined to do: missing\n"
     "it fails. A calibration depends on hardware, workloads or constants "
     "that\n"
     "are not published: that it differs is said, with what was fitted to it,\n"
     "and fails with --strict. All rows have the same prices and the same\n"
     "constants of the scheduler.",
     validate_options, cli_validate},
    {"schema", "", 0, 0, "print the JSON Schema of scenario files", NULL,
     no_options, cli_schema},
    {"explain", "[WHAT [OUT.db]]", 0, 2,
     "explain a name in scenarios or results, or why VPs waited",
     "WHAT is a parameter (weight, vms[].weight), a performance counter\n"
     "(\"% Guest Run Time\"), a view of the results (perf), a kind of event\n"
     "(dispatch), what keeps a VP waiting (slice), a kind of cost (VMEXIT) or\n"
     "a price profile (reference-2020). Without it, every parameter is\n"
     "explained.\n\n"
     "explain wait OUT.db says why the VPs of a run had to wait: which rule\n"
     "kept them out, who had the LP meanwhile, how long waits were, the worst\n"
     "of them, and which parameters bear on it. hvsim export has the figures:\n"
     "the views wait, wait_holder, wait_histogram and wait_worst.",
     explain_options, cli_explain},
    {"version", "", 0, 0, "print the versions of hvsim and its engine", NULL,
     no_options, cli_version},
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

bool cli_given(const struct cli_invocation *invocation, enum cli_option_id id,
               const char **value)
{
    bool given = false;

    for (size_t i = 0; i < invocation->setting_count; i++) {
        if (invocation->settings[i].id != id)
            continue;
        given = true;
        if (value)
            *value = invocation->settings[i].value;
    }
    return given;
}

void cli_report(const struct sim_error *error)
{
    if (error->message[0] == '\0')
        return;
    /* Editors find "file:line:column:" at the beginning of a line. */
    if (error->status != SIM_BAD_SCENARIO)
        fputs("hvsim: ", stderr);
    text_print(stderr, error->message);
    fputc('\n', stderr);
}

static void print_usage(FILE *out)
{
    fprintf(out, "Usage: hvsim COMMAND [OPTIONS] ...\n\n"
                 "Simulates a Hyper-V host, deterministically.\n\n"
                 "Commands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-10s%s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\n'hvsim COMMAND --help' says more about a command.\n");
}

static void print_option(const struct cli_option *option, FILE *out)
{
    char left[40];
    bool has_letter = option->id < 256;

    snprintf(left, sizeof left, "%c%c%s--%s%s%s", has_letter ? '-' : ' ',
             has_letter ? (char)option->id : ' ', has_letter ? ", " : "  ",
             option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
    fprintf(out, "  %-26s%s\n", left, option->help);
}

static void print_help(const struct cli_command *command, FILE *out)
{
    fprintf(out, "Usage: hvsim %s [OPTIONS]%s%s\n\n%c%s.\n", command->name,
            command->operands[0] ? " " : "", command->operands,
            command->summary[0] - 'a' + 'A', &command->summary[1]);
    if (command->details)
        fprintf(out, "\n%s\n", command->details);
    fprintf(out, "\nOptions:\n");
    for (const struct cli_option *option = command->options; option->name;
         option++)
        print_option(option, out);
}

/** The two forms in which getopt_long() wants to know the options. */
struct getopt_tables {
    struct option long_options[OPTIONS_MAX + 1];
    char short_options[2 * OPTIONS_MAX + 2];
};

static void make_tables(const struct cli_command *command,
                        struct getopt_tables *tables)
{
    size_t count = 0;
    size_t length = 0;

    *tables = (struct getopt_tables){0};
    tables->short_options[length++] = ':'; /* tell a missing argument apart */
    for (const struct cli_option *option = command->options; option->name;
         option++) {
        CHECK(count < OPTIONS_MAX);
        tables->long_options[count++] = (struct option){
            .name = option->name,
            .has_arg = option->argument ? required_argument : no_argument,
            .val = (int)option->id,
        };
        if (option->id >= 256)
            continue;
        tables->short_options[length++] = (char)option->id;
        if (option->argument)
            tables->short_options[length++] = ':';
    }
}

/** `written` is the argument at which getopt_long() stopped. */
static enum sim_status refuse_option(const struct cli_command *command, int why,
                                     const char *written,
                                     struct sim_error *error)
{
    struct suggestion near = {0};
    char quoted[DOCUMENT_QUOTE_BYTES];

    if (why == ':')
        return sim_fail(error, SIM_BAD_USAGE, "%s: option %s needs a value",
                        command->name, document_quote(written, quoted));
    if (strncmp(written, "--", 2) == 0) {
        for (const struct cli_option *option = command->options; option->name;
             option++)
            suggest_offer(&near, written + 2, option->name);
    }
    return sim_fail(error, SIM_BAD_USAGE, "%s: no such option: %s%s%s%s",
                    command->name, document_quote(written, quoted),
                    near.word ? "; did you mean '--" : "",
                    near.word ? near.word : "", near.word ? "'?" : "");
}

static enum sim_status check_operands(const struct cli_invocation *invocation,
                                      struct sim_error *error)
{
    const struct cli_command *command = invocation->command;
    char quoted[DOCUMENT_QUOTE_BYTES];

    if (invocation->operand_count > 0 &&
        invocation->operand_count < command->operands_least)
        return sim_fail(error, SIM_BAD_USAGE,
                        "%s: an argument is missing; expected %s",
                        command->name, command->operands);
    if (invocation->operand_count < command->operands_least)
        return sim_fail(error, SIM_BAD_USAGE, "%s: missing %s", command->name,
                        command->operands);
    if (invocation->operand_count > command->operands_most)
        return sim_fail(
            error, SIM_BAD_USAGE, "%s: unexpected argument %s", command->name,
            document_quote(invocation->operands[command->operands_most],
                           quoted));
    for (size_t i = 0; i < invocation->operand_count; i++) {
        if (invocation->operands[i][0] == '\0')
            return sim_fail(error, SIM_BAD_USAGE,
                            "%s: an empty argument; expected %s", command->name,
                            command->operands);
    }
    return SIM_OK;
}

/** Fills `invocation`, whose settings have room for `argc` of them. */
static enum sim_status parse(struct cli_invocation *invocation, int argc,
                             char **argv, struct sim_error *error)
{
    struct getopt_tables tables;
    int id;

    make_tables(invocation->command, &tables);
    opterr = 0;
    optind = 0; /* start over, also with the GNU extensions */
    for (;;) {
        int before = optind > 0 ? optind : 1;

        id = getopt_long(argc, argv, tables.short_options, tables.long_options,
                         NULL);
        if (id == -1)
            break;
        if (id == '?' || id == ':')
            return refuse_option(invocation->command, id,
                                 argv[optind > before ? optind - 1 : before],
                                 error);
        invocation->settings[invocation->setting_count++] =
            (struct cli_setting){(enum cli_option_id)id, optarg};
    }
    invocation->operands = &argv[optind];
    invocation->operand_count = (size_t)(argc - optind);
    if (cli_given(invocation, CLI_HELP, NULL))
        return SIM_OK;
    return check_operands(invocation, error);
}

static enum sim_status run_command(const struct cli_command *command, int argc,
                                   char **argv, struct sim_error *error)
{
    /* Clustered letters (-qf) make more settings than arguments. */
    size_t letters = 0;

    for (int i = 0; i < argc; i++)
        letters += strlen(argv[i]) + 1;

    struct cli_invocation invocation = {
        .command = command,
        .settings = calloc(letters, sizeof *invocation.settings),
    };

    if (!invocation.settings)
        return sim_fail(error, SIM_NO_MEMORY, "out of memory");

    enum sim_status status = parse(&invocation, argc, argv, error);

    if (status == SIM_OK && cli_given(&invocation, CLI_HELP, NULL))
        print_help(command, stdout);
    else if (status == SIM_OK)
        status = command->run(&invocation, error);
    free(invocation.settings);
    return status;
}

static enum sim_status refuse_command(const char *name, struct sim_error *error)
{
    struct suggestion near = {0};
    char quoted[DOCUMENT_QUOTE_BYTES];

    for (size_t i = 0; i < COMMAND_COUNT; i++)
        suggest_offer(&near, name, commands[i].name);
    return sim_fail(error, SIM_BAD_USAGE, "no such command: %s%s%s%s",
                    document_quote(name, quoted),
                    near.word ? "; did you mean '" : "",
                    near.word ? near.word : "", near.word ? "'?" : "");
}

static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

/** `topic` is a command, or NULL for the whole. */
static enum sim_status help(const char *topic, struct sim_error *error)
{
    const struct cli_command *command = topic ? find_command(topic) : NULL;

    if (topic && !command)
        return refuse_command(topic, error);
    if (command)
        print_help(command, stdout);
    else
        print_usage(stdout);
    return SIM_OK;
}

static enum sim_status dispatch(int argc, char **argv, struct sim_error *error)
{
    const char *name = argc > 1 ? argv[1] : NULL;

    if (!name) {
        print_usage(stderr);
        return sim_fail(error, SIM_BAD_USAGE, "a command is missing");
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
        strcmp(name, "help") == 0)
        return help(argv[2], error); /* NULL stands behind the last one */
    if (strcmp(name, "--version") == 0)
        name = "version";

    const struct cli_command *command = find_command(name);

    if (!command)
        return refuse_command(name, error);
    return run_command(command, argc - 1, &argv[1], error);
}

/** Output that did not get out must not look like success: `> /dev/full`. */
static enum sim_status flush_output(struct sim_error *error)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return SIM_OK;
    return sim_fail(error, SIM_IO_ERROR, "standard output: %s",
                    strerror(errno));
}

/* Whose options they are: the command's, if it was one. */
static void print_hint(const char *name)
{
    bool known = name && find_command(name);

    fprintf(stderr, "Try 'hvsim %s%s--help'.\n", known ? name : "",
            known ? " " : "");
}

int cli_main(int argc, char **argv)
{
    struct sim_error error = {0};
    enum sim_status status = dispatch(argc, argv, &error);

    if (status == SIM_OK)
        status = flush_output(&error);
    if (status != SIM_OK)
        cli_report(&error);
    if (status == SIM_BAD_USAGE)
        print_hint(argc > 1 ? argv[1] : NULL);
    return sim_status_exit_code(status);
}
