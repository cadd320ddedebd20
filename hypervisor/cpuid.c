/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Design. The processor is an Intel server part of 2020 as far as software can
 * tell, with every feature that the engine executes and none that it does not.
 * Features are tables: a bit, and why it is there.
 *
 * What is missing, and why: AVX, XSAVE, PCID, INVPCID, CLWB, SHA, UMIP: not in
 * the engine. BMI2, ADX: the engine takes SHLX and ADCX for SSE, undefined
 * until CR4.OSFXSR is set, and the decompressor of a kernel tries them before
 * that. RDRAND, RDSEED: host randomness. MONITOR: no wake-up by stores.
 * SPEC_CTRL, ARCH_CAPABILITIES: nothing is speculated. DS, ACPI, TM, EST,
 * performance monitoring: no such devices. VMX, SMX: no nesting.
 *
 * Leaves above the highest basic or extended one answer as the highest basic
 * leaf (SDM 2A, "CPUID"); those of the hypervisor range that are not defined
 * answer zeros, as other hypervisors' guests expect when they scan it. To a
 * partition that shall not see us they are above the highest.
 */
#include "hypervisor/cpuid.h"

#include <string.h>

#include "hypervisor/lapic.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"

#define BASIC_MAX 0x15u
#define HYPERVISOR_FIRST 0x40000000u
#define HYPERVISOR_MAX 0x40000006u
#define HYPERVISOR_LAST 0x4fffffffu
#define EXTENDED_FIRST 0x80000000u
#define EXTENDED_MAX 0x80000008u

/** A feature bit; `why` it may be set, for the reader. */
struct feature {
    uint8_t bit;
    const char *name;
    const char *why;
};

static const struct feature leaf1_ecx[] = {
    {0, "SSE3", "engine"},
    {1, "PCLMULQDQ", "engine"},
    {9, "SSSE3", "engine"},
    {13, "CMPXCHG16B", "engine"},
    {19, "SSE4.1", "engine"},
    {20, "SSE4.2", "engine"},
    {22, "MOVBE", "engine"},
    {23, "POPCNT", "engine"},
    {24, "TSC-deadline timer", "lapic_timer.c"},
    {25, "AES", "engine"},
};

static const struct feature leaf1_edx[] = {
    {0, "x87", "engine"},
    {2, "DE", "engine: CR4.DE"},
    {3, "PSE", "cpu/mmu.c"},
    {4, "TSC", "engine"},
    {5, "MSR", "engine and msr.c"},
    {6, "PAE", "cpu/mmu.c"},
    {7, "MCE", "engine: CR4.MCE; nothing raises #MC"},
    {8, "CMPXCHG8B", "engine"},
    {11, "SYSENTER", "engine"},
    {12, "MTRR", "msr_architectural.c"},
    {13, "PGE", "cpu/mmu.c"},
    {14, "MCA", "msr_architectural.c: no banks"},
    {15, "CMOV", "engine"},
    {16, "PAT", "msr_architectural.c"},
    {17, "PSE-36", "cpu/mmu.c"},
    {19, "CLFLUSH", "engine: caches are not modelled by content"},
    {23, "MMX", "engine"},
    {24, "FXSR", "engine"},
    {25, "SSE", "engine"},
    {26, "SSE2", "engine"},
    {27, "self snoop", "all accesses are coherent"},
};

#define LEAF1_ECX_X2APIC (1u << 21)
#define LEAF1_ECX_HYPERVISOR (1u << 31)
#define LEAF1_EDX_APIC (1u << 9)
#define LEAF1_EDX_HTT (1u << 28)

static const struct feature leaf7_ebx[] = {
    {0, "FSGSBASE", "engine: CR4.FSGSBASE"},
    {3, "BMI1", "engine"},
    {7, "SMEP", "cpu/mmu.c"},
    {9, "ERMS", "engine: string instructions are one loop"},
    {20, "SMAP", "cpu/mmu.c"},
    {23, "CLFLUSHOPT", "engine"},
};

static const struct feature extended1_ecx[] = {
    {0, "LAHF in 64-bit mode", "engine"},
    {5, "LZCNT", "engine"},
    {8, "PREFETCHW", "engine: does nothing"},
};

static const struct feature extended1_edx[] = {
    {11, "SYSCALL", "engine"},        {20, "NX", "cpu/mmu.c"},
    {26, "1 GiB pages", "cpu/mmu.c"}, {27, "RDTSCP", "engine"},
    {29, "long mode", "engine"},
};

#define BITS(features) bits(features, sizeof(features) / sizeof((features)[0]))

static uint32_t bits(const struct feature *features, size_t count)
{
    uint32_t value = 0;

    for (size_t i = 0; i < count; i++)
        value |= 1u << features[i].bit;
    return value;
}

/* Topology: one package. Its cores have as many VPs as the partition's
 * property says, which follow each other in number. */

static uint32_t vp_count(const struct hv_vp *vp)
{
    return vp->partition->vp_count;
}

static uint32_t thread_count(const struct hv_vp *vp)
{
    return (uint32_t)vp->partition->topology.threads_per_core;
}

/** How many bits of an APIC ID number the VPs, with those to come. */
static uint32_t id_bits(const struct hv_vp *vp)
{
    uint32_t count = vp_count(vp);
    uint32_t most = (uint32_t)vp->partition->topology.vps_max;
    uint32_t width = 0;

    if (count < most)
        count = most;
    if (count < thread_count(vp))
        count = thread_count(vp);

    while ((1u << width) < count)
        width++;
    return width;
}

/** Family 6, model 55h, stepping 4. */
#define SIGNATURE 0x00050654u
#define CLFLUSH_QWORDS 8u

static struct cpuid_result leaf_0(void)
{
    return (struct cpuid_result){BASIC_MAX, 0x756e6547, 0x6c65746e,
                                 0x49656e69}; /* "Genu" "ineI" "ntel" */
}

static struct cpuid_result leaf_1(const struct hv_vp *vp)
{
    uint32_t ecx = BITS(leaf1_ecx);
    uint32_t edx = BITS(leaf1_edx);

    if (partition_offers(vp->partition, FEATURE_X2APIC))
        ecx |= LEAF1_ECX_X2APIC;
    if (partition_offers(vp->partition, FEATURE_HYPERVISOR_PRESENT))
        ecx |= LEAF1_ECX_HYPERVISOR;
    if (lapic_is_enabled(&vp->lapic))
        edx |= LEAF1_EDX_APIC;
    if (id_bits(vp) > 0)
        edx |= LEAF1_EDX_HTT;
    return (struct cpuid_result){
        .eax = SIGNATURE,
        .ebx =
            vp->apic_id << 24 | 1u << id_bits(vp) << 16 | CLFLUSH_QWORDS << 8,
        .ecx = ecx,
        .edx = edx,
    };
}

/** Descriptors: TLBs, prefetch of 64 bytes, "see leaf 4". */
static struct cpuid_result leaf_2(void)
{
    return (struct cpuid_result){0x76036301, 0x00f0b5ff, 0, 0x00c30000};
}

struct cache {
    uint32_t type; /* 1 data, 2 instruction, 3 unified */
    uint32_t level;
    uint32_t ways;
    uint32_t sets;
    bool shared; /* by all VPs; else by those of a core */
};

#define CACHE_LINE_BYTES 64u

static const struct cache caches[] = {
    {1, 1, 8, 64, false},    /* 32 KiB */
    {2, 1, 8, 64, false},    /* 32 KiB */
    {3, 2, 16, 1024, false}, /* 1 MiB */
    {3, 3, 11, 32768, true}, /* 22 MiB */
};

static struct cpuid_result leaf_4(const struct hv_vp *vp, uint32_t subleaf)
{
    uint32_t ids = 1u << id_bits(vp);

    if (subleaf >= sizeof(caches) / sizeof(caches[0]))
        return (struct cpuid_result){0};

    const struct cache *cache = &caches[subleaf];
    uint32_t sharing = cache->shared ? ids : thread_count(vp);

    return (struct cpuid_result){
        .eax = cache->type | cache->level << 5 | 1u << 8 | (sharing - 1) << 14 |
               (ids / thread_count(vp) - 1) << 26,
        .ebx = (CACHE_LINE_BYTES - 1) | (cache->ways - 1) << 22,
        .ecx = cache->sets - 1,
    };
}

/** The APIC timer runs always: no power state stops it. */
static struct cpuid_result leaf_6(void)
{
    return (struct cpuid_result){.eax = 1u << 2};
}

static struct cpuid_result leaf_7(uint32_t subleaf)
{
    if (subleaf != 0)
        return (struct cpuid_result){0};
    return (struct cpuid_result){.ebx = BITS(leaf7_ebx)};
}

#define LEVEL_SMT (1u << 8)
#define LEVEL_CORE (2u << 8)

static struct cpuid_result leaf_b(const struct hv_vp *vp, uint32_t subleaf)
{
    struct cpuid_result result = {.ecx = subleaf & 0xff, .edx = vp->apic_id};

    if (subleaf == 0) {
        result.eax = thread_count(vp) - 1; /* bits: 1 of 2 threads */
        result.ebx = thread_count(vp);
        result.ecx |= LEVEL_SMT;
    } else if (subleaf == 1) {
        result.eax = id_bits(vp);
        result.ebx = vp_count(vp);
        result.ecx |= LEVEL_CORE;
    }
    return result;
}

static uint64_t greatest_common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/** TSC frequency = crystal * EBX / EAX, where the crystal also drives the APIC
 *  timer (SDM 3A, "APIC Timer"). Zeros if the ratio does not fit. */
static struct cpuid_result leaf_15(const struct hv_vp *vp)
{
    uint64_t hz = vp->hv->clock.hz;
    uint64_t divisor = greatest_common_divisor(hz, LAPIC_TIMER_HZ);

    if (hz / divisor > UINT32_MAX)
        return (struct cpuid_result){0};
    return (struct cpuid_result){
        .eax = (uint32_t)(LAPIC_TIMER_HZ / divisor),
        .ebx = (uint32_t)(hz / divisor),
        .ecx = (uint32_t)LAPIC_TIMER_HZ,
    };
}

static struct cpuid_result basic(const struct hv_vp *vp, uint32_t leaf,
                                 uint32_t subleaf)
{
    switch (leaf) {
    case 0x0:
        return leaf_0();
    case 0x1:
        return leaf_1(vp);
    case 0x2:
        return leaf_2();
    case 0x4:
        return leaf_4(vp, subleaf);
    case 0x6:
        return leaf_6();
    case 0x7:
        return leaf_7(subleaf);
    case 0xb:
        return leaf_b(vp, subleaf);
    case 0x15:
        return leaf_15(vp);
    default: /* a leaf of a feature that we do not have */
        return (struct cpuid_result){0};
    }
}

/* The hypervisor's leaves (TLFS, "Feature and Interface Discovery"). */

/** What the partition may do and we have: bits 31:0 of the privileges that
 *  have no MSR here are not shown. */
#define PRIVILEGES_BUILT (PRIVILEGES_DEFAULT | UINT64_C(0xffffffff00000000))

/* A bit that is shown to those who have the privilege and are offered the
 * feature. */
struct hv_feature {
    uint8_t bit;
    uint64_t privilege;
    uint64_t feature;
    const char *name;
};

/* Leaf 40000003 EDX. */
static const struct hv_feature hv_features[] = {
    {4, PRIVILEGE_ACCESS_HYPERCALL_MSRS, 0, "hypercall input in XMM registers"},
    {5, PRIVILEGE_ACCESS_GUEST_IDLE, 0, "guest idle state"},
    {8, PRIVILEGE_ACCESS_FREQUENCY, 0, "frequency MSRs"},
    {10, 0, FEATURE_CRASH_MSRS, "crash MSRs"},
    {14, PRIVILEGE_EXTENDED_GVA_RANGES, FEATURE_TLB_FLUSH,
     "flush lists with large pages"},
    {15, PRIVILEGE_FAST_HYPERCALL_OUTPUT, 0,
     "hypercall output in XMM registers"},
    {17, PRIVILEGE_ACCESS_SYNIC, 0, "SINT polling mode"},
    {18, PRIVILEGE_ACCESS_HYPERCALL_MSRS, 0, "lock of the hypercall MSR"},
    {19, PRIVILEGE_ACCESS_SYNTHETIC_TIMERS, FEATURE_DIRECT_TIMERS,
     "direct synthetic timers"},
};

/* Leaf 40000004 EAX. */
static const struct hv_feature hv_hints[] = {
    {2, PRIVILEGE_ACCESS_HYPERCALL_MSRS, FEATURE_TLB_FLUSH,
     "hypercalls for remote TLB flushes"},
    {3, PRIVILEGE_ACCESS_APIC_MSRS, 0, "MSRs for EOI, ICR and TPR"},
    {4, PRIVILEGE_ACCESS_RESET, 0, "MSR for a reset"},
    {5, 0, 0, "relaxed timing: no watchdogs"},
    {8, 0, FEATURE_X2APIC, "MSRs of the x2APIC"},
    {10, PRIVILEGE_ACCESS_HYPERCALL_MSRS, FEATURE_CLUSTER_IPI,
     "hypercall for IPIs"},
    {11, PRIVILEGE_ACCESS_HYPERCALL_MSRS, FEATURE_EXTENDED_PROCESSOR_MASKS,
     "calls with sets of processors"},
};

static uint32_t shown_bits(const struct hv_partition *partition,
                           const struct hv_feature *features, size_t count)
{
    uint32_t value = 0;

    for (size_t i = 0; i < count; i++) {
        if (partition_has(partition, features[i].privilege) &&
            partition_offers(partition, features[i].feature))
            value |= 1u << features[i].bit;
    }
    return value;
}

#define SHOWN(partition, features)                                             \
    shown_bits(partition, features, sizeof(features) / sizeof((features)[0]))

/** Spins at a lock before the guest should tell by HvCallNotifyLongSpinWait;
 *  as Hyper-V's guests have it. */
#define SPIN_COUNT 0xfffu
#define SPIN_NEVER UINT32_MAX

#define HARDWARE_SLAT (1u << 3)

/** 10.0.22621: from here on Linux lets us offer TscInvariant later. */
#define BUILD_NUMBER 22621u
#define BUILD_VERSION 0x000a0000u

static struct cpuid_result privilege_leaf(const struct hv_partition *partition)
{
    uint64_t shown = partition->privileges & PRIVILEGES_BUILT;

    return (struct cpuid_result){(uint32_t)shown, (uint32_t)(shown >> 32), 0,
                                 SHOWN(partition, hv_features)};
}

static struct cpuid_result hint_leaf(const struct hv_partition *partition)
{
    bool told = partition_has(partition, PRIVILEGE_ACCESS_HYPERCALL_MSRS) &&
                partition_offers(partition, FEATURE_LONG_SPIN_WAIT);

    return (struct cpuid_result){SHOWN(partition, hv_hints),
                                 told ? SPIN_COUNT : SPIN_NEVER,
                                 CPUID_PHYSICAL_BITS, 0};
}

static struct cpuid_result hypervisor_leaf(const struct hv_vp *vp,
                                           uint32_t leaf)
{
    const struct hv_partition *partition = vp->partition;

    switch (leaf) {
    case 0x40000000: /* "Micr" "osof" "t Hv" */
        return (struct cpuid_result){HYPERVISOR_MAX, 0x7263694d, 0x666f736f,
                                     0x76482074};
    case 0x40000001: /* "Hv#1" */
        return (struct cpuid_result){.eax = 0x31237648};
    case 0x40000002:
        return (struct cpuid_result){.eax = BUILD_NUMBER, .ebx = BUILD_VERSION};
    case 0x40000003:
        return privilege_leaf(partition);
    case 0x40000004:
        return hint_leaf(partition);
    case 0x40000005:
        return (struct cpuid_result){.eax = PARTITION_VP_COUNT_MAX,
                                     .ebx = vp->hv->lp_count};
    case 0x40000006:
        return (struct cpuid_result){.eax = HARDWARE_SLAT};
    default:
        return (struct cpuid_result){0};
    }
}

/** 48 bytes, in leaves 80000002 to 80000004. */
static const char brand[48] = "hvsim virtual processor";

static struct cpuid_result brand_leaf(uint32_t leaf)
{
    struct cpuid_result result;

    memcpy(&result, &brand[(leaf - 0x80000002) * sizeof(result)],
           sizeof(result));
    return result;
}

#define LINEAR_BITS 48u

#define INVARIANT_TSC (1u << 8)

/** Guests that can ask for an invariant TSC must do so: older ones take a TSC
 *  that migration may change for what it is (TLFS, "TSC Invariant Control"). */
static struct cpuid_result power_leaf(const struct hv_partition *partition)
{
    bool shown = !partition_has(partition, PRIVILEGE_ACCESS_TSC_INVARIANT) ||
                 partition->tsc_invariant_control != 0;

    return (struct cpuid_result){.edx = shown ? INVARIANT_TSC : 0};
}

static struct cpuid_result extended(const struct hv_vp *vp, uint32_t leaf)
{
    switch (leaf) {
    case 0x80000000:
        return (struct cpuid_result){.eax = EXTENDED_MAX};
    case 0x80000001:
        return (struct cpuid_result){.ecx = BITS(extended1_ecx),
                                     .edx = BITS(extended1_edx)};
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
        return brand_leaf(leaf);
    case 0x80000006: /* L2: 1 MiB, 16 ways, lines of 64 bytes */
        return (struct cpuid_result){.ecx = 1024u << 16 | 8u << 12 |
                                            CACHE_LINE_BYTES};
    case 0x80000007:
        return power_leaf(vp->partition);
    case 0x80000008:
        return (struct cpuid_result){.eax = LINEAR_BITS << 8 |
                                            CPUID_PHYSICAL_BITS};
    default:
        return (struct cpuid_result){0};
    }
}

struct cpuid_result cpuid_query(const struct hv_vp *vp, uint32_t leaf,
                                uint32_t subleaf)
{
    if (leaf >= HYPERVISOR_FIRST && leaf <= HYPERVISOR_LAST &&
        partition_offers(vp->partition, FEATURE_HYPERVISOR_PRESENT))
        return hypervisor_leaf(vp, leaf);
    if (leaf >= EXTENDED_FIRST && leaf <= EXTENDED_MAX)
        return extended(vp, leaf);
    return basic(vp, leaf <= BASIC_MAX ? leaf : BASIC_MAX, subleaf);
}

void cpuid_engine_features(struct engine_features *features)
{
    *features = (struct engine_features){
        .cr4_valid = CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE |
                     CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE |
                     CR4_SMEP | CR4_SMAP,
        .efer_valid = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE,
        .pages_1g = true,
        .sysenter_in_compatibility = true,
        .physical_bits = CPUID_PHYSICAL_BITS,
    };
}
