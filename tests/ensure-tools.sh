#!/bin/sh
# ensure-tools.sh TOOL...: what the build, the tests and the packages need.
#
#   cargo      Rust, as new as Cargo.toml asks for. Only rustup brings it, so it is never installed from here.
#   cc, c++    a C compiler; a C++ compiler for fuzzing
#   postgres   initdb and a server. No cluster of the system is made or started.
#   pgbouncer  a connection pooler
#   readers    Node and Python's `cryptography`, for docs/examples
#   packages   lintian and buildah, which check what `make dist` builds
#
# Names everything that is missing at once, then installs Debian's packages with apt-get, as root or through
# sudo. Where something cannot be installed, it says what to do and installs nothing. With everything in
# place it prints nothing.
set -eu

source=$(dirname "$0")/..
# A folder that stands for / in the tests of this script.
system=${ENSURE_TOOLS_ROOT:-}
common=$system/etc/postgresql-common
no_cluster=$common/createcluster.d/phiseal-tests.conf

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# What is missing. `lacks WHAT HOW [PACKAGE...]`; without a package, only the user can install it.
lacks() {
    names=${names:+$names, }$1
    list="$list
  $1: $2"
    shift 2
    [ $# -gt 0 ] || by_hand=yes
    packages=${packages:+$packages }$*
}

look() {
    names='' list='' packages='' by_hand=''
    for tool; do
        case $tool in
        cargo) look_for_cargo ;;
        cc) command -v cc >/dev/null || lacks "a C compiler" "Debian's package build-essential" build-essential ;;
        c++) command -v c++ >/dev/null || lacks "a C++ compiler" "Debian's package g++" g++ ;;
        postgres) have_postgres ||
            lacks "PostgreSQL" "Debian's package postgresql, or set PHISEAL_TEST_DATABASE_URL to a server's URL" postgresql ;;
        pgbouncer) have pgbouncer || lacks "PgBouncer" "Debian's package pgbouncer" pgbouncer ;;
        readers)
            have node || lacks "Node" "Debian's package nodejs" nodejs
            have python3 && python3 -c 'import cryptography' 2>/dev/null ||
                lacks "Python's cryptography" "Debian's package python3-cryptography" python3-cryptography
            ;;
        packages)
            have lintian || lacks "lintian" "Debian's package lintian" lintian
            have buildah || lacks "buildah" "Debian's package buildah" buildah
            ;;
        *) echo "usage: ensure-tools.sh [cargo] [cc] [c++] [postgres] [pgbouncer] [readers] [packages]" >&2 && exit 2 ;;
        esac
    done
}

have() {
    PATH=$PATH:/usr/sbin command -v "$1" >/dev/null
}

look_for_cargo() {
    wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$source/Cargo.toml")
    found=$(cargo --version 2>/dev/null | cut -d ' ' -f 2) || found=
    if [ -n "$found" ] && [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ]; then
        return
    fi
    rustups=${HOME:-/nonexistent}/.cargo/bin/cargo
    if [ -x "$rustups" ] && [ "$(command -v cargo)" != "$rustups" ]; then
        how='rustup has installed it, but PATH does not begin with its folder: run  . "$HOME/.cargo/env"'
    elif [ -x "$rustups" ]; then
        how="run  rustup update stable && rustup default stable"
    else
        how="install it with rustup, https://rustup.rs (Debian's own package is too old)"
    fi
    lacks "Rust $wanted or later${found:+ (cargo here is $found)}" "$how"
}

have_postgres() {
    [ -n "${PHISEAL_TEST_DATABASE_URL:-}" ] && return
    found=$(command -v initdb) || found=
    for initdb in "$found" "$system"/usr/lib/postgresql/*/bin/initdb; do
        [ -x "$initdb" ] || continue
        bin=$(dirname "$(readlink -f "$initdb")")
        [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && return
    done
    return 1
}

cannot() {
    echo "missing:$list" >&2
    echo "$1" >&2
    exit 1
}

# Debian's postgresql makes and starts a cluster when it is installed, unless this file is there meanwhile.
forbid_a_cluster() {
    forbidden=yes
    as_root mkdir -p "$common/createcluster.d"
    printf '%s\n' "# process $$ of ensure-tools.sh" "create_main_cluster = false" | as_root tee "$no_cluster" >/dev/null
}

allow_clusters() {
    as_root rm -f "$no_cluster"
    rmdir "$common/createcluster.d" 2>/dev/null || as_root rmdir "$common/createcluster.d" 2>/dev/null || :
}

# What a killed run left behind; an earlier form of this script kept a copy of createcluster.conf.
repair() {
    if [ -e "$common/createcluster.conf.phiseal" ]; then
        as_root mv -f "$common/createcluster.conf.phiseal" "$common/createcluster.conf"
    fi
    [ -e "$no_cluster" ] || return 0
    process=$(sed -n 's/^# process \([0-9]*\) .*/\1/p' "$no_cluster")
    [ -n "$process" ] && [ -e "/proc/$process" ] || allow_clusters
}

clean_up() {
    rm -f "$log"
    [ -z "$forbidden" ] || allow_clusters
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@"
}

if [ "$(uname -s)" != Linux ]; then
    echo "phiseal runs on Linux, and this is $(uname -s): use a Linux machine, a virtual one or a container" >&2
    exit 1
fi
repair
look "$@"
[ -n "$names" ] || exit 0
[ -z "$by_hand" ] || cannot "Nothing was installed. Install what is missing, then try again${packages:+; Debian's packages:  apt-get install $packages}"
command -v apt-get >/dev/null || cannot "There is no apt-get here: install what is missing yourself, then try again."
[ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null ||
    cannot "You are not root and there is no sudo: have root run  apt-get install $packages"

echo "missing: $names; installing Debian's packages: $packages" >&2
forbidden=''
log=$(mktemp)
# A signal is acted on once apt-get has ended: what it began, it ends.
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
case " $packages " in *" postgresql "*) forbid_a_cluster ;; esac
# shellcheck disable=SC2086 # a list of packages
if ! { apt update && apt install -y --no-install-recommends $packages; } >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    cannot "apt-get failed: see above."
fi
look "$@"
[ -z "$names" ] || cannot "apt-get installed $packages, and this is still missing."
