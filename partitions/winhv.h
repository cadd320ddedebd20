/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_WINHV_H
#define HVSIM_PARTITIONS_WINHV_H

/**
 * WinHv: typed wrappers of the hypercalls that the root makes (TLFS, by the
 * calls' names). Each fills a page of the root's memory, makes the call on the
 * root VP of the context and reads the result: the hypervisor sees what it
 * would see from any guest. An enum hv_status is the call's own. Owned by VMMS.
 *
 * Time passes in a call: context->now is later when it returns.
 */

#include "hypervisor/hv_status.h"
#include "hypervisor/hypercall_abi.h"
#include "hypervisor/hypervisor.h"
#include "partitions/root.h"

struct winhv {
    struct root *root;   /* borrowed */
    spa_t input, output; /* pages of the root's, at GPA = SPA */
};

/** Takes the pages for parameters out of the root's memory. */
MUST_USE enum sim_status winhv_init(struct winhv *winhv, struct root *root,
                                    struct sim_error *error);

enum hv_status winhv_create_partition(struct winhv *winhv,
                                      struct hv_context *context,
                                      partition_id_t *id);
enum hv_status winhv_initialize_partition(struct winhv *winhv,
                                          struct hv_context *context,
                                          partition_id_t id);
enum hv_status winhv_finalize_partition(struct winhv *winhv,
                                        struct hv_context *context,
                                        partition_id_t id);
enum hv_status winhv_delete_partition(struct winhv *winhv,
                                      struct hv_context *context,
                                      partition_id_t id);
enum hv_status winhv_set_property(struct winhv *winhv,
                                  struct hv_context *context, partition_id_t id,
                                  uint32_t code, uint64_t value);

/* winhv_sched.c: what the host compute service asks for (struct
 * hypercall_direct). A partition joins a group, or leaves it for none (0), by
 * PARTITION_PROPERTY_CPU_GROUP_ID; weight, reserve and cap are properties too.
 */

/** Makes a group of all LPs, without a cap. INVALID_CPU_GROUP_ID if `group` is
 *  0 or taken. */
enum hv_status winhv_create_cpu_group(struct winhv *winhv,
                                      struct hv_context *context,
                                      uint64_t group);
/** INVALID_CPU_GROUP_STATE while it has members. */
enum hv_status winhv_delete_cpu_group(struct winhv *winhv,
                                      struct hv_context *context,
                                      uint64_t group);
/** Of the time of the LPs that the group may use, in 1/65536: 65536 is no
 *  cap. */
enum hv_status winhv_set_cpu_group_cap(struct winhv *winhv,
                                       struct hv_context *context,
                                       uint64_t group, uint64_t cap);
/** The LPs that its partitions may use. INVALID_PARAMETER if a VP could run
 *  nowhere then. */
enum hv_status winhv_set_cpu_group_lps(struct winhv *winhv,
                                       struct hv_context *context,
                                       uint64_t group,
                                       const struct lp_set *lps);
/** The LPs that the partition's VPs may use, those to come too. Likewise. */
enum hv_status winhv_set_affinity(struct winhv *winhv,
                                  struct hv_context *context, partition_id_t id,
                                  const struct lp_set *lps);

#define WINHV_LIST_MAX 256 /* pages in one call */

/** How many deposited pages the hypervisor has not used yet. */
enum hv_status winhv_get_memory_balance(struct winhv *winhv,
                                        struct hv_context *context,
                                        partition_id_t id,
                                        uint64_t *pages_available);

/** Deposits `count` pages, at most WINHV_LIST_MAX. *done receives how many
 *  were taken, also on failure: they are the hypervisor's then. */
enum hv_status winhv_deposit_memory(struct winhv *winhv,
                                    struct hv_context *context,
                                    partition_id_t id, const spa_t *pages,
                                    uint32_t count, uint32_t *done);

/** Deposits some pages of the root's, of `node` as far as it has any: as many
 *  at once as tables and VPs tend to need. False if that cannot be. */
bool winhv_deposit_some(struct winhv *winhv, struct hv_context *context,
                        partition_id_t id, uint32_t node);

/** Takes free pages back, at most WINHV_LIST_MAX; *count: in and out. */
enum hv_status winhv_withdraw_memory(struct winhv *winhv,
                                     struct hv_context *context,
                                     partition_id_t id, spa_t *pages,
                                     uint32_t *count);

/** Maps pages (4 KiB, or 2 MiB if `large`) from `base` upwards, with all
 *  rights. *done receives how many were mapped, also on failure. */
enum hv_status winhv_map_pages(struct winhv *winhv, struct hv_context *context,
                               partition_id_t id, gpa_t base,
                               const spa_t *pages, uint32_t count, bool large,
                               uint32_t *done);

enum hv_status winhv_install_intercept(struct winhv *winhv,
                                       struct hv_context *context,
                                       partition_id_t id, uint32_t type,
                                       uint32_t access, uint64_t parameter);
enum hv_status winhv_create_vp(struct winhv *winhv, struct hv_context *context,
                               partition_id_t id, uint32_t vp_index,
                               uint32_t node);
enum hv_status winhv_delete_vp(struct winhv *winhv, struct hv_context *context,
                               partition_id_t id, uint32_t vp_index);

/** One register, by HvRegister name; `value` is 16 bytes, low half first. */
struct winhv_register {
    uint32_t name;
    uint64_t value[2];
};

#define WINHV_REGISTERS_MAX 64 /* in one call */

/** Sets registers in order, at most WINHV_REGISTERS_MAX of them. */
enum hv_status winhv_set_registers(struct winhv *winhv,
                                   struct hv_context *context,
                                   partition_id_t id, uint32_t vp_index,
                                   const struct winhv_register *registers,
                                   uint32_t count);

/** Reads one register of that name. */
enum hv_status winhv_get_register(struct winhv *winhv,
                                  struct hv_context *context, partition_id_t id,
                                  uint32_t vp_index,
                                  struct winhv_register *out);

/** Reads `count` registers, at most WINHV_REGISTERS_MAX, by their names. */
enum hv_status winhv_get_registers(struct winhv *winhv,
                                   struct hv_context *context,
                                   partition_id_t id, uint32_t vp_index,
                                   struct winhv_register *registers,
                                   uint32_t count);

/** Asserts an interrupt; all but the partition is in `interrupt`. */
enum hv_status
winhv_assert_interrupt(struct winhv *winhv, struct hv_context *context,
                       partition_id_t id,
                       const struct hv_input_assert_interrupt *interrupt);

/** The page of `at` as the VP would reach it for a read or write; sets the
 *  accessed and dirty bits. Returns an enum hv_translate_result; with
 *  GPA_UNMAPPED, *page is where it would be, or beyond all memory if the walk
 *  did not get there. */
uint32_t winhv_translate(struct winhv *winhv, struct hv_context *context,
                         partition_id_t id, uint32_t vp_index, gva_t at,
                         bool write, gpa_t *page);

/** Reads or writes at most 16 bytes on one page. False if that cannot be. */
bool winhv_access_gpa(struct winhv *winhv, struct hv_context *context,
                      partition_id_t id, uint32_t vp_index, gpa_t at,
                      bool write, void *data, uint32_t bytes);

/** Makes port `id` of partition `owner`, for `sender` to connect to. */
enum hv_status winhv_create_port(struct winhv *winhv,
                                 struct hv_context *context,
                                 partition_id_t owner, uint32_t id,
                                 partition_id_t sender,
                                 const struct hv_port_info *info);
enum hv_status winhv_delete_port(struct winhv *winhv,
                                 struct hv_context *context,
                                 partition_id_t owner, uint32_t id);

/** Makes connection `id` of `sender` to port `port_id` of `owner`, which is
 *  for messages or events. */
enum hv_status winhv_connect_port(struct winhv *winhv,
                                  struct hv_context *context,
                                  partition_id_t sender, uint32_t id,
                                  partition_id_t owner, uint32_t port_id,
                                  enum hv_port_type type);
enum hv_status winhv_disconnect_port(struct winhv *winhv,
                                     struct hv_context *context,
                                     partition_id_t sender, uint32_t id);

/** Sends by a connection of the root's; `bytes` at most 240. */
enum hv_status winhv_post_message(struct winhv *winhv,
                                  struct hv_context *context,
                                  uint32_t connection_id, uint32_t type,
                                  const void *payload, uint32_t bytes);
enum hv_status winhv_signal_event(struct winhv *winhv,
                                  struct hv_context *context,
                                  uint32_t connection_id, uint16_t flag);

#endif
