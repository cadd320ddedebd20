/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * selftest-exceptions: which exception, with which error code, at which RIP,
 * on which stack; interrupt windows; single step; NMI; double fault.
 *
 * Arguments: test=NAME; quirks=NAME (see selftest.h).
 */

#include "workloads/runtime/apic.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/segments.h"
#include "workloads/selftest/probe.h"
#include "workloads/selftest/selftest.h"

#define CR0_TS (UINT64_C(1) << 3)
#define CR4_TSD (UINT64_C(1) << 2)
#define DR6_BS (UINT64_C(1) << 14)
#define INTERRUPT_VECTOR 0xf0
#define NON_CANONICAL UINT64_C(0x0000800000000000)
#define MSR_ABSENT 0x2f0u
#define NOT_PRESENT_DATA UINT64_C(0x00cf13000000ffff)
#define SELECTOR_NOT_PRESENT SEGMENT_SPARE
#define SELECTOR_BEYOND 0xf00

/* exceptions_code.S */
#define CODE(name) extern const char code_##name[]
#define CODE_AT(name) extern const char code_##name[], code_##name##_at[]
#define FAULTING(name) CODE_AT(name);
#include "workloads/selftest/exceptions_code.def"
#undef FAULTING
CODE(steps);
CODE(steps_1);
CODE(steps_2);
CODE(steps_3);
CODE(steps_4);
CODE_AT(step_mov_ss);
CODE(step_mov_ss_shadow);
CODE_AT(step_popf);
CODE_AT(sti);
CODE(sti_cli);
CODE_AT(sti_hlt);
CODE_AT(popf);
CODE_AT(iret);
CODE(spin);

struct row {
    const char *name;
    const char *code, *at;
    unsigned vector;
    uint64_t error;
    uint64_t rax; /* also RBP, and on top of the stack */
    uint32_t ecx;
    enum selftest_departure departure;
};

#define AT(name) #name, code_##name, code_##name##_at

static const struct row kernel_rows[] = {
    {AT(nothing), PROBE_EXIT, 0, 0, 0, EXACT},
    {AT(divide), TRAP_DE, 0, 1, 0, EXACT},
    {AT(divide_overflow), TRAP_DE, 0, 0x80000000, 0, EXACT},
    {AT(breakpoint), TRAP_BP, 0, 0, 0, EXACT},
    {AT(software), 0x90, 0, 0, 0, EXACT},
    {AT(icebp), TRAP_DB, 0, 0, 0, ON_TCG},
    {AT(undefined), TRAP_UD, 0, 0, 0, EXACT},
    {AT(push_es), TRAP_UD, 0, 0, 0, EXACT},
    {AT(into), TRAP_UD, 0, 0, 0, EXACT},
    {AT(too_long), TRAP_GP, 0, 0, 0, EXACT},
    {AT(load_ds), TRAP_GP, SELECTOR_BEYOND, SELECTOR_BEYOND + 3, 0, EXACT},
    {AT(load_ds), TRAP_NP, SELECTOR_NOT_PRESENT, SELECTOR_NOT_PRESENT, 0,
     EXACT},
    {AT(load_ss), TRAP_SS, SELECTOR_NOT_PRESENT, SELECTOR_NOT_PRESENT, 0,
     EXACT},
    {AT(load_ss), TRAP_GP, SEGMENT_CODE64, SEGMENT_CODE64, 0, EXACT},
    {AT(load_fs), TRAP_NP, SELECTOR_NOT_PRESENT, SELECTOR_NOT_PRESENT, 0,
     EXACT},
    {AT(load_tr), TRAP_GP, SEGMENT_DATA, SEGMENT_DATA, 0, EXACT},
    {AT(read_rax), TRAP_GP, 0, NON_CANONICAL, 0, EXACT},
    {AT(read_rbp), TRAP_SS, 0, NON_CANONICAL, 0, ON_TCG},
    {AT(jump_rax), TRAP_GP, 0, NON_CANONICAL, 0, ON_ENGINE},
    {AT(return_stack), TRAP_GP, 0, NON_CANONICAL, 0, ON_ENGINE},
    {AT(read_msr), TRAP_GP, 0, 0, MSR_ABSENT, ON_TCG},
    {AT(write_msr), TRAP_GP, 0, 0, MSR_ABSENT, ON_TCG},
    {AT(write_cr0), TRAP_GP, 0, CR0_PG, 0, ON_TCG},
    {AT(sse_unaligned), TRAP_GP, 0, PROBE_USER_DATA + 8, 0, ON_ENGINE},
};

static const struct row user_rows[] = {
    {AT(divide), TRAP_DE, 0, 1, 0, EXACT},
    {AT(breakpoint), TRAP_BP, 0, 0, 0, EXACT},
    {AT(software), 0x90, 0, 0, 0, EXACT},
    {AT(software_refused), TRAP_GP, 0x91 * 8 + 2, 0, 0, ON_TCG},
    {AT(icebp), TRAP_DB, 0, 0, 0, ON_TCG},
    {AT(undefined), TRAP_UD, 0, 0, 0, EXACT},
    {AT(load_ss), TRAP_GP, 0, 0, 0, EXACT},
    {AT(load_ds), TRAP_GP, SEGMENT_DATA, SEGMENT_DATA, 0, EXACT},
    {AT(read_rax), TRAP_GP, 0, NON_CANONICAL, 0, EXACT},
    {AT(clear_if), TRAP_GP, 0, 0, 0, EXACT},
    {AT(set_if), TRAP_GP, 0, 0, 0, EXACT},
    {AT(halt), TRAP_GP, 0, 0, 0, EXACT},
    {AT(read_cr0), TRAP_GP, 0, 0, 0, EXACT},
    {AT(write_cr0), TRAP_GP, 0, 0, 0, EXACT},
    {AT(write_cr3), TRAP_GP, 0, 0, 0, EXACT},
    {AT(write_cr8), TRAP_GP, 0, 0, 0, EXACT},
    {AT(read_dr7), TRAP_GP, 0, 0, 0, EXACT},
    {AT(load_gdt), TRAP_GP, 0, 0, 0, EXACT},
    {AT(load_idt), TRAP_GP, 0, 0, 0, EXACT},
    {AT(load_ldt), TRAP_GP, 0, 0, 0, EXACT},
    {AT(load_tr), TRAP_GP, 0, 0, 0, EXACT},
    {AT(invalidate), TRAP_GP, 0, 0, 0, EXACT},
    {AT(clear_ts), TRAP_GP, 0, 0, 0, EXACT},
    {AT(write_back), TRAP_GP, 0, 0, 0, EXACT},
    {AT(machine_status), TRAP_GP, 0, 0, 0, EXACT},
    {AT(swap_gs), TRAP_GP, 0, 0, 0, EXACT},
    {AT(sys_return), TRAP_GP, 0, 0, 0, EXACT},
    {AT(read_msr), TRAP_GP, 0, 0, MSR_EFER, EXACT},
    {AT(write_msr), TRAP_GP, 0, 0, MSR_EFER, EXACT},
    {AT(read_pmc), TRAP_GP, 0, 0, 0, EXACT},
    {AT(in_byte), TRAP_GP, 0, 0, 0, EXACT},
    {AT(out_byte), TRAP_GP, 0, 0, 0, EXACT},
    {AT(identify), PROBE_EXIT, 0, 0, 0, EXACT},
    {AT(store_msw), PROBE_EXIT, 0, 0, 0, EXACT},
};

static void run_row(const struct row *row, unsigned ring)
{
    struct probe probe = probe_make(row->code, ring);
    uint64_t rip = probe_address(row->at, ring);

    if (selftest_leaves_out(row->departure))
        return;
    probe.frame.rax = row->rax;
    probe.frame.rdx = row->rax;
    probe.frame.rbx = UINT32_MAX; /* -1 for IDIV */
    probe.frame.rcx = row->ecx;
    probe.frame.rbp = row->rax;
    probe.frame.rsp -= 64;
    *(uint64_t *)probe.frame.rsp = row->rax;
    if (row->vector == PROBE_EXIT)
        rip += 2; /* INT's own length */
    probe_run(&probe, NULL);
    selftest_equal(probe.frame.vector, row->vector, "%s (ring %u): vector",
                   row->name, ring);
    selftest_equal(probe.frame.error, row->error, "%s (ring %u): error code",
                   row->name, ring);
    selftest_equal(probe.frame.rip, rip, "%s (ring %u): RIP", row->name, ring);
    selftest_equal(probe.frame.cs & 3, ring, "%s (ring %u): CS", row->name,
                   ring);
    selftest_equal(probe.frame.rsp, probe_stack(ring) - 64, "%s (ring %u): RSP",
                   row->name, ring);
}

static void run_kernel(void)
{
    cpu_current()->segments.gdt[SELECTOR_NOT_PRESENT / 8] = NOT_PRESENT_DATA;
    for (size_t i = 0; i < sizeof(kernel_rows) / sizeof(kernel_rows[0]); i++)
        run_row(&kernel_rows[i], 0);
}

static void run_user(void)
{
    x86_wrmsr(MSR_EFER, x86_rdmsr(MSR_EFER) | EFER_SCE); /* for SYSRET */
    for (size_t i = 0; i < sizeof(user_rows) / sizeof(user_rows[0]); i++)
        run_row(&user_rows[i], 3);
}

static void run_control_bits(void)
{
    static const struct row device = {AT(device), TRAP_NM, 0, 0, 0, EXACT};
    static const struct row x87 = {AT(device_x87), TRAP_NM, 0, 0, 0, EXACT};
    static const struct row tsc = {AT(read_tsc), TRAP_GP, 0, 0, 0, EXACT};
    static const struct row refused = {
        AT(breakpoint_refused), TRAP_GP, TRAP_BP * 8 + 2, 0, 0, ON_TCG};

    struct row reserved = {AT(write_cr4), TRAP_GP, 0, 0, 0, ON_TCG};

    /* The rest of CR4 as it is: an emulator that takes it goes on. */
    reserved.rax = x86_read_cr4() | UINT64_C(1) << 31;
    run_row(&reserved, 0);
    reserved.rax = x86_read_cr4() | UINT64_C(1) << 40;
    run_row(&reserved, 0);
    x86_write_cr0(x86_read_cr0() | CR0_TS);
    run_row(&device, 0);
    run_row(&device, 3);
    run_row(&x87, 3);
    x86_write_cr0(x86_read_cr0() & ~CR0_TS);
    x86_write_cr4(x86_read_cr4() | CR4_TSD);
    run_row(&tsc, 3);
    x86_write_cr4(x86_read_cr4() & ~CR4_TSD);
    trap_set_gate(TRAP_BP, 0, TRAP_IST_DOUBLE_FAULT);
    run_row(&refused, 3);
    trap_set_gate(TRAP_BP, 3, TRAP_IST_DOUBLE_FAULT);
}

/* What mend callbacks saw. */
static struct {
    uint64_t frame_end; /* where the trap pushed from */
    uint64_t rip[16];
    unsigned count;
    bool is_in_handler;
} seen;

static bool note_stack(struct trap_frame *frame)
{
    seen.frame_end = (uintptr_t)(frame + 1);
    return false;
}

static void run_stacks(void)
{
    const struct segments_tss *tss = &cpu_current()->segments.tss;
    struct probe probe;

    for (unsigned ist = 1; ist <= 2; ist++) {
        for (unsigned ring = 0; ring <= 3; ring += 3) {
            trap_set_gate(TRAP_UD, 0, ist);
            probe = probe_make(code_undefined, ring);
            probe_run(&probe, note_stack);
            selftest_equal(seen.frame_end, tss->ist[ist - 1],
                           "stack of IST %u from ring %u", ist, ring);
        }
    }
    trap_set_gate(TRAP_UD, 0, 0);
    probe = probe_make(code_undefined, 3);
    probe_run(&probe, note_stack);
    selftest_equal(seen.frame_end, tss->rsp[0], "stack from ring 3");
    selftest_equal(probe.frame.ss, SEGMENT_USER_DATA, "SS pushed from ring 3");

    for (uint64_t misaligned = 0; misaligned < 16; misaligned += 3) {
        probe = probe_make(code_undefined, 0);
        probe.frame.rsp -= 64 + misaligned;
        probe_run(&probe, note_stack);
        selftest_equal(seen.frame_end,
                       (probe_stack(0) - 64 - misaligned) & ~UINT64_C(15),
                       "stack within ring 0, %lu off", misaligned);
        selftest_equal(probe.frame.rsp, probe_stack(0) - 64 - misaligned,
                       "RSP pushed within ring 0");
    }
    trap_set_gate(TRAP_UD, 0, TRAP_IST_DOUBLE_FAULT);
}

static bool note_step(struct trap_frame *frame)
{
    if (frame->vector != TRAP_DB || seen.count == 16)
        return false;
    seen.rip[seen.count++] = frame->rip;
    return true;
}

static void run_single_step(void)
{
    static const char *const steps[] = {
        code_steps_1, code_steps_2, code_steps_2, code_steps_3, code_steps_4};

    for (unsigned ring = 0; ring <= 3; ring += 3) {
        struct probe probe = probe_make(code_steps, ring);

        seen.count = 0;
        probe.frame.rflags |= RFLAGS_TF;
        probe.frame.rsi = PROBE_USER_DATA;
        probe_run(&probe, note_step);
        selftest_equal(seen.count, 5, "steps in ring %u", ring);
        for (unsigned i = 0; i < 5; i++)
            selftest_equal(seen.rip[i], probe_address(steps[i], ring),
                           "step %u in ring %u", i, ring);
        selftest_equal(probe.frame.vector, PROBE_EXIT, "INT while stepping");
        selftest_equal(probe.frame.rflags & RFLAGS_TF, RFLAGS_TF,
                       "TF in the pushed flags");
        selftest_equal(x86_read_dr6() & DR6_BS, DR6_BS, "DR6.BS");
    }
}

/* POP SS and MOV SS hold back the step after them, too; POPF does not. */
static void run_step_shadow(void)
{
    struct probe probe = probe_make(code_step_mov_ss, 0);

    probe.frame.rflags |= RFLAGS_TF;
    probe.frame.rcx = SEGMENT_DATA;
    probe_run(&probe, NULL);
    selftest_equal(probe.frame.vector, TRAP_DB, "step over MOV SS: vector");
    if (!selftest_leaves_out(ON_TCG))
        selftest_equal(probe.frame.rip, (uintptr_t)code_step_mov_ss_at,
                       "step over MOV SS: RIP");

    probe = probe_make(code_step_popf, 0);
    probe.frame.rsp -= 8;
    *(uint64_t *)probe.frame.rsp = RFLAGS_FIXED | RFLAGS_TF;
    probe_run(&probe, NULL);
    selftest_equal(probe.frame.vector, TRAP_DB, "TF set by POPF: vector");
    selftest_equal(probe.frame.rip, (uintptr_t)code_step_popf_at,
                   "TF set by POPF: steps the instruction after it");
}

static void run_window(const char *name, const char *code, unsigned vector,
                       const char *at)
{
    struct probe probe = probe_make(code, 0);

    x86_cli();
    apic_send(cpu_current()->index, APIC_ICR_SELF | INTERRUPT_VECTOR);
    probe.frame.rsp -= 8;
    *(uint64_t *)probe.frame.rsp = RFLAGS_FIXED | RFLAGS_IF;
    probe_run(&probe, NULL);
    selftest_equal(probe.frame.vector, vector, "%s: vector", name);
    if (at != NULL)
        selftest_equal(probe.frame.rip, (uintptr_t)at, "%s: RIP", name);
    if (vector != INTERRUPT_VECTOR) {
        probe = probe_make(code_sti, 0); /* takes what is still pending */
        probe_run(&probe, NULL);
        selftest_equal(probe.frame.vector, INTERRUPT_VECTOR, "%s: afterwards",
                       name);
    }
    x86_sti();
}

static void run_windows(void)
{
    probe_catch_interrupt(INTERRUPT_VECTOR);
    run_window("sti", code_sti, INTERRUPT_VECTOR, code_sti_at);
    run_window("sti, cli", code_sti_cli, PROBE_EXIT, NULL);
    run_window("sti, hlt", code_sti_hlt, INTERRUPT_VECTOR, code_sti_hlt_at);
    run_window("popf", code_popf, INTERRUPT_VECTOR, code_popf_at);
    run_window("iret", code_iret, INTERRUPT_VECTOR, code_iret_at);
    run_window("nop", code_nothing, PROBE_EXIT, NULL);
}

/* The breakpoint's handler sends an NMI, and the first NMI sends another
 * one, which must wait for the IRET. */
static bool note_nmi(struct trap_frame *frame)
{
    if (frame->vector == TRAP_BP) {
        apic_send(cpu_current()->index, APIC_ICR_NMI | APIC_ICR_ASSERT);
        return true;
    }
    if (frame->vector != TRAP_NMI)
        return false;
    seen.frame_end = (uintptr_t)(frame + 1);
    selftest_equal(seen.is_in_handler, false, "NMI within NMI");
    seen.is_in_handler = true;
    if (seen.count++ == 0) {
        apic_send(cpu_current()->index, APIC_ICR_NMI | APIC_ICR_ASSERT);
        for (volatile int i = 0; i < 1000; i++)
            continue;
    }
    seen.is_in_handler = false;
    return true;
}

static void run_nmi(void)
{
    struct probe probe = probe_make(code_spin, 0);

    seen.count = 0;
    probe_run(&probe, note_nmi);
    selftest_equal(probe.frame.vector, PROBE_EXIT, "after NMIs");
    selftest_equal(seen.count, 2, "NMIs");
    selftest_equal(seen.frame_end, cpu_current()->segments.tss.ist[1],
                   "stack of NMI");
}

static void check_double_fault(const char *name, struct probe *probe,
                               const char *at)
{
    probe_run(probe, note_stack);
    selftest_equal(probe->frame.vector, TRAP_DF, "%s: vector", name);
    selftest_equal(probe->frame.error, 0, "%s: error code", name);
    selftest_equal(probe->frame.rip, (uintptr_t)at, "%s: RIP", name);
    selftest_equal(seen.frame_end, cpu_current()->segments.tss.ist[0],
                   "%s: stack", name);
}

static void run_double_fault(void)
{
    struct probe probe = probe_make(code_read_rax, 0);

    /* A page fault whose gate is not present. */
    probe.frame.rax = PROBE_USER_DATA + UINT64_C(0x100000);
    trap_set_present(TRAP_PF, false);
    check_double_fault("#PF without gate", &probe, code_read_rax_at);
    trap_set_present(TRAP_PF, true);

    /* A contributory exception within another one. */
    probe = probe_make(code_divide, 0);
    trap_set_present(TRAP_DE, false);
    trap_set_present(TRAP_NP, false);
    check_double_fault("#DE without gates", &probe, code_divide_at);
    trap_set_present(TRAP_NP, true);

    /* A benign one becomes what its delivery raises. */
    trap_set_present(TRAP_DE, true);
    trap_set_present(TRAP_UD, false);
    probe = probe_make(code_undefined, 0);
    probe_run(&probe, NULL);
    selftest_equal(probe.frame.vector, TRAP_NP, "#UD without gate: vector");
    if (!selftest_leaves_out(ON_TCG))
        selftest_equal(probe.frame.error, TRAP_UD * 8 + 2 + 1,
                       "#UD without gate: error code");
    trap_set_present(TRAP_UD, true);

    /* No stack to push to, for either fault. */
    trap_set_gate(TRAP_UD, 0, 0);
    trap_set_gate(TRAP_PF, 0, 0);
    probe = probe_make(code_undefined, 0);
    probe.frame.rsp = PROBE_USER_DATA + UINT64_C(0x200000);
    check_double_fault("#UD without stack", &probe, code_undefined_at);
    trap_set_gate(TRAP_UD, 0, TRAP_IST_DOUBLE_FAULT);
    trap_set_gate(TRAP_PF, 0, TRAP_IST_DOUBLE_FAULT);
}

void guest_main(void)
{
    static const struct selftest_case cases[] = {
        {"exceptions.kernel", run_kernel},
        {"exceptions.user", run_user},
        {"exceptions.control_bits", run_control_bits},
        {"exceptions.stacks", run_stacks},
        {"exceptions.single_step", run_single_step},
        {"exceptions.step_shadow", run_step_shadow},
        {"exceptions.windows", run_windows},
        {"exceptions.nmi", run_nmi},
        {"exceptions.double_fault", run_double_fault},
    };

    probe_init();
    trap_set_gate(TRAP_BP, 3, TRAP_IST_DOUBLE_FAULT);
    probe_catch_software(0x90);
    selftest_run(cases, sizeof(cases) / sizeof(cases[0]));
}
