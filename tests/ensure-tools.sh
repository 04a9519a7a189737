#!/bin/sh
# What the build and the tests need beside Rust: `cc` (a C compiler), `c++` (for fuzzing), `postgres` (initdb and a
# server; no cluster of the system is made or started), `pgbouncer`, `readers` (Node and Python's
# `cryptography`, for docs/examples). Installs what is missing with apt-get, as
# root or through sudo, or says in one line what to do. With everything in place it does nothing.
set -eu

have_postgres() {
    [ -n "${PHISEAL_TEST_DATABASE_URL:-}" ] && return
    found=$(command -v initdb) || found=
    for initdb in "$found" /usr/lib/postgresql/*/bin/initdb; do
        [ -x "$initdb" ] || continue
        bin=$(dirname "$(readlink -f "$initdb")")
        [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && return
    done
    return 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

cannot() {
    echo "$1 is missing and cannot be installed here ($2): install it yourself, $3" >&2
    exit 1
}

# install WHAT OTHERWISE PACKAGE: quietly, unless it fails.
install() {
    command -v apt-get >/dev/null || cannot "$1" "no apt-get" "$2"
    [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || cannot "$1" "not root, no sudo" "$2"
    echo "$1 is missing: installing Debian's $3" >&2
    log=$(mktemp)
    if ! { as_root apt-get update && as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "$3"; } >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        rm -f "$log"
        cannot "$1" "apt-get failed" "$2"
    fi
    rm -f "$log"
}

ensure_cc() {
    command -v cc >/dev/null || install "a C compiler" "as package build-essential" build-essential
}

ensure_cxx() {
    command -v c++ >/dev/null || install "a C++ compiler" "as package g++" g++
}

# postgresql-common comes first, so that it can be told to make no cluster.
ensure_postgres() {
    have_postgres && return
    otherwise="as package postgresql, or set PHISEAL_TEST_DATABASE_URL"
    install "PostgreSQL" "$otherwise" postgresql-common
    conf=/etc/postgresql-common/createcluster.conf
    as_root cp -p "$conf" "$conf.phiseal"
    trap 'as_root mv -f "$conf.phiseal" "$conf"' EXIT
    echo "create_main_cluster = false" | as_root tee -a "$conf" >/dev/null
    install "PostgreSQL" "$otherwise" postgresql
    have_postgres || cannot "PostgreSQL" "no initdb after installing it" "$otherwise"
}

ensure_pgbouncer() {
    PATH=$PATH:/usr/sbin command -v pgbouncer >/dev/null || install "PgBouncer" "as package pgbouncer" pgbouncer
}

ensure_readers() {
    command -v node >/dev/null || install "Node" "as package nodejs" nodejs
    command -v python3 >/dev/null && python3 -c 'import cryptography' 2>/dev/null ||
        install "Python's cryptography" "as package python3-cryptography" python3-cryptography
}

for tool in "$@"; do
    case $tool in
    cc) ensure_cc ;;
    c++) ensure_cxx ;;
    postgres) ensure_postgres ;;
    pgbouncer) ensure_pgbouncer ;;
    readers) ensure_readers ;;
    *) echo "usage: ensure-tools.sh [cc] [c++] [postgres] [pgbouncer] [readers]" >&2; exit 2 ;;
    esac
done
