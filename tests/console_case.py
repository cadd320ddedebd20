# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests share that type at consoles: a folder, results, terminals."""

import contextlib
import os
import pathlib
import pty
import select
import sqlite3
import sys
import tempfile
import unittest

SKIPPED = 77  # what ctest takes for "not all of it was tested"
DEADLINE_S = 100  # host time; reached only by a failure


class ConsoleCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        self.said = b""

    def rows(self, sql, name="typed"):
        path = self.path / f"{name}.db"
        with contextlib.closing(sqlite3.connect(path)) as results:
            return results.execute(sql).fetchall()

    def what_counts(self, name="typed"):
        return [self.rows(f"SELECT * FROM {view}", name)
                for view in ("console", "input", "result", "perf_total")
                ] + self.rows("SELECT sim_ns, trace_hash FROM run", name)

    @contextlib.contextmanager
    def terminal_pair(self):
        """Both ends of a terminal; a bare folder without /dev/pts has none."""
        try:
            ours, theirs = pty.openpty()
        except OSError as error:
            print(f"SKIPPED: {error}: typing at a terminal is NOT tested")
            self.skipTest("no terminal")
        self.said = b""
        try:
            yield ours, theirs
        finally:
            os.close(ours)
            os.close(theirs)

    def read_until(self, terminal, text):
        """Waits for a text behind the one that was waited for before."""
        while text not in self.said:
            self.assertTrue(select.select([terminal], [], [], DEADLINE_S)[0],
                            f"{text!r} does not come after {self.said!r}")
            self.said += os.read(terminal, 4096)
        self.said = self.said[self.said.index(text) + len(text):]


def run_tests():
    """Those of the calling script; returns its exit code."""
    result = unittest.main(argv=sys.argv[:1], exit=False).result
    if not result.wasSuccessful():
        return 1
    return SKIPPED if result.skipped else 0
