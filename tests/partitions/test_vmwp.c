/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The worker process: what it makes of intercept messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/intercept.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "hypervisor/vp_registers.h"
#include "tests/partitions/vmwp_host.h"

#define COM1 0x3f8u
#define MCR 0x3fcu
#define LSR 0x3fdu
#define SCRATCH 0x3ffu

#define INFO_STRING 0x08u
#define INFO_REP 0x10u
#define ADDRESS_SIZE 0x67

#define RWU 7u /* present, writable, user */
#define READ_ONLY 1u
#define ACCESSED 0x20u
#define DIRTY 0x40u

#define RIP 0x5000u
#define RAX UINT64_C(0x1122334455667788)

static struct vmwp_host host;

/* The VP has been let go, behind the instruction. */
static void the_vp_goes_on(void)
{
    assert_null(host.stopped);
    assert_false(host.vp->intercept_suspend);
    assert_int_equal(host.vp->pending_interruption, 0);
    assert_int_equal(host.state.rip, RIP + 2);
}

static void the_vp_takes(uint8_t vector, uint32_t error_code)
{
    uint64_t event = host.vp->pending_interruption;

    assert_null(host.stopped);
    assert_false(host.vp->intercept_suspend);
    assert_int_equal(host.state.rip, RIP);
    assert_true(vp_registers_interruption_valid(event));
    assert_int_equal(event & 0xffff, 0x17); /* exception with an error code */
    assert_int_equal(event >> 16 & 0xffff, vector);
    assert_int_equal(event >> 32, error_code);
}

static void the_vp_takes_a_page_fault(uint64_t address, uint32_t error_code)
{
    the_vp_takes(X86_VECTOR_PF, error_code);
    assert_int_equal(host.state.cr2, address);
}

static uint64_t rax_after_in(uint16_t port, uint8_t bytes)
{
    uint64_t rax;

    vmwp_host_create(&host);
    host.state.gpr[X86_RAX] = RAX;
    vmwp_host_io(&host, port, bytes, true);
    vmwp_host_run(&host);
    the_vp_goes_on();
    rax = host.state.gpr[X86_RAX];
    vmwp_host_destroy(&host);
    return rax;
}

static void in_writes_as_much_of_rax_as_it_reads(void **state)
{
    (void)state;
    assert_true(rax_after_in(LSR, 1) == UINT64_C(0x1122334455667760));
    /* The line's status, and the modem's behind it. */
    assert_true(rax_after_in(LSR, 2) == UINT64_C(0x112233445566b060));
    /* 32 bits clear the upper half, as ever. */
    assert_true(rax_after_in(MCR, 4) == UINT64_C(0x00b06000));
}

static void a_port_that_no_device_has_reads_ones(void **state)
{
    (void)state;
    assert_true(rax_after_in(0x80, 1) == UINT64_C(0x11223344556677ff));
    assert_true(rax_after_in(0x80, 2) == UINT64_C(0x112233445566ffff));
    assert_true(rax_after_in(0x80, 4) == UINT64_C(0xffffffff));
    /* The first register of the UART, and nothing before it. */
    assert_true(rax_after_in(COM1 - 1, 2) == UINT64_C(0x11223344556600ff));
}

static void out_writes_what_rax_holds(void **state)
{
    (void)state;
    host.state.gpr[X86_RAX] = 'a' | 0x5500;
    vmwp_host_io(&host, COM1, 1, false);
    vmwp_host_io(&host, COM1, 2, false);
    vmwp_host_io(&host, 0x80, 4, false);
    vmwp_host_io(&host, COM1 + 1, 1, true);
    vmwp_host_run(&host);
    the_vp_goes_on();
    assert_string_equal(host.console, "aa");
    /* The second byte of two went to the next register, which keeps four
     * bits. */
    assert_int_equal(host.state.gpr[X86_RAX], 0x5505);
}

/* An OUTS or INS of `bytes` with `count` repetitions from page 0x10. */
static struct vmwp_host_message *string(bool in, uint16_t port, uint8_t bytes,
                                        uint64_t index, uint64_t count)
{
    struct vmwp_host_message *message;

    host.state.gpr[in ? X86_RDI : X86_RSI] = index;
    host.state.gpr[X86_RCX] = count;
    message = vmwp_host_io(&host, port, bytes, in);
    message->info |= INFO_STRING | INFO_REP;
    return message;
}

static void outs_goes_forward(void **state)
{
    (void)state;
    vmwp_host_map(&host, 0x10, 0x40000, RWU);
    vmwp_host_write(&host, 0x40010, "forward", 7);
    string(false, COM1, 1, 0x10010, 7);
    vmwp_host_run(&host);
    the_vp_goes_on();
    assert_string_equal(host.console, "forward");
    assert_int_equal(host.state.gpr[X86_RSI], 0x10017);
    assert_int_equal(host.state.gpr[X86_RCX], 0);
    assert_int_equal(vmwp_host_entry(&host, 0x10) & (ACCESSED | DIRTY),
                     ACCESSED);
}

static void outs_goes_backward(void **state)
{
    (void)state;
    vmwp_host_map(&host, 0x10, 0x40000, RWU);
    vmwp_host_write(&host, 0x40010, "drawkcab", 8);
    host.state.rflags |= RFLAGS_DF;
    string(false, COM1, 1, 0x10017, 8);
    vmwp_host_run(&host);
    the_vp_goes_on();
    assert_string_equal(host.console, "backward");
    assert_int_equal(host.state.gpr[X86_RSI], 0x1000f);
    assert_int_equal(host.state.gpr[X86_RCX], 0);
}

static void outs_once_leaves_the_count_alone(void **state)
{
    (void)state;
    vmwp_host_map(&host, 0x10, 0x40000, RWU);
    vmwp_host_write(&host, 0x40000, "xyz", 3);
    string(false, COM1, 1, 0x10000, 77)->info &= (uint8_t)~INFO_REP;
    vmwp_host_run(&host);
    the_vp_goes_on();
    assert_string_equal(host.console, "x");
    assert_int_equal(host.state.gpr[X86_RSI], 0x10001);
    assert_int_equal(host.state.gpr[X86_RCX], 77);
}

static void a_count_of_zero_does_nothing(void **state)
{
    (void)state;
    string(false, COM1, 1, 0x10000, 0);
    vmwp_host_run(&host);
    the_vp_goes_on();
    assert_string_equal(host.console, "");
    assert_int_equal(host.state.gpr[X86_RSI], 0x10000);
}

static void ins_fills_memory_and_makes_it_dirty(void **state)
{
    uint16_t got[4] = {0};

    (void)state;
    vmwp_host_map(&host, 0x10, 0x40000, RWU);
    string(true, LSR, 2, 0x10100, 3);
    vmwp_host_run(&host);
    the_vp_goes_on();
    vmwp_host_read(&host, 0x40100, got, sizeof(got));
    assert_int_equal(got[0], 0xb060);
    assert_int_equal(got[2], 0xb060);
    assert_int_equal(got[3], 0);
    assert_int_equal(host.state.gpr[X86_RDI], 0x10106);
    assert_int_equal(host.state.gpr[X86_RCX], 0);
    assert_int_equal(vmwp_host_entry(&host, 0x10) & (ACCESSED | DIRTY),
                     ACCESSED | DIRTY);
}

/* Two pages that lie apart in physical memory, the second one below. */
static void an_element_may_lie_on_two_pages(void **state)
{
    uint32_t left, right;

    (void)state;
    vmwp_host_map(&host, 0x10, 0x60000, RWU);
    vmwp_host_map(&host, 0x11, 0x40000, RWU);
    string(true, MCR, 4, 0x10ffe, 1);
    vmwp_host_run(&host);
    the_vp_goes_on();
    vmwp_host_read(&host, 0x60ffc, &left, 4);
    vmwp_host_read(&host, 0x40000, &right, 4);
    assert_int_equal(left, 0x60000000);
    assert_int_equal(right, 0x00b0);
}

static void map_second_page(struct vmwp_host *h, unsigned index)
{
    if (index == 1)
        vmwp_host_map(h, 0x11, 0x40000, RWU);
}

/* As far as it goes; then from there, when the guest has mapped the page. */
static void a_page_fault_half_way_is_the_guests_and_is_resumed(void **state)
{
    struct vmwp_host_message *message;

    (void)state;
    vmwp_host_map(&host, 0x10, 0x60000, RWU);
    vmwp_host_write(&host, 0x60ffd, "one", 3);
    vmwp_host_write(&host, 0x40000, "two", 3);
    string(false, COM1, 1, 0x10ffd, 6);
    vmwp_host_run(&host);
    the_vp_takes_a_page_fault(0x11000, 0);
    assert_string_equal(host.console, "one");
    assert_int_equal(host.state.gpr[X86_RSI], 0x11000);
    assert_int_equal(host.state.gpr[X86_RCX], 3);
    vmwp_host_destroy(&host);

    vmwp_host_create(&host);
    host.before = map_second_page;
    vmwp_host_map(&host, 0x10, 0x60000, RWU);
    vmwp_host_write(&host, 0x60ffd, "one", 3);
    vmwp_host_write(&host, 0x40000, "two", 3);
    string(false, COM1, 1, 0x10ffd, 6);
    message = string(false, COM1, 1, 0x11000, 3);
    assert_int_equal(message->rip, RIP);
    vmwp_host_run(&host);
    assert_string_equal(host.console, "onetwo");
    assert_int_equal(host.state.rip, RIP + 2);
    assert_int_equal(host.state.gpr[X86_RCX], 0);
}

static void a_fault_within_an_element_does_none_of_it(void **state)
{
    (void)state;
    vmwp_host_map(&host, 0x10, 0x60000, RWU);
    vmwp_host_write(&host, 0x60ffd, "abc", 3);
    string(false, COM1, 2, 0x10ffd, 4);
    vmwp_host_run(&host);
    the_vp_takes_a_page_fault(0x11000, 0);
    assert_string_equal(host.console, "a");
    assert_int_equal(host.state.gpr[X86_RSI], 0x10fff);
    assert_int_equal(host.state.gpr[X86_RCX], 3);
}

/* What the device has given would be lost. */
static void ins_that_faults_has_not_read_the_device(void **state)
{
    struct vdev *uart = host.vmwp->uart;

    (void)state;
    uart->ops->write(uart, 0, MCR - COM1, 1, 0x10); /* loopback */
    uart->ops->write(uart, 0, 0, 1, 'L');
    vmwp_host_map(&host, 0x10, 0x60000, READ_ONLY);
    string(true, COM1, 1, 0x10000, 1);
    vmwp_host_run(&host);
    the_vp_takes_a_page_fault(0x10000, PF_PRESENT | PF_WRITE);
    assert_int_equal(uart->ops->read(uart, 0, LSR - COM1, 1), 0x61);
    assert_int_equal(uart->ops->read(uart, 0, 0, 1), 'L');
}

static void a_fault_in_user_mode_says_so(void **state)
{
    (void)state;
    host.state.segment[X86_SS].attributes |= 0x60;
    host.state.segment[X86_CS].attributes |= 0x60;
    vmwp_host_map(&host, 0x10, 0x60000, 3); /* the supervisor's */
    string(false, COM1, 1, 0x10000, 1);
    vmwp_host_run(&host);
    the_vp_takes_a_page_fault(0x10000, PF_PRESENT | PF_USER);
}

static void a_fault_by_reserved_bits_says_so(void **state)
{
    (void)state;
    vmwp_host_map(&host, 0x10, UINT64_C(1) << 51, RWU);
    string(false, COM1, 1, 0x10000, 1);
    vmwp_host_run(&host);
    the_vp_takes_a_page_fault(0x10000, PF_PRESENT | PF_RESERVED);
}

/* Which is no page fault, and leaves CR2 alone. */
static void an_address_that_is_not_canonical_is_a_protection_fault(void **state)
{
    struct vmwp_host_message *message;

    (void)state;
    host.state.cr2 = 0x1234;
    string(false, COM1, 1, UINT64_C(1) << 47, 1);
    vmwp_host_run(&host);
    the_vp_takes(X86_VECTOR_GP, 0);
    assert_int_equal(host.state.cr2, 0x1234);
    assert_string_equal(host.console, "");
    vmwp_host_destroy(&host);

    vmwp_host_create(&host);
    message = string(false, COM1, 1, UINT64_C(1) << 47, 1);
    message->fetched[0] = 0x36; /* in the stack segment it has its own */
    vmwp_host_run(&host);
    the_vp_takes(X86_VECTOR_SS, 0);
}

/* 32-bit registers, which a write extends by zeros; the index wraps. */
static void the_prefix_makes_addresses_in_64bit_code_32_bits_wide(void **state)
{
    struct vmwp_host_message *message;

    (void)state;
    vmwp_host_map(&host, 0x10, 0x60000, RWU);
    vmwp_host_write(&host, 0x60000, "narrow", 6);
    message = string(false, COM1, 1, UINT64_C(0xabcd00010000),
                     UINT64_C(0x7700000006));
    message->fetched[0] = ADDRESS_SIZE;
    vmwp_host_run(&host);
    the_vp_goes_on();
    assert_string_equal(host.console, "narrow");
    assert_true(host.state.gpr[X86_RSI] == 0x10006);
    assert_true(host.state.gpr[X86_RCX] == 0);
}

/* Real mode: 16-bit addresses that wrap at 64 KiB, upper halves untouched. */
static void real_mode_addresses_wrap_in_their_segment(void **state)
{
    (void)state;
    x86_reset(&host.state);
    host.state.rip = RIP;
    host.state.segment[X86_CS] =
        (struct x86_segment){.limit = 0xffff, .attributes = 0x9b};
    host.state.segment[X86_DS].base = 0x30000;
    vmwp_host_write(&host, 0x3fffe, "ab", 2);
    vmwp_host_write(&host, 0x30000, "cd", 2);
    string(false, COM1, 1, UINT64_C(0x5555fffe), UINT64_C(0x66660004));
    vmwp_host_run(&host);
    the_vp_goes_on();
    assert_string_equal(host.console, "abcd");
    assert_true(host.state.gpr[X86_RSI] == 0x55550002);
    assert_true(host.state.gpr[X86_RCX] == 0x66660000);
}

/* OUTS obeys the prefix, which asks the hypervisor for the base; INS does
 * not. */
static void a_segment_prefix_counts_for_outs_alone(void **state)
{
    struct vmwp_host_message *message;
    uint8_t got = 0;

    (void)state;
    vmwp_host_map(&host, 0x10, 0x60000, RWU);
    vmwp_host_write(&host, 0x60020, "F", 1);
    host.state.segment[X86_FS].base = 0x10000;
    message = string(false, COM1, 1, 0x20, 1);
    message->fetched[0] = 0x64;
    message = string(true, LSR, 1, 0x10040, 1);
    message->fetched[0] = 0x64;
    vmwp_host_run(&host);
    the_vp_goes_on();
    assert_string_equal(host.console, "F");
    vmwp_host_read(&host, 0x60040, &got, 1);
    assert_int_equal(got, 0x60);
}

static void an_intercept_that_cannot_be_served_stops_the_vm(void **state)
{
    static const struct {
        uint32_t type;
        const char *why;
    } cases[] = {
        {INTERCEPT_UNRECOVERABLE_EXCEPTION, "triple fault"},
        {INTERCEPT_UNMAPPED_GPA, "access to guest physical memory"},
        {INTERCEPT_UNSUPPORTED_FEATURE, "use of a hardware task switch"},
        {INTERCEPT_CPUID, "an intercept that nobody serves"},
        {0x12345678, "an intercept that nobody serves"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vmwp_host_create(&host);
        vmwp_host_io(&host, COM1, 1, false)->type = cases[i].type;
        vmwp_host_run(&host);
        assert_non_null(host.stopped);
        assert_non_null(strstr(host.stopped, cases[i].why));
        assert_true(host.vp->intercept_suspend);
        assert_int_equal(host.state.rip, RIP);
        vmwp_host_destroy(&host);
    }
}

static struct vmwp_host_message *wrmsr(uint32_t index)
{
    struct vmwp_host_message *message = vmwp_host_io(&host, COM1, 1, false);

    message->type = INTERCEPT_MSR;
    memcpy(&message->port, &index, sizeof(index)); /* MSRs are wider */
    return message;
}

static void a_reset_by_msr_starts_the_vm_again(void **state)
{
    (void)state;
    wrmsr(0x40000003);
    vmwp_host_run(&host);
    assert_int_equal(host.end, VMWP_RESET);
    assert_null(host.stopped);
}

/* No I/O instruction is that wide, and a device need not bear it. */
static void an_access_of_an_impossible_width_stops_the_vm(void **state)
{
    static const uint8_t widths[] = {0, 3, 5, 6, 7};

    (void)state;
    for (size_t i = 0; i < sizeof(widths); i++) {
        for (unsigned kind = 0; kind < 4; kind++) {
            vmwp_host_create(&host);
            vmwp_host_map(&host, 0x10, 0x60000, RWU);
            if (kind < 2)
                vmwp_host_io(&host, COM1, widths[i], kind & 1);
            else
                string(kind & 1, COM1, widths[i], 0x10ffe, 2);
            vmwp_host_run(&host);
            assert_non_null(host.stopped);
            assert_string_equal(host.console, "");
            vmwp_host_destroy(&host);
        }
    }
}

static void a_message_of_a_vp_that_is_not_there_is_dropped(void **state)
{
    (void)state;
    vmwp_host_io(&host, COM1, 1, false)->vp_index = 1;
    vmwp_host_io(&host, COM1, 1, false)->vp_index = UINT32_MAX;
    vmwp_host_run(&host);
    assert_null(host.stopped);
    assert_string_equal(host.console, "");
    assert_true(host.vp->intercept_suspend);
}

static void instruction_bytes_without_end_are_read_no_further(void **state)
{
    struct vmwp_host_message *message;

    (void)state;
    vmwp_host_map(&host, 0x10, 0x60000, RWU);
    vmwp_host_write(&host, 0x60000, "z", 1);
    message = string(false, COM1, 1, 0x10000, 1);
    message->fetched_bytes = 255;
    memset(message->fetched, 0x3e, sizeof(message->fetched));
    message->ds.base = UINT64_C(0x6767676767676767);
    vmwp_host_run(&host);
    the_vp_goes_on();
    assert_string_equal(host.console, "z");
}

#define ON_HOST(test) VMWP_HOST_TEST(test, &host)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_writes_as_much_of_rax_as_it_reads),
        cmocka_unit_test(a_port_that_no_device_has_reads_ones),
        ON_HOST(out_writes_what_rax_holds),
        ON_HOST(outs_goes_forward),
        ON_HOST(outs_goes_backward),
        ON_HOST(outs_once_leaves_the_count_alone),
        ON_HOST(a_count_of_zero_does_nothing),
        ON_HOST(ins_fills_memory_and_makes_it_dirty),
        ON_HOST(an_element_may_lie_on_two_pages),
        ON_HOST(a_page_fault_half_way_is_the_guests_and_is_resumed),
        ON_HOST(a_fault_within_an_element_does_none_of_it),
        ON_HOST(ins_that_faults_has_not_read_the_device),
        ON_HOST(a_fault_in_user_mode_says_so),
        ON_HOST(a_fault_by_reserved_bits_says_so),
        ON_HOST(an_address_that_is_not_canonical_is_a_protection_fault),
        ON_HOST(the_prefix_makes_addresses_in_64bit_code_32_bits_wide),
        ON_HOST(real_mode_addresses_wrap_in_their_segment),
        ON_HOST(a_segment_prefix_counts_for_outs_alone),
        cmocka_unit_test(an_intercept_that_cannot_be_served_stops_the_vm),
        ON_HOST(a_reset_by_msr_starts_the_vm_again),
        cmocka_unit_test(an_access_of_an_impossible_width_stops_the_vm),
        ON_HOST(a_message_of_a_vp_that_is_not_there_is_dropped),
        ON_HOST(instruction_bytes_without_end_are_read_no_further),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
