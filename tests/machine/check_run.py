#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the real hvsim into everything that can go wrong around a run.

usage: check_run.py HVSIM SCENARIO

Each test works in a folder of its own. What is asserted is what a person sees:
the exit code, the message, and what has been left behind.
"""
import os
import pathlib
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

HVSIM = pathlib.Path(sys.argv[1]).resolve()
SCENARIO = pathlib.Path(sys.argv[2]).resolve()
DEADLINE_S = 60  # host time; reached only by a failure

SMALL = """\
hvsim: 1
name: small
duration: {duration}
host: {{nodes: [{{lps: 2, memory: 1GiB}}]}}
root: {{vps: 2, memory: 256MiB}}
vms:
  - {{name: one, memory: 16MiB, guest: {{workload: {workload}}}}}
  - {{name: two, memory: 16MiB, guest: {{workload: tick-idle}}}}
counters: {{interval: 10ms}}
"""


def limit_file_size():
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))


class Run(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def write_scenario(self, workload="tick-idle", duration="50ms"):
        text = SMALL.format(workload=workload, duration=duration)
        (self.path / "small.yaml").write_text(text)

    def start(self, *args, env=None, **more):
        return subprocess.Popen(
            [HVSIM, "run", "small.yaml", *args], cwd=self.path, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={**os.environ, **(env or {})}, **more)

    def run_hvsim(self, *args, **more):
        process = self.start(*args, **more)
        out, err = process.communicate(timeout=DEADLINE_S)
        return process.returncode, out, err

    def rows(self, sql, name="small.db"):
        db = sqlite3.connect(f"file:{self.path / name}?mode=rw", uri=True)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def assert_intact(self):
        self.assertEqual(self.rows("PRAGMA integrity_check"), [("ok",)])

    def assert_left(self, *names):
        left = sorted(p.name for p in self.path.iterdir())
        self.assertEqual(left, sorted(["small.yaml", *names]))

    def wait_for_intervals(self, process):
        """Until the run has committed some intervals."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end and process.poll() is None:
            try:
                if self.rows("SELECT count(*) FROM interval")[0][0] > 3:
                    return
            except sqlite3.OperationalError:
                pass
            time.sleep(0.02)
        self.fail("no intervals have been committed")

    def wait_for_work(self, process):
        """Until the run has had half a second of the processor."""
        end = time.monotonic() + DEADLINE_S
        stat = pathlib.Path(f"/proc/{process.pid}/stat")
        while time.monotonic() < end and process.poll() is None:
            if int(stat.read_text().rsplit(")", 1)[1].split()[11]) >= 50:
                return
            time.sleep(0.02)
        self.fail("the run does not work")

    def test_a_run_succeeds_and_leaves_one_file(self):
        self.write_scenario()
        code, out, err = self.run_hvsim()
        self.assertEqual((code, err), (0, ""))
        self.assertIn("Logical processors", out)
        self.assert_left("small.db")
        self.assert_intact()
        self.assertEqual(self.rows("SELECT sim_ns FROM run"), [(50000000,)])

    def test_another_image_of_the_same_name_shows(self):
        self.write_scenario()
        self.run_hvsim("--quiet")
        # Both VMs start from one image: one row.
        (name, size, digits), = self.rows("SELECT * FROM image")
        plain = (HVSIM.parent / "workloads" / name).read_bytes()
        self.assertEqual((name, size), ("tick-idle", len(plain)))
        workloads = self.path / "workloads"
        workloads.mkdir()
        (workloads / name).write_bytes(plain[:-1] + bytes([plain[-1] ^ 1]))
        self.run_hvsim("--quiet", "-o", "other.db",
                       env={"HVSIM_WORKLOADS": str(workloads)})
        (_, other_size, other_digits), = self.rows("SELECT * FROM image",
                                                   "other.db")
        self.assertEqual(other_size, size)
        self.assertRegex(other_digits, "^[0-9a-f]{16}$")
        self.assertNotEqual(other_digits, digits)

    def test_an_existing_output_is_kept_unless_forced(self):
        self.write_scenario()
        (self.path / "small.db").write_text("precious")
        code, _, err = self.run_hvsim()
        self.assertEqual(code, 73)
        self.assertIn("small.db", err)
        self.assertIn("--force", err)
        self.assertEqual((self.path / "small.db").read_text(), "precious")
        code, _, err = self.run_hvsim("--force", "--quiet")
        self.assertEqual((code, err), (0, ""))
        self.assert_intact()

    def test_a_damaged_console_is_printed_as_far_as_it_goes(self):
        self.write_scenario()
        self.run_hvsim("--quiet")
        self.rows("DROP VIEW console")
        self.rows("CREATE VIEW console AS SELECT NULL AS vm, NULL AS line")
        done = subprocess.run([HVSIM, "console", "small.db"], cwd=self.path,
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ": \n"))
        self.rows("DROP VIEW console")
        self.rows("CREATE VIEW console AS SELECT 'vm' AS vm,"
                  " char(27) || '[2J' AS line")
        done = subprocess.run([HVSIM, "console", "small.db"], cwd=self.path,
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout),
                         (0, "vm: \\x1b[2J\n"))

    def test_an_output_folder_must_exist(self):
        self.write_scenario()
        code, _, err = self.run_hvsim("-o", "nowhere/out.db")
        self.assertEqual(code, 73)
        self.assertIn("nowhere", err)
        self.assert_left()

    def test_an_unknown_guest_program_is_named(self):
        self.write_scenario(workload="heavy-laod")
        code, _, err = self.run_hvsim()
        self.assertIn(code, (65, 66))
        self.assertIn("heavy-laod", err)
        self.assert_left()

    def test_a_missing_guest_file_is_named(self):
        self.write_scenario()
        code, _, err = self.run_hvsim(env={"HVSIM_WORKLOADS": "/nowhere"})
        self.assertEqual(code, 66)
        self.assertIn("/nowhere/tick-idle", err)
        self.assert_left()

    def test_a_kernel_that_can_be_fetched_is_said_how(self):
        self.write_scenario()
        for file, is_to_fetch in (("build/linux/bookworm/vmlinuz", True),
                                  ("vmlinuz", False)):
            code, _, err = self.run_hvsim(
                "--set", "vms.one.guest={linux: " + file + "}")
            self.assertEqual(code, 66)
            self.assertIn(file + ": cannot be opened", err)
            self.assertEqual("--target linux-guests" in err, is_to_fetch)
        self.assert_left()

    def test_a_misspelt_guest_program_is_guessed(self):
        self.write_scenario(workload="tickidle")
        code, _, err = self.run_hvsim()
        self.assertEqual(code, 66)
        self.assertIn('did you mean "tick-idle"?', err)

    def test_a_huge_guest_file_is_refused(self):
        self.write_scenario()
        folder = self.path / "guests"
        folder.mkdir()
        with open(folder / "tick-idle", "wb") as image:
            image.truncate(600 << 20)
        code, _, err = self.run_hvsim(env={"HVSIM_WORKLOADS": str(folder)})
        self.assertEqual(code, 66)
        self.assertIn("larger than 256 MiB", err)

    def test_a_damaged_guest_file_is_refused(self):
        self.write_scenario()
        folder = self.path / "guests"
        folder.mkdir()
        (folder / "tick-idle").write_bytes(b"\x7fELF" + bytes(1000))
        code, _, err = self.run_hvsim(env={"HVSIM_WORKLOADS": str(folder)})
        self.assertEqual(code, 66)
        self.assertIn("not a guest image", err)
        self.assertIn('"one"', err)

    def test_a_full_disk_is_reported_and_corrupts_nothing(self):
        self.write_scenario(duration="100s")
        code, _, err = self.run_hvsim("--quiet", preexec_fn=limit_file_size)
        self.assertEqual(code, 74)
        self.assertIn("small.db", err)
        if (self.path / "small.db").exists():
            self.assert_intact()

    def interrupt(self, process):
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=DEADLINE_S)
        self.assertEqual(process.returncode, 130)
        self.assertIn("interrupted", err)
        self.assert_left("small.db")
        self.assert_intact()
        sim_ns = self.rows("SELECT sim_ns FROM run")[0][0]
        self.assertEqual(self.rows("SELECT max(time_ns) FROM perf"),
                         [(sim_ns,)])

    def test_interrupting_keeps_the_interval_as_far_as_it_got(self):
        self.write_scenario(duration="10000s")
        process = self.start()
        self.wait_for_intervals(process)
        self.interrupt(process)

    def test_a_long_interval_can_be_interrupted(self):
        for timing in ("table", "null"):
            self.write_scenario(duration="10000s",
                                workload="heavy-load, args: {busy: 9999s}")
            process = self.start("--set", "counters.interval=10000s",
                                 "--set", f"hypervisor.timing={timing}")
            self.wait_for_work(process)
            self.interrupt(process)
            (self.path / "small.db").unlink()

    def test_what_was_committed_survives_a_kill(self):
        self.write_scenario(duration="10000s")
        process = self.start("--quiet")
        self.wait_for_intervals(process)
        process.kill()
        process.communicate(timeout=DEADLINE_S)
        export = subprocess.run([HVSIM, "export", "small.db"], cwd=self.path,
                                capture_output=True, timeout=DEADLINE_S,
                                check=False)
        self.assertEqual((export.returncode, export.stderr), (0, b""))
        # SQLite rolls the interval at hand back when it opens the file.
        self.assert_intact()
        self.assertGreater(self.rows("SELECT count(*) FROM perf")[0][0], 0)

    def test_a_triple_fault_ends_its_vm_and_no_other(self):
        self.write_scenario(workload="selftest-triple", duration="200ms")
        code, _, err = self.run_hvsim("--set", "counters.trace=true")
        self.assertEqual(code, 1)
        self.assertIn('VM "one": triple fault', err)
        self.assert_intact()
        late = self.rows(
            "SELECT count(*) FROM perf WHERE time_ns = 200000000 AND value > 0"
            " AND instance = 'two:Hv VP 0' AND counter = '% Total Run Time'")
        self.assertEqual(late, [(1,)])

    def test_every_vm_that_failed_is_reported(self):
        self.write_scenario(workload="selftest-triple")
        code, out, err = self.run_hvsim(
            "--set", "vms.two.guest.workload=selftest-triple")
        self.assertEqual(code, 1)
        lines = sorted(err.splitlines())
        self.assertEqual([line[:23] for line in lines],
                         ['hvsim: VM "one": triple', 'hvsim: VM "two": triple'])
        self.assertEqual(self.rows("SELECT vm, substr(reason, 1, 12), text"
                                   " FROM failure ORDER BY vm"),
                         [("one", "triple fault", None),
                          ("two", "triple fault", None)])
        for name in ("one", "two"):
            self.assertIn(f'VM "{name}" failed at', out)

    def test_a_guest_believes_in_no_more_and_no_less_than_there_is(self):
        for workload, least, most in (
                ("tick-idle, args: {hz: 1000, report: 1ms}", 0, 5),
                ("contention, args: {tasks: 1, iterations: 1, searches: 0,"
                 " sleep: 1us, sleep_chance: 100}", 0, 50),
                ("contention, args: {workers: 1, tasks: 1, iterations: 5,"
                 " sleep_chance: 0}", 25, 26)):
            (self.path / "small.yaml").write_text(
                "hvsim: 1\nname: small\nduration: 1s\n"
                "host: {nodes: [{lps: 5, memory: 1GiB}]}\n"
                "root: {vps: 1, memory: 256MiB}\n"
                "vms: [{name: one, vps: 4, memory: 64MiB,"
                f" guest: {{workload: {workload}}}}}]\n")
            code, _, err = self.run_hvsim("--quiet", "--force")
            self.assertEqual((code, err), (0, ""))
            (believed,), = self.rows("SELECT value FROM result WHERE"
                                     " name = 'cpu_utilization'")
            with self.subTest(workload):
                self.assertTrue(least <= believed <= most, believed)

    def test_the_main_scenario_shows_the_share_before_and_after(self):
        (self.path / "small.yaml").write_text(SCENARIO.read_text())
        code, out, _ = self.run_hvsim("-o", "small.db")
        self.assertEqual(code, 0)
        self.assertIn("believes", out)
        believed = self.rows("SELECT value FROM result WHERE vm = 'web' AND"
                             " name = 'cpu_utilization'")[0][0]
        self.assertGreater(believed, 99)
        busy = ("SELECT avg(value) FROM perf WHERE counter ="
                " '% Guest Run Time' AND instance = 'web:Hv VP 0' AND ")
        self.assertGreater(
            self.rows(busy + "time_ns BETWEEN 300000000 AND 900000000")[0][0],
            99)
        self.assertLess(
            self.rows(busy + "time_ns BETWEEN 1300000000 AND 2000000000"
                      )[0][0], 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
