#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random instructions do no harm: check_instructions.py HVSIM [--first N]
[--seconds N]

Runs guests that execute random bytes, in both rings and in 16-, 32- and 64-bit
code, from as many seeds as there are guests, beside one whose results are
known; and counts what they executed. By default one run, always the same; with
--seconds as many as fit, from seed --first on, each of them twice.
"""

import argparse
import sys
import time

from harness import EXITS, run, scenario, vm

DURATION = "1s"
LPS = 32
GUESTS = 24
INSTRUCTIONS = 25000  # that each guest goes for; a few do not live to see it
INSTRUCTIONS_MIN = 500000
OF_RING_MIN = 150000
NEIGHBOUR = vm("neighbour", "selftest-modes", args={"rounds": 3})


def text_of(first):
    """The scenario with the seeds from `first` on."""
    guests = [
        vm(
            f"r{seed}",
            "attack-random",
            2,
            {
                "seed": seed,
                "instructions": INSTRUCTIONS,
                "lethal": 0,
                "time": "900ms",
                **({"apic": "xapic"} if seed % 2 else {}),
            },
        )
        for seed in range(first, first + GUESTS)
    ]
    return scenario([NEIGHBOUR, *guests], DURATION, LPS)


def executed(outcome):
    """How many instructions were executed, by ring."""
    sums = {0: 0, 3: 0}
    for rows in outcome.results.values():
        for name, value, _ in rows:
            for ring in sums:
                if name == f"instructions.ring_{ring}":
                    sums[ring] += int(value)
    return sums


def failure(outcome, expected):
    """Why a run is not as it should be, or None."""
    if outcome.code not in EXITS:
        return f"exit code {outcome.code}: {outcome.messages.strip()}"
    if outcome.results.get("neighbour") != expected:
        return f"its neighbour reports {outcome.results.get('neighbour')}"
    rings = executed(outcome)
    print(f"{rings[0]} instructions in ring 0, {rings[3]} in ring 3")
    if sum(rings.values()) < INSTRUCTIONS_MIN or min(rings.values()) < OF_RING_MIN:
        return f"only so many instructions were executed, by ring: {rings}"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hvsim")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=0)
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    alone = run(options.hvsim, scenario([NEIGHBOUR], DURATION, LPS))
    first, failed = options.first, []
    while True:
        outcome = run(options.hvsim, text_of(first))
        why = failure(outcome, alone.results["neighbour"])
        if why is None and options.seconds > 0:
            if run(options.hvsim, text_of(first)) != outcome:
                why = "the same run twice differs"
        if why is not None:
            failed.append(f"seeds from {first} on: {why}")
        first += GUESTS
        if time.monotonic() >= end:
            break
    sys.exit("\n".join(failed) or 0)


if __name__ == "__main__":
    main()
