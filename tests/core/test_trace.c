/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <xxhash.h>

#include <cmocka.h>

#include "sim/core/trace.h"

static const struct trace_record a_record = {
    .time = {0x0102030405060708},
    .lp = 0x11121314,
    .vp = 0x21222324,
    .partition = 0x3132333435363738,
    .kind = TRACE_EXIT,
    .detail = 0x4142434445464748,
};

static void an_empty_trace_has_the_hash_of_no_bytes(void **state)
{
    struct trace *trace = trace_create(NULL, NULL);

    (void)state;
    assert_int_equal(trace_hash(trace), XXH64("", 0, 0));
    trace_free(trace);
}

/** The bytes are written out by hand: no host's byte order may enter. */
static const unsigned char a_record_bytes[40] = {
    0x08,       0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, /* time */
    0x14,       0x13, 0x12, 0x11, 0x24, 0x23, 0x22, 0x21, /* lp, vp */
    0x38,       0x37, 0x36, 0x35, 0x34, 0x33, 0x32, 0x31, /* partition */
    TRACE_EXIT, 0,    0,    0,    0,    0,    0,    0,    /* kind */
    0x48,       0x47, 0x46, 0x45, 0x44, 0x43, 0x42, 0x41, /* detail */
};

static void a_record_is_hashed_as_five_little_endian_words(void **state)
{
    struct trace *trace = trace_create(NULL, NULL);

    (void)state;
    trace_add(trace, &a_record);
    assert_int_equal(trace_hash(trace),
                     XXH64(a_record_bytes, sizeof(a_record_bytes), 0));
    trace_free(trace);
}

static void a_trace_of_any_length_is_hashed_as_one_run_of_bytes(void **state)
{
    enum { RECORDS = 300 };
    struct trace *trace = trace_create(NULL, NULL);
    static unsigned char bytes[RECORDS * sizeof(a_record_bytes)];

    (void)state;
    for (size_t i = 0; i < RECORDS; i++) {
        unsigned char *own = bytes + i * sizeof(a_record_bytes);
        struct trace_record record = a_record;

        record.detail = i;
        memcpy(own, a_record_bytes, 32);
        own[32] = (unsigned char)i;
        own[33] = (unsigned char)(i >> 8);
        trace_add(trace, &record);
        assert_int_equal(trace_hash(trace),
                         XXH64(bytes, (i + 1) * sizeof(a_record_bytes), 0));
    }
    trace_free(trace);
}

/** The hash of `count` records that differ in time, asked for after every
 *  `ask_every` records (0: only at the end). */
static uint64_t hash_of(unsigned count, unsigned ask_every)
{
    struct trace *trace = trace_create(NULL, NULL);

    for (unsigned i = 0; i < count; i++) {
        struct trace_record record = a_record;

        record.time = cycles(i);
        trace_add(trace, &record);
        if (ask_every && i % ask_every == 0)
            (void)trace_hash(trace);
    }

    uint64_t hash = trace_hash(trace);

    assert_int_equal(hash, trace_hash(trace));
    trace_free(trace);
    return hash;
}

static void asking_for_the_hash_does_not_change_it(void **state)
{
    (void)state;
    for (unsigned count = 0; count < 200; count++)
        assert_int_equal(hash_of(count, 0), hash_of(count, 7));
}

static void every_further_record_changes_the_hash(void **state)
{
    (void)state;
    for (unsigned count = 0; count < 200; count++)
        assert_int_not_equal(hash_of(count, 0), hash_of(count + 1, 0));
}

static uint64_t hash_of_one(struct trace_record record)
{
    struct trace *trace = trace_create(NULL, NULL);

    trace_add(trace, &record);

    uint64_t hash = trace_hash(trace);

    trace_free(trace);
    return hash;
}

static void every_field_enters_the_hash(void **state)
{
    struct trace_record changed[6];
    uint64_t plain = hash_of_one(a_record);

    (void)state;
    for (size_t i = 0; i < 6; i++)
        changed[i] = a_record;
    changed[0].time.v ^= 1;
    changed[1].lp ^= 1;
    changed[2].vp ^= 1;
    changed[3].partition ^= 1;
    changed[4].kind = TRACE_TIMER;
    changed[5].detail ^= 1;
    for (size_t i = 0; i < 6; i++)
        assert_int_not_equal(hash_of_one(changed[i]), plain);
}

struct seen {
    unsigned count;
    struct trace_record last;
};

static void remember(void *context, const struct trace_record *record)
{
    struct seen *seen = context;

    seen->count++;
    seen->last = *record;
}

static void a_sink_sees_each_record_and_does_not_change_the_hash(void **state)
{
    struct seen seen = {0};
    struct trace *trace = trace_create(remember, &seen);

    (void)state;
    trace_add(trace, &a_record);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.last.time.v, a_record.time.v);
    assert_int_equal(seen.last.detail, a_record.detail);
    assert_int_equal(trace_hash(trace), hash_of_one(a_record));
    trace_free(trace);
}

static void a_detached_sink_sees_nothing_more_but_the_hash_goes_on(void **state)
{
    struct seen seen = {0};
    struct trace *trace = trace_create(remember, &seen);

    (void)state;
    trace_detach(trace);
    trace_add(trace, &a_record);
    assert_int_equal(seen.count, 0);
    assert_int_equal(trace_hash(trace), hash_of_one(a_record));
    trace_free(trace);
}

static void every_kind_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (unsigned a = 0; a < TRACE_KIND_COUNT; a++) {
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(trace_kind_name((enum trace_kind)a),
                                    trace_kind_name((enum trace_kind)b));
    }
    assert_string_equal(trace_kind_name(TRACE_LP_IDLE), "idle");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_trace_has_the_hash_of_no_bytes),
        cmocka_unit_test(a_record_is_hashed_as_five_little_endian_words),
        cmocka_unit_test(a_trace_of_any_length_is_hashed_as_one_run_of_bytes),
        cmocka_unit_test(asking_for_the_hash_does_not_change_it),
        cmocka_unit_test(every_further_record_changes_the_hash),
        cmocka_unit_test(every_field_enters_the_hash),
        cmocka_unit_test(a_sink_sees_each_record_and_does_not_change_the_hash),
        cmocka_unit_test(
            a_detached_sink_sees_nothing_more_but_the_hash_goes_on),
        cmocka_unit_test(every_kind_has_a_name_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
