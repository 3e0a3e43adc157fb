"""Twenty-five nodes on this machine: they start, elect, work, lose their coordinator, work on, and end; all have applied the same."""
import math
import signal

import pytest

import harness
from harness import OK, seconds, wait_for

NODES = 25
# Seconds that the start may take on a machine that is busy: `make bench-width` tells what it takes on a quiet one.
UP_S = 60
SAME = ("cluster_id", "nodes", "voters", "term", "last_term", "last_index", "jobs", "finished", "job_ids")


@pytest.mark.alone
def test_25_nodes_lose_their_coordinator_and_all_end_with_the_same(make_cluster):
    # So many heartbeats are too many to decode under sanitizers.
    slower = {"heartbeat": "400ms", "election_timeout": "4s"} if harness.SANITIZED else {}
    cluster = make_cluster(nodes=NODES, **slower).start()
    first = cluster.wait_healthy(UP_S)
    assert len(first["nodes"]) == NODES and first["quorum"] == 3
    job, used = cluster.submit(1000), set()
    assert cluster.ok("job", "result", job["id"]).strip() == str(math.factorial(1000))

    def all_are_used():
        """On two cores: one that got no processor for a moment gets operations of the next job."""
        job = cluster.submit(2000)
        used.update(op["node"] for op in cluster.json("job", "show", job["id"], "--ops")["trace"])
        return used >= set(cluster.nodes) - {cluster.status()["coordinator"]}
    wait_for(all_are_used, 30, "every worker has executed something")

    since = cluster.feed.mark()
    cluster.kill_coordinator(first)
    job = cluster.submit(20000)  # asked for while nobody coordinates
    assert job["state"] == "done" and job["result"]["digits"] == len(str(math.factorial(20000)))
    second = cluster.wait_next(first, since, 30)
    assert second["node"] != first["coordinator"]

    cluster.start_node(first["coordinator"])
    cluster.wait_healthy(UP_S)
    jobs = [cluster.submit(n)["id"] for n in (10, 11, 12)]
    wait_for(lambda: len({row["applied"] for row in cluster.status()["nodes"]}) == 1, 30, "all have applied the same")
    for process in cluster.nodes.values():
        process.send_signal(signal.SIGTERM)
    for process in cluster.nodes.values():
        assert process.wait(seconds(20)) == OK
    stores = [cluster.store(node) for node in cluster.nodes]
    assert all(store["state"] == "sound" for store in stores), stores
    for name in SAME:
        assert len({str(store[name]) for store in stores}) == 1, (name, [store[name] for store in stores])
    assert stores[0]["jobs"] == stores[0]["finished"] >= 6 and set(jobs) < set(stores[0]["job_ids"])
