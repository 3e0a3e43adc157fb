"""Disks that are lost after a restore: a share of a snapshot is taken once, and never again."""
import json
import shutil
import signal

import pytest

import harness
from harness import OK, USAGE, wait_for


def row(cluster, node):
    status = cluster.status()
    return status and next((n for n in status["nodes"] if n["id"] == node), None)


def wipe(cluster, node, what=""):
    """The disk of a running node is lost, and then its process dies; `up` starts it again."""
    pid = row(cluster, node)["pid"]
    shutil.rmtree(cluster.dir / "up" / f"node{node}" / what)
    harness.send_signal(pid, signal.SIGKILL)
    if what:  # part of a directory is damage, and is not filled from anywhere; a new directory is
        wait_for(lambda: "but the directory was in use" in
                 (cluster.dir / "up" / f"node{node}.log").read_text(), 20, "what is left is refused")
        shutil.rmtree(cluster.dir / "up" / f"node{node}")

    def back():
        found = row(cluster, node)
        return found and found["alive"] and found["pid"] != pid
    wait_for(back, 30, f"node {node} has started again")
    return cluster.wait_healthy(30)


def money(cluster):
    return {n["node"]: n["accounts"] for n in cluster.json("bank", "list")["nodes"]}


def up(cluster, *more):
    return cluster.ok("up", "--detach", "--port", cluster.port, "--dir", "up",
                      "--nodes", cluster.n_nodes, *more, timeout=60)


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """A cluster of three, with 1000 on each node, and a snapshot of it in a file."""
    directory = tmp_path_factory.mktemp("restore")
    for cluster in harness.healthy(directory, nodes=3):
        for node, account in enumerate("ABC", 1):
            cluster.ok("bank", "deposit", f"{account}@{node}", 1000)
        # Every ledger has written to every other one: its name and numbers are known there.
        for a, b in ("A@1", "B@2"), ("B@2", "A@1"), ("B@2", "C@3"), ("C@3", "A@1"):
            cluster.ok("bank", "transfer", a, b, 1)
        cluster.ok("kv", "put", "--node", 1, "greeting", "hello")
        path = directory / "picture.json"
        cluster.ok("snapshot", "export", cluster.ok("snapshot", "take").strip(), path)
        cluster.picture = path
        yield cluster


@pytest.fixture
def restored(picture, make_cluster):
    """What `up --restore` makes of it."""
    fresh = make_cluster(nodes=3)
    up(fresh, "--restore", picture.picture)
    fresh.wait_healthy()
    wait_for(lambda: sum(sum(a.values()) for a in money(fresh).values()) == 3000,
             what="what was under way has arrived")
    yield fresh
    fresh.ok("down", "--dir", "up")


@pytest.mark.parametrize("what", ["", "store"])
def test_a_wiped_node_of_a_restored_cluster_heals_S15(restored, what):
    held = money(restored)
    job = restored.json("submit", "factorial", 300)
    for _ in range(3):  # so that the numbers of the old ledger have been used
        restored.ok("bank", "transfer", "A@1", "B@2", 10)
    wait_for(lambda: money(restored)[2]["B"] == held[2]["B"] + 30, what="the transfers are applied")
    wipe(restored, 1, what)
    # What only the wiped node had is gone, all else is there, and nothing of the snapshot came back.
    assert money(restored) == {1: {}, 2: {"B": held[2]["B"] + 30}, 3: held[3]}
    assert restored.conclave("kv", "get", "--node", 1, "greeting").returncode != OK
    assert restored.json("job", "show", job["id"])["state"] == "done"
    # Transfers to it and from it count, from the first one on.
    restored.ok("bank", "deposit", "A@1", 100)
    for amount in 1, 2, 3:
        restored.ok("bank", "transfer", "A@1", "B@2", amount)
        restored.ok("bank", "transfer", "B@2", "A@1", amount)
    expected = {1: {"A": 100}, 2: {"B": held[2]["B"] + 30}, 3: held[3]}
    wait_for(lambda: money(restored) == expected, what="all transfers have arrived")


def test_shares_are_gone_once_they_were_taken_S15(restored):
    names = {p.name for n in (1, 2, 3) for p in (restored.dir / "up" / f"node{n}").iterdir()}
    assert not [name for name in names if "restore" in name], names
    restored.ok("down", "--dir", "up")
    up(restored)  # and nothing asks for them later
    restored.wait_healthy()


def test_a_store_in_use_takes_no_share(picture, restored, tmp_path):
    held = money(restored)
    restored.ok("down", "--dir", "up")
    picture.ok("snapshot", "restore", picture.picture, "--dir", tmp_path / "second")
    share = restored.dir / "up" / "node1" / "restore"
    shutil.copy(tmp_path / "second" / "node1" / "restore", share)
    up(restored)
    restored.wait_healthy()
    assert money(restored) == held
    assert not share.exists() and share.with_name("restore.unused").exists()


def test_a_share_that_is_not_there_is_refused(picture, tmp_path):
    command = picture.node_command(1, dir=tmp_path / "data", port=20000, restore=tmp_path / "nothing")
    done = harness.subprocess.run([str(c) for c in command], capture_output=True, text=True,
                                  timeout=20, env=harness.clean_environment(), check=False)
    assert done.returncode == USAGE and "taken once" in done.stderr, done


# --- one ledger ---

def put_back(cluster, path, node, *more):
    return cluster.conclave("snapshot", "restore", path, "--node", node, "--dir", "up", "--json", *more)


def test_a_ledger_is_put_back_and_the_difference_is_exact(restored, tmp_path):
    held = money(restored)
    a, b, c = held[1]["A"], held[2]["B"], held[3]["C"]
    restored.ok("bank", "transfer", "C@3", "A@1", 10)
    restored.ok("kv", "put", "--node", 3, "greeting", "hello")
    wait_for(lambda: money(restored)[1]["A"] == a + 10, what="the transfer has arrived")
    path = tmp_path / "picture.json"
    restored.ok("snapshot", "export", restored.ok("snapshot", "take").strip(), path)
    for payer, payee, amount in ("C@3", "A@1", 7), ("C@3", "B@2", 2), ("A@1", "C@3", 4):
        restored.ok("bank", "transfer", payer, payee, amount)
    wait_for(lambda: money(restored) == {1: {"A": a + 13}, 2: {"B": b + 2}, 3: {"C": c - 15}},
             what="the transfers have arrived")
    done = put_back(restored, path, 3)
    assert done.returncode == USAGE and "runs" in done.stderr, done
    restored.ok("down", "--dir", "up")
    shutil.rmtree(restored.dir / "up" / "node3")
    done = put_back(restored, path, 3)
    assert done.returncode == USAGE and "no cluster yet" in done.stderr, done
    restored.ok("recover", "--dir", "up", "--yes", "--force")
    done = put_back(restored, path, 1)
    assert done.returncode == USAGE and "not empty" in done.stderr, done
    told = json.loads(put_back(restored, path, 3, "--dry-run").stdout)
    assert not told["done"] and (told["accounts"], told["total"], told["values"]) == (1, c - 10, 1)
    notes = "\n".join(json.loads(put_back(restored, path, 3).stdout)["notes"])
    # 7 and 2 were paid by the lost account after the cut, 4 were paid to it: 5 are there twice.
    assert f"3000 at the cut; the other nodes have {a + b + 15} now" in notes, notes
    assert ": 5 more than at the cut" in notes, notes
    assert notes.count("counted twice: 1 message from node 3") == 2, notes
    assert "missing: 1 message from node 1 to node 3" in notes, notes
    assert put_back(restored, path, 3).returncode == USAGE
    up(restored)
    restored.wait_healthy()
    assert money(restored) == {1: {"A": a + 13}, 2: {"B": b + 2}, 3: {"C": c - 10}}
    assert restored.ok("kv", "get", "--node", 3, "greeting").strip() == "hello"
    # Its new name starts at number 1, and nobody takes that for what was applied before.
    for payer, payee, amount in ("C@3", "A@1", 1), ("C@3", "A@1", 1), ("A@1", "C@3", 50):
        restored.ok("bank", "transfer", payer, payee, amount)
    wait_for(lambda: money(restored) == {1: {"A": a - 35}, 2: {"B": b + 2}, 3: {"C": c + 38}},
             what="transfers to and from it arrive")


def test_a_ledger_that_cannot_be_put_back_is_refused(picture):
    for word, more in [("not in the snapshot", ["--node", 9]),
                       ("cannot be combined with", ["--node", 1, "--force"]),
                       ("cannot be combined with", ["--node", 1, "--voters", 2]),
                       ("needs --node", ["--dry-run"])]:
        done = picture.conclave("snapshot", "restore", picture.picture, "--dir", "up", *more)
        lines = done.stderr.strip().splitlines()
        assert (done.returncode, len(lines)) == (USAGE, 1) and word in lines[0], (more, done)
    done = picture.conclave("snapshot", "restore", picture.picture, "--dir", "absent", "--node", 1)
    assert done.returncode == harness.NOT_FOUND and not (picture.dir / "absent").exists()


def start(cluster, nodes=(1, 2, 3)):
    for node in nodes:
        cluster.start_node(node)
    cluster.wait_healthy(30)


def stop(cluster):
    for node in list(cluster.nodes):
        cluster.kill(cluster.nodes[node], signal.SIGTERM)


def lose_disk(cluster, node):
    cluster.kill(cluster.nodes[node])
    shutil.rmtree(cluster.dir / f"node{node}")


def export(cluster, path, *arguments):
    done = cluster.conclave("snapshot", "take", *arguments)
    cluster.ok("snapshot", "export", done.stdout.strip(), path)
    return path


@pytest.fixture
def banked(make_cluster):
    cluster = make_cluster(nodes=3)
    cluster.start().wait_healthy()
    for node, account in enumerate("ABC", 1):
        cluster.ok("bank", "deposit", f"{account}@{node}", 1000)
    cluster.ok("bank", "transfer", "C@3", "A@1", 10)
    wait_for(lambda: money(cluster)[1]["A"] == 1010, what="the transfer has arrived")
    return cluster


def test_what_never_arrived_is_sent_again(banked, tmp_path):
    banked.kill(banked.nodes[1])
    banked.wait_served()
    banked.ok("bank", "transfer", "C@3", "A@1", 20)
    path = export(banked, tmp_path / "partial.json", "--node", 3)
    lose_disk(banked, 3)
    start(banked, [1, 3])
    assert money(banked)[1] == {"A": 1010}
    stop(banked)
    told = banked.json("snapshot", "restore", path, "--node", 3, "--dir", banked.dir)
    assert told["sent_again"] == 1 and any("partial" in note for note in told["notes"]), told
    start(banked)
    wait_for(lambda: money(banked) == {1: {"A": 1030}, 2: {"B": 1000}, 3: {"C": 970}},
             what="the transfer of 20 has arrived, once")
