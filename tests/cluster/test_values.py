"""Values on disk: large results while followers are stopped, files that rot or vanish, and what is collected."""
import hashlib
import os
import random
import signal
import time

import pytest

import harness
from harness import OK, factorial_digits, seconds, wait_for

SUM_20000 = hashlib.sha256(factorial_digits(20000).encode()).hexdigest()


def applied(status):
    return {row["id"]: row["applied"] for row in status["nodes"]}


def all_level(cluster):
    status = cluster.status()
    return status and status["coordinator"] and len(set(applied(status).values())) == 1 and status


def files(cluster, node):
    return sorted(p.name for p in (cluster.dir / f"node{node}" / "values").iterdir())


def file_of(cluster, node, job):
    """The file of a job's result."""
    return next(p for p in (cluster.dir / f"node{node}" / "values").glob(f"{job['id']}-*"))


def large_jobs(cluster, name, n):
    path = cluster.dir / name
    path.write_text("".join(f"factorial {19000 + i % 1000}\n" for i in range(n)))
    return path


def pause_followers(cluster, rnd, until):
    """Stops one follower after another, as a loaded machine does, while until() is false."""
    while not until():
        status = cluster.status()
        if not status or not status["coordinator"]:
            continue
        victim = cluster.nodes[rnd.choice([n for n in cluster.nodes if n != status["coordinator"]])]
        victim.send_signal(signal.SIGSTOP)
        try:
            ends = time.monotonic() + rnd.uniform(0.05, 0.4)
            wait_for(lambda: time.monotonic() > ends, 5)
        finally:
            victim.send_signal(signal.SIGCONT)


def is_idle(cluster):
    status = cluster.status()
    return status and status["coordinator"] and not status["jobs"]["running"] + status["jobs"]["queued"]


def run_large_results(cluster, n, rnd):
    """n large results with followers stopped at random; then all are level, and a minority may stop."""
    client = cluster.start_conclave("submit", "--file", large_jobs(cluster, "jobs", n), "--no-wait", "--timeout", "1h")
    pause_followers(cluster, rnd, lambda: client.poll() is not None)
    assert client.wait() == OK, client.stderr.read()
    def finished():
        status = cluster.status()
        return status and status["jobs"]["done"] >= n
    pause_followers(cluster, rnd, finished)
    status = wait_for(lambda: all_level(cluster), 30, "all nodes have applied the same")
    stopped = rnd.sample([node for node in cluster.nodes if node != status["coordinator"]],
                         (cluster.n_nodes - 1) // 2)
    for node in stopped:
        cluster.nodes[node].send_signal(signal.SIGSTOP)
    try:
        assert cluster.submit(20000)["result"]["sha256"] == SUM_20000
    finally:
        for node in stopped:
            cluster.nodes[node].send_signal(signal.SIGCONT)
    wait_for(lambda: all_level(cluster), 30, "those that were stopped have caught up")


@pytest.mark.alone
def test_no_follower_stays_behind_after_large_results_W1_W3(make_cluster):
    cluster = make_cluster(nodes=6).start()
    cluster.wait_healthy(20)
    run_large_results(cluster, 150, random.Random(3))


@pytest.mark.skipif(not os.environ.get("CONCLAVE_MANY_VALUES"), reason="make many-values")
def test_twenty_thousand_large_results_W1_W3(make_cluster):
    """CONCLAVE_MANY_VALUES large results; `make many-values` asks for 20,000."""
    signal.alarm(0)  # this one may take as long as it takes
    cluster = make_cluster(nodes=6).start()
    cluster.wait_healthy(20)
    rnd, left, began = random.Random(5), int(os.environ["CONCLAVE_MANY_VALUES"]), time.monotonic()
    done = 0
    while done < left:
        batch = min(1000, left - done)
        client = cluster.start_conclave("submit", "--file", large_jobs(cluster, "jobs", batch), "--no-wait",
                                        "--timeout", "1h")
        pause_followers(cluster, rnd, lambda: client.poll() is not None)
        assert client.wait() == OK, client.stderr.read()
        done += batch
        pause_followers(cluster, rnd, lambda: is_idle(cluster))
        wait_for(lambda: all_level(cluster), 60, "all nodes have applied the same")
        print(f"{done} results, {time.monotonic() - began:.0f} s, all level", flush=True)
    run_large_results(cluster, 1, rnd)


# --- rot ---

@pytest.mark.parametrize("fault", ["missing", "rotten", "short"])
def test_a_damaged_result_is_read_and_repaired_R37(make_cluster, fault):
    """The coordinator's file is damaged: `job result` has the digits all the same, and the file is sound again."""
    cluster = make_cluster(nodes=3).start()
    status = cluster.wait_healthy(20)
    job = cluster.submit(20000)
    wait_for(lambda: all_level(cluster), 10)
    path = file_of(cluster, status["coordinator"], job)
    sound = path.read_bytes()
    if fault == "missing":
        path.unlink()
    elif fault == "short":
        path.write_bytes(sound[:-1])
    else:
        path.write_bytes(sound[:30000] + b"x" + sound[30001:])
    digits = cluster.ok("job", "result", job["id"]).strip()
    assert hashlib.sha256(digits.encode()).hexdigest() == SUM_20000
    wait_for(lambda: path.exists() and path.read_bytes() == sound, 10, "the file is repaired")


def test_rot_is_found_before_it_is_needed_R37(make_cluster):
    """A follower's file, which nobody reads: the scrub finds it."""
    cluster = make_cluster(nodes=3).start()
    status = cluster.wait_healthy(20)
    job = cluster.submit(20000)
    wait_for(lambda: all_level(cluster), 10)
    path = file_of(cluster, next(n for n in cluster.nodes if n != status["coordinator"]), job)
    sound = path.read_bytes()
    path.write_bytes(b"x" + sound[1:])
    wait_for(lambda: path.read_bytes() == sound, 20, "the scrub has found it, and it is repaired")


def test_a_small_value_that_rots_in_the_store_is_repaired_R37(make_cluster):
    """It lies inside data.mdb: the node starts all the same, the scrub finds it, and another node's is written."""
    cluster = make_cluster(nodes=3).start()
    status = cluster.wait_healthy(20)
    cluster.submit(5000)
    wait_for(lambda: all_level(cluster), 10)
    digits = factorial_digits(5000).encode()
    node = next(n for n in cluster.nodes if n != status["coordinator"])
    cluster.kill(cluster.nodes[node], signal.SIGTERM)
    data = cluster.dir / f"node{node}" / "store" / "data.mdb"
    whole, middle = data.read_bytes(), digits[6000:6100]
    assert middle in whole, "the result is kept there"
    data.write_bytes(whole.replace(middle, b"x" + middle[1:]))
    cluster.start_node(node)
    cluster.wait_healthy(20)
    log = cluster.dir / f"node{node}.log"
    wait_for(lambda: "is repaired" in log.read_text(), 20, "the value is repaired")
    cluster.kill(cluster.nodes[node], signal.SIGTERM)
    assert middle in data.read_bytes()


# --- collection ---

def named(cluster):
    """The files that the state names: the results of jobs that are done."""
    jobs = cluster.json("job", "list")
    return sorted(f"{job['id']}-{job['operations']['total'] + 1}" for job in jobs
                  if job["state"] == "done" and job["result"]["digits"] > 65536)


def assert_collected(cluster, deadline=20):
    wanted = named(cluster)
    for node in cluster.nodes:
        wait_for(lambda n=node: files(cluster, n) == wanted, deadline,
                 f"node {node} has just the files that are named: {wanted}")


def test_only_what_the_state_names_stays_on_disk_W4(make_cluster):
    """After jobs that are done, cancelled, taken over by another coordinator, and after a wipe."""
    cluster = make_cluster(nodes=3).start()
    cluster.wait_healthy(20)
    for _ in range(2):
        cluster.submit(500000, timeout=120)
    assert_collected(cluster)
    # Cancelled when there are large values.
    client = cluster.start_conclave("submit", "factorial", 1000000)
    def far():
        jobs = cluster.json("job", "list")
        job = next((j for j in jobs if j["spec"] == "1000000"), None)
        return job and job["operations"]["done"] > 0.9 * job["operations"]["total"] and job
    job = wait_for(far, 60, "1000000! is almost done", pause=0.05)
    cluster.conclave("job", "cancel", job["id"])
    client.wait(seconds(60))
    assert_collected(cluster)
    # The coordinator dies in the middle of one.
    client = cluster.start_conclave("submit", "factorial", 600000)
    wait_for(lambda: any(j["spec"] == "600000" and j["operations"]["done"] > 1000
                         for j in cluster.json("job", "list")), 60)
    status = cluster.kill_coordinator()
    cluster.start_node(status["coordinator"])
    client.communicate(timeout=seconds(60))  # it prints millions of digits
    assert client.returncode == OK
    cluster.wait_healthy(20)
    assert_collected(cluster)
