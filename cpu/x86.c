/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/x86.h"

#define ATTR_DATA_RW_ACCESSED 0x0093
#define ATTR_CODE_RX_ACCESSED 0x009b
#define ATTR_LDT 0x0082
#define ATTR_TSS32_BUSY 0x008b

#define DR6_RESET UINT64_C(0xffff0ff0)
#define DR7_RESET UINT64_C(0x400)

/* EDX after RESET and INIT is 000n06xxH: family 6. */
#define RDX_RESET UINT64_C(0x600)

unsigned x86_cpl(const struct x86_state *state)
{
    if ((state->cr0 & CR0_PE) == 0)
        return 0;
    if (state->rflags & RFLAGS_VM)
        return 3;
    return (state->segment[X86_SS].attributes >> X86_ATTR_DPL_SHIFT) & 3u;
}

void x86_reset(struct x86_state *state)
{
    const struct x86_segment data = {.limit = 0xffff,
                                     .attributes = ATTR_DATA_RW_ACCESSED};

    *state = (struct x86_state){0};
    for (unsigned i = 0; i < X86_SEGMENT_COUNT; i++)
        state->segment[i] = data;
    state->segment[X86_CS] = (struct x86_segment){
        .base = 0xffff0000,
        .limit = 0xffff,
        .selector = 0xf000,
        .attributes = ATTR_CODE_RX_ACCESSED,
    };
    state->ldtr = (struct x86_segment){.limit = 0xffff, .attributes = ATTR_LDT};
    state->tr =
        (struct x86_segment){.limit = 0xffff, .attributes = ATTR_TSS32_BUSY};
    state->gdtr.limit = 0xffff;
    state->idtr.limit = 0xffff;
    state->gpr[X86_RDX] = RDX_RESET;
    state->rip = 0xfff0;
    state->rflags = RFLAGS_FIXED;
    state->cr0 = CR0_CD | CR0_NW | CR0_ET;
    state->dr[6] = DR6_RESET;
    state->dr[7] = DR7_RESET;
}

void x86_startup(struct x86_state *state, uint8_t vector)
{
    const struct x86_state before = *state;

    x86_reset(state);
    state->star = before.star;
    state->lstar = before.lstar;
    state->cstar = before.cstar;
    state->fmask = before.fmask;
    state->kernel_gs_base = before.kernel_gs_base;
    state->sysenter_cs = before.sysenter_cs;
    state->sysenter_esp = before.sysenter_esp;
    state->sysenter_eip = before.sysenter_eip;
    state->tsc_aux = before.tsc_aux;
    state->cr0 = CR0_ET | (before.cr0 & (CR0_CD | CR0_NW));

    state->segment[X86_CS].selector = (uint16_t)(vector << 8);
    state->segment[X86_CS].base = (uint64_t)vector << 12;
    state->rip = 0;
}
