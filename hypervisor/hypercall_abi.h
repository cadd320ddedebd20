/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_HYPERCALL_ABI_H
#define HVSIM_HYPERVISOR_HYPERCALL_ABI_H

/**
 * The bytes of the hypercall interface as callers and the hypervisor exchange
 * them: call codes, the input value, and parameter blocks, all little-endian
 * and naturally aligned. Where TLFS 2.0a and today's TLFS and public headers
 * differ (CreatePartition, CreateVp, MapGpaPages), these are today's.
 */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum hypercall_code {
    HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE = 0x0002,
    HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST = 0x0003,
    HVCALL_NOTIFY_LONG_SPIN_WAIT = 0x0008,
    HVCALL_SEND_SYNTHETIC_CLUSTER_IPI = 0x000b,
    HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX = 0x0013,
    HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX = 0x0014,
    HVCALL_SEND_SYNTHETIC_CLUSTER_IPI_EX = 0x0015,
    HVCALL_CREATE_PARTITION = 0x0040,
    HVCALL_INITIALIZE_PARTITION = 0x0041,
    HVCALL_FINALIZE_PARTITION = 0x0042,
    HVCALL_DELETE_PARTITION = 0x0043,
    HVCALL_GET_PARTITION_PROPERTY = 0x0044,
    HVCALL_SET_PARTITION_PROPERTY = 0x0045,
    HVCALL_GET_PARTITION_ID = 0x0046,
    HVCALL_GET_NEXT_CHILD_PARTITION = 0x0047,
    HVCALL_DEPOSIT_MEMORY = 0x0048,
    HVCALL_WITHDRAW_MEMORY = 0x0049,
    HVCALL_GET_MEMORY_BALANCE = 0x004a,
    HVCALL_MAP_GPA_PAGES = 0x004b,
    HVCALL_UNMAP_GPA_PAGES = 0x004c,
    HVCALL_INSTALL_INTERCEPT = 0x004d,
    HVCALL_CREATE_VP = 0x004e,
    HVCALL_DELETE_VP = 0x004f,
    HVCALL_GET_VP_REGISTERS = 0x0050,
    HVCALL_SET_VP_REGISTERS = 0x0051,
    HVCALL_TRANSLATE_VIRTUAL_ADDRESS = 0x0052,
    HVCALL_READ_GPA = 0x0053,
    HVCALL_WRITE_GPA = 0x0054,
    HVCALL_CLEAR_VIRTUAL_INTERRUPT = 0x0056,
    HVCALL_CREATE_PORT_LEGACY = 0x0057,
    HVCALL_DELETE_PORT = 0x0058,
    HVCALL_CONNECT_PORT_LEGACY = 0x0059,
    HVCALL_DISCONNECT_PORT = 0x005b,
    HVCALL_POST_MESSAGE = 0x005c,
    HVCALL_SIGNAL_EVENT = 0x005d,
    HVCALL_MAP_SPARSE_GPA_PAGES = 0x006e,
    HVCALL_NOTIFY_PORT_RING_EMPTY = 0x008b,
    HVCALL_ASSERT_VIRTUAL_INTERRUPT = 0x0094,
    HVCALL_CREATE_PORT = 0x0095,
    HVCALL_CONNECT_PORT = 0x0096,
    HVCALL_START_VIRTUAL_PROCESSOR = 0x0099,
    HVCALL_GET_VP_INDEX_FROM_APIC_ID = 0x009a,
    HVCALL_CODE_END, /* one more than the greatest code there is */
};

/* A call of the extended interface, far from the others. */
#define HVCALL_EXT_QUERY_CAPABILITIES 0x8001u

struct hv_output_capabilities {
    uint64_t capabilities;
};

/* The input value (TLFS, "Hypercall Inputs"). */
#define HYPERCALL_CODE_MASK UINT64_C(0xffff)
#define HYPERCALL_FAST (UINT64_C(1) << 16)
#define HYPERCALL_VARIABLE_SHIFT 17 /* variable header, in 8 bytes */
#define HYPERCALL_VARIABLE_MASK UINT64_C(0x3ff)
#define HYPERCALL_NESTED (UINT64_C(1) << 31)
#define HYPERCALL_REP_COUNT_SHIFT 32
#define HYPERCALL_REP_START_SHIFT 48
#define HYPERCALL_REP_MASK UINT64_C(0xfff)
#define HYPERCALL_RESERVED UINT64_C(0xf000f00078000000)

/** The input value of a rep call of `count` elements. */
static inline uint64_t hypercall_rep(enum hypercall_code code, uint32_t count)
{
    return (uint64_t)code | (uint64_t)count << HYPERCALL_REP_COUNT_SHIFT;
}

/* The result value (TLFS, "Hypercall Outputs"). */
static inline uint16_t hypercall_status(uint64_t result)
{
    return (uint16_t)result;
}

static inline uint32_t hypercall_reps_done(uint64_t result)
{
    return (uint32_t)((result >> HYPERCALL_REP_COUNT_SHIFT) &
                      HYPERCALL_REP_MASK);
}

/* HV_PROXIMITY_DOMAIN_INFO: a NUMA node, or no preference. */
#define HV_PROXIMITY_PREFERRED 0x00000001u
#define HV_PROXIMITY_VALID 0x80000000u

struct hv_proximity {
    uint32_t node;
    uint32_t flags;
};

/* HV_VP_SET: banks of 64 VPs each; those that are in it follow. */
#define HV_VP_SET_SPARSE 0u
#define HV_VP_SET_ALL 1u
#define HV_VP_SET_BANK_VPS 64u

struct hv_vp_set { /* then u64 for each valid bank */
    uint64_t format;
    uint64_t valid_banks;
};

#define HV_FLUSH_ALL_PROCESSORS 0x1u
#define HV_FLUSH_ALL_ADDRESS_SPACES 0x2u
#define HV_FLUSH_NON_GLOBAL_ONLY 0x4u
#define HV_FLUSH_EXTENDED_RANGES 0x8u

/* HV_GVA_RANGE: a page number in bits 63:12, and how many pages follow in bits
 * 11:0. In its extended form bit 11 says whether they are large. */
#define HV_GVA_RANGE_EXTRA UINT64_C(0xfff)
#define HV_GVA_RANGE_EXTENDED_EXTRA UINT64_C(0x7ff)
#define HV_GVA_RANGE_LARGE UINT64_C(0x800)

struct hv_input_flush {     /* the list form: then u64 GVA ranges */
    uint64_t address_space; /* CR3 */
    uint64_t flags;
    uint64_t processor_mask;
};

struct hv_input_flush_ex { /* likewise, behind the banks */
    uint64_t address_space;
    uint64_t flags;
    struct hv_vp_set processors;
};

struct hv_input_cluster_ipi {
    uint32_t vector;
    uint8_t vtl;
    uint8_t reserved[3];
    uint64_t processor_mask;
};

struct hv_input_cluster_ipi_ex {
    uint32_t vector;
    uint8_t vtl;
    uint8_t reserved[3];
    struct hv_vp_set processors;
};

struct hv_input_partition { /* Initialize, Finalize, Delete */
    uint64_t partition_id;
};

struct hv_input_create_partition {
    uint64_t flags;
    struct hv_proximity proximity;
    uint32_t compatibility_version;
    uint32_t padding;
    uint64_t disabled_processor_features[2];
    uint64_t disabled_xsave_features;
    uint64_t reserved;
};

struct hv_output_partition_id { /* Create, GetPartitionId, GetNextChild */
    uint64_t partition_id;
};

struct hv_input_get_partition_property {
    uint64_t partition_id;
    uint32_t code;
    uint32_t padding;
};

struct hv_output_get_partition_property {
    uint64_t value;
};

struct hv_input_set_partition_property {
    uint64_t partition_id;
    uint32_t code;
    uint32_t padding;
    uint64_t value;
};

struct hv_input_get_next_child {
    uint64_t parent_id;
    uint64_t previous_id; /* 0: the first */
};

struct hv_input_deposit_memory { /* then u64 GPA page numbers */
    uint64_t partition_id;
};

struct hv_input_withdraw_memory { /* output: u64 GPA page numbers */
    uint64_t partition_id;
    struct hv_proximity proximity;
};

struct hv_input_get_memory_balance {
    uint64_t partition_id;
    struct hv_proximity proximity;
};

struct hv_output_get_memory_balance {
    uint64_t pages_available;
    uint64_t pages_in_use;
};

/* Map flags beside the rights of gpa_space.h. */
#define HV_MAP_GPA_NO_ACCESS 0x00010000u
#define HV_MAP_GPA_LARGE_PAGE 0x80000000u
#define HV_UNMAP_GPA_LARGE_PAGE 0x2u

struct hv_input_map_gpa_pages { /* then u64 source GPA page numbers */
    uint64_t partition_id;
    uint64_t target_page; /* GPA page number of the first */
    uint32_t flags;
    uint32_t padding;
};

struct hv_input_unmap_gpa_pages { /* a rep call without elements */
    uint64_t partition_id;
    uint64_t target_page;
    uint32_t flags;
    uint32_t padding;
};

struct hv_input_map_sparse_gpa_pages { /* then struct hv_gpa_pair */
    uint64_t partition_id;
    uint32_t flags;
    uint32_t padding;
};

struct hv_gpa_pair {
    uint64_t target_page;
    uint64_t source_page;
};

struct hv_input_install_intercept {
    uint64_t partition_id;
    uint32_t access; /* mask: 1 read, 2 write, 4 execute */
    uint32_t type;
    uint64_t parameter;
};

struct hv_input_create_vp {
    uint64_t partition_id;
    uint32_t vp_index;
    uint8_t reserved[3];
    uint8_t subnode_type;
    uint64_t subnode_id;
    struct hv_proximity proximity;
    uint64_t flags;
};

struct hv_input_delete_vp {
    uint64_t partition_id;
    uint32_t vp_index;
    uint32_t padding;
};

/* HV_INPUT_VTL: 3:0 the level, 4 whether it counts. */
#define HV_INPUT_VTL_MASK 0x0fu
#define HV_INPUT_VTL_USE 0x10u

struct hv_input_vp_registers { /* GetVpRegisters, SetVpRegisters */
    uint64_t partition_id;
    uint32_t vp_index;
    uint8_t vtl;
    uint8_t reserved[3];
};

struct hv_register_value {
    uint64_t low, high;
};

struct hv_register_assoc { /* an element of SetVpRegisters */
    uint32_t name;
    uint32_t reserved[3];
    struct hv_register_value value;
};

struct hv_segment_register {
    uint64_t base;
    uint32_t limit;
    uint16_t selector;
    uint16_t attributes;
};

struct hv_table_register {
    uint16_t padding[3];
    uint16_t limit;
    uint64_t base;
};

/* HV_INITIAL_VP_CONTEXT: what a processor starts with. */
struct hv_initial_vp_context {
    uint64_t rip, rsp, rflags;
    struct hv_segment_register cs, ds, es, fs, gs, ss, tr, ldtr;
    struct hv_table_register idtr, gdtr;
    uint64_t efer, cr0, cr3, cr4, pat;
};

struct hv_input_start_vp {
    uint64_t partition_id;
    uint32_t vp_index;
    uint8_t vtl;
    uint8_t reserved[3];
    struct hv_initial_vp_context context;
};

struct hv_input_vp_index_from_apic_id { /* then u32 APIC ids; output: u32 */
    uint64_t partition_id;
    uint8_t vtl;
    uint8_t reserved[7];
};

/* HV_TRANSLATE_GVA_CONTROL_FLAGS. */
#define HV_TRANSLATE_READ 0x01u
#define HV_TRANSLATE_WRITE 0x02u
#define HV_TRANSLATE_EXECUTE 0x04u
#define HV_TRANSLATE_PRIVILEGE_EXEMPT 0x08u
#define HV_TRANSLATE_SET_PAGE_TABLE_BITS 0x10u
#define HV_TRANSLATE_TLB_FLUSH_INHIBIT 0x20u
#define HV_TRANSLATE_FLAGS 0x3fu

struct hv_input_translate_gva {
    uint64_t partition_id;
    uint32_t vp_index;
    uint32_t padding;
    uint64_t flags;
    uint64_t gva_page;
};

enum hv_translate_result {
    HV_TRANSLATE_SUCCESS,
    HV_TRANSLATE_PAGE_NOT_PRESENT,
    HV_TRANSLATE_PRIVILEGE_VIOLATION,
    HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS,
    HV_TRANSLATE_GPA_UNMAPPED,
    HV_TRANSLATE_GPA_NO_READ_ACCESS,
    HV_TRANSLATE_GPA_NO_WRITE_ACCESS,
    HV_TRANSLATE_GPA_ILLEGAL_OVERLAY_ACCESS,
};

#define HV_CACHE_TYPE_WRITE_BACK 6u
#define HV_TRANSLATE_OVERLAY_PAGE 0x100u

struct hv_output_translate_gva {
    uint32_t result;     /* enum hv_translate_result */
    uint32_t cache_type; /* and HV_TRANSLATE_OVERLAY_PAGE */
    uint64_t gpa_page;   /* also of one that is not mapped, or not so; but all
                            ones if that is a table's */
};

#define HV_INVALID_GPA_PAGE (UINT64_MAX >> 12)

#define HV_ACCESS_GPA_BYTES_MAX 16

enum hv_access_gpa_result {
    HV_ACCESS_GPA_SUCCESS,
    HV_ACCESS_GPA_UNMAPPED,
    HV_ACCESS_GPA_READ_INTERCEPT,
    HV_ACCESS_GPA_WRITE_INTERCEPT,
    HV_ACCESS_GPA_ILLEGAL_OVERLAY_ACCESS,
};

struct hv_input_read_gpa {
    uint64_t partition_id;
    uint32_t vp_index;
    uint32_t bytes;
    uint64_t gpa;
    uint64_t flags; /* 7:0 cache type, which changes nothing here */
};

struct hv_output_read_gpa {
    uint64_t result; /* enum hv_access_gpa_result */
    uint8_t data[HV_ACCESS_GPA_BYTES_MAX];
};

struct hv_input_write_gpa {
    uint64_t partition_id;
    uint32_t vp_index;
    uint32_t bytes;
    uint64_t gpa;
    uint64_t flags;
    uint8_t data[HV_ACCESS_GPA_BYTES_MAX];
};

struct hv_output_write_gpa {
    uint64_t result;
};

/* HV_INTERRUPT_CONTROL. */
enum hv_interrupt_type {
    HV_INTERRUPT_FIXED = 0,
    HV_INTERRUPT_LOWEST_PRIORITY = 1,
    HV_INTERRUPT_NMI = 4,
    HV_INTERRUPT_INIT = 5,
    HV_INTERRUPT_SIPI = 6,
    HV_INTERRUPT_EXTINT = 7,
};

#define HV_INTERRUPT_LEVEL_TRIGGERED 0x1u
#define HV_INTERRUPT_LOGICAL 0x2u

struct hv_input_assert_interrupt {
    uint64_t partition_id;
    uint32_t type; /* enum hv_interrupt_type */
    uint32_t flags;
    uint64_t destination; /* APIC id, or logical destination */
    uint32_t vector;
    uint8_t vtl;
    uint8_t reserved[3];
};

struct hv_input_clear_interrupt {
    uint64_t partition_id;
    uint32_t vp_index;
    uint32_t padding;
};

/* HV_PORT_TYPE */
enum hv_port_type {
    HV_PORT_MESSAGE = 1,
    HV_PORT_EVENT = 2,
    HV_PORT_MONITOR = 3,
    HV_PORT_DOORBELL = 4,
};

#define HV_ANY_VP UINT32_MAX
#define HV_PORT_ID_MAX 0x00ffffffu /* of connections too */

struct hv_port_info {
    uint32_t type; /* enum hv_port_type */
    uint32_t padding;
    union {
        struct {
            uint32_t sint;      /* where it is delivered, */
            uint32_t vp;        /* and to whom; or HV_ANY_VP */
            uint16_t base_flag; /* of an event port; else 0 */
            uint16_t flag_count;
            uint32_t reserved;
        };
        struct { /* of a monitor port */
            uint64_t monitor_gpa;
            uint64_t monitor_reserved;
        };
    };
};

/* HV_MONITOR_PAGE: what a guest asks for by setting a bit of `pending` is done
 * when its latency (100 ns) is over. */
#define HV_MONITOR_GROUPS 4
#define HV_MONITOR_GROUP_TRIGGERS 32
#define HV_MONITOR_GROUP_ENABLES 0xfu /* of trigger_state: one bit each */
#define HV_MONITOR_DISABLED 0x10u

struct hv_monitor_group {
    uint32_t pending;
    uint32_t armed;
};

struct hv_monitor_parameter { /* what HvCallSignalEvent takes */
    uint32_t connection_id;
    uint16_t flag;
    uint16_t reserved;
};

struct hv_monitor_page {
    uint32_t trigger_state;
    uint32_t reserved;
    struct hv_monitor_group groups[HV_MONITOR_GROUPS];
    uint64_t reserved2[3];
    int32_t next_check[HV_MONITOR_GROUPS][HV_MONITOR_GROUP_TRIGGERS];
    uint16_t latency[HV_MONITOR_GROUPS][HV_MONITOR_GROUP_TRIGGERS];
    uint64_t reserved3[32];
    struct hv_monitor_parameter parameters[HV_MONITOR_GROUPS]
                                          [HV_MONITOR_GROUP_TRIGGERS];
};

/* The end of HV_CONNECTION_INFO, which TLFS 2.0a does not have. */
struct hv_connection_place {
    uint64_t gpa; /* of a monitor's page; that a doorbell listens at */
    uint64_t doorbell_value;
    uint64_t doorbell_flags;
};

/* The size of the stores that a doorbell means: 0 any, 1 to 4 for 1 to 8
 * bytes; and whether any value will do. */
#define HV_DOORBELL_SIZE_MASK UINT64_C(0x7)
#define HV_DOORBELL_SIZE_MAX 4
#define HV_DOORBELL_ANY_VALUE UINT64_C(0x80000000)

/* Both forms of CreatePort begin with this; today's has 8 bytes more. */
struct hv_input_create_port_legacy {
    uint64_t port_partition;
    uint32_t port_id;
    uint8_t vtl; /* padding in the older form */
    uint8_t least_vtl;
    uint16_t reserved;
    uint64_t connection_partition;
    struct hv_port_info info;
};

struct hv_input_create_port {
    struct hv_input_create_port_legacy base;
    struct hv_proximity proximity;
};

struct hv_input_connect_port_legacy {
    uint64_t connection_partition;
    uint32_t connection_id;
    uint8_t vtl;
    uint8_t reserved[3];
    uint64_t port_partition;
    uint32_t port_id;
    uint32_t reserved2;
    uint32_t type; /* enum hv_port_type */
    uint32_t padding;
};

struct hv_input_connect_port {
    struct hv_input_connect_port_legacy base;
    struct hv_connection_place place;
    struct hv_proximity proximity;
};

struct hv_input_port { /* DeletePort, DisconnectPort */
    uint64_t partition_id;
    uint32_t id; /* of the port, of the connection */
    uint32_t reserved;
};

#define HV_MESSAGE_TYPE_HYPERVISOR 0x80000000u

struct hv_input_post_message {
    uint32_t connection_id;
    uint32_t reserved;
    uint32_t type;
    uint32_t payload_bytes;
    uint8_t payload[240];
};

struct hv_input_signal_event {
    uint32_t connection_id;
    uint16_t flag;
    uint16_t reserved;
};

struct hv_input_notify_ring_empty {
    uint32_t sint;
    uint32_t reserved;
};

struct hv_input_long_spin_wait {
    uint32_t spins;
    uint32_t reserved;
};

static_assert(sizeof(struct hv_input_flush) == 24, "TLFS");
static_assert(sizeof(struct hv_input_flush_ex) == 32, "TLFS");
static_assert(sizeof(struct hv_input_cluster_ipi) == 16, "TLFS");
static_assert(sizeof(struct hv_input_cluster_ipi_ex) == 24, "TLFS");
static_assert(sizeof(struct hv_input_create_port) == 56, "TLFS");
static_assert(sizeof(struct hv_input_connect_port) == 72, "TLFS");
static_assert(sizeof(struct hv_port_info) == 24, "TLFS");
static_assert(offsetof(struct hv_monitor_page, latency) == 0x240, "TLFS");
static_assert(offsetof(struct hv_monitor_page, parameters) == 0x440, "TLFS");
static_assert(sizeof(struct hv_monitor_page) == 0x840, "TLFS");
static_assert(sizeof(struct hv_input_post_message) == 256, "TLFS");
static_assert(sizeof(struct hv_input_create_partition) == 56, "TLFS");
static_assert(sizeof(struct hv_input_map_gpa_pages) == 24, "TLFS");
static_assert(sizeof(struct hv_input_create_vp) == 40, "TLFS");
static_assert(sizeof(struct hv_input_vp_registers) == 16, "TLFS");
static_assert(sizeof(struct hv_register_assoc) == 32, "TLFS");
static_assert(sizeof(struct hv_initial_vp_context) == 224, "TLFS");
static_assert(sizeof(struct hv_input_start_vp) == 240, "TLFS");
static_assert(sizeof(struct hv_input_translate_gva) == 32, "TLFS");
static_assert(sizeof(struct hv_output_translate_gva) == 16, "TLFS");
static_assert(sizeof(struct hv_output_read_gpa) == 24, "TLFS");
static_assert(sizeof(struct hv_input_write_gpa) == 48, "TLFS");
static_assert(sizeof(struct hv_input_assert_interrupt) == 32, "TLFS");

#endif
