#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares result databases of runs that must be equal.

    compare_results.py A.db B.db…   exit code 1 and the differences, if any
    compare_results.py --self-test  check this comparison

Everything is compared, table by table, but for what may differ between equal
runs: the host's time and the versions of hvsim and of its engine.
"""

import sqlite3
import sys
import tempfile
from itertools import zip_longest
from pathlib import Path

MAY_DIFFER = {"host_ns", "version", "engine_version"}
SHOWN_MAX = 10


def schema(db):
    return dict(db.execute(
        "SELECT type || ' ' || name, sql FROM sqlite_master"))


def tables(db):
    return [name for name, in db.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]


def rows(db, table):
    columns = [column[1] for column in db.execute(
        f"PRAGMA table_info({table})")]
    kept = ", ".join(f'"{column}"' for column in columns
                     if column not in MAY_DIFFER)
    # A table of host time alone still has as many rows.
    return db.execute(f"SELECT {kept or 1} FROM {table}")


def differences(path_a, path_b):
    """Yields a line per difference between two databases."""
    a = sqlite3.connect(f"file:{path_a}?mode=ro", uri=True)
    b = sqlite3.connect(f"file:{path_b}?mode=ro", uri=True)
    if schema(a) != schema(b):
        yield "the schemas differ"
        return
    for table in tables(a):
        pairs = zip_longest(rows(a, table), rows(b, table))
        for number, (left, right) in enumerate(pairs, 1):
            if left != right:
                yield f"{table}, row {number}: {left} / {right}"
    a.close()
    b.close()


def compare(paths):
    """Prints how the later files differ from the first; the exit code."""
    equal = True
    for path in paths[1:]:
        found = list(differences(paths[0], path))
        for line in found[:SHOWN_MAX]:
            print(f"{paths[0]} / {path}: {line}")
        if len(found) > SHOWN_MAX:
            print(f"… and {len(found) - SHOWN_MAX} more")
        equal = equal and not found
    return 0 if equal else 1


PLAIN = """
CREATE TABLE run_info (name TEXT, version TEXT, trace_hash TEXT);
CREATE TABLE host_clock (host_ns INTEGER);
CREATE TABLE sample (value REAL);
INSERT INTO run_info VALUES ('a', '1', 'cafe');
INSERT INTO host_clock VALUES (100);
INSERT INTO sample VALUES (0.5), (1.5);
"""
PLANTED = (
    ("UPDATE host_clock SET host_ns = 7; UPDATE run_info SET version = '2'", 0),
    ("UPDATE run_info SET trace_hash = 'beef'", 1),
    ("UPDATE sample SET value = 1.5000000000000002 WHERE value = 1.5", 1),
    ("UPDATE sample SET value = NULL WHERE value = 1.5", 1),
    ("DELETE FROM sample WHERE value = 1.5", 1),
    ("INSERT INTO sample VALUES (2.5)", 1),
    ("CREATE TABLE more (x)", 1),
)


def self_test():
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.db"
        other = Path(folder) / "other.db"
        with sqlite3.connect(plain) as db:
            db.executescript(PLAIN)
        for change, expected in PLANTED:
            other.unlink(missing_ok=True)
            with sqlite3.connect(other) as db:
                db.executescript(PLAIN + change)
            if len(list(differences(plain, other))) != expected:
                print(f"misjudged: {change}")
                wrong = 1
    return wrong


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) >= 2:
        return compare(arguments)
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
