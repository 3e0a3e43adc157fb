"""Snapshots at the command line: taken, listed, shown, written to files, verified, restored."""
import json
import os
import signal

import msgpack
import pytest

import harness
from harness import FAILED, NOT_FOUND, OK, UNREACHABLE, USAGE, wait_for

UNKNOWN = "2-00000001aaaaaaaa-77"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    for cluster in harness.healthy(tmp_path_factory.mktemp("snapshots"), nodes=3):
        cluster.ok("bank", "deposit", "A@1", 1000)
        cluster.ok("bank", "deposit", "B@2", 1000)
        cluster.ok("kv", "put", "--node", 3, "greeting", "hellö")
        yield cluster


def refused(cluster, code, word, *arguments, **more):
    """The command must fail with that exit code and one line that has the word in it."""
    done = cluster.conclave("snapshot", *arguments, **more)
    lines = done.stderr.strip().splitlines()
    assert (done.returncode, done.stdout) == (code, ""), (arguments, done)
    assert len(lines) == 1 and word in lines[0], (arguments, lines)


def take(cluster, *arguments):
    return cluster.ok("snapshot", "take", *arguments).strip()


def test_a_snapshot_is_taken_listed_and_shown(cluster):
    # Just founded: the coordinator hears all, node 2 may not yet.
    taken = wait_for(lambda: (done := cluster.conclave("snapshot", "take", "--node", 2, "--json")).returncode == OK
                     and json.loads(done.stdout), what="node 2 hears all others")
    assert taken["is_complete"] and taken["missing"] is None and taken["states"] == 3
    snapshot = taken["snapshot_id"]
    assert snapshot.startswith("2-") and taken["initiator"] == 2
    assert taken in cluster.json("snapshot", "list")
    assert taken in cluster.json("snapshot", "list", "--node", 2)
    assert taken not in cluster.json("snapshot", "list", "--node", 1)
    shown = cluster.json("snapshot", "show", snapshot)
    assert shown["is_complete"] and shown["checkpoint"] is None
    states = {s["process_id"]: s for s in shown["process_states"]}
    assert states[1]["account_balances"] == {"A": 1000} and states[2]["account_balances"] == {"B": 1000}
    assert states[3]["kv_state"] == {"greeting": "hellö"}
    assert states[2]["first_marker_from"] is None and states[1]["first_marker_from"] in (2, 3)
    assert {(c["from_process"], c["to_process"]) for c in shown["channel_states"]} == \
        {(a, b) for a in (1, 2, 3) for b in (1, 2, 3) if a != b}
    assert shown["totals"]["all"] == 2000
    only = cluster.json("snapshot", "show", snapshot, "--node", 1)
    assert [s["process_id"] for s in only["process_states"]] == [1]
    assert {c["to_process"] for c in only["channel_states"]} == {1}
    text = cluster.ok("snapshot", "show", snapshot)
    assert f"snapshot   {snapshot}, complete" in text and "= 2000" in text


def test_a_snapshot_is_written_and_verified(cluster, tmp_path):
    snapshot = take(cluster)
    path = tmp_path / "picture.json"
    cluster.ok("snapshot", "export", snapshot, path)
    assert os.listdir(tmp_path) == ["picture.json"]
    assert json.loads(path.read_text()) == json.loads(cluster.ok("snapshot", "export", snapshot, "-"))
    for what in (snapshot, path):
        assert "is complete and consistent" in cluster.ok("snapshot", "verify", what, "--total", 2000)
        found = cluster.json("snapshot", "verify", what)
        assert found["is_consistent"] and found["money"]["all"] == 2000 and not found["offences"]
        done = cluster.conclave("snapshot", "verify", what, "--total", 2001)
        assert done.returncode == FAILED and "VIOLATION" in done.stdout and "1 missing" in done.stdout


def test_a_changed_file_is_found_out_S14(cluster, tmp_path):
    snapshot = json.loads(cluster.ok("snapshot", "export", take(cluster), "-"))
    path = tmp_path / "changed.json"
    snapshot["channel_states"][0]["sent"] += 1
    path.write_text(json.dumps(snapshot))
    done = cluster.conclave("snapshot", "verify", path)
    assert done.returncode == FAILED and "1 missing" in done.stdout
    done = cluster.conclave("snapshot", "restore", path, "--dir", tmp_path / "fresh")
    assert done.returncode == FAILED and "not consistent" in done.stderr
    assert not (tmp_path / "fresh").exists()


def test_bad_input_is_one_line(cluster, tmp_path):
    (tmp_path / "junk").write_bytes(os.urandom(3000))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "other.json").write_text('{"format": 1, "snapshot_id": 5}')
    (tmp_path / "deep.json").write_text("[" * 100000)
    for name in ("junk", "empty", "other.json", "deep.json"):
        refused(cluster, USAGE, "is not a snapshot", "verify", tmp_path / name)
        refused(cluster, USAGE, "is not a snapshot", "restore", tmp_path / name, "--dir", tmp_path / "d")
    refused(cluster, USAGE, "cannot be read", "verify", tmp_path / "nothing")
    refused(cluster, USAGE, "is not a snapshot id", "show", "17")
    refused(cluster, USAGE, "id is needed", "show")
    refused(cluster, USAGE, "a file is needed", "export", UNKNOWN)
    refused(cluster, USAGE, "unexpected argument", "take", "now")
    refused(cluster, USAGE, "--total", "verify", tmp_path / "junk", "--total", "much")
    refused(cluster, USAGE, "cannot write", "export", take(cluster), tmp_path)
    for command in (["show", UNKNOWN], ["export", UNKNOWN, "-"], ["verify", UNKNOWN]):
        refused(cluster, NOT_FOUND, "no such snapshot", *command)
    refused(cluster, USAGE, "no node 9", "take", "--node", 9)
    refused(cluster, UNREACHABLE, "no broker", "take", broker="tcp://127.0.0.1:1")


def test_a_silent_node_makes_it_partial_S12(cluster, tmp_path):
    cluster.nodes[3].send_signal(signal.SIGSTOP)
    try:
        done = cluster.conclave("snapshot", "take", "--node", 1, "--json")
    finally:
        cluster.nodes[3].send_signal(signal.SIGCONT)
    taken = json.loads(done.stdout)
    assert done.returncode == FAILED and "node 3" in done.stderr, done
    assert not taken["is_complete"] and taken["states"] == 2 and "node 3" in taken["missing"]
    path = tmp_path / "partial.json"
    cluster.ok("snapshot", "export", taken["snapshot_id"], path)
    shown = json.loads(path.read_text())
    assert [s["process_id"] for s in shown["process_states"]] == [1, 2]
    assert 3 in [m["process_id"] for m in shown["missing"]]
    assert "as far as is known" in cluster.ok("snapshot", "verify", path)
    done = cluster.conclave("snapshot", "restore", path, "--dir", tmp_path / "fresh")
    assert done.returncode == USAGE and "node 3" in done.stderr and "--force" in done.stderr
    assert not (tmp_path / "fresh").exists()
    done = cluster.conclave("snapshot", "restore", path, "--dir", tmp_path / "fresh", "--force")
    assert done.returncode == OK and "is lost" in done.stderr
    cluster.wait_healthy()


# --- restoring ---

def share_of(cluster, node):
    return cluster.dir / f"node{node}" / "restore"


def split_share(shares):
    """The cluster that shares are of, and what else is in them."""
    clusters, rests = set(), []
    for share in shares:
        length = int.from_bytes(share[:4], "little")
        head = msgpack.unpackb(share[8:4 + length])
        clusters.add(head.pop("cluster_id"))
        rests.append((head, share[4 + length:]))
    return clusters, rests


def restored(cluster, make_cluster, path):
    """A fresh cluster that goes on from the file."""
    fresh = make_cluster(nodes=cluster.n_nodes)
    cluster.ok("snapshot", "restore", path, "--dir", fresh.dir)
    fresh.shares = [share_of(fresh, node).read_bytes() for node in range(1, fresh.n_nodes + 1)]
    for broker in range(fresh.n_brokers):
        fresh.start_broker(broker)
    for node in range(1, fresh.n_nodes + 1):
        fresh.start_node(node, restore=share_of(fresh, node))
    fresh.wait_healthy()
    assert not any(share_of(fresh, node).exists() for node in range(1, fresh.n_nodes + 1))
    return fresh


def money(cluster):
    listed = cluster.json("bank", "list")
    return {n["node"]: n["accounts"] for n in listed["nodes"]}


def test_a_fresh_cluster_goes_on_from_a_snapshot_S15(make_cluster, tmp_path):
    cluster = make_cluster(nodes=3, delay="20ms")
    cluster.start().wait_healthy()
    cluster.wait_met([2])
    cluster.ok("bank", "deposit", "A@1", 1000)
    cluster.ok("bank", "deposit", "B@2", 1000)
    cluster.ok("kv", "put", "--from", 1, "--node", 2, "greeting", "hello")
    job = cluster.json("submit", "factorial", 60000, "--no-wait")["id"]
    for _ in range(10):
        cluster.start_conclave("bank", "transfer", "A@1", "B@2", 10)
    path = tmp_path / "picture.json"
    cluster.ok("snapshot", "export", take(cluster, "--node", 2), path)
    snapshot = json.loads(path.read_text())
    assert [j["job"] for j in snapshot["jobs"]] == [job] and snapshot["totals"]["all"] == 2000
    expected = cluster.json("job", "wait", job)["result"]["sha256"]

    first, second = (restored(cluster, make_cluster, path) for _ in range(2))
    apart = [split_share(c.shares) for c in (first, second)]
    assert apart[0][1] == apart[1][1]  # the same shares, of two clusters
    assert apart[0][0] != apart[1][0] and all(len(i) == 1 for i, _ in apart), apart
    for fresh in (first, second):
        wait_for(lambda: sum(sum(a.values()) for a in money(fresh).values()) == 2000,
                 what="what was under way has arrived")
        assert fresh.ok("kv", "get", "--node", 2, "greeting").strip() == "hello"
        assert fresh.json("job", "wait", job, timeout=60)["result"]["sha256"] == expected
        again = take(fresh)
        assert "as expected" in fresh.ok("snapshot", "verify", again, "--total", 2000)
    assert money(first) == money(second)
    epochs = [state["epoch"] for c in (cluster, first, second)
              for state in json.loads(c.ok("snapshot", "export", take(c), "-"))["process_states"]]
    assert len(set(epochs) - {"0" * 16}) == len([e for e in epochs if e != "0" * 16]) >= 6, epochs

    # A restart keeps what happened since; the share is not taken in a second time.
    first.ok("bank", "deposit", "A@1", 5)
    first.kill(first.nodes[1])
    first.start_node(1, restore=share_of(first, 1))
    first.wait_healthy()
    assert money(first)[1]["A"] == money(second)[1]["A"] + 5


def test_what_is_no_share_of_this_node_is_refused(cluster, tmp_path):
    path = tmp_path / "picture.json"
    cluster.ok("snapshot", "export", take(cluster), path)
    cluster.ok("snapshot", "restore", path, "--dir", tmp_path / "fresh")
    done = cluster.conclave("snapshot", "restore", path, "--dir", tmp_path / "fresh")
    assert done.returncode == USAGE and "not empty" in done.stderr
    share = tmp_path / "fresh" / "node1" / "restore"
    whole = share.read_bytes()
    share.with_name("cut").write_bytes(whole[:-3])
    cases = [("not this node's", {"node": 2, "restore": share}),
             ("of a cluster of 3 nodes", {"node": 1, "restore": share, "nodes": 4}),
             ("of a cluster of 3 voters", {"node": 1, "restore": share, "voters": 1}),
             ("cut short", {"node": 1, "restore": share.with_name("cut")}),
             ("taken once", {"node": 1, "restore": tmp_path / "nothing"}),
             ("--durability off", {"node": 1, "restore": share, "durability": "off"})]
    for i, (word, options) in enumerate(cases):
        command = cluster.node_command(**options | {"dir": tmp_path / f"data{i}", "port": 20000})
        done = harness.subprocess.run([str(c) for c in command], capture_output=True, text=True,
                                      timeout=20, env=harness.clean_environment(), check=False)
        assert done.returncode == USAGE and word in done.stderr, (word, done)


def test_up_begins_from_a_snapshot(cluster, tmp_path):
    path, fresh = tmp_path / "picture.json", tmp_path / "fresh"
    cluster.ok("snapshot", "export", take(cluster), path)
    ports = harness.Ports(3, 1)
    there = {"broker": f"tcp://127.0.0.1:{ports.base}", "env": {"CONCLAVE_ACCESS": str(fresh / "access.json")}}
    up = ["up", "--detach", "--port", ports.base, "--dir", fresh, "--restore", path]
    try:
        done = cluster.conclave(*up, "--nodes", 5)
        assert done.returncode == USAGE and "of 3 nodes" in done.stderr and not fresh.exists()
        cluster.ok(*up)
        assert cluster.ok("bank", "balance", "A@1", **there).strip() == "1000"
        assert cluster.ok("kv", "get", "--node", 3, "greeting", **there).strip() == "hellö"
        cluster.ok("down", "--dir", fresh)
        done = cluster.conclave(*up)
        assert done.returncode == USAGE and "not empty" in done.stderr
    finally:
        cluster.conclave("down", "--dir", fresh)
        ports.release()
