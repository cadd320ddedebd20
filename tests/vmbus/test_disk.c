/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/core/rng.h"
#include "vmbus/disk.h"

#define SECTOR DISK_SECTOR_BYTES
#define GIB (UINT64_C(1) << 30)

static const struct sim_clock clock_1ghz = {1000000000};

static struct disk *create(const struct disk_config *config)
{
    struct disk *disk = NULL;
    struct sim_error error;

    assert_int_equal(disk_create(&disk, config, clock_1ghz, &error), SIM_OK);
    return disk;
}

static struct disk *create_empty(uint64_t bytes)
{
    struct disk_config config = {.bytes = bytes};

    return create(&config);
}

/* A file of `sectors`, each filled with its own number's low byte. */
static void make_image(char path[32], unsigned sectors, unsigned extra_bytes)
{
    uint8_t sector[SECTOR];
    int file;

    strcpy(path, "image_XXXXXX"); /* in a folder of its own */
    file = mkstemp(path);
    assert_true(file >= 0);
    for (unsigned i = 0; i < sectors; i++) {
        memset(sector, (int)(i + 1), sizeof(sector));
        assert_int_equal(write(file, sector, sizeof(sector)), sizeof(sector));
    }
    assert_int_equal(write(file, sector, extra_bytes), extra_bytes);
    close(file);
}

static void expect_bytes(const struct disk *disk, uint64_t sector,
                         uint32_t count, uint8_t value)
{
    uint8_t bytes[64 * SECTOR];

    assert_true(count <= 64);
    assert_int_equal(disk_read(disk, sector, count, bytes), DISK_OK);
    for (size_t i = 0; i < count * SECTOR; i++)
        assert_int_equal(bytes[i], value);
}

static void fill(struct disk *disk, uint64_t sector, uint32_t count,
                 uint8_t value)
{
    uint8_t bytes[64 * SECTOR];

    assert_true(count <= 64);
    memset(bytes, value, sizeof(bytes));
    assert_int_equal(disk_write(disk, sector, count, bytes), DISK_OK);
}

static void a_new_disk_is_zeroes(void **state)
{
    struct disk *disk = create_empty(100 * SECTOR);

    (void)state;
    assert_int_equal(disk_sectors(disk), 100);
    expect_bytes(disk, 0, 64, 0);
    expect_bytes(disk, 36, 64, 0);
    assert_int_equal(disk_memory_bytes(disk), 0);
    disk_free(disk);
}

static void what_is_written_is_read_back(void **state)
{
    struct disk *disk = create_empty(100 * SECTOR);

    (void)state;
    fill(disk, 5, 20, 0xa5); /* of four blocks, two in part */
    expect_bytes(disk, 0, 5, 0);
    expect_bytes(disk, 5, 20, 0xa5);
    expect_bytes(disk, 25, 60, 0);
    fill(disk, 99, 1, 7); /* in a block that ends before the others do */
    expect_bytes(disk, 99, 1, 7);
    disk_free(disk);
}

static void an_image_shows_until_it_is_written_over(void **state)
{
    char path[32];
    struct disk_config config = {.image_path = path};
    struct disk *disk;
    struct stat status;

    (void)state;
    make_image(path, 24, 0);
    disk = create(&config);
    assert_int_equal(disk_sectors(disk), 24);
    for (unsigned i = 0; i < 24; i++)
        expect_bytes(disk, i, 1, (uint8_t)(i + 1));
    fill(disk, 10, 1, 0xff);
    expect_bytes(disk, 9, 1, 10);
    expect_bytes(disk, 10, 1, 0xff);
    expect_bytes(disk, 11, 1, 12);
    disk_free(disk);

    disk = create(&config); /* the file has not changed */
    expect_bytes(disk, 10, 1, 11);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 24 * SECTOR);
    disk_free(disk);
    unlink(path);
}

static void a_disk_may_be_larger_than_its_image(void **state)
{
    char path[32];
    struct disk_config config = {.image_path = path, .bytes = 40 * SECTOR};
    struct disk *disk;

    (void)state;
    make_image(path, 10, 0);
    disk = create(&config);
    assert_int_equal(disk_sectors(disk), 40);
    expect_bytes(disk, 9, 1, 10);
    expect_bytes(disk, 10, 30, 0);
    fill(disk, 11, 1, 3); /* in the block where the image ends */
    expect_bytes(disk, 9, 1, 10);
    expect_bytes(disk, 10, 1, 0);
    disk_free(disk);
    unlink(path);
}

static void an_image_that_shrinks_cannot_be_read(void **state)
{
    char path[32];
    struct disk_config config = {.image_path = path};
    uint8_t bytes[SECTOR];
    struct disk *disk;

    (void)state;
    make_image(path, 16, 0);
    disk = create(&config);
    assert_int_equal(truncate(path, 8 * SECTOR), 0);
    expect_bytes(disk, 7, 1, 8);
    assert_int_equal(disk_read(disk, 8, 1, bytes), DISK_FAULT);
    assert_int_equal(disk_write(disk, 8, 1, bytes), DISK_FAULT);
    assert_int_equal(disk_memory_bytes(disk), 0);
    disk_free(disk);
    unlink(path);
}

static void unmapped_sectors_are_zeroes(void **state)
{
    struct disk *disk = create_empty(100 * SECTOR);

    (void)state;
    fill(disk, 0, 64, 1);
    assert_int_equal(disk_unmap(disk, 3, 30), DISK_OK);
    expect_bytes(disk, 0, 3, 1);
    expect_bytes(disk, 3, 30, 0);
    expect_bytes(disk, 33, 31, 1);
    disk_free(disk);
}

static void unmapping_hides_an_image(void **state)
{
    char path[32];
    struct disk_config config = {.image_path = path, .bytes = 64 * SECTOR};
    struct disk *disk;

    (void)state;
    make_image(path, 40, 0);
    disk = create(&config);
    assert_int_equal(disk_unmap(disk, 4, 28), DISK_OK);
    expect_bytes(disk, 3, 1, 4);
    expect_bytes(disk, 4, 28, 0);
    expect_bytes(disk, 32, 1, 33);
    fill(disk, 17, 1, 9); /* in a block that was unmapped whole */
    expect_bytes(disk, 16, 1, 0);
    expect_bytes(disk, 17, 1, 9);
    expect_bytes(disk, 18, 1, 0);
    disk_free(disk);
    unlink(path);
}

static void memory_is_taken_when_written_and_given_back(void **state)
{
    struct disk *disk = create_empty(64 * SECTOR);
    uint64_t before;

    (void)state;
    fill(disk, 0, 1, 1);
    before = disk_memory_bytes(disk);
    fill(disk, 0, 8, 2);
    assert_int_equal(disk_memory_bytes(disk), before);
    fill(disk, 8, 8, 2);
    assert_int_equal(disk_memory_bytes(disk), before + 4096);
    assert_int_equal(disk_unmap(disk, 8, 8), DISK_OK);
    assert_int_equal(disk_memory_bytes(disk), before);
    disk_free(disk);
}

static void memory_has_a_bound(void **state)
{
    struct disk_config config = {.bytes = 64 * SECTOR,
                                 .memory_bytes_max = 3 * 4096};
    struct disk *disk = create(&config);
    uint8_t bytes[8 * SECTOR] = {1};

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(disk_write(disk, i * 8, 8, bytes), DISK_OK);
    assert_int_equal(disk_write(disk, 24, 1, bytes), DISK_FULL);
    fill(disk, 0, 8, 2); /* what is there can still be written */
    assert_int_equal(disk_unmap(disk, 8, 8), DISK_OK);
    assert_int_equal(disk_write(disk, 24, 1, bytes), DISK_OK);
    disk_free(disk);
}

/* Walking 2^34 blocks would take minutes. */
static void the_largest_disk_costs_what_is_written(void **state)
{
    struct disk *disk = create_empty(DISK_BYTES_MAX);
    uint64_t last = DISK_BYTES_MAX / SECTOR - 1;

    (void)state;
    fill(disk, last, 1, 5);
    fill(disk, 12345678, 1, 6);
    assert_true(disk_memory_bytes(disk) < 64 << 10);
    assert_int_equal(disk_unmap(disk, 1, last), DISK_OK);
    expect_bytes(disk, last, 1, 0);
    expect_bytes(disk, 12345678, 1, 0);
    disk_free(disk);
}

#define MODEL_SECTORS 200

/* Any order of requests leaves the disk as it leaves an array. */
static void a_disk_is_an_array_of_sectors(void **state)
{
    struct rng rng = rng_from_seed(1);
    char path[32];
    struct disk_config config = {.image_path = path,
                                 .bytes = MODEL_SECTORS * SECTOR};
    uint8_t model[MODEL_SECTORS], bytes[MODEL_SECTORS * SECTOR];
    struct disk *disk;

    (void)state;
    make_image(path, 90, 0);
    disk = create(&config);
    for (unsigned i = 0; i < MODEL_SECTORS; i++)
        model[i] = i < 90 ? (uint8_t)(i + 1) : 0;
    for (unsigned round = 0; round < 2000; round++) {
        uint32_t first = (uint32_t)rng_below(&rng, MODEL_SECTORS);
        uint32_t count = (uint32_t)rng_below(
            &rng, MODEL_SECTORS - first < 64 ? MODEL_SECTORS - first + 1 : 64);
        uint8_t value = (uint8_t)rng_next(&rng);

        if (round % 3 == 0) {
            assert_int_equal(disk_unmap(disk, first, count), DISK_OK);
            value = 0;
        } else {
            fill(disk, first, count, value);
        }
        memset(model + first, value, count);
        assert_int_equal(disk_read(disk, 0, MODEL_SECTORS, bytes), DISK_OK);
        for (unsigned i = 0; i < MODEL_SECTORS * SECTOR; i++)
            assert_int_equal(bytes[i], model[i / SECTOR]);
    }
    disk_free(disk);
    unlink(path);
}

static void a_request_takes_latency_and_its_bytes(void **state)
{
    struct disk_config config = {
        .bytes = GIB, .latency_ns = 1000, .bytes_per_second = 500000000};
    struct disk *disk = create(&config);

    (void)state;
    assert_int_equal(disk_serve(disk, cycles(10000), 4096).v,
                     10000 + 1000 + 4096 * 2);
    assert_int_equal(disk_serve(disk, cycles(1000000), 0).v, 1001000);
    disk_free(disk);
}

static void requests_overlap_but_for_the_path(void **state)
{
    struct disk_config config = {
        .bytes = GIB, .latency_ns = 1000, .bytes_per_second = 1000000000};
    struct disk *disk = create(&config);

    (void)state;
    assert_int_equal(disk_serve(disk, cycles(0), 500).v, 1500);
    assert_int_equal(disk_serve(disk, cycles(100), 500).v, 2000);
    assert_int_equal(disk_serve(disk, cycles(200), 0).v, 2000);
    assert_int_equal(disk_serve(disk, cycles(5000), 1).v, 6001);
    disk_free(disk);
}

static void more_requests_than_the_depth_wait(void **state)
{
    struct disk_config config = {.bytes = GIB,
                                 .latency_ns = 1000,
                                 .bytes_per_second = UINT64_MAX,
                                 .queue_depth = 2};
    struct disk *disk = create(&config);

    (void)state;
    assert_int_equal(disk_serve(disk, cycles(0), 0).v, 1000);
    assert_int_equal(disk_serve(disk, cycles(500), 0).v, 1500);
    assert_int_equal(disk_serve(disk, cycles(600), 0).v, 2000);
    assert_int_equal(disk_serve(disk, cycles(700), 0).v, 2500);
    disk_forget_requests(disk);
    assert_int_equal(disk_serve(disk, cycles(800), 0).v, 1800);
    disk_free(disk);
}

static void the_defaults_are_those_documented(void **state)
{
    struct disk *disk = create_empty(GIB);

    (void)state;
    assert_int_equal(disk_serve(disk, cycles(0), 3000).v,
                     DISK_LATENCY_NS_DEFAULT + 1000);
    disk_free(disk);
}

static void refused(const struct disk_config *config, enum sim_status status,
                    const char *because)
{
    struct disk *disk = NULL;
    struct sim_error error;

    assert_int_equal(disk_create(&disk, config, clock_1ghz, &error), status);
    assert_null(disk);
    assert_non_null(strstr(error.message, because));
}

static void what_is_no_disk_is_refused(void **state)
{
    char path[32], fifo[40];
    struct disk_config empty = {.bytes = 0};
    struct disk_config odd = {.bytes = 1000};
    struct disk_config large = {.bytes = DISK_BYTES_MAX + SECTOR};
    struct disk_config deep = {.bytes = SECTOR,
                               .queue_depth = DISK_QUEUE_DEPTH_MAX + 1};
    struct disk_config slow = {.bytes = SECTOR,
                               .latency_ns = UINT64_C(3600000000001)};
    struct disk_config none = {.image_path = "/nowhere/at/all"};
    struct disk_config folder = {.image_path = "."};
    struct disk_config odd_image = {.image_path = path};
    struct disk_config cut = {.image_path = path, .bytes = SECTOR};
    struct disk_config pipe = {.image_path = fifo};

    (void)state;
    make_image(path, 2, 100);
    snprintf(fifo, sizeof(fifo), "%s.fifo", path);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    refused(&empty, SIM_BAD_SCENARIO, "512");
    refused(&odd, SIM_BAD_SCENARIO, "1000");
    refused(&large, SIM_BAD_SCENARIO, "64 TiB");
    refused(&deep, SIM_BAD_SCENARIO, "1024");
    refused(&slow, SIM_BAD_SCENARIO, "hour");
    refused(&none, SIM_NO_INPUT, "No such file");
    refused(&folder, SIM_NO_INPUT, "regular file");
    refused(&pipe, SIM_NO_INPUT, "regular file");
    refused(&odd_image, SIM_NO_INPUT, "1124 bytes");
    assert_int_equal(truncate(path, 2 * SECTOR), 0);
    refused(&cut, SIM_BAD_SCENARIO, "more than the disk");
    unlink(fifo);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_disk_is_zeroes),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(an_image_shows_until_it_is_written_over),
        cmocka_unit_test(a_disk_may_be_larger_than_its_image),
        cmocka_unit_test(an_image_that_shrinks_cannot_be_read),
        cmocka_unit_test(unmapped_sectors_are_zeroes),
        cmocka_unit_test(unmapping_hides_an_image),
        cmocka_unit_test(memory_is_taken_when_written_and_given_back),
        cmocka_unit_test(memory_has_a_bound),
        cmocka_unit_test(the_largest_disk_costs_what_is_written),
        cmocka_unit_test(a_disk_is_an_array_of_sectors),
        cmocka_unit_test(a_request_takes_latency_and_its_bytes),
        cmocka_unit_test(requests_overlap_but_for_the_path),
        cmocka_unit_test(more_requests_than_the_depth_wait),
        cmocka_unit_test(the_defaults_are_those_documented),
        cmocka_unit_test(what_is_no_disk_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
