#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the real hvsim plot, on runs and comparisons of its own making.

usage: check_plot.py HVSIM

A picture is looked at through its script, which holds the data, and through
the SVG that gnuplot makes of it.
"""
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

HVSIM = pathlib.Path(sys.argv[1]).resolve()
DEADLINE_S = 120  # host time; reached only by a failure
GNUPLOT = shutil.which("gnuplot")

SCENARIO = """\
hvsim: 1
name: small
duration: 100ms
host: {nodes: [{lps: 2, memory: 1GiB}]}
root: {vps: 2, memory: 256MiB}
vms:
  - {name: busy, count: 3, memory: 16MiB,
     guest: {workload: heavy-load, args: {busy: 30ms}}}
  - {name: two, vps: 2, memory: 16MiB,
     guest: {workload: threads, args: {threads: 2, work: 50}}}
counters: {interval: 10ms, trace: true}
"""

# What would be a disaster if gnuplot, or a shell, read it as more than a text.
EVIL = "x'; system 'touch pwned'; `touch pwned` @pwned $PATH \\\" \x1b[2J"

needs_gnuplot = unittest.skipUnless(GNUPLOT, "gnuplot is not installed")


class Plot(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.made = pathlib.Path(cls.folder.name)
        (cls.made / "small.yaml").write_text(SCENARIO)
        for args in (("run", "small.yaml", "-q", "-o", "run.db"),
                     ("run", "small.yaml", "-q", "-o", "plain.db", "--set",
                      "counters.trace=false"),
                     ("compare", "small.yaml", "-q", "-o", "compare.db",
                      "--vary", "hypervisor.timeslice=10ms,1ms", "--vary",
                      "vms.busy.memory=16MiB,32MiB", "--seeds", "2")):
            subprocess.run([HVSIM, *args], cwd=cls.made, check=True,
                           timeout=DEADLINE_S, stdout=subprocess.DEVNULL)

    def setUp(self):
        self.work = tempfile.TemporaryDirectory()
        self.addCleanup(self.work.cleanup)
        self.path = pathlib.Path(self.work.name)
        for name in ("run.db", "plain.db", "compare.db"):
            shutil.copy(self.made / name, self.path)

    def plot(self, *args, env=None):
        done = subprocess.run(
            [HVSIM, "plot", *args], cwd=self.path, capture_output=True,
            text=True, timeout=DEADLINE_S, check=False,
            env={**os.environ, **(env or {})})
        self.assertEqual(done.stdout, "")
        return done.returncode, done.stderr

    def script(self, *args):
        self.assertEqual(self.plot(*args, "-o", "out.gp", "--force"), (0, ""))
        return (self.path / "out.gp").read_text()

    def left(self):
        return sorted(p.name for p in self.path.iterdir()
                      if p.suffix != ".db")

    def rows(self, name, sql):
        db = sqlite3.connect(self.path / name)
        try:
            rows = db.execute(sql).fetchall()
            db.commit()
            return rows
        finally:
            db.close()

    def blocks(self, script):
        """The data of a script: its blocks by name, as rows of numbers."""
        return {name: [[float(x) for x in line.split()]
                       for line in body.splitlines()]
                for name, body in re.findall(
                    r"^\$(\w+) << EOD\n(.*?)EOD$", script, re.M | re.S)}

    def titles(self, script):
        """The legend's text by block."""
        return dict(re.findall(r"\$(\w+) using .*? title '(.*?)'", script))

    def test_a_timeline_has_every_dispatch(self):
        script = self.script("run.db", "timeline")
        names = {1: "root", **dict(self.rows("run.db",
                                             "SELECT * FROM partition"))}
        running, expected = {}, []
        (end,), = self.rows("run.db", "SELECT sim_ns FROM run")
        for time, lp, part, vp, kind in self.rows(
                "run.db", "SELECT time_ns, lp, partition, vp, kind FROM event "
                "WHERE kind IN ('dispatch', 'undispatch')"):
            if lp in running:
                start, who = running.pop(lp)
                expected.append((who, lp, start, time))
            if kind == "dispatch":
                who = names[part] + (f" VP {vp}" if names[part] == "two"
                                     else "")
                running[lp] = (time, who)
        expected += [(who, lp, start, end)
                     for lp, (start, who) in running.items()]
        expected = sorted(e for e in expected if e[2] < e[3])
        titles = self.titles(script)
        drawn = sorted(
            (titles[block], round((low + high) / 2), round(start * 1e6),
             round(stop * 1e6))
            for block, rows in self.blocks(script).items()
            for start, stop, low, high in rows)
        self.assertGreater(len(drawn), 50)
        self.assertEqual(drawn, expected)
        self.assertEqual(set(titles.values()),
                         {"root", "busy-1", "busy-2", "busy-3", "two VP 0",
                          "two VP 1"})

    def test_a_vm_that_was_started_again_is_drawn_as_one(self):
        before = self.script("run.db", "timeline")
        (first,), = self.rows(
            "run.db", "SELECT partition FROM partition WHERE vm = 'two'")
        self.rows("run.db", "INSERT INTO vm_partition VALUES (99, 'two')")
        self.rows("run.db", "UPDATE trace_event SET partition = 99 WHERE"
                  f" partition = {first} AND time_ns > 15000000")
        self.assertEqual(self.rows("run.db", "SELECT count(*) > 20 FROM event"
                                   " WHERE partition = 99"), [(1,)])
        self.assertEqual(self.script("run.db", "timeline"), before)

    def test_an_lp_that_never_ran_has_a_row(self):
        self.rows("run.db", "DELETE FROM trace_event WHERE lp = 1")
        script = self.script("run.db", "timeline")
        self.assertIn("set ytics scale 0 ('LP 0' 0, 'LP 1' 1)", script)
        self.assertIn("set yrange [1.5:-0.5]", script)

    def test_an_lp_that_is_a_text_is_no_place_beyond_the_last(self):
        # As texts '10' and '1000000000' come before '9'.
        self.rows("run.db", "CREATE TABLE texts AS SELECT time_ns, '' || (lp *"
                  " 1000000000 + 9) AS lp, partition, vp, kind, detail"
                  " FROM event")
        self.rows("run.db", "INSERT INTO texts SELECT time_ns, '9', partition,"
                  " vp, kind, detail FROM texts WHERE lp != '9'")
        self.rows("run.db", "DROP VIEW event")
        self.rows("run.db", "CREATE VIEW event AS SELECT * FROM texts")
        script = self.script("run.db", "timeline")
        self.assertIn("set yrange [9.5:-0.5]", script)

    def test_a_part_of_a_timeline_is_cut_out(self):
        whole = self.blocks(self.script("run.db", "timeline"))
        part = self.blocks(self.script("run.db", "timeline", "--from", "10ms",
                                       "--to", "12.5ms"))
        for block, rows in part.items():
            for start, stop, _, _ in rows:
                self.assertTrue(10 <= start < stop <= 12.5)
        inside = sum(min(stop, 12.5) - max(start, 10)
                     for rows in whole.values() for start, stop, _, _ in rows
                     if start < 12.5 and stop > 10)
        self.assertAlmostEqual(inside, sum(
            stop - start for rows in part.values()
            for start, stop, _, _ in rows), places=6)

    def test_many_dispatches_become_shares_of_slots(self):
        # Each VP runs for 1 us of every 2, on both LPs: 15,000 times.
        self.rows("run.db", "DELETE FROM trace_event")
        self.rows("run.db", """
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n
                                    WHERE i < 14999)
            INSERT INTO trace_event
            SELECT NULL, i * 2000 + t * 1000, i % 2, 2 + i % 2, 0, k.id, 0
            FROM n, (SELECT 0 AS t, 'dispatch' AS what UNION ALL
                     SELECT 1, 'undispatch') AS e
            JOIN event_kind AS k ON k.name = e.what ORDER BY i, t""")
        self.rows("run.db", "UPDATE run_info SET sim_ns = 30000000")
        script = self.script("run.db", "timeline")
        self.assertIn("each slot is divided by the shares of time", script)
        blocks = self.blocks(script)
        self.assertEqual(len(blocks), 2)
        for rows in blocks.values():
            # An LP runs a quarter of the time.
            share = sum((stop - start) * abs(high - low) / 0.84
                        for start, stop, low, high in rows) / 30
            self.assertAlmostEqual(share, 0.25, places=3)
            self.assertLessEqual(len(rows), 600)

    def test_an_untraced_run_says_how_to_trace(self):
        code, err = self.plot("plain.db", "timeline", "-o", "out.svg")
        self.assertEqual(code, 66)
        self.assertIn("--set counters.trace=true", err)
        self.assertEqual(self.left(), [])

    def test_a_counter_is_drawn_interval_by_interval(self):
        script = self.script(
            "plain.db", r"Virtual Processor(busy-*)\% Total Run Time")
        titles = self.titles(script)
        self.assertEqual(sorted(titles.values()), [
            f"busy-{i}:Hv VP 0" for i in (1, 2, 3)])
        for block, rows in self.blocks(script).items():
            values = self.rows(
                "plain.db", "SELECT time_ns, value FROM perf WHERE counter = "
                f"'% Total Run Time' AND instance = '{titles[block]}' "
                "ORDER BY time_ns")
            self.assertEqual(len(rows), 2 * len(values))
            for i, (time, value) in enumerate(values):
                self.assertAlmostEqual(rows[2 * i + 1][0], time / 1e6)
                for row in rows[2 * i:2 * i + 2]:
                    self.assertAlmostEqual(row[1], value, places=6)

    def test_a_part_of_an_interval_has_its_value(self):
        script = self.script("plain.db", "% Total Run Time", "--from", "12ms",
                             "--to", "14ms")
        self.assertEqual(len(self.titles(script)), 2)
        (end,), = self.rows("plain.db", "SELECT min(time_ns) FROM perf")
        self.assertEqual(end, 10_000_000)  # 12 ms to 14 ms lies within one
        for rows in self.blocks(script).values():
            self.assertEqual([row[0] for row in rows], [12, 14])
            self.assertEqual(rows[0][1], rows[1][1])

    def test_the_name_of_a_counter_is_enough(self):
        script = self.script("plain.db", "context switches/sec")
        self.assertEqual(sorted(self.titles(script).values()),
                         ["Hv LP 0", "Hv LP 1"])

    def test_bars_are_the_summary(self):
        script = self.script("compare.db", "result:busy-1:iterations")
        (block,) = self.blocks(script).values()
        rows = self.rows(
            "compare.db", "SELECT variant, mean, half_interval FROM summary "
            "WHERE metric = 'result:busy-1:iterations'")
        self.assertEqual(len(rows), 4)
        for drawn, (variant, mean, half) in zip(block, rows):
            self.assertEqual(drawn[:2], [variant, mean])
            self.assertAlmostEqual(drawn[2], mean - half, delta=1e-3)
            self.assertAlmostEqual(drawn[3], mean + half, delta=1e-3)
        for label, in self.rows("compare.db", "SELECT label FROM variant"):
            self.assertIn(f"'{label}'", script)
        self.assertIn("seeds (1 to 2)", script)

    def test_the_legend_and_the_title_say_what_is_there(self):
        what = "result:busy-1:elapsed"
        for variant, mark, seeds in ((1, "'best'", 2), (2, "NULL", 1),
                                     (3, "NULL", 2), (4, "NULL", 2)):
            self.rows("compare.db", f"UPDATE cell SET mark = {mark}, "
                      f"seeds = {seeds} WHERE variant = {variant} AND metric ="
                      f" (SELECT id FROM metric_row WHERE name = '{what}')")
        script = self.script("compare.db", what)
        self.assertIn("title 'best'", script)
        self.assertNotIn("title 'worst'", script)
        self.assertIn("means of 1 to 2 seeds (1 to 2)", script)

    def test_metrics_of_one_unit_stand_together(self):
        script = self.script("compare.db", "iterations")
        self.assertEqual(sorted(self.titles(script).values()),
                         [f"busy-{i} iterations" for i in (1, 2, 3)])
        code, err = self.plot("compare.db", "result:busy-1:*", "-o", "out.gp",
                              "--force")
        self.assertEqual(code, 2)
        self.assertIn("different units", err)

    @needs_gnuplot
    def test_every_picture_is_drawn(self):
        for file, what in (("run.db", "timeline"),
                           ("run.db", "% Guest Run Time"),
                           ("compare.db", "elapsed"),
                           ("compare.db", "busy-1 elapsed")):
            with self.subTest(what):
                self.assertEqual(
                    self.plot(file, what, "-o", "out.svg", "--force"), (0, ""))
                picture = xml.etree.ElementTree.parse(self.path / "out.svg")
                text = "".join(picture.getroot().itertext())
                self.assertIn("small", text)
                self.assertEqual(
                    self.plot(file, what, "-o", "out.png", "--force"), (0, ""))
                png = (self.path / "out.png").read_bytes()
                self.assertEqual(png[:8], b"\x89PNG\r\n\x1a\n")
                self.assertEqual(png[-8:-4], b"IEND")
                # The script that is kept makes the same picture.
                self.script(file, what)
                again = subprocess.run(
                    [GNUPLOT, "-d", "out.gp"], cwd=self.path, check=True,
                    capture_output=True, timeout=DEADLINE_S)
                self.assertEqual(again.stdout,
                                 (self.path / "out.svg").read_bytes())

    @needs_gnuplot
    def test_names_are_never_more_than_texts(self):
        self.rows("run.db", "UPDATE vm_partition SET vm = " + quote(EVIL))
        self.rows("run.db", "UPDATE run_info SET name = " + quote(EVIL))
        self.rows("run.db", "UPDATE instance SET name = " + quote(EVIL)
                  + " || id WHERE name LIKE 'busy%'")
        self.rows("compare.db", "UPDATE variant_row SET label = " + quote(EVIL))
        self.rows("compare.db", "UPDATE comparison_row SET name = "
                  + quote(EVIL))
        self.rows("compare.db", "UPDATE metric_row SET title = 'evil', unit = "
                  + quote(EVIL) + " WHERE name = 'result:busy-1:elapsed'")
        for args in (("run.db", "timeline"),
                     ("run.db", r"Virtual Processor\% Total Run Time"),
                     ("compare.db", "evil")):
            with self.subTest(args):
                self.assertEqual(
                    self.plot(*args, "-o", "out.svg", "--force"), (0, ""))
                text = (self.path / "out.svg").read_text()
                self.assertIn("x'; system", text.replace("&apos;", "'"))
                self.assertNotIn("\x1b", text)
                self.assertFalse((self.path / "pwned").exists())

    def test_a_name_may_look_like_a_command_to_gnuplot(self):
        for name in ("|touch pwned.gp", "<x.gp", "-x.gp", "'x'.gp"):
            self.assertEqual(
                self.plot("-o", name, "--", "run.db", "timeline"), (0, ""))
            self.assertTrue((self.path / name).is_file())

    def test_without_gnuplot_it_says_what_to_install(self):
        code, err = self.plot("run.db", "timeline", "-o", "out.svg",
                              env={"PATH": str(self.path)})
        self.assertEqual(code, 69)
        self.assertIn("gnuplot-nox", err)
        self.assertEqual(self.left(), [])
        # The script needs none.
        self.assertEqual(self.plot("run.db", "timeline", "-o", "out.gp",
                                   env={"PATH": str(self.path)}), (0, ""))

    def test_a_gnuplot_that_fails_leaves_nothing(self):
        fake = self.path / "gnuplot"
        fake.write_text("#!/bin/sh\necho half a picture\n"
                        "echo 'line 3: no such terminal' >&2\nexit 1\n")
        fake.chmod(0o755)
        code, err = self.plot("run.db", "timeline", "-o", "out.svg",
                              env={"PATH": f"{self.path}:/usr/bin:/bin"})
        self.assertEqual(code, 69)
        self.assertIn("gnuplot failed: line 3: no such terminal", err)
        self.assertEqual(self.left(), ["gnuplot"])

    def test_a_picture_that_exists_is_kept(self):
        (self.path / "out.gp").write_text("precious")
        code, err = self.plot("run.db", "timeline", "-o", "out.gp")
        self.assertEqual(code, 73)
        self.assertIn("--force", err)
        self.assertEqual((self.path / "out.gp").read_text(), "precious")

    def test_what_cannot_be_drawn_is_refused(self):
        (self.path / "text.db").write_text("hvsim: 1\n")
        cases = [
            (("run.db", "timeline"), 2, "expected -o FILE.svg"),
            (("run.db", "timeline", "-o", "out.pdf"), 2, ".svg, .png or .gp"),
            (("run.db", "timeline", "-o", ".svg"), 2, ".svg, .png or .gp"),
            (("run.db", "timeline", "-o", "x.gp", "--from", "soon"), 2,
             "--from 'soon'"),
            (("run.db", "timeline", "-o", "x.gp", "--from", "7s"), 2,
             "nothing lies between"),
            (("run.db", "timeline", "-o", "x.gp", "--from", "2ms", "--to",
              "1ms"), 2, "nothing lies between"),
            (("run.db", "% Gest Run Time", "-o", "x.gp"), 2,
             "did you mean '% Guest Run Time'"),
            (("run.db", r"Virtual Processor(none)\% Idle Time", "-o",
              "x.gp"), 2, "there is no counter"),
            (("run.db", r"Logical Processor(none)\% Idle Time", "-o",
              "x.gp"), 2, "no instance none of "),
            (("compare.db", "elapsde", "-o", "x.gp"), 2,
             "did you mean 'elapsed'"),
            (("compare.db", "timeline", "-o", "x.gp"), 2, "has no metric"),
            (("compare.db", "elapsed", "-o", "x.gp", "--to", "1s"), 2,
             "are for a run"),
            (("text.db", "timeline", "-o", "x.gp"), 66, "not a result file"),
            (("none.db", "timeline", "-o", "x.gp"), 66, "none.db"),
            (("run.db", "timeline", "-o", "no/x.gp"), 73, "no directory"),
        ]
        for args, code, says in cases:
            with self.subTest(args):
                got, err = self.plot(*args)
                self.assertIn(says, err)
                self.assertEqual(got, code)
        self.assertEqual(self.left(), [])


def quote(text):
    return "'" + text.replace("'", "''") + "'"


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
