"""Stored values over real processes: uploads in segments, resumed after kills, read through any broker, dropped (V1, V2, V3)."""
import hashlib
import random
import time

from harness import request, wait_for

CHUNK, SEGMENT = 512 * 1024, 2 * 1024 * 1024
RETRIED = ("not_coordinator", "unavailable", "busy")


class Client:
    """Asks the brokers in turn, as docs/protocol.md says."""

    def __init__(self, cluster):
        self.addresses, self.broker, self.number = cluster.broker.split(","), 0, 0

    def ask(self, kind, *frames, **fields):
        """The answer and its frames; what is to be asked again is asked again."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            self.number += 1
            try:
                answer, more = request(self.addresses[self.broker], dict(type=kind, request=self.number, **fields), *frames,
                                       timeout=2)
            except AssertionError:
                answer = None  # it may have been lost with a coordinator
            if answer and not (answer["type"] == "error" and answer["code"] in RETRIED):
                return answer, more
            self.broker = (self.broker + 1) % len(self.addresses)
            time.sleep(0.05)
        raise AssertionError(f"{kind} is not answered")

    def begin(self, data, name="data"):
        answer, _ = self.ask("value_begin", sha256=hashlib.sha256(data).digest(), len=len(data), format="bytes", name=name)
        assert answer["type"] == "value", answer
        return answer["values"][0]

    def put(self, row, data, segments=10**9):
        """Sends so many segments behind what is durable; False: it must begin again."""
        at, number = row["bytes"], row["segments"] + 1
        while at < len(data) and segments:
            segment = data[at:at + SEGMENT]
            for offset in range(0, len(segment), CHUNK):
                answer, _ = self.ask("value_put", segment[offset:offset + CHUNK], value=row["value"], segment=number, offset=offset,
                                     len=len(segment), sha256=hashlib.sha256(segment).digest(), items=len(segment))
                if answer["type"] == "error":
                    assert answer["code"] == "unknown", answer
                    return False
                assert answer["type"] == "value_chunk_taken" and answer["offset"] == offset, answer
            at, number, segments = at + len(segment), number + 1, segments - 1
        return True

    def upload(self, data):
        row = self.begin(data)
        while not self.put(row, data):
            row = self.begin(data)
        answer, _ = self.ask("value_end", value=row["value"])
        assert answer["type"] == "value" and answer["values"][0]["whole"], answer
        return row["value"]

    def read(self, value):
        data, total = b"", None
        while total is None or len(data) < total:
            answer, (piece,) = self.ask("value_read", value=value, offset=len(data), len=CHUNK)
            assert answer["type"] == "value_bytes" and answer["offset"] == len(data), answer
            data, total = data + piece, answer["total"]
        return data


def files(cluster, node):
    return [path for path in (cluster.dir / f"node{node}").rglob("values/*") if not path.name.endswith(".tmp")]


def test_an_upload_goes_on_behind_what_is_durable_when_its_coordinator_is_killed_V1(make_cluster):
    cluster = make_cluster(nodes=3, brokers=2).start()
    cluster.wait_healthy()
    client = Client(cluster)
    data = random.Random(7).randbytes(5 * SEGMENT + 12345)
    row = client.begin(data)
    assert client.put(row, data, 2)
    before = cluster.kill_coordinator()
    wait_for(lambda: (cluster.status() or {}).get("coordinator") not in (None, 0, before["coordinator"]), 20, "another serves")
    again = client.begin(data)
    assert again["value"] == row["value"] and again["segments"] == 2 and again["bytes"] == 2 * SEGMENT and not again["whole"]
    assert client.upload(data) == row["value"]
    cluster.start_node(before["coordinator"])
    cluster.wait_healthy()
    for broker in range(2):
        client.broker = broker
        assert client.read(row["value"]) == data
    # All voters have it on their disks, the one that was down as well; the last segment is no file, it is small.
    for node in (1, 2, 3):
        wait_for(lambda node=node: len(files(cluster, node)) == 5, 20, f"node {node} has all segments")
    cluster.kill_coordinator()
    assert client.read(row["value"]) == data
    listed, _ = client.ask("value_list", prefix=hashlib.sha256(data).hexdigest()[:6])
    assert [row["value"] for row in listed["values"]] == [row["value"]]


def test_a_value_is_dropped_by_hand_or_when_it_is_old_and_its_files_go_V3(make_cluster):
    cluster = make_cluster(nodes=3, keep_values="8s", compact_entries=16).start()
    cluster.wait_healthy()
    client = Client(cluster)
    generator = random.Random(8)
    first, second = (client.upload(generator.randbytes(300000)) for _ in range(2))
    since = time.monotonic()
    dropped, _ = client.ask("value_drop", value=first)
    assert dropped["type"] == "value" and dropped["values"][0]["value"] == first
    missing, _ = client.ask("value_read", value=first, offset=0, len=10)
    assert missing["code"] == "not_found"
    wait_for(lambda: not client.ask("value_list")[0]["values"], 30, "the other one is old")
    assert time.monotonic() - since > 7, "it was kept for as long as was said"
    assert client.ask("value_end", value=second)[0]["code"] == "not_found"
    for state in range(40):  # the checkpoint on disk names it until the next one
        client.ask("progress_set", index=1, state=1000 + state)
    for node in (1, 2, 3):
        wait_for(lambda node=node: not files(cluster, node), 30, f"node {node} has no file of them")
