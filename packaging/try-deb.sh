#!/bin/sh
# try-deb.sh PACKAGE FOLDER VERSION: installs the Debian package in a copy of this system, looks at it, uses it and removes
# it. To be run in a mount namespace of its own (`unshare -m`), in which FOLDER becomes that copy and disappears.
set -eu
package=$1 folder=$2 version=$3

mkdir "$folder"
mount -t tmpfs tmpfs "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/system"
system=$folder/system
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$system"
mount --rbind /proc "$system/proc"
mount --rbind /dev "$system/dev"
cp "$package" "$system/phiseal.deb"

chroot "$system" sh -eu -s "$version" <<'END'
export DEBIAN_FRONTEND=noninteractive
wrong() {
    echo "wrong: $1" >&2
    exit 1
}
dpkg -i /phiseal.deb >/dev/null
[ "$(phiseal --version)" = "phiseal $1" ] || wrong "another version is installed"
[ "$(stat -c %U:%G:%a /etc/phiseal)" = root:phiseal:750 ] || wrong "/etc/phiseal is $(stat -c %U:%G:%a /etc/phiseal)"
for file in /usr/share/man/man1/phiseal.1.gz /usr/share/bash-completion/completions/phiseal \
    /usr/share/zsh/vendor-completions/_phiseal /usr/share/fish/vendor_completions.d/phiseal.fish \
    /usr/lib/systemd/system/phiseal-rotate.service /usr/share/doc/phiseal/copyright; do
    [ -s "$file" ] || wrong "there is no $file"
done
if command -v systemd-analyze >/dev/null; then
    systemd-analyze verify /usr/lib/systemd/system/phiseal-* 2>&1 | grep phiseal- && wrong "systemd has complaints"
fi

# The services' user reads what the administrator wrote, and nobody else does.
printf '[database]\nurl = "sqlite:///tmp/phiseal-tried.db"\n[keys]\nprovider = "env"\nvariable = "NONE"\n' >/etc/phiseal/phiseal.toml
chgrp phiseal /etc/phiseal/phiseal.toml
chmod 640 /etc/phiseal/phiseal.toml
setpriv --reuid phiseal --regid phiseal --clear-groups sh -c ': >/tmp/phiseal-tried.db'
as() {
    setpriv --reuid "$1" --regid "$1" --clear-groups phiseal migrate status --json --plan /etc/phiseal/phiseal.toml 2>&1
}
as phiseal >/dev/null || wrong "the user phiseal cannot use the plan: $(as phiseal)"
as daemon >/dev/null && wrong "everybody can read the plan"

dpkg --purge phiseal >/dev/null 2>&1
[ ! -e /usr/bin/phiseal ] && [ ! -e /usr/lib/systemd/system/phiseal-rotate.service ] || wrong "it is still there"
[ -e /etc/phiseal/phiseal.toml ] || wrong "what the administrator wrote is gone"
END
