/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the hypervisor answers itself, what it refuses, and what it leaves to
 * the parent. What the parent is told is test_intercept_message.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hypervisor/intercept.h"
#include "hypervisor/msr.h"
#include "tests/hypervisor/fake_engine.h"
#include "tests/hypervisor/small_host.h"

#define MSR_HYPERCALL 0x40000001u
#define MSR_VP_INDEX 0x40000002u
#define MSR_RESET 0x40000003u
#define MSR_CRASH_CONTROL 0x40000105u
#define MSR_NOBODYS 0xc0011029u

static struct small_host host;
static struct hv_partition *child;
static struct engine *engine;
static struct hv_context context;

static int setup(void **state)
{
    (void)state;
    small_host_create(&host);
    child = small_host_child_with_vp(&host);
    child->vps[0]->explicit_suspend = false;
    vp_reconsider(&host.context, child->vps[0]);
    engine = child->vps[0]->engine;
    context = host.context;
    context.vp = child->vps[0];
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    small_host_destroy(&host);
    return 0;
}

static void ask_for(uint32_t type, uint32_t access, uint64_t parameter)
{
    assert_int_equal(
        partition_install_intercept(child, type, access, parameter),
        HV_STATUS_SUCCESS);
}

/* True if the parent has the intercept; what it was for is over then. */
static bool goes_to_parent(const struct vm_exit *exit)
{
    bool suspended;

    engine->exceptions = 0;
    (void)intercept_handle(&context, exit);
    suspended = child->vps[0]->intercept_suspend;
    vp_end_intercept(&host.context, child->vps[0]);
    return suspended;
}

static struct vm_exit write_of(uint32_t index, uint64_t value)
{
    return (struct vm_exit){.kind = VM_EXIT_WRMSR,
                            .instruction_bytes = 2,
                            .u.msr = {.index = index, .value = value}};
}

static bool faulted(void)
{
    return engine->exceptions == 1 &&
           engine->exception_vector == X86_VECTOR_GP &&
           engine->exception_error_code == 0;
}

static void an_msr_that_nobody_has_is_the_parents_if_it_asked(void **state)
{
    const struct vm_exit exit = write_of(MSR_NOBODYS, 1);

    (void)state;
    assert_false(goes_to_parent(&exit));
    assert_true(faulted());
    ask_for(INTERCEPT_TYPE_MSR, INTERCEPT_ACCESS_READ_WRITE, 0);
    assert_true(goes_to_parent(&exit));
    assert_false(faulted());
}

static void what_an_msr_does_not_allow_is_never_the_parents(void **state)
{
    const struct vm_exit reserved = write_of(MSR_HYPERCALL, 0x4);
    const struct vm_exit read_only = write_of(MSR_VP_INDEX, 0);

    (void)state;
    ask_for(INTERCEPT_TYPE_MSR, INTERCEPT_ACCESS_READ_WRITE, 0);
    assert_false(goes_to_parent(&reserved));
    assert_true(faulted());
    assert_false(goes_to_parent(&read_only));
    assert_true(faulted());
    /* Nor is one that the partition has no privilege for. */
    child->privileges = 0;
    assert_false(goes_to_parent(&read_only));
    assert_true(faulted());
}

static void a_reset_and_a_crash_are_the_parents(void **state)
{
    const struct vm_exit reset = write_of(MSR_RESET, 1);
    const struct vm_exit no_reset = write_of(MSR_RESET, 0);
    const struct vm_exit crash = write_of(MSR_CRASH_CONTROL, UINT64_C(1) << 63);
    const struct vm_exit no_crash =
        write_of(MSR_CRASH_CONTROL, UINT64_C(1) << 62);

    (void)state;
    assert_true(goes_to_parent(&reset));
    assert_false(goes_to_parent(&no_reset));
    assert_true(goes_to_parent(&crash));
    assert_false(goes_to_parent(&no_crash));
    assert_int_equal(engine->exceptions, 0);
}

static void a_port_that_nobody_has_is_an_open_bus(void **state)
{
    struct vm_exit in = {.kind = VM_EXIT_IO,
                         .instruction_bytes = 1,
                         .u.io = {.port = 0x5555, .bytes = 2, .in = true}};

    (void)state;
    engine->state.gpr[X86_RAX] = UINT64_C(0x1111111122222222);
    assert_false(goes_to_parent(&in));
    assert_true(engine->state.gpr[X86_RAX] == UINT64_C(0x111111112222ffff));
    in.u.io.bytes = 4;
    assert_false(goes_to_parent(&in));
    assert_true(engine->state.gpr[X86_RAX] == UINT32_MAX);
    ask_for(INTERCEPT_TYPE_IO_PORT, INTERCEPT_ACCESS_READ_WRITE, 0x5555);
    assert_true(goes_to_parent(&in));
}

static void a_cpuid_leaf_is_the_parents_if_it_asked(void **state)
{
    struct vm_exit exit = {
        .kind = VM_EXIT_CPUID, .instruction_bytes = 2, .u.cpuid = {.leaf = 1}};

    (void)state;
    ask_for(INTERCEPT_TYPE_CPUID, INTERCEPT_ACCESS_EXECUTE, 1);
    assert_true(goes_to_parent(&exit));
    exit.u.cpuid.leaf = 0;
    assert_false(goes_to_parent(&exit));
    assert_int_equal(engine->state.gpr[X86_RBX], 0x756e6547); /* "Genu" */
}

static void a_store_to_an_overlay_that_is_read_only_faults(void **state)
{
    struct vm_exit exit = {.kind = VM_EXIT_GPA,
                           .instruction_bytes = 3,
                           .u.gpa = {.gpa = gpa(0x8010), .write = true}};
    spa_t page;

    (void)state;
    assert_true(goes_to_parent(&exit));
    assert_int_equal(
        gpa_space_overlay(&child->gpa, &host, gpa(0x8000), false, &page),
        HV_STATUS_SUCCESS);
    assert_false(goes_to_parent(&exit));
    assert_true(faulted());
    exit.u.gpa.in_walk = true; /* by a page walk, that is undefined */
    assert_true(goes_to_parent(&exit));
    gpa_space_remove_overlay(&child->gpa, &host);
}

static void a_task_priority_beyond_cr8_faults(void **state)
{
    struct vm_exit exit = {.kind = VM_EXIT_CR8,
                           .instruction_bytes = 4,
                           .u.cr8 = {.write = true, .value = 16}};

    (void)state;
    assert_false(goes_to_parent(&exit));
    assert_true(faulted());
    exit.u.cr8.value = 15;
    assert_false(goes_to_parent(&exit));
    assert_int_equal(lapic_tpr(&child->vps[0]->lapic), 0xf0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_msr_that_nobody_has_is_the_parents_if_it_asked),
        T(what_an_msr_does_not_allow_is_never_the_parents),
        T(a_reset_and_a_crash_are_the_parents),
        T(a_port_that_nobody_has_is_an_open_bus),
        T(a_cpuid_leaf_is_the_parents_if_it_asked),
        T(a_store_to_an_overlay_that_is_read_only_faults),
        T(a_task_priority_beyond_cr8_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
