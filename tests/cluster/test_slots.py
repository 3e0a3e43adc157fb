"""Slots, and the account that commands run as: what a node is told, says, and refuses."""
import os
import pathlib
import subprocess
import tempfile
import time

import pytest

import harness
from harness import OK, USAGE, seconds, wait_for


@pytest.fixture
def two(make_cluster):
    """A cluster of two nodes with three slots each, run by `up`."""
    cluster = make_cluster(nodes=2)
    done = cluster.conclave("up", "--detach", "--dir", "up", "--port", cluster.port, "--nodes", 2, "--slots", 3, timeout=60)
    assert done.returncode == OK, done.stderr
    return cluster


def test_status_tells_the_slots_of_each_node(two):
    nodes = two.json("status", "--dir", "up")["nodes"]
    assert [node["slots"] for node in nodes] == [3, 3]
    two.ok("down", "--dir", "up")
    assert not harness.marked_pids(two.mark)


def slots(cluster):
    """Of the worker: what is used, by the status of the moment."""
    return max(node["slots_used"] for node in cluster.json("status")["nodes"])


def test_a_node_has_operations_and_commands_in_its_slots_together(make_cluster):
    cluster = make_cluster(nodes=2, slots=2, delay="150ms").start()
    cluster.wait_healthy()
    assert [(node["slots"], node["operation_slots"]) for node in cluster.json("status")["nodes"]] == [(2, 2), (2, 2)]
    first = cluster.json("submit", "factorial", 40, "--no-wait")["id"]
    wait_for(lambda: slots(cluster) == 2, 5, "two operations are executed at a time")
    second = cluster.ok("map", "--no-wait", "sleep", "0.1", ":::", *range(4)).strip()
    seen, deadline = set(), time.monotonic() + seconds(60)
    while time.monotonic() < deadline and {cluster.json("job", "show", job)["state"] for job in (first, second)} != {"done"}:
        seen.add(slots(cluster))
    assert max(seen) <= 2
    for job in (first, second):
        assert cluster.json("job", "show", job)["state"] == "done", job


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give commands another account")
def test_an_account_that_can_read_the_directory_is_refused(two):
    two.ok("down", "--dir", "up")
    with tempfile.TemporaryDirectory(prefix="conclave-test-") as top:
        def start(*more):
            return subprocess.run([harness.BIN / "conclave-node", "--id=1", "--nodes=2", f"--dir={top}/node1",
                                   f"--access={two.dir}/up/keys/node1.json", f"--port={two.port}", "--commands-user=nobody",
                                   *more], env=two.environment(), capture_output=True, text=True, timeout=30, check=False)
        os.chmod(top, 0o755)
        done = start(f"--scratch={top}")
        assert done.returncode == USAGE and "can read" in done.stderr, done.stderr
        os.chmod(pathlib.Path(top, "node1"), 0o700)
        done = start()
        assert done.returncode == USAGE and "cannot reach" in done.stderr, done.stderr
    assert not harness.marked_pids(two.mark)
