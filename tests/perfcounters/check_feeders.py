#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks that what perfcounters/counters.def lists is fed where it says.

    check_feeders.py ROOT          check the tree
    check_feeders.py --self-test   check this check on planted violations

A cell that its feeder does not name would show zeros that look like
measurements. Run by ctest.
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import planted  # noqa: E402

LIST = "perfcounters/counters.def"

# What names the cell in the code, by the shape of its entry.
PREFIXES = {"PC_LP": "PC_LP_", "PC_VP": "PC_VP_", "PC_VP_CELL": "PC_VP_",
            "PC_VP_PAIR": "PC_INTERCEPT_", "PC_NIC": "PC_NIC_",
            "PC_DISK": "PC_DISK_", "PC_DISK_CELL": "PC_DISK_"}

ENTRY = re.compile(r"^(PC_LP|PC_VP|PC_VP_CELL|PC_VP_PAIR|PC_NIC|PC_DISK"
                   r"|PC_DISK_CELL)\((\w+),"
                   r"[^;]*?\"((?:cpu|hypervisor|vmbus|partitions|sim)/[^\"]+)\"",
                   re.M)


def check_tree(root):
    findings = []
    text = (root / LIST).read_text(encoding="utf-8")
    for shape, cell, feeder in ENTRY.findall(text):
        name = PREFIXES[shape] + cell
        path = root / feeder
        if not path.is_file():
            findings.append(f"{LIST}: {name}: there is no {feeder}")
        elif not re.search(rf"\b{name}\b", path.read_text(encoding="utf-8")):
            findings.append(f"{LIST}: {name}: {feeder} does not feed it")
    listed = len(re.findall(
        r"^PC_(?:LP|VP|VP_CELL|VP_PAIR|NIC|DISK|DISK_CELL)\(", text, re.M))
    if listed != len(ENTRY.findall(text)):
        findings.append(f"{LIST}: an entry does not say who feeds it")
    return findings


PLANTED = {
    LIST: (
        'PC_LP(FED, "a", COUNT, RATE, "1/s", "hypervisor/lp.c", "help")\n'
        'PC_VP_PAIR(HLT, "b", "hypervisor/lp.c",\n           "help")\n'
        'PC_VP(UNFED, "c", COUNT, RATE, "1/s", "hypervisor/lp.c", "help")\n',
        "PC_VP_UNFED: hypervisor/lp.c does not feed it"),
    "hypervisor/lp.c": (
        "PC_LP_FED, PC_INTERCEPT_HLT, PC_VP_UNFED_BUT_ALIKE\n", None),
}

if __name__ == "__main__":
    sys.exit(planted.main(__doc__, check_tree, PLANTED))
