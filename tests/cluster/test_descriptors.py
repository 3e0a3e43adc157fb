"""Too few descriptors: said at start with both numbers; when they run out later, connections are refused and all goes on."""
import os
import re
import resource
import socket
import subprocess
import threading
import time

import msgpack
import pytest

import harness
from harness import ENVIRONMENT, cpu_seconds, wait_for

INTRUDERS = 1500


@pytest.fixture(autouse=True)
def many_descriptors():
    """The test itself holds many connections."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[1], 8192), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def limited(command, soft, hard):
    return ["prlimit", f"--nofile={soft}:{hard}", *[str(word) for word in command]]


def refused(cluster, command, hard):
    """Runs what must refuse the limit; returns how many descriptors it needs."""
    done = subprocess.run(limited(command, hard, hard), capture_output=True, text=True, check=False,
                          env=cluster.environment(), cwd=cluster.dir, timeout=harness.seconds(10))
    assert done.returncode == ENVIRONMENT, (done.returncode, done.stderr)
    assert done.stderr.count("\n") == 1, done.stderr
    said, needed = map(int, re.search(r"limit of open files is (\d+), and (\d+) are needed", done.stderr).groups())
    assert said == hard < needed
    return needed


def in_use(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def intrude(port):
    """As many connections as the port takes."""
    held = []
    for _ in range(INTRUDERS):
        one = socket.socket()
        one.settimeout(5)
        try:
            one.connect(("127.0.0.1", port))
        except OSError:
            one.close()
            continue
        held.append(one)
    return held


def test_too_low_a_limit_is_said_at_start_with_both_numbers(make_cluster):
    cluster = make_cluster()
    for command in (cluster.node_command(1), cluster.broker_command(0)):
        for hard in (64, refused(cluster, command, 64) - 1):
            refused(cluster, command, hard)
    assert not (cluster.dir / "node1").exists()


def test_64_are_too_few_for_any_process_and_512_enough_for_a_small_cluster(make_cluster):
    cluster = make_cluster(nodes=3)
    up = [harness.BIN / "conclave", "up", "--detach", "--dir", "up", "--nodes", 3, "--port", cluster.port]

    def run(limit, *command):
        return subprocess.run(limited(command, limit, limit), capture_output=True, text=True, check=False,
                              env=cluster.environment(), cwd=cluster.dir, timeout=harness.seconds(60))
    done = run(64, *up)
    assert done.returncode == harness.FAILED and "limit of open files is 64" in done.stderr, done
    assert not harness.marked_pids(cluster.mark)
    done = run(512, *up)
    assert done.returncode == harness.OK, done.stderr
    held = intrude(cluster.port) + intrude(cluster.node_port(1))
    cluster.wait_healthy()
    # A command needs few: 64 are enough, also for a client that fetches a result and a snapshot.
    for command in (("status",), ("check",), ("submit", "factorial", "30"), ("snapshot", "take"), ("bank", "list")):
        done = run(64, harness.BIN / "conclave", *command)
        assert done.returncode == harness.OK, (command, done.stderr)
    for one in held:
        one.close()
    cluster.ok("down", "--dir", "up")


def start_with_what_is_needed(cluster):
    """Every process has exactly as many as it says that it needs; the soft limit is lower still."""
    plain = cluster.spawn
    needed = {}

    def spawn(name, *command):
        needed[name] = refused(cluster, command, 64)
        return plain(name, *limited(command, 64, needed[name]))
    cluster.spawn = spawn
    cluster.start()
    cluster.wait_healthy(20)
    return needed


def test_connections_beyond_the_limit_are_refused_and_all_goes_on(make_cluster):
    cluster = make_cluster(nodes=3)
    needed = start_with_what_is_needed(cluster)
    coordinator = cluster.status()["coordinator"]
    processes = {f"node{coordinator}": (cluster.nodes[coordinator], cluster.node_port(coordinator)),
                 "broker0": (cluster.brokers[0], cluster.port)}
    for name, (process, port) in processes.items():
        assert in_use(process) < needed[name] - 20
        held = intrude(port)
        wait_for(lambda: "brought no key while others waited" in (cluster.dir / f"{name}.log").read_text(), 10, "it says so")
        began, used = time.monotonic(), cpu_seconds(process.pid)
        for n in range(50, 55):  # those that were connected before are served
            if name != "broker0":
                cluster.submit(n)
        wait_for(lambda: time.monotonic() - began > 2, 5)
        assert cpu_seconds(process.pid) - used < 0.5 * (time.monotonic() - began), name
        assert process.poll() is None and in_use(process) <= needed[name]
        for one in held:
            one.close()
        wait_for(lambda: in_use(process) < needed[name] - 20, 10, "they are given back")
        cluster.wait_healthy()
        cluster.submit(60)
    # Those with a key are refused when there is no descriptor left.
    known = [harness.dealer_to(f"tcp://127.0.0.1:{cluster.port}")]
    known[0].send(msgpack.packb({"type": "broker_get", "request": 1}))
    assert known[0].poll(1000 * harness.seconds(5)) and known[0].recv_multipart()
    known += [harness.dealer_to(f"tcp://127.0.0.1:{cluster.port}") for _ in range(needed["broker0"])]
    for dealer in known:
        dealer.send(msgpack.packb({"type": "broker_get", "request": 2}))
    wait_for(lambda: "refuses connections" in (cluster.dir / "broker0.log").read_text(), 10, "it says so")
    assert known[0].poll(1000 * harness.seconds(5)) and in_use(cluster.brokers[0]) <= needed["broker0"]
    for dealer in known:
        dealer.close()
    wait_for(lambda: in_use(cluster.brokers[0]) < needed["broker0"] - 20, 10, "they are given back")
    # A peer that comes back finds room, whoever took what it had left.
    follower = next(n for n in (1, 2, 3) if n != cluster.status()["coordinator"])
    coordinator = cluster.status()["coordinator"]
    cluster.kill(cluster.nodes[follower])
    held = intrude(cluster.node_port(coordinator))
    for one in held:
        one.close()
    cluster.start_node(follower)
    cluster.wait_healthy(20)
    cluster.submit(61)


class Strangers:
    """As many connections as a port takes, which say nothing and are made again when they are ended. A thread for each port:
    one that takes none at the moment holds up no other."""

    def __init__(self, ports, each):
        self.each, self.over, self.made = each, threading.Event(), [0] * len(ports)
        self.threads = [threading.Thread(target=self.run, args=(n, port), daemon=True) for n, port in enumerate(ports)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def run(self, number, port):
        held = []
        while not self.over.is_set():
            one = socket.socket()
            one.settimeout(0.5)
            try:
                one.connect(("127.0.0.1", port))
                self.made[number] += 1
                held.append(one)
            except OSError:
                one.close()
            if len(held) > self.each:
                held.pop(0).close()
            self.over.wait(0.002)
        for one in held:
            one.close()

    def join(self):
        for thread in self.threads:
            thread.join()


def test_who_brings_no_key_leaves_room_for_who_has_one_X5(make_cluster):
    """All processes have just the descriptors that they need. Strangers open connections to all their ports that others connect
    to, hold them, and make new ones. Clients with a key come and are answered, and a node that starts again meets all others."""
    cluster = make_cluster(nodes=3)
    start_with_what_is_needed(cluster)
    before = cluster.status()
    ports = [cluster.port, *(cluster.node_port(node, plane) for node in (1, 2, 3) for plane in (0, 1, 2, 3))]
    strangers = Strangers(ports, 300)
    strangers.start()
    try:
        wait_for(lambda: min(strangers.made) > 100, 30, "they hold all that they get")
        for n in range(50, 60):  # each is a new connection
            assert cluster.ok("submit", "factorial", n, timeout=10)
        held = cluster.status()
        assert (held["term"], held["coordinator"]) == (before["term"], before["coordinator"])
        follower = next(n for n in (1, 2, 3) if n != before["coordinator"])
        cluster.kill(cluster.nodes[follower])
        cluster.start_node(follower)
        cluster.wait_healthy(20)
        cluster.wait_met(deadline=20)
        for n in range(60, 65):
            assert cluster.ok("submit", "factorial", n, timeout=10)
    finally:
        strangers.over.set()
        strangers.join()
    after = cluster.wait_healthy(20)
    assert (after["term"], after["coordinator"]) == (before["term"], before["coordinator"])


def test_a_connection_without_a_key_is_ended_after_a_while_X5(make_cluster):
    """HANDSHAKE_MS: five seconds."""
    cluster = make_cluster(nodes=1).start()
    cluster.wait_healthy()
    held = [socket.create_connection(("127.0.0.1", port)) for port in (cluster.port, cluster.port + 1, cluster.node_port(1))]
    began = time.monotonic()
    for one in held:
        one.settimeout(harness.seconds(10))
        greeting = one.recv(10)
        while greeting:  # what the other side greets with, then its end
            greeting = one.recv(100)
        assert 4 < time.monotonic() - began < harness.seconds(8)
        one.close()
