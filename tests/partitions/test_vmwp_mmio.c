/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The worker process and accesses through memory: to devices, and to nothing.
 *  What instructions do is tests/cpu/test_mmio.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/intercept.h"
#include "hypervisor/vp.h"
#include "partitions/platform.h"
#include "partitions/vdev_ioapic.h"
#include "tests/partitions/vmwp_host.h"

#define RIP 0x5000u
#define GVA UINT64_C(0xffff800000000000)
#define NOWHERE UINT64_C(0xc0000000)
#define INDEX PLATFORM_IOAPIC_GPA
#define WINDOW (PLATFORM_IOAPIC_GPA + 0x10)

#define FETCHED_BYTES VMWP_HOST_FETCHED_BYTES
#define FLAGS VMWP_HOST_FLAGS
#define AT_GVA VMWP_HOST_GVA
#define FETCHED VMWP_HOST_FETCHED

#define READ VMWP_HOST_READ
#define WRITE VMWP_HOST_WRITE
#define EXECUTE VMWP_HOST_EXECUTE

static struct vmwp_host host;

/* A message about an access at `gpa` by the code, with RBX where it is. */
static uint8_t *access_at(uint64_t gpa, uint8_t access, const char *code,
                          uint8_t length)
{
    uint64_t gva = GVA + (gpa & PAGE_MASK);

    host.state.gpr[X86_RBX] = gva;
    return vmwp_host_access(&host, gpa, gva, access, code, length);
}

#define ACCESS(gpa, access, code)                                              \
    access_at((gpa), (access), (code), sizeof(code) - 1)

static void it_went_on_by(uint64_t bytes)
{
    assert_int_equal(host.ends, 0);
    assert_false(host.vp->intercept_suspend);
    assert_int_equal(host.state.rip, RIP + bytes);
}

static void it_stopped_by(const char *why)
{
    assert_int_equal(host.ends, 1);
    assert_int_equal(host.end, VMWP_FAILED);
    assert_non_null(strstr(host.stopped, why));
    assert_true(host.vp->intercept_suspend);
    assert_int_equal(host.state.rip, RIP);
}

static void a_device_is_reached_through_memory(void **state)
{
    (void)state;
    host.state.gpr[X86_RAX] = UINT64_C(0x1111111100000001);
    ACCESS(INDEX, WRITE, "\x89\x07"); /* mov [rdi], eax */
    ACCESS(WINDOW, READ, "\x8b\x0b"); /* mov ecx, [rbx] */
    host.state.gpr[X86_RDI] = GVA;
    host.state.gpr[X86_RCX] = UINT64_MAX;
    vmwp_host_run(&host);
    /* Both messages say RIP 0x5000; the second one counts. */
    it_went_on_by(2);
    assert_true(host.state.gpr[X86_RCX] == 0x00170011);
    assert_true(host.state.gpr[X86_RAX] == UINT64_C(0x1111111100000001));
}

static void memory_that_is_not_there_reads_ones(void **state)
{
    (void)state;
    host.state.gpr[X86_RAX] = 0x55;
    ACCESS(NOWHERE + 8, READ, "\x48\x8b\x03"); /* mov rax, [rbx] */
    vmwp_host_run(&host);
    it_went_on_by(3);
    assert_true(host.state.gpr[X86_RAX] == UINT64_MAX);
}

static void and_loses_what_is_written(void **state)
{
    (void)state;
    ACCESS(NOWHERE, WRITE, "\xc6\x03\x07"); /* mov byte [rbx], 7 */
    vmwp_host_run(&host);
    it_went_on_by(3);
}

static void flags_are_those_of_the_instruction(void **state)
{
    (void)state;
    host.state.rflags |= 0x8d5 & ~0x40u; /* all but zero */
    host.state.gpr[X86_RAX] = 0x00170011;
    ACCESS(NOWHERE, READ, "\x83\x3b\xff"); /* cmp dword [rbx], -1 */
    vmwp_host_run(&host);
    it_went_on_by(3);
    assert_int_equal(host.state.rflags & 0x8d5, 0x44); /* ZF, PF */
}

static void a_repeated_instruction_comes_again(void **state)
{
    (void)state;
    ACCESS(NOWHERE + 0x100, WRITE, "\xf3\xab"); /* rep stosd */
    host.state.gpr[X86_RDI] = GVA + 0x100;
    host.state.gpr[X86_RCX] = 3;
    vmwp_host_run(&host);
    it_went_on_by(0);
    assert_true(host.state.gpr[X86_RDI] == GVA + 0x104);
    assert_int_equal(host.state.gpr[X86_RCX], 2);
}

#define RWU 7u
#define READ_ONLY 1u
#define MOVSD "\xa5"
#define REP_MOVSD "\xf3\xa5"

static void movs_copies_from_a_device_to_memory(void **state)
{
    uint32_t got[2] = {0};

    (void)state;
    vmwp_host_map(&host, 0x10, 0x40000, RWU);
    vmwp_host_map(&host, 0x11, 0x60000, RWU);
    ACCESS(NOWHERE + 0x20, READ, REP_MOVSD);
    host.state.gpr[X86_RSI] = GVA + 0x20;
    host.state.gpr[X86_RDI] = 0x10ffe; /* on two pages */
    host.state.gpr[X86_RCX] = 2;
    vmwp_host_run(&host);
    it_went_on_by(0);
    assert_true(host.state.gpr[X86_RSI] == GVA + 0x24);
    assert_true(host.state.gpr[X86_RDI] == 0x11002);
    assert_int_equal(host.state.gpr[X86_RCX], 1);
    vmwp_host_read(&host, 0x40ffe, &got[0], 2);
    vmwp_host_read(&host, 0x60000, &got[1], 4);
    assert_int_equal(got[0], 0xffff);
    assert_int_equal(got[1], 0xffff);
}

static void movs_copies_from_memory_to_a_device(void **state)
{
    const uint32_t value = 0x12345678;
    struct vdev *ioapic = host.vmwp->ioapic;

    (void)state;
    ioapic->ops->write(ioapic, 0, 0x00, 4, 0x11);
    vmwp_host_map(&host, 0x10, 0x40000, READ_ONLY);
    vmwp_host_write(&host, 0x40010, &value, sizeof(value));
    ACCESS(WINDOW, WRITE, MOVSD);
    host.state.gpr[X86_RSI] = 0x10010;
    host.state.gpr[X86_RDI] = GVA + 0x10;
    vmwp_host_run(&host);
    it_went_on_by(1);
    assert_int_equal(ioapic->ops->read(ioapic, 0, 0x10, 4), 0x12000000);
    assert_true(host.state.gpr[X86_RDI] == GVA + 0x14);
}

static void movs_that_faults_has_done_nothing(void **state)
{
    uint64_t event;

    (void)state;
    vmwp_host_map(&host, 0x10, 0x40000, READ_ONLY);
    ACCESS(WINDOW, READ, REP_MOVSD);
    host.state.gpr[X86_RSI] = GVA + 0x10;
    host.state.gpr[X86_RDI] = 0x10000;
    host.state.gpr[X86_RCX] = 2;
    vmwp_host_run(&host);
    event = host.vp->pending_interruption;
    it_went_on_by(0);
    assert_int_equal(host.state.gpr[X86_RCX], 2);
    assert_int_equal(event >> 16 & 0xff, X86_VECTOR_PF);
    assert_int_equal(event >> 32, PF_PRESENT | PF_WRITE);
    assert_int_equal(host.state.cr2, 0x10000);
}

static void fetches_walks_and_events_stop_the_vm(void **state)
{
    const char *why = "access to guest physical memory that is not there";

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct vmwp_host_message *message;
        uint8_t *p;

        vmwp_host_create(&host);
        p = ACCESS(NOWHERE, i == 0 ? EXECUTE : READ, "\x8b\x03");
        message = (struct vmwp_host_message *)(p - 16);
        if (i == 1)
            p[FLAGS] = 1; /* a walk's */
        if (i == 2)
            message->instruction_bytes = 0; /* an event's */
        if (i == 3)
            p[FETCHED] = 0xff; /* inc dword [rbx] becomes nothing known */
        if (i == 3)
            p[FETCHED + 1] = 0x33; /* push [rbx] */
        vmwp_host_run(&host);
        it_stopped_by(why);
        vmwp_host_destroy(&host);
    }
    vmwp_host_create(&host);
}

static void what_cannot_be_carried_out_on_a_device_says_so(void **state)
{
    (void)state;
    ACCESS(WINDOW, READ, "\xff\x33"); /* push [rbx] */
    vmwp_host_run(&host);
    it_stopped_by("cannot carry out");
}

static void the_bytes_of_the_message_are_not_trusted(void **state)
{
    (void)state;
    /* A length beyond the message's 16 bytes, all of them prefixes. */
    uint8_t *p = ACCESS(NOWHERE, READ, "\x8b\x03");

    p[FETCHED_BYTES] = 255;
    memset(p + FETCHED, 0x66, 16);
    vmwp_host_run(&host);
    it_stopped_by("not there");
}

static void a_16_bit_segment_has_a_base(void **state)
{
    (void)state;
    x86_reset(&host.state);
    host.state.rip = RIP;
    host.state.segment[X86_CS] =
        (struct x86_segment){.limit = 0xffff, .attributes = 0x9b};
    host.state.segment[X86_ES].base = 0xf0000;
    host.state.gpr[X86_RAX] = 0x1234;

    uint8_t *p = ACCESS(0xf1000, READ, "\x26\x8b\x07"); /* mov ax, es:[bx] */
    const uint64_t gva = 0xf1000;

    memcpy(p + AT_GVA, &gva, sizeof(gva));
    host.state.gpr[X86_RBX] = 0x1000;
    vmwp_host_run(&host);
    it_went_on_by(3);
    assert_int_equal(host.state.gpr[X86_RAX], 0xffff);
}

/* Whatever a message says but for RIP and RFLAGS, which are the VP's: it goes
 * on, or the VM ends. */
static void nonsense_in_messages_does_no_harm(void **state)
{
    uint64_t seed = 11;

    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        vmwp_host_create(&host);
        for (unsigned k = 0; k < VMWP_HOST_MESSAGES_MAX; k++) {
            uint8_t *p = ACCESS(WINDOW, READ, "\x8b\x0b");

            for (unsigned changes = 0; changes < 8; changes++) {
                unsigned at;

                seed = seed * UINT64_C(6364136223846793005) +
                       UINT64_C(1442695040888963407);
                at = 4 + (unsigned)(seed >> 33) % (FETCHED + 12);
                if (at < 0x18 || at >= 0x28)
                    p[at] = (uint8_t)(seed >> 50);
            }
        }
        vmwp_host_run(&host);
        assert_true(host.ends > 0 || !host.vp->intercept_suspend);
        vmwp_host_destroy(&host);
    }
    vmwp_host_create(&host);
}

static void enable_apic(struct vmwp_host *on, unsigned index)
{
    (void)index;
    on->vp->lapic.svr = 0x1ff;
}

/* COM1 interrupts, the I/O APIC asks, the hypervisor hears of it. */
static void a_devices_interrupt_reaches_the_vp(void **state)
{
    struct vdev *ioapic = host.vmwp->ioapic;

    (void)state;
    ioapic->ops->write(ioapic, 0, 0x00, 4, 0x10 + 2 * PLATFORM_UART_GSI);
    ioapic->ops->write(ioapic, 0, 0x10, 4, 0x35); /* to processor 0 */
    host.before = enable_apic;
    vmwp_host_io(&host, 0x3fc, 1, false)->rax = 0x08; /* MCR: OUT2 */
    vmwp_host_io(&host, 0x3f9, 1, false)->rax = 0x02;
    vmwp_host_run(&host);
    it_went_on_by(2);
    assert_false(vdev_ioapic_pending(ioapic));
    assert_int_equal(host.vp->lapic.irr[1], 1u << (0x35 - 32));
}

/* By the devices' own thread, since no VP has asked; and not before the guest
 * wants it. */
static void a_typed_byte_interrupts_and_can_be_read(void **state)
{
    struct vdev *ioapic = host.vmwp->ioapic;

    (void)state;
    vmwp_set_baud(host.vmwp, 1000000000);
    assert_true(vmwp_type(host.vmwp, (const uint8_t *)"x", 1, cycles(0)));
    assert_int_equal(vmwp_untyped(host.vmwp), 1); /* it is off */
    ioapic->ops->write(ioapic, 0, 0x00, 4, 0x10 + 2 * PLATFORM_UART_GSI);
    ioapic->ops->write(ioapic, 0, 0x10, 4, 0x36);
    host.before = enable_apic;
    vmwp_host_io(&host, 0x3f9, 1, false)->rax = 0x01; /* IER: received */
    vmwp_host_io(&host, 0x3fc, 1, false)->rax = 0x0a; /* MCR: OUT2, RTS */
    vmwp_host_io(&host, 0x3ff, 1, true);              /* meanwhile it comes */
    vmwp_host_io(&host, 0x3f8, 1, true);
    vmwp_host_run(&host);
    it_went_on_by(2);
    assert_int_equal(vmwp_untyped(host.vmwp), 0);
    assert_int_equal(host.state.gpr[X86_RAX], 'x');
    assert_int_equal(host.vp->lapic.irr[1], 1u << (0x36 - 32));
}

/* The I/O APIC hears of an EOI by a message, and asks again. */
static void a_level_comes_again_after_the_eoi_message(void **state)
{
    struct vdev *ioapic = host.vmwp->ioapic;
    struct vdev_ioapic_interrupt interrupt;
    struct vmwp_host_message *message;

    (void)state;
    ioapic->ops->write(ioapic, 0, 0x00, 4, 0x10 + 2 * PLATFORM_SCI_GSI);
    ioapic->ops->write(ioapic, 0, 0x10, 4, 0x8037);
    vdev_ioapic_set_pin(ioapic, PLATFORM_SCI_GSI, true);
    assert_true(vdev_ioapic_take(ioapic, &interrupt));
    host.before = enable_apic;
    message = vmwp_host_io(&host, 0, 1, true);
    message->type = INTERCEPT_APIC_EOI;
    memset(&message->instruction_bytes, 0, 4);
    message->instruction_bytes = 0x37; /* where the vector is */
    vmwp_host_run(&host);
    assert_int_equal(host.vp->lapic.irr[1], 1u << (0x37 - 32));
    assert_true(host.vp->intercept_suspend); /* it answers nothing */
}

static void the_guest_can_power_off(void **state)
{
    (void)state;
    vmwp_host_io(&host, PLATFORM_PM1_CONTROL_PORT, 2, false)->rax =
        PLATFORM_S5_SLEEP_TYPE << 10 | 0x2000;
    vmwp_host_run(&host);
    assert_int_equal(host.ends, 1);
    assert_int_equal(host.end, VMWP_POWERED_OFF);
    assert_null(host.stopped);
    assert_true(host.vp->intercept_suspend);
}

static void the_guest_can_reset(void **state)
{
    (void)state;
    vmwp_host_io(&host, PLATFORM_RESET_PORT, 1, false)->rax =
        PLATFORM_RESET_VALUE;
    vmwp_host_run(&host);
    assert_int_equal(host.ends, 1);
    assert_int_equal(host.end, VMWP_RESET);
}

static void the_guest_can_reset_by_the_keyboard_controller(void **state)
{
    (void)state;
    vmwp_host_io(&host, 0x64, 1, false)->rax = 0xfe;
    vmwp_host_run(&host);
    assert_int_equal(host.ends, 1);
    assert_int_equal(host.end, VMWP_RESET);
}

#define T(test) VMWP_HOST_TEST(test, &host)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_device_is_reached_through_memory),
        T(memory_that_is_not_there_reads_ones),
        T(and_loses_what_is_written),
        T(flags_are_those_of_the_instruction),
        T(a_repeated_instruction_comes_again),
        T(movs_copies_from_a_device_to_memory),
        T(movs_copies_from_memory_to_a_device),
        T(movs_that_faults_has_done_nothing),
        VMWP_HOST_TEST_CREATING(fetches_walks_and_events_stop_the_vm, &host),
        T(what_cannot_be_carried_out_on_a_device_says_so),
        T(the_bytes_of_the_message_are_not_trusted),
        T(a_16_bit_segment_has_a_base),
        T(a_devices_interrupt_reaches_the_vp),
        VMWP_HOST_TEST_CREATING(nonsense_in_messages_does_no_harm, &host),
        T(a_typed_byte_interrupts_and_can_be_read),
        T(a_level_comes_again_after_the_eoi_message),
        T(the_guest_can_power_off),
        T(the_guest_can_reset),
        T(the_guest_can_reset_by_the_keyboard_controller),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
