#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# From a bare Debian 12 or 13 to a run, in one command. Each step does only
# what is not done yet, so a second call goes straight to its work.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly ROOT
readonly UNICORN_LEAST=2.1.1
readonly CAPSTONE_LEAST=5.0
readonly PACKAGES=(
    binutils cmake gcc gnuplot-nox libc6-dev ninja-build pkg-config python3
    libcapstone-dev libcmocka-dev libjemalloc-dev librandom123-dev
    libsqlite3-dev libunicorn-dev libxxhash-dev libyaml-dev
)

build_dir=${HVSIM_BUILD_DIR:-$ROOT/build/release}

usage() {
    cat <<'TEXT'
usage: ./setup.sh COMMAND [ARGUMENT...]

  run [ARGUMENT...]    run the main scenario, scenarios/heavy-load.yaml;
                       arguments go to "hvsim run"
  test [ARGUMENT...]   run every test; arguments go to ctest
  build                only build
  deps                 only install what the build needs
  help                 print this

"run" and "test" first install (as root or through sudo, Debian 12 and 13) and
build whatever is missing. The build lies in build/release, or where the
environment variable HVSIM_BUILD_DIR says.
TEXT
}

say() {
    printf 'setup: %s\n' "$*" >&2
}

die() {
    say "$@"
    exit 1
}

# quietly WHAT COMMAND...: runs it, and shows its output only if it fails.
quietly() {
    local what=$1 log status=0
    shift
    log=$(mktemp)
    "$@" </dev/null >"$log" 2>&1 || status=$?
    if [ "$status" -ne 0 ]; then
        cat "$log" >&2
    fi
    rm -f "$log"
    [ "$status" -eq 0 ] || die "$what failed (exit code $status); see above."
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q \
        -o DPkg::Lock::Timeout=300 "$@"
}

# --- what is missing ---------------------------------------------------------

installed_version() {
    local status version
    read -r status version < <(
        dpkg-query -W -f='${db:Status-Abbrev} ${Version}\n' "$1" 2>/dev/null) &&
        [[ $status == ?i ]] && echo "$version"
}

least_version() {
    case $1 in
    libunicorn-dev) echo "$UNICORN_LEAST" ;;
    libcapstone-dev) echo "$CAPSTONE_LEAST" ;;
    *) echo 0 ;;
    esac
}

missing_packages() {
    local package version
    for package in "${PACKAGES[@]}"; do
        version=$(installed_version "$package" || true)
        if [ -z "$version" ] ||
            dpkg --compare-versions "$version" lt "$(least_version "$package")"
        then
            echo "$package"
        fi
    done
}

# Whether apt would install a version of PACKAGE that is new enough.
is_on_offer() {
    local candidate
    candidate=$(LC_ALL=C apt-cache policy "$1" |
        sed -n 's/^  Candidate: //p')
    [ -n "$candidate" ] && [ "$candidate" != "(none)" ] &&
        dpkg --compare-versions "$candidate" ge "$(least_version "$1")"
}

# --- Debian 12: two libraries from the next release --------------------------

readonly NEXT_SOURCES=/etc/apt/sources.list.d/hvsim
readonly NEXT_PREFERENCES=/etc/apt/preferences.d/hvsim.pref

# The apt source entry, "FILE:NUMBER", that brings CODENAME's main component.
source_entry() {
    # shellcheck disable=SC2016  # the variables are apt's
    apt-get indextargets \
        --format '$(CODENAME) $(COMPONENT) $(REPO_URI) $(SOURCESENTRY)' \
        'Created-By: Packages' |
        awk -v codename="$1" -v own="$NEXT_SOURCES" '
            $1 == codename && $2 == "main" && $3 !~ /^cdrom:/ &&
                index($4, own) != 1 && !found++ { print $4 }'
}

# one_line_source FILE LINE SUITE: the entry, for SUITE instead of its own.
one_line_source() {
    sed -n -E "$2"'{
        s/^[[:space:]]*deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+)[[:space:]].*/deb \1\2 '"$3"' main/p
    }' "$1"
}

# deb822_source FILE NUMBER SUITE: the stanza, for SUITE instead of its own;
# address, signing key and all else stay as they are.
deb822_source() {
    awk -v wanted="$2" -v suite="$3" '
        /^#/ { next }
        /^[ \t]*$/ { inside = 0; next }
        !inside { inside = 1; stanza++ }
        stanza != wanted { next }
        /^[^ \t]/ {
            field = tolower($0)
            sub(/:.*/, "", field)
            kept = field !~ /^(types|suites|components|enabled)$/
        }
        kept { print }
        END { print "Types: deb\nSuites: " suite "\nComponents: main" }' "$1"
}

write_as_root() {
    as_root tee "$1" >/dev/null
    as_root chmod 644 "$1"
}

# Nothing but the engine and the disassembler may come from suite $1; $2 says
# whether that suite was here before us, and then its other pins stay alone.
write_preferences() {
    {
        echo "# Written by hvsim's setup.sh."
        if [ "$2" = ours ]; then
            printf 'Package: *\nPin: release n=%s\nPin-Priority: -1\n\n' "$1"
        fi
        printf 'Package: libunicorn* libcapstone*\n'
        printf 'Pin: release n=%s\nPin-Priority: 990\n' "$1"
    } | write_as_root "$NEXT_PREFERENCES"
}

remove_next_release() {
    as_root rm -f "$NEXT_SOURCES.sources" "$NEXT_SOURCES.list" \
        "$NEXT_PREFERENCES"
}

add_next_release() {
    local this=$1 next=$2 entry file number

    if [ -n "$(source_entry "$next")" ]; then
        say "pinning libunicorn and libcapstone to $next, which apt has."
        write_preferences "$next" theirs
        return
    fi
    entry=$(source_entry "$this")
    [ -n "$entry" ] ||
        die "apt has no package list of $this to derive $next from: does" \
            "\"apt-get update\" work?"
    file=${entry%:*}
    number=${entry##*:}
    say "adding $next, as $file has $this, for libunicorn and libcapstone only."

    # Debian signs a release with the key of the one before it, too, so that a
    # machine with this release's keys alone can check the next.
    write_preferences "$next" ours
    case $file in
    *.sources) deb822_source "$file" "$number" "$next" |
        write_as_root "$NEXT_SOURCES.sources" ;;
    *) one_line_source "$file" "$number" "$next" |
        write_as_root "$NEXT_SOURCES.list" ;;
    esac
    if ! (quietly "reading the package lists of $next" apt_get update); then
        remove_next_release
        die "$next could not be added; its entry is removed again."
    fi
}

# --- commands ----------------------------------------------------------------

install_missing() {
    local package codename missing
    mapfile -t missing < <(missing_packages)
    [ "${#missing[@]}" -gt 0 ] || return 0

    say "installing ${missing[*]}"
    [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null ||
        die "installing needs root, and there is no sudo: run" \
            "\"./setup.sh deps\" as root, then this again as yourself."
    quietly "reading the package lists" apt_get update

    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    for package in libunicorn-dev libcapstone-dev; do
        is_on_offer "$package" && continue
        [ "$codename" != bookworm ] || add_next_release bookworm trixie
        is_on_offer "$package" ||
            die "apt offers no $package of at least version" \
                "$(least_version "$package"): is this Debian 12 or 13, and" \
                "does \"apt-get update\" work?"
    done
    quietly "installing packages" \
        apt_get install -y --no-install-recommends "${missing[@]}"
}

command_deps() {
    command -v apt-get >/dev/null ||
        die "this is not a Debian: install the like of ${PACKAGES[*]}" \
            "(Unicorn $UNICORN_LEAST, Capstone $CAPSTONE_LEAST or later), then" \
            "build with cmake --preset release."
    install_missing
}

# command_build [TARGET...]: those, or all.
command_build() {
    command_deps
    if [ -e "$build_dir" ] && [ ! -w "$build_dir" ]; then
        die "$build_dir belongs to somebody else: remove it, or name another" \
            "folder by HVSIM_BUILD_DIR."
    fi
    if [ ! -e "$build_dir/build.ninja" ]; then
        say "building in $build_dir (about a minute)"
        quietly "configuring" cmake -S "$ROOT" --preset release -B "$build_dir"
    fi
    compile "$@" </dev/null >&2 ||
        die "the build failed; the compiler says why above."
}

# On a terminal with Ninja's one line of progress; elsewhere findings alone.
compile() {
    if [ -t 2 ]; then
        ninja -C "$build_dir" "$@"
    else
        ninja -C "$build_dir" --quiet "$@" | sed '/^ninja: no work to do\.$/d'
    fi
}

# Results go into the build folder, where a second run may replace the first;
# with an output of the caller's own, hvsim guards what is there.
command_run() {
    local argument output=(--force -o "$build_dir/heavy-load.db")
    for argument in "$@"; do
        case $argument in
        -o* | --out*) output=() ;;
        esac
    done
    command_build hvsim guests
    "$build_dir/hvsim" run "$ROOT/scenarios/heavy-load.yaml" \
        "${output[@]}" "$@"
}

command_test() {
    command_build
    ctest --test-dir "$build_dir" --output-on-failure --no-tests=error \
        --parallel "$(nproc)" "$@"
}

main() {
    local command=${1:-help}
    [ "$#" -eq 0 ] || shift
    case $command in
    run | test) "command_$command" "$@" ;;
    build | deps)
        [ "$#" -eq 0 ] || die "\"$command\" takes no arguments."
        "command_$command"
        ;;
    help | -h | --help) usage ;;
    *)
        usage >&2
        say "there is no command \"$command\"."
        exit 2
        ;;
    esac
}

# Sourced by its own test, it only defines its functions.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    main "$@"
fi
