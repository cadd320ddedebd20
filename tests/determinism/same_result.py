#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs everything twice, the second time elsewhere, and compares the results.

    same_result.py HVSIM SOURCE WORK PRESET|again

HVSIM is the program of this build; "again" runs it twice, a preset's name
builds the SOURCE tree that way under WORK (once: later calls build what has
changed) and runs that.

The second run has another working directory, another size of environment,
and fresh memory from malloc() is full of garbage; in the other build, so are
automatic variables. What reads memory that nobody wrote shows up here.
"""

import os
import subprocess
import sys
from pathlib import Path

from cases import Runner, compare_all

GARBAGE_ON_STACK = "-ftrivial-auto-var-init=pattern"
GARBAGE_ON_HEAP = {"MALLOC_PERTURB_": "165"}


def build(source, work, preset):
    """The program of the tree built with a preset, under `work`."""
    folder = work / preset
    # A warning that only some compilers give is no difference in results.
    subprocess.run(["cmake", "-S", source, "--preset", preset, "-B", folder,
                    "-DHVSIM_WERROR=OFF",
                    f"-DCMAKE_C_FLAGS={GARBAGE_ON_STACK}"],
                   check=True, stdout=subprocess.DEVNULL, cwd=source)
    subprocess.run(["cmake", "--build", folder, "--target", "hvsim", "guests"],
                   check=True, stdout=subprocess.DEVNULL)
    return folder / "hvsim"


def main(arguments):
    if len(arguments) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    hvsim, source, work = (Path(name).resolve() for name in arguments[:3])
    preset = arguments[3]
    other = hvsim if preset == "again" else build(source, work, preset)
    surroundings = os.environ | GARBAGE_ON_HEAP | {"HVSIM_PAD": "x" * 5000}
    there = Runner(other, surroundings, Path("/"))
    return min(1, compare_all(Runner(hvsim), there, work / f"{preset}-results"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
