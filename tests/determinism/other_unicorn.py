#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs everything with this machine's Unicorn and with another version of it.

    other_unicorn.py HVSIM WORK

The other version comes from another release of Debian, through this machine's
own apt sources, and is unpacked under WORK; the system stays as it is, and
nothing needs root. Later calls find it there. Exit code 77: there was no other
version to be had (no network, no apt), so nothing was compared.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from cases import Runner, compare_all

SKIPPED = 77
# Whichever of them has another version than this machine.
SUITES = ("sid", "trixie")
PACKAGE = "libunicorn2t64"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
STEP_SECONDS_MAX = 240


class Unavailable(Exception):
    """Why there is no other Unicorn here."""


def output_of(command, **options):
    """What a command prints; Unavailable, with its complaint, if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True,
                              check=False, timeout=STEP_SECONDS_MAX, **options)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(str(error)) from error
    if done.returncode != 0:
        complaint = done.stderr.strip().splitlines() or ["it does not say why"]
        raise Unavailable(f"{Path(command[0]).name}: {complaint[0]}")
    return done.stdout


def archives():
    """The addresses this machine gets packages from, Debian's or not."""
    lines = output_of([
        "apt-get", "indextargets", "--format",
        "$(COMPONENT) $(RELEASE) $(REPO_URI)", "Created-By: Packages"])
    found = []
    for component, release, uri in map(str.split, lines.splitlines()):
        # bookworm-updates and bookworm-security hold no whole release.
        if component == "main" and "-" not in release and uri not in found:
            found.append(uri)
    if not found:
        raise Unavailable("apt has no source with a whole release of Debian")
    return found


def private_apt(folder, uri, suite):
    """The environment in which apt-get knows one suite, and only `folder`."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(
        f"deb [signed-by={KEYRING}] {uri} {suite} main\n")
    # How to reach the network is the machine's to say. Its hooks, though, such
    # as those that empty its package cache, have no business here.
    network = output_of(["apt-config", "dump", "--format", '%F "%v";%n',
                         "Acquire"])
    configuration = folder / "apt.conf"
    configuration.write_text(f"""{network}
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Dir::Cache "{folder}/cache";
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
""")
    return os.environ | {"APT_CONFIG": str(configuration), "LC_ALL": "C"}


def fetch(folder, suite):
    """Unpacks the suite's Unicorn into `folder`/root."""
    problems = []
    for uri in archives():
        try:
            apt = private_apt(folder, uri, suite)
            output_of(["apt-get", "-q", "update"], env=apt)
            output_of(["apt-get", "-q", "download", PACKAGE],
                      env=apt, cwd=folder)
            package = max(folder.glob("*.deb"), key=os.path.getmtime)
            output_of(["dpkg-deb", "-x", package, folder / "root"])
            return
        except Unavailable as problem:
            problems.append(str(problem))
    raise Unavailable("; ".join(problems))


def unicorn_version(hvsim, environment=None):
    text = output_of([hvsim, "--version"], env=environment)
    return re.search(r"unicorn ([0-9.]+)", text).group(1)


def with_unicorn_of(suite, hvsim, work):
    """The environment in which hvsim uses the suite's Unicorn."""
    folder = work / suite
    libraries = list(folder.glob("root/usr/lib/*/libunicorn.so.2"))
    if not libraries:
        fetch(folder, suite)
        libraries = list(folder.glob("root/usr/lib/*/libunicorn.so.2"))
    if not libraries:
        raise Unavailable(f"{PACKAGE} has no libunicorn.so.2")
    environment = os.environ | {"LD_LIBRARY_PATH": str(libraries[0].parent)}
    if unicorn_version(hvsim, environment) == unicorn_version(hvsim):
        raise Unavailable("it has the version that this machine has")
    return environment


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    hvsim, work = (Path(name).resolve() for name in arguments)
    problems = []
    for suite in SUITES:
        try:
            environment = with_unicorn_of(suite, hvsim, work)
        except Unavailable as problem:
            problems.append(f"{suite}: {problem}")
            continue
        print(f"Unicorn {unicorn_version(hvsim)} and "
              f"{unicorn_version(hvsim, environment)}", flush=True)
        return min(1, compare_all(Runner(hvsim), Runner(hvsim, environment),
                                  work / "results"))
    print("SKIPPED, nothing was compared: there is no other Unicorn here.")
    print("\n".join(problems))
    return SKIPPED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
