/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/hypercall.h"

#include <stdalign.h>
#include <stddef.h>
#include <string.h>

#include "hypervisor/cpuid.h"
#include "hypervisor/hypercall_private.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

#define REGISTER_BYTES 16 /* fast: RDX and R8, then one XMM register each */

/* CPUID, "Hypervisor Feature Identification", EDX. */
#define FEATURES_LEAF 0x40000003u
#define FEATURE_XMM_INPUT (1u << 4)
#define FEATURE_XMM_OUTPUT (1u << 15)

/** All that decoding needs to know of a call. */
struct hypercall_def {
    const char *name;
    uint64_t privilege; /* 0: none, or the handler says */
    uint64_t feature;   /* without which there is no such call */
    hc_handler *handler;
    uint16_t input_bytes; /* of the header */
    uint16_t output_bytes;
    uint16_t rep_input_bytes;
    uint16_t rep_output_bytes;
    uint16_t element_ns; /* rep calls: the time an element is allowed; 0: a
                            simple call */
    bool variable;       /* the header goes on as long as the caller says */
    enum pc_vp_cell counter;
};

#define IN(type) .input_bytes = sizeof(struct type)
#define OUT(type) .output_bytes = sizeof(struct type)

static const struct hypercall_def hypercalls[HVCALL_CODE_END] = {
    [HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE] =
        {.name = "HvCallFlushVirtualAddressSpace",
         IN(hv_input_flush),
         .feature = FEATURE_TLB_FLUSH,
         .counter = PC_VP_OTHER_HYPERCALLS,
         .handler = hc_remote_flush_space},
    [HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST] = {.name =
                                               "HvCallFlushVirtualAddressList",
                                           IN(hv_input_flush),
                                           .rep_input_bytes = sizeof(uint64_t),
                                           .element_ns = 100,
                                           .feature = FEATURE_TLB_FLUSH,
                                           .counter = PC_VP_OTHER_HYPERCALLS,
                                           .handler = hc_remote_flush_list},
    [HVCALL_SEND_SYNTHETIC_CLUSTER_IPI] =
        {.name = "HvCallSendSyntheticClusterIpi",
         IN(hv_input_cluster_ipi),
         .feature = FEATURE_CLUSTER_IPI,
         .counter = PC_VP_VIRTUAL_INTERRUPT_HYPERCALLS,
         .handler = hc_remote_send_ipi},
    [HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX] =
        {.name = "HvCallFlushVirtualAddressSpaceEx",
         IN(hv_input_flush_ex),
         .variable = true,
         .feature = FEATURE_TLB_FLUSH | FEATURE_EXTENDED_PROCESSOR_MASKS,
         .counter = PC_VP_OTHER_HYPERCALLS,
         .handler = hc_remote_flush_space_ex},
    [HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX] =
        {.name = "HvCallFlushVirtualAddressListEx",
         IN(hv_input_flush_ex),
         .variable = true,
         .rep_input_bytes = sizeof(uint64_t),
         .element_ns = 100,
         .feature = FEATURE_TLB_FLUSH | FEATURE_EXTENDED_PROCESSOR_MASKS,
         .counter = PC_VP_OTHER_HYPERCALLS,
         .handler = hc_remote_flush_list_ex},
    [HVCALL_SEND_SYNTHETIC_CLUSTER_IPI_EX] =
        {.name = "HvCallSendSyntheticClusterIpiEx",
         IN(hv_input_cluster_ipi_ex),
         .variable = true,
         .feature = FEATURE_CLUSTER_IPI | FEATURE_EXTENDED_PROCESSOR_MASKS,
         .counter = PC_VP_VIRTUAL_INTERRUPT_HYPERCALLS,
         .handler = hc_remote_send_ipi_ex},
    [HVCALL_NOTIFY_LONG_SPIN_WAIT] = {.name = "HvCallNotifyLongSpinWait",
                                      IN(hv_input_long_spin_wait),
                                      .feature = FEATURE_LONG_SPIN_WAIT,
                                      .counter =
                                          PC_VP_LONG_SPIN_WAIT_HYPERCALLS,
                                      .handler = hc_vp_notify_long_spin_wait},
    [HVCALL_CREATE_PARTITION] = {.name = "HvCallCreatePartition",
                                 IN(hv_input_create_partition),
                                 OUT(hv_output_partition_id),
                                 .privilege = PRIVILEGE_CREATE_PARTITIONS,
                                 .counter = PC_VP_OTHER_HYPERCALLS,
                                 .handler = hc_partition_create},
    [HVCALL_INITIALIZE_PARTITION] = {.name = "HvCallInitializePartition",
                                     IN(hv_input_partition),
                                     .counter = PC_VP_OTHER_HYPERCALLS,
                                     .handler = hc_partition_initialize},
    [HVCALL_FINALIZE_PARTITION] = {.name = "HvCallFinalizePartition",
                                   IN(hv_input_partition),
                                   .counter = PC_VP_OTHER_HYPERCALLS,
                                   .handler = hc_partition_finalize},
    [HVCALL_DELETE_PARTITION] = {.name = "HvCallDeletePartition",
                                 IN(hv_input_partition),
                                 .counter = PC_VP_OTHER_HYPERCALLS,
                                 .handler = hc_partition_delete},
    [HVCALL_GET_PARTITION_PROPERTY] = {.name = "HvCallGetPartitionProperty",
                                       IN(hv_input_get_partition_property),
                                       OUT(hv_output_get_partition_property),
                                       .counter = PC_VP_OTHER_HYPERCALLS,
                                       .handler = hc_partition_get_property},
    [HVCALL_SET_PARTITION_PROPERTY] = {.name = "HvCallSetPartitionProperty",
                                       IN(hv_input_set_partition_property),
                                       .counter = PC_VP_OTHER_HYPERCALLS,
                                       .handler = hc_partition_set_property},
    [HVCALL_GET_PARTITION_ID] = {.name = "HvCallGetPartitionId",
                                 OUT(hv_output_partition_id),
                                 .privilege = PRIVILEGE_ACCESS_PARTITION_ID,
                                 .counter = PC_VP_OTHER_HYPERCALLS,
                                 .handler = hc_partition_get_id},
    [HVCALL_GET_NEXT_CHILD_PARTITION] = {.name = "HvCallGetNextChildPartition",
                                         IN(hv_input_get_next_child),
                                         OUT(hv_output_partition_id),
                                         .counter = PC_VP_OTHER_HYPERCALLS,
                                         .handler =
                                             hc_partition_get_next_child},
    [HVCALL_DEPOSIT_MEMORY] = {.name = "HvCallDepositMemory",
                               IN(hv_input_deposit_memory),
                               .rep_input_bytes = sizeof(uint64_t),
                               .privilege = PRIVILEGE_ACCESS_MEMORY_POOL,
                               .element_ns = 500,
                               .counter = PC_VP_DEPOSIT_HYPERCALLS,
                               .handler = hc_memory_deposit},
    [HVCALL_WITHDRAW_MEMORY] = {.name = "HvCallWithdrawMemory",
                                IN(hv_input_withdraw_memory),
                                .rep_output_bytes = sizeof(uint64_t),
                                .privilege = PRIVILEGE_ACCESS_MEMORY_POOL,
                                .element_ns = 500,
                                .counter = PC_VP_DEPOSIT_HYPERCALLS,
                                .handler = hc_memory_withdraw},
    [HVCALL_GET_MEMORY_BALANCE] = {.name = "HvCallGetMemoryBalance",
                                   IN(hv_input_get_memory_balance),
                                   OUT(hv_output_get_memory_balance),
                                   .counter = PC_VP_DEPOSIT_HYPERCALLS,
                                   .handler = hc_memory_get_balance},
    [HVCALL_MAP_GPA_PAGES] = {.name = "HvCallMapGpaPages",
                              IN(hv_input_map_gpa_pages),
                              .rep_input_bytes = sizeof(uint64_t),
                              .element_ns = 400,
                              .counter = PC_VP_GPA_SPACE_HYPERCALLS,
                              .handler = hc_memory_map},
    [HVCALL_UNMAP_GPA_PAGES] = {.name = "HvCallUnmapGpaPages",
                                IN(hv_input_unmap_gpa_pages),
                                .element_ns = 400,
                                .counter = PC_VP_GPA_SPACE_HYPERCALLS,
                                .handler = hc_memory_unmap},
    [HVCALL_INSTALL_INTERCEPT] = {.name = "HvCallInstallIntercept",
                                  IN(hv_input_install_intercept),
                                  .counter = PC_VP_OTHER_HYPERCALLS,
                                  .handler = hc_partition_install_intercept},
    [HVCALL_CREATE_VP] = {.name = "HvCallCreateVp",
                          IN(hv_input_create_vp),
                          .counter = PC_VP_VIRTUAL_PROCESSOR_HYPERCALLS,
                          .handler = hc_vp_create},
    [HVCALL_DELETE_VP] = {.name = "HvCallDeleteVp",
                          IN(hv_input_delete_vp),
                          .counter = PC_VP_VIRTUAL_PROCESSOR_HYPERCALLS,
                          .handler = hc_vp_delete},
    [HVCALL_GET_VP_REGISTERS] = {.name = "HvCallGetVpRegisters",
                                 IN(hv_input_vp_registers),
                                 .rep_input_bytes = sizeof(uint32_t),
                                 .rep_output_bytes =
                                     sizeof(struct hv_register_value),
                                 .element_ns = 250,
                                 .counter = PC_VP_VIRTUAL_PROCESSOR_HYPERCALLS,
                                 .handler = hc_vp_get_registers},
    [HVCALL_SET_VP_REGISTERS] = {.name = "HvCallSetVpRegisters",
                                 IN(hv_input_vp_registers),
                                 .rep_input_bytes =
                                     sizeof(struct hv_register_assoc),
                                 .element_ns = 250,
                                 .counter = PC_VP_VIRTUAL_PROCESSOR_HYPERCALLS,
                                 .handler = hc_vp_set_registers},
    [HVCALL_TRANSLATE_VIRTUAL_ADDRESS] = {.name =
                                              "HvCallTranslateVirtualAddress",
                                          IN(hv_input_translate_gva),
                                          OUT(hv_output_translate_gva),
                                          .counter = PC_VP_OTHER_HYPERCALLS,
                                          .handler = hc_access_translate},
    [HVCALL_READ_GPA] = {.name = "HvCallReadGpa",
                         IN(hv_input_read_gpa),
                         OUT(hv_output_read_gpa),
                         .counter = PC_VP_OTHER_HYPERCALLS,
                         .handler = hc_access_read},
    [HVCALL_WRITE_GPA] = {.name = "HvCallWriteGpa",
                          IN(hv_input_write_gpa),
                          OUT(hv_output_write_gpa),
                          .counter = PC_VP_OTHER_HYPERCALLS,
                          .handler = hc_access_write},
    [HVCALL_CLEAR_VIRTUAL_INTERRUPT] = {.name = "HvCallClearVirtualInterrupt",
                                        IN(hv_input_clear_interrupt),
                                        .counter =
                                            PC_VP_VIRTUAL_INTERRUPT_HYPERCALLS,
                                        .handler = hc_vp_clear_interrupt},
    [HVCALL_CREATE_PORT_LEGACY] = {.name = "HvCallCreatePort",
                                   IN(hv_input_create_port_legacy),
                                   .privilege = PRIVILEGE_CREATE_PORT,
                                   .counter = PC_VP_OTHER_HYPERCALLS,
                                   .handler = hc_port_create},
    [HVCALL_DELETE_PORT] = {.name = "HvCallDeletePort",
                            IN(hv_input_port),
                            .privilege = PRIVILEGE_CREATE_PORT,
                            .counter = PC_VP_OTHER_HYPERCALLS,
                            .handler = hc_port_delete},
    [HVCALL_CONNECT_PORT_LEGACY] = {.name = "HvCallConnectPort",
                                    IN(hv_input_connect_port_legacy),
                                    .privilege = PRIVILEGE_CONNECT_PORT,
                                    .counter = PC_VP_OTHER_HYPERCALLS,
                                    .handler = hc_port_connect_legacy},
    [HVCALL_DISCONNECT_PORT] = {.name = "HvCallDisconnectPort",
                                IN(hv_input_port),
                                .privilege = PRIVILEGE_CONNECT_PORT,
                                .counter = PC_VP_OTHER_HYPERCALLS,
                                .handler = hc_port_disconnect},
    [HVCALL_POST_MESSAGE] = {.name = "HvCallPostMessage",
                             IN(hv_input_post_message),
                             .privilege = PRIVILEGE_POST_MESSAGES,
                             .counter = PC_VP_OTHER_HYPERCALLS,
                             .handler = hc_port_post_message},
    [HVCALL_SIGNAL_EVENT] = {.name = "HvCallSignalEvent",
                             IN(hv_input_signal_event),
                             .privilege = PRIVILEGE_SIGNAL_EVENTS,
                             .counter = PC_VP_OTHER_HYPERCALLS,
                             .handler = hc_port_signal_event},
    [HVCALL_CREATE_PORT] = {.name = "HvCallCreatePort",
                            IN(hv_input_create_port),
                            .privilege = PRIVILEGE_CREATE_PORT,
                            .counter = PC_VP_OTHER_HYPERCALLS,
                            .handler = hc_port_create},
    [HVCALL_START_VIRTUAL_PROCESSOR] = {.name = "HvCallStartVirtualProcessor",
                                        IN(hv_input_start_vp),
                                        .counter =
                                            PC_VP_VIRTUAL_PROCESSOR_HYPERCALLS,
                                        .handler = hc_start_processor},
    [HVCALL_GET_VP_INDEX_FROM_APIC_ID] = {.name = "HvCallGetVpIndexFromApicId",
                                          IN(hv_input_vp_index_from_apic_id),
                                          .rep_input_bytes = sizeof(uint32_t),
                                          .rep_output_bytes = sizeof(uint32_t),
                                          .element_ns = 100,
                                          .counter = PC_VP_OTHER_HYPERCALLS,
                                          .handler = hc_start_find_index},
    [HVCALL_CONNECT_PORT] = {.name = "HvCallConnectPort",
                             IN(hv_input_connect_port),
                             .privilege = PRIVILEGE_CONNECT_PORT,
                             .counter = PC_VP_OTHER_HYPERCALLS,
                             .handler = hc_port_connect},
    [HVCALL_MAP_SPARSE_GPA_PAGES] = {.name = "HvCallMapSparseGpaPages",
                                     IN(hv_input_map_sparse_gpa_pages),
                                     .rep_input_bytes =
                                         sizeof(struct hv_gpa_pair),
                                     .element_ns = 400,
                                     .counter = PC_VP_GPA_SPACE_HYPERCALLS,
                                     .handler = hc_memory_map_sparse},
    [HVCALL_NOTIFY_PORT_RING_EMPTY] = {.name = "HvCallNotifyPortRingEmpty",
                                       IN(hv_input_notify_ring_empty),
                                       .counter = PC_VP_OTHER_HYPERCALLS,
                                       .handler = hc_port_notify_ring_empty},
    [HVCALL_ASSERT_VIRTUAL_INTERRUPT] = {.name = "HvCallAssertVirtualInterrupt",
                                         IN(hv_input_assert_interrupt),
                                         .counter =
                                             PC_VP_VIRTUAL_INTERRUPT_HYPERCALLS,
                                         .handler = hc_vp_assert_interrupt},
};

static const struct hypercall_def query_capabilities = {
    .name = "HvExtCallQueryCapabilities",
    OUT(hv_output_capabilities),
    .privilege = PRIVILEGE_EXTENDED_HYPERCALLS,
    .counter = PC_VP_OTHER_HYPERCALLS,
    .handler = hc_partition_query_capabilities};

#undef IN
#undef OUT

static const struct hypercall_def *find_def(uint16_t code)
{
    if (code == HVCALL_EXT_QUERY_CAPABILITIES)
        return &query_capabilities;
    if (code >= HVCALL_CODE_END || !hypercalls[code].handler)
        return NULL;
    return &hypercalls[code];
}

const char *hypercall_name(uint16_t code)
{
    const struct hypercall_def *def = find_def(code);

    return def ? def->name : NULL;
}

/** An input value, taken apart, with what follows from it and the table. */
struct request {
    const struct hypercall_def *def;
    bool fast;
    uint32_t variable_bytes;
    uint32_t rep_count; /* 0 for a simple call */
    uint32_t rep_start;
    uint32_t input_bytes; /* header and all elements */
    uint32_t output_bytes;
    uint32_t output_at; /* fast: offset of the output in the registers */
};

static struct request decode(uint64_t control)
{
    const struct hypercall_def *def =
        find_def((uint16_t)(control & HYPERCALL_CODE_MASK));
    struct request request = {
        .def = def,
        .fast = control & HYPERCALL_FAST,
        .variable_bytes = (uint32_t)((control >> HYPERCALL_VARIABLE_SHIFT) &
                                     HYPERCALL_VARIABLE_MASK) *
                          8,
        .rep_count = (uint32_t)((control >> HYPERCALL_REP_COUNT_SHIFT) &
                                HYPERCALL_REP_MASK),
        .rep_start = (uint32_t)((control >> HYPERCALL_REP_START_SHIFT) &
                                HYPERCALL_REP_MASK),
    };

    if (!def)
        return request;
    request.input_bytes = def->input_bytes + request.variable_bytes +
                          request.rep_count * def->rep_input_bytes;
    request.output_bytes =
        def->output_bytes + request.rep_count * def->rep_output_bytes;
    request.output_at = (request.input_bytes + REGISTER_BYTES - 1) &
                        ~(uint32_t)(REGISTER_BYTES - 1);
    return request;
}

static bool uses_xmm(const struct request *request)
{
    return request->fast && request->def &&
           (request->input_bytes > REGISTER_BYTES || request->output_bytes > 0);
}

bool hypercall_uses_xmm(uint64_t control)
{
    struct request request = decode(control);

    return uses_xmm(&request);
}

static bool xmm_offered(const struct hv_context *context,
                        const struct request *request)
{
    uint32_t features = cpuid_query(context->vp, FEATURES_LEAF, 0).edx;

    if (request->input_bytes > REGISTER_BYTES &&
        !(features & FEATURE_XMM_INPUT))
        return false;
    return request->output_bytes == 0 || (features & FEATURE_XMM_OUTPUT);
}

/* Reps where the call has them, registers enough in the fast form. */
static enum hv_status check_form(const struct hypercall *call,
                                 const struct request *request)
{
    bool rep = request->def->element_ns != 0;

    if (request->variable_bytes != 0 && !request->def->variable)
        return HV_STATUS_INVALID_HYPERCALL_INPUT;
    if (!rep && (request->rep_count != 0 || request->rep_start != 0))
        return HV_STATUS_INVALID_HYPERCALL_INPUT;
    if (rep && request->rep_start >= request->rep_count)
        return HV_STATUS_INVALID_HYPERCALL_INPUT;
    if (!request->fast)
        return HV_STATUS_SUCCESS;
    if (request->input_bytes > HYPERCALL_FAST_BYTES_MAX)
        return HV_STATUS_INVALID_HYPERCALL_INPUT;
    if (request->output_bytes > 0 &&
        (call->narrow ||
         request->output_at + request->output_bytes > HYPERCALL_FAST_BYTES_MAX))
        return HV_STATUS_INVALID_HYPERCALL_INPUT;
    return HV_STATUS_SUCCESS;
}

static bool block_fits(gpa_t at, uint32_t bytes)
{
    return (at.raw & 7) == 0 && (at.raw & PAGE_MASK) + bytes <= PAGE_BYTES;
}

static enum hv_status check_pointers(const struct hypercall *call,
                                     const struct request *request)
{
    if (request->fast)
        return HV_STATUS_SUCCESS;
    if (request->input_bytes && !block_fits(call->input, request->input_bytes))
        return HV_STATUS_INVALID_ALIGNMENT;
    if (request->output_bytes &&
        !block_fits(call->output, request->output_bytes))
        return HV_STATUS_INVALID_ALIGNMENT;
    return HV_STATUS_SUCCESS;
}

static enum hv_status check(const struct hv_context *context,
                            const struct hypercall *call,
                            const struct request *request)
{
    if (call->control & HYPERCALL_RESERVED)
        return HV_STATUS_INVALID_HYPERCALL_INPUT;
    /* There is no hypervisor above us that a nested call could be for. */
    if (!request->def || (call->control & HYPERCALL_NESTED))
        return HV_STATUS_INVALID_HYPERCALL_CODE;
    if (!partition_has(context->vp->partition, request->def->privilege) ||
        !partition_offers(context->vp->partition, request->def->feature))
        return HV_STATUS_ACCESS_DENIED;
    return check_form(call, request);
}

static void bill_copy(struct hv_context *context, uint32_t bytes)
{
    cost_note(context->bill, COST_HYPERCALL_COPY_QWORD, (bytes + 7) / 8);
}

/* The parameters of one entry: copied once, checked as a copy, used as a copy.
 */
struct parameters {
    alignas(8) uint8_t header[PAGE_BYTES];
    alignas(8) uint8_t elements[PAGE_BYTES];
    alignas(8) uint8_t output[PAGE_BYTES];
    uint32_t elements_at, elements_bytes; /* where in the caller's input */
    uint32_t output_at, output_bytes;     /* likewise, output */
};

static void place_parameters(const struct request *request,
                             const struct hc_call *hc,
                             struct parameters *parameters)
{
    const struct hypercall_def *def = request->def;

    parameters->elements_at = def->input_bytes + request->variable_bytes +
                              hc->first * def->rep_input_bytes;
    parameters->elements_bytes = hc->count * def->rep_input_bytes;
    parameters->output_at = hc->first * def->rep_output_bytes;
    parameters->output_bytes =
        def->output_bytes + hc->count * def->rep_output_bytes;
}

static bool copy_in(struct hv_context *context, const struct hypercall *call,
                    const struct request *request,
                    struct parameters *parameters)
{
    uint32_t at = parameters->elements_at;
    uint32_t bytes = parameters->elements_bytes;
    uint32_t header_bytes = request->def->input_bytes + request->variable_bytes;

    memset(parameters->output, 0, parameters->output_bytes);
    if (request->fast) {
        memcpy(parameters->header, call->fast, header_bytes);
        memcpy(parameters->elements, call->fast + at, bytes);
        return true;
    }
    bill_copy(context, header_bytes + bytes);
    if (header_bytes && !guest_memory_read(call->memory, call->input,
                                           parameters->header, header_bytes))
        return false;
    if (bytes && !guest_memory_read(call->memory, gpa_add(call->input, at),
                                    parameters->elements, bytes))
        return false;
    return true;
}

/* Also used before the call with zeros: a call must not have worked when there
 * is no place for its output. */
static bool copy_out(struct hypercall *call, const struct request *request,
                     const struct parameters *parameters, uint32_t bytes)
{
    uint32_t at = parameters->output_at;

    if (bytes == 0)
        return true;
    if (request->fast) {
        memcpy(call->fast + request->output_at + at, parameters->output, bytes);
        return true;
    }
    return guest_memory_write(call->memory, gpa_add(call->output, at),
                              parameters->output, bytes);
}

/* Carries out one entry of a call; `hc` says which elements. */
static enum hv_status carry_out(struct hv_context *context,
                                struct hypercall *call,
                                const struct request *request,
                                struct hc_call *hc)
{
    const struct hypercall_def *def = request->def;
    struct parameters parameters;

    place_parameters(request, hc, &parameters);
    if (!copy_in(context, call, request, &parameters) ||
        !copy_out(call, request, &parameters, parameters.output_bytes))
        return HV_STATUS_INVALID_HYPERCALL_INPUT;
    hc->input = parameters.header;
    hc->elements = parameters.elements;
    hc->output = parameters.output;

    enum hv_status status = def->handler(context, hc);
    uint32_t produced = def->output_bytes + hc->done * def->rep_output_bytes;

    CHECK(hc->done <= hc->count);
    cost_note(context->bill, COST_HYPERCALL_REP, hc->done);
    if (!request->fast)
        bill_copy(context, produced);
    if (!copy_out(call, request, &parameters, produced))
        return HV_STATUS_INVALID_HYPERCALL_INPUT;
    return status;
}

static enum hypercall_outcome finish(struct hv_context *context,
                                     struct hypercall *call,
                                     const struct request *request,
                                     enum hv_status status, uint32_t reps)
{
    pc_vp_add(&context->vp->counters,
              request->def ? request->def->counter : PC_VP_OTHER_HYPERCALLS, 1);
    call->result = (uint64_t)status | (uint64_t)reps
                                          << HYPERCALL_REP_COUNT_SHIFT;
    return HYPERCALL_DONE;
}

static struct hc_call first_entry(const struct request *request)
{
    struct hc_call hc = {.variable_bytes = request->variable_bytes,
                         .first = request->rep_start};

    if (request->def->element_ns != 0) {
        uint32_t most = HYPERCALL_ENTRY_NS / request->def->element_ns;
        uint32_t left = request->rep_count - request->rep_start;

        hc.count = left < most ? left : most;
    }
    return hc;
}

static enum hypercall_outcome dispatch_direct(struct hv_context *context,
                                              struct hypercall *call)
{
    enum pc_vp_cell counter;

    cost_note(context->bill, COST_HYPERCALL_BODY, 1);
    call->result = (uint64_t)hc_direct(context, call->direct, &counter);
    pc_vp_add(&context->vp->counters, counter, 1);
    return HYPERCALL_DONE;
}

enum hypercall_outcome hypercall_dispatch(struct hv_context *context,
                                          struct hypercall *call)
{
    if (call->direct)
        return dispatch_direct(context, call);

    struct request request = decode(call->control);
    enum hv_status status = check(context, call, &request);

    cost_note(context->bill, COST_HYPERCALL_BODY, 1);
    if (status != HV_STATUS_SUCCESS)
        return finish(context, call, &request, status, 0);
    if (uses_xmm(&request) && !xmm_offered(context, &request))
        return HYPERCALL_UNDEFINED;
    status = check_pointers(call, &request);
    if (status != HV_STATUS_SUCCESS)
        return finish(context, call, &request, status, request.rep_start);

    struct hc_call hc = first_entry(&request);

    status = carry_out(context, call, &request, &hc);

    uint32_t reached = hc.first + hc.done;

    if (status != HV_STATUS_SUCCESS || reached == request.rep_count)
        return finish(context, call, &request, status, reached);
    CHECK(hc.done == hc.count);
    call->control &= ~(HYPERCALL_REP_MASK << HYPERCALL_REP_START_SHIFT);
    call->control |= (uint64_t)reached << HYPERCALL_REP_START_SHIFT;
    return HYPERCALL_CONTINUE;
}
