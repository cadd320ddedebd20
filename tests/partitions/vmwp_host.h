/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_PARTITIONS_VMWP_HOST_H
#define HVSIM_TESTS_PARTITIONS_VMWP_HOST_H

/**
 * A worker process with a VP that never runs: the test writes the VP's
 * registers and memory, hands over an intercept message as the hypervisor
 * would send it (TLFS, "Intercept Messages"), and looks at what became of
 * them. Partition, VP, hypercalls and root are real.
 */

#include "cpu/x86.h"
#include "partitions/vmwp.h"
#include "tests/partitions/root_host.h"

struct __attribute__((packed)) vmwp_host_segment {
    uint64_t base;
    uint32_t limit;
    uint16_t selector, attributes;
};

struct __attribute__((packed)) vmwp_host_message {
    uint32_t type;
    uint8_t payload_bytes, flags;
    uint16_t reserved;
    uint64_t sender;
    uint32_t vp_index;
    uint8_t instruction_bytes, access;
    uint16_t execution_state;
    struct vmwp_host_segment cs;
    uint64_t rip, rflags;
    uint16_t port;
    uint8_t info, fetched_bytes;
    uint32_t reserved2;
    uint64_t rax;
    uint8_t fetched[16];
    struct vmwp_host_segment ds, es;
    uint64_t rcx, rsi, rdi;
    uint8_t rest[256 - 0x90];
};

_Static_assert(sizeof(struct vmwp_host_message) == VMWP_MESSAGE_BYTES,
               "a SynIC message");

#define VMWP_HOST_MESSAGES_MAX 4

struct vmwp_host {
    struct root_host root;
    struct root_job job;
    struct vmwp *vmwp; /* owns */
    struct winhv winhv;
    partition_id_t partition;
    struct hv_vp *vp;
    spa_t memory; /* of GPA 0: 2 MiB */
    struct x86_state state;
    /* Handed over one after another, when the one before has been served. */
    struct vmwp_host_message messages[VMWP_HOST_MESSAGES_MAX];
    unsigned message_count, sent;
    /** Called before message `index` is handed over; may be NULL. */
    void (*before)(struct vmwp_host *host, unsigned index);
    /* Heard. */
    char console[256];
    unsigned console_bytes;
    const char *stopped; /* why; NULL: not, or as the guest wanted */
    enum vmwp_end end;   /* how, the last time */
    unsigned ends;
};

/** Long mode with flat segments, paging on with the tables at 0x1000. */
void vmwp_host_create(struct vmwp_host *host);
void vmwp_host_destroy(struct vmwp_host *host);

/** The same for cmocka, whose *state is a struct vmwp_host. */
int vmwp_host_setup(void **state);
int vmwp_host_teardown(void **state);

/** A test with `host`, which is created for it, or by it. */
#define VMWP_HOST_TEST(test, host)                                             \
    cmocka_unit_test_prestate_setup_teardown(test, vmwp_host_setup,            \
                                             vmwp_host_teardown, host)
#define VMWP_HOST_TEST_CREATING(test, host)                                    \
    cmocka_unit_test_prestate_setup_teardown(test, NULL, vmwp_host_teardown,   \
                                             host)

/** Maps the 4 KiB page `page` of GVA (below 2 MiB) to GPA `to`. */
void vmwp_host_map(struct vmwp_host *host, uint64_t page, uint64_t to,
                   uint64_t flags);
/** The entry that maps it. */
uint64_t vmwp_host_entry(struct vmwp_host *host, uint64_t page);
void vmwp_host_write(struct vmwp_host *host, uint64_t to, const void *bytes,
                     size_t count);
void vmwp_host_read(struct vmwp_host *host, uint64_t from, void *bytes,
                    size_t count);

/** Adds a message about an I/O instruction of `host->state`, at RIP 0x5000
 *  and two bytes long, for the test to change. */
struct vmwp_host_message *vmwp_host_io(struct vmwp_host *host, uint16_t port,
                                       uint8_t bytes, bool in);

#define VMWP_HOST_READ 0
#define VMWP_HOST_WRITE 1
#define VMWP_HOST_EXECUTE 2

/* In the payload of such a message, behind the header. */
#define VMWP_HOST_FETCHED_BYTES 0x2c
#define VMWP_HOST_FLAGS 0x2d
#define VMWP_HOST_GVA 0x30
#define VMWP_HOST_GPA 0x38
#define VMWP_HOST_FETCHED 0x40

/** Adds a message about an access by `code`, which lies at RIP 0x5000, and
 *  returns its payload for the test to change. */
uint8_t *vmwp_host_access(struct vmwp_host *host, uint64_t gpa, uint64_t gva,
                          uint8_t access, const char *code, uint8_t length);

/** Sets the VP's registers from `state`, hands the messages over, and reads
 *  the registers back into `state`. */
void vmwp_host_run(struct vmwp_host *host);

#endif
