/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/gpa_space.h"
#include "hypervisor/hypercall_private.h"
#include "hypervisor/memory.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"

#define GPA_PAGES (UINT64_C(1) << (SLAT_GPA_BITS - PAGE_SHIFT))
#define LARGE_PAGES (GPA_LARGE_BYTES / PAGE_BYTES)

/* The root alone has children, and its GPAs are SPAs: so a page that comes
 * back has the GPA at which it was deposited. */
static gpa_t root_gpa(spa_t page)
{
    return gpa(page.raw);
}

/* The page of the caller that it wants to give away: RAM of its own, with all
 * rights, that nobody else can reach. */
static enum hv_status find_deposit(const struct hv_partition *caller,
                                   uint64_t number, spa_t *page)
{
    struct gpa_mapping mapping;

    if (number >= GPA_PAGES ||
        !gpa_space_find(&caller->gpa, gpa(number << PAGE_SHIFT), &mapping))
        return HV_STATUS_OPERATION_DENIED;
    if (mapping.overlay)
        return HV_STATUS_OBJECT_IN_USE;
    if (!mapping.writable || !mapping.executable ||
        memory_is_shared(caller->hv->memory, mapping.spa))
        return HV_STATUS_OPERATION_DENIED;
    *page = mapping.spa;
    return HV_STATUS_SUCCESS;
}

/* Taking the page from its owner may need a table page of the owner's pool:
 * when that is the pool in question, the page comes first and may be it. */
static enum hv_status deposit_to_self(struct hv_partition *self, gpa_t at,
                                      spa_t page)
{
    enum hv_status status = memory_pool_deposit(self->hv, self->pool, page);

    if (status != HV_STATUS_SUCCESS)
        return status;
    return gpa_space_unmap(&self->gpa, at, false);
}

static enum hv_status deposit_to_child(struct hv_partition *parent,
                                       struct hv_partition *child, gpa_t at,
                                       spa_t page)
{
    enum hv_status status = gpa_space_unmap(&parent->gpa, at, false);

    if (status == HV_STATUS_INSUFFICIENT_MEMORY)
        return HV_STATUS_INSUFFICIENT_ROOT_MEMORY;
    if (status != HV_STATUS_SUCCESS)
        return status;
    status = memory_pool_deposit(child->hv, child->pool, page);
    if (status != HV_STATUS_SUCCESS)
        (void)gpa_space_map(&parent->gpa, at, page, false, GPA_MAP_ALL);
    return status;
}

static enum hv_status deposit_page(struct hv_partition *caller,
                                   struct hv_partition *target, uint64_t number)
{
    spa_t page;
    enum hv_status status = find_deposit(caller, number, &page);
    gpa_t at = gpa(number << PAGE_SHIFT);

    if (status != HV_STATUS_SUCCESS)
        return status;
    if (caller == target)
        return deposit_to_self(target, at, page);
    return deposit_to_child(caller, target, at, page);
}

enum hv_status hc_memory_deposit(struct hv_context *context,
                                 struct hc_call *call)
{
    const struct hv_input_deposit_memory *input = call->input;
    struct hv_partition *target;
    enum hv_status status =
        hc_target_child_or_self(context, input->partition_id, 0, &target);

    if (status != HV_STATUS_SUCCESS)
        return status;
    if (target->state != PARTITION_UNINITIALIZED &&
        target->state != PARTITION_ACTIVE)
        return HV_STATUS_INVALID_PARTITION_STATE;
    for (; call->done < call->count; call->done++) {
        status =
            deposit_page(context->vp->partition, target, hc_element64(call));
        if (status != HV_STATUS_SUCCESS)
            return status;
        cost_note(context->bill, COST_GPA_MAP_PAGE, 1);
    }
    return HV_STATUS_SUCCESS;
}

static enum hv_status withdraw_page(struct hv_partition *caller,
                                    struct hv_partition *target,
                                    uint64_t *number)
{
    struct hypervisor *hv = caller->hv;
    spa_t page;

    if (!memory_pool_withdraw(hv, target->pool, &page))
        return HV_STATUS_NO_RESOURCES;

    enum hv_status status =
        gpa_space_map(&caller->gpa, root_gpa(page), page, false, GPA_MAP_ALL);

    if (status != HV_STATUS_SUCCESS) {
        /* There was a place for it a moment ago, so there is one now. */
        (void)memory_pool_deposit(hv, target->pool, page);
        return caller == target ? HV_STATUS_NO_RESOURCES
                                : HV_STATUS_INSUFFICIENT_ROOT_MEMORY;
    }
    *number = page.raw >> PAGE_SHIFT;
    return HV_STATUS_SUCCESS;
}

/* Only the root deposits, so only the root gets pages back. */
static enum hv_status find_withdrawal(struct hv_context *context,
                                      const struct hv_input_withdraw_memory *in,
                                      struct hv_partition **target)
{
    uint32_t node;
    enum hv_status status =
        hc_target_child_or_self(context, in->partition_id, 0, target);

    if (status != HV_STATUS_SUCCESS)
        return status;
    if (context->vp->partition != context->hv->root)
        return HV_STATUS_ACCESS_DENIED;
    if ((*target)->state == PARTITION_UNINITIALIZED)
        return HV_STATUS_INVALID_PARTITION_STATE;
    return hc_target_node(context, in->proximity, &node);
}

enum hv_status hc_memory_withdraw(struct hv_context *context,
                                  struct hc_call *call)
{
    const struct hv_input_withdraw_memory *input = call->input;
    uint64_t *numbers = call->output;
    struct hv_partition *target;
    enum hv_status status = find_withdrawal(context, input, &target);

    if (status != HV_STATUS_SUCCESS)
        return status;
    for (; call->done < call->count; call->done++) {
        status =
            withdraw_page(context->vp->partition, target, &numbers[call->done]);
        if (status != HV_STATUS_SUCCESS)
            return status;
        cost_note(context->bill, COST_GPA_MAP_PAGE, 1);
    }
    return HV_STATUS_SUCCESS;
}

enum hv_status hc_memory_get_balance(struct hv_context *context,
                                     struct hc_call *call)
{
    const struct hv_input_get_memory_balance *input = call->input;
    struct hv_output_get_memory_balance *output = call->output;
    struct hv_partition *target;
    uint32_t node;
    enum hv_status status = hc_target_child_or_self(
        context, input->partition_id, PRIVILEGE_ACCESS_MEMORY_POOL, &target);

    if (status == HV_STATUS_SUCCESS)
        status = hc_target_node(context, input->proximity, &node);
    if (status != HV_STATUS_SUCCESS)
        return status;
    output->pages_available = memory_pool_available(target->pool);
    output->pages_in_use = memory_pool_in_use(target->pool);
    return HV_STATUS_SUCCESS;
}

/* Rights come as none, or read with any others (TLFS, "GPA Access Rights"). */
static bool map_flags_valid(uint32_t flags)
{
    uint32_t rights = flags & GPA_MAP_ALL;

    if ((flags &
         ~(GPA_MAP_ALL | HV_MAP_GPA_NO_ACCESS | HV_MAP_GPA_LARGE_PAGE)) != 0)
        return false;
    if (flags & HV_MAP_GPA_NO_ACCESS)
        return rights == 0;
    return rights == 0 || (rights & GPA_MAP_READ);
}

static enum hv_status find_map_target(struct hv_context *context, uint64_t id,
                                      struct hv_partition **target)
{
    enum hv_status status = hc_target_child(context, id, target);

    if (status == HV_STATUS_SUCCESS && (*target)->state != PARTITION_ACTIVE)
        return HV_STATUS_INVALID_PARTITION_STATE;
    return status;
}

/* RAM of the caller, with the rights that it wants to give. */
static bool source_page(const struct hv_partition *caller, uint64_t number,
                        uint32_t rights, spa_t *page)
{
    struct gpa_mapping mapping;

    if (number >= GPA_PAGES ||
        !gpa_space_find(&caller->gpa, gpa(number << PAGE_SHIFT), &mapping) ||
        mapping.overlay)
        return false;
    if ((rights & GPA_MAP_WRITE) && !mapping.writable)
        return false;
    if ((rights & GPA_MAP_EXECUTE) && !mapping.executable)
        return false;
    *page = mapping.spa;
    return true;
}

/* 2 MiB of the caller, which must lie in one piece in system memory. */
static bool source_large(const struct hv_partition *caller, uint64_t number,
                         uint32_t rights, spa_t *first)
{
    if (!source_page(caller, number, rights, first) ||
        (first->raw & (GPA_LARGE_BYTES - 1)) != 0)
        return false;
    for (uint64_t i = 1; i < LARGE_PAGES; i++) {
        spa_t page;

        if (!source_page(caller, number + i, rights, &page) ||
            page.raw != first->raw + i * PAGE_BYTES)
            return false;
    }
    return true;
}

/* Maps one page, small or large; the numbers count 4 KiB in either case. */
static enum hv_status map_page(struct hv_context *context,
                               struct hv_partition *target, uint64_t to,
                               uint64_t from, uint32_t flags)
{
    const struct hv_partition *caller = context->vp->partition;
    uint32_t rights = flags & GPA_MAP_ALL;
    bool large = flags & HV_MAP_GPA_LARGE_PAGE;
    spa_t page;

    if (to >= GPA_PAGES || (large && (to | from) % LARGE_PAGES != 0))
        return HV_STATUS_INVALID_PARAMETER;
    cost_note(context->bill, COST_GPA_MAP_PAGE, 1);
    if (rights == 0)
        return gpa_space_unmap(&target->gpa, gpa(to << PAGE_SHIFT), large);
    if (large ? !source_large(caller, from, rights, &page)
              : !source_page(caller, from, rights, &page))
        return HV_STATUS_OPERATION_DENIED;
    return gpa_space_map(&target->gpa, gpa(to << PAGE_SHIFT), page, large,
                         rights);
}

/* The page that element `index` of a contiguous target is about. The sum
 * cannot wrap: what is out of the space is so before anything is added. */
static uint64_t target_page(uint64_t first, uint32_t index, bool large)
{
    uint64_t pages = (uint64_t)index * (large ? LARGE_PAGES : 1);

    return first >= GPA_PAGES ? first : first + pages;
}

enum hv_status hc_memory_map(struct hv_context *context, struct hc_call *call)
{
    const struct hv_input_map_gpa_pages *input = call->input;
    struct hv_partition *target;
    enum hv_status status =
        find_map_target(context, input->partition_id, &target);

    if (status != HV_STATUS_SUCCESS)
        return status;
    if (input->padding != 0 || !map_flags_valid(input->flags))
        return HV_STATUS_INVALID_PARAMETER;
    for (; call->done < call->count; call->done++) {
        uint64_t to = target_page(input->target_page, call->first + call->done,
                                  input->flags & HV_MAP_GPA_LARGE_PAGE);

        status =
            map_page(context, target, to, hc_element64(call), input->flags);
        if (status != HV_STATUS_SUCCESS)
            return status;
    }
    return HV_STATUS_SUCCESS;
}

enum hv_status hc_memory_map_sparse(struct hv_context *context,
                                    struct hc_call *call)
{
    const struct hv_input_map_sparse_gpa_pages *input = call->input;
    struct hv_partition *target;
    enum hv_status status =
        find_map_target(context, input->partition_id, &target);

    if (status != HV_STATUS_SUCCESS)
        return status;
    if (input->padding != 0 || !map_flags_valid(input->flags))
        return HV_STATUS_INVALID_PARAMETER;
    for (; call->done < call->count; call->done++) {
        struct hv_gpa_pair pair;

        memcpy(&pair,
               (const uint8_t *)call->elements + call->done * sizeof(pair),
               sizeof(pair));
        status = map_page(context, target, pair.target_page, pair.source_page,
                          input->flags);
        if (status != HV_STATUS_SUCCESS)
            return status;
    }
    return HV_STATUS_SUCCESS;
}

enum hv_status hc_memory_unmap(struct hv_context *context, struct hc_call *call)
{
    const struct hv_input_unmap_gpa_pages *input = call->input;
    bool large = input->flags == HV_UNMAP_GPA_LARGE_PAGE;
    struct hv_partition *target;
    enum hv_status status =
        find_map_target(context, input->partition_id, &target);

    if (status != HV_STATUS_SUCCESS)
        return status;
    if (input->padding != 0 || (input->flags != 0 && !large))
        return HV_STATUS_INVALID_PARAMETER;
    for (; call->done < call->count; call->done++) {
        uint64_t page =
            target_page(input->target_page, call->first + call->done, large);

        if (page >= GPA_PAGES)
            return HV_STATUS_INVALID_PARAMETER;
        status = gpa_space_unmap(&target->gpa, gpa(page << PAGE_SHIFT), large);
        if (status != HV_STATUS_SUCCESS)
            return status;
        cost_note(context->bill, COST_GPA_MAP_PAGE, 1);
    }
    return HV_STATUS_SUCCESS;
}
