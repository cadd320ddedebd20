/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who a policy says may follow on an LP (sched_choice.next): nothing depends on
 * it but what a dispatch costs the host, so nothing else would tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/hypervisor/sched_host.h"

#define VMS 9
#define LPS 2
/* It may be the one after the next, of any LP's. */
#define NEXT_KEPT (2 * LPS)

static const struct sched_plan always_busy = {0};

/* The policy of the test that runs, and what it has said. */
static struct watch {
    const struct hv_sched_ops *ops;
    const struct hv_vp *next[NEXT_KEPT];
    unsigned choices, foretold;
} watch;

static bool was_foretold(const struct hv_vp *vp)
{
    for (unsigned i = 0; i < NEXT_KEPT; i++) {
        if (watch.next[i] == vp)
            return true;
    }
    return false;
}

static struct sched_choice watch_pick(struct hv_sched *sched, struct hv_lp *lp,
                                      cycles_t now)
{
    struct sched_choice choice = watch.ops->pick(sched, lp, now);

    if (!choice.vp)
        return choice;
    watch.foretold += was_foretold(choice.vp);
    watch.next[watch.choices++ % NEXT_KEPT] = choice.next;
    if (choice.next)
        assert_int_equal(choice.next->state, VP_READY);
    return choice;
}

static void most_choices_are_foretold(void **state)
{
    (void)state;
    for (unsigned p = 0; sched_by_index(p); p++) {
        struct sched_host_config config = {
            .policy = sched_by_index(p)->name,
            .lps_per_node = LPS,
            .threads_per_core = 2,
        };
        struct hv_sched_ops watched = *sched_by_index(p);
        struct sched_host host;

        sched_host_create(&host, &config);
        watch = (struct watch){.ops = host.sched->ops};
        watched.pick = watch_pick;
        host.sched->ops = &watched;
        for (unsigned i = 0; i < VMS; i++)
            sched_host_vm(&host, 100, always_busy);
        sched_host_run_until(&host, sched_ms(1000));
        assert_true(watch.choices >= 50);
        if (watch.foretold * 10 < watch.choices * 8)
            fail_msg("%s: %u of %u", config.policy, watch.foretold,
                     watch.choices);
        host.sched->ops = watch.ops;
        sched_host_destroy(&host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(most_choices_are_foretold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
