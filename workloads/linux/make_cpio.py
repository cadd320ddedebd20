#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Packs a folder into an initramfs of the same bytes every time.

usage: make_cpio.py FOLDER OUTPUT

The format is the kernel's "newc" (Documentation/driver-api/early-userspace/
buffer-format.rst): names in order, numbers of our own for inodes, time 0,
owner root. Mode bits are of three kinds alone: folder, program, file. Device
nodes need no root here: there is one, the console.
"""
import os
import pathlib
import stat
import sys

CONSOLE = ("dev/console", stat.S_IFCHR | 0o600, b"", (5, 1))


def entries(folder):
    """(name, mode, content, device) of all below the folder, by name."""
    found = [CONSOLE]
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found.append((name, stat.S_IFLNK | 0o777,
                          os.readlink(path).encode(), (0, 0)))
        elif path.is_dir():
            found.append((name, stat.S_IFDIR | 0o755, b"", (0, 0)))
        else:
            kind = 0o755 if os.access(path, os.X_OK) else 0o644
            found.append((name, stat.S_IFREG | kind, path.read_bytes(),
                          (0, 0)))
    return sorted(found)


def padded(data):
    """To a multiple of four bytes."""
    return data + bytes(-len(data) % 4)


def record(inode, name, mode, content, device):
    """A header of 13 numbers behind the magic, the name, the content."""
    links = 2 if stat.S_ISDIR(mode) else 1
    numbers = (inode, mode, 0, 0, links, 0, len(content), 0, 0, *device,
               len(name) + 1, 0)
    header = b"070701" + b"".join(b"%08X" % number for number in numbers)
    return padded(header + name.encode() + b"\0") + padded(content)


def main():
    folder, output = map(pathlib.Path, sys.argv[1:])
    archive = b"".join(record(inode, *entry)
                       for inode, entry in enumerate(entries(folder), 1))
    archive += record(0, "TRAILER!!!", 0, b"", (0, 0))
    output.write_bytes(archive + bytes(-len(archive) % 512))


if __name__ == "__main__":
    main()
