"""One client alone cannot make the cluster fall: whatever grows with requests is bounded, and what is large is done in
small steps."""
import time
import uuid

import msgpack
import zmq

import harness
from harness import SANITIZED, wait_for

SETS, SNAPS, WINDOW = 300_000, 20_000, 4000


class Asker:
    """Many requests at a time to one broker, as fast as they are answered."""

    def __init__(self, cluster):
        self.dealer = harness.dealer_to(f"tcp://127.0.0.1:{cluster.fronts[0]}")
        self.waiting, self.answers, self.errors = {}, 0, {}

    def take(self, timeout=0):
        while self.dealer.poll(timeout):
            answer = msgpack.unpackb(self.dealer.recv_multipart()[0])
            self.waiting.pop(answer.get("request"), None)
            self.answers += 1
            if answer["type"] == "error":
                self.errors[answer["code"]] = answer["reason"]
            timeout = 0

    def ask(self, number, body):
        self.dealer.send_multipart([msgpack.packb(dict(body, request=number))])
        self.waiting[number] = True
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
    while number < SETS and time.monotonic() - began < 60:
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
