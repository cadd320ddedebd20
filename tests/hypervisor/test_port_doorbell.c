/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Doorbells: a child stores to an address without memory, and the root finds
 * it on its event ring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/intercept.h"
#include "hypervisor/msr.h"
#include "hypervisor/port.h"
#include "hypervisor/synic.h"
#include "tests/hypervisor/fake_engine.h"
#include "tests/hypervisor/small_host.h"

#define MSR_SCONTROL 0x40000080u
#define MSR_SIMP 0x40000083u
#define MSR_SIRBP 0x40000085u
#define MSR_SINT5 0x40000095u
#define AS_INTERCEPT 0x80000u
#define VECTOR 0x50u
#define SINT 5
#define MESSAGE_PAGE 0x40000u
#define RING_PAGE 0x41000u
#define RING_AT (RING_PAGE + SINT * 256)
#define RING_ENTRIES 63
#define PORT 0x77u
#define CONNECTION 1
#define BELL UINT64_C(0x9000010)

struct ring {
    uint8_t signal_masked, full;
    uint16_t reserved;
    uint32_t entries[RING_ENTRIES];
};

static struct small_host host;
static struct hv_partition *child;
static struct hv_context of_child;

static void set_msr(uint32_t index, uint64_t value)
{
    assert_true(msr_write(&host.context, index, value));
}

static enum hv_status join(uint32_t id, uint64_t at, uint64_t value,
                           uint64_t flags)
{
    const struct hv_connection_place place = {
        .gpa = at, .doorbell_value = value, .doorbell_flags = flags};

    return port_connect(&host.context, child, id, host.hv->root, PORT,
                        HV_PORT_DOORBELL, &place);
}

static int setup(void **state)
{
    const struct hv_port_info info = {
        .type = HV_PORT_DOORBELL, .sint = SINT, .vp = HV_ANY_VP};
    struct hv_vp *vp;

    (void)state;
    small_host_create(&host);
    child = small_host_child_with_vp(&host);
    vp = child->vps[0];
    vp->explicit_suspend = false;
    vp_reconsider(&host.context, vp);
    vp->engine->state.segment[X86_CS].attributes = X86_ATTR_L;
    vp->engine->state.efer = EFER_LMA;
    of_child = host.context;
    of_child.vp = vp;
    host.root_vp->lapic.svr = 0x1ff;
    set_msr(MSR_SIMP, MESSAGE_PAGE + 1);
    set_msr(MSR_SIRBP, RING_PAGE + 1);
    set_msr(MSR_SINT5, VECTOR);
    set_msr(MSR_SCONTROL, 1);
    assert_int_equal(port_create(host.hv->root, PORT, child->id, &info),
                     HV_STATUS_SUCCESS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    small_host_destroy(&host);
    return 0;
}

static struct ring ring(void)
{
    struct ring ring;

    small_host_peek(&host, RING_AT, &ring, sizeof(ring));
    return ring;
}

static void set_ring(const struct ring *ring)
{
    small_host_poke(&host, RING_AT, ring, sizeof(*ring));
}

static bool interrupted(void)
{
    uint32_t *irr = &host.root_vp->lapic.irr[VECTOR / 32];
    bool was = *irr >> (VECTOR % 32) & 1;

    *irr = 0;
    return was;
}

/* The child executes `code`, which stores at `at`. True if it goes on. */
static bool store(const void *code, size_t bytes, uint64_t at)
{
    const struct vm_exit exit = {
        .kind = VM_EXIT_GPA,
        .instruction_bytes = (uint8_t)bytes,
        .u.gpa = {.gpa = gpa(at), .gva = gva(at), .write = true}};
    struct engine *engine = of_child.vp->engine;
    bool resumed;

    memset(engine->code, 0x90, sizeof(engine->code));
    memcpy(engine->code, code, bytes);
    resumed = intercept_handle(&of_child, &exit) == ENGINE_RESUME;
    if (!resumed)
        vp_end_intercept(&host.context, of_child.vp);
    return resumed;
}

static const uint8_t mov_eax[] = {0x89, 0x03};           /* mov %eax, (%rbx) */
static const uint8_t mov_al[] = {0x88, 0x03};            /* mov %al, (%rbx) */
static const uint8_t add_eax[] = {0x01, 0x03};           /* add %eax, (%rbx) */
static const uint8_t mov_5[] = {0xc7, 0x03, 5, 0, 0, 0}; /* movl $5, (%rbx) */

static void a_store_goes_on_the_ring_and_not_to_the_parent(void **state)
{
    (void)state;
    assert_int_equal(join(CONNECTION, BELL, 0, HV_DOORBELL_ANY_VALUE),
                     HV_STATUS_SUCCESS);
    assert_true(store(mov_eax, sizeof(mov_eax), BELL));
    assert_int_equal(of_child.vp->engine->skips, 1);
    assert_int_equal(ring().entries[0], PORT);
    assert_int_equal(ring().entries[1], 0);
    assert_int_equal(ring().signal_masked, 1);
    assert_true(interrupted());
    /* Software is told once until it says that it is done. */
    assert_true(store(mov_eax, sizeof(mov_eax), BELL));
    assert_int_equal(ring().entries[1], PORT);
    assert_false(interrupted());
}

static void size_and_value_choose(void **state)
{
    (void)state;
    assert_int_equal(join(CONNECTION, BELL, 5, 3), HV_STATUS_SUCCESS);
    assert_true(store(mov_5, sizeof(mov_5), BELL));
    of_child.vp->engine->state.gpr[X86_RAX] = 6;
    assert_false(store(mov_eax, sizeof(mov_eax), BELL)); /* another value */
    of_child.vp->engine->state.gpr[X86_RAX] = 5;
    assert_true(store(mov_eax, sizeof(mov_eax), BELL));
    assert_false(store(mov_al, sizeof(mov_al), BELL)); /* another size */
    assert_false(store(mov_eax, sizeof(mov_eax), BELL + 4));
    assert_false(store(add_eax, sizeof(add_eax), BELL)); /* reads, too */
    assert_int_equal(join(CONNECTION + 1, BELL, 5, 0), HV_STATUS_SUCCESS);
    assert_true(store(mov_al, sizeof(mov_al), BELL)); /* any size */
}

static void a_sint_as_intercept_is_told_by_a_message(void **state)
{
    uint8_t message[SYNIC_MESSAGE_BYTES];
    uint32_t type, sint;

    (void)state;
    set_msr(MSR_SINT5, AS_INTERCEPT | VECTOR);
    assert_int_equal(join(CONNECTION, BELL, 0, HV_DOORBELL_ANY_VALUE),
                     HV_STATUS_SUCCESS);
    assert_true(store(mov_eax, sizeof(mov_eax), BELL));
    assert_false(interrupted());
    assert_true(
        synic_take_message(&host.context, &host.root_vp->synic, 0, message));
    memcpy(&type, message, sizeof(type));
    memcpy(&sint, message + 16, sizeof(sint));
    assert_int_equal(type, SYNIC_MESSAGE_SINT_INTERCEPT);
    assert_int_equal(sint, SINT);
}

static void a_full_ring_says_so_and_nothing_is_lost(void **state)
{
    const struct hv_input_notify_ring_empty input = {.sint = SINT};
    struct ring seen;

    (void)state;
    assert_int_equal(join(CONNECTION, BELL, 0, HV_DOORBELL_ANY_VALUE),
                     HV_STATUS_SUCCESS);
    for (unsigned i = 0; i < RING_ENTRIES; i++)
        assert_true(store(mov_eax, sizeof(mov_eax), BELL));
    assert_int_equal(ring().full, 0);
    assert_true(store(mov_eax, sizeof(mov_eax), BELL));
    assert_int_equal(ring().full, 1);

    seen = (struct ring){.signal_masked = 1};
    set_ring(&seen);
    assert_int_equal(
        hypercall_status(small_host_call(&host, HVCALL_NOTIFY_PORT_RING_EMPTY,
                                         &input, sizeof(input), NULL, 0)),
        HV_STATUS_SUCCESS);
    seen = ring();
    assert_int_equal(seen.entries[0], PORT); /* around the end */
    assert_int_equal(seen.full, 0);
    (void)small_host_call(&host, HVCALL_NOTIFY_PORT_RING_EMPTY, &input,
                          sizeof(input), NULL, 0);
    assert_int_equal(ring().entries[1], 0); /* once */
}

static void the_notification_is_checked(void **state)
{
    const struct hv_input_notify_ring_empty sint = {.sint = 16};
    const struct hv_input_notify_ring_empty reserved = {.sint = 1,
                                                        .reserved = 1};

    (void)state;
    assert_int_equal(
        hypercall_status(small_host_call(&host, HVCALL_NOTIFY_PORT_RING_EMPTY,
                                         &sint, sizeof(sint), NULL, 0)),
        HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(
        hypercall_status(small_host_call(&host, HVCALL_NOTIFY_PORT_RING_EMPTY,
                                         &reserved, sizeof(reserved), NULL, 0)),
        HV_STATUS_INVALID_PARAMETER);
}

static void without_a_ring_the_parent_has_the_intercept(void **state)
{
    (void)state;
    assert_int_equal(join(CONNECTION, BELL, 0, HV_DOORBELL_ANY_VALUE),
                     HV_STATUS_SUCCESS);
    set_msr(MSR_SIRBP, 0);
    assert_false(store(mov_eax, sizeof(mov_eax), BELL));
    set_msr(MSR_SIRBP, RING_PAGE + 1);
    assert_true(store(mov_eax, sizeof(mov_eax), BELL));
    assert_int_equal(port_disconnect(child, CONNECTION), HV_STATUS_SUCCESS);
    assert_false(store(mov_eax, sizeof(mov_eax), BELL));
}

static void doorbells_are_checked(void **state)
{
    static const struct {
        uint64_t at, flags;
        enum hv_status status;
    } cases[] = {
        {BELL, 5, HV_STATUS_INVALID_PARAMETER}, /* a size of 16 bytes */
        {BELL, 0x10, HV_STATUS_INVALID_PARAMETER},
        {UINT64_C(1) << 48, 0, HV_STATUS_INVALID_PARAMETER},
        {0x1ffd, 3, HV_STATUS_INVALID_PARAMETER}, /* across a border */
        {0x1ffc, 3, HV_STATUS_SUCCESS},
    };
    const struct hv_port_info info = {
        .type = HV_PORT_DOORBELL, .sint = SINT, .vp = HV_ANY_VP};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(join(CONNECTION, cases[i].at, 0, cases[i].flags),
                         cases[i].status);
    /* A ring's empty places are 0. */
    assert_int_equal(port_create(host.hv->root, 0, child->id, &info),
                     HV_STATUS_INVALID_PORT_ID);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_store_goes_on_the_ring_and_not_to_the_parent),
        T(size_and_value_choose),
        T(a_sint_as_intercept_is_told_by_a_message),
        T(a_full_ring_says_so_and_nothing_is_lost),
        T(the_notification_is_checked),
        T(without_a_ring_the_parent_has_the_intercept),
        T(doorbells_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
