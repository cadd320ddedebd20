#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs scenarios again, and in other builds, and compares all results.

    same_result.py HVSIM SOURCE WORK PRESET|again SCENARIO…

HVSIM is the program of this build; "again" runs it twice, a preset's name
builds the SOURCE tree that way under WORK and runs that.
"""

import subprocess
import sys
from pathlib import Path

from compare_results import compare


def build(source, work, preset):
    """The program of the tree built with a preset, under `work`."""
    folder = work / preset
    # A warning that only some compilers give is no difference in results.
    subprocess.run(["cmake", "-S", source, "--preset", preset, "-B", folder,
                    "-DHVSIM_WERROR=OFF"],
                   check=True, stdout=subprocess.DEVNULL, cwd=source)
    subprocess.run(["cmake", "--build", folder, "--target", "hvsim", "guests"],
                   check=True, stdout=subprocess.DEVNULL)
    return folder / "hvsim"


def run(hvsim, scenario, output):
    """Runs a scenario; whether it succeeded. hvsim says why if not."""
    output.parent.mkdir(parents=True, exist_ok=True)
    command = [hvsim, "run", scenario, "--quiet", "--force", "-o", output]
    result = subprocess.run(command, check=False)
    if result.returncode != 0:
        print(f"{hvsim}: exit code {result.returncode}")
    return result.returncode == 0


def is_same(hvsim, other, scenario, folder):
    here = folder / f"{scenario.stem}.here.db"
    there = folder / f"{scenario.stem}.there.db"
    return (run(hvsim, scenario, here) and run(other, scenario, there)
            and compare([here, there]) == 0)


def main(arguments):
    if len(arguments) < 5:
        print(__doc__, file=sys.stderr)
        return 2
    hvsim, source, work = (Path(name).resolve() for name in arguments[:3])
    preset, scenarios = arguments[3], arguments[4:]
    other = hvsim if preset == "again" else build(source, work, preset)
    failed = 0
    for scenario in map(Path, scenarios):
        same = is_same(hvsim, other, scenario, work / f"{preset}-results")
        print(f"{scenario.name}: {'equal' if same else 'NOT equal'}",
              flush=True)
        failed |= not same
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
