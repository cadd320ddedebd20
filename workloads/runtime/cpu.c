/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/runtime/cpu.h"

#include "workloads/runtime/apic.h"
#include "workloads/runtime/args.h"
#include "workloads/runtime/boot.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/timer.h"
#include "workloads/runtime/trap.h"

#define STACK_PAGES 4
#define LEAF_TOPOLOGY 0xb
#define SECOND_STARTUP_AFTER_NS 1000000
#define START_TIMEOUT_NS UINT64_C(10000000000)
#define PRESENT_PORT 0x424 /* 8 bytes; nothing there reads as ones */

static struct cpu first;
static struct cpu *cpus[CPU_COUNT_MAX] = {&first};

static void set_current(struct cpu *cpu)
{
    cpu->self = cpu;
    x86_wrmsr(MSR_GS_BASE, (uintptr_t)cpu);
}

void cpu_init_first(void)
{
    set_current(&first);
    first.is_online = 1;
}

void cpu_load(void)
{
    struct cpu *cpu = cpu_current();

    segments_load(&cpu->segments);
    set_current(cpu); /* loading a null GS may have cleared its base */
    trap_load();
    apic_enable();
}

static uint32_t count_by_cpuid(void)
{
    if (x86_cpuid(0, 0).eax >= LEAF_TOPOLOGY) {
        uint32_t count = x86_cpuid(LEAF_TOPOLOGY, 1).ebx & 0xffff;

        if (count > 0)
            return count;
    }
    uint32_t count = x86_cpuid(1, 0).ebx >> 16 & 0xff;

    return count > 0 ? count : 1;
}

uint32_t cpu_count(void)
{
    uint64_t count = args_number("vps", count_by_cpuid());

    if (count < 1 || count > CPU_COUNT_MAX)
        report_fail("%lu processors: 1 to %d are expected", count,
                    CPU_COUNT_MAX);
    return (uint32_t)count;
}

static bool wait_online(const struct cpu *cpu, uint64_t timeout_ns)
{
    uint64_t start = clock_ns();

    while (__atomic_load_n(&cpu->is_online, __ATOMIC_ACQUIRE) == 0) {
        if (clock_ns() - start > timeout_ns)
            return false;
        for (int i = 0; i < 64; i++)
            x86_pause();
    }
    return true;
}

static void start_one(uint32_t index, void (*main)(void))
{
    size_t pages = (sizeof(struct cpu) + PAGE_BYTES - 1) / PAGE_BYTES;
    struct cpu *cpu = memory_pages(pages);

    cpu->index = index;
    cpu->main = main;
    cpus[index] = cpu;
    boot_application_stack = paging_new_stack(STACK_PAGES);
    boot_application_cpu = (uintptr_t)cpu;
    boot_application_cr3 = (uint32_t)paging_root();
    apic_send_init(index);
    apic_send_startup(index, BOOT_STARTUP_ADDRESS);
    /* The MP specification sends a second one where the first was lost. */
    if (!wait_online(cpu, SECOND_STARTUP_AFTER_NS))
        apic_send_startup(index, BOOT_STARTUP_ADDRESS);
    if (!wait_online(cpu, START_TIMEOUT_NS))
        report_fail("processor %u does not start", index);
}

static void copy_startup(void)
{
    memcpy((void *)(uintptr_t)BOOT_STARTUP_ADDRESS, boot_startup_begin,
           (size_t)(boot_startup_end - boot_startup_begin));
}

void cpu_start_all(void (*main)(void))
{
    uint32_t count = cpu_count();

    copy_startup();
    for (uint32_t index = 1; index < count; index++)
        start_one(index, main);
}

uint64_t cpu_present(void)
{
    uint64_t present = 0;

    for (unsigned byte = 0; byte < 8; byte++)
        present |= (uint64_t)x86_in8((uint16_t)(PRESENT_PORT + byte))
                   << (8 * byte);
    return present;
}

void cpu_start(uint32_t index, void (*main)(void))
{
    copy_startup();
    start_one(index, main);
}

/* Another processor may wake while this looks: its open idle time then counts
 * up to now, as if it had woken just now. */
uint64_t cpu_idle_ns(uint32_t index)
{
    const struct cpu *cpu = cpus[index];
    uint64_t idle_ns = __atomic_load_n(&cpu->idle_ns, __ATOMIC_ACQUIRE);
    uint64_t now = clock_ns();

    if (__atomic_load_n(&cpu->is_idle, __ATOMIC_ACQUIRE) &&
        now > cpu->idle_since_ns)
        idle_ns += now - cpu->idle_since_ns;
    return idle_ns;
}

_Noreturn void cpu_application_main(struct cpu *cpu)
{
    set_current(cpu);
    cpu_load();
    timer_init();
    __atomic_store_n(&cpu->is_online, 1, __ATOMIC_RELEASE);
    x86_sti();
    cpu->main();
    cpu_idle_forever();
}

void cpu_idle(void)
{
    struct cpu *cpu = cpu_current();

    cpu->idle_since_ns = clock_ns();
    cpu->is_idle = true;
    __asm__ volatile("sti; hlt" : : : "memory");
}

_Noreturn void cpu_idle_forever(void)
{
    for (;;) {
        x86_cli();
        cpu_idle();
    }
}

void cpu_note_wakeup(void)
{
    struct cpu *cpu = cpu_current();

    if (!cpu->is_idle)
        return;
    cpu->is_idle = false;
    cpu->idle_ns += clock_ns() - cpu->idle_since_ns;
}

_Noreturn void cpu_stop(void)
{
    for (;;)
        __asm__ volatile("cli; hlt" : : : "memory");
}
