/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_VMBUS_BUS_WORLD_H
#define HVSIM_TESTS_VMBUS_BUS_WORLD_H

/** A guest, its bus, and one device on it. */

#include "tests/vmbus/fake_device.h"
#include "tests/vmbus/fake_guest.h"

struct bus_world {
    struct fake_guest guest;
    struct fake_device device;
    uint32_t relid;    /* of its channel */
    uint32_t instance; /* of its GUID */
};

/** For cmocka: a world whose guest has not made contact. */
int bus_world_setup(void **state);
/** The same, connected by version 5.2. */
int bus_world_setup_connected(void **state);
int bus_world_teardown(void **state);
/** Sends a message that is a header alone. */
void bus_world_send(struct fake_guest *guest, enum vmbus_message_type type);
void bus_world_release(struct fake_guest *guest, uint32_t relid);
void bus_world_tear_down(struct fake_guest *guest, uint32_t relid,
                         uint32_t gpadl);
const struct fake_post *bus_world_expect_offer(struct fake_guest *guest);
void bus_world_expect_rescind(struct fake_guest *guest, uint32_t relid);
/** The answer to an open of `channel` with open id 7. */
uint32_t bus_world_open_status(struct fake_guest *guest,
                               const struct fake_channel *channel);
uint32_t bus_world_gpadl_status(struct fake_guest *guest);
/** Offers sub-channel `index` of the world's device. */
struct vmbus_channel *bus_world_offer_sub_channel(struct bus_world *world,
                                                  uint16_t index);

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, bus_world_setup, bus_world_teardown)
#define CONNECTED(name)                                                        \
    cmocka_unit_test_setup_teardown(name, bus_world_setup_connected,           \
                                    bus_world_teardown)

#endif
