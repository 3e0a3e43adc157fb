"""Workers and coordinators that fail: by probability, of an operation, by SIGSTOP, by kill -9. Each
test names its statement (T1, T2, ...)."""
import hashlib
import json
import math
import re
import signal

import pytest

import harness
from harness import FAILED, OK, wait_for


def up(cluster, *more):
    """A supervised cluster: what dies is started again."""
    return cluster.json("up", "--detach", "--dir", "up", "--port", cluster.port, *more, timeout=60)


def digest(n):
    return hashlib.sha256(str(math.factorial(n)).encode()).hexdigest()


def events(cluster, *names, since=0):
    with cluster.feed.changed:
        return [m for m in cluster.feed.messages[since:] if m.get("event") in names]


def row(status, node):
    return next(it for it in status["nodes"] if it["id"] == node)


def a_worker(cluster, busy=True):
    """A worker, one that has something to do."""
    def find():
        status = cluster.status()
        rows = [it for it in (status or {}).get("nodes", [])
                if it["role"] == "worker" and it["alive"] and (it["assigned"] or not busy)]
        return rows[0] if rows and status["coordinator"] else None
    return wait_for(find, 10, "a worker has something to do")


def long_alarm():
    signal.alarm(int(harness.seconds(300)))


def test_T6_failures_by_probability_cost_no_job_its_result(make_cluster):
    """T5, T6: exits and unacceptable delays, of workers and coordinators alike, change no result, and
    are laid to no operation."""
    long_alarm()
    cluster = make_cluster()
    up(cluster, "--fail-exit", "0.02", "--fail-stall", "0.02", "--stall", "1s")

    def submit(jobs):
        done = cluster.conclave("submit", "--file", "-", "--json", "--timeout", "4m",
                                input="factorial 2000\n" * jobs, timeout=250)
        assert done.returncode == OK, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    jobs = submit(100)

    def all_have_failed():
        """Coins are tossed: a fast disk has a coordinator toss so few that none may have fallen."""
        status = cluster.wait_served(30)
        if status["restarts"] and status["reassigned"] and status["elections"] > 1:
            return status
        jobs.extend(submit(20))
        return None
    status = wait_for(all_have_failed, 120, "workers and a coordinator have failed on purpose")
    assert len({job["id"] for job in jobs}) == len(jobs)
    assert {job["state"] for job in jobs} == {"done"}
    assert {job["result"]["sha256"] for job in jobs} == {digest(2000)}
    # The seed of every life is in its log.
    for node in range(1, 7):
        log = (cluster.dir / "up" / f"node{node}.log").read_text()
        assert len(re.findall(r"failures on purpose: .* seed \d+", log)) >= row(status, node)["boots"] - 1
    cluster.ok("down", "--dir", "up")


def test_T5_an_operation_that_kills_its_worker_three_times_fails_its_job(make_cluster):
    """T4, T5: R17 of 100! is assigned by itself, and is inside of a larger unit in 20000!."""
    cluster = make_cluster()
    up(cluster, "--fail-on", "R17")
    failed = cluster.conclave("submit", "factorial", 100, "--json", timeout=60)
    assert failed.returncode == FAILED
    job = json.loads(failed.stdout)
    assert job["state"] == "failed"
    killed = re.fullmatch(r"R17 killed its worker 3 times \(nodes (\d), (\d), (\d)\)", job["error"])
    assert killed, job["error"]
    # The cluster lives on, the dead ones included.
    assert cluster.submit(20000)["result"]["sha256"] == digest(20000)
    status = cluster.wait_healthy(20)
    assert 3 <= status["restarts"] <= 4
    assert cluster.json("job", "show", job["id"])["error"] == job["error"]
    cluster.ok("down", "--dir", "up")


def test_T9_a_stopped_straggler_is_overtaken(make_cluster):
    """T8, T9: near a job's end, long before its silence would count as a failure."""
    cluster = make_cluster(delay="300ms", election_timeout="4s")
    cluster.start()
    cluster.wait_healthy(60)
    client = cluster.start_conclave("submit", "factorial", 60, "--json")
    straggler = a_worker(cluster)
    harness.send_signal(straggler["pid"], signal.SIGSTOP)
    try:
        stdout, stderr = client.communicate(timeout=harness.seconds(15))
        assert client.returncode == OK, stderr
        assert json.loads(stdout)["result"]["sha256"] == digest(60)
        cluster.feed.wait(lambda m: m.get("event") == "overtaking" and
                          m["subject"] == straggler["id"], what="the straggler is overtaken")
        assert not events(cluster, "node_suspected")
        assert cluster.status()["copied"] >= 1
    finally:
        harness.send_signal(straggler["pid"], signal.SIGCONT)
    cluster.wait_healthy()  # what it returns now changes nothing (T1)
    assert cluster.submit(30)["state"] == "done"


def test_T2_a_killed_worker_is_started_again_and_used_at_once(make_cluster):
    """T2, T3: its operations go to others; its next life is a new worker."""
    cluster = make_cluster()
    up(cluster, "--delay", "30ms")
    client = cluster.start_conclave("submit", "factorial", 2000, "--json")
    victim = a_worker(cluster)
    mark = cluster.feed.mark()
    harness.send_signal(victim["pid"], signal.SIGKILL)
    cluster.feed.wait(lambda m: m.get("event") == "reassigned" and m["subject"] == victim["id"],
                      what="its operations go to others", since=mark)
    cluster.feed.wait(lambda m: m.get("event") == "node_up" and m["subject"] == victim["id"],
                      what="it is back", since=mark)
    cluster.feed.wait(lambda m: m["type"] == "heartbeat" and m["node"] == victim["id"] and
                      m["operations"] > 0 and m["pid"] != victim["pid"], 5,
                      "its new life has executed something", since=mark)
    stdout, stderr = client.communicate(timeout=harness.seconds(60))
    assert client.returncode == OK, stderr
    assert json.loads(stdout)["result"]["sha256"] == digest(2000)
    now = row(cluster.status(), victim["id"])
    assert now["boots"] == victim["boots"] + 1 and now["operations"] > 0
    cluster.ok("down", "--dir", "up")


def test_T6_deliberate_stops_are_laid_to_no_operation(make_cluster):
    """T6: SIGTERM in the middle of an operation: it says goodbye, and its work moves at once."""
    cluster = make_cluster(delay="200ms")
    cluster.start()
    cluster.wait_healthy()
    client = cluster.start_conclave("submit", "factorial", 100, "--json")
    for _ in range(4):
        victim = a_worker(cluster)
        mark = cluster.feed.mark()
        cluster.kill(cluster.nodes[victim["id"]], signal.SIGTERM)
        gone = cluster.feed.wait(lambda m: m.get("event") == "node_suspected" and
                                 m["subject"] == victim["id"], what="it is missed", since=mark)
        assert "announced that it stops" in gone["text"], gone["text"]
        cluster.start_node(victim["id"])
    stdout, stderr = client.communicate(timeout=harness.seconds(60))
    assert client.returncode == OK, stderr
    assert not events(cluster, "operation_suspected")


def test_T7_a_long_operation_is_not_lost(make_cluster):
    """T7, T8: an operation of many times every timeout stays with its worker; its delay is known."""
    cluster = make_cluster(delay="4s")
    cluster.start()
    cluster.wait_healthy()
    job = cluster.submit(4, timeout=60)
    assert job["state"] == "done" and job["operations"] == {"done": 1, "total": 1, "executed": 1}
    status = cluster.status()
    assert status["reassigned"] == status["copied"] == 0


def test_T12_votes_do_not_wait_behind_bulk_data(make_cluster):
    """T12: while large values move, no heartbeat is missed and nobody elects."""
    long_alarm()
    cluster = make_cluster()
    cluster.start()
    term = cluster.wait_healthy()["term"]
    mark = cluster.feed.mark()
    assert cluster.submit(500000, timeout=120)["state"] == "done"
    assert cluster.wait_served()["term"] == term
    assert not events(cluster, "node_suspected", "stepped_down", since=mark)


@pytest.mark.parametrize("option,value,told", [
    ("--fail-exit", "1.5", "a probability from 0 to 1"),
    ("--fail-exit", "-0.1", "a probability from 0 to 1"),
    ("--fail-stall", "often", "a probability from 0 to 1"),
    ("--fail-stall", "0.1234567", "a probability from 0 to 1"),
    ("--stall", "3", "a time from"),
    ("--fail-seed", "x", "a whole number"),
])
def test_bad_probabilities_are_refused_with_one_line(make_cluster, option, value, told):
    cluster = make_cluster()
    done = cluster.conclave("up", "--dir", "up", "--port", cluster.port, f"{option}={value}")
    assert done.returncode == harness.USAGE
    assert told in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
