# SPDX-License-Identifier: GPL-2.0-or-later
"""The Linux kernels that the tests boot, how, and what must come of it."""

from dataclasses import dataclass, field
from hashlib import md5
from typing import Callable, Optional

from linux_scenarios import (boot_shows, console_shows, contention_shows,
                             disk_shows, guest_view_shows, hot_add_shows,
                             many_shows, smp_shows, transfer_shows, values)

SKIPPED = 77  # an exit code that ctest knows

RELEASES = ("bookworm", "trixie")

# Each line for the shell begins with this. It stands between double quotes on
# the kernel's command line, and so has none.
SEEN = ("echo hvsim: result vps $(nproc) count; "
        "dmesg | grep -i 'hypervisor detected'; "
        "cat /sys/devices/system/clocksource/clocksource0/current_clocksource")

POWER_OFF = "reboot: Power down"
ON_HYPERV = (": Microsoft Hyper-V", "hyperv_clocksource_tsc_page", POWER_OFF)
ON_NOTHING = ("tsc", POWER_OFF)
BAD = ("Call Trace", "BUG:", "WARNING: CPU", "unstable")

# Drivers of Hyper-V's devices, and what they say when all is well.
SERVICES = ("hv_utils",)
STORAGE = ("hv_storvsc", "sd_mod")
SAYS_SERVICES = ("Vmbus version:5.3", "Heartbeat IC version 3.0",
                 "Shutdown IC version 3.2", "TimeSync IC version 4.0")

# Every device has its driver, and the heartbeat goes on.
SERVICES_LINE = (
    "dmesg | grep -E 'IC version|Vmbus version'; cd /sys/bus/vmbus/devices; "
    "echo hvsim: result devices $(ls | wc -l) count; "
    "echo hvsim: result drivers $(ls -d */driver | wc -l) count; "
    "heart=$(dirname $(grep -l 57164f39 */class_id)); "
    "echo hvsim: result beats $(cat $heart/channels/*/events) count; sleep 10; "
    "echo hvsim: result beats $(cat $heart/channels/*/events) count")

# A disk's image, beside the scenario: lines that no other place has.
IMAGE = "disk.img"
IMAGE_BYTES = b"".join(b"%7d\n" % line for line in range(1 << 17))

# What was written is read again, from the disk and not from memory.
WRITTEN_BYTES = sum(len(str(number)) + 1 for number in range(1, 300001))
DISK_LINE = (
    "until [ -b /dev/sda ]; do sleep 0.1; done; seq 300000 > /tmp/a; "
    "dd if=/tmp/a of=/dev/sda bs=64k seek=16 conv=fsync; "
    "echo 3 > /proc/sys/vm/drop_caches; "
    "dd if=/dev/sda bs=64k skip=16 | head -c $(wc -c < /tmp/a) | cmp - /tmp/a "
    "&& echo written and read; grep -E 'sda$' /proc/partitions; "
    "set -- $(cat /sys/block/sda/stat); "
    "echo hvsim: result read_sectors $3 count; "
    "echo hvsim: result written_sectors $7 count")

# The image is there, can be written over, and the rest of the disk is zeros.
IMAGE_LINE = (
    "until [ -b /dev/sda ]; do sleep 0.1; done; "
    "dd if=/dev/sda bs=1M count=1 | md5sum; "
    "dd if=/dev/sda bs=1M skip=1 | tr -d '\\0' | wc -c; "
    "echo over it | dd of=/dev/sda conv=fsync; "
    "echo 3 > /proc/sys/vm/drop_caches; head -c 16 /dev/sda")

# The threads of a core, as CPUID tells them.
SIBLINGS_LINE = (
    "echo siblings "
    "$(cat /sys/devices/system/cpu/cpu*/topology/thread_siblings_list)")

NOTHING = {"hypervisor": False, "x2apic": False}


@dataclass(frozen=True)
class LinuxCase:
    """A VM of the tests' own, or one of scenarios/."""
    release: str = "bookworm"
    vps: int = 1
    cmdline: str = ""  # more of it
    run: str = "true"
    enlightenments: dict = field(default_factory=dict)
    modules: tuple = ()         # to load
    devices: str = ""           # more keys of the VM, in YAML
    host: str = ""              # more keys of the host
    says: tuple = ON_HYPERV     # on the console
    never_says: tuple = BAD
    powers_off: bool = True     # not: runs for as long as it may
    fails_with: str = ""        # what hvsim says then; empty: it succeeds
    scenario: Optional[str] = None
    # What it promises: its results in, what is not so out.
    shows: Optional[Callable] = None


# Drivers go and come again: channels are closed and opened anew. (hv_vmbus
# stays: Linux takes its timers away with it.)
RELOAD_LINE = (
    "for i in 1 2 3; do until [ -b /dev/sda ]; do sleep 0.1; done; "
    "ifconfig eth0 10.0.0.1 up; dd if=/dev/sda of=/dev/null bs=1M; "
    "ifconfig eth0 down; rmmod hv_netvsc sd_mod hv_storvsc hv_utils; "
    "for m in hv_utils hv_storvsc sd_mod hv_netvsc; do modprobe $m; done; "
    "done; echo hvsim: result agreed "
    "$(dmesg | grep -c '[H]eartbeat IC version') count")

# The guest resets its VM, and finds what it has written before.
REBOOT_LINE = (
    "until [ -b /dev/sda ]; do sleep 0.1; done; "
    "[ $(head -c 4 /dev/sda | tr '\\0' -) = back ] || "
    "{ echo back | dd of=/dev/sda conv=fsync; reboot -f; }; echo was here")


def reload_shows(results):
    """Once at the beginning, and then each time."""
    if values(results, "guest", "agreed") != [4]:
        yield "the services have not come back each time"


def services_show(results):
    """Three devices, each with its driver; a heartbeat every two seconds."""
    if values(results, "guest", "devices") != [3]:
        yield "there are not three devices"
    if values(results, "guest", "drivers") != [3]:
        yield "not all devices have their drivers"
    beats = values(results, "guest", "beats")
    if len(beats) != 2 or beats[1] - beats[0] != 5:
        yield f"the heartbeat does not go on: {beats}"


def wrote_and_read(results):
    """The kernel's own count: all was written, and read from the disk."""
    for name in ("read_sectors", "written_sectors"):
        if not values(results, "guest", name) >= [WRITTEN_BYTES // 512]:
            yield f"too little for {name}"


def services(**more):
    return LinuxCase(modules=SERVICES, run=SERVICES_LINE,
                     says=ON_HYPERV + SAYS_SERVICES, shows=services_show,
                     **more)


def shut_down(**more):
    """The host asks; the guest would go on for longer than it may."""
    return LinuxCase(modules=SERVICES, run="sleep 100",
                     devices="shutdown_at: 5s",
                     never_says=BAD + ("forcing the issue",), **more)


def disk(**more):
    return LinuxCase(modules=STORAGE, run=DISK_LINE,
                     devices="disks: [{size: 64MiB}]",
                     says=ON_HYPERV + ("written and read", "65536 sda"),
                     shows=wrote_and_read, **more)


def job(vps, **more):
    return LinuxCase(vps=vps, run=f"hvsim-job {vps} 40", **more)


LINUX_CASES = {
    "scenario_boot": LinuxCase(scenario="linux-boot", shows=boot_shows),
    "scenario_smp": LinuxCase(scenario="linux-smp", says=(),
                              shows=smp_shows),
    "scenario_hot_add": LinuxCase(scenario="linux-hot-add", says=(),
                                  shows=hot_add_shows),
    "trixie_hot_add": LinuxCase(scenario="linux-hot-add", says=(),
                                release="trixie", shows=hot_add_shows),
    "scenario_many": LinuxCase(scenario="linux-many", says=(),
                               shows=many_shows),
    "scenario_contention": LinuxCase(scenario="linux-contention", says=(),
                                     shows=contention_shows),
    "trixie_contention": LinuxCase(scenario="linux-contention", says=(),
                                   release="trixie", shows=contention_shows),
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
    "smt": LinuxCase(vps=4, host="smt: 2, ", run=SIBLINGS_LINE,
                     says=ON_HYPERV + ("siblings 0-1 0-1 2-3 2-3",)),
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
    "services": services(),
    "services_smp2": services(vps=2),
    "trixie_services": services(release="trixie"),
    "shutdown": shut_down(),
    "trixie_shutdown": shut_down(release="trixie", vps=2),
    "disk": disk(),
    "trixie_disk": disk(release="trixie", vps=4),
    "disk_image": LinuxCase(
        modules=STORAGE, run=IMAGE_LINE,
        devices=f"disks: [{{file: {IMAGE}, size: 8MiB}}]",
        says=ON_HYPERV + (f"{md5(IMAGE_BYTES).hexdigest()}  -", "\n0\n",
                          "over it\n")),
    "reload": LinuxCase(
        vps=2, modules=SERVICES + STORAGE + ("hv_netvsc",), run=RELOAD_LINE,
        devices="disks: [{size: 16MiB}]\n    nics: [{switch: lab}]",
        shows=reload_shows),
    "reboot": LinuxCase(
        modules=STORAGE, run=REBOOT_LINE, says=ON_HYPERV + ("was here",),
        devices="disks: [{size: 1MiB}]"),
    "scenario_disk": LinuxCase(scenario="linux-disk", says=(),
                               shows=disk_shows),
    "crash": LinuxCase(
        cmdline="quiet", run="echo c > /proc/sysrq-trigger", says=(),
        never_says=(),
        fails_with="Kernel panic - not syncing: sysrq triggered crash"),
}
