"""Slots, and the account that commands run as: what a node is told, says, and refuses."""
import os
import pathlib
import subprocess
import tempfile

import pytest

import harness
from harness import OK, USAGE


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
