/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Design. A monitor page belongs to its port and lies over a page of the
 * receiver's and of the sender's (TLFS 2.0a, "Monitored Notifications"). A bit
 * that the sender sets in it makes no intercept, so the hypervisor looks: at
 * each trigger of an enabled group once in its latency, so that what is asked
 * for happens before its latency is over. A page that cannot have anything to
 * do is looked at every IDLE_NS.
 *
 * Both sides can write all of the page at any time. So whatever is used is
 * read once, and what is nonsense by then (a connection that is not there, a
 * flag too large) is dropped, as the specification says.
 *
 * What this does not model: `armed` and `next_check` of the page, by which the
 * hypervisor and the guest could spare each other looks.
 */
#include <stdlib.h>

#include "hypervisor/expiry.h"
#include "hypervisor/partition.h"
#include "hypervisor/port_private.h"
#include "hypervisor/vp.h"

#define IDLE_NS UINT64_C(1000000)

/* A guest must not make its host do nothing else. */
#define LATENCY_NS_MIN UINT64_C(10000)
#define LATENCY_UNIT_NS 100

struct port_monitor {
    struct hv_port *port; /* borrowed: its owner */
    uint32_t connected;   /* connections there are: nobody, nothing to do */
    struct event look;
    cycles_t next[HV_MONITOR_GROUPS][HV_MONITOR_GROUP_TRIGGERS];
};

/* Copies a field out of the page. */
#define READ(monitor, field, to)                                               \
    arena_read((monitor)->port->partition->hv->arena,                          \
               spa_add((monitor)->port->page,                                  \
                       offsetof(struct hv_monitor_page, field)),               \
               (to), sizeof(*(to)))

static uint64_t latency_ns(const struct port_monitor *monitor, unsigned group,
                           unsigned trigger)
{
    uint16_t latency;
    uint64_t ns;

    READ(monitor, latency[group][trigger], &latency);
    if (latency == 0)
        return IDLE_NS;
    ns = (uint64_t)latency * LATENCY_UNIT_NS;
    return ns < LATENCY_NS_MIN ? LATENCY_NS_MIN : ns;
}

static void signal(struct hv_context *context, struct port_monitor *monitor,
                   struct hv_partition *sender, unsigned group,
                   unsigned trigger)
{
    struct hv_monitor_parameter parameter;

    READ(monitor, parameters[group][trigger], &parameter);
    (void)port_signal_as(context, sender, parameter.connection_id,
                         parameter.flag);
}

/* The triggers of the group whose turn it is; each gets its next. */
static uint32_t take_turns(struct port_monitor *monitor, unsigned group,
                           cycles_t now, cycles_t *next)
{
    struct sim_clock clock = monitor->port->partition->hv->clock;
    uint32_t turn = 0;

    for (unsigned i = 0; i < HV_MONITOR_GROUP_TRIGGERS; i++) {
        cycles_t *due = &monitor->next[group][i];

        if (!cycles_before(now, *due)) {
            turn |= UINT32_C(1) << i;
            *due = cycles_add(
                now, clock_from_ns(clock, latency_ns(monitor, group, i)));
        }
        if (cycles_before(*due, *next))
            *next = *due;
    }
    return turn;
}

static void look_at_group(struct hv_context *context,
                          struct port_monitor *monitor,
                          struct hv_partition *sender, unsigned group,
                          cycles_t *next)
{
    struct arena *arena = context->hv->arena;
    spa_t at = spa_add(monitor->port->page,
                       offsetof(struct hv_monitor_page, groups[group].pending));
    uint32_t turn = take_turns(monitor, group, context->now, next);
    uint32_t pending;
    uint32_t taken;

    arena_read(arena, at, &pending, sizeof(pending));
    taken = pending & turn;
    if (taken == 0)
        return;
    pending &= ~taken;
    arena_write(arena, at, &pending, sizeof(pending));
    for (unsigned i = 0; i < HV_MONITOR_GROUP_TRIGGERS; i++) {
        if ((taken >> i & 1) != 0)
            signal(context, monitor, sender, group, i);
    }
}

/* Who pays for looking: the sender, by its first VP; NULL if it has none. */
static struct hv_vp *payer(const struct hv_partition *sender)
{
    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        if (sender->vps[i])
            return sender->vps[i];
    }
    return NULL;
}

static cycles_t idle_after(const struct port_monitor *monitor, cycles_t now)
{
    return cycles_add(
        now, clock_from_ns(monitor->port->partition->hv->clock, IDLE_NS));
}

static void look(void *context, cycles_t now)
{
    struct port_monitor *monitor = context;
    struct hypervisor *hv = monitor->port->partition->hv;
    struct hv_partition *sender =
        hypervisor_find_partition(hv, monitor->port->sender);
    struct hv_vp *vp = payer(sender);
    cycles_t next = idle_after(monitor, now);
    uint32_t state;

    READ(monitor, trigger_state, &state);
    if (vp && (state & HV_MONITOR_DISABLED) == 0 &&
        (state & HV_MONITOR_GROUP_ENABLES) != 0) {
        struct hv_context looking = expiry_begin(vp, now, EXPIRY_MONITOR);

        for (unsigned group = 0; group < HV_MONITOR_GROUPS; group++) {
            if ((state >> group & 1) != 0)
                look_at_group(&looking, monitor, sender, group, &next);
        }
    }
    event_schedule(hv->events, &monitor->look, next);
}

enum hv_status port_monitor_create(struct hv_port *port)
{
    struct port_monitor *monitor = calloc(1, sizeof(*monitor));
    enum hv_status status;

    if (!monitor)
        return HV_STATUS_NO_RESOURCES;
    monitor->port = port;
    monitor->look = (struct event){.kind = EVENT_TIMER,
                                   .name = "monitor-page",
                                   .fire = look,
                                   .context = monitor};
    status = gpa_space_overlay_shared(&port->partition->gpa, monitor,
                                      gpa(port->info.monitor_gpa), port->page);
    if (status != HV_STATUS_SUCCESS) {
        free(monitor);
        return status;
    }
    port->monitor = monitor;
    return HV_STATUS_SUCCESS;
}

void port_monitor_free(struct hv_port *port)
{
    struct port_monitor *monitor = port->monitor;

    event_cancel(port->partition->hv->events, &monitor->look);
    gpa_space_remove_overlay(&port->partition->gpa, monitor);
    free(monitor);
    port->monitor = NULL;
}

enum hv_status port_monitor_connect(struct hv_context *context,
                                    struct hv_connection *connection)
{
    struct port_monitor *monitor = connection->port->monitor;
    enum hv_status status;

    if ((connection->place.gpa & PAGE_MASK) != 0)
        return HV_STATUS_INVALID_PARAMETER;
    status = gpa_space_overlay_shared(&connection->partition->gpa, connection,
                                      gpa(connection->place.gpa),
                                      connection->port->page);
    if (status != HV_STATUS_SUCCESS)
        return status;
    if (monitor->connected++ == 0)
        event_schedule(context->hv->events, &monitor->look,
                       idle_after(monitor, context->now));
    return HV_STATUS_SUCCESS;
}

void port_monitor_disconnect(struct hv_connection *connection)
{
    struct port_monitor *monitor = connection->port->monitor;

    gpa_space_remove_overlay(&connection->partition->gpa, connection);
    if (--monitor->connected == 0)
        event_cancel(connection->partition->hv->events, &monitor->look);
}
