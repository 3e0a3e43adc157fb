"""Terms on real processes: one node that lies moves none, and whoever is far behind gets there (X10, X15)."""
import shutil
import subprocess
import time

import pytest

import harness
import liar
from harness import wait_for
from test_foreign import FOREIGN, Mixed

TERM_MAX = 2 ** 53 - 1
CLIMB = 100  # TERM_CLIMB_MAX


class Lied(Mixed):
    """A cluster with a voter that lies when it is told to."""

    def start(self):
        self.lie = self.cluster.dir / "lie"
        self.spawn(liar, "--lie", self.lie)


@pytest.fixture
def lied(make_cluster):
    it = Lied(make_cluster(nodes=4, voters=3))
    it.wait_voter()
    wait_for(lambda: (s := it.cluster.wait_served()) and s["coordinator"] != FOREIGN and s["term"], 10, "one of us leads")
    yield it
    # It says that it coordinates, which the harness would believe.
    it.cluster.feed.messages[:] = [m for m in it.cluster.feed.messages if m["node"] != FOREIGN]


@pytest.mark.parametrize("lie", ["+1", "+1000000", str(TERM_MAX)])
def test_one_node_that_lies_moves_no_term_and_stops_no_job_X15(lied, lie):
    """Before: seventeen messages of a million each, and there was never an election again."""
    cluster, before = lied.cluster, lied.cluster.wait_served()
    since = cluster.feed.mark()
    lied.lie.write_text(lie)
    end = time.monotonic() + 8  # sixteen election timeouts, 160 rounds of some 30 messages to each node
    n = 20
    while time.monotonic() < end:
        assert cluster.submit(n)["result"]["text"] == str(harness.factorial_digits(n))
        n = 20 + (n + 1) % 200  # results that ride along
    elected = [m for m in cluster.feed.messages[since:] if m.get("event") == "elected"]
    # The coordinator has itself elected again for whom it takes to be alone: after 1, 2, 4, 8 timeouts.
    assert len(elected) <= 5, elected
    assert cluster.wait_served()["term"] <= before["term"] + CLIMB * (len(elected) + 1)  # one may just have been held
    lied.lie.unlink()
    status = wait_for(lambda: (s := cluster.status()) and s["coordinator"] in (1, 2) and s, 10, "one of us serves")
    # Nothing of it is on a disk: whoever is killed now is followed by an election.
    killed = lied.leave_one(True)
    assert cluster.submit(n)["result"]["text"] == str(harness.factorial_digits(n))
    for node in {1, 2, 4} - {killed}:
        cluster.kill(cluster.nodes[node])
        assert cluster.store(node)["term"] <= status["term"] + 2 * CLIMB
    assert cluster.store(killed)["term"] <= status["term"] + CLIMB


def tool(*words):
    subprocess.run([harness.BIN / "conclave-node", *map(str, words)], check=True, timeout=harness.seconds(30))


@pytest.mark.parametrize("term", [20_000_000, TERM_MAX - 1000])
def test_an_empty_disk_joins_at_any_term_and_jobs_go_on_there_X15(make_cluster, term):
    cluster = make_cluster(nodes=3).start()
    cluster.wait_healthy()
    first = cluster.submit(10)
    for node in (1, 2, 3):
        cluster.kill(cluster.nodes[node])
    homes = {node: cluster.dir / f"node{node}" for node in (1, 2, 3)}
    tool("refound", homes[1], term)
    tool("adopt", homes[1], homes[2], 2)
    shutil.rmtree(homes[3])
    for node in (1, 2, 3):
        cluster.start_node(node)
    status = cluster.wait_healthy(20)
    assert term < status["term"] < term + 100
    wait_for(lambda: all(row["term"] == status["term"] for row in cluster.status()["nodes"]), 10, "node 3 is in that term")
    again = cluster.json("job", "show", first["id"])
    assert again["id"] == first["id"] and again["state"] == "done"
    job = cluster.submit(12)
    assert cluster.json("job", "show", job["id"])["id"] == job["id"]
    # It counts: with it and one other there is a majority.
    wait_for(lambda: cluster.conclave("check").returncode == 0, 10, "all is well")
    since = cluster.feed.mark()
    before = cluster.wait_served()
    other = next(node for node in (1, 2) if node != before["coordinator"])
    cluster.kill(cluster.nodes[before["coordinator"]])
    cluster.feed.wait(lambda m: m.get("serving") and m["term"] > before["term"] and m["node"] in (other, 3), 10,
                      "one of the two others serves", since)
    assert cluster.submit(13)["result"]["text"] == str(harness.factorial_digits(13))


def test_who_comes_back_alone_at_a_low_term_makes_a_majority(make_cluster):
    """Two of three are left, one of them several elections behind: no majority confirms a term to it, and it gets there
    by its own elections."""
    cluster = make_cluster(nodes=3).start()
    before = cluster.wait_healthy()
    away = before["coordinator"] % 3 + 1
    cluster.kill(cluster.nodes[away])
    for _ in range(3):  # elections that it does not hear of
        since, status = cluster.feed.mark(), cluster.wait_served()
        cluster.kill(cluster.nodes[status["coordinator"]])
        cluster.start_node(status["coordinator"])
        cluster.wait_next(status, since)
    last = cluster.wait_served()
    cluster.kill(cluster.nodes[last["coordinator"]])
    since = cluster.feed.mark()
    cluster.start_node(away)
    cluster.feed.wait(lambda m: m.get("serving") and m["term"] > last["term"], 15, "the two have a coordinator", since)
    assert cluster.submit(14)["result"]["text"] == str(harness.factorial_digits(14))
