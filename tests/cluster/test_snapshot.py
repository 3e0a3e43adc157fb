"""Consistent global snapshots of live clusters: the third seed's tests, crowds of snapshots under load, and failures in
their midst. Requests go through pyzmq; what comes back is judged twice, by a reader in Python and by `verify`."""
import hashlib
import json
import math
import random
import shutil
import signal
import subprocess
import time

import pytest

import harness
from harness import OK, SANITIZED, seconds, wait_for
from snapshots import Asker, Snapshot

FUND = 100 * 1000000  # what `bank load` deposits when nothing else is said


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    for cluster in harness.healthy(tmp_path_factory.mktemp("three"), nodes=3):
        cluster.ok("bank", "deposit", "A@1", 1000)
        cluster.ok("bank", "deposit", "B@2", 1000)
        yield cluster


def take(asker, node):
    """Takes one, and reads it."""
    return Snapshot(asker.fetch(asker.taken(asker.start_snapshot(node))))


def verified(cluster, snapshot, total=None):
    """What `verify` says of the container; it must find nothing wrong."""
    path = cluster.dir / "container"
    path.write_bytes(snapshot.bytes)
    return cluster.json("snapshot", "verify", path, *(["--total", total] if total else []))


def resident_mib(cluster):
    """Resident memory of each node that runs."""
    return {node: harness.memory(process) >> 20 for node, process in cluster.nodes.items()}


def settled(cluster):
    """Until every transfer has arrived and is acknowledged; returns all money."""
    def nothing_is_sent():
        done = cluster.conclave("bank", "list", "--json")
        listed = json.loads(done.stdout) if done.returncode == OK else None
        return listed if listed and not listed["sent"] else None
    return wait_for(nothing_is_sent, 20, "every transfer has arrived")["total"]


# --- the third seed ---

def test_basic_S11(three):
    with Asker(three) as asker:
        snapshot = take(asker, 1)
    assert snapshot.complete and sorted(snapshot.states) == [1, 2, 3]
    assert snapshot.in_accounts() == 2000
    assert snapshot.states[1]["accounts"] == {"A": 1000}


def test_during_concurrent_transfers_S14(three):
    """A pays B and B pays A, a hundred times each, while node 3 takes snapshots."""
    with Asker(three) as asker:
        pending, snapshots = None, []
        for i in range(200):
            source, target = ((1, "A"), (2, "B"))[::1 if i % 2 else -1]
            asker.start(type="bank_transfer", node=source[0], account=source[1], to=target[1], to_node=target[0],
                        amount=10, key=f"seed-{i}")
            if pending is None or pending in asker.answers:
                snapshots += [asker.taken(pending)] if pending else []
                pending = asker.start_snapshot(3)
            asker.work(0.001)
        snapshots.append(asker.taken(pending))
        for snapshot in (Snapshot(asker.fetch(row)) for row in snapshots):
            assert snapshot.complete and snapshot.counts_agree()
            assert snapshot.in_accounts() + snapshot.in_channels() == 2000
            verified(three, snapshot, 2000)


def test_two_initiators_at_once_both_complete_S7(three):
    with Asker(three) as asker:
        requests = [asker.start_snapshot(node) for node in (1, 2)]
        rows = [asker.taken(request) for request in requests]
        assert [row["complete"] for row in rows] == [True, True]
        assert len({(row["initiator"], row["incarnation"], row["counter"]) for row in rows}) == 2
        for row in rows:
            assert Snapshot(asker.fetch(row)).money() == 2000


def test_a_killed_participant_S12(make_cluster):
    cluster = make_cluster(nodes=3)
    cluster.start().wait_healthy()
    cluster.ok("bank", "deposit", "A@1", 1000)
    with Asker(cluster) as asker:
        # Asleep it gets no marker; the answer to the second request says that the first has begun.
        cluster.nodes[3].send_signal(signal.SIGSTOP)
        request = asker.start_snapshot(1)
        asker.ask(type="bank_balance", node=1, account="A")
        cluster.kill(cluster.nodes[3])
        row = asker.taken(request)
        assert not row["complete"] and "node 3" in row["missing"]
        snapshot = Snapshot(asker.fetch(row))
    assert sorted(snapshot.states) == [1, 2] and snapshot.in_accounts() == 1000
    assert [n["node"] for n in snapshot.head["nodes"] if n.get("missing")] == [3]
    shown = cluster.json("snapshot", "show", snapshot.name)
    assert {(m.get("from_process"), m.get("to_process")) for m in shown["missing"]} >= {(3, 1), (3, 2)}
    assert verified(cluster, snapshot)["unknown"]


# --- crowds under load ---

class Crowd:
    """Keeps up to `width` snapshots of random initiators going, at most so many a second, and all that came back. An
    initiator keeps its last 100: who wants to read them all takes no more."""

    def __init__(self, cluster, width, seed, rate=1000):
        self.cluster, self.width, self.choose = cluster, width, random.Random(seed)
        self.pause, self.next = 1 / rate, 0
        self.rows, self.refused, self.unanswered, self.containers = [], 0, 0, []

    def run(self, asker, wanted, deadline):
        """Until so many are taken, or the time has come; no answer for 5 s is none: the initiator died."""
        open_since, end = {}, time.monotonic() + seconds(deadline)
        while (len(self.rows) < wanted and time.monotonic() < end) or open_since:
            more = len(self.rows) + len(open_since) < wanted and time.monotonic() < end
            if more and len(open_since) < self.width and time.monotonic() >= self.next:
                self.next = time.monotonic() + self.pause
                node = 1 + self.choose.randrange(self.cluster.n_nodes)
                open_since[asker.start_snapshot(node)] = time.monotonic()
                continue
            asker.work(min(0.05, self.pause))
            for request, since in list(open_since.items()):
                if request in asker.answers:
                    self.take(asker, asker.answers.pop(request)[0])
                elif time.monotonic() - since < seconds(5):
                    continue
                else:
                    self.unanswered += 1
                del open_since[request]

    def take(self, asker, answer):
        if answer["type"] == "error":
            self.refused += 1
            return
        self.rows.append(answer["heads"][0])

    def fetch(self, asker):
        return [Snapshot(asker.fetch(row)) for row in self.rows]


def describe(what, snapshots, rows):
    took = sorted(row["took_us"] / 1000 for row in rows)
    holding = sum(1 for s in snapshots if s.complete and s.in_channels())
    print(f"{what}: {len(snapshots)} snapshots, {sum(s.complete for s in snapshots)} complete, {holding} with money in "
          f"channels; ms p50 {took[len(took) // 2]:.1f}, p99 {took[len(took) * 99 // 100]:.1f}; "
          f"{sum(map(len, (s.bytes for s in snapshots))) // len(snapshots)} bytes on average")
    return holding


def test_crowds_of_snapshots_under_the_highest_load_S7_S13_S14(make_cluster):
    cluster = make_cluster(nodes=6, log_level="warn")
    cluster.start().wait_healthy()
    cluster.wait_met()
    wanted, load_s = (40, 20) if SANITIZED else (200, 10)
    load = cluster.start_conclave("bank", "load", "--rate", 0, "--seconds", load_s, "--json")
    wait_for(lambda: cluster.json("bank", "list")["total"] >= FUND * 0.99, what="the accounts are funded")
    crowd = Crowd(cluster, 8, 1)
    with Asker(cluster) as asker:
        crowd.run(asker, wanted, load_s)
        out, errors = load.communicate(timeout=seconds(30))
        assert load.returncode == OK, errors
        snapshots = crowd.fetch(asker)
    report = json.loads(out)
    print(f"{report['transfers']} transfers, {report['transfers_per_second']}/s; refused {report['refusals']}; "
          f"RSS MiB {resident_mib(cluster)}")
    assert len(snapshots) == wanted and all(s.complete for s in snapshots)
    for snapshot in snapshots:
        assert snapshot.counts_agree() and snapshot.money() == FUND
    for snapshot in snapshots[::4]:
        verified(cluster, snapshot, FUND)
    assert describe("under load", snapshots, crowd.rows) > 0
    assert settled(cluster) == FUND


def test_snapshots_while_nodes_are_killed_and_return_S5_S8_S12_S14(make_cluster):
    cluster = make_cluster(nodes=6, log_level="warn")
    cluster.start().wait_healthy()
    load = cluster.start_conclave("bank", "load", "--rate", 4000, "--seconds", 12, "--json")
    wait_for(lambda: cluster.json("bank", "list")["total"] >= FUND * 0.99, what="the accounts are funded")
    crowd, kills, kept = Crowd(cluster, 4, 2, rate=30), 0, []
    with Asker(cluster) as asker:
        end = time.monotonic() + 11
        while time.monotonic() < end:
            victim = 1 + kills % 6
            cluster.kill(cluster.nodes[victim])
            cluster.start_node(victim)
            kills += 1
            crowd.run(asker, len(crowd.rows) + 1000, 1)
        out, errors = load.communicate(timeout=seconds(40))
        assert load.returncode == OK, errors
        cluster.wait_healthy()
        kept = crowd.fetch(asker)
    report = json.loads(out)
    complete = [s for s in kept if s.complete]
    for snapshot, row in zip(kept, crowd.rows):
        verified(cluster, snapshot, FUND if snapshot.complete else None)
        assert snapshot.complete or row["missing"]
        assert not snapshot.complete or snapshot.money() == FUND
    assert len({s.name for s in kept}) == len(kept)
    describe("with kills", kept, crowd.rows)
    print(f"{kills} kills, {report['transfers']} transfers, refused {report['refusals']}; {crowd.refused} snapshots "
          f"refused, {crowd.unanswered} unanswered; RSS MiB {resident_mib(cluster)}")
    assert kills >= (2 if SANITIZED else 5) and complete and report["transfers"] > 100
    with Asker(cluster) as asker:
        assert take(asker, 1).money() == FUND
    assert settled(cluster) == FUND


# --- work ---

def digest(n):
    return hashlib.sha256(str(math.factorial(n)).encode()).hexdigest()


def test_a_computation_in_pictures_goes_on_elsewhere_S11_S15(make_cluster, tmp_path):
    """Every snapshot of a running factorial has each operation in one place; the last one, restored, finishes it."""
    cluster = make_cluster(nodes=4, delay="20ms")
    cluster.start().wait_healthy()
    job = cluster.json("submit", "factorial", 200000, "--no-wait")["id"]
    seen, path = [], tmp_path / "picture.json"
    with Asker(cluster) as asker:
        while cluster.json("job", "show", job)["state"] != "done":
            snapshot = take(asker, 1 + len(seen) % 4)
            said = verified(cluster, snapshot)
            assert snapshot.complete and not said["offences"], said
            seen.append(said["operations"]["handed_out"])
            if seen[-1] and (not path.exists() or len(seen) == 5):
                cluster.ok("snapshot", "export", snapshot.name, path)
    print(f"{len(seen)} snapshots of a running factorial, {sum(map(bool, seen))} with operations handed out, "
          f"at most {max(seen)}")
    wanted = digest(200000)
    assert cluster.json("job", "wait", job)["result"]["sha256"] == wanted and any(seen)
    fresh = make_cluster(nodes=4)
    cluster.ok("snapshot", "restore", path, "--dir", fresh.dir)
    fresh.start_broker()
    for node in range(1, 5):
        fresh.start_node(node, restore=fresh.dir / f"node{node}" / "restore")
    fresh.wait_healthy()
    assert fresh.json("job", "wait", job, timeout=60)["result"]["sha256"] == wanted


# --- failures in mid-snapshot ---

def test_a_broker_that_is_killed_in_mid_snapshot_S16(make_cluster):
    """Snapshots do without the broker: it is only where they are asked for."""
    cluster = make_cluster(nodes=3)
    cluster.start().wait_healthy()
    cluster.ok("bank", "deposit", "A@1", 1000)
    with Asker(cluster) as asker:
        cluster.nodes[3].send_signal(signal.SIGSTOP)
        asker.start_snapshot(1)
        asker.ask(type="bank_balance", node=1, account="A")  # the snapshot has begun
        cluster.kill(cluster.brokers[0])
        cluster.nodes[3].send_signal(signal.SIGCONT)
    cluster.start_broker()
    cluster.wait_healthy()
    row, = wait_for(lambda: cluster.json("snapshot", "list", "--node", 1), what="it is kept")
    assert row["is_complete"] and row["states"] == 3
    assert "as expected" in cluster.ok("snapshot", "verify", row["snapshot_id"], "--total", 1000)


def test_a_participant_that_sleeps_for_5_s_S4_S12_S16(make_cluster):
    cluster = make_cluster(nodes=3)
    cluster.start().wait_healthy()
    load = cluster.start_conclave("bank", "load", "--rate", 500, "--seconds", 7)
    wait_for(lambda: cluster.json("bank", "list")["total"] >= FUND * 0.99, what="the accounts are funded")
    with Asker(cluster) as asker:
        cluster.nodes[3].send_signal(signal.SIGSTOP)
        woken = time.monotonic() + 5
        while time.monotonic() < woken:
            row = asker.taken(asker.start_snapshot(1))
            assert not row["complete"] and "node 3" in row["missing"], row
            verified(cluster, Snapshot(asker.fetch(row)))
        cluster.nodes[3].send_signal(signal.SIGCONT)

        def whole():
            row = asker.taken(asker.start_snapshot(1))
            return row if row["complete"] else None
        row = wait_for(whole, 5, "a snapshot is complete again")
        assert verified(cluster, Snapshot(asker.fetch(row)), FUND)["is_complete"]
    load.communicate(timeout=seconds(30))
    assert settled(cluster) == FUND


def test_a_hundred_snapshots_that_begin_while_a_participant_sleeps_S4_S16(make_cluster):
    """Short naps under load: the marker waits in front of the sleeper, and nothing overtakes it."""
    cluster, choose = make_cluster(nodes=4, log_level="warn"), random.Random(3)
    cluster.start().wait_healthy()
    load = cluster.start_conclave("bank", "load", "--rate", 2000, "--seconds", 6)
    wait_for(lambda: cluster.json("bank", "list")["total"] >= FUND * 0.99, what="the accounts are funded")
    rows = []
    with Asker(cluster) as asker:
        for _ in range(100):
            sleeper, initiator = choose.sample(range(1, 5), 2)
            cluster.nodes[sleeper].send_signal(signal.SIGSTOP)
            request = asker.start_snapshot(initiator)
            asker.ask(type="bank_balance", node=initiator, account=f"load-{initiator - 1}")  # it has begun
            cluster.nodes[sleeper].send_signal(signal.SIGCONT)
            rows.append(asker.taken(request))
        load.communicate(timeout=seconds(30))
        snapshots = [Snapshot(asker.fetch(row)) for row in rows]
    assert all(s.complete and s.counts_agree() and s.money() == FUND for s in snapshots)
    verified(cluster, snapshots[-1], FUND)
    assert describe("with naps", snapshots, rows) and settled(cluster) == FUND


def cut_connections(port):
    """Cuts every connection to the port, as a router that has lost its memory does; False where nobody may."""
    if not shutil.which("ss"):
        return False
    done = subprocess.run(["ss", "-K", "-t", "dport", "=", f":{port}"], capture_output=True, text=True, check=False)
    return done.returncode == 0 and "ESTAB" in done.stdout


def test_a_hundred_cuts_of_sockets_under_load_S5_S16(make_cluster):
    cluster, choose = make_cluster(nodes=4, log_level="warn"), random.Random(4)
    cluster.start().wait_healthy()
    if not cut_connections(cluster.node_port(1, 1)):
        pytest.skip("connections cannot be cut here: that takes root, ss and a kernel that lets it")
    load = cluster.start_conclave("bank", "load", "--rate", 2000, "--seconds", 8)
    wait_for(lambda: cluster.json("bank", "list")["total"] >= FUND * 0.99, what="the accounts are funded")
    rows, cuts = [], 0
    with Asker(cluster) as asker:
        while cuts < 100:
            request = asker.start_snapshot(choose.randrange(1, 5))
            cuts += cut_connections(cluster.node_port(choose.randrange(1, 5), 1))
            rows.append(asker.taken(request))
        load.communicate(timeout=seconds(30))
        cluster.wait_healthy()
        snapshots = [Snapshot(asker.fetch(row)) for row in rows[-100:]]
        for snapshot, row in zip(snapshots, rows[-100:]):
            assert snapshot.complete or row["missing"]
            assert not snapshot.complete or snapshot.money() == FUND
            verified(cluster, snapshot, FUND if snapshot.complete else None)

        def whole():
            return asker.taken(asker.start_snapshot(1))["complete"]
        wait_for(whole, 15, "a snapshot is complete again")
    describe(f"with {cuts} cuts", snapshots, rows)
    assert settled(cluster) == FUND


# --- the clock ---

def test_the_coordinator_takes_them_by_the_clock_and_keeps_five(make_cluster):
    cluster = make_cluster(nodes=3, snapshot_every="100ms", snapshot_keep=5)
    coordinator = cluster.start().wait_healthy()["coordinator"]
    asked = cluster.json("snapshot", "take", "--node", coordinator)["snapshot_id"]

    def taken(but=()):
        """What is kept, once six are that are not among those; the clock's are five of them."""
        kept = {row["snapshot_id"]: row for row in cluster.json("snapshot", "list", "--node", coordinator)}
        return kept if len(kept) == 6 and not [i for i in kept if i in but and i != asked] else None
    first = wait_for(taken, what="five are kept, and the one asked for")
    later = wait_for(lambda: taken(first), what="five others are")
    assert first[asked] == later[asked] and not later[asked]["periodic"]
    assert len(later) == 6 and sum(row["periodic"] for row in later.values()) == 5
    assert all(row["is_complete"] for row in later.values())
    others = {1, 2, 3} - {coordinator}
    assert not any(cluster.json("snapshot", "list", "--node", node) for node in others)


def test_up_hands_the_clock_to_its_nodes(make_cluster, tmp_path):
    ports = harness.Ports(2, 1)
    cluster, where = make_cluster(nodes=2), tmp_path / "up"
    broker, env = f"tcp://127.0.0.1:{ports.base}", {"CONCLAVE_ACCESS": str(where / "access.json")}
    try:
        cluster.ok("up", "--detach", "--nodes", 2, "--port", ports.base, "--dir", where, "--snapshot-every", "100ms",
                   "--snapshot-keep", 2, "--snapshot-timeout", "1s")
        def two():
            kept = json.loads(cluster.ok("snapshot", "list", "--json", broker=broker, env=env))
            return kept if len(kept) == 2 and all(int(row["snapshot_id"].split("-")[2]) > 2 for row in kept) else None
        rows = wait_for(two, what="two are kept, and not the first ones")
        assert all(row["periodic"] and row["is_complete"] for row in rows)
    finally:
        cluster.conclave("down", "--dir", where)
        ports.release()
