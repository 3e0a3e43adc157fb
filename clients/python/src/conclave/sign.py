"""Signatures of requests (Ed25519, RFC 8032): by libsodium, which ZeroMQ brings along, else in Python."""
from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import struct
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple

from zmq.utils import z85

from .access import Key

SIGNED = {"submit_commands", "init", "snapshot_take", "snapshot_get", "snapshot_value", "access_set"}
TRIES_MAX = 8  # of one request: another program may sign with the same key meanwhile

_P = 2 ** 255 - 19
_ORDER = 2 ** 252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_BASE_Y = 4 * pow(5, _P - 2, _P) % _P
_BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
Point = Tuple[int, int, int, int]
_BASE: Point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P)


def _add(a: Point, b: Point) -> Point:
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % _P, (a[1] + a[0]) * (b[1] + b[0]) % _P
    g, h = 2 * a[3] * b[3] * _D % _P, 2 * a[2] * b[2] % _P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int) -> bytes:
    total, step = (0, 1, 1, 0), _BASE
    while scalar:
        if scalar & 1:
            total = _add(total, step)
        step, scalar = _add(step, step), scalar >> 1
    inverse = pow(total[2], _P - 2, _P)
    return (total[1] * inverse % _P | (total[0] * inverse % _P & 1) << 255).to_bytes(32, "little")


def sign_in_python(seed: bytes, message: bytes) -> bytes:
    """RFC 8032, 5.1.6. Takes some milliseconds."""
    def number(*parts: bytes) -> int:
        return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")
    digest = hashlib.sha512(seed).digest()
    secret = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
    public = _times(secret)
    nonce = number(digest[32:], message) % _ORDER
    first = _times(nonce)
    return first + ((nonce + number(first, public, message) * secret) % _ORDER).to_bytes(32, "little")


def _sodium() -> Optional[Any]:
    for name in (ctypes.util.find_library("sodium"), "libsodium.so.23", "libsodium.so.26"):
        try:
            library = ctypes.CDLL(name) if name else None
            if library is not None and library.sodium_init() >= 0:
                return library
        except (OSError, AttributeError):
            pass
    return None


_LIBRARY = _sodium()


def sign(seed: bytes, message: bytes) -> bytes:
    if _LIBRARY is None:
        return sign_in_python(seed, message)
    public, secret, made = (ctypes.create_string_buffer(n) for n in (32, 64, 64))
    _LIBRARY.crypto_sign_seed_keypair(public, secret, seed)
    _LIBRARY.crypto_sign_detached(made, None, message, ctypes.c_ulonglong(len(message)), secret)
    return made.raw


class Signer:
    """What is to be signed, as a node told last, by the node that was asked (0: the coordinator)."""

    def __init__(self, key: Optional[Key]) -> None:
        self.seed: Optional[bytes] = None
        if key and key.signing_secret:
            self.seed = z85.decode(key.signing_secret.encode())  # type: ignore[no-untyped-call]
        self.head = b"conclave request 1\n" + (key.cluster + key.public).encode() if key else b""
        self.known: Dict[int, List[int]] = {}

    def frames(self, kind: str, node: int, frames: Sequence[bytes]) -> List[bytes]:
        """The frames, with a signature or an empty frame, which asks what is to be signed, when the request needs one."""
        if not self.seed or kind not in SIGNED:
            return list(frames)
        whom = self.known.get(node)
        if not whom:
            return [*frames, b""]
        whom[2] = max(whom[2] + 1, time.time_ns() // 1000)
        said = struct.pack("<3Q", *whom)
        digest = hashlib.sha256(b"".join(struct.pack("<Q", len(f)) + f for f in frames)).digest()
        return [*frames, said + sign(self.seed, self.head + said + digest)]

    def take(self, node: int, answer: Dict[str, Any]) -> bool:
        """True when the answer says what is to be signed: then the request is sent again."""
        if not self.seed or answer.get("code") != "unsigned" or not answer.get("incarnation"):
            return False
        told = [answer.get("node", 0), answer["incarnation"], answer.get("counter", 0)]
        if not all(type(number) is int and 0 <= number < 2 ** 64 for number in told):
            return False
        self.known[node] = told
        return True
