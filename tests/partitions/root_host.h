/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_PARTITIONS_ROOT_HOST_H
#define HVSIM_TESTS_PARTITIONS_ROOT_HOST_H

/**
 * A whole machine (tests/machine/script_host.h) whose root does a test's work:
 * jobs are root threads and DPCs that note when and where they take each step,
 * and run on the machine's own root VPs, scheduled and billed as ever.
 */

#include "tests/machine/script_host.h"

#define ROOT_HOST_LOG_MAX 16384

struct root_host;
struct root_job;

/** What a job does in its step number `step`, from 0 in every run. */
typedef void root_job_fn(struct root_job *job, struct hv_context *context,
                         unsigned step);

struct root_job {
    char letter;        /* how it appears in the log */
    unsigned steps;     /* of one run */
    enum cost_kind pay; /* what each step costs */
    root_job_fn *body;  /* may be NULL */
    void *context;      /* of the test; borrowed */
    /* Found. */
    struct root_work work;
    struct root_host *host;
    unsigned step, runs;
    uint64_t first_ns, last_ns; /* of any step */
    uint32_t last_vp;
};

struct root_host {
    struct script_host script;
    struct machine *machine; /* of the script */
    struct root *root;
    char log[ROOT_HOST_LOG_MAX]; /* a letter for each step */
    size_t logged;
};

void root_host_create(struct root_host *host,
                      const struct script_config *config);
/** Runs the machine to its end, which must be a good one. */
void root_host_run(struct root_host *host);
void root_host_destroy(struct root_host *host);

struct root_job root_job(char letter, unsigned steps, enum cost_kind pay,
                         root_job_fn *body, void *context);
/** Makes the job known; its other fields are set by the caller. */
void root_host_add(struct root_host *host, struct root_job *job);
/** Asks for it at time 0. */
void root_host_wake(struct root_host *host, struct root_job *job);
/** Asks for it from a step of another job. */
void root_job_wake(struct root_job *job, struct hv_context *context);
void root_job_queue(struct root_job *dpc, struct hv_context *context);

#endif
