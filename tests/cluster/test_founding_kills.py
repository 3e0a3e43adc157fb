"""kill -9 at every durable write of the founding, and two that found at the same time: one cluster in the end.

tests/shim/kill_disk.c counts what a node asks of its disk, and ends it before or after a call of a given number.
"""
import collections
import concurrent.futures
import signal
import threading

import pytest

from harness import OK, SANITIZED, request, seconds, signed_request, wait_for
from test_founding import check_text

AT_ONCE = 3     # clusters; each waits for time-outs most of its time
TRIES = 3       # foundings that are counted; and of a kill, when the founding needed fewer calls this time
NEEDED_S = 20   # from the return of the node until the cluster serves
needs_shim = pytest.mark.skipif(SANITIZED, reason="sanitizers want to be loaded first")


def calls_of(log):
    """What a node asked of its disk, in order: [number, name, file]."""
    return [line.split(maxsplit=2) for line in log.read_text().splitlines()] if log.exists() else []


def step_of(store):
    """How far the founding has come, by what is on a node's disk."""
    if store["state"] == "empty":
        return "no owner"  # no store, or one that does not say yet whose it is
    assert store["state"] == "sound", store
    if not store.get("cluster_id"):
        return "blank" if store.get("boots") else "never started"
    return "founded" if not store["term"] else "voted" if not store["last_index"] else "log"


def check_one_cluster(cluster):
    """All serve within the time, a job is done, and then the stores of all are of one cluster, in which all vote."""
    cluster.wait_healthy(NEEDED_S)
    assert cluster.submit(10)["state"] == "done"
    wait_for(lambda: len({row["applied"] for row in cluster.status()["nodes"]}) == 1, 10, "all have the job")
    for process in cluster.nodes.values():
        process.send_signal(signal.SIGTERM)
    for process in cluster.nodes.values():
        assert process.wait(seconds(10)) == OK
    stores = [cluster.store(node) for node in cluster.nodes]
    assert len({store["cluster_id"] for store in stores}) == 1 and stores[0]["cluster_id"], stores
    assert all(store["voter"] and store["jobs"] == 1 for store in stores), stores
    return stores[0]["cluster_id"]


def start_counting(cluster, victim, **kill):
    cluster.start_broker()
    for node in range(1, cluster.n_nodes + 1):
        if node == victim:
            cluster.start_preloaded(node, "kill_disk", DURABLE_CALLS=cluster.dir / "calls", **kill)
        else:
            cluster.start_node(node)
    return cluster.nodes[victim], cluster.dir / "calls"


def count_calls(cluster, victim):
    """How many a founding has in which nobody is killed."""
    _, log = start_counting(cluster, victim)
    cluster.wait_healthy()
    calls = calls_of(log)
    names = {name for _, name, _ in calls}
    assert {"fdatasync", "fsync", "pwrite", "rename"} <= names, f"the store writes in another way: {names}"
    return len(calls)


def how_others_are(cluster, victim):
    """They say that they wait for the one that was killed, or they found without it and serve."""
    def said():
        status = cluster.status()
        if status and status["coordinator"] not in (None, 0, victim):
            return "serve"
        text = check_text(cluster)[1]
        waits = any(f"not founded: node {victim} {why}" in text for why in ("has not been heard from yet", "is not alive"))
        return "wait" if waits else None
    return wait_for(said, 10, f"the others name node {victim}, or serve")


def kill_at(cluster, victim, at, when):
    """Returns (how far the victim's disk had come, how the others are); None: the founding had fewer calls."""
    process, log = start_counting(cluster, victim, KILL_AT=at, KILL_WHEN=when)

    def is_over():
        serves = any(m.get("serving") for m in cluster.feed.messages[:])
        return process.poll() is not None or serves and (cluster.status() or {}).get("healthy")
    wait_for(is_over, 20, f"node {victim} is killed, or all serve")
    if process.poll() is None:
        return None
    assert process.returncode == -signal.SIGKILL, process.returncode
    assert calls_of(log)[-1] == [str(at), "killed"], calls_of(log)
    step = step_of(cluster.store(victim))
    others = how_others_are(cluster, victim)
    cluster.start_node(victim)
    check_one_cluster(cluster)
    return step, others


@needs_shim
@pytest.mark.parametrize("victim", [1, 3])
def test_a_kill_at_each_durable_write_of_the_founding_is_repaired_R30(make_cluster, victim):
    """Node 1 has the lowest id: it founds."""
    lock = threading.Lock()

    def with_cluster(do, *arguments):
        with lock:
            cluster = make_cluster(nodes=3)
        try:
            return do(cluster, victim, *arguments)
        except Exception as fault:
            raise AssertionError(f"{do.__name__} {arguments} of node {victim} in {cluster.dir}") from fault
        finally:
            cluster.close()

    def kill(at, when):
        return next(filter(None, (with_cluster(kill_at, at, when) for _ in range(TRIES))), None)

    n_calls = min(with_cluster(count_calls) for _ in range(TRIES))  # one more election takes more
    moments = [(at, when) for at in range(1, n_calls + 1) for when in ("before", "after")]
    pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
    try:
        ends = list(pool.map(lambda moment: kill(*moment), moments))
    finally:
        pool.shutdown(cancel_futures=True)
    seen = collections.Counter(filter(None, ends))
    fewer = [moment for moment, end in zip(moments, ends) if not end]
    print(f"node {victim}: {n_calls} calls, {dict(seen)}, not reached: {fewer}")
    # A founding may end with fewer calls; what is durable at its end is reached in any.
    assert len(fewer) <= 4 and all(at > n_calls - 4 for at, _ in fewer), fewer
    assert {step for step, _ in seen} >= {"no owner", "never started", "blank", "founded", "voted"}, seen


def lacks_only(cluster, node, missing):
    """That very node says that it has met all but one, and would found."""
    status, _ = request(cluster.broker, {"type": "status_get", "request": node, "node": node})
    return status.get("founding", "").startswith(f"not founded: node {missing} has not been heard from yet;")


@needs_shim
def test_two_nodes_that_found_at_once_end_in_one_cluster_R30(make_cluster, tmp_path):
    """Node 3 of three is late. The disks of nodes 1 and 2 hang, so neither can tell the other that it founds."""
    for attempt in range(3):
        hangs = tmp_path / f"hang{attempt}"
        cluster = make_cluster(nodes=3)
        cluster.start_broker()
        for node in (1, 2):
            cluster.start_preloaded(node, "bad_disk", BAD_DISK=hangs)
        for node in (1, 2):
            wait_for(lambda at=cluster, it=node: lacks_only(at, it, 3), 10, f"node {node} waits for node 3 only")
        hangs.write_text("hang_sync /\n")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            asked = [pool.submit(signed_request, cluster.broker, {"type": "init", "request": node, "node": node}, timeout=20)
                     for node in (1, 2)]
            for node in (1, 2):
                wait_for(lambda it=f"founded by node {node}", log=cluster.dir / f"node{node}.log":
                         it in log.read_text(), 10, f"node {node} founds a cluster of its own")
            hangs.unlink()
            answers = [it.result()[0] for it in asked]
        assert [answer["type"] for answer in answers] == ["inited", "inited"], answers
        ids = [answer["cluster_id"] for answer in answers]
        assert ids[0] != ids[1], answers
        cluster.start_node(3)
        assert check_one_cluster(cluster) in [id.hex() for id in ids]
        cluster.close()
