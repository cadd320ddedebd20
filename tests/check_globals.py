#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks that the layers keep no state of their own: two machines can live in
one process only if nothing mutable has file scope or static storage.

    check_globals.py LIBRARY…

Run by ctest on the layers' archives. What is writable lies in .data or .bss;
constant tables of pointers, which the loader relocates, lie in .data.rel.ro.
"""

import re
import subprocess
import sys

WRITABLE = re.compile(r"^\.(data|bss|tdata|tbss)(?!\.rel\.ro)")

# What a signal handler can reach.
ALLOWED = {"stop_requested", "terminal_state"}


def writable_symbols(library):
    """(object file, symbol) of each writable object in an archive."""
    table = subprocess.run(["objdump", "-t", library], check=True,
                           capture_output=True, text=True).stdout
    member = ""
    for line in table.splitlines():
        if ":     file format" in line:
            member = line.split(":")[0]
            continue
        # value, seven flag characters, section, size, name
        match = re.match(r"^[0-9a-f]{16} .{7} (\S+)\t([0-9a-f]+) +(\S+)$",
                         line)
        if match and WRITABLE.match(match[1]) and int(match[2], 16) > 0:
            yield member, match[3]


def main(libraries):
    if not libraries:
        print(__doc__, file=sys.stderr)
        return 2
    findings = [f"{member}: {symbol} is mutable and has static storage"
                for library in libraries
                for member, symbol in writable_symbols(library)
                if symbol.split(".")[0] not in ALLOWED]
    print("\n".join(findings) if findings else "no mutable globals")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
