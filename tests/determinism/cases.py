# SPDX-License-Identifier: GPL-2.0-or-later
"""What is run to see whether results are equal, and one such run."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from compare_results import compare

TESTS = Path(__file__).resolve().parent.parent
sys.path.append(str(TESTS / "guests"))

from guest_tests import GUEST_TESTS  # noqa: E402
from run_guest import scenario_text  # noqa: E402

# Long enough for every part of a machine to have worked, short enough for
# builds with sanitizers.
SHORT = ["--set", "duration=1s"]


@dataclass(frozen=True)
class Case:
    name: str
    scenario: Path
    arguments: list = field(default_factory=list)


@dataclass(frozen=True)
class Runner:
    """A program, and what of its surroundings differs from ours."""
    hvsim: Path
    environment: dict = None  # all of it; None: ours
    folder: Path = None       # it runs there; None: here


def all_cases(work):
    """Every scenario of the tree, shortened, and every in-guest test. Linux,
    which must be fetched first, runs twice in tests/linux."""
    cases = []
    for path in sorted((TESTS.parent / "scenarios").glob("*.yaml")):
        if "linux:" in path.read_text():
            continue
        cases.append(Case(path.stem, path, SHORT))
        cases.append(Case(f"{path.stem}, traced", path, [
            "--set", "duration=50ms", "--set", "counters.trace=true"]))
    work.mkdir(parents=True, exist_ok=True)
    for name, test in GUEST_TESTS.items():
        path = work / f"guest-{name}.yaml"
        path.write_text(scenario_text(name, test))
        cases.append(Case(f"guest {name}", path))
    return cases


def run(runner, case, output):
    """The exit code of a run that leaves its results in `output`."""
    output.parent.mkdir(parents=True, exist_ok=True)
    output.unlink(missing_ok=True)
    done = subprocess.run(
        [runner.hvsim, "run", case.scenario, *case.arguments,
         "--quiet", "-o", output],
        env=runner.environment, cwd=runner.folder,
        stderr=subprocess.PIPE, text=True, check=False)
    # That a guest fails may be the case's point: it must fail the same way.
    if done.returncode not in (0, 1) or not output.exists():
        print(f"{runner.hvsim}: exit code {done.returncode}\n{done.stderr}")
    return done.returncode


def is_same(here, there, case, work):
    """Whether both runners come to the same end and to equal results."""
    stem = case.name.replace(", ", "-").replace(" ", "-")
    outputs = [work / f"{stem}.{side}.db" for side in ("here", "there")]
    codes = [run(runner, case, output)
             for runner, output in zip((here, there), outputs)]
    if not all(output.exists() for output in outputs):
        return False
    if codes[0] != codes[1]:
        print(f"exit codes {codes[0]} / {codes[1]}")
        return False
    return codes[0] in (0, 1) and compare(outputs) == 0


def compare_all(here, there, work):
    """Prints a line per case; how many were not equal."""
    unequal = 0
    for case in all_cases(work):
        same = is_same(here, there, case, work)
        print(f"{case.name}: {'equal' if same else 'NOT equal'}", flush=True)
        unequal += not same
    return unequal
