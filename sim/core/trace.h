/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CORE_TRACE_H
#define HVSIM_SIM_CORE_TRACE_H

/**
 * The record of what happened, in order. Every record enters a 64-bit hash
 * (XXH64) that identifies the run; two runs of one scenario and seed have the
 * same hash. When a sink is set, it receives the records too: the "event" view
 * of a result database and golden traces are made of them.
 */

#include "sim/core/types.h"

enum trace_kind {
#define TRACE(id, name, help) TRACE_##id,
#include "sim/core/trace_kinds.def"
#undef TRACE
    TRACE_KIND_COUNT,
};

#define TRACE_NO_LP UINT32_MAX
#define TRACE_NO_VP UINT32_MAX

struct trace_record {
    cycles_t time;
    uint32_t lp;        /* TRACE_NO_LP if none */
    uint32_t vp;        /* TRACE_NO_VP if none */
    uint64_t partition; /* 0 if none */
    enum trace_kind kind;
    uint64_t detail; /* meaning by kind, see trace_kinds.def */
};

struct trace;

typedef void trace_sink_fn(void *context, const struct trace_record *record);

/** The caller owns the trace. `sink` may be NULL; `context` is borrowed. */
struct trace *trace_create(trace_sink_fn *sink, void *context);
void trace_free(struct trace *trace);

/** From here on the sink receives nothing, and may go away. */
void trace_detach(struct trace *trace);

void trace_add(struct trace *trace, const struct trace_record *record);

/** The hash over all records so far; adding may go on. */
uint64_t trace_hash(const struct trace *trace);

/** "dispatch", "exit", ...: the kind as the event view spells it. */
const char *trace_kind_name(enum trace_kind kind);

#endif
