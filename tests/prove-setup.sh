#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Proves the README's commands on a bare Debian: a debootstrap folder of the
# release, the committed tree, and `./setup.sh test` and `./setup.sh run` in it.
#
#   prove-setup.sh RELEASE [COMMAND...]     e.g. prove-setup.sh bookworm deps
#
# Needs root and debootstrap; takes some minutes and 1.5 GB under TMPDIR. The
# mirror is the one of this machine's own apt configuration.

set -euo pipefail

usage() {
    sed -n '4,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

[ "$#" -ge 1 ] || usage
[ "$(id -u)" -eq 0 ] || { echo "prove-setup: needs root" >&2; exit 2; }
readonly RELEASE=$1
shift
readonly COMMANDS=("${@:-test}")
TREE=$(git -C "$(dirname "${BASH_SOURCE[0]}")" rev-parse --show-toplevel)
FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/prove-$RELEASE.XXXXXX")
readonly TREE FOLDER

clean_up() {
    umount "$FOLDER/proc" 2>/dev/null || true
    rm -rf --one-file-system "$FOLDER"
    rm -f "$FOLDER.log"
}
trap clean_up EXIT

# Any Debian archive that this machine's apt knows holds every release.
mirror() {
    # shellcheck disable=SC2016  # the variables are apt's
    apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' \
        'Created-By: Packages' | awk '$1 == "Debian" && $2 == "Debian" &&
            $3 ~ /^http/ && !found++ { print $3 }'
}

debootstrap --variant=minbase "$RELEASE" "$FOLDER" "$(mirror)" \
    >"$FOLDER.log" 2>&1 || { cat "$FOLDER.log" >&2; exit 1; }
mount -t proc proc "$FOLDER/proc"
cp /etc/resolv.conf "$FOLDER/etc/resolv.conf"
mkdir "$FOLDER/hvsim"
git -C "$TREE" archive HEAD | tar -x -C "$FOLDER/hvsim"

for command in "${COMMANDS[@]}"; do
    echo "prove-setup: $RELEASE: ./setup.sh $command"
    chroot "$FOLDER" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        CI=true /hvsim/setup.sh "$command" </dev/null
done
echo "prove-setup: $RELEASE: done"
