# SPDX-License-Identifier: GPL-2.0-or-later
"""The Linux kernels that the tests boot, how, and what must come of it."""

from dataclasses import dataclass, field

SKIPPED = 77  # an exit code that ctest knows

RELEASES = ("bookworm", "trixie")

# Each case's line for the shell ends with this. It stands between double
# quotes on the kernel's command line, and so has none.
SEEN = ("echo hvsim: result vps $(nproc) count; "
        "dmesg | grep -i 'hypervisor detected'; "
        "cat /sys/devices/system/clocksource/clocksource0/current_clocksource")

ON_HYPERV = (": Microsoft Hyper-V", "hyperv_clocksource_tsc_page")
BAD = ("Call Trace", "BUG:", "WARNING: CPU", "unstable")


@dataclass(frozen=True)
class LinuxCase:
    release: str = "bookworm"
    vms: int = 1
    vps: int = 1
    cmdline: str = ""  # more of it
    run: str = "true"
    enlightenments: dict = field(default_factory=dict)
    says: tuple = ON_HYPERV     # on the console
    never_says: tuple = BAD


LINUX_CASES = {
    "boot": LinuxCase(),
    "boot_trixie": LinuxCase(release="trixie"),
    "smp2": LinuxCase(vps=2, run="hvsim-job 2 40"),
    "smp4": LinuxCase(vps=4, run="hvsim-job 4 40"),
    "smp8": LinuxCase(vps=8, run="hvsim-job 8 40"),
    "many": LinuxCase(vms=4, vps=2, run="hvsim-job 2 40"),
    "nohz_off": LinuxCase(cmdline="nohz=off", run="sleep 0.2"),
    "without_x2apic": LinuxCase(
        vps=2, enlightenments={"x2apic": False}, run="hvsim-job 2 40"),
    "without_direct_timers": LinuxCase(
        vps=2, enlightenments={"direct_timers": False}, run="hvsim-job 2 40"),
    "without_hypervisor": LinuxCase(
        enlightenments={"hypervisor": False, "x2apic": False}, says=("tsc",),
        never_says=BAD + ("Hypervisor detected",)),
}
