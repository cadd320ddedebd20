#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs one in-guest test under hvsim: run_guest.py HVSIM TEST.

Succeeds if the run ends as it should and every check of the guest was right.
"""

import pathlib
import sqlite3
import subprocess
import sys
import tempfile

from guest_tests import GUEST_TESTS, failures

SCENARIO = """\
hvsim: 1
name: {name}
duration: 10min
host: {{nodes: [{{lps: 4, memory: {host_memory}GiB}}]}}
root: {{vps: 1, memory: 512MiB}}
vms:
  - name: guest
    vps: {vps}
    memory: {memory}MiB
    enlightenments: {{{enlightenments}}}
    guest: {{workload: {image}, args: {{{args}}}}}
counters: {{interval: 1s}}
"""


def mapping(values):
    """The inside of a mapping, in YAML."""
    return ", ".join(f"{k}: {v}" for k, v in values.items())


def scenario_text(name, test):
    """The scenario, in YAML, of the test `name`."""
    return SCENARIO.format(
        name=name,
        vps=test.vps,
        memory=test.memory_mib,
        host_memory=test.host_memory_gib,
        image=test.image,
        args=mapping(test.args),
        enlightenments=mapping(test.enlightenments),
    )


def run(hvsim, name, folder):
    """Returns (exit code, messages, results) of the test `name`."""
    test = GUEST_TESTS[name]
    scenario = folder / "scenario.yaml"
    output = folder / "out.db"
    scenario.write_text(scenario_text(name, test))
    done = subprocess.run(
        [hvsim, "run", scenario, "-o", output, "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    results = {}
    if output.exists():
        with sqlite3.connect(output) as database:
            rows = database.execute("SELECT name, value FROM result")
            results = dict(rows.fetchall())
    return done.returncode, done.stderr, results


def main():
    if len(sys.argv) != 3 or sys.argv[2] not in GUEST_TESTS:
        sys.exit(f"usage: run_guest.py HVSIM {{{','.join(GUEST_TESTS)}}}")
    hvsim, name = sys.argv[1:]
    test = GUEST_TESTS[name]
    with tempfile.TemporaryDirectory() as folder:
        code, messages, results = run(hvsim, name, pathlib.Path(folder))
    wrong = failures(test, results)
    if test.fails_with:
        if code != 1 or test.fails_with not in messages:
            wrong.append(f'it does not fail with "{test.fails_with}"')
    elif code != 0:
        wrong.append(f"hvsim exits with {code}")
    for key, value in results.items():
        print(f"{key} {value}")
    print(messages, end="")
    sys.exit("\n".join(wrong) or 0)


if __name__ == "__main__":
    main()
