"""Requests for snapshots through pyzmq, and a reader of their containers that shares nothing with Conclave."""
import struct
import time

import msgpack
import zmq

import locks
from harness import seconds


class Asker:
    """Many requests at once through one broker; each is asked once."""

    def __init__(self, cluster):
        self.dealer = zmq.Context.instance().socket(zmq.DEALER)
        self.dealer.setsockopt(zmq.LINGER, 0)
        locks.connect(self.dealer, f"tcp://127.0.0.1:{cluster.port}")
        self.signer = locks.signer(f"tcp://127.0.0.1:{cluster.port}")
        self.asked, self.answers, self.bodies = 0, {}, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.dealer.close()

    def start(self, **body):
        """Asks; returns the request's number."""
        self.asked += 1
        self.bodies[self.asked] = body
        self.send(self.asked)
        return self.asked

    def send(self, request):
        body = self.bodies[request]
        packed = msgpack.packb({"request": request} | body)
        self.dealer.send_multipart(self.signer.frames(body["type"], packed, body.get("node")))

    def work(self, timeout):
        """Takes what comes within the time; returns whether anything did."""
        if not self.dealer.poll(1000 * timeout):
            return False
        answer = self.dealer.recv_multipart()
        body = msgpack.unpackb(answer[0])
        if self.signer.take(body):
            self.send(body["request"])
        else:
            self.answers[body["request"]] = body, answer[1:]
        return True

    def wait(self, request, timeout=10):
        """Returns the answer and its further frames; None when none came in time."""
        end = time.monotonic() + seconds(timeout)
        while request not in self.answers:
            left = end - time.monotonic()
            if left <= 0 or not self.work(left):
                return None
        return self.answers.pop(request)

    def ask(self, timeout=10, **body):
        answer = self.wait(self.start(**body), timeout)
        assert answer, f"no answer to {body}"
        return answer

    def start_snapshot(self, node):
        """It has begun when the node answers what it is asked next: what is to be signed was asked before."""
        if not self.signer.knows(node):
            self.ask(type="snapshot_get", node=node, offset=0, incarnation=1, counter=1)
        return self.start(type="snapshot_take", node=node)

    def taken(self, request, timeout=10):
        """The row of the snapshot that was asked for."""
        answer = self.wait(request, timeout)
        assert answer and answer[0]["type"] == "snapshot", answer
        return answer[0]["heads"][0]

    def fetch(self, row):
        """The container of a snapshot, from its initiator."""
        whole, total = b"", 1
        while len(whole) < total:
            answer, frames = self.ask(type="snapshot_get", node=row["initiator"], offset=len(whole),
                                      incarnation=row["incarnation"], counter=row["counter"])
            assert answer["type"] == "snapshot_chunk", answer
            whole, total = whole + frames[0], answer["total"]
        return whole


def split(data):
    """Runs of bytes behind their lengths (32 bits, little-endian)."""
    at = 0
    while at < len(data):
        length, = struct.unpack_from("<I", data, at)
        yield data[at + 4:at + 4 + length]
        at += 4 + length


class Snapshot:
    """What a container says."""

    def __init__(self, container):
        self.bytes = container
        self.states, self.channels, self.handed_out = {}, {}, []
        reporter = None
        for part in split(container):
            row = msgpack.unpackb(next(split(part)))
            if row["type"] == "snapshot_head":
                self.head = row
            elif row["type"] == "cut_state":
                reporter = self.states[row["node"]] = row | {"accounts": {}, "outbox": [], "applied": {}}
            else:
                self.take(reporter, row)

    def take(self, state, row):
        if row["type"] == "cut_accounts":
            state["accounts"] |= {a["name"]: a["balance"] for a in row["rows"]}
        elif row["type"] == "cut_ledger":
            state["outbox"] += row["pending"]
            state["applied"] |= {a["node"]: (a["epoch"], a["upto"]) for a in row.get("applied", [])}
        elif row["type"] == "cut_channel":
            messages = self.channels.setdefault((row["from"], state["node"]), [])
            messages += row.get("messages", [])
        elif row["type"] == "cut_work" and row["coordinator"]:
            self.handed_out += row["ops"]

    @property
    def complete(self):
        return self.head["complete"]

    @property
    def name(self):
        return f"{self.head['initiator']}-{self.head['incarnation']:016x}-{self.head['counter']}"

    def in_accounts(self):
        return sum(sum(state["accounts"].values()) for state in self.states.values())

    def in_channels(self):
        """The transfers in channels; without copies for a receiver that has started again."""
        return sum(m.get("amount", 0) for (source, to), messages in self.channels.items() for m in messages
                   if m["kind"] == "transfer" and m["number"] > self.applied(source, to))

    def applied(self, source, to):
        """Up to which number the receiver has applied what the sender's ledger has sent. Of a ledger before, that of a disk which
        was wiped, the numbers say nothing."""
        epoch, upto = self.states.get(to, {}).get("applied", {}).get(source, (None, 0))
        return upto if epoch == self.states.get(source, {}).get("epoch", 0) else 0

    def waiting(self):
        """Transfers in outboxes that are not in a channel yet; one that a sender which has started again has still to send anew may
        have been applied long before."""
        return sum(row.get("amount", 0) for node, state in self.states.items() for row in state["outbox"]
                   if not row["sent"] and row["number"] > self.applied(node, row["node"]))

    def money(self):
        return self.in_accounts() + self.in_channels() + self.waiting()

    def counts_agree(self):
        """In every channel: sent - received = recorded."""
        sent = {(s["node"], c["node"]): c["sent"] for s in self.states.values() for c in s["counts"]}
        received = {(c["node"], s["node"]): c["received"] for s in self.states.values() for c in s["counts"]}
        return all(sent[way] - received[way] == len(messages) for way, messages in self.channels.items())
