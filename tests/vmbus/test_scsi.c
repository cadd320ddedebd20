/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmbus/scsi.h"

#define SECTORS 4096u
#define SENSE(key, asc, ascq) ((key) << 16 | (asc) << 8 | (ascq))
#define ILLEGAL(asc) SENSE(5, asc, 0)
#define INVALID_FIELD ILLEGAL(0x24)
#define GUEST_BYTES (SCSI_TRANSFER_BYTES_MAX + 512)

/* A unit, and the guest memory that commands work on. */
static struct scsi_lun lun;
static uint8_t guest[GUEST_BYTES];
static bool guest_is_there;
static struct scsi_result result;

static bool read_guest(void *context, uint32_t offset, void *to, uint32_t size)
{
    (void)context;
    assert_true(offset <= sizeof(guest) && size <= sizeof(guest) - offset);
    memcpy(to, guest + offset, size);
    return guest_is_there;
}

static bool write_guest(void *context, uint32_t offset, const void *from,
                        uint32_t size)
{
    (void)context;
    assert_true(offset <= sizeof(guest) && size <= sizeof(guest) - offset);
    memcpy(guest + offset, from, size);
    return guest_is_there;
}

static const struct scsi_data all_of_guest = {NULL, GUEST_BYTES, read_guest,
                                              write_guest};

static void create_unit(uint64_t bytes)
{
    struct disk_config config = {.bytes = bytes};
    struct sim_error error;

    lun = (struct scsi_lun){.identity = {0x1a, 0x78, 0xb3, 0xf8, 5, 6, 7, 8, 9,
                                         10, 11, 12, 13, 14, 15, 0xfe}};
    assert_int_equal(
        disk_create(&lun.disk, &config, (struct sim_clock){1000000000}, &error),
        SIM_OK);
    memset(guest, 0xee, sizeof(guest));
    guest_is_there = true;
}

static int create(void **state)
{
    (void)state;
    create_unit(SECTORS * DISK_SECTOR_BYTES);
    return 0;
}

static int destroy(void **state)
{
    (void)state;
    disk_free(lun.disk);
    return 0;
}

static void execute_with_room(const uint8_t *cdb, uint32_t room)
{
    struct scsi_data data = all_of_guest;

    data.bytes = room;
    result = scsi_execute(&lun, cdb, &data);
}

/* Executes the command of these bytes, and zeroes behind them. */
#define EXECUTE(...)                                                           \
    execute_with_room((const uint8_t[SCSI_CDB_BYTES]){__VA_ARGS__}, GUEST_BYTES)

static void good(uint32_t bytes)
{
    assert_int_equal(result.status, SCSI_GOOD);
    assert_int_equal(result.bytes, bytes);
    assert_false(result.overrun);
}

static void failed(int sense)
{
    assert_int_equal(result.status, SCSI_CHECK_CONDITION);
    assert_int_equal(result.bytes, 0);
    assert_int_equal(result.work, SCSI_NO_MEDIUM);
    assert_int_equal(result.sense[0], 0x70);
    assert_int_equal(result.sense[7], 10);
    assert_int_equal(SENSE(result.sense[2], result.sense[12], result.sense[13]),
                     sense);
}

static uint32_t be16(unsigned at)
{
    return (uint32_t)guest[at] << 8 | guest[at + 1];
}

static uint32_t be32(unsigned at)
{
    return be16(at) << 16 | be16(at + 2);
}

static void put_be16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static void put_be32(uint8_t *to, uint32_t value)
{
    put_be16(to, value >> 16);
    put_be16(to + 2, value);
}

static void inquiry_names_a_microsoft_disk(void **state)
{
    (void)state;
    EXECUTE(0x12, 0, 0, 0, 96);
    good(96);
    assert_int_equal(guest[0], 0); /* direct access, connected */
    assert_int_equal(guest[2], 5); /* SPC-3 */
    assert_int_equal(guest[3], 2);
    assert_int_equal(guest[4], 91);
    assert_memory_equal(&guest[8], "Msft    Virtual Disk    1.0 ", 28);
    assert_int_equal(result.work, SCSI_NO_MEDIUM);
}

static void an_answer_ends_where_the_guest_says(void **state)
{
    (void)state;
    EXECUTE(0x12, 0, 0, 0, 36);
    good(36);
    assert_int_equal(guest[36], 0xee);
    execute_with_room((const uint8_t[16]){0x12, 0, 0, 0, 96}, 5);
    good(5);
    execute_with_room((const uint8_t[16]){0x12, 0, 0, 0, 96}, 0);
    good(0);
    EXECUTE(0x12, 0, 0, 0, 0);
    good(0);
}

static void inquiry_with_fields_it_has_not_is_refused(void **state)
{
    (void)state;
    EXECUTE(0x12, 0, 0x80, 0, 96); /* a page without EVPD */
    failed(INVALID_FIELD);
    EXECUTE(0x12, 1, 0xb3, 0, 96); /* no such page */
    failed(INVALID_FIELD);
    EXECUTE(0x12, 2, 0, 0, 96); /* command support data */
    failed(INVALID_FIELD);
}

static void vital_product_data_lists_its_pages(void **state)
{
    static const uint8_t pages[] = {0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2};

    (void)state;
    EXECUTE(0x12, 1, 0, 0, 255);
    good(4 + sizeof(pages));
    assert_memory_equal(&guest[4], pages, sizeof(pages));
    for (unsigned i = 0; i < sizeof(pages); i++) {
        execute_with_room((const uint8_t[16]){0x12, 1, pages[i], 0, 255},
                          GUEST_BYTES);
        good(4 + be16(2));
        assert_int_equal(guest[1], pages[i]);
    }
}

static void a_unit_has_names_of_its_own(void **state)
{
    (void)state;
    EXECUTE(0x12, 1, 0x80, 0, 255);
    good(4 + 32);
    assert_memory_equal(&guest[4], "1a78b3f8050607", 14);
    EXECUTE(0x12, 1, 0x83, 0, 255);
    good(4 + 28 + 20);
    /* A vendor's name, then an NAA name, both binary and of the unit. */
    assert_memory_equal(&guest[4], "\x01\x01\x00\x18MSFT    \x1a\x78", 14);
    assert_memory_equal(&guest[32], "\x01\x03\x00\x10\x60\x02\x24\x80", 8);
    assert_memory_equal(&guest[40], lun.identity, 6);
    assert_memory_equal(&guest[46], lun.identity + 10, 6);
}

static void limits_are_those_that_hold(void **state)
{
    (void)state;
    EXECUTE(0x12, 1, 0xb0, 0, 255);
    good(64);
    assert_int_equal(be32(8) * DISK_SECTOR_BYTES, SCSI_TRANSFER_BYTES_MAX);
    assert_int_equal(be32(20), SCSI_UNMAP_SECTORS_MAX);
    assert_int_equal(be32(24), SCSI_UNMAP_DESCRIPTORS_MAX);
    assert_int_equal(be32(28), 8);
    EXECUTE(0x12, 1, 0xb1, 0, 255);
    good(64);
    assert_int_equal(be16(4), 1);
    EXECUTE(0x12, 1, 0xb2, 0, 255);
    good(8);
    assert_int_equal(guest[5], 0x84);
    assert_int_equal(guest[6], 2);
}

static void capacity_is_the_last_sector(void **state)
{
    (void)state;
    EXECUTE(0x25);
    good(8);
    assert_int_equal(be32(0), SECTORS - 1);
    assert_int_equal(be32(4), DISK_SECTOR_BYTES);
    EXECUTE(0x9e, 0x10, [13] = 32);
    good(32);
    assert_int_equal(be32(0), 0);
    assert_int_equal(be32(4), SECTORS - 1);
    assert_int_equal(be32(8), DISK_SECTOR_BYTES);
    assert_int_equal(guest[14] & 0xc0, 0xc0); /* thin, unmapped is zero */
    EXECUTE(0x9e, 0x11, [13] = 32);
    failed(INVALID_FIELD);
}

static void a_large_disk_needs_the_long_commands(void **state)
{
    (void)state;
    disk_free(lun.disk);
    create_unit((UINT64_C(4) << 40) + (1 << 20));
    EXECUTE(0x25);
    good(8);
    assert_int_equal(be32(0), UINT32_MAX);
    EXECUTE(0x9e, 0x10, [13] = 32);
    good(32);
    assert_int_equal(be32(0), 2);
    assert_int_equal(be32(4), 2047);
    guest[0] = 0x5a;
    EXECUTE(0x8a, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1);
    good(512);
    guest[0] = 0;
    EXECUTE(0x88, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1);
    good(512);
    assert_int_equal(guest[0], 0x5a);
    EXECUTE(0x88, 0, 0, 0, 0, 2, 0, 0, 8, 0, 0, 0, 0, 1);
    failed(ILLEGAL(0x21));
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SCSI_TRANSFER_BYTES_MAX; i++)
        guest[i] = (uint8_t)(i * 7 + i / 512);
    EXECUTE(0x2a, 0, 0, 0, 0, 100, 0, 2, 0); /* 512 sectors: the most */
    good(SCSI_TRANSFER_BYTES_MAX);
    assert_int_equal(result.work, SCSI_WRITE);
    memset(guest, 0, sizeof(guest));
    EXECUTE(0x88, 0, [9] = 101, [13] = 3);
    good(3 * 512);
    assert_int_equal(result.work, SCSI_READ);
    for (unsigned i = 0; i < 3 * 512; i++)
        assert_int_equal(guest[i], (uint8_t)((i + 512) * 7 + (i + 512) / 512));
    assert_int_equal(guest[3 * 512], 0);
}

static void sectors_that_are_not_there_are_refused(void **state)
{
    (void)state;
    EXECUTE(0x28, 0, 0, 0, 0x0f, 0xff, 0, 0, 1);
    good(512);
    EXECUTE(0x28, 0, 0, 0, 0x10, 0x00, 0, 0, 0); /* none, at the end */
    good(0);
    EXECUTE(0x28, 0, 0, 0, 0x0f, 0xff, 0, 0, 2);
    failed(ILLEGAL(0x21));
    EXECUTE(0x2a, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1);
    failed(ILLEGAL(0x21));
    EXECUTE(0x8a, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            0xff, 0xff);
    failed(ILLEGAL(0x21));
    EXECUTE(0x88, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            0xff, [13] = 1); /* their sum is 0 */
    failed(ILLEGAL(0x21));
    EXECUTE(0x35, 0, 0, 0, 0x10, 0x01);
    failed(ILLEGAL(0x21));
}

static void a_transfer_fits_limit_and_room(void **state)
{
    (void)state;
    EXECUTE(0x28, [7] = 2, [8] = 1); /* 513 sectors */
    failed(INVALID_FIELD);
    assert_false(result.overrun);
    EXECUTE(0x28, 0x20, [8] = 1); /* with protection information */
    failed(INVALID_FIELD);
    execute_with_room((const uint8_t[16]){0x28, [8] = 2}, 1023);
    failed(INVALID_FIELD);
    assert_true(result.overrun);
    assert_int_equal(guest[0], 0xee);
    execute_with_room((const uint8_t[16]){0x28, [8] = 2}, 1024);
    good(1024);
}

static void memory_that_is_not_there_aborts(void **state)
{
    (void)state;
    guest_is_there = false;
    EXECUTE(0x28, [8] = 1);
    failed(SENSE(0xb, 0x4b, 0));
    EXECUTE(0x2a, [8] = 1);
    failed(SENSE(0xb, 0x4b, 0));
    EXECUTE(0x12, [4] = 36);
    failed(SENSE(0xb, 0x4b, 0));
    EXECUTE(0x42, [8] = 24);
    failed(SENSE(0xb, 0x4b, 0));
}

static void a_full_disk_says_so(void **state)
{
    struct disk_config config = {.bytes = SECTORS * DISK_SECTOR_BYTES,
                                 .memory_bytes_max = 1};
    struct sim_error error;

    (void)state;
    disk_free(lun.disk);
    assert_int_equal(
        disk_create(&lun.disk, &config, (struct sim_clock){1000000000}, &error),
        SIM_OK);
    EXECUTE(0x2a, [8] = 1);
    failed(SENSE(7, 0x27, 7));
}

static void flushing_takes_any_range(void **state)
{
    (void)state;
    EXECUTE(0x35);
    good(0);
    assert_int_equal(result.work, SCSI_FLUSH);
    EXECUTE(0x91, 0, [9] = 5, [13] = 5);
    good(0);
    assert_int_equal(result.work, SCSI_FLUSH);
}

/* Puts a parameter list of `count` equal descriptors where data is. */
static uint32_t unmap_list(uint32_t count, uint32_t first, uint32_t sectors)
{
    memset(guest, 0, sizeof(guest));
    put_be16(&guest[0], 6 + 16 * count);
    put_be16(&guest[2], 16 * count);
    for (uint32_t i = 0; i < count; i++) {
        put_be32(&guest[8 + 16 * i + 4], first);
        put_be32(&guest[8 + 16 * i + 8], sectors);
    }
    return 8 + 16 * count;
}

static void execute_unmap(uint32_t list_bytes)
{
    uint8_t cdb[SCSI_CDB_BYTES] = {0x42};

    put_be16(&cdb[7], list_bytes);
    execute_with_room(cdb, GUEST_BYTES);
}

static void unmapped_sectors_read_as_zeroes(void **state)
{
    (void)state;
    EXECUTE(0x2a, [5] = 8, [8] = 32);
    good(32 * 512);
    execute_unmap(unmap_list(1, 10, 25));
    good(24);
    assert_int_equal(result.work, SCSI_UNMAP);
    EXECUTE(0x28, [5] = 8, [8] = 32);
    for (unsigned i = 0; i < 32 * 512; i++)
        assert_int_equal(guest[i], i < 2 * 512 || i >= 27 * 512 ? 0xee : 0);
    execute_unmap(0);
    good(0);
}

static void an_unmap_list_is_checked_before_it_is_used(void **state)
{
    uint32_t bytes;

    (void)state;
    EXECUTE(0x2a, [8] = 1);
    execute_unmap(unmap_list(1, SECTORS - 1, 2));
    failed(ILLEGAL(0x21));
    execute_unmap(unmap_list(65, 0, 1));
    failed(ILLEGAL(0x26));
    bytes = unmap_list(2, 0, 1);
    execute_unmap(bytes - 1); /* cut within the second */
    failed(ILLEGAL(0x1a));
    execute_unmap(7);
    failed(ILLEGAL(0x1a));
    execute_with_room((const uint8_t[16]){0x42, [8] = 40}, 39);
    failed(ILLEGAL(0x1a));
    EXECUTE(0x42, 1, [8] = 24); /* anchored */
    failed(INVALID_FIELD);
    EXECUTE(0x28, [8] = 1); /* none of them has done anything */
    assert_int_equal(guest[0], 0xee);
}

static void one_unmap_has_a_limit(void **state)
{
    (void)state;
    disk_free(lun.disk);
    create_unit(UINT64_C(4) << 40);
    execute_unmap(unmap_list(64, 0, SCSI_UNMAP_SECTORS_MAX / 64));
    good(8 + 64 * 16);
    execute_unmap(unmap_list(1, 0, SCSI_UNMAP_SECTORS_MAX + 1));
    failed(ILLEGAL(0x26));
    execute_unmap(unmap_list(64, 0, SCSI_UNMAP_SECTORS_MAX / 64 + 1));
    failed(ILLEGAL(0x26));
}

static void mode_pages_tell_of_the_cache(void **state)
{
    (void)state;
    EXECUTE(0x1a, 0, 0x08, 0, 255);
    good(4 + 8 + 20);
    assert_int_equal(guest[0], 31);
    assert_int_equal(guest[2], 0x10); /* writable; DPO and FUA */
    assert_int_equal(guest[3], 8);
    assert_int_equal(be32(4), SECTORS);
    assert_int_equal(guest[12], 0x08);
    assert_int_equal(guest[13], 18);
    assert_int_equal(guest[14], 0x04); /* write cache */
    EXECUTE(0x5a, 0x08, 0x3f, [8] = 255);
    good(8 + 20 + 12);
    assert_int_equal(be16(0), 38);
    assert_int_equal(be16(6), 0); /* no descriptor was asked for */
    assert_int_equal(guest[8], 0x08);
    assert_int_equal(guest[28], 0x0a);
}

static void no_mode_page_is_changeable_or_saved(void **state)
{
    (void)state;
    EXECUTE(0x1a, 8, 0x48, 0, 255);
    good(24);
    assert_int_equal(guest[6], 0);
    EXECUTE(0x1a, 8, 0xc8, 0, 255);
    failed(ILLEGAL(0x39));
    EXECUTE(0x1a, 8, 0x1c, 0, 255);
    failed(INVALID_FIELD);
    EXECUTE(0x1a, 8, 0x08, 1, 255);
    failed(INVALID_FIELD);
    EXECUTE(0x15, 0x10, 0, 0, 0); /* MODE SELECT */
    failed(ILLEGAL(0x20));
}

static void a_stopped_unit_is_not_ready(void **state)
{
    (void)state;
    EXECUTE(0x00);
    good(0);
    EXECUTE(0x1b, 0, 0, 0, 0);
    good(0);
    EXECUTE(0x00);
    failed(SENSE(2, 4, 2));
    EXECUTE(0x28, [8] = 1);
    failed(SENSE(2, 4, 2));
    EXECUTE(0x03, 0, 0, 0, 255);
    good(18);
    assert_int_equal(guest[2], 2);
    EXECUTE(0x12, 0, 0, 0, 36);
    good(36);
    EXECUTE(0x1b, 0, 0, 0, 1);
    good(0);
    EXECUTE(0x28, [8] = 1);
    good(512);
    EXECUTE(0x1b, 0, 0, 0, 3); /* load: it is not removable */
    failed(INVALID_FIELD);
}

static void there_is_no_sense_to_request(void **state)
{
    (void)state;
    EXECUTE(0x28, [2] = 0xff, [8] = 1);
    failed(ILLEGAL(0x21)); /* told with the command */
    EXECUTE(0x03, 0, 0, 0, 255);
    good(18);
    assert_int_equal(guest[0], 0x70);
    assert_int_equal(guest[2], 0);
    EXECUTE(0x03, 1, 0, 0, 255);
    failed(INVALID_FIELD);
}

static void luns_are_listed(void **state)
{
    const uint8_t luns[] = {0, 3, 63};
    const uint8_t cdb[SCSI_CDB_BYTES] = {0xa0, [9] = 255};
    const uint8_t well_known[SCSI_CDB_BYTES] = {0xa0, [2] = 1, [9] = 255};
    const uint8_t too_short[SCSI_CDB_BYTES] = {0xa0, [9] = 15};

    (void)state;
    result = scsi_report_luns(luns, 3, cdb, &all_of_guest);
    good(32);
    assert_int_equal(be32(0), 24);
    assert_int_equal(be16(8), 0);
    assert_int_equal(be16(16), 3);
    assert_int_equal(be16(24), 63);
    result = scsi_report_luns(luns, 3, well_known, &all_of_guest);
    good(8);
    assert_int_equal(be32(0), 0);
    result = scsi_report_luns(luns, 3, too_short, &all_of_guest);
    failed(INVALID_FIELD);
}

static void an_absent_unit_says_so(void **state)
{
    (void)state;
    result = scsi_execute_absent(
        (const uint8_t[SCSI_CDB_BYTES]){0x12, [4] = 36}, &all_of_guest);
    good(36);
    assert_int_equal(guest[0], 0x7f);
    result = scsi_execute_absent(
        (const uint8_t[SCSI_CDB_BYTES]){0x12, 1, 0x80, 0, 36}, &all_of_guest);
    failed(INVALID_FIELD);
    assert_false(result.no_unit);
    result =
        scsi_execute_absent((const uint8_t[SCSI_CDB_BYTES]){0}, &all_of_guest);
    failed(ILLEGAL(0x25));
    assert_true(result.no_unit);
}

/* Of 256 operation codes, those that are not here are not there. */
static void all_other_commands_are_unknown(void **state)
{
    static const uint8_t known[] = {0x00, 0x03, 0x12, 0x1a, 0x1b,
                                    0x25, 0x28, 0x2a, 0x35, 0x42,
                                    0x5a, 0x88, 0x8a, 0x91, 0x9e};

    (void)state;
    for (unsigned op = 0; op < 256; op++) {
        EXECUTE((uint8_t)op);
        if (memchr(known, (int)op, sizeof(known)))
            assert_true(result.status == SCSI_GOOD || result.sense[12] != 0x20);
        else
            failed(ILLEGAL(0x20));
    }
}

#define T(test) cmocka_unit_test_setup_teardown(test, create, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(inquiry_names_a_microsoft_disk),
        T(an_answer_ends_where_the_guest_says),
        T(inquiry_with_fields_it_has_not_is_refused),
        T(vital_product_data_lists_its_pages),
        T(a_unit_has_names_of_its_own),
        T(limits_are_those_that_hold),
        T(capacity_is_the_last_sector),
        T(a_large_disk_needs_the_long_commands),
        T(what_is_written_is_read_back),
        T(sectors_that_are_not_there_are_refused),
        T(a_transfer_fits_limit_and_room),
        T(memory_that_is_not_there_aborts),
        T(a_full_disk_says_so),
        T(flushing_takes_any_range),
        T(unmapped_sectors_read_as_zeroes),
        T(an_unmap_list_is_checked_before_it_is_used),
        T(one_unmap_has_a_limit),
        T(mode_pages_tell_of_the_cache),
        T(no_mode_page_is_changeable_or_saved),
        T(a_stopped_unit_is_not_ready),
        T(there_is_no_sense_to_request),
        T(luns_are_listed),
        T(an_absent_unit_says_so),
        T(all_other_commands_are_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
