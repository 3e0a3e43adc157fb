"""A node that was written from docs/protocol.md alone is a voter: it makes majorities, and without it there is none.

Of four nodes 1, 2 and 4 are ours, and 3 is foreign.py. Nodes 1 to 3 vote; 4 works.
"""
import hashlib
import pathlib
import shutil
import sys

import pytest

import foreign
import foreign_disk
from harness import OK, factorial_digits

FOREIGN = 3


class Mixed:
    """A cluster with a foreign voter."""

    def __init__(self, cluster):
        self.cluster, self.mute = cluster, cluster.dir / "mute"
        for broker in range(cluster.n_brokers):
            cluster.start_broker(broker)
        for node in (1, 2, 4):
            cluster.start_node(node)
        self.start()

    def start(self):
        self.spawn(foreign)

    def spawn(self, program, *more):
        cluster = self.cluster
        cluster.nodes[FOREIGN] = cluster.spawn(
            program.__name__, sys.executable, pathlib.Path(program.__file__), "--id", FOREIGN, "--nodes", cluster.n_nodes,
            "--voters", 3, "--port", cluster.port, "--dir", cluster.dir / "foreign", "--access", cluster.locks.node(FOREIGN),
            "--mute", self.mute, *more)

    def wait_voter(self, since=0):
        self.cluster.feed.wait(lambda m: m["node"] == FOREIGN and m.get("voter"), 15, "the foreign node votes", since)

    def leave_one(self, coordinator):
        """Kills one of our two voters: the coordinator, or the other one."""
        status = self.cluster.wait_served()
        killed = status["coordinator"] if coordinator else 3 - status["coordinator"]
        since = self.cluster.feed.mark()
        self.cluster.kill(self.cluster.nodes[killed])
        self.cluster.feed.wait(lambda m: m.get("serving") and m["node"] != killed, 10, "one of us serves", since)
        return killed

    def disk(self):
        """What the foreign node's disk holds; it must have ended."""
        return foreign_disk.Disk(self.cluster.dir / "foreign")

    def end(self):
        """The disk, after the node has everything that there is."""
        last = max(row["applied"] for row in self.cluster.wait_served()["nodes"])
        self.cluster.feed.wait(lambda m: m["node"] == FOREIGN and m.get("applied", 0) >= last, 15, f"it has entry {last}")
        self.cluster.kill(self.cluster.nodes[FOREIGN])
        return self.disk()


@pytest.fixture
def mixed(make_cluster):
    def make(**options):
        it = Mixed(make_cluster(nodes=4, voters=3, **options))
        it.wait_voter()
        it.cluster.wait_served()
        return it
    return make


def submit_in_vain(cluster, key):
    """A submit that nobody accepts within a time in which hundreds were accepted before."""
    done = cluster.conclave("submit", "factorial", 12, "--key", key, "--timeout", "3s")
    assert done.returncode != OK, done.stdout


def check_big_job(cluster):
    """A job whose values and text travel by reference, so that a follower has to fetch them before it acknowledges."""
    job = cluster.submit(40000)
    assert job["result"]["sha256"] == hashlib.sha256(factorial_digits(40000).encode()).hexdigest()
    term, index = map(int, job["id"].split("-"))
    return term << 40 | index


def lacks(disk, named):
    return [name for name, what in named.items() if not disk.has(name, *what)]


@pytest.mark.parametrize("coordinator", [False, True])
def test_a_foreign_node_makes_the_majority(mixed, coordinator):
    """When the coordinator is killed, its vote makes the next one, too."""
    it = mixed()
    it.leave_one(coordinator)
    assert it.cluster.submit(10)["result"]["text"] == "3628800"
    job = check_big_job(it.cluster)
    disk = it.end()
    named = {}
    for _, packed in disk.log.values():
        named |= foreign_disk.named_by_entry(packed)
    # What is used up before it could be fetched is not wanted any more. The text is.
    text = max(named, key=lambda name: (name[0] == job, name[1]))
    assert named[text][0] == len(factorial_digits(40000)) and text not in lacks(disk, named)


def test_without_the_foreign_node_there_is_no_majority(mixed):
    it = mixed()
    cluster = it.cluster
    it.leave_one(False)
    assert cluster.submit(10)["result"]["text"] == "3628800"
    it.mute.touch()  # its heartbeats go on
    submit_in_vain(cluster, "muted")
    it.mute.unlink()
    assert cluster.submit(12, "--key", "muted")["result"]["text"] == "479001600"
    cluster.kill(cluster.nodes[FOREIGN])
    submit_in_vain(cluster, "dead")
    since = cluster.feed.mark()
    it.start()
    it.wait_voter(since)
    assert cluster.submit(12, "--key", "dead")["result"]["text"] == "479001600"


def test_a_foreign_node_with_another_disk_is_admitted(mixed):
    it = mixed()
    cluster = it.cluster
    assert cluster.submit(10)["result"]["text"] == "3628800"
    cluster.kill(cluster.nodes[FOREIGN])
    shutil.rmtree(cluster.dir / "foreign")
    since = cluster.feed.mark()
    it.start()
    cluster.feed.wait(lambda m: m["node"] == FOREIGN and not m.get("voter"), 10, "it is there", since)
    it.wait_voter(since)
    it.leave_one(True)
    assert cluster.submit(12)["result"]["text"] == "479001600"
    assert it.end().voter


def test_a_foreign_node_takes_a_checkpoint(mixed):
    it = mixed(compact_entries=16)
    cluster = it.cluster
    cluster.kill(cluster.nodes[FOREIGN])
    check_big_job(cluster)
    (cluster.dir / "jobs").write_text("".join(f"factorial {n}\n" for n in range(100)))
    cluster.ok("submit", "--file", cluster.dir / "jobs", timeout=60)
    since = cluster.feed.mark()
    it.start()
    it.wait_voter(since)
    last = max(row["applied"] for row in cluster.wait_served()["nodes"])
    cluster.feed.wait(lambda m: m["node"] == FOREIGN and m.get("applied", 0) >= last, 15, f"it has entry {last}", since)
    it.leave_one(True)
    assert cluster.submit(12)["result"]["text"] == "479001600"
    disk = it.end()
    named = {}
    for part in disk.parts:
        for row in foreign_disk.rows_of_part(part):
            named |= foreign_disk.named_by_row(row)
    assert any(length > 65536 for length, _ in named.values())
    assert not lacks(disk, named)
