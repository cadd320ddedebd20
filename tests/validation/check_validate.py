#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs `hvsim validate` on rows whose outcome is known.

usage: check_validate.py HVSIM
"""
import csv
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HVSIM = pathlib.Path(sys.argv[1]).resolve()
DEADLINE_S = 120  # host time; reached only by a failure

ROW = """\
hvsim: 1
name: row
duration: 20ms
host: {{nodes: [{{lps: 1, memory: 1GiB}}]}}
root: {{vps: 1, memory: 256MiB}}
vms:
  - {{name: one, memory: 16MiB, guest: {{workload: {workload}}}}}
counters: {{interval: 10ms}}
validation:
  - row: {row}
    statement: A statement, "quoted"
    source: somewhere
    kind: {kind}
    {more}
    checks:
      - {{name: figure, unit: ms, {bounds}, measure: "{measure}"}}
"""

SIM_MS = "SELECT sim_ns / 1e6 FROM run"


class Validate(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        (self.path / "tmp").mkdir()
        (self.path / "rows").mkdir()

    def write(self, name="rows/a.yaml", row=1, kind="definitional",
              bounds="from: 19, to: 21", measure=SIM_MS, more="",
              workload="tick-idle"):
        (self.path / name).write_text(ROW.format(
            row=row, kind=kind, bounds=bounds, measure=measure, more=more,
            workload=workload))

    def validate(self, *args):
        return subprocess.run(
            [HVSIM, "validate", "--scenarios", "rows", *args], cwd=self.path,
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False,
            env={**os.environ, "TMPDIR": str(self.path / "tmp")})

    def verdicts(self, *args):
        """By row, with the exit code."""
        done = self.validate("--format", "json", *args)
        rows = json.loads(done.stdout)
        return {row["row"]: row["checks"][0]["verdict"]
                for row in rows}, done.returncode

    def assert_refused(self, text, code, *args):
        done = self.validate(*args)
        self.assertIn(text, done.stderr)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stdout, "")

    def test_what_lies_within_its_bounds_passes(self):
        self.write()
        self.assertEqual(self.verdicts(), ({1: "pass"}, 0))
        self.assertEqual(list((self.path / "tmp").iterdir()), [])

    def test_bounds_belong_to_what_they_bound(self):
        for bounds, verdict in (("from: 20", "pass"), ("to: 20", "pass"),
                                ("from: 20.001", "FAIL"),
                                ("to: 19.999", "FAIL")):
            with self.subTest(bounds=bounds):
                self.write(bounds=bounds)
                self.assertEqual(self.verdicts(),
                                 ({1: verdict}, verdict == "FAIL"))

    def test_a_definitional_row_that_is_missed_fails(self):
        self.write(bounds="from: 1, published: 1.5, to: 2")
        done = self.validate()
        self.assertEqual(done.returncode, 1)
        self.assertIn("FAIL", done.stdout)
        self.assertIn("1 to 2", done.stdout)
        self.assertIn("1.5", done.stdout)

    def test_a_calibration_that_is_missed_is_reported(self):
        self.write(kind="calibration", bounds="from: 1, to: 2")
        self.assertEqual(self.verdicts(), ({1: "differs"}, 0))
        self.assertEqual(self.verdicts("--strict"), ({1: "differs"}, 1))
        done = self.validate()
        self.assertIn("nothing; this is a prediction", done.stdout)
        self.write(kind="calibration", more="fitted: the moon")
        self.assertEqual(self.verdicts("--strict"), ({1: "agrees"}, 0))
        self.assertIn("Fitted: the moon", self.validate().stdout)

    def test_several_runs_are_measured_together(self):
        self.write(more="runs: [{name: short, set: {duration: 10ms}}, "
                        "{name: long, set: {duration: 40ms}}]",
                   bounds="from: 4, to: 4",
                   measure="SELECT 1.0 * (SELECT sim_ns FROM long.run) / "
                           "(SELECT sim_ns FROM short.run)")
        self.assertEqual(self.verdicts("--runs", "kept"), ({1: "pass"}, 0))
        self.assertEqual(sorted(path.name for path in
                                (self.path / "kept").iterdir()),
                         ["row-1-long.db", "row-1-short.db"])

    def test_the_output_does_not_depend_on_how_many_run_at_once(self):
        for row in (1, 2, 3):
            self.write(name=f"rows/{row}.yaml", row=row,
                       measure="SELECT total(value) FROM perf_total")
        outputs = {self.validate("--jobs", jobs).stdout
                   for jobs in ("1", "2", "8")}
        self.assertEqual(len(outputs), 1)

    def test_rows_are_chosen_by_number_or_file(self):
        for row in (1, 2, 3):
            self.write(name=f"rows/{row}.yaml", row=row)
        self.write(name="own.yaml", row=7)
        self.assertEqual(self.verdicts("2", "3")[0], {2: "pass", 3: "pass"})
        self.assertEqual(self.verdicts("own.yaml")[0], {7: "pass"})
        self.assertEqual(self.verdicts("own.yaml", "1")[0],
                         {1: "pass", 7: "pass"})
        self.assertEqual(
            [line.split()[:2] for line in
             self.validate("--list").stdout.splitlines()],
            [["1", "definitional"], ["2", "definitional"],
             ["3", "definitional"]])
        self.assert_refused("there is no row 9 in rows", 2, "9")

    def test_csv_has_a_line_for_each_figure(self):
        self.write(bounds="published: 20, to: 21")
        lines = list(csv.DictReader(io.StringIO(
            self.validate("--format", "csv").stdout)))
        self.assertEqual(len(lines), 1)
        self.assertEqual(lines[0]["statement"], 'A statement, "quoted"')
        self.assertEqual(lines[0]["measured"], "20")
        self.assertEqual((lines[0]["from"], lines[0]["to"]), ("", "21"))

    def test_a_run_that_fails_leaves_its_row_unmeasured(self):
        self.write(workload="no-such-guest")
        done = self.validate()
        self.assertEqual(done.returncode, 1)
        self.assertIn("not measured: figure: run run: ", done.stdout)
        self.assertIn("no-such-guest", done.stdout)

    def test_results_of_an_earlier_validation_are_not_measured(self):
        run = "runs: [{name: none, may_fail: true, set: {vms.one.memory: %s}}]"
        measure = "SELECT count(*) FROM none.run"
        for memory, verdict in ("16MiB", "pass"), ("8GiB", "FAIL"):
            self.write(more=run % memory, measure=measure, bounds="from: 1")
            self.assertEqual(self.verdicts("--runs", "kept")[0], {1: verdict})

    def test_results_may_be_kept_in_a_folder_of_any_name(self):
        self.write()
        for folder in "file:kept", ":memory:", "-x", "it's":
            self.assertEqual(self.verdicts(f"--runs={folder}"),
                             ({1: "pass"}, 0), folder)
            self.assertEqual([file.name for file in
                              (self.path / folder).iterdir()],
                             ["row-1-run.db"])

    def test_a_run_may_be_there_to_be_refused(self):
        self.write(more="runs: [{name: none, may_fail: true, "
                        "set: {vms.one.memory: 1TiB}}]",
                   bounds="from: 1",
                   measure="SELECT count(*) FROM outcome WHERE run = 'none' "
                           "AND exit_code = 2 AND message LIKE '%memory%'")
        self.assertEqual(self.verdicts(), ({1: "pass"}, 0))

    def test_a_measure_without_a_number_is_reported(self):
        self.write(measure="SELECT value FROM result")
        self.assertEqual(self.verdicts(), ({1: "not measured"}, 1))

    def test_a_row_is_as_good_as_the_worst_of_its_figures(self):
        """And a figure that is missing is told by its name."""
        self.write(bounds="to: 1")
        with open(self.path / "rows/a.yaml", "a") as file:
            file.write("      - {name: none, to: 1, measure: SELECT NULL}\n"
                       "      - {name: good, to: 1, measure: SELECT 1}\n")
        done = self.validate()
        self.assertIn("Definitional, FAIL:    1\n", done.stdout)
        self.assertNotIn("Not measured:  ", done.stdout)
        self.assertIn("not measured: none: gives no number\n", done.stdout)

    def test_what_is_wrong_is_said_before_anything_runs(self):
        self.write(measure="SELECT valu FROM perf")
        self.assert_refused(
            "rows/a.yaml:16:61: validation[0].checks[0].measure: "
            "no such column: valu (line 1, column 8 of it)", 65)
        self.write(measure="DELETE FROM run")
        self.assert_refused("validation[0].checks[0].measure: ", 65)
        self.write(more="runs: [{name: run, set: {vms.one.vpss: 2}}]")
        self.assert_refused("rows/a.yaml:14:29: validation[0].runs[0].set: ",
                            65)
        self.assert_refused("vpss", 65)
        self.write(bounds="unit: s")
        self.assert_refused("rows/a.yaml:16:", 65)

    def test_a_scenario_without_rows_is_refused(self):
        self.write()
        text = (self.path / "rows/a.yaml").read_text()
        (self.path / "own.yaml").write_text(text.split("validation:")[0])
        self.assert_refused("own.yaml:1:1: has nothing to validate", 65,
                            "own.yaml")

    def test_bad_usage_is_refused(self):
        self.write()
        self.assert_refused("no such format: 'xml'", 2, "--format", "xml")
        self.assert_refused("--jobs '0'", 2, "--jobs", "0")
        self.assert_refused("standard input", 2, "-")
        self.assert_refused("none.yaml", 66, "none.yaml")
        (self.path / "rows/a.yaml").unlink()
        self.assert_refused("rows: has no scenarios", 66)

    def test_other_commands_ignore_the_rows(self):
        self.write(kind="calibration", bounds="from: 1, to: 2")
        for command in (["check"], ["run", "-q", "-o", "a.db"]):
            subprocess.run([HVSIM, *command, "rows/a.yaml"], cwd=self.path,
                           stdout=subprocess.DEVNULL, check=True,
                           timeout=DEADLINE_S)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
