/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/partitions/root_host.h"

#include <stdio.h>
#include <stdlib.h>

#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

static enum root_step step_job(void *context, struct hv_context *hv_context)
{
    struct root_job *job = context;
    struct root_host *host = job->host;

    CHECK(host->logged + 1 < ROOT_HOST_LOG_MAX);
    host->log[host->logged++] = job->letter;
    if (job->runs == 0 && job->step == 0)
        job->first_ns = hv_context->now.v;
    job->last_ns = hv_context->now.v;
    cost_note(hv_context->bill, job->pay, 1);
    if (job->body)
        job->body(job, hv_context, job->step);
    job->last_vp = hv_context->vp->index.v;
    if (++job->step != job->steps)
        return ROOT_AGAIN;
    job->step = 0;
    job->runs++;
    return ROOT_DONE;
}

/* The machine reports the VPs of its own VMs alone. */
static void on_vp_added(void *context, struct hv_vp *vp)
{
    struct machine *m = context;

    pc_report_add_vp(m->report, "vm", vp->index, &vp->counters);
}

void root_host_create(struct root_host *host,
                      const struct script_config *config)
{
    *host = (struct root_host){0};
    script_host_create(&host->script, config);
    host->machine = host->script.machine;
    host->root = host->machine->root;
    if (config->vm_count == 0)
        host->machine->hv->host.vp_added = on_vp_added;
}

void root_host_run(struct root_host *host)
{
    if (script_host_run(&host->script) == SIM_OK)
        return;
    fprintf(stderr, "%s\n", host->script.error.message);
    abort();
}

void root_host_destroy(struct root_host *host)
{
    script_host_destroy(&host->script);
}

struct root_job root_job(char letter, unsigned steps, enum cost_kind pay,
                         root_job_fn *body, void *context)
{
    return (struct root_job){.letter = letter,
                             .steps = steps,
                             .pay = pay,
                             .body = body,
                             .context = context};
}

void root_host_add(struct root_host *host, struct root_job *job)
{
    job->host = host;
    job->work =
        (struct root_work){.name = "job", .step = step_job, .context = job};
}

void root_host_wake(struct root_host *host, struct root_job *job)
{
    struct hv_context context =
        vp_event_context(host->machine->hv->root->vps[0], cycles(0));

    root_wake_thread(host->root, &context, &job->work);
}

void root_job_wake(struct root_job *job, struct hv_context *context)
{
    root_wake_thread(job->host->root, context, &job->work);
}

void root_job_queue(struct root_job *dpc, struct hv_context *context)
{
    root_queue_dpc(dpc->host->root, context, &dpc->work);
}
