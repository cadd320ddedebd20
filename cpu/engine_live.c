/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where Unicorn keeps a processor's state. Its context interface copies five
 * kilobytes out at each intercept and back again; with many processors each
 * copy is a hundred lines that no cache holds, and most of what an intercept
 * costs. Who knows where the original lies needs no copy.
 *
 * No interface tells, so it is looked for in an instance of our own: from a
 * pointer in uc_engine, at a distance, the registers must lie as they do in
 * the context, and must follow what is written to them. Each further instance
 * is tried in the same way before it is believed. All looking is by
 * process_vm_readv(), to which a wrong address is an error and not the end of
 * us. Where nothing is found, the copies are made.
 */
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cpu/engine_private.h"

/* The registers lie behind the processor's jump cache of 32 KiB. */
#define DISTANCE_MAX (UINT64_C(64) << 10)
#define HANDLE_BYTES_MAX 0x1000u
#define PIECES (DISTANCE_MAX / PAGE_BYTES)

#define REGS_BYTES ((size_t)8 * X86_GPR_COUNT)

/* How many bytes from `address` on, up to `bytes`, could be read. */
static size_t peek(uint64_t address, void *to, size_t bytes)
{
    struct iovec local = {.iov_base = to, .iov_len = bytes};
    struct iovec remote[PIECES + 1];
    unsigned long pieces = 0;
    ssize_t done;

    for (size_t at = 0; at < bytes; pieces++) {
        size_t room = PAGE_BYTES - ((address + at) & PAGE_MASK);

        if (pieces > PIECES)
            return 0;
        remote[pieces].iov_base = (void *)(uintptr_t)(address + at);
        remote[pieces].iov_len = bytes - at < room ? bytes - at : room;
        at += remote[pieces].iov_len;
    }
    done = process_vm_readv(getpid(), &local, 1, remote, pieces, 0);
    return done > 0 ? (size_t)done : 0;
}

static uint64_t peek_pointer(uint64_t address)
{
    uint64_t value = 0;

    return peek(address, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

/* True if what lies at `regs` are this instance's registers. */
static bool follows(uc_engine *uc, uint64_t regs)
{
    const uint64_t sentinels[] = {UINT64_C(0x1de5ce4e7000a5a5),
                                  UINT64_C(0xc0a1e5ce0b5e55ed)};
    uint64_t before = 0;
    bool same = uc_reg_read(uc, UC_X86_REG_R9, &before) == UC_ERR_OK;

    for (unsigned i = 0; same && i < 2; i++)
        same = uc_reg_write(uc, UC_X86_REG_R9, &sentinels[i]) == UC_ERR_OK &&
               peek_pointer(regs + UINT64_C(8) * X86_R9) == sentinels[i];
    return uc_reg_write(uc, UC_X86_REG_R9, &before) == UC_ERR_OK && same;
}

/* The registers at some distance from `processor`; 0 if they are not there. */
static uint64_t find_regs(uint64_t processor, const uint8_t *regs)
{
    static const uint8_t none[REGS_BYTES];
    uint8_t memory[DISTANCE_MAX];
    size_t have = 0;
    const uint8_t *found;

    if (processor != 0 && memcmp(regs, none, REGS_BYTES) != 0)
        have = peek(processor, memory, sizeof(memory));
    found = memmem(memory, have, regs, REGS_BYTES);
    return found ? processor + (uint64_t)(found - memory) : 0;
}

void engine_live_find(uc_engine *uc, const uint8_t *image,
                      struct engine_layout *layout)
{
    uint64_t handle = (uint64_t)(uintptr_t)uc;
    uint32_t live;

    /* Some pointer to what the heap has put before the processor finds its
     * registers too, in this instance; the nearest is the processor's own. */
    for (uint32_t at = 0; at < HANDLE_BYTES_MAX; at += 8) {
        uint64_t processor = peek_pointer(handle + at);
        uint64_t regs = find_regs(processor, image + layout->regs);

        if (regs == 0 || !follows(uc, regs) || regs - processor < layout->regs)
            continue;
        live = (uint32_t)(regs - processor) - layout->regs;
        if (layout->live != 0 && layout->live <= live)
            continue;
        layout->processor = at;
        layout->live = live;
    }
}

uint8_t *engine_live_image(uc_engine *uc, const struct engine_layout *layout)
{
    uint64_t image;

    if (layout->live == 0)
        return NULL;
    image = peek_pointer((uint64_t)(uintptr_t)uc + layout->processor) +
            layout->live;
    return follows(uc, image + layout->regs) ? (uint8_t *)(uintptr_t)image
                                             : NULL;
}
