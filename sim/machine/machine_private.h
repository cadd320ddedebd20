/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_MACHINE_MACHINE_PRIVATE_H
#define HVSIM_SIM_MACHINE_MACHINE_PRIVATE_H

/** Shared by machine.c (building), run.c (time), machine_vms.c (guests) and
 *  machine_images.c (their programs). */

#include "hypervisor/hypervisor.h"
#include "hypervisor/lp.h"
#include "partitions/root.h"
#include "partitions/vmms.h"
#include "perfcounters/pc_report.h"
#include "sim/machine/console_log.h"
#include "sim/machine/console_script.h"
#include "sim/machine/cost_model.h"
#include "sim/machine/ledger.h"
#include "sim/machine/lp_order.h"
#include "sim/machine/machine.h"
#include "sim/machine/wait_book.h"

/** A VM as the scenario numbers them: an entry with `count` makes several. */
struct machine_vm {
    struct machine *machine; /* borrowed: its owner */
    uint32_t number;
    const struct scenario_vm *from; /* borrowed: the entry, and */
    uint32_t index;                 /* which of its VMs */
    char name[SCENARIO_NAME_BYTES_MAX + 1];
    char *command_line;           /* owns */
    struct guest_module *modules; /* owns */
    bool finished;                /* done, failed or off */
    bool failed;
    uint32_t starts_to_come; /* by the timeline */
    bool start_when_off;     /* one has come while it was being turned off */
    struct console_log console;
    cycles_t line_at;      /* its last line began */
    uint64_t console_kept; /* bytes; more than the limit: it is closed */
    char last_line[80];    /* of it that has ended: its beginning */
    struct console_script script;
    uint64_t script_due_ns;  /* when it is looked at; CONSOLE_SCRIPT_NEVER */
    uint32_t results_kept;   /* likewise */
    uint64_t shutdown_at_ns; /* SCENARIO_NO_TIME: never */
    struct event shutdown;
};

/** An entry of the timeline. */
struct machine_event {
    struct machine *machine;           /* borrowed: its owner */
    const struct scenario_event *from; /* borrowed from the scenario */
    struct event event;
};

/** A built-in guest program or a file, as the scenario names it. */
struct machine_image_name {
    const char *text; /* borrowed from the scenario */
    bool is_workload;
};

/** A guest image, read once however many VMs start from it. */
struct machine_image {
    struct machine_image_name name;
    uint8_t *bytes; /* owns */
    size_t size;
    struct machine_image *next;
};

/** What has been typed at a console from outside, until it is time for it. */
struct machine_live {
    uint8_t bytes[SCENARIO_SEND_BYTES_MAX];
    size_t count; /* 0: nothing */
    uint64_t due_ns;
    size_t bytes_left, inputs_left; /* that may be typed from now on */
};

/** Time of one LP that lies behind the next sample and is counted after it. */
struct run_overshoot {
    struct {
        struct hv_vp *vp; /* borrowed; NULL: none, or it has gone since */
        cycles_t guest, hypervisor;
    } of[2];            /* a root VP that switches to another, and that one */
    cycles_t switching; /* of none */
    cycles_t idle;
};

struct machine {
    const struct scenario *scenario; /* borrowed */
    struct results *results;         /* borrowed; may be NULL */
    struct sim_clock clock;
    struct event_queue *events; /* owns */
    struct trace *trace;        /* owns */
    struct cost_model cost;
    struct ledger *ledger;  /* owns */
    struct hypervisor *hv;  /* owns */
    struct root *root;      /* owns */
    struct vmms *vmms;      /* owns */
    struct machine_vm *vms; /* owns, vm_count */
    uint32_t vm_count;
    uint32_t finished_count;
    struct machine_event *timeline; /* owns; of scenario->at_count entries */
    struct machine_image *images;   /* owns */
    struct pc_report *report;       /* owns */
    struct wait_book *waits;        /* owns */

    /* The run; see run.c. */
    const struct machine_run_options *options;
    struct lp_order *active;         /* owns: LPs that have something to run */
    cycles_t quantum;                /* LPs' clocks differ by up to that */
    struct hv_lp *stepping;          /* the LP under way; NULL between steps */
    cycles_t horizon;                /* of that step */
    cycles_t others;                 /* no other LP is behind this */
    struct cost_bill bill;           /* of that step */
    cycles_t sampled_at;             /* the last sample; 0: none yet */
    struct run_overshoot *overshoot; /* owns, by LP */
    struct event sample, end;
    struct event typing;
    struct machine_live live;
    cycles_t now;  /* of the last event or step: never goes back */
    bool stopping; /* has been asked to end before its time */
    bool ended;
    enum sim_status status;
    struct sim_error error; /* the first failure */
};

/** Notes a failure of the run; the first one counts. Does not end the run. */
void machine_note_failure(struct machine *machine, enum sim_status status,
                          const char *format, ...) PRINTF_LIKE(3, 4);

/* machine_images.c: guest programs. */

/** What the guest starts from: its program or its kernel. */
struct machine_image_name
machine_images_main(const struct scenario_guest *guest);

/** What the VM called `vm` finds as its command line: "cmdline key=value ...",
 *  in which `seed: auto` has become a number of that VM's own. The caller owns
 *  it (free()); NULL: no memory. */
char *machine_command_line(const struct scenario_guest *guest,
                           uint64_t run_seed, const char *vm);

/** The file of that name, which is read when it is first asked for, and is
 *  then the machine's. SIM_NO_INPUT says why it cannot be had. */
MUST_USE enum sim_status machine_images_find(struct machine *machine,
                                             struct machine_image_name name,
                                             const struct machine_image **out,
                                             struct sim_error *error);
void machine_images_free(struct machine *machine);

/* machine_vms.c: the VMs of the scenario. */
MUST_USE enum sim_status machine_vms_create(struct machine *machine,
                                            struct sim_error *error);
void machine_vms_free(struct machine *machine);
/** The consoles' last lines, which no end of line has completed. */
void machine_vms_flush_consoles(struct machine *machine);
/** Starts those that are not off at first, at time 0 and in order. */
void machine_vms_start(struct machine *machine);
/** A VM fails, and the run with it. Of what one VM fails of, the first counts.
 *  `text`: what its guest had to say besides, or "". */
void machine_vms_fail(struct machine_vm *vm, const char *why, const char *text);
/** What VMMS tells. */
struct vmms_listener machine_vms_listener(struct machine *machine);
/** Registers the counters of a new VP, a VM's or the root's. */
void machine_vms_report(struct machine *machine, struct hv_vp *vp);

/* machine_timeline.c: CPU groups, and what is done while the VMs run. */

/** Defines the groups, and prepares the events. */
MUST_USE enum sim_status machine_timeline_create(struct machine *machine,
                                                 struct sim_error *error);
/** Has VMMS make the groups at time 0, and the rest done when it is time. */
void machine_timeline_start(struct machine *machine);
/** Fails the run for changes that the root has not come to. */
void machine_timeline_finish(struct machine *machine);
/** How often the timeline starts that VM. */
uint32_t machine_timeline_starts(const struct machine *machine,
                                 const struct machine_vm *vm);
/** What VMMS calls the group of that name; 0: SCENARIO_NO_GROUP. */
uint64_t machine_timeline_group(const struct machine *machine,
                                const char *name);

/* machine_console.c: what is typed. */
void machine_console_start(struct machine *machine);
/** A VM's guest prints a byte. */
void machine_console_see(struct machine_vm *vm, uint8_t byte, cycles_t now);
/** Between steps: hears what is typed outside. `next` is when the event is due
 *  that comes next, or 0 if that is a step. False if it must wait. */
bool machine_console_poll(struct machine *machine, cycles_t next);
/** Whoever is at the console wants the run to end: between steps, or at once.
 */
bool machine_console_is_left(const struct machine *machine);
bool machine_console_must_end(const struct machine *machine);
/** Fails the run for steps that it has not come to. */
void machine_console_finish(struct machine *machine);

/* run.c: what the hypervisor asks of the run loop, and the end. */
struct hv_host run_host(struct machine *machine);
void run_to_end(struct machine *machine);
/** The first whole nanosecond that no LP has reached. */
uint64_t run_first_free_ns(const struct machine *machine);
/** Every VM has finished: the run ends as soon as all LPs have got there. */
void run_end_early(struct machine *machine);

/* run_sample.c: counters at interval ends. */
MUST_USE bool run_sample_init(struct machine *machine);
void run_sample_count(struct machine *machine, struct hv_lp *lp,
                      struct hv_vp *vp, enum cost_party party, cycles_t start,
                      cycles_t spent);
void run_sample_idle(struct machine *machine, struct hv_lp *lp, cycles_t until);
void run_sample_vp_gone(struct machine *machine, struct hv_vp *vp);
void run_sample_start(struct machine *machine);
/** Completes the results at the end. */
void run_sample_finish(struct machine *machine);

#endif
