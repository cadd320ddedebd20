#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks what `hvsim schema` prints against what the reader does.

    check_schema.py HVSIM ROOT

The schema must be valid JSON and say of each scenario of the tree, good or
broken, what it can say: it accepts what the reader accepts. Needs nothing but
Python; where python3-jsonschema and python3-yaml are there, it is checked with
them as well. Run by ctest.
"""

import json
import pathlib
import subprocess
import sys

# Our reader takes types from the key and quotes do not matter to it; other
# readers take a quoted number for a text.
OTHER_TYPES = {"ok-quoted.yaml"}


def objects(schema):
    """Each object schema with "properties" in `schema`, itself included."""
    if "properties" in schema:
        yield schema
    for value in schema.get("properties", {}).values():
        yield from objects(value)
        yield from objects(value.get("items", {}))


def check_structure(schema):
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema["required"] == ["hvsim", "name", "vms"], schema["required"]
    found = list(objects(schema))
    assert len(found) == 21, len(found)
    for entry in found:
        assert entry["additionalProperties"] is False
        for name in entry.get("required", []):
            assert "default" not in entry["properties"][name], name
        for name, value in entry["properties"].items():
            assert value["description"], name
            assert "default" in value or name in entry["required"], name


def accepted_by_reader(hvsim, path):
    return subprocess.run([hvsim, "check", "--quiet", path],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          check=False).returncode == 0


def check_against_reader(schema, hvsim, files):
    """Returns how many files were compared; 0 without the modules."""
    try:
        import jsonschema
        import yaml
    except ImportError:
        return 0
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    for path in files:
        if not accepted_by_reader(hvsim, path) or path.name in OTHER_TYPES:
            continue
        document = yaml.safe_load(path.read_bytes())
        errors = [e.message for e in validator.iter_errors(document)]
        assert not errors, f"{path}: {errors}"
    return len(files)


def main(hvsim, root):
    schema = json.loads(subprocess.run(
        [hvsim, "schema"], check=True, capture_output=True).stdout)
    root = pathlib.Path(root)
    files = sorted([*root.glob("scenarios/*.yaml"),
                    *root.glob("tests/fuzz/corpus/scenario/*.yaml")])
    assert files
    check_structure(schema)
    compared = check_against_reader(schema, hvsim, files)
    print(f"schema: sound; compared with the reader on {compared} files")


if __name__ == "__main__":
    main(*sys.argv[1:])
