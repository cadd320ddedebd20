# SPDX-License-Identifier: GPL-2.0-or-later
"""What the Linux scenarios of scenarios/ promise: each function takes the
results of a run and returns what is not so."""

VP = "Hyper-V Hypervisor Virtual Processor"
NIC = "Hyper-V Virtual Network Adapter"
DISK = "Hyper-V Virtual Storage Device"


def values(results, vm, name):
    """What the VM has reported under that name, in order."""
    return [value for value, in results.execute(
        "SELECT value FROM result WHERE vm = ? AND name = ?", (vm, name))]


def of_vps(results, vm, counter):
    """The counter of each of the VM's VPs over the run."""
    return [value for value, in results.execute(
        "SELECT value FROM perf_total WHERE object = ? AND counter = ?"
        " AND instance LIKE ? || ':%' ORDER BY instance", (VP, counter, vm))]


def of_nic(results, vm, counter):
    """The counter of each of the VM's network adapters over the run."""
    return [value for value, in results.execute(
        "SELECT value FROM perf_total WHERE object = ? AND counter = ?"
        " AND instance LIKE ? || '_Network Adapter_%' ORDER BY instance",
        (NIC, counter, vm))]


def boot_shows(results):
    """To a shell line: its output, and how long it took."""
    lines = [line for line, in results.execute("SELECT line FROM console")]
    if not any(line.startswith("Linux ") and "-cloud-amd64" in line
               for line in lines):
        yield "the shell's line does not say what kernel this is"
    if not any("Mem:" in line for line in lines):
        yield "the shell's line does not show the memory"
    if len(values(results, "debian", "run")) != 1:
        yield "there is no result \"run\""


def smp_shows(results):
    """The same job by one process and by four, on four VPs."""
    elapsed = values(results, "debian", "elapsed")
    if len(elapsed) != 2 or not 3.3 < elapsed[0] / elapsed[1] < 4.1:
        yield f"four processes are not four times as fast as one: {elapsed}"
    if values(results, "debian", "items") != [200, 200]:
        yield "the jobs are not done"
    if len(set(values(results, "debian", "checksum"))) != 1:
        yield "the jobs' checksums differ"
    busy = [value for value, in results.execute(
        "SELECT max(value) FROM perf WHERE object = ? AND counter ="
        " '% Guest Run Time' AND instance LIKE 'debian:%' GROUP BY instance"
        " ORDER BY instance", (VP,))]
    # A job of four takes a tenth of an interval.
    if len(busy) != 4 or min(busy) < 9:
        yield f"not all four VPs have worked: {busy}"


def hot_add_shows(results):
    """Processors come, and the same job is done faster with them."""
    lines = [line for line, in results.execute("SELECT line FROM console")]
    for words in ("CPU1 has been hot-added", "CPU2 has been hot-added",
                  "online 0-2"):
        if not any(words in line for line in lines):
            yield f"the console never says \"{words}\""
    elapsed = values(results, "debian", "elapsed")
    # The kernel has work of its own at first.
    if len(elapsed) != 2 or elapsed[0] < 2.5 * elapsed[1]:
        yield f"three processors are not three times as fast as one: {elapsed}"
    if len(set(values(results, "debian", "checksum"))) != 1:
        yield "the jobs' checksums differ"
    if len(of_vps(results, "debian", "% Total Run Time")) != 3:
        yield "there are not three VPs"


# What scenarios/contention.yaml reports with seed 1: tests/validation holds it
# to that.
CONTENTION_CHECKSUM = 6396921


def contention_shows(results):
    """The benchmark computes what our own guest does."""
    one = {name: value for name, value in results.execute(
        "SELECT name, value FROM result WHERE vm = 'job'")}
    if one.get("tasks") != 320:
        yield f"not all tasks are done: {one}"
    elif one["checksum"] != CONTENTION_CHECKSUM:
        yield f"another checksum: {one['checksum']}"
    elif not (one["slept"] / 16 < one["elapsed"] and
              one["task_min"] <= one["task_p50"] <= one["task_max"] and
              one["cpu"] < 4.1 * one["elapsed"]):
        yield f"the times make no sense: {one}"


def many_shows(results):
    """The same job in four VMs, whose VPs wait for LPs."""
    checksums = set()
    for number in range(1, 5):
        vm = f"debian-{number}"
        if values(results, vm, "items") != [1000]:
            yield f"{vm} has not done its job"
        checksums.update(values(results, vm, "checksum"))
        run = of_vps(results, vm, "% Guest Run Time")
        if len(run) != 2 or min(run) < 10:
            yield f"not both VPs of {vm} have worked: {run}"
        if min(of_vps(results, vm, "CPU Wait Time Per Dispatch")) <= 0:
            yield f"{vm} has not waited for an LP"
    if len(checksums) != 1:
        yield "the jobs' checksums differ"


def console_shows(results):
    """All that is typed, and what a shell answers."""
    typed = [bytes(text) for text, in results.execute(
        "SELECT bytes FROM input")]
    if len(typed) != 5 or typed[2] != b"\x03":
        yield f"not everything was typed: {typed}"
    text = "\n".join(line for line, in results.execute(
        "SELECT line FROM console"))
    for answer in ("-cloud-amd64\n", "\n^C\n", "\nctxt "):
        if answer not in text:
            yield f"the shell does not say {answer!r}"


def guest_view_shows(results):
    """What a guest believes and what the host has counted agree while there
    are LPs for all, and do not when there are not."""
    spans = results.execute(
        "SELECT vm, believed_busy, believed_stolen, guest_run, waiting,"
        " clock_ahead_ns FROM guest_view").fetchall()
    for vm in ("busy-1", "busy-2"):
        idle = [s for s in spans if s[0] == vm and s[1] < 5 and s[3] < 5]
        crowded = [s for s in spans if s[0] == vm and s[1] > 95
                   and 35 < s[3] < 55 and 35 < s[4] < 60]
        if len(idle) < 2:
            yield f"{vm} has no idle phase: {spans}"
        if len(crowded) < 2:
            yield f"{vm} does not believe in more than it gets: {spans}"
    idle = [s for s in spans if s[0] == "idle"]
    if len(idle) < 4 or max(s[3] for s in idle[1:]) > 1:
        yield f"idle is not: {idle}"
    if any(s[2] != 0 for s in spans):
        yield "a guest knows of time that was stolen from it"
    # The reports' way to the host takes longer on a crowded host.
    if any(abs(s[5]) > 10e6 for s in spans):
        yield f"a guest's clock does not keep time: {spans}"


def transfer_shows(results):
    """Pings, and a file that arrives as it was sent."""
    text = "\n".join(line for line, in results.execute(
        "SELECT line FROM console WHERE vm = 'client'"))
    if "3 packets transmitted, 3 packets received, 0% packet loss" not in text:
        yield "not every ping has its answer"
    if "real" not in text:
        yield "how long the transfer took is not told"
    sums = {tuple(values(results, vm, "checksum"))
            for vm in ("server", "client")}
    if len(sums) != 1 or len(sums.pop()) != 1:
        yield "what the server has is not what the client sent"
    if values(results, "server", "bytes") != [1000000]:
        yield "the server has not got a megabyte"
    sent = of_nic(results, "client", "Bytes Sent/sec")
    received = of_nic(results, "server", "Bytes Received/sec")
    sim_ns, = results.execute("SELECT sim_ns FROM run").fetchone()
    # Who is off already does not get what is sent last.
    if len(sent) != 1 or len(received) != 1 or sent[0] * sim_ns / 1e9 < 1e6 \
            or not 0.999 * sent[0] < received[0] <= sent[0]:
        yield f"{sent} bytes a second were sent, and {received} received"


def disk_shows(results):
    """What was written to a disk, and how fast."""
    lines = [line for line, in results.execute("SELECT line FROM console")]
    if "the same" not in lines:
        yield "what is read is not what was written"
    if not any("Virtual Disk" in line for line in lines):
        yield "the disk does not say what it is"
    for name in ("write", "read"):
        if len(values(results, "debian", name)) != 1:
            yield f"there is no result \"{name}\""
    counters = dict(results.execute(
        "SELECT counter, value FROM perf_total WHERE object = ?"
        " AND instance = 'debian_Hard Drive_0'", (DISK,)))
    sim_ns, = results.execute("SELECT sim_ns FROM run").fetchone()
    for counter in ("Read Bytes/sec", "Write Bytes/sec"):
        if counters[counter] * sim_ns / 1e9 < 15.9 * (1 << 20):
            yield f"{counter} is too small: {counters[counter]}"
    if counters["Flush Count"] < 1:
        yield "nothing has been flushed"
    if not 80e3 < counters["Latency"] < 1e6:
        yield f"the mean latency is {counters['Latency']} ns"
