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
    rm -rf "tests/fuzz/corpus/$name"
    mv "$new" "tests/fuzz/corpus/$name"
    echo "$name: $(find "tests/fuzz/corpus/$name" -type f | wc -l) inputs, $(cat "tests/fuzz/corpus/$name"/* | wc -c) bytes"
done
