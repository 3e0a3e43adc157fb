"""A broker that answers what no broker answers: a fixture for the clients' libraries."""
import threading

import msgpack
import pytest
import zmq

JUNK = [b"", b"\xc1", b"\x93\x01\x02\x03", b"\xa3abc", b"\xdd\xff\xff\xff\xff", {}, {"request": [1]}, {"request": {"a": 1}}, {"request": "x"},
        {"request": 2 ** 64 - 1, "type": "broker", "coordinator": [1], "term": {}}, {"request": 2 ** 64 - 1, "coordinator": "x", "term": "y"}]
WRONG = [{"type": "error", "code": [1], "reason": {}}, {"type": "error"}, {"type": "status"}, {"type": 7}, {"type": "job", "jobs": 3},
         {"type": "job", "jobs": [3]}, {"type": "job", "jobs": [{}]}, {"type": "job", "jobs": [{"job": "x"}]}, {"type": "values", "values": [{}]}]


@pytest.fixture(name="liar")
def start_liar():
    """A broker that answers each request with junk, and then with what it is told."""
    router, answers, ended = zmq.Context.instance().socket(zmq.ROUTER), [], threading.Event()
    port = router.bind_to_random_port("tcp://127.0.0.1", 20000, 32000)

    def run():
        while not ended.is_set():
            if not router.poll(50):
                continue
            who, body = router.recv_multipart()[:2]
            asked = msgpack.unpackb(body)
            for junk in JUNK:
                router.send_multipart([who, junk if isinstance(junk, bytes) else msgpack.packb(junk)])
            if asked["type"] == "broker_get":
                told = {"type": "broker", "coordinator": 1, "term": 1}
            else:
                told = answers[0] if len(answers) == 1 else answers.pop(0)
            router.send_multipart([who, msgpack.packb({"request": asked["request"], **told})])
    thread = threading.Thread(target=run)
    thread.start()
    yield f"127.0.0.1:{port}", answers
    ended.set()
    thread.join()
    router.close(0)
