/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "partitions/firmware_private.h"
#include "sim/core/check.h"

/* ACPI 6.5, section 20.3, "AML Byte Stream Byte Values". */
#define OP_ZERO 0x00
#define OP_ONE 0x01
#define OP_NAME 0x08
#define OP_BYTE 0x0a
#define OP_WORD 0x0b
#define OP_DWORD 0x0c
#define OP_STRING 0x0d
#define OP_QWORD 0x0e
#define OP_SCOPE 0x10
#define OP_BUFFER 0x11
#define OP_PACKAGE 0x12
#define OP_METHOD 0x14
#define OP_ROOT '\\'
#define OP_DUAL_NAME 0x2e
#define OP_EXTENDED 0x5b
#define OP_EXTENDED_REGION 0x80
#define OP_EXTENDED_FIELD 0x81
#define OP_EXTENDED_DEVICE 0x82
#define OP_STORE 0x70
#define OP_NOTIFY 0x86
#define OP_IF 0xa0
#define OP_RETURN 0xa4

#define REGION_SYSTEM_IO 0x01
#define FIELD_BYTES_AND_ZEROS 0x41 /* ByteAcc, NoLock, WriteAsZeros */

/* Section 6.4: resource data types. */
#define RESOURCE_IRQ_NO_FLAGS 0x22 /* small, 2 bytes */
#define RESOURCE_IO 0x47           /* small, 7 bytes */
#define RESOURCE_END 0x79          /* small, 1 byte: a checksum */
#define RESOURCE_QWORD_SPACE 0x8a  /* large */
#define QWORD_SPACE_BYTES 0x2b

#define IO_DECODE_16 0x01
#define SPACE_MEMORY 0x00
#define SPACE_PRODUCER_FIXED 0x0c /* both ends fixed, positive decode */
#define SPACE_MEMORY_CACHEABLE_WRITABLE 0x03

void firmware_put_bytes(struct firmware_writer *writer, const void *from,
                        size_t bytes)
{
    CHECK(bytes <= writer->room - writer->used);
    memcpy(writer->bytes + writer->used, from, bytes);
    writer->used += bytes;
}

void firmware_put(struct firmware_writer *writer, uint64_t value, size_t bytes)
{
    CHECK(bytes <= sizeof(value));
    firmware_put_bytes(writer, &value, bytes);
}

void firmware_put_zeros(struct firmware_writer *writer, size_t bytes)
{
    CHECK(bytes <= writer->room - writer->used);
    memset(writer->bytes + writer->used, 0, bytes);
    writer->used += bytes;
}

static void put_name(struct firmware_writer *writer, const char *name)
{
    CHECK(strlen(name) == 4);
    firmware_put_bytes(writer, name, 4);
}

/* The length comes when it is known: one byte is left for it. */
static size_t open_length(struct firmware_writer *writer)
{
    size_t open = writer->used;

    firmware_put(writer, 0, 1);
    return open;
}

/*
 * PkgLength (section 20.2.4) counts itself: one byte up to 63, else up to three
 * with the low four bits in the first. The others move what follows.
 */
void firmware_aml_close(struct firmware_writer *writer, size_t open)
{
    size_t bytes = writer->used - open;

    if (bytes < 0x40) {
        writer->bytes[open] = (uint8_t)bytes;
        return;
    }

    size_t more = bytes + 1 < 0x1000 ? 1 : 2;

    firmware_put_zeros(writer, more);
    memmove(writer->bytes + open + 1 + more, writer->bytes + open + 1,
            bytes - 1);
    bytes += more;
    CHECK(bytes < 0x100000);
    writer->bytes[open] = (uint8_t)(more << 6 | (bytes & 0x0f));
    for (size_t i = 0; i < more; i++)
        writer->bytes[open + 1 + i] = (uint8_t)(bytes >> (4 + 8 * i));
}

size_t firmware_aml_scope(struct firmware_writer *writer, const char *name)
{
    size_t open;

    firmware_put(writer, OP_SCOPE, 1);
    open = open_length(writer);
    put_name(writer, name);
    return open;
}

size_t firmware_aml_device(struct firmware_writer *writer, const char *name)
{
    size_t open;

    firmware_put(writer, OP_EXTENDED, 1);
    firmware_put(writer, OP_EXTENDED_DEVICE, 1);
    open = open_length(writer);
    put_name(writer, name);
    return open;
}

size_t firmware_aml_package(struct firmware_writer *writer, uint8_t elements)
{
    size_t open;

    firmware_put(writer, OP_PACKAGE, 1);
    open = open_length(writer);
    firmware_put(writer, elements, 1);
    return open;
}

size_t firmware_aml_method(struct firmware_writer *writer, const char *name)
{
    size_t open;

    firmware_put(writer, OP_METHOD, 1);
    open = open_length(writer);
    put_name(writer, name);
    firmware_put(writer, 0, 1); /* no arguments, not serialized */
    return open;
}

size_t firmware_aml_if(struct firmware_writer *writer, const char *name)
{
    size_t open;

    firmware_put(writer, OP_IF, 1);
    open = open_length(writer);
    put_name(writer, name);
    return open;
}

size_t firmware_aml_buffer(struct firmware_writer *writer, uint8_t bytes)
{
    size_t open;

    firmware_put(writer, OP_BUFFER, 1);
    open = open_length(writer);
    firmware_aml_integer(writer, bytes);
    return open;
}

size_t firmware_aml_field(struct firmware_writer *writer, const char *region)
{
    size_t open;

    firmware_put(writer, OP_EXTENDED, 1);
    firmware_put(writer, OP_EXTENDED_FIELD, 1);
    open = open_length(writer);
    put_name(writer, region);
    firmware_put(writer, FIELD_BYTES_AND_ZEROS, 1);
    return open;
}

void firmware_aml_bit(struct firmware_writer *writer, const char *name)
{
    put_name(writer, name);
    firmware_put(writer, 1, 1);
}

/* A ReservedField: its length is a PkgLength, but of bits. */
void firmware_aml_skip_bits(struct firmware_writer *writer, unsigned bits)
{
    CHECK(bits < 0x40);
    firmware_put(writer, 0, 1);
    firmware_put(writer, bits, 1);
}

void firmware_aml_ports(struct firmware_writer *writer, const char *name,
                        uint16_t port, uint8_t bytes)
{
    firmware_put(writer, OP_EXTENDED, 1);
    firmware_put(writer, OP_EXTENDED_REGION, 1);
    put_name(writer, name);
    firmware_put(writer, REGION_SYSTEM_IO, 1);
    firmware_aml_integer(writer, port);
    firmware_aml_integer(writer, bytes);
}

void firmware_aml_return(struct firmware_writer *writer, uint64_t value)
{
    firmware_put(writer, OP_RETURN, 1);
    firmware_aml_integer(writer, value);
}

void firmware_aml_set(struct firmware_writer *writer, const char *name)
{
    firmware_put(writer, OP_STORE, 1);
    firmware_aml_integer(writer, 1);
    put_name(writer, name);
}

void firmware_aml_notify(struct firmware_writer *writer, const char *name,
                         uint64_t value)
{
    firmware_put(writer, OP_NOTIFY, 1);
    put_name(writer, name);
    firmware_aml_integer(writer, value);
}

void firmware_aml_call(struct firmware_writer *writer, const char *scope,
                       const char *name)
{
    firmware_put(writer, OP_ROOT, 1);
    firmware_put(writer, OP_DUAL_NAME, 1);
    put_name(writer, scope);
    put_name(writer, name);
}

void firmware_aml_name(struct firmware_writer *writer, const char *name)
{
    firmware_put(writer, OP_NAME, 1);
    put_name(writer, name);
}

void firmware_aml_integer(struct firmware_writer *writer, uint64_t value)
{
    if (value <= 1) {
        firmware_put(writer, value ? OP_ONE : OP_ZERO, 1);
    } else if (value <= UINT8_MAX) {
        firmware_put(writer, OP_BYTE, 1);
        firmware_put(writer, value, 1);
    } else if (value <= UINT16_MAX) {
        firmware_put(writer, OP_WORD, 1);
        firmware_put(writer, value, 2);
    } else if (value <= UINT32_MAX) {
        firmware_put(writer, OP_DWORD, 1);
        firmware_put(writer, value, 4);
    } else {
        firmware_put(writer, OP_QWORD, 1);
        firmware_put(writer, value, 8);
    }
}

void firmware_aml_string(struct firmware_writer *writer, const char *text)
{
    firmware_put(writer, OP_STRING, 1);
    firmware_put_bytes(writer, text, strlen(text) + 1);
}

static uint32_t hex_digit(char digit)
{
    return (uint32_t)(digit <= '9' ? digit - '0' : digit - 'A' + 10);
}

/* A DWordConst, big-endian: five bits of each letter, then the digits. */
void firmware_aml_eisa_id(struct firmware_writer *writer, const char *id)
{
    uint32_t value = 0;

    CHECK(strlen(id) == 7);
    for (unsigned i = 0; i < 3; i++)
        value = value << 5 | ((uint32_t)(id[i] - '@') & 0x1f);
    for (unsigned i = 3; i < 7; i++)
        value = value << 4 | hex_digit(id[i]);
    firmware_put(writer, OP_DWORD, 1);
    firmware_put(writer, __builtin_bswap32(value), 4);
}

/* The buffer's size stands before its bytes: a BytePrefix integer, whose
 * value comes with the end. */
size_t firmware_aml_resources(struct firmware_writer *writer)
{
    size_t open;

    firmware_put(writer, OP_BUFFER, 1);
    open = open_length(writer);
    firmware_put(writer, OP_BYTE, 1);
    firmware_put(writer, 0, 1);
    return open;
}

void firmware_aml_resources_close(struct firmware_writer *writer, size_t open)
{
    size_t before = open + 3;

    firmware_put(writer, RESOURCE_END, 1);
    firmware_put(writer, 0, 1); /* no checksum */
    CHECK(writer->used - before <= UINT8_MAX);
    writer->bytes[before - 1] = (uint8_t)(writer->used - before);
    firmware_aml_close(writer, open);
}

/* A part of a resource descriptor. */
struct part {
    uint64_t value;
    unsigned bytes;
};

#define PUT(writer, ...)                                                       \
    put_parts(writer, (const struct part[]){__VA_ARGS__},                      \
              sizeof((const struct part[]){__VA_ARGS__}) /                     \
                  sizeof(struct part))

static void put_parts(struct firmware_writer *writer, const struct part *parts,
                      size_t count)
{
    for (size_t i = 0; i < count; i++)
        firmware_put(writer, parts[i].value, parts[i].bytes);
}

void firmware_aml_io(struct firmware_writer *writer, uint16_t first,
                     uint8_t count)
{
    PUT(writer, {RESOURCE_IO, 1}, {IO_DECODE_16, 1}, {first, 2} /* least */,
        {first, 2} /* most */, {1, 1} /* alignment */, {count, 1});
}

void firmware_aml_irq(struct firmware_writer *writer, unsigned irq)
{
    CHECK(irq < 16);
    PUT(writer, {RESOURCE_IRQ_NO_FLAGS, 1}, {UINT64_C(1) << irq, 2});
}

void firmware_aml_window(struct firmware_writer *writer, uint64_t first,
                         uint64_t bytes)
{
    PUT(writer, {RESOURCE_QWORD_SPACE, 1}, {QWORD_SPACE_BYTES, 2},
        {SPACE_MEMORY, 1}, {SPACE_PRODUCER_FIXED, 1},
        {SPACE_MEMORY_CACHEABLE_WRITABLE, 1}, {0, 8} /* granularity */,
        {first, 8}, {first + bytes - 1, 8}, {0, 8} /* translation */,
        {bytes, 8});
}
