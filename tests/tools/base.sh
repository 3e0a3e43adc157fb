#!/bin/sh
# Makes a bare Debian 12 by debootstrap, once, and prints where its tarball is: base.sh [DIR]
# The tests of the compose file and of the packages begin with it.
set -eu
dir=${1:-build/base}
tarball=$dir/bookworm.tar
if [ ! -e "$tarball" ]; then
    mkdir -p "$dir"
    root=$(mktemp -d /var/tmp/conclave-base.XXXXXX)
    trap 'rm -rf "$root"' EXIT
    trap 'exit 143' INT TERM HUP
    debootstrap --variant=minbase bookworm "$root" >"$dir/log" 2>&1 || {
        tail -n 5 "$dir/log" >&2
        exit 1
    }
    rm -rf "$root"/var/cache/apt/archives/*.deb
    chmod 755 "$root" # a temporary directory is its owner's alone
    # Whole or not at all: another test may look for it now.
    tar -C "$root" -cf "$tarball.$$" .
    mv "$tarball.$$" "$tarball"
fi
echo "$tarball"
