"""Issue 2: "starting six nodes in random order ...", "kill -9 of an idle coordinator ..."."""
import random
import signal
import time

import pytest

from harness import OK, UNREACHABLE, seconds, wait_for


def serving(message):
    return message["type"] == "heartbeat" and message.get("serving")


def elected(message):
    return message["type"] == "event" and message["event"] == "elected"


@pytest.mark.parametrize("seed", range(3))
def test_six_nodes_in_random_order_have_one_coordinator_within_2_s(make_cluster, seed):
    cluster = make_cluster()
    order = random.Random(seed).sample(range(1, 7), 6)
    began = time.monotonic()
    cluster.start(order)
    first = cluster.feed.wait(serving, what="a coordinator serves")
    assert first["heard"] - began < seconds(2)
    status = cluster.wait_healthy()
    assert [node["role"] for node in status["nodes"]].count("coordinator") == 1
    assert set(cluster.feed.coordinators()[status["term"]]) == {status["coordinator"]}


def test_kill_9_of_an_idle_coordinator_gives_another_and_it_returns_as_a_worker(make_cluster):
    cluster = make_cluster().start()
    status = cluster.wait_healthy()
    for _ in range(3):
        old, term = status["coordinator"], status["term"]
        since, began = cluster.feed.mark(), time.monotonic()
        cluster.kill(cluster.nodes[old])
        new = cluster.feed.wait(lambda m: serving(m) and m["node"] != old, 5,
                                "another node serves", since)
        assert new["heard"] - began < seconds(1.5)
        assert new["term"] > term
        assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"
        cluster.start_node(old)
        status = cluster.wait_healthy()
        assert status["coordinator"] == new["node"] and status["term"] == new["term"]
        row = status["nodes"][old - 1]
        assert row["role"] == "worker" and row["alive"]
        # It is given work again.
        def is_used(node=old):
            job = cluster.submit(200)
            trace = cluster.json("job", "show", job["id"], "--ops")["trace"]
            return node in {op["node"] for op in trace}
        wait_for(is_used, 10, "the node that returned is given operations")


def test_a_stopped_coordinator_is_replaced_and_comes_back_as_a_worker_R13(make_cluster):
    cluster = make_cluster().start()
    status = cluster.wait_healthy()
    old, since = status["coordinator"], cluster.feed.mark()
    cluster.nodes[old].send_signal(signal.SIGSTOP)
    new = cluster.feed.wait(lambda m: serving(m) and m["node"] != old, 10, "another serves", since)
    assert new["term"] > status["term"]
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"
    since = cluster.feed.mark()
    cluster.nodes[old].send_signal(signal.SIGCONT)
    status = cluster.wait_healthy()
    assert status["coordinator"] == new["node"]
    assert status["nodes"][old - 1]["role"] == "worker"
    # What it says after its return is not that it serves, but that it follows.
    cluster.feed.wait(lambda m: m["node"] == old and m.get("coordinator") == new["node"], 10,
                      "the old one follows", since)
    late = [m for m in cluster.feed.messages[since:] if m["node"] == old and serving(m)
            and m["term"] >= new["term"]]
    assert not late


def test_jobs_go_on_while_coordinators_are_killed(make_cluster):
    cluster = make_cluster().start()
    status = cluster.wait_healthy()
    for n in (10, 17, 300, 2000):
        old = status["coordinator"]
        client = cluster.start_conclave("submit", "factorial", n, "--json")
        cluster.kill(cluster.nodes[old])
        out, err = client.communicate(timeout=seconds(30))
        assert client.returncode == OK, err
        assert f'"spec": "{n}"' in out
        cluster.start_node(old)
        status = cluster.wait_healthy()


def test_without_a_majority_nobody_coordinates_R27(make_cluster):
    cluster = make_cluster(voters=6).start()
    term = cluster.wait_healthy()["term"]
    for process in cluster.nodes.values():
        process.kill()
    for process in cluster.nodes.values():
        process.wait()
    since = cluster.feed.mark()
    for node in (1, 2, 3):
        cluster.start_node(node)
        cluster.feed.wait(lambda m, node=node: m["node"] == node, what="its heartbeats",
                          since=since)
    began = time.monotonic()
    done = cluster.conclave("submit", "factorial", 10, timeout=30)
    assert done.returncode == UNREACHABLE
    assert "no quorum: 3 of 6 nodes are alive, 4 needed" in done.stderr
    assert time.monotonic() - began < seconds(12)
    late = cluster.feed.messages[since:]
    assert not [m for m in late if serving(m)]
    # Pre-votes raised no term.
    assert {m["term"] for m in late} == {term}
    cluster.start_node(4)
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"


def test_the_whole_cluster_is_killed_and_comes_back_in_a_higher_term(make_cluster):
    cluster = make_cluster().start()
    before = cluster.wait_healthy()
    job = cluster.submit(10)
    for process in cluster.nodes.values():
        process.kill()
    for process in cluster.nodes.values():
        process.wait()
    for node in cluster.nodes:
        cluster.start_node(node)
    after = cluster.wait_healthy()
    assert after["term"] > before["term"]
    assert all(node["boots"] == 2 for node in after["nodes"])
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"
    assert cluster.json("job", "show", job["id"]) == job
