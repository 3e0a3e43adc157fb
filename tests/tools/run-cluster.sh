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
"$python" -m pytest -p no:cacheprovider -q --durations=5 --junitxml="$results/cluster.xml" "$@" tests/cluster </dev/null
status=$?
"$python" - "$results/cluster.xml" >"$results/cluster" <<'PY'
import sys, xml.etree.ElementTree as tree
suites = list(tree.parse(sys.argv[1]).getroot().iter("testsuite"))
count = {k: sum(int(s.get(k, 0)) for s in suites) for k in ("tests", "failures", "errors", "skipped")}
bad = count["failures"] + count["errors"]
print(count["tests"] - bad - count["skipped"], bad)
PY
exit "$status"
