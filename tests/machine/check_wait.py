#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks what is told of why VPs waited, on hosts that make them wait.

usage: check_wait.py HVSIM

One scenario per rule, in which nothing but that rule can keep a VP out; what
the views say of it must agree with the counters and with the trace; and hvsim
explain wait must say it to people.
"""
import collections
import csv
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

HVSIM = pathlib.Path(sys.argv[1]).resolve()
DEADLINE_S = 60  # host time; reached only by a failure

HEAD = """hvsim: 1
name: {name}
duration: 200ms
host: {{{host}}}
hypervisor: {{scheduler: {scheduler}}}
root: {{vps: 1, memory: 256MiB}}
counters: {{trace: true}}
{groups}vms:
"""

VM = """  - name: {name}
    vps: {vps}
    {keys}
    guest: {{workload: {workload}}}
"""

TWO_LPS = "nodes: [{lps: 2, memory: 1GiB}]"
ONE_LP_PER_NODE = ("nodes: [{lps: 1, memory: 1GiB}, "
                   "{lps: 1, memory: 64MiB}]")


def scenario(name, *vms, host=TWO_LPS, scheduler="round-robin", groups=""):
    return HEAD.format(name=name, host=host, scheduler=scheduler,
                       groups=groups) + "".join(vms)


def vm(name, keys="weight: 100", vps=1,
       workload="heavy-load, args: {busy: 200ms}"):
    return VM.format(name=name, keys=keys, vps=vps, workload=workload)


# What keeps "waits" out, and a scenario in which it does so.
RULES = {
    "slice": scenario("slice", vm("waits"), vm("b"), vm("c"), vm("d")),
    "affinity": scenario("affinity", vm("waits", "affinity: [1]"),
                         vm("b", "affinity: [1]")),
    "cap": scenario("cap", vm("waits", "limit: 25%")),
    "group": scenario("group", vm("waits", "group: gold"),
                      groups="groups: [{name: gold, cap: 25%}]\n"),
    # Both VMs' memory is on node 0, whose LP "b" has for itself.
    "numa": scenario("numa", vm("b", "affinity: [0]\n    weight: 10000"),
                     vm("waits", workload="tick-idle"),
                     host=ONE_LP_PER_NODE, scheduler="classic, "
                     "preempt_after: 100ms, node_patience: 5ms"),
    "sibling": scenario("sibling", vm("waits"), vm("b"), scheduler="core",
                        host="smt: 2, " + TWO_LPS),
    "wake": scenario("wake", vm("waits", workload="tick-idle")),
}

# The least that it waits, in ns: it wakes 20 times for some microseconds each.
LEAST = collections.defaultdict(lambda: 50e6, wake=30e3)


class Wait(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.runs = {name: cls.run_scenario(name, text)
                    for name, text in RULES.items()}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def run_scenario(cls, name, text):
        file = pathlib.Path(cls.folder.name, name + ".yaml")
        file.write_text(text)
        out = file.with_suffix(".db")
        subprocess.run([HVSIM, "run", file, "-o", out, "--quiet", "--force"],
                       check=True, timeout=DEADLINE_S)
        return out

    @staticmethod
    def hvsim(*arguments, status=0):
        done = subprocess.run([HVSIM, *map(str, arguments)], text=True,
                              capture_output=True, timeout=DEADLINE_S)
        if done.returncode != status:
            raise AssertionError(f"{arguments}: {done.returncode}\n"
                                 f"{done.stderr}")
        return done.stdout if status == 0 else done.stderr

    def view(self, run, name):
        text = self.hvsim("export", run, "--view", name, "--format", "json")
        return json.loads(text)

    def totals(self, run):
        """Waits of each VP, in ns, by rule."""
        totals = collections.defaultdict(dict)
        for row in self.view(run, "wait"):
            totals[row["vm"], row["vp"]][row["rule"]] = row
        return totals

    def test_each_rule_is_seen_where_it_alone_keeps_a_vp_out(self):
        for rule, run in self.runs.items():
            with self.subTest(rule):
                rows = self.totals(run)["waits", 0]
                total = sum(r["wait_ns"] for r in rows.values())
                self.assertGreater(total, LEAST[rule])
                self.assertGreater(rows[rule]["wait_ns"] / total, 0.9)

    def test_waits_add_up_to_what_the_counters_show(self):
        for rule, run in self.runs.items():
            counters = {}
            for row in self.view(run, "perf_total"):
                counters[row["instance"], row["counter"]] = row["value"]
            seconds = self.view(run, "run")[0]["sim_ns"] / 1e9
            for (name, vp), rows in self.totals(run).items():
                instance = (f"Root VP {vp}" if name == "Root"
                            else f"{name}:Hv VP {vp}")
                times = collections.Counter()
                for row in rows.values():
                    kind = {"wake": "Wake Up", "cap": "", "group": ""}
                    times[kind.get(row["rule"], "Contention")] += (
                        row["wait_ns"])
                dispatches = round(seconds * counters[
                    instance, "Logical Processor Dispatches/sec"])
                with self.subTest(rule=rule, instance=instance):
                    self.assertEqual(
                        sum(r["dispatches"] for r in rows.values()),
                        dispatches)
                    for kind in ("Wake Up", "Contention"):
                        shown = counters[
                            instance, f"CPU {kind} Time Per Dispatch"]
                        self.assertAlmostEqual(shown * dispatches,
                                               times[kind], delta=10)
                    shown = counters[instance, "CPU Wait Time Per Dispatch"]
                    self.assertAlmostEqual(shown * dispatches,
                                           sum(times.values()), delta=10)

    def test_the_trace_tells_each_wait_with_its_rule(self):
        for rule, run in self.runs.items():
            kinds = collections.Counter()
            rules = collections.Counter()
            for row in self.view(run, "event"):
                kinds[row["kind"]] += 1
                if row["kind"] == "wait":
                    rules[row["detail"] & 0xff] += 1
            booked = collections.Counter()
            order = ["wake", "slice", "affinity", "numa", "sibling", "cap",
                     "group"]
            for rows in self.totals(run).values():
                for row in rows.values():
                    booked[order.index(row["rule"])] += row["dispatches"]
            self.assertEqual(kinds["wait"], kinds["dispatch"])
            self.assertEqual(+rules, +booked)

    def test_histogram_and_worst_cases_are_of_the_same_waits(self):
        for run in self.runs.values():
            totals = self.totals(run)
            counts = collections.Counter()
            for row in self.view(run, "wait_histogram"):
                counts[row["vm"], row["vp"]] += row["dispatches"]
            for key, rows in totals.items():
                self.assertEqual(counts[key], sum(r["dispatches"]
                                                  for r in rows.values()))
            parts = collections.Counter()
            for row in self.view(run, "wait_worst_part"):
                parts[row["vm"], row["vp"], row["rank"]] += row["wait_ns"]
            worst = self.view(run, "wait_worst")
            self.assertTrue(worst)
            for row in worst:
                self.assertAlmostEqual(
                    row["wait_ns"],
                    parts[row["vm"], row["vp"], row["rank"]], delta=7)

    def test_explain_says_it_in_a_sentence(self):
        says = {
            "slice": "for its turn on LPs that others used",
            "affinity": "for the LPs that it is bound to, while others idled "
                        "(b 100%)",
            "cap": "having used up its own limit",
            "group": "its CPU group having used up its cap",
            "numa": "for an LP of its own NUMA node, while another node's "
                    "idled (b 100%)",
            "sibling": "for a core of its own, while an LP beside another VM "
                       "idled (b ",
            "wake": "to wake up or to switch to it",
        }
        for rule, run in self.runs.items():
            text = self.hvsim("explain", "wait", run, "--vp", "waits:0")
            words = " ".join(text.split())
            self.assertIn("waits:Hv VP 0 waited ", words)
            self.assertIn(says[rule], words)
            self.assertIn(f"\n{rule}: ", text)
            for line in text.splitlines():
                self.assertLessEqual(len(line), 80, line)
                self.assertEqual(line, line.rstrip())

    def test_a_vp_can_be_named_in_several_ways(self):
        run = self.runs["slice"]
        texts = [self.hvsim("explain", "wait", run, *how)
                 for how in (["--vp", "waits:Hv VP 0"], ["--vp", "waits:0"],
                             ["--vm", "waits", "--vp", "0"],
                             ["--vm", "waits"])]
        self.assertEqual(texts[0], texts[1])
        self.assertEqual(texts[0], texts[2])
        self.assertIn("Root VP 0 ",
                      self.hvsim("explain", "wait", run, "--vm", "Root"))
        self.assertEqual(
            self.hvsim("explain", "wait", run, "--vp", "Root VP 0"),
            self.hvsim("explain", "wait", run, "--vp", "Root:0"))

    def test_figures_come_as_csv_and_json(self):
        run = self.runs["cap"]
        text = self.hvsim("explain", "wait", run, "--vp", "waits:0",
                          "--format", "csv")
        rows = list(csv.DictReader(io.StringIO(text)))
        self.assertEqual({row["vm"] for row in rows}, {"waits"})
        rows = json.loads(self.hvsim("explain", "wait", run, "--vp", "waits:0",
                                     "--format", "json"))
        self.assertEqual(rows, [row for row in self.view(run, "wait")
                                if row["vm"] == "waits"])

    def test_who_asks_wrongly_hears_what_there_is(self):
        run = self.runs["slice"]
        wrong = {
            ("--vm", "web"): (66, "there were: Root, b, c, d, waits"),
            ("--vp", "waits:7"): (66, "'waits' has no VP 7; there are: "
                                      "waits:Hv VP 0"),
            ("--vp", "waits"): (2, "expected a VP such as"),
            ("--vp", "waits:99999999999"): (2, "expected a VP such as"),
            ("--vp", "b:0", "--vm", "c"): (2, "is not a VP of --vm"),
            ("--format", "xml"): (2, "expected text, csv or json"),
        }
        for options, (status, says) in wrong.items():
            self.assertIn(says, self.hvsim("explain", "wait", run, *options,
                                           status=status))
        self.assertIn("explains 'wait' alone",
                      self.hvsim("explain", "slice", run, status=2))
        self.assertIn("are for 'hvsim explain wait",
                      self.hvsim("explain", "slice", "--vm", "b", status=2))

    def test_who_had_the_lp_is_told(self):
        for rule in ("slice", "affinity", "numa", "sibling"):
            holders = [row for row in self.view(self.runs[rule], "wait_holder")
                       if row["vm"] == "waits"]
            total = sum(row["wait_ns"] for row in holders)
            others = sum(row["wait_ns"] for row in holders
                         if row["holder_vm"] in ("b", "c", "d"))
            with self.subTest(rule):
                self.assertGreater(others / total, 0.95)

    def test_a_vm_that_is_started_again_has_all_its_waits_told(self):
        run = self.run_scenario("again", scenario(
            "again", vm("waits"), vm("b"),
            host="nodes: [{lps: 1, memory: 1GiB}]") +
            "at:\n  - {time: 60ms, stop: waits}\n"
            "  - {time: 120ms, start: waits}\n")
        text = self.hvsim("explain", "wait", run, "--vp", "waits:0")
        worst = [row for row in self.view(run, "wait_worst")
                 if row["vm"] == "waits"]
        self.assertTrue(any(row["ready_ns"] < 60e6 for row in worst))
        self.assertTrue(any(row["ready_ns"] > 120e6 for row in worst))
        self.assertEqual(text.count("waits:Hv VP 0 waited"), 1)
        # It was ready, behind "b", when it was turned off.
        self.assertIn("not run", text)

    def test_the_same_run_waits_the_same(self):
        again = self.run_scenario("same", RULES["slice"])
        for name in ("wait", "wait_holder", "wait_histogram", "wait_worst",
                     "wait_worst_part"):
            self.assertEqual(self.view(again, name),
                             self.view(self.runs["slice"], name))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
