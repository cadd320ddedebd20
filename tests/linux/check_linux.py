#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots stock Linux kernels under hvsim: check_linux.py HVSIM GUESTS CASE.

Each must come to user space, do what it is told and power off; and all do it
again, to the same byte and nanosecond, in a second run.
"""

import json
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from linux_cases import LINUX_CASES, SEEN, SKIPPED

SCENARIO = """\
hvsim: 1
name: {name}
duration: 1min
host: {{nodes: [{{lps: {lps}, memory: 8GiB}}]}}
root: {{vps: 1, memory: 512MiB}}
vms:
  - name: guest
    count: {vms}
    vps: {vps}
    memory: 512MiB
    enlightenments: {enlightenments}
    guest:
      linux: {files}/vmlinuz
      initrd: {files}/initrd
      cmdline: 'console=ttyS0 {cmdline} hvsim.run="{run}"'
counters: {{interval: 100ms}}
"""


def scenario_text(name, case, files):
    """The scenario of a case, in YAML."""
    line = f"{case.run}; {SEEN}".replace("'", "''")
    return SCENARIO.format(
        name=name.replace("_", "-"), vms=case.vms, vps=case.vps,
        lps=max(4, case.vps), files=files,
        enlightenments=json.dumps(case.enlightenments),
        cmdline=case.cmdline, run=line)


def run(hvsim, scenario, output):
    """(exit code, messages, console lines with their times, results, hash)."""
    done = subprocess.run([hvsim, "run", scenario, "-o", output, "--quiet"],
                          capture_output=True, text=True, check=False)
    console, results, trace_hash = [], {}, None
    if output.exists():
        with sqlite3.connect(output) as database:
            console = database.execute(
                "SELECT time_ns, line FROM console").fetchall()
            results = dict(database.execute("SELECT name, value FROM result"))
            trace_hash, = database.execute(
                "SELECT trace_hash FROM run").fetchone()
    return done.returncode, done.stderr, console, results, trace_hash


def differences(case, code, console, results):
    """What is not as the case says."""
    text = "\n".join(line for _, line in console)
    wrong = []
    if code != 0:
        wrong.append(f"hvsim exits with {code}")
    for words in case.says:
        if words not in text:
            wrong.append(f'the console never says "{words}"')
    for words in case.never_says:
        if words in text:
            wrong.append(f'the console says "{words}"')
    if text.count("reboot: Power down") != case.vms:
        wrong.append("not every VM powers off")
    if float(results.get("vps", 0)) != case.vps:
        wrong.append(f"the guest has {results.get('vps')} VPs, "
                     f"not {case.vps}")
    return wrong


def main(hvsim, guests, name):
    case = LINUX_CASES[name]
    files = Path(guests).resolve() / case.release
    if not (files / "initrd").exists():
        print(f"SKIPPED: there is no kernel of {case.release} in {guests}; "
              "it is NOT tested that it boots.")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        scenario = folder / "scenario.yaml"
        scenario.write_text(scenario_text(name, case, files))
        first = run(hvsim, scenario, folder / "first.db")
        second = run(hvsim, scenario, folder / "second.db")
    code, messages, console, results, _ = first
    wrong = differences(case, code, console, results)
    if first != second:
        wrong.append("a second run differs")
    print(*(line for _, line in console[-25:]), messages, sep="\n")
    print("\n".join(wrong) or "as expected, twice")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[3] not in LINUX_CASES:
        sys.exit(f"usage: check_linux.py HVSIM GUESTS "
                 f"{{{','.join(LINUX_CASES)}}}")
    sys.exit(main(*sys.argv[1:]))
