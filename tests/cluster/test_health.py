"""Who is no use though its heartbeats arrive: blocked planes, and disks that hang without failing."""
import math

import pytest

import harness
from harness import OK, UNREACHABLE, seconds, wait_for
from relay import CHECKPOINT, Relay

T = 0.5                    # the election timeout, in seconds
REPLACED = 4 * T + 2 * T + 2  # 4 T without progress, an election, and what a loaded machine takes
BEHIND = 10 * T
HANGS = "hang_sync /\n"    # to the library bad_disk


@pytest.fixture
def relayed(make_cluster):
    """Three healthy nodes behind a relay."""
    cluster = make_cluster(nodes=3)
    relay = Relay(cluster)
    try:
        cluster.start_broker()
        for node in range(1, cluster.n_nodes + 1):
            cluster.start_node(node, **relay.options(node))
        cluster.wait_healthy()
        cluster.relay = relay
        yield cluster
    finally:
        relay.close()


@pytest.fixture
def hanging(make_cluster, tmp_path):
    """Three healthy nodes; cluster.disks[ID] is a file: what it says is wrong with the node's disk."""
    cluster = make_cluster(nodes=3)
    cluster.disks = {node: tmp_path / f"disk{node}" for node in (1, 2, 3)}
    cluster.start_broker()
    for node, file in cluster.disks.items():
        cluster.start_preloaded(node, "bad_disk", BAD_DISK=file)
    cluster.wait_healthy()
    yield cluster
    for file in cluster.disks.values():
        file.unlink(missing_ok=True)


needs_shim = pytest.mark.skipif(harness.SANITIZED, reason="sanitizers want to be loaded first")


def row_of(status, node):
    return next(row for row in status["nodes"] if row["id"] == node)


def submit_meanwhile(cluster, n):
    """A submit that begins now; ends well, and returns the job."""
    client = cluster.start_conclave("submit", "factorial", n, "--json")

    def end():
        out, err = client.communicate(timeout=seconds(30))
        assert client.returncode == OK, err
        return harness.json.loads(out)
    return end


def stays(cluster, heartbeat):
    """Nobody else is elected while the coordinator of this heartbeat beats 60 times more."""
    later = cluster.feed.wait(lambda m: m["type"] == "heartbeat" and m["node"] == heartbeat["node"]
                              and m["seq"] > heartbeat["seq"] + 60, 20, "it goes on")
    assert later["role"] == "coordinator" and later["term"] == heartbeat["term"]


def test_a_healthy_cluster_rejects_nothing(make_cluster):
    """What nodes tell each other is expected by whoever hears it: events of the feed as well, through an election."""
    cluster = make_cluster(nodes=3).start()
    first = cluster.wait_healthy()
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"
    cluster.kill(cluster.nodes[first["coordinator"]])
    cluster.wait_served()
    cluster.start_node(first["coordinator"])
    assert [row["rejected"] for row in cluster.wait_healthy()["nodes"]] == [0, 0, 0]
    assert "dropped a message" not in cluster.logs(10000)


# --- a coordinator that is no use ---

@pytest.mark.parametrize("ways", ["out", "in"])
def test_a_coordinator_whose_log_plane_is_blocked_is_replaced_R35(relayed, ways):
    cluster, relay = relayed, relayed.relay
    old, mark = cluster.wait_served(), cluster.feed.mark()
    leader, others = old["coordinator"], relay.others(old["coordinator"])
    relay.block(CHECKPOINT, [leader] if ways == "out" else others,
                others if ways == "out" else [leader])
    end = submit_meanwhile(cluster, 50)
    new = cluster.wait_next(old, mark, REPLACED)
    assert new["node"] != leader
    assert end()["result"]["text"] == str(math.factorial(50))
    assert "steps down: no majority" in (cluster.dir / f"node{leader}.log").read_text()
    stays(cluster, new)
    relay.pass_all()
    cluster.wait_healthy(20)


@needs_shim
def test_a_coordinator_whose_disk_hangs_is_replaced_R35(hanging):
    cluster = hanging
    old, mark = cluster.wait_served(), cluster.feed.mark()
    leader = old["coordinator"]
    cluster.disks[leader].write_text(HANGS)
    end = submit_meanwhile(cluster, 50)
    new = cluster.wait_next(old, mark, REPLACED)
    assert new["node"] != leader
    assert end()["result"]["text"] == str(math.factorial(50))
    assert "steps down: its disk has finished nothing" in (cluster.dir / f"node{leader}.log").read_text()
    stays(cluster, new)
    cluster.disks[leader].unlink()
    cluster.wait_healthy(20)


# --- a node that is no use ---

def test_a_node_that_stands_still_is_named_R36(relayed):
    cluster, relay = relayed, relayed.relay
    status = cluster.wait_healthy()
    assert status["may_fail"] == 1 and not any(row["behind_ms"] for row in status["nodes"])
    leader, mark = status["coordinator"], cluster.feed.mark()
    late = relay.others(leader)[0]
    monitor = cluster.start_conclave("monitor", "--events", "--json")
    relay.block(CHECKPOINT, [leader], [late])
    cluster.submit(40)
    told = cluster.feed.wait(lambda m: m.get("event") == "node_behind", BEHIND + 5, since=mark)
    assert told["subject"] == late and told["node"] == leader
    status = cluster.status()
    assert not status["healthy"] and status["may_fail"] == 0
    row = row_of(status, late)
    assert row["alive"] and row["behind_ms"] >= BEHIND * 1000
    assert f"behind: node {late} (for " in cluster.ok("status")
    check = cluster.conclave("check")
    assert check.returncode == UNREACHABLE and f"behind: node {late} (for " in check.stderr
    assert "0 more voters may fail" in check.stderr
    check = cluster.conclave("check", "--json")
    assert check.returncode == UNREACHABLE
    assert harness.json.loads(check.stdout) | {"text": "", "loop_stalled": []} == {
        "healthy": False, "text": "", "not_alive": [], "refused": [], "not_admitted": [], "behind": [late],
        "stalled": [], "loop_stalled": [], "may_fail": 0}
    assert cluster.conclave("check", "--node", late).returncode == UNREACHABLE
    assert cluster.conclave("check", "--node", leader).returncode == OK
    assert cluster.conclave("check", "--quorum").returncode == OK
    relay.pass_all()
    cluster.feed.wait(lambda m: m.get("event") == "node_level" and m["subject"] == late, 15,
                      since=mark)
    assert cluster.wait_healthy()["may_fail"] == 1
    assert "1 more voter may fail" in cluster.ok("check")
    events = [m for m in cluster.feed.messages[mark:] if m.get("event") in ("node_behind", "node_level")]
    assert len(events) == 2
    monitor.terminate()
    assert {"node_behind", "node_level"} <= {
        harness.json.loads(line).get("event") for line in monitor.communicate()[0].splitlines()}


@needs_shim
def test_a_disk_that_hangs_is_named_R36(hanging):
    cluster = hanging
    leader = cluster.wait_served()["coordinator"]
    sick = next(node for node in (1, 2, 3) if node != leader)
    cluster.disks[sick].write_text(HANGS)
    cluster.submit(41)
    check = wait_for(lambda: (it := cluster.conclave("check")).returncode and it, 10, "check says so")
    assert f"the disk has finished nothing: node {sick} (for " in check.stderr, check.stderr
    status = cluster.status()
    row = row_of(status, sick)
    assert row["alive"] and row["stalled_ms"] >= 4 * T * 1000
    assert not status["healthy"] and status["may_fail"] == 0
    assert status["coordinator"] == leader
    cluster.submit(42)
    cluster.disks[sick].unlink()
    assert cluster.wait_healthy(20)["may_fail"] == 1
    assert cluster.conclave("check").returncode == OK

    def fsyncs_over_a_second():
        told = row_of(cluster.status(), sick)["fsync"]
        return told["count"] - told["within_us"]["1000000"]
    wait_for(fsyncs_over_a_second, what="the histogram of its disk has it")
