/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * The VM's definition block: what cannot be found by probing. The same as ASL
 * stands in tests/partitions/dsdt.asl.
 */
#include "partitions/firmware_private.h"
#include "partitions/platform.h"

#define COM1_PORT 0x3f8
#define COM1_PORTS 8
#define RTC_PORT 0x70
#define RTC_PORTS 2

/* Where VMBus channels may place memory of devices: below the IOAPIC, and
 * above all memory. */
#define LOW_WINDOW_GPA UINT64_C(0xf8000000)
#define HIGH_GPA (UINT64_C(4) << 30)
#define HIGH_WINDOW_ALIGNMENT (UINT64_C(1) << 30)
#define HIGH_WINDOW_BYTES (UINT64_C(1) << 30)

/* Name (_S5, Package () {SLP_TYPa, SLP_TYPb, 0, 0}) */
static void put_s5(struct firmware_writer *writer)
{
    size_t package;

    firmware_aml_name(writer, "_S5_");
    package = firmware_aml_package(writer, 4);
    firmware_aml_integer(writer, PLATFORM_S5_SLEEP_TYPE);
    firmware_aml_integer(writer, 0);
    firmware_aml_integer(writer, 0);
    firmware_aml_integer(writer, 0);
    firmware_aml_close(writer, package);
}

/* The bus takes its windows from a module device above it, as on Hyper-V: a
 * driver looks for them there. Linux wants the bus to have a _CRS too, and is
 * content with an empty one. */
static void put_vmbus(struct firmware_writer *writer,
                      const struct firmware_config *config)
{
    uint64_t high =
        (HIGH_GPA + config->high_bytes + HIGH_WINDOW_ALIGNMENT - 1) &
        ~(HIGH_WINDOW_ALIGNMENT - 1);
    size_t module = firmware_aml_device(writer, "VMOD");
    size_t bus;
    size_t resources;

    firmware_aml_name(writer, "_HID");
    firmware_aml_string(writer, "ACPI0004");
    firmware_aml_name(writer, "_UID");
    firmware_aml_integer(writer, 0);
    firmware_aml_name(writer, "_CRS");
    resources = firmware_aml_resources(writer);
    firmware_aml_window(writer, LOW_WINDOW_GPA,
                        PLATFORM_IOAPIC_GPA - LOW_WINDOW_GPA);
    firmware_aml_window(writer, high, HIGH_WINDOW_BYTES);
    firmware_aml_resources_close(writer, resources);

    bus = firmware_aml_device(writer, "VMBS");
    firmware_aml_name(writer, "_HID");
    firmware_aml_string(writer, "VMBus");
    firmware_aml_name(writer, "_UID");
    firmware_aml_integer(writer, 0);
    firmware_aml_name(writer, "_STA");
    firmware_aml_integer(writer, 0x0f); /* present, enabled, shown, working */
    firmware_aml_name(writer, "_CRS");
    resources = firmware_aml_resources(writer);
    firmware_aml_resources_close(writer, resources);
    firmware_aml_close(writer, bus);
    firmware_aml_close(writer, module);
}

/* A device of the PC with ports and an interrupt. */
static void put_pc_device(struct firmware_writer *writer, const char *name,
                          const char *id, uint16_t port, uint8_t ports,
                          unsigned irq)
{
    size_t device = firmware_aml_device(writer, name);
    size_t resources;

    firmware_aml_name(writer, "_HID");
    firmware_aml_eisa_id(writer, id);
    firmware_aml_name(writer, "_UID");
    firmware_aml_integer(writer, 1);
    firmware_aml_name(writer, "_CRS");
    resources = firmware_aml_resources(writer);
    firmware_aml_io(writer, port, ports);
    firmware_aml_irq(writer, irq);
    firmware_aml_resources_close(writer, resources);
    firmware_aml_close(writer, device);
}

void firmware_dsdt(struct firmware_writer *writer,
                   const struct firmware_config *config)
{
    size_t scope;

    put_s5(writer);
    scope = firmware_aml_scope(writer, "_SB_");
    put_vmbus(writer, config);
    put_pc_device(writer, "COM1", "PNP0501", COM1_PORT, COM1_PORTS,
                  PLATFORM_UART_GSI);
    put_pc_device(writer, "RTC0", "PNP0B00", RTC_PORT, RTC_PORTS,
                  PLATFORM_RTC_GSI);
    firmware_processors(writer, config);
    firmware_aml_close(writer, scope);
    firmware_processor_event(writer, config);
}
