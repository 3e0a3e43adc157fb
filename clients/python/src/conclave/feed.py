"""The feed of heartbeats and events: lossy, doubled by two brokers, in the order of each node's `seq`."""
from __future__ import annotations

import asyncio
import threading
import time
from typing import Any, AsyncIterator, Dict, Iterator, Optional

import msgpack
import zmq
from zmq.utils.monitor import recv_monitor_message

from . import errors
from .access import Access
from .connection import curve

LOOK = 0.2   # s: how often a reader comes up for air
RENEW = 5.0  # of silence: nodes tell something many times a second


class Feed:
    """Iterate it, with for or async for. Each message is a dict as docs/protocol.md has `heartbeat` and `event`, and with
    `missed`: messages of its node before it that did not arrive. Belongs to one thread; close() it, or use `with`."""

    def __init__(self, access: Access, timeout: Optional[float] = None) -> None:
        self._timeout, self._access, self._nodes = timeout, access, {}  # type: Optional[float], Access, Dict[int, Any]
        self._socket: Any = None
        self._lock = threading.Lock()  # a reader of asyncio that was cancelled reads on for LOOK
        self._heard = time.monotonic()
        self._subscribe()

    def _subscribe(self) -> None:
        self._unsubscribe()
        self._socket = zmq.Context.instance().socket(zmq.SUB)
        for option, value in ((zmq.LINGER, 0), (zmq.RECONNECT_IVL, 20), (zmq.RECONNECT_IVL_MAX, 200),
                              (zmq.HEARTBEAT_IVL, 500), (zmq.HEARTBEAT_TIMEOUT, 1500), (zmq.CONNECT_TIMEOUT, 1000)):
            self._socket.setsockopt(option, value)
        self._socket.setsockopt(zmq.IPV6, int(any(":" in host for host, _ in self._access.brokers)))
        curve(self._socket, self._access)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
        self._socket.subscribe(b"")
        for host, port in self._access.brokers:
            self._socket.connect(f"tcp://{host}:{port + 1}")
        self._renewed = time.monotonic()

    def _unsubscribe(self) -> None:
        if self._socket:
            self._socket.disable_monitor()
            self._monitor.close(0)
            self._socket.close(0)
        self._socket = None

    def close(self) -> None:
        with self._lock:
            self._unsubscribe()

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
        now = time.monotonic()
        end, first = now + wait, True
        while first or now < end:
            with self._lock:
                message = self._read(min(LOOK, max(0.0, end - now)))
            if message:
                return message
            now, first = time.monotonic(), False
        return None

    def _read(self, wait: float) -> Optional[Dict[str, Any]]:
        """With the lock."""
        if not self._socket:
            raise errors.Usage("the feed is closed")
        now = time.monotonic()
        if now - self._heard > RENEW and now - self._renewed > RENEW:
            self._subscribe()  # what is connected, and relays nothing, is no subscription
        if self._monitor.poll(0):
            recv_monitor_message(self._monitor)
            raise errors.KeyRefused("a broker does not take this key for its feed")
        if self._socket.poll(int(1000 * wait)):
            try:
                message: Dict[str, Any] = msgpack.unpackb(self._socket.recv())
                if message["type"] in ("heartbeat", "event") and self._order(message):
                    self._heard = time.monotonic()
                    return message
            except (ValueError, KeyError, TypeError, AttributeError, msgpack.UnpackException):
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
