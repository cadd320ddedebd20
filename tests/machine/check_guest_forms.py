#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks that every form of guest starts as its loader promises.

usage: check_guest_forms.py HVSIM

The guests are made here, byte by byte: each prints what it was given, found by
the rules of its form, and says that it is done.
"""
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

HVSIM = pathlib.Path(sys.argv[1]).resolve()
DEADLINE_S = 60  # host time; reached only by a failure

# Print the text at (E)SI, up to its zero.
PRINT_16 = bytes.fromhex("ac 84c0 7406 baf803 ee ebf5")
PRINT_32 = bytes.fromhex("ac 84c0 7407 66baf803 ee ebf4")  # and in 64-bit mode
HALT = bytes.fromhex("f4 ebfd")
DONE = b"hvsim: done\n\0"


def u32(value):
    return struct.pack("<I", value)


def code_16(text, at):
    start = len(PRINT_16 + HALT) + 3
    return (b"\xbe" + struct.pack("<H", at + start) + PRINT_16 + HALT +
            text + DONE)


def code_32(text, at):
    start = len(PRINT_32 + HALT) + 5
    return b"\xbe" + u32(at + start) + PRINT_32 + HALT + text + DONE


def code_64(text):
    """By an address relative to RIP, which other modes do not have."""
    return (bytes.fromhex("488d35") + u32(len(PRINT_32 + HALT)) + PRINT_32 +
            HALT + text + DONE)


def multiboot_code():
    """Prints the command line, the first module's string and the module."""
    return (bytes.fromhex("8b7310") + PRINT_32 +                # cmdline
            bytes.fromhex("8b7b18 8b7708") + PRINT_32 +         # mods: string
            bytes.fromhex("8b7b18 8b37") + PRINT_32 + HALT)     # mods: start


def elf_32(code, at):
    multiboot = struct.pack("<3I", 0x1BADB002, 0, -0x1BADB002 & 0xFFFFFFFF)
    text = multiboot + code
    offset = 52 + 32
    header = struct.pack("<16sHHIIIIIHHHHHH", b"\x7fELF\1\1\1", 2, 3, 1,
                         at + len(multiboot), 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<8I", 1, offset, at, at, len(text),
                          len(text) + 4096, 7, 4096)
    return header + segment + text


def linux():
    """A bzImage that prints its command line and its initrd."""
    code = (bytes(0x200) + bytes.fromhex("4889f3") +            # RBX: zero page
            bytes.fromhex("8bb328020000") + PRINT_32 +
            bytes.fromhex("8bb318020000") + PRINT_32 + HALT)
    code += bytes(-len(code) % 16)
    setup = bytearray(1024)
    for offset, form, value in (
            (0x1F1, "<B", 1), (0x1F4, "<I", len(code) // 16),
            (0x1FE, "<H", 0xAA55), (0x201, "<B", 0x6A),
            (0x202, "<4s", b"HdrS"), (0x206, "<H", 0x020F),
            (0x211, "<B", 1), (0x22C, "<I", 0x7FFFFFFF),
            (0x236, "<H", 1), (0x238, "<I", 2047),
            (0x258, "<Q", 0x1000000), (0x260, "<I", 0x100000)):
        struct.pack_into(form, setup, offset, value)
    return bytes(setup) + code


class GuestForms(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        (self.path / "images").mkdir()

    def write(self, name, content):
        (self.path / "images" / name).write_bytes(content)

    def hvsim(self, *arguments):
        return subprocess.run([HVSIM, *arguments], cwd=self.path, text=True,
                              check=False, timeout=DEADLINE_S,
                              capture_output=True)

    def run_guest(self, guest, memory="64MiB"):
        """The scenario lies beside its images, and is run from above."""
        (self.path / "images" / "f.yaml").write_text(
            "hvsim: 1\nname: f\nduration: 1s\n"
            "host: {nodes: [{lps: 1, memory: 8GiB}]}\n"
            "root: {memory: 256MiB}\nvms:\n"
            f"  - {{name: vm, memory: {memory}, guest: {{{guest}}}}}\n")
        return self.hvsim("run", "images/f.yaml", "--quiet", "--force",
                          "-o", "f.db")

    def console(self, guest, memory="64MiB"):
        done = self.run_guest(guest, memory)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = self.hvsim("console", "f.db").stdout.splitlines()
        return [line.removeprefix("vm: ") for line in lines]

    def assert_refused(self, guest, *words):
        done = self.run_guest(guest)
        self.assertEqual(done.returncode, 66, done.stderr)
        for word in ('"vm"', *words):
            self.assertIn(word, done.stderr)

    def test_a_boot_sector_runs_in_real_mode(self):
        self.write("boot", code_16(b"real\n", 0x7C00))
        self.assertEqual(self.console("flat: boot, bits: 16")[0], "real")

    def test_flat_code_runs_in_protected_mode_where_it_is_put(self):
        self.write("flat", bytes(16) + code_32(b"flat\n", 0x300010))
        self.assertEqual(
            self.console("flat: flat, bits: 32, load: 0x300000, "
                         "entry: 0x300010")[0], "flat")

    def test_flat_code_runs_in_64_bit_mode(self):
        self.write("long", code_64(b"long\n"))
        self.assertEqual(self.console("flat: long, bits: 64")[0], "long")

    def test_a_multiboot_elf_gets_its_command_line_and_modules(self):
        self.write("kernel", elf_32(multiboot_code(), 0x200000))
        self.write("module", b"in the module\n" + DONE)
        self.assertEqual(
            self.console("multiboot: kernel, cmdline: 'a \"b\" ', "
                         "args: {c: d}, "
                         "modules: [{file: module, cmdline: '; its text '}]"),
            ['a "b"  c=d; its text in the module', "hvsim: done"])

    def test_a_linux_kernel_gets_its_command_line_and_initrd(self):
        self.write("vmlinuz", linux())
        self.write("initrd", b"; in the initrd\n" + DONE)
        for memory in ("64MiB", "5GiB"):
            self.assertEqual(
                self.console("linux: vmlinuz, initrd: initrd, cmdline: quiet",
                             memory)[0], "quiet; in the initrd")

    def test_a_large_initrd_arrives_whole(self):
        """Its end lies 5 MiB on: it is copied in parts."""
        print_end = bytes.fromhex("81c6") + u32(5 << 20) + PRINT_32
        kernel = linux().replace(bytes.fromhex("8bb318020000") + PRINT_32,
                                 bytes.fromhex("8bb318020000") + print_end)
        kernel = kernel[:1024 + 0x200 + 64]
        self.write("vmlinuz", kernel + bytes(64))
        self.write("initrd", bytes(5 << 20) + b"the end\n" + DONE)
        self.assertEqual(
            self.console("linux: vmlinuz, initrd: initrd, cmdline: ''")[0],
            "the end")

    def test_a_missing_file_is_named_with_its_folder(self):
        self.write("vmlinuz", linux())
        self.write("kernel", elf_32(multiboot_code(), 0x200000))
        for guest, missing in (
                ("linux: nothing", "images/nothing"),
                ("linux: vmlinuz, initrd: nothing", "images/nothing"),
                ("multiboot: /nowhere/kernel", "/nowhere/kernel"),
                ("multiboot: kernel, modules: [{file: a/b}]", "images/a/b"),
                ("flat: nothing, bits: 32", "images/nothing")):
            with self.subTest(guest):
                self.assert_refused(guest, missing, "cannot be opened")

    def test_a_file_of_another_form_is_refused(self):
        self.write("text", b"no guest\n" * 1000)
        self.assert_refused("linux: text", "text", "bzImage")
        self.assert_refused("multiboot: text", "text", "multiboot")

    def test_what_is_no_file_is_refused_at_once(self):
        os.mkfifo(self.path / "images" / "pipe")
        for name in ("pipe", ".", "/dev/zero"):
            self.assert_refused(f"linux: {name}", name, "not a regular file")

    def test_a_kernel_that_is_cut_is_refused(self):
        self.write("vmlinuz", linux()[:-1])
        self.assert_refused("linux: vmlinuz", "vmlinuz", "is cut short")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
