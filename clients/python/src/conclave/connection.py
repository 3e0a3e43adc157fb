"""Requests through the brokers: sent again, moved to the next broker, taken to a new coordinator. One thread has the socket."""
from __future__ import annotations

import os
import queue
import socket
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence

import msgpack
import zmq
from zmq.utils.monitor import recv_monitor_message

from . import errors
from .access import Access
from .sign import TRIES_MAX, Signer

RETRY = 1.0        # s: an unanswered request is sent again
PROBE = 0.3        # how soon a waiting client hears of a new coordinator
BACKOFF, BACKOFF_MAX = 0.05, 0.5
UNREACHABLE = 2.0  # no broker has answered anything for so long
UNAVAILABLE = 5.0  # nor a coordinator
KEY_SPREADS = 3.0  # a new key reaches the lists of all nodes
PROBE_REQUEST = 2 ** 64 - 1
PASSING = {"unavailable", "not_coordinator", "busy"}
_CLOSE, _WAKE_BYTES = object(), 4096


@dataclass
class Reply:
    """An answer that is no error: its map, and its further frames."""
    body: Dict[str, Any]
    frames: List[bytes] = field(default_factory=list)


@dataclass
class Ask:
    """A request, `body` with its `type`; `wait`: how long the coordinator may hold it. `once`: the first answer counts.
    `lasting`: what it is about exists, only the deadline ends it."""
    body: Dict[str, Any]
    frames: Sequence[bytes] = ()
    wait: float = 0
    once: bool = False
    lasting: bool = False
    deadline: Optional[float] = None  # of time.monotonic()


@dataclass
class _Call:
    ask: Ask
    future: "Future[Reply]"
    number: int
    started: float
    due: float
    refusals: int = 0
    signatures: int = 0

    @property
    def node(self) -> int:
        return int(self.ask.body.get("node", 0))


def curve(sock: Any, access: Access) -> None:
    """Gives a socket our key, before it connects."""
    if access.key:
        sock.curve_publickey, sock.curve_secretkey, sock.curve_serverkey = (
            key.encode() for key in (access.key.public, access.key.secret, access.key.brokers_public))


class Connection:
    """Thread-safe: start() from anywhere, the future ends with a Reply or a ConclaveError."""

    def __init__(self, access: Access, context: Optional[Any] = None) -> None:
        self.access, self.context = access, context or zmq.Context.instance()
        self._signer, self._calls = Signer(access.key), {}  # type: Signer, Dict[int, _Call]
        self._number, self._broker = 0, 0
        self._heard = self._probed = 0.0
        self._leader = (0, 0)
        self._denials: Dict[int, str] = {}
        self._refusal = ""
        self._socket: Any = None
        self._monitor: Any = None
        self._process, self._broken = os.getpid(), ""
        self._incoming: "queue.SimpleQueue[Any]" = queue.SimpleQueue()
        self._wake_end, self._wake = socket.socketpair()
        self._wake_end.setblocking(False)
        self._wake.setblocking(False)
        self._lock, self._closed = threading.Lock(), False
        self._thread = threading.Thread(target=self._run, name="conclave", daemon=True)
        self._thread.start()

    def start(self, ask: Ask) -> "Future[Reply]":
        if os.getpid() != self._process:  # where there is no thread, and a lock may be held by nobody
            raise errors.Usage("the connection was made before os.fork(): a process connects for itself")
        future: "Future[Reply]" = Future()
        with self._lock:
            if self._closed:
                raise errors.Failed(self._broken) if self._broken else errors.Usage("the connection is closed")
            self._incoming.put((ask, future))
        self._ring()
        return future

    def close(self, wait: bool = True) -> None:
        if os.getpid() != self._process:
            return  # it is the parent's
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._incoming.put(_CLOSE)
        self._ring()
        if wait and threading.current_thread() is not self._thread:
            self._thread.join()

    def _ring(self) -> None:
        try:
            self._wake.send(b"x")
        except OSError:
            pass  # it is full: the thread wakes in any case

    # --- everything below runs in the thread ---

    def _connect(self, broker: int, now: float) -> None:
        self._disconnect()
        self._broker = broker % len(self.access.brokers)
        host, port = self.access.brokers[self._broker]
        self._socket = self.context.socket(zmq.DEALER)
        for option, value in ((zmq.LINGER, 0), (zmq.RECONNECT_IVL, 20), (zmq.RECONNECT_IVL_MAX, 200),
                              (zmq.HEARTBEAT_IVL, 500), (zmq.HEARTBEAT_TIMEOUT, 1500), (zmq.CONNECT_TIMEOUT, 1000),
                              (zmq.SNDHWM, 0), (zmq.RCVHWM, 0), (zmq.IPV6, ":" in host)):
            self._socket.setsockopt(option, int(value))
        curve(self._socket, self.access)
        self._monitor = self._socket.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
        self._socket.connect(f"tcp://{host}:{port}")
        self._poller = zmq.Poller()
        for thing in (self._socket, self._monitor, self._wake_end):
            self._poller.register(thing, zmq.POLLIN)
        self._probe(now)
        for call in self._calls.values():
            call.due = now

    def _disconnect(self) -> None:
        if self._monitor:
            self._socket.disable_monitor()
            self._monitor.close(0)
        if self._socket:
            self._socket.close(0)
        self._socket = self._monitor = None

    def _probe(self, now: float) -> None:
        """The broker answers this itself: it tells a silent broker from a silent coordinator."""
        self._socket.send(msgpack.packb({"request": PROBE_REQUEST, "type": "broker_get"}))
        self._probed = now

    def _run(self) -> None:
        try:
            self._connect(0, time.monotonic())
            while self._take_requests():
                now = time.monotonic()
                self._take_monitor(now)
                self._take_replies(now)
                wait = max(0.0, self._advance(time.monotonic()) - time.monotonic())
                if any(s == self._wake_end.fileno() for s, _ in self._poller.poll(int(1000 * wait) + 1)):
                    try:
                        self._wake_end.recv(_WAKE_BYTES)
                    except BlockingIOError:
                        pass
        except Exception as error:  # pylint: disable=broad-except
            self._broken = f"the connection broke: {error!r}"
        finally:
            with self._lock:
                self._closed = True
            self._take_requests()
            self._end_all(errors.Failed(self._broken) if self._broken else errors.Unreachable("the connection was closed"))
            self._disconnect()
            self._wake.close()
            self._wake_end.close()

    def _take_requests(self) -> bool:
        now = time.monotonic()
        while True:
            try:
                item = self._incoming.get_nowait()
            except queue.Empty:
                return True
            if item is _CLOSE:
                return False
            self._number += 1
            self._calls[self._number] = _Call(item[0], item[1], self._number, now, now)

    def _take_monitor(self, now: float) -> None:
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            host, port = self.access.brokers[self._broker]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._denials.clear()
            elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH and self.access.key:
                self._deny(f"the broker at tcp://{host}:{port} refused this key ({self.access.key.path})", now)
                return
            elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
                self._deny(f"the broker at tcp://{host}:{port} " + ("works without keys; if that is meant: insecure=True"
                                                                    if self.access.key else "asks for a key"), now)
                return

    def _deny(self, why: str, now: float) -> None:
        self._denials[self._broker] = why
        if len(self._denials) == len(self.access.brokers):
            self._end_all(errors.KeyRefused(why))
            self._denials.clear()
        self._connect(self._broker + 1, now)

    def _end_all(self, error: errors.ConclaveError) -> None:
        for call in list(self._calls.values()):
            self._end(call, error)

    def _end(self, call: _Call, outcome: "Reply | errors.ConclaveError") -> None:
        del self._calls[call.number]
        if not call.future.set_running_or_notify_cancel():
            return
        if isinstance(outcome, Reply):
            call.future.set_result(outcome)
        else:
            call.future.set_exception(outcome)

    def _take_replies(self, now: float) -> None:
        while True:
            try:
                first, *frames = self._socket.recv_multipart(zmq.NOBLOCK)
                body = msgpack.unpackb(first)
                number, kind = int(body.get("request")), str(body.get("type"))
                if not set(map(type, (body.get("coordinator", 0), body.get("term", 0)))) <= {int}:
                    raise TypeError("numbers are none")
            except zmq.Again:
                return
            except (ValueError, AttributeError, TypeError, msgpack.UnpackException):
                continue  # nothing of ours; the request is sent again
            self._heard = now
            if number == PROBE_REQUEST:
                self._take_life(body, now)
            elif number in self._calls:
                self._take_answer(self._calls[number], kind, body, frames, now)

    def _take_life(self, body: Dict[str, Any], now: float) -> None:
        leader = (body.get("coordinator", 0), body.get("term", 0))
        if leader[0] and leader != self._leader:
            if self._leader[1]:
                for call in self._calls.values():
                    call.due = now  # what was asked of another one is asked again
            self._leader = leader

    def _take_answer(self, call: _Call, kind: str, body: Dict[str, Any], frames: List[bytes], now: float) -> None:
        code = str(body.get("code")) if kind == "error" else None
        if call.signatures < TRIES_MAX and self._signer.take(call.node, body):
            call.signatures += 1
            call.due = now
        elif code == "key_unknown" and now < call.started + KEY_SPREADS:
            call.due = now + BACKOFF
        elif code in PASSING and not call.ask.once:
            self._refusal = str(body.get("reason", ""))
            call.due = now + min(BACKOFF * (1 + call.refusals // 4), BACKOFF_MAX)
            call.refusals += 1
            if call.refusals % 4 == 0 and len(self.access.brokers) > 1:
                self._connect(self._broker + 1, now)
        elif code is not None:
            self._end(call, errors.of_refusal(code, str(body.get("reason", ""))))
        else:
            self._end(call, Reply(body, frames))

    def _patience(self, call: _Call) -> "tuple[float, errors.ConclaveError]":
        """When it ends unless an answer comes, and how."""
        never: float = float("inf")
        if not call.ask.lasting:
            silent = max(self._heard, call.started) + UNREACHABLE
            unserved = call.started + call.ask.wait + (UNREACHABLE if call.ask.once else UNAVAILABLE)
            end = min(silent, unserved)
            if end < (call.ask.deadline or never):
                where = ", ".join(f"tcp://{h}:{p}" for h, p in self.access.brokers)
                denied = next(iter(self._denials.values()), None)
                if silent <= unserved:
                    return end, errors.KeyRefused(denied) if denied else errors.Unreachable(
                        f"no broker answers at {where}; is a cluster running? `conclave up` starts one")
                return end, errors.Unreachable(self._refusal or "the coordinator does not answer")
        return call.ask.deadline or never, errors.TimedOut("no answer in time")

    def _send(self, call: _Call, now: float) -> None:
        body = msgpack.packb({"request": call.number, **call.ask.body})
        self._socket.send_multipart(self._signer.frames(call.ask.body["type"], call.node, [body, *call.ask.frames]))
        call.due = now + call.ask.wait + RETRY

    def _advance(self, now: float) -> float:
        """Ends, sends and sends again what is due. Returns when to look again."""
        for call in list(self._calls.values()):
            end, error = self._patience(call)
            if call.future.cancelled():
                self._end(call, error)
            elif now >= end:
                self._end(call, error)
        if not self._calls:
            return now + 3600
        share = UNREACHABLE / (len(self.access.brokers) + 1)
        waits = self._probed >= self._heard
        if waits and now >= self._probed + share:
            self._connect(self._broker + 1, now)
        elif not waits and now >= self._heard + PROBE:
            self._probe(now)
        following = self._probed + share if self._probed >= self._heard else self._heard + PROBE
        for call in self._calls.values():
            if call.due <= now:
                self._send(call, now)
            following = min(following, call.due, self._patience(call)[0])
        return following
