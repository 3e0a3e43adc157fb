"""Values that only the worker that made them holds: it dies, or the coordinator does, and the digits are right."""
import signal

import pytest

import harness
from harness import OK, wait_for

# Values of some MB, a second or two of work.
JOBS = pytest.mark.parametrize("job", [(2_000_000, "--plan", "tree"), (6_000_000, "--plan", "primes")],
                               ids=["tree", "primes"])


def undisturbed(cluster, job):
    done = cluster.submit(*job, timeout=120)
    assert done["state"] == "done"
    return done["result"]["sha256"]


def prepare(make_cluster, nodes, job):
    """A cluster with the id of its coordinator, the digits of the job, and where the feed is before it is asked for again."""
    cluster = make_cluster(nodes=nodes).start()
    status = cluster.wait_healthy(20)
    return cluster, status["coordinator"], undisturbed(cluster, job), cluster.feed.mark()


def no_job_failed(cluster, since):
    return not [m for m in cluster.feed.messages[since:] if m.get("event") == "job_failed"]


def wait_held(feed, since, but):
    """The node, not `but`, that holds the most, once that is more than 1 MiB."""
    return wait_for(lambda: feed.holds_most(since, but), 30, "somebody holds more than 1 MiB")[0]


def run_and(cluster, job, disturb):
    """The job as it ends when `disturb` has done its work in its midst."""
    client = cluster.start_conclave("submit", "factorial", *job, "--json", "--timeout", "2m")
    disturb()
    out, err = client.communicate(timeout=harness.seconds(120))
    assert client.returncode == OK, err
    return harness.json.loads(out)


def kill_what_holds(cluster, job, coordinator, digits):
    """Kills the node that holds the most while a job runs; the job as it is shown afterwards, and the node."""
    since, killed = cluster.feed.mark(), []

    def kill():
        node = wait_held(cluster.feed, since, coordinator)
        killed.append(node)
        cluster.nodes[node].send_signal(signal.SIGKILL)
        cluster.nodes[node].wait()
    done = run_and(cluster, job, kill)
    assert done["result"]["sha256"] == digits
    total = done["operations"]["total"]
    assert done["operations"]["done"] == total
    # What it held is made again, and nothing else: far less than the whole.
    assert total <= done["operations"]["executed"] < 2 * total
    assert no_job_failed(cluster, since)
    return cluster.json("job", "show", done["id"]), killed[0]


@JOBS
def test_the_worker_that_holds_the_most_is_killed_T10(make_cluster, job):
    cluster, coordinator, digits, _ = prepare(make_cluster, 6, job)
    for _ in range(3):  # what it held may have gone to others between its heartbeat and its end
        shown, node = kill_what_holds(cluster, job, coordinator, digits)
        if "losses" in shown:
            break
        cluster.start_node(node)
        coordinator = cluster.wait_healthy(20)["coordinator"]
    # `job show` says so: which node's end it was, and what it cost.
    assert [loss["node"] for loss in shown["losses"]] == [node]
    loss = shown["losses"][0]
    assert loss["values"] > 0 and loss["computing_us"] > 0
    assert 0 < loss["operations"] < shown["operations"]["total"]
    text = cluster.ok("job", "show", shown["id"])
    assert f"node {node} was lost with {loss['values']} values that it alone held: " \
           f"{loss['operations']} operations computed again" in text


@JOBS
def test_the_coordinator_is_killed_while_others_hold_values_T10(make_cluster, job):
    cluster, coordinator, digits, since = prepare(make_cluster, 5, job)

    def kill():
        wait_held(cluster.feed, since, coordinator)
        cluster.nodes[coordinator].send_signal(signal.SIGKILL)
    done = run_and(cluster, job, kill)
    assert done["result"]["sha256"] == digits
    assert done["operations"]["done"] == done["operations"]["total"]


@JOBS
def test_the_coordinator_is_killed_after_a_worker_was_lost_T10(make_cluster, job):
    """What was to be made again is forgotten with who knew of it: the next coordinator finds out for itself."""
    cluster, coordinator, digits, since = prepare(make_cluster, 6, job)

    def kill():
        node = wait_held(cluster.feed, since, coordinator)
        for victim in (node, coordinator):
            cluster.nodes[victim].send_signal(signal.SIGKILL)
        cluster.nodes[node].wait()
        cluster.start_node(node)  # of six, four are needed: another may fail
    done = run_and(cluster, job, kill)
    assert done["result"]["sha256"] == digits
    assert done["operations"]["done"] == done["operations"]["total"]
    assert no_job_failed(cluster, since)
