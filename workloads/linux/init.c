/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first process of a Linux guest. It does what the kernel's command line
 * says, reports it by the results channel (workloads/README.md) and powers
 * off:
 *
 *   hvsim.modules=NAME,...  modules to load first, each with what it needs
 *   hvsim.report=DURATION   how busy the kernel thinks it is, at intervals
 *   hvsim.run="LINE"        a line for the shell; failing, it fails the run
 *
 * Without a line to run it powers off at once, or only reports. By the name
 * "hvsim-job" it is the program `hvsim-job WORKERS ITEMS` (job.h), by the name
 * "hvsim-contention" that of contention.h; by the name "poweroff", which the
 * kernel calls when its host asks for it, it does that.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workloads/linux/arguments.h"
#include "workloads/linux/contention.h"
#include "workloads/linux/job.h"
#include "workloads/linux/report.h"
#include "workloads/linux/watch.h"

/* COMMAND_LINE_SIZE on x86. */
#define COMMAND_LINE_BYTES 2048

/* <linux/kern_levels.h>, syslog(2): from now on only warnings and worse reach
 * the console, so that they do not run into the guest's own lines. */
#define SYSLOG_ACTION_CONSOLE_LEVEL 8
#define KERN_NOTICE_LEVEL 5

static void mount_all(void)
{
    static const struct {
        const char *type;
        const char *folder;
    } mounts[] = {
        {"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"},
        {"tmpfs", "/tmp"},    {"tmpfs", "/run"},
    };

    for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
        mkdir(mounts[i].folder, 0755);
        if (mount(mounts[i].type, mounts[i].folder, mounts[i].type, 0, NULL) <
            0)
            report_fail("no %s: %s", mounts[i].folder, strerror(errno));
    }
}

static void read_command_line(char line[COMMAND_LINE_BYTES])
{
    int file = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t bytes = -1;

    if (file >= 0) {
        bytes = read(file, line, COMMAND_LINE_BYTES - 1);
        close(file);
    }
    line[bytes > 0 ? bytes : 0] = '\0';
}

static pid_t start_watch(uint64_t interval_ns)
{
    pid_t child = fork();

    if (child == 0) {
        watch_run(interval_ns);
        report_fail("/proc/stat cannot be read");
        _exit(EXIT_FAILURE);
    }
    return child;
}

/* Waits for a child while taking care of everybody's orphans. */
static int wait_for(pid_t child)
{
    int status = 0;
    pid_t ended;

    do {
        ended = wait(&status);
    } while (ended != child && (ended >= 0 || errno == EINTR));
    return ended == child ? status : -1;
}

/* The shell's own process. */
static _Noreturn void become_shell(const char *line)
{
    static char *const environment[] = {"PATH=/bin", "HOME=/", "TERM=vt100",
                                        NULL};
    char copy[COMMAND_LINE_BYTES];

    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    snprintf(copy, sizeof(copy), "%s", line);
    execve("/bin/sh", (char *[]){"sh", "-c", copy, NULL}, environment);
    report_fail("no shell in this initrd: %s", strerror(errno));
    _exit(127);
}

/* The leader of the shell's session: the console becomes its terminal, with
 * signals and job control, which a first process has not. When a leader ends,
 * the kernel throws away what its terminal has not sent yet; so the leader is
 * not the shell itself, and waits for that. */
static _Noreturn void lead_shell(const char *line)
{
    pid_t shell;
    int status;

    setsid();
    ioctl(STDIN_FILENO, TIOCSCTTY, 1);
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    shell = fork();
    if (shell == 0)
        become_shell(line);
    status = shell > 0 ? wait_for(shell) : -1;
    report_flush();
    if (status == -1)
        _exit(127);
    /* As a shell reports a signal. */
    _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

/* By modprobe, which knows what a module needs. */
static void load_module(const char *name)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        execl("/bin/modprobe", "modprobe", name, (char *)NULL);
        _exit(127);
    }
    status = child > 0 ? wait_for(child) : -1;
    if (status != 0)
        report_fail("the module %s could not be loaded", name);
}

static void load_modules(char *names)
{
    char *rest = NULL;

    for (char *name = strtok_r(names, ",", &rest); name;
         name = strtok_r(NULL, ",", &rest))
        load_module(name);
}

static void run_line(const char *line)
{
    uint64_t start = report_clock_ns();
    pid_t child = fork();
    int status;

    if (child == 0)
        lead_shell(line);
    status = child > 0 ? wait_for(child) : -1;
    report_result("run", report_clock_ns() - start, "ns");
    if (status == -1 || !WIFEXITED(status))
        report_fail("the shell could not be started");
    else if (WEXITSTATUS(status) != 0)
        report_fail("the shell's exit code is %d", WEXITSTATUS(status));
}

static _Noreturn void power_off(void)
{
    report_flush();
    sync();
    reboot(RB_POWER_OFF);
    report_fail("this machine cannot power off: %s", strerror(errno));
    for (;;)
        pause();
}

static void run_guest(void)
{
    char command_line[COMMAND_LINE_BYTES];
    char value[COMMAND_LINE_BYTES];
    uint64_t interval_ns;
    pid_t watch = 0;

    mount_all();
    klogctl(SYSLOG_ACTION_CONSOLE_LEVEL, NULL, KERN_NOTICE_LEVEL);
    read_command_line(command_line);
    if (arguments_find(command_line, "hvsim.modules", value, sizeof(value)))
        load_modules(value);
    if (arguments_find(command_line, "hvsim.report", value, sizeof(value))) {
        if (arguments_duration(value, &interval_ns) && interval_ns > 0)
            watch = start_watch(interval_ns);
        else
            report_fail("hvsim.report=%s is no duration, such as 100ms", value);
    }
    if (arguments_find(command_line, "hvsim.run", value, sizeof(value)))
        run_line(value);
    else if (watch > 0)
        wait_for(watch);
    power_off();
}

static int run_job(int count, char **words)
{
    char *end;
    unsigned long workers, items;

    if (count == 3) {
        workers = strtoul(words[1], &end, 10);
        if (*end == '\0' && workers >= 1 && workers <= JOB_WORKERS_MAX) {
            items = strtoul(words[2], &end, 10);
            if (*end == '\0' && items >= 1 && items <= JOB_ITEMS_MAX)
                return job_run((unsigned)workers, items);
        }
    }
    fprintf(stderr, "usage: hvsim-job WORKERS ITEMS (at most %d, %d)\n",
            JOB_WORKERS_MAX, JOB_ITEMS_MAX);
    return 2;
}

int main(int count, char **words)
{
    const char *name = strrchr(words[0], '/');

    name = name ? name + 1 : words[0];
    if (strcmp(name, "hvsim-job") == 0)
        return run_job(count, words);
    if (strcmp(name, "hvsim-contention") == 0)
        return contention_run(count - 1, words + 1);
    if (strcmp(name, "poweroff") == 0)
        power_off();
    if (getpid() != 1) {
        fputs("This is the first process of a Linux guest.\n", stderr);
        return 2;
    }
    run_guest();
}
