#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks what makes the Linux guests' files: check_tools.py SOURCE-TREE.

No network and no kernel: on small files of its own.
"""

import lzma
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOLS = Path(sys.argv.pop()).resolve() / "workloads" / "linux"


def run(tool, *arguments):
    """The tool's (exit code, messages)."""
    done = subprocess.run([sys.executable, "-B", TOOLS / tool, *arguments],
                          capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


class Folders(unittest.TestCase):
    """Tests with a folder of their own."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)


class CpioTest(Folders):
    def pack(self, name, order):
        """A tree, made in some order, and its archive."""
        tree = self.folder / name
        tree.mkdir()
        for entry in order:
            if entry == "folder":
                (tree / "a").mkdir(exist_ok=True)
            elif entry == "program":
                (tree / "b").write_bytes(b"12345")
                (tree / "b").chmod(0o700)
            else:
                (tree / "c").symlink_to("b")
        output = self.folder / f"{name}.cpio"
        self.assertEqual(run("make_cpio.py", tree, output), (0, ""))
        return output.read_bytes()

    def test_bytes_depend_on_names_and_contents_alone(self):
        one = self.pack("one", ["folder", "program", "link"])
        two = self.pack("two", ["link", "program", "folder"])
        self.assertEqual(one, two)

    def test_entries_are_as_the_kernel_reads_them(self):
        archive, at, found = self.pack("t", ["folder", "program", "link"]), 0, []
        while not found or found[-1][0] != "TRAILER!!!":
            self.assertEqual(archive[at:at + 6], b"070701")
            numbers = [int(archive[at + 6 + 8 * i:at + 14 + 8 * i], 16)
                       for i in range(13)]
            size, name_size = numbers[6], numbers[11]
            name = archive[at + 110:at + 110 + name_size - 1].decode()
            at += (110 + name_size + 3) // 4 * 4
            found.append((name, oct(numbers[1]), archive[at:at + size],
                          tuple(numbers[9:11])))
            at += (size + 3) // 4 * 4
        self.assertEqual(found, [
            ("a", "0o40755", b"", (0, 0)),
            ("b", "0o100755", b"12345", (0, 0)),
            ("c", "0o120777", b"b", (0, 0)),
            ("dev/console", "0o20600", b"", (5, 1)),
            ("TRAILER!!!", "0o0", b"", (0, 0))])


class ModulesTest(Folders):
    def setUp(self):
        super().setUp()
        self.source = self.folder / "modules"
        self.output = self.folder / "picked"
        self.source.mkdir()
        (self.source / "modules.builtin").write_text("kernel/built-in.ko\n")

    def module(self, name, needs):
        """A file that says what it needs, as modpost writes it."""
        content = f"ELF\0name={name}\0depends={needs}\0".encode()
        if name.endswith("x"):
            (self.source / f"{name}.ko.xz").write_bytes(lzma.compress(content))
        else:
            (self.source / f"{name}.ko").write_bytes(content)

    def test_what_a_module_needs_comes_along_in_load_order(self):
        self.module("top", "middle-x,low")
        self.module("middle-x", "low,built-in")
        self.module("low", "")
        self.module("other", "")
        self.assertEqual(run("pick_modules.py", self.source, self.output,
                             "top", "built_in"), (0, ""))
        self.assertEqual(sorted(os.listdir(self.output)),
                         ["low.ko", "middle_x.ko", "modules.dep", "top.ko"])
        self.assertIn(b"ELF", (self.output / "middle_x.ko").read_bytes())
        self.assertEqual((self.output / "modules.dep").read_text(),
                         "low.ko:\nmiddle_x.ko: low.ko\n"
                         "top.ko: middle_x.ko low.ko\n")

    def test_a_module_that_is_not_there_is_named(self):
        self.module("top", "gone")
        code, messages = run("pick_modules.py", self.source, self.output, "top")
        self.assertEqual(code, 1)
        self.assertIn("no module gone", messages)


if __name__ == "__main__":
    unittest.main()
