/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * What is typed at a VM's console, on its way to COM1. Whoever types hands it
 * over as a whole, as to a pipe that holds any amount. From there it goes over
 * a line of `baud` bits a second, ten to a byte, with hardware flow control: a
 * byte is sent only when the UART has room for it, so nothing is lost between
 * here and the guest, and a guest that never reads makes the line stand still.
 *
 * Each byte is work of the worker process: the devices' thread is woken for
 * it, accesses the UART and sends the interrupt, as for a timer of a device.
 */
#include <stdlib.h>

#include "partitions/vdev_uart.h"
#include "partitions/vmwp_private.h"
#include "sim/core/trace.h"

#define BITS_PER_BYTE 10 /* a start bit, eight of data, a stop bit */
#define NS_PER_S UINT64_C(1000000000)
#define CAPACITY_LEAST 256

static void on_arrival(void *context, cycles_t now)
{
    struct vmwp *vmwp = context;

    vmwp->input.line_free = now;
    vmwp->input.arrived = true;
    vmwp_devices_wake(vmwp, now);
}

void vmwp_input_init(struct vmwp *vmwp)
{
    vmwp->input.arrival = (struct event){.kind = EVENT_DEVICE,
                                         .name = "console-input",
                                         .fire = on_arrival,
                                         .context = vmwp};
    vmwp_set_baud(vmwp, VMWP_BAUD_DEFAULT);
}

void vmwp_set_baud(struct vmwp *vmwp, uint32_t baud)
{
    vmwp->input.byte_time =
        clock_from_ns(vmwp->root->hv->clock, BITS_PER_BYTE * NS_PER_S / baud);
}

void vmwp_input_fini(struct vmwp *vmwp)
{
    if (event_is_scheduled(&vmwp->input.arrival))
        event_cancel(vmwp->root->hv->events, &vmwp->input.arrival);
    free(vmwp->input.bytes);
}

void vmwp_input_reset(struct vmwp *vmwp)
{
    event_cancel(vmwp->root->hv->events, &vmwp->input.arrival);
    vmwp->input.arrived = false;
}

size_t vmwp_untyped(const struct vmwp *vmwp)
{
    return vmwp->input.end - vmwp->input.first;
}

void vmwp_input_settle(struct vmwp *vmwp, cycles_t now)
{
    struct vmwp_input *input = &vmwp->input;

    if (vmwp_untyped(vmwp) == 0 || input->arrived ||
        event_is_scheduled(&input->arrival) || vdev_uart_room(vmwp->uart) == 0)
        return;
    event_schedule(
        vmwp->root->hv->events, &input->arrival,
        cycles_max(cycles_add(input->line_free, input->byte_time), now));
}

void vmwp_input_receive(struct vmwp *vmwp, struct hv_context *context)
{
    struct vmwp_input *input = &vmwp->input;

    if (!input->arrived)
        return;
    input->arrived = false;
    /* The guest may have changed its mind since: then it stays on the line. */
    if (vdev_uart_room(vmwp->uart) == 0)
        return;

    uint8_t byte = input->bytes[input->first++];

    cost_note(context->bill, COST_VDEV_ACCESS, 1);
    trace_add(context->hv->trace, &(struct trace_record){
                                      .time = context->now,
                                      .lp = TRACE_NO_LP,
                                      .vp = TRACE_NO_VP,
                                      .partition = vmwp->partition.v,
                                      .kind = TRACE_TYPED,
                                      .detail = byte,
                                  });
    vdev_uart_receive(vmwp->uart, byte);
}

/* Room for `count` more, with what has gone already taken away. */
static bool make_room(struct vmwp_input *input, size_t count)
{
    size_t kept = input->end - input->first;
    size_t capacity = input->capacity ? input->capacity : CAPACITY_LEAST;

    if (input->capacity - input->end >= count)
        return true;
    while (capacity - kept < count)
        capacity *= 2;

    uint8_t *bytes = malloc(capacity);

    if (!bytes)
        return false;
    if (kept > 0)
        memcpy(bytes, input->bytes + input->first, kept);
    free(input->bytes);
    input->bytes = bytes;
    input->capacity = capacity;
    input->first = 0;
    input->end = kept;
    return true;
}

bool vmwp_type(struct vmwp *vmwp, const uint8_t *bytes, size_t count,
               cycles_t now)
{
    struct vmwp_input *input = &vmwp->input;

    if (count == 0)
        return true;
    if (!make_room(input, count))
        return false;
    memcpy(input->bytes + input->end, bytes, count);
    input->end += count;
    vmwp_input_settle(vmwp, now);
    return true;
}
