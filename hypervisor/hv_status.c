/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/hv_status.h"

#include <stddef.h>

static const struct {
    enum hv_status value;
    const char *name;
    const char *text;
} statuses[] = {
#define HV_STATUS(name, value, text) {value, "HV_STATUS_" #name, text},
#include "hypervisor/hv_status.def"
#undef HV_STATUS
};

#define STATUS_COUNT (sizeof(statuses) / sizeof(statuses[0]))

const char *hv_status_name(enum hv_status status)
{
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        if (statuses[i].value == status)
            return statuses[i].name;
    }
    return "HV_STATUS_UNKNOWN";
}

const char *hv_status_text(enum hv_status status)
{
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        if (statuses[i].value == status)
            return statuses[i].text;
    }
    return "a status that this hypervisor does not give";
}
