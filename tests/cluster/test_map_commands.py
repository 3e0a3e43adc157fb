"""`conclave map` and what looks at its jobs, on real processes: what a user types, what comes back."""
import json
import signal

import pytest

import harness
from harness import CANCELLED, FAILED, OK

CLUSTER = {"nodes": 3, "slots": 2}


def job_of(errors):
    """The id in the last line of a map."""
    return errors.splitlines()[-1].split()[1].rstrip(":")


def test_outputs_come_back_in_the_order_of_the_inputs(cluster):
    done = cluster.conclave("map", "--sh", "sleep 0.$((9 - {#})); echo {} on $CONCLAVE_NODE", ":::", *"abcdefgh")
    assert done.returncode == OK, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == list("abcdefgh")
    assert done.stderr.endswith("8 of 8 done\n")
    many = cluster.conclave("map", "echo", "--array", "1-500")
    assert many.stdout == "".join(f"{n}\n" for n in range(1, 501))


def test_what_fails_is_listed_logged_and_tried_again(cluster, tmp_path):
    mark, log = tmp_path / "mark", tmp_path / "log"
    line = f"echo out {{}}; [ {{}} != b ] || [ -e {mark} ] || {{ echo 'run: bad header' >&2; exit 3; }}"
    done = cluster.conclave("map", "--retries", "1", "--retry-delay", "50ms", "--joblog", log, "--sh", line, ":::", *"abc")
    assert done.returncode == FAILED and done.stdout == "out a\nout b\nout c\n"
    job = job_of(done.stderr)
    assert f"2 of 3 done, 1 failed; `conclave job tasks {job} --failed`" in done.stderr
    failed, = cluster.ok("job", "tasks", job, "--failed").splitlines()[1:]
    assert failed.split()[:3] == ["2", "failed", "b"] and failed.endswith("run: bad header") and " exit 3 " in failed
    row = json.loads(cluster.ok("job", "tasks", job, "--json", "--task", "2"))
    assert row["attempt"] == 2 and row["exit"] == 3 and row["stdout"]["bytes"] == 6
    lines = [one.split("\t") for one in log.read_text().splitlines()]
    assert sorted((one[0], one[6]) for one in lines[1:]) == [("1", "0"), ("2", "3"), ("3", "0")]
    assert cluster.ok("job", "log", job).splitlines()[1:] == sorted(log.read_text().splitlines()[1:])
    mark.touch()
    again = cluster.ok("job", "retry", job).strip()
    cluster.ok("job", "wait", again)
    assert cluster.ok("job", "output", again) == "out b\n"
    assert cluster.ok("job", "result", again) == "out a\nout b\nout c\n"
    assert f"repeats     {job}, of whose tasks 2 were done" in cluster.ok("job", "show", again)


def test_some_tasks_are_tried_again_and_the_others_stay_as_they_are(cluster, tmp_path):
    mark = tmp_path / "mark"
    done = cluster.conclave("map", "--sh", f"echo {{}} >> {tmp_path}/{{}}; [ {{}} = a ] || [ -e {mark} ]", ":::", *"abcd")
    job = job_of(done.stderr)
    assert done.returncode == FAILED
    for words in ("--task", "5"), ("--task", "x"), ("--task", "0"):
        refused = cluster.conclave("job", "retry", job, *words)
        assert refused.returncode == harness.USAGE and refused.stderr.count("\n") == 1
    mark.touch()
    some = cluster.ok("job", "retry", job, "--task", "1-2,4").strip()
    assert cluster.conclave("job", "wait", some).returncode == FAILED
    assert cluster.json("job", "show", some)["tasks"] | {"done": 3, "failed": 1, "attempts": 2} == \
        cluster.json("job", "show", some)["tasks"]
    rest = cluster.ok("job", "retry", some).strip()
    cluster.ok("job", "wait", rest)
    assert [len((tmp_path / name).read_text().split()) for name in "abcd"] == [1, 2, 2, 2]
    assert [json.loads(line)["state"] for line in cluster.ok("job", "tasks", rest, "--merged", "--json").splitlines()] == \
        ["done"] * 4


def test_a_directory_holds_what_tasks_wrote(cluster, tmp_path):
    out = tmp_path / "out"
    cluster.ok("map", "--dir", out, "--sh", "echo {}; [ {} = a ] || echo {} >&2", ":::", "a", "b")
    assert sorted(path.name for path in out.iterdir()) == ["1.out", "2.err", "2.out", "joblog.tsv"]
    assert (out / "2.err").read_text() == "b\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_log_and_files_grow_while_the_job_runs_and_are_completed(cluster, tmp_path, number):
    mark, log, out = (tmp_path / name for name in ("mark", "log", "out"))
    line = f"echo {{}} | tee {{}}.txt; [ {{}} = a ] || while [ ! -e {mark} ]; do sleep 0.1; done"
    log.write_text("of another run\n")
    process = cluster.start_conclave("map", "--joblog", log, "--dir", out, "--collect", "*.txt", "--sh", line, ":::", *"ba")
    harness.wait_for(lambda: log.read_text().count("\n") == 2, 20, "one task has ended")
    head, ended = log.read_text().splitlines()
    assert head.startswith("Seq\tHost\t") and ended.split("\t")[0] == "2"

    def files():
        return {str(path.relative_to(out)): path.read_text() for path in out.rglob("*") if path.is_file()}
    before = {"2.out": "a\n", "2/a.txt": "a\n", "joblog.tsv": log.read_text()}
    assert files() == before
    process.send_signal(number)
    process.communicate(timeout=harness.seconds(30))
    assert log.read_text() == before["joblog.tsv"] and files() == before
    mark.touch()
    job = cluster.json("job", "list")[-1]["id"]
    again = cluster.conclave("job", "output", job, "--follow", "--dir", out)
    assert again.returncode == OK and f"2 files are written to {out}, 2 were there" in again.stderr, again.stderr
    assert len(files()["joblog.tsv"].splitlines()) == 3
    assert files() | {"joblog.tsv": ""} == before | {"1.out": "b\n", "1/b.txt": "b\n", "joblog.tsv": ""}


def test_a_job_goes_on_when_its_files_cannot_be_written(cluster, tmp_path):
    (tmp_path / "out/2.out").mkdir(parents=True)
    done = cluster.conclave("map", "--dir", tmp_path / "out", "--sh", "[ {} = a ] || sleep 600", ":::", *"ba")
    *_, why, goes_on = done.stderr.splitlines()
    assert done.returncode == FAILED and "2.out: stands in the way" in why and "continues" in goes_on, done.stderr
    cluster.ok("job", "cancel", goes_on.split()[2])


def test_a_log_grows_beside_outputs_as_tasks_end(cluster, tmp_path):
    log = tmp_path / "log"
    process = cluster.start_conclave("map", "-u", "--joblog", log, "--sh", "echo {}; [ {} = a ] || sleep 600", ":::", *"ba")
    assert process.stdout.readline() == "a\n"
    assert log.read_text().splitlines()[1].split("\t")[0] == "2"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=harness.seconds(30))
    cluster.ok("job", "cancel", errors.split()[2])
    assert log.read_text().count("\n") == 2


def test_the_longest_inputs_are_whole(cluster, tmp_path):
    (tmp_path / "inputs").write_text("".join("x" * len_ + "\n" for len_ in (131056, 131057, 131071)))
    script = "echo ${#CONCLAVE_INPUT} $(cat $CONCLAVE_INPUT_FILE /dev/null | wc -c)"
    assert cluster.ok("map", "--stdin", "--sh", script, "::::", tmp_path / "inputs") == "131056 0\n0 131057\n0 131071\n"
    done = cluster.ok("map", "expr", "length", "{}", "::::", tmp_path / "inputs")
    assert done == "131056\n131057\n131071\n"


def test_ctrl_c_leaves_the_job_and_cancel_ends_it(cluster):
    process = cluster.start_conclave("map", "--sh", "echo {}; [ {} = a ] || sleep 600", ":::", *"abc")
    assert process.stdout.readline() == "a\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=harness.seconds(30))
    assert process.returncode == 130 and "continues" in errors
    job = errors.split()[2]
    follower = cluster.start_conclave("job", "output", job, "--follow")
    assert follower.stdout.readline() == "a\n"
    cluster.ok("job", "cancel", job)
    assert follower.wait(timeout=harness.seconds(30)) == OK
    states = [json.loads(line)["state"] for line in cluster.ok("job", "tasks", job, "--json").splitlines()]
    assert states == ["done", "cancelled", "cancelled"]


def test_a_map_that_is_cancelled_ends_with_5(cluster):
    process = cluster.start_conclave("map", "--sh", "echo {}; [ {} = a ] || sleep 600", ":::", *"ab")
    assert process.stdout.readline() == "a\n"
    job = cluster.json("job", "list")[-1]["id"]
    cluster.ok("job", "cancel", job)
    assert process.wait(timeout=harness.seconds(30)) == CANCELLED


def test_without_keys_no_command_is_run(make_cluster):
    cluster = make_cluster(nodes=1, insecure=True).start()
    cluster.wait_healthy()
    done = cluster.conclave("map", "touch", cluster.dir / "ran", ":::", "a")
    assert done.returncode != OK and "keys" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (cluster.dir / "ran").exists()


def test_too_many_failures_cancel_the_rest(cluster):
    done = cluster.conclave("map", "--max-fails", "10%", "--array", "1-60", "--sh", "sleep 0.05; exit 1")
    counts = cluster.json("job", "show", job_of(done.stderr))["tasks"]
    assert done.returncode == FAILED and 6 <= counts["failed"] <= 6 + 6 and counts["failed"] + counts["cancelled"] == 60, counts


def test_200_tasks_of_which_some_fail_in_known_ways_T19(cluster, tmp_path):
    line = ("echo out {}; echo err {} >&2; case {} in 17|117) exit 3 ;; 64) kill -9 $$ ;; 99) sleep 60 ;; "
            "150) [ $CONCLAVE_ATTEMPT = 2 ] ;; esac")
    log, out = tmp_path / "log", tmp_path / "out"
    done = cluster.conclave("map", "--retries", "1", "--retry-delay", "100ms", "--time-limit", "1s", "--joblog", log, "--dir", out,
                            "--array", "1-200", "--sh", line, timeout=60)
    job = job_of(done.stderr)
    assert done.returncode == FAILED and "196 of 200 done, 4 failed" in done.stderr
    rows = {row["task"]: row for row in map(json.loads, cluster.ok("job", "tasks", job, "--json").splitlines())}
    assert {task: (row["state"], row["exit"], row["signal"], row["attempt"]) for task, row in rows.items() if task in (17, 64, 117)} \
        == {17: ("failed", 3, None, 2), 64: ("failed", None, 9, 2), 117: ("failed", 3, None, 2)}
    assert rows[99]["state"] == "failed" and rows[99]["reason"] == "time limit" and rows[99]["attempt"] == 2
    assert rows[150]["state"] == "done" and rows[150]["attempt"] == 2
    assert all(row["state"] == "done" and row["attempt"] == 1 for task, row in rows.items()
               if task not in (17, 64, 99, 117, 150))
    columns = [row.split("\t") for row in log.read_text().splitlines()]
    assert columns[0] == "Seq Host Starttime JobRuntime Send Receive Exitval Signal Command".split()
    assert {row[0]: (row[6], row[7]) for row in columns[1:] if (row[6], row[7]) != ("0", "0")}.keys() == {"17", "64", "99", "117"}
    assert sorted(int(row[0]) for row in columns[1:]) == list(range(1, 201))
    assert all((out / f"{task}.out").read_text() == f"out {task}\n" and (out / f"{task}.err").read_text() == f"err {task}\n"
               for task in range(1, 201))
    again = cluster.ok("job", "retry", job, "--time-limit", "2s").strip()
    cluster.conclave("job", "wait", again, timeout=30)
    assert cluster.json("job", "show", again)["tasks"]["attempts"] == 8  # two of each of the four
