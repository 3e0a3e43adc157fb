"""The network of tests/chaos alone: hosts in namespaces, and a switch between them that breaks what it is told to."""
import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import time

import pytest

import harness
from harness import wait_for

sys.path.insert(0, str(harness.ROOT / "tests/chaos"))

import net as network  # noqa: E402

SWITCH = harness.BIN.parent / "chaos" / "switch"
PORT = 7
WHY_NOT = network.why_not(SWITCH)
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))


@pytest.fixture
def net(tmp_path):
    it = network.Net(SWITCH, tmp_path, ["a", "b", "c"], seed=1)
    try:
        yield it
    finally:
        it.close()


@pytest.fixture
def posts(net):
    """By host, a UDP socket there."""
    with contextlib.ExitStack() as stack:
        made = {}
        for host in net.hosts:
            with net.inside(host):
                made[host] = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            made[host].bind((net.addresses[host], PORT))
            made[host].settimeout(5)
        yield made


def send(net, posts, source, target, text=b"x"):
    posts[source].sendto(text, (net.addresses[target], PORT))


def passes(net, posts, source, target):
    """Sends one packet and receives it."""
    send(net, posts, source, target, b"passes")
    return posts[target].recvfrom(100) == (b"passes", (net.addresses[source], PORT))


def arrived(post):
    """All that has come."""
    post.setblocking(False)
    texts = []
    with contextlib.suppress(BlockingIOError):
        while True:
            texts.append(post.recv(100))
    post.settimeout(5)
    return texts


def is_lost(net, posts, source, target, fault):
    """Sends one packet, and the switch says that it dropped it."""
    before = fault.counts()["dropped"]
    send(net, posts, source, target, b"lost")
    wait_for(lambda: fault.counts()["dropped"] > before, 5, "a packet is dropped")
    return b"lost" not in arrived(posts[target])


def test_all_hosts_reach_each_other(net, posts):
    for source in net.hosts:
        for target in net.others([source]):
            assert passes(net, posts, source, target)
            assert net.passed(source, target) == 1


def test_a_cut_stops_both_directions_of_one_link_until_it_ends(net, posts):
    fault = net.cut(["a"], ["b"])
    assert not fault.fired()
    assert is_lost(net, posts, "a", "b", fault)
    assert is_lost(net, posts, "b", "a", fault)
    assert passes(net, posts, "a", "c") and passes(net, posts, "c", "b")
    assert fault.end()["dropped"] == 2 and fault.fired()
    assert passes(net, posts, "a", "b") and passes(net, posts, "b", "a")
    assert net.dropped() == {"cut": {"faults": 1, "fired": 1, "matched": 2, "dropped": 2, "delayed": 0}}


def test_one_way_leaves_the_other_way_open(net, posts):
    fault = net.one_way(["a"], ["b", "c"])
    for target in "bc":
        assert is_lost(net, posts, "a", target, fault)
        assert passes(net, posts, target, "a")


def test_a_bridge_reaches_both_groups(net, posts):
    fault = net.bridge(["a"], ["b"])
    assert is_lost(net, posts, "a", "b", fault)
    assert is_lost(net, posts, "b", "a", fault)
    for host in "ab":
        assert passes(net, posts, "c", host) and passes(net, posts, host, "c")


def test_a_delay_is_seen_and_keeps_the_order(net, posts):
    net.delay(["a"], ["b"], 80, 120)
    began = time.monotonic()
    for i in range(50):
        send(net, posts, "a", "b", b"%d" % i)
    assert [posts["b"].recv(100) for _ in range(50)] == [b"%d" % i for i in range(50)]
    assert time.monotonic() - began >= 0.08
    assert passes(net, posts, "b", "a")
    did = net.faults[0].end()
    assert did["delayed"] == 50 and 80_000 <= did["delay_max_us"] <= 200_000


def test_loss_takes_about_as_many_as_it_says(net, posts):
    fault = net.lose(net.hosts, net.hosts, 50)
    for _ in range(400):
        send(net, posts, "a", "b")
    did = wait_for(lambda: (it := fault.counts())["matched"] == 400 and it, 5, "the switch has seen all")
    assert 140 <= did["dropped"] <= 260
    assert wait_for(lambda: net.passed("a", "b") == 400 - did["dropped"], 5)


def test_a_flapping_link_comes_and_goes(net, posts):
    fault = net.flap(["a"], ["b"], 30, 30)

    def has_come_and_gone():
        send(net, posts, "a", "b")
        return fault.counts()["dropped"] > 2 and net.passed("a", "b") > 2
    wait_for(has_come_and_gone, 10, "some packets pass and some do not")


def test_a_narrow_link_takes_its_time_and_loses_what_would_wait_too_long(net, posts):
    fault = net.narrow(["a"], ["b"], 100_000)
    began = time.monotonic()
    for _ in range(40):
        send(net, posts, "a", "b", bytes(1000))
    for _ in range(40):
        posts["b"].recv(2000)
    assert time.monotonic() - began >= 0.4
    for _ in range(400):
        send(net, posts, "a", "b", bytes(1000))
    wait_for(lambda: fault.counts()["dropped"] > 0, 5, "the line is full")


def test_rules_add_up(net, posts):
    net.delay(["a"], ["b"], 50)
    fault = net.delay(["a"], ["b"], 60)
    began = time.monotonic()
    assert passes(net, posts, "a", "b")
    assert time.monotonic() - began >= 0.11
    fault.end()
    net.heal()
    assert net.ask("list")["rules"] == []


def test_a_connection_outlives_a_cut(net):
    with contextlib.ExitStack() as stack:
        with net.inside("b"):
            listener = stack.enter_context(socket.create_server((net.addresses["b"], PORT)))
        with net.inside("a"):
            near = stack.enter_context(socket.create_connection((net.addresses["b"], PORT)))
        far = stack.enter_context(listener.accept()[0])
        far.settimeout(20)
        fault = net.cut(["a"], ["b"])
        near.sendall(b"late")
        wait_for(fault.fired, 5, "the segment is dropped")
        fault.end()
        assert far.recv(100) == b"late"


@pytest.mark.parametrize("command", ["", "no", "add x a b", "add x a z cut", "add x a b cut 1", "add x a b loss",
                                     "add x a b delay -1 0", "add x a b rate 0", "add x! a b cut", "del"])
def test_what_is_not_understood_is_refused(net, posts, command):
    with pytest.raises(AssertionError):
        net.ask(command)
    assert net.ask("list")["rules"] == []
    assert passes(net, posts, "a", "b")


def test_nothing_is_left(tmp_path):
    it = network.Net(SWITCH, tmp_path, ["a", "b"])
    home = os.readlink("/proc/thread-self/ns/net")
    it.enter("a")
    assert os.readlink("/proc/thread-self/ns/net") != home
    it.close()
    assert os.readlink("/proc/thread-self/ns/net") == home
    assert it.process.returncode == 0
    assert not pathlib.Path(f"/proc/{it.process.pid}").exists()
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_when_who_started_it_is_killed(tmp_path):
    code = f"""
import sys, time
sys.path[:0] = [{str(harness.ROOT / "tests/chaos")!r}, {str(harness.ROOT / "tests/cluster")!r}]
import net
it = net.Net({str(SWITCH)!r}, {str(tmp_path)!r}, ["a", "b"])
it.enter("a")
print(it.process.pid, flush=True)
time.sleep(1000)
"""
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    switch = pathlib.Path(f"/proc/{owner.stdout.readline().strip()}")
    assert switch.exists()
    owner.kill()
    owner.communicate()
    wait_for(lambda: not switch.exists(), 5, "the switch has ended")
