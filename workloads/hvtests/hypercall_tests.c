/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * hvtest-hypercalls: the hypercall convention and its status codes as an
 * ordinary guest meets them (TLFS, "Hypercall Interface"), which may ask for
 * little: most calls must be refused, each with the right code.
 *
 * Argument: test=NAME. Needs Hyper-V with a hypercall page.
 */

#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/selftest/probe.h"
#include "workloads/selftest/selftest.h"

#define STATUS_SUCCESS 0
#define STATUS_INVALID_CODE 2
#define STATUS_INVALID_INPUT 3
#define STATUS_INVALID_ALIGNMENT 4
#define STATUS_ACCESS_DENIED 6

#define CALL_NOTIFY_LONG_SPIN_WAIT 0x08u
#define CALL_CREATE_PARTITION 0x40u
#define CALL_GET_PARTITION_ID 0x46u
#define CALL_GET_VP_REGISTERS 0x50u
#define CALL_UNDEFINED 0x3ffu

#define CONTROL_FAST (UINT64_C(1) << 16)
#define CONTROL_VARIABLE(n) ((uint64_t)(n) << 17)
#define CONTROL_REPS(n) ((uint64_t)(n) << 32)
#define CONTROL_START(n) ((uint64_t)(n) << 48)

#define PRIVILEGE_CREATE_PARTITIONS (UINT64_C(1) << 32)
#define PRIVILEGE_PARTITION_ID (UINT64_C(1) << 33)
#define PRIVILEGE_VP_REGISTERS (UINT64_C(1) << 49)

#define SELF UINT64_MAX
#define REGISTER_VP_INDEX 0x00090003u

extern const char hypercall_code[];
__asm__(".pushsection .text\n"
        "hypercall_code: call *%r9\n"
        "int $0x81\n"
        ".popsection");

static uint64_t *page; /* for parameters */

struct row {
    const char *name;
    uint64_t control;
    uint64_t status;
};

/* In the order of the engine's checks: reserved bits, code, privilege, then
 * the counts. None of these looks at memory. */
static const struct row rows[] = {
    {"long spin wait", CALL_NOTIFY_LONG_SPIN_WAIT | CONTROL_FAST,
     STATUS_SUCCESS},
    {"undefined code", CALL_UNDEFINED | CONTROL_FAST, STATUS_INVALID_CODE},
    {"code 0", CONTROL_FAST, STATUS_INVALID_CODE},
    {"last code", 0xffff | CONTROL_FAST, STATUS_INVALID_CODE},
    {"bit 27", CALL_NOTIFY_LONG_SPIN_WAIT | CONTROL_FAST | UINT64_C(1) << 27,
     STATUS_INVALID_INPUT},
    {"bit 44", CALL_NOTIFY_LONG_SPIN_WAIT | CONTROL_FAST | UINT64_C(1) << 44,
     STATUS_INVALID_INPUT},
    {"bit 60", CALL_NOTIFY_LONG_SPIN_WAIT | CONTROL_FAST | UINT64_C(1) << 60,
     STATUS_INVALID_INPUT},
    {"bit 60 of an undefined code",
     CALL_UNDEFINED | CONTROL_FAST | UINT64_C(1) << 60, STATUS_INVALID_INPUT},
    {"reps of a simple call",
     CALL_NOTIFY_LONG_SPIN_WAIT | CONTROL_FAST | CONTROL_REPS(1),
     STATUS_INVALID_INPUT},
    {"start of a simple call",
     CALL_NOTIFY_LONG_SPIN_WAIT | CONTROL_FAST | CONTROL_START(1),
     STATUS_INVALID_INPUT},
    {"variable header of a fixed call",
     CALL_NOTIFY_LONG_SPIN_WAIT | CONTROL_FAST | CONTROL_VARIABLE(1),
     STATUS_INVALID_INPUT},
};

static void run_status(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        selftest_equal(hyperv_hypercall(rows[i].control, 1000, 0),
                       rows[i].status, "%s", rows[i].name);
}

static void run_memory(void)
{
    uint64_t address = (uintptr_t)page;
    uint64_t call = CALL_NOTIFY_LONG_SPIN_WAIT;
    uint64_t status;

    page[0] = 1000;
    selftest_equal(hyperv_hypercall(call, address, 0), STATUS_SUCCESS,
                   "input from memory");
    selftest_equal(hyperv_hypercall(call, address + 8, 0), STATUS_SUCCESS,
                   "input from the middle of a page");
    for (uint64_t off = 1; off < 8; off++)
        selftest_equal(hyperv_hypercall(call, address + off, 0),
                       STATUS_INVALID_ALIGNMENT, "input %lu bytes off", off);
    status = hyperv_hypercall(call, UINT64_C(1) << 45, 0);
    selftest_equal(status != STATUS_SUCCESS, true,
                   "input where there is no memory");
}

/* Only the result register changes. */
static void run_registers(void)
{
    struct probe probe = probe_make(hypercall_code, 0);
    struct trap_frame before;

    probe.frame.rcx = CALL_NOTIFY_LONG_SPIN_WAIT | CONTROL_FAST;
    probe.frame.rdx = 1;
    probe.frame.r9 = (uintptr_t)hyperv_hypercall_page;
    probe.frame.rax = selftest_random();
    probe.frame.rbx = selftest_random();
    probe.frame.rsi = selftest_random();
    probe.frame.rdi = selftest_random();
    probe.frame.rbp = selftest_random();
    probe.frame.r8 = selftest_random();
    probe.frame.r10 = selftest_random();
    probe.frame.r11 = selftest_random();
    probe.frame.r12 = selftest_random();
    probe.frame.r13 = selftest_random();
    probe.frame.r14 = selftest_random();
    probe.frame.r15 = selftest_random();
    before = probe.frame;
    probe_run(&probe, NULL);
    selftest_equal(probe.frame.vector, PROBE_EXIT, "vector");
    selftest_equal(probe.frame.rax, STATUS_SUCCESS, "RAX");
#define UNCHANGED(r) selftest_equal(probe.frame.r, before.r, #r)
    UNCHANGED(rbx);
    UNCHANGED(rcx);
    UNCHANGED(rdx);
    UNCHANGED(rsi);
    UNCHANGED(rdi);
    UNCHANGED(rbp);
    UNCHANGED(rsp);
    UNCHANGED(r8);
    UNCHANGED(r9);
    UNCHANGED(r10);
    UNCHANGED(r11);
    UNCHANGED(r12);
    UNCHANGED(r13);
    UNCHANGED(r14);
    UNCHANGED(r15);
#undef UNCHANGED
}

static void run_ring_3(void)
{
    struct probe probe = probe_make(hypercall_code, 3);

    probe.frame.rcx = CALL_NOTIFY_LONG_SPIN_WAIT | CONTROL_FAST;
    probe.frame.r9 = probe_address(hyperv_hypercall_page, 3);
    probe_run(&probe, NULL);
    selftest_equal(probe.frame.vector, TRAP_UD, "vector");
    selftest_equal(probe.frame.rip, probe_address(hyperv_hypercall_page, 3),
                   "RIP");
}

/* Calls that need a privilege: refused without it, whatever else is wrong. */
static void run_privileges(void)
{
    uint64_t address = (uintptr_t)page;
    uint64_t has = hyperv_privileges();

    if (!(has & PRIVILEGE_CREATE_PARTITIONS))
        selftest_equal(hyperv_hypercall(CALL_CREATE_PARTITION, address + 1,
                                        address + 2048),
                       STATUS_ACCESS_DENIED, "CreatePartition");
    if (!(has & PRIVILEGE_PARTITION_ID)) {
        selftest_equal(hyperv_hypercall(CALL_GET_PARTITION_ID, 0, address),
                       STATUS_ACCESS_DENIED, "GetPartitionId");
    } else {
        page[0] = 0;
        selftest_equal(hyperv_hypercall(CALL_GET_PARTITION_ID, 1, address),
                       STATUS_SUCCESS, "GetPartitionId, input ignored");
        selftest_equal(page[0] != 0 && page[0] != SELF, true, "partition id");
    }
}

/* The partition management calls, on a partition that is not ours: no
 * success, and never a result with bits outside status and reps. */
static void run_others(void)
{
    uint64_t address = (uintptr_t)page;

    for (uint64_t call = 0x40; call <= 0x56; call++) {
        for (uint64_t reps = 0; reps <= 1; reps++) {
            uint64_t result;

            if (call == CALL_GET_PARTITION_ID)
                continue;
            page[0] = 0x7777; /* a partition that does not exist */
            page[1] = 0;
            result = hyperv_hypercall(call | CONTROL_REPS(reps), address,
                                      address + 2048);
            selftest_equal((result & 0xffff) != STATUS_SUCCESS, true,
                           "call %lx on another partition", call);
            selftest_equal(result & ~UINT64_C(0xfff0000ffff), 0,
                           "call %lx: other bits of the result", call);
        }
    }
}

/* GetVpRegisters on oneself: the one rep call an ordinary guest may be
 * allowed. */
static void run_rep_call(void)
{
    uint64_t address = (uintptr_t)page;
    uint64_t call = CALL_GET_VP_REGISTERS;
    uint32_t *names = (uint32_t *)&page[2];

    page[0] = SELF;
    page[1] = 0xfffffffe; /* this VP, this level */
    names[0] = REGISTER_VP_INDEX;
    names[1] = REGISTER_VP_INDEX;
    page[256] = page[258] = UINT64_MAX;
    selftest_equal(
        hyperv_hypercall(call | CONTROL_REPS(2), address, address + 2048),
        CONTROL_REPS(2) | STATUS_SUCCESS, "two registers");
    selftest_equal(page[256], 0, "first value");
    selftest_equal(page[258], 0, "second value");
    page[256] = UINT64_MAX;
    selftest_equal(hyperv_hypercall(call | CONTROL_REPS(2) | CONTROL_START(1),
                                    address, address + 2048),
                   CONTROL_REPS(2) | STATUS_SUCCESS, "from the second on");
    selftest_equal(page[256], UINT64_MAX, "first value stays");
    selftest_equal(hyperv_hypercall(call, address, address + 2048),
                   STATUS_INVALID_INPUT, "no reps");
    selftest_equal(hyperv_hypercall(call | CONTROL_REPS(2) | CONTROL_START(2),
                                    address, address + 2048),
                   STATUS_INVALID_INPUT, "start at the end");
}

void guest_main(void)
{
    struct selftest_case cases[8] = {
        {"hypercalls.status", run_status},
        {"hypercalls.memory", run_memory},
        {"hypercalls.registers", run_registers},
        {"hypercalls.ring_3", run_ring_3},
        {"hypercalls.privileges", run_privileges},
        {"hypercalls.others", run_others},
    };
    size_t count = 6;

    if (!(hyperv_privileges() & HV_PRIVILEGE_HYPERCALL_MSRS))
        report_fail("this machine has no hypercall page");
    if (hyperv_privileges() & PRIVILEGE_VP_REGISTERS)
        cases[count++] =
            (struct selftest_case){"hypercalls.rep_call", run_rep_call};
    page = memory_pages(1);
    probe_init();
    selftest_run(cases, count);
}
