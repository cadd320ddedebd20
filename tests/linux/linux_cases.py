# SPDX-License-Identifier: GPL-2.0-or-later
"""The Linux kernels that the tests boot, how, and what must come of it."""

from dataclasses import dataclass, field
from typing import Callable, Optional

from linux_scenarios import (boot_shows, console_shows, guest_view_shows,
                             many_shows, smp_shows,
                             transfer_shows)

SKIPPED = 77  # an exit code that ctest knows

RELEASES = ("bookworm", "trixie")

# Each line for the shell ends with this. It stands between double quotes on the
# kernel's command line, and so has none.
SEEN = ("echo hvsim: result vps $(nproc) count; "
        "dmesg | grep -i 'hypervisor detected'; "
        "cat /sys/devices/system/clocksource/clocksource0/current_clocksource")

POWER_OFF = "reboot: Power down"
ON_HYPERV = (": Microsoft Hyper-V", "hyperv_clocksource_tsc_page", POWER_OFF)
ON_NOTHING = ("tsc", POWER_OFF)
BAD = ("Call Trace", "BUG:", "WARNING: CPU", "unstable")
NOTHING = {"hypervisor": False, "x2apic": False}


@dataclass(frozen=True)
class LinuxCase:
    """A VM of the tests' own, or one of scenarios/."""
    release: str = "bookworm"
    vps: int = 1
    cmdline: str = ""  # more of it
    run: str = "true"
    enlightenments: dict = field(default_factory=dict)
    says: tuple = ON_HYPERV     # on the console
    never_says: tuple = BAD
    powers_off: bool = True     # not: runs for as long as it may
    fails_with: str = ""        # what hvsim says then; empty: it succeeds
    scenario: Optional[str] = None
    # What it promises: its results in, what is not so out.
    shows: Optional[Callable] = None


def job(vps, **more):
    return LinuxCase(vps=vps, run=f"hvsim-job {vps} 40", **more)


LINUX_CASES = {
    "scenario_boot": LinuxCase(scenario="linux-boot", shows=boot_shows),
    "scenario_smp": LinuxCase(scenario="linux-smp", says=(),
                              shows=smp_shows),
    "scenario_many": LinuxCase(scenario="linux-many", says=(),
                               shows=many_shows),
    "scenario_guest_view": LinuxCase(scenario="guest-view", says=(),
                                     powers_off=False, shows=guest_view_shows),
    "scenario_console": LinuxCase(scenario="linux-console", says=(),
                                  shows=console_shows),
    "scenario_transfer": LinuxCase(scenario="linux-transfer", says=(),
                                   shows=transfer_shows),
    "trixie_transfer": LinuxCase(scenario="linux-transfer", says=(),
                                 release="trixie", shows=transfer_shows),
    "smp2": job(2),
    "smp8": job(8),
    "trixie": LinuxCase(release="trixie"),
    "trixie_smp2": job(2, release="trixie"),
    "trixie_smp4": job(4, release="trixie"),
    "trixie_smp8": job(8, release="trixie"),
    "nohz_off": LinuxCase(vps=4, cmdline="nohz=off", run="sleep 0.2"),
    "without_x2apic": job(2, enlightenments={"x2apic": False}),
    "without_direct_timers": job(2, enlightenments={"direct_timers": False}),
    "without_hypervisor": LinuxCase(
        vps=4, enlightenments=NOTHING, says=ON_NOTHING,
        never_says=BAD + ("Hypervisor detected",)),
    "trixie_without_hypervisor": LinuxCase(
        release="trixie", enlightenments=NOTHING, says=ON_NOTHING,
        never_says=BAD + ("Hypervisor detected",)),
    "crash": LinuxCase(
        cmdline="quiet", run="echo c > /proc/sysrq-trigger", says=(),
        never_says=(),
        fails_with="Kernel panic - not syncing: sysrq triggered crash"),
}
