#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Times the boot of Debian 12's cloud kernel to an init that powers off.

    bench_boot.py HVSIM GUESTS

Prints processor seconds of the host, the best of several runs: ours with and
without prices and with four VPs; and those of QEMU's TCG (microvm, the same
kernel and initramfs, one thread), with -icount and without, in turn with ours.
Run by the targets "bench" and "bench-linux"; the latter fetches the kernel.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROUNDS = 3
SECONDS_MAX = 120
QEMU = "qemu-system-x86_64"
# The line by which the kernel says that there is nothing left to do. A microvm
# without ACPI cannot be powered off, so QEMU is ended at it.
LAST_LINE = b"reboot: "
CMDLINE = "console=ttyS0"

SCENARIO = """\
hvsim: 1
name: bench-boot
duration: 1min
host: {{nodes: [{{lps: {vps}, memory: 4GiB}}]}}
root: {{vps: 1, memory: 512MiB}}
hypervisor: {{timing: {timing}}}
vms:
  - name: guest
    vps: {vps}
    memory: 512MiB
    guest: {{linux: {files}/vmlinuz, initrd: {files}/initrd-bare,
            cmdline: {cmdline}}}
"""


def seconds_of(command, last_line=None):
    """User and system seconds of a command; None if it fails. It is ended when
    it writes the last line, if there is one."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    watchdog = threading.Timer(SECONDS_MAX, process.kill)
    watchdog.start()
    reached = last_line is None
    for line in process.stdout:
        if last_line and last_line in line:
            reached = True
            process.terminate()
    _, status, usage = os.wait4(process.pid, 0)
    watchdog.cancel()
    # Popen must not wait for what is gone.
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if not reached or (not last_line and process.returncode != 0):
        return None
    return usage.ru_utime + usage.ru_stime


def hvsim_boot(hvsim, files, folder, vps=1, timing="table"):
    """A function that times one boot of ours."""
    scenario = folder / f"{vps}-{timing}.yaml"
    scenario.write_text(SCENARIO.format(vps=vps, timing=timing, files=files,
                                        cmdline=CMDLINE))
    return lambda: seconds_of([hvsim, "run", scenario, "--quiet", "--force",
                               "-o", folder / "out.db"])


def qemu_boot(files, *more):
    """A function that times one boot of QEMU's."""
    command = [QEMU, "-M", "microvm,acpi=off,pit=on,pic=on,rtc=on",
               "-accel", "tcg,thread=single", "-cpu", "Broadwell", "-m", "512",
               "-nodefaults", "-no-user-config", "-display", "none",
               "-serial", "stdio", "-kernel", files / "vmlinuz",
               "-initrd", files / "initrd-bare", "-append", CMDLINE, *more]
    return lambda: seconds_of(command, LAST_LINE)


def best_of(boots):
    """{name: least seconds}, all in turn, so that they share the machine's
    moods."""
    best = {}
    for _ in range(ROUNDS):
        for name, boot in boots.items():
            seconds = boot()
            if seconds is None:
                sys.exit(f"bench_boot: {name}: the kernel does not come to "
                         "its end")
            best[name] = min(seconds, best.get(name, seconds))
    return best


def main(hvsim, guests):
    files = Path(guests).resolve() / "bookworm"
    if not (files / "initrd-bare").exists():
        print(f"Boot of Linux: NOT measured, there is no kernel in {files}; "
              "the target linux-guests fetches it.")
        return
    has_qemu = shutil.which(QEMU) is not None
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        boots = {
            "hvsim": hvsim_boot(hvsim, files, folder),
            "hvsim, timing: null": hvsim_boot(hvsim, files, folder,
                                              timing="null"),
            "hvsim, 4 VPs": hvsim_boot(hvsim, files, folder, vps=4),
        }
        if has_qemu:
            boots["QEMU -icount"] = qemu_boot(files, "-icount",
                                              "shift=0,sleep=off")
            boots["QEMU"] = qemu_boot(files)
        best = best_of(boots)
    print("Boot of Debian 12's cloud kernel, processor seconds "
          f"(best of {ROUNDS}), and hvsim's in relation:")
    for name, seconds in best.items():
        print(f"  {name:20} {seconds:7.2f}   {best['hvsim'] / seconds:6.2f}")
    if not has_qemu:
        print(f"  ({QEMU} is not installed: nothing to compare with)")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
