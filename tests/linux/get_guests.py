#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fetches and packs the Linux guests for the tests.

    get_guests.py SCRIPTS FOLDER

Skips (77) where this machine cannot fetch a kernel; a kernel that is there
and cannot be packed is a failure.
"""

import subprocess
import sys
from pathlib import Path

from linux_cases import RELEASES, SKIPPED


def main(scripts, folder):
    skipped = []
    for release in RELEASES:
        fetched = subprocess.run(
            [Path(scripts) / "fetch-kernel.sh", release, folder], check=False)
        if fetched.returncode == 0:
            subprocess.run([Path(scripts) / "build-initramfs.sh", release,
                            folder], check=True)
        else:
            skipped.append(release)
    if skipped:
        print(f"SKIPPED: the kernel of {' and '.join(skipped)} could not be "
              "fetched (see above); what needs it is NOT tested.")
        return SKIPPED
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
