# SPDX-License-Identifier: GPL-2.0-or-later
"""The in-guest tests: which image runs with what, and what must come out."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class GuestTest:
    image: str
    vps: int = 1
    memory_mib: int = 256
    host_memory_gib: int = 4
    args: dict = field(default_factory=dict)
    # What the hypervisor withholds: {name: false}.
    enlightenments: dict = field(default_factory=dict)
    # Results that must be at least so large, besides the checks.
    at_least: dict = field(default_factory=dict)
    # The run must fail and say this, instead of succeeding.
    fails_with: str = ""
    # QEMU's TCG has what it needs; its known quirks are left out there.
    runs_on_qemu: bool = True
    # It compares durations: under QEMU, by a clock that counts instructions.
    is_timed: bool = False


GUEST_TESTS = {
    "faults": GuestTest(
        "selftest-faults",
        args={"faults": "100000"},
        at_least={"faults.kernel.count": 50000, "faults.user.count": 50000},
    ),
    "stale": GuestTest("selftest-stale", vps=2),
    "modes": GuestTest("selftest-modes"),
    "exceptions": GuestTest("selftest-exceptions", args={"quirks": "engine"}),
    "classes": GuestTest("selftest-classes", args={"quirks": "engine"}),
    "privilege": GuestTest("selftest-privilege"),
    "translation": GuestTest("selftest-translation"),
    "triple": GuestTest("selftest-triple", fails_with="triple fault"),
    "triple_stack": GuestTest(
        "selftest-triple", args={"cause": "stack"}, fails_with="triple fault"
    ),
    "extent": GuestTest("selftest-extent", vps=64, runs_on_qemu=False),
    "extent_64gib": GuestTest(
        "selftest-extent",
        memory_mib=65536,
        host_memory_gib=68,
        args={"high": "62464"},
        runs_on_qemu=False,
    ),
    "apic": GuestTest("hvtest-apic", vps=3, is_timed=True),
    "apic_xapic": GuestTest(
        "hvtest-apic", vps=3, args={"apic": "xapic"}, is_timed=True
    ),
    "interface": GuestTest("hvtest-interface", vps=2, runs_on_qemu=False),
    "interface_withheld": GuestTest(
        "hvtest-interface",
        vps=2,
        enlightenments={
            "vp_runtime": "false",
            "apic_msrs": "false",
            "synic": "false",
            "synthetic_timers": "false",
            "tsc_invariant": "false",
            "guest_idle": "false",
            "reset": "false",
        },
        runs_on_qemu=False,
    ),
    "timers": GuestTest("hvtest-timers", runs_on_qemu=False),
    "timers_withheld": GuestTest(
        "hvtest-timers",
        enlightenments={"direct_timers": "false"},
        runs_on_qemu=False,
    ),
    "clocks": GuestTest("hvtest-clocks", vps=2, runs_on_qemu=False),
    "assist": GuestTest("hvtest-assist", runs_on_qemu=False),
    "hypercalls": GuestTest("hvtest-hypercalls", runs_on_qemu=False),
    "synic": GuestTest("hvtest-synic", runs_on_qemu=False),
    "rules": GuestTest("hvtest-rules", vps=3, runs_on_qemu=False),
    "enlightenments": GuestTest(
        "hvtest-enlightenments", vps=3, runs_on_qemu=False
    ),
    "crash": GuestTest(
        "hvtest-enlightenments",
        args={"crash": "1"},
        fails_with="its guest reports a crash: parameters 0xc0, 0xc1, 0xc2",
        runs_on_qemu=False,
    ),
}


def failures(test, results):
    """What is wrong with the results {name: value} of a finished test."""
    found = [
        f"{name} is {value:g}"
        for name, value in results.items()
        if name.endswith(".wrong") and value != 0
    ]
    checks = [v for name, v in results.items() if name.endswith(".checks")]
    if not test.fails_with and (not checks or min(checks) < 1):
        found.append("a case checked nothing, or there was none")
    for name, least in test.at_least.items():
        if results.get(name, -1) < least:
            found.append(f"{name} is {results.get(name)}, not {least} or more")
    return found
