/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Rules 1 to 9 and 40: what a guest finds, and the registers that it sets up
 * first (TLFS, "Feature and Interface Discovery", "Synthetic MSRs"). */

#include "workloads/hvtests/msr.h"
#include "workloads/hvtests/rule.h"
#include "workloads/runtime/apic.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/trap.h"
#include "workloads/selftest/selftest.h"

#define MSR_SCONTROL 0x40000080u
#define MSR_SIEFP 0x40000082u
#define MSR_SIMP 0x40000083u
#define MSR_SINT0 0x40000090u
#define MSR_GUEST_IDLE 0x400000f0u
#define SINT_COUNT 16
#define SINT_MASKED UINT64_C(0x10000)
#define SINT_AUTO_EOI UINT64_C(0x20000)
#define VECTOR 0xb4
#define VECTOR_FIRST_LEGAL 16

#define HYPERCALL_MSRS_AND_VP_INDEX (1u << 5 | 1u << 6)
#define CPU_MANAGEMENT (1u << 12) /* of the privileges' upper half */

void rule_01_what_linux_looks_for(void)
{
    struct cpuid_registers r = x86_cpuid(0x40000000, 0);
    uint32_t privileges = x86_cpuid(0x40000003, 0).eax;

    selftest_equal(x86_cpuid(1, 0).ecx >> 31, 1, "a hypervisor is present");
    selftest_equal(r.eax >= 0x40000005 && r.eax <= 0x4000ffff, true,
                   "the highest leaf, %x", r.eax);
    selftest_equal(memcmp(&r.ebx, "Microsoft Hv", 12) == 0, true, "the vendor");
    selftest_equal(x86_cpuid(0x40000001, 0).eax, 0x31237648, "Hv#1");
    selftest_equal(privileges & HYPERCALL_MSRS_AND_VP_INDEX,
                   HYPERCALL_MSRS_AND_VP_INDEX, "privileges 5 and 6");
}

void rule_02_a_guest_is_not_the_root(void)
{
    selftest_equal(x86_cpuid(0x40000003, 0).ebx & CPU_MANAGEMENT, 0,
                   "privilege 44");
}

void rule_03_the_hypercall_page_needs_an_identity(void)
{
    uint64_t identity = x86_rdmsr(HV_MSR_GUEST_OS_ID);
    uint64_t page = (uintptr_t)hyperv_hypercall_page | HV_PAGE_ENABLE;

    selftest_equal(x86_rdmsr(HV_MSR_HYPERCALL), page, "as the runtime set it");
    x86_wrmsr(HV_MSR_GUEST_OS_ID, 0);
    selftest_equal(x86_rdmsr(HV_MSR_HYPERCALL) & HV_PAGE_ENABLE, 0,
                   "identity 0 takes the page away");
    selftest_equal(msr_write(HV_MSR_HYPERCALL, page), MSR_OK,
                   "enabling it without an identity: no fault");
    selftest_equal(x86_rdmsr(HV_MSR_HYPERCALL) & HV_PAGE_ENABLE, 0,
                   "and no page");
    x86_wrmsr(HV_MSR_GUEST_OS_ID, identity);
    selftest_equal(x86_rdmsr(HV_MSR_HYPERCALL) & HV_PAGE_ENABLE, 0,
                   "an identity alone brings it not back");
    x86_wrmsr(HV_MSR_HYPERCALL, page);
    selftest_equal(x86_rdmsr(HV_MSR_HYPERCALL), page, "enabled, and told so");
}

void rule_04_a_sint_takes_its_reset_value_again(void)
{
    for (uint32_t sint = 0; sint < SINT_COUNT; sint++) {
        uint32_t msr = MSR_SINT0 + sint;

        selftest_equal(x86_rdmsr(msr), SINT_MASKED, "SINT%u at reset", sint);
        selftest_equal(msr_write(msr, SINT_MASKED), MSR_OK,
                       "SINT%u: the same again", sint);
        for (uint64_t vector = 0; vector < VECTOR_FIRST_LEGAL; vector++) {
            selftest_equal(msr_write(msr, vector), TRAP_GP,
                           "SINT%u: open, vector %lu", sint, vector);
            selftest_equal(msr_write(msr, SINT_AUTO_EOI | vector), TRAP_GP,
                           "SINT%u: auto-EOI, vector %lu", sint, vector);
        }
        selftest_equal(x86_rdmsr(msr), SINT_MASKED,
                       "SINT%u after what was refused", sint);
        selftest_equal(msr_write(msr, VECTOR_FIRST_LEGAL), MSR_OK,
                       "SINT%u: open, vector 16", sint);
        x86_wrmsr(msr, SINT_MASKED);
    }
}

static void wait_for_others(void)
{
    for (uint32_t cpu = 1; cpu < RULE_CPUS; cpu++) {
        while (rule_time_looks[cpu] == 0)
            x86_pause();
    }
}

void rule_05_the_synic_is_off_at_first(void)
{
    selftest_equal(x86_rdmsr(MSR_SCONTROL), 0, "SCONTROL");
    wait_for_others();
    for (uint32_t cpu = 1; cpu < RULE_CPUS; cpu++)
        selftest_equal(rule_first_looks[cpu].scontrol, 0,
                       "SCONTROL of processor %u", cpu);
}

void rule_06_pages_appear_zeroed(void)
{
    static const uint32_t whole[] = {MSR_SIMP, MSR_SIEFP};
    volatile uint32_t *page = memory_pages(1);
    const unsigned last = PAGE_BYTES / sizeof(*page) - 1;

    memset((void *)(uintptr_t)page, 0xff, PAGE_BYTES);
    for (unsigned i = 0; i < 2; i++) {
        x86_wrmsr(whole[i], (uintptr_t)page | HV_PAGE_ENABLE);
        selftest_equal(page[0], 0, "MSR %x: the first word", whole[i]);
        selftest_equal(page[last], 0, "MSR %x: the last word", whole[i]);
        x86_wrmsr(whole[i], 0);
    }
    x86_wrmsr(HV_MSR_VP_ASSIST_PAGE, (uintptr_t)page | HV_PAGE_ENABLE);
    selftest_equal(page[0], 0, "assist page: the first word");
    selftest_equal(page[1], UINT32_MAX, "assist page: the second");
    selftest_equal(page[last], UINT32_MAX, "assist page: the last");
    page[0] = 0x55;
    x86_wrmsr(HV_MSR_VP_ASSIST_PAGE, (uintptr_t)page | HV_PAGE_ENABLE);
    selftest_equal(page[0], 0x55, "assist page: enabled already");
    x86_wrmsr(HV_MSR_VP_ASSIST_PAGE, 0);
}

void rule_07_the_tsc_page_register_reads_back(void)
{
    uint64_t was = x86_rdmsr(HV_MSR_REFERENCE_TSC);
    const uint64_t values[] = {0, was & ~HV_PAGE_ENABLE, was | 0xffe, was};
    const struct hyperv_tsc_page *page = hyperv_tsc_page();

    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        x86_wrmsr(HV_MSR_REFERENCE_TSC, values[i]);
        selftest_equal(x86_rdmsr(HV_MSR_REFERENCE_TSC), values[i],
                       "REFERENCE_TSC");
    }
    for (unsigned i = 0; i < 100; i++) {
        x86_wrmsr(HV_MSR_REFERENCE_TSC, 0);
        x86_wrmsr(HV_MSR_REFERENCE_TSC, was);
        selftest_equal(page->sequence != 0 && page->sequence != UINT32_MAX,
                       true, "sequence %x", page->sequence);
    }
}

/* On this processor; and on the others while this one has the page made anew
 * over and over. */
void rule_08_the_counter_lies_between_two_looks(void)
{
    uint64_t was = x86_rdmsr(HV_MSR_REFERENCE_TSC);

    for (unsigned i = 0; i < 1000; i++) {
        uint64_t first = hyperv_reference_time();
        uint64_t counter = x86_rdmsr(HV_MSR_TIME_REF_COUNT);
        uint64_t second = hyperv_reference_time();

        selftest_equal(first <= counter && counter <= second, true,
                       "page %lu, counter %lu, page %lu", first, counter,
                       second);
    }
    wait_for_others();
    for (uint32_t cpu = 1; cpu < RULE_CPUS; cpu++) {
        uint64_t looks = rule_time_looks[cpu];

        while (rule_time_looks[cpu] < looks + 500) {
            x86_wrmsr(HV_MSR_REFERENCE_TSC, 0);
            x86_wrmsr(HV_MSR_REFERENCE_TSC, was);
        }
        selftest_equal(rule_time_wrong[cpu], 0, "wrong times on processor %u",
                       cpu);
    }
}

static volatile unsigned interrupts;

static void handle(struct trap_frame *frame)
{
    (void)frame;
    interrupts++;
    apic_eoi();
}

void rule_09_an_idle_guest_wakes_with_interrupts_off(void)
{
    trap_set_handler(VECTOR, handle);
    x86_cli();
    apic_send(0, APIC_ICR_SELF | VECTOR);
    selftest_equal(x86_rdmsr(MSR_GUEST_IDLE), 0, "GUEST_IDLE");
    selftest_equal(interrupts, 0, "interrupts so far");
    x86_sti();
    clock_spin(100000);
    selftest_equal(interrupts, 1, "interrupts in the end");
}

/* ACPI, as far as it takes to find the VMBus device. */

#define FIRMWARE_FIRST UINT64_C(0xe0000)
#define FIRMWARE_END UINT64_C(0x100000)
#define TABLE_HEAD 36 /* of every table with a signature */
#define FADT_X_DSDT 140
#define QWORD_MEMORY 0x8a      /* resource: large item, 64-bit range ... */
#define QWORD_MEMORY_BODY 43   /* ... of so many bytes, ... */
#define QWORD_MEMORY_TYPE 3    /* ... its type here, 0: memory; ... */
#define QWORD_MEMORY_LENGTH 38 /* ... and its length here */
#define WINDOW_BYTES_MIN (UINT64_C(1) << 20)

static uint64_t load(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    memcpy(&value, at, bytes);
    return value;
}

static const uint8_t *find(const uint8_t *from, const uint8_t *end,
                           const char *bytes, size_t count)
{
    for (; from + count <= end; from++) {
        if (memcmp(from, bytes, count) == 0)
            return from;
    }
    return NULL;
}

/* The DSDT, or NULL: RSDP, XSDT, FADT, DSDT. */
static const uint8_t *find_dsdt(void)
{
    const uint8_t *first = (const uint8_t *)(uintptr_t)FIRMWARE_FIRST;
    const uint8_t *rsdp =
        find(first, first + (FIRMWARE_END - FIRMWARE_FIRST), "RSD PTR ", 8);
    const uint8_t *xsdt;

    if (rsdp == NULL)
        return NULL;
    xsdt = (const uint8_t *)(uintptr_t)load(rsdp + 24, 8);
    for (uint64_t at = TABLE_HEAD; at < load(xsdt + 4, 4); at += 8) {
        const uint8_t *table = (const uint8_t *)(uintptr_t)load(xsdt + at, 8);

        if (memcmp(table, "FACP", 4) == 0)
            return (const uint8_t *)(uintptr_t)load(table + FADT_X_DSDT, 8);
    }
    return NULL;
}

/* How many windows for memory of at least 1 MiB there are before `end`. */
static unsigned count_windows(const uint8_t *from, const uint8_t *end)
{
    static const char item[] = {(char)QWORD_MEMORY, QWORD_MEMORY_BODY, 0, 0};
    unsigned count = 0;

    while ((from = find(from, end, item, sizeof(item))) != NULL) {
        count += load(from + QWORD_MEMORY_LENGTH, 8) >= WINDOW_BYTES_MIN;
        from += QWORD_MEMORY_TYPE + QWORD_MEMORY_BODY;
    }
    return count;
}

/* Linux takes windows of the device's own or of an ancestor's, which in our
 * tables stands before it; and starts processors by INIT and start-up IPIs,
 * as this guest has. */
void rule_40_linux_finds_the_bus_and_its_windows(void)
{
    const uint8_t *dsdt, *end, *device;

    for (uint64_t at = FIRMWARE_FIRST; at < FIRMWARE_END; at += PAGE_BYTES)
        paging_map(at, at, PTE_PRESENT);
    dsdt = find_dsdt();
    selftest_equal(dsdt != NULL, true, "a DSDT");
    if (dsdt == NULL)
        return;
    end = dsdt + load(dsdt + 4, 4);
    device = find(dsdt, end, "\x08_HID\x0dVMBus", 12);
    if (device == NULL)
        device = find(dsdt, end, "\x08_HID\x0dVMBUS", 12);
    selftest_equal(device != NULL, true, "a device called VMBus");
    if (device == NULL)
        return;
    selftest_equal(count_windows(dsdt, device) > 0, true,
                   "windows of 1 MiB or more");
    wait_for_others();
    for (uint32_t cpu = 1; cpu < RULE_CPUS; cpu++) {
        selftest_equal(rule_first_looks[cpu].vp_index, cpu,
                       "index of the processor that was started");
        selftest_equal(rule_first_looks[cpu].apic_id, cpu, "and its APIC id");
    }
}
