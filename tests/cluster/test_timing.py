"""Where the time of a job goes (`job show --timing`), and that no healthy operation is given to a second worker."""
import signal

from datetime import datetime

import harness
from harness import OK, wait_for

PHASES = ("computing", "converting", "moving", "keeping", "planning", "waiting", "announcing", "earlier")


def timing(cluster, job):
    """The job as `job show --timing` tells it, and its phases in microseconds."""
    shown = cluster.json("job", "show", job, "--timing")
    told = shown["timing"]
    assert set(told) == {"total_us", "since"} | {f"{phase}_us" for phase in PHASES}
    assert told["total_us"] == sum(told[f"{phase}_us"] for phase in PHASES)
    return shown, told


def lasted_us(shown):
    submitted, finished = (datetime.fromisoformat(shown[it].replace("Z", "+00:00")) for it in ("submitted", "finished"))
    return (finished - submitted).total_seconds() * 1e6


def test_the_phases_of_a_job_add_up_to_its_time(cluster):
    """Neither less than what the log says, which ends before the last entry is committed, nor more than the client saw."""
    term = cluster.wait_healthy()["term"]
    for n in (10, 20000, 200000):
        job = cluster.submit(n)
        shown, told = timing(cluster, job["id"])
        assert cluster.status()["term"] == term and told["since"] is None
        assert told["earlier_us"] == 0
        assert told["computing_us"] > 0 and told["announcing_us"] > 0
        assert lasted_us(shown) - 2000 <= told["total_us"]
        # The last entry is an announcement: all that the account knows beyond the log.
        assert told["total_us"] - told["announcing_us"] <= lasted_us(shown) + 2000
    assert told["converting_us"] > 0 and told["keeping_us"] > 0  # a text of a million digits


def test_the_lines_say_the_same_and_a_job_without_an_account_says_so(cluster):
    cluster.wait_healthy()
    job = cluster.submit(1000)
    lines = cluster.ok("job", "show", job["id"], "--timing").splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("time "))
    seconds = {line.split()[0]: float(line.split()[1]) for line in lines[at + 1:at + 1 + len(PHASES)]}
    assert tuple(seconds) == PHASES
    assert abs(sum(seconds.values()) - float(lines[at].split()[1])) <= 0.001 * len(PHASES)
    assert "timing" not in cluster.json("job", "show", job["id"])


def test_a_delay_is_computing_and_a_job_behind_another_waits(make_cluster):
    """Each operation takes 300 ms on the one worker; the second job has to wait for the first."""
    cluster = make_cluster(nodes=2, delay="300ms")
    cluster.start()
    cluster.wait_healthy()
    running = [cluster.start_conclave("submit", "factorial", "10", "--key", key) for key in ("a", "b")]
    for it in running:
        assert it.wait(harness.seconds(30)) == OK
    told = [timing(cluster, row["id"])[1] for row in cluster.json("job", "list")]
    for it in told:  # four products and a conversion; what is executed of the other one meanwhile is no time of its own
        assert it["computing_us"] >= 1_000_000 and it["converting_us"] >= 250_000
        assert it["total_us"] >= 1_500_000 - 2000
    assert sum(it["waiting_us"] for it in told) >= 1_000_000


def test_a_new_coordinator_says_since_when_it_knows(make_cluster):
    cluster = make_cluster(nodes=3, delay="100ms")
    cluster.start()
    status = cluster.wait_healthy()
    job = cluster.conclave("submit", "factorial", "200", "--no-wait", "--json")
    assert job.returncode == OK
    first = cluster.json("job", "list")[0]["id"]
    done = cluster.submit(4)
    cluster.kill_coordinator(status)
    wait_for(lambda: (cluster.json("job", "show", first)["state"] == "done") or None, 60, "the job ends")
    _shown, told = timing(cluster, first)
    assert told["earlier_us"] > 0 and told["since"]
    assert cluster.json("job", "show", done["id"], "--timing")["timing"] is None
    assert "known since" in cluster.ok("job", "show", first, "--timing")
    assert "not known" in cluster.ok("job", "show", done["id"], "--timing")


def test_no_healthy_operation_is_copied_whatever_its_size(make_cluster):
    """Small jobs, then larger ones: the last conversion takes a thousand times as long as the first ones."""
    cluster = make_cluster()
    cluster.start()
    cluster.wait_healthy()
    for n in (10, 100, 10, 1000, 300000, 10, 5000, 500000, 2000000):
        assert cluster.submit(n, timeout=100)["state"] == "done"
    status = cluster.status()
    assert status["copied"] == status["reassigned"] == 0
    assert not [m for m in cluster.feed.messages if m.get("event") in ("overtaking", "overdue")]


def test_what_a_stopped_worker_executes_is_copied_at_once_T9(make_cluster):
    """T9: long before its heartbeats have been missing for so long that it counts as dead, its operation runs elsewhere."""
    cluster = make_cluster(nodes=4, delay="200ms", election_timeout="5s")
    cluster.start()
    cluster.wait_healthy(40)
    cluster.submit(10)
    client = cluster.start_conclave("submit", "factorial", "200", "--json")

    def busy():
        status = cluster.status()
        rows = [it for it in (status or {}).get("nodes", []) if it["role"] == "worker" and it["assigned"]]
        return rows[0]["id"] if len(rows) == 3 else None
    victim = wait_for(busy, 20, "all workers are busy")
    mark = cluster.feed.mark()
    harness.send_signal(cluster.nodes[victim].pid, signal.SIGSTOP)
    try:
        copied = cluster.feed.wait(lambda m: m.get("event") == "overtaking" and m["subject"] == victim, 40,
                                   "its operation is given to another worker", since=mark)
        assert copied["text"].startswith(f"node {victim} takes long over"), copied["text"]
        told = [m["event"] for m in list(cluster.feed.messages) if m.get("subject") == victim and m.get("event")]
        assert "node_suspected" not in told[:told.index("overtaking")]
        assert client.wait(harness.seconds(60)) == OK
    finally:
        harness.send_signal(cluster.nodes[victim].pid, signal.SIGCONT)
    assert cluster.status()["copied"] >= 1
