/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cpu/code_shape.h"
#include "cpu/decode.h"
#include "sim/core/rng.h"

/* Instructions are remembered by their pattern. HVSIM_RANDOM_ROUNDS asks for
 * more rounds than ctest's. */

#define ROUNDS 100000

struct sample {
    enum code_mode mode;
    uint8_t code[CODE_INSTRUCTION_BYTES_MAX];
    struct code_shape shape;
};

/* Random bytes, with more prefixes and two-byte opcodes than chance has. */
static struct sample random_sample(struct rng *rng)
{
    static const uint8_t common[] = {0x0f, 0x66, 0xf2, 0xf3, 0x48, 0x67, 0xc5};
    struct sample sample = {.mode = (enum code_mode)rng_below(rng, 3)};
    uint32_t special = (uint32_t)rng_below(rng, 3);

    for (uint32_t i = 0; i < sizeof(sample.code); i++)
        sample.code[i] = i < special ? common[rng_below(rng, sizeof(common))]
                                     : (uint8_t)rng_next(rng);
    sample.shape = code_shape(sample.mode, sample.code, sizeof(sample.code));
    return sample;
}

static void assert_bills_equal(const struct cost_bill *one,
                               const struct cost_bill *other)
{
    for (unsigned kind = 0; kind < COST_KIND_COUNT; kind++)
        assert_int_equal(cost_count(one, kind), cost_count(other, kind));
}

static void bill(struct decoder *decoder, const struct sample *sample,
                 struct cost_bill *out)
{
    *out = (struct cost_bill){0};
    assert_int_equal(decode_block(decoder, sample->mode, sample->code,
                                  sample->shape.length, out),
                     1);
}

static void
what_stands_behind_the_pattern_does_not_change_the_bill(void **state)
{
    const char *wanted = getenv("HVSIM_RANDOM_ROUNDS");
    unsigned long rounds = wanted ? strtoul(wanted, NULL, 10) : ROUNDS;
    struct decoder *memory = decode_create();
    struct rng rng = rng_from_seed(1);

    (void)state;
    assert_non_null(memory);
    for (unsigned long round = 0; round < rounds; round++) {
        struct sample sample = random_sample(&rng);
        struct decoder *fresh;
        struct cost_bill remembered;
        struct cost_bill anew;

        if (sample.shape.length == 0)
            continue;
        fresh = decode_create();
        assert_non_null(fresh);
        bill(memory, &sample, &remembered);
        for (uint32_t i = sample.shape.pattern; i < sample.shape.length; i++)
            sample.code[i] = (uint8_t)rng_next(&rng);
        bill(fresh, &sample, &anew);
        assert_bills_equal(&remembered, &anew);
        bill(memory, &sample, &remembered);
        assert_bills_equal(&remembered, &anew);
        decode_free(fresh);
    }
    decode_free(memory);
}

static void
an_immediate_that_says_how_often_is_part_of_the_pattern(void **state)
{
    struct sample flat = {CODE_64, {0xc8, 0x10, 0x00, 0x00}, {.length = 4}};
    struct sample nested = {CODE_64, {0xc8, 0x10, 0x00, 0x03}, {.length = 4}};
    struct decoder *decoder = decode_create();
    struct cost_bill enter;

    (void)state;
    assert_non_null(decoder);
    bill(decoder, &flat, &enter);
    assert_int_equal(cost_count(&enter, COST_INSN_STORE), 1);
    bill(decoder, &nested, &enter);
    assert_int_equal(cost_count(&enter, COST_INSN_STORE), 4);
    decode_free(decoder);
}

static void one_pattern_is_not_taken_for_another_modes(void **state)
{
    struct sample inc = {CODE_32, {0x48, 0xff}, {.length = 1}};
    struct sample pop16 = {CODE_16, {0x8f, 0x00}, {.length = 2}};
    struct sample pop64 = {CODE_64, {0x8f, 0x00}, {.length = 2}};
    struct decoder *decoder = decode_create();
    struct cost_bill first;
    struct cost_bill second;

    (void)state;
    assert_non_null(decoder);
    bill(decoder, &inc, &first);
    inc.mode = CODE_64; /* a lone REX */
    bill(decoder, &inc, &second);
    assert_int_equal(cost_count(&first, COST_INSN_ALU), 1);
    assert_int_equal(cost_count(&second, COST_INSN_SYSTEM), 1);
    bill(decoder, &pop16, &first);
    bill(decoder, &pop64, &second);
    assert_bills_equal(&first, &second);
    decode_free(decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            what_stands_behind_the_pattern_does_not_change_the_bill),
        cmocka_unit_test(
            an_immediate_that_says_how_often_is_part_of_the_pattern),
        cmocka_unit_test(one_pattern_is_not_taken_for_another_modes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
