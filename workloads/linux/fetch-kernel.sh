#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Debian's cloud kernel, its Hyper-V modules and busybox, fetched with this
# machine's own apt and unpacked into a folder. Nothing is installed, and
# apt's own package lists and settings stay as they are.

set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly HERE
# What a guest may want to load: the synthetic devices, and a file system.
readonly MODULES=(hv_vmbus hv_storvsc hv_netvsc hv_utils hv_balloon sd_mod ext4)

# For finding a release's entry among apt's sources, and writing it anew.
# shellcheck source=setup.sh
. "$HERE/../../setup.sh"

usage() {
    cat <<'TEXT'
usage: fetch-kernel.sh [RELEASE [FOLDER]]

Puts the cloud kernel of Debian's RELEASE (bookworm, the default, or trixie)
into FOLDER/RELEASE; FOLDER is build/linux in the source tree by default:

  vmlinuz      the kernel
  modules/     its modules for Hyper-V's devices, with modules.dep
  busybox      busybox-static's program
  versions     the packages that these come from

What is there already is left as it is; remove FOLDER/RELEASE to fetch anew.
TEXT
}

say() {
    printf 'fetch-kernel: %s\n' "$*" >&2
}

# apt's settings for this script alone: lists, cache and state in folder $1,
# no pins, no installed packages.
write_apt_settings() {
    mkdir -p "$1/lists/partial" "$1/archives/partial" "$1/parts"
    : >"$1/status"
    cat >"$1/apt.conf" <<TEXT
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Sandbox::User "$(id -un)";
Dir::State::lists "$1/lists";
Dir::State::status "$1/status";
Dir::Cache "$1";
Dir::Etc::preferences "$1/none";
Dir::Etc::preferencesparts "$1/parts";
TEXT
}

# The apt source entry to take RELEASE's address from: its own, or another
# Debian release's.
entry_for() {
    local release entry
    for release in "$1" bookworm trixie; do
        entry=$(source_entry "$release")
        if [ -n "$entry" ]; then
            echo "$entry"
            return
        fi
    done
}

# From here on, apt knows RELEASE and nothing else, by folder $2.
use_release() {
    local release=$1 apt=$2 entry file source
    entry=$(entry_for "$release")
    if [ -z "$entry" ]; then
        # A machine that has never read its lists, such as a fresh container.
        export APT_CONFIG=$apt/apt.conf
        quietly "reading apt's package lists" apt-get -q update
        entry=$(entry_for "$release")
    fi
    [ -n "$entry" ] ||
        die "apt knows no Debian 12 or 13 to derive $release from: does" \
            "\"apt-get update\" work on this machine?"

    file=${entry%:*}
    case $file in
    *.sources)
        source=$apt/$release.sources
        deb822_source "$file" "${entry##*:}" "$release" >"$source"
        ;;
    *)
        source=$apt/$release.list
        one_line_source "$file" "${entry##*:}" "$release" >"$source"
        ;;
    esac
    cat >>"$apt/apt.conf" <<TEXT
Dir::Etc::sourcelist "$source";
Dir::Etc::sourceparts "$apt/parts";
TEXT
    export APT_CONFIG=$apt/apt.conf
    quietly "reading the package lists of $release" apt-get -q update
}

# unpack PACKAGE FOLDER: downloads it and unpacks it there; says what it was.
unpack() {
    local package=$1 into=$2 deb
    mkdir -p "$into"
    (cd "$into" && quietly "downloading $package" apt-get -q download "$package")
    deb=$(echo "$into"/*.deb)
    dpkg-deb -x "$deb" "$into"
    dpkg-deb --show --showformat='${Package} ${Version}\n' "$deb"
    rm -f "$deb"
}

# The package that linux-image-cloud-amd64 stands for today.
kernel_package() {
    LC_ALL=C apt-cache depends --important linux-image-cloud-amd64 |
        sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
}

# fetch RELEASE INTO WORK
fetch() {
    local release=$1 into=$2 work=$3 package version
    write_apt_settings "$work/apt"
    use_release "$release" "$work/apt"
    package=$(kernel_package)
    [ -n "$package" ] || die "$release has no linux-image-cloud-amd64."
    version=${package#linux-image-}

    say "downloading $package and busybox-static of $release"
    mkdir -p "$into"
    unpack "$package" "$work/kernel" >"$into/versions"
    unpack busybox-static "$work/busybox" >>"$into/versions"
    cp "$work/kernel/boot/vmlinuz-$version" "$into/vmlinuz"
    cp "$(find "$work/busybox" -type f -path '*/bin/busybox')" "$into/busybox"
    python3 -B "$HERE/pick_modules.py" \
        "$(find "$work/kernel" -type d -path "*/lib/modules/$version")" \
        "$into/modules" "${MODULES[@]}"
    echo "$version" >"$into/modules/version"
}

main() {
    local release=${1:-bookworm} folder=${2:-$ROOT/build/linux} work lock
    case $release in
    bookworm | trixie) ;;
    -h | --help | help)
        usage
        return
        ;;
    *)
        usage >&2
        say "there is no release \"$release\" here."
        exit 2
        ;;
    esac
    if [ -e "$folder/$release/vmlinuz" ]; then
        return
    fi
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
        die "this machine has no apt, which fetches the kernel; put vmlinuz," \
            "busybox and modules/ into $folder/$release by other means."
    mkdir -p "$folder"
    # One at a time; whoever has waited may find it done.
    exec {lock}<"$folder"
    flock "$lock"
    if [ -e "$folder/$release/vmlinuz" ]; then
        return
    fi
    work=$(mktemp -d "$folder/fetch.XXXXXX")
    # shellcheck disable=SC2064  # the folder's name now
    trap "rm -rf ${work@Q}" EXIT
    fetch "$release" "$work/done" "$work"
    rm -rf "${folder:?}/$release"
    mv -T "$work/done" "$folder/$release"
    say "$folder/$release: $(head -n 1 "$folder/$release/versions")"
}

main "$@"
