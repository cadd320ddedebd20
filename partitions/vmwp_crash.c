/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * A guest's report of its own crash (TLFS, "Guest Crash Enlightenment"): five
 * parameters whose meaning is the guest's, or three and a message in its
 * memory. All of it is the guest's word: the message is read as far as there
 * is memory, and shown in printable ASCII.
 */
#include <inttypes.h>
#include <stdio.h>

#include "hypervisor/hypercall_abi.h"
#include "hypervisor/vp_registers.h"
#include "partitions/vmwp_private.h"

#define CRASH_HAS_MESSAGE (UINT64_C(1) << 62)
#define PARAMETERS 5
#define PARAMETERS_BESIDE_MESSAGE 3
#define MESSAGE_GPA 3
#define MESSAGE_BYTES 4
#define READS_PER_STEP 16

static bool get_parameters(struct vmwp_vp *vp, struct hv_context *context)
{
    struct vmwp_crash *crash = &vp->vmwp->crash;
    struct winhv_register r[PARAMETERS] = {{0}};

    for (uint32_t i = 0; i < PARAMETERS; i++)
        r[i].name = HV_REGISTER_CRASH_P0 + i;
    if (winhv_get_registers(vp->vmwp->winhv, context, vp->vmwp->partition,
                            vp->index, r, PARAMETERS) != HV_STATUS_SUCCESS)
        return false;
    for (uint32_t i = 0; i < PARAMETERS; i++)
        crash->parameters[i] = r[i].value[0];
    return true;
}

bool vmwp_crash_begin(struct vmwp_vp *vp, struct hv_context *context)
{
    struct vmwp_crash *crash = &vp->vmwp->crash;
    uint64_t control = vmwp_field(vp, VMWP_MSR_RDX, 4) << 32;

    if (crash->reporter)
        return false;
    *crash = (struct vmwp_crash){.reporter = vp};
    if (!get_parameters(vp, context) || !(control & CRASH_HAS_MESSAGE))
        return true;
    crash->has_message = true;
    crash->bytes_wanted = VMWP_CRASH_TEXT_BYTES_MAX;
    if (crash->parameters[MESSAGE_BYTES] < crash->bytes_wanted)
        crash->bytes_wanted = (uint32_t)crash->parameters[MESSAGE_BYTES];
    return true;
}

/* Reads on; false at the end of the message or of the memory it lies in. */
static bool read_some(struct vmwp_vp *vp, struct hv_context *context)
{
    struct vmwp_crash *crash = &vp->vmwp->crash;
    uint64_t at = crash->parameters[MESSAGE_GPA] + crash->bytes_read;
    uint64_t bytes = crash->bytes_wanted - crash->bytes_read;
    uint64_t on_page = PAGE_BYTES - (at & PAGE_MASK);

    if (bytes > HV_ACCESS_GPA_BYTES_MAX)
        bytes = HV_ACCESS_GPA_BYTES_MAX;
    if (bytes > on_page)
        bytes = on_page;
    if (bytes == 0 ||
        !winhv_access_gpa(vp->vmwp->winhv, context, vp->vmwp->partition,
                          vp->index, gpa(at), false,
                          crash->text + crash->bytes_read, (uint32_t)bytes))
        return false;
    crash->bytes_read += (uint32_t)bytes;
    return true;
}

bool vmwp_crash_step(struct vmwp_vp *vp, struct hv_context *context)
{
    for (unsigned i = 0; i < READS_PER_STEP; i++) {
        if (!read_some(vp, context))
            return false;
    }
    return true;
}

/* What a terminal would act on, or not show, becomes '?'. */
static void make_printable(char *text)
{
    for (; *text; text++) {
        if ((*text < ' ' || *text > '~') && *text != '\n')
            *text = '?';
    }
}

/* The line of the text that says most: Linux's last words are a call trace,
 * and what it panicked of stands before them. */
static const char *find_headline(const char *text, int *bytes)
{
    const char *headline = text;

    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");

        if (length > 0)
            headline = line;
        if (memmem(line, length, "panic", strlen("panic")))
            break;
        line += length + (line[length] == '\n');
    }
    *bytes = (int)strcspn(headline, "\n");
    return headline;
}

const char *vmwp_crash_end(struct vmwp *vmwp)
{
    struct vmwp_crash *crash = &vmwp->crash;
    uint32_t count =
        crash->has_message ? PARAMETERS_BESIDE_MESSAGE : PARAMETERS;
    size_t room = sizeof(crash->why);
    int used = snprintf(crash->why, room, "its guest reports a crash: %s",
                        "parameters");

    for (uint32_t i = 0; i < count; i++)
        used +=
            snprintf(crash->why + used, room - (size_t)used, "%s 0x%" PRIx64,
                     i > 0 ? "," : "", crash->parameters[i]);
    if (!crash->has_message)
        return crash->why;

    int bytes;
    const char *headline;

    crash->text[crash->bytes_read] = '\0';
    make_printable(crash->text);
    headline = find_headline(crash->text, &bytes);
    if (bytes > 0)
        snprintf(crash->why + used, room - (size_t)used, "; it says: %.*s",
                 bytes, headline);
    else
        snprintf(crash->why + used, room - (size_t)used,
                 "; its message of %" PRIu64 " bytes at 0x%" PRIx64
                 " cannot be read",
                 crash->parameters[MESSAGE_BYTES],
                 crash->parameters[MESSAGE_GPA]);
    return crash->why;
}
