/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Attacks by I/O ports and the console. */

#include "workloads/attacks/attack.h"
#include "workloads/runtime/apic.h"
#include "workloads/runtime/args.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/trap.h"
#include "workloads/runtime/x86.h"

#define COM1 0x3f8
#define RESET_PORT 0xcf9
#define RESET_NOW 0x06
#define MSR_RESET 0x40000003u
#define MANY (UINT64_C(4) << 30)

static void outs(const volatile void *from, uint64_t count)
{
    __asm__ volatile("rep outsb"
                     : "+S"(from), "+c"(count)
                     : "d"(COM1)
                     : "memory");
}

static void ins(volatile void *to, uint64_t count)
{
    __asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(COM1) : "memory");
}

static void put(const char *text)
{
    outs(text, strlen(text));
}

/* 4 GiB in one instruction; the page after the last is not mapped. */
static void run_outs(void)
{
    outs((void *)LARGE_PAGE_BYTES, MANY);
    report_fail("wrote 4 GiB of a smaller memory");
}

static void run_ins(void)
{
    ins((void *)LARGE_PAGE_BYTES, MANY);
    report_fail("read 4 GiB into a smaller memory");
}

#define VECTOR_TIMER 0xa3
static bool interrupted;

/* Ends the instruction in the middle of its work. */
static void cut_short(struct trap_frame *frame)
{
    interrupted = frame->rcx > 0;
    frame->rcx = 0;
    apic_eoi();
}

/* Interrupts are taken while a repeated instruction is at work, even if it
 * would go on for hours. */
static void run_outs_interrupted(void)
{
    trap_set_handler(VECTOR_TIMER, cut_short);
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
    apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_1);
    apic_write(APIC_TIMER_INITIAL, 100000);
    x86_sti();
    outs((void *)LARGE_PAGE_BYTES, MANY);
    x86_cli();
    put("\n");
    if (!interrupted)
        report_fail("no interrupt came while OUTS was at work");
}

/* To and from what cannot be reached, with counts that do not matter then. */
static void run_strings(void)
{
    const uint64_t places[] = {
        0,
        UINT64_C(0x0000340000000000),
        UINT64_C(0x8000000000000000),
        UINT64_MAX,
        (uintptr_t)hyperv_hypercall_page,
        (uintptr_t)attack_window(UINT64_C(1) << 38),
        (uintptr_t)attack_window(APIC_PHYSICAL),
        memory_end() - 1,
    };
    extern const char attack_device_outs[], attack_device_ins[];

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        (void)attack_call(attack_device_outs, places[i]);
        (void)attack_call(attack_device_ins, places[i]);
    }
}

__asm__(".pushsection .text\n"
        "attack_device_outs:\n"
        "mov $0x3fe, %edx\n"
        "mov $3, %ecx\n"
        "mov %rbx, %rsi\n"
        "rep outsl\n"
        "int $0x81\n"
        "attack_device_ins:\n"
        "mov $0x3fe, %edx\n"
        "mov $3, %ecx\n"
        "mov %rbx, %rdi\n"
        "rep insl\n"
        "int $0x81\n"
        ".popsection");

/* Every port, every width. */
static void run_ports(void)
{
    for (uint32_t port = 0; port < 0x10000; port += port < 0x500 ? 1 : 97) {
        if (port == COM1)
            continue;
        __asm__ volatile("inb %%dx, %%al\n\tinw %%dx, %%ax\n\tinl %%dx, %%eax"
                         :
                         : "d"(port)
                         : "rax");
        if (port < COM1 - 3 || port > COM1 + 7)
            __asm__ volatile(
                "outb %%al, %%dx\n\toutw %%ax, %%dx\n\toutl %%eax, %%dx"
                :
                : "d"(port), "a"((uint32_t)attack_random()));
    }
}

/* Argument `bytes`: how many, in one line. */
static void run_long_line(void)
{
    uint64_t bytes = args_bytes("bytes", 4 << 20);
    char *line = memory_pages(256);

    memset(line, 'x', (size_t)256 * PAGE_BYTES);
    while (bytes > 0) {
        uint64_t some = bytes < 256 * PAGE_BYTES ? bytes : 256 * PAGE_BYTES;

        outs(line, some);
        bytes -= some;
    }
    put("\n");
}

/* Lines without text; argument `count`. */
static void run_empty_lines(void)
{
    uint64_t lines = args_number("count", 70000);
    char *text = memory_pages(1);

    memset(text, '\n', PAGE_BYTES);
    while (lines > 0) {
        uint64_t some = lines < PAGE_BYTES ? lines : PAGE_BYTES;

        outs(text, some);
        lines -= some;
    }
}

/* Bytes that a terminal would act on, and that no text has. */
static void run_noise(void)
{
    uint8_t *noise = memory_pages(4);

    for (unsigned i = 0; i < 4 * PAGE_BYTES; i++)
        noise[i] = (uint8_t)attack_random();
    outs(noise, 4 * PAGE_BYTES);
    put("\n");
}

/* Results without end; argument `count`. */
static void run_results(void)
{
    uint64_t results = args_number("count", 5000);

    for (uint64_t i = 0; i < results; i++)
        report_result(i % 2 != 0 ? "flood" : "other.flood", i, "count");
}

/* Lines that look like results and are none. */
static void run_false_results(void)
{
    static const char *const lines[] = {
        "hvsim: result\n",
        "hvsim: result a\n",
        "hvsim: result a 1\n",
        "hvsim: result a 1 \n",
        "hvsim: result A 1 count\n",
        "hvsim: result a 0x1 count\n",
        "hvsim: result a 99999999999999999999 count\n",
        "hvsim: result a 1.0000000001 count\n",
        "hvsim: result a -9223372036854775809 count\n",
        "hvsim: result a' 1 '); DROP TABLE result; --\n",
        "hvsim: result a 1 c\x7f\n",
        "hvsim: result  1 count\n",
        "hvsim: Done\n",
        "hvsim: done \n",
        " hvsim: done\n",
        "hvsim:done\n",
        "hvsim: failure\n",
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        put(lines[i]);
}

/* The work is finished, many times over. */
static void run_done(void)
{
    for (unsigned i = 0; i < 1000; i++)
        report_done();
}

/* For ever, as fast as it goes, an exit for each byte. */
static void run_flood(void)
{
    for (;;)
        x86_out8(COM1, 'x');
}

/* The machine starts again, and so does this: over and over. */
static void run_reset_port(void)
{
    x86_out8(RESET_PORT, RESET_NOW);
    report_fail("still here after a reset by port");
}

static void run_reset_msr(void)
{
    x86_wrmsr(MSR_RESET, 1);
    report_fail("still here after a reset by MSR");
}

const struct attack_case attack_device_cases[] = {
    {"outs", run_outs},
    {"ins", run_ins},
    {"outs-interrupted", run_outs_interrupted},
    {"strings", run_strings},
    {"ports", run_ports},
    {"long-line", run_long_line},
    {"empty-lines", run_empty_lines},
    {"noise", run_noise},
    {"results", run_results},
    {"false-results", run_false_results},
    {"done", run_done},
    {"flood", run_flood},
    {"reset-port", run_reset_port},
    {"reset-msr", run_reset_msr},
    {NULL, NULL},
};
