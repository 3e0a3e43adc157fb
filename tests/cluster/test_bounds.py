"""One client alone cannot make the cluster fall: whatever grows with requests is bounded, and what is large is done in
small steps.

`make limits` sets a million states, and takes snapshots of the largest ones."""
import os
import time
import uuid

import msgpack
import pytest

import harness
import locks
from harness import SANITIZED, wait_for

pytestmark = pytest.mark.alone

FULL = os.environ.get("CONCLAVE_LIMITS") == "full"  # make limits
SETS, SNAPS, WINDOW = (1_000_000, 60_000, 4000) if FULL else (300_000, 20_000, 4000)
SETS_SECONDS = 400 if FULL else 60
# What a node of the largest state has: limits.h.
ACCOUNTS, VALUES, VALUE_BYTES, DONE = 100_000, 4096, 4096, 10_000


class Asker:
    """Many requests at a time to one broker, as fast as they are answered."""

    def __init__(self, cluster):
        address = f"tcp://127.0.0.1:{cluster.fronts[0]}"
        self.dealer, self.signer = harness.dealer_to(address), locks.signer(address)
        self.waiting, self.answers, self.errors = {}, 0, {}

    def take(self, timeout=0):
        while self.dealer.poll(timeout):
            answer = msgpack.unpackb(self.dealer.recv_multipart()[0])
            body = self.waiting.pop(answer.get("request"), None)
            if body and self.signer.take(answer):
                self.send(answer["request"], body)
                continue
            self.answers += 1
            if answer["type"] == "error":
                self.errors[answer["code"]] = answer["reason"]
            timeout = 0

    def send(self, number, body):
        self.dealer.send_multipart(self.signer.frames(body["type"], msgpack.packb(dict(body, request=number)), body.get("node")))
        self.waiting[number] = body

    def ask(self, number, body):
        self.send(number, body)
        while len(self.waiting) >= WINDOW:
            self.take(1000)
        self.take()

    def finish(self, deadline=30):
        until = time.monotonic() + deadline
        while self.waiting and time.monotonic() < until:
            self.take(100)
        return not self.waiting


def quiet(cluster, term):
    """No election, and nobody was suspected."""
    assert cluster.wait_served()["term"] == term
    for log in cluster.dir.glob("node*.log"):
        assert "is suspected" not in log.read_text(errors="replace")


def test_a_flood_of_progress_elects_nobody_W5(make_cluster):
    cluster = make_cluster(nodes=3, compact_entries=2000).start()
    term = cluster.wait_healthy()["term"]
    asker, number = Asker(cluster), 0
    began = time.monotonic()
    while number < SETS and time.monotonic() - began < SETS_SECONDS:
        number += 1
        if number % (SETS // SNAPS) == 0:
            asker.ask(number, {"type": "progress_snap", "key": str(uuid.uuid4())})
        else:  # three of four are no node: what made checkpoints of a second is refused
            index = number % 3 + 1 if number % 4 == 0 else number
            asker.ask(number, {"type": "progress_set", "index": index, "state": number})
    assert asker.finish()
    assert "there is no node" in asker.errors["invalid"] and "1 to 3" in asker.errors["invalid"]
    status = cluster.wait_healthy()
    assert status["term"] == term
    quiet(cluster, term)
    parts = [int(line.split(", ")[-1].split()[0]) for log in cluster.dir.glob("node*.log")
             for line in log.read_text().splitlines() if "wrote a checkpoint" in line]
    assert parts and max(parts) < 200, parts
    print(f"{asker.answers} answers; {len(parts)} checkpoints, {max(parts)} parts at most")
    # A node that was wiped is installed again.
    victim = status["coordinator"] % 3 + 1
    cluster.kill(cluster.nodes[victim])
    for path in sorted((cluster.dir / f"node{victim}").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    cluster.start_node(victim)
    wait_for(lambda: (s := cluster.status()) and s["healthy"], 30, "the wiped node is back")


def test_64_snapshots_at_once_elect_nobody_and_share_one_memory_S10(make_cluster):
    cluster = make_cluster(nodes=3, snapshot_memory="1MiB").start()
    term = cluster.wait_healthy()["term"]
    asker = Asker(cluster)
    for number in range(1, 5001):
        asker.ask(number, {"type": "submit", "key": f"job-{number}", "kind": "factorial", "spec": "3000"})
        if number % 1000 == 0:
            for snapshot in range(64):
                asker.ask(number * 100 + snapshot, {"type": "snapshot_take"})
    assert asker.finish(60)
    quiet(cluster, term)
    for node, process in cluster.nodes.items():
        rss = int(open(f"/proc/{process.pid}/statm").read().split()[1]) * 4096
        # The address sanitizer holds back 256 MiB of what is freed.
        assert rss < (400 + 400 * SANITIZED) * 1024 * 1024, (node, rss)
    wait_for(lambda: cluster.conclave("snapshot", "take", "--json").returncode == 0, 60,
             "when they are over the next one is whole")


def fill(cluster):
    """All ledgers, and what is kept of jobs, as full as they may be."""
    asker, number = Asker(cluster), 0
    for node in cluster.nodes:
        for i in range(ACCOUNTS):
            number += 1
            asker.ask(number, {"type": "bank_deposit", "node": node, "key": f"d-{node}-{i}", "account": f"a-{i}",
                               "amount": 100})
        for i in range(VALUES):
            number += 1
            asker.ask(number, {"type": "kv_put", "node": node, "key": f"v-{node}-{i}", "name": f"v-{i}",
                               "value": "x" * VALUE_BYTES})
    for i in range(DONE):
        number += 1
        asker.ask(number, {"type": "submit", "key": f"done-{i}", "kind": "factorial", "spec": "300"})
    assert asker.finish(60) and not asker.errors, asker.errors
    wait_for(lambda: cluster.status()["jobs"]["done"] >= DONE, 60, "all jobs are done")
    asker.ask(number + 1, {"type": "bank_deposit", "node": 1, "key": "more", "account": "more", "amount": 1})
    asker.ask(number + 2, {"type": "kv_put", "node": 1, "key": "more-v", "name": "more", "value": "x"})
    assert asker.finish() and asker.errors, "nothing beyond the limits"
    print(asker.errors)


@pytest.mark.skipif(not FULL, reason="make limits")
def test_64_snapshots_at_once_of_the_largest_states_elect_nobody(make_cluster):
    # What a loop does itself is judged, not how long a loaded machine lets it wait for a processor.
    cluster = make_cluster(nodes=3, election_timeout="3s").start()
    term = cluster.wait_healthy()["term"]
    fill(cluster)
    before = {node: harness.memory(process) for node, process in cluster.nodes.items()}
    for process in cluster.nodes.values():
        harness.forget_peak(process)
    asker, began = Asker(cluster), time.monotonic()
    for snapshot in range(64):
        asker.ask(snapshot + 1, {"type": "snapshot_take"})
    assert asker.finish(120)
    took = time.monotonic() - began
    quiet(cluster, term)
    for row in cluster.wait_served()["nodes"]:
        assert row["longest_turn_own_us"] < 150_000, row
    for node, process in cluster.nodes.items():
        peak = harness.memory(process, "VmHWM")
        print(f"node {node}: {before[node] >> 20} MiB before, {peak >> 20} at most; {took:.1f} s; {asker.errors}")
        assert peak - before[node] < 1536 << 20, (node, peak >> 20)  # SNAPSHOT_MEMORY_BYTES, and half as much
    taken = cluster.json("snapshot", "take")
    assert taken["complete"]
