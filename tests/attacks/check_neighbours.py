#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What attackers do to the VMs beside them: nothing.

check_neighbours.py HVSIM runs all attacks at once, beside VMs whose results are
compared with those of a run in which the attackers do nothing. Times differ,
since the host is shared; results that are not times must not, nor what the
guests print.
"""

import sys

from attacks import ATTACKS, VICTIMS
from harness import EXITS, run, scenario, vm

# Ample for the victims, by whatever compiler they are built.
DURATION = "700ms"
LPS = 24
# With fewer, attacks on devices keep the root so busy that it starts no VM.
ROOT_VPS = 4
TIMES = ("ns", "%")


def victims():
    return [vm(name, image, vps) for name, (image, vps) in VICTIMS.items()]


def attackers(idle):
    return [
        vm(
            f"a-{name}",
            "attack",
            attack.vps,
            {"case": "halt"} if idle else {"case": name, **attack.args},
        )
        for name, attack in ATTACKS.items()
    ]


def comparable(outcome):
    """What the victims said, without what depends on their share of time."""
    return {
        name: [row for row in outcome.results.get(name, []) if row[2] not in TIMES]
        for name in VICTIMS
    }


def main():
    hvsim = sys.argv[1]
    alone = run(hvsim, scenario(victims() + attackers(idle=True), DURATION, LPS, ROOT_VPS))
    attacked = run(hvsim, scenario(victims() + attackers(idle=False), DURATION, LPS, ROOT_VPS))
    wrong = []
    for name, rows in comparable(alone).items():
        if not rows:
            wrong.append(f"{name} reports nothing even beside idle VMs")
        if comparable(attacked)[name] != rows:
            wrong.append(f"{name}: {comparable(attacked)[name]}, not {rows}")
    if alone.code != 0 or attacked.code not in EXITS:
        wrong.append(f"exit codes {alone.code} and {attacked.code}")
    sys.exit("\n".join(wrong) or 0)


if __name__ == "__main__":
    main()
