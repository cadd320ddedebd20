#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What hypervisor/README.md quotes is what the files that it names contain.

    check_readme.py SOURCE_DIR
    check_readme.py --self-test

A block of code stands below a line that ends with `FILE`: and is found in that
file as it stands, line for line; a line "..." stands for any number of lines.
"""

import pathlib
import re
import sys


def quotes(text):
    """Yields (file, lines) of each block of code."""
    for match in re.finditer(r"`([^`\n]+)`:\n\n```\w*\n(.*?)```", text, re.S):
        yield match.group(1), match.group(2).splitlines()


def find(lines, quoted, start):
    """Where the lines `quoted` stand in `lines`, from `start` on, or None."""
    for at in range(start, len(lines) - len(quoted) + 1):
        if lines[at:at + len(quoted)] == quoted:
            return at
    return None


def is_quoted_truly(lines, quoted):
    at, part = 0, []
    for line in quoted + ["..."]:
        if line.strip() != "...":
            part.append(line)
            continue
        found = find(lines, part, at)
        if found is None:
            return False
        at, part = found + len(part), []
    return True


def self_test():
    lines = ["int a;", "int b;", "int c;"]
    text = "In `x.c`:\n\n```c\nint a;\n...\nint c;\n```\n"

    assert list(quotes(text)) == [("x.c", ["int a;", "...", "int c;"])]
    assert is_quoted_truly(lines, ["int a;", "int b;"])
    assert is_quoted_truly(lines, ["int a;", "...", "int c;"])
    assert not is_quoted_truly(lines, ["int a;", "int c;"])
    assert not is_quoted_truly(lines, ["int c;", "...", "int a;"])
    assert not is_quoted_truly(lines, ["int d;"])
    return 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()

    root = pathlib.Path(sys.argv[1])
    text = (root / "hypervisor/README.md").read_text()
    blocks = text.count("```") // 2
    found = list(quotes(text))
    wrong = [name for name, quoted in found if not is_quoted_truly(
        (root / name).read_text().splitlines(), quoted)]

    if len(found) != blocks:
        print("README.md: %d blocks of code, of which %d name their file" %
              (blocks, len(found)))
    for name in wrong:
        print("README.md: not what %s contains" % name)
    return 1 if wrong or len(found) != blocks or not found else 0


if __name__ == "__main__":
    sys.exit(main())
