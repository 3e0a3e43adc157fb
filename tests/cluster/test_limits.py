"""Strangers who send or ask without end: each meets a bound, what they took is given back, and the others notice nothing.

`make limits` runs the same with larger numbers (CONCLAVE_LIMITS=full)."""
import contextlib
import os
import random
import re
import resource
import threading
import time

import msgpack
import pytest

import harness
import zmtp
from harness import OK, SANITIZED, UNREACHABLE, cpu_seconds, forget_peak, memory, wait_for
from test_bounds import Asker
from test_broker_memory import Deaf

pytestmark = pytest.mark.alone

CLUSTER = {"insecure": True}  # the bounds are those of the wire; test_doors.py has strangers and keys
FULL = os.environ.get("CONCLAVE_LIMITS") == "full"
MIB = 1 << 20
IDLE = 10_000  # connections; to a node, which has no clients of its own, fewer when time is short
IDLE_AT_NODE = IDLE if FULL else 1000
GIVEN_BACK_SECONDS = 60  # a node's memory goes back to the system some 20 s after the last work
IDLE_BYTES = 32 << 10  # of memory for each of them
DEAF_SUBSCRIBERS, EVENTS = (2000, 20_000) if FULL else (300, 3000)
DEAF_BROKERS, REPLIES_WAITING_ALL = 16, 128 * MIB
FLOOD_SECONDS, FLOODERS = (60, 8) if FULL else (2, 4)
FLOOD_BYTES = REPLIES_WAITING_ALL + 48 * MIB  # of a process that is flooded
TOPICS_BYTES = 32 * MIB  # what is sent of topics, and of parts, when nothing stops it
LONGEST_TURN_US = 150_000  # of an event loop, without what it waited for a processor
no_sanitizer = pytest.mark.skipif(SANITIZED, reason="sanitizers keep what is freed")


@pytest.fixture(scope="module")
def trio(tmp_path_factory):
    # Not so short that a loaded machine elects: what a loop does itself is told from what it waits for a processor.
    yield from harness.healthy(tmp_path_factory.mktemp("limits"), nodes=3, insecure=True, election_timeout="3s")


@pytest.fixture(autouse=True)
def many_descriptors():
    before = zmtp.raise_descriptors()
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextlib.contextmanager
def undisturbed(cluster):
    """Whatever happens within: nobody is elected or suspected, jobs are done, requests answered at once."""
    before = cluster.wait_healthy(20)
    yield before
    # Behind whatever a flood has left: until then a queue is full, or an answer comes too late.
    wait_for(lambda: cluster.conclave("submit", "factorial", 10).stdout == "10!=3628800\n", 10, "jobs are done")
    after = cluster.wait_healthy()
    for node in after["nodes"]:
        assert SANITIZED or node["longest_turn_own_us"] < LONGEST_TURN_US, (node["id"], node["longest_turn_in"])
    assert after["term"] == before["term"] and after["elections"] == before["elections"]
    assert [node["incarnation"] for node in after["nodes"]] == [node["incarnation"] for node in before["nodes"]]


def processes(cluster, status):
    """(name, process, its front or control port, its feed's port) of the coordinator and of the broker."""
    node = status["coordinator"]
    return [(f"node {node}", cluster.nodes[node], cluster.node_port(node), cluster.node_port(node, 3)),
            ("broker", cluster.brokers[0], cluster.port, cluster.port + 1)]


def send_without_end(port, kind, pieces):
    """True once the connection is ended; fails when it is not."""
    raw = zmtp.connect(port, kind)
    try:
        for piece in pieces:
            raw.sendall(piece)
        return bool(wait_for(lambda: zmtp.is_ended(raw), 5, "the connection is ended"))
    except OSError:
        return True
    finally:
        raw.close()


def grows_little(process, send, limit=16 * MIB):
    start = memory(process)
    forget_peak(process)
    assert send()
    peak = memory(process, "VmHWM")
    assert SANITIZED or peak - start < limit, f"{start >> 20} -> {peak >> 20} MiB"


def test_a_message_that_does_not_end_ends_its_connection(trio):
    with undisturbed(trio) as status:
        for _, process, port, _ in processes(trio, status):
            for size in (0, 60_000):
                parts = [zmtp.frame(b"x" * size, zmtp.MORE) * (TOPICS_BYTES // 64 // (size + 64))] * 64
                grows_little(process, lambda at=port, p=parts: send_without_end(at, b"DEALER", p))
        before = status["nodes"][status["coordinator"] - 1]["rejected"], status["brokers"][0]["rejected"]
        wait_for(lambda: trio.rejected(status["coordinator"]) >= before[0] + 2, what="the node counts them")
        wait_for(lambda: trio.rejected(broker=0) >= before[1] + 2, what="the broker counts them")
    for log in ("broker0.log", f"node{status['coordinator']}.log"):
        assert "sends a message that does not end" in (trio.dir / log).read_text()


def test_a_subscriber_that_names_topics_without_end_ends_its_connection(trio):
    generator = random.Random(1)
    topics = [b"".join(zmtp.frame(b"\x01" + generator.randbytes(200)) for _ in range(2000))
              for _ in range(TOPICS_BYTES // 400_000)]
    with undisturbed(trio) as status:
        for _, process, _, feed in processes(trio, status):
            grows_little(process, lambda at=feed: send_without_end(at, b"SUB", topics))
        heard = trio.feed.mark()
        trio.feed.wait(lambda m: m["type"] == "heartbeat", what="others hear the feed", since=heard)


@no_sanitizer
def test_idle_connections_cost_little_and_are_given_back(trio):
    with undisturbed(trio) as status:
        for name, process, port, _ in processes(trio, status):
            start, held, used = memory(process), [], cpu_seconds(process.pid)
            began = time.monotonic()
            try:
                wanted, refused = IDLE if name == "broker" else IDLE_AT_NODE, 0
                for _ in range(wanted):
                    try:
                        held.append(zmtp.connect(port))
                    except OSError:
                        refused += 1  # as many as there are descriptors
                wait_for(lambda: cpu_rests(process), 30, "they have been taken")
                kept = sum(not zmtp.is_ended(raw) for raw in held)
                took = memory(process) - start
                assert kept + refused == wanted and took < kept * IDLE_BYTES, (kept, refused, took)
                assert kept > 0.9 * wanted or refused, kept
                assert trio.ok("submit", "factorial", 11) == "11!=39916800\n"
                print(f"{name}: {kept} of {wanted} idle connections, {took >> 20} MiB, "
                      f"{cpu_seconds(process.pid) - used:.1f} s of a processor in {time.monotonic() - began:.1f} s")
            finally:
                for raw in held:
                    raw.close()
            if FULL or name == "broker":
                wait_for(lambda: memory(process) < start + took // 2, GIVEN_BACK_SECONDS, "they are given back")
            wait_for(trio.status, 10, "it has seen them go")


def cpu_rests(process, over=0.2):
    """It uses less than half of a processor."""
    before = cpu_seconds(process.pid)
    time.sleep(over)  # a rate needs an interval
    return cpu_seconds(process.pid) - before < over / 2


@no_sanitizer
def test_subscribers_that_never_read_cost_little(trio):
    with undisturbed(trio) as status:
        deaf = []
        try:
            for _, _, _, feed in processes(trio, status):
                for _ in range(DEAF_SUBSCRIBERS):
                    deaf.append(zmtp.connect(feed, b"SUB", receive_buffer=4096))
                    deaf[-1].sendall(zmtp.frame(b"\x01"))
            sizes = {name: memory(process) for name, process, _, _ in processes(trio, status)}
            for _, process, _, _ in processes(trio, status):
                forget_peak(process)
            heard, asker = trio.feed.mark(), Asker(trio)
            for number in range(1, EVENTS + 1):
                asker.ask(number, {"type": "submit", "key": f"event-{number}", "kind": "factorial", "spec": "5"})
            assert asker.finish(60) and not asker.errors
            for name, process, _, _ in processes(trio, status):
                grown = memory(process, "VmHWM") - sizes[name]
                print(f"{name}: {grown >> 20} MiB for {DEAF_SUBSCRIBERS} subscribers and {EVENTS} jobs")
                assert grown < 2 * DEAF_SUBSCRIBERS * IDLE_BYTES + 48 * MIB, (name, grown >> 20)
            trio.feed.wait(lambda m: m.get("event") == "job_done", what="who reads hears", since=heard)
        finally:
            for raw in deaf:
                raw.close()


@no_sanitizer
def test_many_that_ask_a_node_and_never_read_share_one_bound(trio):
    """As brokers do, each with a queue of its own."""
    with undisturbed(trio) as status:
        job = harness.job_number(trio.submit(150000)["id"])  # 711,000 digits
        name, node, port, _ = processes(trio, status)[0]
        deaf = [Deaf(f"tcp://127.0.0.1:{port}") for _ in range(DEAF_BROKERS)]
        try:
            for it in deaf:
                it.envelope = [b"client", b""]
                it.ask(job)
                assert it.dealer.poll(harness.seconds(10) * 1000), "it is connected, and served"
            start = memory(node)
            forget_peak(node)
            for _ in range(80):
                for it in deaf:
                    it.ask(job)
            assert len(trio.ok("submit", "factorial", 150001)) > 700000
            wait_for(lambda: cpu_rests(node), 30, "it has answered all")
            peak = memory(node, "VmHWM")
            print(f"{name}: {start >> 20} MiB at the start, {peak >> 20} at most")
            assert peak - start < REPLIES_WAITING_ALL + DEAF_BROKERS * MIB + 48 * MIB, f"{start >> 20} -> {peak >> 20}"
        finally:
            for it in deaf:
                it.close()
        if FULL:
            wait_for(lambda: memory(node) < start + 48 * MIB, GIVEN_BACK_SECONDS, "it is given back")


class Flood(threading.Thread):
    """Sends the same bytes to a port, again and again, and reads nothing."""

    def __init__(self, port, bytes_):
        super().__init__(daemon=True)
        self.raw, self.bytes, self.sent, self.running = zmtp.connect(port), bytes_, 0, True
        self.raw.settimeout(0.2)
        self.start()

    def run(self):
        rest = memoryview(self.bytes)
        while self.running:
            try:
                n = self.raw.send(rest)
            except TimeoutError:
                continue
            except OSError:
                return
            self.sent += n
            rest = rest[n:] or memoryview(self.bytes)

    def end(self):
        self.running = False
        self.join()
        self.raw.close()


def floods():
    """What is sent: rubbish as large as it may be, rubbish in many parts, small requests that are answered at length."""
    ask = msgpack.packb({"type": "job_list", "request": 1, "node": 0})
    return {"large": zmtp.frame(os.urandom(MIB)),
            "parts": (zmtp.frame(b"x" * 4000, zmtp.MORE) * 255 + zmtp.frame(b"x")),
            "requests with ballast": zmtp.frame(ask, zmtp.MORE) + zmtp.frame(b"x" * 4000, zmtp.MORE) * 240 + zmtp.frame(b"x"),
            "requests": zmtp.frame(ask) * 1000,
            "requests of a broker": (zmtp.frame(b"me", zmtp.MORE) + zmtp.frame(b"", zmtp.MORE) + zmtp.frame(ask)) * 1000}


@pytest.mark.parametrize("kind", floods())
def test_who_floods_is_not_kept_in_memory(trio, kind):
    with undisturbed(trio) as status:
        bytes_ = floods()[kind]
        for name, process, port, _ in processes(trio, status):
            start = memory(process)
            forget_peak(process)
            all_ = [Flood(port, bytes_) for _ in range(FLOODERS)]
            try:
                until, slowest, busy = time.monotonic() + FLOOD_SECONDS / 2, 0, 0
                while time.monotonic() < until:
                    began = time.monotonic()
                    done = trio.conclave("status", "--json")
                    slowest = max(slowest, time.monotonic() - began)
                    # What large requests fill in a broker is full for others, too: they are told so, and ask again.
                    full = done.returncode == UNREACHABLE and re.search("busy: |too many requests", done.stderr)
                    busy += bool(full)
                    assert done.returncode == OK or (full and name == "broker" and "ballast" in kind), done
            finally:
                for it in all_:
                    it.end()
            peak = memory(process, "VmHWM")
            print(f"{name}, {kind}: {sum(it.sent for it in all_) >> 20} MiB sent in {FLOOD_SECONDS / 2:.0f} s; "
                  f"{start >> 20} MiB at the start, {peak >> 20} at most; status in {slowest:.2f} s at most, {busy} busy")
            assert SANITIZED or peak - start < FLOOD_BYTES, f"{name}: {start >> 20} -> {peak >> 20} MiB"
