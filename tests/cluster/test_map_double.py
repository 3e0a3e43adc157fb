"""`conclave map` and the commands that look at its jobs, as people see them. The cluster is a double that keeps to
docs/protocol.md: tasks end in whatever order a test wants."""
import json
import signal

import pytest

import harness
import tasks_double
from harness import CANCELLED, FAILED, NOT_FOUND, OK, TIMEOUT, USAGE
from test_inputs import Client


@pytest.fixture
def cluster():
    running = []

    def start(**how):
        ports = harness.Ports(1, 1)
        one = tasks_double.Double(ports.base, **how)
        running.append((one, ports))
        one.start()
        return Client(one)
    yield start
    for one, ports in running:
        one.close()
        ports.release()


def some_fail(task, inputs, nth):
    """Task 2 fails in the first job, and in no later one."""
    if task == 2 and nth == 1:
        return {"state": "failed", "exit": 3, "attempts": 2, "out": b"half", "err": b"x\nrun: bad header\n"}
    return {"state": "done", "out": b"%d:" % nth + b" ".join(inputs) + b"\n"}


def backwards(tasks):
    return sorted(tasks, reverse=True)


def test_outputs_come_in_the_order_of_the_inputs_whatever_ends_first(cluster):
    client = cluster(order=backwards)
    code, out, errors = client.run("map", "echo", "{}", ":::", "a", "b c", "d", "e")
    assert (code, out) == (OK, "a\nb c\nd\ne\n")
    assert errors == "conclave: 1-2000: 4 of 4 done\n"
    assert client.double.gets == 4  # each segment once
    code, out, errors = client.run("map", "-u", "echo", "{}", ":::", "a", "b c", "d", "e")
    assert (code, out) == (OK, "e\nd\nb c\na\n")
    assert client.run("map", "--tag", "echo", "{}", ":::", "a", "b c")[1] == "a\ta\nb c\tb c\n"
    assert client.run("map", "echo", stdin=b"x\ny\n")[1] == "x\ny\n"


def test_what_is_read_first_is_written_while_the_job_runs(cluster):
    client = cluster(stuck=2)
    process = client.start("map", "echo", "{}", ":::", "one", "two", "three")
    assert process.stdout.readline() == b"one\n"
    assert process.stdout.readline() == b"two\n"
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=harness.seconds(30))
    assert (process.returncode, out) == (130, b"")
    assert errors.startswith(b"conclave: job 1-2000 continues; ") and b"job cancel 1-2000" in errors
    assert client.ok("job", "output", "1-2000") == "one\ntwo\n"


def test_a_job_outlives_the_timeout_of_its_command(cluster):
    client = cluster(stuck=1)
    code, out, errors = client.run("map", "--timeout", "2s", "echo", ":::", "a", "b")
    assert (code, out) == (TIMEOUT, "a\n")
    assert "job 1-2000 continues" in errors


def test_the_same_list_is_sent_once_and_a_key_makes_it_the_same_job(cluster):
    client = cluster()
    for _ in range(2):
        client.ok("map", "echo", ":::", "a", "b")
    assert client.double.puts == 1 and len(client.double.map_jobs) == 2
    assert client.ok("map", "--no-wait", "--key", "k", "echo", ":::", "a") == "1-2002\n"
    assert client.ok("map", "--no-wait", "--key", "k", "echo", ":::", "a") == "1-2002\n"
    code, _, errors = client.run("map", "--no-wait", "--key", "k", "echo", ":::", "b")
    assert code == USAGE and "the key belongs to another job: 1-2002" in errors
    assert len(client.double.map_jobs) == 3


def test_what_a_job_is_asked_for_reaches_the_cluster(cluster):
    client = cluster()
    client.ok("map", "--retries", "2", "--retry-delay", "3s", "--time-limit", "5m", "--max-fails", "10%", "--name", "clean",
              "--env", "A=b", "--", "./clean.sh", "{}", ":::", "x")
    submit, = client.double.submits
    assert submit["tasks"] == [{"retries": 2, "retry_delay_ms": 3000, "time_limit_ms": 300000, "max_fails_percent": 10,
                                "bundles": True}]
    spec, = [job.spec for job in client.double.map_jobs.values()]
    assert [word["text"] for word in spec["argv"]] == [b"./clean.sh", b"{}"]
    assert (spec["name"], spec["over"], spec["env"]) == ("clean", "inputs", [{"name": b"A", "value": b"b"}])
    client.ok("map", "--at-most-once", "--max-fails", "3", "true", ":::", "x")
    assert client.double.submits[1]["tasks"][0].items() >= {"max_fails": 3, "at_most_once": True}.items()
    shown = client.ok("job", "show", "1-2000")
    assert "job spec    map ./clean.sh {} over 1 inputs\n" in shown and "name        clean\n" in shown
    assert "a task: median 0.400s, p90 0.400s, max 0.400s; CPU 0.001s\noutput      stdout 2 B, stderr 0 B\n" in shown
    assert "map ./clean.sh x1 " in client.ok("job", "list")
    assert client.ok("job", "explain", "1-2000") == \
        "job 1-2000, map ./clean.sh {} over 1 inputs, is done\nqueued:  no worker\n"


def test_tasks_that_fail_are_told_in_all_views(cluster, tmp_path):
    client = cluster(ends=some_fail)
    log = tmp_path / "log"
    code, out, errors = client.run("map", "--joblog", log, "./run", "{}", ":::", "a", "b", "c")
    assert (code, out) == (FAILED, "1:a\nhalf1:c\n")
    assert errors == ("conclave: 1-2000: 2 of 3 done, 1 failed; `conclave job tasks 1-2000 --failed`, "
                      "`conclave job retry 1-2000`\n")
    table = client.ok("job", "tasks", "1-2000", "--failed").splitlines()
    assert table[0].split() == "TASK STATE INPUT NODE TRY ENDED BY TIME LAST OF STDERR".split()
    assert table[1].split() == "2 failed b 2 2 exit 3 0.4s run: bad header".split() and len(table) == 2
    rows = [json.loads(line) for line in client.ok("job", "tasks", "1-2000", "--json").splitlines()]
    assert [(row["task"], row["state"], row["input"], row["exit"]) for row in rows] == \
        [(1, "done", "a", 0), (2, "failed", "b", 3), (3, "done", "c", 0)]
    assert rows[1]["stdout"]["bytes"] == 4 and not rows[1]["stdout"]["cut"]
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    assert lines[0] == "Seq Host Starttime JobRuntime Send Receive Exitval Signal Command".split()
    assert [(line[0], line[1], line[6], line[8]) for line in lines[1:]] == \
        [("1", "node2", "0", "./run a"), ("2", "node2", "3", "./run b"), ("3", "node2", "0", "./run c")]
    assert client.ok("job", "log", "1-2000") == log.read_text()
    assert client.ok("job", "output", "1-2000", "--stderr") == "x\nrun: bad header\n"
    assert client.ok("job", "output", "1-2000", "--task", "2-3", "--tag") == "b\thalf\nc\t1:c\n"
    assert client.run("job", "tasks", "1-2000", "--task", "4")[0] == NOT_FOUND
    code, out, errors = client.run("job", "result", "1-2000")
    assert (code, out) == (FAILED, "1:a\n1:c\n") and "1 of 3 tasks" in errors
    assert "  1 failed\n" in client.ok("job", "list")
    job = json.loads(client.run("map", "--json", "./run", ":::", "x")[1])
    assert job["schema"] == 1 and job["tasks"]["done"] == 1 and job["parent"] is None


def test_a_retry_executes_what_is_not_done_and_its_result_is_whole(cluster):
    client = cluster(ends=some_fail)
    assert client.run("map", "--retries", "1", "./run", "{}", ":::", "a", "b", "c")[0] == FAILED
    assert client.ok("job", "retry", "1-2000", "--time-limit", "20m") == "1-2001\n"
    submit = client.double.submits[1]
    assert submit["parent"] == 1 << 40 | 2000 and submit["tasks"][0]["time_limit_ms"] == 1200000
    assert submit["tasks"][0]["retries"] == 1
    client.ok("job", "output", "1-2001", "--follow")
    assert client.ok("job", "result", "1-2001") == "1:a\n2:b\n1:c\n"
    assert client.ok("job", "output", "1-2001") == "2:b\n"
    assert client.ok("job", "output", "1-2001", "--merged") == "1:a\n2:b\n1:c\n"
    code, _, errors = client.run("job", "retry", "1-2001")
    assert code == USAGE and errors == "conclave: all tasks of job 1-2001 are done\n"


def test_a_directory_is_completed(cluster, tmp_path):
    client = cluster(ends=some_fail)
    out = tmp_path / "out"
    assert client.run("map", "--dir", out, "./run", "{}", ":::", "a", "b")[:2] == (FAILED, "")
    assert sorted(path.name for path in out.iterdir()) == ["1.out", "2.err", "2.out", "joblog.tsv"]
    assert (out / "1.out").read_text() == "1:a\n" and (out / "2.err").read_text().endswith("bad header\n")
    (out / "1.out").unlink()
    code, _, errors = client.run("job", "output", "1-2000", "--dir", out)
    assert code == OK and "1 file is written" in errors and "2 were there" in errors
    assert (out / "1.out").read_text() == "1:a\n"


def test_details_that_are_wrong_are_not_shown(cluster):
    client = cluster(rots=lambda n: n == 2)
    code, out, errors = client.run("map", "echo", ":::", "a", "b", "c")
    assert (code, out) == (FAILED, "a\n")
    assert errors.splitlines()[0] == "conclave: details of tasks differ from their SHA-256" and "continues" in errors


def test_outputs_that_were_cut_are_marked(cluster):
    client = cluster(kept_bytes=3)
    assert client.ok("map", "echo", ":::", "abcdef") == "abc"
    row = json.loads(client.ok("job", "tasks", "1-2000", "--json"))
    assert row["stdout"]["cut"] and row["stdout"]["bytes"] == 7


def test_large_outputs_in_many_segments_are_whole(cluster):
    def ends(task, _inputs, _nth):
        return {"state": "done", "out": b"%d" % task * 20000 + b"\n"}
    client = cluster(ends=ends, order=backwards, step=40)
    out = client.ok("map", "run", "--array", "1-300")
    assert out == "".join(f"{task}" * 20000 + "\n" for task in range(1, 301)).replace("\n", "\n")
    assert client.ok("job", "result", "1-2000") == out


def test_a_cancelled_job_ends_its_map_with_5(cluster):
    client = cluster(stuck=1)
    process = client.start("map", "echo", ":::", "a", "b", "c")
    assert process.stdout.readline() == b"a\n"
    client.ok("job", "cancel", "1-2000")
    out, errors = process.communicate(timeout=harness.seconds(30))
    assert (process.returncode, out) == (CANCELLED, b"")
    assert errors == b"conclave: 1-2000: 1 of 3 done, 2 cancelled\n"


@pytest.mark.parametrize("words, said", [
    (["--files", "*", "--upload", "x", "--", "cat"], "--files: x has no place beside the upload x"),
    (["--upload", "y", "cat", ":::", "a"], "--upload: y cannot be read"),
    (["--json", "--tag", "cat", ":::", "a"], "--tag"),
    (["--no-wait", "--tag", "cat", ":::", "a"], "--tag")])
def test_what_is_not_possible_is_said_before_anything_is_sent(cluster, tmp_path, words, said):
    client = cluster()
    (tmp_path / "x").write_text("x")
    code, out, errors = client.run("map", *words, cwd=tmp_path)
    assert (code, out) == (USAGE, "") and said in errors and errors.count("\n") == 1
    assert not client.double.values and not client.double.submits


def test_jobs_with_operations_have_no_tasks(cluster):
    client = cluster()
    client.ok("submit", "product", "2", "3")
    code, _, errors = client.run("job", "tasks", "1-1000")
    assert code == USAGE and "operations, not tasks" in errors
    code, _, errors = client.run("submit", "map", "1", "1", "100")
    assert code == USAGE and "`conclave map`" in errors


def test_nothing_is_lost_when_the_upload_meets_a_new_coordinator(cluster):
    client = cluster(fall=lambda n: n == 1, step=100)
    out = client.ok("map", "echo", "--array", "1-100")
    assert out == "".join(f"{n}\n" for n in range(1, 101))
    assert client.double.term == 2


def test_a_terminal_sees_a_bar(cluster):
    assert cluster().terminal("map", "echo", ":::", "a", "b") == "a\nb\n"
