/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_VMWP_PRIVATE_H
#define HVSIM_PARTITIONS_VMWP_PRIVATE_H

/** Shared by vmwp*.c: how they read an intercept message, and who does what. */

#include <string.h>

#include "partitions/vmwp.h"

/* A SynIC message and the intercept messages in it (TLFS, "Intercept
 * Messages"): offsets from the start of the message. */
enum {
    VMWP_TYPE = 0,
    VMWP_PAYLOAD = 16,
    VMWP_VP_INDEX = VMWP_PAYLOAD + 0x00,
    VMWP_EOI_VECTOR = VMWP_PAYLOAD + 0x04,
    VMWP_LENGTH = VMWP_PAYLOAD + 0x04,
    VMWP_ACCESS = VMWP_PAYLOAD + 0x05,
    VMWP_STATE = VMWP_PAYLOAD + 0x06,
    VMWP_CS_ATTRIBUTES = VMWP_PAYLOAD + 0x16,
    VMWP_RIP = VMWP_PAYLOAD + 0x18,
    VMWP_RFLAGS = VMWP_PAYLOAD + 0x20,
    VMWP_IO_PORT = VMWP_PAYLOAD + 0x28,
    VMWP_IO_INFO = VMWP_PAYLOAD + 0x2a,
    VMWP_IO_INSTRUCTION_BYTES = VMWP_PAYLOAD + 0x2b,
    VMWP_IO_RAX = VMWP_PAYLOAD + 0x30,
    VMWP_IO_INSTRUCTION = VMWP_PAYLOAD + 0x38,
    VMWP_IO_DS_BASE = VMWP_PAYLOAD + 0x48,
    VMWP_IO_ES_BASE = VMWP_PAYLOAD + 0x58,
    VMWP_IO_RCX = VMWP_PAYLOAD + 0x68,
    VMWP_IO_RSI = VMWP_PAYLOAD + 0x70,
    VMWP_IO_RDI = VMWP_PAYLOAD + 0x78,
    VMWP_MSR_INDEX = VMWP_PAYLOAD + 0x28,
    VMWP_MSR_RDX = VMWP_PAYLOAD + 0x30,
    VMWP_MEMORY_INSTRUCTION_BYTES = VMWP_PAYLOAD + 0x2c,
    VMWP_MEMORY_FLAGS = VMWP_PAYLOAD + 0x2d,
    VMWP_MEMORY_GVA = VMWP_PAYLOAD + 0x30,
    VMWP_MEMORY_GPA = VMWP_PAYLOAD + 0x38,
    VMWP_MEMORY_INSTRUCTION = VMWP_PAYLOAD + 0x40,
};

#define VMWP_STATE_CPL_MASK 0x3u
#define VMWP_STATE_LMA 0x10u
#define VMWP_ATTRIBUTES_L 0x2000u
#define VMWP_ATTRIBUTES_DB 0x4000u
#define VMWP_ACCESS_WRITE 1u
#define VMWP_ACCESS_EXECUTE 2u
/* The GVA, and that it is where the GPA is mapped. */
#define VMWP_MEMORY_GVA_MAPPED 0x3u

#define VMWP_IO_SIZE_MASK 0x07u
#define VMWP_IO_STRING 0x08u
#define VMWP_IO_REPEATED 0x10u

/** The `bytes` bytes (at most 8) at `offset` of the message, as a number. */
static inline uint64_t vmwp_field(const struct vmwp_vp *vp, unsigned offset,
                                  unsigned bytes)
{
    uint64_t value = 0;

    memcpy(&value, vp->message + offset, bytes);
    return value;
}

static inline bool vmwp_io_is_in(const struct vmwp_vp *vp)
{
    return vmwp_field(vp, VMWP_ACCESS, 1) == 0;
}

static inline uint32_t vmwp_io_bytes(const struct vmwp_vp *vp)
{
    return (uint32_t)vmwp_field(vp, VMWP_IO_INFO, 1) & VMWP_IO_SIZE_MASK;
}

static inline bool vmwp_is_64bit(const struct vmwp_vp *vp)
{
    return (vmwp_field(vp, VMWP_STATE, 2) & VMWP_STATE_LMA) &&
           (vmwp_field(vp, VMWP_CS_ATTRIBUTES, 2) & VMWP_ATTRIBUTES_L);
}

static inline uint64_t vmwp_now_ns(const struct vmwp *vmwp,
                                   const struct hv_context *context)
{
    return clock_to_ns(vmwp->root->hv->clock, context->now);
}

/* vmwp_devices.c */

/** Makes the devices of a VM that starts with `vp_count` VPs, and connects
 *  them. False if out of memory. */
bool vmwp_devices_init(struct vmwp *vmwp, uint32_t vp_count);
void vmwp_devices_fini(struct vmwp *vmwp);
/** As they are when a VM of `vp_count` VPs starts. */
void vmwp_devices_reset(struct vmwp *vmwp, uint32_t vp_count);

/** Sends one interrupt that the devices have raised, by a hypercall. False if
 *  there is none. */
bool vmwp_devices_deliver(struct vmwp *vmwp, struct hv_context *context);

/** A VP has ended a level-triggered vector: tells the I/O APIC, in time. */
void vmwp_devices_eoi(struct vmwp *vmwp, struct hv_context *context,
                      uint8_t vector);

/** After accesses: when the devices want to be called may have changed. */
void vmwp_devices_settle(struct vmwp *vmwp, cycles_t now);

/** There is something for the devices' thread to do. */
void vmwp_devices_wake(struct vmwp *vmwp, cycles_t now);

/* vmwp_input.c: what is typed. */

void vmwp_input_init(struct vmwp *vmwp);
void vmwp_input_fini(struct vmwp *vmwp);
/** The VM is off; what has been typed stays for when it is on again. */
void vmwp_input_reset(struct vmwp *vmwp);
/** After accesses: the UART may have got room. */
void vmwp_input_settle(struct vmwp *vmwp, cycles_t now);
/** Gives the UART the byte that has arrived, if one has. */
void vmwp_input_receive(struct vmwp *vmwp, struct hv_context *context);

/* vmwp_crash.c */

/** The guest has reported a crash, as the message at hand says: reads its
 *  parameters. False if another VP's report is being read. */
bool vmwp_crash_begin(struct vmwp_vp *vp, struct hv_context *context);
/** Reads a part of its message; false when there is no more of it. */
bool vmwp_crash_step(struct vmwp_vp *vp, struct hv_context *context);
/** Makes the text printable, and a line of it all, which it returns. */
const char *vmwp_crash_end(struct vmwp *vmwp);

/* vmwp_memory.c: the guest's memory, as the instruction at hand reaches it. A
 * fault of the guest's is kept in vp->fault. */

/** The base of the segment; in 64-bit code only FS and GS have one. */
uint64_t vmwp_memory_base(struct vmwp_vp *vp, struct hv_context *context,
                          int segment);
/** What the VM ends by if vp->fault says that. */
#define VMWP_TABLES_NOWHERE                                                    \
    "page tables in guest physical memory that is not there"

/** A part of what an instruction reaches, on one page. */
struct vmwp_piece {
    gpa_t gpa;
    uint32_t bytes;
    bool memory; /* else a device's, or nothing's */
};

struct vmwp_operand {
    unsigned count; /* of pieces: 2 if it lies across pages */
    struct vmwp_piece pieces[2];
};

/** Where `bytes` bytes, at most 16, at linear address `at` are, and whether
 *  the code may read or `write` them. False if not: that is its fault. */
bool vmwp_memory_find(struct vmwp_vp *vp, struct hv_context *context,
                      int segment, uint64_t at, uint32_t bytes, bool write,
                      struct vmwp_operand *out);
/** Copies all of `operand` to `value`, or (`write`) from there. */
void vmwp_memory_access(struct vmwp_vp *vp, struct hv_context *context,
                        const struct vmwp_operand *operand, bool write,
                        void *value);
/** The registers, one or two, that hand the fault to the guest. */
uint32_t vmwp_memory_fault(const struct vmwp_vp *vp, struct winhv_register *r);

/* vmwp_mmio.c: one access through memory. */

/** Decodes the instruction and makes its accesses. Returns why it cannot be
 *  served, or NULL. */
const char *vmwp_mmio_access(struct vmwp_vp *vp, struct hv_context *context);
/** Writes the registers as the instruction leaves them, and lets the VP go. */
void vmwp_mmio_resume(struct vmwp_vp *vp, struct hv_context *context);

/** One access to whatever device has the port; an open bus reads ones. */
uint32_t vmwp_io_read(struct vmwp_vp *vp, struct hv_context *context);
void vmwp_io_write(struct vmwp_vp *vp, struct hv_context *context,
                   uint32_t value);

/** INS and OUTS. Begins with the message at hand. */
void vmwp_string_begin(struct vmwp_vp *vp, struct hv_context *context);

/** Moves one element; false when there is none left, or a fault stopped it. */
bool vmwp_string_step(struct vmwp_vp *vp, struct hv_context *context);

/** Writes the registers as the instruction leaves them, and lets the VP go. */
void vmwp_string_resume(struct vmwp_vp *vp, struct hv_context *context);

#endif
