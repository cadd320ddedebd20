# SPDX-License-Identifier: GPL-2.0-or-later
"""The attacks: what each one needs, and how its machine ends."""

from dataclasses import dataclass, field

# How a machine ends: what its guest reports, or what the run says of it.
SURVIVES = "survived"
TRIPLE_FAULT = "triple fault"
NOT_THERE = "access to guest physical memory that is not there"
RUNS_ON = "runs on"  # until the scenario's time is over


@dataclass(frozen=True)
class Attack:
    end: str = SURVIVES
    vps: int = 1
    args: dict = field(default_factory=dict)
    duration: str = "2s"


XAPIC = {"apic": "xapic"}
SHORT = "100ms"

ATTACKS = {
    "cr3-zero": Attack(TRIPLE_FAULT),
    "cr3-last": Attack(TRIPLE_FAULT),
    "cr3-outside": Attack(NOT_THERE),
    "cr3-apic": Attack(NOT_THERE, args=XAPIC),
    "cr3-hypercall-page": Attack(TRIPLE_FAULT),
    "tables-recursive": Attack(),
    "tables-hypercall-page": Attack(),
    "tables-tsc-page": Attack(NOT_THERE),
    "tables-apic": Attack(NOT_THERE, args=XAPIC),
    "tables-outside": Attack(NOT_THERE),
    "tables-noise": Attack(),
    "execute-outside": Attack(NOT_THERE),
    "execute-apic": Attack(NOT_THERE, args=XAPIC),
    "execute-end": Attack(NOT_THERE),
    "execute-hypercall-page": Attack(),
    "idt-outside": Attack(NOT_THERE),
    "idt-apic": Attack(NOT_THERE, args=XAPIC),
    "idt-unmapped": Attack(TRIPLE_FAULT),
    "idt-not-canonical": Attack(TRIPLE_FAULT),
    "gdt-outside": Attack(NOT_THERE),
    "gdt-apic": Attack(NOT_THERE, args=XAPIC),
    "stack-outside": Attack(NOT_THERE),
    "stack-apic": Attack(NOT_THERE, args=XAPIC),
    "apic-page": Attack(args=XAPIC),
    "msrs": Attack(),
    "hypercalls": Attack(),
    "overlays": Attack(),
    "overlay-code": Attack(RUNS_ON, duration=SHORT),
    "overlay-tables": Attack(TRIPLE_FAULT),
    "overlay-apic": Attack(args=XAPIC),
    "overlay-last": Attack(),
    "overlay-parameters": Attack(),
    "synic": Attack(),
    "cpuid": Attack(),
    "ipis": Attack(vps=4),
    "ipis-broadcast": Attack(vps=4, args=XAPIC),
    "nmis": Attack(vps=4),
    "init-storm": Attack(vps=4),
    "init-self": Attack(NOT_THERE),
    "apic-timer": Attack(args=XAPIC),
    "synthetic-timers": Attack(),
    "timer-storm": Attack(RUNS_ON, duration=SHORT),
    "outs": Attack(RUNS_ON, duration=SHORT),
    "ins": Attack(RUNS_ON, duration=SHORT),
    "outs-interrupted": Attack(),
    "strings": Attack(),
    "ports": Attack(),
    "long-line": Attack(RUNS_ON, duration=SHORT),
    "empty-lines": Attack(args={"count": "5000"}),
    "noise": Attack(),
    "results": Attack(args={"count": "100"}),
    "done": Attack("done"),
    "flood": Attack(RUNS_ON, duration=SHORT),
    "reset-port": Attack(RUNS_ON, duration=SHORT),
    "reset-msr": Attack(RUNS_ON, duration=SHORT),
    "vmbus-flood": Attack(RUNS_ON, duration=SHORT),
    "vmbus-messages": Attack(),
    "vmbus-lending": Attack(),
    "vmbus-rings": Attack(),
    "vmbus-signals": Attack(RUNS_ON, duration=SHORT),
    "dense": Attack(),
    "long": Attack(),
    "self-writing": Attack(),
    "patched": Attack(vps=2),
    "single-step": Attack(),
    "breakpoints": Attack(),
    "floating-point": Attack(),
    "far-to-compatibility": Attack(),
    "cpuid-loop": Attack(RUNS_ON, duration=SHORT),
    "rdtsc-loop": Attack(RUNS_ON, duration="20ms"),
    "pause-loop": Attack(RUNS_ON, duration=SHORT),
    "jump-loop": Attack(RUNS_ON, duration="20ms"),
    "halt": Attack(RUNS_ON, duration="1h"),
    "fault-loop": Attack(RUNS_ON, duration="20ms"),
    "ud-loop": Attack(RUNS_ON, duration="20ms"),
}

# Guests whose results are what they are, whoever is on the host beside them.
VICTIMS = {
    "modes": ("selftest-modes", 1),
    "interface": ("hvtest-interface", 2),
    "hypercalls": ("hvtest-hypercalls", 1),
    "threads": ("threads", 2),
}
