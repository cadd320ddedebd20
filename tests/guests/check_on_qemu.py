#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the in-guest tests under QEMU's TCG: check_on_qemu.py IMAGES [TEST...]

Not part of the test suite, since it needs qemu-system-x86_64. It tests the
tests: an implementation that shares nothing with ours must pass them too.
IMAGES is the build's folder `workloads`.
"""

import pathlib
import re
import subprocess
import sys

from guest_tests import GUEST_TESTS, failures

RESULT = re.compile(r"^hvsim: result (\S+) (\S+) \S+$")
END = re.compile(r"^hvsim: (done|fail.*)$")
SECONDS_MAX = 120
QEMU = (
    "qemu-system-x86_64 -accel tcg,thread=single -display none -serial stdio"
    " -monitor none -no-reboot"
).split()
# A clock that counts instructions: a busy host changes nothing. Not always on,
# because TCG then steps once more at the end of a string instruction.
BY_INSTRUCTIONS = ["-icount", "shift=2"]
PROCESSORS = ("EPYC", "Skylake-Client")


def run(test, images, processor):
    """Returns (last line of the results channel, results)."""
    args = {**test.args, "quirks": "tcg"}
    command = QEMU + (BY_INSTRUCTIONS if test.is_timed else []) + [
        "-cpu", processor,
        "-smp", str(test.vps),
        "-m", str(test.memory_mib),
        "-kernel", str(images / test.image),
        "-append", " ".join(f"{k}={v}" for k, v in args.items()),
    ]  # fmt: skip
    results, end = {}, ""
    with subprocess.Popen(
        ["timeout", str(SECONDS_MAX), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as qemu:
        for line in qemu.stdout:
            line = line.rstrip("\r\n")
            if match := RESULT.match(line):
                results[match[1]] = float(match[2])
            if match := END.match(line):
                end = match[1]
                break
        qemu.terminate()
    return end, results


def main():
    images = pathlib.Path(sys.argv[1])
    names = sys.argv[2:] or [n for n, t in GUEST_TESTS.items() if t.runs_on_qemu]
    failed = False
    for name in names:
        for processor in PROCESSORS:
            test = GUEST_TESTS[name]
            end, results = run(test, images, processor)
            wrong = failures(test, results)
            # QEMU resets at a triple fault; -no-reboot makes that an exit.
            if end != ("" if test.fails_with else "done"):
                wrong.append(end or "no end")
            failed = failed or bool(wrong)
            print(f"{name:14} {processor:15} {'; '.join(wrong) or 'ok'}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
