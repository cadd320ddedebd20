# SPDX-License-Identifier: GPL-2.0-or-later
"""What the checks of the tree share: their command line, and the proof of each
on a planted tree, since a check that finds nothing proves nothing."""

import sys
import tempfile
from pathlib import Path


def self_test(check_tree, planted):
    """Findings about the check itself. `planted` maps the path of a file to
    its text and the words that its finding must have (None: clean)."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path, (text, _) in planted.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        findings = check_tree(root)
    wrong = []
    for path, (_, words) in planted.items():
        named = [f for f in findings if f.startswith(path + ":")]
        if words is None and named:
            wrong.append(f"{path} is clean, but: {named}")
        elif words is not None and not any(words in f for f in named):
            wrong.append(f"{path}: \"{words}\" was not found: {named}")
    return wrong


def main(usage, check_tree, planted):
    """Runs `ROOT` or `--self-test` from the command line; the exit code."""
    if sys.argv[1:] == ["--self-test"]:
        findings = self_test(check_tree, planted)
    elif len(sys.argv) == 2:
        findings = check_tree(Path(sys.argv[1]))
    else:
        print(usage, file=sys.stderr)
        return 2
    print("\n".join(findings) if findings else "nothing found")
    return 1 if findings else 0
