"""Issue 2: "200 jobs submitted at once from 4 clients", "a cluster of 3, one of 9 and one of 25", and
the ways to submit and to wait."""
import json
import math
import re
import time

import pytest

import harness
from harness import CANCELLED, FAILED, NOT_FOUND, OK, TIMEOUT, USAGE, seconds, wait_for


def test_200_jobs_at_once_from_4_clients_all_finish_right(cluster):
    before = {job["id"] for job in cluster.json("job", "list")}
    clients = []
    for client in range(4):
        path = cluster.dir / f"jobs{client}"
        path.write_text("".join(f"factorial {client * 50 + i}\n" for i in range(50)))
        clients.append(cluster.start_conclave("submit", "--file", path, "--json"))
    for client, process in enumerate(clients):
        out, err = process.communicate(timeout=seconds(60))
        assert process.returncode == OK, err
        jobs = [json.loads(line) for line in out.splitlines()]
        assert [job["spec"] for job in jobs] == [str(client * 50 + i) for i in range(50)]
        for job in jobs:
            assert job["result"]["text"] == str(math.factorial(int(job["spec"])))
    listed = [job for job in cluster.json("job", "list") if job["id"] not in before]
    assert len(listed) == 200
    assert {job["spec"] for job in listed} == {str(n) for n in range(200)}
    assert {job["state"] for job in listed} == {"done"}
    rows = cluster.ok("job", "list").splitlines()
    assert all(any(row.startswith(job["id"] + " ") for row in rows) for job in listed)


def test_50_separate_processes_at_once(cluster):
    clients = [cluster.start_conclave("submit", "factorial", n) for n in range(50)]
    for n, client in enumerate(clients):
        out, err = client.communicate(timeout=seconds(60))
        assert (client.returncode, out) == (OK, f"{n}!={math.factorial(n)}\n"), err


@pytest.mark.parametrize("nodes", [3, 9])  # 25: test_wide.py
def test_a_cluster_of_this_size_works(make_cluster, nodes):
    cluster = make_cluster(nodes=nodes)
    up = cluster.json("up", "--detach", "--nodes", nodes, "--dir", "up", "--port", cluster.port, timeout=60)
    assert up["nodes"] == nodes and 1 <= up["coordinator"] <= nodes
    status = cluster.wait_healthy(30)
    assert len(status["nodes"]) == nodes and status["quorum"] == min(nodes, 5) // 2 + 1
    job = cluster.submit(1000)
    assert job["result"]["digits"] == len(str(math.factorial(1000)))
    assert cluster.ok("job", "result", job["id"]).strip() == str(math.factorial(1000))
    used = set()

    def all_are_used():
        """On two cores: one that got no processor for a moment gets operations of the next job."""
        job = cluster.submit(2000)
        used.update(op["node"] for op in cluster.json("job", "show", job["id"], "--ops")["trace"])
        return used >= set(range(1, nodes + 1)) - {cluster.status()["coordinator"]}
    wait_for(all_are_used, 30, "every worker has executed something")
    cluster.ok("down", "--dir", "up")


def test_a_cluster_of_one_elects_itself_and_refuses_what_it_cannot_compute(make_cluster):
    cluster = make_cluster(nodes=1).start()
    assert cluster.wait_served()["coordinator"] == 1
    refused = cluster.conclave("submit", "factorial", 10)
    assert refused.returncode == USAGE and refused.stdout == ""
    assert refused.stderr.count("\n") == 1 and "no worker" in refused.stderr
    assert cluster.json("job", "list") == []


# --- ways to submit ---

def test_no_wait_prints_the_id_and_wait_the_result(cluster):
    job = cluster.ok("submit", "factorial", 30, "--no-wait")
    assert re.fullmatch(r"\d+-\d+\n", job)
    job = job.strip()
    assert cluster.ok("job", "wait", job) == f"30!={math.factorial(30)}\n"
    assert cluster.json("job", "wait", job) == cluster.json("job", "show", job)
    assert cluster.ok("job", "result", job) == f"{math.factorial(30)}\n"


def test_the_same_key_is_the_same_job(cluster):
    first = cluster.submit(31, "--key", "the-key")
    second = cluster.submit(31, "--key", "the-key")
    assert first == second and first["key"] == "the-key"
    other = cluster.conclave("submit", "factorial", 32, "--key", "the-key")
    assert other.returncode == 2 and "key" in other.stderr and not other.stdout


def test_jobs_come_from_a_file_or_from_stdin(cluster):
    text = "# three jobs\nfactorial 5\n\n  factorial   6   # the second\nfactorial 7\n"
    (cluster.dir / "jobs").write_text(text)
    expected = "5!=120\n6!=720\n7!=5040\n"
    assert cluster.ok("submit", "--file", "jobs") == expected
    assert cluster.ok("submit", "--file", "-", input=text) == expected
    assert cluster.ok("submit", "-", input=text) == expected
    assert cluster.ok("submit", "-", input="") == ""
    assert cluster.ok("submit", "-", input="factorial 3") == "3!=6\n"  # no line end at the end


def test_nothing_of_a_file_with_a_wrong_line_is_submitted(cluster):
    before = len(cluster.json("job", "list"))
    (cluster.dir / "wrong").write_text("factorial 5\nfactorial x\nfactorial 7\n")
    done = cluster.conclave("submit", "--file", "wrong")
    assert done.returncode == 2 and not done.stdout
    assert "2" in done.stderr and "'x'" in done.stderr
    assert len(cluster.json("job", "list")) == before


def test_follow_reads_a_file_as_it_grows(cluster):
    path = cluster.dir / "growing"
    path.write_text("factorial 5\n")
    client = cluster.start_conclave("submit", "--file", path, "--follow")
    assert client.stdout.readline() == "5!=120\n"
    with open(path, "a", encoding="ascii") as file:
        for n in (6, 7):
            file.write(f"factorial {n}\n")
            file.flush()
            assert client.stdout.readline() == f"{n}!={math.factorial(n)}\n"
        # A line that is not whole yet is not read yet.
        file.write("factor")
        file.flush()
        file.write("ial 8\n")
        file.flush()
        assert client.stdout.readline() == "8!=40320\n"
    client.terminate()
    client.wait(seconds(5))


def test_many_jobs_follow_each_other_through_one_client(cluster):
    text = "".join(f"factorial {n % 40}\n" for n in range(1000))
    out = cluster.ok("submit", "-", input=text, timeout=60).splitlines()
    assert out == [f"{n % 40}!={math.factorial(n % 40)}" for n in range(1000)]


# --- a job that takes long ---

@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """A cluster whose workers hold every result back."""
    yield from harness.healthy(tmp_path_factory.mktemp("slow"), delay="200ms", log_level="debug")


def test_delay_holds_every_result_back(slow):
    began = time.monotonic()
    assert slow.ok("submit", "factorial", 10) == "10!=3628800\n"
    took = time.monotonic() - began
    assert took >= 0.6  # R1..R3 at once, R4, the conversion
    assert took < seconds(3)


def test_assignments_are_logged_one_by_one_at_debug(slow):
    slow.ok("submit", "factorial", 10)
    log = "".join((slow.dir / f"node{i}.log").read_text() for i in slow.nodes)
    for operation in ("R1=10*9*8*7", "R2=6*5*4*3", "R3=2*1", "R4=R1*R2*R3"):
        assert re.search(rf": W[1-6] {re.escape(operation)}$", log, re.M), operation


def test_a_running_job_is_shown_explained_and_cancelled(slow):
    job = slow.ok("submit", "factorial", 3000, "--no-wait").strip()
    shown = wait_for(lambda: (s := slow.json("job", "show", job))["state"] == "running" and s,
                     what="the job runs")
    assert shown["result"] is None and shown["finished"] is None
    assert shown["operations"]["done"] < shown["operations"]["total"]
    assert slow.ok("job", "explain", job).strip()
    waiting = slow.start_conclave("job", "wait", job)
    assert slow.conclave("job", "cancel", job).returncode == OK
    out, err = waiting.communicate(timeout=seconds(5))
    assert waiting.returncode == CANCELLED and not out and "cancelled" in err
    shown = slow.json("job", "show", job)
    assert shown["state"] == "cancelled" and shown["result"] is None and shown["finished"]
    assert slow.conclave("job", "wait", job).returncode == CANCELLED
    done = slow.conclave("job", "result", job)
    assert done.returncode == CANCELLED and not done.stdout
    # Its workers are free for others at once.
    wait_for(lambda: all(n["assigned"] == 0 for n in slow.status()["nodes"]),
             what="nothing of it is assigned")
    assert slow.ok("submit", "factorial", 5) == "5!=120\n"


def test_a_submit_whose_job_is_cancelled_exits_with_5(slow):
    client = slow.start_conclave("submit", "factorial", 3001)
    job = wait_for(lambda: next((j["id"] for j in slow.json("job", "list")
                                 if j["spec"] == "3001"), None), what="the job is listed")
    slow.ok("job", "cancel", job)
    out, err = client.communicate(timeout=seconds(5))
    assert client.returncode == CANCELLED and not out and "cancelled" in err


def test_cancelling_a_finished_job_changes_nothing(slow):
    job = slow.submit(5)
    done = slow.conclave("job", "cancel", job["id"])
    assert done.returncode == FAILED and not done.stdout
    assert job["id"] in done.stderr and "finished" in done.stderr
    assert slow.json("job", "show", job["id"]) == job


def test_a_timeout_exits_with_4_and_the_job_goes_on(slow):
    began = time.monotonic()
    done = slow.conclave("submit", "factorial", 60, "--timeout", "300ms")
    assert done.returncode == TIMEOUT and not done.stdout
    assert time.monotonic() - began < seconds(2)
    job = next(j for j in slow.json("job", "list") if j["spec"] == "60")
    assert job["id"] in done.stderr
    assert slow.ok("job", "wait", job["id"]) == f"60!={math.factorial(60)}\n"


def test_jobs_share_the_workers(slow):
    """A short job is not stuck behind a long one."""
    long = slow.ok("submit", "factorial", 4000, "--no-wait").strip()
    assert slow.ok("submit", "factorial", 4, timeout=20) == "4!=24\n"
    assert slow.json("job", "show", long)["state"] == "running"
    slow.ok("job", "cancel", long)


def test_an_unknown_job_is_not_found(cluster):
    for command in ("show", "wait", "result", "cancel", "explain"):
        done = cluster.conclave("job", command, "1-999999")
        assert done.returncode == NOT_FOUND and not done.stdout
        assert len(done.stderr.splitlines()) == 1 and "1-999999" in done.stderr
