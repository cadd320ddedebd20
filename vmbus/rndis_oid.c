/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Object identifiers: what a guest can ask an adapter about, or have changed.
 * One table, by number; what is not in it is not supported.
 */
#include <assert.h>
#include <string.h>

#include "vmbus/rndis.h"

#define MEDIUM_ETHERNET 0u
#define CONNECTED 0u
#define LINK_UNIT_BITS 100u /* of the older of the two link speeds */
#define VENDOR 0x00155du    /* the first half of the adapters' addresses */
#define NDIS_6_30 0x0006001eu
#define HEADER_FRAME_BYTES 14u
/* The guest's frames are copied as they come; no loop-back; tags. */
#define MAC_OPTIONS (0x1u | 0x4u | 0x8u | 0x40u | 0x200u)

/* What structures of NDIS 6 begin with. */
struct object_header {
    uint8_t type;
    uint8_t revision;
    uint16_t bytes;
};

#define OBJECT_DEFAULT 0x80u
#define OBJECT_OFFLOAD 0xa7u

struct link_state {
    struct object_header header;
    uint32_t connected; /* 1 */
    uint32_t duplex;    /* 2: full */
    uint32_t padding;
    uint64_t sent_bits, received_bits; /* per second */
    uint32_t pause_functions;
    uint32_t negotiated;
};

/* NDIS_OFFLOAD by revision; all of it but the header is 0: not supported. */
#define OFFLOAD_BYTES_MAX 156
static const uint16_t offload_bytes[] = {
    [1] = 112, [2] = 144, [3] = OFFLOAD_BYTES_MAX};

/* NDIS_OFFLOAD_PARAMETERS, behind its header: one byte for each kind of
 * offload, 0 as it is, 1 off; but four of them are flags. */
#define PARAMETERS_FLAGS 16u
#define PARAMETERS_FLAGS_END 20u

typedef void query_fn(struct rndis_request *request);
typedef uint32_t set_fn(struct rndis_request *request);

struct oid_def {
    uint32_t oid;
    uint32_t value;  /* the answer, if there is no query */
    query_fn *query; /* NULL: `value` */
    set_fn *set;     /* NULL: not to be set */
};

static void put(struct rndis_request *request, const void *from, uint32_t bytes)
{
    memcpy(request->result, from, bytes);
    request->result_bytes = bytes;
}

static void put_u32(struct rndis_request *request, uint32_t value)
{
    put(request, &value, sizeof(value));
}

static void query_address(struct rndis_request *request)
{
    put(request, &request->rndis->address, sizeof(request->rndis->address));
}

static void query_groups(struct rndis_request *request)
{
    put(request, request->rndis->groups,
        request->rndis->group_count * VSWITCH_ADDRESS_BYTES);
}

static void query_filter(struct rndis_request *request)
{
    put_u32(request, request->rndis->filter);
}

static void query_lookahead(struct rndis_request *request)
{
    put_u32(request, request->rndis->lookahead);
}

static void query_link_speed(struct rndis_request *request)
{
    put_u32(request, (uint32_t)(request->rndis->link_bits / LINK_UNIT_BITS));
}

static void query_link_speed_max(struct rndis_request *request)
{
    uint64_t bits[2] = {request->rndis->link_bits, request->rndis->link_bits};

    put(request, bits, sizeof(bits));
}

static void query_link_state(struct rndis_request *request)
{
    struct link_state state = {
        .header = {OBJECT_DEFAULT, 1, sizeof(state)},
        .connected = 1,
        .duplex = 2,
        .sent_bits = request->rndis->link_bits,
        .received_bits = request->rndis->link_bits,
    };

    put(request, &state, sizeof(state));
}

static void query_vendor_name(struct rndis_request *request)
{
    static const char name[] = "hvsim network adapter";

    put(request, name, sizeof(name));
}

static void query_sent(struct rndis_request *request)
{
    put_u32(request, (uint32_t)request->counts->frames_sent);
}

static void query_received(struct rndis_request *request)
{
    put_u32(request, (uint32_t)request->counts->frames_received);
}

static void query_not_sent(struct rndis_request *request)
{
    put_u32(request, (uint32_t)request->counts->sends_refused);
}

static void query_not_received(struct rndis_request *request)
{
    put_u32(request, (uint32_t)request->counts->drops);
}

/* In the revision that the guest's driver knows: the one that its query names,
 * or that its version of NDIS has. */
static void query_offload(struct rndis_request *request)
{
    uint8_t result[RNDIS_RESULT_BYTES_MAX] = {0};
    struct object_header header = {.type = OBJECT_OFFLOAD};

    header.revision = request->rndis->ndis_version >= NDIS_6_30 ? 3 : 1;
    if (request->info_bytes >= sizeof(header)) {
        struct object_header asked;

        memcpy(&asked, request->info, sizeof(asked));
        if (asked.revision >= 1 && asked.revision <= 3)
            header.revision = asked.revision;
    }
    header.bytes = offload_bytes[header.revision];
    memcpy(result, &header, sizeof(header));
    put(request, result, header.bytes);
}

static uint32_t get_u32(const struct rndis_request *request, uint32_t *to)
{
    if (request->info_bytes < sizeof(*to))
        return RNDIS_STATUS_INVALID_DATA;
    memcpy(to, request->info, sizeof(*to));
    return RNDIS_STATUS_SUCCESS;
}

static uint32_t set_filter(struct rndis_request *request)
{
    return get_u32(request, &request->rndis->filter);
}

static uint32_t set_lookahead(struct rndis_request *request)
{
    return get_u32(request, &request->rndis->lookahead);
}

static uint32_t set_groups(struct rndis_request *request)
{
    uint32_t count = request->info_bytes / VSWITCH_ADDRESS_BYTES;

    if (request->info_bytes % VSWITCH_ADDRESS_BYTES)
        return RNDIS_STATUS_INVALID_DATA;
    if (count > RNDIS_GROUPS_MAX)
        return RNDIS_STATUS_MULTICAST_FULL;
    if (count > 0)
        memcpy(request->rndis->groups, request->info, request->info_bytes);
    request->rndis->group_count = count;
    return RNDIS_STATUS_SUCCESS;
}

/* What is off may be switched off. */
static uint32_t set_offload(struct rndis_request *request)
{
    if (request->info_bytes < sizeof(struct object_header))
        return RNDIS_STATUS_INVALID_DATA;
    for (uint32_t i = sizeof(struct object_header); i < request->info_bytes;
         i++) {
        if (i >= PARAMETERS_FLAGS && i < PARAMETERS_FLAGS_END)
            continue;
        if (request->info[i] > 1)
            return RNDIS_STATUS_NOT_SUPPORTED;
    }
    return RNDIS_STATUS_SUCCESS;
}

static query_fn query_supported;

static const struct oid_def oids[] = {
    {0x00010101, 0, query_supported, NULL},
    {0x00010102, 0, NULL, NULL},               /* hardware status: ready */
    {0x00010103, MEDIUM_ETHERNET, NULL, NULL}, /* media supported */
    {0x00010104, MEDIUM_ETHERNET, NULL, NULL}, /* media in use */
    {0x00010105, RNDIS_MTU, NULL, NULL},       /* maximum lookahead */
    {0x00010106, RNDIS_MTU, NULL, NULL},       /* maximum frame size */
    {0x00010107, 0, query_link_speed, NULL},
    {0x0001010a, RNDIS_MTU + HEADER_FRAME_BYTES, NULL, NULL}, /* send block */
    {0x0001010b, RNDIS_MTU + HEADER_FRAME_BYTES, NULL, NULL}, /* receive */
    {0x0001010c, VENDOR, NULL, NULL},
    {0x0001010d, 0, query_vendor_name, NULL},
    {0x0001010e, 0, query_filter, set_filter},
    {0x0001010f, 0, query_lookahead, set_lookahead},
    {0x00010111, RNDIS_MTU + HEADER_FRAME_BYTES, NULL, NULL}, /* total size */
    {0x00010113, MAC_OPTIONS, NULL, NULL},
    {0x00010114, CONNECTED, NULL, NULL},
    {0x00010115, RNDIS_PACKETS_PER_MESSAGE, NULL, NULL},
    {0x00010116, 1, NULL, NULL}, /* vendor driver version */
    {0x00010206, 0, query_link_speed_max, NULL},
    {0x00010207, 0, query_link_state, NULL},
    {0x00020101, 0, query_sent, NULL},
    {0x00020102, 0, query_received, NULL},
    {0x00020103, 0, query_not_sent, NULL},
    {0x00020104, 0, NULL, NULL}, /* receive errors */
    {0x00020105, 0, query_not_received, NULL},
    {0x01010101, 0, query_address, NULL}, /* permanent */
    {0x01010102, 0, query_address, NULL}, /* current */
    {0x01010103, 0, query_groups, set_groups},
    {0x01010104, RNDIS_GROUPS_MAX, NULL, NULL},
    {0xfc01020b, 0, query_offload, NULL}, /* as it is */
    {0xfc01020c, 0, NULL, set_offload},
    {0xfc01020d, 0, query_offload, NULL}, /* as it could be */
};

#define OID_COUNT (sizeof(oids) / sizeof(oids[0]))

static_assert(sizeof(uint32_t) * OID_COUNT <= RNDIS_RESULT_BYTES_MAX &&
                  OFFLOAD_BYTES_MAX <= RNDIS_RESULT_BYTES_MAX &&
                  RNDIS_GROUPS_MAX * VSWITCH_ADDRESS_BYTES <=
                      RNDIS_RESULT_BYTES_MAX,
              "the longest results fit");

static void query_supported(struct rndis_request *request)
{
    uint32_t numbers[OID_COUNT];

    for (unsigned i = 0; i < OID_COUNT; i++)
        numbers[i] = oids[i].oid;
    put(request, numbers, sizeof(numbers));
}

static const struct oid_def *find_oid(uint32_t oid)
{
    for (unsigned i = 0; i < OID_COUNT; i++)
        if (oids[i].oid == oid)
            return &oids[i];
    return NULL;
}

uint32_t rndis_oid_query(struct rndis_request *request)
{
    const struct oid_def *def = find_oid(request->oid);

    if (!def || (!def->query && def->set))
        return RNDIS_STATUS_NOT_SUPPORTED;
    if (def->query)
        def->query(request);
    else
        put_u32(request, def->value);
    return RNDIS_STATUS_SUCCESS;
}

uint32_t rndis_oid_set(struct rndis_request *request)
{
    const struct oid_def *def = find_oid(request->oid);

    return def && def->set ? def->set(request) : RNDIS_STATUS_NOT_SUPPORTED;
}
