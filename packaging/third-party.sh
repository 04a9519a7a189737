#!/bin/sh
# third-party.sh: prints the crates that are part of the program, then each of their licence texts once, after the crates
# that come with it. Needs the sources that cargo has downloaded.
set -eu
cd "$(dirname "$0")/.."
sources=${CARGO_HOME:-$HOME/.cargo}/registry/src
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# NAME VERSION LICENCE. Crates that only run while building are not among them.
cargo tree --locked --edges normal,no-proc-macro --prefix none --format '{p}|{l}|' |
    sed -n 's/^\([^ ]*\) v\([^ |]*\)[^|]*|\(.*\)|.*/\1 \2 \3/p' | grep -v '^phiseal ' | sort -u >"$work/crates"
cut -d ' ' -f 1,2 "$work/crates" | while read -r name version; do
    for text in "$sources"/*/"$name-$version"/LICEN[CS]E* "$sources"/*/"$name-$version"/COPYING*; do
        [ -f "$text" ] || continue
        sum=$(sha256sum "$text" | cut -c 1-16)
        cp "$text" "$work/text.$sum"
        echo "$name $version" >>"$work/crates-of.$sum"
    done
done

cat <<'END'
phiseal is linked with the crates below; with Rust's standard library, under the MIT licence or the Apache License 2.0;
and with glibc, under the LGPL, version 2.1 or later: with the source of phiseal, everybody can link the program with
another version of it. SQLite, in libsqlite3-sys, is in the public domain.

END
cat "$work/crates"
for text in "$work"/text.*; do
    printf '\n======================================================================\n'
    sort -u "$work/crates-of.${text##*.}"
    printf -- '----------------------------------------------------------------------\n\n'
    cat "$text"
done
