#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each attack alone ends as it should: check_attacks.py HVSIM [NAME...]"""

import sys

from attacks import ATTACKS, RUNS_ON, SURVIVES
from harness import nanoseconds, run, scenario, vm


def wrong(attack, outcome):
    """What is wrong with how the attack ended, or None."""
    survived = any(row[0] == "survived" for row in outcome.results.get("a", []))
    if attack.end in (SURVIVES, "done"):
        if outcome.code != 0:
            return f"exit code {outcome.code}: {outcome.messages.strip()}"
        if attack.end == SURVIVES and not survived:
            return "it did not come back"
        return None
    if survived:
        return "it came back"
    if attack.end == RUNS_ON:
        if outcome.code != 0:
            return f"exit code {outcome.code}: {outcome.messages.strip()}"
        if outcome.simulated_ns != nanoseconds(attack.duration):
            return f"the run ended at {outcome.simulated_ns} ns"
        return None
    if outcome.code != 1 or attack.end not in outcome.messages:
        return f"exit code {outcome.code}: {outcome.messages.strip()}"
    return None


def main():
    hvsim, *names = sys.argv[1:]
    failed = []
    for name in names or ATTACKS:
        attack = ATTACKS[name]
        guest = vm("a", "attack", attack.vps, {"case": name, **attack.args})
        why = wrong(attack, run(hvsim, scenario([guest], attack.duration)))
        if why:
            failed.append(f"{name}: {why}")
    sys.exit("\n".join(failed) or 0)


if __name__ == "__main__":
    main()
