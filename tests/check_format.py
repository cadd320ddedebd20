#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks that every C file is as .clang-format has it.

    check_format.py ROOT CLANG_FORMAT

Versions of clang-format disagree about details: the tree follows version 14,
and with another one nothing is checked (exit code 77).
"""

import re
import subprocess
import sys
from pathlib import Path

SKIPPED = 77
VERSION = "14"
FOLDERS = ("sim", "perfcounters", "cpu", "hypervisor", "vmbus", "partitions",
           "workloads", "tests")


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    root, program = Path(arguments[0]), arguments[1]
    version = subprocess.run([program, "--version"], capture_output=True,
                             text=True, check=True).stdout
    if re.search(r"version (\d+)", version).group(1) != VERSION:
        print(f"SKIPPED, nothing was checked: {version.strip()}")
        return SKIPPED
    files = [path for folder in FOLDERS
             for path in sorted((root / folder).rglob("*.[ch]"))]
    return subprocess.run([program, "--dry-run", "--Werror", *files],
                          check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
