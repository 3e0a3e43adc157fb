"""Checkpoints that share their parts with the ones before, on the disks of real nodes: killed at any write, installed."""
import random
import re
import shutil
import time
import uuid

import msgpack

from harness import dealer_to, factorial_digits, seconds
from test_founding_kills import needs_shim

LIVES = 16
CALLS = 70  # that make something durable: by one of these a life ends
WROTE = re.compile(r"wrote a checkpoint at entry \d+, (\d+) parts, (\d+) of them new \((\d+) of (\d+) bytes\)")


def submit_until_killed(cluster, process, accepted):
    """One job after another; the ids of those that were accepted, by key."""
    dealer, end = dealer_to(cluster.broker), time.monotonic() + seconds(60)
    try:
        while process.poll() is None:
            assert time.monotonic() < end, "the node was not killed: is tests/shim/kill_disk.c built and loaded?"
            key = str(uuid.uuid4())
            dealer.send(msgpack.packb({"type": "submit", "request": len(accepted), "key": key, "kind": "factorial",
                                       "spec": "12"}))
            while process.poll() is None and not dealer.poll(50):
                continue
            if dealer.poll(0):
                answer = msgpack.unpackb(dealer.recv_multipart()[0])
                if answer["type"] == "job":
                    accepted[key] = answer["jobs"][0]["job"]
    finally:
        dealer.close()


def written(cluster, node):
    """(parts, new ones, bytes written, bytes of all) of each checkpoint that the node says it wrote."""
    text = (cluster.dir / f"node{node}.log").read_text(encoding="utf-8", errors="replace")
    return [tuple(map(int, found)) for found in WROTE.findall(text)]


def check_jobs(cluster, node, expected):
    """What a node has is all of it: with one of the others it is the majority."""
    other = node % cluster.n_nodes + 1
    for process in cluster.nodes.values():
        if process.poll() is None:
            cluster.kill(process)
    cluster.start_node(node)
    cluster.start_node(other)
    cluster.wait_served(20)
    jobs = {job["key"]: job for job in cluster.json("job", "list")}
    assert expected <= set(jobs), f"{len(expected - set(jobs))} of {len(expected)} jobs are gone"
    return jobs


@needs_shim
def test_a_node_killed_at_any_write_has_its_checkpoint_whole_R23(make_cluster):
    cluster = make_cluster(nodes=3, compact_entries=16, log_level="info")
    cluster.start().wait_healthy()
    accepted, draw = {}, random.Random(7)
    for life in range(LIVES):
        victim = 1 + life % 3
        cluster.kill(cluster.nodes[victim])
        process = cluster.start_preloaded(victim, "kill_disk", DURABLE_CALLS=cluster.dir / f"calls{life}",
                                          KILL_WHEN=("before", "after")[life % 2], KILL_AT=draw.randrange(5, CALLS))
        submit_until_killed(cluster, process, accepted)
        cluster.start_node(victim)
        cluster.wait_healthy(20)
    assert len(accepted) > LIVES
    for node in (1, 2, 3):
        jobs = check_jobs(cluster, node, set(accepted))
        assert all(jobs[key]["id"] for key in accepted)
        assert any(0 < new < parts for parts, new, _, _ in written(cluster, node)), "nothing was shared"


def test_an_installed_node_goes_on_from_shared_parts(make_cluster):
    cluster = make_cluster(nodes=3, compact_entries=64, log_level="info")
    cluster.start()
    status = cluster.wait_healthy()
    ids = [cluster.submit(20 + i % 30, "--key", f"key-{i}")["id"] for i in range(100)]
    node = status["coordinator"] % 3 + 1
    cluster.kill(cluster.nodes[node])
    shutil.rmtree(cluster.dir / f"node{node}")
    since = cluster.feed.mark()
    cluster.start_node(node)
    cluster.feed.wait(lambda m: m["node"] == node and m.get("voter"), 30, f"node {node} votes", since)
    before = len(written(cluster, node))
    more = 0
    while len(written(cluster, node)) < before + 2:  # the first one after an install is all new
        assert more < 200
        ids.append(cluster.submit(20, "--key", f"more-{more}")["id"])
        more += 1
    parts, new, some, whole = written(cluster, node)[-1]
    assert 0 < new < parts and 0 < some < whole
    jobs = check_jobs(cluster, node, {"key-0", "key-99"})
    assert sorted(job["id"] for job in jobs.values()) == sorted(ids)
    assert cluster.ok("job", "result", jobs["key-7"]["id"], timeout=seconds(20)).strip() == factorial_digits(27)
