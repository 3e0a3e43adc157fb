#!/usr/bin/env bash
# Builds Debian's packages from this tree: build.sh VERSION OUT
# The packages are in OUT; the tree that they are built from is OUT/conclave-VERSION.
set -euo pipefail
version=${1:?usage: build.sh VERSION OUT}
out=${2:?usage: build.sh VERSION OUT}
cd "$(dirname "$0")/../.."
mkdir -p "$out"
out=$(cd "$out" && pwd)
tree=$out/conclave-$version
rm -rf "$tree" "$out"/*.deb "$out"/*.changes "$out"/*.buildinfo
mkdir "$tree"

# What is under version control as it is now, or, in an unpacked tarball, all but what was built.
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
        [ ! -e "$file" ] || printf '%s\0' "$file"
    done | tar --null -T - -c | tar -C "$tree" -x
    seconds=$(git log -1 --format=%ct)
else
    tar --exclude=./build -c . | tar -C "$tree" -x
    seconds=$(stat -c %Y CHANGELOG.md)
fi
cp -r "$tree/packaging/debian" "$tree/debian"
rm "$tree/debian/build.sh"
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$seconds}
cat >"$tree/debian/changelog" <<EOT
conclave ($version-1) unstable; urgency=medium

  * Release $version: see changelog.gz.

 -- The Conclave authors <maintainers@conclave.example.org>  $(date -Rud "@$SOURCE_DATE_EPOCH")
EOT

# One package with the symbols of each would double the time.
export DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-parallel=$(nproc) noautodbgsym}"
log=$out/build.log
(cd "$tree" && dpkg-buildpackage -b -us -uc) </dev/null >"$log" 2>&1 || {
    tail -n 40 "$log" >&2
    exit 1
}
rm -rf "$tree"
ls "$out"/*.deb
