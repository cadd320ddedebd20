/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/core/trace.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

/* The implementation is inlined: its state may then live inside ours. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sim/core/check.h"

/* What a record looks like to the hash: five little-endian 64-bit words, on
 * any host, so that a hash can be compared between machines. */
#define RECORD_BYTES 40

/* Records are hashed so many at a time: one call per record would cost more
 * than the hashing. */
#define BATCH_RECORDS 64

struct trace {
    trace_sink_fn *sink; /* NULL if none */
    void *context;       /* borrowed */
    XXH64_state_t hash;  /* of all full batches */
    size_t batch_bytes;
    unsigned char batch[BATCH_RECORDS * RECORD_BYTES];
};

static const char *const names[TRACE_KIND_COUNT] = {
#define TRACE(id, name, help) [TRACE_##id] = name,
#include "sim/core/trace_kinds.def"
#undef TRACE
};

struct trace *trace_create(trace_sink_fn *sink, void *context)
{
    struct trace *trace = calloc(1, sizeof(*trace));

    CHECK(trace != NULL);
    trace->sink = sink;
    trace->context = context;
    XXH64_reset(&trace->hash, 0);
    return trace;
}

void trace_free(struct trace *trace)
{
    free(trace);
}

void trace_detach(struct trace *trace)
{
    trace->sink = NULL;
}

static unsigned char *put_word(unsigned char *to, uint64_t word)
{
    uint64_t little = htole64(word);

    memcpy(to, &little, sizeof(little));
    return to + sizeof(little);
}

void trace_add(struct trace *trace, const struct trace_record *record)
{
    unsigned char *to = trace->batch + trace->batch_bytes;

    CHECK((unsigned)record->kind < TRACE_KIND_COUNT);
    to = put_word(to, record->time.v);
    to = put_word(to, (uint64_t)record->vp << 32 | record->lp);
    to = put_word(to, record->partition);
    to = put_word(to, (uint64_t)record->kind);
    put_word(to, record->detail);

    trace->batch_bytes += RECORD_BYTES;
    if (trace->batch_bytes == sizeof(trace->batch)) {
        XXH64_update(&trace->hash, trace->batch, sizeof(trace->batch));
        trace->batch_bytes = 0;
    }
    if (trace->sink)
        trace->sink(trace->context, record);
}

uint64_t trace_hash(const struct trace *trace)
{
    XXH64_state_t hash = trace->hash;

    XXH64_update(&hash, trace->batch, trace->batch_bytes);
    return XXH64_digest(&hash);
}

const char *trace_kind_name(enum trace_kind kind)
{
    CHECK((unsigned)kind < TRACE_KIND_COUNT);
    return names[kind];
}
