/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * hvtest-interface: discovery and synthetic MSRs, held against what CPUID
 * says this partition may use: an offered MSR behaves as the TLFS says, one
 * that is not offered raises #GP.
 *
 * Argument: test=NAME. Needs Hyper-V ("Hv#1").
 */

#include "workloads/hvtests/msr.h"
#include "workloads/runtime/apic.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/selftest/probe.h"
#include "workloads/selftest/selftest.h"

#define REFERENCE_HZ UINT64_C(10000000)

#define MSR_RESET 0x40000003u
#define MSR_SCONTROL 0x40000080u
#define MSR_SVERSION 0x40000081u
#define MSR_SIEFP 0x40000082u
#define MSR_SIMP 0x40000083u
#define MSR_EOM 0x40000084u
#define MSR_SINT0 0x40000090u
#define SINT_COUNT 16
#define SINT_MASKED 0x10000u

#define PRIVILEGE_SYNIC (UINT64_C(1) << 2)
#define PRIVILEGE_RESET (UINT64_C(1) << 7)
#define PRIVILEGE_STATISTICS (UINT64_C(1) << 8)
#define PRIVILEGE_GUEST_IDLE (UINT64_C(1) << 10)
#define PRIVILEGE_DEBUG (UINT64_C(1) << 12)
#define PRIVILEGE_REENLIGHTENMENT (UINT64_C(1) << 13)
#define PRIVILEGE_TSC_INVARIANT (UINT64_C(1) << 15)
#define PRIVILEGE_CPU_MANAGEMENT (UINT64_C(1) << 44)
#define NEVER_OFFERED UINT64_MAX

static void run_cpuid(void)
{
    struct cpuid_registers r = x86_cpuid(0x40000000, 0);

    selftest_equal(x86_cpuid(1, 0).ecx >> 31, 1, "1.ECX[31]");
    selftest_equal(r.eax >= 0x40000005 && r.eax <= 0x4000ffff, true,
                   "40000000.EAX = %x in range", r.eax);
    selftest_equal(r.ebx, 0x7263694d, "vendor, first part");
    selftest_equal(r.ecx, 0x666f736f, "vendor, second part");
    selftest_equal(r.edx, 0x76482074, "vendor, third part");
    r = x86_cpuid(0x40000001, 0);
    selftest_equal(r.eax, 0x31237648, "interface");
    selftest_equal(r.ebx | r.ecx | r.edx, 0, "40000001: the rest");
    /* Linux takes a partition with this one for the root. */
    selftest_equal(hyperv_privileges() & PRIVILEGE_CPU_MANAGEMENT, 0,
                   "privilege CpuManagement");
    selftest_equal(!!(hyperv_privileges() & HV_PRIVILEGE_FREQUENCY_MSRS),
                   !!(hyperv_features() & HV_FEATURE_FREQUENCY_MSRS),
                   "frequency MSRs: privilege and feature");
    selftest_equal(x86_cpuid(0x40000005, 0).eax >= cpu_count(), true,
                   "40000005: processors");
}

enum msr_kind {
    READ_WRITE,
    READ_ONLY,
    WRITE_ONLY,
};

struct msr_row {
    const char *name;
    uint32_t msr;
    uint64_t privilege;
    enum msr_kind kind;
    uint64_t refused; /* a value that is #GP to write; 0: none */
};

static const struct msr_row msr_rows[] = {
    {"VP_INDEX", HV_MSR_VP_INDEX, HV_PRIVILEGE_VP_INDEX, READ_ONLY, 0},
    {"VP_RUNTIME", HV_MSR_VP_RUNTIME, HV_PRIVILEGE_VP_RUNTIME, READ_ONLY, 0},
    {"TIME_REF_COUNT", HV_MSR_TIME_REF_COUNT, HV_PRIVILEGE_REFERENCE_COUNTER,
     READ_ONLY, 0},
    {"TSC_FREQUENCY", HV_MSR_TSC_FREQUENCY, HV_PRIVILEGE_FREQUENCY_MSRS,
     READ_ONLY, 0},
    {"APIC_FREQUENCY", HV_MSR_APIC_FREQUENCY, HV_PRIVILEGE_FREQUENCY_MSRS,
     READ_ONLY, 0},
    {"EOI", HV_MSR_EOI, HV_PRIVILEGE_APIC_MSRS, WRITE_ONLY, 0},
    {"ICR", HV_MSR_ICR, HV_PRIVILEGE_APIC_MSRS, READ_WRITE, 0},
    {"TPR", HV_MSR_TPR, HV_PRIVILEGE_APIC_MSRS, READ_WRITE, 0},
    {"HYPERCALL", HV_MSR_HYPERCALL, HV_PRIVILEGE_HYPERCALL_MSRS, READ_WRITE,
     0xffd},
    {"SVERSION", MSR_SVERSION, PRIVILEGE_SYNIC, READ_ONLY, 0},
    {"SINT0 open below 16", MSR_SINT0, PRIVILEGE_SYNIC, READ_WRITE, 0x0f},
    {"RESET", MSR_RESET, PRIVILEGE_RESET, READ_WRITE, 0},
    {"statistics", 0x400000e0, PRIVILEGE_STATISTICS, READ_WRITE, 0},
    {"GUEST_IDLE", 0x400000f0, PRIVILEGE_GUEST_IDLE, READ_ONLY, 0},
    {"debug", 0x400000f1, PRIVILEGE_DEBUG, READ_WRITE, 0},
    {"REENLIGHTENMENT", 0x40000106, PRIVILEGE_REENLIGHTENMENT, READ_WRITE, 0},
    {"TSC_INVARIANT", 0x40000118, PRIVILEGE_TSC_INVARIANT, READ_WRITE, 2},
    {"STIMER4_CONFIG", 0x400000b8, NEVER_OFFERED, READ_WRITE, 0},
    {"SINT16", 0x400000a0, NEVER_OFFERED, READ_WRITE, 0},
    {"40000004", 0x40000004, NEVER_OFFERED, READ_WRITE, 0},
    {"40000200", 0x40000200, NEVER_OFFERED, READ_WRITE, 0},
    {"4000ffff", 0x4000ffff, NEVER_OFFERED, READ_WRITE, 0},
};

/* Reading these would act: RESET is harmless, GUEST_IDLE waits. */
static bool read_acts(const struct msr_row *row)
{
    return row->privilege == PRIVILEGE_GUEST_IDLE;
}

static void run_msr_row(const struct msr_row *row)
{
    bool is_offered = row->privilege != NEVER_OFFERED &&
                      (hyperv_privileges() & row->privilege) != 0;
    uint64_t value;

    if (!is_offered) {
        selftest_equal(msr_read(row->msr, &value), TRAP_GP,
                       "%s, not offered: read", row->name);
        selftest_equal(msr_write(row->msr, 0), TRAP_GP,
                       "%s, not offered: write", row->name);
        return;
    }
    if (!read_acts(row))
        selftest_equal(msr_read(row->msr, &value),
                       row->kind == WRITE_ONLY ? TRAP_GP : MSR_OK, "%s: read",
                       row->name);
    if (row->kind == READ_ONLY)
        selftest_equal(msr_write(row->msr, 0), TRAP_GP, "%s: write", row->name);
    if (row->refused != 0)
        selftest_equal(msr_write(row->msr, row->refused), TRAP_GP,
                       "%s: write of %lx", row->name, row->refused);
}

static void run_msrs(void)
{
    for (size_t i = 0; i < sizeof(msr_rows) / sizeof(msr_rows[0]); i++)
        run_msr_row(&msr_rows[i]);
}

static void check_value(uint32_t msr, uint64_t expected, const char *name)
{
    uint64_t value = ~expected;

    selftest_equal(msr_read(msr, &value), MSR_OK, "%s: read", name);
    selftest_equal(value, expected, "%s: value", name);
}

static void check_written(uint32_t msr, uint64_t value, const char *name)
{
    selftest_equal(msr_write(msr, value), MSR_OK, "%s: write", name);
    check_value(msr, value, name);
}

/* TLFS, "Establishing the Hypercall Interface". */
static void run_hypercall_msr(void)
{
    uint64_t page = (uintptr_t)hyperv_hypercall_page;
    uint64_t identity = x86_rdmsr(HV_MSR_GUEST_OS_ID);
    const uint8_t *code = (const uint8_t *)hyperv_hypercall_page;

    check_value(HV_MSR_HYPERCALL, page | HV_PAGE_ENABLE, "HYPERCALL");
    selftest_equal(code[0] == 0x0f && code[1] == 0x01, true, "page: call");
    selftest_equal(code[2] == 0xc1 || code[2] == 0xd9, true, "page: VMCALL");
    selftest_equal(code[3], 0xc3, "page: RET");

    check_written(HV_MSR_GUEST_OS_ID, 0, "GUEST_OS_ID");
    selftest_equal(x86_rdmsr(HV_MSR_HYPERCALL) & HV_PAGE_ENABLE, 0,
                   "HYPERCALL after identity 0");
    selftest_equal(code[0], 0xcc, "page after identity 0: the guest's own");
    selftest_equal(msr_write(HV_MSR_HYPERCALL, page | HV_PAGE_ENABLE), MSR_OK,
                   "HYPERCALL without identity: write");
    selftest_equal(x86_rdmsr(HV_MSR_HYPERCALL) & HV_PAGE_ENABLE, 0,
                   "HYPERCALL without identity: enable bit");
    check_written(HV_MSR_GUEST_OS_ID, identity, "GUEST_OS_ID");
    check_written(HV_MSR_HYPERCALL, page | HV_PAGE_ENABLE, "HYPERCALL again");
    selftest_equal(code[0], 0x0f, "page again");
}

extern const char interface_store[];
__asm__(".pushsection .text\n"
        "interface_store: movq $0, (%rbx)\n"
        "int $0x81\n"
        ".popsection");

/* The guest may not write the pages that tell it something, whatever its own
 * tables say: #GP, and the page stays. */
static void run_read_only_pages(void)
{
    static const uint64_t window = UINT64_C(0x0000400000000000);
    const uint64_t pages[] = {(uintptr_t)hyperv_hypercall_page,
                              (uintptr_t)hyperv_tsc_page()};

    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        const volatile uint64_t *page = (const volatile uint64_t *)pages[i];
        struct probe probe = probe_make(interface_store, 0);
        uint64_t before = *page;

        probe.frame.rbx = window + i * PAGE_BYTES;
        paging_map(probe.frame.rbx, pages[i], PTE_PRESENT | PTE_WRITE);
        probe_run(&probe, NULL);
        selftest_equal(probe.frame.vector, TRAP_GP, "store: vector");
        selftest_equal(probe.frame.rip, (uintptr_t)interface_store,
                       "store: RIP");
        selftest_equal(*page, before, "the page after it");
    }
}

static uint64_t indices[CPU_COUNT_MAX];

static void note_index(void)
{
    uint32_t index = cpu_current()->index;

    __atomic_store_n(&indices[index], x86_rdmsr(HV_MSR_VP_INDEX) + 1,
                     __ATOMIC_RELEASE);
}

static void run_vp_index(void)
{
    cpu_start_all(note_index);
    note_index();
    for (uint32_t i = 0; i < cpu_count(); i++) {
        while (__atomic_load_n(&indices[i], __ATOMIC_ACQUIRE) == 0)
            x86_pause();
        selftest_equal(indices[i] - 1, i, "VP index of processor %u", i);
    }
}

static void run_frequencies(void)
{
    uint64_t tsc_hz = x86_rdmsr(HV_MSR_TSC_FREQUENCY);
    uint64_t apic_hz = x86_rdmsr(HV_MSR_APIC_FREQUENCY);
    uint64_t start_time, start_tsc, time, tsc, expected;

    start_time = x86_rdmsr(HV_MSR_TIME_REF_COUNT);
    start_tsc = x86_rdtsc();
    clock_spin(20000000);
    time = x86_rdmsr(HV_MSR_TIME_REF_COUNT) - start_time;
    tsc = x86_rdtsc() - start_tsc;
    expected = tsc * REFERENCE_HZ / tsc_hz;
    /* The two reads of each pair are some instructions apart. */
    selftest_equal(time + 1000 > expected && expected + 1000 > time, true,
                   "TSC frequency: %lu and %lu units of 100 ns", time,
                   expected);

    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
    apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_1);
    start_time = x86_rdmsr(HV_MSR_TIME_REF_COUNT);
    apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
    clock_spin(2000000);
    expected = (uint64_t)(UINT32_MAX - apic_read(APIC_TIMER_CURRENT)) *
               REFERENCE_HZ / apic_hz;
    time = x86_rdmsr(HV_MSR_TIME_REF_COUNT) - start_time;
    apic_write(APIC_TIMER_INITIAL, 0);
    selftest_equal(time + 1000 > expected && expected + 1000 > time, true,
                   "APIC frequency: %lu and %lu units of 100 ns", time,
                   expected);
}

static void run_reference_time(void)
{
    uint64_t before = 0;

    for (int i = 0; i < 1000; i++) {
        uint64_t now = x86_rdmsr(HV_MSR_TIME_REF_COUNT);

        selftest_equal(now >= before, true, "reference counter");
        before = now;
    }
}

/* The MSR, read between two looks at the page, lies between them. */
static void run_tsc_page(void)
{
    const struct hyperv_tsc_page *page = hyperv_tsc_page();
    uint64_t msr = (uintptr_t)page | HV_PAGE_ENABLE;

    selftest_equal(page->sequence != 0, true, "sequence is not 0");
    selftest_equal(page->sequence != UINT32_MAX, true, "nor FFFFFFFF");
    for (int i = 0; i < 1000; i++) {
        uint64_t first = hyperv_reference_time();
        uint64_t middle = x86_rdmsr(HV_MSR_TIME_REF_COUNT);
        uint64_t last = hyperv_reference_time();

        selftest_equal(first <= middle && middle <= last, true,
                       "page %lu, MSR %lu, page %lu", first, middle, last);
    }
    check_written(HV_MSR_REFERENCE_TSC, msr | 0xffe, "preserved bits");
    check_written(HV_MSR_REFERENCE_TSC, msr & ~HV_PAGE_ENABLE, "disabled");
    check_written(HV_MSR_REFERENCE_TSC, 0, "zero");
    check_written(HV_MSR_REFERENCE_TSC, msr, "enabled again");
    selftest_equal(page->sequence != 0, true, "sequence, enabled again");
}

/* What this VP has run is no more than what has passed, and moves. Both are
 * rounded down. */
static void run_vp_runtime(void)
{
    uint64_t time = x86_rdmsr(HV_MSR_TIME_REF_COUNT);
    uint64_t start = x86_rdmsr(HV_MSR_VP_RUNTIME);
    uint64_t ran, passed;

    clock_spin(5000000);
    ran = x86_rdmsr(HV_MSR_VP_RUNTIME) - start;
    passed = x86_rdmsr(HV_MSR_TIME_REF_COUNT) - time;
    selftest_equal(ran > 0, true, "moves");
    selftest_equal(ran <= passed + 1, true, "%lu run, %lu passed", ran, passed);
}

static void run_apic_msrs(void)
{
    selftest_equal(msr_write(HV_MSR_TPR, 0x50), MSR_OK, "TPR: write");
    check_value(HV_MSR_TPR, 0x50, "TPR");
    selftest_equal(apic_read(APIC_TPR), 0x50, "TPR of the APIC");
    selftest_equal(x86_read_cr8(), 5, "CR8");
    x86_write_cr8(3);
    check_value(HV_MSR_TPR, 0x30, "TPR by CR8");
    x86_write_cr8(0);
    selftest_equal(msr_write(HV_MSR_EOI, 0), MSR_OK,
                   "EOI with none in service");
}

/* Each VP has its own page, which lies over the guest's. */
static void run_assist_page(void)
{
    volatile uint32_t *page = memory_pages(1);
    uint64_t msr = (uintptr_t)page | HV_PAGE_ENABLE;

    check_value(HV_MSR_VP_ASSIST_PAGE, 0, "reset");
    page[0] = UINT32_MAX;
    check_written(HV_MSR_VP_ASSIST_PAGE, msr, "enabled");
    selftest_equal(page[0], 0, "first word when enabled");
    check_written(HV_MSR_VP_ASSIST_PAGE, 0, "disabled");
}

static void run_synic(void)
{
    uint64_t control;

    selftest_equal(msr_read(MSR_SCONTROL, &control), MSR_OK, "SCONTROL");
    selftest_equal(control & ~UINT64_C(1), 0, "SCONTROL: reserved bits");
    check_value(MSR_SVERSION, 1, "SVERSION");
    check_value(MSR_SIEFP, 0, "SIEFP");
    check_value(MSR_SIMP, 0, "SIMP");
    check_value(MSR_EOM, 0, "EOM");
    selftest_equal(msr_write(MSR_EOM, 1), MSR_OK, "EOM: write");
    for (uint32_t i = 0; i < SINT_COUNT; i++) {
        check_value(MSR_SINT0 + i, SINT_MASKED, "SINT");
        check_written(MSR_SINT0 + i, SINT_MASKED, "SINT, masked again");
        check_written(MSR_SINT0 + i, 0x20 + i, "SINT, open");
        check_written(MSR_SINT0 + i, SINT_MASKED, "SINT, masked");
    }
}

/* Once locked, the MSR stays until the partition is reset: the last case. */
static void run_hypercall_lock(void)
{
    uint64_t value = x86_rdmsr(HV_MSR_HYPERCALL);

    check_written(HV_MSR_HYPERCALL, value | 2, "HYPERCALL, locked");
    selftest_equal(msr_write(HV_MSR_HYPERCALL, value), TRAP_GP, "unlock");
    check_value(HV_MSR_HYPERCALL, value | 2, "HYPERCALL after that");
}

struct offered_case {
    uint64_t privilege;
    uint32_t feature;
    struct selftest_case test;
};

void guest_main(void)
{
    static const struct offered_case all[] = {
        {0, 0, {"interface.cpuid", run_cpuid}},
        {0, 0, {"interface.msrs", run_msrs}},
        {HV_PRIVILEGE_HYPERCALL_MSRS,
         0,
         {"interface.hypercall_msr", run_hypercall_msr}},
        {HV_PRIVILEGE_HYPERCALL_MSRS | HV_PRIVILEGE_REFERENCE_TSC,
         0,
         {"interface.read_only_pages", run_read_only_pages}},
        {HV_PRIVILEGE_VP_INDEX, 0, {"interface.vp_index", run_vp_index}},
        {HV_PRIVILEGE_FREQUENCY_MSRS,
         0,
         {"interface.frequencies", run_frequencies}},
        {HV_PRIVILEGE_REFERENCE_COUNTER,
         0,
         {"interface.reference_time", run_reference_time}},
        {HV_PRIVILEGE_REFERENCE_TSC, 0, {"interface.tsc_page", run_tsc_page}},
        {HV_PRIVILEGE_VP_RUNTIME, 0, {"interface.vp_runtime", run_vp_runtime}},
        {HV_PRIVILEGE_APIC_MSRS, 0, {"interface.apic_msrs", run_apic_msrs}},
        {HV_PRIVILEGE_APIC_MSRS, 0, {"interface.assist_page", run_assist_page}},
        {PRIVILEGE_SYNIC, 0, {"interface.synic", run_synic}},
        {HV_PRIVILEGE_HYPERCALL_MSRS,
         1u << 18,
         {"interface.hypercall_lock", run_hypercall_lock}},
    };
    struct selftest_case offered[sizeof(all) / sizeof(all[0])];
    size_t count = 0;

    if (!hyperv_is_present())
        report_fail("this machine has no Hyper-V interface");
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if ((all[i].privilege & ~hyperv_privileges()) == 0 &&
            (all[i].feature & ~hyperv_features()) == 0)
            offered[count++] = all[i].test;
    }
    probe_init();
    selftest_run(offered, count);
}
