#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds the scenarios of validation to one set of parameters.

usage: check_rows.py HVSIM FOLDER

A row that had prices or constants of a scheduler of its own would prove
nothing. Which machine it is, what runs there and which policy schedules it is
what a row is about; how much that costs, and how the policy is tuned, is the
same for all. Nor may rows that run one workload run it differently.
"""
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

HVSIM = pathlib.Path(sys.argv[1]).resolve()
FILES = sorted(pathlib.Path(sys.argv[2]).resolve().glob("*.yaml"))

PLAIN = """\
hvsim: 1
name: plain
vms: [{name: one, guest: {workload: tick-idle}}]
"""

# What a row may choose of the parts that hold prices and constants.
FREE_KEYS = {"hypervisor.scheduler", "host.nodes", "host.smt",
             "hypervisor.numa_spanning"}
# And what its runs may change of them.
FREE_CHANGES = {("host.profile", "native-2020")}
PARTS = ("host", "hypervisor")


def resolved(path):
    """The scenario's lines with every parameter filled in."""
    return subprocess.run([HVSIM, "check", "--resolved", path], text=True,
                          stdout=subprocess.PIPE, check=True,
                          timeout=60).stdout.splitlines()


def constants(path):
    """The scalars of the parts that hold prices and constants."""
    found = {}
    part = None
    for line in resolved(path):
        if not line.startswith(" "):
            part = line.rstrip(":")
        match = re.match(r"  ([a-z_]+): (.+)$", line)
        if part in PARTS and match:
            found[f"{part}.{match[1]}"] = match[2]
    return {key: value for key, value in found.items() if key not in FREE_KEYS}


def changes(path):
    """What the runs of the rows set."""
    depth = None
    for line in resolved(path):
        indent = len(line) - len(line.lstrip())
        if depth is not None and indent > depth:
            key, value = re.match(r' *"(.*)": "(.*)"$', line).groups()
            yield key, value
        else:
            depth = indent if line.strip() == "set:" else None


def arguments(path, workload):
    """What the workload of that name is told, in each VM that runs it."""
    text = "\n".join(resolved(path))
    for guest in re.findall(
            rf'workload: "{workload}"\n +args:\n((?: +"[^\n]*\n)*)', text):
        yield tuple(sorted(line.strip() for line in guest.splitlines()))


class Rows(unittest.TestCase):
    def test_there_are_rows(self):
        self.assertGreater(len(FILES), 8)

    def test_prices_and_constants_are_those_of_any_scenario(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as plain:
            plain.write(PLAIN)
            plain.flush()
            expected = constants(plain.name)
        self.assertIn("host.profile", expected)
        self.assertIn("host.frequency", expected)
        self.assertIn("hypervisor.timeslice", expected)
        for path in FILES:
            with self.subTest(path=path.name):
                self.assertEqual(constants(path), expected)

    def test_no_run_changes_them(self):
        seen = 0
        for path in FILES:
            for key, value in changes(path):
                seen += 1
                part = key.split(".")[0]
                with self.subTest(path=path.name, key=key):
                    self.assertTrue(
                        part not in PARTS or key in FREE_KEYS or
                        (key, value) in FREE_CHANGES)
        self.assertGreater(seen, 0)

    def test_the_benchmark_is_the_same_in_all_rows(self):
        told = {args for path in FILES
                for args in arguments(path, "contention")}
        self.assertEqual(len(told), 1, told)

    def test_each_file_is_named_after_its_row(self):
        for path in FILES:
            rows = re.findall(r"^  - row: (\d+)$", path.read_text(), re.M)
            with self.subTest(path=path.name):
                self.assertEqual([f"{int(row):02}" for row in rows],
                                 [path.name.split("-")[0]])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
