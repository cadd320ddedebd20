#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks that the counters tell the truth about real guest code.

usage: check_counters.py HVSIM

A guest of which every instruction is known is made here, byte by byte, so that
its numbers of intercepts are known; and each counter there is must be moved by
one of a few runs, because one that always shows zero looks like a measurement.
"""
import os
import pathlib
import sqlite3
import struct
import subprocess
import sys
import tempfile
import unittest

HVSIM = pathlib.Path(sys.argv[1]).resolve()
DEADLINE_S = 60  # host time; reached only by a failure

LOAD_AT = 0x100000

LP = "Hyper-V Hypervisor Logical Processor"
VP = "Hyper-V Hypervisor Virtual Processor"
ROOT_VP = "Hyper-V Hypervisor Root Virtual Processor"

# 32-bit code, as a multiboot guest starts.
CPUID = b"\x31\xc0\x0f\xa2"                                 # leaf 0
RDMSR = b"\xb9\x20\x00\x00\x40\x0f\x32"                     # TIME_REF_COUNT
WRMSR = b"\xb9\x00\x00\x00\x40\xb8\x01\x00\x00\x00\x31\xd2\x0f\x30"
IN_80 = b"\xe4\x80"
OUT_COM1 = b"\x66\xba\xf8\x03\xb0x\xee"
HLT_FOR_EVER = b"\xf4\xeb\xfd"
BUSY_FOR_EVER = b"\xeb\xfe"
TOUCH_NOTHING = b"\xa1\x00\x00\x00\xc0"                     # a read at 3 GiB


def apic_read(register):
    return b"\xa1" + struct.pack("<I", 0xFEE00000 + register)


def apic_write(register, value):
    return b"\xc7\x05" + struct.pack("<II", 0xFEE00000 + register, value)


def hypercall(code):
    """Fast: EDX:EAX is the control word, EBX:ECX the input."""
    return (b"\x31\xd2\x31\xdb\xb8" + struct.pack("<I", 1 << 16 | code) +
            b"\xb9\xe8\x03\x00\x00\x0f\x01\xd9")


# How often, what, and which counters each one moves.
KNOWN = (
    (7, CPUID, ("CPUID Instructions/sec",)),
    (5, RDMSR, ("MSR Accesses/sec",)),
    (11, WRMSR, ("MSR Accesses/sec",)),
    (3, IN_80, ("IO Instructions/sec",)),
    (4, OUT_COM1, ("IO Instructions/sec", "IO Intercept Messages/sec",
                   "Total Messages/sec")),
    (6, hypercall(0x0008), ("Hypercalls/sec",
                            "Long Spin Wait Hypercalls/sec")),
    (2, hypercall(0x7777), ("Hypercalls/sec", "Other Hypercalls/sec")),
    (1, hypercall(0x0094), ("Hypercalls/sec",
                            "Virtual Interrupt Hypercalls/sec")),
    (13, apic_read(0x20), ("APIC MMIO Accesses/sec",)),
    (3, apic_write(0x80, 0), ("APIC MMIO Accesses/sec",
                              "APIC TPR Accesses/sec")),
    (1, apic_write(0xF0, 0x1FF), ("APIC MMIO Accesses/sec",)),
    # To itself, which with interrupts off takes none.
    (2, apic_write(0x300, 0x40050), ("APIC MMIO Accesses/sec",
                                     "APIC IPIs Sent/sec",
                                     "APIC Self IPIs Sent/sec")),
    # Memory that is not there: the second level refuses, the parent answers.
    (9, TOUCH_NOTHING, ("Nested Page Fault Intercepts/sec",
                        "Memory Intercept Messages/sec",
                        "Total Messages/sec")),
    (1, HLT_FOR_EVER, ("HLT Instructions/sec",)),
)

ZERO = ("Control Register Accesses/sec", "Pending Interrupts/sec",
        "Other Intercepts/sec", "Guest Page Faults/sec", "Other Messages/sec",
        "APIC EOI Accesses/sec", "Synthetic Interrupts/sec",
        "Virtual Interrupts/sec", "GPA Space Hypercalls/sec",
        "Virtual Processor Hypercalls/sec", "Deposit Hypercalls/sec",
        "Logical Processor Migrations/sec")

CLASSES = ("Hypercalls", "Control Register Accesses", "IO Instructions",
           "HLT Instructions", "CPUID Instructions", "MSR Accesses",
           "External Interrupts", "Pending Interrupts",
           "Nested Page Fault Intercepts", "Other Intercepts")


def code_of(known):
    return b"".join(count * what for count, what, _ in known)


# The same things in a loop, by a guest with page tables and interrupts of its
# own: what a table above holds lies in a page of its own behind the code.
LOOPS = 1000
GDT_AT, IDT_AT, DIRECTORY_AT, STACK_END = 0x101000, 0x102000, 0x103000, 0x200000
POINTERS_AT, FAULT_AT, INTERRUPT_AT = 0x101800, 0x101900, 0x101A00
VECTOR_PF, VECTOR_INTERRUPT = 14, 0x50
NOT_MAPPED = 0x400000


def gates():
    """An IDT with a gate for the page fault and one for the interrupt."""
    table = bytearray(8 * 256)
    for vector, at in ((VECTOR_PF, FAULT_AT), (VECTOR_INTERRUPT, INTERRUPT_AT)):
        struct.pack_into("<HHHH", table, 8 * vector, at & 0xFFFF, 8, 0x8E00,
                         at >> 16)
    return bytes(table)


def directory():
    """4 MiB pages that map the code, 3 GiB and the APIC to themselves."""
    table = bytearray(4096)
    for page in (0, 0xC0000000, 0xFEC00000):
        struct.pack_into("<I", table, page >> 22 << 2, page | 0x83)
    return bytes(table)


SET_UP = b"".join((
    b"\x0f\x01\x15" + struct.pack("<I", POINTERS_AT),         # lgdt
    b"\xea" + struct.pack("<IH", LOAD_AT + 32 + 14, 8),        # ljmp
    b"\x0f\x01\x1d" + struct.pack("<I", POINTERS_AT + 8),     # lidt
    b"\xbc" + struct.pack("<I", STACK_END),                    # mov $, %esp
    b"\x0f\x20\xe0\x0c\x10\x0f\x22\xe0",                      # CR4.PSE
    b"\xb8" + struct.pack("<I", DIRECTORY_AT) + b"\x0f\x22\xd8",
    b"\x0f\x20\xc0\x0d\x00\x00\x00\x80\x0f\x22\xc0",         # CR0.PG
    apic_write(0xF0, 0x1FF),
    b"\xbe" + struct.pack("<I", LOOPS),                        # mov $, %esi
))
FAULT = b"\xa1" + struct.pack("<I", NOT_MAPPED)                # mov it, %eax
SKIP_FAULT = b"\x83\x44\x24\x04\x05\x83\xc4\x04\xcf"          # the handler
END_INTERRUPT = apic_write(0xB0, 0) + b"\xcf"                  # likewise
# An interrupt that is pending when the guest halts, and so wakes it at once.
HALT = apic_write(0x300, 0x40000 | VECTOR_INTERRUPT) + b"\xfb\xf4\xfa"

BODY = (
    (1, CPUID, ("CPUID Instructions/sec",)),
    (2, WRMSR, ("MSR Accesses/sec",)),
    (3, IN_80, ("IO Instructions/sec",)),
    (2, FAULT, ("Guest Page Faults/sec",)),
    (1, TOUCH_NOTHING, ("Nested Page Fault Intercepts/sec",
                        "Memory Intercept Messages/sec")),
    (1, hypercall(0x0008), ("Hypercalls/sec",
                            "Long Spin Wait Hypercalls/sec")),
    (2, HALT, ("HLT Instructions/sec", "Virtual Interrupts/sec",
               "APIC IPIs Sent/sec", "APIC Self IPIs Sent/sec",
               "APIC EOI Accesses/sec")),
)


def loop_image():
    """The image of the guest that does all of BODY in a loop."""
    body = code_of(BODY) + b"\x4e"                              # dec %esi
    back = b"\x0f\x85" + struct.pack("<i", -(len(body) + 6))    # jnz
    parts = {
        LOAD_AT + 32: SET_UP + body + back + HLT_FOR_EVER,
        GDT_AT: struct.pack("<3Q", 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF),
        POINTERS_AT: struct.pack("<HIxxHI", 23, GDT_AT, 2047, IDT_AT),
        FAULT_AT: SKIP_FAULT,
        INTERRUPT_AT: END_INTERRUPT,
        IDT_AT: gates(),
        DIRECTORY_AT: directory(),
    }
    code = b""
    for at, part in parts.items():
        code = code.ljust(at - LOAD_AT - 32, b"\0") + part
    return image(code)


def image(code):
    """A multiboot image that is this code."""
    magic, flags = 0x1BADB002, 1 << 16
    header = struct.pack("<8I", magic, flags, -(magic + flags) & 0xFFFFFFFF,
                         LOAD_AT, LOAD_AT, 0, 0, LOAD_AT + 32)
    return header + code


class Counters(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def run_scenario(self, duration, nodes, vms, env=None, timing="table",
                     root_vps=1, policy="round-robin", group=False):
        """Returns (simulated seconds, {(object, instance, counter): value},
        exit code)."""
        text = (f"hvsim: 1\nname: c\nduration: {duration}\n"
                f"host: {{nodes: [{', '.join(nodes)}]}}\n"
                f"root: {{vps: {root_vps}, memory: 128MiB}}\n"
                f"hypervisor: {{timing: {timing}, scheduler: {policy}}}\n")
        text += "groups: [{name: half, cap: 50%}]\n" if group else ""
        text += "vms:\n" if vms else "vms: []\n"
        for name, vps, workload in vms:
            text += (f"  - {{name: {name}, vps: {vps}, memory: 64MiB,"
                     f"{' group: half,' if group else ''}"
                     f" guest: {{workload: {workload}}}}}\n")
        (self.path / "c.yaml").write_text(text)
        done = subprocess.run(
            [HVSIM, "run", "c.yaml", "--quiet", "--force", "-o", "c.db"],
            cwd=self.path, env={**os.environ, **(env or {})}, check=False,
            timeout=DEADLINE_S, capture_output=True, text=True)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        db = sqlite3.connect(self.path / "c.db")
        try:
            (ns,), = db.execute("SELECT sim_ns FROM run")
            rows = db.execute("SELECT object, instance, counter, value"
                              " FROM perf_total").fetchall()
        finally:
            db.close()
        return (ns / 1e9, {row[:3]: row[3] for row in rows}, done.returncode)

    def run_codes(self, duration, nodes, policy="round-robin", **codes):
        """The same for guests of one VP that are nothing but code."""
        for name, code in codes.items():
            (self.path / name).write_bytes(image(code))
        return self.run_scenario(
            duration, nodes, [(name, 1, name) for name in codes],
            {"HVSIM_WORKLOADS": str(self.path)}, policy=policy)

    def run_loop(self):
        """The same for the guest of loop_image()."""
        (self.path / "loop").write_bytes(loop_image())
        return self.run_scenario(
            "1s", ["{lps: 2, memory: 1GiB}"], [("loop", 1, "loop")],
            {"HVSIM_WORKLOADS": str(self.path)})

    def test_each_intercept_of_a_known_guest_is_counted_once(self):
        seconds, values, code = self.run_codes(
            "20ms", ["{lps: 2, memory: 1GiB}"],
            known=code_of(KNOWN))
        self.assertEqual(code, 0)
        expected = dict.fromkeys(ZERO, 0)
        for count, _, counters in KNOWN:
            for counter in counters:
                expected[counter] = expected.get(counter, 0) + count
        for counter, count in expected.items():
            with self.subTest(counter):
                self.assertAlmostEqual(
                    values[VP, "known:Hv VP 0", counter] * seconds, count, 6)

    def test_a_loop_of_everything_shows_exactly_its_numbers(self):
        seconds, values, code = self.run_loop()
        self.assertEqual(code, 0)
        for count, _, counters in BODY:
            for counter in counters:
                # It ends by one HLT more.
                expected = LOOPS * count + (counter == "HLT Instructions/sec")
                with self.subTest(counter):
                    self.assertAlmostEqual(
                        values[VP, "loop:Hv VP 0", counter] * seconds,
                        expected, 6)

    def test_the_classes_make_up_the_total(self):
        # Accesses to the APIC's page are no intercepts, but take their time.
        known = [k for k in KNOWN if "APIC MMIO Accesses/sec" not in k[2]]
        seconds, values, _ = self.run_codes(
            "20ms", ["{lps: 2, memory: 1GiB}"], known=code_of(known))
        of = {c: v for (o, i, c), v in values.items()
              if (o, i) == (VP, "known:Hv VP 0")}
        total = of["Total Intercepts/sec"] * seconds
        counts = {c: of[c + "/sec"] * seconds for c in CLASSES}
        self.assertAlmostEqual(sum(counts.values()), total, 6)
        self.assertAlmostEqual(
            sum(counts[c] * of[c + " Cost"] for c in CLASSES),
            total * of["Total Intercepts Cost"], 3)
        # All else that the hypervisor did for this VP, which met no interrupt,
        # was to dispatch it: by a decision and an entry each, and a switch
        # unless it was the last to run there.
        rest = (of["% Hypervisor Run Time"] / 100 * seconds -
                total * of["Total Intercepts Cost"] / 1e9)
        dispatches = of["Logical Processor Dispatches/sec"] * seconds
        switches = (rest - dispatches * 650e-9) / 1250e-9
        self.assertEqual(of["Logical Processor Migrations/sec"], 0)
        self.assertAlmostEqual(switches, round(switches), 6)
        self.assertTrue(1 <= round(switches) <= round(dispatches))

    def test_guest_hypervisor_and_idle_make_up_each_lp(self):
        for duration in ("1ms", "20ms", "333333us"):
            _, values, _ = self.run_codes(
                duration, ["{lps: 3, memory: 1GiB}"], busy=BUSY_FOR_EVER,
                sleeps=HLT_FOR_EVER)
            for lp in range(3):
                shares = [values[LP, f"Hv LP {lp}", counter] for counter in
                          ("% Guest Run Time", "% Hypervisor Run Time",
                           "% Idle Time")]
                self.assertAlmostEqual(sum(shares), 100, 9)

    def test_a_busy_guest_is_busy_whatever_the_prices(self):
        for timing in ("null", "unit", "table"):
            _, values, code = self.run_scenario(
                "20ms", ["{lps: 2, memory: 1GiB}"],
                [("busy", 1, "heavy-load")], timing=timing)
            self.assertEqual(code, 0)
            self.assertGreater(values[VP, "busy:Hv VP 0", "% Guest Run Time"],
                               50, timing)

    def test_the_lps_of_root_vps_have_their_index(self):
        nodes = ["{lps: 3, memory: 1GiB}"] * 2
        for root_vps, wanted in ((4, [0, 1, -1, 2, 3, -1]),
                                 (1, [0, -1, -1, -1, -1, -1])):
            _, values, code = self.run_scenario("5ms", nodes, [],
                                                root_vps=root_vps)
            self.assertEqual(code, 0)
            self.assertEqual([values[LP, f"Hv LP {i}", "Root Vp Index"]
                              for i in range(6)], wanted)
            self.assertAlmostEqual(values[LP, "_Total", "Root Vp Index"],
                                   sum(wanted) / 6)

    def test_the_run_lists_hold_who_waits(self):
        for policy in ("round-robin", "classic", "credit"):
            _, values, code = self.run_codes(
                "47ms", ["{lps: 2, memory: 1GiB}"], policy=policy,
                **{f"vm{i}": BUSY_FOR_EVER for i in range(5)})
            self.assertEqual(code, 0)
            lists = [values[LP, f"Hv LP {i}", "Scheduler Local Run List Size"]
                     for i in range(2)]
            self.assertEqual(sum(lists), 3, policy)

    def test_every_counter_is_moved_by_some_run(self):
        moved, seen = set(), set()

        def note(values):
            for (kind, _, counter), value in values.items():
                # The root's counters are the VMs' counters.
                kind = VP if kind == ROOT_VP else kind
                seen.add((kind, counter))
                if value != 0:
                    moved.add((kind, counter))

        two_nodes = ["{lps: 1, memory: 1GiB}", "{lps: 1, memory: 1GiB}"]
        # Memory that is not there is an empty bus: it reads ones.
        _, values, code = self.run_codes(
            "100ms", two_nodes, known=code_of(KNOWN), nowhere=TOUCH_NOTHING,
            one=BUSY_FOR_EVER, two=BUSY_FOR_EVER, three=BUSY_FOR_EVER)
        self.assertEqual(code, 0)
        note(values)
        note(self.run_loop()[1])
        for workload, vps in (("hvtest-apic", 3), ("hvtest-timers", 1),
                              ("hvtest-hypercalls", 1), ("threads", 2),
                              ("selftest-triple", 1)):
            note(self.run_scenario("200ms", two_nodes,
                                   [("guest", vps, workload)])[1])
        note(self.run_scenario("20ms", two_nodes, [("guest", 1, "threads")],
                               group=True)[1])
        # Nodes that have room for two and a half such VMs each.
        small_nodes = ["{lps: 1, memory: 256MiB}"] * 2
        note(self.run_scenario("100ms", small_nodes,
                               [(f"vm{i}", 1, "tick-idle")
                                for i in range(5)])[1])
        self.assertEqual(sorted(seen - moved), [])
        self.assertGreater(len(seen), 50)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
