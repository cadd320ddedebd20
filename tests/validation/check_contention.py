#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds the workload "contention" to what it says of itself.

usage: check_contention.py HVSIM SCENARIO LINUX_TESTS
"""
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, sys.argv[3])
from linux_scenarios import CONTENTION_CHECKSUM

HVSIM = pathlib.Path(sys.argv[1]).resolve()
CONTENTION = pathlib.Path(sys.argv[2]).resolve()
DEADLINE_S = 120  # host time; reached only by a failure
VP = "Hyper-V Hypervisor Virtual Processor"

SCENARIO = """\
hvsim: 1
name: contention
seed: {seed}
duration: 5s
host: {{nodes: [{{lps: {lps}, memory: 1GiB}}]}}
root: {{vps: 1, memory: 256MiB}}
vms:
  - name: job
    count: {count}
    vps: {vps}
    memory: 16MiB
    enlightenments: {{long_spin_wait: {long_spin_wait}}}
    guest: {{workload: contention, args: {{{args}}}}}
counters: {{interval: 10ms}}
"""

ARGS = {"workers": 4, "tasks": 8, "iterations": 3, "memory": "16KiB",
        "searches": 4000, "steps": 5, "sleep": "100us", "seed": "auto"}
TASKS = 24
STEPS = 5


class Contention(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def start(self, vps=2, lps=2, count=1, run_seed=1, long_spin_wait="true",
              **args):
        words = ", ".join(f"{key}: {value}"
                          for key, value in {**ARGS, **args}.items())
        (self.path / "a.yaml").write_text(SCENARIO.format(
            vps=vps, lps=lps, count=count, seed=run_seed,
            long_spin_wait=long_spin_wait, args=words))
        return subprocess.run(
            [HVSIM, "run", "a.yaml", "-o", "a.db", "--force", "--quiet"],
            cwd=self.path, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=DEADLINE_S, check=False)

    def query(self, sql):
        with sqlite3.connect(self.path / "a.db") as db:
            return db.execute(sql).fetchall()

    def results(self, vm="job", **more):
        """The results of a run that is to succeed, by name."""
        done = self.start(**more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return dict(self.query(
            f"SELECT name, value FROM result WHERE vm = '{vm}'"))

    def spin_calls(self):
        return self.query(
            "SELECT sum(value) FROM perf_total WHERE object ="
            f" '{VP}' AND counter = 'Long Spin Wait Hypercalls/sec'")[0][0]

    def test_what_is_computed_does_not_depend_on_the_schedule(self):
        alone = self.results(vps=1, lps=1)
        self.assertEqual(alone["tasks"], TASKS)
        # Of the numbers that are searched for, half are there.
        self.assertAlmostEqual(alone["checksum"] / (TASKS * 4000), 0.5,
                               delta=0.02)
        for more in ({"vps": 4, "lps": 2}, {"workers": 7}, {"lock": 50},
                     {"sleep_chance": 0}, {"count": 1, "steps": 1}):
            with self.subTest(more=more):
                result = self.results(**more)
                self.assertEqual(result["tasks"], TASKS)
                self.assertEqual(result["checksum"], alone["checksum"])
                if not {"steps", "sleep_chance"} & more.keys():
                    self.assertEqual(result["slept"], alone["slept"])

    def test_linux_is_held_to_the_same_checksum(self):
        subprocess.run([HVSIM, "run", CONTENTION, "-o", "a.db", "--quiet"],
                       cwd=self.path, timeout=DEADLINE_S, check=True)
        self.assertEqual(
            self.query("SELECT value FROM result WHERE name = 'checksum'"),
            [(CONTENTION_CHECKSUM,)])

    def test_more_processors_finish_earlier(self):
        elapsed = [self.results(vps=vps, lps=4, searches=40000)["elapsed"]
                   for vps in (1, 2, 4)]
        self.assertGreater(elapsed[0], 1.2 * elapsed[1])
        self.assertGreater(elapsed[1], 1.1 * elapsed[2])

    def test_another_seed_gives_other_data_and_other_sleeps(self):
        seen = [self.results(run_seed=seed) for seed in (1, 2, 3)]
        self.assertEqual(len({one["checksum"] for one in seen}), 3)
        self.assertEqual(len({one["slept"] for one in seen}), 3)
        self.assertEqual(self.results(run_seed=1), seen[0])

    def test_vms_alike_have_seeds_of_their_own(self):
        first = self.results("job-1", count=2)
        second = self.results("job-2", count=2)
        self.assertNotEqual(first["checksum"], second["checksum"])
        self.assertEqual(self.results("job-1", count=3)["checksum"],
                         first["checksum"])
        # A number that is written out is that number for all.
        self.assertEqual(self.results("job-1", count=2, seed=9)["checksum"],
                         self.results("job-2", count=2, seed=9)["checksum"])

    def test_it_computes_and_sleeps_as_long_as_it_says(self):
        result = self.results(vps=1, lps=1, workers=1)
        self.assertLess(result["slept"], result["elapsed"])
        self.assertLess(result["cpu"], result["elapsed"])
        self.assertGreater(result["cpu"] + 1.2 * result["slept"],
                           0.95 * result["elapsed"])
        for less, more in (("min", "mean"), ("min", "p50"), ("p50", "p95"),
                           ("p95", "p99"), ("p99", "max"), ("mean", "max")):
            self.assertLessEqual(result[f"task_{less}"],
                                 result[f"task_{more}"])

    def test_the_lock_is_taken_once_a_step(self):
        without = self.results()
        self.assertEqual(without["lock_acquisitions"], 0)
        self.assertEqual(without["lock_held"], 0)
        held = [self.results(lock=lock) for lock in (20, 80)]
        for result in held:
            self.assertEqual(result["lock_acquisitions"], TASKS * STEPS)
        self.assertGreater(held[1]["lock_held"], 3 * held[0]["lock_held"])
        self.assertGreater(held[1]["elapsed"], held[0]["elapsed"])

    # Three processors on one: whoever holds the lock is often not running.
    CROWDED = {"vps": 3, "lps": 1, "lock": 100, "workers": 3,
               "searches": 200000, "sleep_chance": 0}

    def test_who_spins_for_long_tells_the_hypervisor(self):
        self.results(**self.CROWDED)
        self.assertGreater(self.spin_calls(), 0)

    def test_who_is_not_asked_or_not_willing_tells_nothing(self):
        self.results(**self.CROWDED, spin_notify="off")
        self.assertEqual(self.spin_calls(), 0)
        self.results(**self.CROWDED, long_spin_wait="false")
        self.assertEqual(self.spin_calls(), 0)

    def test_an_argument_out_of_range_is_named(self):
        for args, text in (({"lock": 101}, "lock"), ({"tasks": 0}, "tasks"),
                           ({"workers": 257}, "workers"),
                           ({"steps": 0}, "steps"),
                           ({"memory": "1KiB"}, "memory"),
                           ({"sleep": "11s"}, "sleep"),
                           ({"iterations": "many"}, "iterations=many")):
            with self.subTest(args=args):
                done = self.start(**args)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(text, done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
