#!/bin/sh
# build.sh [PROFILE]: builds what is handed out, into target/dist: a static program in an archive, a Debian package,
# the folder of a container image, and SHA256SUMS. PROFILE is one of Cargo.toml: `packaged` (the default), or
# `dev`, which takes seconds after `make demo` and makes a larger program. packaging/try.sh tries the results.
# Why it is linked as it is: docs/decisions/0039-packages.md.
set -eu
umask 022
cd "$(dirname "$0")/.."
profile=${1:-packaged}
# Of a packaged program, in bytes.
size_max=20000000

value_of() {
    sed -n "s/^$1 = \"\(.*\)\"\$/\1/p" Cargo.toml | head -n 1
}

version=$(value_of version)
machine=$(uname -m)
case $machine in
x86_64) deb_machine=amd64 ;;
aarch64) deb_machine=arm64 ;;
*) deb_machine=$machine ;;
esac
# Files have the time of the last commit, so that the same commit gives the same packages.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

# The flags are those of the program alone: what it is made of is what `cargo build` made.
cargo rustc --profile "$profile" --locked --bin phiseal -- -C target-feature=+crt-static -C strip=symbols
case $profile in
dev) folder=debug ;;
*) folder=$profile ;;
esac
program=${CARGO_TARGET_DIR:-target}/$folder/phiseal
size=$(wc -c <"$program")
echo "the program has $size bytes"
if [ "$profile" = packaged ] && [ "$size" -gt "$size_max" ]; then
    echo "that is more than $size_max" >&2
    exit 1
fi

dist=target/dist
rm -rf "$dist"
mkdir -p "$dist"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# What every package has.
common=$work/common
mkdir -p "$common/man" "$common/completions"
"$program" man --dir "$common/man" >/dev/null
for shell in bash zsh fish; do
    "$program" completions "$shell" >"$common/completions/phiseal.$shell"
done
packaging/third-party.sh >"$common/THIRD-PARTY.txt"

# put SOURCE TARGET [MODE]: a file, its folder made if need be.
put() {
    install -D -m "${3:-0644}" "$1" "$2"
}

archive() {
    name=phiseal-$version-linux-$machine
    folder=$work/archive/$name
    put "$program" "$folder/phiseal" 0755
    put LICENSE "$folder/LICENSE"
    cp -r "$common/." "$folder"
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$work/archive" -cf - "$name" |
        gzip -9n >"$dist/$name.tar.gz"
}

zipped() {
    mkdir -p "$(dirname "$2")"
    gzip -9n <"$1" >"$2"
}

debian_package() {
    tree=$work/deb
    documents=$tree/usr/share/doc/phiseal
    put "$program" "$tree/usr/bin/phiseal" 0755
    for unit in docs/examples/scheduling/phiseal-*; do
        put "$unit" "$tree/usr/lib/systemd/system/$(basename "$unit")"
    done
    for page in "$common"/man/*; do
        zipped "$page" "$tree/usr/share/man/man1/$(basename "$page").gz"
    done
    put "$common/completions/phiseal.bash" "$tree/usr/share/bash-completion/completions/phiseal"
    put "$common/completions/phiseal.zsh" "$tree/usr/share/zsh/vendor-completions/_phiseal"
    put "$common/completions/phiseal.fish" "$tree/usr/share/fish/vendor_completions.d/phiseal.fish"
    put packaging/deb/copyright "$documents/copyright"
    zipped "$common/THIRD-PARTY.txt" "$documents/THIRD-PARTY.txt.gz"
    zipped CHANGELOG.md "$documents/changelog.gz"
    debian_changelog >"$work/changelog"
    zipped "$work/changelog" "$documents/changelog.Debian.gz"
    put packaging/deb/lintian-overrides "$tree/usr/share/lintian/overrides/phiseal"
    # phiseal's own group reads what the administrator puts here; postinst gives it the folder.
    install -d -m 0750 "$tree/etc/phiseal"

    put packaging/deb/postinst "$tree/DEBIAN/postinst" 0755
    put packaging/deb/postrm "$tree/DEBIAN/postrm" 0755
    (cd "$tree" && find usr -type f -exec md5sum {} +) | LC_ALL=C sort -k 2 >"$work/md5sums"
    put "$work/md5sums" "$tree/DEBIAN/md5sums"
    sed -e "s/@VERSION@/$version-1/" -e "s/@MACHINE@/$deb_machine/" -e "s/@MAINTAINER@/$(maintainer)/" \
        -e "s/@SIZE@/$(du -k -s --apparent-size "$tree/usr" | cut -f 1)/" -e "s/@LIBC@/$(libc_source)/" \
        packaging/deb/control >"$work/control"
    put "$work/control" "$tree/DEBIAN/control"
    dpkg-deb --root-owner-group --build "$tree" "$dist/phiseal_$version-1_$deb_machine.deb" >/dev/null
}

# Whoever builds a package answers for it, by the variables of Debian's own tools.
maintainer() {
    echo "${DEBFULLNAME:-phiseal maintainers} <${DEBEMAIL:-maintainers@phiseal.invalid}>"
}

debian_changelog() {
    printf 'phiseal (%s-1) unstable; urgency=medium\n\n  * Version %s; see changelog.gz.\n\n -- %s  %s\n' \
        "$version" "$version" "$(maintainer)" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
}

# The C library that was linked in; its licence asks that its source can be found.
libc_source() {
    # shellcheck disable=SC2016 # fields of dpkg-query
    dpkg-query -W -f '${source:Package} (= ${source:Version})' libc6-dev
}

container() {
    folder=$dist/container
    root=$folder/rootfs
    put packaging/Containerfile "$folder/Containerfile"
    put "$program" "$root/usr/bin/phiseal" 0755
    put packaging/container/passwd "$root/etc/passwd"
    put packaging/container/group "$root/etc/group"
    put "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$root/etc/ssl/certs/ca-certificates.crt"
    put LICENSE "$root/usr/share/doc/phiseal/LICENSE"
    put "$common/THIRD-PARTY.txt" "$root/usr/share/doc/phiseal/THIRD-PARTY.txt"
    install -d -m 0755 "$root/etc/phiseal"
    install -d -m 1777 "$root/tmp"
    sed -i "s/@VERSION@/$version/" "$folder/Containerfile"
}

archive
if command -v dpkg-deb >/dev/null; then
    debian_package
else
    echo "no dpkg-deb here: the Debian package is left out" >&2
fi
container
(cd "$dist" && sha256sum ./*.tar.gz ./*.deb | sed 's, \./, ,' >SHA256SUMS && cat SHA256SUMS)
