"""The feed of heartbeats and events: lossy, doubled by two brokers, in the order of each node's `seq`."""
from __future__ import annotations

import asyncio
import time
from typing import Any, AsyncIterator, Dict, Iterator, Optional

import msgpack
import zmq

from . import errors
from .access import Access
from .connection import curve

LOOK = 0.2  # s: how often an asynchronous reader comes up for air


class Feed:
    """Iterate it, with for or async for. Each message is a dict as docs/protocol.md has `heartbeat` and `event`, and with
    `missed`: messages of its node before it that did not arrive. Belongs to one thread; close() it, or use `with`."""

    def __init__(self, access: Access, timeout: Optional[float] = None) -> None:
        self._timeout, self._nodes = timeout, {}  # type: Optional[float], Dict[int, Any]
        self._socket = zmq.Context.instance().socket(zmq.SUB)
        for option, value in ((zmq.LINGER, 0), (zmq.RECONNECT_IVL, 20), (zmq.RECONNECT_IVL_MAX, 200),
                              (zmq.HEARTBEAT_IVL, 500), (zmq.HEARTBEAT_TIMEOUT, 1500), (zmq.CONNECT_TIMEOUT, 1000)):
            self._socket.setsockopt(option, value)
        self._socket.setsockopt(zmq.IPV6, int(any(":" in host for host, _ in access.brokers)))
        curve(self._socket, access)
        self._socket.subscribe(b"")
        for host, port in access.brokers:
            self._socket.connect(f"tcp://{host}:{port + 1}")

    def close(self) -> None:
        self._socket.close(0)

    def __enter__(self) -> "Feed":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _order(self, message: Dict[str, Any]) -> bool:
        """True for what is new; tells what is missing."""
        now = (message["incarnation"], message["seq"])
        before, ended = self._nodes.get(message["node"], (None, None))
        if now[0] == ended or (before and before[0] == now[0] and now[1] <= before[1]):
            return False
        message["missed"] = now[1] - before[1] - 1 if before and before[0] == now[0] else 0
        self._nodes[message["node"]] = (now, before[0] if before and before[0] != now[0] else ended)
        return True

    def take(self, wait: float) -> Optional[Dict[str, Any]]:
        """The next message, or None after `wait` seconds."""
        end = time.monotonic() + wait
        while self._socket.poll(max(0, int(1000 * (end - time.monotonic())))):
            try:
                message: Dict[str, Any] = msgpack.unpackb(self._socket.recv())
                if message["type"] in ("heartbeat", "event") and self._order(message):
                    return message
            except (ValueError, KeyError, TypeError, msgpack.UnpackException):
                pass  # the broker relays nothing else
        return None

    def __iter__(self) -> Iterator[Dict[str, Any]]:
        while True:
            message = self.take(self._timeout if self._timeout is not None else 3600)
            if message:
                yield message
            elif self._timeout is not None:
                raise errors.TimedOut("nothing has come on the feed")

    async def __aiter__(self) -> AsyncIterator[Dict[str, Any]]:
        quiet = time.monotonic()
        while True:
            message = await asyncio.get_running_loop().run_in_executor(None, self.take, LOOK)
            if message:
                quiet = time.monotonic()
                yield message
            elif self._timeout is not None and time.monotonic() > quiet + self._timeout:
                raise errors.TimedOut("nothing has come on the feed")
