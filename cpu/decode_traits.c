/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/decode_private.h"

/*
 * What the disassembler does not know, or gets wrong, about instructions: its
 * access flags say "read" for most stores of SSE, and it does not list what
 * goes over the stack. An instruction that is not here writes its first
 * operand, reads the others, and has the class of its group.
 *
 * Not SYSTEM although they are privileged or enter the kernel: RDTSC, SYSCALL,
 * SYSENTER, INVLPG and INT n, which the engine bills by kinds of their own
 * when they happen; CLI and STI, which cost what a plain instruction does.
 */

/* clang-format off */
#define ALL_CONDITIONS(X)                                                      \
    X(AE) X(A) X(BE) X(B) X(E) X(GE) X(G) X(LE) X(L) X(NE) X(NO) X(NP) X(NS)   \
    X(O) X(P) X(S)

#define MODIFY(name) [X86_INS_##name] = {.kind = CLASS_ALU, .use = USE_MODIFY},
#define COMPARE(name) [X86_INS_##name] = {.kind = CLASS_ALU, .use = USE_READ},
#define HINT(name) [X86_INS_##name] = {.kind = CLASS_ALU, .use = USE_NONE},
#define PLAIN(name) [X86_INS_##name] = {.kind = CLASS_ALU},
#define MUL(name) [X86_INS_##name] = {.kind = CLASS_MUL, .use = USE_READ},
#define DIV(name) [X86_INS_##name] = {.kind = CLASS_DIV, .use = USE_READ},
#define FENCE(name) [X86_INS_##name] = {.kind = CLASS_LOCKED},
#define STRING(name)                                                           \
    [X86_INS_##name] = {.kind = CLASS_STRING, .use = USE_STRING},
#define SYSTEM(name) [X86_INS_##name] = {.kind = CLASS_SYSTEM},
#define SYSTEM_READ(name)                                                      \
    [X86_INS_##name] = {.kind = CLASS_SYSTEM, .use = USE_READ},
#define FLOAT(name) [X86_INS_##name] = {.kind = CLASS_FLOAT},
#define FLOAT_READ(name) [X86_INS_##name] = {.kind = CLASS_FLOAT, .use = USE_READ},
#define FLOAT_DIV(name)                                                        \
    [X86_INS_##name] = {.kind = CLASS_FLOAT_DIV, .use = USE_READ},
#define SCALAR(name) FLOAT(name##SD) FLOAT(name##SS)                           \
    FLOAT(V##name##SD) FLOAT(V##name##SS)
#define SAVE(name, size_)                                                      \
    [X86_INS_##name] = {.kind = CLASS_SYSTEM, .size = size_},
#define RESTORE(name, size_)                                                   \
    [X86_INS_##name] = {.kind = CLASS_SYSTEM, .use = USE_READ, .size = size_},
#define FAR_LOAD(name)                                                         \
    [X86_INS_##name] = {.kind = CLASS_SYSTEM, .use = USE_READ,                 \
                        .size = SIZE_FAR_LOAD},
#define JUMP_IF(condition) [X86_INS_J##condition] = {.kind = CLASS_BRANCH},
#define POPS(name, class_, count)                                              \
    [X86_INS_##name] = {.kind = class_, .pops = count},
#define PUSHES(name, class_, count)                                            \
    [X86_INS_##name] = {.kind = class_, .use = USE_READ, .pushes = count},
#define FAR_POPS(name, class_, count)                                          \
    [X86_INS_##name] = {.kind = class_, .pops = count, .far = true},

static const struct decode_traits traits[X86_INS_ENDING] = {
    /* Integer. */
    MODIFY(ADD) MODIFY(OR) MODIFY(ADC) MODIFY(SBB) MODIFY(AND) MODIFY(SUB)
    MODIFY(XOR) MODIFY(INC) MODIFY(DEC) MODIFY(NOT) MODIFY(NEG) MODIFY(XCHG)
    MODIFY(XADD) MODIFY(CMPXCHG) MODIFY(CMPXCHG8B) MODIFY(CMPXCHG16B)
    MODIFY(ROL) MODIFY(ROR) MODIFY(RCL) MODIFY(RCR) MODIFY(SHL) MODIFY(SHR)
    MODIFY(SAL) MODIFY(SAR) MODIFY(SHLD) MODIFY(SHRD) MODIFY(ARPL)
    COMPARE(CMP) COMPARE(TEST)
    [X86_INS_BT] = {.kind = CLASS_ALU, .use = USE_READ, .bits = true},
    [X86_INS_BTS] = {.kind = CLASS_ALU, .use = USE_MODIFY, .bits = true},
    [X86_INS_BTR] = {.kind = CLASS_ALU, .use = USE_MODIFY, .bits = true},
    [X86_INS_BTC] = {.kind = CLASS_ALU, .use = USE_MODIFY, .bits = true},
    [X86_INS_BOUND] = {.kind = CLASS_ALU, .use = USE_READ,
                       .size = SIZE_BOUNDS},
    MUL(MUL) MUL(IMUL) MUL(MULX) MUL(AAD)
    DIV(DIV) DIV(IDIV) DIV(AAM)
    /* Of these the disassembler lets an operand size prefix override REX.W. */
    [X86_INS_BSF] = {.kind = CLASS_ALU, .size = SIZE_OPERAND},
    [X86_INS_BSR] = {.kind = CLASS_ALU, .size = SIZE_OPERAND},
    PLAIN(CRC32) PLAIN(MOVNTI) PLAIN(XLATB) PLAIN(CLI) PLAIN(STI)
    HINT(LEA) HINT(NOP) HINT(PREFETCH) HINT(PREFETCHNTA) HINT(PREFETCHT0)
    HINT(PREFETCHT1) HINT(PREFETCHT2) HINT(PREFETCHW) HINT(PREFETCHWT1)
    HINT(CLFLUSH) HINT(CLFLUSHOPT) HINT(CLWB) HINT(CLDEMOTE) HINT(INVLPG)
    /* MPX, which we do not offer, is made of hints. */
    HINT(BNDMOV) HINT(BNDLDX) HINT(BNDSTX) HINT(BNDCL) HINT(BNDCN)
    HINT(BNDCU) HINT(BNDMK)
    FENCE(LFENCE) FENCE(MFENCE) FENCE(SFENCE)
    [X86_INS_PAUSE] = {.kind = CLASS_PAUSE},

    /* The stack. */
    PUSHES(PUSH, CLASS_ALU, 1) PUSHES(PUSHF, CLASS_ALU, 1)
    PUSHES(PUSHFD, CLASS_ALU, 1) PUSHES(PUSHFQ, CLASS_ALU, 1)
    PUSHES(PUSHAW, CLASS_ALU, 8) PUSHES(PUSHAL, CLASS_ALU, 8)
    POPS(POP, CLASS_ALU, 1) POPS(POPF, CLASS_ALU, 1) POPS(POPFD, CLASS_ALU, 1)
    POPS(POPFQ, CLASS_ALU, 1) POPS(POPAW, CLASS_ALU, 8)
    POPS(POPAL, CLASS_ALU, 8) POPS(LEAVE, CLASS_ALU, 1)
    PUSHES(ENTER, CLASS_ALU, 1)

    /* Branches. */
    ALL_CONDITIONS(JUMP_IF)
    JUMP_IF(CXZ) JUMP_IF(ECXZ) JUMP_IF(RCXZ)
    [X86_INS_LOOP] = {.kind = CLASS_BRANCH},
    [X86_INS_LOOPE] = {.kind = CLASS_BRANCH},
    [X86_INS_LOOPNE] = {.kind = CLASS_BRANCH},
    [X86_INS_JMP] = {.kind = CLASS_BRANCH, .use = USE_READ},
    [X86_INS_LJMP] = {.kind = CLASS_BRANCH, .use = USE_READ,
                      .size = SIZE_FAR_POINTER},
    PUSHES(CALL, CLASS_BRANCH, 1)
    [X86_INS_LCALL] = {.kind = CLASS_BRANCH, .use = USE_READ,
                       .size = SIZE_FAR_POINTER, .pushes = 2, .far = true},
    POPS(RET, CLASS_BRANCH, 1)
    FAR_POPS(RETF, CLASS_BRANCH, 2) FAR_POPS(RETFQ, CLASS_BRANCH, 2)

    /* Strings: MOVSD and CMPSD see decode_traits_of(). */
    STRING(MOVSB) STRING(MOVSW) STRING(MOVSQ) STRING(CMPSB) STRING(CMPSW)
    STRING(CMPSQ) STRING(STOSB) STRING(STOSW) STRING(STOSD) STRING(STOSQ)
    STRING(LODSB) STRING(LODSW) STRING(LODSD) STRING(LODSQ) STRING(SCASB)
    STRING(SCASW) STRING(SCASD) STRING(SCASQ) STRING(INSB) STRING(INSW)
    STRING(INSD) STRING(OUTSB) STRING(OUTSW) STRING(OUTSD)

    /* System. */
    FAR_POPS(IRET, CLASS_SYSTEM, 3) FAR_POPS(IRETD, CLASS_SYSTEM, 3)
    FAR_POPS(IRETQ, CLASS_SYSTEM, 5)
    PLAIN(RDTSC) PLAIN(RDTSCP) PLAIN(SYSCALL) PLAIN(SYSENTER) PLAIN(INT)
    PLAIN(INT1) PLAIN(INT3) PLAIN(INTO)
    SYSTEM(CPUID) SYSTEM(RDMSR) SYSTEM(IN) SYSTEM(OUT) SYSTEM(HLT)
    SYSTEM(CLTS) SYSTEM(MONITOR) SYSTEM(MWAIT) SYSTEM(MONITORX)
    SYSTEM(MWAITX) SYSTEM(XGETBV) SYSTEM(RDRAND) SYSTEM(RDSEED)
    SYSTEM(UD0) SYSTEM(UD1) SYSTEM(UD2)
    SYSTEM_READ(LGDT) SYSTEM_READ(LIDT) SYSTEM_READ(LLDT) SYSTEM_READ(LTR)
    SYSTEM_READ(LMSW) SYSTEM_READ(VERR) SYSTEM_READ(VERW) SYSTEM(LAR)
    SYSTEM(LSL) SYSTEM_READ(VMPTRLD) SYSTEM_READ(VMCLEAR) SYSTEM_READ(VMXON)
    SYSTEM_READ(PTWRITE)
    SYSTEM(SGDT) SYSTEM(SIDT) SYSTEM(SLDT) SYSTEM(STR) SYSTEM(SMSW)
    FAR_LOAD(LDS) FAR_LOAD(LES) FAR_LOAD(LSS) FAR_LOAD(LFS) FAR_LOAD(LGS)
    SAVE(FXSAVE, SIZE_FXSAVE) SAVE(FXSAVE64, SIZE_FXSAVE)
    RESTORE(FXRSTOR, SIZE_FXSAVE) RESTORE(FXRSTOR64, SIZE_FXSAVE)
    SAVE(XSAVE, SIZE_XSAVE) SAVE(XSAVE64, SIZE_XSAVE)
    SAVE(XSAVEC, SIZE_XSAVE) SAVE(XSAVEC64, SIZE_XSAVE)
    SAVE(XSAVEOPT, SIZE_XSAVE) SAVE(XSAVEOPT64, SIZE_XSAVE)
    SAVE(XSAVES, SIZE_XSAVE) SAVE(XSAVES64, SIZE_XSAVE)
    RESTORE(XRSTOR, SIZE_XSAVE) RESTORE(XRSTOR64, SIZE_XSAVE)
    RESTORE(XRSTORS, SIZE_XSAVE) RESTORE(XRSTORS64, SIZE_XSAVE)

    /* x87: arithmetic reads memory; what starts with FST or FIST writes. */
    FLOAT_READ(FADD) FLOAT_READ(FIADD) FLOAT_READ(FSUB) FLOAT_READ(FISUB)
    FLOAT_READ(FSUBR) FLOAT_READ(FISUBR) FLOAT_READ(FMUL) FLOAT_READ(FIMUL)
    FLOAT_READ(FCOM) FLOAT_READ(FCOMP) FLOAT_READ(FICOM) FLOAT_READ(FICOMP)
    FLOAT_READ(FLD) FLOAT_READ(FILD) FLOAT_READ(FBLD) FLOAT_READ(FLDCW)
    FLOAT(FST) FLOAT(FSTP) FLOAT(FIST) FLOAT(FISTP) FLOAT(FISTTP)
    FLOAT(FBSTP) FLOAT(FNSTCW) FLOAT(FNSTSW) FLOAT(EMMS) FLOAT(FEMMS)
    FLOAT_READ(LDMXCSR) FLOAT(STMXCSR) FLOAT_READ(VLDMXCSR) FLOAT(VSTMXCSR)
    [X86_INS_FLDENV] = {.kind = CLASS_FLOAT, .use = USE_READ,
                        .size = SIZE_FPU_ENV},
    [X86_INS_FNSTENV] = {.kind = CLASS_FLOAT, .size = SIZE_FPU_ENV},
    [X86_INS_FRSTOR] = {.kind = CLASS_SYSTEM, .use = USE_READ,
                        .size = SIZE_FPU_STATE},
    [X86_INS_FNSAVE] = {.kind = CLASS_SYSTEM, .size = SIZE_FPU_STATE},
    FLOAT_DIV(FDIV) FLOAT_DIV(FDIVR) FLOAT_DIV(FIDIV) FLOAT_DIV(FIDIVR)
    FLOAT_DIV(FDIVP) FLOAT_DIV(FDIVRP) FLOAT_DIV(FSQRT)
    /* Iterative units of the same kind, at least as slow. */
    FLOAT_DIV(FPREM) FLOAT_DIV(FPREM1) FLOAT_DIV(FSIN) FLOAT_DIV(FCOS)
    FLOAT_DIV(FSINCOS) FLOAT_DIV(FPTAN) FLOAT_DIV(FPATAN) FLOAT_DIV(F2XM1)
    FLOAT_DIV(FYL2X) FLOAT_DIV(FYL2XP1)

    /* SSE and AVX scalars; MOVSD and CMPSD see decode_traits_of(). */
    SCALAR(ADD) SCALAR(SUB) SCALAR(MUL) SCALAR(MAX) SCALAR(MIN) SCALAR(ROUND)
    SCALAR(UCOMI) FLOAT(COMISS) FLOAT(VCOMISS)
    [X86_INS_COMISD] = {.kind = CLASS_FLOAT, .size = SIZE_QUADWORD},
    [X86_INS_VCOMISD] = {.kind = CLASS_FLOAT, .size = SIZE_QUADWORD},
    FLOAT(CMPSS) FLOAT(VCMPSD) FLOAT(VCMPSS) FLOAT(MOVSS) FLOAT(VMOVSD)
    FLOAT(VMOVSS) FLOAT(RCPSS) FLOAT(VRCPSS) FLOAT(RSQRTSS) FLOAT(VRSQRTSS)
    FLOAT(CVTSD2SI) FLOAT(CVTSD2SS) FLOAT(CVTSI2SD) FLOAT(CVTSI2SS)
    FLOAT(CVTSS2SD) FLOAT(CVTSS2SI) FLOAT(CVTTSD2SI) FLOAT(CVTTSS2SI)
    FLOAT(VCVTSD2SI) FLOAT(VCVTSD2SS) FLOAT(VCVTSI2SD) FLOAT(VCVTSI2SS)
    FLOAT(VCVTSS2SD) FLOAT(VCVTSS2SI) FLOAT(VCVTTSD2SI) FLOAT(VCVTTSS2SI)
    FLOAT_DIV(DIVSD) FLOAT_DIV(DIVSS) FLOAT_DIV(DIVPD) FLOAT_DIV(DIVPS)
    FLOAT_DIV(SQRTSD) FLOAT_DIV(SQRTSS) FLOAT_DIV(SQRTPD) FLOAT_DIV(SQRTPS)
    FLOAT_DIV(VDIVSD) FLOAT_DIV(VDIVSS) FLOAT_DIV(VDIVPD) FLOAT_DIV(VDIVPS)
    FLOAT_DIV(VSQRTSD) FLOAT_DIV(VSQRTSS) FLOAT_DIV(VSQRTPD)
    FLOAT_DIV(VSQRTPS)
};
/* clang-format on */

struct decode_traits decode_traits(unsigned id)
{
    return id < X86_INS_ENDING ? traits[id] : (struct decode_traits){0};
}

struct decode_traits decode_traits_of(const cs_insn *insn,
                                      const struct decode_prefixes *prefixes)
{
    struct decode_traits found = decode_traits(insn->id);
    const cs_x86 *x86 = &insn->detail->x86;
    uint8_t opcode = insn->bytes[prefixes->opcode_at];
    unsigned extension = (x86->modrm >> 3) & 7;

    /* Its numbers for CMPccPS and kin are those of other instructions. */
    if (opcode == 0x0f && insn->bytes[prefixes->opcode_at + 1] == 0xc2)
        return prefixes->repeat ? decode_traits(X86_INS_CMPSS)
                                : (struct decode_traits){0};
    if (insn->id == X86_INS_MOVSD || insn->id == X86_INS_CMPSD) {
        bool string = opcode == 0xa5 || opcode == 0xa7;

        return decode_traits(string ? X86_INS_MOVSB : X86_INS_MOVSS);
    }
    /* The disassembler calls some far transfers by the near ones' names. */
    if (insn->id == X86_INS_CALL && opcode == 0xff && extension == 3)
        return decode_traits(X86_INS_LCALL);
    if (insn->id == X86_INS_JMP && opcode == 0xff && extension == 5)
        return decode_traits(X86_INS_LJMP);
    if (insn->id == X86_INS_CALL && opcode == 0x9a)
        return decode_traits(X86_INS_LCALL);
    return found;
}
