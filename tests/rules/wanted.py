# SPDX-License-Identifier: GPL-2.0-or-later
"""What has to have a test, and which test that is.

A test is a case of an in-guest test (`synic.masked`) or of a unit test
(`test_synic/the_largest_message_fits`).
"""

# The rules that implementers get wrong, by the numbers that their tests have in
# their names, `rule_NN`: workloads/hvtests/rule.def, test_rules_*.c in
# tests/hypervisor and tests/vmbus, and DEVICES below.
RULES = range(1, 41)

# The in-guest tests (tests/guests/guest_tests.py) whose cases are named below.
GUESTS = (
    "rules",
    "synic",
    "timers",
    "timers_withheld",
    "clocks",
    "assist",
    "interface",
    "enlightenments",
    "classes",
    "exceptions",
)

# What the interface says of the SynIC, the timers and clocks, the assist page.
INTERFACE = {
    "a slot holds type, size, flags, origin and payload": (
        "synic.message_of_a_timer",
        "test_synic/the_largest_message_fits",
    ),
    "a slot is free if its type is 0, and never overwritten otherwise": (
        "rule_18.a_slot_is_free_by_its_type_alone",
    ),
    "16 slots, one for each SINT": (
        "synic.slots",
        "test_synic/slots_of_different_sints_are_independent",
    ),
    "an event flag interrupts when it rises": (
        "test_rules_ports/rule_22_a_flag_interrupts_when_it_rises",
    ),
    "without SCONTROL messages wait": ("synic.off",),
    "without SCONTROL events are refused": (
        "test_rules_ports/rule_17_who_cannot_hear_is_no_unknown_connection",
    ),
    "a masked SINT loses the interrupt for good, not the message": (
        "rule_21.a_masked_sint_loses_the_interrupt_alone",
    ),
    "auto-EOI: delivered and ended at once": (
        "synic.auto_eoi",
        "test_lapic/an_auto_eoi_vector_is_never_in_service",
    ),
    "polling: no interrupt, and no vector needed": ("synic.polled",),
    "SINT 0 is the hypervisor's: no timer": (
        "timers.no_target",
        "test_stimer/auto_enable_does_not_lift_the_ban_of_sint_0",
    ),
    "SINT 0 is the hypervisor's: no port": ("test_hc_port/ports_are_checked",),
    "SINT 2 is shared by VMBus and timers": (
        "test_rules_ports/rule_23_timers_and_ports_share_a_slot",
    ),
    "a message for a free slot interrupts, its pending flag clear": (
        "synic.message_of_a_timer",
    ),
    "a message for a busy slot is queued, flagged, and silent": (
        "test_rules_ports/rule_19_a_busy_slot_queues_in_silence",
    ),
    "16 messages may wait": (
        "test_hc_port/a_port_has_sixteen_buffers",
        "test_rules_ports/rule_16_a_bad_message_is_a_bad_parameter",
    ),
    "EOM, EOI and another message each look at the queue": (
        "rule_20.every_chance_is_taken_to_deliver",
    ),
    "the pending flag is set while more waits, and only then": ("synic.contention",),
    "a forgotten EOM is made up for": ("synic.forgotten_eom",),
    "without the page what waits goes on waiting": ("synic.page_disabled",),
    "several sources contend for a slot, and none loses": (
        "synic.contention",
        "test_stimer/two_timers_share_a_slot",
    ),
    "EOM takes anything and reads 0": ("synic.eom",),
    "events are signalled by registers alone": (
        "test_hc_port/an_event_can_be_signalled_by_registers_alone",
    ),
    "an unknown connection is told from an unknown call": (
        "enlightenments.no_connection",
    ),
    "one shot: at its time, once, then disabled": ("timers.one_shot",),
    "one shot: a time that is past is now": ("timers.past",),
    "periodic: the first after one period, and no drift": (
        "timers.periodic",
        "test_stimer/a_periodic_timer_keeps_its_pace_without_drift",
    ),
    "periodic: what was missed is made up for": ("synic.catch_up",),
    "periodic and lazy: what was missed is left out": ("synic.lazy",),
    "COUNT enables where auto-enable says so": ("timers.enable_first",),
    "COUNT of 0 stops and disables": ("timers.cancel", "synic.zero_count"),
    "CONFIG while COUNT is 0 does not fire": (
        "rule_24.a_timer_without_a_count_waits",
        "timers.enable_first",
    ),
    "direct mode needs to be offered": ("timers_withheld/timers.direct_refused",),
    "reserved bits of CONFIG are refused": ("timers.reserved",),
    "a timer's message says when it was due and when it was placed": (
        "rule_25.an_expiry_waits_and_is_not_lost",
    ),
    "direct mode interrupts and writes no message": (
        "rule_25.an_expiry_waits_and_is_not_lost",
        "timers.wakes",
    ),
    "the reference counter: 10 MHz, monotonic for all processors": (
        "clocks.monotonic",
        "interface.reference_time",
        "interface.frequencies",
    ),
    "the TSC page: scale and offset": ("clocks.page_formula",),
    "the TSC page: neither sequence 0 nor all ones": (
        "rule_07.the_tsc_page_register_reads_back",
    ),
    "the TSC page and the counter agree, on every processor": (
        "rule_08.the_counter_lies_between_two_looks",
    ),
    "the TSC page is an overlay": ("clocks.page_moves", "interface.read_only_pages"),
    "the TSC is invariant once one has asked, for all": ("clocks.invariant",),
    "frequencies are exact": ("interface.frequencies",),
    "run time is what a processor has run": ("clocks.runtime",),
    "an idle guest wakes with interrupts disabled": (
        "rule_09.an_idle_guest_wakes_with_interrupts_off",
    ),
    "EOI assist: an edge, alone in service": ("assist.left_out",),
    "EOI assist: an EOI that is written all the same": ("assist.written",),
    "EOI assist: not with another one in service": ("assist.nested",),
    "EOI assist: not while one waits for the EOI": ("assist.waiting",),
    "EOI assist: not for a level": ("assist.level",),
    "the assist page begins anew when it is enabled, and only then": (
        "rule_06.pages_appear_zeroed",
    ),
    "a crash's parameters are kept, and what can be reported is told": (
        "enlightenments.crash_registers",
        "test_msr/a_crash_report_is_kept",
    ),
    "EOI, ICR and TPR are the APIC's": ("assist.registers", "interface.apic_msrs"),
}

# Every class of exception that processors have and this machine raises.
EXCEPTIONS = {
    "#DE, division": ("classes.de",),
    "#DB, single step and general detect": ("classes.db", "exceptions.single_step"),
    "NMI": ("classes.nmi", "exceptions.nmi"),
    "#BP": ("classes.bp",),
    "#OF": ("classes.of",),
    "#BR": ("classes.br",),
    "#UD": ("classes.ud",),
    "#NM": ("classes.nm",),
    "#DF": ("classes.df", "exceptions.double_fault"),
    "#TS": ("classes.ts",),
    "#NP": ("classes.np",),
    "#SS": ("classes.ss",),
    "#GP": ("classes.gp",),
    "#PF": ("classes.pf",),
    "#MF, the x87's": ("classes.mf",),
    "#AC, and where there is none": ("classes.ac",),
    "#XM, and where there is none": ("classes.xm",),
    "INT n, and who may": ("classes.int_n",),
}

# What the devices on VMBus owe their drivers.
DEVICES = {
    "storage: an answer is one that Linux takes": (
        "test_rules_storvsp/rule_37_an_answer_has_64_bytes",
        "test_rules_storvsp/rule_37_every_answer_completes_under_its_id",
        "test_rules_storvsp/rule_37_only_a_change_of_the_bus_has_no_id",
    ),
    "integration services: requests and answers are packets": (
        "test_ic/rule_39_a_request_is_marked_as_one",
        "test_ic/rule_39_answers_are_in_band_and_not_completions",
    ),
    "integration services: no version in common": (
        "test_ic/rule_39_counts_of_none_mean_failure",
    ),
}

TABLES = (INTERFACE, EXCEPTIONS, DEVICES)
