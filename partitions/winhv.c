/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/winhv.h"

#include <string.h>

#include "hypervisor/gpa_space.h"
#include "hypervisor/hypercall.h"
#include "hypervisor/hypercall_abi.h"
#include "hypervisor/partition.h"
#include "sim/core/check.h"

struct deposit_list {
    struct hv_input_deposit_memory head;
    uint64_t pages[WINHV_LIST_MAX];
};

struct map_list {
    struct hv_input_map_gpa_pages head;
    uint64_t pages[WINHV_LIST_MAX];
};

struct register_list {
    struct hv_input_vp_registers head;
    struct hv_register_assoc elements[WINHV_REGISTERS_MAX];
};

enum sim_status winhv_init(struct winhv *winhv, struct root *root,
                           struct sim_error *error)
{
    *winhv = (struct winhv){.root = root};
    if (!root_memory_take_page(root->memory, 0, &winhv->input) ||
        !root_memory_take_page(root->memory, 0, &winhv->output))
        return sim_fail(error, SIM_NO_MEMORY,
                        "the root partition has no memory left for hypercall "
                        "pages");
    return SIM_OK;
}

/* Makes one call, continuing it for as long as the hypervisor asks to. */
static uint64_t winhv_call(struct winhv *winhv, struct hv_context *context,
                           uint64_t control, const void *input, size_t bytes)
{
    struct hypervisor *hv = context->hv;
    struct hypercall call = {
        .memory = gpa_space_memory(&hv->root->gpa),
        .control = control,
        .input = gpa(winhv->input.raw),
        .output = gpa(winhv->output.raw),
    };

    cost_note(context->bill, COST_WINHV_CALL, 1);
    CHECK(bytes <= PAGE_BYTES);
    CHECK(guest_memory_write(call.memory, call.input, input, bytes));
    hv->host.on_model_hypercall(hv->host.context, context->vp, &call);
    return call.result;
}

static enum hv_status winhv_simple(struct winhv *winhv,
                                   struct hv_context *context,
                                   enum hypercall_code code, const void *input,
                                   size_t bytes)
{
    return (enum hv_status)hypercall_status(
        winhv_call(winhv, context, code, input, bytes));
}

/* A rep call with all elements in the input page; *done: reps completed. */
static enum hv_status winhv_rep(struct winhv *winhv, struct hv_context *context,
                                enum hypercall_code code, uint32_t count,
                                const void *input, size_t bytes, uint32_t *done)
{
    uint64_t result =
        winhv_call(winhv, context, hypercall_rep(code, count), input, bytes);

    *done = hypercall_reps_done(result);
    return (enum hv_status)hypercall_status(result);
}

/* Reads what a call has put into the output page. */
static void winhv_output(struct winhv *winhv, struct hv_context *context,
                         void *output, size_t bytes)
{
    CHECK(guest_memory_read(gpa_space_memory(&context->hv->root->gpa),
                            gpa(winhv->output.raw), output, bytes));
}

enum hv_status winhv_create_partition(struct winhv *winhv,
                                      struct hv_context *context,
                                      partition_id_t *id)
{
    const struct hv_input_create_partition input = {0};
    struct hv_output_partition_id output = {0};
    enum hv_status status = winhv_simple(
        winhv, context, HVCALL_CREATE_PARTITION, &input, sizeof(input));

    if (status == HV_STATUS_SUCCESS)
        winhv_output(winhv, context, &output, sizeof(output));
    *id = (partition_id_t){output.partition_id};
    return status;
}

static enum hv_status winhv_on_partition(struct winhv *winhv,
                                         struct hv_context *context,
                                         enum hypercall_code code,
                                         partition_id_t id)
{
    const struct hv_input_partition input = {.partition_id = id.v};

    return winhv_simple(winhv, context, code, &input, sizeof(input));
}

enum hv_status winhv_initialize_partition(struct winhv *winhv,
                                          struct hv_context *context,
                                          partition_id_t id)
{
    return winhv_on_partition(winhv, context, HVCALL_INITIALIZE_PARTITION, id);
}

enum hv_status winhv_finalize_partition(struct winhv *winhv,
                                        struct hv_context *context,
                                        partition_id_t id)
{
    return winhv_on_partition(winhv, context, HVCALL_FINALIZE_PARTITION, id);
}

enum hv_status winhv_delete_partition(struct winhv *winhv,
                                      struct hv_context *context,
                                      partition_id_t id)
{
    return winhv_on_partition(winhv, context, HVCALL_DELETE_PARTITION, id);
}

enum hv_status winhv_set_property(struct winhv *winhv,
                                  struct hv_context *context, partition_id_t id,
                                  uint32_t code, uint64_t value)
{
    const struct hv_input_set_partition_property input = {
        .partition_id = id.v, .code = code, .value = value};

    return winhv_simple(winhv, context, HVCALL_SET_PARTITION_PROPERTY, &input,
                        sizeof(input));
}

enum hv_status winhv_deposit_memory(struct winhv *winhv,
                                    struct hv_context *context,
                                    partition_id_t id, const spa_t *pages,
                                    uint32_t count, uint32_t *done)
{
    struct deposit_list input = {.head.partition_id = id.v};

    CHECK(count <= WINHV_LIST_MAX);
    for (uint32_t i = 0; i < count; i++)
        input.pages[i] = pages[i].raw >> PAGE_SHIFT;
    return winhv_rep(winhv, context, HVCALL_DEPOSIT_MEMORY, count, &input,
                     sizeof(input), done);
}

#define DEPOSIT_PAGES 64

bool winhv_deposit_some(struct winhv *winhv, struct hv_context *context,
                        partition_id_t id, uint32_t node)
{
    struct root_memory *memory = winhv->root->memory;
    spa_t pages[DEPOSIT_PAGES];
    uint32_t taken = 0;
    uint32_t done = 0;

    while (taken < DEPOSIT_PAGES &&
           root_memory_take_page(memory, node, &pages[taken]))
        taken++;
    if (taken > 0)
        winhv_deposit_memory(winhv, context, id, pages, taken, &done);
    for (uint32_t i = done; i < taken; i++)
        root_memory_give_page(memory, pages[i]);
    return done > 0;
}

enum hv_status winhv_withdraw_memory(struct winhv *winhv,
                                     struct hv_context *context,
                                     partition_id_t id, spa_t *pages,
                                     uint32_t *count)
{
    const struct hv_input_withdraw_memory input = {.partition_id = id.v};
    uint64_t output[WINHV_LIST_MAX];
    enum hv_status status;

    CHECK(*count <= WINHV_LIST_MAX);
    status = winhv_rep(winhv, context, HVCALL_WITHDRAW_MEMORY, *count, &input,
                       sizeof(input), count);
    CHECK(*count <= WINHV_LIST_MAX);
    winhv_output(winhv, context, output, *count * sizeof(output[0]));
    for (uint32_t i = 0; i < *count; i++)
        pages[i] = spa(output[i] << PAGE_SHIFT);
    return status;
}

enum hv_status winhv_map_pages(struct winhv *winhv, struct hv_context *context,
                               partition_id_t id, gpa_t base,
                               const spa_t *pages, uint32_t count, bool large,
                               uint32_t *done)
{
    struct map_list input = {
        .head = {.partition_id = id.v,
                 .target_page = base.raw >> PAGE_SHIFT,
                 .flags = GPA_MAP_READ | GPA_MAP_WRITE |
                          GPA_MAP_KERNEL_EXECUTE | GPA_MAP_USER_EXECUTE |
                          (large ? HV_MAP_GPA_LARGE_PAGE : 0)}};

    CHECK(count <= WINHV_LIST_MAX);
    for (uint32_t i = 0; i < count; i++)
        input.pages[i] = pages[i].raw >> PAGE_SHIFT;
    return winhv_rep(winhv, context, HVCALL_MAP_GPA_PAGES, count, &input,
                     sizeof(input), done);
}

enum hv_status winhv_install_intercept(struct winhv *winhv,
                                       struct hv_context *context,
                                       partition_id_t id, uint32_t type,
                                       uint32_t access, uint64_t parameter)
{
    const struct hv_input_install_intercept input = {.partition_id = id.v,
                                                     .access = access,
                                                     .type = type,
                                                     .parameter = parameter};

    return winhv_simple(winhv, context, HVCALL_INSTALL_INTERCEPT, &input,
                        sizeof(input));
}

enum hv_status winhv_create_vp(struct winhv *winhv, struct hv_context *context,
                               partition_id_t id, uint32_t vp_index,
                               uint32_t node)
{
    const struct hv_input_create_vp input = {
        .partition_id = id.v,
        .vp_index = vp_index,
        .proximity = {node, HV_PROXIMITY_PREFERRED | HV_PROXIMITY_VALID}};

    return winhv_simple(winhv, context, HVCALL_CREATE_VP, &input,
                        sizeof(input));
}

enum hv_status winhv_delete_vp(struct winhv *winhv, struct hv_context *context,
                               partition_id_t id, uint32_t vp_index)
{
    const struct hv_input_delete_vp input = {.partition_id = id.v,
                                             .vp_index = vp_index};

    return winhv_simple(winhv, context, HVCALL_DELETE_VP, &input,
                        sizeof(input));
}

enum hv_status winhv_set_registers(struct winhv *winhv,
                                   struct hv_context *context,
                                   partition_id_t id, uint32_t vp_index,
                                   const struct winhv_register *registers,
                                   uint32_t count)
{
    struct register_list input = {
        .head = {.partition_id = id.v, .vp_index = vp_index}};
    uint32_t done;

    CHECK(count <= WINHV_REGISTERS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        input.elements[i].name = registers[i].name;
        input.elements[i].value.low = registers[i].value[0];
        input.elements[i].value.high = registers[i].value[1];
    }
    return winhv_rep(winhv, context, HVCALL_SET_VP_REGISTERS, count, &input,
                     sizeof(input.head) + count * sizeof(input.elements[0]),
                     &done);
}

enum hv_status winhv_get_registers(struct winhv *winhv,
                                   struct hv_context *context,
                                   partition_id_t id, uint32_t vp_index,
                                   struct winhv_register *registers,
                                   uint32_t count)
{
    struct {
        struct hv_input_vp_registers head;
        uint32_t names[WINHV_REGISTERS_MAX];
    } input = {.head = {.partition_id = id.v, .vp_index = vp_index}};
    uint64_t output[WINHV_REGISTERS_MAX][2];
    uint32_t done;
    enum hv_status status;

    CHECK(count <= WINHV_REGISTERS_MAX);
    for (uint32_t i = 0; i < count; i++)
        input.names[i] = registers[i].name;
    status =
        winhv_rep(winhv, context, HVCALL_GET_VP_REGISTERS, count, &input,
                  sizeof(input.head) + count * sizeof(input.names[0]), &done);
    if (status != HV_STATUS_SUCCESS)
        return status;
    winhv_output(winhv, context, output, count * sizeof(output[0]));
    for (uint32_t i = 0; i < count; i++)
        memcpy(registers[i].value, output[i], sizeof(output[i]));
    return status;
}

enum hv_status winhv_get_register(struct winhv *winhv,
                                  struct hv_context *context, partition_id_t id,
                                  uint32_t vp_index, struct winhv_register *out)
{
    return winhv_get_registers(winhv, context, id, vp_index, out, 1);
}

enum hv_status
winhv_assert_interrupt(struct winhv *winhv, struct hv_context *context,
                       partition_id_t id,
                       const struct hv_input_assert_interrupt *interrupt)
{
    struct hv_input_assert_interrupt input = *interrupt;

    input.partition_id = id.v;
    return winhv_simple(winhv, context, HVCALL_ASSERT_VIRTUAL_INTERRUPT, &input,
                        sizeof(input));
}

enum hv_status winhv_get_memory_balance(struct winhv *winhv,
                                        struct hv_context *context,
                                        partition_id_t id,
                                        uint64_t *pages_available)
{
    const struct hv_input_get_memory_balance input = {.partition_id = id.v};
    struct hv_output_get_memory_balance output = {0};
    enum hv_status status = winhv_simple(
        winhv, context, HVCALL_GET_MEMORY_BALANCE, &input, sizeof(input));

    if (status == HV_STATUS_SUCCESS)
        winhv_output(winhv, context, &output, sizeof(output));
    *pages_available = output.pages_available;
    return status;
}

uint32_t winhv_translate(struct winhv *winhv, struct hv_context *context,
                         partition_id_t id, uint32_t vp_index, gva_t at,
                         bool write, gpa_t *page)
{
    const struct hv_input_translate_gva input = {
        .partition_id = id.v,
        .vp_index = vp_index,
        .flags = (write ? HV_TRANSLATE_WRITE : HV_TRANSLATE_READ) |
                 HV_TRANSLATE_SET_PAGE_TABLE_BITS,
        .gva_page = at.raw >> PAGE_SHIFT};
    struct hv_output_translate_gva output = {0};

    if (winhv_simple(winhv, context, HVCALL_TRANSLATE_VIRTUAL_ADDRESS, &input,
                     sizeof(input)) != HV_STATUS_SUCCESS) {
        *page = gpa(UINT64_MAX);
        return HV_TRANSLATE_GPA_UNMAPPED;
    }
    winhv_output(winhv, context, &output, sizeof(output));
    *page = gpa(output.gpa_page << PAGE_SHIFT);
    return output.result;
}

static bool winhv_write_gpa(struct winhv *winhv, struct hv_context *context,
                            struct hv_input_write_gpa *input, const void *data,
                            uint32_t bytes)
{
    struct hv_output_write_gpa output = {0};

    memcpy(input->data, data, bytes);
    if (winhv_simple(winhv, context, HVCALL_WRITE_GPA, input, sizeof(*input)) !=
        HV_STATUS_SUCCESS)
        return false;
    winhv_output(winhv, context, &output, sizeof(output));
    return output.result == HV_ACCESS_GPA_SUCCESS;
}

bool winhv_access_gpa(struct winhv *winhv, struct hv_context *context,
                      partition_id_t id, uint32_t vp_index, gpa_t at,
                      bool write, void *data, uint32_t bytes)
{
    struct hv_input_write_gpa input = {.partition_id = id.v,
                                       .vp_index = vp_index,
                                       .bytes = bytes,
                                       .gpa = at.raw};
    struct hv_output_read_gpa output = {0};

    CHECK(bytes <= HV_ACCESS_GPA_BYTES_MAX);
    if (write)
        return winhv_write_gpa(winhv, context, &input, data, bytes);
    if (winhv_simple(winhv, context, HVCALL_READ_GPA, &input,
                     sizeof(struct hv_input_read_gpa)) != HV_STATUS_SUCCESS)
        return false;
    winhv_output(winhv, context, &output, sizeof(output));
    memcpy(data, output.data, bytes);
    return output.result == HV_ACCESS_GPA_SUCCESS;
}

enum hv_status winhv_create_port(struct winhv *winhv,
                                 struct hv_context *context,
                                 partition_id_t owner, uint32_t id,
                                 partition_id_t sender,
                                 const struct hv_port_info *info)
{
    const struct hv_input_create_port input = {
        .base = {.port_partition = owner.v,
                 .port_id = id,
                 .connection_partition = sender.v,
                 .info = *info}};

    return winhv_simple(winhv, context, HVCALL_CREATE_PORT, &input,
                        sizeof(input));
}

static enum hv_status winhv_on_port(struct winhv *winhv,
                                    struct hv_context *context,
                                    enum hypercall_code code,
                                    partition_id_t partition, uint32_t id)
{
    const struct hv_input_port input = {.partition_id = partition.v, .id = id};

    return winhv_simple(winhv, context, code, &input, sizeof(input));
}

enum hv_status winhv_delete_port(struct winhv *winhv,
                                 struct hv_context *context,
                                 partition_id_t owner, uint32_t id)
{
    return winhv_on_port(winhv, context, HVCALL_DELETE_PORT, owner, id);
}

enum hv_status winhv_connect_port(struct winhv *winhv,
                                  struct hv_context *context,
                                  partition_id_t sender, uint32_t id,
                                  partition_id_t owner, uint32_t port_id,
                                  enum hv_port_type type)
{
    const struct hv_input_connect_port input = {
        .base = {.connection_partition = sender.v,
                 .connection_id = id,
                 .port_partition = owner.v,
                 .port_id = port_id,
                 .type = type}};

    return winhv_simple(winhv, context, HVCALL_CONNECT_PORT, &input,
                        sizeof(input));
}

enum hv_status winhv_disconnect_port(struct winhv *winhv,
                                     struct hv_context *context,
                                     partition_id_t sender, uint32_t id)
{
    return winhv_on_port(winhv, context, HVCALL_DISCONNECT_PORT, sender, id);
}

enum hv_status winhv_post_message(struct winhv *winhv,
                                  struct hv_context *context,
                                  uint32_t connection_id, uint32_t type,
                                  const void *payload, uint32_t bytes)
{
    struct hv_input_post_message input = {
        .connection_id = connection_id, .type = type, .payload_bytes = bytes};

    CHECK(bytes <= sizeof(input.payload));
    memcpy(input.payload, payload, bytes);
    return winhv_simple(winhv, context, HVCALL_POST_MESSAGE, &input,
                        sizeof(input));
}

enum hv_status winhv_signal_event(struct winhv *winhv,
                                  struct hv_context *context,
                                  uint32_t connection_id, uint16_t flag)
{
    const struct hv_input_signal_event input = {.connection_id = connection_id,
                                                .flag = flag};

    return winhv_simple(winhv, context, HVCALL_SIGNAL_EVENT, &input,
                        sizeof(input));
}
