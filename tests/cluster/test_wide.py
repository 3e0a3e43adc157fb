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


@pytest.mark.skipif(harness.SANITIZED, reason="25 nodes under sanitizers elect because they are slow: test_jobs.py has them")
def test_25_nodes_lose_their_coordinator_and_all_end_with_the_same(make_cluster):
    cluster = make_cluster(nodes=NODES).start()
    first = cluster.wait_healthy(UP_S)
    assert len(first["nodes"]) == NODES and first["quorum"] == 3
    assert cluster.submit(1000)["result"]["digits"] == len(str(math.factorial(1000)))

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
    assert stores[0]["jobs"] == stores[0]["finished"] == 5 and set(jobs) < set(stores[0]["job_ids"])
