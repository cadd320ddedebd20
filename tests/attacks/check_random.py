#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random code does no harm: check_random.py HVSIM [--first N] [--seconds N]

Runs guests that execute random code, twice each, beside one whose results are
known. A run may end well or by guests that failed, and both runs end alike. By
default a few runs, always the same; with --seconds as many as fit, from seed
--first on. A seed that fails is told, for --first.
"""

import argparse
import sys
import time
from dataclasses import fields

from harness import EXITS, run, scenario, vm

DURATION = "25ms"
LPS = 12
GUESTS = 3
BLOCKS = 150
RUNS = 4
NEIGHBOUR = "selftest-modes"


def text_of(seed):
    """A scenario of several guests; everything in it follows from the seed."""
    guests = [vm("neighbour", NEIGHBOUR, args={"rounds": 3})]
    for i in range(GUESTS):
        args = {
            "seed": seed + i,
            "blocks": BLOCKS,
            "lethal": seed % 3 * 100,
            "time": "20ms",
        }
        if seed % 2:
            args["apic"] = "xapic"
        guests.append(vm(f"r{i}", "attack-random", 2 + seed % 3, args))
    return scenario(guests, DURATION, LPS)


def failure(hvsim, seed, expected):
    """Why the runs from `seed` are not as they should be, or None."""
    once, again = (run(hvsim, text_of(seed)) for _ in range(2))
    if once.code not in EXITS:
        return f"exit code {once.code}: {once.messages.strip()}"
    if once != again:
        names = [f.name for f in fields(once)]
        unlike = [n for n in names if getattr(once, n) != getattr(again, n)]
        return f"the same run twice differs in {', '.join(unlike)}"
    if once.results.get("neighbour") != expected:
        return f"its neighbour reports {once.results.get('neighbour')}"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hvsim")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=0)
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    alone = vm("neighbour", NEIGHBOUR, args={"rounds": 3})
    expected = run(options.hvsim, scenario([alone], DURATION, LPS)).results["neighbour"]
    seed, runs, failed = options.first, 0, []
    while runs < RUNS if options.seconds == 0 else time.monotonic() < end:
        if why := failure(options.hvsim, seed, expected):
            failed.append(f"seed {seed}: {why}")
        seed += GUESTS
        runs += 1
    print(f"{runs} runs, seeds {options.first} to {seed - 1}")
    sys.exit("\n".join(failed) or 0)


if __name__ == "__main__":
    main()
