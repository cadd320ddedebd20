#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs real guests under scenarios whose timeline changes things on the way.

usage: check_timeline.py HVSIM SCENARIOS
"""
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import unittest

HVSIM = pathlib.Path(sys.argv[1]).resolve()
SCENARIOS = pathlib.Path(sys.argv[2]).resolve()
DEADLINE_S = 300  # host time; reached only by a failure

LP = "Hyper-V Hypervisor Logical Processor"
VP = "Hyper-V Hypervisor Virtual Processor"

# Two VMs whose guests are busy for longer than the run.
BUSY = """\
hvsim: 1
name: busy
duration: 200ms
host: {{smt: 2, nodes: [{{lps: 4, memory: 2GiB}}]}}
root: {{vps: 1, memory: 512MiB}}
hypervisor: {{scheduler: {scheduler}}}
{groups}
vms:
  - {{name: web, vps: 2, {web} guest: {{workload: heavy-load,
     args: {{busy: 1s}}}}}}
  - {{name: batch, count: 2, {batch} guest: {{workload: heavy-load,
     args: {{busy: 1s}}}}}}
at: [{at}]
counters: {{interval: 50ms}}
"""

# A VM that is stopped soon after it is to get VPs, and started again.
ADDED = """\
hvsim: 1
name: added
duration: 200ms
host: {{nodes: [{{lps: 4, memory: 2GiB}}]}}
root: {{vps: 1, memory: 512MiB}}
vms:
  - {{name: web, vps: 1, vps_max: 4, guest: {{workload: hot-add,
     args: {{busy: 60ms}}}}}}
at:
  - {{time: 50ms, add_vps: {{vm: web, count: 3}}}}
  - {{time: {stop_us}us, stop: web}}
  - {{time: 100ms, start: web}}
counters: {{interval: 50ms}}
"""

# A VM of each kind of instance, off from 100 ms until 200 ms.
AGAIN = """\
hvsim: 1
name: again
duration: 300ms
host: {nodes: [{lps: 4, memory: 2GiB}]}
root: {vps: 1, memory: 512MiB}
vms:
  - {name: web, vps: 2, memory: 64MiB, disks: [{size: 1MiB}, {size: 1MiB}],
     nics: [{switch: lan}], guest: {workload: heavy-load, args: {busy: 1s}}}
  - {name: rival, vps: 4, nics: [{switch: lan}],
     guest: {workload: heavy-load, args: {busy: 1s}}}
at:
  - {time: 100ms, stop: web}
  - {time: 200ms, start: web}
counters: {interval: 50ms}
"""


class Timeline(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def run_file(self, scenario, *more):
        done = subprocess.run(
            [HVSIM, "run", scenario, "--quiet", "--force", "-o", "a.db", *more],
            cwd=self.path, check=False, timeout=DEADLINE_S,
            capture_output=True, text=True)
        return done.returncode, done.stderr

    def run_busy(self, at, scheduler="classic", groups="", web="", batch=""):
        (self.path / "a.yaml").write_text(BUSY.format(
            at=at, scheduler=scheduler, groups=groups, web=web, batch=batch))
        return self.run_file("a.yaml")

    def rows(self, sql, *values):
        db = sqlite3.connect(self.path / "a.db")
        try:
            return db.execute(sql, values).fetchall()
        finally:
            db.close()

    def share(self, vm, until_ns):
        """What the VM's VPs had in that interval, in % of an LP."""
        (value,), = self.rows(
            "SELECT sum(value) FROM perf WHERE object = ? AND counter ="
            " '% Total Run Time' AND instance LIKE ? || ':%'"
            " AND time_ns = ?", VP, vm, until_ns)
        return value or 0

    def lp_share(self, lp, until_ns):
        (value,), = self.rows(
            "SELECT value FROM perf WHERE object = ? AND counter ="
            " '% Guest Run Time' AND instance = 'Hv LP ' || ? AND time_ns = ?",
            LP, lp, until_ns)
        return value

    def test_weights_limits_and_a_stop_show_from_their_time_on(self):
        code, errors = self.run_file(SCENARIOS / "weights.yaml")
        self.assertEqual((code, errors), (0, ""))
        ms = 1000000
        self.assertAlmostEqual(self.share("web", 200 * ms), 200, delta=10)
        for until in (400, 500):
            self.assertAlmostEqual(self.share("web", until * ms), 300, delta=12)
        for until in (700, 800):
            self.assertAlmostEqual(self.share("batch", until * ms), 40, delta=2)
        self.assertEqual(self.share("batch", 1000 * ms), 0)
        self.assertGreater(self.share("web", 1000 * ms), 395)

    def test_a_guest_takes_the_processors_that_it_gets(self):
        code, errors = self.run_file(SCENARIOS / "hot-add.yaml")
        self.assertEqual((code, errors), (0, ""))
        self.assertEqual(
            [value for value, in self.rows(
                "SELECT value FROM result WHERE name = 'processors'")],
            [1, 2, 3, 4])
        ms = 1000000
        self.assertAlmostEqual(self.share("web", 200 * ms), 100, delta=3)
        self.assertAlmostEqual(self.share("web", 400 * ms), 200, delta=3)
        self.assertAlmostEqual(self.share("web", 700 * ms), 400, delta=3)

    def test_a_guest_stopped_while_it_gets_processors_finds_them_later(self):
        """They are made when the VM is stopped, but the guest is not told."""
        seen = set()
        for stop_us in range(50250, 52000, 150):
            (self.path / "a.yaml").write_text(ADDED.format(stop_us=stop_us))
            code, errors = self.run_file("a.yaml")
            vps = len(self.rows(
                "SELECT DISTINCT instance FROM perf WHERE object = ? AND"
                " instance LIKE 'web:%' AND time_ns > 100000000", VP))
            (most,), = self.rows(
                "SELECT max(value) FROM result WHERE name = 'processors'")
            self.assertEqual(vps, most, stop_us)
            if code:
                self.assertIn("cannot add VPs: it does not run", errors)
            self.assertEqual(most, 1 if code else 4, stop_us)
            seen.add(most)
        self.assertEqual(seen, {1, 4})

    def test_a_vm_that_is_started_again_is_the_one_that_it_was(self):
        (self.path / "a.yaml").write_text(AGAIN)
        code, errors = self.run_file("a.yaml")
        self.assertEqual((code, errors), (0, ""))
        self.assertEqual(len(self.rows(
            "SELECT * FROM partition WHERE vm = 'web'")), 2)
        instances = {name for name, in self.rows(
            "SELECT DISTINCT instance FROM perf_total")}
        for name in ("web:Hv VP 0", "web:Hv VP 1", "web_Hard Drive_0",
                     "web_Hard Drive_1", "web_Network Adapter_0", "web"):
            self.assertIn(name, instances)
        for view, key in (("perf_total", "object, instance, counter"),
                          ("perf", "time_ns, object, instance, counter"),
                          ("wait", "vm, vp, rule"),
                          ("wait_holder", "vm, vp, holder_vm, holder_vp"),
                          ("wait_histogram", "vm, vp, from_ns"),
                          ("wait_worst", "vm, vp, rank")):
            rows = self.rows(f"SELECT {key} FROM {view}")
            self.assertEqual(len(rows), len(set(rows)), view)
            self.assertTrue(any("web" in row[i] for row in rows
                                for i in range(len(row))
                                if isinstance(row[i], str)), view)
        ms = 1000000
        self.assertEqual(
            self.rows("SELECT DISTINCT time_ns FROM perf WHERE object = ? AND"
                      " instance = 'web:Hv VP 1' ORDER BY time_ns", VP),
            [(at * ms,) for at in (50, 100, 150, 250, 300)])
        for vp in range(2):
            self.check_total_of_intervals(f"web:Hv VP {vp}", 50, 300)

    def check_total_of_intervals(self, instance, interval_ms, run_ms):
        """Over the run there is what there was in its intervals together."""
        for counter in ("% Guest Run Time", "Total Intercepts/sec",
                        "Logical Processor Dispatches/sec"):
            (total,), = self.rows(
                "SELECT value FROM perf_total WHERE object = ? AND instance ="
                " ? AND counter = ?", VP, instance, counter)
            (intervals,), = self.rows(
                "SELECT sum(value) FROM perf WHERE object = ? AND instance ="
                " ? AND counter = ?", VP, instance, counter)
            self.assertGreater(total, 0)
            self.assertAlmostEqual(total * run_ms, intervals * interval_ms,
                                   delta=total * run_ms * 1e-9)

    def test_what_comes_at_the_end_is_not_done_and_just_before_it_fails(self):
        """As the note says, which `check` prints; but a root that has no time
        for what it was asked in time is a failure."""
        entry = "{{time: {}, set: {{vm: web, weight: 200}}}}"
        self.assertEqual(self.run_busy(entry.format("200ms")), (0, ""))
        code, errors = self.run_busy(entry.format("199999999ns"))
        self.assertEqual(code, 1)
        self.assertIn("a.yaml:13:6: at[0]: the run has ended before", errors)

    def test_a_group_is_nobodys_when_all_vms_are_off(self):
        """Whether its change comes before the stop that ends the run or after
        it, at the same time."""
        entries = ["{time: 50ms, set: {group: gold, cap: 25%}}",
                   "{time: 50ms, stop: web}", "{time: 50ms, stop: batch}"]
        for at in entries, entries[1:] + entries[:1]:
            self.assertEqual(
                self.run_busy(", ".join(at), groups="groups: [{name: gold}]"),
                (0, ""))
            (ended,), = self.rows("SELECT sim_ns FROM run")
            self.assertLess(ended, 60000000)

    def test_a_run_with_a_timeline_repeats_exactly(self):
        results = []
        for _ in range(2):
            self.run_file(SCENARIOS / "hot-add.yaml")
            results.append([self.rows("SELECT trace_hash FROM run"),
                            self.rows("SELECT * FROM result"),
                            self.rows("SELECT * FROM perf")])
        self.assertEqual(*results)

    def test_a_groups_cap_is_for_all_of_its_vms(self):
        code, errors = self.run_busy(
            "{time: 100ms, set: {group: gold, cap: 25%}}",
            groups="groups: [{name: gold, lps: [2-3]}]", web="group: gold,",
            batch="group: gold,")
        self.assertEqual((code, errors), (0, ""))
        self.assertAlmostEqual(
            self.share("web", 100000000) + self.share("batch-_", 100000000),
            200, delta=5)
        self.assertAlmostEqual(
            self.share("web", 200000000) + self.share("batch-_", 200000000),
            50, delta=2)
        self.assertLess(self.lp_share(1, 200000000), 1)
        self.assertEqual(self.rows(
            "SELECT value > 0 FROM perf_total WHERE counter ="
            " 'CPU Group Hypercalls/sec' AND instance = 'Root VP 0'"), [(1,)])

    def test_one_vm_of_an_entry_is_started_later_and_moved(self):
        code, errors = self.run_busy(
            "{time: 50ms, start: batch-2},"
            " {time: 100ms, set: {vm: batch-2, affinity: 3}},"
            " {time: 100ms, set: {vm: web, affinity: [0-1]}},"
            " {time: 100ms, set: {vm: batch-1, affinity: [0-1]}}")
        self.assertEqual((code, errors), (0, ""))
        self.assertEqual(self.share("batch-2", 50000000), 0)
        self.assertAlmostEqual(self.share("batch-2", 200000000), 100, delta=1)
        self.assertAlmostEqual(self.lp_share(3, 200000000), 100, delta=1)
        self.assertLess(self.lp_share(2, 200000000), 1)

    def test_what_cannot_be_promised_fails_with_the_entrys_place(self):
        code, errors = self.run_busy(
            "{time: 50ms, set: {vm: web, reserve: 100%}}, \n"
            "     {time: 60ms, set: {vm: batch, reserve: 60%}},\n"
            "     {time: 70ms, add_vps: {vm: web, count: 1}}")
        self.assertEqual(code, 1)
        self.assertIn('VM "web": a.yaml:15:6: at[2]: ', errors)
        (vm, reason), = self.rows("SELECT vm, reason FROM failure")
        self.assertEqual(vm, "web")
        self.assertIn("a.yaml:15:6: at[2]: ", reason)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
