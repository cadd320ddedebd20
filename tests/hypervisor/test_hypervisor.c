/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hypervisor/lp.h"
#include "hypervisor/memory.h"
#include "tests/hypervisor/small_host.h"

#define MIB (UINT64_C(1) << 20)

static enum sim_status create_smt(const struct hv_node_config *nodes,
                                  uint32_t node_count, uint32_t threads,
                                  struct hypervisor **out,
                                  struct sim_error *error)
{
    static const struct hv_host nobody = {0};
    struct hv_config config = {
        .clock = {.hz = 1000000000},
        .nodes = nodes,
        .node_count = node_count,
        .threads_per_core = threads,
        .sched_ops = sched_find("round-robin"),
        .sched_params = {.slice = cycles(1000), .period = cycles(1000)},
    };

    *out = NULL;
    return hypervisor_create(out, &config, &nobody, NULL, NULL, error);
}

static enum sim_status create(const struct hv_node_config *nodes,
                              uint32_t node_count, struct hypervisor **out,
                              struct sim_error *error)
{
    return create_smt(nodes, node_count, 1, out, error);
}

static void lps_are_numbered_across_the_nodes(void **state)
{
    static const struct hv_node_config nodes[] = {
        {.lp_count = 2, .memory_bytes = 16 * MIB},
        {.lp_count = 0, .memory_bytes = 8 * MIB}, /* memory alone */
        {.lp_count = 1, .memory_bytes = 16 * MIB},
    };
    struct hypervisor *hv;
    struct sim_error error;

    (void)state;
    assert_int_equal(create(nodes, 3, &hv, &error), SIM_OK);
    assert_int_equal(hv->lp_count, 3);
    assert_int_equal(hv->lps[2].id.v, 2);
    assert_int_equal(hv->lps[1].node, 0);
    assert_int_equal(hv->lps[2].node, 2);
    assert_int_equal(memory_total_bytes(hv->memory), 40 * MIB);
    assert_ptr_equal(hypervisor_find_partition(hv, hv->root->id), hv->root);
    hypervisor_free(hv);
}

static void a_host_without_processors_or_memory_is_refused(void **state)
{
    static const struct hv_node_config no_lp = {.lp_count = 0,
                                                .memory_bytes = 16 * MIB};
    static const struct hv_node_config no_memory = {.lp_count = 1,
                                                    .memory_bytes = 4096};
    struct hypervisor *hv;
    struct sim_error error = {0};

    (void)state;
    assert_int_equal(create(&no_lp, 1, &hv, &error), SIM_BAD_SCENARIO);
    assert_null(hv);
    assert_string_equal(error.message, "a host needs a logical processor");
    assert_int_equal(create(&no_memory, 1, &hv, &error), SIM_BAD_SCENARIO);
    assert_int_equal(create(NULL, 0, &hv, &error), SIM_BAD_SCENARIO);
    assert_null(hv);
}

static void a_core_lies_in_one_node_and_is_whole(void **state)
{
    static const struct hv_node_config nodes[] = {
        {.lp_count = 2, .memory_bytes = 16 * MIB},
        {.lp_count = 3, .memory_bytes = 16 * MIB},
    };
    struct hypervisor *hv;
    struct sim_error error = {0};

    (void)state;
    assert_int_equal(create_smt(nodes, 2, 2, &hv, &error), SIM_BAD_SCENARIO);
    assert_null(hv);
    assert_string_equal(error.message, "node 1: 3 logical processors are no "
                                       "whole cores of 2");
    assert_int_equal(create_smt(nodes, 1, 2, &hv, &error), SIM_OK);
    assert_int_equal(hv->lps[1].core, 0);
    hypervisor_free(hv);
}

static void keep_record(void *context, const struct trace_record *record)
{
    *(struct trace_record *)context = *record;
}

static void a_trace_record_says_where_and_who(void **state)
{
    struct trace_record record;
    struct small_host host;
    struct trace *trace = trace_create(keep_record, &record);
    struct hv_context context;

    (void)state;
    small_host_create(&host);
    context = host.context;
    context.hv = host.hv;
    context.lp = &host.hv->lps[1];

    struct trace *own = host.hv->trace;

    host.hv->trace = trace;
    hypervisor_trace(&context, TRACE_TIMER, 7);
    assert_int_equal(record.time.v, context.now.v);
    assert_int_equal(record.lp, 1);
    assert_int_equal(record.vp, 0);
    assert_int_equal(record.partition, host.hv->root->id.v);
    assert_int_equal(record.kind, TRACE_TIMER);
    assert_int_equal(record.detail, 7);

    context.lp = NULL;
    context.vp = NULL;
    hypervisor_trace(&context, TRACE_LP_IDLE, 0);
    assert_int_equal(record.lp, TRACE_NO_LP);
    assert_int_equal(record.vp, TRACE_NO_VP);
    assert_int_equal(record.partition, 0);

    /* A partition's states are its own records. */
    struct hv_partition *child = small_host_child(&host);

    assert_int_equal(record.kind, TRACE_PARTITION);
    assert_int_equal(record.partition, child->id.v);
    assert_int_equal(record.detail, PARTITION_UNINITIALIZED);
    host.hv->trace = own;
    small_host_destroy(&host);
    trace_free(trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lps_are_numbered_across_the_nodes),
        cmocka_unit_test(a_host_without_processors_or_memory_is_refused),
        cmocka_unit_test(a_core_lies_in_one_node_and_is_whole),
        cmocka_unit_test(a_trace_record_says_where_and_who),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
