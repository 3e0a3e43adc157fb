#!/bin/sh
# Runs the unit test programs, as many at a time as there are processors: run-unit.sh BUILD_DIR PROGRAM...
# (CONCLAVE_TESTS_AT_ONCE=N). A program's output goes to BUILD_DIR/results/NAME.log and is shown only when it fails; it is run
# once more, alone, when CONCLAVE_REPEAT is set, and called unsteady when it passes then.
# The last line is the sum; BUILD_DIR/results/unit holds it for whoever adds sums up.
set -u
if [ "$1" != --one ]; then
    build=$1
    shift
    results=$build/results
    mkdir -p "$results"
    rm -f "$results"/*.sum "$results/unit"
    printf '%s\n' "$@" | xargs -n 1 -P "${CONCLAVE_TESTS_AT_ONCE:-$(nproc)}" sh "$0" --one "$results" || true
    passed=0
    failed=0
    for program in "$@"; do
        name=${program##*/}
        if [ -n "${CONCLAVE_REPEAT:-}" ] && ! grep -qs ' 0$' "$results/$name.sum"; then
            sh "$0" --one "$results" "$program" && echo "UNSTEADY $name: failed beside others, and passed when repeated"
        fi
        p=0 f=1
        [ ! -f "$results/$name.sum" ] || read -r p f <"$results/$name.sum"
        passed=$((passed + p))
        failed=$((failed + f))
    done
    echo "$passed $failed" >"$results/unit"
    echo "unit: $passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
fi

# One of them: its sum goes to a file, and its output is printed as one piece.
results=$2
program=$3
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
echo "$ok $bad" >"$results/$name.sum"
if [ "$status" -eq 0 ]; then
    printf 'ok    %-28s %4d tests\n' "$name" "$ok"
else
    {
        cat "$log"
        printf 'FAIL  %-28s %4d tests, %d failed, exit status %d\n' "$name" "$((ok + bad))" "$bad" "$status"
    } >"$log.shown"
    cat "$log.shown"
fi
[ "$status" -eq 0 ]
