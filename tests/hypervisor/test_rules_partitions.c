/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules that implementers get wrong, of partitions as their parent sees them.
 * Parameters are laid out here by hand. See workloads/hvtests/rule.def for the
 * other rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/intercept.h"
#include "hypervisor/msr.h"
#include "tests/hypervisor/small_host.h"

#define CALL_CREATE_PARTITION 0x40u
#define CALL_MAP_GPA_PAGES 0x4bu
#define CALL_INSTALL_INTERCEPT 0x4du
#define CALL_CREATE_VP 0x4eu
#define REPS(n) ((uint64_t)(n) << 32)

#define OK 0x00
#define INVALID_PARAMETER 0x05

static uint16_t call(struct small_host *host, uint64_t code, const void *input,
                     size_t bytes)
{
    return hypercall_status(small_host_call(host, code, input, bytes, NULL, 0));
}

static void put(uint8_t *input, size_t at, uint64_t value, size_t bytes)
{
    memcpy(input + at, &value, bytes);
}

/* By the call, for the VP of that index. */
static struct hv_vp *create_vp(struct small_host *host,
                               struct hv_partition *child, uint32_t index)
{
    uint8_t input[0x28] = {0};

    put(input, 0x00, child->id.v, 8);
    put(input, 0x08, index, 4);
    assert_int_equal(call(host, CALL_CREATE_VP, input, sizeof(input)), OK);
    return child->vps[index];
}

static void rule_26_a_new_vp_is_suspended(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_active_child(host);

    for (uint32_t index = 0; index < 4; index++) {
        struct hv_vp *vp = create_vp(host, child, index);

        assert_true(vp->explicit_suspend);
        assert_int_equal(vp->state, VP_SUSPENDED);
        assert_int_equal(vp->wait_for_sipi, index != 0);
        assert_int_equal(vp->apic_id, index);
    }
}

/* Types of intercepts, as the specification numbers them. */
#define TYPE_IO_PORT 0u
#define TYPE_CPUID 2u

static uint16_t install(struct small_host *host, struct hv_partition *child,
                        uint32_t type, uint32_t mask, uint64_t parameter)
{
    uint8_t input[0x18] = {0};

    put(input, 0x00, child->id.v, 8);
    put(input, 0x08, mask, 4);
    put(input, 0x0c, type, 4);
    put(input, 0x10, parameter, 8);
    return call(host, CALL_INSTALL_INTERCEPT, input, sizeof(input));
}

static void listen_as_parent(struct small_host *host)
{
    assert_true(msr_write(&host->context, 0x40000083, 0x10001)); /* SIMP */
    assert_true(msr_write(&host->context, 0x40000080, 1));       /* SCONTROL */
    assert_true(msr_write(&host->context, 0x40000090, 0x30));    /* SINT0 */
}

/* The access type that the parent's message of the intercept has. */
static unsigned told(struct small_host *host, struct hv_vp *vp, uint32_t type,
                     const struct vm_exit *exit)
{
    struct hv_context of_vp = host->context;
    uint8_t message[SYNIC_MESSAGE_BYTES];

    of_vp.vp = vp;
    intercept_send(&of_vp, type, exit);
    assert_true(synic_take_message(&host->context, &host->root_vp->synic,
                                   INTERCEPT_SINT, message));
    return message[0x10 + 0x05];
}

static void rule_27_an_access_type_is_no_mask(void **state)
{
    const struct vm_exit in = {.kind = VM_EXIT_IO, .u.io.in = true};
    const struct vm_exit out = {.kind = VM_EXIT_IO};
    const struct vm_exit cpuid = {.kind = VM_EXIT_CPUID};
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);

    /* Installed by a mask: 1 read, 2 write, 4 execute ... */
    assert_int_equal(install(host, child, TYPE_IO_PORT, 1 | 2, 0x60), OK);
    assert_int_equal(install(host, child, TYPE_CPUID, 4, 0x40000000), OK);
    assert_int_equal(install(host, child, TYPE_CPUID, 2, 0x40000000),
                     INVALID_PARAMETER);

    /* ... and told by a value: 0, 1, 2. */
    listen_as_parent(host);
    assert_int_equal(told(host, child->vps[0], INTERCEPT_IO_PORT, &in), 0);
    assert_int_equal(told(host, child->vps[0], INTERCEPT_IO_PORT, &out), 1);
    assert_int_equal(told(host, child->vps[0], INTERCEPT_CPUID, &cpuid), 2);
}

/* Version 2.0 had 16 bytes for CreatePartition, which now has 56; CreateVp had
 * its proximity at 0x10 and its flags at 0x18, which are at 0x18 and 0x20 now;
 * MapGpaPages had flags of 8 bytes, which now have 4. */
static void rule_28_layouts_are_those_of_today(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_active_child(host);
    uint8_t create[0x38] = {0}, vp[0x28] = {0}, map[0x20] = {0};
    spa_t at;
    bool writable;

    /* What lies behind the old layout's end is looked at. */
    assert_int_equal(call(host, CALL_CREATE_PARTITION, create, sizeof(create)),
                     OK);
    put(create, 0x30, 1, 8); /* reserved */
    assert_int_equal(call(host, CALL_CREATE_PARTITION, create, sizeof(create)),
                     INVALID_PARAMETER);

    put(vp, 0x00, child->id.v, 8);
    put(vp, 0x20, 1, 8); /* flags, at 0x18 once */
    assert_int_equal(call(host, CALL_CREATE_VP, vp, sizeof(vp)),
                     INVALID_PARAMETER);
    put(vp, 0x20, 0, 8);
    put(vp, 0x0f, 1, 1); /* sub-node type */
    assert_int_equal(call(host, CALL_CREATE_VP, vp, sizeof(vp)),
                     INVALID_PARAMETER);
    put(vp, 0x0f, 0, 1);
    assert_int_equal(call(host, CALL_CREATE_VP, vp, sizeof(vp)), OK);

    put(map, 0x00, child->id.v, 8);
    put(map, 0x08, 0x55, 8);  /* where to */
    put(map, 0x10, 0xf, 4);   /* all rights; the rest is padding */
    put(map, 0x18, 0x444, 8); /* the page */
    assert_int_equal(call(host, CALL_MAP_GPA_PAGES | REPS(1), map, sizeof(map)),
                     OK);
    assert_true(gpa_space_lookup(&child->gpa, gpa(0x55000), &at, &writable));
    assert_int_equal(at.raw, 0x444000);
}

#define T(name)                                                                \
    cmocka_unit_test_setup_teardown(name, small_host_setup, small_host_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rule_26_a_new_vp_is_suspended),
        T(rule_27_an_access_type_is_no_mask),
        T(rule_28_layouts_are_those_of_today),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
