#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Copies kernel modules and all that they depend on, uncompressed.

usage: pick_modules.py MODULES-FOLDER OUTPUT-FOLDER NAME...

OUTPUT-FOLDER gets NAME.ko of each, and modules.dep, which modprobe reads. A
module's own record of its dependencies (.modinfo) is what counts, since a
package that was never installed has no modules.dep. What the kernel has built
in needs no file.
"""
import gzip
import lzma
import pathlib
import re
import sys

OPENERS = {".ko": open, ".gz": gzip.open, ".xz": lzma.open}


def module_name(path):
    """The name of the module in the file: hv_vmbus of hv-vmbus.ko.xz."""
    return path.name.split(".")[0].replace("-", "_")


def dependencies(content):
    """Names of the modules that this one says it needs."""
    found = re.search(rb"\0depends=([^\0]*)\0", content)
    return found.group(1).decode().replace("-", "_").split(",") if (
        found and found.group(1)) else []


def built_in(folder):
    """Names of the modules that the kernel itself contains."""
    lines = (folder / "modules.builtin").read_text().splitlines()
    return {module_name(pathlib.Path(line)) for line in lines}


def with_dependencies(names, files, present):
    """{name: content} of the modules and all below them that are not
    present."""
    wanted, contents = list(names), {}
    while wanted:
        name = wanted.pop()
        if name in contents or name in present:
            continue
        if name not in files:
            sys.exit(f"pick_modules: there is no module {name}")
        path = files[name]
        with OPENERS[path.suffix](path, "rb") as file:
            contents[name] = file.read()
        wanted += dependencies(contents[name])
    return contents


def in_order(name, contents, before):
    """What to load before `name`, deepest first, without repetition."""
    for needed in dependencies(contents[name]):
        if needed in contents and needed not in before:
            in_order(needed, contents, before)
            before.append(needed)
    return before


def main():
    source, output = map(pathlib.Path, sys.argv[1:3])
    files = {module_name(path): path for path in sorted(source.rglob("*.ko*"))
             if path.suffix in OPENERS}
    contents = with_dependencies(sys.argv[3:], files, built_in(source))

    output.mkdir(parents=True, exist_ok=True)
    lines = []
    for name in sorted(contents):
        (output / f"{name}.ko").write_bytes(contents[name])
        # modprobe loads the last of a line first.
        needed = reversed(in_order(name, contents, []))
        lines.append(" ".join([f"{name}.ko:"] + [f"{n}.ko" for n in needed]))
    (output / "modules.dep").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
