/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/cpuid.h"
#include "tests/hypervisor/fake_world.h"

static struct cpuid_result query(struct fake_world *world, uint32_t leaf,
                                 uint32_t subleaf)
{
    return cpuid_query(&world->vps[0], leaf, subleaf);
}

static bool equal(struct cpuid_result a, struct cpuid_result b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

static bool is_zero(struct cpuid_result result)
{
    return equal(result, (struct cpuid_result){0});
}

static bool has(uint32_t value, unsigned bit)
{
    return (value >> bit & 1) != 0;
}

static void set_vp_count(struct fake_world *world, uint32_t count)
{
    world->child.vp_count = count;
}

static void the_vendor_is_intels(void **state)
{
    struct cpuid_result leaf = query(*state, 0, 0);
    char vendor[13] = {0};

    memcpy(vendor, &leaf.ebx, 4);
    memcpy(vendor + 4, &leaf.edx, 4);
    memcpy(vendor + 8, &leaf.ecx, 4);
    assert_string_equal(vendor, "GenuineIntel");
    assert_int_equal(leaf.eax, 0x15);
}

static void linux_finds_hyper_v(void **state)
{
    /* The conditions of its ms_hyperv_platform(). */
    struct fake_world *world = *state;
    struct cpuid_result leaf = query(world, 0x40000000, 0);

    assert_true(has(query(world, 1, 0).ecx, 31));
    assert_true(leaf.eax >= 0x40000005 && leaf.eax <= 0x4000ffff);
    assert_memory_equal(&leaf.ebx, "Microsoft Hv", 12);
    assert_int_equal(query(world, 0x40000001, 0).eax, 0x31237648);
    leaf = query(world, 0x40000003, 0);
    assert_true(has(leaf.eax, 5) && has(leaf.eax, 6));
}

static void features_without_an_engine_for_them_are_absent(void **state)
{
    static const struct {
        uint32_t leaf, reg;
        unsigned bit;
    } absent[] = {
        {1, 2, 3},          /* MONITOR */
        {1, 2, 5},          /* VMX */
        {1, 2, 12},         /* FMA */
        {1, 2, 15},         /* PDCM */
        {1, 2, 17},         /* PCID */
        {1, 2, 26},         /* XSAVE */
        {1, 2, 27},         /* OSXSAVE */
        {1, 2, 28},         /* AVX */
        {1, 2, 29},         /* F16C */
        {1, 2, 30},         /* RDRAND */
        {1, 3, 1},          /* VME */
        {1, 3, 21},         /* DS */
        {7, 1, 1},          /* TSC_ADJUST */
        {7, 1, 5},          /* AVX2 */
        {7, 1, 10},         /* INVPCID */
        {7, 1, 18},         /* RDSEED */
        {7, 1, 24},         /* CLWB */
        {7, 1, 29},         /* SHA */
        {7, 2, 2},          /* UMIP */
        {7, 2, 16},         /* LA57 */
        {7, 3, 26},         /* SPEC_CTRL */
        {7, 3, 29},         /* ARCH_CAPABILITIES */
        {0x80000007, 3, 8}, /* invariant TSC: by its MSR */
    };

    for (unsigned i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        struct cpuid_result leaf = query(*state, absent[i].leaf, 0);
        uint32_t regs[4];

        memcpy(regs, &leaf, sizeof(regs));
        assert_false(has(regs[absent[i].reg], absent[i].bit));
    }
}

static void the_engine_is_told_the_same(void **state)
{
    struct fake_world *world = *state;
    struct engine_features features;
    struct cpuid_result leaf1 = query(world, 1, 0);
    struct cpuid_result leaf7 = query(world, 7, 0);
    struct cpuid_result ext1 = query(world, 0x80000001, 0);

    cpuid_engine_features(&features);
    assert_int_equal((features.cr4_valid & CR4_PAE) != 0, has(leaf1.edx, 6));
    assert_int_equal((features.cr4_valid & CR4_PGE) != 0, has(leaf1.edx, 13));
    assert_int_equal((features.cr4_valid & CR4_DE) != 0, has(leaf1.edx, 2));
    assert_int_equal((features.cr4_valid & CR4_VME) != 0, has(leaf1.edx, 1));
    assert_int_equal((features.cr4_valid & CR4_PCIDE) != 0, has(leaf1.ecx, 17));
    assert_int_equal((features.cr4_valid & CR4_OSXSAVE) != 0,
                     has(leaf1.ecx, 26));
    assert_int_equal((features.cr4_valid & CR4_FSGSBASE) != 0,
                     has(leaf7.ebx, 0));
    assert_int_equal((features.cr4_valid & CR4_SMEP) != 0, has(leaf7.ebx, 7));
    assert_int_equal((features.cr4_valid & CR4_SMAP) != 0, has(leaf7.ebx, 20));
    assert_int_equal((features.cr4_valid & CR4_UMIP) != 0, has(leaf7.ecx, 2));
    assert_int_equal((features.efer_valid & EFER_NXE) != 0, has(ext1.edx, 20));
    assert_int_equal((features.efer_valid & EFER_LME) != 0, has(ext1.edx, 29));
    assert_int_equal((features.efer_valid & EFER_SCE) != 0, has(ext1.edx, 11));
    assert_int_equal(features.pages_1g, has(ext1.edx, 26));
    assert_int_equal(features.physical_bits,
                     query(world, 0x80000008, 0).eax & 0xff);
}

static void topology_leaves_agree_for_any_number_of_vps(void **state)
{
    static const struct {
        uint32_t vps, bits;
    } cases[] = {{1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {8, 3}, {64, 6}};
    struct fake_world *world = *state;

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        set_vp_count(world, cases[i].vps);

        struct cpuid_result leaf1 = query(world, 1, 0);
        struct cpuid_result cores = query(world, 0xb, 1);
        uint32_t ids = 1u << cases[i].bits;

        assert_int_equal(leaf1.ebx >> 16 & 0xff, ids);
        assert_int_equal(has(leaf1.edx, 28), cases[i].vps > 1);
        assert_int_equal(query(world, 4, 0).eax >> 26, ids - 1);
        assert_int_equal(query(world, 4, 0).eax >> 14 & 0xfff, 0);
        assert_int_equal(query(world, 4, 3).eax >> 14 & 0xfff, ids - 1);
        assert_int_equal(query(world, 0xb, 0).ebx, 1);
        assert_int_equal(query(world, 0xb, 0).eax, 0);
        assert_int_equal(query(world, 0xb, 0).ecx, 0x100);
        assert_int_equal(cores.eax, cases[i].bits);
        assert_int_equal(cores.ebx, cases[i].vps);
        assert_int_equal(cores.ecx, 0x201);
        assert_int_equal(query(world, 0xb, 2).ebx, 0);
        assert_int_equal(query(world, 0xb, 2).ecx, 2);
    }
}

static void threads_of_a_core_share_what_cores_do_not(void **state)
{
    struct fake_world *world = *state;

    world->child.topology.threads_per_core = 2;
    set_vp_count(world, 6);
    assert_int_equal(query(world, 0xb, 0).eax, 1);
    assert_int_equal(query(world, 0xb, 0).ebx, 2);
    assert_int_equal(query(world, 0xb, 1).eax, 3);
    assert_int_equal(query(world, 0xb, 1).ebx, 6);
    assert_int_equal(query(world, 1, 0).ebx >> 16 & 0xff, 8);
    assert_true(has(query(world, 1, 0).edx, 28));
    for (uint32_t cache = 0; cache < 4; cache++) {
        assert_int_equal(query(world, 4, cache).eax >> 26, 3); /* 4 cores */
        assert_int_equal(query(world, 4, cache).eax >> 14 & 0xfff,
                         cache == 3 ? 7 : 1);
    }
    world->child.topology.threads_per_core = 1;
}

/* Or else those that come later would not agree with those before. */
static void ids_are_as_wide_as_the_vps_to_come_need(void **state)
{
    struct fake_world *world = *state;

    world->child.topology.vps_max = 5;
    set_vp_count(world, 1);
    assert_int_equal(query(world, 0xb, 1).eax, 3);
    assert_int_equal(query(world, 0xb, 1).ebx, 1); /* that there are */
    assert_int_equal(query(world, 1, 0).ebx >> 16 & 0xff, 8);
    assert_true(has(query(world, 1, 0).edx, 28));
    world->child.topology.vps_max = 0;
}

static void each_vp_has_its_own_id(void **state)
{
    struct fake_world *world = *state;

    for (uint32_t i = 0; i < FAKE_VP_COUNT; i++) {
        const struct hv_vp *vp = &world->vps[i];

        assert_int_equal(cpuid_query(vp, 1, 0).ebx >> 24, i);
        assert_int_equal(cpuid_query(vp, 0xb, 0).edx, i);
        assert_int_equal(cpuid_query(vp, 0xb, 7).edx, i);
    }
}

static void caches_have_the_sizes_of_the_reference(void **state)
{
    static const uint32_t kibibytes[] = {32, 32, 1024, 22528};
    struct fake_world *world = *state;

    for (uint32_t i = 0; i < 4; i++) {
        struct cpuid_result leaf = query(world, 4, i);
        uint32_t ways = (leaf.ebx >> 22) + 1;
        uint32_t line = (leaf.ebx & 0xfff) + 1;

        assert_int_equal(ways * line * (leaf.ecx + 1), kibibytes[i] * 1024);
    }
    assert_int_equal(query(world, 4, 4).eax & 0x1f, 0);
    assert_int_equal(query(world, 0x80000006, 0).ecx >> 16, 1024);
}

static void the_apic_bit_follows_apic_base(void **state)
{
    struct fake_world *world = *state;

    assert_true(has(query(world, 1, 0).edx, 9));
    assert_true(msr_write(&world->context, 0x1b, 0xfee00100));
    assert_false(has(query(world, 1, 0).edx, 9));
}

static void the_tsc_leaf_gives_the_tsc_and_apic_frequencies(void **state)
{
    static const uint64_t hz[] = {2000000000, 2100000000, 2399999999, 10000000};
    struct fake_world *world = *state;

    for (unsigned i = 0; i < sizeof(hz) / sizeof(hz[0]); i++) {
        world->hv.clock.hz = hz[i];

        struct cpuid_result leaf = query(world, 0x15, 0);

        assert_int_equal(leaf.ecx, LAPIC_TIMER_HZ);
        assert_int_equal((uint64_t)leaf.ecx * leaf.ebx / leaf.eax, hz[i]);
        assert_int_equal((uint64_t)leaf.ecx * leaf.ebx % leaf.eax, 0);
    }
}

static void unknown_leaves_answer_as_intels_do(void **state)
{
    struct fake_world *world = *state;
    struct cpuid_result highest = query(world, 0x15, 0);

    assert_true(equal(query(world, 0x16, 0), highest));
    assert_true(equal(query(world, 0x21, 0), highest));
    assert_true(equal(query(world, 0x3fffffff, 0), highest));
    assert_true(equal(query(world, 0x50000000, 0), highest));
    assert_true(equal(query(world, 0x80000009, 0), highest));
    assert_true(equal(query(world, 0xffffffff, 0), highest));
    assert_true(is_zero(query(world, 0xd, 0)));
    assert_true(is_zero(query(world, 0xa, 0)));
    assert_true(is_zero(query(world, 7, 1)));
    assert_true(is_zero(query(world, 0x40000007, 0)));
    assert_true(is_zero(query(world, 0x40000100, 0)));
    assert_true(is_zero(query(world, 0x4fffffff, 0)));
}

static void the_privileges_are_shown_as_far_as_they_are_built(void **state)
{
    struct fake_world *world = *state;
    struct cpuid_result leaf;

    world->child.privileges = UINT64_MAX;
    leaf = query(world, 0x40000003, 0);
    assert_int_equal(leaf.eax, 0xaeff); /* no statistics, debugger, ... */
    world->child.privileges = 0;
    leaf = query(world, 0x40000003, 0);
    assert_int_equal(leaf.eax, 0);
    assert_int_equal(leaf.ebx, 0);
    world->child.privileges =
        PRIVILEGE_ACCESS_HYPERCALL_MSRS | PRIVILEGE_POST_MESSAGES;
    leaf = query(world, 0x40000003, 0);
    assert_int_equal(leaf.eax, 0x20);
    assert_int_equal(leaf.ebx, 0x10);
}

static void features_and_hints_follow_the_privileges(void **state)
{
    static const struct {
        uint64_t privileges;
        uint32_t features, hints;
    } cases[] = {
        {0, 0x400, 0x120},
        {PRIVILEGE_ACCESS_FREQUENCY, 0x500, 0x120},
        {PRIVILEGE_ACCESS_SYNTHETIC_TIMERS, 0x80400, 0x120},
        {PRIVILEGE_ACCESS_HYPERCALL_MSRS, 0x40410, 0xd24},
        {PRIVILEGE_ACCESS_SYNIC, 0x20400, 0x120},
        {PRIVILEGE_ACCESS_APIC_MSRS, 0x400, 0x128},
        {PRIVILEGE_EXTENDED_GVA_RANGES, 0x4400, 0x120},
        {PRIVILEGE_FAST_HYPERCALL_OUTPUT, 0x8400, 0x120},
        {PRIVILEGE_ACCESS_GUEST_IDLE, 0x420, 0x120},
        {PRIVILEGE_ACCESS_RESET, 0x400, 0x130},
        {UINT64_MAX, 0xec530, 0xd3c},
    };
    struct fake_world *world = *state;

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world->child.privileges = cases[i].privileges;
        assert_int_equal(query(world, 0x40000003, 0).edx, cases[i].features);
        assert_int_equal(query(world, 0x40000004, 0).eax, cases[i].hints);
    }
}

static void what_is_withheld_is_not_shown(void **state)
{
    static const struct {
        uint64_t feature;
        uint32_t leaf, ecx, edx, eax;
    } cases[] = {
        {FEATURE_X2APIC, 1, 1u << 21, 0, 0},
        {FEATURE_X2APIC, 0x40000004, 0, 0, 1u << 8},
        {FEATURE_HYPERVISOR_PRESENT, 1, 1u << 31, 0, 0},
        {FEATURE_TLB_FLUSH, 0x40000004, 0, 0, 1u << 2},
        {FEATURE_TLB_FLUSH, 0x40000003, 0, 1u << 14, 0},
        {FEATURE_CLUSTER_IPI, 0x40000004, 0, 0, 1u << 10},
        {FEATURE_EXTENDED_PROCESSOR_MASKS, 0x40000004, 0, 0, 1u << 11},
        {FEATURE_CRASH_MSRS, 0x40000003, 0, 1u << 10, 0},
        {FEATURE_DIRECT_TIMERS, 0x40000003, 0, 1u << 19, 0},
    };
    struct fake_world *world = *state;

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world->child.features = FEATURES_KNOWN;

        struct cpuid_result with = query(world, cases[i].leaf, 0);

        world->child.features = FEATURES_KNOWN & ~cases[i].feature;

        struct cpuid_result without = query(world, cases[i].leaf, 0);

        assert_int_equal(with.eax ^ without.eax, cases[i].eax);
        assert_int_equal(with.ecx ^ without.ecx, cases[i].ecx);
        assert_int_equal(with.edx ^ without.edx, cases[i].edx);
    }
}

static void a_guest_spins_for_ever_where_nobody_would_listen(void **state)
{
    struct fake_world *world = *state;

    world->child.features &= ~FEATURE_LONG_SPIN_WAIT;
    assert_int_equal(query(world, 0x40000004, 0).ebx, 0xffffffff);
    world->child.features = FEATURES_KNOWN;
    world->child.privileges &= ~PRIVILEGE_ACCESS_HYPERCALL_MSRS;
    assert_int_equal(query(world, 0x40000004, 0).ebx, 0xffffffff);
}

static void a_guest_that_shall_not_see_us_finds_nothing(void **state)
{
    struct fake_world *world = *state;
    struct cpuid_result highest;

    world->child.features &= ~FEATURE_HYPERVISOR_PRESENT;
    highest = query(world, 0x15, 0);
    for (uint32_t leaf = 0x40000000; leaf < 0x40000010; leaf++) {
        struct cpuid_result result = query(world, leaf, 0);

        assert_memory_equal(&result, &highest, sizeof(result));
    }
}

static void the_tsc_is_invariant_once_asked_for(void **state)
{
    struct fake_world *world = *state;

    assert_int_equal(query(world, 0x80000007, 0).edx, 0);
    world->child.tsc_invariant_control = 1;
    assert_int_equal(query(world, 0x80000007, 0).edx, 0x100);
}

static void the_tsc_is_invariant_for_who_cannot_ask(void **state)
{
    struct fake_world *world = *state;

    world->child.privileges &= ~PRIVILEGE_ACCESS_TSC_INVARIANT;
    assert_int_equal(query(world, 0x80000007, 0).edx, 0x100);
}

static void the_other_hypervisor_leaves_are_as_specified(void **state)
{
    struct fake_world *world = *state;

    assert_int_equal(query(world, 0x40000000, 0).eax, 0x40000006);
    assert_int_equal(query(world, 0x40000002, 0).eax, 22621);
    assert_int_equal(query(world, 0x40000002, 0).ebx, 0x000a0000);
    assert_int_equal(query(world, 0x40000004, 0).ebx, 0xfff);
    assert_int_equal(query(world, 0x40000004, 0).ecx, 46);
    assert_int_equal(query(world, 0x40000005, 0).eax, PARTITION_VP_COUNT_MAX);
    assert_int_equal(query(world, 0x40000005, 0).ebx, 4);
    assert_int_equal(query(world, 0x40000006, 0).eax, 0x8);
}

static void the_brand_is_a_string(void **state)
{
    char brand[49] = {0};

    for (uint32_t i = 0; i < 3; i++) {
        struct cpuid_result leaf = query(*state, 0x80000002 + i, 0);

        memcpy(brand + i * sizeof(leaf), &leaf, sizeof(leaf));
    }
    assert_string_equal(brand, "hvsim virtual processor");
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fake_world_setup, fake_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_vendor_is_intels),
        TEST(linux_finds_hyper_v),
        TEST(features_without_an_engine_for_them_are_absent),
        TEST(the_engine_is_told_the_same),
        TEST(topology_leaves_agree_for_any_number_of_vps),
        TEST(threads_of_a_core_share_what_cores_do_not),
        TEST(ids_are_as_wide_as_the_vps_to_come_need),
        TEST(each_vp_has_its_own_id),
        TEST(caches_have_the_sizes_of_the_reference),
        TEST(the_apic_bit_follows_apic_base),
        TEST(the_tsc_leaf_gives_the_tsc_and_apic_frequencies),
        TEST(unknown_leaves_answer_as_intels_do),
        TEST(the_privileges_are_shown_as_far_as_they_are_built),
        TEST(features_and_hints_follow_the_privileges),
        TEST(what_is_withheld_is_not_shown),
        TEST(a_guest_spins_for_ever_where_nobody_would_listen),
        TEST(a_guest_that_shall_not_see_us_finds_nothing),
        TEST(the_tsc_is_invariant_once_asked_for),
        TEST(the_tsc_is_invariant_for_who_cannot_ask),
        TEST(the_other_hypervisor_leaves_are_as_specified),
        TEST(the_brand_is_a_string),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
