#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks that every header of the simulator compiles alone, twice in a row.

    check_headers.py ROOT COMPILER [FLAG…]

Run by ctest, with the compiler and the flags of the build.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LAYERS = ("sim", "perfcounters", "cpu", "hypervisor", "vmbus", "partitions")


def compile_alone(root, header, command):
    """What the compiler has to say about an otherwise empty file."""
    # Twice: the second finds a missing include guard. The last line is there
    # because ISO C wants a declaration in every file.
    source = f'#include "{header}"\n#include "{header}"\nextern int unused;\n'
    result = subprocess.run(
        [*command, f"-I{root}", "-fsyntax-only", "-x", "c", "-"],
        input=source, capture_output=True, text=True, check=False)
    return "" if result.returncode == 0 else f"{header}:\n{result.stderr}"


def main(arguments):
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    root, command = Path(arguments[0]), arguments[1:]
    headers = [path.relative_to(root).as_posix() for folder in LAYERS
               for path in sorted((root / folder).rglob("*.h"))]
    with ThreadPoolExecutor(2) as pool:
        findings = [text for text in pool.map(
            lambda header: compile_alone(root, header, command), headers)
            if text]
    print("\n".join(findings))
    print(f"{len(headers) - len(findings)} of {len(headers)} headers "
          f"compile alone")
    return 1 if findings or not headers else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
