#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots stock Linux kernels under hvsim:

    check_linux.py HVSIM GUESTS SCENARIOS CASE

Each must come to user space, do what it is told and power off; and all do it
again, to the same byte and nanosecond, in a second run.
"""

import json
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from linux_cases import IMAGE, IMAGE_BYTES, LINUX_CASES, SEEN, SKIPPED

SCENARIO = """\
hvsim: 1
name: {name}
duration: 1min
host: {{{host}nodes: [{{lps: {lps}, memory: 8GiB}}]}}
root: {{vps: 1, memory: 512MiB}}
vms:
  - name: guest
    vps: {vps}
    memory: 512MiB
    enlightenments: {enlightenments}
    {devices}
    guest:
      linux: {files}/vmlinuz
      initrd: {files}/initrd
      cmdline: >-
        console=ttyS0 {cmdline} hvsim.modules={modules}
        hvsim.run="{run}"
counters: {{interval: 100ms}}
"""

# What two runs have in common, besides their exit code and messages.
SAME = ("SELECT * FROM console", "SELECT * FROM result",
        "SELECT * FROM failure", "SELECT * FROM perf_total",
        "SELECT sim_ns, trace_hash FROM run")


@dataclass
class Run:
    code: int
    messages: str
    rows: list  # of SAME
    output: Path


def scenario_text(name, case, guests, scenarios):
    """The scenario of a case, in YAML."""
    if case.scenario:
        text = (Path(scenarios) / f"{case.scenario}.yaml").read_text()
        return text.replace("../build/linux/bookworm",
                            str(guests / case.release))
    return SCENARIO.format(
        name=name.replace("_", "-"), vps=case.vps, lps=max(4, case.vps),
        files=guests / case.release,
        enlightenments=json.dumps(case.enlightenments),
        cmdline=case.cmdline, modules=",".join(case.modules),
        devices=case.devices, host=case.host, run=f"{SEEN}; {case.run}")


def run(hvsim, scenario, output):
    done = subprocess.run([hvsim, "run", scenario, "-o", output, "--quiet"],
                          capture_output=True, text=True, check=False)
    rows = []
    if output.exists():
        with sqlite3.connect(output) as results:
            rows = [results.execute(query).fetchall() for query in SAME]
    return Run(done.returncode, done.stderr, rows, output)


def console_differences(case, results):
    """What is not on the console as the case says."""
    text = "\n".join(
        line for line, in results.execute("SELECT line FROM console"))
    for words in case.says:
        if words not in text:
            yield f'the console never says "{words}"'
    for words in case.never_says:
        if words in text:
            yield f'the console says "{words}"'
    if case.scenario is None and f"hvsim: result vps {case.vps} " not in text \
            and not case.fails_with:
        yield f"the guest has not found {case.vps} VPs"


def powers_off(results):
    """A run ends before its time when all its VMs are off, which quiet kernels
    say nothing about."""
    sim_ns, = results.execute("SELECT sim_ns FROM run").fetchone()
    return sim_ns < 30e9


def failure_differences(case, done, results):
    """What is not as the case says of how it fails."""
    if not case.fails_with:
        if done.code != 0:
            yield f"hvsim exits with {done.code}"
        return
    if done.code != 1 or case.fails_with not in done.messages:
        yield f'hvsim exits with {done.code}, and does not say ' \
              f'"{case.fails_with}"'
    texts = [text or "" for text, in results.execute(
        "SELECT text FROM failure")]
    if len(texts) != 1 or case.fails_with not in texts[0] \
            or "Call Trace:" not in texts[0]:
        yield f"the guest's last words are not in the results: {texts}"


def differences(case, done):
    """What is not as the case says."""
    if not done.output.exists():
        return [f"hvsim exits with {done.code} and leaves no results"]
    with sqlite3.connect(done.output) as results:
        wrong = [*failure_differences(case, done, results),
                 *console_differences(case, results)]
        if case.powers_off and not powers_off(results):
            wrong.append("not every VM powers off")
        if case.shows:
            wrong += case.shows(results)
    return wrong


def print_console(done):
    if done.output.exists():
        with sqlite3.connect(done.output) as results:
            lines = results.execute("SELECT vm, line FROM console").fetchall()
        print(*(f"{vm}: {line}" for vm, line in lines[-25:]), sep="\n")
    print(done.messages)


def main(hvsim, guests, scenarios, name):
    case = LINUX_CASES[name]
    guests = Path(guests).resolve()
    if not (guests / case.release / "initrd").exists():
        print(f"SKIPPED: there is no kernel of {case.release} in {guests}; "
              "it is NOT tested that it boots.")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        scenario = folder / "scenario.yaml"
        scenario.write_text(scenario_text(name, case, guests, scenarios))
        image = folder / IMAGE
        image.write_bytes(IMAGE_BYTES)
        first = run(hvsim, scenario, folder / "first.db")
        second = run(hvsim, scenario, folder / "second.db")
        wrong = differences(case, first)
        if (first.code, first.messages, first.rows) != (
                second.code, second.messages, second.rows):
            wrong.append("a second run differs")
        if image.read_bytes() != IMAGE_BYTES:
            wrong.append("the image of a disk has been written")
        print_console(first)
    print("\n".join(wrong) or "as expected, twice")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) != 5 or sys.argv[4] not in LINUX_CASES:
        sys.exit("usage: check_linux.py HVSIM GUESTS SCENARIOS "
                 f"{{{','.join(LINUX_CASES)}}}")
    sys.exit(main(*sys.argv[1:]))
