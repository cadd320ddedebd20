/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "partitions/firmware.h"
#include "partitions/platform.h"

#define GIB (UINT64_C(1) << 30)
#define HEADER_BYTES 36

/* Tables as a guest finds them: only by what they say of each other. */
struct tables {
    uint8_t bytes[FIRMWARE_BYTES_MAX];
    size_t size;
};

static void build_growing(struct tables *tables, uint32_t vps, uint32_t most,
                          uint32_t nodes, uint64_t memory_bytes)
{
    uint64_t low_bytes = memory_bytes < 3 * GIB ? memory_bytes : 3 * GIB;
    const struct firmware_config config = {
        .vp_count = vps,
        .vp_count_max = most,
        .node_count = nodes,
        .low_bytes = low_bytes,
        .high_bytes = memory_bytes - low_bytes,
    };

    memset(tables, 0, sizeof(*tables));
    tables->size = firmware_build(&config, tables->bytes);
    assert_true(tables->size <= FIRMWARE_BYTES_MAX);
}

static void build_nodes(struct tables *tables, uint32_t vps, uint32_t nodes,
                        uint64_t memory_bytes)
{
    build_growing(tables, vps, vps, nodes, memory_bytes);
}

static void build(struct tables *tables, uint32_t vps, uint64_t memory_bytes)
{
    build_nodes(tables, vps, 1, memory_bytes);
}

static const uint8_t *at(const struct tables *tables, uint64_t gpa,
                         size_t bytes)
{
    assert_true(gpa >= PLATFORM_TABLES_GPA);
    assert_true(gpa - PLATFORM_TABLES_GPA <= tables->size - bytes);
    return tables->bytes + (gpa - PLATFORM_TABLES_GPA);
}

static uint64_t number(const uint8_t *from, size_t bytes)
{
    uint64_t value = 0;

    memcpy(&value, from, bytes);
    return value;
}

static uint8_t sum(const uint8_t *from, size_t bytes)
{
    uint8_t total = 0;

    while (bytes-- > 0)
        total = (uint8_t)(total + *from++);
    return total;
}

/* The table at `gpa`, which is whole and called so. */
static const uint8_t *table_at(const struct tables *tables, uint64_t gpa,
                               const char *signature)
{
    const uint8_t *table = at(tables, gpa, HEADER_BYTES);
    size_t bytes = number(table + 4, 4);

    at(tables, gpa, bytes);
    assert_memory_equal(table, signature, 4);
    assert_int_equal(sum(table, bytes), 0);
    return table;
}

/* Where the XSDT says that the table is; 0 if it is not listed. */
static uint64_t gpa_of(const struct tables *tables, const char *signature)
{
    uint64_t xsdt_gpa = number(tables->bytes + 24, 8);
    const uint8_t *xsdt = table_at(tables, xsdt_gpa, "XSDT");

    for (size_t i = HEADER_BYTES; i < number(xsdt + 4, 4); i += 8) {
        uint64_t gpa = number(xsdt + i, 8);

        if (memcmp(at(tables, gpa, 4), signature, 4) == 0)
            return gpa;
    }
    return 0;
}

static const uint8_t *find(const struct tables *tables, const char *signature)
{
    return table_at(tables, gpa_of(tables, signature), signature);
}

static void the_root_pointer_is_first_and_has_both_checksums(void **state)
{
    struct tables tables;

    (void)state;
    build(&tables, 1, 4 * GIB);
    assert_memory_equal(tables.bytes, "RSD PTR ", 8);
    assert_int_equal(tables.bytes[15], 2);
    assert_int_equal(number(tables.bytes + 20, 4), 36);
    assert_int_equal(sum(tables.bytes, 20), 0);
    assert_int_equal(sum(tables.bytes, 36), 0);
}

static void the_fixed_hardware_is_where_the_platform_has_it(void **state)
{
    struct tables tables;
    const uint8_t *fadt;

    (void)state;
    build(&tables, 1, 4 * GIB);
    fadt = find(&tables, "FACP");
    assert_int_equal(number(fadt + 4, 4), 276);
    assert_int_equal(fadt[8], 6);
    assert_int_equal(number(fadt + 46, 2), PLATFORM_SCI_GSI);
    assert_int_equal(number(fadt + 56, 4), PLATFORM_PM1_EVENT_PORT);
    assert_int_equal(number(fadt + 64, 4), PLATFORM_PM1_CONTROL_PORT);
    assert_int_equal(number(fadt + 76, 4), PLATFORM_PM_TIMER_PORT);
    assert_int_equal(fadt[88], 4); /* PM1_EVT_LEN */
    assert_int_equal(fadt[89], 2); /* PM1_CNT_LEN */
    assert_int_equal(fadt[91], 4); /* PM_TMR_LEN */
    /* IAPC_BOOT_ARCH: no VGA, no MSI, no 8042, an RTC. */
    assert_int_equal(number(fadt + 109, 2), 0x0c);
    /* WBINVD, C1, no fixed buttons, no fixed RTC, 32-bit timer, reset
     * register; not hardware-reduced. */
    assert_int_equal(number(fadt + 112, 4), 0x575);
    assert_int_equal(fadt[116], 1); /* RESET_REG: an I/O port */
    assert_int_equal(fadt[117], 8);
    assert_int_equal(number(fadt + 120, 8), PLATFORM_RESET_PORT);
    assert_int_equal(fadt[128], PLATFORM_RESET_VALUE);
    assert_int_equal(number(fadt + 152, 8), PLATFORM_PM1_EVENT_PORT);
    assert_int_equal(fadt[149], 32);
    assert_int_equal(number(fadt + 176, 8), PLATFORM_PM1_CONTROL_PORT);
    assert_int_equal(fadt[173], 16);
    assert_int_equal(number(fadt + 212, 8), PLATFORM_PM_TIMER_PORT);
    assert_int_equal(fadt[209], 32);
}

static void the_fadt_leads_to_the_facs_and_the_dsdt(void **state)
{
    struct tables tables;
    const uint8_t *fadt;
    const uint8_t *facs;

    (void)state;
    build(&tables, 1, 4 * GIB);
    fadt = find(&tables, "FACP");
    assert_int_equal(number(fadt + 36, 4) % 64, 0);
    facs = at(&tables, number(fadt + 36, 4), 64);
    assert_memory_equal(facs, "FACS", 4);
    assert_int_equal(number(facs + 4, 4), 64);
    table_at(&tables, number(fadt + 40, 4), "DSDT");
    assert_int_equal(number(fadt + 140, 8), number(fadt + 40, 4));
}

/* Counts the MADT's structures of `type`, and gives the last. */
static unsigned structures(const struct tables *tables, uint8_t type,
                           const uint8_t **last)
{
    const uint8_t *madt = find(tables, "APIC");
    size_t bytes = number(madt + 4, 4);
    unsigned count = 0;
    size_t i = 44;

    *last = madt;
    for (; i < bytes; i += madt[i + 1]) {
        assert_true(madt[i + 1] >= 2);
        if (madt[i] == type) {
            count++;
            *last = madt + i;
        }
    }
    assert_int_equal(i, bytes);
    return count;
}

static void every_virtual_processor_has_its_apic_however_many(void **state)
{
    (void)state;
    for (uint32_t vps = 1; vps <= FIRMWARE_VPS_MAX; vps++) {
        struct tables tables;
        const uint8_t *apic;

        build(&tables, vps, 64 * GIB);
        assert_int_equal(structures(&tables, 0, &apic), vps);
        assert_int_equal(apic[2], vps - 1); /* processor UID */
        assert_int_equal(apic[3], vps - 1); /* APIC id */
        assert_int_equal(number(apic + 4, 4), 1);
    }
}

static void interrupts_are_told_as_they_are_wired(void **state)
{
    struct tables tables;
    const uint8_t *entry;
    const uint8_t *madt;

    (void)state;
    build(&tables, 2, 4 * GIB);
    madt = find(&tables, "APIC");
    assert_int_equal(number(madt + 36, 4), PLATFORM_LAPIC_GPA);
    assert_int_equal(number(madt + 40, 4), 1); /* 8259s too */
    assert_int_equal(structures(&tables, 1, &entry), 1);
    assert_int_equal(number(entry + 4, 4), PLATFORM_IOAPIC_GPA);
    assert_int_equal(number(entry + 8, 4), 0);
    assert_int_equal(structures(&tables, 2, &entry), 2);
    assert_int_equal(entry[3], 9); /* the SCI: level, active high */
    assert_int_equal(number(entry + 4, 4), PLATFORM_SCI_GSI);
    assert_int_equal(number(entry + 8, 2), 0x0d);
    entry -= 10; /* IRQ 0 */
    assert_int_equal(entry[0], 2);
    assert_int_equal(entry[3], 0);
    assert_int_equal(number(entry + 4, 4), PLATFORM_PIT_GSI);
}

static void the_window_for_devices_lies_above_all_memory(void **state)
{
    static const uint64_t sizes[] = {3 * GIB, 3 * GIB + 1, 64 * GIB};
    static const uint64_t starts[] = {4 * GIB, 5 * GIB, 65 * GIB};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const uint64_t window[] = {starts[i], starts[i] + GIB - 1};
        struct tables tables;

        build(&tables, 1, sizes[i]);
        assert_non_null(
            memmem(tables.bytes, tables.size, window, sizeof(window)));
    }
}

static void one_node_needs_no_tables_of_nodes(void **state)
{
    struct tables tables;

    (void)state;
    build(&tables, 4, 8 * GIB);
    assert_int_equal(gpa_of(&tables, "SRAT"), 0);
    assert_int_equal(gpa_of(&tables, "SLIT"), 0);
}

static void two_nodes_have_half_of_all_and_are_twice_as_far(void **state)
{
    static const uint64_t memory[][3] = {
        {0, 0, 3 * GIB},
        {0, 4 * GIB, 1 * GIB},
        {1, 5 * GIB, 4 * GIB},
    };
    static const uint8_t distances[] = {10, 20, 20, 10};
    struct tables tables;
    const uint8_t *entry;

    (void)state;
    build_nodes(&tables, 5, 2, 8 * GIB);
    assert_memory_equal(find(&tables, "SLIT") + 44, distances, 4);
    entry = find(&tables, "SRAT") + 48;
    for (unsigned vp = 0; vp < 5; vp++, entry += 16) {
        assert_int_equal(number(entry, 2), 16 << 8);
        assert_int_equal(entry[2], vp < 3 ? 0 : 1);
        assert_int_equal(entry[3], vp);
        assert_int_equal(number(entry + 4, 4), 1);
    }
    for (unsigned i = 0; i < 3; i++, entry += 40) {
        assert_int_equal(number(entry, 2), 40 << 8 | 1);
        assert_int_equal(number(entry + 2, 4), memory[i][0]);
        assert_int_equal(number(entry + 8, 8), memory[i][1]);
        assert_int_equal(number(entry + 16, 8), memory[i][2]);
        assert_int_equal(number(entry + 28, 4), 1);
    }
    assert_ptr_equal(entry, find(&tables, "SRAT") +
                                number(find(&tables, "SRAT") + 4, 4));
}

static void memory_of_all_nodes_is_all_memory_however_many(void **state)
{
    (void)state;
    for (uint32_t nodes = 2; nodes <= FIRMWARE_VPS_MAX; nodes++) {
        struct tables tables;
        const uint8_t *srat;
        uint64_t bytes = 0;

        build_nodes(&tables, FIRMWARE_VPS_MAX, nodes, 5 * GIB);
        srat = find(&tables, "SRAT");
        for (size_t i = 48; i < number(srat + 4, 4); i += srat[i + 1]) {
            if (srat[i] == 1)
                bytes += number(srat + i + 16, 8);
        }
        assert_int_equal(bytes, 5 * GIB);
        assert_int_equal(number(find(&tables, "SLIT") + 4, 4),
                         44 + nodes * nodes);
    }
}

#define DSDT_BYTES_MAX 4096

/* What ACPICA's compiler makes of dsdt.asl, in a folder that it leaves as it
 * was. -f: it takes no _HID "VMBus", which is what Hyper-V's has. */
static size_t compile(const char *source, uint8_t aml[DSDT_BYTES_MAX])
{
    char folder[] = "/tmp/hvsim-firmware-XXXXXX";
    char path[64], command[512];
    FILE *file;
    size_t bytes;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/dsdt.aml", folder);
    snprintf(command, sizeof(command), "%s -f -ve -p %s %s/%s >/dev/null 2>&1",
             HVSIM_IASL, path, HVSIM_SOURCE_DIR "/tests/partitions", source);
    /* NOLINTNEXTLINE(cert-env33-c): the command has nothing from outside. */
    assert_int_equal(system(command), 0);
    file = fopen(path, "rb");
    assert_non_null(file);
    bytes = fread(aml, 1, DSDT_BYTES_MAX, file);
    fclose(file);
    assert_int_equal(remove(path), 0);
    assert_int_equal(remove(folder), 0);
    return bytes;
}

static void
the_definition_block_is_what_a_compiler_makes_of_its_source(void **state)
{
    struct tables tables;
    uint8_t aml[DSDT_BYTES_MAX];
    const uint8_t *dsdt;
    size_t bytes;

    (void)state;
    if (strlen(HVSIM_IASL) == 0) {
        print_message("iasl (acpica-tools) is not installed\n");
        skip();
    }
    bytes = compile("dsdt.asl", aml);
    build(&tables, 1, 4 * GIB + GIB / 2);
    dsdt = table_at(&tables, number(find(&tables, "FACP") + 40, 4), "DSDT");
    assert_int_equal(number(dsdt + 4, 4), bytes);
    assert_memory_equal(dsdt + HEADER_BYTES, aml + HEADER_BYTES,
                        bytes - HEADER_BYTES);
}

/* What a compiler makes of the additions stands behind the rest, but for the
 * scope that they share: its length differs. */
static void processors_that_may_come_are_as_a_compiler_has_them(void **state)
{
    enum { SCOPE_BYTES = 7 }; /* op, a length of two bytes, name */
    struct tables tables;
    uint8_t aml[DSDT_BYTES_MAX];
    const uint8_t *dsdt;
    size_t bytes, added;

    (void)state;
    if (strlen(HVSIM_IASL) == 0) {
        print_message("iasl (acpica-tools) is not installed\n");
        skip();
    }
    bytes = compile("dsdt_processors.asl", aml);
    added = bytes - HEADER_BYTES - SCOPE_BYTES;
    build_growing(&tables, 1, 3, 1, 4 * GIB);
    dsdt = table_at(&tables, number(find(&tables, "FACP") + 40, 4), "DSDT");
    bytes = number(dsdt + 4, 4);
    assert_memory_equal(dsdt + bytes - added, aml + HEADER_BYTES + SCOPE_BYTES,
                        added);
}

static void
the_madt_tells_processors_that_are_from_those_that_may_be(void **state)
{
    struct tables tables;
    const uint8_t *entry;

    (void)state;
    build_growing(&tables, 2, 5, 1, 4 * GIB);
    assert_int_equal(structures(&tables, 0, &entry), 5);
    for (uint32_t vp = 5; vp-- > 0; entry -= 8) {
        assert_int_equal(entry[2], vp);
        assert_int_equal(entry[3], vp);
        assert_int_equal(number(entry + 4, 4), vp < 2 ? 1 : 2);
    }
}

static void the_event_block_is_there_if_processors_may_come(void **state)
{
    struct tables tables;
    const uint8_t *fadt;

    (void)state;
    build_growing(&tables, 1, 2, 1, 4 * GIB);
    fadt = find(&tables, "FACP");
    assert_int_equal(number(fadt + 80, 4), PLATFORM_GPE0_PORT);
    assert_int_equal(fadt[92], PLATFORM_GPE0_BYTES);
    assert_int_equal(number(fadt + 224, 8), PLATFORM_GPE0_PORT);
    build(&tables, 1, 4 * GIB);
    fadt = find(&tables, "FACP");
    assert_int_equal(number(fadt + 80, 4), 0);
    assert_int_equal(fadt[92], 0);
    assert_int_equal(number(fadt + 224, 8), 0);
}

/* Lengths of one to three bytes in the definition block, and all at once. */
static void tables_of_any_size_are_whole(void **state)
{
    (void)state;
    for (uint32_t most = 2; most <= FIRMWARE_VPS_MAX; most++) {
        struct tables tables;

        build_growing(&tables, most - 1, most, most - 1, 5 * GIB);
        table_at(&tables, number(find(&tables, "FACP") + 40, 4), "DSDT");
        if (most > 2)
            assert_int_not_equal(gpa_of(&tables, "SRAT"), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_root_pointer_is_first_and_has_both_checksums),
        cmocka_unit_test(the_fixed_hardware_is_where_the_platform_has_it),
        cmocka_unit_test(the_fadt_leads_to_the_facs_and_the_dsdt),
        cmocka_unit_test(processors_that_may_come_are_as_a_compiler_has_them),
        cmocka_unit_test(
            the_madt_tells_processors_that_are_from_those_that_may_be),
        cmocka_unit_test(the_event_block_is_there_if_processors_may_come),
        cmocka_unit_test(tables_of_any_size_are_whole),
        cmocka_unit_test(every_virtual_processor_has_its_apic_however_many),
        cmocka_unit_test(interrupts_are_told_as_they_are_wired),
        cmocka_unit_test(the_window_for_devices_lies_above_all_memory),
        cmocka_unit_test(one_node_needs_no_tables_of_nodes),
        cmocka_unit_test(two_nodes_have_half_of_all_and_are_twice_as_far),
        cmocka_unit_test(memory_of_all_nodes_is_all_memory_however_many),
        cmocka_unit_test(
            the_definition_block_is_what_a_compiler_makes_of_its_source),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
