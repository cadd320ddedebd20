/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What an instruction reaches that the worker process carries out, where that
 *  is more than one device on one page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "partitions/platform.h"
#include "tests/partitions/vmwp_host.h"

#define RIP 0x5000u
#define NOWHERE UINT64_C(0xc0000000)
#define WINDOW (PLATFORM_IOAPIC_GPA + 0x10)
#define RWU 7u
#define READ_ONLY 1u

/* Two pages of linear addresses, the second behind the first, and one of RAM.
 */
#define FIRST 0x20
#define SECOND 0x21
#define RAM UINT64_C(0x40000)
#define BORDER UINT64_C(0x21000)

static struct vmwp_host host;

#define READS(gpa, gva, code)                                                  \
    vmwp_host_access(&host, (gpa), (gva), VMWP_HOST_READ, (code),              \
                     sizeof(code) - 1)
#define WRITES(gpa, gva, code)                                                 \
    vmwp_host_access(&host, (gpa), (gva), VMWP_HOST_WRITE, (code),             \
                     sizeof(code) - 1)

static void run_to(uint64_t bytes)
{
    vmwp_host_run(&host);
    assert_int_equal(host.ends, 0);
    assert_false(host.vp->intercept_suspend);
    assert_int_equal(host.state.rip, RIP + bytes);
}

static void it_faulted(uint8_t vector, uint32_t error_code)
{
    uint64_t event = host.vp->pending_interruption;

    assert_int_equal(event >> 16 & 0xff, vector);
    assert_int_equal(event >> 32, error_code);
}

static void an_operand_may_end_in_memory(void **state)
{
    const uint32_t there = 0x44332211;

    (void)state;
    vmwp_host_map(&host, SECOND, RAM, RWU);
    vmwp_host_write(&host, RAM, &there, sizeof(there));
    host.state.gpr[X86_RBX] = BORDER - 2;
    READS(NOWHERE + 0xffe, BORDER - 2, "\x8b\x03"); /* mov eax, [rbx] */
    run_to(2);
    assert_int_equal(host.state.gpr[X86_RAX], 0x2211ffff);
}

static void an_operand_may_begin_in_memory(void **state)
{
    uint64_t got = 0;

    (void)state;
    vmwp_host_map(&host, FIRST, RAM, RWU);
    host.state.gpr[X86_RBX] = BORDER;
    host.state.gpr[X86_RAX] = 0x44332211;
    WRITES(NOWHERE, BORDER, "\x89\x43\xfd"); /* mov [rbx-3], eax */
    run_to(3);
    vmwp_host_read(&host, RAM + 0xff8, &got, sizeof(got));
    assert_true(got == UINT64_C(0x3322110000000000));
}

static void an_operand_may_lie_on_two_devices(void **state)
{
    (void)state;
    vmwp_host_map(&host, FIRST, NOWHERE, RWU);
    vmwp_host_map(&host, SECOND, PLATFORM_IOAPIC_GPA, RWU);
    host.state.gpr[X86_RBX] = BORDER - 4;
    READS(NOWHERE + 0xffc, BORDER - 4, "\x48\x8b\x03"); /* mov rax, [rbx] */
    run_to(3);
    /* The index register reads 0, which nothing does not. */
    assert_true(host.state.gpr[X86_RAX] == UINT32_MAX);
}

static void an_operand_that_faults_halfway_does_nothing(void **state)
{
    (void)state;
    vmwp_host_map(&host, FIRST, RAM, RWU);
    vmwp_host_map(&host, SECOND, 0, 0);
    host.state.gpr[X86_RBX] = BORDER - 2;
    host.state.gpr[X86_RAX] = UINT32_MAX;
    WRITES(NOWHERE + 0xffe, BORDER - 2, "\x01\x03"); /* add [rbx], eax */
    run_to(0);
    it_faulted(X86_VECTOR_PF, PF_WRITE);
    assert_int_equal(host.state.cr2, BORDER);
    assert_int_equal(host.state.gpr[X86_RAX], UINT32_MAX);
}

static void at_the_first_byte_the_instruction_says_where_it_began(void **state)
{
    (void)state;
    host.state.gpr[X86_RBX] = BORDER;
    READS(NOWHERE, BORDER, "\x8b\x43\x00"); /* mov eax, [rbx+0] */
    run_to(3);
    assert_int_equal(host.state.gpr[X86_RAX], UINT32_MAX);
}

static void a_32_bit_operand_wraps_at_4_gib(void **state)
{
    const uint16_t there = 0x1234;

    (void)state;
    host.state.efer = 0;
    host.state.cr0 &= ~CR0_PG;
    host.state.segment[X86_CS].attributes = 0xc09b;
    vmwp_host_write(&host, 0, &there, sizeof(there));
    host.state.gpr[X86_RBX] = 0xfffffffe;
    READS(0xfffffffe, 0xfffffffe, "\x8b\x03");
    run_to(2);
    assert_int_equal(host.state.gpr[X86_RAX], 0x1234ffff);
}

static void movs_copies_from_device_to_device(void **state)
{
    struct vdev *ioapic = host.vmwp->ioapic;

    (void)state;
    ioapic->ops->write(ioapic, 0, 0x00, 4, 0x11);
    vmwp_host_map(&host, FIRST, NOWHERE, RWU);
    host.state.gpr[X86_RSI] = FIRST << 12;
    host.state.gpr[X86_RDI] = BORDER + 0x10;
    WRITES(WINDOW, BORDER + 0x10, "\xa5"); /* movsd */
    run_to(1);
    assert_int_equal(ioapic->ops->read(ioapic, 0, 0x10, 4), 0xff000000);
}

static void cmps_compares_a_device_with_memory(void **state)
{
    const uint32_t ones = UINT32_MAX;

    (void)state;
    vmwp_host_map(&host, FIRST, RAM, READ_ONLY);
    vmwp_host_write(&host, RAM, &ones, sizeof(ones));
    host.state.gpr[X86_RSI] = FIRST << 12;
    host.state.gpr[X86_RDI] = BORDER;
    host.state.gpr[X86_RCX] = 5;
    READS(NOWHERE, BORDER, "\xf3\xa7"); /* repe cmpsd */
    run_to(0);
    assert_int_equal(host.state.gpr[X86_RCX], 4);
    assert_int_equal(host.state.rflags & 0x40, 0x40);
    assert_int_equal(host.state.gpr[X86_RSI], (FIRST << 12) + 4);
}

#define LOW UINT64_C(0x1122334455667788)

static void set_xmm(struct vmwp_host *on, unsigned index)
{
    const uint64_t xmm[2] = {LOW, ~LOW};

    (void)index;
    engine_set_xmm(on->vp->engine, 3, (const uint8_t *)xmm);
    engine_set_xmm(on->vp->engine, 9, (const uint8_t *)xmm);
}

static void an_xmm_register_is_stored_whole(void **state)
{
    uint64_t got[2] = {0};

    (void)state;
    vmwp_host_map(&host, SECOND, RAM, RWU);
    host.before = set_xmm;
    host.state.gpr[X86_RBX] = BORDER - 4;
    WRITES(NOWHERE + 0xffc, BORDER - 4, "\x0f\x11\x1b"); /* movups */
    run_to(3);
    vmwp_host_read(&host, RAM, got, sizeof(got));
    assert_true(got[0] == (LOW >> 32 | ~LOW << 32));
    assert_true(got[1] == ~LOW >> 32);
}

static void an_xmm_register_that_is_loaded_is_cleared_above(void **state)
{
    uint64_t xmm[2];

    (void)state;
    host.before = set_xmm;
    host.state.gpr[X86_RBX] = BORDER + 8;
    READS(NOWHERE + 8, BORDER + 8, "\xf3\x44\x0f\x7e\x0b"); /* movq */
    run_to(5);
    engine_get_xmm(host.vp->engine, 9, (uint8_t *)xmm);
    assert_true(xmm[0] == UINT64_MAX && xmm[1] == 0);
}

static void a_locked_exchange_gets_ones(void **state)
{
    (void)state;
    host.state.gpr[X86_RBX] = BORDER + 8;
    host.state.gpr[X86_RAX] = 7;
    WRITES(NOWHERE + 8, BORDER + 8, "\xf0\x0f\xb1\x0b"); /* cmpxchg */
    run_to(4);
    assert_int_equal(host.state.gpr[X86_RAX], UINT32_MAX);
    assert_int_equal(host.state.rflags & 0x40, 0);
}

/* The tables of the other operand are where there is no memory: no processor
 * could say what they hold. */
static void tables_that_are_nowhere_stop_the_vm(void **state)
{
    (void)state;
    for (unsigned string = 0; string < 2; string++) {
        vmwp_host_create(&host);
        host.state.cr3 = NOWHERE;
        host.state.gpr[X86_RSI] = FIRST << 12;
        host.state.gpr[X86_RDI] = BORDER;
        if (string) {
            struct vmwp_host_message *message =
                vmwp_host_io(&host, 0x3f8, 1, false);

            message->info |= 0x08; /* outsb */
            message->fetched[0] = 0x6e;
        } else {
            WRITES(NOWHERE, BORDER, "\xa5");
        }
        vmwp_host_run(&host);
        assert_int_equal(host.ends, 1);
        assert_int_equal(host.end, VMWP_FAILED);
        assert_non_null(strstr(host.stopped, "page tables"));
        vmwp_host_destroy(&host);
    }
    vmwp_host_create(&host);
}

static void outs_reads_ones_where_there_is_no_memory(void **state)
{
    struct vmwp_host_message *message = vmwp_host_io(&host, 0x3f8, 1, false);

    (void)state;
    vmwp_host_map(&host, FIRST, NOWHERE, RWU);
    host.state.gpr[X86_RSI] = FIRST << 12;
    message->info |= 0x08;
    message->fetched[0] = 0x6e; /* outsb */
    message->rsi = FIRST << 12;
    run_to(2);
    assert_int_equal(host.console_bytes, 1);
    assert_int_equal((uint8_t)host.console[0], 0xff);
}

static void lay_over(struct vmwp_host *on, unsigned index)
{
    spa_t page;

    (void)index;
    assert_int_equal(
        gpa_space_overlay(&on->vp->partition->gpa, on, gpa(RAM), false, &page),
        HV_STATUS_SUCCESS);
}

/* A page of the hypervisor's own that the guest may only read: as the
 * processor refuses a store to it. */
static void a_store_to_a_read_only_overlay_is_refused(void **state)
{
    (void)state;
    vmwp_host_map(&host, SECOND, RAM, RWU);
    host.before = lay_over;
    host.state.gpr[X86_RBX] = BORDER - 2;
    WRITES(NOWHERE + 0xffe, BORDER - 2, "\x89\x03");
    run_to(0);
    it_faulted(X86_VECTOR_GP, 0);
}

#define T(test) VMWP_HOST_TEST(test, &host)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_operand_may_end_in_memory),
        T(an_operand_may_begin_in_memory),
        T(an_operand_may_lie_on_two_devices),
        T(an_operand_that_faults_halfway_does_nothing),
        T(at_the_first_byte_the_instruction_says_where_it_began),
        T(a_32_bit_operand_wraps_at_4_gib),
        T(movs_copies_from_device_to_device),
        T(cmps_compares_a_device_with_memory),
        T(an_xmm_register_is_stored_whole),
        T(an_xmm_register_that_is_loaded_is_cleared_above),
        T(a_locked_exchange_gets_ones),
        VMWP_HOST_TEST_CREATING(tables_that_are_nowhere_stop_the_vm, &host),
        T(outs_reads_ones_where_there_is_no_memory),
        T(a_store_to_a_read_only_overlay_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
