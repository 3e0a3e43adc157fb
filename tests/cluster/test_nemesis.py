"""The trouble of tests/chaos without a cluster: puppets that send, write and look at the clock stand in for nodes. Each kind
must be seen to have an effect, and leave nothing behind."""
import json
import pathlib
import random
import sys
import threading
import types

import pytest

import harness
from harness import wait_for

sys.path.insert(0, str(harness.ROOT / "tests/chaos"))

import nemesis as trouble  # noqa: E402
from rig import CLIENTS, SWITCH, Rig, memory, net  # noqa: E402

WHY_NOT = harness.SANITIZED and "sanitizers want to be loaded first" or net.why_not(SWITCH)
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=str(WHY_NOT))

# puppet.py DIR OTHER...: sends to all others, writes to its disk, reads the wall clock, and ends with 8 when its disk fails.
PUPPET = """
import os, signal, socket, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
directory, others = sys.argv[1], sys.argv[2:]
os.makedirs(directory, exist_ok=True)
post = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
turn = 0
while True:
    for other in others:
        try:
            post.sendto(bytes(500), (other, 7))
        except OSError:
            pass
    try:
        if turn % 100 == 0:
            file = os.open(f"{directory}/{turn}", os.O_WRONLY | os.O_CREAT)
        os.write(file, bytes(100000))
        os.fdatasync(file)
        if turn % 100 == 99:
            os.close(file)
            os.unlink(f"{directory}/{turn - 99}")
    except OSError:
        sys.exit(8)
    time.time()
    time.sleep(0.01)
    turn += 1
"""


class Puppets(Rig):
    """Looks like a cluster to the nemesis; node 1 is always its coordinator."""

    def command(self, directory, host):
        others = [it for it in self.net.addresses.values() if it != self.net.addresses[host]]
        return ["/usr/bin/python3", "-c", PUPPET, str(directory), *others]

    def node_command(self, node, **_):
        return self.command(self.dir / f"node{node}", f"node{node}")

    def broker_command(self, broker, **_):
        return self.command(self.dir / f"broker{broker}", CLIENTS)

    def status(self):
        alive = all(process.poll() is None and (self.dir / f"node{node}").exists()
                    for node, process in self.nodes.items())
        return {"coordinator": 1, "healthy": alive, "nodes": [{"id": node} for node in self.nodes]}


@pytest.fixture
def puppets(tmp_path):
    it = Puppets(tmp_path, nodes=3)
    try:
        yield it.start()
    finally:
        it.close()


def make_nemesis(cluster, seed=1):
    teller = types.SimpleNamespace(gate=threading.Lock(), deposit=lambda node: None)
    it = trouble.Nemesis(cluster, random.Random(seed), teller, print)
    it.balances = lambda: {node: {} for node in cluster.nodes}
    it.pause = lambda most: trouble.time.sleep(min(most, 0.3))
    return it


def test_every_kind_has_an_effect_that_is_seen_and_leaves_nothing(puppets):
    nemesis = make_nemesis(puppets)
    assert not nemesis.skipped or memory.why_not() and set(nemesis.skipped) == {"little_memory"}
    # A kind may meet nothing once; that it is tried again is up to the seed, and here to the test.
    for name in nemesis.together:
        wait_for(lambda: nemesis.have([name]), 20, f"{name} is seen")  # pylint: disable=cell-var-from-loop
    for name in trouble.ALONE:
        wait_for(lambda: nemesis.alone(name) or name in nemesis.fired, 40, f"{name} is seen")  # pylint: disable=cell-var-from-loop
    nemesis.end()
    assert set(nemesis.fired) == set(nemesis.kinds)
    assert puppets.net.ask("list")["rules"] == []
    assert all(puppets.told(node, "disk").read_text() == "" for node in (1, 2, 3))
    wait_for(lambda: puppets.status()["healthy"], 5, "every puppet runs")
    report = nemesis.report()
    assert json.loads(json.dumps(report))["packets"]["one_way"]["fired"] >= 2
    assert any(report["calls"][node].get("fail_sync") for node in (1, 2, 3))
    assert all(row["began"] <= row["ended"] for row in report["history"])


def test_what_meets_nothing_is_not_counted_as_fired(puppets):
    nemesis = make_nemesis(puppets)
    wait_for(lambda: nemesis.net.passed("node1", "node2") and nemesis.net.passed("node1", CLIENTS), 10, "they send")
    for process in [*puppets.nodes.values(), *puppets.brokers.values()]:
        puppets.kill(process)
    nemesis.supervise = lambda: None  # nobody starts them again: nobody sends, writes or looks at the clock
    for name in ("cut_pair", "failing_sync", "clock_jumps", "kill_worker"):
        assert nemesis.have([name]) == 0
    assert nemesis.fired == {} and len(nemesis.missed) == 4


def test_a_kind_that_met_nothing_comes_again_but_not_for_ever(puppets):
    nemesis = make_nemesis(puppets)
    tried = []

    def meet_nothing(names):
        name = names if isinstance(names, str) else names[0]
        tried.append(name)
        nemesis.record(name, 0, name != "cut_pair")
    nemesis.have = nemesis.alone = meet_nothing
    while not nemesis.has_tried_all():
        nemesis.strike()
    assert tried.count("cut_pair") == trouble.TRIES_MAX
    assert len(tried) == len(nemesis.kinds) + trouble.TRIES_MAX - 1


def test_the_same_seed_draws_the_same(puppets):
    def drawn(seed):
        nemesis, names = make_nemesis(puppets, seed), []
        nemesis.have = nemesis.alone = lambda it: names.extend([it] if isinstance(it, str) else it)
        for _ in range(40):
            nemesis.strike()
        return names
    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_a_relay_for_each_link_stands_in_where_no_switch_can_be_had(monkeypatch, tmp_path):
    monkeypatch.setattr(net, "why_not", lambda _switch: "there is no /dev/net/tun")
    rig = Rig(tmp_path, nodes=3)
    try:
        nemesis = make_nemesis(rig)
        assert set(nemesis.skipped) >= {"cut_clients", "lost_packets", "narrow_links"}
        assert "cut_coordinator" in nemesis.kinds
        assert "--peers 127.0.1.2,127.0.1.2,127.0.1.2" in " ".join(map(str, rig.node_command(2)))
    finally:
        rig.close()


def test_paths_of_a_rig_are_below_its_directory(puppets):
    assert {it.parent for it in (puppets.told(1, "disk"), puppets.counted(1, "clock"))} == {pathlib.Path(puppets.dir)}
