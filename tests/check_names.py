#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks what a reader relies on to find things.

    check_names.py ROOT          check the tree
    check_names.py --self-test   check this check on planted violations

Every source file names its licence at its top; and every function that other
files can call starts with the first word of its file's name, so that a call
says where to look. Run by ctest.
"""

import re
import sys

import planted

FOLDERS = ("sim", "perfcounters", "cpu", "hypervisor", "vmbus", "partitions",
           "workloads", "tests", "cmake")
SUFFIXES = (".c", ".h", ".def", ".S", ".py", ".sh", ".cmake", ".txt", ".ld")

# Guest programs and tests are programs of their own, not layers.
LAYERS = ("sim", "perfcounters", "cpu", "hypervisor", "vmbus", "partitions")

# A word that may stand before the file's: what the spec calls ours.
NAMESPACES = ("sim_", "hv_", "vmbus_")

# Whole-program names, and sim_fail() and its kin, which every level uses.
EXCEPTIONS = {
    "sim/core/error.c": ("sim_",),
    "sim/cli/main.c": ("main",),
}

# A definition as our format writes it: at the left margin, its body's brace
# alone on the line after the parameters.
DEFINITION = re.compile(
    r"^(?!static\b|typedef\b|extern\b|return\b|else\b|#)"
    r"[A-Za-z_][\w \t\n*]*?[ \t\n*](\w+)\((?:[^;{}])*\)\n\{", re.M)


def first_word(path):
    return path.stem.split("_")[0]


def check_functions(path, text):
    allowed = EXCEPTIONS.get(path.as_posix(), ())
    word = first_word(path)
    for match in DEFINITION.finditer(text):
        name = match[1]
        if name.startswith(allowed):
            continue
        bare = name
        for namespace in NAMESPACES:
            bare = bare.removeprefix(namespace)
        if word not in (name.split("_")[0], bare.split("_")[0]):
            line = text.count("\n", 0, match.start(1)) + 1
            yield (f"{path}:{line}: {name}(): its name does not start with "
                   f"its file's first word, \"{word}_\"")


def check_file(root, path):
    text = (root / path).read_text(encoding="utf-8")
    head = "\n".join(text.split("\n", 3)[:3])
    if "SPDX-License-Identifier: GPL-2.0-or-later" not in head:
        yield f"{path}:1: no SPDX licence line at the top"
    if path.suffix == ".c" and path.parts[0] in LAYERS:
        yield from check_functions(path, text)


def check_tree(root):
    findings = []
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            # A corpus holds inputs, whatever their names look like.
            if (path.suffix in SUFFIXES and path.is_file()
                    and "corpus" not in path.parts):
                findings += check_file(root, path.relative_to(root))
    return findings


SPDX = "/* SPDX-License-Identifier: GPL-2.0-or-later */\n"
PLANTED = {
    "cpu/tlb.c":
        (SPDX + "static int helper(void)\n{\n}\n"
         "struct tlb *tlb_create(int a,\n                  int b)\n{\n}\n"
         "static void x(void)\n{\n    if (go(1))\n    {\n    }\n}\n", None),
    "hypervisor/gpa_space.c":
        (SPDX + "void gpa_map(void)\n{\n}\nvoid hv_gpa_map(void)\n{\n}\n",
         None),
    "sim/core/error.c": (SPDX + "void sim_fail(void)\n{\n}\n", None),
    "workloads/runtime/boot.c": (SPDX + "void kmain(void)\n{\n}\n", None),
    "tests/fuzz/corpus/bad.c": ("no licence here", None),
    "cpu/bare.h": ("int x;\n", "no SPDX"),
    "cpu/mmu.c": (SPDX + "int mmux_walk(void)\n{\n}\n", "mmux_walk()"),
    "cpu/slat.c": (SPDX + "struct a *\nwalk(int b)\n{\n}\n", "walk()"),
    "vmbus/ring.c": (SPDX + "hv_status vmbus_go(\n    void)\n{\n}\n",
                     "vmbus/ring.c:2: vmbus_go()"),
}


if __name__ == "__main__":
    sys.exit(planted.main(__doc__, check_tree, PLANTED))
