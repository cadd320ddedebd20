/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/hvtests/msr.h"

#include <stddef.h>

#include "workloads/selftest/probe.h"
#include "workloads/selftest/selftest.h"

extern const char msr_code_read[], msr_code_write[];
__asm__(".pushsection .text\n"
        "msr_code_read: rdmsr\n"
        "int $0x81\n"
        "msr_code_write: wrmsr\n"
        "int $0x81\n"
        ".popsection");

static unsigned run(struct probe *probe)
{
    uint64_t start = probe->frame.rip;

    probe_run(probe, NULL);
    if (probe->frame.vector == PROBE_EXIT)
        return MSR_OK;
    selftest_equal(probe->frame.error, 0, "MSR %x: error code",
                   (unsigned)probe->frame.rcx);
    selftest_equal(probe->frame.rip, start, "MSR %x: RIP",
                   (unsigned)probe->frame.rcx);
    return (unsigned)probe->frame.vector;
}

unsigned msr_read(uint32_t msr, uint64_t *value)
{
    struct probe probe = probe_make(msr_code_read, 0);
    unsigned result;

    probe.frame.rcx = msr;
    result = run(&probe);
    *value = probe.frame.rdx << 32 | probe.frame.rax;
    return result;
}

unsigned msr_write(uint32_t msr, uint64_t value)
{
    struct probe probe = probe_make(msr_code_write, 0);

    probe.frame.rcx = msr;
    probe.frame.rax = (uint32_t)value;
    probe.frame.rdx = value >> 32;
    return run(&probe);
}
