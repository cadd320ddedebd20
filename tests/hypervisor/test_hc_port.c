/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports, connections, and what is sent through them: the root sends to a child
 * with two VPs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/memory.h"
#include "hypervisor/msr.h"
#include "hypervisor/port.h"
#include "tests/hypervisor/fake_engine.h"
#include "tests/hypervisor/small_host.h"

#define PORT 0x100u
#define CONNECTION 0x200u
#define SINT 2
#define VECTOR 0xf3u

#define MSR_SCONTROL 0x40000080u
#define MSR_SIEFP 0x40000082u
#define MSR_SIMP 0x40000083u
#define MSR_EOM 0x40000084u
#define MSR_SINT (0x40000090u + SINT)
#define MASKED 0x10000u
#define POLLING 0x40000u

#define MESSAGE_PAGE 0x40000u
#define FLAGS_PAGE 0x41000u

static struct small_host host;
static struct hv_partition *child;

static void set_msr(struct hv_vp *vp, uint32_t index, uint64_t value)
{
    struct hv_context context = host.context;

    context.vp = vp;
    assert_true(msr_write(&context, index, value));
}

static void listen(struct hv_vp *vp)
{
    vp->lapic.svr = 0x1ff;
    set_msr(vp, MSR_SIMP, MESSAGE_PAGE + vp->index.v * 0x10000 + 1);
    set_msr(vp, MSR_SIEFP, FLAGS_PAGE + vp->index.v * 0x10000 + 1);
    set_msr(vp, MSR_SINT, VECTOR);
    set_msr(vp, MSR_SCONTROL, 1);
}

static int setup(void **state)
{
    (void)state;
    small_host_create(&host);
    child = small_host_child_with_vp(&host);
    assert_int_equal(partition_add_vp(&host.context, child, (vp_index_t){1}, 0),
                     HV_STATUS_SUCCESS);
    listen(child->vps[0]);
    listen(child->vps[1]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    small_host_destroy(&host);
    return 0;
}

static uint16_t call(uint64_t code, const void *input, size_t bytes)
{
    return hypercall_status(
        small_host_call(&host, code, input, bytes, NULL, 0));
}

static const struct hv_port_info message_port = {
    .type = HV_PORT_MESSAGE, .sint = SINT, .vp = 0};
static const struct hv_port_info event_port = {.type = HV_PORT_EVENT,
                                               .sint = SINT,
                                               .vp = 1,
                                               .base_flag = 40,
                                               .flag_count = 8};

static uint16_t create(uint32_t id, const struct hv_port_info *info)
{
    const struct hv_input_create_port input = {
        .base = {.port_partition = child->id.v,
                 .port_id = id,
                 .connection_partition = host.hv->root->id.v,
                 .info = *info}};

    return call(HVCALL_CREATE_PORT, &input, sizeof(input));
}

static uint16_t join(uint32_t id, uint32_t port, uint32_t type)
{
    const struct hv_input_connect_port input = {
        .base = {.connection_partition = PARTITION_ID_SELF,
                 .connection_id = id,
                 .port_partition = child->id.v,
                 .port_id = port,
                 .type = type}};

    return call(HVCALL_CONNECT_PORT, &input, sizeof(input));
}

static void open_port(const struct hv_port_info *info)
{
    assert_int_equal(create(PORT, info), HV_STATUS_SUCCESS);
    assert_int_equal(join(CONNECTION, PORT, info->type), HV_STATUS_SUCCESS);
}

static uint16_t post_to(uint32_t connection, uint32_t type, uint32_t bytes)
{
    struct hv_input_post_message input = {
        .connection_id = connection, .type = type, .payload_bytes = bytes};

    memset(input.payload, 0xa5, sizeof(input.payload));
    return call(HVCALL_POST_MESSAGE, &input, sizeof(input));
}

static uint16_t signal_to(uint32_t connection, uint16_t flag)
{
    const struct hv_input_signal_event input = {.connection_id = connection,
                                                .flag = flag};

    return call(HVCALL_SIGNAL_EVENT, &input, sizeof(input));
}

static bool interrupted(uint32_t vp)
{
    return child->vps[vp]->lapic.irr[VECTOR / 32] >> (VECTOR % 32) & 1;
}

static void peek(spa_t page, uint64_t at, void *to, size_t bytes)
{
    arena_read(host.hv->arena, spa_add(page, at), to, bytes);
}

static void a_message_arrives_in_the_slot_of_its_sint(void **state)
{
    struct {
        uint32_t type;
        uint8_t bytes, flags;
        uint16_t reserved;
        uint64_t origin;
        uint8_t payload[240];
    } slot;

    (void)state;
    open_port(&message_port);
    assert_int_equal(post_to(CONNECTION, 1, 3), HV_STATUS_SUCCESS);
    peek(child->vps[0]->synic.message_page, SINT * 256, &slot, sizeof(slot));
    assert_int_equal(slot.type, 1);
    assert_int_equal(slot.bytes, 3);
    assert_int_equal(slot.flags, 0);
    assert_int_equal(slot.origin, PORT);
    assert_int_equal(slot.payload[2], 0xa5);
    assert_int_equal(slot.payload[3], 0);
    assert_true(interrupted(0));
    assert_false(interrupted(1));
}

static void a_port_has_sixteen_buffers(void **state)
{
    uint8_t flags;

    (void)state;
    open_port(&message_port);
    for (unsigned i = 0; i < 17; i++)
        assert_int_equal(post_to(CONNECTION, 1, 240), HV_STATUS_SUCCESS);
    assert_int_equal(post_to(CONNECTION, 1, 240),
                     HV_STATUS_INSUFFICIENT_BUFFERS);
    peek(child->vps[0]->synic.message_page, SINT * 256 + 5, &flags, 1);
    assert_int_equal(flags, 1); /* more is pending */
}

static void two_ports_of_a_sint_have_buffers_of_their_own(void **state)
{
    (void)state;
    open_port(&message_port);
    assert_int_equal(create(PORT + 1, &message_port), HV_STATUS_SUCCESS);
    assert_int_equal(join(CONNECTION + 1, PORT + 1, HV_PORT_MESSAGE),
                     HV_STATUS_SUCCESS);
    for (unsigned i = 0; i < 17; i++)
        assert_int_equal(post_to(CONNECTION, 1, 0), HV_STATUS_SUCCESS);
    assert_int_equal(post_to(CONNECTION, 1, 0), HV_STATUS_INSUFFICIENT_BUFFERS);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(post_to(CONNECTION + 1, 1, 0), HV_STATUS_SUCCESS);
    assert_int_equal(post_to(CONNECTION + 1, 1, 0),
                     HV_STATUS_INSUFFICIENT_BUFFERS);
}

static void what_waits_outlives_its_port(void **state)
{
    const struct hv_input_port port = {child->id.v, PORT, 0};
    uint32_t type, free_slot = 0;
    spa_t slot;

    (void)state;
    open_port(&message_port);
    assert_int_equal(post_to(CONNECTION, 1, 0), HV_STATUS_SUCCESS);
    assert_int_equal(post_to(CONNECTION, 2, 0), HV_STATUS_SUCCESS);
    assert_int_equal(call(HVCALL_DELETE_PORT, &port, sizeof(port)),
                     HV_STATUS_SUCCESS);
    slot = spa_add(child->vps[0]->synic.message_page, SINT * 256);
    arena_write(host.hv->arena, slot, &free_slot, sizeof(free_slot));
    set_msr(child->vps[0], MSR_EOM, 0);
    arena_read(host.hv->arena, slot, &type, sizeof(type));
    assert_int_equal(type, 2);
}

static void posting_is_checked(void **state)
{
    (void)state;
    open_port(&message_port);
    assert_int_equal(post_to(CONNECTION, 0, 0), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(post_to(CONNECTION, 0x80000001, 0),
                     HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(post_to(CONNECTION, 1, 241), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(post_to(CONNECTION + 1, 1, 0),
                     HV_STATUS_INVALID_CONNECTION_ID);
    assert_int_equal(signal_to(CONNECTION, 0), HV_STATUS_INVALID_PORT_ID);
    set_msr(child->vps[0], MSR_SCONTROL, 0);
    assert_int_equal(post_to(CONNECTION, 1, 0), HV_STATUS_INVALID_SYNIC_STATE);
}

static void any_vp_is_the_first_that_can_receive(void **state)
{
    struct hv_port_info info = message_port;

    (void)state;
    info.vp = HV_ANY_VP;
    open_port(&info);
    set_msr(child->vps[0], MSR_SIMP, 0);
    assert_int_equal(post_to(CONNECTION, 1, 0), HV_STATUS_SUCCESS);
    assert_false(interrupted(0));
    assert_true(interrupted(1));
}

static void an_event_interrupts_when_its_flag_rises(void **state)
{
    spa_t page;
    uint64_t flags;

    (void)state;
    open_port(&event_port);
    page = child->vps[1]->synic.event_flags_page;
    assert_int_equal(signal_to(CONNECTION, 7), HV_STATUS_SUCCESS);
    peek(page, SINT * 256, &flags, sizeof(flags));
    assert_int_equal(flags, UINT64_C(1) << 47); /* 40 is its first */
    assert_true(interrupted(1));

    child->vps[1]->lapic.irr[VECTOR / 32] = 0;
    assert_int_equal(signal_to(CONNECTION, 7), HV_STATUS_SUCCESS);
    assert_false(interrupted(1));
    assert_int_equal(signal_to(CONNECTION, 0), HV_STATUS_SUCCESS);
    assert_true(interrupted(1));
}

static void signalling_is_checked(void **state)
{
    (void)state;
    open_port(&event_port);
    assert_int_equal(signal_to(CONNECTION, 8), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(signal_to(7, 0), HV_STATUS_INVALID_CONNECTION_ID);
    assert_int_equal(post_to(CONNECTION, 1, 0), HV_STATUS_INVALID_PORT_ID);
    set_msr(child->vps[1], MSR_SINT, MASKED | VECTOR);
    assert_int_equal(signal_to(CONNECTION, 0), HV_STATUS_INVALID_SYNIC_STATE);
    set_msr(child->vps[1], MSR_SINT, POLLING | VECTOR);
    assert_int_equal(signal_to(CONNECTION, 0), HV_STATUS_SUCCESS);
    assert_false(interrupted(1));
    set_msr(child->vps[1], MSR_SIEFP, 0);
    assert_int_equal(signal_to(CONNECTION, 0), HV_STATUS_INVALID_SYNIC_STATE);
}

static void an_event_can_be_signalled_by_registers_alone(void **state)
{
    struct hypercall fast = {
        .memory = gpa_space_memory(&host.hv->root->gpa),
        .control = HVCALL_SIGNAL_EVENT | HYPERCALL_FAST,
    };
    const struct hv_input_signal_event input = {.connection_id = CONNECTION,
                                                .flag = 3};

    (void)state;
    open_port(&event_port);
    memcpy(fast.fast, &input, sizeof(input));
    assert_int_equal(hypercall_dispatch(&host.context, &fast), HYPERCALL_DONE);
    assert_int_equal(fast.result, HV_STATUS_SUCCESS);
    assert_true(interrupted(1));
    fast.control = HVCALL_POST_MESSAGE | HYPERCALL_FAST; /* 256 bytes */
    assert_int_equal(hypercall_dispatch(&host.context, &fast), HYPERCALL_DONE);
    assert_int_equal(fast.result, HV_STATUS_INVALID_HYPERCALL_INPUT);
}

static void ports_are_checked(void **state)
{
    const struct {
        const char *what;
        uint32_t id;
        struct hv_port_info info;
        enum hv_status status;
    } cases[] = {
        {"SINT 0", 1, {.type = 1, .sint = 0}, HV_STATUS_INVALID_PARAMETER},
        {"SINT 16", 1, {.type = 1, .sint = 16}, HV_STATUS_INVALID_PARAMETER},
        {"VP 64",
         1,
         {.type = 1, .sint = 1, .vp = 64},
         HV_STATUS_INVALID_PARAMETER},
        {"type 0", 1, {.type = 0, .sint = 1}, HV_STATUS_INVALID_PARAMETER},
        {"type 5", 1, {.type = 5, .sint = 1}, HV_STATUS_INVALID_PARAMETER},
        {"a monitor off a page",
         1,
         {.type = 3, .monitor_gpa = 8},
         HV_STATUS_INVALID_PARAMETER},
        {"a doorbell of a child's",
         1,
         {.type = 4, .sint = 1},
         HV_STATUS_ACCESS_DENIED},
        {"a message with flags",
         1,
         {.type = 1, .sint = 1, .flag_count = 1},
         HV_STATUS_INVALID_PARAMETER},
        {"no flags", 1, {.type = 2, .sint = 1}, HV_STATUS_INVALID_PARAMETER},
        {"flags beyond the page",
         1,
         {.type = 2, .sint = 1, .base_flag = 2047, .flag_count = 2},
         HV_STATUS_INVALID_PARAMETER},
        {"an id of 25 bits",
         1u << 24,
         {.type = 1, .sint = 1},
         HV_STATUS_INVALID_PORT_ID},
        {"all flags",
         1,
         {.type = 2, .sint = 1, .flag_count = 2048},
         HV_STATUS_SUCCESS},
        {"in use", 1, {.type = 1, .sint = 1}, HV_STATUS_INVALID_PORT_ID},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint16_t status = create(cases[i].id, &cases[i].info);

        if (status != cases[i].status)
            fail_msg("%s: %s", cases[i].what, hv_status_name(status));
    }
}

static void connections_are_checked(void **state)
{
    const struct hv_input_create_port for_another = {
        .base = {.port_partition = child->id.v,
                 .port_id = PORT + 1,
                 .connection_partition = child->id.v,
                 .info = message_port}};

    (void)state;
    open_port(&message_port);
    assert_int_equal(join(CONNECTION, PORT, HV_PORT_MESSAGE),
                     HV_STATUS_INVALID_CONNECTION_ID);
    assert_int_equal(join(1u << 24, PORT, HV_PORT_MESSAGE),
                     HV_STATUS_INVALID_CONNECTION_ID);
    assert_int_equal(join(1, PORT + 7, HV_PORT_MESSAGE),
                     HV_STATUS_INVALID_PORT_ID);
    assert_int_equal(join(1, PORT, HV_PORT_EVENT), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(
        call(HVCALL_CREATE_PORT, &for_another, sizeof(for_another)),
        HV_STATUS_SUCCESS);
    assert_int_equal(join(1, PORT + 1, HV_PORT_MESSAGE),
                     HV_STATUS_ACCESS_DENIED);
}

static void a_connection_outlives_its_port_and_leads_nowhere(void **state)
{
    const struct hv_input_port port = {child->id.v, PORT, 0};
    const struct hv_input_port connection = {PARTITION_ID_SELF, CONNECTION, 0};

    (void)state;
    open_port(&message_port);
    assert_int_equal(call(HVCALL_DELETE_PORT, &port, sizeof(port)),
                     HV_STATUS_SUCCESS);
    assert_int_equal(call(HVCALL_DELETE_PORT, &port, sizeof(port)),
                     HV_STATUS_INVALID_PORT_ID);
    assert_int_equal(post_to(CONNECTION, 1, 0), HV_STATUS_INVALID_PORT_ID);
    assert_int_equal(
        call(HVCALL_DISCONNECT_PORT, &connection, sizeof(connection)),
        HV_STATUS_SUCCESS);
    assert_int_equal(
        call(HVCALL_DISCONNECT_PORT, &connection, sizeof(connection)),
        HV_STATUS_INVALID_CONNECTION_ID);
    assert_int_equal(post_to(CONNECTION, 1, 0),
                     HV_STATUS_INVALID_CONNECTION_ID);
}

/* Takes all pages but `left` out of the pool, into `taken`. */
static uint32_t drain(struct hv_partition *partition, uint64_t left,
                      spa_t *taken)
{
    uint32_t count = 0;

    while (memory_pool_available(partition->pool) > left)
        assert_true(
            memory_pool_take(host.hv, partition->pool, &taken[count++]));
    return count;
}

static void ports_and_connections_are_paid_for_by_their_owners(void **state)
{
    struct memory_pool *of_child = child->pool;
    struct memory_pool *of_root = host.hv->root->pool;
    uint64_t child_had = memory_pool_in_use(of_child);
    uint64_t root_had = memory_pool_in_use(of_root);
    const struct hv_input_port port = {child->id.v, PORT, 0};
    const struct hv_input_port connection = {PARTITION_ID_SELF, CONNECTION, 0};

    (void)state;
    open_port(&message_port);
    /* A page for its buffers, and one for this and more ports. */
    assert_int_equal(memory_pool_in_use(of_child), child_had + 2);
    assert_int_equal(memory_pool_in_use(of_root), root_had + 1);
    for (uint32_t i = 1; i < PORT_OBJECTS_PER_PAGE; i++)
        assert_int_equal(create(PORT + i, &event_port), HV_STATUS_SUCCESS);
    assert_int_equal(memory_pool_in_use(of_child), child_had + 2);
    assert_int_equal(create(PORT + PORT_OBJECTS_PER_PAGE, &event_port),
                     HV_STATUS_SUCCESS);
    assert_int_equal(memory_pool_in_use(of_child), child_had + 3);
    assert_int_equal(call(HVCALL_DELETE_PORT, &port, sizeof(port)),
                     HV_STATUS_SUCCESS);
    assert_int_equal(memory_pool_in_use(of_child), child_had + 1);
    assert_int_equal(
        call(HVCALL_DISCONNECT_PORT, &connection, sizeof(connection)),
        HV_STATUS_SUCCESS);
    assert_int_equal(memory_pool_in_use(of_root), root_had);
}

static void a_short_pool_refuses_ports_until_more_is_deposited(void **state)
{
    static spa_t taken[SMALL_HOST_NODE_BYTES / PAGE_BYTES];
    uint32_t count = drain(child, 1, taken);
    uint64_t had = memory_pool_in_use(child->pool);

    (void)state;
    /* The page for ports is there, that for the buffers is not. */
    assert_int_equal(create(PORT, &message_port),
                     HV_STATUS_INSUFFICIENT_MEMORY);
    assert_int_equal(memory_pool_in_use(child->pool), had);
    memory_pool_give(child->pool, taken[--count]);
    assert_int_equal(create(PORT, &message_port), HV_STATUS_SUCCESS);
    while (count > 0)
        memory_pool_give(child->pool, taken[--count]);

    count = drain(host.hv->root, 0, taken);
    assert_int_equal(join(CONNECTION, PORT, HV_PORT_MESSAGE),
                     HV_STATUS_INSUFFICIENT_MEMORY);
    while (count > 0)
        memory_pool_give(host.hv->root->pool, taken[--count]);
    assert_int_equal(join(CONNECTION, PORT, HV_PORT_MESSAGE),
                     HV_STATUS_SUCCESS);
}

static void reserved_fields_are_checked(void **state)
{
    struct hv_input_create_port create_input = {
        .base = {.port_partition = child->id.v,
                 .port_id = PORT + 9,
                 .reserved = 1,
                 .connection_partition = PARTITION_ID_SELF,
                 .info = message_port}};
    struct hv_input_connect_port_legacy legacy = {
        .connection_partition = PARTITION_ID_SELF,
        .connection_id = CONNECTION + 9,
        .port_partition = child->id.v,
        .port_id = PORT + 9,
        .type = HV_PORT_MONITOR};
    const struct hv_input_signal_event signal_input = {
        .connection_id = CONNECTION, .reserved = 1};
    const struct hv_input_post_message post_input = {
        .connection_id = CONNECTION, .reserved = 1, .type = 1};

    (void)state;
    open_port(&message_port);
    assert_int_equal(call(HVCALL_POST_MESSAGE, &post_input, sizeof(post_input)),
                     HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(
        call(HVCALL_SIGNAL_EVENT, &signal_input, sizeof(signal_input)),
        HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(
        call(HVCALL_CREATE_PORT, &create_input, sizeof(create_input)),
        HV_STATUS_INVALID_PARAMETER);
    create_input.base.reserved = 0;
    assert_int_equal(
        call(HVCALL_CREATE_PORT, &create_input, sizeof(create_input)),
        HV_STATUS_SUCCESS);
    /* The old form cannot say where a monitor's page is. */
    assert_int_equal(call(HVCALL_CONNECT_PORT_LEGACY, &legacy, sizeof(legacy)),
                     HV_STATUS_INVALID_PARAMETER);
    legacy.type = HV_PORT_MESSAGE;
    legacy.reserved[2] = 1;
    assert_int_equal(call(HVCALL_CONNECT_PORT_LEGACY, &legacy, sizeof(legacy)),
                     HV_STATUS_INVALID_PARAMETER);
    legacy.reserved[2] = 0;
    assert_int_equal(call(HVCALL_CONNECT_PORT_LEGACY, &legacy, sizeof(legacy)),
                     HV_STATUS_SUCCESS);
}

static void a_partition_takes_its_ports_along(void **state)
{
    const struct hv_input_partition finalize = {child->id.v};

    (void)state;
    open_port(&message_port);
    assert_int_equal(
        call(HVCALL_FINALIZE_PARTITION, &finalize, sizeof(finalize)),
        HV_STATUS_SUCCESS);
    assert_int_equal(post_to(CONNECTION, 1, 0), HV_STATUS_INVALID_PORT_ID);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_message_arrives_in_the_slot_of_its_sint),
        T(a_port_has_sixteen_buffers),
        T(two_ports_of_a_sint_have_buffers_of_their_own),
        T(what_waits_outlives_its_port),
        T(posting_is_checked),
        T(any_vp_is_the_first_that_can_receive),
        T(an_event_interrupts_when_its_flag_rises),
        T(signalling_is_checked),
        T(an_event_can_be_signalled_by_registers_alone),
        T(ports_are_checked),
        T(connections_are_checked),
        T(a_connection_outlives_its_port_and_leads_nowhere),
        T(ports_and_connections_are_paid_for_by_their_owners),
        T(a_short_pool_refuses_ports_until_more_is_deposited),
        T(reserved_fields_are_checked),
        T(a_partition_takes_its_ports_along),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
