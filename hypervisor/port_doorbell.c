/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doorbells: a store of a guest's to an address where there is no memory is
 * not passed on to the parent as an intercept, but noted on an event ring of
 * the parent's, and the guest goes on at once (public headers of the
 * hypervisor's interface, "HV_DOORBELL_FLAG_..."). Only plain moves ring; what
 * reads and writes is the parent's to carry out.
 */
#include <string.h>

#include "cpu/mmio.h"
#include "hypervisor/partition.h"
#include "hypervisor/port_private.h"
#include "hypervisor/vp.h"

bool port_doorbell_valid(const struct hv_connection_place *place)
{
    uint64_t size = place->doorbell_flags & HV_DOORBELL_SIZE_MASK;
    uint64_t bytes = size == 0 ? 1 : UINT64_C(1) << (size - 1);

    return size <= HV_DOORBELL_SIZE_MAX &&
           (place->doorbell_flags &
            ~(HV_DOORBELL_SIZE_MASK | HV_DOORBELL_ANY_VALUE)) == 0 &&
           place->gpa >> SLAT_GPA_BITS == 0 &&
           (place->gpa & PAGE_MASK) + bytes <= PAGE_BYTES;
}

/* The store's size and value; false if the instruction is none that rings. */
static bool decode_store(struct hv_vp *vp, uint32_t *bytes, uint64_t *value)
{
    struct mmio_state state;
    struct x86_state full;
    struct decode_mmio insn;
    uint8_t code[16];
    uint32_t count = engine_fetch(vp->engine, code);

    engine_get_state(vp->engine, &full);
    if (!decode_mmio(decode_mode(&full), code, count, &insn) ||
        insn.op != MMIO_MOV || !insn.writes)
        return false;
    memcpy(state.gpr, full.gpr, sizeof(state.gpr));
    state.rip = full.rip;
    state.rflags = full.rflags;
    *bytes = insn.bytes;
    *value = mmio_execute(&insn, &state, 0);
    return true;
}

static bool is_rung(const struct hv_connection_place *place, gpa_t at,
                    uint32_t bytes, uint64_t value)
{
    uint64_t size = place->doorbell_flags & HV_DOORBELL_SIZE_MASK;

    if (place->gpa != at.raw || (size != 0 && bytes != 1u << (size - 1)))
        return false;
    return (place->doorbell_flags & HV_DOORBELL_ANY_VALUE) != 0 ||
           place->doorbell_value == value;
}

static struct synic *find_ring(const struct hv_port *port)
{
    const struct hv_port_info *info = &port->info;

    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        struct hv_vp *vp = port->partition->vps[i];

        if (vp && (info->vp == HV_ANY_VP || info->vp == i) &&
            synic_takes_ring(&vp->synic))
            return &vp->synic;
    }
    return NULL;
}

/* False if nobody could ever hear of it. One that finds the ring full rings
 * when there is room. */
static bool notify(struct hv_context *context, struct hv_port *port)
{
    struct synic *synic = find_ring(port);

    if (!synic)
        return false;
    cost_note(context->bill, COST_SYNIC_MESSAGE, 1);
    port->missed =
        !synic_put_on_ring(context, synic, port->info.sint, port->id);
    return true;
}

static bool is_doorbell(const struct hv_connection *connection)
{
    return connection->type == HV_PORT_DOORBELL && connection->port;
}

bool port_doorbell_ring(struct hv_context *context, const struct vm_exit *exit)
{
    const struct hv_connection *connection =
        context->vp->partition->port_lists.connections;
    bool decoded = false;
    uint32_t bytes = 0;
    uint64_t value = 0;

    if (!exit->u.gpa.write || exit->u.gpa.in_walk ||
        exit->instruction_bytes == 0)
        return false;
    for (; connection; connection = connection->next) {
        if (!is_doorbell(connection) ||
            connection->place.gpa != exit->u.gpa.gpa.raw)
            continue;
        if (!decoded && !decode_store(context->vp, &bytes, &value))
            return false;
        decoded = true;
        if (is_rung(&connection->place, exit->u.gpa.gpa, bytes, value))
            return notify(context, connection->port);
    }
    return false;
}

void port_doorbell_retry(struct hv_context *context, uint32_t sint)
{
    struct hv_port *port = context->vp->partition->port_lists.ports;

    for (; port; port = port->next) {
        if (port->missed && port->info.sint == sint)
            (void)notify(context, port);
    }
}
