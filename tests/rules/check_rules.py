#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything that wanted.py lists has its test, and that ran.

    check_rules.py HVSIM UNIT_TESTS…   run them, print which test is whose
    check_rules.py --self-test         check this check

UNIT_TESTS are folders of unit tests, built. A test that does not run, checks
nothing or fails is none.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

import wanted

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "guests"))
import run_guest

PASSED = re.compile(r"^\[ +OK \] (\w+)$", re.MULTILINE)
RULE = re.compile(r"(?:^|/)rule_(\d\d)[._]")
RULE_PROGRAMS = "test_rules_*"


def listed():
    """What is in the tables, and its tests."""
    for table in wanted.TABLES:
        yield from table.items()


def guest_cases(hvsim, test):
    """The cases of an in-guest test that were right in all they checked."""
    with tempfile.TemporaryDirectory() as folder:
        _, _, results = run_guest.run(hvsim, test, pathlib.Path(folder))
    for name, value in results.items():
        case = name.removesuffix(".checks")
        if case != name and value > 0 and results.get(case + ".wrong") == 0:
            yield case
            yield f"{test}/{case}"


def unit_cases(program):
    """The cases of a unit test that passed."""
    done = subprocess.run(
        [program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    for name in PASSED.findall(done.stdout):
        yield f"{program.name}/{name}"


def programs(folder):
    """The unit tests that are wanted."""
    named = {
        folder / test.split("/")[0]
        for _, tests in listed()
        for test in tests
        if test.startswith("test_")
    }
    rules = {p for p in folder.glob(RULE_PROGRAMS) if p.is_file() and not p.suffix}
    return sorted(p for p in named | rules if p.is_file())


def passed(hvsim, folders):
    """Every test that passed."""
    found = set()
    for test in wanted.GUESTS:
        found.update(guest_cases(hvsim, test))
    for folder in folders:
        for program in programs(folder):
            found.update(unit_cases(program))
    return found


def rule_tests(number, found):
    """The tests among `found` that are called by the rule's number."""
    return sorted(
        t for t in found if (match := RULE.search(t)) and int(match[1]) == number
    )


def missing(found):
    """What has no test among `found`."""
    for number in wanted.RULES:
        if not rule_tests(number, found):
            yield f"rule {number} has no test that passed"
    for what, tests in listed():
        for test in tests:
            if test not in found:
                yield f"{what}: {test} did not pass"


def self_test():
    """Nothing is missing where all is there, and what is not there is."""
    every = {f"rule_{number:02}.x" for number in wanted.RULES}
    every.update(t for _, tests in listed() for t in tests)
    assert not list(missing(every))
    for test in ("rule_11.x", "synic.polled", "test_hc_port/ports_are_checked"):
        assert list(missing(every - {test})), test
    assert len(list(missing(set()))) > len(wanted.RULES)


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return
    hvsim, folders = sys.argv[1], [pathlib.Path(f) for f in sys.argv[2:]]
    found = passed(hvsim, folders)
    for number in wanted.RULES:
        tests = rule_tests(number, found)
        print(f"rule {number:2}: {tests[0] if tests else '-'}")
    for what, tests in listed():
        print(f"{what}: {', '.join(tests)}")
    sys.exit("\n".join(missing(found)) or 0)


if __name__ == "__main__":
    main()
