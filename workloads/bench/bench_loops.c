/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * bench-loops: one of the loops of loops.def, timed by the guest.
 *
 * Arguments: loop=NAME (default alu), iterations=N, memory=BYTES.
 * Results: iterations (count), elapsed (ns), checksum (count, its low 32
 * bits).
 */

#include "workloads/bench/loops.h"
#include "workloads/runtime/args.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/string.h"

struct loop {
    const char *name;
    bench_loop *run;
    uint64_t iterations;
    uint64_t memory_bytes;
};

static const struct loop *find_loop(void)
{
    static const struct loop loops[] = {
#define BENCH_LOOP(name, default_iterations, memory_bytes, help)               \
    {#name, bench_##name, default_iterations, memory_bytes},
#include "workloads/bench/loops.def"
#undef BENCH_LOOP
    };
    const char *name = args_text("loop", "alu");

    for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++) {
        if (strcmp(loops[i].name, name) == 0)
            return &loops[i];
    }
    report_fail("argument loop=%s: alu, stream, chase, sort, calls, simd or "
                "cpuid is expected",
                name);
}

void guest_main(void)
{
    const struct loop *loop = find_loop();
    uint64_t iterations = args_number("iterations", loop->iterations);
    uint64_t bytes = args_bytes("memory", loop->memory_bytes);
    uint64_t start_ns, elapsed_ns, checksum;
    void *memory;

    if (iterations < 1)
        report_fail("argument iterations: at least 1 is expected");
    if (bytes < loop->memory_bytes && bytes < 65536)
        report_fail("argument memory: at least 64KiB is expected");
    if ((bytes & (bytes - 1)) != 0)
        report_fail("argument memory: a power of two is expected");
    memory = memory_pages(bytes / PAGE_BYTES + 1);
    if (loop->run == bench_chase)
        bench_chase_prepare(1, memory, bytes);

    start_ns = clock_ns();
    checksum = loop->run(iterations, memory, bytes);
    elapsed_ns = clock_ns() - start_ns;
    report_result("iterations", iterations, "count");
    report_result("elapsed", elapsed_ns, "ns");
    report_result("checksum", checksum & UINT32_MAX, "count");
    report_done();
}
