"""A map while its coordinator, workers and all nodes are killed: every task has one outcome, the output is whole and in order, and
what runs at most once does. `make map-kills` is the long form: 2,000 tasks, three coordinators, ten workers, all nodes once."""
import collections
import json
import os
import pathlib

import pytest

import harness
from harness import wait_for

LONG = bool(os.environ.get("CONCLAVE_MAP_KILLS"))
TASKS, COORDINATORS, WORKERS = (2000, 3, 10) if LONG else (240, 1, 2)
NODES, SLOTS = 5, 2
# Of a node that is killed: what it executes, and what ended there and is in no log yet. How tasks end is logged ten times a
# second; a slot ends ten of these tasks in that time if they are begun as fast as they can be.
AGAIN_MAX = SLOTS * 3


class Kills:
    """Kills, one after another, each when so many more tasks have an outcome; `executing` nodes in all."""

    def __init__(self, cluster, job):
        self.cluster, self.job, self.executing = cluster, job, 0

    def ended(self):
        row = self.cluster.json("job", "show", self.job)
        counts = row["tasks"]
        return row["state"] != "running", sum(counts[state] for state in ("done", "failed", "lost", "cancelled"))

    def wait(self, tasks):
        """Until so many tasks have an outcome, or the job has ended."""
        wait_for(lambda: (now := self.ended())[0] or now[1] >= tasks, 60, f"{tasks} tasks have ended")

    def kill(self, node):
        self.cluster.kill(self.cluster.nodes[node])
        self.executing += 1
        self.cluster.start_node(node)
        self.cluster.wait_healthy(20)

    def worker(self, turn):
        coordinator = self.cluster.wait_healthy(20)["coordinator"]
        self.kill([node for node in range(1, NODES + 1) if node != coordinator][turn % (NODES - 1)])

    def coordinator(self):
        self.kill(self.cluster.wait_healthy(20)["coordinator"])

    def everybody(self):
        for process in self.cluster.nodes.values():
            process.kill()
        for process in self.cluster.nodes.values():
            process.wait()
            self.executing += 1
        for node in list(self.cluster.nodes):
            self.cluster.start_node(node)
        self.cluster.wait_healthy(20)

    def plan(self):
        """One of each kind by turns, spread over the job."""
        kinds = [lambda turn=turn: self.worker(turn) for turn in range(WORKERS)]
        for i in range(COORDINATORS):
            kinds.insert(i * (WORKERS // COORDINATORS + 1), self.coordinator)
        kinds.insert(len(kinds) // 2, self.everybody)
        for i, kind in enumerate(kinds):
            self.wait(TASKS * (i + 1) // (len(kinds) + 2))
            assert not self.ended()[0], "the job ended before the last kill"
            kind()


@pytest.mark.parametrize("once", [False, True], ids=["at least once", "at most once"])
def test_every_task_has_one_outcome_whoever_is_killed_T15_T16_T17(make_cluster, once):
    cluster = make_cluster(nodes=NODES, slots=SLOTS)
    cluster.start()
    cluster.wait_healthy()
    ran = pathlib.Path(cluster.dir, "ran")
    ran.mkdir()
    line = f"echo $CONCLAVE_ATTEMPT >> {ran}/{{}}; sleep 0.1; echo task {{}}"
    job = cluster.ok("map", "--no-wait", *(["--at-most-once"] if once else []), "--array", f"1-{TASKS}", "--sh", line).strip()
    kills = Kills(cluster, job)
    kills.plan()
    cluster.conclave("job", "wait", job, timeout=120)
    row = cluster.json("job", "show", job)
    counts = collections.Counter(row["tasks"])
    told = [json.loads(one) for one in cluster.ok("job", "tasks", job, "--json", timeout=60).splitlines()]
    assert [one["task"] for one in told] == list(range(1, TASKS + 1))
    assert not [(one["node"], one["reason"], one["attempt"]) for one in told if one["state"] == "failed"]
    executions = {task: len((ran / str(task)).read_text().split()) if (ran / str(task)).exists() else 0
                  for task in range(1, TASKS + 1)}
    output = cluster.conclave("job", "result", job, timeout=60).stdout
    done = [one["task"] for one in told if one["state"] == "done"]
    assert output == "".join(f"task {task}\n" for task in done)
    bound = AGAIN_MAX * kills.executing
    if once:
        assert max(executions.values()) == 1
        assert counts["done"] + counts["lost"] == TASKS and counts["lost"] <= bound, counts
    else:
        assert counts["done"] == TASKS and row["state"] == "done", counts
        assert sum(executions.values()) - TASKS <= bound, (sum(executions.values()), bound)
    print(f"{TASKS} tasks, {kills.executing} nodes killed: {counts['done']} done, {counts['lost']} lost, "
          f"{sum(executions.values())} executions, {bound} more than the tasks allowed")
    cluster.wait_healthy(20)
    harness.wait_for(lambda: len({node["applied"] for node in cluster.status()["nodes"]}) == 1, 10, "all have applied the same")
