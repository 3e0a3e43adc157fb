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
# As many at a time as there are processors: tests wait more than they compute. Those of a file stay together, because
# they may share a cluster.
[ -n "$named" ] || set -- "$@" -n "${CONCLAVE_TESTS_AT_ONCE:-$(nproc)}" --dist loadfile tests/cluster
status=0
pytest --durations=5 --junitxml="$results/cluster.xml" "$@" || status=$?
# With CONCLAVE_REPEAT a test that failed is run once more, alone, and is called unsteady when it then passes:
# a machine that stood still for a second is no reason to throw an hour of tests away, nor to say nothing of it.
rm -f "$results/again.xml"
if [ "$status" -eq 1 ] && [ -n "${CONCLAVE_REPEAT:-}" ]; then
    "$python" tests/tools/junit.py failed "$results/cluster.xml" >"$results/again"
    # Many failures are no flake.
    if [ "$(wc -l <"$results/again")" -le 3 ]; then
        status=0
        # shellcheck disable=SC2046
        IFS='
' && set -f && pytest --junitxml="$results/again.xml" $(cat "$results/again") || status=$?
    fi
fi
"$python" tests/tools/junit.py sum "$results/cluster.xml" "$results/again.xml" >"$results/cluster"
exit "$status"
