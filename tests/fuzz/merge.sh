#!/bin/sh
# Makes the corpora in tests/fuzz/corpus anew, as small as they can be: what is there, and what the fuzzers have learned in
# build/fuzz since. tests/fuzz/merge.sh [NAME...]
set -eu
cd "$(dirname "$0")/../.."
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(sh tests/fuzz/names.sh)
for name in "$@"; do
    new=build/fuzz/$name.merged
    rm -rf "$new"
    mkdir -p "$new" "build/fuzz/$name" "tests/fuzz/corpus/$name"
    "build/fuzz/fuzz_$name" -merge=1 -max_len=4096 "$new" "tests/fuzz/corpus/$name" "build/fuzz/$name" >"build/fuzz/$name.log" 2>&1
    # What has a name was written by hand, to tell a story: it stays.
    find "tests/fuzz/corpus/$name" -type f -name '*-*' -exec cp {} "$new" \;
    # Whose inputs are whole lives of several nodes, or long, keeps some: `make test-corpus` runs them all.
    case $name in
    broker | details | peers | rights) find "$new" -type f ! -name '*-*' -printf '%s %p\n' | sort -rn | tail -n +40 | cut -d' ' -f2- | xargs -r rm ;;
    esac
    rm -rf "tests/fuzz/corpus/$name"
    mv "$new" "tests/fuzz/corpus/$name"
    echo "$name: $(find "tests/fuzz/corpus/$name" -type f | wc -l) inputs, $(cat "tests/fuzz/corpus/$name"/* | wc -c) bytes"
done
