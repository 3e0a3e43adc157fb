#!/bin/sh
# Runs each fuzzer's code on the inputs of its corpus, without a fuzzer: replay.sh BUILD_DIR PROGRAM...
# An input is a test. The last line is the sum; BUILD_DIR/results/corpus holds it for whoever adds sums up.
set -u
build=$1
shift
mkdir -p "$build/results"
passed=0
failed=0
for program in "$@"; do
    name=${program##*/replay_}
    log=$build/results/replay_$name.log
    files=$(find "tests/fuzz/corpus/$name" -type f 2>/dev/null | sort)
    # shellcheck disable=SC2086
    timeout 600 "$program" $files >"$log" 2>&1 </dev/null
    status=$?
    ran=$(grep -ac '^tests/fuzz/corpus/' "$log")
    if [ "$status" -eq 0 ] && [ "$ran" -gt 0 ]; then
        printf 'ok    %-28s %4d inputs\n' "$name" "$ran"
        passed=$((passed + ran))
    else
        tail -n 60 "$log"
        printf 'FAIL  %-28s exit status %d; the last of %d inputs failed\n' "$name" "$status" "$ran"
        failed=$((failed + 1))
    fi
done
echo "$passed $failed" >"$build/results/corpus"
echo "corpus: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
