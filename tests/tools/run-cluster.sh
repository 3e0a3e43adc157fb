#!/bin/sh
# Runs the tests on real clusters: run-cluster.sh BUILD_DIR PYTHON [PYTEST ARGUMENT...]
# BUILD_DIR/results/cluster holds the sum for whoever adds sums up.
set -u
build=$1
python=$2
shift 2
results=$build/results
mkdir -p "$results"
if [ -z "$(find tests/cluster -name 'test_*.py' 2>/dev/null)" ]; then
    echo "0 0" >"$results/cluster"
    echo "cluster: no tests"
    exit 0
fi
export PYTHONDONTWRITEBYTECODE=1
pytest() { "$python" -m pytest -p no:cacheprovider -q "$@" </dev/null; }
# All of them, unless the arguments name some.
named=
for argument; do
    case $argument in tests/cluster/*) named=1 ;; esac
done
rm -f "$results/cluster.xml" "$results/alone.xml" "$results/again.xml"
status=0
if [ -n "$named" ]; then
    pytest --durations=5 --junitxml="$results/cluster.xml" "$@" || status=$?
else
    # As many at a time as there are processors: tests wait more than they compute. Those of a file stay together, because
    # they may share a cluster. Then those that bring a cluster to its limits and say how long it may take.
    pytest --durations=5 --junitxml="$results/cluster.xml" -n "${CONCLAVE_TESTS_AT_ONCE:-$(nproc)}" --dist loadfile \
        -m 'not alone' "$@" tests/cluster || status=$?
    others=$status
    pytest --durations=5 --junitxml="$results/alone.xml" -m alone "$@" tests/cluster || status=$?
    # Arguments may choose tests of one kind only; choosing none at all (5) is a failure.
    case $others,$status in
    5,0 | 0,5) status=0 ;;
    1,5) status=1 ;;
    esac
fi
# With CONCLAVE_REPEAT a test that failed is run once more, alone, and is called unsteady when it then passes:
# a machine that stood still for a second is no reason to throw an hour of tests away, nor to say nothing of it.
if [ "$status" -eq 1 ] && [ -n "${CONCLAVE_REPEAT:-}" ]; then
    "$python" tests/tools/junit.py failed "$results/cluster.xml" "$results/alone.xml" >"$results/again"
    # Many failures are no flake.
    if [ "$(wc -l <"$results/again")" -le 3 ]; then
        status=0
        # shellcheck disable=SC2046
        IFS='
' && set -f && pytest --junitxml="$results/again.xml" $(cat "$results/again") || status=$?
    fi
fi
"$python" tests/tools/junit.py sum "$results/cluster.xml" "$results/alone.xml" -- "$results/again.xml" >"$results/cluster"
exit "$status"
