/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * A VM's platform: which devices there are, where their interrupt lines lead,
 * and what they do unasked. Every line leads to the I/O APIC and to the 8259s;
 * which of them the guest listens to is its own choice. Interrupts wait there
 * until a thread of the worker process sends them, each by
 * HvCallAssertVirtualInterrupt and for its price: the VP's own thread after an
 * access, else the devices' thread, which also calls devices whose time has
 * come.
 */
#include "partitions/platform.h"
#include "partitions/vdev_i8042.h"
#include "partitions/vdev_ioapic.h"
#include "partitions/vdev_pic.h"
#include "partitions/vdev_pit.h"
#include "partitions/vdev_pm.h"
#include "partitions/vdev_rtc.h"
#include "partitions/vdev_uart.h"
#include "partitions/vmwp_private.h"

static void on_com1_byte(void *context, uint8_t byte)
{
    console_put(context, byte);
}

static void on_pm_request(void *context, enum vdev_pm_request request)
{
    struct vmwp *vmwp = context;

    vmwp->end_wanted = true;
    vmwp->end = request == VDEV_PM_POWER_OFF ? VMWP_POWERED_OFF : VMWP_RESET;
}

static void on_reset_line(void *context)
{
    on_pm_request(context, VDEV_PM_RESET);
}

static void on_irq(void *context, unsigned gsi, bool level)
{
    struct vmwp *vmwp = context;

    vdev_ioapic_set_pin(vmwp->ioapic, gsi, level);
    vdev_pic_set_irq(vmwp->pic, gsi == PLATFORM_PIT_GSI ? 0 : gsi, level);
}

/* One interrupt as the I/O APIC puts it. What an I/O APIC can be told to send
 * and the hypervisor refuses, an illegal vector say, is lost, as on a bus. */
static bool translate(const struct vdev_ioapic_interrupt *from,
                      struct hv_input_assert_interrupt *to)
{
    *to = (struct hv_input_assert_interrupt){
        .destination = from->destination,
        .flags = (from->logical ? HV_INTERRUPT_LOGICAL : 0) |
                 (from->level ? HV_INTERRUPT_LEVEL_TRIGGERED : 0),
    };
    switch (from->delivery) {
    case IOAPIC_FIXED:
    case IOAPIC_LOWEST_PRIORITY:
        to->type = from->delivery == IOAPIC_FIXED
                       ? HV_INTERRUPT_FIXED
                       : HV_INTERRUPT_LOWEST_PRIORITY;
        to->vector = from->vector;
        return true;
    case IOAPIC_NMI:
        to->type = HV_INTERRUPT_NMI;
        break;
    case IOAPIC_INIT:
        to->type = HV_INTERRUPT_INIT;
        break;
    case IOAPIC_SMI:
    case IOAPIC_EXTINT:
    default:
        return false;
    }
    to->flags &= HV_INTERRUPT_LOGICAL;
    return true;
}

/* The 8259s' interrupt goes to the first processor, which takes it when its
 * LINT0 says so. Until then there is no room for another: that one waits for
 * the next access, which its handler's EOI is. */
static bool deliver_external(struct vmwp *vmwp, struct hv_context *context)
{
    const struct hv_input_assert_interrupt input = {
        .type = HV_INTERRUPT_EXTINT,
        .vector = vdev_pic_vector(vmwp->pic),
    };

    if (!vdev_pic_pending(vmwp->pic) ||
        winhv_assert_interrupt(vmwp->winhv, context, vmwp->partition, &input) !=
            HV_STATUS_SUCCESS)
        return false;
    vdev_pic_acknowledge(vmwp->pic);
    return true;
}

bool vmwp_devices_deliver(struct vmwp *vmwp, struct hv_context *context)
{
    struct vdev_ioapic_interrupt interrupt;
    struct hv_input_assert_interrupt input;

    if (!vdev_ioapic_take(vmwp->ioapic, &interrupt))
        return deliver_external(vmwp, context);
    if (translate(&interrupt, &input))
        winhv_assert_interrupt(vmwp->winhv, context, vmwp->partition, &input);
    return true;
}

/* A VM that is off has no devices that could do anything. */
static bool is_on(const struct vmwp *vmwp)
{
    return vmwp->partition.v != 0;
}

void vmwp_devices_settle(struct vmwp *vmwp, cycles_t now)
{
    struct hypervisor *hv = vmwp->root->hv;
    uint64_t deadline_ns = vdev_bus_deadline(&vmwp->bus);

    vmwp_input_settle(vmwp, now);
    if (deadline_ns == VDEV_NEVER || !is_on(vmwp)) {
        event_cancel(hv->events, &vmwp->timer);
        return;
    }

    /* The first cycle that is not before the deadline. */
    cycles_t due = cycles_add(clock_from_ns(hv->clock, deadline_ns), cycles(1));

    event_schedule(hv->events, &vmwp->timer, cycles_max(due, now));
}

void vmwp_devices_eoi(struct vmwp *vmwp, struct hv_context *context,
                      uint8_t vector)
{
    vector_map_set(vmwp->eois, vector);
    root_wake_thread(vmwp->root, context, &vmwp->devices);
}

static void tell_eois(struct vmwp *vmwp)
{
    int vector;

    while ((vector = vector_map_lowest(vmwp->eois)) >= 0) {
        vector_map_clear(vmwp->eois, (uint8_t)vector);
        vdev_ioapic_eoi(vmwp->ioapic, (uint8_t)vector);
    }
}

enum { PHASE_WAKE, PHASE_EXPIRE, PHASE_DELIVER };

/* The devices' thread. */
static enum root_step run_devices(void *context, struct hv_context *hv_context)
{
    struct vmwp *vmwp = context;

    if (!is_on(vmwp))
        return ROOT_DONE;
    switch (vmwp->devices_phase) {
    case PHASE_WAKE:
        cost_note(hv_context->bill, COST_VMWP_DISPATCH, 1);
        vmwp->devices_phase = PHASE_EXPIRE;
        return ROOT_AGAIN;
    case PHASE_EXPIRE:
        cost_note(hv_context->bill, COST_VDEV_ACCESS, 1);
        tell_eois(vmwp);
        vdev_bus_expire(&vmwp->bus, vmwp_now_ns(vmwp, hv_context));
        vmwp_input_receive(vmwp, hv_context);
        vmwp->devices_phase = PHASE_DELIVER;
        return ROOT_AGAIN;
    default:
        if (vmwp_devices_deliver(vmwp, hv_context))
            return ROOT_AGAIN;
        vmwp_devices_settle(vmwp, hv_context->now);
        vmwp->devices_phase = PHASE_WAKE;
        return ROOT_DONE;
    }
}

void vmwp_devices_wake(struct vmwp *vmwp, cycles_t now)
{
    struct hv_context context = root_event_context(vmwp->root, now);

    root_wake_thread(vmwp->root, &context, &vmwp->devices);
}

static void on_timer(void *context, cycles_t now)
{
    vmwp_devices_wake(context, now);
}

static bool add(struct vmwp *vmwp, struct vdev *vdev)
{
    if (!vdev_bus_add(&vmwp->bus, vdev))
        return false;
    vdev->irq_sink = &vmwp->irqs;
    return true;
}

static bool add_pm(struct vmwp *vmwp, uint32_t vp_count)
{
    vmwp->pm = vdev_pm_create(on_pm_request, vmwp);
    if (vmwp->pm && vmwp->vp_count > vp_count)
        vdev_pm_tell_processors(vmwp->pm);
    if (!add(vmwp, vmwp->pm))
        return false;
    vdev_pm_set_processors(vmwp->pm, vp_count);
    return true;
}

bool vmwp_devices_init(struct vmwp *vmwp, uint32_t vp_count)
{
    vmwp->irqs = (struct vdev_irq_sink){.context = vmwp, .set = on_irq};
    vmwp->devices = (struct root_work){
        .name = "vmwp-devices", .step = run_devices, .context = vmwp};
    vmwp->timer = (struct event){.kind = EVENT_DEVICE,
                                 .name = "vdev-timer",
                                 .fire = on_timer,
                                 .context = vmwp};
    vmwp_input_init(vmwp);
    vmwp->ioapic = vdev_ioapic_create();
    if (!add(vmwp, vmwp->ioapic))
        return false;
    vmwp->pic = vdev_pic_create();
    if (!add(vmwp, vmwp->pic))
        return false;
    vmwp->uart = vdev_uart_create(VDEV_UART_COM1, PLATFORM_UART_GSI,
                                  on_com1_byte, &vmwp->console);
    return add(vmwp, vmwp->uart) && add_pm(vmwp, vp_count) &&
           add(vmwp, vdev_rtc_create()) && add(vmwp, vdev_pit_create()) &&
           add(vmwp, vdev_i8042_create(on_reset_line, vmwp));
}

void vmwp_add_vp(struct vmwp *vmwp, struct hv_context *context, uint32_t index)
{
    vdev_pm_add_processor(vmwp->pm, vmwp_now_ns(vmwp, context), index);
    root_wake_thread(vmwp->root, context, &vmwp->devices);
}

void vmwp_devices_fini(struct vmwp *vmwp)
{
    if (event_is_scheduled(&vmwp->timer))
        event_cancel(vmwp->root->hv->events, &vmwp->timer);
    vmwp_input_fini(vmwp);
    vdev_bus_free(&vmwp->bus);
}

void vmwp_devices_reset(struct vmwp *vmwp, uint32_t vp_count)
{
    event_cancel(vmwp->root->hv->events, &vmwp->timer);
    vmwp->devices_phase = PHASE_WAKE;
    vmwp->end_wanted = false;
    memset(vmwp->eois, 0, sizeof(vmwp->eois));
    vmwp_input_reset(vmwp);
    vdev_bus_reset(&vmwp->bus);
    vdev_pm_set_processors(vmwp->pm, vp_count);
}
