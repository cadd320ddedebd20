#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The initramfs of the Linux guests, of the same bytes every time: init, and in
# the larger one busybox and the kernel's Hyper-V modules.

set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly HERE
readonly ROOT=$HERE/../..
readonly SOURCES=(linux/init linux/arguments linux/contention linux/job
    linux/report linux/watch contention/score contention/task)

usage() {
    cat <<'TEXT'
usage: build-initramfs.sh [RELEASE [FOLDER]]

Builds, beside what fetch-kernel.sh put into FOLDER/RELEASE (bookworm and
build/linux in the source tree by default):

  initrd       init, busybox, the Hyper-V modules
  initrd-bare  init alone, which powers off at once; for timing a boot
TEXT
}

die() {
    printf 'build-initramfs: %s\n' "$*" >&2
    exit 1
}

# The compiler is the machine's, with fixed flags.
build_init() {
    local out=$1 sources=() name
    for name in "${SOURCES[@]}"; do
        sources+=("workloads/$name.c")
    done
    (cd "$ROOT" && "${CC:-gcc}" -std=c17 -D_GNU_SOURCE -O2 -Wall -Wextra \
        -static -s -I. -Wl,--build-id=none -o "$out" "${sources[@]}")
}

# The tree that every initramfs starts from, with init.
make_tree() {
    mkdir -p "$1"/{bin,sbin,dev,proc,sys,tmp,run}
    cp "$2" "$1/init"
    ln -s ../init "$1/bin/hvsim-job"
    ln -s ../init "$1/bin/hvsim-contention"
    ln -s ../init "$1/sbin/poweroff"
}

add_busybox() {
    local tree=$1 busybox=$2 applet
    cp "$busybox" "$tree/bin/busybox"
    chmod 755 "$tree/bin/busybox"
    while read -r applet; do
        [ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet"
    done < <("$busybox" --list)
}

add_modules() {
    local tree=$1 modules=$2 into
    into=$tree/lib/modules/$(cat "$modules/version")
    mkdir -p "$into"
    cp "$modules"/*.ko "$modules/modules.dep" "$into"
}

main() {
    local release=${1:-bookworm} folder=${2:-$ROOT/build/linux} work
    case $release in
    -h | --help | help)
        usage
        return
        ;;
    esac
    folder=$folder/$release
    [ -e "$folder/busybox" ] ||
        die "there is no $folder/busybox; run fetch-kernel.sh $release first."

    work=$(mktemp -d "$folder/initrd.XXXXXX")
    # shellcheck disable=SC2064  # the folder's name now
    trap "rm -rf ${work@Q}" EXIT
    build_init "$work/init"
    make_tree "$work/bare" "$work/init"
    make_tree "$work/full" "$work/init"
    add_busybox "$work/full" "$folder/busybox"
    add_modules "$work/full" "$folder/modules"

    python3 -B "$HERE/make_cpio.py" "$work/bare" "$work/initrd-bare"
    python3 -B "$HERE/make_cpio.py" "$work/full" "$work/initrd"
    mv "$work/initrd-bare" "$work/initrd" "$folder"
}

main "$@"
