/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The worker process: what it makes of a guest's report of its crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/intercept.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "tests/partitions/vmwp_host.h"

#define COM1 0x3f8u
#define CRASH_CONTROL 0x40000105u
#define HAS_MESSAGE (UINT64_C(1) << 62)
#define MAPPED_BYTES 0x200000u /* of the host's memory */
#define TEXT_AT 0x60000u

static struct vmwp_host host;
static uint64_t parameters[5];

static void write_parameters(struct vmwp_host *on, unsigned index)
{
    (void)index;
    memcpy(on->vp->partition->crash, parameters, sizeof(parameters));
}

/* The guest writes `control` to its crash control register. */
static void add_report(uint64_t control)
{
    struct vmwp_host_message *message = vmwp_host_io(&host, COM1, 1, false);
    uint32_t index = CRASH_CONTROL;

    message->type = INTERCEPT_MSR;
    memcpy(&message->port, &index, sizeof(index)); /* MSRs are wider */
    message->rax = control >> 32; /* in this message RDX comes first */
}

/* A crash with a message of which the guest says that it is at `at` and of
 * `bytes`; `text` is there. */
static void report_crash(const char *text, uint64_t at, uint64_t bytes)
{
    vmwp_host_create(&host);
    if (at < MAPPED_BYTES)
        vmwp_host_write(&host, at, text, strlen(text));
    memcpy(parameters, (uint64_t[]){0xa0, 0xa1, 0xa2, at, bytes},
           sizeof(parameters));
    host.before = write_parameters;
    add_report(HAS_MESSAGE);
    vmwp_host_run(&host);
    assert_int_equal(host.end, VMWP_FAILED);
}

static void a_crash_without_a_message_is_shown_by_its_parameters(void **state)
{
    (void)state;
    vmwp_host_create(&host);
    memcpy(parameters, (uint64_t[]){0xa0, 0xa1, 0xa2, 0xa3, 0xa4},
           sizeof(parameters));
    host.before = write_parameters;
    add_report(0);
    vmwp_host_run(&host);
    assert_int_equal(host.end, VMWP_FAILED);
    assert_string_equal(host.stopped, "its guest reports a crash: parameters "
                                      "0xa0, 0xa1, 0xa2, 0xa3, 0xa4");
    assert_string_equal(host.vmwp->crash.text, "");
}

static void a_message_is_read_and_its_headline_shown(void **state)
{
    static const char message[] = "[ 1.0] last\n[ 1.1] Kernel panic - by me\n"
                                  "[ 1.2] Call Trace:\n[ 1.3]  end\n";

    (void)state;
    /* Over the end of a page, which is where reads are cut. */
    report_crash(message, TEXT_AT + PAGE_BYTES - 21, strlen(message));
    assert_string_equal(host.vmwp->crash.text, message);
    assert_string_equal(host.stopped,
                        "its guest reports a crash: parameters 0xa0, 0xa1, "
                        "0xa2; it says: [ 1.1] Kernel panic - by me");
}

static void a_message_without_a_panic_is_shown_by_its_end(void **state)
{
    (void)state;
    report_crash("one\ntwo\n\n", TEXT_AT, 9);
    assert_non_null(strstr(host.stopped, "it says: two"));
}

static void a_message_is_made_printable_and_ends_at_a_zero(void **state)
{
    (void)state;
    report_crash("a\x1b[2J\t\xff\r\nb", TEXT_AT, 100);
    assert_string_equal(host.vmwp->crash.text, "a?[2J???\nb");
}

static void a_message_is_as_long_as_there_is_memory(void **state)
{
    (void)state;
    report_crash("at the end", MAPPED_BYTES - 10, 4096);
    assert_string_equal(host.vmwp->crash.text, "at the end");
}

static void a_message_of_absurd_size_is_cut(void **state)
{
    (void)state;
    report_crash("x", TEXT_AT, UINT64_MAX);
    assert_int_equal(host.vmwp->crash.bytes_read, VMWP_CRASH_TEXT_BYTES_MAX);
    assert_string_equal(host.vmwp->crash.text, "x");
}

static void a_message_that_is_nowhere_is_said_to_be(void **state)
{
    static const uint64_t places[] = {MAPPED_BYTES, UINT64_C(1) << 52,
                                      UINT64_MAX - PAGE_BYTES, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        report_crash("", places[i], 8);
        assert_string_equal(host.vmwp->crash.text, "");
        assert_non_null(strstr(host.stopped, "cannot be read"));
        vmwp_host_destroy(&host);
    }
    report_crash("never read", TEXT_AT, 0);
    assert_non_null(strstr(host.stopped, "0 bytes at 0x60000 cannot be read"));
}

#define TEST(name) VMWP_HOST_TEST_CREATING(name, &host)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_crash_without_a_message_is_shown_by_its_parameters),
        TEST(a_message_is_read_and_its_headline_shown),
        TEST(a_message_without_a_panic_is_shown_by_its_end),
        TEST(a_message_is_made_printable_and_ends_at_a_zero),
        TEST(a_message_is_as_long_as_there_is_memory),
        TEST(a_message_of_absurd_size_is_cut),
        TEST(a_message_that_is_nowhere_is_said_to_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
