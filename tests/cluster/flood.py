"""A client of its own process that asks as often as it can, on several connections with one key, until SIGTERM:

  flood.py PORT ACCESS BROKERS_PUBLIC CONNECTIONS WINDOW

Each connection has WINDOW requests on their way. At the end the answers are counted by kind, as JSON on stdout; the first
answer is told by a line."""
import json
import pathlib
import signal
import sys

import msgpack
import zmq


def main():
    port, access, server, connections, window = sys.argv[1:]
    mine, over, counts, dealers = json.loads(pathlib.Path(access).read_text(encoding="ascii")), [], {}, []
    signal.signal(signal.SIGTERM, lambda *_: over.append(True))
    poller = zmq.Poller()
    for _ in range(int(connections)):
        dealer = zmq.Context.instance().socket(zmq.DEALER)
        dealer.linger = 0
        dealer.curve_publickey, dealer.curve_secretkey = mine["public"].encode(), mine["secret"].encode()
        dealer.curve_serverkey = server.encode()
        dealer.connect(f"tcp://127.0.0.1:{port}")
        poller.register(dealer, zmq.POLLIN)
        dealers.append(dealer)
    number = 0
    for dealer in dealers:
        for _ in range(int(window)):
            number += 1
            dealer.send(msgpack.packb({"type": "status_get", "request": number}))
    while not over:
        for dealer, _ in poller.poll(100):
            for _ in range(100):
                try:
                    answer = dealer.recv_multipart(zmq.DONTWAIT)[0]
                except zmq.Again:
                    break
                number += 1
                dealer.send(msgpack.packb({"type": "status_get", "request": number}))
                if not counts:
                    print("floods", flush=True)
                # Reading all of it would slow the flood down.
                kind = "status" if b"\xa6status" in answer[:16] else msgpack.unpackb(answer).get("code", "?")
                counts[kind] = counts.get(kind, 0) + 1
    print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    main()
