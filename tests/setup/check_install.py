#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Installs a build somewhere, moves it, and uses it from there.

    check_install.py BUILD
"""
import os
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(sys.argv[1]).resolve()
DEADLINE_S = 60  # host time; reached only by a failure


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        first = pathlib.Path(folder.name) / "first"
        subprocess.run(["cmake", "--install", BUILD, "--prefix", first],
                       check=True, stdout=subprocess.DEVNULL)
        cls.prefix = first.rename(pathlib.Path(folder.name) / "moved")
        cls.environment = {name: value for name, value in os.environ.items()
                           if name != "HVSIM_WORKLOADS"}

    def hvsim(self, *arguments):
        done = subprocess.run(
            [self.prefix / "bin" / "hvsim", *arguments], cwd=self.prefix,
            env=self.environment, capture_output=True, text=True, check=False,
            timeout=DEADLINE_S)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def images(self):
        self.hvsim("run", "share/hvsim/scenarios/heavy-load.yaml", "--quiet",
                   "--force", "-o", "out.db", "--set", "duration=10ms")
        db = sqlite3.connect(self.prefix / "out.db")
        try:
            return dict(db.execute("SELECT name, hash FROM image"))
        finally:
            db.close()

    def test_it_runs_a_scenario_with_the_guest_programs_beside_it(self):
        before = self.images()
        guest, = self.prefix.glob("*/hvsim/workloads/tick-idle")
        plain = guest.read_bytes()
        guest.write_bytes(plain[:-1] + bytes([plain[-1] ^ 1]))
        after = self.images()
        guest.write_bytes(plain)
        self.assertEqual(before["heavy-load"], after["heavy-load"])
        self.assertNotEqual(before["tick-idle"], after["tick-idle"])

    def test_the_manual_has_every_command_and_option(self):
        page, = self.prefix.glob("share/man/man1/hvsim.1")
        manual = page.read_text().replace("\\-", "-")
        self.assertNotIn("@", manual)
        sections = {section.split()[0]: section for section in
                    re.split(r"\n\.TP\n\.B (?=[a-z])", manual)[1:]}
        commands = re.findall(r"^  ([a-z]+) ", self.hvsim("--help"), re.M)
        self.assertIn("run", commands)
        for command in commands:
            options = re.findall(r"^ .*--([a-z]+)",
                                 self.hvsim(command, "--help"), re.M)
            self.assertIn("help", options)
            for option in options:
                self.assertIn("--" + option, sections[command] if
                              option != "help" else manual, command)

    def test_what_one_reads_first_is_there(self):
        documents, = self.prefix.glob("share/doc/hvsim")
        for name in ("README.md", "LICENSE", "ARCHITECTURE.md"):
            self.assertTrue((documents / name).is_file(), name)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
