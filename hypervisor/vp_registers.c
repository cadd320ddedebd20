/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/vp_registers.h"

#include <string.h>

#include "hypervisor/cpuid.h"
#include "hypervisor/msr.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"

#define CR0_VALID                                                              \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM |   \
     CR0_NW | CR0_CD | CR0_PG)
#define CR8_MAX 15
#define RFLAGS_VALID UINT64_C(0x003f7fd7)
#define SEGMENT_ATTRIBUTES_RESERVED 0x0f00u
#define INTERRUPT_STATE_SHADOW 0x1u
#define INTERRUPT_STATE_NMI_MASKED 0x2u
#define ACTIVITY_STARTUP_SUSPEND 0x1u
#define ACTIVITY_HALT_SUSPEND 0x2u
#define CPUID_LEAF_VERSION 0x40000002u
#define CPUID_LEAF_FEATURES 0x40000003u

/**
 * A row of the table: `count` registers from `first` on, read and written by
 * the same two functions, which are told the number within the row and the
 * row's `key` (an MSR index, a CPUID leaf). Without `set`: read-only.
 */
struct register_row {
    uint32_t first, count;
    enum hv_status (*get)(struct vp_registers *registers,
                          const struct register_row *row, uint32_t index,
                          struct hv_register_value *out);
    enum hv_status (*set)(struct vp_registers *registers,
                          const struct register_row *row, uint32_t index,
                          const struct hv_register_value *value);
    size_t offset; /* of a uint64_t in struct x86_state */
    uint32_t key;
    bool (*valid)(uint64_t value); /* NULL: any value */
    bool always;                   /* may be set while the VP runs */
};

#define GETTER(name)                                                           \
    static enum hv_status name(struct vp_registers *registers,                 \
                               const struct register_row *row, uint32_t index, \
                               struct hv_register_value *out)
#define SETTER(name)                                                           \
    static enum hv_status name(struct vp_registers *registers,                 \
                               const struct register_row *row, uint32_t index, \
                               const struct hv_register_value *value)
#define UNUSED_ROW                                                             \
    do {                                                                       \
        (void)row;                                                             \
        (void)index;                                                           \
    } while (0)

static struct x86_state *load(struct vp_registers *registers)
{
    if (!registers->loaded)
        engine_get_state(registers->vp->engine, &registers->state);
    registers->loaded = true;
    return &registers->state;
}

static struct x86_state *load_to_change(struct vp_registers *registers)
{
    registers->changed = true;
    return load(registers);
}

/* Registers of 64 bits in struct x86_state. */

static uint64_t *field(struct x86_state *state, const struct register_row *row,
                       uint32_t index)
{
    return (uint64_t *)(void *)((uint8_t *)state + row->offset) + index;
}

GETTER(get_field)
{
    out->low = *field(load(registers), row, index);
    return HV_STATUS_SUCCESS;
}

SETTER(set_field)
{
    if (row->valid && !row->valid(value->low))
        return HV_STATUS_INVALID_REGISTER_VALUE;
    *field(load_to_change(registers), row, index) = value->low;
    return HV_STATUS_SUCCESS;
}

static bool valid_rflags(uint64_t value)
{
    return (value & ~RFLAGS_VALID) == 0 && (value & RFLAGS_FIXED);
}

static bool valid_cr0(uint64_t value)
{
    if ((value & ~CR0_VALID) != 0)
        return false;
    if ((value & CR0_PG) && !(value & CR0_PE))
        return false;
    return !(value & CR0_NW) || (value & CR0_CD);
}

static bool valid_cr3(uint64_t value)
{
    return value >> CPUID_PHYSICAL_BITS == 0;
}

static bool valid_cr4(uint64_t value)
{
    struct engine_features features;

    cpuid_engine_features(&features);
    return (value & ~features.cr4_valid) == 0;
}

static bool valid_efer(uint64_t value)
{
    struct engine_features features;

    cpuid_engine_features(&features);
    return (value & ~(features.efer_valid | EFER_LMA)) == 0;
}

static bool valid_low_half(uint64_t value)
{
    return value >> 32 == 0;
}

/* Segments and tables: 16 bytes in the layout of HV_X64_SEGMENT_REGISTER. */

static struct x86_segment *segment(struct x86_state *state, uint32_t index)
{
    if (index < X86_SEGMENT_COUNT)
        return &state->segment[index];
    return index == X86_SEGMENT_COUNT ? &state->ldtr : &state->tr;
}

GETTER(get_segment)
{
    const struct x86_segment *from = segment(load(registers), index);

    (void)row;
    out->low = from->base;
    out->high = from->limit | (uint64_t)from->selector << 32 |
                (uint64_t)from->attributes << 48;
    return HV_STATUS_SUCCESS;
}

SETTER(set_segment)
{
    uint16_t attributes = (uint16_t)(value->high >> 48);

    (void)row;
    if (!x86_canonical(value->low) ||
        (attributes & SEGMENT_ATTRIBUTES_RESERVED) != 0)
        return HV_STATUS_INVALID_REGISTER_VALUE;
    *segment(load_to_change(registers), index) = (struct x86_segment){
        .base = value->low,
        .limit = (uint32_t)value->high,
        .selector = (uint16_t)(value->high >> 32),
        .attributes = attributes,
    };
    return HV_STATUS_SUCCESS;
}

/* Three words of padding, the limit, the base: HV_X64_TABLE_REGISTER. */

static struct x86_table *table(struct x86_state *state, uint32_t index)
{
    return index == 0 ? &state->idtr : &state->gdtr;
}

GETTER(get_table)
{
    const struct x86_table *from = table(load(registers), index);

    (void)row;
    out->low = (uint64_t)from->limit << 48;
    out->high = from->base;
    return HV_STATUS_SUCCESS;
}

SETTER(set_table)
{
    (void)row;
    if (!x86_canonical(value->high))
        return HV_STATUS_INVALID_REGISTER_VALUE;
    *table(load_to_change(registers), index) = (struct x86_table){
        .base = value->high,
        .limit = (uint32_t)(value->low >> 48),
    };
    return HV_STATUS_SUCCESS;
}

GETTER(get_xmm)
{
    uint8_t bytes[16];

    (void)row;
    engine_get_xmm(registers->vp->engine, index, bytes);
    memcpy(&out->low, bytes, 8);
    memcpy(&out->high, bytes + 8, 8);
    return HV_STATUS_SUCCESS;
}

SETTER(set_xmm)
{
    uint8_t bytes[16];

    (void)row;
    memcpy(bytes, &value->low, 8);
    memcpy(bytes + 8, &value->high, 8);
    engine_set_xmm(registers->vp->engine, index, bytes);
    return HV_STATUS_SUCCESS;
}

/* What the virtual interrupt hardware keeps. */

GETTER(get_cr8)
{
    UNUSED_ROW;
    out->low = lapic_read_cr8(&registers->vp->lapic);
    return HV_STATUS_SUCCESS;
}

SETTER(set_cr8)
{
    UNUSED_ROW;
    if (value->low > CR8_MAX)
        return HV_STATUS_INVALID_REGISTER_VALUE;
    lapic_write_cr8(registers->context, &registers->vp->lapic, value->low);
    return HV_STATUS_SUCCESS;
}

/* MSRs have one implementation; here the VP in question is its subject. */

static struct hv_context subject(const struct vp_registers *registers)
{
    struct hv_context context = *registers->context;

    context.vp = registers->vp;
    return context;
}

GETTER(get_msr)
{
    struct hv_context context = subject(registers);

    if (!msr_read(&context, row->key + index, &out->low))
        return HV_STATUS_ACCESS_DENIED;
    return HV_STATUS_SUCCESS;
}

SETTER(set_msr)
{
    struct hv_context context = subject(registers);
    uint64_t now;

    if (msr_write(&context, row->key + index, value->low))
        return HV_STATUS_SUCCESS;
    return msr_read(&context, row->key + index, &now)
               ? HV_STATUS_INVALID_REGISTER_VALUE
               : HV_STATUS_ACCESS_DENIED;
}

/* Base and mask registers of the MTRRs alternate in MSR space. */

GETTER(get_msr_pair)
{
    return get_msr(registers, row, index * 2, out);
}

SETTER(set_msr_pair)
{
    return set_msr(registers, row, index * 2, value);
}

/* The fixed MTRRs are not contiguous: SDM 3A, "Fixed Range MTRRs". */

static uint32_t fixed_mtrr(uint32_t index)
{
    static const uint16_t offsets[] = {0x00, 0x08, 0x09, 0x18, 0x19, 0x1a,
                                       0x1b, 0x1c, 0x1d, 0x1e, 0x1f};

    return offsets[index];
}

GETTER(get_fixed_mtrr)
{
    return get_msr(registers, row, fixed_mtrr(index), out);
}

SETTER(set_fixed_mtrr)
{
    return set_msr(registers, row, fixed_mtrr(index), value);
}

GETTER(get_cpuid)
{
    struct cpuid_result result =
        cpuid_query(registers->vp, row->key + index, 0);

    out->low = result.eax | (uint64_t)result.ebx << 32;
    out->high = result.ecx | (uint64_t)result.edx << 32;
    return HV_STATUS_SUCCESS;
}

GETTER(get_apic_id)
{
    UNUSED_ROW;
    out->low = registers->vp->apic_id;
    return HV_STATUS_SUCCESS;
}

GETTER(get_run_time)
{
    const struct hv_vp *vp = registers->vp;

    UNUSED_ROW;
    out->low = clock_to_reftime(vp->hv->clock, vp->run_time).v;
    return HV_STATUS_SUCCESS;
}

/* The hypervisor's own state of a VP. */

GETTER(get_explicit_suspend)
{
    UNUSED_ROW;
    out->low = registers->vp->explicit_suspend;
    return HV_STATUS_SUCCESS;
}

SETTER(set_explicit_suspend)
{
    UNUSED_ROW;
    if (value->low > 1)
        return HV_STATUS_INVALID_REGISTER_VALUE;
    registers->vp->explicit_suspend = value->low != 0;
    vp_reconsider(registers->context, registers->vp);
    return HV_STATUS_SUCCESS;
}

GETTER(get_intercept_suspend)
{
    UNUSED_ROW;
    out->low = registers->vp->intercept_suspend;
    return HV_STATUS_SUCCESS;
}

/* Only an intercept sets it (TLFS, "Virtual Processor Suspension"). */
SETTER(set_intercept_suspend)
{
    UNUSED_ROW;
    if (value->low != 0)
        return HV_STATUS_INVALID_REGISTER_VALUE;
    /* What was set before is of the intercept; the end of this may start the
     * processor over. */
    vp_registers_close(registers);
    vp_end_intercept(registers->context, registers->vp);
    return HV_STATUS_SUCCESS;
}

GETTER(get_activity)
{
    const struct hv_vp *vp = registers->vp;

    UNUSED_ROW;
    out->low = (vp->wait_for_sipi ? ACTIVITY_STARTUP_SUSPEND : 0) |
               (vp->halted ? ACTIVITY_HALT_SUSPEND : 0);
    return HV_STATUS_SUCCESS;
}

SETTER(set_activity)
{
    struct hv_vp *vp = registers->vp;

    UNUSED_ROW;
    if ((value->low &
         ~(uint64_t)(ACTIVITY_STARTUP_SUSPEND | ACTIVITY_HALT_SUSPEND)) != 0)
        return HV_STATUS_INVALID_REGISTER_VALUE;
    vp->wait_for_sipi = value->low & ACTIVITY_STARTUP_SUSPEND;
    vp->halted = value->low & ACTIVITY_HALT_SUSPEND;
    vp_reconsider(registers->context, vp);
    return HV_STATUS_SUCCESS;
}

GETTER(get_interrupt_state)
{
    const struct x86_state *state = load(registers);

    UNUSED_ROW;
    out->low = (state->interrupt_shadow ? INTERRUPT_STATE_SHADOW : 0) |
               (state->nmi_masked ? INTERRUPT_STATE_NMI_MASKED : 0);
    return HV_STATUS_SUCCESS;
}

SETTER(set_interrupt_state)
{
    struct x86_state *state;

    UNUSED_ROW;
    if (value->low > (INTERRUPT_STATE_SHADOW | INTERRUPT_STATE_NMI_MASKED))
        return HV_STATUS_INVALID_REGISTER_VALUE;
    state = load_to_change(registers);
    state->interrupt_shadow = value->low & INTERRUPT_STATE_SHADOW;
    state->nmi_masked = value->low & INTERRUPT_STATE_NMI_MASKED;
    return HV_STATUS_SUCCESS;
}

GETTER(get_interruption)
{
    UNUSED_ROW;
    out->low = registers->vp->pending_interruption;
    return HV_STATUS_SUCCESS;
}

SETTER(set_interruption)
{
    struct hv_vp *vp = registers->vp;

    UNUSED_ROW;
    if (!vp_registers_interruption_valid(value->low))
        return HV_STATUS_INVALID_REGISTER_VALUE;
    vp->pending_interruption = value->low;
    if (value->low != 0) {
        vp->halted = false; /* as an event injected at VM entry ends HLT */
        vp_reconsider(registers->context, vp);
    }
    return HV_STATUS_SUCCESS;
}

#define FIELD(name, member, ...)                                               \
    {                                                                          \
        .first = (name), .count = 1, .get = get_field, .set = set_field,       \
        .offset = offsetof(struct x86_state, member), __VA_ARGS__              \
    }
#define FIELDS(name, number, member)                                           \
    {                                                                          \
        .first = (name), .count = (number), .get = get_field,                  \
        .set = set_field, .offset = offsetof(struct x86_state, member)         \
    }
#define ROW(name, number, what)                                                \
    {                                                                          \
        .first = (name), .count = (number), .get = get_##what,                 \
        .set = set_##what                                                      \
    }
#define MSR(name, number, index)                                               \
    {                                                                          \
        .first = (name), .count = (number), .get = get_msr, .set = set_msr,    \
        .key = (index)                                                         \
    }

static const struct register_row rows[] = {
    {.first = HV_REGISTER_EXPLICIT_SUSPEND,
     .count = 1,
     .get = get_explicit_suspend,
     .set = set_explicit_suspend,
     .always = true},
    {.first = HV_REGISTER_INTERCEPT_SUSPEND,
     .count = 1,
     .get = get_intercept_suspend,
     .set = set_intercept_suspend,
     .always = true},
    ROW(HV_REGISTER_INTERNAL_ACTIVITY, 1, activity),
    {.first = HV_REGISTER_HYPERVISOR_VERSION,
     .count = 1,
     .get = get_cpuid,
     .key = CPUID_LEAF_VERSION},
    {.first = HV_REGISTER_PRIVILEGES_AND_FEATURES,
     .count = 9, /* leaves 40000003 to 4000000b */
     .get = get_cpuid,
     .key = CPUID_LEAF_FEATURES},
    MSR(HV_REGISTER_CRASH_P0, 6, MSR_HV_CRASH_P0),
    ROW(HV_REGISTER_PENDING_INTERRUPTION, 1, interruption),
    ROW(HV_REGISTER_INTERRUPT_STATE, 1, interrupt_state),
    FIELDS(HV_REGISTER_RAX, X86_GPR_COUNT, gpr),
    FIELD(HV_REGISTER_RIP, rip, .valid = x86_canonical),
    FIELD(HV_REGISTER_RFLAGS, rflags, .valid = valid_rflags),
    ROW(HV_REGISTER_XMM0, 16, xmm),
    FIELD(HV_REGISTER_CR0, cr0, .valid = valid_cr0),
    FIELDS(HV_REGISTER_CR2, 1, cr2),
    FIELD(HV_REGISTER_CR3, cr3, .valid = valid_cr3),
    FIELD(HV_REGISTER_CR4, cr4, .valid = valid_cr4),
    ROW(HV_REGISTER_CR8, 1, cr8),
    FIELDS(HV_REGISTER_DR0, 4, dr[0]),
    FIELD(HV_REGISTER_DR6, dr[6], .valid = valid_low_half),
    FIELD(HV_REGISTER_DR7, dr[7], .valid = valid_low_half),
    ROW(HV_REGISTER_ES, 8, segment),
    ROW(HV_REGISTER_IDTR, 2, table),
    MSR(HV_REGISTER_TSC, 1, 0x10),
    FIELD(HV_REGISTER_EFER, efer, .valid = valid_efer),
    FIELD(HV_REGISTER_KERNEL_GS_BASE, kernel_gs_base, .valid = x86_canonical),
    MSR(HV_REGISTER_APIC_BASE, 1, 0x1b),
    MSR(HV_REGISTER_PAT, 1, 0x277),
    FIELD(HV_REGISTER_SYSENTER_CS, sysenter_cs, .valid = valid_low_half),
    FIELD(HV_REGISTER_SYSENTER_EIP, sysenter_eip, .valid = x86_canonical),
    FIELD(HV_REGISTER_SYSENTER_ESP, sysenter_esp, .valid = x86_canonical),
    FIELDS(HV_REGISTER_STAR, 1, star),
    FIELD(HV_REGISTER_LSTAR, lstar, .valid = x86_canonical),
    FIELD(HV_REGISTER_CSTAR, cstar, .valid = x86_canonical),
    FIELD(HV_REGISTER_SFMASK, fmask, .valid = valid_low_half),
    {.first = HV_REGISTER_INITIAL_APIC_ID, .count = 1, .get = get_apic_id},
    {.first = HV_REGISTER_MTRR_CAP, .count = 1, .get = get_msr, .key = 0xfe},
    MSR(HV_REGISTER_MTRR_DEF_TYPE, 1, 0x2ff),
    {.first = HV_REGISTER_MTRR_BASE0,
     .count = 16,
     .get = get_msr_pair,
     .set = set_msr_pair,
     .key = 0x200},
    {.first = HV_REGISTER_MTRR_MASK0,
     .count = 16,
     .get = get_msr_pair,
     .set = set_msr_pair,
     .key = 0x201},
    {.first = HV_REGISTER_MTRR_FIX64K,
     .count = 11,
     .get = get_fixed_mtrr,
     .set = set_fixed_mtrr,
     .key = 0x250},
    FIELD(HV_REGISTER_TSC_AUX, tsc_aux, .valid = valid_low_half),
    MSR(HV_REGISTER_TSC_DEADLINE, 1, 0x6e0),
    {.first = HV_REGISTER_VP_RUNTIME, .count = 1, .get = get_run_time},
    MSR(HV_REGISTER_HYPERCALL, 1, 0x40000001),
    MSR(HV_REGISTER_GUEST_OS_ID, 1, 0x40000000),
    {.first = HV_REGISTER_VP_INDEX,
     .count = 1,
     .get = get_msr,
     .key = 0x40000002},
    {.first = HV_REGISTER_TIME_REF_COUNT,
     .count = 1,
     .get = get_msr,
     .key = 0x40000020},
    MSR(HV_REGISTER_VP_ASSIST_PAGE, 1, 0x40000073),
    MSR(HV_REGISTER_REFERENCE_TSC, 1, 0x40000021),
    MSR(HV_REGISTER_SINT0, 16, 0x40000090),
    MSR(HV_REGISTER_SCONTROL, 5, 0x40000080), /* to EOM */
    MSR(HV_REGISTER_STIMER0_CONFIG, 8, 0x400000b0),
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static const struct register_row *find_row(uint32_t name)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (name >= rows[i].first && name - rows[i].first < rows[i].count)
            return &rows[i];
    }
    return NULL;
}

void vp_registers_open(struct vp_registers *registers,
                       struct hv_context *context, struct hv_vp *vp)
{
    *registers = (struct vp_registers){.context = context, .vp = vp};
}

enum hv_status vp_registers_get(struct vp_registers *registers, uint32_t name,
                                struct hv_register_value *out)
{
    const struct register_row *row = find_row(name);

    *out = (struct hv_register_value){0};
    if (!row || !registers->vp->engine)
        return HV_STATUS_UNKNOWN_REGISTER;
    return row->get(registers, row, name - row->first, out);
}

/* A VP at rest, or the one that asks, which rests in its hypercall. */
static bool settable(const struct vp_registers *registers)
{
    const struct hv_vp *vp = registers->vp;

    return vp == registers->context->vp || vp->state == VP_SUSPENDED ||
           vp->state == VP_WAIT_FOR_SIPI || vp->state == VP_SHUTDOWN;
}

enum hv_status vp_registers_set(struct vp_registers *registers, uint32_t name,
                                const struct hv_register_value *value)
{
    const struct register_row *row = find_row(name);

    if (!row || !registers->vp->engine)
        return HV_STATUS_UNKNOWN_REGISTER;
    if (!row->set)
        return HV_STATUS_OPERATION_DENIED;
    if (!row->always && !settable(registers))
        return HV_STATUS_INVALID_VP_STATE;
    return row->set(registers, row, name - row->first, value);
}

void vp_registers_discard(struct vp_registers *registers)
{
    registers->loaded = false;
    registers->changed = false;
}

void vp_registers_close(struct vp_registers *registers)
{
    if (registers->changed)
        engine_set_state(registers->vp->engine, &registers->state);
    registers->loaded = false;
    registers->changed = false;
}
