"""The nemesis in the history, with a double of a cluster whose nodes are killed and wiped."""
import random
import signal
import threading
import time
import types

import pytest

import linear
from chaos import Watched, level
from double import Double
from facts import check_money
from harness import wait_for
from history import Recorder, load, pair
from models import partition
from nemesis import balances
from workload import Teller, Values

WORK_MIN = 10         # transfers before each wipe


class Process:
    """A node's, which does what it is told at once."""
    returncode = None

    def poll(self):
        return self.returncode

    @staticmethod
    def send_signal(_):
        pass


class Standing(Double):
    """Of its nodes, whoever is wiped has lost its ledger."""

    def __init__(self, directory):
        super().__init__(1)
        self.calm, self.dir, self.stolen = True, directory, 0
        self.nodes = {node: Process() for node in range(1, self.n_nodes + 1)}
        for node in self.nodes:
            (directory / f"node{node}").mkdir()

    def wait_served(self, _):
        return {"coordinator": 1}

    def status(self):
        return {"healthy": True, "coordinator": 1, "nodes": [{"id": node} for node in self.nodes]}

    def kill(self, process):
        process.returncode = -signal.SIGKILL
        node = next(node for node, it in self.nodes.items() if it is process)
        self.values = {where: value for where, value in self.values.items() if where[0] != node}
        self.accounts = {where: balance for where, balance in self.accounts.items() if where[0] != node}
        if self.stolen:
            self.add(node % self.n_nodes + 1, "a", -self.stolen)

    def start_node(self, node):
        (self.dir / f"node{node}").mkdir(exist_ok=True)
        self.nodes[node] = Process()


@pytest.fixture
def standing(tmp_path):
    cluster = Standing(tmp_path)
    cluster.start()
    yield cluster
    cluster.end()


def struck(cluster, recorder, teller, kinds, strikes):
    """A nemesis that does these kinds so often."""
    nemesis = Watched(cluster, random.Random(1), teller, lambda _: None, recorder)
    for name in kinds * strikes:
        nemesis.bag = [name]
        nemesis.strike()
    return nemesis


def test_only_what_is_heard_after_the_trouble_says_that_all_is_level(monkeypatch):
    """Quiet nodes tell the same before and after it; the moment must be one of which the verdict has heartbeats."""
    monkeypatch.setattr("chaos.whole", lambda _: {"jobs": {"queued": 0, "running": 0}})
    cluster = types.SimpleNamespace(n_nodes=2, feed=types.SimpleNamespace(changed=threading.Lock(), messages=[]))

    def beat(node, heard, applied=7):
        cluster.feed.messages.append({"node": node, "applied": applied, "heard": heard})
    beat(1, 10.0), beat(2, 10.1)
    assert not level(cluster, 10.2)
    beat(1, 10.3)
    assert not level(cluster, 10.2)
    beat(2, 10.4, 6)
    assert not level(cluster, 10.2)
    beat(2, 10.5)
    assert level(cluster, 10.2) == 10.5


def test_what_the_nemesis_does_is_in_the_history_with_its_moments(tmp_path, standing, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: None)
    recorder = Recorder(tmp_path / "history")
    nemesis = struck(standing, recorder, None, ["kill_coordinator", "kill_worker"], 2)
    recorder.close()
    faults = pair(load(tmp_path / "history").faults, lambda line: line["id"])
    hit = [(begin["f"], begin["coordinator"]) for begin, _ in faults]
    assert hit == [("kill_coordinator", True), ("kill_worker", False)] * 2
    assert all(end and begin["t"] <= end["t"] for begin, end in faults) and not nemesis.has_tried_all()


def wiped_run(path, cluster):
    recorder = Recorder(path)
    recorder.write("run", nodes=cluster.n_nodes)
    teller = Teller(cluster, 1, recorder, "teller")
    values = [Values(cluster, i, recorder, f"values-{i}") for i in range(2)]
    for node in cluster.nodes:
        teller.deposit(node, 1000)
    for client in (teller, *values):
        client.pace = 0.001
        client.start()
    for wipe in range(3):
        wait_for(lambda: recorder.count("bank_transfer") > WORK_MIN * (wipe + 1), 20, "money moves")
        struck(cluster, recorder, teller, ["wipe_one"], 1)
    for client in (teller, *values):
        client.end()
    recorder.write("run", balances=balances(cluster))
    recorder.close()
    return load(path)


def test_wipes_take_what_they_take_and_nobody_is_accused(tmp_path, standing):
    history = wiped_run(tmp_path / "history", standing)
    assert len(history.wipes) == 6 and any(line.get("lost") for line in history.wipes)
    assert check_money(history).verdict == "holds", check_money(history).faults
    for name, (model, ops) in partition(history).items():
        outcome = linear.check(model, ops)
        assert outcome.verdict == linear.LINEARIZABLE, f"{name}: {outcome.text()}"
    assert len(history.completed("kv_get")) > WORK_MIN


def test_a_wipe_that_costs_others_money_is_seen(tmp_path, standing):
    standing.stolen = 1
    assert check_money(wiped_run(tmp_path / "history", standing)).verdict == "violated"
