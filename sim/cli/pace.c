/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/cli/pace.h"

void pace_start(struct pace *pace, uint64_t sim_ns, uint64_t host_ns)
{
    *pace = (struct pace){.sim_ns = sim_ns, .host_ns = host_ns};
}

uint64_t pace_limit(struct pace *pace, uint64_t sim_ns, uint64_t host_ns)
{
    uint64_t limit_ns = pace->sim_ns + (host_ns - pace->host_ns);

    if (limit_ns > sim_ns + PACE_CATCH_UP_NS) {
        limit_ns = sim_ns + PACE_CATCH_UP_NS;
        pace_start(pace, limit_ns, host_ns);
    }
    return limit_ns;
}
