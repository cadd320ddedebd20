/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_FIRMWARE_PRIVATE_H
#define HVSIM_PARTITIONS_FIRMWARE_PRIVATE_H

/** Bytes being written, and their encoding as AML (ACPI 6.5, chapters 19 and
 *  20); for firmware*.c alone. */

#include <stdbool.h>

#include "partitions/firmware.h"

struct firmware_writer {
    uint8_t *bytes; /* borrowed */
    size_t used, room;
};

/** Appends the low `bytes` (at most 8) bytes of `value`, little-endian. */
void firmware_put(struct firmware_writer *writer, uint64_t value, size_t bytes);
void firmware_put_zeros(struct firmware_writer *writer, size_t bytes);
void firmware_put_bytes(struct firmware_writer *writer, const void *from,
                        size_t bytes);

/** Starts a table with its header, and ends it with length and checksum;
 *  `at` is what the start has returned. */
size_t firmware_open_table(struct firmware_writer *writer,
                           const char *signature, uint8_t revision);
void firmware_close_table(struct firmware_writer *writer, size_t at);

#define FIRMWARE_LAPIC_BYTES 8

/** VPs may be added while the VM runs. */
static inline bool firmware_can_grow(const struct firmware_config *config)
{
    return config->vp_count_max > config->vp_count;
}

/** A processor's structure in the MADT: it is there, or may come to be. */
void firmware_lapic(struct firmware_writer *writer, uint32_t vp, bool is_there);

/** firmware_processors.c: their devices, for the scope _SB, and who tells of
 *  new ones. Nothing, if there cannot be any. */
void firmware_processors(struct firmware_writer *writer,
                         const struct firmware_config *config);
void firmware_processor_event(struct firmware_writer *writer,
                              const struct firmware_config *config);

/** Whole tables of more nodes than one; they return where it is. */
size_t firmware_srat(struct firmware_writer *writer,
                     const struct firmware_config *config);
size_t firmware_slit(struct firmware_writer *writer,
                     const struct firmware_config *config);

/** What stands behind a table's header: the definition block. */
void firmware_dsdt(struct firmware_writer *writer,
                   const struct firmware_config *config);

/* Names are four characters, padded with '_': "COM1", "_HID". */

/** Opens what has a length; it ends with firmware_aml_close() of what this
 *  returned. Inner ones are closed first. */
size_t firmware_aml_scope(struct firmware_writer *writer, const char *name);
size_t firmware_aml_device(struct firmware_writer *writer, const char *name);
size_t firmware_aml_package(struct firmware_writer *writer, uint8_t elements);
/** Method (name) without arguments. */
size_t firmware_aml_method(struct firmware_writer *writer, const char *name);
/** If (name). */
size_t firmware_aml_if(struct firmware_writer *writer, const char *name);
/** Buffer () {...}: fewer bytes than 64 follow. */
size_t firmware_aml_buffer(struct firmware_writer *writer, uint8_t bytes);
/** Field (region, ByteAcc, NoLock, WriteAsZeros). */
size_t firmware_aml_field(struct firmware_writer *writer, const char *region);
void firmware_aml_close(struct firmware_writer *writer, size_t open);

/** In a field: a unit of one bit, and bits without a name. */
void firmware_aml_bit(struct firmware_writer *writer, const char *name);
void firmware_aml_skip_bits(struct firmware_writer *writer, unsigned bits);

/** OperationRegion (name, SystemIO, port, bytes). */
void firmware_aml_ports(struct firmware_writer *writer, const char *name,
                        uint16_t port, uint8_t bytes);
/** Return (value), Store (One, name), Notify (name, value), \\scope.name (). */
void firmware_aml_return(struct firmware_writer *writer, uint64_t value);
void firmware_aml_set(struct firmware_writer *writer, const char *name);
void firmware_aml_notify(struct firmware_writer *writer, const char *name,
                         uint64_t value);
void firmware_aml_call(struct firmware_writer *writer, const char *scope,
                       const char *name);

/** Name (name, what is put next). */
void firmware_aml_name(struct firmware_writer *writer, const char *name);

void firmware_aml_integer(struct firmware_writer *writer, uint64_t value);
void firmware_aml_string(struct firmware_writer *writer, const char *text);
/** EisaId ("PNP0501"): three capitals and four capital hexadecimal digits. */
void firmware_aml_eisa_id(struct firmware_writer *writer, const char *id);

/** Opens a ResourceTemplate (); what is put until it is closed are resource
 *  descriptors (ACPI 6.5, section 6.4). */
size_t firmware_aml_resources(struct firmware_writer *writer);
void firmware_aml_resources_close(struct firmware_writer *writer, size_t open);
/** IO (Decode16, first, first, 1, count). */
void firmware_aml_io(struct firmware_writer *writer, uint16_t first,
                     uint8_t count);
/** IRQNoFlags () {irq}. */
void firmware_aml_irq(struct firmware_writer *writer, unsigned irq);
/** QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable,
 *  ReadWrite, 0, first, last, 0, size). */
void firmware_aml_window(struct firmware_writer *writer, uint64_t first,
                         uint64_t bytes);

#endif
