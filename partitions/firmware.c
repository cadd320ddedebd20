/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/firmware.h"

#include <string.h>

#include "partitions/firmware_private.h"
#include "partitions/platform.h"
#include "sim/core/check.h"

#define HEADER_BYTES 36
#define RSDP_BYTES 36
#define RSDP_BYTES_V1 20
#define FACS_BYTES 64
#define FACS_ALIGNMENT 64

#define OFFSET_LENGTH 4
#define OFFSET_CHECKSUM 9
#define RSDP_OFFSET_CHECKSUM 8
#define RSDP_OFFSET_EXTENDED_CHECKSUM 32

#define TABLES_MAX 4 /* that the XSDT lists */

static const char oem_id[6] = "HVSIM ";
static const char oem_table_id[8] = "HVSIM   ";
static const char creator_id[4] = "HVSM";

static uint64_t gpa_of(size_t at)
{
    return PLATFORM_TABLES_GPA + at;
}

/* Makes the sum of `bytes` bytes from `at` zero. */
static void set_checksum(struct firmware_writer *writer, size_t at,
                         size_t bytes, size_t checksum_offset)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + writer->bytes[at + i]);
    writer->bytes[at + checksum_offset] =
        (uint8_t)(writer->bytes[at + checksum_offset] - sum);
}

static void align(struct firmware_writer *writer, size_t alignment)
{
    while (writer->used % alignment)
        firmware_put(writer, 0, 1);
}

/* Section 5.2.6: every table but the RSDP and the FACS starts so. */
size_t firmware_open_table(struct firmware_writer *writer,
                           const char *signature, uint8_t revision)
{
    size_t at;

    align(writer, 8);
    at = writer->used;
    firmware_put_bytes(writer, signature, 4);
    firmware_put(writer, 0, 4); /* length */
    firmware_put(writer, revision, 1);
    firmware_put(writer, 0, 1); /* checksum */
    firmware_put_bytes(writer, oem_id, sizeof(oem_id));
    firmware_put_bytes(writer, oem_table_id, sizeof(oem_table_id));
    firmware_put(writer, 1, 4); /* revision of the OEM's */
    firmware_put_bytes(writer, creator_id, sizeof(creator_id));
    firmware_put(writer, 1, 4);
    CHECK(writer->used - at == HEADER_BYTES);
    return at;
}

void firmware_close_table(struct firmware_writer *writer, size_t at)
{
    uint32_t bytes = (uint32_t)(writer->used - at);

    memcpy(writer->bytes + at + OFFSET_LENGTH, &bytes, sizeof(bytes));
    set_checksum(writer, at, bytes, OFFSET_CHECKSUM);
}

/* Section 5.2.10: no checksum; the hardware signature tells nothing. */
static size_t put_facs(struct firmware_writer *writer)
{
    size_t at;

    align(writer, FACS_ALIGNMENT);
    at = writer->used;
    firmware_put_bytes(writer, "FACS", 4);
    firmware_put(writer, FACS_BYTES, 4);
    firmware_put_zeros(writer, 24);
    firmware_put(writer, 2, 1); /* version */
    firmware_put_zeros(writer, 31);
    CHECK(writer->used - at == FACS_BYTES);
    return at;
}

static size_t put_dsdt(struct firmware_writer *writer,
                       const struct firmware_config *config)
{
    size_t at = firmware_open_table(writer, "DSDT", 2);

    firmware_dsdt(writer, config);
    firmware_close_table(writer, at);
    return at;
}

/* Section 5.2.3.2: Generic Address Structure of an I/O port. */
#define SPACE_SYSTEM_IO 1

static void put_port(struct firmware_writer *writer, uint16_t port,
                     uint8_t bytes)
{
    firmware_put(writer, bytes ? SPACE_SYSTEM_IO : 0, 1);
    firmware_put(writer, UINT64_C(8) * bytes, 1);    /* register bits */
    firmware_put(writer, 0, 1);                      /* bit offset */
    firmware_put(writer, bytes == 4 ? 3 : bytes, 1); /* access size: 1, 2, 3 */
    firmware_put(writer, port, 8);
}

/* Section 5.2.9: flags of the FADT. */
#define FLAG_WBINVD (UINT32_C(1) << 0)
#define FLAG_PROC_C1 (UINT32_C(1) << 2)
#define FLAG_NO_POWER_BUTTON (UINT32_C(1) << 4)
#define FLAG_NO_SLEEP_BUTTON (UINT32_C(1) << 5)
#define FLAG_NO_FIXED_RTC_WAKE (UINT32_C(1) << 6)
#define FLAG_TMR_VAL_EXT (UINT32_C(1) << 8)
#define FLAG_RESET_REG_SUP (UINT32_C(1) << 10)

/* IA-PC boot architecture flags; 8042 and legacy devices are not set. */
#define BOOT_NO_VGA (1u << 2)
#define BOOT_NO_MSI (1u << 3)

#define NO_C2_LATENCY 101  /* µs: more than 100 means there is none */
#define NO_C3_LATENCY 1001 /* µs: likewise, more than 1000 */

#define PM1_EVENT_BYTES 4
#define PM1_CONTROL_BYTES 2
#define PM_TIMER_BYTES 4

/* The part that ACPI 1.0 had, up to the flags. */
static void put_fadt_v1(struct firmware_writer *writer, size_t facs,
                        size_t dsdt, bool gpe)
{
    firmware_put(writer, gpa_of(facs), 4);
    firmware_put(writer, gpa_of(dsdt), 4);
    firmware_put(writer, 0, 1);
    firmware_put(writer, 0, 1); /* preferred profile: unspecified */
    firmware_put(writer, PLATFORM_SCI_GSI, 2);
    firmware_put(writer, 0, 8); /* no SMI command port: ACPI is always on */
    firmware_put(writer, PLATFORM_PM1_EVENT_PORT, 4);
    firmware_put(writer, 0, 4);
    firmware_put(writer, PLATFORM_PM1_CONTROL_PORT, 4);
    firmware_put(writer, 0, 8); /* PM1b control, PM2 control */
    firmware_put(writer, PLATFORM_PM_TIMER_PORT, 4);
    firmware_put(writer, gpe ? PLATFORM_GPE0_PORT : 0, 4);
    firmware_put(writer, 0, 4); /* GPE1 */
    firmware_put(writer, PM1_EVENT_BYTES, 1);
    firmware_put(writer, PM1_CONTROL_BYTES, 1);
    firmware_put(writer, 0, 1);
    firmware_put(writer, PM_TIMER_BYTES, 1);
    firmware_put(writer, gpe ? PLATFORM_GPE0_BYTES : 0, 1);
    firmware_put(writer, 0, 3); /* GPE1's length and base, CST_CNT */
    firmware_put(writer, NO_C2_LATENCY, 2);
    firmware_put(writer, NO_C3_LATENCY, 2);
    firmware_put(writer, 0, 6); /* flush size and stride, duty cycle */
    firmware_put(writer, 0, 3); /* alarm and century registers of the RTC */
}

static size_t put_fadt(struct firmware_writer *writer, size_t facs, size_t dsdt,
                       bool gpe)
{
    size_t at = firmware_open_table(writer, "FACP", 6);

    put_fadt_v1(writer, facs, dsdt, gpe);
    firmware_put(writer, BOOT_NO_VGA | BOOT_NO_MSI, 2);
    firmware_put(writer, 0, 1);
    firmware_put(writer,
                 FLAG_WBINVD | FLAG_PROC_C1 | FLAG_NO_POWER_BUTTON |
                     FLAG_NO_SLEEP_BUTTON | FLAG_NO_FIXED_RTC_WAKE |
                     FLAG_TMR_VAL_EXT | FLAG_RESET_REG_SUP,
                 4);
    put_port(writer, PLATFORM_RESET_PORT, 1);
    firmware_put(writer, PLATFORM_RESET_VALUE, 1);
    firmware_put(writer, 0, 2); /* of ARM */
    firmware_put(writer, 5, 1); /* minor version: 6.5 */
    firmware_put(writer, 0, 8); /* the FACS is told of above */
    firmware_put(writer, gpa_of(dsdt), 8);
    put_port(writer, PLATFORM_PM1_EVENT_PORT, PM1_EVENT_BYTES);
    put_port(writer, 0, 0);
    put_port(writer, PLATFORM_PM1_CONTROL_PORT, PM1_CONTROL_BYTES);
    put_port(writer, 0, 0); /* PM1b control */
    put_port(writer, 0, 0); /* PM2 control */
    put_port(writer, PLATFORM_PM_TIMER_PORT, PM_TIMER_BYTES);
    put_port(writer, gpe ? PLATFORM_GPE0_PORT : 0,
             gpe ? PLATFORM_GPE0_BYTES : 0);
    for (unsigned i = 0; i < 3; i++)
        put_port(writer, 0, 0); /* GPE1, sleep control and status */
    firmware_put(writer, 0, 8); /* hypervisor vendor: CPUID tells it */
    firmware_close_table(writer, at);
    return at;
}

/* Section 5.2.12: interrupt controller structures. */
#define MADT_PCAT_COMPAT 1 /* there are 8259s too */
#define MADT_LAPIC 0
#define MADT_LAPIC_ENABLED 1
#define MADT_LAPIC_ONLINE_CAPABLE 2
#define MADT_IOAPIC 1
#define MADT_OVERRIDE 2
#define MADT_LAPIC_NMI 4
#define MADT_ALL_PROCESSORS 0xff
#define MPS_CONFORMING 0x0
#define MPS_ACTIVE_HIGH_LEVEL 0xd

static void put_override(struct firmware_writer *writer, uint8_t irq,
                         uint32_t gsi, uint16_t mps_flags)
{
    firmware_put(writer, MADT_OVERRIDE, 1);
    firmware_put(writer, 10, 1);
    firmware_put(writer, 0, 1); /* ISA */
    firmware_put(writer, irq, 1);
    firmware_put(writer, gsi, 4);
    firmware_put(writer, mps_flags, 2);
}

void firmware_lapic(struct firmware_writer *writer, uint32_t vp, bool is_there)
{
    firmware_put(writer, MADT_LAPIC, 1);
    firmware_put(writer, FIRMWARE_LAPIC_BYTES, 1);
    firmware_put(writer, vp, 1); /* processor UID */
    firmware_put(writer, vp, 1); /* APIC id */
    firmware_put(writer,
                 is_there ? MADT_LAPIC_ENABLED : MADT_LAPIC_ONLINE_CAPABLE, 4);
}

/* APIC ids are below 255, so these entries serve in x2APIC mode too. */
static size_t put_madt(struct firmware_writer *writer,
                       const struct firmware_config *config)
{
    size_t at = firmware_open_table(writer, "APIC", 6);

    firmware_put(writer, PLATFORM_LAPIC_GPA, 4);
    firmware_put(writer, MADT_PCAT_COMPAT, 4);
    for (uint32_t i = 0; i < config->vp_count_max; i++)
        firmware_lapic(writer, i, i < config->vp_count);
    firmware_put(writer, MADT_IOAPIC, 1);
    firmware_put(writer, 12, 1);
    firmware_put(writer, 0, 2); /* id */
    firmware_put(writer, PLATFORM_IOAPIC_GPA, 4);
    firmware_put(writer, 0, 4); /* its first GSI */
    put_override(writer, 0, PLATFORM_PIT_GSI, MPS_CONFORMING);
    put_override(writer, PLATFORM_SCI_GSI, PLATFORM_SCI_GSI,
                 MPS_ACTIVE_HIGH_LEVEL);
    firmware_put(writer, MADT_LAPIC_NMI, 1);
    firmware_put(writer, 6, 1);
    firmware_put(writer, MADT_ALL_PROCESSORS, 1);
    firmware_put(writer, MPS_CONFORMING, 2);
    firmware_put(writer, 1, 1); /* LINT1 */
    firmware_close_table(writer, at);
    return at;
}

static size_t put_xsdt(struct firmware_writer *writer, const size_t *tables,
                       size_t count)
{
    size_t at = firmware_open_table(writer, "XSDT", 1);

    for (size_t i = 0; i < count; i++)
        firmware_put(writer, gpa_of(tables[i]), 8);
    firmware_close_table(writer, at);
    return at;
}

/* Section 5.2.5.3: two checksums, of the part that ACPI 1.0 had and of all. */
static void put_rsdp(struct firmware_writer *writer, size_t xsdt)
{
    size_t at = writer->used;

    firmware_put_bytes(writer, "RSD PTR ", 8);
    firmware_put(writer, 0, 1); /* checksum */
    firmware_put_bytes(writer, oem_id, sizeof(oem_id));
    firmware_put(writer, 2, 1); /* revision */
    firmware_put(writer, 0, 4); /* no RSDT */
    firmware_put(writer, RSDP_BYTES, 4);
    firmware_put(writer, gpa_of(xsdt), 8);
    firmware_put(writer, 0, 4); /* checksum of all, reserved */
    CHECK(writer->used - at == RSDP_BYTES);
    set_checksum(writer, at, RSDP_BYTES_V1, RSDP_OFFSET_CHECKSUM);
    set_checksum(writer, at, RSDP_BYTES, RSDP_OFFSET_EXTENDED_CHECKSUM);
}

size_t firmware_build(const struct firmware_config *config,
                      uint8_t to[static FIRMWARE_BYTES_MAX])
{
    /* The RSDP, at the start, is written when the rest has its places. */
    struct firmware_writer rsdp = {.room = RSDP_BYTES};
    struct firmware_writer writer = {.used = RSDP_BYTES,
                                     .room = FIRMWARE_BYTES_MAX};
    size_t tables[TABLES_MAX];
    size_t count = 0;
    size_t facs;
    size_t dsdt;

    rsdp.bytes = to;
    writer.bytes = to;
    facs = put_facs(&writer);
    dsdt = put_dsdt(&writer, config);
    CHECK(config->vp_count > 0 && config->vp_count <= config->vp_count_max);
    CHECK(config->vp_count_max <= FIRMWARE_VPS_MAX);
    CHECK(config->node_count > 0 && config->node_count <= config->vp_count);
    tables[count++] = put_fadt(&writer, facs, dsdt, firmware_can_grow(config));
    tables[count++] = put_madt(&writer, config);
    if (config->node_count > 1) {
        tables[count++] = firmware_srat(&writer, config);
        tables[count++] = firmware_slit(&writer, config);
    }
    put_rsdp(&rsdp, put_xsdt(&writer, tables, count));
    return writer.used;
}
