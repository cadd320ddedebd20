#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What setup.sh makes of an apt configuration, without touching this machine's:
# its functions on files of our own. prove-setup.sh tries the whole of it.

set -euo pipefail

# shellcheck source=/dev/null
source "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# expect WHAT EXPECTED ACTUAL
expect() {
    if [ "$2" = "$3" ]; then
        echo "ok: $1"
    else
        failed=1
        printf 'FAILED: %s\n--- expected\n%s\n--- got\n%s\n' "$1" "$2" "$3"
    fi
}

cat >"$work/sources.list" <<'LIST'
# deb http://mirror.example/debian bookworm main
deb http://mirror.example/debian bookworm main contrib non-free # ours
  deb	[ arch=amd64 signed-by=/k.gpg ] https://mirror.example/debian/ stable main
deb-src http://mirror.example/debian bookworm main
LIST

expect "a one-line entry keeps its address and changes its suite" \
    "deb http://mirror.example/debian trixie main" \
    "$(one_line_source "$work/sources.list" 2 trixie)"
expect "a one-line entry keeps its options" \
    "deb [ arch=amd64 signed-by=/k.gpg ] https://mirror.example/debian/ trixie main" \
    "$(one_line_source "$work/sources.list" 3 trixie)"
expect "an entry for sources yields nothing" "" \
    "$(one_line_source "$work/sources.list" 4 trixie)"

cat >"$work/debian.sources" <<'DEB822'
# A comment that is no stanza

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main

# ours
Types: deb deb-src
URIs: http://mirror.example/debian
suites: bookworm
  bookworm-updates
# in between
Components: main contrib
 non-free
Enabled: yes
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://third.example/debian
Suites: bookworm
Components: main
DEB822

expect "a deb822 stanza keeps its address and its key, and nothing of others" \
    "URIs: http://mirror.example/debian
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
 -----END PGP PUBLIC KEY BLOCK-----
Types: deb
Suites: trixie
Components: main" \
    "$(deb822_source "$work/debian.sources" 2 trixie)"

# What write_preferences would write, $2 as there.
preferences() {
    # shellcheck disable=SC2317  # called by write_preferences
    write_as_root() { cat; }
    write_preferences trixie "$1"
}
own='Package: libunicorn* libcapstone*
Pin: release n=trixie
Pin-Priority: 990'
expect "a suite that we add gives nothing but the two libraries" \
    "# Written by hvsim's setup.sh.
Package: *
Pin: release n=trixie
Pin-Priority: -1

$own" "$(preferences ours)"
expect "a suite that was there keeps its priority for all else" \
    "# Written by hvsim's setup.sh.
$own" "$(preferences theirs)"

expect "a wrong command is bad usage" 2 \
    "$("$1" nonsense >/dev/null 2>&1 || echo $?)"
expect "the help is on standard output and no error" "usage:" \
    "$("$1" help 2>/dev/null | cut -d' ' -f1 | head -n 1)"
expect "a package that cannot be there has no version" "" \
    "$(installed_version no-such-package-of-ours || true)"
expect "this machine's dpkg has a version" 1 \
    "$(installed_version dpkg | wc -l)"

exit "$failed"
