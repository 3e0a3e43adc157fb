"""`map --speculate`: a slow task has a second copy on another node, the first that is done counts, and nothing of the other is
left (T9)."""
import json

import pytest

import harness
from harness import wait_for

CLUSTER = {"nodes": 3, "slots": 2}
SLEEP = "4717.25"  # seconds that nobody else sleeps


def sleeping():
    return [words for words in harness.command_lines() if words == ["sleep", SLEEP]]


def tasks(cluster, job):
    return {one["task"]: one for one in map(json.loads, cluster.ok("job", "tasks", job, "--json").splitlines())}


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """Its first execution of the task 3 sleeps, with a child that does, too, and writes what must not count; any other is done."""
    marker = tmp_path_factory.mktemp("marks") / "first"
    marker.parent.chmod(0o777)
    return (f"if [ {{}} = 3 ] && mkdir {marker} 2>/dev/null; then echo lost; (sleep {SLEEP}) & sleep {SLEEP}; fi; "
            "echo task {} on its attempt $CONCLAVE_ATTEMPT; sleep 0.1")


def test_a_slow_task_is_overtaken_and_nothing_of_it_is_left_T9(cluster, line):
    key = ["--key", "speculated"]
    job = cluster.ok("map", "--speculate", "--retries", "2", "--no-wait", *key, "--array", "1-12", "--sh", line).strip()
    wait_for(sleeping, 10, "the first execution sleeps")
    cluster.ok("job", "wait", job, timeout=30)
    wait_for(lambda: not sleeping(), 10, "the processes of the other execution end")
    told = tasks(cluster, job)
    assert told[3]["state"] == "done" and told[3]["attempt"] == 1 and told[3]["copy"] == "counts"
    assert [one for one in told.values() if one["copy"]] == [told[3]]
    assert cluster.ok("job", "result", job) == "".join(f"task {n} on its attempt 1\n" for n in range(1, 13))
    counts = cluster.json("job", "show", job)["tasks"]
    assert (counts["done"], counts["attempts"], counts["retries"], counts["copies"]) == (12, 12, 0, 1)
    assert "1 second copy" in cluster.ok("job", "show", job)
    assert " 1+ " in cluster.ok("job", "tasks", job, "--task", "3")


def waits_for_a_file(marks, task):
    """Both executions of the task wait for a file: the first for `go`, its copy for one that never comes."""
    marks.chmod(0o777)
    return (f"[ {{}} = {task} ] || exit 0; mkdir {marks}/first 2>/dev/null && mine=go || mine=never; "
            f"until [ -e {marks}/$mine ]; do sleep 0.05; done; echo $mine")


def runs_here(marks):
    return any(str(marks) in word for words in harness.command_lines() for word in words)


def test_a_copy_is_told_while_it_runs_and_the_first_may_win_T9(cluster, tmp_path):
    job = cluster.ok("map", "--speculate", "--no-wait", "--array", "1-4", "--sh", waits_for_a_file(tmp_path, 2)).strip()
    runs = wait_for(lambda: (told := tasks(cluster, job)[2])["copy"] == "runs" and told, 20, "it has a copy")
    assert runs["state"] == "running" and runs["node"]
    explained = cluster.ok("job", "explain", job)
    assert f"; on node {runs['node']} for" in explained and "1 second copy" in explained
    (tmp_path / "go").touch()
    cluster.ok("job", "wait", job, timeout=30)
    told = tasks(cluster, job)[2]
    assert (told["state"], told["node"], told["copy"]) == ("done", runs["node"], "stopped")
    assert cluster.ok("job", "result", job) == "go\n"
    wait_for(lambda: not runs_here(tmp_path), 10, "the processes of the copy end")


def test_both_go_on_under_the_next_coordinator_and_one_is_stopped_T9(make_cluster, tmp_path):
    cluster = make_cluster(nodes=4, slots=1).start()
    cluster.wait_healthy()
    marks = tmp_path / "marks"
    marks.mkdir()
    job = cluster.ok("map", "--speculate", "--no-wait", "--array", "1-4", "--sh", waits_for_a_file(marks, 3)).strip()
    wait_for(lambda: tasks(cluster, job)[3]["copy"] == "runs", 20, "it has a copy")
    before = cluster.kill_coordinator()  # which computes nothing
    wait_for(lambda: (cluster.status() or {}).get("coordinator") not in (None, 0, before["coordinator"]), 20, "another serves")
    wait_for(lambda: tasks(cluster, job)[3]["copy"] == "runs", 20, "the next one knows of both")
    (marks / "go").touch()
    cluster.ok("job", "wait", job, timeout=30)
    assert cluster.ok("job", "result", job) == "go\n"
    counts = cluster.json("job", "show", job)["tasks"]
    assert (counts["done"], counts["failed"], counts["retries"], counts["after_deaths"]) == (4, 0, 0, 0)
    wait_for(lambda: not runs_here(marks), 10, "the processes of the other one end")
    cluster.start_node(before["coordinator"])
    cluster.wait_healthy()


def test_what_may_run_once_has_no_copy(cluster):
    result = cluster.conclave("map", "--speculate", "--at-most-once", "true", ":::", "a")
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1, result.stderr
    assert "--at-most-once starts no task twice; --speculate does" in result.stderr
