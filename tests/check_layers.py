#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks who knows whom: the layer diagram, from the includes.

    check_layers.py ROOT          check the tree
    check_layers.py --self-test   check this check on planted violations

Run by ctest. The tables below *are* the diagram (ARCHITECTURE.md shows it).
"""

import re
import sys

import planted

# From the bottom up: a folder may include itself and those before it.
LAYERS = ("sim/core", "sim/text", "perfcounters", "cpu", "hypervisor", "vmbus",
          "partitions", "sim/scenario", "sim/results", "sim/machine",
          "sim/compare", "sim/plot", "sim/cli")

# Counters are fed by all and read by few: no feature can decide anything by
# a counter, because it cannot read one.
COUNTER_FEED = ("perfcounters/pc_feed.h", "perfcounters/counters.def")
COUNTER_READERS = ("perfcounters", "sim/results", "sim/machine",
                   "sim/compare", "sim/plot", "sim/cli", "tests")

# Outside libraries that must stay behind one folder's interface. The bench
# measures us against the bare engine, so it drives that itself.
LIBRARIES = {
    "unicorn/": ("cpu", "tests/bench"),
    "capstone/": ("cpu", "tests/bench"),
}

# Who may look at guest programs: the bench copies loops into guest memory, as
# bytes; the parts of the Linux guests' init are tested as the programs for
# Linux that they are.
GUEST_READERS = {"tests/bench/": "workloads/bench/",
                 "tests/linux/": "workloads/linux/"}

# The one runs whole machines and asks them what no command shows, the other
# puts engines into states that no caller can.
INSIDE = {"tests/machine/": "sim/machine", "tests/bench/": "sim/machine",
          "tests/cpu/": "cpu"}

# They say what happened; what it costs is none of their business.
FUNCTIONAL = ("cpu", "hypervisor", "vmbus", "partitions")
PRICES = re.compile(r"\bcost_profile\w*|\bprice\w*\s*=\s*[1-9]\d*")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)
COMMENT_OR_STRING = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)


def folder_of(path):
    """The layer (or "tests", "workloads") that a path in the tree belongs to;
    None if it is none of ours."""
    for folder in LAYERS + ("tests", "workloads"):
        if path.startswith(folder + "/"):
            return folder
    return None


def judge_own(path, header):
    """What is wrong with `path` including our `header`; None if nothing."""
    here, there = folder_of(path), folder_of(header)
    if there is None:
        return "is not written from the root of the tree"
    looks_inside = any(path.startswith(folder) and there == layer
                       for folder, layer in INSIDE.items())
    if header.endswith("_private.h") and here != there and not looks_inside:
        return f"is private to {there}"
    if here == there:
        return None
    if any(path.startswith(reader) and header.startswith(folder)
           for reader, folder in GUEST_READERS.items()):
        return None
    if "workloads" in (here, there):
        return "guest programs and the simulator share no code"
    if there == "tests":
        return "nothing may depend on tests"
    if here != "tests" and LAYERS.index(there) > LAYERS.index(here):
        return f"{here} must not know {there}"
    if (there == "perfcounters" and here not in COUNTER_READERS
            and header not in COUNTER_FEED):
        return f"{here} may feed counters, not read them"
    return None


def judge_system(path, header):
    for library, folders in LIBRARIES.items():
        if header.startswith(library) and not path.startswith(
                tuple(folder + "/" for folder in folders)):
            return f"only {folders[0]} may use this library"
    return None


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def code_of(text):
    """The text without comments and strings, its line breaks kept."""
    return COMMENT_OR_STRING.sub(
        lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def check_file(root, path):
    text = (root / path).read_text(encoding="utf-8")
    for match in INCLUDE.finditer(text):
        # Within workloads, a guest's own include paths apply.
        own = match[1] == '"' and folder_of(path) != "workloads"
        judge = judge_own if own else judge_system
        wrong = judge(path, match[2])
        if wrong:
            yield (f"{path}:{line_of(text, match.start())}: "
                   f"{match[2]}: {wrong}")
    if folder_of(path) in FUNCTIONAL:
        code = code_of(text)
        for match in PRICES.finditer(code):
            yield (f"{path}:{line_of(code, match.start())}: "
                   f"{match.group()}: prices belong to sim/machine")


def sources(root):
    for folder in LAYERS + ("tests", "workloads"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".c", ".h", ".def", ".S"):
                yield path.relative_to(root).as_posix()


def check_tree(root):
    return [finding for path in sources(root)
            for finding in check_file(root, path)]


# Each file of the planted tree, and the words of its finding (None: clean).
PLANTED = {
    "sim/core/clock.c":
        ('#include "sim/core/clock.h"\n#include <stdint.h>\n', None),
    "cpu/good.c":
        ('#include "perfcounters/pc_feed.h"\n#include <unicorn/unicorn.h>\n'
         'cycles_t price = ops->price(bill); /* cost_profile */\n', None),
    "tests/cpu/test_good.c":
        ('#include "cpu/good.h"\n#include "perfcounters/pc_report.h"\n', None),
    "sim/machine/good.c":
        ('#include "sim/machine/good_private.h"\n'
         '#include "perfcounters/pc_report.h"\n', None),
    "tests/machine/inside.c":
        ('#include "sim/machine/machine_private.h"\n', None),
    "tests/bench/inside.c":
        ('#include "sim/machine/machine_private.h"\n', None),
    "tests/cpu/inside.c": ('#include "cpu/engine_private.h"\n', None),
    "tests/machine/peeps.c": ('#include "hypervisor/vp_private.h"\n',
                              "is private to hypervisor"),
    "workloads/runtime/good.c": ('#include "runtime.h"\n', None),
    "sim/core/up.c": ('#include "cpu/engine.h"\n', "sim/core must not know"),
    "cpu/up.c": ('\n#include "hypervisor/vp.h"\n',
                 "cpu/up.c:2: hypervisor/vp.h: cpu must not know hypervisor"),
    "hypervisor/up.c": ('#  include "vmbus/ring.h"\n',
                        "hypervisor must not know vmbus"),
    "vmbus/reads.c": ('#include "perfcounters/pc_report.h"\n',
                      "may feed counters, not read them"),
    "hypervisor/engine.c": ('#include <unicorn/unicorn.h>\n',
                            "only cpu may use this library"),
    "tests/cpu/engine.c": ('#include <capstone/capstone.h>\n',
                           "only cpu may use this library"),
    "partitions/peeps.c": ('#include "hypervisor/vp_private.h"\n',
                           "is private to hypervisor"),
    "tests/results/peeps.c": ('#include "cpu/tlb_private.h"\n',
                          "is private to cpu"),
    "cpu/relative.c": ('#include "engine.h"\n', "from the root of the tree"),
    "cpu/dear.c": ('int price_hlt = 1200;\n', "prices belong to sim/machine"),
    "sim/machine/up.c": ('#include "sim/cli/cli.h"\n',
                         "sim/machine must not know sim/cli"),
    "sim/scenario/reads.c": ('#include "perfcounters/pc_report.h"\n',
                             "may feed counters, not read them"),
    "vmbus/dear.c": ('#include "sim/machine/cost_profiles/x.def"\n',
                     "vmbus must not know sim/machine"),
    "partitions/guest.c": ('#include "workloads/abi.h"\n', "share no code"),
    "hypervisor/tested.c": ('#include "tests/fake.h"\n',
                            "nothing may depend on tests"),
}


if __name__ == "__main__":
    sys.exit(planted.main(__doc__, check_tree, PLANTED))
