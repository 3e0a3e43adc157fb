"""Clients that ask for much and never read: what waits for them is bounded, and given back when they are gone."""
import time

import msgpack
import pytest
import zmq

import harness
import locks
from harness import forget_peak, memory, seconds, wait_for

pytestmark = pytest.mark.alone

CHUNK = 512 << 10  # of a result, in one answer
CLIENTS, REQUESTS = 30, 60  # some MiB of answers for each are taken by the sockets of the system
WAITING = 64 << 20  # BROKER_WAITING_BYTES
REPLIES_WAITING = 32 << 20  # REPLIES_WAITING_BYTES


class Deaf:
    """A client whose answers pile up: it reads one of them at most."""

    def __init__(self, address):
        self.context = zmq.Context()
        self.dealer = self.context.socket(zmq.DEALER)
        for option, value in ((zmq.RCVHWM, 1), (zmq.RCVBUF, 4096), (zmq.LINGER, 0)):
            self.dealer.setsockopt(option, value)
        locks.connect(self.dealer, address)
        self.asked = 0
        self.envelope = []

    def ask(self, job):
        self.asked += 1
        self.dealer.send_multipart(self.envelope + [msgpack.packb(
            {"type": "result_get", "request": self.asked, "node": 0, "job": job, "offset": 0})])

    def read(self, timeout=5):
        """Everything that comes, until nothing has come for a moment; returns the numbers answered."""
        answered = []
        while self.dealer.poll(1000 * timeout if not answered else 500):
            answered.append(msgpack.unpackb(self.dealer.recv_multipart()[0])["request"])
        return answered

    def close(self):
        self.dealer.close()
        self.context.term()


@pytest.fixture
def cluster(tmp_path):
    yield from harness.healthy(tmp_path, nodes=3)


@pytest.fixture
def job(cluster):
    return harness.job_number(cluster.submit(150000)["id"])  # 711,000 digits


@pytest.fixture
def deaf(cluster):
    clients = [Deaf(cluster.broker) for _ in range(CLIENTS)]
    yield clients
    for client in clients:
        client.close()


def flood(clients, job, requests=REQUESTS):
    for _ in range(requests):
        for client in clients:
            client.ask(job)


def arrived(cluster, number):
    """The broker has passed on, or refused, so many requests of these clients."""
    status = cluster.json("status")["brokers"][0]
    return status["forwarded"] + status["refused"] >= number


def press(clients, job, cluster):
    """Asks on, a few requests at a time, until something is given up. A node reads few results at once, and while answers are
    sealed it refuses most of a flood with a small answer that says to ask again."""
    def pressed():
        flood(clients, job, 2)
        return given_up(cluster)
    wait_for(pressed, 30, "what is too much is given up", pause=0.05)


def given_up(cluster):
    """How many requests, and answers, of clients that do not read were refused or dropped; a machine that is busy may not
    tell at once."""
    brokers = (cluster.status() or {}).get("brokers")
    return brokers and brokers[0]["refused"] + brokers[0]["dropped"]


@pytest.mark.skipif(harness.SANITIZED, reason="sanitizers keep what is freed")
def test_a_broker_gives_back_what_waited_for_clients_that_are_gone(cluster, job, deaf):
    broker = cluster.brokers[0]
    for client in deaf:
        client.ask(job)
        assert client.dealer.poll(seconds(10) * 1000), "it is connected, and served"
    start = memory(broker)
    forget_peak(broker)
    flood(deaf, job)
    wait_for(lambda: arrived(cluster, CLIENTS * REQUESTS), 30, "the broker has seen all requests")
    # More is answered than may wait; without a bound nothing would be given up.
    press(deaf, job, cluster)
    # Others are served meanwhile, large results too.
    began = time.monotonic()
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"
    assert len(cluster.ok("submit", "factorial", 150001)) > 700000
    assert time.monotonic() - began < seconds(10)
    peak = memory(broker, "VmHWM")
    assert peak - start < WAITING + CLIENTS * CHUNK + (32 << 20), f"{start >> 20} -> {peak >> 20} MiB"
    for client in deaf:
        client.close()
    wait_for(lambda: memory(broker) < start + (16 << 20), 15,
             f"what waited is given back: {start >> 20} MiB at the start, {peak >> 20} at most")
    print(f"{start >> 20} MiB at the start, {peak >> 20} at most, {memory(broker) >> 20} at the end")


def test_a_client_that_reads_again_is_served_again(cluster, job, deaf):
    """What is too much for it is dropped, the newest first, and asked for again by whoever needs it."""
    client = deaf[0]
    flood([client] * 2, job)
    wait_for(lambda: arrived(cluster, 2 * REQUESTS), 30, "the broker has seen all requests")
    answered = client.read()
    assert answered and answered[0] == 1
    client.ask(job)
    assert client.read()[-1] == client.asked


@pytest.mark.skipif(harness.SANITIZED, reason="sanitizers keep what is freed")
def test_a_node_keeps_little_for_a_broker_that_does_not_read(cluster, job):
    """What a broker that stands still leaves in the node is bounded, too; other brokers notice nothing."""
    status = cluster.status()
    node = cluster.nodes[status["coordinator"]]
    address = f"tcp://127.0.0.1:{cluster.node_port(status['coordinator'])}"
    broker = Deaf(address)
    broker.envelope = [b"client", locks.stated(address)]
    try:
        broker.ask(job)
        assert broker.dealer.poll(seconds(10) * 1000), "it is connected, and served"
        start = memory(node)
        forget_peak(node)
        for _ in range(500):
            broker.ask(job)
        assert len(cluster.ok("submit", "factorial", 150001)) > 700000
        assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"
        peak = memory(node, "VmHWM")
        assert peak - start < 2 * REPLIES_WAITING, f"{start >> 20} -> {peak >> 20} MiB"
        print(f"node: {start >> 20} MiB at the start, {peak >> 20} at most")
    finally:
        broker.close()
