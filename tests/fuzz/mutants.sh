#!/bin/sh
# Do the fuzzers see? Plants known bugs (shared/base/mutant.h), one at a time, and says after how many seconds the fuzzer that must
# find it has: tests/fuzz/mutants.sh SECONDS [MUTANT...]
# `make fuzz-mutants` builds them with MUTANTS=1, then calls this. Each begins with its corpus, which was made without a bug.
set -u
cd "$(dirname "$0")/../.." || exit 1
most=${1:-60}
[ $# -eq 0 ] || shift
build=build/fuzz-mutants

# fuzzer, mutant
table='
peers  term_of_one
peers  candidacies_unlimited
broker broker_believes_one
broker feed_unbound
broker quota_ignored
broker waits_unbounded
details files_beyond_bundle
rights owners_unchecked
rights roles_unchecked
rights replays_accepted
'

found=0
missed=0
look() { # FUZZER MUTANT
    mkdir -p "$build/$1.found"
    rm -rf "$build/$1.learned" && mkdir "$build/$1.learned" # what it learns with a bug is not for the corpus
    began=$(date +%s)
    MUTANT_PLANTED=$2 "$build/fuzz_$1" -max_total_time="$most" -max_len=2048 -len_control=0 -timeout=60 -seed="${FUZZ_SEED:-0}" \
        -artifact_prefix="$build/$1.found/$2-" "$build/$1.learned" "tests/fuzz/corpus/$1" >"$build/$1.$2.log" 2>&1
    status=$?
    if [ "$status" -ne 0 ]; then
        found=$((found + 1))
        printf 'found   %-8s %-24s %3d s  %s\n' "$1" "$2" "$(($(date +%s) - began))" "$(sed -n "s/.*Assertion \`\(.*\)' failed.*/\1/p; s/.*SUMMARY: //p" "$build/$1.$2.log" | head -n 1)"
    else
        missed=$((missed + 1))
        printf 'MISSED  %-8s %-24s after %s s\n' "$1" "$2" "$most"
    fi
}

while read -r fuzzer mutant; do
    [ -n "$fuzzer" ] || continue
    case " ${*:-$mutant} " in *" $mutant "*) look "$fuzzer" "$mutant" ;; esac
done <<ROWS
$table
ROWS
echo "fuzz-mutants: $found found, $missed missed"
[ "$missed" -eq 0 ] && [ "$found" -gt 0 ]
