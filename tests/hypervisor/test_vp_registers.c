/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hypervisor/cpuid.h"
#include "hypervisor/vp_registers.h"
#include "tests/hypervisor/fake_engine.h"
#include "tests/hypervisor/small_host.h"

#define NOT_CANONICAL UINT64_C(0x0000800000000000)

struct fixture {
    struct small_host host;
    struct hv_vp *vp;
};

static int setup(void **state)
{
    static struct fixture f;

    small_host_create(&f.host);
    f.vp = small_host_child_with_vp(&f.host)->vps[0];
    f.vp->partition->privileges = PRIVILEGES_KNOWN;
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    small_host_destroy(&((struct fixture *)*state)->host);
    return 0;
}

static enum hv_status set(struct fixture *f, uint32_t name, uint64_t low,
                          uint64_t high)
{
    struct hv_register_value value = {low, high};
    struct vp_registers registers;
    enum hv_status status;

    vp_registers_open(&registers, &f->host.context, f->vp);
    status = vp_registers_set(&registers, name, &value);
    vp_registers_close(&registers);
    return status;
}

static enum hv_status get(struct fixture *f, uint32_t name,
                          struct hv_register_value *out)
{
    struct vp_registers registers;
    enum hv_status status;

    vp_registers_open(&registers, &f->host.context, f->vp);
    status = vp_registers_get(&registers, name, out);
    vp_registers_close(&registers);
    return status;
}

/* What is set is what is got; what cannot be is refused. */
static void every_register_keeps_what_it_may_hold(void **state)
{
    static const struct {
        uint32_t name;
        uint64_t low, high;
        enum hv_status status;
    } cases[] = {
        {HV_REGISTER_RAX, UINT64_MAX, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_RAX + X86_R15, 15, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_RIP, 0xffffffff81000000, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_RIP, NOT_CANONICAL, 0, HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_RFLAGS, 0x202, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_RFLAGS, 0x200, 0, HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_RFLAGS, 0x8002, 0, HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_RFLAGS, 0x400002, 0, HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_XMM0 + 7, 1, 2, HV_STATUS_SUCCESS},
        {HV_REGISTER_CR0, 0x80050033, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_CR0, 0x80000010, 0, HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_CR0, 0x20000010, 0, HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_CR0, 0x60000010, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_CR0, UINT64_C(1) << 32, 0,
         HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_CR2, UINT64_MAX, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_CR3, 0x123456000, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_CR3, UINT64_C(1) << CPUID_PHYSICAL_BITS, 0,
         HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_CR4, CR4_PAE | CR4_PGE, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_CR4, CR4_LA57, 0, HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_CR4, UINT64_C(1) << 63, 0,
         HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_CR8, 15, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_CR8, 16, 0, HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_DR0 + 3, 0x1234, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_DR6, 0xffff0ff0, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_DR7, UINT64_C(1) << 32, 0,
         HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_CS, 0, UINT64_C(0xa09b0008ffffffff), HV_STATUS_SUCCESS},
        {HV_REGISTER_CS, 0, UINT64_C(0xaf9b0008ffffffff),
         HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_CS, NOT_CANONICAL, 0, HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_LDTR, 0x5000, UINT64_C(0x0082002800000fff),
         HV_STATUS_SUCCESS},
        {HV_REGISTER_TR, 0x6000, UINT64_C(0x008b004000000067),
         HV_STATUS_SUCCESS},
        {HV_REGISTER_IDTR, UINT64_C(0x0fff) << 48, 0xfffffe0000000000,
         HV_STATUS_SUCCESS},
        {HV_REGISTER_GDTR, UINT64_C(0x7f) << 48, 0x1000, HV_STATUS_SUCCESS},
        {HV_REGISTER_GDTR, 0, NOT_CANONICAL, HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_EFER, EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE, 0,
         HV_STATUS_SUCCESS},
        {HV_REGISTER_EFER, 2, 0, HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_KERNEL_GS_BASE, 0xffff800000000000, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_KERNEL_GS_BASE, NOT_CANONICAL, 0,
         HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_SYSENTER_CS, 0x10, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_SYSENTER_EIP, NOT_CANONICAL, 0,
         HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_SYSENTER_ESP, 0x9000, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_STAR, 0x0023001000000000, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_LSTAR, 0xffffffff81800000, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_LSTAR, NOT_CANONICAL, 0, HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_CSTAR, NOT_CANONICAL, 0, HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_SFMASK, 0x47700, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_TSC_AUX, 3, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_PAT, 0x0007040600070406, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_PAT, 0x02, 0, HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_APIC_BASE, UINT64_MAX, 0,
         HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_MTRR_DEF_TYPE, 0xc06, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_MTRR_BASE0, 0x80000000, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_MTRR_MASK0, UINT64_C(0x3fff80000800), 0,
         HV_STATUS_SUCCESS},
        {HV_REGISTER_MTRR_FIX64K + 10, 0x0606060606060606, 0,
         HV_STATUS_SUCCESS},
        {HV_REGISTER_GUEST_OS_ID, 0x8100000000000000, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_SINT0 + 2, 0x10031, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_SINT0 + 2, 3, 0, HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_SCONTROL, 1, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_CRASH_P0 + 4, 42, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_INTERRUPT_STATE, 3, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_INTERRUPT_STATE, 4, 0, HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_EXPLICIT_SUSPEND, 2, 0, HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_EXPLICIT_SUSPEND, 1, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_INTERCEPT_SUSPEND, 1, 0, HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_INTERCEPT_SUSPEND, 0, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_INTERNAL_ACTIVITY, 3, 0, HV_STATUS_SUCCESS},
        {HV_REGISTER_INTERNAL_ACTIVITY, 4, 0, HV_STATUS_INVALID_REGISTER_VALUE},
        {HV_REGISTER_VP_RUNTIME, 1, 0, HV_STATUS_OPERATION_DENIED},
        {HV_REGISTER_VP_INDEX, 1, 0, HV_STATUS_OPERATION_DENIED},
        {HV_REGISTER_TIME_REF_COUNT, 1, 0, HV_STATUS_OPERATION_DENIED},
        {HV_REGISTER_INITIAL_APIC_ID, 1, 0, HV_STATUS_OPERATION_DENIED},
        {HV_REGISTER_HYPERVISOR_VERSION, 1, 0, HV_STATUS_OPERATION_DENIED},
        {2, 0, 0, HV_STATUS_UNKNOWN_REGISTER},
        {HV_REGISTER_RFLAGS + 1, 0, 0, HV_STATUS_UNKNOWN_REGISTER},
        {HV_REGISTER_XMM0 + 16, 0, 0, HV_STATUS_UNKNOWN_REGISTER},
        {HV_REGISTER_TR + 1, 0, 0, HV_STATUS_UNKNOWN_REGISTER},
        {UINT32_MAX, 0, 0, HV_STATUS_UNKNOWN_REGISTER},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hv_register_value value;
        enum hv_status status =
            set(f, cases[i].name, cases[i].low, cases[i].high);

        if (status != cases[i].status)
            fail_msg("%#x = %#llx: %s", cases[i].name,
                     (unsigned long long)cases[i].low, hv_status_name(status));
        if (status != HV_STATUS_SUCCESS)
            continue;
        assert_int_equal(get(f, cases[i].name, &value), HV_STATUS_SUCCESS);
        if (value.low != cases[i].low || value.high != cases[i].high)
            fail_msg("%#x reads %#llx %#llx", cases[i].name,
                     (unsigned long long)value.low,
                     (unsigned long long)value.high);
    }
}

static void segments_reach_the_engine_field_by_field(void **state)
{
    struct fixture *f = *state;
    const struct x86_segment *gs = &f->vp->engine->state.segment[X86_GS];

    assert_int_equal(
        set(f, HV_REGISTER_ES + X86_GS, 0x7f00, UINT64_C(0xc093001812345678)),
        HV_STATUS_SUCCESS);
    assert_int_equal(gs->base, 0x7f00);
    assert_int_equal(gs->limit, 0x12345678);
    assert_int_equal(gs->selector, 0x18);
    assert_int_equal(gs->attributes, 0xc093);
}

static void read_only_registers_tell_the_truth(void **state)
{
    struct fixture *f = *state;
    struct hv_register_value value;
    struct cpuid_result leaf = cpuid_query(f->vp, 0x40000003, 0);

    f->vp->run_time = cycles(2000000); /* 1 ms at 2 GHz */
    get(f, HV_REGISTER_VP_RUNTIME, &value);
    assert_int_equal(value.low, 10000);
    get(f, HV_REGISTER_PRIVILEGES_AND_FEATURES, &value);
    assert_int_equal(value.low, leaf.eax | (uint64_t)leaf.ebx << 32);
    assert_int_equal(value.high, leaf.ecx | (uint64_t)leaf.edx << 32);
    get(f, HV_REGISTER_INITIAL_APIC_ID, &value);
    assert_int_equal(value.low, 0);
}

static void a_facility_without_privilege_is_denied(void **state)
{
    struct fixture *f = *state;
    struct hv_register_value value;

    f->vp->partition->privileges = 0;
    assert_int_equal(get(f, HV_REGISTER_SINT0, &value),
                     HV_STATUS_ACCESS_DENIED);
    assert_int_equal(set(f, HV_REGISTER_SINT0, 0x10000, 0),
                     HV_STATUS_ACCESS_DENIED);
    assert_int_equal(get(f, HV_REGISTER_RIP, &value), HV_STATUS_SUCCESS);
}

static void only_a_vp_at_rest_can_be_changed(void **state)
{
    struct fixture *f = *state;
    struct hv_register_value value;

    assert_int_equal(set(f, HV_REGISTER_EXPLICIT_SUSPEND, 0, 0),
                     HV_STATUS_SUCCESS);
    assert_int_equal(f->vp->state, VP_READY);
    assert_int_equal(set(f, HV_REGISTER_RAX, 1, 0), HV_STATUS_INVALID_VP_STATE);
    assert_int_equal(get(f, HV_REGISTER_RAX, &value), HV_STATUS_SUCCESS);
    assert_int_equal(value.low, 0);
    assert_int_equal(set(f, HV_REGISTER_EXPLICIT_SUSPEND, 1, 0),
                     HV_STATUS_SUCCESS);
    assert_int_equal(f->vp->state, VP_SUSPENDED);
    assert_int_equal(set(f, HV_REGISTER_RAX, 1, 0), HV_STATUS_SUCCESS);

    /* But a VP may change itself while it runs. */
    set(f, HV_REGISTER_EXPLICIT_SUSPEND, 0, 0);
    f->host.context.vp = f->vp;
    assert_int_equal(set(f, HV_REGISTER_RAX, 2, 0), HV_STATUS_SUCCESS);
    assert_int_equal(f->vp->engine->state.gpr[X86_RAX], 2);
    f->host.context.vp = f->host.root_vp;
}

static void clearing_intercept_suspend_resumes_the_vp(void **state)
{
    struct fixture *f = *state;

    set(f, HV_REGISTER_EXPLICIT_SUSPEND, 0, 0);
    f->vp->intercept_suspend = true;
    vp_reconsider(&f->host.context, f->vp);
    assert_int_equal(f->vp->state, VP_SUSPENDED);
    assert_int_equal(set(f, HV_REGISTER_INTERCEPT_SUSPEND, 0, 0),
                     HV_STATUS_SUCCESS);
    assert_int_equal(f->vp->state, VP_READY);
}

static uint64_t interruption(uint64_t type, uint64_t vector, uint64_t more)
{
    return HV_INTERRUPTION_PENDING | type << HV_INTERRUPTION_TYPE_SHIFT |
           vector << HV_INTERRUPTION_VECTOR_SHIFT | more;
}

static void pending_interruptions_are_checked(void **state)
{
    struct fixture *f = *state;
    const struct {
        uint64_t value;
        enum hv_status status;
    } cases[] = {
        {0, HV_STATUS_SUCCESS},
        {2, HV_STATUS_INVALID_REGISTER_VALUE}, /* not pending, but a type */
        {interruption(0, 0x20, 0), HV_STATUS_SUCCESS},
        {interruption(0, 15, 0), HV_STATUS_INVALID_REGISTER_VALUE},
        {interruption(0, 256, 0), HV_STATUS_INVALID_REGISTER_VALUE},
        {interruption(2, 2, 0), HV_STATUS_SUCCESS},
        {interruption(2, 3, 0), HV_STATUS_INVALID_REGISTER_VALUE},
        {interruption(3, 31, 0), HV_STATUS_SUCCESS},
        {interruption(3, 32, 0), HV_STATUS_INVALID_REGISTER_VALUE},
        {interruption(3, 2, 0), HV_STATUS_INVALID_REGISTER_VALUE},
        {interruption(1, 3, 0), HV_STATUS_INVALID_REGISTER_VALUE},
        {interruption(4, 0x80, 0), HV_STATUS_INVALID_REGISTER_VALUE},
        {interruption(3, 13, 0x20), HV_STATUS_INVALID_REGISTER_VALUE},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(
            set(f, HV_REGISTER_PENDING_INTERRUPTION, cases[i].value, 0),
            cases[i].status);
}

static void a_pending_interruption_enters_with_the_vp(void **state)
{
    struct fixture *f = *state;
    struct engine *engine = f->vp->engine;
    uint64_t page_fault =
        interruption(HV_INTERRUPTION_TYPE_EXCEPTION, X86_VECTOR_PF,
                     HV_INTERRUPTION_HAS_ERROR_CODE |
                         UINT64_C(6) << HV_INTERRUPTION_ERROR_CODE_SHIFT);
    struct hv_register_value value;

    set(f, HV_REGISTER_PENDING_INTERRUPTION, page_fault, 0);
    get(f, HV_REGISTER_PENDING_INTERRUPTION, &value);
    assert_int_equal(value.low, page_fault);
    assert_int_equal(engine->exceptions, 0);
    vp_prepare_entry(&f->host.context, f->vp);
    assert_int_equal(engine->exceptions, 1);
    assert_int_equal(engine->exception_vector, X86_VECTOR_PF);
    assert_true(engine->exception_has_error_code);
    assert_int_equal(engine->exception_error_code, 6);
    vp_prepare_entry(&f->host.context, f->vp);
    assert_int_equal(engine->exceptions, 1);

    set(f, HV_REGISTER_PENDING_INTERRUPTION, interruption(2, 2, 0), 0);
    vp_prepare_entry(&f->host.context, f->vp);
    assert_int_equal(engine->nmis, 1);
}

static void a_pending_interrupt_waits_for_the_flag(void **state)
{
    struct fixture *f = *state;
    struct engine *engine = f->vp->engine;

    set(f, HV_REGISTER_PENDING_INTERRUPTION, interruption(0, 0x30, 0), 0);
    vp_prepare_entry(&f->host.context, f->vp);
    assert_int_equal(engine->interrupts, 0);
    set(f, HV_REGISTER_RFLAGS, 0x202, 0);
    vp_prepare_entry(&f->host.context, f->vp);
    assert_int_equal(engine->interrupts, 1);
    assert_int_equal(engine->interrupt_vector, 0x30);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_register_keeps_what_it_may_hold),
        T(segments_reach_the_engine_field_by_field),
        T(read_only_registers_tell_the_truth),
        T(a_facility_without_privilege_is_denied),
        T(only_a_vp_at_rest_can_be_changed),
        T(clearing_intercept_suspend_resumes_the_vp),
        T(pending_interruptions_are_checked),
        T(a_pending_interruption_enters_with_the_vp),
        T(a_pending_interrupt_waits_for_the_flag),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
