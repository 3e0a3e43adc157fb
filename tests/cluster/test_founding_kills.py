"""kill -9 at every step of the founding, and two that found at the same time: one cluster in the end."""
import collections
import concurrent.futures
import random
import time

from harness import OK, SANITIZED, seconds, wait_for
from test_founding import wait_text

KILLS = 12
FIRST_SECONDS, SPREAD_SECONDS = 0.2, 0.7  # from the first steps of the processes until somebody serves
STEPS = (("coordinates", "is coordinator of"), ("follows", "follows node"), ("votes", "is a candidate"),
         ("belongs", "belongs to a cluster"), ("blank", "started: "))


def step_of(cluster, node):
    """How far a node has come, by its own log."""
    text = (cluster.dir / f"node{node}.log").read_text(errors="replace")
    return next((step for step, words in STEPS if words in text), "not started")


def check_one_cluster(cluster, since=0):
    """All nodes serve, and their last heartbeats name the same cluster."""
    cluster.wait_healthy(30)

    def ids():
        last = {m["node"]: m.get("cluster_id") for m in cluster.feed.messages[since:] if m["type"] == "heartbeat"}
        return len(last) == cluster.n_nodes and len(set(last.values())) == 1 and None not in last.values()
    wait_for(ids, 10, "all nodes are of one cluster")
    assert cluster.submit(10)["state"] == "done"


def test_a_kill_at_any_moment_of_the_founding_is_repaired_R30(make_cluster):
    """The moments are swept over the time that founding takes; the founder is node 1, every third victim."""
    seen = collections.Counter()
    for kill in range(4 if SANITIZED else KILLS):
        cluster = make_cluster(nodes=3)
        cluster.start(random.Random(kill).sample([1, 2, 3], 3))
        victim = kill % 3 + 1
        time.sleep(seconds(FIRST_SECONDS + SPREAD_SECONDS * kill / KILLS))  # the moment is what is tried, nothing is waited for
        cluster.kill(cluster.nodes[victim])
        seen["founder" if victim == 1 else "other", step_of(cluster, victim)] += 1
        since = cluster.feed.mark()
        cluster.start_node(victim)
        check_one_cluster(cluster, since)
        cluster.close()
    print("killed:", dict(seen))
    assert SANITIZED or len({step for _, step in seen}) >= 3, seen


def test_two_that_found_at_once_end_in_one_cluster_R30(make_cluster):
    """Node 3 of three is late; `conclave init` asks through two brokers at the same time."""
    for _ in range(3):
        cluster = make_cluster(nodes=3, brokers=2)
        for broker in (0, 1):
            cluster.start_broker(broker)
        cluster.start_node(1)
        cluster.start_node(2)
        wait_text(cluster, "not founded: node 3 has never been heard")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            done = list(pool.map(lambda front, it=cluster: it.conclave("init", broker=f"tcp://127.0.0.1:{front}"),
                                 cluster.fronts))
        codes = [it.returncode for it in done]
        assert OK in codes, codes
        since = cluster.feed.mark()
        cluster.start_node(3)
        check_one_cluster(cluster, since)
        cluster.close()
