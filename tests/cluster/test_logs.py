"""The log fills no disk: its files are bounded, and so is what others can have written into it."""
import re
import subprocess
import time

import msgpack
import pytest

import harness
from harness import wait_for
from test_bounds import Asker

pytestmark = pytest.mark.alone

LOG_FILE = 16 << 20  # LOG_FILE_BYTES
LINES_PER_S = 200  # LOG_LINES_PER_S, of each kind
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn |info |debug) (node \d+|broker): .*")
JOBS = 4000


def lines_of(cluster, node, *words):
    text = (cluster.dir / f"node{node}.log").read_text(errors="replace")
    return [line for line in text.splitlines() if all(word in line for word in words)]


def left_out(cluster, node, kind):
    return sum(int(re.search(r"(\d+) lines of this kind were left out", line).group(1))
               for line in lines_of(cluster, node, "left out", f": {kind}"))


def test_lines_about_jobs_are_bounded_and_counted(make_cluster):
    cluster = make_cluster(nodes=3).start()
    status = cluster.wait_healthy()
    node = status["coordinator"]
    asker, began = Asker(cluster), time.monotonic()
    for number in range(JOBS):
        asker.ask(number + 1, {"type": "submit", "key": f"line-{number}", "kind": "factorial", "spec": "5"})
    assert asker.finish(60) and not asker.errors

    def all_done():
        return cluster.status()["jobs"]["done"] == JOBS
    wait_for(all_done, 30, "all jobs are done")
    seconds = time.monotonic() - began
    cluster.submit(6)  # the next line of a kind tells what was left out before it
    time_to_tell = time.monotonic()
    wait_for(lambda: time.monotonic() - time_to_tell > 1, 5)
    cluster.submit(7)
    for kind, words in {"job_accepted": " accepted, ", "job_done": " done, ", "result": "!="}.items():
        written = len(lines_of(cluster, node, words))
        assert written <= LINES_PER_S * (seconds + 4), (kind, written, seconds)
        assert written + left_out(cluster, node, kind) == JOBS + 2, kind


def pose_as(cluster, victim, incarnation, target):
    """A connection to the channels of `target` that says it is `victim`, who does not run."""
    dealer = harness.dealer_to(f"tcp://127.0.0.1:{cluster.node_port(target, 1)}")
    hello = {"type": "hello", "cluster": "conclave", "plane": 1, "src": victim, "incarnation": incarnation, "dst": target,
             "connection": 1}
    dealer.send(msgpack.packb(hello))
    return dealer


def test_lines_about_rejected_messages_are_bounded_and_counted(make_cluster):
    cluster = make_cluster(nodes=3).start()
    status = cluster.wait_healthy()
    target, victim = status["coordinator"], status["coordinator"] % 3 + 1
    cluster.kill(cluster.nodes[victim])
    wait_for(lambda: not cluster.status()["nodes"][victim - 1]["alive"], 10, "it is not alive")
    before, began = cluster.rejected(target), time.monotonic()
    of_target = cluster.feed.wait(lambda m: m["node"] == target)
    dealer = pose_as(cluster, victim, 1 << 40, target)
    ack = msgpack.packb({"type": "channel_ack", "src": victim, "src_incarnation": 1 << 40,
                         "dst_incarnation": of_target["incarnation"], "seq": 0, "ack": 1 << 40, "clock": 1})
    for _ in range(5000):  # the core rejects them: nothing like that was sent
        dealer.send(ack)
        dealer.send(b"\xc1")  # and this the inbox
    wait_for(lambda: cluster.rejected(target) >= before + 10_000, 20, "all are counted")
    seconds = time.monotonic() - began
    dealer.close()
    assert 1 <= len(lines_of(cluster, target, "dropped a message")) <= seconds + 2
    assert 1 <= len(lines_of(cluster, target, "rejected ", " message")) <= seconds + 2
    assert cluster.wait_served()["term"] == status["term"]


def fill(path):
    """A log of many years, a line short of its limit."""
    line = b"2026-01-01T00:00:00.000Z info  node 1: nothing of importance" + b"." * 40 + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(line * (LOG_FILE // len(line)))


def test_up_turns_the_logs_of_its_processes_and_its_own(make_cluster):
    cluster = make_cluster(nodes=3)
    up = cluster.dir / "up"
    names = ["node1", "node2", "node3", "broker", "supervisor"]
    for name in names:
        fill(up / f"{name}.log")
    (up / "node1.log.1").write_text("older still\n")
    cluster.ok("up", "--detach", "--dir", "up", "--nodes", 3, "--port", cluster.port, timeout=60)
    cluster.wait_healthy()
    cluster.submit(10)
    for name in names:
        old, new = up / f"{name}.log.1", up / f"{name}.log"
        assert LOG_FILE - 200 < old.stat().st_size < LOG_FILE + 1000 and new.stat().st_size < 100_000, name
        if name != "supervisor":
            last, first = old.read_text().splitlines()[-1], new.read_text().splitlines()[0]
            assert LINE.fullmatch(last) and LINE.fullmatch(first), (last, first)
            assert not last.startswith("2026-01-01") and last[:24] <= first[:24]
    # What a process says at its end is still found, in a file that is shorter than when it began.
    cluster.ok("down", "--dir", "up")
    store = up / "node2" / "store" / "data.mdb"
    store.write_bytes(b"rubbish " * (store.stat().st_size // 8))
    fill(up / "node2.log")
    cluster.ok("up", "--detach", "--dir", "up", timeout=60)

    def troubles():
        done = cluster.conclave("status", "--json", "--dir", "up")
        return "node 2 cannot start: " in done.stdout and "damaged" in done.stdout
    wait_for(troubles, 10, "the trouble of node 2 is told in its words")
    cluster.ok("down", "--dir", "up")


def test_a_log_limit_is_kept_while_a_process_runs(make_cluster):
    """At every moment, at the level that writes most."""
    cluster = make_cluster(nodes=3, log_limit="16KiB", log_level="debug").start()
    status = cluster.wait_healthy()
    asker = Asker(cluster)
    for number in range(1000):
        asker.ask(number + 1, {"type": "submit", "key": f"turn-{number}", "kind": "factorial", "spec": "50"})
        if number % 100 == 0:
            for log in cluster.dir.glob("node*.log*"):
                assert log.stat().st_size < (16 << 10) + 2000, log
    assert asker.finish(60)
    log = cluster.dir / f"node{status['coordinator']}.log"
    assert log.with_name(log.name + ".1").stat().st_size >= 16 << 10
    assert not list(cluster.dir.glob("*.log.1.1")) and not list(cluster.dir.glob("*.log.2"))
    # A log that goes to a pipe, or a device, is nobody's to turn.
    done = subprocess.run(cluster.broker_command(0, **{"log-limit": 1, "front": cluster.port + 50, "peers": "x"}),
                          stderr=subprocess.PIPE, text=True, timeout=10, check=False)
    assert done.returncode == harness.USAGE and done.stderr.count("\n") == 1
