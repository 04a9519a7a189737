#!/bin/sh
# How many crates an application gets that seals and opens with the library alone: fails above 40. Beside
# the library itself, every package of the tree counts once, those that only run while building included.
set -eu
cd "$(dirname "$0")/.."
most=40
names=$(cargo tree --locked --no-default-features -e normal --prefix none --no-dedupe | sort -u | grep -v '^phiseal ')
count=$(printf '%s\n' "$names" | wc -l)
if [ "$count" -gt "$most" ]; then
    printf '%s\n' "$names" >&2
    echo "the library alone has $count crates, and may have $most: put what it does not need behind a feature" >&2
    exit 1
fi
echo "the library alone: $count crates"
