#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ctrl-C reaches a run whatever its guests do: check_stop.py HVSIM

Each attack that never ends is interrupted, by SIGINT or SIGTERM; the run must
stop soon, say so by its exit code, and leave results that can be read.
"""

import contextlib
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from attacks import ATTACKS, RUNS_ON
from harness import read, scenario, vm

FOR_EVER = "10h"
EXIT_INTERRUPTED = 130
# Long for a machine that has nothing else to do, so that one that has is no
# reason to fail.
SECONDS_TO_STOP = 20
NOT_HERE = ("halt",)  # an hour is over at once where nothing happens


def is_under_way(database):
    """Whether the run has come past its first sample."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"file:{database}?mode=ro", uri=True)
        ) as db:
            return db.execute("SELECT count(*) FROM perf").fetchone()[0] > 0
    except sqlite3.OperationalError:  # no tables yet, or just being written
        return False


def stop(hvsim, text, number):
    """Starts `text` and sends `number` when it is under way; None if it goes on."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        (path / "scenario.yaml").write_text(text)
        database = path / "out.db"
        with subprocess.Popen(
            [hvsim, "run", path / "scenario.yaml", "-o", database, "--quiet"],
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            while process.poll() is None and not is_under_way(database):
                time.sleep(0.05)
            process.send_signal(number)
            try:
                messages = process.communicate(timeout=SECONDS_TO_STOP)[1]
            except subprocess.TimeoutExpired:
                process.kill()
                return None
        return read(database, process.returncode, messages)


def main():
    hvsim = sys.argv[1]
    names = [n for n, a in ATTACKS.items() if a.end == RUNS_ON and n not in NOT_HERE]
    failed = []
    for i, name in enumerate(names):
        number = (signal.SIGINT, signal.SIGTERM)[i % 2]
        attack = ATTACKS[name]
        guest = vm("a", "attack", attack.vps, {"case": name, **attack.args})
        outcome = stop(hvsim, scenario([guest], FOR_EVER), number)
        if outcome is None:
            failed.append(f"{name}: still running {SECONDS_TO_STOP} s later")
        elif outcome.code != EXIT_INTERRUPTED:
            failed.append(f"{name}: exit code {outcome.code}: {outcome.messages}")
    sys.exit("\n".join(failed) or 0)


if __name__ == "__main__":
    main()
