"""The bytes of jobs of commands: what docs/protocol.md and shared/tasks/record.h say. Pure."""
from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import msgpack

SEGMENTS, LEAST, MOST = 64, 32 << 10, 8 << 20  # clients/input/content.h
PIECE = 8 << 20                                # of a bundle
STATES = ("", "done", "failed", "lost", "cancelled")
_NUMBERS = ("first", "count", "state", "node", "attempts", "exit", "signal", "flags", "started_ms", "wall_us", "cpu_us",
            "max_rss", "out_bytes", "err_bytes")


def part(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


@dataclass
class Segment:
    offset: int
    len: int
    items: int
    sha256: bytes


@dataclass
class Content:
    """What is uploaded as a stored value, in segments: the same bytes are cut in the same way by every client."""
    format: str
    data: bytes
    segments: List[Segment]
    sha256: bytes


def _segment(data: bytes, offset: int, length: int, items: int) -> Segment:
    return Segment(offset, length, items, hashlib.sha256(data[offset:offset + length]).digest())


def content_of_bytes(data: bytes) -> Content:
    cut = [_segment(data, at, min(MOST, len(data) - at), 1) for at in range(0, len(data), MOST)]
    return Content("bytes", data, cut, hashlib.sha256(data).digest())


def content_of_integers(integers: Sequence[int]) -> Content:
    """Each as its length, a byte for its sign and its magnitude (docs/jobs.md)."""
    return content_of_parts("integers", [part(bytes([n < 0]) + abs(n).to_bytes((n.bit_length() + 7) // 8, "little"))
                                         for n in integers])


def content_of_parts(format_: str, parts: Sequence[bytes]) -> Content:
    data = b"".join(parts)
    aim = min(max(-(-len(data) // SEGMENTS), LEAST), MOST)
    cut: List[List[int]] = []
    at = 0
    for one in parts:
        if not cut or cut[-1][1] >= aim or cut[-1][1] + len(one) > MOST:
            cut.append([at, 0, 0])
        cut[-1][1] += len(one)
        cut[-1][2] += 1
        at += len(one)
    return Content(format_, data, [_segment(data, *one) for one in cut], hashlib.sha256(data).digest())


def spec(options: Dict[str, Any]) -> bytes:
    """The first record: what the tasks have in common. Zero, false and empty is left out."""
    return part(msgpack.packb({"type": "task_spec", **{k: v for k, v in options.items() if v}}))


def read_spec(data: bytes) -> Dict[str, Any]:
    found: Dict[str, Any] = msgpack.unpackb(_Reader(data).part())
    return found


def record(inputs: Iterable[bytes], file: Optional[Tuple[int, bytes]] = None) -> bytes:
    """A task: its inputs, and (offset, content) of the file that it has of its own."""
    body = b"".join(part(one) for one in inputs)
    if file is not None:
        body += struct.pack("<2Q", file[0], len(file[1])) + hashlib.sha256(file[1]).digest() + b"\0"
    return part(body)


# --- rows of details (shared/base/task_row.h) ---

@dataclass
class Task:
    """How a task ended. `stdout` and `stderr` are what is kept of them; `*_bytes` is what it wrote."""
    task: int
    state: str
    node: int = 0
    attempts: int = 0
    exit: int = 0
    signal: int = 0
    limit: bool = False
    reason: str = ""
    started_ms: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    max_rss: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    stdout_bytes: int = 0
    stderr_bytes: int = 0

    @property
    def ended_by(self) -> str:
        """One word or two for people."""
        if self.limit:
            return "time limit"
        return self.reason or (f"signal {self.signal}" if self.signal else f"exit {self.exit}")


@dataclass
class Bundle:
    """What a task left beside its row: (first op, length), lengths of the list of files and of both streams."""
    len: int
    op: int
    head_len: int
    out_len: int
    err_len: int
    inline: bytes
    out_sha256: bytes
    err_sha256: bytes


class Damaged(ValueError):
    """Bytes that are no rows."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def number(self) -> int:
        value = shift = 0
        while True:
            if self.at >= len(self.data) or shift > 63:
                raise Damaged("a number is cut short")
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def part(self) -> bytes:
        end = self.at + 4
        size = int.from_bytes(self.data[self.at:end], "little")
        if end + size > len(self.data):
            raise Damaged("a part is cut short")
        self.at = end + size
        return self.data[end:self.at]

    def left(self) -> int:
        return len(self.data) - self.at


def _stream(reader: _Reader) -> Tuple[bytes, bytes]:
    digest, kept = reader.part(), reader.part()
    if kept and hashlib.sha256(kept).digest() != digest:
        raise Damaged("an output differs from its SHA-256")
    return digest, kept


def rows(segment: bytes) -> Iterator[Tuple[Dict[str, int], Task, Optional[Bundle]]]:
    """Each row of a segment: its numbers, the task (the first of `count`), and what it left beside."""
    whole = _Reader(segment)
    while whole.left():
        body = _Reader(whole.part())
        n = {name: body.number() for name in _NUMBERS}
        if not 0 < n["state"] < len(STATES) or n["count"] > 10 ** 9:
            raise Damaged("a row is no row")
        reason = body.part().decode(errors="replace")
        (out_sha256, out), (err_sha256, err) = _stream(body), _stream(body)
        bundle = None
        if body.left():
            length, op, head_len, _files, out_len, err_len = (body.number() for _ in range(6))
            body.part()
            inline = body.part()
            if length:
                bundle = Bundle(length, op, head_len, out_len, err_len, inline, out_sha256, err_sha256)
        yield n, Task(n["first"], STATES[n["state"]], n["node"], n["attempts"], n["exit"], n["signal"], bool(n["flags"] & 1),
                      reason, n["started_ms"], n["wall_us"] / 1e6, n["cpu_us"] / 1e6, n["max_rss"], out, err,
                      n["out_bytes"], n["err_bytes"]), bundle
