/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * selftest-translation: what the page tables say is what happens: rights at
 * every level, accessed and dirty bits, WP, NX, SMEP, SMAP, large pages,
 * reserved bits, and when a change of an entry must be seen.
 *
 * Arguments: test=NAME; quirks=NAME (see selftest.h).
 */

#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/x86.h"
#include "workloads/selftest/probe.h"
#include "workloads/selftest/selftest.h"

#define ERROR_PRESENT 1u
#define ERROR_WRITE 2u
#define ERROR_USER 4u
#define ERROR_RESERVED 8u
#define ERROR_FETCH 16u

#define CPUID_7_EBX_SMEP (1u << 7)
#define CPUID_7_EBX_SMAP (1u << 20)
#define CPUID_80000001_EDX_1G (1u << 26)

/* An address with page tables of its own at every level. */
#define TEST UINT64_C(0x0000400000000000)
#define PROBE_OK 0x100u /* no fault: differs from every error code */

extern const char access_read[], access_write[], access_fetch[];
extern const char access_read_ac[];

static uint64_t page; /* physical; holds a RET at offset 0 */

/* Does the access and returns the error code of its #PF, or PROBE_OK. */
static uint64_t try_at(uint64_t address, const char *code, unsigned ring)
{
    struct probe probe = probe_make(code, ring);

    probe.frame.rdi = address;
    probe.frame.rax = 0xc3; /* a write leaves the RET in place */
    probe_run(&probe, NULL);
    if (probe.frame.vector == PROBE_EXIT)
        return PROBE_OK;
    selftest_equal(probe.frame.vector, TRAP_PF, "vector");
    selftest_equal(probe.cr2, address, "CR2");
    return probe.frame.error;
}

static uint64_t *entry_at(enum paging_level level)
{
    return paging_entry(TEST, level);
}

static void map_test(uint64_t flags)
{
    *entry_at(PAGING_4K) = page | flags;
    x86_invlpg(TEST);
}

static void flush_all(void)
{
    x86_write_cr3(x86_read_cr3());
}

/* The rights that one entry takes away, and what then is refused. */
struct right {
    const char *name;
    uint64_t clear, set;
    uint64_t kernel_read, kernel_write, kernel_fetch;
    uint64_t user_read, user_write, user_fetch;
};

#define OK PROBE_OK
#define P ERROR_PRESENT
#define W ERROR_WRITE
#define U ERROR_USER
#define F ERROR_FETCH

static const struct right rights[] = {
    {"all rights", 0, 0, OK, OK, OK, OK, OK, OK},
    {"not present", PTE_PRESENT, 0, 0, W, F, U, U | W, U | F},
    {"read only", PTE_WRITE, 0, OK, P | W, OK, OK, P | W | U, OK},
    {"supervisor", PTE_USER, 0, OK, OK, OK, P | U, P | W | U, P | U | F},
    {"no execute", 0, PTE_NX, OK, OK, P | F, OK, OK, P | U | F},
};

static void check_right(const struct right *right, enum paging_level level)
{
    const struct {
        const char *name, *code;
        unsigned ring;
        uint64_t expected;
    } accesses[] = {
        {"kernel read", access_read, 0, right->kernel_read},
        {"kernel write", access_write, 0, right->kernel_write},
        {"kernel fetch", access_fetch, 0, right->kernel_fetch},
        {"user read", access_read, 3, right->user_read},
        {"user write", access_write, 3, right->user_write},
        {"user fetch", access_fetch, 3, right->user_fetch},
    };

    for (size_t i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++)
        selftest_equal(try_at(TEST, accesses[i].code, accesses[i].ring),
                       accesses[i].expected, "%s: %s at level %u", right->name,
                       accesses[i].name, level);
}

static void run_rights(void)
{
    map_test(PTE_PRESENT | PTE_WRITE | PTE_USER);
    for (enum paging_level level = PAGING_4K; level <= PAGING_512G; level++) {
        uint64_t *entry = entry_at(level);
        uint64_t before = *entry;

        for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
            *entry = (before & ~rights[i].clear) | rights[i].set;
            flush_all();
            check_right(&rights[i], level);
            *entry = before;
            flush_all();
        }
    }
}

static void check_bits(const char *name, uint64_t expected_4k)
{
    const uint64_t both = PTE_ACCESSED | PTE_DIRTY;

    selftest_equal(*entry_at(PAGING_4K) & both, expected_4k, "%s: A and D",
                   name);
    for (enum paging_level level = PAGING_2M; level <= PAGING_512G; level++) {
        selftest_equal(*entry_at(level) & PTE_ACCESSED,
                       expected_4k & PTE_ACCESSED, "%s: A at level %u", name,
                       level);
        selftest_equal(*entry_at(level) & PTE_DIRTY, 0, "%s: D at level %u",
                       name, level);
    }
}

static void clear_bits(void)
{
    for (enum paging_level level = PAGING_4K; level <= PAGING_512G; level++)
        *entry_at(level) &= ~(PTE_ACCESSED | PTE_DIRTY);
    flush_all();
}

static void run_accessed_dirty(void)
{
    map_test(PTE_PRESENT | PTE_WRITE | PTE_USER);
    clear_bits();
    check_bits("untouched", 0);
    try_at(TEST, access_read, 0);
    check_bits("read", PTE_ACCESSED);
    try_at(TEST, access_write, 0);
    check_bits("write after read, no flush", PTE_ACCESSED | PTE_DIRTY);
    clear_bits();
    try_at(TEST, access_write, 3);
    check_bits("write", PTE_ACCESSED | PTE_DIRTY);
    clear_bits();
    try_at(TEST, access_fetch, 3);
    check_bits("fetch", PTE_ACCESSED);
    map_test(PTE_PRESENT | PTE_USER);
    clear_bits();
    try_at(TEST, access_write, 0);
    selftest_equal(*entry_at(PAGING_4K) & PTE_DIRTY, 0, "refused write: D");
}

static void run_write_protect(void)
{
    map_test(PTE_PRESENT | PTE_USER);
    selftest_equal(try_at(TEST, access_write, 0), P | W, "CR0.WP=1, kernel");
    x86_write_cr0(x86_read_cr0() & ~CR0_WP);
    selftest_equal(try_at(TEST, access_write, 0), PROBE_OK, "CR0.WP=0, kernel");
    selftest_equal(try_at(TEST, access_write, 3), P | W | U, "CR0.WP=0, user");
    selftest_equal(*entry_at(PAGING_4K) & PTE_DIRTY, PTE_DIRTY,
                   "CR0.WP=0: D of a read-only page");
    x86_write_cr0(x86_read_cr0() | CR0_WP);
    selftest_equal(try_at(TEST, access_write, 0), P | W, "CR0.WP=1 again");
}

static void run_smep_smap(void)
{
    uint32_t features = x86_cpuid(7, 0).ebx;
    uint64_t cr4 = x86_read_cr4();

    map_test(PTE_PRESENT | PTE_WRITE | PTE_USER);
    selftest_equal(try_at(TEST, access_fetch, 0), PROBE_OK, "without SMEP");
    if (features & CPUID_7_EBX_SMEP) {
        x86_write_cr4(cr4 | CR4_SMEP);
        selftest_equal(try_at(TEST, access_fetch, 0), P | F, "SMEP: kernel");
        selftest_equal(try_at(TEST, access_fetch, 3), PROBE_OK, "SMEP: user");
        selftest_equal(try_at(TEST, access_read, 0), PROBE_OK, "SMEP: read");
    }
    if (features & CPUID_7_EBX_SMAP) {
        x86_write_cr4(cr4 | CR4_SMAP);
        selftest_equal(try_at(TEST, access_read, 0), P, "SMAP: kernel read");
        selftest_equal(try_at(TEST, access_write, 0), P | W,
                       "SMAP: kernel write");
        selftest_equal(try_at(TEST, access_read_ac, 0), PROBE_OK,
                       "SMAP: kernel read with AC");
        selftest_equal(try_at(TEST, access_read, 0), P, "SMAP: AC cleared");
        selftest_equal(try_at(TEST, access_read, 3), PROBE_OK, "SMAP: user");
    }
    x86_write_cr4(cr4);
    selftest_equal(try_at(TEST, access_read, 0), PROBE_OK, "SMAP off");
}

/* A reserved bit can only be found in a present entry; TCG leaves P out. */
static uint64_t reserved_error(void)
{
    return ERROR_RESERVED | (selftest_leaves_out(ON_TCG) ? 0 : ERROR_PRESENT);
}

static void check_reserved(enum paging_level level, uint64_t bit,
                           const char *name)
{
    uint64_t *entry = entry_at(level);
    uint64_t before = *entry;

    *entry |= bit;
    flush_all();
    selftest_equal(try_at(TEST, access_read, 0), reserved_error(),
                   "%s: kernel read", name);
    selftest_equal(try_at(TEST, access_write, 3), reserved_error() | W | U,
                   "%s: user write", name);
    *entry = before;
    flush_all();
    selftest_equal(try_at(TEST, access_read, 0), PROBE_OK, "%s: taken back",
                   name);
}

static void run_reserved(void)
{
    unsigned address_bits = x86_cpuid(0x80000008, 0).eax & 0xff;

    map_test(PTE_PRESENT | PTE_WRITE | PTE_USER);
    check_reserved(PAGING_512G, PTE_LARGE, "PS in the top level");
    if (address_bits < 52) {
        for (enum paging_level level = PAGING_4K; level <= PAGING_512G; level++)
            check_reserved(level, UINT64_C(1) << 51, "bit 51");
        check_reserved(PAGING_4K, UINT64_C(1) << address_bits,
                       "first bit beyond the physical address");
    }
    /* An ignored bit is no reserved one. */
    *entry_at(PAGING_4K) |= UINT64_C(1) << 52;
    flush_all();
    selftest_equal(try_at(TEST, access_read, 0), PROBE_OK, "bit 52 is ignored");
}

static void check_large(uint64_t address, uint64_t *entry, const char *name)
{
    selftest_equal(try_at(address, access_read, 0), PROBE_OK, "%s: read", name);
    selftest_equal(*entry & (PTE_ACCESSED | PTE_DIRTY), PTE_ACCESSED,
                   "%s: A after a read", name);
    selftest_equal(try_at(address + 8, access_write, 3), PROBE_OK, "%s: write",
                   name);
    selftest_equal(*entry & (PTE_ACCESSED | PTE_DIRTY),
                   PTE_ACCESSED | PTE_DIRTY, "%s: D after a write", name);
    selftest_equal(try_at(address, access_fetch, 3), PROBE_OK, "%s: fetch",
                   name);
    *entry &= ~PTE_WRITE;
    flush_all();
    selftest_equal(try_at(address, access_write, 0), P | W, "%s: read only",
                   name);
    *entry |= UINT64_C(1) << 13;
    flush_all();
    selftest_equal(try_at(address, access_read, 0), reserved_error(),
                   "%s: reserved address bit", name);
    *entry = 0;
    flush_all();
    selftest_equal(try_at(address, access_read, 0), 0, "%s: taken away", name);
}

static void run_large_pages(void)
{
    uint64_t flags = PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_LARGE;
    uint64_t offset = 5 * PAGE_BYTES + 0x123 * 8;
    uint64_t memory = (uintptr_t)memory_large_pages(1);
    uint64_t virtual = TEST + (UINT64_C(1) << 38);
    uint64_t *entry = paging_entry(virtual, PAGING_2M);

    *(uint8_t *)(memory + offset) = 0xc3;
    *entry = memory | flags;
    check_large(virtual + offset, entry, "2 MiB page");

    if (!(x86_cpuid(0x80000001, 0).edx & CPUID_80000001_EDX_1G))
        return;
    virtual = TEST + (UINT64_C(2) << 38);
    entry = paging_entry(virtual, PAGING_1G);
    *entry = flags; /* the first GiB of physical memory */
    check_large(virtual + memory + offset, entry, "1 GiB page");
}

static uint64_t read_test(void)
{
    return *(volatile uint64_t *)(TEST + 64);
}

static void run_flushes(void)
{
    const uint64_t flags = PTE_PRESENT | PTE_WRITE | PTE_NX;
    uint64_t pages[2] = {(uintptr_t)memory_pages(1),
                         (uintptr_t)memory_pages(1)};
    uint64_t cr4 = x86_read_cr4();
    uint64_t *entry = entry_at(PAGING_4K);

    *(uint64_t *)(pages[0] + 64) = 10;
    *(uint64_t *)(pages[1] + 64) = 11;
    for (uint64_t i = 0; i < 200; i++) {
        *entry = pages[i % 2] | flags;
        x86_invlpg(TEST);
        selftest_equal(read_test(), 10 + i % 2, "after INVLPG");
        *entry = pages[(i + 1) % 2] | flags;
        flush_all();
        selftest_equal(read_test(), 10 + (i + 1) % 2, "after MOV CR3");
        *entry = pages[i % 2] | flags | PTE_GLOBAL;
        x86_write_cr4(cr4 ^ CR4_PGE);
        selftest_equal(read_test(), 10 + i % 2, "after a change of CR4.PGE");
        x86_write_cr4(cr4);
        /* A translation that was refused is not kept. */
        *entry = 0;
        x86_invlpg(TEST);
        selftest_equal(try_at(TEST, access_read, 0), 0, "taken away");
        *entry = pages[i % 2] | flags;
        selftest_equal(read_test(), 10 + i % 2, "present again, no flush");
    }
}

void guest_main(void)
{
    static const struct selftest_case cases[] = {
        {"translation.rights", run_rights},
        {"translation.accessed_dirty", run_accessed_dirty},
        {"translation.write_protect", run_write_protect},
        {"translation.smep_smap", run_smep_smap},
        {"translation.reserved", run_reserved},
        {"translation.large_pages", run_large_pages},
        {"translation.flushes", run_flushes},
    };

    page = (uintptr_t)memory_pages(1);
    *(uint8_t *)page = 0xc3;
    probe_init();
    selftest_run(cases, sizeof(cases) / sizeof(cases[0]));
}
