#!/bin/sh
# try.sh: tries each package of target/dist as somebody who just got it would: the archive unpacked in a fresh folder, the
# Debian package installed in a copy of this system that is thrown away (an overlay), the image built, and its files run
# as the root of a chroot. Changes nothing outside of a temporary folder. What cannot be tried here is skipped and said;
# with CI=true it fails.
set -eu
cd "$(dirname "$0")/.."
packaging=$PWD/packaging
dist=$PWD/target/dist
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$fresh"

tried() {
    echo "tried: $1"
}

skipped() {
    [ "${CI:-}" != true ] || wrong "$1 was not tried: $2"
    echo "not tried: $1 ($2)"
}

wrong() {
    echo "wrong: $1" >&2
    exit 1
}

# The demonstration, with nothing of this system but a folder to work in.
demonstrates() {
    said=$(env -i TMPDIR="$1" "$2" demo --rows 2000 --json 2>&1) || wrong "the demonstration failed: $said"
    case $said in *'"failed":0'*) ;; *) wrong "the demonstration said $said" ;; esac
}

(cd "$dist" && sha256sum --quiet -c SHA256SUMS)

tar -xzf "$dist"/phiseal-*.tar.gz -C "$fresh"
for folder in "$fresh"/phiseal-*; do
    program=$folder/phiseal
    [ "$(env -i "$program" --version)" = "phiseal $version" ] || wrong "the archive has another version"
    ldd "$program" 2>&1 | grep -q 'statically linked\|not a dynamic' || wrong "the program needs libraries"
    [ "$(nm "$program" 2>/dev/null | wc -l)" -eq 0 ] || wrong "the program has symbols"
    mkdir "$fresh/demo"
    demonstrates "$fresh/demo" "$program"
    bash -n "$folder/completions/phiseal.bash"
    for file in man/phiseal.1 completions/phiseal.zsh completions/phiseal.fish LICENSE THIRD-PARTY.txt; do
        [ -s "$folder/$file" ] || wrong "the archive has no $file"
    done
done
tried "the archive"

if [ "$(id -u)" -ne 0 ]; then
    skipped "the Debian package and the image" "that needs root"
    exit 0
fi

for package in "$dist"/phiseal_*.deb; do
    if [ ! -e "$package" ]; then
        skipped "the Debian package" "there is none"
        break
    fi
    if command -v lintian >/dev/null; then
        lintian --fail-on error,warning "$package" || wrong "lintian has complaints"
    else
        skipped "the Debian package with lintian" "it is not installed"
    fi
    unshare -m "$packaging/try-deb.sh" "$package" "$fresh/system" "$version"
    tried "the Debian package"
done

root=$fresh/root
cp -r "$dist/container/rootfs" "$root"
mkdir "$root/proc" "$root/dev"
chmod 1777 "$root/tmp"
echo "nameserver 127.0.0.1" >"$root/etc/resolv.conf"
echo "127.0.0.1 listed.example" >"$root/etc/hosts"
said=$(chroot "$root" /usr/bin/phiseal init --table t --column c --database-url sqlite:///tmp/none --json) && code=0 || code=$?
case $code$said in 1*E0908*) ;; *) wrong "without /proc it said, with exit $code, $said" ;; esac
unshare -m -n python3 "$packaging/try-chroot.py" "$root"
tried "the image's files, as the root of a chroot"

if command -v buildah >/dev/null; then
    storage="--root $fresh/storage --runroot $fresh/run --storage-driver vfs"
    # shellcheck disable=SC2086 # options
    buildah $storage bud --isolation chroot --quiet -t phiseal-tried "$dist/container" >/dev/null
    # shellcheck disable=SC2086
    container=$(buildah $storage from phiseal-tried)
    # shellcheck disable=SC2086
    mounted=$(buildah $storage mount "$container")
    diff -r "$dist/container/rootfs" "$mounted" || wrong "the image has other files"
    # shellcheck disable=SC2086
    user=$(buildah $storage inspect --format '{{.OCIv1.Config.User}} {{.OCIv1.Config.Entrypoint}}' "$container")
    [ "$user" = "65532:65532 [/usr/bin/phiseal]" ] || wrong "the image runs $user"
    # shellcheck disable=SC2086
    buildah $storage umount "$container" >/dev/null
    tried "the image, built"
else
    skipped "building the image" "there is no buildah"
fi
