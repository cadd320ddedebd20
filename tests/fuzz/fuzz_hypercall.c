/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arbitrary hypercalls of a guest and of the root, as bytes say:
 *
 *   The first 2 KiB (or what there is of them) are parameters, seen at the GPA
 *   0x1000 by whoever calls; 0x2000 is memory too. What follows is calls of
 *   27 bytes: who calls (bit 0: the root, else a VP of its child; bit 1: in
 *   32-bit mode; bit 2: through its registers, as VMCALL does), the call code's
 *   index in the list below or an arbitrary control word (bit 3), and three
 *   numbers. Parameters are shared by all calls, and the calls change them.
 *
 * Nothing may crash, and in the end every page is somewhere.
 */
#include <stdint.h>
#include <string.h>

#include "hypervisor/memory.h"
#include "sim/core/check.h"
#include "tests/hypervisor/fake_engine.h"
#include "tests/hypervisor/small_host.h"

#define PARAMETER_BYTES 2048u
#define PARAMETER_GPA 0x1000u
#define CHILD_PARAMETER_SPA 0x700000u
#define CALLS_MAX 64
#define CONTINUATIONS_MAX 100

#define BY_ROOT 0x01u
#define NARROW 0x02u
#define BY_REGISTERS 0x04u
#define ANY_CONTROL 0x08u

struct call_bytes {
    uint8_t how;
    uint8_t code;
    uint8_t reps;
    uint64_t a, b, c;
};

#define CALL_BYTES 27u

static const uint16_t codes[] = {
    0x08, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a,
    0x4b, 0x4c, 0x4d, 0x4e, 0x4f, 0x50, 0x51, 0x52, 0x53, 0x54, 0x6e, 0x94,
};

#define CODE_COUNT (sizeof(codes) / sizeof(codes[0]))

static struct call_bytes take_call(const uint8_t *bytes)
{
    struct call_bytes call = {bytes[0], bytes[1], bytes[2], 0, 0, 0};

    memcpy(&call.a, bytes + 3, 8);
    memcpy(&call.b, bytes + 11, 8);
    memcpy(&call.c, bytes + 19, 8);
    return call;
}

static uint64_t control_of(const struct call_bytes *bytes)
{
    if (bytes->how & ANY_CONTROL)
        return bytes->c;

    uint64_t control = codes[bytes->code % CODE_COUNT];

    /* Bit 4: fast. The rest of the control word is what the call wants. */
    if (bytes->how & 0x10)
        control |= HYPERCALL_FAST;
    return control | (uint64_t)bytes->reps << HYPERCALL_REP_COUNT_SHIFT;
}

static void call_directly(struct hv_context *context,
                          const struct call_bytes *bytes)
{
    struct hypercall call = {
        .memory = gpa_space_memory(&context->vp->partition->gpa),
        .control = control_of(bytes),
        .input = gpa(bytes->a),
        .output = gpa(bytes->b),
        .narrow = bytes->how & NARROW,
    };

    memcpy(call.fast, &bytes->a, 8);
    memcpy(call.fast + 8, &bytes->b, 8);
    memset(call.fast + 16, (int)(bytes->c & 0xff), sizeof(call.fast) - 16);
    for (unsigned i = 0;; i++) {
        uint64_t before = call.control;

        CHECK(i < CONTINUATIONS_MAX);
        if (hypercall_dispatch(context, &call) != HYPERCALL_CONTINUE)
            return;
        CHECK(call.control != before); /* or the guest would call for ever */
    }
}

static void call_by_registers(struct hv_context *context,
                              const struct call_bytes *bytes)
{
    struct vm_exit exit = {.kind = VM_EXIT_HYPERCALL, .instruction_bytes = 3};
    struct engine *engine = context->vp->engine;
    uint64_t control = control_of(bytes);
    uint64_t *gpr = engine->state.gpr;

    engine->state.segment[X86_CS].attributes &= (uint16_t)~X86_ATTR_L;
    engine->state.efer |= EFER_LMA;
    if (bytes->how & NARROW) {
        gpr[X86_RDX] = control >> 32;
        gpr[X86_RAX] = control;
        gpr[X86_RBX] = bytes->a >> 32;
        gpr[X86_RCX] = bytes->a;
        gpr[X86_RDI] = bytes->b >> 32;
        gpr[X86_RSI] = bytes->b;
    } else {
        engine->state.segment[X86_CS].attributes |= X86_ATTR_L;
        gpr[X86_RCX] = control;
        gpr[X86_RDX] = bytes->a;
        gpr[X86_R8] = bytes->b;
    }
    hypercall_exit(context, &exit);
}

static struct hv_partition *make_caller(struct small_host *host)
{
    struct hv_partition *child = small_host_child_with_vp(host);

    child->guest_os_id = 1;
    child->privileges = PRIVILEGES_KNOWN;
    for (unsigned i = 0; i < 2; i++)
        CHECK(gpa_space_map(&child->gpa, gpa(PARAMETER_GPA + i * PAGE_BYTES),
                            spa(CHILD_PARAMETER_SPA + i * PAGE_BYTES), false,
                            GPA_MAP_ALL) == HV_STATUS_SUCCESS);
    return child;
}

static void write_parameters(struct small_host *host,
                             struct hv_partition *child, const uint8_t *data,
                             size_t size)
{
    small_host_poke(host, PARAMETER_GPA, data, size);
    CHECK(guest_memory_write(gpa_space_memory(&child->gpa), gpa(PARAMETER_GPA),
                             data, size));
}

/* The child may be gone, or have no VP any more: then the root calls. */
static struct hv_vp *caller_of(struct small_host *host,
                               const struct call_bytes *bytes,
                               uint64_t child_id)
{
    struct hv_partition *child =
        hypervisor_find_partition(host->hv, (partition_id_t){child_id});

    if (!(bytes->how & BY_ROOT) && child && child->vps[0])
        return child->vps[0];
    return host->root_vp;
}

/* No page of the host is lost or counted twice. */
static void check_balance(const struct small_host *host)
{
    const struct hypervisor *hv = host->hv;
    const struct gpa_space *root = &hv->root->gpa;
    uint64_t pages = root->pages_4k + 512 * root->pages_2m;

    for (uint32_t i = 0; i < hv->partition_count; i++)
        pages += memory_pool_available(hv->partitions[i]->pool) +
                 memory_pool_in_use(hv->partitions[i]->pool);
    CHECK(pages == SMALL_HOST_NODE_BYTES / PAGE_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t parameters = size < PARAMETER_BYTES ? size : PARAMETER_BYTES;
    struct small_host host;

    small_host_create(&host);

    struct hv_partition *child = make_caller(&host);
    uint64_t child_id = child->id.v;

    write_parameters(&host, child, data, parameters);
    data += parameters;
    size -= parameters;
    for (unsigned i = 0; i < CALLS_MAX && size >= CALL_BYTES; i++) {
        struct call_bytes bytes = take_call(data);

        host.context.vp = caller_of(&host, &bytes, child_id);
        if ((bytes.how & BY_REGISTERS) && host.context.vp->engine)
            call_by_registers(&host.context, &bytes);
        else
            call_directly(&host.context, &bytes);
        data += CALL_BYTES;
        size -= CALL_BYTES;
    }
    check_balance(&host);
    small_host_destroy(&host);
    return 0;
}
