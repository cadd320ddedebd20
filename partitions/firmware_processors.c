/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Processors that may be added while the VM runs (ACPI 6.5, sections 5.6 and
 * 8.4): a device for each that there may be, whose status is a bit of a port;
 * and the method of a general-purpose event, which notifies those that are new.
 */
#include <stdio.h>

#include "partitions/firmware_private.h"
#include "partitions/platform.h"

#define REGION "PRCR"
#define SCAN_METHOD "PSCN"
#define EVENT_METHOD "_E02" /* edge-triggered, PLATFORM_PROCESSORS_GPE */
#define STATUS_WORKING 0x0f /* present, enabled, shown, working */
#define NOTIFY_DEVICE_CHECK 1
#define PROCESSOR_BITS 64 /* of each of the two maps */

struct aml_name {
    char text[5];
};

/* "C00A": a device; "P00A", "E00A": its bits in the maps. */
static struct aml_name name_of(char what, uint32_t vp)
{
    struct aml_name name;

    snprintf(name.text, sizeof(name.text), "%c%03X", what, vp & 0xfff);
    return name;
}

static void put_bits(struct firmware_writer *writer, char what, uint32_t count)
{
    for (uint32_t vp = 0; vp < count; vp++)
        firmware_aml_bit(writer, name_of(what, vp).text);
    if (count < PROCESSOR_BITS)
        firmware_aml_skip_bits(writer, PROCESSOR_BITS - count);
}

static void put_processor(struct firmware_writer *writer, uint32_t vp)
{
    size_t device = firmware_aml_device(writer, name_of('C', vp).text);
    size_t open;

    firmware_aml_name(writer, "_HID");
    firmware_aml_string(writer, "ACPI0007");
    firmware_aml_name(writer, "_UID");
    firmware_aml_integer(writer, vp);
    firmware_aml_name(writer, "_MAT");
    open = firmware_aml_buffer(writer, FIRMWARE_LAPIC_BYTES);
    firmware_lapic(writer, vp, true);
    firmware_aml_close(writer, open);
    open = firmware_aml_method(writer, "_STA");
    {
        size_t there = firmware_aml_if(writer, name_of('P', vp).text);

        firmware_aml_return(writer, STATUS_WORKING);
        firmware_aml_close(writer, there);
    }
    firmware_aml_return(writer, 0);
    firmware_aml_close(writer, open);
    firmware_aml_close(writer, device);
}

/* The bit is cleared first: what comes after that is told by another event. */
static void put_scan(struct firmware_writer *writer, uint32_t count)
{
    size_t method = firmware_aml_method(writer, SCAN_METHOD);

    for (uint32_t vp = 0; vp < count; vp++) {
        size_t is_new = firmware_aml_if(writer, name_of('E', vp).text);

        firmware_aml_set(writer, name_of('E', vp).text);
        firmware_aml_notify(writer, name_of('C', vp).text, NOTIFY_DEVICE_CHECK);
        firmware_aml_close(writer, is_new);
    }
    firmware_aml_close(writer, method);
}

void firmware_processors(struct firmware_writer *writer,
                         const struct firmware_config *config)
{
    size_t field;

    if (!firmware_can_grow(config))
        return;
    firmware_aml_ports(writer, REGION, PLATFORM_PROCESSORS_PORT,
                       PLATFORM_PROCESSORS_BYTES);
    field = firmware_aml_field(writer, REGION);
    put_bits(writer, 'P', config->vp_count_max);
    put_bits(writer, 'E', config->vp_count_max);
    firmware_aml_close(writer, field);
    for (uint32_t vp = 0; vp < config->vp_count_max; vp++)
        put_processor(writer, vp);
    put_scan(writer, config->vp_count_max);
}

void firmware_processor_event(struct firmware_writer *writer,
                              const struct firmware_config *config)
{
    size_t scope;
    size_t method;

    if (!firmware_can_grow(config))
        return;
    scope = firmware_aml_scope(writer, "_GPE");
    method = firmware_aml_method(writer, EVENT_METHOD);
    firmware_aml_call(writer, "_SB_", SCAN_METHOD);
    firmware_aml_close(writer, method);
    firmware_aml_close(writer, scope);
}
