"""Issue 2: "random bytes, wrong types and oversize frames thrown at every socket of every process:
counted in `status`, everything goes on" (X3, X5, X6, X10)."""
import os
import random
import socket
import struct

import msgpack
import pytest
import zmq

from harness import request, seconds, wait_for

CLUSTER = {"insecure": True}  # what may be thrown at sockets that know no keys; test_doors.py has those that do
PLANES = {"control": 0, "channel": 1, "checkpoint": 2, "heartbeat": 3, "value": 4}
NODES = range(1, 7)


def pack(message):
    return msgpack.packb(message)


BOMBS = [
    b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff", b"\xc9\xff\xff\xff\xff\x01", b"\x91" * 60000 + b"\x01",
    b"\xdc\xff\xff" * 20000, b"\xdc\x75\x30" + b"\x00" * 30000, b"\x81\xa4type\xdd\x7f\xff\xff\xff",
    b"\xc1", b"", b"\x80", b"\xc0", b"\x81\xa4type\xc0", pack({"type": "nonsense"}),
    pack({"type": "hello"}) + b"\x00",
]


def wrong_messages(cluster_name="conclave"):
    """Well-formed messages that are wrong in type, in a field, or for whom they come from."""
    hello = {"type": "hello", "cluster": cluster_name, "plane": 0, "src": 2, "incarnation": 5,
             "dst": 1, "connection": 1}
    channel = {"src": 2, "src_incarnation": 1, "dst_incarnation": 1, "seq": 1, "ack": 0, "clock": 1}
    vote = {"type": "vote_request", "pre": False, "term": 5, "last_index": 10 ** 6, "last_term": 4}
    return [
        hello | {"cluster": "foreign"}, hello | {"src": 99}, hello | {"src": 0}, hello | {"src": 101},
        hello | {"src": 1}, hello | {"dst": 77}, hello | {"plane": 9}, hello | {"src": "two"},
        hello | {"src": -1}, hello | {"src": 2.0}, hello | {"incarnation": 2 ** 64 - 1, "dst": 99},
        {k: v for k, v in hello.items() if k != "connection"},
        vote, vote | {"term": 2 ** 24 - 1}, vote | {"term": 2 ** 40}, vote | {"pre": 1},
        {"type": "vote_reply", "pre": False, "term": 1, "granted": True},
        {"type": "task", "term": 1, "ops": []} | channel,
        {"type": "task", "term": 2 ** 24 - 1, "ops": [{}] * 33} | channel | {"seq": 2 ** 64 - 1},
        {"type": "result", "ops": []} | channel | {"ack": 2 ** 63},
        {"type": "release", "term": 1, "job": 0} | channel,
        {"type": "channel_ack"} | channel | {"seq": 0},
        {"type": "value_get", "src": 2, "job": 1, "op": 1, "offset": 2 ** 64 - 1, "len": 1},
        {"type": "value_chunk", "src": 2, "job": 1, "op": 1, "offset": 0, "total": 2 ** 63,
         "found": True},
        {"type": "status_get", "request": 1},
        {"type": "submit", "request": 1, "key": "k", "kind": "factorial", "spec": "10"},
        {"type": "job", "request": 1, "jobs": []},
        {"type": "entry_noop", "node": 2},
    ]


class Thrower:
    """Throws messages at one address and goes away."""

    def __init__(self, address, kind=zmq.DEALER):
        self.context = zmq.Context()
        self.socket = self.context.socket(kind)
        self.socket.setsockopt(zmq.LINGER, 2000)
        self.socket.setsockopt(zmq.SNDTIMEO, 5000)
        self.socket.connect(address)

    def throw(self, *frames):
        self.socket.send_multipart(list(frames))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.destroy()


def sockets_of(cluster):
    """Every listening port of every process."""
    for node in NODES:
        for plane, offset in PLANES.items():
            yield f"node {node} {plane}", cluster.node_port(node, offset)
    yield "broker front", cluster.port
    yield "broker feed", cluster.port + 1


def assert_all_is_well(cluster, status):
    """Nothing fell, nobody was elected, and jobs succeed."""
    after = cluster.wait_healthy()
    assert after["term"] == status["term"] and after["coordinator"] == status["coordinator"]
    assert [n["incarnation"] for n in after["nodes"]] == [n["incarnation"] for n in status["nodes"]]
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"
    job = cluster.submit(300)
    trace = cluster.json("job", "show", job["id"], "--ops")["trace"]
    assert {op["node"] for op in trace} == set(NODES) - {status["coordinator"]}


def test_random_bytes_at_every_socket_X5(cluster):
    before, generator = cluster.wait_healthy(), random.Random(1)
    greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL" + b"\0" * 48
    for _, port in sockets_of(cluster):
        for start in (b"", b"GET / HTTP/1.0\r\n\r\n", greeting, greeting + b"\x04\x26\x05READY",
                      b"\xff" * 10):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
                try:
                    raw.sendall(start + generator.randbytes(generator.randrange(5000)))
                except OSError:
                    pass  # it was closed at once, as it may
    assert_all_is_well(cluster, before)


def test_idle_connections_block_nobody_X5(cluster):
    before = cluster.wait_healthy()
    raw = [socket.create_connection(("127.0.0.1", port), timeout=5)
           for _, port in sockets_of(cluster) for _ in range(10)]
    assert_all_is_well(cluster, before)
    for connection in raw:
        connection.close()
    assert_all_is_well(cluster, before)


@pytest.mark.parametrize("plane", ["control", "channel", "checkpoint", "value"])
def test_garbage_at_the_routers_of_a_node_is_counted_X6(cluster, plane):
    before, generator = cluster.wait_healthy(), random.Random(plane)
    for node in NODES:
        thrown = 0
        with Thrower(f"tcp://127.0.0.1:{cluster.node_port(node, PLANES[plane])}") as thrower:
            for frames in [[bomb] for bomb in BOMBS] + [[pack(m)] for m in wrong_messages()] + \
                    [[generator.randbytes(generator.randrange(1, 200))] for _ in range(50)] + \
                    [[b"x"] * 300, [b"", b"", b""], [b"", pack(wrong_messages()[0])],
                     [pack(wrong_messages()[0]), b"y" * 100000]]:
                thrower.throw(*frames)
                thrown += 1
            # Only two of them can be taken for what they are not: a HELLO of node 2 for node 1.
            wait_for(lambda n=node, t=thrown: cluster.rejected(n) >=
                     before["nodes"][n - 1]["rejected"] + t - 2, 10,
                     f"node {node} counts {thrown} rejected messages")
    assert_all_is_well(cluster, before)


def test_garbage_in_a_clients_envelope_at_a_node_is_answered_and_counted(cluster):
    before = cluster.wait_healthy()
    node = before["coordinator"]
    with Thrower(f"tcp://127.0.0.1:{cluster.node_port(node)}") as thrower:
        for body in BOMBS + [pack(message) for message in wrong_messages()[:-4]]:
            thrower.throw(b"client", b"", body)
            assert thrower.socket.poll(seconds(5) * 1000)
            answer = thrower.socket.recv_multipart()
            assert answer[:2] == [b"client", b""]
            assert msgpack.unpackb(answer[2])["code"] == "malformed"
        # And a right one is answered, with the envelope it came in.
        thrower.throw(b"client", b"", pack({"type": "status_get", "request": 7, "node": node}))
        assert thrower.socket.poll(seconds(5) * 1000)
        answer = msgpack.unpackb(thrower.socket.recv_multipart()[2])
        assert answer["type"] == "status" and answer["request"] == 7
    assert cluster.rejected(node) >= before["nodes"][node - 1]["rejected"] + len(BOMBS)
    assert_all_is_well(cluster, before)


def test_garbage_at_the_brokers_front_is_answered_and_counted_X6(cluster):
    before = cluster.wait_healthy()
    thrown = BOMBS + [pack(message) for message in wrong_messages()[:-4]] + [os.urandom(99)] * 50
    with Thrower(f"tcp://127.0.0.1:{cluster.port}") as thrower:
        for body in thrown:
            thrower.throw(body)
        for _ in thrown:
            assert thrower.socket.poll(seconds(5) * 1000)
            answer = msgpack.unpackb(thrower.socket.recv_multipart()[0])
            assert answer["type"] == "error" and answer["code"] == "malformed"
        thrower.throw(b"", b"", pack({"type": "broker_get", "request": 1}))
        thrower.throw(*[b"x"] * 300)
    rejected = before["brokers"][0]["rejected"] + len(thrown) + 2
    wait_for(lambda: cluster.rejected(broker=0) >= rejected, what="the broker counts them")
    assert_all_is_well(cluster, before)


def test_garbage_at_the_publishers_is_forgotten(cluster):
    """Subscriptions are all that a PUB or XPUB reads; strange ones match nothing."""
    before, generator = cluster.wait_healthy(), random.Random(2)
    ports = [cluster.node_port(node, PLANES["heartbeat"]) for node in NODES] + [cluster.port + 1]
    for port in ports:
        with Thrower(f"tcp://127.0.0.1:{port}", zmq.XSUB) as thrower:
            for _ in range(200):
                thrower.throw(b"\x01" + generator.randbytes(generator.randrange(300)))
                thrower.throw(generator.randbytes(generator.randrange(1, 300)))
            thrower.throw(b"\x01", b"more", b"than one frame")
    assert_all_is_well(cluster, before)


def test_frames_of_more_than_1_MiB_end_their_connection(cluster):
    before = cluster.wait_healthy()
    ports = [cluster.node_port(1, offset) for plane, offset in PLANES.items()
             if plane != "heartbeat"] + [cluster.port]
    for port in ports:
        context = zmq.Context()
        dealer = context.socket(zmq.DEALER)
        dealer.setsockopt(zmq.LINGER, 0)
        monitor = dealer.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        dealer.connect(f"tcp://127.0.0.1:{port}")
        dealer.send(b"\0" * (1024 * 1024 + 1))
        assert monitor.poll(seconds(5) * 1000), f"port {port} reads frames of any size"
        dealer.disable_monitor()
        context.destroy(0)
    # Many frames that are together more than a message may be: dropped and counted.
    rejected = cluster.rejected(1)
    with Thrower(f"tcp://127.0.0.1:{cluster.node_port(1)}") as thrower:
        thrower.throw(*[b"\0" * 100000] * 20)
        wait_for(lambda: cluster.rejected(1) > rejected, what="node 1 counts it")
    assert_all_is_well(cluster, before)


def test_a_stolen_routing_id_mutes_nobody_X3(cluster):
    before = cluster.wait_healthy()
    clients = []
    for identity in [b"\0" + struct.pack(">I", n) for n in range(1, 30)] + [b"client", b"x" * 255]:
        if identity[:1] == b"\0":
            continue  # libzmq refuses to send what it gives out itself; raw below
        for _ in range(3):
            context = zmq.Context()
            dealer = context.socket(zmq.DEALER)
            dealer.setsockopt(zmq.IDENTITY, identity)
            dealer.setsockopt(zmq.LINGER, 0)
            dealer.connect(f"tcp://127.0.0.1:{cluster.port}")
            dealer.send(pack({"type": "broker_get", "request": 1}))
            clients.append(context)
    # A handshake by hand, with the routing ids that libzmq counts up from a random start.
    greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL" + b"\0" * 48
    ready = b"\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\x05\0\0\0\0\x01"
    raw = []
    for port in [cluster.port] + [cluster.node_port(n, p) for n in NODES for p in (0, 1, 4)]:
        connection = socket.create_connection(("127.0.0.1", port), timeout=5)
        connection.sendall(greeting + bytes([4, len(ready)]) + ready)
        raw.append(connection)
    assert_all_is_well(cluster, before)
    for context in clients:
        context.destroy(0)
    for connection in raw:
        connection.close()


def test_a_forged_hello_steals_no_vote_and_starts_no_election_X10(cluster):
    """Without CURVE anybody can claim to be a node; what it then says is still checked."""
    before = cluster.wait_healthy()
    victim = before["coordinator"] % 6 + 1
    rejected = cluster.rejected(victim)
    hello = {"type": "hello", "cluster": "conclave", "plane": 0, "src": 0, "incarnation": 1,
             "dst": victim, "connection": 1}
    with Thrower(f"tcp://127.0.0.1:{cluster.node_port(victim)}") as thrower:
        for src in (0, 7, victim, 101, 2 ** 32 + 1):
            thrower.throw(pack(hello | {"src": src}))
            thrower.throw(pack({"type": "vote_request", "pre": False, "term": before["term"] + 1,
                                "last_index": 2 ** 39, "last_term": before["term"]}))
        wait_for(lambda: cluster.rejected(victim) >= rejected + 10, what="all ten are counted")
    assert_all_is_well(cluster, before)


def test_strange_requests_are_refused_one_by_one(cluster):
    address, status = f"tcp://127.0.0.1:{cluster.port}", cluster.wait_healthy()
    submit = {"type": "submit", "request": 9, "key": "key", "kind": "factorial", "spec": "10"}
    for body, code in [
        (submit | {"key": ""}, "invalid"), (submit | {"key": "a b"}, "invalid"),
        (submit | {"key": "a\nb"}, "invalid"), (submit | {"key": "\x1b[m"}, "invalid"),
        (submit | {"key": "k" * 65}, "malformed"), (submit | {"key": 5}, "malformed"),
        (submit | {"kind": "sqrt"}, "invalid"), (submit | {"kind": "k" * 33}, "malformed"),
        (submit | {"spec": "-1"}, "invalid"), (submit | {"spec": "x" * 256}, "invalid"),
        (submit | {"spec": "9" * 200}, "invalid"), (submit | {"spec": "1" + "0" * 18}, "too_costly"),
        (submit | {"spec": ""}, "invalid"), (submit | {"spec": "10 11"}, "invalid"),
        (submit | {"node": 7}, "invalid"), (submit | {"node": 101}, "malformed"),
        ({"type": "job_get", "request": 9, "job": 2 ** 64 - 1}, "not_found"),
        ({"type": "job_get", "request": 9, "job": 0}, "not_found"),
        ({"type": "job_get", "request": 9, "job": 1, "wait_ms": 10 ** 9}, "malformed"),
        ({"type": "job_trace", "request": 9, "job": 1, "after": 2 ** 63}, "malformed"),
        ({"type": "result_get", "request": 9, "job": 5, "offset": 2 ** 64 - 1}, "not_found"),
        ({"type": "job_cancel", "request": 9}, "malformed"),
        ({"type": "status_get"}, "malformed"), ({"type": "of_a_later_release", "request": 9}, "malformed"),
    ]:
        answer, _ = request(address, body)
        assert (answer["type"], answer["code"]) == ("error", code), (body, answer)
        assert answer["request"] == body.get("request", 0)
        assert answer["reason"] and all(32 <= ord(c) < 127 for c in answer["reason"])
    assert_all_is_well(cluster, status)
    job, _ = request(address, submit | {"key": "a-result"})
    wait = {"type": "job_get", "request": 9, "job": job["jobs"][0]["job"], "wait_ms": 5000}
    done, _ = request(address, wait)
    assert done["jobs"][0]["text"] == "3628800"
    beyond = {"type": "result_get", "request": 9, "job": wait["job"], "offset": 2 ** 64 - 1}
    assert request(address, beyond)[0]["code"] == "invalid"
    answer, frames = request(address, beyond | {"offset": 3})
    assert frames == [b"8800"] and answer["total"] == 7


def test_a_flood_of_requests_and_of_connections_ends_and_jobs_succeed_X4(cluster):
    before = cluster.wait_healthy()
    with Thrower(f"tcp://127.0.0.1:{cluster.port}") as thrower:
        for n in range(5000):
            thrower.throw(pack({"type": "job_get", "request": n, "job": 1, "wait_ms": 10000}))
            thrower.throw(pack({"type": "status_get", "request": n}))
    raw = [socket.create_connection(("127.0.0.1", cluster.port), timeout=5) for _ in range(500)]
    assert_all_is_well(cluster, before)
    for connection in raw:
        connection.close()


def test_text_of_strangers_reaches_no_log_unescaped_X9(cluster):
    nasty = "\x1b[31m\r\nforged line\x00"
    request(f"tcp://127.0.0.1:{cluster.port}", {"type": nasty, "request": 1})
    request(f"tcp://127.0.0.1:{cluster.port}",
            {"type": "submit", "request": 1, "key": "k", "kind": nasty, "spec": nasty})
    for log in cluster.dir.glob("*.log"):
        text = log.read_bytes()
        assert b"\x1b" not in text and b"\0" not in text and b"\r" not in text
        assert not any(line.startswith(b"forged") for line in text.splitlines())
