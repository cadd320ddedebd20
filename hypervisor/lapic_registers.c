/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's ways to the registers: the xAPIC page, the x2APIC MSRs and the
 * synthetic ones. One table says what each register allows; the two modes
 * differ in how they refuse: the page ignores and sets ESR, an MSR is #GP.
 */
#include "hypervisor/cpuid.h"
#include "hypervisor/lapic_private.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"

#define MSR_APIC_BASE 0x1bu
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC_FIRST 0x800u
#define MSR_X2APIC_LAST 0x8ffu
#define MSR_HV_EOI 0x40000070u
#define MSR_HV_ICR 0x40000071u
#define MSR_HV_TPR 0x40000072u

/* Registers, as offset / 16 in the page and less 800h as MSR. */
enum {
    REG_ID = 0x02,
    REG_VERSION = 0x03,
    REG_TPR = 0x08,
    REG_APR = 0x09,
    REG_PPR = 0x0a,
    REG_EOI = 0x0b,
    REG_LDR = 0x0d,
    REG_DFR = 0x0e,
    REG_SVR = 0x0f,
    REG_ISR = 0x10,
    REG_TMR = 0x18,
    REG_IRR = 0x20,
    REG_ESR = 0x28,
    REG_LVT_CMCI = 0x2f,
    REG_ICR_LOW = 0x30,
    REG_ICR_HIGH = 0x31,
    REG_LVT_TIMER = 0x32,
    REG_LVT_THERMAL = 0x33,
    REG_LVT_PMC = 0x34,
    REG_LVT_LINT0 = 0x35,
    REG_LVT_LINT1 = 0x36,
    REG_LVT_ERROR = 0x37,
    REG_INITIAL = 0x38,
    REG_CURRENT = 0x39,
    REG_DIVIDE = 0x3e,
    REG_SELF_IPI = 0x3f,
    REG_COUNT = 0x40,
};

#define XR 0x1u /* readable in the page */
#define XW 0x2u /* writable in the page */
#define MR 0x4u /* readable as MSR */
#define MW 0x8u /* writable as MSR */

struct register_def {
    uint8_t access;
    uint32_t writable; /* bits */
    uint32_t ignored;  /* read-only bits that an MSR write may have set */
};

#define VECTOR_BITS 0x000ffu
#define DELIVERY_MODE 0x00700u
#define DELIVERY_STATUS 0x01000u
#define PIN_BITS 0x0a000u /* polarity, trigger mode */
#define REMOTE_IRR 0x04000u
#define TIMER_MODE 0x60000u

#define READ_ONLY                                                              \
    {                                                                          \
        .access = XR | MR                                                      \
    }

/* ICR's low half: what is not reserved (SDM 3A, "Interrupt Command Register").
 * Bit 12, delivery status, reads 0: an IPI is sent at once. */
#define ICR_WRITABLE 0x000ccfffu

static const struct register_def registers[REG_COUNT] = {
    [REG_ID] = READ_ONLY,
    [REG_VERSION] = READ_ONLY,
    [REG_TPR] = {XR | XW | MR | MW, 0xff, 0},
    [REG_APR] = {.access = XR},
    [REG_PPR] = READ_ONLY,
    [REG_EOI] = {.access = XW | MW},
    [REG_LDR] = {XR | XW | MR, 0xff000000, 0},
    [REG_DFR] = {XR | XW, 0xf0000000, 0},
    [REG_SVR] = {XR | XW | MR | MW, 0x3ff, 0},
    [REG_ISR + 0] = READ_ONLY,
    [REG_ISR + 1] = READ_ONLY,
    [REG_ISR + 2] = READ_ONLY,
    [REG_ISR + 3] = READ_ONLY,
    [REG_ISR + 4] = READ_ONLY,
    [REG_ISR + 5] = READ_ONLY,
    [REG_ISR + 6] = READ_ONLY,
    [REG_ISR + 7] = READ_ONLY,
    [REG_TMR + 0] = READ_ONLY,
    [REG_TMR + 1] = READ_ONLY,
    [REG_TMR + 2] = READ_ONLY,
    [REG_TMR + 3] = READ_ONLY,
    [REG_TMR + 4] = READ_ONLY,
    [REG_TMR + 5] = READ_ONLY,
    [REG_TMR + 6] = READ_ONLY,
    [REG_TMR + 7] = READ_ONLY,
    [REG_IRR + 0] = READ_ONLY,
    [REG_IRR + 1] = READ_ONLY,
    [REG_IRR + 2] = READ_ONLY,
    [REG_IRR + 3] = READ_ONLY,
    [REG_IRR + 4] = READ_ONLY,
    [REG_IRR + 5] = READ_ONLY,
    [REG_IRR + 6] = READ_ONLY,
    [REG_IRR + 7] = READ_ONLY,
    [REG_ESR] = {.access = XR | XW | MR | MW},
    [REG_LVT_CMCI] = {XR | XW | MR | MW,
                      VECTOR_BITS | DELIVERY_MODE | LVT_MASKED,
                      DELIVERY_STATUS},
    [REG_ICR_LOW] = {XR | XW | MR | MW, ICR_WRITABLE, DELIVERY_STATUS},
    [REG_ICR_HIGH] = {XR | XW, 0xff000000, 0},
    [REG_LVT_TIMER] = {XR | XW | MR | MW, VECTOR_BITS | TIMER_MODE | LVT_MASKED,
                       DELIVERY_STATUS},
    [REG_LVT_THERMAL] = {XR | XW | MR | MW,
                         VECTOR_BITS | DELIVERY_MODE | LVT_MASKED,
                         DELIVERY_STATUS},
    [REG_LVT_PMC] = {XR | XW | MR | MW,
                     VECTOR_BITS | DELIVERY_MODE | LVT_MASKED, DELIVERY_STATUS},
    [REG_LVT_LINT0] = {XR | XW | MR | MW,
                       VECTOR_BITS | DELIVERY_MODE | PIN_BITS | LVT_MASKED,
                       DELIVERY_STATUS | REMOTE_IRR},
    [REG_LVT_LINT1] = {XR | XW | MR | MW,
                       VECTOR_BITS | DELIVERY_MODE | PIN_BITS | LVT_MASKED,
                       DELIVERY_STATUS | REMOTE_IRR},
    [REG_LVT_ERROR] = {XR | XW | MR | MW, VECTOR_BITS | LVT_MASKED,
                       DELIVERY_STATUS},
    [REG_INITIAL] = {XR | XW | MR | MW, UINT32_MAX, 0},
    [REG_CURRENT] = READ_ONLY,
    [REG_DIVIDE] = {XR | XW | MR | MW, 0xb, 0},
    [REG_SELF_IPI] = {MW, 0xff, 0},
};

/** Integrated APIC, seven LVT entries, no EOI-broadcast suppression. */
#define VERSION_VALUE (0x15u | (LVT_COUNT - 1) << 16)

/** True and the entry's number if the register is a LVT. */
static bool is_lvt(unsigned reg, enum lapic_lvt *lvt)
{
    if (reg == REG_LVT_CMCI) {
        *lvt = LVT_CMCI;
        return true;
    }
    if (reg < REG_LVT_TIMER || reg > REG_LVT_ERROR)
        return false;
    *lvt = (enum lapic_lvt)(LVT_TIMER + (reg - REG_LVT_TIMER));
    return true;
}

static uint32_t read_tpr(const struct lapic *lapic)
{
    pc_vp_add(&lapic->vp->counters, PC_VP_APIC_TPR, 1);
    return lapic->tpr;
}

static uint32_t read_register(struct hv_context *context, struct lapic *lapic,
                              unsigned reg)
{
    bool x2apic = lapic_x2apic(lapic);
    uint32_t id = lapic->vp->apic_id;
    enum lapic_lvt lvt;

    lapic_settle_assist(lapic);
    if (is_lvt(reg, &lvt))
        return lapic->lvt[lvt];
    if (reg >= REG_ISR && reg < REG_TMR)
        return lapic->isr[reg - REG_ISR];
    if (reg >= REG_TMR && reg < REG_IRR)
        return lapic->tmr[reg - REG_TMR];
    if (reg >= REG_IRR && reg < REG_ESR)
        return lapic->irr[reg - REG_IRR];
    switch (reg) {
    case REG_ID:
        return x2apic ? id : id << 24;
    case REG_VERSION:
        return VERSION_VALUE;
    case REG_TPR:
        return read_tpr(lapic);
    case REG_PPR:
        return lapic_priority(lapic);
    case REG_LDR:
        return x2apic ? lapic_x2apic_ldr(id) : lapic->ldr;
    case REG_DFR:
        return lapic->dfr;
    case REG_SVR:
        return lapic->svr;
    case REG_ESR:
        return lapic->esr;
    case REG_ICR_LOW:
        return (uint32_t)lapic->icr;
    case REG_ICR_HIGH:
        return (uint32_t)(lapic->icr >> 32);
    case REG_INITIAL:
        return lapic->timer_initial;
    case REG_CURRENT:
        return lapic_timer_current(lapic, context->now);
    case REG_DIVIDE:
        return lapic->divide;
    default: /* REG_APR: no arbitration since the Pentium 4 */
        return 0;
    }
}

/** While the APIC is disabled by software, every LVT entry stays masked. */
static void write_lvt(struct hv_context *context, struct lapic *lapic,
                      enum lapic_lvt lvt, uint32_t value)
{
    if ((lapic->svr & SVR_ENABLE) == 0)
        value |= LVT_MASKED;
    if (lvt == LVT_TIMER)
        lapic_timer_write_lvt(context, lapic, value);
    else
        lapic->lvt[lvt] = value;
    vp_check_interrupts(lapic->vp); /* LINT0 may let an ExtINT through */
}

static void write_svr(struct lapic *lapic, uint32_t value)
{
    lapic->svr = value;
    if ((value & SVR_ENABLE) != 0) {
        vp_check_interrupts(lapic->vp);
        return;
    }
    for (unsigned i = 0; i < LVT_COUNT; i++)
        lapic->lvt[i] |= LVT_MASKED;
}

static void write_icr(struct hv_context *context, struct lapic *lapic,
                      uint64_t value)
{
    lapic->icr = value;
    lapic_send(context, lapic, value);
}

/** `value` has no bits but the writable ones. */
static void write_register(struct hv_context *context, struct lapic *lapic,
                           unsigned reg, uint32_t value)
{
    enum lapic_lvt lvt;

    if (is_lvt(reg, &lvt)) {
        write_lvt(context, lapic, lvt, value);
        return;
    }
    switch (reg) {
    case REG_TPR:
        lapic_write_tpr(context, lapic, value);
        break;
    case REG_EOI:
        lapic_eoi(context, lapic);
        break;
    case REG_LDR:
        lapic->ldr = value;
        break;
    case REG_DFR:
        lapic->dfr = value | 0x0fffffff;
        break;
    case REG_SVR:
        write_svr(lapic, value);
        break;
    case REG_ESR:
        /* A write, whatever its value, shows what was met since the last. */
        lapic->esr = lapic->esr_pending;
        lapic->esr_pending = 0;
        break;
    case REG_ICR_LOW:
        write_icr(context, lapic, (lapic->icr & ~UINT64_C(0xffffffff)) | value);
        break;
    case REG_ICR_HIGH:
        lapic->icr = (uint64_t)value << 32 | (uint32_t)lapic->icr;
        break;
    case REG_INITIAL:
        lapic_timer_write_initial(context, lapic, value);
        break;
    case REG_DIVIDE:
        lapic_timer_write_divide(context, lapic, value);
        break;
    default: /* REG_SELF_IPI */
        lapic_send(context, lapic, (uint64_t)1 << 18 | value);
        break;
    }
}

static bool allows(unsigned reg, unsigned access)
{
    return reg < REG_COUNT && (registers[reg].access & access) != 0;
}

static void illegal_register(struct lapic *lapic)
{
    if (lapic_error(lapic, ESR_ILLEGAL_REGISTER))
        vp_check_interrupts(lapic->vp);
}

/* The xAPIC page. A register is the first four bytes of sixteen. */

uint32_t lapic_mmio_read(struct hv_context *context, struct lapic *lapic,
                         uint32_t offset, uint32_t bytes)
{
    unsigned reg = offset / 16;
    unsigned within = offset % 16;

    pc_vp_add(&lapic->vp->counters, PC_VP_APIC_MMIO, 1);
    if (!lapic_enabled(lapic) || lapic_x2apic(lapic))
        return UINT32_MAX;
    if (reg >= REG_COUNT || !allows(reg, XR | XW)) {
        illegal_register(lapic);
        return 0;
    }
    /* The SDM leaves accesses other than of 4 aligned bytes open. Pieces of a
     * register read as such, as under KVM; what lies between reads 0. */
    if (within >= 4 || !allows(reg, XR))
        return 0;

    uint32_t value = read_register(context, lapic, reg) >> within * 8;

    if (bytes >= 4)
        return value;
    return value & ((1u << bytes * 8) - 1);
}

void lapic_mmio_write(struct hv_context *context, struct lapic *lapic,
                      uint32_t offset, uint32_t bytes, uint32_t value)
{
    unsigned reg = offset / 16;

    pc_vp_add(&lapic->vp->counters, PC_VP_APIC_MMIO, 1);
    if (!lapic_enabled(lapic) || lapic_x2apic(lapic))
        return;
    if (reg >= REG_COUNT || !allows(reg, XR | XW)) {
        illegal_register(lapic);
        return;
    }
    if (offset % 16 != 0 || bytes != 4 || !allows(reg, XW))
        return;
    write_register(context, lapic, reg, value & registers[reg].writable);
}

/* The MSRs. */

static bool x2apic_read(struct hv_context *context, struct lapic *lapic,
                        unsigned reg, uint64_t *value)
{
    if (!lapic_x2apic(lapic) || !allows(reg, MR))
        return false;
    *value =
        reg == REG_ICR_LOW ? lapic->icr : read_register(context, lapic, reg);
    return true;
}

static bool x2apic_write(struct hv_context *context, struct lapic *lapic,
                         unsigned reg, uint64_t value)
{
    if (!lapic_x2apic(lapic) || !allows(reg, MW))
        return false;

    const struct register_def *def = &registers[reg];
    uint32_t low = (uint32_t)value;

    if ((low & ~(def->writable | def->ignored)) != 0)
        return false;
    low &= def->writable;
    if (reg == REG_ICR_LOW) {
        write_icr(context, lapic, (value & ~UINT64_C(0xffffffff)) | low);
        return true;
    }
    if (value >> 32 != 0)
        return false;
    write_register(context, lapic, reg, low);
    return true;
}

/**
 * SDM 3A, "x2APIC State Transitions": from xAPIC to x2APIC, and from either to
 * disabled and from there to xAPIC; everything else is #GP.
 */
static bool write_base(struct lapic *lapic, uint64_t value)
{
    const uint64_t modes = APIC_BASE_ENABLE | APIC_BASE_X2APIC;
    const uint64_t address =
        (UINT64_C(1) << CPUID_PHYSICAL_BITS) - 1 - PAGE_MASK;
    uint64_t from = lapic->base_msr & modes;
    uint64_t to = value & modes;

    if ((value & ~(address | modes | APIC_BASE_BSP)) != 0)
        return false;
    if ((to & APIC_BASE_X2APIC) != 0 &&
        !partition_offers(lapic->vp->partition, FEATURE_X2APIC))
        return false;
    if (to == APIC_BASE_X2APIC)
        return false;
    if (to == modes && from == 0)
        return false;
    if (to == APIC_BASE_ENABLE && from == modes)
        return false;
    lapic->base_msr =
        (value & ~APIC_BASE_BSP) | (lapic->base_msr & APIC_BASE_BSP);
    if (to == 0)
        lapic_power_up(lapic);
    lapic_attach(lapic);
    return true;
}

bool lapic_msr_read(struct hv_context *context, struct lapic *lapic,
                    uint32_t index, uint64_t *value)
{
    if (index >= MSR_X2APIC_FIRST && index <= MSR_X2APIC_LAST)
        return x2apic_read(context, lapic, index - MSR_X2APIC_FIRST, value);
    switch (index) {
    case MSR_APIC_BASE:
        *value = lapic->base_msr;
        return true;
    case MSR_TSC_DEADLINE:
        *value = lapic_timer_read_deadline(lapic);
        return true;
    case MSR_HV_ICR:
        *value = lapic->icr;
        return true;
    case MSR_HV_TPR:
        *value = read_tpr(lapic);
        return true;
    default: /* MSR_HV_EOI: write only */
        return false;
    }
}

bool lapic_msr_write(struct hv_context *context, struct lapic *lapic,
                     uint32_t index, uint64_t value)
{
    if (index >= MSR_X2APIC_FIRST && index <= MSR_X2APIC_LAST)
        return x2apic_write(context, lapic, index - MSR_X2APIC_FIRST, value);
    switch (index) {
    case MSR_APIC_BASE:
        return write_base(lapic, value);
    case MSR_TSC_DEADLINE:
        lapic_timer_write_deadline(context, lapic, value);
        return true;
    case MSR_HV_EOI:
        lapic_eoi(context, lapic);
        return true;
    case MSR_HV_ICR:
        write_icr(context, lapic,
                  (value & ~UINT64_C(0xffffffff)) |
                      ((uint32_t)value & ICR_WRITABLE));
        return true;
    case MSR_HV_TPR:
        if (value > 0xff)
            return false;
        lapic_write_tpr(context, lapic, (uint32_t)value);
        return true;
    default:
        return false;
    }
}
