/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * hvtest-rules: the rules of the Hyper-V interface that implementers get
 * wrong, each a case of its own, called by its number: see rule.def.
 *
 * Argument: test=NAME. Needs Hyper-V with everything that a guest may have,
 * and three processors.
 */

#include "workloads/hvtests/message.h"
#include "workloads/hvtests/rule.h"
#include "workloads/runtime/apic.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/vmbus.h"
#include "workloads/selftest/probe.h"
#include "workloads/selftest/selftest.h"

struct rule_first_look rule_first_looks[RULE_CPUS];
uint32_t *rule_slots[RULE_CPUS];
volatile uint64_t rule_seen[RULE_CPUS];
volatile uint64_t rule_time_wrong[RULE_CPUS];
volatile uint64_t rule_time_looks[RULE_CPUS];

static void map_window(void)
{
    for (uint64_t i = 0; i < RULE_WINDOW_PAGES; i++)
        paging_map(RULE_WINDOW + i * PAGE_BYTES, (uintptr_t)memory_pages(1),
                   PTE_PRESENT);
}

static void look_at_time(uint32_t index)
{
    uint64_t before = x86_rdmsr(HV_MSR_TIME_REF_COUNT);
    uint64_t page = hyperv_reference_time();
    uint64_t after = x86_rdmsr(HV_MSR_TIME_REF_COUNT);

    rule_time_looks[index]++;
    if (page < before || page > after)
        rule_time_wrong[index]++;
}

/* What the other processors do for ever. */
static void watch(void)
{
    const uint64_t last = RULE_WINDOW + (RULE_WINDOW_PAGES - 1) * PAGE_BYTES;
    uint32_t index = cpu_current()->index;
    uint32_t id = apic_read(APIC_ID);

    rule_first_looks[index] = (struct rule_first_look){
        .scontrol = x86_rdmsr(MESSAGE_MSR_SCONTROL),
        .vp_index = (uint32_t)x86_rdmsr(HV_MSR_VP_INDEX),
        .apic_id = apic_is_x2apic() ? id : id >> 24,
    };
    x86_wrmsr(MESSAGE_MSR_SIMP, (uintptr_t)rule_slots[index] | HV_PAGE_ENABLE);
    x86_wrmsr(MESSAGE_MSR_SCONTROL, 1);
    for (;;) {
        rule_seen[index] = *(const volatile uint64_t *)last;
        look_at_time(index);
    }
}

void guest_main(void)
{
    static const struct selftest_case cases[] = {
#define RULE(number, name) {"rule_" #number "." #name, rule_##number##_##name},
#include "workloads/hvtests/rule.def"
#undef RULE
    };

    if (!hyperv_is_present() || cpu_count() != RULE_CPUS)
        report_fail("this machine is not what the rules are about");
    map_window();
    for (unsigned i = 0; i < RULE_CPUS; i++)
        rule_slots[i] = memory_pages(1);
    message_init();
    vmbus_init();
    probe_init();
    cpu_start_all(watch);
    selftest_run(cases, sizeof(cases) / sizeof(cases[0]));
}
