"""Too few descriptors: said at start with both numbers; when they run out later, connections are refused and all goes on."""
import os
import re
import resource
import socket
import subprocess
import time

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
        wait_for(lambda: "refuses connections" in (cluster.dir / f"{name}.log").read_text(), 10, "it says so")
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
