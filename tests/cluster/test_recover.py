"""`conclave recover`: a cluster whose majority of disks is lost goes on from the most complete one."""
import json
import os
import random
import re
import shutil
import signal
import subprocess

import pytest

import harness
from harness import FAILED, NOT_FOUND, OK, TIMEOUT, UNREACHABLE, USAGE, wait_for


def up(cluster, *more):
    return cluster.ok("up", "--detach", "--port", cluster.port, "--dir", "up",
                      "--nodes", cluster.n_nodes, *more, timeout=60)


def down(cluster):
    cluster.ok("down", "--dir", "up")


def inspect(directory):
    done = subprocess.run([harness.BIN / "conclave-node", "inspect", directory], capture_output=True,
                          text=True, timeout=20, check=True, env=harness.clean_environment())
    return json.loads(done.stdout)


def money(cluster):
    return {n["node"]: n["accounts"] for n in cluster.json("bank", "list")["nodes"]}


class Work:
    """What a cluster has acknowledged, and whether it is still there."""

    def __init__(self, cluster):
        self.jobs = [cluster.json("submit", "factorial", n, "--key", f"key-{n}", timeout=60)
                     for n in (50, 3000, 30000)]
        cluster.ok("progress", "set", 1, 77)
        self.snap = cluster.ok("progress", "snap").strip()
        self.state = cluster.ok("progress", "get", 1, "--snapshot", self.snap)

    def check(self, cluster):
        for job in self.jobs:
            found = cluster.json("job", "show", job["id"])
            assert (found["state"], found["result"]["sha256"]) == ("done", job["result"]["sha256"])
            digits = cluster.ok("job", "result", job["id"]).strip()
            assert len(digits) == job["result"]["digits"]
        again = cluster.json("submit", "factorial", 3000, "--key", "key-3000")
        assert again["id"] == self.jobs[1]["id"]
        assert cluster.ok("progress", "get", 1, "--snapshot", self.snap) == self.state


def recover(cluster, *more, **options):
    return cluster.conclave("recover", "--dir", "up", *more, timeout=60, **options)


@pytest.fixture
def founded(make_cluster):
    """Makes clusters that `up` runs, with money on every node."""
    def make(nodes):
        cluster = make_cluster(nodes=nodes)
        up(cluster)
        cluster.wait_healthy()
        for node in range(1, nodes + 1):
            cluster.ok("bank", "deposit", f"A@{node}", 100 + node)
        return cluster
    return make


def wipe(cluster, nodes):
    for node in nodes:
        shutil.rmtree(cluster.dir / "up" / f"node{node}")


def serves_nothing(cluster):
    """All nodes run, and none of them serves; who asks is told what to do."""
    process = cluster.start_conclave("up", "--port", cluster.port, "--dir", "up",
                                     "--nodes", cluster.n_nodes)
    wait_for(lambda: "conclave recover" in cluster.conclave("check").stderr, 20,
             "check names the command")
    def all_live():
        status = cluster.status()
        return status if all(row["alive"] for row in status["nodes"]) else None
    status = wait_for(all_live, 20, "all nodes run")
    assert status["coordinator"] is None and "conclave recover" in status["error"], status
    done = cluster.conclave("submit", "factorial", 11, "--timeout", "1s")
    assert done.returncode in (TIMEOUT, UNREACHABLE) and not done.stdout, done
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=harness.seconds(15))


@pytest.mark.parametrize("nodes, wiped", [(2, [2]), (3, [1, 3]), (5, [1, 2, 4])])
def test_a_wiped_majority_goes_on_from_the_most_complete_disk_R32(founded, nodes, wiped):
    cluster = founded(nodes)
    work = Work(cluster)
    held = money(cluster)
    down(cluster)
    wipe(cluster, wiped)
    rest = [node for node in range(1, nodes + 1) if node not in wiped]
    serves_nothing(cluster)
    before = {node: inspect(cluster.dir / "up" / f"node{node}") for node in rest}

    done = recover(cluster)
    assert done.returncode == FAILED and "--yes" in done.stderr, done
    assert "the most complete" in done.stdout and work.jobs[0]["id"] in done.stdout
    for node in wiped:
        assert f"transfers under way of node {node}: " in done.stdout
    for node in rest:
        assert inspect(cluster.dir / "up" / f"node{node}") == before[node]

    told = json.loads(cluster.ok("recover", "--dir", "up", "--yes", "--json", timeout=60))
    assert told["done"] and told["cluster_id"] != before[rest[0]]["cluster_id"]
    found = [inspect(cluster.dir / "up" / f"node{node}") for node in range(1, nodes + 1)]
    assert {s["cluster_id"] for s in found} == {told["cluster_id"]}
    assert {(s["term"], s["last_index"]) for s in found} == {(found[0]["term"],
                                                             before[told["from"]]["last_index"])}
    up(cluster)
    cluster.wait_healthy(30)
    work.check(cluster)
    assert money(cluster) == {node: {} if node in wiped else held[node] for node in held}
    assert cluster.ok("submit", "factorial", 12).strip() == "12!=479001600"
    done = recover(cluster)
    assert done.returncode == USAGE and "down" in done.stderr
    down(cluster)
    done = recover(cluster, "--yes")
    assert done.returncode == USAGE and "by themselves" in done.stderr, done


def restart_with(cluster, node, disk):
    """Another disk (None: an empty one) for a node that `up` runs."""
    directory = cluster.dir / "up" / f"node{node}"
    started = re.findall(rf"node{node} started, pid (\d+)",
                         (cluster.dir / "up" / "supervisor.log").read_text())
    shutil.rmtree(directory)
    if disk:
        shutil.copytree(disk, directory)
    harness.send_signal(int(started[-1]), signal.SIGKILL)


def refusal(cluster, node):
    status = cluster.status()
    return status and next(row["refusal"] for row in status["nodes"] if row["id"] == node)


def test_disks_of_before_are_refused_and_empty_ones_are_filled_R32(founded):
    cluster = founded(3)
    work = Work(cluster)
    down(cluster)
    shutil.copytree(cluster.dir / "up" / "node1", cluster.dir / "old")
    wipe(cluster, [1, 3])
    assert recover(cluster, "--yes").returncode == OK
    up(cluster)
    cluster.wait_healthy(30)
    restart_with(cluster, 1, cluster.dir / "old")
    logs = [cluster.dir / "up" / f"node{node}.log" for node in (2, 3)]
    wait_for(lambda: any("refuses node 1: it belongs to another cluster" in log.read_text()
                         for log in logs), 20, "the old disk is refused by name")
    foreign = "it belongs to another cluster"
    wait_for(lambda: refusal(cluster, 1) == foreign, 20, "status has the reason")
    assert f"node 1 ({foreign})" in cluster.ok("status")
    for words in ([], ["--node", 1]):
        done = cluster.conclave("check", "--dir", "up", *words)
        assert done.returncode == UNREACHABLE and f"({foreign})" in done.stderr, done
    done = cluster.conclave("check", "--dir", "up", "--json")
    assert json.loads(done.stdout)["refused"] == [1], done
    work.check(cluster)
    restart_with(cluster, 1, None)
    wait_for(lambda: all(row["applied"] == cluster.status()["nodes"][1]["applied"]
                         for row in cluster.status()["nodes"]), 30, "the empty disk is filled")
    wait_for(lambda: refusal(cluster, 1) is None, 10, "nobody is refused any more")
    cluster.wait_healthy(30)
    work.check(cluster)
    down(cluster)
    assert len({inspect(cluster.dir / "up" / f"node{node}")["cluster_id"] for node in (1, 2, 3)}) == 1


def test_a_recovery_may_be_killed_at_any_step_R32(founded):
    cluster = founded(3)
    work = Work(cluster)
    down(cluster)
    wipe(cluster, [2])
    (cluster.dir / "up" / "node3" / "store" / "data.mdb").write_bytes(b"x" * 65536)
    randomly = random.Random(7)
    for _ in range(12):
        process = cluster.start_conclave("recover", "--dir", "up", "--yes", "--force",
                                         start_new_session=True)
        try:
            process.wait(randomly.uniform(0, 0.15))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    wait_for(lambda: recover(cluster, "--yes", "--force").returncode == OK,
             what="the recovery is completed")
    up(cluster)
    cluster.wait_healthy(30)
    work.check(cluster)
    assert list((cluster.dir / "up").glob("node3.replaced-*/store/data.mdb"))
    down(cluster)


def test_what_cannot_be_recovered_is_refused(make_cluster, tmp_path):
    cluster = make_cluster(nodes=3)
    (tmp_path / "nothing").mkdir()
    for code, word, arguments in [
            (NOT_FOUND, "no cluster", ["--dir", tmp_path / "absent"]),
            (NOT_FOUND, "no store", ["--dir", tmp_path / "nothing"]),
            (NOT_FOUND, "no store", [f"1={tmp_path / 'nothing'}"]),
            (USAGE, "ID=", [tmp_path / "nothing"]),
            (USAGE, "not both", ["--dir", tmp_path, tmp_path / "nothing"])]:
        done = cluster.conclave("recover", *arguments, "--yes")
        lines = done.stderr.strip().splitlines()
        assert (done.returncode, len(lines)) == (code, 1) and word in lines[0], (arguments, done)
    assert not any((tmp_path / "nothing").glob("store*"))
