#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the real hvsim compare, as people do, and into what can go wrong.

usage: check_compare.py HVSIM

Each test works in a folder of its own. What is asserted is what a person sees:
the exit code, the message, the table, and what has been left behind.
"""
import csv
import io
import json
import os
import pathlib
import pty
import re
import resource
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from console_case import run_tests  # noqa: E402

HVSIM = pathlib.Path(sys.argv[1]).resolve()
DEADLINE_S = 120  # host time; reached only by a failure

# Two VMs whose work depends on the seed; a run takes a blink.
TASKS = """\
hvsim: 1
name: tasks
duration: 5s
host: {nodes: [{lps: 2, memory: 1GiB}]}
root: {vps: 1, memory: 256MiB}
vms:
  - name: a
    memory: 16MiB
    vps: 2
    guest: {workload: contention, args: &args {seed: auto, tasks: 2,
            iterations: 2, searches: 500, memory: 16KiB}}
  - name: b
    memory: 16MiB
    guest: {workload: contention, args: {seed: auto, tasks: 2,
            iterations: 2, searches: 500, memory: 16KiB}}
counters: {interval: 10ms}
""".replace("&args ", "")

# A run takes long enough to be interrupted.
LONG = """\
hvsim: 1
name: long
duration: {duration}
host: {{nodes: [{{lps: 2, memory: 1GiB}}]}}
root: {{vps: 1, memory: 256MiB}}
vms:
  - {{name: one, memory: 16MiB, guest: {{workload: tick-idle}}}}
counters: {{interval: 10ms}}
"""

VARY = ("--vary", "hypervisor.timeslice=10ms,100us",
        "--vary", "vms.b.memory=16MiB,32MiB")
T_975 = {1: 12.706205, 2: 4.302653, 3: 3.182446}


class Compare(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        (self.path / "tasks.yaml").write_text(TASKS)

    def start(self, *args, command="compare", **more):
        return subprocess.Popen(
            [HVSIM, command, *args], cwd=self.path, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, **more)

    def hvsim(self, *args, **more):
        process = self.start(*args, **more)
        out, err = process.communicate(timeout=DEADLINE_S)
        return process.returncode, out, err

    def compare(self, *args, **more):
        """One that has to succeed; what it printed."""
        code, out, err = self.hvsim(*args, **more)
        self.assertEqual((code, err), (0, ""))
        return out

    def rows(self, name, sql):
        db = sqlite3.connect(f"file:{self.path / name}?mode=ro", uri=True)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def left_in(self, folder):
        return sorted(p.name for p in (self.path / folder).iterdir())

    def everything(self, name, *args):
        """All that a comparison makes, byte by byte."""
        out = [self.compare(*args, "--quiet", "--format", form)
               for form in ("text", "csv", "json")]
        self.compare(*args, "--quiet", "-o", f"{name}.db")
        return out + [(self.path / f"{name}.db").read_bytes()]

    def test_any_number_of_processes_makes_the_same_bytes(self):
        first = None
        for jobs in ("1", "2", "3", "7"):
            made = self.everything(
                f"jobs{jobs}", "tasks.yaml", *VARY, "--seeds", "3",
                "--jobs", jobs, "--runs", f"runs{jobs}")
            self.assertEqual(len(self.left_in(f"runs{jobs}")), 12)
            first = first or made
            self.assertEqual(made, first)
        again = self.everything("again", "tasks.yaml", *VARY, "--seeds", "3",
                                "--runs", "runs2", "--again")
        self.assertEqual(again, first)

    def test_what_is_there_is_not_run_again(self):
        self.compare("tasks.yaml", *VARY)
        stamps = {p: p.stat().st_mtime_ns
                  for p in (self.path / "tasks.runs").iterdir()}
        self.assertEqual(len(stamps), 4)
        code, _, err = self.hvsim("tasks.yaml", *VARY, "--seeds", "2")
        self.assertEqual(
            (code, err),
            (0, "note: 4 of 8 runs were there already, in tasks.runs\n"))
        for path, stamp in stamps.items():
            self.assertEqual(path.stat().st_mtime_ns, stamp)
        self.assertEqual(len(self.left_in("tasks.runs")), 8)

    def test_what_does_not_fit_is_run_again(self):
        out = self.compare("tasks.yaml")
        (name,) = self.left_in("tasks.runs")
        path = self.path / "tasks.runs" / name
        good = path.read_bytes()
        for spoil in ("UPDATE run_info SET version = '0'",
                      "UPDATE run_info SET engine_version = '0'",
                      "UPDATE run_info SET scenario_yaml = 'hvsim: 1'",
                      "UPDATE run_info SET trace_hash = NULL",
                      "UPDATE guest_image SET hash = '0123456789abcdef'",
                      "DROP VIEW run", None):
            with self.subTest(spoil):
                if spoil is None:
                    path.write_bytes(good[:5000])
                else:
                    db = sqlite3.connect(path)
                    db.execute(spoil)
                    db.commit()
                    db.close()
                self.assertEqual(self.compare("tasks.yaml"), out)
                self.assertEqual(
                    self.rows(path, "SELECT version != '0', scenario_yaml != "
                              "'hvsim: 1', trace_hash IS NOT NULL FROM run"),
                    [(1, 1, 1)])

    def test_another_build_runs_all_again(self):
        program = self.path / "hvsim"
        program.write_bytes(HVSIM.read_bytes())
        program.chmod(0o755)

        def note():
            done = subprocess.run([program, "compare", "tasks.yaml"],
                                  cwd=self.path, text=True, check=True,
                                  capture_output=True, timeout=DEADLINE_S)
            return done.stderr

        self.assertEqual(note(), "")
        self.assertIn("1 of 1 runs were there already", note())
        os.utime(program, (0, 0))  # installed anew, and said to be old
        self.assertEqual(note(), "")
        self.assertIn("1 of 1 runs were there already", note())

    def test_another_image_is_run_again(self):
        self.compare("tasks.yaml")
        workloads = self.path / "workloads"
        workloads.mkdir()
        plain = (HVSIM.parent / "workloads" / "contention").read_bytes()
        (workloads / "contention").write_bytes(plain + b"\0")
        env = {**os.environ, "HVSIM_WORKLOADS": str(workloads)}
        self.compare("tasks.yaml", env=env)  # no note: nothing fits
        code, _, err = self.hvsim("tasks.yaml", env=env)
        self.assertEqual(code, 0)
        self.assertIn("1 of 1 runs were there already", err)

    def test_another_disk_is_run_again(self):
        (self.path / "disk.yaml").write_text(
            TASKS.split("  - name: b")[0].replace(
                "vps: 2\n    guest", "vps: 2\n    disks: [{file: disk.img}]\n"
                "    guest").replace("name: tasks", "name: disk"))
        disk = self.path / "disk.img"
        disk.write_bytes(bytes(4096))
        self.compare("disk.yaml")
        note = "note: 1 of 1 runs were there already, in disk.runs\n"
        self.assertEqual(self.hvsim("disk.yaml")[2], note)
        other = self.path / "other.img"
        other.write_bytes(b"x" * 4096)
        os.utime(other, (0, 0))  # or so it says
        other.rename(disk)
        self.compare("disk.yaml")  # no note: it is another
        self.assertEqual(self.hvsim("disk.yaml")[2], note)

    def test_the_figures_are_those_of_the_runs(self):
        text = self.compare("tasks.yaml", "--vary",
                            "hypervisor.timeslice=10ms,100us", "--seeds", "4",
                            "-o", "out.db", "--format", "json")
        told = {m["metric"]: m for m in json.loads(text)["metrics"]}
        files = {}
        for variant, seed, name in self.rows(
                "out.db", "SELECT variant, seed, file FROM run"):
            files[variant, seed] = f"tasks.runs/{name}"
        self.assertEqual(sorted(files), [(v, s) for v in (1, 2)
                                         for s in (1, 2, 3, 4)])
        elapsed = {key: self.rows(path, "SELECT value FROM result WHERE vm = "
                                  "'a' AND name = 'elapsed'")[0][0]
                   for key, path in files.items()}
        wait = {key: self.rows(path, "SELECT value FROM perf_total WHERE "
                               "instance = '_Total' AND counter = 'CPU Wait "
                               "Time Per Dispatch' AND object = 'Hyper-V "
                               "Hypervisor Virtual Processor'")[0][0]
                for key, path in files.items()}
        self.assertGreater(len(set(elapsed.values())), 4)  # seeds matter
        self.check_metric(told["result:a:elapsed"], elapsed)
        self.check_metric(told["Hyper-V Hypervisor Virtual Processor(_Total)"
                               "\\CPU Wait Time Per Dispatch"], wait)
        measured = {(v, s): x for v, s, x in self.rows(
            "out.db", "SELECT variant, seed, value FROM measurement WHERE "
            "metric = 'result:a:elapsed'")}
        self.assertEqual(measured, elapsed)

    def check_metric(self, metric, values):
        seeds = (1, 2, 3, 4)
        self.assertEqual(metric["better"], "less")
        for cell in metric["summary"]:
            of_cell = [values[cell["variant"], s] for s in seeds]
            self.assertEqual(cell["values"], of_cell)
            self.assertEqual(cell["seeds"], 4)
            self.check_interval(cell["mean"], cell["half_interval"], of_cell)
        first, second = metric["summary"]
        self.assertIsNone(first["difference"])
        pairs = [values[2, s] - values[1, s] for s in seeds]
        self.check_interval(second["difference"],
                            second["difference_half_interval"], pairs)
        self.assertEqual(
            second["differs"],
            abs(second["difference"]) > second["difference_half_interval"])

    def check_interval(self, mean, half, values):
        self.assertAlmostEqual(mean, statistics.mean(values), delta=1e-6)
        expected = (T_975[len(values) - 1] * statistics.stdev(values)
                    / len(values) ** 0.5)
        self.assertAlmostEqual(half, expected, delta=1e-6 * (1 + expected))

    def test_every_format_says_the_same(self):
        args = ("tasks.yaml", *VARY, "--seeds", "2", "--quiet")
        self.compare(*args, "-o", "out.db")
        data = json.loads(self.compare(*args, "--format", "json"))
        plain = self.compare(*args, "--format", "csv")
        table = list(csv.DictReader(io.StringIO(plain)))
        summary = self.rows("out.db", "SELECT metric, variant, mean, mark "
                            "FROM summary")
        self.assertGreater(len(summary), 20)
        self.assertEqual(
            summary, [(m["metric"], c["variant"], c["mean"], c["mark"])
                      for m in data["metrics"] for c in m["summary"]])
        self.assertEqual(
            summary, [(r["metric"], int(r["variant"]),
                       float(r["mean"]) if r["mean"] else None,
                       r["mark"] or None) for r in table])
        self.assertEqual(self.rows("out.db", "PRAGMA integrity_check"),
                         [("ok",)])
        self.assertEqual(data["variants"][3]["parameters"],
                         {"hypervisor.timeslice": "100us",
                          "vms.b.memory": "32MiB"})

    def test_views_have_the_columns_that_explain_tells(self):
        self.compare("tasks.yaml", "-o", "out.db")
        views = [name for name, in self.rows(
            "out.db", "SELECT name FROM sqlite_schema WHERE type = 'view'")]
        self.assertEqual(len(views), 6)
        db = sqlite3.connect(self.path / "out.db")
        for view in views:
            columns = [c[0] for c in
                       db.execute(f"SELECT * FROM {view}").description]
            _, out, _ = self.hvsim(view, command="explain")
            told = " ".join(out.split(" of a comparison: ")[1].split())
            self.assertIn(" " + ", ".join(columns), told)
        db.close()

    def test_one_seed_says_that_it_has_no_interval(self):
        out = self.compare("tasks.yaml", "--vary",
                           "hypervisor.timeslice=10ms,100us")
        self.assertIn("One seed each: there are no intervals", out)
        self.assertNotIn("yes", out)

    def test_a_bad_variant_is_refused_before_any_is_run(self):
        cases = [
            (("--vary", "hypervisor.timeslice=1ms,fast"), 2,
             "--vary hypervisor.timeslice=fast"),
            (("--vary", "hypervisor.timeslic=1ms"), 2, "did you mean"),
            (("--vary", "vms.c.vps=1,2"), 2, "--vary vms.c.vps=1"),
            (("--vary", "vms.a.vps=1,99"), 2, "--vary vms.a.vps=99"),
            (("--vary", "root.vps=1,2,3"), 2, "--vary root.vps=3"),
            (("--vary", "hypervisor.timeslice=1ms,1000us"), 2,
             "are the same scenario"),
            (("--vary", "vms.a.guest.workload=contention,contentoin"), 66,
             "contentoin"),
            (("--vary", "seed=1,2"), 2, "--seeds"),
            (("--seeds", "0"), 2, "--seeds '0': expected a number from 1"),
            (("--jobs", "-1"), 2, "--jobs '-1'"),
            (("--seed", str(2**63 - 2), "--seeds", "3"), 2,
             f"--seed {2**63}: seed: "),
            (("--seeds", "100000", "--vary", "vms.a.weight=1,2"), 2,
             "more than 100000 runs"),
            (("--metric", "Logical Processor\\Idle"), 2, "--metric"),
            (("--format", "xml"), 2, "text, csv or json"),
            (("--only",), 2, "expected --metric too"),
            (("--baseline", "2"), 2, "a number from 1 to 1, or a label"),
            (("--runs", ""), 2, "--runs: expected the name of a folder"),
            (("-o", "-"), 2, "standard output"),
            (("-o", ""), 73, "has no name"),
            (("-o", "."), 73, "exists already"),
            (("-o", "none/out.db"), 73, 'there is no directory "none"'),
            (("-o", "tasks.yaml"), 2, "compared itself"),
        ]
        for args, code, says in cases:
            with self.subTest(args):
                got, out, err = self.hvsim("tasks.yaml", *args)
                self.assertIn(says, err)
                self.assertEqual((got, out), (code, ""))
        self.assertEqual(self.left_in("."), ["tasks.yaml"])

    def test_what_is_no_scenario_nor_results_is_refused(self):
        (self.path / "other.db").write_bytes(b"SQLite format 3\0" + bytes(99))
        sqlite3.connect(self.path / "alien.db").execute("CREATE TABLE t (x)")
        self.hvsim("tasks.yaml", "-o", "run.db", "--quiet", command="run")
        self.compare("run.db", "-o", "two.db")
        cases = [
            (("other.db",), 66, "other.db"),
            (("alien.db",), 66, "is not a result file"),
            (("none.yaml",), 66, "none.yaml"),
            (("-",), 2, "standard input"),
            (("tasks.yaml", "run.db"), 2, "is not a result file"),
            (("run.db", "tasks.yaml"), 66, "tasks.yaml"),
            (("run.db", "--seeds", "2"), 2, "--seeds is for a scenario"),
            (("run.db", "-o", "run.db", "--force"), 2, "compared itself"),
            (("run.db", "two.db"), 66, "two.db: is a comparison itself"),
        ]
        for args, code, says in cases:
            with self.subTest(args):
                got, out, err = self.hvsim(*args)
                self.assertIn(says, err)
                self.assertEqual((got, out), (code, ""))

    def spoil(self, *statements):
        """A copy of run.db, changed, that is compared as spoilt.db."""
        (self.path / "spoilt.db").write_bytes(
            (self.path / "run.db").read_bytes())
        db = sqlite3.connect(self.path / "spoilt.db")
        for statement in statements:
            db.execute(statement)
        db.commit()
        db.close()

    def test_what_is_no_number_is_not_taken_for_nought(self):
        self.hvsim("tasks.yaml", "-o", "run.db", "--quiet", command="run")
        for value in ("NULL", "'many'", "x'00'", "9e999"):
            for view, columns in (("result", "vm, name, {} AS value, unit"),
                                  ("perf_total", "object, instance, counter, "
                                   "{} AS value")):
                with self.subTest((value, view)):
                    self.spoil(f"CREATE TABLE was AS SELECT * FROM {view}",
                               f"DROP VIEW {view}",
                               f"CREATE VIEW {view} AS SELECT "
                               + columns.format(value) + " FROM was")
                    code, out, err = self.hvsim("run.db", "spoilt.db")
                    self.assertIn("is not a number", err)
                    self.assertEqual((code, out), (66, ""))

    def test_texts_may_be_empty_or_of_any_bytes(self):
        self.hvsim("tasks.yaml", "-o", "run.db", "--quiet", command="run")
        self.spoil("UPDATE guest_result SET unit = ''",
                   "UPDATE guest_image SET hash = ''",
                   "UPDATE guest_image SET name = CAST(x'e9' AS TEXT)")
        out = self.compare("run.db", "spoilt.db", "-o", "out.db",
                           "--format", "json")
        self.assertIn({"guest program \ufffd": ""},
                      [{k: p[k] for k in p if "\ufffd" in k} for p in
                       (v["parameters"] for v in json.loads(out)["variants"])])
        self.assertIn(("result:a:elapsed", ""),
                      self.rows("out.db", "SELECT metric, unit FROM summary"))

    def test_an_output_that_exists_is_kept(self):
        (self.path / "out.db").write_text("precious")
        code, _, err = self.hvsim("tasks.yaml", "-o", "out.db")
        self.assertEqual(code, 73)
        self.assertIn("--force", err)
        self.assertEqual(self.left_in("."), ["out.db", "tasks.yaml"])
        self.compare("tasks.yaml", "-o", "out.db", "--force")
        self.assertEqual(self.rows("out.db", "SELECT name FROM comparison"),
                         [("tasks",)])

    def test_a_run_that_fails_fails_alone(self):
        args = ("tasks.yaml", "--vary", "vms.b.guest.args.tasks=2,many",
                "--seeds", "2", "-o", "out.db", "--force")
        for note in ("", "note: 4 of 4 runs were there already, in "
                     "tasks.runs\n"):
            code, out, err = self.hvsim(*args)
            self.assertEqual(
                (code, err), (1, f"{note}hvsim: 2 of 4 runs failed\n"))
            self.assertRegex(out, r'Failed: 2 tasks=many, seed 2: VM "b": .*many')
            self.assertRegex(out, r"2 tasks=many +-\n")
            self.assertEqual(
                self.rows("out.db", "SELECT count(*) FROM run "
                          "WHERE failure LIKE 'VM \"b\": %many%'"), [(2,)])
            self.assertEqual(
                self.rows("out.db", "SELECT count(*) FROM measurement "
                          "WHERE variant = 2"), [(0,)])

    def test_a_killed_run_is_told_and_leaves_nothing(self):
        wrapper = self.path / "long.yaml"
        wrapper.write_text(LONG.format(duration="100s"))
        process = self.start("long.yaml", "--jobs", "1")
        child = self.wait_for_child(process)
        os.kill(child, signal.SIGKILL)
        out, err = process.communicate(timeout=DEADLINE_S)
        self.assertEqual(process.returncode, 1)
        self.assertIn("killed by signal 9", out)
        self.assertEqual(err, "hvsim: 1 of 1 runs failed\n")
        self.assertEqual(self.left_in("long.runs"), [])

    def wait_for_child(self, process):
        """The first process that `process` has started to run."""
        end = time.monotonic() + DEADLINE_S
        path = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while time.monotonic() < end and process.poll() is None:
            for child in path.read_text().split():
                name = pathlib.Path(f"/proc/{child}/cmdline").read_bytes()
                if b"\0--quiet\0" in name:
                    return int(child)
            time.sleep(0.02)
        return self.fail("no run was started")

    def wait_for_files(self, process, folder, count):
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end and process.poll() is None:
            path = self.path / folder
            if path.exists() and len(list(path.glob("*.db"))) >= count:
                return
            time.sleep(0.01)
        self.fail(f"{folder} does not fill")

    def test_ctrl_c_reaches_a_run_that_only_begins(self):
        (self.path / "long.yaml").write_text(LONG.format(duration="1h"))
        for _ in range(20):  # no one moment: between fork and exec, or later
            process = self.start("long.yaml", "--quiet")
            path = f"/proc/{process.pid}/task/{process.pid}/children"
            with open(path, encoding="ascii") as children:
                while not children.read().strip():
                    self.assertIsNone(process.poll())
                    children.seek(0)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=DEADLINE_S)
            self.assertEqual(process.returncode, 130)
            self.assertIn("interrupted: 0 of 1 runs are complete", err)

    def test_an_interrupted_comparison_goes_on(self):
        (self.path / "long.yaml").write_text(LONG.format(duration="2s"))
        args = ("long.yaml", "--vary", "vms.one.memory=16MiB,32MiB",
                "--seeds", "4", "--jobs", "2")
        whole = self.everything("whole", *args, "--runs", "whole")
        process = self.start(*args, "--runs", "cut")
        self.wait_for_files(process, "cut", 2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
        self.assertEqual((process.returncode, out), (130, ""))
        done = re.fullmatch(r"hvsim: interrupted: (\d) of 8 runs are complete, "
                            r"in cut; the same command runs the others\n", err)
        self.assertTrue(done, err)
        self.assertEqual(len(self.left_in("cut")), int(done[1]))
        self.assertTrue(all(n.endswith(".db") for n in self.left_in("cut")))
        self.assertTrue(2 <= int(done[1]) < 8)
        again = self.everything("cut", *args, "--runs", "cut")
        self.assertEqual(again, whole)

    def test_runs_end_with_their_comparison(self):
        (self.path / "long.yaml").write_text(LONG.format(duration="1h"))
        process = self.start("long.yaml")
        child = self.wait_for_child(process)
        process.kill()
        process.communicate(timeout=DEADLINE_S)
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            stat = pathlib.Path(f"/proc/{child}/stat")
            if not stat.exists() or ") Z " in stat.read_text():
                return
            time.sleep(0.02)
        self.fail("the run has outlived its comparison")

    def test_two_comparisons_do_not_share_a_folder(self):
        (self.path / "long.yaml").write_text(LONG.format(duration="1h"))
        process = self.start("long.yaml")
        self.wait_for_child(process)
        code, _, err = self.hvsim("long.yaml", "--seeds", "2")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE_S)
        self.assertEqual(code, 73)
        self.assertIn("another hvsim compare works there", err)
        self.assertEqual(process.returncode, 130)

    def test_result_files_are_laid_side_by_side(self):
        for seed in ("1", "2"):
            for slice_ in ("10ms", "100us"):
                self.hvsim("tasks.yaml", "--quiet", "--seed", seed, "--set",
                           f"hypervisor.timeslice={slice_}", "-o",
                           f"{slice_}-{seed}.db", command="run")
        files = ["100us-1.db", "10ms-1.db", "10ms-2.db", "100us-2.db"]
        out = self.compare(*files, "--baseline", "10ms-1")
        self.assertIn("tasks: 2 variants, 2 seeds each\n", out)
        self.assertIn("1 100us-1: hypervisor.timeslice: 100us\n", out)
        self.assertIn("2 10ms-1: hypervisor.timeslice: 10ms\n", out)
        self.assertIn("from variant 2", out)
        # Runs of one scenario and seed, as of two versions, do not mix.
        data = json.loads(self.compare("10ms-1.db", "10ms-1.db", "10ms-2.db",
                                       "--format", "json"))
        self.assertEqual([len(v["runs"]) for v in data["variants"]], [2, 1])
        code, _, err = self.hvsim(*files, "--baseline", "10ms-3")
        self.assertEqual(code, 2)
        self.assertIn("expected a number from 1 to 2, or a label", err)

    def test_scenarios_of_several_names_are_told(self):
        for name in ("tasks", "chores"):
            self.hvsim("tasks.yaml", "--quiet", "--set", f"name={name}", "-o",
                       f"{name}.db", command="run")
        out = self.compare("chores.db", "tasks.db")
        self.assertIn("chores and others: 2 variants, 1 seed each\n", out)

    def test_more_processes_than_can_be_are_told(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))

        code, out, err = self.hvsim("tasks.yaml", "--seeds", "60", "--jobs",
                                    "60", preexec_fn=limit)
        self.assertEqual((code, out), (69, ""))
        self.assertIn("cannot be started: Too many open files; expected fewer "
                      "at once, by --jobs", err)
        self.assertEqual([n for n in self.left_in("tasks.runs")
                          if not n.endswith(".db")], [])

    def test_runs_of_two_versions_do_not_mix(self):
        for seed in ("1", "2"):
            self.hvsim("tasks.yaml", "--quiet", "--seed", seed, "-o",
                       f"10ms-{seed}.db", command="run")
        out = self.compare("10ms-1.db", "10ms-2.db")
        self.assertIn("tasks: 1 variant, 2 seeds\n", out)
        db = sqlite3.connect(self.path / "10ms-2.db")
        db.execute("UPDATE run_info SET version = '0'")
        db.commit()
        db.close()
        out = self.compare("10ms-1.db", "10ms-2.db")
        self.assertIn("tasks: 2 variants, 1 seed each\n", out)
        self.assertIn("2 10ms-2: version of hvsim: 0\n", out)
        self.assertIn("results of more seeds would tell", out)
        self.assertNotIn("best", out)  # the seeds are not the same

    def test_metrics_are_chosen_and_judged(self):
        code, out, err = self.hvsim(
            "tasks.yaml", "--only", "--metric", "slept:more", "--metric",
            "result:a:elapsed:more", "--metric",
            "Logical Processor(Hv LP *)\\% Idle Time:less", "--metric",
            "nothing", "--format", "csv")
        self.assertEqual((code, err),
                         (0, "note: no run has a metric nothing\n"))
        table = list(csv.DictReader(io.StringIO(out)))
        lp = "Hyper-V Hypervisor Logical Processor(Hv LP {})\\% Idle Time"
        self.assertEqual(
            [(r["metric"], r["unit"], r["better"]) for r in table],
            [("result:a:elapsed", "ns", "more"),
             ("result:a:slept", "ns", "more"), ("result:b:slept", "ns", "more"),
             (lp.format(0), "%", "less"), (lp.format(1), "%", "less")])

    def test_what_vms_have_in_common_has_a_mean(self):
        out = self.compare("tasks.yaml", "--format", "json", "--only",
                           "--metric", "mean:elapsed:more", "--metric",
                           "elapsed")
        told = [(m["metric"], m["better"], m["summary"][0]["mean"])
                for m in json.loads(out)["metrics"]]
        (name,) = self.left_in("tasks.runs")
        times = dict(self.rows(f"tasks.runs/{name}", "SELECT vm, value FROM "
                               "result WHERE name = 'elapsed'"))
        self.assertEqual(told, [
            ("mean:elapsed", "more", (times["a"] + times["b"]) / 2),
            ("result:a:elapsed", "less", times["a"]),
            ("result:b:elapsed", "less", times["b"])])
        self.assertNotEqual(times["a"], times["b"])
        # What is said of every VM's holds for their mean, too.
        out = self.compare("tasks.yaml", "--quiet", "--format", "csv",
                           "--metric", "elapsed:more", "--metric",
                           "result:a:slept:less")
        judged = {r["metric"]: r["better"]
                  for r in csv.DictReader(io.StringIO(out))}
        self.assertEqual(
            [judged[m] for m in ("mean:elapsed", "result:b:elapsed",
                                 "result:a:slept", "mean:slept")],
            ["more", "more", "less", ""])

    def test_one_vm_is_compared_with_several_by_their_mean(self):
        (self.path / "one.yaml").write_text(TASKS.split("  - name: b")[0])
        args = ("one.yaml", "--quiet", "--format", "json")
        data = json.loads(self.compare(
            *args, "--vary", "vms.a.count=1,2", "--seeds", "2"))
        told = {m["metric"]: [c["mean"] for c in m["summary"]]
                for m in data["metrics"]}
        of = told["result:a:elapsed"], told["result:a-1:elapsed"], \
            told["result:a-2:elapsed"]
        self.assertEqual(told["mean:elapsed"][0], of[0][0])
        self.assertAlmostEqual(told["mean:elapsed"][1],
                               (of[1][1] + of[2][1]) / 2)
        # They come first; and where no run has several VMs, not at all.
        self.assertTrue(data["metrics"][0]["metric"].startswith("mean:"))
        data = json.loads(self.compare(*args, "--seeds", "2"))
        told = [m["metric"] for m in data["metrics"]]
        self.assertIn("result:a:elapsed", told)
        self.assertFalse([m for m in told if m.startswith("mean:")])
        for metric in data["metrics"]:
            self.assertEqual(len(metric["summary"][0]["values"]), 2)
            self.assertNotIn(None, metric["summary"][0]["values"])
        data = json.loads(self.compare(*args, "--only", "--metric",
                                       "mean:elapsed"))
        self.assertEqual([m["metric"] for m in data["metrics"]],
                         ["mean:elapsed"])

    def test_a_terminal_gets_one_line_of_progress(self):
        try:
            ours, theirs = pty.openpty()
        except OSError as error:  # a bare folder without /dev/pts
            print(f"SKIPPED: {error}: the progress line is NOT tested")
            self.skipTest("no terminal")
        env = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
        with subprocess.Popen(
                [HVSIM, "compare", "tasks.yaml", *VARY], cwd=self.path,
                stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
                env=env) as process:
            os.close(theirs)
            shown = b""
            while True:
                try:
                    piece = os.read(ours, 4096)
                except OSError:
                    piece = b""
                if not piece:
                    break
                shown += piece
        os.close(ours)
        self.assertEqual(process.returncode, 0)
        self.assertIn(b"\r0 of 4 runs done, ", shown)
        self.assertNotIn(b"\x1b[3", shown)  # no colours
        _, _, table = shown.rpartition(b"\r\x1b[K")
        self.assertIn(b"tasks: 4 variants", table)


if __name__ == "__main__":
    sys.exit(run_tests())
