"""Revoked keys on real processes (X12): what they have open ends within two seconds, and nobody else notices."""
import json
import subprocess
import time

import msgpack
import pytest
import zmq

import harness
from harness import BIN, seconds, wait_for

REVOKED_S = 2


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    yield from harness.healthy(tmp_path_factory.mktemp("revocation"), nodes=3)


class Tail:
    """Everything that a feed says to whoever has this key, with the time when it came."""

    def __init__(self, cluster, mine, port, server, raw=False):
        self.socket = zmq.Context.instance().socket(zmq.SUB)
        self.socket.linger, self.socket.rcvhwm = 0, 0
        self.socket.curve_publickey, self.socket.curve_secretkey = mine["public"].encode(), mine["secret"].encode()
        self.socket.curve_serverkey = server.encode()
        self.socket.subscribe(b"")
        self.socket.connect(f"tcp://127.0.0.1:{port}")
        self.came = []

    def read(self, for_s):
        until = time.monotonic() + for_s
        while (left := until - time.monotonic()) > 0:
            if self.socket.poll(1000 * left):
                self.came.append((time.monotonic(), msgpack.unpackb(self.socket.recv_multipart()[0])))

    def longest_gap(self, of):
        """In the sequence of one node's heartbeats and events: how many are missing at most."""
        seqs = [m["seq"] for _, m in self.came if m["node"] == of]
        return max(b - a - 1 for a, b in zip(seqs, seqs[1:]))


def add(cluster, name, role):
    cluster.ok("keys", "add", name, "--role", role, "--dir", cluster.locks.dir)
    return cluster.locks.read(cluster.locks.file(name))


def revoke(cluster, name):
    cluster.ok("keys", "revoke", name, "--dir", cluster.locks.dir)
    return time.monotonic()


def unchanged(cluster, before):
    after = cluster.wait_healthy()
    assert (after["term"], after["coordinator"]) == (before["term"], before["coordinator"])
    assert [n["incarnation"] for n in after["nodes"]] == [n["incarnation"] for n in before["nodes"]]


def test_a_revoked_monitor_hears_nothing_after_two_seconds_and_the_others_miss_nothing_X12(cluster):
    before, admin = cluster.wait_healthy(), cluster.locks.read(cluster.locks.admin)
    spy = Tail(cluster, add(cluster, "spy", "monitor"), cluster.port + 1, admin["brokers_public"])
    good = Tail(cluster, admin, cluster.port + 1, admin["brokers_public"])
    wait_for(lambda: spy.read(0.2) or good.read(0.2) or len(spy.came) > 20 and len(good.came) > 20, what="both hear the feed")
    revoked = revoke(cluster, "spy")
    good.read(2 * REVOKED_S)
    spy.read(REVOKED_S)
    # What came is read late here, so what the broker sent late is told by the nodes' own time: the sequence of heartbeats.
    last = {m["node"]: m["seq"] for _, m in spy.came}
    heard_until = max(at for at, m in good.came if m["seq"] <= last.get(m["node"], 0))
    assert heard_until <= revoked + seconds(REVOKED_S), f"it heard for {heard_until - revoked:.2f} s"
    assert good.came[-1][0] > revoked + REVOKED_S
    for node in (1, 2, 3):
        assert good.longest_gap(node) == 0, "who is not revoked misses nothing"
    print(f"the feed of a revoked key ended after {max(0, heard_until - revoked):.2f} s")
    unchanged(cluster, before)


def test_the_monitor_of_a_revoked_key_ends_and_says_why_X12(cluster):
    before = cluster.wait_healthy()
    add(cluster, "tina", "monitor")
    with subprocess.Popen([str(BIN / "conclave"), "monitor", "--json", "--access", str(cluster.locks.file("tina"))],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=harness.clean_environment()) as monitor:
        assert json.loads(monitor.stdout.readline())
        revoke(cluster, "tina")
        try:
            _, said = monitor.communicate(timeout=seconds(10))
        finally:
            monitor.kill()
    assert monitor.returncode == 7 and "refused" in said, (monitor.returncode, said)
    unchanged(cluster, before)


def test_a_revoked_broker_hears_no_node_and_its_requests_end_X12(cluster):
    before, locks = cluster.wait_healthy(), cluster.locks
    stolen = add(cluster, "broker9", "broker")
    server = locks.public_of_node(1)
    spy = Tail(cluster, stolen, cluster.node_port(1, 3), server)
    dealer = zmq.Context.instance().socket(zmq.DEALER)
    dealer.linger = 0
    dealer.curve_publickey, dealer.curve_secretkey = stolen["public"].encode(), stolen["secret"].encode()
    dealer.curve_serverkey = server.encode()
    dealer.connect(f"tcp://127.0.0.1:{cluster.node_port(1)}")

    def answered():
        dealer.send_multipart([b"x", stolen["public"].encode(), msgpack.packb({"type": "status_get", "request": 1})])
        return bool(dealer.poll(1000 * seconds(0.3))) and dealer.recv_multipart()
    try:
        wait_for(answered, what="its requests are answered")
        wait_for(lambda: spy.read(0.2) or len(spy.came) > 5, what="it hears the node")
        revoked = revoke(cluster, "broker9")
        wait_for(lambda: not answered(), REVOKED_S, "it is not answered any more")
        spy.read(REVOKED_S)
        heard, _ = len(spy.came), spy.read(1)
        assert len(spy.came) == heard and spy.came[-1][0] <= revoked + seconds(REVOKED_S)
    finally:
        dealer.close()
    unchanged(cluster, before)


def test_a_key_that_ends_loses_what_it_has_subscribed_to_X12(cluster):
    before, admin = cluster.wait_healthy(), cluster.locks.read(cluster.locks.admin)
    cluster.ok("keys", "add", "guest", "--role", "monitor", "--expires", "3s", "--dir", cluster.locks.dir)
    ends = time.monotonic() + 3
    guest = Tail(cluster, cluster.locks.read(cluster.locks.file("guest")), cluster.port + 1, admin["brokers_public"])
    guest.read(3 + REVOKED_S)
    assert guest.came and guest.came[-1][0] <= ends + seconds(REVOKED_S)
    heard = len(guest.came)
    guest.read(1)
    assert len(guest.came) == heard
    unchanged(cluster, before)


def test_a_node_whose_key_is_revoked_is_heard_by_nobody_X12(make_cluster):
    cluster = make_cluster(nodes=4, voters=3).start()
    before = cluster.wait_healthy()
    revoke(cluster, "node4")
    wait_for(lambda: not cluster.status()["nodes"][3]["alive"], 5, "it is not alive to the broker")
    row = harness.request(cluster.broker, {"type": "status_get", "request": 1})[0]
    after = cluster.status()
    assert (after["term"], after["coordinator"]) == (before["term"], before["coordinator"]), row
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"


def test_a_node_speaks_for_itself_alone_on_its_feed_X2(cluster):
    """A process with a node's own key, in that node's place, says on its feed what node 1 would say."""
    before, locks = cluster.wait_healthy(), cluster.locks
    victim = next(n for n in (1, 2, 3) if n != before["coordinator"])
    liar = next(n for n in (1, 2, 3) if n not in (victim, before["coordinator"]))
    mine = locks.read(locks.node(liar))
    truth = Tail(cluster, locks.read(locks.admin), cluster.port + 1, locks.read(locks.admin)["brokers_public"])
    wait_for(lambda: truth.read(0.2) or any(m["node"] == victim and m["type"] == "heartbeat" for _, m in truth.came), what="its word")
    beat = next(m for _, m in reversed(truth.came) if m["node"] == victim and m["type"] == "heartbeat")
    counted = cluster.status()["brokers"][0]["rejected"]
    cluster.kill(cluster.nodes[liar])
    feed = zmq.Context.instance().socket(zmq.PUB)
    feed.linger, feed.curve_server = 0, True
    feed.curve_publickey, feed.curve_secretkey = mine["public"].encode(), mine["secret"].encode()
    feed.bind(f"tcp://127.0.0.1:{cluster.node_port(liar, 3)}")
    try:
        def lie():
            feed.send(msgpack.packb(beat | {"seq": 1 << 50, "pid": 666}))
            time.sleep(0.05)
            return cluster.status()["brokers"][0]["rejected"] >= counted + 3
        wait_for(lie, 20, "it is counted as rejected")
        assert cluster.status()["nodes"][victim - 1]["pid"] != 666
        assert cluster.status()["nodes"][victim - 1]["alive"], "its own heartbeats still count"
        assert f"on the feed of node {liar}" in cluster.logs(200)
        assert f"says that it is from node {victim}" in cluster.logs(200), "nodes refuse it, too"
    finally:
        feed.close()
    cluster.start_node(liar)
    after = cluster.wait_healthy(20)
    assert (after["term"], after["coordinator"]) == (before["term"], before["coordinator"])
