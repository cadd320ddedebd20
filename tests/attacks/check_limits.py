#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest says is kept up to a limit, and told so: check_limits.py HVSIM"""

import sys

from harness import run, scenario, vm

RESULTS_MAX = 4096
LINES_MAX = 65536  # 8 MiB of lines of 128 bytes and no text
DURATION = "30s"


def flood(hvsim, case, count):
    guest = vm("a", "attack", args={"case": case, "count": count})
    return run(hvsim, scenario([guest], DURATION))


def check_results(hvsim):
    """The first results are kept, and the work after them is done."""
    outcome = flood(hvsim, "results", RESULTS_MAX + 500)
    rows = outcome.results["a"]
    if [row[1] for row in rows] != list(range(RESULTS_MAX)):
        return f"{len(rows)} results are kept"
    said = [line for line in outcome.console["a"] if "results are kept" in line]
    if len(said) != 1 or outcome.code != 0:
        return f"{len(said)} lines say so, exit code {outcome.code}"
    return None


def check_console(hvsim):
    """The first lines are kept; results are, even of lines that are not."""
    outcome = flood(hvsim, "empty-lines", LINES_MAX + 5000)
    lines = outcome.console["a"]
    said = [i for i, line in enumerate(lines) if "kept of a console" in line]
    if said != [LINES_MAX] or len(lines) != LINES_MAX + 1:
        return f"{len(lines)} lines are kept, told in {said}"
    if [row[0] for row in outcome.results.get("a", [])] != ["survived"]:
        return f"the results are {outcome.results.get('a')}"
    return None


def main():
    wrong = [why for check in (check_results, check_console) if (why := check(sys.argv[1]))]
    sys.exit("\n".join(wrong) or 0)


if __name__ == "__main__":
    main()
