"""Progress, the first seed, on a real cluster: set, snap, get, and what failures leave of it."""
import json
import uuid

import msgpack
import pytest
import zmq

import harness
import locks
from harness import NOT_FOUND, USAGE, wait_for


def get(cluster, node, snapshot=None):
    """The state as the command prints it: a number, or none for a snap not taken yet."""
    more = [] if snapshot is None else ["--snapshot", snapshot]
    done = cluster.conclave("progress", "get", node, *more)
    if done.returncode == NOT_FOUND:
        assert done.stdout == "none\n"
        return None
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def snap(cluster, *more):
    return int(cluster.ok("progress", "snap", *more))


def kill_coordinator(cluster, restart=True):
    """Kills the coordinator and waits until another one serves; returns who was killed."""
    status = cluster.wait_served()
    victim, term = status["coordinator"], status["term"]
    cluster.kill(cluster.nodes[victim])
    wait_for(lambda: (s := cluster.status()) and s["coordinator"] and s["term"] > term,
             what="another coordinator serves")
    if restart:
        cluster.start_node(victim)
    return victim


# --- the seed's words ---

def test_set_snap_and_get_are_the_first_seeds(make_cluster):
    cluster = make_cluster().start()
    cluster.wait_healthy()
    assert get(cluster, 3) == 0  # never set
    assert get(cluster, 3, 0) is None  # no snap yet
    assert cluster.ok("progress", "set", 3, 17) == "17\n"
    assert snap(cluster) == 0
    assert cluster.ok("progress", "set", 3, 18) == "18\n"
    assert snap(cluster) == 1
    assert [get(cluster, 3, s) for s in (0, 1, 2)] == [17, 18, None]
    assert get(cluster, 3) == 18
    assert get(cluster, 5, 0) == 0 and get(cluster, 6, 1) == 0
    # Set is idempotent: it is the state, not a step.
    cluster.ok("progress", "set", 3, 18)
    assert get(cluster, 3) == 18
    # The same key is the same snap.
    assert snap(cluster, "--key", "nightly") == 2
    assert snap(cluster, "--key", "nightly") == 2
    assert snap(cluster) == 3


def test_json_is_complete(cluster):
    key = str(uuid.uuid4())
    assert cluster.json("progress", "set", 5, 4) == {"node": 5, "state": 4}
    taken = cluster.json("progress", "snap", "--key", key)
    assert taken == {"snapshot": taken["snapshot"], "key": key}
    assert cluster.json("progress", "get", 5) == {"node": 5, "snapshot": None, "state": 4}
    assert cluster.json("progress", "get", 5, "--snapshot", taken["snapshot"]) == \
        {"node": 5, "snapshot": taken["snapshot"], "state": 4}
    done = cluster.conclave("progress", "get", 5, "--snapshot", 10**6, "--json")
    assert done.returncode == NOT_FOUND and not done.stderr
    assert json.loads(done.stdout) == {"node": 5, "snapshot": 10**6, "state": None}


@pytest.mark.parametrize("words", [
    ["set"], ["set", "1"], ["set", "1", "2", "3"], ["set", "x", "1"], ["set", "1", "-1"],
    ["set", "1", "1.5"], ["set", "1", str(2**64)], ["set", "1", str(2**53 + 1)], ["set", "1", ""],
    ["snap", "1"], ["snap", "--key", ""], ["snap", "--key", "a b"], ["snap", "--key", "k" * 65],
    ["get"], ["get", "1", "2"], ["get", "one"], ["get", "1", "--snapshot", "last"],
    ["get", "1", "--snapshot", "-1"], ["get", "1", "--snapshot", ""],
    ["set", "0", "1"], ["set", "7", "1"], ["set", str(2**53), "1"], ["get", "0"], ["get", "7"],
])
def test_bad_input_is_one_clear_line(cluster, words):
    done = cluster.conclave("progress", *words)
    assert done.returncode == USAGE and not done.stdout
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("conclave: "), done.stderr


def test_progress_alone_lists_what_there_is(cluster):
    done = cluster.conclave("progress")
    assert done.returncode == USAGE and not done.stdout
    assert all(f"progress {word}" in done.stderr for word in ("set", "snap", "get"))


def test_an_index_that_is_no_node_is_refused_and_the_range_named_W5(cluster):
    done = cluster.conclave("progress", "set", 7, 1)
    assert done.returncode == USAGE and "there is no node 7" in done.stderr and "1 to 6" in done.stderr


# --- SetState on every accepted result ---

def test_accepted_results_add_up_to_the_operations_of_the_jobs(make_cluster):
    cluster = make_cluster().start()
    status = cluster.wait_healthy()
    before = snap(cluster)
    total = sum(cluster.submit(n)["operations"]["total"] for n in (10, 500, 3000))
    after = snap(cluster)
    states = {node: get(cluster, node, after) for node in range(1, 7)}
    assert sum(states.values()) == total
    assert states[status["coordinator"]] == 0  # it computes nothing
    assert all(get(cluster, node, before) == 0 for node in states)
    # Without failures a worker's own count, in status, is the same.
    for row in cluster.wait_healthy()["nodes"]:
        assert row["operations"] == states[row["id"]]
    # What a person sets is counted on from.
    worker = status["coordinator"] % 6 + 1
    cluster.ok("progress", "set", worker, 1000000)
    cluster.submit(2000)
    assert 1000000 <= get(cluster, worker) < 1001000
    assert get(cluster, worker, after) == states[worker]


# --- failures ---

def test_failover_changes_no_past_snap(make_cluster):
    cluster = make_cluster().start()
    cluster.wait_healthy()
    expected = {}
    for turn in range(3):
        cluster.ok("progress", "set", 1 + turn, 1000 * (turn + 1))
        cluster.submit(300)
        taken = snap(cluster, "--key", f"turn-{turn}")
        assert taken == turn
        for node in range(1, 7):
            expected[node, taken] = get(cluster, node, taken)
        kill_coordinator(cluster)
        assert snap(cluster, "--key", f"turn-{turn}") == taken  # a retry takes no second one
        assert get(cluster, 1, taken + 1) is None
        for (node, snapshot), state in expected.items():
            assert get(cluster, node, snapshot) == state
    assert expected[1, 0] >= 1000 and expected[3, 1] < 3000 and expected[3, 2] >= 3000


def test_progress_outlives_the_death_of_all_nodes(make_cluster):
    cluster = make_cluster(nodes=3).start()
    cluster.wait_healthy()
    cluster.ok("progress", "set", 2, 5)
    assert snap(cluster) == 0
    cluster.ok("progress", "set", 2, 6)
    for process in cluster.nodes.values():
        cluster.kill(process)
    for node in range(1, 4):
        cluster.start_node(node)
    cluster.wait_healthy()
    assert get(cluster, 2, 0) == 5 and get(cluster, 2) == 6 and get(cluster, 2, 1) is None
    assert snap(cluster) == 1


def test_snaps_and_kills_at_once_never_skip_or_repeat_an_id(make_cluster):
    cluster = make_cluster().start()
    cluster.wait_healthy()
    client = cluster.start_conclave("submit", "factorial", 20000)
    ids = []
    for turn in range(4):
        ids += [snap(cluster) for _ in range(5)]
        if turn < 3:
            kill_coordinator(cluster)
    client.communicate(timeout=harness.seconds(60))
    assert client.returncode == 0
    assert ids == list(range(20))


def test_a_foreign_client_reads_and_sets_progress(cluster):
    """As docs/protocol.md has it: msgpack maps through a DEALER."""
    dealer = zmq.Context.instance().socket(zmq.DEALER)
    dealer.linger = 0
    locks.connect(dealer, cluster.broker)

    def ask(**request):
        dealer.send(msgpack.packb({"request": 1} | request))
        assert dealer.poll(harness.seconds(5) * 1000)
        return msgpack.unpackb(dealer.recv_multipart()[0])
    try:
        assert ask(type="progress_set", index=4, state=9)["type"] == "progress"
        taken = ask(type="progress_snap", key=str(uuid.uuid4()))
        ask(type="progress_set", index=4, state=10)
        past = ask(type="progress_get", index=4, past=True, snapshot=taken["snapshot"])
        assert past["found"] and past["state"] == 9
        assert ask(type="progress_get", index=4)["state"] == 10
        assert not ask(type="progress_get", index=4, past=True, snapshot=10**6)["found"]
    finally:
        dealer.close()
