#!/bin/sh
# Runs unit test programs one after another: run-unit.sh BUILD_DIR PROGRAM...
# A program's output goes to BUILD_DIR/results/NAME.log and is shown only when it fails.
# The last line is the sum; BUILD_DIR/results/unit holds it for whoever adds sums up.
set -u
build=$1
shift
results=$build/results
mkdir -p "$results"
passed=0
failed=0
for program in "$@"; do
    name=${program##*/}
    log=$results/$name.log
    # Ten minutes is far beyond any of them, sanitizers included: only a hang meets it.
    timeout "${CONCLAVE_UNIT_SECONDS:-600}" "$program" >"$log" 2>&1 </dev/null
    status=$?
    ok=$(grep -c '^\[       OK \]' "$log")
    bad=$(grep -c '^\[  FAILED  \] [^0-9]' "$log")
    # cmocka names each failed test twice: where it failed and in the summary.
    bad=$(((bad + 1) / 2))
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
    if [ "$status" -eq 0 ]; then
        printf 'ok    %-28s %4d tests\n' "$name" "$ok"
    else
        cat "$log"
        printf 'FAIL  %-28s %4d tests, %d failed, exit status %d\n' "$name" "$((ok + bad))" "$bad" "$status"
    fi
    passed=$((passed + ok))
    failed=$((failed + bad))
done
echo "$passed $failed" >"$results/unit"
echo "unit: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
