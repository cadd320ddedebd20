#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks that a lock's holder that loses its LP is seen to hold others up.

usage: check_spinlock.py HVSIM SPINLOCK_YAML

Real guests, over-committed two to one: with long-spin-wait notification,
without it, and on the policy "core", where both VPs of a VM come and go at
once. Figures repeat exactly; margins are for what prices may become.
"""
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import unittest

HVSIM = pathlib.Path(sys.argv[1]).resolve()
SCENARIO = pathlib.Path(sys.argv[2]).resolve()
DEADLINE_S = 120  # host time; reached only by a failure

SILENT = "vms.job.guest.args.spin_notify=off"
# Four VMs of two VPs: each can have a core for itself.
PAIRS = [SILENT, "vms.job.count=4", "vms.job.vps=2",
         "vms.job.guest.args.workers=2"]
VARIANTS = {
    "alone": ["vms.job.count=1"],
    "told": [],
    "silent": [SILENT],
    "unheard": ["hypervisor.long_spin_wait=ignore"],
    "pairs": PAIRS,
    "core": PAIRS + ["hypervisor.scheduler=core"],
}


class Spinlock(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.most = {name: cls.run_variant(name, settings)
                    for name, settings in VARIANTS.items()}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def run_variant(cls, name, settings):
        """What the VMs report, of each result the most, in ms."""
        out = pathlib.Path(cls.folder.name, name + ".db")
        sets = [word for setting in settings for word in ("--set", setting)]
        subprocess.run([HVSIM, "run", SCENARIO, "-o", out, "--quiet"] + sets,
                       check=True, stdout=subprocess.DEVNULL,
                       timeout=DEADLINE_S)
        with sqlite3.connect(out) as db:
            rows = db.execute("select name, max(cast(value as real)) "
                              "from result group by name").fetchall()
        db.close()
        return {name: value / 1e6 for name, value in rows}

    def expect_more(self, result, less, more, factor):
        self.assertGreater(self.most[more][result],
                           factor * self.most[less][result],
                           f"{result}: {self.most}")

    def test_nobody_waits_for_long_while_there_are_lps_enough(self):
        self.assertLess(self.most["alone"]["lock_wait_max"], 2)

    def test_a_holder_that_has_no_lp_holds_the_others_up(self):
        for name in ("told", "silent", "unheard"):
            self.expect_more("lock_wait_max", "alone", name, 5)

    def test_who_tells_that_it_spins_is_done_sooner(self):
        for name in ("silent", "unheard"):
            self.expect_more("elapsed", "told", name, 1.05)

    def test_who_tells_that_it_spins_uses_less_of_the_lps(self):
        for name in ("silent", "unheard"):
            self.expect_more("cpu", "told", name, 1.05)

    def test_the_same_is_computed_whatever_happens(self):
        sums = {figures["checksum"] for figures in self.most.values()}
        self.assertEqual(len(sums), 1)

    def test_vps_that_come_and_go_by_cores_wait_less(self):
        for result in ("elapsed", "cpu", "lock_wait"):
            self.expect_more(result, "core", "pairs", 1.05)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
