# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs of hvsim with attackers in them, and what came of them."""

import contextlib
import pathlib
import sqlite3
import subprocess
import tempfile
from dataclasses import dataclass

HEAD = """\
hvsim: 1
name: attack
duration: {duration}
host: {{nodes: [{{lps: {lps}, memory: 64GiB}}]}}
root: {{vps: {root_vps}, memory: 512MiB}}
counters: {{interval: 100ms}}
vms:
"""
VM = (
    "  - {{name: {name}, vps: {vps}, memory: 64MiB,"
    " disks: [{{size: 1MiB}}], nics: [{{switch: all}}],"
    " guest: {{workload: {workload}, args: {{{args}}}}}}}\n"
)
SECONDS_MAX = 280
# What a run may end by: all is well, or a guest failed. Nothing else is the
# guests' to bring about.
EXITS = (0, 1)


def vm(name, workload, vps=1, args=None):
    """A VM, as a line of a scenario."""
    words = ", ".join(f"{k}: {v}" for k, v in (args or {}).items())
    return VM.format(name=name, workload=workload, vps=vps, args=words)


def scenario(vms, duration, lps=4, root_vps=2):
    """A scenario with `vms`, lines from vm()."""
    return HEAD.format(duration=duration, lps=lps, root_vps=root_vps) + "".join(vms)


@dataclass
class Outcome:
    code: int
    messages: str
    simulated_ns: int
    trace_hash: str
    results: dict  # by VM: the list of (name, value, unit)
    console: dict  # by VM: the list of lines


def run(hvsim, text):
    """Runs the scenario `text`."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        (path / "scenario.yaml").write_text(text)
        done = subprocess.run(
            [hvsim, "run", path / "scenario.yaml", "-o", path / "out.db", "--quiet"],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_MAX,
        )
        return read(path / "out.db", done.returncode, done.stderr)


def read(database, code, messages):
    """What the results say; checks that they can be read at all."""
    results, console = {}, {}
    with contextlib.closing(sqlite3.connect(database)) as db:
        check = db.execute("PRAGMA integrity_check").fetchone()[0]
        if check != "ok":
            raise AssertionError(f"the results are damaged: {check}")
        simulated, trace = db.execute("SELECT sim_ns, trace_hash FROM run").fetchone()
        for name, *row in db.execute("SELECT vm, name, value, unit FROM result"):
            results.setdefault(name, []).append(tuple(row))
        for name, line in db.execute("SELECT vm, line FROM console"):
            console.setdefault(name, []).append(line)
    return Outcome(code, messages, simulated, trace, results, console)


def nanoseconds(duration):
    """A scenario's duration as a number."""
    units = {"ms": 10**6, "s": 10**9, "h": 3600 * 10**9}
    digits = duration.rstrip("mhs")
    return int(digits) * units[duration[len(digits) :]]
