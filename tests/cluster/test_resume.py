"""Jobs go on from their last checkpoint: a coordinator killed again and again, all nodes killed, half of them."""
import hashlib
import re
import signal
import time

import pytest

import harness
from harness import OK, TIMEOUT, UNREACHABLE, factorial_digits, seconds, wait_for

SUM_100000 = hashlib.sha256(factorial_digits(100000).encode()).hexdigest()


def resumed(message):
    return message.get("event") == "job_resumed"


def done_at_resumption(message):
    """How many operations were done when the job went on."""
    return int(re.search(r"checkpoint: (\d+) of \d+ operations are done", message["text"])[1])


def wait_done(cluster, n, part, deadline=30):
    """Until that part of the operations of n! is done; returns the job."""
    def reached():
        done = cluster.conclave("job", "list", "--json")
        jobs = harness.json.loads(done.stdout) if done.returncode == OK else []
        return next((job for job in jobs if job["spec"] == str(n) and
                     job["operations"]["done"] >= part * job["operations"]["total"]), None)
    return wait_for(reached, deadline, f"{part:.0%} of {n}! is done", pause=0.05)


def finish(client, deadline=60):
    """The job of a `submit --json` that was started."""
    out, err = client.communicate(timeout=seconds(deadline))
    assert client.returncode == OK, err
    return harness.json.loads(out)


# --- the coordinator is killed in mid-job ---

def test_100000_survives_three_coordinators(make_cluster):
    """Right, and executed in all at most 1.2 times the plan's operations plus what was in flight."""
    cluster = make_cluster(delay="100ms").start()
    cluster.wait_healthy()
    client = cluster.start_conclave("submit", "factorial", 100000, "--json")
    in_flight, before = 0, 0
    for part in (0.2, 0.45, 0.7):
        job = wait_done(cluster, 100000, part)
        assert job["state"] == "running"
        status, since = cluster.wait_served(), cluster.feed.mark()
        # A unit of 100000! is at most 341 operations: 1024 leaves, four at a time.
        in_flight += 341 * sum(node["assigned"] for node in status["nodes"])
        cluster.kill_coordinator(status)
        cluster.start_node(status["coordinator"])
        told = cluster.feed.wait(resumed, 10, "the job continues", since)
        assert done_at_resumption(told) >= before
        assert done_at_resumption(told) > 0.8 * part * job["operations"]["total"]
        before = done_at_resumption(told)
    job = finish(client)
    assert job["result"]["sha256"] == SUM_100000
    assert job["result"]["digits"] == 456574
    counts = job["operations"]
    assert counts["done"] == counts["total"] == 33336
    assert counts["total"] <= counts["executed"] <= 1.2 * counts["total"] + in_flight
    executed = cluster.feed.executed()  # what the workers themselves say, so that nothing is hidden
    print(f"executed {executed} of {counts['total']}, in flight at the kills {in_flight}")
    assert executed <= 1.2 * counts["total"] + in_flight


def test_values_over_64_KiB_are_on_every_replica(make_cluster):
    """Nothing of them is lost with the coordinator, and any later one serves the result."""
    cluster = make_cluster(delay="50ms").start()
    status = cluster.wait_healthy()
    client = cluster.start_conclave("submit", "factorial", 300000, "--json")
    # Beyond three quarters there are intermediate results of more than 64 KiB.
    job = wait_done(cluster, 300000, 0.8)
    since = cluster.feed.mark()
    cluster.kill_coordinator(status)
    told = cluster.feed.wait(resumed, 10, "the job continues", since)
    assert done_at_resumption(told) > 0.5 * job["operations"]["total"]
    cluster.start_node(status["coordinator"])
    expected = factorial_digits(300000)
    job = finish(client)
    assert job["result"]["sha256"] == hashlib.sha256(expected.encode()).hexdigest()
    for _ in range(2):
        status = cluster.wait_healthy()
        since = cluster.feed.mark()
        cluster.kill_coordinator(status)
        cluster.wait_next(status, since)
        assert cluster.ok("job", "result", job["id"]).strip() == expected
        cluster.start_node(status["coordinator"])


def test_a_late_checkpoint_loses_work_and_nothing_else(make_cluster):
    """--checkpoint-interval decides what is computed again; the result is the same."""
    cluster = make_cluster(delay="20ms", checkpoint_interval="1h", checkpoint_bytes="1GiB").start()
    cluster.wait_healthy()
    client = cluster.start_conclave("submit", "factorial", 3000, "--json")
    wait_done(cluster, 3000, 0.3)
    status = cluster.kill_coordinator()
    cluster.start_node(status["coordinator"])
    job = finish(client)
    assert job["result"]["sha256"] == \
        hashlib.sha256(factorial_digits(3000).encode()).hexdigest()
    assert job["operations"]["done"] == job["operations"]["total"]
    assert cluster.feed.executed() > 1.2 * job["operations"]["total"]


# --- all nodes are killed ---

def test_kill_9_of_all_nodes_in_mid_job(make_cluster):
    """The job continues where it was; done jobs are there, to the byte."""
    cluster = make_cluster(delay="100ms").start()
    cluster.wait_healthy()
    small, large = cluster.submit(10), cluster.submit(400)
    client = cluster.start_conclave("submit", "factorial", 100000, "--json")
    job = wait_done(cluster, 100000, 0.4)
    since = cluster.feed.mark()
    for process in cluster.nodes.values():
        process.kill()
    for process in cluster.nodes.values():
        process.wait()
    for node in cluster.nodes:
        cluster.start_node(node)
    told = cluster.feed.wait(resumed, 15, "the job continues", since)
    assert done_at_resumption(told) > 0.3 * job["operations"]["total"]
    assert cluster.json("job", "show", small["id"]) == small
    assert cluster.json("job", "show", large["id"]) == large
    assert cluster.ok("job", "result", large["id"]).strip() == factorial_digits(400)
    finished = finish(client)  # the client that waited never noticed
    assert finished["id"] == job["id"] and finished["result"]["sha256"] == SUM_100000
    status = cluster.status()
    assert status["jobs"]["done"] == 3 and all(node["boots"] == 2 for node in status["nodes"])


@pytest.mark.parametrize("how", ["nodes", "everything"])
def test_up_goes_on_in_its_directory(make_cluster, how):
    """conclave up: its nodes die and are started again; or all of it dies, and up is called again."""
    cluster = make_cluster()  # for its ports, directory and end; the nodes are those of `up`
    words = ["up", "--dir", "up", "--port", cluster.port, "--delay", "100ms", "--detach"]
    cluster.ok(*words)
    small = cluster.submit(20)
    job_id = cluster.ok("submit", "factorial", 100000, "--no-wait").strip()
    wait_done(cluster, 100000, 0.3)
    since = cluster.feed.mark()
    if how == "nodes":
        for node in cluster.status()["nodes"]:
            harness.send_signal(node["pid"], signal.SIGKILL)
    else:
        harness.end_marked(cluster.mark)
        cluster.ok(*words)
    told = cluster.feed.wait(resumed, 20, "the job continues", since)
    assert done_at_resumption(told) > 0.2 * 33336
    assert cluster.json("job", "show", small["id"]) == small
    assert cluster.json("job", "wait", job_id, timeout=60)["result"]["sha256"] == SUM_100000
    cluster.ok("down", "--dir", "up")
    wait_for(lambda: not harness.marked_pids(cluster.mark), 5, "nothing is left running")


# --- half of them are down ---

def test_three_of_six_take_no_job_and_one_more_goes_on_by_itself_R27(make_cluster):
    cluster = make_cluster(delay="20ms", voters=6).start()
    status = cluster.wait_healthy()
    running = cluster.start_conclave("submit", "factorial", 20000, "--json")
    wait_done(cluster, 20000, 0.1)
    old = status["coordinator"]
    down = [old, *[node for node in range(1, 7) if node != old][:2]]
    for node in down:
        cluster.kill(cluster.nodes[node])
    wait_for(lambda: not cluster.status()["coordinator"], what="nobody coordinates")
    began = time.monotonic()
    refused = cluster.conclave("submit", "factorial", 10)
    assert refused.returncode == UNREACHABLE
    assert "3 of 6 nodes are alive, 4 needed" in refused.stderr
    assert time.monotonic() - began < seconds(10)
    late = cluster.conclave("submit", "factorial", 10, "--timeout", "1s")
    assert late.returncode == TIMEOUT and "3 of 6 nodes are alive, 4 needed" in late.stderr
    assert cluster.conclave("check").returncode == UNREACHABLE
    waiting = cluster.start_conclave("submit", "factorial", 12, "--json")
    assert running.poll() is None and waiting.poll() is None
    cluster.start_node(down[1])
    # Nobody is asked twice: both clients go on by themselves.
    assert finish(waiting)["result"]["text"] == "479001600"
    assert finish(running)["result"]["sha256"] == \
        hashlib.sha256(factorial_digits(20000).encode()).hexdigest()
    # The refused submits left no job behind.
    assert [job["spec"] for job in cluster.json("job", "list")] == ["20000", "12"]
    for node in (down[0], down[2]):
        cluster.start_node(node)
    cluster.wait_healthy()
