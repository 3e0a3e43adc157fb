#!/bin/sh
# Fetches axe-core, which looks for what keeps people with impairments from a page, from the npm registry: axe.sh DIR
# Leaves it as DIR/axe.min.js, if it is the file that is known here; it runs in the page of a test, and nothing of it is shipped.
set -eu
version=4.14.1
sha256=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
dir=${1:?usage: axe.sh DIR}
file=$dir/axe.min.js
right() { [ -f "$file" ] && echo "$sha256  $file" | sha256sum --check --status; }
if right; then exit 0; fi
command -v npm >/dev/null || {
    echo 'axe: there is no npm' >&2
    exit 1
}
mkdir -p "$dir"
(cd "$dir" && timeout 120 npm pack --silent --no-audit "axe-core@$version" >/dev/null) || {
    echo "axe: npm does not bring axe-core@$version" >&2
    exit 1
}
tar -xzf "$dir/axe-core-$version.tgz" -C "$dir" --strip-components=1 package/axe.min.js
rm "$dir/axe-core-$version.tgz"
right || {
    rm -f "$file"
    echo "axe: axe-core@$version is not the file that is known here" >&2
    exit 1
}
