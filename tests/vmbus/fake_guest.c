/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/vmbus/fake_guest.h"

#include <stdlib.h>
#include <string.h>

/* Memory. */

static bool in_memory(gpa_t at, size_t bytes)
{
    uint64_t end = FAKE_GUEST_PAGES * PAGE_BYTES;

    return at.raw <= end && bytes <= end - at.raw;
}

static bool read_memory(void *context, gpa_t from, void *to, size_t bytes)
{
    const struct fake_guest *guest = context;

    if (!in_memory(from, bytes))
        return false;
    memcpy(to, guest->memory + from.raw, bytes);
    return true;
}

static bool write_memory(void *context, gpa_t to, const void *from,
                         size_t bytes)
{
    const struct fake_guest *guest = context;

    if (!in_memory(to, bytes))
        return false;
    memcpy(guest->memory + to.raw, from, bytes);
    return true;
}

static const struct guest_memory_ops memory_ops = {read_memory, write_memory};

/* The host. */

static struct fake_service *service_of(struct fake_guest *guest,
                                       struct vmbus_channel *channel)
{
    struct fake_service *service =
        &guest->services[vmbus_channel_relid(channel)];

    service->channel = channel;
    return service;
}

static void host_post(void *host, struct hv_context *context, uint32_t vp,
                      const void *message, uint32_t bytes)
{
    struct fake_guest *guest = host;

    assert_non_null(context);
    assert_in_range(bytes, sizeof(struct vmbus_header), VMBUS_MESSAGE_BYTES);
    assert_true(guest->post_count < FAKE_GUEST_POSTS_MAX);
    struct fake_post *post = &guest->posts[guest->post_count++];
    post->vp = vp;
    post->bytes = bytes;
    memcpy(post->payload, message, bytes);
}

static enum hv_status host_listen(void *host, struct hv_context *context,
                                  struct vmbus_channel *channel, uint32_t vp)
{
    struct fake_guest *guest = host;

    (void)context;
    if (guest->listen_status != HV_STATUS_SUCCESS)
        return guest->listen_status;
    service_of(guest, channel)->listens = true;
    service_of(guest, channel)->vp = vp;
    return HV_STATUS_SUCCESS;
}

static void host_unlisten(void *host, struct hv_context *context,
                          struct vmbus_channel *channel)
{
    (void)context;
    assert_true(service_of(host, channel)->listens);
    service_of(host, channel)->listens = false;
}

static void host_signal(void *host, struct hv_context *context,
                        struct vmbus_channel *channel)
{
    (void)context;
    assert_true(service_of(host, channel)->listens);
    assert_int_not_equal(service_of(host, channel)->vp, VMBUS_NO_VP);
    service_of(host, channel)->signals++;
}

static void host_serve(void *host, struct hv_context *context,
                       struct vmbus_channel *channel)
{
    (void)context;
    service_of(host, channel)->serve = true;
}

static void host_wake_at(void *host, struct vmbus_channel *channel, cycles_t at)
{
    service_of(host, channel)->wake_at = at;
}

static void host_forget(void *host, struct vmbus_channel *channel)
{
    struct fake_guest *guest = host;
    struct fake_service *service = service_of(guest, channel);

    assert_false(service->listens);
    *service = (struct fake_service){0};
    guest->forgotten++;
}

static const struct vmbus_host_ops host_ops = {
    .post = host_post,
    .listen = host_listen,
    .unlisten = host_unlisten,
    .signal = host_signal,
    .serve = host_serve,
    .wake_at = host_wake_at,
    .forget = host_forget,
};

void fake_guest_setup(struct fake_guest *guest)
{
    memset(guest, 0, sizeof(*guest));
    guest->memory = calloc(FAKE_GUEST_PAGES, PAGE_BYTES);
    guest->posts = calloc(FAKE_GUEST_POSTS_MAX, sizeof(*guest->posts));
    assert_non_null(guest->memory);
    assert_non_null(guest->posts);
    guest->guest_memory = (struct guest_memory){&memory_ops, guest};
    guest->hv.trace = trace_create(NULL, NULL);
    guest->context =
        (struct hv_context){.hv = &guest->hv, .bill = &guest->bill};
    guest->listen_status = HV_STATUS_SUCCESS;
    guest->next_gpadl_id = 0xe1e10;
    guest->next_page = 1;
    guest->bus = vmbus_create(&host_ops, guest, guest->guest_memory);
    assert_non_null(guest->bus);
}

void fake_guest_teardown(struct fake_guest *guest)
{
    vmbus_free(guest->bus);
    for (unsigned relid = 0; relid < VMBUS_CHANNELS_MAX; relid++)
        assert_null(guest->services[relid].channel);
    trace_free(guest->hv.trace);
    free(guest->posts);
    free(guest->memory);
}

uint32_t fake_guest_offer(struct fake_guest *guest,
                          const struct vmbus_device_ops *ops, void *device)
{
    struct vmbus_offer offer = {.ops = ops, .device = device};

    offer.class_id.bytes[0] = 0xc1;
    memcpy(offer.instance_id.bytes, &guest->next_gpadl_id,
           sizeof(guest->next_gpadl_id));
    guest->next_gpadl_id++; /* any number that is new */
    struct vmbus_channel *channel =
        vmbus_offer(guest->bus, &guest->context, &offer);
    assert_non_null(channel);
    return vmbus_channel_relid(channel);
}

/* Messages. */

void fake_guest_send(struct fake_guest *guest, const void *message,
                     uint32_t bytes)
{
    vmbus_message(guest->bus, &guest->context, guest->connection_id, message,
                  bytes);
}

void fake_guest_contact(struct fake_guest *guest, uint32_t version, uint32_t vp)
{
    struct vmbus_initiate_contact contact = {
        .header.type = VMBUS_INITIATE_CONTACT,
        .version = version,
        .target_vp = vp,
        .interrupt_page = 0x5000,
        .monitor_pages = {0x6000, 0x7000},
    };

    guest->connection_id = VMBUS_CONNECTION_OLD;
    if (version >= VMBUS_VERSION_5_0) {
        guest->connection_id = VMBUS_CONNECTION_NEW;
        contact.interrupt_page = 0;
        contact.target_sint = VMBUS_SINT;
    }
    fake_guest_send(guest, &contact, sizeof(contact));
}

void fake_guest_connect(struct fake_guest *guest, uint32_t version)
{
    struct vmbus_header request = {.type = VMBUS_REQUEST_OFFERS};

    fake_guest_contact(guest, version, 0);
    const struct fake_post *response = fake_guest_expect(
        guest, VMBUS_VERSION_RESPONSE, sizeof(struct vmbus_version_response));
    assert_int_equal(response->version.supported, 1);
    assert_int_equal(response->version.connection_state,
                     VMBUS_CONNECTION_SUCCESSFUL);
    fake_guest_send(guest, &request, sizeof(request));
    guest->posts_read = guest->post_count;
}

const struct fake_post *fake_guest_expect(struct fake_guest *guest,
                                          enum vmbus_message_type type,
                                          uint32_t bytes)
{
    assert_true(guest->posts_read < guest->post_count);
    const struct fake_post *post = &guest->posts[guest->posts_read++];
    assert_int_equal(post->header.type, type);
    assert_int_equal(post->bytes, bytes);
    return post;
}

void fake_guest_expect_silence(const struct fake_guest *guest)
{
    assert_int_equal(guest->posts_read, guest->post_count);
}

uint32_t fake_guest_pages(struct fake_guest *guest, uint32_t count)
{
    uint32_t page = guest->next_page;

    guest->next_page += count;
    assert_true(guest->next_page <= FAKE_GUEST_PAGES);
    return page;
}

/* How many words of ranges fit the messages. */
#define HEADER_WORDS                                                           \
    ((VMBUS_MESSAGE_BYTES - sizeof(struct vmbus_gpadl_header)) / 8)
#define BODY_WORDS ((VMBUS_MESSAGE_BYTES - sizeof(struct vmbus_gpadl_body)) / 8)

void fake_guest_send_gpadl(struct fake_guest *guest, uint32_t relid,
                           uint32_t id, uint32_t range_count,
                           const uint64_t *words, uint32_t word_count)
{
    struct vmbus_gpadl_header header = {
        .header.type = VMBUS_GPADL_HEADER,
        .relid = relid,
        .gpadl_id = id,
        .range_bytes = (uint16_t)(word_count * 8),
        .range_count = (uint16_t)range_count,
    };
    struct vmbus_gpadl_body body = {.header.type = VMBUS_GPADL_BODY,
                                    .gpadl_id = id};
    uint8_t message[VMBUS_MESSAGE_BYTES];
    uint32_t first = word_count < HEADER_WORDS ? word_count : HEADER_WORDS;

    memcpy(message, &header, sizeof(header));
    memcpy(message + sizeof(header), words, first * sizeof(*words));
    fake_guest_send(guest, message, (uint32_t)sizeof(header) + first * 8);
    for (uint32_t sent = first; sent < word_count; body.number++) {
        uint32_t count = word_count - sent;
        if (count > BODY_WORDS)
            count = BODY_WORDS;
        memcpy(message, &body, sizeof(body));
        memcpy(message + sizeof(body), words + sent, count * sizeof(*words));
        fake_guest_send(guest, message, (uint32_t)sizeof(body) + count * 8);
        sent += count;
    }
}

uint32_t fake_guest_lend(struct fake_guest *guest, uint32_t relid,
                         uint32_t page, uint32_t count)
{
    uint32_t id = guest->next_gpadl_id++;
    uint64_t *words = calloc(count + 1, sizeof(*words));

    assert_non_null(words);
    words[0] = count * PAGE_BYTES;
    for (uint32_t i = 0; i < count; i++)
        words[i + 1] = page + i;
    fake_guest_send_gpadl(guest, relid, id, 1, words, count + 1);
    free(words);
    const struct fake_post *post = fake_guest_expect(
        guest, VMBUS_GPADL_CREATED, sizeof(struct vmbus_gpadl_created));
    assert_int_equal(post->created.relid, relid);
    assert_int_equal(post->created.gpadl_id, id);
    assert_int_equal(post->created.status, VMBUS_STATUS_SUCCESS);
    return id;
}

void fake_guest_send_open(struct fake_guest *guest,
                          const struct fake_channel *channel,
                          uint32_t target_vp, uint32_t open_id)
{
    struct vmbus_open_channel open = {
        .header.type = VMBUS_OPEN_CHANNEL,
        .relid = channel->relid,
        .open_id = open_id,
        .ring_gpadl_id = channel->gpadl_id,
        .target_vp = target_vp,
        .downstream_page_offset = channel->pages[0],
    };

    fake_guest_send(guest, &open, sizeof(open));
}

struct fake_channel fake_guest_open(struct fake_guest *guest, uint32_t relid,
                                    uint32_t pages)
{
    struct fake_channel channel = {
        .relid = relid,
        .page = fake_guest_pages(guest, 2 * pages),
        .pages = {pages, pages},
    };

    /* Linux honours pending_send_bytes, and says so for both rings. */
    fake_guest_ring(guest, &channel, FAKE_TO_HOST)->feature_bits = 1;
    fake_guest_ring(guest, &channel, FAKE_FROM_HOST)->feature_bits = 1;
    channel.gpadl_id = fake_guest_lend(guest, relid, channel.page, 2 * pages);
    fake_guest_send_open(guest, &channel, 0, relid);
    const struct fake_post *post =
        fake_guest_expect(guest, VMBUS_OPEN_CHANNEL_RESULT,
                          sizeof(struct vmbus_open_channel_result));
    assert_int_equal(post->open.relid, relid);
    assert_int_equal(post->open.status, VMBUS_STATUS_SUCCESS);
    return channel;
}

void fake_guest_close(struct fake_guest *guest, uint32_t relid)
{
    struct vmbus_relid_message close = {.header.type = VMBUS_CLOSE_CHANNEL,
                                        .relid = relid};

    fake_guest_send(guest, &close, sizeof(close));
}

/* The guest's ends of rings. */

static uint8_t *ring_page(struct fake_guest *guest,
                          const struct fake_channel *channel,
                          enum fake_ring ring)
{
    uint64_t page = channel->page;

    if (ring == FAKE_FROM_HOST)
        page += channel->pages[FAKE_TO_HOST];
    return guest->memory + page * PAGE_BYTES;
}

struct vmbus_ring_control *fake_guest_ring(struct fake_guest *guest,
                                           const struct fake_channel *channel,
                                           enum fake_ring ring)
{
    return (struct vmbus_ring_control *)(void *)ring_page(guest, channel, ring);
}

uint8_t *fake_guest_ring_data(struct fake_guest *guest,
                              const struct fake_channel *channel,
                              enum fake_ring ring)
{
    return ring_page(guest, channel, ring) + PAGE_BYTES;
}

uint32_t fake_guest_ring_bytes(const struct fake_channel *channel,
                               enum fake_ring ring)
{
    return (uint32_t)((channel->pages[ring] - 1) * PAGE_BYTES);
}

static uint32_t copy_to_ring(uint8_t *data, uint32_t size, uint32_t index,
                             const void *from, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        data[(index + i) % size] = ((const uint8_t *)from)[i];
    return (index + bytes) % size;
}

static uint32_t copy_from_ring(const uint8_t *data, uint32_t size,
                               uint32_t index, void *to, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        ((uint8_t *)to)[i] = data[(index + i) % size];
    return (index + bytes) % size;
}

bool fake_guest_put(struct fake_guest *guest,
                    const struct fake_channel *channel,
                    enum vmbus_packet_type type, uint16_t flags,
                    uint64_t transaction_id, const void *body,
                    uint32_t head_bytes, uint32_t bytes)
{
    struct vmbus_ring_control *control =
        fake_guest_ring(guest, channel, FAKE_TO_HOST);
    uint8_t *data = fake_guest_ring_data(guest, channel, FAKE_TO_HOST);
    uint32_t size = fake_guest_ring_bytes(channel, FAKE_TO_HOST);
    uint32_t old_write = control->write_index;
    uint32_t padding = -bytes & 7;
    struct vmbus_packet_descriptor descriptor = {
        .type = (uint16_t)type,
        .data_offset_8 = (uint16_t)((sizeof(descriptor) + head_bytes) / 8),
        .length_8 = (uint16_t)((sizeof(descriptor) + bytes + padding) / 8),
        .flags = flags,
        .transaction_id = transaction_id,
    };
    uint64_t zeros = 0;
    uint64_t trailer = (uint64_t)old_write << 32;

    uint32_t used = (old_write + size - control->read_index) % size;
    assert_true(vmbus_packet_bytes(&descriptor) + sizeof(trailer) <
                size - used);
    uint32_t index =
        copy_to_ring(data, size, old_write, &descriptor, sizeof(descriptor));
    index = copy_to_ring(data, size, index, body, bytes);
    index = copy_to_ring(data, size, index, &zeros, padding);
    control->write_index =
        copy_to_ring(data, size, index, &trailer, sizeof(trailer));
    bool signal =
        control->interrupt_mask == 0 && control->read_index == old_write;
    if (signal)
        fake_guest_signal(guest, channel->relid);
    return signal;
}

bool fake_guest_get(struct fake_guest *guest,
                    const struct fake_channel *channel,
                    struct vmbus_packet_descriptor *descriptor, void *body,
                    uint32_t room)
{
    struct vmbus_ring_control *control =
        fake_guest_ring(guest, channel, FAKE_FROM_HOST);
    const uint8_t *data = fake_guest_ring_data(guest, channel, FAKE_FROM_HOST);
    uint32_t size = fake_guest_ring_bytes(channel, FAKE_FROM_HOST);
    uint32_t read = control->read_index;
    uint32_t write = control->write_index;
    uint64_t trailer;

    if (read == write)
        return false;
    uint32_t free_before = size - (write + size - read) % size;
    uint32_t at =
        copy_from_ring(data, size, read, descriptor, sizeof(*descriptor));
    uint32_t bytes =
        vmbus_packet_bytes(descriptor) - (uint32_t)sizeof(*descriptor);
    assert_true(bytes <= room);
    at = copy_from_ring(data, size, at, body, bytes);
    at = copy_from_ring(data, size, at, &trailer, sizeof(trailer));
    assert_int_equal(trailer, (uint64_t)read << 32);
    control->read_index = at;

    uint32_t free_now = size - (write + size - at) % size;
    uint32_t pending = control->pending_send_bytes;
    if (pending && free_before <= pending && free_now > pending)
        fake_guest_signal(guest, channel->relid);
    return true;
}

/* Time. */

void fake_guest_signal(struct fake_guest *guest, uint32_t relid)
{
    assert_true(guest->services[relid].listens);
    guest->services[relid].serve = true;
}

void fake_guest_run(struct fake_guest *guest)
{
    bool worked = true;

    while (worked) {
        worked = false;
        for (uint32_t relid = 1; relid < VMBUS_CHANNELS_MAX; relid++) {
            struct fake_service *service = &guest->services[relid];
            if (!service->channel || !service->serve)
                continue;
            worked = true;
            service->serve = false;
            if (vmbus_channel_step(service->channel, &guest->context) ==
                VMBUS_AGAIN)
                service->serve = true;
        }
    }
}
