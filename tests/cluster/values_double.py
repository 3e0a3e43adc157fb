"""A broker with a coordinator behind it, for tests of what clients do with stored values and inputs: as docs/protocol.md says
it, in memory, without keys, and with the faults that a test asks for. Jobs over inputs are done at once, by Python."""
import hashlib
import math
import threading
import zlib

import msgpack
import zmq

CHUNK = 512 * 1024
WINDOW = 8


def unpack_integers(data):
    """The integers of the packed form (shared/base/packed.h)."""
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at:at + 4], "little")
        part = data[at + 4:at + 4 + size]
        assert len(part) == size >= 1 and part[0] in (0, 1) and not part.endswith(b"\0", 1), part[:40]
        magnitude = int.from_bytes(part[1:], "little")
        assert not (part[0] and not magnitude)
        found.append(-magnitude if part[0] else magnitude)
        at += 4 + size
    return found


def gcd_rows(numbers, known=()):
    rows = []
    for i, number in enumerate(numbers):
        shared = [(str(j + 1), math.gcd(number, other)) for j, other in enumerate(numbers) if j != i]
        shared += [(f"k{j + 1}", math.gcd(number, other)) for j, other in enumerate(known)]
        shared = [(name, gcd) for name, gcd in shared if gcd > 1]
        if shared:
            gcd = math.gcd(number, math.prod(gcd for _, gcd in shared))
            equal = "\tduplicate" if any(j != i and other == number for j, other in enumerate(numbers)) else ""
            rows.append(f"{i + 1}\t{','.join(name for name, _ in shared)}\t{gcd:x}{equal}\n")
    return "".join(rows)


class Refused(Exception):
    pass


class Value:
    def __init__(self, number, request):
        self.id = 1 << 40 | number
        self.sha256, self.len, self.format = request["sha256"], request["len"], request["format"]
        self.name, self.segments, self.items, self.whole, self.jobs = request.get("name", ""), [], 0, False, []
        self.open = {}  # by segment: what came of it

    def row(self):
        return {"value": self.id, "sha256": self.sha256, "len": self.len, "format": self.format, "name": self.name,
                "owner": "", "whole": self.whole, "segments": len(self.segments), "bytes": sum(map(len, self.segments)),
                "items": self.items, "age_ms": 5000, "jobs": [{"job": job} for job in self.jobs]}

    def bytes(self):
        return b"".join(self.segments)


class Double(threading.Thread):
    """`lose(n)`: whether nothing is answered to the n-th chunk; `fall(n)`: whether the coordinator is replaced instead, which
    forgets what is not durable."""

    def __init__(self, port, lose=lambda n: False, fall=lambda n: False):
        super().__init__(daemon=True)
        self.port, self.lose, self.fall = port, lose, fall
        self.values, self.jobs, self.puts, self.term, self.running = [], {}, 0, 1, True
        self.begun, self.put_bytes = 0, 0
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.bind(f"tcp://127.0.0.1:{port}")

    def run(self):
        while self.running:
            if self.socket.poll(50):
                self.take(*self.socket.recv_multipart())
        self.socket.close(0)
        self.context.term()

    def close(self):
        self.running = False
        self.join()

    def take(self, client, head, *frames):
        request = msgpack.unpackb(head)
        try:
            answer = getattr(self, request["type"])(request, *frames)
        except Refused as refusal:
            code, reason = refusal.args
            answer = {"type": "error", "code": code, "reason": reason}
        if answer:
            answer, *more = answer if isinstance(answer, tuple) else (answer,)
            self.socket.send_multipart([client, msgpack.packb(answer | {"request": request["request"]}), *more])

    def broker_get(self, _):
        return {"type": "broker", "coordinator": 1, "term": self.term, "quorum": 1, "nodes": [], "forwarded": 0, "rejected": 0}

    # values

    def find(self, number):
        for value in self.values:
            if value.id == number:
                return value
        raise Refused("not_found", "no such value")

    def value_begin(self, request):
        self.begun += 1
        for value in self.values:
            if (value.sha256, value.format) == (request["sha256"], request["format"]):
                break
        else:
            value = Value(len(self.values) + 1, request)
            self.values.append(value)
        return {"type": "value", "values": [value.row()]}

    def value_put(self, request, data):
        self.puts += 1
        value = self.find(request["value"])
        if self.fall(self.puts):
            self.term += 1
            for other in self.values:
                other.open = {}
            return None
        if self.lose(self.puts):
            return None
        assert 0 < len(data) <= CHUNK
        taken = {"type": "value_chunk_taken", "value": value.id, "segment": request["segment"], "offset": request["offset"]}
        if request["segment"] <= len(value.segments):
            return taken
        if request["segment"] > 1 + len(value.segments):
            raise Refused("stale", "a segment before it is not there")
        sofar = value.open.get(request["segment"], b"")
        if request["offset"] < len(sofar):
            return taken
        if request["offset"] > len(sofar):
            raise Refused("stale", "a chunk before it is not there")
        self.put_bytes += len(data)
        sofar = value.open[request["segment"]] = sofar + data
        if len(sofar) == request["len"]:
            assert hashlib.sha256(sofar).digest() == request["sha256"]
            if value.format == "integers":
                assert len(unpack_integers(sofar)) == request["items"]
            value.segments.append(sofar)
            value.items += request["items"]
            del value.open[request["segment"]]
        return taken

    def value_end(self, request):
        value = self.find(request["value"])
        if len(value.bytes()) != value.len:
            raise Refused("stale", "segments are missing")
        assert hashlib.sha256(value.bytes()).digest() == value.sha256
        value.whole = True
        return {"type": "value", "values": [value.row()]}

    def value_list(self, request):
        rows = [value.row() for value in self.values if value.id > request.get("after", 0)
                and value.sha256.hex().startswith(request.get("prefix", ""))]
        return {"type": "value_page", "more": len(rows) > 3, "values": rows[:3]}

    def value_read(self, request):
        value, at = self.find(request["value"]), request["offset"]
        data = value.bytes()[at:at + min(CHUNK, request["len"])]
        return {"type": "value_bytes", "value": value.id, "offset": at, "total": value.len}, data

    def value_drop(self, request):
        value = self.find(request["value"])
        if value.jobs:
            raise Refused("in_use", "job 1-9 names it")
        self.values.remove(value)
        return {"type": "value", "values": [value.row()]}

    # jobs

    def session_open(self, _):
        raise Refused("invalid", "no sessions here; free keys do")

    def submit(self, request):
        inputs = [self.find(ref["value"]) for ref in request.get("inputs", [])]
        lists = [unpack_integers(value.bytes()) for value in inputs]
        spec = list(map(int, request["spec"].split()))
        told = [number for value in inputs for number in (len(value.segments), value.items, len(value.bytes()))]
        assert [n for n in spec if n] == told, (spec, told)
        if request["kind"] == "product":
            text = str(math.prod(lists[0]) if lists else 1)
        else:
            text = gcd_rows(*lists)
        job = 1 << 40 | 1000 + len(self.jobs)
        for value in inputs:
            value.jobs.append(job)
        row = {"job": job, "key": request["key"], "kind": request["kind"], "spec": request["spec"], "state": "done",
               "submitted_ms": 1, "done": 1, "total": 1, "digits": len(text),
               "sha256": hashlib.sha256(text.encode()).digest()}
        row |= {"text": text} if len(text) <= 1000 else {"head": text[:20], "tail": text[-20:]}
        self.jobs[job] = row, text
        return {"type": "job", "jobs": [row]}

    def job_get(self, request):
        if request["job"] not in self.jobs:
            raise Refused("not_found", "no such job")
        return {"type": "job", "jobs": [self.jobs[request["job"]][0]]}

    def result_get(self, request):
        text, at = self.jobs[request["job"]][1], request["offset"]
        return {"type": "result_chunk", "offset": at, "total": len(text)}, text[at:at + CHUNK].encode()


def gzip(data):
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush()
