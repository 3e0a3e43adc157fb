"""make bench in small: it runs, and says what it measured. How fast that was is nobody's failure."""
import json
import re
import subprocess
import sys

import pytest

import harness
from harness import OK, seconds

GMP_NUMBERS = harness.BIN.parent / "bench/gmp_numbers"
LOAD = harness.BIN.parent / "bench/load"


def test_the_bench_measures_every_durability_side_by_side(tmp_path):
    done = subprocess.run(
        [sys.executable, str(harness.ROOT / "tests/bench/bench.py"), "--rounds", "1", "--nodes", "3",
         "--factorial", "20000", "--jobs", "40", "--clients", "2", "--dir", str(tmp_path)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds(90), check=False,
        env=harness.clean_environment(CONCLAVE_BIN=str(harness.BIN)))
    assert done.returncode == OK, done.stdout + done.stderr
    for what in ("operations/s", "jobs/s", "accepted after ms"):
        for durability in ("fsync", "os", "off"):
            row = re.search(rf"^{what} +{durability}((?: +[\d.,]+){{4}})$", done.stdout, re.M)
            assert row, done.stdout
            assert durability != "fsync" or row[1].split()[-1] == "1.00"
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not LOAD.exists(), reason="make bench builds the program that asks")
def test_requests_that_come_in_bundles_are_all_taken(tmp_path):
    """With so many on their way the broker sends them in bundles, which the other planes' messages interrupt."""
    cluster = harness.Cluster(tmp_path / "cluster", nodes=3)
    try:
        cluster.start().wait_healthy()
        done = subprocess.run([LOAD, "--clients", "4", "--window", "128", "--jobs", "3000"], env=cluster.environment(),
                              capture_output=True, text=True, timeout=seconds(90), check=False)
        assert done.returncode == OK and json.loads(done.stdout)["jobs"] == 3000, done.stdout + done.stderr
        assert [cluster.rejected(node=node) for node in (1, 2, 3)] == [0, 0, 0]
        assert cluster.rejected(broker=0) == 0
    finally:
        cluster.close()


def test_the_bench_measures_what_snapshots_cost(tmp_path):
    done = subprocess.run(
        [sys.executable, str(harness.ROOT / "tests/bench/snapshots.py"), "--rounds", "1", "--nodes", "3",
         "--seconds", "2", "--dir", str(tmp_path)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds(90), check=False,
        env=harness.clean_environment(CONCLAVE_BIN=str(harness.BIN)))
    assert done.returncode == OK, done.stdout + done.stderr
    for what in ("none", "one a second", "one after another", "stop the world"):
        assert re.search(rf"^{what}(?: +[\d.,]+){{4}}$", done.stdout, re.M), done.stdout
    for what in ("idle", "one a second", "one after another"):
        assert re.search(rf"^{what}(?: +[\d.,]+){{4,5}}$", done.stdout, re.M), done.stdout
    assert not list(tmp_path.iterdir())


def test_the_bench_measures_whether_jobs_that_pile_up_make_it_slower(tmp_path):
    done = subprocess.run(
        [sys.executable, str(harness.ROOT / "tests/bench/history.py"), "--marks", "60", "200",
         "--window-jobs", "40", "--clients", "2", "--dir", str(tmp_path)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds(120), check=False,
        env=harness.clean_environment(CONCLAVE_BIN=str(harness.BIN)))
    assert done.returncode == OK, done.stdout + done.stderr
    for what in ("jobs/s", "cpu us a job", "list ms", "status ms", "restart ms", "install ms"):
        assert re.search(rf"^{what}(?: +[\d.,]+){{2}} +(?:[\d.,]+|-)$", done.stdout, re.M), done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not GMP_NUMBERS.exists(), reason="make test-cluster builds the program that plants them")
def test_jobs_on_numbers_find_what_was_planted_and_nothing_else(tmp_path):
    done = subprocess.run(
        [sys.executable, str(harness.ROOT / "tests/bench/jobs.py"), "--rounds", "1", "--nodes", "3", "--json",
         "--jobs", "product:2000", "batch-gcd:300", "--gmp", str(GMP_NUMBERS), "--dir", str(tmp_path)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds(90), check=False,
        env=harness.clean_environment(CONCLAVE_BIN=str(harness.BIN)))
    assert done.returncode == OK, done.stdout + done.stderr
    assert [json.loads(row)["job"] for row in done.stdout.splitlines()] == ["product:2000", "batch-gcd:300"]
    assert not list(tmp_path.iterdir())
