"""A broker lets a client have eight chunks of stored values without an answer (W5): a foreign client that sends and never reads,
and the command line, which never notices."""
import hashlib
import random
import signal

import msgpack
import pytest

import harness
from harness import SANITIZED, memory, request, seconds, wait_for

CREDIT, CHUNK, SEGMENT = 8, 512 << 10, 8 << 20
SENT = 1000  # chunks, 500 MiB


@pytest.fixture
def cluster(make_cluster):
    """One node, so that there is no other one to ask while it stands still; its broker takes it for alive as long."""
    cluster = make_cluster(nodes=1).start()
    cluster.wait_healthy()
    cluster.kill(cluster.brokers[0])
    cluster.brokers[0] = cluster.spawn("broker0", *cluster.broker_command(0, silence="60s"))
    cluster.wait_served()
    return cluster


def refused(cluster):
    return request(cluster.broker, {"type": "broker_get", "request": 1})[0].get("refused", 0)


def begin(cluster, data):
    answer, _ = request(cluster.broker, {"type": "value_begin", "request": 1, "sha256": hashlib.sha256(data).digest(),
                                         "len": len(data), "format": "bytes", "name": "flood"})
    assert answer["type"] == "value", answer
    return answer["values"][0]["value"]


class Flood:
    """Sends chunks of one segment, numbered from 1 on, and reads only when it is told to."""

    def __init__(self, cluster, data):
        self.data = data
        self.value, self.sha256 = begin(cluster, data), hashlib.sha256(data).digest()
        self.dealer = harness.dealer_to(cluster.broker)

    def send(self, *numbers):
        for number in numbers:
            offset = (number - 1) * CHUNK % len(self.data)
            self.dealer.send_multipart([msgpack.packb({
                "type": "value_put", "request": number, "value": self.value, "segment": 1, "offset": offset, "len": len(self.data),
                "sha256": self.sha256, "items": len(self.data)}), self.data[offset:offset + CHUNK]])

    def read(self, n):
        answers = []
        while len(answers) < n:
            assert self.dealer.poll(seconds(20) * 1000), f"{len(answers)} answers of {n}"
            answers.append(msgpack.unpackb(self.dealer.recv_multipart()[0]))
        return answers

    def insist(self, numbers):
        """Sends again what is not answered in a second, as any client does: a request may be lost with its connection."""
        left = set(numbers)

        def answered():
            while self.dealer.poll(1000):
                left.discard(msgpack.unpackb(self.dealer.recv_multipart()[0])["request"])
                if not left:
                    return True
            self.send(*left)
            return False
        wait_for(answered, 30, "each is answered")

    def is_silent(self):
        return not self.dealer.poll(300)


def test_who_never_reads_has_eight_chunks_under_way_W5(cluster):
    flood = Flood(cluster, random.Random(5).randbytes(SEGMENT))
    before = memory(cluster.brokers[0])
    cluster.nodes[1].send_signal(signal.SIGSTOP)
    try:
        flood.send(*range(1, SENT + 1))
        answers = flood.read(SENT - CREDIT)
        assert flood.is_silent()
        grown = memory(cluster.brokers[0]) - before
    finally:
        cluster.nodes[1].send_signal(signal.SIGCONT)
    assert {(one["type"], one["code"]) for one in answers} == {("error", "unavailable")}
    assert {one["reason"] for one in answers} == {"busy: as many chunks of this client are unanswered as it may have"}
    assert {one["request"] for one in answers} == set(range(CREDIT + 1, SENT + 1))
    print(f"{SENT} chunks of 512 KiB: the broker grew by {grown >> 20} MiB")
    assert SANITIZED or grown < 48 << 20, grown  # sanitizers keep what is freed
    flood.insist(range(1, CREDIT + 1))
    cluster.wait_served()
    again = refused(cluster)
    flood.send(*range(SENT + 1, SENT + CREDIT + 1))  # it has its credit again
    assert len(flood.read(CREDIT)) == CREDIT and refused(cluster) == again
    flood.dealer.close()


def test_the_command_line_never_has_more_and_others_have_their_own_W5(cluster, tmp_path):
    data = random.Random(6).randbytes(40 << 20)
    (tmp_path / "data").write_bytes(data)
    before = refused(cluster)
    name = cluster.ok("value", "put", str(tmp_path / "data"), timeout=60).strip()
    assert refused(cluster) == before
    assert name == "value:" + hashlib.sha256(data).hexdigest()[:16]
    flood = Flood(cluster, random.Random(7).randbytes(SEGMENT))
    (tmp_path / "data").write_bytes(data[::-1])
    flood.send(*range(1, 101))
    cluster.ok("value", "put", str(tmp_path / "data"), timeout=60)
    assert len(flood.read(100)) == 100  # each is answered, one way or the other
    wait_for(flood.is_silent, 5)
    flood.dealer.close()
